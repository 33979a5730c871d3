//! `timedelta`.

use crate::calendar::{MAX_DELTA_DAYS, normalized_delta};
use crate::support::*;
use crate::{binary_slot, compare_slot, keywords, new_slot, noargs, unary_slot};
use core::cmp::Ordering;
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{members, methods};
use taipan_objects::typeobject::TYPE_INIT;


/// Days, seconds and microseconds of a timedelta.
pub fn parts(op: *mut PyObject) -> (i32, i32, i32) {
    // SAFETY: [TYPE] the callers checked it.
    unsafe {
        let d = op.cast::<PyDateTime_Delta>();
        ((*d).days, (*d).seconds, (*d).microseconds)
    }
}

/// The one zero duration.
static mut ZERO: *mut PyObject = null_mut();

/// A duration of class `tp` from parts within bounds.
unsafe fn make(tp: *mut PyTypeObject, days: i64, seconds: i32, us: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS] a ready type.
    unsafe {
        if days < -MAX_DELTA_DAYS as i64 || days > MAX_DELTA_DAYS as i64 {
            bail!(PyExc_OverflowError, "days={}; must have magnitude <= {}", days, MAX_DELTA_DAYS);
        }
        let plain = tp == &raw mut DELTA;
        if plain && days == 0 && seconds == 0 && us == 0 && !ZERO.is_null() {
            return Ok(own(ZERO));
        }
        let alloc = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc);
        let d = Owned::from_owned_or_err(alloc(tp, 0).cast::<PyDateTime_Delta>())?;
        let p = d.as_ptr();
        (*p).hashcode = -1;
        (*p).days = days as c_int;
        (*p).seconds = seconds;
        (*p).microseconds = us;
        Ok(d.into_object())
    }
}

/// Makes the zero duration, once the type is ready.
pub fn init_zero() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        if (*(&raw const ZERO)).is_null() {
            let zero = make(&raw mut DELTA, 0, 0, 0)?.into_raw();
            set_immortal(zero);
            *(&raw mut ZERO) = zero;
        }
        Ok(())
    }
}

/// A timedelta; the parts may be out of bounds.
pub fn new_delta(days: i64, seconds: i64, us: i64) -> PyResult<Owned> {
    let (d, s, us) = normalized_delta(days, seconds, us);
    // SAFETY: a static type.
    unsafe { make(&raw mut DELTA, d, s, us) }
}

/// `new_delta_ex` of the C API.
pub unsafe extern "C" fn capi_delta(days: c_int, seconds: c_int, us: c_int, normalize: c_int, tp: *mut PyTypeObject) -> *mut PyObject {
    let (d, s, us) = if normalize != 0 { normalized_delta(days as i64, seconds as i64, us as i64) } else { (days as i64, seconds, us) };
    // SAFETY: [ARGS]
    unsafe { make(tp, d, s, us).into_c() }
}

/// All in microseconds.
pub fn microseconds(op: *mut PyObject) -> i128 {
    let (d, s, us) = parts(op);
    (d as i128 * 86400 + s as i128) * 1_000_000 + us as i128
}
fn microseconds_object(op: *mut PyObject) -> PyResult<Owned> {
    let us = microseconds(op);
    match i64::try_from(us) {
        Ok(us) => int(us),
        Err(_) => {
            let le = us.to_le_bytes();
            // SAFETY: sixteen bytes.
            unsafe { Owned::from_owned_or_err(_PyLong_FromByteArray(le.as_ptr(), le.len(), 1, 1)) }
        }
    }
}

fn too_large() -> Raised {
    raise!(PyExc_OverflowError, "Python int too large to convert to C int")
}

unsafe fn from_microseconds(us: i128, tp: *mut PyTypeObject) -> PyResult<Owned> {
    let days = us.div_euclid(86_400_000_000);
    let rest = us.rem_euclid(86_400_000_000) as i64;
    let Ok(days) = i32::try_from(days) else { return Err(too_large()) };
    // SAFETY: [ARGS]
    unsafe { make(tp, days as i64, (rest / 1_000_000) as i32, (rest % 1_000_000) as i32) }
}

/// `divmod(a, b)`, which classes may define as they like.
fn checked_divmod(a: &Owned, b: &Owned) -> PyResult<(Owned, Owned)> {
    // SAFETY: both held.
    unsafe {
        let r = Owned::from_owned_or_err(PyNumber_Divmod(a.as_ptr(), b.as_ptr()))?;
        if PyTuple_Check(r.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "divmod() returned non-tuple (type {})", type_name(r.as_ptr()));
        }
        let n = PyTuple_GET_SIZE(r.as_ptr());
        if n != 2 {
            bail!(PyExc_TypeError, "divmod() returned a tuple of size {}", n);
        }
        Ok((own(PyTuple_GET_ITEM(r.as_ptr(), 0)), own(PyTuple_GET_ITEM(r.as_ptr(), 1))))
    }
}

/// A duration from a number of microseconds.
unsafe fn from_microseconds_object(us: &Owned, tp: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyLong_CheckExact(us.as_ptr()) != 0 {
            let mut le = [0u8; 16];
            if _PyLong_AsByteArray(us.as_ptr().cast(), le.as_mut_ptr(), 16, 1, 1, 0) < 0 {
                PyErr_Clear();
                return Err(too_large());
            }
            return from_microseconds(i128::from_le_bytes(le), tp);
        }
        let small = |n: &Owned, bound: i32| {
            let v = PyLong_AsLong(n.as_ptr());
            if v == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            if v < 0 || v >= bound as i64 {
                bail!(PyExc_TypeError, "divmod() returned a value out of range");
            }
            Ok(v as i32)
        };
        let (seconds, us) = checked_divmod(us, &int(1_000_000)?)?;
        let us = small(&us, 1_000_000)?;
        let (days, seconds) = checked_divmod(&seconds, &int(86400)?)?;
        let seconds = small(&seconds, 86400)?;
        let mut overflow = 0;
        let days = PyLong_AsLongAndOverflow(days.as_ptr(), &mut overflow);
        if days == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if overflow != 0 || i32::try_from(days).is_err() {
            return Err(too_large());
        }
        make(tp, days, seconds, us)
    }
}
fn delta_of_us(us: PyResult<Owned>) -> PyResult<Owned> {
    // SAFETY: a static type.
    unsafe { from_microseconds_object(&us?, &raw mut DELTA) }
}

/// Adds `num` units of `factor` microseconds to `sofar`; fractions of microseconds go to `leftover`.
fn accumulate(tag: &str, sofar: Owned, num: *mut PyObject, factor: i64, leftover: &mut f64) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let add = |a: &Owned, b: &Owned| Owned::from_owned_or_err(PyNumber_Add(a.as_ptr(), b.as_ptr()));
        if PyLong_Check(num) != 0 {
            let product = Owned::from_owned_or_err(PyNumber_Multiply(num, int(factor)?.as_ptr()))?;
            return add(&sofar, &product);
        }
        if PyFloat_Check(num) == 0 {
            bail!(PyExc_TypeError, "unsupported type for timedelta {} component: {}", tag, tp_name_of(num));
        }
        let v = PyFloat_AsDouble(num);
        if v == -1.0 && err_occurred() {
            return Err(Raised::assume());
        }
        let whole = Owned::from_owned_or_err(PyLong_FromDouble(v.trunc()))?;
        let product = Owned::from_owned_or_err(PyNumber_Multiply(whole.as_ptr(), int(factor)?.as_ptr()))?;
        let sum = add(&sofar, &product)?;
        let fraction = v - v.trunc();
        if fraction == 0.0 {
            return Ok(sum);
        }
        let us = factor as f64 * fraction;
        *leftover += us - us.trunc();
        add(&sum, &Owned::from_owned_or_err(PyLong_FromDouble(us.trunc()))?)
    }
}

fn delta_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variables.
    unsafe {
        let names = keywords!["days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"];
        let [mut day, mut second, mut us, mut ms, mut minute, mut hour, mut week] = [null_mut::<PyObject>(); 7];
        if PyArg_ParseTupleAndKeywords(
            args, kw, c"|OOOOOOO:__new__".as_ptr(), names.as_ptr(),
            &raw mut day, &raw mut second, &raw mut us, &raw mut ms, &raw mut minute, &raw mut hour, &raw mut week,
        ) == 0
        {
            return Err(Raised::assume());
        }
        let units = [
            ("microseconds", us, 1),
            ("milliseconds", ms, 1000),
            ("seconds", second, 1_000_000),
            ("minutes", minute, 60_000_000),
            ("hours", hour, 3_600_000_000),
            ("days", day, 86_400_000_000),
            ("weeks", week, 604_800_000_000i64),
        ];
        // Small ints need no objects.
        let mut total = Some(0i128);
        for &(_, op, factor) in &units {
            if op.is_null() {
                continue;
            }
            let mut overflow = 0;
            let v = if PyLong_CheckExact(op) != 0 { PyLong_AsLongLongAndOverflow(op, &mut overflow) } else { overflow = 1; 0 };
            total = if overflow == 0 { total.map(|t| t + v as i128 * factor as i128) } else { None };
        }
        if let Some(us) = total {
            return from_microseconds(us, tp);
        }
        let mut leftover = 0.0;
        let mut x = int(0)?;
        for (tag, op, factor) in units {
            if !op.is_null() {
                x = accumulate(tag, x, op, factor, &mut leftover)?;
            }
        }
        if leftover != 0.0 {
            // Rounded half to even, counted together with what is whole.
            let mut whole = leftover.round();
            if (whole - leftover).abs() == 0.5 {
                let bit = Owned::from_owned_or_err(PyNumber_And(x.as_ptr(), int(1)?.as_ptr()))?;
                let odd = PyObject_IsTrue(bit.as_ptr());
                check_status(odd)?;
                whole = 2.0 * ((leftover + odd as f64) * 0.5).round() - odd as f64;
            }
            x = Owned::from_owned_or_err(PyNumber_Add(x.as_ptr(), int(whole as i64)?.as_ptr()))?;
        }
        from_microseconds_object(&x, tp)
    }
}

fn negated(op: *mut PyObject) -> PyResult<Owned> {
    let (d, s, us) = parts(op);
    new_delta(-d as i64, -s as i64, -us as i64)
}
fn positive(op: *mut PyObject) -> PyResult<Owned> {
    let (d, s, us) = parts(op);
    new_delta(d as i64, s as i64, us as i64)
}
fn absolute(op: *mut PyObject) -> PyResult<Owned> {
    if parts(op).0 < 0 { negated(op) } else { positive(op) }
}

/// Difference of two timedeltas.
pub fn difference(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    let ((d1, s1, u1), (d2, s2, u2)) = (parts(a), parts(b));
    new_delta(d1 as i64 - d2 as i64, (s1 - s2) as i64, (u1 - u2) as i64)
}
fn add(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    if !is_delta(a) || !is_delta(b) {
        return Ok(not_implemented());
    }
    let ((d1, s1, u1), (d2, s2, u2)) = (parts(a), parts(b));
    new_delta(d1 as i64 + d2 as i64, (s1 + s2) as i64, (u1 + u2) as i64)
}
fn subtract(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    if is_delta(a) && is_delta(b) { difference(a, b) } else { Ok(not_implemented()) }
}

fn times_int(delta: *mut PyObject, n: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { delta_of_us(Owned::from_owned_or_err(PyNumber_Multiply(n, microseconds_object(delta)?.as_ptr()))) }
}
/// a / b, rounded half to even.
fn divide_nearest(a: &Owned, b: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE] ints.
    unsafe {
        let r = Owned::from_owned_or_err(_PyLong_DivmodNear(a.as_ptr(), b))?;
        Ok(own(PyTuple_GET_ITEM(r.as_ptr(), 0)))
    }
}
/// Times a float, or with `divide` divided by it, by its exact ratio.
fn times_float(delta: *mut PyObject, float: *mut PyObject, divide: bool) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let us = microseconds_object(delta)?;
        let ratio = call_method0(float, intern!("as_integer_ratio"))?;
        if PyTuple_Check(ratio.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "unexpected return type from as_integer_ratio(): expected tuple, got '{}'", type_name(ratio.as_ptr()));
        }
        if PyTuple_GET_SIZE(ratio.as_ptr()) != 2 {
            bail!(PyExc_ValueError, "as_integer_ratio() must return a 2-tuple");
        }
        let item = |i| PyTuple_GET_ITEM(ratio.as_ptr(), i);
        let scaled = Owned::from_owned_or_err(PyNumber_Multiply(us.as_ptr(), item(divide as Py_ssize_t)))?;
        delta_of_us(divide_nearest(&scaled, item(!divide as Py_ssize_t)))
    }
}
fn multiply(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    let (delta, factor) = if is_delta(a) { (a, b) } else { (b, a) };
    // SAFETY: [ARGS]
    unsafe {
        if PyLong_Check(factor) != 0 {
            times_int(delta, factor)
        } else if PyFloat_Check(factor) != 0 {
            times_float(delta, factor, false)
        } else {
            Ok(not_implemented())
        }
    }
}
type Binary = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
fn on_microseconds(f: Binary, a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    let (x, y) = (microseconds_object(a)?, microseconds_object(b)?);
    // SAFETY: both held.
    unsafe { Owned::from_owned_or_err(f(x.as_ptr(), y.as_ptr())) }
}
fn floor_divide(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if !is_delta(a) {
            Ok(not_implemented())
        } else if PyLong_Check(b) != 0 {
            delta_of_us(Owned::from_owned_or_err(PyNumber_FloorDivide(microseconds_object(a)?.as_ptr(), b)))
        } else if is_delta(b) {
            on_microseconds(PyNumber_FloorDivide, a, b)
        } else {
            Ok(not_implemented())
        }
    }
}
fn true_divide(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if !is_delta(a) {
            Ok(not_implemented())
        } else if is_delta(b) {
            on_microseconds(PyNumber_TrueDivide, a, b)
        } else if PyFloat_Check(b) != 0 {
            times_float(a, b, true)
        } else if PyLong_Check(b) != 0 {
            delta_of_us(divide_nearest(&microseconds_object(a)?, b))
        } else {
            Ok(not_implemented())
        }
    }
}
fn remainder(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    if !is_delta(a) || !is_delta(b) {
        return Ok(not_implemented());
    }
    delta_of_us(on_microseconds(PyNumber_Remainder, a, b))
}
fn divmod(a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    if !is_delta(a) || !is_delta(b) {
        return Ok(not_implemented());
    }
    let (q, r) = checked_divmod(&microseconds_object(a)?, &microseconds_object(b)?)?;
    tuple(vec![q, delta_of_us(Ok(r))?])
}
unsafe extern "C" fn truth(slf: *mut PyObject) -> c_int {
    (parts(slf) != (0, 0, 0)) as c_int
}

/// The order of two timedeltas.
pub fn order(a: *mut PyObject, b: *mut PyObject) -> Ordering {
    parts(a).cmp(&parts(b))
}
/// `tp_richcompare`.
pub fn richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> PyResult<Owned> {
    Ok(if is_delta(b) { compared(order(a, b), op) } else { not_implemented() })
}

fn state(op: *mut PyObject) -> PyResult<Owned> {
    let (d, s, us) = parts(op);
    tuple(ints([d, s, us])?)
}
/// `tp_hash`.
pub unsafe extern "C" fn hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let d = slf.cast::<PyDateTime_Delta>();
        if (*d).hashcode == -1
            && let Ok(state) = state(slf)
        {
            (*d).hashcode = PyObject_Hash(state.as_ptr());
        }
        (*d).hashcode
    }
}
fn repr(op: *mut PyObject) -> PyResult<Owned> {
    let (d, s, us) = parts(op);
    let mut fields = Vec::new();
    for (name, v) in [("days", d), ("seconds", s), ("microseconds", us)] {
        if v != 0 {
            fields.push(format!("{name}={v}"));
        }
    }
    if fields.is_empty() {
        fields.push("0".into());
    }
    string(&format!("{}({})", tp_name_of(op), fields.join(", ")))
}
fn str_(op: *mut PyObject) -> PyResult<Owned> {
    let (d, s, us) = parts(op);
    let mut text = String::new();
    if d != 0 {
        text = format!("{d} day{}, ", if d.abs() == 1 { "" } else { "s" });
    }
    text += &format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
    if us != 0 {
        text += &format!(".{us:06}");
    }
    string(&text)
}

/// `total_seconds()`.
pub fn total_seconds(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: both held.
    unsafe { Owned::from_owned_or_err(PyNumber_TrueDivide(microseconds_object(op)?.as_ptr(), int(1_000_000)?.as_ptr())) }
}
fn reduce(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { tuple(vec![own(type_of(op).cast()), state(op)?]) }
}

methods! {
    static METHODS = [
        raw "total_seconds", noargs!(total_seconds), METH_NOARGS, "All of the duration in seconds.";
        raw "__reduce__", noargs!(reduce), METH_NOARGS, "__reduce__() -> (cls, state)";
    ];
}
members! {
    static MEMBERS = [
        "days", Py_T_INT, core::mem::offset_of!(PyDateTime_Delta, days), Py_READONLY, "Number of days.";
        "seconds", Py_T_INT, core::mem::offset_of!(PyDateTime_Delta, seconds), Py_READONLY, "Number of seconds (>= 0 and less than 1 day).";
        "microseconds", Py_T_INT, core::mem::offset_of!(PyDateTime_Delta, microseconds), Py_READONLY, "Number of microseconds (>= 0 and less than 1 second).";
    ];
}
static mut AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_add: binary_slot!(add),
    nb_subtract: binary_slot!(subtract),
    nb_multiply: binary_slot!(multiply),
    nb_remainder: binary_slot!(remainder),
    nb_divmod: binary_slot!(divmod),
    nb_negative: unary_slot!(negated),
    nb_positive: unary_slot!(positive),
    nb_absolute: unary_slot!(absolute),
    nb_bool: Some(truth),
    nb_floor_divide: binary_slot!(floor_divide),
    nb_true_divide: binary_slot!(true_divide),
    // SAFETY: all-zero is valid: no functions.
    ..unsafe { core::mem::zeroed() }
};

/// `datetime.timedelta`.
pub static mut DELTA: PyTypeObject = PyTypeObject {
    tp_name: c"datetime.timedelta".as_ptr(),
    tp_basicsize: size_of::<PyDateTime_Delta>() as Py_ssize_t,
    tp_repr: unary_slot!(repr),
    tp_as_number: &raw mut AS_NUMBER,
    tp_hash: Some(hash),
    tp_str: unary_slot!(str_),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tp_doc: c"Difference between two datetime values.\n\ntimedelta(days=0, seconds=0, microseconds=0, milliseconds=0, minutes=0, hours=0, weeks=0)\n\nEach argument is an int or a float, of either sign.".as_ptr(),
    tp_richcompare: compare_slot!(richcompare),
    tp_methods: (&raw mut METHODS).cast(),
    tp_members: (&raw mut MEMBERS).cast(),
    tp_new: new_slot!(delta_new),
    ..TYPE_INIT
};

