//! The parser: recursive descent, one function a production, each choice made by the next token.
//!
//! It has no error messages. Where it can't go on it just fails, and the diagnosing parser
//! (`diagnose`) reads the source again to say why. Where it can't be sure that CPython's parser
//! would get through, because of the depth of nesting, it fails as well and lets the other decide.

mod compound;
mod expressions;
mod params;
mod patterns;
mod statements;
mod strings;
mod targets;

use crate::ast::*;
use crate::core::{Core, Mode, Options};
use crate::token::{Tok, Token};
use crate::tokenizer::Tokenizer;
use bumpalo::Bump;

/// It is not a valid program, or this parser can't tell.
#[derive(Debug)]
pub(crate) struct Fail;

/// What a production gives.
pub(crate) type Parse<T> = Result<T, Fail>;

/// The nesting, in calls of CPython's parser functions and rather more than there are, at which
/// the diagnosing parser must count exactly.
const MAX_DEPTH: u32 = 5500;

/// Where a node begins: line and column.
type Start = (u32, u32);

/// See the module.
pub(crate) struct Parser<'a, 'o> {
    pub core: Core<'a, 'o>,
    /// The index of the current token.
    pos: usize,
    /// The current token.
    cur: Token,
    /// Where the token before it ends.
    last: (u32, u32),
    depth: u32,
    /// Expressions of the sequences that are being parsed, inner ones behind outer ones.
    exprs: Vec<&'a Expr<'a>>,
    /// The same for statements,
    stmts: Vec<Stmt<'a>>,
    /// for keyword arguments,
    keywords: Vec<Keyword<'a>>,
    /// and for the keys of dict displays.
    keys: Vec<Option<&'a Expr<'a>>>,
}

impl<'a, 'o> Parser<'a, 'o> {
    pub fn new(arena: &'a Bump, mode: Mode, options: &'o Options<'o>, tok: Tokenizer<'a, 'o>) -> Self {
        Parser {
            core: Core::new(arena, mode, options, tok),
            pos: 0,
            cur: Token::NOTHING,
            last: (0, 0),
            depth: 0,
            exprs: Vec::with_capacity(64),
            stmts: Vec::with_capacity(64),
            keywords: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// Parse the whole source.
    pub fn parse(&mut self) -> Parse<Mod<'a>> {
        self.core.fill();
        self.cur = self.core.tokens[0];
        let module = match self.core.mode {
            Mode::Exec => self.file(),
            Mode::Single => self.interactive(),
            Mode::Eval => self.eval(),
            Mode::FuncType => self.func_type(),
        };
        if self.core.deferred_error.borrow().is_some() { Err(Fail) } else { module }
    }

    fn file(&mut self) -> Parse<Mod<'a>> {
        let start = self.stmts.len();
        while self.kind() != Tok::ENDMARKER {
            self.statement()?;
        }
        let body = self.take_stmts(start);
        Ok(Mod::Module { body, type_ignores: self.core.type_ignores() })
    }

    fn interactive(&mut self) -> Parse<Mod<'a>> {
        let start = self.stmts.len();
        if self.kind() == Tok::NEWLINE {
            let range = self.cur.range();
            self.stmts.push(Stmt { kind: StmtKind::Pass, range });
        } else if self.compound_stmt()? {
            if self.kind() != Tok::NEWLINE {
                return Err(Fail);
            }
        } else {
            // The newline is left, lest another line be asked for.
            self.simple_stmts_up_to_newline()?;
        }
        Ok(Mod::Interactive { body: self.take_stmts(start) })
    }

    fn eval(&mut self) -> Parse<Mod<'a>> {
        let body = self.expressions()?;
        self.end_of_input()?;
        Ok(Mod::Expression { body })
    }

    fn func_type(&mut self) -> Parse<Mod<'a>> {
        self.expect(Tok::LPAR)?;
        let start = self.exprs.len();
        if self.kind() != Tok::RPAR {
            self.type_expressions()?;
        }
        let argtypes = self.take_exprs(start);
        self.expect(Tok::RPAR)?;
        self.expect(Tok::RARROW)?;
        let returns = self.expression()?;
        self.end_of_input()?;
        Ok(Mod::FunctionType { argtypes, returns })
    }

    /// Expressions, then perhaps `*` one and `**` one, without a comma at the end.
    fn type_expressions(&mut self) -> Parse<()> {
        let mut seen = None;
        loop {
            match self.kind() {
                Tok::STAR if seen.is_none() => {
                    seen = Some(Tok::STAR);
                    self.advance();
                }
                Tok::DOUBLESTAR if seen != Some(Tok::DOUBLESTAR) => {
                    seen = Some(Tok::DOUBLESTAR);
                    self.advance();
                }
                _ if seen.is_some() => return Err(Fail),
                _ => {}
            }
            let expr = self.expression()?;
            self.exprs.push(expr);
            if !self.accept(Tok::COMMA) {
                return Ok(());
            }
        }
    }

    fn end_of_input(&mut self) -> Parse<()> {
        while self.accept(Tok::NEWLINE) {}
        if self.kind() == Tok::ENDMARKER { Ok(()) } else { Err(Fail) }
    }

    // ---- tokens -----------------------------------------------------------------------------

    /// The kind of the current token.
    #[inline(always)]
    fn kind(&self) -> Tok {
        self.cur.kind
    }

    /// Where the current token begins.
    #[inline(always)]
    fn start(&self) -> Start {
        (self.cur.lineno, self.cur.col_offset as u32)
    }

    /// Go to the next token.
    #[inline]
    fn advance(&mut self) {
        self.last = (self.cur.end_lineno, self.cur.end_col_offset as u32);
        self.pos += 1;
        if self.pos == self.core.tokens.len() {
            self.core.fill();
        }
        self.cur = self.core.tokens[self.pos];
    }

    /// Go past a NEWLINE or DEDENT, which is never the end of a node.
    fn skip(&mut self) {
        let last = self.last;
        self.advance();
        self.last = last;
    }

    /// Go on if the current token is of this kind.
    #[inline]
    fn accept(&mut self, kind: Tok) -> bool {
        let found = self.cur.kind == kind;
        if found {
            self.advance();
        }
        found
    }

    /// Go past a token that must be there.
    #[inline]
    fn expect(&mut self, kind: Tok) -> Parse<()> {
        if self.accept(kind) { Ok(()) } else { Err(Fail) }
    }

    /// Go past a NAME.
    #[inline]
    fn expect_name(&mut self) -> Parse<Token> {
        let token = self.cur;
        self.expect(Tok::NAME)?;
        Ok(token)
    }

    /// Is the current token this soft keyword?
    #[inline]
    fn at_soft_keyword(&self, text: &[u8]) -> bool {
        self.cur.kind == Tok::NAME && self.core.tok.text(&self.cur) == text
    }

    /// The kind of the token after the current one.
    fn peek(&mut self) -> Tok {
        if self.pos + 1 == self.core.tokens.len() {
            // An error must stay the last token there is.
            if self.cur.kind == Tok::ERRORTOKEN {
                return Tok::ERRORTOKEN;
            }
            self.core.fill();
        }
        self.core.tokens[self.pos + 1].kind
    }

    /// Forget the tokens before the current one; the start of a statement is never gone back over.
    #[inline]
    fn forget_tokens(&mut self) {
        if self.pos + 1 == self.core.tokens.len() {
            self.core.tokens.clear();
            self.core.tokens.push(self.cur);
            self.pos = 0;
        }
    }

    /// Go back to a token, as if nothing after it had been parsed.
    fn go_back(&mut self, to: Checkpoint) {
        self.pos = to.pos;
        self.cur = self.core.tokens[to.pos];
        self.last = to.last;
        self.depth = to.depth;
        self.exprs.truncate(to.exprs);
        self.stmts.truncate(to.stmts);
        self.keywords.truncate(to.keywords);
        self.keys.truncate(to.keys);
    }

    /// What `go_back` needs.
    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            pos: self.pos,
            last: self.last,
            depth: self.depth,
            exprs: self.exprs.len(),
            stmts: self.stmts.len(),
            keywords: self.keywords.len(),
            keys: self.keys.len(),
        }
    }

    // ---- nodes ------------------------------------------------------------------------------

    /// From a start to the end of the last token.
    #[inline]
    fn range(&self, start: Start) -> Range {
        Range {
            lineno: start.0,
            col_offset: start.1,
            end_lineno: self.last.0,
            end_col_offset: self.last.1,
        }
    }

    /// A new expression that ends with the last token.
    #[inline]
    fn expr(&self, kind: ExprKind<'a>, start: Start) -> &'a Expr<'a> {
        self.core.expr(kind, self.range(start))
    }

    /// Move the expressions from `start` on into the arena.
    #[inline]
    fn take_exprs(&mut self, start: usize) -> &'a [&'a Expr<'a>] {
        let taken = self.core.arena.alloc_slice_copy(&self.exprs[start..]);
        self.exprs.truncate(start);
        taken
    }

    /// Move the statements from `start` on into the arena.
    fn take_stmts(&mut self, start: usize) -> &'a [Stmt<'a>] {
        let taken = self.core.arena.alloc_slice_copy(&self.stmts[start..]);
        self.stmts.truncate(start);
        taken
    }

    /// A sequence of one.
    fn one(&self, expr: &'a Expr<'a>) -> &'a [&'a Expr<'a>] {
        self.core.arena.alloc_slice_copy(&[expr])
    }

    /// Move nodes into the arena.
    fn slice<T: Copy>(&self, nodes: &[T]) -> &'a [T] {
        self.core.arena.alloc_slice_copy(nodes)
    }

    /// This syntax is of a version that may be too new.
    #[inline]
    fn check_version(&self, version: u8) -> Parse<()> {
        if self.core.options.feature_version < version { Err(Fail) } else { Ok(()) }
    }

    /// Nest deeper, by at least as many levels as CPython's parser does.
    #[inline]
    fn enter(&mut self, levels: u32) -> Parse<()> {
        self.depth += levels;
        if self.depth > MAX_DEPTH || self.core.stack_limit.exceeded() {
            return Err(Fail);
        }
        Ok(())
    }

    /// Undo `enter`.
    #[inline]
    fn leave(&mut self, levels: u32) {
        self.depth -= levels;
    }
}

/// See [`Parser::go_back`].
#[derive(Clone, Copy)]
struct Checkpoint {
    pos: usize,
    last: (u32, u32),
    depth: u32,
    exprs: usize,
    stmts: usize,
    keywords: usize,
    keys: usize,
}

/// May this token begin an expression?
#[inline]
fn starts_expression(kind: Tok) -> bool {
    use Tok::*;
    matches!(
        kind,
        NAME | NUMBER
            | STRING
            | FSTRING_START
            | LPAR
            | LSQB
            | LBRACE
            | MINUS
            | PLUS
            | TILDE
            | NOT
            | LAMBDA
            | AWAIT
            | NONE
            | TRUE
            | FALSE
            | ELLIPSIS
    )
}
