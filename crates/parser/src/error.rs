//! Errors and warnings as plain data; the caller makes exceptions of them.

/// The exception class that an error stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// `SyntaxError`
    Syntax,
    /// `IndentationError`
    Indentation,
    /// `TabError`
    Tab,
    /// `_IncompleteInputError`
    IncompleteInput,
    /// `MemoryError`: the source nests too deeply
    Memory,
    /// `ValueError`: a name whose normal form is that of a constant
    Value,
    /// `OverflowError`: the source is too long
    Overflow,
    /// `UnicodeDecodeError`: a bad escape sequence in a format specifier, or a name that isn't UTF-8
    /// after another error
    UnicodeDecode,
    /// `KeyboardInterrupt`, reported by the line reader
    Interrupt,
    /// A callback failed and has kept the exception to itself
    Callback,
    /// Nothing was read in an interactive session: not an exception, but the end of it
    Eof,
}

impl ErrorKind {
    /// Is it `SyntaxError` or a subclass?
    pub fn is_syntax_error(self) -> bool {
        matches!(
            self,
            ErrorKind::Syntax | ErrorKind::Indentation | ErrorKind::Tab | ErrorKind::IncompleteInput
        )
    }
}

/// Where an error stands, with the values of a `SyntaxError`'s attributes: columns are
/// 1-based and count characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// `lineno`
    pub lineno: i32,
    /// `offset`
    pub offset: i32,
    /// `text`; the caller may find a better one in the file.
    pub text: Option<String>,
    /// `end_lineno` and `end_offset`
    pub end: Option<(i32, i32)>,
    /// The parser found the error, not the tokenizer, so CPython would rather take `text` from the
    /// file that the source is said to be, if it exists: see [`Location::set_text`].
    pub text_from_file: bool,
    /// The columns as byte offsets plus one.
    pub(crate) columns: (i32, i32),
}

impl Location {
    /// Take the text from elsewhere; the columns are counted in it.
    pub fn set_text(&mut self, text: String) {
        let (col, end_col) = self.columns;
        self.offset = byte_offset_to_character_offset(&text, col);
        if let (true, Some((_, end_offset))) = (end_col > 0, &mut self.end) {
            *end_offset = byte_offset_to_character_offset(&text, end_col);
        }
        self.text = Some(text);
    }
}

/// How many characters the first `offset` bytes of a line are, where a character that is cut off
/// counts, and so does what would come after the end.
fn byte_offset_to_character_offset(line: &str, offset: i32) -> i32 {
    let offset = offset.max(0) as usize;
    match line.as_bytes().get(..offset) {
        Some(before) => String::from_utf8_lossy(before).chars().count() as i32,
        None => line.chars().count() as i32 + 1,
    }
}

/// An error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Its class.
    pub kind: ErrorKind,
    /// Its message.
    pub msg: String,
    /// Its place, if it has one.
    pub location: Option<Location>,
}

impl SyntaxError {
    pub(crate) fn bare(kind: ErrorKind, msg: impl Into<String>) -> SyntaxError {
        SyntaxError { kind, msg: msg.into(), location: None }
    }
}

/// The category of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningCategory {
    /// `SyntaxWarning`
    Syntax,
    /// `DeprecationWarning`, with an old `feature_version`
    Deprecation,
}

/// A warning, to be issued for the line `lineno` of the file.
#[derive(Clone, Debug)]
pub struct Warning {
    /// Its category.
    pub category: WarningCategory,
    /// Its message.
    pub msg: String,
    /// Its line.
    pub lineno: u32,
    /// The `SyntaxError` to raise instead when the filters make an error of the warning.
    pub error: SyntaxError,
    /// Its place in the buffer, to tell a repetition.
    pub(crate) token_start: u32,
}

/// What the parser gives instead of a tree.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The error.
    pub error: SyntaxError,
    /// The warnings that came before it.
    pub warnings: Vec<Warning>,
}
