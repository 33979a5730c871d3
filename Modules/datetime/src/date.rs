//! `date`, and the tuple that `isocalendar` returns.

use crate::calendar::{BadIso, Hms, Ymd, from_isocalendar};
use crate::delta::{new_delta, parts};
use crate::format::{ctime, dunder_format, format_argument, iso_date, strftime, struct_time};
use crate::isoformat::parse_date;
use crate::local::{broken_down, fields_of, timestamp_seconds};
use crate::support::*;
use crate::{binary_slot, compare_slot, keywords, new_slot, noargs, onearg, unary_slot, varargs, varkw};
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// The date of a date or datetime.
pub fn ymd_of(op: *mut PyObject) -> Ymd {
    // SAFETY: [TYPE] the callers checked it; a datetime's data begin as a date's.
    let data = unsafe { (*op.cast::<PyDateTime_Date>()).data };
    Ymd { year: (data[0] as i32) << 8 | data[1] as i32, month: data[2] as i32, day: data[3] as i32 }
}
/// A valid date as bytes.
pub fn date_bytes(d: Ymd) -> [u8; 4] {
    [(d.year >> 8) as u8, d.year as u8, d.month as u8, d.day as u8]
}

unsafe fn allocate(tp: *mut PyTypeObject, data: [u8; 4]) -> PyResult<Owned> {
    // SAFETY: [ARGS] a ready type.
    unsafe {
        let alloc = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc);
        let d = Owned::from_owned_or_err(alloc(tp, 0).cast::<PyDateTime_Date>())?;
        (*d.as_ptr()).hashcode = -1;
        (*d.as_ptr()).hastzinfo = 0;
        (*d.as_ptr()).data = data;
        Ok(d.into_object())
    }
}
/// A date of class `tp` itself; ValueError unless it exists.
pub fn new_date(d: Ymd, tp: *mut PyTypeObject) -> PyResult<Owned> {
    check_date(d)?;
    // SAFETY: [ARGS]
    unsafe { allocate(tp, date_bytes(d)) }
}
/// `new_date_ex` of the C API.
pub unsafe extern "C" fn capi_date(year: c_int, month: c_int, day: c_int, tp: *mut PyTypeObject) -> *mut PyObject {
    new_date(Ymd { year, month, day }, tp).into_c()
}
/// A date of class `cls` as its constructor makes it.
fn construct(d: Ymd, cls: *mut PyObject) -> PyResult<Owned> {
    if cls == (&raw mut DATE).cast() {
        return new_date(d, &raw mut DATE);
    }
    if cls == (&raw mut DATETIME).cast() {
        return crate::datetime::new_datetime(d, Hms::default(), none(), 0, &raw mut DATETIME);
    }
    call(cls, ints([d.year, d.month, d.day])?, 0)
}

fn date_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variables.
    unsafe {
        if PyTuple_GET_SIZE(args) == 1 {
            let state = pickled_state(PyTuple_GET_ITEM(args, 0), 4, "date", |b| (1..=12).contains(&b[2]))?;
            if let Some(state) = state.and_then(|s| <[u8; 4]>::try_from(s).ok()) {
                return allocate(tp, state);
            }
        }
        let names = keywords!["year", "month", "day"];
        let (mut year, mut month, mut day): (c_int, c_int, c_int) = (0, 0, 0);
        if PyArg_ParseTupleAndKeywords(
            args, kw, c"iii".as_ptr(), names.as_ptr(), &raw mut year, &raw mut month, &raw mut day,
        ) == 0
        {
            return Err(Raised::assume());
        }
        new_date(Ymd { year, month, day }, tp)
    }
}

fn fromtimestamp(cls: *mut PyObject, timestamp: *mut PyObject) -> PyResult<Owned> {
    let (d, _) = fields_of(&broken_down(timestamp_seconds(timestamp)?, false)?);
    construct(d, cls)
}
/// `date.fromtimestamp` of the C API, whose arguments are a tuple.
pub unsafe extern "C" fn capi_fromtimestamp(cls: *mut PyTypeObject, args: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut timestamp = null_mut::<PyObject>();
        if PyArg_UnpackTuple(args, c"fromtimestamp".as_ptr(), 1, 1, &raw mut timestamp) == 0 {
            return null_mut();
        }
        fromtimestamp(cls.cast(), timestamp).into_c()
    }
}
fn date_fromtimestamp(cls: Borrowed<'_>, timestamp: Borrowed<'_>) -> PyResult<Owned> {
    fromtimestamp(cls.ob(), timestamp.ob())
}
fn today(cls: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let time = Owned::from_owned_or_err(_PyImport_GetModuleAttrString(c"time".as_ptr(), c"time".as_ptr()))?;
        let now = Owned::from_owned_or_err(PyObject_CallNoArgs(time.as_ptr()))?;
        call_method1(cls, intern!("fromtimestamp"), now.as_ptr())
    }
}
fn fromordinal(cls: *mut PyObject, args: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variable.
    unsafe {
        let mut n: c_int = 0;
        if PyArg_ParseTuple(args, c"i:fromordinal".as_ptr(), &raw mut n) == 0 {
            return Err(Raised::assume());
        }
        if n < 1 {
            bail!(PyExc_ValueError, "ordinal must be >= 1");
        }
        // Beyond the calendar it is the year that is complained about.
        construct(Ymd::from_ordinal(n), cls)
    }
}
/// The UTF-8 of a str, `None` if it has surrogates.
///
/// # Safety
/// `op` is a str that lives for `'a`.
pub unsafe fn utf8<'a>(op: *mut PyObject) -> Option<&'a [u8]> {
    // SAFETY: [TYPE]
    unsafe {
        let mut n = 0;
        let p = PyUnicode_AsUTF8AndSize(op, &mut n);
        if p.is_null() {
            PyErr_Clear();
            return None;
        }
        Some(core::slice::from_raw_parts(p.cast(), n as usize))
    }
}
/// TypeError unless the argument of `fromisoformat` is a str.
pub fn check_text(text: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    if unsafe { PyUnicode_Check(text) } == 0 {
        bail!(PyExc_TypeError, "fromisoformat: argument must be str");
    }
    Ok(())
}
fn fromisoformat(cls: *mut PyObject, text: *mut PyObject) -> PyResult<Owned> {
    check_text(text)?;
    // SAFETY: [TYPE]
    let parsed = unsafe { utf8(text) }
        .filter(|t| matches!(t.len(), 7 | 8 | 10))
        .and_then(|t| parse_date(t, t.len()).ok());
    match parsed {
        Some(d) => construct(d, cls),
        None => Err(invalid_isoformat(text)),
    }
}
fn fromisocalendar(cls: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variables.
    unsafe {
        let names = keywords!["year", "week", "day"];
        let (mut year, mut week, mut day): (c_int, c_int, c_int) = (0, 0, 0);
        if PyArg_ParseTupleAndKeywords(
            args, kw, c"iii:fromisocalendar".as_ptr(), names.as_ptr(), &raw mut year, &raw mut week, &raw mut day,
        ) == 0
        {
            let e = Raised::assume();
            if e.matches(PyExc_OverflowError) {
                bail!(PyExc_ValueError, "ISO calendar component out of range");
            }
            return Err(e);
        }
        match from_isocalendar(year, week, day) {
            Ok(d) => construct(d, cls),
            Err(BadIso::Year) => bail!(PyExc_ValueError, "Year is out of range: {}", year),
            Err(BadIso::Week) => bail!(PyExc_ValueError, "Invalid week: {}", week),
            Err(BadIso::Day) => bail!(PyExc_ValueError, "Invalid day: {} (range is [1, 7])", day),
        }
    }
}

fn shift(date: *mut PyObject, delta: *mut PyObject, sign: i64) -> PyResult<Owned> {
    let d = ymd_of(date);
    let day = i32::try_from(d.day as i64 + sign * parts(delta).0 as i64).ok();
    match day.and_then(|day| Ymd { day, ..d }.normalized()) {
        // SAFETY: [ARGS]
        Some(d) => construct(d, unsafe { type_of(date) }.cast()),
        None => bail!(PyExc_OverflowError, "date value out of range"),
    }
}
fn add(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    if is_datetime(a) || is_datetime(b) {
        return Ok(not_implemented());
    }
    if is_date(a) {
        return if is_delta(b) { shift(a, b, 1) } else { Ok(not_implemented()) };
    }
    if is_delta(a) { shift(b, a, 1) } else { Ok(not_implemented()) }
}
fn subtract(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    if is_datetime(a) || is_datetime(b) || !is_date(a) {
        return Ok(not_implemented());
    }
    if is_date(b) {
        return new_delta(ymd_of(a).ordinal() as i64 - ymd_of(b).ordinal() as i64, 0, 0);
    }
    if is_delta(b) { shift(a, b, -1) } else { Ok(not_implemented()) }
}
fn richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> PyResult<Owned> {
    if !is_date(b) || is_datetime(b) {
        return Ok(not_implemented());
    }
    Ok(compared(date_bytes(ymd_of(a)).cmp(&date_bytes(ymd_of(b))), op))
}
unsafe extern "C" fn hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let d = slf.cast::<PyDateTime_Date>();
        if (*d).hashcode == -1 {
            (*d).hashcode = _Py_HashBytes((&raw const (*d).data).cast(), 4);
        }
        (*d).hashcode
    }
}
fn repr(op: *mut PyObject) -> PyResult<Owned> {
    let d = ymd_of(op);
    string(&format!("{}({}, {}, {})", tp_name_of(op), d.year, d.month, d.day))
}
/// `str()` of dates and times: their `isoformat()`.
pub fn str_(op: *mut PyObject) -> PyResult<Owned> {
    call_method0(op, intern!("isoformat"))
}
fn isoformat(op: *mut PyObject) -> PyResult<Owned> {
    string(&iso_date(ymd_of(op)))
}
fn date_ctime(op: *mut PyObject) -> PyResult<Owned> {
    ctime(ymd_of(op), Hms::default())
}
/// `strftime` of dates and datetimes.
pub fn date_strftime(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    let format = unsafe { format_argument(args, kw)? };
    let fields = call_method0(slf, intern!("timetuple"))?;
    strftime(slf, format, &fields, slf)
}
fn timetuple(op: *mut PyObject) -> PyResult<Owned> {
    struct_time(ymd_of(op), Hms::default(), -1)
}
fn isoweekday(op: *mut PyObject) -> PyResult<Owned> {
    int(ymd_of(op).weekday() as i64 + 1)
}
fn weekday(op: *mut PyObject) -> PyResult<Owned> {
    int(ymd_of(op).weekday() as i64)
}
fn toordinal(op: *mut PyObject) -> PyResult<Owned> {
    int(ymd_of(op).ordinal() as i64)
}
fn isocalendar(op: *mut PyObject) -> PyResult<Owned> {
    let (year, week, day) = ymd_of(op).isocalendar();
    // SAFETY: a static type.
    unsafe { new_iso_calendar(&raw mut ISO_CALENDAR_DATE, ints([year, week, day])?) }
}
fn replace(slf: Borrowed<'_>, year: Option<i32>, month: Option<i32>, day: Option<i32>) -> PyResult<Owned> {
    let d = ymd_of(slf.ob());
    let new = Ymd { year: year.unwrap_or(d.year), month: month.unwrap_or(d.month), day: day.unwrap_or(d.day) };
    construct(new, slf.ob_type().cast())
}
unsafe extern "C" fn dunder_replace(slf: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    static SIG: taipan_clinic::Signature<3> =
        taipan_clinic::Signature::parse("replace($self, /, year=unchanged, month=unchanged, day=unchanged)");
    // SAFETY: [ARGS] METH_FASTCALL | METH_KEYWORDS.
    unsafe { taipan_clinic::invoke::call_fast::<_, 3>(replace, &SIG.erase(), slf, args, n, kw) }
}
fn reduce(op: *mut PyObject) -> PyResult<Owned> {
    let state = tuple(vec![bytes(&date_bytes(ymd_of(op)))?])?;
    // SAFETY: [ARGS]
    unsafe { tuple(vec![own(type_of(op).cast()), state]) }
}

fn year(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(ymd_of(op.ob()).year)
}
fn month(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(ymd_of(op.ob()).month)
}
fn day(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(ymd_of(op.ob()).day)
}

methods! {
    static METHODS = [
        class "fromtimestamp($type, timestamp, /)" => date_fromtimestamp, "The local date of a POSIX timestamp.";
        raw "fromordinal", varargs!(fromordinal), METH_VARARGS | METH_CLASS, "int -> date with this number in the proleptic Gregorian calendar.";
        raw "fromisoformat", onearg!(fromisoformat), METH_O | METH_CLASS, "str -> date from a string in ISO 8601 format.";
        raw "fromisocalendar", varkw!(fromisocalendar), METH_VARARGS | METH_KEYWORDS | METH_CLASS, "int, int, int -> date of the ISO year, week and weekday.\n\nThe inverse of date.isocalendar().";
        raw "today", noargs!(today), METH_NOARGS | METH_CLASS, "The current date: what self.__class__.fromtimestamp(time.time()) returns.";
        raw "ctime", noargs!(date_ctime), METH_NOARGS, "Return ctime() style string.";
        raw "strftime", varkw!(date_strftime), METH_VARARGS | METH_KEYWORDS, "format -> strftime() style string.";
        raw "__format__", varargs!(dunder_format), METH_VARARGS, "Formats self with strftime.";
        raw "timetuple", noargs!(timetuple), METH_NOARGS, "The date as time.struct_time, for time.localtime() and the like.";
        raw "isocalendar", noargs!(isocalendar), METH_NOARGS, "The ISO year, week and weekday as a named tuple.";
        raw "isoformat", noargs!(isoformat), METH_NOARGS, "Return string in ISO 8601 format, YYYY-MM-DD.";
        raw "isoweekday", noargs!(isoweekday), METH_NOARGS, "The day of the week, Monday being 1 and Sunday 7.";
        raw "toordinal", noargs!(toordinal), METH_NOARGS, "The number of the day; 1 January of year 1 is day 1.";
        raw "weekday", noargs!(weekday), METH_NOARGS, "The day of the week, Monday being 0 and Sunday 6.";
        "replace($self, /, year=unchanged, month=unchanged, day=unchanged)" => replace, "Return date with new specified fields.";
        raw "__replace__", PyMethodDefPointer { PyCFunctionFastWithKeywords: dunder_replace }, METH_FASTCALL | METH_KEYWORDS, "__replace__($self, /, **changes)\n--\n\nThe same as replace().";
        raw "__reduce__", noargs!(reduce), METH_NOARGS, "__reduce__() -> (cls, state)";
    ];
}
getset! {
    static GETSET = [ "year" => year, ""; "month" => month, ""; "day" => day, ""; ];
}
static mut AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_add: binary_slot!(add),
    nb_subtract: binary_slot!(subtract),
    // SAFETY: all-zero is valid: no functions.
    ..unsafe { core::mem::zeroed() }
};

/// `datetime.date`.
pub static mut DATE: PyTypeObject = PyTypeObject {
    tp_name: c"datetime.date".as_ptr(),
    tp_basicsize: size_of::<PyDateTime_Date>() as Py_ssize_t,
    tp_repr: unary_slot!(repr),
    tp_as_number: &raw mut AS_NUMBER,
    tp_hash: Some(hash),
    tp_str: unary_slot!(str_),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tp_doc: c"date(year, month, day) --> date object".as_ptr(),
    tp_richcompare: compare_slot!(richcompare),
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    tp_new: new_slot!(date_new),
    ..TYPE_INIT
};

// ---- IsoCalendarDate ---------------------------------------------------------------------------------------------------

/// A tuple subclass's instance of three items.
unsafe fn new_iso_calendar(tp: *mut PyTypeObject, items: Vec<Owned>) -> PyResult<Owned> {
    // SAFETY: [ARGS] tp derives from tuple.
    unsafe {
        let alloc = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc);
        let v = Owned::from_owned_or_err(alloc(tp, items.len() as Py_ssize_t))?;
        for (i, item) in items.into_iter().enumerate() {
            PyTuple_SET_ITEM(v.as_ptr(), i as Py_ssize_t, item.into_raw());
        }
        Ok(v)
    }
}
fn iso_new(tp: Borrowed<'_, PyTypeObject>, year: i32, week: i32, weekday: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { new_iso_calendar(tp.as_ptr(), ints([year, week, weekday])?) }
}
fn iso_item(op: *mut PyObject, i: Py_ssize_t) -> PyResult<Owned> {
    // SAFETY: [TYPE] a tuple; its length is checked.
    unsafe {
        let item = PyTuple_GetItem(op, i);
        if item.is_null() { Err(Raised::assume()) } else { Ok(own(item)) }
    }
}
fn iso_year(op: Borrowed<'_>) -> PyResult<Owned> {
    iso_item(op.ob(), 0)
}
fn iso_week(op: Borrowed<'_>) -> PyResult<Owned> {
    iso_item(op.ob(), 1)
}
fn iso_weekday(op: Borrowed<'_>) -> PyResult<Owned> {
    iso_item(op.ob(), 2)
}
fn iso_repr(op: *mut PyObject) -> PyResult<Owned> {
    let (y, w, d) = (iso_item(op, 0)?, iso_item(op, 1)?, iso_item(op, 2)?);
    // SAFETY: the format's arguments fit it.
    unsafe {
        let name = (*type_of(op)).tp_name;
        Owned::from_owned_or_err(PyUnicode_FromFormat(
            c"%.200s(year=%S, week=%S, weekday=%S)".as_ptr(), name, y.as_ptr(), w.as_ptr(), d.as_ptr(),
        ))
    }
}
fn iso_reduce(op: *mut PyObject) -> PyResult<Owned> {
    let items = tuple(vec![iso_item(op, 0)?, iso_item(op, 1)?, iso_item(op, 2)?])?;
    // SAFETY: a static type.
    unsafe { tuple(vec![own((&raw mut PyTuple_Type).cast()), tuple(vec![items])?]) }
}
methods! {
    static ISO_METHODS = [
        raw "__reduce__", noargs!(iso_reduce), METH_NOARGS, "__reduce__() -> (cls, state)";
    ];
}
getset! {
    static ISO_GETSET = [ "year" => iso_year, ""; "week" => iso_week, ""; "weekday" => iso_weekday, ""; ];
}

/// `datetime.IsoCalendarDate`.
pub static mut ISO_CALENDAR_DATE: PyTypeObject = PyTypeObject {
    tp_name: c"datetime.IsoCalendarDate".as_ptr(),
    tp_basicsize: size_of::<PyVarObject>() as Py_ssize_t,
    tp_itemsize: size_of::<*mut PyObject>() as Py_ssize_t,
    tp_repr: unary_slot!(iso_repr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"The result of date.isocalendar() or datetime.isocalendar()\n\nA tuple (year, week, weekday) whose items are attributes too.".as_ptr(),
    tp_methods: (&raw mut ISO_METHODS).cast(),
    tp_getset: (&raw mut ISO_GETSET).cast(),
    tp_base: &raw mut PyTuple_Type,
    tp_new: Some(taipan_clinic::constructor!("IsoCalendarDate(year, week, weekday)" => iso_new)),
    ..TYPE_INIT
};
