//! The `_io` module: raw, buffered and text streams (PEP 3116).

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod buffered;
pub mod bytesio;
pub mod fileio;
pub mod iobase;
pub mod module;
pub mod newline;
pub mod stringio;
pub mod support;
pub mod textio;
