//! Bound methods and instance methods.
