//! Number theory on ints of any size: gcd, lcm, isqrt, factorial, comb, perm.

use crate::support::take;
use core::ffi::c_int;
use taipan_abi::*;
use taipan_clinic::Args;
use taipan_objects::longobject::nat::{self, Nat};
use taipan_objects::longobject::{digits, is_negative, is_zero, long_from_digits, long_from_i64, long_from_u64, long_gcd, to_i64, to_u64};

type Int = Owned<PyLongObject>;

/// The int that stands for `op`, by `__index__`.
fn index(op: *mut PyObject) -> PyResult<Int> {
    // SAFETY: [TYPE] PyNumber_Index returns an int.
    unsafe { Ok(take(PyNumber_Index(op))?.cast()) }
}

unsafe fn absolute(op: Int) -> PyResult<Int> {
    // SAFETY: [TYPE] the absolute value of an int is one.
    unsafe { Ok(take(PyNumber_Absolute(op.as_ptr().cast()))?.cast()) }
}

/// An int from limbs.
fn from_nat(n: &[u64]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        match n {
            [] => take(long_from_i64(0)),
            [x] => take(long_from_u64(*x)),
            _ => take(long_from_digits(false, &nat::to_digits(n))),
        }
    }
}

/// The limbs of an int's magnitude.
unsafe fn to_nat(op: &Int) -> Nat {
    // SAFETY: [TYPE]
    unsafe { nat::from_digits(digits(op.as_ptr())) }
}

fn fold(args: Args<'_>, start: i64, f: impl Fn(Int, Int) -> PyResult<Int>) -> PyResult<Owned> {
    let mut args = args.0.iter();
    // SAFETY: [GIL]
    unsafe {
        let Some(&first) = args.next() else { return take(long_from_i64(start)) };
        let mut result = absolute(index(first)?)?;
        for &arg in args {
            result = f(result, index(arg)?)?;
        }
        Ok(result.into_object())
    }
}

/// Greatest common divisor.
pub fn gcd(_: (), integers: Args<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] ints, checked or made by __index__.
    unsafe {
        if let &[a, b] = integers.0
            && PyLong_CheckExact(a) != 0
            && PyLong_CheckExact(b) != 0
        {
            return take(long_gcd(a.cast(), b.cast()));
        }
        fold(integers, 0, |a, b| Ok(take(long_gcd(a.as_ptr(), b.as_ptr()))?.cast()))
    }
}

/// Least common multiple.
pub fn lcm(_: (), integers: Args<'_>) -> PyResult<Owned> {
    fold(integers, 1, |a, b| {
        // SAFETY: [TYPE] ints; gcd of two that are not zero is not zero.
        unsafe {
            if is_zero(a.as_ptr()) || is_zero(b.as_ptr()) {
                return Ok(take(long_from_i64(0))?.cast());
            }
            let g = take(long_gcd(a.as_ptr(), b.as_ptr()))?;
            let part = take(PyNumber_FloorDivide(a.as_ptr().cast(), g.as_ptr()))?;
            absolute(take(PyNumber_Multiply(part.as_ptr(), b.as_ptr().cast()))?.cast())
        }
    })
}

/// Floor of the square root of a word.
fn isqrt_u64(n: u64) -> u64 {
    let mut r = (n as f64).sqrt() as u64;
    // The conversion to float rounds: off by one at most.
    r = r.min(u32::MAX as u64);
    while r * r > n {
        r -= 1;
    }
    while r < u32::MAX as u64 && (r + 1) * (r + 1) <= n {
        r += 1;
    }
    r
}

/// Floor of the square root: Newton's iteration whose precision doubles with each step, so that it costs little more
/// than its last division.
fn isqrt_nat(n: &[u64]) -> Nat {
    if n.len() <= 1 {
        let r = isqrt_u64(n.first().copied().unwrap_or(0));
        return if r == 0 { Nat::new() } else { vec![r] };
    }
    let c = (nat::bit_length(n) - 1) / 2;
    let mut a: Nat = vec![1];
    let mut d = 0;
    for s in (0..usize::BITS - c.leading_zeros()).rev() {
        let e = d;
        d = c >> s;
        let (q, _) = nat::divrem(&nat::shr(n, 2 * c - e - d + 1), &a);
        a = nat::add(&nat::shl(&a, d - e - 1), &q);
    }
    // The iteration gives the root or one more.
    if nat::cmp(&nat::mul(&a, &a), n).is_gt() {
        nat::sub_assign(&mut a, &[1]);
        nat::trim(&mut a);
    }
    a
}

/// Integer part of the square root.
pub fn isqrt(_: (), n: Borrowed<'_>) -> PyResult<Owned> {
    let n = index(n.ob())?;
    // SAFETY: [TYPE]
    unsafe {
        if is_negative(n.as_ptr()) {
            bail!(PyExc_ValueError, "isqrt() argument must be nonnegative");
        }
        from_nat(&isqrt_nat(&to_nat(&n)))
    }
}

/// The product of numbers, halves first so that factors grow evenly.
fn product(factors: &[u64]) -> Nat {
    match factors.len() {
        0 => vec![1],
        1..=16 => {
            let mut p: Nat = vec![1];
            for &f in factors {
                nat::mul_small(&mut p, f, 0);
            }
            nat::trim(&mut p);
            p
        }
        n => nat::mul(&product(&factors[..n / 2]), &product(&factors[n / 2..])),
    }
}

/// Packs factors into as few words as they fit.
fn pack(factors: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut words = Vec::new();
    let mut w = 1u64;
    for f in factors {
        match w.checked_mul(f) {
            Some(p) => w = p,
            None => {
                words.push(w);
                w = f;
            }
        }
    }
    words.push(w);
    words
}

/// The odd part of n!, by the products of the odd numbers up to n, n/2, n/4 and so on.
fn factorial_odd_part(n: u64) -> Nat {
    let (mut outer, mut inner): (Nat, Nat) = (vec![1], vec![1]);
    let mut upper = 3;
    for i in (0..64 - n.leading_zeros()).rev() {
        let v = n >> i;
        if v <= 2 {
            continue;
        }
        let lower = upper;
        upper = (v + 1) | 1;
        inner = nat::mul(&inner, &product(&pack((lower..upper).step_by(2))));
        outer = nat::mul(&outer, &inner);
    }
    outer
}

/// n!.
pub fn factorial(_: (), n: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let mut overflow: c_int = 0;
        let x = PyLong_AsLongAndOverflow(n.ob(), &mut overflow);
        if x == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if overflow > 0 {
            bail!(PyExc_OverflowError, "factorial() argument should not exceed {}", i64::MAX);
        }
        if overflow < 0 || x < 0 {
            bail!(PyExc_ValueError, "factorial() not defined for negative values");
        }
        if x <= 20 {
            return take(long_from_u64((1..=x as u64).product()));
        }
        let x = x as u64;
        from_nat(&nat::shl(&factorial_odd_part(x), (x - x.count_ones() as u64) as usize))
    }
}

/// n (n-1) ... (n-k+1) for any n.
fn falling(n: &[u64], k: u64) -> Nat {
    if let &[n] = n {
        return product(&pack(n - k + 1..=n));
    }
    if k == 0 {
        return vec![1];
    }
    if k == 1 {
        return n.to_vec();
    }
    let half = k / 2;
    let mut rest = n.to_vec();
    nat::sub_assign(&mut rest, &[half]);
    nat::trim(&mut rest);
    nat::mul(&falling(n, half), &falling(&rest, k - half))
}

/// n choose k, if every intermediate product fits.
fn choose_small(n: u64, k: u64) -> Option<u128> {
    let mut r: u128 = 1;
    for i in 0..k {
        r = r.checked_mul((n - i) as u128)? / (i as u128 + 1);
    }
    Some(r)
}

/// n choose k, halving k: C(n, k) = C(n, j) C(n-j, k-j) / C(k, j).
fn choose(n: &[u64], k: u64) -> Nat {
    if k == 0 {
        return vec![1];
    }
    if let &[n] = n
        && let Some(r) = choose_small(n, k)
    {
        let mut words = vec![r as u64, (r >> 64) as u64];
        nat::trim(&mut words);
        return words;
    }
    if k == 1 {
        return n.to_vec();
    }
    let j = k / 2;
    let mut rest = n.to_vec();
    nat::sub_assign(&mut rest, &[j]);
    nat::trim(&mut rest);
    let p = nat::mul(&choose(n, j), &choose(&rest, k - j));
    nat::divrem(&p, &choose(&[k], j)).0
}

unsafe fn check_signs(n: &Int, k: &Int) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if is_negative(n.as_ptr()) {
            bail!(PyExc_ValueError, "n must be a non-negative integer");
        }
        if is_negative(k.as_ptr()) {
            bail!(PyExc_ValueError, "k must be a non-negative integer");
        }
        Ok(())
    }
}

/// Ways to choose k of n in order.
pub fn perm(_: (), n: Borrowed<'_>, k: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let Some(k) = k else { return factorial((), n) };
    let (n, k) = (index(n.ob())?, index(k.ob())?);
    // SAFETY: [TYPE]
    unsafe {
        check_signs(&n, &k)?;
        let n = to_nat(&n);
        if nat::cmp(&n, &to_nat(&k)).is_lt() {
            return take(long_from_i64(0));
        }
        let Some(k) = to_i64(k.as_ptr()) else { bail!(PyExc_OverflowError, "k must not exceed {}", i64::MAX) };
        if k == 0 {
            return take(long_from_i64(1));
        }
        from_nat(&falling(&n, k as u64))
    }
}

/// Ways to choose k of n without order.
pub fn comb(_: (), n: Borrowed<'_>, k: Borrowed<'_>) -> PyResult<Owned> {
    let (n, k) = (index(n.ob())?, index(k.ob())?);
    // SAFETY: [TYPE]
    unsafe {
        check_signs(&n, &k)?;
        if let (Some(n), Some(k)) = (to_u64(n.as_ptr()), to_u64(k.as_ptr())) {
            if k > n {
                return take(long_from_i64(0));
            }
            let k = k.min(n - k);
            return from_nat(&choose(&[n], k));
        }
        let (n, k_nat) = (to_nat(&n), to_nat(&k));
        if nat::cmp(&n, &k_nat).is_lt() {
            return take(long_from_i64(0));
        }
        let mut rest = n.clone();
        nat::sub_assign(&mut rest, &k_nat);
        nat::trim(&mut rest);
        let k = if nat::cmp(&rest, &k_nat).is_lt() { rest } else { k_nat };
        match k[..] {
            [] => take(long_from_i64(1)),
            [k] if k <= i64::MAX as u64 => from_nat(&choose(&n, k)),
            _ => bail!(PyExc_OverflowError, "min(n - k, k) must not exceed {}", i64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots() {
        for n in [0u64, 1, 2, 3, 4, 15, 16, 17, u64::MAX, u64::MAX - 1, (1 << 53) + 1, (u32::MAX as u64).pow(2)] {
            let r = isqrt_u64(n) as u128;
            assert!(r * r <= n as u128 && (r + 1) * (r + 1) > n as u128, "{n}");
        }
        let n: Nat = vec![5, 7, 9, 11];
        let r = isqrt_nat(&n);
        assert!(nat::cmp(&nat::mul(&r, &r), &n).is_le());
    }
    #[test]
    fn factorials() {
        let by_hand = product(&(1..=25).collect::<Vec<_>>());
        assert_eq!(nat::shl(&factorial_odd_part(25), 25 - 25u64.count_ones() as usize), by_hand);
    }
    #[test]
    fn binomials() {
        assert_eq!(choose(&[52], 5), vec![2598960]);
        assert_eq!(choose(&[400], 200), nat::divrem(&falling(&[400], 200), &falling(&[200], 200)).0);
    }
}
