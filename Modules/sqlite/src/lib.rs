//! `_sqlite3`, on an SQLite that is built with the executable.
//!
//! Must not know: the interpreter's internals.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]
#![allow(deprecated, reason = "members that give None for NULL are of that kind in CPython")]

pub mod adapt;
pub mod blob;
pub mod callback;
pub mod connection;
pub mod constants;
pub mod cursor;
pub mod module;
pub mod row;
pub mod state;
pub mod statement;
