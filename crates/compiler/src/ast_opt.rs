//! The optimiser of trees: constant folding and what goes with it.
//!
//! Trees aren't changed; a node with something to fold is built anew in the
//! arena, with the nodes above it. What has nothing to fold is shared.

use bumpalo::Bump;
use taipan_parser::ast::*;

use crate::codegen::docstring;
use crate::error::{NO_LOCATION, Recursion, Result, Warning, WarningCategory};
use crate::flags::CO_FUTURE_ANNOTATIONS;
use crate::{Options, fold};

/// Folds the constants of a tree.
///
/// `features` are the future statements in effect; of the options, the level of
/// optimisation (for `__debug__`), the native stack and who issues warnings count.
pub fn optimize<'a>(
    module: &Mod<'a>,
    arena: &'a Bump,
    options: &Options,
    features: u32,
    warnings: &mut Vec<Warning>,
) -> Result<Mod<'a>> {
    let mut folder = Folder {
        arena,
        optimize: options.optimize,
        postponed: features & CO_FUTURE_ANNOTATIONS != 0,
        recursion: Recursion::new(options.stack_budget),
        deprecated: options.deprecated,
        warnings,
    };
    Ok(match *module {
        Mod::Module { body, type_ignores } => Mod::Module { body: folder.body(body)?, type_ignores },
        Mod::Interactive { body } => Mod::Interactive { body: folder.stmts(body)? },
        Mod::Expression { body } => Mod::Expression { body: folder.expr(body)? },
        other => other,
    })
}

struct Folder<'w, 'a> {
    arena: &'a Bump,
    optimize: u8,
    postponed: bool,
    recursion: Recursion,
    deprecated: Option<fn(&str) -> bool>,
    warnings: &'w mut Vec<Warning>,
}

/// -1 in all fields: no location.
const NO_RANGE: Range = Range {
    lineno: NO_LOCATION.lineno as u32,
    col_offset: NO_LOCATION.col_offset as u32,
    end_lineno: NO_LOCATION.end_lineno as u32,
    end_col_offset: NO_LOCATION.end_col_offset as u32,
};

/// The same node?
fn same<T>(a: &T, b: &T) -> bool {
    std::ptr::eq(a, b)
}

fn same_opt<T>(a: Option<&T>, b: Option<&T>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        _ => false,
    }
}

fn has_starred(elts: &[&Expr<'_>]) -> bool {
    elts.iter().any(|e| matches!(e.kind, ExprKind::Starred { .. }))
}

impl<'a> Folder<'_, 'a> {
    fn new_expr(&self, kind: ExprKind<'a>, range: Range) -> &'a Expr<'a> {
        self.arena.alloc(Expr { kind, range })
    }

    fn constant(&self, value: Constant<'a>, range: Range) -> &'a Expr<'a> {
        self.new_expr(ExprKind::Constant { value, kind: None }, range)
    }

    /// Maps a slice; the old one if nothing changes.
    fn slice<T: Copy>(
        &mut self,
        items: &'a [T],
        mut fold: impl FnMut(&mut Self, &'a T) -> Result<Option<T>>,
    ) -> Result<&'a [T]> {
        for (i, item) in items.iter().enumerate() {
            if let Some(first) = fold(self, item)? {
                let copy = self.arena.alloc_slice_copy(items);
                copy[i] = first;
                for (j, item) in items.iter().enumerate().skip(i + 1) {
                    if let Some(new) = fold(self, item)? {
                        copy[j] = new;
                    }
                }
                return Ok(copy);
            }
        }
        Ok(items)
    }

    fn exprs(&mut self, exprs: &'a [&'a Expr<'a>]) -> Result<&'a [&'a Expr<'a>]> {
        self.slice(exprs, |f, e| {
            let new = f.expr(e)?;
            Ok((!same(new, *e)).then_some(new))
        })
    }

    fn opt(&mut self, e: Option<&'a Expr<'a>>) -> Result<Option<&'a Expr<'a>>> {
        e.map(|e| self.expr(e)).transpose()
    }

    fn opt_exprs(&mut self, exprs: &'a [Option<&'a Expr<'a>>]) -> Result<&'a [Option<&'a Expr<'a>>]> {
        self.slice(exprs, |f, e| {
            let new = f.opt(*e)?;
            Ok((!same_opt(new, *e)).then_some(new))
        })
    }

    fn stmts(&mut self, stmts: &'a [Stmt<'a>]) -> Result<&'a [Stmt<'a>]> {
        self.slice(stmts, |f, s| f.stmt(s))
    }

    /// The statements of a module, function or class.
    fn body(&mut self, stmts: &'a [Stmt<'a>]) -> Result<&'a [Stmt<'a>]> {
        let had_docstring = docstring(stmts).is_some();
        let folded = self.stmts(stmts)?;
        if had_docstring || docstring(folded).is_none() {
            return Ok(folded);
        }
        // A string that folding has made is no docstring.
        let copy = self.arena.alloc_slice_copy(folded);
        let first = &mut copy[0];
        if let StmtKind::Expr { value } = first.kind {
            let values = self.arena.alloc_slice_copy(&[value]);
            first.kind = StmtKind::Expr { value: self.new_expr(ExprKind::JoinedStr { values }, first.range) };
        }
        Ok(copy)
    }

    fn keywords(&mut self, keywords: &'a [Keyword<'a>]) -> Result<&'a [Keyword<'a>]> {
        self.slice(keywords, |f, keyword| {
            let value = f.expr(keyword.value)?;
            Ok((!same(value, keyword.value)).then_some(Keyword { value, ..*keyword }))
        })
    }

    fn comprehensions(&mut self, generators: &'a [Comprehension<'a>]) -> Result<&'a [Comprehension<'a>]> {
        self.slice(generators, |f, generator| {
            let target = f.expr(generator.target)?;
            let iter = f.expr(generator.iter)?;
            let ifs = f.exprs(generator.ifs)?;
            let iter = f.iterable(iter);
            let unchanged =
                same(target, generator.target) && same(iter, generator.iter) && std::ptr::eq(ifs, generator.ifs);
            Ok((!unchanged).then_some(Comprehension { target, iter, ifs, is_async: generator.is_async }))
        })
    }

    fn arg(&mut self, arg: &'a Arg<'a>) -> Result<Option<Arg<'a>>> {
        if self.postponed {
            return Ok(None);
        }
        let annotation = self.opt(arg.annotation)?;
        Ok((!same_opt(annotation, arg.annotation)).then_some(Arg { annotation, ..*arg }))
    }

    fn opt_arg(&mut self, arg: Option<&'a Arg<'a>>) -> Result<Option<&'a Arg<'a>>> {
        let Some(arg) = arg else { return Ok(None) };
        Ok(Some(match self.arg(arg)? {
            Some(new) => self.arena.alloc(new),
            None => arg,
        }))
    }

    fn arguments(&mut self, args: &'a Arguments<'a>) -> Result<&'a Arguments<'a>> {
        let new = Arguments {
            posonlyargs: self.slice(args.posonlyargs, |f, arg| f.arg(arg))?,
            args: self.slice(args.args, |f, arg| f.arg(arg))?,
            vararg: self.opt_arg(args.vararg)?,
            kwonlyargs: self.slice(args.kwonlyargs, |f, arg| f.arg(arg))?,
            kw_defaults: self.opt_exprs(args.kw_defaults)?,
            kwarg: self.opt_arg(args.kwarg)?,
            defaults: self.exprs(args.defaults)?,
        };
        let unchanged = std::ptr::eq(new.posonlyargs, args.posonlyargs)
            && std::ptr::eq(new.args, args.args)
            && same_opt(new.vararg, args.vararg)
            && std::ptr::eq(new.kwonlyargs, args.kwonlyargs)
            && std::ptr::eq(new.kw_defaults, args.kw_defaults)
            && same_opt(new.kwarg, args.kwarg)
            && std::ptr::eq(new.defaults, args.defaults);
        Ok(if unchanged { args } else { self.arena.alloc(new) })
    }

    fn type_params(&mut self, params: &'a [TypeParam<'a>]) -> Result<&'a [TypeParam<'a>]> {
        self.slice(params, |f, param| {
            let kind = match param.kind {
                TypeParamKind::TypeVar { name, bound, default_value } => {
                    let new_bound = f.opt(bound)?;
                    let new_default = f.opt(default_value)?;
                    if same_opt(bound, new_bound) && same_opt(default_value, new_default) {
                        return Ok(None);
                    }
                    TypeParamKind::TypeVar { name, bound: new_bound, default_value: new_default }
                }
                TypeParamKind::ParamSpec { name, default_value } => {
                    let new = f.opt(default_value)?;
                    if same_opt(default_value, new) {
                        return Ok(None);
                    }
                    TypeParamKind::ParamSpec { name, default_value: new }
                }
                TypeParamKind::TypeVarTuple { name, default_value } => {
                    let new = f.opt(default_value)?;
                    if same_opt(default_value, new) {
                        return Ok(None);
                    }
                    TypeParamKind::TypeVarTuple { name, default_value: new }
                }
            };
            Ok(Some(TypeParam { kind, range: param.range }))
        })
    }

    fn with_items(&mut self, items: &'a [WithItem<'a>]) -> Result<&'a [WithItem<'a>]> {
        self.slice(items, |f, item| {
            let context_expr = f.expr(item.context_expr)?;
            let optional_vars = f.opt(item.optional_vars)?;
            let unchanged =
                same(context_expr, item.context_expr) && same_opt(optional_vars, item.optional_vars);
            Ok((!unchanged).then_some(WithItem { context_expr, optional_vars }))
        })
    }

    fn handlers(&mut self, handlers: &'a [ExceptHandler<'a>]) -> Result<&'a [ExceptHandler<'a>]> {
        self.slice(handlers, |f, handler| {
            let type_ = f.opt(handler.type_)?;
            let body = f.stmts(handler.body)?;
            let unchanged = same_opt(type_, handler.type_) && std::ptr::eq(body, handler.body);
            Ok((!unchanged).then_some(ExceptHandler { type_, body, ..*handler }))
        })
    }

    fn match_cases(&mut self, cases: &'a [MatchCase<'a>]) -> Result<&'a [MatchCase<'a>]> {
        self.slice(cases, |f, case| {
            let pattern = f.pattern(case.pattern)?;
            let guard = f.opt(case.guard)?;
            let body = f.stmts(case.body)?;
            let unchanged =
                same(pattern, case.pattern) && same_opt(guard, case.guard) && std::ptr::eq(body, case.body);
            Ok((!unchanged).then_some(MatchCase { pattern, guard, body }))
        })
    }

    fn patterns(&mut self, patterns: &'a [&'a Pattern<'a>]) -> Result<&'a [&'a Pattern<'a>]> {
        self.slice(patterns, |f, p| {
            let new = f.pattern(p)?;
            Ok((!same(new, *p)).then_some(new))
        })
    }

    fn pattern(&mut self, p: &'a Pattern<'a>) -> Result<&'a Pattern<'a>> {
        self.recursion.enter()?;
        let changed = match p.kind {
            PatternKind::MatchValue { value } => {
                let new = self.expr(value)?;
                (!same(new, value)).then_some(PatternKind::MatchValue { value: new })
            }
            PatternKind::MatchSequence { patterns } => {
                let new = self.patterns(patterns)?;
                (!std::ptr::eq(new, patterns)).then_some(PatternKind::MatchSequence { patterns: new })
            }
            PatternKind::MatchOr { patterns } => {
                let new = self.patterns(patterns)?;
                (!std::ptr::eq(new, patterns)).then_some(PatternKind::MatchOr { patterns: new })
            }
            PatternKind::MatchMapping { keys, patterns, rest } => {
                let new_keys = self.exprs(keys)?;
                let new = self.patterns(patterns)?;
                (!std::ptr::eq(new, patterns) || !std::ptr::eq(new_keys, keys))
                    .then_some(PatternKind::MatchMapping { keys: new_keys, patterns: new, rest })
            }
            PatternKind::MatchClass { cls, patterns, kwd_attrs, kwd_patterns } => {
                let new_cls = self.expr(cls)?;
                let new = self.patterns(patterns)?;
                let new_kwd = self.patterns(kwd_patterns)?;
                let unchanged =
                    same(new_cls, cls) && std::ptr::eq(new, patterns) && std::ptr::eq(new_kwd, kwd_patterns);
                (!unchanged).then_some(PatternKind::MatchClass {
                    cls: new_cls,
                    patterns: new,
                    kwd_attrs,
                    kwd_patterns: new_kwd,
                })
            }
            PatternKind::MatchAs { pattern: Some(pattern), name } => {
                let new = self.pattern(pattern)?;
                (!same(new, pattern)).then_some(PatternKind::MatchAs { pattern: Some(new), name })
            }
            PatternKind::MatchAs { pattern: None, .. }
            | PatternKind::MatchSingleton { .. }
            | PatternKind::MatchStar { .. } => None,
        };
        self.recursion.leave();
        Ok(match changed {
            Some(kind) => self.arena.alloc(Pattern { kind, range: p.range }),
            None => p,
        })
    }

    /// The folded statement, if it differs.
    fn stmt(&mut self, s: &'a Stmt<'a>) -> Result<Option<Stmt<'a>>> {
        self.recursion.enter()?;
        let kind = self.stmt_kind(s)?;
        self.recursion.leave();
        Ok(kind.map(|kind| Stmt { kind, range: s.range }))
    }

    fn stmt_kind(&mut self, s: &'a Stmt<'a>) -> Result<Option<StmtKind<'a>>> {
        use StmtKind::*;
        // Each arm folds the parts in CPython's order and rebuilds the statement if one has changed.
        macro_rules! rebuild {
            ($unchanged:expr, $kind:expr) => {
                if $unchanged { None } else { Some($kind) }
            };
        }
        Ok(match s.kind {
            FunctionDef { name, args, body, decorator_list, returns, type_comment, type_params }
            | AsyncFunctionDef { name, args, body, decorator_list, returns, type_comment, type_params } => {
                let new_params = self.type_params(type_params)?;
                let new_args = self.arguments(args)?;
                let new_body = self.body(body)?;
                let new_decorators = self.exprs(decorator_list)?;
                let new_returns = if self.postponed { returns } else { self.opt(returns)? };
                let unchanged = std::ptr::eq(new_params, type_params)
                    && same(new_args, args)
                    && std::ptr::eq(new_body, body)
                    && std::ptr::eq(new_decorators, decorator_list)
                    && same_opt(new_returns, returns);
                let (args, body, decorator_list, returns, type_params) =
                    (new_args, new_body, new_decorators, new_returns, new_params);
                rebuild!(
                    unchanged,
                    if let FunctionDef { .. } = s.kind {
                        FunctionDef { name, args, body, decorator_list, returns, type_comment, type_params }
                    } else {
                        AsyncFunctionDef { name, args, body, decorator_list, returns, type_comment, type_params }
                    }
                )
            }
            ClassDef { name, bases, keywords, body, decorator_list, type_params } => {
                let new_params = self.type_params(type_params)?;
                let new_bases = self.exprs(bases)?;
                let new_keywords = self.keywords(keywords)?;
                let new_body = self.body(body)?;
                let new_decorators = self.exprs(decorator_list)?;
                rebuild!(
                    std::ptr::eq(new_params, type_params)
                        && std::ptr::eq(new_bases, bases)
                        && std::ptr::eq(new_keywords, keywords)
                        && std::ptr::eq(new_body, body)
                        && std::ptr::eq(new_decorators, decorator_list),
                    ClassDef {
                        name,
                        bases: new_bases,
                        keywords: new_keywords,
                        body: new_body,
                        decorator_list: new_decorators,
                        type_params: new_params,
                    }
                )
            }
            Return { value } => {
                let new = self.opt(value)?;
                rebuild!(same_opt(new, value), Return { value: new })
            }
            Delete { targets } => {
                let new = self.exprs(targets)?;
                rebuild!(std::ptr::eq(new, targets), Delete { targets: new })
            }
            Assign { targets, value, type_comment } => {
                let new_targets = self.exprs(targets)?;
                let new = self.expr(value)?;
                rebuild!(
                    std::ptr::eq(new_targets, targets) && same(new, value),
                    Assign { targets: new_targets, value: new, type_comment }
                )
            }
            AugAssign { target, op, value } => {
                let new_target = self.expr(target)?;
                let new = self.expr(value)?;
                rebuild!(
                    same(new_target, target) && same(new, value),
                    AugAssign { target: new_target, op, value: new }
                )
            }
            AnnAssign { target, annotation, value, simple } => {
                let new_target = self.expr(target)?;
                let new_annotation = if self.postponed { annotation } else { self.expr(annotation)? };
                let new = self.opt(value)?;
                rebuild!(
                    same(new_target, target) && same(new_annotation, annotation) && same_opt(new, value),
                    AnnAssign { target: new_target, annotation: new_annotation, value: new, simple }
                )
            }
            TypeAlias { name, type_params, value } => {
                let new_name = self.expr(name)?;
                let new_params = self.type_params(type_params)?;
                let new = self.expr(value)?;
                rebuild!(
                    same(new_name, name) && std::ptr::eq(new_params, type_params) && same(new, value),
                    TypeAlias { name: new_name, type_params: new_params, value: new }
                )
            }
            For { target, iter, body, orelse, type_comment } => {
                let new_target = self.expr(target)?;
                let new_iter = self.expr(iter)?;
                let new_body = self.stmts(body)?;
                let new_orelse = self.stmts(orelse)?;
                let new_iter = self.iterable(new_iter);
                rebuild!(
                    same(new_target, target)
                        && same(new_iter, iter)
                        && std::ptr::eq(new_body, body)
                        && std::ptr::eq(new_orelse, orelse),
                    For { target: new_target, iter: new_iter, body: new_body, orelse: new_orelse, type_comment }
                )
            }
            AsyncFor { target, iter, body, orelse, type_comment } => {
                let new_target = self.expr(target)?;
                let new_iter = self.expr(iter)?;
                let new_body = self.stmts(body)?;
                let new_orelse = self.stmts(orelse)?;
                rebuild!(
                    same(new_target, target)
                        && same(new_iter, iter)
                        && std::ptr::eq(new_body, body)
                        && std::ptr::eq(new_orelse, orelse),
                    AsyncFor { target: new_target, iter: new_iter, body: new_body, orelse: new_orelse, type_comment }
                )
            }
            While { test, body, orelse } => {
                let new_test = self.expr(test)?;
                let new_body = self.stmts(body)?;
                let new_orelse = self.stmts(orelse)?;
                rebuild!(
                    same(new_test, test) && std::ptr::eq(new_body, body) && std::ptr::eq(new_orelse, orelse),
                    While { test: new_test, body: new_body, orelse: new_orelse }
                )
            }
            If { test, body, orelse } => {
                let new_test = self.expr(test)?;
                let new_body = self.stmts(body)?;
                let new_orelse = self.stmts(orelse)?;
                rebuild!(
                    same(new_test, test) && std::ptr::eq(new_body, body) && std::ptr::eq(new_orelse, orelse),
                    If { test: new_test, body: new_body, orelse: new_orelse }
                )
            }
            With { items, body, type_comment } => {
                let new_items = self.with_items(items)?;
                let new_body = self.stmts(body)?;
                rebuild!(
                    std::ptr::eq(new_items, items) && std::ptr::eq(new_body, body),
                    With { items: new_items, body: new_body, type_comment }
                )
            }
            AsyncWith { items, body, type_comment } => {
                let new_items = self.with_items(items)?;
                let new_body = self.stmts(body)?;
                rebuild!(
                    std::ptr::eq(new_items, items) && std::ptr::eq(new_body, body),
                    AsyncWith { items: new_items, body: new_body, type_comment }
                )
            }
            Match { subject, cases } => {
                let new_subject = self.expr(subject)?;
                let new_cases = self.match_cases(cases)?;
                rebuild!(
                    same(new_subject, subject) && std::ptr::eq(new_cases, cases),
                    Match { subject: new_subject, cases: new_cases }
                )
            }
            Raise { exc, cause } => {
                let new_exc = self.opt(exc)?;
                let new_cause = self.opt(cause)?;
                rebuild!(
                    same_opt(new_exc, exc) && same_opt(new_cause, cause),
                    Raise { exc: new_exc, cause: new_cause }
                )
            }
            Try { body, handlers, orelse, finalbody } | TryStar { body, handlers, orelse, finalbody } => {
                let new_body = self.stmts(body)?;
                let new_handlers = self.handlers(handlers)?;
                let new_orelse = self.stmts(orelse)?;
                let new_finalbody = self.stmts(finalbody)?;
                let unchanged = std::ptr::eq(new_body, body)
                    && std::ptr::eq(new_handlers, handlers)
                    && std::ptr::eq(new_orelse, orelse)
                    && std::ptr::eq(new_finalbody, finalbody);
                let (body, handlers, orelse, finalbody) = (new_body, new_handlers, new_orelse, new_finalbody);
                rebuild!(
                    unchanged,
                    if let Try { .. } = s.kind {
                        Try { body, handlers, orelse, finalbody }
                    } else {
                        TryStar { body, handlers, orelse, finalbody }
                    }
                )
            }
            Assert { test, msg } => {
                let new_test = self.expr(test)?;
                let new_msg = self.opt(msg)?;
                rebuild!(
                    same(new_test, test) && same_opt(new_msg, msg),
                    Assert { test: new_test, msg: new_msg }
                )
            }
            Expr { value } => {
                let new = self.expr(value)?;
                rebuild!(same(new, value), Expr { value: new })
            }
            Import { .. } | ImportFrom { .. } | Global { .. } | Nonlocal { .. } | Pass | Break | Continue => None,
        })
    }

    fn expr(&mut self, e: &'a Expr<'a>) -> Result<&'a Expr<'a>> {
        use ExprKind::*;
        macro_rules! rebuild {
            ($unchanged:expr, $kind:expr) => {
                if $unchanged { e } else { self.new_expr($kind, e.range) }
            };
        }
        // Leaves need no guard.
        match e.kind {
            Constant { .. } => return Ok(e),
            Name { id, ctx } => {
                if ctx == ExprContext::Load && id == "__debug__" {
                    use taipan_parser::ast::Constant::{False, True};
                    return Ok(self.constant(if self.optimize == 0 { True } else { False }, e.range));
                }
                return Ok(e);
            }
            _ => {}
        }
        self.recursion.enter()?;
        let new = match e.kind {
            Constant { .. } | Name { .. } => e,
            Attribute { value, attr, ctx } => {
                let new = self.expr(value)?;
                rebuild!(same(new, value), Attribute { value: new, attr, ctx })
            }
            Call { func, args, keywords } => {
                let new_func = self.expr(func)?;
                let new_args = self.exprs(args)?;
                let new_keywords = self.keywords(keywords)?;
                rebuild!(
                    same(new_func, func) && std::ptr::eq(new_args, args) && std::ptr::eq(new_keywords, keywords),
                    Call { func: new_func, args: new_args, keywords: new_keywords }
                )
            }
            BoolOp { op, values } => {
                let new = self.exprs(values)?;
                rebuild!(std::ptr::eq(new, values), BoolOp { op, values: new })
            }
            BinOp { left, op, right } => {
                let new_left = self.expr(left)?;
                let new_right = self.expr(right)?;
                match self.fold_binop(e.range, new_left, op, new_right) {
                    Some(folded) => folded,
                    None => rebuild!(
                        same(new_left, left) && same(new_right, right),
                        BinOp { left: new_left, op, right: new_right }
                    ),
                }
            }
            UnaryOp { op, operand } => {
                let new = self.expr(operand)?;
                match self.fold_unaryop(e.range, op, new) {
                    Some(folded) => folded,
                    None => rebuild!(same(new, operand), UnaryOp { op, operand: new }),
                }
            }
            Lambda { args, body } => {
                let new_args = self.arguments(args)?;
                let new_body = self.expr(body)?;
                rebuild!(
                    same(new_args, args) && same(new_body, body),
                    Lambda { args: new_args, body: new_body }
                )
            }
            IfExp { test, body, orelse } => {
                let new_test = self.expr(test)?;
                let new_body = self.expr(body)?;
                let new_orelse = self.expr(orelse)?;
                rebuild!(
                    same(new_test, test) && same(new_body, body) && same(new_orelse, orelse),
                    IfExp { test: new_test, body: new_body, orelse: new_orelse }
                )
            }
            Dict { keys, values } => {
                let new_keys = self.opt_exprs(keys)?;
                let new_values = self.exprs(values)?;
                rebuild!(
                    std::ptr::eq(new_keys, keys) && std::ptr::eq(new_values, values),
                    Dict { keys: new_keys, values: new_values }
                )
            }
            Set { elts } => {
                let new = self.exprs(elts)?;
                rebuild!(std::ptr::eq(new, elts), Set { elts: new })
            }
            List { elts, ctx } => {
                let new = self.exprs(elts)?;
                rebuild!(std::ptr::eq(new, elts), List { elts: new, ctx })
            }
            Tuple { elts, ctx } => {
                let new = self.exprs(elts)?;
                match self.constant_items(new) {
                    Some(items) if ctx == ExprContext::Load => {
                        self.constant(taipan_parser::ast::Constant::Tuple(items), e.range)
                    }
                    _ => rebuild!(std::ptr::eq(new, elts), Tuple { elts: new, ctx }),
                }
            }
            ListComp { elt, generators } => {
                let new = self.expr(elt)?;
                let new_generators = self.comprehensions(generators)?;
                rebuild!(
                    same(new, elt) && std::ptr::eq(new_generators, generators),
                    ListComp { elt: new, generators: new_generators }
                )
            }
            SetComp { elt, generators } => {
                let new = self.expr(elt)?;
                let new_generators = self.comprehensions(generators)?;
                rebuild!(
                    same(new, elt) && std::ptr::eq(new_generators, generators),
                    SetComp { elt: new, generators: new_generators }
                )
            }
            GeneratorExp { elt, generators } => {
                let new = self.expr(elt)?;
                let new_generators = self.comprehensions(generators)?;
                rebuild!(
                    same(new, elt) && std::ptr::eq(new_generators, generators),
                    GeneratorExp { elt: new, generators: new_generators }
                )
            }
            DictComp { key, value, generators } => {
                let new_key = self.expr(key)?;
                let new_value = self.expr(value)?;
                let new_generators = self.comprehensions(generators)?;
                rebuild!(
                    same(new_key, key) && same(new_value, value) && std::ptr::eq(new_generators, generators),
                    DictComp { key: new_key, value: new_value, generators: new_generators }
                )
            }
            Await { value } => {
                let new = self.expr(value)?;
                rebuild!(same(new, value), Await { value: new })
            }
            Yield { value } => {
                let new = self.opt(value)?;
                rebuild!(same_opt(new, value), Yield { value: new })
            }
            YieldFrom { value } => {
                let new = self.expr(value)?;
                rebuild!(same(new, value), YieldFrom { value: new })
            }
            Compare { left, ops, comparators } => {
                let new_left = self.expr(left)?;
                let mut new = self.exprs(comparators)?;
                if let (Some(CmpOp::In | CmpOp::NotIn), Some((last, rest))) = (ops.last(), new.split_last()) {
                    let folded = self.iterable(last);
                    if !same(folded, *last) {
                        let copy = self.arena.alloc_slice_copy(new);
                        copy[rest.len()] = folded;
                        new = copy;
                    }
                }
                rebuild!(
                    same(new_left, left) && std::ptr::eq(new, comparators),
                    Compare { left: new_left, ops, comparators: new }
                )
            }
            FormattedValue { value, conversion, format_spec } => {
                let new = self.expr(value)?;
                let new_spec = self.opt(format_spec)?;
                rebuild!(
                    same(new, value) && same_opt(new_spec, format_spec),
                    FormattedValue { value: new, conversion, format_spec: new_spec }
                )
            }
            JoinedStr { values } => {
                let new = self.exprs(values)?;
                rebuild!(std::ptr::eq(new, values), JoinedStr { values: new })
            }
            Subscript { value, slice, ctx } => {
                let new = self.expr(value)?;
                let new_slice = self.expr(slice)?;
                let folded = match (&new.kind, &new_slice.kind) {
                    (Constant { value, .. }, Constant { value: index, .. }) if ctx == ExprContext::Load => {
                        fold::subscript(value, index)
                    }
                    _ => None,
                };
                match folded {
                    Some(value) => self.constant(value, e.range),
                    None => rebuild!(
                        same(new, value) && same(new_slice, slice),
                        Subscript { value: new, slice: new_slice, ctx }
                    ),
                }
            }
            Starred { value, ctx } => {
                let new = self.expr(value)?;
                rebuild!(same(new, value), Starred { value: new, ctx })
            }
            Slice { lower, upper, step } => {
                let new_lower = self.opt(lower)?;
                let new_upper = self.opt(upper)?;
                let new_step = self.opt(step)?;
                rebuild!(
                    same_opt(new_lower, lower) && same_opt(new_upper, upper) && same_opt(new_step, step),
                    Slice { lower: new_lower, upper: new_upper, step: new_step }
                )
            }
            NamedExpr { target, value } => {
                let new = self.expr(value)?;
                rebuild!(same(new, value), NamedExpr { target, value: new })
            }
        };
        self.recursion.leave();
        Ok(new)
    }

    /// The values, if all the elements are constants.
    fn constant_items(&self, elts: &[&'a Expr<'a>]) -> Option<&'a [Constant<'a>]> {
        if !elts.iter().all(|e| matches!(e.kind, ExprKind::Constant { .. })) {
            return None;
        }
        Some(self.arena.alloc_slice_fill_iter(elts.iter().map(|e| match e.kind {
            ExprKind::Constant { value, .. } => value,
            _ => Constant::None,
        })))
    }

    /// A list that is only iterated or searched can be a tuple, a set a frozenset.
    fn iterable(&mut self, e: &'a Expr<'a>) -> &'a Expr<'a> {
        match e.kind {
            ExprKind::List { elts, ctx } if !has_starred(elts) => match self.constant_items(elts) {
                Some(items) => self.constant(Constant::Tuple(items), e.range),
                None => self.new_expr(ExprKind::Tuple { elts, ctx }, e.range),
            },
            ExprKind::Set { elts } => match self.constant_items(elts) {
                Some(items) => self.constant(fold::frozenset(self.arena, items), e.range),
                None => e,
            },
            _ => e,
        }
    }

    fn fold_unaryop(&mut self, range: Range, op: UnaryOp, operand: &'a Expr<'a>) -> Option<&'a Expr<'a>> {
        match operand.kind {
            ExprKind::Constant { ref value, .. } => {
                if op == UnaryOp::Invert && matches!(value, Constant::True | Constant::False) {
                    let message = "Bitwise inversion '~' on bool is deprecated and will be removed in Python 3.16. \
                                   This returns the bitwise inversion of the underlying int object and is usually \
                                   not what you expect from the negation of a bool object. Use the 'not' operator \
                                   for boolean negation or ~int(x) for the bitwise inversion of the underlying int.";
                    match self.deprecated {
                        Some(issue) => {
                            if !issue(message) {
                                return None;
                            }
                        }
                        None => self.warnings.push(Warning {
                            category: WarningCategory::DeprecationWarning,
                            message: message.to_owned(),
                            location: range.into(),
                        }),
                    }
                }
                let value = fold::unary(self.arena, op, value)?;
                Some(self.constant(value, range))
            }
            // "not (a in b)" is "a not in b"; of the others, types may have other ideas.
            ExprKind::Compare { left, ops: [cmp], comparators } if op == UnaryOp::Not => {
                let inverted = match cmp {
                    CmpOp::Is => CmpOp::IsNot,
                    CmpOp::IsNot => CmpOp::Is,
                    CmpOp::In => CmpOp::NotIn,
                    CmpOp::NotIn => CmpOp::In,
                    _ => return None,
                };
                let ops = self.arena.alloc_slice_copy(&[inverted]);
                Some(self.new_expr(ExprKind::Compare { left, ops, comparators }, operand.range))
            }
            _ => None,
        }
    }

    fn fold_binop(
        &mut self,
        range: Range,
        left: &'a Expr<'a>,
        op: Operator,
        right: &'a Expr<'a>,
    ) -> Option<&'a Expr<'a>> {
        let ExprKind::Constant { value: ref a, .. } = left.kind else { return None };
        match (a, &right.kind) {
            (Constant::Str(format), ExprKind::Tuple { elts, .. }) if op == Operator::Mod && !has_starred(elts) => {
                let values = self.format_parts(format, elts)?;
                Some(self.new_expr(ExprKind::JoinedStr { values }, range))
            }
            (_, ExprKind::Constant { value: b, .. }) => {
                if op == Operator::Mod && matches!(a, Constant::Str(_) | Constant::Bytes(_)) {
                    return None;
                }
                let value = fold::binary(self.arena, op, a, b)?;
                Some(self.constant(value, range))
            }
            _ => None,
        }
    }

    /// `'...%s...' % (a, b)` as the parts of an f-string; nothing if it uses what f-strings don't do alike.
    fn format_parts(&mut self, format: &'a [u8], elts: &[&'a Expr<'a>]) -> Option<&'a [&'a Expr<'a>]> {
        let mut parts = bumpalo::collections::Vec::new_in(self.arena);
        let mut elts = elts.iter();
        let mut rest = format;
        loop {
            let (literal, after) = split_literal(rest);
            if !literal.is_empty() {
                let text = if literal.contains(&b'%') {
                    // "%%" stands for "%".
                    let mut text = bumpalo::collections::Vec::with_capacity_in(literal.len(), self.arena);
                    let mut bytes = literal.iter();
                    while let Some(&byte) = bytes.next() {
                        text.push(byte);
                        if byte == b'%' {
                            bytes.next();
                        }
                    }
                    text.into_bump_slice()
                } else {
                    literal
                };
                parts.push(self.constant(Constant::Str(text), NO_RANGE));
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
            let arg = *elts.next()?;
            let spec = parse_format_spec(&rest[1..])?;
            rest = spec.rest;
            let format_spec = spec.text.map(|text| {
                let text = self.arena.alloc_str(&text).as_bytes();
                self.constant(Constant::Str(text), NO_RANGE)
            });
            let conversion = i32::from(spec.conversion);
            parts.push(self.new_expr(ExprKind::FormattedValue { value: arg, conversion, format_spec }, arg.range));
        }
        elts.next().is_none().then(|| parts.into_bump_slice() as &[_])
    }
}

/// Splits at the first `%` that isn't doubled.
fn split_literal(s: &[u8]) -> (&[u8], &[u8]) {
    let mut i = 0;
    while i < s.len() {
        if s[i] != b'%' {
            i += 1;
        } else if s.get(i + 1) == Some(&b'%') {
            i += 2;
        } else {
            break;
        }
    }
    s.split_at(i)
}

struct FormatSpec<'s> {
    conversion: u8,
    text: Option<String>,
    rest: &'s [u8],
}

/// Width and precision have at most two digits.
fn take_number<'s>(s: &'s [u8]) -> Option<(Option<u32>, &'s [u8])> {
    let digits = s.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits >= 3 {
        return None;
    }
    let (number, rest) = s.split_at(digits);
    let value = number.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
    Some(((digits > 0).then_some(value), rest))
}

/// Reads what follows a `%`; only `%s`, `%r` and `%a` are supported.
fn parse_format_spec(s: &[u8]) -> Option<FormatSpec<'_>> {
    let flags = s.iter().take_while(|b| b"-+ #0".contains(b)).count();
    let left = s[..flags].contains(&b'-');
    let (width, mut rest) = take_number(&s[flags..])?;
    let mut precision = None;
    if let Some(after) = rest.strip_prefix(b".") {
        let (number, after) = take_number(after)?;
        precision = Some(number.unwrap_or(0));
        rest = after;
    }
    let (&conversion, rest) = rest.split_first()?;
    if !matches!(conversion, b's' | b'r' | b'a') {
        return None;
    }
    let mut text = String::new();
    if !left && width.is_some_and(|width| width > 0) {
        text.push('>');
    }
    if let Some(width) = width {
        text.push_str(&width.to_string());
    }
    if let Some(precision) = precision {
        text.push_str(&format!(".{precision}"));
    }
    Some(FormatSpec { conversion, text: (!text.is_empty()).then_some(text), rest })
}
