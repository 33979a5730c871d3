//! StopIteration, SystemExit, ImportError, NameError, AttributeError, SyntaxError and KeyError.

use super::*;
use core::ptr::null_mut;
use crate::tupleobject::empty_tuple;
use taipan_clinic::{members, methods};

type Ob = *mut PyObject;

members! { pub(super) static STOP_ITERATION_MEMBERS = [
    "value", Py_T_OBJECT, offset_of!(PyStopIterationObject, value), 0, "what the generator returned";
]; }
members! { pub(super) static SYSTEM_EXIT_MEMBERS = [
    "code", Py_T_OBJECT, offset_of!(PySystemExitObject, code), 0, "exit status";
]; }
members! { pub(super) static IMPORT_MEMBERS = [
    "msg", Py_T_OBJECT, offset_of!(PyImportErrorObject, msg), 0, "message";
    "name", Py_T_OBJECT, offset_of!(PyImportErrorObject, name), 0, "the module's name";
    "path", Py_T_OBJECT, offset_of!(PyImportErrorObject, path), 0, "the module's file";
    "name_from", Py_T_OBJECT, offset_of!(PyImportErrorObject, name_from), 0, "the name that was to be imported from the module";
]; }
members! { pub(super) static NAME_MEMBERS = [
    "name", Py_T_OBJECT, offset_of!(PyNameErrorObject, name), 0, "the name";
]; }
members! { pub(super) static ATTRIBUTE_MEMBERS = [
    "name", Py_T_OBJECT, offset_of!(PyAttributeErrorObject, name), 0, "the attribute's name";
    "obj", Py_T_OBJECT, offset_of!(PyAttributeErrorObject, obj), 0, "the object that lacks it";
]; }
members! { pub(super) static SYNTAX_MEMBERS = [
    "msg", Py_T_OBJECT, offset_of!(PySyntaxErrorObject, msg), 0, "message";
    "filename", Py_T_OBJECT, offset_of!(PySyntaxErrorObject, filename), 0, "file";
    "lineno", Py_T_OBJECT, offset_of!(PySyntaxErrorObject, lineno), 0, "line";
    "offset", Py_T_OBJECT, offset_of!(PySyntaxErrorObject, offset), 0, "column, from 1";
    "text", Py_T_OBJECT, offset_of!(PySyntaxErrorObject, text), 0, "text of the line";
    "end_lineno", Py_T_OBJECT, offset_of!(PySyntaxErrorObject, end_lineno), 0, "line where it ends";
    "end_offset", Py_T_OBJECT, offset_of!(PySyntaxErrorObject, end_offset), 0, "column where it ends";
    "print_file_and_line", Py_T_OBJECT, offset_of!(PySyntaxErrorObject, print_file_and_line), 0, "whether to show file and line";
]; }

pub(super) unsafe extern "C" fn StopIteration_init(op: Ob, args: Ob, kwds: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if BaseException_init(op, args, kwds) < 0 {
            return -1;
        }
        let value = if Py_SIZE(args) > 0 { Py_NewRef(PyTuple_GET_ITEM(args, 0)) } else { Py_None() };
        setref(&raw mut (*op.cast::<PyStopIterationObject>()).value, value);
        0
    }
}

pub(super) unsafe extern "C" fn SystemExit_init(op: Ob, args: Ob, kwds: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if BaseException_init(op, args, kwds) < 0 {
            return -1;
        }
        let code = match Py_SIZE(args) {
            0 => return 0,
            1 => PyTuple_GET_ITEM(args, 0),
            _ => args,
        };
        setref(&raw mut (*op.cast::<PySystemExitObject>()).code, Py_NewRef(code));
        0
    }
}

pub(super) unsafe extern "C" fn KeyError_str(op: Ob) -> Ob {
    // SAFETY: [TYPE] the repr shows what an empty or odd key would hide.
    unsafe {
        let args = (*op.cast::<PyBaseExceptionObject>()).args;
        if Py_SIZE(args) == 1 { PyObject_Repr(PyTuple_GET_ITEM(args, 0)) } else { BaseException_str(op) }
    }
}

// --- ImportError ----------------------------------------------------------------------------------------------------

pub(super) unsafe extern "C" fn ImportError_init(op: Ob, args: Ob, kwds: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if BaseException_init(op, args, null_mut()) < 0 {
            return -1;
        }
        let (mut name, mut path, mut name_from): (Ob, Ob, Ob) = (null_mut(), null_mut(), null_mut());
        let names = [c"name".as_ptr(), c"path".as_ptr(), c"name_from".as_ptr(), core::ptr::null()];
        if PyArg_ParseTupleAndKeywords(
            empty_tuple(),
            kwds,
            c"|$OOO:ImportError".as_ptr(),
            names.as_ptr().cast_mut().cast(),
            &raw mut name,
            &raw mut path,
            &raw mut name_from,
        ) == 0
        {
            return -1;
        }
        let e: *mut PyImportErrorObject = op.cast();
        setref(&raw mut (*e).name, Py_XNewRef(name));
        setref(&raw mut (*e).path, Py_XNewRef(path));
        setref(&raw mut (*e).name_from, Py_XNewRef(name_from));
        let msg = if Py_SIZE(args) == 1 { Py_NewRef(PyTuple_GET_ITEM(args, 0)) } else { null_mut() };
        setref(&raw mut (*e).msg, msg);
        0
    }
}

pub(super) unsafe extern "C" fn ImportError_str(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let msg = (*op.cast::<PyImportErrorObject>()).msg;
        if !msg.is_null() && PyUnicode_CheckExact(msg) != 0 { Py_NewRef(msg) } else { BaseException_str(op) }
    }
}

/// A copy of the exception's dict with the given attributes that are set.
unsafe fn state_with<const N: usize>(dict: Ob, attributes: [(Ob, Ob); N]) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS] NULLs are skipped.
    unsafe {
        if attributes.iter().all(|(_, value)| value.is_null()) {
            return Ok(Owned::from_borrowed_or_opt(dict));
        }
        let state = Owned::from_owned_or_err(if dict.is_null() { PyDict_New() } else { PyDict_Copy(dict) })?;
        for (name, value) in attributes {
            if !value.is_null() {
                check_status(PyDict_SetItem(state.as_ptr(), name, value))?;
            }
        }
        Ok(Some(state))
    }
}

fn ImportError_reduce(e: Borrowed<'_, PyImportErrorObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let attributes = [(intern!("name"), e.name), (intern!("path"), e.path), (intern!("name_from"), e.name_from)];
        let state = state_with(e.base.dict, attributes)?;
        reduce_as(e.ob(), e.base.args, state.as_ref().map_or(null_mut(), |s| s.as_ptr()))
    }
}

methods! { pub(super) static IMPORT_METHODS = [
    "__reduce__($self, /)" => ImportError_reduce, "";
]; }

// --- NameError and AttributeError -----------------------------------------------------------------------------------

pub(super) unsafe extern "C" fn NameError_init(op: Ob, args: Ob, kwds: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if BaseException_init(op, args, null_mut()) < 0 {
            return -1;
        }
        let mut name: Ob = null_mut();
        if !kwds.is_null() {
            let names = [c"name".as_ptr(), core::ptr::null()];
            let format = c"|$O:NameError".as_ptr();
            if PyArg_ParseTupleAndKeywords(empty_tuple(), kwds, format, names.as_ptr().cast_mut().cast(), &raw mut name) == 0 {
                return -1;
            }
        }
        setref(&raw mut (*op.cast::<PyNameErrorObject>()).name, Py_XNewRef(name));
        0
    }
}

pub(super) unsafe extern "C" fn AttributeError_init(op: Ob, args: Ob, kwds: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if BaseException_init(op, args, null_mut()) < 0 {
            return -1;
        }
        let (mut name, mut obj): (Ob, Ob) = (null_mut(), null_mut());
        if !kwds.is_null() {
            let names = [c"name".as_ptr(), c"obj".as_ptr(), core::ptr::null()];
            let format = c"|$OO:AttributeError".as_ptr();
            let names = names.as_ptr().cast_mut().cast();
            if PyArg_ParseTupleAndKeywords(empty_tuple(), kwds, format, names, &raw mut name, &raw mut obj) == 0 {
                return -1;
            }
        }
        let e: *mut PyAttributeErrorObject = op.cast();
        setref(&raw mut (*e).name, Py_XNewRef(name));
        setref(&raw mut (*e).obj, Py_XNewRef(obj));
        0
    }
}

fn AttributeError_getstate(e: Borrowed<'_, PyAttributeErrorObject>) -> PyResult<Option<Owned>> {
    // The object is left out: it is seldom one that can be pickled.
    // SAFETY: [TYPE]
    unsafe { state_with(e.base.dict, [(intern!("name"), e.name), (intern!("args"), e.base.args)]) }
}

fn AttributeError_reduce(e: Borrowed<'_, PyAttributeErrorObject>) -> PyResult<Owned> {
    let state = AttributeError_getstate(e)?;
    // SAFETY: [TYPE]
    unsafe { reduce_as(e.ob(), e.base.args, state.as_ref().map_or(Py_None(), |s| s.as_ptr())) }
}

methods! { pub(super) static ATTRIBUTE_METHODS = [
    "__getstate__($self, /)" => AttributeError_getstate, "";
    "__reduce__($self, /)" => AttributeError_reduce, "";
]; }

// --- SyntaxError ----------------------------------------------------------------------------------------------------

pub(super) unsafe extern "C" fn SyntaxError_init(op: Ob, args: Ob, kwds: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if BaseException_init(op, args, kwds) < 0 {
            return -1;
        }
        let e: *mut PySyntaxErrorObject = op.cast();
        let n = Py_SIZE(args);
        if n >= 1 {
            setref(&raw mut (*e).msg, Py_NewRef(PyTuple_GET_ITEM(args, 0)));
        }
        if n != 2 {
            return 0;
        }
        let Ok(info) = Owned::from_owned_or_err(PySequence_Tuple(PyTuple_GET_ITEM(args, 1))) else { return -1 };
        let mut p: [Ob; 6] = [null_mut(); 6];
        let [filename, lineno, offset, text, end_lineno, end_offset] = &mut p;
        let format = c"OOOO|OO".as_ptr();
        if PyArg_ParseTuple(
            info.as_ptr(),
            format,
            &raw mut *filename,
            &raw mut *lineno,
            &raw mut *offset,
            &raw mut *text,
            &raw mut *end_lineno,
            &raw mut *end_offset,
        ) == 0
        {
            return -1;
        }
        setref(&raw mut (*e).filename, Py_NewRef(p[0]));
        setref(&raw mut (*e).lineno, Py_NewRef(p[1]));
        setref(&raw mut (*e).offset, Py_NewRef(p[2]));
        setref(&raw mut (*e).text, Py_NewRef(p[3]));
        setref(&raw mut (*e).end_lineno, Py_XNewRef(p[4]));
        setref(&raw mut (*e).end_offset, Py_XNewRef(p[5]));
        if !p[4].is_null() && p[5].is_null() {
            let _ = raise!(PyExc_TypeError, "end_offset must be provided when end_lineno is provided");
            return -1;
        }
        0
    }
}

/// The part of a path after its last slash.
unsafe fn my_basename(name: Ob) -> PyResult<Owned> {
    // SAFETY: [TYPE] a str.
    unsafe {
        let n = PyUnicode_GET_LENGTH(name);
        let slash = PyUnicode_FindChar(name, '/' as u32, 0, n, -1);
        if slash < 0 {
            return Ok(Owned::from_borrowed(name));
        }
        Owned::from_owned_or_err(PyUnicode_Substring(name, slash + 1, n))
    }
}

pub(super) unsafe extern "C" fn SyntaxError_str(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let e: *mut PySyntaxErrorObject = op.cast();
        let msg = if (*e).msg.is_null() { Py_None() } else { (*e).msg };
        let filename = if !(*e).filename.is_null() && PyUnicode_Check((*e).filename) != 0 {
            match my_basename((*e).filename) {
                Ok(name) => Some(name),
                Err(_) => return null_mut(),
            }
        } else {
            None
        };
        let mut overflow = 0;
        let line = (!(*e).lineno.is_null() && PyLong_CheckExact((*e).lineno) != 0)
            .then(|| PyLong_AsLongAndOverflow((*e).lineno, &mut overflow));
        match (filename, line) {
            (None, None) => PyObject_Str(msg),
            (Some(f), Some(line)) => PyUnicode_FromFormat(c"%S (%U, line %ld)".as_ptr(), msg, f.as_ptr(), line),
            (Some(f), None) => PyUnicode_FromFormat(c"%S (%U)".as_ptr(), msg, f.as_ptr()),
            (None, Some(line)) => PyUnicode_FromFormat(c"%S (line %ld)".as_ptr(), msg, line),
        }
    }
}
