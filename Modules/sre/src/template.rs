//! Compiled replacements: texts and group numbers in turn.

use crate::matchobject::{MatchObject, group_by_index};
use crate::subject::join;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_objects::gc::{gc_new_var, gc_track};
use taipan_objects::typeobject::TYPE_INIT;

/// A group's number and the text behind it (NULL if empty).
#[repr(C)]
struct Item {
    index: Py_ssize_t,
    literal: *mut PyObject,
}

/// A replacement: a text, then `ob_size` items.
#[repr(C)]
pub struct Template {
    ob_base: PyVarObject,
    literal: *mut PyObject,
    items: [Item; 0],
}

impl Template {
    fn items(&self) -> &[Item] {
        // SAFETY: [LAYOUT] allocated with ob_size items.
        unsafe { core::slice::from_raw_parts((&raw const self.items).cast(), self.ob_base.ob_size as usize) }
    }
    /// The text, if no group is referred to.
    pub fn plain(&self) -> Option<Owned> {
        // SAFETY: [TYPE] set when the object was made.
        if self.items().is_empty() { Some(unsafe { Owned::from_borrowed(self.literal) }) } else { None }
    }
}

fn is_empty(literal: *mut PyObject) -> bool {
    // SAFETY: [ARGS] live.
    unsafe {
        PyUnicode_Check(literal) != 0 && PyUnicode_GET_LENGTH(literal) == 0
            || PyBytes_Check(literal) != 0 && PyBytes_Size(literal) == 0
    }
}

/// `_sre.template`.
pub fn template(_: (), _pattern: Borrowed<'_>, template: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] int conversion of ints and index types may run code: the list is checked at each access.
    unsafe {
        let list = template.ob();
        if PyList_Check(list) == 0 {
            bail!(PyExc_TypeError, "template() argument 2 must be list, not {}", type_name(list));
        }
        let size = PyList_GET_SIZE(list);
        if size & 1 == 0 {
            bail!(PyExc_TypeError, "invalid template");
        }
        let n = size / 2;
        let mut parts = Vec::with_capacity(n as usize);
        for i in 0..n {
            let (index, literal) = (PyList_GetItemRef(list, 2 * i + 1), PyList_GetItemRef(list, 2 * i + 2));
            let index = Owned::from_owned_or_err(index)?;
            let literal = Owned::from_owned_or_err(literal)?;
            let index = PyLong_AsSsize_t(index.as_ptr());
            if index == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            if index < 0 {
                bail!(PyExc_TypeError, "invalid template");
            }
            parts.push((index, literal));
        }
        let first = Owned::from_owned_or_err(PyList_GetItemRef(list, 0))?;
        let t = gc_new_var::<Template>(&raw mut TEMPLATE, n);
        if t.is_null() {
            return Err(Raised::assume());
        }
        (*t).literal = first.into_raw();
        let items = (&raw mut (*t).items).cast::<Item>();
        for (i, (index, literal)) in parts.into_iter().enumerate() {
            let literal = if is_empty(literal.as_ptr()) { null_mut() } else { literal.into_raw() };
            items.add(i).write(Item { index, literal });
        }
        gc_track(t.cast());
        Ok(Owned::from_owned(t.cast()))
    }
}

/// The replacement for match `m`.
pub fn expand(t: Borrowed<'_, Template>, m: Borrowed<'_, MatchObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if let Some(text) = t.plain() {
            return Ok(text);
        }
        let bytes = PyUnicode_Check(t.literal) == 0;
        let mut parts: Vec<Owned> = Vec::with_capacity(1 + 2 * t.items().len());
        parts.push(Owned::from_borrowed(t.literal));
        for item in t.items() {
            if item.index >= m.groups {
                bail!(PyExc_IndexError, "no such group");
            }
            let text = group_by_index(m, item.index, Py_None())?;
            if !text.borrow().is_none() {
                parts.push(text);
            }
            if !item.literal.is_null() {
                parts.push(Owned::from_borrowed(item.literal));
            }
        }
        if !bytes {
            // Owned is a pointer in memory, so the vector is an array of objects.
            let empty = Owned::from_owned_or_err(PyUnicode_FromStringAndSize(c"".as_ptr(), 0))?;
            let joined = _PyUnicode_JoinArray(empty.as_ptr(), parts.as_ptr().cast(), parts.len() as Py_ssize_t);
            return Owned::from_owned_or_err(joined);
        }
        let list = Owned::from_owned_or_err(PyList_New(parts.len() as Py_ssize_t))?;
        for (i, part) in parts.into_iter().enumerate() {
            PyList_SET_ITEM(list.as_ptr(), i as Py_ssize_t, part.into_raw());
        }
        join(true, list)
    }
}

unsafe extern "C" fn traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let t = &*slf.cast::<Template>();
        py_visit!(visit, arg; t.literal);
        for item in t.items() {
            py_visit!(visit, arg; item.literal);
        }
    }
    0
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.cast::<Template>();
        setref(&raw mut (*t).literal, null_mut());
        let items = (&raw mut (*t).items).cast::<Item>();
        for i in 0..(*t).ob_base.ob_size as usize {
            setref(&raw mut (*items.add(i)).literal, null_mut());
        }
    }
    0
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        clear(slf);
        PyObject_GC_Del(slf.cast());
    }
}

/// `_sre.SRE_Template`.
pub static mut TEMPLATE: PyTypeObject = PyTypeObject {
    tp_name: c"_sre.SRE_Template".as_ptr(),
    tp_basicsize: size_of::<Template>() as Py_ssize_t,
    tp_itemsize: size_of::<Item>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    ..TYPE_INIT
};
