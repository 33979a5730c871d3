//! Tokenizer, parser and abstract syntax tree of Python 3.13.
//!
//! This crate knows no Python object and no other crate of the project: it
//! turns bytes into arena-allocated trees or into plain-data errors.

mod actions;
pub mod ast;
mod core;
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
pub use source::{Line, LineReader, Source};
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
pub fn parse<'a>(
    arena: &'a Bump,
    source: Source<'_>,
    mode: Mode,
    options: &Options<'_>,
) -> Result<Parsed<'a>, Failure> {
    let filename: &'a str = arena.alloc_str(options.filename);
    let exec = mode == Mode::Exec;
    let fail = |error| Failure { error, warnings: Vec::new() };
    let (tok, encoding) = match source {
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
            let decoded = source::decode(arena, text, exec, options.decoder).map_err(fail)?;
            (Tokenizer::from_buffer(arena, filename, decoded.buf, decoded.raw), decoded.encoding)
        }
        Source::File(text) => {
            let decoded = source::decode(arena, text, true, options.decoder).map_err(fail)?;
            (Tokenizer::from_file(arena, filename, decoded.buf, decoded.raw), decoded.encoding)
        }
    };
    let mut parser = parser::Parser::new(arena, mode, options, tok);
    match parser.parse() {
        Ok(module) => {
            Ok(Parsed { module, warnings: parser.core.take_warnings(), encoding })
        }
        Err(parser::Fail) => {
            let token = parser.core.tokens[parser.core.tokens.len() - 1];
            let error = parser.core.tok.error.take().unwrap_or_else(|| parser.core.error_in_range(token.range(), "invalid syntax"));
            Err(Failure { error, warnings: parser.core.take_warnings() })
        }
    }
}
