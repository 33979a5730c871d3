//! Python functions, classmethod, staticmethod.
