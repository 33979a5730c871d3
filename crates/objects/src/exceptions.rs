//! The exception classes.
