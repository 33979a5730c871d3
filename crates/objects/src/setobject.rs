//! `set` and `frozenset`: open-addressed tables that probe a short run of neighbours before jumping.
//!
//! The order of probing decides the order of iteration, so it is CPython's. A free slot has neither key nor hash; a
//! deleted one holds the dummy key and hash -1, which no object has.

use crate::gc::{gc_new, gc_track, gc_untrack, trashcan_begin, trashcan_end};
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Args, methods};

const LINEAR_PROBES: usize = 9;
const PERTURB_SHIFT: u32 = 5;

type SetRef<'a> = Borrowed<'a, PySetObject>;
type Set = *mut PySetObject;

static mut DUMMY_STRUCT: PyObject = immortal_head(&raw mut _PySetDummy_Type);

#[inline(always)]
fn dummy() -> *mut PyObject {
    &raw mut DUMMY_STRUCT
}

/// The key of deleted entries.
#[unsafe(no_mangle)]
pub static mut _PySet_Dummy: *mut PyObject = &raw mut DUMMY_STRUCT;

unsafe extern "C" fn dummy_repr(_: *mut PyObject) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { PyUnicode_FromString(c"<dummy key>".as_ptr()) }
}

unsafe extern "C" fn dummy_dealloc(_: *mut PyObject) {
    fatal("deallocating <dummy key>")
}

/// Type of the dummy key, which Python code never sees.
pub static mut _PySetDummy_Type: PyTypeObject = PyTypeObject {
    tp_name: c"<dummy key> type".as_ptr(),
    tp_dealloc: Some(dummy_dealloc),
    tp_repr: Some(dummy_repr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    ..TYPE_INIT
};

#[inline(always)]
unsafe fn smalltable(so: Set) -> *mut setentry {
    // SAFETY: [LAYOUT]
    unsafe { (&raw mut (*so).smalltable).cast() }
}

#[inline(always)]
unsafe fn unused(e: *mut setentry) -> bool {
    // SAFETY: [LAYOUT]
    unsafe { (*e).hash == 0 && (*e).key.is_null() }
}

#[inline(always)]
unsafe fn unicode_exact(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == &raw mut PyUnicode_Type }
}

use crate::dictobject::{hash_of, unicode_eq};

/// What comparing an entry that has the hash looked for says.
enum Match {
    Yes,
    No,
    Changed,
    Raised,
}

/// Compares the key of `entry` with `key`, which may run code that changes the set.
#[inline(always)]
unsafe fn same_key(so: Set, entry: *mut setentry, key: *mut PyObject) -> Match {
    // SAFETY: [LAYOUT] [GIL]
    unsafe {
        let startkey = (*entry).key;
        if startkey == key {
            return Match::Yes;
        }
        if unicode_exact(startkey) && unicode_exact(key) {
            return if unicode_eq(startkey, key) { Match::Yes } else { Match::No };
        }
        let table = (*so).table;
        Py_INCREF(startkey);
        let cmp = PyObject_RichCompareBool(startkey, key, Py_EQ);
        Py_DECREF(startkey);
        if cmp < 0 {
            return Match::Raised;
        }
        if table != (*so).table || (*entry).key != startkey {
            return Match::Changed;
        }
        if cmp > 0 { Match::Yes } else { Match::No }
    }
}

/// The entry of `key`, or the free one where the search ended; `None` if a comparison raised.
#[inline]
unsafe fn set_lookkey(so: Set, key: *mut PyObject, hash: Py_hash_t) -> Option<*mut setentry> {
    // SAFETY: [LAYOUT] there is always a free entry.
    unsafe {
        'restart: loop {
            let mask = (*so).mask as usize;
            let mut perturb = hash as usize;
            let mut i = hash as usize & mask;
            loop {
                let mut entry = (*so).table.add(i);
                let mut probes = if i + LINEAR_PROBES <= mask { LINEAR_PROBES } else { 0 };
                loop {
                    if unused(entry) {
                        return Some(entry);
                    }
                    if (*entry).hash == hash {
                        match same_key(so, entry, key) {
                            Match::Yes => return Some(entry),
                            Match::No => {}
                            Match::Changed => continue 'restart,
                            Match::Raised => return None,
                        }
                    }
                    if probes == 0 {
                        break;
                    }
                    probes -= 1;
                    entry = entry.add(1);
                }
                perturb >>= PERTURB_SHIFT;
                i = (i.wrapping_mul(5).wrapping_add(1).wrapping_add(perturb)) & mask;
            }
        }
    }
}

/// Adds a key that is held by the caller during the call; counts it if it is new.
#[inline]
unsafe fn set_add_entry(so: Set, key: *mut PyObject, hash: Py_hash_t) -> PyResult<()> {
    // SAFETY: [LAYOUT] the key is counted first: comparisons may release the caller's container.
    unsafe {
        Py_INCREF(key);
        let Some(entry) = set_lookkey(so, key, hash) else {
            Py_DECREF(key);
            return Err(Raised::assume());
        };
        if !(*entry).key.is_null() {
            Py_DECREF(key);
            return Ok(());
        }
        (*entry).key = key;
        (*entry).hash = hash;
        (*so).fill += 1;
        (*so).used += 1;
        if ((*so).fill as usize) * 5 < ((*so).mask as usize) * 3 {
            return Ok(());
        }
        set_table_resize(so, growth((*so).used))
    }
}

#[inline(always)]
fn growth(used: Py_ssize_t) -> usize {
    if used > 50000 { used as usize * 2 } else { used as usize * 4 }
}

/// Enters a key known to be new into a table without deleted entries; takes the reference over.
#[inline(always)]
unsafe fn set_insert_clean(table: *mut setentry, mask: usize, key: *mut PyObject, hash: Py_hash_t) {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut perturb = hash as usize;
        let mut i = hash as usize & mask;
        loop {
            let mut entry = table.add(i);
            let mut probes = if i + LINEAR_PROBES <= mask { LINEAR_PROBES } else { 0 };
            loop {
                if (*entry).key.is_null() {
                    (*entry).key = key;
                    (*entry).hash = hash;
                    return;
                }
                if probes == 0 {
                    break;
                }
                probes -= 1;
                entry = entry.add(1);
            }
            perturb >>= PERTURB_SHIFT;
            i = (i.wrapping_mul(5).wrapping_add(1).wrapping_add(perturb)) & mask;
        }
    }
}

/// Rebuilds the table with room for more than `minused` entries, without deleted ones.
#[cold]
unsafe fn set_table_resize(so: Set, minused: usize) -> PyResult<()> {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut newsize = PySet_MINSIZE;
        while newsize <= minused {
            newsize <<= 1;
        }
        let mut oldtable = (*so).table;
        let allocated = oldtable != smalltable(so);
        let oldmask = (*so).mask as usize;
        let mut copy = core::mem::MaybeUninit::<[setentry; PySet_MINSIZE]>::uninit();
        let newtable;
        if newsize == PySet_MINSIZE {
            newtable = smalltable(so);
            if newtable == oldtable {
                if (*so).fill == (*so).used {
                    return Ok(());
                }
                core::ptr::copy_nonoverlapping(oldtable, copy.as_mut_ptr().cast(), PySet_MINSIZE);
                oldtable = copy.as_mut_ptr().cast();
            }
        } else {
            newtable = match newsize.checked_mul(size_of::<setentry>()) {
                Some(n) if n <= isize::MAX as usize => PyMem_Malloc(n).cast::<setentry>(),
                _ => null_mut(),
            };
            if newtable.is_null() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
        }
        newtable.write_bytes(0, newsize);
        (*so).mask = newsize as isize - 1;
        (*so).table = newtable;
        (*so).fill = (*so).used;
        for i in 0..=oldmask {
            let e = oldtable.add(i);
            if !(*e).key.is_null() && (*e).key != dummy() {
                set_insert_clean(newtable, newsize - 1, (*e).key, (*e).hash);
            }
        }
        if allocated {
            PyMem_Free(oldtable.cast());
        }
        Ok(())
    }
}

unsafe fn set_contains_entry(so: Set, key: *mut PyObject, hash: Py_hash_t) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        match set_lookkey(so, key, hash) {
            Some(e) => Ok(!(*e).key.is_null()),
            None => Err(Raised::assume()),
        }
    }
}

/// Removes `key`; whether it was there.
unsafe fn set_discard_entry(so: Set, key: *mut PyObject, hash: Py_hash_t) -> PyResult<bool> {
    // SAFETY: [LAYOUT]
    unsafe {
        let Some(e) = set_lookkey(so, key, hash) else { return Err(Raised::assume()) };
        let old = (*e).key;
        if old.is_null() {
            return Ok(false);
        }
        (*e).key = dummy();
        (*e).hash = -1;
        (*so).used -= 1;
        Py_DECREF(old);
        Ok(true)
    }
}

unsafe fn key_hash(key: *mut PyObject) -> PyResult<Py_hash_t> {
    // SAFETY: [ARGS]
    unsafe {
        let h = hash_of(key);
        if h == -1 { Err(Raised::assume()) } else { Ok(h) }
    }
}

unsafe fn set_add_key(so: Set, key: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { set_add_entry(so, key, key_hash(key)?) }
}
unsafe fn set_contains_key(so: Set, key: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe { set_contains_entry(so, key, key_hash(key)?) }
}
unsafe fn set_discard_key(so: Set, key: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe { set_discard_entry(so, key, key_hash(key)?) }
}

unsafe fn empty_to_minsize(so: Set) {
    // SAFETY: [LAYOUT]
    unsafe {
        smalltable(so).write_bytes(0, PySet_MINSIZE);
        (*so).fill = 0;
        (*so).used = 0;
        (*so).mask = PySet_MINSIZE as isize - 1;
        (*so).table = smalltable(so);
        (*so).hash = -1;
    }
}

/// Empties the set. The table is put aside before any reference is released.
unsafe fn set_clear_internal(so: Set) {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut table = (*so).table;
        let allocated = table != smalltable(so);
        let fill = (*so).fill;
        let n = (*so).mask as usize + 1;
        let mut copy = core::mem::MaybeUninit::<[setentry; PySet_MINSIZE]>::uninit();
        if allocated {
            empty_to_minsize(so);
        } else if fill > 0 {
            core::ptr::copy_nonoverlapping(table, copy.as_mut_ptr().cast(), PySet_MINSIZE);
            table = copy.as_mut_ptr().cast();
            empty_to_minsize(so);
        }
        let mut left = if fill > 0 { n } else { 0 };
        let mut e = table;
        while left > 0 {
            if !(*e).key.is_null() && (*e).key != dummy() {
                Py_DECREF((*e).key);
            }
            e = e.add(1);
            left -= 1;
        }
        if allocated {
            PyMem_Free(table.cast());
        }
    }
}

/// The entry at or after `*pos`.
#[inline(always)]
unsafe fn set_next(so: Set, pos: &mut Py_ssize_t) -> Option<(*mut PyObject, Py_hash_t)> {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut i = *pos;
        if i < 0 {
            return None;
        }
        while i <= (*so).mask {
            let e = (*so).table.offset(i);
            i += 1;
            if !(*e).key.is_null() && (*e).key != dummy() {
                *pos = i;
                return Some(((*e).key, (*e).hash));
            }
        }
        *pos = i;
        None
    }
}

/// Adds what another set has.
unsafe fn set_merge(so: Set, other: Set) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if other == so || (*other).used == 0 {
            return Ok(());
        }
        if ((*so).fill + (*other).used) * 5 >= (*so).mask * 3 {
            set_table_resize(so, ((*so).used + (*other).used) as usize * 2)?;
        }
        if (*so).fill == 0 {
            let (table, from) = ((*so).table, (*other).table);
            let n = (*other).mask + 1;
            if (*so).mask == (*other).mask && (*other).fill == (*other).used {
                for i in 0..n {
                    let key = (*from.offset(i)).key;
                    if !key.is_null() {
                        Py_INCREF(key);
                        (*table.offset(i)).key = key;
                        (*table.offset(i)).hash = (*from.offset(i)).hash;
                    }
                }
            } else {
                for i in 0..n {
                    let e = from.offset(i);
                    if !(*e).key.is_null() && (*e).key != dummy() {
                        Py_INCREF((*e).key);
                        set_insert_clean(table, (*so).mask as usize, (*e).key, (*e).hash);
                    }
                }
            }
            (*so).fill = (*other).used;
            (*so).used = (*other).used;
            return Ok(());
        }
        let mut pos = 0;
        while let Some((key, hash)) = set_next(other, &mut pos) {
            set_add_entry(so, key, hash)?;
        }
        Ok(())
    }
}

unsafe fn set_update_internal(so: Set, other: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyAnySet_Check(other) != 0 {
            return set_merge(so, other.cast());
        }
        if PyDict_CheckExact(other) != 0 {
            let n = PyDict_Size(other);
            if ((*so).fill + n) * 5 >= (*so).mask * 3 {
                set_table_resize(so, ((*so).used + n) as usize * 2)?;
            }
            let mut pos = 0;
            while let Some((key, _, hash)) = crate::dictobject::dict_next(other.cast(), &mut pos) {
                set_add_entry(so, key, hash)?;
            }
            return Ok(());
        }
        let it = Owned::from_owned_or_err(PyObject_GetIter(other))?;
        while let Some(key) = Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
            set_add_key(so, key.as_ptr())?;
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        Ok(())
    }
}

/// A new set of type `tp` with the items of `iterable` (NULL: none).
unsafe fn make_new_set(tp: *mut PyTypeObject, iterable: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let exact = tp == &raw mut PySet_Type || tp == &raw mut PyFrozenSet_Type;
        let op = if exact {
            gc_new::<PyObject>(tp)
        } else {
            match (*tp).tp_alloc {
                Some(alloc) => alloc(tp, 0),
                None => PyType_GenericAlloc(tp, 0),
            }
        };
        let op = Owned::from_owned_or_err(op)?;
        let so: Set = op.as_ptr().cast();
        empty_to_minsize(so);
        (*so).finger = 0;
        (*so).weakreflist = null_mut();
        if exact {
            gc_track(op.as_ptr());
        }
        if !iterable.is_null() {
            set_update_internal(so, iterable)?;
        }
        Ok(op)
    }
}

/// As [`make_new_set`], but a subclass yields its built-in base.
unsafe fn make_new_set_basetype(tp: *mut PyTypeObject, iterable: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let base = if tp == &raw mut PySet_Type || PyType_IsSubtype(tp, &raw mut PySet_Type) != 0 {
            &raw mut PySet_Type
        } else {
            &raw mut PyFrozenSet_Type
        };
        make_new_set(base, iterable)
    }
}

#[inline(always)]
fn as_set(op: &Owned) -> Set {
    op.as_ptr().cast()
}

unsafe fn copy_of(so: Set) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { make_new_set_basetype((*so).ob_base.ob_type, so.cast()) }
}

unsafe fn is_any_set(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { PyAnySet_Check(op) != 0 }
}

// ---- slots -----------------------------------------------------------------------------------------------------

unsafe extern "C" fn set_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE] nobody else has the set.
    unsafe {
        let so: Set = slf.cast();
        gc_untrack(slf);
        if !trashcan_begin(slf, set_dealloc) {
            return;
        }
        if !(*so).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        let mut left = (*so).used;
        let mut e = (*so).table;
        while left > 0 {
            if !(*e).key.is_null() && (*e).key != dummy() {
                left -= 1;
                Py_DECREF((*e).key);
            }
            e = e.add(1);
        }
        if (*so).table != smalltable(so) {
            PyMem_Free((*so).table.cast());
        }
        match (*(*slf).ob_type).tp_free {
            Some(free) => free(slf.cast()),
            None => PyObject_GC_Del(slf.cast()),
        }
        trashcan_end();
    }
}

unsafe extern "C" fn set_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let mut pos = 0;
        while let Some((key, _)) = set_next(slf.cast(), &mut pos) {
            py_visit!(visitor, arg; key);
        }
        0
    }
}

unsafe extern "C" fn set_tp_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { set_clear_internal(slf.cast()) };
    0
}

unsafe extern "C" fn set_len(slf: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { (*slf.cast::<PySetObject>()).used }
}

unsafe fn set_repr(slf: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let tp = (*slf).ob_type;
        if (*slf.cast::<PySetObject>()).used == 0 {
            return Owned::from_owned_or_err(PyUnicode_FromFormat(c"%s()".as_ptr(), (*tp).tp_name));
        }
        let keys = Owned::from_owned_or_err(PySequence_List(slf))?;
        let list = Owned::from_owned_or_err(PyObject_Repr(keys.as_ptr()))?;
        let inner = Owned::from_owned_or_err(PyUnicode_Substring(
            list.as_ptr(),
            1,
            PyUnicode_GET_LENGTH(list.as_ptr()) - 1,
        ))?;
        Owned::from_owned_or_err(if tp == &raw mut PySet_Type {
            PyUnicode_FromFormat(c"{%U}".as_ptr(), inner.as_ptr())
        } else {
            PyUnicode_FromFormat(c"%s({%U})".as_ptr(), (*tp).tp_name, inner.as_ptr())
        })
    }
}

unsafe extern "C" fn set_repr_slot(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let rc = Py_ReprEnter(slf);
        if rc != 0 {
            return if rc > 0 {
                PyUnicode_FromFormat(c"%s(...)".as_ptr(), (*(*slf).ob_type).tp_name)
            } else {
                null_mut()
            };
        }
        let r = set_repr(slf).into_c();
        Py_ReprLeave(slf);
        r
    }
}

fn shuffle_bits(h: usize) -> usize {
    ((h ^ 89869747) ^ (h << 16)).wrapping_mul(3644798167)
}

/// A hash that doesn't depend on the order: all entries are mixed in, then free and deleted ones taken out again.
unsafe fn hash_of_items(so: Set) -> Py_hash_t {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut hash = 0usize;
        for i in 0..=(*so).mask {
            hash ^= shuffle_bits((*(*so).table.offset(i)).hash as usize);
        }
        if ((*so).mask + 1 - (*so).fill) & 1 != 0 {
            hash ^= shuffle_bits(0);
        }
        if ((*so).fill - (*so).used) & 1 != 0 {
            hash ^= shuffle_bits(usize::MAX);
        }
        hash ^= ((*so).used as usize + 1).wrapping_mul(1927868237);
        hash ^= (hash >> 11) ^ (hash >> 25);
        hash = hash.wrapping_mul(69069).wrapping_add(907133923);
        if hash == usize::MAX { 590923713 } else { hash as Py_hash_t }
    }
}

unsafe extern "C" fn frozenset_hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let so: Set = slf.cast();
        if (*so).hash == -1 {
            (*so).hash = hash_of_items(so);
        }
        (*so).hash
    }
}

unsafe fn contains_with_fallback(so: Set, key: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe { with_frozen_key(key, |k, hash| match hash {
        Some(h) => set_contains_entry(so, k, h),
        None => set_contains_key(so, k),
    }) }
}

/// Runs `f` on `key`; an unhashable set is tried again with the hash of its items.
unsafe fn with_frozen_key<R>(
    key: *mut PyObject,
    f: impl Fn(*mut PyObject, Option<Py_hash_t>) -> PyResult<R>,
) -> PyResult<R> {
    // SAFETY: [ARGS]
    unsafe {
        match f(key, None) {
            Err(raised) if PySet_Check(key) != 0 && raised.matches(PyExc_TypeError) => {
                raised.clear();
                // A copy, because the set could change while it is compared.
                let frozen = make_new_set(&raw mut PyFrozenSet_Type, key)?;
                f(frozen.as_ptr(), Some(frozenset_hash(frozen.as_ptr())))
            }
            done => done,
        }
    }
}

unsafe extern "C" fn set_contains_slot(slf: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { contains_with_fallback(slf.cast(), key).into_c() }
}

/// Whether all items of `so` are in the set `other`.
unsafe fn subset_of(so: Set, other: Set) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe {
        if (*so).used > (*other).used {
            return Ok(false);
        }
        let mut pos = 0;
        while let Some((key, hash)) = set_next(so, &mut pos) {
            let key = Owned::from_borrowed(key);
            if !set_contains_entry(other, key.as_ptr(), hash)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

unsafe extern "C" fn set_richcompare(v: *mut PyObject, w: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        if !is_any_set(w) {
            return Py_NotImplemented();
        }
        let (a, b): (Set, Set) = (v.cast(), w.cast());
        let equal = || {
            if (*a).used != (*b).used || ((*a).hash != -1 && (*b).hash != -1 && (*a).hash != (*b).hash) {
                return Ok(false);
            }
            subset_of(a, b)
        };
        let r = match op {
            Py_EQ => equal(),
            Py_NE => equal().map(|same| !same),
            Py_LE => subset_of(a, b),
            Py_GE => subset_of(b, a),
            Py_LT if (*a).used >= (*b).used => Ok(false),
            Py_LT => subset_of(a, b),
            _ if (*a).used <= (*b).used => Ok(false),
            _ => subset_of(b, a),
        };
        match r {
            Ok(true) => Py_True(),
            Ok(false) => Py_False(),
            Err(_) => null_mut(),
        }
    }
}

// ---- operations ------------------------------------------------------------------------------------------------

/// Exchanges the contents of two sets.
unsafe fn set_swap_bodies(a: Set, b: Set) {
    // SAFETY: [LAYOUT]
    unsafe {
        core::mem::swap(&mut (*a).fill, &mut (*b).fill);
        core::mem::swap(&mut (*a).used, &mut (*b).used);
        core::mem::swap(&mut (*a).mask, &mut (*b).mask);
        let (ta, tb) = ((*a).table, (*b).table);
        (*a).table = if tb == smalltable(b) { smalltable(a) } else { tb };
        (*b).table = if ta == smalltable(a) { smalltable(b) } else { ta };
        core::mem::swap(&mut (*a).smalltable, &mut (*b).smalltable);
        let frozen = &raw mut PyFrozenSet_Type;
        if is_instance_of(a.cast(), frozen) && is_instance_of(b.cast(), frozen) {
            core::mem::swap(&mut (*a).hash, &mut (*b).hash);
        } else {
            (*a).hash = -1;
            (*b).hash = -1;
        }
    }
}

unsafe fn intersection(mut so: Set, mut other: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if so.cast() == other {
            return copy_of(so);
        }
        let result = make_new_set_basetype((*so).ob_base.ob_type, null_mut())?;
        if is_any_set(other) {
            if (*other.cast::<PySetObject>()).used > (*so).used {
                let t = so;
                so = other.cast();
                other = t.cast();
            }
            let mut pos = 0;
            while let Some((key, hash)) = set_next(other.cast(), &mut pos) {
                let key = Owned::from_borrowed(key);
                if set_contains_entry(so, key.as_ptr(), hash)? {
                    set_add_entry(as_set(&result), key.as_ptr(), hash)?;
                }
            }
            return Ok(result);
        }
        let it = Owned::from_owned_or_err(PyObject_GetIter(other))?;
        while let Some(key) = Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
            let hash = key_hash(key.as_ptr())?;
            if set_contains_entry(so, key.as_ptr(), hash)? {
                set_add_entry(as_set(&result), key.as_ptr(), hash)?;
                if (*as_set(&result)).used >= (*so).used {
                    break;
                }
            }
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        Ok(result)
    }
}

unsafe fn intersection_multi(so: Set, others: Args<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if others.is_empty() {
            return copy_of(so);
        }
        let mut result = Owned::from_borrowed(so.cast::<PyObject>());
        for other in others.iter() {
            result = intersection(as_set(&result), other.ob())?;
        }
        Ok(result)
    }
}

unsafe fn difference_update_internal(so: Set, other: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if so.cast() == other {
            set_clear_internal(so);
            return Ok(());
        }
        if is_any_set(other) {
            // What a much larger set has in common with this one is all that matters.
            let other = if ((*other.cast::<PySetObject>()).used >> 3) > (*so).used {
                intersection(so, other)?
            } else {
                Owned::from_borrowed(other)
            };
            let mut pos = 0;
            while let Some((key, hash)) = set_next(as_set(&other), &mut pos) {
                let key = Owned::from_borrowed(key);
                set_discard_entry(so, key.as_ptr(), hash)?;
            }
        } else {
            let it = Owned::from_owned_or_err(PyObject_GetIter(other))?;
            while let Some(key) = Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
                set_discard_key(so, key.as_ptr())?;
            }
            if err_occurred() {
                return Err(Raised::assume());
            }
        }
        // Deleted entries are swept out once they are more than a quarter.
        if ((*so).fill - (*so).used) as usize <= (*so).mask as usize / 4 {
            return Ok(());
        }
        set_table_resize(so, growth((*so).used))
    }
}

unsafe fn difference(so: Set, other: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let other_size = if is_any_set(other) {
            Some((*other.cast::<PySetObject>()).used)
        } else if PyDict_CheckExact(other) != 0 {
            Some(PyDict_Size(other))
        } else {
            None
        };
        if other_size.is_none_or(|n| ((*so).used >> 2) > n) {
            let result = copy_of(so)?;
            difference_update_internal(as_set(&result), other)?;
            return Ok(result);
        }
        let result = make_new_set_basetype((*so).ob_base.ob_type, null_mut())?;
        let dict = PyDict_CheckExact(other) != 0;
        let mut pos = 0;
        while let Some((key, hash)) = set_next(so, &mut pos) {
            let key = Owned::from_borrowed(key);
            let found = if dict {
                crate::dictobject::contains_known_hash(other.cast(), key.as_ptr(), hash)?
            } else {
                set_contains_entry(other.cast(), key.as_ptr(), hash)?
            };
            if !found {
                set_add_entry(as_set(&result), key.as_ptr(), hash)?;
            }
        }
        Ok(result)
    }
}

unsafe fn symmetric_difference_update(so: Set, other: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if so.cast() == other {
            set_clear_internal(so);
            return Ok(());
        }
        let toggle = |key: *mut PyObject, hash| -> PyResult<()> {
            let key = Owned::from_borrowed(key);
            if !set_discard_entry(so, key.as_ptr(), hash)? {
                set_add_entry(so, key.as_ptr(), hash)?;
            }
            Ok(())
        };
        let mut pos = 0;
        if PyDict_CheckExact(other) != 0 {
            while let Some((key, _, hash)) = crate::dictobject::dict_next(other.cast(), &mut pos) {
                toggle(key, hash)?;
            }
            return Ok(());
        }
        let other = if is_any_set(other) {
            Owned::from_borrowed(other)
        } else {
            make_new_set_basetype((*so).ob_base.ob_type, other)?
        };
        while let Some((key, hash)) = set_next(as_set(&other), &mut pos) {
            toggle(key, hash)?;
        }
        Ok(())
    }
}

macro_rules! binary {
    ($($name:ident, |$so:ident, $other:ident| $body:expr;)*) => { $(
        unsafe extern "C" fn $name(a: *mut PyObject, $other: *mut PyObject) -> *mut PyObject {
            unsafe fn compute($so: Set, $other: *mut PyObject) -> PyResult<Owned> {
                // SAFETY: [TYPE]
                unsafe { $body }
            }
            // SAFETY: [ARGS]
            unsafe {
                if !is_any_set(a) || !is_any_set($other) {
                    return Py_NotImplemented();
                }
                compute(a.cast(), $other).into_c()
            }
        }
    )* };
}
binary! {
    set_or, |so, other| {
        let result = copy_of(so)?;
        if so.cast() != other {
            set_update_internal(as_set(&result), other)?;
        }
        Ok(result)
    };
    set_and, |so, other| intersection(so, other);
    set_sub, |so, other| difference(so, other);
    set_xor, |so, other| symmetric(so, other);
    set_ior, |so, other| { set_update_internal(so, other)?; Ok(Owned::from_borrowed(so.cast())) };
    set_iand, |so, other| {
        let tmp = intersection(so, other)?;
        set_swap_bodies(so, as_set(&tmp));
        Ok(Owned::from_borrowed(so.cast()))
    };
    set_isub, |so, other| { difference_update_internal(so, other)?; Ok(Owned::from_borrowed(so.cast())) };
    set_ixor, |so, other| { symmetric_difference_update(so, other)?; Ok(Owned::from_borrowed(so.cast())) };
}

unsafe fn symmetric(so: Set, other: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let result = make_new_set_basetype((*so).ob_base.ob_type, other)?;
        symmetric_difference_update(as_set(&result), so.cast())?;
        Ok(result)
    }
}

// ---- methods ---------------------------------------------------------------------------------------------------

fn set_update(slf: SetRef<'_>, others: Args<'_>) -> PyResult<()> {
    for other in others.iter() {
        // SAFETY: [TYPE]
        unsafe { set_update_internal(slf.as_ptr(), other.ob())? };
    }
    Ok(())
}

fn set_union(slf: SetRef<'_>, others: Args<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let result = copy_of(slf.as_ptr())?;
        for other in others.iter().filter(|o| o.ob() != slf.ob()) {
            set_update_internal(as_set(&result), other.ob())?;
        }
        Ok(result)
    }
}

fn set_copy(slf: SetRef<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { copy_of(slf.as_ptr()) }
}

fn frozenset_copy(slf: SetRef<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if slf.ob_type() == &raw mut PyFrozenSet_Type {
            return Ok(slf.object().to_owned());
        }
        copy_of(slf.as_ptr())
    }
}

fn set_clear(slf: SetRef<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { set_clear_internal(slf.as_ptr()) };
    Ok(())
}

fn set_intersection(slf: SetRef<'_>, others: Args<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { intersection_multi(slf.as_ptr(), others) }
}

fn set_intersection_update(slf: SetRef<'_>, others: Args<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let tmp = intersection_multi(slf.as_ptr(), others)?;
        set_swap_bodies(slf.as_ptr(), as_set(&tmp));
        Ok(())
    }
}

fn set_isdisjoint(slf: SetRef<'_>, other: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe {
        let so = slf.as_ptr();
        if slf.is(other.ob()) {
            return Ok((*so).used == 0);
        }
        if is_any_set(other.ob()) {
            let (mut small, mut large): (Set, Set) = (other.ob().cast(), so);
            if (*small).used > (*large).used {
                (small, large) = (large, small);
            }
            let mut pos = 0;
            while let Some((key, hash)) = set_next(small, &mut pos) {
                let key = Owned::from_borrowed(key);
                if set_contains_entry(large, key.as_ptr(), hash)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let it = Owned::from_owned_or_err(PyObject_GetIter(other.ob()))?;
        while let Some(key) = Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
            if set_contains_key(so, key.as_ptr())? {
                return Ok(false);
            }
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        Ok(true)
    }
}

fn set_difference(slf: SetRef<'_>, others: Args<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let mut rest = others.iter();
        let Some(first) = rest.next() else { return copy_of(slf.as_ptr()) };
        let result = difference(slf.as_ptr(), first.ob())?;
        for other in rest {
            difference_update_internal(as_set(&result), other.ob())?;
        }
        Ok(result)
    }
}

fn set_difference_update(slf: SetRef<'_>, others: Args<'_>) -> PyResult<()> {
    for other in others.iter() {
        // SAFETY: [TYPE]
        unsafe { difference_update_internal(slf.as_ptr(), other.ob())? };
    }
    Ok(())
}

fn set_symmetric_difference_update(slf: SetRef<'_>, other: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { symmetric_difference_update(slf.as_ptr(), other.ob()) }
}

fn set_symmetric_difference(slf: SetRef<'_>, other: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { symmetric(slf.as_ptr(), other.ob()) }
}

fn set_issubset(slf: SetRef<'_>, other: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe {
        if !is_any_set(other.ob()) {
            let common = intersection(slf.as_ptr(), other.ob())?;
            return Ok((*as_set(&common)).used == slf.used);
        }
        subset_of(slf.as_ptr(), other.ob().cast())
    }
}

fn set_issuperset(slf: SetRef<'_>, other: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe {
        if is_any_set(other.ob()) {
            return subset_of(other.ob().cast(), slf.as_ptr());
        }
        let it = Owned::from_owned_or_err(PyObject_GetIter(other.ob()))?;
        while let Some(key) = Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
            if !set_contains_key(slf.as_ptr(), key.as_ptr())? {
                return Ok(false);
            }
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        Ok(true)
    }
}

fn set_add(slf: SetRef<'_>, key: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { set_add_key(slf.as_ptr(), key.ob()) }
}

fn set___contains__(slf: SetRef<'_>, key: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe { contains_with_fallback(slf.as_ptr(), key.ob()) }
}

unsafe fn discard_with_fallback(so: Set, key: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe { with_frozen_key(key, |k, hash| match hash {
        Some(h) => set_discard_entry(so, k, h),
        None => set_discard_key(so, k),
    }) }
}

fn set_remove(slf: SetRef<'_>, key: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if !discard_with_fallback(slf.as_ptr(), key.ob())? {
            _PyErr_SetKeyError(key.ob());
            return Err(Raised::assume());
        }
        Ok(())
    }
}

fn set_discard(slf: SetRef<'_>, key: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { discard_with_fallback(slf.as_ptr(), key.ob()).map(|_| ()) }
}

fn set_pop(slf: SetRef<'_>) -> PyResult<Owned> {
    // SAFETY: [LAYOUT] used > 0, so the search ends.
    unsafe {
        let so = slf.as_ptr();
        if (*so).used == 0 {
            bail!(PyExc_KeyError, "pop from an empty set");
        }
        let mut i = (*so).finger & (*so).mask;
        loop {
            let e = (*so).table.offset(i);
            if !(*e).key.is_null() && (*e).key != dummy() {
                let key = (*e).key;
                (*e).key = dummy();
                (*e).hash = -1;
                (*so).used -= 1;
                // The next search starts where this one ended.
                (*so).finger = i + 1;
                return Ok(Owned::from_owned(key));
            }
            i = if i == (*so).mask { 0 } else { i + 1 };
        }
    }
}

unsafe extern "C" {
    fn _PyObject_GetState(op: *mut PyObject) -> *mut PyObject;
}

fn set_reduce(slf: SetRef<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let keys = Owned::from_owned_or_err(PySequence_List(slf.ob()))?;
        let keys = [keys.as_ptr()];
        let args = Owned::from_owned_or_err(_PyTuple_FromArray(keys.as_ptr(), 1))?;
        let state = Owned::from_owned_or_err(_PyObject_GetState(slf.ob()))?;
        let parts = [slf.ob_type().cast(), args.as_ptr(), state.as_ptr()];
        Owned::from_owned_or_err(_PyTuple_FromArray(parts.as_ptr(), 3))
    }
}

fn set___sizeof__(slf: SetRef<'_>) -> PyResult<usize> {
    // SAFETY: [TYPE]
    unsafe {
        let mut res = (*slf.ob_type()).tp_basicsize as usize;
        if slf.table != smalltable(slf.as_ptr()) {
            res += (slf.mask as usize + 1) * size_of::<setentry>();
        }
        Ok(res)
    }
}

unsafe extern "C" fn set_init(slf: *mut PyObject, args: *mut PyObject, kwds: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if !kwds.is_null() && _PyArg_NoKeywords(c"set".as_ptr(), kwds) == 0 {
            return -1;
        }
        let n = PyTuple_GET_SIZE(args);
        if _PyArg_CheckPositional((*(*slf).ob_type).tp_name, n, 0, 1) == 0 {
            return -1;
        }
        let so: Set = slf.cast();
        if (*so).fill != 0 {
            set_clear_internal(so);
        }
        (*so).hash = -1;
        if n == 0 {
            return 0;
        }
        set_update_internal(so, PyTuple_GET_ITEM(args, 0)).into_c()
    }
}

unsafe fn no_kwnames(name: &str, kwnames: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        if kwnames.is_null() || PyTuple_GET_SIZE(kwnames) == 0 {
            return true;
        }
        let _ = raise!(PyExc_TypeError, "{name}() takes no keyword arguments");
        false
    }
}

unsafe extern "C" fn set_vectorcall(
    tp: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyVectorcall_NARGS(nargsf);
        if !no_kwnames("set", kwnames) || _PyArg_CheckPositional(c"set".as_ptr(), n, 0, 1) == 0 {
            return null_mut();
        }
        make_new_set(tp.cast(), if n > 0 { *args } else { null_mut() }).into_c()
    }
}

unsafe extern "C" fn set_new(tp: *mut PyTypeObject, _args: *mut PyObject, _kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { make_new_set(tp, null_mut()).into_c() }
}

unsafe fn make_new_frozenset(tp: *mut PyTypeObject, iterable: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if tp == &raw mut PyFrozenSet_Type && !iterable.is_null() && (*iterable).ob_type == tp {
            return Ok(Owned::from_borrowed(iterable));
        }
        make_new_set(tp, iterable)
    }
}

unsafe extern "C" fn frozenset_new(tp: *mut PyTypeObject, args: *mut PyObject, kwds: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let frozen = &raw mut PyFrozenSet_Type;
        let own_init = (*tp).tp_init.map(|f| f as usize) == (*frozen).tp_init.map(|f| f as usize);
        if (tp == frozen || own_init)
            && !kwds.is_null()
            && _PyArg_NoKeywords(c"frozenset".as_ptr(), kwds) == 0
        {
            return null_mut();
        }
        let n = PyTuple_GET_SIZE(args);
        if _PyArg_CheckPositional((*tp).tp_name, n, 0, 1) == 0 {
            return null_mut();
        }
        make_new_frozenset(tp, if n > 0 { PyTuple_GET_ITEM(args, 0) } else { null_mut() }).into_c()
    }
}

unsafe extern "C" fn frozenset_vectorcall(
    tp: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyVectorcall_NARGS(nargsf);
        if !no_kwnames("frozenset", kwnames) || _PyArg_CheckPositional(c"frozenset".as_ptr(), n, 0, 1) == 0 {
            return null_mut();
        }
        make_new_frozenset(tp.cast(), if n > 0 { *args } else { null_mut() }).into_c()
    }
}

methods! {
    /// Methods of `set`.
    static SET_METHODS = [
        "add($self, object, /)" => set_add, "Add an item, unless it is there already.";
        "clear($self, /)" => set_clear, "Remove all items.";
        coexist "__contains__($self, object, /)" => set___contains__, "Whether the item is in the set.";
        "copy($self, /)" => set_copy, "A shallow copy.";
        "discard($self, object, /)" => set_discard, "Remove an item; nothing happens if it isn't there.";
        "difference($self, /, *others)" => set_difference, "A new set of the items that none of the others has.";
        "difference_update($self, /, *others)" => set_difference_update, "Remove all items that one of the others has.";
        "intersection($self, /, *others)" => set_intersection, "A new set of the items that all the others have too.";
        "intersection_update($self, /, *others)" => set_intersection_update, "Keep only the items that all the others have too.";
        "isdisjoint($self, other, /)" => set_isdisjoint, "Whether the two have no item in common.";
        "issubset($self, other, /)" => set_issubset, "Whether the other one has all items of this set.";
        "issuperset($self, other, /)" => set_issuperset, "Whether this set has all items of the other one.";
        "pop($self, /)" => set_pop, "Remove any one item and return it.\n\nRaises KeyError on an empty set.";
        "__reduce__($self, /)" => set_reduce, "State for pickling.";
        "remove($self, object, /)" => set_remove, "Remove an item.\n\nRaises KeyError if it isn't there.";
        "__sizeof__($self, /)" => set___sizeof__, "Bytes of memory that the set occupies.";
        "symmetric_difference($self, other, /)" => set_symmetric_difference, "A new set of the items that exactly one of the two has.";
        "symmetric_difference_update($self, other, /)" => set_symmetric_difference_update, "Keep the items that exactly one of the two has.";
        "union($self, /, *others)" => set_union, "A new set of the items of all.";
        "update($self, /, *others)" => set_update, "Add the items of all others.";
        raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS,
            "__class_getitem__($type, object, /)\n--\n\nSee PEP 585";
    ];
}
methods! {
    /// Methods of `frozenset`.
    static FROZENSET_METHODS = [
        coexist "__contains__($self, object, /)" => set___contains__, "Whether the item is in the set.";
        "copy($self, /)" => frozenset_copy, "The set itself, which can't change.";
        "difference($self, /, *others)" => set_difference, "A new set of the items that none of the others has.";
        "intersection($self, /, *others)" => set_intersection, "A new set of the items that all the others have too.";
        "isdisjoint($self, other, /)" => set_isdisjoint, "Whether the two have no item in common.";
        "issubset($self, other, /)" => set_issubset, "Whether the other one has all items of this set.";
        "issuperset($self, other, /)" => set_issuperset, "Whether this set has all items of the other one.";
        "__reduce__($self, /)" => set_reduce, "State for pickling.";
        "__sizeof__($self, /)" => set___sizeof__, "Bytes of memory that the set occupies.";
        "symmetric_difference($self, other, /)" => set_symmetric_difference, "A new set of the items that exactly one of the two has.";
        "union($self, /, *others)" => set_union, "A new set of the items of all.";
        raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS,
            "__class_getitem__($type, object, /)\n--\n\nSee PEP 585";
    ];
}

static mut SET_AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(set_len),
    sq_contains: Some(set_contains_slot),
    // SAFETY: all-zero is valid: no functions.
    ..unsafe { core::mem::zeroed() }
};
static mut SET_AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_subtract: Some(set_sub),
    nb_and: Some(set_and),
    nb_xor: Some(set_xor),
    nb_or: Some(set_or),
    nb_inplace_subtract: Some(set_isub),
    nb_inplace_and: Some(set_iand),
    nb_inplace_xor: Some(set_ixor),
    nb_inplace_or: Some(set_ior),
    // SAFETY: as above.
    ..unsafe { core::mem::zeroed() }
};
static mut FROZENSET_AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_subtract: Some(set_sub),
    nb_and: Some(set_and),
    nb_xor: Some(set_xor),
    nb_or: Some(set_or),
    // SAFETY: as above.
    ..unsafe { core::mem::zeroed() }
};

const Py_TPFLAGS_MATCH_SELF: core::ffi::c_ulong = 1 << 22;

const ANYSET: PyTypeObject = PyTypeObject {
    tp_basicsize: size_of::<PySetObject>() as Py_ssize_t,
    tp_dealloc: Some(set_dealloc),
    tp_repr: Some(set_repr_slot),
    tp_as_sequence: &raw mut SET_AS_SEQUENCE,
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_MATCH_SELF,
    tp_traverse: Some(set_traverse),
    tp_clear: Some(set_tp_clear),
    tp_richcompare: Some(set_richcompare),
    tp_weaklistoffset: offset_of!(PySetObject, weakreflist) as Py_ssize_t,
    tp_iter: Some(set_iter),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

/// The type `set`.
#[unsafe(no_mangle)]
pub static mut PySet_Type: PyTypeObject = PyTypeObject {
    tp_name: c"set".as_ptr(),
    tp_as_number: &raw mut SET_AS_NUMBER,
    tp_hash: Some(PyObject_HashNotImplemented),
    tp_doc: c"set(iterable=(), /)\n--\n\nA mutable collection without order and without duplicates."
        .as_ptr(),
    tp_methods: (&raw mut SET_METHODS).cast(),
    tp_init: Some(set_init),
    tp_new: Some(set_new),
    tp_vectorcall: Some(set_vectorcall),
    ..ANYSET
};

/// The type `frozenset`.
#[unsafe(no_mangle)]
pub static mut PyFrozenSet_Type: PyTypeObject = PyTypeObject {
    tp_name: c"frozenset".as_ptr(),
    tp_as_number: &raw mut FROZENSET_AS_NUMBER,
    tp_hash: Some(frozenset_hash),
    tp_doc: c"frozenset(iterable=(), /)\n--\n\nAn immutable collection without order and without duplicates."
        .as_ptr(),
    tp_methods: (&raw mut FROZENSET_METHODS).cast(),
    tp_new: Some(frozenset_new),
    tp_vectorcall: Some(frozenset_vectorcall),
    ..ANYSET
};

// ---- iterator --------------------------------------------------------------------------------------------------

#[repr(C)]
struct setiterobject {
    ob_base: PyObject,
    si_set: Set,
    si_used: Py_ssize_t,
    si_pos: Py_ssize_t,
    len: Py_ssize_t,
}

unsafe extern "C" fn set_iter(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let si = gc_new::<setiterobject>(&raw mut PySetIter_Type);
        if si.is_null() {
            return null_mut();
        }
        Py_INCREF(slf);
        (*si).si_set = slf.cast();
        (*si).si_used = (*(*si).si_set).used;
        (*si).si_pos = 0;
        (*si).len = (*si).si_used;
        gc_track(si.cast());
        si.cast()
    }
}

unsafe extern "C" fn setiter_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        Py_XDECREF((*slf.cast::<setiterobject>()).si_set.cast());
        PyObject_GC_Del(slf.cast());
    }
}

unsafe extern "C" fn setiter_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*slf.cast::<setiterobject>()).si_set);
        0
    }
}

fn setiter_len(slf: Borrowed<'_, setiterobject>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    Ok(unsafe { if !slf.si_set.is_null() && slf.si_used == (*slf.si_set).used { slf.len } else { 0 } })
}

fn setiter_reduce(slf: Borrowed<'_, setiterobject>) -> PyResult<Owned> {
    // SAFETY: [TYPE] a second iterator in the same state is run out in place of this one.
    unsafe {
        let list = if slf.si_set.is_null() {
            Owned::from_owned_or_err(PyList_New(0))?
        } else {
            let twin = Owned::from_owned_or_err(set_iter(slf.si_set.cast()))?;
            let si: *mut setiterobject = twin.as_ptr().cast();
            (*si).si_used = slf.si_used;
            (*si).si_pos = slf.si_pos;
            (*si).len = slf.len;
            Owned::from_owned_or_err(PySequence_List(twin.as_ptr()))?
        };
        let iter = Owned::from_owned_or_err(_PyEval_GetBuiltin(intern!("iter")))?;
        let list = [list.as_ptr()];
        let args = Owned::from_owned_or_err(_PyTuple_FromArray(list.as_ptr(), 1))?;
        let parts = [iter.as_ptr(), args.as_ptr()];
        Owned::from_owned_or_err(_PyTuple_FromArray(parts.as_ptr(), 2))
    }
}

unsafe extern "C" fn setiter_iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let si: *mut setiterobject = slf.cast();
        let so = (*si).si_set;
        if so.is_null() {
            return null_mut();
        }
        if (*si).si_used != (*so).used {
            let _ = raise!(PyExc_RuntimeError, "Set changed size during iteration");
            // -1 never matches again.
            (*si).si_used = -1;
            return null_mut();
        }
        match set_next(so, &mut (*si).si_pos) {
            Some((key, _)) => {
                (*si).len -= 1;
                Py_INCREF(key);
                key
            }
            None => {
                (*si).si_set = null_mut();
                Py_DECREF(so.cast());
                null_mut()
            }
        }
    }
}

methods! {
    static SETITER_METHODS = [
        "__length_hint__($self, /)" => setiter_len, "How many items are still to come, as an estimate.";
        "__reduce__($self, /)" => setiter_reduce, "State for pickling.";
    ];
}

/// The iterator of sets.
#[unsafe(no_mangle)]
pub static mut PySetIter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"set_iterator".as_ptr(),
    tp_basicsize: size_of::<setiterobject>() as Py_ssize_t,
    tp_dealloc: Some(setiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(setiter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(setiter_iternext),
    tp_methods: (&raw mut SETITER_METHODS).cast(),
    ..TYPE_INIT
};

// ---- C API -----------------------------------------------------------------------------------------------------

unsafe fn check(ok: bool) -> PyResult<()> {
    if ok {
        return Ok(());
    }
    // SAFETY: [GIL]
    unsafe {
        PyErr_BadInternalCall();
        Err(Raised::assume())
    }
}

/// A new set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySet_New(iterable: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { make_new_set(&raw mut PySet_Type, iterable).into_c() }
}

/// A new frozenset.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrozenSet_New(iterable: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { make_new_set(&raw mut PyFrozenSet_Type, iterable).into_c() }
}

/// `len(set)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySet_Size(anyset: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { check(is_any_set(anyset)).map(|()| (*anyset.cast::<PySetObject>()).used).into_c() }
}

/// Empties a set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySet_Clear(set: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { check(PySet_Check(set) != 0).map(|()| set_clear_internal(set.cast())).into_c() }
}

/// Whether the key is in the set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySet_Contains(anyset: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { check(is_any_set(anyset)).and_then(|()| set_contains_key(anyset.cast(), key)).into_c() }
}

/// Whether the key, which may be a set, is in the set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySet_Contains(so: *mut PySetObject, key: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { contains_with_fallback(so, key).into_c() }
}

/// Removes the key: 1 if it was there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySet_Discard(set: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { check(PySet_Check(set) != 0).and_then(|()| set_discard_key(set.cast(), key)).into_c() }
}

/// Adds the key; works on a frozenset that nobody else has seen yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySet_Add(anyset: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        check(PySet_Check(anyset) != 0 || (PyFrozenSet_Check(anyset) != 0 && Py_REFCNT(anyset) == 1))
            .and_then(|()| set_add_key(anyset.cast(), key))
            .into_c()
    }
}

/// Iterates: 1 while there is an entry, whose key is lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySet_NextEntry(
    set: *mut PyObject,
    pos: *mut Py_ssize_t,
    key: *mut *mut PyObject,
    hash: *mut Py_hash_t,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if check(is_any_set(set)).is_err() {
            return -1;
        }
        match set_next(set.cast(), &mut *pos) {
            Some((k, h)) => {
                *key = k;
                *hash = h;
                1
            }
            None => 0,
        }
    }
}

/// As [`_PySet_NextEntry`] with a new reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySet_NextEntryRef(
    set: *mut PyObject,
    pos: *mut Py_ssize_t,
    key: *mut *mut PyObject,
    hash: *mut Py_hash_t,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let r = _PySet_NextEntry(set, pos, key, hash);
        if r == 1 {
            Py_INCREF(*key);
        }
        r
    }
}

/// Removes any one item.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySet_Pop(set: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { check(PySet_Check(set) != 0).and_then(|()| set_pop(Borrowed::from_ptr(set.cast()))).into_c() }
}

/// Adds the items of an iterable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySet_Update(set: *mut PyObject, iterable: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { check(PySet_Check(set) != 0).and_then(|()| set_update_internal(set.cast(), iterable)).into_c() }
}
