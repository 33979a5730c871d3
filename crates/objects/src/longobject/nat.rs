//! Arithmetic on large natural numbers: little-endian vectors of 64-bit limbs without leading zeros. Multiplication is
//! schoolbook, then Karatsuba; division is schoolbook, then Burnikel-Ziegler; radix conversion divides and conquers.
//!
//! Must not know: objects. Everything here is pure.

use super::PyLong_SHIFT;

/// A natural number; zero is empty.
pub type Nat = Vec<u64>;

const KARATSUBA_CUTOFF: usize = 32;
const DIVIDE_CUTOFF: usize = 48;
const RADIX_CUTOFF: usize = 40;

/// Drops leading zeros.
pub fn trim(a: &mut Nat) {
    while a.last() == Some(&0) {
        a.pop();
    }
}

fn trimmed(a: &[u64]) -> &[u64] {
    let n = a.iter().rposition(|&x| x != 0).map_or(0, |i| i + 1);
    &a[..n]
}

/// From digits of 30 bits.
pub fn from_digits(digits: &[u32]) -> Nat {
    let mut out = Vec::with_capacity(digits.len() * PyLong_SHIFT as usize / 64 + 1);
    let (mut acc, mut bits) = (0u128, 0);
    for &d in digits {
        acc |= (d as u128) << bits;
        bits += PyLong_SHIFT;
        if bits >= 64 {
            out.push(acc as u64);
            acc >>= 64;
            bits -= 64;
        }
    }
    if acc != 0 {
        out.push(acc as u64);
    }
    trim(&mut out);
    out
}

/// To digits of 30 bits, without leading zeros.
pub fn to_digits(a: &[u64]) -> Vec<u32> {
    let mut out = Vec::with_capacity(a.len() * 64 / PyLong_SHIFT as usize + 1);
    let (mut acc, mut bits) = (0u128, 0);
    for &x in a {
        acc |= (x as u128) << bits;
        bits += 64;
        while bits >= PyLong_SHIFT {
            out.push(acc as u32 & super::PyLong_MASK);
            acc >>= PyLong_SHIFT;
            bits -= PyLong_SHIFT;
        }
    }
    if acc != 0 {
        out.push(acc as u32);
    }
    while out.last() == Some(&0) {
        out.pop();
    }
    out
}

/// Number of bits.
pub fn bit_length(a: &[u64]) -> usize {
    match a.last() {
        Some(&top) => a.len() * 64 - top.leading_zeros() as usize,
        None => 0,
    }
}

#[inline(always)]
fn adc(a: u64, b: u64, carry: &mut bool) -> u64 {
    let (s, c1) = a.overflowing_add(b);
    let (s, c2) = s.overflowing_add(*carry as u64);
    *carry = c1 | c2;
    s
}

#[inline(always)]
fn sbb(a: u64, b: u64, borrow: &mut bool) -> u64 {
    let (s, c1) = a.overflowing_sub(b);
    let (s, c2) = s.overflowing_sub(*borrow as u64);
    *borrow = c1 | c2;
    s
}

/// `a += b`, the carry out of `a` is returned; `a` is at least as long.
pub fn add_assign(a: &mut [u64], b: &[u64]) -> bool {
    let mut carry = false;
    let (lo, hi) = a.split_at_mut(b.len());
    for (x, &y) in lo.iter_mut().zip(b) {
        *x = adc(*x, y, &mut carry);
    }
    for x in hi {
        if !carry {
            break;
        }
        *x = adc(*x, 0, &mut carry);
    }
    carry
}

/// `a -= b`, the borrow out of `a` is returned; `a` is at least as long.
pub fn sub_assign(a: &mut [u64], b: &[u64]) -> bool {
    let mut borrow = false;
    let (lo, hi) = a.split_at_mut(b.len());
    for (x, &y) in lo.iter_mut().zip(b) {
        *x = sbb(*x, y, &mut borrow);
    }
    for x in hi {
        if !borrow {
            break;
        }
        *x = sbb(*x, 0, &mut borrow);
    }
    borrow
}

/// `a + b`.
pub fn add(a: &[u64], b: &[u64]) -> Nat {
    let (a, b) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let mut out = a.to_vec();
    if add_assign(&mut out, b) {
        out.push(1);
    }
    out
}

/// Order of two numbers.
pub fn cmp(a: &[u64], b: &[u64]) -> core::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

/// `out += a * x`, the carry is returned; `out` has the length of `a`.
#[inline]
fn mul_add_limb(out: &mut [u64], a: &[u64], x: u64) -> u64 {
    let mut carry = 0u64;
    for (o, &y) in out.iter_mut().zip(a) {
        let t = y as u128 * x as u128 + *o as u128 + carry as u128;
        *o = t as u64;
        carry = (t >> 64) as u64;
    }
    carry
}

/// `out -= a * x`, the borrow is returned.
#[inline]
fn mul_sub_limb(out: &mut [u64], a: &[u64], x: u64) -> u64 {
    let mut borrow = 0u64;
    for (o, &y) in out.iter_mut().zip(a) {
        let t = y as u128 * x as u128 + borrow as u128;
        let (r, c) = o.overflowing_sub(t as u64);
        *o = r;
        borrow = (t >> 64) as u64 + c as u64;
    }
    borrow
}

/// `a = a * x + c`.
pub fn mul_small(a: &mut Nat, x: u64, c: u64) {
    let mut carry = c;
    for o in a.iter_mut() {
        let t = *o as u128 * x as u128 + carry as u128;
        *o = t as u64;
        carry = (t >> 64) as u64;
    }
    if carry != 0 {
        a.push(carry);
    }
}

/// Adds `a * b` to `out`, which has room for the carry.
fn mul_acc(out: &mut [u64], a: &[u64], b: &[u64]) {
    let (a, b) = (trimmed(a), trimmed(b));
    let (a, b) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    if b.is_empty() {
        return;
    }
    if b.len() < KARATSUBA_CUTOFF {
        for (i, &x) in b.iter().enumerate() {
            let carry = mul_add_limb(&mut out[i..i + a.len()], a, x);
            if carry != 0 {
                add_assign(&mut out[i + a.len()..], &[carry]);
            }
        }
        return;
    }
    if a.len() >= 2 * b.len() {
        // Lopsided: b times each piece of a.
        for (k, piece) in a.chunks(b.len()).enumerate() {
            mul_acc(&mut out[k * b.len()..], piece, b);
        }
        return;
    }
    let h = a.len().div_ceil(2);
    let (a0, a1) = a.split_at(h);
    let (b0, b1) = b.split_at(h.min(b.len()));
    let mut low = vec![0; a0.len() + b0.len() + 1];
    mul_acc(&mut low, a0, b0);
    let mut high = vec![0; a1.len() + b1.len() + 1];
    mul_acc(&mut high, a1, b1);
    let (low, high) = (trimmed(&low), trimmed(&high));
    // (a0 + a1)(b0 + b1) - low - high
    let mut mid = {
        let (sa, sb) = (add(a0, a1), if b1.is_empty() { b0.to_vec() } else { add(b0, b1) });
        let mut mid = vec![0; sa.len() + sb.len() + 1];
        mul_acc(&mut mid, &sa, &sb);
        mid
    };
    sub_assign(&mut mid, low);
    sub_assign(&mut mid, high);
    add_assign(out, low);
    add_assign(&mut out[2 * h..], high);
    add_assign(&mut out[h..], trimmed(&mid));
}

/// `a * b`.
pub fn mul(a: &[u64], b: &[u64]) -> Nat {
    if a.is_empty() || b.is_empty() {
        return Nat::new();
    }
    let mut out = vec![0; a.len() + b.len() + 1];
    mul_acc(&mut out, a, b);
    trim(&mut out);
    out
}

/// `a << n`.
pub fn shl(a: &[u64], n: usize) -> Nat {
    if a.is_empty() {
        return Nat::new();
    }
    let (words, bits) = (n / 64, n % 64);
    let mut out = vec![0; words];
    if bits == 0 {
        out.extend_from_slice(a);
        return out;
    }
    let mut carry = 0;
    for &x in a {
        out.push(x << bits | carry);
        carry = x >> (64 - bits);
    }
    if carry != 0 {
        out.push(carry);
    }
    out
}

/// `a >> n`.
pub fn shr(a: &[u64], n: usize) -> Nat {
    let (words, bits) = (n / 64, n % 64);
    if words >= a.len() {
        return Nat::new();
    }
    let a = &a[words..];
    let mut out: Nat = if bits == 0 {
        a.to_vec()
    } else {
        (0..a.len()).map(|i| a[i] >> bits | a.get(i + 1).map_or(0, |&x| x << (64 - bits))).collect()
    };
    trim(&mut out);
    out
}

/// `floor((2**128 - 1) / d) - 2**64` for `d` with its top bit set.
fn reciprocal(d: u64) -> u64 {
    (((!d as u128) << 64 | u64::MAX as u128) / d as u128) as u64
}

/// `(hi:lo) / d` and the remainder, by `d`'s reciprocal `v`; `hi < d` (Möller and Granlund, 2011).
#[inline(always)]
fn div_2by1(hi: u64, lo: u64, d: u64, v: u64) -> (u64, u64) {
    let q = (v as u128 * hi as u128).wrapping_add((hi as u128) << 64 | lo as u128);
    let (mut q1, q0) = (((q >> 64) as u64).wrapping_add(1), q as u64);
    let mut r = lo.wrapping_sub(q1.wrapping_mul(d));
    if r > q0 {
        q1 = q1.wrapping_sub(1);
        r = r.wrapping_add(d);
    }
    if r >= d {
        q1 = q1.wrapping_add(1);
        r -= d;
    }
    (q1, r)
}

/// Divides in place by one limb and returns the remainder.
pub fn div_small(a: &mut Nat, d: u64) -> u64 {
    let s = d.leading_zeros();
    let dn = d << s;
    let v = reciprocal(dn);
    let mut r = 0u64;
    for x in a.iter_mut().rev() {
        // Bring the limb down shifted, so that the divisor's top bit is set.
        let (hi, lo) = if s == 0 { (r, *x) } else { (r << s | *x >> (64 - s), *x << s) };
        let (q, rem) = div_2by1(hi, lo, dn, v);
        *x = q;
        r = rem >> s;
    }
    trim(a);
    r
}

/// Knuth's algorithm D. `u` has `b.len() + q.len()` limbs, its top part is less than `b`, whose top bit is set. The
/// remainder is left in the low limbs of `u`.
fn div_basecase(u: &mut [u64], b: &[u64], q: &mut [u64]) {
    let n = b.len();
    let top = b[n - 1];
    let next = if n > 1 { b[n - 2] } else { 0 };
    let v = reciprocal(top);
    for j in (0..q.len()).rev() {
        let (u2, u1, u0) = (u[j + n], u[j + n - 1], if n > 1 { u[j + n - 2] } else { 0 });
        let mut qhat;
        if u2 >= top {
            qhat = u64::MAX;
        } else {
            let (qq, mut r) = div_2by1(u2, u1, top, v);
            qhat = qq;
            while qhat as u128 * next as u128 > ((r as u128) << 64 | u0 as u128) {
                qhat -= 1;
                let (sum, over) = r.overflowing_add(top);
                r = sum;
                if over {
                    break;
                }
            }
        }
        let borrow = mul_sub_limb(&mut u[j..j + n], b, qhat);
        let (t, under) = u[j + n].overflowing_sub(borrow);
        u[j + n] = t;
        if under {
            qhat -= 1;
            if add_assign(&mut u[j..j + n], b) {
                u[j + n] = u[j + n].wrapping_add(1);
            }
        }
        q[j] = qhat;
    }
}

/// Divides `u` (2n limbs, top half less than `b`) by `b` (n limbs, top bit set): n limbs of quotient to `q`, remainder to
/// the low half of `u`, whose top half becomes zero.
fn div_2n_1n(u: &mut [u64], b: &[u64], q: &mut [u64]) {
    let n = b.len();
    if n % 2 != 0 || n < DIVIDE_CUTOFF {
        div_basecase(u, b, q);
        return;
    }
    let h = n / 2;
    let (q0, q1) = q.split_at_mut(h);
    div_3h_2h(&mut u[h..], b, q1);
    div_3h_2h(&mut u[..3 * h], b, q0);
}

/// Divides `u` (3h limbs, top two thirds less than `b`) by `b` (2h limbs): h limbs of quotient, remainder in place.
fn div_3h_2h(u: &mut [u64], b: &[u64], q: &mut [u64]) {
    let h = q.len();
    let (b0, b1) = b.split_at(h);
    if cmp_fixed(&u[2 * h..], b1).is_lt() {
        div_2n_1n(&mut u[h..], b1, q);
    } else {
        // The estimate would need one more limb: take the greatest that fits.
        q.fill(u64::MAX);
        sub_assign(&mut u[2 * h..], b1);
        add_assign(&mut u[h..], b1);
    }
    let mut t = vec![0; 2 * h + 1];
    mul_acc(&mut t, q, b0);
    let mut negative = sub_assign(u, &t[..2 * h]);
    while negative {
        sub_assign(q, &[1]);
        negative = !add_assign(u, b);
    }
}

fn cmp_fixed(a: &[u64], b: &[u64]) -> core::cmp::Ordering {
    a.iter().rev().cmp(b.iter().rev())
}

/// Quotient and remainder; `b` is not zero.
pub fn divrem(a: &[u64], b: &[u64]) -> (Nat, Nat) {
    if cmp(a, b).is_lt() {
        return (Nat::new(), a.to_vec());
    }
    if b.len() == 1 {
        let mut q = a.to_vec();
        let r = div_small(&mut q, b[0]);
        return (q, if r == 0 { Nat::new() } else { vec![r] });
    }
    let s = b[b.len() - 1].leading_zeros() as usize;
    let qlen = a.len() - b.len() + 1;
    if b.len() < 2 * DIVIDE_CUTOFF || qlen < DIVIDE_CUTOFF {
        let bn = shl(b, s);
        let mut u = shl(a, s);
        u.resize(a.len() + 1, 0);
        let mut q = vec![0; qlen];
        div_basecase(&mut u, &bn, &mut q);
        u.truncate(b.len());
        trim(&mut u);
        trim(&mut q);
        return (q, shr(&u, s));
    }
    // Burnikel-Ziegler needs a divisor whose length halves down to the cut-off.
    let mut pieces = 1;
    while pieces * DIVIDE_CUTOFF <= b.len() {
        pieces *= 2;
    }
    let n = b.len().div_ceil(pieces) * pieces;
    let shift = (n - b.len()) * 64 + s;
    let bn = shl(b, shift);
    let an = shl(a, shift);
    let blocks = an.len() / n + 1;
    let mut u = an;
    u.resize((blocks + 1) * n, 0);
    let mut q = vec![0; blocks * n];
    for i in (0..blocks).rev() {
        div_2n_1n(&mut u[i * n..(i + 2) * n], &bn, &mut q[i * n..(i + 1) * n]);
    }
    u.truncate(n);
    trim(&mut u);
    trim(&mut q);
    (q, shr(&u, shift))
}

/// `base ** exp` by squaring.
pub fn pow(base: &[u64], exp: u64) -> Nat {
    let mut result: Nat = vec![1];
    for i in (0..64 - exp.leading_zeros()).rev() {
        result = mul(&result, &result);
        if exp >> i & 1 != 0 {
            result = mul(&result, base);
        }
    }
    result
}

/// Greatest power of `base` in a limb, and its exponent.
fn chunk_of(base: u32) -> (u64, usize) {
    let (mut power, mut n) = (base as u64, 1);
    while let Some(p) = power.checked_mul(base as u64) {
        power = p;
        n += 1;
    }
    (power, n)
}

/// ASCII digits in `base` (2 to 36), at least one.
pub fn to_radix(a: &[u64], base: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let (chunk, width) = chunk_of(base);
    if a.len() < RADIX_CUTOFF {
        radix_basecase(a.to_vec(), base, chunk, width, &mut out);
    } else {
        // Powers chunk ** 2**k up to half of a's size.
        let mut powers: Vec<(Nat, usize)> = vec![(pow(&[chunk], RADIX_CUTOFF as u64 / 2), width * (RADIX_CUTOFF / 2))];
        while let Some((p, w)) = powers.last()
            && p.len() * 2 <= a.len() + 1
        {
            let next = (mul(p, p), w * 2);
            powers.push(next);
        }
        radix_divide(a, &powers, base, chunk, width, &mut out, 0);
    }
    let zeros = out.iter().take_while(|&&c| c == b'0').count();
    if zeros == out.len() {
        return vec![b'0'];
    }
    out.drain(..zeros);
    out
}

/// Appends the digits of `a` without padding.
fn radix_basecase(mut a: Nat, base: u32, chunk: u64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    while !a.is_empty() {
        let mut r = div_small(&mut a, chunk);
        for _ in 0..width {
            out.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(r % base as u64) as usize]);
            r /= base as u64;
        }
    }
    out[start..].reverse();
}

/// Appends the digits of `a`, padded to `pad`.
fn radix_divide(a: &[u64], powers: &[(Nat, usize)], base: u32, chunk: u64, width: usize, out: &mut Vec<u8>, pad: usize) {
    match powers.split_last() {
        Some(((p, w), rest)) if a.len() >= RADIX_CUTOFF => {
            if cmp(a, p).is_lt() {
                return radix_divide(a, rest, base, chunk, width, out, pad);
            }
            let (q, r) = divrem(a, p);
            // The quotient may still be too long for the smaller powers when it is the first.
            let same = cmp(&q, p).is_ge();
            radix_divide(&q, if same { powers } else { rest }, base, chunk, width, out, pad.saturating_sub(*w));
            radix_divide(&r, rest, base, chunk, width, out, *w);
        }
        _ => {
            let mut part = Vec::new();
            radix_basecase(a.to_vec(), base, chunk, width, &mut part);
            let zeros = part.iter().take_while(|&&c| c == b'0').count();
            let part = &part[zeros..];
            out.resize(out.len() + pad.saturating_sub(part.len()), b'0');
            out.extend_from_slice(part);
        }
    }
}

/// The number whose digit values in `base`, most significant first, are `digits`.
pub fn from_radix(digits: &[u8], base: u32) -> Nat {
    let (chunk, width) = chunk_of(base);
    // One limb's worth of digits at a time, least significant first.
    let mut level: Vec<Nat> = Vec::new();
    for piece in digits.rchunks(width * (RADIX_CUTOFF / 2)) {
        let mut n = Nat::new();
        let head = piece.len() % width;
        let (first, rest) = piece.split_at(head);
        let value = |s: &[u8]| s.iter().fold(0u64, |v, &d| v * base as u64 + d as u64);
        mul_small(&mut n, 1, value(first));
        for c in rest.chunks(width) {
            mul_small(&mut n, chunk, value(c));
        }
        trim(&mut n);
        level.push(n);
    }
    if level.len() <= 1 {
        return level.pop().unwrap_or_default();
    }
    let mut power = pow(&[chunk], (RADIX_CUTOFF / 2) as u64);
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [low, high] => {
                    let mut n = mul(high, &power);
                    let len = n.len().max(low.len()) + 1;
                    n.resize(len, 0);
                    add_assign(&mut n, low);
                    trim(&mut n);
                    n
                }
                _ => pair.concat(),
            })
            .collect();
        if level.len() > 1 {
            power = mul(&power, &power);
        }
    }
    level.pop().unwrap_or_default()
}

/// `base ** exp % modulus` with `base < modulus`, `modulus > 1`.
pub fn pow_mod(base: &[u64], exp: &[u64], modulus: &[u64]) -> Nat {
    let nbits = bit_length(exp);
    if nbits == 0 {
        return vec![1];
    }
    if modulus[0] & 1 != 0 && modulus.len() <= 128 {
        return pow_mod_montgomery(base, exp, modulus);
    }
    let window = if nbits > 64 { 4 } else { 1 };
    let mut table: Vec<Nat> = vec![vec![1], base.to_vec()];
    for i in 2..1usize << window {
        table.push(divrem(&mul(&table[i - 1], base), modulus).1);
    }
    let mut result: Nat = vec![1];
    for i in (0..nbits.div_ceil(window)).rev() {
        for _ in 0..window {
            result = divrem(&mul(&result, &result), modulus).1;
        }
        let d = bits_at(exp, i * window, window);
        if d != 0 {
            result = divrem(&mul(&result, &table[d]), modulus).1;
        }
    }
    result
}

/// `n` bits of `a` from bit `at`.
fn bits_at(a: &[u64], at: usize, n: usize) -> usize {
    let (w, b) = (at / 64, at % 64);
    let lo = a.get(w).copied().unwrap_or(0) >> b;
    let hi = if b == 0 { 0 } else { a.get(w + 1).copied().unwrap_or(0) << (64 - b) };
    (lo | hi) as usize & ((1 << n) - 1)
}

/// Montgomery product `a * b / 2**(64 n)` modulo `m`, all of n limbs; `t` is scratch of 2n + 1 limbs.
fn montgomery_mul(a: &[u64], b: &[u64], m: &[u64], inv: u64, t: &mut [u64], out: &mut [u64]) {
    let n = m.len();
    t.fill(0);
    for i in 0..n {
        let carry = mul_add_limb(&mut t[i..i + n], b, a[i]);
        let (s, c) = t[i + n].overflowing_add(carry);
        t[i + n] = s;
        let q = t[i].wrapping_mul(inv);
        let carry2 = mul_add_limb(&mut t[i..i + n], m, q);
        let (s, c2) = t[i + n].overflowing_add(carry2);
        t[i + n] = s;
        t[i + n + 1] = c as u64 + c2 as u64;
    }
    out.copy_from_slice(&t[n..2 * n]);
    if t[2 * n] != 0 || cmp_fixed(out, m).is_ge() {
        sub_assign(out, m);
    }
}

fn pow_mod_montgomery(base: &[u64], exp: &[u64], m: &[u64]) -> Nat {
    let n = m.len();
    // -1/m modulo 2**64, by Newton's iteration.
    let mut inv = 1u64;
    for _ in 0..6 {
        inv = inv.wrapping_mul(2u64.wrapping_sub(m[0].wrapping_mul(inv)));
    }
    let inv = inv.wrapping_neg();
    let to_mont = |x: &[u64]| {
        let mut r = divrem(&shl(x, 64 * n), m).1;
        r.resize(n, 0);
        r
    };
    let mut t = vec![0; 2 * n + 2];
    let one = to_mont(&[1]);
    let b = to_mont(base);
    let nbits = bit_length(exp);
    let window = if nbits > 240 { 5 } else if nbits > 24 { 4 } else { 1 };
    let mut table = vec![one.clone(), b.clone()];
    for i in 2..1usize << window {
        let mut next = vec![0; n];
        montgomery_mul(&table[i - 1], &b, m, inv, &mut t, &mut next);
        table.push(next);
    }
    let (mut acc, mut next) = (one, vec![0; n]);
    for i in (0..nbits.div_ceil(window)).rev() {
        for _ in 0..window {
            montgomery_mul(&acc, &acc, m, inv, &mut t, &mut next);
            core::mem::swap(&mut acc, &mut next);
        }
        let d = bits_at(exp, i * window, window);
        if d != 0 {
            montgomery_mul(&acc, &table[d], m, inv, &mut t, &mut next);
            core::mem::swap(&mut acc, &mut next);
        }
    }
    let mut unit = vec![0; n];
    unit[0] = 1;
    montgomery_mul(&acc, &unit, m, inv, &mut t, &mut next);
    trim(&mut next);
    next
}

/// Greatest common divisor, by Lehmer's method.
pub fn gcd(a: &[u64], b: &[u64]) -> Nat {
    let (mut a, mut b) = if cmp(a, b).is_ge() { (a.to_vec(), b.to_vec()) } else { (b.to_vec(), a.to_vec()) };
    while b.len() > 1 {
        // The leading 62 bits of both stand for the numbers while the quotients they give are certain.
        let shift = bit_length(&a) - 62;
        let lead = |n: &[u64]| {
            let (w, s) = (shift / 64, shift % 64);
            let lo = n.get(w).copied().unwrap_or(0) >> s;
            let hi = if s == 0 { 0 } else { n.get(w + 1).copied().unwrap_or(0) << (64 - s) };
            ((lo | hi) & ((1 << 62) - 1)) as i128
        };
        let (mut x, mut y) = (lead(&a), lead(&b));
        let (mut p, mut q, mut r, mut s) = (1i128, 0i128, 0i128, 1i128);
        while y + r != 0 && y + s != 0 {
            let t = (x + p) / (y + r);
            if t != (x + q) / (y + s) {
                break;
            }
            (p, r) = (r, p - t * r);
            (q, s) = (s, q - t * s);
            (x, y) = (y, x - t * y);
            if [p, q, r, s].iter().any(|c| c.unsigned_abs() >> 62 != 0) {
                break;
            }
        }
        if q == 0 {
            let rem = divrem(&a, &b).1;
            a = core::mem::replace(&mut b, rem);
            continue;
        }
        let combine = |u: i128, v: i128| {
            let n = a.len();
            let mut out = Vec::with_capacity(n);
            let mut acc = 0i128;
            for i in 0..n {
                let (x, y) = (a[i], b.get(i).copied().unwrap_or(0));
                // |u * x + v * y| < 2**127 because u and v differ in sign; split the sum to keep the carry small.
                let lo = (u.wrapping_mul(x as i128)).wrapping_add(v.wrapping_mul(y as i128));
                let sum = lo + acc;
                out.push(sum as u64);
                acc = sum >> 64;
            }
            trim(&mut out);
            out
        };
        let (na, nb) = (combine(p, q), combine(r, s));
        a = na;
        b = nb;
        if cmp(&a, &b).is_lt() {
            core::mem::swap(&mut a, &mut b);
        }
    }
    if b.is_empty() {
        return a;
    }
    let (mut x, mut y) = (b[0], if a.len() == 1 { a[0] } else { div_small(&mut a, b[0]) });
    while y != 0 {
        (x, y) = (y, x % y);
    }
    vec![x]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> Vec<Nat> {
        let mut seed = 0x9E3779B97F4A7C15u64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut all = Vec::new();
        for n in [1usize, 2, 3, 7, 31, 33, 50, 97, 130, 200, 401] {
            all.push((0..n).map(|_| next()).collect());
            all.push((0..n).map(|i| if i + 1 == n || next() & 1 != 0 { u64::MAX } else { 0 }).collect());
        }
        all
    }

    #[test]
    fn division_inverts_multiplication() {
        for a in numbers() {
            for b in numbers() {
                let (q, r) = divrem(&a, &b);
                assert!(cmp(&r, &b).is_lt());
                let p = mul(&q, &b);
                assert_eq!(add(&p, &r).len().max(1), a.len());
                let mut sum = add(&p, &r);
                trim(&mut sum);
                assert_eq!(sum, a);
            }
        }
    }

    #[test]
    fn radix_round_trip() {
        for a in numbers() {
            for base in [3, 7, 10, 16, 36] {
                let text = to_radix(&a, base);
                let values: Vec<u8> = text.iter().map(|c| (*c as char).to_digit(36).unwrap_or(99) as u8).collect();
                assert_eq!(from_radix(&values, base), a);
            }
        }
    }

    #[test]
    fn powers_and_gcd() {
        for m in numbers().iter().filter(|m| m.len() < 40) {
            for base in numbers().iter().filter(|b| b.len() < 8) {
                let b = divrem(base, m).1;
                let mut slow = vec![1];
                for _ in 0..13 {
                    slow = divrem(&mul(&slow, &b), m).1;
                }
                assert_eq!(pow_mod(&b, &[13], m), slow);
                let g = gcd(base, m);
                assert!(divrem(base, &g).1.is_empty() && divrem(m, &g).1.is_empty());
                let (x, y) = (divrem(base, &g).0, divrem(m, &g).0);
                assert_eq!(gcd(&x, &y), vec![1]);
            }
        }
    }

    #[test]
    fn digits_round_trip() {
        for a in numbers() {
            assert_eq!(from_digits(&to_digits(&a)), a);
        }
    }
}
