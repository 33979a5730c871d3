//! The format mini-language (PEP 3101) for str, int, float and complex.
