//! `tracemalloc.h`: what extensions report about memory of their own.

use core::ffi::{c_int, c_uint};

/// Reports a block. -2: nobody traces allocations.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTraceMalloc_Track(_domain: c_uint, _ptr: usize, _size: usize) -> c_int {
    -2
}

/// Takes a report back. -2: nobody traces allocations.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTraceMalloc_Untrack(_domain: c_uint, _ptr: usize) -> c_int {
    -2
}

/// Where a block was allocated: None as long as nobody traces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTraceMalloc_GetTraceback(_domain: c_uint, _ptr: usize) -> *mut taipan_abi::PyObject {
    // SAFETY: None is immortal.
    unsafe { taipan_abi::Py_None() }
}
