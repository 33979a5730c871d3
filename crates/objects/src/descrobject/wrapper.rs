//! `method-wrapper`: a slot wrapper bound to an object.

use super::{T_OBJECT, descr_get_qualname, reduce_as_getattr, wrapperdescr_raw_call};
use crate::object::{gc_new, gc_track, own};
use crate::typeobject::{_PyType_GetDocFromInternalDoc, _PyType_GetTextSignatureFromInternalDoc, TYPE_INIT};
use core::ffi::{c_int, c_void};
use taipan_abi::*;
use taipan_clinic::{getset, members, methods};

type Ob = *mut PyObject;

#[repr(C)]
struct WrapperObject {
    ob_base: PyObject,
    descr: *mut PyWrapperDescrObject,
    slf: Ob,
}

unsafe extern "C" fn wrapper_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        let wp: *mut WrapperObject = op.cast();
        crate::gc::gc_untrack(op);
        if !crate::gc::trashcan_begin(op, wrapper_dealloc) {
            return;
        }
        Py_XDECREF((*wp).descr.cast());
        Py_XDECREF((*wp).slf);
        PyObject_GC_Del(op.cast());
        crate::gc::trashcan_end();
    }
}

unsafe extern "C" fn wrapper_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let wp: *mut WrapperObject = op.cast();
        py_visit!(visitor, arg; (*wp).descr);
        py_visit!(visitor, arg; (*wp).slf);
        0
    }
}

unsafe extern "C" fn wrapper_richcompare(a: Ob, b: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let tp = &raw mut _PyMethodWrapper_Type;
        if (op != Py_EQ && op != Py_NE) || (*a).ob_type != tp || (*b).ob_type != tp {
            return Py_NotImplemented();
        }
        let (a, b): (*mut WrapperObject, *mut WrapperObject) = (a.cast(), b.cast());
        let equal = (*a).descr == (*b).descr && (*a).slf == (*b).slf;
        PyBool_FromLong((equal == (op == Py_EQ)) as _)
    }
}

unsafe extern "C" fn wrapper_hash(op: Ob) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let wp: *mut WrapperObject = op.cast();
        match _Py_HashPointer((*wp).slf.cast()) ^ _Py_HashPointer((*wp).descr.cast()) {
            -1 => -2,
            h => h,
        }
    }
}

unsafe extern "C" fn wrapper_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let wp: *mut WrapperObject = op.cast();
        PyUnicode_FromFormat(
            c"<method-wrapper '%s' of %s object at %p>".as_ptr(),
            (*(*(*wp).descr).d_base).name,
            (*(*(*wp).slf).ob_type).tp_name,
            (*wp).slf,
        )
    }
}

unsafe extern "C" fn wrapper_call(op: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let wp: *mut WrapperObject = op.cast();
        wrapperdescr_raw_call((*wp).descr, (*wp).slf, args, kwargs)
    }
}

type Wp<'a> = Borrowed<'a, WrapperObject>;

fn wrapper_reduce(wp: Wp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { reduce_as_getattr(wp.slf, (*wp.descr).d_common.d_name) }
}
fn wrapper_objclass(wp: Wp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed((*wp.descr).d_common.d_type.cast()) })
}
fn wrapper_name(wp: Wp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { own(PyUnicode_FromString((*(*wp.descr).d_base).name)) }
}
fn wrapper_qualname(wp: Wp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { descr_get_qualname(Borrowed::from_ptr(wp.descr.cast())) }
}
fn wrapper_doc(wp: Wp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let base = (*wp.descr).d_base;
        _PyType_GetDocFromInternalDoc((*base).name, (*base).doc)
    }
}
fn wrapper_text_signature(wp: Wp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let base = (*wp.descr).d_base;
        _PyType_GetTextSignatureFromInternalDoc((*base).name, (*base).doc, 0)
    }
}

methods! { static WRAPPER_METHODS = [
    "__reduce__($self, /)" => wrapper_reduce, "Pickle by object and name.";
]; }
members! { static WRAPPER_MEMBERS = [
    "__self__", T_OBJECT, core::mem::offset_of!(WrapperObject, slf), Py_READONLY, "";
]; }
getset! { static WRAPPER_GETSETS = [
    "__objclass__" => wrapper_objclass, "";
    "__name__" => wrapper_name, "";
    "__qualname__" => wrapper_qualname, "";
    "__doc__" => wrapper_doc, "";
    "__text_signature__" => wrapper_text_signature, "";
]; }

/// `method-wrapper`.
#[unsafe(no_mangle)]
pub static mut _PyMethodWrapper_Type: PyTypeObject = PyTypeObject {
    tp_name: c"method-wrapper".as_ptr(),
    tp_basicsize: size_of::<WrapperObject>() as Py_ssize_t,
    tp_dealloc: Some(wrapper_dealloc),
    tp_repr: Some(wrapper_repr),
    tp_hash: Some(wrapper_hash),
    tp_call: Some(wrapper_call),
    tp_getattro: Some(crate::object::PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(wrapper_traverse),
    tp_richcompare: Some(wrapper_richcompare),
    tp_methods: (&raw mut WRAPPER_METHODS).cast(),
    tp_members: (&raw mut WRAPPER_MEMBERS).cast(),
    tp_getset: (&raw mut WRAPPER_GETSETS).cast(),
    ..TYPE_INIT
};

/// Binds a slot wrapper to an object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyWrapper_New(descr: Ob, slf: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let wp: *mut WrapperObject = match gc_new(&raw mut _PyMethodWrapper_Type) {
            Ok(wp) => wp,
            Err(_) => return core::ptr::null_mut(),
        };
        Py_INCREF(descr);
        Py_INCREF(slf);
        (*wp).descr = descr.cast();
        (*wp).slf = slf;
        gc_track(wp).into_raw()
    }
}
