//! Locks and native threads.
