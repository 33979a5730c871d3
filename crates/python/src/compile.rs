//! From source text through the compiler crate to code objects.
