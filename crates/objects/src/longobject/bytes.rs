//! Integers to and from bytes in two's complement.

use super::*;
use core::ffi::{c_int, c_void};

/// Little-endian bytes, which may have leading zeros, as digits.
fn digits_from_bytes(bytes: impl ExactSizeIterator<Item = u8>) -> Vec<u32> {
    let mut out = Vec::with_capacity(bytes.len() * 8 / PyLong_SHIFT as usize + 1);
    let (mut acc, mut bits) = (0u64, 0);
    for b in bytes {
        acc |= (b as u64) << bits;
        bits += 8;
        if bits >= PyLong_SHIFT {
            out.push(acc as u32 & PyLong_MASK);
            acc >>= PyLong_SHIFT;
            bits -= PyLong_SHIFT;
        }
    }
    if acc != 0 {
        out.push(acc as u32);
    }
    out
}

/// The int that `bytes` stand for.
pub fn long_from_bytes(bytes: &[u8], little_endian: bool, is_signed: bool) -> *mut PyObject {
    let top = if little_endian { bytes.last() } else { bytes.first() };
    let negative = is_signed && top.is_some_and(|b| b & 0x80 != 0);
    if bytes.len() <= 8 {
        let fold = |v: u64, b: &u8| v << 8 | *b as u64;
        let raw = if little_endian { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) };
        if negative {
            let unused = 64 - 8 * bytes.len() as u32;
            return long_from_i64((raw << unused) as i64 >> unused);
        }
        return long_from_u64(raw);
    }
    let mut carry = negative;
    let mut flip = |b: u8| {
        if !negative {
            return b;
        }
        let (x, c) = (!b).overflowing_add(carry as u8);
        carry = c;
        x
    };
    let digits = if little_endian {
        digits_from_bytes(bytes.iter().map(|&b| flip(b)))
    } else {
        digits_from_bytes(bytes.iter().rev().map(|&b| flip(b)))
    };
    // The most negative number's magnitude has one more bit than the bytes.
    if negative && carry {
        let mut d = vec![0; bytes.len() * 8 / PyLong_SHIFT as usize];
        d.push(1 << (bytes.len() * 8 % PyLong_SHIFT as usize));
        return long_from_digits(true, &d);
    }
    long_from_digits(negative, &digits)
}

/// Writes the low bytes of the value in two's complement; `false` if some of it, or its sign, is lost.
///
/// # Safety
/// `v` is an int.
pub unsafe fn long_to_bytes(v: *mut PyLongObject, out: &mut [u8], little_endian: bool, is_signed: bool) -> bool {
    // SAFETY: [TYPE]
    let (d, negative) = unsafe { (digits(v), is_negative(v)) };
    let (mut acc, mut bits, mut next) = (0u64, 0, 0);
    let mut carry = 1u16;
    let mut lost = false;
    let n = out.len();
    for i in 0..n {
        if bits < 8 && next < d.len() {
            acc |= (d[next] as u64) << bits;
            bits += PyLong_SHIFT;
            next += 1;
        }
        let mut b = acc as u8;
        acc >>= 8;
        bits = bits.saturating_sub(8);
        if negative {
            carry += !b as u16;
            b = carry as u8;
            carry >>= 8;
        }
        out[if little_endian { i } else { n - 1 - i }] = b;
    }
    lost |= acc != 0 || d[next..].iter().any(|&x| x != 0);
    if is_signed {
        let top = match (n, little_endian) {
            (0, _) => 0,
            (_, true) => out[n - 1],
            (_, false) => out[0],
        };
        // SAFETY: [TYPE]
        let zero = unsafe { is_zero(v) };
        if n == 0 {
            lost = !zero;
        } else {
            lost |= (top & 0x80 != 0) != negative;
        }
    }
    !lost
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_FromByteArray(bytes: *const u8, n: usize, little_endian: c_int, is_signed: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if n == 0 {
            return small_int(0);
        }
        long_from_bytes(core::slice::from_raw_parts(bytes, n), little_endian != 0, is_signed != 0)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_AsByteArray(
    v: *mut PyLongObject,
    bytes: *mut u8,
    n: usize,
    little_endian: c_int,
    is_signed: c_int,
    with_exceptions: c_int,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if is_negative(v) && is_signed == 0 {
            if with_exceptions != 0 {
                let _ = raise!(PyExc_OverflowError, "can't convert negative int to unsigned");
            }
            return -1;
        }
        let out = if n == 0 { &mut [] } else { core::slice::from_raw_parts_mut(bytes, n) };
        if long_to_bytes(v, out, little_endian != 0, is_signed != 0) {
            return 0;
        }
        if with_exceptions != 0 {
            let _ = raise!(PyExc_OverflowError, "int too big to convert");
        }
        -1
    }
}

/// Endianness from the flags of the native-bytes functions.
fn native_little(flags: c_int) -> bool {
    flags == -1 || flags & 2 != 0 || flags & Py_ASNATIVEBYTES_LITTLE_ENDIAN != 0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsNativeBytes(vv: *mut PyObject, buffer: *mut c_void, n: Py_ssize_t, flags: c_int) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if vv.is_null() || n < 0 {
            PyErr_BadInternalCall();
            return -1;
        }
        let has = |f: c_int| flags != -1 && flags & f != 0;
        let v = if PyLong_Check(vv) != 0 {
            Owned::from_borrowed(vv)
        } else if has(Py_ASNATIVEBYTES_ALLOW_INDEX) {
            match Owned::from_owned_or_err(PyNumber_Index(vv)) {
                Ok(v) => v,
                Err(_) => return -1,
            }
        } else {
            PyErr_Format(PyExc_TypeError, c"expect int, got %T".as_ptr(), vv);
            return -1;
        };
        let v: *mut PyLongObject = v.as_ptr().cast();
        if has(Py_ASNATIVEBYTES_REJECT_NEGATIVE) && is_negative(v) {
            let _ = raise!(PyExc_ValueError, "Cannot convert negative int");
            return -1;
        }
        let out: &mut [u8] = if n == 0 { &mut [] } else { core::slice::from_raw_parts_mut(buffer.cast(), n as usize) };
        long_to_bytes(v, out, native_little(flags), true);
        // Bits with a sign; without one where the buffer is meant to be unsigned, and one less for -2**k.
        let mut bits = bit_length(v) + 1;
        let unsigned_fits = !is_negative(v) && n > 0 && bits - 1 <= 8 * n as usize;
        if unsigned_fits && (flags == -1 || flags & Py_ASNATIVEBYTES_UNSIGNED_BUFFER != 0) {
            return if is_compact(v) || bits - 1 == 8 * n as usize { native_size(v, bits - 1, n) } else { native_size(v, bits, n) };
        }
        if is_negative(v) && bits > 1 && n > 0 && bits / 8 == n as usize {
            let d = digits(v);
            let power_of_two = d[d.len() - 1].is_power_of_two() && d[..d.len() - 1].iter().all(|&x| x == 0);
            bits -= power_of_two as usize;
        }
        native_size(v, bits, n)
    }
}

/// What `PyLong_AsNativeBytes` reports: the buffer's size if `bits` fit and the value is compact, otherwise what is needed.
unsafe fn native_size(v: *mut PyLongObject, bits: usize, n: Py_ssize_t) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe {
        let need = bits.div_ceil(8).max(1) as Py_ssize_t;
        if is_compact(v) {
            if n == 0 || n > 8 {
                return 8;
            }
            return if need <= n {
                n
            } else if !is_negative(v) && need == n + 1 {
                n + 1
            } else {
                8
            };
        }
        need
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromNativeBytes(buffer: *const c_void, n: usize, flags: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if buffer.is_null() {
            PyErr_BadInternalCall();
            return null_mut();
        }
        let signed = flags == -1 || flags & Py_ASNATIVEBYTES_UNSIGNED_BUFFER == 0;
        _PyLong_FromByteArray(buffer.cast(), n, native_little(flags) as c_int, signed as c_int)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromUnsignedNativeBytes(buffer: *const c_void, n: usize, flags: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if buffer.is_null() {
            PyErr_BadInternalCall();
            return null_mut();
        }
        _PyLong_FromByteArray(buffer.cast(), n, native_little(flags) as c_int, 0)
    }
}
