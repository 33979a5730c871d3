//! Trees as objects of the module `ast`: the calls of `Modules/lang`, which has the node classes.

use crate::code_builder::Builder;
use crate::compile::{CompilerFlags, Start, flags, compile_tree_with, deprecated, optimization_level, raise_compile_error, stack_budget, tree_warnings};
use bumpalo::Bump;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::from_ref;
use taipan_abi::*;
use taipan_parser::ast::Mod;

unsafe extern "C" {
    // Modules/lang: ast
    fn taipan_ast_mod2obj(module: *const c_void) -> *mut PyObject;
    fn taipan_ast_obj2mod(ast: *mut PyObject, arena: *const c_void, constants: *mut PyObject, mode: c_int, out: *mut c_void) -> c_int;
    fn taipan_ast_check(obj: *mut PyObject) -> c_int;
}

/// The tree as `ast` objects, folded first if the flags ask for it.
///
/// # Safety
/// `filename` is a str.
pub unsafe fn mod_to_object<'a>(module: &Mod<'a>, arena: &'a Bump, filename: *mut PyObject, cf: &mut CompilerFlags, optimize: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if cf.cf_flags & flags::PyCF_OPTIMIZED_AST != flags::PyCF_OPTIMIZED_AST {
            return Owned::from_owned_or_err(taipan_ast_mod2obj(from_ref(module).cast()));
        }
        let mut warnings = Vec::new();
        let level = optimization_level(optimize);
        let future = taipan_compiler::future::future_from_ast(module);
        let folded = future.and_then(|f| {
            let features = f.features | (cf.cf_flags & flags::PyCF_MASK) as u32;
            let mut options = taipan_compiler::Options::new("");
            options.optimize = level;
            options.stack_budget = stack_budget();
            options.deprecated = Some(deprecated);
            taipan_compiler::ast_opt::optimize(module, arena, &options, features, &mut warnings)
        });
        tree_warnings(&warnings, filename)?;
        match folded {
            Ok(m) => Owned::from_owned_or_err(taipan_ast_mod2obj((&raw const m).cast())),
            Err(e) => Err(raise_compile_error(&e, filename)),
        }
    }
}

/// Whether an object is an `ast` tree.
///
/// # Safety
/// `op` is live.
pub unsafe fn is_ast(op: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    let r = unsafe { taipan_ast_check(op) };
    check_status(r)?;
    Ok(r != 0)
}

/// Compiles an `ast` tree, or folds it if the flags ask for a tree.
///
/// # Safety
/// All are live.
pub unsafe fn compile_object(op: *mut PyObject, filename: *mut PyObject, start: Start, cf: &mut CompilerFlags, optimize: c_int) -> PyResult<Owned> {
    let mode = match start {
        Start::File | Start::Exec => 0,
        Start::Eval => 1,
        Start::Single => 2,
        Start::FuncType => 3,
    };
    // SAFETY: [IMMORTAL]
    crate::sysmodule::audit(c"compile", &[op, unsafe { Py_None() }])?;
    let arena = Bump::new();
    // SAFETY: [ARGS] the callee writes the tree when it succeeds.
    unsafe {
        let mut module = MaybeUninit::<Mod<'_>>::uninit();
        let constants = Owned::from_owned_or_err(PyList_New(0))?;
        check_status(taipan_ast_obj2mod(op, (&raw const arena).cast(), constants.as_ptr(), mode, module.as_mut_ptr().cast()))?;
        let module = module.assume_init();
        if let Err(e) = taipan_compiler::validate::validate(&module, stack_budget()) {
            return Err(raise_compile_error(&e, filename));
        }
        if cf.cf_flags & flags::PyCF_ONLY_AST != 0 {
            return mod_to_object(&module, &arena, filename, cf, optimize);
        }
        let mut builder = Builder::new(filename, Vec::new());
        for i in 0..PyList_GET_SIZE(constants.as_ptr()) {
            builder.adopt(PyList_GET_ITEM(constants.as_ptr(), i))?;
        }
        compile_tree_with(&module, &arena, &mut builder, cf, optimize)
    }
}
