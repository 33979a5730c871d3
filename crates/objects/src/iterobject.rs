//! Iterators over sequences (`__getitem__`) and callables with a sentinel, and what `anext(it, default)` awaits.

use crate::gc::{gc_new, gc_track, gc_untrack};
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::methods;

/// `iter` of the builtins as the program sees it, for pickling. Looking it up can run any code.
fn builtin_iter() -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(_PyEval_GetBuiltin(intern!("iter"))) }
}

fn tuple_of(items: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [GIL] items are live.
    unsafe { Owned::from_owned_or_err(_PyTuple_FromArray(items.as_ptr(), items.len() as Py_ssize_t)) }
}

#[repr(C)]
struct seqiterobject {
    ob_base: PyObject,
    it_index: Py_ssize_t,
    it_seq: *mut PyObject,
}

/// An iterator that asks `seq` for its items by index.
///
/// # Safety
/// `seq` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySeqIter_New(seq: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PySequence_Check(seq) == 0 {
            PyErr_BadInternalCall();
            return null_mut();
        }
        let it = gc_new::<seqiterobject>(&raw mut PySeqIter_Type);
        if it.is_null() {
            return null_mut();
        }
        (*it).it_index = 0;
        Py_INCREF(seq);
        (*it).it_seq = seq;
        gc_track(it.cast());
        it.cast()
    }
}

unsafe extern "C" fn iter_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        Py_XDECREF((*slf.cast::<seqiterobject>()).it_seq);
        PyObject_GC_Del(slf.cast());
    }
}

unsafe extern "C" fn iter_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*slf.cast::<seqiterobject>()).it_seq);
        0
    }
}

unsafe extern "C" fn iter_iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] the sequence may drop the iterator's reference while it works.
    unsafe {
        let it: *mut seqiterobject = slf.cast();
        let seq = (*it).it_seq;
        if seq.is_null() {
            return null_mut();
        }
        if (*it).it_index == isize::MAX {
            let _ = raise!(PyExc_OverflowError, "iter index too large");
            return null_mut();
        }
        let result = PySequence_GetItem(seq, (*it).it_index);
        if !result.is_null() {
            (*it).it_index += 1;
            return result;
        }
        if PyErr_ExceptionMatches(PyExc_IndexError) != 0 || PyErr_ExceptionMatches(PyExc_StopIteration) != 0 {
            PyErr_Clear();
            setref(&raw mut (*it).it_seq, null_mut());
        }
        null_mut()
    }
}

fn iter_len(slf: Borrowed<'_, seqiterobject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let mut len = 0;
        if !slf.it_seq.is_null() {
            if crate::abstract_::_PyObject_HasLen(slf.it_seq) == 0 {
                return Ok(Owned::from_borrowed(Py_NotImplemented()));
            }
            let size = PySequence_Size(slf.it_seq);
            if size == -1 {
                return Err(Raised::assume());
            }
            len = (size - slf.it_index).max(0);
        }
        Owned::from_owned_or_err(PyLong_FromSsize_t(len))
    }
}

fn iter_reduce(slf: Borrowed<'_, seqiterobject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let iter = builtin_iter()?;
        if slf.it_seq.is_null() {
            return tuple_of(&[iter.as_ptr(), tuple_of(&[tuple_of(&[])?.as_ptr()])?.as_ptr()]);
        }
        let index = Owned::from_owned_or_err(PyLong_FromSsize_t(slf.it_index))?;
        tuple_of(&[iter.as_ptr(), tuple_of(&[slf.it_seq])?.as_ptr(), index.as_ptr()])
    }
}

fn iter_setstate(slf: Borrowed<'_, seqiterobject>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let index = PyLong_AsSsize_t(state.ob());
        if index == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if !slf.it_seq.is_null() {
            (*slf.as_ptr()).it_index = index.max(0);
        }
        Ok(())
    }
}

methods! {
    static SEQITER_METHODS = [
        "__length_hint__($self, /)" => iter_len, "How many items are still to come, as an estimate.";
        "__reduce__($self, /)" => iter_reduce, "State for pickling.";
        "__setstate__($self, state, /)" => iter_setstate, "Set the state when unpickling.";
    ];
}

/// The type of iterators over sequences.
#[unsafe(no_mangle)]
pub static mut PySeqIter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"iterator".as_ptr(),
    tp_basicsize: size_of::<seqiterobject>() as Py_ssize_t,
    tp_dealloc: Some(iter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(iter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(iter_iternext),
    tp_methods: (&raw mut SEQITER_METHODS).cast(),
    ..TYPE_INIT
};

// ---- iter(callable, sentinel) ------------------------------------------------------------------------------------

#[repr(C)]
struct calliterobject {
    ob_base: PyObject,
    it_callable: *mut PyObject,
    it_sentinel: *mut PyObject,
}

/// An iterator that calls until the result equals `sentinel`.
///
/// # Safety
/// Both are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCallIter_New(callable: *mut PyObject, sentinel: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let it = gc_new::<calliterobject>(&raw mut PyCallIter_Type);
        if it.is_null() {
            return null_mut();
        }
        Py_INCREF(callable);
        Py_INCREF(sentinel);
        (*it).it_callable = callable;
        (*it).it_sentinel = sentinel;
        gc_track(it.cast());
        it.cast()
    }
}

unsafe extern "C" fn calliter_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        let it: *mut calliterobject = slf.cast();
        Py_XDECREF((*it).it_callable);
        Py_XDECREF((*it).it_sentinel);
        PyObject_GC_Del(slf.cast());
    }
}

unsafe extern "C" fn calliter_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let it: *mut calliterobject = slf.cast();
        py_visit!(visitor, arg; (*it).it_callable, (*it).it_sentinel);
        0
    }
}

unsafe extern "C" fn calliter_iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] the call may run the iterator itself, so both fields are looked at again after it.
    unsafe {
        let it: *mut calliterobject = slf.cast();
        if (*it).it_callable.is_null() {
            return null_mut();
        }
        let callable = Owned::from_borrowed((*it).it_callable);
        let result = PyObject_CallNoArgs(callable.as_ptr());
        let mut finished = false;
        if !result.is_null() {
            let result = Owned::from_owned(result);
            if let Some(sentinel) = Owned::from_borrowed_or_opt((*it).it_sentinel) {
                match PyObject_RichCompareBool(sentinel.as_ptr(), result.as_ptr(), Py_EQ) {
                    0 => return result.into_raw(),
                    ok => finished = ok > 0,
                }
            }
        } else if PyErr_ExceptionMatches(PyExc_StopIteration) != 0 {
            PyErr_Clear();
            finished = true;
        }
        if finished {
            setref(&raw mut (*it).it_callable, null_mut());
            setref(&raw mut (*it).it_sentinel, null_mut());
        }
        null_mut()
    }
}

fn calliter_reduce(slf: Borrowed<'_, calliterobject>) -> PyResult<Owned> {
    let iter = builtin_iter()?;
    if !slf.it_callable.is_null() && !slf.it_sentinel.is_null() {
        return tuple_of(&[iter.as_ptr(), tuple_of(&[slf.it_callable, slf.it_sentinel])?.as_ptr()]);
    }
    tuple_of(&[iter.as_ptr(), tuple_of(&[tuple_of(&[])?.as_ptr()])?.as_ptr()])
}

methods! {
    static CALLITER_METHODS = [
        "__reduce__($self, /)" => calliter_reduce, "State for pickling.";
    ];
}

/// The type of `iter(callable, sentinel)`.
#[unsafe(no_mangle)]
pub static mut PyCallIter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"callable_iterator".as_ptr(),
    tp_basicsize: size_of::<calliterobject>() as Py_ssize_t,
    tp_dealloc: Some(calliter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(calliter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(calliter_iternext),
    tp_methods: (&raw mut CALLITER_METHODS).cast(),
    ..TYPE_INIT
};

// ---- anext(it, default) --------------------------------------------------------------------------------------------

unsafe extern "C" {
    fn _PyCoro_GetAwaitableIter(op: *mut PyObject) -> *mut PyObject;
    fn _PyGen_SetStopIterationValue(value: *mut PyObject) -> c_int;
}

#[repr(C)]
struct anextawaitableobject {
    ob_base: PyObject,
    wrapped: *mut PyObject,
    default_value: *mut PyObject,
}

/// What `anext(it, default)` returns: awaits `awaitable`, with `default_value` in place of StopAsyncIteration.
///
/// # Safety
/// Both are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyAnextAwaitable_New(awaitable: *mut PyObject, default_value: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let an = gc_new::<anextawaitableobject>(&raw mut _PyAnextAwaitable_Type);
        if an.is_null() {
            return null_mut();
        }
        Py_INCREF(awaitable);
        Py_INCREF(default_value);
        (*an).wrapped = awaitable;
        (*an).default_value = default_value;
        gc_track(an.cast());
        an.cast()
    }
}

unsafe extern "C" fn anextawaitable_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        let an: *mut anextawaitableobject = slf.cast();
        Py_XDECREF((*an).wrapped);
        Py_XDECREF((*an).default_value);
        PyObject_GC_Del(slf.cast());
    }
}

unsafe extern "C" fn anextawaitable_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let an: *mut anextawaitableobject = slf.cast();
        py_visit!(visitor, arg; (*an).wrapped, (*an).default_value);
        0
    }
}

/// The iterator behind the awaitable: a generator, a coroutine's wrapper, or what `__await__` returns.
unsafe fn anextawaitable_getiter(an: *mut anextawaitableobject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let awaitable = Owned::from_owned_or_err(_PyCoro_GetAwaitableIter((*an).wrapped))?;
        let tp = awaitable.borrow().ob_type();
        if (*tp).tp_iternext.is_some() {
            return Ok(awaitable);
        }
        // Only coroutines have no tp_iternext.
        let getter = (*tp).tp_as_async.as_ref().and_then(|t| t.am_await);
        let Some(getter) = getter else { bail!(PyExc_TypeError, "__await__ returned a non-iterable") };
        let wrapper = Owned::from_owned_or_err(getter(awaitable.as_ptr()))?;
        if PyIter_Check(wrapper.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "__await__ returned a non-iterable");
        }
        Ok(wrapper)
    }
}

/// StopAsyncIteration becomes StopIteration with the default, as if the awaitable had returned it.
unsafe fn or_default(an: *mut anextawaitableobject, result: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        if result.is_null() && PyErr_ExceptionMatches(PyExc_StopAsyncIteration) != 0 {
            PyErr_Clear();
            _PyGen_SetStopIterationValue((*an).default_value);
        }
        result
    }
}

unsafe extern "C" fn anextawaitable_iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let Ok(awaitable) = anextawaitable_getiter(slf.cast()) else { return null_mut() };
        let result = match (*awaitable.borrow().ob_type()).tp_iternext {
            Some(next) => next(awaitable.as_ptr()),
            None => null_mut(),
        };
        drop(awaitable);
        or_default(slf.cast(), result)
    }
}

unsafe fn forward(slf: *mut PyObject, name: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let Ok(awaitable) = anextawaitable_getiter(slf.cast()) else { return null_mut() };
        let Some(method) = Owned::from_owned_or_opt(PyObject_GetAttr(awaitable.as_ptr(), name)) else {
            return null_mut();
        };
        drop(awaitable);
        let result = PyObject_CallObject(method.as_ptr(), args);
        drop(method);
        or_default(slf.cast(), result)
    }
}

unsafe extern "C" fn anextawaitable_send(slf: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        match tuple_of(&[arg]) {
            Ok(args) => forward(slf, intern!("send"), args.as_ptr()),
            Err(_) => null_mut(),
        }
    }
}

unsafe extern "C" fn anextawaitable_throw(slf: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] METH_VARARGS: a tuple.
    unsafe { forward(slf, intern!("throw"), args) }
}

unsafe extern "C" fn anextawaitable_close(slf: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] METH_VARARGS: a tuple.
    unsafe { forward(slf, intern!("close"), args) }
}

methods! {
    static ANEXTAWAITABLE_METHODS = [
        raw "send", PyMethodDefPointer { PyCFunction: anextawaitable_send }, METH_O,
            "send(arg) -> send arg into the awaited iterator; the next value it yields, or StopIteration.";
        raw "throw", PyMethodDefPointer { PyCFunction: anextawaitable_throw }, METH_VARARGS,
            "throw(value)\nthrow(typ[,val[,tb]])\n\nRaise an exception in the awaited iterator; the next value it yields, or StopIteration.";
        raw "close", PyMethodDefPointer { PyCFunction: anextawaitable_close }, METH_VARARGS,
            "close() -> raise GeneratorExit in the awaited iterator.";
    ];
}

static mut ANEXTAWAITABLE_AS_ASYNC: PyAsyncMethods = PyAsyncMethods {
    am_await: Some(PyObject_SelfIter),
    // SAFETY: all-zero is valid: no functions.
    ..unsafe { core::mem::zeroed() }
};

/// The type of what `anext(it, default)` returns.
#[unsafe(no_mangle)]
pub static mut _PyAnextAwaitable_Type: PyTypeObject = PyTypeObject {
    tp_name: c"anext_awaitable".as_ptr(),
    tp_basicsize: size_of::<anextawaitableobject>() as Py_ssize_t,
    tp_dealloc: Some(anextawaitable_dealloc),
    tp_as_async: &raw mut ANEXTAWAITABLE_AS_ASYNC,
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(anextawaitable_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(anextawaitable_iternext),
    tp_methods: (&raw mut ANEXTAWAITABLE_METHODS).cast(),
    ..TYPE_INIT
};
