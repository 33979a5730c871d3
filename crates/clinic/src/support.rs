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

/// Owned items side by side, to be given away: an array or a vector of them.
pub trait Items {
    /// Calls `f` with the references, which it takes over.
    fn give(self, f: impl FnOnce(*const *mut PyObject, Py_ssize_t) -> *mut PyObject) -> *mut PyObject;
}
impl<const N: usize> Items for [Owned; N] {
    fn give(self, f: impl FnOnce(*const *mut PyObject, Py_ssize_t) -> *mut PyObject) -> *mut PyObject {
        let raw = self.map(Owned::into_raw);
        f(raw.as_ptr(), N as Py_ssize_t)
    }
}
impl Items for Vec<Owned> {
    fn give(mut self, f: impl FnOnce(*const *mut PyObject, Py_ssize_t) -> *mut PyObject) -> *mut PyObject {
        let n = self.len();
        // SAFETY: [OWN] the items are forgotten, not dropped; an `Owned` is a pointer.
        unsafe { self.set_len(0) };
        f(self.as_ptr().cast(), n as Py_ssize_t)
    }
}

/// A tuple that takes over its items.
pub fn tuple(items: impl Items) -> PyResult<Owned> {
    // SAFETY: [OWN] the references are given away.
    unsafe { Owned::from_owned_or_err(items.give(|p, n| _PyTuple_FromArraySteal(p, n))) }
}

/// A list that takes over its items.
pub fn list(items: impl Items) -> PyResult<Owned> {
    // SAFETY: [OWN] the references are given away.
    unsafe { Owned::from_owned_or_err(items.give(|p, n| _PyList_FromArraySteal(p, n))) }
}

/// A new reference that a C function returned.
///
/// # Safety
/// `op` is owned, or NULL with an exception set.
#[inline(always)]
pub unsafe fn own<T>(op: *mut T) -> PyResult<Owned<T>> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(op) }
}

/// Truth of an object.
///
/// # Safety
/// `op` is live.
#[inline]
pub unsafe fn truth(op: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        if op == Py_True() {
            return Ok(true);
        }
        if op == Py_False() {
            return Ok(false);
        }
        let r = PyObject_IsTrue(op);
        check_status(r)?;
        Ok(r > 0)
    }
}

/// The next item of an iterator through its slot; `None` at its end (StopIteration is cleared).
///
/// # Safety
/// `it` is live.
#[inline]
pub unsafe fn next(it: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(f) = (*type_of(it)).tp_iternext else { bail!(PyExc_TypeError, "'{}' object is not an iterator", type_name(it)) };
        let item = f(it);
        if item.is_null() {
            return end_of_iterator().map(|()| None);
        }
        Ok(Some(Owned::from_owned(item)))
    }
}

/// Clears StopIteration; any other exception is an error.
fn end_of_iterator() -> PyResult<()> {
    if !err_occurred() {
        return Ok(());
    }
    // SAFETY: [EXC]
    unsafe {
        let e = Raised::assume();
        if !e.matches(PyExc_StopIteration) {
            return Err(e);
        }
        e.clear();
        Ok(())
    }
}

/// `op.name`.
///
/// # Safety
/// Both are live.
pub unsafe fn getattr(op: *mut PyObject, name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyObject_GetAttr(op, name)) }
}

/// `op.name`, `None` if there is no such attribute.
///
/// # Safety
/// Both are live.
pub unsafe fn optional_attr(op: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let mut found = null_mut();
        check_status(PyObject_GetOptionalAttr(op, name, &mut found))?;
        Ok(Owned::from_owned_or_opt(found))
    }
}

/// The contents of a bytes object, lent.
///
/// # Safety
/// `op` is a bytes object that outlives the result.
pub unsafe fn bytes_slice<'a>(op: *mut PyObject) -> &'a [u8] {
    // SAFETY: [TYPE]
    unsafe { core::slice::from_raw_parts(PyBytes_AsString(op).cast(), PyBytes_Size(op) as usize) }
}

/// MemoryError.
#[cold]
pub fn no_memory() -> Raised {
    // SAFETY: [GIL]
    unsafe {
        PyErr_NoMemory();
        Raised::assume()
    }
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
