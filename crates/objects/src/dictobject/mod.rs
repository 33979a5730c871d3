//! `dict`: insertion-ordered hash tables, combined or with keys shared between the instances of a class.

pub mod capi;
pub mod iterators;
pub mod keys;
pub mod managed;
pub mod methods;
pub mod views;
pub mod watchers;

pub use capi::{
    PyDict_Clear, PyDict_Contains, PyDict_Copy, PyDict_DelItem, PyDict_GetItemRef, PyDict_GetItemWithError,
    PyDict_Items, PyDict_Merge, PyDict_New, PyDict_Next, PyDict_SetItem, PyDict_Size, PyDict_Update, _PyDict_LoadGlobal,
    _PyDict_SetItem_LockHeld, _PyDict_SetItem_Take2,
};
pub use iterators::{
    PyDictIterItem_Type, PyDictIterKey_Type, PyDictIterValue_Type, PyDictRevIterItem_Type, PyDictRevIterKey_Type,
    PyDictRevIterValue_Type,
};
pub(crate) use iterators::dictiter_new;
pub use keys::{
    _PyDictKeys_GetVersionForCurrentState, _PyDictKeys_StringLookup, DICT_KEYS_GENERAL, DICT_KEYS_SPLIT,
    DICT_KEYS_UNICODE, DKIX_DUMMY, DKIX_EMPTY, DKIX_ERROR, PyDict_LOG_MINSIZE, PyDict_MINSIZE, PyDictKeyEntry,
    PyDictUnicodeEntry, SHARED_KEYS_MAX_SIZE, build_indices, calculate_log2_keysize, clear_keys_freelist, dict_lookup,
    dictkeys_decref, dictkeys_incref, dk_entries, dk_is_unicode, dk_size, dk_unicode_entries, empty_keys, entry_at,
    entry_key, estimate_log2_keysize, find_empty_slot, free_keys_object, hash_of, insert_split_key, keys_size,
    lookdict_index, new_keys_object, set_index, unicode_eq, unicode_exact, unicode_get_hash, unicodekeys_lookup_unicode,
    usable_fraction,
};
pub use managed::{
    dict_of_values, shared_keys_of_names,
    _PyInlineValuesSize, _PyObject_InitInlineValues, _PyObject_MaterializeManagedDict,
    _PyObject_StoreInstanceAttribute, _PyObject_TryGetInstanceAttribute, PyObject_ClearManagedDict,
    PyObject_GenericGetDict, PyObject_VisitManagedDict, cached_keys, inline_values, managed_dict_pointer,
};
pub use methods::{PyDict_Type, dict_iter};
pub use views::{PyDictItems_Type, PyDictKeys_Type, PyDictValues_Type, _PyDictViewObject, _PyDictView_New};
pub use watchers::{
    DICT_MAX_WATCHERS, PyDict_EVENT_ADDED, PyDict_EVENT_CLEARED, PyDict_EVENT_CLONED, PyDict_EVENT_DEALLOCATED,
    PyDict_EVENT_DELETED, PyDict_EVENT_MODIFIED, PyDict_WatchCallback, set_internal_watcher,
};
pub(crate) use watchers::{next_version, notify_event};

use crate::gc::{gc_new, gc_track, is_tracked as gc_is_tracked};
use core::ptr::null_mut;
use taipan_abi::*;

const MAXFREELIST: usize = 80;
static mut FREE_DICTS: [*mut PyDictObject; MAXFREELIST] = [null_mut(); MAXFREELIST];
static mut NUM_FREE_DICTS: usize = 0;

/// How many dicts wait in the free list.
pub fn free_dicts() -> usize {
    // SAFETY: [GIL] a plain load.
    unsafe { NUM_FREE_DICTS }
}

/// Whether the collector would ever track `op`: not an object without references, nor an untracked tuple.
///
/// # Safety
/// `op` is live.
#[inline(always)]
pub unsafe fn gc_may_be_tracked(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        if (*tp).tp_flags & Py_TPFLAGS_HAVE_GC == 0 {
            return false;
        }
        if tp == &raw mut PyTuple_Type {
            return gc_is_tracked(op);
        }
        (*tp).tp_is_gc.is_none() || PyObject_IS_GC(op) != 0
    }
}

/// Tracks the dict from the first entry on that could take part in a cycle.
#[inline(always)]
pub(crate) unsafe fn maintain_tracking(mp: *mut PyDictObject, key: *mut PyObject, value: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        // Cheap test first: most keys and many values are of types that are never collected.
        if (gc_may_be_tracked(value) || gc_may_be_tracked(key)) && !gc_is_tracked(mp.cast()) {
            gc_track(mp.cast());
        }
    }
}

/// The value slots of a split table.
#[inline(always)]
pub(crate) unsafe fn values_of(values: *mut PyDictValues) -> *mut *mut PyObject {
    // SAFETY: [LAYOUT] slots follow the four header bytes.
    unsafe { (&raw mut (*values).values).cast() }
}

/// Insertion order of a split table: one byte an entry, behind the slots.
#[inline(always)]
pub(crate) unsafe fn insertion_order(values: *mut PyDictValues) -> *mut u8 {
    // SAFETY: [LAYOUT]
    unsafe { values_of(values).add((*values).capacity as usize).cast() }
}

/// Notes that slot `ix` was filled last.
#[inline(always)]
pub(crate) unsafe fn add_to_insertion_order(values: *mut PyDictValues, ix: isize) {
    // SAFETY: [LAYOUT] size < capacity because ix was empty.
    unsafe {
        let size = (*values).size;
        *insertion_order(values).add(size as usize) = ix as u8;
        (*values).size = size + 1;
    }
}

/// Takes slot `ix` out of the insertion order.
pub(crate) unsafe fn delete_index_from_values(values: *mut PyDictValues, ix: isize) {
    // SAFETY: [LAYOUT]
    unsafe {
        let order = insertion_order(values);
        let size = (*values).size as usize;
        let mut i = 0;
        while i < size && *order.add(i) != ix as u8 {
            i += 1;
        }
        if i < size {
            core::ptr::copy(order.add(i + 1), order.add(i), size - i - 1);
            (*values).size = (size - 1) as u8;
        }
    }
}

/// Bytes of a values block with `size` slots.
pub(crate) const fn values_size_from_count(size: usize) -> usize {
    (size + 1) * size_of::<*mut PyObject>() + size.next_multiple_of(size_of::<*mut PyObject>())
}

/// A values block with room for all keys the shared table may ever hold, as uninitialised slots; NULL without error.
pub(crate) unsafe fn new_values(size: usize) -> *mut PyDictValues {
    // SAFETY: [LAYOUT]
    unsafe {
        let p = PyMem_Malloc(values_size_from_count(size)).cast::<PyDictValues>();
        if !p.is_null() {
            (*p).capacity = size as u8;
            (*p).size = 0;
            (*p).embedded = 0;
            (*p).valid = 1;
        }
        p
    }
}

/// How many slots a values block for these shared keys needs.
#[inline(always)]
pub(crate) unsafe fn shared_keys_usable_size(keys: *mut PyDictKeysObject) -> usize {
    // SAFETY: [ARGS]
    unsafe { ((*keys).dk_nentries + (*keys).dk_usable) as usize }
}

pub(crate) unsafe fn free_values(values: *mut PyDictValues) {
    // SAFETY: [OWN] not embedded: allocated by new_values.
    unsafe { PyMem_Free(values.cast()) }
}

/// A new dict object over `keys` and `values`, both taken over. NULL with MemoryError.
pub(crate) unsafe fn new_dict(
    keys: *mut PyDictKeysObject,
    values: *mut PyDictValues,
    used: Py_ssize_t,
    free_values_on_failure: bool,
) -> *mut PyObject {
    // SAFETY: [OWN] keys and values are handed over.
    unsafe {
        let mp: *mut PyDictObject;
        if NUM_FREE_DICTS > 0 {
            NUM_FREE_DICTS -= 1;
            mp = FREE_DICTS[NUM_FREE_DICTS];
            _Py_NewReference(mp.cast());
        } else {
            mp = gc_new(&raw mut PyDict_Type);
            if mp.is_null() {
                dictkeys_decref(keys);
                if free_values_on_failure {
                    free_values(values);
                }
                return null_mut();
            }
        }
        (*mp).ma_keys = keys;
        (*mp).ma_values = values;
        (*mp).ma_used = used;
        (*mp).ma_version_tag = next_version();
        mp.cast()
    }
}

/// Keeps a dead exact dict for reuse if there is room.
pub(crate) unsafe fn dict_freelist_push(mp: *mut PyDictObject) -> bool {
    // SAFETY: [GIL]
    unsafe {
        if NUM_FREE_DICTS < MAXFREELIST {
            FREE_DICTS[NUM_FREE_DICTS] = mp;
            NUM_FREE_DICTS += 1;
            return true;
        }
        false
    }
}

/// Frees the spare dicts and key blocks (`_PyDict_ClearFreeLists`).
///
/// # Safety
/// The GIL is held.
pub unsafe fn dict_clear_freelists() {
    // SAFETY: [GIL]
    unsafe {
        while NUM_FREE_DICTS > 0 {
            NUM_FREE_DICTS -= 1;
            PyObject_GC_Del(FREE_DICTS[NUM_FREE_DICTS].cast());
        }
        clear_keys_freelist();
    }
}

/// A dict whose keys are those shared by a class.
pub(crate) unsafe fn new_dict_with_shared_keys(keys: *mut PyDictKeysObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let size = shared_keys_usable_size(keys);
        let values = new_values(size);
        if values.is_null() {
            return PyErr_NoMemory();
        }
        dictkeys_incref(keys);
        values_of(values).write_bytes(0, size);
        new_dict(keys, values, 0, true)
    }
}

/// Copies the slots and the order of a values block, counting the values.
pub(crate) unsafe fn copy_values(values: *mut PyDictValues) -> *mut PyDictValues {
    // SAFETY: [LAYOUT]
    unsafe {
        let n = (*values).capacity as usize;
        let new = new_values(n);
        if new.is_null() {
            PyErr_NoMemory();
            return null_mut();
        }
        (*new).size = (*values).size;
        core::ptr::copy_nonoverlapping(insertion_order(values), insertion_order(new), (*values).size as usize);
        for i in 0..n {
            let v = *values_of(values).add(i);
            Py_XINCREF(v);
            *values_of(new).add(i) = v;
        }
        new
    }
}

/// Copies a combined table as it is, counting keys and values.
pub(crate) unsafe fn clone_combined_dict_keys(orig: *mut PyDictObject) -> *mut PyDictKeysObject {
    // SAFETY: [LAYOUT] the block is copied whole.
    unsafe {
        let okeys = (*orig).ma_keys;
        let size = keys_size(okeys);
        let keys = if (*okeys).dk_log2_size == PyDict_LOG_MINSIZE && dk_is_unicode(okeys) {
            new_keys_object(PyDict_LOG_MINSIZE, true)
        } else {
            let p = PyMem_Malloc(size).cast::<PyDictKeysObject>();
            if p.is_null() {
                PyErr_NoMemory();
            }
            p
        };
        if keys.is_null() {
            return null_mut();
        }
        core::ptr::copy_nonoverlapping(okeys.cast::<u8>(), keys.cast::<u8>(), size);
        (*keys).dk_refcnt = 1;
        for i in 0..(*keys).dk_nentries {
            let (_, key, value) = entry_at(keys, i);
            if !(*value).is_null() {
                Py_INCREF(*value);
                Py_INCREF(key);
            }
        }
        keys
    }
}

/// Whether only exact strings are keys, from what the table's kind tells (`_PyDict_HasOnlyStringKeys`).
///
/// # Safety
/// `dict` is a dict.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_HasOnlyStringKeys(dict: *mut PyObject) -> core::ffi::c_int {
    // SAFETY: [TYPE]
    unsafe {
        if dk_is_unicode((*dict.cast::<PyDictObject>()).ma_keys) {
            return 1;
        }
        let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
        while PyDict_Next(dict, &mut pos, &mut key, &mut value) != 0 {
            if PyUnicode_Check(key) == 0 {
                return 0;
            }
        }
        1
    }
}

// ---- growth ----------------------------------------------------------------------------------------------------

/// Rebuilds the table with `1 << log2_newsize` slots and without holes; a split table becomes a combined one.
pub(crate) unsafe fn dictresize(mp: *mut PyDictObject, log2_newsize: u8, unicode: bool) -> bool {
    // SAFETY: [LAYOUT] entries move; nothing runs foreign code until the table is consistent again.
    unsafe {
        let oldkeys = (*mp).ma_keys;
        let oldvalues = (*mp).ma_values;
        let unicode = unicode && dk_is_unicode(oldkeys);
        let newkeys = new_keys_object(log2_newsize, unicode);
        if newkeys.is_null() {
            return false;
        }
        let used = (*mp).ma_used;
        if !oldvalues.is_null() {
            let from = dk_unicode_entries(oldkeys);
            let order = insertion_order(oldvalues);
            for i in 0..used as usize {
                let index = *order.add(i) as usize;
                let key = (*from.add(index)).me_key;
                let value = *values_of(oldvalues).add(index);
                Py_INCREF(key);
                if unicode {
                    *dk_unicode_entries(newkeys).add(i) = PyDictUnicodeEntry { me_key: key, me_value: value };
                } else {
                    *dk_entries(newkeys).add(i) =
                        PyDictKeyEntry { me_hash: unicode_get_hash(key), me_key: key, me_value: value };
                }
            }
            finish_resize(mp, newkeys, used, unicode);
            (*mp).ma_values = null_mut();
            dictkeys_decref(oldkeys);
            if (*oldvalues).embedded != 0 {
                (*oldvalues).valid = 0;
            } else {
                free_values(oldvalues);
            }
            return true;
        }
        let n = (*oldkeys).dk_nentries;
        if unicode {
            compact(dk_unicode_entries(oldkeys), dk_unicode_entries(newkeys), n, used, |e| e.me_value.is_null());
        } else if dk_is_unicode(oldkeys) {
            let from = dk_unicode_entries(oldkeys);
            let mut to = dk_entries(newkeys);
            for i in 0..n {
                let e = *from.offset(i);
                if !e.me_value.is_null() {
                    *to = PyDictKeyEntry {
                        me_hash: unicode_get_hash(e.me_key),
                        me_key: e.me_key,
                        me_value: e.me_value,
                    };
                    to = to.add(1);
                }
            }
        } else {
            compact(dk_entries(oldkeys), dk_entries(newkeys), n, used, |e| e.me_value.is_null());
        }
        finish_resize(mp, newkeys, used, unicode);
        if oldkeys != empty_keys() {
            free_keys_object(oldkeys);
        }
        true
    }
}

/// Moves the live ones of `n` entries to the front of a new table.
#[inline(always)]
unsafe fn compact<E: Copy>(from: *mut E, mut to: *mut E, n: isize, used: isize, dead: impl Fn(&E) -> bool) {
    // SAFETY: [LAYOUT] the new table has room for all live entries.
    unsafe {
        if n == used {
            core::ptr::copy_nonoverlapping(from, to, n as usize);
            return;
        }
        for i in 0..n {
            let e = from.offset(i);
            if !dead(&*e) {
                *to = *e;
                to = to.add(1);
            }
        }
    }
}

unsafe fn finish_resize(mp: *mut PyDictObject, keys: *mut PyDictKeysObject, used: isize, unicode: bool) {
    // SAFETY: [LAYOUT]
    unsafe {
        if unicode {
            build_indices(keys, dk_unicode_entries(keys), used);
        } else {
            build_indices(keys, dk_entries(keys), used);
        }
        (*keys).dk_usable -= used;
        (*keys).dk_nentries = used;
        (*mp).ma_keys = keys;
    }
}

pub(crate) unsafe fn insertion_resize(mp: *mut PyDictObject, unicode: bool) -> bool {
    // SAFETY: [ARGS]
    unsafe { dictresize(mp, calculate_log2_keysize((*mp).ma_used as usize * 3), unicode) }
}

// ---- insertion -------------------------------------------------------------------------------------------------

/// Appends an entry that isn't there yet; consumes key and value on success only.
#[inline(always)]
unsafe fn insert_combined_dict(
    mp: *mut PyDictObject,
    hash: Py_hash_t,
    key: *mut PyObject,
    value: *mut PyObject,
) -> bool {
    // SAFETY: [LAYOUT] usable > 0 after the resize.
    unsafe {
        if (*(*mp).ma_keys).dk_usable <= 0 && !insertion_resize(mp, true) {
            return false;
        }
        let new_version = notify_event(PyDict_EVENT_ADDED, mp, key, value);
        let keys = (*mp).ma_keys;
        (*keys).dk_version = 0;
        let slot = find_empty_slot(keys, hash);
        let n = (*keys).dk_nentries;
        set_index(keys, slot, n);
        if dk_is_unicode(keys) {
            *dk_unicode_entries(keys).offset(n) = PyDictUnicodeEntry { me_key: key, me_value: value };
        } else {
            *dk_entries(keys).offset(n) = PyDictKeyEntry { me_hash: hash, me_key: key, me_value: value };
        }
        (*mp).ma_version_tag = new_version;
        (*keys).dk_usable -= 1;
        (*keys).dk_nentries = n + 1;
        true
    }
}

/// Stores into slot `ix` of a split dict; key and value are borrowed.
unsafe fn insert_split_value(mp: *mut PyDictObject, key: *mut PyObject, value: *mut PyObject, ix: isize) {
    // SAFETY: [LAYOUT]
    unsafe {
        maintain_tracking(mp, key, value);
        let slot = values_of((*mp).ma_values).offset(ix);
        let old = *slot;
        Py_INCREF(value);
        if old.is_null() {
            let v = notify_event(PyDict_EVENT_ADDED, mp, key, value);
            *slot = value;
            add_to_insertion_order((*mp).ma_values, ix);
            (*mp).ma_used += 1;
            (*mp).ma_version_tag = v;
        } else {
            let v = notify_event(PyDict_EVENT_MODIFIED, mp, key, value);
            *slot = value;
            (*mp).ma_version_tag = v;
            Py_DECREF(old);
        }
    }
}

/// Sets `key` to `value`, consuming both references whatever happens. `false` with an exception.
#[inline]
pub(crate) unsafe fn insertdict(
    mp: *mut PyDictObject,
    key: *mut PyObject,
    hash: Py_hash_t,
    value: *mut PyObject,
) -> bool {
    // SAFETY: [OWN] key and value are ours.
    unsafe {
        if (*mp).ma_keys == empty_keys() {
            return insert_to_emptydict(mp, key, hash, value);
        }
        if dk_is_unicode((*mp).ma_keys) && !unicode_exact(key) && !insertion_resize(mp, false) {
            return insert_failed(key, value);
        }
        if !(*mp).ma_values.is_null() {
            let ix = insert_split_key((*mp).ma_keys, key, hash);
            if ix != DKIX_EMPTY {
                insert_split_value(mp, key, value, ix);
                Py_DECREF(key);
                Py_DECREF(value);
                return true;
            }
            // The shared table is full: get one of our own.
            if !insertion_resize(mp, true) {
                return insert_failed(key, value);
            }
        }
        let (ix, old) = dict_lookup(mp, key, hash);
        if ix == DKIX_ERROR {
            return insert_failed(key, value);
        }
        maintain_tracking(mp, key, value);
        if ix == DKIX_EMPTY {
            // A comparison may have emptied the dict, which leaves a table of strings.
            if !unicode_exact(key) && dk_is_unicode((*mp).ma_keys) && !insertion_resize(mp, false) {
                return insert_failed(key, value);
            }
            if !insert_combined_dict(mp, hash, key, value) {
                return insert_failed(key, value);
            }
            (*mp).ma_used += 1;
            return true;
        }
        if old != value {
            let v = notify_event(PyDict_EVENT_MODIFIED, mp, key, value);
            if !(*mp).ma_values.is_null() {
                let slot = values_of((*mp).ma_values).offset(ix);
                *slot = value;
                if old.is_null() {
                    add_to_insertion_order((*mp).ma_values, ix);
                    (*mp).ma_used += 1;
                }
            } else if dk_is_unicode((*mp).ma_keys) {
                (*dk_unicode_entries((*mp).ma_keys).offset(ix)).me_value = value;
            } else {
                (*dk_entries((*mp).ma_keys).offset(ix)).me_value = value;
            }
            (*mp).ma_version_tag = v;
        }
        // The reference to the new value has moved in; if it was there already, this releases the extra one.
        Py_XDECREF(old);
        Py_DECREF(key);
        true
    }
}

#[cold]
unsafe fn insert_failed(key: *mut PyObject, value: *mut PyObject) -> bool {
    // SAFETY: [OWN]
    unsafe {
        Py_DECREF(value);
        Py_DECREF(key);
    }
    false
}

/// First entry of a dict that has the shared empty table.
unsafe fn insert_to_emptydict(
    mp: *mut PyDictObject,
    key: *mut PyObject,
    hash: Py_hash_t,
    value: *mut PyObject,
) -> bool {
    // SAFETY: [LAYOUT]
    unsafe {
        let unicode = unicode_exact(key);
        let newkeys = new_keys_object(PyDict_LOG_MINSIZE, unicode);
        if newkeys.is_null() {
            return insert_failed(key, value);
        }
        let v = notify_event(PyDict_EVENT_ADDED, mp, key, value);
        maintain_tracking(mp, key, value);
        set_index(newkeys, hash as usize & (PyDict_MINSIZE - 1), 0);
        if unicode {
            *dk_unicode_entries(newkeys) = PyDictUnicodeEntry { me_key: key, me_value: value };
        } else {
            *dk_entries(newkeys) = PyDictKeyEntry { me_hash: hash, me_key: key, me_value: value };
        }
        (*mp).ma_keys = newkeys;
        (*mp).ma_used += 1;
        (*mp).ma_version_tag = v;
        (*newkeys).dk_usable -= 1;
        (*newkeys).dk_nentries += 1;
        true
    }
}

/// `mp[key] = value` with borrowed references.
#[inline]
pub(crate) unsafe fn setitem(mp: *mut PyDictObject, key: *mut PyObject, value: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let hash = hash_of(key);
        if hash == -1 {
            return false;
        }
        Py_INCREF(key);
        Py_INCREF(value);
        insertdict(mp, key, hash, value)
    }
}

// ---- removal ---------------------------------------------------------------------------------------------------

/// Takes the entry `ix` of a key with hash `hash` out; its value goes to the caller.
unsafe fn delitem_common(
    mp: *mut PyDictObject,
    hash: Py_hash_t,
    ix: isize,
    old_value: *mut PyObject,
    new_version: u64,
) -> *mut PyObject {
    // SAFETY: [LAYOUT]
    unsafe {
        let keys = (*mp).ma_keys;
        let slot = lookdict_index(keys, hash, ix);
        (*mp).ma_used -= 1;
        (*mp).ma_version_tag = new_version;
        if !(*mp).ma_values.is_null() {
            *values_of((*mp).ma_values).offset(ix) = null_mut();
            delete_index_from_values((*mp).ma_values, ix);
        } else {
            (*keys).dk_version = 0;
            set_index(keys, slot as usize, DKIX_DUMMY);
            let old_key;
            if dk_is_unicode(keys) {
                let ep = dk_unicode_entries(keys).offset(ix);
                old_key = (*ep).me_key;
                (*ep).me_key = null_mut();
                (*ep).me_value = null_mut();
            } else {
                let ep = dk_entries(keys).offset(ix);
                old_key = (*ep).me_key;
                (*ep).me_key = null_mut();
                (*ep).me_value = null_mut();
                (*ep).me_hash = 0;
            }
            Py_DECREF(old_key);
        }
        old_value
    }
}

/// Removes `key`; its value, or `None` if it isn't there.
pub(crate) unsafe fn dict_pop_known_hash(
    mp: *mut PyDictObject,
    key: *mut PyObject,
    hash: Py_hash_t,
) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let (ix, value) = dict_lookup(mp, key, hash);
        if ix == DKIX_ERROR {
            return Err(Raised::assume());
        }
        if ix == DKIX_EMPTY || value.is_null() {
            return Ok(None);
        }
        let v = notify_event(PyDict_EVENT_DELETED, mp, key, null_mut());
        Ok(Some(Owned::from_owned(delitem_common(mp, hash, ix, value, v))))
    }
}

pub(crate) unsafe fn dict_pop(mp: *mut PyDictObject, key: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        if (*mp).ma_used == 0 {
            return Ok(None);
        }
        let hash = hash_of(key);
        if hash == -1 {
            return Err(Raised::assume());
        }
        dict_pop_known_hash(mp, key, hash)
    }
}

/// Deletes `key`; KeyError if it isn't there.
pub(crate) unsafe fn delitem_known_hash(mp: *mut PyDictObject, key: *mut PyObject, hash: Py_hash_t) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        match dict_pop_known_hash(mp, key, hash)? {
            Some(_) => Ok(()),
            None => {
                _PyErr_SetKeyError(key);
                Err(Raised::assume())
            }
        }
    }
}

/// Empties the dict.
pub(crate) unsafe fn clear(mp: *mut PyDictObject) {
    // SAFETY: [LAYOUT] the dict is empty before any reference is released.
    unsafe {
        let oldkeys = (*mp).ma_keys;
        let oldvalues = (*mp).ma_values;
        if oldkeys == empty_keys() {
            return;
        }
        (*mp).ma_version_tag = notify_event(PyDict_EVENT_CLEARED, mp, null_mut(), null_mut());
        (*mp).ma_used = 0;
        if oldvalues.is_null() {
            (*mp).ma_keys = empty_keys();
            dictkeys_decref(oldkeys);
        } else if (*oldvalues).embedded == 0 {
            (*mp).ma_keys = empty_keys();
            (*mp).ma_values = null_mut();
            for i in 0..(*oldkeys).dk_nentries {
                Py_XDECREF(*values_of(oldvalues).offset(i));
            }
            free_values(oldvalues);
            dictkeys_decref(oldkeys);
        } else {
            clear_embedded_values(oldvalues, (*oldkeys).dk_nentries as usize);
        }
    }
}

unsafe fn clear_embedded_values(values: *mut PyDictValues, n: usize) {
    // SAFETY: [LAYOUT] at most SHARED_KEYS_MAX_SIZE slots.
    unsafe {
        let mut refs = [null_mut::<PyObject>(); SHARED_KEYS_MAX_SIZE];
        for i in 0..n.min((*values).capacity as usize).min(SHARED_KEYS_MAX_SIZE) {
            refs[i] = *values_of(values).add(i);
            *values_of(values).add(i) = null_mut();
        }
        (*values).size = 0;
        for p in refs {
            Py_XDECREF(p);
        }
    }
}

// ---- iteration -------------------------------------------------------------------------------------------------

/// The entry at or after `*pos`, borrowed: key, value, hash.
#[inline(always)]
pub(crate) unsafe fn dict_next(
    mp: *mut PyDictObject,
    pos: &mut Py_ssize_t,
) -> Option<(*mut PyObject, *mut PyObject, Py_hash_t)> {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut i = *pos;
        if i < 0 {
            return None;
        }
        let keys = (*mp).ma_keys;
        if !(*mp).ma_values.is_null() {
            if i >= (*mp).ma_used {
                return None;
            }
            let index = *insertion_order((*mp).ma_values).offset(i) as isize;
            let key = (*dk_unicode_entries(keys).offset(index)).me_key;
            *pos = i + 1;
            return Some((key, *values_of((*mp).ma_values).offset(index), unicode_get_hash(key)));
        }
        let n = (*keys).dk_nentries;
        if dk_is_unicode(keys) {
            while i < n {
                let ep = dk_unicode_entries(keys).offset(i);
                i += 1;
                if !(*ep).me_value.is_null() {
                    *pos = i;
                    return Some(((*ep).me_key, (*ep).me_value, unicode_get_hash((*ep).me_key)));
                }
            }
        } else {
            while i < n {
                let ep = dk_entries(keys).offset(i);
                i += 1;
                if !(*ep).me_value.is_null() {
                    *pos = i;
                    return Some(((*ep).me_key, (*ep).me_value, (*ep).me_hash));
                }
            }
        }
        None
    }
}

// ---- look-ups --------------------------------------------------------------------------------------------------

/// The value of `key`, a new reference.
#[inline]
pub(crate) unsafe fn getitem(mp: *mut PyDictObject, key: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let hash = hash_of(key);
        if hash == -1 {
            return Err(Raised::assume());
        }
        let (ix, value) = dict_lookup(mp, key, hash);
        if ix == DKIX_ERROR {
            return Err(Raised::assume());
        }
        Ok(Owned::from_borrowed_or_opt(value))
    }
}

/// Whether `key` is in the dict.
#[inline]
pub(crate) unsafe fn contains(mp: *mut PyDictObject, key: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let hash = hash_of(key);
        if hash == -1 {
            return Err(Raised::assume());
        }
        contains_known_hash(mp, key, hash)
    }
}

pub(crate) unsafe fn contains_known_hash(mp: *mut PyDictObject, key: *mut PyObject, hash: Py_hash_t) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let (ix, value) = dict_lookup(mp, key, hash);
        if ix == DKIX_ERROR {
            return Err(Raised::assume());
        }
        Ok(ix != DKIX_EMPTY && !value.is_null())
    }
}

/// The value of `key`, or `default`, which is then also stored; the flag tells whether the key was there.
pub(crate) unsafe fn setdefault(
    mp: *mut PyDictObject,
    key: *mut PyObject,
    default: *mut PyObject,
) -> PyResult<(Owned, bool)> {
    // SAFETY: [ARGS] value is borrowed from the dict until it is counted.
    unsafe {
        let hash = hash_of(key);
        if hash == -1 {
            return Err(Raised::assume());
        }
        let (ix, value) = dict_lookup(mp, key, hash);
        if ix == DKIX_ERROR {
            return Err(Raised::assume());
        }
        if !value.is_null() {
            return Ok((Owned::from_borrowed(value), true));
        }
        let kept = Owned::from_borrowed(default);
        Py_INCREF(key);
        Py_INCREF(default);
        // The table may have changed only if a comparison ran code, and then the entry found first is as good as any.
        if (*mp).ma_keys != empty_keys()
            && (*mp).ma_values.is_null()
            && (!dk_is_unicode((*mp).ma_keys) || unicode_exact(key))
        {
            maintain_tracking(mp, key, default);
            if !insert_combined_dict(mp, hash, key, default) {
                insert_failed(key, default);
                return Err(Raised::assume());
            }
            (*mp).ma_used += 1;
            return Ok((kept, false));
        }
        if !insertdict(mp, key, hash, default) {
            return Err(Raised::assume());
        }
        Ok((kept, false))
    }
}

// ---- whole dicts -----------------------------------------------------------------------------------------------

/// A new, empty dict.
#[inline]
pub fn dict_new_empty() -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(new_dict(empty_keys(), null_mut(), 0, false)) }
}

/// Whether iterating over `b` is iterating over its entries: a dict whose `__iter__` isn't overridden.
#[inline]
pub(crate) unsafe fn iterates_as_dict(b: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        PyDict_Check(b) != 0
            && (*(*b).ob_type).tp_iter.is_some_and(|f| core::ptr::fn_addr_eq(f, dict_iter as getiterfunc))
    }
}

/// Puts the entries of mapping `b` into dict `a`. `override_`: 0 keeps what `a` has, 1 replaces, 2 raises KeyError.
pub(crate) unsafe fn dict_merge(a: *mut PyObject, b: *mut PyObject, override_: i32) -> PyResult<()> {
    // SAFETY: [TYPE] a is a dict (checked here).
    unsafe {
        if a.is_null() || PyDict_Check(a) == 0 || b.is_null() {
            PyErr_BadInternalCall();
            return Err(Raised::assume());
        }
        let mp: *mut PyDictObject = a.cast();
        if iterates_as_dict(b) {
            return dict_dict_merge(mp, b.cast(), override_);
        }
        let keys = Owned::from_owned_or_err(PyMapping_Keys(b))?;
        let iter = Owned::from_owned_or_err(PyObject_GetIter(keys.as_ptr()))?;
        drop(keys);
        while let Some(key) = Owned::from_owned_or_opt(PyIter_Next(iter.as_ptr())) {
            if override_ != 1 && contains(mp, key.as_ptr())? {
                if override_ == 0 {
                    continue;
                }
                _PyErr_SetKeyError(key.as_ptr());
                return Err(Raised::assume());
            }
            let value = Owned::from_owned_or_err(PyObject_GetItem(b, key.as_ptr()))?;
            check_status(PyDict_SetItem(a, key.as_ptr(), value.as_ptr()))?;
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        Ok(())
    }
}

unsafe fn dict_dict_merge(mp: *mut PyDictObject, other: *mut PyDictObject, mut override_: i32) -> PyResult<()> {
    // SAFETY: [TYPE] both are dicts.
    unsafe {
        if other == mp || (*other).ma_used == 0 {
            return Ok(());
        }
        let okeys = (*other).ma_keys;
        if (*mp).ma_used == 0 {
            override_ = 1;
            // A table without holes that is about as small as can be is copied as a block.
            if (*mp).ma_values.is_null()
                && (*other).ma_values.is_null()
                && (*other).ma_used == (*okeys).dk_nentries
                && ((*okeys).dk_log2_size == PyDict_LOG_MINSIZE
                    || usable_fraction(dk_size(okeys) / 2) < (*other).ma_used as usize)
            {
                let v = notify_event(PyDict_EVENT_CLONED, mp, other.cast(), null_mut());
                let keys = clone_combined_dict_keys(other);
                if keys.is_null() {
                    return Err(Raised::assume());
                }
                let old = (*mp).ma_keys;
                (*mp).ma_keys = keys;
                (*mp).ma_used = (*other).ma_used;
                (*mp).ma_version_tag = v;
                if gc_is_tracked(other.cast()) && !gc_is_tracked(mp.cast()) {
                    gc_track(mp.cast());
                }
                dictkeys_decref(old);
                return Ok(());
            }
        }
        // One growth for all, assuming that few keys are in both.
        if usable_fraction(dk_size((*mp).ma_keys)) < (*other).ma_used as usize {
            let log2 = estimate_log2_keysize((*mp).ma_used as usize + (*other).ma_used as usize);
            if !dictresize(mp, log2, dk_is_unicode(okeys)) {
                return Err(Raised::assume());
            }
        }
        let orig_size = (*okeys).dk_nentries;
        let mut pos = 0;
        while let Some((key, value, hash)) = dict_next(other, &mut pos) {
            let key = Owned::from_borrowed(key);
            let value = Owned::from_borrowed(value);
            if override_ != 1 && contains_known_hash(mp, key.as_ptr(), hash)? {
                if override_ == 2 {
                    _PyErr_SetKeyError(key.as_ptr());
                    return Err(Raised::assume());
                }
            } else if !insertdict(mp, key.into_raw(), hash, value.into_raw()) {
                return Err(Raised::assume());
            }
            if orig_size != (*(*other).ma_keys).dk_nentries {
                bail!(PyExc_RuntimeError, "dict mutated during update");
            }
        }
        Ok(())
    }
}

/// Puts pairs into a dict.
pub(crate) unsafe fn merge_from_seq2(d: *mut PyObject, seq2: *mut PyObject, override_: bool) -> PyResult<()> {
    // SAFETY: [TYPE] d is a dict.
    unsafe {
        let it = Owned::from_owned_or_err(PyObject_GetIter(seq2))?;
        let mut i = 0usize;
        while let Some(item) = Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
            let fast = PySequence_Fast(item.as_ptr(), c"".as_ptr());
            if fast.is_null() {
                if PyErr_ExceptionMatches(PyExc_TypeError) != 0 {
                    bail!(PyExc_TypeError, "cannot convert dictionary update sequence element #{i} to a sequence");
                }
                return Err(Raised::assume());
            }
            let fast = Owned::from_owned(fast);
            let n = Py_SIZE(fast.as_ptr());
            if n != 2 {
                bail!(PyExc_ValueError, "dictionary update sequence element #{i} has length {n}; 2 is required");
            }
            let items = if PyList_Check(fast.as_ptr()) != 0 {
                (*fast.as_ptr().cast::<PyListObject>()).ob_item
            } else {
                (&raw mut (*fast.as_ptr().cast::<PyTupleObject>()).ob_item).cast()
            };
            let key = Owned::from_borrowed(*items);
            let value = Owned::from_borrowed(*items.add(1));
            if override_ {
                check_status(PyDict_SetItem(d, key.as_ptr(), value.as_ptr()))?;
            } else {
                setdefault(d.cast(), key.as_ptr(), value.as_ptr())?;
            }
            i += 1;
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        Ok(())
    }
}

/// A shallow copy, always an exact dict.
pub(crate) unsafe fn copy(o: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE] o is a dict.
    unsafe {
        let mp: *mut PyDictObject = o.cast();
        if (*mp).ma_used == 0 {
            return dict_new_empty();
        }
        if !(*mp).ma_values.is_null() {
            let values = copy_values((*mp).ma_values);
            if values.is_null() {
                return Err(Raised::assume());
            }
            dictkeys_incref((*mp).ma_keys);
            let new = Owned::from_owned_or_err(new_dict((*mp).ma_keys, values, (*mp).ma_used, true))?;
            if gc_is_tracked(o) {
                gc_track(new.as_ptr());
            }
            return Ok(new);
        }
        if iterates_as_dict(o) && (*mp).ma_used >= ((*(*mp).ma_keys).dk_nentries * 2) / 3 {
            let keys = clone_combined_dict_keys(mp);
            if keys.is_null() {
                return Err(Raised::assume());
            }
            let new = Owned::from_owned_or_err(new_dict(keys, null_mut(), (*mp).ma_used, false))?;
            if gc_is_tracked(o) {
                gc_track(new.as_ptr());
            }
            return Ok(new);
        }
        let new = dict_new_empty()?;
        dict_merge(new.as_ptr(), o, 1)?;
        Ok(new)
    }
}

/// Whether two dicts have equal entries.
pub(crate) unsafe fn dict_equal(a: *mut PyDictObject, b: *mut PyDictObject) -> PyResult<bool> {
    // SAFETY: [TYPE] entries are re-read each time, because comparisons may change both dicts.
    unsafe {
        if (*a).ma_used != (*b).ma_used {
            return Ok(false);
        }
        let mut i = 0;
        while i < (*(*a).ma_keys).dk_nentries {
            let (hash, key, slot) = entry_at((*a).ma_keys, i);
            let value = if (*a).ma_values.is_null() { *slot } else { *values_of((*a).ma_values).offset(i) };
            i += 1;
            if value.is_null() {
                continue;
            }
            let (key, value) = (Owned::from_borrowed(key), Owned::from_borrowed(value));
            let (ix, other) = dict_lookup(b, key.as_ptr(), hash);
            if ix == DKIX_ERROR {
                return Err(Raised::assume());
            }
            let Some(other) = Owned::from_borrowed_or_opt(other) else { return Ok(false) };
            drop(key);
            let cmp = PyObject_RichCompareBool(value.as_ptr(), other.as_ptr(), Py_EQ);
            if cmp <= 0 {
                check_status(cmp)?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// `dict.fromkeys`.
pub(crate) unsafe fn from_keys(cls: *mut PyObject, iterable: *mut PyObject, value: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let d = Owned::from_owned_or_err(PyObject_CallNoArgs(cls))?;
        if PyDict_CheckExact(d.as_ptr()) != 0 {
            let mp: *mut PyDictObject = d.as_ptr().cast();
            if PyDict_CheckExact(iterable) != 0 {
                let src: *mut PyDictObject = iterable.cast();
                let n = (*src).ma_used.max((*mp).ma_used) as usize;
                if !dictresize(mp, estimate_log2_keysize(n), dk_is_unicode((*src).ma_keys)) {
                    return Err(Raised::assume());
                }
                let mut pos = 0;
                while let Some((key, _, hash)) = dict_next(src, &mut pos) {
                    Py_INCREF(key);
                    Py_INCREF(value);
                    if !insertdict(mp, key, hash, value) {
                        return Err(Raised::assume());
                    }
                }
                return Ok(d);
            }
            if PyAnySet_CheckExact(iterable) != 0 {
                let n = PySet_Size(iterable).max((*mp).ma_used) as usize;
                if !dictresize(mp, estimate_log2_keysize(n), false) {
                    return Err(Raised::assume());
                }
                let (mut pos, mut key, mut hash) = (0, null_mut(), 0);
                while _PySet_NextEntry(iterable, &mut pos, &mut key, &mut hash) != 0 {
                    Py_INCREF(key);
                    Py_INCREF(value);
                    if !insertdict(mp, key, hash, value) {
                        return Err(Raised::assume());
                    }
                }
                return Ok(d);
            }
        }
        let it = Owned::from_owned_or_err(PyObject_GetIter(iterable))?;
        let exact = PyDict_CheckExact(d.as_ptr()) != 0;
        while let Some(key) = Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
            if exact {
                if !setitem(d.as_ptr().cast(), key.as_ptr(), value) {
                    return Err(Raised::assume());
                }
            } else {
                check_status(PyObject_SetItem(d.as_ptr(), key.as_ptr(), value))?;
            }
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        Ok(d)
    }
}

/// Removes and returns the last entry.
pub(crate) unsafe fn popitem(mp: *mut PyDictObject) -> PyResult<Owned> {
    // SAFETY: [LAYOUT]
    unsafe {
        // Before anything else, because the allocation of the tuple may run the collector.
        let res = Owned::from_owned_or_err(PyTuple_New(2))?;
        if (*mp).ma_used == 0 {
            bail!(PyExc_KeyError, "popitem(): dictionary is empty");
        }
        if !(*mp).ma_values.is_null() && !dictresize(mp, (*(*mp).ma_keys).dk_log2_size, true) {
            return Err(Raised::assume());
        }
        let keys = (*mp).ma_keys;
        let mut i = (*keys).dk_nentries - 1;
        let (mut hash, mut key, mut slot) = entry_at(keys, i);
        while i > 0 && (*slot).is_null() {
            i -= 1;
            (hash, key, slot) = entry_at(keys, i);
        }
        let value = *slot;
        let v = notify_event(PyDict_EVENT_DELETED, mp, key, null_mut());
        (*keys).dk_version = 0;
        let at = lookdict_index(keys, hash, i);
        if dk_is_unicode(keys) {
            (*dk_unicode_entries(keys).offset(i)).me_key = null_mut();
        } else {
            (*dk_entries(keys).offset(i)).me_key = null_mut();
            (*dk_entries(keys).offset(i)).me_hash = 0;
        }
        *slot = null_mut();
        set_index(keys, at as usize, DKIX_DUMMY);
        PyTuple_SET_ITEM(res.as_ptr(), 0, key);
        PyTuple_SET_ITEM(res.as_ptr(), 1, value);
        // The index stays a dummy, so the entry can't be given back to dk_usable.
        (*keys).dk_nentries = i;
        (*mp).ma_used -= 1;
        (*mp).ma_version_tag = v;
        Ok(res)
    }
}

/// Bytes the dict occupies.
pub(crate) unsafe fn dict_sizeof(mp: *mut PyDictObject) -> usize {
    // SAFETY: [TYPE]
    unsafe {
        let mut res = (*(*mp).ob_base.ob_type).tp_basicsize as usize;
        if !(*mp).ma_values.is_null() {
            res += shared_keys_usable_size((*mp).ma_keys) * size_of::<*mut PyObject>();
        }
        if (*(*mp).ma_keys).dk_refcnt == 1 {
            res += keys_size((*mp).ma_keys);
        }
        res
    }
}
