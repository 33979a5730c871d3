//! The values of number and string literals.

use bumpalo::Bump;

use crate::ast::{Constant, Int};
use crate::source::find_byte;

/// Finds the code point that a name in `\N{...}` stands for.
pub type NameLookup<'l> = &'l dyn Fn(&str) -> Result<Option<u32>, NoNames>;

/// The table of character names can't be had.
pub struct NoNames;

/// Brings an identifier into normal form KC; an error stops the parse with [`crate::ErrorKind::Callback`].
pub type Normalizer<'n> = &'n dyn Fn(&str) -> Result<String, CallbackFailed>;

/// A callback of the caller's has failed; why is the caller's business.
#[derive(Clone, Copy, Debug)]
pub struct CallbackFailed;

/// Why a literal has no value.
#[derive(Debug)]
pub(crate) enum LiteralError {
    /// A decimal number of this many digits, which are too many.
    TooManyDigits(usize),
    /// `(unicode error)`, with the text of the `UnicodeDecodeError`.
    Unicode(String),
    /// `(value error)`, with the text of the `ValueError`.
    Value(String),
    /// A bytes literal that isn't ASCII.
    NonAsciiBytes,
}

/// The value of a number literal, which the tokenizer has found well formed.
pub(crate) fn parse_number<'a>(
    arena: &'a Bump,
    text: &[u8],
    max_str_digits: usize,
) -> Result<Constant<'a>, LiteralError> {
    // A small decimal number needs nothing of what follows.
    if text.len() <= 18 && (text[0] != b'0' || text.len() == 1) {
        let mut value = 0i64;
        if text.iter().all(|&c| {
            value = value * 10 + (c.wrapping_sub(b'0')) as i64;
            c.is_ascii_digit()
        }) {
            return Ok(Constant::Int(Int::Small(value)));
        }
    }
    let stripped: Vec<u8> = text.iter().copied().filter(|&c| c != b'_').collect();
    let text = std::str::from_utf8(&stripped).unwrap_or("0");
    let radix = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => 16,
        [b'0', b'o' | b'O', ..] => 8,
        [b'0', b'b' | b'B', ..] => 2,
        _ => 10,
    };
    if radix != 10 {
        return Ok(Constant::Int(parse_int(arena, &text[2..], radix)));
    }
    if text.ends_with(['j', 'J']) {
        let imag = text[..text.len() - 1].parse().unwrap_or(f64::INFINITY);
        return Ok(Constant::Complex { real: 0.0, imag });
    }
    if text.contains(['.', 'e', 'E']) {
        return Ok(Constant::Float(text.parse().unwrap_or(f64::INFINITY)));
    }
    // Leading zeros are only allowed when nothing follows them.
    if text.starts_with('0') {
        return Ok(Constant::Int(Int::Small(0)));
    }
    if max_str_digits > 0 && text.len() > max_str_digits.max(640) {
        return Err(LiteralError::TooManyDigits(text.len()));
    }
    Ok(Constant::Int(parse_int(arena, text, 10)))
}

/// An integer of any length.
fn parse_int<'a>(arena: &'a Bump, text: &str, radix: u32) -> Int<'a> {
    if let Ok(value) = i64::from_str_radix(text, radix) {
        return Int::Small(value);
    }
    let digits = match radix {
        10 => decimal_digits(text),
        _ => power_of_two_digits(text, radix),
    };
    Int::Big { negative: false, digits: arena.alloc_slice_copy(&digits) }
}

/// Digits in base 2**30, least significant first, of a number in base 2, 8 or 16.
fn power_of_two_digits(text: &str, radix: u32) -> Vec<u32> {
    let width = radix.trailing_zeros();
    let mut digits = Vec::with_capacity(text.len() * width as usize / 30 + 1);
    let mut bits = 0u64;
    let mut count = 0;
    for c in text.chars().rev() {
        bits |= (c.to_digit(radix).unwrap_or(0) as u64) << count;
        count += width;
        if count >= 30 {
            digits.push((bits & 0x3FFF_FFFF) as u32);
            bits >>= 30;
            count -= 30;
        }
    }
    digits.push(bits as u32);
    while digits.last() == Some(&0) {
        digits.pop();
    }
    digits
}

/// The same of a decimal number, nine characters at a time.
fn decimal_digits(text: &str) -> Vec<u32> {
    let mut digits: Vec<u32> = Vec::with_capacity(text.len() / 9 + 1);
    let mut rest = text;
    let mut len = (text.len() - 1) % 9 + 1;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(len);
        let mut carry = head.parse().unwrap_or(0u64);
        for digit in &mut digits {
            let value = *digit as u64 * 1_000_000_000 + carry;
            *digit = (value & 0x3FFF_FFFF) as u32;
            carry = value >> 30;
        }
        while carry != 0 {
            digits.push((carry & 0x3FFF_FFFF) as u32);
            carry >>= 30;
        }
        rest = tail;
        len = 9;
    }
    digits
}

/// A string literal taken apart: the text between the quotes, and what the prefix says.
pub(crate) struct StringParts<'t> {
    pub body: &'t [u8],
    pub bytes: bool,
    pub raw: bool,
    pub u_prefix: bool,
}

/// Take a STRING token's text apart.
pub(crate) fn string_parts(token: &[u8]) -> StringParts<'_> {
    let quote_at = token.iter().position(|&c| matches!(c, b'"' | b'\'')).unwrap_or(0);
    let (prefix, quoted) = token.split_at(quote_at);
    let has = |letter: u8| prefix.iter().any(|c| c.to_ascii_lowercase() == letter);
    let quote = quoted.first().copied().unwrap_or(0);
    let triple = quoted.len() >= 6 && quoted[1] == quote && quoted[2] == quote;
    let size = if triple { 3 } else { 1 };
    let body = quoted.get(size..quoted.len().saturating_sub(size)).unwrap_or(&[]);
    StringParts { body, bytes: has(b'b'), raw: has(b'r'), u_prefix: prefix.first() == Some(&b'u') }
}

/// The first escape sequence that means nothing, by its place after the backslash.
pub(crate) struct InvalidEscape {
    /// Where it is in the text, without the backslash.
    pub at: usize,
    /// Where CPython takes it to be: there, each character above ASCII is ten bytes long.
    pub expanded_at: usize,
}

/// Decode the characters of a str literal or of an f-string. The result is generalised UTF-8, the
/// very same slice if there is nothing to decode.
pub(crate) fn decode_string<'a>(
    arena: &'a Bump,
    text: &'a [u8],
    raw: bool,
    lookup_name: Option<NameLookup>,
    invalid: &mut Option<InvalidEscape>,
) -> Result<&'a [u8], LiteralError> {
    if !text.is_ascii() {
        check_utf8(text, raw)?;
    }
    if raw || find_byte(text, b'\\').is_none() {
        return Ok(text);
    }
    Unescape { text, at: 0, out: Vec::with_capacity(text.len()), expansion: 0, lookup_name, invalid }
        .run()
        .map(|out| &*arena.alloc_slice_copy(&out))
}

/// Is it UTF-8? With escapes, each run of characters above ASCII is decoded by itself, so the
/// position of an error is relative to its run.
pub(crate) fn check_utf8(text: &[u8], raw: bool) -> Result<(), LiteralError> {
    let Err(error) = std::str::from_utf8(text) else { return Ok(()) };
    if raw {
        return Err(LiteralError::Unicode(utf8_error(text, error)));
    }
    let bad = error.valid_up_to();
    let start = text[..bad].iter().rposition(|&c| c < 128).map_or(0, |n| n + 1);
    let len = text[bad..].iter().position(|&c| c < 128).unwrap_or(text.len() - bad);
    let run = &text[start..bad + len];
    let error = std::str::from_utf8(run).err().unwrap_or(error);
    Err(LiteralError::Unicode(utf8_error(run, error)))
}

/// The text of the `UnicodeDecodeError` for bytes that aren't UTF-8.
pub(crate) fn utf8_error(text: &[u8], error: std::str::Utf8Error) -> String {
    let start = error.valid_up_to();
    let (len, reason) = match error.error_len() {
        None => (text.len() - start, "unexpected end of data"),
        Some(len) => {
            let starts = matches!(text[start], 0xC2..=0xF4);
            (len, if starts { "invalid continuation byte" } else { "invalid start byte" })
        }
    };
    if len == 1 {
        format!("'utf-8' codec can't decode byte 0x{:02x} in position {start}: {reason}", text[start])
    } else {
        let end = start + len - 1;
        format!("'utf-8' codec can't decode bytes in position {start}-{end}: {reason}")
    }
}

/// The state of decoding a str literal with escapes.
struct Unescape<'t, 'l, 'i> {
    text: &'t [u8],
    at: usize,
    out: Vec<u8>,
    /// How many bytes CPython's copy of the text, with every character above ASCII written as
    /// `\UXXXXXXXX`, is longer up to here. Its error messages tell positions in that copy.
    expansion: usize,
    lookup_name: Option<NameLookup<'l>>,
    invalid: &'i mut Option<InvalidEscape>,
}

impl Unescape<'_, '_, '_> {
    fn run(mut self) -> Result<Vec<u8>, LiteralError> {
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            let plain = find_byte(rest, b'\\').unwrap_or(rest.len());
            let before = &rest[..plain];
            self.expand(before);
            self.out.extend_from_slice(before);
            self.at += plain;
            if self.at < self.text.len() {
                self.escape()?;
            }
        }
        Ok(self.out)
    }

    /// Account for characters above ASCII.
    fn expand(&mut self, text: &[u8]) {
        for c in text {
            match c {
                0..0xC0 => {}
                0xC0..0xE0 => self.expansion += 8,
                0xE0..0xF0 => self.expansion += 7,
                0xF0.. => self.expansion += 6,
            }
        }
    }

    /// The error for an escape that begins at `start` (in CPython's copy) and is bad before the
    /// current character.
    fn error(&self, start: usize, reason: &str) -> LiteralError {
        let last = self.at + self.expansion - 1;
        LiteralError::Unicode(format!(
            "'unicodeescape' codec can't decode bytes in position {start}-{last}: {reason}"
        ))
    }

    fn push(&mut self, c: u32) {
        push_code_point(&mut self.out, c);
    }

    /// An escape sequence; the current character is its backslash.
    fn escape(&mut self) -> Result<(), LiteralError> {
        let start = self.at + self.expansion;
        self.at += 1;
        let c = match self.text.get(self.at) {
            Some(&c) if c < 128 => c,
            _ => {
                // CPython writes such a backslash as an escape of its own: there is no warning.
                self.out.push(b'\\');
                self.expansion += 5;
                return Ok(());
            }
        };
        self.at += 1;
        let simple = match c {
            b'\n' => return Ok(()),
            b'\\' | b'\'' | b'"' => c,
            b'b' => 8,
            b'f' => 12,
            b't' => b'\t',
            b'n' => b'\n',
            b'r' => b'\r',
            b'v' => 11,
            b'a' => 7,
            b'0'..=b'7' => {
                let code = octal(self.text, &mut self.at, c);
                if code > 0o377 {
                    self.note_invalid(self.at - 3);
                }
                self.push(code);
                return Ok(());
            }
            b'x' => return self.hex(start, 2, "truncated \\xXX escape"),
            b'u' => return self.hex(start, 4, "truncated \\uXXXX escape"),
            b'U' => return self.hex(start, 8, "truncated \\UXXXXXXXX escape"),
            b'N' => return self.named(start),
            _ => {
                self.note_invalid(self.at - 1);
                self.out.push(b'\\');
                c
            }
        };
        self.out.push(simple);
        Ok(())
    }

    fn note_invalid(&mut self, at: usize) {
        if self.invalid.is_none() {
            *self.invalid = Some(InvalidEscape { at, expanded_at: at + self.expansion });
        }
    }

    /// `\x`, `\u` or `\U`.
    fn hex(&mut self, start: usize, count: usize, truncated: &str) -> Result<(), LiteralError> {
        let mut code = 0u32;
        for _ in 0..count {
            let Some(digit) = self.text.get(self.at).and_then(|&c| (c as char).to_digit(16)) else {
                return Err(self.error(start, truncated));
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        if code > 0x10FFFF {
            return Err(self.error(start, "illegal Unicode character"));
        }
        self.push(code);
        Ok(())
    }

    /// `\N{name}`.
    fn named(&mut self, start: usize) -> Result<(), LiteralError> {
        let malformed = "malformed \\N character escape";
        if self.text.get(self.at) != Some(&b'{') {
            return Err(self.error(start, malformed));
        }
        self.at += 1;
        let name_start = self.at;
        while self.text.get(self.at).is_some_and(|&c| c != b'}') {
            self.at += 1;
        }
        let name = &self.text[name_start..self.at];
        self.expand(name);
        if self.at >= self.text.len() {
            return Err(self.error(start, malformed));
        }
        if name.is_empty() {
            return Err(self.error(start, malformed));
        }
        self.at += 1;
        let found = match (std::str::from_utf8(name), self.lookup_name) {
            (Ok(name), Some(lookup)) => lookup(name).map_err(|NoNames| {
                LiteralError::Unicode("\\N escapes not supported (can't load unicodedata module)".into())
            })?,
            _ => None,
        };
        match found {
            Some(code) => {
                self.push(code);
                Ok(())
            }
            None => Err(self.error(start, "unknown Unicode character name")),
        }
    }
}

/// Up to two more octal digits.
fn octal(text: &[u8], at: &mut usize, first: u8) -> u32 {
    let mut code = (first - b'0') as u32;
    for _ in 0..2 {
        match text.get(*at) {
            Some(c @ b'0'..=b'7') => code = code << 3 | (c - b'0') as u32,
            _ => break,
        }
        *at += 1;
    }
    code
}

/// Add a code point in generalised UTF-8.
fn push_code_point(out: &mut Vec<u8>, c: u32) {
    match char::from_u32(c) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => {
            let tail = |shift: u32| 0x80 | (c >> shift & 0x3F) as u8;
            out.extend_from_slice(&[0xE0 | (c >> 12) as u8, tail(6), tail(0)]);
        }
    }
}

/// Decode the characters of a bytes literal.
pub(crate) fn decode_bytes<'a>(
    arena: &'a Bump,
    text: &'a [u8],
    raw: bool,
    invalid: &mut Option<InvalidEscape>,
) -> Result<&'a [u8], LiteralError> {
    if !text.is_ascii() {
        return Err(LiteralError::NonAsciiBytes);
    }
    if raw || find_byte(text, b'\\').is_none() {
        return Ok(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let c = text[at];
        at += 1;
        if c != b'\\' {
            out.push(c);
            continue;
        }
        let Some(&c) = text.get(at) else {
            return Err(LiteralError::Value("Trailing \\ in string".into()));
        };
        at += 1;
        let byte = match c {
            b'\n' => continue,
            b'\\' | b'\'' | b'"' => c,
            b'b' => 8,
            b'f' => 12,
            b't' => b'\t',
            b'n' => b'\n',
            b'r' => b'\r',
            b'v' => 11,
            b'a' => 7,
            b'0'..=b'7' => {
                let code = octal(text, &mut at, c);
                if code > 0o377 && invalid.is_none() {
                    *invalid = Some(InvalidEscape { at: at - 3, expanded_at: at - 3 });
                }
                code as u8
            }
            b'x' => {
                let digit = |i: usize| text.get(i).and_then(|&c| (c as char).to_digit(16));
                let (Some(high), Some(low)) = (digit(at), digit(at + 1)) else {
                    let start = at - 2;
                    return Err(LiteralError::Value(format!("invalid \\x escape at position {start}")));
                };
                at += 2;
                (high << 4 | low) as u8
            }
            _ => {
                if invalid.is_none() {
                    *invalid = Some(InvalidEscape { at: at - 1, expanded_at: at - 1 });
                }
                out.push(b'\\');
                c
            }
        };
        out.push(byte);
    }
    Ok(arena.alloc_slice_copy(&out))
}
