//! The objects crate; see ARCHITECTURE.md.
