//! Actions that make nodes out of parsed parts, where that takes more than filling in fields:
//! targets, strings and f-strings.

use crate::ast::*;
use crate::core::{ActionError, Core};
use crate::literals::{self, LiteralError};
use crate::source::find_byte;
use crate::token::{Tok, Token};

/// A part of a node that belongs to a token with the text of a `=` expression.
#[derive(Clone, Copy)]
pub(crate) struct WithDebugText<'a, T> {
    pub result: T,
    /// The text of the expression before the token, if an equals sign was seen.
    pub text: Option<&'a [u8]>,
}

impl<'a> Core<'a, '_> {
    /// A new node.
    #[inline]
    pub fn expr(&self, kind: ExprKind<'a>, range: Range) -> &'a Expr<'a> {
        self.arena.alloc(Expr { kind, range })
    }

    /// A constant.
    #[inline]
    pub fn constant(&self, value: Constant<'a>, range: Range) -> &'a Expr<'a> {
        self.expr(ExprKind::Constant { value, kind: None }, range)
    }

    /// The name that a token is.
    #[inline]
    pub fn name(&self, token: &Token, ctx: ExprContext) -> &'a Expr<'a> {
        self.expr(ExprKind::Name { id: self.identifier(token), ctx }, token.range())
    }

    /// The same expression in another context.
    pub fn set_expr_context(&self, expr: &'a Expr<'a>, ctx: ExprContext) -> &'a Expr<'a> {
        let kind = match expr.kind {
            ExprKind::Name { id, .. } => ExprKind::Name { id, ctx },
            ExprKind::Tuple { elts, .. } => ExprKind::Tuple { elts: self.set_seq_context(elts, ctx), ctx },
            ExprKind::List { elts, .. } => ExprKind::List { elts: self.set_seq_context(elts, ctx), ctx },
            ExprKind::Subscript { value, slice, .. } => ExprKind::Subscript { value, slice, ctx },
            ExprKind::Attribute { value, attr, .. } => ExprKind::Attribute { value, attr, ctx },
            ExprKind::Starred { value, .. } => {
                ExprKind::Starred { value: self.set_expr_context(value, ctx), ctx }
            }
            _ => return expr,
        };
        self.expr(kind, expr.range)
    }

    fn set_seq_context(&self, elts: &'a [&'a Expr<'a>], ctx: ExprContext) -> &'a [&'a Expr<'a>] {
        self.arena.alloc_slice_fill_iter(elts.iter().map(|elt| self.set_expr_context(elt, ctx)))
    }

    /// The value of a NUMBER token.
    #[inline]
    pub fn number(&self, token: &Token) -> Result<&'a Expr<'a>, ActionError> {
        let text = self.tok.text(token);
        let value = literals::parse_number(self.arena, text, self.options.int_max_str_digits)
            .map_err(|error| ActionError::Literal(error, *token))?;
        Ok(self.constant(value, token.range()))
    }

    /// The value of a STRING token.
    pub fn constant_from_string(&mut self, token: &Token) -> Result<&'a Expr<'a>, ActionError> {
        let parts = literals::string_parts(self.tok.text(token));
        let mut invalid = None;
        let decoded = if parts.bytes {
            literals::decode_bytes(self.arena, parts.body, parts.raw, &mut invalid)
        } else {
            let lookup = self.options.lookup_name;
            let raw = parts.raw || find_byte(parts.body, b'\\').is_none();
            literals::decode_string(self.arena, parts.body, raw, lookup, &mut invalid)
        };
        let value = decoded.map_err(|error| ActionError::Literal(error, *token))?;
        if let Some(invalid) = invalid {
            self.warn_invalid_escape(token, parts.body, invalid);
        }
        let value = if parts.bytes { Constant::Bytes(value) } else { Constant::Str(value) };
        let kind = parts.u_prefix.then_some("u");
        Ok(self.expr(ExprKind::Constant { value, kind }, token.range()))
    }

    // ---- f-strings ------------------------------------------------------------------------------

    /// The characters of an f-string, not decoded yet.
    pub fn constant_from_token(&self, token: &Token) -> Result<&'a Expr<'a>, ActionError> {
        let text = self.tok.text(token);
        literals::check_utf8(text, true).map_err(ActionError::Decode)?;
        Ok(self.constant(Constant::Str(text), token.range()))
    }

    /// The characters of a format specifier.
    pub fn decoded_constant_from_token(&mut self, token: &Token) -> Result<&'a Expr<'a>, ActionError> {
        let text = self.tok.text(token);
        let value = self.decode_fstring(text, false, token).map_err(ActionError::Decode)?;
        Ok(self.constant(Constant::Str(value), token.range()))
    }

    fn decode_fstring(&mut self, text: &'a [u8], raw: bool, token: &Token) -> Result<&'a [u8], LiteralError> {
        let mut invalid = None;
        let lookup = self.options.lookup_name;
        let value = literals::decode_string(self.arena, text, raw, lookup, &mut invalid)?;
        if let Some(invalid) = invalid {
            self.warn_invalid_escape(token, text, invalid);
        }
        Ok(value)
    }

    /// The text of the expression that a token ends, if it is one that shows it.
    pub fn debug_text(&self, token: &Token) -> Option<&'a [u8]> {
        let texts = &self.tok.debug_texts;
        let found = texts.binary_search_by_key(&token.start, |&(start, ..)| start).ok()?;
        let (_, from, to) = texts[found];
        let text = self.tok.buf.get(from as usize..to as usize)?;
        if !text.contains(&b'#') {
            return Some(text);
        }
        // Comments are left out.
        let mut shown = Vec::with_capacity(text.len());
        let mut in_comment = false;
        for &c in text {
            in_comment = c != b'\n' && (in_comment || c == b'#');
            if !in_comment {
                shown.push(c);
            }
        }
        Some(self.arena.alloc_slice_copy(&shown))
    }

    /// A replacement field, from its opening to its closing brace. With `=` there are two nodes,
    /// the text and the value, in a JoinedStr.
    pub fn formatted_value(
        &self,
        value: &'a Expr<'a>,
        debug: bool,
        conversion: Option<WithDebugText<'a, &'a Expr<'a>>>,
        format: Option<WithDebugText<'a, &'a Expr<'a>>>,
        closing_brace: &Token,
        range: Range,
    ) -> &'a Expr<'a> {
        let letter = match conversion {
            Some(WithDebugText { result: Expr { kind: ExprKind::Name { id, .. }, .. }, .. }) => {
                id.bytes().next().map_or(-1, i32::from)
            }
            _ if debug && format.is_none() => b'r' as i32,
            _ => -1,
        };
        let format_spec = format.map(|format| format.result);
        let formatted =
            self.expr(ExprKind::FormattedValue { value, conversion: letter, format_spec }, range);
        if !debug {
            return formatted;
        }
        let (end_lineno, end_col, text) = if let Some(conversion) = conversion {
            let name = conversion.result.range;
            (name.lineno, name.col_offset, conversion.text)
        } else if let Some(format) = format {
            let spec = format.result.range;
            (spec.lineno, spec.col_offset + 1, format.text)
        } else {
            (range.end_lineno, range.end_col_offset, self.debug_text(closing_brace))
        };
        let text_range = Range {
            lineno: range.lineno,
            col_offset: range.col_offset + 1,
            end_lineno,
            end_col_offset: end_col.wrapping_sub(1),
        };
        let text = self.constant(Constant::Str(text.unwrap_or(b"")), text_range);
        let values = self.arena.alloc_slice_copy(&[text, formatted]);
        let range = Range { end_lineno, end_col_offset: end_col, ..range };
        self.expr(ExprKind::JoinedStr { values }, range)
    }

    /// A format specifier, from its colon on.
    pub fn full_format_spec(
        &self,
        spec: &[&'a Expr<'a>],
        range: Range,
    ) -> Result<&'a Expr<'a>, ActionError> {
        let parts: Vec<_> = spec.iter().copied().filter(|part| !is_empty_str(part)).collect();
        match parts[..] {
            [] | [Expr { kind: ExprKind::Constant { .. }, .. }] => {
                let values = self.arena.alloc_slice_copy(&parts);
                Ok(self.expr(ExprKind::JoinedStr { values }, range))
            }
            _ => self.concatenate_strings(&parts, range),
        }
    }

    /// An f-string, between its FSTRING_START and FSTRING_END.
    pub fn joined_str(
        &mut self,
        start: &Token,
        items: &[&'a Expr<'a>],
        end: &Token,
    ) -> Result<&'a Expr<'a>, ActionError> {
        let raw = self.tok.text(start).iter().any(|c| matches!(c, b'r' | b'R'));
        let mut values = Vec::with_capacity(items.len());
        for &item in items {
            match item.kind {
                // The two nodes of a field with `=`.
                ExprKind::JoinedStr { values: pair } => values.extend_from_slice(pair),
                ExprKind::Constant { value: Constant::Str(text), .. } => {
                    let raw = raw || find_byte(text, b'\\').is_none();
                    let decoded = self
                        .decode_fstring(text, raw, end)
                        .map_err(|error| ActionError::Literal(error, *end))?;
                    if !decoded.is_empty() {
                        values.push(self.constant(Constant::Str(decoded), item.range));
                    }
                }
                _ => values.push(item),
            }
        }
        let values = self.arena.alloc_slice_copy(&values);
        Ok(self.expr(ExprKind::JoinedStr { values }, start.range().to(end.range())))
    }

    /// Strings and f-strings side by side.
    pub fn concatenate_strings(
        &self,
        strings: &[&'a Expr<'a>],
        range: Range,
    ) -> Result<&'a Expr<'a>, ActionError> {
        let is_bytes = |e: &&Expr| {
            matches!(e.kind, ExprKind::Constant { value: Constant::Bytes(_), .. })
        };
        let bytes = strings.iter().filter(|e| is_bytes(e)).count();
        if bytes > 0 {
            if bytes < strings.len() {
                return Err(ActionError::MixedLiterals);
            }
            let (text, kind) = self.join_constants(strings);
            return Ok(self.expr(ExprKind::Constant { value: Constant::Bytes(text), kind }, range));
        }
        let fstring = strings.iter().any(|e| !matches!(e.kind, ExprKind::Constant { .. }));
        if !fstring && strings.len() == 1 {
            return Ok(strings[0]);
        }
        let mut flat: Vec<&'a Expr<'a>> = Vec::with_capacity(strings.len());
        for string in strings {
            match string.kind {
                ExprKind::JoinedStr { values } => flat.extend_from_slice(values),
                _ => flat.push(string),
            }
        }
        let mut values = Vec::with_capacity(flat.len());
        let mut rest = &flat[..];
        while let Some(&first) = rest.first() {
            let is_constant = |e: &&&Expr| matches!(e.kind, ExprKind::Constant { .. });
            let run = rest.iter().take_while(is_constant).count();
            let (constants, others) = rest.split_at(run.max(1));
            rest = others;
            let mut elem = first;
            if run > 1 {
                let (text, kind) = self.join_constants(constants);
                let range = first.range.to(constants[run - 1].range);
                elem = self.expr(ExprKind::Constant { value: Constant::Str(text), kind }, range);
            }
            if !(fstring && is_empty_str(elem)) {
                values.push(elem);
            }
        }
        if !fstring {
            return values.first().copied().ok_or(ActionError::MixedLiterals);
        }
        let values = self.arena.alloc_slice_copy(&values);
        Ok(self.expr(ExprKind::JoinedStr { values }, range))
    }

    /// The text of several constants, and the prefix of the first one.
    fn join_constants(&self, constants: &[&'a Expr<'a>]) -> (&'a [u8], Option<&'a str>) {
        let mut text = Vec::new();
        let mut first_kind = None;
        for (i, constant) in constants.iter().enumerate() {
            if let ExprKind::Constant { value: Constant::Str(part) | Constant::Bytes(part), kind } =
                constant.kind
            {
                text.extend_from_slice(part);
                if i == 0 {
                    first_kind = kind;
                }
            }
        }
        (self.arena.alloc_slice_copy(&text), first_kind)
    }

    /// May this token mean `!=`? With `barry_as_FLUFL`, it must be written `<>`.
    pub fn is_valid_notequal(&self, token: &Token) -> bool {
        token.kind == Tok::NOTEQUAL && (self.tok.text(token) == b"<>") == self.barry
    }
}

fn is_empty_str(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Constant { value: Constant::Str(text), .. } if text.is_empty())
}
