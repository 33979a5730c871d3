//! The native modules of threads and processes working together: `_queue`, `_multiprocessing`, and with them `_uuid` and
//! `_tracemalloc`. (`_thread` and `time` are in `Modules/posix`.) One file a module.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod multiprocessing;
pub mod queue;
pub mod tracemalloc;
pub mod uuid;
