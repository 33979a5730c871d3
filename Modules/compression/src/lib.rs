//! The native modules of compression: zlib, _bz2 and _lzma.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod bz2;
pub mod lzma;
pub mod stream;
pub mod zlib;
