//! Targets of assignments, `del` and `for`.

use super::{Diagnosis, R, Rule, Start, choice};
use crate::ast::*;
use crate::token::Tok;

const T_LOOKAHEAD: [Tok; 3] = [Tok::LPAR, Tok::LSQB, Tok::DOT];

impl<'a> Diagnosis<'a, '_> {
    pub(super) fn star_targets(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let a = p.star_target()?;
                    p.not(|p| p.t(Tok::COMMA))?;
                    Ok(a)
                },
                |p| {
                    let a = p.star_target()?;
                    let b = p.star(|p| {
                        p.rule(|p| {
                            p.t(Tok::COMMA)?;
                            p.star_target()
                        })
                    })?;
                    p.opt_t(Tok::COMMA)?;
                    let elts = p.insert_in_front(a, b);
                    p.expr(ExprKind::Tuple { elts, ctx: ExprContext::Store }, s)
                },
            )
        })
    }

    fn star_targets_list_seq(&mut self) -> R<&'a [&'a Expr<'a>]> {
        self.rule(|p| {
            let a = p.gather(|p| p.star_target())?;
            p.opt_t(Tok::COMMA)?;
            Ok(p.slice(&a))
        })
    }

    fn star_targets_tuple_seq(&mut self) -> R<&'a [&'a Expr<'a>]> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    let a = p.star_target()?;
                    let b = p.plus(|p| {
                        p.rule(|p| {
                            p.t(Tok::COMMA)?;
                            p.star_target()
                        })
                    })?;
                    p.opt_t(Tok::COMMA)?;
                    Ok(p.insert_in_front(a, b))
                },
                |p| {
                    let a = p.star_target()?;
                    p.t(Tok::COMMA)?;
                    Ok(p.slice(&[a]))
                },
            )
        })
    }

    pub(super) fn star_target(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::StarTarget, |p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::STAR)?;
                    let a = p.rule(|p| {
                        p.not(|p| p.t(Tok::STAR))?;
                        p.star_target()
                    })?;
                    let value = p.core.set_expr_context(a, ExprContext::Store);
                    p.expr(ExprKind::Starred { value, ctx: ExprContext::Store }, s)
                },
                |p| p.target_with_star_atom(),
            )
        })
    }

    fn target_with_star_atom(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::TargetWithStarAtom, |p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.attribute_target(ExprContext::Store, s),
                |p| p.subscript_target(ExprContext::Store, s),
                |p| p.star_atom(),
            )
        })
    }

    /// `t_primary '.' NAME !t_lookahead`
    fn attribute_target(&mut self, ctx: ExprContext, s: Start) -> R<&'a Expr<'a>> {
        let a = self.t_primary()?;
        let node = self.attribute(a, s)?;
        self.not(|p| p.t_lookahead())?;
        Ok(self.core.set_expr_context(node, ctx))
    }

    /// `t_primary '[' slices ']' !t_lookahead`
    fn subscript_target(&mut self, ctx: ExprContext, s: Start) -> R<&'a Expr<'a>> {
        let a = self.t_primary()?;
        let node = self.subscript(a, s)?;
        self.not(|p| p.t_lookahead())?;
        Ok(self.core.set_expr_context(node, ctx))
    }

    fn star_atom(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let a = p.name()?;
                    Ok(p.core.set_expr_context(a, ExprContext::Store))
                },
                |p| {
                    p.t(Tok::LPAR)?;
                    let a = p.target_with_star_atom()?;
                    p.t(Tok::RPAR)?;
                    Ok(p.core.set_expr_context(a, ExprContext::Store))
                },
                |p| {
                    p.t(Tok::LPAR)?;
                    let a = p.opt(|p| p.star_targets_tuple_seq())?;
                    p.t(Tok::RPAR)?;
                    p.expr(ExprKind::Tuple { elts: a.unwrap_or(&[]), ctx: ExprContext::Store }, s)
                },
                |p| {
                    p.t(Tok::LSQB)?;
                    let a = p.opt(|p| p.star_targets_list_seq())?;
                    p.t(Tok::RSQB)?;
                    p.expr(ExprKind::List { elts: a.unwrap_or(&[]), ctx: ExprContext::Store }, s)
                },
            )
        })
    }

    pub(super) fn single_target(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.single_subscript_attribute_target(),
                |p| {
                    let a = p.name()?;
                    Ok(p.core.set_expr_context(a, ExprContext::Store))
                },
                |p| {
                    p.t(Tok::LPAR)?;
                    let a = p.single_target()?;
                    p.t(Tok::RPAR)?;
                    Ok(a)
                },
            )
        })
    }

    pub(super) fn single_subscript_attribute_target(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.attribute_target(ExprContext::Store, s),
                |p| p.subscript_target(ExprContext::Store, s),
            )
        })
    }

    fn t_lookahead(&mut self) -> R<()> {
        self.rule(|p| p.one_of(&T_LOOKAHEAD).map(|_| ()))
    }

    fn t_primary(&mut self) -> R<&'a Expr<'a>> {
        self.left_recursive(
            Rule::TPrimary,
            |p| {
                let a = p.atom()?;
                p.ahead(|p| p.t_lookahead())?;
                Ok(a)
            },
            |p, value, s| {
                choice!(
                    p,
                    |p| {
                        let a = p.attribute(value, s)?;
                        p.ahead(|p| p.t_lookahead())?;
                        Ok(a)
                    },
                    |p| {
                        let a = p.subscript(value, s)?;
                        p.ahead(|p| p.t_lookahead())?;
                        Ok(a)
                    },
                    |p| {
                        let a = p.call_of_genexp(value, s)?;
                        p.ahead(|p| p.t_lookahead())?;
                        Ok(a)
                    },
                    |p| {
                        let a = p.call_of_arguments(value, s)?;
                        p.ahead(|p| p.t_lookahead())?;
                        Ok(a)
                    },
                )
            },
        )
    }

    pub(super) fn del_targets(&mut self) -> R<&'a [&'a Expr<'a>]> {
        self.rule(|p| {
            let a = p.gather(|p| p.del_target())?;
            p.opt_t(Tok::COMMA)?;
            Ok(p.slice(&a))
        })
    }

    fn del_target(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::DelTarget, |p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.attribute_target(ExprContext::Del, s),
                |p| p.subscript_target(ExprContext::Del, s),
                |p| p.del_t_atom(),
            )
        })
    }

    fn del_t_atom(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let a = p.name()?;
                    Ok(p.core.set_expr_context(a, ExprContext::Del))
                },
                |p| {
                    p.t(Tok::LPAR)?;
                    let a = p.del_target()?;
                    p.t(Tok::RPAR)?;
                    Ok(p.core.set_expr_context(a, ExprContext::Del))
                },
                |p| {
                    p.t(Tok::LPAR)?;
                    let a = p.opt(|p| p.del_targets())?;
                    p.t(Tok::RPAR)?;
                    p.expr(ExprKind::Tuple { elts: a.unwrap_or(&[]), ctx: ExprContext::Del }, s)
                },
                |p| {
                    p.t(Tok::LSQB)?;
                    let a = p.opt(|p| p.del_targets())?;
                    p.t(Tok::RSQB)?;
                    p.expr(ExprKind::List { elts: a.unwrap_or(&[]), ctx: ExprContext::Del }, s)
                },
            )
        })
    }
}
