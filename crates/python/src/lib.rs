//! The python crate; see ARCHITECTURE.md.
