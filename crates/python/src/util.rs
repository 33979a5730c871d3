//! Small typed helpers over the C API that the runtime's files share.

use core::ffi::{CStr, c_char};
use core::ptr::null_mut;
use taipan_abi::*;

/// Takes over `ptr`; NULL means that an exception is set.
///
/// # Safety
/// `ptr` is NULL with an exception set, or a reference that the caller gives away.
#[inline(always)]
pub unsafe fn own<T>(ptr: *mut T) -> PyResult<Owned<T>> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(ptr) }
}

/// A `None` to return.
#[inline]
pub fn none() -> Owned {
    // SAFETY: None is immortal.
    unsafe { Owned::from_borrowed(Py_None()) }
}

/// A new `str`.
pub fn new_str(text: &str) -> PyResult<Owned> {
    // SAFETY: [GIL] a Rust str is UTF-8.
    unsafe { own(PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t)) }
}

/// A new `str` from the bytes of a file name, argument or environment variable (filesystem encoding).
pub fn fs_decode(bytes: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyUnicode_DecodeFSDefaultAndSize(bytes.as_ptr().cast(), bytes.len() as Py_ssize_t)) }
}

/// A `str` in the filesystem encoding, as `os.fsencode` gives it.
///
/// # Safety
/// `op` is live.
pub unsafe fn fs_encode(op: *mut PyObject) -> PyResult<Vec<u8>> {
    // SAFETY: [ARGS]
    unsafe {
        let b = own(PyUnicode_EncodeFSDefault(op))?;
        Ok(bytes_of(b.as_ptr()).to_vec())
    }
}

/// The content of a `bytes` object.
///
/// # Safety
/// `op` is a `bytes` object that outlives the result.
pub unsafe fn bytes_of<'a>(op: *mut PyObject) -> &'a [u8] {
    // SAFETY: [TYPE]
    unsafe { core::slice::from_raw_parts(PyBytes_AsString(op).cast(), PyBytes_Size(op) as usize) }
}

/// A new `int`.
pub fn new_int(value: i64) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyLong_FromLongLong(value)) }
}

/// `True` or `False`.
pub fn new_bool(value: bool) -> Owned {
    // SAFETY: immortal.
    unsafe { Owned::from_borrowed(if value { Py_True() } else { Py_False() }) }
}

/// A new tuple of counted references.
///
/// # Safety
/// All items are live.
pub unsafe fn tuple(items: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(_PyTuple_FromArray(items.as_ptr(), items.len() as Py_ssize_t)) }
}

/// The UTF-8 text of a `str`; UnicodeEncodeError when it has lone surrogates.
///
/// # Safety
/// `op` is a `str` that outlives the result.
pub unsafe fn utf8<'a>(op: *mut PyObject) -> PyResult<&'a str> {
    // SAFETY: [ARGS] the cached UTF-8 lives as long as the object.
    unsafe {
        let mut size = 0;
        let p = PyUnicode_AsUTF8AndSize(op, &mut size);
        if p.is_null() {
            return Err(Raised::assume());
        }
        Ok(core::str::from_utf8_unchecked(core::slice::from_raw_parts(p.cast(), size as usize)))
    }
}

/// The text of a `str` for messages: what cannot be said in UTF-8 is escaped; never fails, keeps the exception state.
///
/// # Safety
/// `op` is NULL or live.
pub unsafe fn lossy(op: *mut PyObject) -> String {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() || PyUnicode_Check(op) == 0 {
            return String::from("?");
        }
        let saved = PyErr_GetRaisedException();
        let b = PyUnicode_AsEncodedString(op, c"utf-8".as_ptr(), c"backslashreplace".as_ptr());
        let text = match Owned::from_owned_or_opt(b) {
            Some(b) => String::from_utf8_lossy(bytes_of(b.as_ptr())).into_owned(),
            None => {
                PyErr_Clear();
                String::from("?")
            }
        };
        if !saved.is_null() {
            PyErr_SetRaisedException(saved);
        }
        text
    }
}

/// `repr(op)` for a message.
///
/// # Safety
/// `op` is live.
pub unsafe fn repr(op: *mut PyObject) -> PyResult<String> {
    // SAFETY: [ARGS]
    unsafe {
        let r = own(PyObject_Repr(op))?;
        Ok(lossy(r.as_ptr()))
    }
}

/// Calls with positional arguments.
///
/// # Safety
/// All are live.
pub unsafe fn call(callable: *mut PyObject, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyObject_Vectorcall(callable, args.as_ptr(), args.len(), null_mut())) }
}

/// Calls the method `name` with positional arguments.
///
/// # Safety
/// All are live; `name` is an interned str.
pub unsafe fn call_method(op: *mut PyObject, name: *mut PyObject, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let mut stack = [null_mut(); 8];
        debug_assert!(args.len() < stack.len());
        stack[0] = op;
        stack[1..=args.len()].copy_from_slice(args);
        own(PyObject_VectorcallMethod(name, stack.as_ptr(), args.len() + 1, null_mut()))
    }
}

/// `getattr(op, name)`.
///
/// # Safety
/// Both are live.
pub unsafe fn getattr(op: *mut PyObject, name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyObject_GetAttr(op, name)) }
}

/// `getattr(op, name)`, `None` where there is no such attribute.
///
/// # Safety
/// Both are live.
pub unsafe fn getattr_opt(op: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let mut value = null_mut();
        check_status(PyObject_GetOptionalAttr(op, name, &mut value))?;
        Ok(Owned::from_owned_or_opt(value))
    }
}

/// `dict.get(key)`.
///
/// # Safety
/// `dict` is a dict, `key` is live.
pub unsafe fn dict_get(dict: *mut PyObject, key: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let mut value = null_mut();
        check_status(PyDict_GetItemRef(dict, key, &mut value))?;
        Ok(Owned::from_owned_or_opt(value))
    }
}

/// `dict[key] = value`.
///
/// # Safety
/// `dict` is a dict, the others are live.
pub unsafe fn dict_set(dict: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { check_status(PyDict_SetItem(dict, key, value)) }
}

/// `dict[name] = value` for a Rust name.
///
/// # Safety
/// `dict` is a dict, `value` is live.
pub unsafe fn dict_set_str(dict: *mut PyObject, name: &str, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let mut key = new_str(name)?.into_raw();
        PyUnicode_InternInPlace(&mut key);
        let r = check_status(PyDict_SetItem(dict, key, value));
        Py_DECREF(key);
        r
    }
}

/// Truth of an object.
///
/// # Safety
/// `op` is live.
pub unsafe fn is_true(op: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let r = PyObject_IsTrue(op);
        if r < 0 { Err(Raised::assume()) } else { Ok(r != 0) }
    }
}

/// Text of a C string, with what is not UTF-8 replaced.
///
/// # Safety
/// `p` is NULL or NUL-terminated and outlives the result.
pub unsafe fn c_text<'a>(p: *const c_char) -> std::borrow::Cow<'a, str> {
    if p.is_null() {
        return "".into();
    }
    // SAFETY: [ARGS]
    unsafe { CStr::from_ptr(p).to_string_lossy() }
}

/// Imports a module by name.
pub fn import(name: &CStr) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyImport_ImportModule(name.as_ptr())) }
}

/// Sets the exception aside while `f` runs; what `f` raises meanwhile is for `f` to handle. Restores it afterwards.
pub fn with_saved_exception<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: [GIL]
    unsafe {
        let saved = PyErr_GetRaisedException();
        let r = f();
        if !saved.is_null() {
            PyErr_SetRaisedException(saved);
        }
        r
    }
}

/// Turns a status of a C function into a result with a value.
#[inline]
pub fn flag(status: core::ffi::c_int) -> PyResult<bool> {
    // SAFETY: [EXC] negative means raised.
    if status < 0 { Err(unsafe { Raised::assume() }) } else { Ok(status != 0) }
}

/// Prints a line to the process's standard error; a closed stream is no reason to fail.
#[macro_export]
macro_rules! errln {
    ($($t:tt)*) => {{
        use ::std::io::Write as _;
        let _ = ::std::writeln!(::std::io::stderr(), $($t)*);
    }};
}

/// Prints to the process's standard error; a closed stream is no reason to fail.
#[macro_export]
macro_rules! err {
    ($($t:tt)*) => {{
        use ::std::io::Write as _;
        let _ = ::std::write!(::std::io::stderr(), $($t)*);
    }};
}
