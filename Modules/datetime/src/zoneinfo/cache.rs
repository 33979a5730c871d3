//! The module's state: what it imports, time differences that exist, and zones that exist.
//!
//! Zones are kept as long as anybody has one, and the last few for longer. A subclass has a dict of weak references of its own,
//! and no other cache.

use crate::delta::new_delta;
use crate::support::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

/// How many zones stay without being used.
const KEPT: usize = 8;

/// A zone that is kept, with its key; NULL if there are fewer.
#[derive(Clone, Copy)]
#[repr(C)]
struct Kept {
    key: *mut PyObject,
    zone: *mut PyObject,
}

/// The state of a module object, zeroed at first.
#[repr(C)]
pub struct State {
    /// `ZoneInfo`.
    pub tp: *mut PyTypeObject,
    /// `io.open`
    pub open: *mut PyObject,
    /// `zoneinfo._tzpath.find_tzfile`
    pub find_tzfile: *mut PyObject,
    /// `zoneinfo._common`
    pub common: *mut PyObject,
    /// Seconds -> timedelta.
    deltas: *mut PyObject,
    /// Key -> zone, a WeakValueDictionary.
    weak: *mut PyObject,
    /// The latest first.
    kept: [Kept; KEPT],
}

/// An attribute of a module.
pub fn import(module: &core::ffi::CStr, name: &core::ffi::CStr) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let module = Owned::from_owned_or_err(PyImport_ImportModule(module.as_ptr()))?;
        Owned::from_owned_or_err(PyObject_GetAttrString(module.as_ptr(), name.as_ptr()))
    }
}
/// A cache for a class.
pub fn new_weak_cache() -> PyResult<Owned> {
    let tp = import(c"weakref", c"WeakValueDictionary")?;
    // SAFETY: held.
    unsafe { Owned::from_owned_or_err(PyObject_CallNoArgs(tp.as_ptr())) }
}

impl State {
    /// Fills a state.
    pub fn init(&mut self, tp: *mut PyTypeObject) -> PyResult<()> {
        self.tp = tp;
        self.find_tzfile = import(c"zoneinfo._tzpath", c"find_tzfile")?.into_raw();
        self.open = import(c"io", c"open")?.into_raw();
        self.common = import(c"zoneinfo", c"_common")?.into_raw();
        self.weak = new_weak_cache()?.into_raw();
        // SAFETY: [GIL]
        self.deltas = unsafe { Owned::from_owned_or_err(PyDict_New())? }.into_raw();
        Ok(())
    }

    fn objects(&mut self) -> Vec<&mut *mut PyObject> {
        // SAFETY: a pointer to a type is a pointer to an object.
        let tp = unsafe { &mut *(&raw mut self.tp).cast::<*mut PyObject>() };
        let mut all = vec![tp, &mut self.open, &mut self.find_tzfile, &mut self.common, &mut self.deltas, &mut self.weak];
        all.extend(self.kept.iter_mut().flat_map(|k| [&mut k.key, &mut k.zone]));
        all
    }

    /// A timedelta.
    pub fn delta(&self, seconds: i64) -> PyResult<Owned> {
        let key = int(seconds)?;
        // SAFETY: the dict is the module's.
        unsafe {
            let mut found = null_mut();
            let r = PyDict_GetItemRef(self.deltas, key.as_ptr(), &mut found);
            check_status(r)?;
            if let Some(found) = Owned::from_owned_or_opt(found) {
                return Ok(found);
            }
            let delta = new_delta(0, seconds, 0)?;
            check_status(PyDict_SetItem(self.deltas, key.as_ptr(), delta.as_ptr()))?;
            Ok(delta)
        }
    }

    /// The zones of a class.
    pub fn weak_cache(&self, tp: *mut PyTypeObject) -> PyResult<Owned> {
        // SAFETY: [ARGS]
        unsafe { if tp == self.tp { Ok(own(self.weak)) } else { Owned::from_owned_or_err(PyObject_GetAttrString(tp.cast(), c"_weak_cache".as_ptr())) } }
    }

    /// Where a key is among the kept zones.
    fn position(&self, key: *mut PyObject) -> PyResult<Option<usize>> {
        for i in 0..KEPT {
            if self.kept[i].key.is_null() {
                break;
            }
            // SAFETY: held; comparing may run code that changes what is kept.
            unsafe {
                let other = own(self.kept[i].key);
                let same = PyObject_RichCompareBool(key, other.as_ptr(), Py_EQ);
                check_status(same)?;
                if same != 0 && self.kept[i].key == other.as_ptr() {
                    return Ok(Some(i));
                }
            }
        }
        Ok(None)
    }

    /// The kept zone of a key.
    pub fn find(&mut self, tp: *mut PyTypeObject, key: *mut PyObject) -> PyResult<Option<Owned>> {
        if tp != self.tp {
            return Ok(None);
        }
        let Some(i) = self.position(key)? else { return Ok(None) };
        self.kept[..=i].rotate_right(1);
        // SAFETY: held by the state.
        Ok(Some(unsafe { own(self.kept[0].zone) }))
    }

    /// Keeps a zone, in place of the one that was not asked for for the longest time.
    pub fn keep(&mut self, tp: *mut PyTypeObject, key: *mut PyObject, zone: *mut PyObject) {
        if tp != self.tp {
            return;
        }
        // SAFETY: [OWN] released once they are out of the state.
        unsafe {
            let old = self.kept[KEPT - 1];
            self.kept.rotate_right(1);
            self.kept[0] = Kept { key: Py_NewRef(key), zone: Py_NewRef(zone) };
            Py_XDECREF(old.key);
            Py_XDECREF(old.zone);
        }
    }

    /// Keeps the zone of a key no more.
    pub fn forget(&mut self, tp: *mut PyTypeObject, key: *mut PyObject) -> PyResult<()> {
        if tp != self.tp {
            return Ok(());
        }
        let Some(i) = self.position(key)? else { return Ok(()) };
        let old = core::mem::replace(&mut self.kept[i], Kept { key: null_mut(), zone: null_mut() });
        self.kept[i..].rotate_left(1);
        // SAFETY: [OWN] out of the state.
        unsafe {
            Py_DECREF(old.key);
            Py_DECREF(old.zone);
        }
        Ok(())
    }

    /// Keeps no zone any more.
    pub fn forget_all(&mut self, tp: *mut PyTypeObject) {
        if tp != self.tp {
            return;
        }
        let old = core::mem::replace(&mut self.kept, [Kept { key: null_mut(), zone: null_mut() }; KEPT]);
        for k in old {
            // SAFETY: [OWN] out of the state.
            unsafe {
                Py_XDECREF(k.key);
                Py_XDECREF(k.zone);
            }
        }
    }
}

/// The state of a module that has one.
unsafe fn state_of<'a>(module: *mut PyObject) -> Option<&'a mut State> {
    // SAFETY: [TYPE]
    unsafe { PyModule_GetState(module).cast::<State>().as_mut() }
}
/// `m_traverse`
pub unsafe extern "C" fn traverse(module: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    let Some(state) = (unsafe { state_of(module) }) else { return 0 };
    for slot in state.objects() {
        if !slot.is_null() {
            // SAFETY: [ARGS]
            let r = unsafe { visit(*slot, arg) };
            if r != 0 {
                return r;
            }
        }
    }
    0
}
/// `m_clear`
pub unsafe extern "C" fn clear(module: *mut PyObject) -> c_int {
    // SAFETY: [OWN] each reference is released once, after it has left the state.
    unsafe {
        let Some(state) = state_of(module) else { return 0 };
        let old: Vec<*mut PyObject> = state.objects().into_iter().map(|slot| core::mem::replace(slot, null_mut())).collect();
        for op in old {
            Py_XDECREF(op);
        }
    }
    0
}
/// `m_free`
pub unsafe extern "C" fn free(module: *mut c_void) {
    // SAFETY: [TYPE]
    unsafe { clear(module.cast()) };
}
