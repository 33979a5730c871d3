//! The native modules of the operating system: posix, time, _thread, resource and their like. One file a module, except
//! for posix, whose functions are grouped by what they are about.

#![recursion_limit = "512"]
#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod dir;
pub mod fcntlmodule;
pub mod fd;
pub mod fork;
pub mod fs;
pub mod grp;
pub mod ids;
pub mod mmap;
pub mod names;
pub mod path;
pub mod posixmodule;
pub mod posixshmem;
pub mod posixsubprocess;
pub mod process;
pub mod pwd;
pub mod resource;
pub mod select;
pub mod stat;
pub mod support;
pub mod syslog;
pub mod termios;
pub mod thread;
pub mod timemodule;
