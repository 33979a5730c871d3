//! What a slot of a frame holds: one word that is an owned reference, a borrowed one, or (later) a small integer.
//!
//! | low bits | meaning |
//! |---|---|
//! | `00` | owned reference; all zero: an empty slot |
//! | `01` | reference that something else keeps alive at least as long as the frame (a constant of its code, an immortal) |
//! | `11` | small integer in the upper bits; not created yet |
//!
//! A slot becomes an object pointer only through [`StackRef::as_ptr`] (lends) and [`StackRef::steal_object`] (gives an
//! owned reference away). A borrowed slot must not outlive its frame: [`StackRef::make_owned`] before it leaves.

use taipan_abi::*;

/// A slot of a frame: a local variable or an entry of the evaluation stack.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct StackRef(usize);

const TAG_BORROWED: usize = 1;
const TAG_MASK: usize = 3;

impl StackRef {
    /// The empty slot.
    pub const NULL: StackRef = StackRef(0);

    /// Takes over the reference that `object` stands for (NULL gives the empty slot).
    #[inline(always)]
    pub fn from_owned(object: *mut PyObject) -> Self {
        StackRef(object as usize)
    }

    /// Counts a new reference.
    ///
    /// # Safety
    /// `object` is live.
    #[inline(always)]
    pub unsafe fn from_new(object: *mut PyObject) -> Self {
        // SAFETY: [ARGS]
        unsafe { Py_INCREF(object) };
        StackRef(object as usize)
    }

    /// Lends `object`, which stays alive as long as the frame that holds the slot.
    #[inline(always)]
    pub fn from_borrowed(object: *mut PyObject) -> Self {
        StackRef(object as usize | TAG_BORROWED)
    }

    /// `True` or `False`.
    #[inline(always)]
    pub fn from_bool(value: bool) -> Self {
        // SAFETY: addresses of statics.
        Self::from_borrowed(unsafe { if value { Py_True() } else { Py_False() } })
    }

    /// `None`.
    #[inline(always)]
    pub fn none() -> Self {
        // SAFETY: address of a static.
        Self::from_borrowed(unsafe { Py_None() })
    }

    /// Whether the slot is empty.
    #[inline(always)]
    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    /// Whether closing the slot would release a reference.
    #[inline(always)]
    pub fn is_owned(self) -> bool {
        self.0 & TAG_MASK == 0 && self.0 != 0
    }

    /// The object, lent; NULL for the empty slot.
    #[inline(always)]
    pub fn as_ptr(self) -> *mut PyObject {
        (self.0 & !TAG_MASK) as *mut PyObject
    }

    /// The object's type.
    ///
    /// # Safety
    /// The slot is not empty.
    #[inline(always)]
    pub unsafe fn ob_type(self) -> *mut PyTypeObject {
        // SAFETY: [STACK] live.
        unsafe { (*self.as_ptr()).ob_type }
    }

    /// Gives up the slot for an owned reference.
    ///
    /// # Safety
    /// The slot is live and not used again.
    #[inline(always)]
    pub unsafe fn steal_object(self) -> *mut PyObject {
        let object = self.as_ptr();
        if self.0 & TAG_MASK != 0 {
            // SAFETY: [STACK] the lender keeps it alive.
            unsafe { Py_INCREF(object) };
        }
        object
    }

    /// The same object, in a slot that may outlive the frame.
    ///
    /// # Safety
    /// The slot is live (or empty) and replaced by the result.
    #[inline(always)]
    pub unsafe fn make_owned(self) -> Self {
        // SAFETY: [STACK]
        StackRef(unsafe { self.steal_object() } as usize)
    }

    /// A second slot for the same object.
    ///
    /// # Safety
    /// The slot is live.
    #[inline(always)]
    pub unsafe fn dup(self) -> Self {
        if self.0 & TAG_MASK == 0 {
            // SAFETY: [STACK]
            unsafe { Py_INCREF(self.0 as *mut PyObject) };
        }
        self
    }

    /// Releases what the slot holds, which may run any code.
    ///
    /// # Safety
    /// The slot is live, not empty, and not used again.
    #[inline(always)]
    pub unsafe fn close(self) {
        if self.0 & TAG_MASK == 0 {
            // SAFETY: [STACK] an owned reference.
            unsafe { Py_DECREF(self.0 as *mut PyObject) };
        }
    }

    /// As [`StackRef::close`]; the slot may be empty.
    ///
    /// # Safety
    /// The slot is live or empty, and not used again.
    #[inline(always)]
    pub unsafe fn xclose(self) {
        if self.0 != 0 {
            // SAFETY: [STACK] not empty.
            unsafe { self.close() };
        }
    }
}

impl StackRef {
    /// Whether the slot holds the only reference to its object.
    ///
    /// # Safety
    /// The slot is live and not empty.
    #[inline(always)]
    pub unsafe fn is_unique(self) -> bool {
        // SAFETY: [STACK]
        self.0 & TAG_MASK == 0 && unsafe { (*self.as_ptr()).ob_refcnt.ob_refcnt } == 1
    }

    /// As [`StackRef::close`] where the object's type is known: `dealloc` is what that type does in the end.
    ///
    /// # Safety
    /// As for `close`; the object is exactly of the type that `dealloc` is for.
    #[inline(always)]
    pub unsafe fn close_exact(self, dealloc: unsafe fn(*mut PyObject)) {
        if self.0 & TAG_MASK == 0 {
            let object = self.0 as *mut PyObject;
            // SAFETY: [STACK] an owned reference; [IMMORTAL] the low half of an immortal's count is negative.
            unsafe {
                let count = (*object).ob_refcnt.ob_refcnt;
                if count as i32 >= 0 {
                    (*object).ob_refcnt.ob_refcnt = count - 1;
                    if count == 1 {
                        dealloc(object);
                    }
                }
            }
        }
    }
}

/// Empties `n` slots from `first` on. They are few: a loop is quicker than a call of `memset`, which the compiler would
/// make of plain stores.
///
/// # Safety
/// The slots hold nothing that has to be released.
#[inline(always)]
pub unsafe fn clear_slots(first: *mut StackRef, n: usize) {
    for i in 0..n {
        // SAFETY: [STACK] by contract.
        unsafe { first.add(i).write_volatile(StackRef::NULL) };
    }
}

/// Moves `n` slots from `from` up to `to`, which may overlap.
///
/// # Safety
/// Both ranges are on the stack; what `to` holds needs no release.
#[inline(always)]
pub unsafe fn move_slots_up(from: *const StackRef, to: *mut StackRef, n: usize) {
    for i in (0..n).rev() {
        // SAFETY: [STACK] by contract.
        unsafe { to.add(i).write_volatile(*from.add(i)) };
    }
}

/// Releases `n` slots from `first` on.
///
/// # Safety
/// The slots are live (or empty) and not used again.
#[inline(always)]
pub unsafe fn close_array(first: *mut StackRef, n: usize) {
    for i in 0..n {
        // SAFETY: [STACK] by contract.
        unsafe { (*first.add(i)).xclose() };
    }
}

/// Makes `n` slots plain owned pointers in place, as C functions expect them, and lends the array.
///
/// # Safety
/// The slots are live.
#[inline(always)]
pub unsafe fn as_c_array(first: *mut StackRef, n: usize) -> *mut *mut PyObject {
    for i in 0..n {
        // SAFETY: [STACK] each slot is replaced by its owned form.
        unsafe { *first.add(i) = (*first.add(i)).make_owned() };
    }
    first.cast()
}
