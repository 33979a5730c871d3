//! `tuple`: an immutable array of objects in one block, with free lists for short ones and one immortal empty tuple.

#![allow(missing_docs, reason = "exported functions are documented by CPython's C API manual")]

use crate::freelist::*;
use crate::listobject::{range_clip, repr_items, type_error_not_instance};
use crate::sliceobject::SliceIndex;
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::methods;

/// Tuples shorter than this are kept on free lists.
const PyTuple_MAXSAVESIZE: usize = 20;
/// How many tuples of each length are kept.
const PyTuple_MAXFREELIST: usize = 2000;

static mut FREE_LISTS: [FreeList; PyTuple_MAXSAVESIZE] = [const { FreeList::new() }; PyTuple_MAXSAVESIZE];

/// The one empty tuple.
static mut EMPTY_TUPLE: PyTupleObject =
    PyTupleObject { ob_base: immortal_var_head(&raw mut PyTuple_Type, 0), ob_item: [null_mut()] };

/// The immortal `()`.
#[inline(always)]
pub fn empty_tuple() -> *mut PyObject {
    (&raw mut EMPTY_TUPLE).cast()
}

/// The items of a tuple.
///
/// # Safety
/// `op` is a tuple.
#[inline(always)]
pub unsafe fn tuple_items(op: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { (&raw mut (*op.cast::<PyTupleObject>()).ob_item).cast() }
}

/// The items of a tuple as a slice that lives as long as the caller keeps the tuple.
///
/// # Safety
/// `op` is a tuple that outlives `'a`.
#[inline(always)]
pub unsafe fn tuple_slice_of<'a>(op: *mut PyObject) -> &'a [*mut PyObject] {
    // SAFETY: [TYPE]
    unsafe { core::slice::from_raw_parts(tuple_items(op), Py_SIZE(op) as usize) }
}

/// Memory for an exact tuple of `size > 0` items, uninitialised and untracked; NULL with MemoryError set.
#[inline(always)]
unsafe fn tuple_alloc(size: Py_ssize_t) -> *mut PyTupleObject {
    // SAFETY: [GIL] a tuple on the free list of its size has the right header.
    unsafe {
        if (size as usize) < PyTuple_MAXSAVESIZE {
            let op = FreeList::pop((&raw mut FREE_LISTS).cast::<FreeList>().add(size as usize));
            if !op.is_null() {
                return op.cast();
            }
        }
        if size as usize > (isize::MAX as usize - 24) / 8 {
            PyErr_NoMemory();
            return null_mut();
        }
        crate::gc::gc_new_var(&raw mut PyTuple_Type, size)
    }
}

/// A tuple of `n` items, new references to what `src` lends.
///
/// # Safety
/// `src` holds `n` live objects.
#[inline]
pub unsafe fn tuple_from_array(src: *const *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if n == 0 {
            return empty_tuple();
        }
        let op = tuple_alloc(n);
        if op.is_null() {
            return null_mut();
        }
        let items = tuple_items(op.cast());
        for i in 0..n as usize {
            *items.add(i) = Py_NewRef(*src.add(i));
        }
        gc_track(op);
        op.cast()
    }
}

/// A pair, stealing both references; on failure they are released.
///
/// # Safety
/// Both are owned by the caller.
pub unsafe fn tuple_pair_steal(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { _PyTuple_FromArraySteal([a, b].as_ptr(), 2) }
}

/// A new tuple of owned objects; `Err` if one of them is.
pub fn tuple_of<const N: usize>(items: [PyResult<Owned>; N]) -> PyResult<Owned> {
    let mut raw = [null_mut(); N];
    let mut failed = None;
    for (slot, item) in raw.iter_mut().zip(items) {
        match item {
            Ok(o) => *slot = o.into_raw(),
            Err(e) => failed = Some(e),
        }
    }
    // SAFETY: [OWN] the references are ours.
    unsafe {
        if let Some(e) = failed {
            for p in raw {
                Py_XDECREF(p);
            }
            return Err(e);
        }
        Owned::from_owned_or_err(_PyTuple_FromArraySteal(raw.as_ptr(), N as Py_ssize_t))
    }
}

/// Gives the memory of kept tuples back.
pub fn clear_free_list() {
    // SAFETY: [GIL]
    unsafe {
        for i in 1..PyTuple_MAXSAVESIZE {
            FreeList::clear((&raw mut FREE_LISTS).cast::<FreeList>().add(i), PyObject_GC_Del);
        }
    }
}

unsafe extern "C" fn tuple_dealloc(op: *mut PyObject) {
    // SAFETY: [ARGS] the last reference is gone; items are released once.
    unsafe {
        gc_untrack(op);
        if !crate::gc::trashcan_begin(op, tuple_dealloc) {
            return;
        }
        let n = Py_SIZE(op);
        let items = tuple_items(op);
        let mut i = n;
        while i > 0 {
            i -= 1;
            Py_XDECREF(*items.add(i as usize));
        }
        let kept = n > 0
            && (n as usize) < PyTuple_MAXSAVESIZE
            && (*op).ob_type == &raw mut PyTuple_Type
            && FreeList::push((&raw mut FREE_LISTS).cast::<FreeList>().add(n as usize), op, PyTuple_MAXFREELIST);
        if !kept {
            type_free(op);
        }
        crate::gc::trashcan_end();
    }
}

unsafe extern "C" fn tuple_traverse(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let items = tuple_items(op);
        for i in (0..Py_SIZE(op) as usize).rev() {
            py_visit!(visitor, arg; *items.add(i));
        }
        0
    }
}

unsafe extern "C" fn tuple_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] a tuple's size and items are fixed.
    unsafe {
        if Py_SIZE(op) == 0 {
            return PyUnicode_FromString(c"()".as_ptr());
        }
        let close: &[u8] = if Py_SIZE(op) == 1 { b",)" } else { b")" };
        repr_items(op, b"(", close, b"(...)", |i| if i < Py_SIZE(op) { *tuple_items(op).add(i as usize) } else { null_mut() })
    }
}

const XXPRIME_1: u64 = 11400714785074694791;
const XXPRIME_2: u64 = 14029467366897019727;
const XXPRIME_5: u64 = 2870177450012600261;

/// A slimmed-down xxHash over the items' hashes: the same values as CPython's.
unsafe extern "C" fn tuple_hash(op: *mut PyObject) -> Py_hash_t {
    // SAFETY: [ARGS]
    unsafe {
        let mut acc = XXPRIME_5;
        let items = tuple_slice_of(op);
        for &item in items {
            let lane = PyObject_Hash(item);
            if lane == -1 {
                return -1;
            }
            acc = acc.wrapping_add((lane as u64).wrapping_mul(XXPRIME_2));
            acc = acc.rotate_left(31).wrapping_mul(XXPRIME_1);
        }
        acc = acc.wrapping_add(items.len() as u64 ^ (XXPRIME_5 ^ 3527539));
        if acc == u64::MAX { 1546275796 } else { acc as Py_hash_t }
    }
}

unsafe extern "C" fn tuple_length(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { Py_SIZE(op) }
}

unsafe extern "C" fn tuple_contains(op: *mut PyObject, el: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        for &item in tuple_slice_of(op) {
            let cmp = PyObject_RichCompareBool(item, el, Py_EQ);
            if cmp != 0 {
                return cmp;
            }
        }
        0
    }
}

unsafe extern "C" fn tuple_item(op: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS] the index is checked.
    unsafe {
        if i < 0 || i >= Py_SIZE(op) {
            PyErr_SetString(PyExc_IndexError, c"tuple index out of range".as_ptr());
            return null_mut();
        }
        Py_NewRef(*tuple_items(op).add(i as usize))
    }
}

unsafe fn tuple_slice(op: *mut PyObject, lo: Py_ssize_t, hi: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS] the bounds are clipped.
    unsafe {
        let (lo, hi) = range_clip(lo, hi, Py_SIZE(op));
        if lo == 0 && hi == Py_SIZE(op) && PyTuple_CheckExact(op) != 0 {
            return Py_NewRef(op);
        }
        tuple_from_array(tuple_items(op).add(lo as usize), hi - lo)
    }
}

unsafe extern "C" fn tuple_concat(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if Py_SIZE(a) == 0 && PyTuple_CheckExact(b) != 0 {
            return Py_NewRef(b);
        }
        if PyTuple_Check(b) == 0 {
            return null(raise!(PyExc_TypeError, "can only concatenate tuple (not \"{}\") to tuple", type_name(b)));
        }
        if Py_SIZE(b) == 0 && PyTuple_CheckExact(a) != 0 {
            return Py_NewRef(a);
        }
        let (n, m) = (Py_SIZE(a), Py_SIZE(b));
        if n + m == 0 {
            return empty_tuple();
        }
        let np = tuple_alloc(n + m);
        if np.is_null() {
            return null_mut();
        }
        let dest = tuple_items(np.cast());
        for (i, &p) in tuple_slice_of(a).iter().chain(tuple_slice_of(b)).enumerate() {
            *dest.add(i) = Py_NewRef(p);
        }
        gc_track(np);
        np.cast()
    }
}

unsafe extern "C" fn tuple_repeat(a: *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let size = Py_SIZE(a);
        if (size == 0 || n == 1) && PyTuple_CheckExact(a) != 0 {
            return Py_NewRef(a);
        }
        if size == 0 || n <= 0 {
            return empty_tuple();
        }
        let Some(total) = size.checked_mul(n) else {
            return PyErr_NoMemory();
        };
        let np = tuple_alloc(total);
        if np.is_null() {
            return null_mut();
        }
        let dest = tuple_items(np.cast());
        let src = tuple_slice_of(a);
        for i in 0..total as usize {
            *dest.add(i) = Py_NewRef(src[i % src.len()]);
        }
        gc_track(np);
        np.cast()
    }
}

unsafe extern "C" fn tuple_subscript(op: *mut PyObject, item: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyLong_Check(item) != 0 && crate::longobject::is_compact(item.cast()) {
            let i = crate::longobject::compact_value(item.cast());
            return tuple_item(op, if i < 0 { i + Py_SIZE(op) } else { i });
        }
        if PyIndex_Check(item) != 0 {
            let mut i = PyNumber_AsSsize_t(item, PyExc_IndexError);
            if i == -1 && err_occurred() {
                return null_mut();
            }
            if i < 0 {
                i += Py_SIZE(op);
            }
            return tuple_item(op, i);
        }
        if PySlice_Check(item) == 0 {
            return null(raise!(PyExc_TypeError, "tuple indices must be integers or slices, not {}", type_name(item)));
        }
        let (mut start, mut stop, mut step) = (0, 0, 0);
        if PySlice_Unpack(item, &mut start, &mut stop, &mut step) < 0 {
            return null_mut();
        }
        let n = PySlice_AdjustIndices(Py_SIZE(op), &mut start, &mut stop, step);
        if n <= 0 {
            return empty_tuple();
        }
        if step == 1 {
            return tuple_slice(op, start, start + n);
        }
        let np = tuple_alloc(n);
        if np.is_null() {
            return null_mut();
        }
        let (src, dest) = (tuple_items(op), tuple_items(np.cast()));
        for i in 0..n {
            *dest.add(i as usize) = Py_NewRef(*src.add((start + i * step) as usize));
        }
        gc_track(np);
        np.cast()
    }
}

unsafe extern "C" fn tuple_richcompare(v: *mut PyObject, w: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS] items stay alive with their immutable tuples.
    unsafe {
        if PyTuple_Check(v) == 0 || PyTuple_Check(w) == 0 {
            return Py_NewRef(Py_NotImplemented());
        }
        let (a, b) = (tuple_slice_of(v), tuple_slice_of(w));
        // Unlike for lists, lengths are not compared first: comparing items may raise.
        for (&x, &y) in a.iter().zip(b) {
            let k = PyObject_RichCompareBool(x, y, Py_EQ);
            if k < 0 {
                return null_mut();
            }
            if k == 0 {
                return match op {
                    Py_EQ => Py_False(),
                    Py_NE => Py_True(),
                    _ => PyObject_RichCompare(x, y, op),
                };
            }
        }
        PyBool_FromLong(crate::listobject::compare_sizes(a.len(), b.len(), op) as _)
    }
}

fn tuple_index(slf: Borrowed<'_>, value: Borrowed<'_>, start: SliceIndex, stop: SliceIndex) -> PyResult<isize> {
    // SAFETY: [TYPE] the receiver is a tuple.
    unsafe {
        let n = Py_SIZE(slf.ob());
        let start = start.from_end(n);
        let stop = stop.from_end(n).min(n);
        for i in start..stop {
            let cmp = PyObject_RichCompareBool(*tuple_items(slf.ob()).add(i as usize), value.ob(), Py_EQ);
            if cmp > 0 {
                return Ok(i);
            }
            check_status(cmp)?;
        }
        bail!(PyExc_ValueError, "tuple.index(x): x not in tuple")
    }
}

fn tuple_count(slf: Borrowed<'_>, value: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe {
        let mut count = 0;
        for &item in tuple_slice_of(slf.ob()) {
            let cmp = PyObject_RichCompareBool(item, value.ob(), Py_EQ);
            check_status(cmp)?;
            count += (cmp > 0) as isize;
        }
        Ok(count)
    }
}

fn tuple___getnewargs__(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] the copy is an exact tuple inside the argument tuple.
    unsafe {
        let n = Py_SIZE(slf.ob());
        let copy = tuple_from_array(tuple_items(slf.ob()), n);
        let copy = Owned::from_owned_or_err(copy)?;
        tuple_of([Ok(copy)])
    }
}

/// `__class_getitem__` of generic builtins.
pub(crate) fn class_getitem(cls: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(Py_GenericAlias(cls.ob(), item.ob())) }
}

methods! {
    static TUPLE_METHODS = [
        "__getnewargs__($self, /)" => tuple___getnewargs__, "";
        "index($self, value, start=0, stop=sys.maxsize, /)" => tuple_index, "Find the first position of value; ValueError if there is none.";
        "count($self, value, /)" => tuple_count, "Say how often value occurs.";
        class "__class_getitem__($type, object, /)" => class_getitem, "Parametrise the type for annotations (PEP 585).";
    ];
}

/// The tuple of `iterable`'s items, `()` when it is NULL.
unsafe fn tuple_new_impl(tp: *mut PyTypeObject, iterable: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if tp != &raw mut PyTuple_Type {
            return tuple_subtype_new(tp, iterable);
        }
        if iterable.is_null() { empty_tuple() } else { PySequence_Tuple(iterable) }
    }
}

unsafe fn tuple_subtype_new(tp: *mut PyTypeObject, iterable: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] tp derives from tuple.
    unsafe {
        let tmp = tuple_new_impl(&raw mut PyTuple_Type, iterable);
        if tmp.is_null() {
            return null_mut();
        }
        let tmp = Owned::from_owned(tmp);
        let n = Py_SIZE(tmp.as_ptr());
        let Some(alloc) = (*tp).tp_alloc else { return PyErr_NoMemory() };
        // An empty tuple of a subclass still has room for nothing but its header.
        let op = alloc(tp, n);
        if op.is_null() {
            return null_mut();
        }
        for (i, &p) in tuple_slice_of(tmp.as_ptr()).iter().enumerate() {
            *tuple_items(op).add(i) = Py_NewRef(p);
        }
        op
    }
}

unsafe extern "C" fn tuple_new(tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] keywords are for __init__ of subclasses to judge.
    unsafe {
        if (tp == &raw mut PyTuple_Type || (*tp).tp_init.map(|f| f as usize) == PyTuple_Type.tp_init.map(|f| f as usize))
            && !kwargs.is_null()
            && PyDict_Size(kwargs) > 0
        {
            return null(raise!(PyExc_TypeError, "tuple() takes no keyword arguments"));
        }
        let n = Py_SIZE(args);
        if n > 1 {
            return null(raise!(PyExc_TypeError, "tuple expected at most 1 argument, got {}", n));
        }
        tuple_new_impl(tp, if n == 1 { *tuple_items(args) } else { null_mut() })
    }
}

unsafe extern "C" fn tuple_vectorcall(tp: *mut PyObject, args: *const *mut PyObject, nargsf: usize, kwnames: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !kwnames.is_null() && Py_SIZE(kwnames) > 0 {
            return null(raise!(PyExc_TypeError, "tuple() takes no keyword arguments"));
        }
        let n = PyVectorcall_NARGS(nargsf as _);
        if n > 1 {
            return null(raise!(PyExc_TypeError, "tuple expected at most 1 argument, got {}", n));
        }
        tuple_new_impl(tp.cast(), if n == 1 { *args } else { null_mut() })
    }
}

unsafe extern "C" fn tuple_iter(seq: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { seq_iter_new(&raw mut TUPLE_ITERS, &raw mut PyTupleIter_Type, seq) }
}

static mut TUPLE_AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(tuple_length),
    sq_concat: Some(tuple_concat),
    sq_repeat: Some(tuple_repeat),
    sq_item: Some(tuple_item),
    was_sq_slice: null_mut(),
    sq_ass_item: None,
    was_sq_ass_slice: null_mut(),
    sq_contains: Some(tuple_contains),
    sq_inplace_concat: None,
    sq_inplace_repeat: None,
};
static mut TUPLE_AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: Some(tuple_length), mp_subscript: Some(tuple_subscript), mp_ass_subscript: None };

#[unsafe(no_mangle)]
pub static mut PyTuple_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"tuple".as_ptr(),
    tp_basicsize: size_of::<PyVarObject>() as Py_ssize_t,
    tp_itemsize: size_of::<*mut PyObject>() as Py_ssize_t,
    tp_dealloc: Some(tuple_dealloc),
    tp_repr: Some(tuple_repr),
    tp_as_sequence: &raw mut TUPLE_AS_SEQUENCE,
    tp_as_mapping: &raw mut TUPLE_AS_MAPPING,
    tp_hash: Some(tuple_hash),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT
        | Py_TPFLAGS_HAVE_GC
        | Py_TPFLAGS_BASETYPE
        | Py_TPFLAGS_TUPLE_SUBCLASS
        | _Py_TPFLAGS_MATCH_SELF
        | Py_TPFLAGS_SEQUENCE,
    tp_doc: c"tuple(iterable=(), /)\n--\n\nAn immutable sequence.\n\nWithout an argument it is empty; otherwise it holds the items of iterable.\nA tuple is returned as it is.".as_ptr(),
    tp_traverse: Some(tuple_traverse),
    tp_richcompare: Some(tuple_richcompare),
    tp_iter: Some(tuple_iter),
    tp_methods: (&raw mut TUPLE_METHODS).cast(),
    tp_new: Some(tuple_new),
    tp_free: Some(PyObject_GC_Del),
    tp_vectorcall: Some(tuple_vectorcall),
    ..TYPE_INIT
};

// --- Iterators over tuples, and over lists, which look the same -----------------------------------------------------

/// Layout shared by the iterators of `list` and `tuple`; `it_seq` becomes NULL at the end.
#[repr(C)]
pub struct SeqIterObject {
    pub ob_base: PyObject,
    pub it_index: Py_ssize_t,
    pub it_seq: *mut PyObject,
}

static mut TUPLE_ITERS: FreeList = FreeList::new();
/// How many dead iterators are kept.
pub(crate) const ITER_MAXFREELIST: usize = 16;

/// An iterator of type `tp` at index 0 of `seq`.
#[inline]
pub(crate) unsafe fn seq_iter_new(list: *mut FreeList, tp: *mut PyTypeObject, seq: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut it: *mut SeqIterObject = FreeList::pop(list).cast();
        if it.is_null() {
            it = gc_new(tp);
            if it.is_null() {
                return null_mut();
            }
        }
        (*it).it_index = 0;
        (*it).it_seq = Py_NewRef(seq);
        gc_track(it);
        it.cast()
    }
}

unsafe extern "C" fn tupleiter_dealloc(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        gc_untrack(op);
        Py_XDECREF((*op.cast::<SeqIterObject>()).it_seq);
        if !FreeList::push(&raw mut TUPLE_ITERS, op, ITER_MAXFREELIST) {
            PyObject_GC_Del(op.cast());
        }
    }
}

pub(crate) unsafe extern "C" fn seqiter_traverse(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { visit((*op.cast::<SeqIterObject>()).it_seq, visitor, arg) }
}

unsafe extern "C" fn tupleiter_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let it: *mut SeqIterObject = op.cast();
        let seq = (*it).it_seq;
        if seq.is_null() {
            return null_mut();
        }
        let i = (*it).it_index;
        if i < Py_SIZE(seq) {
            (*it).it_index = i + 1;
            return Py_NewRef(*tuple_items(seq).add(i as usize));
        }
        (*it).it_seq = null_mut();
        Py_DECREF(seq);
        null_mut()
    }
}

fn tupleiter_len(it: Borrowed<'_, SeqIterObject>) -> PyResult<isize> {
    // SAFETY: [TYPE] it_seq is NULL or a tuple.
    unsafe { Ok(if it.it_seq.is_null() { 0 } else { Py_SIZE(it.it_seq) - it.it_index }) }
}

/// The builtin function `name`, which iterators' `__reduce__` refers to.
pub(crate) fn builtin(name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(_PyEval_GetBuiltin(name)) }
}

fn tupleiter_reduce(it: Borrowed<'_, SeqIterObject>) -> PyResult<Owned> {
    // Looking the builtin up can run code that exhausts the iterator: only then is it read.
    let iter = builtin(intern!("iter"))?;
    // SAFETY: [TYPE]
    unsafe {
        if it.it_seq.is_null() {
            return tuple_of([Ok(iter), tuple_of([Ok(Owned::from_borrowed(empty_tuple()))])]);
        }
        let seq = Owned::from_borrowed(it.it_seq);
        let index = Owned::from_owned_or_err(PyLong_FromSsize_t(it.it_index));
        tuple_of([Ok(iter), tuple_of([Ok(seq)]), index])
    }
}

fn tupleiter_setstate(it: Borrowed<'_, SeqIterObject>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let index = PyLong_AsSsize_t(state.ob());
        if index == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if !it.it_seq.is_null() {
            (*it.as_ptr()).it_index = index.clamp(0, Py_SIZE(it.it_seq));
        }
        Ok(())
    }
}

methods! {
    static TUPLEITER_METHODS = [
        "__length_hint__($self, /)" => tupleiter_len, "How many items are left.";
        "__reduce__($self, /)" => tupleiter_reduce, "State for pickling.";
        "__setstate__($self, object, /)" => tupleiter_setstate, "Set the position when unpickling.";
    ];
}

#[unsafe(no_mangle)]
pub static mut PyTupleIter_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"tuple_iterator".as_ptr(),
    tp_basicsize: size_of::<SeqIterObject>() as Py_ssize_t,
    tp_dealloc: Some(tupleiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(seqiter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(tupleiter_next),
    tp_methods: (&raw mut TUPLEITER_METHODS).cast(),
    ..TYPE_INIT
};

// --- Exported functions ---------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTuple_New(size: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS] items start out NULL.
    unsafe {
        if size == 0 {
            return empty_tuple();
        }
        if size < 0 {
            _PyErr_BadInternalCall(c"tupleobject.c".as_ptr(), 0);
            return null_mut();
        }
        let op = tuple_alloc(size);
        if op.is_null() {
            return null_mut();
        }
        core::ptr::write_bytes(tuple_items(op.cast()), 0, size as usize);
        gc_track(op);
        op.cast()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTuple_Size(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_Check(op) == 0 {
            type_error_not_instance();
            return -1;
        }
        Py_SIZE(op)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTuple_GetItem(op: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_Check(op) == 0 {
            type_error_not_instance();
            return null_mut();
        }
        if i < 0 || i >= Py_SIZE(op) {
            PyErr_SetString(PyExc_IndexError, c"tuple index out of range".as_ptr());
            return null_mut();
        }
        *tuple_items(op).add(i as usize)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTuple_SetItem(op: *mut PyObject, i: Py_ssize_t, newitem: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] newitem is stolen in any case.
    unsafe {
        if PyTuple_Check(op) == 0 || Py_REFCNT(op) != 1 {
            Py_XDECREF(newitem);
            type_error_not_instance();
            return -1;
        }
        if i < 0 || i >= Py_SIZE(op) {
            Py_XDECREF(newitem);
            PyErr_SetString(PyExc_IndexError, c"tuple assignment index out of range".as_ptr());
            return -1;
        }
        setref(tuple_items(op).add(i as usize), newitem);
        0
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTuple_GetSlice(op: *mut PyObject, i: Py_ssize_t, j: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() || PyTuple_Check(op) == 0 {
            type_error_not_instance();
            return null_mut();
        }
        tuple_slice(op, i, j)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTuple_FromArray(src: *const *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { tuple_from_array(src, n) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTuple_FromArraySteal(src: *const *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS] the references move, or are released on failure.
    unsafe {
        if n == 0 {
            return empty_tuple();
        }
        let op = tuple_alloc(n);
        if op.is_null() {
            for i in 0..n as usize {
                Py_DECREF(*src.add(i));
            }
            return null_mut();
        }
        core::ptr::copy_nonoverlapping(src, tuple_items(op.cast()), n as usize);
        gc_track(op);
        op.cast()
    }
}

/// Changes the size of the tuple `*pv`, which nobody else may have seen yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTuple_Resize(pv: *mut *mut PyObject, newsize: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS] the tuple is unshared, so that it may move.
    unsafe {
        let v = *pv;
        if v.is_null()
            || (*v).ob_type != &raw mut PyTuple_Type
            || (Py_SIZE(v) != 0 && Py_REFCNT(v) != 1)
        {
            *pv = null_mut();
            Py_XDECREF(v);
            type_error_not_instance();
            return -1;
        }
        let oldsize = Py_SIZE(v);
        if oldsize == newsize {
            return 0;
        }
        if newsize == 0 || oldsize == 0 {
            Py_DECREF(v);
            *pv = PyTuple_New(newsize);
            return if (*pv).is_null() { -1 } else { 0 };
        }
        gc_untrack(v);
        for i in newsize..oldsize {
            let slot = tuple_items(v).add(i as usize);
            Py_XDECREF(*slot);
            *slot = null_mut();
        }
        let sv = PyObject_GC_Resize::<PyTupleObject>(v, newsize);
        if sv.is_null() {
            *pv = null_mut();
            PyObject_GC_Del(v.cast());
            return -1;
        }
        for i in oldsize..newsize {
            *tuple_items(sv.cast()).add(i as usize) = null_mut();
        }
        *pv = sv.cast();
        gc_track(sv);
        0
    }
}

/// Untracks a tuple that can't be part of a cycle; the collector calls it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTuple_MaybeUntrack(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if (*op).ob_type != &raw mut PyTuple_Type {
            return;
        }
        for &item in tuple_slice_of(op) {
            if item.is_null() || (PyType_IS_GC((*item).ob_type) != 0 && !(PyTuple_CheckExact(item) != 0 && PyObject_GC_IsTracked(item) == 0)) {
                return;
            }
        }
        gc_untrack(op);
    }
}
