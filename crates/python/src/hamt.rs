//! The immutable mapping behind contextvars.
