//! Numbers, strings and f-strings.

use super::{Diagnosis, R, Rule, choice};
use crate::actions::WithDebugText;
use crate::ast::*;
use crate::token::Tok;

impl<'a> Diagnosis<'a, '_> {
    pub(super) fn number(&mut self) -> R<&'a Expr<'a>> {
        let token = self.t(Tok::NUMBER)?;
        if self.core.options.feature_version < 6 && self.core.tok.text(&token).contains(&b'_') {
            let msg = "Underscores in numeric literals are only supported in Python 3.6 and greater";
            return self.raise(msg.into());
        }
        let number = self.core.number(&token);
        self.action(number)
    }

    pub(super) fn strings(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::Strings, |p| {
            let s = p.start()?;
            let a = p.plus(|p| p.rule(|p| choice!(p, |p| p.fstring(), |p| p.string())))?;
            let strings = p.core.concatenate_strings(&a, p.extra(s));
            p.action(strings)
        })
    }

    fn string(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let token = p.t(Tok::STRING)?;
            let string = p.core.constant_from_string(&token);
            p.action(string)
        })
    }

    fn fstring(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let a = p.t(Tok::FSTRING_START)?;
            let b = p.star(|p| p.fstring_middle())?;
            let c = p.t(Tok::FSTRING_END)?;
            let joined = p.core.joined_str(&a, &b, &c);
            p.action(joined)
        })
    }

    fn fstring_middle(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.fstring_replacement_field(),
                |p| {
                    let token = p.t(Tok::FSTRING_MIDDLE)?;
                    let constant = p.core.constant_from_token(&token);
                    p.action(constant)
                },
            )
        })
    }

    fn fstring_replacement_field(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::LBRACE)?;
                    let a = p.annotated_rhs()?;
                    let debug = p.opt_t(Tok::EQUAL)?.is_some();
                    let conversion = p.opt(|p| p.fstring_conversion())?;
                    let format = p.opt(|p| p.fstring_full_format_spec())?;
                    let brace = p.t(Tok::RBRACE)?;
                    if let Some(conversion) = conversion {
                        p.check_conversion(conversion.result)?;
                    }
                    let range = p.extra(s);
                    Ok(p.core.formatted_value(a, debug, conversion, format, &brace, range))
                },
                |p| p.invalid(|p| p.invalid_replacement_field()),
            )
        })
    }

    fn check_conversion(&mut self, conversion: &'a Expr<'a>) -> R<()> {
        match conversion.kind {
            ExprKind::Name { id: "s" | "r" | "a", .. } => Ok(()),
            ExprKind::Name { id, .. } => self.raise_known_location(
                conversion.range,
                format!("f-string: invalid conversion character '{id}': expected 's', 'r', or 'a'"),
            ),
            _ => Ok(()),
        }
    }

    fn fstring_conversion(&mut self) -> R<WithDebugText<'a, &'a Expr<'a>>> {
        self.rule(|p| {
            let mark = p.t(Tok::EXCLAMATION)?;
            let result = p.name()?;
            let name = result.range;
            if mark.lineno != name.lineno || mark.end_col_offset != name.col_offset as i32 {
                let msg = "f-string: conversion type must come right after the exclamanation mark";
                return p.raise_known_range(mark.range(), name, msg.into());
            }
            Ok(WithDebugText { result, text: p.core.debug_text(&mark) })
        })
    }

    fn fstring_full_format_spec(&mut self) -> R<WithDebugText<'a, &'a Expr<'a>>> {
        self.rule(|p| {
            let s = p.start()?;
            let colon = p.t(Tok::COLON)?;
            let spec = p.star(|p| p.fstring_format_spec())?;
            let spec = p.core.full_format_spec(&spec, p.extra(s));
            let result = p.action(spec)?;
            Ok(WithDebugText { result, text: p.core.debug_text(&colon) })
        })
    }

    pub(super) fn fstring_format_spec(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    let token = p.t(Tok::FSTRING_MIDDLE)?;
                    let constant = p.core.decoded_constant_from_token(&token);
                    p.action(constant)
                },
                |p| p.fstring_replacement_field(),
            )
        })
    }
}
