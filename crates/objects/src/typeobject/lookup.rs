//! Finding an attribute through a type's method resolution order, cached by the type's version tag.
//!
//! A version tag stands for the content of a type and of all its bases: before a type gets one, its bases have theirs;
//! whatever changes a type clears its tag and those of its subclasses. Zero means "no tag".

use super::{Py_TPFLAGS_STATIC_BUILTIN, subclasses_of};
use crate::object::raised;
use core::ffi::{c_int, c_uint};
use core::ptr::null_mut;
use taipan_abi::*;

/// Tags of static types lie below this, those of heap types from here on.
pub const MAX_GLOBAL_TYPE_VERSION_TAG: c_uint = (1 << 16) - 1;
/// A type that changes more often than this is no longer cached.
const MAX_VERSIONS_PER_CLASS: u16 = 1000;
const CACHE_SIZE: usize = 1 << 12;
const MAX_NAME_LENGTH: Py_ssize_t = 100;

#[derive(Clone, Copy)]
struct Entry {
    version: c_uint,
    /// Owned, NULL at first.
    name: *mut PyObject,
    /// Lent by the type's dict; NULL records a miss.
    value: *mut PyObject,
}

static mut CACHE: [Entry; CACHE_SIZE] = [Entry { version: 0, name: null_mut(), value: null_mut() }; CACHE_SIZE];
static mut NEXT_GLOBAL_VERSION_TAG: c_uint = 1;
static mut NEXT_VERSION_TAG: c_uint = MAX_GLOBAL_TYPE_VERSION_TAG + 1;

#[inline(always)]
fn slot_of(version: c_uint, name: *mut PyObject) -> *mut Entry {
    let i = (version ^ (name as usize >> 3) as c_uint) as usize & (CACHE_SIZE - 1);
    // SAFETY: i is masked to the table's size.
    unsafe { (&raw mut CACHE).cast::<Entry>().add(i) }
}

/// The attribute `name` of `tp` or its bases, lent; NULL without an exception when there is none. `name` is a str.
///
/// # Safety
/// [GIL] both are live.
#[inline(always)]
pub unsafe fn type_lookup(tp: *mut PyTypeObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let version = (*tp).tp_version_tag;
        let entry = slot_of(version, name);
        if (*entry).version == version && (*entry).name == name {
            return (*entry).value;
        }
        lookup_slow(tp, name)
    }
}

#[inline(never)]
unsafe fn lookup_slow(tp: *mut PyTypeObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let cacheable = PyUnicode_CheckExact(name) != 0 && PyUnicode_GET_LENGTH(name) <= MAX_NAME_LENGTH;
        // The tag is taken first: the search may run code that changes the type, which then clears it.
        let version = if cacheable && assign_version_tag(tp) { (*tp).tp_version_tag } else { 0 };
        match find_name_in_mro(tp, name) {
            Ok(value) => {
                let value = value.unwrap_or(null_mut());
                if version != 0 {
                    let entry = slot_of(version, name);
                    (*entry).version = version;
                    (*entry).value = value;
                    setref(&raw mut (*entry).name, Py_NewRef(name));
                }
                value
            }
            Err(None) => null_mut(),
            Err(Some(error)) => {
                error.clear();
                null_mut()
            }
        }
    }
}

/// The hash of a name, from the str itself when it has been computed.
#[inline(always)]
unsafe fn name_hash(name: *mut PyObject) -> Py_hash_t {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_CheckExact(name) != 0 {
            let hash = (*name.cast::<PyASCIIObject>()).hash;
            if hash != -1 {
                return hash;
            }
        }
        PyObject_Hash(name)
    }
}

/// Searches the dicts along the MRO without the cache; the result is lent. `Err(None)`: the type has no MRO (yet).
///
/// # Safety
/// [GIL] both are live.
pub unsafe fn find_name_in_mro(tp: *mut PyTypeObject, name: *mut PyObject) -> Result<Option<*mut PyObject>, Option<Raised>> {
    // SAFETY: [ARGS] the MRO is kept alive: comparing keys may run code that replaces it.
    unsafe {
        let hash = name_hash(name);
        if hash == -1 {
            return Err(Some(raised()));
        }
        let mut mro = (*tp).tp_mro;
        if mro.is_null() {
            if (*tp).tp_flags & Py_TPFLAGS_READYING == 0 && PyType_Ready(tp) < 0 {
                return Err(Some(raised()));
            }
            mro = (*tp).tp_mro;
            if mro.is_null() {
                return Err(None);
            }
        }
        let mro = Owned::from_borrowed(mro);
        for i in 0..PyTuple_GET_SIZE(mro.as_ptr()) {
            let base: *mut PyTypeObject = PyTuple_GET_ITEM(mro.as_ptr(), i).cast();
            let dict = (*base).tp_dict;
            debug_assert!(!dict.is_null());
            let value = _PyDict_GetItem_KnownHash(dict, name, hash);
            if !value.is_null() {
                return Ok(Some(value));
            }
            // Only a table with keys other than str (kind 0) can raise.
            if (*(*dict.cast::<PyDictObject>()).ma_keys).dk_kind == 0 && err_occurred() {
                return Err(Some(raised()));
            }
        }
        Ok(None)
    }
}

/// Gives `tp` a version tag; false when it can't have one.
///
/// # Safety
/// [GIL] `tp` is live.
pub unsafe fn assign_version_tag(tp: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_version_tag != 0 {
            return true;
        }
        if (*tp).tp_flags & Py_TPFLAGS_READY == 0 || (*tp).tp_versions_used >= MAX_VERSIONS_PER_CLASS {
            return false;
        }
        let bases = (*tp).tp_bases;
        for i in 0..PyTuple_GET_SIZE(bases) {
            if !assign_version_tag(PyTuple_GET_ITEM(bases, i).cast()) {
                return false;
            }
        }
        let next = if (*tp).tp_flags & Py_TPFLAGS_IMMUTABLETYPE != 0 {
            if NEXT_GLOBAL_VERSION_TAG > MAX_GLOBAL_TYPE_VERSION_TAG {
                return false;
            }
            &raw mut NEXT_GLOBAL_VERSION_TAG
        } else {
            if NEXT_VERSION_TAG == 0 {
                return false;
            }
            &raw mut NEXT_VERSION_TAG
        };
        set_version(tp, *next);
        *next = (*next).wrapping_add(1);
        true
    }
}

/// The tag that a built-in type gets when it is made ready.
pub(super) unsafe fn assign_static_version_tag(tp: *mut PyTypeObject) {
    // SAFETY: [GIL]
    unsafe {
        (*tp).tp_version_tag = NEXT_GLOBAL_VERSION_TAG;
        NEXT_GLOBAL_VERSION_TAG += 1;
    }
}

unsafe fn set_version(tp: *mut PyTypeObject, version: c_uint) {
    // SAFETY: [ARGS]
    unsafe {
        if version != 0 {
            (*tp).tp_versions_used = (*tp).tp_versions_used.wrapping_add(1);
        }
        (*tp).tp_version_tag = version;
    }
}

/// Clears `tp`'s tag and what the specialising interpreter remembers of it.
pub(super) unsafe fn clear_version(tp: *mut PyTypeObject) {
    // SAFETY: [ARGS]
    unsafe {
        set_version(tp, 0);
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
            (*tp.cast::<PyHeapTypeObject>())._spec_cache.getitem = null_mut();
        }
    }
}

/// Must be called after a change of a type's dict, bases or slots: forgets what was cached about it and its subclasses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_Modified(tp: *mut PyTypeObject) {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_version_tag == 0 {
            return;
        }
        debug_assert!((*tp).tp_flags & Py_TPFLAGS_STATIC_BUILTIN == 0);
        for sub in subclasses_of(tp) {
            PyType_Modified(sub.as_ptr());
        }
        if (*tp).tp_watched != 0 {
            notify_watchers(tp);
        }
        clear_version(tp);
    }
}

// ---- watchers ------------------------------------------------------------------------------------------------------

/// A type watcher's callback.
pub type PyType_WatchCallback = unsafe extern "C" fn(tp: *mut PyTypeObject) -> c_int;
const TYPE_MAX_WATCHERS: usize = 8;
/// The callbacks by number. Each interpreter has its own; the running one's are in the static variable.
pub type TypeWatchers = [Option<PyType_WatchCallback>; TYPE_MAX_WATCHERS];
static mut WATCHERS: TypeWatchers = [None; TYPE_MAX_WATCHERS];

/// Exchanges the watchers when another interpreter runs.
pub fn swap_type_watchers(other: &mut TypeWatchers) {
    // SAFETY: [STATIC]
    core::mem::swap(unsafe { &mut *(&raw mut WATCHERS) }, other);
}

#[cold]
unsafe fn notify_watchers(tp: *mut PyTypeObject) {
    // SAFETY: [GIL]
    unsafe {
        let bits = (*tp).tp_watched as u8;
        for i in 0..TYPE_MAX_WATCHERS {
            if bits & (1 << i) != 0
                && let Some(callback) = WATCHERS[i]
                && callback(tp) < 0
            {
                PyErr_FormatUnraisable(c"Exception ignored in type watcher callback #%d for %R".as_ptr(), i as c_int, tp);
            }
        }
    }
}

unsafe fn check_watcher(id: c_int) -> PyResult<usize> {
    match usize::try_from(id) {
        Ok(i) if i < TYPE_MAX_WATCHERS => {
            // SAFETY: [GIL]
            if unsafe { WATCHERS[i].is_none() } {
                bail!(PyExc_ValueError, "No type watcher set for ID {id}");
            }
            Ok(i)
        }
        _ => bail!(PyExc_ValueError, "Invalid type watcher ID {id}"),
    }
}

/// Registers a callback for changes of watched types; its id, or -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_AddWatcher(callback: Option<PyType_WatchCallback>) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        for i in 0..TYPE_MAX_WATCHERS {
            if WATCHERS[i].is_none() {
                WATCHERS[i] = callback;
                return i as c_int;
            }
        }
    }
    let _ = raise!(PyExc_RuntimeError, "no more type watcher IDs available");
    -1
}

/// Unregisters a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_ClearWatcher(id: c_int) -> c_int {
    // SAFETY: [GIL]
    unsafe { check_watcher(id).map(|i| WATCHERS[i] = None).into_c() }
}

/// Has watcher `id` told about changes of `op`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_Watch(id: c_int, op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyType_Check(op) == 0 {
            let _ = raise!(PyExc_ValueError, "Cannot watch non-type");
            return -1;
        }
        check_watcher(id)
            .map(|i| {
                // Only a type with a tag notices that it changes.
                assign_version_tag(op.cast());
                (*op.cast::<PyTypeObject>()).tp_watched |= (1u8 << i) as i8;
            })
            .into_c()
    }
}

/// Undoes `PyType_Watch`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_Unwatch(id: c_int, op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyType_Check(op) == 0 {
            let _ = raise!(PyExc_ValueError, "Cannot watch non-type");
            return -1;
        }
        check_watcher(id).map(|i| (*op.cast::<PyTypeObject>()).tp_watched &= !((1u8 << i) as i8)).into_c()
    }
}

// ---- the C API -----------------------------------------------------------------------------------------------------

/// As [`type_lookup`]: lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyType_Lookup(tp: *mut PyTypeObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { type_lookup(tp, name) }
}

/// As [`type_lookup`], counted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyType_LookupRef(tp: *mut PyTypeObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Py_XNewRef(type_lookup(tp, name)) }
}

/// Empties the cache; the last tag that was given out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_ClearCache() -> c_uint {
    // SAFETY: [GIL]
    unsafe {
        for i in 0..CACHE_SIZE {
            let entry = (&raw mut CACHE).cast::<Entry>().add(i);
            (*entry).version = 0;
            (*entry).value = null_mut();
            setref(&raw mut (*entry).name, null_mut());
        }
        NEXT_VERSION_TAG.wrapping_sub(1)
    }
}

/// Gives a type a version tag: 1, or 0 when it can't have one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_Type_AssignVersionTag(tp: *mut PyTypeObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { assign_version_tag(tp) as c_int }
}
