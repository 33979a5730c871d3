//! The perf map: a file that tells Linux's `perf` the names of machine code that others than the linker made.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

static MAP: Mutex<Option<File>> = Mutex::new(None);

fn map() -> MutexGuard<'static, Option<File>> {
    MAP.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(map: &mut Option<File>) -> std::io::Result<&mut File> {
    if map.is_none() {
        let path = format!("/tmp/perf-{}.map", std::process::id());
        let file = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)?;
        *map = Some(file);
    }
    map.as_mut().ok_or_else(|| std::io::ErrorKind::NotFound.into())
}

/// Opens the map; -1 with errno set when that fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_PerfMapState_Init() -> c_int {
    if open(&mut map()).is_ok() { 0 } else { -1 }
}

/// Adds a line for `size` bytes of code; -1 when it can't be opened, -2 when it can't be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_WritePerfMapEntry(addr: *const c_void, size: c_uint, name: *const c_char) -> c_int {
    // SAFETY: [ARGS] a C string.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    let mut map = map();
    let Ok(file) = open(&mut map) else { return -1 };
    if file.write_all(format!("{:x} {size:x} {name}\n", addr as usize).as_bytes()).is_ok() { 0 } else { -2 }
}

/// Closes the map.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_PerfMapState_Fini() {
    *map() = None;
}

/// Adds a copy of another process's map to ours; 0 on success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_CopyPerfMapFile(parent: *const c_char) -> c_int {
    use std::os::unix::ffi::OsStrExt;
    // SAFETY: [ARGS] a C string.
    let path = std::ffi::OsStr::from_bytes(unsafe { CStr::from_ptr(parent) }.to_bytes());
    let Ok(mut from) = File::open(path) else { return -1 };
    let mut text = Vec::new();
    if from.read_to_end(&mut text).is_err() {
        return -1;
    }
    if open(&mut map()).and_then(|f| f.write_all(&text)).is_ok() { 0 } else { -1 }
}

static PERSIST: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(0);

/// Gives a code object machine code for `perf` to see, if the trampoline is on. Taipan has none: there is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_PerfTrampoline_CompileCode(_code: *mut taipan_abi::PyObject) -> c_int {
    0
}

/// Whether the trampoline stays on after a fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_PerfTrampoline_SetPersistAfterFork(enable: c_int) -> c_int {
    PERSIST.store(enable, std::sync::atomic::Ordering::Relaxed);
    enable
}

// The trampoline's code:
// skipped _Py_trampoline_func_start
// skipped _Py_trampoline_func_end
