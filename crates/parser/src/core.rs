//! What the parser and the diagnosing parser have in common: the tokens, the options, the
//! warnings, and the making of errors.

use std::cell::RefCell;

use bumpalo::Bump;

use crate::ast::{Range, TypeIgnore};
use crate::error::{ErrorKind, Location, SyntaxError, Warning, WarningCategory};
use crate::literals::{InvalidEscape, LiteralError, NameLookup, Normalizer};
use crate::source::{Decoder, find_byte};
use crate::token::{Tok, Token};
use crate::tokenizer::Tokenizer;

/// The start rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A file.
    Exec,
    /// One interactive statement.
    Single,
    /// An expression.
    Eval,
    /// A signature type comment.
    FuncType,
}

/// Settings of a parse.
#[derive(Clone, Copy)]
pub struct Options<'o> {
    /// The name of the file, for messages.
    pub filename: &'o str,
    /// The minor version whose syntax is allowed (`ast.parse(feature_version=...)`).
    pub feature_version: u8,
    /// Keep type comments.
    pub type_comments: bool,
    /// `from __future__ import barry_as_FLUFL` is in force.
    pub barry_as_flufl: bool,
    /// An early end of the input is an error of its own (`PyCF_ALLOW_INCOMPLETE_INPUT`).
    pub allow_incomplete_input: bool,
    /// The end of an interactive input doesn't end its blocks (`PyCF_DONT_IMPLY_DEDENT`).
    pub dont_imply_dedent: bool,
    /// How long decimal numbers may be; 0 for no limit (`sys.set_int_max_str_digits`).
    pub int_max_str_digits: usize,
    /// How much native stack may be used, in bytes. What needs more is too complex. The limit of
    /// CPython's parser is reached with about 3 MB in a build without optimisation.
    pub stack_size: usize,
    /// Decodes encodings other than UTF-8, Latin-1 and ASCII.
    pub decoder: Option<Decoder<'o>>,
    /// Finds the code point of a name in `\N{...}`.
    pub lookup_name: Option<NameLookup<'o>>,
    /// Normalises identifiers that aren't ASCII, instead of the parser itself.
    pub normalize: Option<Normalizer<'o>>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            filename: "<string>",
            feature_version: 13,
            type_comments: false,
            barry_as_flufl: false,
            allow_incomplete_input: false,
            dont_imply_dedent: false,
            int_max_str_digits: 4300,
            stack_size: 1 << 20,
            decoder: None,
            lookup_name: None,
            normalize: None,
        }
    }
}

/// Why an action can't make its node.
#[derive(Debug)]
pub(crate) enum ActionError {
    /// A literal without a value, and its token.
    Literal(LiteralError, Token),
    /// A part of an f-string that can't be decoded, for which CPython lets the
    /// `UnicodeDecodeError` out.
    Decode(LiteralError),
    /// str and bytes literals side by side.
    MixedLiterals,
}

/// A text position before which nothing has been used of the native stack.
#[derive(Clone, Copy)]
pub(crate) struct StackLimit(usize);

impl StackLimit {
    /// The limit for using so many bytes from here on.
    #[inline(never)]
    pub fn new(size: usize) -> StackLimit {
        StackLimit(stack_pointer().saturating_sub(size))
    }

    /// Has so much been used?
    #[inline(always)]
    pub fn exceeded(self) -> bool {
        stack_pointer() < self.0
    }
}

/// About where the native stack is.
#[inline(always)]
fn stack_pointer() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here) as usize
}

/// See the module.
pub(crate) struct Core<'a, 'o> {
    pub arena: &'a Bump,
    pub options: &'o Options<'o>,
    pub mode: Mode,
    pub tok: Tokenizer<'a, 'o>,
    pub tokens: Vec<Token>,
    /// `type: ignore` comments: line, and what follows these words.
    type_ignores: Vec<(u32, &'a [u8])>,
    /// Something has been read since the last end of interactive input.
    parsing_started: bool,
    pub barry: bool,
    /// An error about the text of a name or a comment.
    pub deferred_error: RefCell<Option<SyntaxError>>,
    /// Warnings; those of the tokenizer are added to them later.
    pub warnings: Vec<Warning>,
    /// This is the second pass, which doesn't warn again.
    pub suppress_warnings: bool,
    pub stack_limit: StackLimit,
}

impl<'a, 'o> Core<'a, 'o> {
    pub fn new(arena: &'a Bump, mode: Mode, options: &'o Options<'o>, mut tok: Tokenizer<'a, 'o>) -> Self {
        tok.type_comments = options.type_comments;
        Core {
            arena,
            options,
            mode,
            tok,
            tokens: Vec::with_capacity(64),
            type_ignores: Vec::new(),
            parsing_started: false,
            barry: options.barry_as_flufl,
            deferred_error: RefCell::new(None),
            warnings: Vec::new(),
            suppress_warnings: false,
            stack_limit: StackLimit::new(options.stack_size),
        }
    }

    /// All warnings, in the order in which they came up.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        self.warnings.append(&mut self.tok.warnings);
        std::mem::take(&mut self.warnings)
    }

    /// Add a token to `tokens`.
    #[inline]
    pub fn fill(&mut self) {
        let mut token = self.tok.next_token();
        if token.kind == Tok::TYPE_IGNORE || self.mode == Mode::Single {
            token = self.special_token(token);
        }
        self.tokens.push(token);
    }

    /// Skip and record `type: ignore` comments; let an interactive input end with a newline.
    #[cold]
    fn special_token(&mut self, mut token: Token) -> Token {
        while token.kind == Tok::TYPE_IGNORE {
            self.type_ignores.push((self.tok.lineno, self.tok.text(&token)));
            token = self.tok.next_token();
        }
        if self.mode == Mode::Single && token.kind == Tok::ENDMARKER && self.parsing_started {
            token.kind = Tok::NEWLINE;
            self.parsing_started = false;
            if self.tok.indent() > 0 && !self.options.dont_imply_dedent {
                self.tok.dedent_all();
            }
        } else {
            self.parsing_started = true;
        }
        token
    }

    /// Is there anything but whitespace and comments after what was read?
    pub fn more_than_one_statement(&self) -> bool {
        let mut rest = self.tok.rest();
        loop {
            let blank = rest.iter().take_while(|c| matches!(c, b' ' | b'\t' | b'\n' | 0x0c)).count();
            rest = &rest[blank..];
            match rest.first() {
                None | Some(0) => return false,
                Some(b'#') => rest = &rest[find_byte(rest, b'\n').unwrap_or(rest.len())..],
                Some(_) => return true,
            }
        }
    }

    /// The identifier that a NAME token is.
    #[inline]
    pub fn identifier(&self, token: &Token) -> &'a str {
        let text = self.tok.text(token);
        if token.nonascii {
            return self.nonascii_identifier(text);
        }
        // SAFETY: the tokenizer has found only ASCII bytes in it.
        unsafe { std::str::from_utf8_unchecked(text) }
    }

    #[cold]
    fn nonascii_identifier(&self, text: &'a [u8]) -> &'a str {
        let text = std::str::from_utf8(text).unwrap_or("");
        let normal = match self.options.normalize {
            None => crate::unicode::normalize(text),
            Some(normalize) => normalize(text).map(Some).unwrap_or_else(|_| {
                *self.deferred_error.borrow_mut() = Some(SyntaxError::bare(ErrorKind::Callback, ""));
                None
            }),
        };
        match normal {
            None => text,
            Some(normal) => {
                let normal = self.arena.alloc_str(&normal);
                if matches!(&*normal, "None" | "True" | "False") {
                    let msg = format!("identifier field can't represent '{normal}' constant");
                    *self.deferred_error.borrow_mut() = Some(SyntaxError::bare(ErrorKind::Value, msg));
                }
                normal
            }
        }
    }

    /// The text of a type comment.
    pub fn type_comment(&self, text: &'a [u8]) -> &'a str {
        std::str::from_utf8(text).unwrap_or_else(|error| {
            let msg = crate::literals::utf8_error(text, error);
            *self.deferred_error.borrow_mut() = Some(SyntaxError::bare(ErrorKind::UnicodeDecode, msg));
            ""
        })
    }

    /// The `type: ignore` comments of a file.
    pub fn type_ignores(&self) -> &'a [TypeIgnore<'a>] {
        let comments = self.type_ignores.iter();
        self.arena.alloc_slice_fill_iter(
            comments.map(|&(lineno, text)| TypeIgnore { lineno, tag: self.type_comment(text) }),
        )
    }

    // ---- errors -------------------------------------------------------------------------------

    /// An error with a place. Columns are byte offsets plus one; an end column that isn't positive
    /// is passed on as it is.
    pub fn error_at(
        &self,
        kind: ErrorKind,
        (lineno, col): (i32, i32),
        (end_lineno, end_col): (i32, i32),
        msg: String,
    ) -> SyntaxError {
        let mut location = Location {
            lineno,
            offset: col,
            text: None,
            end: Some((end_lineno, end_col)),
            text_from_file: self.mode == Mode::Exec && !self.tok.interactive,
            columns: (col, end_col),
        };
        // Columns of a line that isn't UTF-8 are applied to its readable form.
        location.set_text(String::from_utf8_lossy(self.error_line(lineno)).into_owned());
        SyntaxError { kind, msg, location: Some(location) }
    }

    /// An error whose place is a range.
    pub fn error_in_range(&self, range: Range, msg: impl Into<String>) -> SyntaxError {
        self.error_at(
            ErrorKind::Syntax,
            (range.lineno as i32, range.col_offset as i32 + 1),
            (range.end_lineno as i32, range.end_col_offset as i32 + 1),
            msg.into(),
        )
    }

    /// The line that an error message shows.
    fn error_line(&self, lineno: i32) -> &[u8] {
        let tok = &self.tok;
        if let Some(line) = tok.line_of_file(lineno) {
            return line;
        }
        if !tok.interactive && tok.lineno as i32 <= lineno && tok.inp > tok.buf_start {
            return &tok.buf[tok.line_start.min(tok.inp)..tok.inp];
        }
        let raw = tok.raw.strip_suffix(b"\0").unwrap_or(tok.raw);
        let mut line = raw;
        for _ in 1..lineno {
            match find_byte(line, b'\n') {
                Some(newline) if raw.len() - line.len() + newline < tok.inp => line = &line[newline + 1..],
                _ => break,
            }
        }
        &line[..find_byte(line, b'\n').unwrap_or(line.len())]
    }

    /// Record the warning about an invalid escape sequence in the text of a token.
    #[cold]
    pub fn warn_invalid_escape(&mut self, token: &Token, text: &[u8], invalid: InvalidEscape) {
        // A string that is parsed again gives no second warning; its place in the buffer tells.
        let place = (text.as_ptr() as usize).wrapping_sub(self.tok.buf.as_ptr() as usize);
        let token_start = place.wrapping_add(invalid.at) as u32;
        if self.suppress_warnings || self.warnings.iter().any(|warning| warning.token_start == token_start) {
            return;
        }
        let c = text.get(invalid.at).copied().unwrap_or(b'?');
        if matches!(token.kind, Tok::FSTRING_MIDDLE | Tok::FSTRING_END) && matches!(c, b'{' | b'}') {
            // The tokenizer has warned.
            return;
        }
        let octal = matches!(c, b'4'..=b'7');
        let msg = if octal {
            let digits = &text[invalid.at..text.len().min(invalid.at + 3)];
            format!("invalid octal escape sequence '\\{}'", String::from_utf8_lossy(digits))
        } else {
            format!("invalid escape sequence '\\{}'", c as char)
        };
        let before = &text[..invalid.at];
        let newlines = before.iter().filter(|&&c| c == b'\n').count() as i32;
        let lineno = token.lineno as i32 + newlines;
        let col = match before.iter().rposition(|&c| c == b'\n') {
            Some(newline) => (invalid.at - newline - 1) as i32,
            None => {
                let token_text = self.tok.text(token);
                let quote = token_text.first().copied().unwrap_or(0);
                let is_quote = |c: &&u8| matches!(c, b'"' | b'\'');
                let leading = token_text.iter().take_while(is_quote);
                let quotes = leading.filter(|&&c| c == quote).count() as i32;
                token.col_offset + invalid.expanded_at as i32 + quotes
            }
        };
        let error = self.error_at(ErrorKind::Syntax, (lineno, col), (lineno, col + 2), msg.clone());
        let category = if self.options.feature_version >= 12 {
            WarningCategory::Syntax
        } else {
            WarningCategory::Deprecation
        };
        let lineno = lineno as u32;
        self.warnings.append(&mut self.tok.warnings);
        self.warnings.push(Warning { category, msg, lineno, error, token_start });
    }
}
