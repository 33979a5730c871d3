//! The parser crate; see ARCHITECTURE.md.
