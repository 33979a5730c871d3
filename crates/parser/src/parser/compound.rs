//! Statements with blocks.

use super::{Fail, Parse, Parser, Start};
use crate::ast::*;
use crate::token::Tok;

impl<'a> Parser<'a, '_> {
    /// `compound_stmt`: adds one, if one begins here.
    #[inline]
    pub(super) fn compound_stmt(&mut self) -> Parse<bool> {
        let start = self.start();
        let kind = match self.kind() {
            Tok::NAME if self.at_soft_keyword(b"match") => match self.match_stmt()? {
                Some(kind) => kind,
                None => return Ok(false),
            },
            Tok::IF => self.if_stmt()?,
            Tok::DEF => self.function_def(&[], false)?,
            Tok::FOR => self.for_stmt(false)?,
            Tok::WHILE => self.while_stmt()?,
            Tok::TRY => self.try_stmt()?,
            Tok::WITH => self.with_stmt(false)?,
            Tok::CLASS => self.class_def(&[])?,
            Tok::AT => return self.decorated().map(|()| true),
            Tok::ASYNC => {
                self.check_version(5)?;
                self.advance();
                match self.kind() {
                    Tok::DEF => self.function_def(&[], true)?,
                    Tok::FOR => self.for_stmt(true)?,
                    Tok::WITH => self.with_stmt(true)?,
                    _ => return Err(Fail),
                }
            }
            _ => return Ok(false),
        };
        let range = self.range(start);
        self.stmts.push(Stmt { kind, range });
        Ok(true)
    }

    /// `block`
    pub(super) fn block(&mut self) -> Parse<&'a [Stmt<'a>]> {
        let mark = self.stmts.len();
        if self.kind() != Tok::NEWLINE {
            self.simple_stmts()?;
            return Ok(self.take_stmts(mark));
        }
        self.advance();
        self.expect(Tok::INDENT)?;
        while self.kind() != Tok::DEDENT {
            self.statement()?;
        }
        self.skip();
        Ok(self.take_stmts(mark))
    }

    /// `decorators`, and the definition that they decorate.
    fn decorated(&mut self) -> Parse<()> {
        let mark = self.exprs.len();
        while self.accept(Tok::AT) {
            let decorator = self.named_expression()?;
            self.exprs.push(decorator);
            self.expect(Tok::NEWLINE)?;
        }
        let decorators = self.take_exprs(mark);
        let start = self.start();
        let kind = match self.kind() {
            Tok::DEF => self.function_def(decorators, false)?,
            Tok::CLASS => self.class_def(decorators)?,
            Tok::ASYNC => {
                self.check_version(5)?;
                self.advance();
                self.function_def(decorators, true)?
            }
            _ => return Err(Fail),
        };
        let range = self.range(start);
        self.stmts.push(Stmt { kind, range });
        Ok(())
    }

    /// `class_def_raw`
    fn class_def(&mut self, decorator_list: &'a [&'a Expr<'a>]) -> Parse<StmtKind<'a>> {
        self.expect(Tok::CLASS)?;
        let name = self.expect_name()?;
        let name = self.core.identifier(&name);
        let type_params = self.type_params()?;
        let (bases, keywords) =
            if self.accept(Tok::LPAR) { self.arguments(None)? } else { (&[][..], &[][..]) };
        self.expect(Tok::COLON)?;
        let body = self.block()?;
        Ok(StmtKind::ClassDef { name, bases, keywords, body, decorator_list, type_params })
    }

    /// `function_def_raw`, from `def` on.
    fn function_def(
        &mut self,
        decorator_list: &'a [&'a Expr<'a>],
        is_async: bool,
    ) -> Parse<StmtKind<'a>> {
        self.expect(Tok::DEF)?;
        let name = self.expect_name()?;
        let name = self.core.identifier(&name);
        let type_params = self.type_params()?;
        self.expect(Tok::LPAR)?;
        let args = self.params()?;
        self.expect(Tok::RPAR)?;
        let returns = if self.accept(Tok::RARROW) { Some(self.expression()?) } else { None };
        self.expect(Tok::COLON)?;
        let type_comment = self.func_type_comment()?;
        let body = self.block()?;
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

    /// `func_type_comment`: on the line of the colon, or alone on the next one.
    fn func_type_comment(&mut self) -> Parse<Option<&'a str>> {
        if !self.core.options.type_comments {
            return Ok(None);
        }
        if self.kind() == Tok::NEWLINE && self.peek() == Tok::TYPE_COMMENT {
            self.advance();
            let comment = self.type_comment();
            if self.kind() != Tok::NEWLINE || self.peek() != Tok::INDENT {
                return Err(Fail);
            }
            return Ok(comment);
        }
        Ok(self.type_comment())
    }

    /// `if_stmt`. The chain of `elif` clauses is a list here; each is a statement in the `orelse`
    /// of the one before.
    fn if_stmt(&mut self) -> Parse<StmtKind<'a>> {
        self.advance();
        let test = self.named_expression()?;
        self.expect(Tok::COLON)?;
        let body = self.block()?;
        if self.kind() != Tok::ELIF {
            let orelse = self.else_block()?;
            return Ok(StmtKind::If { test, body, orelse });
        }
        let mut clauses: Vec<(Start, &'a Expr<'a>, &'a [Stmt<'a>])> = Vec::new();
        let depth = self.depth;
        while self.kind() == Tok::ELIF {
            self.enter(2)?;
            let start = self.start();
            self.advance();
            let test = self.named_expression()?;
            self.expect(Tok::COLON)?;
            clauses.push((start, test, self.block()?));
        }
        self.depth = depth;
        let mut orelse = self.else_block()?;
        for (start, test, body) in clauses.into_iter().rev() {
            let kind = StmtKind::If { test, body, orelse };
            orelse = self.slice(&[Stmt { kind, range: self.range(start) }]);
        }
        Ok(StmtKind::If { test, body, orelse })
    }

    /// `else_block`, if it is there.
    fn else_block(&mut self) -> Parse<&'a [Stmt<'a>]> {
        if !self.accept(Tok::ELSE) {
            return Ok(&[]);
        }
        self.expect(Tok::COLON)?;
        self.block()
    }

    fn while_stmt(&mut self) -> Parse<StmtKind<'a>> {
        self.advance();
        let test = self.named_expression()?;
        self.expect(Tok::COLON)?;
        let body = self.block()?;
        let orelse = self.else_block()?;
        Ok(StmtKind::While { test, body, orelse })
    }

    /// `for_stmt`, from `for` on.
    fn for_stmt(&mut self, is_async: bool) -> Parse<StmtKind<'a>> {
        self.expect(Tok::FOR)?;
        let target = self.star_targets()?;
        self.expect(Tok::IN)?;
        let iter = self.star_expressions()?;
        self.expect(Tok::COLON)?;
        let type_comment = self.type_comment();
        let body = self.block()?;
        let orelse = self.else_block()?;
        Ok(if is_async {
            StmtKind::AsyncFor { target, iter, body, orelse, type_comment }
        } else {
            StmtKind::For { target, iter, body, orelse, type_comment }
        })
    }

    /// `with_stmt`, from `with` on. A parenthesis after it may belong to the statement or to the
    /// first expression: the former is tried first.
    fn with_stmt(&mut self, is_async: bool) -> Parse<StmtKind<'a>> {
        self.expect(Tok::WITH)?;
        let mut items = None;
        if self.kind() == Tok::LPAR {
            let checkpoint = self.checkpoint();
            items = self.parenthesized_with_items().ok();
            // With this form, `async with` has no type comment.
            if items.is_none() || is_async && self.kind() == Tok::TYPE_COMMENT {
                self.go_back(checkpoint);
                items = None;
            }
        }
        let items = match items {
            Some(items) => items,
            None => self.with_items(Tok::COLON)?,
        };
        let type_comment = self.type_comment();
        let body = self.block()?;
        Ok(if is_async {
            StmtKind::AsyncWith { items, body, type_comment }
        } else {
            StmtKind::With { items, body, type_comment }
        })
    }

    /// `'(' items ')' ':'`
    fn parenthesized_with_items(&mut self) -> Parse<&'a [WithItem<'a>]> {
        self.expect(Tok::LPAR)?;
        let items = self.with_items(Tok::RPAR)?;
        self.expect(Tok::COLON)?;
        Ok(items)
    }

    /// The items of a `with` statement, and the token after them. A comma may come before a
    /// parenthesis.
    fn with_items(&mut self, end: Tok) -> Parse<&'a [WithItem<'a>]> {
        let mut items = Vec::new();
        loop {
            let context_expr = self.expression()?;
            let optional_vars = if self.accept(Tok::AS) { Some(self.star_target()?) } else { None };
            items.push(WithItem { context_expr, optional_vars });
            if !self.accept(Tok::COMMA) || end == Tok::RPAR && self.kind() == Tok::RPAR {
                break;
            }
        }
        self.expect(end)?;
        Ok(self.slice(&items))
    }

    fn try_stmt(&mut self) -> Parse<StmtKind<'a>> {
        self.advance();
        self.expect(Tok::COLON)?;
        let body = self.block()?;
        let mut handlers = Vec::new();
        let mut star = None;
        while self.kind() == Tok::EXCEPT {
            let start = self.start();
            self.advance();
            let is_star = self.accept(Tok::STAR);
            if *star.get_or_insert(is_star) != is_star {
                return Err(Fail);
            }
            let mut type_ = None;
            let mut name = None;
            if is_star || self.kind() != Tok::COLON {
                type_ = Some(self.expression()?);
                name = self.optional_as_name()?;
            }
            self.expect(Tok::COLON)?;
            let body = self.block()?;
            handlers.push(ExceptHandler { type_, name, body, range: self.range(start) });
        }
        let orelse = if handlers.is_empty() { &[][..] } else { self.else_block()? };
        let finalbody = if self.accept(Tok::FINALLY) {
            self.expect(Tok::COLON)?;
            self.block()?
        } else if handlers.is_empty() {
            return Err(Fail);
        } else {
            &[]
        };
        let handlers = self.slice(&handlers);
        if star == Some(true) {
            self.check_version(11)?;
            return Ok(StmtKind::TryStar { body, handlers, orelse, finalbody });
        }
        Ok(StmtKind::Try { body, handlers, orelse, finalbody })
    }

    // ---- match --------------------------------------------------------------------------------

    /// `match_stmt`, or nothing if `match` is a name here.
    fn match_stmt(&mut self) -> Parse<Option<StmtKind<'a>>> {
        use Tok::*;
        let next = self.peek();
        if !(super::starts_expression(next) || next == STAR) {
            return Ok(None);
        }
        let ambiguous = matches!(next, LPAR | LSQB | MINUS | PLUS | STAR | NOT);
        let checkpoint = self.checkpoint();
        self.advance();
        let subject = match self.match_header() {
            Ok(subject) => subject,
            Err(Fail) if ambiguous => {
                self.go_back(checkpoint);
                return Ok(None);
            }
            Err(Fail) => return Err(Fail),
        };
        self.check_version(10)?;
        let mut cases = Vec::new();
        while self.at_soft_keyword(b"case") {
            self.forget_tokens();
            self.advance();
            let pattern = self.patterns()?;
            let guard = if self.accept(IF) { Some(self.named_expression()?) } else { None };
            self.expect(COLON)?;
            let body = self.block()?;
            cases.push(MatchCase { pattern, guard, body });
        }
        if self.kind() != DEDENT || cases.is_empty() {
            return Err(Fail);
        }
        self.skip();
        let cases = self.slice(&cases);
        Ok(Some(StmtKind::Match { subject, cases }))
    }

    /// The subject, up to the first `case`.
    fn match_header(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let starred = self.kind() == Tok::STAR;
        let mut subject = self.star_named_expression()?;
        if self.kind() == Tok::COMMA {
            let mark = self.exprs.len();
            self.exprs.push(subject);
            while self.accept(Tok::COMMA) {
                if self.kind() == Tok::COLON {
                    break;
                }
                let elt = self.star_named_expression()?;
                self.exprs.push(elt);
            }
            let elts = self.take_exprs(mark);
            subject = self.expr(ExprKind::Tuple { elts, ctx: ExprContext::Load }, start);
        } else if starred {
            return Err(Fail);
        }
        self.expect(Tok::COLON)?;
        self.expect(Tok::NEWLINE)?;
        self.expect(Tok::INDENT)?;
        if self.at_soft_keyword(b"case") { Ok(subject) } else { Err(Fail) }
    }
}
