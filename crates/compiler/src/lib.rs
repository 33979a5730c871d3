//! The compiler crate; see ARCHITECTURE.md.
