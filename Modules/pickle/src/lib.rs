//! The `_pickle` module: pickling and unpickling, protocols 0 to 5.
//!
//! Must not know: other modules of `Modules/`.

mod load;
mod memo;
pub mod module;
mod opcode;
mod output;
mod pickler;
mod save;
mod state;
mod unpickler;

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

/// `getattr(op, name)`, `None` where there is no such attribute.
///
/// # Safety
/// Both are live.
pub(crate) unsafe fn getattr_opt(op: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    let mut value = core::ptr::null_mut();
    // SAFETY: [ARGS]
    unsafe {
        check_status(PyObject_GetOptionalAttr(op, name, &mut value))?;
        Ok(Owned::from_owned_or_opt(value))
    }
}

/// Calls with one argument.
///
/// # Safety
/// Both are live.
pub(crate) unsafe fn call1(f: *mut PyObject, arg: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyObject_CallOneArg(f, arg)) }
}

/// A tuple of owned items.
pub(crate) fn tuple(items: Vec<Owned>) -> PyResult<Owned> {
    let raw: Vec<*mut PyObject> = items.into_iter().map(Owned::into_raw).collect();
    // SAFETY: [OWN] the references are given away.
    unsafe { own(_PyTuple_FromArraySteal(raw.as_ptr(), raw.len() as Py_ssize_t)) }
}

/// A new reference.
///
/// # Safety
/// `op` is live.
pub(crate) unsafe fn hold(op: *mut PyObject) -> Owned {
    // SAFETY: [ARGS]
    unsafe { Owned::from_borrowed(op) }
}

/// Raises a class that is no static one.
pub(crate) fn raise_class(class: *mut PyObject, msg: &str) -> Raised {
    // SAFETY: [GIL] class is an exception class.
    unsafe { error::raise_str(class, msg) }
}

/// The bytes of a `bytes` object.
///
/// # Safety
/// `op` is a bytes object that outlives the result.
pub(crate) unsafe fn bytes_of<'a>(op: *mut PyObject) -> &'a [u8] {
    // SAFETY: [TYPE]
    unsafe { core::slice::from_raw_parts(PyBytes_AsString(op).cast(), PyBytes_Size(op) as usize) }
}
