//! Intrinsic functions of the instruction set.
