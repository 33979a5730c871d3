//! `bool`: two immortal instances of a subclass of `int`.

#![allow(missing_docs, reason = "exported functions are documented by CPython's C API manual")]

use crate::freelist::null;
use crate::longobject::NUMBER_INIT;
use crate::typeobject::TYPE_INIT;
use core::ffi::c_long;
use core::ptr::null_mut;
use taipan_abi::*;

type Ob = *mut PyObject;

#[unsafe(no_mangle)]
pub static mut _Py_FalseStruct: PyLongObject =
    PyLongObject { ob_base: immortal_head(&raw mut PyBool_Type), lv_tag: 1, ob_digit: [0] };
#[unsafe(no_mangle)]
pub static mut _Py_TrueStruct: PyLongObject =
    PyLongObject { ob_base: immortal_head(&raw mut PyBool_Type), lv_tag: 1 << 3, ob_digit: [1] };

#[inline(always)]
fn bool_object(v: bool) -> Ob {
    if v { (&raw mut _Py_TrueStruct).cast() } else { (&raw mut _Py_FalseStruct).cast() }
}

unsafe extern "C" fn bool_repr(op: Ob) -> Ob {
    if op == bool_object(true) { intern!("True") } else { intern!("False") }
}

unsafe fn bool_of(x: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        match PyObject_IsTrue(x) {
            r if r < 0 => null_mut(),
            r => bool_object(r > 0),
        }
    }
}

unsafe extern "C" fn bool_new(_: *mut PyTypeObject, args: Ob, kwds: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if !kwds.is_null() && PyDict_Size(kwds) > 0 {
            return null(raise!(PyExc_TypeError, "bool() takes no keyword arguments"));
        }
        match Py_SIZE(args) {
            0 => bool_object(false),
            1 => bool_of(PyTuple_GET_ITEM(args, 0)),
            n => null(raise!(PyExc_TypeError, "bool expected at most 1 argument, got {}", n)),
        }
    }
}

unsafe extern "C" fn bool_vectorcall(_: Ob, args: *const Ob, nargsf: usize, kwnames: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if !kwnames.is_null() && Py_SIZE(kwnames) > 0 {
            return null(raise!(PyExc_TypeError, "bool() takes no keyword arguments"));
        }
        match PyVectorcall_NARGS(nargsf as _) {
            0 => bool_object(false),
            1 => bool_of(*args),
            n => null(raise!(PyExc_TypeError, "bool expected at most 1 argument, got {}", n)),
        }
    }
}

unsafe fn is_bool(op: Ob) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == &raw mut PyBool_Type }
}

macro_rules! bit_slots {
    ($($name:ident, $op:literal, $fold:expr;)*) => { $(
        unsafe extern "C" fn $name(a: Ob, b: Ob) -> Ob {
            // SAFETY: [ARGS]
            unsafe {
                if is_bool(a) && is_bool(b) {
                    let f: fn(bool, bool) -> bool = $fold;
                    return bool_object(f(a == bool_object(true), b == bool_object(true)));
                }
                if PyLong_Check(a) == 0 || PyLong_Check(b) == 0 {
                    return Py_NotImplemented();
                }
                crate::longobject::long_bitwise(a.cast(), $op, b.cast())
            }
        }
    )* };
}
bit_slots! {
    bool_and, b'&', |a, b| a & b;
    bool_or, b'|', |a, b| a | b;
    bool_xor, b'^', |a, b| a ^ b;
}

unsafe extern "C" fn bool_invert(op: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let text = c"Bitwise inversion '~' on bool is deprecated and will be removed in Python 3.16. \
            This returns the bitwise inversion of the underlying int object and is usually not what you expect \
            from negating a bool. Use the 'not' operator for boolean negation or ~int(x) if you really want the \
            bitwise inversion of the underlying int.";
        if PyErr_WarnEx(PyExc_DeprecationWarning, text.as_ptr(), 1) < 0 {
            return null_mut();
        }
        crate::longobject::small_int(if op == bool_object(true) { -2 } else { -1 })
    }
}

unsafe extern "C" fn bool_dealloc(op: Ob) {
    // A miscounting extension may get here: the objects just stay.
    // SAFETY: [IMMORTAL]
    unsafe { set_immortal(op) }
}

static mut BOOL_AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_invert: Some(bool_invert),
    nb_and: Some(bool_and),
    nb_xor: Some(bool_xor),
    nb_or: Some(bool_or),
    ..NUMBER_INIT
};

#[unsafe(no_mangle)]
pub static mut PyBool_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"bool".as_ptr(),
    tp_basicsize: core::mem::offset_of!(PyLongObject, ob_digit) as Py_ssize_t,
    tp_itemsize: size_of::<u32>() as Py_ssize_t,
    tp_dealloc: Some(bool_dealloc),
    tp_repr: Some(bool_repr),
    tp_as_number: &raw mut BOOL_AS_NUMBER,
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"bool(object=False, /)\n--\n\nTrue if the argument counts as true, otherwise False.\n\nThe two are the only instances, and bool can't be subclassed.".as_ptr(),
    tp_base: &raw mut PyLong_Type,
    tp_new: Some(bool_new),
    tp_vectorcall: Some(bool_vectorcall),
    ..TYPE_INIT
};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBool_FromLong(v: c_long) -> Ob {
    bool_object(v != 0)
}

