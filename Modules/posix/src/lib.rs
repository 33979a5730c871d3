//! The native modules of the operating system: posix, time, _thread, resource and their like. One file a module, except
//! for posix, whose functions are grouped by what they are about.

#![recursion_limit = "512"]
#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod dir;
pub mod fd;
pub mod fork;
pub mod fs;
pub mod ids;
pub mod names;
pub mod path;
pub mod posixmodule;
pub mod process;
pub mod resource;
pub mod stat;
pub mod support;
pub mod thread;
pub mod timemodule;
