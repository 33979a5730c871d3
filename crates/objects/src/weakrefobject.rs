//! Weak references and proxies.
