//! The native modules `_datetime` and [`_zoneinfo`](zoneinfo). [`calendar`] and [`isoformat`] know nothing of objects; then one file a type.

#![allow(clippy::missing_safety_doc, reason = "entry points share one contract: C API calling convention, GIL held")]

pub mod calendar;
pub mod isoformat;
// The arithmetic's tests link without the runtime.
#[cfg(not(test))]
pub mod date;
#[cfg(not(test))]
pub mod datetime;
#[cfg(not(test))]
pub mod delta;
#[cfg(not(test))]
pub mod format;
#[cfg(not(test))]
pub mod local;
#[cfg(not(test))]
pub mod module;
#[cfg(not(test))]
pub mod support;
#[cfg(not(test))]
pub mod time;
#[cfg(not(test))]
pub mod tzinfo;
pub mod zoneinfo;
