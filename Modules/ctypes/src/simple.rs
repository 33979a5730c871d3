//! C's basic types: what each type code stores and reads.
//!
//! A getter reads a value; a setter stores one and returns the object that must stay alive as long as the stored value is
//! used (`None` if nothing need). The size that they get is the field's: for a bit field, its width and first bit.

use crate::state::class_name_of;
use crate::sysv::{Kind, Passing};
use core::ffi::CStr;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::support::none;

/// Reads a value.
pub type Getter = unsafe fn(*const u8, isize) -> PyResult;
/// Stores a value; returns what must stay alive.
pub type Setter = unsafe fn(*mut u8, *mut PyObject, isize) -> PyResult;

/// A type code's description.
pub struct Simple {
    /// The code.
    pub code: u8,
    /// How it is passed.
    pub passing: Passing,
    /// Its getter.
    pub get: Getter,
    /// Its setter.
    pub set: Setter,
    /// Both for the other byte order, where the code has one.
    pub swapped: Option<(Getter, Setter)>,
}

/// Getter and setter of a class or field, with the code that they came from.
#[derive(Clone, Copy)]
pub struct Access {
    /// The type code.
    pub code: u8,
    /// Reads.
    pub get: Getter,
    /// Stores.
    pub set: Setter,
}

impl Simple {
    /// In the machine's byte order.
    pub fn access(&self) -> Access {
        Access { code: self.code, get: self.get, set: self.set }
    }
    /// In the other byte order.
    pub fn swapped_access(&self) -> Option<Access> {
        self.swapped.map(|(get, set)| Access { code: self.code, get, set })
    }
}

/// How wide a bit field is (0: it is none) and at which bit it starts.
fn bits(size: isize) -> (u32, u32) {
    ((size >> 16) as u32, (size & 0xffff) as u32)
}

trait Integer: Copy {
    const SIGNED: bool;
    fn from_u64(n: u64) -> Self;
    fn to_u64(self) -> u64;
    fn swap_bytes(self) -> Self;
}
macro_rules! integers {
    ($($t:ty, $signed:literal;)*) => { $(
        impl Integer for $t {
            const SIGNED: bool = $signed;
            fn from_u64(n: u64) -> Self { n as $t }
            fn to_u64(self) -> u64 { self as i128 as u64 }
            fn swap_bytes(self) -> Self { <$t>::swap_bytes(self) }
        }
    )* };
}
integers! { i8, true; u8, false; i16, true; u16, false; i32, true; u32, false; i64, true; u64, false; }

/// The field's bits of `value`, widened by its sign.
fn field_of<T: Integer>(value: T, size: isize) -> u64 {
    let (width, low) = bits(size);
    if width == 0 {
        return value.to_u64();
    }
    let up = 64u32.saturating_sub(low + width).min(63);
    let shifted = value.to_u64() << up;
    let down = 64 - width.min(64);
    if T::SIGNED { ((shifted as i64) >> down) as u64 } else { shifted >> down }
}

/// `old` with the field's bits replaced by those of `new`.
fn with_field<T: Integer>(old: T, new: u64, size: isize) -> T {
    let (width, low) = bits(size);
    if width == 0 {
        return T::from_u64(new);
    }
    let mask = (u64::MAX >> (64 - width.min(64))) << low.min(63);
    T::from_u64((old.to_u64() & !mask) | ((new << low.min(63)) & mask))
}

fn to_int<T: Integer>(value: u64) -> PyResult {
    // SAFETY: [GIL]
    unsafe {
        Owned::from_owned_or_err(if T::SIGNED { PyLong_FromLongLong(value as i64) } else { PyLong_FromUnsignedLongLong(value) })
    }
}

unsafe fn from_int(value: *mut PyObject) -> PyResult<u64> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyLong_AsUnsignedLongLongMask(value);
        if n == u64::MAX && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
    }
}

unsafe fn int_get<T: Integer>(p: *const u8, size: isize) -> PyResult {
    // SAFETY: [ARGS] a value lies at p.
    to_int::<T>(field_of(unsafe { p.cast::<T>().read_unaligned() }, size))
}

unsafe fn int_set<T: Integer>(p: *mut u8, value: *mut PyObject, size: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let n = from_int(value)?;
        let old = if size >> 16 == 0 { T::from_u64(0) } else { p.cast::<T>().read_unaligned() };
        p.cast::<T>().write_unaligned(with_field(old, n, size));
    }
    Ok(none())
}

unsafe fn int_get_swapped<T: Integer>(p: *const u8, size: isize) -> PyResult {
    // SAFETY: [ARGS]
    to_int::<T>(field_of(unsafe { p.cast::<T>().read_unaligned() }.swap_bytes(), size))
}

unsafe fn int_set_swapped<T: Integer>(p: *mut u8, value: *mut PyObject, size: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let n = from_int(value)?;
        let old = if size >> 16 == 0 { T::from_u64(0) } else { p.cast::<T>().read_unaligned().swap_bytes() };
        p.cast::<T>().write_unaligned(with_field(old, n, size).swap_bytes());
    }
    Ok(none())
}

unsafe fn bool_get(p: *const u8, size: isize) -> PyResult {
    // SAFETY: [ARGS]
    Ok(taipan_clinic::support::boolean(field_of(unsafe { *p }, size) != 0))
}

unsafe fn bool_set(p: *mut u8, value: *mut PyObject, size: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let truth = PyObject_IsTrue(value);
        check_status(truth)?;
        *p = with_field(if size >> 16 == 0 { 0 } else { *p }, truth as u64, size);
    }
    Ok(none())
}

unsafe fn vbool_get(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    Ok(taipan_clinic::support::boolean(unsafe { p.cast::<i16>().read_unaligned() } != 0))
}

unsafe fn vbool_set(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let truth = PyObject_IsTrue(value);
        check_status(truth)?;
        p.cast::<i16>().write_unaligned(-(truth as i16));
    }
    Ok(none())
}

unsafe fn from_float(value: *mut PyObject) -> PyResult<f64> {
    // SAFETY: [ARGS]
    unsafe {
        let x = PyFloat_AsDouble(value);
        if x == -1.0 && err_occurred() { Err(Raised::assume()) } else { Ok(x) }
    }
}

fn to_float(x: f64) -> PyResult {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyFloat_FromDouble(x)) }
}

unsafe fn double_get(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    to_float(unsafe { p.cast::<f64>().read_unaligned() })
}
unsafe fn double_set(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe { p.cast::<f64>().write_unaligned(from_float(value)?) };
    Ok(none())
}
unsafe fn double_get_swapped(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    to_float(f64::from_bits(unsafe { p.cast::<u64>().read_unaligned() }.swap_bytes()))
}
unsafe fn double_set_swapped(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe { p.cast::<u64>().write_unaligned(from_float(value)?.to_bits().swap_bytes()) };
    Ok(none())
}
unsafe fn float_get(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    to_float(unsafe { p.cast::<f32>().read_unaligned() } as f64)
}
unsafe fn float_set(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe { p.cast::<f32>().write_unaligned(from_float(value)? as f32) };
    Ok(none())
}
unsafe fn float_get_swapped(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    to_float(f32::from_bits(unsafe { p.cast::<u32>().read_unaligned() }.swap_bytes()) as f64)
}
unsafe fn float_set_swapped(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let x = from_float(value)? as f32;
        if x.is_infinite() && !PyFloat_AsDouble(value).is_infinite() {
            bail!(PyExc_OverflowError, "float too large to pack with f format");
        }
        p.cast::<u32>().write_unaligned(x.to_bits().swap_bytes());
    }
    Ok(none())
}

/// The `long double` at `p` as a double, rounded by the processor.
unsafe fn read_long_double(p: *const u8) -> f64 {
    let mut x = 0f64;
    // SAFETY: [ARGS] ten bytes lie at p; the x87 stack is left as it was.
    unsafe {
        core::arch::asm!("fld tbyte ptr [{p}]", "fstp qword ptr [{x}]", p = in(reg) p, x = in(reg) &raw mut x,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _, out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            options(nostack));
    }
    x
}

unsafe fn write_long_double(p: *mut u8, x: f64) {
    // SAFETY: [ARGS] sixteen bytes lie at p; the x87 stack is left as it was.
    unsafe {
        core::ptr::write_bytes(p, 0, 16);
        core::arch::asm!("fld qword ptr [{x}]", "fstp tbyte ptr [{p}]", p = in(reg) p, x = in(reg) &raw const x,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _, out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            options(nostack));
    }
}

unsafe fn long_double_get(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    to_float(unsafe { read_long_double(p) })
}
unsafe fn long_double_set(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe { write_long_double(p, from_float(value)?) };
    Ok(none())
}

unsafe fn object_get(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS] NULL or a live object lies there.
    unsafe {
        let op = p.cast::<*mut PyObject>().read_unaligned();
        if op.is_null() {
            if err_occurred() {
                return Err(Raised::assume());
            }
            bail!(PyExc_ValueError, "PyObject is NULL");
        }
        Ok(Owned::from_borrowed(op))
    }
}
unsafe fn object_set(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        p.cast::<*mut PyObject>().write_unaligned(value);
        Ok(Owned::from_borrowed(value))
    }
}

unsafe fn char_get(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    taipan_clinic::support::bytes(&[unsafe { *p }])
}
unsafe fn char_set(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        if PyBytes_Check(value) != 0 && PyBytes_Size(value) == 1 {
            *p = *PyBytes_AsString(value).cast();
            return Ok(none());
        }
        if PyByteArray_Check(value) != 0 && PyByteArray_Size(value) == 1 {
            *p = *PyByteArray_AsString(value).cast();
            return Ok(none());
        }
        if PyLong_Check(value) != 0 {
            let n = PyLong_AsLong(value);
            if let Ok(byte) = u8::try_from(n) {
                *p = byte;
                return Ok(none());
            }
        }
        bail!(PyExc_TypeError, "one character bytes, bytearray or integer expected")
    }
}

/// TypeError unless `value` is a str.
unsafe fn expect_str(value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    if unsafe { PyUnicode_Check(value) } == 0 {
        bail!(PyExc_TypeError, "unicode string expected instead of {} instance", class_name_of(value));
    }
    Ok(())
}

unsafe fn wchar_get(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyUnicode_FromWideChar(p.cast(), 1)) }
}
unsafe fn wchar_set(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        expect_str(value)?;
        if PyUnicode_GetLength(value) != 1 {
            bail!(PyExc_TypeError, "one character unicode string expected");
        }
        p.cast::<u32>().write_unaligned(PyUnicode_ReadChar(value, 0));
    }
    Ok(none())
}

unsafe fn wchar_array_get(p: *const u8, size: isize) -> PyResult {
    // SAFETY: [ARGS] `size` bytes lie at p.
    unsafe {
        let length = size / 4;
        let end = (0..length).find(|&i| p.cast::<u32>().offset(i).read_unaligned() == 0).unwrap_or(length);
        Owned::from_owned_or_err(PyUnicode_FromWideChar(p.cast(), end))
    }
}
unsafe fn wchar_array_set(p: *mut u8, value: *mut PyObject, size: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let length = size / 4;
        expect_str(value)?;
        let wanted = PyUnicode_AsWideChar(value, null_mut(), 0);
        if wanted < 0 {
            return Err(Raised::assume());
        }
        if wanted - 1 > length {
            bail!(PyExc_ValueError, "string too long ({}, maximum length {})", wanted - 1, length);
        }
        if PyUnicode_AsWideChar(value, p.cast(), length) < 0 {
            return Err(Raised::assume());
        }
        Ok(Owned::from_borrowed(value))
    }
}

/// How many of the `size` bytes at `p` come before a NUL.
pub unsafe fn bounded_length(p: *const u8, size: isize) -> isize {
    // SAFETY: [ARGS]
    unsafe { (0..size).find(|&i| *p.offset(i) == 0).unwrap_or(size) }
}

unsafe fn char_array_get(p: *const u8, size: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyBytes_FromStringAndSize(p.cast(), bounded_length(p, size))) }
}
unsafe fn char_array_set(p: *mut u8, value: *mut PyObject, size: isize) -> PyResult {
    // SAFETY: [ARGS] a bytes object ends with a NUL.
    unsafe {
        if PyBytes_Check(value) == 0 {
            bail!(PyExc_TypeError, "expected bytes, {} found", class_name_of(value));
        }
        let text = CStr::from_ptr(PyBytes_AsString(value)).to_bytes_with_nul();
        let length = text.len() as isize - 1;
        if length > size {
            bail!(PyExc_ValueError, "bytes too long ({}, maximum length {})", length, size);
        }
        core::ptr::copy_nonoverlapping(text.as_ptr(), p, text.len().min(size as usize));
    }
    Ok(none())
}

unsafe fn char_p_get(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS] NULL or a string, as the program says.
    unsafe {
        let text = p.cast::<*const core::ffi::c_char>().read_unaligned();
        if text.is_null() { Ok(none()) } else { taipan_clinic::support::bytes(CStr::from_ptr(text).to_bytes()) }
    }
}
unsafe fn char_p_set(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let slot = p.cast::<*mut core::ffi::c_char>();
        if value == Py_None() {
            slot.write_unaligned(null_mut());
        } else if PyBytes_Check(value) != 0 {
            slot.write_unaligned(PyBytes_AsString(value));
            return Ok(Owned::from_borrowed(value));
        } else if PyLong_Check(value) != 0 {
            slot.write_unaligned(PyLong_AsUnsignedLongLongMask(value) as *mut _);
        } else {
            bail!(PyExc_TypeError, "bytes or integer address expected instead of {} instance", class_name_of(value));
        }
    }
    Ok(none())
}

const MEMORY: &CStr = c"_ctypes/cfield.c pymem";

unsafe extern "C" fn free_capsule(capsule: *mut PyObject) {
    // SAFETY: [ARGS] called with a capsule of `kept_memory`.
    unsafe { PyMem_Free(PyCapsule_GetPointer(capsule, MEMORY.as_ptr())) }
}

/// A capsule that frees `memory` (of `PyMem_Malloc`) when it goes.
///
/// # Safety
/// The memory is given away.
pub unsafe fn kept_memory(memory: *mut core::ffi::c_void) -> PyResult {
    // SAFETY: [OWN]
    unsafe {
        let capsule = PyCapsule_New(memory, MEMORY.as_ptr(), Some(free_capsule));
        if capsule.is_null() {
            PyMem_Free(memory);
        }
        Owned::from_owned_or_err(capsule)
    }
}

unsafe fn wchar_p_get(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS] NULL or a string, as the program says.
    unsafe {
        let text = p.cast::<*const libc::wchar_t>().read_unaligned();
        if text.is_null() { Ok(none()) } else { Owned::from_owned_or_err(PyUnicode_FromWideChar(text.cast(), libc::wcslen(text) as isize)) }
    }
}
unsafe fn wchar_p_set(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let slot = p.cast::<*mut core::ffi::c_void>();
        if value == Py_None() {
            slot.write_unaligned(null_mut());
        } else if PyLong_Check(value) != 0 {
            slot.write_unaligned(PyLong_AsUnsignedLongLongMask(value) as *mut _);
        } else if PyUnicode_Check(value) != 0 {
            // Given somewhere to put the length, it lets NULs through.
            let mut length = 0;
            let memory = PyUnicode_AsWideCharString(value, &mut length);
            if memory.is_null() {
                return Err(Raised::assume());
            }
            let keep = kept_memory(memory.cast())?;
            slot.write_unaligned(memory.cast());
            return Ok(keep);
        } else {
            bail!(PyExc_TypeError, "unicode string or integer address expected instead of {} instance", class_name_of(value));
        }
    }
    Ok(none())
}

unsafe fn pointer_get(p: *const u8, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let address = p.cast::<*mut core::ffi::c_void>().read_unaligned();
        if address.is_null() { Ok(none()) } else { Owned::from_owned_or_err(PyLong_FromVoidPtr(address)) }
    }
}
unsafe fn pointer_set(p: *mut u8, value: *mut PyObject, _: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let mut address = 0;
        if value != Py_None() {
            if PyLong_Check(value) == 0 {
                bail!(PyExc_TypeError, "cannot be converted to pointer");
            }
            address = from_int(value)?;
        }
        p.cast::<u64>().write_unaligned(address);
    }
    Ok(none())
}

macro_rules! integer {
    ($code:literal, $t:ty, $kind:ident) => {
        Simple {
            code: $code,
            passing: Passing::scalar(Kind::$kind, size_of::<$t>()),
            get: int_get::<$t>,
            set: int_set::<$t>,
            swapped: if size_of::<$t>() > 1 { Some((int_get_swapped::<$t>, int_set_swapped::<$t>)) } else { None },
        }
    };
}
macro_rules! other {
    ($code:literal, $passing:expr, $get:ident, $set:ident) => {
        Simple { code: $code, passing: $passing, get: $get, set: $set, swapped: None }
    };
}

static TABLE: [Simple; 24] = [
    integer!(b'b', i8, Signed),
    integer!(b'B', u8, Unsigned),
    integer!(b'h', i16, Signed),
    integer!(b'H', u16, Unsigned),
    integer!(b'i', i32, Signed),
    integer!(b'I', u32, Unsigned),
    integer!(b'l', i64, Signed),
    integer!(b'L', u64, Unsigned),
    integer!(b'q', i64, Signed),
    integer!(b'Q', u64, Unsigned),
    Simple { swapped: Some((float_get_swapped, float_set_swapped)), ..other!(b'f', Passing::scalar(Kind::Float, 4), float_get, float_set) },
    Simple { swapped: Some((double_get_swapped, double_set_swapped)), ..other!(b'd', Passing::scalar(Kind::Double, 8), double_get, double_set) },
    other!(b'g', Passing::scalar(Kind::LongDouble, 16), long_double_get, long_double_set),
    other!(b'c', Passing::scalar(Kind::Signed, 1), char_get, char_set),
    other!(b's', Passing::POINTER, char_array_get, char_array_set),
    other!(b'u', Passing::INT, wchar_get, wchar_set),
    other!(b'U', Passing::POINTER, wchar_array_get, wchar_array_set),
    other!(b'z', Passing::POINTER, char_p_get, char_p_set),
    other!(b'Z', Passing::POINTER, wchar_p_get, wchar_p_set),
    other!(b'P', Passing::POINTER, pointer_get, pointer_set),
    other!(b'O', Passing::POINTER, object_get, object_set),
    other!(b'?', Passing::scalar(Kind::Unsigned, 1), bool_get, bool_set),
    other!(b'v', Passing::scalar(Kind::Signed, 2), vbool_get, vbool_set),
    // Never found: ends the table.
    other!(0, Passing::VOID, pointer_get, pointer_set),
];

/// The description of a type code.
pub fn simple(code: u8) -> Option<&'static Simple> {
    TABLE.iter().find(|s| s.code == code && code != 0)
}

/// The description of a code that the table has.
pub fn known(code: u8) -> &'static Simple {
    simple(code).unwrap_or(&TABLE[TABLE.len() - 1])
}
