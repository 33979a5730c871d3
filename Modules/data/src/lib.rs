//! The native modules that turn data into bytes and text and back: _struct, array, binascii, _json and _csv. One file a module.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod _struct;
pub mod _csv;
pub mod _json;
pub mod array;
pub mod binascii;
pub mod support;
