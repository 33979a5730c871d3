//! `FrameLocalsProxy` (PEP 667): the local variables of a running function as a mapping that writes through.
//!
//! Variables are looked up in the frame's slots (through cells where there is one); names that the function does not
//! have go to a dict of the frame object.

#![allow(clippy::missing_safety_doc, reason = "[GIL] [ARGS]: the contract of CPython's C API")]

use crate::codeobject::{CO_FAST_CELL, CO_FAST_FREE, CO_FAST_HIDDEN, bytes_of};
use crate::defs::*;
use crate::externs::*;
use crate::frame::*;
use crate::stackref::*;
use crate::ceval_prelude::tuple_item;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_objects::typeobject::TYPE_INIT;

/// A view of a frame's variables.
#[repr(C)]
pub struct PyFrameLocalsProxyObject {
    ob_base: PyObject,
    frame: *mut PyFrameObject,
}

unsafe fn frame_of(slf: *mut PyObject) -> *mut PyFrameObject {
    // SAFETY: [TYPE]
    unsafe { (*slf.cast::<PyFrameLocalsProxyObject>()).frame }
}

/// Kind of local `i`.
unsafe fn kind_of(code: *mut PyCodeObject, i: usize) -> u8 {
    // SAFETY: [ARGS]
    unsafe { bytes_of((*code).co_localspluskinds)[i] }
}

unsafe fn is_cell(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { Py_TYPE(op) == &raw mut PyCell_Type }
}

/// Value of local `i`, lent; NULL if unset.
pub unsafe fn local_value(frame: Frame, code: *mut PyCodeObject, i: usize) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let value = (*frame.locals().add(i)).as_ptr();
        // An inlined comprehension's variable may lie where the function has a cell of that name.
        if !value.is_null() && kind_of(code, i) & (CO_FAST_FREE | CO_FAST_CELL) != 0 && is_cell(value) {
            return (*value.cast::<PyCellObject>()).ob_ref;
        }
        value
    }
}

/// Whether a comprehension inlined into module or class code has variables set.
pub unsafe fn has_hidden_locals(frame: Frame) -> bool {
    // SAFETY: [FRAME]
    unsafe {
        let code = frame.code();
        let kinds = bytes_of((*code).co_localspluskinds);
        (0..kinds.len()).any(|i| kinds[i] & CO_FAST_HIDDEN != 0 && !local_value(frame, code, i).is_null())
    }
}

/// The index of the variable `key` if it may be read (`reading`: it is set) or written (it is not hidden).
unsafe fn key_index(frame: *mut PyFrameObject, key: *mut PyObject, reading: bool) -> PyResult<Option<usize>> {
    // SAFETY: [FRAME]
    unsafe {
        let f = (*frame).f_frame;
        let code = f.code();
        let hash = PyObject_Hash(key);
        if hash == -1 {
            return Err(Raised::assume());
        }
        let n = (*code).co_nlocalsplus as usize;
        let usable = |i: usize| {
            if reading { !local_value(f, code, i).is_null() } else { kind_of(code, i) & CO_FAST_HIDDEN == 0 }
        };
        let mut found = false;
        for i in 0..n {
            if tuple_item((*code).co_localsplusnames, i) == key {
                if usable(i) {
                    return Ok(Some(i));
                }
                found = true;
            }
        }
        if found {
            return Ok(None);
        }
        for i in 0..n {
            let name = tuple_item((*code).co_localsplusnames, i);
            if PyObject_Hash(name) != hash {
                continue;
            }
            let same = PyObject_RichCompareBool(name, key, Py_EQ);
            check_status(same)?;
            if same != 0 && usable(i) {
                return Ok(Some(i));
            }
        }
        Ok(None)
    }
}

/// Calls `each` with name and value of each variable that is set, then with the extra ones.
unsafe fn for_each(slf: *mut PyObject, mut each: impl FnMut(*mut PyObject, *mut PyObject) -> PyResult<()>) -> PyResult<()> {
    // SAFETY: [FRAME] values are kept alive while `each` runs.
    unsafe {
        let frame = frame_of(slf);
        let f = (*frame).f_frame;
        let code = f.code();
        for i in 0..(*code).co_nlocalsplus as usize {
            let value = local_value(f, code, i);
            if let Some(value) = Owned::from_borrowed_or_opt(value) {
                each(tuple_item((*code).co_localsplusnames, i), value.as_ptr())?;
            }
        }
        let extra = (*frame).f_extra_locals;
        if !extra.is_null() {
            let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
            while PyDict_Next(extra, &mut pos, &mut key, &mut value) != 0 {
                each(key, value)?;
            }
        }
        Ok(())
    }
}

unsafe extern "C" fn proxy_getitem(slf: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let frame = frame_of(slf);
        match key_index(frame, key, true) {
            Err(_) => return null_mut(),
            Ok(Some(i)) => return Py_NewRef(local_value((*frame).f_frame, (*frame).f_frame.code(), i)),
            Ok(None) => {}
        }
        let extra = (*frame).f_extra_locals;
        if !extra.is_null() {
            let mut value = null_mut();
            if PyDict_GetItemRef(extra, key, &mut value) != 0 {
                return value;
            }
        }
        PyErr_Format(PyExc_KeyError, c"local variable '%R' is not defined".as_ptr(), key);
        null_mut()
    }
}

unsafe extern "C" fn proxy_setitem(slf: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [FRAME]
    unsafe {
        let frame = frame_of(slf);
        let index = match key_index(frame, key, false) {
            Err(_) => return -1,
            Ok(index) => index,
        };
        let Some(i) = index else {
            if (*frame).f_extra_locals.is_null() {
                if value.is_null() {
                    _PyErr_SetKeyError(key);
                    return -1;
                }
                (*frame).f_extra_locals = PyDict_New();
                if (*frame).f_extra_locals.is_null() {
                    return -1;
                }
            }
            let extra = (*frame).f_extra_locals;
            return if value.is_null() { PyDict_DelItem(extra, key) } else { PyDict_SetItem(extra, key, value) };
        };
        if value.is_null() {
            PyErr_SetString(PyExc_ValueError, c"cannot remove local variables from FrameLocalsProxy".as_ptr());
            return -1;
        }
        let f = (*frame).f_frame;
        let slot = f.locals().add(i);
        let old = (*slot).as_ptr();
        if !old.is_null() && kind_of(f.code(), i) & (CO_FAST_FREE | CO_FAST_CELL) != 0 && is_cell(old) {
            setref(&raw mut (*old.cast::<PyCellObject>()).ob_ref, Py_NewRef(value));
        } else if old != value {
            let old = core::mem::replace(&mut *slot, StackRef::from_new(value));
            old.xclose();
        }
        0
    }
}

unsafe fn is_mapping_like(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { PyDict_Check(op) != 0 || Py_TYPE(op) == &raw mut PyFrameLocalsProxy_Type }
}

/// Sets all of `other`'s items; an error may have no exception set.
unsafe fn merge(slf: *mut PyObject, other: *mut PyObject) -> Result<(), ()> {
    // SAFETY: [ARGS]
    unsafe {
        if !is_mapping_like(other) {
            return Err(());
        }
        let items = Owned::from_owned_or_err(PyMapping_Items(other)).map_err(|_| ())?;
        for i in 0..PyList_GET_SIZE(items.as_ptr()) {
            let pair = PyList_GET_ITEM(items.as_ptr(), i);
            if proxy_setitem(slf, tuple_item(pair, 0), tuple_item(pair, 1)) < 0 {
                return Err(());
            }
        }
        Ok(())
    }
}

unsafe fn list_of(slf: *mut PyObject, make: impl Fn(*mut PyObject, *mut PyObject) -> *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(list) = Owned::from_owned_or_err(PyList_New(0)) else { return null_mut() };
        let status = for_each(slf, |name, value| {
            let item = Owned::from_owned_or_err(make(name, value))?;
            check_status(PyList_Append(list.as_ptr(), item.as_ptr()))
        });
        if status.is_err() { null_mut() } else { list.into_raw() }
    }
}

unsafe extern "C" fn proxy_keys(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { list_of(slf, |name, _| Py_NewRef(name)) }
}
unsafe extern "C" fn proxy_values(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { list_of(slf, |_, value| Py_NewRef(value)) }
}
unsafe extern "C" fn proxy_items(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { list_of(slf, |name, value| PyTuple_Pack(2, name, value)) }
}
unsafe extern "C" fn proxy_reversed(slf: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let keys = proxy_keys(slf, args);
        if !keys.is_null() && PyList_Reverse(keys) < 0 {
            Py_DECREF(keys);
            return null_mut();
        }
        keys
    }
}
unsafe extern "C" fn proxy_copy(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(dict) = Owned::from_owned_or_err(PyDict_New()) else { return null_mut() };
        match for_each(slf, |name, value| check_status(PyDict_SetItem(dict.as_ptr(), name, value))) {
            Ok(()) => dict.into_raw(),
            Err(_) => null_mut(),
        }
    }
}
unsafe extern "C" fn proxy_iter(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match Owned::from_owned_or_err(proxy_keys(slf, null_mut())) {
            Ok(keys) => PyObject_GetIter(keys.as_ptr()),
            Err(_) => null_mut(),
        }
    }
}
unsafe extern "C" fn proxy_length(slf: *mut PyObject) -> Py_ssize_t {
    let mut n = 0;
    // SAFETY: [ARGS]
    let status = unsafe {
        for_each(slf, |_, _| {
            n += 1;
            Ok(())
        })
    };
    if status.is_err() { -1 } else { n }
}
unsafe extern "C" fn proxy_contains(slf: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let frame = frame_of(slf);
        match key_index(frame, key, true) {
            Err(_) => -1,
            Ok(Some(_)) => 1,
            Ok(None) if (*frame).f_extra_locals.is_null() => 0,
            Ok(None) => PyDict_Contains((*frame).f_extra_locals, key),
        }
    }
}
unsafe extern "C" fn proxy_contains_method(slf: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match proxy_contains(slf, key) {
            -1 => null_mut(),
            found => PyBool_FromLong(found as _),
        }
    }
}
unsafe extern "C" fn proxy_richcompare(slf: *mut PyObject, other: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if Py_TYPE(other) == &raw mut PyFrameLocalsProxy_Type {
            if op == Py_EQ || op == Py_NE {
                return PyBool_FromLong(((frame_of(slf) == frame_of(other)) == (op == Py_EQ)) as _);
            }
        } else if PyDict_Check(other) != 0 {
            let Ok(dict) = Owned::from_owned_or_err(proxy_copy(slf, null_mut())) else { return null_mut() };
            return PyObject_RichCompare(dict.as_ptr(), other, op);
        }
        Py_NewRef(Py_NotImplemented())
    }
}
unsafe extern "C" fn proxy_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let entered = Py_ReprEnter(slf);
        if entered != 0 {
            return if entered > 0 { PyUnicode_FromString(c"{...}".as_ptr()) } else { null_mut() };
        }
        let text = match Owned::from_owned_or_err(proxy_copy(slf, null_mut())) {
            Ok(dict) => PyObject_Repr(dict.as_ptr()),
            Err(_) => null_mut(),
        };
        Py_ReprLeave(slf);
        text
    }
}
unsafe extern "C" fn proxy_or(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !is_mapping_like(slf) || !is_mapping_like(other) {
            return Py_NewRef(Py_NotImplemented());
        }
        let Ok(dict) = Owned::from_owned_or_err(PyDict_New()) else { return null_mut() };
        if PyDict_Update(dict.as_ptr(), slf) < 0 || PyDict_Update(dict.as_ptr(), other) < 0 {
            return null_mut();
        }
        dict.into_raw()
    }
}
unsafe extern "C" fn proxy_inplace_or(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { if merge(slf, other).is_err() { Py_NewRef(Py_NotImplemented()) } else { Py_NewRef(slf) } }
}
unsafe extern "C" fn proxy_update(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if merge(slf, other).is_err() {
            PyErr_SetString(PyExc_TypeError, c"update() argument must be dict or another FrameLocalsProxy".as_ptr());
            return null_mut();
        }
        Py_NewRef(Py_None())
    }
}

/// The value under the first argument; `missing` is called if there is none.
unsafe fn get_or(
    slf: *mut PyObject,
    args: *mut *mut PyObject,
    nargs: Py_ssize_t,
    what: &core::ffi::CStr,
    missing: impl FnOnce(*mut PyObject, *mut PyObject) -> *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !(1..=2).contains(&nargs) {
            PyErr_SetString(PyExc_TypeError, what.as_ptr());
            return null_mut();
        }
        let value = proxy_getitem(slf, *args);
        if !value.is_null() || PyErr_ExceptionMatches(PyExc_KeyError) == 0 {
            return value;
        }
        PyErr_Clear();
        missing(*args, if nargs == 2 { *args.add(1) } else { Py_None() })
    }
}
unsafe extern "C" fn proxy_get(slf: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { get_or(slf, args, nargs, c"get expected 1 or 2 arguments", |_, default| Py_NewRef(default)) }
}
unsafe extern "C" fn proxy_setdefault(slf: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        get_or(slf, args, nargs, c"setdefault expected 1 or 2 arguments", |key, default| {
            if proxy_setitem(slf, key, default) < 0 { null_mut() } else { Py_NewRef(default) }
        })
    }
}
unsafe extern "C" fn proxy_pop(slf: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if _PyArg_CheckPositional(c"pop".as_ptr(), nargs, 1, 2) == 0 {
            return null_mut();
        }
        let frame = frame_of(slf);
        match key_index(frame, *args, false) {
            Err(_) => return null_mut(),
            Ok(Some(_)) => {
                PyErr_SetString(PyExc_ValueError, c"cannot remove local variables from FrameLocalsProxy".as_ptr());
                return null_mut();
            }
            Ok(None) => {}
        }
        let mut value = null_mut();
        if !(*frame).f_extra_locals.is_null() && PyDict_Pop((*frame).f_extra_locals, *args, &mut value) != 0 {
            return value;
        }
        if nargs == 2 {
            return Py_NewRef(*args.add(1));
        }
        _PyErr_SetKeyError(*args);
        null_mut()
    }
}

unsafe extern "C" fn proxy_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        setref(&raw mut (*slf.cast::<PyFrameLocalsProxyObject>()).frame, null_mut());
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn proxy_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [OWN]
    unsafe { setref(&raw mut (*slf.cast::<PyFrameLocalsProxyObject>()).frame, null_mut()) };
    0
}
unsafe extern "C" fn proxy_traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        py_visit!(visit, arg; frame_of(slf));
        0
    }
}
unsafe extern "C" fn proxy_new(_: *mut PyTypeObject, args: *mut PyObject, kwds: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyTuple_GET_SIZE(args);
        if n != 1 {
            PyErr_Format(PyExc_TypeError, c"FrameLocalsProxy expected 1 argument, got %zd".as_ptr(), n);
            return null_mut();
        }
        let item = PyTuple_GET_ITEM(args, 0);
        if Py_TYPE(item) != &raw mut PyFrame_Type {
            PyErr_Format(PyExc_TypeError, c"expect frame, not %T".as_ptr(), item);
            return null_mut();
        }
        if !kwds.is_null() && PyDict_Size(kwds) != 0 {
            PyErr_SetString(PyExc_TypeError, c"FrameLocalsProxy takes no keyword arguments".as_ptr());
            return null_mut();
        }
        _PyFrameLocalsProxy_New(item.cast())
    }
}

/// The proxy of a frame, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyFrameLocalsProxy_New(frame: *mut PyFrameObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if frame.is_null() {
            return null_mut();
        }
        let proxy: *mut PyFrameLocalsProxyObject = _PyObject_GC_New(&raw mut PyFrameLocalsProxy_Type).cast();
        if proxy.is_null() {
            return null_mut();
        }
        (*proxy).frame = Py_NewRef(frame.cast()).cast();
        PyObject_GC_Track(proxy.cast());
        proxy.cast()
    }
}

const fn coexist(mut def: PyMethodDef) -> PyMethodDef {
    def.ml_flags |= METH_COEXIST;
    def
}
static METHODS: Table<PyMethodDef, 12> = Table::new([
    coexist(one(c"__contains__", proxy_contains_method, c"Whether a variable of this name is set.")),
    coexist(one(c"__getitem__", proxy_getitem, c"The value of a variable.")),
    one(c"update", proxy_update, c"Set the variables that a dict or another proxy holds."),
    noargs(c"__reversed__", proxy_reversed, c"The names, last first."),
    noargs(c"copy", proxy_copy, c"A dict of the variables."),
    noargs(c"keys", proxy_keys, c"The names of the variables that are set."),
    noargs(c"values", proxy_values, c"Their values."),
    noargs(c"items", proxy_items, c"Names and values."),
    fast(c"get", proxy_get, c"The value of a variable, or a default."),
    fast(c"pop", proxy_pop, c"Remove an extra variable and return its value."),
    fast(c"setdefault", proxy_setdefault, c"The value of a variable, set to a default if it is unset."),
    END,
]);
static mut AS_NUMBER: PyNumberMethods = PyNumberMethods { nb_or: Some(proxy_or), nb_inplace_or: Some(proxy_inplace_or), ..NUMBER_INIT };
static mut AS_SEQUENCE: PySequenceMethods = PySequenceMethods { sq_contains: Some(proxy_contains), ..SEQUENCE_INIT };
static mut AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: Some(proxy_length), mp_subscript: Some(proxy_getitem), mp_ass_subscript: Some(proxy_setitem) };

// SAFETY: all fields are optional function pointers.
const NUMBER_INIT: PyNumberMethods = unsafe { core::mem::zeroed() };
// SAFETY: all fields are optional function pointers or unused.
const SEQUENCE_INIT: PySequenceMethods = unsafe { core::mem::zeroed() };

/// `FrameLocalsProxy`.
#[unsafe(no_mangle)]
pub static mut PyFrameLocalsProxy_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"FrameLocalsProxy".as_ptr(),
    tp_basicsize: size_of::<PyFrameLocalsProxyObject>() as Py_ssize_t,
    tp_dealloc: Some(proxy_dealloc),
    tp_repr: Some(proxy_repr),
    tp_as_number: &raw mut AS_NUMBER,
    tp_as_sequence: &raw mut AS_SEQUENCE,
    tp_as_mapping: &raw mut AS_MAPPING,
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_setattro: Some(PyObject_GenericSetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_MAPPING,
    tp_traverse: Some(proxy_traverse),
    tp_clear: Some(proxy_clear),
    tp_richcompare: Some(proxy_richcompare),
    tp_iter: Some(proxy_iter),
    tp_methods: METHODS.ptr(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(proxy_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};
