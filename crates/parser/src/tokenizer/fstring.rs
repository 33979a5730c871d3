//! f-strings: a stack of modes, for each open f-string whether its characters or an expression
//! is being read.

use super::{Done, EOF, MAX_EXPR_NESTING, MAXFSTRINGLEVEL, Mode, Tokenizer};
use crate::token::{Tok, Token};

impl Tokenizer<'_, '_> {
    /// FSTRING_START; the prefix and the first quote have been read.
    pub(super) fn fstring_start(&mut self, quote: u8) -> Token {
        self.first_lineno = self.lineno;
        self.multi_line_start = self.line_start;
        let mut quote_size = 1;
        let after = self.nextc();
        if after == quote as i32 {
            let after_after = self.nextc();
            if after_after == quote as i32 {
                quote_size = 3;
            } else {
                self.backup(after_after);
                self.backup(after);
            }
        } else {
            self.backup(after);
        }
        let start = self.start.unwrap_or(self.cur);
        if self.modes.len() >= MAXFSTRINGLEVEL {
            return self.syntaxerror("too many nested f-strings");
        }
        let token = self.token_here(Tok::FSTRING_START);
        self.modes.push(Mode {
            in_string: true,
            curly_bracket_depth: 0,
            curly_bracket_expr_start_depth: -1,
            quote,
            quote_size,
            raw: self.buf[start..start + 2].iter().any(|c| matches!(c, b'r' | b'R')),
            start,
            multi_line_start: self.line_start,
            line_start: self.lineno,
            expr_start: None,
            expr_end: None,
            debug: false,
            in_format_spec: false,
        });
        token
    }

    /// The next token while the characters of an f-string are read.
    pub(super) fn fstring_token(&mut self) -> Token {
        self.begin(self.cur);
        self.first_lineno = self.lineno;
        let c = self.nextc();
        let mut next = EOF;
        if c == b'{' as i32 {
            next = self.peekc();
        }
        self.backup(c);
        if c == b'{' as i32 && next != b'{' as i32 {
            return match self.enter_expression() {
                Some(error) => error,
                None => self.normal_token(),
            };
        }
        if self.at_end_quotes() {
            self.cur += self.mode().quote_size as usize;
            let token = self.token_here(Tok::FSTRING_END);
            self.modes.pop();
            return token;
        }
        self.fstring_middle()
    }

    /// Are the quotes that end the f-string next?
    fn at_end_quotes(&mut self) -> bool {
        let (quote, size) = (self.mode().quote, self.mode().quote_size as usize);
        // A line that is used up is replaced by the next one, as if its first character was read.
        self.peekc();
        let line = &self.buf[self.cur..self.inp];
        line.len() >= size && line[..size].iter().all(|&c| c == quote)
    }

    /// Begin a replacement field. Gives the token of an error.
    fn enter_expression(&mut self) -> Option<Token> {
        let mode = self.mode_mut();
        mode.curly_bracket_expr_start_depth += 1;
        if mode.curly_bracket_expr_start_depth >= MAX_EXPR_NESTING {
            return Some(self.syntaxerror("f-string: expressions nested too deeply"));
        }
        self.mode_mut().in_string = false;
        None
    }

    /// Characters of an f-string, up to a replacement field, a doubled brace, or the end.
    fn fstring_middle(&mut self) -> Token {
        self.multi_line_start = self.line_start;
        let mut unicode_escape = false;
        let mut end_quote_size = 0;
        let (quote, quote_size, raw) = {
            let mode = self.mode();
            (mode.quote, mode.quote_size, mode.raw)
        };
        while end_quote_size != quote_size {
            while self.cur < self.inp
                && !matches!(self.buf[self.cur], b'\\' | b'\n' | b'"' | b'\'' | b'{' | b'}')
            {
                self.cur += 1;
                end_quote_size = 0;
            }
            let c = self.nextc();
            if matches!(self.done, Done::Error | Done::Decode) {
                return self.errortoken();
            }
            let in_format_spec = self.mode().in_format_spec && self.mode().inside_expr();
            if c == EOF || quote_size == 1 && c == b'\n' as i32 {
                return self.unterminated_fstring(c, in_format_spec);
            }
            if c == quote as i32 {
                end_quote_size += 1;
                continue;
            }
            end_quote_size = 0;
            match c as u8 {
                b'{' => return self.middle_before_brace(in_format_spec),
                b'}' => {
                    if unicode_escape {
                        return self.token_here(Tok::FSTRING_MIDDLE);
                    }
                    return self.middle_before_closing_brace(in_format_spec);
                }
                b'\\' => {
                    let mut peek = self.nextc();
                    if peek == b'\r' as i32 {
                        peek = self.nextc();
                    }
                    if peek == b'{' as i32 || peek == b'}' as i32 {
                        // The brace keeps its meaning.
                        if !raw {
                            self.parser_warn(format!("invalid escape sequence '\\{}'", peek as u8 as char));
                        }
                        self.backup(peek);
                        continue;
                    }
                    if !raw && peek == b'N' as i32 {
                        peek = self.nextc();
                        if peek == b'{' as i32 {
                            unicode_escape = true;
                        } else {
                            self.backup(peek);
                        }
                    }
                }
                _ => {}
            }
        }
        self.cur -= quote_size as usize;
        self.token_here(Tok::FSTRING_MIDDLE)
    }

    /// The characters before a brace that opens a field, or with the first brace of two.
    fn middle_before_brace(&mut self, in_format_spec: bool) -> Token {
        let expr_start = self.cur;
        let mode = self.mode_mut();
        mode.expr_start = Some(expr_start);
        mode.expr_end = None;
        if self.peekc() == b'{' as i32 && !in_format_spec {
            self.cur += 1;
            return self.token(Tok::FSTRING_MIDDLE, self.start.unwrap_or(self.cur), self.cur - 1);
        }
        self.cur -= 1;
        if let Some(error) = self.enter_expression() {
            return error;
        }
        self.mode_mut().in_format_spec = false;
        self.token_here(Tok::FSTRING_MIDDLE)
    }

    /// The same for a closing brace.
    fn middle_before_closing_brace(&mut self, in_format_spec: bool) -> Token {
        if self.peekc() == b'}' as i32 && !in_format_spec && self.mode().curly_bracket_depth == 0 {
            self.cur += 1;
            return self.token(Tok::FSTRING_MIDDLE, self.start.unwrap_or(self.cur), self.cur - 1);
        }
        self.cur -= 1;
        let mode = self.mode_mut();
        mode.in_string = false;
        mode.in_format_spec = false;
        self.token_here(Tok::FSTRING_MIDDLE)
    }

    /// An f-string without an end. The error points to its beginning.
    #[cold]
    fn unterminated_fstring(&mut self, c: i32, in_format_spec: bool) -> Token {
        let newline = c == b'\n' as i32;
        if in_format_spec && newline {
            return self.syntaxerror(
                "f-string: newlines are not allowed in format specifiers for single quoted f-strings",
            );
        }
        let detected = self.lineno;
        let mode = self.mode();
        let triple = mode.quote_size == 3;
        let (start, multi_line_start, lineno) = (mode.start, mode.multi_line_start, mode.line_start);
        self.cur = start + 1;
        self.line_start = multi_line_start;
        self.lineno = lineno;
        if triple {
            self.syntaxerror(format!(
                "unterminated triple-quoted f-string literal (detected at line {detected})"
            ));
            if !newline {
                self.done = Done::Eofs;
            }
            return self.errortoken();
        }
        self.syntaxerror(format!("unterminated f-string literal (detected at line {detected})"))
    }

    /// `:`, `}`, `!` or `{` in an expression of an f-string. Gives the token if that is the colon
    /// before a format specifier.
    pub(super) fn fstring_punctuation(&mut self, c: u8) -> Option<Token> {
        let start = self.start.unwrap_or(self.cur);
        let after = self.cur;
        let mode = self.mode_mut();
        let cursor = mode.curly_bracket_depth - (c != b'{') as i32;
        if cursor == 0 || cursor == 1 && (mode.debug || mode.in_format_spec) {
            match c {
                b'{' => {
                    mode.expr_start = Some(after);
                    mode.expr_end = None;
                }
                b':' => {
                    mode.expr_end.get_or_insert(start);
                }
                _ => mode.expr_end = Some(start),
            }
            if c != b'{' && mode.debug
                && let (Some(from), Some(to)) = (mode.expr_start, mode.expr_end) {
                    self.debug_texts.push((start as u32, from as u32, to as u32));
                }
        }
        let mode = self.mode_mut();
        if c == b':' && cursor == mode.curly_bracket_expr_start_depth {
            mode.in_string = true;
            mode.in_format_spec = true;
            return Some(self.token_here(Tok::COLON));
        }
        None
    }
}
