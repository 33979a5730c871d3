//! enumerate and reversed.
