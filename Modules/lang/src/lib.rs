//! Native modules about the language itself: trees, tokens, symbol tables, instructions, type parameters.
//!
//! Must not know: other modules of `Modules/`.

pub mod asdl;
pub mod ast;
pub mod opcode;
pub mod suggestions;
pub mod symtable;
pub mod sysconfig;
pub mod tokenize;
pub mod typing;

use taipan_abi::*;

/// Takes over `ptr`; NULL means that an exception is set.
///
/// # Safety
/// `ptr` is NULL with an exception set, or a reference that the caller gives away.
#[inline(always)]
pub(crate) unsafe fn own(ptr: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(ptr) }
}

/// A new `str`.
pub(crate) fn new_str(text: &str) -> PyResult<Owned> {
    // SAFETY: [GIL] a Rust str is UTF-8.
    unsafe { own(PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t)) }
}

/// A new `int`.
pub(crate) fn new_int(value: i64) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyLong_FromLongLong(value)) }
}

/// A tuple of owned items.
pub(crate) fn tuple(items: Vec<Owned>) -> PyResult<Owned> {
    let raw: Vec<*mut PyObject> = items.into_iter().map(Owned::into_raw).collect();
    // SAFETY: [OWN] the references are given away.
    unsafe { own(_PyTuple_FromArraySteal(raw.as_ptr(), raw.len() as Py_ssize_t)) }
}

/// A list of owned items.
pub(crate) fn list(items: Vec<Owned>) -> PyResult<Owned> {
    let raw: Vec<*mut PyObject> = items.into_iter().map(Owned::into_raw).collect();
    // SAFETY: [OWN] the references are given away.
    unsafe { own(_PyList_FromArraySteal(raw.as_ptr(), raw.len() as Py_ssize_t)) }
}

/// The part of a type's name after its last dot (`_PyType_Name`).
///
/// # Safety
/// `tp` is live.
pub(crate) unsafe fn short_name(tp: *mut PyTypeObject) -> String {
    // SAFETY: [ARGS]
    let name = unsafe { core::ffi::CStr::from_ptr((*tp).tp_name) }.to_string_lossy().into_owned();
    name.rsplit('.').next().unwrap_or_default().to_string()
}
