//! From the bytes of a source to the buffer that the tokenizer reads: newlines, byte order
//! mark, coding cookie, decoding.

use bumpalo::Bump;

use crate::error::{ErrorKind, SyntaxError};

/// What a [`LineReader`] gives.
pub enum Line {
    /// A line of UTF-8, with its newline if it has one; empty at the end of the input.
    Text(Vec<u8>),
    /// The user interrupted the input.
    Interrupt,
    /// The input failed and the reader has kept the exception to itself.
    Failed,
}

/// A source of lines that are read as the parser needs them.
pub trait LineReader {
    /// The next line. `continuation` tells that the statement has begun already (the second prompt).
    fn readline(&mut self, continuation: bool) -> Line;
}

impl<R: LineReader + ?Sized> LineReader for &mut R {
    fn readline(&mut self, continuation: bool) -> Line {
        (**self).readline(continuation)
    }
}

/// Where the source comes from.
pub enum Source<'s> {
    /// UTF-8 text; a coding cookie in it is a mere comment.
    Utf8(&'s [u8]),
    /// Bytes, decoded as their byte order mark or cookie says. Without one they are UTF-8, which
    /// is checked only where it matters: in names and in strings.
    Bytes(&'s [u8]),
    /// The bytes of a file that is run. The same, but every line that is reached must be UTF-8.
    File(&'s [u8]),
    /// The lines of an interactive session.
    Interactive(&'s mut dyn LineReader),
}

/// A decoder for encodings other than UTF-8, Latin-1 and ASCII: the bytes, the name of the
/// encoding, and the text or the message of the error.
pub type Decoder<'s> = &'s dyn Fn(&[u8], &str) -> Result<String, String>;

/// A decoded source.
pub(crate) struct Decoded<'a> {
    /// The text, with one NUL after it that is not part of it.
    pub buf: &'a [u8],
    /// What error messages take lines from: the same, before the decoding.
    pub raw: &'a [u8],
    /// A newline was added at the end.
    pub newline_added: bool,
    /// The encoding that the source names.
    pub encoding: Option<String>,
}

/// Copy a source into the arena, each newline as a single `\n`, one added at the end if `exec`,
/// and a NUL behind.
pub(crate) fn translate_newlines<'a>(arena: &'a Bump, source: &[u8], exec: bool) -> &'a [u8] {
    let add = exec && source.last().is_some_and(|&c| c != b'\n' && c != b'\r');
    let tail: &[u8] = if add { b"\n\0" } else { b"\0" };
    if find_byte(source, b'\r').is_none() {
        let buf = arena.alloc_slice_fill_default::<u8>(source.len() + tail.len());
        buf[..source.len()].copy_from_slice(source);
        buf[source.len()..].copy_from_slice(tail);
        return buf;
    }
    let mut text = Vec::with_capacity(source.len() + tail.len());
    let mut rest = source;
    while let Some(i) = find_byte(rest, b'\r') {
        text.extend_from_slice(&rest[..i]);
        text.push(b'\n');
        rest = &rest[i + 1..];
        if rest.first() == Some(&b'\n') {
            rest = &rest[1..];
        }
    }
    text.extend_from_slice(rest);
    text.extend_from_slice(tail);
    arena.alloc_slice_copy(&text)
}

/// The place of the first `byte`, eight bytes at a time.
#[inline]
pub(crate) fn find_byte(text: &[u8], byte: u8) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let pattern = LOW * byte as u64;
    let mut i = 0;
    while let Some(chunk) = text.get(i..i + 8) {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        let x = u64::from_le_bytes(word) ^ pattern;
        let found = x.wrapping_sub(LOW) & !x & (LOW << 7);
        if found != 0 {
            return Some(i + found.trailing_zeros() as usize / 8);
        }
        i += 8;
    }
    text[i..].iter().position(|&c| c == byte).map(|n| i + n)
}

/// Decode a source that is not known to be UTF-8. Errors of a file have no place.
pub(crate) fn decode<'a>(
    arena: &'a Bump,
    source: &[u8],
    exec: bool,
    file: bool,
    decoder: Option<Decoder>,
) -> Result<Decoded<'a>, SyntaxError> {
    let (bom, source) = match source.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => (true, rest),
        None => (false, source),
    };
    let buf = translate_newlines(arena, source, exec);
    let newline_added = exec && !matches!(source.last(), None | Some(b'\n' | b'\r'));
    let text = &buf[..buf.len() - 1];
    let cookie = match coding_cookie(text) {
        Some(cookie) => cookie,
        None => return Ok(Decoded { buf, raw: buf, newline_added, encoding: bom.then(|| "utf-8".into()) }),
    };
    if bom && cookie != "utf-8" {
        let msg = format!("encoding problem: {cookie} with BOM");
        return Err(if file { SyntaxError::bare(ErrorKind::Syntax, msg) } else { init_error(msg) });
    }
    if cookie == "utf-8" {
        return Ok(Decoded { buf, raw: buf, newline_added, encoding: Some(cookie) });
    }
    let mut decoded = decode_with(text, &cookie, decoder).map_err(|msg| {
        if !file {
            return init_error(msg);
        }
        let unknown = msg.starts_with("unknown encoding");
        let msg =
            if unknown { format!("encoding problem: {cookie}") } else { format!("(unicode error) {msg}") };
        SyntaxError::bare(ErrorKind::Syntax, msg)
    })?;
    decoded.push('\0');
    let decoded = arena.alloc_slice_copy(decoded.as_bytes());
    Ok(Decoded { buf: decoded, raw: buf, newline_added, encoding: Some(cookie) })
}

/// An error that happens before there is a line to point to.
fn init_error(msg: String) -> SyntaxError {
    use crate::error::Location;
    let location = Location { lineno: 0, offset: -1, text: None, end: None, text_from_file: false, columns: (0, 0) };
    SyntaxError { kind: ErrorKind::Syntax, msg, location: Some(location) }
}

/// Decode bytes of a named encoding.
fn decode_with(text: &[u8], encoding: &str, decoder: Option<Decoder>) -> Result<String, String> {
    match encoding.to_ascii_lowercase().replace('_', "-").as_str() {
        "iso-8859-1" | "iso8859-1" | "latin1" | "l1" => {
            return Ok(text.iter().map(|&c| c as char).collect());
        }
        "utf8" | "u8" => {
            return match std::str::from_utf8(text) {
                Ok(text) => Ok(text.into()),
                Err(error) => Err(crate::literals::utf8_error(text, error)),
            };
        }
        "ascii" | "us-ascii" => {
            return match text.iter().position(|&c| c >= 128) {
                None => Ok(String::from_utf8_lossy(text).into_owned()),
                Some(i) => Err(format!(
                    "'ascii' codec can't decode byte 0x{:02x} in position {i}: ordinal not in range(128)",
                    text[i]
                )),
            };
        }
        _ => {}
    }
    match decoder {
        Some(decoder) => decoder(text, encoding),
        None => Err(format!("unknown encoding: {encoding}")),
    }
}

/// The encoding that a comment on one of the first two lines names.
pub(crate) fn coding_cookie(text: &[u8]) -> Option<String> {
    let first_end = find_byte(text, b'\n')?;
    let first = &text[..first_end];
    if let Some(cookie) = cookie_in_line(first) {
        return Some(cookie);
    }
    if !is_blank_or_comment(first) {
        return None;
    }
    let rest = &text[first_end + 1..];
    let second_end = find_byte(rest, b'\n')?;
    cookie_in_line(&rest[..second_end + 1])
}

/// Is there nothing but whitespace and a comment?
fn is_blank_or_comment(line: &[u8]) -> bool {
    let rest = line.iter().find(|c| !matches!(c, b' ' | b'\t' | 0x0c));
    matches!(rest, None | Some(b'#' | b'\n' | b'\r'))
}

/// The encoding that a line names: `coding`, a colon or an equals sign, and a name, in a comment
/// that is alone on its line.
fn cookie_in_line(line: &[u8]) -> Option<String> {
    let limit = line.len().checked_sub(6)?;
    let hash = line[..limit].iter().position(|c| !matches!(c, b' ' | b'\t' | 0x0c))?;
    if line[hash] != b'#' {
        return None;
    }
    for i in hash..limit {
        let Some([b':' | b'=', rest @ ..]) = line[i..].strip_prefix(b"coding") else { continue };
        let skip = rest.iter().take_while(|c| matches!(c, b' ' | b'\t')).count();
        let name = &rest[skip..];
        let is_name = |c: &&u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        let len = name.iter().take_while(is_name).count();
        if len > 0 {
            return Some(normal_name(&name[..len]));
        }
    }
    None
}

/// The usual name of UTF-8 or Latin-1 for each of its many spellings; other names as they are.
fn normal_name(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name).into_owned();
    let short: String =
        name.chars().take(12).map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect();
    if short == "utf-8" || short.starts_with("utf-8-") {
        return "utf-8".into();
    }
    for latin in ["latin-1", "iso-8859-1", "iso-latin-1"] {
        if short == latin || short.strip_prefix(latin).is_some_and(|rest| rest.starts_with('-')) {
            return "iso-8859-1".into();
        }
    }
    name
}
