//! Checks of trees that didn't come from the parser.
//!
//! What the tree's types can't express (`None` in a list of nodes, a constant of
//! an impossible type) is for the caller to check when it makes the tree.

use taipan_parser::ast::*;

use crate::error::{CompileError, ErrorKind, Location, Recursion, Result};

/// Checks a tree; the other passes rely on what is checked here.
pub fn validate(module: &Mod<'_>, stack_budget: usize) -> Result<()> {
    let mut v = Validator { recursion: Recursion::new(stack_budget) };
    match *module {
        Mod::Module { body, .. } | Mod::Interactive { body } => v.stmts(body),
        Mod::Expression { body } => v.expr(body, ExprContext::Load),
        Mod::FunctionType { argtypes, returns } => {
            v.exprs(argtypes, ExprContext::Load)?;
            v.expr(returns, ExprContext::Load)
        }
    }
}

struct Validator {
    recursion: Recursion,
}

fn value_error(message: impl Into<String>) -> Result<()> {
    Err(CompileError::new(ErrorKind::ValueError, message))
}

fn positions(range: Range) -> Result<()> {
    let l = Location::from(range);
    if l.lineno > l.end_lineno {
        return value_error(format!("AST node line range ({}, {}) is not valid", l.lineno, l.end_lineno));
    }
    if l.lineno < 0 && l.end_lineno != l.lineno || l.col_offset < 0 && l.col_offset != l.end_col_offset {
        return value_error(format!(
            "AST node column range ({}, {}) for line range ({}, {}) is not valid",
            l.col_offset, l.end_col_offset, l.lineno, l.end_lineno
        ));
    }
    if l.lineno == l.end_lineno && l.col_offset > l.end_col_offset {
        return value_error(format!(
            "line {}, column {}-{} is not a valid range",
            l.lineno, l.col_offset, l.end_col_offset
        ));
    }
    Ok(())
}

fn name(text: &str) -> Result<()> {
    match text {
        "None" | "True" | "False" => value_error(format!("identifier field can't represent '{text}' constant")),
        _ => Ok(()),
    }
}

fn capture(text: &str) -> Result<()> {
    if text == "_" {
        return value_error("can't capture name '_' in patterns");
    }
    name(text)
}

fn opt_capture(text: Option<&str>) -> Result<()> {
    text.map_or(Ok(()), capture)
}

fn nonempty<T>(items: &[T], what: &str, owner: &str) -> Result<()> {
    if items.is_empty() {
        return value_error(format!("empty {what} on {owner}"));
    }
    Ok(())
}

fn context_name(ctx: ExprContext) -> &'static str {
    match ctx {
        ExprContext::Load => "Load",
        ExprContext::Store => "Store",
        ExprContext::Del => "Del",
    }
}

fn is_number(e: &Expr<'_>, real: bool, imaginary: bool) -> bool {
    match e.kind {
        ExprKind::Constant { value: Constant::Int(_) | Constant::Float(_), .. } => real,
        ExprKind::Constant { value: Constant::Complex { .. }, .. } => imaginary,
        _ => false,
    }
}

fn is_negative_number(e: &Expr<'_>, imaginary: bool) -> bool {
    matches!(e.kind, ExprKind::UnaryOp { op: UnaryOp::USub, operand } if is_number(operand, true, imaginary))
}

/// `-1 + 2j` and the like.
fn is_complex_literal(left: &Expr<'_>, op: Operator, right: &Expr<'_>) -> bool {
    matches!(op, Operator::Add | Operator::Sub)
        && (is_number(left, true, false) || is_negative_number(left, false))
        && is_number(right, false, true)
}

impl Validator {
    fn stmts(&mut self, stmts: &[Stmt<'_>]) -> Result<()> {
        stmts.iter().try_for_each(|s| self.stmt(s))
    }

    fn exprs(&mut self, exprs: &[&Expr<'_>], ctx: ExprContext) -> Result<()> {
        exprs.iter().try_for_each(|e| self.expr(e, ctx))
    }

    fn load(&mut self, e: &Expr<'_>) -> Result<()> {
        self.expr(e, ExprContext::Load)
    }

    fn opt(&mut self, e: Option<&Expr<'_>>) -> Result<()> {
        e.map_or(Ok(()), |e| self.load(e))
    }

    fn body(&mut self, body: &[Stmt<'_>], owner: &str) -> Result<()> {
        nonempty(body, "body", owner)?;
        self.stmts(body)
    }

    fn keywords(&mut self, keywords: &[Keyword<'_>]) -> Result<()> {
        keywords.iter().try_for_each(|keyword| self.load(keyword.value))
    }

    fn args(&mut self, args: &[Arg<'_>]) -> Result<()> {
        args.iter().try_for_each(|arg| {
            positions(arg.range)?;
            self.opt(arg.annotation)
        })
    }

    fn arguments(&mut self, args: &Arguments<'_>) -> Result<()> {
        self.args(args.posonlyargs)?;
        self.args(args.args)?;
        self.opt(args.vararg.and_then(|arg| arg.annotation))?;
        self.args(args.kwonlyargs)?;
        self.opt(args.kwarg.and_then(|arg| arg.annotation))?;
        if args.defaults.len() > args.posonlyargs.len() + args.args.len() {
            return value_error("more positional defaults than args on arguments");
        }
        if args.kw_defaults.len() != args.kwonlyargs.len() {
            return value_error("length of kwonlyargs is not the same as kw_defaults on arguments");
        }
        self.exprs(args.defaults, ExprContext::Load)?;
        args.kw_defaults.iter().try_for_each(|e| self.opt(*e))
    }

    fn type_params(&mut self, params: &[TypeParam<'_>]) -> Result<()> {
        params.iter().try_for_each(|param| {
            positions(param.range)?;
            match param.kind {
                TypeParamKind::TypeVar { name: text, bound, default_value } => {
                    name(text)?;
                    self.opt(bound)?;
                    self.opt(default_value)
                }
                TypeParamKind::ParamSpec { name: text, default_value }
                | TypeParamKind::TypeVarTuple { name: text, default_value } => {
                    name(text)?;
                    self.opt(default_value)
                }
            }
        })
    }

    fn comprehension(&mut self, generators: &[Comprehension<'_>]) -> Result<()> {
        if generators.is_empty() {
            return value_error("comprehension with no generators");
        }
        generators.iter().try_for_each(|generator| {
            self.expr(generator.target, ExprContext::Store)?;
            self.load(generator.iter)?;
            self.exprs(generator.ifs, ExprContext::Load)
        })
    }

    fn constant(&mut self, value: &Constant<'_>) -> Result<()> {
        if let Constant::Tuple(items) | Constant::FrozenSet(items) = value {
            self.recursion.enter()?;
            items.iter().try_for_each(|item| self.constant(item))?;
            self.recursion.leave();
        }
        Ok(())
    }

    fn expr(&mut self, e: &Expr<'_>, ctx: ExprContext) -> Result<()> {
        positions(e.range)?;
        self.recursion.enter()?;
        let actual = match e.kind {
            ExprKind::Name { id, ctx } => {
                name(id)?;
                Some(ctx)
            }
            ExprKind::Attribute { ctx, .. }
            | ExprKind::Subscript { ctx, .. }
            | ExprKind::Starred { ctx, .. }
            | ExprKind::List { ctx, .. }
            | ExprKind::Tuple { ctx, .. } => Some(ctx),
            _ => None,
        };
        match actual {
            None if ctx != ExprContext::Load => {
                return value_error(format!(
                    "expression which can't be assigned to in {} context",
                    context_name(ctx)
                ));
            }
            Some(actual) if actual != ctx => {
                return value_error(format!(
                    "expression must have {} context but has {} instead",
                    context_name(ctx),
                    context_name(actual)
                ));
            }
            _ => {}
        }
        self.expr_parts(e, ctx)?;
        self.recursion.leave();
        Ok(())
    }

    fn expr_parts(&mut self, e: &Expr<'_>, ctx: ExprContext) -> Result<()> {
        const LOAD: ExprContext = ExprContext::Load;
        match e.kind {
            ExprKind::BoolOp { values, .. } => {
                if values.len() < 2 {
                    return value_error("BoolOp with less than 2 values");
                }
                self.exprs(values, LOAD)
            }
            ExprKind::BinOp { left, right, .. } => {
                self.load(left)?;
                self.load(right)
            }
            ExprKind::UnaryOp { operand, .. } => self.load(operand),
            ExprKind::Lambda { args, body } => {
                self.arguments(args)?;
                self.load(body)
            }
            ExprKind::IfExp { test, body, orelse } => {
                self.load(test)?;
                self.load(body)?;
                self.load(orelse)
            }
            ExprKind::Dict { keys, values } => {
                if keys.len() != values.len() {
                    return value_error("Dict doesn't have the same number of keys as values");
                }
                keys.iter().try_for_each(|key| self.opt(*key))?;
                self.exprs(values, LOAD)
            }
            ExprKind::Set { elts } => self.exprs(elts, LOAD),
            ExprKind::ListComp { elt, generators }
            | ExprKind::SetComp { elt, generators }
            | ExprKind::GeneratorExp { elt, generators } => {
                self.comprehension(generators)?;
                self.load(elt)
            }
            ExprKind::DictComp { key, value, generators } => {
                self.comprehension(generators)?;
                self.load(key)?;
                self.load(value)
            }
            ExprKind::Yield { value } => self.opt(value),
            ExprKind::YieldFrom { value } | ExprKind::Await { value } | ExprKind::Attribute { value, .. } => {
                self.load(value)
            }
            ExprKind::Compare { left, ops, comparators } => {
                if comparators.is_empty() {
                    return value_error("Compare with no comparators");
                }
                if comparators.len() != ops.len() {
                    return value_error("Compare has a different number of comparators and operands");
                }
                self.exprs(comparators, LOAD)?;
                self.load(left)
            }
            ExprKind::Call { func, args, keywords } => {
                self.load(func)?;
                self.exprs(args, LOAD)?;
                self.keywords(keywords)
            }
            ExprKind::Constant { ref value, .. } => self.constant(value),
            ExprKind::JoinedStr { values } => self.exprs(values, LOAD),
            ExprKind::FormattedValue { value, format_spec, .. } => {
                self.load(value)?;
                self.opt(format_spec)
            }
            ExprKind::Subscript { value, slice, .. } => {
                self.load(slice)?;
                self.load(value)
            }
            ExprKind::Starred { value, .. } => self.expr(value, ctx),
            ExprKind::Slice { lower, upper, step } => {
                self.opt(lower)?;
                self.opt(upper)?;
                self.opt(step)
            }
            ExprKind::List { elts, .. } | ExprKind::Tuple { elts, .. } => self.exprs(elts, ctx),
            ExprKind::NamedExpr { target, value } => {
                if !matches!(target.kind, ExprKind::Name { .. }) {
                    return Err(CompileError::new(ErrorKind::TypeError, "NamedExpr target must be a Name"));
                }
                self.load(value)
            }
            ExprKind::Name { .. } => Ok(()),
        }
    }

    fn pattern_value(&mut self, e: &Expr<'_>) -> Result<()> {
        self.load(e)?;
        let good = match e.kind {
            ExprKind::Constant { value, .. } => {
                return match value {
                    Constant::Int(_)
                    | Constant::Float(_)
                    | Constant::Complex { .. }
                    | Constant::Bytes(_)
                    | Constant::Str(_) => Ok(()),
                    _ => value_error("unexpected constant inside of a literal pattern"),
                };
            }
            ExprKind::Attribute { .. } | ExprKind::JoinedStr { .. } => true,
            ExprKind::UnaryOp { .. } => is_negative_number(e, true),
            ExprKind::BinOp { left, op, right } => is_complex_literal(left, op, right),
            _ => false,
        };
        if good { Ok(()) } else { value_error("patterns may only match literals and attribute lookups") }
    }

    fn patterns(&mut self, patterns: &[&Pattern<'_>], star_ok: bool) -> Result<()> {
        patterns.iter().try_for_each(|p| self.pattern(p, star_ok))
    }

    fn pattern(&mut self, p: &Pattern<'_>, star_ok: bool) -> Result<()> {
        positions(p.range)?;
        self.recursion.enter()?;
        match p.kind {
            PatternKind::MatchValue { value } => self.pattern_value(value)?,
            PatternKind::MatchSingleton { value } => {
                if !matches!(value, Constant::None | Constant::True | Constant::False) {
                    return value_error("MatchSingleton can only contain True, False and None");
                }
            }
            PatternKind::MatchSequence { patterns } => self.patterns(patterns, true)?,
            PatternKind::MatchMapping { keys, patterns, rest } => {
                if keys.len() != patterns.len() {
                    return value_error("MatchMapping doesn't have the same number of keys as patterns");
                }
                opt_capture(rest)?;
                for key in keys {
                    // The singletons are no literals, but keys.
                    let singleton = matches!(
                        key.kind,
                        ExprKind::Constant { value: Constant::None | Constant::True | Constant::False, .. }
                    );
                    if !singleton {
                        self.pattern_value(key)?;
                    }
                }
                self.patterns(patterns, false)?;
            }
            PatternKind::MatchClass { cls, patterns, kwd_attrs, kwd_patterns } => {
                if kwd_attrs.len() != kwd_patterns.len() {
                    return value_error(
                        "MatchClass doesn't have the same number of keyword attributes as patterns",
                    );
                }
                self.load(cls)?;
                let mut part = cls;
                while let ExprKind::Attribute { value, .. } = part.kind {
                    part = value;
                }
                if !matches!(part.kind, ExprKind::Name { .. }) {
                    return value_error("MatchClass cls field can only contain Name or Attribute nodes.");
                }
                kwd_attrs.iter().try_for_each(|attr| name(attr))?;
                self.patterns(patterns, false)?;
                self.patterns(kwd_patterns, false)?;
            }
            PatternKind::MatchStar { name } => {
                if !star_ok {
                    return value_error("can't use MatchStar here");
                }
                opt_capture(name)?;
            }
            PatternKind::MatchAs { pattern, name } => {
                opt_capture(name)?;
                if let Some(pattern) = pattern {
                    if name.is_none() {
                        return value_error("MatchAs must specify a target name if a pattern is given");
                    }
                    self.pattern(pattern, false)?;
                }
            }
            PatternKind::MatchOr { patterns } => {
                if patterns.len() < 2 {
                    return value_error("MatchOr requires at least 2 patterns");
                }
                self.patterns(patterns, false)?;
            }
        }
        self.recursion.leave();
        Ok(())
    }

    fn with_items(&mut self, items: &[WithItem<'_>], owner: &str) -> Result<()> {
        nonempty(items, "items", owner)?;
        items.iter().try_for_each(|item| {
            self.load(item.context_expr)?;
            item.optional_vars.map_or(Ok(()), |target| self.expr(target, ExprContext::Store))
        })
    }

    fn stmt(&mut self, s: &Stmt<'_>) -> Result<()> {
        positions(s.range)?;
        self.recursion.enter()?;
        self.stmt_parts(s)?;
        self.recursion.leave();
        Ok(())
    }

    fn stmt_parts(&mut self, s: &Stmt<'_>) -> Result<()> {
        const LOAD: ExprContext = ExprContext::Load;
        const STORE: ExprContext = ExprContext::Store;
        match s.kind {
            StmtKind::FunctionDef { args, body, decorator_list, returns, type_params, .. }
            | StmtKind::AsyncFunctionDef { args, body, decorator_list, returns, type_params, .. } => {
                let is_async = matches!(s.kind, StmtKind::AsyncFunctionDef { .. });
                self.body(body, if is_async { "AsyncFunctionDef" } else { "FunctionDef" })?;
                self.type_params(type_params)?;
                self.arguments(args)?;
                self.exprs(decorator_list, LOAD)?;
                self.opt(returns)
            }
            StmtKind::ClassDef { bases, keywords, body, decorator_list, type_params, .. } => {
                self.body(body, "ClassDef")?;
                self.type_params(type_params)?;
                self.exprs(bases, LOAD)?;
                self.keywords(keywords)?;
                self.exprs(decorator_list, LOAD)
            }
            StmtKind::Return { value } => self.opt(value),
            StmtKind::Delete { targets } => {
                nonempty(targets, "targets", "Delete")?;
                self.exprs(targets, ExprContext::Del)
            }
            StmtKind::Assign { targets, value, .. } => {
                nonempty(targets, "targets", "Assign")?;
                self.exprs(targets, STORE)?;
                self.load(value)
            }
            StmtKind::AugAssign { target, value, .. } => {
                self.expr(target, STORE)?;
                self.load(value)
            }
            StmtKind::AnnAssign { target, annotation, value, simple } => {
                if simple != 0 && !matches!(target.kind, ExprKind::Name { .. }) {
                    return Err(CompileError::new(ErrorKind::TypeError, "AnnAssign with simple non-Name target"));
                }
                self.expr(target, STORE)?;
                self.opt(value)?;
                self.load(annotation)
            }
            StmtKind::TypeAlias { name, type_params, value } => {
                if !matches!(name.kind, ExprKind::Name { .. }) {
                    return Err(CompileError::new(ErrorKind::TypeError, "TypeAlias with non-Name name"));
                }
                self.expr(name, STORE)?;
                self.type_params(type_params)?;
                self.load(value)
            }
            StmtKind::For { target, iter, body, orelse, .. } | StmtKind::AsyncFor { target, iter, body, orelse, .. } => {
                self.expr(target, STORE)?;
                self.load(iter)?;
                self.body(body, if let StmtKind::For { .. } = s.kind { "For" } else { "AsyncFor" })?;
                self.stmts(orelse)
            }
            StmtKind::While { test, body, orelse } | StmtKind::If { test, body, orelse } => {
                self.load(test)?;
                self.body(body, if let StmtKind::While { .. } = s.kind { "While" } else { "If" })?;
                self.stmts(orelse)
            }
            StmtKind::With { items, body, .. } => {
                self.with_items(items, "With")?;
                self.body(body, "With")
            }
            StmtKind::AsyncWith { items, body, .. } => {
                self.with_items(items, "AsyncWith")?;
                self.body(body, "AsyncWith")
            }
            StmtKind::Match { subject, cases } => {
                self.load(subject)?;
                nonempty(cases, "cases", "Match")?;
                cases.iter().try_for_each(|case| {
                    self.pattern(case.pattern, false)?;
                    self.opt(case.guard)?;
                    self.body(case.body, "match_case")
                })
            }
            StmtKind::Raise { exc, cause } => {
                if exc.is_none() && cause.is_some() {
                    return value_error("Raise with cause but no exception");
                }
                self.opt(exc)?;
                self.opt(cause)
            }
            StmtKind::Try { body, handlers, orelse, finalbody } => {
                self.try_("Try", body, handlers, orelse, finalbody)
            }
            StmtKind::TryStar { body, handlers, orelse, finalbody } => {
                self.try_("TryStar", body, handlers, orelse, finalbody)
            }
            StmtKind::Assert { test, msg } => {
                self.load(test)?;
                self.opt(msg)
            }
            StmtKind::Import { names } => nonempty(names, "names", "Import"),
            StmtKind::ImportFrom { names, level, .. } => {
                if level.is_some_and(|level| level < 0) {
                    return value_error("Negative ImportFrom level");
                }
                nonempty(names, "names", "ImportFrom")
            }
            StmtKind::Global { names } => nonempty(names, "names", "Global"),
            StmtKind::Nonlocal { names } => nonempty(names, "names", "Nonlocal"),
            StmtKind::Expr { value } => self.load(value),
            StmtKind::Pass | StmtKind::Break | StmtKind::Continue => Ok(()),
        }
    }

    fn try_(
        &mut self,
        what: &str,
        body: &[Stmt<'_>],
        handlers: &[ExceptHandler<'_>],
        orelse: &[Stmt<'_>],
        finalbody: &[Stmt<'_>],
    ) -> Result<()> {
        self.body(body, what)?;
        if handlers.is_empty() && finalbody.is_empty() {
            return value_error(format!("{what} has neither except handlers nor finalbody"));
        }
        if handlers.is_empty() && !orelse.is_empty() {
            return value_error(format!("{what} has orelse but no except handlers"));
        }
        for handler in handlers {
            if what == "Try" {
                positions(handler.range)?;
            }
            self.opt(handler.type_)?;
            self.body(handler.body, "ExceptHandler")?;
        }
        self.stmts(finalbody)?;
        self.stmts(orelse)
    }
}
