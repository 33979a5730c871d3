//! The native modules of message digests: _md5, _sha1, _sha2, _sha3 and _blake2.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod blake2;
// BLAKE2's tests link without the runtime.
#[cfg(not(test))]
pub mod blake2module;
#[cfg(not(test))]
pub mod digest;
#[cfg(not(test))]
pub mod hashobject;
#[cfg(not(test))]
pub mod sha3module;
