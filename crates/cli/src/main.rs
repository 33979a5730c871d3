//! The `python3` executable.
//!
//! Must not know: anything but how to read the command line and which native modules are built in.
//!
//! It is started by the C library and not by Rust's runtime, which would open `/dev/null` in the
//! place of standard streams that the caller closed; here such a stream becomes `None` in `sys`.

#![cfg_attr(not(test), no_main)]

// Linked for the C symbols that they define.
use taipan_capi as _;
use taipan_objects as _;

mod args;
mod inittab;

use args::Parsed;
use core::ffi::{CStr, c_char, c_int};
use std::io::Write;
use taipan_python::{initconfig, pymain};

/// Entry point of the process.
#[cfg(not(test))]
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: c_int, _argv: *mut *mut c_char) -> c_int {
    run(args::parse_env())
}

/// Does what a command line asks for; the exit code.
fn run(parsed: Parsed) -> i32 {
    match parsed {
        Parsed::Print { text, code: 0 } => {
            let mut out = std::io::stdout();
            // Help that nobody reads to its end is no error.
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            0
        }
        Parsed::Print { text, code } => {
            let _ = std::io::stderr().write_all(text.as_bytes());
            code
        }
        Parsed::Run(options) => {
            inittab::register();
            pymain::run_main(initconfig::read_config(&options))
        }
    }
}

/// The main program for who has a C vector of arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_BytesMain(argc: c_int, argv: *mut *mut c_char) -> c_int {
    let args = (0..argc as usize)
        // SAFETY: argc C strings, by contract.
        .map(|i| unsafe { CStr::from_ptr(*argv.add(i)) }.to_bytes().to_vec())
        .collect();
    run(args::parse(args))
}
