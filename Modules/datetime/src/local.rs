//! Local time as the C library knows it. Seconds count from 1 January of year 1, as if local time were UTC.

use crate::calendar::{Hms, MAXYEAR, MINYEAR, Ymd};
use crate::delta::new_delta;
use crate::support::*;
use crate::tzinfo::new_timezone;
use core::ptr::null_mut;
use taipan_abi::*;

/// 1 January 1970.
pub const EPOCH: i64 = 719_163 * 86400;
/// No change of local time is greater.
const MAX_FOLD: i64 = 86400;

/// A date and time as seconds; ValueError if the year is out of range.
pub fn seconds_of(d: Ymd, t: Hms) -> PyResult<i64> {
    if !(MINYEAR..=MAXYEAR).contains(&d.year) {
        bail!(PyExc_ValueError, "year {} is out of range", d.year);
    }
    Ok(((d.ordinal() as i64 * 24 + t.hour as i64) * 60 + t.minute as i64) * 60 + t.second as i64)
}

/// The fields of a `tm`; leap seconds count as the second before.
pub fn fields_of(tm: &libc::tm) -> (Ymd, Hms) {
    (
        Ymd { year: tm.tm_year + 1900, month: tm.tm_mon + 1, day: tm.tm_mday },
        Hms { hour: tm.tm_hour, minute: tm.tm_min, second: tm.tm_sec.min(59), us: 0 },
    )
}

/// Local time or UTC of a timestamp.
pub fn broken_down(t: i64, utc: bool) -> PyResult<libc::tm> {
    // SAFETY: all-zero is a valid tm; the functions fill it or raise.
    unsafe {
        let mut tm: libc::tm = core::mem::zeroed();
        if (if utc { _PyTime_gmtime(t, &mut tm) } else { _PyTime_localtime(t, &mut tm) }) != 0 {
            return Err(Raised::assume());
        }
        Ok(tm)
    }
}

/// Local time of UTC seconds.
fn local(u: i64) -> PyResult<i64> {
    let tm = broken_down(u - EPOCH, false)?;
    let (d, mut t) = fields_of(&tm);
    t.second = tm.tm_sec;
    seconds_of(d, t)
}

/// Whether the local time `result` of timestamp `t` is the second of two equal ones (PEP 495).
pub fn is_fold(t: i64, d: Ymd, time: Hms) -> PyResult<bool> {
    let result = seconds_of(d, time)?;
    let probe = local(EPOCH + t - MAX_FOLD)?;
    let transition = result - probe - MAX_FOLD;
    Ok(transition < 0 && local(EPOCH + t + transition)? == result)
}

/// UTC seconds of a local time; of an ambiguous one the first or, with `fold`, the second; of one that doesn't exist what
/// the clock would show if it hadn't, or with `fold` had already, been changed.
pub fn to_utc(d: Ymd, time: Hms, fold: bool) -> PyResult<i64> {
    let t = seconds_of(d, time)?;
    let a = local(t)? - t;
    let u1 = t - a;
    let t1 = local(u1)?;
    let b;
    if t1 == t {
        // A solution. Is there another on the other side of a change?
        let u2 = if fold { u1 + MAX_FOLD } else { u1 - MAX_FOLD };
        b = local(u2)? - u2;
        if a == b {
            return Ok(u1);
        }
    } else {
        b = t1 - u1;
    }
    let u2 = t - b;
    if local(u2)? == t {
        return Ok(u2);
    }
    if t1 == t {
        return Ok(u1);
    }
    Ok(if fold { u1.min(u2) } else { u1.max(u2) })
}

/// The time zone in force at a timestamp, with its name.
pub fn timezone_at(t: i64) -> PyResult<Owned> {
    let tm = broken_down(t, false)?;
    let offset = new_delta(0, tm.tm_gmtoff, 0)?;
    // SAFETY: tm_zone is a string of the C library or NULL.
    unsafe {
        if tm.tm_zone.is_null() {
            return new_timezone(offset.as_ptr(), null_mut());
        }
        let name = Owned::from_owned_or_err(PyUnicode_DecodeLocale(tm.tm_zone, c"surrogateescape".as_ptr()))?;
        new_timezone(offset.as_ptr(), name.as_ptr())
    }
}

/// The time zone in force at a local time.
pub fn timezone_of_local(d: Ymd, time: Hms, fold: bool) -> PyResult<Owned> {
    let (seconds, other) = (to_utc(d, time, fold)?, to_utc(d, time, !fold)?);
    // In a gap the zone is that of the other side.
    let seconds = if other != seconds && (other > seconds) == fold { other } else { seconds };
    timezone_at(seconds - EPOCH)
}

/// A timestamp of any number, in whole seconds (rounded down).
pub fn timestamp_seconds(op: *mut PyObject) -> PyResult<i64> {
    let mut t = 0;
    // SAFETY: [ARGS]
    check_status(unsafe { _PyTime_ObjectToTime_t(op, &mut t, ROUND_FLOOR) })?;
    Ok(t)
}
/// A timestamp of any number, in seconds and microseconds (rounded half to even).
pub fn timestamp_parts(op: *mut PyObject) -> PyResult<(i64, i32)> {
    let (mut t, mut us) = (0, 0);
    // SAFETY: [ARGS]
    check_status(unsafe { _PyTime_ObjectToTimeval(op, &mut t, &mut us, ROUND_HALF_EVEN) })?;
    Ok((t, us as i32))
}
/// Now.
pub fn now() -> (i64, i32) {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut ts) };
    (ts.tv_sec, (ts.tv_nsec / 1000) as i32)
}
