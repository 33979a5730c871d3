//! Loading extension modules.
