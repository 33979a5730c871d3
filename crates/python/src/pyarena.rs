//! `PyArena`, for parsers in C that build trees of CPython's own node structs (as its parser generator makes them). Our
//! parser and compiler use arenas of Rust's.

use crate::compile::CompilerFlags;
use bumpalo::Bump;
use core::alloc::Layout;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

/// Memory and objects that are released together.
pub struct PyArena {
    memory: Bump,
    objects: Vec<Owned>,
}

/// A new arena, which the caller gives to [`_PyArena_Free`].
#[unsafe(no_mangle)]
pub extern "C" fn _PyArena_New() -> *mut PyArena {
    Box::into_raw(Box::new(PyArena { memory: Bump::new(), objects: Vec::new() }))
}

/// Releases all memory of an arena, and its references.
///
/// # Safety
/// [OWN] the arena comes from [`_PyArena_New`]; [GIL].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyArena_Free(arena: *mut PyArena) {
    // SAFETY: [OWN]
    drop(unsafe { Box::from_raw(arena) });
}

/// `size` bytes that live as long as the arena; NULL without an exception if there is no memory.
///
/// # Safety
/// [ARGS]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyArena_Malloc(arena: *mut PyArena, size: usize) -> *mut c_void {
    let Ok(layout) = Layout::from_size_align(size.max(1), 16) else { return null_mut() };
    // SAFETY: [ARGS] a live arena, which nobody else refers to now.
    match unsafe { &*arena }.memory.try_alloc_layout(layout) {
        Ok(p) => p.as_ptr().cast(),
        Err(_) => null_mut(),
    }
}

/// Gives a reference to an arena; 0.
///
/// # Safety
/// [ARGS] [OWN]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyArena_AddPyObject(arena: *mut PyArena, obj: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] [OWN] the reference is the arena's from now on.
    unsafe { (*arena).objects.push(Owned::from_owned(obj)) };
    0
}

/// Compiles a tree of C structs: not offered, for the compiler here has trees of its own.
///
/// # Safety
/// [GIL]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyAST_Compile(_module: *mut c_void, _filename: *mut PyObject, _flags: *mut CompilerFlags, _optimize: c_int, _arena: *mut PyArena) -> *mut PyObject {
    let _ = raise!(PyExc_NotImplementedError, "_PyAST_Compile: trees of C structs can't be compiled; PyAST_mod2obj makes a tree for compile() of them");
    null_mut()
}
