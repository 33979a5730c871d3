//! What the types share: their type objects, making instances, and small conversions.

use crate::calendar::{Hms, Ymd};
use core::ffi::{c_int, c_long};
use taipan_abi::*;

pub use crate::date::{DATE, ISO_CALENDAR_DATE};
pub use crate::datetime::DATETIME;
pub use crate::delta::DELTA;
pub use crate::time::TIME;
pub use crate::tzinfo::{TIMEZONE, TZINFO};

unsafe extern "C" {
    /// A struct_time or number as a timestamp and microseconds.
    pub fn _PyTime_ObjectToTimeval(obj: *mut PyObject, sec: *mut libc::time_t, usec: *mut c_long, round: c_int) -> c_int;
    /// A number as a timestamp.
    pub fn _PyTime_ObjectToTime_t(obj: *mut PyObject, sec: *mut libc::time_t, round: c_int) -> c_int;
    /// Local time of a timestamp; OSError if there is none.
    pub fn _PyTime_localtime(t: libc::time_t, tm: *mut libc::tm) -> c_int;
    /// UTC of a timestamp.
    pub fn _PyTime_gmtime(t: libc::time_t, tm: *mut libc::tm) -> c_int;
    /// What `object.__getstate__` returns.
    pub fn _PyObject_GetState(op: *mut PyObject) -> *mut PyObject;
    /// Quotient, rounded half to even, and remainder.
    pub fn _PyLong_DivmodNear(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject;
}

/// Rounding modes of the time functions.
pub const ROUND_FLOOR: c_int = 0;
/// See [`ROUND_FLOOR`].
pub const ROUND_HALF_EVEN: c_int = 2;

macro_rules! checks {
    ($($(#[$m:meta])* $name:ident, $tp:ident;)*) => { $(
        $(#[$m])*
        #[inline]
        pub fn $name(op: *mut PyObject) -> bool {
            // SAFETY: [ARGS] op is live.
            unsafe { is_instance_of(op, &raw mut $tp) }
        }
    )* };
}
checks! {
    /// `isinstance(op, timedelta)`.
    is_delta, DELTA;
    /// `isinstance(op, date)`.
    is_date, DATE;
    /// `isinstance(op, datetime)`.
    is_datetime, DATETIME;
    /// `isinstance(op, time)`.
    is_time, TIME;
    /// `isinstance(op, tzinfo)`.
    is_tzinfo, TZINFO;
    /// `isinstance(op, timezone)`.
    is_timezone, TIMEZONE;
}

/// `None`, lent.
pub fn none() -> *mut PyObject {
    // SAFETY: address of a static.
    unsafe { Py_None() }
}
/// `None`.
pub fn none_owned() -> Owned {
    // SAFETY: [IMMORTAL]
    unsafe { Owned::from_borrowed(Py_None()) }
}
/// `NotImplemented`.
pub fn not_implemented() -> Owned {
    // SAFETY: [IMMORTAL]
    unsafe { Owned::from_borrowed(Py_NotImplemented()) }
}
/// An int.
pub fn int(n: i64) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyLong_FromLongLong(n)) }
}
/// A str.
pub fn string(text: &str) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t)) }
}
/// A bytes object.
pub fn bytes(data: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyBytes_FromStringAndSize(data.as_ptr().cast(), data.len() as Py_ssize_t)) }
}
/// A tuple of items.
pub fn tuple(items: Vec<Owned>) -> PyResult<Owned> {
    let raw: Vec<*mut PyObject> = items.into_iter().map(Owned::into_raw).collect();
    // SAFETY: [OWN] the references are given away.
    unsafe { Owned::from_owned_or_err(_PyTuple_FromArraySteal(raw.as_ptr(), raw.len() as Py_ssize_t)) }
}
/// A borrowed object, counted.
///
/// # Safety
/// `op` is live.
pub unsafe fn own(op: *mut PyObject) -> Owned {
    // SAFETY: by contract.
    unsafe { Owned::from_borrowed(op) }
}
/// `obj.name()`.
pub fn call_method0(obj: *mut PyObject, name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyObject_CallMethodNoArgs(obj, name)) }
}
/// `obj.name(arg)`.
pub fn call_method1(obj: *mut PyObject, name: *mut PyObject, arg: *mut PyObject) -> PyResult<Owned> {
    let args = [obj, arg];
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyObject_VectorcallMethod(name, args.as_ptr(), 2, core::ptr::null_mut())) }
}
/// `f(*args)` with owned arguments, and with `fold` as keyword unless it is 0.
pub fn call(f: *mut PyObject, args: Vec<Owned>, fold: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let args = tuple(args)?;
        let mut kwargs = None;
        if fold != 0 {
            let dict = Owned::from_owned_or_err(PyDict_New())?;
            check_status(PyDict_SetItem(dict.as_ptr(), intern!("fold"), int(fold as i64)?.as_ptr()))?;
            kwargs = Some(dict);
        }
        let kw = kwargs.as_ref().map_or(core::ptr::null_mut(), |k| k.as_ptr());
        Owned::from_owned_or_err(PyObject_Call(f, args.as_ptr(), kw))
    }
}
/// Ints as owned arguments.
pub fn ints<const N: usize>(values: [i32; N]) -> PyResult<Vec<Owned>> {
    values.into_iter().map(|v| int(v as i64)).collect()
}

/// The name of an object's type, as its repr shows it.
pub fn tp_name_of(op: *mut PyObject) -> String {
    // SAFETY: [ARGS] tp_name is NUL-terminated.
    unsafe { core::ffi::CStr::from_ptr((*type_of(op)).tp_name).to_string_lossy().into_owned() }
}

/// The result of a rich comparison from an ordering.
pub fn compared(order: core::cmp::Ordering, op: c_int) -> Owned {
    let truth = match op {
        Py_LT => order.is_lt(),
        Py_LE => order.is_le(),
        Py_EQ => order.is_eq(),
        Py_NE => order.is_ne(),
        Py_GT => order.is_gt(),
        _ => order.is_ge(),
    };
    // SAFETY: [IMMORTAL]
    unsafe { Owned::from_borrowed(if truth { Py_True() } else { Py_False() }) }
}

/// ValueError unless the date exists.
pub fn check_date(d: Ymd) -> PyResult<()> {
    use crate::calendar::{MAXYEAR, MINYEAR, days_in_month};
    if !(MINYEAR..=MAXYEAR).contains(&d.year) {
        bail!(PyExc_ValueError, "year {} is out of range", d.year);
    }
    if !(1..=12).contains(&d.month) {
        bail!(PyExc_ValueError, "month must be in 1..12");
    }
    if d.day < 1 || d.day > days_in_month(d.year, d.month) {
        bail!(PyExc_ValueError, "day is out of range for month");
    }
    Ok(())
}
/// ValueError unless the time exists.
pub fn check_time(t: Hms, fold: i32) -> PyResult<()> {
    if !(0..24).contains(&t.hour) {
        bail!(PyExc_ValueError, "hour must be in 0..23");
    }
    if !(0..60).contains(&t.minute) {
        bail!(PyExc_ValueError, "minute must be in 0..59");
    }
    if !(0..60).contains(&t.second) {
        bail!(PyExc_ValueError, "second must be in 0..59");
    }
    if !(0..1_000_000).contains(&t.us) {
        bail!(PyExc_ValueError, "microsecond must be in 0..999999");
    }
    if fold != 0 && fold != 1 {
        bail!(PyExc_ValueError, "fold must be either 0 or 1");
    }
    Ok(())
}
/// TypeError unless `op` is None or a tzinfo.
pub fn check_tzinfo(op: *mut PyObject) -> PyResult<()> {
    if op == none() || is_tzinfo(op) {
        return Ok(());
    }
    bail!(PyExc_TypeError, "tzinfo argument must be None or of a tzinfo subclass, not type '{}'", tp_name_of(op))
}

/// The ValueError of the `fromisoformat` methods.
pub fn invalid_isoformat(text: *mut PyObject) -> Raised {
    // SAFETY: [ARGS] the format's argument fits it.
    unsafe {
        PyErr_Format(PyExc_ValueError, c"Invalid isoformat string: %R".as_ptr(), text);
        Raised::assume()
    }
}

/// The state that unpickling hands to a constructor as its first argument: bytes, or a str that Python 2 wrote; `None` if
/// `op` is neither or doesn't pass `sane`.
pub fn pickled_state(op: *mut PyObject, n: usize, what: &str, sane: impl Fn(&[u8]) -> bool) -> PyResult<Option<Vec<u8>>> {
    // SAFETY: [ARGS] contents are copied.
    unsafe {
        if PyBytes_Check(op) != 0 {
            if PyBytes_Size(op) != n as Py_ssize_t {
                return Ok(None);
            }
            let data = core::slice::from_raw_parts(PyBytes_AsString(op).cast::<u8>(), n);
            return Ok(sane(data).then(|| data.to_vec()));
        }
        if PyUnicode_Check(op) == 0 || PyUnicode_GET_LENGTH(op) != n as Py_ssize_t {
            return Ok(None);
        }
        // Only the byte that is tested has to be one for the text to count as state.
        let chars: Vec<u32> = (0..n).map(|i| PyUnicode_ReadChar(op, i as Py_ssize_t)).collect();
        let low: Vec<u8> = chars.iter().map(|&c| u8::try_from(c).unwrap_or(0xff)).collect();
        if !sane(&low) {
            return Ok(None);
        }
        if chars.iter().any(|&c| c > 0xff) {
            bail!(
                PyExc_ValueError,
                "Failed to encode latin1 string when unpickling a {} object. pickle.load(data, encoding='latin1') is assumed.",
                what
            );
        }
        Ok(Some(low))
    }
}

/// A C entry for a method that parses a tuple and a dict by itself: `varkw!(f)` with
/// `fn f(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned>`.
#[macro_export]
macro_rules! varkw {
    ($f:path) => {{
        unsafe extern "C" fn entry(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
            $f(slf, args, kw).into_c()
        }
        PyMethodDefPointer { PyCFunctionWithKeywords: entry }
    }};
}
/// A C entry for METH_VARARGS.
#[macro_export]
macro_rules! varargs {
    ($f:path) => {{
        unsafe extern "C" fn entry(slf: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
            $f(slf, args).into_c()
        }
        PyMethodDefPointer { PyCFunction: entry }
    }};
}
/// A C entry for METH_NOARGS.
#[macro_export]
macro_rules! noargs {
    ($f:path) => {{
        unsafe extern "C" fn entry(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
            $f(slf).into_c()
        }
        PyMethodDefPointer { PyCFunction: entry }
    }};
}
/// A C entry for METH_O.
#[macro_export]
macro_rules! onearg {
    ($f:path) => {{
        unsafe extern "C" fn entry(slf: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
            $f(slf, arg).into_c()
        }
        PyMethodDefPointer { PyCFunction: entry }
    }};
}
/// A slot of one argument from a typed function.
#[macro_export]
macro_rules! unary_slot {
    ($f:path) => {{
        unsafe extern "C" fn entry(slf: *mut PyObject) -> *mut PyObject {
            $f(slf).into_c()
        }
        Some(entry)
    }};
}
/// A slot of two arguments from a typed function.
#[macro_export]
macro_rules! binary_slot {
    ($f:path) => {{
        unsafe extern "C" fn entry(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
            $f(a, b).into_c()
        }
        Some(entry)
    }};
}
/// `tp_new` from a typed function.
#[macro_export]
macro_rules! new_slot {
    ($f:path) => {{
        unsafe extern "C" fn entry(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
            $f(tp, args, kw).into_c()
        }
        Some(entry)
    }};
}
/// `tp_richcompare` from a typed function.
#[macro_export]
macro_rules! compare_slot {
    ($f:path) => {{
        unsafe extern "C" fn entry(a: *mut PyObject, b: *mut PyObject, op: ::core::ffi::c_int) -> *mut PyObject {
            $f(a, b, op).into_c()
        }
        Some(entry)
    }};
}

/// A NULL-terminated array of keyword names for `PyArg_ParseTupleAndKeywords`.
#[macro_export]
macro_rules! keywords {
    ($($name:literal),*) => {
        [$(concat!($name, "\0").as_ptr().cast::<::core::ffi::c_char>(),)* ::core::ptr::null()]
    };
}
