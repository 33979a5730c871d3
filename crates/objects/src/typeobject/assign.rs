//! Assignment to `__bases__` of a class and to `__class__` of an instance.

use super::mro::{MroUpdate, best_base, is_subtype, mro_internal, type_is_subtype_base_chain};
use super::{Py_TPFLAGS_INLINE_VALUES, check_set_special, ready, same, slotdefs, subclasses_of, subtype_dealloc, tuple_items};
use crate::object::{_PyObject_GetManagedDict, err_format, fn_addr, raised};
use core::ptr::null_mut;
use taipan_abi::*;

/// A change of an MRO that can be undone: the class, its new MRO, its old one.
type Change = (Owned<PyTypeObject>, Owned, Option<Owned>);

/// Recomputes the MROs of `tp` and everything below it.
unsafe fn mro_hierarchy(tp: *mut PyTypeObject, changes: &mut Vec<Change>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let old = match mro_internal(tp)? {
            MroUpdate::Reentered => return Ok(()),
            MroUpdate::Done(old) => old,
        };
        changes.push((Owned::from_borrowed(tp), Owned::from_borrowed((*tp).tp_mro), old));
        for sub in subclasses_of(tp) {
            mro_hierarchy(sub.as_ptr(), changes)?;
        }
        Ok(())
    }
}

/// Setter of `type.__bases__`.
pub(super) fn type_set_bases(slf: Borrowed<'_, PyTypeObject>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE] old bases are owned here until the change is final.
    unsafe {
        let tp = slf.as_ptr();
        let new_bases = value.map_or(null_mut(), |v| v.ob());
        check_set_special(tp, new_bases, c"__bases__")?;
        if PyTuple_Check(new_bases) == 0 {
            bail!(PyExc_TypeError, "can only assign tuple to {}.__bases__, not {}", tp_name(tp), type_name(new_bases));
        }
        let items = tuple_items(new_bases);
        if items.is_empty() {
            bail!(PyExc_TypeError, "can only assign non-empty tuple to {}.__bases__, not ()", tp_name(tp));
        }
        for &item in items {
            if PyType_Check(item) == 0 {
                bail!(PyExc_TypeError, "{}.__bases__ must be tuple of classes, not '{}'", tp_name(tp), type_name(item));
            }
            let base: *mut PyTypeObject = item.cast();
            // A custom mro() that re-enters here sees tp_base before the MRO: both chains are checked.
            if is_subtype(base, tp) || (!(*base).tp_mro.is_null() && type_is_subtype_base_chain(base, tp)) {
                bail!(PyExc_TypeError, "a __bases__ item causes an inheritance cycle");
            }
        }
        let new_base = best_base(new_bases)?;
        compatible_for_assignment((*tp).tp_base, new_base, c"__bases__")?;

        let old_bases = Owned::from_owned((*tp).tp_bases);
        let old_base = Owned::from_owned((*tp).tp_base);
        (*tp).tp_bases = Py_NewRef(new_bases);
        (*tp).tp_base = Py_NewRef(new_base.cast()).cast();

        let mut changes = Vec::new();
        if let Err(e) = mro_hierarchy(tp, &mut changes) {
            for (cls, new_mro, old_mro) in changes.into_iter().rev() {
                let cls = cls.as_ptr();
                if (*cls).tp_mro == new_mro.as_ptr() {
                    (*cls).tp_mro = old_mro.map_or(null_mut(), |o| o.into_raw());
                    // The type's own reference to the MRO that is undone.
                    Py_DECREF(new_mro.as_ptr());
                }
            }
            if (*tp).tp_bases == new_bases {
                (*tp).tp_bases = old_bases.into_raw();
                (*tp).tp_base = old_base.into_raw();
                Py_DECREF(new_bases);
                Py_DECREF(new_base.cast());
            }
            return Err(e);
        }
        drop(changes);
        // Nothing to do if code that ran meanwhile has replaced the bases again.
        let mut result = Ok(());
        if (*tp).tp_bases == new_bases {
            ready::remove_all_subclasses(tp, old_bases.as_ptr());
            result = ready::add_all_subclasses(tp, new_bases);
            slotdefs::update_all_slots(tp)?;
        }
        result
    }
}

/// Whether instances of `child` look exactly like those of its base.
unsafe fn compatible_with_tp_base(child: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let parent = (*child).tp_base;
        !parent.is_null()
            && (*child).tp_basicsize == (*parent).tp_basicsize
            && (*child).tp_itemsize == (*parent).tp_itemsize
            && (*child).tp_dictoffset == (*parent).tp_dictoffset
            && (*child).tp_weaklistoffset == (*parent).tp_weaklistoffset
            && ((*child).tp_flags ^ (*parent).tp_flags) & Py_TPFLAGS_HAVE_GC == 0
            && (fn_addr((*child).tp_dealloc) == subtype_dealloc as *const () as usize
                || same((*child).tp_dealloc, (*parent).tp_dealloc))
    }
}

/// Whether two classes with the same base add the same `__slots__` and nothing else.
unsafe fn same_slots_added(a: *mut PyTypeObject, b: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        const WORD: Py_ssize_t = size_of::<*mut PyObject>() as Py_ssize_t;
        let mut size = (*(*a).tp_base).tp_basicsize;
        if (*a).tp_dictoffset == size && (*b).tp_dictoffset == size {
            size += WORD;
        }
        if (*a).tp_weaklistoffset == size && (*b).tp_weaklistoffset == size {
            size += WORD;
        }
        if (*a).tp_flags & (*b).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            return false;
        }
        let slots_a = (*a.cast::<PyHeapTypeObject>()).ht_slots;
        let slots_b = (*b.cast::<PyHeapTypeObject>()).ht_slots;
        if !slots_a.is_null() && !slots_b.is_null() {
            if PyObject_RichCompareBool(slots_a, slots_b, Py_EQ) != 1 {
                return false;
            }
            size += WORD * PyTuple_GET_SIZE(slots_a);
        }
        size == (*a).tp_basicsize && size == (*b).tp_basicsize
    }
}

/// Checks that instances of `old` can become instances of `new` without moving a byte.
unsafe fn compatible_for_assignment(old: *mut PyTypeObject, new: *mut PyTypeObject, attr: &core::ffi::CStr) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if !same((*new).tp_free, (*old).tp_free) {
            return Err(err_format!(
                PyExc_TypeError,
                c"%s assignment: '%s' deallocator differs from '%s'",
                attr.as_ptr(),
                (*new).tp_name,
                (*old).tp_name
            ));
        }
        let (mut new_base, mut old_base) = (new, old);
        while compatible_with_tp_base(new_base) {
            new_base = (*new_base).tp_base;
        }
        while compatible_with_tp_base(old_base) {
            old_base = (*old_base).tp_base;
        }
        let same_layout = new_base == old_base
            || ((*new_base).tp_base == (*old_base).tp_base && !(*new_base).tp_base.is_null() && same_slots_added(new_base, old_base));
        const IN_FRONT_AND_BEHIND: core::ffi::c_ulong = Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF | Py_TPFLAGS_INLINE_VALUES;
        if !same_layout || ((*old).tp_flags ^ (*new).tp_flags) & IN_FRONT_AND_BEHIND != 0 {
            return Err(err_format!(
                PyExc_TypeError,
                c"%s assignment: '%s' object layout differs from '%s'",
                attr.as_ptr(),
                (*new).tp_name,
                (*old).tp_name
            ));
        }
        Ok(())
    }
}

/// Setter of `object.__class__`.
pub(super) fn object_set_class(slf: Borrowed<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let op = slf.as_ptr();
        let Some(value) = value else { bail!(PyExc_TypeError, "can't delete __class__ attribute") };
        if PyType_Check(value.ob()) == 0 {
            bail!(PyExc_TypeError, "__class__ must be set to a class, not '{}' object", type_name(value.ob()));
        }
        let new: *mut PyTypeObject = value.ob().cast();
        check_status(PySys_Audit(c"object.__setattr__".as_ptr(), c"OsO".as_ptr(), op, c"__class__".as_ptr(), value.ob()))?;
        let old = (*op).ob_type;
        let modules = is_subtype(new, &raw mut PyModule_Type) && is_subtype(old, &raw mut PyModule_Type);
        if !modules && ((*new).tp_flags | (*old).tp_flags) & Py_TPFLAGS_IMMUTABLETYPE != 0 {
            bail!(PyExc_TypeError, "__class__ assignment only supported for mutable types or ModuleType subclasses");
        }
        compatible_for_assignment(old, new, c"__class__")?;
        if (*old).tp_flags & Py_TPFLAGS_INLINE_VALUES != 0 {
            // The values are laid out by the old class's keys: they move to a dict of their own.
            let mut dict = _PyObject_GetManagedDict(op);
            if dict.is_null() {
                dict = _PyObject_MaterializeManagedDict(op);
                if dict.is_null() {
                    return Err(raised());
                }
            }
            check_status(_PyDict_DetachFromObject(dict, op))?;
        }
        if (*new).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
            Py_INCREF(new.cast());
        }
        (*op).ob_type = new;
        if (*old).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
            Py_DECREF(old.cast());
        }
        Ok(())
    }
}
