//! Functions under CPython's internal names that the interpreter needs and that others provide, grouped by provider.

#![allow(missing_docs, reason = "CPython's own names; the defining side documents them")]

use core::ffi::{c_char, c_int};
use taipan_abi::*;

unsafe extern "C" {
    // objects: gc, object
    pub fn _PyObject_GC_New(tp: *mut PyTypeObject) -> *mut PyObject;
    pub fn _PyObject_GC_NewVar(tp: *mut PyTypeObject, n: Py_ssize_t) -> *mut PyVarObject;
    pub fn _PyObject_NewVar(tp: *mut PyTypeObject, n: Py_ssize_t) -> *mut PyVarObject;
    pub fn PyUnstable_Type_AssignVersionTag(tp: *mut PyTypeObject) -> c_int;
    // objects: setobject
    pub fn _PySet_Contains(so: *mut PySetObject, key: *mut PyObject) -> c_int;
    // objects: exceptions
    pub fn _PyExc_CreateExceptionGroup(msg: *const c_char, excs: *mut PyObject) -> *mut PyObject;
    // objects: dictobject: tells watchers; the new version tag
    pub fn _PyDict_SendEvent(watcher_bits: c_int, event: c_int, mp: *mut PyDictObject, key: *mut PyObject, value: *mut PyObject);
    // objects: dictobject: versions for LOAD_GLOBAL caches; index of a str key
    pub fn _PyDictKeys_GetVersionForCurrentState(interp: *mut PyInterpreterState, keys: *mut PyDictKeysObject) -> u32;
    pub fn _PyDictKeys_StringLookup(keys: *mut PyDictKeysObject, key: *mut PyObject) -> Py_ssize_t;
    // objects: funcobject
    pub fn _PyFunction_SetVersion(func: *mut PyFunctionObject, version: u32);
    pub fn _PyFunction_ClearCodeByVersion(version: u32);
    // python: traceback
    pub fn _PyTraceBack_FromFrame(tb_next: *mut PyObject, frame: *mut PyFrameObject) -> *mut PyObject;
    // python: suggestions
    pub fn _Py_CalculateSuggestions(dir: *mut PyObject, name: *mut PyObject) -> *mut PyObject;
    // python: import, moduleobject
    pub fn _PyModuleSpec_IsInitializing(spec: *mut PyObject) -> c_int;
    pub fn _PyErr_SetImportErrorWithNameFrom(msg: *mut PyObject, name: *mut PyObject, path: *mut PyObject, from: *mut PyObject) -> *mut PyObject;
    // python: pystate: `builtins.__dict__` of an interpreter, lent
    pub fn PyInterpreterState_GetBuiltins(interp: *mut PyInterpreterState) -> *mut PyObject;
}

/// `_Py_TPFLAGS_MATCH_SELF`: a class pattern with one positional sub-pattern matches the subject itself.
pub const Py_TPFLAGS_MATCH_SELF: core::ffi::c_ulong = 1 << 22;
