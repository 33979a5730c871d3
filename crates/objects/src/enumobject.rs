//! `enumerate` and `reversed`.

use crate::gc::{gc_track, gc_untrack, is_tracked};
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, methods};

fn tuple_of(items: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [GIL] items are live.
    unsafe { Owned::from_owned_or_err(_PyTuple_FromArray(items.as_ptr(), items.len() as Py_ssize_t)) }
}

unsafe fn alloc<T>(tp: *mut PyTypeObject) -> PyResult<Owned<T>> {
    // SAFETY: [ARGS]
    unsafe {
        let op = match (*tp).tp_alloc {
            Some(alloc) => alloc(tp, 0),
            None => PyType_GenericAlloc(tp, 0),
        };
        Owned::from_owned_or_err(op.cast())
    }
}

/// Counts in `en_index` as long as it fits, then in `en_longindex`.
#[repr(C)]
struct enumobject {
    ob_base: PyObject,
    en_index: Py_ssize_t,
    en_sit: *mut PyObject,
    en_result: *mut PyObject,
    en_longindex: *mut PyObject,
    /// The integer 1, lent.
    one: *mut PyObject,
}

unsafe fn enum_new_impl(tp: *mut PyTypeObject, iterable: *mut PyObject, start: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] tp_alloc zeroes the fields.
    unsafe {
        let op = alloc::<enumobject>(tp)?;
        let en = op.as_ptr();
        if !start.is_null() {
            let start = Owned::from_owned_or_err(PyNumber_Index(start))?;
            (*en).en_index = PyLong_AsSsize_t(start.as_ptr());
            if (*en).en_index == -1 && err_occurred() {
                PyErr_Clear();
                (*en).en_index = isize::MAX;
                (*en).en_longindex = start.into_raw();
            }
        }
        (*en).en_sit = PyObject_GetIter(iterable);
        if (*en).en_sit.is_null() {
            return Err(Raised::assume());
        }
        // A small integer, which is immortal.
        (*en).one = PyLong_FromLong(1);
        (*en).en_result = tuple_of(&[Py_None(), Py_None()])?.into_raw();
        Ok(op.into_object())
    }
}

fn enum_new(tp: Borrowed<'_>, iterable: Borrowed<'_>, start: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { enum_new_impl(tp.ob().cast(), iterable.ob(), start.ob()) }
}

/// The name of a keyword is `name`.
unsafe fn is_keyword(kwnames: *mut PyObject, i: Py_ssize_t, name: &core::ffi::CStr) -> bool {
    // SAFETY: [ARGS]
    unsafe { _PyUnicode_EqualToASCIIString(PyTuple_GET_ITEM(kwnames, i), name.as_ptr()) != 0 }
}

#[cold]
unsafe fn unexpected_keyword(kwnames: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_Format(
            PyExc_TypeError,
            c"'%U' is an invalid keyword argument for enumerate()".as_ptr(),
            PyTuple_GET_ITEM(kwnames, i),
        );
        null_mut()
    }
}

unsafe extern "C" fn enumerate_vectorcall(
    tp: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS] values of keywords follow the positional arguments.
    unsafe {
        let nargs = PyVectorcall_NARGS(nargsf);
        let nkw = if kwnames.is_null() { 0 } else { PyTuple_GET_SIZE(kwnames) };
        let new = |iterable, start| enum_new_impl(tp.cast(), iterable, start).into_c();
        if nargs == 1 && nkw == 1 {
            if !is_keyword(kwnames, 0, c"start") {
                return unexpected_keyword(kwnames, 0);
            }
            return new(*args, *args.add(1));
        }
        if nargs == 0 && nkw == 2 {
            let (first, second) = (*args, *args.add(1));
            let i = if is_keyword(kwnames, 0, c"iterable") { 0 } else { 1 };
            if i == 1 && !is_keyword(kwnames, 1, c"iterable") {
                return unexpected_keyword(kwnames, 0);
            }
            if !is_keyword(kwnames, 1 - i, c"start") {
                return unexpected_keyword(kwnames, 1 - i);
            }
            return if i == 0 { new(first, second) } else { new(second, first) };
        }
        if nargs == 0 && nkw == 1 {
            if !is_keyword(kwnames, 0, c"iterable") {
                return unexpected_keyword(kwnames, 0);
            }
            return new(*args, null_mut());
        }
        if nkw == 0 && nargs == 1 {
            return new(*args, null_mut());
        }
        if nkw == 0 && nargs == 2 {
            return new(*args, *args.add(1));
        }
        if nargs == 0 && nkw == 0 {
            let _ = raise!(PyExc_TypeError, "enumerate() missing required argument 'iterable'");
            return null_mut();
        }
        let _ = raise!(PyExc_TypeError, "enumerate() takes at most 2 arguments ({} given)", nargs + nkw);
        null_mut()
    }
}

unsafe extern "C" fn enum_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        let en: *mut enumobject = slf.cast();
        Py_XDECREF((*en).en_sit);
        Py_XDECREF((*en).en_result);
        Py_XDECREF((*en).en_longindex);
        match (*(*slf).ob_type).tp_free {
            Some(free) => free(slf.cast()),
            None => PyObject_GC_Del(slf.cast()),
        }
    }
}

unsafe extern "C" fn enum_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let en: *mut enumobject = slf.cast();
        py_visit!(visitor, arg; (*en).en_sit, (*en).en_result, (*en).en_longindex);
        0
    }
}

/// The next index once it doesn't fit `en_index` any more.
#[cold]
unsafe fn next_long_index(en: *mut enumobject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        if (*en).en_longindex.is_null() {
            (*en).en_longindex = PyLong_FromSsize_t(isize::MAX);
            if (*en).en_longindex.is_null() {
                return null_mut();
            }
        }
        let stepped = PyNumber_Add((*en).en_longindex, (*en).one);
        if stepped.is_null() {
            return null_mut();
        }
        core::mem::replace(&mut (*en).en_longindex, stepped)
    }
}

unsafe extern "C" fn enum_next(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] the constructor made sure that en_sit is an iterator.
    unsafe {
        let en: *mut enumobject = slf.cast();
        let it = (*en).en_sit;
        let Some(next) = (*(*it).ob_type).tp_iternext else { return null_mut() };
        let item = next(it);
        if item.is_null() {
            return null_mut();
        }
        let index = if (*en).en_index == isize::MAX {
            next_long_index(en)
        } else {
            let i = PyLong_FromSsize_t((*en).en_index);
            (*en).en_index += !i.is_null() as isize;
            i
        };
        if index.is_null() {
            Py_DECREF(item);
            return null_mut();
        }
        let result = (*en).en_result;
        if Py_REFCNT(result) == 1 {
            // Nobody holds the tuple handed out last time: use it again.
            Py_INCREF(result);
            let old_index = PyTuple_GET_ITEM(result, 0);
            let old_item = PyTuple_GET_ITEM(result, 1);
            PyTuple_SET_ITEM(result, 0, index);
            PyTuple_SET_ITEM(result, 1, item);
            Py_DECREF(old_index);
            Py_DECREF(old_item);
            if !is_tracked(result) {
                gc_track(result);
            }
            return result;
        }
        let result = PyTuple_New(2);
        if result.is_null() {
            Py_DECREF(index);
            Py_DECREF(item);
            return null_mut();
        }
        PyTuple_SET_ITEM(result, 0, index);
        PyTuple_SET_ITEM(result, 1, item);
        result
    }
}

fn enum_reduce(slf: Borrowed<'_, enumobject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let index = if slf.en_longindex.is_null() {
            Owned::from_owned_or_err(PyLong_FromSsize_t(slf.en_index))?
        } else {
            Owned::from_borrowed(slf.en_longindex)
        };
        tuple_of(&[slf.ob_type().cast(), tuple_of(&[slf.en_sit, index.as_ptr()])?.as_ptr()])
    }
}

methods! {
    static ENUM_METHODS = [
        "__reduce__($self, /)" => enum_reduce, "State for pickling.";
        raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS, "See PEP 585";
    ];
}

/// The type `enumerate`.
#[unsafe(no_mangle)]
pub static mut PyEnum_Type: PyTypeObject = PyTypeObject {
    tp_name: c"enumerate".as_ptr(),
    tp_basicsize: size_of::<enumobject>() as Py_ssize_t,
    tp_dealloc: Some(enum_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    tp_doc: c"enumerate(iterable, start=0)\n--\n\nYield pairs of a count and an item of the iterable.\n\nThe count begins with start: (0, a), (1, b), (2, c), ..."
        .as_ptr(),
    tp_traverse: Some(enum_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(enum_next),
    tp_methods: (&raw mut ENUM_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(enum_new_slot),
    tp_free: Some(PyObject_GC_Del),
    tp_vectorcall: Some(enumerate_vectorcall),
    ..TYPE_INIT
};

unsafe extern "C" fn enum_new_slot(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    fn new(tp: Borrowed<'_>, iterable: Borrowed<'_>, start: Option<Borrowed<'_>>) -> PyResult<Owned> {
        match start {
            Some(start) => enum_new(tp, iterable, start),
            // SAFETY: [ARGS]
            None => unsafe { enum_new_impl(tp.ob().cast(), iterable.ob(), null_mut()) },
        }
    }
    let entry: newfunc = constructor!("enumerate(iterable, start=0)" => new);
    // SAFETY: [ARGS]
    unsafe { entry(tp, args, kw) }
}

// ---- reversed ------------------------------------------------------------------------------------------------------

#[repr(C)]
struct reversedobject {
    ob_base: PyObject,
    index: Py_ssize_t,
    seq: *mut PyObject,
}

unsafe fn reversed_new_impl(tp: *mut PyTypeObject, seq: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let special = Owned::from_owned_or_opt(_PyObject_LookupSpecial(seq, intern!("__reversed__")));
        if let Some(method) = special {
            if method.as_ptr() == Py_None() {
                bail!(PyExc_TypeError, "'{}' object is not reversible", type_name(seq));
            }
            return Owned::from_owned_or_err(PyObject_CallNoArgs(method.as_ptr()));
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        if PySequence_Check(seq) == 0 {
            bail!(PyExc_TypeError, "'{}' object is not reversible", type_name(seq));
        }
        let n = PySequence_Size(seq);
        if n == -1 {
            return Err(Raised::assume());
        }
        let op = alloc::<reversedobject>(tp)?;
        (*op.as_ptr()).index = n - 1;
        Py_INCREF(seq);
        (*op.as_ptr()).seq = seq;
        Ok(op.into_object())
    }
}

unsafe extern "C" fn reversed_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let own = &raw mut PyReversed_Type;
        let same_init = (*tp).tp_init.map(|f| f as usize) == (*own).tp_init.map(|f| f as usize);
        if (tp == own || same_init) && !kw.is_null() && _PyArg_NoKeywords(c"reversed".as_ptr(), kw) == 0 {
            return null_mut();
        }
        if _PyArg_CheckPositional(c"reversed".as_ptr(), PyTuple_GET_SIZE(args), 1, 1) == 0 {
            return null_mut();
        }
        reversed_new_impl(tp, PyTuple_GET_ITEM(args, 0)).into_c()
    }
}

unsafe extern "C" fn reversed_vectorcall(
    tp: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !kwnames.is_null() && PyTuple_GET_SIZE(kwnames) != 0 {
            let _ = raise!(PyExc_TypeError, "reversed() takes no keyword arguments");
            return null_mut();
        }
        if _PyArg_CheckPositional(c"reversed".as_ptr(), PyVectorcall_NARGS(nargsf), 1, 1) == 0 {
            return null_mut();
        }
        reversed_new_impl(tp.cast(), *args).into_c()
    }
}

unsafe extern "C" fn reversed_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        Py_XDECREF((*slf.cast::<reversedobject>()).seq);
        match (*(*slf).ob_type).tp_free {
            Some(free) => free(slf.cast()),
            None => PyObject_GC_Del(slf.cast()),
        }
    }
}

unsafe extern "C" fn reversed_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*slf.cast::<reversedobject>()).seq);
        0
    }
}

unsafe extern "C" fn reversed_next(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let ro: *mut reversedobject = slf.cast();
        if (*ro).index >= 0 {
            let item = PySequence_GetItem((*ro).seq, (*ro).index);
            if !item.is_null() {
                (*ro).index -= 1;
                return item;
            }
            if PyErr_ExceptionMatches(PyExc_IndexError) != 0 || PyErr_ExceptionMatches(PyExc_StopIteration) != 0 {
                PyErr_Clear();
            }
        }
        (*ro).index = -1;
        setref(&raw mut (*ro).seq, null_mut());
        null_mut()
    }
}

fn reversed_len(slf: Borrowed<'_, reversedobject>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe {
        if slf.seq.is_null() {
            return Ok(0);
        }
        let size = PySequence_Size(slf.seq);
        if size == -1 {
            return Err(Raised::assume());
        }
        let position = slf.index + 1;
        Ok(if size < position { 0 } else { position })
    }
}

fn reversed_reduce(slf: Borrowed<'_, reversedobject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let tp = slf.ob_type().cast();
        if slf.seq.is_null() {
            // Used up: the reverse of an empty tuple.
            let nothing = tuple_of(&[])?;
            return tuple_of(&[tp, tuple_of(&[nothing.as_ptr()])?.as_ptr()]);
        }
        let index = Owned::from_owned_or_err(PyLong_FromSsize_t(slf.index))?;
        tuple_of(&[tp, tuple_of(&[slf.seq])?.as_ptr(), index.as_ptr()])
    }
}

fn reversed_setstate(slf: Borrowed<'_, reversedobject>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let index = PyLong_AsSsize_t(state.ob());
        if index == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if !slf.seq.is_null() {
            let n = PySequence_Size(slf.seq);
            if n < 0 {
                return Err(Raised::assume());
            }
            (*slf.as_ptr()).index = index.min(n - 1).max(-1);
        }
        Ok(())
    }
}

methods! {
    static REVERSED_METHODS = [
        "__length_hint__($self, /)" => reversed_len, "How many items are still to come, as an estimate.";
        "__reduce__($self, /)" => reversed_reduce, "State for pickling.";
        "__setstate__($self, state, /)" => reversed_setstate, "Set the state when unpickling.";
    ];
}

/// The type `reversed`.
#[unsafe(no_mangle)]
pub static mut PyReversed_Type: PyTypeObject = PyTypeObject {
    tp_name: c"reversed".as_ptr(),
    tp_basicsize: size_of::<reversedobject>() as Py_ssize_t,
    tp_dealloc: Some(reversed_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    tp_doc: c"reversed(sequence, /)\n--\n\nAn iterator over the items of a sequence, last first.".as_ptr(),
    tp_traverse: Some(reversed_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(reversed_next),
    tp_methods: (&raw mut REVERSED_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(reversed_new),
    tp_free: Some(PyObject_GC_Del),
    tp_vectorcall: Some(reversed_vectorcall),
    ..TYPE_INIT
};
