//! `slice`, and `Ellipsis`.

#![allow(missing_docs, reason = "exported functions are documented by CPython's C API manual")]

use crate::freelist::*;
use crate::tupleobject::tuple_of;
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::from_arg::Where;
use taipan_clinic::{Default, FromArg, members, methods};

/// An index argument that is clamped instead of overflowing, as the bounds of `index` methods are.
#[derive(Clone, Copy)]
pub struct SliceIndex(pub isize);

impl SliceIndex {
    /// Counts a negative index from the end of `n` items, not going below 0.
    #[inline]
    pub fn from_end(self, n: isize) -> isize {
        if self.0 < 0 { (self.0 + n).max(0) } else { self.0 }
    }
}

impl<'a> FromArg<'a> for SliceIndex {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return Ok(SliceIndex(match at.param.default {
                    Default::Int(i) => i as isize,
                    _ => isize::MAX,
                }));
            }
            if PyIndex_Check(arg) == 0 {
                bail!(PyExc_TypeError, "slice indices must be integers or have an __index__ method");
            }
            clamped_index(arg).map(SliceIndex)
        }
    }
}

/// `PyNumber_AsSsize_t` that clamps to the range of `Py_ssize_t`.
unsafe fn clamped_index(arg: *mut PyObject) -> PyResult<isize> {
    // SAFETY: [ARGS]
    unsafe {
        let i = PyNumber_AsSsize_t(arg, null_mut());
        if i == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(i) }
    }
}

/// A bound of a slice: `None` keeps `default`.
unsafe fn slice_bound(arg: *mut PyObject, default: isize) -> PyResult<isize> {
    // SAFETY: [ARGS]
    unsafe {
        if arg == Py_None() {
            return Ok(default);
        }
        if PyIndex_Check(arg) == 0 {
            bail!(PyExc_TypeError, "slice indices must be integers or None or have an __index__ method");
        }
        clamped_index(arg)
    }
}

// --- Ellipsis -------------------------------------------------------------------------------------------------------

unsafe extern "C" fn ellipsis_new(_: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if Py_SIZE(args) > 0 || (!kwargs.is_null() && PyDict_Size(kwargs) > 0) {
            return null(raise!(PyExc_TypeError, "EllipsisType takes no arguments"));
        }
        &raw mut _Py_EllipsisObject
    }
}

unsafe extern "C" fn ellipsis_dealloc(op: *mut PyObject) {
    // A miscounting extension may get here: the object just stays.
    // SAFETY: [IMMORTAL]
    unsafe { set_immortal(op) }
}

unsafe extern "C" fn ellipsis_repr(_: *mut PyObject) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { PyUnicode_FromString(c"Ellipsis".as_ptr()) }
}

fn ellipsis_reduce(_: Borrowed<'_>) -> PyResult<&'static str> {
    Ok("Ellipsis")
}

methods! {
    static ELLIPSIS_METHODS = [
        "__reduce__($self, /)" => ellipsis_reduce, "The name under which it is pickled.";
    ];
}

#[unsafe(no_mangle)]
pub static mut PyEllipsis_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"ellipsis".as_ptr(),
    tp_dealloc: Some(ellipsis_dealloc),
    tp_repr: Some(ellipsis_repr),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"ellipsis()\n--\n\nType of the constant Ellipsis.".as_ptr(),
    tp_methods: (&raw mut ELLIPSIS_METHODS).cast(),
    tp_new: Some(ellipsis_new),
    ..TYPE_INIT
};

#[unsafe(no_mangle)]
pub static mut _Py_EllipsisObject: PyObject = immortal_head(&raw mut PyEllipsis_Type);

// --- slice ----------------------------------------------------------------------------------------------------------

static mut SLICE_CACHE: FreeList = FreeList::new();

/// A slice that takes over both references; its step is `None`.
///
/// # Safety
/// Both are owned by the caller.
pub unsafe fn _PyBuildSlice_ConsumeRefs(start: *mut PyObject, stop: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { slice_steal(start, stop, Py_None()) }
}

unsafe fn slice_steal(start: *mut PyObject, stop: *mut PyObject, step: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut op: *mut PySliceObject = FreeList::pop(&raw mut SLICE_CACHE).cast();
        if op.is_null() {
            op = gc_new(&raw mut PySlice_Type);
            if op.is_null() {
                Py_DECREF(start);
                Py_DECREF(stop);
                Py_DECREF(step);
                return null_mut();
            }
        }
        (*op).start = start;
        (*op).stop = stop;
        (*op).step = step;
        gc_track(op);
        op.cast()
    }
}

unsafe extern "C" fn slice_new(_: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !kw.is_null() && PyDict_Size(kw) > 0 {
            return null(raise!(PyExc_TypeError, "slice() takes no keyword arguments"));
        }
        let n = Py_SIZE(args);
        if n < 1 {
            return null(raise!(PyExc_TypeError, "slice expected at least 1 argument, got 0"));
        }
        if n > 3 {
            return null(raise!(PyExc_TypeError, "slice expected at most 3 arguments, got {}", n));
        }
        let item = |i| PyTuple_GET_ITEM(args, i);
        match n {
            1 => PySlice_New(null_mut(), item(0), null_mut()),
            2 => PySlice_New(item(0), item(1), null_mut()),
            _ => PySlice_New(item(0), item(1), item(2)),
        }
    }
}

unsafe extern "C" fn slice_dealloc(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        gc_untrack(op);
        let s: *mut PySliceObject = op.cast();
        Py_DECREF((*s).step);
        Py_DECREF((*s).start);
        Py_DECREF((*s).stop);
        if !FreeList::push(&raw mut SLICE_CACHE, op, 1) {
            PyObject_GC_Del(op.cast());
        }
    }
}

unsafe extern "C" fn slice_traverse(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let s: *mut PySliceObject = op.cast();
        py_visit!(visitor, arg; (*s).start, (*s).stop, (*s).step);
        0
    }
}

unsafe extern "C" fn slice_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let s: *mut PySliceObject = op.cast();
        PyUnicode_FromFormat(c"slice(%R, %R, %R)".as_ptr(), (*s).start, (*s).stop, (*s).step)
    }
}

unsafe extern "C" fn slice_hash(op: *mut PyObject) -> Py_hash_t {
    // SAFETY: [ARGS]
    unsafe {
        let s: *mut PySliceObject = op.cast();
        let mut acc: u64 = 2870177450012600261;
        for part in [(*s).start, (*s).stop, (*s).step] {
            let lane = PyObject_Hash(part);
            if lane == -1 {
                return -1;
            }
            acc = acc.wrapping_add((lane as u64).wrapping_mul(14029467366897019727));
            acc = acc.rotate_left(31).wrapping_mul(11400714785074694791);
        }
        if acc == u64::MAX { 1546275796 } else { acc as Py_hash_t }
    }
}

unsafe extern "C" fn slice_richcompare(v: *mut PyObject, w: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS] compared as tuples of their parts.
    unsafe {
        if PySlice_Check(v) == 0 || PySlice_Check(w) == 0 {
            return Py_NewRef(Py_NotImplemented());
        }
        if v == w {
            return PyBool_FromLong(matches!(op, Py_EQ | Py_LE | Py_GE) as _);
        }
        let parts = |p: *mut PyObject| {
            let s: *mut PySliceObject = p.cast();
            let a = [(*s).start, (*s).stop, (*s).step];
            Owned::from_owned_or_err(_PyTuple_FromArray(a.as_ptr(), 3))
        };
        match (parts(v), parts(w)) {
            (Ok(a), Ok(b)) => PyObject_RichCompare(a.as_ptr(), b.as_ptr(), op),
            _ => null_mut(),
        }
    }
}

/// `slice.indices` on integers of any size: new references to start, stop and step for a length.
unsafe fn slice_long_indices(s: *mut PySliceObject, length: *mut PyObject) -> PyResult<[Owned; 3]> {
    // SAFETY: [ARGS]
    unsafe {
        let less = |a: *mut PyObject, b: *mut PyObject| -> PyResult<bool> {
            let r = PyObject_RichCompareBool(a, b, Py_LT);
            check_status(r).map(|()| r > 0)
        };
        let small = |i: isize| Owned::from_owned_or_err(PyLong_FromSsize_t(i));
        let index = |p: *mut PyObject| -> PyResult<Owned> {
            if PyIndex_Check(p) == 0 {
                bail!(PyExc_TypeError, "slice indices must be integers or None or have an __index__ method");
            }
            Owned::from_owned_or_err(PyNumber_Index(p))
        };
        let zero = small(0)?;
        let step = if (*s).step == Py_None() { small(1)? } else { index((*s).step)? };
        let negative = less(step.as_ptr(), zero.as_ptr())?;
        if !negative && !less(zero.as_ptr(), step.as_ptr())? {
            bail!(PyExc_ValueError, "slice step cannot be zero");
        }
        // Bounds of the indices: -1..=length-1 going down, 0..=length going up.
        let (lower, upper) = if negative {
            let last = Owned::from_owned_or_err(PyNumber_Subtract(length, small(1)?.as_ptr()))?;
            (small(-1)?, last)
        } else {
            (zero.clone(), Owned::from_borrowed(length))
        };
        let bound = |p: *mut PyObject, default: &Owned| -> PyResult<Owned> {
            if p == Py_None() {
                return Ok(default.clone());
            }
            let mut i = index(p)?;
            if less(i.as_ptr(), zero.as_ptr())? {
                i = Owned::from_owned_or_err(PyNumber_Add(i.as_ptr(), length))?;
                return Ok(if less(i.as_ptr(), lower.as_ptr())? { lower.clone() } else { i });
            }
            Ok(if less(upper.as_ptr(), i.as_ptr())? { upper.clone() } else { i })
        };
        let start = bound((*s).start, if negative { &upper } else { &lower })?;
        let stop = bound((*s).stop, if negative { &lower } else { &upper })?;
        Ok([start, stop, step])
    }
}

fn slice_indices(s: Borrowed<'_, PySliceObject>, len: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let length = Owned::from_owned_or_err(PyNumber_Index(len.ob()))?;
        if crate::longobject::is_negative(length.as_ptr().cast()) {
            bail!(PyExc_ValueError, "length should not be negative");
        }
        let [a, b, c] = slice_long_indices(s.as_ptr(), length.as_ptr())?;
        tuple_of([Ok(a), Ok(b), Ok(c)])
    }
}

fn slice_reduce(s: Borrowed<'_, PySliceObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let args = tuple_of([s.start, s.stop, s.step].map(|p| Ok(Owned::from_borrowed(p))));
        tuple_of([Ok(Owned::from_borrowed(s.ob_type().cast())), args])
    }
}

methods! {
    static SLICE_METHODS = [
        "indices($self, object, /)" => slice_indices, "Start, stop and stride that this slice means for a sequence of the given length,\nwith bounds out of range clipped as slicing does it.";
        "__reduce__($self, /)" => slice_reduce, "State for pickling.";
    ];
}
members! {
    static SLICE_MEMBERS = [
        "start", Py_T_OBJECT, core::mem::offset_of!(PySliceObject, start), Py_READONLY, "";
        "stop", Py_T_OBJECT, core::mem::offset_of!(PySliceObject, stop), Py_READONLY, "";
        "step", Py_T_OBJECT, core::mem::offset_of!(PySliceObject, step), Py_READONLY, "";
    ];
}
/// Type code of members that show NULL as `None` (`_Py_T_OBJECT`).
pub(crate) const Py_T_OBJECT: c_int = 6;

#[unsafe(no_mangle)]
pub static mut PySlice_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"slice".as_ptr(),
    tp_basicsize: size_of::<PySliceObject>() as Py_ssize_t,
    tp_dealloc: Some(slice_dealloc),
    tp_repr: Some(slice_repr),
    tp_hash: Some(slice_hash),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"slice(stop)\nslice(start, stop[, step])\n\nWhat seq[start:stop:step] passes to seq.__getitem__.".as_ptr(),
    tp_traverse: Some(slice_traverse),
    tp_richcompare: Some(slice_richcompare),
    tp_methods: (&raw mut SLICE_METHODS).cast(),
    tp_members: (&raw mut SLICE_MEMBERS).cast(),
    tp_new: Some(slice_new),
    ..TYPE_INIT
};

// --- Exported functions ---------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySlice_New(start: *mut PyObject, stop: *mut PyObject, step: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let part = |p: *mut PyObject| if p.is_null() { Py_None() } else { Py_NewRef(p) };
        slice_steal(part(start), part(stop), part(step))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySlice_FromIndices(start: Py_ssize_t, stop: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        let a = PyLong_FromSsize_t(start);
        if a.is_null() {
            return null_mut();
        }
        let b = PyLong_FromSsize_t(stop);
        if b.is_null() {
            Py_DECREF(a);
            return null_mut();
        }
        _PyBuildSlice_ConsumeRefs(a, b)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySlice_Unpack(r: *mut PyObject, start: *mut Py_ssize_t, stop: *mut Py_ssize_t, step: *mut Py_ssize_t) -> c_int {
    // SAFETY: [ARGS] r is a slice; the slice keeps its parts alive.
    unsafe {
        let s: *mut PySliceObject = r.cast();
        let Ok(stride) = slice_bound((*s).step, 1) else { return -1 };
        if stride == 0 {
            return fail(raise!(PyExc_ValueError, "slice step cannot be zero"));
        }
        // So that -step can't overflow.
        let stride = stride.max(-isize::MAX);
        let (first, end) = if stride < 0 { (isize::MAX, isize::MIN) } else { (0, isize::MAX) };
        let Ok(a) = slice_bound((*s).start, first) else { return -1 };
        let Ok(b) = slice_bound((*s).stop, end) else { return -1 };
        *step = stride;
        *start = a;
        *stop = b;
        0
    }
}

/// Clips the bounds to a length and returns how many items the slice takes.
#[inline]
pub fn slice_adjust_indices(length: isize, start: &mut isize, stop: &mut isize, step: isize) -> isize {
    let clip = |i: isize| {
        if i < 0 {
            let i = i + length;
            if i < 0 { if step < 0 { -1 } else { 0 } } else { i }
        } else if i >= length {
            if step < 0 { length - 1 } else { length }
        } else {
            i
        }
    };
    *start = clip(*start);
    *stop = clip(*stop);
    if step < 0 {
        if *stop < *start { (*start - *stop - 1) / -step + 1 } else { 0 }
    } else if *start < *stop {
        (*stop - *start - 1) / step + 1
    } else {
        0
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySlice_AdjustIndices(length: Py_ssize_t, start: *mut Py_ssize_t, stop: *mut Py_ssize_t, step: Py_ssize_t) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { slice_adjust_indices(length, &mut *start, &mut *stop, step) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySlice_GetIndices(r: *mut PyObject, length: Py_ssize_t, start: *mut Py_ssize_t, stop: *mut Py_ssize_t, step: *mut Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let s: *mut PySliceObject = r.cast();
        let exact = |p: *mut PyObject, default: isize| -> Option<isize> {
            if p == Py_None() {
                return Some(default);
            }
            if PyLong_Check(p) == 0 {
                return None;
            }
            Some(PyLong_AsSsize_t(p))
        };
        let Some(stride) = exact((*s).step, 1) else { return -1 };
        let (first, end) = if stride < 0 { (length - 1, -1) } else { (0, length) };
        let (Some(mut a), Some(mut b)) = (exact((*s).start, first), exact((*s).stop, end)) else { return -1 };
        if (*s).start != Py_None() && a < 0 {
            a += length;
        }
        if (*s).stop != Py_None() && b < 0 {
            b += length;
        }
        if b > length || a >= length || stride == 0 {
            return -1;
        }
        *start = a;
        *stop = b;
        *step = stride;
        0
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySlice_GetIndicesEx(
    r: *mut PyObject,
    length: Py_ssize_t,
    start: *mut Py_ssize_t,
    stop: *mut Py_ssize_t,
    step: *mut Py_ssize_t,
    slicelength: *mut Py_ssize_t,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PySlice_Unpack(r, start, stop, step) < 0 {
            return -1;
        }
        *slicelength = PySlice_AdjustIndices(length, start, stop, *step);
        0
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySlice_GetLongIndices(
    s: *mut PySliceObject,
    length: *mut PyObject,
    start_ptr: *mut *mut PyObject,
    stop_ptr: *mut *mut PyObject,
    step_ptr: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match slice_long_indices(s, length) {
            Ok([a, b, c]) => {
                *start_ptr = a.into_raw();
                *stop_ptr = b.into_raw();
                *step_ptr = c.into_raw();
                0
            }
            Err(_) => {
                *start_ptr = null_mut();
                *stop_ptr = null_mut();
                *step_ptr = null_mut();
                -1
            }
        }
    }
}
