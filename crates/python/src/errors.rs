//! Raising, fetching, chaining and reporting exceptions.
