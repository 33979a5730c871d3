//! `_PyRuntime`: what extensions built against CPython's internal headers read of the runtime's state, in the layout of
//! `pycore_runtime.h`: the small integers, static strings, and who the main interpreter is. The runtime's own state is in
//! the python crate.

#![allow(deprecated, reason = "the fields are part of the layout")]

use crate::longobject::{NSMALL, SMALL_INTS};
use core::ffi::c_void;
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Once;
use taipan_abi::*;

const CORE_INITIALIZED: usize = 596;
const INTERPRETERS: usize = 624;
const SMALL_INTS_AT: usize = 13840;
const BYTES_EMPTY: usize = 22224;
const STRINGS: usize = 34552;
const TUPLE_EMPTY: usize = 88296;
const SIZE: usize = 283376;

/// The part of `_PyRuntimeState` that holds true values; zeros lie between.
#[repr(C)]
pub struct RuntimeState {
    unused_0: [u8; CORE_INITIALIZED],
    core_initialized: i32,
    initialized: i32,
    unused_1: [u8; INTERPRETERS - CORE_INITIALIZED - 8],
    interpreters_mutex: usize,
    interpreters_head: *mut c_void,
    interpreters_main: *mut c_void,
    interpreters_next_id: i64,
    unused_2: [u8; SMALL_INTS_AT - INTERPRETERS - 32],
    /// The preallocated integers in order, from -5.
    pub small_ints: [PyLongObject; NSMALL],
    bytes: [u8; STRINGS - BYTES_EMPTY],
    strings: [u64; (TUPLE_EMPTY - STRINGS) / 8],
    tuple_empty: [usize; 4],
}
const _: () = assert!(core::mem::offset_of!(RuntimeState, small_ints) == SMALL_INTS_AT);
const _: () = assert!(core::mem::offset_of!(RuntimeState, tuple_empty) == TUPLE_EMPTY);
const _: () = assert!(size_of::<RuntimeState>() < SIZE);

/// See the module.
#[unsafe(no_mangle)]
pub static mut _PyRuntime: RuntimeState = RuntimeState {
    unused_0: [0; CORE_INITIALIZED],
    core_initialized: 0,
    initialized: 0,
    unused_1: [0; INTERPRETERS - CORE_INITIALIZED - 8],
    interpreters_mutex: 0,
    interpreters_head: null_mut(),
    interpreters_main: null_mut(),
    interpreters_next_id: 0,
    unused_2: [0; SMALL_INTS_AT - INTERPRETERS - 32],
    small_ints: SMALL_INTS,
    bytes: [0; STRINGS - BYTES_EMPTY],
    strings: [0; (TUPLE_EMPTY - STRINGS) / 8],
    tuple_empty: [0; 4],
};

/// Records the main interpreter.
///
/// # Safety
/// [GIL]; `main` is the interpreter's published state.
pub unsafe fn set_main_interpreter(main: *mut PyInterpreterState) {
    // SAFETY: [GIL]
    unsafe {
        _PyRuntime.core_initialized = 1;
        _PyRuntime.initialized = 1;
        _PyRuntime.interpreters_head = main.cast();
        _PyRuntime.interpreters_main = main.cast();
        _PyRuntime.interpreters_next_id = 1;
    }
}

/// Records the newest interpreter and the number that the next one gets.
///
/// # Safety
/// The caller guards the list of interpreters.
pub unsafe fn set_interpreters(head: *mut PyInterpreterState, next_id: i64) {
    // SAFETY: [ARGS]
    unsafe {
        _PyRuntime.interpreters_head = head.cast();
        _PyRuntime.interpreters_next_id = next_id;
    }
}

/// Whether the running thread runs the main interpreter, or none yet.
#[inline]
pub fn in_main_interpreter() -> bool {
    // SAFETY: [GIL] where there is a state.
    unsafe {
        let ts = current_tstate();
        ts.is_null() || (*ts).interp.cast() == _PyRuntime.interpreters_main
    }
}

/// The static strings in the order of `pycore_global_strings.h`: literals, then identifiers.
static NAMES: &str = include_str!("global_strings.txt");

/// Interns the static strings for ever, as CPython has them: with the first interpreter beside the main one it can be seen
/// that they are common to all. [GIL]
pub fn share_names() -> PyResult<()> {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Relaxed) {
        return Ok(());
    }
    for name in NAMES.lines() {
        // SAFETY: [GIL] a Rust str is UTF-8.
        unsafe {
            let mut op = Owned::from_owned_or_err(PyUnicode_FromStringAndSize(name.as_ptr().cast(), name.len() as Py_ssize_t))?.into_raw();
            crate::unicodeobject::intern::PyUnicode_InternImmortal(&mut op);
        }
    }
    Ok(())
}

/// Makes the static strings, bytes and the empty tuple of `_PyRuntime`. Only extensions read them, so that the first one
/// to be loaded pays. They equal the objects that the interpreter itself uses, without being the same.
pub fn fill_static_objects() {
    static DONE: Once = Once::new();
    // SAFETY: [GIL] the layout of PyASCIIObject, PyBytesObject and PyTupleObject, within the arrays.
    DONE.call_once(|| unsafe {
        let mut at = (&raw mut _PyRuntime.strings).cast::<u8>();
        let end = at.add(TUPLE_EMPTY - STRINGS);
        let mut put = |text: &[u8], ascii: bool| {
            let header = if ascii { size_of::<PyASCIIObject>() } else { size_of::<PyCompactUnicodeObject>() };
            let size = (header + text.len() + 1).next_multiple_of(8);
            debug_assert!(at.add(size) <= end);
            // Same header, length, hash and state as a str of this content that is made at run time.
            let model = Owned::from_owned_or_opt(PyUnicode_DecodeLatin1(text.as_ptr().cast(), text.len() as Py_ssize_t, null()));
            let Some(model) = model else {
                PyErr_Clear();
                return;
            };
            core::ptr::copy_nonoverlapping(model.as_ptr().cast::<u8>(), at, header);
            core::ptr::copy_nonoverlapping(text.as_ptr(), at.add(header), text.len());
            let op = at.cast::<PyObject>();
            if !ascii {
                // A cached UTF-8 form belongs to the model.
                let op = op.cast::<PyCompactUnicodeObject>();
                (*op).utf8 = null_mut();
                (*op).utf8_length = 0;
            }
            set_immortal(op);
            at = at.add(size);
        };
        for name in NAMES.lines() {
            put(name.as_bytes(), true);
        }
        for c in 0..128u8 {
            put(&[c], true);
        }
        for c in 128..=255u8 {
            put(&[c], false);
        }
        let mut bytes = (&raw mut _PyRuntime.bytes).cast::<u8>();
        let head = size_of::<PyVarObject>() + 8;
        let empty = PyBytes_FromStringAndSize(null(), 0);
        if !empty.is_null() {
            core::ptr::copy_nonoverlapping(empty.cast::<u8>(), bytes, head);
            (*bytes.cast::<PyBytesObject>()).ob_shash = -1;
            set_immortal(bytes.cast());
            bytes = bytes.add(40);
            for c in 0..=255u8 {
                core::ptr::copy_nonoverlapping(empty.cast::<u8>(), bytes, head);
                (*bytes.cast::<PyVarObject>()).ob_size = 1;
                (*bytes.cast::<PyBytesObject>()).ob_shash = -1;
                *bytes.add(head) = c;
                set_immortal(bytes.cast());
                bytes = bytes.add(48);
            }
        }
        let tuple = PyTuple_New(0);
        if !tuple.is_null() {
            core::ptr::copy_nonoverlapping(tuple.cast::<u8>(), (&raw mut _PyRuntime.tuple_empty).cast::<u8>(), size_of::<PyVarObject>());
            set_immortal((&raw mut _PyRuntime.tuple_empty).cast());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Literals, identifiers, 128 ASCII and 128 Latin-1 characters fill their place exactly.
    #[test]
    fn strings_fill_their_place() {
        let size = |n: usize| (size_of::<PyASCIIObject>() + n + 1).next_multiple_of(8);
        let names: usize = NAMES.lines().map(|l| size(l.len())).sum();
        assert_eq!(STRINGS + names, 73944);
        assert_eq!(73944 + 128 * size(1) + 128 * (size_of::<PyCompactUnicodeObject>() + 8), TUPLE_EMPTY - 16);
    }
}
