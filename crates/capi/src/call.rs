//! Variadic calls and tuple making: PyObject_CallFunction and its kin, PyTuple_Pack.

use crate::modsupport::{Items, build_arguments};
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::va_list::VaListTag;
use taipan_abi::*;

variadic! {
    /// Calls with arguments built from a format.
    PyObject_CallFunction(2, "rdx") => call_function;
    /// The same, by its old name.
    PyEval_CallFunction(2, "rdx") => call_function;
    /// The same, for extensions that count sizes in `Py_ssize_t`.
    _PyObject_CallFunction_SizeT(2, "rdx") => call_function;
    /// Calls a method with arguments built from a format.
    PyObject_CallMethod(3, "rcx") => call_method;
    /// The same, by its old name.
    PyEval_CallMethod(3, "rcx") => call_method;
    /// The same, for extensions that count sizes in `Py_ssize_t`.
    _PyObject_CallMethod_SizeT(3, "rcx") => call_method;
    /// Calls a method, named by a str, with arguments built from a format.
    _PyObject_CallMethod(3, "rcx") => call_method_object;
    /// Calls a method, named by a static identifier, with arguments built from a format.
    _PyObject_CallMethodId(3, "rcx") => call_method_id;
    /// Calls with the objects up to a NULL.
    PyObject_CallFunctionObjArgs(1, "rsi") => call_function_obj_args;
    /// Calls a method, named by an object, with the objects up to a NULL.
    PyObject_CallMethodObjArgs(2, "rdx") => call_method_obj_args;
    /// A tuple of the given number of objects.
    PyTuple_Pack(1, "rsi") => tuple_pack;
}

unsafe fn call_with(callable: *mut PyObject, format: *const c_char, va: *mut VaListTag) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if callable.is_null() {
            if !err_occurred() {
                bail!(PyExc_SystemError, "null argument to internal routine");
            }
            return Err(Raised::assume());
        }
        let mut args = Items::new();
        build_arguments(format, va, &mut args)?;
        let mut stack = args.as_slice();
        // One tuple stands for its items.
        if let &[only] = stack
            && PyTuple_Check(only) != 0
        {
            stack = crate::getargs::tuple_items(only);
        }
        Owned::from_owned_or_err(PyObject_Vectorcall(callable, stack.as_ptr(), stack.len(), null_mut()))
    }
}

unsafe extern "C" fn call_function(callable: *mut PyObject, format: *const c_char, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { call_with(callable, format, va).into_c() }
}

unsafe extern "C" fn call_method(
    op: *mut PyObject,
    name: *const c_char,
    format: *const c_char,
    va: *mut VaListTag,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() || name.is_null() {
            if !err_occurred() {
                return Err::<Owned, _>(raise!(PyExc_SystemError, "null argument to internal routine")).into_c();
            }
            return null_mut();
        }
        call_attribute(PyObject_GetAttrString(op, name), format, va)
    }
}

/// Calls what an attribute look-up gave (new reference, or NULL with an exception).
unsafe fn call_attribute(method: *mut PyObject, format: *const c_char, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if method.is_null() {
            return null_mut();
        }
        let method = Owned::from_owned(method);
        if PyCallable_Check(method.as_ptr()) == 0 {
            return Err::<Owned, _>(raise!(
                PyExc_TypeError,
                "attribute of type '{}' is not callable",
                type_name(method.as_ptr())
            ))
            .into_c();
        }
        call_with(method.as_ptr(), format, va).into_c()
    }
}

unsafe extern "C" fn call_method_object(
    op: *mut PyObject,
    name: *mut PyObject,
    format: *const c_char,
    va: *mut VaListTag,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() || name.is_null() {
            if !err_occurred() {
                return Err::<Owned, _>(raise!(PyExc_SystemError, "null argument to internal routine")).into_c();
            }
            return null_mut();
        }
        call_attribute(PyObject_GetAttr(op, name), format, va)
    }
}

/// `_Py_Identifier`: an index of the interpreter's table, and the text.
#[repr(C)]
struct Identifier {
    index: Py_ssize_t,
    string: *const c_char,
}

unsafe extern "C" fn call_method_id(op: *mut PyObject, name: *mut Identifier, format: *const c_char, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let name = PyUnicode_InternFromString((*name).string);
        if name.is_null() {
            return null_mut();
        }
        let name = Owned::from_owned(name);
        call_method_object(op, name.as_ptr(), format, va)
    }
}

/// Lent objects up to a NULL, behind a first one.
struct Lent {
    few: [*mut PyObject; Lent::FEW],
    len: usize,
    /// All of them, once they are more.
    many: Vec<*mut PyObject>,
}

impl Lent {
    const FEW: usize = 8;

    #[inline(always)]
    unsafe fn read(first: *mut PyObject, va: *mut VaListTag) -> Self {
        let mut all = Lent { few: [null_mut(); Self::FEW], len: 1, many: Vec::new() };
        all.few[0] = first;
        // SAFETY: [ARGS] the list ends with NULL.
        unsafe {
            loop {
                let op = (*va).next_ptr::<PyObject>();
                if op.is_null() {
                    return all;
                }
                if all.len < Self::FEW {
                    all.few[all.len] = op;
                    all.len += 1;
                } else {
                    if all.many.is_empty() {
                        all.many.extend_from_slice(&all.few);
                    }
                    all.many.push(op);
                }
            }
        }
    }
    #[inline(always)]
    fn as_slice(&self) -> &[*mut PyObject] {
        if self.many.is_empty() { &self.few[..self.len] } else { &self.many }
    }
}

unsafe extern "C" fn call_function_obj_args(callable: *mut PyObject, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS] the first slot is the call's to write to.
    unsafe {
        if callable.is_null() {
            if !err_occurred() {
                let _ = raise!(PyExc_SystemError, "null argument to internal routine");
            }
            return null_mut();
        }
        let lent = Lent::read(null_mut(), va);
        let args = &lent.as_slice()[1..];
        PyObject_Vectorcall(callable, args.as_ptr(), args.len(), null_mut())
    }
}

unsafe extern "C" fn call_method_obj_args(op: *mut PyObject, name: *mut PyObject, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() || name.is_null() {
            if !err_occurred() {
                let _ = raise!(PyExc_SystemError, "null argument to internal routine");
            }
            return null_mut();
        }
        let lent = Lent::read(op, va);
        let args = lent.as_slice();
        PyObject_VectorcallMethod(name, args.as_ptr(), args.len(), null_mut())
    }
}

unsafe extern "C" fn tuple_pack(n: Py_ssize_t, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS] n objects follow.
    unsafe {
        let tuple = PyTuple_New(n);
        if !tuple.is_null() {
            for i in 0..n {
                PyTuple_SET_ITEM(tuple, i, Py_NewRef((*va).next_ptr::<PyObject>()));
            }
        }
        tuple
    }
}

/// Calls with a tuple (or nothing) and keywords; the old name of `PyObject_Call`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_CallObjectWithKeywords(
    callable: *mut PyObject,
    args: *mut PyObject,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !args.is_null() && PyTuple_Check(args) == 0 {
            return Err::<Owned, _>(raise!(PyExc_TypeError, "argument list must be a tuple")).into_c();
        }
        if !kwargs.is_null() && PyDict_Check(kwargs) == 0 {
            return Err::<Owned, _>(raise!(PyExc_TypeError, "keyword list must be a dictionary")).into_c();
        }
        if args.is_null() {
            return PyObject_VectorcallDict(callable, core::ptr::null(), 0, kwargs);
        }
        PyObject_Call(callable, args, kwargs)
    }
}

const _: () = assert!(size_of::<c_int>() == 4);
