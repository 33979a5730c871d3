//! `PyInterpreterConfig` as a dict and back, and interpreters by number.

use crate::pystate::as_interp;
use crate::util::*;
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;

const GIL_NAMES: [&str; 3] = ["default", "shared", "own"];

/// The members that are truth values, by name.
fn flags(c: *mut PyInterpreterConfig) -> [(&'static str, *mut c_int); 6] {
    // SAFETY: addresses of fields alone.
    unsafe {
        [
            ("use_main_obmalloc", &raw mut (*c).use_main_obmalloc),
            ("allow_fork", &raw mut (*c).allow_fork),
            ("allow_exec", &raw mut (*c).allow_exec),
            ("allow_threads", &raw mut (*c).allow_threads),
            ("allow_daemon_threads", &raw mut (*c).allow_daemon_threads),
            ("check_multi_interp_extensions", &raw mut (*c).check_multi_interp_extensions),
        ]
    }
}

/// An interpreter's configuration as a dict.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterConfig_AsDict(c: *mut PyInterpreterConfig) -> *mut PyObject {
    // SAFETY: [ARGS]
    let make = || unsafe {
        let dict = own(PyDict_New())?;
        for (name, flag) in flags(c) {
            dict_set_str(dict.as_ptr(), name, new_bool(*flag != 0).as_ptr())?;
        }
        let Some(gil) = GIL_NAMES.get((*c).gil as usize) else {
            bail!(PyExc_SystemError, "invalid interpreter config 'gil' value");
        };
        dict_set_str(dict.as_ptr(), "gil", new_str(gil)?.as_ptr())?;
        Ok(dict)
    };
    make().into_c()
}

unsafe fn fill(c: *mut PyInterpreterConfig, dict: *mut PyObject, all: bool) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyDict_Check(dict) == 0 {
            bail!(PyExc_TypeError, "dict expected");
        }
        let dict = own(PyDict_Copy(dict))?;
        let take = |name: &str| -> PyResult<Option<Owned>> {
            let key = new_str(name)?;
            let v = dict_get(dict.as_ptr(), key.as_ptr())?;
            if v.is_some() {
                check_status(PyDict_DelItem(dict.as_ptr(), key.as_ptr()))?;
            } else if all {
                bail!(PyExc_ValueError, "missing config key: {}", name);
            }
            Ok(v)
        };
        for (name, flag) in flags(c) {
            let Some(v) = take(name)? else { continue };
            if v.as_ptr() != Py_True() && v.as_ptr() != Py_False() {
                bail!(PyExc_TypeError, "invalid config type: {}", name);
            }
            *flag = (v.as_ptr() == Py_True()) as c_int;
        }
        if let Some(v) = take("gil")? {
            if PyUnicode_Check(v.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "invalid config type: gil");
            }
            let text = utf8(v.as_ptr())?;
            let Some(i) = GIL_NAMES.iter().position(|n| *n == text) else {
                bail!(PyExc_ValueError, "unsupported interpreter config .gil value '{}'", text);
            };
            (*c).gil = i as c_int;
        }
        let left = PyDict_Size(dict.as_ptr());
        if left == 1 {
            bail!(PyExc_ValueError, "config dict has 1 extra item ({})", repr(dict.as_ptr())?);
        }
        if left > 1 {
            bail!(PyExc_ValueError, "config dict has {} extra items ({})", left, repr(dict.as_ptr())?);
        }
        Ok(())
    }
}

/// Fills a configuration from a dict that has all its members.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterConfig_InitFromDict(c: *mut PyInterpreterConfig, dict: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { fill(c, dict, true).into_c() }
}

/// Changes what a dict says of a configuration.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterConfig_UpdateFromDict(c: *mut PyInterpreterConfig, dict: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { fill(c, dict, false).into_c() }
}

/// The configuration of an interpreter that runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterConfig_InitFromState(c: *mut PyInterpreterConfig, interp: *mut PyInterpreterState) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let features = (*as_interp(interp)).published.feature_flags;
        for ((_, flag), bit) in flags(c).into_iter().zip([5, 15, 16, 10, 11, 8]) {
            *flag = (features >> bit & 1) as c_int;
        }
        (*c).gil = if (*as_interp(interp)).published.own_gil != 0 { 2 } else { 1 };
        0
    }
}

/// The number that an object stands for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_ObjectToID(op: *mut PyObject) -> i64 {
    // SAFETY: [ARGS]
    unsafe {
        if PyIndex_Check(op) == 0 {
            let _ = raise!(PyExc_TypeError, "interpreter ID must be an int, got {}", type_name(op));
            return -1;
        }
        let id = PyLong_AsLongLong(op);
        if id < 0 && !err_occurred() {
            PyErr_Format(PyExc_ValueError, c"interpreter ID must be a non-negative int, got %R".as_ptr(), op);
            return -1;
        }
        id
    }
}

unsafe extern "C" {
    fn _PyInterpreterState_LookUpID(id: i64) -> *mut PyInterpreterState;
}

/// The interpreter of a number; InterpreterNotFoundError if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_LookUpIDObject(op: *mut PyObject) -> *mut PyInterpreterState {
    // SAFETY: [ARGS]
    unsafe {
        let id = _PyInterpreterState_ObjectToID(op);
        if id < 0 { null_mut() } else { _PyInterpreterState_LookUpID(id) }
    }
}

/// Starts counting the references to an interpreter's number: they are counted from the start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_IDInitref(interp: *mut PyInterpreterState) -> c_int {
    let _ = interp;
    0
}

/// Counts a reference to an interpreter's number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_IDIncref(interp: *mut PyInterpreterState) -> c_int {
    // SAFETY: [ARGS] [GIL]
    unsafe {
        (*as_interp(interp)).published.id_refcount += 1;
    }
    0
}

/// The code object of CPython's `getpath.py`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Get_Getpath_CodeObject() -> *mut PyObject {
    crate::frozen::getpath().into_c()
}

/// How far apart two texts in UTF-8 are, as suggestions for misspelt names count it; no more than `max`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_UTF8_Edit_Cost(a: *mut PyObject, b: *mut PyObject, max: Py_ssize_t) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(a) == 0 || PyUnicode_Check(b) == 0 {
            let _ = raise!(PyExc_TypeError, "expected str");
            return -1;
        }
        let (Ok(a), Ok(b)) = (utf8(a), utf8(b)) else { return -1 };
        let max = if max == -1 { usize::MAX / 2 } else { max as usize };
        crate::suggestions::levenshtein_distance(a.as_bytes(), b.as_bytes(), max) as Py_ssize_t
    }
}
