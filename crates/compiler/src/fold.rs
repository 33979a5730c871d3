//! Arithmetic on constants, as Python does it, within the limits that keep
//! constants small. `None` means that the expression stays as it is.

use std::collections::HashMap;

use bumpalo::Bump;
use num_bigint::{BigInt, BigUint, Sign};
use taipan_parser::ast::{Constant, Int, Operator, UnaryOp};

/// Longest integer result of `*`, `**` and `<<`, in bits.
const MAX_INT_SIZE: u64 = 128;
/// Longest tuple that `*` makes.
const MAX_COLLECTION_SIZE: usize = 256;
/// Longest string that `*` makes.
const MAX_STR_SIZE: usize = 4096;
/// Items of a tuple that `*` makes, nested ones included.
const MAX_TOTAL_ITEMS: isize = 1024;

/// A number, for mixed arithmetic.
enum Number {
    Int(BigInt),
    Float(f64),
    Complex(f64, f64),
}

fn number(c: &Constant<'_>) -> Option<Number> {
    Some(match *c {
        Constant::False => Number::Int(BigInt::ZERO),
        Constant::True => Number::Int(BigInt::from(1)),
        Constant::Int(i) => Number::Int(int_to_big(i)),
        Constant::Float(f) => Number::Float(f),
        Constant::Complex { real, imag } => Number::Complex(real, imag),
        _ => return None,
    })
}

/// An arbitrary-precision integer of an AST one.
pub(crate) fn int_to_big(i: Int<'_>) -> BigInt {
    match i {
        Int::Small(i) => BigInt::from(i),
        Int::Big { negative, digits } => digits_to_big(negative, digits),
    }
}

/// The integer with these base-2**30 digits.
pub fn digits_to_big(negative: bool, digits: &[u32]) -> BigInt {
    let mut words = Vec::with_capacity(digits.len());
    let (mut acc, mut bits) = (0u64, 0);
    for digit in digits {
        acc |= u64::from(*digit) << bits;
        bits += 30;
        if bits >= 32 {
            words.push(acc as u32);
            acc >>= 32;
            bits -= 32;
        }
    }
    words.push(acc as u32);
    BigInt::from_biguint(if negative { Sign::Minus } else { Sign::Plus }, BigUint::new(words))
}

/// The AST integer of an arbitrary-precision one.
pub(crate) fn big_to_int<'a>(arena: &'a Bump, value: &BigInt) -> Int<'a> {
    if let Ok(small) = i64::try_from(value) {
        return Int::Small(small);
    }
    let mut digits = bumpalo::collections::Vec::new_in(arena);
    let (mut acc, mut bits) = (0u64, 0);
    for word in value.magnitude().iter_u32_digits() {
        acc |= u64::from(word) << bits;
        bits += 32;
        while bits >= 30 {
            digits.push(acc as u32 & 0x3FFF_FFFF);
            acc >>= 30;
            bits -= 30;
        }
    }
    digits.push(acc as u32);
    while digits.last() == Some(&0) {
        digits.pop();
    }
    Int::Big { negative: value.sign() == Sign::Minus, digits: digits.into_bump_slice() }
}

/// Rounds to the nearest float, ties to even; nothing if too large.
fn big_to_float(value: &BigInt) -> Option<f64> {
    let magnitude = value.magnitude();
    let bits = magnitude.bits();
    let float = if bits <= 64 {
        magnitude.iter_u64_digits().next().unwrap_or(0) as f64
    } else {
        let shift = bits - 64;
        let high = magnitude >> shift;
        let sticky = (&high << shift) != *magnitude;
        let high = high.iter_u64_digits().next().unwrap_or(0) | u64::from(sticky);
        if shift > 1100 {
            return None;
        }
        high as f64 * 2f64.powi(shift as i32)
    };
    let float = if value.sign() == Sign::Minus { -float } else { float };
    float.is_finite().then_some(float)
}

/// The integer that a float is, if it is one.
fn float_to_big(f: f64) -> Option<BigInt> {
    if !f.is_finite() || f.fract() != 0.0 {
        return None;
    }
    let bits = f.to_bits();
    let exponent = ((bits >> 52) & 0x7FF) as i64 - 1075;
    let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
    if f == 0.0 {
        return Some(BigInt::ZERO);
    }
    let magnitude = if exponent >= 0 {
        BigUint::from(mantissa) << exponent as u64
    } else {
        BigUint::from(mantissa) >> (-exponent) as u64
    };
    Some(BigInt::from_biguint(if f < 0.0 { Sign::Minus } else { Sign::Plus }, magnitude))
}

fn int<'a>(arena: &'a Bump, value: &BigInt) -> Option<Constant<'a>> {
    Some(Constant::Int(big_to_int(arena, value)))
}

fn bool_constant<'a>(value: bool) -> Constant<'a> {
    if value { Constant::True } else { Constant::False }
}

/// Python's truth value of a constant.
pub(crate) fn is_true(c: &Constant<'_>) -> bool {
    match *c {
        Constant::None | Constant::False => false,
        Constant::True | Constant::Ellipsis => true,
        Constant::Int(Int::Small(i)) => i != 0,
        Constant::Int(Int::Big { .. }) => true,
        Constant::Float(f) => f != 0.0,
        Constant::Complex { real, imag } => real != 0.0 || imag != 0.0,
        Constant::Str(s) | Constant::Bytes(s) => !s.is_empty(),
        Constant::Tuple(items) | Constant::FrozenSet(items) => !items.is_empty(),
    }
}

/// The value of a unary operation.
pub(crate) fn unary<'a>(arena: &'a Bump, op: UnaryOp, operand: &Constant<'a>) -> Option<Constant<'a>> {
    if op == UnaryOp::Not {
        return Some(bool_constant(!is_true(operand)));
    }
    match (op, number(operand)?) {
        (UnaryOp::Invert, Number::Int(i)) => int(arena, &!i),
        (UnaryOp::UAdd, Number::Int(i)) => int(arena, &i),
        (UnaryOp::USub, Number::Int(i)) => int(arena, &-i),
        (UnaryOp::UAdd, Number::Float(f)) => Some(Constant::Float(f)),
        (UnaryOp::USub, Number::Float(f)) => Some(Constant::Float(-f)),
        (UnaryOp::UAdd, Number::Complex(real, imag)) => Some(Constant::Complex { real, imag }),
        (UnaryOp::USub, Number::Complex(real, imag)) => Some(Constant::Complex { real: -real, imag: -imag }),
        _ => None,
    }
}

/// The value of a binary operation.
pub(crate) fn binary<'a>(
    arena: &'a Bump,
    op: Operator,
    left: &Constant<'a>,
    right: &Constant<'a>,
) -> Option<Constant<'a>> {
    match (op, left, right) {
        (Operator::Add, Constant::Str(a), Constant::Str(b)) => {
            return Some(Constant::Str(concat(arena, a, b)));
        }
        (Operator::Add, Constant::Bytes(a), Constant::Bytes(b)) => return Some(Constant::Bytes(concat(arena, a, b))),
        (Operator::Add, Constant::Tuple(a), Constant::Tuple(b)) => return Some(Constant::Tuple(concat(arena, a, b))),
        (Operator::Mult, sequence, n) | (Operator::Mult, n, sequence) if is_sequence(sequence) => {
            return repeat(arena, sequence, n);
        }
        _ => {}
    }
    let both_bool = |c: &Constant<'_>| matches!(c, Constant::True | Constant::False);
    if both_bool(left) && both_bool(right) {
        let (a, b) = (is_true(left), is_true(right));
        match op {
            Operator::BitAnd => return Some(bool_constant(a & b)),
            Operator::BitOr => return Some(bool_constant(a | b)),
            Operator::BitXor => return Some(bool_constant(a ^ b)),
            _ => {}
        }
    }
    match (number(left)?, number(right)?) {
        (Number::Int(a), Number::Int(b)) => int_binary(arena, op, &a, &b),
        (Number::Complex(a, b), right) => complex_binary(op, (a, b), as_complex(right)?),
        (left, Number::Complex(c, d)) => complex_binary(op, as_complex(left)?, (c, d)),
        (left, right) => float_binary(op, as_float(left)?, as_float(right)?),
    }
}

fn as_float(n: Number) -> Option<f64> {
    match n {
        Number::Int(i) => big_to_float(&i),
        Number::Float(f) => Some(f),
        Number::Complex(..) => None,
    }
}

fn as_complex(n: Number) -> Option<(f64, f64)> {
    match n {
        Number::Complex(real, imag) => Some((real, imag)),
        n => Some((as_float(n)?, 0.0)),
    }
}

fn concat<'a, T: Copy>(arena: &'a Bump, a: &[T], b: &[T]) -> &'a [T] {
    let mut out = bumpalo::collections::Vec::with_capacity_in(a.len() + b.len(), arena);
    out.extend_from_slice_copy(a);
    out.extend_from_slice_copy(b);
    out.into_bump_slice()
}

fn is_sequence(c: &Constant<'_>) -> bool {
    matches!(c, Constant::Str(_) | Constant::Bytes(_) | Constant::Tuple(_))
}

/// Items left of the limit after those of a constant, nested ones included.
fn check_complexity(c: &Constant<'_>, mut limit: isize) -> isize {
    if let Constant::Tuple(items) = c {
        limit -= items.len() as isize;
        for item in *items {
            if limit < 0 {
                break;
            }
            limit = check_complexity(item, limit);
        }
    }
    limit
}

fn repeat<'a>(arena: &'a Bump, sequence: &Constant<'a>, n: &Constant<'_>) -> Option<Constant<'a>> {
    let n = match n {
        Constant::False => 0,
        Constant::True => 1,
        Constant::Int(Int::Small(n)) => *n,
        _ => return None,
    };
    let (size, limit) = match sequence {
        Constant::Str(s) => (char_count(s), MAX_STR_SIZE),
        Constant::Bytes(b) => (b.len(), MAX_STR_SIZE),
        Constant::Tuple(items) => (items.len(), MAX_COLLECTION_SIZE),
        _ => return None,
    };
    if size == 0 {
        return Some(*sequence);
    }
    if n < 0 || n > (limit / size) as i64 {
        return None;
    }
    if n > 0
        && let Constant::Tuple(_) = sequence
        && check_complexity(sequence, MAX_TOTAL_ITEMS / n as isize) < 0
    {
        return None;
    }
    let n = n as usize;
    Some(match sequence {
        Constant::Str(s) => Constant::Str(arena.alloc_slice_copy(&s.repeat(n))),
        Constant::Bytes(b) => Constant::Bytes(arena.alloc_slice_copy(&b.repeat(n))),
        Constant::Tuple(items) => Constant::Tuple(arena.alloc_slice_copy(&items.repeat(n))),
        _ => return None,
    })
}

/// Characters of a generalised UTF-8 string.
pub(crate) fn char_count(s: &[u8]) -> usize {
    s.iter().filter(|b| **b & 0xC0 != 0x80).count()
}

/// The bytes of the character at an index.
pub(crate) fn char_at(s: &[u8], index: usize) -> Option<&[u8]> {
    let mut starts = s.iter().enumerate().filter(|(_, b)| **b & 0xC0 != 0x80).map(|(i, _)| i);
    let start = starts.nth(index)?;
    let end = starts.next().unwrap_or(s.len());
    Some(&s[start..end])
}

fn int_binary<'a>(arena: &'a Bump, op: Operator, a: &BigInt, b: &BigInt) -> Option<Constant<'a>> {
    let zero = |i: &BigInt| i.sign() == Sign::NoSign;
    match op {
        Operator::Add => int(arena, &(a + b)),
        Operator::Sub => int(arena, &(a - b)),
        Operator::Mult => {
            if !zero(a) && !zero(b) && a.bits() + b.bits() > MAX_INT_SIZE {
                return None;
            }
            int(arena, &(a * b))
        }
        Operator::Div => int_true_divide(a, b).map(Constant::Float),
        Operator::FloorDiv => (!zero(b)).then(|| floor_div_mod(a, b).0).and_then(|q| int(arena, &q)),
        Operator::Mod => (!zero(b)).then(|| floor_div_mod(a, b).1).and_then(|r| int(arena, &r)),
        Operator::Pow => {
            if b.sign() == Sign::Minus {
                return float_power(big_to_float(a)?, big_to_float(b)?);
            }
            if zero(b) {
                return Some(Constant::Int(Int::Small(1)));
            }
            if zero(a) {
                return Some(Constant::Int(Int::Small(0)));
            }
            let exponent = u64::try_from(b).ok()?;
            if a.bits() > MAX_INT_SIZE / exponent {
                return None;
            }
            int(arena, &a.pow(exponent as u32))
        }
        Operator::LShift => {
            if b.sign() == Sign::Minus {
                return None;
            }
            if zero(a) {
                return Some(Constant::Int(Int::Small(0)));
            }
            let shift = u64::try_from(b).ok()?;
            if shift > MAX_INT_SIZE || a.bits() > MAX_INT_SIZE - shift {
                // A shift by nothing is no limit's business.
                return if shift == 0 { int(arena, a) } else { None };
            }
            int(arena, &(a << shift))
        }
        Operator::RShift => {
            if b.sign() == Sign::Minus {
                return None;
            }
            match u64::try_from(b) {
                Ok(shift) => int(arena, &(a >> shift)),
                Err(_) => Some(Constant::Int(Int::Small(if a.sign() == Sign::Minus { -1 } else { 0 }))),
            }
        }
        Operator::BitOr => int(arena, &(a | b)),
        Operator::BitXor => int(arena, &(a ^ b)),
        Operator::BitAnd => int(arena, &(a & b)),
        Operator::MatMult => None,
    }
}

/// Division that rounds down; the divisor isn't zero.
fn floor_div_mod(a: &BigInt, b: &BigInt) -> (BigInt, BigInt) {
    let mut quotient = a / b;
    let mut remainder = a - &quotient * b;
    if remainder.sign() != Sign::NoSign && remainder.sign() != b.sign() {
        quotient -= 1;
        remainder += b;
    }
    (quotient, remainder)
}

/// Correctly rounded.
fn int_true_divide(a: &BigInt, b: &BigInt) -> Option<f64> {
    if b.sign() == Sign::NoSign {
        return None;
    }
    let negative = (a.sign() == Sign::Minus) != (b.sign() == Sign::Minus);
    if a.sign() == Sign::NoSign {
        return Some(if negative { -0.0 } else { 0.0 });
    }
    let (a, b) = (a.magnitude(), b.magnitude());
    let exact = 1u64 << 53;
    let value = if a.bits() <= 53 && b.bits() <= 53 {
        let a = a.iter_u64_digits().next().unwrap_or(0).min(exact);
        let b = b.iter_u64_digits().next().unwrap_or(1).min(exact);
        a as f64 / b as f64
    } else {
        // A quotient of 60 bits or so, whose lowest tells whether there is more.
        let shift = b.bits() as i64 - a.bits() as i64 + 60;
        let (a, b) = if shift >= 0 { (a << shift as u64, b.clone()) } else { (a.clone(), b << (-shift) as u64) };
        let quotient = &a / &b;
        let sticky = &quotient * &b != a;
        let bits = quotient.iter_u64_digits().next().unwrap_or(0) | u64::from(sticky);
        if shift.abs() > 1100 {
            return if shift > 0 { Some(if negative { -0.0 } else { 0.0 }) } else { None };
        }
        // In two steps, as neither power alone need be representable.
        let half = -shift as i32 / 2;
        bits as f64 * 2f64.powi(half) * 2f64.powi(-shift as i32 - half)
    };
    let value = if negative { -value } else { value };
    value.is_finite().then_some(value)
}

fn float_binary<'a>(op: Operator, a: f64, b: f64) -> Option<Constant<'a>> {
    let value = match op {
        Operator::Add => a + b,
        Operator::Sub => a - b,
        Operator::Mult => a * b,
        Operator::Div if b != 0.0 => a / b,
        Operator::FloorDiv if b != 0.0 => float_div_mod(a, b).0,
        Operator::Mod if b != 0.0 => float_div_mod(a, b).1,
        Operator::Pow => return float_power(a, b),
        _ => return None,
    };
    Some(Constant::Float(value))
}

fn float_div_mod(a: f64, b: f64) -> (f64, f64) {
    let mut modulo = a % b;
    let mut quotient = (a - modulo) / b;
    if modulo != 0.0 {
        if (b < 0.0) != (modulo < 0.0) {
            modulo += b;
            quotient -= 1.0;
        }
    } else {
        modulo = 0f64.copysign(b);
    }
    let floor = if quotient != 0.0 {
        let floor = quotient.floor();
        if quotient - floor > 0.5 { floor + 1.0 } else { floor }
    } else {
        0f64.copysign(a / b)
    };
    (floor, modulo)
}

fn float_power<'a>(a: f64, b: f64) -> Option<Constant<'a>> {
    if a == 0.0 && b < 0.0 {
        return None;
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b != b.floor() {
        return complex_power((a, 0.0), (b, 0.0));
    }
    let value = a.powf(b);
    if value.is_infinite() && a.is_finite() && b.is_finite() {
        return None;
    }
    Some(Constant::Float(value))
}

type Complex = (f64, f64);

fn complex_binary<'a>(op: Operator, a: Complex, b: Complex) -> Option<Constant<'a>> {
    let (real, imag) = match op {
        Operator::Add => (a.0 + b.0, a.1 + b.1),
        Operator::Sub => (a.0 - b.0, a.1 - b.1),
        Operator::Mult => complex_multiply(a, b),
        Operator::Div => complex_divide(a, b)?,
        Operator::Pow => return complex_power(a, b),
        _ => return None,
    };
    Some(Constant::Complex { real, imag })
}

fn complex_multiply(a: Complex, b: Complex) -> Complex {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

/// By the larger part of the divisor, so that nothing overflows needlessly.
fn complex_divide(a: Complex, b: Complex) -> Option<Complex> {
    let (abs_real, abs_imag) = (b.0.abs(), b.1.abs());
    if abs_real >= abs_imag {
        if abs_real == 0.0 {
            return None;
        }
        let ratio = b.1 / b.0;
        let denominator = b.0 + b.1 * ratio;
        Some(((a.0 + a.1 * ratio) / denominator, (a.1 - a.0 * ratio) / denominator))
    } else if abs_imag >= abs_real {
        let ratio = b.0 / b.1;
        let denominator = b.0 * ratio + b.1;
        Some(((a.0 * ratio + a.1) / denominator, (a.1 * ratio - a.0) / denominator))
    } else {
        Some((f64::NAN, f64::NAN))
    }
}

fn complex_power<'a>(a: Complex, b: Complex) -> Option<Constant<'a>> {
    let is_small_int = b.1 == 0.0 && b.0 == b.0.floor() && b.0.abs() <= 100.0;
    let (real, imag) = if is_small_int {
        let n = b.0 as i64;
        if n > 0 {
            complex_int_power(a, n as u64)
        } else {
            complex_divide((1.0, 0.0), complex_int_power(a, n.unsigned_abs()))?
        }
    } else if b == (0.0, 0.0) {
        (1.0, 0.0)
    } else if a == (0.0, 0.0) {
        if b.1 != 0.0 || b.0 < 0.0 {
            return None;
        }
        (0.0, 0.0)
    } else {
        let abs = a.0.hypot(a.1);
        let mut length = abs.powf(b.0);
        let angle = a.1.atan2(a.0);
        let mut phase = angle * b.0;
        if b.1 != 0.0 {
            length *= (-angle * b.1).exp();
            phase += b.1 * abs.ln();
        }
        (length * phase.cos(), length * phase.sin())
    };
    (real.is_finite() && imag.is_finite()).then_some(Constant::Complex { real, imag })
}

fn complex_int_power(a: Complex, n: u64) -> Complex {
    let mut result = (1.0, 0.0);
    let mut power = a;
    let mut mask = 1;
    while mask > 0 && n >= mask {
        if n & mask != 0 {
            result = complex_multiply(result, power);
        }
        mask <<= 1;
        power = complex_multiply(power, power);
    }
    result
}

/// The value of a subscription.
pub(crate) fn subscript<'a>(value: &Constant<'a>, index: &Constant<'_>) -> Option<Constant<'a>> {
    let index = match index {
        Constant::False => 0,
        Constant::True => 1,
        Constant::Int(Int::Small(i)) => *i,
        _ => return None,
    };
    let len = match value {
        Constant::Str(s) => char_count(s),
        Constant::Bytes(b) => b.len(),
        Constant::Tuple(items) => items.len(),
        _ => return None,
    } as i64;
    let index = if index < 0 { index.checked_add(len)? } else { index };
    let index = usize::try_from(index).ok().filter(|i| (*i as i64) < len)?;
    match *value {
        Constant::Str(s) => char_at(s, index).map(Constant::Str),
        Constant::Bytes(b) => b.get(index).map(|b| Constant::Int(Int::Small(i64::from(*b)))),
        Constant::Tuple(items) => items.get(index).copied(),
        _ => None,
    }
}

/// Equal as Python's `==` has it: numbers of all types by value.
pub(crate) fn py_equal(a: &Constant<'_>, b: &Constant<'_>) -> bool {
    match (a, b) {
        (Constant::Str(a), Constant::Str(b)) | (Constant::Bytes(a), Constant::Bytes(b)) => a == b,
        (Constant::Tuple(a), Constant::Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| py_equal(x, y))
        }
        (Constant::FrozenSet(a), Constant::FrozenSet(b)) => {
            a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| py_equal(x, y)))
        }
        (Constant::None, Constant::None) | (Constant::Ellipsis, Constant::Ellipsis) => true,
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => number_equal(a, b),
            _ => false,
        },
    }
}

fn number_equal(a: Number, b: Number) -> bool {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => a == b,
        (Number::Float(a), Number::Float(b)) => a == b,
        (Number::Complex(a, b), Number::Complex(c, d)) => a == c && b == d,
        (Number::Int(i), Number::Float(f)) | (Number::Float(f), Number::Int(i)) => {
            float_to_big(f).is_some_and(|f| f == i)
        }
        (Number::Complex(real, imag), other) | (other, Number::Complex(real, imag)) => {
            imag == 0.0 && number_equal(Number::Float(real), other)
        }
    }
}

/// Hashes equal constants alike.
fn py_hash(c: &Constant<'_>) -> u64 {
    use crate::names::{hash_bytes, mix};
    let of_float = |f: f64| {
        if f.fract() == 0.0 && f.abs() < 9e18 { mix(1, f as i64 as u64) } else { 2 }
    };
    match c {
        Constant::False => mix(1, 0),
        Constant::True => mix(1, 1),
        // Large integers and other floats are few: they share one value.
        Constant::Int(Int::Small(i)) if i.unsigned_abs() < 9_000_000_000_000_000_000 => mix(1, *i as u64),
        Constant::Int(_) => 2,
        Constant::Float(f) => of_float(*f),
        Constant::Complex { real, imag } => if *imag == 0.0 { of_float(*real) } else { 3 },
        Constant::Str(s) => mix(4, hash_bytes(s)),
        Constant::Bytes(b) => mix(5, hash_bytes(b)),
        Constant::Tuple(items) => items.iter().fold(6, |h, c| mix(h, py_hash(c))),
        Constant::FrozenSet(items) => items.iter().fold(7, |h: u64, c| h.wrapping_add(py_hash(c))),
        Constant::None => 8,
        Constant::Ellipsis => 9,
    }
}

/// The frozenset of some constants: of equal ones the first is kept.
pub(crate) fn frozenset<'a>(arena: &'a Bump, items: &[Constant<'a>]) -> Constant<'a> {
    let mut unique: bumpalo::collections::Vec<'a, Constant<'a>> = bumpalo::collections::Vec::new_in(arena);
    if items.len() <= 16 {
        for item in items {
            if !unique.iter().any(|other| py_equal(other, item)) {
                unique.push(*item);
            }
        }
    } else {
        let mut buckets: HashMap<u64, Vec<usize>> = HashMap::new();
        for item in items {
            let bucket = buckets.entry(py_hash(item)).or_default();
            if !bucket.iter().any(|i| py_equal(&unique[*i], item)) {
                bucket.push(unique.len());
                unique.push(*item);
            }
        }
    }
    Constant::FrozenSet(unique.into_bump_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(i: i64) -> Constant<'static> {
        Constant::Int(Int::Small(i))
    }

    #[test]
    fn integers() {
        let arena = Bump::new();
        let op = |op, a, b| binary(&arena, op, &small(a), &small(b));
        assert_eq!(op(Operator::FloorDiv, -7, 2), Some(small(-4)));
        assert_eq!(op(Operator::Mod, -7, 2), Some(small(1)));
        assert_eq!(op(Operator::Mod, 7, -2), Some(small(-1)));
        assert_eq!(op(Operator::Div, 1, 0), None);
        assert_eq!(op(Operator::Div, 1, 3), Some(Constant::Float(1.0 / 3.0)));
        assert_eq!(op(Operator::Pow, 2, -1), Some(Constant::Float(0.5)));
        assert!(op(Operator::Pow, 2, 64).is_some_and(|c| matches!(c, Constant::Int(Int::Big { .. }))));
        assert_eq!(op(Operator::Pow, 2, 200), None);
        assert_eq!(op(Operator::LShift, 1, 200), None);
        assert_eq!(op(Operator::RShift, -5, 1), Some(small(-3)));
        let big = op(Operator::LShift, 1, 100).unwrap();
        assert_eq!(big, Constant::Int(Int::Big { negative: false, digits: &[0, 0, 0, 1 << 10] }));
        assert_eq!(binary(&arena, Operator::RShift, &big, &small(98)), Some(small(4)));
        assert_eq!(binary(&arena, Operator::Sub, &big, &big), Some(small(0)));
        assert_eq!(binary(&arena, Operator::Div, &big, &small(3)), Some(Constant::Float(4.2255020007607644e29)));
    }

    #[test]
    fn sequences_and_sets() {
        let arena = Bump::new();
        assert_eq!(binary(&arena, Operator::Mult, &Constant::Str(b"ab"), &small(2)), Some(Constant::Str(b"abab")));
        assert_eq!(binary(&arena, Operator::Mult, &Constant::Str(b"ab"), &small(5000)), None);
        assert_eq!(binary(&arena, Operator::Mult, &Constant::Str(b"ab"), &small(-1)), None);
        assert_eq!(subscript(&Constant::Str("aé".as_bytes()), &small(-1)), Some(Constant::Str("é".as_bytes())));
        assert_eq!(subscript(&Constant::Bytes(b"a"), &small(1)), None);
        let set = frozenset(&arena, &[small(1), Constant::True, Constant::Float(1.0), Constant::Str(b"1")]);
        assert_eq!(set, Constant::FrozenSet(&[small(1), Constant::Str(b"1")]));
    }
}
