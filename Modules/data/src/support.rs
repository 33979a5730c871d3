//! What these modules share.

use taipan_abi::*;

/// A new instance of `tp`, zeroed (and tracked, if its type is collected).
///
/// # Safety
/// `tp` is a ready type whose instances start as `T` does.
pub unsafe fn new<T>(tp: *mut PyTypeObject) -> PyResult<Owned<T>> {
    // SAFETY: [ARGS] tp_alloc is inherited by every subclass.
    unsafe {
        let alloc = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc);
        Owned::from_owned_or_err(alloc(tp, 0)).map(|o| o.cast())
    }
}

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

/// Takes over a new reference, NULL being an exception.
///
/// # Safety
/// As [`Owned::from_owned_or_err`].
#[inline(always)]
pub unsafe fn take(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(op) }
}

/// A bytes object.
#[inline]
pub fn bytes(s: &[u8]) -> PyResult<Owned> {
    taipan_objects::bytesobject::from_slice(s)
}

/// A str object.
pub fn text(s: &str) -> PyResult<Owned> {
    // SAFETY: [GIL] UTF-8.
    unsafe { take(PyUnicode_FromStringAndSize(s.as_ptr().cast(), s.len() as Py_ssize_t)) }
}

/// An int.
#[inline]
pub fn int(n: i64) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { take(PyLong_FromLongLong(n)) }
}

/// `None`.
#[inline]
pub fn none() -> Owned {
    // SAFETY: [IMMORTAL]
    unsafe { Owned::from_borrowed(Py_None()) }
}

/// A tuple of owned items.
pub fn tuple<const N: usize>(items: [Owned; N]) -> PyResult<Owned> {
    let raw = items.map(Owned::into_raw);
    // SAFETY: [OWN] the references are given away.
    unsafe { take(_PyTuple_FromArraySteal(raw.as_ptr(), N as Py_ssize_t)) }
}

/// MemoryError.
#[cold]
pub fn no_memory() -> Raised {
    // SAFETY: [EXC]
    unsafe {
        PyErr_NoMemory();
        Raised::assume()
    }
}

/// The next item of an iterator; `None` at its end.
///
/// # Safety
/// `it` is a live iterator.
#[inline]
pub unsafe fn next(it: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let item = PyIter_Next(it);
        if item.is_null() {
            return if err_occurred() { Err(Raised::assume()) } else { Ok(None) };
        }
        Ok(Some(Owned::from_owned(item)))
    }
}

/// An optional attribute.
///
/// # Safety
/// Both are live.
pub unsafe fn optional_attr(op: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let mut value = core::ptr::null_mut();
        check_status(PyObject_GetOptionalAttr(op, name, &mut value))?;
        Ok(Owned::from_owned_or_opt(value))
    }
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

/// `errno`-free run of `f` without the GIL.
pub fn without_gil<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: [GIL] held on entry, and again on return; `f` touches no object.
    unsafe {
        let ts = PyEval_SaveThread();
        let r = f();
        PyEval_RestoreThread(ts);
        r
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
