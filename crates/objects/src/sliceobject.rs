//! `slice` and Ellipsis.
