//! The matching engine, free of Python objects.
//!
//! `re`'s compiler emits code words; [`lower`] checks them once and turns them into a [`program::Program`] of fixed-size
//! instructions. [`matcher`] runs it by backtracking, generic over the width of a character, with all its choice points
//! on a heap-allocated stack. [`search`] finds where a match may begin at all.

pub mod charset;
pub mod first;
pub mod lower;
pub mod matcher;
pub mod opcode;
pub mod program;
pub mod search;
pub mod unicode;
pub mod units;

#[cfg(test)]
mod tests;
