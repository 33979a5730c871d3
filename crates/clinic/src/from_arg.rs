//! How Python arguments become Rust values. Each implementation matches one converter of Argument Clinic.

use crate::signature::{Default, Param};
use core::ffi::{c_int, c_long};
use taipan_abi::*;

/// What an argument conversion may mention in its error.
#[derive(Clone, Copy)]
pub struct Where<'s> {
    /// The function.
    pub fname: &'static str,
    /// The parameter.
    pub param: &'s Param,
    /// Its index.
    pub index: usize,
    /// Whether it is positional-only (errors then count instead of naming).
    pub posonly: bool,
    /// Whether it is the only one ("argument" without number).
    pub single: bool,
}

impl Where<'_> {
    /// "fname() argument 1 must be str, not int", as `_PyArg_BadArgument` words it.
    #[cold]
    pub fn bad(&self, expected: &str, arg: *mut PyObject) -> Raised {
        // SAFETY: [ARGS] arg is live.
        let got = unsafe { if arg == Py_None() { "None".into() } else { type_name(arg) } };
        let display = if self.single && self.posonly {
            "argument".to_string()
        } else if self.posonly {
            format!("argument {}", self.index + 1)
        } else {
            format!("argument '{}'", self.param.name)
        };
        raise!(PyExc_TypeError, "{}() {} must be {}, not {}", self.fname, display, expected, got)
    }

    #[cold]
    fn no_default(&self) -> Raised {
        raise!(PyExc_SystemError, "{}(): default of '{}' doesn't fit its type", self.fname, self.param.name)
    }
}

/// A Rust type that an argument converts to.
pub trait FromArg<'a>: Sized {
    /// Converts `arg`, which is NULL when the caller left it out. May run Python code (`__index__` and the like).
    ///
    /// # Safety
    /// `arg` is NULL or stays alive for `'a`.
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self>;
}

/// Any object. Left out, it is `None` if that is the default.
impl<'a> FromArg<'a> for Borrowed<'a> {
    #[inline(always)]
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return match at.param.default {
                    Default::None => Ok(Borrowed::from_ptr(Py_None())),
                    Default::Bool(b) => Ok(Borrowed::from_ptr(if b { Py_True() } else { Py_False() })),
                    _ => Err(at.no_default()),
                };
            }
            Ok(Borrowed::from_ptr(arg))
        }
    }
}

/// Absent becomes `None`; where the default is Python's `None`, that becomes `None` too, otherwise Python's `None` is
/// handed to the inner conversion like any object.
impl<'a, T: FromArg<'a>> FromArg<'a> for Option<T> {
    #[inline(always)]
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() || (at.param.default == Default::None && arg == Py_None()) {
                return Ok(None);
            }
            T::from_arg(arg, at).map(Some)
        }
    }
}

/// A required argument that may be Python's `None`.
pub struct OrNone<T>(pub Option<T>);
impl<'a, T: FromArg<'a>> FromArg<'a> for OrNone<T> {
    #[inline(always)]
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() || arg == Py_None() {
                return Ok(OrNone(None));
            }
            Ok(OrNone(Some(T::from_arg(arg, at)?)))
        }
    }
}

/// `Py_ssize_t` through `__index__`; OverflowError when it does not fit.
impl<'a> FromArg<'a> for isize {
    #[inline]
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return if let Default::Int(i) = at.param.default { Ok(i as isize) } else { Err(at.no_default()) };
            }
            let value = if PyLong_Check(arg) != 0 {
                PyLong_AsSsize_t(arg)
            } else {
                PyLong_AsSsize_t(Owned::from_owned_or_err(PyNumber_Index(arg))?.as_ptr())
            };
            if value == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(value) }
        }
    }
}

macro_rules! int_arg {
    ($($t:ty, $f:ident, $lo:expr, $hi:expr, $small:literal, $big:literal;)*) => { $(
        #[doc = concat!("Integer through `__index__`, range-checked to `", stringify!($t), "`.")]
        impl<'a> FromArg<'a> for $t {
            unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
                // SAFETY: [ARGS]
                unsafe {
                    if arg.is_null() {
                        return if let Default::Int(i) = at.param.default { Ok(i as $t) } else { Err(at.no_default()) };
                    }
                    let value = $f(arg);
                    if value == -1 && err_occurred() {
                        return Err(Raised::assume());
                    }
                    if (value as i128) > ($hi as i128) { bail!(PyExc_OverflowError, $big); }
                    if (value as i128) < ($lo as i128) { bail!(PyExc_OverflowError, $small); }
                    Ok(value as $t)
                }
            }
        }
    )* };
}
int_arg! {
    i32, PyLong_AsInt, i32::MIN, i32::MAX, "", "";
    i64, PyLong_AsLongLong, i64::MIN, i64::MAX, "", "";
    i16, PyLong_AsLong, i16::MIN, i16::MAX, "signed short integer is less than minimum", "signed short integer is greater than maximum";
    u8, PyLong_AsLong, 0, u8::MAX, "unsigned byte integer is less than minimum", "unsigned byte integer is greater than maximum";
}

macro_rules! mask_arg {
    ($($t:ty, $f:ident;)*) => { $(
        #[doc = concat!("Integer through `__index__`, taken modulo the width of `", stringify!($t), "` (format units I, k, K).")]
        impl<'a> FromArg<'a> for $t {
            unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
                // SAFETY: [ARGS]
                unsafe {
                    if arg.is_null() {
                        return if let Default::Int(i) = at.param.default { Ok(i as $t) } else { Err(at.no_default()) };
                    }
                    let value = $f(arg);
                    if value as i64 == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(value as $t) }
                }
            }
        }
    )* };
}
mask_arg! { u32, PyLong_AsUnsignedLongMask; u64, PyLong_AsUnsignedLongLongMask; }

impl<'a> FromArg<'a> for usize {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return if let Default::Int(i) = at.param.default { Ok(i as usize) } else { Err(at.no_default()) };
            }
            let value = PyLong_AsSize_t(arg);
            if value == usize::MAX && err_occurred() { Err(Raised::assume()) } else { Ok(value) }
        }
    }
}

/// `double` through `__float__` or `__index__`.
impl<'a> FromArg<'a> for f64 {
    #[inline]
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return match at.param.default {
                    Default::Int(i) => Ok(i as f64),
                    Default::Other(t) => t.parse().map_err(|_| at.no_default()),
                    _ => Err(at.no_default()),
                };
            }
            let value = PyFloat_AsDouble(arg);
            if value == -1.0 && err_occurred() { Err(Raised::assume()) } else { Ok(value) }
        }
    }
}

/// Truth value (format unit p).
impl<'a> FromArg<'a> for bool {
    #[inline]
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return match at.param.default {
                    Default::Bool(b) => Ok(b),
                    Default::Int(i) => Ok(i != 0),
                    _ => Err(at.no_default()),
                };
            }
            let truth: c_int = PyObject_IsTrue(arg);
            if truth < 0 { Err(Raised::assume()) } else { Ok(truth != 0) }
        }
    }
}

/// UTF-8 text of a `str` without lone surrogates; NUL characters are allowed.
impl<'a> FromArg<'a> for &'a str {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS] the cached UTF-8 lives as long as the object.
        unsafe {
            if arg.is_null() {
                return if let Default::Str(s) = at.param.default { Ok(s) } else { Err(at.no_default()) };
            }
            if PyUnicode_Check(arg) == 0 {
                return Err(at.bad("str", arg));
            }
            let mut size = 0;
            let p = PyUnicode_AsUTF8AndSize(arg, &mut size);
            if p.is_null() {
                return Err(Raised::assume());
            }
            Ok(core::str::from_utf8_unchecked(core::slice::from_raw_parts(p.cast(), size as usize)))
        }
    }
}

macro_rules! typed_arg {
    ($($(#[$m:meta])* $name:ident, $check:ident, $expected:literal;)*) => { $(
        $(#[$m])*
        #[derive(Clone, Copy)]
        pub struct $name<'a>(pub Borrowed<'a>);
        impl<'a> FromArg<'a> for $name<'a> {
            #[inline]
            unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
                // SAFETY: [ARGS]
                unsafe {
                    if arg.is_null() {
                        return Err(at.no_default());
                    }
                    if $check(arg) == 0 {
                        return Err(at.bad($expected, arg));
                    }
                    Ok($name(Borrowed::from_ptr(arg)))
                }
            }
        }
        impl<'a> core::ops::Deref for $name<'a> {
            type Target = Borrowed<'a>;
            fn deref(&self) -> &Borrowed<'a> { &self.0 }
        }
    )* };
}
typed_arg! {
    /// A `str` object (format unit U).
    Str, PyUnicode_Check, "str";
    /// A `bytes` object (format unit S).
    Bytes, PyBytes_Check, "bytes";
    /// A `tuple` object.
    Tuple, PyTuple_Check, "tuple";
    /// A `dict` object.
    Dict, PyDict_Check, "dict";
    /// A type object.
    TypeArg, PyType_Check, "type";
}

/// One character (format unit C).
#[derive(Clone, Copy)]
pub struct Char(pub u32);
impl<'a> FromArg<'a> for Char {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return match at.param.default {
                    Default::Str(s) => s.chars().next().map(|c| Char(c as u32)).ok_or_else(|| at.no_default()),
                    _ => Err(at.no_default()),
                };
            }
            if PyUnicode_Check(arg) == 0 {
                return Err(at.bad("a unicode character", arg));
            }
            if PyUnicode_GetLength(arg) != 1 {
                return Err(at.bad("a unicode character", arg));
            }
            Ok(Char(PyUnicode_ReadChar(arg, 0)))
        }
    }
}

/// Contiguous bytes of a bytes-like object (format unit `y*`), released on drop.
pub struct BufferView(Py_buffer);
impl BufferView {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        if self.0.len == 0 {
            return &[];
        }
        // SAFETY: the exporter keeps buf valid until release.
        unsafe { core::slice::from_raw_parts(self.0.buf.cast(), self.0.len as usize) }
    }
    /// The raw view.
    pub fn raw(&self) -> &Py_buffer {
        &self.0
    }
    /// Gets a simple, contiguous view of `arg`; TypeError unless it is bytes-like.
    ///
    /// # Safety
    /// `arg` is live.
    pub unsafe fn get(arg: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [ARGS] a simple view has no pointer into itself: it may be moved.
        unsafe {
            let mut view = core::mem::zeroed::<Py_buffer>();
            check_status(PyObject_GetBuffer(arg, &mut view, PyBUF_SIMPLE))?;
            Ok(BufferView(view))
        }
    }
    /// As [`BufferView::get`], writable (format unit `w*`).
    ///
    /// # Safety
    /// `arg` is live.
    pub unsafe fn get_writable(arg: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            let mut view = core::mem::zeroed::<Py_buffer>();
            check_status(PyObject_GetBuffer(arg, &mut view, PyBUF_WRITABLE))?;
            Ok(BufferView(view))
        }
    }
}
impl Drop for BufferView {
    fn drop(&mut self) {
        // SAFETY: filled by PyObject_GetBuffer.
        unsafe { PyBuffer_Release(&mut self.0) }
    }
}
impl<'a> FromArg<'a> for BufferView {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return Err(at.no_default());
            }
            if PyObject_CheckBuffer(arg) == 0 {
                bail!(PyExc_TypeError, "a bytes-like object is required, not '{}'", type_name(arg));
            }
            BufferView::get(arg)
        }
    }
}

/// The arguments of `*args`, borrowed.
#[derive(Clone, Copy)]
pub struct Args<'a>(pub &'a [*mut PyObject]);
impl<'a> Args<'a> {
    /// As objects.
    pub fn iter(&self) -> impl Iterator<Item = Borrowed<'a>> + use<'a> {
        // SAFETY: the caller's arguments outlive the call.
        self.0.iter().map(|&p| unsafe { Borrowed::from_ptr(p) })
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// A new tuple of them.
    pub fn to_tuple(&self) -> PyResult<Owned> {
        // SAFETY: [ARGS]
        unsafe { Owned::from_owned_or_err(_PyTuple_FromArray(self.0.as_ptr(), self.0.len() as Py_ssize_t)) }
    }
}

/// The keywords that no parameter took: those of `**kwargs`.
#[derive(Clone, Copy)]
pub struct Kwargs<'a> {
    names: *mut PyObject,
    values: *const *mut PyObject,
    taken: &'a [&'static str],
}
impl<'a> Kwargs<'a> {
    pub(crate) fn new(names: *mut PyObject, values: *const *mut PyObject, taken: &'a [&'static str]) -> Self {
        Kwargs { names, values, taken }
    }
    /// Name and value of each.
    pub fn pairs(&self) -> Vec<(Borrowed<'a>, Borrowed<'a>)> {
        let mut all = Vec::new();
        if self.names.is_null() {
            return all;
        }
        // SAFETY: the caller's arguments outlive the call; one value a name.
        unsafe {
            for i in 0..PyTuple_GET_SIZE(self.names) {
                let name = PyTuple_GET_ITEM(self.names, i);
                let mut size = 0;
                let p = PyUnicode_AsUTF8AndSize(name, &mut size);
                if p.is_null() {
                    PyErr_Clear();
                } else {
                    let text = core::slice::from_raw_parts(p.cast::<u8>(), size as usize);
                    if self.taken.iter().any(|t| t.as_bytes() == text) {
                        continue;
                    }
                }
                all.push((Borrowed::from_ptr(name), Borrowed::from_ptr(*self.values.add(i as usize))));
            }
        }
        all
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_null() || self.pairs().is_empty()
    }
    /// A new dict of them.
    pub fn to_dict(&self) -> PyResult<Owned> {
        // SAFETY: [GIL]
        unsafe {
            let dict = Owned::from_owned_or_err(PyDict_New())?;
            for (name, value) in self.pairs() {
                check_status(PyDict_SetItem(dict.as_ptr(), name.ob(), value.ob()))?;
            }
            Ok(dict)
        }
    }
}

const _: () = assert!(size_of::<c_long>() == 8);
