//! Small helpers of the `_io` module.

use core::ptr::null_mut;
use taipan_abi::*;

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

/// `obj.name`.
///
/// # Safety
/// Both are live.
pub unsafe fn attr(obj: *mut PyObject, name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyObject_GetAttr(obj, name)) }
}

/// `obj.name`, `None` if there is no such attribute.
///
/// # Safety
/// Both are live.
pub unsafe fn optional_attr(obj: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let mut found = null_mut();
        check_status(PyObject_GetOptionalAttr(obj, name, &mut found))?;
        Ok(Owned::from_owned_or_opt(found))
    }
}

/// Truth of an object.
///
/// # Safety
/// `op` is live.
pub unsafe fn truth(op: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    let r = unsafe { PyObject_IsTrue(op) };
    check_status(r)?;
    Ok(r > 0)
}

/// An int.
pub fn int(n: i64) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyLong_FromLongLong(n)) }
}

/// A bytes object.
pub fn bytes(data: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyBytes_FromStringAndSize(data.as_ptr().cast(), data.len() as Py_ssize_t)) }
}

/// A str from UTF-8.
pub fn string(text: &str) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t)) }
}

/// `None`.
pub fn none() -> Owned {
    // SAFETY: [IMMORTAL]
    unsafe { Owned::from_borrowed(Py_None()) }
}

/// A bool.
pub fn boolean(yes: bool) -> Owned {
    // SAFETY: [IMMORTAL]
    unsafe { Owned::from_borrowed(if yes { Py_True() } else { Py_False() }) }
}

/// The contents of a bytes object, lent.
///
/// # Safety
/// `op` is a bytes object that outlives the result.
pub unsafe fn bytes_slice<'a>(op: *mut PyObject) -> &'a [u8] {
    // SAFETY: [TYPE]
    unsafe { core::slice::from_raw_parts(PyBytes_AsString(op).cast(), PyBytes_Size(op) as usize) }
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

/// Runs `f` without the GIL.
pub fn without_gil<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: [GIL] held on entry; f touches no object.
    unsafe {
        let ts = PyEval_SaveThread();
        let r = f();
        PyEval_RestoreThread(ts);
        r
    }
}

/// The error number of the last system call.
pub fn errno() -> i32 {
    // SAFETY: always valid.
    unsafe { *libc::__errno_location() }
}

/// OSError from the last system call.
pub fn os_error() -> Raised {
    // SAFETY: [GIL]
    unsafe {
        PyErr_SetFromErrno(PyExc_OSError);
        Raised::assume()
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
