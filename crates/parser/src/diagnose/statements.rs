//! Start rules, and statements without a block.

use super::{Diagnosis, No, R, Rule, choice};
use crate::ast::*;
use crate::token::{Tok, Token};

impl<'a> Diagnosis<'a, '_> {
    pub(super) fn file(&mut self) -> R<Mod<'a>> {
        let body = self.opt(|p| p.statements())?.unwrap_or(&[]);
        self.t(Tok::ENDMARKER)?;
        let type_ignores = self.core.type_ignores();
        self.check_text()?;
        Ok(Mod::Module { body, type_ignores })
    }

    pub(super) fn interactive(&mut self) -> R<Mod<'a>> {
        Ok(Mod::Interactive { body: self.statement_newline()? })
    }

    pub(super) fn eval(&mut self) -> R<Mod<'a>> {
        let body = self.expressions()?;
        self.star(|p| p.t(Tok::NEWLINE))?;
        self.t(Tok::ENDMARKER)?;
        Ok(Mod::Expression { body })
    }

    pub(super) fn func_type(&mut self) -> R<Mod<'a>> {
        self.t(Tok::LPAR)?;
        let a = self.opt(|p| p.type_expressions())?;
        self.t(Tok::RPAR)?;
        self.t(Tok::RARROW)?;
        let returns = self.expression()?;
        self.star(|p| p.t(Tok::NEWLINE))?;
        self.t(Tok::ENDMARKER)?;
        Ok(Mod::FunctionType { argtypes: a.unwrap_or(&[]), returns })
    }

    /// `','.expression+ ',' '*' expression ',' '**' expression` or less.
    fn type_expressions(&mut self) -> R<&'a [&'a Expr<'a>]> {
        self.rule(|p| {
            let list = |p: &mut Self| p.gather(|p| p.expression());
            let starred = |p: &mut Self, star: Tok, mut a: Vec<&'a Expr<'a>>| {
                if !a.is_empty() {
                    p.t(Tok::COMMA)?;
                }
                p.t(star)?;
                a.push(p.expression()?);
                Ok(a)
            };
            let a = choice!(
                p,
                |p| {
                    let a = list(p)?;
                    let a = starred(p, Tok::STAR, a)?;
                    starred(p, Tok::DOUBLESTAR, a)
                },
                |p| {
                    let a = list(p)?;
                    starred(p, Tok::STAR, a)
                },
                |p| {
                    let a = list(p)?;
                    starred(p, Tok::DOUBLESTAR, a)
                },
                |p| {
                    let a = starred(p, Tok::STAR, Vec::new())?;
                    starred(p, Tok::DOUBLESTAR, a)
                },
                |p| starred(p, Tok::STAR, Vec::new()),
                |p| starred(p, Tok::DOUBLESTAR, Vec::new()),
                |p| list(p),
            )?;
            Ok(p.slice(&a))
        })
    }

    pub(super) fn statements(&mut self) -> R<&'a [Stmt<'a>]> {
        self.rule(|p| {
            let a = p.plus(|p| p.statement())?;
            let all: Vec<Stmt<'a>> = a.into_iter().flatten().copied().collect();
            Ok(p.slice(&all))
        })
    }

    fn statement(&mut self) -> R<&'a [Stmt<'a>]> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    let a = p.compound_stmt()?;
                    Ok(p.slice(&[a]))
                },
                |p| p.simple_stmts(),
            )
        })
    }

    fn statement_newline(&mut self) -> R<&'a [Stmt<'a>]> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let a = p.compound_stmt()?;
                    p.t(Tok::NEWLINE)?;
                    Ok(p.slice(&[a]))
                },
                |p| p.simple_stmts(),
                |p| {
                    p.t(Tok::NEWLINE)?;
                    Ok(p.slice(&[Stmt { kind: StmtKind::Pass, range: p.extra(s) }]))
                },
                |p| {
                    p.t(Tok::ENDMARKER)?;
                    p.interactive_exit = true;
                    Err(No::Match)
                },
            )
        })
    }

    pub(super) fn simple_stmts(&mut self) -> R<&'a [Stmt<'a>]> {
        self.rule(|p| {
            choice!(
                p,
                |p| {
                    let a = p.simple_stmt()?;
                    p.not(|p| p.t(Tok::SEMI))?;
                    p.t(Tok::NEWLINE)?;
                    Ok(p.slice(&[a]))
                },
                |p| {
                    let a = p.gather_by(Tok::SEMI, &mut |p| p.simple_stmt())?;
                    p.opt_t(Tok::SEMI)?;
                    p.t(Tok::NEWLINE)?;
                    Ok(p.slice(&a))
                },
            )
        })
    }

    /// A statement that ends here.
    pub(super) fn stmt(&self, kind: StmtKind<'a>, s: super::Start) -> R<Stmt<'a>> {
        Ok(Stmt { kind, range: self.extra(s) })
    }

    fn simple_stmt(&mut self) -> R<Stmt<'a>> {
        self.memo(Rule::SimpleStmt, |p| {
            let s = p.start()?;
            choice!(
                p,
                |p| p.assignment(),
                |p| {
                    p.ahead(|p| p.soft_keyword("type"))?;
                    p.type_alias()
                },
                |p| {
                    let value = p.star_expressions()?;
                    p.stmt(StmtKind::Expr { value }, s)
                },
                |p| {
                    let kind = p.current()?.kind;
                    match kind {
                        Tok::RETURN => p.return_stmt(),
                        Tok::IMPORT | Tok::FROM => p.import_stmt(),
                        Tok::RAISE => p.raise_stmt(),
                        Tok::PASS => p.keyword_stmt(StmtKind::Pass),
                        Tok::DEL => p.del_stmt(),
                        Tok::YIELD => p.rule(|p| {
                            let value = p.yield_expr()?;
                            p.stmt(StmtKind::Expr { value }, s)
                        }),
                        Tok::ASSERT => p.assert_stmt(),
                        Tok::BREAK => p.keyword_stmt(StmtKind::Break),
                        Tok::CONTINUE => p.keyword_stmt(StmtKind::Continue),
                        Tok::GLOBAL | Tok::NONLOCAL => p.global_or_nonlocal_stmt(),
                        _ => Err(No::Match),
                    }
                },
            )
        })
    }

    fn keyword_stmt(&mut self, kind: StmtKind<'a>) -> R<Stmt<'a>> {
        let s = self.start()?;
        self.mark += 1;
        self.stmt(kind, s)
    }

    fn assignment(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    let a = p.name()?;
                    let stmt = p.rest_of_annotated_assignment(a, 1, s)?;
                    p.check_version(6, "Variable annotation syntax is", stmt)
                },
                |p| {
                    let a = p.rule(|p| {
                        choice!(
                            p,
                            |p| {
                                p.t(Tok::LPAR)?;
                                let b = p.single_target()?;
                                p.t(Tok::RPAR)?;
                                Ok(b)
                            },
                            |p| p.single_subscript_attribute_target(),
                        )
                    })?;
                    let stmt = p.rest_of_annotated_assignment(a, 0, s)?;
                    p.check_version(6, "Variable annotations syntax is", stmt)
                },
                |p| {
                    let targets = p.plus(|p| p.rule(|p| p.star_targets_equals()))?;
                    let value = p.rule(|p| p.yield_or_star_expressions())?;
                    p.not(|p| p.t(Tok::EQUAL))?;
                    let type_comment = p.type_comment()?;
                    let targets = p.slice(&targets);
                    p.stmt(StmtKind::Assign { targets, value, type_comment }, s)
                },
                |p| {
                    let target = p.single_target()?;
                    let op = p.augassign()?;
                    p.cut(|p| {
                        let value = p.rule(|p| p.yield_or_star_expressions())?;
                        p.stmt(StmtKind::AugAssign { target, op, value }, s)
                    })
                },
                |p| p.invalid(|p| p.invalid_assignment()),
            )
        })
    }

    /// `star_targets '='`
    pub(super) fn star_targets_equals(&mut self) -> R<&'a Expr<'a>> {
        let z = self.star_targets()?;
        self.t(Tok::EQUAL)?;
        Ok(z)
    }

    /// `':' expression ['=' annotated_rhs]`
    fn rest_of_annotated_assignment(
        &mut self,
        a: &'a Expr<'a>,
        simple: i32,
        s: super::Start,
    ) -> R<Stmt<'a>> {
        self.t(Tok::COLON)?;
        let annotation = self.expression()?;
        let value = self.opt(|p| {
            p.rule(|p| {
                p.t(Tok::EQUAL)?;
                p.annotated_rhs()
            })
        })?;
        let target = self.core.set_expr_context(a, ExprContext::Store);
        self.stmt(StmtKind::AnnAssign { target, annotation, value, simple }, s)
    }

    /// `yield_expr | star_expressions`
    pub(super) fn yield_or_star_expressions(&mut self) -> R<&'a Expr<'a>> {
        choice!(self, |p| p.yield_expr(), |p| p.star_expressions())
    }

    pub(super) fn annotated_rhs(&mut self) -> R<&'a Expr<'a>> {
        self.rule(|p| p.yield_or_star_expressions())
    }

    pub(super) fn augassign(&mut self) -> R<Operator> {
        self.rule(|p| {
            let op = match p.current()?.kind {
                Tok::PLUSEQUAL => Operator::Add,
                Tok::MINEQUAL => Operator::Sub,
                Tok::STAREQUAL => Operator::Mult,
                Tok::ATEQUAL => Operator::MatMult,
                Tok::SLASHEQUAL => Operator::Div,
                Tok::PERCENTEQUAL => Operator::Mod,
                Tok::AMPEREQUAL => Operator::BitAnd,
                Tok::VBAREQUAL => Operator::BitOr,
                Tok::CIRCUMFLEXEQUAL => Operator::BitXor,
                Tok::LEFTSHIFTEQUAL => Operator::LShift,
                Tok::RIGHTSHIFTEQUAL => Operator::RShift,
                Tok::DOUBLESTAREQUAL => Operator::Pow,
                Tok::DOUBLESLASHEQUAL => Operator::FloorDiv,
                _ => return Err(No::Match),
            };
            p.mark += 1;
            if op == Operator::MatMult {
                return p.check_version(5, "The '@' operator is", op);
            }
            Ok(op)
        })
    }

    /// A type comment that may be missing.
    pub(super) fn type_comment(&mut self) -> R<Option<&'a str>> {
        let token = self.opt_t(Tok::TYPE_COMMENT)?;
        token.map(|token| self.comment_text(token)).transpose()
    }

    /// The text of a TYPE_COMMENT.
    pub(super) fn comment_text(&mut self, token: Token) -> R<&'a str> {
        let text = self.core.type_comment(self.core.tok.text(&token));
        self.check_text()?;
        Ok(text)
    }

    fn return_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            p.t(Tok::RETURN)?;
            let value = p.opt(|p| p.star_expressions())?;
            p.stmt(StmtKind::Return { value }, s)
        })
    }

    fn raise_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::RAISE)?;
                    let exc = Some(p.expression()?);
                    let cause = p.opt(|p| {
                        p.rule(|p| {
                            p.t(Tok::FROM)?;
                            p.expression()
                        })
                    })?;
                    p.stmt(StmtKind::Raise { exc, cause }, s)
                },
                |p| {
                    p.t(Tok::RAISE)?;
                    p.stmt(StmtKind::Raise { exc: None, cause: None }, s)
                },
            )
        })
    }

    fn global_or_nonlocal_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let keyword = p.one_of(&[Tok::GLOBAL, Tok::NONLOCAL])?;
            let names = p.gather(|p| p.identifier())?;
            let names = p.slice(&names);
            let kind = match keyword.kind {
                Tok::GLOBAL => StmtKind::Global { names },
                _ => StmtKind::Nonlocal { names },
            };
            p.stmt(kind, s)
        })
    }

    fn del_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::DEL)?;
                    let targets = p.del_targets()?;
                    p.ahead(|p| p.rule(|p| p.one_of(&[Tok::SEMI, Tok::NEWLINE])))?;
                    p.stmt(StmtKind::Delete { targets }, s)
                },
                |p| p.invalid(|p| p.invalid_del_stmt()),
            )
        })
    }

    fn assert_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            p.t(Tok::ASSERT)?;
            let test = p.expression()?;
            let msg = p.opt(|p| {
                p.rule(|p| {
                    p.t(Tok::COMMA)?;
                    p.expression()
                })
            })?;
            p.stmt(StmtKind::Assert { test, msg }, s)
        })
    }

    fn import_stmt(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            choice!(
                p,
                |p| p.invalid(|p| p.invalid_import()),
                |p| p.import_name(),
                |p| p.import_from(),
            )
        })
    }

    fn import_name(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            p.t(Tok::IMPORT)?;
            let names = p.rule(|p| p.gather(|p| p.dotted_as_name()))?;
            let names = p.slice(&names);
            p.stmt(StmtKind::Import { names }, s)
        })
    }

    fn import_from(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::FROM)?;
                    let level = p.dots()?;
                    let module = p.dotted_name()?;
                    p.t(Tok::IMPORT)?;
                    let names = p.import_from_targets()?;
                    if level == 0 && module == "__future__" {
                        p.core.barry |= names.iter().any(|alias| alias.name == "barry_as_FLUFL");
                    }
                    let module = Some(module);
                    p.stmt(StmtKind::ImportFrom { module, names, level: Some(level) }, s)
                },
                |p| {
                    p.t(Tok::FROM)?;
                    let level = p.dots()?;
                    if level == 0 {
                        return Err(No::Match);
                    }
                    p.t(Tok::IMPORT)?;
                    let names = p.import_from_targets()?;
                    p.stmt(StmtKind::ImportFrom { module: None, names, level: Some(level) }, s)
                },
            )
        })
    }

    /// `('.' | '...')*`, counted.
    fn dots(&mut self) -> R<i32> {
        let dots = self.star(|p| p.rule(|p| p.one_of(&[Tok::DOT, Tok::ELLIPSIS])))?;
        Ok(dots.iter().map(|dot| if dot.kind == Tok::DOT { 1 } else { 3 }).sum())
    }

    fn import_from_targets(&mut self) -> R<&'a [Alias<'a>]> {
        self.rule(|p| {
            let s = p.start()?;
            choice!(
                p,
                |p| {
                    p.t(Tok::LPAR)?;
                    let a = p.import_from_as_names()?;
                    p.opt_t(Tok::COMMA)?;
                    p.t(Tok::RPAR)?;
                    Ok(a)
                },
                |p| {
                    let a = p.import_from_as_names()?;
                    p.not(|p| p.t(Tok::COMMA))?;
                    Ok(a)
                },
                |p| {
                    p.t(Tok::STAR)?;
                    Ok(p.slice(&[Alias { name: "*", asname: None, range: p.extra(s) }]))
                },
                |p| p.invalid(|p| p.invalid_import_from_targets()),
            )
        })
    }

    pub(super) fn import_from_as_names(&mut self) -> R<&'a [Alias<'a>]> {
        self.rule(|p| {
            let a = p.gather(|p| {
                p.rule(|p| {
                    let s = p.start()?;
                    let name = p.identifier()?;
                    let asname = p.as_name()?;
                    Ok(Alias { name, asname, range: p.extra(s) })
                })
            })?;
            Ok(p.slice(&a))
        })
    }

    /// `['as' NAME]`
    pub(super) fn as_name(&mut self) -> R<Option<&'a str>> {
        self.opt(|p| {
            p.rule(|p| {
                p.t(Tok::AS)?;
                p.identifier()
            })
        })
    }

    fn dotted_as_name(&mut self) -> R<Alias<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            let name = p.dotted_name()?;
            let asname = p.as_name()?;
            Ok(Alias { name, asname, range: p.extra(s) })
        })
    }

    /// `dotted_name`, joined.
    pub(super) fn dotted_name(&mut self) -> R<&'a str> {
        self.rule(|p| {
            let mut name = p.identifier()?;
            while let Some(next) = p.opt(|p| {
                p.t(Tok::DOT)?;
                p.identifier()
            })? {
                name = p.core.arena.alloc_str(&format!("{name}.{next}"));
            }
            Ok(name)
        })
    }

    fn type_alias(&mut self) -> R<Stmt<'a>> {
        self.rule(|p| {
            let s = p.start()?;
            p.soft_keyword("type")?;
            let name = p.name()?;
            let type_params = p.opt(|p| p.type_params())?.unwrap_or(&[]);
            p.t(Tok::EQUAL)?;
            let value = p.expression()?;
            let name = p.core.set_expr_context(name, ExprContext::Store);
            let stmt = p.stmt(StmtKind::TypeAlias { name, type_params, value }, s)?;
            p.check_version(12, "Type statement is", stmt)
        })
    }
}
