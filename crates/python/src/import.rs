//! The import machinery below importlib.
