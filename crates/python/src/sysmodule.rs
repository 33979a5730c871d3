//! The `sys` module.
