//! Clocks and conversions of time: nanoseconds in 64 bits, rounding, deadlines.

use crate::util::*;
use core::ffi::{c_int, c_long};

use taipan_abi::*;

/// Nanoseconds.
pub type PyTime_t = i64;

/// How a time that is no whole number of units is rounded (`_PyTime_round_t`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Round {
    /// Towards minus infinity.
    Floor = 0,
    /// Towards plus infinity.
    Ceiling = 1,
    /// To the nearest, halves to even.
    HalfEven = 2,
    /// Away from zero.
    Up = 3,
}

impl Round {
    /// A timeout must not end early.
    pub const TIMEOUT: Round = Round::Up;
    fn from_c(r: c_int) -> Round {
        match r {
            0 => Round::Floor,
            1 => Round::Ceiling,
            2 => Round::HalfEven,
            _ => Round::Up,
        }
    }
}

const NS: i64 = 1_000_000_000;

/// `a / b`, rounded; `b` > 1.
pub fn divide(a: i64, b: i64, round: Round) -> i64 {
    let (q, r) = (a.div_euclid(b), a.rem_euclid(b));
    match round {
        Round::Floor => q,
        Round::Ceiling => q + (r != 0) as i64,
        Round::Up if a >= 0 => q + (r != 0) as i64,
        Round::Up => q,
        Round::HalfEven => {
            let twice = r as i128 * 2;
            q + (twice > b as i128 || (twice == b as i128 && q & 1 != 0)) as i64
        }
    }
}

fn round_f64(x: f64, round: Round) -> f64 {
    match round {
        Round::Floor => x.floor(),
        Round::Ceiling => x.ceil(),
        Round::Up => {
            if x >= 0.0 {
                x.ceil()
            } else {
                x.floor()
            }
        }
        Round::HalfEven => x.round_ties_even(),
    }
}

#[cold]
fn overflow() -> Raised {
    raise!(PyExc_OverflowError, "timestamp too large to convert to C PyTime_t")
}

/// A number of `unit` nanoseconds each, as nanoseconds. Floats are rounded.
///
/// # Safety
/// `obj` is live.
pub unsafe fn object_to_units(obj: *mut PyObject, round: Round, unit: i64) -> PyResult<PyTime_t> {
    // SAFETY: [ARGS]
    unsafe {
        if PyFloat_Check(obj) != 0 {
            let d = PyFloat_AsDouble(obj);
            if d.is_nan() {
                bail!(PyExc_ValueError, "Invalid value NaN (not a number)");
            }
            let d = round_f64(d * unit as f64, round);
            if !(-9223372036854775808.0..9223372036854775808.0).contains(&d) {
                return Err(overflow());
            }
            return Ok(d as i64);
        }
        let sec = PyLong_AsLongLong(obj);
        if sec == -1 && err_occurred() {
            if PyErr_ExceptionMatches(PyExc_OverflowError) != 0 {
                PyErr_Clear();
                return Err(overflow());
            }
            if PyErr_ExceptionMatches(PyExc_TypeError) != 0 {
                PyErr_Clear();
                bail!(PyExc_TypeError, "'{}' object cannot be interpreted as an integer or float", type_name(obj));
            }
            return Err(Raised::assume());
        }
        sec.checked_mul(unit).ok_or_else(overflow)
    }
}

/// Seconds as nanoseconds.
///
/// # Safety
/// `obj` is live.
pub unsafe fn object_to_ns(obj: *mut PyObject, round: Round) -> PyResult<PyTime_t> {
    // SAFETY: [ARGS]
    unsafe { object_to_units(obj, round, NS) }
}

fn clock(id: libc::clockid_t) -> PyTime_t {
    // SAFETY: plain system call.
    unsafe {
        let mut ts: libc::timespec = core::mem::zeroed();
        libc::clock_gettime(id, &mut ts);
        ts.tv_sec * NS + ts.tv_nsec
    }
}

/// The monotonic clock.
pub fn monotonic() -> PyTime_t {
    clock(libc::CLOCK_MONOTONIC)
}

/// The wall clock.
pub fn wall() -> PyTime_t {
    clock(libc::CLOCK_REALTIME)
}

/// Seconds of a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTime_AsSecondsDouble(t: PyTime_t) -> f64 {
    // Whole seconds divide exactly.
    if t % NS == 0 { (t / NS) as f64 } else { t as f64 / 1e9 }
}

macro_rules! clocks {
    ($($(#[$m:meta])* $name:ident => $clock:ident;)*) => { $(
        $(#[$m])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(result: *mut PyTime_t) -> c_int {
            // SAFETY: [ARGS]
            unsafe { *result = $clock() };
            0
        }
    )* };
}
clocks! {
    /// The monotonic clock.
    PyTime_Monotonic => monotonic;
    /// The monotonic clock, without exceptions.
    PyTime_MonotonicRaw => monotonic;
    /// The most precise clock.
    PyTime_PerfCounter => monotonic;
    /// The most precise clock, without exceptions.
    PyTime_PerfCounterRaw => monotonic;
    /// The wall clock.
    PyTime_Time => wall;
    /// The wall clock, without exceptions.
    PyTime_TimeRaw => wall;
}

/// `_Py_clock_info_t`.
#[repr(C)]
#[allow(missing_docs, reason = "CPython's names")]
pub struct ClockInfo {
    pub implementation: *const core::ffi::c_char,
    pub monotonic: c_int,
    pub adjustable: c_int,
    pub resolution: f64,
}

unsafe fn fill_info(info: *mut ClockInfo, id: libc::clockid_t, name: &'static core::ffi::CStr, adjustable: bool, monotonic: bool) {
    // SAFETY: [ARGS]
    unsafe {
        if info.is_null() {
            return;
        }
        let mut res: libc::timespec = core::mem::zeroed();
        let known = libc::clock_getres(id, &mut res) == 0;
        *info = ClockInfo {
            implementation: name.as_ptr(),
            monotonic: monotonic as c_int,
            adjustable: adjustable as c_int,
            resolution: if known { res.tv_sec as f64 + res.tv_nsec as f64 * 1e-9 } else { 1e-9 },
        };
    }
}

/// The monotonic clock and what is known about it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_MonotonicWithInfo(t: *mut PyTime_t, info: *mut ClockInfo) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        *t = monotonic();
        fill_info(info, libc::CLOCK_MONOTONIC, c"clock_gettime(CLOCK_MONOTONIC)", false, true);
    }
    0
}

/// The wall clock and what is known about it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_TimeWithInfo(t: *mut PyTime_t, info: *mut ClockInfo) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        *t = wall();
        fill_info(info, libc::CLOCK_REALTIME, c"clock_gettime(CLOCK_REALTIME)", true, false);
    }
    0
}

/// The most precise clock and what is known about it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_PerfCounterWithInfo(t: *mut PyTime_t, info: *mut ClockInfo) -> c_int {
    // SAFETY: [ARGS]
    unsafe { _PyTime_MonotonicWithInfo(t, info) }
}

/// A time of so many seconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_FromSeconds(seconds: c_int) -> PyTime_t {
    seconds as i64 * NS
}

/// A number of seconds as a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_FromSecondsObject(t: *mut PyTime_t, obj: *mut PyObject, round: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { store(t, object_to_units(obj, Round::from_c(round), NS)) }
}

/// A number of milliseconds as a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_FromMillisecondsObject(t: *mut PyTime_t, obj: *mut PyObject, round: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { store(t, object_to_units(obj, Round::from_c(round), 1_000_000)) }
}

unsafe fn store<T>(to: *mut T, v: PyResult<T>) -> c_int {
    match v {
        Ok(v) => {
            // SAFETY: [ARGS]
            unsafe { *to = v };
            0
        }
        Err(_) => -1,
    }
}

/// An int of nanoseconds as a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_FromLong(t: *mut PyTime_t, obj: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyLong_Check(obj) == 0 {
            let _ = raise!(PyExc_TypeError, "expect int, got {}", type_name(obj));
            return -1;
        }
        let v = PyLong_AsLongLong(obj);
        if v == -1 && err_occurred() {
            if PyErr_ExceptionMatches(PyExc_OverflowError) != 0 {
                PyErr_Clear();
                let _ = overflow();
            }
            return -1;
        }
        *t = v;
        0
    }
}

/// A time as an int of nanoseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_AsLong(t: PyTime_t) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { PyLong_FromLongLong(t) }
}

/// A time in milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_AsMilliseconds(t: PyTime_t, round: c_int) -> PyTime_t {
    divide(t, 1_000_000, Round::from_c(round))
}

/// A time in microseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_AsMicroseconds(t: PyTime_t, round: c_int) -> PyTime_t {
    divide(t, 1000, Round::from_c(round))
}

fn to_timeval(t: PyTime_t, round: Round) -> libc::timeval {
    let us = divide(t, 1000, round);
    libc::timeval { tv_sec: us.div_euclid(1_000_000), tv_usec: us.rem_euclid(1_000_000) }
}

/// A time as a `timeval`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_AsTimeval(t: PyTime_t, tv: *mut libc::timeval, round: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { *tv = to_timeval(t, Round::from_c(round)) };
    0
}

/// A time as a `timeval`, clamped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_AsTimeval_clamp(t: PyTime_t, tv: *mut libc::timeval, round: c_int) {
    // SAFETY: [ARGS]
    unsafe { *tv = to_timeval(t, Round::from_c(round)) };
}

/// A time as seconds and microseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_AsTimevalTime_t(t: PyTime_t, secs: *mut libc::time_t, us: *mut c_int, round: c_int) -> c_int {
    let tv = to_timeval(t, Round::from_c(round));
    // SAFETY: [ARGS]
    unsafe {
        *secs = tv.tv_sec;
        *us = tv.tv_usec as c_int;
    }
    0
}

/// A time as a `timespec`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_AsTimespec(t: PyTime_t, ts: *mut libc::timespec) -> c_int {
    // SAFETY: [ARGS]
    unsafe { *ts = libc::timespec { tv_sec: t.div_euclid(NS), tv_nsec: t.rem_euclid(NS) } };
    0
}

/// A time as a `timespec`, clamped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_AsTimespec_clamp(t: PyTime_t, ts: *mut libc::timespec) {
    // SAFETY: [ARGS]
    unsafe { _PyTime_AsTimespec(t, ts) };
}

/// An int as `time_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_AsTime_t(obj: *mut PyObject) -> libc::time_t {
    // SAFETY: [ARGS]
    unsafe {
        let v = PyLong_AsLongLong(obj);
        if v == -1 && PyErr_ExceptionMatches(PyExc_OverflowError) != 0 {
            PyErr_Clear();
            let _ = raise!(PyExc_OverflowError, "timestamp out of range for platform time_t");
        }
        v
    }
}

/// A `time_t` as an int.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_FromTime_t(t: libc::time_t) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { PyLong_FromLongLong(t) }
}

/// Seconds of an object as whole seconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_ObjectToTime_t(obj: *mut PyObject, sec: *mut libc::time_t, round: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyFloat_Check(obj) == 0 {
            *sec = _PyLong_AsTime_t(obj);
            return if *sec == -1 && err_occurred() { -1 } else { 0 };
        }
        store(
            sec,
            (|| {
                let d = PyFloat_AsDouble(obj);
                if d.is_nan() {
                    bail!(PyExc_ValueError, "Invalid value NaN (not a number)");
                }
                let d = round_f64(d, Round::from_c(round));
                if !(-9223372036854775808.0..9223372036854775808.0).contains(&d) {
                    bail!(PyExc_OverflowError, "timestamp out of range for platform time_t");
                }
                Ok(d as i64)
            })(),
        )
    }
}

unsafe fn object_to_parts(obj: *mut PyObject, sec: *mut libc::time_t, frac: *mut c_long, denominator: f64, round: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyFloat_Check(obj) == 0 {
            *frac = 0;
            *sec = _PyLong_AsTime_t(obj);
            return if *sec == -1 && err_occurred() { -1 } else { 0 };
        }
        let r: PyResult<()> = (|| {
            let d = PyFloat_AsDouble(obj);
            if d.is_nan() {
                bail!(PyExc_ValueError, "Invalid value NaN (not a number)");
            }
            let mut whole = d.trunc();
            let mut part = round_f64((d - whole) * denominator, Round::from_c(round));
            if part >= denominator {
                part -= denominator;
                whole += 1.0;
            } else if part < 0.0 {
                part += denominator;
                whole -= 1.0;
            }
            if !(-9223372036854775808.0..9223372036854775808.0).contains(&whole) {
                bail!(PyExc_OverflowError, "timestamp out of range for platform time_t");
            }
            *sec = whole as i64;
            *frac = part as c_long;
            Ok(())
        })();
        r.into_c()
    }
}

/// Seconds of an object as seconds and nanoseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_ObjectToTimespec(obj: *mut PyObject, sec: *mut libc::time_t, nsec: *mut c_long, round: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { object_to_parts(obj, sec, nsec, 1e9, round) }
}

/// Seconds of an object as seconds and microseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_ObjectToTimeval(obj: *mut PyObject, sec: *mut libc::time_t, usec: *mut c_long, round: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { object_to_parts(obj, sec, usec, 1e6, round) }
}

fn os_error() -> Raised {
    // SAFETY: [GIL]
    unsafe {
        if crate::ceval_gil::errno() == 0 {
            crate::ceval_gil::set_errno(libc::EINVAL);
        }
        PyErr_SetFromErrno(PyExc_OSError);
        Raised::assume()
    }
}

/// Local time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_localtime(t: libc::time_t, tm: *mut libc::tm) -> c_int {
    crate::ceval_gil::set_errno(0);
    // SAFETY: [ARGS]
    if unsafe { libc::localtime_r(&t, tm) }.is_null() {
        let _ = os_error();
        return -1;
    }
    0
}

/// Universal time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTime_gmtime(t: libc::time_t, tm: *mut libc::tm) -> c_int {
    crate::ceval_gil::set_errno(0);
    // SAFETY: [ARGS]
    if unsafe { libc::gmtime_r(&t, tm) }.is_null() {
        let _ = os_error();
        return -1;
    }
    0
}

/// When `timeout` from now will be over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDeadline_Init(timeout: PyTime_t) -> PyTime_t {
    monotonic().saturating_add(timeout)
}

/// How long it is until a deadline.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDeadline_Get(deadline: PyTime_t) -> PyTime_t {
    deadline.saturating_sub(monotonic())
}

/// A float of seconds, for callers that have a time.
pub fn seconds_object(t: PyTime_t) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyFloat_FromDouble(PyTime_AsSecondsDouble(t))) }
}


#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding() {
        assert_eq!(divide(15, 10, Round::HalfEven), 2);
        assert_eq!(divide(25, 10, Round::HalfEven), 2);
        assert_eq!(divide(-15, 10, Round::HalfEven), -2);
        assert_eq!(divide(-15, 10, Round::Floor), -2);
        assert_eq!(divide(-15, 10, Round::Ceiling), -1);
        assert_eq!(divide(-15, 10, Round::Up), -2);
        assert_eq!(divide(11, 10, Round::Up), 2);
    }
}
