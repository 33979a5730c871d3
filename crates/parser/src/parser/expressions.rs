//! Expressions.

use super::{Fail, Parse, Parser, Start, starts_expression};
use crate::ast::*;
use crate::token::{Tok, Token};

/// How deep CPython's parser calls itself from one bracket to the next, at most.
const EXPRESSION_LEVELS: u32 = 40;

impl<'a> Parser<'a, '_> {
    /// `star_expressions`: expressions, some perhaps starred; more than one are a tuple.
    #[inline]
    pub(super) fn star_expressions(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let first = self.star_expression()?;
        if self.kind() != Tok::COMMA {
            return Ok(first);
        }
        self.rest_of_tuple(start, first, true)
    }

    /// `expressions`: the same without stars.
    pub(super) fn expressions(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let first = self.expression()?;
        if self.kind() != Tok::COMMA {
            return Ok(first);
        }
        self.rest_of_tuple(start, first, false)
    }

    /// What follows the first expression of a tuple without parentheses.
    fn rest_of_tuple(&mut self, start: Start, first: &'a Expr<'a>, stars: bool) -> Parse<&'a Expr<'a>> {
        let mark = self.exprs.len();
        self.exprs.push(first);
        while self.accept(Tok::COMMA) {
            if !(starts_expression(self.kind()) || stars && self.kind() == Tok::STAR) {
                break;
            }
            let elt = if stars { self.star_expression()? } else { self.expression()? };
            self.exprs.push(elt);
        }
        let elts = self.take_exprs(mark);
        Ok(self.expr(ExprKind::Tuple { elts, ctx: ExprContext::Load }, start))
    }

    /// `star_expression`
    #[inline]
    fn star_expression(&mut self) -> Parse<&'a Expr<'a>> {
        if self.kind() == Tok::STAR { self.starred_bitwise_or() } else { self.expression() }
    }

    /// `'*' bitwise_or`
    fn starred_bitwise_or(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        self.expect(Tok::STAR)?;
        let value = self.bitwise_or()?;
        Ok(self.expr(ExprKind::Starred { value, ctx: ExprContext::Load }, start))
    }

    /// `starred_expression`, in a call or a subscript: `'*' expression`
    fn starred_expression(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        self.expect(Tok::STAR)?;
        let value = self.expression()?;
        Ok(self.expr(ExprKind::Starred { value, ctx: ExprContext::Load }, start))
    }

    /// `star_named_expression`
    #[inline]
    pub(super) fn star_named_expression(&mut self) -> Parse<&'a Expr<'a>> {
        if self.kind() == Tok::STAR { self.starred_bitwise_or() } else { self.named_expression() }
    }

    /// `named_expression`: an expression, or an assignment expression.
    #[inline]
    pub(super) fn named_expression(&mut self) -> Parse<&'a Expr<'a>> {
        let pos = self.pos;
        let first = self.cur;
        let expr = self.expression()?;
        if self.kind() != Tok::COLONEQUAL {
            return Ok(expr);
        }
        self.check_version(8)?;
        if first.kind != Tok::NAME || self.pos != pos + 1 {
            return Err(Fail);
        }
        self.advance();
        let target = self.core.name(&first, ExprContext::Store);
        let value = self.expression()?;
        Ok(self.expr(ExprKind::NamedExpr { target, value }, (first.lineno, first.col_offset as u32)))
    }

    /// `yield_expr`
    pub(super) fn yield_expr(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        self.expect(Tok::YIELD)?;
        if self.accept(Tok::FROM) {
            let value = self.expression()?;
            return Ok(self.expr(ExprKind::YieldFrom { value }, start));
        }
        let more = starts_expression(self.kind()) || self.kind() == Tok::STAR;
        let value = if more { Some(self.star_expressions()?) } else { None };
        Ok(self.expr(ExprKind::Yield { value }, start))
    }

    /// `annotated_rhs`: what may stand to the right of an equals sign.
    pub(super) fn yield_or_star_expressions(&mut self) -> Parse<&'a Expr<'a>> {
        if self.kind() == Tok::YIELD { self.yield_expr() } else { self.star_expressions() }
    }

    /// `expression`: a disjunction, perhaps conditional, or a lambda.
    pub(super) fn expression(&mut self) -> Parse<&'a Expr<'a>> {
        self.enter(EXPRESSION_LEVELS)?;
        let expr = if self.kind() == Tok::LAMBDA {
            self.lambdef()
        } else {
            let start = self.start();
            let body = self.disjunction()?;
            if self.kind() == Tok::IF { self.conditional(start, body) } else { Ok(body) }
        };
        self.leave(EXPRESSION_LEVELS);
        expr
    }

    /// `if test else orelse` after the body.
    fn conditional(&mut self, start: Start, body: &'a Expr<'a>) -> Parse<&'a Expr<'a>> {
        self.expect(Tok::IF)?;
        let test = self.disjunction()?;
        self.expect(Tok::ELSE)?;
        let orelse = self.expression()?;
        Ok(self.expr(ExprKind::IfExp { test, body, orelse }, start))
    }

    /// `lambdef`
    fn lambdef(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        self.expect(Tok::LAMBDA)?;
        let args = self.lambda_params()?;
        self.expect(Tok::COLON)?;
        let body = self.expression()?;
        Ok(self.expr(ExprKind::Lambda { args, body }, start))
    }

    /// `disjunction`
    #[inline]
    pub(super) fn disjunction(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let first = self.conjunction()?;
        if self.kind() != Tok::OR {
            return Ok(first);
        }
        let mark = self.exprs.len();
        self.exprs.push(first);
        while self.accept(Tok::OR) {
            let value = self.conjunction()?;
            self.exprs.push(value);
        }
        let values = self.take_exprs(mark);
        Ok(self.expr(ExprKind::BoolOp { op: BoolOp::Or, values }, start))
    }

    /// `conjunction`
    #[inline]
    fn conjunction(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let first = self.inversion()?;
        if self.kind() != Tok::AND {
            return Ok(first);
        }
        let mark = self.exprs.len();
        self.exprs.push(first);
        while self.accept(Tok::AND) {
            let value = self.inversion()?;
            self.exprs.push(value);
        }
        let values = self.take_exprs(mark);
        Ok(self.expr(ExprKind::BoolOp { op: BoolOp::And, values }, start))
    }

    /// `inversion`
    fn inversion(&mut self) -> Parse<&'a Expr<'a>> {
        if self.kind() != Tok::NOT {
            return self.comparison();
        }
        let start = self.start();
        self.advance();
        self.enter(2)?;
        let operand = self.inversion()?;
        self.leave(2);
        Ok(self.expr(ExprKind::UnaryOp { op: UnaryOp::Not, operand }, start))
    }

    /// `comparison`
    #[inline]
    fn comparison(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let left = self.bitwise_or()?;
        let Some(first) = self.comparison_operator()? else { return Ok(left) };
        let mark = self.exprs.len();
        let value = self.bitwise_or()?;
        self.exprs.push(value);
        let mut more = Vec::new();
        while let Some(op) = self.comparison_operator()? {
            more.push(op);
            let value = self.bitwise_or()?;
            self.exprs.push(value);
        }
        let ops = if more.is_empty() {
            self.slice(&[first])
        } else {
            more.insert(0, first);
            self.slice(&more)
        };
        let comparators = self.take_exprs(mark);
        Ok(self.expr(ExprKind::Compare { left, ops, comparators }, start))
    }

    /// A comparison operator, if there is one.
    #[inline]
    fn comparison_operator(&mut self) -> Parse<Option<CmpOp>> {
        let op = match self.kind() {
            Tok::EQEQUAL => CmpOp::Eq,
            Tok::NOTEQUAL => {
                if !self.core.is_valid_notequal(&self.cur) {
                    return Err(Fail);
                }
                CmpOp::NotEq
            }
            Tok::LESS => CmpOp::Lt,
            Tok::LESSEQUAL => CmpOp::LtE,
            Tok::GREATER => CmpOp::Gt,
            Tok::GREATEREQUAL => CmpOp::GtE,
            Tok::IN => CmpOp::In,
            Tok::NOT => {
                self.advance();
                self.expect(Tok::IN)?;
                return Ok(Some(CmpOp::NotIn));
            }
            Tok::IS => {
                self.advance();
                let op = if self.accept(Tok::NOT) { CmpOp::IsNot } else { CmpOp::Is };
                return Ok(Some(op));
            }
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(op))
    }

    /// `bitwise_or` and all binary operators that bind tighter.
    #[inline]
    pub(super) fn bitwise_or(&mut self) -> Parse<&'a Expr<'a>> {
        self.binary(1)
    }

    /// Binary operators of at least this precedence, by precedence climbing.
    fn binary(&mut self, min_precedence: u8) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let mut left = self.factor()?;
        while let Some((op, precedence)) = binary_operator(self.kind()) {
            if precedence < min_precedence {
                break;
            }
            if op == Operator::MatMult {
                self.check_version(5)?;
            }
            self.advance();
            let right = self.binary(precedence + 1)?;
            left = self.expr(ExprKind::BinOp { left, op, right }, start);
        }
        Ok(left)
    }

    /// `factor`: a power, perhaps with a sign.
    fn factor(&mut self) -> Parse<&'a Expr<'a>> {
        let op = match self.kind() {
            Tok::PLUS => UnaryOp::UAdd,
            Tok::MINUS => UnaryOp::USub,
            Tok::TILDE => UnaryOp::Invert,
            _ => return self.power(),
        };
        let start = self.start();
        self.advance();
        self.enter(2)?;
        let operand = self.factor()?;
        self.leave(2);
        Ok(self.expr(ExprKind::UnaryOp { op, operand }, start))
    }

    /// `power`
    #[inline]
    fn power(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let left = self.await_primary()?;
        if !self.accept(Tok::DOUBLESTAR) {
            return Ok(left);
        }
        self.enter(3)?;
        let right = self.factor()?;
        self.leave(3);
        Ok(self.expr(ExprKind::BinOp { left, op: Operator::Pow, right }, start))
    }

    /// `await_primary`
    #[inline]
    fn await_primary(&mut self) -> Parse<&'a Expr<'a>> {
        if self.kind() != Tok::AWAIT {
            return self.primary();
        }
        self.check_version(5)?;
        let start = self.start();
        self.advance();
        let value = self.primary()?;
        Ok(self.expr(ExprKind::Await { value }, start))
    }

    /// `primary`: an atom with attributes, calls and subscripts.
    #[inline]
    pub(super) fn primary(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let mut value = self.atom()?;
        loop {
            match self.kind() {
                Tok::DOT => {
                    self.advance();
                    let name = self.expect_name()?;
                    let attr = self.core.identifier(&name);
                    let kind = ExprKind::Attribute { value, attr, ctx: ExprContext::Load };
                    value = self.expr(kind, start);
                }
                Tok::LPAR => value = self.call(start, value)?,
                Tok::LSQB => {
                    self.advance();
                    let slice = self.slices()?;
                    self.expect(Tok::RSQB)?;
                    let kind = ExprKind::Subscript { value, slice, ctx: ExprContext::Load };
                    value = self.expr(kind, start);
                }
                _ => return Ok(value),
            }
        }
    }

    /// `atom`
    #[inline]
    fn atom(&mut self) -> Parse<&'a Expr<'a>> {
        let token = self.cur;
        let value = match token.kind {
            Tok::NAME => {
                self.advance();
                return Ok(self.core.name(&token, ExprContext::Load));
            }
            Tok::NUMBER => return self.number(),
            Tok::STRING | Tok::FSTRING_START => return self.strings(),
            Tok::LPAR => return self.parenthesized(),
            Tok::LSQB => return self.list_or_listcomp(),
            Tok::LBRACE => return self.braces(),
            Tok::NONE => Constant::None,
            Tok::TRUE => Constant::True,
            Tok::FALSE => Constant::False,
            Tok::ELLIPSIS => Constant::Ellipsis,
            _ => return Err(Fail),
        };
        self.advance();
        Ok(self.core.constant(value, token.range()))
    }

    /// A NUMBER.
    pub(super) fn number(&mut self) -> Parse<&'a Expr<'a>> {
        let token = self.cur;
        if self.core.options.feature_version < 6 && self.core.tok.text(&token).contains(&b'_') {
            return Err(Fail);
        }
        self.advance();
        self.core.number(&token).map_err(|_| Fail)
    }

    // ---- brackets -------------------------------------------------------------------------------

    /// After `(`: `tuple`, `group` or `genexp`.
    fn parenthesized(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        self.expect(Tok::LPAR)?;
        if self.kind() == Tok::RPAR {
            self.advance();
            return Ok(self.expr(ExprKind::Tuple { elts: &[], ctx: ExprContext::Load }, start));
        }
        if self.kind() == Tok::YIELD {
            let expr = self.yield_expr()?;
            self.expect(Tok::RPAR)?;
            return Ok(expr);
        }
        let starred = self.kind() == Tok::STAR;
        let first = self.star_named_expression()?;
        match self.kind() {
            Tok::COMMA => {
                let mark = self.exprs.len();
                self.exprs.push(first);
                self.rest_of_elements(Tok::RPAR)?;
                let elts = self.take_exprs(mark);
                Ok(self.expr(ExprKind::Tuple { elts, ctx: ExprContext::Load }, start))
            }
            Tok::RPAR if !starred => {
                self.advance();
                Ok(first)
            }
            Tok::FOR | Tok::ASYNC if !starred => {
                let generators = self.for_if_clauses()?;
                self.expect(Tok::RPAR)?;
                Ok(self.expr(ExprKind::GeneratorExp { elt: first, generators }, start))
            }
            _ => Err(Fail),
        }
    }

    /// The elements of a tuple, list or set after the first, and the bracket.
    fn rest_of_elements(&mut self, close: Tok) -> Parse<()> {
        while self.accept(Tok::COMMA) {
            if self.kind() == close {
                break;
            }
            let elt = self.star_named_expression()?;
            self.exprs.push(elt);
        }
        self.expect(close)
    }

    /// After `[`: `list` or `listcomp`.
    fn list_or_listcomp(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        self.expect(Tok::LSQB)?;
        if self.accept(Tok::RSQB) {
            return Ok(self.expr(ExprKind::List { elts: &[], ctx: ExprContext::Load }, start));
        }
        let starred = self.kind() == Tok::STAR;
        let first = self.star_named_expression()?;
        if matches!(self.kind(), Tok::FOR | Tok::ASYNC) && !starred {
            let generators = self.for_if_clauses()?;
            self.expect(Tok::RSQB)?;
            return Ok(self.expr(ExprKind::ListComp { elt: first, generators }, start));
        }
        let mark = self.exprs.len();
        self.exprs.push(first);
        self.rest_of_elements(Tok::RSQB)?;
        let elts = self.take_exprs(mark);
        Ok(self.expr(ExprKind::List { elts, ctx: ExprContext::Load }, start))
    }

    /// After `{`: `dict`, `set`, `dictcomp` or `setcomp`.
    fn braces(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        self.expect(Tok::LBRACE)?;
        match self.kind() {
            Tok::RBRACE => {
                self.advance();
                return Ok(self.expr(ExprKind::Dict { keys: &[], values: &[] }, start));
            }
            Tok::DOUBLESTAR => return self.dict(start, None),
            _ => {}
        }
        let starred = self.kind() == Tok::STAR;
        let pos = self.pos;
        let first = self.star_named_expression()?;
        match self.kind() {
            Tok::COLON if !starred => {
                // An assignment expression must be in parentheses to be a key.
                let named = matches!(first.kind, ExprKind::NamedExpr { .. });
                if named && self.core.tokens[pos].kind == Tok::NAME {
                    return Err(Fail);
                }
                self.dict(start, Some(first))
            }
            Tok::FOR | Tok::ASYNC if !starred => {
                let generators = self.for_if_clauses()?;
                self.expect(Tok::RBRACE)?;
                Ok(self.expr(ExprKind::SetComp { elt: first, generators }, start))
            }
            _ => {
                let mark = self.exprs.len();
                self.exprs.push(first);
                self.rest_of_elements(Tok::RBRACE)?;
                let elts = self.take_exprs(mark);
                Ok(self.expr(ExprKind::Set { elts }, start))
            }
        }
    }

    /// A dict from `**` or from the colon after its first key.
    fn dict(&mut self, start: Start, first_key: Option<&'a Expr<'a>>) -> Parse<&'a Expr<'a>> {
        let mark = self.exprs.len();
        let keys_mark = self.keys.len();
        let mut key = first_key;
        loop {
            let value = match key {
                Some(_) => {
                    self.expect(Tok::COLON)?;
                    self.expression()?
                }
                None => {
                    self.expect(Tok::DOUBLESTAR)?;
                    self.bitwise_or()?
                }
            };
            if let (Some(key), true) =
                (key, self.exprs.len() == mark && matches!(self.kind(), Tok::FOR | Tok::ASYNC))
            {
                let generators = self.for_if_clauses()?;
                self.expect(Tok::RBRACE)?;
                return Ok(self.expr(ExprKind::DictComp { key, value, generators }, start));
            }
            self.keys.push(key);
            self.exprs.push(value);
            if !self.accept(Tok::COMMA) || self.kind() == Tok::RBRACE {
                break;
            }
            key = if self.kind() == Tok::DOUBLESTAR { None } else { Some(self.expression()?) };
        }
        self.expect(Tok::RBRACE)?;
        let keys = self.slice(&self.keys[keys_mark..]);
        self.keys.truncate(keys_mark);
        let values = self.take_exprs(mark);
        Ok(self.expr(ExprKind::Dict { keys, values }, start))
    }

    /// `for_if_clauses`
    fn for_if_clauses(&mut self) -> Parse<&'a [Comprehension<'a>]> {
        let mut clauses = Vec::new();
        while matches!(self.kind(), Tok::FOR | Tok::ASYNC) {
            let is_async = self.accept(Tok::ASYNC);
            if is_async {
                self.check_version(6)?;
            }
            self.expect(Tok::FOR)?;
            let target = self.star_targets()?;
            self.expect(Tok::IN)?;
            let iter = self.disjunction()?;
            let mark = self.exprs.len();
            while self.accept(Tok::IF) {
                let test = self.disjunction()?;
                self.exprs.push(test);
            }
            let ifs = self.take_exprs(mark);
            clauses.push(Comprehension { target, iter, ifs, is_async: is_async as i32 });
        }
        Ok(self.slice(&clauses))
    }

    // ---- calls and subscripts ---------------------------------------------------------------------

    /// A call, from its opening parenthesis.
    fn call(&mut self, start: Start, func: &'a Expr<'a>) -> Parse<&'a Expr<'a>> {
        let paren = self.cur;
        self.advance();
        let (args, keywords) = self.arguments(Some(&paren))?;
        Ok(self.expr(ExprKind::Call { func, args, keywords }, start))
    }

    /// `arguments`, with the closing parenthesis. A generator expression may go without its own
    /// parentheses if it is the only argument of a call, whose opening parenthesis is `paren`.
    pub(super) fn arguments(
        &mut self,
        paren: Option<&Token>,
    ) -> Parse<(&'a [&'a Expr<'a>], &'a [Keyword<'a>])> {
        let mark = self.exprs.len();
        let keywords_mark = self.keywords.len();
        let mut unpacked = false;
        while self.kind() != Tok::RPAR {
            let token = self.cur;
            match token.kind {
                Tok::STAR => {
                    if unpacked {
                        return Err(Fail);
                    }
                    let arg = self.starred_expression()?;
                    self.exprs.push(arg);
                }
                Tok::DOUBLESTAR => {
                    self.advance();
                    let value = self.expression()?;
                    unpacked = true;
                    let range = self.range((token.lineno, token.col_offset as u32));
                    self.keywords.push(Keyword { arg: None, value, range });
                }
                Tok::NAME if self.peek() == Tok::EQUAL => {
                    self.advance();
                    self.advance();
                    let value = self.expression()?;
                    let arg = Some(self.core.identifier(&token));
                    let range = self.range((token.lineno, token.col_offset as u32));
                    self.keywords.push(Keyword { arg, value, range });
                }
                _ => {
                    if self.keywords.len() > keywords_mark {
                        return Err(Fail);
                    }
                    let arg = self.named_expression()?;
                    if let (Some(paren), Tok::FOR | Tok::ASYNC) = (paren, self.kind()) {
                        return self.only_argument(mark, paren, arg);
                    }
                    self.exprs.push(arg);
                }
            }
            if !self.accept(Tok::COMMA) {
                break;
            }
        }
        self.expect(Tok::RPAR)?;
        let args = self.take_exprs(mark);
        let keywords = self.slice(&self.keywords[keywords_mark..]);
        self.keywords.truncate(keywords_mark);
        Ok((args, keywords))
    }

    /// A generator expression that is the only argument.
    fn only_argument(
        &mut self,
        mark: usize,
        paren: &Token,
        elt: &'a Expr<'a>,
    ) -> Parse<(&'a [&'a Expr<'a>], &'a [Keyword<'a>])> {
        if self.exprs.len() != mark {
            return Err(Fail);
        }
        let generators = self.for_if_clauses()?;
        self.expect(Tok::RPAR)?;
        let start = (paren.lineno, paren.col_offset as u32);
        let arg = self.expr(ExprKind::GeneratorExp { elt, generators }, start);
        Ok((self.one(arg), &[]))
    }

    /// `slices`
    fn slices(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let starred = self.kind() == Tok::STAR;
        let first = self.slice_or_starred()?;
        if self.kind() != Tok::COMMA && !starred {
            return Ok(first);
        }
        let mark = self.exprs.len();
        self.exprs.push(first);
        while self.accept(Tok::COMMA) {
            if self.kind() == Tok::RSQB {
                break;
            }
            let elt = self.slice_or_starred()?;
            self.exprs.push(elt);
        }
        let elts = self.take_exprs(mark);
        Ok(self.expr(ExprKind::Tuple { elts, ctx: ExprContext::Load }, start))
    }

    /// `slice`, or a starred expression.
    #[inline]
    fn slice_or_starred(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let mut lower = None;
        match self.kind() {
            Tok::STAR => return self.starred_expression(),
            Tok::COLON => {}
            _ => {
                let pos = self.pos;
                let expr = self.named_expression()?;
                if self.kind() != Tok::COLON {
                    return Ok(expr);
                }
                // An assignment expression must be in parentheses to be a bound.
                if matches!(expr.kind, ExprKind::NamedExpr { .. })
                    && self.core.tokens[pos].kind == Tok::NAME
                {
                    return Err(Fail);
                }
                lower = Some(expr);
            }
        }
        self.expect(Tok::COLON)?;
        let upper = self.optional_bound()?;
        let step = if self.accept(Tok::COLON) { self.optional_bound()? } else { None };
        Ok(self.expr(ExprKind::Slice { lower, upper, step }, start))
    }

    fn optional_bound(&mut self) -> Parse<Option<&'a Expr<'a>>> {
        if matches!(self.kind(), Tok::COLON | Tok::COMMA | Tok::RSQB) {
            return Ok(None);
        }
        self.expression().map(Some)
    }
}

/// A binary operator and how tight it binds.
#[inline]
fn binary_operator(kind: Tok) -> Option<(Operator, u8)> {
    Some(match kind {
        Tok::VBAR => (Operator::BitOr, 1),
        Tok::CIRCUMFLEX => (Operator::BitXor, 2),
        Tok::AMPER => (Operator::BitAnd, 3),
        Tok::LEFTSHIFT => (Operator::LShift, 4),
        Tok::RIGHTSHIFT => (Operator::RShift, 4),
        Tok::PLUS => (Operator::Add, 5),
        Tok::MINUS => (Operator::Sub, 5),
        Tok::STAR => (Operator::Mult, 6),
        Tok::SLASH => (Operator::Div, 6),
        Tok::DOUBLESLASH => (Operator::FloorDiv, 6),
        Tok::PERCENT => (Operator::Mod, 6),
        Tok::AT => (Operator::MatMult, 6),
        _ => return None,
    })
}
