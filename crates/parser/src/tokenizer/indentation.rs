//! The beginning of a line: INDENT, DEDENT, and tabs that don't fit.

use super::{Done, EOF, Indent, MAXINDENT, Tokenizer};
use crate::token::{Tok, Token};

/// Where tabs stop.
const TABSIZE: u32 = 8;

impl Tokenizer<'_, '_> {
    /// Measure the indentation of a new line. Tells whether the line is blank, or gives the token
    /// of an error. Blocks that begin or end are left in `pendin`.
    pub(super) fn indentation(&mut self) -> Result<bool, Token> {
        let mut here = Indent { col: 0, altcol: 0 };
        // The whitespace before the first backslash counts, not what follows the newline.
        let mut before_continuation = 0;
        self.atbol = false;
        let c = loop {
            let c = self.nextc();
            match u8::try_from(c).unwrap_or(0) {
                b' ' => {
                    here.col += 1;
                    here.altcol += 1;
                }
                b'\t' => {
                    here.col = (here.col / TABSIZE + 1) * TABSIZE;
                    here.altcol += 1;
                }
                0x0c => here = Indent { col: 0, altcol: 0 },
                b'\\' => {
                    if before_continuation == 0 {
                        before_continuation = here.col;
                    }
                    self.continuation_line()?;
                }
                _ => break c,
            }
        };
        self.backup(c);
        let mut blank = false;
        if c != EOF && matches!(c as u8, b'#' | b'\n' | b'\r') {
            if here.col == 0 && c as u8 == b'\n' && self.interactive {
                // An empty line ends an interactive statement.
            } else if self.interactive && self.lineno == 1 {
                here = Indent { col: 0, altcol: 0 };
            } else {
                blank = true;
            }
        }
        if !blank && self.parens.is_empty() {
            if before_continuation != 0 {
                here = Indent { col: before_continuation, altcol: before_continuation };
            }
            self.change_blocks(here)?;
        }
        Ok(blank)
    }

    /// Begin or end the blocks that a line with this indentation begins or ends.
    fn change_blocks(&mut self, here: Indent) -> Result<(), Token> {
        let top = self.indents[self.indents.len() - 1];
        if here.col > top.col {
            if self.indents.len() >= MAXINDENT {
                return Err(self.stop(Done::TooDeep));
            }
            if here.altcol <= top.altcol {
                return Err(self.stop(Done::TabSpace));
            }
            self.pendin += 1;
            self.indents.push(here);
            return Ok(());
        }
        while self.indents.len() > 1 && here.col < self.indents[self.indents.len() - 1].col {
            self.pendin -= 1;
            self.indents.pop();
        }
        let top = self.indents[self.indents.len() - 1];
        if here.col != top.col {
            return Err(self.stop(Done::Dedent));
        }
        if here.altcol != top.altcol {
            return Err(self.stop(Done::TabSpace));
        }
        Ok(())
    }

    /// The INDENT or DEDENT that is due.
    pub(super) fn pending_block_token(&mut self) -> Token {
        let (kind, start) = if self.pendin < 0 {
            self.pendin += 1;
            (Tok::DEDENT, self.cur)
        } else {
            self.pendin -= 1;
            (Tok::INDENT, self.buf_start)
        };
        if self.extra_tokens { self.token(kind, start, self.cur) } else { self.empty(kind) }
    }
}
