//! The `array` module: sequences of machine values.

use crate::support::{bytes, free, new, next, no_memory, none, optional_attr, short_name, take, text, tuple};
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::module::{add_object, add_str, add_type};
use taipan_clinic::{BufferView, Str, getset, members, methods, module};
use taipan_objects::floatobject::float_from_f64;
use taipan_objects::longobject::{long_from_i64, long_from_u64, to_i64};
use taipan_objects::typeobject::TYPE_INIT;

// ---- items -----------------------------------------------------------------------------------------------------------

/// A machine value that an array can hold.
trait Item: Copy {
    /// The object for it; NULL with an exception if there is no memory or it is no character.
    unsafe fn get(self) -> *mut PyObject;
    /// The value of an object, checked for its range. May run `__index__` or `__float__`.
    unsafe fn from(v: *mut PyObject) -> PyResult<Self>;
    /// Difference in order, for types with a total one.
    fn order(a: Self, b: Self) -> c_int;
}

/// `PyLong_AsLong`, quick for ints.
#[inline]
unsafe fn as_long(v: *mut PyObject) -> PyResult<i64> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyLong_CheckExact(v) != 0
            && let Some(n) = to_i64(v.cast())
        {
            return Ok(n);
        }
        let n = PyLong_AsLong(v);
        if n == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
    }
}

/// An unsigned value, by `__index__` and then `convert`.
unsafe fn as_unsigned(v: *mut PyObject, convert: unsafe extern "C" fn(*mut PyObject) -> u64) -> PyResult<u64> {
    // SAFETY: [ARGS]
    unsafe {
        let v = if PyLong_Check(v) != 0 { Owned::from_borrowed(v) } else { take(PyNumber_Index(v))? };
        let n = convert(v.as_ptr());
        if n == u64::MAX && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
    }
}

macro_rules! small_item {
    ($($t:ty, $name:literal;)*) => { $(
        impl Item for $t {
            #[inline(always)]
            unsafe fn get(self) -> *mut PyObject { long_from_i64(self as i64) }
            #[inline]
            unsafe fn from(v: *mut PyObject) -> PyResult<Self> {
                // SAFETY: [ARGS]
                let n = unsafe { as_long(v) }?;
                if n < <$t>::MIN as i64 { bail!(PyExc_OverflowError, "{}{}", $name, " is less than minimum"); }
                if n > <$t>::MAX as i64 { bail!(PyExc_OverflowError, "{}{}", $name, " is greater than maximum"); }
                Ok(n as $t)
            }
            #[inline(always)]
            fn order(a: Self, b: Self) -> c_int { (a > b) as c_int - (a < b) as c_int }
        }
    )* };
}
small_item! {
    u8, "unsigned byte integer";
    i16, "signed short integer";
    u16, "unsigned short";
    i32, "signed integer";
}

impl Item for i8 {
    #[inline(always)]
    unsafe fn get(self) -> *mut PyObject {
        long_from_i64(self as i64)
    }
    unsafe fn from(v: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [ARGS] a number that doesn't fit a short is told so.
        let n = unsafe { <i16 as Item>::from(v) }?;
        if n < -128 {
            bail!(PyExc_OverflowError, "signed char is less than minimum");
        }
        if n > 127 {
            bail!(PyExc_OverflowError, "signed char is greater than maximum");
        }
        Ok(n as i8)
    }
    fn order(a: Self, b: Self) -> c_int {
        (a > b) as c_int - (a < b) as c_int
    }
}
impl Item for u32 {
    #[inline(always)]
    unsafe fn get(self) -> *mut PyObject {
        long_from_i64(self as i64)
    }
    unsafe fn from(v: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [ARGS]
        let n = unsafe { as_unsigned(v, PyLong_AsUnsignedLong) }?;
        u32::try_from(n).map_err(|_| raise!(PyExc_OverflowError, "unsigned int is greater than maximum"))
    }
    fn order(a: Self, b: Self) -> c_int {
        (a > b) as c_int - (a < b) as c_int
    }
}
impl Item for u64 {
    #[inline(always)]
    unsafe fn get(self) -> *mut PyObject {
        long_from_u64(self)
    }
    unsafe fn from(v: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe { as_unsigned(v, PyLong_AsUnsignedLong) }
    }
    fn order(a: Self, b: Self) -> c_int {
        (a > b) as c_int - (a < b) as c_int
    }
}
impl Item for i64 {
    #[inline(always)]
    unsafe fn get(self) -> *mut PyObject {
        long_from_i64(self)
    }
    unsafe fn from(v: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe { as_long(v) }
    }
    fn order(a: Self, b: Self) -> c_int {
        (a > b) as c_int - (a < b) as c_int
    }
}
impl Item for f64 {
    #[inline(always)]
    unsafe fn get(self) -> *mut PyObject {
        float_from_f64(self)
    }
    unsafe fn from(v: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [ARGS]
        let x = unsafe { PyFloat_AsDouble(v) };
        // SAFETY: [EXC]
        if x == -1.0 && err_occurred() { Err(unsafe { Raised::assume() }) } else { Ok(x) }
    }
    fn order(_: Self, _: Self) -> c_int {
        0
    }
}
impl Item for f32 {
    #[inline(always)]
    unsafe fn get(self) -> *mut PyObject {
        float_from_f64(self as f64)
    }
    unsafe fn from(v: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [ARGS]
        Ok(unsafe { <f64 as Item>::from(v) }? as f32)
    }
    fn order(_: Self, _: Self) -> c_int {
        0
    }
}
/// A code point as arrays store it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Ucs4(u32);
impl Item for Ucs4 {
    unsafe fn get(self) -> *mut PyObject {
        // SAFETY: [GIL] raises for what is no character.
        unsafe { PyUnicode_FromOrdinal(self.0 as c_int) }
    }
    unsafe fn from(v: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [TYPE] checked.
        unsafe {
            if PyUnicode_Check(v) == 0 || PyUnicode_GetLength(v) != 1 {
                bail!(PyExc_TypeError, "array item must be unicode character");
            }
            Ok(Ucs4(PyUnicode_ReadChar(v, 0)))
        }
    }
    fn order(a: Self, b: Self) -> c_int {
        (a.0 > b.0) as c_int - (a.0 < b.0) as c_int
    }
}

type Getter = unsafe fn(*const u8, usize) -> *mut PyObject;
type Setter = unsafe fn(*mut Array, isize, *mut PyObject) -> PyResult<()>;
type Comparer = unsafe fn(*const u8, *const u8, usize) -> c_int;

unsafe fn get<T: Item>(items: *const u8, i: usize) -> *mut PyObject {
    // SAFETY: [ARGS] in range.
    unsafe { items.cast::<T>().add(i).read().get() }
}
/// Converts `v` and, unless `i` is negative, stores it there: conversion may have shortened the array.
unsafe fn set<T: Item>(a: *mut Array, i: isize, v: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE] in range, checked.
    unsafe {
        let value = T::from(v)?;
        if i >= 0 {
            if i >= (*a).ob_base.ob_size {
                bail!(PyExc_IndexError, "array assignment index out of range");
            }
            (*a).ob_item.cast::<T>().offset(i).write(value);
        }
        Ok(())
    }
}
unsafe fn compare<T: Item>(a: *const u8, b: *const u8, n: usize) -> c_int {
    // SAFETY: [ARGS] both have n items.
    unsafe {
        for i in 0..n {
            let order = T::order(a.cast::<T>().add(i).read(), b.cast::<T>().add(i).read());
            if order != 0 {
                return order;
            }
        }
    }
    0
}

/// What a type code stands for.
struct Descr {
    typecode: u8,
    itemsize: usize,
    get: Getter,
    set: Setter,
    /// Absent where equality is not that of the bits' order (NaN).
    compare: Option<Comparer>,
    format: &'static core::ffi::CStr,
    is_integer: bool,
    is_signed: bool,
    /// The portable code of its machine format, little-endian.
    mformat: c_int,
}

macro_rules! descriptors {
    ($($code:literal $t:ty, $format:literal, $int:literal, $signed:literal, $ordered:literal, $mformat:literal;)*) => {
        &[$(Descr {
            typecode: $code,
            itemsize: size_of::<$t>(),
            get: get::<$t>,
            set: set::<$t>,
            compare: if $ordered { Some(compare::<$t>) } else { None },
            format: $format,
            is_integer: $int,
            is_signed: $signed,
            mformat: $mformat,
        }),*]
    };
}
static DESCRIPTORS: &[Descr] = descriptors! {
    b'b' i8, c"b", true, true, true, 1;
    b'B' u8, c"B", true, false, true, 0;
    b'u' Ucs4, c"w", false, false, true, 20;
    b'w' Ucs4, c"w", false, false, true, 20;
    b'h' i16, c"h", true, true, true, 4;
    b'H' u16, c"H", true, false, true, 2;
    b'i' i32, c"i", true, true, true, 8;
    b'I' u32, c"I", true, false, true, 6;
    b'l' i64, c"l", true, true, true, 12;
    b'L' u64, c"L", true, false, true, 10;
    b'q' i64, c"q", true, true, true, 12;
    b'Q' u64, c"Q", true, false, true, 10;
    b'f' f32, c"f", false, false, false, 14;
    b'd' f64, c"d", false, false, false, 16;
};

// ---- the object ------------------------------------------------------------------------------------------------------

#[repr(C)]
struct Array {
    ob_base: PyVarObject,
    ob_item: *mut u8,
    allocated: isize,
    ob_descr: *const Descr,
    weakreflist: *mut PyObject,
    ob_exports: isize,
}
type A<'a> = Borrowed<'a, Array>;

impl Array {
    #[inline(always)]
    fn len(&self) -> usize {
        self.ob_base.ob_size as usize
    }
    #[inline(always)]
    fn descr(&self) -> &'static Descr {
        // SAFETY: [TYPE] set by newarrayobject, which alone makes arrays.
        unsafe { &*self.ob_descr }
    }
    #[inline(always)]
    fn is_unicode(&self) -> bool {
        matches!(self.descr().typecode, b'u' | b'w')
    }
    /// The memory; dangling when empty.
    fn data(&self) -> &[u8] {
        if self.ob_base.ob_size == 0 {
            return &[];
        }
        // SAFETY: [LAYOUT] as many items are allocated.
        unsafe { core::slice::from_raw_parts(self.ob_item, self.len() * self.descr().itemsize) }
    }
}

#[inline(always)]
unsafe fn is_array(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_instance_of(op, &raw mut ARRAY) }
}

unsafe fn newarrayobject(tp: *mut PyTypeObject, size: usize, descr: &'static Descr) -> PyResult<Owned<Array>> {
    // SAFETY: [ARGS] zeroed memory is an empty array.
    unsafe {
        let Some(nbytes) = size.checked_mul(descr.itemsize).filter(|&n| n <= isize::MAX as usize) else { return Err(no_memory()) };
        let a = new::<Array>(tp)?;
        let p = a.as_ptr();
        (*p).ob_descr = descr;
        (*p).ob_base.ob_size = 0;
        if size > 0 {
            (*p).ob_item = PyMem_Malloc(nbytes).cast();
            if (*p).ob_item.is_null() {
                return Err(no_memory());
            }
            (*p).allocated = size as isize;
            (*p).ob_base.ob_size = size as isize;
        }
        Ok(a)
    }
}

/// Changes the size, over-allocating a little; new items are not filled in.
unsafe fn array_resize(a: *mut Array, newsize: isize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let size = (*a).ob_base.ob_size;
        if (*a).ob_exports > 0 && newsize != size {
            bail!(PyExc_BufferError, "cannot resize an array that is exporting buffers");
        }
        if (*a).allocated >= newsize && size < newsize + 16 && !(*a).ob_item.is_null() {
            (*a).ob_base.ob_size = newsize;
            return Ok(());
        }
        if newsize == 0 {
            PyMem_Free((*a).ob_item.cast());
            (*a).ob_item = null_mut();
            (*a).ob_base.ob_size = 0;
            (*a).allocated = 0;
            return Ok(());
        }
        let room = (newsize >> 4) + if size < 8 { 3 } else { 7 } + newsize;
        let nbytes = (room as usize).checked_mul((*a).descr().itemsize).filter(|&n| n <= isize::MAX as usize);
        let items = nbytes.map_or(null_mut(), |n| PyMem_Realloc((*a).ob_item.cast(), n));
        if items.is_null() {
            return Err(no_memory());
        }
        (*a).ob_item = items.cast();
        (*a).ob_base.ob_size = newsize;
        (*a).allocated = room;
        Ok(())
    }
}

#[inline(always)]
unsafe fn getarrayitem(a: *mut Array, i: usize) -> PyResult<Owned> {
    // SAFETY: [ARGS] in range.
    unsafe { take(((*a).descr().get)((*a).ob_item, i)) }
}

unsafe fn ins1(a: *mut Array, at: isize, v: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let d = (*a).descr();
        // Convert first: only then is the size final.
        (d.set)(a, -1, v)?;
        let n = (*a).ob_base.ob_size;
        array_resize(a, n + 1)?;
        let at = if at < 0 { (at + n).max(0) } else { at.min(n) } as usize;
        let n = n as usize;
        if at != n {
            let p = (*a).ob_item.add(at * d.itemsize);
            core::ptr::copy(p, p.add(d.itemsize), (n - at) * d.itemsize);
        }
        (d.set)(a, at as isize, v)
    }
}

unsafe extern "C" fn array_traverse(_: *mut PyObject, _: visitproc, _: *mut c_void) -> c_int {
    0
}
unsafe extern "C" fn array_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let a = slf.cast::<Array>();
        if !(*a).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        PyMem_Free((*a).ob_item.cast());
        free(slf);
    }
}

fn outcome(order: core::cmp::Ordering, op: c_int) -> *mut PyObject {
    let yes = match op {
        Py_LT => order.is_lt(),
        Py_LE => order.is_le(),
        Py_EQ => order.is_eq(),
        Py_NE => order.is_ne(),
        Py_GT => order.is_gt(),
        _ => order.is_ge(),
    };
    // SAFETY: [IMMORTAL]
    unsafe { if yes { Py_True() } else { Py_False() } }
}

unsafe extern "C" fn array_richcompare(v: *mut PyObject, w: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [TYPE] checked; sizes are read again for each item, as comparing may change them.
    unsafe {
        if !is_array(v) || !is_array(w) {
            return Py_NotImplemented();
        }
        let (a, b) = (v.cast::<Array>(), w.cast::<Array>());
        if (*a).len() != (*b).len() && (op == Py_EQ || op == Py_NE) {
            return if op == Py_NE { Py_True() } else { Py_False() };
        }
        if (*a).ob_descr == (*b).ob_descr
            && let Some(compare) = (*a).descr().compare
        {
            let order = compare((*a).ob_item, (*b).ob_item, (*a).len().min((*b).len()));
            return outcome(if order == 0 { (*a).len().cmp(&(*b).len()) } else { order.cmp(&0) }, op);
        }
        let run = || -> PyResult<Owned> {
            let mut i = 0;
            while i < (*a).len() && i < (*b).len() {
                let (x, y) = (getarrayitem(a, i)?, getarrayitem(b, i)?);
                let same = PyObject_RichCompareBool(x.as_ptr(), y.as_ptr(), Py_EQ);
                check_status(same)?;
                if same == 0 {
                    return match op {
                        Py_EQ => Ok(Owned::from_borrowed(Py_False())),
                        Py_NE => Ok(Owned::from_borrowed(Py_True())),
                        _ => take(PyObject_RichCompare(x.as_ptr(), y.as_ptr(), op)),
                    };
                }
                i += 1;
            }
            Ok(Owned::from_borrowed(outcome((*a).len().cmp(&(*b).len()), op)))
        };
        run().into_c()
    }
}

unsafe extern "C" fn array_length(slf: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { (*slf.cast::<Array>()).ob_base.ob_size }
}
unsafe extern "C" fn array_item(slf: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE] in range.
    unsafe {
        let a = slf.cast::<Array>();
        if i < 0 || i >= (*a).ob_base.ob_size {
            let _ = raise!(PyExc_IndexError, "array index out of range");
            return null_mut();
        }
        ((*a).descr().get)((*a).ob_item, i as usize)
    }
}

/// A plain array with these bytes, which are whole items.
unsafe fn from_data(descr: &'static Descr, parts: &[&[u8]]) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh array of the parts' size.
    unsafe {
        let total: usize = parts.iter().map(|p| p.len()).sum();
        let a = newarrayobject(&raw mut ARRAY, total / descr.itemsize, descr)?;
        let mut to = (*a.as_ptr()).ob_item;
        for part in parts.iter().filter(|p| !p.is_empty()) {
            core::ptr::copy_nonoverlapping(part.as_ptr(), to, part.len());
            to = to.add(part.len());
        }
        Ok(a.into_object())
    }
}

unsafe extern "C" fn array_concat(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] checked.
    unsafe {
        let run = || -> PyResult<Owned> {
            if !is_array(other) {
                bail!(PyExc_TypeError, "can only append array (not \"{}\") to array", type_name(other));
            }
            let (a, b) = (&*slf.cast::<Array>(), &*other.cast::<Array>());
            if a.ob_descr != b.ob_descr {
                PyErr_BadArgument();
                return Err(Raised::assume());
            }
            from_data(a.descr(), &[a.data(), b.data()])
        };
        run().into_c()
    }
}
unsafe extern "C" fn array_repeat(slf: *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let run = || -> PyResult<Owned> {
            let a = &*slf.cast::<Array>();
            let Some(size) = a.len().checked_mul(n.max(0) as usize) else { return Err(no_memory()) };
            let new = newarrayobject(&raw mut ARRAY, size, a.descr())?;
            if size > 0 {
                let from = a.data();
                _PyBytes_Repeat((*new.as_ptr()).ob_item.cast(), (from.len() * n as usize) as isize, from.as_ptr().cast(), from.len() as isize);
            }
            Ok(new.into_object())
        };
        run().into_c()
    }
}

/// Deletes the items from `low` to `high`, which lie in the array.
unsafe fn array_del_slice(a: *mut Array, low: usize, high: usize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if high <= low {
            return Ok(());
        }
        if (*a).ob_exports > 0 {
            bail!(PyExc_BufferError, "cannot resize an array that is exporting buffers");
        }
        let (size, n) = ((*a).descr().itemsize, (*a).len());
        core::ptr::copy((*a).ob_item.add(high * size), (*a).ob_item.add(low * size), (n - high) * size);
        array_resize(a, (n - (high - low)) as isize)
    }
}

unsafe extern "C" fn array_ass_item(slf: *mut PyObject, i: Py_ssize_t, v: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let a = slf.cast::<Array>();
        let run = || -> PyResult<()> {
            if i < 0 || i >= (*a).ob_base.ob_size {
                bail!(PyExc_IndexError, "array assignment index out of range");
            }
            if v.is_null() { array_del_slice(a, i as usize, i as usize + 1) } else { ((*a).descr().set)(a, i, v) }
        };
        run().into_c()
    }
}

unsafe fn iter_extend(a: *mut Array, iterable: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let it = take(PyObject_GetIter(iterable))?;
        while let Some(v) = next(it.as_ptr())? {
            ins1(a, (*a).ob_base.ob_size, v.as_ptr())?;
        }
        Ok(())
    }
}

unsafe fn do_extend(a: *mut Array, other: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE] checked; `other` may be the array itself.
    unsafe {
        if !is_array(other) {
            return iter_extend(a, other);
        }
        let b = other.cast::<Array>();
        if (*a).ob_descr != (*b).ob_descr {
            bail!(PyExc_TypeError, "can only extend with array of same kind");
        }
        let (old, more, size) = ((*a).len(), (*b).len(), (*a).descr().itemsize);
        if (old + more).checked_mul(size).is_none_or(|n| n > isize::MAX as usize) {
            return Err(no_memory());
        }
        array_resize(a, (old + more) as isize)?;
        if more > 0 {
            core::ptr::copy_nonoverlapping((*b).ob_item, (*a).ob_item.add(old * size), more * size);
        }
        Ok(())
    }
}

unsafe extern "C" fn array_inplace_concat(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        if !is_array(other) {
            let _ = raise!(PyExc_TypeError, "can only extend array with array (not \"{}\")", type_name(other));
            return null_mut();
        }
        do_extend(slf.cast(), other).map(|()| Owned::from_borrowed(slf)).into_c()
    }
}
unsafe extern "C" fn array_inplace_repeat(slf: *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let a = slf.cast::<Array>();
        let run = || -> PyResult<Owned> {
            let len = (*a).len();
            if len > 0 && n != 1 {
                let n = n.max(0) as usize;
                let nbytes = len * (*a).descr().itemsize;
                let Some(total) = nbytes.checked_mul(n).filter(|&t| t <= isize::MAX as usize) else { return Err(no_memory()) };
                array_resize(a, (len * n) as isize)?;
                if n > 0 {
                    _PyBytes_Repeat((*a).ob_item.cast(), total as isize, (*a).ob_item.cast(), nbytes as isize);
                }
            }
            Ok(Owned::from_borrowed(slf))
        };
        run().into_c()
    }
}

unsafe fn equal(a: *mut Array, i: usize, v: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS] in range.
    unsafe {
        let item = getarrayitem(a, i)?;
        let same = PyObject_RichCompareBool(item.as_ptr(), v, Py_EQ);
        check_status(same)?;
        Ok(same > 0)
    }
}

fn array_count(slf: A<'_>, v: Borrowed<'_>) -> PyResult<usize> {
    let (mut count, mut i) = (0, 0);
    while i < slf.len() {
        // SAFETY: [TYPE] in range.
        count += unsafe { equal(slf.as_ptr(), i, v.ob()) }? as usize;
        i += 1;
    }
    Ok(count)
}

/// The first item that equals `v`, from `start` on and before `stop`.
fn position(slf: A<'_>, v: Borrowed<'_>, start: usize, stop: usize) -> PyResult<Option<usize>> {
    let mut i = start;
    while i < stop && i < slf.len() {
        // SAFETY: [TYPE] in range.
        if unsafe { equal(slf.as_ptr(), i, v.ob()) }? {
            return Ok(Some(i));
        }
        i += 1;
    }
    Ok(None)
}

fn array_index(slf: A<'_>, v: Borrowed<'_>, start: Option<Borrowed<'_>>, stop: Option<Borrowed<'_>>) -> PyResult<usize> {
    let bound = |arg: Option<Borrowed<'_>>, default: isize| -> PyResult<isize> {
        let Some(arg) = arg else { return Ok(default) };
        let mut n = 0;
        // SAFETY: [ARGS]
        if unsafe { _PyEval_SliceIndexNotNone(arg.ob(), &mut n) } == 0 {
            // SAFETY: [EXC]
            return Err(unsafe { Raised::assume() });
        }
        Ok(n)
    };
    let (mut start, mut stop) = (bound(start, 0)?, bound(stop, isize::MAX)?);
    let len = slf.len() as isize;
    if start < 0 {
        start = (start + len).max(0);
    }
    if stop < 0 {
        stop = (stop + len).max(0);
    }
    position(slf, v, start as usize, stop as usize)?.ok_or_else(|| raise!(PyExc_ValueError, "array.index(x): x not in array"))
}
unsafe extern "C" {
    fn _PyEval_SliceIndexNotNone(v: *mut PyObject, out: *mut Py_ssize_t) -> c_int;
}

unsafe extern "C" fn array_contains(slf: *mut PyObject, v: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { position(Borrowed::from_ptr(slf.cast()), Borrowed::from_ptr(v), 0, usize::MAX).map(|i| i.is_some()).into_c() }
}
fn array_remove(slf: A<'_>, v: Borrowed<'_>) -> PyResult<()> {
    match position(slf, v, 0, usize::MAX)? {
        // Comparing may have shortened the array.
        // SAFETY: [TYPE] in range.
        Some(i) if i < slf.len() => unsafe { array_del_slice(slf.as_ptr(), i, i + 1) },
        Some(_) => Ok(()),
        None => bail!(PyExc_ValueError, "array.remove(x): x not in array"),
    }
}
fn array_pop(slf: A<'_>, i: isize) -> PyResult<Owned> {
    let n = slf.len() as isize;
    if n == 0 {
        bail!(PyExc_IndexError, "pop from empty array");
    }
    let i = if i < 0 { i + n } else { i };
    if i < 0 || i >= n {
        bail!(PyExc_IndexError, "pop index out of range");
    }
    // SAFETY: [TYPE] in range.
    unsafe {
        let v = getarrayitem(slf.as_ptr(), i as usize)?;
        array_del_slice(slf.as_ptr(), i as usize, i as usize + 1)?;
        Ok(v)
    }
}
fn array_extend(slf: A<'_>, bb: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { do_extend(slf.as_ptr(), bb.ob()) }
}
fn array_insert(slf: A<'_>, i: isize, v: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { ins1(slf.as_ptr(), i, v.ob()) }
}
fn array_append(slf: A<'_>, v: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE] converted once; the place is the end at that time.
    unsafe {
        let a = slf.as_ptr();
        ins1(a, isize::MAX, v.ob())
    }
}
fn array_clear(slf: A<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { array_resize(slf.as_ptr(), 0) }
}
fn array_copy(slf: A<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { from_data(slf.descr(), &[slf.data()]) }
}
fn array_deepcopy(slf: A<'_>, _: Borrowed<'_>) -> PyResult<Owned> {
    array_copy(slf)
}
fn array_buffer_info(slf: A<'_>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { tuple([take(PyLong_FromVoidPtr(slf.ob_item.cast()))?, take(PyLong_FromSsize_t(slf.ob_base.ob_size))?]) }
}

/// The memory, to write to; nothing may run meanwhile.
#[allow(clippy::mut_from_ref, reason = "[GIL] the only user while it lives")]
fn data_mut(slf: A<'_>) -> &mut [u8] {
    let n = slf.data().len();
    if n == 0 {
        return &mut [];
    }
    // SAFETY: [LAYOUT]
    unsafe { core::slice::from_raw_parts_mut(slf.ob_item, n) }
}
fn array_byteswap(slf: A<'_>) -> PyResult<()> {
    for item in data_mut(slf).chunks_exact_mut(slf.descr().itemsize) {
        item.reverse();
    }
    Ok(())
}
fn array_reverse(slf: A<'_>) -> PyResult<()> {
    let size = slf.descr().itemsize;
    let data = data_mut(slf);
    // All bytes, then those of each item back again.
    data.reverse();
    for item in data.chunks_exact_mut(size) {
        item.reverse();
    }
    Ok(())
}

fn array_fromfile(slf: A<'_>, f: Borrowed<'_>, n: isize) -> PyResult<()> {
    if n < 0 {
        bail!(PyExc_ValueError, "negative count");
    }
    let Some(nbytes) = n.checked_mul(slf.descr().itemsize as isize) else { return Err(no_memory()) };
    // SAFETY: [TYPE] checked.
    unsafe {
        let count = take(PyLong_FromSsize_t(nbytes))?;
        let b = take(PyObject_CallMethodOneArg(f.ob(), intern!("read"), count.as_ptr()))?;
        if PyBytes_Check(b.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "read() didn't return bytes");
        }
        let short = PyBytes_Size(b.as_ptr()) != nbytes;
        array_frombytes(slf, BufferView::get(b.as_ptr())?)?;
        if short {
            bail!(PyExc_EOFError, "read() didn't return enough bytes");
        }
        Ok(())
    }
}
fn array_tofile(slf: A<'_>, f: Borrowed<'_>) -> PyResult<()> {
    const BLOCK: usize = 64 * 1024;
    let mut at = 0;
    // Writing may change the array: look again before each block.
    loop {
        let rest = slf.data().get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        let block = bytes(&rest[..rest.len().min(BLOCK)])?;
        at += BLOCK;
        // SAFETY: [ARGS]
        unsafe { take(PyObject_CallMethodOneArg(f.ob(), intern!("write"), block.as_ptr()))? };
    }
}
fn array_fromlist(slf: A<'_>, list: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE] checked; both sizes are looked at again after each conversion.
    unsafe {
        if PyList_Check(list.ob()) == 0 {
            bail!(PyExc_TypeError, "arg must be list");
        }
        let n = PyList_Size(list.ob());
        if n == 0 {
            return Ok(());
        }
        let a = slf.as_ptr();
        let old = (*a).ob_base.ob_size;
        array_resize(a, old + n)?;
        for i in 0..n {
            let item = Owned::from_borrowed(PyList_GET_ITEM(list.ob(), i));
            let mut r = ((*a).descr().set)(a, old + i, item.as_ptr());
            if r.is_ok() && PyList_Size(list.ob()) != n {
                r = Err(raise!(PyExc_RuntimeError, "list changed size during iteration"));
            }
            if let Err(e) = r {
                if (*a).ob_base.ob_size > old && (*a).ob_exports == 0 {
                    (*a).ob_base.ob_size = old;
                }
                return Err(e);
            }
        }
        Ok(())
    }
}
fn array_tolist(slf: A<'_>) -> PyResult<Owned> {
    // SAFETY: [OWN] an unfinished list has NULL items only.
    unsafe {
        let n = slf.len();
        let list = take(PyList_New(n as isize))?;
        for i in 0..n {
            PyList_SET_ITEM(list.as_ptr(), i as isize, getarrayitem(slf.as_ptr(), i)?.into_raw());
        }
        Ok(list)
    }
}
fn array_frombytes(slf: A<'_>, buffer: BufferView) -> PyResult<()> {
    // SAFETY: [TYPE] an array that exports can't be resized, so the source does not move.
    unsafe {
        if buffer.raw().itemsize != 1 {
            bail!(PyExc_TypeError, "a bytes-like object is required");
        }
        let (a, from, size) = (slf.as_ptr(), buffer.as_bytes(), slf.descr().itemsize);
        if !from.len().is_multiple_of(size) {
            bail!(PyExc_ValueError, "bytes length not a multiple of item size");
        }
        let old = slf.len();
        if from.is_empty() {
            return Ok(());
        }
        array_resize(a, (old + from.len() / size) as isize)?;
        core::ptr::copy_nonoverlapping(from.as_ptr(), (*a).ob_item.add(old * size), from.len());
        Ok(())
    }
}
fn array_tobytes(slf: A<'_>) -> PyResult<Owned> {
    bytes(slf.data())
}

fn unicode_only(slf: A<'_>, name: &str) -> PyResult<()> {
    if !slf.is_unicode() {
        bail!(PyExc_ValueError, "{}() may only be called on unicode type arrays ('u' or 'w')", name);
    }
    Ok(())
}
unsafe fn add_text(a: *mut Array, s: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE] a str.
    unsafe {
        let n = PyUnicode_GetLength(s);
        if n > 0 {
            let old = (*a).ob_base.ob_size;
            array_resize(a, old + n)?;
            if PyUnicode_AsUCS4(s, (*a).ob_item.cast::<u32>().offset(old), n, 0).is_null() {
                return Err(Raised::assume());
            }
        }
        Ok(())
    }
}
fn array_fromunicode(slf: A<'_>, ustr: Str<'_>) -> PyResult<()> {
    unicode_only(slf, "fromunicode")?;
    // SAFETY: [TYPE]
    unsafe { add_text(slf.as_ptr(), ustr.ob()) }
}
fn array_tounicode(slf: A<'_>) -> PyResult<Owned> {
    unicode_only(slf, "tounicode")?;
    // SAFETY: [LAYOUT] items are code points of four bytes.
    unsafe {
        if slf.descr().typecode == b'u' {
            return take(PyUnicode_FromWideChar(slf.ob_item.cast(), slf.ob_base.ob_size));
        }
        let mut native: c_int = 0;
        let data = slf.data();
        take(PyUnicode_DecodeUTF32(data.as_ptr().cast(), data.len() as isize, core::ptr::null(), &mut native))
    }
}
fn array_sizeof(slf: A<'_>) -> PyResult<usize> {
    // SAFETY: [TYPE]
    unsafe { Ok((*slf.ob_type()).tp_basicsize as usize + slf.allocated as usize * slf.descr().itemsize) }
}

unsafe extern "C" fn array_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let a: A<'_> = Borrowed::from_ptr(slf.cast());
        let make = || -> PyResult<Owned> {
            let (name, code) = (short_name(type_of(slf)), a.descr().typecode as char);
            if a.len() == 0 {
                return text(&format!("{name}('{code}')"));
            }
            let items = if a.is_unicode() { array_tounicode(a)? } else { array_tolist(a)? };
            let head = text(&format!("{name}('{code}', "))?;
            take(PyUnicode_FromFormat(c"%U%R)".as_ptr(), head.as_ptr(), items.as_ptr()))
        };
        make().into_c()
    }
}

// ---- subscripts ------------------------------------------------------------------------------------------------------

/// A subscript with its slice resolved.
enum Subscript {
    Index(isize),
    Slice { start: isize, stop: isize, step: isize, len: usize },
}

unsafe fn subscript(a: *mut Array, item: *mut PyObject) -> PyResult<Subscript> {
    // SAFETY: [ARGS]
    unsafe {
        if PyIndex_Check(item) != 0 {
            let i = PyNumber_AsSsize_t(item, PyExc_IndexError);
            if i == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            return Ok(Subscript::Index(if i < 0 { i + (*a).ob_base.ob_size } else { i }));
        }
        if PySlice_Check(item) != 0 {
            let (mut start, mut stop, mut step) = (0, 0, 0);
            check_status(PySlice_Unpack(item, &mut start, &mut stop, &mut step))?;
            let len = PySlice_AdjustIndices((*a).ob_base.ob_size, &mut start, &mut stop, step) as usize;
            return Ok(Subscript::Slice { start, stop, step, len });
        }
        bail!(PyExc_TypeError, "array indices must be integers")
    }
}

unsafe extern "C" fn array_subscr(slf: *mut PyObject, item: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] AdjustIndices keeps a slice in range.
    unsafe {
        let a = slf.cast::<Array>();
        let run = || -> PyResult<Owned> {
            match subscript(a, item)? {
                Subscript::Index(i) => take(array_item(slf, i)),
                Subscript::Slice { start, step, len, .. } => {
                    let d = (*a).descr();
                    let new = newarrayobject(&raw mut ARRAY, len, d)?;
                    if len > 0 && step == 1 {
                        core::ptr::copy_nonoverlapping((*a).ob_item.add(start as usize * d.itemsize), (*new.as_ptr()).ob_item, len * d.itemsize);
                    } else {
                        let mut at = start;
                        for i in 0..len {
                            core::ptr::copy_nonoverlapping((*a).ob_item.add(at as usize * d.itemsize), (*new.as_ptr()).ob_item.add(i * d.itemsize), d.itemsize);
                            at = at.wrapping_add(step);
                        }
                    }
                    Ok(new.into_object())
                }
            }
        };
        run().into_c()
    }
}

unsafe fn ass_subscr(a: *mut Array, item: *mut PyObject, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE] indices are adjusted to the present size, and nothing runs between that and the moves.
    unsafe {
        let (start, stop, step, len) = match subscript(a, item)? {
            Subscript::Index(i) => {
                if i < 0 || i >= (*a).ob_base.ob_size {
                    bail!(PyExc_IndexError, "array assignment index out of range");
                }
                if !value.is_null() {
                    return ((*a).descr().set)(a, i, value);
                }
                (i, i + 1, 1, 1)
            }
            Subscript::Slice { start, stop, step, len } => (start, stop, step, len),
        };
        let d = (*a).descr();
        let mut copy = None;
        let from: &[u8] = if value.is_null() {
            &[]
        } else if is_array(value) {
            let other = value.cast::<Array>();
            if (*other).ob_descr != (*a).ob_descr {
                PyErr_BadArgument();
                return Err(Raised::assume());
            }
            if other == a { copy.insert((*a).data().to_vec()) } else { (*other).data() }
        } else {
            bail!(PyExc_TypeError, "can only assign array (not \"{}\") to array slice", type_name(value));
        };
        let (needed, size) = (from.len() / d.itemsize, d.itemsize);
        let n = (*a).len();
        if (needed == 0 || len != needed) && (*a).ob_exports > 0 {
            bail!(PyExc_BufferError, "cannot resize an array that is exporting buffers");
        }
        if step == 1 {
            // An empty slice inserts at its start.
            let (start, stop) = (start as usize, stop.max(start) as usize);
            let tail = n - stop;
            if len > needed {
                core::ptr::copy((*a).ob_item.add(stop * size), (*a).ob_item.add((start + needed) * size), tail * size);
                array_resize(a, (n + needed - len) as isize)?;
            } else if len < needed {
                array_resize(a, (n + needed - len) as isize)?;
                core::ptr::copy((*a).ob_item.add(stop * size), (*a).ob_item.add((start + needed) * size), tail * size);
            }
            if needed > 0 {
                core::ptr::copy_nonoverlapping(from.as_ptr(), (*a).ob_item.add(start * size), from.len());
            }
            return Ok(());
        }
        if needed == 0 {
            if len == 0 {
                return Ok(());
            }
            // Close the gaps from the lowest on.
            let (first, step) = if step < 0 { (start + step * (len as isize - 1), -step) } else { (start, step) };
            let (first, step) = (first as usize, step as usize);
            for i in 0..len {
                let gap = first + i * step;
                let until = if i + 1 < len { gap + step } else { n };
                core::ptr::copy((*a).ob_item.add((gap + 1) * size), (*a).ob_item.add((gap - i) * size), (until - gap - 1) * size);
            }
            return array_resize(a, (n - len) as isize);
        }
        if needed != len {
            bail!(PyExc_ValueError, "attempt to assign array of size {} to extended slice of size {}", needed, len);
        }
        let mut at = start;
        for part in from.chunks_exact(size) {
            core::ptr::copy_nonoverlapping(part.as_ptr(), (*a).ob_item.add(at as usize * size), size);
            at = at.wrapping_add(step);
        }
        Ok(())
    }
}
unsafe extern "C" fn array_ass_subscr(slf: *mut PyObject, item: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { ass_subscr(slf.cast(), item, value).into_c() }
}

unsafe extern "C" fn array_getbuffer(slf: *mut PyObject, view: *mut Py_buffer, flags: c_int) -> c_int {
    // SAFETY: [ARGS] shape and strides point into the object and the view, as in CPython.
    unsafe {
        if view.is_null() {
            let _ = raise!(PyExc_BufferError, "array_buffer_getbuf: view==NULL argument is obsolete");
            return -1;
        }
        let a = slf.cast::<Array>();
        let (v, d) = (&mut *view, (*a).descr());
        v.buf = if (*a).ob_item.is_null() { c"".as_ptr() as *mut c_void } else { (*a).ob_item.cast() };
        v.obj = Owned::from_borrowed(slf).into_raw();
        v.len = (*a).ob_base.ob_size * d.itemsize as isize;
        v.readonly = 0;
        v.ndim = 1;
        v.itemsize = d.itemsize as isize;
        v.suboffsets = null_mut();
        v.shape = if flags & PyBUF_ND == PyBUF_ND { &raw mut (*a).ob_base.ob_size } else { null_mut() };
        v.strides = if flags & PyBUF_STRIDES == PyBUF_STRIDES { &raw mut v.itemsize } else { null_mut() };
        v.format = if flags & PyBUF_FORMAT == PyBUF_FORMAT { d.format.as_ptr() as *mut c_char } else { null_mut() };
        v.internal = null_mut();
        (*a).ob_exports += 1;
        0
    }
}
unsafe extern "C" fn array_releasebuffer(slf: *mut PyObject, _: *mut Py_buffer) {
    // SAFETY: [TYPE]
    unsafe { (*slf.cast::<Array>()).ob_exports -= 1 }
}

// ---- making and pickling ---------------------------------------------------------------------------------------------

unsafe fn is_sequence_source(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { PyList_Check(op) != 0 || PyTuple_Check(op) != 0 }
}

unsafe fn make(tp: *mut PyTypeObject, c: u32, initial: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let shown = || char::from_u32(c).unwrap_or('?');
        let text = take(PyUnicode_FromOrdinal(c as c_int))?;
        let given = if initial.is_null() { Py_None() } else { initial };
        if PySys_Audit(c"array.__new__".as_ptr(), c"OO".as_ptr(), text.as_ptr(), given) < 0 {
            return Err(Raised::assume());
        }
        if c == 'u' as u32 {
            check_status(PyErr_WarnEx(
                PyExc_DeprecationWarning,
                c"The 'u' type code is deprecated and will be removed in Python 3.16".as_ptr(),
                1,
            ))?;
        }
        let unicode = c == 'u' as u32 || c == 'w' as u32;
        if !initial.is_null() && !unicode {
            if PyUnicode_Check(initial) != 0 {
                bail!(PyExc_TypeError, "cannot use a str to initialize an array with typecode '{}'", shown());
            }
            if is_array(initial) && (*initial.cast::<Array>()).is_unicode() {
                bail!(PyExc_TypeError, "cannot use a unicode array to initialize an array with typecode '{}'", shown());
            }
        }
        let same_kind = |op| is_array(op) && (*op.cast::<Array>()).descr().typecode as u32 == c;
        let direct = initial.is_null()
            || is_sequence_source(initial)
            || PyByteArray_Check(initial) != 0
            || PyBytes_Check(initial) != 0
            || (unicode && PyUnicode_Check(initial) != 0)
            || same_kind(initial);
        // An object that can't be iterated is told so before the type code is looked at.
        let it = if direct { None } else { Some(take(PyObject_GetIter(initial))?) };
        let Some(descr) = DESCRIPTORS.iter().find(|d| d.typecode as u32 == c) else {
            bail!(PyExc_ValueError, "bad typecode (must be b, B, u, w, h, H, i, I, l, L, q, Q, f or d)");
        };
        if let Some(it) = it {
            let a = newarrayobject(tp, 0, descr)?;
            iter_extend(a.as_ptr(), it.as_ptr())?;
            return Ok(a.into_object());
        }
        if !initial.is_null() && is_sequence_source(initial) {
            let len = PySequence_Size(initial);
            if len < 0 {
                return Err(Raised::assume());
            }
            let fixed = if PyList_Check(initial) != 0 { PyList_Size(initial) } else { PyTuple_Size(initial) };
            let a = newarrayobject(tp, fixed as usize, descr)?;
            core::ptr::write_bytes((*a.as_ptr()).ob_item, 0, fixed as usize * descr.itemsize);
            for i in 0..fixed {
                let v = take(PySequence_GetItem(initial, i))?;
                (descr.set)(a.as_ptr(), i, v.as_ptr())?;
            }
            return Ok(a.into_object());
        }
        if !initial.is_null() && PyUnicode_Check(initial) != 0 {
            let n = PyUnicode_GetLength(initial);
            let a = newarrayobject(tp, n as usize, descr)?;
            if n > 0 && PyUnicode_AsUCS4(initial, (*a.as_ptr()).ob_item.cast::<u32>(), n, 0).is_null() {
                return Err(Raised::assume());
            }
            return Ok(a.into_object());
        }
        let a = newarrayobject(tp, 0, descr)?;
        if initial.is_null() {
        } else if is_array(initial) {
            do_extend(a.as_ptr(), initial)?;
        } else {
            array_frombytes(a.borrow(), BufferView::get(initial)?)?;
        }
        Ok(a.into_object())
    }
}

unsafe extern "C" fn array_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        let run = || -> PyResult<Owned> {
            let plain = tp == &raw mut ARRAY || (*tp).tp_init.map(|f| f as usize) == (*(&raw const ARRAY)).tp_init.map(|f| f as usize);
            if plain && _PyArg_NoKeywords(c"array.array".as_ptr(), kw) == 0 {
                return Err(Raised::assume());
            }
            let n = PyTuple_GET_SIZE(args);
            if n == 0 {
                bail!(PyExc_TypeError, "array() takes at least 1 argument (0 given)");
            }
            if n > 2 {
                bail!(PyExc_TypeError, "array() takes at most 2 arguments ({} given)", n);
            }
            let code = PyTuple_GET_ITEM(args, 0);
            if PyUnicode_Check(code) == 0 || PyUnicode_GetLength(code) != 1 {
                bail!(PyExc_TypeError, "array() argument 1 must be a unicode character, not {}", got(code));
            }
            make(tp, PyUnicode_ReadChar(code, 0), if n == 2 { PyTuple_GET_ITEM(args, 1) } else { null_mut() })
        };
        run().into_c()
    }
}
unsafe fn got<'a>(op: *mut PyObject) -> std::borrow::Cow<'a, str> {
    // SAFETY: [ARGS]
    unsafe { if op == Py_None() { "None".into() } else { type_name(op) } }
}

/// Size, signedness and byte order of the portable formats.
const MFORMATS: [(usize, bool, bool); 22] = {
    let mut t = [(1, false, false), (1, true, false), (0, false, false), (0, false, false), (0, false, false), (0, false, false), (0, false, false), (0, false, false), (0, false, false), (0, false, false), (0, false, false), (0, false, false), (0, false, false), (0, false, false), (4, false, false), (4, false, true), (8, false, false), (8, false, true), (4, false, false), (4, false, true), (8, false, false), (8, false, true)];
    let mut i = 2;
    while i < 14 {
        t[i] = (2 << ((i - 2) / 4), (i - 2) % 4 >= 2, i % 2 == 1);
        i += 1;
    }
    t
};

fn array_reconstructor(_: (), arraytype: Borrowed<'_>, typecode: Borrowed<'_>, mformat_code: i32, items: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyUnicode_Check(typecode.ob()) == 0 || PyUnicode_GetLength(typecode.ob()) != 1 {
            bail!(PyExc_TypeError, "_array_reconstructor() argument 2 must be a unicode character, not {}", got(typecode.ob()));
        }
        if PyType_Check(arraytype.ob()) == 0 {
            bail!(PyExc_TypeError, "first argument must be a type object, not {}", type_name(arraytype.ob()));
        }
        let tp = arraytype.ob().cast::<PyTypeObject>();
        if PyType_IsSubtype(tp, &raw mut ARRAY) == 0 {
            bail!(PyExc_TypeError, "{} is not a subtype of array.array", tp_name(tp));
        }
        let c = PyUnicode_ReadChar(typecode.ob(), 0);
        let Some(descr) = DESCRIPTORS.iter().find(|d| d.typecode as u32 == c) else {
            bail!(PyExc_ValueError, "second argument must be a valid type code");
        };
        let Some(&(size, is_signed, big)) = usize::try_from(mformat_code).ok().and_then(|m| MFORMATS.get(m)) else {
            bail!(PyExc_ValueError, "third argument must be a valid machine format code.");
        };
        if PyBytes_Check(items.ob()) == 0 {
            bail!(PyExc_TypeError, "fourth argument should be bytes, not {}", type_name(items.ob()));
        }
        if mformat_code == descr.mformat {
            return make(tp, c, items.ob());
        }
        let data = core::slice::from_raw_parts(PyBytes_AsString(items.ob()).cast::<u8>(), PyBytes_Size(items.ob()) as usize);
        if data.len() % size != 0 {
            bail!(PyExc_ValueError, "string length not a multiple of item size");
        }
        let mut c = c;
        let converted = match mformat_code {
            14..=17 => {
                let list = take(PyList_New((data.len() / size) as isize))?;
                for (i, p) in data.chunks_exact(size).enumerate() {
                    let le = !big as c_int;
                    let x = if size == 4 { PyFloat_Unpack4(p.as_ptr().cast(), le) } else { PyFloat_Unpack8(p.as_ptr().cast(), le) };
                    PyList_SET_ITEM(list.as_ptr(), i as isize, take(float_from_f64(x))?.into_raw());
                }
                list
            }
            18..=21 => {
                let mut order: c_int = if big { 1 } else { -1 };
                let decode = if mformat_code < 20 { PyUnicode_DecodeUTF16 } else { PyUnicode_DecodeUTF32 };
                take(decode(data.as_ptr().cast(), data.len() as isize, c"strict".as_ptr(), &mut order))?
            }
            _ => {
                // Items may become narrower or wider here than they were: the last type code that fits them is taken.
                if let Some(d) = DESCRIPTORS.iter().rfind(|d| d.is_integer && d.itemsize == size && d.is_signed == is_signed) {
                    c = d.typecode as u32;
                }
                let list = take(PyList_New((data.len() / size) as isize))?;
                for (i, p) in data.chunks_exact(size).enumerate() {
                    let n = take(_PyLong_FromByteArray(p.as_ptr(), size, !big as c_int, is_signed as c_int))?;
                    PyList_SET_ITEM(list.as_ptr(), i as isize, n.into_raw());
                }
                list
            }
        };
        make(tp, c, converted.as_ptr())
    }
}

fn array_reduce_ex(slf: A<'_>, value: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] checked.
    unsafe {
        let reconstructor = take(_PyImport_GetModuleAttrString(c"array".as_ptr(), c"_array_reconstructor".as_ptr()))?;
        if PyLong_Check(value.ob()) == 0 {
            bail!(PyExc_TypeError, "__reduce_ex__ argument should be an integer");
        }
        let protocol = PyLong_AsLong(value.ob());
        if protocol == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        let dict = optional_attr(slf.ob(), intern!("__dict__"))?.unwrap_or_else(none);
        let tp: Owned = Owned::from_borrowed(slf.ob_type().cast());
        let code = get_typecode(slf)?;
        if protocol < 3 {
            // Python 2 would make text of the bytes.
            return tuple([tp, tuple([code, array_tolist(slf)?])?, dict]);
        }
        let mformat = take(long_from_i64(slf.descr().mformat as i64))?;
        tuple([reconstructor, tuple([tp, code, mformat, array_tobytes(slf)?])?, dict])
    }
}

fn get_typecode(slf: A<'_>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { take(PyUnicode_FromOrdinal(slf.descr().typecode as c_int)) }
}
fn get_itemsize(slf: A<'_>) -> PyResult<usize> {
    Ok(slf.descr().itemsize)
}
fn class_getitem(tp: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { take(Py_GenericAlias(tp.ob(), item.ob())) }
}

getset! {
    static GETSET = [
        "typecode" => get_typecode, "the typecode character used to create the array";
        "itemsize" => get_itemsize, "the size, in bytes, of one array item";
    ];
}
members! {
    static MEMBERS = [
        "__weaklistoffset__", Py_T_PYSSIZET, core::mem::offset_of!(Array, weakreflist), Py_READONLY, "";
    ];
}
methods! {
    static METHODS = [
        "append($self, v, /)" => array_append, "Add one item at the end.";
        "buffer_info($self, /)" => array_buffer_info, "Address of the memory and number of items in it.";
        "byteswap($self, /)" => array_byteswap, "Turn the bytes of each item round.";
        "clear($self, /)" => array_clear, "Remove all items.";
        "__copy__($self, /)" => array_copy, "A copy.";
        "count($self, v, /)" => array_count, "How many items equal v.";
        "__deepcopy__($self, unused, /)" => array_deepcopy, "A copy.";
        "extend($self, bb, /)" => array_extend, "Add the items of an array or iterable at the end.";
        "fromfile($self, f, n, /)" => array_fromfile, "Read n items from a file and add them at the end.";
        "fromlist($self, list, /)" => array_fromlist, "Add the items of a list at the end; all or none.";
        "frombytes($self, buffer, /)" => array_frombytes, "Add items given as machine values.";
        "fromunicode($self, ustr, /)" => array_fromunicode, "Add the characters of a str to an array of characters.";
        "index($self, v, start=0, stop=sys.maxsize, /)" => array_index, "Index of the first item that equals v; ValueError if there is none.";
        "insert($self, i, v, /)" => array_insert, "Add one item before position i.";
        "pop($self, i=-1, /)" => array_pop, "Take out the item at position i and return it.";
        "__reduce_ex__($self, value, /)" => array_reduce_ex, "Help pickle.";
        "remove($self, v, /)" => array_remove, "Remove the first item that equals v.";
        "reverse($self, /)" => array_reverse, "Turn the order of the items round.";
        "tofile($self, f, /)" => array_tofile, "Write the items to a file as machine values.";
        "tolist($self, /)" => array_tolist, "A list of the items.";
        "tobytes($self, /)" => array_tobytes, "The items as machine values.";
        "tounicode($self, /)" => array_tounicode, "The str that an array of characters spells.";
        "__sizeof__($self, /)" => array_sizeof, "Size in memory, in bytes.";
        class "__class_getitem__($type, object, /)" => class_getitem, "See PEP 585";
    ];
}

static mut AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(array_length),
    sq_concat: Some(array_concat),
    sq_repeat: Some(array_repeat),
    sq_item: Some(array_item),
    sq_ass_item: Some(array_ass_item),
    sq_contains: Some(array_contains),
    sq_inplace_concat: Some(array_inplace_concat),
    sq_inplace_repeat: Some(array_inplace_repeat),
    // SAFETY: the unused slots are pointers, NULL when zero.
    ..unsafe { core::mem::zeroed() }
};
static mut AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: Some(array_length), mp_subscript: Some(array_subscr), mp_ass_subscript: Some(array_ass_subscr) };
static mut AS_BUFFER: PyBufferProcs = PyBufferProcs { bf_getbuffer: Some(array_getbuffer), bf_releasebuffer: Some(array_releasebuffer) };

static mut ARRAY: PyTypeObject = PyTypeObject {
    tp_name: c"array.array".as_ptr(),
    tp_basicsize: size_of::<Array>() as Py_ssize_t,
    tp_dealloc: Some(array_dealloc),
    tp_repr: Some(array_repr),
    tp_as_sequence: &raw mut AS_SEQUENCE,
    tp_as_mapping: &raw mut AS_MAPPING,
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_as_buffer: &raw mut AS_BUFFER,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_SEQUENCE,
    tp_doc: c"array(typecode [, initializer]) -> array

A sequence of machine values, all of the kind that typecode names: b B (1 byte), h H (2 bytes), i I (4 bytes), l L q Q
(8 bytes), each signed and unsigned, f d (floating point, 4 and 8 bytes) and w (a character; u is its deprecated name).
The initializer is an iterable of items, bytes with machine values, or for characters a str.".as_ptr(),
    tp_traverse: Some(array_traverse),
    tp_richcompare: Some(array_richcompare),
    tp_weaklistoffset: core::mem::offset_of!(Array, weakreflist) as Py_ssize_t,
    tp_iter: Some(array_iter),
    tp_methods: (&raw mut METHODS).cast(),
    tp_members: (&raw mut MEMBERS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(array_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- the iterator ----------------------------------------------------------------------------------------------------

#[repr(C)]
struct ArrayIter {
    ob_base: PyObject,
    index: usize,
    ao: *mut Array,
}

unsafe extern "C" fn array_iter(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let it = new::<ArrayIter>(&raw mut ARRAY_ITER);
        if let Ok(it) = &it {
            (*it.as_ptr()).ao = Owned::from_borrowed(slf).into_raw().cast();
        }
        it.into_c()
    }
}
unsafe extern "C" fn arrayiter_next(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let it = slf.cast::<ArrayIter>();
        let a = (*it).ao;
        if a.is_null() {
            return null_mut();
        }
        let i = (*it).index;
        if i < (*a).len() {
            (*it).index += 1;
            return ((*a).descr().get)((*a).ob_item, i);
        }
        setref(&raw mut (*it).ao, null_mut());
        null_mut()
    }
}
unsafe extern "C" fn arrayiter_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        setref(&raw mut (*slf.cast::<ArrayIter>()).ao, null_mut());
        free(slf);
    }
}
unsafe extern "C" fn arrayiter_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit((*slf.cast::<ArrayIter>()).ao, visitor, arg) }
}
fn arrayiter_reduce(slf: Borrowed<'_, ArrayIter>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let iter = take(_PyEval_GetBuiltin(intern!("iter")))?;
        if slf.ao.is_null() {
            return tuple([iter, tuple([tuple([])?])?]);
        }
        tuple([iter, tuple([Owned::from_borrowed(slf.ao.cast())])?, take(PyLong_FromSize_t(slf.index))?])
    }
}
fn arrayiter_setstate(slf: Borrowed<'_, ArrayIter>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let index = PyLong_AsSsize_t(state.ob());
        if index == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if !slf.ao.is_null() {
            (*slf.as_ptr()).index = (index.max(0) as usize).min((*slf.ao).len());
        }
        Ok(())
    }
}
methods! {
    static ITER_METHODS = [
        "__reduce__($self, /)" => arrayiter_reduce, "Help pickle.";
        "__setstate__($self, state, /)" => arrayiter_setstate, "Help pickle.";
    ];
}
static mut ARRAY_ITER: PyTypeObject = PyTypeObject {
    tp_name: c"array.arrayiterator".as_ptr(),
    tp_basicsize: size_of::<ArrayIter>() as Py_ssize_t,
    tp_dealloc: Some(arrayiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_traverse: Some(arrayiter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(arrayiter_next),
    tp_methods: (&raw mut ITER_METHODS).cast(),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

methods! {
    static FUNCTIONS = [
        "_array_reconstructor($module, arraytype, typecode, mformat_code, items, /)" => array_reconstructor, "Help pickle.";
    ];
}

module! {
    /// Entry point.
    pub fn PyInit_array = "array", "Sequences of machine values: characters, integers and floating-point numbers, all of one kind.", methods: FUNCTIONS, exec: exec;
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        check_status(PyType_Ready(&raw mut ARRAY_ITER))?;
        add_type(module, &raw mut ARRAY)?;
        add_object(module, c"ArrayType", Ok(Owned::from_borrowed((&raw mut ARRAY).cast())))?;
        let codes: String = DESCRIPTORS.iter().map(|d| d.typecode as char).collect();
        add_str(module, c"typecodes", &codes)?;
        let abc = take(_PyImport_GetModuleAttrString(c"collections.abc".as_ptr(), c"MutableSequence".as_ptr()))?;
        take(PyObject_CallMethodOneArg(abc.as_ptr(), intern!("register"), (&raw mut ARRAY).cast()))?;
        Ok(())
    }
}
