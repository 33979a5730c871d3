//! The native modules about several interpreters: `_interpreters`, and the two ways to pass objects between them,
//! `_interpchannels` and `_interpqueues`. One file a module.
//!
//! What is common to all interpreters lies in static variables that the one GIL guards: no reference into them is kept over a
//! call that may run Python code.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod channels;
pub mod interpreters;
pub mod queues;
pub mod support;
