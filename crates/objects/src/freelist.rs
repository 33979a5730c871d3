//! Free lists: dead objects of one type and size, kept for the next allocation.

use core::ffi::c_ulong;
use taipan_abi::*;

/// Flag of the types that a class pattern with one positional sub-pattern matches as a whole.
pub const _Py_TPFLAGS_MATCH_SELF: c_ulong = 1 << 22;

/// Dead objects linked through the word of their reference count; headers are otherwise intact.
pub struct FreeList {
    head: *mut PyObject,
    len: usize,
}

impl FreeList {
    /// An empty list.
    pub const fn new() -> Self {
        FreeList { head: core::ptr::null_mut(), len: 0 }
    }

    /// Takes an object out, with its reference count set to one; NULL if there is none.
    ///
    /// # Safety
    /// `list` is valid and the GIL is held.
    #[inline(always)]
    pub unsafe fn pop(list: *mut FreeList) -> *mut PyObject {
        // SAFETY: [ARGS] what `push` linked is unused memory of the type's size.
        unsafe {
            let op = (*list).head;
            if !op.is_null() {
                (*list).head = (*op).ob_refcnt.ob_refcnt as *mut PyObject;
                (*list).len -= 1;
                _Py_NewReference(op);
            }
            op
        }
    }

    /// Keeps the dead object `op` unless there are `max` already.
    ///
    /// # Safety
    /// `op` is untracked, holds no references and belongs to the caller.
    #[inline(always)]
    pub unsafe fn push(list: *mut FreeList, op: *mut PyObject, max: usize) -> bool {
        // SAFETY: [ARGS]
        unsafe {
            if (*list).len >= max {
                return false;
            }
            (*op).ob_refcnt.ob_refcnt = (*list).head as Py_ssize_t;
            (*list).head = op;
            (*list).len += 1;
            true
        }
    }

    /// Gives all memory back by `free`.
    ///
    /// # Safety
    /// `free` is what the objects' memory came from.
    pub unsafe fn clear(list: *mut FreeList, free: freefunc) {
        // SAFETY: [ARGS]
        unsafe {
            while !(*list).head.is_null() {
                let op = (*list).head;
                (*list).head = (*op).ob_refcnt.ob_refcnt as *mut PyObject;
                (*list).len -= 1;
                free(op.cast());
            }
        }
    }
}

/// Empties the free lists of this crate's numbers and sequences (a full collection does it).
pub fn clear_free_lists() {
    crate::tupleobject::clear_free_list();
    crate::listobject::clear_free_list();
    crate::floatobject::clear_free_list();
    crate::exceptions::clear_free_list();
}

/// A new, not yet tracked object of the collected type `tp`.
///
/// # Safety
/// `tp` is ready and its instances have a fixed size.
#[inline(always)]
pub unsafe fn gc_new<T>(tp: *mut PyTypeObject) -> *mut T {
    // SAFETY: [ARGS]
    unsafe { crate::gc::gc_new(tp) }
}

/// Starts tracking `op` by the cycle collector.
///
/// # Safety
/// `op` is of a collected type, complete, and not tracked.
#[inline(always)]
pub unsafe fn gc_track<T>(op: *mut T) {
    // SAFETY: [ARGS]
    unsafe { crate::gc::gc_track(op.cast()) }
}

/// Stops tracking `op`.
///
/// # Safety
/// `op` is of a collected type.
#[inline(always)]
pub unsafe fn gc_untrack<T>(op: *mut T) {
    // SAFETY: [ARGS]
    unsafe { crate::gc::gc_untrack(op.cast()) }
}

/// Calls the type's `tp_free` on the dead object `op`.
///
/// # Safety
/// `op` holds no references any more.
#[inline(always)]
pub unsafe fn type_free(op: *mut PyObject) {
    // SAFETY: [ARGS] every ready type has tp_free.
    unsafe {
        if let Some(free) = (*(*op).ob_type).tp_free {
            free(op.cast());
        }
    }
}

/// NULL, for C functions that return an object, once an exception is set.
#[inline(always)]
pub fn null(_: Raised) -> *mut PyObject {
    core::ptr::null_mut()
}

/// -1, for C functions that return a status, once an exception is set.
#[inline(always)]
pub fn fail(_: Raised) -> core::ffi::c_int {
    -1
}
