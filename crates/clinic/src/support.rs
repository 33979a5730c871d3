//! Small helpers that native modules share: making values, calling, auditing, system errors.

use core::ffi::{CStr, c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;

unsafe extern "C" {
    fn PySys_AuditTuple(event: *const c_char, args: *mut PyObject) -> c_int;
}

/// An int.
pub fn int(n: i64) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyLong_FromLongLong(n)) }
}

/// A float.
pub fn float(x: f64) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyFloat_FromDouble(x)) }
}

/// A str from UTF-8.
pub fn string(text: &str) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t)) }
}

/// A bytes object.
pub fn bytes(data: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyBytes_FromStringAndSize(data.as_ptr().cast(), data.len() as Py_ssize_t)) }
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

/// A new tuple of lent items.
///
/// # Safety
/// All are live.
pub unsafe fn tuple_of(items: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(_PyTuple_FromArray(items.as_ptr(), items.len() as Py_ssize_t)) }
}

/// A tuple that takes over its items.
pub fn tuple(items: Vec<Owned>) -> PyResult<Owned> {
    let raw: Vec<*mut PyObject> = items.into_iter().map(Owned::into_raw).collect();
    // SAFETY: [OWN] the references are given away.
    unsafe { Owned::from_owned_or_err(_PyTuple_FromArraySteal(raw.as_ptr(), raw.len() as Py_ssize_t)) }
}

/// Tells the audit hooks.
///
/// # Safety
/// All arguments are live.
pub unsafe fn audit(event: &CStr, args: &[*mut PyObject]) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let args = tuple_of(args)?;
        check_status(PySys_AuditTuple(event.as_ptr(), args.as_ptr()))
    }
}

/// Runs `f` without the GIL.
pub fn without_gil<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: [GIL] held on entry; `f` uses no Python object.
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

/// Sets the error number.
pub fn set_errno(e: i32) {
    // SAFETY: always valid.
    unsafe { *libc::__errno_location() = e }
}

/// OSError from the last system call.
pub fn os_error() -> Raised {
    // SAFETY: [GIL]
    unsafe {
        PyErr_SetFromErrno(PyExc_OSError);
        Raised::assume()
    }
}

/// OSError of an error number.
pub fn os_error_of(e: i32) -> Raised {
    set_errno(e);
    os_error()
}

/// A new instance of `tp`, zeroed.
pub fn new<T>(tp: *mut PyTypeObject) -> PyResult<Owned<T>> {
    // SAFETY: [ARGS] tp_alloc is inherited by every subclass.
    unsafe {
        let alloc = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc);
        Owned::from_owned_or_err(alloc(tp, 0)).map(|o| o.cast())
    }
}

/// Calls a function without arguments.
///
/// # Safety
/// `f` is live.
pub unsafe fn call0(f: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyObject_CallNoArgs(f)) }
}

/// Calls a function.
///
/// # Safety
/// All are live.
pub unsafe fn call(f: *mut PyObject, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyObject_Vectorcall(f, args.as_ptr(), args.len(), null_mut())) }
}
