//! `complex`: a pair of doubles.

#![allow(missing_docs, reason = "exported functions are documented by CPython's C API manual")]

use crate::freelist::null;
use crate::longobject::{NUMBER_INIT, as_double};
use crate::pystrtod::{double_to_string, parse_double_prefix, strip_underscores};
use crate::tupleobject::tuple_of;
use crate::typeobject::TYPE_INIT;
use core::ffi::c_int;
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Str, constructor, members, methods};

type Ob = *mut PyObject;
type Complex<'a> = Borrowed<'a, PyComplexObject>;

const fn c(real: f64, imag: f64) -> Py_complex {
    Py_complex { real, imag }
}

fn own(p: Ob) -> PyResult<Owned> {
    // SAFETY: [OWN] new references.
    unsafe { Owned::from_owned_or_err(p) }
}

// --- Arithmetic -----------------------------------------------------------------------------------------------------

fn prod(a: Py_complex, b: Py_complex) -> Py_complex {
    c(a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real)
}

/// The quotient by Smith's method, which scales by the greater part of the divisor; `None` for a zero divisor.
fn quot(a: Py_complex, b: Py_complex) -> Option<Py_complex> {
    let (re, im) = (b.real.abs(), b.imag.abs());
    if re >= im {
        if re == 0.0 {
            return None;
        }
        let ratio = b.imag / b.real;
        let denom = b.real + b.imag * ratio;
        Some(c((a.real + a.imag * ratio) / denom, (a.imag - a.real * ratio) / denom))
    } else if im >= re {
        let ratio = b.real / b.imag;
        let denom = b.real * ratio + b.imag;
        Some(c((a.real * ratio + a.imag) / denom, (a.imag * ratio - a.real) / denom))
    } else {
        Some(c(f64::NAN, f64::NAN))
    }
}

/// Why a power has no value.
enum PowError {
    ZeroBase,
    Range,
}

fn pow(a: Py_complex, b: Py_complex) -> Result<Py_complex, PowError> {
    if b.real == 0.0 && b.imag == 0.0 {
        return Ok(c(1.0, 0.0));
    }
    if a.real == 0.0 && a.imag == 0.0 {
        if b.imag != 0.0 || b.real < 0.0 {
            return Err(PowError::ZeroBase);
        }
        return Ok(c(0.0, 0.0));
    }
    let vabs = a.real.hypot(a.imag);
    let mut len = vabs.powf(b.real);
    let mut overflow = len.is_infinite() && vabs.is_finite() && b.real.is_finite();
    let at = a.imag.atan2(a.real);
    let mut phase = at * b.real;
    if b.imag != 0.0 {
        let factor = (-at * b.imag).exp();
        overflow |= factor.is_infinite() && (at * b.imag).is_finite();
        len *= factor;
        phase += b.imag * vabs.ln();
    }
    if overflow {
        return Err(PowError::Range);
    }
    Ok(c(len * phase.cos(), len * phase.sin()))
}

/// Powers with a small integer exponent, by repeated squaring.
fn powi(a: Py_complex, n: i64) -> Result<Py_complex, PowError> {
    let (mut r, mut p, mut k) = (c(1.0, 0.0), a, n.unsigned_abs());
    while k != 0 {
        if k & 1 != 0 {
            r = prod(r, p);
        }
        k >>= 1;
        if k != 0 {
            p = prod(p, p);
        }
    }
    if n > 0 { Ok(r) } else { quot(c(1.0, 0.0), r).ok_or(PowError::ZeroBase) }
}

/// The absolute value; `None` if finite parts give an infinite one.
fn abs(z: Py_complex) -> Option<f64> {
    let r = z.real.hypot(z.imag);
    (r.is_finite() || !z.real.is_finite() || !z.imag.is_finite()).then_some(r)
}

/// The operand as a complex number: `Ok(None)` if it is no complex, float or int.
unsafe fn operand(op: Ob) -> PyResult<Option<Py_complex>> {
    // SAFETY: [ARGS]
    unsafe {
        if PyComplex_Check(op) != 0 {
            return Ok(Some((*op.cast::<PyComplexObject>()).cval));
        }
        if PyLong_Check(op) != 0 {
            return Ok(Some(c(as_double(op.cast())?, 0.0)));
        }
        if PyFloat_Check(op) != 0 {
            return Ok(Some(c(crate::floatobject::float_value(op), 0.0)));
        }
        Ok(None)
    }
}

unsafe fn binary(v: Ob, w: Ob, f: impl FnOnce(Py_complex, Py_complex) -> Ob) -> Ob {
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
    complex_add => |a, b| complex_from(c(a.real + b.real, a.imag + b.imag));
    complex_sub => |a, b| complex_from(c(a.real - b.real, a.imag - b.imag));
    complex_mul => |a, b| complex_from(prod(a, b));
    complex_div => |a, b| match quot(a, b) {
        Some(q) => complex_from(q),
        None => null(raise!(PyExc_ZeroDivisionError, "complex division by zero")),
    };
}

pub(crate) unsafe extern "C" fn complex_pow(v: Ob, w: Ob, z: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        binary(v, w, |a, b| {
            if z != Py_None() {
                return null(raise!(PyExc_ValueError, "complex modulo"));
            }
            let small = b.imag == 0.0 && b.real == b.real.floor() && b.real.abs() <= 100.0;
            let result = if small { powi(a, b.real as i64) } else { pow(a, b) };
            match result {
                Ok(p) if p.real.is_infinite() || p.imag.is_infinite() => {
                    null(raise!(PyExc_OverflowError, "complex exponentiation"))
                }
                Ok(p) => complex_from(p),
                Err(PowError::Range) => null(raise!(PyExc_OverflowError, "complex exponentiation")),
                Err(PowError::ZeroBase) => null(raise!(PyExc_ZeroDivisionError, "0.0 to a negative or complex power")),
            }
        })
    }
}

/// A new complex number.
fn complex_from(z: Py_complex) -> Ob {
    // SAFETY: [GIL]
    unsafe {
        let op: *mut PyComplexObject = PyObject_Malloc(size_of::<PyComplexObject>()).cast();
        if op.is_null() {
            return PyErr_NoMemory();
        }
        _PyObject_Init(op.cast(), &raw mut PyComplex_Type);
        (*op).cval = z;
        op.cast()
    }
}

unsafe fn value(op: Ob) -> Py_complex {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyComplexObject>()).cval }
}

unsafe extern "C" fn complex_neg(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    let z = unsafe { value(v) };
    complex_from(c(-z.real, -z.imag))
}

unsafe extern "C" fn complex_pos(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { if PyComplex_CheckExact(v) != 0 { Py_NewRef(v) } else { complex_from(value(v)) } }
}

unsafe extern "C" fn complex_abs(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    match abs(unsafe { value(v) }) {
        Some(r) => crate::floatobject::float_from_f64(r),
        None => null(raise!(PyExc_OverflowError, "absolute value too large")),
    }
}

unsafe extern "C" fn complex_bool(v: Ob) -> c_int {
    // SAFETY: [TYPE]
    let z = unsafe { value(v) };
    (z.real != 0.0 || z.imag != 0.0) as c_int
}

unsafe extern "C" fn complex_repr(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let z = value(v);
        let form = |x, flags| double_to_string(x, b'r', 0, flags).unwrap_or_default();
        let text = if z.real == 0.0 && z.real.is_sign_positive() {
            format!("{}j", form(z.imag, 0))
        } else {
            format!("({}{}j)", form(z.real, 0), form(z.imag, Py_DTSF_SIGN))
        };
        PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t)
    }
}

/// Numbers that are equal hash alike: without imaginary part it is the hash of the real one.
unsafe extern "C" fn complex_hash(v: Ob) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        const IMAG: isize = 1000003;
        let z = value(v);
        let (re, im) = (_Py_HashDouble(v, z.real), _Py_HashDouble(v, z.imag));
        if re == -1 || im == -1 {
            return -1;
        }
        let h = re.wrapping_add(im.wrapping_mul(IMAG));
        if h == -1 { -2 } else { h }
    }
}

unsafe extern "C" fn complex_richcompare(v: Ob, w: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if !matches!(op, Py_EQ | Py_NE) {
            return Py_NotImplemented();
        }
        let a = value(v);
        let equal = if PyLong_Check(w) != 0 {
            if a.imag == 0.0 {
                // Exactly, as float does it.
                return match own(crate::floatobject::float_from_f64(a.real)) {
                    Ok(x) => PyObject_RichCompare(x.as_ptr(), w, op),
                    Err(_) => null_mut(),
                };
            }
            false
        } else if PyFloat_Check(w) != 0 {
            a.real == crate::floatobject::float_value(w) && a.imag == 0.0
        } else if PyComplex_Check(w) != 0 {
            let b = value(w);
            a.real == b.real && a.imag == b.imag
        } else {
            return Py_NotImplemented();
        };
        PyBool_FromLong((equal == (op == Py_EQ)) as _)
    }
}

// --- Methods --------------------------------------------------------------------------------------------------------

fn complex_conjugate(z: Complex<'_>) -> PyResult<Owned> {
    own(complex_from(c(z.cval.real, -z.cval.imag)))
}

fn complex___getnewargs__(z: Complex<'_>) -> PyResult<Owned> {
    use crate::floatobject::float_from_f64;
    tuple_of([own(float_from_f64(z.cval.real)), own(float_from_f64(z.cval.imag))])
}

fn complex___complex__(z: Complex<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    own(unsafe { complex_pos(z.ob()) })
}

fn complex___format__(z: Complex<'_>, spec: Str<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] the writer is finished or released.
    unsafe {
        let mut writer: _PyUnicodeWriter = core::mem::zeroed();
        _PyUnicodeWriter_Init(&mut writer);
        if _PyComplex_FormatAdvancedWriter(&mut writer, z.ob(), spec.ob(), 0, PyUnicode_GET_LENGTH(spec.ob())) < 0 {
            _PyUnicodeWriter_Dealloc(&mut writer);
            return Err(Raised::assume());
        }
        own(_PyUnicodeWriter_Finish(&mut writer))
    }
}

methods! {
    static COMPLEX_METHODS = [
        "__complex__($self, /)" => complex___complex__, "The value as an exact complex.";
        "conjugate($self, /)" => complex_conjugate, "The number with the sign of its imaginary part turned around.";
        "__getnewargs__($self, /)" => complex___getnewargs__, "";
        "__format__($self, format_spec, /)" => complex___format__, "Format after the format specification mini-language.";
    ];
}
members! {
    static COMPLEX_MEMBERS = [
        "real", Py_T_DOUBLE, offset_of!(PyComplexObject, cval) + offset_of!(Py_complex, real), Py_READONLY, "the real part of a complex number";
        "imag", Py_T_DOUBLE, offset_of!(PyComplexObject, cval) + offset_of!(Py_complex, imag), Py_READONLY, "the imaginary part of a complex number";
    ];
}

// --- Construction ---------------------------------------------------------------------------------------------------

/// Reads `a`, `bj` or `a+bj`, with spaces and parentheses around it.
fn parse_complex(s: &[u8]) -> Option<Py_complex> {
    let at = |i: usize| s.get(i).copied().unwrap_or(0);
    let is_space = |c: u8| matches!(c, b' ' | b'\t'..=b'\r');
    let is_j = |c: u8| c | 0x20 == b'j';
    let spaces = |mut i: usize| {
        while is_space(at(i)) {
            i += 1;
        }
        i
    };
    let mut i = spaces(0);
    let bracket = at(i) == b'(';
    if bracket {
        i = spaces(i + 1);
    }
    let number = |i: usize| s.get(i..).map(parse_double_prefix).filter(|(_, n)| *n > 0);
    // A lone sign before j stands for one.
    let unit = |i: usize| match at(i) {
        b'+' => (1.0, 1),
        b'-' => (-1.0, 1),
        _ => (1.0, 0),
    };
    let mut z = c(0.0, 0.0);
    match number(i) {
        Some((x, n)) => {
            i += n;
            if matches!(at(i), b'+' | b'-') {
                z.real = x;
                let (y, n) = number(i).unwrap_or(unit(i));
                z.imag = y;
                i += n;
                if !is_j(at(i)) {
                    return None;
                }
                i += 1;
            } else if is_j(at(i)) {
                z.imag = x;
                i += 1;
            } else {
                z.real = x;
            }
        }
        None => {
            let (y, n) = unit(i);
            z.imag = y;
            i += n;
            if !is_j(at(i)) {
                return None;
            }
            i += 1;
        }
    }
    i = spaces(i);
    if bracket {
        if at(i) != b')' {
            return None;
        }
        i = spaces(i + 1);
    }
    (i == s.len()).then_some(z)
}

unsafe fn complex_subtype(tp: *mut PyTypeObject, z: Py_complex) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(alloc) = (*tp).tp_alloc else { bail!(PyExc_SystemError, "type without tp_alloc") };
        let op = own(alloc(tp, 0))?;
        (*op.as_ptr().cast::<PyComplexObject>()).cval = z;
        Ok(op)
    }
}

unsafe fn complex_from_text(tp: *mut PyTypeObject, v: Ob) -> PyResult<Owned> {
    // SAFETY: [TYPE] a str.
    unsafe {
        let ascii = own(_PyUnicode_TransformDecimalAndSpaceToASCII(v))?;
        let p = ascii.as_ptr();
        let bytes = core::slice::from_raw_parts(PyUnicode_DATA(p).cast::<u8>(), PyUnicode_GET_LENGTH(p) as usize);
        let Some(clean) = strip_underscores(bytes) else {
            PyErr_Format(PyExc_ValueError, c"could not convert string to complex: %R".as_ptr(), v);
            return Err(Raised::assume());
        };
        match parse_complex(&clean) {
            Some(z) => complex_subtype(tp, z),
            None => bail!(PyExc_ValueError, "complex() arg is a malformed string"),
        }
    }
}

/// What `__complex__` gives, if there is one.
unsafe fn try_complex_special_method(op: Ob) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let method = _PyObject_LookupSpecial(op, intern!("__complex__"));
        if method.is_null() {
            return if err_occurred() { Err(Raised::assume()) } else { Ok(None) };
        }
        let method = Owned::from_owned(method);
        let r = own(PyObject_CallNoArgs(method.as_ptr()))?;
        if PyComplex_CheckExact(r.as_ptr()) != 0 {
            return Ok(Some(r));
        }
        if PyComplex_Check(r.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "__complex__ returned non-complex (type {})", type_name(r.as_ptr()));
        }
        let format = c"__complex__ returned non-complex (type %.200s).  The ability to return an instance of a strict subclass of complex is deprecated, and may be removed in a future version of Python.";
        check_status(PyErr_WarnFormat(PyExc_DeprecationWarning, 1, format.as_ptr(), (*r.ob_type).tp_name))?;
        Ok(Some(r))
    }
}

/// Whether float() would take it, or it is complex.
unsafe fn is_number(op: Ob) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let nb = (*(*op).ob_type).tp_as_number;
        PyComplex_Check(op) != 0 || nb.as_ref().is_some_and(|nb| nb.nb_float.is_some() || nb.nb_index.is_some())
    }
}

/// The value of a number that may be complex.
unsafe fn part(op: Ob) -> PyResult<Py_complex> {
    // SAFETY: [ARGS]
    unsafe {
        if PyComplex_Check(op) != 0 {
            return Ok(value(op));
        }
        let f = own(PyNumber_Float(op))?;
        Ok(c(crate::floatobject::float_value(f.as_ptr()), 0.0))
    }
}

fn complex_new(tp: Borrowed<'_, PyTypeObject>, real: Option<Borrowed<'_>>, imag: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let tp = tp.as_ptr();
        let zero = crate::longobject::small_int(0);
        let r = real.map_or(zero, |r| r.ob());
        if PyComplex_CheckExact(r) != 0 && imag.is_none() && tp == &raw mut PyComplex_Type {
            return Ok(Owned::from_borrowed(r));
        }
        if PyUnicode_Check(r) != 0 {
            if imag.is_some() {
                bail!(PyExc_TypeError, "complex() can't take second arg if first is a string");
            }
            return complex_from_text(tp, r);
        }
        if imag.is_some_and(|i| PyUnicode_Check(i.ob()) != 0) {
            bail!(PyExc_TypeError, "complex() second arg can't be a string");
        }
        let r = match try_complex_special_method(r)? {
            Some(z) => z,
            None => Owned::from_borrowed(r),
        };
        if !is_number(r.as_ptr()) {
            bail!(PyExc_TypeError, "complex() first argument must be a string or a number, not '{}'", type_name(r.as_ptr()));
        }
        if let Some(i) = imag
            && !is_number(i.ob())
        {
            bail!(PyExc_TypeError, "complex() second argument must be a number, not '{}'", type_name(i.ob()));
        }
        // real + imag * 1j, where each part may itself be complex; signs of zeros are kept where it isn't.
        let a = part(r.as_ptr())?;
        let mut z = a;
        if let Some(i) = imag {
            let b = part(i.ob())?;
            z.imag = b.real;
            if PyComplex_Check(i.ob()) != 0 {
                z.real -= b.imag;
            }
            if PyComplex_Check(r.as_ptr()) != 0 {
                z.imag += a.imag;
            }
        }
        complex_subtype(tp, z)
    }
}

static mut COMPLEX_AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_add: Some(complex_add),
    nb_subtract: Some(complex_sub),
    nb_multiply: Some(complex_mul),
    nb_power: Some(complex_pow),
    nb_negative: Some(complex_neg),
    nb_positive: Some(complex_pos),
    nb_absolute: Some(complex_abs),
    nb_bool: Some(complex_bool),
    nb_true_divide: Some(complex_div),
    ..NUMBER_INIT
};

#[unsafe(no_mangle)]
pub static mut PyComplex_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"complex".as_ptr(),
    tp_basicsize: size_of::<PyComplexObject>() as Py_ssize_t,
    tp_repr: Some(complex_repr),
    tp_as_number: &raw mut COMPLEX_AS_NUMBER,
    tp_hash: Some(complex_hash),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tp_doc: c"complex(real=0, imag=0)\n--\n\nMake a complex number of a text, or of one or two numbers.\n\nA text is read as one; of numbers, the result is real + imag*1j.".as_ptr(),
    tp_richcompare: Some(complex_richcompare),
    tp_methods: (&raw mut COMPLEX_METHODS).cast(),
    tp_members: (&raw mut COMPLEX_MEMBERS).cast(),
    tp_new: Some(constructor!("complex(real=<unrepresentable>, imag=<unrepresentable>)" => complex_new)),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

// --- Exported functions ---------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyComplex_FromCComplex(z: Py_complex) -> Ob {
    complex_from(z)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyComplex_FromDoubles(real: f64, imag: f64) -> Ob {
    complex_from(c(real, imag))
}

unsafe fn as_complex(op: Ob) -> PyResult<Py_complex> {
    // SAFETY: [ARGS]
    unsafe {
        if PyComplex_Check(op) != 0 {
            return Ok(value(op));
        }
        if let Some(z) = try_complex_special_method(op)? {
            return Ok(value(z.as_ptr()));
        }
        let x = PyFloat_AsDouble(op);
        if x == -1.0 && err_occurred() { Err(Raised::assume()) } else { Ok(c(x, 0.0)) }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyComplex_RealAsDouble(op: Ob) -> f64 {
    // SAFETY: [ARGS]
    unsafe { as_complex(op).map(|z| z.real).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyComplex_ImagAsDouble(op: Ob) -> f64 {
    // SAFETY: [ARGS]
    unsafe { as_complex(op).map(|z| z.imag).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyComplex_AsCComplex(op: Ob) -> Py_complex {
    // SAFETY: [ARGS]
    unsafe { as_complex(op).unwrap_or(c(-1.0, 0.0)) }
}

fn set_errno(code: c_int) {
    // SAFETY: errno belongs to the thread.
    unsafe { *libc::__errno_location() = code }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_c_sum(a: Py_complex, b: Py_complex) -> Py_complex {
    c(a.real + b.real, a.imag + b.imag)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_c_diff(a: Py_complex, b: Py_complex) -> Py_complex {
    c(a.real - b.real, a.imag - b.imag)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_c_neg(a: Py_complex) -> Py_complex {
    c(-a.real, -a.imag)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_c_prod(a: Py_complex, b: Py_complex) -> Py_complex {
    prod(a, b)
}

/// Sets errno to EDOM for a zero divisor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_c_quot(a: Py_complex, b: Py_complex) -> Py_complex {
    quot(a, b).unwrap_or_else(|| {
        set_errno(libc::EDOM);
        c(0.0, 0.0)
    })
}

/// Sets errno to EDOM for a zero base with a negative or complex exponent, to ERANGE on overflow.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_c_pow(a: Py_complex, b: Py_complex) -> Py_complex {
    match pow(a, b) {
        Ok(p) => p,
        Err(PowError::ZeroBase) => {
            set_errno(libc::EDOM);
            c(0.0, 0.0)
        }
        Err(PowError::Range) => {
            set_errno(libc::ERANGE);
            c(f64::INFINITY, f64::INFINITY)
        }
    }
}

/// Sets errno to ERANGE on overflow, to 0 otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_c_abs(z: Py_complex) -> f64 {
    let r = abs(z);
    set_errno(if r.is_some() { 0 } else { libc::ERANGE });
    r.unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading() {
        let parts = |s: &str| parse_complex(s.as_bytes()).map(|z| (z.real, z.imag));
        assert_eq!(parts("1+2j"), Some((1.0, 2.0)));
        assert_eq!(parts(" ( -1.5e3-J ) "), Some((-1500.0, -1.0)));
        assert_eq!(parts("j"), Some((0.0, 1.0)));
        assert_eq!(parts("-j"), Some((0.0, -1.0)));
        assert_eq!(parts("3j"), Some((0.0, 3.0)));
        assert_eq!(parts("infj"), Some((0.0, f64::INFINITY)));
        for bad in ["", "1+2", "1+", "(1", "1)", "1 + 2j", "1j2"] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }
}
