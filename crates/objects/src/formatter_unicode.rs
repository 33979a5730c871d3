//! Declarations of what is not written yet.
#![allow(missing_docs, reason = "forward declarations")]
use taipan_abi::*;
unsafe extern "C" {
pub fn _PyUnicode_FormatAdvancedWriter(w:*mut _PyUnicodeWriter, o:*mut PyObject, s:*mut PyObject, a:isize,b:isize)->i32;
pub fn _PyLong_FormatAdvancedWriter(w:*mut _PyUnicodeWriter, o:*mut PyObject, s:*mut PyObject, a:isize,b:isize)->i32;
pub fn _PyFloat_FormatAdvancedWriter(w:*mut _PyUnicodeWriter, o:*mut PyObject, s:*mut PyObject, a:isize,b:isize)->i32;
pub fn _PyComplex_FormatAdvancedWriter(w:*mut _PyUnicodeWriter, o:*mut PyObject, s:*mut PyObject, a:isize,b:isize)->i32;
}
