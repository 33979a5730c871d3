//! `list`: a growing array of objects, with its iterators. Sorting is in `listsort`.

#![allow(missing_docs, reason = "exported functions are documented by CPython's C API manual")]

use crate::freelist::*;
use crate::sliceobject::SliceIndex;
use crate::tupleobject::{ITER_MAXFREELIST, SeqIterObject, builtin, class_getitem, empty_tuple, seq_iter_new, seqiter_traverse, tuple_items, tuple_of};
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{OrNone, initializer, methods};

type List<'a> = Borrowed<'a, PyListObject>;

static mut FREE_LIST: FreeList = FreeList::new();
/// How many dead lists are kept.
const PyList_MAXFREELIST: usize = 80;

// --- Helpers shared by the sequences --------------------------------------------------------------------------------

/// Clips `lo..hi` to `0..=size` with `lo <= hi`.
#[inline]
pub(crate) fn range_clip(lo: isize, hi: isize, size: isize) -> (isize, isize) {
    let lo = lo.clamp(0, size);
    (lo, hi.clamp(lo, size))
}

/// Whether `a op b` holds, for one of the six comparison codes.
#[inline]
pub(crate) fn compare_sizes<T: Ord>(a: T, b: T, op: c_int) -> bool {
    match op {
        Py_LT => a < b,
        Py_LE => a <= b,
        Py_EQ => a == b,
        Py_NE => a != b,
        Py_GT => a > b,
        _ => a >= b,
    }
}

/// The SystemError of C functions that were handed an object of the wrong type.
#[cold]
pub(crate) fn type_error_not_instance() {
    // SAFETY: [GIL]
    unsafe { PyErr_BadInternalCall() }
}

/// `open`, the reprs of what `item` lends for 0, 1, ... until it gives NULL, `close`; `dots` if `op` is being shown already.
pub(crate) unsafe fn repr_items(
    op: *mut PyObject,
    open: &[u8],
    close: &[u8],
    dots: &[u8],
    item: impl Fn(isize) -> *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS] each item is held while its repr runs.
    unsafe {
        let entered = Py_ReprEnter(op);
        if entered != 0 {
            return if entered > 0 { PyUnicode_FromStringAndSize(dots.as_ptr().cast(), dots.len() as isize) } else { null_mut() };
        }
        let mut writer: _PyUnicodeWriter = core::mem::zeroed();
        _PyUnicodeWriter_Init(&mut writer);
        writer.overallocate = 1;
        writer.min_length = 2 + 3 * Py_SIZE(op);
        let mut ok = _PyUnicodeWriter_WriteASCIIString(&mut writer, open.as_ptr().cast(), open.len() as isize) == 0;
        let mut i = 0;
        while ok {
            let p = item(i);
            if p.is_null() {
                break;
            }
            let held = Owned::from_borrowed(p);
            if i > 0 {
                ok = _PyUnicodeWriter_WriteASCIIString(&mut writer, c", ".as_ptr(), 2) == 0;
            }
            let text = Owned::from_owned_or_err(PyObject_Repr(held.as_ptr()));
            ok = ok && text.is_ok_and(|t| _PyUnicodeWriter_WriteStr(&mut writer, t.as_ptr()) == 0);
            i += 1;
        }
        ok = ok && _PyUnicodeWriter_WriteASCIIString(&mut writer, close.as_ptr().cast(), close.len() as isize) == 0;
        Py_ReprLeave(op);
        if ok {
            return _PyUnicodeWriter_Finish(&mut writer);
        }
        _PyUnicodeWriter_Dealloc(&mut writer);
        null_mut()
    }
}

// --- Size -----------------------------------------------------------------------------------------------------------

/// Makes room for `newsize` items and sets the size; new places are uninitialised. CPython's growth pattern:
/// 0, 4, 8, 16, 24, 32, 40, 52, 64, 76, ...
pub(crate) unsafe fn list_resize(slf: *mut PyListObject, newsize: isize) -> PyResult<()> {
    // SAFETY: [ARGS] ob_item came from PyMem_*.
    unsafe {
        let allocated = (*slf).allocated;
        if allocated >= newsize && newsize >= (allocated >> 1) {
            (*slf).ob_base.ob_size = newsize;
            return Ok(());
        }
        if newsize > isize::MAX / 16 {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        let mut new_allocated = (newsize as usize + (newsize as usize >> 3) + 6) & !3;
        // No slack when the list grows by more than the slack would be.
        if newsize - (*slf).ob_base.ob_size > new_allocated as isize - newsize {
            new_allocated = (newsize as usize + 3) & !3;
        }
        if newsize == 0 {
            new_allocated = 0;
        }
        let items: *mut *mut PyObject = PyMem_Realloc((*slf).ob_item.cast(), new_allocated * 8).cast();
        if items.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        (*slf).ob_item = items;
        (*slf).ob_base.ob_size = newsize;
        (*slf).allocated = new_allocated as isize;
        Ok(())
    }
}

unsafe fn list_preallocate_exact(slf: *mut PyListObject, size: isize) -> PyResult<()> {
    // SAFETY: [ARGS] the list has no items yet.
    unsafe {
        // The allocator hands out multiples of 16 bytes anyway.
        let size = (size as usize).saturating_add(1) & !1;
        let items = if size > isize::MAX as usize / 8 { null_mut() } else { PyMem_Malloc(size * 8) };
        if items.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        (*slf).ob_item = items.cast();
        (*slf).allocated = size as isize;
        Ok(())
    }
}

unsafe fn list_new_raw() -> *mut PyListObject {
    // SAFETY: [GIL]
    unsafe {
        let op: *mut PyListObject = FreeList::pop(&raw mut FREE_LIST).cast();
        if op.is_null() { gc_new(&raw mut PyList_Type) } else { op }
    }
}

/// Gives the memory of kept lists back.
pub fn clear_free_list() {
    // SAFETY: [GIL]
    unsafe {
        FreeList::clear(&raw mut FREE_LIST, PyObject_GC_Del);
        FreeList::clear(&raw mut LIST_ITERS, PyObject_GC_Del);
        FreeList::clear(&raw mut LIST_REVITERS, PyObject_GC_Del);
    }
}

/// A list with room for `size > 0` items and none in it.
unsafe fn list_new_prealloc(size: isize) -> PyResult<Owned<PyListObject>> {
    // SAFETY: [GIL]
    unsafe {
        let list = Owned::<PyListObject>::from_owned_or_err(PyList_New(0).cast())?;
        if size > isize::MAX / 8 {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        let items = PyMem_Malloc(size as usize * 8);
        if items.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        (*list.as_ptr()).ob_item = items.cast();
        (*list.as_ptr()).allocated = size;
        Ok(list)
    }
}

/// Appends, stealing `item`.
///
/// # Safety
/// `slf` is a list; `item` is owned.
#[inline(always)]
pub unsafe fn list_append_steal(slf: *mut PyListObject, item: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] there is room where size < allocated.
    unsafe {
        let len = (*slf).ob_base.ob_size;
        if (*slf).allocated > len {
            *(*slf).ob_item.add(len as usize) = item;
            (*slf).ob_base.ob_size = len + 1;
            return Ok(());
        }
        list_append_resize(slf, item)
    }
}

#[inline(never)]
unsafe fn list_append_resize(slf: *mut PyListObject, item: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let len = (*slf).ob_base.ob_size;
        if let Err(e) = list_resize(slf, len + 1) {
            Py_DECREF(item);
            return Err(e);
        }
        *(*slf).ob_item.add(len as usize) = item;
        Ok(())
    }
}

/// Empties the list; its memory goes first, so that code run by the items' deallocation sees an empty list.
pub(crate) unsafe fn list_clear(slf: *mut PyListObject) {
    // SAFETY: [ARGS]
    unsafe {
        let items = (*slf).ob_item;
        if items.is_null() {
            return;
        }
        let n = (*slf).ob_base.ob_size;
        (*slf).ob_base.ob_size = 0;
        (*slf).ob_item = null_mut();
        (*slf).allocated = 0;
        for i in (0..n as usize).rev() {
            Py_XDECREF(*items.add(i));
        }
        PyMem_Free(items.cast());
    }
}

// --- Slots ----------------------------------------------------------------------------------------------------------

unsafe extern "C" fn list_dealloc(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        gc_untrack(op);
        if !crate::gc::trashcan_begin(op, list_dealloc) {
            return;
        }
        let slf: *mut PyListObject = op.cast();
        let items = (*slf).ob_item;
        if !items.is_null() {
            for i in (0..(*slf).ob_base.ob_size as usize).rev() {
                Py_XDECREF(*items.add(i));
            }
            PyMem_Free(items.cast());
        }
        if !((*op).ob_type == &raw mut PyList_Type && FreeList::push(&raw mut FREE_LIST, op, PyList_MAXFREELIST)) {
            type_free(op);
        }
        crate::gc::trashcan_end();
    }
}

unsafe extern "C" fn list_traverse(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let slf: *mut PyListObject = op.cast();
        for i in (0..(*slf).ob_base.ob_size as usize).rev() {
            py_visit!(visitor, arg; *(*slf).ob_item.add(i));
        }
        0
    }
}

unsafe extern "C" fn list_clear_slot(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { list_clear(op.cast()) }
    0
}

unsafe extern "C" fn list_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] the size is read anew for each item: reprs may change the list.
    unsafe {
        if Py_SIZE(op) == 0 {
            return PyUnicode_FromString(c"[]".as_ptr());
        }
        repr_items(op, b"[", b"]", b"[...]", |i| if i < Py_SIZE(op) { PyList_GET_ITEM(op, i) } else { null_mut() })
    }
}

unsafe extern "C" fn list_length(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { Py_SIZE(op) }
}

unsafe extern "C" fn list_contains(op: *mut PyObject, el: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] items are held during comparisons, which may change the list.
    unsafe {
        let mut i = 0;
        while i < Py_SIZE(op) {
            let item = PyList_GET_ITEM(op, i);
            if item == el {
                return 1;
            }
            let item = Owned::from_borrowed(item);
            let cmp = PyObject_RichCompareBool(item.as_ptr(), el, Py_EQ);
            if cmp != 0 {
                return cmp;
            }
            i += 1;
        }
        0
    }
}

unsafe extern "C" fn list_item(op: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS] the index is checked.
    unsafe {
        if i as usize >= Py_SIZE(op) as usize {
            PyErr_SetString(PyExc_IndexError, c"list index out of range".as_ptr());
            return null_mut();
        }
        Py_NewRef(PyList_GET_ITEM(op, i))
    }
}

/// A new list of `slf[lo:hi]`, bounds within the list.
unsafe fn list_slice(slf: *mut PyListObject, lo: isize, hi: isize) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let len = hi - lo;
        if len <= 0 {
            return Owned::from_owned_or_err(PyList_New(0));
        }
        let np = list_new_prealloc(len)?;
        let src = (*slf).ob_item.add(lo as usize);
        let dest = (*np.as_ptr()).ob_item;
        for i in 0..len as usize {
            *dest.add(i) = Py_NewRef(*src.add(i));
        }
        (*np.as_ptr()).ob_base.ob_size = len;
        Ok(np.into_object())
    }
}

unsafe extern "C" fn list_concat(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyList_Check(b) == 0 {
            return null(raise!(PyExc_TypeError, "can only concatenate list (not \"{}\") to list", type_name(b)));
        }
        let (n, m) = (Py_SIZE(a), Py_SIZE(b));
        if n + m == 0 {
            return PyList_New(0);
        }
        let Ok(np) = list_new_prealloc(n + m) else { return null_mut() };
        let dest = (*np.as_ptr()).ob_item;
        for i in 0..n {
            *dest.add(i as usize) = Py_NewRef(PyList_GET_ITEM(a, i));
        }
        for i in 0..m {
            *dest.add((n + i) as usize) = Py_NewRef(PyList_GET_ITEM(b, i));
        }
        (*np.as_ptr()).ob_base.ob_size = n + m;
        np.into_raw_object()
    }
}

unsafe extern "C" fn list_repeat(a: *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let size = Py_SIZE(a);
        if size == 0 || n <= 0 {
            return PyList_New(0);
        }
        let Some(total) = size.checked_mul(n) else { return PyErr_NoMemory() };
        let Ok(np) = list_new_prealloc(total) else { return null_mut() };
        let (src, dest) = ((*a.cast::<PyListObject>()).ob_item, (*np.as_ptr()).ob_item);
        fill_repeated(src, dest, size as usize, n as usize);
        (*np.as_ptr()).ob_base.ob_size = total;
        np.into_raw_object()
    }
}

/// Writes `n` copies of `size` items to `dest`, which may be `src` itself when it holds references for one copy already.
unsafe fn fill_repeated(src: *mut *mut PyObject, dest: *mut *mut PyObject, size: usize, n: usize) {
    // SAFETY: [ARGS] dest has room for size * n items.
    unsafe {
        let own = if src == dest { 1 } else { 0 };
        for i in 0..size {
            let item = *src.add(i);
            if !is_immortal(item) {
                (*item).ob_refcnt.ob_refcnt += (n - own) as isize;
            }
        }
        if size == 1 {
            let item = *src;
            for i in 0..n {
                *dest.add(i) = item;
            }
        } else {
            for k in own..n {
                core::ptr::copy_nonoverlapping(src, dest.add(k * size), size);
            }
        }
    }
}

unsafe extern "C" fn list_inplace_repeat(op: *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let slf: *mut PyListObject = op.cast();
        let size = Py_SIZE(op);
        if size == 0 || n == 1 {
            return Py_NewRef(op);
        }
        if n < 1 {
            list_clear(slf);
            return Py_NewRef(op);
        }
        let Some(total) = size.checked_mul(n) else { return PyErr_NoMemory() };
        if list_resize(slf, total).is_err() {
            return null_mut();
        }
        fill_repeated((*slf).ob_item, (*slf).ob_item, size as usize, n as usize);
        Py_NewRef(op)
    }
}

unsafe extern "C" fn list_inplace_concat(op: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { if list_extend(op.cast(), other).is_ok() { Py_NewRef(op) } else { null_mut() } }
}

unsafe extern "C" fn list_ass_item(op: *mut PyObject, i: Py_ssize_t, v: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] the index is checked; the old item goes last.
    unsafe {
        if i as usize >= Py_SIZE(op) as usize {
            PyErr_SetString(PyExc_IndexError, c"list assignment index out of range".as_ptr());
            return -1;
        }
        let slf: *mut PyListObject = op.cast();
        let slot = (*slf).ob_item.add(i as usize);
        let old = *slot;
        if v.is_null() {
            let n = Py_SIZE(op);
            core::ptr::copy(slot.add(1), slot, (n - 1 - i) as usize);
            (*slf).ob_base.ob_size = n - 1;
        } else {
            *slot = Py_NewRef(v);
        }
        Py_DECREF(old);
        0
    }
}

/// `slf[lo:hi] = v`, or `del slf[lo:hi]` if `v` is NULL.
pub(crate) unsafe fn list_ass_slice(slf: *mut PyListObject, lo: isize, hi: isize, v: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] what is taken out is released when the list is consistent again.
    unsafe {
        let source = if v.is_null() {
            None
        } else if v == slf.cast() {
            Some(list_slice(slf, 0, (*slf).ob_base.ob_size)?)
        } else {
            Some(Owned::from_owned_or_err(PySequence_Fast(v, c"can only assign an iterable".as_ptr()))?)
        };
        let (n, items) = match &source {
            Some(s) => (Py_SIZE(s.as_ptr()), fast_items(s.as_ptr())),
            None => (0, null_mut()),
        };
        let size = (*slf).ob_base.ob_size;
        let (lo, hi) = range_clip(lo, hi, size);
        let norig = hi - lo;
        let d = n - norig;
        if size + d == 0 {
            list_clear(slf);
            return Ok(());
        }
        let mut stack = [null_mut::<PyObject>(); 8];
        let mut heap: Vec<*mut PyObject> = Vec::new();
        let recycle: &mut [*mut PyObject] = if norig as usize <= stack.len() {
            &mut stack[..norig as usize]
        } else {
            heap.resize(norig as usize, null_mut());
            &mut heap
        };
        core::ptr::copy_nonoverlapping((*slf).ob_item.add(lo as usize), recycle.as_mut_ptr(), norig as usize);
        if d < 0 {
            let item = (*slf).ob_item;
            core::ptr::copy(item.add(hi as usize), item.add((hi + d) as usize), (size - hi) as usize);
            // A failure to shrink would leave the list usable all the same.
            if list_resize(slf, size + d).is_err() {
                PyErr_Clear();
                (*slf).ob_base.ob_size = size + d;
            }
        } else if d > 0 {
            list_resize(slf, size + d)?;
            let item = (*slf).ob_item;
            core::ptr::copy(item.add(hi as usize), item.add((hi + d) as usize), (size - hi) as usize);
        }
        let item = (*slf).ob_item.add(lo as usize);
        for k in 0..n as usize {
            *item.add(k) = Py_NewRef(*items.add(k));
        }
        for &p in recycle.iter().rev() {
            Py_XDECREF(p);
        }
        Ok(())
    }
}

/// The items of a list or tuple.
#[inline(always)]
pub(crate) unsafe fn fast_items(op: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { if PyList_Check(op) != 0 { (*op.cast::<PyListObject>()).ob_item } else { tuple_items(op) } }
}

unsafe extern "C" fn list_subscript(op: *mut PyObject, item: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyLong_Check(item) != 0 && crate::longobject::is_compact(item.cast()) {
            let i = crate::longobject::compact_value(item.cast());
            return list_item(op, if i < 0 { i + Py_SIZE(op) } else { i });
        }
        if PyIndex_Check(item) != 0 {
            let mut i = PyNumber_AsSsize_t(item, PyExc_IndexError);
            if i == -1 && err_occurred() {
                return null_mut();
            }
            if i < 0 {
                i += Py_SIZE(op);
            }
            return list_item(op, i);
        }
        if PySlice_Check(item) == 0 {
            return null(raise!(PyExc_TypeError, "list indices must be integers or slices, not {}", type_name(item)));
        }
        let (mut start, mut stop, mut step) = (0, 0, 0);
        if PySlice_Unpack(item, &mut start, &mut stop, &mut step) < 0 {
            return null_mut();
        }
        let n = PySlice_AdjustIndices(Py_SIZE(op), &mut start, &mut stop, step);
        if n <= 0 {
            return PyList_New(0);
        }
        if step == 1 {
            return list_slice(op.cast(), start, stop).into_c();
        }
        let Ok(np) = list_new_prealloc(n) else { return null_mut() };
        let dest = (*np.as_ptr()).ob_item;
        for i in 0..n {
            *dest.add(i as usize) = Py_NewRef(PyList_GET_ITEM(op, start + i * step));
        }
        (*np.as_ptr()).ob_base.ob_size = n;
        np.into_raw_object()
    }
}

unsafe extern "C" fn list_ass_subscript(op: *mut PyObject, item: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyIndex_Check(item) != 0 {
            let mut i = PyNumber_AsSsize_t(item, PyExc_IndexError);
            if i == -1 && err_occurred() {
                return -1;
            }
            if i < 0 {
                i += Py_SIZE(op);
            }
            return list_ass_item(op, i, value);
        }
        if PySlice_Check(item) == 0 {
            return fail(raise!(PyExc_TypeError, "list indices must be integers or slices, not {}", type_name(item)));
        }
        let (mut start, mut stop, mut step) = (0, 0, 0);
        if PySlice_Unpack(item, &mut start, &mut stop, &mut step) < 0 {
            return -1;
        }
        if value.is_null() {
            list_del_extended(op.cast(), start, stop, step).into_c()
        } else {
            list_ass_extended(op.cast(), start, stop, step, value).into_c()
        }
    }
}

unsafe fn list_del_extended(slf: *mut PyListObject, mut start: isize, mut stop: isize, mut step: isize) -> PyResult<()> {
    // SAFETY: [ARGS] removed items are collected first and released at the end.
    unsafe {
        let size = (*slf).ob_base.ob_size;
        let n = crate::sliceobject::slice_adjust_indices(size, &mut start, &mut stop, step);
        if step == 1 {
            return list_ass_slice(slf, start, stop, null_mut());
        }
        if n <= 0 {
            return Ok(());
        }
        if step < 0 {
            start += step * (n - 1);
            step = -step;
        }
        let mut garbage = Vec::with_capacity(n as usize);
        let items = (*slf).ob_item;
        let mut write = start;
        for k in 0..n {
            let cur = start + k * step;
            garbage.push(*items.add(cur as usize));
            let next = if k + 1 < n { start + (k + 1) * step } else { size };
            let run = next - cur - 1;
            core::ptr::copy(items.add(cur as usize + 1), items.add(write as usize), run as usize);
            write += run;
        }
        (*slf).ob_base.ob_size = size - n;
        let done = list_resize(slf, size - n);
        for p in garbage {
            Py_DECREF(p);
        }
        done
    }
}

unsafe fn list_ass_extended(slf: *mut PyListObject, mut start: isize, mut stop: isize, step: isize, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if step == 1 {
            let n = crate::sliceobject::slice_adjust_indices((*slf).ob_base.ob_size, &mut start, &mut stop, step);
            let _ = n;
            // For a[5:2] = x the insertion point is 5.
            return list_ass_slice(slf, start, stop.max(start), value);
        }
        let seq = if value == slf.cast() {
            list_slice(slf, 0, (*slf).ob_base.ob_size)?
        } else {
            let msg = c"must assign iterable to extended slice";
            Owned::from_owned_or_err(PySequence_Fast(value, msg.as_ptr()))?
        };
        // Making the sequence may have run code that changed the list.
        let n = crate::sliceobject::slice_adjust_indices((*slf).ob_base.ob_size, &mut start, &mut stop, step);
        let given = Py_SIZE(seq.as_ptr());
        if given != n {
            bail!(PyExc_ValueError, "attempt to assign sequence of size {} to extended slice of size {}", given, n);
        }
        let src = fast_items(seq.as_ptr());
        let mut garbage = Vec::with_capacity(n as usize);
        for i in 0..n {
            let slot = (*slf).ob_item.add((start + i * step) as usize);
            garbage.push(*slot);
            *slot = Py_NewRef(*src.add(i as usize));
        }
        for p in garbage {
            Py_DECREF(p);
        }
        Ok(())
    }
}

unsafe extern "C" fn list_richcompare(v: *mut PyObject, w: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS] sizes are read anew and items held: comparisons may change the lists.
    unsafe {
        if PyList_Check(v) == 0 || PyList_Check(w) == 0 {
            return Py_NewRef(Py_NotImplemented());
        }
        if Py_SIZE(v) != Py_SIZE(w) && (op == Py_EQ || op == Py_NE) {
            return PyBool_FromLong((op == Py_NE) as _);
        }
        let mut i = 0;
        while i < Py_SIZE(v) && i < Py_SIZE(w) {
            let (a, b) = (PyList_GET_ITEM(v, i), PyList_GET_ITEM(w, i));
            if a != b {
                let (a, b) = (Owned::from_borrowed(a), Owned::from_borrowed(b));
                let k = PyObject_RichCompareBool(a.as_ptr(), b.as_ptr(), Py_EQ);
                if k < 0 {
                    return null_mut();
                }
                if k == 0 {
                    break;
                }
            }
            i += 1;
        }
        if i >= Py_SIZE(v) || i >= Py_SIZE(w) {
            return PyBool_FromLong(compare_sizes(Py_SIZE(v), Py_SIZE(w), op) as _);
        }
        match op {
            Py_EQ => Py_False(),
            Py_NE => Py_True(),
            _ => {
                let (a, b) = (Owned::from_borrowed(PyList_GET_ITEM(v, i)), Owned::from_borrowed(PyList_GET_ITEM(w, i)));
                PyObject_RichCompare(a.as_ptr(), b.as_ptr(), op)
            }
        }
    }
}

// --- Extension ------------------------------------------------------------------------------------------------------

/// Appends what is at `src`, growing exactly from nothing and by the growth pattern otherwise.
unsafe fn list_extend_fast(slf: *mut PyListObject, src: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] src is a list or tuple.
    unsafe {
        let n = Py_SIZE(src);
        if n == 0 {
            return Ok(());
        }
        let m = (*slf).ob_base.ob_size;
        if (*slf).ob_item.is_null() {
            list_preallocate_exact(slf, n)?;
            (*slf).ob_base.ob_size = n;
        } else {
            list_resize(slf, m + n)?;
        }
        let items = fast_items(src);
        let dest = (*slf).ob_item.add(m as usize);
        for i in 0..n as usize {
            *dest.add(i) = Py_NewRef(*items.add(i));
        }
        Ok(())
    }
}

unsafe fn list_extend_iter(slf: *mut PyListObject, iterable: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] the size is consistent whenever foreign code runs.
    unsafe {
        let it = Owned::from_owned_or_err(PyObject_GetIter(iterable))?;
        let n = PyObject_LengthHint(iterable, 8);
        if n < 0 {
            return Err(Raised::assume());
        }
        let m = (*slf).ob_base.ob_size;
        // A hint that overflows is a lie; if it isn't, memory runs out below.
        if let Some(total) = m.checked_add(n) {
            if (*slf).ob_item.is_null() {
                if n > 0 {
                    list_preallocate_exact(slf, n)?;
                }
            } else {
                list_resize(slf, total)?;
                (*slf).ob_base.ob_size = m;
            }
        }
        let Some(iternext) = (*it.ob_type).tp_iternext else {
            bail!(PyExc_TypeError, "iter() returned non-iterator of type '{}'", type_name(it.as_ptr()));
        };
        loop {
            let item = iternext(it.as_ptr());
            if item.is_null() {
                if err_occurred() {
                    if PyErr_ExceptionMatches(PyExc_StopIteration) == 0 {
                        return Err(Raised::assume());
                    }
                    PyErr_Clear();
                }
                break;
            }
            list_append_steal(slf, item)?;
        }
        if (*slf).ob_base.ob_size < (*slf).allocated {
            list_resize(slf, (*slf).ob_base.ob_size)?;
        }
        Ok(())
    }
}

unsafe fn list_extend_set(slf: *mut PyListObject, set: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] no code runs while the entries are copied.
    unsafe {
        let m = (*slf).ob_base.ob_size;
        let n = PySet_Size(set);
        list_resize(slf, m + n)?;
        let (mut pos, mut key, mut hash) = (0, null_mut(), 0);
        let mut dest = (*slf).ob_item.add(m as usize);
        while _PySet_NextEntry(set, &mut pos, &mut key, &mut hash) != 0 {
            *dest = Py_NewRef(key);
            dest = dest.add(1);
        }
        Ok(())
    }
}

enum DictPart {
    Keys,
    Values,
    Items,
}

unsafe fn list_extend_dict(slf: *mut PyListObject, dict: *mut PyObject, part: DictPart) -> PyResult<()> {
    // SAFETY: [ARGS] making pairs runs no Python code that could change the dict.
    unsafe {
        let m = (*slf).ob_base.ob_size;
        let n = PyDict_Size(dict);
        list_resize(slf, m + n)?;
        (*slf).ob_base.ob_size = m;
        let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
        while (*slf).ob_base.ob_size < m + n && PyDict_Next(dict, &mut pos, &mut key, &mut value) != 0 {
            let item = match part {
                DictPart::Keys => Py_NewRef(key),
                DictPart::Values => Py_NewRef(value),
                DictPart::Items => crate::tupleobject::tuple_from_array([key, value].as_ptr(), 2),
            };
            if item.is_null() {
                return Err(Raised::assume());
            }
            *(*slf).ob_item.add((*slf).ob_base.ob_size as usize) = item;
            (*slf).ob_base.ob_size += 1;
        }
        Ok(())
    }
}

/// Layout of the views of a dict.
#[repr(C)]
struct DictView {
    ob_base: PyObject,
    dv_dict: *mut PyObject,
}

/// `list.extend`.
pub(crate) unsafe fn list_extend(slf: *mut PyListObject, iterable: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] exact types only: subclasses may iterate differently.
    unsafe {
        if iterable == slf.cast() {
            return Owned::from_owned_or_err(list_inplace_repeat(iterable, 2)).map(drop);
        }
        let tp = (*iterable).ob_type;
        if tp == &raw mut PyList_Type || tp == &raw mut PyTuple_Type {
            list_extend_fast(slf, iterable)
        } else if tp == &raw mut PySet_Type || tp == &raw mut PyFrozenSet_Type {
            list_extend_set(slf, iterable)
        } else if tp == &raw mut PyDict_Type {
            list_extend_dict(slf, iterable, DictPart::Keys)
        } else if tp == &raw mut PyDictKeys_Type {
            list_extend_dict(slf, (*iterable.cast::<DictView>()).dv_dict, DictPart::Keys)
        } else if tp == &raw mut PyDictValues_Type {
            list_extend_dict(slf, (*iterable.cast::<DictView>()).dv_dict, DictPart::Values)
        } else if tp == &raw mut PyDictItems_Type {
            list_extend_dict(slf, (*iterable.cast::<DictView>()).dv_dict, DictPart::Items)
        } else {
            list_extend_iter(slf, iterable)
        }
    }
}

// --- Methods --------------------------------------------------------------------------------------------------------

fn list_append(slf: List<'_>, object: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { list_append_steal(slf.as_ptr(), object.to_owned().into_raw()) }
}

fn list_insert(slf: List<'_>, index: isize, object: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { ins1(slf.as_ptr(), index, object.ob()) }
}

unsafe fn ins1(slf: *mut PyListObject, mut index: isize, v: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let n = (*slf).ob_base.ob_size;
        list_resize(slf, n + 1)?;
        if index < 0 {
            index = (index + n).max(0);
        }
        let slot = (*slf).ob_item.add(index.min(n) as usize);
        core::ptr::copy(slot, slot.add(1), (n - index.min(n)) as usize);
        *slot = Py_NewRef(v);
        Ok(())
    }
}

fn py_list_clear(slf: List<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { list_clear(slf.as_ptr()) }
    Ok(())
}

fn list_copy(slf: List<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { list_slice(slf.as_ptr(), 0, slf.ob_base.ob_size) }
}

fn py_list_extend(slf: List<'_>, iterable: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { list_extend(slf.as_ptr(), iterable.ob()) }
}

fn list_pop(slf: List<'_>, index: isize) -> PyResult<Owned> {
    // SAFETY: [TYPE] the index is checked; the item's reference moves to the caller.
    unsafe {
        let op = slf.as_ptr();
        let n = (*op).ob_base.ob_size;
        if n == 0 {
            bail!(PyExc_IndexError, "pop from empty list");
        }
        let index = if index < 0 { index + n } else { index };
        if index < 0 || index >= n {
            bail!(PyExc_IndexError, "pop index out of range");
        }
        let slot = (*op).ob_item.add(index as usize);
        let item = Owned::from_owned(*slot);
        if n == 1 {
            let items = (*op).ob_item;
            (*op).ob_item = null_mut();
            (*op).ob_base.ob_size = 0;
            (*op).allocated = 0;
            PyMem_Free(items.cast());
            return Ok(item);
        }
        core::ptr::copy(slot.add(1), slot, (n - 1 - index) as usize);
        list_resize(op, n - 1)?;
        Ok(item)
    }
}

fn list_reverse(slf: List<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { items_of(slf.as_ptr()).reverse() }
    Ok(())
}

/// The items as a slice; nothing may change the list while it is used.
pub(crate) unsafe fn items_of<'a>(slf: *mut PyListObject) -> &'a mut [*mut PyObject] {
    // SAFETY: [ARGS] an empty list may have no memory.
    unsafe {
        let n = (*slf).ob_base.ob_size as usize;
        if n == 0 { &mut [] } else { core::slice::from_raw_parts_mut((*slf).ob_item, n) }
    }
}

fn list_index(slf: List<'_>, value: Borrowed<'_>, start: SliceIndex, stop: SliceIndex) -> PyResult<isize> {
    // SAFETY: [TYPE] items are held during comparisons.
    unsafe {
        let op: *mut PyObject = slf.ob();
        let mut i = start.from_end(Py_SIZE(op));
        let stop = stop.from_end(Py_SIZE(op));
        while i < stop && i < Py_SIZE(op) {
            let item = Owned::from_borrowed(PyList_GET_ITEM(op, i));
            let cmp = PyObject_RichCompareBool(item.as_ptr(), value.ob(), Py_EQ);
            if cmp > 0 {
                return Ok(i);
            }
            check_status(cmp)?;
            i += 1;
        }
        PyErr_Format(PyExc_ValueError, c"%R is not in list".as_ptr(), value.ob());
        Err(Raised::assume())
    }
}

fn list_count(slf: List<'_>, value: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe {
        let op: *mut PyObject = slf.ob();
        let (mut count, mut i) = (0, 0);
        while i < Py_SIZE(op) {
            let item = PyList_GET_ITEM(op, i);
            i += 1;
            if item == value.ob() {
                count += 1;
                continue;
            }
            let item = Owned::from_borrowed(item);
            let cmp = PyObject_RichCompareBool(item.as_ptr(), value.ob(), Py_EQ);
            check_status(cmp)?;
            count += (cmp > 0) as isize;
        }
        Ok(count)
    }
}

fn list_remove(slf: List<'_>, value: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let op: *mut PyObject = slf.ob();
        let mut i = 0;
        while i < Py_SIZE(op) {
            let item = Owned::from_borrowed(PyList_GET_ITEM(op, i));
            let cmp = PyObject_RichCompareBool(item.as_ptr(), value.ob(), Py_EQ);
            drop(item);
            if cmp > 0 {
                return list_ass_slice(slf.as_ptr(), i, i + 1, null_mut());
            }
            check_status(cmp)?;
            i += 1;
        }
        bail!(PyExc_ValueError, "list.remove(x): x not in list")
    }
}

fn list_sort(slf: List<'_>, key: OrNone<Borrowed<'_>>, reverse: bool) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { crate::listsort::list_sort_impl(slf.as_ptr(), key.0.map_or(null_mut(), |k| k.ob()), reverse) }
}

fn list___sizeof__(slf: List<'_>) -> PyResult<usize> {
    // SAFETY: [TYPE]
    unsafe { Ok((*slf.ob_type()).tp_basicsize as usize + slf.allocated as usize * size_of::<*mut PyObject>()) }
}

fn list___getitem__(slf: List<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(list_subscript(slf.ob(), item.ob())) }
}

fn list___reversed__(slf: List<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let it = Owned::from_owned_or_err(seq_iter_new(&raw mut LIST_REVITERS, &raw mut PyListRevIter_Type, slf.ob()))?;
        (*it.as_ptr().cast::<SeqIterObject>()).it_index = slf.ob_base.ob_size - 1;
        Ok(it)
    }
}

methods! {
    static LIST_METHODS = [
        coexist "__getitem__($self, index, /)" => list___getitem__, "Return self[index].";
        "__reversed__($self, /)" => list___reversed__, "Iterate from the last item to the first.";
        "__sizeof__($self, /)" => list___sizeof__, "Memory that the list takes, in bytes.";
        "clear($self, /)" => py_list_clear, "Take all items out.";
        "copy($self, /)" => list_copy, "Make a shallow copy.";
        "append($self, object, /)" => list_append, "Add one item at the end.";
        "insert($self, index, object, /)" => list_insert, "Put an item in before the one at index.";
        "extend($self, iterable, /)" => py_list_extend, "Add the items of iterable at the end.";
        "pop($self, index=-1, /)" => list_pop, "Take out the item at index (the last one unless given) and return it.\n\nIndexError if there is none.";
        "remove($self, value, /)" => list_remove, "Take out the first item that equals value; ValueError if there is none.";
        "index($self, value, start=0, stop=sys.maxsize, /)" => list_index, "Find the first position of value; ValueError if there is none.";
        "count($self, value, /)" => list_count, "Say how often value occurs.";
        "reverse($self, /)" => list_reverse, "Turn the order around, in place.";
        "sort($self, /, *, key=None, reverse=False)" => list_sort, "Sort ascending, in place, and return None.\n\nItems that compare equal keep their order. With a key function, items are\ncompared by what it returns for each. With reverse, the order is descending.";
        class "__class_getitem__($type, object, /)" => class_getitem, "Parametrise the type for annotations (PEP 585).";
    ];
}

fn list_init(slf: List<'_>, iterable: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        list_clear(slf.as_ptr());
        match iterable {
            Some(it) => list_extend(slf.as_ptr(), it.ob()),
            None => Ok(()),
        }
    }
}

unsafe extern "C" fn list___init__(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] keywords are refused for list itself and for subclasses that take over its __init__.
    unsafe {
        let tp = (*slf).ob_type;
        if (tp == &raw mut PyList_Type || (*tp).tp_new.map(|f| f as usize) == PyList_Type.tp_new.map(|f| f as usize)) && !kwargs.is_null() && PyDict_Size(kwargs) > 0 {
            return fail(raise!(PyExc_TypeError, "list() takes no keyword arguments"));
        }
        let init: initproc = initializer!("list(iterable=<unrepresentable>, /)" => list_init);
        init(slf, args, null_mut())
    }
}

unsafe extern "C" fn list_vectorcall(_tp: *mut PyObject, args: *const *mut PyObject, nargsf: usize, kwnames: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] only the exact type is called this way.
    unsafe {
        if !kwnames.is_null() && Py_SIZE(kwnames) > 0 {
            return null(raise!(PyExc_TypeError, "list() takes no keyword arguments"));
        }
        let n = PyVectorcall_NARGS(nargsf as _);
        if n > 1 {
            return null(raise!(PyExc_TypeError, "list expected at most 1 argument, got {}", n));
        }
        let list = PyList_New(0);
        if n == 1 && !list.is_null() && list_extend(list.cast(), *args).is_err() {
            Py_DECREF(list);
            return null_mut();
        }
        list
    }
}

unsafe extern "C" fn list_iter(seq: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { seq_iter_new(&raw mut LIST_ITERS, &raw mut PyListIter_Type, seq) }
}

static mut LIST_AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(list_length),
    sq_concat: Some(list_concat),
    sq_repeat: Some(list_repeat),
    sq_item: Some(list_item),
    was_sq_slice: null_mut(),
    sq_ass_item: Some(list_ass_item),
    was_sq_ass_slice: null_mut(),
    sq_contains: Some(list_contains),
    sq_inplace_concat: Some(list_inplace_concat),
    sq_inplace_repeat: Some(list_inplace_repeat),
};
static mut LIST_AS_MAPPING: PyMappingMethods = PyMappingMethods {
    mp_length: Some(list_length),
    mp_subscript: Some(list_subscript),
    mp_ass_subscript: Some(list_ass_subscript),
};

#[unsafe(no_mangle)]
pub static mut PyList_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"list".as_ptr(),
    tp_basicsize: size_of::<PyListObject>() as Py_ssize_t,
    tp_dealloc: Some(list_dealloc),
    tp_repr: Some(list_repr),
    tp_as_sequence: &raw mut LIST_AS_SEQUENCE,
    tp_as_mapping: &raw mut LIST_AS_MAPPING,
    tp_hash: Some(PyObject_HashNotImplemented),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT
        | Py_TPFLAGS_HAVE_GC
        | Py_TPFLAGS_BASETYPE
        | Py_TPFLAGS_LIST_SUBCLASS
        | _Py_TPFLAGS_MATCH_SELF
        | Py_TPFLAGS_SEQUENCE,
    tp_doc: c"list(iterable=(), /)\n--\n\nA mutable sequence.\n\nWithout an argument it starts out empty, otherwise with the items of iterable.".as_ptr(),
    tp_traverse: Some(list_traverse),
    tp_clear: Some(list_clear_slot),
    tp_richcompare: Some(list_richcompare),
    tp_iter: Some(list_iter),
    tp_methods: (&raw mut LIST_METHODS).cast(),
    tp_init: Some(list___init__),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(PyType_GenericNew),
    tp_free: Some(PyObject_GC_Del),
    tp_vectorcall: Some(list_vectorcall),
    ..TYPE_INIT
};

// --- Iterators ------------------------------------------------------------------------------------------------------

static mut LIST_ITERS: FreeList = FreeList::new();
static mut LIST_REVITERS: FreeList = FreeList::new();

unsafe extern "C" fn listiter_dealloc(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        gc_untrack(op);
        Py_XDECREF((*op.cast::<SeqIterObject>()).it_seq);
        let list = if (*op).ob_type == &raw mut PyListIter_Type { &raw mut LIST_ITERS } else { &raw mut LIST_REVITERS };
        if !FreeList::push(list, op, ITER_MAXFREELIST) {
            PyObject_GC_Del(op.cast());
        }
    }
}

unsafe fn listiter_exhaust(it: *mut SeqIterObject) {
    // SAFETY: [ARGS]
    unsafe {
        (*it).it_index = -1;
        setref(&raw mut (*it).it_seq, null_mut());
    }
}

unsafe extern "C" fn listiter_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let it: *mut SeqIterObject = op.cast();
        let seq = (*it).it_seq;
        if seq.is_null() {
            return null_mut();
        }
        let i = (*it).it_index;
        if (i as usize) < Py_SIZE(seq) as usize {
            (*it).it_index = i + 1;
            return Py_NewRef(PyList_GET_ITEM(seq, i));
        }
        listiter_exhaust(it);
        null_mut()
    }
}

unsafe extern "C" fn listreviter_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let it: *mut SeqIterObject = op.cast();
        let (seq, i) = ((*it).it_seq, (*it).it_index);
        if seq.is_null() {
            return null_mut();
        }
        if (i as usize) < Py_SIZE(seq) as usize {
            (*it).it_index = i - 1;
            return Py_NewRef(PyList_GET_ITEM(seq, i));
        }
        listiter_exhaust(it);
        null_mut()
    }
}

fn listiter_len(it: Borrowed<'_, SeqIterObject>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe { Ok(if it.it_seq.is_null() { 0 } else { (Py_SIZE(it.it_seq) - it.it_index).max(0) }) }
}

fn listreviter_len(it: Borrowed<'_, SeqIterObject>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe {
        let len = it.it_index + 1;
        Ok(if it.it_seq.is_null() || Py_SIZE(it.it_seq) < len { 0 } else { len })
    }
}

fn listiter_reduce_general(it: Borrowed<'_, SeqIterObject>, function: Owned) -> PyResult<Owned> {
    // SAFETY: [TYPE] read after the look-up of the builtin, which can run code.
    unsafe {
        if it.it_seq.is_null() || it.it_index < 0 {
            return tuple_of([Ok(function), tuple_of([Owned::from_owned_or_err(PyList_New(0))])]);
        }
        let seq = Owned::from_borrowed(it.it_seq);
        let index = Owned::from_owned_or_err(PyLong_FromSsize_t(it.it_index));
        tuple_of([Ok(function), tuple_of([Ok(seq)]), index])
    }
}

fn listiter_reduce(it: Borrowed<'_, SeqIterObject>) -> PyResult<Owned> {
    listiter_reduce_general(it, builtin(intern!("iter"))?)
}

fn listreviter_reduce(it: Borrowed<'_, SeqIterObject>) -> PyResult<Owned> {
    listiter_reduce_general(it, builtin(intern!("reversed"))?)
}

fn set_index(it: Borrowed<'_, SeqIterObject>, state: Borrowed<'_>, lo: isize, past: isize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let index = PyLong_AsSsize_t(state.ob());
        if index == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if !it.it_seq.is_null() {
            (*it.as_ptr()).it_index = index.clamp(lo, (Py_SIZE(it.it_seq) + past).max(lo));
        }
        Ok(())
    }
}

fn listiter_setstate(it: Borrowed<'_, SeqIterObject>, state: Borrowed<'_>) -> PyResult<()> {
    set_index(it, state, 0, 0)
}

fn listreviter_setstate(it: Borrowed<'_, SeqIterObject>, state: Borrowed<'_>) -> PyResult<()> {
    set_index(it, state, -1, -1)
}

methods! {
    static LISTITER_METHODS = [
        "__length_hint__($self, /)" => listiter_len, "How many items are left.";
        "__reduce__($self, /)" => listiter_reduce, "State for pickling.";
        "__setstate__($self, object, /)" => listiter_setstate, "Set the position when unpickling.";
    ];
}
methods! {
    static LISTREVITER_METHODS = [
        "__length_hint__($self, /)" => listreviter_len, "How many items are left.";
        "__reduce__($self, /)" => listreviter_reduce, "State for pickling.";
        "__setstate__($self, object, /)" => listreviter_setstate, "Set the position when unpickling.";
    ];
}

#[unsafe(no_mangle)]
pub static mut PyListIter_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"list_iterator".as_ptr(),
    tp_basicsize: size_of::<SeqIterObject>() as Py_ssize_t,
    tp_dealloc: Some(listiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(seqiter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(listiter_next),
    tp_methods: (&raw mut LISTITER_METHODS).cast(),
    ..TYPE_INIT
};

#[unsafe(no_mangle)]
pub static mut PyListRevIter_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"list_reverseiterator".as_ptr(),
    tp_basicsize: size_of::<SeqIterObject>() as Py_ssize_t,
    tp_dealloc: Some(listiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(seqiter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(listreviter_next),
    tp_methods: (&raw mut LISTREVITER_METHODS).cast(),
    ..TYPE_INIT
};

// --- Exported functions ---------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_New(size: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [GIL] items start out NULL.
    unsafe {
        if size < 0 {
            type_error_not_instance();
            return null_mut();
        }
        let op = list_new_raw();
        if op.is_null() {
            return null_mut();
        }
        (*op).ob_item = null_mut();
        if size > 0 {
            (*op).ob_item = PyMem_Calloc(size as usize, 8).cast();
            if (*op).ob_item.is_null() {
                (*op).ob_base.ob_size = 0;
                PyObject_GC_Del(op.cast());
                return PyErr_NoMemory();
            }
        }
        (*op).ob_base.ob_size = size;
        (*op).allocated = size;
        gc_track(op);
        op.cast()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_Size(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if PyList_Check(op) == 0 {
            type_error_not_instance();
            return -1;
        }
        Py_SIZE(op)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_GetItem(op: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyList_Check(op) == 0 {
            type_error_not_instance();
            return null_mut();
        }
        if i as usize >= Py_SIZE(op) as usize {
            PyErr_SetString(PyExc_IndexError, c"list index out of range".as_ptr());
            return null_mut();
        }
        PyList_GET_ITEM(op, i)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_GetItemRef(op: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyList_Check(op) == 0 {
            return null(raise!(PyExc_TypeError, "expected a list"));
        }
        list_item(op, i)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_SetItem(op: *mut PyObject, i: Py_ssize_t, newitem: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] newitem is stolen in any case.
    unsafe {
        if PyList_Check(op) == 0 {
            Py_XDECREF(newitem);
            type_error_not_instance();
            return -1;
        }
        if i as usize >= Py_SIZE(op) as usize {
            Py_XDECREF(newitem);
            PyErr_SetString(PyExc_IndexError, c"list assignment index out of range".as_ptr());
            return -1;
        }
        setref((*op.cast::<PyListObject>()).ob_item.add(i as usize), newitem);
        0
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_Insert(op: *mut PyObject, index: Py_ssize_t, newitem: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyList_Check(op) == 0 || newitem.is_null() {
            type_error_not_instance();
            return -1;
        }
        ins1(op.cast(), index, newitem).into_c()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_Append(op: *mut PyObject, newitem: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyList_Check(op) != 0 && !newitem.is_null() {
            return list_append_steal(op.cast(), Py_NewRef(newitem)).into_c();
        }
        type_error_not_instance();
        -1
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyList_AppendTakeRefListResize(slf: *mut PyListObject, newitem: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { list_append_resize(slf, newitem).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_GetSlice(a: *mut PyObject, lo: Py_ssize_t, hi: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyList_Check(a) == 0 {
            type_error_not_instance();
            return null_mut();
        }
        let (lo, hi) = range_clip(lo, hi, Py_SIZE(a));
        list_slice(a.cast(), lo, hi).into_c()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_SetSlice(a: *mut PyObject, lo: Py_ssize_t, hi: Py_ssize_t, v: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyList_Check(a) == 0 {
            type_error_not_instance();
            return -1;
        }
        list_ass_slice(a.cast(), lo, hi, v).into_c()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_Extend(slf: *mut PyObject, iterable: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyList_Check(slf) == 0 {
            type_error_not_instance();
            return -1;
        }
        list_extend(slf.cast(), iterable).into_c()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyList_Extend(slf: *mut PyListObject, iterable: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { if list_extend(slf, iterable).is_ok() { Py_None() } else { null_mut() } }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_Clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyList_Check(slf) == 0 {
            type_error_not_instance();
            return -1;
        }
        list_clear(slf.cast());
        0
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_Sort(v: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if v.is_null() || PyList_Check(v) == 0 {
            type_error_not_instance();
            return -1;
        }
        crate::listsort::list_sort_impl(v.cast(), null_mut(), false).into_c()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_Reverse(v: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if v.is_null() || PyList_Check(v) == 0 {
            type_error_not_instance();
            return -1;
        }
        items_of(v.cast()).reverse();
        0
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyList_AsTuple(v: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if v.is_null() || PyList_Check(v) == 0 {
            type_error_not_instance();
            return null_mut();
        }
        if Py_SIZE(v) == 0 {
            return empty_tuple();
        }
        crate::tupleobject::tuple_from_array((*v.cast::<PyListObject>()).ob_item, Py_SIZE(v))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyList_FromArraySteal(src: *const *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS] the references move, or are released on failure.
    unsafe {
        let list = PyList_New(n);
        if list.is_null() {
            for i in 0..n as usize {
                Py_DECREF(*src.add(i));
            }
            return null_mut();
        }
        if n > 0 {
            core::ptr::copy_nonoverlapping(src, (*list.cast::<PyListObject>()).ob_item, n as usize);
        }
        list
    }
}
