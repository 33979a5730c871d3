//! `str`: the type object and its slots. Storage is in [`layout`], operations in the submodules.

pub mod args;
pub mod capi;
pub mod case;
pub mod compare;
pub mod format;
pub mod fromformat;
pub mod intern;
pub mod iter;
pub mod layout;
mod methods;
pub mod ops;
pub mod percent;
pub mod translate;
pub mod writer;

pub use compare::{unicode_eq, unicode_hash};
pub use iter::{_PyUnicodeASCIIIter_Type, PyUnicodeIter_Type};
pub use layout::{StrObj, StrRef, Text, as_str, char_str, empty, from_ascii, from_rust, from_text, from_units, text, text_of};
pub use methods::repr;
pub use writer::Writer;

use crate::typeobject::TYPE_INIT;
use crate::with_units;
use core::ptr::null_mut;
use layout::*;
use taipan_abi::*;
use taipan_clinic::constructor;

unsafe extern "C" fn unicode_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] slot of str.
    unsafe { repr(Borrowed::from_ptr(op.cast())).into_c() }
}

unsafe extern "C" fn unicode_str(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] slot of str.
    unsafe { unchanged(Borrowed::from_ptr(op.cast())).into_c() }
}

unsafe extern "C" fn unicode_mod(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(v) == 0 {
            return Py_NotImplemented();
        }
        percent::PyUnicode_Format(v, w)
    }
}

unsafe extern "C" fn unicode_length(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE] slot of str.
    unsafe { length(op) as isize }
}

unsafe extern "C" fn unicode_repeat(op: *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE] slot of str.
    unsafe { ops::repeat(Borrowed::from_ptr(op.cast()), n).into_c() }
}

#[inline(always)]
unsafe fn item_at(op: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        match text_of(op).at(i as usize) {
            Some(c) => char_str(c).into_c(),
            None => {
                let _ = raise!(PyExc_IndexError, "string index out of range");
                null_mut()
            }
        }
    }
}

unsafe extern "C" fn unicode_getitem(op: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE] slot of str.
    unsafe { item_at(op, i) }
}

unsafe extern "C" fn unicode_subscript(op: *mut PyObject, item: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] slot of str.
    unsafe {
        if PyIndex_Check(item) != 0 {
            let mut i = PyNumber_AsSsize_t(item, PyExc_IndexError);
            if i == -1 && err_occurred() {
                return null_mut();
            }
            if i < 0 {
                i += length(op) as isize;
            }
            return item_at(op, i);
        }
        if PySlice_Check(item) == 0 {
            PyErr_Format(PyExc_TypeError, c"string indices must be integers, not '%.200s'".as_ptr(), (*(*item).ob_type).tp_name);
            return null_mut();
        }
        let (mut start, mut stop, mut step) = (0, 0, 0);
        if PySlice_Unpack(item, &mut start, &mut stop, &mut step) < 0 {
            return null_mut();
        }
        let s: StrRef<'_> = Borrowed::from_ptr(op.cast());
        let t = text(s);
        let n = PySlice_AdjustIndices(t.len() as isize, &mut start, &mut stop, step);
        if n <= 0 {
            return empty_ptr();
        }
        if step == 1 {
            return substring(s, start as usize, (start + n) as usize).into_c();
        }
        let picked = |i: isize| start + i * step;
        with_units!(t, u => from_units(&(0..n).map(|i| u[picked(i) as usize]).collect::<Vec<_>>())).into_c()
    }
}

static mut AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_remainder: Some(unicode_mod),
    // SAFETY: absent slots are NULL.
    ..unsafe { core::mem::zeroed() }
};
static mut AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(unicode_length),
    sq_concat: Some(ops::PyUnicode_Concat),
    sq_repeat: Some(unicode_repeat),
    sq_item: Some(unicode_getitem),
    sq_contains: Some(ops::PyUnicode_Contains),
    // SAFETY: absent slots are NULL.
    ..unsafe { core::mem::zeroed() }
};
static mut AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: Some(unicode_length), mp_subscript: Some(unicode_subscript), mp_ass_subscript: None };

/// A `match` pattern `str(x)` captures the subject itself.
const _Py_TPFLAGS_MATCH_SELF: core::ffi::c_ulong = 1 << 22;

/// `str`.
#[unsafe(no_mangle)]
pub static mut PyUnicode_Type: PyTypeObject = PyTypeObject {
    tp_name: c"str".as_ptr(),
    tp_basicsize: size_of::<PyUnicodeObject>() as Py_ssize_t,
    tp_dealloc: Some(unicode_dealloc),
    tp_repr: Some(unicode_repr),
    tp_as_number: &raw mut AS_NUMBER,
    tp_as_sequence: &raw mut AS_SEQUENCE,
    tp_as_mapping: &raw mut AS_MAPPING,
    tp_hash: Some(compare::hash_slot),
    tp_str: Some(unicode_str),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_UNICODE_SUBCLASS | _Py_TPFLAGS_MATCH_SELF,
    tp_doc: c"str(object='') -> str\nstr(bytes_or_buffer[, encoding[, errors]]) -> str\n\nText: a sequence of Unicode characters. With encoding or errors, the bytes of the first argument are decoded;\nwithout them the result is str() of the object."
        .as_ptr(),
    tp_richcompare: Some(compare::PyUnicode_RichCompare),
    tp_iter: Some(iter::unicode_iter),
    tp_methods: (&raw mut methods::STR_METHODS).cast(),
    tp_new: Some(constructor!(
        "str(object=<unrepresentable>, encoding=<unrepresentable>, errors=<unrepresentable>)" => methods::str_new
    )),
    tp_free: Some(PyObject_Free),
    tp_vectorcall: Some(methods::str_vectorcall),
    ..TYPE_INIT
};
