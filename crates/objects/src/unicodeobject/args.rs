//! Argument conversions that only `str`, `bytes` and `bytearray` need.

use super::layout::*;
use core::ffi::{CStr, c_char};
use core::ptr::null;
use taipan_abi::*;
use taipan_clinic::FromArg;
use taipan_clinic::from_arg::Where;

/// NUL-terminated UTF-8 text of a str (format unit s), lent by its cache.
#[derive(Clone, Copy)]
pub struct CText(pub *const c_char);

impl CText {
    /// The pointer, NULL for an absent argument.
    pub fn or_null(text: Option<CText>) -> *const c_char {
        text.map_or(null(), |t| t.0)
    }
}

/// UTF-8 of `op` (a str), which must not contain NUL.
///
/// # Safety
/// `op` is a str.
pub unsafe fn utf8_no_nul(op: *mut PyObject) -> PyResult<CText> {
    // SAFETY: [TYPE] the cached text ends with a NUL.
    unsafe {
        let mut size = 0;
        let p = PyUnicode_AsUTF8AndSize(op, &mut size);
        if p.is_null() {
            return Err(Raised::assume());
        }
        if CStr::from_ptr(p).to_bytes().len() != size as usize {
            bail!(PyExc_ValueError, "embedded null character");
        }
        Ok(CText(p))
    }
}

impl<'a> FromArg<'a> for CText {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return Ok(CText(null()));
            }
            if PyUnicode_Check(arg) == 0 {
                return Err(at.bad("str", arg));
            }
            utf8_no_nul(arg)
        }
    }
}

/// The fill character of the padding methods.
#[derive(Clone, Copy)]
pub struct FillChar(pub u32);

impl<'a> FromArg<'a> for FillChar {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return Ok(FillChar(32));
            }
            if PyUnicode_Check(arg) == 0 {
                PyErr_Format(
                    PyExc_TypeError,
                    c"The fill character must be a unicode character, not %.100s".as_ptr(),
                    (*(*arg).ob_type).tp_name,
                );
                return Err(Raised::assume());
            }
            match text_of(arg).at(0) {
                Some(c) if length(arg) == 1 => Ok(FillChar(c)),
                _ => bail!(PyExc_TypeError, "The fill character must be exactly one character long"),
            }
        }
    }
}

/// A start or stop argument: an index that is clamped, or `None` for `default`.
///
/// # Safety
/// `op` is live.
#[inline]
pub unsafe fn slice_index(op: *mut PyObject, default: isize) -> PyResult<isize> {
    // SAFETY: [ARGS]
    unsafe {
        if op == Py_None() {
            return Ok(default);
        }
        if PyIndex_Check(op) == 0 {
            bail!(PyExc_TypeError, "slice indices must be integers or None or have an __index__ method");
        }
        let i = PyNumber_AsSsize_t(op, core::ptr::null_mut());
        if i == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(i) }
    }
}

/// The optional start and stop arguments that follow a first one.
///
/// # Safety
/// `args` holds `nargs` live objects, one to three.
#[inline]
pub unsafe fn slice_args(args: *mut *mut PyObject, nargs: Py_ssize_t) -> PyResult<(isize, isize)> {
    // SAFETY: [ARGS]
    unsafe {
        let start = if nargs > 1 { slice_index(*args.add(1), 0)? } else { 0 };
        let end = if nargs > 2 { slice_index(*args.add(2), isize::MAX)? } else { isize::MAX };
        Ok((start, end))
    }
}

/// Declares the C entry of a method `name($self, sub[, start[, end]], /)`: the body sees the receiver, the first argument
/// and the bounds.
#[macro_export]
macro_rules! slice_method {
    ($(#[$m:meta])* $entry:ident, $name:literal, |$slf:ident, $sub:ident, $start:ident, $end:ident| $body:expr) => {
        $(#[$m])*
        unsafe extern "C" fn $entry(slf: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
            // SAFETY: [ARGS] method calling convention; the count is checked before arguments are read.
            unsafe {
                if !(1..=3).contains(&nargs) && _PyArg_CheckPositional(::core::concat!($name, "\0").as_ptr().cast(), nargs, 1, 3) == 0 {
                    return ::core::ptr::null_mut();
                }
                let run = || -> PyResult<*mut PyObject> {
                    let $slf = slf;
                    let $sub = *args;
                    let ($start, $end) = $crate::unicodeobject::args::slice_args(args, nargs)?;
                    $body
                };
                run().unwrap_or(::core::ptr::null_mut())
            }
        }
    };
}
