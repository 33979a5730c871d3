//! `product`, `combinations`, `combinations_with_replacement` and `permutations`.
//!
//! Each keeps the last result; if nobody else does, the next one is made in place, by changing only the items that differ.

use super::{Next, Tp, deprecated, pool_item, to_tuple};
use crate::iterator_type;
use crate::support::{Slf, int, new, tuple};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, methods};

/// Start of each of these objects.
#[repr(C)]
struct Head {
    ob_base: PyObject,
    /// A tuple: of pools for `product`, else the one pool.
    pools: *mut PyObject,
    indices: *mut usize,
    /// The last result, NULL before the first.
    result: *mut PyObject,
}
#[repr(C)]
struct Product {
    head: Head,
    stopped: c_int,
}
#[repr(C)]
struct Combinations {
    head: Head,
    r: usize,
    stopped: c_int,
}
#[repr(C)]
struct Permutations {
    head: Head,
    cycles: *mut usize,
    r: usize,
    stopped: c_int,
}

unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*slf.cast::<Head>()).pools, (*slf.cast::<Head>()).result);
    }
    0
}
unsafe fn free(slf: *mut PyObject, cycles: *mut usize) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let s = slf.cast::<Head>();
        Py_XDECREF((*s).pools);
        Py_XDECREF((*s).result);
        PyMem_Free((*s).indices.cast());
        PyMem_Free(cycles.cast());
        if let Some(free) = (*type_of(slf)).tp_free {
            free(slf.cast());
        }
    }
}
macro_rules! slots {
    ($($name:ident),*) => { $(
        impl $name {
            unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
                // SAFETY: [TYPE]
                unsafe { traverse(slf, visitor, arg) }
            }
            unsafe extern "C" fn dealloc(slf: *mut PyObject) {
                // SAFETY: [OWN]
                unsafe { free(slf, null_mut()) }
            }
        }
    )* };
}
slots! { Product, Combinations }
impl Permutations {
    unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
        // SAFETY: [TYPE]
        unsafe { traverse(slf, visitor, arg) }
    }
    unsafe extern "C" fn dealloc(slf: *mut PyObject) {
        // SAFETY: [OWN]
        unsafe { free(slf, (*slf.cast::<Permutations>()).cycles) }
    }
}

/// `n` words, the i-th of them `f(i)`. To be freed by `PyMem_Free`.
fn words(n: usize, f: impl Fn(usize) -> usize) -> PyResult<*mut usize> {
    // SAFETY: [GIL] the memory is ours.
    unsafe {
        let p = if n > isize::MAX as usize / 8 { null_mut() } else { PyMem_Malloc(n * 8).cast::<usize>() };
        if p.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        for i in 0..n {
            *p.add(i) = f(i);
        }
        Ok(p)
    }
}

/// Makes the last result free to be changed: a copy if others have it too.
unsafe fn renew(h: *mut Head) -> PyResult<()> {
    // SAFETY: [TYPE] a result has been made.
    unsafe {
        let old = (*h).result;
        if Py_REFCNT(old) > 1 {
            let items = (&raw const (*old.cast::<PyTupleObject>()).ob_item).cast();
            (*h).result = Owned::from_owned_or_err(_PyTuple_FromArray(items, PyTuple_GET_SIZE(old)))?.into_raw();
            Py_DECREF(old);
        } else if PyObject_GC_IsTracked(old) == 0 {
            // A collection may have stopped watching it when it held atoms only.
            PyObject_GC_Track(old.cast());
        }
        Ok(())
    }
}

/// Sets an item of the last result.
#[inline(always)]
unsafe fn put(h: *mut Head, i: usize, item: Owned) {
    // SAFETY: [TYPE] nobody else has the tuple; the pool still has the old item, so that nothing is freed here.
    unsafe {
        let slot = (&raw mut (*(*h).result.cast::<PyTupleObject>()).ob_item).cast::<*mut PyObject>().add(i);
        let old = core::mem::replace(&mut *slot, item.into_raw());
        Py_DECREF(old);
    }
}

/// The result, once more.
unsafe fn give(h: *mut Head) -> Next {
    // SAFETY: [TYPE]
    Ok(Some(unsafe { Owned::from_borrowed((*h).result) }))
}

/// Makes the result that `r` indices select from the one pool.
unsafe fn select(h: *mut Head, r: usize) -> PyResult<()> {
    // SAFETY: [TYPE] indices are in range.
    unsafe {
        let made = tuple((0..r).map(|i| pool_item((*h).pools, *(*h).indices.add(i))).collect::<Vec<_>>())?;
        setref(&raw mut (*h).result, made.into_raw());
        Ok(())
    }
}

unsafe fn index_tuple(p: *const usize, n: usize) -> PyResult<Owned> {
    // SAFETY: [ARGS] n words.
    unsafe { tuple((0..n).map(|i| int(*p.add(i) as isize)).collect::<PyResult<Vec<Owned>>>()?) }
}

/// Reads `n` indices of a pickled state, each brought into `0..=max(i)`.
unsafe fn read_indices(state: *mut PyObject, p: *mut usize, n: usize, limits: impl Fn(usize) -> (isize, isize)) -> PyResult<()> {
    // SAFETY: [TYPE] state is a tuple of n items.
    unsafe {
        for i in 0..n {
            let index = PyLong_AsSsize_t(PyTuple_GET_ITEM(state, i as Py_ssize_t));
            if index == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            let (low, high) = limits(i);
            *p.add(i) = index.min(high).max(low) as usize;
        }
        Ok(())
    }
}

unsafe fn is_tuple_of(op: *mut PyObject, n: usize) -> bool {
    // SAFETY: [ARGS]
    unsafe { PyTuple_Check(op) != 0 && PyTuple_GET_SIZE(op) as usize == n }
}

// ---- product -----------------------------------------------------------------------------------------------------------------

unsafe extern "C" fn product_new(tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        let make = || -> PyResult<Owned> {
            let mut repeat = 1;
            if !kwargs.is_null() && PyDict_Size(kwargs) > 0 {
                let n = PyDict_Size(kwargs);
                if n > 1 {
                    bail!(PyExc_TypeError, "product() takes at most 1 keyword argument ({} given)", n);
                }
                let given = PyDict_GetItemWithError(kwargs, intern!("repeat"));
                if given.is_null() {
                    let (mut pos, mut name, mut value) = (0, null_mut(), null_mut());
                    PyDict_Next(kwargs, &mut pos, &mut name, &mut value);
                    PyErr_Format(PyExc_TypeError, c"product() got an unexpected keyword argument '%S'".as_ptr(), name);
                    return Err(Raised::assume());
                }
                repeat = PyNumber_AsSsize_t(given, PyExc_OverflowError);
                if repeat == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                if repeat < 0 {
                    bail!(PyExc_ValueError, "repeat argument cannot be negative");
                }
            }
            let n = if repeat == 0 { 0 } else { PyTuple_GET_SIZE(args) };
            let Some(total) = (n as usize).checked_mul(repeat as usize).filter(|&t| t < isize::MAX as usize / 16) else {
                bail!(PyExc_OverflowError, "repeat argument too large");
            };
            let mut pools = Vec::new();
            for i in 0..n {
                pools.push(to_tuple(Borrowed::from_ptr(PyTuple_GET_ITEM(args, i)))?);
            }
            let mut all = Vec::new();
            if all.try_reserve_exact(total).is_err() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
            for i in 0..total {
                all.push(pools[i % n as usize].clone());
            }
            let all = tuple(all)?;
            let p = new::<Product>(Borrowed::from_ptr(tp))?;
            (*p.as_ptr()).head.indices = words(total, |_| 0)?;
            (*p.as_ptr()).head.pools = all.into_raw();
            Ok(p.into_object())
        };
        make().into_c()
    }
}

unsafe fn product_next(s: Slf<Product>) -> Next {
    let s: *mut Product = s.0;
    // SAFETY: [TYPE] pools is a tuple of tuples.
    unsafe {
        if (*s).stopped != 0 {
            return Ok(None);
        }
        let h = &raw mut (*s).head;
        let pools = (*h).pools;
        let n = PyTuple_GET_SIZE(pools) as usize;
        let pool = |i: usize| PyTuple_GET_ITEM(pools, i as Py_ssize_t);
        if (*h).result.is_null() {
            if (0..n).any(|i| PyTuple_GET_SIZE(pool(i)) == 0) {
                (*s).stopped = 1;
                return Ok(None);
            }
            (*h).result = tuple((0..n).map(|i| pool_item(pool(i), 0)).collect::<Vec<_>>())?.into_raw();
            return give(h);
        }
        renew(h)?;
        for i in (0..n).rev() {
            let index = (*h).indices.add(i);
            *index += 1;
            if *index < PyTuple_GET_SIZE(pool(i)) as usize {
                put(h, i, pool_item(pool(i), *index));
                return give(h);
            }
            *index = 0;
            put(h, i, pool_item(pool(i), 0));
        }
        (*s).stopped = 1;
        Ok(None)
    }
}

fn product_reduce(slf: Borrowed<'_, Product>) -> PyResult<Owned> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe {
        let (s, tp) = (slf.as_ptr(), slf.ob_type());
        if (*s).stopped != 0 {
            return Owned::from_owned_or_err(Py_BuildValue(c"O(())".as_ptr(), tp));
        }
        if (*s).head.result.is_null() {
            return Owned::from_owned_or_err(Py_BuildValue(c"OO".as_ptr(), tp, (*s).head.pools));
        }
        let indices = index_tuple((*s).head.indices, PyTuple_GET_SIZE((*s).head.pools) as usize)?;
        Owned::from_owned_or_err(Py_BuildValue(c"OOO".as_ptr(), tp, (*s).head.pools, indices.as_ptr()))
    }
}

fn product_setstate(slf: Borrowed<'_, Product>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe {
        let h = &raw mut (*slf.as_ptr()).head;
        let pools = (*h).pools;
        let n = PyTuple_GET_SIZE(pools) as usize;
        if !is_tuple_of(state.ob(), n) {
            bail!(PyExc_ValueError, "invalid arguments");
        }
        let pool = |i: usize| PyTuple_GET_ITEM(pools, i as Py_ssize_t);
        if (0..n).any(|i| PyTuple_GET_SIZE(pool(i)) == 0) {
            (*slf.as_ptr()).stopped = 1;
            return Ok(());
        }
        read_indices(state.ob(), (*h).indices, n, |i| (0, PyTuple_GET_SIZE(pool(i)) - 1))?;
        let made = tuple((0..n).map(|i| pool_item(pool(i), *(*h).indices.add(i))).collect::<Vec<_>>())?;
        setref(&raw mut (*h).result, made.into_raw());
        Ok(())
    }
}

fn product_sizeof(slf: Borrowed<'_, Product>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe { Ok((*slf.ob_type()).tp_basicsize + 8 * PyTuple_GET_SIZE(slf.head.pools)) }
}

methods! {
    static PRODUCT_METHODS = [
        "__reduce__($self, /)" => product_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => product_setstate, "For pickle and copy.";
        "__sizeof__($self, /)" => product_sizeof, "Size in memory, in bytes.";
    ];
}
iterator_type! { PRODUCT, "itertools.product", Product, new: Some(product_new), next: product_next,
    methods: (&raw mut PRODUCT_METHODS).cast(),
    "product(*iterables, repeat=1)\n--\n\nThe Cartesian product of the iterables, like nested for loops." }

// ---- combinations, with replacement and without ----------------------------------------------------------------------------

fn pool_and_r(iterable: Borrowed<'_>, r: isize) -> PyResult<(Owned, usize, usize)> {
    let pool = to_tuple(iterable)?;
    if r < 0 {
        bail!(PyExc_ValueError, "r must be non-negative");
    }
    // SAFETY: [TYPE] a tuple.
    let n = unsafe { PyTuple_GET_SIZE(pool.as_ptr()) } as usize;
    Ok((pool, n, r as usize))
}

fn make(tp: Tp<'_>, pool: Owned, r: usize, stopped: bool, start: impl Fn(usize) -> usize) -> PyResult<Owned> {
    let c = new::<Combinations>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let p = c.as_ptr();
        (*p).head.indices = words(r, start)?;
        (*p).head.pools = pool.into_raw();
        (*p).r = r;
        (*p).stopped = stopped as c_int;
    }
    Ok(c.into_object())
}
fn combinations_new(tp: Tp<'_>, iterable: Borrowed<'_>, r: isize) -> PyResult<Owned> {
    let (pool, n, r) = pool_and_r(iterable, r)?;
    make(tp, pool, r, r > n, |i| i)
}
fn cwr_new(tp: Tp<'_>, iterable: Borrowed<'_>, r: isize) -> PyResult<Owned> {
    let (pool, n, r) = pool_and_r(iterable, r)?;
    make(tp, pool, r, n == 0 && r > 0, |_| 0)
}

unsafe fn combinations_next(s: Slf<Combinations>) -> Next {
    let s: *mut Combinations = s.0;
    // SAFETY: [TYPE]
    unsafe {
        if (*s).stopped != 0 {
            return Ok(None);
        }
        let h = &raw mut (*s).head;
        let r = (*s).r;
        if (*h).result.is_null() {
            select(h, r)?;
            return give(h);
        }
        let n = PyTuple_GET_SIZE((*h).pools) as usize;
        let indices = (*h).indices;
        renew(h)?;
        // The rightmost index that has room to the right.
        let Some(first) = (0..r).rev().find(|&i| *indices.add(i) != i + n - r) else {
            (*s).stopped = 1;
            return Ok(None);
        };
        *indices.add(first) += 1;
        for j in first + 1..r {
            *indices.add(j) = *indices.add(j - 1) + 1;
        }
        for i in first..r {
            put(h, i, pool_item((*h).pools, *indices.add(i)));
        }
        give(h)
    }
}

unsafe fn cwr_next(s: Slf<Combinations>) -> Next {
    let s: *mut Combinations = s.0;
    // SAFETY: [TYPE]
    unsafe {
        if (*s).stopped != 0 {
            return Ok(None);
        }
        let h = &raw mut (*s).head;
        let r = (*s).r;
        if (*h).result.is_null() {
            select(h, r)?;
            return give(h);
        }
        let n = PyTuple_GET_SIZE((*h).pools) as usize;
        let indices = (*h).indices;
        renew(h)?;
        let Some(first) = (0..r).rev().find(|&i| *indices.add(i) + 1 != n) else {
            (*s).stopped = 1;
            return Ok(None);
        };
        let index = *indices.add(first) + 1;
        for i in first..r {
            *indices.add(i) = index;
            put(h, i, pool_item((*h).pools, index));
        }
        give(h)
    }
}

fn combinations_reduce(slf: Borrowed<'_, Combinations>) -> PyResult<Owned> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe {
        let (s, tp) = (slf.as_ptr(), slf.ob_type());
        let (pool, r) = ((*s).head.pools, (*s).r as Py_ssize_t);
        if (*s).head.result.is_null() {
            return Owned::from_owned_or_err(Py_BuildValue(c"O(On)".as_ptr(), tp, pool, r));
        }
        if (*s).stopped != 0 {
            return Owned::from_owned_or_err(Py_BuildValue(c"O(()n)".as_ptr(), tp, r));
        }
        let indices = index_tuple((*s).head.indices, (*s).r)?;
        Owned::from_owned_or_err(Py_BuildValue(c"O(On)O".as_ptr(), tp, pool, r, indices.as_ptr()))
    }
}

unsafe fn set_indices(s: *mut Combinations, state: Borrowed<'_>, max: impl Fn(usize, isize) -> isize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let h = &raw mut (*s).head;
        let (r, n) = ((*s).r, PyTuple_GET_SIZE((*h).pools));
        if !is_tuple_of(state.ob(), r) || (n == 0 && r > 0) {
            bail!(PyExc_ValueError, "invalid arguments");
        }
        read_indices(state.ob(), (*h).indices, r, |i| (0, max(i, n).min(n - 1)))?;
        select(h, r)
    }
}
fn combinations_setstate(slf: Borrowed<'_, Combinations>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    let r = slf.r as isize;
    // SAFETY: [TYPE]
    unsafe { set_indices(slf.as_ptr(), state, |i, n| i as isize + n - r) }
}
fn cwr_setstate(slf: Borrowed<'_, Combinations>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe { set_indices(slf.as_ptr(), state, |_, n| n - 1) }
}
fn combinations_sizeof(slf: Borrowed<'_, Combinations>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe { Ok((*slf.ob_type()).tp_basicsize + 8 * slf.r as isize) }
}

methods! {
    static COMBINATIONS_METHODS = [
        "__reduce__($self, /)" => combinations_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => combinations_setstate, "For pickle and copy.";
        "__sizeof__($self, /)" => combinations_sizeof, "Size in memory, in bytes.";
    ];
}
methods! {
    static CWR_METHODS = [
        "__reduce__($self, /)" => combinations_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => cwr_setstate, "For pickle and copy.";
        "__sizeof__($self, /)" => combinations_sizeof, "Size in memory, in bytes.";
    ];
}
iterator_type! { COMBINATIONS, "itertools.combinations", Combinations, new: Some(constructor!("combinations(iterable, r)" => combinations_new)),
    next: combinations_next, methods: (&raw mut COMBINATIONS_METHODS).cast(),
    "combinations(iterable, r)\n--\n\nThe r-length subsequences of an iterable's items." }
iterator_type! { CWR, "itertools.combinations_with_replacement", Combinations,
    new: Some(constructor!("combinations_with_replacement(iterable, r)" => cwr_new)),
    next: cwr_next, methods: (&raw mut CWR_METHODS).cast(),
    "combinations_with_replacement(iterable, r)\n--\n\nThe r-length subsequences of an iterable's items, each usable several times." }

// ---- permutations --------------------------------------------------------------------------------------------------------------

fn permutations_new(tp: Tp<'_>, iterable: Borrowed<'_>, r: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let pool = to_tuple(iterable)?;
        let n = PyTuple_GET_SIZE(pool.as_ptr()) as usize;
        let r = match r {
            None => n as isize,
            Some(r) if PyLong_Check(r.ob()) == 0 => bail!(PyExc_TypeError, "Expected int as r"),
            Some(r) => {
                let v = PyLong_AsSsize_t(r.ob());
                if v == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                v
            }
        };
        if r < 0 {
            bail!(PyExc_ValueError, "r must be non-negative");
        }
        let r = r as usize;
        let c = new::<Permutations>(tp)?;
        let p = c.as_ptr();
        (*p).head.indices = words(n, |i| i)?;
        (*p).cycles = words(r, |i| n.wrapping_sub(i))?;
        (*p).head.pools = pool.into_raw();
        (*p).r = r;
        (*p).stopped = (r > n) as c_int;
        Ok(c.into_object())
    }
}

unsafe fn permutations_next(s: Slf<Permutations>) -> Next {
    let s: *mut Permutations = s.0;
    // SAFETY: [TYPE]
    unsafe {
        if (*s).stopped != 0 {
            return Ok(None);
        }
        let h = &raw mut (*s).head;
        let r = (*s).r;
        if (*h).result.is_null() {
            select(h, r)?;
            return give(h);
        }
        renew(h)?;
        let n = PyTuple_GET_SIZE((*h).pools) as usize;
        let indices = core::slice::from_raw_parts_mut((*h).indices, n);
        for i in (0..r).rev() {
            let cycle = (*s).cycles.add(i);
            *cycle -= 1;
            if *cycle == 0 {
                indices[i..].rotate_left(1);
                *cycle = n - i;
            } else {
                indices.swap(i, n - *cycle);
                for k in i..r {
                    put(h, k, pool_item((*h).pools, indices[k]));
                }
                return give(h);
            }
        }
        (*s).stopped = 1;
        Ok(None)
    }
}

fn permutations_reduce(slf: Borrowed<'_, Permutations>) -> PyResult<Owned> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe {
        let (s, tp) = (slf.as_ptr(), slf.ob_type());
        let (pool, r) = ((*s).head.pools, (*s).r as Py_ssize_t);
        if (*s).head.result.is_null() {
            return Owned::from_owned_or_err(Py_BuildValue(c"O(On)".as_ptr(), tp, pool, r));
        }
        if (*s).stopped != 0 {
            return Owned::from_owned_or_err(Py_BuildValue(c"O(()n)".as_ptr(), tp, r));
        }
        let indices = index_tuple((*s).head.indices, PyTuple_GET_SIZE(pool) as usize)?;
        let cycles = index_tuple((*s).cycles, (*s).r)?;
        Owned::from_owned_or_err(Py_BuildValue(c"O(On)(OO)".as_ptr(), tp, pool, r, indices.as_ptr(), cycles.as_ptr()))
    }
}

fn permutations_setstate(slf: Borrowed<'_, Permutations>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe {
        let s = slf.as_ptr();
        if PyTuple_Check(state.ob()) == 0 {
            bail!(PyExc_TypeError, "state is not a tuple");
        }
        let (mut indices, mut cycles): (*mut PyObject, *mut PyObject) = (null_mut(), null_mut());
        let tuple_type = &raw mut PyTuple_Type;
        if PyArg_ParseTuple(state.ob(), c"O!O!".as_ptr(), tuple_type, &raw mut indices, tuple_type, &raw mut cycles) == 0 {
            return Err(Raised::assume());
        }
        let (n, r) = (PyTuple_GET_SIZE((*s).head.pools), (*s).r);
        if !is_tuple_of(indices, n as usize) || !is_tuple_of(cycles, r) || r > n as usize {
            bail!(PyExc_ValueError, "invalid arguments");
        }
        read_indices(indices, (*s).head.indices, n as usize, |_| (0, n - 1))?;
        read_indices(cycles, (*s).cycles, r, |i| (1, n - i as isize))?;
        select(&raw mut (*s).head, r)
    }
}
fn permutations_sizeof(slf: Borrowed<'_, Permutations>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe { Ok((*slf.ob_type()).tp_basicsize + 8 * (PyTuple_GET_SIZE(slf.head.pools) + slf.r as isize)) }
}

methods! {
    static PERMUTATIONS_METHODS = [
        "__reduce__($self, /)" => permutations_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => permutations_setstate, "For pickle and copy.";
        "__sizeof__($self, /)" => permutations_sizeof, "Size in memory, in bytes.";
    ];
}
iterator_type! { PERMUTATIONS, "itertools.permutations", Permutations, new: Some(constructor!("permutations(iterable, r=None)" => permutations_new)),
    next: permutations_next, methods: (&raw mut PERMUTATIONS_METHODS).cast(),
    "permutations(iterable, r=None)\n--\n\nThe r-length orderings of an iterable's items." }
