//! Declarations of what is not written yet.
#![allow(missing_docs, reason = "forward declarations")]
use core::ffi::*; use taipan_abi::*;
pub use taipan_abi::{PyUnicode_DecodeASCII,PyUnicode_DecodeLatin1};
unsafe extern "C" { pub fn _PyUnicode_AsASCIIString(s:*mut PyObject, e:*const c_char)->*mut PyObject; pub fn _PyUnicode_AsLatin1String(s:*mut PyObject, e:*const c_char)->*mut PyObject;}
