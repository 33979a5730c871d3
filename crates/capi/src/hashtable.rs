//! `pycore_hashtable.h`: a chained hash table of C pointers, in the layout that inline functions of the header read.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

type Hash = unsafe extern "C" fn(*const c_void) -> usize;
type Compare = unsafe extern "C" fn(*const c_void, *const c_void) -> c_int;
type Destroy = unsafe extern "C" fn(*mut c_void);
type GetEntry = unsafe extern "C" fn(*mut Table, *const c_void) -> *mut Entry;
type ForEach = unsafe extern "C" fn(*mut Table, *const c_void, *const c_void, *mut c_void) -> c_int;

/// `_Py_hashtable_entry_t`
#[repr(C)]
pub struct Entry {
    next: *mut Entry,
    key_hash: usize,
    key: *mut c_void,
    value: *mut c_void,
}

/// `_Py_hashtable_allocator_t`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Allocator {
    malloc: unsafe extern "C" fn(usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
}

/// `_Py_hashtable_t`
#[repr(C)]
pub struct Table {
    nentries: usize,
    nbuckets: usize,
    buckets: *mut *mut Entry,
    get_entry_func: GetEntry,
    hash_func: Hash,
    compare_func: Compare,
    key_destroy_func: Option<Destroy>,
    value_destroy_func: Option<Destroy>,
    alloc: Allocator,
}

/// Fewest buckets, a power of two as all numbers of buckets.
const MIN_BUCKETS: usize = 16;

/// A pointer's hash.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_hash_ptr(key: *const c_void) -> usize {
    // Low bits of addresses are mostly zero.
    (key as usize).rotate_right(4)
}

/// Whether two pointers are the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_compare_direct(a: *const c_void, b: *const c_void) -> c_int {
    (a == b) as c_int
}

impl Table {
    /// The bucket that belongs to a hash.
    unsafe fn bucket(&self, hash: usize) -> *mut *mut Entry {
        // SAFETY: nbuckets is a power of two.
        unsafe { self.buckets.add(hash & (self.nbuckets - 1)) }
    }
    /// The link that leads to a key's entry, or the NULL that ends its chain.
    unsafe fn link(&self, key: *const c_void) -> *mut *mut Entry {
        // SAFETY: [ARGS]
        unsafe {
            let hash = (self.hash_func)(key);
            let mut link = self.bucket(hash);
            while !(*link).is_null() {
                let e = *link;
                if (*e).key_hash == hash && ((*e).key.cast_const() == key || (self.compare_func)(key, (*e).key) != 0) {
                    break;
                }
                link = &raw mut (*e).next;
            }
            link
        }
    }
    unsafe fn new_buckets(alloc: &Allocator, n: usize) -> *mut *mut Entry {
        // SAFETY: the block is cleared before use.
        unsafe {
            let b = (alloc.malloc)(n * size_of::<*mut Entry>()).cast::<*mut Entry>();
            if !b.is_null() {
                core::ptr::write_bytes(b, 0, n);
            }
            b
        }
    }
    /// As many buckets as suit the number of entries; without memory things stay as they are.
    unsafe fn resize(&mut self) -> bool {
        let n = (self.nentries * 10 / 3).next_power_of_two().max(MIN_BUCKETS);
        if n == self.nbuckets {
            return true;
        }
        // SAFETY: all entries move to the new buckets.
        unsafe {
            let new = Self::new_buckets(&self.alloc, n);
            if new.is_null() {
                return false;
            }
            let (old, count) = (self.buckets, self.nbuckets);
            (self.buckets, self.nbuckets) = (new, n);
            for i in 0..count {
                let mut e = *old.add(i);
                while !e.is_null() {
                    let next = (*e).next;
                    let b = self.bucket((*e).key_hash);
                    (*e).next = *b;
                    *b = e;
                    e = next;
                }
            }
            (self.alloc.free)(old.cast());
        }
        true
    }
    /// Frees all entries, and what they own.
    unsafe fn drop_entries(&mut self) {
        // SAFETY: [OWN] the table owns its entries.
        unsafe {
            for i in 0..self.nbuckets {
                let mut e = core::mem::replace(&mut *self.buckets.add(i), null_mut());
                while !e.is_null() {
                    let next = (*e).next;
                    if let Some(f) = self.key_destroy_func {
                        f((*e).key);
                    }
                    if let Some(f) = self.value_destroy_func {
                        f((*e).value);
                    }
                    (self.alloc.free)(e.cast());
                    e = next;
                }
            }
            self.nentries = 0;
        }
    }
}

unsafe extern "C" fn get_entry(t: *mut Table, key: *const c_void) -> *mut Entry {
    // SAFETY: [ARGS]
    unsafe { *(*t).link(key) }
}

/// A table whose keys and values are freed by the functions given; NULL without memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_new_full(
    hash_func: Hash,
    compare_func: Compare,
    key_destroy_func: Option<Destroy>,
    value_destroy_func: Option<Destroy>,
    allocator: *const Allocator,
) -> *mut Table {
    // SAFETY: [ARGS]
    unsafe {
        let alloc = if allocator.is_null() { Allocator { malloc: PyMem_Malloc, free: PyMem_Free } } else { *allocator };
        let t = (alloc.malloc)(size_of::<Table>()).cast::<Table>();
        if t.is_null() {
            return null_mut();
        }
        let buckets = Table::new_buckets(&alloc, MIN_BUCKETS);
        if buckets.is_null() {
            (alloc.free)(t.cast());
            return null_mut();
        }
        t.write(Table {
            nentries: 0,
            nbuckets: MIN_BUCKETS,
            buckets,
            get_entry_func: get_entry,
            hash_func,
            compare_func,
            key_destroy_func,
            value_destroy_func,
            alloc,
        });
        t
    }
}

/// A table that doesn't own its keys and values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_new(hash_func: Hash, compare_func: Compare) -> *mut Table {
    // SAFETY: [ARGS]
    unsafe { _Py_hashtable_new_full(hash_func, compare_func, None, None, core::ptr::null()) }
}

/// Frees a table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_destroy(t: *mut Table) {
    // SAFETY: [OWN]
    unsafe {
        (*t).drop_entries();
        let free = (*t).alloc.free;
        free((*t).buckets.cast());
        free(t.cast());
    }
}

/// Removes all entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_clear(t: *mut Table) {
    // SAFETY: [ARGS]
    unsafe {
        (*t).drop_entries();
        // Too many empty buckets do no harm.
        let _ = (*t).resize();
    }
}

/// Calls `f` for each entry until it returns something else than 0, which is the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_foreach(t: *mut Table, f: ForEach, data: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        for i in 0..(*t).nbuckets {
            let mut e = *(*t).buckets.add(i);
            while !e.is_null() {
                let r = f(t, (*e).key, (*e).value, data);
                if r != 0 {
                    return r;
                }
                e = (*e).next;
            }
        }
        0
    }
}

/// The memory that a table takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_size(t: *const Table) -> usize {
    // SAFETY: [ARGS]
    unsafe { size_of::<Table>() + (*t).nbuckets * size_of::<*mut Entry>() + (*t).nentries * size_of::<Entry>() }
}

/// The number of entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_len(t: *const Table) -> usize {
    // SAFETY: [ARGS]
    unsafe { (*t).nentries }
}

/// Adds an entry under a key that isn't there yet; -1 without memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_set(t: *mut Table, key: *const c_void, value: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let e = ((*t).alloc.malloc)(size_of::<Entry>()).cast::<Entry>();
        if e.is_null() {
            return -1;
        }
        (*t).nentries += 1;
        if (*t).nentries * 2 > (*t).nbuckets && !(*t).resize() {
            (*t).nentries -= 1;
            ((*t).alloc.free)(e.cast());
            return -1;
        }
        let key_hash = ((*t).hash_func)(key);
        let bucket = (*t).bucket(key_hash);
        e.write(Entry { next: *bucket, key_hash, key: key.cast_mut(), value });
        *bucket = e;
        0
    }
}

/// The value of a key, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_get(t: *mut Table, key: *const c_void) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let e = ((*t).get_entry_func)(t, key);
        if e.is_null() { null_mut() } else { (*e).value }
    }
}

/// Removes a key without freeing it; its value, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_hashtable_steal(t: *mut Table, key: *const c_void) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let link = (*t).link(key);
        let e = *link;
        if e.is_null() {
            return null_mut();
        }
        *link = (*e).next;
        let value = (*e).value;
        ((*t).alloc.free)(e.cast());
        (*t).nentries -= 1;
        if (*t).nentries * 10 < (*t).nbuckets {
            let _ = (*t).resize();
        }
        value
    }
}
