//! Objects of which each interpreter has its own, for native modules whose state C functions need without the module at hand.

use crate::{Owned, PyObject};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

unsafe extern "C" {
    /// python: pystate; the place of an object in the running interpreter, valid until the next call.
    fn _PyInterpreterState_Local(index: usize) -> *mut *mut PyObject;
}

/// Numbers given out; each static below has one.
#[doc(hidden)]
pub static NUMBERS: AtomicUsize = AtomicUsize::new(1);

/// A static variable for an object that belongs to the interpreter that runs: an exception class that a module makes when it
/// is imported, a cache of another module's function. It is released when its interpreter ends.
pub struct PerInterpreter(AtomicUsize);

impl PerInterpreter {
    /// Empty in all interpreters.
    pub const fn new() -> Self {
        PerInterpreter(AtomicUsize::new(0))
    }
    #[inline]
    fn place(&self) -> *mut *mut PyObject {
        let mut index = self.0.load(Relaxed);
        if index == 0 {
            // The GIL is held: nobody else numbers it meanwhile.
            index = NUMBERS.fetch_add(1, Relaxed);
            self.0.store(index, Relaxed);
        }
        // SAFETY: [GIL]
        unsafe { _PyInterpreterState_Local(index) }
    }
    /// The running interpreter's object, lent; NULL if it has none.
    #[inline]
    pub fn get(&self) -> *mut PyObject {
        // SAFETY: [GIL] the place is used at once.
        unsafe { *self.place() }
    }
    /// Replaces the running interpreter's object; what it had is released.
    #[inline]
    pub fn set(&self, value: Option<Owned>) {
        let new = value.map_or(core::ptr::null_mut(), Owned::into_raw);
        // SAFETY: [GIL] [OWN] the place is free of the old object before that is released.
        unsafe {
            let old = core::mem::replace(&mut *self.place(), new);
            drop(Owned::from_owned_or_opt(old));
        }
    }
}
impl Default for PerInterpreter {
    fn default() -> Self {
        Self::new()
    }
}
