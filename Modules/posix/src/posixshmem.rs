//! The module `_posixshmem`: shared memory for multiprocessing.

use crate::path::{CInt, CIntOr};
use crate::support::*;
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::{Str, methods, module};

/// A name for the system.
fn c_name(path: Str<'_>) -> PyResult<CString> {
    // SAFETY: [TYPE] a str.
    let t = unsafe { text(path.ob())? };
    CString::new(t).map_err(|_| raise!(PyExc_ValueError, "embedded null character"))
}

fn shm_open(_: (), path: Str<'_>, flags: CInt, mode: CIntOr<511>) -> PyResult<i32> {
    let name = c_name(path)?;
    // SAFETY: NUL-terminated.
    let fd = retry(|| unsafe { libc::shm_open(name.as_ptr(), flags.0, mode.0 as libc::mode_t) })?;
    // SAFETY: live.
    if fd < 0 { Err(unsafe { posix_error_with(path.ob()) }) } else { Ok(fd) }
}

fn shm_unlink(_: (), path: Str<'_>) -> PyResult<()> {
    let name = c_name(path)?;
    // SAFETY: NUL-terminated; live.
    if retry(|| unsafe { libc::shm_unlink(name.as_ptr()) })? < 0 { Err(unsafe { posix_error_with(path.ob()) }) } else { Ok(()) }
}

methods! {
    static METHODS = [
        "shm_open($module, /, path, flags, mode=511)" => shm_open, "Open shared memory; returns its descriptor.";
        "shm_unlink($module, /, path)" => shm_unlink, "Remove shared memory.";
    ];
}

fn exec(_module: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}

module! {
    /// Entry point of `_posixshmem`.
    pub fn PyInit__posixshmem = "_posixshmem", "POSIX shared memory.", methods: METHODS, exec: exec;
}
