//! The `python3` executable.
//!
//! Must not know: anything but how to hand the command line over and which native modules are built in.

// Linked for the C symbols that they define.
use taipan_capi as _;
use taipan_objects as _;
use taipan_python as _;

mod inittab;

use core::ffi::{c_char, c_int};
use std::os::unix::ffi::OsStringExt;

unsafe extern "C" {
    fn Py_BytesMain(argc: c_int, argv: *mut *mut c_char) -> c_int;
}

fn main() {
    inittab::register();
    let mut args: Vec<*mut c_char> = std::env::args_os()
        .map(|a| std::ffi::CString::new(a.into_vec()).unwrap_or_default().into_raw())
        .collect();
    let argc = args.len() as c_int;
    args.push(core::ptr::null_mut());
    // SAFETY: a NULL-terminated vector of C strings that live as long as the process.
    let status = unsafe { Py_BytesMain(argc, args.as_mut_ptr()) };
    std::process::exit(status);
}
