//! The `math` module: real functions, mostly the C library's.

use crate::integers::{comb, factorial, gcd, isqrt, lcm, perm};
use crate::libm;
use crate::special::{self, Fault, Partials, TripleLength};
use crate::support::{domain_error, double, float, next, range_error, take, tuple};
use core::ffi::c_int;
use taipan_abi::*;
use taipan_clinic::module::add_object;
use taipan_clinic::{Args, methods, module};
use taipan_objects::floatobject::float_value;
use taipan_objects::longobject::{is_negative, is_zero, long_from_i64, to_i64, to_u64};

unsafe extern "C" {
    fn _PyLong_Frexp(a: *mut PyLongObject, e: *mut Py_ssize_t) -> f64;
}

// ---- functions of the C library --------------------------------------------------------------------------------------

/// A result of one number: NaN out of a number is outside the domain, infinity out of a finite number an overflow or a
/// pole.
#[inline(always)]
fn checked(x: f64, r: f64, can_overflow: bool) -> PyResult<f64> {
    if r.is_finite() {
        return Ok(r);
    }
    if r.is_nan() && !x.is_nan() {
        return Err(domain_error());
    }
    if r.is_infinite() && x.is_finite() {
        return Err(if can_overflow { range_error() } else { domain_error() });
    }
    Ok(r)
}
/// A result of two numbers.
#[inline(always)]
fn checked2(x: f64, y: f64, r: f64) -> PyResult<f64> {
    if r.is_nan() && !x.is_nan() && !y.is_nan() {
        return Err(domain_error());
    }
    if r.is_infinite() && x.is_finite() && y.is_finite() {
        return Err(range_error());
    }
    Ok(r)
}

macro_rules! functions {
    ($($name:ident = $f:expr, $overflow:literal;)*) => { $(
        fn $name(_: (), x: f64) -> PyResult<f64> {
            checked(x, $f(x), $overflow)
        }
    )* };
}
functions! {
    acos = libm::acos, false;
    acosh = libm::acosh, false;
    asin = libm::asin, false;
    asinh = libm::asinh, false;
    atan = libm::atan, false;
    atanh = libm::atanh, false;
    cbrt = libm::cbrt, false;
    cos = libm::cos, false;
    cosh = libm::cosh, true;
    exp = libm::exp, true;
    exp2 = libm::exp2, true;
    expm1 = libm::expm1, true;
    fabs = f64::abs, false;
    log1p = log1p_signed, false;
    sin = libm::sin, false;
    sinh = libm::sinh, true;
    sqrt = f64::sqrt, false;
    tan = libm::tan, false;
    tanh = libm::tanh, false;
}

/// log1p that keeps the sign of zero.
fn log1p_signed(x: f64) -> f64 {
    if x == 0.0 { x } else { libm::log1p(x) }
}

fn erf(_: (), x: f64) -> PyResult<f64> {
    Ok(libm::erf(x))
}
fn erfc(_: (), x: f64) -> PyResult<f64> {
    Ok(libm::erfc(x))
}
fn fault(f: Fault) -> Raised {
    match f {
        Fault::Domain => domain_error(),
        Fault::Range => range_error(),
    }
}
fn gamma(_: (), x: f64) -> PyResult<f64> {
    special::gamma(x).map_err(fault)
}
fn lgamma(_: (), x: f64) -> PyResult<f64> {
    special::lgamma(x).map_err(fault)
}
fn atan2(_: (), y: f64, x: f64) -> PyResult<f64> {
    Ok(libm::atan2(y, x))
}
fn copysign(_: (), x: f64, y: f64) -> PyResult<f64> {
    Ok(x.copysign(y))
}

/// The IEEE remainder: x minus its nearest multiple of y, the even one of two.
fn nearest_remainder(x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() {
        return x + y;
    }
    if x.is_infinite() || y == 0.0 {
        return f64::NAN;
    }
    if y.is_infinite() {
        return x;
    }
    let (a, b) = (x.abs(), y.abs());
    let m = libm::fmod(a, b);
    // Compare with the complement, not with half of b, which may not be representable.
    let c = b - m;
    let r = if m < c {
        m
    } else if m > c {
        -c
    } else {
        m - 2.0 * libm::fmod(0.5 * (a - m), b)
    };
    1f64.copysign(x) * r
}
fn remainder(_: (), x: f64, y: f64) -> PyResult<f64> {
    checked2(x, y, nearest_remainder(x, y))
}
fn fmod(_: (), x: f64, y: f64) -> PyResult<f64> {
    if y.is_infinite() && x.is_finite() {
        return Ok(x);
    }
    let r = libm::fmod(x, y);
    if r.is_nan() && !x.is_nan() && !y.is_nan() {
        return Err(domain_error());
    }
    Ok(r)
}
fn fma(_: (), x: f64, y: f64, z: f64) -> PyResult<f64> {
    let r = libm::fma(x, y, z);
    if r.is_nan() && !x.is_nan() && !y.is_nan() && !z.is_nan() {
        bail!(PyExc_ValueError, "invalid operation in fma");
    }
    if r.is_infinite() && x.is_finite() && y.is_finite() && z.is_finite() {
        bail!(PyExc_OverflowError, "overflow in fma");
    }
    Ok(r)
}
fn pow(_: (), x: f64, y: f64) -> PyResult<f64> {
    // The C library follows Annex F for infinities and NaN.
    let r = libm::pow(x, y);
    if !r.is_finite() && x.is_finite() && y.is_finite() {
        return Err(if r.is_nan() || x == 0.0 { domain_error() } else { range_error() });
    }
    Ok(r)
}
fn degrees(_: (), x: f64) -> PyResult<f64> {
    Ok(x * (180.0 / core::f64::consts::PI))
}
fn radians(_: (), x: f64) -> PyResult<f64> {
    Ok(x * (core::f64::consts::PI / 180.0))
}
fn isfinite(_: (), x: f64) -> PyResult<bool> {
    Ok(x.is_finite())
}
fn isnan(_: (), x: f64) -> PyResult<bool> {
    Ok(x.is_nan())
}
fn isinf(_: (), x: f64) -> PyResult<bool> {
    Ok(x.is_infinite())
}
fn isclose(_: (), a: f64, b: f64, rel_tol: f64, abs_tol: f64) -> PyResult<bool> {
    if rel_tol < 0.0 || abs_tol < 0.0 {
        bail!(PyExc_ValueError, "tolerances must be non-negative");
    }
    if a == b {
        return Ok(true);
    }
    if a.is_infinite() || b.is_infinite() {
        return Ok(false);
    }
    let diff = (b - a).abs();
    Ok(diff <= (rel_tol * b).abs() || diff <= (rel_tol * a).abs() || diff <= abs_tol)
}

// ---- parts of a number -----------------------------------------------------------------------------------------------

/// What the special method `name` of `x` returns; `None` if it has none.
unsafe fn special_method(x: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let method = _PyObject_LookupSpecial(x, name);
        if method.is_null() {
            return if err_occurred() { Err(Raised::assume()) } else { Ok(None) };
        }
        let method = Owned::from_owned(method);
        take(PyObject_CallNoArgs(method.as_ptr())).map(Some)
    }
}
fn rounded(x: Borrowed<'_>, name: *mut PyObject, f: fn(f64) -> f64) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyFloat_CheckExact(x.ob()) == 0
            && let Some(r) = special_method(x.ob(), name)?
        {
            return Ok(r);
        }
        let r = f(double(x.ob())?);
        take(if r.abs() < 9e18 { long_from_i64(r as i64) } else { PyLong_FromDouble(r) })
    }
}
fn ceil(_: (), x: Borrowed<'_>) -> PyResult<Owned> {
    rounded(x, intern!("__ceil__"), f64::ceil)
}
fn floor(_: (), x: Borrowed<'_>) -> PyResult<Owned> {
    rounded(x, intern!("__floor__"), f64::floor)
}
fn trunc(_: (), x: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyFloat_CheckExact(x.ob()) != 0 {
            return take(PyLong_FromDouble(float_value(x.ob())));
        }
        match special_method(x.ob(), intern!("__trunc__"))? {
            Some(r) => Ok(r),
            None => bail!(PyExc_TypeError, "type {} doesn't define __trunc__ method", type_name(x.ob())),
        }
    }
}
fn frexp(_: (), x: f64) -> PyResult<Owned> {
    let (m, e) = if x.is_finite() && x != 0.0 { libm::frexp(x) } else { (x, 0) };
    // SAFETY: [GIL]
    unsafe { tuple([float(m)?, take(long_from_i64(e as i64))?]) }
}
fn ldexp(_: (), x: f64, i: Borrowed<'_>) -> PyResult<f64> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyLong_Check(i.ob()) == 0 {
            bail!(PyExc_TypeError, "Expected an int as second argument to ldexp.");
        }
        let n = i.ob().cast::<PyLongObject>();
        if x == 0.0 || !x.is_finite() {
            return Ok(x);
        }
        let e = to_i64(n).unwrap_or(if is_negative(n) { i64::MIN } else { i64::MAX });
        // Beyond that every number has become infinite or zero.
        let r = libm::ldexp(x, e.clamp(-100_000, 100_000) as c_int);
        if r.is_infinite() { Err(range_error()) } else { Ok(r) }
    }
}
fn modf(_: (), x: f64) -> PyResult<Owned> {
    if x.is_infinite() {
        return tuple([float(0f64.copysign(x))?, float(x)?]);
    }
    if x.is_nan() {
        return tuple([float(x)?, float(x)?]);
    }
    let whole = x.trunc();
    tuple([float((x - whole).copysign(x))?, float(whole)?])
}
fn ulp(_: (), x: f64) -> PyResult<f64> {
    let x = x.abs();
    if !x.is_finite() {
        return Ok(x);
    }
    let up = libm::nextafter(x, f64::INFINITY);
    Ok(if up.is_infinite() { x - libm::nextafter(x, f64::NEG_INFINITY) } else { up - x })
}
fn nextafter(_: (), x: f64, y: f64, steps: Option<Borrowed<'_>>) -> PyResult<f64> {
    let Some(steps) = steps else { return Ok(libm::nextafter(x, y)) };
    // SAFETY: [TYPE] PyNumber_Index returns an int.
    let steps = unsafe {
        let n = take(PyNumber_Index(steps.ob()))?.cast::<PyLongObject>();
        if is_negative(n.as_ptr()) {
            bail!(PyExc_ValueError, "steps must be a non-negative integer");
        }
        to_u64(n.as_ptr()).unwrap_or(u64::MAX)
    };
    if steps == 0 || x.is_nan() {
        return Ok(x);
    }
    if y.is_nan() {
        return Ok(y);
    }
    // Floats in order are integers in order, with both zeros at 0.
    let place = |v: f64| {
        let magnitude = v.abs().to_bits() as i128;
        if v.is_sign_negative() { -magnitude } else { magnitude }
    };
    let (from, to) = (place(x), place(y));
    if x.to_bits() == y.to_bits() {
        return Ok(x);
    }
    if (to - from).unsigned_abs() <= steps as u128 {
        return Ok(y);
    }
    let at = if to > from { from + steps as i128 } else { from - steps as i128 };
    let r = f64::from_bits(at.unsigned_abs() as u64);
    Ok(match at {
        0 => 0f64.copysign(x),
        _ if at < 0 => -r,
        _ => r,
    })
}

// ---- logarithms ------------------------------------------------------------------------------------------------------

/// A logarithm of a number, which may be an int that no float can hold.
unsafe fn logarithm(x: *mut PyObject, f: fn(f64) -> f64) -> PyResult<f64> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyLong_Check(x) == 0 {
            let v = double(x)?;
            if v > 0.0 {
                return Ok(f(v));
            }
            return if v.is_nan() { Ok(v) } else { Err(domain_error()) };
        }
        let n = x.cast::<PyLongObject>();
        if is_negative(n) || is_zero(n) {
            return Err(domain_error());
        }
        let v = PyLong_AsDouble(x);
        if v == -1.0 && err_occurred() {
            let e = Raised::assume();
            if !e.matches(PyExc_OverflowError) {
                return Err(e);
            }
            e.clear();
            let mut exponent = 0;
            let m = _PyLong_Frexp(n, &mut exponent);
            if m == -1.0 && err_occurred() {
                return Err(Raised::assume());
            }
            return Ok(f(m) + f(2.0) * exponent as f64);
        }
        Ok(f(v))
    }
}
fn ln(x: f64) -> f64 {
    libm::log(x)
}
fn log(_: (), args: Args<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        match args.0 {
            &[x] => float(logarithm(x, ln)?),
            &[x, base] => {
                let (num, den) = (float(logarithm(x, ln)?)?, float(logarithm(base, ln)?)?);
                take(PyNumber_TrueDivide(num.as_ptr(), den.as_ptr()))
            }
            [] => bail!(PyExc_TypeError, "log expected at least 1 argument, got 0"),
            more => bail!(PyExc_TypeError, "log expected at most 2 arguments, got {}", more.len()),
        }
    }
}
fn log2(_: (), x: Borrowed<'_>) -> PyResult<f64> {
    // SAFETY: [ARGS]
    unsafe { logarithm(x.ob(), |v| libm::log2(v)) }
}
fn log10(_: (), x: Borrowed<'_>) -> PyResult<f64> {
    // SAFETY: [ARGS]
    unsafe { logarithm(x.ob(), |v| libm::log10(v)) }
}

// ---- sums, products, distances ---------------------------------------------------------------------------------------

fn fsum(_: (), seq: Borrowed<'_>) -> PyResult<f64> {
    // SAFETY: [ARGS]
    unsafe {
        let it = take(PyObject_GetIter(seq.ob()))?;
        let mut partials = Partials::default();
        let (mut special, mut infinite) = (0.0, 0.0);
        while let Some(item) = next(it.as_ptr())? {
            let x = double(item.as_ptr())?;
            if !x.is_finite() {
                if x.is_infinite() {
                    infinite += x;
                }
                special += x;
            } else if !partials.add(x) {
                bail!(PyExc_OverflowError, "intermediate overflow in fsum");
            }
        }
        if special != 0.0 {
            if f64::is_nan(infinite) {
                bail!(PyExc_ValueError, "-inf + inf in fsum");
            }
            return Ok(special);
        }
        Ok(partials.round())
    }
}

/// Absolute values for a norm: on the stack while they are few.
fn norm_of(n: usize, mut value: impl FnMut(usize) -> PyResult<f64>) -> PyResult<f64> {
    let mut few = [0.0; 16];
    let mut many;
    let values = if n <= few.len() {
        &mut few[..n]
    } else {
        many = vec![0.0; n];
        &mut many[..]
    };
    let (mut max, mut found_nan) = (0.0, false);
    for (i, v) in values.iter_mut().enumerate() {
        *v = value(i)?.abs();
        found_nan |= v.is_nan();
        if *v > max {
            max = *v;
        }
    }
    Ok(special::norm(values, max, found_nan))
}
fn hypot(_: (), coordinates: Args<'_>) -> PyResult<f64> {
    // SAFETY: [ARGS]
    norm_of(coordinates.len(), |i| unsafe { double(coordinates.0[i]) })
}
fn dist(_: (), p: Borrowed<'_>, q: Borrowed<'_>) -> PyResult<f64> {
    // SAFETY: [TYPE] tuples do not change.
    unsafe {
        let point = |op: Borrowed<'_>| if PyTuple_Check(op.ob()) != 0 { Ok(op.to_owned()) } else { take(PySequence_Tuple(op.ob())) };
        let (p, q) = (point(p)?, point(q)?);
        let n = PyTuple_GET_SIZE(p.as_ptr());
        if n != PyTuple_GET_SIZE(q.as_ptr()) {
            bail!(PyExc_ValueError, "both points must have the same number of dimensions");
        }
        norm_of(n as usize, |i| {
            Ok(double(PyTuple_GET_ITEM(p.as_ptr(), i as isize))? - double(PyTuple_GET_ITEM(q.as_ptr(), i as isize))?)
        })
    }
}

/// The float that a factor of a float stands for in a sum of products: a float, int or bool.
unsafe fn float_factor(op: *mut PyObject) -> Option<f64> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyFloat_CheckExact(op) != 0 {
            return Some(float_value(op));
        }
        if PyLong_CheckExact(op) == 0 && PyBool_Check(op) == 0 {
            return None;
        }
        let x = PyLong_AsDouble(op);
        if x == -1.0 && err_occurred() {
            PyErr_Clear();
            return None;
        }
        Some(x)
    }
}

fn sumprod(_: (), p: Borrowed<'_>, q: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let (p, q) = (take(PyObject_GetIter(p.ob()))?, take(PyObject_GetIter(q.ob()))?);
        let mut total = take(long_from_i64(0))?;
        let mut ints = Some(0i64);
        let mut floats = Some(TripleLength::default());
        let mut floats_used = false;
        loop {
            let (a, b) = (next(p.as_ptr())?, next(q.as_ptr())?);
            let pair = match (a, b) {
                (Some(a), Some(b)) => Some((a, b)),
                (None, None) => None,
                _ => bail!(PyExc_ValueError, "Inputs are not the same length"),
            };
            if let Some(sum) = ints {
                // Ints of a word, as long as nothing else has come.
                if let Some((a, b)) = &pair
                    && PyLong_CheckExact(a.as_ptr()) != 0
                    && PyLong_CheckExact(b.as_ptr()) != 0
                    && let (Some(x), Some(y)) = (to_i64(a.as_ptr().cast()), to_i64(b.as_ptr().cast()))
                    && let Some(s) = x.checked_mul(y).and_then(|xy| sum.checked_add(xy))
                {
                    ints = Some(s);
                    continue;
                }
                ints = None;
                if sum != 0 {
                    let term = take(long_from_i64(sum))?;
                    total = take(PyNumber_Add(total.as_ptr(), term.as_ptr()))?;
                }
            }
            if let Some(sum) = floats {
                if let Some((a, b)) = &pair
                    && (PyFloat_CheckExact(a.as_ptr()) != 0 || PyFloat_CheckExact(b.as_ptr()) != 0)
                    && let (Some(x), Some(y)) = (float_factor(a.as_ptr()), float_factor(b.as_ptr()))
                {
                    let s = sum.fma(x, y);
                    if s.is_finite() {
                        floats = Some(s);
                        floats_used = true;
                        continue;
                    }
                }
                floats = None;
                if floats_used {
                    let term = float(sum.value())?;
                    total = take(PyNumber_Add(total.as_ptr(), term.as_ptr()))?;
                }
            }
            let Some((a, b)) = pair else { return Ok(total) };
            let term = take(PyNumber_Multiply(a.as_ptr(), b.as_ptr()))?;
            total = take(PyNumber_Add(total.as_ptr(), term.as_ptr()))?;
        }
    }
}

fn prod(_: (), iterable: Borrowed<'_>, start: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [TYPE] checked before each reading.
    unsafe {
        let it = take(PyObject_GetIter(iterable.ob()))?;
        let mut result = match start {
            Some(s) => s.to_owned(),
            None => take(long_from_i64(1))?,
        };
        if PyLong_CheckExact(result.as_ptr()) != 0
            && let Some(mut n) = to_i64(result.as_ptr().cast())
        {
            loop {
                let Some(item) = next(it.as_ptr())? else { return take(long_from_i64(n)) };
                if PyLong_CheckExact(item.as_ptr()) != 0
                    && let Some(m) = to_i64(item.as_ptr().cast()).and_then(|m| n.checked_mul(m))
                {
                    n = m;
                    continue;
                }
                result = take(long_from_i64(n))?;
                result = take(PyNumber_Multiply(result.as_ptr(), item.as_ptr()))?;
                break;
            }
        }
        if PyFloat_CheckExact(result.as_ptr()) != 0 {
            let mut x = float_value(result.as_ptr());
            loop {
                let Some(item) = next(it.as_ptr())? else { return float(x) };
                if PyFloat_CheckExact(item.as_ptr()) != 0 {
                    x *= float_value(item.as_ptr());
                    continue;
                }
                if PyLong_CheckExact(item.as_ptr()) != 0
                    && let Some(m) = to_i64(item.as_ptr().cast())
                {
                    x *= m as f64;
                    continue;
                }
                result = float(x)?;
                result = take(PyNumber_Multiply(result.as_ptr(), item.as_ptr()))?;
                break;
            }
        }
        while let Some(item) = next(it.as_ptr())? {
            result = take(PyNumber_Multiply(result.as_ptr(), item.as_ptr()))?;
        }
        Ok(result)
    }
}

methods! {
    static METHODS = [
        "acos($module, x, /)" => acos, "Arc cosine, in radians from 0 to pi.";
        "acosh($module, x, /)" => acosh, "Inverse hyperbolic cosine.";
        "asin($module, x, /)" => asin, "Arc sine, in radians from -pi/2 to pi/2.";
        "asinh($module, x, /)" => asinh, "Inverse hyperbolic sine.";
        "atan($module, x, /)" => atan, "Arc tangent, in radians from -pi/2 to pi/2.";
        "atan2($module, y, x, /)" => atan2, "Angle of the point (x, y), in radians from -pi to pi.";
        "atanh($module, x, /)" => atanh, "Inverse hyperbolic tangent.";
        "cbrt($module, x, /)" => cbrt, "Cube root.";
        "ceil($module, x, /)" => ceil, "Least integer that is not less than x.";
        "copysign($module, x, y, /)" => copysign, "The magnitude of x with the sign of y.";
        "cos($module, x, /)" => cos, "Cosine of an angle in radians.";
        "cosh($module, x, /)" => cosh, "Hyperbolic cosine.";
        "degrees($module, x, /)" => degrees, "Radians to degrees.";
        "dist($module, p, q, /)" => dist, "Euclidean distance of two points given by their coordinates.";
        "erf($module, x, /)" => erf, "Error function.";
        "erfc($module, x, /)" => erfc, "Complementary error function.";
        "exp($module, x, /)" => exp, "e to the power of x.";
        "exp2($module, x, /)" => exp2, "2 to the power of x.";
        "expm1($module, x, /)" => expm1, "exp(x)-1, precise for small x.";
        "fabs($module, x, /)" => fabs, "Absolute value as a float.";
        "factorial($module, n, /)" => factorial, "n!.";
        "floor($module, x, /)" => floor, "Greatest integer that is not more than x.";
        "fma($module, x, y, z, /)" => fma, "x * y + z with one rounding.";
        "fmod($module, x, y, /)" => fmod, "Remainder with the sign of x, as C has it.";
        "frexp($module, x, /)" => frexp, "Mantissa (0.5 <= abs(m) < 1, or 0) and exponent: x == m * 2**e.";
        "fsum($module, seq, /)" => fsum, "Sum of floats rounded only once.";
        "gamma($module, x, /)" => gamma, "Gamma function.";
        "gcd($module, *integers)" => gcd, "Greatest common divisor.";
        "hypot($module, *coordinates)" => hypot, "Euclidean norm of a vector.";
        "isclose($module, /, a, b, *, rel_tol=1e-09, abs_tol=0.0)" => isclose, "Whether two numbers differ by no more than a relative or absolute tolerance.";
        "isfinite($module, x, /)" => isfinite, "Whether x is neither infinite nor NaN.";
        "isinf($module, x, /)" => isinf, "Whether x is infinite.";
        "isnan($module, x, /)" => isnan, "Whether x is NaN.";
        "isqrt($module, n, /)" => isqrt, "Integer part of the square root.";
        "lcm($module, *integers)" => lcm, "Least common multiple.";
        "ldexp($module, x, i, /)" => ldexp, "x * 2**i.";
        "lgamma($module, x, /)" => lgamma, "Natural logarithm of the absolute value of the Gamma function.";
        "log($module, /, *args)" => log, "Logarithm to a base: log(x[, base]), the base being e if left out.";
        "log1p($module, x, /)" => log1p, "log(1+x), precise for small x.";
        "log10($module, x, /)" => log10, "Logarithm to base 10.";
        "log2($module, x, /)" => log2, "Logarithm to base 2.";
        "modf($module, x, /)" => modf, "Fractional and integer part as floats.";
        "pow($module, x, y, /)" => pow, "x to the power of y, as floats.";
        "radians($module, x, /)" => radians, "Degrees to radians.";
        "remainder($module, x, y, /)" => remainder, "Difference to the nearest multiple of y, as IEEE 754 has it.";
        "sin($module, x, /)" => sin, "Sine of an angle in radians.";
        "sinh($module, x, /)" => sinh, "Hyperbolic sine.";
        "sqrt($module, x, /)" => sqrt, "Square root.";
        "tan($module, x, /)" => tan, "Tangent of an angle in radians.";
        "tanh($module, x, /)" => tanh, "Hyperbolic tangent.";
        "sumprod($module, p, q, /)" => sumprod, "Sum of the products of pairs, floats with extended precision.";
        "trunc($module, x, /)" => trunc, "Integer part, by __trunc__.";
        "prod($module, iterable, /, *, start=1)" => prod, "Product of the items.";
        "perm($module, n, k=None, /)" => perm, "Ways to choose k of n items in order.";
        "comb($module, n, k, /)" => comb, "Ways to choose k of n items without order.";
        "nextafter($module, x, y, /, *, steps=None)" => nextafter, "The float that many steps from x towards y.";
        "ulp($module, x, /)" => ulp, "Value of the least significant bit of x.";
    ];
}

module! {
    /// Entry point.
    pub fn PyInit_math = "math", "Mathematical functions of real numbers.", methods: METHODS, exec: exec;
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    use core::f64::consts::{E, PI, TAU};
    for (name, value) in [(c"pi", PI), (c"e", E), (c"tau", TAU), (c"inf", f64::INFINITY), (c"nan", f64::NAN)] {
        add_object(module, name, float(value))?;
    }
    Ok(())
}
