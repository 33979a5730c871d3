//! Exact conversions between text and doubles.
