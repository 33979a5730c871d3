//! types.SimpleNamespace.
