//! What these modules share.

use taipan_abi::*;
pub use taipan_clinic::support::{int, new, next, no_memory, none, optional_attr, own as take, string as text, tuple, without_gil};

/// Frees an instance through its type.
///
/// # Safety
/// `slf` is dead; nothing that it owned is left.
pub unsafe fn free(slf: *mut PyObject) {
    // SAFETY: [OWN] a heap type (of a subclass) is counted by its instances.
    unsafe {
        let tp = type_of(slf);
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
    }
}

/// A bytes object.
#[inline]
pub fn bytes(s: &[u8]) -> PyResult<Owned> {
    taipan_objects::bytesobject::from_slice(s)
}

/// The part of a type's name after its last dot (`_PyType_Name`).
///
/// # Safety
/// `tp` is live.
pub unsafe fn short_name(tp: *mut PyTypeObject) -> String {
    // SAFETY: [ARGS] NUL-terminated.
    unsafe {
        let name = core::ffi::CStr::from_ptr((*tp).tp_name).to_string_lossy();
        name.rsplit('.').next().unwrap_or_default().to_owned()
    }
}

/// What PyArg_Parse's `w*` without a function's name does: a writable view.
///
/// # Safety
/// `op` is live.
pub unsafe fn writable(op: *mut PyObject) -> PyResult<taipan_clinic::BufferView> {
    // SAFETY: [ARGS]
    unsafe {
        match taipan_clinic::BufferView::get_writable(op) {
            Ok(v) => Ok(v),
            Err(e) => {
                e.clear();
                let got = if op == Py_None() { "None".into() } else { type_name(op) };
                bail!(PyExc_TypeError, "argument must be read-write bytes-like object, not {}", got)
            }
        }
    }
}
