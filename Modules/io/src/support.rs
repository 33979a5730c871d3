//! Small helpers of the `_io` module.

use core::ptr::null_mut;
use taipan_abi::*;
pub use taipan_clinic::support::{
    boolean, bytes, bytes_slice, errno, getattr as attr, int, none, optional_attr, os_error, string, truth, without_gil,
};

/// Frees an instance of a heap type and releases the type.
///
/// # Safety
/// `slf` is being deallocated; nothing of it is used any more.
pub unsafe fn free_instance(slf: *mut PyObject) {
    // SAFETY: [OWN] the instance counted its type.
    unsafe {
        let tp = type_of(slf);
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
        Py_DECREF(tp.cast());
    }
}

/// `obj.name()`.
///
/// # Safety
/// Both are live.
pub unsafe fn call0(obj: *mut PyObject, name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyObject_CallMethodNoArgs(obj, name)) }
}

/// `obj.name(arg)`.
///
/// # Safety
/// All are live.
pub unsafe fn call1(obj: *mut PyObject, name: *mut PyObject, arg: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let args = [obj, arg];
        Owned::from_owned_or_err(PyObject_VectorcallMethod(name, args.as_ptr(), 2, null_mut()))
    }
}

/// `obj.name(a, b)`.
///
/// # Safety
/// All are live.
pub unsafe fn call2(obj: *mut PyObject, name: *mut PyObject, a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let args = [obj, a, b];
        Owned::from_owned_or_err(PyObject_VectorcallMethod(name, args.as_ptr(), 3, null_mut()))
    }
}

/// Integer argument of `read` and the like: `None` is -1.
///
/// # Safety
/// `op` is live.
pub unsafe fn size_or_none(op: Option<Borrowed<'_>>) -> PyResult<isize> {
    let Some(op) = op else { return Ok(-1) };
    if op.is_none() {
        return Ok(-1);
    }
    // SAFETY: [ARGS]
    unsafe {
        if PyIndex_Check(op.ob()) == 0 {
            bail!(PyExc_TypeError, "argument should be integer or None, not '{}'", type_name(op.ob()));
        }
        let n = PyNumber_AsSsize_t(op.ob(), PyExc_OverflowError);
        if n == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
    }
}

/// A file offset from an int.
///
/// # Safety
/// `op` is live.
pub unsafe fn offset(op: *mut PyObject) -> PyResult<i64> {
    // SAFETY: [ARGS]
    unsafe {
        let index = Owned::from_owned_or_err(PyNumber_Index(op))?;
        let n = PyLong_AsLongLong(index.as_ptr());
        if n == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
    }
}

/// The exception set is kept aside while `f` runs; if `f` raises too, the old one becomes its context.
///
/// # Safety
/// [GIL]
pub unsafe fn chained<R>(result: PyResult<R>, f: impl FnOnce() -> PyResult<()>) -> PyResult<R> {
    match result {
        Ok(r) => f().map(|()| r),
        Err(_) => {
            // SAFETY: [EXC]
            unsafe {
                let exc = PyErr_GetRaisedException();
                match f() {
                    Ok(()) => PyErr_SetRaisedException(exc),
                    Err(_) => _PyErr_ChainExceptions1(exc),
                }
                Err(Raised::assume())
            }
        }
    }
}
