//! `tzinfo` and `timezone`.

use crate::datetime::{shift, tzinfo_of as datetime_tzinfo};
use crate::delta::{difference, hash as delta_hash, new_delta, parts, richcompare as delta_richcompare};
use crate::support::*;
use crate::{compare_slot, keywords, new_slot, noargs, onearg, unary_slot};
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::methods;
use taipan_objects::typeobject::TYPE_INIT;

/// A `timezone`: a fixed offset, perhaps with a name (or NULL).
#[repr(C)]
pub struct TimeZone {
    ob_base: PyObject,
    offset: *mut PyObject,
    name: *mut PyObject,
}

/// `timezone.utc`; for ever, once the module is initialised.
static mut UTC: *mut PyObject = null_mut();

/// `timezone.utc`, lent.
pub fn utc() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { *(&raw const UTC) }
}

/// Makes `timezone.utc`.
pub fn init_utc() -> PyResult<()> {
    if utc().is_null() {
        let zone = make(&new_delta(0, 0, 0)?, null_mut())?.into_raw();
        // SAFETY: [GIL]
        unsafe {
            set_immortal(zone);
            *(&raw mut UTC) = zone;
        }
    }
    Ok(())
}

fn make(offset: &Owned, name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: a ready static type.
    unsafe {
        let alloc = (*(&raw const TIMEZONE)).tp_alloc.unwrap_or(PyType_GenericAlloc);
        let zone = Owned::from_owned_or_err(alloc(&raw mut TIMEZONE, 0).cast::<TimeZone>())?;
        (*zone.as_ptr()).offset = offset.clone().into_raw();
        (*zone.as_ptr()).name = if name.is_null() { null_mut() } else { Py_NewRef(name) };
        Ok(zone.into_object())
    }
}

/// Whether a timedelta is less than a day, either way.
fn within_a_day(offset: *mut PyObject) -> bool {
    let (d, s, us) = parts(offset);
    d == 0 || d == -1 && (s, us) != (0, 0)
}

/// The time zone of a timedelta, perhaps with a name.
pub fn new_timezone(offset: *mut PyObject, name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if name.is_null() && parts(offset) == (0, 0, 0) && !utc().is_null() {
            return Ok(own(utc()));
        }
        if !within_a_day(offset) {
            let text = c"offset must be a timedelta strictly between -timedelta(hours=24) and timedelta(hours=24), not %R.";
            PyErr_Format(PyExc_ValueError, text.as_ptr(), offset);
            return Err(Raised::assume());
        }
        make(&own(offset), name)
    }
}
/// `new_timezone` of the C API.
pub unsafe extern "C" fn capi_timezone(offset: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    new_timezone(offset, name).into_c()
}

// ---- asking a tzinfo ---------------------------------------------------------------------------------------------------

/// Calls a method of a tzinfo that returns a timedelta or None; `None` if there is no tzinfo.
fn ask(tzinfo: *mut PyObject, name: *mut PyObject, label: &str, arg: *mut PyObject) -> PyResult<Owned> {
    if tzinfo == none() {
        return Ok(none_owned());
    }
    let offset = call_method1(tzinfo, name, arg)?;
    let op = offset.as_ptr();
    if op == none() {
        return Ok(offset);
    }
    if !is_delta(op) {
        bail!(PyExc_TypeError, "tzinfo.{}() must return None or timedelta, not '{}'", label, tp_name_of(op));
    }
    if !within_a_day(op) {
        bail!(PyExc_ValueError, "offset must be a timedelta strictly between -timedelta(hours=24) and timedelta(hours=24).");
    }
    Ok(offset)
}
/// `tzinfo.utcoffset(arg)`.
pub fn call_utcoffset(tzinfo: *mut PyObject, arg: *mut PyObject) -> PyResult<Owned> {
    ask(tzinfo, intern!("utcoffset"), "utcoffset", arg)
}
/// `tzinfo.dst(arg)`.
pub fn call_dst(tzinfo: *mut PyObject, arg: *mut PyObject) -> PyResult<Owned> {
    ask(tzinfo, intern!("dst"), "dst", arg)
}
/// `tzinfo.tzname(arg)`.
pub fn call_tzname(tzinfo: *mut PyObject, arg: *mut PyObject) -> PyResult<Owned> {
    if tzinfo == none() {
        return Ok(none_owned());
    }
    let name = call_method1(tzinfo, intern!("tzname"), arg)?;
    // SAFETY: held.
    if name.as_ptr() != none() && unsafe { PyUnicode_Check(name.as_ptr()) } == 0 {
        bail!(PyExc_TypeError, "tzinfo.tzname() must return None or a string, not '{}'", tp_name_of(name.as_ptr()));
    }
    Ok(name)
}

/// An offset as "+HH:MM", with seconds and microseconds if it has any, and the sign and separator asked for.
pub fn format_offset(offset: *mut PyObject, sep: &str) -> String {
    let us = crate::delta::microseconds(offset);
    let sign = if us < 0 { '-' } else { '+' };
    let us = us.unsigned_abs();
    let (s, us) = (us / 1_000_000, us % 1_000_000);
    let mut text = format!("{sign}{:02}{sep}{:02}", s / 3600, s / 60 % 60);
    if s % 60 != 0 || us != 0 {
        text += &format!("{sep}{:02}", s % 60);
    }
    if us != 0 {
        text += &format!(".{us:06}");
    }
    text
}

/// The offset of a tzinfo as text, empty if it has none.
pub fn offset_text(tzinfo: *mut PyObject, arg: *mut PyObject, sep: &str) -> PyResult<String> {
    let offset = call_utcoffset(tzinfo, arg)?;
    Ok(if offset.as_ptr() == none() { String::new() } else { format_offset(offset.as_ptr(), sep) })
}

// ---- tzinfo ------------------------------------------------------------------------------------------------------------

fn abstract_method(name: &str) -> PyResult<Owned> {
    bail!(PyExc_NotImplementedError, "a tzinfo subclass must implement {}()", name)
}
fn tzinfo_tzname(_: *mut PyObject, _: *mut PyObject) -> PyResult<Owned> {
    abstract_method("tzname")
}
fn tzinfo_utcoffset(_: *mut PyObject, _: *mut PyObject) -> PyResult<Owned> {
    abstract_method("utcoffset")
}
fn tzinfo_dst(_: *mut PyObject, _: *mut PyObject) -> PyResult<Owned> {
    abstract_method("dst")
}

/// Errors unless `dt` is a datetime of this very zone.
fn check_own(slf: *mut PyObject, dt: *mut PyObject) -> PyResult<()> {
    if !is_datetime(dt) {
        bail!(PyExc_TypeError, "fromutc: argument must be a datetime");
    }
    if datetime_tzinfo(dt) != slf {
        bail!(PyExc_ValueError, "fromutc: dt.tzinfo is not self");
    }
    Ok(())
}
fn tzinfo_fromutc(slf: *mut PyObject, dt: *mut PyObject) -> PyResult<Owned> {
    check_own(slf, dt)?;
    let offset = call_utcoffset(slf, dt)?;
    if offset.as_ptr() == none() {
        bail!(PyExc_ValueError, "fromutc: non-None utcoffset() result required");
    }
    let dst = call_dst(slf, dt)?;
    if dst.as_ptr() == none() {
        bail!(PyExc_ValueError, "fromutc: non-None dst() result required");
    }
    // Standard time first; its daylight saving decides.
    let standard = difference(offset.as_ptr(), dst.as_ptr())?;
    let result = shift(dt, standard.as_ptr(), 1)?;
    let dst = call_dst(datetime_tzinfo(dt), result.as_ptr())?;
    if dst.as_ptr() == none() {
        bail!(PyExc_ValueError, "fromutc: tz.dst() gave inconsistent results; cannot convert");
    }
    if parts(dst.as_ptr()) == (0, 0, 0) { Ok(result) } else { shift(result.as_ptr(), dst.as_ptr(), 1) }
}
fn tzinfo_reduce(slf: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let mut getinitargs = null_mut();
        check_status(PyObject_GetOptionalAttr(slf, intern!("__getinitargs__"), &mut getinitargs))?;
        let args = match Owned::from_owned_or_opt(getinitargs) {
            Some(f) => Owned::from_owned_or_err(PyObject_CallNoArgs(f.as_ptr()))?,
            None => tuple(Vec::new())?,
        };
        let state = Owned::from_owned_or_err(_PyObject_GetState(slf))?;
        tuple(vec![own(type_of(slf).cast()), args, state])
    }
}

methods! {
    static TZINFO_METHODS = [
        raw "tzname", onearg!(tzinfo_tzname), METH_O, "datetime -> string name of time zone.";
        raw "utcoffset", onearg!(tzinfo_utcoffset), METH_O, "datetime -> offset from UTC as timedelta, negative west of it.";
        raw "dst", onearg!(tzinfo_dst), METH_O, "datetime -> the part of the offset that is daylight saving, as timedelta.";
        raw "fromutc", onearg!(tzinfo_fromutc), METH_O, "datetime in UTC -> datetime in local time.";
        raw "__reduce__", noargs!(tzinfo_reduce), METH_NOARGS, "-> (cls, state)";
    ];
}

/// `datetime.tzinfo`.
pub static mut TZINFO: PyTypeObject = PyTypeObject {
    tp_name: c"datetime.tzinfo".as_ptr(),
    tp_basicsize: size_of::<PyDateTime_TZInfo>() as Py_ssize_t,
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tp_doc: c"Abstract base class for time zone info objects.".as_ptr(),
    tp_methods: (&raw mut TZINFO_METHODS).cast(),
    tp_new: Some(PyType_GenericNew),
    ..TYPE_INIT
};

// ---- timezone ----------------------------------------------------------------------------------------------------------

fn fields(op: *mut PyObject) -> (*mut PyObject, *mut PyObject) {
    // SAFETY: [TYPE] the callers checked it.
    unsafe {
        let z = op.cast::<TimeZone>();
        ((*z).offset, (*z).name)
    }
}
fn timezone_new(_: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variables.
    unsafe {
        let names = keywords!["offset", "name"];
        let (mut offset, mut name) = (null_mut::<PyObject>(), null_mut::<PyObject>());
        if PyArg_ParseTupleAndKeywords(
            args, kw, c"O!|U:timezone".as_ptr(), names.as_ptr(), &raw mut DELTA, &raw mut offset, &raw mut name,
        ) == 0
        {
            return Err(Raised::assume());
        }
        new_timezone(offset, name)
    }
}
unsafe extern "C" fn timezone_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let z = slf.cast::<TimeZone>();
        Py_XDECREF((*z).offset);
        Py_XDECREF((*z).name);
        if let Some(free) = (*type_of(slf)).tp_free {
            free(slf.cast());
        }
    }
}
fn timezone_richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> PyResult<Owned> {
    if op != Py_EQ && op != Py_NE || !is_timezone(b) {
        return Ok(not_implemented());
    }
    delta_richcompare(fields(a).0, fields(b).0, op)
}
unsafe extern "C" fn timezone_hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE] the offset is a timedelta.
    unsafe { delta_hash(fields(slf).0) }
}
fn timezone_repr(slf: *mut PyObject) -> PyResult<Owned> {
    let (offset, name) = fields(slf);
    // SAFETY: [TYPE] the formats' arguments fit them.
    unsafe {
        let tp = (*type_of(slf)).tp_name;
        Owned::from_owned_or_err(if slf == utc() {
            PyUnicode_FromFormat(c"%s.utc".as_ptr(), tp)
        } else if name.is_null() {
            PyUnicode_FromFormat(c"%s(%R)".as_ptr(), tp, offset)
        } else {
            PyUnicode_FromFormat(c"%s(%R, %R)".as_ptr(), tp, offset, name)
        })
    }
}
fn timezone_str(slf: *mut PyObject) -> PyResult<Owned> {
    let (offset, name) = fields(slf);
    if !name.is_null() {
        // SAFETY: the zone keeps it.
        return Ok(unsafe { own(name) });
    }
    if parts(offset) == (0, 0, 0) {
        return string("UTC");
    }
    string(&format!("UTC{}", format_offset(offset, ":")))
}
fn check_argument(dt: *mut PyObject, method: &str) -> PyResult<()> {
    if dt == none() || is_datetime(dt) {
        return Ok(());
    }
    bail!(PyExc_TypeError, "{}(dt) argument must be a datetime instance or None, not {}", method, tp_name_of(dt))
}
fn timezone_tzname(slf: *mut PyObject, dt: *mut PyObject) -> PyResult<Owned> {
    check_argument(dt, "tzname")?;
    timezone_str(slf)
}
fn timezone_utcoffset(slf: *mut PyObject, dt: *mut PyObject) -> PyResult<Owned> {
    check_argument(dt, "utcoffset")?;
    // SAFETY: the zone keeps it.
    Ok(unsafe { own(fields(slf).0) })
}
fn timezone_dst(_: *mut PyObject, dt: *mut PyObject) -> PyResult<Owned> {
    check_argument(dt, "dst")?;
    Ok(none_owned())
}
fn timezone_fromutc(slf: *mut PyObject, dt: *mut PyObject) -> PyResult<Owned> {
    check_own(slf, dt)?;
    shift(dt, fields(slf).0, 1)
}
fn timezone_getinitargs(slf: *mut PyObject) -> PyResult<Owned> {
    let (offset, name) = fields(slf);
    // SAFETY: the zone keeps them.
    unsafe {
        let mut args = vec![own(offset)];
        if !name.is_null() {
            args.push(own(name));
        }
        tuple(args)
    }
}

methods! {
    static TIMEZONE_METHODS = [
        raw "tzname", onearg!(timezone_tzname), METH_O, "The name given when the timezone was made, or else the offset as 'UTC(+|-)HH:MM'.";
        raw "utcoffset", onearg!(timezone_utcoffset), METH_O, "Return fixed offset.";
        raw "dst", onearg!(timezone_dst), METH_O, "Return None.";
        raw "fromutc", onearg!(timezone_fromutc), METH_O, "datetime in UTC -> datetime in local time.";
        raw "__getinitargs__", noargs!(timezone_getinitargs), METH_NOARGS, "pickle support";
    ];
}

/// `datetime.timezone`.
pub static mut TIMEZONE: PyTypeObject = PyTypeObject {
    tp_name: c"datetime.timezone".as_ptr(),
    tp_basicsize: size_of::<TimeZone>() as Py_ssize_t,
    tp_dealloc: Some(timezone_dealloc),
    tp_repr: unary_slot!(timezone_repr),
    tp_hash: Some(timezone_hash),
    tp_str: unary_slot!(timezone_str),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"Fixed offset from UTC implementation of tzinfo.".as_ptr(),
    tp_richcompare: compare_slot!(timezone_richcompare),
    tp_methods: (&raw mut TIMEZONE_METHODS).cast(),
    tp_base: &raw mut TZINFO,
    tp_new: new_slot!(timezone_new),
    ..TYPE_INIT
};
