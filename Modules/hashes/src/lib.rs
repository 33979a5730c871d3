//! The hash modules: `_md5`, `_sha1`, `_sha2`, `_sha3`, `_blake2`. One object type serves each module's algorithms; the
//! algorithms are the RustCrypto crates' and blake2_simd's.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

mod blake2;
mod hasher;
mod object;

pub use blake2::PyInit__blake2;
pub use object::{PyInit__md5, PyInit__sha1, PyInit__sha2, PyInit__sha3};
