//! Tokenizer, parser and abstract syntax tree of Python 3.13.
//!
//! This crate knows no Python object and no other crate of the project: it
//! turns bytes into arena-allocated trees or into plain-data errors.

pub mod ast;
