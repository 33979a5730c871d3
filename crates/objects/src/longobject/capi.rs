//! The C API of `int`.

use super::*;
use crate::freelist::null;
use core::ffi::{c_int, c_long, c_longlong, c_uint, c_ulong, c_ulonglong, c_ushort, c_void};

type Ob = *mut PyObject;

/// `v` itself if it is an int, otherwise what its `__index__` gives.
unsafe fn as_long(v: Ob) -> PyResult<Owned<PyLongObject>> {
    // SAFETY: [ARGS]
    unsafe {
        if v.is_null() {
            PyErr_BadInternalCall();
            return Err(Raised::assume());
        }
        if PyLong_Check(v) != 0 {
            return Ok(Owned::from_borrowed(v.cast()));
        }
        Owned::from_owned_or_err(PyNumber_Index(v).cast())
    }
}

/// `v` if it is an int; TypeError otherwise.
unsafe fn only_long(v: Ob) -> PyResult<*mut PyLongObject> {
    // SAFETY: [ARGS]
    unsafe {
        if v.is_null() {
            PyErr_BadInternalCall();
            return Err(Raised::assume());
        }
        if PyLong_Check(v) == 0 {
            bail!(PyExc_TypeError, "an integer is required");
        }
        Ok(v.cast())
    }
}

/// The value modulo 2**64.
unsafe fn low_bits(v: *mut PyLongObject) -> u64 {
    // SAFETY: [TYPE]
    unsafe {
        let m = digits(v).iter().take(3).rev().fold(0u64, |m, &d| m << PyLong_SHIFT | d as u64);
        if is_negative(v) { m.wrapping_neg() } else { m }
    }
}

// --- Objects --------------------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_New(size: Py_ssize_t) -> *mut PyLongObject {
    // SAFETY: [GIL] the caller fills the digits in.
    unsafe {
        let op = long_alloc(false, size.max(0) as usize);
        if !op.is_null() {
            (*op).ob_digit[0] = 0;
        }
        op
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_FromDigits(negative: c_int, count: Py_ssize_t, d: *const u32) -> *mut PyLongObject {
    // SAFETY: [ARGS]
    unsafe {
        if count <= 0 {
            return small_int(0).cast();
        }
        long_from_digits(negative != 0, core::slice::from_raw_parts(d, count as usize)).cast()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_Copy(src: *mut PyLongObject) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if is_compact(src) {
            return long_from_i64(compact_value(src) as i64);
        }
        long_from_digits(is_negative(src), digits(src))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_Sign(v: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe { 1 - ((*v.cast::<PyLongObject>()).lv_tag & SIGN_MASK) as c_int }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_NumBits(v: Ob) -> usize {
    // SAFETY: [TYPE]
    unsafe { bit_length(v.cast()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_Long_IsCompact(op: *const PyLongObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { is_compact(op.cast_mut()) as c_int }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_Long_CompactValue(op: *const PyLongObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { compact_value(op.cast_mut()) }
}

// --- From C ---------------------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromLong(v: c_long) -> Ob {
    long_from_i64(v)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromLongLong(v: c_longlong) -> Ob {
    long_from_i64(v)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromSsize_t(v: Py_ssize_t) -> Ob {
    long_from_i64(v as i64)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromUnsignedLong(v: c_ulong) -> Ob {
    long_from_u64(v)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromUnsignedLongLong(v: c_ulonglong) -> Ob {
    long_from_u64(v)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromSize_t(v: usize) -> Ob {
    long_from_u64(v as u64)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromVoidPtr(p: *mut c_void) -> Ob {
    long_from_u64(p as u64)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_FromDouble(x: f64) -> Ob {
    const LIMIT: f64 = 9223372036854775808.0;
    if -LIMIT < x && x < LIMIT {
        return long_from_i64(x as i64);
    }
    if x.is_infinite() {
        return null(raise!(PyExc_OverflowError, "cannot convert float infinity to integer"));
    }
    if x.is_nan() {
        return null(raise!(PyExc_ValueError, "cannot convert float NaN to integer"));
    }
    // At least 2**63: an integer of 53 bits, shifted.
    let bits = x.to_bits();
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    let shift = ((bits >> 52) & 0x7ff) as usize - 1075;
    let (words, rest) = (shift / PyLong_SHIFT as usize, (shift % PyLong_SHIFT as usize) as u32);
    let mut d = vec![0; words];
    let mut m = (mantissa as u128) << rest;
    while m != 0 {
        d.push(m as u32 & PyLong_MASK);
        m >>= PyLong_SHIFT;
    }
    long_from_digits(x < 0.0, &d)
}

// --- To C -----------------------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsLongAndOverflow(v: Ob, overflow: *mut c_int) -> c_long {
    // SAFETY: [ARGS]
    unsafe {
        *overflow = 0;
        if !v.is_null() && PyLong_Check(v) != 0 && is_compact(v.cast()) {
            return compact_value(v.cast()) as c_long;
        }
        let Ok(v) = as_long(v) else { return -1 };
        match to_i64(v.as_ptr()) {
            Some(i) => i,
            None => {
                *overflow = if is_negative(v.as_ptr()) { -1 } else { 1 };
                -1
            }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsLongLongAndOverflow(v: Ob, overflow: *mut c_int) -> c_longlong {
    // SAFETY: [ARGS]
    unsafe { PyLong_AsLongAndOverflow(v, overflow) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsLong(v: Ob) -> c_long {
    // SAFETY: [ARGS]
    unsafe {
        let mut overflow = 0;
        let r = PyLong_AsLongAndOverflow(v, &mut overflow);
        if overflow != 0 {
            let _ = raise!(PyExc_OverflowError, "Python int too large to convert to C long");
        }
        r
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsInt(v: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut overflow = 0;
        let r = PyLong_AsLongAndOverflow(v, &mut overflow);
        match c_int::try_from(r) {
            Ok(i) if overflow == 0 => i,
            _ => {
                let _ = raise!(PyExc_OverflowError, "Python int too large to convert to C int");
                -1
            }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_AsInt(v: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyLong_AsInt(v) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsLongLong(v: Ob) -> c_longlong {
    // SAFETY: [ARGS]
    unsafe {
        if !v.is_null() && PyLong_Check(v) != 0 && is_compact(v.cast()) {
            return compact_value(v.cast()) as c_longlong;
        }
        let Ok(v) = as_long(v) else { return -1 };
        match to_i64(v.as_ptr()) {
            Some(i) => i,
            None => {
                let _ = raise!(PyExc_OverflowError, "int too big to convert");
                -1
            }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsSsize_t(v: Ob) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(v) = only_long(v) else { return -1 };
        match to_i64(v) {
            Some(i) => i as Py_ssize_t,
            None => {
                let _ = raise!(PyExc_OverflowError, "Python int too large to convert to C ssize_t");
                -1
            }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsUnsignedLong(v: Ob) -> c_ulong {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(v) = only_long(v) else { return c_ulong::MAX };
        if let Some(u) = to_u64(v) {
            return u;
        }
        let _ = if is_negative(v) {
            raise!(PyExc_OverflowError, "can't convert negative value to unsigned int")
        } else {
            raise!(PyExc_OverflowError, "Python int too large to convert to C unsigned long")
        };
        c_ulong::MAX
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsUnsignedLongLong(v: Ob) -> c_ulonglong {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(v) = only_long(v) else { return c_ulonglong::MAX };
        if let Some(u) = to_u64(v) {
            return u;
        }
        let _ = if is_negative(v) {
            raise!(PyExc_OverflowError, "can't convert negative int to unsigned")
        } else {
            raise!(PyExc_OverflowError, "int too big to convert")
        };
        c_ulonglong::MAX
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsSize_t(v: Ob) -> usize {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(v) = only_long(v) else { return usize::MAX };
        if let Some(u) = to_u64(v) {
            return u as usize;
        }
        let _ = if is_negative(v) {
            raise!(PyExc_OverflowError, "can't convert negative value to size_t")
        } else {
            raise!(PyExc_OverflowError, "Python int too large to convert to C size_t")
        };
        usize::MAX
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsUnsignedLongMask(v: Ob) -> c_ulong {
    // SAFETY: [ARGS]
    unsafe {
        match as_long(v) {
            Ok(v) => low_bits(v.as_ptr()),
            Err(_) => c_ulong::MAX,
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsUnsignedLongLongMask(v: Ob) -> c_ulonglong {
    // SAFETY: [ARGS]
    unsafe { PyLong_AsUnsignedLongMask(v) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsVoidPtr(v: Ob) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let x = if PyLong_Check(v) != 0 && is_negative(v.cast()) {
            PyLong_AsLong(v) as u64
        } else {
            PyLong_AsUnsignedLong(v)
        };
        if x == u64::MAX && err_occurred() { null_mut() } else { x as *mut c_void }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_AsDouble(v: Ob) -> f64 {
    // SAFETY: [ARGS]
    unsafe { only_long(v).and_then(|v| as_double(v)).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_Frexp(a: *mut PyLongObject, e: *mut Py_ssize_t) -> f64 {
    // SAFETY: [TYPE]
    unsafe {
        let (x, exp) = frexp(a);
        *e = exp;
        x
    }
}

// --- Arithmetic -----------------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_Add(a: *mut PyLongObject, b: *mut PyLongObject) -> Ob {
    // SAFETY: [TYPE]
    unsafe { long_add_fast(a, b) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_Subtract(a: *mut PyLongObject, b: *mut PyLongObject) -> Ob {
    // SAFETY: [TYPE]
    unsafe { long_sub_fast(a, b) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_Multiply(a: *mut PyLongObject, b: *mut PyLongObject) -> Ob {
    // SAFETY: [TYPE]
    unsafe { long_mul_fast(a, b) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_Lshift(a: Ob, n: usize) -> Ob {
    // SAFETY: [TYPE]
    unsafe { lshift(a.cast(), n) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_Rshift(a: Ob, n: usize) -> Ob {
    // SAFETY: [TYPE]
    unsafe { rshift(a.cast(), n) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_GCD(a: Ob, b: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { long_gcd(a.cast(), b.cast()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_DivmodNear(a: Ob, b: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if PyLong_Check(a) == 0 || PyLong_Check(b) == 0 {
            return null(raise!(PyExc_TypeError, "non-integer arguments in division"));
        }
        match divmod_near(a.cast(), b.cast()) {
            Ok((q, r)) => crate::tupleobject::tuple_of([Ok(q), Ok(r)]).into_c(),
            Err(_) => null_mut(),
        }
    }
}

// --- Converters of argument parsing ---------------------------------------------------------------------------------

unsafe fn unsigned<T: TryFrom<u64>>(v: Ob, out: *mut c_void, convert: unsafe extern "C" fn(Ob) -> u64, name: &str) -> c_int {
    // SAFETY: [ARGS] out points to a T.
    unsafe {
        if PyLong_Check(v) != 0 && is_negative(v.cast()) {
            let _ = raise!(PyExc_ValueError, "value must be positive");
            return 0;
        }
        let u = convert(v);
        if u == u64::MAX && err_occurred() {
            return 0;
        }
        match T::try_from(u) {
            Ok(x) => {
                out.cast::<T>().write(x);
                1
            }
            Err(_) => {
                let _ = raise!(PyExc_OverflowError, "Python int too large for C {}", name);
                0
            }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_UnsignedShort_Converter(v: Ob, out: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { unsigned::<c_ushort>(v, out, PyLong_AsUnsignedLong, "unsigned short") }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_UnsignedInt_Converter(v: Ob, out: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { unsigned::<c_uint>(v, out, PyLong_AsUnsignedLong, "unsigned int") }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_UnsignedLong_Converter(v: Ob, out: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { unsigned::<u64>(v, out, PyLong_AsUnsignedLong, "unsigned long") }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_UnsignedLongLong_Converter(v: Ob, out: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { unsigned::<u64>(v, out, PyLong_AsUnsignedLongLong, "unsigned long long") }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_Size_t_Converter(v: Ob, out: *mut c_void) -> c_int {
    unsafe extern "C" fn as_size(v: Ob) -> u64 {
        // SAFETY: [ARGS]
        unsafe { PyLong_AsSize_t(v) as u64 }
    }
    // SAFETY: [ARGS]
    unsafe { unsigned::<usize>(v, out, as_size, "size_t") }
}

/// A file descriptor: an int or an object with `fileno()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_FileDescriptor_Converter(v: Ob, out: *mut c_void) -> c_int {
    // SAFETY: [ARGS] out points to an int.
    unsafe {
        let fd = PyObject_AsFileDescriptor(v);
        if fd == -1 {
            return 0;
        }
        out.cast::<c_int>().write(fd);
        1
    }
}

/// A group's number; -1 stands for none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyLong_FromGid(gid: libc::gid_t) -> Ob {
    if gid == libc::gid_t::MAX { long_from_i64(-1) } else { long_from_u64(gid as u64) }
}
