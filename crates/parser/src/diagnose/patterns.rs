//! Patterns of `case` blocks.

use super::{Diagnosis, No, R, Rule, Start, choice};
use crate::ast::*;
use crate::token::Tok;

/// A key or an attribute, and its pattern.
type KeyPattern<'a> = (&'a Expr<'a>, &'a Pattern<'a>);

impl<'a> Diagnosis<'a, '_> {
    /// A pattern that ends here.
    fn pattern_node(&self, kind: PatternKind<'a>, s: Start) -> R<&'a Pattern<'a>> {
        Ok(self.core.arena.alloc(Pattern { kind, range: self.extra(s) }))
    }

    pub(super) fn patterns(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let patterns = p.open_sequence_pattern()?;
                    p.pattern_node(PatternKind::MatchSequence { patterns }, s)
                },
                |p| p.pattern(),
            )
        })
    }

    pub(super) fn pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| choice!(p, |p| p.as_pattern(), |p| p.or_pattern()))
    }

    fn as_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let pattern = Some(p.or_pattern()?);
                    p.t(Tok::AS)?;
                    let name = Some(p.pattern_capture_target()?);
                    p.pattern_node(PatternKind::MatchAs { pattern, name }, s)
                },
                |p| p.invalid(|p| p.invalid_as_pattern()),
            )
        })
    }

    pub(super) fn or_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let patterns = p.gather_by(Tok::VBAR, &mut |p| p.closed_pattern())?;
            if let [pattern] = patterns[..] {
                return Ok(pattern);
            }
            let patterns = p.slice(&patterns);
            p.pattern_node(PatternKind::MatchOr { patterns }, s)
        })
    }

    fn closed_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.memo(Rule::ClosedPattern, |p| {
            choice!(
                p,
                |p| p.literal_pattern(),
                |p| p.capture_pattern(),
                |p| p.wildcard_pattern(),
                |p| p.value_pattern(),
                |p| p.group_pattern(),
                |p| p.sequence_pattern(),
                |p| p.mapping_pattern(),
                |p| p.class_pattern(),
            )
        })
    }

    fn literal_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let token = p.current()?;
            let value = match token.kind {
                Tok::NONE => Constant::None,
                Tok::TRUE => Constant::True,
                Tok::FALSE => Constant::False,
                _ => {
                    let value = p.number_or_strings()?;
                    return p.pattern_node(PatternKind::MatchValue { value }, s);
                }
            };
            p.mark += 1;
            p.pattern_node(PatternKind::MatchSingleton { value }, s)
        })
    }

    /// `signed_number !('+' | '-') | complex_number | strings`
    fn number_or_strings(&mut self) -> R<&'a Expr<'a>> {
        choice!(
            self,
            |p| {
                let a = p.signed_number()?;
                p.not(|p| p.rule(|p| p.one_of(&[Tok::PLUS, Tok::MINUS])))?;
                Ok(a)
            },
            |p| p.complex_number(),
            |p| p.strings(),
        )
    }

    fn literal_expr(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let token = p.current()?;
            let value = match token.kind {
                Tok::NONE => Constant::None,
                Tok::TRUE => Constant::True,
                Tok::FALSE => Constant::False,
                _ => return p.number_or_strings(),
            };
            p.mark += 1;
            Ok(p.core.constant(value, token.range()))
        })
    }

    fn complex_number(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let left = p.signed_real_number()?;
            let op = match p.one_of(&[Tok::PLUS, Tok::MINUS])?.kind {
                Tok::PLUS => Operator::Add,
                _ => Operator::Sub,
            };
            let right = p.rule(|p| {
                let imag = p.number()?;
                if is_imaginary(imag) {
                    return Ok(imag);
                }
                let msg = "imaginary number required in complex literal";
                p.raise_known_location(imag.range, msg.into())
            })?;
            p.expr(ExprKind::BinOp { left, op, right }, s)
        })
    }

    fn signed_number(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            if p.opt_t(Tok::MINUS)?.is_none() {
                return p.number();
            }
            let operand = p.number()?;
            p.expr(ExprKind::UnaryOp { op: UnaryOp::USub, operand }, s)
        })
    }

    fn signed_real_number(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let negative = p.opt_t(Tok::MINUS)?.is_some();
            let operand = p.rule(|p| {
                let real = p.number()?;
                if !is_imaginary(real) {
                    return Ok(real);
                }
                let msg = "real number required in complex literal";
                p.raise_known_location(real.range, msg.into())
            })?;
            if !negative {
                return Ok(operand);
            }
            p.expr(ExprKind::UnaryOp { op: UnaryOp::USub, operand }, s)
        })
    }

    fn capture_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let name = Some(p.pattern_capture_target()?);
            p.pattern_node(PatternKind::MatchAs { pattern: None, name }, s)
        })
    }

    fn pattern_capture_target(&mut self) -> R<&'a str> {
        self.rule(|p| {
            p.not(|p| p.soft_keyword("_"))?;
            let name = p.identifier()?;
            p.not(|p| p.rule(|p| p.one_of(&[Tok::DOT, Tok::LPAR, Tok::EQUAL])))?;
            Ok(name)
        })
    }

    fn wildcard_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            p.soft_keyword("_")?;
            p.pattern_node(PatternKind::MatchAs { pattern: None, name: None }, s)
        })
    }

    fn value_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let value = p.attr()?;
            p.not(|p| p.rule(|p| p.one_of(&[Tok::DOT, Tok::LPAR, Tok::EQUAL])))?;
            p.pattern_node(PatternKind::MatchValue { value }, s)
        })
    }

    /// A dotted name of at least two parts.
    fn attr(&mut self) -> R<&'a Expr<'a>> {
        let value = self.name_or_attr()?;
        match value.kind {
            ExprKind::Attribute { .. } => Ok(value),
            _ => Err(No::Match),
        }
    }

    pub(super) fn name_or_attr(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let mut value = p.name()?;
            while let Some(longer) = p.opt(|p| p.attribute(value, s))? {
                value = longer;
            }
            Ok(value)
        })
    }

    fn group_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| {
            p.t(Tok::LPAR)?;
            let pattern = p.pattern()?;
            p.t(Tok::RPAR)?;
            Ok(pattern)
        })
    }

    fn sequence_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::LSQB)?;
                    let patterns = p.opt(|p| p.maybe_sequence_pattern())?.unwrap_or_default();
                    p.t(Tok::RSQB)?;
                    let patterns = p.slice(&patterns);
                    p.pattern_node(PatternKind::MatchSequence { patterns }, s)
                },
                |p| {
                    p.t(Tok::LPAR)?;
                    let patterns = p.opt(|p| p.open_sequence_pattern())?.unwrap_or(&[]);
                    p.t(Tok::RPAR)?;
                    p.pattern_node(PatternKind::MatchSequence { patterns }, s)
                },
            )
        })
    }

    fn open_sequence_pattern(&mut self) -> R<&'a [&'a Pattern<'a>]> {
        self.rule(|p| {
            let first = p.maybe_star_pattern()?;
            p.t(Tok::COMMA)?;
            let mut patterns = p.opt(|p| p.maybe_sequence_pattern())?.unwrap_or_default();
            patterns.insert(0, first);
            Ok(p.slice(&patterns))
        })
    }

    fn maybe_sequence_pattern(&mut self) -> R<Vec<&'a Pattern<'a>>> {
        self.rule(|p| {
            let patterns = p.gather(|p| p.maybe_star_pattern())?;
            p.opt_t(Tok::COMMA)?;
            Ok(patterns)
        })
    }

    fn maybe_star_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| choice!(p, |p| p.star_pattern(), |p| p.pattern()))
    }

    fn star_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.memo(Rule::StarPattern, |p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::STAR)?;
                    let name = Some(p.pattern_capture_target()?);
                    p.pattern_node(PatternKind::MatchStar { name }, s)
                },
                |p| {
                    p.t(Tok::STAR)?;
                    p.wildcard_pattern()?;
                    p.pattern_node(PatternKind::MatchStar { name: None }, s)
                },
            )
        })
    }

    fn mapping_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            p.t(Tok::LBRACE)?;
            choice!(
                p,
                |p| {
                    p.t(Tok::RBRACE)?;
                    p.match_mapping(Vec::new(), None, s)
                },
                |p| {
                    let rest = p.double_star_pattern()?;
                    p.opt_t(Tok::COMMA)?;
                    p.t(Tok::RBRACE)?;
                    p.match_mapping(Vec::new(), Some(rest), s)
                },
                |p| {
                    let items = p.rule(|p| p.gather(|p| p.key_value_pattern()))?;
                    p.t(Tok::COMMA)?;
                    let rest = p.double_star_pattern()?;
                    p.opt_t(Tok::COMMA)?;
                    p.t(Tok::RBRACE)?;
                    p.match_mapping(items, Some(rest), s)
                },
                |p| {
                    let items = p.rule(|p| p.gather(|p| p.key_value_pattern()))?;
                    p.opt_t(Tok::COMMA)?;
                    p.t(Tok::RBRACE)?;
                    p.match_mapping(items, None, s)
                },
            )
        })
    }

    fn match_mapping(
        &self,
        items: Vec<KeyPattern<'a>>,
        rest: Option<&'a str>,
        s: Start,
    ) -> R<&'a Pattern<'a>> {
        let keys: Vec<_> = items.iter().map(|item| item.0).collect();
        let patterns: Vec<_> = items.iter().map(|item| item.1).collect();
        let (keys, patterns) = (self.slice(&keys), self.slice(&patterns));
        self.pattern_node(PatternKind::MatchMapping { keys, patterns, rest }, s)
    }

    fn key_value_pattern(&mut self) -> R<KeyPattern<'a>> {
        self.rule(|p| {
            let key = p.rule(|p| choice!(p, |p| p.literal_expr(), |p| p.attr()))?;
            p.t(Tok::COLON)?;
            Ok((key, p.pattern()?))
        })
    }

    fn double_star_pattern(&mut self) -> R<&'a str> {
        self.rule(|p| {
            p.t(Tok::DOUBLESTAR)?;
            p.pattern_capture_target()
        })
    }

    fn class_pattern(&mut self) -> R<&'a Pattern<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let cls = p.name_or_attr()?;
                    p.t(Tok::LPAR)?;
                    p.t(Tok::RPAR)?;
                    p.match_class(cls, Vec::new(), Vec::new(), s)
                },
                |p| {
                    let cls = p.name_or_attr()?;
                    p.t(Tok::LPAR)?;
                    let patterns = p.positional_patterns()?;
                    p.opt_t(Tok::COMMA)?;
                    p.t(Tok::RPAR)?;
                    p.match_class(cls, patterns, Vec::new(), s)
                },
                |p| {
                    let cls = p.name_or_attr()?;
                    p.t(Tok::LPAR)?;
                    let keywords = p.keyword_patterns()?;
                    p.opt_t(Tok::COMMA)?;
                    p.t(Tok::RPAR)?;
                    p.match_class(cls, Vec::new(), keywords, s)
                },
                |p| {
                    let cls = p.name_or_attr()?;
                    p.t(Tok::LPAR)?;
                    let patterns = p.positional_patterns()?;
                    p.t(Tok::COMMA)?;
                    let keywords = p.keyword_patterns()?;
                    p.opt_t(Tok::COMMA)?;
                    p.t(Tok::RPAR)?;
                    p.match_class(cls, patterns, keywords, s)
                },
                |p| p.invalid(|p| p.invalid_class_pattern()),
            )
        })
    }

    fn match_class(
        &self,
        cls: &'a Expr<'a>,
        patterns: Vec<&'a Pattern<'a>>,
        keywords: Vec<(&'a str, &'a Pattern<'a>)>,
        s: Start,
    ) -> R<&'a Pattern<'a>> {
        let kwd_attrs: Vec<_> = keywords.iter().map(|keyword| keyword.0).collect();
        let kwd_patterns: Vec<_> = keywords.iter().map(|keyword| keyword.1).collect();
        let kind = PatternKind::MatchClass {
            cls,
            patterns: self.slice(&patterns),
            kwd_attrs: self.slice(&kwd_attrs),
            kwd_patterns: self.slice(&kwd_patterns),
        };
        self.pattern_node(kind, s)
    }

    pub(super) fn positional_patterns(&mut self) -> R<Vec<&'a Pattern<'a>>> {
        self.rule(|p| p.gather(|p| p.pattern()))
    }

    pub(super) fn keyword_patterns(&mut self) -> R<Vec<(&'a str, &'a Pattern<'a>)>> {
        self.rule(|p| {
            p.gather(|p| {
                p.rule(|p| {
                    let arg = p.identifier()?;
                    p.t(Tok::EQUAL)?;
                    Ok((arg, p.pattern()?))
                })
            })
        })
    }
}

fn is_imaginary(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Constant { value: Constant::Complex { .. }, .. })
}
