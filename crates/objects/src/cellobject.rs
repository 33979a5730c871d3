//! Cells: variables that functions share with those defined inside them.

use crate::object::{gc_new, gc_track};
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, getset};

type Ob = *mut PyObject;
type Cell<'a> = Borrowed<'a, PyCellObject>;

/// A cell that holds a counted reference to `op`, or nothing for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCell_New(op: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let cell: *mut PyCellObject = match gc_new(&raw mut PyCell_Type) {
            Ok(cell) => cell,
            Err(_) => return null_mut(),
        };
        Py_XINCREF(op);
        (*cell).ob_ref = op;
        gc_track(cell).into_raw()
    }
}

/// The content, counted; NULL without an exception when empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCell_Get(op: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if PyCell_Check(op) == 0 {
            PyErr_BadInternalCall();
            return null_mut();
        }
        let value = (*op.cast::<PyCellObject>()).ob_ref;
        Py_XINCREF(value);
        value
    }
}

/// Replaces the content; NULL empties the cell.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCell_Set(op: Ob, value: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyCell_Check(op) == 0 {
            PyErr_BadInternalCall();
            return -1;
        }
        Py_XINCREF(value);
        setref(&raw mut (*op.cast::<PyCellObject>()).ob_ref, value);
        0
    }
}

fn cell_new(_: Borrowed<'_, PyTypeObject>, contents: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyCell_New(contents.map_or(null_mut(), |c| c.ob()))) }
}

unsafe extern "C" fn cell_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        Py_XDECREF((*op.cast::<PyCellObject>()).ob_ref);
        PyObject_GC_Del(op.cast());
    }
}

unsafe extern "C" fn cell_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit((*op.cast::<PyCellObject>()).ob_ref, visitor, arg) }
}

unsafe extern "C" fn cell_clear(op: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe { Py_CLEAR(&raw mut (*op.cast::<PyCellObject>()).ob_ref) };
    0
}

/// Cells compare by content; an empty one is less than any other.
unsafe extern "C" fn cell_richcompare(a: Ob, b: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if PyCell_Check(a) == 0 || PyCell_Check(b) == 0 {
            return Py_NotImplemented();
        }
        let (a, b) = ((*a.cast::<PyCellObject>()).ob_ref, (*b.cast::<PyCellObject>()).ob_ref);
        if !a.is_null() && !b.is_null() {
            return PyObject_RichCompare(a, b, op);
        }
        let (a, b) = (b.is_null(), a.is_null());
        let result = match op {
            Py_LT => !a & b,
            Py_LE => a <= b,
            Py_EQ => a == b,
            Py_NE => a != b,
            Py_GT => a & !b,
            _ => a >= b,
        };
        PyBool_FromLong(result as _)
    }
}

unsafe extern "C" fn cell_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let value = (*op.cast::<PyCellObject>()).ob_ref;
        if value.is_null() {
            return PyUnicode_FromFormat(c"<cell at %p: empty>".as_ptr(), op);
        }
        PyUnicode_FromFormat(c"<cell at %p: %.80s object at %p>".as_ptr(), op, (*(*value).ob_type).tp_name, value)
    }
}

fn get_contents(slf: Cell<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    match unsafe { Owned::from_borrowed_or_opt(slf.ob_ref) } {
        Some(value) => Ok(value),
        None => bail!(PyExc_ValueError, "Cell is empty"),
    }
}

fn set_contents(slf: Cell<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.as_ptr()).ob_ref, value.map_or(null_mut(), |v| v.to_owned().into_raw())) };
    Ok(())
}

getset! { static CELL_GETSETS = [
    "cell_contents" => get_contents, set_contents, "";
]; }

/// `cell`.
#[unsafe(no_mangle)]
pub static mut PyCell_Type: PyTypeObject = PyTypeObject {
    tp_name: c"cell".as_ptr(),
    tp_basicsize: size_of::<PyCellObject>() as Py_ssize_t,
    tp_dealloc: Some(cell_dealloc),
    tp_repr: Some(cell_repr),
    tp_getattro: Some(crate::object::PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"cell([contents])\n--\n\nA variable shared between scopes.\n\n  contents\n    its value; an empty cell if left out".as_ptr(),
    tp_traverse: Some(cell_traverse),
    tp_clear: Some(cell_clear),
    tp_richcompare: Some(cell_richcompare),
    tp_getset: (&raw mut CELL_GETSETS).cast(),
    tp_new: Some(constructor!("cell(contents=<unrepresentable>, /)" => cell_new)),
    ..TYPE_INIT
};
