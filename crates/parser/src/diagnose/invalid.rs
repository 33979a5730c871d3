//! The rules for invalid programs. Each recognises a mistake and raises its error; which ones are
//! tried, and in which order, decides about the message.

use super::params::Kind;
use super::{Diagnosis, No, R, Rule, choice};
use crate::ast::*;
use crate::token::{Tok, is_soft_keyword};

/// What targets are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Targets {
    Star,
    Del,
    For,
}

impl<'a> Diagnosis<'a, '_> {
    /// NEWLINE, and no INDENT.
    fn newline_without_indent(&mut self) -> R<()> {
        self.t(Tok::NEWLINE)?;
        self.not(|p| p.t(Tok::INDENT))
    }

    fn raise_missing_block<T>(&mut self, after: &str, lineno: u32) -> R<T> {
        self.raise_indentation(format!("expected an indented block after {after} on line {lineno}"))
    }

    fn raise_missing_colon<T>(&mut self) -> R<T> {
        self.raise("expected ':'".into())
    }

    // ---- arguments ------------------------------------------------------------------------------

    pub(super) fn invalid_arguments<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                p.rule(|p| {
                    choice!(
                        p,
                        |p| {
                            p.rule(|p| {
                                p.gather(|p| p.positional_argument())?;
                                p.t(Tok::COMMA)?;
                                p.kwargs()
                            })
                        },
                        |p| p.kwargs(),
                    )
                })?;
                let a = p.t(Tok::COMMA)?;
                p.gather(|p| {
                    p.rule(|p| {
                        p.starred_expression()?;
                        p.not(|p| p.t(Tok::EQUAL))
                    })
                })?;
                let msg = "iterable argument unpacking follows keyword argument unpacking";
                p.raise_starting_from(a.range(), msg.into())
            },
            |p| {
                let a = p.expression()?;
                let b = p.for_if_clauses()?;
                p.t(Tok::COMMA)?;
                p.opt(|p| {
                    p.rule(|p| {
                        choice!(
                            p,
                            |p| p.args().map(|_| ()),
                            |p| {
                                p.expression()?;
                                p.for_if_clauses().map(|_| ())
                            },
                        )
                    })
                })?;
                let last = last_comprehension_item(b);
                p.raise_known_range(a.range, last, "Generator expression must be parenthesized".into())
            },
            |p| p.invalid_keyword_with_comprehension(),
            |p| {
                p.opt(|p| {
                    p.rule(|p| {
                        p.args()?;
                        p.t(Tok::COMMA)
                    })
                })?;
                let a = p.name()?;
                let b = p.t(Tok::EQUAL)?;
                p.ahead(|p| p.rule(|p| p.one_of(&[Tok::COMMA, Tok::RPAR])))?;
                p.raise_known_range(a.range, b.range(), "expected argument value expression".into())
            },
            |p| {
                let a = p.args()?;
                let b = p.for_if_clauses()?;
                // With one argument, it may be a tuple that lacks its parentheses.
                let ExprKind::Call { args: [_, .., last], .. } = a.kind else { return Err(No::Cut) };
                let end = last_comprehension_item(b);
                p.raise_known_range(last.range, end, "Generator expression must be parenthesized".into())
            },
            |p| {
                p.args()?;
                p.t(Tok::COMMA)?;
                let a = p.expression()?;
                let b = p.for_if_clauses()?;
                let last = last_comprehension_item(b);
                p.raise_known_range(a.range, last, "Generator expression must be parenthesized".into())
            },
            |p| {
                let a = p.args()?;
                p.t(Tok::COMMA)?;
                p.args()?;
                let ExprKind::Call { keywords, .. } = a.kind else { return Err(No::Cut) };
                let unpacking = keywords.iter().any(|keyword| keyword.arg.is_none());
                let unpacking = if unpacking { " unpacking" } else { "" };
                p.raise(format!("positional argument follows keyword argument{unpacking}"))
            },
        )
    }

    /// `NAME '=' expression for_if_clauses`
    fn invalid_keyword_with_comprehension<T>(&mut self) -> R<T> {
        let a = self.name()?;
        let b = self.t(Tok::EQUAL)?;
        self.expression()?;
        self.for_if_clauses()?;
        let msg = "invalid syntax. Maybe you meant '==' or ':=' instead of '='?";
        self.raise_known_range(a.range, b.range(), msg.into())
    }

    pub(super) fn invalid_kwarg<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                let a = p.rule(|p| p.one_of(&[Tok::TRUE, Tok::FALSE, Tok::NONE]))?;
                let b = p.t(Tok::EQUAL)?;
                let msg = format!("cannot assign to {}", a.kind.text());
                p.raise_known_range(a.range(), b.range(), msg)
            },
            |p| p.invalid_keyword_with_comprehension(),
            |p| {
                p.not(|p| {
                    p.rule(|p| {
                        p.t(Tok::NAME)?;
                        p.t(Tok::EQUAL)
                    })
                })?;
                let a = p.expression()?;
                let b = p.t(Tok::EQUAL)?;
                let msg = "expression cannot contain assignment, perhaps you meant \"==\"?";
                p.raise_known_range(a.range, b.range(), msg.into())
            },
            |p| {
                let a = p.t(Tok::DOUBLESTAR)?;
                p.expression()?;
                p.t(Tok::EQUAL)?;
                let b = p.expression()?;
                let msg = "cannot assign to keyword argument unpacking";
                p.raise_known_range(a.range(), b.range, msg.into())
            },
        )
    }

    pub(super) fn invalid_starred_expression<T>(&mut self) -> R<T> {
        let a = self.t(Tok::STAR)?;
        self.expression()?;
        self.t(Tok::EQUAL)?;
        let b = self.expression()?;
        self.raise_known_range(a.range(), b.range, "cannot assign to iterable argument unpacking".into())
    }

    // ---- expressions ----------------------------------------------------------------------------

    pub(super) fn invalid_legacy_expression<T>(&mut self) -> R<T> {
        let a = self.name()?;
        self.not(|p| p.t(Tok::LPAR))?;
        let b = self.star_expressions()?;
        match legacy_statement(a) {
            Some(name) => {
                let msg = format!("Missing parentheses in call to '{name}'. Did you mean {name}(...)?");
                self.raise_known_range(a.range, b.range, msg)
            }
            None => Err(No::Cut),
        }
    }

    pub(super) fn invalid_expression<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                // A string with an invalid prefix is a name and a string, and a soft keyword may
                // be a name before another name.
                p.not(|p| {
                    p.rule(|p| {
                        choice!(
                            p,
                            |p| {
                                p.t(Tok::NAME)?;
                                p.t(Tok::STRING)
                            },
                            |p| {
                                let token = p.t(Tok::NAME)?;
                                let text = p.core.tok.text(&token);
                                let words: [&[u8]; 4] = [b"_", b"case", b"match", b"type"];
                                // The beginning of one is enough.
                                let found = words.iter().any(|word| word.starts_with(text));
                                if found || is_soft_keyword(text) { Ok(token) } else { Err(No::Match) }
                            },
                        )
                    })
                })?;
                let a = p.disjunction()?;
                let b = p.expression_without_invalid()?;
                if legacy_statement(a).is_some() || p.core.tokens[p.mark - 1].level == 0 {
                    return Err(No::Cut);
                }
                let msg = "invalid syntax. Perhaps you forgot a comma?";
                p.raise_known_range(a.range, b.range, msg.into())
            },
            |p| {
                let a = p.disjunction()?;
                p.t(Tok::IF)?;
                let b = p.disjunction()?;
                p.not(|p| p.rule(|p| p.one_of(&[Tok::ELSE, Tok::COLON])))?;
                let msg = "expected 'else' after 'if' expression";
                p.raise_known_range(a.range, b.range, msg.into())
            },
            |p| {
                let a = p.t(Tok::LAMBDA)?;
                p.opt(|p| p.lambda_params())?;
                let b = p.t(Tok::COLON)?;
                p.ahead(|p| p.t(Tok::FSTRING_MIDDLE))?;
                let msg = "f-string: lambda expressions are not allowed without parentheses";
                p.raise_known_range(a.range(), b.range(), msg.into())
            },
        )
    }

    pub(super) fn invalid_named_expression(&mut self) -> R<&'a Expr<'a>> {
        if !self.call_invalid_rules {
            return Err(No::Match);
        }
        self.memo(Rule::InvalidNamedExpression, |p| {
            choice!(
                p,
                |p| {
                    let a = p.expression()?;
                    p.t(Tok::COLONEQUAL)?;
                    p.expression()?;
                    let msg = format!("cannot use assignment expressions with {}", expr_name(a));
                    p.raise_known_location(a.range, msg)
                },
                |p| {
                    let a = p.name()?;
                    p.t(Tok::EQUAL)?;
                    let b = p.bitwise_or()?;
                    p.not(|p| p.rule(|p| p.one_of(&[Tok::EQUAL, Tok::COLONEQUAL])))?;
                    let msg = "invalid syntax. Maybe you meant '==' or ':=' instead of '='?";
                    p.raise_known_range(a.range, b.range, msg.into())
                },
                |p| {
                    p.not(|p| {
                        p.rule(|p| {
                            choice!(
                                p,
                                |p| p.list().map(|_| ()),
                                |p| p.tuple().map(|_| ()),
                                |p| p.genexp().map(|_| ()),
                                |p| p.one_of(&[Tok::TRUE, Tok::NONE, Tok::FALSE]).map(|_| ()),
                            )
                        })
                    })?;
                    let a = p.bitwise_or()?;
                    p.t(Tok::EQUAL)?;
                    p.bitwise_or()?;
                    p.not(|p| p.rule(|p| p.one_of(&[Tok::EQUAL, Tok::COLONEQUAL])))?;
                    let name = expr_name(a);
                    let msg =
                        format!("cannot assign to {name} here. Maybe you meant '==' instead of '='?");
                    p.raise_known_location(a.range, msg)
                },
            )
        })
    }

    pub(super) fn invalid_arithmetic<T>(&mut self) -> R<T> {
        self.sum()?;
        const OPERATORS: [Tok; 7] =
            [Tok::PLUS, Tok::MINUS, Tok::STAR, Tok::SLASH, Tok::PERCENT, Tok::DOUBLESLASH, Tok::AT];
        self.rule(|p| p.one_of(&OPERATORS))?;
        let a = self.t(Tok::NOT)?;
        let b = self.inversion()?;
        let msg = "'not' after an operator must be parenthesized";
        self.raise_known_range(a.range(), b.range, msg.into())
    }

    pub(super) fn invalid_factor<T>(&mut self) -> R<T> {
        self.rule(|p| p.one_of(&[Tok::PLUS, Tok::MINUS, Tok::TILDE]))?;
        let a = self.t(Tok::NOT)?;
        let b = self.factor()?;
        let msg = "'not' after an operator must be parenthesized";
        self.raise_known_range(a.range(), b.range, msg.into())
    }

    pub(super) fn invalid_group<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                p.t(Tok::LPAR)?;
                let a = p.starred_expression()?;
                p.t(Tok::RPAR)?;
                p.raise_known_location(a.range, "cannot use starred expression here".into())
            },
            |p| {
                p.t(Tok::LPAR)?;
                let a = p.t(Tok::DOUBLESTAR)?;
                p.expression()?;
                p.t(Tok::RPAR)?;
                p.raise_known_location(a.range(), "cannot use double starred expression here".into())
            },
        )
    }

    pub(super) fn invalid_comprehension<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                p.rule(|p| p.one_of(&[Tok::LSQB, Tok::LPAR, Tok::LBRACE]))?;
                let a = p.starred_expression()?;
                p.for_if_clauses()?;
                let msg = "iterable unpacking cannot be used in comprehension";
                p.raise_known_location(a.range, msg.into())
            },
            |p| {
                p.rule(|p| p.one_of(&[Tok::LSQB, Tok::LBRACE]))?;
                let a = p.star_named_expression()?;
                p.t(Tok::COMMA)?;
                let b = p.star_named_expressions()?;
                p.for_if_clauses()?;
                let last = b.last().map_or(a.range, |last| last.range);
                let msg = "did you forget parentheses around the comprehension target?";
                p.raise_known_range(a.range, last, msg.into())
            },
            |p| {
                p.rule(|p| p.one_of(&[Tok::LSQB, Tok::LBRACE]))?;
                let a = p.star_named_expression()?;
                let b = p.t(Tok::COMMA)?;
                p.for_if_clauses()?;
                let msg = "did you forget parentheses around the comprehension target?";
                p.raise_known_range(a.range, b.range(), msg.into())
            },
        )
    }

    pub(super) fn invalid_dict_comprehension<T>(&mut self) -> R<T> {
        self.t(Tok::LBRACE)?;
        let a = self.t(Tok::DOUBLESTAR)?;
        self.bitwise_or()?;
        self.for_if_clauses()?;
        self.t(Tok::RBRACE)?;
        let msg = "dict unpacking cannot be used in dict comprehension";
        self.raise_known_location(a.range(), msg.into())
    }

    pub(super) fn invalid_double_starred_kvpairs<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                p.gather(|p| p.double_starred_kvpair())?;
                p.t(Tok::COMMA)?;
                p.rule(|p| p.invalid_kvpair())
            },
            |p| p.invalid_dict_value(),
            |p| p.missing_dict_value(),
        )
    }

    fn invalid_kvpair<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                let a = p.expression()?;
                p.not(|p| p.t(Tok::COLON))?;
                let Range { lineno, end_lineno, end_col_offset, .. } = a.range;
                p.raise_at(
                    crate::error::ErrorKind::Syntax,
                    (lineno as i32, end_col_offset as i32),
                    (end_lineno as i32, 0),
                    "':' expected after dictionary key".into(),
                )
            },
            |p| p.invalid_dict_value(),
            |p| p.missing_dict_value(),
        )
    }

    /// `expression ':' '*' bitwise_or`
    fn invalid_dict_value<T>(&mut self) -> R<T> {
        self.expression()?;
        self.t(Tok::COLON)?;
        let a = self.t(Tok::STAR)?;
        self.bitwise_or()?;
        let msg = "cannot use a starred expression in a dictionary value";
        self.raise_starting_from(a.range(), msg.into())
    }

    /// `expression ':' &('}' | ',')`
    fn missing_dict_value<T>(&mut self) -> R<T> {
        self.expression()?;
        let a = self.t(Tok::COLON)?;
        self.ahead(|p| p.rule(|p| p.one_of(&[Tok::RBRACE, Tok::COMMA])))?;
        let msg = "expression expected after dictionary key and ':'";
        self.raise_known_location(a.range(), msg.into())
    }

    // ---- f-strings --------------------------------------------------------------------------------

    pub(super) fn invalid_replacement_field<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                p.t(Tok::LBRACE)?;
                let a = p.one_of(&[Tok::EQUAL, Tok::EXCLAMATION, Tok::COLON, Tok::RBRACE])?;
                let msg = format!("f-string: valid expression required before '{}'", a.kind.text());
                p.raise_known_location(a.range(), msg)
            },
            |p| {
                p.t(Tok::LBRACE)?;
                p.not(|p| p.annotated_rhs())?;
                p.raise_on_next_token("f-string: expecting a valid expression after '{'")
            },
            |p| {
                p.t(Tok::LBRACE)?;
                p.annotated_rhs()?;
                let next = [Tok::EQUAL, Tok::EXCLAMATION, Tok::COLON, Tok::RBRACE];
                p.not(|p| p.rule(|p| p.one_of(&next)))?;
                p.raise_on_next_token("f-string: expecting '=', or '!', or ':', or '}'")
            },
            |p| {
                p.t(Tok::LBRACE)?;
                p.annotated_rhs()?;
                p.t(Tok::EQUAL)?;
                p.not(|p| p.rule(|p| p.one_of(&[Tok::EXCLAMATION, Tok::COLON, Tok::RBRACE])))?;
                p.raise_on_next_token("f-string: expecting '!', or ':', or '}'")
            },
            |p| {
                p.t(Tok::LBRACE)?;
                p.annotated_rhs()?;
                p.opt_t(Tok::EQUAL)?;
                p.rule(|p| p.invalid_conversion_character())
            },
            |p| {
                p.field_up_to_conversion()?;
                p.not(|p| p.rule(|p| p.one_of(&[Tok::COLON, Tok::RBRACE])))?;
                p.raise_on_next_token("f-string: expecting ':' or '}'")
            },
            |p| {
                p.field_up_to_conversion()?;
                p.t(Tok::COLON)?;
                p.star(|p| p.fstring_format_spec())?;
                p.not(|p| p.t(Tok::RBRACE))?;
                p.raise_on_next_token("f-string: expecting '}', or format specs")
            },
            |p| {
                p.field_up_to_conversion()?;
                p.not(|p| p.t(Tok::RBRACE))?;
                p.raise_on_next_token("f-string: expecting '}'")
            },
        )
    }

    /// `'{' annotated_rhs '='? ['!' NAME]`
    fn field_up_to_conversion(&mut self) -> R<()> {
        self.t(Tok::LBRACE)?;
        self.annotated_rhs()?;
        self.opt_t(Tok::EQUAL)?;
        self.opt(|p| {
            p.rule(|p| {
                p.t(Tok::EXCLAMATION)?;
                p.t(Tok::NAME)
            })
        })?;
        Ok(())
    }

    fn invalid_conversion_character<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                p.t(Tok::EXCLAMATION)?;
                p.ahead(|p| p.rule(|p| p.one_of(&[Tok::COLON, Tok::RBRACE])))?;
                p.raise_on_next_token("f-string: missing conversion character")
            },
            |p| {
                p.t(Tok::EXCLAMATION)?;
                p.not(|p| p.t(Tok::NAME))?;
                p.raise_on_next_token("f-string: invalid conversion character")
            },
        )
    }

    // ---- assignments and targets ------------------------------------------------------------------

    pub(super) fn invalid_assignment<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                let a = p.invalid_ann_assign_target()?;
                p.t(Tok::COLON)?;
                p.expression()?;
                let msg = format!("only single target (not {}) can be annotated", expr_name(a));
                p.raise_known_location(a.range, msg)
            },
            |p| {
                let a = p.star_named_expression()?;
                p.t(Tok::COMMA)?;
                p.star(|p| p.star_named_expressions())?;
                p.t(Tok::COLON)?;
                p.expression()?;
                let msg = "only single target (not tuple) can be annotated";
                p.raise_known_location(a.range, msg.into())
            },
            |p| {
                let a = p.expression()?;
                p.t(Tok::COLON)?;
                p.expression()?;
                p.raise_known_location(a.range, "illegal target for annotation".into())
            },
            |p| {
                p.star(|p| p.rule(|p| p.star_targets_equals()))?;
                let a = p.star_expressions()?;
                p.t(Tok::EQUAL)?;
                p.raise_invalid_target(Targets::Star, a)
            },
            |p| {
                p.star(|p| p.rule(|p| p.star_targets_equals()))?;
                let a = p.yield_expr()?;
                p.t(Tok::EQUAL)?;
                p.raise_known_location(a.range, "assignment to yield expression not possible".into())
            },
            |p| {
                let a = p.star_expressions()?;
                p.augassign()?;
                p.annotated_rhs()?;
                let name = expr_name(a);
                let msg = format!("'{name}' is an illegal expression for augmented assignment");
                p.raise_known_location(a.range, msg)
            },
        )
    }

    fn invalid_ann_assign_target(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.list(),
                |p| p.tuple(),
                |p| {
                    p.t(Tok::LPAR)?;
                    let a = p.invalid_ann_assign_target()?;
                    p.t(Tok::RPAR)?;
                    Ok(a)
                },
            )
        })
    }

    /// Raise the error for the part of a target that can't be one, if there is such a part.
    fn raise_invalid_target<T>(&mut self, targets: Targets, e: &'a Expr<'a>) -> R<T> {
        let Some(invalid) = invalid_target(e, targets) else { return Err(No::Cut) };
        let what = if targets == Targets::Del { "delete" } else { "assign to" };
        self.raise_known_location(invalid.range, format!("cannot {what} {}", expr_name(invalid)))
    }

    pub(super) fn invalid_del_stmt<T>(&mut self) -> R<T> {
        self.t(Tok::DEL)?;
        let a = self.star_expressions()?;
        self.raise_invalid_target(Targets::Del, a)
    }

    pub(super) fn invalid_with_item<T>(&mut self) -> R<T> {
        self.expression()?;
        self.t(Tok::AS)?;
        let a = self.expression()?;
        self.ahead(|p| p.rule(|p| p.one_of(&[Tok::COMMA, Tok::RPAR, Tok::COLON])))?;
        self.raise_invalid_target(Targets::Star, a)
    }

    pub(super) fn invalid_for_target<T>(&mut self) -> R<T> {
        self.opt_t(Tok::ASYNC)?;
        self.t(Tok::FOR)?;
        let a = self.star_expressions()?;
        self.raise_invalid_target(Targets::For, a)
    }

    // ---- parameters -------------------------------------------------------------------------------

    /// `slash_no_default | slash_with_default`
    fn slash_any(&mut self, kind: Kind) -> R<()> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.slash_no_default(kind).map(|_| ()),
                |p| p.slash_with_default(kind).map(|_| ()),
            )
        })
    }

    pub(super) fn invalid_parameters<T>(&mut self, kind: Kind) -> R<T> {
        choice!(
            self,
            |p| {
                let a = p.t(Tok::SLASH)?;
                p.t(Tok::COMMA)?;
                let msg = "at least one argument must precede /";
                p.raise_known_location(a.range(), msg.into())
            },
            |p| {
                p.slash_any(kind)?;
                p.star(|p| p.param_maybe_default(kind))?;
                let a = p.t(Tok::SLASH)?;
                p.raise_known_location(a.range(), "/ may appear only once".into())
            },
            |p| {
                p.opt(|p| p.slash_no_default(kind))?;
                p.star(|p| p.param_no_default(kind))?;
                p.rule(|p| {
                    choice!(
                        p,
                        |p| p.slash_with_default(kind).map(|_| ()),
                        |p| p.plus(|p| p.param_with_default(kind)).map(|_| ()),
                    )
                })?;
                let (a, _) = p.param_no_default(kind)?;
                let msg = "parameter without a default follows parameter with a default";
                p.raise_known_location(a.range, msg.into())
            },
            |p| {
                p.star(|p| p.param_no_default(kind))?;
                let a = p.t(Tok::LPAR)?;
                match kind {
                    Kind::Function => p.plus(|p| p.param_no_default(kind).map(|_| ()))?,
                    Kind::Lambda => p.gather(|p| p.param(kind).map(|_| ()))?,
                };
                p.opt_t(Tok::COMMA)?;
                let b = p.t(Tok::RPAR)?;
                let what = match kind {
                    Kind::Function => "Function",
                    Kind::Lambda => "Lambda expression",
                };
                let msg = format!("{what} parameters cannot be parenthesized");
                p.raise_known_range(a.range(), b.range(), msg)
            },
            |p| {
                p.opt(|p| p.slash_any(kind))?;
                p.star(|p| p.param_maybe_default(kind))?;
                p.t(Tok::STAR)?;
                p.comma_or_param(kind)?;
                p.star(|p| p.param_maybe_default(kind))?;
                let a = p.t(Tok::SLASH)?;
                p.raise_known_location(a.range(), "/ must be ahead of *".into())
            },
            |p| {
                p.plus(|p| p.param_maybe_default(kind))?;
                p.t(Tok::SLASH)?;
                let a = p.t(Tok::STAR)?;
                p.raise_known_location(a.range(), "expected comma between / and *".into())
            },
        )
    }

    /// `param_no_default | ','`
    fn comma_or_param(&mut self, kind: Kind) -> R<()> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.t(Tok::COMMA).map(|_| ()),
                |p| p.param_no_default(kind).map(|_| ()),
            )
        })
    }

    pub(super) fn invalid_default<T>(&mut self) -> R<T> {
        let a = self.t(Tok::EQUAL)?;
        self.ahead(|p| p.rule(|p| p.one_of(&[Tok::RPAR, Tok::COMMA])))?;
        self.raise_known_location(a.range(), "expected default value expression".into())
    }

    pub(super) fn invalid_star_etc<T>(&mut self, kind: Kind) -> R<T> {
        choice!(
            self,
            |p| {
                let a = p.t(Tok::STAR)?;
                p.rule(|p| {
                    choice!(
                        p,
                        |p| p.t(kind.end()),
                        |p| {
                            p.t(Tok::COMMA)?;
                            p.rule(|p| p.one_of(&[kind.end(), Tok::DOUBLESTAR]))
                        },
                    )
                })?;
                let msg = "named arguments must follow bare *".into();
                match kind {
                    Kind::Function => p.raise_known_location(a.range(), msg),
                    Kind::Lambda => p.raise(msg),
                }
            },
            |p| {
                if kind == Kind::Lambda {
                    return Err(No::Match);
                }
                p.t(Tok::STAR)?;
                p.t(Tok::COMMA)?;
                p.t(Tok::TYPE_COMMENT)?;
                p.raise("bare * has associated type comment".into())
            },
            |p| {
                p.t(Tok::STAR)?;
                p.param(kind)?;
                let a = p.t(Tok::EQUAL)?;
                let msg = "var-positional argument cannot have default value";
                p.raise_known_location(a.range(), msg.into())
            },
            |p| {
                p.t(Tok::STAR)?;
                p.comma_or_param(kind)?;
                p.star(|p| p.param_maybe_default(kind))?;
                let a = p.t(Tok::STAR)?;
                p.comma_or_param(kind)?;
                p.raise_known_location(a.range(), "* argument may appear only once".into())
            },
        )
    }

    pub(super) fn invalid_kwds<T>(&mut self, kind: Kind) -> R<T> {
        let msg = "arguments cannot follow var-keyword argument";
        choice!(
            self,
            |p| {
                p.t(Tok::DOUBLESTAR)?;
                p.param(kind)?;
                let a = p.t(Tok::EQUAL)?;
                let msg = "var-keyword argument cannot have default value";
                p.raise_known_location(a.range(), msg.into())
            },
            |p| {
                p.t(Tok::DOUBLESTAR)?;
                p.param(kind)?;
                p.t(Tok::COMMA)?;
                let a = p.param(kind)?;
                p.raise_known_location(a.range, msg.into())
            },
            |p| {
                p.t(Tok::DOUBLESTAR)?;
                p.param(kind)?;
                p.t(Tok::COMMA)?;
                let a = p.one_of(&[Tok::STAR, Tok::DOUBLESTAR, Tok::SLASH])?;
                p.raise_known_location(a.range(), msg.into())
            },
        )
    }

    pub(super) fn invalid_type_params<T>(&mut self) -> R<T> {
        self.t(Tok::LSQB)?;
        let token = self.t(Tok::RSQB)?;
        self.raise_starting_from(token.range(), "Type parameter list cannot be empty".into())
    }

    pub(super) fn invalid_double_type_comments<T>(&mut self) -> R<T> {
        self.t(Tok::TYPE_COMMENT)?;
        self.t(Tok::NEWLINE)?;
        self.t(Tok::TYPE_COMMENT)?;
        self.t(Tok::NEWLINE)?;
        self.t(Tok::INDENT)?;
        self.raise("Cannot have two type comments on def".into())
    }

    // ---- imports ------------------------------------------------------------------------------

    pub(super) fn invalid_import<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                let a = p.t(Tok::IMPORT)?;
                p.gather(|p| p.dotted_name())?;
                p.t(Tok::FROM)?;
                p.dotted_name()?;
                let msg = "Did you mean to use 'from ... import ...' instead?";
                p.raise_starting_from(a.range(), msg.into())
            },
            |p| {
                p.t(Tok::IMPORT)?;
                let token = p.t(Tok::NEWLINE)?;
                let msg = "Expected one or more names after 'import'";
                p.raise_starting_from(token.range(), msg.into())
            },
        )
    }

    pub(super) fn invalid_import_from_targets<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                p.import_from_as_names()?;
                p.t(Tok::COMMA)?;
                p.t(Tok::NEWLINE)?;
                p.raise("trailing comma not allowed without surrounding parentheses".into())
            },
            |p| {
                let token = p.t(Tok::NEWLINE)?;
                let msg = "Expected one or more names after 'import'";
                p.raise_starting_from(token.range(), msg.into())
            },
        )
    }

    // ---- blocks ---------------------------------------------------------------------------------

    pub(super) fn invalid_block<T>(&mut self) -> R<T> {
        self.newline_without_indent()?;
        self.raise_indentation("expected an indented block".into())
    }

    /// `['async'] 'with'` and its items, with parentheses or without; gives the line of `with`.
    fn with_items(&mut self, parentheses: bool) -> R<u32> {
        self.opt_t(Tok::ASYNC)?;
        let a = self.t(Tok::WITH)?;
        if parentheses {
            self.t(Tok::LPAR)?;
        }
        self.gather(|p| {
            p.rule(|p| {
                if parentheses { p.expressions()? } else { p.expression()? };
                p.opt(|p| {
                    p.rule(|p| {
                        p.t(Tok::AS)?;
                        p.star_target()
                    })
                })
            })
        })?;
        if parentheses {
            self.opt_t(Tok::COMMA)?;
            self.t(Tok::RPAR)?;
        }
        Ok(a.lineno)
    }

    pub(super) fn invalid_with_stmt<T>(&mut self) -> R<T> {
        let alternative = |p: &mut Self, parentheses| {
            p.with_items(parentheses)?;
            p.t(Tok::NEWLINE)?;
            p.raise_missing_colon()
        };
        choice!(self, |p| alternative(p, false), |p| alternative(p, true))
    }

    pub(super) fn invalid_with_stmt_indent<T>(&mut self) -> R<T> {
        let alternative = |p: &mut Self, parentheses| {
            let lineno = p.with_items(parentheses)?;
            p.t(Tok::COLON)?;
            p.newline_without_indent()?;
            p.raise_missing_block("'with' statement", lineno)
        };
        choice!(self, |p| alternative(p, false), |p| alternative(p, true))
    }

    pub(super) fn invalid_try_stmt<T>(&mut self) -> R<T> {
        let both = "cannot have both 'except' and 'except*' on the same 'try'";
        choice!(
            self,
            |p| {
                let a = p.t(Tok::TRY)?;
                p.t(Tok::COLON)?;
                p.newline_without_indent()?;
                p.raise_missing_block("'try' statement", a.lineno)
            },
            |p| {
                p.t(Tok::TRY)?;
                p.t(Tok::COLON)?;
                p.block()?;
                p.not(|p| p.rule(|p| p.one_of(&[Tok::EXCEPT, Tok::FINALLY])))?;
                p.raise("expected 'except' or 'finally' block".into())
            },
            |p| {
                p.t(Tok::TRY)?;
                p.t(Tok::COLON)?;
                p.star(|p| p.block())?;
                p.plus(|p| p.except_block())?;
                let a = p.t(Tok::EXCEPT)?;
                let b = p.t(Tok::STAR)?;
                p.expression()?;
                p.as_name()?;
                p.t(Tok::COLON)?;
                p.raise_known_range(a.range(), b.range(), both.into())
            },
            |p| {
                p.t(Tok::TRY)?;
                p.t(Tok::COLON)?;
                p.star(|p| p.block())?;
                p.plus(|p| p.except_star_block())?;
                let a = p.t(Tok::EXCEPT)?;
                p.opt(|p| {
                    p.rule(|p| {
                        p.expression()?;
                        p.as_name()
                    })
                })?;
                p.t(Tok::COLON)?;
                p.raise_known_location(a.range(), both.into())
            },
        )
    }

    pub(super) fn invalid_except_stmt<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                p.t(Tok::EXCEPT)?;
                p.opt_t(Tok::STAR)?;
                let a = p.expression()?;
                p.t(Tok::COMMA)?;
                p.expressions()?;
                p.as_name()?;
                p.t(Tok::COLON)?;
                let msg = "multiple exception types must be parenthesized";
                p.raise_starting_from(a.range, msg.into())
            },
            |p| {
                p.t(Tok::EXCEPT)?;
                p.opt_t(Tok::STAR)?;
                p.expression()?;
                p.as_name()?;
                p.t(Tok::NEWLINE)?;
                p.raise_missing_colon()
            },
            |p| {
                p.t(Tok::EXCEPT)?;
                p.t(Tok::NEWLINE)?;
                p.raise_missing_colon()
            },
            |p| {
                p.t(Tok::EXCEPT)?;
                p.t(Tok::STAR)?;
                p.rule(|p| p.one_of(&[Tok::NEWLINE, Tok::COLON]))?;
                p.raise("expected one or more exception types".into())
            },
        )
    }

    pub(super) fn invalid_finally_stmt<T>(&mut self) -> R<T> {
        let a = self.t(Tok::FINALLY)?;
        self.t(Tok::COLON)?;
        self.newline_without_indent()?;
        self.raise_missing_block("'finally' statement", a.lineno)
    }

    pub(super) fn invalid_except_stmt_indent<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                let a = p.t(Tok::EXCEPT)?;
                p.expression()?;
                p.as_name()?;
                p.t(Tok::COLON)?;
                p.newline_without_indent()?;
                p.raise_missing_block("'except' statement", a.lineno)
            },
            |p| {
                let a = p.t(Tok::EXCEPT)?;
                p.t(Tok::COLON)?;
                p.newline_without_indent()?;
                p.raise_missing_block("'except' statement", a.lineno)
            },
        )
    }

    pub(super) fn invalid_except_star_stmt_indent<T>(&mut self) -> R<T> {
        let a = self.t(Tok::EXCEPT)?;
        self.t(Tok::STAR)?;
        self.expression()?;
        self.as_name()?;
        self.t(Tok::COLON)?;
        self.newline_without_indent()?;
        self.raise_missing_block("'except*' statement", a.lineno)
    }

    /// A keyword and an expression, without a colon, or with one but without a block.
    fn invalid_header<T>(&mut self, keyword: Tok, what: &str) -> R<T> {
        choice!(
            self,
            |p| {
                p.t(keyword)?;
                p.named_expression()?;
                p.t(Tok::NEWLINE)?;
                p.raise_missing_colon()
            },
            |p| {
                let a = p.t(keyword)?;
                p.named_expression()?;
                p.t(Tok::COLON)?;
                p.newline_without_indent()?;
                p.raise_missing_block(what, a.lineno)
            },
        )
    }

    pub(super) fn invalid_if_stmt<T>(&mut self) -> R<T> {
        self.invalid_header(Tok::IF, "'if' statement")
    }

    pub(super) fn invalid_elif_stmt<T>(&mut self) -> R<T> {
        self.invalid_header(Tok::ELIF, "'elif' statement")
    }

    pub(super) fn invalid_while_stmt<T>(&mut self) -> R<T> {
        self.invalid_header(Tok::WHILE, "'while' statement")
    }

    pub(super) fn invalid_else_stmt<T>(&mut self) -> R<T> {
        let a = self.t(Tok::ELSE)?;
        self.t(Tok::COLON)?;
        self.newline_without_indent()?;
        self.raise_missing_block("'else' statement", a.lineno)
    }

    pub(super) fn invalid_for_stmt<T>(&mut self) -> R<T> {
        fn header<'a>(p: &mut Diagnosis<'a, '_>) -> R<u32> {
            p.opt_t(Tok::ASYNC)?;
            let a = p.t(Tok::FOR)?;
            p.star_targets()?;
            p.t(Tok::IN)?;
            p.star_expressions()?;
            Ok(a.lineno)
        }
        choice!(
            self,
            |p| {
                header(p)?;
                p.t(Tok::NEWLINE)?;
                p.raise_missing_colon()
            },
            |p| {
                let lineno = header(p)?;
                p.t(Tok::COLON)?;
                p.newline_without_indent()?;
                p.raise_missing_block("'for' statement", lineno)
            },
        )
    }

    /// The second alternative is a whole function, with a colon that must be there; it is only
    /// tried for the error if it isn't.
    pub(super) fn invalid_def_raw(&mut self) -> R<Stmt<'a>> {
        let s = self.start()?;
        choice!(
            self,
            |p| {
                p.opt_t(Tok::ASYNC)?;
                let a = p.t(Tok::DEF)?;
                p.t(Tok::NAME)?;
                p.opt(|p| p.type_params())?;
                p.t(Tok::LPAR)?;
                p.opt(|p| p.params())?;
                p.t(Tok::RPAR)?;
                p.opt(|p| p.rule(|p| p.return_annotation()))?;
                p.t(Tok::COLON)?;
                p.newline_without_indent()?;
                p.raise_missing_block("function definition", a.lineno)
            },
            |p| {
                p.opt_t(Tok::ASYNC)?;
                p.t(Tok::DEF)?;
                p.t(Tok::NAME)?;
                p.opt(|p| p.type_params())?;
                p.forced(Tok::LPAR)?;
                p.opt(|p| p.params())?;
                p.t(Tok::RPAR)?;
                p.opt(|p| p.rule(|p| p.return_annotation()))?;
                p.forced(Tok::COLON)?;
                p.opt(|p| p.func_type_comment())?;
                p.block()?;
                // This pass only looks for errors, so it doesn't matter which statement it is.
                p.stmt(StmtKind::Pass, s)
            },
        )
    }

    pub(super) fn invalid_class_def_raw<T>(&mut self) -> R<T> {
        fn header<'a>(p: &mut Diagnosis<'a, '_>) -> R<u32> {
            let a = p.t(Tok::CLASS)?;
            p.t(Tok::NAME)?;
            p.opt(|p| p.type_params())?;
            p.opt(|p| {
                p.rule(|p| {
                    p.t(Tok::LPAR)?;
                    p.opt(|p| p.arguments())?;
                    p.t(Tok::RPAR)
                })
            })?;
            Ok(a.lineno)
        }
        choice!(
            self,
            |p| {
                header(p)?;
                p.t(Tok::NEWLINE)?;
                p.raise_missing_colon()
            },
            |p| {
                let lineno = header(p)?;
                p.t(Tok::COLON)?;
                p.newline_without_indent()?;
                p.raise_missing_block("class definition", lineno)
            },
        )
    }

    // ---- match ----------------------------------------------------------------------------------

    pub(super) fn invalid_match_stmt<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                p.soft_keyword("match")?;
                p.subject_expr()?;
                p.t(Tok::NEWLINE)?;
                p.raise_missing_colon()
            },
            |p| {
                let a = p.soft_keyword("match")?;
                p.subject_expr()?;
                p.t(Tok::COLON)?;
                p.newline_without_indent()?;
                p.raise_missing_block("'match' statement", a.lineno)
            },
        )
    }

    pub(super) fn invalid_case_block<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                p.soft_keyword("case")?;
                p.patterns()?;
                p.opt(|p| p.guard())?;
                p.t(Tok::NEWLINE)?;
                p.raise_missing_colon()
            },
            |p| {
                let a = p.soft_keyword("case")?;
                p.patterns()?;
                p.opt(|p| p.guard())?;
                p.t(Tok::COLON)?;
                p.newline_without_indent()?;
                p.raise_missing_block("'case' statement", a.lineno)
            },
        )
    }

    pub(super) fn invalid_as_pattern<T>(&mut self) -> R<T> {
        choice!(
            self,
            |p| {
                p.or_pattern()?;
                p.t(Tok::AS)?;
                let a = p.soft_keyword("_")?;
                p.raise_known_location(a.range(), "cannot use '_' as a target".into())
            },
            |p| {
                p.or_pattern()?;
                p.t(Tok::AS)?;
                p.not(|p| p.t(Tok::NAME))?;
                let a = p.expression()?;
                p.raise_known_location(a.range, "invalid pattern target".into())
            },
        )
    }

    pub(super) fn invalid_class_pattern<T>(&mut self) -> R<T> {
        self.name_or_attr()?;
        self.t(Tok::LPAR)?;
        let a = self.rule(|p| {
            p.opt(|p| {
                p.rule(|p| {
                    p.positional_patterns()?;
                    p.t(Tok::COMMA)
                })
            })?;
            p.keyword_patterns()?;
            p.t(Tok::COMMA)?;
            p.positional_patterns()
        })?;
        let ([first, ..], [.., last]) = (&a[..], &a[..]) else { return Err(No::Cut) };
        let msg = "positional patterns follow keyword patterns";
        self.raise_known_range(first.range, last.range, msg.into())
    }
}

/// Where the last part of comprehension clauses stands.
fn last_comprehension_item(clauses: &[Comprehension]) -> Range {
    match clauses.last() {
        Some(clause) => clause.ifs.last().map_or(clause.iter.range, |last| last.range),
        None => Range::default(),
    }
}

/// The name, if it is one of a statement of Python 2.
fn legacy_statement<'a>(e: &Expr<'a>) -> Option<&'a str> {
    match e.kind {
        ExprKind::Name { id: id @ ("print" | "exec"), .. } => Some(id),
        _ => None,
    }
}

/// The part of an expression that can't be a target.
fn invalid_target<'a>(e: &'a Expr<'a>, targets: Targets) -> Option<&'a Expr<'a>> {
    match e.kind {
        ExprKind::List { elts, .. } | ExprKind::Tuple { elts, .. } => {
            elts.iter().find_map(|elt| invalid_target(elt, targets))
        }
        ExprKind::Starred { .. } if targets == Targets::Del => Some(e),
        ExprKind::Starred { value, .. } => invalid_target(value, targets),
        // `a in b` after `for`: the target is what is left of `in`.
        ExprKind::Compare { left, ops, .. } if targets == Targets::For => match ops {
            [CmpOp::In, ..] => invalid_target(left, targets),
            _ => None,
        },
        ExprKind::Name { .. } | ExprKind::Subscript { .. } | ExprKind::Attribute { .. } => None,
        _ => Some(e),
    }
}

/// What messages call an expression.
fn expr_name(e: &Expr) -> &'static str {
    match e.kind {
        ExprKind::Attribute { .. } => "attribute",
        ExprKind::Subscript { .. } => "subscript",
        ExprKind::Starred { .. } => "starred",
        ExprKind::Name { .. } => "name",
        ExprKind::List { .. } => "list",
        ExprKind::Tuple { .. } => "tuple",
        ExprKind::Lambda { .. } => "lambda",
        ExprKind::Call { .. } => "function call",
        ExprKind::BoolOp { .. } | ExprKind::BinOp { .. } | ExprKind::UnaryOp { .. } => "expression",
        ExprKind::GeneratorExp { .. } => "generator expression",
        ExprKind::Yield { .. } | ExprKind::YieldFrom { .. } => "yield expression",
        ExprKind::Await { .. } => "await expression",
        ExprKind::ListComp { .. } => "list comprehension",
        ExprKind::SetComp { .. } => "set comprehension",
        ExprKind::DictComp { .. } => "dict comprehension",
        ExprKind::Dict { .. } => "dict literal",
        ExprKind::Set { .. } => "set display",
        ExprKind::JoinedStr { .. } | ExprKind::FormattedValue { .. } => "f-string expression",
        ExprKind::Constant { value: Constant::None, .. } => "None",
        ExprKind::Constant { value: Constant::False, .. } => "False",
        ExprKind::Constant { value: Constant::True, .. } => "True",
        ExprKind::Constant { value: Constant::Ellipsis, .. } => "ellipsis",
        ExprKind::Constant { .. } => "literal",
        ExprKind::Compare { .. } => "comparison",
        ExprKind::IfExp { .. } => "conditional expression",
        ExprKind::NamedExpr { .. } => "named expression",
        ExprKind::Slice { .. } => "slice",
    }
}
