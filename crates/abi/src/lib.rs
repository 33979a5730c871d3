//! The abi crate; see ARCHITECTURE.md.
