//! Declarations of what is not written yet.
