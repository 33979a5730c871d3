//! What a compilation can report, and the guard against too deep recursion.

use taipan_parser::ast::Range;

use crate::names::Str;

/// A place in the source as instructions carry it; -1 where there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are CPython's")]
pub struct Location {
    pub lineno: i32,
    pub end_lineno: i32,
    pub col_offset: i32,
    pub end_col_offset: i32,
}

/// No place: an artificial instruction.
pub const NO_LOCATION: Location = Location { lineno: -1, end_lineno: -1, col_offset: -1, end_col_offset: -1 };

impl From<Range> for Location {
    fn from(r: Range) -> Location {
        Location {
            lineno: r.lineno as i32,
            end_lineno: r.end_lineno as i32,
            col_offset: r.col_offset as i32,
            end_col_offset: r.end_col_offset as i32,
        }
    }
}

/// Which exception an error becomes, and which pass found it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// `SyntaxError(msg)` with its location set afterwards (future statements, symbol table).
    SyntaxError,
    /// `SyntaxError(msg, (filename, lineno, offset, text, end_lineno, end_offset))` (code generation).
    CompilerSyntaxError,
    /// `RecursionError`.
    RecursionError,
    /// `SystemError`.
    SystemError,
    /// `RuntimeError`.
    RuntimeError,
    /// `ValueError`.
    ValueError,
    /// `OverflowError`.
    OverflowError,
    /// `TypeError`.
    TypeError,
    /// `UnicodeEncodeError` of encoding `text` in UTF-8.
    UnicodeEncodeError,
}

/// Why there is no code object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompileError {
    /// The exception.
    pub kind: ErrorKind,
    /// Its message.
    pub message: String,
    /// For syntax errors: lines from 1; byte columns from 0, one less than the exception's `offset`.
    pub location: Option<Location>,
    /// What can't be encoded.
    pub text: Option<Str>,
}

impl CompileError {
    /// An error without a place.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Box<CompileError> {
        Box::new(CompileError { kind, message: message.into(), location: None, text: None })
    }

    /// What stands for an error until there is a result.
    pub(crate) fn unknown() -> CompileError {
        CompileError { kind: ErrorKind::SystemError, message: String::new(), location: None, text: None }
    }

    /// A syntax error of the symbol table.
    pub(crate) fn at(range: Range, message: impl Into<String>) -> Box<CompileError> {
        Box::new(CompileError {
            kind: ErrorKind::SyntaxError,
            message: message.into(),
            location: Some(range.into()),
            text: None,
        })
    }

    /// A str with a surrogate where UTF-8 is needed.
    pub(crate) fn surrogates(text: Str) -> Box<CompileError> {
        let kind = ErrorKind::UnicodeEncodeError;
        Box::new(CompileError { kind, message: "surrogates not allowed".to_owned(), location: None, text: Some(text) })
    }
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        if let Some(l) = self.location {
            write!(f, " ({}:{}-{}:{})", l.lineno, l.col_offset + 1, l.end_lineno, l.end_col_offset + 1)?;
        }
        Ok(())
    }
}

impl std::error::Error for CompileError {}

/// The result of a pass; the error is boxed to keep results small.
pub type Result<T, E = Box<CompileError>> = std::result::Result<T, E>;

/// The class of a warning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WarningCategory {
    /// `SyntaxWarning`, for the file and line.
    SyntaxWarning,
    /// `DeprecationWarning` of an operation that was done while folding; its place is the caller's.
    DeprecationWarning,
}

/// A warning, to be issued in the order of the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// Its class.
    pub category: WarningCategory,
    /// Its text.
    pub message: String,
    /// Where it is; if the warning is made an error, that is a `SyntaxError` here.
    pub location: Location,
}

/// How deep the tree may be before it is refused, in nodes.
pub const RECURSION_LIMIT: u32 = 10_000;

/// Counts nesting and watches the native stack.
pub(crate) struct Recursion {
    depth: u32,
    lowest: usize,
}

impl Recursion {
    /// A guard for a pass that starts here and may use `budget` bytes of stack.
    pub(crate) fn new(budget: usize) -> Recursion {
        Recursion { depth: 0, lowest: stack_position().saturating_sub(budget) }
    }

    /// One level deeper.
    #[inline]
    pub(crate) fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > RECURSION_LIMIT || stack_position() < self.lowest {
            return Err(Recursion::error());
        }
        Ok(())
    }

    /// One level up.
    #[inline]
    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    #[cold]
    fn error() -> Box<CompileError> {
        CompileError::new(ErrorKind::RecursionError, "maximum recursion depth exceeded during compilation")
    }
}

/// Roughly the stack pointer.
#[inline(always)]
fn stack_position() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here) as usize
}
