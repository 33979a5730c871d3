//! The CJK codecs: `_multibytecodec`, and `_codecs_cn`, `_codecs_hk`, `_codecs_iso2022`, `_codecs_jp`, `_codecs_kr` and
//! `_codecs_tw` with the codecs themselves.
//!
//! `table` has the mappings, `dbcs`, `hz` and `iso2022` the encodings, which know no Python; `run` drives them with Python's
//! error handlers, and the other files are the types over that.

#![allow(deprecated, reason = "what CPython's own module of this name uses")]

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod codec;
pub mod dbcs;
pub mod hz;
pub mod incremental;
pub mod iso2022;
pub mod modules;
pub mod multibytecodec;
pub mod run;
pub mod stream;
pub mod table;
