//! The sequence protocol.

use super::number::{add_numbers, inplace_add_numbers, inplace_multiply_numbers, multiply_numbers};
use super::*;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_Check(s: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (PyDict_Check(s) == 0 && slot!(s, tp_as_sequence, sq_item).is_some()) as c_int }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_Size(s: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if s.is_null() {
            null_error();
            return -1;
        }
        if let Some(f) = slot!(s, tp_as_sequence, sq_length) {
            return f(s);
        }
        if slot!(s, tp_as_mapping, mp_length).is_some() {
            type_error!("{} is not a sequence", s);
        } else {
            type_error!("object of type '{}' has no len()", s);
        }
        -1
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_Length(s: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { PySequence_Size(s) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_Concat(s: *mut PyObject, o: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if s.is_null() || o.is_null() {
            return null_error();
        }
        if let Some(f) = slot!(s, tp_as_sequence, sq_concat) {
            return f(s, o);
        }
        // A class with __add__ has only the number slot.
        if PySequence_Check(s) != 0 && PySequence_Check(o) != 0 {
            let x = add_numbers(s, o);
            if x != Py_NotImplemented() {
                return x;
            }
        }
        type_error!("'{}' object can't be concatenated", s)
    }
}

unsafe fn repeat_as_number(
    o: *mut PyObject,
    count: Py_ssize_t,
    f: unsafe fn(*mut PyObject, *mut PyObject) -> *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PySequence_Check(o) != 0 {
            let n = PyLong_FromSsize_t(count);
            if n.is_null() {
                return n;
            }
            let x = f(o, n);
            Py_DECREF(n);
            if x != Py_NotImplemented() {
                return x;
            }
        }
        type_error!("'{}' object can't be repeated", o)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_Repeat(o: *mut PyObject, count: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if o.is_null() {
            return null_error();
        }
        if let Some(f) = slot!(o, tp_as_sequence, sq_repeat) {
            return f(o, count);
        }
        repeat_as_number(o, count, multiply_numbers)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_InPlaceConcat(s: *mut PyObject, o: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if s.is_null() || o.is_null() {
            return null_error();
        }
        if let Some(f) = slot!(s, tp_as_sequence, sq_inplace_concat).or(slot!(s, tp_as_sequence, sq_concat)) {
            return f(s, o);
        }
        if PySequence_Check(s) != 0 && PySequence_Check(o) != 0 {
            let x = inplace_add_numbers(s, o);
            if x != Py_NotImplemented() {
                return x;
            }
        }
        type_error!("'{}' object can't be concatenated", s)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_InPlaceRepeat(o: *mut PyObject, count: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if o.is_null() {
            return null_error();
        }
        if let Some(f) = slot!(o, tp_as_sequence, sq_inplace_repeat).or(slot!(o, tp_as_sequence, sq_repeat)) {
            return f(o, count);
        }
        repeat_as_number(o, count, inplace_multiply_numbers)
    }
}

/// A negative index counts from the end, where the type has a length.
#[inline(always)]
unsafe fn from_end(s: *mut PyObject, i: Py_ssize_t) -> PyResult<Py_ssize_t> {
    // SAFETY: [ARGS]
    unsafe {
        if i < 0
            && let Some(len) = slot!(s, tp_as_sequence, sq_length)
        {
            let l = len(s);
            if l < 0 {
                return Err(Raised::assume());
            }
            return Ok(i + l);
        }
        Ok(i)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_GetItem(s: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if s.is_null() {
            return null_error();
        }
        if let Some(f) = slot!(s, tp_as_sequence, sq_item) {
            return match from_end(s, i) {
                Ok(i) => f(s, i),
                Err(_) => null_mut(),
            };
        }
        if slot!(s, tp_as_mapping, mp_subscript).is_some() {
            return type_error!("{} is not a sequence", s);
        }
        type_error!("'{}' object does not support indexing", s)
    }
}

unsafe fn ass_item(s: *mut PyObject, i: Py_ssize_t, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if s.is_null() {
            null_error();
            return -1;
        }
        if let Some(f) = slot!(s, tp_as_sequence, sq_ass_item) {
            return match from_end(s, i) {
                Ok(i) => f(s, i, value),
                Err(_) => -1,
            };
        }
        if slot!(s, tp_as_mapping, mp_ass_subscript).is_some() {
            type_error!("{} is not a sequence", s);
        } else if value.is_null() {
            type_error!("'{}' object doesn't support item deletion", s);
        } else {
            type_error!("'{}' object does not support item assignment", s);
        }
        -1
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_SetItem(s: *mut PyObject, i: Py_ssize_t, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { ass_item(s, i, value) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_DelItem(s: *mut PyObject, i: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe { ass_item(s, i, null_mut()) }
}

unsafe fn slice_of(i1: Py_ssize_t, i2: Py_ssize_t) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let a = Owned::from_owned_or_err(PyLong_FromSsize_t(i1))?;
        let b = Owned::from_owned_or_err(PyLong_FromSsize_t(i2))?;
        Owned::from_owned_or_err(PySlice_New(a.as_ptr(), b.as_ptr(), null_mut()))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_GetSlice(s: *mut PyObject, i1: Py_ssize_t, i2: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if s.is_null() {
            return null_error();
        }
        if let Some(f) = slot!(s, tp_as_mapping, mp_subscript) {
            return match slice_of(i1, i2) {
                Ok(slice) => f(s, slice.as_ptr()),
                Err(_) => null_mut(),
            };
        }
        type_error!("'{}' object is unsliceable", s)
    }
}

unsafe fn ass_slice(s: *mut PyObject, i1: Py_ssize_t, i2: Py_ssize_t, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if s.is_null() {
            null_error();
            return -1;
        }
        if let Some(f) = slot!(s, tp_as_mapping, mp_ass_subscript) {
            return match slice_of(i1, i2) {
                Ok(slice) => f(s, slice.as_ptr(), value),
                Err(_) => -1,
            };
        }
        if value.is_null() {
            type_error!("'{}' object doesn't support slice deletion", s);
        } else {
            type_error!("'{}' object doesn't support slice assignment", s);
        }
        -1
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_SetSlice(
    s: *mut PyObject,
    i1: Py_ssize_t,
    i2: Py_ssize_t,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe { ass_slice(s, i1, i2, value) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_DelSlice(s: *mut PyObject, i1: Py_ssize_t, i2: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe { ass_slice(s, i1, i2, null_mut()) }
}

unsafe fn sequence_tuple(v: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_CheckExact(v) != 0 {
            return Ok(Owned::from_borrowed(v));
        }
        if PyList_CheckExact(v) != 0 {
            return Owned::from_owned_or_err(PyList_AsTuple(v));
        }
        let it = Owned::from_owned_or_err(PyObject_GetIter(v))?;
        let hint = PyObject_LengthHint(v, 10);
        if hint < 0 {
            return Err(Raised::assume());
        }
        let mut items: Vec<Owned> = Vec::new();
        // The hint may lie: no more than what is sure to be there for the asking.
        let _ = items.try_reserve((hint as usize).min(1 << 16));
        while let Some(item) = Owned::from_owned_or_opt(iterator::PyIter_Next(it.as_ptr())) {
            if items.try_reserve(1).is_err() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
            items.push(item);
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        // Each Owned is one pointer; the tuple takes the references over, whether it can be made or not.
        let n = items.len();
        let p = items.as_ptr().cast::<*mut PyObject>();
        let result = _PyTuple_FromArraySteal(p, n as Py_ssize_t);
        items.set_len(0);
        Owned::from_owned_or_err(result)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_Tuple(v: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { if v.is_null() { null_error() } else { sequence_tuple(v).into_c() } }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_List(v: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if v.is_null() {
            return null_error();
        }
        let result = PyList_New(0);
        if result.is_null() {
            return result;
        }
        let rv = _PyList_Extend(result.cast(), v);
        if rv.is_null() {
            Py_DECREF(result);
            return null_mut();
        }
        Py_DECREF(rv);
        result
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_Fast(v: *mut PyObject, m: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if v.is_null() {
            return null_error();
        }
        if PyList_CheckExact(v) != 0 || PyTuple_CheckExact(v) != 0 {
            Py_INCREF(v);
            return v;
        }
        let it = PyObject_GetIter(v);
        if it.is_null() {
            if PyErr_ExceptionMatches(PyExc_TypeError) != 0 {
                PyErr_SetString(PyExc_TypeError, m);
            }
            return null_mut();
        }
        let list = PySequence_List(it);
        Py_DECREF(it);
        list
    }
}

const PY_ITERSEARCH_COUNT: c_int = 1;
const PY_ITERSEARCH_INDEX: c_int = 2;
const PY_ITERSEARCH_CONTAINS: c_int = 3;

unsafe fn iter_search(seq: *mut PyObject, obj: *mut PyObject, operation: c_int) -> PyResult<Py_ssize_t> {
    // SAFETY: [ARGS]
    unsafe {
        if seq.is_null() || obj.is_null() {
            null_error();
            return Err(Raised::assume());
        }
        let it = PyObject_GetIter(seq);
        if it.is_null() {
            if PyErr_ExceptionMatches(PyExc_TypeError) != 0 {
                type_error!("argument of type '{}' is not iterable", seq);
            }
            return Err(Raised::assume());
        }
        let it = Owned::from_owned(it);
        let mut n: Py_ssize_t = 0;
        let mut wrapped = false;
        while let Some(item) = Owned::from_owned_or_opt(iterator::PyIter_Next(it.as_ptr())) {
            let cmp = PyObject_RichCompareBool(item.as_ptr(), obj, Py_EQ);
            check_status(cmp)?;
            if cmp > 0 {
                match operation {
                    PY_ITERSEARCH_COUNT => {
                        n = match n.checked_add(1) {
                            Some(n) => n,
                            None => bail!(PyExc_OverflowError, "count exceeds C integer size"),
                        };
                    }
                    PY_ITERSEARCH_INDEX => {
                        if wrapped {
                            bail!(PyExc_OverflowError, "index exceeds C integer size");
                        }
                        return Ok(n);
                    }
                    _ => return Ok(1),
                }
            }
            if operation == PY_ITERSEARCH_INDEX {
                (n, wrapped) = match n.checked_add(1) {
                    Some(n) => (n, wrapped),
                    None => (0, true),
                };
            }
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        if operation == PY_ITERSEARCH_INDEX {
            bail!(PyExc_ValueError, "sequence.index(x): x not in sequence");
        }
        Ok(n)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySequence_IterSearch(seq: *mut PyObject, obj: *mut PyObject, operation: c_int) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { iter_search(seq, obj, operation).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_Count(s: *mut PyObject, o: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { iter_search(s, o, PY_ITERSEARCH_COUNT).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_Contains(seq: *mut PyObject, ob: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(f) = slot!(seq, tp_as_sequence, sq_contains) {
            return f(seq, ob);
        }
        match iter_search(seq, ob, PY_ITERSEARCH_CONTAINS) {
            Ok(n) => n as c_int,
            Err(_) => -1,
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_In(seq: *mut PyObject, ob: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PySequence_Contains(seq, ob) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySequence_Index(s: *mut PyObject, o: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { iter_search(s, o, PY_ITERSEARCH_INDEX).into_c() }
}
