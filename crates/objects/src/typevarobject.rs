//! TypeVar, ParamSpec, TypeVarTuple, TypeAliasType, Generic.
