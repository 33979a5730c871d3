//! The errors of text encodings and the functions with which codecs read and adjust them.

use super::*;
use core::ptr::null_mut;
use taipan_clinic::{BufferView, members};

type Ob = *mut PyObject;
type Err = *mut PyUnicodeErrorObject;

members! { pub(super) static UNICODE_MEMBERS = [
    "encoding", Py_T_OBJECT, offset_of!(PyUnicodeErrorObject, encoding), 0, "the encoding";
    "object", Py_T_OBJECT, offset_of!(PyUnicodeErrorObject, object), 0, "what was to be converted";
    "start", Py_T_PYSSIZET, offset_of!(PyUnicodeErrorObject, start), 0, "where the trouble starts";
    "end", Py_T_PYSSIZET, offset_of!(PyUnicodeErrorObject, end), 0, "where it ends";
    "reason", Py_T_OBJECT, offset_of!(PyUnicodeErrorObject, reason), 0, "what is wrong";
]; }

/// Parses the arguments of a constructor by `format`; the encoding is left out when translating.
unsafe fn unicode_error_init(op: Ob, args: Ob, kwds: Ob, format: *const c_char, encoding: bool) -> c_int {
    // SAFETY: [ARGS] the format asks for what it is given places for.
    unsafe {
        if BaseException_init(op, args, kwds) < 0 {
            return -1;
        }
        let e: Err = op.cast();
        if encoding {
            setref(&raw mut (*e).encoding, null_mut());
        }
        setref(&raw mut (*e).object, null_mut());
        setref(&raw mut (*e).reason, null_mut());
        let (mut enc, mut obj, mut reason): (Ob, Ob, Ob) = (null_mut(), null_mut(), null_mut());
        let (start, end) = (&raw mut (*e).start, &raw mut (*e).end);
        let ok = if encoding {
            PyArg_ParseTuple(args, format, &raw mut enc, &raw mut obj, start, end, &raw mut reason)
        } else {
            PyArg_ParseTuple(args, format, &raw mut obj, start, end, &raw mut reason)
        };
        if ok == 0 {
            return -1;
        }
        if encoding {
            (*e).encoding = Py_NewRef(enc);
        }
        (*e).object = Py_NewRef(obj);
        (*e).reason = Py_NewRef(reason);
        0
    }
}

pub(super) unsafe extern "C" fn UnicodeEncodeError_init(op: Ob, args: Ob, kwds: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe { unicode_error_init(op, args, kwds, c"UUnnU".as_ptr(), true) }
}

pub(super) unsafe extern "C" fn UnicodeTranslateError_init(op: Ob, args: Ob, kwds: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe { unicode_error_init(op, args, kwds, c"UnnU".as_ptr(), false) }
}

pub(super) unsafe extern "C" fn UnicodeDecodeError_init(op: Ob, args: Ob, kwds: Ob) -> c_int {
    // SAFETY: [ARGS] any bytes-like object is copied.
    unsafe {
        if unicode_error_init(op, args, kwds, c"UOnnU".as_ptr(), true) < 0 {
            return -1;
        }
        let e: Err = op.cast();
        if PyBytes_Check((*e).object) != 0 {
            return 0;
        }
        let bytes = BufferView::get((*e).object).and_then(|view| {
            let data = view.as_bytes();
            Owned::from_owned_or_err(PyBytes_FromStringAndSize(data.as_ptr().cast(), data.len() as Py_ssize_t))
        });
        match bytes {
            Ok(bytes) => {
                setref(&raw mut (*e).object, bytes.into_raw());
                0
            }
            Err(_) => {
                setref(&raw mut (*e).encoding, null_mut());
                setref(&raw mut (*e).object, null_mut());
                setref(&raw mut (*e).reason, null_mut());
                -1
            }
        }
    }
}

/// The strings of reason and encoding, whatever they were set to meanwhile.
unsafe fn str_of(p: Ob) -> PyResult<Owned> {
    // SAFETY: NULL gives "<NULL>" as in C.
    unsafe { Owned::from_owned_or_err(PyObject_Str(p)) }
}

/// The one item in question, if it is one.
fn single(len: isize, start: isize, end: isize) -> bool {
    start >= 0 && start < len && end >= 0 && end <= len && end == start + 1
}

/// A character as it is shown in messages: `\x..`, `\u....` or `\U........`.
fn escape(c: u32) -> String {
    match c {
        0..=0xff => format!("\\x{c:02x}\0"),
        0x100..=0xffff => format!("\\u{c:04x}\0"),
        _ => format!("\\U{c:08x}\0"),
    }
}

unsafe fn unicode_error_str(op: Ob, verb: &core::ffi::CStr, with_encoding: bool) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let e: Err = op.cast();
        if (*e).object.is_null() {
            // Never initialised.
            return Owned::from_owned_or_err(PyUnicode_FromStringAndSize(core::ptr::null(), 0));
        }
        let reason = str_of((*e).reason)?;
        let encoding = if with_encoding { Some(str_of((*e).encoding)?) } else { None };
        let (start, end) = ((*e).start, (*e).end);
        let obj = (*e).object;
        let bytes = PyBytes_Check(obj) != 0;
        let len = if bytes { Py_SIZE(obj) } else if PyUnicode_Check(obj) != 0 { PyUnicode_GET_LENGTH(obj) } else { 0 };
        let head = match &encoding {
            Some(enc) => Owned::from_owned_or_err(PyUnicode_FromFormat(c"'%U' codec can't %s".as_ptr(), enc.as_ptr(), verb.as_ptr()))?,
            None => Owned::from_owned_or_err(PyUnicode_FromFormat(c"can't %s".as_ptr(), verb.as_ptr()))?,
        };
        let text = if !single(len, start, end) {
            let what = if bytes { c"bytes" } else { c"characters" };
            let format = c"%U %s in position %zd-%zd: %U".as_ptr();
            PyUnicode_FromFormat(format, head.as_ptr(), what.as_ptr(), start, end - 1, reason.as_ptr())
        } else if bytes {
            let b = *PyBytes_AsString(obj).add(start as usize) as u8 as c_int;
            PyUnicode_FromFormat(c"%U byte 0x%02x in position %zd: %U".as_ptr(), head.as_ptr(), b, start, reason.as_ptr())
        } else {
            let shown = escape(PyUnicode_ReadChar(obj, start));
            let format = c"%U character '%s' in position %zd: %U".as_ptr();
            PyUnicode_FromFormat(format, head.as_ptr(), shown.as_ptr().cast::<c_char>(), start, reason.as_ptr())
        };
        Owned::from_owned_or_err(text)
    }
}

pub(super) unsafe extern "C" fn UnicodeEncodeError_str(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { unicode_error_str(op, c"encode", true).into_c() }
}

pub(super) unsafe extern "C" fn UnicodeDecodeError_str(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { unicode_error_str(op, c"decode", true).into_c() }
}

pub(super) unsafe extern "C" fn UnicodeTranslateError_str(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { unicode_error_str(op, c"translate", false).into_c() }
}

/// An attribute that must be a str, or bytes; a new reference.
unsafe fn get_checked(attr: Ob, name: &str, bytes: bool) -> PyResult<Owned> {
    // SAFETY: [ARGS] NULL or live.
    unsafe {
        if attr.is_null() {
            bail!(PyExc_TypeError, "{} attribute not set", name);
        }
        if bytes && PyBytes_Check(attr) == 0 {
            bail!(PyExc_TypeError, "{} attribute must be bytes", name);
        }
        if !bytes && PyUnicode_Check(attr) == 0 {
            bail!(PyExc_TypeError, "{} attribute must be unicode", name);
        }
        Ok(Owned::from_borrowed(attr))
    }
}

unsafe fn object_length(e: Err, bytes: bool) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe {
        let obj = get_checked((*e).object, "object", bytes)?;
        Ok(if bytes { Py_SIZE(obj.as_ptr()) } else { PyUnicode_GET_LENGTH(obj.as_ptr()) })
    }
}

/// Start, brought into the object's bounds.
unsafe fn get_start(e: Err, out: *mut Py_ssize_t, bytes: bool) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(size) = object_length(e, bytes) else { return -1 };
        *out = (*e).start.max(0);
        if *out >= size {
            *out = size - 1;
        }
        0
    }
}

/// End, brought into the object's bounds.
unsafe fn get_end(e: Err, out: *mut Py_ssize_t, bytes: bool) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(size) = object_length(e, bytes) else { return -1 };
        *out = (*e).end.max(1).min(size);
        0
    }
}

unsafe fn set_reason(e: Err, reason: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let text = PyUnicode_FromString(reason);
        if text.is_null() {
            return -1;
        }
        setref(&raw mut (*e).reason, text);
        0
    }
}

macro_rules! accessors {
    ($bytes:literal; $get_object:ident $get_start:ident $set_start:ident $get_end:ident $set_end:ident $get_reason:ident $set_reason:ident) => {
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $get_object(e: Ob) -> Ob {
            // SAFETY: [ARGS]
            unsafe { get_checked((*e.cast::<PyUnicodeErrorObject>()).object, "object", $bytes).into_c() }
        }
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $get_start(e: Ob, start: *mut Py_ssize_t) -> c_int {
            // SAFETY: [ARGS]
            unsafe { get_start(e.cast(), start, $bytes) }
        }
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $set_start(e: Ob, start: Py_ssize_t) -> c_int {
            // SAFETY: [ARGS]
            unsafe { (*e.cast::<PyUnicodeErrorObject>()).start = start }
            0
        }
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $get_end(e: Ob, end: *mut Py_ssize_t) -> c_int {
            // SAFETY: [ARGS]
            unsafe { get_end(e.cast(), end, $bytes) }
        }
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $set_end(e: Ob, end: Py_ssize_t) -> c_int {
            // SAFETY: [ARGS]
            unsafe { (*e.cast::<PyUnicodeErrorObject>()).end = end }
            0
        }
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $get_reason(e: Ob) -> Ob {
            // SAFETY: [ARGS]
            unsafe { get_checked((*e.cast::<PyUnicodeErrorObject>()).reason, "reason", false).into_c() }
        }
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $set_reason(e: Ob, reason: *const c_char) -> c_int {
            // SAFETY: [ARGS]
            unsafe { set_reason(e.cast(), reason) }
        }
    };
}
accessors! { false;
    PyUnicodeEncodeError_GetObject PyUnicodeEncodeError_GetStart PyUnicodeEncodeError_SetStart PyUnicodeEncodeError_GetEnd
    PyUnicodeEncodeError_SetEnd PyUnicodeEncodeError_GetReason PyUnicodeEncodeError_SetReason }
accessors! { true;
    PyUnicodeDecodeError_GetObject PyUnicodeDecodeError_GetStart PyUnicodeDecodeError_SetStart PyUnicodeDecodeError_GetEnd
    PyUnicodeDecodeError_SetEnd PyUnicodeDecodeError_GetReason PyUnicodeDecodeError_SetReason }
accessors! { false;
    PyUnicodeTranslateError_GetObject PyUnicodeTranslateError_GetStart PyUnicodeTranslateError_SetStart
    PyUnicodeTranslateError_GetEnd PyUnicodeTranslateError_SetEnd PyUnicodeTranslateError_GetReason
    PyUnicodeTranslateError_SetReason }

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicodeEncodeError_GetEncoding(e: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { get_checked((*e.cast::<PyUnicodeErrorObject>()).encoding, "encoding", false).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicodeDecodeError_GetEncoding(e: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { get_checked((*e.cast::<PyUnicodeErrorObject>()).encoding, "encoding", false).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicodeDecodeError_Create(
    encoding: *const c_char,
    object: *const c_char,
    length: Py_ssize_t,
    start: Py_ssize_t,
    end: Py_ssize_t,
    reason: *const c_char,
) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        PyObject_CallFunction(PyExc_UnicodeDecodeError, c"sy#nns".as_ptr(), encoding, object, length, start, end, reason)
    }
}

/// A new UnicodeTranslateError.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicodeTranslateError_Create(object: Ob, start: Py_ssize_t, end: Py_ssize_t, reason: *const c_char) -> Ob {
    // SAFETY: [ARGS]
    unsafe { PyObject_CallFunction(PyExc_UnicodeTranslateError, c"Onns".as_ptr(), object, start, end, reason) }
}
