//! What instances of classes made at run time share: traversal, clearing, deallocation, `__dict__` and `__weakref__`.

use super::lookup::type_lookup;
use crate::object::{_PyObject_ComputedDictPointer, fn_addr};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::getset;

/// The `PyMemberDef`s that follow a heap type: one for each of its `__slots__`.
///
/// # Safety
/// `tp` is a heap type.
#[inline(always)]
pub unsafe fn heap_type_members(tp: *mut PyTypeObject) -> *mut PyMemberDef {
    // SAFETY: [LAYOUT] items lie at the end of the metaclass's fixed part.
    unsafe { tp.byte_offset((*(*tp).ob_base.ob_base.ob_type).tp_basicsize).cast() }
}

/// The object slots that `tp` itself adds to `op`.
#[inline(always)]
unsafe fn object_slots(tp: *mut PyTypeObject) -> &'static [PyMemberDef] {
    // SAFETY: [TYPE] a heap type with ob_size members; the slice is used while the type is alive.
    unsafe {
        let n = (*tp).ob_base.ob_size;
        if n <= 0 {
            return &[];
        }
        core::slice::from_raw_parts(heap_type_members(tp), n as usize)
    }
}

/// The `tp_traverse` of classes.
pub unsafe extern "C" fn subtype_traverse(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] op's type is a heap type.
    unsafe {
        let tp = (*op).ob_type;
        let mut base = tp;
        while fn_addr((*base).tp_traverse) == subtype_traverse as *const () as usize {
            for member in object_slots(base) {
                if member.type_code == Py_T_OBJECT_EX {
                    py_visit!(visitor, arg; *op.byte_offset(member.offset).cast::<*mut PyObject>());
                }
            }
            base = (*base).tp_base;
        }
        let base_traverse = (*base).tp_traverse;
        if (*tp).tp_dictoffset != (*base).tp_dictoffset {
            if (*tp).tp_flags & Py_TPFLAGS_MANAGED_DICT != 0 {
                let r = _PyObject_VisitManagedDict(op, visitor, arg);
                if r != 0 {
                    return r;
                }
            } else {
                let slot = _PyObject_ComputedDictPointer(op);
                if !slot.is_null() {
                    py_visit!(visitor, arg; *slot);
                }
            }
        }
        // Instances of heap types refer to their type; a heap type's own traverse visits it itself.
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE != 0
            && (base_traverse.is_none() || (*base).tp_flags & Py_TPFLAGS_HEAPTYPE == 0)
        {
            py_visit!(visitor, arg; tp);
        }
        match base_traverse {
            Some(f) => f(op, visitor, arg),
            None => 0,
        }
    }
}

unsafe fn clear_slots(tp: *mut PyTypeObject, op: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        for member in object_slots(tp) {
            if member.type_code == Py_T_OBJECT_EX && member.flags & Py_READONLY == 0 {
                Py_CLEAR(op.byte_offset(member.offset).cast());
            }
        }
    }
}

/// The `tp_clear` of classes.
pub unsafe extern "C" fn subtype_clear(op: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let tp = (*op).ob_type;
        let mut base = tp;
        while fn_addr((*base).tp_clear) == subtype_clear as *const () as usize {
            clear_slots(base, op);
            base = (*base).tp_base;
        }
        if (*tp).tp_flags & Py_TPFLAGS_MANAGED_DICT != 0 {
            if (*base).tp_flags & Py_TPFLAGS_MANAGED_DICT == 0 {
                _PyObject_ClearManagedDict(op);
            }
        } else if (*tp).tp_dictoffset != (*base).tp_dictoffset {
            let slot = _PyObject_ComputedDictPointer(op);
            if !slot.is_null() {
                Py_CLEAR(slot);
            }
        }
        match (*base).tp_clear {
            Some(f) => f(op),
            None => 0,
        }
    }
}

/// The nearest base with a deallocator of its own.
#[inline(always)]
unsafe fn dealloc_base(tp: *mut PyTypeObject) -> *mut PyTypeObject {
    // SAFETY: [ARGS] object ends the chain.
    unsafe {
        let mut base = tp;
        while fn_addr((*base).tp_dealloc) == subtype_dealloc as *const () as usize {
            base = (*base).tp_base;
        }
        base
    }
}

/// Hands `op` to the base's deallocator and releases its type. The type may go away with it, so that nothing of it is
/// read afterwards.
#[inline(always)]
unsafe fn finish_dealloc(op: *mut PyObject, base: *mut PyTypeObject) {
    // SAFETY: [OWN] finalisers may have changed the type: it is read again.
    unsafe {
        let tp = (*op).ob_type;
        let release = (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 && (*base).tp_flags & Py_TPFLAGS_HEAPTYPE == 0;
        (*base).tp_dealloc.unwrap_unchecked()(op);
        if release {
            Py_DECREF(tp.cast());
        }
    }
}

/// The `tp_dealloc` of classes.
pub unsafe extern "C" fn subtype_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN] the count is zero.
    unsafe {
        let tp = (*op).ob_type;
        if (*tp).tp_flags & Py_TPFLAGS_HAVE_GC == 0 {
            if (*tp).tp_finalize.is_some() && PyObject_CallFinalizerFromDealloc(op) < 0 {
                return;
            }
            if let Some(del) = (*tp).tp_del {
                del(op);
                if Py_REFCNT(op) > 0 {
                    return;
                }
            }
            return finish_dealloc(op, dealloc_base(tp));
        }
        crate::gc::gc_untrack(op);
        if !crate::gc::trashcan_begin(op, subtype_dealloc) {
            return;
        }
        subtype_dealloc_gc(op, tp);
        crate::gc::trashcan_end();
    }
}

#[inline(always)]
unsafe fn subtype_dealloc_gc(op: *mut PyObject, tp: *mut PyTypeObject) {
    // SAFETY: [OWN] the object is untracked while weak-reference callbacks run, tracked while finalisers do.
    unsafe {
        let base = dealloc_base(tp);
        let clears_weakrefs = (*tp).tp_weaklistoffset != 0 && (*base).tp_weaklistoffset == 0;
        if (*tp).tp_finalize.is_some() {
            crate::gc::gc_track(op);
            if PyObject_CallFinalizerFromDealloc(op) < 0 {
                return;
            }
            crate::gc::gc_untrack(op);
        }
        if clears_weakrefs {
            PyObject_ClearWeakRefs(op);
        }
        if let Some(del) = (*tp).tp_del {
            crate::gc::gc_track(op);
            del(op);
            if Py_REFCNT(op) > 0 {
                return;
            }
            crate::gc::gc_untrack(op);
        }
        if clears_weakrefs && ((*tp).tp_finalize.is_some() || (*tp).tp_del.is_some()) {
            // The finaliser may have made new ones; their callbacks must not see a half-destroyed object.
            let list: *mut *mut PyWeakReference = PyObject_GET_WEAKREFS_LISTPTR(op).cast();
            while !(*list).is_null() {
                _PyWeakref_ClearRef(*list);
            }
        }
        let mut level = tp;
        while level != base {
            clear_slots(level, op);
            level = (*level).tp_base;
        }
        if (*tp).tp_flags & Py_TPFLAGS_MANAGED_DICT != 0 {
            _PyObject_ClearManagedDict(op);
        } else if (*tp).tp_dictoffset != 0 && (*base).tp_dictoffset == 0 {
            let slot = _PyObject_ComputedDictPointer(op);
            if !slot.is_null() {
                Py_CLEAR(slot);
            }
        }
        // A base that knows about collection untracks the object itself.
        if (*base).tp_flags & Py_TPFLAGS_HAVE_GC != 0 {
            crate::gc::gc_track(op);
        }
        finish_dealloc(op, base);
    }
}

// ---- __dict__ and __weakref__ --------------------------------------------------------------------------------------

/// A built-in base that provides `__dict__` itself.
unsafe fn builtin_base_with_dict(tp: *mut PyTypeObject) -> *mut PyTypeObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut tp = tp;
        while !(*tp).tp_base.is_null() {
            if (*tp).tp_dictoffset != 0 && (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
                return tp;
            }
            tp = (*tp).tp_base;
        }
        null_mut()
    }
}

unsafe fn dict_descr_error(op: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    raise!(PyExc_TypeError, "this __dict__ descriptor does not support '{}' objects", type_name(op))
}

unsafe fn base_dict_descriptor(op: *mut PyObject, base: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let descr = type_lookup(base, intern!("__dict__"));
        if descr.is_null() || (*(*descr).ob_type).tp_descr_set.is_none() {
            return Err(dict_descr_error(op));
        }
        Ok(Owned::from_borrowed(descr))
    }
}

fn subtype_dict(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let op = slf.as_ptr();
        let base = builtin_base_with_dict(slf.ob_type());
        if base.is_null() {
            return Owned::from_owned_or_err(PyObject_GenericGetDict(op, null_mut()));
        }
        let descr = base_dict_descriptor(op, base)?;
        match (*(*descr.as_ptr()).ob_type).tp_descr_get {
            Some(get) => Owned::from_owned_or_err(get(descr.as_ptr(), op, slf.ob_type().cast())),
            None => Err(dict_descr_error(op)),
        }
    }
}

fn subtype_setdict(slf: Borrowed<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let op = slf.as_ptr();
        let value = value.map_or(null_mut(), |v| v.ob());
        let tp = slf.ob_type();
        let base = builtin_base_with_dict(tp);
        if !base.is_null() {
            let descr = base_dict_descriptor(op, base)?;
            return match (*(*descr.as_ptr()).ob_type).tp_descr_set {
                Some(set) => check_status(set(descr.as_ptr(), op, value)),
                None => Err(dict_descr_error(op)),
            };
        }
        if !value.is_null() && PyDict_Check(value) == 0 {
            bail!(PyExc_TypeError, "__dict__ must be set to a dictionary, not a '{}'", type_name(value));
        }
        if (*tp).tp_flags & Py_TPFLAGS_MANAGED_DICT != 0 {
            return check_status(_PyObject_SetManagedDict(op, value));
        }
        let slot = _PyObject_ComputedDictPointer(op);
        if slot.is_null() {
            bail!(PyExc_AttributeError, "This object has no __dict__");
        }
        Py_XINCREF(value);
        setref(slot, value);
        Ok(())
    }
}

fn subtype_getweakref(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if (*slf.ob_type()).tp_weaklistoffset == 0 {
            bail!(PyExc_AttributeError, "This object has no __weakref__");
        }
        let first = *PyObject_GET_WEAKREFS_LISTPTR(slf.as_ptr());
        Ok(Owned::from_borrowed(if first.is_null() { Py_None() } else { first }))
    }
}

// help() shows these two in every class, and texts that people keep have CPython's words.
getset! { pub(super) static SUBTYPE_GETSETS_FULL = [
    "__dict__" => subtype_dict, subtype_setdict, "dictionary for instance variables";
    "__weakref__" => subtype_getweakref, "list of weak references to the object";
]; }
getset! { pub(super) static SUBTYPE_GETSETS_DICT_ONLY = [
    "__dict__" => subtype_dict, subtype_setdict, "dictionary for instance variables";
]; }
getset! { pub(super) static SUBTYPE_GETSETS_WEAKREF_ONLY = [
    "__weakref__" => subtype_getweakref, "list of weak references to the object";
]; }

use crate::object::PyObject_GET_WEAKREFS_LISTPTR;
