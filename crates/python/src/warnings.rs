//! The `_warnings` module.
