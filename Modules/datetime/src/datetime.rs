//! `datetime`.

use crate::calendar::{Hms, Ymd, shifted};
use crate::date::{check_text, date_bytes, date_strftime, new_date, utf8};
use crate::delta::{difference, new_delta, order, parts, total_seconds};
use crate::format::{c_text, ctime, iso_date, iso_time, struct_time, with_keywords};
use crate::isoformat::parse_datetime;
use crate::local::{EPOCH, broken_down, fields_of, is_fold, now as system_time, timestamp_parts, timezone_at, timezone_of_local, to_utc};
use crate::support::*;
use crate::time::{fields as time_fields, fold_of as time_fold, hms_bytes, hms_of, new_time, pickled, protocol, tzinfo_of as time_tzinfo, zone_of};
use crate::tzinfo::{call_dst, call_tzname, call_utcoffset, offset_text, utc};
use crate::{binary_slot, compare_slot, keywords, new_slot, noargs, onearg, unary_slot, varargs, varkw};
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, methods};
use taipan_objects::typeobject::TYPE_INIT;

unsafe fn this<'a>(op: *mut PyObject) -> &'a PyDateTime_DateTime {
    // SAFETY: [TYPE] the callers checked it.
    unsafe { &*op.cast() }
}
/// Date and time of a datetime.
pub fn fields(op: *mut PyObject) -> (Ymd, Hms) {
    // SAFETY: [TYPE]
    let data = unsafe { &this(op).data };
    (crate::date::ymd_of(op), hms_of(&data[4..]))
}
/// Its tzinfo, or None.
pub fn tzinfo_of(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] tzinfo is there if hastzinfo says so.
    unsafe { if this(op).hastzinfo != 0 { this(op).tzinfo } else { none() } }
}
/// Its fold.
pub fn fold_of(op: *mut PyObject) -> i32 {
    // SAFETY: [TYPE]
    unsafe { this(op).fold as i32 }
}

fn data_of(d: Ymd, t: Hms) -> [u8; 10] {
    let (d, t) = (date_bytes(d), hms_bytes(t));
    core::array::from_fn(|i| if i < 4 { d[i] } else { t[i - 4] })
}
unsafe fn allocate(tp: *mut PyTypeObject, data: [u8; 10], tzinfo: *mut PyObject, fold: u8) -> PyResult<Owned> {
    // SAFETY: [ARGS] a ready type.
    unsafe {
        let alloc = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc);
        let dt = Owned::from_owned_or_err(alloc(tp, 0).cast::<PyDateTime_DateTime>())?;
        let p = dt.as_ptr();
        (*p).hashcode = -1;
        (*p).data = data;
        (*p).fold = fold;
        (*p).hastzinfo = (tzinfo != none()) as c_char;
        if tzinfo != none() {
            (*p).tzinfo = Py_NewRef(tzinfo);
        }
        Ok(dt.into_object())
    }
}
/// A datetime of class `tp` itself; ValueError unless it exists.
pub fn new_datetime(d: Ymd, t: Hms, tzinfo: *mut PyObject, fold: i32, tp: *mut PyTypeObject) -> PyResult<Owned> {
    check_date(d)?;
    check_time(t, fold)?;
    check_tzinfo(tzinfo)?;
    // SAFETY: [ARGS]
    unsafe { allocate(tp, data_of(d, t), tzinfo, fold as u8) }
}
/// `new_datetime_ex` of the C API.
#[allow(clippy::too_many_arguments, reason = "the C API's")]
pub unsafe extern "C" fn capi_datetime(
    year: c_int, month: c_int, day: c_int, hour: c_int, minute: c_int, second: c_int, us: c_int, tzinfo: *mut PyObject,
    tp: *mut PyTypeObject,
) -> *mut PyObject {
    new_datetime(Ymd { year, month, day }, Hms { hour, minute, second, us }, tzinfo, 0, tp).into_c()
}
/// `new_datetime_ex2` of the C API.
#[allow(clippy::too_many_arguments, reason = "the C API's")]
pub unsafe extern "C" fn capi_datetime_fold(
    year: c_int, month: c_int, day: c_int, hour: c_int, minute: c_int, second: c_int, us: c_int, tzinfo: *mut PyObject,
    fold: c_int, tp: *mut PyTypeObject,
) -> *mut PyObject {
    new_datetime(Ymd { year, month, day }, Hms { hour, minute, second, us }, tzinfo, fold, tp).into_c()
}
/// A datetime of class `cls` as its constructor makes it.
fn construct(d: Ymd, t: Hms, tzinfo: *mut PyObject, fold: i32, cls: *mut PyObject) -> PyResult<Owned> {
    if cls == (&raw mut DATETIME).cast() {
        return new_datetime(d, t, tzinfo, fold, &raw mut DATETIME);
    }
    let mut args = ints([d.year, d.month, d.day, t.hour, t.minute, t.second, t.us])?;
    // SAFETY: lent by the caller.
    args.push(unsafe { own(tzinfo) });
    call(cls, args, fold)
}
fn class_of(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { type_of(op).cast() }
}

fn datetime_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variables.
    unsafe {
        let n = PyTuple_GET_SIZE(args);
        if n == 1 || n == 2 {
            // The fold is the month's top bit.
            let sane = |b: &[u8]| (1..=12).contains(&(b[2] & 0x7f));
            let state = pickled_state(PyTuple_GET_ITEM(args, 0), 10, "datetime", sane)?;
            if let Some(mut data) = state.and_then(|s| <[u8; 10]>::try_from(s).ok()) {
                let tzinfo = if n == 2 { PyTuple_GET_ITEM(args, 1) } else { none() };
                if tzinfo != none() && !is_tzinfo(tzinfo) {
                    bail!(PyExc_TypeError, "bad tzinfo state arg");
                }
                let fold = data[2] >> 7;
                data[2] &= 0x7f;
                return allocate(tp, data, tzinfo, fold);
            }
        }
        let names = keywords!["year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold"];
        let [mut year, mut month, mut day, mut hour, mut minute, mut second, mut us, mut fold]: [c_int; 8] = [0; 8];
        let mut tzinfo = none();
        if PyArg_ParseTupleAndKeywords(
            args, kw, c"iii|iiiiO$i".as_ptr(), names.as_ptr(), &raw mut year, &raw mut month, &raw mut day, &raw mut hour,
            &raw mut minute, &raw mut second, &raw mut us, &raw mut tzinfo, &raw mut fold,
        ) == 0
        {
            return Err(Raised::assume());
        }
        new_datetime(Ymd { year, month, day }, Hms { hour, minute, second, us }, tzinfo, fold, tp)
    }
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        if this(slf).hastzinfo != 0 {
            Py_XDECREF(this(slf).tzinfo);
        }
        if let Some(free) = (*type_of(slf)).tp_free {
            free(slf.cast());
        }
    }
}

// ---- constructors ------------------------------------------------------------------------------------------------------

fn from_parts(cls: *mut PyObject, (t, us): (i64, i32), in_utc: bool, tzinfo: *mut PyObject) -> PyResult<Owned> {
    let (d, time) = fields_of(&broken_down(t, in_utc)?);
    let fold = tzinfo == none() && !in_utc && is_fold(t, d, time)?;
    construct(d, Hms { us, ..time }, tzinfo, fold as i32, cls)
}
/// Local time, or that of a tzinfo.
fn in_zone(cls: *mut PyObject, parts: (i64, i32), tzinfo: *mut PyObject) -> PyResult<Owned> {
    let dt = from_parts(cls, parts, tzinfo != none(), tzinfo)?;
    if tzinfo == none() { Ok(dt) } else { call_method1(tzinfo, intern!("fromutc"), dt.as_ptr()) }
}
fn now(cls: Borrowed<'_>, tz: Borrowed<'_>) -> PyResult<Owned> {
    check_tzinfo(tz.ob())?;
    in_zone(cls.ob(), system_time(), tz.ob())
}
fn warn(text: &core::ffi::CStr) -> PyResult<()> {
    // SAFETY: [GIL]
    check_status(unsafe { PyErr_WarnEx(PyExc_DeprecationWarning, text.as_ptr(), 1) })
}
fn utcnow(cls: *mut PyObject) -> PyResult<Owned> {
    warn(c"datetime.datetime.utcnow() is deprecated and scheduled for removal in a future version. Use timezone-aware objects to represent datetimes in UTC: datetime.datetime.now(datetime.UTC).")?;
    from_parts(cls, system_time(), true, none())
}
fn fromtimestamp(cls: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variables.
    unsafe {
        let names = keywords!["timestamp", "tz"];
        let (mut timestamp, mut tz) = (null_mut::<PyObject>(), none());
        if PyArg_ParseTupleAndKeywords(
            args, kw, c"O|O:fromtimestamp".as_ptr(), names.as_ptr(), &raw mut timestamp, &raw mut tz,
        ) == 0
        {
            return Err(Raised::assume());
        }
        check_tzinfo(tz)?;
        in_zone(cls, timestamp_parts(timestamp)?, tz)
    }
}
/// `datetime.fromtimestamp` of the C API.
pub unsafe extern "C" fn capi_fromtimestamp(cls: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    fromtimestamp(cls.cast(), args, kw).into_c()
}
fn utcfromtimestamp(cls: *mut PyObject, args: *mut PyObject) -> PyResult<Owned> {
    warn(c"datetime.datetime.utcfromtimestamp() is deprecated and scheduled for removal in a future version. Use timezone-aware objects to represent datetimes in UTC: datetime.datetime.fromtimestamp(timestamp, datetime.UTC).")?;
    // SAFETY: [ARGS] the format fits the variable.
    unsafe {
        let mut timestamp = null_mut::<PyObject>();
        if PyArg_ParseTuple(args, c"O:utcfromtimestamp".as_ptr(), &raw mut timestamp) == 0 {
            return Err(Raised::assume());
        }
        from_parts(cls, timestamp_parts(timestamp)?, true, none())
    }
}
fn strptime(cls: *mut PyObject, args: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variables.
    unsafe {
        let (mut text, mut format) = (null_mut::<PyObject>(), null_mut::<PyObject>());
        if PyArg_ParseTuple(args, c"UU:strptime".as_ptr(), &raw mut text, &raw mut format) == 0 {
            return Err(Raised::assume());
        }
        let module = Owned::from_owned_or_err(PyImport_Import(intern!("_strptime")))?;
        let args = [module.as_ptr(), cls, text, format];
        Owned::from_owned_or_err(PyObject_VectorcallMethod(intern!("_strptime_datetime"), args.as_ptr(), 4, null_mut()))
    }
}
fn combine(cls: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variables.
    unsafe {
        let names = keywords!["date", "time", "tzinfo"];
        let [mut date, mut time, mut tzinfo] = [null_mut::<PyObject>(); 3];
        if PyArg_ParseTupleAndKeywords(
            args, kw, c"O!O!|O:combine".as_ptr(), names.as_ptr(), &raw mut DATE, &raw mut date, &raw mut TIME, &raw mut time,
            &raw mut tzinfo,
        ) == 0
        {
            return Err(Raised::assume());
        }
        let tzinfo = if tzinfo.is_null() { time_tzinfo(time) } else { tzinfo };
        construct(crate::date::ymd_of(date), time_fields(time), tzinfo, time_fold(time), cls)
    }
}
fn fromisoformat(cls: *mut PyObject, text: *mut PyObject) -> PyResult<Owned> {
    check_text(text)?;
    // SAFETY: [TYPE]
    unsafe {
        let n = PyUnicode_GET_LENGTH(text);
        // A lone surrogate may separate date and time too, although it can't be encoded.
        let surrogate = [7, 8, 10].into_iter().find(|&i| i < n && (0xd800..0xe000).contains(&PyUnicode_ReadChar(text, i)));
        let clean = match surrogate {
            Some(i) => {
                let head = Owned::from_owned_or_err(PyUnicode_Substring(text, 0, i))?;
                let tail = Owned::from_owned_or_err(PyUnicode_Substring(text, i + 1, n))?;
                Owned::from_owned_or_err(PyUnicode_FromFormat(c"%UT%U".as_ptr(), head.as_ptr(), tail.as_ptr()))?
            }
            None => own(text),
        };
        let parsed = if n < 7 { None } else { utf8(clean.as_ptr()).and_then(|t| parse_datetime(t).ok()) };
        let Some((d, t, offset)) = parsed else { return Err(invalid_isoformat(text)) };
        construct(d, t, zone_of(offset)?.as_ptr(), 0, cls)
    }
}

// ---- arithmetic --------------------------------------------------------------------------------------------------------

fn utcoffset(op: *mut PyObject) -> PyResult<Owned> {
    call_utcoffset(tzinfo_of(op), op)
}
fn dst(op: *mut PyObject) -> PyResult<Owned> {
    call_dst(tzinfo_of(op), op)
}
fn tzname(op: *mut PyObject) -> PyResult<Owned> {
    call_tzname(tzinfo_of(op), op)
}

/// A datetime plus `sign` times a timedelta.
pub fn shift(dt: *mut PyObject, delta: *mut PyObject, sign: i64) -> PyResult<Owned> {
    let (d, t) = fields(dt);
    let (days, s, us) = parts(delta);
    match shifted(d, t, sign * days as i64, sign * s as i64, sign * us as i64) {
        Some((d, t)) => construct(d, t, tzinfo_of(dt), 0, class_of(dt)),
        None => bail!(PyExc_OverflowError, "date value out of range"),
    }
}
fn add(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    if is_datetime(a) {
        return if is_delta(b) { shift(a, b, 1) } else { Ok(not_implemented()) };
    }
    if is_delta(a) { shift(b, a, 1) } else { Ok(not_implemented()) }
}
/// Difference of two datetimes.
fn difference_of(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    let mut offsets = None;
    if tzinfo_of(a) != tzinfo_of(b) {
        let (o1, o2) = (utcoffset(a)?, utcoffset(b)?);
        let (n1, n2) = (o1.as_ptr() == none(), o2.as_ptr() == none());
        if n1 != n2 {
            bail!(PyExc_TypeError, "can't subtract offset-naive and offset-aware datetimes");
        }
        if !n1 && order(o1.as_ptr(), o2.as_ptr()).is_ne() {
            offsets = Some(difference(o1.as_ptr(), o2.as_ptr())?);
        }
    }
    let ((d1, t1), (d2, t2)) = (fields(a), fields(b));
    let seconds = |t: Hms| ((t.hour * 60 + t.minute) * 60 + t.second) as i64;
    let naive = new_delta(d1.ordinal() as i64 - d2.ordinal() as i64, seconds(t1) - seconds(t2), t1.us as i64 - t2.us as i64)?;
    match offsets {
        Some(o) => difference(naive.as_ptr(), o.as_ptr()),
        None => Ok(naive),
    }
}
fn subtract(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    if !is_datetime(a) {
        return Ok(not_implemented());
    }
    if is_datetime(b) {
        return difference_of(a, b);
    }
    if is_delta(b) { shift(a, b, -1) } else { Ok(not_implemented()) }
}

/// Whether the offset of a datetime depends on its fold, so that it equals nothing in another zone (PEP 495).
fn depends_on_fold(dt: *mut PyObject, offset: *mut PyObject) -> PyResult<bool> {
    let (d, t) = fields(dt);
    // SAFETY: [ARGS]
    let flipped = new_datetime(d, t, tzinfo_of(dt), 1 - fold_of(dt), unsafe { type_of(dt) })?;
    let other = utcoffset(flipped.as_ptr())?;
    let (a, b) = (other.as_ptr(), offset);
    Ok(a != b && (!is_delta(a) || !is_delta(b) || order(a, b).is_ne()))
}
fn richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> PyResult<Owned> {
    if !is_datetime(b) {
        return Ok(not_implemented());
    }
    let ((d1, t1), (d2, t2)) = (fields(a), fields(b));
    let naive = data_of(d1, t1).cmp(&data_of(d2, t2));
    if tzinfo_of(a) == tzinfo_of(b) {
        return Ok(compared(naive, op));
    }
    let (o1, o2) = (utcoffset(a)?, utcoffset(b)?);
    let (p1, p2) = (o1.as_ptr(), o2.as_ptr());
    let (n1, n2) = (p1 == none(), p2 == none());
    if n1 != n2 {
        if op == Py_EQ || op == Py_NE {
            return Ok(compared(core::cmp::Ordering::Less, op));
        }
        bail!(PyExc_TypeError, "can't compare offset-naive and offset-aware datetimes");
    }
    let mut result = if n1 || order(p1, p2).is_eq() {
        naive
    } else {
        let delta = difference_of(a, b)?;
        parts(delta.as_ptr()).cmp(&(0, 0, 0))
    };
    if (op == Py_EQ || op == Py_NE) && result.is_eq() && (depends_on_fold(a, p1)? || depends_on_fold(b, p2)?) {
        result = core::cmp::Ordering::Greater;
    }
    Ok(compared(result, op))
}
fn compute_hash(op: *mut PyObject) -> PyResult<Py_hash_t> {
    let (d, t) = fields(op);
    // SAFETY: [TYPE]
    unsafe {
        // Both folds of a time may be equal, so they hash alike.
        let first = if fold_of(op) != 0 { new_datetime(d, t, tzinfo_of(op), 0, type_of(op))? } else { own(op) };
        let offset = utcoffset(first.as_ptr())?;
        if offset.as_ptr() == none() {
            return Ok(_Py_HashBytes((&raw const this(op).data).cast(), 10));
        }
        let delta = new_delta(d.ordinal() as i64, ((t.hour * 60 + t.minute) * 60 + t.second) as i64, t.us as i64)?;
        let h = PyObject_Hash(difference(delta.as_ptr(), offset.as_ptr())?.as_ptr());
        if h == -1 { Err(Raised::assume()) } else { Ok(h) }
    }
}
unsafe extern "C" fn hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        if this(slf).hashcode == -1 {
            (*slf.cast::<PyDateTime_DateTime>()).hashcode = compute_hash(slf).unwrap_or(-1);
        }
        this(slf).hashcode
    }
}

// ---- text --------------------------------------------------------------------------------------------------------------

fn repr(op: *mut PyObject) -> PyResult<Owned> {
    let (d, t) = fields(op);
    let mut text = format!("{}({}, {}, {}, {}, {}", tp_name_of(op), d.year, d.month, d.day, t.hour, t.minute);
    if t.second != 0 || t.us != 0 {
        text += &format!(", {}", t.second);
    }
    if t.us != 0 {
        text += &format!(", {}", t.us);
    }
    text.push(')');
    with_keywords(text, Some(tzinfo_of(op)), fold_of(op), true)
}
fn str_(op: *mut PyObject) -> PyResult<Owned> {
    call_method1(op, intern!("isoformat"), string(" ")?.as_ptr())
}
fn isoformat(op: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variables.
    unsafe {
        let names = keywords!["sep", "timespec"];
        let (mut sep, mut timespec): (c_int, *const c_char) = ('T' as c_int, core::ptr::null());
        if PyArg_ParseTupleAndKeywords(
            args, kw, c"|Cs:isoformat".as_ptr(), names.as_ptr(), &raw mut sep, &raw mut timespec,
        ) == 0
        {
            return Err(Raised::assume());
        }
        let (d, t) = fields(op);
        let (date, time) = (iso_date(d), iso_time(t, c_text(timespec))?);
        let tail = time + &offset_text(tzinfo_of(op), op, ":")?;
        if let Some(sep) = char::from_u32(sep as u32) {
            return string(&format!("{date}{sep}{tail}"));
        }
        // A lone surrogate.
        let (head, tail) = (string(&date)?, string(&tail)?);
        Owned::from_owned_or_err(PyUnicode_FromFormat(c"%U%c%U".as_ptr(), head.as_ptr(), sep, tail.as_ptr()))
    }
}
fn datetime_ctime(op: *mut PyObject) -> PyResult<Owned> {
    let (d, t) = fields(op);
    ctime(d, t)
}

// ---- conversions -------------------------------------------------------------------------------------------------------

/// 1970-01-01 00:00 UTC.
fn epoch() -> PyResult<Owned> {
    new_datetime(Ymd { year: 1970, month: 1, day: 1 }, Hms::default(), utc(), 0, &raw mut DATETIME)
}
/// The local time zone at a datetime in UTC.
fn local_timezone(utc_dt: *mut PyObject) -> PyResult<Owned> {
    let since = difference_of(utc_dt, epoch()?.as_ptr())?;
    let (days, seconds, _) = parts(since.as_ptr());
    timezone_at(days as i64 * 86400 + seconds as i64)
}
fn astimezone(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variable.
    unsafe {
        let names = keywords!["tz"];
        let mut tz = none();
        if PyArg_ParseTupleAndKeywords(args, kw, c"|O:astimezone".as_ptr(), names.as_ptr(), &raw mut tz) == 0 {
            return Err(Raised::assume());
        }
        check_tzinfo(tz)?;
        let (d, t) = fields(slf);
        let assumed_local = || timezone_of_local(d, t, fold_of(slf) != 0);
        let mut own_zone = if tzinfo_of(slf) == none() { assumed_local()? } else { own(tzinfo_of(slf)) };
        if own_zone.as_ptr() == tz {
            return Ok(own(slf));
        }
        let mut offset = call_utcoffset(own_zone.as_ptr(), slf)?;
        if offset.as_ptr() == none() {
            // A zone that doesn't know is no zone.
            own_zone = assumed_local()?;
            if own_zone.as_ptr() == tz {
                return Ok(own(slf));
            }
            offset = call_utcoffset(own_zone.as_ptr(), slf)?;
        }
        let in_utc = shift(slf, offset.as_ptr(), -1)?;
        let (d, t) = fields(in_utc.as_ptr());
        let tp = type_of(in_utc.as_ptr());
        let with = |zone: *mut PyObject| new_datetime(d, t, zone, fold_of(in_utc.as_ptr()), tp);
        let zone = if tz == none() { local_timezone(with(utc())?.as_ptr())? } else { own(tz) };
        call_method1(zone.as_ptr(), intern!("fromutc"), with(zone.as_ptr())?.as_ptr())
    }
}
fn timetuple(op: *mut PyObject) -> PyResult<Owned> {
    let (d, t) = fields(op);
    let dst = dst(op)?;
    let flag = if dst.as_ptr() == none() { -1 } else { (parts(dst.as_ptr()) != (0, 0, 0)) as i32 };
    struct_time(d, t, flag)
}
fn utctimetuple(op: *mut PyObject) -> PyResult<Owned> {
    let offset = utcoffset(op)?;
    // SAFETY: [ARGS]
    let in_utc = if offset.as_ptr() == none() { unsafe { own(op) } } else { shift(op, offset.as_ptr(), -1)? };
    let (d, t) = fields(in_utc.as_ptr());
    struct_time(d, t, 0)
}
fn timestamp(op: *mut PyObject) -> PyResult<Owned> {
    if tzinfo_of(op) != none() {
        let since = difference_of(op, epoch()?.as_ptr())?;
        return total_seconds(since.as_ptr());
    }
    let (d, t) = fields(op);
    let seconds = to_utc(d, t, fold_of(op) != 0)? - EPOCH;
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyFloat_FromDouble(seconds as f64 + t.us as f64 / 1e6)) }
}
fn getdate(op: *mut PyObject) -> PyResult<Owned> {
    new_date(fields(op).0, &raw mut DATE)
}
fn gettime(op: *mut PyObject) -> PyResult<Owned> {
    new_time(fields(op).1, none(), fold_of(op), &raw mut TIME)
}
fn gettimetz(op: *mut PyObject) -> PyResult<Owned> {
    new_time(fields(op).1, tzinfo_of(op), fold_of(op), &raw mut TIME)
}

#[allow(clippy::too_many_arguments, reason = "Python's")]
fn replace(
    slf: Borrowed<'_>, year: Option<i32>, month: Option<i32>, day: Option<i32>, hour: Option<i32>, minute: Option<i32>,
    second: Option<i32>, microsecond: Option<i32>, tzinfo: Option<Borrowed<'_>>, fold: Option<i32>,
) -> PyResult<Owned> {
    let op = slf.ob();
    let (d, t) = fields(op);
    let d = Ymd { year: year.unwrap_or(d.year), month: month.unwrap_or(d.month), day: day.unwrap_or(d.day) };
    let t = Hms {
        hour: hour.unwrap_or(t.hour),
        minute: minute.unwrap_or(t.minute),
        second: second.unwrap_or(t.second),
        us: microsecond.unwrap_or(t.us),
    };
    construct(d, t, tzinfo.map_or(tzinfo_of(op), |t| t.ob()), fold.unwrap_or(fold_of(op)), class_of(op))
}
unsafe extern "C" fn dunder_replace(slf: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    static SIG: taipan_clinic::Signature<9> = taipan_clinic::Signature::parse(
        "replace($self, /, year=unchanged, month=unchanged, day=unchanged, hour=unchanged, minute=unchanged, second=unchanged, microsecond=unchanged, tzinfo=unchanged, *, fold=unchanged)",
    );
    // SAFETY: [ARGS] METH_FASTCALL | METH_KEYWORDS.
    unsafe { taipan_clinic::invoke::call_fast::<_, 9>(replace, &SIG.erase(), slf, args, n, kw) }
}
fn reduce_as(op: *mut PyObject, proto: c_int) -> PyResult<Owned> {
    let (d, t) = fields(op);
    let mut data = data_of(d, t);
    if proto > 3 && fold_of(op) != 0 {
        data[2] |= 0x80;
    }
    // SAFETY: [ARGS]
    unsafe { tuple(vec![own(class_of(op)), pickled(&data, tzinfo_of(op))?]) }
}
fn reduce_ex(op: *mut PyObject, args: *mut PyObject) -> PyResult<Owned> {
    reduce_as(op, protocol(args)?)
}
fn reduce(op: *mut PyObject) -> PyResult<Owned> {
    reduce_as(op, 2)
}

fn hour(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(fields(op.ob()).1.hour)
}
fn minute(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(fields(op.ob()).1.minute)
}
fn second(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(fields(op.ob()).1.second)
}
fn microsecond(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(fields(op.ob()).1.us)
}
fn tzinfo(op: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: the datetime keeps it.
    Ok(unsafe { own(tzinfo_of(op.ob())) })
}
fn fold(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(fold_of(op.ob()))
}

methods! {
    static METHODS = [
        class "now($type, /, tz=None)" => now, "The current time in the time zone tz, or local time.";
        raw "utcnow", noargs!(utcnow), METH_NOARGS | METH_CLASS, "Return a new datetime representing UTC day and time.";
        raw "fromtimestamp", varkw!(fromtimestamp), METH_VARARGS | METH_KEYWORDS | METH_CLASS, "timestamp[, tz] -> tz's local time from POSIX timestamp.";
        raw "utcfromtimestamp", varargs!(utcfromtimestamp), METH_VARARGS | METH_CLASS, "Construct a naive UTC datetime from a POSIX timestamp.";
        raw "strptime", varargs!(strptime), METH_VARARGS | METH_CLASS, "string, format -> new datetime parsed from a string (like time.strptime()).";
        raw "combine", varkw!(combine), METH_VARARGS | METH_KEYWORDS | METH_CLASS, "date, time -> datetime with same date and time fields";
        raw "fromisoformat", onearg!(fromisoformat), METH_O | METH_CLASS, "string -> datetime from a string in most ISO 8601 formats";
        raw "date", noargs!(getdate), METH_NOARGS, "Return date object with same year, month and day.";
        raw "time", noargs!(gettime), METH_NOARGS, "Return time object with same time but with tzinfo=None.";
        raw "timetz", noargs!(gettimetz), METH_NOARGS, "Return time object with same time and tzinfo.";
        raw "ctime", noargs!(datetime_ctime), METH_NOARGS, "Return ctime() style string.";
        raw "timetuple", noargs!(timetuple), METH_NOARGS, "The time as time.struct_time, for time.localtime() and the like.";
        raw "timestamp", noargs!(timestamp), METH_NOARGS, "Return POSIX timestamp as float.";
        raw "utctimetuple", noargs!(utctimetuple), METH_NOARGS, "The time in UTC as time.struct_time.";
        raw "isoformat", varkw!(isoformat), METH_VARARGS | METH_KEYWORDS, "[sep] -> string in ISO 8601 format, YYYY-MM-DDT[HH[:MM[:SS[.mmm[uuu]]]]][+HH:MM].\nsep stands between date and time, 'T' by default.\ntimespec says how precise it is: 'auto', 'hours', 'minutes', 'seconds', 'milliseconds' or 'microseconds'.";
        raw "strftime", varkw!(date_strftime), METH_VARARGS | METH_KEYWORDS, "format -> strftime() style string.";
        raw "utcoffset", noargs!(utcoffset), METH_NOARGS, "Return self.tzinfo.utcoffset(self).";
        raw "tzname", noargs!(tzname), METH_NOARGS, "Return self.tzinfo.tzname(self).";
        raw "dst", noargs!(dst), METH_NOARGS, "Return self.tzinfo.dst(self).";
        "replace($self, /, year=unchanged, month=unchanged, day=unchanged, hour=unchanged, minute=unchanged, second=unchanged, microsecond=unchanged, tzinfo=unchanged, *, fold=unchanged)" => replace, "Return datetime with new specified fields.";
        raw "__replace__", PyMethodDefPointer { PyCFunctionFastWithKeywords: dunder_replace }, METH_FASTCALL | METH_KEYWORDS, "__replace__($self, /, **changes)\n--\n\nThe same as replace().";
        raw "astimezone", varkw!(astimezone), METH_VARARGS | METH_KEYWORDS, "tz -> convert to local time in new timezone tz\n";
        raw "__reduce_ex__", varargs!(reduce_ex), METH_VARARGS, "__reduce_ex__(proto) -> (cls, state)";
        raw "__reduce__", noargs!(reduce), METH_NOARGS, "__reduce__() -> (cls, state)";
    ];
}
getset! {
    static GETSET = [
        "hour" => hour, ""; "minute" => minute, ""; "second" => second, ""; "microsecond" => microsecond, "";
        "tzinfo" => tzinfo, ""; "fold" => fold, "";
    ];
}
static mut AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_add: binary_slot!(add),
    nb_subtract: binary_slot!(subtract),
    // SAFETY: all-zero is valid: no functions.
    ..unsafe { core::mem::zeroed() }
};

/// `datetime.datetime`.
pub static mut DATETIME: PyTypeObject = PyTypeObject {
    tp_name: c"datetime.datetime".as_ptr(),
    tp_basicsize: size_of::<PyDateTime_DateTime>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_repr: unary_slot!(repr),
    tp_as_number: &raw mut AS_NUMBER,
    tp_hash: Some(hash),
    tp_str: unary_slot!(str_),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tp_doc: c"datetime(year, month, day[, hour[, minute[, second[, microsecond[,tzinfo]]]]])\n\nYear, month and day are required. tzinfo is None or an instance of a tzinfo subclass; the others are ints.\n".as_ptr(),
    tp_richcompare: compare_slot!(richcompare),
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    tp_base: &raw mut DATE,
    tp_new: new_slot!(datetime_new),
    ..TYPE_INIT
};
