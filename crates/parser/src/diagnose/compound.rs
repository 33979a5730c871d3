//! Statements with blocks.

use super::expressions::call_parts;
use super::{Diagnosis, No, R, Rule, choice};
use crate::ast::*;
use crate::token::Tok;

impl<'a> Diagnosis<'a, '_> {
    pub(super) fn compound_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let kind = p.current()?.kind;
            choice!(
                p,
                |p| match kind {
                    Tok::DEF | Tok::AT | Tok::ASYNC => p.function_def(),
                    Tok::IF => p.if_stmt(),
                    _ => Err(No::Match),
                },
                |p| match kind {
                    Tok::CLASS | Tok::AT => p.class_def(),
                    Tok::WITH | Tok::ASYNC => p.with_stmt(),
                    _ => Err(No::Match),
                },
                |p| match kind {
                    Tok::FOR | Tok::ASYNC => p.for_stmt(),
                    Tok::TRY => p.try_stmt(),
                    Tok::WHILE => p.while_stmt(),
                    _ => Err(No::Match),
                },
                |p| p.match_stmt(),
            )
        })
    }

    pub(super) fn block(&mut self) -> R<&'a [Stmt<'a>]> {
        self.memo(Rule::Block, |p| {
            choice!(
                p,
                |p| {
                    p.t(Tok::NEWLINE)?;
                    p.t(Tok::INDENT)?;
                    let a = p.statements()?;
                    p.t(Tok::DEDENT)?;
                    Ok(a)
                },
                |p| p.simple_stmts(),
                |p| p.invalid(|p| p.invalid_block()),
            )
        })
    }

    fn decorators(&mut self) -> R<&'a [&'a Expr<'a>]> {
        self.rule(|p| {
            let a = p.plus(|p| {
                p.rule(|p| {
                    p.t(Tok::AT)?;
                    let f = p.named_expression()?;
                    p.t(Tok::NEWLINE)?;
                    Ok(f)
                })
            })?;
            Ok(p.slice(&a))
        })
    }

    fn class_def(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    let decorators = p.decorators()?;
                    let mut stmt = p.class_def_raw()?;
                    if let StmtKind::ClassDef { decorator_list, .. } = &mut stmt.kind {
                        *decorator_list = decorators;
                    }
                    Ok(stmt)
                },
                |p| p.class_def_raw(),
            )
        })
    }

    fn class_def_raw(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_class_def_raw()),
                |p| {
                    p.t(Tok::CLASS)?;
                    let name = p.identifier()?;
                    let type_params = p.opt(|p| p.type_params())?.unwrap_or(&[]);
                    let call = p.opt(|p| {
                        p.rule(|p| {
                            p.t(Tok::LPAR)?;
                            let z = p.opt(|p| p.arguments())?;
                            p.t(Tok::RPAR)?;
                            Ok(z)
                        })
                    })?;
                    p.t(Tok::COLON)?;
                    let body = p.block()?;
                    let (bases, keywords) = call_parts(call.flatten());
                    let decorator_list = &[];
                    let kind =
                        StmtKind::ClassDef { name, bases, keywords, body, decorator_list, type_params };
                    p.stmt(kind, s)
                },
            )
        })
    }

    fn function_def(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    let decorators = p.decorators()?;
                    let mut stmt = p.function_def_raw()?;
                    if let StmtKind::FunctionDef { decorator_list, .. }
                    | StmtKind::AsyncFunctionDef { decorator_list, .. } = &mut stmt.kind
                    {
                        *decorator_list = decorators;
                    }
                    Ok(stmt)
                },
                |p| p.function_def_raw(),
            )
        })
    }

    fn function_def_raw(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_def_raw()),
                |p| {
                    let kind = p.rest_of_function_def(false)?;
                    p.stmt(kind, s)
                },
                |p| {
                    p.t(Tok::ASYNC)?;
                    let kind = p.rest_of_function_def(true)?;
                    let stmt = p.stmt(kind, s)?;
                    p.check_version(5, "Async functions are", stmt)
                },
            )
        })
    }

    /// From `def` on.
    fn rest_of_function_def(&mut self, is_async: bool) -> R<StmtKind<'a>> {
        self.t(Tok::DEF)?;
        let name = self.identifier()?;
        let type_params = self.opt(|p| p.type_params())?.unwrap_or(&[]);
        self.t(Tok::LPAR)?;
        let params = self.opt(|p| p.params())?;
        self.t(Tok::RPAR)?;
        let returns = self.opt(|p| p.rule(|p| p.return_annotation()))?;
        self.t(Tok::COLON)?;
        let type_comment = self.opt(|p| p.func_type_comment())?;
        let body = self.block()?;
        let args = match params {
            Some(params) => params,
            None => self.empty_arguments(),
        };
        let decorator_list = &[];
        Ok(if is_async {
            StmtKind::AsyncFunctionDef {
                name,
                args,
                body,
                decorator_list,
                returns,
                type_comment,
                type_params,
            }
        } else {
            StmtKind::FunctionDef { name, args, body, decorator_list, returns, type_comment, type_params }
        })
    }

    /// `'->' expression`
    pub(super) fn return_annotation(&mut self) -> R<&'a Expr<'a>> {
        self.t(Tok::RARROW)?;
        self.expression()
    }

    pub(super) fn func_type_comment(&mut self) -> R<&'a str> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    p.t(Tok::NEWLINE)?;
                    let t = p.t(Tok::TYPE_COMMENT)?;
                    p.ahead(|p| {
                        p.rule(|p| {
                            p.t(Tok::NEWLINE)?;
                            p.t(Tok::INDENT)
                        })
                    })?;
                    p.comment_text(t)
                },
                |p| p.invalid(|p| p.invalid_double_type_comments()),
                |p| {
                    let t = p.t(Tok::TYPE_COMMENT)?;
                    p.comment_text(t)
                },
            )
        })
    }

    fn if_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_if_stmt()),
                |p| p.if_with_elif(Tok::IF, s),
                |p| p.if_with_else(Tok::IF, s),
            )
        })
    }

    fn elif_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_elif_stmt()),
                |p| p.if_with_elif(Tok::ELIF, s),
                |p| p.if_with_else(Tok::ELIF, s),
            )
        })
    }

    fn if_with_elif(&mut self, keyword: Tok, s: super::Start) -> R<Stmt<'a>> {
        self.t(keyword)?;
        let test = self.named_expression()?;
        self.t(Tok::COLON)?;
        let body = self.block()?;
        let c = self.elif_stmt()?;
        let orelse = self.slice(&[c]);
        self.stmt(StmtKind::If { test, body, orelse }, s)
    }

    fn if_with_else(&mut self, keyword: Tok, s: super::Start) -> R<Stmt<'a>> {
        self.t(keyword)?;
        let test = self.named_expression()?;
        self.t(Tok::COLON)?;
        let body = self.block()?;
        let orelse = self.opt(|p| p.else_block())?.unwrap_or(&[]);
        self.stmt(StmtKind::If { test, body, orelse }, s)
    }

    fn else_block(&mut self) -> R<&'a [Stmt<'a>]> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_else_stmt()),
                |p| {
                    p.t(Tok::ELSE)?;
                    p.forced(Tok::COLON)?;
                    p.block()
                },
            )
        })
    }

    fn while_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_while_stmt()),
                |p| {
                    p.t(Tok::WHILE)?;
                    let test = p.named_expression()?;
                    p.t(Tok::COLON)?;
                    let body = p.block()?;
                    let orelse = p.opt(|p| p.else_block())?.unwrap_or(&[]);
                    p.stmt(StmtKind::While { test, body, orelse }, s)
                },
            )
        })
    }

    fn for_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_for_stmt()),
                |p| p.rest_of_for_stmt(false, s),
                |p| {
                    p.t(Tok::ASYNC)?;
                    let stmt = p.rest_of_for_stmt(true, s)?;
                    p.check_version(5, "Async for loops are", stmt)
                },
                |p| p.invalid(|p| p.invalid_for_target()),
            )
        })
    }

    /// From `for` on.
    fn rest_of_for_stmt(&mut self, is_async: bool, s: super::Start) -> R<Stmt<'a>> {
        self.t(Tok::FOR)?;
        let target = self.star_targets()?;
        self.t(Tok::IN)?;
        self.cut(|p| {
            let iter = p.star_expressions()?;
            p.t(Tok::COLON)?;
            let type_comment = p.type_comment()?;
            let body = p.block()?;
            let orelse = p.opt(|p| p.else_block())?.unwrap_or(&[]);
            let kind = if is_async {
                StmtKind::AsyncFor { target, iter, body, orelse, type_comment }
            } else {
                StmtKind::For { target, iter, body, orelse, type_comment }
            };
            p.stmt(kind, s)
        })
    }

    fn with_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let version = |p: &mut Self, stmt| p.check_version(5, "Async with statements are", stmt);
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_with_stmt_indent()),
                |p| p.rest_of_with_stmt(true, false, s),
                |p| p.rest_of_with_stmt(false, false, s),
                |p| {
                    p.t(Tok::ASYNC)?;
                    let stmt = p.rest_of_with_stmt(true, true, s)?;
                    version(p, stmt)
                },
                |p| {
                    p.t(Tok::ASYNC)?;
                    let stmt = p.rest_of_with_stmt(false, true, s)?;
                    version(p, stmt)
                },
                |p| p.invalid(|p| p.invalid_with_stmt()),
            )
        })
    }

    /// From `with` on, with or without parentheses.
    fn rest_of_with_stmt(&mut self, parentheses: bool, is_async: bool, s: super::Start) -> R<Stmt<'a>> {
        self.t(Tok::WITH)?;
        if parentheses {
            self.t(Tok::LPAR)?;
        }
        let items = self.gather(|p| p.with_item())?;
        if parentheses {
            self.opt_t(Tok::COMMA)?;
            self.t(Tok::RPAR)?;
        }
        self.t(Tok::COLON)?;
        let type_comment = if parentheses && is_async { None } else { self.type_comment()? };
        let body = self.block()?;
        let items = self.slice(&items);
        let kind = if is_async {
            StmtKind::AsyncWith { items, body, type_comment }
        } else {
            StmtKind::With { items, body, type_comment }
        };
        self.stmt(kind, s)
    }

    fn with_item(&mut self) -> R<WithItem<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    let context_expr = p.expression()?;
                    p.t(Tok::AS)?;
                    let t = p.star_target()?;
                    p.ahead(|p| p.rule(|p| p.one_of(&[Tok::COMMA, Tok::RPAR, Tok::COLON])))?;
                    Ok(WithItem { context_expr, optional_vars: Some(t) })
                },
                |p| p.invalid(|p| p.invalid_with_item()),
                |p| Ok(WithItem { context_expr: p.expression()?, optional_vars: None }),
            )
        })
    }

    fn try_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_try_stmt()),
                |p| {
                    p.t(Tok::TRY)?;
                    p.forced(Tok::COLON)?;
                    let body = p.block()?;
                    let finalbody = p.finally_block()?;
                    p.stmt(StmtKind::Try { body, handlers: &[], orelse: &[], finalbody }, s)
                },
                |p| {
                    p.t(Tok::TRY)?;
                    p.forced(Tok::COLON)?;
                    let body = p.block()?;
                    let handlers = p.plus(|p| p.except_block())?;
                    let orelse = p.opt(|p| p.else_block())?.unwrap_or(&[]);
                    let finalbody = p.opt(|p| p.finally_block())?.unwrap_or(&[]);
                    let handlers = p.slice(&handlers);
                    p.stmt(StmtKind::Try { body, handlers, orelse, finalbody }, s)
                },
                |p| {
                    p.t(Tok::TRY)?;
                    p.forced(Tok::COLON)?;
                    let body = p.block()?;
                    let handlers = p.plus(|p| p.except_star_block())?;
                    let orelse = p.opt(|p| p.else_block())?.unwrap_or(&[]);
                    let finalbody = p.opt(|p| p.finally_block())?.unwrap_or(&[]);
                    let handlers = p.slice(&handlers);
                    let stmt = p.stmt(StmtKind::TryStar { body, handlers, orelse, finalbody }, s)?;
                    p.check_version(11, "Exception groups are", stmt)
                },
            )
        })
    }

    pub(super) fn except_block(&mut self) -> R<ExceptHandler<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_except_stmt_indent()),
                |p| {
                    p.t(Tok::EXCEPT)?;
                    let type_ = Some(p.expression()?);
                    let name = p.as_name()?;
                    p.t(Tok::COLON)?;
                    let body = p.block()?;
                    Ok(ExceptHandler { type_, name, body, range: p.extra(s) })
                },
                |p| {
                    p.t(Tok::EXCEPT)?;
                    p.t(Tok::COLON)?;
                    let body = p.block()?;
                    Ok(ExceptHandler { type_: None, name: None, body, range: p.extra(s) })
                },
                |p| p.invalid(|p| p.invalid_except_stmt()),
            )
        })
    }

    pub(super) fn except_star_block(&mut self) -> R<ExceptHandler<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_except_star_stmt_indent()),
                |p| {
                    p.t(Tok::EXCEPT)?;
                    p.t(Tok::STAR)?;
                    let type_ = Some(p.expression()?);
                    let name = p.as_name()?;
                    p.t(Tok::COLON)?;
                    let body = p.block()?;
                    Ok(ExceptHandler { type_, name, body, range: p.extra(s) })
                },
                |p| p.invalid(|p| p.invalid_except_stmt()),
            )
        })
    }

    fn finally_block(&mut self) -> R<&'a [Stmt<'a>]> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_finally_stmt()),
                |p| {
                    p.t(Tok::FINALLY)?;
                    p.forced(Tok::COLON)?;
                    p.block()
                },
            )
        })
    }

    fn match_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.soft_keyword("match")?;
                    let subject = p.subject_expr()?;
                    p.t(Tok::COLON)?;
                    p.t(Tok::NEWLINE)?;
                    p.t(Tok::INDENT)?;
                    let cases = p.plus(|p| p.case_block())?;
                    p.t(Tok::DEDENT)?;
                    let cases = p.slice(&cases);
                    let stmt = p.stmt(StmtKind::Match { subject, cases }, s)?;
                    p.check_version(10, "Pattern matching is", stmt)
                },
                |p| p.invalid(|p| p.invalid_match_stmt()),
            )
        })
    }

    pub(super) fn subject_expr(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let value = p.star_named_expression()?;
                    p.t(Tok::COMMA)?;
                    let values = p.opt(|p| p.star_named_expressions())?;
                    let elts = p.insert_in_front(value, values.unwrap_or_default());
                    p.expr(ExprKind::Tuple { elts, ctx: ExprContext::Load }, s)
                },
                |p| p.named_expression(),
            )
        })
    }

    fn case_block(&mut self) -> R<MatchCase<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_case_block()),
                |p| {
                    p.soft_keyword("case")?;
                    let pattern = p.patterns()?;
                    let guard = p.opt(|p| p.guard())?;
                    p.t(Tok::COLON)?;
                    let body = p.block()?;
                    Ok(MatchCase { pattern, guard, body })
                },
            )
        })
    }

    pub(super) fn guard(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            p.t(Tok::IF)?;
            p.named_expression()
        })
    }
}
