//! The `_collections` module: deque, defaultdict, _count_elements and the tuple getters of named tuples.

use crate::support::{int, iter, new, next, tuple};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use std::collections::VecDeque;
use taipan_abi::*;
use taipan_clinic::{constructor, getset, initializer, members, methods, module};
use taipan_objects::gc::{trashcan_begin, trashcan_end};
use taipan_objects::typeobject::TYPE_INIT;

// ---- deque -----------------------------------------------------------------------------------------------------------

/// A double-ended queue in a ring buffer.
///
/// Invariant: each element owns a reference. Anything that may run Python code works on held references and on indices
/// checked again afterwards, as `state` changes with every mutation.
#[repr(C)]
struct Deque {
    ob_base: PyObject,
    items: *mut VecDeque<*mut PyObject>,
    state: usize,
    maxlen: isize,
    weakreflist: *mut PyObject,
}

#[allow(clippy::mut_from_ref, reason = "[GIL] no reference is kept over a call that can run Python code")]
unsafe fn ring<'a>(d: *mut Deque) -> &'a mut VecDeque<*mut PyObject> {
    // SAFETY: [TYPE] set by deque_new.
    unsafe { &mut *(*d).items }
}

unsafe extern "C" fn deque_new(tp: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new; allocation tracks the object, whose ring may still be NULL.
    unsafe {
        match new::<Deque>(Borrowed::from_ptr(tp)) {
            Ok(d) => {
                (*d.as_ptr()).items = Box::into_raw(Box::default());
                (*d.as_ptr()).maxlen = -1;
                d.into_raw_object()
            }
            Err(_) => null_mut(),
        }
    }
}

unsafe extern "C" fn deque_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let d = slf.cast::<Deque>();
        if !(*d).items.is_null() {
            for &item in ring(d).iter() {
                py_visit!(visitor, arg; item);
            }
        }
    }
    0
}

unsafe extern "C" fn deque_clear_slot(slf: *mut PyObject) -> c_int {
    // SAFETY: [OWN] the items leave the deque before their destructors run.
    unsafe {
        let d = slf.cast::<Deque>();
        if !(*d).items.is_null() {
            (*d).state += 1;
            for item in core::mem::take(ring(d)) {
                Py_DECREF(item);
            }
        }
    }
    0
}

unsafe extern "C" fn deque_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        if !trashcan_begin(slf, deque_dealloc) {
            return;
        }
        let d = slf.cast::<Deque>();
        if !(*d).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        deque_clear_slot(slf);
        if !(*d).items.is_null() {
            drop(Box::from_raw((*d).items));
        }
        if let Some(free) = (*type_of(slf)).tp_free {
            free(slf.cast());
        }
        trashcan_end();
    }
}

unsafe fn push_back(d: *mut Deque, item: Owned) {
    // SAFETY: [TYPE]
    unsafe {
        (*d).state += 1;
        ring(d).push_back(item.into_raw());
        if (*d).maxlen >= 0 && ring(d).len() as isize > (*d).maxlen {
            let old = ring(d).pop_front();
            if let Some(old) = old {
                Py_DECREF(old);
            }
        }
    }
}
unsafe fn push_front(d: *mut Deque, item: Owned) {
    // SAFETY: [TYPE]
    unsafe {
        (*d).state += 1;
        ring(d).push_front(item.into_raw());
        if (*d).maxlen >= 0 && ring(d).len() as isize > (*d).maxlen {
            let old = ring(d).pop_back();
            if let Some(old) = old {
                Py_DECREF(old);
            }
        }
    }
}

type Dq<'a> = Borrowed<'a, Deque>;

fn deque_append(slf: Dq<'_>, item: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { push_back(slf.as_ptr(), item.to_owned()) };
    Ok(())
}
fn deque_appendleft(slf: Dq<'_>, item: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { push_front(slf.as_ptr(), item.to_owned()) };
    Ok(())
}
fn deque_pop(slf: Dq<'_>) -> PyResult<Owned> {
    // SAFETY: [OWN] the deque's reference passes on.
    unsafe {
        match ring(slf.as_ptr()).pop_back() {
            Some(p) => {
                (*slf.as_ptr()).state += 1;
                Ok(Owned::from_owned(p))
            }
            None => bail!(PyExc_IndexError, "pop from an empty deque"),
        }
    }
}
fn deque_popleft(slf: Dq<'_>) -> PyResult<Owned> {
    // SAFETY: [OWN] the deque's reference passes on.
    unsafe {
        match ring(slf.as_ptr()).pop_front() {
            Some(p) => {
                (*slf.as_ptr()).state += 1;
                Ok(Owned::from_owned(p))
            }
            None => bail!(PyExc_IndexError, "pop from an empty deque"),
        }
    }
}

fn extend_with(slf: Dq<'_>, iterable: Borrowed<'_>, push: unsafe fn(*mut Deque, Owned)) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        // A deque extended by itself takes its items as they were.
        let source = if iterable.is(slf.ob()) { Owned::from_owned_or_err(PySequence_List(slf.ob()))? } else { iterable.to_owned() };
        let it = iter(source.borrow())?;
        while let Some(item) = next(it.as_ptr())? {
            push(slf.as_ptr(), item);
        }
        Ok(())
    }
}
fn deque_extend(slf: Dq<'_>, iterable: Borrowed<'_>) -> PyResult<()> {
    extend_with(slf, iterable, push_back)
}
fn deque_extendleft(slf: Dq<'_>, iterable: Borrowed<'_>) -> PyResult<()> {
    extend_with(slf, iterable, push_front)
}

fn deque_clear(slf: Dq<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { deque_clear_slot(slf.ob()) };
    Ok(())
}

fn snapshot(d: Dq<'_>) -> Vec<Owned> {
    // SAFETY: [TYPE] each item is held.
    unsafe { ring(d.as_ptr()).iter().map(|&p| Owned::from_borrowed(p)).collect() }
}

fn make(tp: Borrowed<'_, PyTypeObject>, items: Vec<Owned>, maxlen: isize) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance of an exact deque.
    unsafe {
        let d = Owned::from_owned_or_err(deque_new(tp.as_ptr(), null_mut(), null_mut()))?.cast::<Deque>();
        (*d.as_ptr()).maxlen = maxlen;
        for item in items {
            push_back(d.as_ptr(), item);
        }
        Ok(d.into_object())
    }
}

fn deque_copy(slf: Dq<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if slf.ob_type() == &raw mut DEQUE {
            return make(Borrowed::from_ptr(&raw mut DEQUE), snapshot(slf), slf.maxlen);
        }
        let maxlen = if slf.maxlen < 0 { None } else { Some(int(slf.maxlen)?) };
        let args = [slf.ob(), maxlen.as_ref().map_or(null_mut(), |m| m.as_ptr())];
        let n = 1 + maxlen.is_some() as usize;
        let copy = Owned::from_owned_or_err(PyObject_Vectorcall(slf.ob_type().cast(), args.as_ptr(), n, null_mut()))?;
        if PyObject_TypeCheck(copy.as_ptr(), &raw mut DEQUE) == 0 {
            bail!(PyExc_TypeError, "{}() must return a deque, not {}", tp_name(slf.ob_type()), type_name(copy.as_ptr()));
        }
        Ok(copy)
    }
}

fn deque_init(slf: Dq<'_>, iterable: Option<Borrowed<'_>>, maxlen: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let mut limit = -1;
        if let Some(m) = maxlen
            && !m.is_none()
        {
            limit = PyLong_AsSsize_t(m.ob());
            if limit == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            if limit < 0 {
                bail!(PyExc_ValueError, "maxlen must be non-negative");
            }
        }
        (*slf.as_ptr()).maxlen = limit;
        deque_clear_slot(slf.ob());
        match iterable {
            Some(i) => deque_extend(slf, i),
            None => Ok(()),
        }
    }
}

unsafe extern "C" fn deque_length(slf: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { ring(slf.cast()).len() as Py_ssize_t }
}
unsafe extern "C" fn deque_item(slf: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let found = if i < 0 { None } else { ring(slf.cast()).get(i as usize) };
        match found {
            Some(&p) => Owned::from_borrowed(p).into_raw(),
            None => Err::<Owned, _>(raise!(PyExc_IndexError, "deque index out of range")).into_c(),
        }
    }
}
unsafe extern "C" fn deque_ass_item(slf: *mut PyObject, i: Py_ssize_t, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let r = ring(slf.cast());
        if i < 0 || i as usize >= r.len() {
            return Err::<(), _>(raise!(PyExc_IndexError, "deque index out of range")).into_c();
        }
        if value.is_null() {
            (*slf.cast::<Deque>()).state += 1;
            if let Some(old) = r.remove(i as usize) {
                Py_DECREF(old);
            }
            return 0;
        }
        let old = core::mem::replace(&mut r[i as usize], Owned::from_borrowed(value).into_raw());
        Py_DECREF(old);
        0
    }
}

unsafe fn equal(a: *mut PyObject, b: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    let r = unsafe { PyObject_RichCompareBool(a, b, Py_EQ) };
    check_status(r)?;
    Ok(r > 0)
}

/// The first index from `start` to `stop` of an equal item; RuntimeError if a comparison changes the deque.
unsafe fn find(slf: Dq<'_>, value: *mut PyObject, start: usize, stop: usize) -> PyResult<Option<usize>> {
    // SAFETY: [TYPE]
    unsafe {
        let state = slf.state;
        for i in start..stop {
            let Some(&p) = ring(slf.as_ptr()).get(i) else { break };
            let item = Owned::from_borrowed(p);
            let same = equal(item.as_ptr(), value)?;
            if (*slf.as_ptr()).state != state {
                bail!(PyExc_RuntimeError, "deque mutated during iteration");
            }
            if same {
                return Ok(Some(i));
            }
        }
        Ok(None)
    }
}

fn deque_count(slf: Dq<'_>, value: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe {
        let n = ring(slf.as_ptr()).len();
        let (mut count, mut from) = (0, 0);
        while let Some(i) = find(slf, value.ob(), from, n)? {
            count += 1;
            from = i + 1;
        }
        Ok(count)
    }
}

unsafe extern "C" fn deque_contains(slf: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let n = ring(slf.cast()).len();
        find(Borrowed::from_ptr(slf.cast()), value, 0, n).map(|f| f.is_some()).into_c()
    }
}

fn deque_index(slf: Dq<'_>, value: Borrowed<'_>, start: Option<Borrowed<'_>>, stop: Option<Borrowed<'_>>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe {
        let n = ring(slf.as_ptr()).len() as isize;
        let clamp = |arg: Option<Borrowed<'_>>, absent: isize| -> PyResult<isize> {
            let Some(a) = arg else { return Ok(absent) };
            if PyIndex_Check(a.ob()) == 0 {
                bail!(PyExc_TypeError, "slice indices must be integers or have an __index__ method");
            }
            let v = PyNumber_AsSsize_t(a.ob(), null_mut());
            if v == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            Ok(if v < 0 { (v + n).max(0) } else { v.min(n) })
        };
        let (start, stop) = (clamp(start, 0)?, clamp(stop, n)?);
        if let Some(i) = find(slf, value.ob(), start as usize, stop.max(start) as usize)? {
            return Ok(i as isize);
        }
        PyErr_Format(PyExc_ValueError, c"%R is not in deque".as_ptr(), value.ob());
        Err(Raised::assume())
    }
}

fn deque_insert(slf: Dq<'_>, index: isize, value: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let n = ring(slf.as_ptr()).len() as isize;
        if slf.maxlen == n {
            bail!(PyExc_IndexError, "deque already at its maximum size");
        }
        let i = if index < 0 { (index + n).max(0) } else { index.min(n) };
        (*slf.as_ptr()).state += 1;
        ring(slf.as_ptr()).insert(i as usize, value.to_owned().into_raw());
        Ok(())
    }
}

fn deque_remove(slf: Dq<'_>, value: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let n = ring(slf.as_ptr()).len();
        let state = slf.state;
        for i in 0..n {
            let Some(&p) = ring(slf.as_ptr()).get(i) else { break };
            let item = Owned::from_borrowed(p);
            let same = equal(item.as_ptr(), value.ob())?;
            if (*slf.as_ptr()).state != state {
                bail!(PyExc_IndexError, "deque mutated during remove().");
            }
            if same {
                (*slf.as_ptr()).state += 1;
                if let Some(old) = ring(slf.as_ptr()).remove(i) {
                    Py_DECREF(old);
                }
                return Ok(());
            }
        }
        PyErr_Format(PyExc_ValueError, c"%R is not in deque".as_ptr(), value.ob());
        Err(Raised::assume())
    }
}

fn deque_reverse(slf: Dq<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { ring(slf.as_ptr()).make_contiguous().reverse() };
    Ok(())
}

fn deque_rotate(slf: Dq<'_>, n: isize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let r = ring(slf.as_ptr());
        if r.len() > 1 {
            (*slf.as_ptr()).state += 1;
            let by = n.rem_euclid(r.len() as isize) as usize;
            r.rotate_right(by);
        }
    }
    Ok(())
}

unsafe extern "C" fn deque_richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyObject_TypeCheck(a, &raw mut DEQUE) == 0 || PyObject_TypeCheck(b, &raw mut DEQUE) == 0 {
            return Py_NotImplemented();
        }
        let compare = || -> PyResult<Owned> {
            let answer = |yes: bool| Ok(Owned::from_borrowed(if yes { Py_True() } else { Py_False() }));
            let (x, y) = (ring(a.cast()).len(), ring(b.cast()).len());
            if a == b && (op == Py_EQ || op == Py_NE) {
                return answer(op == Py_EQ);
            }
            if x != y && (op == Py_EQ || op == Py_NE) {
                return answer(op == Py_NE);
            }
            let (it1, it2) = (iter(Borrowed::from_ptr(a))?, iter(Borrowed::from_ptr(b))?);
            loop {
                let (p, q) = (next(it1.as_ptr())?, next(it2.as_ptr())?);
                match (p, q) {
                    (Some(p), Some(q)) => {
                        if equal(p.as_ptr(), q.as_ptr())? {
                            continue;
                        }
                        return match op {
                            Py_EQ => answer(false),
                            Py_NE => answer(true),
                            _ => Owned::from_owned_or_err(PyObject_RichCompare(p.as_ptr(), q.as_ptr(), op)),
                        };
                    }
                    (p, q) => {
                        let order = p.is_some() as i32 - q.is_some() as i32;
                        return answer(match op {
                            Py_LT => order < 0,
                            Py_LE => order <= 0,
                            Py_EQ => order == 0,
                            Py_NE => order != 0,
                            Py_GT => order > 0,
                            _ => order >= 0,
                        });
                    }
                }
            }
        };
        compare().into_c()
    }
}

unsafe extern "C" fn deque_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let status = Py_ReprEnter(slf);
        if status != 0 {
            return if status < 0 { null_mut() } else { PyUnicode_FromString(c"[...]".as_ptr()) };
        }
        let name = taipan_short_name(type_of(slf));
        let list = PySequence_List(slf);
        let r = if list.is_null() {
            null_mut()
        } else if (*slf.cast::<Deque>()).maxlen >= 0 {
            PyUnicode_FromFormat(c"%s(%R, maxlen=%zd)".as_ptr(), name, list, (*slf.cast::<Deque>()).maxlen)
        } else {
            PyUnicode_FromFormat(c"%s(%R)".as_ptr(), name, list)
        };
        Py_XDECREF(list);
        Py_ReprLeave(slf);
        r
    }
}

/// The part of a type's name after its last dot.
unsafe fn taipan_short_name(tp: *mut PyTypeObject) -> *const core::ffi::c_char {
    // SAFETY: [ARGS]
    unsafe {
        let dot = libc::strrchr((*tp).tp_name, b'.' as i32);
        if dot.is_null() { (*tp).tp_name } else { dot.add(1) }
    }
}

unsafe extern "C" fn deque_concat(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let concat = || -> PyResult<Owned> {
            if PyObject_TypeCheck(b, &raw mut DEQUE) == 0 {
                bail!(PyExc_TypeError, "can only concatenate deque (not \"{}\") to deque", type_name(b));
            }
            let new = deque_copy(Borrowed::from_ptr(a.cast()))?;
            deque_extend(new.borrow().cast(), Borrowed::from_ptr(b))?;
            Ok(new)
        };
        concat().into_c()
    }
}
unsafe extern "C" fn deque_inplace_concat(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match deque_extend(Borrowed::from_ptr(a.cast()), Borrowed::from_ptr(b)) {
            Ok(()) => Owned::from_borrowed(a).into_raw(),
            Err(_) => null_mut(),
        }
    }
}

unsafe fn repeat_in_place(d: *mut Deque, n: isize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if n <= 0 {
            deque_clear_slot(d.cast());
            return Ok(());
        }
        let items = snapshot(Borrowed::from_ptr(d));
        let mut total = items.len();
        let mut times = n as usize;
        if (*d).maxlen >= 0 && total > 0 {
            // Only the last repetitions can remain.
            let need = (*d).maxlen as usize / total + 2;
            times = times.min(need);
        }
        match total.checked_mul(times) {
            Some(t) if t < isize::MAX as usize / 8 => total = t,
            _ => {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
        }
        if ring(d).try_reserve(total.saturating_sub(items.len())).is_err() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        for _ in 1..times {
            for item in &items {
                push_back(d, item.clone());
            }
        }
        Ok(())
    }
}

unsafe extern "C" fn deque_repeat(slf: *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let make = || -> PyResult<Owned> {
            let new = deque_copy(Borrowed::from_ptr(slf.cast()))?;
            repeat_in_place(new.as_ptr().cast(), n)?;
            Ok(new)
        };
        make().into_c()
    }
}
unsafe extern "C" fn deque_inplace_repeat(slf: *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        match repeat_in_place(slf.cast(), n) {
            Ok(()) => Owned::from_borrowed(slf).into_raw(),
            Err(_) => null_mut(),
        }
    }
}

fn deque_reduce(slf: Dq<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let state = Owned::from_owned_or_err(PyObject_CallMethodNoArgs(slf.ob(), intern!("__getstate__")))?;
        let it = iter(slf.object())?;
        let args = if slf.maxlen < 0 { tuple(Vec::new())? } else { tuple(vec![tuple(Vec::new())?, int(slf.maxlen)?])? };
        tuple(vec![Owned::from_borrowed(slf.ob_type().cast()), args, state, it])
    }
}
fn deque_sizeof(slf: Dq<'_>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe { Ok((*slf.ob_type()).tp_basicsize + (ring(slf.as_ptr()).capacity() * 8) as isize) }
}
fn deque_maxlen(slf: Dq<'_>) -> PyResult<Owned> {
    // SAFETY: [IMMORTAL]
    if slf.maxlen < 0 { Ok(unsafe { Owned::from_borrowed(Py_None()) }) } else { int(slf.maxlen) }
}
fn class_getitem(tp: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(Py_GenericAlias(tp.ob(), item.ob())) }
}

#[repr(C)]
struct DequeIter {
    ob_base: PyObject,
    deque: *mut Deque,
    /// How many items are left.
    left: usize,
    index: usize,
    state: usize,
    reverse: bool,
}
unsafe extern "C" fn dequeiter_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        Py_XDECREF((*slf.cast::<DequeIter>()).deque.cast());
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn dequeiter_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit((*slf.cast::<DequeIter>()).deque, visitor, arg) }
}
unsafe extern "C" fn dequeiter_next(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let it = &mut *slf.cast::<DequeIter>();
        if (*it.deque).state != it.state {
            it.left = 0;
            return Err::<Owned, _>(raise!(PyExc_RuntimeError, "deque mutated during iteration")).into_c();
        }
        if it.left == 0 {
            return null_mut();
        }
        let r = ring(it.deque);
        let i = if it.reverse { r.len() - 1 - it.index } else { it.index };
        let Some(&p) = r.get(i) else { return null_mut() };
        it.left -= 1;
        it.index += 1;
        Owned::from_borrowed(p).into_raw()
    }
}
unsafe fn deque_iterator(tp: *mut PyTypeObject, d: *mut Deque, skip: usize) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let it = new::<DequeIter>(Borrowed::from_ptr(tp))?;
        let p = it.as_ptr();
        (*p).deque = Owned::from_borrowed(d).into_raw();
        let n = ring(d).len();
        (*p).index = skip.min(n);
        (*p).left = n - (*p).index;
        (*p).state = (*d).state;
        (*p).reverse = tp == &raw mut DEQUE_REVITER;
        Ok(it.into_object())
    }
}
unsafe extern "C" fn deque_iter(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { deque_iterator(&raw mut DEQUE_ITER, slf.cast(), 0).into_c() }
}
fn deque_reversed(slf: Dq<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { deque_iterator(&raw mut DEQUE_REVITER, slf.as_ptr(), 0) }
}
fn dequeiter_new(tp: Borrowed<'_, PyTypeObject>, deque: Borrowed<'_>, index: isize) -> PyResult<Owned> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyObject_TypeCheck(deque.ob(), &raw mut DEQUE) == 0 {
            bail!(PyExc_TypeError, "argument 1 must be collections.deque, not {}", type_name(deque.ob()));
        }
        deque_iterator(tp.as_ptr(), deque.ob().cast(), index.max(0) as usize)
    }
}
fn dequeiter_len(slf: Borrowed<'_, DequeIter>) -> PyResult<isize> {
    Ok(slf.left as isize)
}
fn dequeiter_reduce(slf: Borrowed<'_, DequeIter>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let args = tuple(vec![Owned::from_borrowed(slf.deque.cast::<PyObject>()), int(slf.index as isize)?])?;
        tuple(vec![Owned::from_borrowed(slf.ob_type().cast()), args])
    }
}
methods! {
    static DEQUEITER_METHODS = [
        "__length_hint__($self, /)" => dequeiter_len, "How many items are left.";
        "__reduce__($self, /)" => dequeiter_reduce, "Help pickle.";
    ];
}
const fn deque_iter_type(name: *const core::ffi::c_char) -> PyTypeObject {
    PyTypeObject {
        tp_name: name,
        tp_basicsize: size_of::<DequeIter>() as Py_ssize_t,
        tp_dealloc: Some(dequeiter_dealloc),
        tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
        tp_traverse: Some(dequeiter_traverse),
        tp_iter: Some(PyObject_SelfIter),
        tp_iternext: Some(dequeiter_next),
        tp_methods: (&raw mut DEQUEITER_METHODS).cast(),
        tp_alloc: Some(PyType_GenericAlloc),
        tp_new: Some(constructor!("_deque_iterator(deque, index=0, /)" => dequeiter_new)),
        tp_free: Some(PyObject_GC_Del),
        ..TYPE_INIT
    }
}
static mut DEQUE_ITER: PyTypeObject = deque_iter_type(c"_collections._deque_iterator".as_ptr());
static mut DEQUE_REVITER: PyTypeObject = deque_iter_type(c"_collections._deque_reverse_iterator".as_ptr());

methods! {
    static DEQUE_METHODS = [
        "append($self, item, /)" => deque_append, "Add an item at the right end.";
        "appendleft($self, item, /)" => deque_appendleft, "Add an item at the left end.";
        "clear($self, /)" => deque_clear, "Remove all items.";
        "__copy__($self, /)" => deque_copy, "A shallow copy.";
        "copy($self, /)" => deque_copy, "A shallow copy.";
        "count($self, value, /)" => deque_count, "How many items equal the value.";
        "extend($self, iterable, /)" => deque_extend, "Add the items of an iterable at the right end.";
        "extendleft($self, iterable, /)" => deque_extendleft, "Add the items of an iterable at the left end, one after the other.";
        "index($self, value, start=<unrepresentable>, stop=<unrepresentable>, /)" => deque_index, "The first index of the value; ValueError if it is not there.";
        "insert($self, index, value, /)" => deque_insert, "Insert a value before an index.";
        "pop($self, /)" => deque_pop, "Take out the rightmost item and return it.";
        "popleft($self, /)" => deque_popleft, "Take out the leftmost item and return it.";
        "__reduce__($self, /)" => deque_reduce, "Help pickle.";
        "remove($self, value, /)" => deque_remove, "Remove the first item equal to the value.";
        "__reversed__($self, /)" => deque_reversed, "An iterator from right to left.";
        "reverse($self, /)" => deque_reverse, "Reverse in place.";
        "rotate($self, n=1, /)" => deque_rotate, "Rotate n steps to the right; to the left if n is negative.";
        "__sizeof__($self, /)" => deque_sizeof, "Size in memory, in bytes.";
        class "__class_getitem__($type, object, /)" => class_getitem, "See PEP 585.";
    ];
}
getset! { static DEQUE_GETSET = [ "maxlen" => deque_maxlen, "The greatest length, or None."; ]; }
static mut DEQUE_AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(deque_length),
    sq_concat: Some(deque_concat),
    sq_repeat: Some(deque_repeat),
    sq_item: Some(deque_item),
    was_sq_slice: null_mut(),
    sq_ass_item: Some(deque_ass_item),
    was_sq_ass_slice: null_mut(),
    sq_contains: Some(deque_contains),
    sq_inplace_concat: Some(deque_inplace_concat),
    sq_inplace_repeat: Some(deque_inplace_repeat),
};
/// Flag of types that sequence patterns match (PEP 634).
const Py_TPFLAGS_SEQUENCE_: core::ffi::c_ulong = 1 << 5;
static mut DEQUE: PyTypeObject = PyTypeObject {
    tp_name: c"collections.deque".as_ptr(),
    tp_basicsize: size_of::<Deque>() as Py_ssize_t,
    tp_dealloc: Some(deque_dealloc),
    tp_repr: Some(deque_repr),
    tp_as_sequence: &raw mut DEQUE_AS_SEQUENCE,
    tp_hash: Some(PyObject_HashNotImplemented),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_SEQUENCE_,
    tp_doc: c"deque([iterable[, maxlen]])\n--\n\nA list-like sequence with fast access at both ends.".as_ptr(),
    tp_traverse: Some(deque_traverse),
    tp_clear: Some(deque_clear_slot),
    tp_richcompare: Some(deque_richcompare),
    tp_weaklistoffset: core::mem::offset_of!(Deque, weakreflist) as Py_ssize_t,
    tp_iter: Some(deque_iter),
    tp_methods: (&raw mut DEQUE_METHODS).cast(),
    tp_getset: (&raw mut DEQUE_GETSET).cast(),
    tp_init: Some(initializer!("deque(iterable=<unrepresentable>, maxlen=<unrepresentable>)" => deque_init)),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(deque_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- defaultdict --------------------------------------------------------------------------------------------------------

#[repr(C)]
struct DefaultDict {
    dict: PyDictObject,
    default_factory: *mut PyObject,
}
type Dd<'a> = Borrowed<'a, DefaultDict>;

fn defdict_missing(slf: Dd<'_>, key: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let factory = slf.default_factory;
        if factory.is_null() || factory == Py_None() {
            _PyErr_SetKeyError(key.ob());
            return Err(Raised::assume());
        }
        let factory = Owned::from_borrowed(factory);
        let value = Owned::from_owned_or_err(PyObject_CallNoArgs(factory.as_ptr()))?;
        check_status(PyObject_SetItem(slf.ob(), key.ob(), value.as_ptr()))?;
        Ok(value)
    }
}

unsafe fn new_defdict(slf: Dd<'_>, arg: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let factory = if slf.default_factory.is_null() { Py_None() } else { slf.default_factory };
        let args = [factory, arg];
        Owned::from_owned_or_err(PyObject_Vectorcall(slf.ob_type().cast(), args.as_ptr(), 2, null_mut()))
    }
}
fn defdict_copy(slf: Dd<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { new_defdict(slf, slf.ob()) }
}
fn defdict_reduce(slf: Dd<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let args = if slf.default_factory.is_null() || slf.default_factory == Py_None() {
            tuple(Vec::new())?
        } else {
            tuple(vec![Owned::from_borrowed(slf.default_factory)])?
        };
        let items = Owned::from_owned_or_err(PyObject_CallMethodNoArgs(slf.ob(), intern!("items")))?;
        let it = iter(items.borrow())?;
        let none = || Owned::from_borrowed(Py_None());
        tuple(vec![Owned::from_borrowed(slf.ob_type().cast()), args, none(), none(), it])
    }
}

unsafe extern "C" fn defdict_init(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] called as tp_init.
    unsafe {
        let init = || -> PyResult<()> {
            let n = PyTuple_GET_SIZE(args);
            let d = slf.cast::<DefaultDict>();
            let mut factory = null_mut();
            if n > 0 {
                factory = PyTuple_GET_ITEM(args, 0);
                if PyCallable_Check(factory) == 0 && factory != Py_None() {
                    bail!(PyExc_TypeError, "first argument must be callable or None");
                }
                Py_INCREF(factory);
            }
            setref(&raw mut (*d).default_factory, factory);
            let rest = Owned::from_owned_or_err(PyTuple_GetSlice(args, if n > 0 { 1 } else { 0 }, n))?;
            match PyDict_Type.tp_init {
                Some(f) => check_status(f(slf, rest.as_ptr(), kw)),
                None => Ok(()),
            }
        };
        init().into_c()
    }
}
unsafe extern "C" fn defdict_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*slf.cast::<DefaultDict>()).default_factory);
        PyDict_Type.tp_traverse.map_or(0, |f| f(slf, visitor, arg))
    }
}
unsafe extern "C" fn defdict_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        setref(&raw mut (*slf.cast::<DefaultDict>()).default_factory, null_mut());
        PyDict_Type.tp_clear.map_or(0, |f| f(slf))
    }
}
unsafe extern "C" fn defdict_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        setref(&raw mut (*slf.cast::<DefaultDict>()).default_factory, null_mut());
        if let Some(f) = PyDict_Type.tp_dealloc {
            f(slf);
        }
    }
}
unsafe extern "C" fn defdict_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let make = || -> PyResult<Owned> {
            let base = match PyDict_Type.tp_repr {
                Some(f) => Owned::from_owned_or_err(f(slf))?,
                None => bail!(PyExc_SystemError, "dict has no repr"),
            };
            let factory = (*slf.cast::<DefaultDict>()).default_factory;
            let text = if factory.is_null() {
                Owned::from_owned_or_err(PyUnicode_FromString(c"None".as_ptr()))?
            } else {
                // The factory may be a bound method of this very dict.
                let status = Py_ReprEnter(factory);
                check_status(status)?;
                if status != 0 {
                    Owned::from_owned_or_err(PyUnicode_FromString(c"...".as_ptr()))?
                } else {
                    let text = PyObject_Repr(factory);
                    Py_ReprLeave(factory);
                    Owned::from_owned_or_err(text)?
                }
            };
            Owned::from_owned_or_err(PyUnicode_FromFormat(c"%s(%U, %U)".as_ptr(), taipan_short_name(type_of(slf)), text.as_ptr(), base.as_ptr()))
        };
        make().into_c()
    }
}
unsafe extern "C" fn defdict_or(left: *mut PyObject, right: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let (slf, other) = if PyObject_TypeCheck(left, &raw mut DEFDICT) != 0 { (left, right) } else { (right, left) };
        if PyDict_Check(other) == 0 {
            return Py_NotImplemented();
        }
        let make = || -> PyResult<Owned> {
            let new = new_defdict(Borrowed::from_ptr(slf.cast()), left)?;
            check_status(PyDict_Update(new.as_ptr(), right))?;
            Ok(new)
        };
        make().into_c()
    }
}
methods! {
    static DEFDICT_METHODS = [
        "__missing__($self, object, /)" => defdict_missing, "Called for a key that is not there: makes, stores and returns its default.";
        "copy($self, /)" => defdict_copy, "A shallow copy.";
        "__copy__($self, /)" => defdict_copy, "A shallow copy.";
        "__reduce__($self, /)" => defdict_reduce, "Help pickle.";
        class "__class_getitem__($type, object, /)" => class_getitem, "See PEP 585.";
    ];
}
members! {
    static DEFDICT_MEMBERS = [
        "default_factory", _Py_T_OBJECT, core::mem::offset_of!(DefaultDict, default_factory), 0, "Makes the values of missing keys.";
    ];
}
static mut DEFDICT_AS_NUMBER: PyNumberMethods = {
    // SAFETY: all-zero is valid: no functions.
    let mut n: PyNumberMethods = unsafe { core::mem::zeroed() };
    n.nb_or = Some(defdict_or);
    n
};
static mut DEFDICT: PyTypeObject = PyTypeObject {
    tp_name: c"collections.defaultdict".as_ptr(),
    tp_basicsize: size_of::<DefaultDict>() as Py_ssize_t,
    tp_dealloc: Some(defdict_dealloc),
    tp_repr: Some(defdict_repr),
    tp_as_number: &raw mut DEFDICT_AS_NUMBER,
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"defaultdict(default_factory=None, /, [...])\n\nA dict that makes the values of missing keys.".as_ptr(),
    tp_traverse: Some(defdict_traverse),
    tp_clear: Some(defdict_clear),
    tp_methods: (&raw mut DEFDICT_METHODS).cast(),
    tp_members: (&raw mut DEFDICT_MEMBERS).cast(),
    tp_base: &raw mut PyDict_Type,
    tp_init: Some(defdict_init),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- tuple getters and counting -------------------------------------------------------------------------------------------

crate::instance! { struct TupleGetter { doc; index: isize } }

fn tuplegetter_new(tp: Borrowed<'_, PyTypeObject>, index: isize, doc: Borrowed<'_>) -> PyResult<Owned> {
    let g = new::<TupleGetter>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        (*g.as_ptr()).index = index;
        (*g.as_ptr()).doc = doc.to_owned().into_raw();
    }
    Ok(g.into_object())
}
unsafe extern "C" fn tuplegetter_get(slf: *mut PyObject, obj: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let index = (*slf.cast::<TupleGetter>()).index;
        if obj.is_null() {
            return Owned::from_borrowed(slf).into_raw();
        }
        let get = || -> PyResult<Owned> {
            if PyTuple_Check(obj) == 0 {
                if obj == Py_None() {
                    return Ok(Owned::from_borrowed(slf));
                }
                bail!(PyExc_TypeError, "descriptor for index '{}' for tuple subclasses doesn't apply to '{}' object", index, type_name(obj));
            }
            if index < 0 || index >= PyTuple_GET_SIZE(obj) {
                bail!(PyExc_IndexError, "tuple index out of range");
            }
            Ok(Owned::from_borrowed(PyTuple_GET_ITEM(obj, index)))
        };
        get().into_c()
    }
}
unsafe extern "C" fn tuplegetter_set(_: *mut PyObject, _: *mut PyObject, value: *mut PyObject) -> c_int {
    let e = if value.is_null() { raise!(PyExc_AttributeError, "can't delete attribute") } else { raise!(PyExc_AttributeError, "can't set attribute") };
    Err::<(), _>(e).into_c()
}
unsafe extern "C" fn tuplegetter_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let g = &*slf.cast::<TupleGetter>();
        PyUnicode_FromFormat(c"%s(%zd, %R)".as_ptr(), taipan_short_name(type_of(slf)), g.index, g.doc)
    }
}
fn tuplegetter_reduce(slf: Borrowed<'_, TupleGetter>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { tuple(vec![Owned::from_borrowed(slf.ob_type().cast()), tuple(vec![int(slf.index)?, Owned::from_borrowed(slf.doc)])?]) }
}
methods! { static TUPLEGETTER_METHODS = [ "__reduce__($self, /)" => tuplegetter_reduce, "Help pickle."; ]; }
members! {
    static TUPLEGETTER_MEMBERS = [ "__doc__", _Py_T_OBJECT, core::mem::offset_of!(TupleGetter, doc), 0, ""; ];
}
static mut TUPLEGETTER: PyTypeObject = PyTypeObject {
    tp_name: c"collections._tuplegetter".as_ptr(),
    tp_basicsize: size_of::<TupleGetter>() as Py_ssize_t,
    tp_dealloc: Some(TupleGetter::dealloc),
    tp_repr: Some(tuplegetter_repr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(TupleGetter::traverse),
    tp_clear: Some(TupleGetter::clear),
    tp_methods: (&raw mut TUPLEGETTER_METHODS).cast(),
    tp_members: (&raw mut TUPLEGETTER_MEMBERS).cast(),
    tp_descr_get: Some(tuplegetter_get),
    tp_descr_set: Some(tuplegetter_set),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(constructor!("_tuplegetter(index, doc, /)" => tuplegetter_new)),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

/// Counts the items of an iterable into a mapping; straight into the table where the mapping is a plain dict.
fn count_elements(_: (), mapping: Borrowed<'_>, iterable: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let it = iter(iterable)?;
        let one = int(1)?;
        let tp = mapping.ob_type();
        let inherits = |name: *mut PyObject| _PyType_Lookup(tp, name) == _PyType_Lookup(&raw mut PyDict_Type, name);
        let plain = PyDict_Check(mapping.ob()) != 0 && inherits(intern!("get")) && inherits(intern!("__setitem__"));
        if plain {
            while let Some(key) = next(it.as_ptr())? {
                let hash = PyObject_Hash(key.as_ptr());
                if hash == -1 {
                    return Err(Raised::assume());
                }
                let old = _PyDict_GetItem_KnownHash(mapping.ob(), key.as_ptr(), hash);
                let count = if old.is_null() {
                    if err_occurred() {
                        return Err(Raised::assume());
                    }
                    one.clone()
                } else {
                    Owned::from_owned_or_err(PyNumber_Add(old, one.as_ptr()))?
                };
                check_status(_PyDict_SetItem_KnownHash(mapping.ob(), key.as_ptr(), count.as_ptr(), hash))?;
            }
            return Ok(());
        }
        let get = Owned::from_owned_or_err(PyObject_GetAttr(mapping.ob(), intern!("get")))?;
        let zero = int(0)?;
        while let Some(key) = next(it.as_ptr())? {
            let args = [key.as_ptr(), zero.as_ptr()];
            let old = Owned::from_owned_or_err(PyObject_Vectorcall(get.as_ptr(), args.as_ptr(), 2, null_mut()))?;
            let count = Owned::from_owned_or_err(PyNumber_Add(old.as_ptr(), one.as_ptr()))?;
            check_status(PyObject_SetItem(mapping.ob(), key.as_ptr(), count.as_ptr()))?;
        }
        Ok(())
    }
}

methods! {
    static METHODS = [ "_count_elements($module, mapping, iterable, /)" => count_elements, "Count the items of an iterable into a mapping."; ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC]
    unsafe {
        for tp in [&raw mut DEQUE, &raw mut DEFDICT, &raw mut DEQUE_ITER, &raw mut DEQUE_REVITER, &raw mut TUPLEGETTER] {
            taipan_clinic::module::add_type(module, tp)?;
        }
        check_status(PyObject_SetAttrString(module.ob(), c"OrderedDict".as_ptr(), (&raw mut PyODict_Type).cast()))
    }
}

unsafe extern "C" {
    static mut PyODict_Type: PyTypeObject;
}

module! {
    /// Entry point.
    pub fn PyInit__collections = "_collections", "Native parts of collections.", methods: METHODS, exec: exec;
}
