//! contextvars: Context, ContextVar, Token.
