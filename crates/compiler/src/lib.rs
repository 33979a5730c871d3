//! The compiler of Python 3.13: from syntax trees to code objects.
//!
//! Four passes, each a module: code generation (tree to a linear sequence of
//! instructions), construction of the control-flow graph, its optimisation
//! (`flowgraph`), and assembly. Before them the tree is folded and its symbol
//! table built. The output is what CPython 3.13.5 makes, byte for byte. The
//! crate knows no Python object.

use std::rc::Rc;

use bumpalo::Bump;
use taipan_parser::ast::Mod;

pub mod ast_opt;
mod assemble;
pub mod codegen;
pub mod consts;
pub mod docstring;
pub mod dump;
pub mod error;
pub mod flags;
mod flowgraph;
mod fold;
pub mod future;
pub mod instruction_sequence;
pub mod names;
pub mod opcode;
pub mod stages;
pub mod symtable;
pub mod unparse;
pub mod validate;

pub use consts::{BigInt, CodeObject, Const};
pub use error::{CompileError, ErrorKind, Location, Warning, WarningCategory};
pub use fold::digits_to_big;
pub use names::Str;

/// How much native stack each pass uses unless told otherwise, in bytes.
pub const DEFAULT_STACK_BUDGET: usize = 4 << 20;

/// The settings of a compilation.
#[derive(Clone, Debug)]
pub struct Options {
    /// `co_filename`.
    pub filename: Str,
    /// `CO_FUTURE_*` of the caller, and `PyCF_ALLOW_TOP_LEVEL_AWAIT`.
    pub flags: u32,
    /// 0, 1 (`-O`) or 2 (`-OO`).
    pub optimize: u8,
    /// How much native stack each pass may use.
    pub stack_budget: usize,
    /// Issues a `DeprecationWarning` of an operation that folding does; false if it became an error, which is then
    /// dropped, and the operation left for run time. Without it the warning is one of [`Compiled::warnings`].
    pub deprecated: Option<fn(&str) -> bool>,
}

impl Options {
    /// No flags, no optimisation.
    pub fn new(filename: impl Into<Str>) -> Options {
        Options { filename: filename.into(), flags: 0, optimize: 0, stack_budget: DEFAULT_STACK_BUDGET, deprecated: None }
    }
}

/// What comes of a compilation.
#[derive(Debug)]
pub struct Compiled {
    /// To be issued first, in this order, even if there is an error.
    pub warnings: Vec<Warning>,
    /// The caller's flags and the module's own future statements; none after an early error.
    pub flags: u32,
    /// The module's code object.
    pub code: Result<Rc<CodeObject>, Box<CompileError>>,
}

/// Compiles a tree; `arena` is for what folding makes.
pub fn compile<'a>(module: &Mod<'a>, arena: &'a Bump, options: &Options) -> Compiled {
    let mut compiled =
        Compiled { warnings: Vec::new(), flags: options.flags, code: Err(Box::new(CompileError::unknown())) };
    compiled.code = compile_into(module, arena, options, &mut compiled.warnings, &mut compiled.flags);
    compiled
}

fn compile_into<'a>(
    module: &Mod<'a>,
    arena: &'a Bump,
    options: &Options,
    warnings: &mut Vec<Warning>,
    flags: &mut u32,
) -> error::Result<Rc<CodeObject>> {
    let mut compiler = prepare(module, arena, options, warnings, flags)?;
    let code = compiler.0.compile_mod(&compiler.1);
    warnings.append(&mut compiler.0.warnings);
    code
}

fn prepare<'a>(
    module: &Mod<'a>,
    arena: &'a Bump,
    options: &Options,
    warnings: &mut Vec<Warning>,
    flags: &mut u32,
) -> error::Result<(codegen::Compiler<'a>, Mod<'a>)> {
    let future = future::future_from_ast(module)?;
    *flags |= future.features;
    let module = ast_opt::optimize(module, arena, options, *flags, warnings)?;
    let st = symtable::Symtable::build(&module, arena, *flags, options.stack_budget)?;
    let setup = codegen::Setup {
        filename: options.filename.clone(),
        flags: *flags,
        future_location: future.location,
        optimize: options.optimize,
        stack_budget: options.stack_budget,
    };
    Ok((codegen::Compiler::new(st, arena, setup), module))
}
