//! Entries of method and attribute tables, for functions that already have C's calling convention.

use core::ffi::{CStr, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

/// A METH_NOARGS method.
pub const fn noargs(name: &'static CStr, f: PyCFunction, doc: &'static CStr) -> PyMethodDef {
    PyMethodDef { ml_name: name.as_ptr(), ml_meth: PyMethodDefPointer { PyCFunction: f }, ml_flags: METH_NOARGS, ml_doc: doc.as_ptr() }
}

/// A METH_O method.
pub const fn one(name: &'static CStr, f: PyCFunction, doc: &'static CStr) -> PyMethodDef {
    PyMethodDef { ml_name: name.as_ptr(), ml_meth: PyMethodDefPointer { PyCFunction: f }, ml_flags: METH_O, ml_doc: doc.as_ptr() }
}

/// A METH_FASTCALL method.
pub const fn fast(name: &'static CStr, f: PyCFunctionFast, doc: &'static CStr) -> PyMethodDef {
    PyMethodDef { ml_name: name.as_ptr(), ml_meth: PyMethodDefPointer { PyCFunctionFast: f }, ml_flags: METH_FASTCALL, ml_doc: doc.as_ptr() }
}

/// A METH_FASTCALL | METH_KEYWORDS method.
pub const fn fast_keywords(name: &'static CStr, f: PyCFunctionFastWithKeywords, doc: &'static CStr) -> PyMethodDef {
    PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: PyMethodDefPointer { PyCFunctionFastWithKeywords: f },
        ml_flags: METH_FASTCALL | METH_KEYWORDS,
        ml_doc: doc.as_ptr(),
    }
}

/// `__class_getitem__`, which makes a generic alias.
pub const CLASS_GETITEM: PyMethodDef = PyMethodDef {
    ml_name: c"__class_getitem__".as_ptr(),
    ml_meth: PyMethodDefPointer { PyCFunction: Py_GenericAlias },
    ml_flags: METH_O | METH_CLASS,
    ml_doc: c"See PEP 585".as_ptr(),
};

/// The end of a method table.
pub const END: PyMethodDef = PyMethodDef::zeroed();

/// An attribute with a getter and perhaps a setter.
pub const fn attr(name: &'static CStr, get: getter, set: Option<setter>, doc: &'static CStr) -> PyGetSetDef {
    PyGetSetDef { name: name.as_ptr(), get: Some(get), set, doc: doc.as_ptr(), closure: null_mut() }
}

/// The end of an attribute table.
pub const END_ATTR: PyGetSetDef = PyGetSetDef { name: core::ptr::null(), get: None, set: None, doc: core::ptr::null(), closure: null_mut() };

/// A member: a field read as `kind`.
pub const fn member(name: &'static CStr, kind: c_int, offset: usize, doc: &'static CStr) -> PyMemberDef {
    PyMemberDef { name: name.as_ptr(), type_code: kind, offset: offset as Py_ssize_t, flags: Py_READONLY, doc: doc.as_ptr() }
}

/// The end of a member table.
pub const END_MEMBER: PyMemberDef = PyMemberDef { name: core::ptr::null(), type_code: 0, offset: 0, flags: 0, doc: core::ptr::null() };

/// A table that C reads.
#[repr(transparent)]
pub struct Table<T, const N: usize>(pub core::cell::UnsafeCell<[T; N]>);

// SAFETY: [GIL] tables are read, and their types readied, with the GIL held.
unsafe impl<T, const N: usize> Sync for Table<T, N> {}

impl<T, const N: usize> Table<T, N> {
    /// Wraps the rows.
    pub const fn new(rows: [T; N]) -> Self {
        Self(core::cell::UnsafeCell::new(rows))
    }
    /// The first row.
    pub const fn ptr(&'static self) -> *mut T {
        self.0.get().cast()
    }
}

/// A closure argument that getters ignore.
pub type Closure = *mut c_void;
