//! Iterators over a dict, forwards and backwards, over keys, values and items.

use super::*;
use crate::gc::gc_untrack;
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use taipan_clinic::methods;

/// State of an iterator. `len` counts what is still to come; `di_result` is the tuple that item iterators reuse while
/// nobody else holds it.
#[repr(C)]
pub struct dictiterobject {
    ob_base: PyObject,
    di_dict: *mut PyDictObject,
    di_used: Py_ssize_t,
    di_pos: Py_ssize_t,
    di_result: *mut PyObject,
    len: Py_ssize_t,
}

/// A new iterator of type `itertype` over `dict`.
pub(crate) unsafe fn dictiter_new(dict: *mut PyDictObject, itertype: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let di: *mut dictiterobject = gc_new(itertype);
        if di.is_null() {
            return null_mut();
        }
        Py_INCREF(dict.cast());
        (*di).di_dict = dict;
        (*di).di_used = (*dict).ma_used;
        (*di).len = (*dict).ma_used;
        (*di).di_result = null_mut();
        let reversed = itertype == &raw mut PyDictRevIterKey_Type
            || itertype == &raw mut PyDictRevIterValue_Type
            || itertype == &raw mut PyDictRevIterItem_Type;
        (*di).di_pos = match (reversed, (*dict).ma_values.is_null()) {
            (false, _) => 0,
            (true, false) => (*dict).ma_used - 1,
            (true, true) => (*(*dict).ma_keys).dk_nentries - 1,
        };
        if itertype == &raw mut PyDictIterItem_Type || itertype == &raw mut PyDictRevIterItem_Type {
            (*di).di_result = PyTuple_New(2);
            if (*di).di_result.is_null() {
                Py_DECREF(di.cast());
                return null_mut();
            }
            PyTuple_SET_ITEM((*di).di_result, 0, Py_None());
            PyTuple_SET_ITEM((*di).di_result, 1, Py_None());
        }
        gc_track(di.cast());
        di.cast()
    }
}

unsafe extern "C" fn dictiter_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        let di: *mut dictiterobject = slf.cast();
        gc_untrack(slf);
        Py_XDECREF((*di).di_dict.cast());
        Py_XDECREF((*di).di_result);
        PyObject_GC_Del(slf.cast());
    }
}

unsafe extern "C" fn dictiter_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let di: *mut dictiterobject = slf.cast();
        py_visit!(visitor, arg; (*di).di_dict, (*di).di_result);
        0
    }
}

fn dictiter_len(slf: Borrowed<'_, dictiterobject>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe {
        if !slf.di_dict.is_null() && slf.di_used == (*slf.di_dict).ma_used {
            return Ok(slf.len);
        }
    }
    Ok(0)
}

fn dictiter_reduce(slf: Borrowed<'_, dictiterobject>) -> PyResult<Owned> {
    // SAFETY: [TYPE] a second iterator in the same state is run out in place of this one.
    unsafe {
        let list = if slf.di_dict.is_null() {
            Owned::from_owned_or_err(PyList_New(0))?
        } else {
            let twin = Owned::from_owned_or_err(dictiter_new(slf.di_dict, slf.ob_type()))?;
            let di: *mut dictiterobject = twin.as_ptr().cast();
            (*di).di_used = slf.di_used;
            (*di).di_pos = slf.di_pos;
            (*di).len = slf.len;
            Owned::from_owned_or_err(PySequence_List(twin.as_ptr()))?
        };
        let iter = Owned::from_owned_or_err(_PyEval_GetBuiltin(intern!("iter")))?;
        let args = Owned::from_owned_or_err(PyTuple_New(1))?;
        PyTuple_SET_ITEM(args.as_ptr(), 0, list.into_raw());
        let res = Owned::from_owned_or_err(PyTuple_New(2))?;
        PyTuple_SET_ITEM(res.as_ptr(), 0, iter.into_raw());
        PyTuple_SET_ITEM(res.as_ptr(), 1, args.into_raw());
        Ok(res)
    }
}

methods! {
    /// Methods that all dict iterators have.
    static DICTITER_METHODS = [
        "__length_hint__($self, /)" => dictiter_len, "How many items are still to come, as an estimate.";
        "__reduce__($self, /)" => dictiter_reduce, "State for pickling.";
    ];
}

/// Ends the iteration for good.
#[cold]
unsafe fn exhaust(di: *mut dictiterobject) -> Option<(*mut PyObject, *mut PyObject)> {
    // SAFETY: [TYPE]
    unsafe {
        let d = (*di).di_dict;
        (*di).di_dict = null_mut();
        Py_DECREF(d.cast());
        None
    }
}

#[cold]
unsafe fn size_changed(di: *mut dictiterobject) -> Option<(*mut PyObject, *mut PyObject)> {
    let _ = raise!(PyExc_RuntimeError, "dictionary changed size during iteration");
    // SAFETY: [TYPE] -1 never matches again.
    unsafe { (*di).di_used = -1 };
    None
}

/// Next key and value, borrowed.
#[inline(always)]
unsafe fn advance(di: *mut dictiterobject) -> Option<(*mut PyObject, *mut PyObject)> {
    // SAFETY: [TYPE] [LAYOUT]
    unsafe {
        let d = (*di).di_dict;
        if d.is_null() {
            return None;
        }
        if (*di).di_used != (*d).ma_used {
            return size_changed(di);
        }
        let Some((key, value, _)) = dict_next(d, &mut (*di).di_pos) else { return exhaust(di) };
        if (*di).len == 0 {
            let _ = raise!(PyExc_RuntimeError, "dictionary keys changed during iteration");
            return exhaust(di);
        }
        (*di).len -= 1;
        Some((key, value))
    }
}

/// Previous key and value, borrowed.
unsafe fn retreat(di: *mut dictiterobject) -> Option<(*mut PyObject, *mut PyObject)> {
    // SAFETY: [TYPE] [LAYOUT] the position is checked against the table, which may be another by now.
    unsafe {
        let d = (*di).di_dict;
        if d.is_null() {
            return None;
        }
        if (*di).di_used != (*d).ma_used {
            return size_changed(di);
        }
        let keys = (*d).ma_keys;
        let (key, value, mut i);
        if !(*d).ma_values.is_null() {
            i = (*di).di_pos.min((*d).ma_used - 1);
            if i < 0 {
                return exhaust(di);
            }
            let index = *insertion_order((*d).ma_values).offset(i) as isize;
            key = (*dk_unicode_entries(keys).offset(index)).me_key;
            value = *values_of((*d).ma_values).offset(index);
        } else {
            i = (*di).di_pos.min((*keys).dk_nentries - 1);
            loop {
                if i < 0 {
                    return exhaust(di);
                }
                let (_, k, v) = entry_at(keys, i);
                if !(*v).is_null() {
                    (key, value) = (k, *v);
                    break;
                }
                i -= 1;
            }
        }
        (*di).di_pos = i - 1;
        (*di).len -= 1;
        Some((key, value))
    }
}

/// The pair as a tuple: the one used last time, if the iterator is its only owner.
#[inline]
unsafe fn pair(di: *mut dictiterobject, key: *mut PyObject, value: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        Py_INCREF(key);
        Py_INCREF(value);
        let result = (*di).di_result;
        if Py_REFCNT(result) == 1 {
            let old_key = PyTuple_GET_ITEM(result, 0);
            let old_value = PyTuple_GET_ITEM(result, 1);
            PyTuple_SET_ITEM(result, 0, key);
            PyTuple_SET_ITEM(result, 1, value);
            Py_INCREF(result);
            Py_DECREF(old_key);
            Py_DECREF(old_value);
            // The collector may have untracked it, because what it held before wasn't worth tracking.
            if !gc_is_tracked(result) {
                gc_track(result);
            }
            return result;
        }
        let result = PyTuple_New(2);
        if result.is_null() {
            Py_DECREF(key);
            Py_DECREF(value);
            return result;
        }
        PyTuple_SET_ITEM(result, 0, key);
        PyTuple_SET_ITEM(result, 1, value);
        result
    }
}

macro_rules! iternext {
    ($($name:ident, $step:ident, |$di:ident, $k:ident, $v:ident| $get:expr;)*) => { $(
        unsafe extern "C" fn $name(slf: *mut PyObject) -> *mut PyObject {
            // SAFETY: [TYPE]
            unsafe {
                let $di: *mut dictiterobject = slf.cast();
                match $step($di) {
                    Some(($k, $v)) => $get,
                    None => null_mut(),
                }
            }
        }
    )* };
}
iternext! {
    dictiter_iternextkey, advance, |di, k, _v| { Py_INCREF(k); k };
    dictiter_iternextvalue, advance, |di, _k, v| { Py_INCREF(v); v };
    dictiter_iternextitem, advance, |di, k, v| pair(di, k, v);
    dictreviter_iternextkey, retreat, |di, k, _v| { Py_INCREF(k); k };
    dictreviter_iternextvalue, retreat, |di, _k, v| { Py_INCREF(v); v };
    dictreviter_iternextitem, retreat, |di, k, v| pair(di, k, v);
}

macro_rules! iterator_types {
    ($($(#[$m:meta])* $name:ident, $text:literal, $next:ident;)*) => { $(
        $(#[$m])*
        #[unsafe(no_mangle)]
        pub static mut $name: PyTypeObject = PyTypeObject {
            tp_name: $text.as_ptr(),
            tp_basicsize: size_of::<dictiterobject>() as Py_ssize_t,
            tp_dealloc: Some(dictiter_dealloc),
            tp_getattro: Some(PyObject_GenericGetAttr),
            tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
            tp_traverse: Some(dictiter_traverse),
            tp_iter: Some(PyObject_SelfIter),
            tp_iternext: Some($next),
            tp_methods: (&raw mut DICTITER_METHODS).cast(),
            ..TYPE_INIT
        };
    )* };
}
iterator_types! {
    /// Iterates over keys.
    PyDictIterKey_Type, c"dict_keyiterator", dictiter_iternextkey;
    /// Iterates over values.
    PyDictIterValue_Type, c"dict_valueiterator", dictiter_iternextvalue;
    /// Iterates over items.
    PyDictIterItem_Type, c"dict_itemiterator", dictiter_iternextitem;
    /// Iterates over keys, last first.
    PyDictRevIterKey_Type, c"dict_reversekeyiterator", dictreviter_iternextkey;
    /// Iterates over values, last first.
    PyDictRevIterValue_Type, c"dict_reversevalueiterator", dictreviter_iternextvalue;
    /// Iterates over items, last first.
    PyDictRevIterItem_Type, c"dict_reverseitemiterator", dictreviter_iternextitem;
}
