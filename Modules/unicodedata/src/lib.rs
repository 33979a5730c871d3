//! The `unicodedata` module: the Unicode character database, version 15.1, with what differed in version 3.2.
//!
//! Must not know: other modules of `Modules/`.

pub mod database;
pub mod names;
pub mod normalize;
#[rustfmt::skip]
pub mod tables;
pub mod unicodedata;
