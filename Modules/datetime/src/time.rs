//! `time`.

use crate::calendar::Hms;
use crate::date::{check_text, str_, utf8};
use crate::delta::{difference, microseconds, new_delta};
use crate::format::{c_text, dunder_format, format_argument, iso_time, strftime, with_keywords};
use crate::isoformat::{Offset, parse_time};
use crate::support::*;
use crate::tzinfo::{call_dst, call_tzname, call_utcoffset, new_timezone, offset_text, utc};
use crate::{compare_slot, keywords, new_slot, noargs, onearg, unary_slot, varargs, varkw};
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, methods};
use taipan_objects::typeobject::TYPE_INIT;

unsafe fn this<'a>(op: *mut PyObject) -> &'a PyDateTime_Time {
    // SAFETY: [TYPE] the callers checked it.
    unsafe { &*op.cast() }
}

/// Hour, minute, second and microsecond of six bytes.
pub fn hms_of(b: &[u8]) -> Hms {
    let &[hour, minute, second, us2, us1, us0] = b else { return Hms::default() };
    Hms {
        hour: hour as i32,
        minute: minute as i32,
        second: second as i32,
        us: (us2 as i32) << 16 | (us1 as i32) << 8 | us0 as i32,
    }
}
/// A valid time as six bytes.
pub fn hms_bytes(t: Hms) -> [u8; 6] {
    [t.hour as u8, t.minute as u8, t.second as u8, (t.us >> 16) as u8, (t.us >> 8) as u8, t.us as u8]
}

/// The fields of a time.
pub fn fields(op: *mut PyObject) -> Hms {
    // SAFETY: [TYPE]
    hms_of(unsafe { &this(op).data })
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

unsafe fn allocate(tp: *mut PyTypeObject, data: [u8; 6], tzinfo: *mut PyObject, fold: u8) -> PyResult<Owned> {
    // SAFETY: [ARGS] a ready type.
    unsafe {
        let alloc = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc);
        let t = Owned::from_owned_or_err(alloc(tp, 0).cast::<PyDateTime_Time>())?;
        let p = t.as_ptr();
        (*p).hashcode = -1;
        (*p).data = data;
        (*p).fold = fold;
        (*p).hastzinfo = (tzinfo != none()) as c_char;
        if tzinfo != none() {
            (*p).tzinfo = Py_NewRef(tzinfo);
        }
        Ok(t.into_object())
    }
}
/// A time of class `tp` itself; ValueError unless it exists.
pub fn new_time(t: Hms, tzinfo: *mut PyObject, fold: i32, tp: *mut PyTypeObject) -> PyResult<Owned> {
    check_time(t, fold)?;
    check_tzinfo(tzinfo)?;
    // SAFETY: [ARGS]
    unsafe { allocate(tp, hms_bytes(t), tzinfo, fold as u8) }
}
/// `new_time_ex` of the C API.
pub unsafe extern "C" fn capi_time(
    hour: c_int, minute: c_int, second: c_int, us: c_int, tzinfo: *mut PyObject, tp: *mut PyTypeObject,
) -> *mut PyObject {
    new_time(Hms { hour, minute, second, us }, tzinfo, 0, tp).into_c()
}
/// `new_time_ex2` of the C API.
pub unsafe extern "C" fn capi_time_fold(
    hour: c_int, minute: c_int, second: c_int, us: c_int, tzinfo: *mut PyObject, fold: c_int, tp: *mut PyTypeObject,
) -> *mut PyObject {
    new_time(Hms { hour, minute, second, us }, tzinfo, fold, tp).into_c()
}
/// A time of class `cls` as its constructor makes it.
fn construct(t: Hms, tzinfo: *mut PyObject, fold: i32, cls: *mut PyObject) -> PyResult<Owned> {
    if cls == (&raw mut TIME).cast() {
        return new_time(t, tzinfo, fold, &raw mut TIME);
    }
    let mut args = ints([t.hour, t.minute, t.second, t.us])?;
    // SAFETY: lent by the caller.
    args.push(unsafe { own(tzinfo) });
    call(cls, args, fold)
}

fn time_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variables.
    unsafe {
        let n = PyTuple_GET_SIZE(args);
        if n == 1 || n == 2 {
            // The fold is the first byte's top bit.
            let state = pickled_state(PyTuple_GET_ITEM(args, 0), 6, "time", |b| b[0] & 0x7f < 24)?;
            if let Some(mut data) = state.and_then(|s| <[u8; 6]>::try_from(s).ok()) {
                let tzinfo = if n == 2 { PyTuple_GET_ITEM(args, 1) } else { none() };
                if tzinfo != none() && !is_tzinfo(tzinfo) {
                    bail!(PyExc_TypeError, "bad tzinfo state arg");
                }
                let fold = data[0] >> 7;
                data[0] &= 0x7f;
                return allocate(tp, data, tzinfo, fold);
            }
        }
        let names = keywords!["hour", "minute", "second", "microsecond", "tzinfo", "fold"];
        let [mut hour, mut minute, mut second, mut us, mut fold]: [c_int; 5] = [0; 5];
        let mut tzinfo = none();
        if PyArg_ParseTupleAndKeywords(
            args, kw, c"|iiiiO$i".as_ptr(), names.as_ptr(),
            &raw mut hour, &raw mut minute, &raw mut second, &raw mut us, &raw mut tzinfo, &raw mut fold,
        ) == 0
        {
            return Err(Raised::assume());
        }
        new_time(Hms { hour, minute, second, us }, tzinfo, fold, tp)
    }
}
/// `tp_dealloc` of times.
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

/// The time zone that an ISO text's offset means, or None.
pub fn zone_of(offset: Offset) -> PyResult<Owned> {
    match offset {
        None => Ok(none_owned()),
        // SAFETY: for ever.
        Some((0, 0)) => Ok(unsafe { own(utc()) }),
        Some((seconds, us)) => {
            let delta = new_delta(0, seconds as i64, us as i64)?;
            new_timezone(delta.as_ptr(), null_mut())
        }
    }
}
fn fromisoformat(cls: *mut PyObject, text: *mut PyObject) -> PyResult<Owned> {
    check_text(text)?;
    // SAFETY: [TYPE]
    let parsed = unsafe { utf8(text) }.and_then(|t| parse_time(t.strip_prefix(b"T").unwrap_or(t)).ok());
    let Some((t, offset)) = parsed else { return Err(invalid_isoformat(text)) };
    construct(t, zone_of(offset)?.as_ptr(), 0, cls)
}

fn utcoffset(op: *mut PyObject) -> PyResult<Owned> {
    call_utcoffset(tzinfo_of(op), none())
}
fn dst(op: *mut PyObject) -> PyResult<Owned> {
    call_dst(tzinfo_of(op), none())
}
fn tzname(op: *mut PyObject) -> PyResult<Owned> {
    call_tzname(tzinfo_of(op), none())
}

fn repr(op: *mut PyObject) -> PyResult<Owned> {
    let t = fields(op);
    let mut text = format!("{}({}, {}", tp_name_of(op), t.hour, t.minute);
    if t.second != 0 || t.us != 0 {
        text += &format!(", {}", t.second);
    }
    if t.us != 0 {
        text += &format!(", {}", t.us);
    }
    text.push(')');
    with_keywords(text, Some(tzinfo_of(op)), fold_of(op), false)
}
fn isoformat(op: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variable.
    unsafe {
        let names = keywords!["timespec"];
        let mut timespec: *const c_char = core::ptr::null();
        if PyArg_ParseTupleAndKeywords(args, kw, c"|s:isoformat".as_ptr(), names.as_ptr(), &raw mut timespec) == 0 {
            return Err(Raised::assume());
        }
        let text = iso_time(fields(op), c_text(timespec))?;
        string(&(text + &offset_text(tzinfo_of(op), none(), ":")?))
    }
}
fn time_strftime(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    let format = unsafe { format_argument(args, kw)? };
    let t = fields(slf);
    // A date that every strftime can handle.
    let fields = tuple(ints([1900, 1, 1, t.hour, t.minute, t.second, 0, 1, -1])?)?;
    strftime(slf, format, &fields, none())
}

fn us_of_day(t: Hms) -> i128 {
    ((t.hour as i128 * 60 + t.minute as i128) * 60 + t.second as i128) * 1_000_000 + t.us as i128
}
fn richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> PyResult<Owned> {
    if !is_time(b) {
        return Ok(not_implemented());
    }
    let (x, y) = (us_of_day(fields(a)), us_of_day(fields(b)));
    if tzinfo_of(a) == tzinfo_of(b) {
        return Ok(compared(x.cmp(&y), op));
    }
    let (o1, o2) = (utcoffset(a)?, utcoffset(b)?);
    let (n1, n2) = (o1.as_ptr() == none(), o2.as_ptr() == none());
    if n1 && n2 {
        return Ok(compared(x.cmp(&y), op));
    }
    if !n1 && !n2 {
        return Ok(compared((x - microseconds(o1.as_ptr())).cmp(&(y - microseconds(o2.as_ptr()))), op));
    }
    if op == Py_EQ || op == Py_NE {
        return Ok(compared(core::cmp::Ordering::Less, op));
    }
    bail!(PyExc_TypeError, "can't compare offset-naive and offset-aware times")
}
fn compute_hash(op: *mut PyObject) -> PyResult<Py_hash_t> {
    // SAFETY: [TYPE] static or subtype.
    unsafe {
        // Both folds of a time are equal, so they hash alike.
        let first = if fold_of(op) != 0 { new_time(fields(op), tzinfo_of(op), 0, type_of(op))? } else { own(op) };
        let offset = utcoffset(first.as_ptr())?;
        if offset.as_ptr() == none() {
            return Ok(_Py_HashBytes((&raw const this(op).data).cast(), 6));
        }
        let t = fields(op);
        let delta = new_delta(0, ((t.hour * 60 + t.minute) * 60 + t.second) as i64, t.us as i64)?;
        let h = PyObject_Hash(difference(delta.as_ptr(), offset.as_ptr())?.as_ptr());
        if h == -1 { Err(Raised::assume()) } else { Ok(h) }
    }
}
unsafe extern "C" fn hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        if this(slf).hashcode == -1 {
            (*slf.cast::<PyDateTime_Time>()).hashcode = compute_hash(slf).unwrap_or(-1);
        }
        this(slf).hashcode
    }
}

fn replace(
    slf: Borrowed<'_>, hour: Option<i32>, minute: Option<i32>, second: Option<i32>, microsecond: Option<i32>,
    tzinfo: Option<Borrowed<'_>>, fold: Option<i32>,
) -> PyResult<Owned> {
    let t = fields(slf.ob());
    let new = Hms {
        hour: hour.unwrap_or(t.hour),
        minute: minute.unwrap_or(t.minute),
        second: second.unwrap_or(t.second),
        us: microsecond.unwrap_or(t.us),
    };
    let tzinfo = tzinfo.map_or(tzinfo_of(slf.ob()), |t| t.ob());
    construct(new, tzinfo, fold.unwrap_or(fold_of(slf.ob())), slf.ob_type().cast())
}
unsafe extern "C" fn dunder_replace(slf: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    static SIG: taipan_clinic::Signature<6> = taipan_clinic::Signature::parse(
        "replace($self, /, hour=unchanged, minute=unchanged, second=unchanged, microsecond=unchanged, tzinfo=unchanged, *, fold=unchanged)",
    );
    // SAFETY: [ARGS] METH_FASTCALL | METH_KEYWORDS.
    unsafe { taipan_clinic::invoke::call_fast::<_, 6>(replace, &SIG.erase(), slf, args, n, kw) }
}

/// `(bytes,)` or `(bytes, tzinfo)`.
pub fn pickled(data: &[u8], tzinfo: *mut PyObject) -> PyResult<Owned> {
    let mut items = vec![bytes(data)?];
    if tzinfo != none() {
        // SAFETY: lent by the caller.
        items.push(unsafe { own(tzinfo) });
    }
    tuple(items)
}
fn reduce_as(op: *mut PyObject, proto: c_int) -> PyResult<Owned> {
    let mut data = hms_bytes(fields(op));
    if proto > 3 && fold_of(op) != 0 {
        data[0] |= 0x80;
    }
    // SAFETY: [ARGS]
    unsafe { tuple(vec![own(type_of(op).cast()), pickled(&data, tzinfo_of(op))?]) }
}
/// The argument of `__reduce_ex__`.
pub fn protocol(args: *mut PyObject) -> PyResult<c_int> {
    let mut proto: c_int = 0;
    // SAFETY: [ARGS] the format fits the variable.
    unsafe {
        if PyArg_ParseTuple(args, c"i:__reduce_ex__".as_ptr(), &raw mut proto) == 0 {
            return Err(Raised::assume());
        }
    }
    Ok(proto)
}
fn reduce_ex(op: *mut PyObject, args: *mut PyObject) -> PyResult<Owned> {
    reduce_as(op, protocol(args)?)
}
fn reduce(op: *mut PyObject) -> PyResult<Owned> {
    reduce_as(op, 2)
}

fn hour(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(fields(op.ob()).hour)
}
fn minute(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(fields(op.ob()).minute)
}
fn second(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(fields(op.ob()).second)
}
fn microsecond(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(fields(op.ob()).us)
}
fn tzinfo(op: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: the time keeps it.
    Ok(unsafe { own(tzinfo_of(op.ob())) })
}
fn fold(op: Borrowed<'_>) -> PyResult<i32> {
    Ok(fold_of(op.ob()))
}

methods! {
    static METHODS = [
        raw "isoformat", varkw!(isoformat), METH_VARARGS | METH_KEYWORDS, "Return string in ISO 8601 format, [HH[:MM[:SS[.mmm[uuu]]]]][+HH:MM].\n\ntimespec says how precise it is: 'auto', 'hours', 'minutes', 'seconds', 'milliseconds' or 'microseconds'.";
        raw "strftime", varkw!(time_strftime), METH_VARARGS | METH_KEYWORDS, "format -> strftime() style string.";
        raw "__format__", varargs!(dunder_format), METH_VARARGS, "Formats self with strftime.";
        raw "utcoffset", noargs!(utcoffset), METH_NOARGS, "Return self.tzinfo.utcoffset(self).";
        raw "tzname", noargs!(tzname), METH_NOARGS, "Return self.tzinfo.tzname(self).";
        raw "dst", noargs!(dst), METH_NOARGS, "Return self.tzinfo.dst(self).";
        "replace($self, /, hour=unchanged, minute=unchanged, second=unchanged, microsecond=unchanged, tzinfo=unchanged, *, fold=unchanged)" => replace, "Return time with new specified fields.";
        raw "__replace__", PyMethodDefPointer { PyCFunctionFastWithKeywords: dunder_replace }, METH_FASTCALL | METH_KEYWORDS, "__replace__($self, /, **changes)\n--\n\nThe same as replace().";
        raw "fromisoformat", onearg!(fromisoformat), METH_O | METH_CLASS, "string -> time from a string in ISO 8601 format";
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

/// `datetime.time`.
pub static mut TIME: PyTypeObject = PyTypeObject {
    tp_name: c"datetime.time".as_ptr(),
    tp_basicsize: size_of::<PyDateTime_Time>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_repr: unary_slot!(repr),
    tp_hash: Some(hash),
    tp_str: unary_slot!(str_),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tp_doc: c"time([hour[, minute[, second[, microsecond[, tzinfo]]]]]) --> a time object\n\nAll arguments are optional. tzinfo is None or an instance of a tzinfo subclass; the others are ints.\n".as_ptr(),
    tp_richcompare: compare_slot!(richcompare),
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    tp_new: new_slot!(time_new),
    ..TYPE_INIT
};
