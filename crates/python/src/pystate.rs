//! Thread and interpreter states, the GIL.
