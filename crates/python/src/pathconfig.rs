//! Where the library is, by the functions of an embedding program that have been deprecated in favour of `PyConfig`.

use crate::initconfig::{Bytes, Config};
use crate::pystate::main_interp;
use core::ptr::{null, null_mut};
use std::sync::{Mutex, PoisonError};
use taipan_abi::*;

/// What was set before initialisation.
struct Given {
    program_name: Option<Bytes>,
    home: Option<Bytes>,
    search_path: Option<Bytes>,
}
static GIVEN: Mutex<Given> = Mutex::new(Given { program_name: None, home: None, search_path: None });

fn given() -> std::sync::MutexGuard<'static, Given> {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A wide text in the locale's encoding; None for NULL and for the empty text.
unsafe fn encoded(text: *const libc::wchar_t) -> Option<Bytes> {
    // SAFETY: [ARGS] NUL-terminated.
    unsafe {
        if text.is_null() || *text == 0 {
            return None;
        }
        let p = crate::fileutils::_Py_EncodeLocaleRaw(text, null_mut());
        if p.is_null() {
            fatal("can't encode a path given by the embedding program");
        }
        let bytes = core::ffi::CStr::from_ptr(p).to_bytes().to_vec();
        PyMem_RawFree(p.cast());
        Some(bytes)
    }
}

/// The name under which the program runs, before initialisation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_SetProgramName(name: *const libc::wchar_t) {
    // SAFETY: [ARGS]
    if let Some(name) = unsafe { encoded(name) } {
        given().program_name = Some(name);
    }
}

/// The place of the library, before initialisation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_SetPythonHome(home: *const libc::wchar_t) {
    // SAFETY: [ARGS]
    given().home = unsafe { encoded(home) };
}

/// The module search path, before initialisation; nothing else is computed then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_SetPath(path: *const libc::wchar_t) {
    // SAFETY: [ARGS]
    given().search_path = unsafe { encoded(path) };
}

/// Forgets what was set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyPathConfig_ClearGlobal() {
    *given() = Given { program_name: None, home: None, search_path: None };
}

/// The home that was set, for the computation of paths.
pub fn given_home() -> Option<Bytes> {
    given().home.clone()
}

/// The program's name that was set.
pub fn given_program_name() -> Option<Bytes> {
    given().program_name.clone()
}

/// Applies a search path that was set.
pub fn apply(config: &mut Config) {
    if let Some(path) = &given().search_path {
        config.module_search_paths = path.split(|&b| b == b':').map(<[u8]>::to_vec).collect();
        config.prefix.clear();
        config.exec_prefix.clear();
    }
}

/// The module search path that was computed at the start, joined by colons.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetPath() -> *const libc::wchar_t {
    crate::pylifecycle::wide_of(|c| c.module_search_paths.join(&b':'))
}

/// The home that was set or is in the environment; NULL without.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetPythonHome() -> *const libc::wchar_t {
    let ip = main_interp();
    // SAFETY: the configuration lives as long as the process.
    if ip.is_null() || unsafe { (*ip).config.home.is_none() } {
        return null();
    }
    crate::pylifecycle::wide_of(|c| c.home.clone().unwrap_or_default())
}
