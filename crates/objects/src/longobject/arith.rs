//! Arithmetic on int objects. All functions return new references, NULL with an exception set.

use super::nat;
use super::*;
use core::cmp::Ordering;

type L = *mut PyLongObject;
type Ob = *mut PyObject;

/// Products of numbers of this many digits and more are computed in `nat`.
const MUL_CUTOFF: usize = 16;

fn cmp_digits(a: &[u32], b: &[u32]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

/// Order of two ints.
///
/// # Safety
/// Both are ints.
#[inline]
pub unsafe fn long_compare(a: L, b: L) -> Ordering {
    // SAFETY: [TYPE]
    unsafe {
        if both_compact(a, b) {
            return compact_value(a).cmp(&compact_value(b));
        }
        match (is_negative(a), is_negative(b)) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => cmp_digits(digits(a), digits(b)),
            (true, true) => cmp_digits(digits(b), digits(a)),
        }
    }
}

/// Sum of magnitudes, with a sign.
fn x_add(a: &[u32], b: &[u32], negative: bool) -> Ob {
    let (a, b) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    // SAFETY: [GIL]
    unsafe {
        let z = long_alloc(negative, a.len() + 1);
        if z.is_null() {
            return null_mut();
        }
        let out = digits_mut(z);
        let mut carry = 0;
        let (lo, hi) = a.split_at(b.len());
        for ((o, &x), &y) in out.iter_mut().zip(lo).zip(b) {
            carry += x + y;
            *o = carry & PyLong_MASK;
            carry >>= PyLong_SHIFT;
        }
        for (o, &x) in out[b.len()..].iter_mut().zip(hi) {
            carry += x;
            *o = carry & PyLong_MASK;
            carry >>= PyLong_SHIFT;
        }
        out[a.len()] = carry;
        long_finish(z)
    }
}

/// Difference of magnitudes; the sign is turned around if the second is the greater.
fn x_sub(a: &[u32], b: &[u32], negative: bool) -> Ob {
    let (a, b, negative) = match cmp_digits(a, b) {
        Ordering::Equal => return small_int(0),
        Ordering::Greater => (a, b, negative),
        Ordering::Less => (b, a, !negative),
    };
    // SAFETY: [GIL]
    unsafe {
        let z = long_alloc(negative, a.len());
        if z.is_null() {
            return null_mut();
        }
        let out = digits_mut(z);
        let mut borrow = 0u32;
        for (i, o) in out.iter_mut().enumerate() {
            let d = a[i].wrapping_sub(b.get(i).copied().unwrap_or(0)).wrapping_sub(borrow);
            *o = d & PyLong_MASK;
            borrow = d >> PyLong_SHIFT & 1;
        }
        long_finish(z)
    }
}

/// `a + b`.
///
/// # Safety
/// Both are ints.
#[inline]
pub unsafe fn long_add_fast(a: L, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if both_compact(a, b) {
            return long_from_i64((compact_value(a) + compact_value(b)) as i64);
        }
        long_add_big(a, b)
    }
}

#[inline(never)]
unsafe fn long_add_big(a: L, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let (na, nb) = (is_negative(a), is_negative(b));
        if na == nb { x_add(digits(a), digits(b), na) } else { x_sub(digits(a), digits(b), na) }
    }
}

/// `a - b`.
///
/// # Safety
/// Both are ints.
#[inline]
pub unsafe fn long_sub_fast(a: L, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if both_compact(a, b) {
            return long_from_i64((compact_value(a) - compact_value(b)) as i64);
        }
        let (na, nb) = (is_negative(a), is_negative(b));
        if na == nb { x_sub(digits(a), digits(b), na) } else { x_add(digits(a), digits(b), na) }
    }
}

/// `a * b`.
///
/// # Safety
/// Both are ints.
#[inline]
pub unsafe fn long_mul_fast(a: L, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if both_compact(a, b) {
            return long_from_i64(compact_value(a) as i64 * compact_value(b) as i64);
        }
        long_mul_big(a, b)
    }
}

#[inline(never)]
unsafe fn long_mul_big(a: L, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let negative = is_negative(a) != is_negative(b);
        let (x, y) = (digits(a), digits(b));
        let (x, y) = if x.len() >= y.len() { (x, y) } else { (y, x) };
        if y.is_empty() {
            return small_int(0);
        }
        if y.len() >= MUL_CUTOFF {
            return long_from_nat(negative, &nat::mul(&nat::from_digits(x), &nat::from_digits(y)));
        }
        let z = long_alloc(negative, x.len() + y.len());
        if z.is_null() {
            return null_mut();
        }
        let out = digits_mut(z);
        out.fill(0);
        for (i, &f) in y.iter().enumerate() {
            let mut carry = 0u64;
            for (o, &d) in out[i..].iter_mut().zip(x) {
                carry += *o as u64 + d as u64 * f as u64;
                *o = carry as u32 & PyLong_MASK;
                carry >>= PyLong_SHIFT;
            }
            out[i + x.len()] = carry as u32;
        }
        long_finish(z)
    }
}

/// `-a`.
pub(super) unsafe fn negated(a: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if is_compact(a) {
            return long_from_i64(-compact_value(a) as i64);
        }
        long_from_digits(!is_negative(a), digits(a))
    }
}

/// Divides magnitudes by a digit.
fn divrem1(a: &[u32], d: u32) -> (Vec<u32>, u32) {
    let mut q = vec![0; a.len()];
    let mut r = 0u64;
    for (o, &x) in q.iter_mut().zip(a).rev() {
        r = r << PyLong_SHIFT | x as u64;
        *o = (r / d as u64) as u32;
        r %= d as u64;
    }
    (q, r as u32)
}

/// Quotient and remainder of magnitudes, `b` not zero.
fn x_divrem(a: &[u32], b: &[u32]) -> (Vec<u32>, Vec<u32>) {
    if cmp_digits(a, b).is_lt() {
        return (Vec::new(), a.to_vec());
    }
    if let [d] = b {
        let (q, r) = divrem1(a, *d);
        return (q, vec![r]);
    }
    if a.len() <= 4 {
        let wide = |d: &[u32]| d.iter().rev().fold(0u128, |v, &x| v << PyLong_SHIFT | x as u128);
        let (x, y) = (wide(a), wide(b));
        let narrow = |mut v: u128| {
            let mut d = Vec::with_capacity(4);
            while v != 0 {
                d.push(v as u32 & PyLong_MASK);
                v >>= PyLong_SHIFT;
            }
            d
        };
        return (narrow(x / y), narrow(x % y));
    }
    let (q, r) = nat::divrem(&nat::from_digits(a), &nat::from_digits(b));
    (nat::to_digits(&q), nat::to_digits(&r))
}

#[cold]
fn division_by_zero() -> Ob {
    crate::freelist::null(raise!(PyExc_ZeroDivisionError, "integer division or modulo by zero"))
}

/// Whether a division of magnitudes must step down to floor: signs differ and there is a remainder.
fn is_nonzero(d: &[u32]) -> bool {
    d.iter().any(|&x| x != 0)
}

/// `floor(a / b)` as a new int, from the truncated quotient.
fn floor_quotient(mut q: Vec<u32>, r: &[u32], differ: bool) -> Ob {
    if differ && is_nonzero(r) {
        let mut i = 0;
        loop {
            if i == q.len() {
                q.push(1);
                break;
            }
            q[i] += 1;
            if q[i] <= PyLong_MASK {
                break;
            }
            q[i] = 0;
            i += 1;
        }
    }
    long_from_digits(differ, &q)
}

/// `a mod b` with the sign of `b`, from the remainder of magnitudes.
fn floor_remainder(r: &[u32], b: &[u32], differ: bool, b_negative: bool) -> Ob {
    if differ && is_nonzero(r) {
        let n = r.iter().rposition(|&x| x != 0).map_or(0, |i| i + 1);
        return x_sub(b, &r[..n], b_negative);
    }
    long_from_digits(b_negative, r)
}

/// `a // b`.
///
/// # Safety
/// Both are ints.
#[inline]
pub unsafe fn long_floordiv_fast(a: L, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if both_compact(a, b) {
            let (x, y) = (compact_value(a), compact_value(b));
            if y == 0 {
                return division_by_zero();
            }
            return long_from_i64((x.div_euclid(y) - (y < 0 && x.rem_euclid(y) != 0) as isize) as i64);
        }
        if is_zero(b) {
            return division_by_zero();
        }
        let (q, r) = x_divrem(digits(a), digits(b));
        floor_quotient(q, &r, is_negative(a) != is_negative(b))
    }
}

/// `a % b`.
///
/// # Safety
/// Both are ints.
#[inline]
pub unsafe fn long_mod_fast(a: L, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if both_compact(a, b) {
            let (x, y) = (compact_value(a), compact_value(b));
            if y == 0 {
                return crate::freelist::null(raise!(PyExc_ZeroDivisionError, "integer modulo by zero"));
            }
            let r = x % y;
            return long_from_i64(if r != 0 && (r < 0) != (y < 0) { r + y } else { r } as i64);
        }
        if is_zero(b) {
            return crate::freelist::null(raise!(PyExc_ZeroDivisionError, "integer modulo by zero"));
        }
        let (_, r) = x_divrem(digits(a), digits(b));
        floor_remainder(&r, digits(b), is_negative(a) != is_negative(b), is_negative(b))
    }
}

/// `divmod(a, b)`: quotient and remainder.
///
/// # Safety
/// Both are ints.
pub unsafe fn long_divmod_pair(a: L, b: L) -> PyResult<(Owned, Owned)> {
    // SAFETY: [TYPE]
    unsafe {
        if is_zero(b) {
            division_by_zero();
            return Err(Raised::assume());
        }
        if both_compact(a, b) {
            let q = Owned::from_owned_or_err(long_floordiv_fast(a, b))?;
            return Ok((q, Owned::from_owned_or_err(long_mod_fast(a, b))?));
        }
        let differ = is_negative(a) != is_negative(b);
        let (q, r) = x_divrem(digits(a), digits(b));
        let rem = Owned::from_owned_or_err(floor_remainder(&r, digits(b), differ, is_negative(b)))?;
        Ok((Owned::from_owned_or_err(floor_quotient(q, &r, differ))?, rem))
    }
}

/// The nearest integer to `a / b`, halves to even, and what is left: `a - q * b`.
///
/// # Safety
/// Both are ints.
pub unsafe fn divmod_near(a: L, b: L) -> PyResult<(Owned, Owned)> {
    // SAFETY: [TYPE]
    unsafe {
        let (q, r) = long_divmod_pair(a, b)?;
        let twice = Owned::from_owned_or_err(long_add_fast(r.as_ptr().cast(), r.as_ptr().cast()))?;
        let order = long_compare(twice.as_ptr().cast(), b);
        let beyond = if is_negative(b) { order.is_lt() } else { order.is_gt() };
        let odd = digits(q.as_ptr().cast()).first().is_some_and(|d| d & 1 != 0);
        if beyond || (order.is_eq() && odd) {
            let q = Owned::from_owned_or_err(long_add_fast(q.as_ptr().cast(), small_int(1).cast()))?;
            let r = Owned::from_owned_or_err(long_sub_fast(r.as_ptr().cast(), b))?;
            return Ok((q, r));
        }
        Ok((q, r))
    }
}

// --- Shifts and bits ------------------------------------------------------------------------------------------------

/// `a << n`.
pub(super) unsafe fn lshift(a: L, n: usize) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if is_zero(a) {
            return small_int(0);
        }
        let (words, bits) = (n / PyLong_SHIFT as usize, (n % PyLong_SHIFT as usize) as u32);
        let d = digits(a);
        if d.len() == 1 && n < 32 {
            return long_from_i64((compact_value(a) as i64) << n);
        }
        let Some(size) = words.checked_add(d.len() + 1) else {
            return crate::freelist::null(raise!(PyExc_OverflowError, "too many digits in integer"));
        };
        let z = long_alloc(is_negative(a), size);
        if z.is_null() {
            return null_mut();
        }
        let out = digits_mut(z);
        out[..words].fill(0);
        let mut carry = 0u64;
        for (o, &x) in out[words..].iter_mut().zip(d) {
            carry |= (x as u64) << bits;
            *o = carry as u32 & PyLong_MASK;
            carry >>= PyLong_SHIFT;
        }
        out[size - 1] = carry as u32;
        long_finish(z)
    }
}

/// `a >> n`, towards minus infinity.
pub(super) unsafe fn rshift(a: L, n: usize) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if is_compact(a) {
            return long_from_i64((compact_value(a) >> n.min(63)) as i64);
        }
        let (words, bits) = (n / PyLong_SHIFT as usize, (n % PyLong_SHIFT as usize) as u32);
        let (d, negative) = (digits(a), is_negative(a));
        if words >= d.len() {
            return small_int(if negative { -1 } else { 0 });
        }
        let lost = d[..words].iter().any(|&x| x != 0) || d[words] & ((1 << bits) - 1) != 0;
        let z = long_alloc(negative, d.len() - words + 1);
        if z.is_null() {
            return null_mut();
        }
        let out = digits_mut(z);
        // Towards minus infinity: the magnitude of a negative number is rounded up.
        let mut up = (negative && lost) as u32;
        let src = &d[words..];
        for i in 0..src.len() {
            let high = src.get(i + 1).copied().unwrap_or(0) as u64;
            let x = ((high << PyLong_SHIFT | src[i] as u64) >> bits) as u32 & PyLong_MASK;
            let x = x + up;
            out[i] = x & PyLong_MASK;
            up = x >> PyLong_SHIFT;
        }
        out[src.len()] = up;
        long_finish(z)
    }
}

/// The shift count of an int; `None` when it is too large to shift anything but zero.
unsafe fn shift_count(b: L) -> PyResult<Option<usize>> {
    // SAFETY: [TYPE]
    unsafe {
        if is_negative(b) {
            bail!(PyExc_ValueError, "negative shift count");
        }
        Ok(to_u64(b).map(|n| n as usize))
    }
}

/// `a << b`.
///
/// # Safety
/// Both are ints.
pub unsafe fn long_lshift_objects(a: L, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        match shift_count(b) {
            Err(_) => null_mut(),
            _ if is_zero(a) => small_int(0),
            Ok(Some(n)) if n / (PyLong_SHIFT as usize) < isize::MAX as usize / 8 => lshift(a, n),
            Ok(_) => crate::freelist::null(raise!(PyExc_OverflowError, "too many digits in integer")),
        }
    }
}

/// `a >> b`.
///
/// # Safety
/// Both are ints.
pub unsafe fn long_rshift_objects(a: L, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        match shift_count(b) {
            Err(_) => null_mut(),
            Ok(Some(n)) => rshift(a, n),
            Ok(None) => small_int(if is_negative(a) { -1 } else { 0 }),
        }
    }
}

/// Digits in two's complement, `n` of them.
fn complement(d: &[u32], negative: bool, n: usize) -> Vec<u32> {
    let mut out = Vec::with_capacity(n);
    let mut carry = 1;
    for i in 0..n {
        let x = d.get(i).copied().unwrap_or(0);
        out.push(if negative {
            carry += x ^ PyLong_MASK;
            let y = carry & PyLong_MASK;
            carry >>= PyLong_SHIFT;
            y
        } else {
            x
        });
    }
    out
}

/// `a op b` bit by bit, for `&`, `|` and `^`, in two's complement.
///
/// # Safety
/// Both are ints.
#[inline]
pub unsafe fn long_bitwise(a: L, op: u8, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if both_compact(a, b) {
            let (x, y) = (compact_value(a), compact_value(b));
            return long_from_i64(match op {
                b'&' => x & y,
                b'|' => x | y,
                _ => x ^ y,
            } as i64);
        }
        long_bitwise_big(a, op, b)
    }
}

#[inline(never)]
unsafe fn long_bitwise_big(a: L, op: u8, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let (na, nb) = (is_negative(a), is_negative(b));
        let (x, y) = (digits(a), digits(b));
        let mut n = x.len().max(y.len());
        if op == b'&' && !na {
            n = x.len();
        }
        if op == b'&' && !nb {
            n = n.min(y.len());
        }
        // One more digit holds the sign.
        let (x, y) = (complement(x, na, n + 1), complement(y, nb, n + 1));
        let out: Vec<u32> = x
            .iter()
            .zip(&y)
            .map(|(&p, &q)| match op {
                b'&' => p & q,
                b'|' => p | q,
                _ => p ^ q,
            })
            .collect();
        let negative = match op {
            b'&' => na && nb,
            b'|' => na || nb,
            _ => na != nb,
        };
        if negative { long_from_digits(true, &complement(&out, true, n + 1)) } else { long_from_digits(false, &out) }
    }
}

/// `~a`.
pub(super) unsafe fn inverted(a: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if is_compact(a) {
            return long_from_i64(!compact_value(a) as i64);
        }
        // -(a + 1)
        if is_negative(a) { x_sub(digits(a), &[1], false) } else { x_add(digits(a), &[1], true) }
    }
}

/// Bits of the magnitude.
///
/// # Safety
/// `a` is an int.
pub unsafe fn bit_length(a: L) -> usize {
    // SAFETY: [TYPE]
    unsafe {
        match digits(a) {
            [] => 0,
            [rest @ .., top] => rest.len() * PyLong_SHIFT as usize + (32 - top.leading_zeros() as usize),
        }
    }
}

// --- Powers and divisors --------------------------------------------------------------------------------------------

/// `x` with `a * x = 1` modulo `n`, by Euclid's algorithm; ValueError if there is none.
unsafe fn invmod(a: Ob, n: Ob) -> PyResult<Owned> {
    // SAFETY: [TYPE] both are ints.
    unsafe {
        let own = |p: Ob| Owned::from_owned_or_err(p);
        let (mut a, mut n) = (Owned::from_borrowed(a), Owned::from_borrowed(n));
        let (mut b, mut c) = (own(small_int(1))?, own(small_int(0))?);
        while !is_zero(n.as_ptr().cast()) {
            let (q, r) = long_divmod_pair(a.as_ptr().cast(), n.as_ptr().cast())?;
            a = core::mem::replace(&mut n, r);
            let t = own(long_mul_fast(q.as_ptr().cast(), c.as_ptr().cast()))?;
            let s = own(long_sub_fast(b.as_ptr().cast(), t.as_ptr().cast()))?;
            b = core::mem::replace(&mut c, s);
        }
        if long_compare(a.as_ptr().cast(), small_int(1).cast()).is_ne() {
            bail!(PyExc_ValueError, "base is not invertible for the given modulus");
        }
        Ok(b)
    }
}

/// `v ** w`, or `pow(v, w, x)`; float for a negative exponent without modulus.
pub(super) unsafe fn pow_objects(v: Ob, w: Ob, x: Ob) -> PyResult<Owned> {
    // SAFETY: [TYPE] v and w are ints, x an int or None.
    unsafe {
        let own = |p: Ob| Owned::from_owned_or_err(p);
        if x == Py_None() {
            if is_negative(w.cast()) {
                // Not floats of exact ints: float.__pow__ reports a zero base.
                let (f, g) = (own(PyFloat_FromDouble(as_double(v.cast())?))?, own(PyFloat_FromDouble(as_double(w.cast())?))?);
                return own(PyNumber_Power(f.as_ptr(), g.as_ptr(), Py_None()));
            }
            return own(pow_plain(v.cast(), w.cast()));
        }
        if is_zero(x.cast()) {
            bail!(PyExc_ValueError, "pow() 3rd argument cannot be 0");
        }
        let negative_modulus = is_negative(x.cast());
        let modulus = if negative_modulus { own(negated(x.cast()))? } else { Owned::from_borrowed(x) };
        if long_compare(modulus.as_ptr().cast(), small_int(1).cast()).is_eq() {
            return own(small_int(0));
        }
        let (mut base, mut exp) = (Owned::from_borrowed(v), Owned::from_borrowed(w));
        if is_negative(w.cast()) {
            exp = own(negated(w.cast()))?;
            base = invmod(base.as_ptr(), modulus.as_ptr())?;
        }
        let base = own(long_mod_fast(base.as_ptr().cast(), modulus.as_ptr().cast()))?;
        let m: L = modulus.as_ptr().cast();
        let result = if is_compact(m) && to_u64(exp.as_ptr().cast()).is_some() {
            let m = compact_value(m) as u64;
            let (mut b, mut r) = (compact_value(base.as_ptr().cast()) as u64, 1u64);
            let mut e = to_u64(exp.as_ptr().cast()).unwrap_or(0);
            while e != 0 {
                if e & 1 != 0 {
                    r = r * b % m;
                }
                b = b * b % m;
                e >>= 1;
            }
            own(long_from_u64(r))?
        } else {
            let to_nat = |p: Ob| nat::from_digits(digits(p.cast()));
            let (b, e, m) = (to_nat(base.as_ptr()), to_nat(exp.as_ptr()), to_nat(modulus.as_ptr()));
            own(long_from_nat(false, &nat::pow_mod(&b, &e, &m)))?
        };
        if negative_modulus && !is_zero(result.as_ptr().cast()) {
            return own(long_sub_fast(result.as_ptr().cast(), modulus.as_ptr().cast()));
        }
        Ok(result)
    }
}

unsafe fn pow_plain(v: L, w: L) -> Ob {
    // SAFETY: [TYPE] w is not negative.
    unsafe {
        let Some(e) = to_u64(w) else {
            // Only -1, 0 and 1 have powers that big that fit in memory.
            if is_compact(v) && compact_value(v).abs() <= 1 {
                let odd = digits(w)[0] & 1 != 0;
                let x = compact_value(v);
                return small_int(if x == -1 && !odd { 1 } else { x });
            }
            return PyErr_NoMemory();
        };
        if is_compact(v) {
            // While it fits in a machine word.
            let base = compact_value(v) as i64;
            if let Ok(e) = u32::try_from(e)
                && let Some(r) = base.checked_pow(e)
            {
                return long_from_i64(r);
            }
            if base.abs() <= 1 {
                return small_int(if e == 0 { 1 } else if base == -1 && e & 1 == 0 { 1 } else { base as isize });
            }
            if base.unsigned_abs().is_power_of_two() {
                let k = base.trailing_zeros() as u64;
                let Some(bits) = e.checked_mul(k) else { return PyErr_NoMemory() };
                let one = small_int(if base < 0 && e & 1 != 0 { -1 } else { 1 });
                return lshift(one.cast(), bits as usize);
            }
        }
        // Results beyond 8 GB are not worth the attempt.
        if (bit_length(v) as u128) * e as u128 > 1 << 36 {
            return PyErr_NoMemory();
        }
        long_from_nat(is_negative(v) && e & 1 != 0, &nat::pow(&nat::from_digits(digits(v)), e))
    }
}

/// Greatest common divisor of the magnitudes.
///
/// # Safety
/// Both are ints.
pub unsafe fn long_gcd(a: L, b: L) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if both_compact(a, b) {
            let (mut x, mut y) = (compact_value(a).unsigned_abs(), compact_value(b).unsigned_abs());
            while y != 0 {
                (x, y) = (y, x % y);
            }
            return long_from_u64(x as u64);
        }
        long_from_nat(false, &nat::gcd(&nat::from_digits(digits(a)), &nat::from_digits(digits(b))))
    }
}

// --- Floating point -------------------------------------------------------------------------------------------------

/// The 55 leading bits of a magnitude (two more than a double holds, the last one sticky) and the exponent that
/// scales them, or the whole magnitude if it is shorter.
fn leading_bits(d: &[u32]) -> (u64, usize) {
    let nbits = match d {
        [] => return (0, 0),
        [rest @ .., top] => rest.len() * PyLong_SHIFT as usize + (32 - top.leading_zeros() as usize),
    };
    let shift = nbits.saturating_sub(55);
    let (words, bits) = (shift / PyLong_SHIFT as usize, (shift % PyLong_SHIFT as usize) as u32);
    let window = d[words..].iter().rev().fold(0u128, |v, &x| v << PyLong_SHIFT | x as u128);
    let sticky = window & ((1 << bits) - 1) != 0 || d[..words].iter().any(|&x| x != 0);
    ((window >> bits) as u64 | sticky as u64, shift)
}

/// `x * 2**e` for `0.5 <= |x| < 1`, rounded half to even; 0 for 0.
///
/// # Safety
/// `a` is an int.
pub unsafe fn frexp(a: L) -> (f64, isize) {
    // SAFETY: [TYPE]
    unsafe {
        let (m, shift) = leading_bits(digits(a));
        if m == 0 {
            return (0.0, 0);
        }
        // Converting 55 bits with a sticky one rounds correctly.
        let mut x = m as f64;
        let bits = 64 - m.leading_zeros();
        let mut e = (bits as usize + shift) as isize;
        x /= (1u64 << bits) as f64;
        if x == 1.0 {
            x = 0.5;
            e += 1;
        }
        (if is_negative(a) { -x } else { x }, e)
    }
}

/// `x * 2**e` without intermediate overflow.
pub fn ldexp(mut x: f64, mut e: i64) -> f64 {
    let two = |e: i64| f64::from_bits(((e + 1023) as u64) << 52);
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    if e > 0 {
        while e > 1000 {
            x *= two(1000);
            e -= 1000;
            if x.is_infinite() {
                return x;
            }
        }
        return x * two(e);
    }
    // Going down, only the last step may round.
    let exp = ((x.to_bits() >> 52) & 0x7ff) as i64 - 1023;
    if exp + e >= -1022 || exp == -1023 {
        while e < -1000 {
            x *= two(-1000);
            e += 1000;
        }
        return x * two(e);
    }
    if exp + e < -1080 {
        return if x < 0.0 { -0.0 } else { 0.0 };
    }
    let first = -1022 - exp;
    let mut rest = e - first;
    x = if first < -1000 { x * two(-1000) * two(first + 1000) } else { x * two(first) };
    let mut step = 1.0;
    while rest < -1000 {
        step *= two(-1000);
        rest += 1000;
    }
    x * (step * two(rest))
}

/// The nearest double; OverflowError if there is none.
///
/// # Safety
/// `a` is an int.
#[inline]
pub unsafe fn as_double(a: L) -> PyResult<f64> {
    // SAFETY: [TYPE]
    unsafe {
        if is_compact(a) {
            return Ok(compact_value(a) as f64);
        }
        let (x, e) = frexp(a);
        if e > 1024 {
            bail!(PyExc_OverflowError, "int too large to convert to float");
        }
        Ok(ldexp(x, e as i64))
    }
}

/// `a / b`, correctly rounded.
///
/// # Safety
/// Both are ints.
pub unsafe fn long_true_divide_objects(a: L, b: L) -> PyResult<f64> {
    // SAFETY: [TYPE]
    unsafe {
        if is_zero(b) {
            bail!(PyExc_ZeroDivisionError, "division by zero");
        }
        let negative = is_negative(a) != is_negative(b);
        if is_zero(a) {
            return Ok(if negative { -0.0 } else { 0.0 });
        }
        if both_compact(a, b) {
            return Ok(compact_value(a) as f64 / compact_value(b) as f64);
        }
        let (la, lb) = (bit_length(a) as i64, bit_length(b) as i64);
        let diff = la - lb;
        if diff > 1024 {
            bail!(PyExc_OverflowError, "integer division result too large for a float");
        }
        if diff < -1076 {
            return Ok(if negative { -0.0 } else { 0.0 });
        }
        if la <= 53 && lb <= 53 {
            return Ok(as_double(a)? / as_double(b)?);
        }
        // Scale so that the quotient has 55 or 56 bits, fewer for subnormal results; then one rounding is left.
        let shift = diff.max(-1021) - 55;
        let (mut x, mut y) = (nat::from_digits(digits(a)), nat::from_digits(digits(b)));
        if shift < 0 {
            x = nat::shl(&x, -shift as usize);
        } else {
            y = nat::shl(&y, shift as usize);
        }
        let (q, r) = nat::divrem(&x, &y);
        let q = q.first().copied().unwrap_or(0) | !r.is_empty() as u64;
        // Bits below the last place of the result, at least two.
        let bits = 64 - q.leading_zeros() as i64;
        let extra = (bits - 53).max(-1074 - shift).max(0);
        let m = if extra == 0 {
            q
        } else if extra >= 64 {
            0
        } else {
            let half = 1u64 << (extra - 1);
            let low = q & ((1u64 << extra) - 1);
            let high = q >> extra;
            high + (low > half || (low == half && high & 1 != 0)) as u64
        };
        let result = ldexp(m as f64, shift + extra);
        if result.is_infinite() {
            bail!(PyExc_OverflowError, "integer division result too large for a float");
        }
        Ok(if negative { -result } else { result })
    }
}
