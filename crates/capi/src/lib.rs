//! The parts of the C API that belong to no single type: variadic entry points, argument parsing, value building.
//! Exported functions that belong to a type or a subsystem stand in that type's or subsystem's file.
//!
//! Must not know: bytecode, frames. Holds no logic beyond the C conventions themselves.

#![allow(clippy::missing_safety_doc, reason = "exported C functions follow the contract of CPython's C API manual")]

#[macro_use]
mod variadic;
pub mod call;
pub mod getargs;
pub mod getargs_clinic;
pub mod hashtable;
pub mod lock;
pub mod modsupport;
pub mod perf;
pub mod pyerrors;
