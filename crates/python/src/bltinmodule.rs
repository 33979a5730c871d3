//! The `builtins` module.
