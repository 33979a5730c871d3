//! What the types of these modules share: instance structs with their collector slots, and iteration.

use taipan_abi::*;
pub use taipan_clinic::support::{next, truth, tuple};

/// Declares an instance struct. Fields before `;` hold objects (NULL or owned); those after it are plain. Made with it are
/// the slots `traverse`, `clear` and `dealloc` (which frees what the plain fields own through `Drop`-free means only).
#[macro_export]
macro_rules! instance {
    ($(#[$m:meta])* $vis:vis struct $name:ident { $($ob:ident),* $(,)? ; $($plain:ident : $ty:ty),* $(,)? }) => {
        $(#[$m])*
        #[repr(C)]
        #[allow(missing_docs, reason = "private state")]
        $vis struct $name {
            ob_base: ::taipan_abi::PyObject,
            $($ob: *mut ::taipan_abi::PyObject,)*
            $($plain: $ty,)*
        }
        #[allow(dead_code, unused_variables, reason = "slots that a type may not need")]
        impl $name {
            unsafe extern "C" fn traverse(slf: *mut ::taipan_abi::PyObject, visit: ::taipan_abi::visitproc, arg: *mut ::core::ffi::c_void) -> ::core::ffi::c_int {
                // SAFETY: [TYPE] called as tp_traverse.
                unsafe {
                    let s = slf.cast::<$name>();
                    $( { let r = ::taipan_abi::visit((*s).$ob, visit, arg); if r != 0 { return r; } } )*
                }
                0
            }
            unsafe extern "C" fn clear(slf: *mut ::taipan_abi::PyObject) -> ::core::ffi::c_int {
                // SAFETY: [TYPE] called as tp_clear.
                unsafe {
                    let s = slf.cast::<$name>();
                    $( ::taipan_abi::setref(&raw mut (*s).$ob, ::core::ptr::null_mut()); )*
                }
                0
            }
            unsafe extern "C" fn dealloc(slf: *mut ::taipan_abi::PyObject) {
                // SAFETY: [OWN] called as tp_dealloc.
                unsafe {
                    ::taipan_abi::PyObject_GC_UnTrack(slf.cast());
                    let tp = ::taipan_abi::type_of(slf);
                    Self::clear(slf);
                    if let Some(free) = (*tp).tp_free {
                        free(slf.cast());
                    }
                }
            }
        }
    };
}

/// A static, collected, subclassable iterator type: `iterator_type!(STATIC, "module.name", Struct, new: expr, next: fn, methods: expr, doc)`.
#[macro_export]
macro_rules! iterator_type {
    ($(#[$m:meta])* $static:ident, $name:literal, $st:ident, new: $new:expr, next: $next:path, methods: $methods:expr, $doc:literal) => {
        $(#[$m])*
        #[doc = $doc]
        pub static mut $static: ::taipan_abi::PyTypeObject = ::taipan_abi::PyTypeObject {
            tp_name: ::core::concat!($name, "\0").as_ptr().cast(),
            tp_basicsize: size_of::<$st>() as ::taipan_abi::Py_ssize_t,
            tp_dealloc: Some($st::dealloc),
            tp_getattro: Some(::taipan_abi::PyObject_GenericGetAttr),
            tp_flags: ::taipan_abi::Py_TPFLAGS_DEFAULT | ::taipan_abi::Py_TPFLAGS_HAVE_GC | ::taipan_abi::Py_TPFLAGS_BASETYPE,
            tp_doc: ::core::concat!($doc, "\0").as_ptr().cast(),
            tp_traverse: Some($st::traverse),
            tp_iter: Some(::taipan_abi::PyObject_SelfIter),
            tp_iternext: Some({
                unsafe extern "C" fn next(slf: *mut ::taipan_abi::PyObject) -> *mut ::taipan_abi::PyObject {
                    // SAFETY: [TYPE] called as tp_iternext.
                    ::taipan_abi::IntoC::into_c(unsafe { $next($crate::support::Slf::<$st>(slf.cast())) })
                }
                next
            }),
            tp_methods: $methods,
            tp_alloc: Some(::taipan_abi::PyType_GenericAlloc),
            tp_new: $new,
            tp_free: Some(::taipan_abi::PyObject_GC_Del),
            ..::taipan_objects::typeobject::TYPE_INIT
        };
    };
}

/// The receiver of a slot that may be entered again while it runs: fields are reached anew at each access, and no
/// reference lasts over a call.
pub struct Slf<T>(pub *mut T);
impl<T> core::ops::Deref for Slf<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: [TYPE] the object lives while its slot runs.
        unsafe { &*self.0 }
    }
}
impl<T> core::ops::DerefMut for Slf<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: [TYPE] [GIL] as above; the access ends before other code runs.
        unsafe { &mut *self.0 }
    }
}

/// An iterator over `op`, or TypeError.
pub fn iter(op: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyObject_GetIter(op.ob())) }
}

/// A new instance of `tp`, zeroed and tracked.
pub fn new<T>(tp: Borrowed<'_, PyTypeObject>) -> PyResult<Owned<T>> {
    // SAFETY: [ARGS] tp_alloc is inherited by every subclass.
    unsafe {
        let alloc = (*tp.as_ptr()).tp_alloc.unwrap_or(PyType_GenericAlloc);
        Owned::from_owned_or_err(alloc(tp.as_ptr(), 0)).map(|o| o.cast())
    }
}

/// Calls with one argument.
///
/// # Safety
/// Both are live.
#[inline]
pub unsafe fn call1(f: *mut PyObject, a: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyObject_CallOneArg(f, a)) }
}

/// A small int.
pub fn int(n: isize) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyLong_FromSsize_t(n)) }
}
