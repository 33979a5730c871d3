//! The native modules of numbers: math, cmath, _random and _statistics.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod cmath;
pub mod integers;
pub mod libm;
pub mod math;
pub mod random;
pub mod special;
pub mod statistics;
pub mod support;
