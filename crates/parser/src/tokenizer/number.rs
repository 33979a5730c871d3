//! Numbers.

use super::{EOF, Tokenizer, is_identifier_char};
use crate::token::{Tok, Token};

fn is_digit(c: i32) -> bool {
    (b'0' as i32..=b'9' as i32).contains(&c)
}

fn is(c: i32, letter: u8) -> bool {
    c == letter as i32 || c == letter.to_ascii_uppercase() as i32
}

/// The digits of a number with a prefix.
struct Radix {
    name: &'static str,
    digits: fn(u8) -> bool,
}

const HEX: Radix = Radix { name: "hexadecimal", digits: |c| c.is_ascii_hexdigit() };
const OCTAL: Radix = Radix { name: "octal", digits: |c| matches!(c, b'0'..=b'7') };
const BINARY: Radix = Radix { name: "binary", digits: |c| matches!(c, b'0' | b'1') };

impl Tokenizer<'_, '_> {
    /// A number; its first digit has been read.
    #[inline]
    pub(super) fn number_token(&mut self) -> Token {
        let first = self.buf[self.cur - 1];
        // Most numbers are a few digits and end there.
        if first != b'0' {
            while self.cur < self.inp && self.buf[self.cur].is_ascii_digit() {
                self.cur += 1;
            }
        }
        let next = if self.cur < self.inp { self.buf[self.cur] } else { b'_' };
        if next != b'.' && !is_identifier_char(next as i32) {
            return self.token_here(Tok::NUMBER);
        }
        self.number(first).unwrap_or_else(|token| token)
    }

    /// A number whose first digits have been read (only the zero, if it begins with one).
    fn number(&mut self, first: u8) -> Result<Token, Token> {
        if first == b'0' {
            let c = self.nextc();
            if is(c, b'x') {
                return self.prefixed_number(HEX);
            } else if is(c, b'o') {
                return self.prefixed_number(OCTAL);
            } else if is(c, b'b') {
                return self.prefixed_number(BINARY);
            }
            return self.zero(c);
        }
        let c = self.decimal_tail()?;
        self.after_digits(c)
    }

    /// The digits after `0x`, `0o` or `0b`.
    fn prefixed_number(&mut self, radix: Radix) -> Result<Token, Token> {
        let is_radix_digit = |c: i32| c != EOF && (radix.digits)(c as u8);
        let mut c = self.nextc();
        loop {
            if c == b'_' as i32 {
                c = self.nextc();
            }
            if !is_radix_digit(c) {
                return Err(self.bad_radix_digit(c, radix.name));
            }
            while is_radix_digit(c) {
                c = self.nextc();
            }
            if c != b'_' as i32 {
                break;
            }
        }
        if is_digit(c) {
            return Err(self.bad_radix_digit(c, radix.name));
        }
        self.end_number(c, radix.name)
    }

    #[cold]
    fn bad_radix_digit(&mut self, c: i32, name: &str) -> Token {
        if is_digit(c) {
            return self.syntaxerror(format!("invalid digit '{}' in {name} literal", c as u8 as char));
        }
        self.backup(c);
        self.syntaxerror(format!("invalid {name} literal"))
    }

    /// What follows a zero: more zeros, or the rest of a float or imaginary number.
    fn zero(&mut self, mut c: i32) -> Result<Token, Token> {
        loop {
            if c == b'_' as i32 {
                c = self.nextc();
                if !is_digit(c) {
                    self.backup(c);
                    return Err(self.syntaxerror("invalid decimal literal"));
                }
            }
            if c != b'0' as i32 {
                break;
            }
            c = self.nextc();
        }
        let zeros_end = self.cur;
        let mut nonzero = false;
        if is_digit(c) {
            nonzero = true;
            c = self.decimal_tail()?;
        }
        if c == b'.' as i32 || is(c, b'e') || is(c, b'j') {
            return self.after_digits(c);
        }
        if nonzero && !self.extra_tokens {
            self.backup(c);
            let start = self.start.unwrap_or(self.cur);
            let range =
                ((start + 1 - self.line_start) as i32, (zeros_end - self.line_start) as i32);
            let msg = "leading zeros in decimal integer literals are not permitted; \
                       use an 0o prefix for octal integers";
            return Err(self.syntaxerror_range(msg.into(), Some(range)));
        }
        self.end_number(c, "decimal")
    }

    /// Digits and single underscores between them; gives the character after them.
    fn decimal_tail(&mut self) -> Result<i32, Token> {
        loop {
            let mut c = self.nextc();
            while is_digit(c) {
                c = self.nextc();
            }
            if c != b'_' as i32 {
                return Ok(c);
            }
            c = self.nextc();
            if !is_digit(c) {
                self.backup(c);
                return Err(self.syntaxerror("invalid decimal literal"));
            }
        }
    }

    /// A number that begins with a dot, of which the first digit has been read.
    pub(super) fn fraction(&mut self, c: i32) -> Token {
        self.after_dot(c).unwrap_or_else(|token| token)
    }

    /// What follows decimal digits.
    fn after_digits(&mut self, c: i32) -> Result<Token, Token> {
        if c == b'.' as i32 {
            let c = self.nextc();
            return self.after_dot(c);
        }
        self.exponent(c)
    }

    /// What follows the dot.
    fn after_dot(&mut self, mut c: i32) -> Result<Token, Token> {
        if is_digit(c) {
            c = self.decimal_tail()?;
        }
        self.exponent(c)
    }

    /// An exponent, if there is one.
    fn exponent(&mut self, mut c: i32) -> Result<Token, Token> {
        if is(c, b'e') {
            let e = c;
            c = self.nextc();
            if c == b'+' as i32 || c == b'-' as i32 {
                c = self.nextc();
                if !is_digit(c) {
                    self.backup(c);
                    return Err(self.syntaxerror("invalid decimal literal"));
                }
            } else if !is_digit(c) {
                // The number ends before the letter.
                self.backup(c);
                self.verify_end_of_number(e, "decimal")?;
                self.backup(e);
                return Ok(self.token_here(Tok::NUMBER));
            }
            c = self.decimal_tail()?;
        }
        if is(c, b'j') {
            c = self.nextc();
            return self.end_number(c, "imaginary");
        }
        self.end_number(c, "decimal")
    }

    /// The end of a number, before the character `c`.
    fn end_number(&mut self, c: i32, kind: &str) -> Result<Token, Token> {
        self.verify_end_of_number(c, kind)?;
        self.backup(c);
        Ok(self.token_here(Tok::NUMBER))
    }

    /// A number may not run into a name. Keywords that can follow a number in valid code only
    /// give a warning.
    fn verify_end_of_number(&mut self, c: i32, kind: &str) -> Result<(), Token> {
        if self.extra_tokens {
            return Ok(());
        }
        let keyword = match u8::try_from(c).unwrap_or(0) {
            b'a' => self.lookahead(b"nd"),
            b'e' => self.lookahead(b"lse"),
            b'f' => self.lookahead(b"or"),
            b'i' => matches!(self.peekc() as u8, b'f' | b'n' | b's'),
            b'o' => self.lookahead(b"r"),
            b'n' => self.lookahead(b"ot"),
            _ => false,
        };
        if keyword {
            self.backup(c);
            self.parser_warn(format!("invalid {kind} literal"));
            self.nextc();
        } else if c < 128 && is_identifier_char(c) {
            self.backup(c);
            return Err(self.syntaxerror(format!("invalid {kind} literal")));
        }
        Ok(())
    }

    /// Do these characters follow, and no other of a name?
    fn lookahead(&mut self, rest: &[u8]) -> bool {
        let line = &self.buf[self.cur..self.inp];
        line.strip_prefix(rest).is_some_and(|after| after.first().is_none_or(|&c| !is_identifier_char(c as i32)))
    }
}
