//! Targets: expressions that are assigned to or deleted.
//!
//! Most targets are parsed as expressions first and converted when the token after them tells what
//! they are, which is what keeps the parser from reading anything twice.

use super::{Fail, Parse, Parser};
use crate::ast::*;
use crate::token::Tok;

impl<'a> Parser<'a, '_> {
    /// `star_targets`, where no expression may be: after `for`.
    pub(super) fn star_targets(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        let first = self.star_target()?;
        if self.kind() != Tok::COMMA {
            return Ok(first);
        }
        let mark = self.exprs.len();
        self.exprs.push(first);
        while self.accept(Tok::COMMA) {
            if !(super::starts_expression(self.kind()) || self.kind() == Tok::STAR) {
                break;
            }
            let elt = self.star_target()?;
            self.exprs.push(elt);
        }
        let elts = self.take_exprs(mark);
        Ok(self.expr(ExprKind::Tuple { elts, ctx: ExprContext::Store }, start))
    }

    /// `star_target`
    pub(super) fn star_target(&mut self) -> Parse<&'a Expr<'a>> {
        let start = self.start();
        if self.accept(Tok::STAR) {
            let value = self.primary()?;
            let value = self.to_target(value, ExprContext::Store)?;
            return Ok(self.expr(ExprKind::Starred { value, ctx: ExprContext::Store }, start));
        }
        let target = self.primary()?;
        self.to_target(target, ExprContext::Store)
    }

    /// The expression as a target, if it can be one. A starred one can only be assigned to.
    pub(super) fn to_target(&self, expr: &'a Expr<'a>, ctx: ExprContext) -> Parse<&'a Expr<'a>> {
        let kind = match expr.kind {
            ExprKind::Name { id, .. } => ExprKind::Name { id, ctx },
            ExprKind::Attribute { value, attr, .. } => ExprKind::Attribute { value, attr, ctx },
            ExprKind::Subscript { value, slice, .. } => ExprKind::Subscript { value, slice, ctx },
            ExprKind::Tuple { elts, .. } => ExprKind::Tuple { elts: self.to_targets(elts, ctx)?, ctx },
            ExprKind::List { elts, .. } => ExprKind::List { elts: self.to_targets(elts, ctx)?, ctx },
            ExprKind::Starred { value, .. } if ctx == ExprContext::Store => {
                ExprKind::Starred { value: self.to_target(value, ctx)?, ctx }
            }
            _ => return Err(Fail),
        };
        Ok(self.core.expr(kind, expr.range))
    }

    fn to_targets(&self, elts: &'a [&'a Expr<'a>], ctx: ExprContext) -> Parse<&'a [&'a Expr<'a>]> {
        let targets = self.core.arena.alloc_slice_copy(elts);
        for target in targets.iter_mut() {
            *target = self.to_target(target, ctx)?;
        }
        Ok(targets)
    }

    /// `single_target`: what may be annotated or assigned to in place.
    pub(super) fn to_single_target(&self, expr: &'a Expr<'a>) -> Parse<&'a Expr<'a>> {
        match expr.kind {
            ExprKind::Name { .. } | ExprKind::Attribute { .. } | ExprKind::Subscript { .. } => {
                self.to_target(expr, ExprContext::Store)
            }
            _ => Err(Fail),
        }
    }
}
