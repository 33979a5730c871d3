//! Who owns a reference, in the type: [`Owned`] releases one when dropped, [`Borrowed`] lends one for a lifetime.
//!
//! Raw pointers appear only at the C boundary. Constructors name the contract: `from_owned*` takes over a reference,
//! `from_borrowed*` counts a new one, `into_raw` gives the reference up, `as_ptr` lends it.

use crate::*;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

/// One counted reference to a Python object, released on drop. One pointer wide, never NULL.
///
/// `!Send`: only the thread that holds the GIL may touch it.
#[repr(transparent)]
pub struct Owned<T = PyObject>(NonNull<T>, PhantomData<*mut T>);

/// A reference that somebody else keeps alive for `'a`. `Copy`, one pointer wide, never NULL, whole-object provenance.
#[repr(transparent)]
pub struct Borrowed<'a, T = PyObject>(NonNull<T>, PhantomData<&'a T>);

impl<T> Clone for Borrowed<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Borrowed<'_, T> {}

/// Anything that can lend an object pointer.
pub trait AsObject {
    /// The object, lent as long as `self` lives.
    fn as_object(&self) -> *mut PyObject;
}
impl<T> AsObject for Owned<T> {
    #[inline(always)]
    fn as_object(&self) -> *mut PyObject {
        self.0.as_ptr().cast()
    }
}
impl<T> AsObject for Borrowed<'_, T> {
    #[inline(always)]
    fn as_object(&self) -> *mut PyObject {
        self.0.as_ptr().cast()
    }
}

impl<T> Owned<T> {
    /// Takes over the reference that `ptr` stands for.
    ///
    /// # Safety
    /// `ptr` is not NULL and the caller owns one reference, which it gives away.
    #[inline(always)]
    pub unsafe fn from_owned(ptr: *mut T) -> Self {
        debug_assert!(!ptr.is_null());
        // SAFETY: [ARGS] not NULL.
        Self(unsafe { NonNull::new_unchecked(ptr) }, PhantomData)
    }

    /// Takes over `ptr`, where NULL means that an exception is set.
    ///
    /// # Safety
    /// As [`Owned::from_owned`]; if `ptr` is NULL, the thread state holds an exception.
    #[inline(always)]
    pub unsafe fn from_owned_or_err(ptr: *mut T) -> PyResult<Self> {
        match NonNull::new(ptr) {
            Some(p) => Ok(Self(p, PhantomData)),
            // SAFETY: [EXC] the callee set an exception.
            None => Err(unsafe { Raised::assume() }),
        }
    }

    /// Takes over `ptr`, where NULL means "nothing there".
    ///
    /// # Safety
    /// As [`Owned::from_owned`], but NULL is allowed.
    #[inline(always)]
    pub unsafe fn from_owned_or_opt(ptr: *mut T) -> Option<Self> {
        NonNull::new(ptr).map(|p| Self(p, PhantomData))
    }

    /// Counts a new reference to the object that `ptr` lends.
    ///
    /// # Safety
    /// `ptr` points to a live object.
    #[inline(always)]
    pub unsafe fn from_borrowed(ptr: *mut T) -> Self {
        // SAFETY: [ARGS]
        unsafe {
            Py_INCREF(ptr.cast());
            Self::from_owned(ptr)
        }
    }

    /// Counts a new reference unless `ptr` is NULL.
    ///
    /// # Safety
    /// `ptr` is NULL or points to a live object.
    #[inline(always)]
    pub unsafe fn from_borrowed_or_opt(ptr: *mut T) -> Option<Self> {
        if ptr.is_null() {
            return None;
        }
        // SAFETY: [ARGS] checked above.
        Some(unsafe { Self::from_borrowed(ptr) })
    }

    /// Lends the pointer.
    #[inline(always)]
    pub fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }

    /// Gives the reference up to the caller.
    #[inline(always)]
    pub fn into_raw(self) -> *mut T {
        let p = self.0.as_ptr();
        core::mem::forget(self);
        p
    }

    /// Gives the reference up as an untyped pointer, which is what C functions return.
    #[inline(always)]
    pub fn into_raw_object(self) -> *mut PyObject {
        self.into_raw().cast()
    }

    /// Forgets the concrete type.
    #[inline(always)]
    pub fn into_object(self) -> Owned<PyObject> {
        // SAFETY: [OWN] every object starts with a PyObject header.
        unsafe { Owned::from_owned(self.into_raw().cast()) }
    }

    /// Sees the object as a `U`.
    ///
    /// # Safety
    /// The object is a `U` (its type was checked).
    #[inline(always)]
    pub unsafe fn cast<U>(self) -> Owned<U> {
        // SAFETY: [TYPE] by contract.
        unsafe { Owned::from_owned(self.into_raw().cast()) }
    }

    /// Lends the object for as long as `self` lives.
    #[inline(always)]
    pub fn borrow(&self) -> Borrowed<'_, T> {
        Borrowed(self.0, PhantomData)
    }
}

impl<T> Clone for Owned<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        // SAFETY: self keeps the object alive.
        unsafe { Self::from_borrowed(self.0.as_ptr()) }
    }
}

impl<T> Drop for Owned<T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: [OWN] the reference is ours to release.
        unsafe { Py_DECREF(self.0.as_ptr().cast()) }
    }
}

impl<'a, T> Borrowed<'a, T> {
    /// Borrows `ptr`.
    ///
    /// # Safety
    /// `ptr` is not NULL and its object stays alive for `'a`.
    #[inline(always)]
    pub unsafe fn from_ptr(ptr: *mut T) -> Self {
        debug_assert!(!ptr.is_null());
        // SAFETY: [ARGS] not NULL.
        Self(unsafe { NonNull::new_unchecked(ptr) }, PhantomData)
    }

    /// Borrows `ptr` unless it is NULL.
    ///
    /// # Safety
    /// `ptr` is NULL or its object stays alive for `'a`.
    #[inline(always)]
    pub unsafe fn from_ptr_or_opt(ptr: *mut T) -> Option<Self> {
        NonNull::new(ptr).map(|p| Self(p, PhantomData))
    }

    /// Borrows `ptr`, where NULL means that an exception is set.
    ///
    /// # Safety
    /// As above; if NULL, the thread state holds an exception.
    #[inline(always)]
    pub unsafe fn from_ptr_or_err(ptr: *mut T) -> PyResult<Self> {
        match NonNull::new(ptr) {
            Some(p) => Ok(Self(p, PhantomData)),
            // SAFETY: [EXC]
            None => Err(unsafe { Raised::assume() }),
        }
    }

    /// The pointer.
    #[inline(always)]
    pub fn as_ptr(self) -> *mut T {
        self.0.as_ptr()
    }

    /// The pointer, untyped.
    #[inline(always)]
    pub fn ob(self) -> *mut PyObject {
        self.0.as_ptr().cast()
    }

    /// Counts a new reference.
    #[inline(always)]
    pub fn to_owned(self) -> Owned<T> {
        // SAFETY: alive for 'a.
        unsafe { Owned::from_borrowed(self.0.as_ptr()) }
    }

    /// Sees the object as a `U`.
    ///
    /// # Safety
    /// The object is a `U` (its type was checked).
    #[inline(always)]
    pub unsafe fn cast<U>(self) -> Borrowed<'a, U> {
        Borrowed(self.0.cast(), PhantomData)
    }

    /// Forgets the concrete type.
    #[inline(always)]
    pub fn object(self) -> Borrowed<'a, PyObject> {
        Borrowed(self.0.cast(), PhantomData)
    }

    /// The object's type (`Py_TYPE`).
    #[inline(always)]
    pub fn ob_type(self) -> *mut PyTypeObject {
        // SAFETY: alive for 'a.
        unsafe { (*self.ob()).ob_type }
    }

    /// Identity with another object (`is`).
    #[inline(always)]
    pub fn is(self, other: *mut PyObject) -> bool {
        self.ob() == other
    }

    /// Whether it is `None`.
    #[inline(always)]
    pub fn is_none(self) -> bool {
        // SAFETY: address of a static.
        self.ob() == unsafe { Py_None() }
    }

    /// Whether the object is an instance of `tp` or of a subclass.
    #[inline]
    pub fn isinstance(self, tp: *mut PyTypeObject) -> bool {
        // SAFETY: both live.
        unsafe { is_instance_of(self.ob(), tp) }
    }
}

impl<T> Deref for Borrowed<'_, T> {
    type Target = T;
    /// Reads header and fixed fields; trailing items are reached through [`Borrowed::as_ptr`].
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: alive for 'a; [GIL] no other thread mutates while we hold it.
        unsafe { self.0.as_ref() }
    }
}
impl<T> Deref for Owned<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: as above.
        unsafe { self.0.as_ref() }
    }
}

const _: () = assert!(size_of::<PyResult<Owned>>() == size_of::<*mut PyObject>());
const _: () = assert!(size_of::<Option<Borrowed<'static>>>() == size_of::<*mut PyObject>());
