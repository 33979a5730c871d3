//! The first pass: from the tree to a linear sequence of instructions.
//!
//! This file has what all of it shares: units (a code object in the making),
//! names, constants, blocks to unwind. The traversal itself is in the files
//! beside it. Emission can't fail; what fails is the program.

mod comprehension;
mod expr;
mod function;
mod pattern;
mod stmt;

use std::rc::Rc;

use bumpalo::Bump;
use taipan_parser::ast::*;

use crate::assemble;
use crate::consts::{CodeObject, Const, ConstId, ConstPool};
use crate::error::{CompileError, ErrorKind, Location, NO_LOCATION, Recursion, Result, Warning, WarningCategory};
use crate::flags::*;
use crate::flowgraph::Cfg;
use crate::instruction_sequence::{InstrSeq, Label, Loc};
use crate::names::{IdMap, IdSet, Name, Str, known};
use crate::opcode::*;
use crate::stages::{self, Sequence, UnitMetadata};
use crate::symtable::*;

/// Beyond this many values a display or a call is built in steps.
const STACK_USE_GUIDELINE: usize = 30;

/// What a unit is made of; not quite the types of blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ScopeType {
    Module,
    Class,
    Function,
    AsyncFunction,
    Lambda,
    Comprehension,
    TypeParams,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FBlockType {
    WhileLoop,
    ForLoop,
    TryExcept,
    FinallyTry,
    FinallyEnd,
    With,
    AsyncWith,
    HandlerCleanup,
    PopValue,
    ExceptionHandler,
    ExceptionGroupHandler,
    AsyncComprehensionGenerator,
    StopIteration,
}

/// A statement that `break`, `continue` and `return` have to leave in an orderly way.
#[derive(Clone, Copy)]
struct FBlock<'a> {
    ty: FBlockType,
    block: Label,
    exit: Label,
    loc: Loc,
    /// The statements of a `finally`.
    finalbody: &'a [Stmt<'a>],
    /// The name that an exception handler binds.
    name: Option<&'a str>,
}

/// The parts of a code object that the later passes need too.
pub struct Metadata {
    /// `co_name`.
    pub name: Name,
    /// `co_qualname`.
    pub qualname: Option<Str>,
    /// Constants by number in the pool.
    pub consts: IdSet,
    /// Names of globals, attributes, modules.
    pub names: IdSet,
    /// Fast locals, parameters first.
    pub varnames: IdSet,
    /// Cells.
    pub cellvars: IdSet,
    /// Free variables; they are numbered after the cells.
    pub freevars: IdSet,
    /// What freevars' numbers start with.
    pub free_offset: u32,
    /// Locals of inlined comprehensions outside functions; true while inside.
    pub fasthidden: IdMap<bool>,
    /// Positional parameters that aren't positional-only.
    pub argcount: u32,
    /// Positional-only parameters.
    pub posonlyargcount: u32,
    /// Keyword-only parameters.
    pub kwonlyargcount: u32,
    /// `co_firstlineno`.
    pub firstlineno: i32,
    /// How many of varnames are parameters.
    pub nparams: u32,
}

struct Unit<'a> {
    ste: BlockId,
    scope_type: ScopeType,
    /// The class that private names belong to.
    private: Option<Name>,
    /// Of a class: the attributes that its methods set on self.
    static_attributes: IdSet,
    seq: InstrSeq,
    fblocks: Vec<FBlock<'a>>,
    in_inlined_comp: u32,
    meta: Metadata,
}

impl Unit<'_> {
    /// What stands in a unit's place until it is started.
    fn empty(ste: BlockId) -> Self {
        Unit {
            ste,
            scope_type: ScopeType::Module,
            private: None,
            static_attributes: IdSet::new(),
            seq: InstrSeq::default(),
            fblocks: Vec::new(),
            in_inlined_comp: 0,
            meta: Metadata {
                name: known::ANON_MODULE,
                qualname: None,
                consts: IdSet::new(),
                names: IdSet::new(),
                varnames: IdSet::new(),
                cellvars: IdSet::new(),
                freevars: IdSet::new(),
                free_offset: 0,
                fasthidden: IdMap::new(),
                argcount: 0,
                posonlyargcount: 0,
                kwonlyargcount: 0,
                firstlineno: 1,
                nparams: 0,
            },
        }
    }
}

/// A finished code object, and the names of its free variables.
struct Finished {
    code: Rc<CodeObject>,
    freevars: Vec<Name>,
}

/// Everything that lives as long as one compilation.
pub(crate) struct Compiler<'a> {
    st: Symtable<'a>,
    arena: &'a Bump,
    pool: ConstPool,
    locs: Vec<Location>,
    filename: Str,
    /// Future statements and the caller's flags.
    flags: u32,
    future_location: Location,
    optimize: u8,
    interactive: bool,
    recursion: Recursion,
    pub(crate) warnings: Vec<Warning>,
    u: Unit<'a>,
    stack: Vec<Unit<'a>>,
    spare_seqs: Vec<InstrSeq>,
    cfg: Cfg,
    /// For stage tests: the sequences inside each of the units in the making.
    nested: Option<Vec<Vec<Sequence>>>,
}

/// The settings of `Compiler::new`.
pub(crate) struct Setup {
    pub(crate) filename: Str,
    pub(crate) flags: u32,
    pub(crate) future_location: Location,
    pub(crate) optimize: u8,
    pub(crate) stack_budget: usize,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(st: Symtable<'a>, arena: &'a Bump, setup: Setup) -> Compiler<'a> {
        let top = st.top();
        Compiler {
            st,
            arena,
            pool: ConstPool::new(),
            locs: vec![NO_LOCATION],
            filename: setup.filename,
            flags: setup.flags,
            future_location: setup.future_location,
            optimize: setup.optimize,
            interactive: false,
            recursion: Recursion::new(setup.stack_budget),
            warnings: Vec::new(),
            u: Unit::empty(top),
            stack: Vec::new(),
            spare_seqs: Vec::new(),
            cfg: Cfg::default(),
            nested: None,
        }
    }

    /// Compiles a module, an interactive statement or an expression.
    pub(crate) fn compile_mod(&mut self, module: &Mod<'a>) -> Result<Rc<CodeObject>> {
        self.enter_module(module)?;
        let add_none = !matches!(module, Mod::Expression { .. });
        Ok(self.optimize_and_assemble(add_none)?.code)
    }

    /// Stops after the first pass; nested code objects are finished, but their sequences kept.
    pub(crate) fn codegen_only(&mut self, module: &Mod<'a>) -> Result<(Sequence, UnitMetadata)> {
        self.nested = Some(vec![Vec::new()]);
        self.enter_module(module)?;
        self.add_return_at_end(!matches!(module, Mod::Expression { .. }));
        self.u.seq.apply_label_map();
        let nested = self.nested.take().and_then(|mut levels| levels.pop()).unwrap_or_default();
        let sequence = Sequence { instructions: stages::instructions(&self.u.seq, &self.locs), nested };
        Ok((sequence, stages::unit_metadata(&self.u.meta, &self.st.names, &self.pool)))
    }

    fn enter_module(&mut self, module: &Mod<'a>) -> Result<()> {
        let first = Location { lineno: 1, end_lineno: 1, col_offset: 0, end_col_offset: 0 };
        let top = self.st.top();
        self.start_unit(known::ANON_MODULE, ScopeType::Module, top, 1);
        let resume = self.new_loc(Location { lineno: 0, ..first });
        self.addop_i(resume, RESUME, resume::AT_FUNC_START);
        match module {
            Mod::Module { body, .. } => {
                let loc = match body.first() {
                    Some(s) => self.loc(s.range),
                    None => self.new_loc(first),
                };
                self.body(loc, body)
            }
            Mod::Interactive { body } => {
                if stmt::find_ann(body) {
                    let loc = self.new_loc(first);
                    self.addop(loc, SETUP_ANNOTATIONS);
                }
                self.interactive = true;
                self.visit_stmts(body)
            }
            Mod::Expression { body } => self.visit_expr(body),
            Mod::FunctionType { .. } => {
                Err(CompileError::new(ErrorKind::SystemError, "module kind 4 should not be possible"))
            }
        }
    }

    // Locations

    fn new_loc(&mut self, location: Location) -> Loc {
        self.locs.push(location);
        Loc(self.locs.len() as u32 - 1)
    }

    /// The location of a node.
    #[inline]
    fn loc(&mut self, range: Range) -> Loc {
        let location = Location::from(range);
        match self.locs.last() {
            Some(last) if *last == location => Loc(self.locs.len() as u32 - 1),
            _ => self.new_loc(location),
        }
    }

    #[inline]
    fn location(&self, loc: Loc) -> Location {
        self.locs[loc.0 as usize]
    }

    // Emission

    #[inline]
    fn addop(&mut self, loc: Loc, op: Opcode) {
        self.u.seq.addop(op, 0, loc);
    }

    #[inline]
    fn addop_i(&mut self, loc: Loc, op: Opcode, arg: u32) {
        self.u.seq.addop(op, arg, loc);
    }

    #[inline]
    fn addop_jump(&mut self, loc: Loc, op: Opcode, target: Label) {
        self.u.seq.addop(op, target.0, loc);
    }

    #[inline]
    fn new_label(&mut self) -> Label {
        self.u.seq.new_label()
    }

    #[inline]
    fn use_label(&mut self, label: Label) {
        self.u.seq.use_label(label);
    }

    #[inline]
    fn add_const(&mut self, id: ConstId) -> u32 {
        self.u.meta.consts.add(id.0) as u32
    }

    #[inline]
    fn load_const_id(&mut self, loc: Loc, id: ConstId) {
        let arg = self.add_const(id);
        self.addop_i(loc, LOAD_CONST, arg);
    }

    #[inline]
    fn load_none(&mut self, loc: Loc) {
        self.load_const_id(loc, ConstPool::NONE);
    }

    #[inline]
    fn load_const(&mut self, loc: Loc, value: &Constant<'_>) {
        let id = self.pool.add_ast(value);
        self.load_const_id(loc, id);
    }

    fn load_int(&mut self, loc: Loc, value: usize) {
        let id = self.pool.add(Const::Int(value as i64));
        self.load_const_id(loc, id);
    }

    fn const_name(&mut self, name: Name) -> ConstId {
        let s = self.st.names.to_str(name);
        self.pool.add_str(s)
    }

    fn load_name_const(&mut self, loc: Loc, name: Name) {
        let id = self.const_name(name);
        self.load_const_id(loc, id);
    }

    /// The tuple of some identifiers.
    fn const_names(&mut self, names: impl Iterator<Item = &'a str>) -> ConstId {
        let ids: Vec<ConstId> = names
            .map(|text| {
                let name = self.st.names.intern(text);
                self.const_name(name)
            })
            .collect();
        self.pool.add_tuple(ids.into_iter())
    }

    // Names

    #[inline]
    fn intern(&mut self, text: &'a str) -> Name {
        self.st.names.intern(text)
    }

    #[inline]
    fn mangle(&mut self, name: Name) -> Name {
        self.st.maybe_mangle(self.u.private, self.u.ste, name)
    }

    #[inline]
    fn ste(&self) -> &Entry {
        self.st.entry(self.u.ste)
    }

    /// The number of a (mangled) name in `co_names`.
    #[inline]
    fn name_index(&mut self, name: Name) -> u32 {
        let name = self.mangle(name);
        self.u.meta.names.add(name.0) as u32
    }

    /// An instruction whose argument is a name.
    #[inline]
    fn addop_name(&mut self, loc: Loc, op: Opcode, name: Name) {
        let arg = self.name_index(name);
        let (op, arg) = match op {
            LOAD_ATTR => (op, arg << 1),
            LOAD_METHOD => (LOAD_ATTR, arg << 1 | 1),
            LOAD_SUPER_ATTR => (op, arg << 2 | 2),
            LOAD_SUPER_METHOD => (LOAD_SUPER_ATTR, arg << 2 | 3),
            LOAD_ZERO_SUPER_ATTR => (LOAD_SUPER_ATTR, arg << 2),
            LOAD_ZERO_SUPER_METHOD => (LOAD_SUPER_ATTR, arg << 2 | 1),
            _ => (op, arg),
        };
        self.addop_i(loc, op, arg);
    }

    fn cell_index(&mut self, name: Name) -> u32 {
        self.u.meta.cellvars.add(name.0) as u32
    }

    fn free_index(&mut self, name: Name) -> u32 {
        self.u.meta.freevars.add(name.0) as u32 + self.u.meta.free_offset
    }

    fn load_classdict(&mut self, loc: Loc) {
        let arg = self.free_index(known::CLASSDICT);
        self.addop_i(loc, LOAD_DEREF, arg);
    }

    /// `__debug__` can't be bound.
    #[inline]
    fn forbidden_name(&mut self, loc: Loc, name: Name, ctx: ExprContext) -> Result<()> {
        if name == known::DEBUG {
            match ctx {
                ExprContext::Store => return Err(self.error(loc, "cannot assign to __debug__")),
                ExprContext::Del => return Err(self.error(loc, "cannot delete __debug__")),
                ExprContext::Load => {}
            }
        }
        Ok(())
    }

    /// Loads, stores or deletes a variable.
    fn nameop(&mut self, loc: Loc, name: Name, ctx: ExprContext) -> Result<()> {
        use ExprContext::{Del, Load, Store};
        self.forbidden_name(loc, name, ctx)?;
        let name = self.mangle(name);
        let ste = self.st.entry(self.u.ste);
        let scope = ste.scope(name);
        let (function_like, in_class) = (ste.is_function_like(), ste.ty == BlockType::Class);
        let sees_class = ste.can_see_class_scope;
        match scope {
            FREE | CELL => {
                let op = match ctx {
                    Load if in_class && self.u.in_inlined_comp == 0 => {
                        self.addop(loc, LOAD_LOCALS);
                        LOAD_FROM_DICT_OR_DEREF
                    }
                    Load if sees_class => {
                        self.load_classdict(loc);
                        LOAD_FROM_DICT_OR_DEREF
                    }
                    Load => LOAD_DEREF,
                    Store => STORE_DEREF,
                    Del => DELETE_DEREF,
                };
                let arg = if scope == FREE { self.free_index(name) } else { self.cell_index(name) };
                self.addop_i(loc, op, arg);
            }
            LOCAL if function_like || self.u.meta.fasthidden.get(name.0) == Some(true) => {
                let op = match ctx {
                    Load => LOAD_FAST,
                    Store => STORE_FAST,
                    Del => DELETE_FAST,
                };
                let arg = self.u.meta.varnames.add(name.0) as u32;
                self.addop_i(loc, op, arg);
            }
            GLOBAL_EXPLICIT | GLOBAL_IMPLICIT if scope == GLOBAL_EXPLICIT || function_like => {
                let op = match ctx {
                    Load if sees_class && scope == GLOBAL_IMPLICIT => {
                        self.load_classdict(loc);
                        LOAD_FROM_DICT_OR_GLOBALS
                    }
                    Load => LOAD_GLOBAL,
                    Store => STORE_GLOBAL,
                    Del => DELETE_GLOBAL,
                };
                self.addop_global(loc, op, name);
            }
            _ => {
                let op = match ctx {
                    Load if in_class && self.u.in_inlined_comp != 0 => LOAD_GLOBAL,
                    Load => LOAD_NAME,
                    Store => STORE_NAME,
                    Del => DELETE_NAME,
                };
                self.addop_global(loc, op, name);
            }
        }
        Ok(())
    }

    #[inline]
    fn addop_global(&mut self, loc: Loc, op: Opcode, mangled: Name) {
        let arg = self.u.meta.names.add(mangled.0) as u32;
        self.addop_i(loc, op, if op == LOAD_GLOBAL { arg << 1 } else { arg });
    }

    /// The scope of a name as far as closures are concerned.
    fn ref_type(&self, name: Name) -> u32 {
        if self.u.scope_type == ScopeType::Class && (name == known::CLASS || name == known::CLASSDICT) {
            return CELL;
        }
        self.ste().scope(name)
    }

    // Errors and warnings

    #[cold]
    fn error(&self, loc: Loc, message: impl Into<String>) -> Box<CompileError> {
        Box::new(CompileError {
            kind: ErrorKind::CompilerSyntaxError,
            message: message.into(),
            location: Some(self.location(loc)),
            text: None,
        })
    }

    #[cold]
    fn warn(&mut self, loc: Loc, message: String) {
        let location = self.location(loc);
        self.warnings.push(Warning { category: WarningCategory::SyntaxWarning, message, location });
    }

    // Units

    fn is_top_level_await(&self) -> bool {
        self.flags & PyCF_ALLOW_TOP_LEVEL_AWAIT != 0 && self.ste().ty == BlockType::Module
    }

    /// Names of the block with the scope or the flag, in alphabetical order.
    fn names_by_scope(&self, ste: BlockId, scope: u32, flag: u32) -> IdSet {
        let mut found: Vec<u32> = self
            .st
            .entry(ste)
            .symbols
            .entries()
            .iter()
            .filter(|(_, flags)| scope_of(*flags) == scope || flags & flag != 0)
            .map(|(name, _)| *name)
            .collect();
        if found.len() > 1 {
            found.sort_by_key(|name| self.st.names.text(Name(*name)));
        }
        let mut set = IdSet::new();
        for name in found {
            set.add(name);
        }
        set
    }

    fn start_unit(&mut self, name: Name, scope_type: ScopeType, ste: BlockId, firstlineno: i32) {
        let mut cellvars = self.names_by_scope(ste, CELL, DEF_COMP_CELL);
        let entry = self.st.entry(ste);
        if entry.needs_class_closure {
            cellvars.add(known::CLASS.0);
        }
        if entry.needs_classdict {
            cellvars.add(known::CLASSDICT.0);
        }
        let mut varnames = IdSet::new();
        for name in &entry.varnames {
            varnames.add(name.0);
        }
        let free_offset = cellvars.len() as u32;
        let nparams = entry.varnames.len() as u32;
        let freevars = self.names_by_scope(ste, FREE, DEF_FREE_CLASS);
        let seq = self.spare_seqs.pop().unwrap_or_default();
        self.u = Unit::empty(ste);
        self.u.scope_type = scope_type;
        self.u.private = self.stack.last().and_then(|outer| outer.private);
        self.u.seq = seq;
        let meta = &mut self.u.meta;
        meta.name = name;
        meta.varnames = varnames;
        meta.cellvars = cellvars;
        meta.freevars = freevars;
        meta.free_offset = free_offset;
        meta.firstlineno = firstlineno;
        meta.nparams = nparams;
    }

    /// Begins a nested code object.
    fn enter_scope(&mut self, name: Name, scope_type: ScopeType, ste: BlockId, lineno: i32) -> Result<()> {
        if let Some(nested) = &mut self.nested {
            nested.push(Vec::new());
        }
        let outer = std::mem::replace(&mut self.u, Unit::empty(ste));
        self.stack.push(outer);
        self.start_unit(name, scope_type, ste, lineno);
        self.set_qualname();
        let loc = self.new_loc(Location { lineno, end_lineno: lineno, col_offset: 0, end_col_offset: 0 });
        self.addop_i(loc, RESUME, resume::AT_FUNC_START);
        Ok(())
    }

    fn exit_scope(&mut self) {
        if let Some(outer) = self.stack.pop() {
            let mut seq = std::mem::replace(&mut self.u, outer).seq;
            seq.clear();
            self.spare_seqs.push(seq);
        }
    }

    fn set_qualname(&mut self) {
        let name = self.u.meta.name;
        let mut base = None;
        let depth = self.stack.len();
        if depth > 1 {
            let mut parent = &self.stack[depth - 1];
            if parent.scope_type == ScopeType::TypeParams && depth > 2 {
                parent = &self.stack[depth - 2];
            }
            if parent.scope_type != ScopeType::TypeParams || depth > 2 {
                let named = matches!(
                    self.u.scope_type,
                    ScopeType::Function | ScopeType::AsyncFunction | ScopeType::Class
                );
                let mangled = self.st.names.mangle(parent.private, name);
                if !(named && self.st.entry(parent.ste).scope(mangled) == GLOBAL_EXPLICIT) {
                    let is_function = matches!(
                        parent.scope_type,
                        ScopeType::Function | ScopeType::AsyncFunction | ScopeType::Lambda
                    );
                    let mut qualname = match &parent.meta.qualname {
                        Some(q) => q.as_bytes().to_vec(),
                        None => self.st.names.text(parent.meta.name).as_bytes().to_vec(),
                    };
                    qualname.extend_from_slice(if is_function { b".<locals>." } else { b"." });
                    base = Some(qualname);
                }
            }
        }
        self.u.meta.qualname = Some(match base {
            Some(mut qualname) => {
                qualname.extend_from_slice(self.st.names.text(name).as_bytes());
                Str::from(&*qualname)
            }
            None => self.st.names.to_str(name),
        });
    }

    fn compute_code_flags(&self) -> u32 {
        let ste = self.ste();
        let mut flags = 0;
        if ste.is_function_like() {
            flags |= CO_NEWLOCALS | CO_OPTIMIZED;
            if ste.nested {
                flags |= CO_NESTED;
            }
            flags |= match (ste.generator, ste.coroutine) {
                (true, false) => CO_GENERATOR,
                (false, true) => CO_COROUTINE,
                (true, true) => CO_ASYNC_GENERATOR,
                (false, false) => 0,
            };
            if ste.varargs {
                flags |= CO_VARARGS;
            }
            if ste.varkeywords {
                flags |= CO_VARKEYWORDS;
            }
        }
        flags |= self.flags & PyCF_MASK;
        if self.is_top_level_await() && ste.coroutine && !ste.generator {
            flags |= CO_COROUTINE;
        }
        flags
    }

    fn add_return_at_end(&mut self, add_none: bool) {
        if add_none {
            self.load_none(Loc::NONE);
        }
        self.addop(Loc::NONE, RETURN_VALUE);
    }

    /// Runs the other passes over the unit.
    fn optimize_and_assemble(&mut self, add_none: bool) -> Result<Finished> {
        let flags = self.compute_code_flags();
        self.add_return_at_end(add_none);
        let freevars = self.u.meta.freevars.entries().iter().map(|(name, ())| Name(*name)).collect();
        let mut consts: Vec<ConstId> = self.u.meta.consts.entries().iter().map(|(id, ())| ConstId(*id)).collect();
        self.u.seq.apply_label_map();
        if let Some(levels) = &mut self.nested
            && let Some(nested) = levels.pop()
            && let Some(outer) = levels.last_mut()
        {
            outer.push(Sequence { instructions: stages::instructions(&self.u.seq, &self.locs), nested });
        }
        self.cfg.build(&mut self.u.seq);
        self.cfg.optimize_code_unit(
            &mut consts,
            &mut self.pool,
            &self.locs,
            self.u.meta.varnames.len(),
            self.u.meta.nparams as usize,
        )?;
        let layout = self.cfg.prepare_for_assembly(&self.u.meta, flags, &mut self.locs)?;
        let code = assemble::make_code_object(
            &mut self.cfg,
            assemble::Parts {
                meta: &self.u.meta,
                consts: &consts,
                pool: &self.pool,
                names: &mut self.st.names,
                locs: &self.locs,
                layout,
                flags,
                filename: &self.filename,
            },
        );
        Ok(Finished { code: Rc::new(code), freevars })
    }

    // Blocks to unwind

    fn push_fblock(&mut self, loc: Loc, ty: FBlockType, block: Label, exit: Label) -> Result<()> {
        self.push_fblock_with(FBlock { ty, block, exit, loc, finalbody: &[], name: None })
    }

    fn push_fblock_with(&mut self, fblock: FBlock<'a>) -> Result<()> {
        if self.u.fblocks.len() >= CO_MAXBLOCKS {
            return Err(self.error(fblock.loc, "too many statically nested blocks"));
        }
        self.u.fblocks.push(fblock);
        Ok(())
    }

    fn pop_fblock(&mut self, ty: FBlockType) {
        let popped = self.u.fblocks.pop();
        debug_assert!(popped.is_some_and(|f| f.ty == ty));
    }

    fn call_exit_with_nones(&mut self, loc: Loc) {
        self.load_none(loc);
        self.load_none(loc);
        self.load_none(loc);
        self.addop_i(loc, CALL, 2);
    }

    /// Delegates to the awaitable or generator on the stack.
    fn add_yield_from(&mut self, loc: Loc, is_await: bool) {
        let send = self.new_label();
        let fail = self.new_label();
        let exit = self.new_label();
        self.use_label(send);
        self.addop_jump(loc, SEND, exit);
        // A handler for a StopIteration that close() or throw() raises at the yield.
        self.addop_jump(loc, SETUP_FINALLY, fail);
        self.addop_i(loc, YIELD_VALUE, 1);
        self.addop(Loc::NONE, POP_BLOCK);
        self.addop_i(loc, RESUME, if is_await { resume::AFTER_AWAIT } else { resume::AFTER_YIELD_FROM });
        self.addop_jump(loc, JUMP_NO_INTERRUPT, send);
        self.use_label(fail);
        self.addop(loc, CLEANUP_THROW);
        self.use_label(exit);
        self.addop(loc, END_SEND);
    }

    /// Awaits what is on the stack, as `GET_AWAITABLE`'s argument tells for the messages.
    fn add_await(&mut self, loc: Loc, where_: u32) {
        self.addop_i(loc, GET_AWAITABLE, where_);
        self.load_none(loc);
        self.add_yield_from(loc, true);
    }

    fn addop_yield(&mut self, loc: Loc) {
        let ste = self.ste();
        if ste.generator && ste.coroutine {
            self.addop_i(loc, CALL_INTRINSIC_1, intrinsic_1::ASYNC_GEN_WRAP);
        }
        self.addop_i(loc, YIELD_VALUE, 0);
        self.addop_i(loc, RESUME, resume::AFTER_YIELD);
    }

    /// The end of a handler's handler: restore the exception, raise again.
    fn pop_except_and_reraise(&mut self, loc: Loc) {
        self.addop_i(loc, COPY, 3);
        self.addop(loc, POP_EXCEPT);
        self.addop_i(loc, RERAISE, 1);
    }

    /// Leaves one block; a value on top of the stack survives if asked.
    fn unwind_fblock(&mut self, loc: &mut Loc, fblock: &FBlock<'a>, preserve_tos: bool) -> Result<()> {
        match fblock.ty {
            FBlockType::WhileLoop
            | FBlockType::ExceptionHandler
            | FBlockType::ExceptionGroupHandler
            | FBlockType::AsyncComprehensionGenerator
            | FBlockType::StopIteration => {}
            FBlockType::ForLoop | FBlockType::PopValue => {
                // The iterator, or a value that an outer return had kept.
                self.swap_if(*loc, preserve_tos);
                self.addop(*loc, POP_TOP);
            }
            FBlockType::TryExcept => self.addop(*loc, POP_BLOCK),
            FBlockType::FinallyTry => {
                self.addop(*loc, POP_BLOCK);
                if preserve_tos {
                    self.push_fblock(*loc, FBlockType::PopValue, Label::NONE, Label::NONE)?;
                }
                self.visit_stmts(fblock.finalbody)?;
                if preserve_tos {
                    self.pop_fblock(FBlockType::PopValue);
                }
                // What follows seems to happen after the statement that unwinds.
                *loc = Loc::NONE;
            }
            FBlockType::FinallyEnd => {
                self.swap_if(*loc, preserve_tos);
                self.addop(*loc, POP_TOP);
                self.swap_if(*loc, preserve_tos);
                self.addop(*loc, POP_BLOCK);
                self.addop(*loc, POP_EXCEPT);
            }
            FBlockType::With | FBlockType::AsyncWith => {
                *loc = fblock.loc;
                self.addop(*loc, POP_BLOCK);
                self.swap_if(*loc, preserve_tos);
                self.call_exit_with_nones(*loc);
                if fblock.ty == FBlockType::AsyncWith {
                    self.add_await(*loc, 2);
                }
                self.addop(*loc, POP_TOP);
                *loc = Loc::NONE;
            }
            FBlockType::HandlerCleanup => {
                if fblock.name.is_some() {
                    self.addop(*loc, POP_BLOCK);
                }
                self.swap_if(*loc, preserve_tos);
                self.addop(*loc, POP_BLOCK);
                self.addop(*loc, POP_EXCEPT);
                if let Some(name) = fblock.name {
                    self.unbind_exception(*loc, name)?;
                }
            }
        }
        Ok(())
    }

    fn swap_if(&mut self, loc: Loc, preserve_tos: bool) {
        if preserve_tos {
            self.addop_i(loc, SWAP, 2);
        }
    }

    /// `name = None; del name`, at the end of `except ... as name`.
    fn unbind_exception(&mut self, loc: Loc, name: &'a str) -> Result<()> {
        let name = self.intern(name);
        self.load_none(loc);
        self.nameop(loc, name, ExprContext::Store)?;
        self.nameop(loc, name, ExprContext::Del)
    }

    /// Leaves all blocks, or those inside the innermost loop, which is returned.
    fn unwind_fblock_stack(&mut self, loc: &mut Loc, preserve_tos: bool, to_loop: bool) -> Result<Option<FBlock<'a>>> {
        let Some(&top) = self.u.fblocks.last() else { return Ok(None) };
        if top.ty == FBlockType::ExceptionGroupHandler {
            return Err(
                self.error(*loc, "'break', 'continue' and 'return' cannot appear in an except* block")
            );
        }
        if to_loop && matches!(top.ty, FBlockType::WhileLoop | FBlockType::ForLoop) {
            return Ok(Some(top));
        }
        self.u.fblocks.pop();
        self.unwind_fblock(loc, &top, preserve_tos)?;
        let found = self.unwind_fblock_stack(loc, preserve_tos, to_loop)?;
        self.u.fblocks.push(top);
        Ok(found)
    }
}

/// The docstring of a body, if it begins with one.
pub(crate) fn docstring<'a>(body: &[Stmt<'a>]) -> Option<(&'a [u8], Range)> {
    if let Some(Stmt { kind: StmtKind::Expr { value }, .. }) = body.first()
        && let ExprKind::Constant { value: Constant::Str(s), .. } = value.kind
    {
        return Some((s, value.range));
    }
    None
}
