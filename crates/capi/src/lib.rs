//! The capi crate; see ARCHITECTURE.md.
