//! String literals other than f-strings.

use super::{Done, EOF, Tokenizer};
use crate::token::{Tok, Token};

impl Tokenizer<'_, '_> {
    /// A string; its first quote has been read.
    pub(super) fn string_token(&mut self, quote: u8) -> Token {
        self.first_lineno = self.lineno;
        self.multi_line_start = self.line_start;
        let mut quote_size = 1;
        let mut end_quote_size = 0;
        let mut escaped_quote = false;
        let mut c = self.nextc();
        if c == quote as i32 {
            c = self.nextc();
            if c == quote as i32 {
                quote_size = 3;
            } else {
                end_quote_size = 1;
            }
        }
        if c != quote as i32 {
            self.backup(c);
        }
        while end_quote_size != quote_size {
            while self.cur < self.inp && !matches!(self.buf[self.cur], b'\\' | b'\n' | b'"' | b'\'') {
                self.cur += 1;
                end_quote_size = 0;
            }
            c = self.nextc();
            if self.done == Done::Error {
                return self.errortoken();
            }
            if self.done == Done::Decode {
                break;
            }
            if c == EOF || quote_size == 1 && c == b'\n' as i32 {
                return self.unterminated_string(quote, quote_size, c, escaped_quote);
            }
            if c == quote as i32 {
                end_quote_size += 1;
                continue;
            }
            end_quote_size = 0;
            if c == b'\\' as i32 {
                c = self.nextc();
                escaped_quote |= c == quote as i32;
                if c == b'\r' as i32 {
                    self.nextc();
                }
            }
        }
        self.token_here(Tok::STRING)
    }

    /// A string without an end. The error points to its beginning.
    #[cold]
    fn unterminated_string(&mut self, quote: u8, size: u32, c: i32, escaped_quote: bool) -> Token {
        let detected = self.lineno;
        self.cur = self.start.unwrap_or(self.cur) + 1;
        self.line_start = self.multi_line_start;
        self.lineno = self.first_lineno;
        if self.inside_fstring() && self.mode().quote == quote && self.mode().quote_size == size {
            // The quote was meant to end the f-string.
            return self.syntaxerror("f-string: expecting '}'");
        }
        if size == 3 {
            self.syntaxerror(format!(
                "unterminated triple-quoted string literal (detected at line {detected})"
            ));
            if c != b'\n' as i32 {
                self.done = Done::Eofs;
            }
            return self.errortoken();
        }
        let hint = if escaped_quote { "; perhaps you escaped the end quote?" } else { "" };
        self.syntaxerror(format!("unterminated string literal (detected at line {detected}){hint}"));
        if c != b'\n' as i32 {
            self.done = Done::Eols;
        }
        self.errortoken()
    }
}
