//! Declarations of what is not written yet.
#![allow(missing_docs, reason = "forward declarations")]
use core::ffi::*; use taipan_abi::*;
pub use taipan_abi::{PyUnicode_DecodeUTF16,PyUnicode_DecodeUTF32};
unsafe extern "C" { pub fn _PyUnicode_EncodeUTF16(s:*mut PyObject, e:*const c_char, b:c_int)->*mut PyObject; pub fn _PyUnicode_EncodeUTF32(s:*mut PyObject, e:*const c_char, b:c_int)->*mut PyObject;}
