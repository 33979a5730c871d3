//! Integers to and from text.

use super::nat;
use super::*;
use crate::freelist::null;
use core::ffi::{c_char, c_int};

/// Value of each byte as a digit; 37 for what is none.
#[unsafe(no_mangle)]
pub static _PyLong_DigitValue: [u8; 256] = {
    let mut t = [37u8; 256];
    let mut c = 0;
    while c < 36 {
        if c < 10 {
            t[b'0' as usize + c] = c as u8;
        } else {
            t[b'a' as usize + c - 10] = c as u8;
            t[b'A' as usize + c - 10] = c as u8;
        }
        c += 1;
    }
    t
};

/// `max_str_digits`, 0 for no limit.
fn max_str_digits() -> usize {
    // SAFETY: [GIL]
    unsafe { MAX_STR_DIGITS.max(0) as usize }
}

#[cold]
fn too_many_digits_out(max: usize) -> Raised {
    raise!(
        PyExc_ValueError,
        "Exceeds the limit ({} digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit",
        max
    )
}

/// The value in `base` 2 to 36 as ASCII; `prefix` adds `0b`, `0o` or `0x`. Decimal text obeys the limit on digits.
///
/// # Safety
/// `v` is an int.
pub unsafe fn long_to_text(v: *mut PyLongObject, base: u32, prefix: bool) -> PyResult<String> {
    // SAFETY: [TYPE]
    let (d, negative) = unsafe { (digits(v), is_negative(v)) };
    let mut out = String::new();
    if negative {
        out.push('-');
    }
    if prefix {
        out.push_str(match base {
            2 => "0b",
            8 => "0o",
            16 => "0x",
            _ => "",
        });
    }
    if d.len() <= 2 {
        let m = d.iter().rev().fold(0u64, |m, &x| m << PyLong_SHIFT | x as u64);
        use core::fmt::Write;
        // Writing to a String doesn't fail.
        let _ = match base {
            10 => write!(out, "{m}"),
            16 => write!(out, "{m:x}"),
            8 => write!(out, "{m:o}"),
            2 => write!(out, "{m:b}"),
            _ => {
                out.push_str(core::str::from_utf8(&nat::to_radix(&[m], base)).unwrap_or_default());
                Ok(())
            }
        };
        return Ok(out);
    }
    if base.is_power_of_two() {
        binary_digits(d, base.trailing_zeros(), &mut out);
        return Ok(out);
    }
    let max = max_str_digits();
    if base == 10 && max > 0 && d.len() >= 10 * _PY_LONG_MAX_STR_DIGITS_THRESHOLD as usize / (3 * PyLong_SHIFT as usize) + 2 {
        // Refuse before the work is done if it is certain that the text is too long.
        if max / (3 * PyLong_SHIFT as usize) <= (d.len() - 11) / 10 {
            return Err(too_many_digits_out(max));
        }
    }
    let text = nat::to_radix(&nat::from_digits(d), base);
    if base == 10 && max > 0 && text.len() > _PY_LONG_MAX_STR_DIGITS_THRESHOLD as usize && text.len() > max {
        return Err(too_many_digits_out(max));
    }
    out.push_str(core::str::from_utf8(&text).unwrap_or_default());
    Ok(out)
}

/// Digits of `bits` bits each.
fn binary_digits(d: &[u32], bits: u32, out: &mut String) {
    let mut text = Vec::with_capacity(d.len() * PyLong_SHIFT as usize / bits as usize + 1);
    let (mut acc, mut have) = (0u64, 0);
    for (i, &x) in d.iter().enumerate() {
        acc |= (x as u64) << have;
        have += PyLong_SHIFT;
        let last = i + 1 == d.len();
        while if last { acc != 0 } else { have >= bits } {
            text.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(acc & ((1 << bits) - 1)) as usize]);
            acc >>= bits;
            have = have.saturating_sub(bits);
        }
    }
    out.extend(text.iter().rev().map(|&c| c as char));
}

fn str_object(text: &str) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t) }
}

/// `repr(int)`.
pub(super) unsafe extern "C" fn long_repr(v: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        if is_compact(v.cast()) {
            // A digit has at most ten decimal ones.
            let mut buf = [0u8; 12];
            let value = compact_value(v.cast());
            let (mut m, mut at) = (value.unsigned_abs(), buf.len());
            loop {
                at -= 1;
                buf[at] = b'0' + (m % 10) as u8;
                m /= 10;
                if m == 0 {
                    break;
                }
            }
            if value < 0 {
                at -= 1;
                buf[at] = b'-';
            }
            return PyUnicode_FromStringAndSize(buf[at..].as_ptr().cast(), (buf.len() - at) as Py_ssize_t);
        }
        _PyLong_Format(v, 10)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_Format(v: *mut PyObject, base: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyLong_Check(v) == 0 || !(2..=36).contains(&base) {
            PyErr_BadInternalCall();
            return null_mut();
        }
        match long_to_text(v.cast(), base as u32, base != 10) {
            Ok(text) => str_object(&text),
            Err(_) => null_mut(),
        }
    }
}

/// Writes the value to a unicode writer; `alternate` adds the base's prefix.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_FormatWriter(writer: *mut _PyUnicodeWriter, v: *mut PyObject, base: c_int, alternate: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match long_to_text(v.cast(), base as u32, alternate != 0) {
            Ok(text) => _PyUnicodeWriter_WriteASCIIString(writer, text.as_ptr().cast(), text.len() as Py_ssize_t),
            Err(_) => -1,
        }
    }
}

// --- From text ------------------------------------------------------------------------------------------------------

/// What keeps a text from being an integer.
pub enum ParseError {
    /// It isn't one: how far it was read.
    Syntax(usize),
    /// An exception is set.
    Raised(Raised),
}

fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t'..=b'\r')
}

/// Reads an integer literal: spaces, sign, prefix, digits with single underscores between them, spaces. Gives the int, how
/// far it read, and the base to name in an error.
pub fn parse_long(text: &[u8], mut base: u32) -> (Result<Owned, ParseError>, usize, u32) {
    let at = |i: usize| text.get(i).copied().unwrap_or(0);
    let mut i = 0;
    while is_space(at(i)) {
        i += 1;
    }
    let negative = at(i) == b'-';
    if matches!(at(i), b'+' | b'-') {
        i += 1;
    }
    let mut only_zero = false;
    let prefix = if at(i) == b'0' {
        match at(i + 1) | 0x20 {
            b'x' => 16,
            b'o' => 8,
            b'b' => 2,
            _ => 0,
        }
    } else {
        0
    };
    if base == 0 {
        // A leading zero without prefix was an octal literal once: only zero may have it.
        only_zero = at(i) == b'0' && prefix == 0;
        base = if prefix != 0 { prefix } else { 10 };
    }
    if prefix == base && prefix != 0 {
        i += 2;
        if at(i) == b'_' {
            i += 1;
        }
    }
    let shown = |failed: bool| if failed && only_zero { 0 } else { base };
    let start = i;
    let mut values: Vec<u8> = Vec::with_capacity(text.len() - i.min(text.len()));
    let mut underscore = true;
    loop {
        let c = at(i);
        if c == b'_' {
            if underscore {
                // At the start, or two in a row.
                return (Err(ParseError::Syntax(i)), i, shown(true));
            }
            underscore = true;
        } else {
            let v = _PyLong_DigitValue[c as usize];
            if v as u32 >= base {
                break;
            }
            values.push(v);
            underscore = false;
        }
        i += 1;
    }
    if underscore {
        // No digit, or an underscore last.
        return (Err(ParseError::Syntax(i)), if i > start { i - 1 } else { i }, shown(true));
    }
    while is_space(at(i)) {
        i += 1;
    }
    if i != text.len() {
        return (Err(ParseError::Syntax(i)), i, shown(true));
    }
    let max = max_str_digits();
    if !base.is_power_of_two() && max > 0 && values.len() > _PY_LONG_MAX_STR_DIGITS_THRESHOLD as usize && values.len() > max {
        let e = raise!(
            PyExc_ValueError,
            "Exceeds the limit ({} digits) for integer string conversion: value has {} digits; use sys.set_int_max_str_digits() to increase the limit",
            max,
            values.len()
        );
        return (Err(ParseError::Raised(e)), i, base);
    }
    if only_zero && values.iter().any(|&v| v != 0) {
        return (Err(ParseError::Syntax(i)), i, 0);
    }
    (value_of(&values, base, negative).map_err(ParseError::Raised), i, shown(true))
}

fn value_of(values: &[u8], base: u32, negative: bool) -> PyResult<Owned> {
    let raw = if values.len() <= 12 {
        let m = values.iter().fold(0u64, |m, &v| m.wrapping_mul(base as u64) + v as u64);
        long_from_i64(if negative { -(m as i64) } else { m as i64 })
    } else if base.is_power_of_two() {
        let bits = base.trailing_zeros();
        let mut out = Vec::with_capacity(values.len() * bits as usize / PyLong_SHIFT as usize + 1);
        let (mut acc, mut have) = (0u64, 0);
        for &v in values.iter().rev() {
            acc |= (v as u64) << have;
            have += bits;
            if have >= PyLong_SHIFT {
                out.push(acc as u32 & PyLong_MASK);
                acc >>= PyLong_SHIFT;
                have -= PyLong_SHIFT;
            }
        }
        out.push(acc as u32);
        long_from_digits(negative, &out)
    } else {
        long_from_nat(negative, &nat::from_radix(values, base))
    };
    // SAFETY: [OWN]
    unsafe { Owned::from_owned_or_err(raw) }
}

#[cold]
unsafe fn invalid_literal(base: u32, shown: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_Format(PyExc_ValueError, c"invalid literal for int() with base %d: %.200R".as_ptr(), base as c_int, shown);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromString(text: *const c_char, pend: *mut *mut c_char, base: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if (base != 0 && base < 2) || base > 36 {
            return null(raise!(PyExc_ValueError, "int() arg 2 must be >= 2 and <= 36"));
        }
        let bytes = core::ffi::CStr::from_ptr(text).to_bytes();
        let (result, end, shown_base) = parse_long(bytes, base as u32);
        // Only the error values of limits leave pend alone.
        if !pend.is_null() && !matches!(result, Err(ParseError::Raised(_))) {
            *pend = text.cast_mut().add(end);
        }
        match result {
            Ok(v) => v.into_raw(),
            Err(ParseError::Raised(_)) => null_mut(),
            Err(ParseError::Syntax(_)) => {
                let shown = PyUnicode_FromStringAndSize(text, bytes.len().min(200) as Py_ssize_t);
                if !shown.is_null() {
                    invalid_literal(shown_base, shown);
                    Py_DECREF(shown);
                }
                null_mut()
            }
        }
    }
}

/// `int()` of bytes, which need not be NUL-terminated.
pub(super) unsafe fn long_from_text(bytes: &[u8], base: u32, source: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let (result, _, _) = parse_long(bytes, base);
        match result {
            Ok(v) => Ok(v),
            Err(ParseError::Raised(e)) => Err(e),
            Err(ParseError::Syntax(_)) => {
                invalid_literal(base, source);
                Err(Raised::assume())
            }
        }
    }
}

/// `int()` of bytes.
///
/// # Safety
/// `s` holds `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_FromBytes(s: *const c_char, len: Py_ssize_t, base: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if (base != 0 && base < 2) || base > 36 {
            return null(raise!(PyExc_ValueError, "int() arg 2 must be >= 2 and <= 36"));
        }
        let bytes = core::slice::from_raw_parts(s.cast::<u8>(), len as usize);
        let (result, _, _) = parse_long(bytes, base as u32);
        match result {
            Ok(v) => v.into_raw(),
            Err(ParseError::Raised(_)) => null_mut(),
            Err(ParseError::Syntax(_)) => {
                let shown = PyBytes_FromStringAndSize(s, len.min(200));
                if !shown.is_null() {
                    invalid_literal(base as u32, shown);
                    Py_DECREF(shown);
                }
                null_mut()
            }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromUnicodeObject(u: *mut PyObject, base: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if (base != 0 && base < 2) || base > 36 {
            return null(raise!(PyExc_ValueError, "int() arg 2 must be >= 2 and <= 36"));
        }
        if PyUnicode_IS_ASCII(u) != 0 {
            let bytes = core::slice::from_raw_parts(PyUnicode_DATA(u).cast::<u8>(), PyUnicode_GET_LENGTH(u) as usize);
            return long_from_text(bytes, base as u32, u).into_c();
        }
        // Decimal digits and spaces of other scripts.
        let Ok(ascii) = Owned::from_owned_or_err(_PyUnicode_TransformDecimalAndSpaceToASCII(u)) else { return null_mut() };
        let p = ascii.as_ptr();
        let bytes = core::slice::from_raw_parts(PyUnicode_DATA(p).cast::<u8>(), PyUnicode_GET_LENGTH(p) as usize);
        long_from_text(bytes, base as u32, u).into_c()
    }
}

/// Sets the limit on digits; ValueError unless 0 or at least the threshold.
pub fn set_max_str_digits(maxdigits: c_int) -> PyResult<()> {
    if maxdigits != 0 && maxdigits < _PY_LONG_MAX_STR_DIGITS_THRESHOLD {
        bail!(PyExc_ValueError, "maxdigits must be 0 or larger than {}", _PY_LONG_MAX_STR_DIGITS_THRESHOLD);
    }
    // SAFETY: [GIL]
    unsafe { MAX_STR_DIGITS = maxdigits }
    Ok(())
}
