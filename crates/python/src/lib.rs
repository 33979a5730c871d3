//! The runtime: interpreter, frames, import, errors, sys, builtins, lifecycle.
//!
//! Must not know: Cranelift, the command line, any module in `Modules/`.

#![cfg_attr(feature = "tailcall", allow(incomplete_features, reason = "the unstable form is optional"))]
#![cfg_attr(feature = "tailcall", feature(explicit_tail_calls, rust_preserve_none_cc))]
#![allow(clippy::missing_safety_doc, reason = "exported C functions follow the contract of CPython's C API manual")]

#[macro_use]
mod ceval_macros;
pub mod ceval;
pub mod ceval_calls;
pub mod ceval_ops;
pub mod ceval_prelude;
pub mod code_location;
pub mod codeobject;
pub mod defs;
pub mod externs;
pub mod frame;
pub mod frame_locals;
pub mod frame_setlineno;
pub mod frameobject;
#[rustfmt::skip]
pub mod generated;
pub mod genobject;
pub mod instrumentation;
pub mod legacy_tracing;
pub mod monitoring;
pub mod specialize;
pub mod stackref;
pub mod ast_object;
pub mod bltinmodule;
pub mod ceval_gil;
pub mod codecs;
pub mod codecs_module;
pub mod code_builder;
pub mod compile;
pub mod compile_stages;
pub mod config_dict;
pub mod crossinterp;
pub mod crossinterp_session;
pub mod context;
pub mod errors;
pub mod fileobject;
pub mod fileutils;
pub mod frozen;
pub mod getargs;
pub mod hamt;
pub mod imp_module;
pub mod import;
pub mod importdl;
pub mod initconfig;
pub mod internal_api;
pub mod internal_tables;
pub mod interpconfig;
pub mod interp_switch;
pub mod interpreters;
pub mod intrinsics;
pub mod pymain;
pub mod marshal;
pub mod myreadline;
pub mod pathconfig;
pub mod pydebug;
pub mod pyarena;
pub mod pyconfig;
pub mod pylifecycle;
pub mod pystate;
pub mod pythonrun;
pub mod pytime;
pub mod signals;
pub mod stdlib_module_names;
pub mod suggestions;
pub mod sysmodule;
pub mod sysmodule_info;
pub mod thread;
pub mod traceback;
pub mod tracemalloc;
pub mod util;
pub mod warnings;
