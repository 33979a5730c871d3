//! Strings and f-strings.

use super::{Fail, Parse, Parser};
use crate::actions::WithDebugText;
use crate::ast::*;
use crate::token::Tok;

impl<'a> Parser<'a, '_> {
    /// `strings`: one or more literals side by side.
    pub(super) fn strings(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let first_token = self.cur;
        let first = self.string_or_fstring()?;
        if !matches!(self.kind(), Tok::STRING | Tok::FSTRING_START) {
            if first_token.kind == Tok::STRING {
                return Ok(first);
            }
            return self.core.concatenate_strings(&[first], self.range(start)).map_err(|_| Fail);
        }
        let mark = self.exprs.len();
        self.exprs.push(first);
        while matches!(self.kind(), Tok::STRING | Tok::FSTRING_START) {
            let string = self.string_or_fstring()?;
            self.exprs.push(string);
        }
        let range = self.range(start);
        let strings = self.core.concatenate_strings(&self.exprs[mark..], range).map_err(|_| Fail);
        self.exprs.truncate(mark);
        strings
    }

    fn string_or_fstring(&mut self) -> Parse<&'a Expr<'a>> {
        if self.kind() == Tok::FSTRING_START {
            return self.fstring();
        }
        let token = self.cur;
        // Its warnings come before those about the next token.
        let string = self.core.constant_from_string(&token).map_err(|_| Fail)?;
        self.advance();
        Ok(string)
    }

    /// `fstring`
    fn fstring(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.cur;
        self.expect(Tok::FSTRING_START)?;
        let mark = self.exprs.len();
        loop {
            let item = match self.kind() {
                Tok::FSTRING_MIDDLE => {
                    let item = self.core.constant_from_token(&self.cur).map_err(|_| Fail)?;
                    self.advance();
                    item
                }
                Tok::LBRACE => self.replacement_field()?,
                _ => break,
            };
            self.exprs.push(item);
        }
        let end = self.cur;
        if end.kind != Tok::FSTRING_END {
            return Err(Fail);
        }
        let joined = self.core.joined_str(&start, &self.exprs[mark..], &end).map_err(|_| Fail)?;
        self.exprs.truncate(mark);
        self.advance();
        Ok(joined)
    }

    /// `fstring_replacement_field`
    fn replacement_field(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        self.expect(Tok::LBRACE)?;
        let value = self.yield_or_star_expressions()?;
        let debug = self.accept(Tok::EQUAL);
        let conversion =
            if self.kind() == Tok::EXCLAMATION { Some(self.fstring_conversion()?) } else { None };
        let format = if self.kind() == Tok::COLON { Some(self.format_spec()?) } else { None };
        let brace = self.cur;
        self.expect(Tok::RBRACE)?;
        let range = self.range(start);
        Ok(self.core.formatted_value(value, debug, conversion, format, &brace, range))
    }

    /// `fstring_conversion`: `!s`, `!r` or `!a`.
    fn fstring_conversion(&mut self) -> Parse<WithDebugText<'a, &'a Expr<'a>>> {
        let mark = self.cur;
        self.advance();
        let name = self.expect_name()?;
        if mark.lineno != name.lineno || mark.end_col_offset != name.col_offset {
            return Err(Fail);
        }
        let result = self.core.name(&name, ExprContext::Load);
        if !matches!(result.kind, ExprKind::Name { id: "s" | "r" | "a", .. }) {
            return Err(Fail);
        }
        Ok(WithDebugText { result, text: self.core.debug_text(&mark) })
    }

    /// `fstring_full_format_spec`
    fn format_spec(&mut self) -> Parse<WithDebugText<'a, &'a Expr<'a>>> {
        let start = self.start();
        let colon = self.cur;
        self.advance();
        let mark = self.exprs.len();
        loop {
            let item = match self.kind() {
                Tok::FSTRING_MIDDLE => {
                    let token = self.cur;
                    self.advance();
                    self.core.decoded_constant_from_token(&token).map_err(|_| Fail)?
                }
                Tok::LBRACE => self.replacement_field()?,
                _ => break,
            };
            self.exprs.push(item);
        }
        let range = self.range(start);
        let spec = self.core.full_format_spec(&self.exprs[mark..], range).map_err(|_| Fail);
        self.exprs.truncate(mark);
        Ok(WithDebugText { result: spec?, text: self.core.debug_text(&colon) })
    }
}
