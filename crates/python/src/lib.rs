//! The runtime: interpreter, frames, import, errors, sys, builtins, lifecycle.
//!
//! Must not know: Cranelift, the command line, any module in `Modules/`.

#![allow(clippy::missing_safety_doc, reason = "exported C functions follow the contract of CPython's C API manual")]

pub mod bltinmodule;
pub mod codecs;
pub mod compile;
pub mod context;
pub mod errors;
pub mod fileutils;
pub mod getargs;
pub mod hamt;
pub mod import;
pub mod importdl;
pub mod initconfig;
pub mod intrinsics;
pub mod marshal;
pub mod pylifecycle;
pub mod pystate;
pub mod pythonrun;
pub mod pytime;
pub mod sysmodule;
pub mod thread;
pub mod traceback;
pub mod warnings;
