//! The native module `_ctypes`: C data types, and calls of C functions in both directions.
//!
//! [`sysv`] knows the calling convention and nothing of objects. [`simple`] is the table of C's basic types, [`stginfo`] what
//! each ctypes class knows about its C type, [`layout`] how fields are laid out in a structure or union. Then the objects:
//! [`cdata`] (any C value), [`metatypes`] (the classes of classes), [`instances`] (structures, arrays, pointers, simple
//! values), [`funcptr`] (functions), [`callproc`] (calling them) and [`callbacks`] (being called).
//!
//! Only the calling convention of x86-64 System V is known here; elsewhere the crate does not compile.

#![allow(clippy::missing_safety_doc, reason = "entry points share one contract: C API calling convention, GIL held")]

pub mod sysv;

#[cfg(not(test))]
pub mod callbacks;
#[cfg(not(test))]
pub mod callproc;
#[cfg(not(test))]
pub mod cdata;
#[cfg(not(test))]
pub mod cfield;
#[cfg(not(test))]
pub mod funcptr;
#[cfg(not(test))]
pub mod instances;
#[cfg(not(test))]
pub mod layout;
#[cfg(not(test))]
pub mod metatypes;
#[cfg(not(test))]
pub mod module;
#[cfg(not(test))]
pub mod simple;
#[cfg(not(test))]
pub mod state;
#[cfg(not(test))]
pub mod stginfo;
