//! The error convention: `Err(Raised)` means that the current thread state holds the exception.

use crate::*;

/// Proof that an exception is set in the thread state ([EXC]). Zero-sized; returning it propagates the exception.
#[must_use = "an exception is set: propagate or clear it"]
#[derive(Debug)]
pub struct Raised(());

impl Raised {
    /// States that an exception is set.
    ///
    /// # Safety
    /// The thread state holds an exception.
    #[inline(always)]
    pub unsafe fn assume() -> Self {
        Raised(())
    }

    /// Drops the exception.
    pub fn clear(self) {
        // SAFETY: [GIL]
        unsafe { PyErr_Clear() }
    }

    /// Whether the exception set is an instance of `exc`.
    pub fn matches(&self, exc: *mut PyObject) -> bool {
        // SAFETY: [GIL] [EXC]
        unsafe { PyErr_ExceptionMatches(exc) != 0 }
    }
}

/// What can raise.
pub type PyResult<T = Owned> = Result<T, Raised>;

/// Sets an exception of class `exc` with the text `msg`.
///
/// # Safety
/// `exc` is an exception class; the GIL is held.
#[cold]
pub unsafe fn raise_str(exc: *mut PyObject, msg: &str) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        let text = PyUnicode_FromStringAndSize(msg.as_ptr().cast(), msg.len() as Py_ssize_t);
        if !text.is_null() {
            PyErr_SetObject(exc, text);
            Py_DECREF(text);
        }
        Raised(())
    }
}

/// `raise!(PyExc_TypeError, "format {}", x)`: sets the exception and yields the [`Raised`] to return.
/// For `%R`-like parts call `PyErr_Format` instead, which can itself raise.
#[macro_export]
macro_rules! raise {
    ($exc:ident, $fmt:literal) => {{
        #[allow(unused_unsafe, reason = "usable inside and outside unsafe blocks")]
        // SAFETY: [GIL] [STATIC] exception classes are immortal.
        unsafe { $crate::error::raise_str($crate::$exc, &::std::format!($fmt)) }
    }};
    ($exc:ident, $fmt:literal, $($arg:tt)*) => {{
        #[allow(unused_unsafe, reason = "usable inside and outside unsafe blocks")]
        // SAFETY: [GIL] [STATIC] exception classes are immortal.
        unsafe { $crate::error::raise_str($crate::$exc, &::std::format!($fmt, $($arg)*)) }
    }};
}

/// `bail!(PyExc_TypeError, "format {}", x)`: returns `Err(raise!(..))`.
#[macro_export]
macro_rules! bail {
    ($($t:tt)*) => { return Err($crate::raise!($($t)*)) };
}

/// The name of `op`'s type as CPython prints it with `%.200s` and `Py_TYPE(op)->tp_name`.
///
/// # Safety
/// `op` is live.
pub unsafe fn type_name<'a>(op: *mut PyObject) -> std::borrow::Cow<'a, str> {
    // SAFETY: [ARGS]
    unsafe { tp_name((*op).ob_type) }
}

/// `tp->tp_name`, cut at 200 bytes.
///
/// # Safety
/// `tp` is live.
pub unsafe fn tp_name<'a>(tp: *mut PyTypeObject) -> std::borrow::Cow<'a, str> {
    // SAFETY: [ARGS] tp_name is a NUL-terminated string as long as the type lives.
    unsafe {
        let name = core::ffi::CStr::from_ptr((*tp).tp_name).to_bytes();
        String::from_utf8_lossy(&name[..name.len().min(200)])
    }
}

/// Checks a C status: negative means that an exception is set.
#[inline(always)]
pub fn check_status(status: core::ffi::c_int) -> PyResult<()> {
    // SAFETY: [EXC] the callee's convention.
    if status < 0 { Err(unsafe { Raised::assume() }) } else { Ok(()) }
}

/// Whether an exception is set.
#[inline]
pub fn err_occurred() -> bool {
    // SAFETY: [GIL]
    unsafe { !PyErr_Occurred().is_null() }
}
