//! The mapping protocol.

use super::*;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMapping_Check(o: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (!o.is_null() && slot!(o, tp_as_mapping, mp_subscript).is_some()) as c_int }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMapping_Size(o: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if o.is_null() {
            null_error();
            return -1;
        }
        if let Some(f) = slot!(o, tp_as_mapping, mp_length) {
            return f(o);
        }
        if slot!(o, tp_as_sequence, sq_length).is_some() {
            type_error!("{} is not a mapping", o);
        } else {
            type_error!("object of type '{}' has no len()", o);
        }
        -1
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMapping_Length(o: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { PyMapping_Size(o) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMapping_GetOptionalItem(
    obj: *mut PyObject,
    key: *mut PyObject,
    result: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyDict_CheckExact(obj) != 0 {
            return crate::dictobject::PyDict_GetItemRef(obj, key, result);
        }
        *result = PyObject_GetItem(obj, key);
        if !(*result).is_null() {
            return 1;
        }
        if PyErr_ExceptionMatches(PyExc_KeyError) == 0 {
            return -1;
        }
        PyErr_Clear();
        0
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMapping_GetOptionalItemString(
    obj: *mut PyObject,
    key: *const c_char,
    result: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        *result = null_mut();
        if key.is_null() {
            null_error();
            return -1;
        }
        let k = PyUnicode_FromString(key);
        if k.is_null() {
            return -1;
        }
        let rc = PyMapping_GetOptionalItem(obj, k, result);
        Py_DECREF(k);
        rc
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMapping_GetItemString(o: *mut PyObject, key: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if key.is_null() {
            return null_error();
        }
        let k = PyUnicode_FromString(key);
        if k.is_null() {
            return k;
        }
        let r = PyObject_GetItem(o, k);
        Py_DECREF(k);
        r
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMapping_SetItemString(o: *mut PyObject, key: *const c_char, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if key.is_null() {
            null_error();
            return -1;
        }
        let k = PyUnicode_FromString(key);
        if k.is_null() {
            return -1;
        }
        let r = PyObject_SetItem(o, k, value);
        Py_DECREF(k);
        r
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMapping_HasKeyWithError(obj: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut res = null_mut();
        let rc = PyMapping_GetOptionalItem(obj, key, &mut res);
        Py_XDECREF(res);
        rc
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMapping_HasKeyStringWithError(obj: *mut PyObject, key: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut res = null_mut();
        let rc = PyMapping_GetOptionalItemString(obj, key, &mut res);
        Py_XDECREF(res);
        rc
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMapping_HasKeyString(obj: *mut PyObject, key: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut value = null_mut();
        let rc = if obj.is_null() {
            null_error();
            -1
        } else {
            PyMapping_GetOptionalItemString(obj, key, &mut value)
        };
        if rc < 0 {
            PyErr_FormatUnraisable(
                c"Exception ignored in PyMapping_HasKeyString(); consider using PyMapping_HasKeyStringWithError(), PyMapping_GetOptionalItemString() or PyMapping_GetItemString()"
                    .as_ptr(),
            );
            return 0;
        }
        Py_XDECREF(value);
        rc
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMapping_HasKey(obj: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut value = null_mut();
        let rc = if obj.is_null() || key.is_null() {
            null_error();
            -1
        } else {
            PyMapping_GetOptionalItem(obj, key, &mut value)
        };
        if rc < 0 {
            PyErr_FormatUnraisable(
                c"Exception ignored in PyMapping_HasKey(); consider using PyMapping_HasKeyWithError(), PyMapping_GetOptionalItem() or PyObject_GetItem()"
                    .as_ptr(),
            );
            return 0;
        }
        Py_XDECREF(value);
        rc
    }
}

/// A list of what the method `name` of a mapping yields.
unsafe fn method_output_as_list(o: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let out = PyObject_CallMethodNoArgs(o, name);
        if out.is_null() {
            return out;
        }
        let out = Owned::from_owned(out);
        let it = PyObject_GetIter(out.as_ptr());
        if it.is_null() {
            if PyErr_ExceptionMatches(PyExc_TypeError) != 0 {
                PyErr_Format(
                    PyExc_TypeError,
                    c"%.200s.%U() returned a non-iterable (type %.200s)".as_ptr(),
                    (*(*o).ob_type).tp_name,
                    name,
                    (*(*out.as_ptr()).ob_type).tp_name,
                );
            }
            return null_mut();
        }
        let result = sequence::PySequence_List(it);
        Py_DECREF(it);
        result
    }
}

macro_rules! listing {
    ($($name:ident, $dict:ident, $method:literal;)*) => { $(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(o: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe {
                if o.is_null() {
                    return null_error();
                }
                if PyDict_CheckExact(o) != 0 {
                    return $dict(o);
                }
                method_output_as_list(o, intern!($method))
            }
        }
    )* };
}
listing! {
    PyMapping_Keys, PyDict_Keys, "keys";
    PyMapping_Items, PyDict_Items, "items";
    PyMapping_Values, PyDict_Values, "values";
}
