//! Helpers for argument checks that other crates use.
