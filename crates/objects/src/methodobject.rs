//! Built-in functions (PyCFunction).
