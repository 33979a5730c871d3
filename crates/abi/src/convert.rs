//! From typed results to what C expects: NULL, -1 or the value.

use crate::*;
use core::ffi::c_int;

/// A typed result that has a C convention.
pub trait IntoC {
    /// What the C function returns.
    type C;
    /// Converts; an error becomes the convention's error value (the exception is set already).
    fn into_c(self) -> Self::C;
}

impl<T> IntoC for PyResult<Owned<T>> {
    type C = *mut PyObject;
    #[inline(always)]
    fn into_c(self) -> *mut PyObject {
        match self {
            Ok(o) => o.into_raw().cast(),
            Err(_) => core::ptr::null_mut(),
        }
    }
}
impl IntoC for PyResult<()> {
    type C = c_int;
    #[inline(always)]
    fn into_c(self) -> c_int {
        if self.is_ok() { 0 } else { -1 }
    }
}
impl IntoC for PyResult<bool> {
    type C = c_int;
    #[inline(always)]
    fn into_c(self) -> c_int {
        match self {
            Ok(b) => b as c_int,
            Err(_) => -1,
        }
    }
}
impl IntoC for PyResult<Py_ssize_t> {
    type C = Py_ssize_t;
    #[inline(always)]
    fn into_c(self) -> Py_ssize_t {
        self.unwrap_or(-1)
    }
}
impl IntoC for PyResult<f64> {
    type C = f64;
    #[inline(always)]
    fn into_c(self) -> f64 {
        self.unwrap_or(-1.0)
    }
}
/// `Ok(None)` is NULL without an exception, as iterators' `tp_iternext` and `*_or_opt` look-ups have it.
impl<T> IntoC for PyResult<Option<Owned<T>>> {
    type C = *mut PyObject;
    #[inline(always)]
    fn into_c(self) -> *mut PyObject {
        match self {
            Ok(Some(o)) => o.into_raw().cast(),
            _ => core::ptr::null_mut(),
        }
    }
}
