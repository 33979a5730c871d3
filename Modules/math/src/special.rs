//! Functions that the C library has not, or not well enough: Gamma, and sums and norms with extended precision.

use crate::libm;

// ---- Gamma -----------------------------------------------------------------------------------------------------------

/// Why a function has no finite value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// A pole, or no value at all.
    Domain,
    /// Too large for a float.
    Range,
}

/// Lanczos' parameter g, and the coefficients for 13 terms as a rational function (as in Boost and CPython).
const G: f64 = 6.024680040776729583740234375;
const G_MINUS_HALF: f64 = 5.524680040776729583740234375;
const LOG_PI: f64 = 1.144729885849400174143427351353058711647;
#[allow(clippy::excessive_precision, reason = "published with these digits")]
const NUMERATOR: [f64; 13] = [
    23531376880.410759688572007674451636754734846804940,
    42919803642.649098768957899047001988850926355848959,
    35711959237.355668049440185451547166705960488635843,
    17921034426.037209699919755754458931112671403265390,
    6039542586.3520280050642916443072979210699388420708,
    1439720407.3117216736632230727949123939715485786772,
    248874557.86205415651146038641322942321632125127801,
    31426415.585400194380614231628318205362874684987640,
    2876370.6289353724412254090516208496135991145378768,
    186056.26539522349504029498971604569928220784236328,
    8071.6720023658162106380029022722506138218516325024,
    210.82427775157934587250973392071336271166969580291,
    2.5066282746310002701649081771338373386264310793408,
];
/// x (x+1) ... (x+11), multiplied out.
const DENOMINATOR: [f64; 13] = [
    0.0, 39916800.0, 120543840.0, 150917976.0, 105258076.0, 45995730.0, 13339535.0, 2637558.0, 357423.0, 32670.0, 1925.0,
    66.0, 1.0,
];

/// Lanczos' sum at a positive number. From 5 on it is evaluated in powers of 1/x, which can't overflow.
fn lanczos_sum(x: f64) -> f64 {
    let pairs = NUMERATOR.iter().zip(&DENOMINATOR);
    let (num, den) = if x < 5.0 {
        pairs.rev().fold((0.0, 0.0), |(n, d), (a, b)| (n * x + a, d * x + b))
    } else {
        pairs.fold((0.0, 0.0), |(n, d), (a, b)| (n / x + a, d / x + b))
    };
    num / den
}

/// sin(pi x) of a finite number, exact in its zeros.
fn sinpi(x: f64) -> f64 {
    use core::f64::consts::PI;
    let y = libm::fmod(x.abs(), 2.0);
    // Fold to the quarter of the circle where the argument of sine or cosine is small.
    let r = match (2.0 * y).round() as i32 {
        0 => libm::sin(PI * y),
        1 => libm::cos(PI * (y - 0.5)),
        2 => libm::sin(PI * (1.0 - y)),
        3 => -libm::cos(PI * (y - 1.5)),
        _ => libm::sin(PI * (y - 2.0)),
    };
    1f64.copysign(x) * r
}

/// Gamma.
pub fn gamma(x: f64) -> Result<f64, Fault> {
    if x.is_nan() || x == f64::INFINITY {
        return Ok(x);
    }
    if x == f64::NEG_INFINITY || x == 0.0 {
        return Err(Fault::Domain);
    }
    if x == x.floor() {
        if x < 0.0 {
            return Err(Fault::Domain);
        }
        if x <= 23.0 {
            // Exact up to 22!, which has 53 significant bits.
            return Ok((1..x as u32).fold(1.0, |p, k| p * k as f64));
        }
    }
    let a = x.abs();
    if a < 1e-20 {
        return finite(1.0 / x);
    }
    if a > 200.0 {
        return if x < 0.0 { Ok(0.0 / sinpi(x)) } else { Err(Fault::Range) };
    }
    let y = a + G_MINUS_HALF;
    // What rounding took from y: powers and exponentials of it magnify that, so it is put back to first order.
    let error = if a > G_MINUS_HALF { (y - a) - G_MINUS_HALF } else { (y - G_MINUS_HALF) - a };
    let z = error * G / y;
    let power = |r: f64, divide: bool| {
        let apply = |r: f64, p: f64| if divide { r / p } else { r * p };
        if a < 140.0 {
            apply(r, libm::pow(y, a - 0.5))
        } else {
            // The power alone could overflow.
            let root = libm::pow(y, a / 2.0 - 0.25);
            apply(apply(r, root), root)
        }
    };
    let r = if x < 0.0 {
        let r = -core::f64::consts::PI / sinpi(a) / a * libm::exp(y) / lanczos_sum(a);
        power(r - z * r, true)
    } else {
        let r = lanczos_sum(a) / libm::exp(y);
        power(r + z * r, false)
    };
    finite(r)
}

fn finite(r: f64) -> Result<f64, Fault> {
    if r.is_infinite() { Err(Fault::Range) } else { Ok(r) }
}

/// Natural logarithm of Gamma's absolute value.
pub fn lgamma(x: f64) -> Result<f64, Fault> {
    if x.is_nan() {
        return Ok(x);
    }
    if x.is_infinite() {
        return Ok(f64::INFINITY);
    }
    if x == x.floor() && x <= 2.0 {
        return if x <= 0.0 { Err(Fault::Domain) } else { Ok(0.0) };
    }
    let a = x.abs();
    if a < 1e-20 {
        return Ok(-libm::log(a));
    }
    let mut r = libm::log(lanczos_sum(a)) - G;
    r += (a - 0.5) * (libm::log(a + G - 0.5) - 1.0);
    if x < 0.0 {
        r = LOG_PI - libm::log(sinpi(a).abs()) - libm::log(a) - r;
    }
    finite(r)
}

// ---- sums ------------------------------------------------------------------------------------------------------------

/// `a + b` rounded, and the rest; `|a| >= |b|`.
#[inline(always)]
fn fast_two_sum(a: f64, b: f64) -> (f64, f64) {
    let x = a + b;
    (x, (a - x) + b)
}
/// `a + b` rounded, and the rest.
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let x = a + b;
    let z = x - a;
    (x, (a - (x - z)) + (b - z))
}
/// `a * b` rounded, and the rest.
#[inline(always)]
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let z = a * b;
    (z, libm::fma(a, b, -z))
}

/// A sum of products in three parts, each well below the one before (Ogita, Rump and Oishi).
#[derive(Clone, Copy, Default)]
pub struct TripleLength {
    hi: f64,
    lo: f64,
    tiny: f64,
}
impl TripleLength {
    /// `self + x * y`.
    #[inline]
    pub fn fma(self, x: f64, y: f64) -> Self {
        let (p, p_rest) = two_product(x, y);
        let (hi, hi_rest) = two_sum(self.hi, p);
        let (lo, lo_rest) = two_sum(self.lo, p_rest);
        let (lo, rest) = two_sum(lo, hi_rest);
        TripleLength { hi, lo, tiny: self.tiny + lo_rest + rest }
    }
    /// Whether the sum is finite.
    pub fn is_finite(self) -> bool {
        self.hi.is_finite()
    }
    /// The sum, rounded.
    pub fn value(self) -> f64 {
        let (most, rest) = two_sum(self.lo, self.hi);
        self.tiny + rest + most
    }
}

/// Exact sums by partial sums that do not overlap (Shewchuk).
#[derive(Default)]
pub struct Partials(Vec<f64>);
impl Partials {
    /// Adds a finite number; false if that overflows, and then all is forgotten.
    pub fn add(&mut self, x: f64) -> bool {
        let mut x = x;
        let mut kept = 0;
        for j in 0..self.0.len() {
            let mut y = self.0[j];
            if x.abs() < y.abs() {
                core::mem::swap(&mut x, &mut y);
            }
            let hi = x + y;
            let lo = y - (hi - x);
            if lo != 0.0 {
                self.0[kept] = lo;
                kept += 1;
            }
            x = hi;
        }
        self.0.truncate(kept);
        if !x.is_finite() {
            self.0.clear();
            return false;
        }
        if x != 0.0 {
            self.0.push(x);
        }
        true
    }
    /// The sum, rounded once, half to even.
    pub fn round(mut self) -> f64 {
        let Some(mut hi) = self.0.pop() else { return 0.0 };
        let mut lo = 0.0;
        while let Some(y) = self.0.pop() {
            let x = hi;
            hi = x + y;
            lo = y - (hi - x);
            if lo != 0.0 {
                break;
            }
        }
        // A tie was rounded as if there were nothing below it; look at the sign of what is.
        if let Some(&below) = self.0.last()
            && ((lo < 0.0 && below < 0.0) || (lo > 0.0 && below > 0.0))
        {
            let y = lo * 2.0;
            let x = hi + y;
            if y == x - hi {
                hi = x;
            }
        }
        hi
    }
}

/// Euclidean norm of a vector of absolute values whose greatest is `max`.
pub fn norm(vec: &mut [f64], max: f64, found_nan: bool) -> f64 {
    if max.is_infinite() {
        return max;
    }
    if found_nan {
        return f64::NAN;
    }
    if max == 0.0 || vec.len() <= 1 {
        return max;
    }
    let (_, e) = libm::frexp(max);
    if e < -1023 {
        // The scale itself would overflow: make subnormals normal first.
        for x in vec.iter_mut() {
            *x /= f64::MIN_POSITIVE;
        }
        return f64::MIN_POSITIVE * norm(vec, max / f64::MIN_POSITIVE, found_nan);
    }
    // Scaled by a power of two, all are below one; the sum starts at one so that it is always the larger term.
    let scale = libm::ldexp(1.0, -e);
    let (mut sum, mut rest1, mut rest2) = (1.0, 0.0, 0.0);
    let mut add = |(p, p_rest): (f64, f64)| {
        let (s, s_rest) = fast_two_sum(sum, p);
        sum = s;
        rest1 += p_rest;
        rest2 += s_rest;
        sum - 1.0 + (rest1 + rest2)
    };
    let mut total = 0.0;
    for &x in vec.iter() {
        let x = x * scale;
        total = add(two_product(x, x));
    }
    // One step of Newton's on the root, whose square is subtracted exactly.
    let h = total.sqrt();
    let d = add(two_product(-h, h));
    (h + d / (2.0 * h)) / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factorials() {
        assert_eq!(gamma(23.0), Ok(1124000727777607680000.0));
        assert_eq!(gamma(-1.0), Err(Fault::Domain));
        assert_eq!(gamma(172.0), Err(Fault::Range));
        assert!((gamma(0.5).unwrap() - core::f64::consts::PI.sqrt()).abs() < 1e-15);
    }
    #[test]
    fn exact_sums() {
        let mut p = Partials::default();
        for x in [1e100, 1.0, -1e100, 1e-100, 1e50, -1.0, -1e50] {
            assert!(p.add(x));
        }
        assert_eq!(p.round(), 1e-100);
    }
    #[test]
    fn norms() {
        assert_eq!(norm(&mut [3.0, 4.0], 4.0, false), 5.0);
        assert_eq!(norm(&mut [5e-324, 0.0], 5e-324, false), 5e-324);
    }
}
