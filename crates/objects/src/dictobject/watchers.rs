//! Version tags and watchers: how others learn that a dict changes.
//!
//! `ma_version_tag` holds the ids of a dict's watchers in its lowest 8 bits, a count of mutations seen by the optimiser
//! in the next 4, and above them a number that no other state of any dict has.

use core::ffi::{c_int, c_void};
use taipan_abi::*;

/// How many watchers there can be.
pub const DICT_MAX_WATCHERS: usize = 8;
/// Bits for the count of watched mutations.
pub const DICT_WATCHED_MUTATION_BITS: u32 = 4;
const DICT_VERSION_INCREMENT: u64 = 1 << (DICT_MAX_WATCHERS as u32 + DICT_WATCHED_MUTATION_BITS);
const DICT_WATCHER_MASK: u64 = (1 << DICT_MAX_WATCHERS) - 1;
const DICT_WATCHER_AND_MODIFICATION_MASK: u64 = DICT_VERSION_INCREMENT - 1;

/// A key was added.
pub const PyDict_EVENT_ADDED: c_int = 0;
/// A value was replaced.
pub const PyDict_EVENT_MODIFIED: c_int = 1;
/// A key was removed.
pub const PyDict_EVENT_DELETED: c_int = 2;
/// The (empty) dict took over the content of another one.
pub const PyDict_EVENT_CLONED: c_int = 3;
/// The dict was emptied.
pub const PyDict_EVENT_CLEARED: c_int = 4;
/// The dict is about to be freed.
pub const PyDict_EVENT_DEALLOCATED: c_int = 5;

/// What a watcher is: a function told of the change before it happens.
pub type PyDict_WatchCallback =
    unsafe extern "C" fn(event: c_int, dict: *mut PyObject, key: *mut PyObject, new_value: *mut PyObject) -> c_int;

static mut GLOBAL_VERSION: u64 = 0;
/// The callbacks by number.
pub type DictWatchers = [Option<PyDict_WatchCallback>; DICT_MAX_WATCHERS];
static mut WATCHERS: DictWatchers = [None; DICT_MAX_WATCHERS];

/// Exchanges the watchers of extensions when another interpreter runs: each has its own.
pub fn swap_dict_watchers(other: &mut DictWatchers) {
    // SAFETY: [STATIC]
    let all = unsafe { &mut *(&raw mut WATCHERS) };
    all[2..].swap_with_slice(&mut other[2..]);
}

/// A version that no dict has had.
#[inline(always)]
pub(crate) unsafe fn next_version() -> u64 {
    // SAFETY: [GIL]
    unsafe {
        GLOBAL_VERSION += DICT_VERSION_INCREMENT;
        GLOBAL_VERSION
    }
}

/// Tells the watchers, if the dict has any; the version tag that the dict gets once it has changed.
#[inline(always)]
pub(crate) unsafe fn notify_event(
    event: c_int,
    mp: *mut PyDictObject,
    key: *mut PyObject,
    value: *mut PyObject,
) -> u64 {
    // SAFETY: [ARGS]
    unsafe {
        let bits = (*mp).ma_version_tag & DICT_WATCHER_MASK;
        if bits != 0 {
            _PyDict_SendEvent(bits as c_int, event, mp, key, value);
        }
        next_version() | ((*mp).ma_version_tag & DICT_WATCHER_AND_MODIFICATION_MASK)
    }
}

/// Calls the watchers whose bits are set.
///
/// # Safety
/// `mp` is live.
#[unsafe(no_mangle)]
#[cold]
pub unsafe extern "C" fn _PyDict_SendEvent(
    watcher_bits: c_int,
    event: c_int,
    mp: *mut PyDictObject,
    key: *mut PyObject,
    value: *mut PyObject,
) {
    // SAFETY: [GIL] callbacks were registered for this.
    unsafe {
        for i in 0..DICT_MAX_WATCHERS {
            if watcher_bits & (1 << i) == 0 {
                continue;
            }
            if let Some(callback) = WATCHERS[i]
                && callback(event, mp.cast(), key, value) < 0
            {
                let name = match event {
                    PyDict_EVENT_ADDED => c"PyDict_EVENT_ADDED",
                    PyDict_EVENT_MODIFIED => c"PyDict_EVENT_MODIFIED",
                    PyDict_EVENT_DELETED => c"PyDict_EVENT_DELETED",
                    PyDict_EVENT_CLONED => c"PyDict_EVENT_CLONED",
                    PyDict_EVENT_CLEARED => c"PyDict_EVENT_CLEARED",
                    _ => c"PyDict_EVENT_DEALLOCATED",
                };
                // The dict itself isn't passed on: a hook could keep it although it is being freed.
                PyErr_FormatUnraisable(
                    c"Exception ignored in %s watcher callback for <dict at %p>".as_ptr(),
                    name.as_ptr(),
                    mp.cast::<c_void>(),
                );
            }
        }
    }
}

unsafe fn validate_watcher_id(id: c_int) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        if id < 0 || id as usize >= DICT_MAX_WATCHERS {
            bail!(PyExc_ValueError, "Invalid dict watcher ID {id}");
        }
        if WATCHERS[id as usize].is_none() {
            bail!(PyExc_ValueError, "No dict watcher set for ID {id}");
        }
        Ok(())
    }
}

/// Registers `callback`; its id. The first two ids are the interpreter's own.
///
/// # Safety
/// The GIL is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_AddWatcher(callback: PyDict_WatchCallback) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        for i in 2..DICT_MAX_WATCHERS {
            if WATCHERS[i].is_none() {
                WATCHERS[i] = Some(callback);
                return i as c_int;
            }
        }
    }
    let _ = raise!(PyExc_RuntimeError, "no more dict watcher IDs available");
    -1
}

/// Sets one of the interpreter's own watchers (id 0 or 1).
///
/// # Safety
/// The GIL is held.
pub unsafe fn set_internal_watcher(id: usize, callback: PyDict_WatchCallback) {
    // SAFETY: [GIL]
    unsafe {
        if id < 2 {
            WATCHERS[id] = Some(callback);
        }
    }
}

/// Forgets a watcher.
///
/// # Safety
/// The GIL is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_ClearWatcher(watcher_id: c_int) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        validate_watcher_id(watcher_id)
            .map(|()| {
                WATCHERS[watcher_id as usize] = None;
            })
            .into_c()
    }
}

unsafe fn watched(watcher_id: c_int, dict: *mut PyObject) -> PyResult<*mut PyDictObject> {
    // SAFETY: [ARGS]
    unsafe {
        if PyDict_Check(dict) == 0 {
            bail!(PyExc_ValueError, "Cannot watch non-dictionary");
        }
        validate_watcher_id(watcher_id)?;
        Ok(dict.cast())
    }
}

/// Has a watcher told of every change of `dict`.
///
/// # Safety
/// `dict` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_Watch(watcher_id: c_int, dict: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { watched(watcher_id, dict).map(|mp| (*mp).ma_version_tag |= 1 << watcher_id).into_c() }
}

/// Ends it.
///
/// # Safety
/// `dict` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_Unwatch(watcher_id: c_int, dict: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { watched(watcher_id, dict).map(|mp| (*mp).ma_version_tag &= !(1 << watcher_id)).into_c() }
}
