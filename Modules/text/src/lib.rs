//! Native modules around text and sorted sequences: _string, _locale, _bisect, _heapq. One file a module.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod bisect;
pub mod heapq;
pub mod locale;
pub mod string;
