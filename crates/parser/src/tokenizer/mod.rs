//! The tokenizer.
//!
//! It reads a buffer line by line, as CPython's does, because its errors and the parser's tell
//! how far it has read: `inp` is the end of the line that `cur` is in. A token's text is a range
//! of the buffer, so nothing is allocated for a token.

mod fstring;
mod indentation;
mod iter;
mod number;
mod string;

pub use iter::{TokenInfo, TokenizerIter};

use bumpalo::Bump;

use crate::error::{ErrorKind, Location, SyntaxError, Warning, WarningCategory};
use crate::source::{Decoded, Line, LineReader, find_byte};
use crate::token::{Tok, Token, keyword_or_name};
use crate::unicode;

/// How many blocks may nest.
pub(crate) const MAXINDENT: usize = 100;
/// How many brackets may nest.
pub(crate) const MAXLEVEL: usize = 200;
/// How many f-strings may nest.
pub(crate) const MAXFSTRINGLEVEL: usize = 150;
/// How deep fields may nest in format specifiers, plus one.
pub(crate) const MAX_EXPR_NESTING: i32 = 3;

/// "No character": the end of the input, or an error.
const EOF: i32 = -1;

/// Why the tokenizer has stopped, if it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It has not.
    Ok,
    /// The end of the input.
    Eof,
    /// An error that is in `error`.
    Error,
    /// A source that can't be decoded.
    Decode,
    /// Tabs and spaces that don't fit.
    TabSpace,
    /// Too many blocks.
    TooDeep,
    /// A dedent to no outer level.
    Dedent,
    /// Something after a backslash.
    LineCont,
    /// The end of the input in a triple-quoted string.
    Eofs,
    /// The end of the input in a string.
    Eols,
    /// No more lines are to be asked for.
    InteractStop,
    /// The reader was interrupted.
    Interrupt,
}

/// An open bracket.
#[derive(Clone, Copy)]
pub(crate) struct Paren {
    pub kind: u8,
    pub lineno: u32,
    pub col: u32,
}

/// A level of indentation: columns with tabs of eight, and of one.
#[derive(Clone, Copy)]
struct Indent {
    col: u32,
    altcol: u32,
}

/// An f-string that is open, or (at the bottom) the program.
struct Mode {
    /// Reading the characters of the string rather than an expression.
    in_string: bool,
    /// Brackets open in the string's expressions.
    curly_bracket_depth: i32,
    /// The depth at which the innermost expression began; -1 outside of expressions.
    curly_bracket_expr_start_depth: i32,
    quote: u8,
    quote_size: u32,
    raw: bool,
    /// Where the f-string begins, and its line.
    start: usize,
    multi_line_start: usize,
    line_start: u32,
    /// The text of the expression, for `=`.
    expr_start: Option<usize>,
    expr_end: Option<usize>,
    debug: bool,
    in_format_spec: bool,
}

impl Mode {
    fn inside_expr(&self) -> bool {
        self.curly_bracket_expr_start_depth >= 0
    }
}

/// Where lines come from when the buffer is used up.
enum Input<'r> {
    /// Nowhere: the buffer has them all.
    Buffer,
    /// The same, with each line still to be checked, and a newline added to the last perhaps.
    File { newline_added: bool },
    /// A reader, with prompts or without.
    Reader(Box<dyn LineReader + 'r>),
}

/// The tokenizer's state.
pub(crate) struct Tokenizer<'a, 'r> {
    arena: &'a Bump,
    /// All that has been read. A NUL that isn't counted in `limit` follows unless there is a reader.
    pub buf: &'a [u8],
    limit: usize,
    /// Where the lines of a reader are put; `buf` is the beginning of it.
    slab: *mut [u8],
    /// The lines for error messages.
    pub raw: &'a [u8],
    input: Input<'r>,
    pub filename: &'a str,
    /// Next character.
    pub cur: usize,
    /// End of the current line.
    pub inp: usize,
    /// Start of the current line.
    pub line_start: usize,
    /// Start of the line on which the current string begins.
    multi_line_start: usize,
    /// Where the buffer would begin if read lines were thrown away between tokens.
    pub buf_start: usize,
    /// Start of the current token, if it has begun.
    start: Option<usize>,
    starting_col_offset: i32,
    pub done: Done,
    pub error: Option<SyntaxError>,
    /// Why a name couldn't be decoded, if that is what stopped it.
    pub decode_error: Option<String>,
    pub warnings: Vec<Warning>,
    pub lineno: u32,
    first_lineno: u32,
    indents: Vec<Indent>,
    pub pendin: i32,
    atbol: bool,
    cont_line: bool,
    pub parens: Vec<Paren>,
    modes: Vec<Mode>,
    pub type_comments: bool,
    pub extra_tokens: bool,
    comment_newline: bool,
    implicit_newline: bool,
    /// Why the reader gives no more lines.
    reader_done: Option<Done>,
    /// There are prompts, so an empty line ends a statement.
    pub interactive: bool,
    /// A statement has begun: the second prompt.
    continuation: bool,
    /// Nobody looks at tokens that have been given, so their lines needn't be kept.
    compact: bool,
    /// Don't ask for another line.
    pub interactive_stop: bool,
    /// For tokens that end an expression with `=`: their start, and the range of its text.
    pub debug_texts: Vec<(u32, u32, u32)>,
}

/// What a character can begin.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    Other,
    Space,
    Name,
    Digit,
    Quote,
}

/// The class of each byte.
static CLASS: [Class; 256] = {
    let mut table = [Class::Other; 256];
    let mut c = 0;
    while c < 256 {
        let b = c as u8;
        table[c] = match b {
            b' ' | b'\t' | 0x0c => Class::Space,
            b'_' | 128.. => Class::Name,
            b'0'..=b'9' => Class::Digit,
            b'"' | b'\'' => Class::Quote,
            _ if b.is_ascii_alphabetic() => Class::Name,
            _ => Class::Other,
        };
        c += 1;
    }
    table
};

/// May the byte be part of a name?
#[inline]
fn is_identifier_char(c: i32) -> bool {
    c >= 0 && matches!(CLASS[(c & 0xff) as usize], Class::Name | Class::Digit)
}

impl<'a, 'r> Tokenizer<'a, 'r> {
    fn new(arena: &'a Bump, filename: &'a str, buf: &'a [u8], raw: &'a [u8], input: Input<'r>) -> Self {
        let bottom = Mode {
            in_string: false,
            curly_bracket_depth: 0,
            curly_bracket_expr_start_depth: 0,
            quote: 0,
            quote_size: 0,
            raw: false,
            start: 0,
            multi_line_start: 0,
            line_start: 0,
            expr_start: None,
            expr_end: None,
            debug: false,
            in_format_spec: false,
        };
        Tokenizer {
            arena,
            buf,
            limit: buf.len().saturating_sub(1),
            slab: &mut [],
            raw,
            input,
            filename,
            cur: 0,
            inp: 0,
            line_start: 0,
            multi_line_start: 0,
            buf_start: 0,
            start: None,
            starting_col_offset: -1,
            done: Done::Ok,
            error: None,
            decode_error: None,
            warnings: Vec::new(),
            lineno: 0,
            first_lineno: 0,
            indents: vec![Indent { col: 0, altcol: 0 }],
            pendin: 0,
            atbol: true,
            cont_line: false,
            parens: Vec::new(),
            modes: vec![bottom],
            type_comments: false,
            extra_tokens: false,
            comment_newline: false,
            implicit_newline: false,
            reader_done: None,
            interactive: false,
            continuation: false,
            compact: false,
            interactive_stop: false,
            debug_texts: Vec::new(),
        }
    }

    /// A tokenizer of a whole text with a NUL behind it.
    pub fn from_buffer(arena: &'a Bump, filename: &'a str, buf: &'a [u8], raw: &'a [u8]) -> Self {
        Tokenizer::new(arena, filename, buf, raw, Input::Buffer)
    }

    /// The same for the text of a file, of which each line must be UTF-8.
    pub fn from_file(arena: &'a Bump, filename: &'a str, file: &Decoded<'a>) -> Self {
        let input = Input::File { newline_added: file.newline_added };
        Tokenizer::new(arena, filename, file.buf, file.raw, input)
    }

    /// A tokenizer of the lines that a reader gives.
    pub fn from_reader(arena: &'a Bump, filename: &'a str, reader: Box<dyn LineReader + 'r>) -> Self {
        Tokenizer::new(arena, filename, &[], &[], Input::Reader(reader))
    }

    /// A tokenizer of the same source, from its beginning. Lines that have been read aren't asked
    /// for again.
    pub fn restart(self) -> Self {
        let mut tok = Tokenizer::new(self.arena, self.filename, self.buf, self.raw, self.input);
        tok.limit = self.limit;
        tok.slab = self.slab;
        tok.reader_done = self.reader_done;
        tok.type_comments = self.type_comments;
        tok.interactive = self.interactive;
        tok.continuation = self.continuation;
        tok.implicit_newline = self.implicit_newline;
        tok
    }

    /// The level of blocks.
    pub fn indent(&self) -> usize {
        self.indents.len() - 1
    }

    /// Leave all blocks, with a DEDENT for each to come.
    pub fn dedent_all(&mut self) {
        self.pendin = -(self.indent() as i32);
        self.indents.truncate(1);
    }

    /// Is an f-string open?
    pub fn inside_fstring(&self) -> bool {
        self.modes.len() > 1
    }

    fn mode(&self) -> &Mode {
        &self.modes[self.modes.len() - 1]
    }

    fn mode_mut(&mut self) -> &mut Mode {
        let last = self.modes.len() - 1;
        &mut self.modes[last]
    }

    /// A line of the file with its newline, if a file is read and has that line.
    pub fn line_of_file(&self, lineno: i32) -> Option<&'a [u8]> {
        let Input::File { newline_added } = self.input else { return None };
        let text = &self.buf[..self.limit - newline_added as usize];
        text.split_inclusive(|&c| c == b'\n').nth(usize::try_from(lineno - 1).ok()?)
    }

    /// What hasn't been read as tokens.
    pub fn rest(&self) -> &'a [u8] {
        &self.buf[self.cur.min(self.limit)..self.limit]
    }

    /// The text of a token.
    #[inline]
    pub fn text(&self, token: &Token) -> &'a [u8] {
        self.buf.get(token.start as usize..token.end as usize).unwrap_or(&[])
    }

    // ---- reading ---------------------------------------------------------------------------

    /// The next character, or EOF.
    #[inline]
    fn nextc(&mut self) -> i32 {
        if self.cur < self.inp {
            let c = self.buf[self.cur];
            self.cur += 1;
            return c as i32;
        }
        self.nextc_on_new_line()
    }

    #[cold]
    #[inline(never)]
    fn nextc_on_new_line(&mut self) -> i32 {
        if self.done != Done::Ok || !self.underflow() || self.cur >= self.inp {
            self.cur = self.inp;
            return EOF;
        }
        let c = self.buf[self.cur];
        self.cur += 1;
        c as i32
    }

    /// Put back the character that `nextc` gave.
    #[inline]
    fn backup(&mut self, c: i32) {
        if c != EOF {
            self.cur -= 1;
        }
    }

    /// The next character, left where it is.
    #[inline]
    fn peekc(&mut self) -> i32 {
        let c = self.nextc();
        self.backup(c);
        c
    }

    /// Make the next line the current one.
    fn underflow(&mut self) -> bool {
        if self.inp >= self.limit && !self.read_line() {
            return false;
        }
        let rest = &self.buf[self.inp..self.limit];
        let len = find_byte(rest, b'\n').map_or(rest.len(), |n| n + 1);
        if self.compact {
            self.buf_start = 0;
        } else if self.start.is_none() {
            self.buf_start = self.cur;
        }
        self.line_start = self.cur;
        self.lineno += 1;
        self.inp += len;
        if matches!(self.input, Input::Buffer) {
            return true;
        }
        self.check_line()
    }

    /// Ask the reader for a line. At the end, or when it fails, `done` tells why.
    fn read_line(&mut self) -> bool {
        let Input::Reader(reader) = &mut self.input else {
            if matches!(self.input, Input::File { .. }) && self.start.is_none() && !self.inside_fstring() {
                // The buffer was emptied to read a line into it.
                self.buf_start = self.inp;
            }
            self.done = Done::Eof;
            return false;
        };
        if self.interactive_stop && self.reader_done.is_none() {
            self.done = Done::InteractStop;
            return false;
        }
        let mut text = Vec::new();
        if self.reader_done.is_none() {
            match reader.readline(self.continuation) {
                Line::Text(line) if line.is_empty() => self.reader_done = Some(Done::Eof),
                Line::Text(line) => text = line,
                Line::Interrupt => self.reader_done = Some(Done::Interrupt),
                Line::Failed => {
                    self.error = Some(SyntaxError::bare(ErrorKind::Callback, ""));
                    self.reader_done = Some(Done::Error);
                }
            }
        }
        if let Some(done) = self.reader_done {
            if self.compact && self.start.is_none() && !self.inside_fstring() {
                // The buffer was emptied to read a line into it.
                self.buf_start = self.inp;
            }
            self.done = done;
            return false;
        }
        self.continuation = true;
        if self.interactive && find_byte(&text, b'\r').is_some() {
            let translated = crate::source::translate_newlines(self.arena, &text, false);
            text = translated[..translated.len() - 1].to_vec();
        }
        self.implicit_newline = text.last() != Some(&b'\n');
        if self.implicit_newline {
            text.push(b'\n');
        }
        self.append(&text);
        true
    }

    /// Add text to the buffer. Tokens keep their places, unless nobody looks at them any more and
    /// none is unfinished: then the buffer is begun anew.
    fn append(&mut self, text: &[u8]) {
        if self.compact && self.start.is_none() && !self.inside_fstring() {
            self.buf = &[];
            self.cur = 0;
            self.inp = 0;
        }
        let kept = self.buf.len();
        let needed = kept + text.len();
        let old = self.buf;
        if needed > self.slab.len() {
            let slab = self.arena.alloc_slice_fill_copy((2 * needed).max(4096), 0u8);
            self.slab = std::ptr::from_mut(slab);
            // SAFETY: the slab is new and longer than `old`.
            unsafe { std::ptr::copy_nonoverlapping(old.as_ptr(), self.slab.cast(), kept) };
        }
        let start: *mut u8 = self.slab.cast();
        // SAFETY: the slab is in the arena and has room. The bytes from `kept` on belong to no
        // slice that has been given out, or to none that is looked at again.
        self.buf = unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), start.add(kept), text.len());
            std::slice::from_raw_parts(start, needed)
        };
        self.limit = needed;
        self.raw = self.buf;
    }

    /// Check a line that hasn't been checked before: no NUL, and UTF-8.
    fn check_line(&mut self) -> bool {
        let line = &self.buf[self.cur..self.inp];
        let null = find_byte(line, 0);
        if let Err(error) = std::str::from_utf8(line)
            && null.is_none_or(|at| error.valid_up_to() < at)
        {
            let bad = line[error.valid_up_to()];
            let msg = format!(
                "Non-UTF-8 code starting with '\\x{bad:02x}' in file {} on line {}, but no encoding \
                 declared; see https://peps.python.org/pep-0263/ for details",
                self.filename, self.lineno
            );
            self.error = Some(SyntaxError::bare(ErrorKind::Syntax, msg));
            self.done = Done::Decode;
            self.cur = self.inp;
            return false;
        }
        if null.is_some() {
            self.syntaxerror("source code cannot contain null bytes");
            self.cur = self.inp;
            return false;
        }
        true
    }

    // ---- making tokens ----------------------------------------------------------------------

    /// A token with the text from `start` to `end`.
    #[inline]
    fn token(&self, kind: Tok, start: usize, end: usize) -> Token {
        Token {
            kind,
            level: self.parens.len() as u8,
            nonascii: false,
            start: start as u32,
            end: end as u32,
            lineno: if kind.is_string_part() { self.first_lineno } else { self.lineno },
            col_offset: self.starting_col_offset,
            end_lineno: self.lineno,
            end_col_offset: (self.cur - self.line_start) as i32,
        }
    }

    /// A token with the text from the start of the token to the current character.
    #[inline]
    fn token_here(&self, kind: Tok) -> Token {
        self.token(kind, self.start.unwrap_or(self.cur), self.cur)
    }

    /// A token without a text.
    fn empty(&self, kind: Tok) -> Token {
        let mut token = self.token(kind, self.cur, self.cur);
        token.col_offset = -1;
        token.end_col_offset = -1;
        token
    }

    /// Let the current token begin at `start`.
    #[inline]
    fn begin(&mut self, start: usize) {
        self.start = Some(start);
        self.starting_col_offset = start as i32 - self.line_start as i32;
    }

    // ---- errors and warnings ------------------------------------------------------------------

    /// The current line as far as it has been read decides the column; its text is given whole.
    fn error_here(&self, msg: String, range: Option<(i32, i32)>) -> SyntaxError {
        let read = String::from_utf8_lossy(&self.buf[self.line_start..self.cur.max(self.line_start)]);
        let (col, end_col) = range.unwrap_or_else(|| {
            let col = read.chars().count() as i32;
            (col, col)
        });
        let rest = &self.buf[self.line_start..self.limit];
        let len = rest.iter().position(|c| matches!(c, b'\n' | 0)).unwrap_or(rest.len());
        let location = Location {
            lineno: self.lineno as i32,
            offset: col,
            text: Some(String::from_utf8_lossy(&rest[..len]).into_owned()),
            end: Some((self.lineno as i32, end_col)),
            text_from_file: false,
            columns: (col, end_col),
        };
        SyntaxError { kind: ErrorKind::Syntax, msg, location: Some(location) }
    }

    /// Record an error at the current character; gives the token that stands for it.
    #[cold]
    pub fn syntaxerror(&mut self, msg: impl Into<String>) -> Token {
        self.syntaxerror_range(msg.into(), None)
    }

    /// The same with given columns.
    #[cold]
    fn syntaxerror_range(&mut self, msg: String, range: Option<(i32, i32)>) -> Token {
        if self.done != Done::Error {
            self.error = Some(self.error_here(msg, range));
            self.done = Done::Error;
        }
        self.errortoken()
    }

    /// The token that stands for an error.
    fn errortoken(&self) -> Token {
        self.empty(Tok::ERRORTOKEN)
    }

    /// Stop with an error that the parser words.
    fn stop(&mut self, done: Done) -> Token {
        self.done = done;
        self.cur = self.inp;
        self.errortoken()
    }

    /// Record a SyntaxWarning at the current character.
    #[cold]
    fn parser_warn(&mut self, msg: String) {
        let error = self.error_here(msg.clone(), None);
        self.warnings.push(Warning {
            category: WarningCategory::Syntax,
            msg,
            lineno: self.lineno,
            error,
            token_start: self.cur as u32,
        });
    }

    // ---- the tokens ---------------------------------------------------------------------------

    /// The next token.
    #[inline]
    pub fn next_token(&mut self) -> Token {
        let in_string = self.mode().in_string;
        let token = if in_string { self.fstring_token() } else { self.normal_token() };
        if self.done == Done::Decode { self.errortoken() } else { token }
    }

    /// The next token outside of the characters of an f-string.
    fn normal_token(&mut self) -> Token {
        'nextline: loop {
            self.start = None;
            self.starting_col_offset = -1;
            let mut blankline = false;
            if self.atbol {
                match self.indentation() {
                    Ok(blank) => blankline = blank,
                    Err(token) => return token,
                }
            }
            self.begin(self.cur);
            if self.pendin != 0 {
                return self.pending_block_token();
            }
            'again: loop {
                self.start = None;
                let mut c;
                loop {
                    while self.cur < self.inp && CLASS[self.buf[self.cur] as usize] == Class::Space {
                        self.cur += 1;
                    }
                    c = self.nextc();
                    if !matches!(c, 0x20 | 0x09 | 0x0c) {
                        break;
                    }
                }
                if c == EOF {
                    self.start = Some(self.cur);
                    return self.end_token();
                }
                self.begin(self.cur - 1);
                let byte = c as u8;
                match CLASS[byte as usize] {
                    Class::Name => return self.name_token(),
                    Class::Digit => return self.number_token(),
                    Class::Quote => return self.string_token(byte),
                    _ => {}
                }
                match byte {
                    b'#' => {
                        if let Some(token) = self.comment_token(blankline) {
                            return token;
                        }
                        c = self.nextc();
                        if c == EOF {
                            return self.end_token();
                        }
                    }
                    b'\\' => {
                        if let Err(token) = self.continuation_line() {
                            return token;
                        }
                        self.cont_line = true;
                        continue 'again;
                    }
                    b'.' => return self.dot_token(),
                    _ => {}
                }
                if c == b'\r' as i32 {
                    // A carriage return that ends no line goes to the token after it.
                    c = self.nextc();
                    match CLASS[(c & 0xff) as usize] {
                        Class::Digit => return self.number_token(),
                        Class::Quote => return self.string_token(c as u8),
                        _ if c == b'.' as i32 => return self.dot_token(),
                        _ if c == b'\\' as i32 => {
                            if let Err(token) = self.continuation_line() {
                                return token;
                            }
                            self.cont_line = true;
                            continue 'again;
                        }
                        _ => {}
                    }
                }
                if c == b'\n' as i32 {
                    self.atbol = true;
                    if blankline || !self.parens.is_empty() {
                        if self.extra_tokens {
                            self.comment_newline = false;
                            return self.token_here(Tok::NL);
                        }
                        continue 'nextline;
                    }
                    if self.comment_newline && self.extra_tokens {
                        self.comment_newline = false;
                        return self.token_here(Tok::NL);
                    }
                    self.cont_line = false;
                    return self.token(Tok::NEWLINE, self.start.unwrap_or(self.cur), self.cur - 1);
                }
                return self.punctuation_token(c);
            }
        }
    }

    /// What is left to say after the last character.
    fn end_token(&mut self) -> Token {
        if self.done == Done::InteractStop {
            return self.empty(Tok::ENDMARKER);
        }
        if !self.parens.is_empty() || self.done != Done::Eof {
            return self.errortoken();
        }
        self.empty(Tok::ENDMARKER)
    }

    /// A comment. Without a token, `cur` is at the newline (or at the end).
    fn comment_token(&mut self, blankline: bool) -> Option<Token> {
        let start = self.cur - 1;
        while self.cur < self.inp && !matches!(self.buf[self.cur], b'\n' | b'\r') {
            self.cur += 1;
        }
        if self.type_comments
            && let Some(token) = self.type_comment(start, blankline) {
                return Some(token);
            }
        if self.extra_tokens {
            self.comment_newline = blankline;
            return Some(self.token(Tok::COMMENT, start, self.cur));
        }
        None
    }

    /// A comment that begins with `# type: `, where each space stands for any number of them.
    fn type_comment(&mut self, start: usize, blankline: bool) -> Option<Token> {
        let comment = &self.buf[start..self.cur];
        let skip = |text: &'a [u8]| {
            let n = text.iter().take_while(|c| matches!(c, b' ' | b'\t')).count();
            &text[n..]
        };
        let rest = skip(skip(comment.strip_prefix(b"#")?).strip_prefix(b"type:")?);
        let type_start = self.cur - rest.len();
        let is_ignore = rest.strip_prefix(b"ignore").is_some_and(|tag| {
            tag.first().is_none_or(|&c| c < 128 && !c.is_ascii_alphanumeric())
        });
        let (kind, text_start) =
            if is_ignore { (Tok::TYPE_IGNORE, type_start + 6) } else { (Tok::TYPE_COMMENT, type_start) };
        let mut token = self.token(kind, text_start, self.cur);
        token.lineno = self.lineno;
        token.col_offset = (text_start - self.line_start) as i32;
        token.end_col_offset = (self.cur - self.line_start) as i32;
        if is_ignore && blankline {
            // Alone on its line, it takes the newline with it.
            self.nextc();
            self.atbol = true;
            token.end = self.cur as u32;
            token.end_col_offset = (self.cur - self.line_start) as i32;
        }
        Some(token)
    }

    /// A name, or a string with a prefix.
    #[inline]
    fn name_token(&mut self) -> Token {
        let start = self.cur - 1;
        let mut nonascii = self.buf[start] >= 128;
        while self.cur < self.inp {
            let c = self.buf[self.cur];
            if !matches!(CLASS[c as usize], Class::Name | Class::Digit) {
                break;
            }
            nonascii |= c >= 128;
            self.cur += 1;
        }
        if self.cur == self.inp {
            self.peekc();
        }
        let text = &self.buf[start..self.cur];
        if text.len() <= 2 && self.cur < self.inp && matches!(self.buf[self.cur], b'"' | b'\'') {
            match string_prefix(text) {
                Prefix::None => {}
                Prefix::String => {
                    let c = self.nextc();
                    return self.string_token(c as u8);
                }
                Prefix::FString => {
                    let c = self.nextc();
                    return self.fstring_start(c as u8);
                }
            }
        }
        if nonascii && !self.verify_identifier() {
            return self.errortoken();
        }
        let mut token = self.token(keyword_or_name(text), start, self.cur);
        token.nonascii = nonascii;
        token
    }

    /// Is the non-ASCII name that was just read a valid one? The error points to the first
    /// character that isn't.
    fn verify_identifier(&mut self) -> bool {
        if self.extra_tokens {
            return true;
        }
        let start = self.start.unwrap_or(self.cur);
        let bytes = &self.buf[start..self.cur];
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                self.done = Done::Decode;
                self.decode_error = Some(crate::literals::utf8_error(bytes, error));
                return false;
            }
        };
        let invalid = text.char_indices().find(|&(i, c)| {
            let c = c as u32;
            !(unicode::is_xid_start(c) || i > 0 && unicode::is_xid_continue(c))
        });
        let Some((i, c)) = invalid else { return true };
        self.cur = start + i + c.len_utf8();
        let code = c as u32;
        if unicode::is_printable(code) {
            self.syntaxerror(format!("invalid character '{c}' (U+{code:04X})"));
        } else {
            self.syntaxerror(format!("invalid non-printable character U+{code:04X}"));
        }
        false
    }

    /// What follows a backslash must be a newline, and then a line.
    fn continuation_line(&mut self) -> Result<(), Token> {
        let mut c = self.nextc();
        if c == b'\r' as i32 {
            c = self.nextc();
        }
        if c != b'\n' as i32 {
            self.done = Done::LineCont;
            return Err(self.errortoken());
        }
        if self.peekc() == EOF {
            self.done = Done::Eof;
            self.cur = self.inp;
            return Err(self.errortoken());
        }
        Ok(())
    }

    /// A dot, three of them, or a number that begins with one.
    fn dot_token(&mut self) -> Token {
        let c = self.nextc();
        if (b'0' as i32..=b'9' as i32).contains(&c) {
            return self.fraction(c);
        }
        if c == b'.' as i32 {
            let c = self.nextc();
            if c == b'.' as i32 {
                return self.token_here(Tok::ELLIPSIS);
            }
            self.backup(c);
            self.backup(b'.' as i32);
        } else {
            self.backup(c);
        }
        self.token_here(Tok::DOT)
    }

    /// An operator or a delimiter.
    #[inline]
    fn punctuation_token(&mut self, c: i32) -> Token {
        let byte = c as u8;
        if self.inside_fstring() && matches!(byte, b':' | b'}' | b'!' | b'{') && self.mode().inside_expr()
            && let Some(token) = self.fstring_punctuation(byte) {
                return token;
            }
        if let Some(two) = two_chars(byte, self.peekc() as u8) {
            self.cur += 1;
            if let Some(three) = three_chars(two, self.peekc() as u8) {
                self.cur += 1;
                return self.token_here(three);
            }
            return self.token_here(two);
        }
        match byte {
            b'(' | b'[' | b'{' => {
                if self.parens.len() >= MAXLEVEL {
                    return self.syntaxerror("too many nested parentheses");
                }
                let start = self.start.unwrap_or(self.cur);
                let col = (start - self.line_start) as u32;
                self.parens.push(Paren { kind: byte, lineno: self.lineno, col });
                if self.inside_fstring() {
                    self.mode_mut().curly_bracket_depth += 1;
                }
            }
            b')' | b']' | b'}' => {
                if let Err(token) = self.close_bracket(byte) {
                    return token;
                }
            }
            b'=' => {
                let mode = self.mode_mut();
                mode.debug |= mode.inside_expr();
            }
            _ => {}
        }
        match one_char(byte) {
            Some(kind) => self.token_here(kind),
            None if unicode::is_printable(c as u32) => self.token_here(Tok::OP),
            None => self.syntaxerror(format!("invalid non-printable character U+{c:04X}")),
        }
    }

    /// Close a bracket, which must be open.
    fn close_bracket(&mut self, c: u8) -> Result<(), Token> {
        let inside_fstring = self.inside_fstring();
        let ch = c as char;
        if inside_fstring && self.mode().curly_bracket_depth == 0 && c == b'}' {
            return Err(self.syntaxerror("f-string: single '}' is not allowed"));
        }
        if !self.extra_tokens && self.parens.is_empty() {
            return Err(self.syntaxerror(format!("unmatched '{ch}'")));
        }
        if let Some(open) = self.parens.pop() {
            let matches = matches!((open.kind, c), (b'(', b')') | (b'[', b']') | (b'{', b'}'));
            if !self.extra_tokens && !matches {
                let mode = self.mode();
                // The brace of a replacement field isn't the program's bracket.
                if inside_fstring
                    && open.kind == b'{'
                    && mode.curly_bracket_depth - 1 == mode.curly_bracket_expr_start_depth
                {
                    return Err(self.syntaxerror(format!("f-string: unmatched '{ch}'")));
                }
                let opening = open.kind as char;
                let mut msg =
                    format!("closing parenthesis '{ch}' does not match opening parenthesis '{opening}'");
                if open.lineno != self.lineno {
                    msg += &format!(" on line {}", open.lineno);
                }
                return Err(self.syntaxerror(msg));
            }
        }
        if inside_fstring {
            let mode = self.mode_mut();
            mode.curly_bracket_depth -= 1;
            if mode.curly_bracket_depth < 0 {
                return Err(self.syntaxerror(format!("f-string: unmatched '{ch}'")));
            }
            if c == b'}' && mode.curly_bracket_depth == mode.curly_bracket_expr_start_depth {
                mode.curly_bracket_expr_start_depth -= 1;
                mode.in_string = true;
                mode.in_format_spec = false;
                mode.debug = false;
            }
        }
        Ok(())
    }
}

/// What the letters before a quote make of the string.
enum Prefix {
    None,
    String,
    FString,
}

fn string_prefix(text: &[u8]) -> Prefix {
    let lower = |i: usize| text.get(i).map_or(0, u8::to_ascii_lowercase);
    match (lower(0), lower(1)) {
        (b'b' | b'r' | b'u', 0) | (b'b', b'r') | (b'r', b'b') => Prefix::String,
        (b'f', 0) | (b'f', b'r') | (b'r', b'f') => Prefix::FString,
        _ => Prefix::None,
    }
}

/// The operator that is one character long.
#[inline]
fn one_char(c: u8) -> Option<Tok> {
    use Tok::*;
    Some(match c {
        b'(' => LPAR,
        b')' => RPAR,
        b'[' => LSQB,
        b']' => RSQB,
        b':' => COLON,
        b',' => COMMA,
        b';' => SEMI,
        b'+' => PLUS,
        b'-' => MINUS,
        b'*' => STAR,
        b'/' => SLASH,
        b'|' => VBAR,
        b'&' => AMPER,
        b'<' => LESS,
        b'>' => GREATER,
        b'=' => EQUAL,
        b'.' => DOT,
        b'%' => PERCENT,
        b'{' => LBRACE,
        b'}' => RBRACE,
        b'~' => TILDE,
        b'^' => CIRCUMFLEX,
        b'@' => AT,
        b'!' => EXCLAMATION,
        _ => return None,
    })
}

/// The operator that begins with these two characters.
#[inline]
fn two_chars(c1: u8, c2: u8) -> Option<Tok> {
    use Tok::*;
    Some(match (c1, c2) {
        (b'=', b'=') => EQEQUAL,
        (b'!', b'=') | (b'<', b'>') => NOTEQUAL,
        (b'<', b'=') => LESSEQUAL,
        (b'>', b'=') => GREATEREQUAL,
        (b'<', b'<') => LEFTSHIFT,
        (b'>', b'>') => RIGHTSHIFT,
        (b'*', b'*') => DOUBLESTAR,
        (b'+', b'=') => PLUSEQUAL,
        (b'-', b'=') => MINEQUAL,
        (b'*', b'=') => STAREQUAL,
        (b'/', b'=') => SLASHEQUAL,
        (b'%', b'=') => PERCENTEQUAL,
        (b'&', b'=') => AMPEREQUAL,
        (b'|', b'=') => VBAREQUAL,
        (b'^', b'=') => CIRCUMFLEXEQUAL,
        (b'/', b'/') => DOUBLESLASH,
        (b'@', b'=') => ATEQUAL,
        (b'-', b'>') => RARROW,
        (b':', b'=') => COLONEQUAL,
        _ => return None,
    })
}

/// The operator that a third character makes of one of two.
#[inline]
fn three_chars(two: Tok, c3: u8) -> Option<Tok> {
    Some(match (two, c3) {
        (Tok::LEFTSHIFT, b'=') => Tok::LEFTSHIFTEQUAL,
        (Tok::RIGHTSHIFT, b'=') => Tok::RIGHTSHIFTEQUAL,
        (Tok::DOUBLESTAR, b'=') => Tok::DOUBLESTAREQUAL,
        (Tok::DOUBLESLASH, b'=') => Tok::DOUBLESLASHEQUAL,
        _ => return None,
    })
}
