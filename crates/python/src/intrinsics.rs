//! Intrinsic functions of the instruction set: what CALL_INTRINSIC_1 and CALL_INTRINSIC_2 do, by operand.
//!
//! Contract of all functions here: [GIL]; arguments are live and lent; NULL means that an exception is set.

#![allow(clippy::missing_safety_doc, reason = "one contract for the file, see its top")]

use crate::ceval_prelude::*;
use core::ffi::CStr;

unsafe extern "C" {
    // objects: typevarobject
    fn _Py_make_typevar(name: *mut PyObject, evaluate_bound: *mut PyObject, evaluate_constraints: *mut PyObject) -> *mut PyObject;
    fn _Py_make_paramspec(tstate: *mut PyThreadState, name: *mut PyObject) -> *mut PyObject;
    fn _Py_make_typevartuple(tstate: *mut PyThreadState, name: *mut PyObject) -> *mut PyObject;
    fn _Py_subscript_generic(tstate: *mut PyThreadState, params: *mut PyObject) -> *mut PyObject;
    fn _Py_make_typealias(tstate: *mut PyThreadState, args: *mut PyObject) -> *mut PyObject;
    fn _Py_set_typeparam_default(tstate: *mut PyThreadState, param: *mut PyObject, evaluate: *mut PyObject) -> *mut PyObject;
    // objects: exceptions
    fn _PyExc_PrepReraiseStar(orig: *mut PyObject, excs: *mut PyObject) -> *mut PyObject;
}

/// CALL_INTRINSIC_1.
pub unsafe fn intrinsic_1(tstate: *mut PyThreadState, oparg: u32, value: *mut PyObject) -> *mut PyObject {
    // SAFETY: file contract.
    unsafe {
        match oparg {
            1 => print_expr(value),
            2 => import_star(tstate, value),
            3 => stopiteration_error(tstate, value),
            4 => crate::genobject::_PyAsyncGenValueWrapperNew(tstate, value),
            5 => PyNumber_Positive(value),
            6 => PyList_AsTuple(value),
            7 => _Py_make_typevar(value, null_mut(), null_mut()),
            8 => _Py_make_paramspec(tstate, value),
            9 => _Py_make_typevartuple(tstate, value),
            10 => _Py_subscript_generic(tstate, value),
            11 => _Py_make_typealias(tstate, value),
            _ => invalid(),
        }
    }
}

/// CALL_INTRINSIC_2.
pub unsafe fn intrinsic_2(tstate: *mut PyThreadState, oparg: u32, a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: file contract.
    unsafe {
        match oparg {
            1 => _PyExc_PrepReraiseStar(a, b),
            2 => _Py_make_typevar(a, b, null_mut()),
            3 => _Py_make_typevar(a, null_mut(), b),
            4 => {
                setref(&raw mut (*a.cast::<PyFunctionObject>()).func_typeparams, Py_NewRef(b));
                Py_NewRef(a)
            }
            5 => _Py_set_typeparam_default(tstate, a, b),
            _ => invalid(),
        }
    }
}

#[cold]
unsafe fn invalid() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { PyErr_SetString(PyExc_SystemError, c"invalid intrinsic function".as_ptr()) };
    null_mut()
}

/// Shows the value of an expression statement, as the interactive interpreter does.
unsafe fn print_expr(value: *mut PyObject) -> *mut PyObject {
    // SAFETY: file contract.
    unsafe {
        let hook = PySys_GetObject(c"displayhook".as_ptr());
        if hook.is_null() {
            PyErr_SetString(PyExc_RuntimeError, c"lost sys.displayhook".as_ptr());
            return null_mut();
        }
        let hook = Owned::from_borrowed(hook);
        PyObject_CallOneArg(hook.as_ptr(), value)
    }
}

/// An exception that leaves a generator: StopIteration (StopAsyncIteration) must not be taken for its end.
unsafe fn stopiteration_error(tstate: *mut PyThreadState, exc: *mut PyObject) -> *mut PyObject {
    // SAFETY: file contract; the current frame is a generator's.
    unsafe {
        let flags = (*(*tstate).current_frame.code()).co_flags;
        let message: &CStr = if PyErr_GivenExceptionMatches(exc, PyExc_StopIteration) != 0 {
            if flags & CO_ASYNC_GENERATOR != 0 {
                c"async generator raised StopIteration"
            } else if flags & CO_COROUTINE != 0 {
                c"coroutine raised StopIteration"
            } else {
                c"generator raised StopIteration"
            }
        } else if flags & CO_ASYNC_GENERATOR != 0 && PyErr_GivenExceptionMatches(exc, PyExc_StopAsyncIteration) != 0 {
            c"async generator raised StopAsyncIteration"
        } else {
            return Py_NewRef(exc);
        };
        let Ok(text) = Owned::from_owned_or_err(PyUnicode_FromString(message.as_ptr())) else { return null_mut() };
        let error = PyObject_CallOneArg(PyExc_RuntimeError, text.as_ptr());
        if !error.is_null() {
            PyException_SetCause(error, Py_NewRef(exc));
            PyException_SetContext(error, Py_NewRef(exc));
        }
        error
    }
}

/// `from module import *`.
unsafe fn import_star(tstate: *mut PyThreadState, module: *mut PyObject) -> *mut PyObject {
    // SAFETY: file contract.
    unsafe {
        let locals = crate::frameobject::frame_get_locals((*tstate).current_frame);
        let Some(locals) = Owned::from_owned_or_opt(locals) else {
            PyErr_SetString(PyExc_SystemError, c"no locals found during 'import *'".as_ptr());
            return null_mut();
        };
        match import_all_from(locals.as_ptr(), module) {
            Ok(()) => Py_NewRef(Py_None()),
            Err(_) => null_mut(),
        }
    }
}

unsafe fn optional_attr(object: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: file contract.
    unsafe {
        let mut found = null_mut();
        check_status(PyObject_GetOptionalAttr(object, name, &mut found))?;
        Ok(Owned::from_owned_or_opt(found))
    }
}

unsafe fn import_all_from(locals: *mut PyObject, module: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let listed = optional_attr(module, intern!("__all__"))?;
        let is_listed = listed.is_some();
        let names = match listed {
            Some(names) => names,
            None => match optional_attr(module, intern!("__dict__"))? {
                Some(dict) => Owned::from_owned_or_err(PyMapping_Keys(dict.as_ptr()))?,
                None => bail!(PyExc_ImportError, "from-import-* object has no __dict__ and no __all__"),
            },
        };
        for i in 0.. {
            let name = PySequence_GetItem(names.as_ptr(), i);
            if name.is_null() {
                if PyErr_ExceptionMatches(PyExc_IndexError) == 0 {
                    return Err(Raised::assume());
                }
                PyErr_Clear();
                return Ok(());
            }
            let name = Owned::from_owned(name);
            if PyUnicode_Check(name.as_ptr()) == 0 {
                return Err(bad_name(module, &name, is_listed));
            }
            if !is_listed && unicode_length(name.as_ptr()) > 0 && unicode_read_char(name.as_ptr(), 0) == '_' as u32 {
                continue;
            }
            let value = Owned::from_owned_or_err(PyObject_GetAttr(module, name.as_ptr()))?;
            check_status(if Py_TYPE(locals) == &raw mut PyDict_Type {
                PyDict_SetItem(locals, name.as_ptr(), value.as_ptr())
            } else {
                PyObject_SetItem(locals, name.as_ptr(), value.as_ptr())
            })?;
        }
        Ok(())
    }
}

unsafe fn bad_name(module: *mut PyObject, name: &Owned, is_listed: bool) -> Raised {
    // SAFETY: file contract.
    unsafe {
        let module_name = match Owned::from_owned_or_err(PyObject_GetAttr(module, intern!("__name__"))) {
            Ok(n) => n,
            Err(raised) => return raised,
        };
        if PyUnicode_Check(module_name.as_ptr()) == 0 {
            let format = c"module __name__ must be a string, not %.100s";
            PyErr_Format(PyExc_TypeError, format.as_ptr(), (*Py_TYPE(module_name.as_ptr())).tp_name);
            return Raised::assume();
        }
        let (what, attribute) = if is_listed { (c"Item", c"__all__") } else { (c"Key", c"__dict__") };
        let tp_name = (*Py_TYPE(name.as_ptr())).tp_name;
        let format = c"%s in %U.%s must be str, not %.100s";
        PyErr_Format(PyExc_TypeError, format.as_ptr(), what.as_ptr(), module_name.as_ptr(), attribute.as_ptr(), tp_name);
        Raised::assume()
    }
}
