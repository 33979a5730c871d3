//! Parameters of functions and lambdas, and type parameters.

use super::{Fail, Parse, Parser};
use crate::ast::*;
use crate::token::Tok;

/// Parameters as they are collected.
#[derive(Default)]
struct Params<'a> {
    posonlyargs: Vec<Arg<'a>>,
    args: Vec<Arg<'a>>,
    vararg: Option<&'a Arg<'a>>,
    kwonlyargs: Vec<Arg<'a>>,
    kw_defaults: Vec<Option<&'a Expr<'a>>>,
    kwarg: Option<&'a Arg<'a>>,
    defaults: Vec<&'a Expr<'a>>,
    /// `/` has been seen.
    slash: bool,
    /// `*` has been seen.
    star: bool,
}

impl<'a> Parser<'a, '_> {
    /// `[params]` of a `def`, up to the closing parenthesis.
    pub(super) fn params(&mut self) -> Parse<&'a Arguments<'a>> {
        self.parameters(Tok::RPAR)
    }

    /// `[lambda_params]`, up to the colon.
    pub(super) fn lambda_params(&mut self) -> Parse<&'a Arguments<'a>> {
        self.parameters(Tok::COLON)
    }

    /// Parameters up to the token `end`, which is left; it tells a `def`, whose parameters have
    /// annotations and type comments, from a lambda.
    fn parameters(&mut self, end: Tok) -> Parse<&'a Arguments<'a>> {
        let mut params = Params::default();
        while self.kind() != end {
            match self.kind() {
                Tok::NAME => self.ordinary_parameter(&mut params, end)?,
                Tok::SLASH => {
                    self.check_version(8)?;
                    self.advance();
                    if params.slash || params.star || params.args.is_empty() {
                        return Err(Fail);
                    }
                    params.slash = true;
                    params.posonlyargs = std::mem::take(&mut params.args);
                    if !self.accept(Tok::COMMA) && self.kind() != end {
                        return Err(Fail);
                    }
                }
                Tok::STAR => {
                    if std::mem::replace(&mut params.star, true) {
                        return Err(Fail);
                    }
                    self.advance();
                    if self.accept(Tok::COMMA) {
                        // A keyword-only parameter must follow.
                        if self.kind() != Tok::NAME {
                            return Err(Fail);
                        }
                        continue;
                    }
                    let (arg, default) = self.parameter(end, true)?;
                    if default.is_some() {
                        return Err(Fail);
                    }
                    params.vararg = Some(self.core.arena.alloc(arg));
                }
                Tok::DOUBLESTAR => {
                    self.advance();
                    let (arg, default) = self.parameter(end, false)?;
                    if default.is_some() || self.kind() != end {
                        return Err(Fail);
                    }
                    params.kwarg = Some(self.core.arena.alloc(arg));
                }
                _ => return Err(Fail),
            }
        }
        Ok(self.core.arena.alloc(Arguments {
            posonlyargs: self.slice(&params.posonlyargs),
            args: self.slice(&params.args),
            vararg: params.vararg,
            kwonlyargs: self.slice(&params.kwonlyargs),
            kw_defaults: self.slice(&params.kw_defaults),
            kwarg: params.kwarg,
            defaults: self.slice(&params.defaults),
        }))
    }

    /// A parameter that is neither `*args` nor `**kwargs`.
    fn ordinary_parameter(&mut self, params: &mut Params<'a>, end: Tok) -> Parse<()> {
        let (arg, default) = self.parameter(end, false)?;
        if params.star {
            params.kwonlyargs.push(arg);
            params.kw_defaults.push(default);
            return Ok(());
        }
        match default {
            Some(default) => params.defaults.push(default),
            // No default after one with a default.
            None if !params.defaults.is_empty() => return Err(Fail),
            None => {}
        }
        params.args.push(arg);
        Ok(())
    }

    /// One parameter with annotation and default, and what ends it.
    fn parameter(&mut self, end: Tok, star: bool) -> Parse<(Arg<'a>, Option<&'a Expr<'a>>)> {
        let start = self.start();
        let name = self.expect_name()?;
        let mut annotation = None;
        if end == Tok::RPAR && self.accept(Tok::COLON) {
            annotation = Some(if star && self.kind() == Tok::STAR {
                self.star_named_expression()?
            } else {
                self.expression()?
            });
        }
        let range = self.range(start);
        let default = if self.accept(Tok::EQUAL) { Some(self.expression()?) } else { None };
        let type_comment = self.comma_or_end(end)?;
        Ok((Arg { arg: self.core.identifier(&name), annotation, type_comment, range }, default))
    }

    /// A comma, or the end; a type comment is after the former and before the latter.
    fn comma_or_end(&mut self, end: Tok) -> Parse<Option<&'a str>> {
        let comma = self.accept(Tok::COMMA);
        let comment = if end == Tok::RPAR { self.type_comment() } else { None };
        if comma || self.kind() == end { Ok(comment) } else { Err(Fail) }
    }

    /// `[type_params]`
    pub(super) fn type_params(&mut self) -> Parse<&'a [TypeParam<'a>]> {
        if !self.accept(Tok::LSQB) {
            return Ok(&[]);
        }
        self.check_version(12)?;
        let mut params = Vec::new();
        loop {
            params.push(self.type_param()?);
            if !self.accept(Tok::COMMA) || self.kind() == Tok::RSQB {
                break;
            }
        }
        self.expect(Tok::RSQB)?;
        Ok(self.slice(&params))
    }

    /// `type_param`
    fn type_param(&mut self) -> Parse<TypeParam<'a>> {
        let start = self.start();
        let star = self.kind();
        if matches!(star, Tok::STAR | Tok::DOUBLESTAR) {
            self.advance();
        }
        let name = self.expect_name()?;
        let name = self.core.identifier(&name);
        let kind = match star {
            Tok::STAR => {
                let default_value = self.type_param_default(true)?;
                TypeParamKind::TypeVarTuple { name, default_value }
            }
            Tok::DOUBLESTAR => {
                let default_value = self.type_param_default(false)?;
                TypeParamKind::ParamSpec { name, default_value }
            }
            _ => {
                let bound = if self.accept(Tok::COLON) { Some(self.expression()?) } else { None };
                let default_value = self.type_param_default(false)?;
                TypeParamKind::TypeVar { name, bound, default_value }
            }
        };
        Ok(TypeParam { kind, range: self.range(start) })
    }

    /// `= default`, if it is there; only that of a TypeVarTuple may be starred.
    fn type_param_default(&mut self, star: bool) -> Parse<Option<&'a Expr<'a>>> {
        if !self.accept(Tok::EQUAL) {
            return Ok(None);
        }
        self.check_version(13)?;
        if star && self.kind() == Tok::STAR {
            return self.star_named_expression().map(Some);
        }
        self.expression().map(Some)
    }
}
