//! `complex`.
