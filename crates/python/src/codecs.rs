//! The codec registry and error handlers.
