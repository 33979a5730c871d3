//! The diagnosing parser: it says what is wrong with a source that the parser couldn't parse.
//!
//! CPython's error messages depend on the order in which its parser tries the alternatives of the
//! grammar, on how far it has looked ahead, and on rules for invalid programs that take part in a
//! second pass. So this is a parser of the same kind, one that tries alternatives one after the
//! other (a packrat parser): the functions are the rules of the published grammar by name, the
//! `invalid_...` rules among them. It is slow, and only ever sees sources with errors, and those
//! that nest so deeply that the limit on nesting, which counts calls of these very functions,
//! must be told exactly. It builds the whole tree, both for the messages and for the latter.

mod compound;
mod expressions;
mod invalid;
mod literals;
mod params;
mod patterns;
mod statements;
mod targets;

use bumpalo::Bump;

use crate::ast::*;
use crate::core::{ActionError, Core, Mode, Options};
use crate::error::{ErrorKind, SyntaxError};
use crate::literals::LiteralError;
use crate::token::{Tok, Token};
use crate::tokenizer::{Done, Tokenizer};

/// How many calls of rules may be active.
const MAXSTACK: u32 = 6000;

/// How many calls of rules there may be, whatever the length of the source, and how many more for
/// each token. Some invalid programs make the second pass take exponential time; they have to do
/// with the generic message.
const MAX_STEPS: u64 = 20_000_000;
const MAX_STEPS_PER_TOKEN: u64 = 2000;

/// Why a rule gives nothing.
#[derive(Debug)]
enum No {
    /// It doesn't match; the next alternative may.
    Match,
    /// It doesn't match, and no other alternative of the same rule is to be tried.
    Cut,
    /// There is an error; it is in `error`.
    Raised,
}

/// What a rule gives.
type R<T> = Result<T, No>;

/// Try alternatives in order: closures on the parser.
macro_rules! choice {
    ($p:expr, $($alternative:expr),+ $(,)?) => {{
        let mark = $p.mark;
        loop {
            $(
                match $p.attempt($alternative) {
                    Err($crate::diagnose::No::Match) => $p.mark = mark,
                    done => break done,
                }
            )+
            break Err($crate::diagnose::No::Match);
        }
    }};
}
use choice;

/// The rules whose results are remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Arguments,
    AwaitPrimary,
    BitwiseAnd,
    BitwiseOr,
    BitwiseXor,
    Block,
    ClosedPattern,
    Conjunction,
    DelTarget,
    Disjunction,
    Expression,
    Factor,
    InvalidNamedExpression,
    Inversion,
    Primary,
    ShiftExpr,
    SimpleStmt,
    StarExpression,
    StarPattern,
    StarTarget,
    Strings,
    Sum,
    TPrimary,
    TargetWithStarAtom,
    Term,
    TypeParam,
}

/// A remembered result.
#[derive(Clone, Copy)]
enum Value<'a> {
    Nothing,
    Expr(&'a Expr<'a>),
    Stmt(Stmt<'a>),
    Stmts(&'a [Stmt<'a>]),
    Pattern(&'a Pattern<'a>),
    TypeParam(TypeParam<'a>),
}

/// A type of results that can be remembered.
trait Memo<'a>: Copy {
    fn wrap(self) -> Value<'a>;
    fn unwrap(value: Value<'a>) -> Option<Self>;
}

macro_rules! memo_types {
    ($($variant:ident $type:ty),*) => {
        $(impl<'a> Memo<'a> for $type {
            fn wrap(self) -> Value<'a> { Value::$variant(self) }
            fn unwrap(value: Value<'a>) -> Option<Self> {
                match value { Value::$variant(x) => Some(x), _ => None }
            }
        })*
    };
}
memo_types!(Expr &'a Expr<'a>, Stmt Stmt<'a>, Stmts &'a [Stmt<'a>], Pattern &'a Pattern<'a>,
    TypeParam TypeParam<'a>);

/// The result of a rule at a token, and the token after it.
struct MemoEntry<'a> {
    rule: Rule,
    value: Value<'a>,
    end: usize,
}

/// Where a node begins.
type Start = (u32, i32);

/// See the module.
pub(crate) struct Diagnosis<'a, 'o> {
    pub core: Core<'a, 'o>,
    /// The index of the current token, which may not have been read yet.
    mark: usize,
    memo: Vec<Vec<MemoEntry<'a>>>,
    /// The second pass, with the rules for invalid programs.
    call_invalid_rules: bool,
    level: u32,
    steps: u64,
    /// The end of an interactive session was read where a statement could begin.
    interactive_exit: bool,
    error: Option<SyntaxError>,
}

impl<'a, 'o> Diagnosis<'a, 'o> {
    pub fn new(arena: &'a Bump, mode: Mode, options: &'o Options<'o>, tok: Tokenizer<'a, 'o>) -> Self {
        Diagnosis {
            core: Core::new(arena, mode, options, tok),
            mark: 0,
            memo: Vec::new(),
            call_invalid_rules: false,
            level: 0,
            steps: 0,
            interactive_exit: false,
            error: None,
        }
    }

    /// Parse the source after all, or tell the error.
    pub fn run(&mut self) -> Result<Mod<'a>, SyntaxError> {
        if let Ok(module) = self.start_rule() {
            return self.check_single_statement(module);
        }
        if self.core.tok.interactive && self.interactive_exit {
            return Err(SyntaxError::bare(ErrorKind::Eof, ""));
        }
        if self.core.options.allow_incomplete_input && self.is_end_of_source() {
            self.error = None;
            self.raise_error::<()>(ErrorKind::IncompleteInput, false, "incomplete input".into()).ok();
        } else if self.error.as_ref().is_none_or(|error| error.kind.is_syntax_error()) {
            self.second_pass();
        }
        Err(self.error.take().unwrap_or_else(|| SyntaxError::bare(ErrorKind::Syntax, "invalid syntax")))
    }

    fn start_rule(&mut self) -> R<Mod<'a>> {
        self.rule(|p| match p.core.mode {
            Mode::Exec => p.file(),
            Mode::Single => p.interactive(),
            Mode::Eval => p.eval(),
            Mode::FuncType => p.func_type(),
        })
    }

    /// After a single statement there may only be whitespace and comments.
    fn check_single_statement(&mut self, module: Mod<'a>) -> Result<Mod<'a>, SyntaxError> {
        if self.core.mode == Mode::Single && self.core.more_than_one_statement() {
            let msg = "multiple statements found while compiling a single statement";
            self.raise_error::<()>(ErrorKind::Syntax, false, msg.into()).ok();
            if let Some(error) = self.error.take() {
                return Err(error);
            }
        }
        Ok(module)
    }

    fn is_end_of_source(&self) -> bool {
        matches!(self.core.tok.done, Done::Eof | Done::Eofs | Done::Eols)
    }

    /// Parse again with the rules for invalid programs, and settle on an error.
    fn second_pass(&mut self) {
        let last_token = self.core.tokens.last().copied();
        for memo in &mut self.memo {
            memo.clear();
        }
        self.mark = 0;
        self.level = 0;
        self.call_invalid_rules = true;
        self.core.suppress_warnings = true;
        self.core.tok.interactive_stop = true;
        // An error of the first pass is the one.
        if self.error.is_none() {
            self.start_rule().ok();
        }
        self.set_syntax_error(last_token);
    }

    /// The error, if the second pass hasn't found one; one of the tokenizer further on has
    /// precedence over that of the parser.
    fn set_syntax_error(&mut self, last_token: Option<Token>) {
        if let Some(error) = &self.error {
            if self.core.tok.done == Done::Ok && error.kind.is_syntax_error() {
                self.tokenize_full_source_to_check_for_errors();
            }
            return;
        }
        let Some(last_token) = last_token else {
            let msg = "error at start before reading any input".into();
            self.raise_error::<()>(ErrorKind::Syntax, false, msg).ok();
            return;
        };
        match last_token.kind {
            Tok::ERRORTOKEN if self.core.tok.done == Done::Eof => self.raise_eof(),
            Tok::INDENT => self.raise_indentation::<()>("unexpected indent".into()).unwrap_or(()),
            Tok::DEDENT => self.raise_indentation::<()>("unexpected unindent".into()).unwrap_or(()),
            _ => {
                self.raise_known_location::<()>(last_token.range(), "invalid syntax".into()).ok();
                self.tokenize_full_source_to_check_for_errors();
            }
        }
    }

    fn tokenize_full_source_to_check_for_errors(&mut self) {
        if self.core.tok.interactive {
            return;
        }
        let Some(current) = self.core.tokens.last().copied() else { return };
        let error = self.error.take();
        loop {
            match self.core.tok.next_token().kind {
                Tok::ERRORTOKEN => {
                    if let Some(msg) = self.core.tok.decode_error.take() {
                        self.error = Some(SyntaxError::bare(ErrorKind::UnicodeDecode, msg));
                    } else if let Some(error) = self.core.tok.error.take() {
                        self.error = Some(error);
                    } else if let Some(paren) = self.core.tok.parens.last()
                        && current.lineno > paren.lineno {
                            self.raise_unclosed_parentheses();
                        }
                    break;
                }
                Tok::ENDMARKER => break,
                _ => {}
            }
        }
        // In an f-string, the error of the expression is the better one.
        if self.error.is_none() || self.core.tok.inside_fstring() {
            self.error = error;
        }
    }

    // ---- tokens -----------------------------------------------------------------------------

    /// Read a token if the current one hasn't been read.
    fn fill(&mut self) -> R<()> {
        if self.mark < self.core.tokens.len() {
            return Ok(());
        }
        self.core.fill();
        self.memo.push(Vec::new());
        if self.core.tokens[self.mark].kind == Tok::ERRORTOKEN {
            return self.tokenizer_error();
        }
        Ok(())
    }

    /// The current token.
    fn current(&mut self) -> R<Token> {
        self.fill()?;
        Ok(self.core.tokens[self.mark])
    }

    /// A token of this kind.
    fn t(&mut self, kind: Tok) -> R<Token> {
        let token = self.current()?;
        if token.kind != kind {
            return Err(No::Match);
        }
        self.mark += 1;
        Ok(token)
    }

    /// A token of one of these kinds.
    fn one_of(&mut self, kinds: &[Tok]) -> R<Token> {
        let token = self.current()?;
        if !kinds.contains(&token.kind) {
            return Err(No::Match);
        }
        self.mark += 1;
        Ok(token)
    }

    /// A token that must be there.
    fn forced(&mut self, kind: Tok) -> R<Token> {
        let token = self.current()?;
        if token.kind != kind {
            return self.raise_known_location(token.range(), format!("expected '{}'", kind.text()));
        }
        self.mark += 1;
        Ok(token)
    }

    /// This soft keyword.
    fn soft_keyword(&mut self, text: &str) -> R<Token> {
        let token = self.current()?;
        if token.kind != Tok::NAME || self.core.tok.text(&token) != text.as_bytes() {
            return Err(No::Match);
        }
        self.mark += 1;
        Ok(token)
    }

    /// A NAME as an expression.
    fn name(&mut self) -> R<&'a Expr<'a>> {
        let token = self.t(Tok::NAME)?;
        let name = self.core.name(&token, ExprContext::Load);
        self.check_text()?;
        Ok(name)
    }

    /// Raise the error about the text of a name or a comment, if there is one.
    fn check_text(&mut self) -> R<()> {
        let Some(error) = self.core.deferred_error.borrow_mut().take() else { return Ok(()) };
        self.error = Some(error);
        Err(No::Raised)
    }

    /// A NAME as an identifier.
    fn identifier(&mut self) -> R<&'a str> {
        let token = self.t(Tok::NAME)?;
        let name = self.core.identifier(&token);
        self.check_text()?;
        Ok(name)
    }

    // ---- rules ------------------------------------------------------------------------------

    /// Try an alternative.
    fn attempt<T>(&mut self, alternative: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        alternative(self)
    }

    /// Call a rule, or a group in one: it counts as a level.
    fn rule<T>(&mut self, rule: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        self.steps += 1;
        if self.level >= MAXSTACK || self.core.stack_limit.exceeded() {
            let msg = "Parser stack overflowed - Python source too complex to parse";
            self.error = Some(SyntaxError::bare(ErrorKind::Memory, msg));
            return Err(No::Raised);
        }
        if self.steps > MAX_STEPS + MAX_STEPS_PER_TOKEN * self.core.tokens.len() as u64 {
            return Err(No::Raised);
        }
        self.level += 1;
        let result = rule(self);
        self.level -= 1;
        match result {
            Err(No::Cut) => Err(No::Match),
            result => result,
        }
    }

    /// Call a rule whose results are remembered.
    fn memo<T: Memo<'a>>(&mut self, id: Rule, rule: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        self.fill()?;
        let mark = self.mark;
        if let Some(entry) = self.memo[mark].iter().find(|entry| entry.rule == id) {
            let value = T::unwrap(entry.value);
            self.mark = entry.end;
            return value.ok_or(No::Match);
        }
        let result = self.rule(rule);
        let value = match &result {
            Ok(value) => value.wrap(),
            Err(No::Raised) => return result,
            Err(_) => {
                self.mark = mark;
                Value::Nothing
            }
        };
        self.memo[mark].push(MemoEntry { rule: id, value, end: self.mark });
        result
    }

    /// Call a left-recursive rule: first what it begins with, then what may follow, as often as
    /// it does.
    fn left_recursive(
        &mut self,
        id: Rule,
        first: impl FnOnce(&mut Self) -> R<&'a Expr<'a>>,
        mut more: impl FnMut(&mut Self, &'a Expr<'a>, Start) -> R<&'a Expr<'a>>,
    ) -> R<&'a Expr<'a>> {
        self.memo(id, |p| {
            let start = p.start()?;
            let mut value = p.rule(first)?;
            loop {
                let mark = p.mark;
                match p.rule(|p| more(p, value, start)) {
                    Ok(longer) => value = longer,
                    Err(No::Raised) => return Err(No::Raised),
                    Err(_) => {
                        p.mark = mark;
                        return Ok(value);
                    }
                }
            }
        })
    }

    /// Something that may be missing.
    fn opt<T>(&mut self, rule: impl FnOnce(&mut Self) -> R<T>) -> R<Option<T>> {
        let mark = self.mark;
        match rule(self) {
            Ok(value) => Ok(Some(value)),
            Err(No::Raised) => Err(No::Raised),
            Err(_) => {
                self.mark = mark;
                Ok(None)
            }
        }
    }

    /// A token that may be missing.
    fn opt_t(&mut self, kind: Tok) -> R<Option<Token>> {
        self.opt(|p| p.t(kind))
    }

    /// `e*`
    fn star<T>(&mut self, mut element: impl FnMut(&mut Self) -> R<T>) -> R<Vec<T>> {
        self.rule(|p| {
            let mut elements = Vec::new();
            while let Some(value) = p.opt(&mut element)? {
                elements.push(value);
            }
            Ok(elements)
        })
    }

    /// `e+`
    fn plus<T>(&mut self, element: impl FnMut(&mut Self) -> R<T>) -> R<Vec<T>> {
        let elements = self.star(element)?;
        if elements.is_empty() { Err(No::Match) } else { Ok(elements) }
    }

    /// `','.e+`
    fn gather<T>(&mut self, mut element: impl FnMut(&mut Self) -> R<T>) -> R<Vec<T>> {
        self.gather_by(Tok::COMMA, &mut element)
    }

    /// `s.e+`
    fn gather_by<T>(&mut self, separator: Tok, element: &mut impl FnMut(&mut Self) -> R<T>) -> R<Vec<T>> {
        self.rule(|p| {
            let mut elements = vec![element(p)?];
            let more = p.star(|p| {
                p.t(separator)?;
                element(p)
            })?;
            elements.extend(more);
            Ok(elements)
        })
    }

    /// `&e`
    fn ahead<T>(&mut self, rule: impl FnOnce(&mut Self) -> R<T>) -> R<()> {
        let mark = self.mark;
        let found = self.opt(rule)?;
        self.mark = mark;
        if found.is_some() { Ok(()) } else { Err(No::Match) }
    }

    /// `!e`
    fn not<T>(&mut self, rule: impl FnOnce(&mut Self) -> R<T>) -> R<()> {
        let mark = self.mark;
        let found = self.opt(rule)?;
        self.mark = mark;
        if found.is_none() { Ok(()) } else { Err(No::Match) }
    }

    /// After `~`: from here on, no other alternative is tried.
    fn cut<T>(&mut self, rest: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        match rest(self) {
            Err(No::Match) => Err(No::Cut),
            result => result,
        }
    }

    /// An alternative for invalid programs, which takes part in the second pass only.
    fn invalid<T>(&mut self, rule: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        if self.call_invalid_rules { self.rule(rule) } else { Err(No::Match) }
    }

    // ---- nodes --------------------------------------------------------------------------------

    /// Where the current token begins.
    fn start(&mut self) -> R<Start> {
        let token = self.current()?;
        Ok((token.lineno, token.col_offset))
    }

    /// From a start to the end of the last token that isn't whitespace.
    fn extra(&self, start: Start) -> Range {
        let read = &self.core.tokens[..self.mark];
        let last = read.iter().rev().find(|token| !token.kind.is_whitespace()).or(read.first());
        let end = last.copied().unwrap_or(Token::NOTHING).range();
        Range { lineno: start.0, col_offset: start.1 as u32, ..end }
    }

    /// A new expression that ends here.
    fn expr(&self, kind: ExprKind<'a>, start: Start) -> R<&'a Expr<'a>> {
        Ok(self.core.expr(kind, self.extra(start)))
    }

    /// Move nodes into the arena.
    fn slice<T: Copy>(&self, nodes: &[T]) -> &'a [T] {
        self.core.arena.alloc_slice_copy(nodes)
    }

    /// The node, if its syntax isn't newer than allowed.
    fn check_version<T>(&mut self, version: u8, what: &str, node: T) -> R<T> {
        if self.core.options.feature_version < version {
            return self.raise(format!("{what} only supported in Python 3.{version} and greater"));
        }
        Ok(node)
    }

    /// The node that an action makes, or the error that it has.
    fn action<T>(&mut self, result: Result<T, ActionError>) -> R<T> {
        let (error, token) = match result {
            Ok(node) => return Ok(node),
            Err(ActionError::MixedLiterals) => {
                return self.raise("cannot mix bytes and nonbytes literals".into());
            }
            Err(ActionError::Decode(LiteralError::Unicode(msg))) => {
                self.error = Some(SyntaxError::bare(ErrorKind::UnicodeDecode, msg));
                return Err(No::Raised);
            }
            Err(ActionError::Decode(error)) => (error, Token::NOTHING),
            Err(ActionError::Literal(error, token)) => (error, token),
        };
        match error {
            LiteralError::Unicode(msg) => self.raise(format!("(unicode error) {msg}")),
            LiteralError::Value(msg) => self.raise(format!("(value error) {msg}")),
            LiteralError::NonAsciiBytes => self.raise_known_location(
                token.range(),
                "bytes can only contain ASCII literal characters".into(),
            ),
            LiteralError::TooManyDigits(digits) => {
                let limit = self.core.options.int_max_str_digits;
                let msg = format!(
                    "Exceeds the limit ({limit} digits) for integer string conversion: value has {digits} \
                     digits; use sys.set_int_max_str_digits() to increase the limit - Consider \
                     hexadecimal for huge integer literals to avoid decimal conversion limits."
                );
                let (lineno, end_lineno) = (token.lineno as i32, token.end_lineno as i32);
                self.raise_at(ErrorKind::Syntax, (lineno, 0), (end_lineno, 0), msg)
            }
        }
    }

    // ---- errors -------------------------------------------------------------------------------

    /// Raise an error with a place; columns count from 1, and 0 is none.
    fn raise_at<T>(&mut self, kind: ErrorKind, start: (i32, i32), end: (i32, i32), msg: String) -> R<T> {
        if self.error.is_none() {
            self.error = Some(self.core.error_at(kind, start, end, msg));
        }
        Err(No::Raised)
    }

    /// Raise a SyntaxError with a range.
    fn raise_known_location<T>(&mut self, range: Range, msg: String) -> R<T> {
        if self.error.is_none() {
            self.error = Some(self.core.error_in_range(range, msg));
        }
        Err(No::Raised)
    }

    /// Raise a SyntaxError from the start of one node to the end of another.
    fn raise_known_range<T>(&mut self, first: Range, last: Range, msg: String) -> R<T> {
        self.raise_known_location(first.to(last), msg)
    }

    /// Raise a SyntaxError from the start of a node to what the tokenizer has read.
    fn raise_starting_from<T>(&mut self, first: Range, msg: String) -> R<T> {
        let tok = &self.core.tok;
        let end = (tok.lineno as i32, (tok.cur - tok.line_start.min(tok.cur)) as i32);
        let start = (first.lineno as i32, first.col_offset as i32 + 1);
        self.raise_at(ErrorKind::Syntax, start, end, msg)
    }

    /// Raise a SyntaxError at the last token that was read.
    fn raise<T>(&mut self, msg: String) -> R<T> {
        self.raise_error(ErrorKind::Syntax, false, msg)
    }

    /// Raise a SyntaxError at the current token.
    fn raise_on_next_token<T>(&mut self, msg: &str) -> R<T> {
        self.raise_error(ErrorKind::Syntax, true, msg.into())
    }

    /// Raise an IndentationError at the last token that was read.
    fn raise_indentation<T>(&mut self, msg: String) -> R<T> {
        self.raise_error(ErrorKind::Indentation, false, msg)
    }

    /// Raise an error at the current token or at the last one that was read.
    fn raise_error<T>(&mut self, kind: ErrorKind, use_mark: bool, msg: String) -> R<T> {
        if self.error.is_some() {
            return Err(No::Raised);
        }
        if self.core.tokens.is_empty() {
            return self.raise_at(kind, (0, 0), (0, -1), msg);
        }
        let token = if use_mark {
            self.current()?
        } else {
            self.core.tokens[self.core.tokens.len() - 1]
        };
        let tok = &self.core.tok;
        let col = match token.col_offset {
            -1 if tok.cur == tok.buf_start => 0,
            -1 => tok.cur as i32 - tok.line_start as i32,
            col => col + 1,
        };
        let end_col = if token.end_col_offset == -1 { -1 } else { token.end_col_offset + 1 };
        self.raise_at(kind, (token.lineno as i32, col), (token.end_lineno as i32, end_col), msg)
    }

    /// The error for the innermost bracket that is open.
    fn raise_unclosed_parentheses(&mut self) {
        if let Some(paren) = self.core.tok.parens.last().copied() {
            let (lineno, col) = (paren.lineno as i32, paren.col as i32 + 1);
            let msg = format!("'{}' was never closed", paren.kind as char);
            self.raise_at::<()>(ErrorKind::Syntax, (lineno, col), (lineno, 0), msg).ok();
        }
    }

    /// The error for an unexpected end of the input.
    fn raise_eof(&mut self) {
        if self.core.tok.parens.is_empty() {
            self.raise::<()>("unexpected EOF while parsing".into()).ok();
        } else {
            self.raise_unclosed_parentheses();
        }
    }

    /// The error that the tokenizer has stopped with.
    fn tokenizer_error(&mut self) -> R<()> {
        if let Some(msg) = self.core.tok.decode_error.take() {
            return self.raise(format!("(unicode error) {msg}"));
        }
        if let Some(error) = self.core.tok.error.take() {
            self.error.get_or_insert(error);
            return Err(No::Raised);
        }
        let mut col = 0;
        let (kind, msg) = match self.core.tok.done {
            Done::Eof => {
                self.raise_eof();
                return Err(No::Raised);
            }
            Done::Dedent => {
                let msg = "unindent does not match any outer indentation level".into();
                return self.raise_indentation(msg);
            }
            Done::Interrupt => {
                self.error = Some(SyntaxError::bare(ErrorKind::Interrupt, ""));
                return Err(No::Raised);
            }
            Done::TabSpace => (ErrorKind::Tab, "inconsistent use of tabs and spaces in indentation"),
            Done::TooDeep => (ErrorKind::Indentation, "too many levels of indentation"),
            Done::LineCont => {
                col = (self.core.tok.cur - self.core.tok.buf_start) as i32 - 1;
                (ErrorKind::Syntax, "unexpected character after line continuation character")
            }
            _ => (ErrorKind::Syntax, "unknown parsing error"),
        };
        let lineno = self.core.tok.lineno as i32;
        self.raise_at(kind, (lineno, col.max(0) + 1), (lineno, 0), msg.into())
    }
}
