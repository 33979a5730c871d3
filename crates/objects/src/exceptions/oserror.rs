//! OSError, which picks the subclass that fits its error number.

use super::*;
use core::ptr::null_mut;
use crate::tupleobject::{empty_tuple, tuple_from_array, tuple_items};
use taipan_clinic::{getset, members, methods};

type Ob = *mut PyObject;
type OsErr<'a> = Borrowed<'a, PyOSErrorObject>;

/// The subclass of OSError for an error number.
pub fn errno_class(errno: c_int) -> Option<*mut PyTypeObject> {
    Some(match errno {
        libc::EAGAIN | libc::EALREADY | libc::EINPROGRESS => &raw mut _PyExc_BlockingIOError,
        libc::EPIPE | libc::ESHUTDOWN => &raw mut _PyExc_BrokenPipeError,
        libc::ECHILD => &raw mut _PyExc_ChildProcessError,
        libc::ECONNABORTED => &raw mut _PyExc_ConnectionAbortedError,
        libc::ECONNREFUSED => &raw mut _PyExc_ConnectionRefusedError,
        libc::ECONNRESET => &raw mut _PyExc_ConnectionResetError,
        libc::EEXIST => &raw mut _PyExc_FileExistsError,
        libc::ENOENT => &raw mut _PyExc_FileNotFoundError,
        libc::EISDIR => &raw mut _PyExc_IsADirectoryError,
        libc::ENOTDIR => &raw mut _PyExc_NotADirectoryError,
        libc::EINTR => &raw mut _PyExc_InterruptedError,
        libc::EACCES | libc::EPERM => &raw mut _PyExc_PermissionError,
        libc::ESRCH => &raw mut _PyExc_ProcessLookupError,
        libc::ETIMEDOUT => &raw mut _PyExc_TimeoutError,
        _ => return None,
    })
}

/// What the positional arguments stand for; all borrowed, NULL if absent.
struct Parts {
    myerrno: Ob,
    strerror: Ob,
    filename: Ob,
    filename2: Ob,
}

/// Two to five arguments are errno, strerror, filename, an ignored one, filename2.
unsafe fn oserror_parse_args(args: Ob) -> Parts {
    // SAFETY: [ARGS] a tuple.
    unsafe {
        let n = Py_SIZE(args);
        let at = |i| if (2..=5).contains(&n) && i < n { PyTuple_GET_ITEM(args, i) } else { null_mut() };
        Parts { myerrno: at(0), strerror: at(1), filename: at(2), filename2: at(4) }
    }
}

/// Fills the exception in. File names are taken out of `args`, which code that unpacks two items relies on.
unsafe fn oserror_init(e: *mut PyOSErrorObject, args: Ob, p: &Parts) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let mut args = Owned::from_borrowed(args);
        if !p.filename.is_null() && p.filename != Py_None() {
            if (*e).base.ob_base.ob_type == &raw mut _PyExc_BlockingIOError && PyNumber_Check(p.filename) != 0 {
                // There the third argument may count the characters written.
                let n = PyNumber_AsSsize_t(p.filename, PyExc_ValueError);
                if n == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                (*e).written = n;
            } else {
                setref(&raw mut (*e).filename, Py_NewRef(p.filename));
                if !p.filename2.is_null() && p.filename2 != Py_None() {
                    setref(&raw mut (*e).filename2, Py_NewRef(p.filename2));
                }
                args = Owned::from_owned_or_err(tuple_from_array(tuple_items(args.as_ptr()), 2))?;
            }
        }
        setref(&raw mut (*e).myerrno, Py_XNewRef(p.myerrno));
        setref(&raw mut (*e).strerror, Py_XNewRef(p.strerror));
        setref(&raw mut (*e).base.args, args.into_raw());
        Ok(())
    }
}

/// Whether arguments are for `__init__`: a subclass that overrides it but not `__new__` may take others.
unsafe fn oserror_use_init(tp: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let overridden = (*tp).tp_init.is_some_and(|f| f as usize != OSError_init as *const () as usize);
        overridden && (*tp).tp_new.is_some_and(|f| f as usize == OSError_new as *const () as usize)
    }
}

pub(super) unsafe extern "C" fn OSError_new(tp: *mut PyTypeObject, args: Ob, kwds: Ob) -> Ob {
    // SAFETY: [ARGS] tp_alloc zeroes the object.
    unsafe {
        let mut tp = tp;
        let use_init = oserror_use_init(tp);
        let mut parts = None;
        if !use_init {
            if !kwds.is_null() && _PyArg_NoKeywords((*tp).tp_name, kwds) == 0 {
                return null_mut();
            }
            let p = oserror_parse_args(args);
            if tp == &raw mut _PyExc_OSError && !p.myerrno.is_null() && PyLong_Check(p.myerrno) != 0 {
                let code = crate::longobject::to_i64(p.myerrno.cast()).and_then(|i| c_int::try_from(i).ok());
                tp = code.and_then(errno_class).unwrap_or(tp);
            }
            parts = Some(p);
        }
        let Some(alloc) = (*tp).tp_alloc else { return null_mut() };
        let op = alloc(tp, 0);
        if op.is_null() {
            return null_mut();
        }
        let e: *mut PyOSErrorObject = op.cast();
        (*e).written = -1;
        (*e).base.args = empty_tuple();
        if let Some(p) = parts
            && oserror_init(e, args, &p).is_err()
        {
            Py_DECREF(op);
            return null_mut();
        }
        op
    }
}

pub(super) unsafe extern "C" fn OSError_init(op: Ob, args: Ob, kwds: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        if !oserror_use_init(tp) {
            // __new__ did it all.
            return 0;
        }
        if !kwds.is_null() && _PyArg_NoKeywords((*tp).tp_name, kwds) == 0 {
            return -1;
        }
        oserror_init(op.cast(), args, &oserror_parse_args(args)).into_c()
    }
}

pub(super) unsafe extern "C" fn OSError_str(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let e: *mut PyOSErrorObject = op.cast();
        let or_none = |p: Ob| if p.is_null() { Py_None() } else { p };
        let (code, text) = (or_none((*e).myerrno), or_none((*e).strerror));
        if !(*e).filename.is_null() {
            if !(*e).filename2.is_null() {
                let format = c"[Errno %S] %S: %R -> %R".as_ptr();
                return PyUnicode_FromFormat(format, code, text, (*e).filename, (*e).filename2);
            }
            return PyUnicode_FromFormat(c"[Errno %S] %S: %R".as_ptr(), code, text, (*e).filename);
        }
        if !(*e).myerrno.is_null() && !(*e).strerror.is_null() {
            return PyUnicode_FromFormat(c"[Errno %S] %S".as_ptr(), code, text);
        }
        BaseException_str(op)
    }
}

fn OSError_reduce(e: OsErr<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] file names go back to their places in the arguments.
    unsafe {
        let args = e.base.args;
        if Py_SIZE(args) != 2 || e.filename.is_null() {
            return reduce_as(e.ob(), args, e.base.dict);
        }
        let all = [*tuple_items(args), *tuple_items(args).add(1), e.filename, Py_None(), e.filename2];
        let n = if e.filename2.is_null() { 3 } else { 5 };
        let args = Owned::from_owned_or_err(tuple_from_array(all.as_ptr(), n))?;
        reduce_as(e.ob(), args.as_ptr(), e.base.dict)
    }
}

fn OSError_written_get(e: OsErr<'_>) -> PyResult<isize> {
    if e.written == -1 {
        bail!(PyExc_AttributeError, "characters_written");
    }
    Ok(e.written)
}

fn OSError_written_set(e: OsErr<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let n = match value {
            None if e.written == -1 => bail!(PyExc_AttributeError, "characters_written"),
            None => -1,
            Some(v) => {
                let n = PyNumber_AsSsize_t(v.ob(), PyExc_ValueError);
                if n == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                n
            }
        };
        (*e.as_ptr()).written = n;
        Ok(())
    }
}

methods! { pub(super) static OSERROR_METHODS = [
    "__reduce__($self, /)" => OSError_reduce, "";
]; }
members! { pub(super) static OSERROR_MEMBERS = [
    "errno", Py_T_OBJECT, offset_of!(PyOSErrorObject, myerrno), 0, "error number";
    "strerror", Py_T_OBJECT, offset_of!(PyOSErrorObject, strerror), 0, "message";
    "filename", Py_T_OBJECT, offset_of!(PyOSErrorObject, filename), 0, "file";
    "filename2", Py_T_OBJECT, offset_of!(PyOSErrorObject, filename2), 0, "second file";
]; }
getset! { pub(super) static OSERROR_GETSET = [
    "characters_written" => OSError_written_get, OSError_written_set, "";
]; }
