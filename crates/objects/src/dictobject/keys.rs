//! The hash table of a dict: layout, allocation, lookup.
//!
//! A keys object is one block: a header, a table of indices (-1 empty, -2 deleted) as narrow as the size permits, and
//! the entries in insertion order. Tables whose keys are all exact `str` keep no hash in the entry (the string has it);
//! a *split* table is such a table shared by the instances of a class, with the values elsewhere.

use core::ptr::{null_mut};
use taipan_abi::*;

/// Kind of a table whose entries hold hash, key and value.
pub const DICT_KEYS_GENERAL: u8 = 0;
/// Kind of a table whose keys are all exact `str`.
pub const DICT_KEYS_UNICODE: u8 = 1;
/// Kind of a shared table of `str` keys; values belong to each dict.
pub const DICT_KEYS_SPLIT: u8 = 2;
/// Most keys a shared table may hold; an index fits a byte.
pub const SHARED_KEYS_MAX_SIZE: usize = 30;
/// Size (log2) of the index table of shared keys.
pub const NEXT_LOG2_SHARED_KEYS_MAX_SIZE: u8 = 6;
/// Smallest table (log2).
pub const PyDict_LOG_MINSIZE: u8 = 3;
/// Smallest table.
pub const PyDict_MINSIZE: usize = 8;
/// How many bits of the hash are mixed in per probe.
pub const PERTURB_SHIFT: u32 = 5;
/// Lookup result: no such key.
pub const DKIX_EMPTY: isize = -1;
/// Index of a deleted entry.
pub const DKIX_DUMMY: isize = -2;
/// Lookup result: a comparison raised.
pub const DKIX_ERROR: isize = -3;
/// Lookup result inside this module: a comparison changed the table, start again.
const DKIX_KEY_CHANGED: isize = -4;

/// Entry of a general table.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PyDictKeyEntry {
    /// Hash of the key.
    pub me_hash: Py_hash_t,
    /// The key, NULL once deleted.
    pub me_key: *mut PyObject,
    /// The value.
    pub me_value: *mut PyObject,
}

/// Entry of a table of strings.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PyDictUnicodeEntry {
    /// The key, NULL once deleted.
    pub me_key: *mut PyObject,
    /// The value; unused in split tables.
    pub me_value: *mut PyObject,
}

/// What both entry layouts have in common, for code that is compiled once for each.
pub trait Entry: Copy {
    /// The key, NULL once deleted.
    fn key(&self) -> *mut PyObject;
    /// Hash of the key.
    ///
    /// # Safety
    /// The key is not NULL.
    unsafe fn hash(&self) -> Py_hash_t;
}
impl Entry for PyDictKeyEntry {
    #[inline(always)]
    fn key(&self) -> *mut PyObject {
        self.me_key
    }
    #[inline(always)]
    unsafe fn hash(&self) -> Py_hash_t {
        self.me_hash
    }
}
impl Entry for PyDictUnicodeEntry {
    #[inline(always)]
    fn key(&self) -> *mut PyObject {
        self.me_key
    }
    #[inline(always)]
    unsafe fn hash(&self) -> Py_hash_t {
        // SAFETY: [TYPE] an exact str, hashed when it was inserted.
        unsafe { unicode_get_hash(self.me_key) }
    }
}

/// The cached hash of a `str`, -1 if it has none yet.
///
/// # Safety
/// `op` is a live `str`.
#[inline(always)]
pub unsafe fn unicode_get_hash(op: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE] by contract.
    unsafe { (*op.cast::<PyASCIIObject>()).hash }
}

/// Whether `op` is exactly a `str`.
///
/// # Safety
/// `op` is live.
#[inline(always)]
pub unsafe fn unicode_exact(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == &raw mut PyUnicode_Type }
}

/// The hash of a key; strings that have theirs cached cost no call. -1 with an exception when unhashable.
///
/// # Safety
/// `key` is live.
#[inline(always)]
pub unsafe fn hash_of(key: *mut PyObject) -> Py_hash_t {
    // SAFETY: [ARGS] [TYPE] checked.
    unsafe {
        if unicode_exact(key) {
            let h = unicode_get_hash(key);
            if h != -1 {
                return h;
            }
        }
        PyObject_Hash(key)
    }
}

/// Whether two exact strings have the same text (lengths, kinds, data).
///
/// # Safety
/// Both are live, ready strings.
#[inline(always)]
pub unsafe fn unicode_eq(a: *mut PyObject, b: *mut PyObject) -> bool {
    // SAFETY: [TYPE] by contract.
    unsafe {
        let len = PyUnicode_GET_LENGTH(a);
        if len != PyUnicode_GET_LENGTH(b) {
            return false;
        }
        if len == 0 {
            return true;
        }
        let kind = PyUnicode_KIND(a);
        if kind != PyUnicode_KIND(b) {
            return false;
        }
        let n = len as usize * kind as usize;
        libc::memcmp(PyUnicode_DATA(a).cast(), PyUnicode_DATA(b).cast(), n) == 0
    }
}

/// How many slots the index table has.
///
/// # Safety
/// `keys` is live.
#[inline(always)]
pub unsafe fn dk_size(keys: *const PyDictKeysObject) -> usize {
    // SAFETY: [ARGS]
    unsafe { 1usize << (*keys).dk_log2_size }
}

/// Whether the table's keys are all exact strings.
///
/// # Safety
/// `keys` is live.
#[inline(always)]
pub unsafe fn dk_is_unicode(keys: *const PyDictKeysObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*keys).dk_kind != DICT_KEYS_GENERAL }
}

#[inline(always)]
unsafe fn dk_indices(keys: *mut PyDictKeysObject) -> *mut u8 {
    // SAFETY: [LAYOUT] the indices follow the header.
    unsafe { keys.add(1).cast() }
}

/// Start of the entries, of either layout.
///
/// # Safety
/// `keys` is live.
#[inline(always)]
pub unsafe fn dk_entries_base(keys: *mut PyDictKeysObject) -> *mut u8 {
    // SAFETY: [LAYOUT] the entries follow the indices.
    unsafe { dk_indices(keys).add(1usize << (*keys).dk_log2_index_bytes) }
}

/// The entries of a general table.
///
/// # Safety
/// `keys` is a live general table.
#[inline(always)]
pub unsafe fn dk_entries(keys: *mut PyDictKeysObject) -> *mut PyDictKeyEntry {
    // SAFETY: [LAYOUT]
    unsafe { dk_entries_base(keys).cast() }
}

/// The entries of a table of strings.
///
/// # Safety
/// `keys` is a live table of strings.
#[inline(always)]
pub unsafe fn dk_unicode_entries(keys: *mut PyDictKeysObject) -> *mut PyDictUnicodeEntry {
    // SAFETY: [LAYOUT]
    unsafe { dk_entries_base(keys).cast() }
}

/// The key of entry `i`, NULL if deleted.
///
/// # Safety
/// `i < dk_nentries`.
#[inline(always)]
pub unsafe fn entry_key(keys: *mut PyDictKeysObject, i: isize) -> *mut PyObject {
    // SAFETY: [LAYOUT]
    unsafe {
        if dk_is_unicode(keys) {
            (*dk_unicode_entries(keys).offset(i)).me_key
        } else {
            (*dk_entries(keys).offset(i)).me_key
        }
    }
}

/// Entry `i` of a combined table: hash (of a live key), key, address of the value.
///
/// # Safety
/// `i < dk_nentries`.
#[inline(always)]
pub unsafe fn entry_at(keys: *mut PyDictKeysObject, i: isize) -> (Py_hash_t, *mut PyObject, *mut *mut PyObject) {
    // SAFETY: [LAYOUT]
    unsafe {
        if dk_is_unicode(keys) {
            let ep = dk_unicode_entries(keys).offset(i);
            let key = (*ep).me_key;
            (if key.is_null() { 0 } else { unicode_get_hash(key) }, key, &raw mut (*ep).me_value)
        } else {
            let ep = dk_entries(keys).offset(i);
            ((*ep).me_hash, (*ep).me_key, &raw mut (*ep).me_value)
        }
    }
}

/// How many entries a table of `n` slots takes before it must grow: two thirds.
#[inline(always)]
pub const fn usable_fraction(n: usize) -> usize {
    (n << 1) / 3
}

/// log2 of the smallest table with at least `minsize` slots.
#[inline]
pub fn calculate_log2_keysize(minsize: usize) -> u8 {
    let n = minsize.saturating_sub(1) | (PyDict_MINSIZE - 1);
    (usize::BITS - n.leading_zeros()) as u8
}

/// log2 of the smallest table that takes `n` entries without growing.
#[inline]
pub fn estimate_log2_keysize(n: usize) -> u8 {
    calculate_log2_keysize((n * 3).div_ceil(2))
}

/// Index stored in slot `i`.
///
/// # Safety
/// `i` is below the table's size.
#[inline(always)]
pub unsafe fn get_index(keys: *mut PyDictKeysObject, i: usize) -> isize {
    // SAFETY: [LAYOUT] the width follows from the size.
    unsafe {
        let p = dk_indices(keys);
        match (*keys).dk_log2_size {
            0..=7 => *p.cast::<i8>().add(i) as isize,
            8..=15 => *p.cast::<i16>().add(i) as isize,
            16..=31 => *p.cast::<i32>().add(i) as isize,
            _ => *p.cast::<i64>().add(i) as isize,
        }
    }
}

/// Stores index `ix` in slot `i`.
///
/// # Safety
/// `i` is below the table's size, and `ix` fits its width.
#[inline(always)]
pub unsafe fn set_index(keys: *mut PyDictKeysObject, i: usize, ix: isize) {
    // SAFETY: [LAYOUT] the width follows from the size.
    unsafe {
        let p = dk_indices(keys);
        match (*keys).dk_log2_size {
            0..=7 => *p.cast::<i8>().add(i) = ix as i8,
            8..=15 => *p.cast::<i16>().add(i) = ix as i16,
            16..=31 => *p.cast::<i32>().add(i) = ix as i32,
            _ => *p.cast::<i64>().add(i) = ix as i64,
        }
    }
}

/// The order in which slots are tried for a hash.
struct Probe {
    mask: usize,
    perturb: usize,
    i: usize,
}
impl Probe {
    #[inline(always)]
    unsafe fn new(keys: *mut PyDictKeysObject, hash: Py_hash_t) -> Self {
        // SAFETY: [ARGS]
        let mask = unsafe { dk_size(keys) } - 1;
        Probe { mask, perturb: hash as usize, i: hash as usize & mask }
    }
    #[inline(always)]
    fn next(&mut self) {
        self.perturb >>= PERTURB_SHIFT;
        self.i = (self.i.wrapping_mul(5)).wrapping_add(self.perturb).wrapping_add(1) & self.mask;
    }
}

// ---- allocation ------------------------------------------------------------------------------------------------

const MAXFREELIST: usize = 80;
/// Blocks of the smallest table of strings, which most dicts have.
static mut FREE_KEYS: [*mut PyDictKeysObject; MAXFREELIST] = [null_mut(); MAXFREELIST];
static mut NUM_FREE_KEYS: usize = 0;

#[repr(C)]
struct EmptyKeys {
    head: PyDictKeysObject,
    indices: [i8; 8],
}
static mut EMPTY_KEYS: EmptyKeys = EmptyKeys {
    head: PyDictKeysObject {
        dk_refcnt: _Py_IMMORTAL_REFCNT,
        dk_log2_size: 0,
        dk_log2_index_bytes: 3,
        dk_kind: DICT_KEYS_UNICODE,
        dk_version: 1,
        dk_usable: 0,
        dk_nentries: 0,
    },
    indices: [-1; 8],
};

/// The table that all empty dicts share; never freed, never written.
#[inline(always)]
pub fn empty_keys() -> *mut PyDictKeysObject {
    (&raw mut EMPTY_KEYS).cast()
}

/// Bytes of a keys block.
///
/// # Safety
/// `keys` is live.
pub unsafe fn keys_size(keys: *const PyDictKeysObject) -> usize {
    // SAFETY: [ARGS]
    unsafe {
        let entry = if dk_is_unicode(keys) { size_of::<PyDictUnicodeEntry>() } else { size_of::<PyDictKeyEntry>() };
        size_of::<PyDictKeysObject>() + (1usize << (*keys).dk_log2_index_bytes) + usable_fraction(dk_size(keys)) * entry
    }
}

/// A new, empty table; NULL with MemoryError.
///
/// # Safety
/// The GIL is held.
pub unsafe fn new_keys_object(log2_size: u8, unicode: bool) -> *mut PyDictKeysObject {
    // SAFETY: [GIL] the block is sized by its layout.
    unsafe {
        if log2_size > 60 {
            PyErr_NoMemory();
            return null_mut();
        }
        let usable = usable_fraction(1usize << log2_size);
        let log2_bytes = match log2_size {
            0..=7 => log2_size,
            8..=15 => log2_size + 1,
            16..=31 => log2_size + 2,
            _ => log2_size + 3,
        };
        let entry = if unicode { size_of::<PyDictUnicodeEntry>() } else { size_of::<PyDictKeyEntry>() };
        let keys = if log2_size == PyDict_LOG_MINSIZE && unicode && NUM_FREE_KEYS > 0 {
            NUM_FREE_KEYS -= 1;
            FREE_KEYS[NUM_FREE_KEYS]
        } else {
            let Some(bytes) = usable
                .checked_mul(entry)
                .and_then(|n| n.checked_add(size_of::<PyDictKeysObject>() + (1usize << log2_bytes)))
                .filter(|&n| n <= isize::MAX as usize)
            else {
                PyErr_NoMemory();
                return null_mut();
            };
            let p = PyMem_Malloc(bytes).cast::<PyDictKeysObject>();
            if p.is_null() {
                PyErr_NoMemory();
                return null_mut();
            }
            p
        };
        keys.write(PyDictKeysObject {
            dk_refcnt: 1,
            dk_log2_size: log2_size,
            dk_log2_index_bytes: log2_bytes,
            dk_kind: if unicode { DICT_KEYS_UNICODE } else { DICT_KEYS_GENERAL },
            dk_version: 0,
            dk_usable: usable as isize,
            dk_nentries: 0,
        });
        let ind = dk_indices(keys);
        ind.write_bytes(0xff, 1usize << log2_bytes);
        ind.add(1usize << log2_bytes).write_bytes(0, entry * usable);
        keys
    }
}

/// Frees the block without looking at its entries.
///
/// # Safety
/// `keys` isn't used any more.
pub unsafe fn free_keys_object(keys: *mut PyDictKeysObject) {
    // SAFETY: [OWN]
    unsafe {
        if (*keys).dk_log2_size == PyDict_LOG_MINSIZE && dk_is_unicode(keys) && NUM_FREE_KEYS < MAXFREELIST {
            FREE_KEYS[NUM_FREE_KEYS] = keys;
            NUM_FREE_KEYS += 1;
            return;
        }
        PyMem_Free(keys.cast());
    }
}

/// Returns the spare blocks to the allocator.
///
/// # Safety
/// The GIL is held.
pub unsafe fn clear_keys_freelist() {
    // SAFETY: [GIL]
    unsafe {
        while NUM_FREE_KEYS > 0 {
            NUM_FREE_KEYS -= 1;
            PyMem_Free(FREE_KEYS[NUM_FREE_KEYS].cast());
        }
    }
}

/// Counts one more user of the table.
///
/// # Safety
/// `keys` is live.
#[inline(always)]
pub unsafe fn dictkeys_incref(keys: *mut PyDictKeysObject) {
    // SAFETY: [ARGS]
    unsafe {
        if (*keys).dk_refcnt != _Py_IMMORTAL_REFCNT {
            (*keys).dk_refcnt += 1;
        }
    }
}

/// Gives up one use of the table; the last one releases keys and values.
///
/// # Safety
/// The caller owns that use.
#[inline]
pub unsafe fn dictkeys_decref(keys: *mut PyDictKeysObject) {
    // SAFETY: [OWN] entries up to dk_nentries are initialised.
    unsafe {
        if (*keys).dk_refcnt == _Py_IMMORTAL_REFCNT {
            return;
        }
        (*keys).dk_refcnt -= 1;
        if (*keys).dk_refcnt > 0 {
            return;
        }
        let n = (*keys).dk_nentries as usize;
        if dk_is_unicode(keys) {
            let mut ep = dk_unicode_entries(keys);
            for _ in 0..n {
                Py_XDECREF((*ep).me_key);
                Py_XDECREF((*ep).me_value);
                ep = ep.add(1);
            }
        } else {
            let mut ep = dk_entries(keys);
            for _ in 0..n {
                Py_XDECREF((*ep).me_key);
                Py_XDECREF((*ep).me_value);
                ep = ep.add(1);
            }
        }
        free_keys_object(keys);
    }
}

// ---- lookup ----------------------------------------------------------------------------------------------------

/// Looks an exact string up in a table of strings; can't fail.
///
/// # Safety
/// `keys` is a table of strings, `key` an exact `str` whose hash is `hash`.
#[inline(always)]
pub unsafe fn unicodekeys_lookup_unicode(keys: *mut PyDictKeysObject, key: *mut PyObject, hash: Py_hash_t) -> isize {
    // SAFETY: [LAYOUT] probing ends because the table always has an empty slot.
    unsafe {
        let ep0 = dk_unicode_entries(keys);
        let mut probe = Probe::new(keys, hash);
        loop {
            let ix = get_index(keys, probe.i);
            if ix >= 0 {
                let k = (*ep0.offset(ix)).me_key;
                if k == key || (unicode_get_hash(k) == hash && unicode_eq(k, key)) {
                    return ix;
                }
            } else if ix == DKIX_EMPTY {
                return DKIX_EMPTY;
            }
            probe.next();
        }
    }
}

/// Looks an exact string up in a general table; other keys with its hash may be equal to it and run code.
unsafe fn general_lookup_unicode(
    mp: *mut PyDictObject,
    keys: *mut PyDictKeysObject,
    key: *mut PyObject,
    hash: Py_hash_t,
) -> isize {
    // SAFETY: [LAYOUT]
    unsafe { lookup_with_eq(mp, keys, dk_entries(keys), key, hash) }
}

/// Probes with `==`. The comparison may change the dict, so identity of table and key is checked after it.
#[inline(always)]
unsafe fn lookup_with_eq<E: Entry>(
    mp: *mut PyDictObject,
    keys: *mut PyDictKeysObject,
    ep0: *mut E,
    key: *mut PyObject,
    hash: Py_hash_t,
) -> isize {
    // SAFETY: [LAYOUT] [GIL] the key compared is kept alive during the comparison.
    unsafe {
        let mut probe = Probe::new(keys, hash);
        loop {
            let ix = get_index(keys, probe.i);
            if ix >= 0 {
                let ep = ep0.offset(ix);
                let startkey = (*ep).key();
                if startkey == key {
                    return ix;
                }
                if (*ep).hash() == hash {
                    if unicode_exact(startkey) && unicode_exact(key) {
                        if unicode_eq(startkey, key) {
                            return ix;
                        }
                    } else {
                        Py_INCREF(startkey);
                        let cmp = PyObject_RichCompareBool(startkey, key, Py_EQ);
                        Py_DECREF(startkey);
                        if cmp < 0 {
                            return DKIX_ERROR;
                        }
                        if keys != (*mp).ma_keys || (*ep).key() != startkey {
                            return DKIX_KEY_CHANGED;
                        }
                        if cmp > 0 {
                            return ix;
                        }
                    }
                }
            } else if ix == DKIX_EMPTY {
                return DKIX_EMPTY;
            }
            probe.next();
        }
    }
}

/// Index of the entry of `key` and its value (borrowed, NULL in a split table without that value).
/// [`DKIX_EMPTY`] if absent, [`DKIX_ERROR`] if a comparison raised.
///
/// # Safety
/// `mp` and `key` are live and `hash` is the key's.
#[inline]
pub unsafe fn dict_lookup(mp: *mut PyDictObject, key: *mut PyObject, hash: Py_hash_t) -> (isize, *mut PyObject) {
    // SAFETY: [LAYOUT]
    unsafe {
        loop {
            let keys = (*mp).ma_keys;
            let kind = (*keys).dk_kind;
            if kind != DICT_KEYS_GENERAL {
                let ix = if unicode_exact(key) {
                    unicodekeys_lookup_unicode(keys, key, hash)
                } else {
                    lookup_with_eq(mp, keys, dk_unicode_entries(keys), key, hash)
                };
                if ix == DKIX_KEY_CHANGED {
                    continue;
                }
                if ix < 0 {
                    return (ix, null_mut());
                }
                let value = if kind == DICT_KEYS_SPLIT {
                    *(&raw mut (*(*mp).ma_values).values).cast::<*mut PyObject>().offset(ix)
                } else {
                    (*dk_unicode_entries(keys).offset(ix)).me_value
                };
                return (ix, value);
            }
            let ix = if unicode_exact(key) {
                general_lookup_unicode(mp, keys, key, hash)
            } else {
                lookup_with_eq(mp, keys, dk_entries(keys), key, hash)
            };
            if ix == DKIX_KEY_CHANGED {
                continue;
            }
            if ix < 0 {
                return (ix, null_mut());
            }
            return (ix, (*dk_entries(keys).offset(ix)).me_value);
        }
    }
}

/// Slot of the index table that holds `index`, which the entry of a key with hash `hash` has.
///
/// # Safety
/// The table holds that index.
pub unsafe fn lookdict_index(keys: *mut PyDictKeysObject, hash: Py_hash_t, index: isize) -> isize {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut probe = Probe::new(keys, hash);
        loop {
            let ix = get_index(keys, probe.i);
            if ix == index {
                return probe.i as isize;
            }
            if ix == DKIX_EMPTY {
                return DKIX_EMPTY;
            }
            probe.next();
        }
    }
}

/// First slot that a new entry with hash `hash` may take.
///
/// # Safety
/// `keys` is live and not full.
#[inline(always)]
pub unsafe fn find_empty_slot(keys: *mut PyDictKeysObject, hash: Py_hash_t) -> usize {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut probe = Probe::new(keys, hash);
        while get_index(keys, probe.i) >= 0 {
            probe.next();
        }
        probe.i
    }
}

/// Enters the first `n` entries, none of them deleted, into an index table that is all empty.
///
/// # Safety
/// `ep` are the table's own entries.
pub unsafe fn build_indices<E: Entry>(keys: *mut PyDictKeysObject, mut ep: *mut E, n: isize) {
    // SAFETY: [LAYOUT]
    unsafe {
        for ix in 0..n {
            let mut probe = Probe::new(keys, (*ep).hash());
            while get_index(keys, probe.i) != DKIX_EMPTY {
                probe.next();
            }
            set_index(keys, probe.i, ix);
            ep = ep.add(1);
        }
    }
}

/// The key at `i` of a shared table was just appended, or exists: its index, or [`DKIX_EMPTY`] when the table is full.
/// Needs an exact `str`.
///
/// # Safety
/// `keys` is a split table, `hash` the key's.
pub unsafe fn insert_split_key(keys: *mut PyDictKeysObject, key: *mut PyObject, hash: Py_hash_t) -> isize {
    // SAFETY: [LAYOUT] [TYPE] the key is an exact str.
    unsafe {
        let ix = unicodekeys_lookup_unicode(keys, key, hash);
        if ix == DKIX_EMPTY && (*keys).dk_usable > 0 {
            (*keys).dk_version = 0;
            let slot = find_empty_slot(keys, hash);
            let ix = (*keys).dk_nentries;
            Py_INCREF(key);
            (*dk_unicode_entries(keys).offset(ix)).me_key = key;
            set_index(keys, slot, ix);
            (*keys).dk_nentries += 1;
            (*keys).dk_usable -= 1;
            return ix;
        }
        ix
    }
}

static mut NEXT_KEYS_VERSION: u32 = 2;

/// A number that stays the same as long as no key is added or removed; 0 when numbers have run out.
///
/// # Safety
/// `keys` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDictKeys_GetVersionForCurrentState(
    _interp: *mut PyInterpreterState,
    keys: *mut PyDictKeysObject,
) -> u32 {
    // SAFETY: [GIL]
    unsafe {
        if (*keys).dk_version != 0 {
            return (*keys).dk_version;
        }
        if NEXT_KEYS_VERSION == 0 {
            return 0;
        }
        let v = NEXT_KEYS_VERSION;
        NEXT_KEYS_VERSION = NEXT_KEYS_VERSION.wrapping_add(1);
        (*keys).dk_version = v;
        v
    }
}

/// Index of an exact `str` in a table of strings, as the specialiser asks for it; -1 if absent, -3 if the table is
/// general or the key is not an exact `str`.
///
/// # Safety
/// Both are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDictKeys_StringLookup(keys: *mut PyDictKeysObject, key: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if !unicode_exact(key) || !dk_is_unicode(keys) {
            return DKIX_ERROR;
        }
        let hash = hash_of(key);
        if hash == -1 {
            PyErr_Clear();
            return DKIX_ERROR;
        }
        unicodekeys_lookup_unicode(keys, key, hash)
    }
}

/// `_PyDictKeys_DecRef`, for the type's cached keys.
///
/// # Safety
/// The caller owns one use of `keys`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDictKeys_DecRef(keys: *mut PyDictKeysObject) {
    // SAFETY: [OWN]
    unsafe { dictkeys_decref(keys) }
}

/// Bytes of a keys block (`_PyDict_KeysSize`).
///
/// # Safety
/// `keys` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_KeysSize(keys: *mut PyDictKeysObject) -> usize {
    // SAFETY: [ARGS]
    unsafe { keys_size(keys) }
}

/// A table to be shared by the instances of a class.
///
/// # Safety
/// The GIL is held; `_tp` isn't looked at.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_NewKeysForClass(_tp: *mut PyHeapTypeObject) -> *mut PyDictKeysObject {
    // SAFETY: [GIL]
    unsafe {
        let keys = new_keys_object(NEXT_LOG2_SHARED_KEYS_MAX_SIZE, true);
        if keys.is_null() {
            PyErr_Clear();
        } else {
            (*keys).dk_usable = SHARED_KEYS_MAX_SIZE as isize;
            (*keys).dk_kind = DICT_KEYS_SPLIT;
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(calculate_log2_keysize(0), 3);
        assert_eq!(calculate_log2_keysize(8), 3);
        assert_eq!(calculate_log2_keysize(9), 4);
        assert_eq!(calculate_log2_keysize(16), 4);
        assert_eq!(estimate_log2_keysize(5), 3);
        assert_eq!(estimate_log2_keysize(6), 4);
        assert_eq!(usable_fraction(8), 5);
        assert_eq!(usable_fraction(64), 42);
    }
}
