//! `tuple`.
