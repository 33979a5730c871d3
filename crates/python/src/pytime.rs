//! Clocks and time conversions.
