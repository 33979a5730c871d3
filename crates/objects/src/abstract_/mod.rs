//! The abstract object protocols: what C code and the interpreter do with an object whatever its type, each through the
//! type's slots, with CPython's errors where a slot is missing.

#![allow(missing_docs, reason = "the C API manual documents these names")]

pub mod buffer;
pub mod instance;
pub mod iterator;
pub mod mapping;
pub mod number;
pub mod sequence;

use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;

/// The type's name as `%.100s` prints it.
pub(crate) unsafe fn name100<'a>(op: *mut PyObject) -> std::borrow::Cow<'a, str> {
    // SAFETY: [ARGS] a type's name lives as long as the type.
    unsafe {
        let name = core::ffi::CStr::from_ptr((*(*op).ob_type).tp_name).to_bytes();
        String::from_utf8_lossy(&name[..name.len().min(100)])
    }
}

/// SystemError for NULL arguments, unless an exception is set already (which is how the NULL came about).
#[cold]
pub(crate) unsafe fn null_error() -> *mut PyObject {
    if !err_occurred() {
        let _ = raise!(PyExc_SystemError, "null argument to internal routine");
    }
    null_mut()
}

/// NULL, for [`type_error!`] in functions that return a status and drop it.
#[inline(always)]
pub(crate) fn no_object() -> *mut PyObject {
    null_mut()
}

/// TypeError with the name of an object's type; the result is NULL.
macro_rules! type_error {
    ($fmt:literal, $op:expr) => {{
        let _ = raise!(PyExc_TypeError, $fmt, type_name($op));
        $crate::abstract_::no_object()
    }};
}
pub(crate) use type_error;

/// The slot `$slot` of the type's sub-table `$table`, `None` if the table or the slot is missing.
macro_rules! slot {
    ($op:expr, $table:ident, $slot:ident) => {{
        let table = (*(*$op).ob_type).$table;
        if table.is_null() { None } else { (*table).$slot }
    }};
}
pub(crate) use slot;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Type(o: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if o.is_null() {
            return null_error();
        }
        let t = (*o).ob_type.cast::<PyObject>();
        Py_INCREF(t);
        t
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Size(o: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { size(o) }
}

/// See [`PyObject_Size`].
#[inline(always)]
unsafe fn size(o: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if o.is_null() {
            null_error();
            return -1;
        }
        if let Some(f) = slot!(o, tp_as_sequence, sq_length) {
            return f(o);
        }
        if let Some(f) = slot!(o, tp_as_mapping, mp_length) {
            return f(o);
        }
        mapping::PyMapping_Size(o)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Length(o: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { size(o) }
}

/// Whether `len()` has a slot to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_HasLen(o: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (slot!(o, tp_as_sequence, sq_length).is_some() || slot!(o, tp_as_mapping, mp_length).is_some()) as c_int }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_LengthHint(o: *mut PyObject, default: Py_ssize_t) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if _PyObject_HasLen(o) != 0 {
            let n = PyObject_Size(o);
            if n >= 0 {
                return n;
            }
            if PyErr_ExceptionMatches(PyExc_TypeError) == 0 {
                return -1;
            }
            PyErr_Clear();
        }
        let hint = _PyObject_LookupSpecial(o, intern!("__length_hint__"));
        if hint.is_null() {
            return if err_occurred() { -1 } else { default };
        }
        let result = PyObject_CallNoArgs(hint);
        Py_DECREF(hint);
        if result.is_null() {
            if PyErr_ExceptionMatches(PyExc_TypeError) != 0 {
                PyErr_Clear();
                return default;
            }
            return -1;
        }
        let result = Owned::from_owned(result);
        if result.as_ptr() == Py_NotImplemented() {
            return default;
        }
        if PyLong_Check(result.as_ptr()) == 0 {
            let _ = raise!(PyExc_TypeError, "__length_hint__ must be an integer, not {}", name100(result.as_ptr()));
            return -1;
        }
        let n = PyLong_AsSsize_t(result.as_ptr());
        if n < 0 {
            if !err_occurred() {
                let _ = raise!(PyExc_ValueError, "__length_hint__() should return >= 0");
            }
            return -1;
        }
        n
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GetItem(o: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if o.is_null() || key.is_null() {
            return null_error();
        }
        if let Some(f) = slot!(o, tp_as_mapping, mp_subscript) {
            return f(o, key);
        }
        if slot!(o, tp_as_sequence, sq_item).is_some() {
            if number::index_slot(key).is_some() {
                let i = number::PyNumber_AsSsize_t(key, PyExc_IndexError);
                if i == -1 && err_occurred() {
                    return null_mut();
                }
                return sequence::PySequence_GetItem(o, i);
            }
            return type_error!("sequence index must be integer, not '{}'", key);
        }
        if PyType_Check(o) != 0 {
            // `type[int]` and classes with __class_getitem__.
            if o == (&raw mut PyType_Type).cast() {
                return Py_GenericAlias(o, key);
            }
            let mut meth = null_mut();
            if PyObject_GetOptionalAttr(o, intern!("__class_getitem__"), &mut meth) < 0 {
                return null_mut();
            }
            if !meth.is_null() && meth != Py_None() {
                let result = PyObject_CallOneArg(meth, key);
                Py_DECREF(meth);
                return result;
            }
            Py_XDECREF(meth);
            let _ = raise!(PyExc_TypeError, "type '{}' is not subscriptable", tp_name(o.cast()));
            return null_mut();
        }
        type_error!("'{}' object is not subscriptable", o)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_SetItem(o: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if o.is_null() || key.is_null() || value.is_null() {
            null_error();
            return -1;
        }
        if let Some(f) = slot!(o, tp_as_mapping, mp_ass_subscript) {
            return f(o, key, value);
        }
        if !(*(*o).ob_type).tp_as_sequence.is_null() {
            if number::index_slot(key).is_some() {
                let i = number::PyNumber_AsSsize_t(key, PyExc_IndexError);
                if i == -1 && err_occurred() {
                    return -1;
                }
                return sequence::PySequence_SetItem(o, i, value);
            }
            if slot!(o, tp_as_sequence, sq_ass_item).is_some() {
                type_error!("sequence index must be integer, not '{}'", key);
                return -1;
            }
        }
        type_error!("'{}' object does not support item assignment", o);
        -1
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_DelItem(o: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if o.is_null() || key.is_null() {
            null_error();
            return -1;
        }
        if let Some(f) = slot!(o, tp_as_mapping, mp_ass_subscript) {
            return f(o, key, null_mut());
        }
        if !(*(*o).ob_type).tp_as_sequence.is_null() {
            if number::index_slot(key).is_some() {
                let i = number::PyNumber_AsSsize_t(key, PyExc_IndexError);
                if i == -1 && err_occurred() {
                    return -1;
                }
                return sequence::PySequence_DelItem(o, i);
            }
            if slot!(o, tp_as_sequence, sq_ass_item).is_some() {
                type_error!("sequence index must be integer, not '{}'", key);
                return -1;
            }
        }
        type_error!("'{}' object does not support item deletion", o);
        -1
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_DelItemString(o: *mut PyObject, key: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if o.is_null() || key.is_null() {
            null_error();
            return -1;
        }
        let k = PyUnicode_FromString(key);
        if k.is_null() {
            return -1;
        }
        let r = PyObject_DelItem(o, k);
        Py_DECREF(k);
        r
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Format(obj: *mut PyObject, format_spec: *mut PyObject) -> *mut PyObject {
    unsafe fn format(obj: *mut PyObject, spec: *mut PyObject) -> PyResult<Owned> {
        // SAFETY: [ARGS]
        unsafe {
            if !spec.is_null() && PyUnicode_Check(spec) == 0 {
                bail!(PyExc_SystemError, "Format specifier must be a string, not {}", type_name(spec));
            }
            let mut empty = None;
            let mut spec = spec;
            if spec.is_null() || PyUnicode_GET_LENGTH(spec) == 0 {
                if PyUnicode_CheckExact(obj) != 0 {
                    return Ok(Owned::from_borrowed(obj));
                }
                if PyLong_CheckExact(obj) != 0 {
                    return Owned::from_owned_or_err(PyObject_Str(obj));
                }
            }
            if spec.is_null() {
                spec = empty.insert(Owned::from_owned_or_err(PyUnicode_New(0, 0))?).as_ptr();
            }
            let meth = _PyObject_LookupSpecial(obj, intern!("__format__"));
            let Some(meth) = Owned::from_owned_or_opt(meth) else {
                if !err_occurred() {
                    bail!(PyExc_TypeError, "Type {} doesn't define __format__", name100(obj));
                }
                return Err(Raised::assume());
            };
            let result = Owned::from_owned_or_err(PyObject_CallOneArg(meth.as_ptr(), spec))?;
            if PyUnicode_Check(result.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "__format__ must return a str, not {}", type_name(result.as_ptr()));
            }
            Ok(result)
        }
    }
    // SAFETY: [ARGS]
    unsafe { format(obj, format_spec).into_c() }
}
