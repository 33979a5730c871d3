//! The `cmath` module: functions of complex numbers, with the special values of C's Annex G.

use crate::libm;
use crate::special::Fault;
use crate::support::{domain_error, float, range_error, take, tuple};
use core::f64::consts::{E, LN_2, LN_10, PI};
use taipan_abi::*;
use taipan_clinic::from_arg::Where;
use taipan_clinic::module::add_object;
use taipan_clinic::{FromArg, methods, module};

unsafe extern "C" {
    safe fn _Py_c_quot(a: Py_complex, b: Py_complex) -> Py_complex;
}

// ---- complex numbers -------------------------------------------------------------------------------------------------

/// A complex number, and the trouble that came with it.
#[derive(Clone, Copy)]
struct Z {
    re: f64,
    im: f64,
}
type R = Result<Z, Fault>;

const fn z(re: f64, im: f64) -> Z {
    Z { re, im }
}
impl Z {
    fn is_finite(self) -> bool {
        self.re.is_finite() && self.im.is_finite()
    }
    fn neg(self) -> Z {
        z(-self.re, -self.im)
    }
    /// `i z`
    fn turned(self) -> Z {
        z(-self.im, self.re)
    }
    /// `-i z`
    fn turned_back(self) -> Z {
        z(self.im, -self.re)
    }
    fn abs(self) -> f64 {
        libm::hypot(self.re, self.im)
    }
    fn raw(self) -> Py_complex {
        Py_complex { real: self.re, imag: self.im }
    }
    fn object(self) -> PyResult<Owned> {
        // SAFETY: [GIL]
        unsafe { take(PyComplex_FromCComplex(self.raw())) }
    }
    /// Overflow, if a part is infinite.
    fn bounded(self) -> R {
        if self.re.is_infinite() || self.im.is_infinite() { Err(Fault::Range) } else { Ok(self) }
    }
}
impl<'a> FromArg<'a> for Z {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            let c = PyComplex_AsCComplex(arg);
            if c.real == -1.0 && err_occurred() {
                return Err(Raised::assume());
            }
            Ok(z(c.real, c.imag))
        }
    }
}

/// Above it, sums and hypotenuses could overflow.
const LARGE: f64 = f64::MAX / 4.0;
/// `sqrt(LARGE)`, rounded.
const SQRT_LARGE: f64 = 6.703903964971298e153;
/// `log(LARGE)`, rounded.
const LOG_LARGE: f64 = 708.3964185322641;
/// `sqrt(f64::MIN_POSITIVE)`.
const SQRT_MIN: f64 = 1.4916681462400413e-154;

// ---- special values --------------------------------------------------------------------------------------------------

/// Results by kind of the real part (row) and of the imaginary one (column): -inf, negative, -0, 0, positive, inf, NaN.
type Table = [[Z; 7]; 7];

/// Reads a table: two letters an entry. 0 and z are the zeros, 1 and m the ones, I and i the infinities, P H Q T and
/// p h q t are pi, pi/2, pi/4 and 3pi/4 with both signs, N is NaN; a dot stands where the formula is used instead.
const fn table(text: &[u8]) -> Table {
    let mut t = [[z(0.0, 0.0); 7]; 7];
    let (mut at, mut n) = (0, 0);
    while n < 49 {
        while text[at] == b' ' {
            at += 1;
        }
        t[n / 7][n % 7] = z(value(text[at]), value(text[at + 1]));
        at += 2;
        n += 1;
    }
    t
}
const fn value(c: u8) -> f64 {
    match c {
        b'0' => 0.0,
        b'z' => -0.0,
        b'1' => 1.0,
        b'm' => -1.0,
        b'I' => f64::INFINITY,
        b'i' => f64::NEG_INFINITY,
        b'P' => PI,
        b'p' => -PI,
        b'H' => 0.5 * PI,
        b'h' => -0.5 * PI,
        b'Q' => 0.25 * PI,
        b'q' => -0.25 * PI,
        b'T' => 0.75 * PI,
        b't' => -0.75 * PI,
        b'N' | b'.' => f64::NAN,
        _ => panic!("not in the table's alphabet"),
    }
}

const ACOS: Table = table(b"\
    TI PI PI Pi Pi Ti NI \
    HI .. .. .. .. Hi NN \
    HI .. H0 Hz .. Hi HN \
    HI .. H0 Hz .. Hi HN \
    HI .. .. .. .. Hi NN \
    QI 0I 0I 0i 0i Qi NI \
    NI NN NN NN NN Ni NN");
const ACOSH: Table = table(b"\
    It Ip Ip IP IP IT IN \
    Ih .. .. .. .. IH NN \
    Ih .. 0h 0H .. IH NN \
    Ih .. 0h 0H .. IH NN \
    Ih .. .. .. .. IH NN \
    Iq Iz Iz I0 I0 IQ IN \
    IN NN NN NN NN IN NN");
const ASINH: Table = table(b"\
    iq iz iz i0 i0 iQ iN \
    ih .. .. .. .. iH NN \
    ih .. zz z0 .. iH NN \
    Ih .. 0z 00 .. IH NN \
    Ih .. .. .. .. IH NN \
    Iq Iz Iz I0 I0 IQ IN \
    IN NN Nz N0 NN IN NN");
const ATANH: Table = table(b"\
    zh zh zh zH zH zH zN \
    zh .. .. .. .. zH NN \
    zh .. zz z0 .. zH zN \
    0h .. 0z 00 .. 0H 0N \
    0h .. .. .. .. 0H NN \
    0h 0h 0h 0H 0H 0H 0N \
    0h NN NN NN NN 0H NN");
const COSH: Table = table(b"\
    IN .. I0 Iz .. IN IN \
    NN .. .. .. .. NN NN \
    N0 .. 10 1z .. N0 N0 \
    N0 .. 1z 10 .. N0 N0 \
    NN .. .. .. .. NN NN \
    IN .. Iz I0 .. IN IN \
    NN NN N0 N0 NN NN NN");
const EXP: Table = table(b"\
    00 .. 0z 00 .. 00 00 \
    NN .. .. .. .. NN NN \
    NN .. 1z 10 .. NN NN \
    NN .. 1z 10 .. NN NN \
    NN .. .. .. .. NN NN \
    IN .. Iz I0 .. IN IN \
    NN NN Nz N0 NN NN NN");
const LOG: Table = table(b"\
    It Ip Ip IP IP IT IN \
    Ih .. .. .. .. IH NN \
    Ih .. ip iP .. IH NN \
    Ih .. iz i0 .. IH NN \
    Ih .. .. .. .. IH NN \
    Iq Iz Iz I0 I0 IQ IN \
    IN NN NN NN NN IN NN");
const SINH: Table = table(b"\
    IN .. iz i0 .. IN IN \
    NN .. .. .. .. NN NN \
    0N .. zz z0 .. 0N 0N \
    0N .. 0z 00 .. 0N 0N \
    NN .. .. .. .. NN NN \
    IN .. Iz I0 .. IN IN \
    NN NN Nz N0 NN NN NN");
const SQRT: Table = table(b"\
    Ii 0i 0i 0I 0I II NI \
    Ii .. .. .. .. II NN \
    Ii .. 0z 00 .. II NN \
    Ii .. 0z 00 .. II NN \
    Ii .. .. .. .. II NN \
    Ii Iz Iz I0 I0 II IN \
    Ii NN NN NN NN II NN");
const TANH: Table = table(b"\
    m0 .. mz m0 .. m0 m0 \
    NN .. .. .. .. NN NN \
    NN .. zz z0 .. NN NN \
    NN .. 0z 00 .. NN NN \
    NN .. .. .. .. NN NN \
    10 .. 1z 10 .. 10 10 \
    NN NN Nz N0 NN NN NN");
const RECT: Table = table(b"\
    IN .. i0 iz .. IN IN \
    NN .. .. .. .. NN NN \
    00 .. z0 zz .. 00 00 \
    00 .. 0z 00 .. 00 00 \
    NN .. .. .. .. NN NN \
    IN .. Iz I0 .. IN IN \
    NN NN N0 N0 NN NN NN");

fn kind(d: f64) -> usize {
    if d.is_nan() {
        6
    } else if d.is_infinite() {
        if d > 0.0 { 5 } else { 0 }
    } else if d == 0.0 {
        if d.is_sign_negative() { 2 } else { 3 }
    } else if d < 0.0 {
        1
    } else {
        4
    }
}
fn special(t: &Table, v: Z) -> Z {
    t[kind(v.re)][kind(v.im)]
}

// ---- functions -------------------------------------------------------------------------------------------------------

fn c_sqrt(v: Z) -> Z {
    if !v.is_finite() {
        return special(&SQRT, v);
    }
    if v.re == 0.0 && v.im == 0.0 {
        return z(0.0, v.im);
    }
    let (ax, ay) = (v.re.abs(), v.im.abs());
    // sqrt((x + |z|) / 2), scaled so that the hypotenuse neither overflows nor is subnormal.
    let s = if ax < f64::MIN_POSITIVE && ay < f64::MIN_POSITIVE {
        let ax = libm::ldexp(ax, 53);
        libm::ldexp((ax + libm::hypot(ax, libm::ldexp(ay, 53))).sqrt(), -27)
    } else {
        let ax = ax / 8.0;
        2.0 * (ax + libm::hypot(ax, ay / 8.0)).sqrt()
    };
    let d = ay / (2.0 * s);
    if v.re >= 0.0 { z(s, d.copysign(v.im)) } else { z(d, s.copysign(v.im)) }
}

/// log |z| for large z.
fn log_abs(v: Z) -> f64 {
    libm::log(libm::hypot(v.re / 2.0, v.im / 2.0)) + LN_2 * 2.0
}
fn is_large(v: Z) -> bool {
    v.re.abs() > LARGE || v.im.abs() > LARGE
}

fn c_acos(v: Z) -> R {
    if !v.is_finite() {
        return Ok(special(&ACOS, v));
    }
    Ok(if is_large(v) {
        // The signs keep the branch cut continuous from the side of the zero's sign.
        let im = if v.re < 0.0 { -log_abs(v).copysign(v.im) } else { log_abs(v).copysign(-v.im) };
        z(libm::atan2(v.im.abs(), v.re), im)
    } else {
        let (a, b) = (c_sqrt(z(1.0 - v.re, -v.im)), c_sqrt(z(1.0 + v.re, v.im)));
        z(2.0 * libm::atan2(a.re, b.re), libm::asinh(b.re * a.im - b.im * a.re))
    })
}
fn c_acosh(v: Z) -> R {
    if !v.is_finite() {
        return Ok(special(&ACOSH, v));
    }
    Ok(if is_large(v) {
        z(log_abs(v), libm::atan2(v.im, v.re))
    } else {
        let (a, b) = (c_sqrt(z(v.re - 1.0, v.im)), c_sqrt(z(v.re + 1.0, v.im)));
        z(libm::asinh(a.re * b.re + a.im * b.im), 2.0 * libm::atan2(a.im, b.re))
    })
}
fn c_asinh(v: Z) -> R {
    if !v.is_finite() {
        return Ok(special(&ASINH, v));
    }
    Ok(if is_large(v) {
        let re = if v.im >= 0.0 { log_abs(v).copysign(v.re) } else { -log_abs(v).copysign(-v.re) };
        z(re, libm::atan2(v.im, v.re.abs()))
    } else {
        let (a, b) = (c_sqrt(z(1.0 + v.im, -v.re)), c_sqrt(z(1.0 - v.im, v.re)));
        z(libm::asinh(a.re * b.im - b.re * a.im), libm::atan2(v.im, a.re * b.re - a.im * b.im))
    })
}
fn log1p(x: f64) -> f64 {
    if x == 0.0 { x } else { libm::log1p(x) }
}
fn c_atanh(v: Z) -> R {
    if !v.is_finite() {
        return Ok(special(&ATANH, v));
    }
    if v.re < 0.0 {
        return c_atanh(v.neg()).map(Z::neg);
    }
    let ay = v.im.abs();
    if v.re > SQRT_LARGE || ay > SQRT_LARGE {
        // About 1/z, and a quarter turn.
        let h = libm::hypot(v.re / 2.0, v.im / 2.0);
        return Ok(z(v.re / 4.0 / h / h, -(PI / 2.0).copysign(-v.im)));
    }
    if v.re == 1.0 && ay < SQRT_MIN {
        if ay == 0.0 {
            return Err(Fault::Domain);
        }
        return Ok(z(-libm::log(ay.sqrt() / libm::hypot(ay, 2.0).sqrt()), (libm::atan2(2.0, -ay) / 2.0).copysign(v.im)));
    }
    let m = 1.0 - v.re;
    Ok(z(log1p(4.0 * v.re / (m * m + ay * ay)) / 4.0, -libm::atan2(-2.0 * v.im, m * (1.0 + v.re) - ay * ay) / 2.0))
}
fn c_asin(v: Z) -> R {
    c_asinh(v.turned()).map(Z::turned_back)
}
fn c_atan(v: Z) -> R {
    c_atanh(v.turned()).map(Z::turned_back)
}

/// Whether the real part is infinite and the imaginary one gives the signs of the result.
fn has_direction(v: Z) -> bool {
    v.re.is_infinite() && v.im.is_finite() && v.im != 0.0
}
fn infinite(re_sign: f64, im_sign: f64) -> Z {
    z(f64::INFINITY.copysign(re_sign), f64::INFINITY.copysign(im_sign))
}

fn c_cosh(v: Z) -> R {
    let (c, s) = (libm::cos(v.im), libm::sin(v.im));
    if !v.is_finite() {
        if v.im.is_infinite() && !v.re.is_nan() {
            return Err(Fault::Domain);
        }
        return Ok(if has_direction(v) { infinite(c, if v.re > 0.0 { s } else { -s }) } else { special(&COSH, v) });
    }
    if v.re.abs() > LOG_LARGE {
        let x = v.re - 1f64.copysign(v.re);
        return z(c * libm::cosh(x) * E, s * libm::sinh(x) * E).bounded();
    }
    z(c * libm::cosh(v.re), s * libm::sinh(v.re)).bounded()
}
fn c_sinh(v: Z) -> R {
    let (c, s) = (libm::cos(v.im), libm::sin(v.im));
    if !v.is_finite() {
        if v.im.is_infinite() && !v.re.is_nan() {
            return Err(Fault::Domain);
        }
        return Ok(if has_direction(v) { infinite(if v.re > 0.0 { c } else { -c }, s) } else { special(&SINH, v) });
    }
    if v.re.abs() > LOG_LARGE {
        let x = v.re - 1f64.copysign(v.re);
        return z(c * libm::sinh(x) * E, s * libm::cosh(x) * E).bounded();
    }
    z(c * libm::sinh(v.re), s * libm::cosh(v.re)).bounded()
}
fn c_tanh(v: Z) -> R {
    let (c, s) = (libm::cos(v.im), libm::sin(v.im));
    if !v.is_finite() {
        if v.im.is_infinite() && v.re.is_finite() {
            return Err(Fault::Domain);
        }
        return Ok(if has_direction(v) { z(1f64.copysign(v.re), 0f64.copysign(2.0 * s * c)) } else { special(&TANH, v) });
    }
    if v.re.abs() > LOG_LARGE {
        return Ok(z(1f64.copysign(v.re), 4.0 * s * c * libm::exp(-2.0 * v.re.abs())));
    }
    let (tx, ty, cx) = (libm::tanh(v.re), libm::tan(v.im), 1.0 / libm::cosh(v.re));
    let t = tx * ty;
    let denom = 1.0 + t * t;
    Ok(z(tx * (1.0 + ty * ty) / denom, ((ty / denom) * cx) * cx))
}
fn c_cos(v: Z) -> R {
    c_cosh(v.turned())
}
fn c_sin(v: Z) -> R {
    c_sinh(v.turned()).map(Z::turned_back)
}
fn c_tan(v: Z) -> R {
    c_tanh(v.turned()).map(Z::turned_back)
}
fn c_exp(v: Z) -> R {
    let (c, s) = (libm::cos(v.im), libm::sin(v.im));
    if !v.is_finite() {
        if v.im.is_infinite() && (v.re.is_finite() || v.re == f64::INFINITY) {
            return Err(Fault::Domain);
        }
        return Ok(if !has_direction(v) {
            special(&EXP, v)
        } else if v.re > 0.0 {
            infinite(c, s)
        } else {
            z(0f64.copysign(c), 0f64.copysign(s))
        });
    }
    if v.re > LOG_LARGE {
        let l = libm::exp(v.re - 1.0);
        return z(l * c * E, l * s * E).bounded();
    }
    let l = libm::exp(v.re);
    z(l * c, l * s).bounded()
}

/// The logarithm, and whether it is that of zero.
fn log_value(v: Z) -> (Z, bool) {
    if !v.is_finite() {
        return (special(&LOG, v), false);
    }
    let (ax, ay) = (v.re.abs(), v.im.abs());
    let angle = libm::atan2(v.im, v.re);
    let re = if ax > LARGE || ay > LARGE {
        libm::log(libm::hypot(ax / 2.0, ay / 2.0)) + LN_2
    } else if ax < f64::MIN_POSITIVE && ay < f64::MIN_POSITIVE {
        if ax == 0.0 && ay == 0.0 {
            return (z(f64::NEG_INFINITY, angle), true);
        }
        libm::log(libm::hypot(libm::ldexp(ax, 53), libm::ldexp(ay, 53))) - 53.0 * LN_2
    } else {
        let h = libm::hypot(ax, ay);
        if (0.71..=1.73).contains(&h) {
            // Near the unit circle the logarithm is small: |z|**2 - 1 without cancellation.
            let (most, least) = if ax > ay { (ax, ay) } else { (ay, ax) };
            log1p((most - 1.0) * (most + 1.0) + least * least) / 2.0
        } else {
            libm::log(h)
        }
    };
    (z(re, angle), false)
}
fn c_log10(v: Z) -> R {
    match log_value(v) {
        (_, true) => Err(Fault::Domain),
        (l, false) => Ok(z(l.re / LN_10, l.im / LN_10)),
    }
}

fn answer(r: R) -> PyResult<Owned> {
    match r {
        Ok(v) => v.object(),
        Err(Fault::Domain) => Err(domain_error()),
        Err(Fault::Range) => Err(range_error()),
    }
}

macro_rules! functions {
    ($($name:ident = $f:ident;)*) => { $(
        fn $name(_: (), v: Z) -> PyResult<Owned> {
            answer($f(v))
        }
    )* };
}
functions! {
    acos = c_acos; acosh = c_acosh; asin = c_asin; asinh = c_asinh; atan = c_atan; atanh = c_atanh; cos = c_cos;
    cosh = c_cosh; exp = c_exp; log10 = c_log10; sin = c_sin; sinh = c_sinh; tan = c_tan; tanh = c_tanh;
}
fn sqrt(_: (), v: Z) -> PyResult<Owned> {
    c_sqrt(v).object()
}

fn log(_: (), v: Z, base: Option<Z>) -> PyResult<Owned> {
    let (num, zero) = log_value(v);
    let Some(base) = base else {
        return answer(if zero { Err(Fault::Domain) } else { Ok(num) });
    };
    // Only the base's logarithm is looked at here.
    let (den, zero) = log_value(base);
    if zero || (den.re == 0.0 && den.im == 0.0) {
        return Err(domain_error());
    }
    let q = _Py_c_quot(num.raw(), den.raw());
    z(q.real, q.imag).object()
}

fn phase(_: (), v: Z) -> PyResult<f64> {
    Ok(libm::atan2(v.im, v.re))
}
fn polar(_: (), v: Z) -> PyResult<Owned> {
    let r = v.abs();
    if r.is_infinite() && v.is_finite() {
        return Err(range_error());
    }
    tuple([float(r)?, float(libm::atan2(v.im, v.re))?])
}
fn rect(_: (), r: f64, phi: f64) -> PyResult<Owned> {
    let (c, s) = (libm::cos(phi), libm::sin(phi));
    answer(if !r.is_finite() || !phi.is_finite() {
        if phi.is_infinite() && r != 0.0 && !r.is_nan() {
            Err(Fault::Domain)
        } else if has_direction(z(r, phi)) {
            Ok(if r > 0.0 { infinite(c, s) } else { infinite(-c, -s) })
        } else {
            Ok(special(&RECT, z(r, phi)))
        }
    } else if phi == 0.0 {
        Ok(z(r, r * phi))
    } else {
        Ok(z(r * c, r * s))
    })
}
fn isfinite(_: (), v: Z) -> PyResult<bool> {
    Ok(v.is_finite())
}
fn isnan(_: (), v: Z) -> PyResult<bool> {
    Ok(v.re.is_nan() || v.im.is_nan())
}
fn isinf(_: (), v: Z) -> PyResult<bool> {
    Ok(v.re.is_infinite() || v.im.is_infinite())
}
fn isclose(_: (), a: Z, b: Z, rel_tol: f64, abs_tol: f64) -> PyResult<bool> {
    if rel_tol < 0.0 || abs_tol < 0.0 {
        bail!(PyExc_ValueError, "tolerances must be non-negative");
    }
    if a.re == b.re && a.im == b.im {
        return Ok(true);
    }
    if a.re.is_infinite() || a.im.is_infinite() || b.re.is_infinite() || b.im.is_infinite() {
        return Ok(false);
    }
    let diff = z(a.re - b.re, a.im - b.im).abs();
    Ok(diff <= rel_tol * b.abs() || diff <= rel_tol * a.abs() || diff <= abs_tol)
}

methods! {
    static METHODS = [
        "acos($module, z, /)" => acos, "Arc cosine.";
        "acosh($module, z, /)" => acosh, "Inverse hyperbolic cosine.";
        "asin($module, z, /)" => asin, "Arc sine.";
        "asinh($module, z, /)" => asinh, "Inverse hyperbolic sine.";
        "atan($module, z, /)" => atan, "Arc tangent.";
        "atanh($module, z, /)" => atanh, "Inverse hyperbolic tangent.";
        "cos($module, z, /)" => cos, "Cosine.";
        "cosh($module, z, /)" => cosh, "Hyperbolic cosine.";
        "exp($module, z, /)" => exp, "e to the power of z.";
        "isclose($module, /, a, b, *, rel_tol=1e-09, abs_tol=0.0)" => isclose, "Whether two numbers differ by no more than a relative or absolute tolerance.";
        "isfinite($module, z, /)" => isfinite, "Whether both parts are finite.";
        "isinf($module, z, /)" => isinf, "Whether a part is infinite.";
        "isnan($module, z, /)" => isnan, "Whether a part is NaN.";
        "log($module, z, base=<unrepresentable>, /)" => log, "Logarithm to a base, which is e if left out.";
        "log10($module, z, /)" => log10, "Logarithm to base 10.";
        "phase($module, z, /)" => phase, "Angle, in radians.";
        "polar($module, z, /)" => polar, "Distance from zero and angle.";
        "rect($module, r, phi, /)" => rect, "The number with that distance from zero and that angle.";
        "sin($module, z, /)" => sin, "Sine.";
        "sinh($module, z, /)" => sinh, "Hyperbolic sine.";
        "sqrt($module, z, /)" => sqrt, "Square root.";
        "tan($module, z, /)" => tan, "Tangent.";
        "tanh($module, z, /)" => tanh, "Hyperbolic tangent.";
    ];
}

module! {
    /// Entry point.
    pub fn PyInit_cmath = "cmath", "Mathematical functions of complex numbers.", methods: METHODS, exec: exec;
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    use core::f64::consts::TAU;
    for (name, value) in [(c"pi", PI), (c"e", E), (c"tau", TAU), (c"inf", f64::INFINITY), (c"nan", f64::NAN)] {
        add_object(module, name, float(value))?;
    }
    add_object(module, c"infj", z(0.0, f64::INFINITY).object())?;
    add_object(module, c"nanj", z(0.0, f64::NAN).object())
}
