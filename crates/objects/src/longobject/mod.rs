//! `int`: sign and magnitude in digits of 30 bits. Values of at most one digit are *compact* and take the fast paths;
//! large ones are computed with in `nat`.

#![allow(missing_docs, reason = "exported functions are documented by CPython's C API manual")]

mod arith;
mod bytes;
mod capi;
mod methods;
pub mod nat;
mod text;

pub use arith::{
    as_double, bit_length, divmod_near, frexp, ldexp, long_add_fast, long_bitwise, long_compare, long_divmod_pair,
    long_floordiv_fast, long_gcd, long_lshift_objects, long_mod_fast, long_mul_fast, long_rshift_objects, long_sub_fast,
    long_true_divide_objects,
};
pub use bytes::{long_from_bytes, long_to_bytes};
pub use methods::PyLong_Type;
pub(crate) use methods::{NUMBER_INIT, field, info_type};
pub use text::{ParseError, long_to_text, parse_long, set_max_str_digits};

use arith::{inverted, lshift, negated, pow_objects, rshift};
use capi::_PyLong_Copy;
use text::{_PyLong_FromBytes, long_repr};

use crate::freelist::FreeList;
use core::mem::{MaybeUninit, offset_of};
use core::ptr::null_mut;
use taipan_abi::*;

/// Bits of a digit.
pub const PyLong_SHIFT: u32 = 30;
/// All bits of a digit.
pub const PyLong_MASK: u32 = (1 << PyLong_SHIFT) - 1;

/// Small integers are preallocated and immortal: -5 to 256.
pub const _PY_NSMALLNEGINTS: isize = 5;
/// One past the greatest small integer.
pub const _PY_NSMALLPOSINTS: isize = 257;
/// How many there are.
pub const NSMALL: usize = (_PY_NSMALLNEGINTS + _PY_NSMALLPOSINTS) as usize;

/// Bits of `lv_tag` that hold the sign.
pub const SIGN_MASK: usize = 3;
/// Where the digit count starts in `lv_tag`.
pub const NON_SIZE_BITS: u32 = 3;

/// The preallocated integers in order, from -5.
pub(crate) const SMALL_INTS: [PyLongObject; NSMALL] = {
    let mut all = [const { MaybeUninit::<PyLongObject>::uninit() }; NSMALL];
    let mut i = 0;
    while i < NSMALL {
        let value = i as isize - _PY_NSMALLNEGINTS;
        let sign = if value < 0 { 2 } else if value == 0 { 1 } else { 0 };
        let count = (value != 0) as usize;
        all[i] = MaybeUninit::new(PyLongObject {
            ob_base: immortal_head(&raw mut PyLong_Type),
            lv_tag: count << NON_SIZE_BITS | sign,
            ob_digit: [value.unsigned_abs() as u32],
        });
        i += 1;
    }
    // SAFETY: every element is initialised.
    unsafe { core::mem::transmute(all) }
};

/// The preallocated integer `value`, which lies in -5..=256; lent for ever.
#[inline(always)]
pub fn small_int(value: isize) -> *mut PyObject {
    debug_assert!((-_PY_NSMALLNEGINTS.._PY_NSMALLPOSINTS).contains(&value));
    // SAFETY: [IMMORTAL] within the array.
    unsafe { (&raw mut crate::runtime::_PyRuntime.small_ints).cast::<PyLongObject>().offset(value + _PY_NSMALLNEGINTS).cast() }
}

/// Whether `value` is preallocated.
#[inline(always)]
pub fn is_small(value: i64) -> bool {
    (value.wrapping_add(_PY_NSMALLNEGINTS as i64) as u64) < NSMALL as u64
}

// --- Reading --------------------------------------------------------------------------------------------------------

/// Whether the value has at most one digit.
///
/// # Safety
/// `op` is an int.
#[inline(always)]
pub unsafe fn is_compact(op: *mut PyLongObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { (*op).lv_tag < 2 << NON_SIZE_BITS }
}

/// The value of a compact int.
///
/// # Safety
/// `op` is a compact int.
#[inline(always)]
pub unsafe fn compact_value(op: *mut PyLongObject) -> isize {
    // SAFETY: [TYPE]
    unsafe { (1 - ((*op).lv_tag & SIGN_MASK) as isize) * (*op).ob_digit[0] as isize }
}

/// Whether both are compact.
///
/// # Safety
/// Both are ints.
#[inline(always)]
pub unsafe fn both_compact(a: *mut PyLongObject, b: *mut PyLongObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { is_compact(a) && is_compact(b) }
}

/// How many digits the value has; zero has none.
///
/// # Safety
/// `op` is an int.
#[inline(always)]
pub unsafe fn digit_count(op: *mut PyLongObject) -> usize {
    // SAFETY: [TYPE]
    unsafe { (*op).lv_tag >> NON_SIZE_BITS }
}

/// Whether the value is below zero.
///
/// # Safety
/// `op` is an int.
#[inline(always)]
pub unsafe fn is_negative(op: *mut PyLongObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { (*op).lv_tag & SIGN_MASK == 2 }
}

/// Whether the value is zero.
///
/// # Safety
/// `op` is an int.
#[inline(always)]
pub unsafe fn is_zero(op: *mut PyLongObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { (*op).lv_tag & SIGN_MASK == 1 }
}

/// The digits of the magnitude, least significant first.
///
/// # Safety
/// `op` is an int that outlives `'a`.
#[inline(always)]
pub unsafe fn digits<'a>(op: *mut PyLongObject) -> &'a [u32] {
    // SAFETY: [TYPE]
    unsafe { core::slice::from_raw_parts((&raw const (*op).ob_digit).cast(), digit_count(op)) }
}

/// The value, if it fits.
///
/// # Safety
/// `op` is an int.
#[inline]
pub unsafe fn to_i64(op: *mut PyLongObject) -> Option<i64> {
    // SAFETY: [TYPE]
    unsafe {
        if is_compact(op) {
            return Some(compact_value(op) as i64);
        }
        let d = digits(op);
        if d.len() > 3 {
            return None;
        }
        let m = d.iter().rev().fold(0u128, |v, &x| v << PyLong_SHIFT | x as u128) as i128;
        i64::try_from(if is_negative(op) { -m } else { m }).ok()
    }
}

/// The value, if it fits and is not negative.
///
/// # Safety
/// `op` is an int.
pub unsafe fn to_u64(op: *mut PyLongObject) -> Option<u64> {
    // SAFETY: [TYPE]
    unsafe {
        let d = digits(op);
        if is_negative(op) || d.len() > 3 {
            return None;
        }
        u64::try_from(d.iter().rev().fold(0u128, |v, &x| v << PyLong_SHIFT | x as u128)).ok()
    }
}

// --- Making ---------------------------------------------------------------------------------------------------------

static mut FREE_LIST: FreeList = FreeList::new();
/// How many one-digit integers are kept for reuse.
const PyLong_MAXFREELIST: usize = 200;

/// Gives the memory of kept integers back.
pub fn clear_free_list() {
    // SAFETY: [GIL]
    unsafe { FreeList::clear(&raw mut FREE_LIST, PyObject_Free) }
}

/// Memory for an int of `n` digits with its header and count set; the digits are uninitialised. NULL with an error set.
pub(crate) unsafe fn long_alloc(negative: bool, n: usize) -> *mut PyLongObject {
    // SAFETY: [GIL]
    unsafe {
        if n > (isize::MAX as usize - 32) / 4 {
            let _ = raise!(PyExc_OverflowError, "too many digits in integer");
            return null_mut();
        }
        let op: *mut PyLongObject = PyObject_Malloc(offset_of!(PyLongObject, ob_digit) + n.max(1) * 4).cast();
        if op.is_null() {
            PyErr_NoMemory();
            return null_mut();
        }
        (*op).ob_base.ob_type = &raw mut PyLong_Type;
        _Py_NewReference(op.cast());
        set_sign_and_count(op, negative, n);
        op
    }
}

#[inline(always)]
pub(crate) unsafe fn set_sign_and_count(op: *mut PyLongObject, negative: bool, n: usize) {
    // SAFETY: [ARGS]
    unsafe { (*op).lv_tag = n << NON_SIZE_BITS | if n == 0 { 1 } else { (negative as usize) << 1 } }
}

/// The digits of an int that nobody else has seen.
#[inline(always)]
pub(crate) unsafe fn digits_mut<'a>(op: *mut PyLongObject) -> &'a mut [u32] {
    // SAFETY: [ARGS]
    unsafe { core::slice::from_raw_parts_mut((&raw mut (*op).ob_digit).cast(), digit_count(op)) }
}

/// A new int of one digit.
#[inline(always)]
unsafe fn long_from_digit(negative: bool, d: u32) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        let mut op: *mut PyLongObject = FreeList::pop(&raw mut FREE_LIST).cast();
        if op.is_null() {
            op = long_alloc(negative, 1);
            if op.is_null() {
                return null_mut();
            }
        }
        (*op).lv_tag = 1 << NON_SIZE_BITS | (negative as usize) << 1;
        (*op).ob_digit[0] = d;
        op.cast()
    }
}

/// The int of a value, preallocated or new.
#[inline(always)]
pub fn long_from_i64(value: i64) -> *mut PyObject {
    if is_small(value) {
        return small_int(value as isize);
    }
    let m = value.unsigned_abs();
    if m <= PyLong_MASK as u64 {
        // SAFETY: [GIL]
        return unsafe { long_from_digit(value < 0, m as u32) };
    }
    long_from_u128(value < 0, m as u128)
}

/// The int of a value.
#[inline]
pub fn long_from_u64(value: u64) -> *mut PyObject {
    if value <= i64::MAX as u64 { long_from_i64(value as i64) } else { long_from_u128(false, value as u128) }
}

/// The int of a sign and a magnitude.
pub fn long_from_u128(negative: bool, mut m: u128) -> *mut PyObject {
    if m <= PyLong_MASK as u128 {
        return long_from_i64(if negative { -(m as i64) } else { m as i64 });
    }
    let n = (128 - m.leading_zeros()).div_ceil(PyLong_SHIFT) as usize;
    // SAFETY: [GIL]
    unsafe {
        let op = long_alloc(negative, n);
        if op.is_null() {
            return null_mut();
        }
        for d in digits_mut(op) {
            *d = m as u32 & PyLong_MASK;
            m >>= PyLong_SHIFT;
        }
        op.cast()
    }
}

/// The int of a value.
pub fn long_from_i128(value: i128) -> *mut PyObject {
    long_from_u128(value < 0, value.unsigned_abs())
}

/// The int of a sign and digits, which may have leading zeros.
pub fn long_from_digits(negative: bool, mut d: &[u32]) -> *mut PyObject {
    while let [rest @ .., 0] = d {
        d = rest;
    }
    if d.len() <= 1 {
        let m = d.first().copied().unwrap_or(0) as i64;
        return long_from_i64(if negative { -m } else { m });
    }
    // SAFETY: [GIL]
    unsafe {
        let op = long_alloc(negative, d.len());
        if op.is_null() {
            return null_mut();
        }
        digits_mut(op).copy_from_slice(d);
        op.cast()
    }
}

/// The int of a sign and limbs.
fn long_from_nat(negative: bool, n: &[u64]) -> *mut PyObject {
    long_from_digits(negative, &nat::to_digits(n))
}

/// Ends the making of an int that nobody else has seen: drops leading zeros, and trades it for a compact one if it is.
pub(crate) unsafe fn long_finish(op: *mut PyLongObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let negative = is_negative(op);
        let mut n = digit_count(op);
        let d = digits_mut(op);
        while n > 0 && d[n - 1] == 0 {
            n -= 1;
        }
        if n <= 1 {
            let m = if n == 1 { d[0] as i64 } else { 0 };
            PyObject_Free(op.cast());
            return long_from_i64(if negative { -m } else { m });
        }
        set_sign_and_count(op, negative, n);
        op.cast()
    }
}

pub(crate) unsafe extern "C" fn long_dealloc(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if (*op).ob_type == &raw mut PyLong_Type {
            if is_compact(op.cast()) {
                let v = compact_value(op.cast());
                if is_small(v as i64) && op == small_int(v) {
                    // A miscounting extension: small integers stay.
                    set_immortal(op);
                    return;
                }
                if FreeList::push(&raw mut FREE_LIST, op, PyLong_MAXFREELIST) {
                    return;
                }
            }
            PyObject_Free(op.cast());
            return;
        }
        crate::freelist::type_free(op);
    }
}

/// Releases an exact int whose last reference is gone; for the interpreter's fast paths.
///
/// # Safety
/// `op` is an exact int that nobody refers to.
#[inline]
pub unsafe fn _PyLong_ExactDealloc(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { long_dealloc(op) }
}

/// Limit on the digits of decimal conversions (`sys.set_int_max_str_digits`); 0 is none.
pub static mut MAX_STR_DIGITS: core::ffi::c_int = _PY_LONG_DEFAULT_MAX_STR_DIGITS;
/// The limit unless it is set.
pub const _PY_LONG_DEFAULT_MAX_STR_DIGITS: core::ffi::c_int = 4300;
/// The least limit that can be set; shorter texts are never refused.
pub const _PY_LONG_MAX_STR_DIGITS_THRESHOLD: core::ffi::c_int = 640;
