//! Running source text and files.
