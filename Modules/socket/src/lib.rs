//! The native module `_socket`: socket objects, addresses, names of hosts and services.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

pub mod address;
pub mod call;
pub mod constants;
pub mod message;
pub mod module;
pub mod netdb;
pub mod sock;
