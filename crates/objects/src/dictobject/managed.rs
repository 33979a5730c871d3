//! Instance attributes: the inline values behind an object, and the managed dict in front of it.
//!
//! An object whose class has `Py_TPFLAGS_INLINE_VALUES` keeps its attributes in a [`PyDictValues`] right behind its
//! header, under the names in the class's shared keys. A dict is made only when somebody asks for `__dict__`; it then
//! uses the same values until it outgrows them or the object dies.

use super::*;
use crate::object::_PyObject_ComputedDictPointer;
use core::ffi::{c_int, c_void};

/// The class's instances keep their attributes inline.
pub const Py_TPFLAGS_INLINE_VALUES: core::ffi::c_ulong = 1 << 2;

/// The keys that instances of a heap type share.
///
/// # Safety
/// `tp` is a heap type.
#[inline(always)]
pub unsafe fn cached_keys(tp: *mut PyTypeObject) -> *mut PyDictKeysObject {
    // SAFETY: [TYPE] a heap type.
    unsafe { (*tp.cast::<PyHeapTypeObject>()).ht_cached_keys.cast() }
}

/// The inline values of an object whose type has them.
///
/// # Safety
/// Its type has `Py_TPFLAGS_INLINE_VALUES`, so it has no fields of its own.
#[inline(always)]
pub unsafe fn inline_values(op: *mut PyObject) -> *mut PyDictValues {
    // SAFETY: [LAYOUT] they follow the header.
    unsafe { op.add(1).cast() }
}

/// The pointer to the managed dict.
///
/// # Safety
/// The object's type has `Py_TPFLAGS_MANAGED_DICT`.
#[inline(always)]
pub unsafe fn managed_dict_pointer(op: *mut PyObject) -> *mut *mut PyDictObject {
    // SAFETY: [LAYOUT] it lies in front of the object.
    unsafe { op.byte_offset(MANAGED_DICT_OFFSET).cast() }
}

/// A table of exactly the names given, for dicts that [`dict_of_values`] makes. NULL with an exception.
///
/// # Safety
/// [GIL] `names` are exact strs, at most [`SHARED_KEYS_MAX_SIZE`] and each but once.
pub unsafe fn shared_keys_of_names(names: &[*mut PyObject]) -> *mut PyDictKeysObject {
    // SAFETY: [LAYOUT] the table has room for all.
    unsafe {
        debug_assert!(names.len() <= SHARED_KEYS_MAX_SIZE);
        let keys = new_keys_object(estimate_log2_keysize(names.len()), true);
        if keys.is_null() {
            return keys;
        }
        (*keys).dk_kind = DICT_KEYS_SPLIT;
        for &name in names {
            let hash = hash_of(name);
            if hash == -1 {
                dictkeys_decref(keys);
                return null_mut();
            }
            insert_split_key(keys, name, hash);
        }
        // Dicts that get another name leave the table.
        (*keys).dk_usable = 0;
        keys
    }
}

/// A dict of the names of a table and a value for each, in their order. The values are taken over even if it fails: NULL
/// with MemoryError.
///
/// # Safety
/// [OWN] `keys` comes from [`shared_keys_of_names`] and has as many names as there are values.
pub unsafe fn dict_of_values(keys: *mut PyDictKeysObject, values: &[*mut PyObject]) -> *mut PyObject {
    // SAFETY: [LAYOUT] a block with one slot a name.
    unsafe {
        let n = values.len();
        debug_assert_eq!(shared_keys_usable_size(keys), n);
        let block = new_values(n);
        let mut dict = null_mut();
        if !block.is_null() {
            core::ptr::copy_nonoverlapping(values.as_ptr(), values_of(block), n);
            for i in 0..n {
                *insertion_order(block).add(i) = i as u8;
            }
            (*block).size = n as u8;
            dictkeys_incref(keys);
            dict = new_dict(keys, block, n as Py_ssize_t, true);
        }
        if dict.is_null() {
            values.iter().for_each(|v| Py_DECREF(*v));
            return PyErr_NoMemory();
        }
        if values.iter().any(|v| gc_may_be_tracked(*v)) {
            gc_track(dict);
        }
        dict
    }
}

#[inline(always)]
unsafe fn has(tp: *mut PyTypeObject, flag: core::ffi::c_ulong) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*tp).tp_flags & flag != 0 }
}

/// Bytes that inline values add to an instance of `tp` made now.
///
/// # Safety
/// `tp` is a heap type with `Py_TPFLAGS_INLINE_VALUES`.
#[inline]
pub unsafe fn _PyInlineValuesSize(tp: *mut PyTypeObject) -> usize {
    // SAFETY: [ARGS]
    unsafe { values_size_from_count(shared_keys_usable_size(cached_keys(tp))) }
}

/// Prepares the inline values of a new object. Each object made leaves less room for further shared names, so that
/// classes whose instances differ don't waste memory.
///
/// # Safety
/// `op` was allocated with room for them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_InitInlineValues(op: *mut PyObject, tp: *mut PyTypeObject) {
    // SAFETY: [LAYOUT]
    unsafe {
        let keys = cached_keys(tp);
        if (*keys).dk_usable > 1 {
            (*keys).dk_usable -= 1;
        }
        let size = shared_keys_usable_size(keys);
        let values = inline_values(op);
        (*values).capacity = size as u8;
        (*values).size = 0;
        (*values).embedded = 1;
        (*values).valid = 1;
        values_of(values).write_bytes(0, size);
        *managed_dict_pointer(op) = null_mut();
    }
}

/// A dict over existing values.
unsafe fn make_dict_from_instance_attributes(keys: *mut PyDictKeysObject, values: *mut PyDictValues) -> *mut PyDictObject {
    // SAFETY: [LAYOUT]
    unsafe {
        dictkeys_incref(keys);
        let (mut used, mut track) = (0, false);
        for i in 0..shared_keys_usable_size(keys).min((*values).capacity as usize) {
            let v = *values_of(values).add(i);
            if !v.is_null() {
                used += 1;
                track = track || gc_may_be_tracked(v);
            }
        }
        let res = new_dict(keys, values, used, false);
        if track && !res.is_null() {
            gc_track(res);
        }
        res.cast()
    }
}

/// The managed dict, made if the object has none yet; borrowed, NULL with an exception.
///
/// # Safety
/// The object's type has inline values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_MaterializeManagedDict(op: *mut PyObject) -> *mut PyDictObject {
    // SAFETY: [LAYOUT]
    unsafe {
        let slot = managed_dict_pointer(op);
        if !(*slot).is_null() {
            return *slot;
        }
        let values = inline_values(op);
        let dict = if (*values).valid != 0 {
            make_dict_from_instance_attributes(cached_keys((*op).ob_type), values)
        } else {
            PyDict_New().cast()
        };
        *slot = dict;
        dict
    }
}

/// Sets or (NULL) deletes an attribute while the inline values are in use.
unsafe fn store_instance_attr(
    op: *mut PyObject,
    values: *mut PyDictValues,
    name: *mut PyObject,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: [LAYOUT]
    unsafe {
        let keys = cached_keys((*op).ob_type);
        let mut ix = DKIX_EMPTY;
        if unicode_exact(name) {
            let hash = hash_of(name);
            ix = insert_split_key(keys, name, hash);
        }
        let dict = *managed_dict_pointer(op);
        if ix == DKIX_EMPTY {
            if !dict.is_null() {
                return _PyDict_SetItem_LockHeld(dict, name, value);
            }
            let dict = make_dict_from_instance_attributes(keys, values);
            if dict.is_null() {
                return -1;
            }
            if _PyDict_SetItem_LockHeld(dict, name, value) < 0 {
                // The values go on belonging to the object.
                Py_DECREF(dict.cast());
                return -1;
            }
            *managed_dict_pointer(op) = dict;
            return 0;
        }
        let slot = values_of(values).offset(ix);
        let old = *slot;
        if old.is_null() && value.is_null() {
            PyErr_Format(
                PyExc_AttributeError,
                c"'%.100s' object has no attribute '%U'".as_ptr(),
                (*(*op).ob_type).tp_name,
                name,
            );
            return -1;
        }
        if !dict.is_null() {
            let event = if old.is_null() {
                PyDict_EVENT_ADDED
            } else if value.is_null() {
                PyDict_EVENT_DELETED
            } else {
                PyDict_EVENT_MODIFIED
            };
            (*dict).ma_version_tag = notify_event(event, dict, name, value);
            if !value.is_null() {
                maintain_tracking(dict, name, value);
            }
        }
        Py_XINCREF(value);
        *slot = value;
        if old.is_null() {
            add_to_insertion_order(values, ix);
            if !dict.is_null() {
                (*dict).ma_used += 1;
            }
        } else {
            if value.is_null() {
                delete_index_from_values(values, ix);
                if !dict.is_null() {
                    (*dict).ma_used -= 1;
                }
            }
            Py_DECREF(old);
        }
        0
    }
}

/// Sets or (NULL) deletes an attribute of an object whose type has inline values.
///
/// # Safety
/// The object's type has `Py_TPFLAGS_INLINE_VALUES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_StoreInstanceAttribute(
    op: *mut PyObject,
    name: *mut PyObject,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: [LAYOUT]
    unsafe {
        let values = inline_values(op);
        if (*values).valid != 0 {
            return store_instance_attr(op, values, name, value);
        }
        let mut dict = (*managed_dict_pointer(op)).cast::<PyObject>();
        if dict.is_null() {
            dict = PyObject_GenericGetDict(op, null_mut());
            if dict.is_null() {
                return -1;
            }
        } else {
            Py_INCREF(dict);
        }
        let res = _PyDict_SetItem_LockHeld(dict.cast(), name, value);
        Py_DECREF(dict);
        res
    }
}

/// Reads an attribute from the inline values: `false` if they aren't in use, so that the dict must be asked.
/// `*attr` gets a new reference or NULL.
///
/// # Safety
/// The object's type has `Py_TPFLAGS_INLINE_VALUES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_TryGetInstanceAttribute(
    op: *mut PyObject,
    name: *mut PyObject,
    attr: *mut *mut PyObject,
) -> bool {
    // SAFETY: [LAYOUT]
    unsafe {
        let values = inline_values(op);
        if (*values).valid == 0 {
            return false;
        }
        let keys = cached_keys((*op).ob_type);
        let hash = hash_of(name);
        let ix = if unicode_exact(name) {
            unicodekeys_lookup_unicode(keys, name, hash)
        } else {
            split_lookup_generic(keys, name)
        };
        if ix < 0 {
            *attr = null_mut();
            return true;
        }
        let v = *values_of(values).offset(ix);
        Py_XINCREF(v);
        *attr = v;
        true
    }
}

/// A name of a subclass of `str` in shared keys: compared by its text.
unsafe fn split_lookup_generic(keys: *mut PyDictKeysObject, name: *mut PyObject) -> isize {
    // SAFETY: [TYPE] attribute names are str.
    unsafe {
        for i in 0..(*keys).dk_nentries {
            if unicode_eq((*dk_unicode_entries(keys).offset(i)).me_key, name) {
                return i;
            }
        }
        DKIX_EMPTY
    }
}

/// Whether the object has no instance attributes at all.
///
/// # Safety
/// `op` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_IsInstanceDictEmpty(op: *mut PyObject) -> c_int {
    // SAFETY: [LAYOUT]
    unsafe {
        let tp = (*op).ob_type;
        if (*tp).tp_dictoffset == 0 {
            return 1;
        }
        let dict = if has(tp, Py_TPFLAGS_MANAGED_DICT) {
            if has(tp, Py_TPFLAGS_INLINE_VALUES) && (*inline_values(op)).valid != 0 {
                return ((*inline_values(op)).size == 0) as c_int;
            }
            *managed_dict_pointer(op)
        } else {
            let slot = _PyObject_ComputedDictPointer(op);
            if slot.is_null() { null_mut() } else { (*slot).cast() }
        };
        (dict.is_null() || (*dict).ma_used == 0) as c_int
    }
}

/// Visits the instance attributes, wherever they are.
///
/// # Safety
/// `op` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_VisitManagedDict(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [LAYOUT]
    unsafe {
        let tp = (*op).ob_type;
        if !has(tp, Py_TPFLAGS_MANAGED_DICT) {
            return 0;
        }
        if has(tp, Py_TPFLAGS_INLINE_VALUES) {
            let values = inline_values(op);
            if (*values).valid != 0 {
                for i in 0..(*values).capacity as usize {
                    py_visit!(visitor, arg; *values_of(values).add(i));
                }
                return 0;
            }
        }
        py_visit!(visitor, arg; *managed_dict_pointer(op));
        0
    }
}

/// The former name of [`PyObject_VisitManagedDict`].
///
/// # Safety
/// `op` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_VisitManagedDict(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyObject_VisitManagedDict(op, visitor, arg) }
}

/// Gives a dict that uses the object's inline values a block of its own, because the object stops using them.
///
/// # Safety
/// `mp` is the object's managed dict.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_DetachFromObject(mp: *mut PyDictObject, op: *mut PyObject) -> c_int {
    // SAFETY: [LAYOUT]
    unsafe {
        let inline = inline_values(op);
        if (*mp).ma_values != inline {
            return 0;
        }
        // The references move: from now on the dict owns them.
        let n = (*inline).capacity as usize;
        let new = new_values(n);
        if !new.is_null() {
            (*new).size = (*inline).size;
            core::ptr::copy_nonoverlapping(insertion_order(inline), insertion_order(new), (*inline).size as usize);
            core::ptr::copy_nonoverlapping(values_of(inline), values_of(new), n);
            (*mp).ma_values = new;
            (*inline).valid = 0;
            return 0;
        }
        PyErr_NoMemory();
        let oldkeys = (*mp).ma_keys;
        (*mp).ma_keys = empty_keys();
        (*mp).ma_values = null_mut();
        (*mp).ma_used = 0;
        dictkeys_decref(oldkeys);
        -1
    }
}

/// Releases the references in inline values that are out of use.
unsafe fn release_inline(values: *mut PyDictValues) {
    // SAFETY: [LAYOUT]
    unsafe {
        for i in 0..(*values).capacity as usize {
            let v = *values_of(values).add(i);
            *values_of(values).add(i) = null_mut();
            Py_XDECREF(v);
        }
    }
}

/// Replaces the managed dict (NULL: removes it); attributes that are still inline go.
///
/// # Safety
/// The object's type has `Py_TPFLAGS_MANAGED_DICT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_SetManagedDict(op: *mut PyObject, new_dict: *mut PyObject) -> c_int {
    // SAFETY: [LAYOUT] the new dict is in place before any reference is released.
    unsafe {
        let tp = (*op).ob_type;
        let slot = managed_dict_pointer(op);
        let old = *slot;
        if has(tp, Py_TPFLAGS_INLINE_VALUES) {
            if old.is_null() {
                Py_XINCREF(new_dict);
                *slot = new_dict.cast();
                let values = inline_values(op);
                if (*values).valid != 0 {
                    (*values).valid = 0;
                    release_inline(values);
                }
                return 0;
            }
            if _PyDict_DetachFromObject(old, op) < 0 {
                return -1;
            }
        }
        Py_XINCREF(new_dict);
        *slot = new_dict.cast();
        Py_XDECREF(old.cast());
        0
    }
}

/// Releases all instance attributes; for `tp_clear` and `tp_dealloc`.
///
/// # Safety
/// The object's type has `Py_TPFLAGS_MANAGED_DICT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_ClearManagedDict(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if _PyObject_SetManagedDict(op, null_mut()) < 0 {
            PyErr_WriteUnraisable(null_mut());
        }
    }
}

/// The former name of [`PyObject_ClearManagedDict`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_ClearManagedDict(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { PyObject_ClearManagedDict(op) }
}

unsafe fn ensure_managed_dict(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [LAYOUT]
    unsafe {
        let slot = managed_dict_pointer(op);
        if !(*slot).is_null() {
            return (*slot).cast();
        }
        let tp = (*op).ob_type;
        if has(tp, Py_TPFLAGS_INLINE_VALUES) && (*inline_values(op)).valid != 0 {
            return _PyObject_MaterializeManagedDict(op).cast();
        }
        let keys = cached_keys(tp);
        *slot = if keys.is_null() { PyDict_New() } else { new_dict_with_shared_keys(keys) }.cast();
        (*slot).cast()
    }
}

unsafe fn ensure_nonmanaged_dict(op: *mut PyObject, slot: *mut *mut PyObject) -> *mut PyObject {
    // SAFETY: [LAYOUT]
    unsafe {
        if (*slot).is_null() {
            let tp = (*op).ob_type;
            let keys = if has(tp, Py_TPFLAGS_HEAPTYPE) { cached_keys(tp) } else { null_mut() };
            *slot = if keys.is_null() { PyDict_New() } else { new_dict_with_shared_keys(keys) };
        }
        *slot
    }
}

/// The getter of `__dict__`: makes the dict if there is none yet.
///
/// # Safety
/// `op` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GenericGetDict(op: *mut PyObject, _context: *mut c_void) -> *mut PyObject {
    // SAFETY: [LAYOUT]
    unsafe {
        let dict = if has((*op).ob_type, Py_TPFLAGS_MANAGED_DICT) {
            ensure_managed_dict(op)
        } else {
            let slot = _PyObject_ComputedDictPointer(op);
            if slot.is_null() {
                let _ = raise!(PyExc_AttributeError, "This object has no __dict__");
                return null_mut();
            }
            ensure_nonmanaged_dict(op, slot)
        };
        Py_XINCREF(dict);
        dict
    }
}

/// Sets or (NULL) deletes an attribute in a dict at a plain offset, making the dict if needed.
///
/// # Safety
/// `dictptr` is the object's dict pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObjectDict_SetItem(
    _tp: *mut PyTypeObject,
    op: *mut PyObject,
    dictptr: *mut *mut PyObject,
    key: *mut PyObject,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: [LAYOUT]
    unsafe {
        let dict = ensure_nonmanaged_dict(op, dictptr);
        if dict.is_null() {
            return -1;
        }
        Py_INCREF(dict);
        let res = _PyDict_SetItem_LockHeld(dict.cast(), key, value);
        Py_DECREF(dict);
        res
    }
}
