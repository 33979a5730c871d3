//! The symbol table: which names each block binds and uses, and what that makes of them.
//!
//! A first pass over the tree collects facts (`Builder`); a second one over the
//! blocks decides the scope of each name (`analyze`).

use std::collections::HashMap;

use bumpalo::Bump;
use taipan_parser::ast::*;

use crate::error::{CompileError, ErrorKind, Recursion, Result};
use crate::flags::CO_FUTURE_ANNOTATIONS;
use crate::names::{IdMap, IdSet, Interner, Name, known};

/// `global` statement.
pub const DEF_GLOBAL: u32 = 1;
/// Assignment in the block.
pub const DEF_LOCAL: u32 = 2;
/// Parameter.
pub const DEF_PARAM: u32 = 2 << 1;
/// `nonlocal` statement.
pub const DEF_NONLOCAL: u32 = 2 << 2;
/// Use.
pub const USE: u32 = 2 << 3;
/// Unused, but `_symtable` has it.
pub const DEF_FREE: u32 = 2 << 4;
/// Free in a method of the class.
pub const DEF_FREE_CLASS: u32 = 2 << 5;
/// Bound by an import.
pub const DEF_IMPORT: u32 = 2 << 6;
/// Annotated.
pub const DEF_ANNOT: u32 = 2 << 7;
/// Iteration variable of a comprehension.
pub const DEF_COMP_ITER: u32 = 2 << 8;
/// Type parameter.
pub const DEF_TYPE_PARAM: u32 = 2 << 9;
/// Cell in an inlined comprehension.
pub const DEF_COMP_CELL: u32 = 2 << 10;
/// Bound in the block, in whatever way.
pub const DEF_BOUND: u32 = DEF_LOCAL | DEF_PARAM | DEF_IMPORT;

/// Where a symbol's flags hold its scope.
pub const SCOPE_OFFSET: u32 = 12;
/// The scope's bits, once shifted.
pub const SCOPE_MASK: u32 = DEF_GLOBAL | DEF_LOCAL | DEF_PARAM | DEF_NONLOCAL;

/// Scope: local.
pub const LOCAL: u32 = 1;
/// Scope: declared global.
pub const GLOBAL_EXPLICIT: u32 = 2;
/// Scope: global because no enclosing function binds it.
pub const GLOBAL_IMPLICIT: u32 = 3;
/// Scope: of an enclosing function.
pub const FREE: u32 = 4;
/// Scope: local, and free in an enclosed block.
pub const CELL: u32 = 5;

/// What a block is; the numbers are those of `_symtable`'s `TYPE_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are CPython's")]
pub enum BlockType {
    Function = 0,
    Class = 1,
    Module = 2,
    /// With postponed annotations only, where they are but checked.
    Annotation = 3,
    TypeAlias = 4,
    TypeParameters = 5,
    /// The bound, constraints or default of a type parameter.
    TypeVariable = 6,
}

/// What comprehension a function block is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are CPython's")]
pub enum ComprehensionType {
    No = 0,
    List = 1,
    Dict = 2,
    Set = 3,
    Generator = 4,
}

/// The number of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct BlockId(pub u32);

/// A block and its symbols.
pub struct Entry {
    /// Names to `DEF_*` flags, after the analysis with the scope too.
    pub symbols: IdMap<u32>,
    /// The block's name.
    pub name: Name,
    /// Parameters.
    pub varnames: Vec<Name>,
    /// Enclosed blocks, in order; those of inlined comprehensions are spliced in.
    pub children: Vec<BlockId>,
    /// The places of `global` and `nonlocal` statements.
    directives: Vec<(Name, Range)>,
    /// Names to mangle, if not all: which set of the table.
    mangled_names: Option<u32>,
    /// What the block is.
    pub ty: BlockType,
    /// For the messages of type-variable blocks.
    scope_info: &'static str,
    /// Inside a function.
    pub nested: bool,
    /// Has free variables.
    pub free: bool,
    /// An enclosed block has free variables.
    pub child_free: bool,
    /// Contains a `yield`, or is a generator expression.
    pub generator: bool,
    /// Is an `async def`, or contains an `await`.
    pub coroutine: bool,
    /// What comprehension it is.
    pub comprehension: ComprehensionType,
    /// Has `*args`.
    pub varargs: bool,
    /// Has `**kwargs`.
    pub varkeywords: bool,
    /// Has a `return` with a value.
    pub returns_value: bool,
    /// A class whose methods use `__class__`.
    pub needs_class_closure: bool,
    /// A class whose annotation scopes see its names.
    pub needs_classdict: bool,
    /// A comprehension that becomes part of its parent.
    pub comp_inlined: bool,
    comp_iter_target: bool,
    /// An annotation scope right inside a class.
    pub can_see_class_scope: bool,
    comp_iter_expr: u32,
    /// Where the block is; all zero for the module.
    pub range: Range,
}

impl Entry {
    /// Names are fast locals here.
    #[inline]
    pub fn is_function_like(&self) -> bool {
        matches!(
            self.ty,
            BlockType::Function | BlockType::TypeVariable | BlockType::TypeAlias | BlockType::TypeParameters
        )
    }

    /// The flags of a (mangled) name, 0 if unknown.
    #[inline]
    pub fn symbol(&self, name: Name) -> u32 {
        self.symbols.get(name.0).unwrap_or(0)
    }

    /// The scope of a (mangled) name, 0 if unknown.
    #[inline]
    pub fn scope(&self, name: Name) -> u32 {
        scope_of(self.symbol(name))
    }
}

/// The scope in a symbol's flags.
#[inline]
pub fn scope_of(flags: u32) -> u32 {
    (flags >> SCOPE_OFFSET) & SCOPE_MASK
}

/// Which of the blocks that one node can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlockKey {
    /// The node's own.
    Node = 0,
    /// That of its type parameters.
    TypeParams = 1,
    /// That of a type parameter's bound, or of the default where there is no bound to have.
    Bound = 2,
    /// That of a type variable's default.
    Default = 3,
}

/// Nodes are aligned, which leaves the low bits of their addresses to the key.
#[inline]
fn block_key<T>(node: &T, key: BlockKey) -> usize {
    std::ptr::from_ref(node) as usize | key as usize
}

#[derive(Default)]
struct KeyHasher(u64);

impl std::hash::Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = crate::names::hash_bytes(bytes);
    }
    fn write_usize(&mut self, key: usize) {
        self.0 = crate::names::mix(0, key as u64).rotate_right(17);
    }
}

type KeyMap = HashMap<usize, BlockId, std::hash::BuildHasherDefault<KeyHasher>>;

/// All blocks of a tree.
pub struct Symtable<'a> {
    entries: Vec<Entry>,
    keys: KeyMap,
    /// The names of the blocks, symbols and varnames.
    pub names: Interner<'a>,
    mangled: Vec<IdSet>,
}

impl<'a> Symtable<'a> {
    /// Builds and analyses the table of a tree.
    ///
    /// `features` are the future statements in effect; at most `stack_budget`
    /// bytes of native stack are used.
    pub fn build(module: &Mod<'a>, arena: &'a Bump, features: u32, stack_budget: usize) -> Result<Symtable<'a>> {
        let table = Symtable {
            entries: Vec::new(),
            keys: KeyMap::default(),
            names: Interner::new(arena),
            mangled: Vec::new(),
        };
        let mut builder = Builder {
            st: table,
            cur: BlockId(0),
            stack: Vec::new(),
            private: None,
            features,
            recursion: Recursion::new(stack_budget),
        };
        builder.enter_block(known::TOP, BlockType::Module, 0, Range::default());
        match module {
            Mod::Module { body, .. } | Mod::Interactive { body } => builder.visit_stmts(body)?,
            Mod::Expression { body } => builder.visit_expr(body)?,
            Mod::FunctionType { .. } => {
                return Err(CompileError::new(
                    ErrorKind::RuntimeError,
                    "this compiler does not handle FunctionTypes",
                ));
            }
        }
        let mut table = builder.st;
        analyze::analyze(&mut table, stack_budget)?;
        Ok(table)
    }

    /// The module's block.
    pub fn top(&self) -> BlockId {
        BlockId(0)
    }

    /// A block.
    #[inline]
    pub fn entry(&self, id: BlockId) -> &Entry {
        &self.entries[id.0 as usize]
    }

    /// A block, to be changed.
    #[inline]
    pub fn entry_mut(&mut self, id: BlockId) -> &mut Entry {
        &mut self.entries[id.0 as usize]
    }

    /// The block that a node opened.
    pub fn lookup<T>(&self, node: &T, key: BlockKey) -> Result<BlockId> {
        match self.keys.get(&block_key(node, key)) {
            Some(id) => Ok(*id),
            None => Err(CompileError::new(ErrorKind::SystemError, "unknown symbol table entry")),
        }
    }

    /// A number that tells the block from the others of the table.
    pub fn id(&self, id: BlockId) -> usize {
        id.0 as usize + 1
    }

    /// The name as it is known in a block.
    #[inline]
    pub fn maybe_mangle(&mut self, private: Option<Name>, block: BlockId, name: Name) -> Name {
        if private.is_none() {
            return name;
        }
        // Around a generic class only the type parameters are mangled.
        if let Some(set) = self.entry(block).mangled_names
            && !self.mangled[set as usize].contains(name.0)
        {
            return name;
        }
        self.names.mangle(private, name)
    }
}

struct Builder<'a> {
    st: Symtable<'a>,
    cur: BlockId,
    stack: Vec<BlockId>,
    private: Option<Name>,
    features: u32,
    recursion: Recursion,
}

impl<'a> Builder<'a> {
    #[inline]
    fn cur(&mut self) -> &mut Entry {
        self.st.entry_mut(self.cur)
    }

    #[inline]
    fn intern(&mut self, text: &'a str) -> Name {
        self.st.names.intern(text)
    }

    fn enter_block(&mut self, name: Name, ty: BlockType, key: usize, range: Range) {
        let id = BlockId(self.st.entries.len() as u32);
        let (mut nested, mut comp_iter_expr, mut mangled_names) = (false, 0, None);
        if let Some(&outer) = self.stack.last() {
            let outer = self.st.entry_mut(outer);
            nested = outer.nested || outer.is_function_like();
            comp_iter_expr = outer.comp_iter_expr;
            if ty != BlockType::Class {
                mangled_names = outer.mangled_names;
            }
            // Postponed annotations become strings: their blocks exist for the checks only.
            if ty != BlockType::Annotation {
                outer.children.push(id);
            }
        }
        self.st.entries.push(Entry {
            symbols: IdMap::new(),
            name,
            varnames: Vec::new(),
            children: Vec::new(),
            directives: Vec::new(),
            mangled_names,
            ty,
            scope_info: "",
            nested,
            free: false,
            child_free: false,
            generator: false,
            coroutine: false,
            comprehension: ComprehensionType::No,
            varargs: false,
            varkeywords: false,
            returns_value: false,
            needs_class_closure: false,
            needs_classdict: false,
            comp_inlined: false,
            comp_iter_target: false,
            can_see_class_scope: false,
            comp_iter_expr,
            range,
        });
        self.st.keys.insert(key, id);
        self.stack.push(id);
        self.cur = id;
    }

    fn exit_block(&mut self) {
        self.stack.pop();
        if let Some(&outer) = self.stack.last() {
            self.cur = outer;
        }
    }

    fn lookup_in(&mut self, block: BlockId, name: Name) -> u32 {
        let name = self.st.maybe_mangle(self.private, block, name);
        self.st.entry(block).symbol(name)
    }

    fn lookup(&mut self, name: Name) -> u32 {
        self.lookup_in(self.cur, name)
    }

    #[inline]
    fn add_def(&mut self, name: Name, flag: u32, range: Range) -> Result<()> {
        if flag & DEF_TYPE_PARAM != 0
            && let Some(set) = self.st.entry(self.cur).mangled_names
        {
            self.st.mangled[set as usize].add(name.0);
        }
        self.add_def_to(self.cur, name, flag, range)
    }

    fn add_def_to(&mut self, block: BlockId, name: Name, flag: u32, range: Range) -> Result<()> {
        let mangled = self.st.maybe_mangle(self.private, self.cur, name);
        let entry = self.st.entry_mut(block);
        let index = entry.symbols.get_or_insert(mangled.0, 0);
        let old = *entry.symbols.value_mut(index);
        if flag & old & (DEF_PARAM | DEF_TYPE_PARAM) != 0 {
            let text = self.st.names.text(name);
            return Err(CompileError::at(
                range,
                if flag & old & DEF_PARAM != 0 {
                    format!("duplicate argument '{text}' in function definition")
                } else {
                    format!("duplicate type parameter '{text}'")
                },
            ));
        }
        let mut flags = old | flag;
        if entry.comp_iter_target {
            if flags & (DEF_GLOBAL | DEF_NONLOCAL) != 0 {
                return Err(CompileError::at(
                    range,
                    format!(
                        "comprehension inner loop cannot rebind assignment expression target '{}'",
                        self.st.names.text(name)
                    ),
                ));
            }
            flags |= DEF_COMP_ITER;
        }
        *entry.symbols.value_mut(index) = flags;
        if flag & DEF_PARAM != 0 {
            entry.varnames.push(mangled);
        } else if flag & DEF_GLOBAL != 0 {
            let top = self.st.entry_mut(BlockId(0));
            let index = top.symbols.get_or_insert(mangled.0, 0);
            *top.symbols.value_mut(index) |= flag;
        }
        Ok(())
    }

    fn add_def_str(&mut self, text: &'a str, flag: u32, range: Range) -> Result<()> {
        let name = self.intern(text);
        self.add_def(name, flag, range)
    }

    fn record_directive(&mut self, name: Name, range: Range) {
        let mangled = self.st.maybe_mangle(self.private, self.cur, name);
        self.cur().directives.push((mangled, range));
    }

    /// The block of a definition's type parameters.
    fn enter_type_param_block(
        &mut self,
        name: Name,
        params: &'a [TypeParam<'a>],
        range: Range,
        is_class: bool,
    ) -> Result<()> {
        let in_class = self.cur().ty == BlockType::Class;
        self.enter_block(name, BlockType::TypeParameters, block_key(&params[0], BlockKey::TypeParams), range);
        if in_class {
            self.cur().can_see_class_scope = true;
            self.add_def(known::CLASSDICT, USE, range)?;
        }
        if is_class {
            // The tuple of the parameters is set once and used for the bases.
            self.add_def(known::DOT_TYPE_PARAMS, DEF_LOCAL, range)?;
            self.add_def(known::DOT_TYPE_PARAMS, USE, range)?;
            self.add_def(known::DOT_GENERIC_BASE, DEF_LOCAL, range)?;
            self.add_def(known::DOT_GENERIC_BASE, USE, range)?;
        }
        Ok(())
    }

    fn visit_stmts(&mut self, stmts: &'a [Stmt<'a>]) -> Result<()> {
        for s in stmts {
            self.visit_stmt(s)?;
        }
        Ok(())
    }

    fn visit_exprs(&mut self, exprs: &'a [&'a Expr<'a>]) -> Result<()> {
        for e in exprs {
            self.visit_expr(e)?;
        }
        Ok(())
    }

    fn visit_opt(&mut self, expr: Option<&'a Expr<'a>>) -> Result<()> {
        match expr {
            Some(e) => self.visit_expr(e),
            None => Ok(()),
        }
    }

    fn visit_defaults(&mut self, args: &Arguments<'a>) -> Result<()> {
        self.visit_exprs(args.defaults)?;
        for default in args.kw_defaults {
            self.visit_opt(*default)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn visit_function(&mut self, s: &'a Stmt<'a>, is_async: bool) -> Result<()> {
        let (StmtKind::FunctionDef { name, args, body, decorator_list, returns, type_params, .. }
        | StmtKind::AsyncFunctionDef { name, args, body, decorator_list, returns, type_params, .. }) = s.kind
        else {
            return Ok(());
        };
        let name = self.intern(name);
        self.add_def(name, DEF_LOCAL, s.range)?;
        self.visit_defaults(args)?;
        self.visit_exprs(decorator_list)?;
        if !type_params.is_empty() {
            self.enter_type_param_block(name, type_params, s.range, false)?;
            self.add_def(known::DOT_DEFAULTS, DEF_PARAM, s.range)?;
            if args.kw_defaults.iter().any(Option::is_some) {
                self.add_def(known::DOT_KWDEFAULTS, DEF_PARAM, s.range)?;
            }
            for param in type_params {
                self.visit_type_param(param)?;
            }
        }
        self.visit_annotations(s, args, returns)?;
        self.enter_block(name, BlockType::Function, block_key(s, BlockKey::Node), s.range);
        self.cur().coroutine = is_async;
        self.visit_arguments(args)?;
        self.visit_stmts(body)?;
        self.exit_block();
        if !type_params.is_empty() {
            self.exit_block();
        }
        Ok(())
    }

    #[inline(never)]
    fn visit_class(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        let StmtKind::ClassDef { name, bases, keywords, body, decorator_list, type_params } = s.kind else {
            return Ok(());
        };
        let name = self.intern(name);
        self.add_def(name, DEF_LOCAL, s.range)?;
        self.visit_exprs(decorator_list)?;
        let outer_private = self.private;
        if !type_params.is_empty() {
            self.enter_type_param_block(name, type_params, s.range, true)?;
            self.private = Some(name);
            let set = self.st.mangled.len() as u32;
            self.st.mangled.push(IdSet::new());
            self.cur().mangled_names = Some(set);
            for param in type_params {
                self.visit_type_param(param)?;
            }
        }
        self.visit_exprs(bases)?;
        for keyword in keywords {
            self.visit_expr(keyword.value)?;
        }
        self.enter_block(name, BlockType::Class, block_key(s, BlockKey::Node), s.range);
        self.private = Some(name);
        if !type_params.is_empty() {
            self.add_def(known::TYPE_PARAMS_ATTR, DEF_LOCAL, s.range)?;
            self.add_def(known::DOT_TYPE_PARAMS, USE, s.range)?;
        }
        self.visit_stmts(body)?;
        self.exit_block();
        if !type_params.is_empty() {
            self.exit_block();
        }
        self.private = outer_private;
        Ok(())
    }

    #[inline(never)]
    fn visit_type_alias(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        let StmtKind::TypeAlias { name, type_params, value } = s.kind else { return Ok(()) };
        self.visit_expr(name)?;
        let ExprKind::Name { id, .. } = name.kind else {
            return Err(CompileError::new(ErrorKind::TypeError, "TypeAlias with non-Name name"));
        };
        let id = self.intern(id);
        let in_class = self.cur().ty == BlockType::Class;
        if !type_params.is_empty() {
            self.enter_type_param_block(id, type_params, s.range, false)?;
            for param in type_params {
                self.visit_type_param(param)?;
            }
        }
        self.enter_block(id, BlockType::TypeAlias, block_key(s, BlockKey::Node), s.range);
        self.cur().can_see_class_scope = in_class;
        if in_class {
            self.add_def(known::CLASSDICT, USE, value.range)?;
        }
        self.visit_expr(value)?;
        self.exit_block();
        if !type_params.is_empty() {
            self.exit_block();
        }
        Ok(())
    }

    #[inline(never)]
    fn visit_ann_assign(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        let StmtKind::AnnAssign { target, annotation, value, simple } = s.kind else { return Ok(()) };
        if let ExprKind::Name { id, .. } = target.kind {
            let name = self.intern(id);
            let flags = self.lookup(name);
            if flags & (DEF_GLOBAL | DEF_NONLOCAL) != 0 && self.cur != BlockId(0) && simple != 0 {
                let what = if flags & DEF_GLOBAL != 0 { "global" } else { "nonlocal" };
                return Err(CompileError::at(s.range, format!("annotated name '{id}' can't be {what}")));
            }
            if simple != 0 {
                self.add_def(name, DEF_ANNOT | DEF_LOCAL, target.range)?;
            }
            if value.is_some() {
                self.add_def(name, DEF_LOCAL, target.range)?;
            }
        } else {
            self.visit_expr(target)?;
        }
        self.visit_annotation(annotation)?;
        self.visit_opt(value)
    }

    #[inline(never)]
    fn visit_global_or_nonlocal(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        let (names, flag, what) = match s.kind {
            StmtKind::Global { names } => (names, DEF_GLOBAL, "global"),
            StmtKind::Nonlocal { names } => (names, DEF_NONLOCAL, "nonlocal"),
            _ => return Ok(()),
        };
        for text in names {
            let name = self.intern(text);
            let flags = self.lookup(name);
            if flags & (DEF_PARAM | DEF_LOCAL | USE | DEF_ANNOT) != 0 {
                let message = if flags & DEF_PARAM != 0 {
                    format!("name '{text}' is parameter and {what}")
                } else if flags & USE != 0 {
                    format!("name '{text}' is used prior to {what} declaration")
                } else if flags & DEF_ANNOT != 0 {
                    format!("annotated name '{text}' can't be {what}")
                } else {
                    format!("name '{text}' is assigned to before {what} declaration")
                };
                return Err(CompileError::at(s.range, message));
            }
            self.add_def(name, flag, s.range)?;
            self.record_directive(name, s.range);
        }
        Ok(())
    }

    fn visit_stmt(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        self.recursion.enter()?;
        match s.kind {
            StmtKind::FunctionDef { .. } => self.visit_function(s, false)?,
            StmtKind::AsyncFunctionDef { .. } => self.visit_function(s, true)?,
            StmtKind::ClassDef { .. } => self.visit_class(s)?,
            StmtKind::TypeAlias { .. } => self.visit_type_alias(s)?,
            StmtKind::Return { value } => {
                if let Some(value) = value {
                    self.visit_expr(value)?;
                    self.cur().returns_value = true;
                }
            }
            StmtKind::Delete { targets } => self.visit_exprs(targets)?,
            StmtKind::Assign { targets, value, .. } => {
                self.visit_exprs(targets)?;
                self.visit_expr(value)?;
            }
            StmtKind::AnnAssign { .. } => self.visit_ann_assign(s)?,
            StmtKind::AugAssign { target, value, .. } => {
                self.visit_expr(target)?;
                self.visit_expr(value)?;
            }
            StmtKind::For { target, iter, body, orelse, .. } | StmtKind::AsyncFor { target, iter, body, orelse, .. } => {
                self.visit_expr(target)?;
                self.visit_expr(iter)?;
                self.visit_stmts(body)?;
                self.visit_stmts(orelse)?;
            }
            StmtKind::While { test, body, orelse } | StmtKind::If { test, body, orelse } => {
                self.visit_expr(test)?;
                self.visit_stmts(body)?;
                self.visit_stmts(orelse)?;
            }
            StmtKind::Match { subject, cases } => {
                self.visit_expr(subject)?;
                for case in cases {
                    self.visit_pattern(case.pattern)?;
                    self.visit_opt(case.guard)?;
                    self.visit_stmts(case.body)?;
                }
            }
            StmtKind::Raise { exc, cause } => {
                if exc.is_some() {
                    self.visit_opt(exc)?;
                    self.visit_opt(cause)?;
                }
            }
            StmtKind::Try { body, handlers, orelse, finalbody }
            | StmtKind::TryStar { body, handlers, orelse, finalbody } => {
                self.visit_stmts(body)?;
                for handler in handlers {
                    self.visit_opt(handler.type_)?;
                    if let Some(name) = handler.name {
                        self.add_def_str(name, DEF_LOCAL, handler.range)?;
                    }
                    self.visit_stmts(handler.body)?;
                }
                self.visit_stmts(orelse)?;
                self.visit_stmts(finalbody)?;
            }
            StmtKind::Assert { test, msg } => {
                self.visit_expr(test)?;
                self.visit_opt(msg)?;
            }
            StmtKind::Import { names } | StmtKind::ImportFrom { names, .. } => {
                for alias in names {
                    self.visit_alias(alias)?;
                }
            }
            StmtKind::Global { .. } | StmtKind::Nonlocal { .. } => self.visit_global_or_nonlocal(s)?,
            StmtKind::Expr { value } => self.visit_expr(value)?,
            StmtKind::Pass | StmtKind::Break | StmtKind::Continue => {}
            StmtKind::With { items, body, .. } | StmtKind::AsyncWith { items, body, .. } => {
                for item in items {
                    self.visit_expr(item.context_expr)?;
                    self.visit_opt(item.optional_vars)?;
                }
                self.visit_stmts(body)?;
            }
        }
        self.recursion.leave();
        Ok(())
    }

    /// Makes the target of `:=` in a comprehension a name of the block around it.
    #[inline(never)]
    fn extend_namedexpr_scope(&mut self, target: &'a Expr<'a>) -> Result<()> {
        let ExprKind::Name { id, .. } = target.kind else { return Ok(()) };
        let name = self.intern(id);
        let range = target.range;
        for i in (0..self.stack.len()).rev() {
            let block = self.stack[i];
            let entry = self.st.entry(block);
            if entry.comprehension != ComprehensionType::No {
                let flags = self.lookup_in(block, name);
                if flags & DEF_COMP_ITER != 0 && flags & DEF_LOCAL != 0 {
                    return Err(CompileError::at(
                        range,
                        format!("assignment expression cannot rebind comprehension iteration variable '{id}'"),
                    ));
                }
                continue;
            }
            match entry.ty {
                BlockType::Function => {
                    let outer = self.lookup_in(block, name);
                    let flag = if outer & DEF_GLOBAL != 0 { DEF_GLOBAL } else { DEF_NONLOCAL };
                    self.add_def(name, flag, range)?;
                    self.record_directive(name, range);
                    return self.add_def_to(block, name, DEF_LOCAL, range);
                }
                BlockType::Module => {
                    self.add_def(name, DEF_GLOBAL, range)?;
                    self.record_directive(name, range);
                    return self.add_def_to(block, name, DEF_GLOBAL, range);
                }
                BlockType::Annotation => continue,
                BlockType::Class | BlockType::TypeParameters | BlockType::TypeAlias | BlockType::TypeVariable => {
                    let place = match entry.ty {
                        BlockType::Class => "in a class body",
                        BlockType::TypeParameters => "within the definition of a generic",
                        BlockType::TypeAlias => "in a type alias",
                        _ => "in a TypeVar bound",
                    };
                    return Err(CompileError::at(
                        range,
                        format!("assignment expression within a comprehension cannot be used {place}"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Some expressions can't be in annotations and type parameters.
    fn raise_if_annotation_block(&mut self, what: &str, e: &Expr<'_>) -> Result<()> {
        let entry = self.st.entry(self.cur);
        let place = match entry.ty {
            BlockType::Annotation => "an annotation",
            BlockType::TypeVariable => entry.scope_info,
            BlockType::TypeAlias => "a type alias",
            BlockType::TypeParameters => "the definition of a generic",
            _ => return Ok(()),
        };
        Err(CompileError::at(e.range, format!("{what} cannot be used within {place}")))
    }

    #[inline(never)]
    fn visit_yield(&mut self, e: &'a Expr<'a>, value: Option<&'a Expr<'a>>) -> Result<()> {
        self.raise_if_annotation_block("yield expression", e)?;
        self.visit_opt(value)?;
        self.cur().generator = true;
        let what = match self.cur().comprehension {
            ComprehensionType::No => return Ok(()),
            ComprehensionType::List => "list comprehension",
            ComprehensionType::Set => "set comprehension",
            ComprehensionType::Dict => "dict comprehension",
            ComprehensionType::Generator => "generator expression",
        };
        Err(CompileError::at(e.range, format!("'yield' inside {what}")))
    }

    #[inline(never)]
    fn visit_namedexpr(&mut self, e: &'a Expr<'a>, target: &'a Expr<'a>, value: &'a Expr<'a>) -> Result<()> {
        self.raise_if_annotation_block("named expression", e)?;
        if self.cur().comp_iter_expr > 0 {
            return Err(CompileError::at(
                e.range,
                "assignment expression cannot be used in a comprehension iterable expression",
            ));
        }
        if self.cur().comprehension != ComprehensionType::No {
            self.extend_namedexpr_scope(target)?;
        }
        self.visit_expr(value)?;
        self.visit_expr(target)
    }

    #[inline(never)]
    fn visit_lambda(&mut self, e: &'a Expr<'a>, args: &'a Arguments<'a>, body: &'a Expr<'a>) -> Result<()> {
        self.visit_defaults(args)?;
        self.enter_block(known::LAMBDA, BlockType::Function, block_key(e, BlockKey::Node), e.range);
        self.visit_arguments(args)?;
        self.visit_expr(body)?;
        self.exit_block();
        Ok(())
    }

    #[inline(never)]
    fn visit_name(&mut self, id: &'a str, ctx: ExprContext, range: Range) -> Result<()> {
        let name = self.intern(id);
        let load = ctx == ExprContext::Load;
        self.add_def(name, if load { USE } else { DEF_LOCAL }, range)?;
        // super() finds its class through the cell.
        if name == known::SUPER && load && self.cur().is_function_like() {
            self.add_def(known::CLASS, USE, range)?;
        }
        Ok(())
    }

    fn visit_expr(&mut self, e: &'a Expr<'a>) -> Result<()> {
        self.recursion.enter()?;
        match e.kind {
            ExprKind::NamedExpr { target, value } => self.visit_namedexpr(e, target, value)?,
            ExprKind::BoolOp { values, .. } => self.visit_exprs(values)?,
            ExprKind::BinOp { left, right, .. } => {
                self.visit_expr(left)?;
                self.visit_expr(right)?;
            }
            ExprKind::UnaryOp { operand, .. } => self.visit_expr(operand)?,
            ExprKind::Lambda { args, body } => self.visit_lambda(e, args, body)?,
            ExprKind::IfExp { test, body, orelse } => {
                self.visit_expr(test)?;
                self.visit_expr(body)?;
                self.visit_expr(orelse)?;
            }
            ExprKind::Dict { keys, values } => {
                for key in keys {
                    self.visit_opt(*key)?;
                }
                self.visit_exprs(values)?;
            }
            ExprKind::Set { elts } | ExprKind::List { elts, .. } | ExprKind::Tuple { elts, .. } => {
                self.visit_exprs(elts)?
            }
            ExprKind::GeneratorExp { elt, generators } => {
                self.visit_comprehension(e, ComprehensionType::Generator, generators, elt, None)?
            }
            ExprKind::ListComp { elt, generators } => {
                self.visit_comprehension(e, ComprehensionType::List, generators, elt, None)?
            }
            ExprKind::SetComp { elt, generators } => {
                self.visit_comprehension(e, ComprehensionType::Set, generators, elt, None)?
            }
            ExprKind::DictComp { key, value, generators } => {
                self.visit_comprehension(e, ComprehensionType::Dict, generators, key, Some(value))?
            }
            ExprKind::Yield { value } => self.visit_yield(e, value)?,
            ExprKind::YieldFrom { value } => self.visit_yield(e, Some(value))?,
            ExprKind::Await { value } => {
                self.raise_if_annotation_block("await expression", e)?;
                self.visit_expr(value)?;
                self.cur().coroutine = true;
            }
            ExprKind::Compare { left, comparators, .. } => {
                self.visit_expr(left)?;
                self.visit_exprs(comparators)?;
            }
            ExprKind::Call { func, args, keywords } => {
                self.visit_expr(func)?;
                self.visit_exprs(args)?;
                for keyword in keywords {
                    self.visit_expr(keyword.value)?;
                }
            }
            ExprKind::FormattedValue { value, format_spec, .. } => {
                self.visit_expr(value)?;
                self.visit_opt(format_spec)?;
            }
            ExprKind::JoinedStr { values } => self.visit_exprs(values)?,
            ExprKind::Constant { .. } => {}
            ExprKind::Attribute { value, .. } | ExprKind::Starred { value, .. } => self.visit_expr(value)?,
            ExprKind::Subscript { value, slice, .. } => {
                self.visit_expr(value)?;
                self.visit_expr(slice)?;
            }
            ExprKind::Slice { lower, upper, step } => {
                self.visit_opt(lower)?;
                self.visit_opt(upper)?;
                self.visit_opt(step)?;
            }
            ExprKind::Name { id, ctx } => self.visit_name(id, ctx, e.range)?,
        }
        self.recursion.leave();
        Ok(())
    }

    fn visit_type_param(&mut self, param: &'a TypeParam<'a>) -> Result<()> {
        self.recursion.enter()?;
        let (name, parts): (_, [Option<_>; 2]) = match param.kind {
            TypeParamKind::TypeVar { name, bound, default_value } => {
                let info = match bound {
                    Some(Expr { kind: ExprKind::Tuple { .. }, .. }) => "a TypeVar constraint",
                    _ => "a TypeVar bound",
                };
                (
                    name,
                    [
                        Some((bound, BlockKey::Bound, info)),
                        Some((default_value, BlockKey::Default, "a TypeVar default")),
                    ],
                )
            }
            TypeParamKind::TypeVarTuple { name, default_value } => {
                (name, [Some((default_value, BlockKey::Bound, "a TypeVarTuple default")), None])
            }
            TypeParamKind::ParamSpec { name, default_value } => {
                (name, [Some((default_value, BlockKey::Bound, "a ParamSpec default")), None])
            }
        };
        let name = self.intern(name);
        self.add_def(name, DEF_TYPE_PARAM | DEF_LOCAL, param.range)?;
        for (expr, key, info) in parts.into_iter().flatten() {
            if name == known::CLASSDICT {
                return Err(CompileError::at(
                    param.range,
                    "reserved name '__classdict__' cannot be used for type parameter",
                ));
            }
            let Some(expr) = expr else { continue };
            let in_class = self.cur().can_see_class_scope;
            self.enter_block(name, BlockType::TypeVariable, block_key(param, key), expr.range);
            self.cur().can_see_class_scope = in_class;
            if in_class {
                self.add_def(known::CLASSDICT, USE, expr.range)?;
            }
            self.cur().scope_info = info;
            self.visit_expr(expr)?;
            self.exit_block();
        }
        self.recursion.leave();
        Ok(())
    }

    fn visit_patterns(&mut self, patterns: &'a [&'a Pattern<'a>]) -> Result<()> {
        for p in patterns {
            self.visit_pattern(p)?;
        }
        Ok(())
    }

    fn visit_pattern(&mut self, p: &'a Pattern<'a>) -> Result<()> {
        self.recursion.enter()?;
        match p.kind {
            PatternKind::MatchValue { value } => self.visit_expr(value)?,
            PatternKind::MatchSingleton { .. } => {}
            PatternKind::MatchSequence { patterns } | PatternKind::MatchOr { patterns } => {
                self.visit_patterns(patterns)?
            }
            PatternKind::MatchStar { name } => {
                if let Some(name) = name {
                    self.add_def_str(name, DEF_LOCAL, p.range)?;
                }
            }
            PatternKind::MatchMapping { keys, patterns, rest } => {
                self.visit_exprs(keys)?;
                self.visit_patterns(patterns)?;
                if let Some(rest) = rest {
                    self.add_def_str(rest, DEF_LOCAL, p.range)?;
                }
            }
            PatternKind::MatchClass { cls, patterns, kwd_patterns, .. } => {
                self.visit_expr(cls)?;
                self.visit_patterns(patterns)?;
                self.visit_patterns(kwd_patterns)?;
            }
            PatternKind::MatchAs { pattern, name } => {
                if let Some(pattern) = pattern {
                    self.visit_pattern(pattern)?;
                }
                if let Some(name) = name {
                    self.add_def_str(name, DEF_LOCAL, p.range)?;
                }
            }
        }
        self.recursion.leave();
        Ok(())
    }

    fn visit_params(&mut self, args: &'a [Arg<'a>]) -> Result<()> {
        for arg in args {
            self.add_def_str(arg.arg, DEF_PARAM, arg.range)?;
        }
        Ok(())
    }

    fn visit_arguments(&mut self, args: &'a Arguments<'a>) -> Result<()> {
        self.visit_params(args.posonlyargs)?;
        self.visit_params(args.args)?;
        self.visit_params(args.kwonlyargs)?;
        if let Some(vararg) = args.vararg {
            self.add_def_str(vararg.arg, DEF_PARAM, vararg.range)?;
            self.cur().varargs = true;
        }
        if let Some(kwarg) = args.kwarg {
            self.add_def_str(kwarg.arg, DEF_PARAM, kwarg.range)?;
            self.cur().varkeywords = true;
        }
        Ok(())
    }

    fn visit_annotation(&mut self, annotation: &'a Expr<'a>) -> Result<()> {
        let postponed = self.features & CO_FUTURE_ANNOTATIONS != 0;
        if postponed {
            let key = block_key(annotation, BlockKey::Node);
            self.enter_block(known::ANNOTATION, BlockType::Annotation, key, annotation.range);
        }
        self.visit_expr(annotation)?;
        if postponed {
            self.exit_block();
        }
        Ok(())
    }

    fn visit_annotations(
        &mut self,
        s: &'a Stmt<'a>,
        args: &'a Arguments<'a>,
        returns: Option<&'a Expr<'a>>,
    ) -> Result<()> {
        let postponed = self.features & CO_FUTURE_ANNOTATIONS != 0;
        if postponed {
            self.enter_block(known::ANNOTATION, BlockType::Annotation, block_key(s, BlockKey::Node), s.range);
        }
        let variadic = args.vararg.into_iter().chain(args.kwarg);
        for arg in args.posonlyargs.iter().chain(args.args).chain(variadic).chain(args.kwonlyargs) {
            self.visit_opt(arg.annotation)?;
        }
        if postponed {
            self.exit_block();
        }
        match returns {
            Some(returns) => self.visit_annotation(returns),
            None => Ok(()),
        }
    }

    fn visit_alias(&mut self, alias: &Alias<'a>) -> Result<()> {
        let text = alias.asname.unwrap_or(alias.name);
        if text == "*" {
            if self.cur().ty != BlockType::Module {
                return Err(CompileError::at(alias.range, "import * only allowed at module level"));
            }
            return Ok(());
        }
        // "import a.b" binds a.
        let bound = text.split_once('.').map_or(text, |(first, _)| first);
        self.add_def_str(bound, DEF_IMPORT, alias.range)
    }

    #[inline(never)]
    fn visit_comprehension(
        &mut self,
        e: &'a Expr<'a>,
        ty: ComprehensionType,
        generators: &'a [Comprehension<'a>],
        elt: &'a Expr<'a>,
        value: Option<&'a Expr<'a>>,
    ) -> Result<()> {
        let is_generator = ty == ComprehensionType::Generator;
        let outermost = &generators[0];
        // The outermost iterable is evaluated outside.
        self.cur().comp_iter_expr += 1;
        self.visit_expr(outermost.iter)?;
        self.cur().comp_iter_expr -= 1;
        let name = match ty {
            ComprehensionType::List => known::LISTCOMP,
            ComprehensionType::Set => known::SETCOMP,
            ComprehensionType::Dict => known::DICTCOMP,
            _ => known::GENEXPR,
        };
        self.enter_block(name, BlockType::Function, block_key(e, BlockKey::Node), e.range);
        self.cur().comprehension = ty;
        if outermost.is_async != 0 {
            self.cur().coroutine = true;
        }
        self.add_def(known::DOT_ZERO, DEF_PARAM, e.range)?;
        self.cur().comp_iter_target = true;
        self.visit_expr(outermost.target)?;
        self.cur().comp_iter_target = false;
        self.visit_exprs(outermost.ifs)?;
        for generator in &generators[1..] {
            self.cur().comp_iter_target = true;
            self.visit_expr(generator.target)?;
            self.cur().comp_iter_target = false;
            self.cur().comp_iter_expr += 1;
            self.visit_expr(generator.iter)?;
            self.cur().comp_iter_expr -= 1;
            self.visit_exprs(generator.ifs)?;
            if generator.is_async != 0 {
                self.cur().coroutine = true;
            }
        }
        self.visit_opt(value)?;
        self.visit_expr(elt)?;
        self.cur().generator = is_generator;
        let is_async = self.cur().coroutine && !is_generator;
        self.exit_block();
        if is_async {
            self.cur().coroutine = true;
        }
        Ok(())
    }
}

mod analyze;
