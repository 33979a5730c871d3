//! Parameters of functions and lambdas, and type parameters.

use super::{Diagnosis, No, R, Rule, choice};
use crate::ast::*;
use crate::token::Tok;

/// A parameter and its default.
pub(super) type NameDefault<'a> = (Arg<'a>, Option<&'a Expr<'a>>);

/// What follows the ordinary parameters.
#[derive(Default)]
pub(super) struct StarEtc<'a> {
    vararg: Option<Arg<'a>>,
    kwonlyargs: Vec<NameDefault<'a>>,
    kwarg: Option<Arg<'a>>,
}

/// The rules for the parameters of functions and those for the parameters of lambdas are the same
/// but for annotations, type comments and the token at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Function,
    Lambda,
}

impl Kind {
    pub(super) fn end(self) -> Tok {
        match self {
            Kind::Function => Tok::RPAR,
            Kind::Lambda => Tok::COLON,
        }
    }
}

impl<'a> Diagnosis<'a, '_> {
    pub(super) fn params(&mut self) -> R<&'a Arguments<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_parameters(Kind::Function)),
                |p| p.parameters(Kind::Function),
            )
        })
    }

    pub(super) fn lambda_params(&mut self) -> R<&'a Arguments<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_parameters(Kind::Lambda)),
                |p| p.parameters(Kind::Lambda),
            )
        })
    }

    pub(super) fn empty_arguments(&self) -> &'a Arguments<'a> {
        self.make_arguments(Vec::new(), Vec::new(), StarEtc::default())
    }

    /// Parameters before the slash, after it, and after a star.
    fn make_arguments(
        &self,
        posonly: Vec<NameDefault<'a>>,
        ordinary: Vec<NameDefault<'a>>,
        star_etc: StarEtc<'a>,
    ) -> &'a Arguments<'a> {
        let names = |pairs: &[NameDefault<'a>]| {
            let names: Vec<Arg<'a>> = pairs.iter().map(|pair| pair.0).collect();
            self.slice(&names)
        };
        let defaults: Vec<_> = posonly.iter().chain(&ordinary).filter_map(|pair| pair.1).collect();
        let kw_defaults: Vec<_> = star_etc.kwonlyargs.iter().map(|pair| pair.1).collect();
        let one = |arg: Option<Arg<'a>>| arg.map(|arg| &*self.core.arena.alloc(arg));
        self.core.arena.alloc(Arguments {
            posonlyargs: names(&posonly),
            args: names(&ordinary),
            vararg: one(star_etc.vararg),
            kwonlyargs: names(&star_etc.kwonlyargs),
            kw_defaults: self.slice(&kw_defaults),
            kwarg: one(star_etc.kwarg),
            defaults: self.slice(&defaults),
        })
    }

    fn parameters(&mut self, kind: Kind) -> R<&'a Arguments<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    let a = p.slash_no_default(kind)?;
                    let mut b = p.star(|p| p.param_no_default(kind))?;
                    b.extend(p.star(|p| p.param_with_default(kind))?);
                    let d = p.opt(|p| p.star_etc(kind))?.unwrap_or_default();
                    let node = p.make_arguments(a, b, d);
                    p.check_version(8, "Positional-only parameters are", node)
                },
                |p| {
                    let a = p.slash_with_default(kind)?;
                    let b = p.star(|p| p.param_with_default(kind))?;
                    let c = p.opt(|p| p.star_etc(kind))?.unwrap_or_default();
                    let node = p.make_arguments(a, b, c);
                    p.check_version(8, "Positional-only parameters are", node)
                },
                |p| {
                    let mut a = p.plus(|p| p.param_no_default(kind))?;
                    a.extend(p.star(|p| p.param_with_default(kind))?);
                    let c = p.opt(|p| p.star_etc(kind))?.unwrap_or_default();
                    Ok(p.make_arguments(Vec::new(), a, c))
                },
                |p| {
                    let a = p.plus(|p| p.param_with_default(kind))?;
                    let b = p.opt(|p| p.star_etc(kind))?.unwrap_or_default();
                    Ok(p.make_arguments(Vec::new(), a, b))
                },
                |p| {
                    let a = p.star_etc(kind)?;
                    Ok(p.make_arguments(Vec::new(), Vec::new(), a))
                },
            )
        })
    }

    /// `'/' (',' | &end)`
    fn slash(&mut self, kind: Kind) -> R<()> {
        self.t(Tok::SLASH)?;
        if self.opt_t(Tok::COMMA)?.is_some() {
            return Ok(());
        }
        self.ahead(|p| p.t(kind.end()))
    }

    pub(super) fn slash_no_default(&mut self, kind: Kind) -> R<Vec<NameDefault<'a>>> {
        self.rule(|p| {
            let a = p.plus(|p| p.param_no_default(kind))?;
            p.slash(kind)?;
            Ok(a)
        })
    }

    pub(super) fn slash_with_default(&mut self, kind: Kind) -> R<Vec<NameDefault<'a>>> {
        self.rule(|p| {
            let mut a = p.star(|p| p.param_no_default(kind))?;
            a.extend(p.plus(|p| p.param_with_default(kind))?);
            p.slash(kind)?;
            Ok(a)
        })
    }

    fn star_etc(&mut self, kind: Kind) -> R<StarEtc<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_star_etc(kind)),
                |p| {
                    p.t(Tok::STAR)?;
                    let (a, _) = p.param_no_default(kind)?;
                    p.rest_of_star_etc(kind, Some(a))
                },
                |p| {
                    if kind == Kind::Lambda {
                        return Err(No::Match);
                    }
                    p.t(Tok::STAR)?;
                    let a = p.param_no_default_star_annotation()?;
                    p.rest_of_star_etc(kind, Some(a))
                },
                |p| {
                    p.t(Tok::STAR)?;
                    p.t(Tok::COMMA)?;
                    p.ahead(|p| p.param_maybe_default(kind))?;
                    p.rest_of_star_etc(kind, None)
                },
                |p| {
                    let kwarg = Some(p.kwds(kind)?);
                    Ok(StarEtc { kwarg, ..StarEtc::default() })
                },
            )
        })
    }

    /// `param_maybe_default* [kwds]`
    fn rest_of_star_etc(&mut self, kind: Kind, vararg: Option<Arg<'a>>) -> R<StarEtc<'a>> {
        let kwonlyargs = self.star(|p| p.param_maybe_default(kind))?;
        let kwarg = self.opt(|p| p.kwds(kind))?;
        Ok(StarEtc { vararg, kwonlyargs, kwarg })
    }

    fn kwds(&mut self, kind: Kind) -> R<Arg<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_kwds(kind)),
                |p| {
                    p.t(Tok::DOUBLESTAR)?;
                    Ok(p.param_no_default(kind)?.0)
                },
            )
        })
    }

    /// `',' TYPE_COMMENT?` or `TYPE_COMMENT? &end` after a parameter.
    fn end_of_param(&mut self, kind: Kind, mut arg: Arg<'a>) -> R<Arg<'a>> {
        let function = kind == Kind::Function;
        if self.opt_t(Tok::COMMA)?.is_some() {
            arg.type_comment = if function { self.type_comment()? } else { None };
            return Ok(arg);
        }
        arg.type_comment = if function { self.type_comment()? } else { None };
        self.ahead(|p| p.t(kind.end()))?;
        Ok(arg)
    }

    pub(super) fn param_no_default(&mut self, kind: Kind) -> R<NameDefault<'a>> {
        self.rule(|p| {
            let a = p.param(kind)?;
            Ok((p.end_of_param(kind, a)?, None))
        })
    }

    fn param_no_default_star_annotation(&mut self) -> R<Arg<'a>> {
        self.rule(|p| {
            let a = p.rule(|p| {
                let s = p.start()?;
                let arg = p.identifier()?;
                let annotation = p.rule(|p| {
                    p.t(Tok::COLON)?;
                    p.star_expression()
                })?;
                Ok(Arg { arg, annotation: Some(annotation), type_comment: None, range: p.extra(s) })
            })?;
            p.end_of_param(Kind::Function, a)
        })
    }

    pub(super) fn param_with_default(&mut self, kind: Kind) -> R<NameDefault<'a>> {
        self.rule(|p| {
            let a = p.param(kind)?;
            let c = p.default()?;
            Ok((p.end_of_param(kind, a)?, Some(c)))
        })
    }

    pub(super) fn param_maybe_default(&mut self, kind: Kind) -> R<NameDefault<'a>> {
        self.rule(|p| {
            let a = p.param(kind)?;
            let c = p.opt(|p| p.default())?;
            Ok((p.end_of_param(kind, a)?, c))
        })
    }

    pub(super) fn param(&mut self, kind: Kind) -> R<Arg<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let arg = p.identifier()?;
            let mut annotation = None;
            if kind == Kind::Function {
                annotation = p.opt(|p| {
                    p.rule(|p| {
                        p.t(Tok::COLON)?;
                        p.expression()
                    })
                })?;
            }
            Ok(Arg { arg, annotation, type_comment: None, range: p.extra(s) })
        })
    }

    fn default(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    p.t(Tok::EQUAL)?;
                    p.expression()
                },
                |p| p.invalid(|p| p.invalid_default()),
            )
        })
    }

    pub(super) fn type_params(&mut self) -> R<&'a [TypeParam<'a>]> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_type_params()),
                |p| {
                    p.t(Tok::LSQB)?;
                    let t = p.rule(|p| {
                        let a = p.gather(|p| p.type_param())?;
                        p.opt_t(Tok::COMMA)?;
                        Ok(p.slice(&a))
                    })?;
                    p.t(Tok::RSQB)?;
                    p.check_version(12, "Type parameter lists are", t)
                },
            )
        })
    }

    fn type_param(&mut self) -> R<TypeParam<'a>> {
        self.memo(Rule::TypeParam, |p| {
            let s = p.start()?;
            let star = p.current()?.kind;
            if !matches!(star, Tok::STAR | Tok::DOUBLESTAR) {
                let name = p.identifier()?;
                let bound = p.opt(|p| {
                    p.rule(|p| {
                        p.t(Tok::COLON)?;
                        p.expression()
                    })
                })?;
                let default_value = p.opt(|p| p.type_param_default(false))?;
                let kind = TypeParamKind::TypeVar { name, bound, default_value };
                return Ok(TypeParam { kind, range: p.extra(s) });
            }
            choice!(
                p,
                |p| {
                    p.mark += 1;
                    p.identifier()?;
                    let colon = p.t(Tok::COLON)?;
                    let e = p.expression()?;
                    let tuple = matches!(e.kind, ExprKind::Tuple { .. });
                    let what = if tuple { "constraints" } else { "bound" };
                    let param = if star == Tok::STAR { "TypeVarTuple" } else { "ParamSpec" };
                    p.raise_starting_from(colon.range(), format!("cannot use {what} with {param}"))
                },
                |p| {
                    p.mark += 1;
                    let name = p.identifier()?;
                    let default_value = p.opt(|p| p.type_param_default(star == Tok::STAR))?;
                    let kind = match star {
                        Tok::STAR => TypeParamKind::TypeVarTuple { name, default_value },
                        _ => TypeParamKind::ParamSpec { name, default_value },
                    };
                    Ok(TypeParam { kind, range: p.extra(s) })
                },
            )
        })
    }

    fn type_param_default(&mut self, star: bool) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            p.t(Tok::EQUAL)?;
            let e = if star { p.star_expression()? } else { p.expression()? };
            p.check_version(13, "Type parameter defaults are", e)
        })
    }
}
