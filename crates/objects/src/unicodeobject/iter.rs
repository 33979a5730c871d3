//! Iterators over strings: one for ASCII, one for all others.

use super::layout::*;
use crate::gc::{gc_new, gc_track, gc_untrack};
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::methods;

/// `str_iterator`; `it_seq` is NULL once exhausted.
#[repr(C)]
struct unicodeiterobject {
    ob_base: PyObject,
    it_index: Py_ssize_t,
    it_seq: *mut PyObject,
}

unsafe extern "C" fn unicodeiter_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN] the last reference is gone.
    unsafe {
        gc_untrack(op);
        Py_XDECREF((*op.cast::<unicodeiterobject>()).it_seq);
        PyObject_GC_Del(op.cast());
    }
}

unsafe extern "C" fn unicodeiter_traverse(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        py_visit!(visitor, arg; (*op.cast::<unicodeiterobject>()).it_seq);
    }
    0
}

#[cold]
unsafe fn exhausted(it: *mut unicodeiterobject) -> *mut PyObject {
    // SAFETY: [OWN]
    unsafe { setref(&raw mut (*it).it_seq, null_mut()) };
    null_mut()
}

unsafe extern "C" fn unicodeiter_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let it = op.cast::<unicodeiterobject>();
        let seq = (*it).it_seq;
        if seq.is_null() {
            return null_mut();
        }
        match text_of(seq).at((*it).it_index as usize) {
            Some(c) => {
                (*it).it_index += 1;
                char_str(c).into_c()
            }
            None => exhausted(it),
        }
    }
}

unsafe extern "C" fn unicode_ascii_iter_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] the string is compact ASCII.
    unsafe {
        let it = op.cast::<unicodeiterobject>();
        let seq = (*it).it_seq;
        if seq.is_null() {
            return null_mut();
        }
        if (*it).it_index < length(seq) as isize {
            let c = *seq.cast::<PyASCIIObject>().add(1).cast::<u8>().offset((*it).it_index);
            (*it).it_index += 1;
            return latin1_char_ptr(c & 0x7f);
        }
        exhausted(it)
    }
}

fn unicodeiter_len(it: Borrowed<'_, unicodeiterobject>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    Ok(if it.it_seq.is_null() { 0 } else { unsafe { length(it.it_seq) as isize - it.it_index } })
}

fn unicodeiter_reduce(it: Borrowed<'_, unicodeiterobject>) -> PyResult<Owned> {
    // SAFETY: [GIL] the builtin is fetched first, because that may run code that exhausts the iterator.
    unsafe {
        let iter = Owned::from_owned_or_err(_PyEval_GetBuiltin(intern!("iter")))?;
        if it.it_seq.is_null() {
            return Owned::from_owned_or_err(Py_BuildValue(c"O(O)".as_ptr(), iter.as_ptr(), empty_ptr()));
        }
        Owned::from_owned_or_err(Py_BuildValue(c"O(O)n".as_ptr(), iter.as_ptr(), it.it_seq, it.it_index))
    }
}

fn unicodeiter_setstate(it: Borrowed<'_, unicodeiterobject>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let index = PyLong_AsSsize_t(state.ob());
        if index == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if !it.it_seq.is_null() {
            (*it.as_ptr()).it_index = index.clamp(0, length(it.it_seq) as isize);
        }
    }
    Ok(())
}

methods! {
    static ITER_METHODS = [
        "__length_hint__($self, /)" => unicodeiter_len, "Return how many characters are left.";
        "__reduce__($self, /)" => unicodeiter_reduce, "Return what pickle needs.";
        "__setstate__($self, state, /)" => unicodeiter_setstate, "Move to a position.";
    ];
}

/// Type of iterators over strings that are not ASCII.
#[unsafe(no_mangle)]
pub static mut PyUnicodeIter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"str_iterator".as_ptr(),
    tp_basicsize: size_of::<unicodeiterobject>() as Py_ssize_t,
    tp_dealloc: Some(unicodeiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(unicodeiter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(unicodeiter_next),
    tp_methods: (&raw mut ITER_METHODS).cast(),
    ..TYPE_INIT
};

/// Type of iterators over ASCII strings.
#[unsafe(no_mangle)]
pub static mut _PyUnicodeASCIIIter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"str_ascii_iterator".as_ptr(),
    tp_basicsize: size_of::<unicodeiterobject>() as Py_ssize_t,
    tp_dealloc: Some(unicodeiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(unicodeiter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(unicode_ascii_iter_next),
    tp_methods: (&raw mut ITER_METHODS).cast(),
    ..TYPE_INIT
};

/// `iter(s)`.
pub(super) unsafe extern "C" fn unicode_iter(seq: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] slot of str.
    unsafe {
        let tp = if is_compact_ascii(seq) { &raw mut _PyUnicodeASCIIIter_Type } else { &raw mut PyUnicodeIter_Type };
        let it = gc_new::<unicodeiterobject>(tp);
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
