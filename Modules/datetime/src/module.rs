//! The module `_datetime` and the capsule through which C extensions use it.

use crate::calendar::{Hms, MAX_DELTA_DAYS, MAXYEAR, MINYEAR, Ymd};
use crate::date::{capi_date, capi_fromtimestamp as capi_date_fromtimestamp, new_date};
use crate::datetime::{capi_datetime, capi_datetime_fold, capi_fromtimestamp, new_datetime};
use crate::delta::{capi_delta, init_zero, new_delta};
use crate::support::*;
use crate::time::{capi_time, capi_time_fold, new_time};
use crate::tzinfo::{capi_timezone, init_utc, new_timezone, utc};
use core::ffi::CStr;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::module::{add_int, add_object, add_type};
use taipan_clinic::{methods, module};

static mut CAPI: PyDateTime_CAPI = PyDateTime_CAPI {
    DateType: &raw mut DATE,
    DateTimeType: &raw mut DATETIME,
    TimeType: &raw mut TIME,
    DeltaType: &raw mut DELTA,
    TZInfoType: &raw mut TZINFO,
    TimeZone_UTC: null_mut(),
    Date_FromDate: capi_date,
    DateTime_FromDateAndTime: capi_datetime,
    Time_FromTime: capi_time,
    Delta_FromDelta: capi_delta,
    TimeZone_FromTimeZone: capi_timezone,
    DateTime_FromTimestamp: capi_fromtimestamp,
    Date_FromTimestamp: capi_date_fromtimestamp,
    DateTime_FromDateAndTimeAndFold: capi_datetime_fold,
    Time_FromTimeAndFold: capi_time_fold,
};

/// Adds a class attribute.
fn constant(tp: *mut PyTypeObject, name: &CStr, value: PyResult<Owned>) -> PyResult<()> {
    // SAFETY: a ready static type.
    unsafe { check_status(PyDict_SetItemString((*tp).tp_dict, name.as_ptr(), value?.as_ptr())) }
}
/// A time zone of an offset in minutes.
fn zone(minutes: i64) -> PyResult<Owned> {
    let offset = new_delta(0, minutes * 60, 0)?;
    new_timezone(offset.as_ptr(), null_mut())
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    let (delta, date, time, datetime, timezone) =
        (&raw mut DELTA, &raw mut DATE, &raw mut TIME, &raw mut DATETIME, &raw mut TIMEZONE);
    // SAFETY: static types; bases first.
    unsafe {
        for tp in [date, datetime, time, delta, &raw mut TZINFO, timezone] {
            add_type(module, tp)?;
        }
        check_status(PyType_Ready(&raw mut ISO_CALENDAR_DATE))?;
    }
    init_zero()?;
    init_utc()?;
    let least = Ymd { year: MINYEAR, month: 1, day: 1 };
    let last = Ymd { year: MAXYEAR, month: 12, day: 31 };
    let (midnight, end) = (Hms::default(), Hms { hour: 23, minute: 59, second: 59, us: 999_999 });
    let us = || new_delta(0, 0, 1);
    constant(delta, c"resolution", us())?;
    constant(delta, c"min", new_delta(-MAX_DELTA_DAYS as i64, 0, 0))?;
    constant(delta, c"max", new_delta(MAX_DELTA_DAYS as i64, 86399, 999_999))?;
    constant(date, c"min", new_date(least, date))?;
    constant(date, c"max", new_date(last, date))?;
    constant(date, c"resolution", new_delta(1, 0, 0))?;
    constant(time, c"min", new_time(midnight, none(), 0, time))?;
    constant(time, c"max", new_time(end, none(), 0, time))?;
    constant(time, c"resolution", us())?;
    constant(datetime, c"min", new_datetime(least, midnight, none(), 0, datetime))?;
    constant(datetime, c"max", new_datetime(last, end, none(), 0, datetime))?;
    constant(datetime, c"resolution", us())?;
    // SAFETY: for ever.
    let utc_object = || Ok(unsafe { own(utc()) });
    constant(timezone, c"utc", utc_object())?;
    // Whole minutes, so that Python code that knows no better can show them.
    constant(timezone, c"min", zone(-23 * 60 - 59))?;
    constant(timezone, c"max", zone(23 * 60 + 59))?;
    add_int(module, c"MINYEAR", MINYEAR as i64)?;
    add_int(module, c"MAXYEAR", MAXYEAR as i64)?;
    add_object(module, c"UTC", utc_object())?;
    // SAFETY: [GIL] types are modified before anybody caches their attributes; the capsule's content is static.
    unsafe {
        for tp in [delta, date, time, datetime, timezone] {
            PyType_Modified(tp);
        }
        (*(&raw mut CAPI)).TimeZone_UTC = utc();
        let capsule = PyCapsule_New((&raw mut CAPI).cast(), PyDateTime_CAPSULE_NAME.as_ptr(), None);
        add_object(module, c"datetime_CAPI", Owned::from_owned_or_err(capsule))
    }
}

methods! { static METHODS = []; }

module! {
    /// Entry point.
    pub fn PyInit__datetime = "_datetime", "Fast implementation of the datetime module.", methods: METHODS, exec: exec;
}
