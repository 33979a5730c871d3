//! Doubles to text and back, correctly rounded, in the forms of `repr`, `%` formatting and `float()`.

#![allow(missing_docs, reason = "exported functions are documented by CPython's C API manual")]

use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;

/// Flag of [`double_to_string`]: a negative zero loses its sign.
pub const Py_DTSF_NO_NEG_0: c_int = 0x08;

/// The decimal digits of a finite, non-negative number, without trailing zeros, and where the point belongs among them.
struct Decimal {
    digits: Vec<u8>,
    point: i64,
}

/// From text like `1.5e-7`.
fn from_scientific(text: &str) -> Decimal {
    let (mantissa, exp) = text.split_once('e').unwrap_or((text, "0"));
    let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    while digits.len() > 1 && digits.last() == Some(&b'0') {
        digits.pop();
    }
    let exp: i64 = exp.parse().unwrap_or(0);
    if digits == b"0" { Decimal { digits, point: 1 } } else { Decimal { digits, point: exp + 1 } }
}

/// The shortest digits that read back as `x`.
fn shortest(x: f64) -> Decimal {
    from_scientific(&format!("{x:e}"))
}

/// `n` significant digits. No double has more than 767.
fn significant(x: f64, n: usize) -> Decimal {
    from_scientific(&format!("{:.*e}", n.clamp(1, 800) - 1, x))
}

/// Digits up to the `n`-th after the point. No double has more than 1074.
fn fixed(x: f64, n: usize) -> Decimal {
    let text = format!("{:.*}", n.min(1100), x);
    let (int, frac) = text.split_once('.').unwrap_or((&text, ""));
    let all: Vec<u8> = int.bytes().chain(frac.bytes()).collect();
    let zeros = all.iter().take_while(|&&c| c == b'0').count();
    let mut digits = all[zeros..].to_vec();
    while digits.last() == Some(&b'0') {
        digits.pop();
    }
    let point = if digits.is_empty() { -(n as i64) } else { int.len() as i64 - zeros as i64 };
    Decimal { digits, point }
}

/// Formats `x` after code `r` (repr), `e`, `f` or `g` (or a capital of the last three) as `PyOS_double_to_string` does;
/// `None` for a code or precision that makes no sense.
pub fn double_to_string(x: f64, code: u8, precision: c_int, flags: c_int) -> Option<String> {
    let upper = code.is_ascii_uppercase();
    let lower = code.to_ascii_lowercase();
    let mut precision = precision.max(0) as i64;
    if (upper && lower == b'r') || !matches!(lower, b'e' | b'f' | b'g' | b'r') {
        return None;
    }
    let mut out = String::new();
    let alternate = flags & Py_DTSF_ALT != 0;
    let add_dot_0 = flags & Py_DTSF_ADD_DOT_0 != 0;
    let sign = |out: &mut String, negative: bool| {
        if negative {
            out.push('-');
        } else if flags & Py_DTSF_SIGN != 0 {
            out.push('+');
        }
    };
    if !x.is_finite() {
        sign(&mut out, x == f64::NEG_INFINITY);
        out.push_str(match (x.is_nan(), upper) {
            (true, false) => "nan",
            (true, true) => "NAN",
            (false, false) => "inf",
            (false, true) => "INF",
        });
        return Some(out);
    }
    let magnitude = x.abs();
    let d = match lower {
        b'e' => {
            precision += 1;
            significant(magnitude, precision as usize)
        }
        b'f' => fixed(magnitude, precision as usize),
        b'g' => {
            precision = precision.max(1);
            significant(magnitude, precision as usize)
        }
        _ => {
            // repr takes no precision.
            if precision != 0 {
                return None;
            }
            shortest(magnitude)
        }
    };
    let is_zero = d.digits.is_empty() || d.digits == b"0";
    sign(&mut out, x.is_sign_negative() && !(is_zero && flags & Py_DTSF_NO_NEG_0 != 0));
    let n = d.digits.len() as i64;
    let mut point = d.point;
    // Digits wanted, counted from the first; zeros fill up.
    let mut end = n;
    let mut exponent = None;
    match lower {
        b'e' => {
            exponent = Some(point - 1);
            end = precision;
        }
        b'f' => end = point + precision,
        b'g' => {
            if point <= -4 || point > if add_dot_0 { precision - 1 } else { precision } {
                exponent = Some(point - 1);
            }
            if alternate {
                end = precision;
            }
        }
        _ => {
            if point <= -4 || point > 16 {
                exponent = Some(point - 1);
            }
        }
    }
    if exponent.is_some() {
        point = 1;
    }
    end = if exponent.is_none() && add_dot_0 { end.max(point + 1) } else { end.max(point) };
    let start = if point <= 0 { point - 1 } else { 0 };
    for i in start..end {
        if i == point {
            out.push('.');
        }
        out.push(if (0..n).contains(&i) { d.digits[i as usize] as char } else { '0' });
    }
    if end == point && alternate {
        out.push('.');
    }
    if let Some(e) = exponent {
        out.push(if upper { 'E' } else { 'e' });
        out.push(if e < 0 { '-' } else { '+' });
        out.push_str(&format!("{:02}", e.abs()));
    }
    Some(out)
}

/// `repr` of a float.
pub fn float_repr_string(x: f64) -> String {
    double_to_string(x, b'r', 0, Py_DTSF_ADD_DOT_0).unwrap_or_default()
}

/// Copies text to memory of `PyMem_Malloc`, NUL-terminated; NULL with MemoryError set.
pub(crate) unsafe fn to_c_string(text: &str) -> *mut c_char {
    // SAFETY: [GIL]
    unsafe {
        let p: *mut c_char = PyMem_Malloc(text.len() + 1).cast();
        if p.is_null() {
            PyErr_NoMemory();
            return null_mut();
        }
        core::ptr::copy_nonoverlapping(text.as_ptr().cast(), p, text.len());
        *p.add(text.len()) = 0;
        p
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_double_to_string(x: f64, code: c_char, precision: c_int, flags: c_int, kind: *mut c_int) -> *mut c_char {
    // SAFETY: [ARGS]
    unsafe {
        let Some(text) = double_to_string(x, code as u8, precision, flags) else {
            PyErr_BadInternalCall();
            return null_mut();
        };
        if !kind.is_null() {
            *kind = if x.is_nan() {
                Py_DTST_NAN
            } else if x.is_infinite() {
                Py_DTST_INFINITE
            } else {
                Py_DTST_FINITE
            };
        }
        to_c_string(&text)
    }
}

// --- From text ------------------------------------------------------------------------------------------------------

/// A sign and `inf`, `infinity` or `nan` in any case, and how long it is.
pub fn parse_inf_or_nan(s: &[u8]) -> Option<(f64, usize)> {
    let (negative, sign) = match s.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        _ => (false, 0),
    };
    let rest = &s[sign..];
    let starts = |word: &[u8]| rest.len() >= word.len() && rest[..word.len()].eq_ignore_ascii_case(word);
    let (x, n) = if starts(b"infinity") {
        (f64::INFINITY, 8)
    } else if starts(b"inf") {
        (f64::INFINITY, 3)
    } else if starts(b"nan") {
        (f64::NAN, 3)
    } else {
        return None;
    };
    Some((if negative { -x } else { x }, sign + n))
}

/// The number that `s` starts with, and how long its text is; 0 if there is none.
pub fn parse_double_prefix(s: &[u8]) -> (f64, usize) {
    let at = |i: usize| s.get(i).copied().unwrap_or(0);
    let mut i = matches!(at(0), b'+' | b'-') as usize;
    let start = i;
    while at(i).is_ascii_digit() {
        i += 1;
    }
    let mut count = i - start;
    if at(i) == b'.' {
        i += 1;
        let from = i;
        while at(i).is_ascii_digit() {
            i += 1;
        }
        count += i - from;
    }
    if count == 0 {
        return parse_inf_or_nan(s).unwrap_or((0.0, 0));
    }
    if at(i) | 0x20 == b'e' {
        let mut j = i + 1;
        if matches!(at(j), b'+' | b'-') {
            j += 1;
        }
        if at(j).is_ascii_digit() {
            while at(j).is_ascii_digit() {
                j += 1;
            }
            i = j;
        }
    }
    let text = core::str::from_utf8(&s[..i]).unwrap_or("0");
    (text.parse().unwrap_or(0.0), i)
}

/// Takes out underscores that stand between digits; `None` if one stands elsewhere.
pub fn strip_underscores(s: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    if !s.contains(&b'_') {
        return Some(s.into());
    }
    let mut out = Vec::with_capacity(s.len());
    for (i, &c) in s.iter().enumerate() {
        if c == b'_' {
            let digit = |c: Option<&u8>| c.is_some_and(u8::is_ascii_digit);
            if !(digit(i.checked_sub(1).and_then(|j| s.get(j))) && digit(s.get(i + 1))) {
                return None;
            }
        } else if c == 0 {
            return None;
        } else {
            out.push(c);
        }
    }
    Some(out.into())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_string_to_double(s: *const c_char, endptr: *mut *mut c_char, overflow_exception: *mut PyObject) -> f64 {
    // SAFETY: [ARGS]
    unsafe {
        let bytes = core::ffi::CStr::from_ptr(s).to_bytes();
        let (x, n) = parse_double_prefix(bytes);
        let spelled_out = bytes[..n].iter().any(u8::is_ascii_digit);
        let mut result = -1.0;
        if n == 0 || (endptr.is_null() && n != bytes.len()) {
            PyErr_Format(PyExc_ValueError, c"could not convert string to float: '%.200s'".as_ptr(), s);
        } else if x.is_infinite() && spelled_out && !overflow_exception.is_null() {
            PyErr_Format(overflow_exception, c"value too large to convert to float: '%.200s'".as_ptr(), s);
        } else {
            result = x;
        }
        if !endptr.is_null() {
            *endptr = s.cast_mut().add(n);
        }
        result
    }
}

// --- C's character classes and integers, free of the locale ---------------------------------------------------------

const PY_CTF_LOWER: u32 = 0x01;
const PY_CTF_UPPER: u32 = 0x02;
const PY_CTF_DIGIT: u32 = 0x04;
const PY_CTF_XDIGIT: u32 = 0x08;
const PY_CTF_SPACE: u32 = 0x10;

/// Classes of the ASCII characters.
#[unsafe(no_mangle)]
pub static _Py_ctype_table: [u32; 256] = {
    let mut t = [0; 256];
    let mut c = 0usize;
    while c < 128 {
        let b = c as u8;
        t[c] = if b.is_ascii_lowercase() { PY_CTF_LOWER } else { 0 }
            | if b.is_ascii_uppercase() { PY_CTF_UPPER } else { 0 }
            | if b.is_ascii_digit() { PY_CTF_DIGIT } else { 0 }
            | if b.is_ascii_hexdigit() { PY_CTF_XDIGIT } else { 0 }
            | if b == b' ' || (b >= 9 && b <= 13) { PY_CTF_SPACE } else { 0 };
        c += 1;
    }
    t
};

const fn case_table(lower: bool) -> [u8; 256] {
    let mut t = [0; 256];
    let mut c = 0usize;
    while c < 256 {
        t[c] = if lower { (c as u8).to_ascii_lowercase() } else { (c as u8).to_ascii_uppercase() };
        c += 1;
    }
    t
}

#[unsafe(no_mangle)]
pub static _Py_ctype_tolower: [u8; 256] = case_table(true);
#[unsafe(no_mangle)]
pub static _Py_ctype_toupper: [u8; 256] = case_table(false);

/// Compares without regard to case; at most `n` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_mystrnicmp(a: *const c_char, b: *const c_char, n: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS] both end with NUL or after n bytes.
    unsafe {
        for i in 0..n.max(0) as usize {
            let (x, y) = ((*a.add(i) as u8).to_ascii_lowercase(), (*b.add(i) as u8).to_ascii_lowercase());
            if x != y || x == 0 {
                return x as c_int - y as c_int;
            }
        }
        0
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_mystricmp(a: *const c_char, b: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyOS_mystrnicmp(a, b, isize::MAX) }
}

/// C's `strtoul` with Python's prefixes; ERANGE and the greatest value on overflow.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_strtoul(text: *const c_char, end: *mut *mut c_char, base: c_int) -> core::ffi::c_ulong {
    // SAFETY: [ARGS] NUL-terminated.
    unsafe {
        let s = core::ffi::CStr::from_ptr(text).to_bytes();
        let at = |i: usize| s.get(i).copied().unwrap_or(0);
        let mut i = 0;
        while matches!(at(i), b' ' | b'\t'..=b'\r') {
            i += 1;
        }
        let prefix = match (at(i), at(i + 1) | 0x20) {
            (b'0', b'x') => 16,
            (b'0', b'o') => 8,
            (b'0', b'b') => 2,
            _ => 0,
        };
        let mut radix = base;
        if prefix != 0 && (base == 0 || base == prefix) && (at(i + 2) as char).is_digit(prefix as u32) {
            radix = prefix;
            i += 2;
        } else if base == 0 {
            radix = 10;
        }
        let (mut value, mut overflow) = (0u64, false);
        while let Some(d) = (at(i) as char).to_digit(radix.clamp(2, 36) as u32) {
            match value.checked_mul(radix as u64).and_then(|v| v.checked_add(d as u64)) {
                Some(v) => value = v,
                None => overflow = true,
            }
            i += 1;
        }
        if !end.is_null() {
            *end = text.cast_mut().add(i);
        }
        if overflow {
            *libc::__errno_location() = libc::ERANGE;
            return u64::MAX;
        }
        value
    }
}

/// C's `strtol` with Python's prefixes; ERANGE and the greatest or least value on overflow.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_strtol(text: *const c_char, end: *mut *mut c_char, base: c_int) -> core::ffi::c_long {
    // SAFETY: [ARGS] NUL-terminated.
    unsafe {
        let mut p = text;
        while matches!(*p as u8, b' ' | b'\t'..=b'\r') {
            p = p.add(1);
        }
        let negative = *p as u8 == b'-';
        if matches!(*p as u8, b'+' | b'-') {
            p = p.add(1);
        }
        let value = PyOS_strtoul(p, end, base);
        if !negative && value <= i64::MAX as u64 {
            return value as i64;
        }
        if negative && value <= i64::MIN.unsigned_abs() {
            return (value as i64).wrapping_neg();
        }
        *libc::__errno_location() = libc::ERANGE;
        if negative { i64::MIN } else { i64::MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let check = |x, code, precision, flags, want: &str| {
            assert_eq!(double_to_string(x, code, precision, flags).as_deref(), Some(want));
        };
        check(1.0, b'r', 0, Py_DTSF_ADD_DOT_0, "1.0");
        check(1e16, b'r', 0, Py_DTSF_ADD_DOT_0, "1e+16");
        check(1e15, b'r', 0, Py_DTSF_ADD_DOT_0, "1000000000000000.0");
        check(1.5e-5, b'r', 0, Py_DTSF_ADD_DOT_0, "1.5e-05");
        check(0.0001, b'r', 0, Py_DTSF_ADD_DOT_0, "0.0001");
        check(-0.0, b'r', 0, Py_DTSF_ADD_DOT_0, "-0.0");
        check(5e-324, b'r', 0, 0, "5e-324");
        check(2.5, b'f', 0, 0, "2");
        check(3.5, b'f', 0, Py_DTSF_ALT, "4.");
        check(0.001, b'f', 2, 0, "0.00");
        check(0.0, b'e', 3, 0, "0.000e+00");
        check(123456.0, b'g', 6, 0, "123456");
        check(1234567.0, b'g', 6, 0, "1.23457e+06");
        check(1234567.0, b'G', 6, Py_DTSF_SIGN, "+1.23457E+06");
        check(100.0, b'g', 6, Py_DTSF_ALT, "100.000");
        check(0.0, b'g', 6, 0, "0");
        check(-0.001, b'f', 1, Py_DTSF_NO_NEG_0, "0.0");
        check(f64::NEG_INFINITY, b'F', 3, 0, "-INF");
        check(1e300, b'f', 1, 0, &format!("{:.1}", 1e300));
    }

    #[test]
    fn reading() {
        assert_eq!(parse_double_prefix(b"1.5e3x"), (1500.0, 5));
        assert_eq!(parse_double_prefix(b".5"), (0.5, 2));
        assert_eq!(parse_double_prefix(b"5."), (5.0, 2));
        assert_eq!(parse_double_prefix(b"1e"), (1.0, 1));
        assert_eq!(parse_double_prefix(b"-Infinityx"), (f64::NEG_INFINITY, 9));
        assert_eq!(parse_double_prefix(b"."), (0.0, 0));
        assert_eq!(parse_double_prefix(b"1e99999999999999999999").0, f64::INFINITY);
        assert!(strip_underscores(b"1__0").is_none() && strip_underscores(b"_1").is_none());
        assert_eq!(strip_underscores(b"1_0.0_1").as_deref(), Some(&b"10.01"[..]));
    }
}
