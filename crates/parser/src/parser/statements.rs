//! Statements, and those without a block.

use super::{Fail, Parse, Parser, starts_expression};
use crate::ast::*;
use crate::token::Tok;

/// How deep CPython's parser calls itself from a statement to one in its block.
const STATEMENT_LEVELS: u32 = 12;

impl<'a> Parser<'a, '_> {
    /// `statement`: adds one compound statement, or a line of simple ones.
    pub(super) fn statement(&mut self) -> Parse<()> {
        self.forget_tokens();
        self.enter(STATEMENT_LEVELS)?;
        if !self.compound_stmt()? {
            self.simple_stmts()?;
        }
        self.leave(STATEMENT_LEVELS);
        Ok(())
    }

    /// `simple_stmts`, with their newline.
    pub(super) fn simple_stmts(&mut self) -> Parse<()> {
        self.simple_stmts_up_to_newline()?;
        self.skip();
        Ok(())
    }

    /// Simple statements, which a newline must follow.
    pub(super) fn simple_stmts_up_to_newline(&mut self) -> Parse<()> {
        loop {
            let start = self.start();
            let kind = self.simple_stmt()?;
            let range = self.range(start);
            self.stmts.push(Stmt { kind, range });
            let semicolon = self.accept(Tok::SEMI);
            if self.kind() == Tok::NEWLINE {
                return Ok(());
            }
            if !semicolon {
                return Err(Fail);
            }
        }
    }

    /// `simple_stmt`
    fn simple_stmt(&mut self) -> Parse<StmtKind<'a>> {
        match self.kind() {
            Tok::NAME if self.at_soft_keyword(b"type") && self.peek() == Tok::NAME => self.type_alias(),
            Tok::RETURN => self.return_stmt(),
            Tok::IMPORT => self.import_name(),
            Tok::FROM => self.import_from(),
            Tok::RAISE => self.raise_stmt(),
            Tok::PASS => self.keyword_stmt(StmtKind::Pass),
            Tok::BREAK => self.keyword_stmt(StmtKind::Break),
            Tok::CONTINUE => self.keyword_stmt(StmtKind::Continue),
            Tok::DEL => self.del_stmt(),
            Tok::YIELD => Ok(StmtKind::Expr { value: self.yield_expr()? }),
            Tok::ASSERT => self.assert_stmt(),
            Tok::GLOBAL => Ok(StmtKind::Global { names: self.names()? }),
            Tok::NONLOCAL => Ok(StmtKind::Nonlocal { names: self.names()? }),
            _ => self.assignment_or_expression(),
        }
    }

    fn keyword_stmt(&mut self, kind: StmtKind<'a>) -> Parse<StmtKind<'a>> {
        self.advance();
        Ok(kind)
    }

    /// `assignment`, or an expression as a statement.
    fn assignment_or_expression(&mut self) -> Parse<StmtKind<'a>> {
        let in_parentheses = self.kind() == Tok::LPAR;
        let value = self.star_expressions()?;
        match self.kind() {
            Tok::EQUAL => self.assignment(value),
            Tok::COLON => self.annotated_assignment(value, in_parentheses),
            kind => match augmented_operator(kind) {
                Some(op) => {
                    if op == Operator::MatMult {
                        self.check_version(5)?;
                    }
                    let target = self.to_single_target(value)?;
                    self.advance();
                    let value = self.yield_or_star_expressions()?;
                    Ok(StmtKind::AugAssign { target, op, value })
                }
                None => Ok(StmtKind::Expr { value }),
            },
        }
    }

    /// `target = ... = value`, from the first equals sign on.
    fn assignment(&mut self, first: &'a Expr<'a>) -> Parse<StmtKind<'a>> {
        let mark = self.exprs.len();
        let mut value = first;
        while self.kind() == Tok::EQUAL {
            let target = self.to_target(value, ExprContext::Store)?;
            self.exprs.push(target);
            self.advance();
            value = self.yield_or_star_expressions()?;
        }
        let targets = self.take_exprs(mark);
        let type_comment = self.type_comment();
        Ok(StmtKind::Assign { targets, value, type_comment })
    }

    /// `target: annotation [= value]`, from the colon on.
    fn annotated_assignment(
        &mut self,
        target: &'a Expr<'a>,
        in_parentheses: bool,
    ) -> Parse<StmtKind<'a>> {
        self.check_version(6)?;
        let target = self.to_single_target(target)?;
        let is_name = matches!(target.kind, ExprKind::Name { .. });
        self.advance();
        let annotation = self.expression()?;
        let value =
            if self.accept(Tok::EQUAL) { Some(self.yield_or_star_expressions()?) } else { None };
        let simple = (is_name && !in_parentheses) as i32;
        Ok(StmtKind::AnnAssign { target, annotation, value, simple })
    }

    /// A type comment, if there is one.
    pub(super) fn type_comment(&mut self) -> Option<&'a str> {
        if self.kind() != Tok::TYPE_COMMENT {
            return None;
        }
        let comment = self.core.type_comment(self.core.tok.text(&self.cur));
        self.advance();
        Some(comment)
    }

    /// `type_alias`
    fn type_alias(&mut self) -> Parse<StmtKind<'a>> {
        self.check_version(12)?;
        self.advance();
        let token = self.expect_name()?;
        let name = self.core.name(&token, ExprContext::Store);
        let type_params = self.type_params()?;
        self.expect(Tok::EQUAL)?;
        let value = self.expression()?;
        Ok(StmtKind::TypeAlias { name, type_params, value })
    }

    fn return_stmt(&mut self) -> Parse<StmtKind<'a>> {
        self.advance();
        let more = starts_expression(self.kind()) || self.kind() == Tok::STAR;
        let value = if more { Some(self.star_expressions()?) } else { None };
        Ok(StmtKind::Return { value })
    }

    fn raise_stmt(&mut self) -> Parse<StmtKind<'a>> {
        self.advance();
        if !starts_expression(self.kind()) {
            return Ok(StmtKind::Raise { exc: None, cause: None });
        }
        let exc = Some(self.expression()?);
        let cause = if self.accept(Tok::FROM) { Some(self.expression()?) } else { None };
        Ok(StmtKind::Raise { exc, cause })
    }

    fn assert_stmt(&mut self) -> Parse<StmtKind<'a>> {
        self.advance();
        let test = self.expression()?;
        let msg = if self.accept(Tok::COMMA) { Some(self.expression()?) } else { None };
        Ok(StmtKind::Assert { test, msg })
    }

    fn del_stmt(&mut self) -> Parse<StmtKind<'a>> {
        self.advance();
        let mark = self.exprs.len();
        loop {
            let target = self.primary()?;
            let target = self.to_target(target, ExprContext::Del)?;
            self.exprs.push(target);
            if !self.accept(Tok::COMMA) || matches!(self.kind(), Tok::SEMI | Tok::NEWLINE) {
                break;
            }
        }
        Ok(StmtKind::Delete { targets: self.take_exprs(mark) })
    }

    /// The names of a `global` or `nonlocal` statement.
    fn names(&mut self) -> Parse<&'a [&'a str]> {
        let mut names = Vec::new();
        loop {
            self.advance();
            let name = self.expect_name()?;
            names.push(self.core.identifier(&name));
            if self.kind() != Tok::COMMA {
                return Ok(self.slice(&names));
            }
        }
    }

    // ---- imports ------------------------------------------------------------------------------

    fn import_name(&mut self) -> Parse<StmtKind<'a>> {
        let mut names = Vec::new();
        loop {
            self.advance();
            let start = self.start();
            let name = self.dotted_name()?;
            let asname = self.optional_as_name()?;
            names.push(Alias { name, asname, range: self.range(start) });
            if self.kind() != Tok::COMMA {
                return Ok(StmtKind::Import { names: self.slice(&names) });
            }
        }
    }

    fn import_from(&mut self) -> Parse<StmtKind<'a>> {
        self.advance();
        let mut level = 0;
        loop {
            level += match self.kind() {
                Tok::DOT => 1,
                Tok::ELLIPSIS => 3,
                _ => break,
            };
            self.advance();
        }
        let module =
            if level > 0 && self.kind() == Tok::IMPORT { None } else { Some(self.dotted_name()?) };
        self.expect(Tok::IMPORT)?;
        let names = self.import_from_targets()?;
        if level == 0 && module == Some("__future__") {
            self.core.barry |= names.iter().any(|alias| alias.name == "barry_as_FLUFL");
        }
        Ok(StmtKind::ImportFrom { module, names, level: Some(level) })
    }

    /// `import_from_targets`
    fn import_from_targets(&mut self) -> Parse<&'a [Alias<'a>]> {
        let token = self.cur;
        if self.accept(Tok::STAR) {
            let star = Alias { name: "*", asname: None, range: token.range() };
            return Ok(self.slice(&[star]));
        }
        let parentheses = self.accept(Tok::LPAR);
        let mut names = Vec::new();
        loop {
            let start = self.start();
            let name = self.expect_name()?;
            let name = self.core.identifier(&name);
            let asname = self.optional_as_name()?;
            names.push(Alias { name, asname, range: self.range(start) });
            if !self.accept(Tok::COMMA) || parentheses && self.kind() == Tok::RPAR {
                break;
            }
        }
        if parentheses {
            self.expect(Tok::RPAR)?;
        }
        Ok(self.slice(&names))
    }

    /// `as NAME`, if it is there.
    pub(super) fn optional_as_name(&mut self) -> Parse<Option<&'a str>> {
        if !self.accept(Tok::AS) {
            return Ok(None);
        }
        let name = self.expect_name()?;
        Ok(Some(self.core.identifier(&name)))
    }

    /// `dotted_name`, joined.
    fn dotted_name(&mut self) -> Parse<&'a str> {
        let first = self.expect_name()?;
        let mut name = self.core.identifier(&first);
        while self.accept(Tok::DOT) {
            let next = self.expect_name()?;
            let next = self.core.identifier(&next);
            name = self.core.arena.alloc_str(&format!("{name}.{next}"));
        }
        Ok(name)
    }
}

/// The operator of an augmented assignment.
fn augmented_operator(kind: Tok) -> Option<Operator> {
    Some(match kind {
        Tok::PLUSEQUAL => Operator::Add,
        Tok::MINEQUAL => Operator::Sub,
        Tok::STAREQUAL => Operator::Mult,
        Tok::ATEQUAL => Operator::MatMult,
        Tok::SLASHEQUAL => Operator::Div,
        Tok::PERCENTEQUAL => Operator::Mod,
        Tok::AMPEREQUAL => Operator::BitAnd,
        Tok::VBAREQUAL => Operator::BitOr,
        Tok::CIRCUMFLEXEQUAL => Operator::BitXor,
        Tok::LEFTSHIFTEQUAL => Operator::LShift,
        Tok::RIGHTSHIFTEQUAL => Operator::RShift,
        Tok::DOUBLESTAREQUAL => Operator::Pow,
        Tok::DOUBLESLASHEQUAL => Operator::FloorDiv,
        _ => return None,
    })
}
