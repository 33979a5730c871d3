//! `_ctypes.CField`: the descriptor of a structure's or union's member.

use crate::cdata::{CDataObject, free_object, get_value, is_cdata, set_value};
use crate::simple::Access;
use crate::state::class_name;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::getset;

/// A member.
#[repr(C)]
pub struct CFieldObject {
    ob_base: PyObject,
    /// Where it lies.
    pub offset: isize,
    /// Its size; for a bit field, width and first bit.
    pub size: isize,
    /// Its index among the members.
    pub index: isize,
    /// Its type.
    pub proto: *mut PyObject,
    /// Getter and setter where they aren't the type's.
    pub access: Option<Access>,
    /// Whether its own members are seen through it.
    pub anonymous: bool,
}
type Field<'a> = Borrowed<'a, CFieldObject>;

unsafe extern "C" fn descr_set(slf: *mut PyObject, instance: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] called as tp_descr_set.
    unsafe {
        let field = slf.cast::<CFieldObject>();
        (|| {
            if !is_cdata(instance) {
                bail!(PyExc_TypeError, "not a ctype instance");
            }
            if value.is_null() {
                bail!(PyExc_TypeError, "can't delete attribute");
            }
            let address = (*instance.cast::<CDataObject>()).b_ptr.offset((*field).offset);
            set_value(instance, (*field).proto, (*field).access, value, (*field).index, (*field).size, address)
        })()
        .into_c()
    }
}

unsafe extern "C" fn descr_get(slf: *mut PyObject, instance: *mut PyObject, _tp: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] called as tp_descr_get.
    unsafe {
        let field = slf.cast::<CFieldObject>();
        if instance.is_null() {
            Py_INCREF(slf);
            return slf;
        }
        if !is_cdata(instance) {
            let _ = raise!(PyExc_TypeError, "not a ctype instance");
            return null_mut();
        }
        let address = (*instance.cast::<CDataObject>()).b_ptr.offset((*field).offset);
        get_value((*field).proto, (*field).access, instance, (*field).index, (*field).size, address).into_c()
    }
}

fn offset(slf: Field<'_>) -> PyResult<isize> {
    Ok(slf.offset)
}
fn size(slf: Field<'_>) -> PyResult<isize> {
    Ok(slf.size)
}
getset! {
    static GETSET = [
        "offset" => offset, "offset in bytes";
        "size" => size, "size in bytes; width and first bit of a bit field";
    ];
}

unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let r = visit::<PyObject>(type_of(slf).cast(), visitor, arg);
        if r != 0 { r } else { visit::<PyObject>((*slf.cast::<CFieldObject>()).proto, visitor, arg) }
    }
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { Py_XDECREF(core::mem::replace(&mut (*slf.cast::<CFieldObject>()).proto, null_mut())) };
    0
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        clear(slf);
        free_object(slf);
    }
}
unsafe extern "C" fn repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    let field = unsafe { &*slf.cast::<CFieldObject>() };
    let (width, low) = (field.size >> 16, field.size & 0xffff);
    let name = class_name(field.proto);
    let text = if width != 0 {
        format!("<Field type={name}, ofs={}:{low}, bits={width}>", field.offset)
    } else {
        format!("<Field type={name}, ofs={}, size={low}>", field.offset)
    };
    taipan_clinic::support::string(&text).into_c()
}

/// The slots of `CField`.
pub fn slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_dealloc, dealloc as *mut c_void),
        (Py_tp_repr, repr as *mut c_void),
        (Py_tp_doc, c"A member of a structure or union.".as_ptr() as *mut c_void),
        (Py_tp_traverse, traverse as *mut c_void),
        (Py_tp_clear, clear as *mut c_void),
        (Py_tp_getset, (&raw mut GETSET).cast()),
        (Py_tp_descr_get, descr_get as *mut c_void),
        (Py_tp_descr_set, descr_set as *mut c_void),
    ])
}
