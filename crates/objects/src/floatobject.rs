//! `float`: a double, with a free list.

#![allow(missing_docs, reason = "exported functions are documented by CPython's C API manual")]

use crate::freelist::{_Py_TPFLAGS_MATCH_SELF, FreeList, null, type_free};
use crate::longobject::{
    NUMBER_INIT, as_double, field, info_type, is_compact, long_compare, long_from_i64, long_lshift_objects,
};
use crate::pystrtod::{float_repr_string, parse_double_prefix, parse_inf_or_nan, strip_underscores};
use crate::tupleobject::tuple_of;
use crate::typeobject::TYPE_INIT;
use core::cmp::Ordering;
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{BufferView, OrNone, Str, getset, methods};

type Ob = *mut PyObject;
type Float<'a> = Borrowed<'a, PyFloatObject>;

static mut FREE_LIST: FreeList = FreeList::new();
/// How many dead floats are kept.
const PyFloat_MAXFREELIST: usize = 100;

/// Gives the memory of kept floats back.
pub fn clear_free_list() {
    // SAFETY: [GIL]
    unsafe { FreeList::clear(&raw mut FREE_LIST, PyObject_Free) }
    crate::longobject::clear_free_list();
}

/// A new float.
#[inline(always)]
pub fn float_from_f64(x: f64) -> Ob {
    // SAFETY: [GIL]
    unsafe {
        let mut op: *mut PyFloatObject = FreeList::pop(&raw mut FREE_LIST).cast();
        if op.is_null() {
            op = PyObject_Malloc(size_of::<PyFloatObject>()).cast();
            if op.is_null() {
                return PyErr_NoMemory();
            }
            (*op).ob_base.ob_type = &raw mut PyFloat_Type;
            _Py_NewReference(op.cast());
        }
        (*op).ob_fval = x;
        op.cast()
    }
}

/// The value of a float.
///
/// # Safety
/// `op` is a float.
#[inline(always)]
pub unsafe fn float_value(op: Ob) -> f64 {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyFloatObject>()).ob_fval }
}

unsafe extern "C" fn float_dealloc(op: Ob) {
    // SAFETY: [ARGS]
    unsafe {
        if PyFloat_CheckExact(op) != 0 { _PyFloat_ExactDealloc(op) } else { type_free(op) }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyFloat_ExactDealloc(op: Ob) {
    // SAFETY: [ARGS] an exact float that nobody refers to.
    unsafe {
        if !FreeList::push(&raw mut FREE_LIST, op, PyFloat_MAXFREELIST) {
            PyObject_Free(op.cast());
        }
    }
}

/// The operand as a double: `Ok(None)` if it is neither float nor int.
#[inline(always)]
unsafe fn operand(op: Ob) -> PyResult<Option<f64>> {
    // SAFETY: [ARGS]
    unsafe {
        if PyFloat_Check(op) != 0 {
            return Ok(Some(float_value(op)));
        }
        if PyLong_Check(op) != 0 {
            return as_double(op.cast()).map(Some);
        }
        Ok(None)
    }
}

/// A binary slot: `f` gets both operands as doubles.
#[inline(always)]
unsafe fn binary(v: Ob, w: Ob, f: impl FnOnce(f64, f64) -> Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        match (operand(v), operand(w)) {
            (Ok(Some(a)), Ok(Some(b))) => f(a, b),
            (Ok(None), _) | (Ok(Some(_)), Ok(None)) => Py_NotImplemented(),
            _ => null_mut(),
        }
    }
}

macro_rules! binary_slots {
    ($($name:ident => $f:expr;)*) => { $(
        unsafe extern "C" fn $name(v: Ob, w: Ob) -> Ob {
            // SAFETY: [ARGS]
            unsafe { binary(v, w, $f) }
        }
    )* };
}
binary_slots! {
    float_add => |a, b| float_from_f64(a + b);
    float_sub => |a, b| float_from_f64(a - b);
    float_mul => |a, b| float_from_f64(a * b);
    float_div => |a, b| {
        if b == 0.0 {
            return null(raise!(PyExc_ZeroDivisionError, "float division by zero"));
        }
        float_from_f64(a / b)
    };
    float_rem => |a, b| {
        if b == 0.0 {
            return null(raise!(PyExc_ZeroDivisionError, "float modulo by zero"));
        }
        float_from_f64(floor_mod(a, b))
    };
    float_floor_div => |a, b| {
        if b == 0.0 {
            return null(raise!(PyExc_ZeroDivisionError, "float floor division by zero"));
        }
        float_from_f64(float_div_mod(a, b).0)
    };
    float_divmod => |a, b| {
        if b == 0.0 {
            return null(raise!(PyExc_ZeroDivisionError, "float divmod()"));
        }
        let (q, r) = float_div_mod(a, b);
        tuple_of([own(float_from_f64(q)), own(float_from_f64(r))]).into_c()
    };
}

fn own(p: Ob) -> PyResult<Owned> {
    // SAFETY: [OWN] new references.
    unsafe { Owned::from_owned_or_err(p) }
}

/// The remainder with the sign of `b`, which is not zero.
fn floor_mod(a: f64, b: f64) -> f64 {
    let m = a % b;
    if m == 0.0 {
        return 0.0f64.copysign(b);
    }
    if (b < 0.0) != (m < 0.0) { m + b } else { m }
}

/// Floor quotient and remainder; `b` is not zero.
fn float_div_mod(a: f64, b: f64) -> (f64, f64) {
    let m = a % b;
    // An integer but for a rounding error.
    let mut div = (a - m) / b;
    if m != 0.0 && (b < 0.0) != (m < 0.0) {
        div -= 1.0;
    }
    let floordiv = if div == 0.0 {
        0.0f64.copysign(a / b)
    } else {
        let f = div.floor();
        if div - f > 0.5 { f + 1.0 } else { f }
    };
    (floordiv, floor_mod(a, b))
}

fn is_odd(x: f64) -> bool {
    x.abs() % 2.0 == 1.0
}

unsafe extern "C" fn float_pow(v: Ob, w: Ob, z: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if z != Py_None() {
            return null(raise!(PyExc_TypeError, "pow() 3rd argument not allowed unless all arguments are integers"));
        }
        binary(v, w, |a, b| {
            if a == 0.0 && b < 0.0 && b.is_finite() {
                return null(raise!(PyExc_ZeroDivisionError, "0.0 cannot be raised to a negative power"));
            }
            if a < 0.0 && a.is_finite() && b.is_finite() && b != b.floor() {
                // A negative number to a fractional power is complex.
                return crate::complexobject::complex_pow(v, w, z);
            }
            if b.is_nan() {
                return float_from_f64(if a == 1.0 { 1.0 } else { b });
            }
            // IEEE 754's pow has the special cases that Python wants: 1 for x**0 and 1**x, nan otherwise kept, signs of
            // zero and infinity by the exponent's parity.
            let x = a.abs().powf(b);
            let negative = a.is_sign_negative() && is_odd(b) && !a.is_nan();
            let x = if a.is_nan() && b != 0.0 { a } else if negative { -x } else { x };
            if x.is_infinite() && a.is_finite() && b.is_finite() {
                *libc::__errno_location() = libc::ERANGE;
                PyErr_SetFromErrno(PyExc_OverflowError);
                return null_mut();
            }
            float_from_f64(x)
        })
    }
}

unsafe extern "C" fn float_neg(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    float_from_f64(-unsafe { float_value(v) })
}

unsafe extern "C" fn float_abs(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    float_from_f64(unsafe { float_value(v) }.abs())
}

unsafe extern "C" fn float_bool(v: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe { (float_value(v) != 0.0) as c_int }
}

/// The value as an exact float.
unsafe extern "C" fn float_float(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { if PyFloat_CheckExact(v) != 0 { Py_NewRef(v) } else { float_from_f64(float_value(v)) } }
}

unsafe extern "C" fn float_int(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { PyLong_FromDouble(float_value(v)) }
}

unsafe extern "C" fn float_repr(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let text = float_repr_string(float_value(v));
        PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t)
    }
}

unsafe extern "C" fn float_hash(v: Ob) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe { _Py_HashDouble(v, float_value(v)) }
}

/// Order of a finite double and an int, exactly.
unsafe fn compare_with_long(x: f64, w: *mut PyLongObject) -> PyResult<Ordering> {
    // SAFETY: [TYPE]
    unsafe {
        if is_compact(w) {
            let y = crate::longobject::compact_value(w) as f64;
            return Ok(x.partial_cmp(&y).unwrap_or(Ordering::Equal));
        }
        let int = own(PyLong_FromDouble(x.trunc()))?;
        // The fraction has the sign of x and decides only where the integers are equal.
        let fraction = x.fract().partial_cmp(&0.0).unwrap_or(Ordering::Equal);
        Ok(long_compare(int.as_ptr().cast(), w).then(fraction))
    }
}

unsafe extern "C" fn float_richcompare(v: Ob, w: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let x = float_value(v);
        let order = if PyFloat_Check(w) != 0 {
            x.partial_cmp(&float_value(w))
        } else if PyLong_Check(w) == 0 {
            return Py_NotImplemented();
        } else if !x.is_finite() {
            x.partial_cmp(&0.0)
        } else {
            match compare_with_long(x, w.cast()) {
                Ok(order) => Some(order),
                Err(_) => return null_mut(),
            }
        };
        let result = match order {
            Some(order) => crate::listobject::compare_sizes(order, Ordering::Equal, op),
            None => op == Py_NE,
        };
        PyBool_FromLong(result as _)
    }
}

// --- Methods --------------------------------------------------------------------------------------------------------

fn float_self(v: Float<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    own(unsafe { float_float(v.ob()) })
}

fn float_is_integer(v: Float<'_>) -> PyResult<bool> {
    Ok(v.ob_fval.is_finite() && v.ob_fval == v.ob_fval.floor())
}

fn to_long(x: f64) -> PyResult<Owned> {
    // SAFETY: [GIL]
    own(unsafe { PyLong_FromDouble(x) })
}

fn float___trunc__(v: Float<'_>) -> PyResult<Owned> {
    to_long(v.ob_fval)
}

fn float___floor__(v: Float<'_>) -> PyResult<Owned> {
    to_long(v.ob_fval.floor())
}

fn float___ceil__(v: Float<'_>) -> PyResult<Owned> {
    to_long(v.ob_fval.ceil())
}

/// `x` rounded to `ndigits` decimal places, correctly, halves (of the exact value) to even.
fn double_round(x: f64, ndigits: i32) -> f64 {
    if ndigits >= 0 {
        return format!("{:.*}", ndigits as usize, x).parse().unwrap_or(x);
    }
    // To a power of ten: the exact digits of the integer part, cut off by hand.
    let drop = -ndigits as usize;
    let int = format!("{:.0}", x.abs().trunc());
    let digits = int.as_bytes();
    let keep = digits.len().saturating_sub(drop);
    let rest = &digits[keep..];
    let fraction = x.fract() != 0.0;
    let order = if digits.len() < drop {
        Ordering::Less
    } else {
        match rest.first() {
            Some(b'5') if rest[1..].iter().all(|&c| c == b'0') && !fraction => Ordering::Equal,
            Some(b'5'..) => Ordering::Greater,
            _ => Ordering::Less,
        }
    };
    let odd = keep > 0 && digits[keep - 1] & 1 != 0;
    let up = order == Ordering::Greater || (order == Ordering::Equal && odd);
    let mut kept = digits[..keep].to_vec();
    if up {
        let mut i = keep;
        loop {
            if i == 0 {
                kept.insert(0, b'1');
                break;
            }
            i -= 1;
            if kept[i] < b'9' {
                kept[i] += 1;
                break;
            }
            kept[i] = b'0';
        }
    }
    let text = format!("{}e{}", core::str::from_utf8(&kept).ok().filter(|s| !s.is_empty()).unwrap_or("0"), drop);
    text.parse::<f64>().unwrap_or(x).copysign(x)
}

fn float___round__(v: Float<'_>, ndigits: OrNone<Borrowed<'_>>) -> PyResult<Owned> {
    let x = v.ob_fval;
    let Some(ndigits) = ndigits.0 else { return to_long(x.round_ties_even()) };
    // SAFETY: [TYPE]
    let n = unsafe { PyNumber_AsSsize_t(ndigits.ob(), null_mut()) };
    if n == -1 && err_occurred() {
        // SAFETY: [EXC]
        return Err(unsafe { Raised::assume() });
    }
    // Beyond these every double is a multiple of the unit, or less than half of it.
    let rounded = if !x.is_finite() || n > 323 {
        x
    } else if n < -308 {
        0.0 * x
    } else {
        double_round(x, n as i32)
    };
    if rounded.is_infinite() && x.is_finite() {
        bail!(PyExc_OverflowError, "rounded value too large to represent");
    }
    own(float_from_f64(rounded))
}

fn float_as_integer_ratio(v: Float<'_>) -> PyResult<Owned> {
    let x = v.ob_fval;
    if x.is_infinite() {
        bail!(PyExc_OverflowError, "cannot convert Infinity to integer ratio");
    }
    if x.is_nan() {
        bail!(PyExc_ValueError, "cannot convert NaN to integer ratio");
    }
    let bits = x.to_bits();
    let field = ((bits >> 52) & 0x7ff) as i64;
    let mut m = (bits & ((1 << 52) - 1)) as i64;
    let mut e = if field == 0 { -1074 } else { field - 1075 };
    if field != 0 {
        m |= 1 << 52;
    }
    if m == 0 {
        e = 0;
    } else {
        let zeros = m.trailing_zeros() as i64;
        m >>= zeros;
        e += zeros;
    }
    // SAFETY: [TYPE] ints.
    unsafe {
        let m = own(long_from_i64(if x < 0.0 { -m } else { m }))?;
        let (one, shift) = (own(long_from_i64(1))?, own(long_from_i64(e.abs()))?);
        let shifted = |a: &Owned| own(long_lshift_objects(a.as_ptr().cast(), shift.as_ptr().cast()));
        if e > 0 { tuple_of([shifted(&m), Ok(one)]) } else { tuple_of([Ok(m), shifted(&one)]) }
    }
}

fn float_hex(v: Float<'_>) -> PyResult<String> {
    let x = v.ob_fval;
    if !x.is_finite() {
        return Ok(float_repr_string(x));
    }
    let sign = if x.is_sign_negative() { "-" } else { "" };
    if x == 0.0 {
        return Ok(format!("{sign}0x0.0p+0"));
    }
    let bits = x.to_bits();
    let field = ((bits >> 52) & 0x7ff) as i32;
    let (lead, exp) = if field == 0 { (0, -1022) } else { (1, field - 1023) };
    Ok(format!("{sign}0x{lead}.{:013x}p{exp:+}", bits & ((1 << 52) - 1)))
}

/// What keeps a text from being a hexadecimal float.
enum HexError {
    Syntax,
    Overflow,
}

fn parse_hex(s: &[u8]) -> Result<f64, HexError> {
    let at = |i: usize| s.get(i).copied().unwrap_or(0);
    let is_space = |c: u8| matches!(c, b' ' | b'\t'..=b'\r');
    let mut i = 0;
    while is_space(at(i)) {
        i += 1;
    }
    let (x, end) = match parse_inf_or_nan(&s[i..]) {
        Some((x, n)) => (x, i + n),
        None => {
            let (x, n) = parse_hex_number(&s[i..])?;
            (x, i + n)
        }
    };
    let mut i = end;
    while is_space(at(i)) {
        i += 1;
    }
    if i != s.len() { Err(HexError::Syntax) } else { Ok(x) }
}

fn parse_hex_number(s: &[u8]) -> Result<(f64, usize), HexError> {
    let at = |i: usize| s.get(i).copied().unwrap_or(0);
    let negative = at(0) == b'-';
    let mut i = matches!(at(0), b'+' | b'-') as usize;
    if at(i) == b'0' && at(i + 1) | 0x20 == b'x' {
        i += 2;
    }
    // The leading 60 bits and whether anything follows; each digit dropped, or before the point, moves the exponent.
    let (mut m, mut sticky, mut exp, mut count, mut point) = (0u64, false, 0i64, 0usize, false);
    loop {
        let c = at(i);
        if c == b'.' && !point {
            point = true;
        } else if let Some(d) = (c as char).to_digit(16) {
            count += 1;
            if m >> 60 != 0 {
                sticky |= d != 0;
                exp += 4;
            } else {
                m = m << 4 | d as u64;
            }
            if point {
                exp -= 4;
            }
        } else {
            break;
        }
        i += 1;
    }
    if count == 0 {
        return Err(HexError::Syntax);
    }
    if at(i) | 0x20 == b'p' {
        i += 1;
        let minus = at(i) == b'-';
        if matches!(at(i), b'+' | b'-') {
            i += 1;
        }
        if !at(i).is_ascii_digit() {
            return Err(HexError::Syntax);
        }
        let mut e = 0i64;
        while at(i).is_ascii_digit() {
            e = e.saturating_mul(10).saturating_add((at(i) - b'0') as i64).min(1 << 60);
            i += 1;
        }
        exp = exp.saturating_add(if minus { -e } else { e });
    }
    let sign = if negative { -1.0 } else { 1.0 };
    if m == 0 {
        return Ok((0.0 * sign, i));
    }
    let bits = 64 - m.leading_zeros() as i64;
    let top = exp.saturating_add(bits);
    if top > 1024 {
        return Err(HexError::Overflow);
    }
    if top < -1075 {
        return Ok((0.0 * sign, i));
    }
    // Cut off what is below the last place of the result.
    let cut = (bits - 53).max(-1074 - exp).max(0);
    let rounded = if cut == 0 {
        m
    } else {
        // cut <= bits + 1 <= 65, since top >= -1075.
        let (high, low, half) = if cut >= 64 { (0, m as u128, 1u128 << (cut - 1)) } else { (m >> cut, (m & ((1 << cut) - 1)) as u128, 1u128 << (cut - 1)) };
        let up = low > half || (low == half && (sticky || high & 1 != 0));
        high + up as u64
    };
    let x = crate::longobject::ldexp(rounded as f64, exp + cut);
    if x.is_infinite() { Err(HexError::Overflow) } else { Ok((x * sign, i)) }
}

fn float_fromhex(tp: Borrowed<'_>, string: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] the cached UTF-8 lives as long as the string.
    unsafe {
        let mut n = 0;
        let p = PyUnicode_AsUTF8AndSize(string.ob(), &mut n);
        if p.is_null() {
            return Err(Raised::assume());
        }
        let x = match parse_hex(core::slice::from_raw_parts(p.cast(), n as usize)) {
            Ok(x) => x,
            Err(HexError::Syntax) => bail!(PyExc_ValueError, "invalid hexadecimal floating-point string"),
            Err(HexError::Overflow) => bail!(PyExc_OverflowError, "hexadecimal value too large to represent as a float"),
        };
        let v = own(float_from_f64(x))?;
        if tp.is((&raw mut PyFloat_Type).cast()) {
            return Ok(v);
        }
        own(PyObject_CallOneArg(tp.ob(), v.as_ptr()))
    }
}

fn float___getnewargs__(v: Float<'_>) -> PyResult<Owned> {
    tuple_of([own(float_from_f64(v.ob_fval))])
}

fn float___getformat__(_: Borrowed<'_>, typestr: Str<'_>) -> PyResult<&'static str> {
    // SAFETY: [TYPE] a str.
    unsafe {
        let is = |s: &core::ffi::CStr| PyUnicode_CompareWithASCIIString(typestr.ob(), s.as_ptr()) == 0;
        if !is(c"double") && !is(c"float") {
            bail!(PyExc_ValueError, "__getformat__() argument 1 must be 'double' or 'float'");
        }
        Ok(if cfg!(target_endian = "little") { "IEEE, little-endian" } else { "IEEE, big-endian" })
    }
}

fn float___format__(v: Float<'_>, spec: Str<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] the writer is finished or released.
    unsafe {
        let mut writer: _PyUnicodeWriter = core::mem::zeroed();
        _PyUnicodeWriter_Init(&mut writer);
        if _PyFloat_FormatAdvancedWriter(&mut writer, v.ob(), spec.ob(), 0, PyUnicode_GET_LENGTH(spec.ob())) < 0 {
            _PyUnicodeWriter_Dealloc(&mut writer);
            return Err(Raised::assume());
        }
        own(_PyUnicodeWriter_Finish(&mut writer))
    }
}

fn float_getzero(_: Float<'_>) -> PyResult<Owned> {
    own(float_from_f64(0.0))
}

methods! {
    static FLOAT_METHODS = [
        "conjugate($self, /)" => float_self, "The complex conjugate, which is the number itself.";
        "__trunc__($self, /)" => float___trunc__, "The integer without the fraction.";
        "__floor__($self, /)" => float___floor__, "The greatest integer that is not above the number.";
        "__ceil__($self, /)" => float___ceil__, "The least integer that is not below the number.";
        "__round__($self, ndigits=None, /)" => float___round__, "The nearest integer, halves to even; with ndigits a float with that many decimals.";
        "as_integer_ratio($self, /)" => float_as_integer_ratio, "Numerator and denominator of the exact value, in lowest terms:\n(5, 2) for 2.5. The denominator is positive.\n\n>>> (2.5).as_integer_ratio()\n(5, 2)\n>>> (-3.0).as_integer_ratio()\n(-3, 1)\n>>> (0.0).as_integer_ratio()\n(0, 1)";
        class "fromhex($type, string, /)" => float_fromhex, "Read a float from hexadecimal text such as '0x1.8p3'.\n\n>>> float.fromhex('0x1.8p3')\n12.0\n>>> float.fromhex('-0x.8')\n-0.5";
        "hex($self, /)" => float_hex, "The exact value in hexadecimal: '0x1.8000000000000p+3' for 12.0.\n\n>>> (12.0).hex()\n'0x1.8000000000000p+3'\n>>> (-0.5).hex()\n'-0x1.0000000000000p-1'";
        "is_integer($self, /)" => float_is_integer, "Whether there is no fraction.";
        "__getnewargs__($self, /)" => float___getnewargs__, "";
        class "__getformat__($type, typestr, /)" => float___getformat__, "How C doubles or floats are represented; meant for Python's tests.";
        "__format__($self, format_spec, /)" => float___format__, "Format after the format specification mini-language.";
    ];
}
getset! {
    static FLOAT_GETSET = [
        "real" => float_self, "real part, which is the number itself";
        "imag" => float_getzero, "imaginary part, which is 0.0";
    ];
}

// --- Construction ---------------------------------------------------------------------------------------------------

unsafe fn float_new_impl(tp: *mut PyTypeObject, x: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS] x may be NULL.
    unsafe {
        if tp != &raw mut PyFloat_Type {
            let exact = float_new_impl(&raw mut PyFloat_Type, x)?;
            let Some(alloc) = (*tp).tp_alloc else { bail!(PyExc_SystemError, "type without tp_alloc") };
            let new = own(alloc(tp, 0))?;
            (*new.as_ptr().cast::<PyFloatObject>()).ob_fval = float_value(exact.as_ptr());
            return Ok(new);
        }
        if x.is_null() {
            return own(float_from_f64(0.0));
        }
        own(if PyUnicode_CheckExact(x) != 0 { PyFloat_FromString(x) } else { PyNumber_Float(x) })
    }
}

unsafe extern "C" fn float_new(tp: *mut PyTypeObject, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS] keywords are for __init__ of subclasses to judge.
    unsafe {
        let plain = tp == &raw mut PyFloat_Type || (*tp).tp_init.map(|f| f as usize) == PyFloat_Type.tp_init.map(|f| f as usize);
        if plain && !kwargs.is_null() && PyDict_Size(kwargs) > 0 {
            return null(raise!(PyExc_TypeError, "float() takes no keyword arguments"));
        }
        let n = Py_SIZE(args);
        if n > 1 {
            return null(raise!(PyExc_TypeError, "float expected at most 1 argument, got {}", n));
        }
        float_new_impl(tp, if n == 1 { PyTuple_GET_ITEM(args, 0) } else { null_mut() }).into_c()
    }
}

unsafe extern "C" fn float_vectorcall(tp: Ob, args: *const Ob, nargsf: usize, kwnames: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if !kwnames.is_null() && Py_SIZE(kwnames) > 0 {
            return null(raise!(PyExc_TypeError, "float() takes no keyword arguments"));
        }
        let n = PyVectorcall_NARGS(nargsf as _);
        if n > 1 {
            return null(raise!(PyExc_TypeError, "float expected at most 1 argument, got {}", n));
        }
        float_new_impl(tp.cast(), if n == 1 { *args } else { null_mut() }).into_c()
    }
}

static mut FLOAT_AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_add: Some(float_add),
    nb_subtract: Some(float_sub),
    nb_multiply: Some(float_mul),
    nb_remainder: Some(float_rem),
    nb_divmod: Some(float_divmod),
    nb_power: Some(float_pow),
    nb_negative: Some(float_neg),
    nb_positive: Some(float_float),
    nb_absolute: Some(float_abs),
    nb_bool: Some(float_bool),
    nb_int: Some(float_int),
    nb_float: Some(float_float),
    nb_floor_divide: Some(float_floor_div),
    nb_true_divide: Some(float_div),
    ..NUMBER_INIT
};

#[unsafe(no_mangle)]
pub static mut PyFloat_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"float".as_ptr(),
    tp_basicsize: size_of::<PyFloatObject>() as Py_ssize_t,
    tp_dealloc: Some(float_dealloc),
    tp_repr: Some(float_repr),
    tp_as_number: &raw mut FLOAT_AS_NUMBER,
    tp_hash: Some(float_hash),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | _Py_TPFLAGS_MATCH_SELF,
    tp_doc: c"float(x=0, /)\n--\n\nConvert a number or a text to a floating-point number.".as_ptr(),
    tp_richcompare: Some(float_richcompare),
    tp_methods: (&raw mut FLOAT_METHODS).cast(),
    tp_getset: (&raw mut FLOAT_GETSET).cast(),
    tp_new: Some(float_new),
    tp_vectorcall: Some(float_vectorcall),
    ..TYPE_INIT
};

// --- Exported functions ---------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_FromDouble(x: f64) -> Ob {
    float_from_f64(x)
}

/// The float that text stands for, with spaces around it; `shown` goes into the error.
unsafe fn float_from_text(bytes: &[u8], shown: Ob) -> PyResult<Owned> {
    let parsed = strip_underscores(bytes).and_then(|s| {
        let is_space = |c: &u8| matches!(*c, b' ' | b'\t'..=b'\r');
        let start = s.iter().position(|c| !is_space(c))?;
        let end = s.iter().rposition(|c| !is_space(c))? + 1;
        let (x, n) = parse_double_prefix(&s[start..end]);
        (n > 0 && n == end - start).then_some(x)
    });
    match parsed {
        Some(x) => own(float_from_f64(x)),
        None => {
            // SAFETY: [ARGS]
            unsafe {
                PyErr_Format(PyExc_ValueError, c"could not convert string to float: %R".as_ptr(), shown);
                Err(Raised::assume())
            }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_FromString(v: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(v) != 0 {
            let Ok(ascii) = own(_PyUnicode_TransformDecimalAndSpaceToASCII(v)) else { return null_mut() };
            let p = ascii.as_ptr();
            let bytes = core::slice::from_raw_parts(PyUnicode_DATA(p).cast::<u8>(), PyUnicode_GET_LENGTH(p) as usize);
            return float_from_text(bytes, v).into_c();
        }
        if PyObject_CheckBuffer(v) != 0 {
            return match BufferView::get(v) {
                Ok(view) => float_from_text(view.as_bytes(), v).into_c(),
                Err(_) => null(raise!(PyExc_TypeError, "float() argument must be a string or a real number, not '{}'", type_name(v))),
            };
        }
        null(raise!(PyExc_TypeError, "float() argument must be a string or a real number, not '{}'", type_name(v)))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_AsDouble(op: Ob) -> f64 {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() {
            PyErr_BadArgument();
            return -1.0;
        }
        if PyFloat_Check(op) != 0 {
            return float_value(op);
        }
        if PyLong_CheckExact(op) != 0 {
            return as_double(op.cast()).into_c();
        }
        as_double_slow(op).into_c()
    }
}

#[inline(never)]
unsafe fn as_double_slow(op: Ob) -> PyResult<f64> {
    // SAFETY: [ARGS]
    unsafe {
        let nb = (*(*op).ob_type).tp_as_number;
        let Some(nb_float) = nb.as_ref().and_then(|nb| nb.nb_float) else {
            if nb.as_ref().is_some_and(|nb| nb.nb_index.is_some()) {
                let i = own(PyNumber_Index(op))?;
                return as_double(i.as_ptr().cast());
            }
            let name = type_name(op);
            bail!(PyExc_TypeError, "must be real number, not {:.50}", name);
        };
        let r = own(nb_float(op))?;
        if PyFloat_CheckExact(r.as_ptr()) == 0 {
            if PyFloat_Check(r.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "{:.50}.__float__ returned non-float (type {:.50})", type_name(op), type_name(r.as_ptr()));
            }
            let format = c"%.50s.__float__ returned non-float (type %.50s).  The ability to return an instance of a strict subclass of float is deprecated, and may be removed in a future version of Python.";
            let (a, b) = ((*(*op).ob_type).tp_name, (*r.ob_type).tp_name);
            check_status(PyErr_WarnFormat(PyExc_DeprecationWarning, 1, format.as_ptr(), a, b))?;
        }
        Ok(float_value(r.as_ptr()))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_GetMax() -> f64 {
    f64::MAX
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_GetMin() -> f64 {
    f64::MIN_POSITIVE
}

static mut FLOAT_INFO: *mut PyTypeObject = null_mut();

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_GetInfo() -> Ob {
    static mut FIELDS: [PyStructSequence_Field; 12] = [
        field(c"max", c"DBL_MAX: the greatest finite float"),
        field(c"max_exp", c"DBL_MAX_EXP: greatest e for which radix**(e-1) is a float"),
        field(c"max_10_exp", c"DBL_MAX_10_EXP: greatest e for which 10**e is a float"),
        field(c"min", c"DBL_MIN: the least positive normalised float"),
        field(c"min_exp", c"DBL_MIN_EXP: least e for which radix**(e-1) is a normalised float"),
        field(c"min_10_exp", c"DBL_MIN_10_EXP: least e for which 10**e is a normalised float"),
        field(c"dig", c"DBL_DIG: decimal digits that survive a conversion to float and back"),
        field(c"mant_dig", c"DBL_MANT_DIG: digits of the mantissa"),
        field(c"epsilon", c"DBL_EPSILON: distance between 1 and the next float"),
        field(c"radix", c"FLT_RADIX: base of the exponent"),
        field(c"rounds", c"FLT_ROUNDS: how additions round"),
        PyStructSequence_Field { name: core::ptr::null(), doc: core::ptr::null() },
    ];
    // SAFETY: [GIL]
    unsafe {
        let mut desc = PyStructSequence_Desc {
            name: c"sys.float_info".as_ptr(),
            doc: c"sys.float_info\n\nProperties of the floats, after C's float.h.".as_ptr(),
            fields: (&raw mut FIELDS).cast(),
            n_in_sequence: 11,
        };
        let Ok(tp) = info_type(&raw mut FLOAT_INFO, &mut desc) else { return null_mut() };
        let Ok(info) = own(PyStructSequence_New(tp)) else { return null_mut() };
        let values = [
            float_from_f64(f64::MAX),
            long_from_i64(f64::MAX_EXP as i64),
            long_from_i64(f64::MAX_10_EXP as i64),
            float_from_f64(f64::MIN_POSITIVE),
            long_from_i64(f64::MIN_EXP as i64),
            long_from_i64(f64::MIN_10_EXP as i64),
            long_from_i64(f64::DIGITS as i64),
            long_from_i64(f64::MANTISSA_DIGITS as i64),
            float_from_f64(f64::EPSILON),
            long_from_i64(2),
            long_from_i64(1),
        ];
        for (i, v) in values.into_iter().enumerate() {
            PyStructSequence_SET_ITEM(info.as_ptr(), i as Py_ssize_t, v);
        }
        if err_occurred() { null_mut() } else { info.into_raw() }
    }
}

// --- Packing --------------------------------------------------------------------------------------------------------

unsafe fn store<const N: usize>(mut bytes: [u8; N], p: *mut c_char, le: c_int) -> c_int {
    if le == 0 {
        bytes.reverse();
    }
    // SAFETY: [ARGS] p has room for N bytes.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), p, N) }
    0
}

unsafe fn load<const N: usize>(p: *const c_char, le: c_int) -> [u8; N] {
    let mut bytes = [0; N];
    // SAFETY: [ARGS] p holds N bytes.
    unsafe { core::ptr::copy_nonoverlapping(p.cast(), bytes.as_mut_ptr(), N) }
    if le == 0 {
        bytes.reverse();
    }
    bytes
}

/// The nearest half-precision number's bits, halves to even; `None` if it is too large.
fn to_half(x: f64) -> Option<u16> {
    let sign = (x.is_sign_negative() as u16) << 15;
    let a = x.abs();
    let bits = if x.is_nan() {
        0x7e00
    } else if x.is_infinite() {
        0x7c00
    } else if a < f64::from_bits((1023 - 14) << 52) {
        // Subnormal: multiples of 2**-24; the carry into a normal number is right as it is.
        (a * 16777216.0).round_ties_even() as u16
    } else {
        let v = a.to_bits() - ((1023 - 15) << 52);
        let rounded = (v + ((1 << 41) - 1) + (v >> 42 & 1)) >> 42;
        if rounded >= 0x7c00 {
            return None;
        }
        rounded as u16
    };
    Some(sign | bits)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_Pack2(x: f64, p: *mut c_char, le: c_int) -> c_int {
    match to_half(x) {
        // SAFETY: [ARGS]
        Some(bits) => unsafe { store(bits.to_le_bytes(), p, le) },
        None => crate::freelist::fail(raise!(PyExc_OverflowError, "float too large to pack with e format")),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_Pack4(x: f64, p: *mut c_char, le: c_int) -> c_int {
    let y = x as f32;
    if y.is_infinite() && !x.is_infinite() {
        return crate::freelist::fail(raise!(PyExc_OverflowError, "float too large to pack with f format"));
    }
    // SAFETY: [ARGS]
    unsafe { store(y.to_bits().to_le_bytes(), p, le) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_Pack8(x: f64, p: *mut c_char, le: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { store(x.to_bits().to_le_bytes(), p, le) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_Unpack2(p: *const c_char, le: c_int) -> f64 {
    // SAFETY: [ARGS]
    let bits = u16::from_le_bytes(unsafe { load(p, le) });
    let (e, f) = (bits >> 10 & 0x1f, (bits & 0x3ff) as f64);
    let x = match e {
        0 => f / 16777216.0,
        0x1f if f == 0.0 => f64::INFINITY,
        0x1f => f64::NAN.abs(),
        _ => crate::longobject::ldexp(1.0 + f / 1024.0, e as i64 - 15),
    };
    if bits >> 15 != 0 { -x } else { x }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_Unpack4(p: *const c_char, le: c_int) -> f64 {
    // SAFETY: [ARGS]
    f32::from_bits(u32::from_le_bytes(unsafe { load(p, le) })) as f64
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFloat_Unpack8(p: *const c_char, le: c_int) -> f64 {
    // SAFETY: [ARGS]
    f64::from_bits(u64::from_le_bytes(unsafe { load(p, le) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding() {
        for (x, n, want) in [
            (2.675, 2, 2.67),
            (0.5, 0, 0.0),
            (1.5, 0, 2.0),
            (-0.4, 0, -0.0),
            (15.0, -1, 20.0),
            (25.0, -1, 20.0),
            (25.5, -1, 30.0),
            (5.0, -1, 0.0),
            (6.0, -1, 10.0),
            (99.0, -2, 100.0),
            (50.0, -2, 0.0),
            (4.0, -2, 0.0),
            (1e22, -21, 1e22),
        ] {
            assert_eq!(double_round(x, n).to_bits(), f64::to_bits(want), "{x} {n}");
        }
    }

    #[test]
    fn halves() {
        assert_eq!(to_half(1.0), Some(0x3c00));
        assert_eq!(to_half(-2.0), Some(0xc000));
        assert_eq!(to_half(65504.0), Some(0x7bff));
        assert_eq!(to_half(65519.9), Some(0x7bff));
        assert_eq!(to_half(65520.0), None);
        assert_eq!(to_half(2f64.powi(-24)), Some(1));
        assert_eq!(to_half(2f64.powi(-25)), Some(0));
        assert_eq!(to_half(1.5 * 2f64.powi(-25)), Some(1));
        assert_eq!(to_half(2f64.powi(-14) - 2f64.powi(-26)), Some(0x400));
    }

    #[test]
    fn hexadecimal() {
        let ok = |s: &str| parse_hex(s.as_bytes()).ok().map(f64::to_bits);
        assert_eq!(ok("0x1.8p3"), Some(12.0f64.to_bits()));
        assert_eq!(ok(" -0x.8p+1 "), Some((-1.0f64).to_bits()));
        assert_eq!(ok("ff"), Some(255.0f64.to_bits()));
        assert_eq!(ok("0x1p-1074"), Some(1));
        assert_eq!(ok("0x1p-1075"), Some(0));
        assert_eq!(ok("0x1.0000000000001p-1075"), Some(1));
        assert_eq!(ok("0x1.fffffffffffff8p0"), Some(2.0f64.to_bits()));
        assert_eq!(ok("0x1.fffffffffffff7fffffffffp0"), Some(f64::from_bits(0x3fffffffffffffff).to_bits()));
        assert_eq!(ok("0x1.00000000000008000000000000001p0"), Some(f64::from_bits(0x3ff0000000000001).to_bits()));
        assert!(matches!(parse_hex(b"0x1p1024"), Err(HexError::Overflow)));
        assert!(matches!(parse_hex(b"0x1.fffffffffffff8p1023"), Err(HexError::Overflow)));
        assert!(matches!(parse_hex(b"0x"), Err(HexError::Syntax)));
    }
}
