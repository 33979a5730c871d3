//! types.GenericAlias.
