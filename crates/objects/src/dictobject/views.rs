//! What `keys()`, `values()` and `items()` return: live views of a dict.

use super::*;
use crate::gc::gc_untrack;
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use taipan_clinic::{getset, methods};

/// A view.
#[repr(C)]
pub struct _PyDictViewObject {
    ob_base: PyObject,
    /// The dict looked at.
    pub dv_dict: *mut PyDictObject,
}

type View<'a> = Borrowed<'a, _PyDictViewObject>;

/// A new view of type `tp`.
///
/// # Safety
/// Both are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDictView_New(dict: *mut PyObject, tp: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if dict.is_null() {
            PyErr_BadInternalCall();
            return null_mut();
        }
        if PyDict_Check(dict) == 0 {
            let _ = raise!(PyExc_TypeError, "{}() requires a dict argument, not '{}'", tp_name(tp), type_name(dict));
            return null_mut();
        }
        let dv: *mut _PyDictViewObject = gc_new(tp);
        if dv.is_null() {
            return null_mut();
        }
        Py_INCREF(dict);
        (*dv).dv_dict = dict.cast();
        gc_track(dv.cast());
        dv.cast()
    }
}

unsafe extern "C" fn dictview_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        Py_XDECREF((*slf.cast::<_PyDictViewObject>()).dv_dict.cast());
        PyObject_GC_Del(slf.cast());
    }
}

unsafe extern "C" fn dictview_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*slf.cast::<_PyDictViewObject>()).dv_dict);
        0
    }
}

unsafe extern "C" fn dictview_len(slf: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe {
        let d = (*slf.cast::<_PyDictViewObject>()).dv_dict;
        if d.is_null() { 0 } else { (*d).ma_used }
    }
}

fn dictview_mapping(slf: View<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(PyDictProxy_New(slf.dv_dict.cast())) }
}

getset! {
    static DICTVIEW_GETSET = [
        "mapping" => dictview_mapping, "The dictionary that this view refers to.";
    ];
}

unsafe extern "C" fn dictview_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let rc = Py_ReprEnter(slf);
        if rc != 0 {
            return if rc > 0 { PyUnicode_FromString(c"...".as_ptr()) } else { null_mut() };
        }
        let seq = PySequence_List(slf);
        let mut result = null_mut();
        if !seq.is_null() {
            result = PyUnicode_FromFormat(c"%s(%R)".as_ptr(), (*(*slf).ob_type).tp_name, seq);
            Py_DECREF(seq);
        }
        Py_ReprLeave(slf);
        result
    }
}

unsafe fn is_keys(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_instance_of(op, &raw mut PyDictKeys_Type) }
}
unsafe fn is_items(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_instance_of(op, &raw mut PyDictItems_Type) }
}
unsafe fn is_view_set(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_keys(op) || is_items(op) }
}

/// Whether all items of one are in the other.
unsafe fn all_contained_in(slf: *mut PyObject, other: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let iter = Owned::from_owned_or_err(PyObject_GetIter(slf))?;
        loop {
            let Some(next) = Owned::from_owned_or_opt(PyIter_Next(iter.as_ptr())) else {
                if err_occurred() {
                    return Err(Raised::assume());
                }
                return Ok(true);
            };
            let ok = PySequence_Contains(other, next.as_ptr());
            if ok <= 0 {
                check_status(ok)?;
                return Ok(false);
            }
        }
    }
}

unsafe extern "C" fn dictview_richcompare(slf: *mut PyObject, other: *mut PyObject, op: c_int) -> *mut PyObject {
    unsafe fn compare(slf: *mut PyObject, other: *mut PyObject, op: c_int) -> PyResult<bool> {
        // SAFETY: [ARGS]
        unsafe {
            let a = PyObject_Size(slf);
            let b = PyObject_Size(other);
            if a < 0 || b < 0 {
                return Err(Raised::assume());
            }
            match op {
                Py_EQ => Ok(a == b && all_contained_in(slf, other)?),
                Py_NE => Ok(!(a == b && all_contained_in(slf, other)?)),
                Py_LT => Ok(a < b && all_contained_in(slf, other)?),
                Py_LE => Ok(a <= b && all_contained_in(slf, other)?),
                Py_GT => Ok(a > b && all_contained_in(other, slf)?),
                _ => Ok(a >= b && all_contained_in(other, slf)?),
            }
        }
    }
    // SAFETY: [TYPE]
    unsafe {
        if PyAnySet_Check(other) == 0 && !is_view_set(other) {
            return Py_NotImplemented();
        }
        match compare(slf, other, op) {
            Ok(true) => Py_True(),
            Ok(false) => Py_False(),
            Err(_) => null_mut(),
        }
    }
}

/// A new set of the view's items.
unsafe fn dictviews_to_set(slf: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE] a set made from an exact dict needn't hash.
    unsafe {
        let mut left = slf;
        if is_keys(slf) {
            let dict = (*slf.cast::<_PyDictViewObject>()).dv_dict.cast();
            if PyDict_CheckExact(dict) != 0 {
                left = dict;
            }
        }
        Owned::from_owned_or_err(PySet_New(left))
    }
}

unsafe fn call_one(op: *mut PyObject, name: *mut PyObject, arg: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyObject_CallMethodOneArg(op, name, arg)) }
}

unsafe extern "C" fn dictviews_sub(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(result) = dictviews_to_set(slf) else { return null_mut() };
        match call_one(result.as_ptr(), intern!("difference_update"), other) {
            Ok(_) => result.into_raw(),
            Err(_) => null_mut(),
        }
    }
}

unsafe extern "C" fn dictviews_or(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(result) = dictviews_to_set(slf) else { return null_mut() };
        if _PySet_Update(result.as_ptr(), other) < 0 {
            return null_mut();
        }
        result.into_raw()
    }
}

/// `view & other`.
///
/// # Safety
/// One of the two is a view of keys or items.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDictView_Intersect(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    unsafe fn intersect(mut slf: *mut PyObject, mut other: *mut PyObject) -> PyResult<Owned> {
        // SAFETY: [ARGS]
        unsafe {
            if !is_view_set(slf) {
                (slf, other) = (other, slf);
            }
            let len_self = dictview_len(slf);
            if PySet_CheckExact(other) != 0 && len_self <= PyObject_Size(other) {
                return call_one(other, intern!("intersection"), slf);
            }
            // The longer one is asked, the shorter one walked through.
            if is_view_set(other) && dictview_len(other) > len_self {
                (slf, other) = (other, slf);
            }
            let result = Owned::from_owned_or_err(PySet_New(null_mut()))?;
            let it = Owned::from_owned_or_err(PyObject_GetIter(other))?;
            while let Some(key) = Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
                let rv =
                    if is_keys(slf) { dictkeys_contains(slf, key.as_ptr()) } else { dictitems_contains(slf, key.as_ptr()) };
                check_status(rv)?;
                if rv != 0 {
                    check_status(PySet_Add(result.as_ptr(), key.as_ptr()))?;
                }
            }
            if err_occurred() {
                return Err(Raised::assume());
            }
            Ok(result)
        }
    }
    // SAFETY: [ARGS]
    unsafe { intersect(slf, other).into_c() }
}

/// `d1.items() ^ d2.items()` without hashing the values that are in both.
unsafe fn dictitems_xor(slf: *mut PyObject, other: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE] both are views of items.
    unsafe {
        let (mut d1, mut d2) =
            ((*slf.cast::<_PyDictViewObject>()).dv_dict, (*other.cast::<_PyDictViewObject>()).dv_dict);
        if (*d1).ma_used > (*d2).ma_used {
            (d1, d2) = (d2, d1);
        }
        let temp = copy(d1.cast())?;
        let tp: *mut PyDictObject = temp.as_ptr().cast();
        let result = Owned::from_owned_or_err(PySet_New(null_mut()))?;
        let mut pos = 0;
        while let Some((key, val2, hash)) = dict_next(d2, &mut pos) {
            let (key, val2) = (Owned::from_borrowed(key), Owned::from_borrowed(val2));
            let (ix, val1) = dict_lookup(tp, key.as_ptr(), hash);
            if ix == DKIX_ERROR {
                return Err(Raised::assume());
            }
            let mut same = 0;
            if let Some(val1) = Owned::from_borrowed_or_opt(val1) {
                same = PyObject_RichCompareBool(val1.as_ptr(), val2.as_ptr(), Py_EQ);
                check_status(same)?;
            }
            if same != 0 {
                delitem_known_hash(tp, key.as_ptr(), hash)?;
            } else {
                let pair = [key.as_ptr(), val2.as_ptr()];
                let pair = Owned::from_owned_or_err(_PyTuple_FromArray(pair.as_ptr(), 2))?;
                check_status(PySet_Add(result.as_ptr(), pair.as_ptr()))?;
            }
        }
        let rest = Owned::from_owned_or_err(PyDict_Items(temp.as_ptr()))?;
        check_status(_PySet_Update(result.as_ptr(), rest.as_ptr()))?;
        Ok(result)
    }
}

unsafe extern "C" fn dictviews_xor(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if is_items(slf) && is_items(other) {
            return dictitems_xor(slf, other).into_c();
        }
        let Ok(result) = dictviews_to_set(slf) else { return null_mut() };
        match call_one(result.as_ptr(), intern!("symmetric_difference_update"), other) {
            Ok(_) => result.into_raw(),
            Err(_) => null_mut(),
        }
    }
}

fn dictviews_isdisjoint(slf: View<'_>, other: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe {
        let (mut slf, mut other) = (slf.ob(), other.ob());
        if slf == other {
            return Ok(dictview_len(slf) == 0);
        }
        // Only a set answers membership quickly, so only then the shorter one is walked through.
        if PyAnySet_Check(other) != 0 || is_view_set(other) {
            let n = PyObject_Size(other);
            if n < 0 {
                return Err(Raised::assume());
            }
            if n > dictview_len(slf) {
                (slf, other) = (other, slf);
            }
        }
        let it = Owned::from_owned_or_err(PyObject_GetIter(other))?;
        while let Some(item) = Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
            let found = PySequence_Contains(slf, item.as_ptr());
            check_status(found)?;
            if found != 0 {
                return Ok(false);
            }
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        Ok(true)
    }
}

unsafe extern "C" fn dictkeys_contains(slf: *mut PyObject, obj: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let d = (*slf.cast::<_PyDictViewObject>()).dv_dict;
        if d.is_null() { 0 } else { contains(d, obj).into_c() }
    }
}

unsafe extern "C" fn dictitems_contains(slf: *mut PyObject, obj: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let d = (*slf.cast::<_PyDictViewObject>()).dv_dict;
        if d.is_null() || PyTuple_Check(obj) == 0 || PyTuple_GET_SIZE(obj) != 2 {
            return 0;
        }
        match getitem(d, PyTuple_GET_ITEM(obj, 0)) {
            Ok(Some(found)) => PyObject_RichCompareBool(found.as_ptr(), PyTuple_GET_ITEM(obj, 1), Py_EQ),
            Ok(None) => 0,
            Err(_) => -1,
        }
    }
}

macro_rules! view_iters {
    ($($iter:ident, $reversed:ident, $forward_type:ident, $reverse_type:ident;)*) => { $(
        unsafe extern "C" fn $iter(slf: *mut PyObject) -> *mut PyObject {
            // SAFETY: [TYPE]
            unsafe {
                let d = (*slf.cast::<_PyDictViewObject>()).dv_dict;
                if d.is_null() { Py_None() } else { dictiter_new(d, &raw mut $forward_type) }
            }
        }
        fn $reversed(slf: View<'_>) -> PyResult<Owned> {
            // SAFETY: [TYPE]
            unsafe {
                if slf.dv_dict.is_null() {
                    return Ok(Owned::from_borrowed(Py_None()));
                }
                Owned::from_owned_or_err(dictiter_new(slf.dv_dict, &raw mut $reverse_type))
            }
        }
    )* };
}
view_iters! {
    dictkeys_iter, dictkeys_reversed, PyDictIterKey_Type, PyDictRevIterKey_Type;
    dictitems_iter, dictitems_reversed, PyDictIterItem_Type, PyDictRevIterItem_Type;
    dictvalues_iter, dictvalues_reversed, PyDictIterValue_Type, PyDictRevIterValue_Type;
}

// SAFETY: all-zero is valid: no functions.
const NB: PyNumberMethods = unsafe { core::mem::zeroed() };
// SAFETY: as above.
const SQ: PySequenceMethods = unsafe { core::mem::zeroed() };

static mut DICTVIEWS_AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_subtract: Some(dictviews_sub),
    nb_and: Some(_PyDictView_Intersect),
    nb_xor: Some(dictviews_xor),
    nb_or: Some(dictviews_or),
    ..NB
};
static mut DICTKEYS_AS_SEQUENCE: PySequenceMethods =
    PySequenceMethods { sq_length: Some(dictview_len), sq_contains: Some(dictkeys_contains), ..SQ };
static mut DICTITEMS_AS_SEQUENCE: PySequenceMethods =
    PySequenceMethods { sq_length: Some(dictview_len), sq_contains: Some(dictitems_contains), ..SQ };
static mut DICTVALUES_AS_SEQUENCE: PySequenceMethods = PySequenceMethods { sq_length: Some(dictview_len), ..SQ };

methods! {
    static DICTKEYS_METHODS = [
        "isdisjoint($self, other, /)" => dictviews_isdisjoint, "Whether the view and the iterable have nothing in common.";
        "__reversed__($self, /)" => dictkeys_reversed, "An iterator over the keys, last first.";
    ];
}
methods! {
    static DICTITEMS_METHODS = [
        "isdisjoint($self, other, /)" => dictviews_isdisjoint, "Whether the view and the iterable have nothing in common.";
        "__reversed__($self, /)" => dictitems_reversed, "An iterator over the items, last first.";
    ];
}
methods! {
    static DICTVALUES_METHODS = [
        "__reversed__($self, /)" => dictvalues_reversed, "An iterator over the values, last first.";
    ];
}

const VIEW: PyTypeObject = PyTypeObject {
    tp_basicsize: size_of::<_PyDictViewObject>() as Py_ssize_t,
    tp_dealloc: Some(dictview_dealloc),
    tp_repr: Some(dictview_repr),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(dictview_traverse),
    ..TYPE_INIT
};

/// The type of `d.keys()`.
#[unsafe(no_mangle)]
pub static mut PyDictKeys_Type: PyTypeObject = PyTypeObject {
    tp_name: c"dict_keys".as_ptr(),
    tp_as_number: &raw mut DICTVIEWS_AS_NUMBER,
    tp_as_sequence: &raw mut DICTKEYS_AS_SEQUENCE,
    tp_richcompare: Some(dictview_richcompare),
    tp_iter: Some(dictkeys_iter),
    tp_methods: (&raw mut DICTKEYS_METHODS).cast(),
    tp_getset: (&raw mut DICTVIEW_GETSET).cast(),
    ..VIEW
};

/// The type of `d.items()`.
#[unsafe(no_mangle)]
pub static mut PyDictItems_Type: PyTypeObject = PyTypeObject {
    tp_name: c"dict_items".as_ptr(),
    tp_as_number: &raw mut DICTVIEWS_AS_NUMBER,
    tp_as_sequence: &raw mut DICTITEMS_AS_SEQUENCE,
    tp_richcompare: Some(dictview_richcompare),
    tp_iter: Some(dictitems_iter),
    tp_methods: (&raw mut DICTITEMS_METHODS).cast(),
    tp_getset: (&raw mut DICTVIEW_GETSET).cast(),
    ..VIEW
};

/// The type of `d.values()`.
#[unsafe(no_mangle)]
pub static mut PyDictValues_Type: PyTypeObject = PyTypeObject {
    tp_name: c"dict_values".as_ptr(),
    tp_as_sequence: &raw mut DICTVALUES_AS_SEQUENCE,
    tp_iter: Some(dictvalues_iter),
    tp_methods: (&raw mut DICTVALUES_METHODS).cast(),
    tp_getset: (&raw mut DICTVIEW_GETSET).cast(),
    ..VIEW
};
