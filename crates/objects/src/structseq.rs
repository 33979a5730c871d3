//! Struct sequences.
