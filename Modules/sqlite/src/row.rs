//! Rows that know the names of their columns.

use crate::cursor::Cursor;
use crate::state::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, methods};

/// A row.
#[repr(C)]
struct Row {
    ob_base: PyObject,
    /// The values, a tuple.
    data: *mut PyObject,
    /// The cursor's description, a tuple or `None`.
    description: *mut PyObject,
}
type R<'a> = Borrowed<'a, Row>;

fn row_new(tp: Borrowed<'_, PyTypeObject>, cursor: Borrowed<'_>, data: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] checked; [OWN] a zeroed instance.
    unsafe {
        let state = of_type(tp.as_ptr());
        if PyObject_TypeCheck(cursor.ob(), (*state).CursorType) == 0 {
            return Err(bad_argument("Row", "argument 1", "sqlite3.Cursor", cursor.ob()));
        }
        if PyTuple_Check(data.ob()) == 0 {
            return Err(bad_argument("Row", "argument 2", "tuple", data.ob()));
        }
        let row = taipan_clinic::support::new::<Row>(tp.as_ptr())?;
        let description = (*cursor.ob().cast::<Cursor>()).description;
        (*row.as_ptr()).data = data.to_owned().into_raw();
        (*row.as_ptr()).description = if description.is_null() { none() } else { Owned::from_borrowed(description).into_raw() };
        Ok(row.into_object())
    }
}
unsafe extern "C" fn row_traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let r = slf.cast::<Row>();
        visit_all(slf, &[(*r).data, (*r).description], visit, arg)
    }
}
unsafe extern "C" fn row_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let r = slf.cast::<Row>();
        setref(&raw mut (*r).data, null_mut());
        setref(&raw mut (*r).description, null_mut());
        0
    }
}
unsafe extern "C" fn row_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        row_clear(slf);
        free_instance(slf);
    }
}

/// Names of the columns, lent.
unsafe fn names<'a>(r: R<'a>) -> impl Iterator<Item = *mut PyObject> + use<'a> {
    // SAFETY: [TYPE] a tuple of tuples, or None.
    unsafe {
        let d = r.description;
        let n = if d == Py_None() { 0 } else { PyTuple_Size(d) };
        (0..n).map(move |i| PyTuple_GetItem(PyTuple_GetItem(d, i), 0))
    }
}
fn row_keys(r: R<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        for name in names(r) {
            check_status(PyList_Append(list.as_ptr(), name))?;
        }
        Ok(list)
    }
}
/// Whether a key names a column: ASCII letters of either case are the same.
unsafe fn same_name(key: *mut PyObject, name: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [TYPE] checked.
    unsafe {
        let equal = PyObject_RichCompareBool(key, name, Py_EQ);
        check_status(equal)?;
        if equal > 0 {
            return Ok(true);
        }
        if PyUnicode_Check(name) == 0 {
            return Ok(false);
        }
        let text = |op| -> PyResult<&[u8]> {
            let mut size = 0;
            let p = PyUnicode_AsUTF8AndSize(op, &mut size);
            if p.is_null() {
                PyErr_Clear();
                return Ok(&[]);
            }
            Ok(core::slice::from_raw_parts(p.cast(), size as usize))
        };
        let (a, b) = (text(key)?, text(name)?);
        Ok(!a.is_empty() && a.is_ascii() && b.is_ascii() && a.eq_ignore_ascii_case(b))
    }
}
fn item(r: R<'_>, i: Py_ssize_t) -> PyResult<Owned> {
    // SAFETY: [TYPE] a tuple.
    unsafe { Borrowed::from_ptr_or_err(PyTuple_GetItem(r.data, i)).map(|b| b.to_owned()) }
}
fn subscript(r: R<'_>, key: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyLong_Check(key) != 0 {
            let i = PyNumber_AsSsize_t(key, PyExc_IndexError);
            if i == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            return item(r, if i < 0 { i + PyTuple_Size(r.data) } else { i });
        }
        if PyUnicode_Check(key) != 0 {
            if r.description == Py_None() {
                let shown = Owned::from_owned_or_err(PyObject_Repr(key))?;
                let text = core::ffi::CStr::from_ptr(PyUnicode_AsUTF8(shown.as_ptr())).to_string_lossy().into_owned();
                bail!(PyExc_IndexError, "No item with key {}", text);
            }
            for (i, name) in names(r).enumerate() {
                if same_name(key, name)? {
                    return item(r, i as Py_ssize_t);
                }
            }
            bail!(PyExc_IndexError, "No item with that key");
        }
        if (*key).ob_type == &raw mut PySlice_Type {
            return Owned::from_owned_or_err(PyObject_GetItem(r.data, key));
        }
        bail!(PyExc_IndexError, "Index must be int or string")
    }
}
unsafe extern "C" fn mp_subscript(slf: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    subscript(unsafe { Borrowed::from_ptr(slf.cast()) }, key).into_c()
}
unsafe extern "C" fn sq_item(slf: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE]
    item(unsafe { Borrowed::from_ptr(slf.cast()) }, i).into_c()
}
unsafe extern "C" fn length(slf: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { PyTuple_Size((*slf.cast::<Row>()).data) }
}
unsafe extern "C" fn iter(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { PyObject_GetIter((*slf.cast::<Row>()).data) }
}
unsafe extern "C" fn hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let r = slf.cast::<Row>();
        PyObject_Hash((*r).description) ^ PyObject_Hash((*r).data)
    }
}
unsafe extern "C" fn compare(slf: *mut PyObject, other: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [TYPE] checked.
    unsafe {
        let state = of_type((*slf).ob_type);
        if (op != Py_EQ && op != Py_NE) || PyObject_TypeCheck(other, (*state).RowType) == 0 {
            return Owned::from_borrowed(Py_NotImplemented()).into_raw();
        }
        let (a, b) = (slf.cast::<Row>(), other.cast::<Row>());
        match PyObject_RichCompareBool((*a).description, (*b).description, Py_EQ) {
            e if e < 0 => null_mut(),
            0 => taipan_clinic::support::boolean(op != Py_EQ).into_raw(),
            _ => PyObject_RichCompare((*a).data, (*b).data, op),
        }
    }
}

methods! { static METHODS = [ "keys($self, /)" => row_keys, "The names of the columns."; ]; }

/// Makes the type.
pub fn make(module: Borrowed<'_>) -> PyResult<*mut PyTypeObject> {
    let new: newfunc = constructor!("Row(cursor, data, /)" => row_new);
    // SAFETY: [LAYOUT]
    unsafe {
        let slots = [
            (Py_tp_dealloc, row_dealloc as *mut c_void),
            (Py_tp_hash, hash as *mut c_void),
            (Py_tp_methods, (&raw mut METHODS).cast()),
            (Py_tp_richcompare, compare as *mut c_void),
            (Py_tp_iter, iter as *mut c_void),
            (Py_mp_length, length as *mut c_void),
            (Py_mp_subscript, mp_subscript as *mut c_void),
            (Py_sq_length, length as *mut c_void),
            (Py_sq_item, sq_item as *mut c_void),
            (Py_tp_new, new as *mut c_void),
            (Py_tp_traverse, row_traverse as *mut c_void),
            (Py_tp_clear, row_clear as *mut c_void),
        ];
        make_type(module, c"sqlite3.Row", size_of::<Row>(), Py_TPFLAGS_BASETYPE, &slots)
    }
}
