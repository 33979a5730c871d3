//! types.UnionType.
