//! Sequence and callable iterators.
