//! Reference counting primitives that differ from `pyo3-ffi`'s only in being always inlined and branch-light, plus
//! helpers for immortal and static objects (PEP 683).

use crate::*;
use core::ffi::{c_int, c_void};

/// Reference count that marks an object immortal (PEP 683; `object.h` of 3.13, 64-bit).
pub const _Py_IMMORTAL_REFCNT: Py_ssize_t = u32::MAX as Py_ssize_t;

/// Header of a statically allocated, immortal object of type `tp`.
pub const fn immortal_head(tp: *mut PyTypeObject) -> PyObject {
    PyObject { ob_refcnt: PyObjectObRefcnt { ob_refcnt: _Py_IMMORTAL_REFCNT }, ob_type: tp }
}

/// Var-sized header of a statically allocated, immortal object of type `tp`.
pub const fn immortal_var_head(tp: *mut PyTypeObject, size: Py_ssize_t) -> PyVarObject {
    PyVarObject { ob_base: immortal_head(tp), ob_size: size }
}

/// Whether `op` is immortal: counting it is a no-op.
///
/// # Safety
/// `op` points to a live object.
#[inline(always)]
pub unsafe fn is_immortal(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS] op is live.
    unsafe { ((*op).ob_refcnt.ob_refcnt as i32) < 0 }
}

/// Makes `op` immortal; its memory is never freed again.
///
/// # Safety
/// `op` points to a live object.
#[inline]
pub unsafe fn set_immortal(op: *mut PyObject) {
    // SAFETY: [ARGS] op is live and the GIL is held.
    unsafe { (*op).ob_refcnt.ob_refcnt = _Py_IMMORTAL_REFCNT }
}

/// A tracer of object creation (event 0) and destruction (event 1).
pub type PyRefTracer = unsafe extern "C" fn(op: *mut PyObject, event: c_int, data: *mut c_void) -> c_int;
/// The tracer that is installed (`PyRefTracer_SetTracer`); guarded by the GIL.
pub static mut REF_TRACER: Option<PyRefTracer> = None;
/// What it is given.
pub static mut REF_TRACER_DATA: *mut c_void = core::ptr::null_mut();

/// Whether there is a tracer.
#[inline(always)]
pub fn references_are_traced() -> bool {
    // SAFETY: [GIL] a plain read.
    unsafe { (&raw const REF_TRACER).read().is_some() }
}

/// Tells the tracer of an object's creation or destruction.
///
/// # Safety
/// [GIL] `op` has its type.
#[cold]
#[inline(never)]
pub unsafe fn trace_reference(op: *mut PyObject, event: c_int) {
    // SAFETY: [GIL]
    unsafe {
        if let Some(tracer) = (&raw const REF_TRACER).read() {
            tracer(op, event, REF_TRACER_DATA);
        }
    }
}

/// Sets the reference count of a new object to one.
///
/// # Safety
/// `op` points to writable memory of at least a header's size, with its type set.
#[inline(always)]
pub unsafe fn _Py_NewReference(op: *mut PyObject) {
    // SAFETY: [ARGS] op is writable.
    unsafe {
        (*op).ob_refcnt.ob_refcnt = 1;
        if references_are_traced() {
            trace_reference(op, 0);
        }
    }
}

/// Initialises the header of freshly allocated memory: count one, type `tp` (counted when it is a heap type).
///
/// # Safety
/// `op` is writable memory of the type's size; `tp` is a ready type.
#[inline(always)]
pub unsafe fn _PyObject_Init(op: *mut PyObject, tp: *mut PyTypeObject) {
    // SAFETY: [ARGS]
    unsafe {
        (*op).ob_type = tp;
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
            Py_INCREF(tp.cast());
        }
        _Py_NewReference(op);
    }
}

/// The type of `op`, by `Py_TYPE`.
///
/// # Safety
/// `op` points to a live object.
#[inline(always)]
pub unsafe fn type_of(op: *mut PyObject) -> *mut PyTypeObject {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type }
}

/// `true` when `op`'s type is `tp` or derives from it.
///
/// # Safety
/// `op` and `tp` are live.
#[inline(always)]
pub unsafe fn is_instance_of(op: *mut PyObject, tp: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let t = (*op).ob_type;
        t == tp || PyType_IsSubtype(t, tp) != 0
    }
}

/// `true` when `tp` has all bits of `flag` set; the cheap subclass checks are made of it.
///
/// # Safety
/// `tp` is live.
#[inline(always)]
pub unsafe fn has_feature(tp: *mut PyTypeObject, flag: core::ffi::c_ulong) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*tp).tp_flags & flag != 0 }
}

/// Replaces the object in `slot` by `new` (stolen, may be NULL) and then releases the old one, which may run any code.
///
/// # Safety
/// `slot` is valid; `new` is NULL or an owned reference.
#[inline(always)]
pub unsafe fn setref<T>(slot: *mut *mut T, new: *mut T) {
    // SAFETY: [ARGS] the slot is updated before foreign code can run.
    unsafe {
        let old = *slot;
        *slot = new;
        Py_XDECREF(old.cast());
    }
}

/// Calls `visit` on `op` if it is not NULL, as `Py_VISIT` does; non-zero stops the traversal.
///
/// # Safety
/// `op` is NULL or live; `visit` accepts `arg`.
#[inline(always)]
pub unsafe fn visit<T>(op: *mut T, visitor: visitproc, arg: *mut c_void) -> c_int {
    if op.is_null() {
        return 0;
    }
    // SAFETY: [ARGS]
    unsafe { visitor(op.cast(), arg) }
}

/// `Py_VISIT` for several fields: returns from the enclosing function as soon as the visitor asks for it.
#[macro_export]
macro_rules! py_visit {
    ($visit:expr, $arg:expr; $($op:expr),+ $(,)?) => {
        $( { let r = $crate::refcount::visit($op, $visit, $arg); if r != 0 { return r; } } )+
    };
}

/// Where an object's managed dictionary or inline-values word lies, in bytes from the object (3.13's layout).
pub const MANAGED_DICT_OFFSET: isize = -24;
/// Where an object's managed list of weak references lies, in bytes from the object.
pub const MANAGED_WEAKREF_OFFSET: isize = -32;
/// Bytes in front of an object whose type has one of the two.
pub const PREHEADER_SIZE: usize = 32;
