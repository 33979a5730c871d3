//! Capsules.
