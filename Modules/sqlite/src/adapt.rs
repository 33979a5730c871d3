//! Adaption of objects to what SQLite stores (PEP 246).

use crate::state::*;
use core::ffi::{c_int, c_void};
use taipan_abi::*;

/// Calls an adapter; `None` when it says that it can't.
unsafe fn ask(adapter: Owned, arg: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        match Owned::from_owned_or_err(PyObject_CallOneArg(adapter.as_ptr(), arg)) {
            Ok(adapted) if adapted.as_ptr() == Py_None() => Ok(None),
            Ok(adapted) => Ok(Some(adapted)),
            Err(e) if PyErr_ExceptionMatches(PyExc_TypeError) != 0 => {
                e.clear();
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}
unsafe fn optional(op: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    let mut found = core::ptr::null_mut();
    // SAFETY: [OWN] a new reference, or NULL.
    unsafe {
        check_status(PyObject_GetOptionalAttr(op, name, &mut found))?;
        Ok(Owned::from_owned_or_opt(found))
    }
}

/// Adapts an object to a protocol: by a registered adapter, by the protocol itself, by the object itself; or `alt`.
///
/// # Safety
/// All are live.
pub unsafe fn adapt(state: S, obj: Borrowed<'_>, proto: Borrowed<'_>, alt: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let key = taipan_clinic::support::tuple_of(&[(*obj.ob()).ob_type.cast(), proto.ob()])?;
        let mut adapter = core::ptr::null_mut();
        check_status(PyDict_GetItemRef((*state).adapters, key.as_ptr(), &mut adapter))?;
        if let Some(adapter) = Owned::from_owned_or_opt(adapter) {
            return Owned::from_owned_or_err(PyObject_CallOneArg(adapter.as_ptr(), obj.ob()));
        }
        if let Some(adapter) = optional(proto.ob(), intern!("__adapt__"))?
            && let Some(adapted) = ask(adapter, obj.ob())?
        {
            return Ok(adapted);
        }
        if let Some(adapter) = optional(obj.ob(), intern!("__conform__"))?
            && let Some(adapted) = ask(adapter, proto.ob())?
        {
            return Ok(adapted);
        }
        alt.map(|a| a.to_owned()).ok_or_else(|| error((*state).ProgrammingError, "can't adapt"))
    }
}

// ---- PrepareProtocol: what values are adapted to

unsafe extern "C" fn init(_: *mut PyObject, _: *mut PyObject, _: *mut PyObject) -> c_int {
    0
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit_all(slf, &[], visit, arg) }
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        free_instance(slf);
    }
}

/// Makes the type.
pub fn make(module: Borrowed<'_>) -> PyResult<*mut PyTypeObject> {
    // SAFETY: [LAYOUT]
    unsafe {
        let slots = [
            (Py_tp_dealloc, dealloc as *mut c_void),
            (Py_tp_init, init as *mut c_void),
            (Py_tp_traverse, traverse as *mut c_void),
            (Py_tp_doc, c"The protocol that values for SQLite are adapted to.".as_ptr().cast_mut().cast()),
        ];
        make_type(module, c"sqlite3.PrepareProtocol", size_of::<PyObject>(), 0, &slots)
    }
}
