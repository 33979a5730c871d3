//! Trees as objects of the module `ast`.

use crate::compile::CompilerFlags;
use bumpalo::Bump;
use core::ffi::c_int;
use taipan_abi::*;
use taipan_parser::ast::Mod;

/// The tree as `ast` objects.
///
/// # Safety
/// `filename` is a str.
pub unsafe fn mod_to_object<'a>(_module: &Mod<'a>, _arena: &'a Bump, _filename: *mut PyObject, _cf: &mut CompilerFlags, _optimize: c_int) -> PyResult<Owned> {
    bail!(PyExc_NotImplementedError, "compile() with ast.PyCF_ONLY_AST: the module _ast is not there yet");
}

/// Whether an object is an `ast` tree.
///
/// # Safety
/// `op` is live.
pub unsafe fn is_ast(_op: *mut PyObject) -> PyResult<bool> {
    Ok(false)
}

/// Compiles an `ast` tree.
///
/// # Safety
/// All are live.
pub unsafe fn compile_object(_op: *mut PyObject, _filename: *mut PyObject, _start: crate::compile::Start, _cf: &mut CompilerFlags, _optimize: c_int) -> PyResult<Owned> {
    bail!(PyExc_NotImplementedError, "compile() of ast objects: the module _ast is not there yet");
}
