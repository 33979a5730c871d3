//! The marshal format.
