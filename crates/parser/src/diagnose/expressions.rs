//! Expressions.

use super::{Diagnosis, No, R, Rule, choice};
use crate::ast::*;
use crate::token::Tok;

/// An argument that a keyword argument may stand beside.
pub(super) enum KeywordOrStarred<'a> {
    Keyword(Keyword<'a>),
    Starred(&'a Expr<'a>),
}

/// A key, or none for `**`, and a value.
type KeyValuePair<'a> = (Option<&'a Expr<'a>>, &'a Expr<'a>);

impl<'a> Diagnosis<'a, '_> {
    pub(super) fn expressions(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let a = p.expression()?;
                    let b = p.plus(|p| {
                        p.rule(|p| {
                            p.t(Tok::COMMA)?;
                            p.expression()
                        })
                    })?;
                    p.opt_t(Tok::COMMA)?;
                    p.load_tuple(a, b, s)
                },
                |p| {
                    let a = p.expression()?;
                    p.t(Tok::COMMA)?;
                    p.load_tuple(a, Vec::new(), s)
                },
                |p| p.expression(),
            )
        })
    }

    /// A tuple of a first element and the rest.
    fn load_tuple(&mut self, a: &'a Expr<'a>, b: Vec<&'a Expr<'a>>, s: super::Start) -> R<&'a Expr<'a>> {
        let elts = self.insert_in_front(a, b);
        self.expr(ExprKind::Tuple { elts, ctx: ExprContext::Load }, s)
    }

    pub(super) fn insert_in_front(&self, a: &'a Expr<'a>, mut b: Vec<&'a Expr<'a>>) -> &'a [&'a Expr<'a>] {
        b.insert(0, a);
        self.slice(&b)
    }

    pub(super) fn expression(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::Expression, |p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_expression()),
                |p| p.invalid(|p| p.invalid_legacy_expression()),
                |p| p.if_exp(s),
                |p| p.disjunction(),
                |p| p.lambdef(),
            )
        })
    }

    fn if_exp(&mut self, s: super::Start) -> R<&'a Expr<'a>> {
        let body = self.disjunction()?;
        self.t(Tok::IF)?;
        let test = self.disjunction()?;
        self.t(Tok::ELSE)?;
        let orelse = self.expression()?;
        self.expr(ExprKind::IfExp { test, body, orelse }, s)
    }

    /// The same without the rules for invalid programs.
    pub(super) fn expression_without_invalid(&mut self) -> R<&'a Expr<'a>> {
        let call_invalid_rules = std::mem::replace(&mut self.call_invalid_rules, false);
        self.core.suppress_warnings = false;
        let result = self.rule(|p| {
            let s = p.start()?;
            choice!(p, |p| p.if_exp(s), |p| p.disjunction(), |p| p.lambdef())
        });
        self.call_invalid_rules = call_invalid_rules;
        self.core.suppress_warnings = call_invalid_rules;
        result
    }

    pub(super) fn yield_expr(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::YIELD)?;
                    p.t(Tok::FROM)?;
                    let value = p.expression()?;
                    p.expr(ExprKind::YieldFrom { value }, s)
                },
                |p| {
                    p.t(Tok::YIELD)?;
                    let value = p.opt(|p| p.star_expressions())?;
                    p.expr(ExprKind::Yield { value }, s)
                },
            )
        })
    }

    pub(super) fn star_expressions(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let a = p.star_expression()?;
                    let b = p.plus(|p| {
                        p.rule(|p| {
                            p.t(Tok::COMMA)?;
                            p.star_expression()
                        })
                    })?;
                    p.opt_t(Tok::COMMA)?;
                    p.load_tuple(a, b, s)
                },
                |p| {
                    let a = p.star_expression()?;
                    p.t(Tok::COMMA)?;
                    p.load_tuple(a, Vec::new(), s)
                },
                |p| p.star_expression(),
            )
        })
    }

    pub(super) fn star_expression(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::StarExpression, |p| {
            choice!(p, |p| p.starred_bitwise_or(), |p| p.expression())
        })
    }

    fn starred_bitwise_or(&mut self) -> R<&'a Expr<'a>> {
        let s = self.start()?;
        self.t(Tok::STAR)?;
        let value = self.bitwise_or()?;
        self.expr(ExprKind::Starred { value, ctx: ExprContext::Load }, s)
    }

    pub(super) fn star_named_expressions(&mut self) -> R<Vec<&'a Expr<'a>>> {
        self.rule(|p| {
            let a = p.gather(|p| p.star_named_expression())?;
            p.opt_t(Tok::COMMA)?;
            Ok(a)
        })
    }

    pub(super) fn star_named_expression(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| choice!(p, |p| p.starred_bitwise_or(), |p| p.named_expression()))
    }

    fn assignment_expression(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let a = p.name()?;
            p.t(Tok::COLONEQUAL)?;
            p.cut(|p| {
                let value = p.expression()?;
                let target = p.core.set_expr_context(a, ExprContext::Store);
                let node = p.expr(ExprKind::NamedExpr { target, value }, s)?;
                p.check_version(8, "Assignment expressions are", node)
            })
        })
    }

    pub(super) fn named_expression(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.assignment_expression(),
                |p| p.invalid_named_expression(),
                |p| p.expression_not_walrus(),
            )
        })
    }

    fn expression_not_walrus(&mut self) -> R<&'a Expr<'a>> {
        let a = self.expression()?;
        self.not(|p| p.t(Tok::COLONEQUAL))?;
        Ok(a)
    }

    /// `assignment_expression | expression !':='`
    pub(super) fn assignment_or_plain_expression(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| choice!(p, |p| p.assignment_expression(), |p| p.expression_not_walrus()))
    }

    // ---- operators ------------------------------------------------------------------------------

    pub(super) fn disjunction(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::Disjunction, |p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let a = p.conjunction()?;
                    let b = p.plus(|p| {
                        p.rule(|p| {
                            p.t(Tok::OR)?;
                            p.conjunction()
                        })
                    })?;
                    let values = p.insert_in_front(a, b);
                    p.expr(ExprKind::BoolOp { op: BoolOp::Or, values }, s)
                },
                |p| p.conjunction(),
            )
        })
    }

    fn conjunction(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::Conjunction, |p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let a = p.inversion()?;
                    let b = p.plus(|p| {
                        p.rule(|p| {
                            p.t(Tok::AND)?;
                            p.inversion()
                        })
                    })?;
                    let values = p.insert_in_front(a, b);
                    p.expr(ExprKind::BoolOp { op: BoolOp::And, values }, s)
                },
                |p| p.inversion(),
            )
        })
    }

    pub(super) fn inversion(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::Inversion, |p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::NOT)?;
                    let operand = p.inversion()?;
                    p.expr(ExprKind::UnaryOp { op: UnaryOp::Not, operand }, s)
                },
                |p| p.comparison(),
            )
        })
    }

    fn comparison(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let left = p.bitwise_or()?;
                    let pairs = p.plus(|p| p.compare_op_bitwise_or_pair())?;
                    let ops: Vec<CmpOp> = pairs.iter().map(|pair| pair.0).collect();
                    let comparators: Vec<_> = pairs.iter().map(|pair| pair.1).collect();
                    let (ops, comparators) = (p.slice(&ops), p.slice(&comparators));
                    p.expr(ExprKind::Compare { left, ops, comparators }, s)
                },
                |p| p.bitwise_or(),
            )
        })
    }

    fn compare_op_bitwise_or_pair(&mut self) -> R<(CmpOp, &'a Expr<'a>)> {
        self.rule(|p| {
            p.rule(|p| {
                let token = p.current()?;
                p.mark += 1;
                let op = match token.kind {
                    Tok::EQEQUAL => CmpOp::Eq,
                    Tok::NOTEQUAL => {
                        if !p.core.is_valid_notequal(&token) {
                            if p.core.barry {
                                return p.raise("with Barry as BDFL, use '<>' instead of '!='".into());
                            }
                            return Err(No::Match);
                        }
                        CmpOp::NotEq
                    }
                    Tok::LESSEQUAL => CmpOp::LtE,
                    Tok::LESS => CmpOp::Lt,
                    Tok::GREATEREQUAL => CmpOp::GtE,
                    Tok::GREATER => CmpOp::Gt,
                    Tok::NOT => {
                        p.t(Tok::IN)?;
                        CmpOp::NotIn
                    }
                    Tok::IN => CmpOp::In,
                    Tok::IS => {
                        let not = p.opt(|p| {
                            p.t(Tok::NOT)?;
                            p.bitwise_or()
                        })?;
                        if let Some(a) = not {
                            return Ok((CmpOp::IsNot, a));
                        }
                        CmpOp::Is
                    }
                    _ => return Err(No::Match),
                };
                Ok((op, p.bitwise_or()?))
            })
        })
    }

    /// The right side of an operator: the operator's token, then the operand.
    fn bin_op(
        &mut self,
        left: &'a Expr<'a>,
        s: super::Start,
        op: Operator,
        operand: impl FnOnce(&mut Self) -> R<&'a Expr<'a>>,
    ) -> R<&'a Expr<'a>> {
        self.mark += 1;
        let right = operand(self)?;
        let node = self.expr(ExprKind::BinOp { left, op, right }, s)?;
        if op == Operator::MatMult {
            return self.check_version(5, "The '@' operator is", node);
        }
        Ok(node)
    }

    pub(super) fn bitwise_or(&mut self) -> R<&'a Expr<'a>> {
        self.left_recursive(
            Rule::BitwiseOr,
            |p| p.bitwise_xor(),
            |p, left, s| match p.current()?.kind {
                Tok::VBAR => p.bin_op(left, s, Operator::BitOr, |p| p.bitwise_xor()),
                _ => Err(No::Match),
            },
        )
    }

    fn bitwise_xor(&mut self) -> R<&'a Expr<'a>> {
        self.left_recursive(
            Rule::BitwiseXor,
            |p| p.bitwise_and(),
            |p, left, s| match p.current()?.kind {
                Tok::CIRCUMFLEX => p.bin_op(left, s, Operator::BitXor, |p| p.bitwise_and()),
                _ => Err(No::Match),
            },
        )
    }

    fn bitwise_and(&mut self) -> R<&'a Expr<'a>> {
        self.left_recursive(
            Rule::BitwiseAnd,
            |p| p.shift_expr(),
            |p, left, s| match p.current()?.kind {
                Tok::AMPER => p.bin_op(left, s, Operator::BitAnd, |p| p.shift_expr()),
                _ => Err(No::Match),
            },
        )
    }

    fn shift_expr(&mut self) -> R<&'a Expr<'a>> {
        self.left_recursive(
            Rule::ShiftExpr,
            |p| choice!(p, |p| p.invalid(|p| p.invalid_arithmetic()), |p| p.sum()),
            |p, left, s| match p.current()?.kind {
                Tok::LEFTSHIFT => p.bin_op(left, s, Operator::LShift, |p| p.sum()),
                Tok::RIGHTSHIFT => p.bin_op(left, s, Operator::RShift, |p| p.sum()),
                _ => Err(No::Match),
            },
        )
    }

    pub(super) fn sum(&mut self) -> R<&'a Expr<'a>> {
        self.left_recursive(
            Rule::Sum,
            |p| p.term(),
            |p, left, s| match p.current()?.kind {
                Tok::PLUS => p.bin_op(left, s, Operator::Add, |p| p.term()),
                Tok::MINUS => p.bin_op(left, s, Operator::Sub, |p| p.term()),
                _ => Err(No::Match),
            },
        )
    }

    fn term(&mut self) -> R<&'a Expr<'a>> {
        self.left_recursive(
            Rule::Term,
            |p| choice!(p, |p| p.invalid(|p| p.invalid_factor()), |p| p.factor()),
            |p, left, s| {
                let op = match p.current()?.kind {
                    Tok::STAR => Operator::Mult,
                    Tok::SLASH => Operator::Div,
                    Tok::DOUBLESLASH => Operator::FloorDiv,
                    Tok::PERCENT => Operator::Mod,
                    Tok::AT => Operator::MatMult,
                    _ => return Err(No::Match),
                };
                p.bin_op(left, s, op, |p| p.factor())
            },
        )
    }

    pub(super) fn factor(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::Factor, |p| {
            let s = p.start()?;
            let op = match p.current()?.kind {
                Tok::PLUS => UnaryOp::UAdd,
                Tok::MINUS => UnaryOp::USub,
                Tok::TILDE => UnaryOp::Invert,
                _ => return p.power(),
            };
            p.mark += 1;
            let operand = p.factor()?;
            p.expr(ExprKind::UnaryOp { op, operand }, s)
        })
    }

    fn power(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let left = p.await_primary()?;
                    p.t(Tok::DOUBLESTAR)?;
                    let right = p.factor()?;
                    p.expr(ExprKind::BinOp { left, op: Operator::Pow, right }, s)
                },
                |p| p.await_primary(),
            )
        })
    }

    fn await_primary(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::AwaitPrimary, |p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::AWAIT)?;
                    let value = p.primary()?;
                    let node = p.expr(ExprKind::Await { value }, s)?;
                    p.check_version(5, "Await expressions are", node)
                },
                |p| p.primary(),
            )
        })
    }

    // ---- primaries --------------------------------------------------------------------------

    fn primary(&mut self) -> R<&'a Expr<'a>> {
        self.left_recursive(
            Rule::Primary,
            |p| p.atom(),
            |p, value, s| {
                choice!(
                    p,
                    |p| p.attribute(value, s),
                    |p| p.call_of_genexp(value, s),
                    |p| p.call_of_arguments(value, s),
                    |p| p.subscript(value, s),
                )
            },
        )
    }

    pub(super) fn attribute(&mut self, value: &'a Expr<'a>, s: super::Start) -> R<&'a Expr<'a>> {
        self.t(Tok::DOT)?;
        let attr = self.identifier()?;
        self.expr(ExprKind::Attribute { value, attr, ctx: ExprContext::Load }, s)
    }

    pub(super) fn subscript(&mut self, value: &'a Expr<'a>, s: super::Start) -> R<&'a Expr<'a>> {
        self.t(Tok::LSQB)?;
        let slice = self.slices()?;
        self.t(Tok::RSQB)?;
        self.expr(ExprKind::Subscript { value, slice, ctx: ExprContext::Load }, s)
    }

    pub(super) fn call_of_genexp(&mut self, func: &'a Expr<'a>, s: super::Start) -> R<&'a Expr<'a>> {
        let a = self.genexp()?;
        let args = self.slice(&[a]);
        self.expr(ExprKind::Call { func, args, keywords: &[] }, s)
    }

    pub(super) fn call_of_arguments(&mut self, func: &'a Expr<'a>, s: super::Start) -> R<&'a Expr<'a>> {
        self.t(Tok::LPAR)?;
        let b = self.opt(|p| p.arguments())?;
        self.t(Tok::RPAR)?;
        let (args, keywords) = call_parts(b);
        self.expr(ExprKind::Call { func, args, keywords }, s)
    }

    pub(super) fn slices(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let a = p.slice_rule()?;
                    p.not(|p| p.t(Tok::COMMA))?;
                    Ok(a)
                },
                |p| {
                    let a = p.gather(|p| {
                        p.rule(|p| choice!(p, |p| p.slice_rule(), |p| p.starred_expression()))
                    })?;
                    p.opt_t(Tok::COMMA)?;
                    let elts = p.slice(&a);
                    p.expr(ExprKind::Tuple { elts, ctx: ExprContext::Load }, s)
                },
            )
        })
    }

    fn slice_rule(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let lower = p.opt(|p| p.expression())?;
                    p.t(Tok::COLON)?;
                    let upper = p.opt(|p| p.expression())?;
                    let step = p.opt(|p| {
                        p.rule(|p| {
                            p.t(Tok::COLON)?;
                            p.opt(|p| p.expression())
                        })
                    })?;
                    p.expr(ExprKind::Slice { lower, upper, step: step.flatten() }, s)
                },
                |p| p.named_expression(),
            )
        })
    }

    pub(super) fn atom(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let token = p.current()?;
            let value = match token.kind {
                Tok::NAME => return p.name(),
                Tok::STRING | Tok::FSTRING_START => return p.strings(),
                Tok::NUMBER => return p.number(),
                Tok::LPAR => {
                    return p.rule(|p| choice!(p, |p| p.tuple(), |p| p.group(), |p| p.genexp()));
                }
                Tok::LSQB => return p.rule(|p| choice!(p, |p| p.list(), |p| p.listcomp())),
                Tok::LBRACE => {
                    return p.rule(|p| {
                        choice!(p, |p| p.dict(), |p| p.set(), |p| p.dictcomp(), |p| p.setcomp())
                    });
                }
                Tok::TRUE => Constant::True,
                Tok::FALSE => Constant::False,
                Tok::NONE => Constant::None,
                Tok::ELLIPSIS => Constant::Ellipsis,
                _ => return Err(No::Match),
            };
            p.mark += 1;
            Ok(p.core.constant(value, token.range()))
        })
    }

    fn group(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    p.t(Tok::LPAR)?;
                    let a = p.rule(|p| choice!(p, |p| p.yield_expr(), |p| p.named_expression()))?;
                    p.t(Tok::RPAR)?;
                    Ok(a)
                },
                |p| p.invalid(|p| p.invalid_group()),
            )
        })
    }

    fn lambdef(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            p.t(Tok::LAMBDA)?;
            let args = p.opt(|p| p.lambda_params())?;
            p.t(Tok::COLON)?;
            let body = p.expression()?;
            let args = match args {
                Some(args) => args,
                None => p.empty_arguments(),
            };
            p.expr(ExprKind::Lambda { args, body }, s)
        })
    }

    // ---- displays and comprehensions ------------------------------------------------------------

    pub(super) fn list(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            p.t(Tok::LSQB)?;
            let a = p.opt(|p| p.star_named_expressions())?;
            p.t(Tok::RSQB)?;
            let elts = p.slice(&a.unwrap_or_default());
            p.expr(ExprKind::List { elts, ctx: ExprContext::Load }, s)
        })
    }

    pub(super) fn tuple(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            p.t(Tok::LPAR)?;
            let a = p.opt(|p| {
                p.rule(|p| {
                    let y = p.star_named_expression()?;
                    p.t(Tok::COMMA)?;
                    let z = p.opt(|p| p.star_named_expressions())?;
                    Ok(p.insert_in_front(y, z.unwrap_or_default()))
                })
            })?;
            p.t(Tok::RPAR)?;
            p.expr(ExprKind::Tuple { elts: a.unwrap_or(&[]), ctx: ExprContext::Load }, s)
        })
    }

    fn set(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            p.t(Tok::LBRACE)?;
            let a = p.star_named_expressions()?;
            p.t(Tok::RBRACE)?;
            let elts = p.slice(&a);
            p.expr(ExprKind::Set { elts }, s)
        })
    }

    fn dict(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::LBRACE)?;
                    let a = p.opt(|p| p.double_starred_kvpairs())?.unwrap_or_default();
                    p.t(Tok::RBRACE)?;
                    let keys: Vec<_> = a.iter().map(|pair| pair.0).collect();
                    let values: Vec<_> = a.iter().map(|pair| pair.1).collect();
                    let (keys, values) = (p.slice(&keys), p.slice(&values));
                    p.expr(ExprKind::Dict { keys, values }, s)
                },
                |p| {
                    p.t(Tok::LBRACE)?;
                    p.rule(|p| p.invalid_double_starred_kvpairs())
                },
            )
        })
    }

    fn double_starred_kvpairs(&mut self) -> R<Vec<KeyValuePair<'a>>> {
        self.rule(|p| {
            let a = p.gather(|p| p.double_starred_kvpair())?;
            p.opt_t(Tok::COMMA)?;
            Ok(a)
        })
    }

    pub(super) fn double_starred_kvpair(&mut self) -> R<KeyValuePair<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    p.t(Tok::DOUBLESTAR)?;
                    Ok((None, p.bitwise_or()?))
                },
                |p| {
                    let (key, value) = p.kvpair()?;
                    Ok((Some(key), value))
                },
            )
        })
    }

    fn kvpair(&mut self) -> R<(&'a Expr<'a>, &'a Expr<'a>)> {
        self.rule(|p| {
            let a = p.expression()?;
            p.t(Tok::COLON)?;
            Ok((a, p.expression()?))
        })
    }

    pub(super) fn for_if_clauses(&mut self) -> R<&'a [Comprehension<'a>]> {
        self.rule(|p| {
            let a = p.plus(|p| p.for_if_clause())?;
            Ok(p.slice(&a))
        })
    }

    fn for_if_clause(&mut self) -> R<Comprehension<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    p.t(Tok::ASYNC)?;
                    let clause = p.rest_of_for_if_clause(1)?;
                    p.check_version(6, "Async comprehensions are", clause)
                },
                |p| p.rest_of_for_if_clause(0),
                |p| {
                    p.opt_t(Tok::ASYNC)?;
                    p.t(Tok::FOR)?;
                    p.rule(|p| {
                        p.bitwise_or()?;
                        p.star(|p| {
                            p.rule(|p| {
                                p.t(Tok::COMMA)?;
                                p.bitwise_or()
                            })
                        })?;
                        p.opt_t(Tok::COMMA)
                    })?;
                    p.not(|p| p.t(Tok::IN))?;
                    p.raise("'in' expected after for-loop variables".into())
                },
                |p| p.invalid(|p| p.invalid_for_target()),
            )
        })
    }

    fn rest_of_for_if_clause(&mut self, is_async: i32) -> R<Comprehension<'a>> {
        self.t(Tok::FOR)?;
        let target = self.star_targets()?;
        self.t(Tok::IN)?;
        self.cut(|p| {
            let iter = p.disjunction()?;
            let ifs = p.star(|p| {
                p.rule(|p| {
                    p.t(Tok::IF)?;
                    p.disjunction()
                })
            })?;
            Ok(Comprehension { target, iter, ifs: p.slice(&ifs), is_async })
        })
    }

    fn listcomp(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::LSQB)?;
                    let elt = p.named_expression()?;
                    let generators = p.for_if_clauses()?;
                    p.t(Tok::RSQB)?;
                    p.expr(ExprKind::ListComp { elt, generators }, s)
                },
                |p| p.invalid(|p| p.invalid_comprehension()),
            )
        })
    }

    fn setcomp(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::LBRACE)?;
                    let elt = p.named_expression()?;
                    let generators = p.for_if_clauses()?;
                    p.t(Tok::RBRACE)?;
                    p.expr(ExprKind::SetComp { elt, generators }, s)
                },
                |p| p.invalid(|p| p.invalid_comprehension()),
            )
        })
    }

    pub(super) fn genexp(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::LPAR)?;
                    let elt = p.assignment_or_plain_expression()?;
                    let generators = p.for_if_clauses()?;
                    p.t(Tok::RPAR)?;
                    p.expr(ExprKind::GeneratorExp { elt, generators }, s)
                },
                |p| p.invalid(|p| p.invalid_comprehension()),
            )
        })
    }

    fn dictcomp(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::LBRACE)?;
                    let (key, value) = p.kvpair()?;
                    let generators = p.for_if_clauses()?;
                    p.t(Tok::RBRACE)?;
                    p.expr(ExprKind::DictComp { key, value, generators }, s)
                },
                |p| p.invalid(|p| p.invalid_dict_comprehension()),
            )
        })
    }

    // ---- arguments --------------------------------------------------------------------------

    /// The arguments of a call, as a call of nothing.
    pub(super) fn arguments(&mut self) -> R<&'a Expr<'a>> {
        self.memo(Rule::Arguments, |p| {
            choice!(
                p,
                |p| {
                    let a = p.args()?;
                    p.opt_t(Tok::COMMA)?;
                    p.ahead(|p| p.t(Tok::RPAR))?;
                    Ok(a)
                },
                |p| p.invalid(|p| p.invalid_arguments()),
            )
        })
    }

    /// `starred_expression | (assignment_expression | expression !':=') !'='`
    pub(super) fn positional_argument(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.starred_expression(),
                |p| {
                    let a = p.assignment_or_plain_expression()?;
                    p.not(|p| p.t(Tok::EQUAL))?;
                    Ok(a)
                },
            )
        })
    }

    pub(super) fn args(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let a = p.gather(|p| p.positional_argument())?;
                    let b = p.opt(|p| {
                        p.rule(|p| {
                            p.t(Tok::COMMA)?;
                            p.kwargs()
                        })
                    })?;
                    p.collect_call_seqs(a, b.unwrap_or_default(), s)
                },
                |p| {
                    let a = p.kwargs()?;
                    p.collect_call_seqs(Vec::new(), a, s)
                },
            )
        })
    }

    fn collect_call_seqs(
        &mut self,
        mut args: Vec<&'a Expr<'a>>,
        kwargs: Vec<KeywordOrStarred<'a>>,
        s: super::Start,
    ) -> R<&'a Expr<'a>> {
        let mut keywords = Vec::new();
        for arg in kwargs {
            match arg {
                KeywordOrStarred::Keyword(keyword) => keywords.push(keyword),
                KeywordOrStarred::Starred(starred) => args.push(starred),
            }
        }
        let nothing = ExprKind::Name { id: "", ctx: ExprContext::Load };
        let func = self.core.expr(nothing, Range::default());
        let (args, keywords) = (self.slice(&args), self.slice(&keywords));
        self.expr(ExprKind::Call { func, args, keywords }, s)
    }

    pub(super) fn kwargs(&mut self) -> R<Vec<KeywordOrStarred<'a>>> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    let mut a = p.gather(|p| p.kwarg_or_starred())?;
                    p.t(Tok::COMMA)?;
                    a.extend(p.gather(|p| p.kwarg_or_double_starred())?);
                    Ok(a)
                },
                |p| p.gather(|p| p.kwarg_or_starred()),
                |p| p.gather(|p| p.kwarg_or_double_starred()),
            )
        })
    }

    pub(super) fn starred_expression(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_starred_expression()),
                |p| {
                    p.t(Tok::STAR)?;
                    let value = p.expression()?;
                    p.expr(ExprKind::Starred { value, ctx: ExprContext::Load }, s)
                },
                |p| {
                    p.t(Tok::STAR)?;
                    p.raise("Invalid star expression".into())
                },
            )
        })
    }

    fn name_equals_expression(&mut self, s: super::Start) -> R<KeywordOrStarred<'a>> {
        let arg = Some(self.identifier()?);
        self.t(Tok::EQUAL)?;
        let value = self.expression()?;
        Ok(KeywordOrStarred::Keyword(Keyword { arg, value, range: self.extra(s) }))
    }

    fn kwarg_or_starred(&mut self) -> R<KeywordOrStarred<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_kwarg()),
                |p| p.name_equals_expression(s),
                |p| Ok(KeywordOrStarred::Starred(p.starred_expression()?)),
            )
        })
    }

    fn kwarg_or_double_starred(&mut self) -> R<KeywordOrStarred<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_kwarg()),
                |p| p.name_equals_expression(s),
                |p| {
                    p.t(Tok::DOUBLESTAR)?;
                    let value = p.expression()?;
                    let range = p.extra(s);
                    Ok(KeywordOrStarred::Keyword(Keyword { arg: None, value, range }))
                },
            )
        })
    }
}

/// The arguments in the call of nothing that `arguments` gives.
pub(super) fn call_parts<'a>(
    call: Option<&'a Expr<'a>>,
) -> (&'a [&'a Expr<'a>], &'a [Keyword<'a>]) {
    match call {
        Some(Expr { kind: ExprKind::Call { args, keywords, .. }, .. }) => (args, keywords),
        _ => (&[], &[]),
    }
}
