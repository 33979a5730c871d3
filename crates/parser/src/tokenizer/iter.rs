//! The tokens of a stream of lines, for `tokenize`.

use std::borrow::Cow;

use bumpalo::Bump;

use super::{Done, Tokenizer};
use crate::error::{ErrorKind, Location, SyntaxError, Warning};
use crate::source::LineReader;
use crate::token::{Tok, Token};

/// A token as `_tokenize.TokenizerIter` gives it. Columns count characters, and are -1 for a token
/// that has no text.
pub struct TokenInfo<'t> {
    /// The number of its kind in the `token` module.
    pub kind: u8,
    /// Its text.
    pub string: Cow<'t, str>,
    /// Line and column of its start.
    pub start: (i64, i64),
    /// Line and column of its end.
    pub end: (i64, i64),
    /// The line or lines it is on.
    pub line: Cow<'t, str>,
    /// `line` is what it was for the token before, so an object made of it can be used again.
    pub same_line: bool,
}

/// Iterates over the tokens of lines that a reader gives.
///
/// With `extra_tokens`, comments and insignificant newlines are tokens too, operators are all of
/// the kind OP, and malformed tokens are let through where `tokenize` always has.
pub struct TokenizerIter {
    tok: Tokenizer<'static, 'static>,
    done: bool,
    last_lineno: u32,
    /// A byte offset in the current line and the characters before it, to go on from.
    columns: (u32, usize, i64),
    /// Declared last, so that it is dropped last: `tok` refers to it.
    _arena: Box<Bump>,
}

impl TokenizerIter {
    /// An iterator over the tokens of the lines that `reader` gives.
    pub fn new(reader: Box<dyn LineReader>, extra_tokens: bool) -> TokenizerIter {
        let arena = Box::new(Bump::new());
        // SAFETY: the arena is on the heap, is dropped after `tok`, and nothing that `tok` gives
        // out with the lifetime 'static leaves this module.
        let arena_ref: &'static Bump = unsafe { &*(&*arena as *const Bump) };
        let mut tok = Tokenizer::from_reader(arena_ref, "<string>", reader);
        tok.extra_tokens = extra_tokens;
        tok.compact = true;
        TokenizerIter { tok, done: false, last_lineno: 0, columns: (0, 0, 0), _arena: arena }
    }

    /// The warnings that have come up since the last call.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.tok.warnings)
    }

    /// The next token; nothing after ENDMARKER.
    pub fn next_token(&mut self) -> Option<Result<TokenInfo<'_>, SyntaxError>> {
        self.tok.debug_texts.clear();
        let token = self.tok.next_token();
        if token.kind == Tok::ERRORTOKEN {
            return Some(Err(self.error()));
        }
        if self.done {
            return None;
        }
        self.done = token.kind == Tok::ENDMARKER;
        Some(Ok(self.info(token)))
    }

    fn info(&mut self, token: Token) -> TokenInfo<'_> {
        let kind = token.kind;
        let extra = self.tok.extra_tokens;
        let has_text = token.has_text();
        let trailing = kind == Tok::ENDMARKER || kind == Tok::DEDENT && self.tok.done == Done::Eof;
        let string_part = kind.is_string_part();
        let line_start = if string_part { self.tok.multi_line_start } else { self.tok.line_start };
        let same_line = self.tok.lineno == self.last_lineno;
        let mut line: &[u8] = &[];
        if !(extra && trailing) {
            let newline = self.tok.implicit_newline as usize;
            let end = self.tok.inp.saturating_sub(newline).max(line_start);
            line = self.tok.buf.get(line_start..end).unwrap_or(&[]);
        }
        let mut lineno = if string_part { self.tok.first_lineno } else { self.tok.lineno } as i64;
        let mut end_lineno = self.tok.lineno as i64;
        let (mut col, mut end_col) = (-1, -1);
        let (start, end) = (token.start as usize, token.end as usize);
        if has_text && start >= line_start {
            col = self.column(line_start, start, token.lineno);
        }
        if has_text && end >= self.tok.line_start {
            end_col = self.column(self.tok.line_start, end, self.tok.lineno);
        }
        self.last_lineno = lineno as u32;
        let mut number = kind.number();
        let mut string = String::from_utf8_lossy(if has_text { self.tok.text(&token) } else { &[] });
        if extra {
            if trailing {
                end_lineno += 1;
                lineno = end_lineno;
                (col, end_col) = (0, 0);
            }
            let implicit_newline = self.tok.implicit_newline;
            match kind {
                Tok::NEWLINE => {
                    if !implicit_newline {
                        let crlf = self.tok.buf.get(start) == Some(&b'\r');
                        string = Cow::Borrowed(if crlf { "\r\n" } else { "\n" });
                    }
                    end_col += 1;
                }
                Tok::NL if implicit_newline => string = Cow::Borrowed(""),
                _ if number > Tok::DEDENT as u8 && number < Tok::OP as u8 => number = Tok::OP as u8,
                _ => {}
            }
        }
        TokenInfo {
            kind: number,
            string,
            start: (lineno, col),
            end: (end_lineno, end_col),
            line: String::from_utf8_lossy(line),
            same_line,
        }
    }

    /// How many characters there are from the start of a line to a byte. Goes on from the byte it
    /// was asked about before, because lines may be long.
    fn column(&mut self, line_start: usize, at: usize, lineno: u32) -> i64 {
        let (last_lineno, last_at, last_col) = self.columns;
        let (from, col) = if last_lineno == lineno && (line_start..=at).contains(&last_at) {
            (last_at, last_col)
        } else {
            (line_start, 0)
        };
        let text = self.tok.buf.get(from..at).unwrap_or(&[]);
        let col = col + text.iter().filter(|&&c| c & 0xC0 != 0x80).count() as i64;
        self.columns = (lineno, at, col);
        col
    }

    /// The error that the tokenizer has stopped with.
    fn error(&mut self) -> SyntaxError {
        if let Some(error) = self.tok.error.take() {
            return error;
        }
        let tok = &self.tok;
        let (kind, msg) = match tok.done {
            Done::Eof => (ErrorKind::Syntax, "unexpected EOF in multi-line statement"),
            Done::Dedent => {
                (ErrorKind::Indentation, "unindent does not match any outer indentation level")
            }
            Done::Interrupt => return SyntaxError::bare(ErrorKind::Interrupt, ""),
            Done::TabSpace => (ErrorKind::Tab, "inconsistent use of tabs and spaces in indentation"),
            Done::TooDeep => (ErrorKind::Indentation, "too many levels of indentation"),
            Done::LineCont => {
                (ErrorKind::Syntax, "unexpected character after line continuation character")
            }
            _ => (ErrorKind::Syntax, "unknown tokenization error"),
        };
        let buffer = &tok.buf[tok.buf_start..tok.inp];
        let (offset, text) = if tok.done == Done::Eof {
            (buffer.len() as i32, None)
        } else {
            let line = buffer.strip_suffix(b"\n").unwrap_or(buffer);
            let text = String::from_utf8_lossy(line).into_owned();
            let more = (buffer.len() > line.len()) as usize;
            ((text.chars().count() + more) as i32, Some(text))
        };
        let lineno = tok.lineno as i32;
        let columns = (offset, 0);
        let location = Location { lineno, offset, text, end: None, text_from_file: false, columns };
        SyntaxError { kind, msg: msg.into(), location: Some(location) }
    }
}
