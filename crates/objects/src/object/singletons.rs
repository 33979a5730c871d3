//! `None` and `NotImplemented`. (`Ellipsis` lives with slices.)

use crate::typeobject::TYPE_INIT;
use core::ffi::c_int;
use taipan_abi::*;
use taipan_clinic::methods;

/// All number slots absent.
// SAFETY: absent functions are NULL.
const NUMBER_INIT: PyNumberMethods = unsafe { core::mem::zeroed() };

unsafe extern "C" fn none_repr(_: *mut PyObject) -> *mut PyObject {
    intern!("None")
}

unsafe extern "C" fn none_bool(_: *mut PyObject) -> c_int {
    0
}

/// A fixed number, so that hashes of None don't differ between runs.
unsafe extern "C" fn none_hash(_: *mut PyObject) -> Py_hash_t {
    0xFCA8_6420
}

/// Somebody released a reference too many: the singleton is immortal again.
unsafe extern "C" fn singleton_dealloc(op: *mut PyObject) {
    // SAFETY: op is a static.
    unsafe { set_immortal(op) }
}

unsafe fn no_arguments(args: *mut PyObject, kwargs: *mut PyObject, tp: &str) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_Size(args) > 0 || (!kwargs.is_null() && PyDict_Size(kwargs) > 0) {
            bail!(PyExc_TypeError, "{tp} takes no arguments");
        }
        Ok(())
    }
}

unsafe extern "C" fn none_new(_: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match no_arguments(args, kwargs, "NoneType") {
            Ok(()) => Py_None(),
            Err(_) => core::ptr::null_mut(),
        }
    }
}

/// Object's comparison under an address of its own: `NoneType` shows `__eq__` and the others as its own methods.
unsafe extern "C" fn none_richcompare(op: *mut PyObject, other: *mut PyObject, opid: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { crate::typeobject::base::object_richcompare(op, other, opid) }
}

static mut NONE_AS_NUMBER: PyNumberMethods = PyNumberMethods { nb_bool: Some(none_bool), ..NUMBER_INIT };

/// `NoneType`.
#[unsafe(no_mangle)]
pub static mut _PyNone_Type: PyTypeObject = PyTypeObject {
    tp_name: c"NoneType".as_ptr(),
    tp_basicsize: size_of::<PyObject>() as Py_ssize_t,
    tp_dealloc: Some(singleton_dealloc),
    tp_repr: Some(none_repr),
    tp_as_number: &raw mut NONE_AS_NUMBER,
    tp_hash: Some(none_hash),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"NoneType()\n--\n\nThe type of None.".as_ptr(),
    tp_richcompare: Some(none_richcompare),
    tp_new: Some(none_new),
    ..TYPE_INIT
};

/// `None`.
#[unsafe(no_mangle)]
pub static mut _Py_NoneStruct: PyObject = immortal_head(&raw mut _PyNone_Type);

unsafe extern "C" fn notimplemented_repr(_: *mut PyObject) -> *mut PyObject {
    intern!("NotImplemented")
}

fn notimplemented_reduce(_: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: interned for ever.
    Ok(unsafe { Owned::from_borrowed(intern!("NotImplemented")) })
}

unsafe extern "C" fn notimplemented_bool(_: *mut PyObject) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        if PyErr_WarnEx(PyExc_DeprecationWarning, c"NotImplemented should not be used in a boolean context".as_ptr(), 1) < 0 {
            return -1;
        }
    }
    1
}

unsafe extern "C" fn notimplemented_new(_: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match no_arguments(args, kwargs, "NotImplementedType") {
            Ok(()) => Py_NotImplemented(),
            Err(_) => core::ptr::null_mut(),
        }
    }
}

methods! {
    static NOTIMPLEMENTED_METHODS = [
        "__reduce__($self, /)" => notimplemented_reduce, "Pickle by name.";
    ];
}

static mut NOTIMPLEMENTED_AS_NUMBER: PyNumberMethods = PyNumberMethods { nb_bool: Some(notimplemented_bool), ..NUMBER_INIT };

/// `NotImplementedType`.
#[unsafe(no_mangle)]
pub static mut _PyNotImplemented_Type: PyTypeObject = PyTypeObject {
    tp_name: c"NotImplementedType".as_ptr(),
    tp_basicsize: size_of::<PyObject>() as Py_ssize_t,
    tp_dealloc: Some(singleton_dealloc),
    tp_repr: Some(notimplemented_repr),
    tp_as_number: &raw mut NOTIMPLEMENTED_AS_NUMBER,
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"NotImplementedType()\n--\n\nThe type of NotImplemented.".as_ptr(),
    tp_methods: (&raw mut NOTIMPLEMENTED_METHODS).cast(),
    tp_new: Some(notimplemented_new),
    ..TYPE_INIT
};

/// `NotImplemented`.
#[unsafe(no_mangle)]
pub static mut _Py_NotImplementedStruct: PyObject = immortal_head(&raw mut _PyNotImplemented_Type);
