//! Hash, equality and order of strings.

use super::layout::*;
use crate::stringlib::Unit;
use core::cmp::Ordering;
use core::ffi::{c_char, c_int, c_void};
use taipan_abi::*;

/// Equality of two strings.
///
/// # Safety
/// Both are str.
#[inline(always)]
pub unsafe fn unicode_eq(a: *mut PyObject, b: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe {
        let n = length(a);
        if n != length(b) {
            return false;
        }
        let k = kind(a);
        if k != kind(b) {
            return false;
        }
        let (p, q) = (data(a), data(b));
        if n == 0 {
            return true;
        }
        // The first byte tells most unequal strings apart.
        *p == *q && libc::memcmp(p.cast(), q.cast(), n * k as usize) == 0
    }
}

/// The hash, computed once.
///
/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn unicode_hash(op: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let h = (*op.cast::<PyASCIIObject>()).hash;
        if h != -1 { h } else { compute_hash(op) }
    }
}

#[inline(never)]
unsafe fn compute_hash(op: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let h = _Py_HashBytes(data(op).cast::<c_void>(), (length(op) * kind(op) as usize) as isize);
        (*op.cast::<PyASCIIObject>()).hash = h;
        h
    }
}

/// `tp_hash`.
pub(super) unsafe extern "C" fn hash_slot(op: *mut PyObject) -> Py_hash_t {
    // SAFETY: [ARGS]
    unsafe { unicode_hash(op) }
}

fn order<A: Unit, B: Unit>(a: &[A], b: &[B]) -> Ordering {
    for (&x, &y) in a.iter().zip(b) {
        let (x, y): (u32, u32) = (x.into(), y.into());
        if x != y {
            return x.cmp(&y);
        }
    }
    a.len().cmp(&b.len())
}

/// Order by code points.
pub fn compare(a: Text<'_>, b: Text<'_>) -> Ordering {
    match (a, b) {
        (Text::U1(a), Text::U1(b)) => a.cmp(b),
        (Text::U2(a), Text::U2(b)) => a.cmp(b),
        (Text::U4(a), Text::U4(b)) => a.cmp(b),
        _ => crate::with_units!(a, x => crate::with_units!(b, y => order(x, y))),
    }
}

/// `tp_richcompare`, also `PyUnicode_RichCompare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_RichCompare(left: *mut PyObject, right: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS] types are checked before the data is read.
    unsafe {
        if PyUnicode_Check(left) == 0 || PyUnicode_Check(right) == 0 {
            return Py_NotImplemented();
        }
        let answer = if left == right {
            matches!(op, Py_EQ | Py_LE | Py_GE)
        } else if op == Py_EQ {
            unicode_eq(left, right)
        } else if op == Py_NE {
            !unicode_eq(left, right)
        } else {
            let o = compare(text_of(left), text_of(right));
            match op {
                Py_LT => o.is_lt(),
                Py_LE => o.is_le(),
                Py_GT => o.is_gt(),
                Py_GE => o.is_ge(),
                _ => {
                    PyErr_BadArgument();
                    return core::ptr::null_mut();
                }
            }
        };
        if answer { Py_True() } else { Py_False() }
    }
}

/// -1, 0 or 1 by code points; -1 with TypeError if one is no str.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Compare(left: *mut PyObject, right: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(left) != 0 && PyUnicode_Check(right) != 0 {
            if left == right {
                return 0;
            }
            return compare(text_of(left), text_of(right)) as c_int;
        }
        PyErr_Format(PyExc_TypeError, c"Can't compare %.100s and %.100s".as_ptr(), (*(*left).ob_type).tp_name, (*(*right).ob_type).tp_name);
        -1
    }
}

/// Compares with NUL-terminated text, whose bytes count as Latin-1 characters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_CompareWithASCIIString(uni: *mut PyObject, s: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let other = core::ffi::CStr::from_ptr(s).to_bytes();
        compare(text_of(uni), Text::U1(other)) as c_int
    }
}

/// Equality with NUL-terminated UTF-8; 0 as well when `unicode` has lone surrogates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_EqualToUTF8(unicode: *mut PyObject, s: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyUnicode_EqualToUTF8AndSize(unicode, s, libc::strlen(s) as isize) }
}

/// Equality with `size` bytes of UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_EqualToUTF8AndSize(unicode: *mut PyObject, s: *const c_char, size: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let t = text_of(unicode);
        if size < t.len() as Py_ssize_t {
            return 0;
        }
        let other = if size == 0 { &[] } else { core::slice::from_raw_parts(s.cast::<u8>(), size as usize) };
        if is_ascii(unicode) {
            return (t.bytes() == other) as c_int;
        }
        let mut left = other;
        for c in t.chars() {
            let Some(c) = char::from_u32(c) else { return 0 };
            let mut buf = [0; 4];
            match left.strip_prefix(c.encode_utf8(&mut buf).as_bytes()) {
                Some(rest) => left = rest,
                None => return 0,
            }
        }
        left.is_empty() as c_int
    }
}

/// Equality of two strings, without checks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_EQ(a: *mut PyObject, b: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { unicode_eq(a, b) as c_int }
}
/// Equality of two strings, identity first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_Equal(a: *mut PyObject, b: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (a == b || unicode_eq(a, b)) as c_int }
}
/// Equality with NUL-terminated ASCII.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_EqualToASCIIString(a: *mut PyObject, b: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if !is_ascii(a) {
            return 0;
        }
        (text_of(a).bytes() == core::ffi::CStr::from_ptr(b).to_bytes()) as c_int
    }
}
