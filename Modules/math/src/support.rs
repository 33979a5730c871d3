//! What these modules share.

use taipan_abi::*;
use taipan_objects::floatobject::{float_from_f64, float_value};

/// Takes over a new reference, NULL being an exception.
///
/// # Safety
/// As [`Owned::from_owned_or_err`].
#[inline(always)]
pub unsafe fn take(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(op) }
}

/// A float.
#[inline]
pub fn float(x: f64) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { take(float_from_f64(x)) }
}

/// The value of a number, quick for floats and ints.
///
/// # Safety
/// `op` is live.
#[inline]
pub unsafe fn double(op: *mut PyObject) -> PyResult<f64> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyFloat_CheckExact(op) != 0 {
            return Ok(float_value(op));
        }
        let x = if PyLong_CheckExact(op) != 0 { PyLong_AsDouble(op) } else { PyFloat_AsDouble(op) };
        if x == -1.0 && err_occurred() { Err(Raised::assume()) } else { Ok(x) }
    }
}

/// A tuple of owned items.
pub fn tuple<const N: usize>(items: [Owned; N]) -> PyResult<Owned> {
    let raw = items.map(Owned::into_raw);
    // SAFETY: [OWN] the references are given away.
    unsafe { take(_PyTuple_FromArraySteal(raw.as_ptr(), N as Py_ssize_t)) }
}

/// The next item of an iterator; `None` at its end.
///
/// # Safety
/// `it` is a live iterator.
#[inline]
pub unsafe fn next(it: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let item = PyIter_Next(it);
        if item.is_null() {
            return if err_occurred() { Err(Raised::assume()) } else { Ok(None) };
        }
        Ok(Some(Owned::from_owned(item)))
    }
}

/// ValueError: math domain error.
#[cold]
pub fn domain_error() -> Raised {
    raise!(PyExc_ValueError, "math domain error")
}
/// OverflowError: math range error.
#[cold]
pub fn range_error() -> Raised {
    raise!(PyExc_OverflowError, "math range error")
}
