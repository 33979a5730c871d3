//! The native modules of functional and collection tools: itertools, _functools, _operator, _collections, _abc, _weakref,
//! atexit, gc, and their like. One file a module.

#![allow(deprecated, reason = "what CPython's own module of this name uses")]

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod abc;
pub mod atexit;
pub mod collections;
pub mod errno;
pub mod functools;
pub mod gcmodule;
pub mod itertools;
pub mod operator;
pub mod stat;
pub mod support;
pub mod weakref;
