//! The clinic crate; see ARCHITECTURE.md.
