//! The native module `_zoneinfo`. [`tzstring`] knows nothing of objects, [`zone`] finds what holds when, [`cache`] finds zones
//! that exist, [`module`] has the type.

pub mod tzstring;
// As above.
#[cfg(not(test))]
pub mod cache;
#[cfg(not(test))]
pub mod module;
#[cfg(not(test))]
pub mod zone;
