//! `range` and its iterators: one on machine integers, one on integers of any size.

#![allow(missing_docs, reason = "exported data is documented by CPython's C API manual")]

use crate::freelist::{FreeList, null};
use crate::longobject::{NUMBER_INIT, is_negative, is_zero, long_add_fast, long_compare, long_floordiv_fast, long_from_i64, long_from_i128, long_mod_fast, long_mul_fast, long_sub_fast, small_int, to_i64};
use crate::sliceobject::Py_T_OBJECT;
use crate::tupleobject::{builtin, tuple_of, tuple_slice_of};
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_long};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{members, methods};

type Ob = *mut PyObject;

/// `range`; all fields are ints.
#[repr(C)]
pub struct rangeobject {
    pub ob_base: PyObject,
    pub start: Ob,
    pub stop: Ob,
    pub step: Ob,
    pub length: Ob,
}

/// Iterator over a range of machine integers: the next item, the step, and how many are left.
#[repr(C)]
pub struct _PyRangeIterObject {
    pub ob_base: PyObject,
    pub start: c_long,
    pub step: c_long,
    pub len: c_long,
}

/// Iterator over a range of integers of any size.
#[repr(C)]
struct longrangeiterobject {
    ob_base: PyObject,
    start: Ob,
    step: Ob,
    len: Ob,
}

type Range<'a> = Borrowed<'a, rangeobject>;

fn own(p: Ob) -> PyResult<Owned> {
    // SAFETY: [OWN] new references.
    unsafe { Owned::from_owned_or_err(p) }
}

macro_rules! arithmetic {
    ($($name:ident $f:ident;)*) => { $(
        unsafe fn $name(a: Ob, b: Ob) -> PyResult<Owned> {
            // SAFETY: [TYPE] both are ints.
            own(unsafe { $f(a.cast(), b.cast()) })
        }
    )* };
}
arithmetic! { add long_add_fast; sub long_sub_fast; mul long_mul_fast; floordiv long_floordiv_fast; modulo long_mod_fast; }

unsafe fn less(a: Ob, b: Ob) -> bool {
    // SAFETY: [TYPE] both are ints.
    unsafe { long_compare(a.cast(), b.cast()).is_lt() }
}

unsafe fn equal(a: Ob, b: Ob) -> bool {
    // SAFETY: [TYPE] both are ints.
    unsafe { long_compare(a.cast(), b.cast()).is_eq() }
}

/// How many items lie in a range of machine integers.
fn range_len(start: i64, stop: i64, step: i64) -> i128 {
    let (start, stop, step) = (start as i128, stop as i128, step as i128);
    if step > 0 && start < stop {
        (stop - start - 1) / step + 1
    } else if step < 0 && start > stop {
        (start - stop - 1) / -step + 1
    } else {
        0
    }
}

unsafe fn compute_range_length(start: Ob, stop: Ob, step: Ob) -> PyResult<Owned> {
    // SAFETY: [TYPE] ints; step is not zero.
    unsafe {
        if let (Some(a), Some(b), Some(s)) = (to_i64(start.cast()), to_i64(stop.cast()), to_i64(step.cast())) {
            return own(long_from_i128(range_len(a, b, s)));
        }
        let up = !is_negative(step.cast());
        let (lo, hi) = if up { (start, stop) } else { (stop, start) };
        if !less(lo, hi) {
            return own(small_int(0));
        }
        let stride = if up { Owned::from_borrowed(step) } else { sub(small_int(0), step)? };
        let span = sub(hi, lo)?;
        let span = sub(span.as_ptr(), small_int(1))?;
        add(floordiv(span.as_ptr(), stride.as_ptr())?.as_ptr(), small_int(1))
    }
}

/// A range of ints; ValueError if the step is zero.
unsafe fn make_range_object(start: Owned, stop: Owned, step: Owned) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if is_zero(step.as_ptr().cast()) {
            bail!(PyExc_ValueError, "range() arg 3 must not be zero");
        }
        let length = compute_range_length(start.as_ptr(), stop.as_ptr(), step.as_ptr())?;
        let r: *mut rangeobject = PyObject_Malloc(size_of::<rangeobject>()).cast();
        if r.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        _PyObject_Init(r.cast(), &raw mut PyRange_Type);
        (*r).start = start.into_raw();
        (*r).stop = stop.into_raw();
        (*r).step = step.into_raw();
        (*r).length = length.into_raw();
        Ok(Owned::from_owned(r.cast()))
    }
}

unsafe fn range_from_array(args: &[Ob]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let index = |p: Ob| own(PyNumber_Index(p));
        match *args {
            [] => bail!(PyExc_TypeError, "range expected at least 1 argument, got 0"),
            [stop] => make_range_object(own(small_int(0))?, index(stop)?, own(small_int(1))?),
            [start, stop] => make_range_object(index(start)?, index(stop)?, own(small_int(1))?),
            [start, stop, step] => make_range_object(index(start)?, index(stop)?, index(step)?),
            _ => bail!(PyExc_TypeError, "range expected at most 3 arguments, got {}", args.len()),
        }
    }
}

unsafe extern "C" fn range_new(_: *mut PyTypeObject, args: Ob, kw: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if !kw.is_null() && PyDict_Size(kw) > 0 {
            return null(raise!(PyExc_TypeError, "range() takes no keyword arguments"));
        }
        range_from_array(tuple_slice_of(args)).into_c()
    }
}

unsafe extern "C" fn range_vectorcall(_: Ob, args: *const Ob, nargsf: usize, kwnames: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if !kwnames.is_null() && Py_SIZE(kwnames) > 0 {
            return null(raise!(PyExc_TypeError, "range() takes no keyword arguments"));
        }
        let n = PyVectorcall_NARGS(nargsf as _) as usize;
        range_from_array(if n == 0 { &[] } else { core::slice::from_raw_parts(args, n) }).into_c()
    }
}

unsafe extern "C" fn range_dealloc(op: Ob) {
    // SAFETY: [TYPE]
    unsafe {
        let r: *mut rangeobject = op.cast();
        for p in [(*r).start, (*r).stop, (*r).step, (*r).length] {
            Py_DECREF(p);
        }
        PyObject_Free(op.cast());
    }
}

unsafe extern "C" fn range_length(op: Ob) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { PyLong_AsSsize_t((*op.cast::<rangeobject>()).length) }
}

unsafe extern "C" fn range_bool(op: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe { !is_zero((*op.cast::<rangeobject>()).length.cast()) as c_int }
}

/// `start + i * step`.
unsafe fn compute_item(r: *mut rangeobject, i: Ob) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { add((*r).start, mul(i, (*r).step)?.as_ptr()) }
}

unsafe fn compute_range_item(r: *mut rangeobject, i: Ob) -> PyResult<Owned> {
    // SAFETY: [TYPE] i is an int.
    unsafe {
        let i = if is_negative(i.cast()) { add(i, (*r).length)? } else { Owned::from_borrowed(i) };
        if is_negative(i.as_ptr().cast()) || !less(i.as_ptr(), (*r).length) {
            bail!(PyExc_IndexError, "range object index out of range");
        }
        compute_item(r, i.as_ptr())
    }
}

unsafe extern "C" fn range_item(op: Ob, i: Py_ssize_t) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        match own(long_from_i64(i as i64)) {
            Ok(i) => compute_range_item(op.cast(), i.as_ptr()).into_c(),
            Err(_) => null_mut(),
        }
    }
}

unsafe fn range_subscript_impl(r: *mut rangeobject, item: Ob) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if PyIndex_Check(item) != 0 {
            let i = own(PyNumber_Index(item))?;
            return compute_range_item(r, i.as_ptr());
        }
        if PySlice_Check(item) == 0 {
            bail!(PyExc_TypeError, "range indices must be integers or slices, not {}", type_name(item));
        }
        let (mut start, mut stop, mut step) = (null_mut(), null_mut(), null_mut());
        check_status(crate::sliceobject::_PySlice_GetLongIndices(item.cast(), (*r).length, &mut start, &mut stop, &mut step))?;
        let (start, stop, step) = (Owned::from_owned(start), Owned::from_owned(stop), Owned::from_owned(step));
        let stride = mul(step.as_ptr(), (*r).step)?;
        make_range_object(compute_item(r, start.as_ptr())?, compute_item(r, stop.as_ptr())?, stride)
    }
}

unsafe extern "C" fn range_subscript(op: Ob, item: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { range_subscript_impl(op.cast(), item).into_c() }
}

/// Whether an int is an item.
unsafe fn contains_long(r: *mut rangeobject, v: Ob) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe {
        let within = if is_negative((*r).step.cast()) {
            !less((*r).start, v) && less((*r).stop, v)
        } else {
            !less(v, (*r).start) && less(v, (*r).stop)
        };
        if !within {
            return Ok(false);
        }
        let offset = sub(v, (*r).start)?;
        Ok(is_zero(modulo(offset.as_ptr(), (*r).step)?.as_ptr().cast()))
    }
}

/// Whether comparing with ints is comparing values: for int and bool, not for subclasses, which may compare otherwise.
unsafe fn plain_int(op: Ob) -> bool {
    // SAFETY: [ARGS]
    unsafe { PyLong_CheckExact(op) != 0 || PyBool_Check(op) != 0 }
}

const PY_ITERSEARCH_COUNT: c_int = 1;
const PY_ITERSEARCH_INDEX: c_int = 2;
const PY_ITERSEARCH_CONTAINS: c_int = 3;

unsafe extern "C" fn range_contains(op: Ob, v: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        if plain_int(v) {
            return contains_long(op.cast(), v).into_c();
        }
        _PySequence_IterSearch(op, v, PY_ITERSEARCH_CONTAINS) as c_int
    }
}

unsafe extern "C" fn range_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let r: *mut rangeobject = op.cast();
        if equal((*r).step, small_int(1)) {
            return PyUnicode_FromFormat(c"range(%R, %R)".as_ptr(), (*r).start, (*r).stop);
        }
        PyUnicode_FromFormat(c"range(%R, %R, %R)".as_ptr(), (*r).start, (*r).stop, (*r).step)
    }
}

/// Whether both have the same items.
unsafe fn range_equals(a: *mut rangeobject, b: *mut rangeobject) -> bool {
    // SAFETY: [TYPE]
    unsafe {
        a == b
            || (equal((*a).length, (*b).length)
                && (is_zero((*a).length.cast())
                    || (equal((*a).start, (*b).start) && (equal((*a).length, small_int(1)) || equal((*a).step, (*b).step)))))
    }
}

unsafe extern "C" fn range_richcompare(a: Ob, b: Ob, op: c_int) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if (*b).ob_type != &raw mut PyRange_Type || !matches!(op, Py_EQ | Py_NE) {
            return Py_NotImplemented();
        }
        PyBool_FromLong((range_equals(a.cast(), b.cast()) == (op == Py_EQ)) as c_long)
    }
}

/// The hash of (length, start or None, step or None), which equal ranges share.
unsafe extern "C" fn range_hash(op: Ob) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let r: *mut rangeobject = op.cast();
        let mut parts = [(*r).length, Py_None(), Py_None()];
        if !is_zero((*r).length.cast()) {
            parts[1] = (*r).start;
            if !equal((*r).length, small_int(1)) {
                parts[2] = (*r).step;
            }
        }
        match own(_PyTuple_FromArray(parts.as_ptr(), 3)) {
            Ok(t) => PyObject_Hash(t.as_ptr()),
            Err(_) => -1,
        }
    }
}

fn range_count(r: Range<'_>, v: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe {
        if plain_int(v.ob()) {
            return Ok(contains_long(r.as_ptr(), v.ob())? as isize);
        }
        let n = _PySequence_IterSearch(r.ob(), v.ob(), PY_ITERSEARCH_COUNT);
        if n < 0 { Err(Raised::assume()) } else { Ok(n) }
    }
}

fn range_index(r: Range<'_>, v: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if !plain_int(v.ob()) {
            let i = _PySequence_IterSearch(r.ob(), v.ob(), PY_ITERSEARCH_INDEX);
            return if i < 0 { Err(Raised::assume()) } else { own(long_from_i64(i as i64)) };
        }
        if contains_long(r.as_ptr(), v.ob())? {
            let offset = sub(v.ob(), r.start)?;
            return floordiv(offset.as_ptr(), r.step);
        }
        PyErr_Format(PyExc_ValueError, c"%R is not in range".as_ptr(), v.ob());
        Err(Raised::assume())
    }
}

fn range_reduce(r: Range<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let args = tuple_of([r.start, r.stop, r.step].map(|p| Ok(Owned::from_borrowed(p))));
        tuple_of([Ok(Owned::from_borrowed(r.ob_type().cast())), args])
    }
}

fn range_reverse(r: Range<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] from the last item, by the opposite step.
    unsafe {
        let last = compute_item(r.as_ptr(), sub(r.length, small_int(1))?.as_ptr())?;
        iterate(last, sub(small_int(0), r.step)?, Owned::from_borrowed(r.length))
    }
}

unsafe extern "C" fn range_iter(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let r: *mut rangeobject = op.cast();
        iterate(Owned::from_borrowed((*r).start), Owned::from_borrowed((*r).step), Owned::from_borrowed((*r).length)).into_c()
    }
}

/// An iterator over `len` integers: on machine integers if all items, and the one after the last, are such.
unsafe fn iterate(start: Owned, step: Owned, len: Owned) -> PyResult<Owned> {
    // SAFETY: [TYPE] ints.
    unsafe {
        let value = |o: &Owned| to_i64(o.as_ptr().cast());
        if let (Some(a), Some(s), Some(n)) = (value(&start), value(&step), value(&len)) {
            let end = a as i128 + s as i128 * n as i128;
            if i64::try_from(end).is_ok() {
                return own(fast_range_iter(a, s, n));
            }
        }
        let it: *mut longrangeiterobject = PyObject_Malloc(size_of::<longrangeiterobject>()).cast();
        if it.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        _PyObject_Init(it.cast(), &raw mut PyLongRangeIter_Type);
        (*it).start = start.into_raw();
        (*it).step = step.into_raw();
        (*it).len = len.into_raw();
        Ok(Owned::from_owned(it.cast()))
    }
}

static mut RANGE_ITERS: FreeList = FreeList::new();

unsafe fn fast_range_iter(start: c_long, step: c_long, len: c_long) -> Ob {
    // SAFETY: [GIL]
    unsafe {
        let mut it: *mut _PyRangeIterObject = FreeList::pop(&raw mut RANGE_ITERS).cast();
        if it.is_null() {
            it = PyObject_Malloc(size_of::<_PyRangeIterObject>()).cast();
            if it.is_null() {
                return PyErr_NoMemory();
            }
            _PyObject_Init(it.cast(), &raw mut PyRangeIter_Type);
        }
        (*it).start = start;
        (*it).step = step;
        (*it).len = len;
        it.cast()
    }
}

methods! {
    static RANGE_METHODS = [
        "__reversed__($self, /)" => range_reverse, "Iterate from the last item to the first.";
        "__reduce__($self, /)" => range_reduce, "";
        "count($self, object, /)" => range_count, "Say how often value occurs.";
        "index($self, object, /)" => range_index, "Find the position of value; ValueError if it isn't there.";
    ];
}
members! {
    static RANGE_MEMBERS = [
        "start", Py_T_OBJECT, offset_of!(rangeobject, start), Py_READONLY, "";
        "stop", Py_T_OBJECT, offset_of!(rangeobject, stop), Py_READONLY, "";
        "step", Py_T_OBJECT, offset_of!(rangeobject, step), Py_READONLY, "";
    ];
}

static mut RANGE_AS_NUMBER: PyNumberMethods = PyNumberMethods { nb_bool: Some(range_bool), ..NUMBER_INIT };
static mut RANGE_AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(range_length),
    sq_concat: None,
    sq_repeat: None,
    sq_item: Some(range_item),
    was_sq_slice: null_mut(),
    sq_ass_item: None,
    was_sq_ass_slice: null_mut(),
    sq_contains: Some(range_contains),
    sq_inplace_concat: None,
    sq_inplace_repeat: None,
};
static mut RANGE_AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: Some(range_length), mp_subscript: Some(range_subscript), mp_ass_subscript: None };

#[unsafe(no_mangle)]
pub static mut PyRange_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"range".as_ptr(),
    tp_basicsize: size_of::<rangeobject>() as Py_ssize_t,
    tp_dealloc: Some(range_dealloc),
    tp_repr: Some(range_repr),
    tp_as_number: &raw mut RANGE_AS_NUMBER,
    tp_as_sequence: &raw mut RANGE_AS_SEQUENCE,
    tp_as_mapping: &raw mut RANGE_AS_MAPPING,
    tp_hash: Some(range_hash),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_SEQUENCE,
    tp_doc: c"range(stop) -> range object\nrange(start, stop[, step]) -> range object\n\nThe integers from start, 0 unless given, up to but without stop, by step.\nWith a negative step they go down.".as_ptr(),
    tp_richcompare: Some(range_richcompare),
    tp_iter: Some(range_iter),
    tp_methods: (&raw mut RANGE_METHODS).cast(),
    tp_members: (&raw mut RANGE_MEMBERS).cast(),
    tp_new: Some(range_new),
    tp_vectorcall: Some(range_vectorcall),
    ..TYPE_INIT
};

// --- Iterator on machine integers -----------------------------------------------------------------------------------

type RangeIter<'a> = Borrowed<'a, _PyRangeIterObject>;

unsafe extern "C" fn rangeiter_dealloc(op: Ob) {
    // SAFETY: [TYPE]
    unsafe {
        if !FreeList::push(&raw mut RANGE_ITERS, op, 16) {
            PyObject_Free(op.cast());
        }
    }
}

unsafe extern "C" fn rangeiter_next(op: Ob) -> Ob {
    // SAFETY: [TYPE] the item after the last fits too.
    unsafe {
        let it: *mut _PyRangeIterObject = op.cast();
        if (*it).len <= 0 {
            return null_mut();
        }
        let result = (*it).start;
        (*it).start = result + (*it).step;
        (*it).len -= 1;
        long_from_i64(result)
    }
}

fn rangeiter_len(it: RangeIter<'_>) -> PyResult<i64> {
    Ok(it.len)
}

/// `iter(range(...))`, for unpickling.
unsafe fn reduce_iter(start: Owned, step: Owned, len: Owned) -> PyResult<Owned> {
    // SAFETY: [TYPE] ints.
    unsafe {
        let iter = builtin(intern!("iter"))?;
        let stop = add(start.as_ptr(), mul(len.as_ptr(), step.as_ptr())?.as_ptr())?;
        let range = make_range_object(start, stop, step)?;
        tuple_of([Ok(iter), tuple_of([Ok(range)]), Ok(Owned::from_owned(Py_None()))])
    }
}

fn rangeiter_reduce(it: RangeIter<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { reduce_iter(own(long_from_i64(it.start))?, own(long_from_i64(it.step))?, own(long_from_i64(it.len))?) }
}

fn rangeiter_setstate(it: RangeIter<'_>, state: i64) -> PyResult<()> {
    let skip = state.clamp(0, it.len);
    // SAFETY: [TYPE]
    unsafe {
        let it = it.as_ptr();
        (*it).start += skip * (*it).step;
        (*it).len -= skip;
    }
    Ok(())
}

methods! {
    static RANGEITER_METHODS = [
        "__length_hint__($self, /)" => rangeiter_len, "How many items are left.";
        "__reduce__($self, /)" => rangeiter_reduce, "State for pickling.";
        "__setstate__($self, object, /)" => rangeiter_setstate, "Set the position when unpickling.";
    ];
}

#[unsafe(no_mangle)]
pub static mut PyRangeIter_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"range_iterator".as_ptr(),
    tp_basicsize: size_of::<_PyRangeIterObject>() as Py_ssize_t,
    tp_dealloc: Some(rangeiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(rangeiter_next),
    tp_methods: (&raw mut RANGEITER_METHODS).cast(),
    ..TYPE_INIT
};

// --- Iterator on integers of any size -------------------------------------------------------------------------------

type LongRangeIter<'a> = Borrowed<'a, longrangeiterobject>;

unsafe extern "C" fn longrangeiter_dealloc(op: Ob) {
    // SAFETY: [TYPE]
    unsafe {
        let it: *mut longrangeiterobject = op.cast();
        for p in [(*it).start, (*it).step, (*it).len] {
            Py_XDECREF(p);
        }
        PyObject_Free(op.cast());
    }
}

unsafe extern "C" fn longrangeiter_next(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let it: *mut longrangeiterobject = op.cast();
        if is_zero((*it).len.cast()) || is_negative((*it).len.cast()) {
            return null_mut();
        }
        let (Ok(len), Ok(next)) = (sub((*it).len, small_int(1)), add((*it).start, (*it).step)) else { return null_mut() };
        let result = (*it).start;
        (*it).start = next.into_raw();
        setref(&raw mut (*it).len, len.into_raw());
        result
    }
}

fn longrangeiter_len(it: LongRangeIter<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed(it.len) })
}

fn longrangeiter_reduce(it: LongRangeIter<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { reduce_iter(Owned::from_borrowed(it.start), Owned::from_borrowed(it.step), Owned::from_borrowed(it.len)) }
}

fn longrangeiter_setstate(it: LongRangeIter<'_>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if PyLong_CheckExact(state.ob()) == 0 {
            bail!(PyExc_TypeError, "state must be an int, not {}", type_name(state.ob()));
        }
        let mut skip = state.to_owned();
        if is_negative(skip.as_ptr().cast()) {
            skip = own(small_int(0))?;
        } else if less(it.len, skip.as_ptr()) {
            skip = Owned::from_borrowed(it.len);
        }
        let start = add(it.start, mul(skip.as_ptr(), it.step)?.as_ptr())?;
        let len = sub(it.len, skip.as_ptr())?;
        setref(&raw mut (*it.as_ptr()).start, start.into_raw());
        setref(&raw mut (*it.as_ptr()).len, len.into_raw());
        Ok(())
    }
}

methods! {
    static LONGRANGEITER_METHODS = [
        "__length_hint__($self, /)" => longrangeiter_len, "How many items are left.";
        "__reduce__($self, /)" => longrangeiter_reduce, "State for pickling.";
        "__setstate__($self, object, /)" => longrangeiter_setstate, "Set the position when unpickling.";
    ];
}

#[unsafe(no_mangle)]
pub static mut PyLongRangeIter_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"longrange_iterator".as_ptr(),
    tp_basicsize: size_of::<longrangeiterobject>() as Py_ssize_t,
    tp_dealloc: Some(longrangeiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(longrangeiter_next),
    tp_methods: (&raw mut LONGRANGEITER_METHODS).cast(),
    ..TYPE_INIT
};
