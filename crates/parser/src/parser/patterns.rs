//! Patterns of `case` blocks.

use super::{Fail, Parse, Parser, Start};
use crate::ast::*;
use crate::token::{Tok, Token};

/// How deep CPython's parser calls itself from a pattern to one in it.
const PATTERN_LEVELS: u32 = 20;

impl<'a> Parser<'a, '_> {
    fn pattern_node(&self, kind: PatternKind<'a>, start: Start) -> &'a Pattern<'a> {
        self.core.arena.alloc(Pattern { kind, range: self.range(start) })
    }

    /// `patterns`: one, or several without brackets.
    pub(super) fn patterns(&mut self) -> Parse<&'a Pattern<'a>> {
        let start = self.start();
        let starred = self.kind() == Tok::STAR;
        let first = self.maybe_star_pattern()?;
        if self.kind() != Tok::COMMA {
            return if starred { Err(Fail) } else { Ok(first) };
        }
        let patterns = self.rest_of_sequence(first, |kind| matches!(kind, Tok::COLON | Tok::IF))?;
        Ok(self.pattern_node(PatternKind::MatchSequence { patterns }, start))
    }

    /// The patterns after the first of a sequence.
    fn rest_of_sequence(
        &mut self,
        first: &'a Pattern<'a>,
        at_end: fn(Tok) -> bool,
    ) -> Parse<&'a [&'a Pattern<'a>]> {
        let mut patterns = vec![first];
        while self.accept(Tok::COMMA) {
            if at_end(self.kind()) {
                break;
            }
            patterns.push(self.maybe_star_pattern()?);
        }
        Ok(self.slice(&patterns))
    }

    /// `maybe_star_pattern`
    fn maybe_star_pattern(&mut self) -> Parse<&'a Pattern<'a>> {
        if self.kind() != Tok::STAR {
            return self.pattern();
        }
        let start = self.start();
        self.advance();
        let name = if self.at_soft_keyword(b"_") {
            self.advance();
            None
        } else {
            Some(self.pattern_capture_target()?)
        };
        Ok(self.pattern_node(PatternKind::MatchStar { name }, start))
    }

    /// `pattern`: alternatives, perhaps with a name for the whole.
    fn pattern(&mut self) -> Parse<&'a Pattern<'a>> {
        self.enter(PATTERN_LEVELS)?;
        let start = self.start();
        let mut pattern = self.or_pattern()?;
        if self.accept(Tok::AS) {
            let name = Some(self.pattern_capture_target()?);
            pattern = self.pattern_node(PatternKind::MatchAs { pattern: Some(pattern), name }, start);
        }
        self.leave(PATTERN_LEVELS);
        Ok(pattern)
    }

    /// `pattern_capture_target`: a name other than `_` that nothing of a longer one follows.
    fn pattern_capture_target(&mut self) -> Parse<&'a str> {
        if self.at_soft_keyword(b"_") {
            return Err(Fail);
        }
        let name = self.expect_name()?;
        if matches!(self.kind(), Tok::DOT | Tok::LPAR | Tok::EQUAL) {
            return Err(Fail);
        }
        Ok(self.core.identifier(&name))
    }

    /// `or_pattern`
    fn or_pattern(&mut self) -> Parse<&'a Pattern<'a>> {
        let start = self.start();
        let first = self.closed_pattern()?;
        if self.kind() != Tok::VBAR {
            return Ok(first);
        }
        let mut patterns = vec![first];
        while self.accept(Tok::VBAR) {
            patterns.push(self.closed_pattern()?);
        }
        let patterns = self.slice(&patterns);
        Ok(self.pattern_node(PatternKind::MatchOr { patterns }, start))
    }

    /// `closed_pattern`
    fn closed_pattern(&mut self) -> Parse<&'a Pattern<'a>> {
        let start = self.start();
        let kind = match self.kind() {
            Tok::NUMBER | Tok::MINUS | Tok::STRING | Tok::FSTRING_START => {
                PatternKind::MatchValue { value: self.literal_expr()? }
            }
            Tok::NONE => self.singleton(Constant::None),
            Tok::TRUE => self.singleton(Constant::True),
            Tok::FALSE => self.singleton(Constant::False),
            Tok::NAME => return self.name_pattern(),
            Tok::LPAR => return self.parenthesized_pattern(),
            Tok::LSQB => {
                self.advance();
                let patterns = self.sequence_elements(Tok::RSQB)?;
                PatternKind::MatchSequence { patterns }
            }
            Tok::LBRACE => self.mapping_pattern()?,
            _ => return Err(Fail),
        };
        Ok(self.pattern_node(kind, start))
    }

    fn singleton(&mut self, value: Constant<'a>) -> PatternKind<'a> {
        self.advance();
        PatternKind::MatchSingleton { value }
    }

    /// `literal_expr`, but for None, True and False.
    fn literal_expr(&mut self) -> Parse<&'a Expr<'a>> {
        if matches!(self.kind(), Tok::STRING | Tok::FSTRING_START) {
            return self.strings();
        }
        let start = self.start();
        let negative = self.accept(Tok::MINUS);
        if self.kind() != Tok::NUMBER {
            return Err(Fail);
        }
        let mut left = self.number()?;
        let real = !is_imaginary(left);
        if negative {
            left = self.expr(ExprKind::UnaryOp { op: UnaryOp::USub, operand: left }, start);
        }
        let op = match self.kind() {
            Tok::PLUS => Operator::Add,
            Tok::MINUS => Operator::Sub,
            _ => return Ok(left),
        };
        self.advance();
        if !real || self.kind() != Tok::NUMBER {
            return Err(Fail);
        }
        let right = self.number()?;
        if !is_imaginary(right) {
            return Err(Fail);
        }
        Ok(self.expr(ExprKind::BinOp { left, op, right }, start))
    }

    /// A capture, a wildcard, a dotted name, or a class.
    fn name_pattern(&mut self) -> Parse<&'a Pattern<'a>> {
        let start = self.start();
        if self.at_soft_keyword(b"_") {
            self.advance();
            return Ok(self.pattern_node(PatternKind::MatchAs { pattern: None, name: None }, start));
        }
        let token = self.expect_name()?;
        let value = self.name_or_attr(token)?;
        let kind = match (self.kind(), value.kind) {
            (Tok::LPAR, _) => self.class_pattern(value)?,
            (Tok::EQUAL, _) => return Err(Fail),
            (_, ExprKind::Name { id, .. }) => PatternKind::MatchAs { pattern: None, name: Some(id) },
            _ => PatternKind::MatchValue { value },
        };
        Ok(self.pattern_node(kind, start))
    }

    /// `name_or_attr`, from behind its first name.
    fn name_or_attr(&mut self, first: Token) -> Parse<&'a Expr<'a>> {
        let start = (first.lineno, first.col_offset as u32);
        let mut value = self.core.name(&first, ExprContext::Load);
        while self.accept(Tok::DOT) {
            let name = self.expect_name()?;
            let attr = self.core.identifier(&name);
            value = self.expr(ExprKind::Attribute { value, attr, ctx: ExprContext::Load }, start);
        }
        Ok(value)
    }

    /// `group_pattern`, or a sequence in parentheses.
    fn parenthesized_pattern(&mut self) -> Parse<&'a Pattern<'a>> {
        let start = self.start();
        self.advance();
        if self.accept(Tok::RPAR) {
            return Ok(self.pattern_node(PatternKind::MatchSequence { patterns: &[] }, start));
        }
        let starred = self.kind() == Tok::STAR;
        let first = self.maybe_star_pattern()?;
        if self.kind() != Tok::COMMA {
            self.expect(Tok::RPAR)?;
            return if starred { Err(Fail) } else { Ok(first) };
        }
        let patterns = self.rest_of_sequence(first, |kind| kind == Tok::RPAR)?;
        self.expect(Tok::RPAR)?;
        Ok(self.pattern_node(PatternKind::MatchSequence { patterns }, start))
    }

    /// The elements of a sequence pattern, and its bracket.
    fn sequence_elements(&mut self, close: Tok) -> Parse<&'a [&'a Pattern<'a>]> {
        let mut patterns = Vec::new();
        while self.kind() != close {
            patterns.push(self.maybe_star_pattern()?);
            if !self.accept(Tok::COMMA) {
                break;
            }
        }
        self.expect(close)?;
        Ok(self.slice(&patterns))
    }

    /// `mapping_pattern`
    fn mapping_pattern(&mut self) -> Parse<PatternKind<'a>> {
        self.advance();
        let mut keys = Vec::new();
        let mut patterns = Vec::new();
        let mut rest = None;
        while self.kind() != Tok::RBRACE {
            if rest.is_some() {
                return Err(Fail);
            }
            if self.accept(Tok::DOUBLESTAR) {
                rest = Some(self.pattern_capture_target()?);
            } else {
                keys.push(self.mapping_key()?);
                self.expect(Tok::COLON)?;
                patterns.push(self.pattern()?);
            }
            if !self.accept(Tok::COMMA) {
                break;
            }
        }
        self.expect(Tok::RBRACE)?;
        let keys = self.slice(&keys);
        let patterns = self.slice(&patterns);
        Ok(PatternKind::MatchMapping { keys, patterns, rest })
    }

    /// A literal or a dotted name.
    fn mapping_key(&mut self) -> Parse<&'a Expr<'a>> {
        let token = self.cur;
        let value = match token.kind {
            Tok::NONE => Constant::None,
            Tok::TRUE => Constant::True,
            Tok::FALSE => Constant::False,
            Tok::NAME => {
                self.advance();
                let value = self.name_or_attr(token)?;
                let dotted = matches!(value.kind, ExprKind::Attribute { .. });
                return if dotted { Ok(value) } else { Err(Fail) };
            }
            _ => return self.literal_expr(),
        };
        self.advance();
        Ok(self.core.constant(value, token.range()))
    }

    /// `class_pattern`, from its opening parenthesis.
    fn class_pattern(&mut self, cls: &'a Expr<'a>) -> Parse<PatternKind<'a>> {
        self.advance();
        let mut patterns = Vec::new();
        let mut kwd_attrs = Vec::new();
        let mut kwd_patterns = Vec::new();
        while self.kind() != Tok::RPAR {
            if self.kind() == Tok::NAME && self.peek() == Tok::EQUAL {
                kwd_attrs.push(self.core.identifier(&self.cur));
                self.advance();
                self.advance();
                kwd_patterns.push(self.pattern()?);
            } else if kwd_attrs.is_empty() {
                patterns.push(self.pattern()?);
            } else {
                return Err(Fail);
            }
            if !self.accept(Tok::COMMA) {
                break;
            }
        }
        self.expect(Tok::RPAR)?;
        let patterns = self.slice(&patterns);
        let kwd_attrs = self.slice(&kwd_attrs);
        let kwd_patterns = self.slice(&kwd_patterns);
        Ok(PatternKind::MatchClass { cls, patterns, kwd_attrs, kwd_patterns })
    }
}

fn is_imaginary(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Constant { value: Constant::Complex { .. }, .. })
}
