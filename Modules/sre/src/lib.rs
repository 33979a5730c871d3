//! The `_sre` module: compiled regular expressions.
//!
//! [`engine`] matches characters and knows nothing of objects; the other files give it Python's types.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]
#![allow(deprecated, reason = "_Py_T_OBJECT is what these attributes are: NULL reads as None")]

pub mod engine;
// The engine's tests link without the runtime.
#[cfg(not(test))]
pub mod matchobject;
#[cfg(not(test))]
pub mod module;
#[cfg(not(test))]
pub mod pattern;
#[cfg(not(test))]
pub mod scanner;
#[cfg(not(test))]
pub mod subject;
#[cfg(not(test))]
pub mod template;
