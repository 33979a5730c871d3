//! Tokenizer, parser and abstract syntax tree of Python 3.13.
//!
//! This crate knows no Python object and no other crate of the project: it
//! turns bytes into arena-allocated trees or into plain-data errors.

mod actions;
pub mod ast;
mod core;
mod diagnose;
pub mod error;
mod literals;
mod parser;
pub mod source;
pub mod token;
mod tokenizer;
mod unicode;
mod unicode_tables;

pub use crate::core::{Mode, Options};
pub use error::{ErrorKind, Failure, Location, SyntaxError, Warning, WarningCategory};
pub use literals::{CallbackFailed, NameLookup, NoNames, Normalizer};
pub use source::{Decoder, Line, LineReader, Source};
pub use tokenizer::{TokenInfo, TokenizerIter};
pub use unicode::is_printable;

use bumpalo::Bump;
use tokenizer::Tokenizer;

/// A tree, and what else its source has told.
pub struct Parsed<'a> {
    /// The tree.
    pub module: ast::Mod<'a>,
    /// Warnings, in the order of the source.
    pub warnings: Vec<Warning>,
    /// The encoding that the source names.
    pub encoding: Option<String>,
}

/// Parse a source.
pub fn parse<'a, 's>(
    arena: &'a Bump,
    source: Source<'s>,
    mode: Mode,
    options: &'s Options<'s>,
) -> Result<Parsed<'a>, Failure> {
    let (tok, encoding) = tokenizer(arena, source, mode, options)?;
    let mut parser = parser::Parser::new(arena, mode, options, tok);
    if let Ok(module) = parser.parse() {
        // The other parser words the error if there is more than one statement.
        if mode != Mode::Single || !parser.core.more_than_one_statement() {
            return Ok(Parsed { module, warnings: parser.core.take_warnings(), encoding });
        }
    }
    // What a callback has to say is not worded a second time.
    if let Some(error) = parser.core.deferred_error.get_mut().take_if(|e| e.kind == ErrorKind::Callback) {
        return Err(Failure { error, warnings: parser.core.take_warnings() });
    }
    diagnose(arena, mode, options, parser.core.tok.restart(), encoding)
}

/// The same with the diagnosing parser only, to test it against the other.
#[doc(hidden)]
pub fn parse_slowly<'a, 's>(
    arena: &'a Bump,
    source: Source<'s>,
    mode: Mode,
    options: &'s Options<'s>,
) -> Result<Parsed<'a>, Failure> {
    let (tok, encoding) = tokenizer(arena, source, mode, options)?;
    diagnose(arena, mode, options, tok, encoding)
}

fn diagnose<'a, 'o>(
    arena: &'a Bump,
    mode: Mode,
    options: &'o Options<'o>,
    tok: Tokenizer<'a, 'o>,
    encoding: Option<String>,
) -> Result<Parsed<'a>, Failure> {
    let mut diagnosis = diagnose::Diagnosis::new(arena, mode, options, tok);
    let result = diagnosis.run();
    let warnings = diagnosis.core.take_warnings();
    match result {
        Ok(module) => Ok(Parsed { module, warnings, encoding }),
        Err(error) => Err(Failure { error, warnings }),
    }
}

/// A tokenizer of a source, and the encoding that the source names.
fn tokenizer<'a, 'o>(
    arena: &'a Bump,
    source: Source<'o>,
    mode: Mode,
    options: &Options<'o>,
) -> Result<(Tokenizer<'a, 'o>, Option<String>), Failure> {
    let filename: &'a str = arena.alloc_str(options.filename);
    let exec = mode == Mode::Exec;
    let fail = |error| Failure { error, warnings: Vec::new() };
    if let Source::Utf8(text) | Source::Bytes(text) | Source::File(text) = &source
        && text.len() >= i32::MAX as usize {
            let msg = "Parser column offset overflow - source line is too big";
            return Err(fail(SyntaxError::bare(ErrorKind::Overflow, msg)));
        }
    if let Source::Utf8(text) | Source::Bytes(text) = &source
        && source::find_byte(text, 0).is_some() {
            let msg = "source code string cannot contain null bytes";
            return Err(fail(SyntaxError::bare(ErrorKind::Syntax, msg)));
        }
    Ok(match source {
        Source::Interactive(reader) => {
            let mut tok = Tokenizer::from_reader(arena, filename, Box::new(reader));
            tok.interactive = true;
            (tok, None)
        }
        Source::Utf8(text) => {
            let buf = source::translate_newlines(arena, text, exec);
            (Tokenizer::from_buffer(arena, filename, buf, buf), None)
        }
        Source::Bytes(text) => {
            let decoded = source::decode(arena, text, exec, false, options.decoder).map_err(fail)?;
            (Tokenizer::from_buffer(arena, filename, decoded.buf, decoded.raw), decoded.encoding)
        }
        Source::File(text) => {
            let decoded = source::decode(arena, text, true, true, options.decoder).map_err(fail)?;
            (Tokenizer::from_file(arena, filename, &decoded), decoded.encoding)
        }
    })
}
