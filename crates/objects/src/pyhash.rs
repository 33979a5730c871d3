//! Hashing of memory (SipHash-1-3 keyed with a secret), of floats and of addresses; the secret and how it is made.

#![allow(missing_docs, reason = "CPython's own names")]

use core::ffi::{c_char, c_int, c_void};
use taipan_abi::*;

/// Bits of the modulus of numeric hashes.
pub const _PyHASH_BITS: i32 = 61;
/// Modulus of numeric hashes, a Mersenne prime.
pub const _PyHASH_MODULUS: u64 = (1 << _PyHASH_BITS) - 1;
/// Hash of positive infinity.
pub const _PyHASH_INF: Py_hash_t = 314159;
/// Factor of the imaginary part in hashes of complex numbers.
pub const _PyHASH_IMAG: u64 = 1000003;

/// The secret: 24 bytes, of which the first 16 are SipHash's keys and the last 8 go to `pyexpat`.
#[repr(C, align(8))]
pub struct _Py_HashSecret_t {
    /// The bytes.
    pub uc: [u8; 24],
}

#[unsafe(no_mangle)]
pub static mut _Py_HashSecret: _Py_HashSecret_t = _Py_HashSecret_t { uc: [0; 24] };

/// Bytes from a linear congruential generator, for a fixed PYTHONHASHSEED.
fn lcg_urandom(seed: u32, buffer: &mut [u8]) {
    let mut x = seed;
    for b in buffer {
        x = x.wrapping_mul(214013).wrapping_add(2531011);
        *b = (x >> 16) as u8;
    }
}

/// Makes the secret: from `seed` if one is given (0 means no randomisation at all), else from the system.
/// `false` when the system has no random bytes to give. Must run before the first string is hashed.
///
/// # Safety
/// Called once, before any other thread runs.
pub unsafe fn init_hash_secret(seed: Option<u32>) -> bool {
    // SAFETY: single-threaded by contract.
    unsafe {
        let secret = &mut *(&raw mut _Py_HashSecret.uc);
        match seed {
            Some(0) => secret.fill(0),
            Some(seed) => lcg_urandom(seed, secret),
            None => {
                let mut done = 0;
                while done < secret.len() {
                    let n = libc::getrandom(secret[done..].as_mut_ptr().cast(), secret.len() - done, 0);
                    if n < 0 {
                        if *libc::__errno_location() == libc::EINTR {
                            continue;
                        }
                        return false;
                    }
                    done += n as usize;
                }
            }
        }
        true
    }
}

#[inline(always)]
fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

/// SipHash-1-3.
#[inline]
fn siphash13(k0: u64, k1: u64, src: &[u8]) -> u64 {
    let mut v = [
        k0 ^ 0x736f6d6570736575,
        k1 ^ 0x646f72616e646f6d,
        k0 ^ 0x6c7967656e657261,
        k1 ^ 0x7465646279746573,
    ];
    let (words, tail) = src.as_chunks::<8>();
    for w in words {
        let m = u64::from_le_bytes(*w);
        v[3] ^= m;
        round(&mut v);
        v[0] ^= m;
    }
    let mut last = [0u8; 8];
    last[..tail.len()].copy_from_slice(tail);
    last[7] = src.len() as u8;
    let b = u64::from_le_bytes(last);
    v[3] ^= b;
    round(&mut v);
    v[0] ^= b;
    v[2] ^= 0xff;
    round(&mut v);
    round(&mut v);
    round(&mut v);
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[inline(always)]
fn not_minus_one(h: Py_hash_t) -> Py_hash_t {
    if h == -1 { -2 } else { h }
}

/// Hash of bytes as `bytes` and `str` have it; empty ones hash to 0.
///
/// # Safety
/// `src` points to `len` bytes.
#[inline]
pub unsafe fn hash_bytes(src: *const u8, len: usize) -> Py_hash_t {
    if len == 0 {
        return 0;
    }
    // SAFETY: [ARGS] the secret is fixed since start-up.
    unsafe {
        let keys = (&raw const _Py_HashSecret.uc).cast::<u64>();
        let h = siphash13(u64::from_le(*keys), u64::from_le(*keys.add(1)), core::slice::from_raw_parts(src, len));
        not_minus_one(h as Py_hash_t)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_HashBytes(src: *const c_void, len: Py_ssize_t) -> Py_hash_t {
    // SAFETY: [ARGS]
    unsafe { hash_bytes(src.cast(), len as usize) }
}

/// Hash keyed by `key`, for the checks of source files in hash-based `.pyc` files.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_KeyedHash(key: u64, src: *const c_void, len: Py_ssize_t) -> u64 {
    // SAFETY: [ARGS]
    unsafe {
        let text = if len == 0 { &[] } else { core::slice::from_raw_parts(src.cast::<u8>(), len as usize) };
        siphash13(key, 0, text)
    }
}

/// `(mantissa, exponent)` with `0.5 <= |mantissa| < 1`.
fn frexp(v: f64) -> (f64, i32) {
    if v == 0.0 {
        return (v, 0);
    }
    let mut bits = v.to_bits();
    let mut e = ((bits >> 52) & 0x7ff) as i32;
    let mut shift = 0;
    if e == 0 {
        // Subnormal: scale up first.
        bits = (v * 18014398509481984.0).to_bits();
        e = ((bits >> 52) & 0x7ff) as i32;
        shift = 54;
    }
    (f64::from_bits((bits & !(0x7ff << 52)) | (1022 << 52)), e - 1022 - shift)
}

/// Hash of a float: that of the equal rational number modulo a prime, so that equal numbers of all types agree.
/// A NaN hashes by the identity of its object.
#[inline]
pub fn hash_double(inst: *mut PyObject, v: f64) -> Py_hash_t {
    if !v.is_finite() {
        if v.is_nan() {
            return hash_pointer(inst.cast());
        }
        return if v > 0.0 { _PyHASH_INF } else { -_PyHASH_INF };
    }
    let (mut m, mut e) = frexp(v);
    let negative = m < 0.0;
    m = m.abs();
    let mut x: u64 = 0;
    while m != 0.0 {
        x = ((x << 28) & _PyHASH_MODULUS) | (x >> (_PyHASH_BITS - 28));
        m *= 268435456.0;
        e -= 28;
        let y = m as u64;
        m -= y as f64;
        x += y;
        if x >= _PyHASH_MODULUS {
            x -= _PyHASH_MODULUS;
        }
    }
    let e = e.rem_euclid(_PyHASH_BITS);
    x = ((x << e) & _PyHASH_MODULUS) | (x >> (_PyHASH_BITS - e));
    let h = if negative { x.wrapping_neg() } else { x };
    not_minus_one(h as Py_hash_t)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_HashDouble(inst: *mut PyObject, v: f64) -> Py_hash_t {
    hash_double(inst, v)
}

/// Hash of an address; the low bits, which are always zero, go to the top.
#[inline(always)]
pub fn hash_pointer(p: *const c_void) -> Py_hash_t {
    not_minus_one((p as usize).rotate_right(4) as Py_hash_t)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_HashPointer(p: *const c_void) -> Py_hash_t {
    hash_pointer(p)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_HashPointer(p: *const c_void) -> Py_hash_t {
    hash_pointer(p)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_HashPointerRaw(p: *const c_void) -> Py_hash_t {
    (p as usize).rotate_right(4) as Py_hash_t
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GenericHash(obj: *mut PyObject) -> Py_hash_t {
    hash_pointer(obj.cast())
}

extern "C" fn pysiphash(src: *const c_void, len: Py_ssize_t) -> Py_hash_t {
    // SAFETY: [ARGS] by the contract of PyHash_FuncDef.
    unsafe { hash_bytes(src.cast(), len as usize) }
}

static mut PYHASH_FUNC: PyHash_FuncDef = PyHash_FuncDef {
    hash: Some(pysiphash),
    name: c"siphash13".as_ptr().cast::<c_char>(),
    hash_bits: 64 as c_int,
    seed_bits: 128 as c_int,
};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyHash_GetFuncDef() -> *mut PyHash_FuncDef {
    &raw mut PYHASH_FUNC
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_cpython_with_fixed_seeds() {
        // What CPython 3.13 answers for PYTHONHASHSEED=0 and 42.
        let hash = |seed: u32, text: &[u8]| {
            let mut secret = [0; 24];
            if seed != 0 {
                lcg_urandom(seed, &mut secret);
            }
            let key = |i: usize| u64::from_le_bytes(secret[i..i + 8].try_into().unwrap());
            siphash13(key(0), key(8), text) as Py_hash_t
        };
        assert_eq!(hash(0, b"abc"), -4594863902769663758);
        assert_eq!(hash(0, b"hello world"), -5642461784034726774);
        assert_eq!(hash(42, b"abc"), 3869580338025362921);
        assert_eq!(hash(42, b"hello world"), -3893157060480277979);
    }

    #[test]
    fn doubles() {
        let nil = core::ptr::null_mut();
        assert_eq!(hash_double(nil, 0.0), 0);
        assert_eq!(hash_double(nil, 1.0), 1);
        assert_eq!(hash_double(nil, -1.0), -2);
        assert_eq!(hash_double(nil, 0.5), 1152921504606846976);
        assert_eq!(hash_double(nil, 1e300), 1224995262755759164);
        assert_eq!(hash_double(nil, f64::INFINITY), 314159);
        assert_eq!(hash_double(nil, 5e-324), 16777216);
    }
}
