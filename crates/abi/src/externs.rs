//! CPython functions and data that `pyo3-ffi` does not declare and that one layer of Taipan needs of another. Each is
//! defined with C linkage by the crate named in its section, as in CPython's internal headers.

#![allow(missing_docs, reason = "CPython's own names; the defining side documents them")]

use crate::*;
use core::ffi::{c_char, c_int, c_void};

unsafe extern "C" {
    // objects: object.rs, typeobject, descrobject
    pub static mut _PyNone_Type: PyTypeObject;
    pub static mut _PyNotImplemented_Type: PyTypeObject;
    pub static mut _PyNamespace_Type: PyTypeObject;
    pub static mut _PyWeakref_ProxyType: PyTypeObject;
    pub static mut _PyWeakref_CallableProxyType: PyTypeObject;
    pub static mut PyMethod_Type: PyTypeObject;
    pub fn _PyType_Lookup(tp: *mut PyTypeObject, name: *mut PyObject) -> *mut PyObject;
    pub fn _PyType_LookupRef(tp: *mut PyTypeObject, name: *mut PyObject) -> *mut PyObject;
    pub fn _PyObject_LookupSpecial(op: *mut PyObject, name: *mut PyObject) -> *mut PyObject;
    pub fn _PyObject_GetMethod(op: *mut PyObject, name: *mut PyObject, method: *mut *mut PyObject) -> c_int;
    pub fn _PyObject_GetDictPtr(op: *mut PyObject) -> *mut *mut PyObject;
    pub fn _PyObject_GenericGetAttrWithDict(op: *mut PyObject, name: *mut PyObject, dict: *mut PyObject, suppress: c_int) -> *mut PyObject;
    pub fn _PyObject_GenericSetAttrWithDict(op: *mut PyObject, name: *mut PyObject, value: *mut PyObject, dict: *mut PyObject) -> c_int;
    pub fn _PyObject_MakeTpCall(tstate: *mut PyThreadState, callable: *mut PyObject, args: *const *mut PyObject, nargs: Py_ssize_t, keywords: *mut PyObject) -> *mut PyObject;
    pub fn _Py_CheckFunctionResult(tstate: *mut PyThreadState, callable: *mut PyObject, result: *mut PyObject, where_: *const c_char) -> *mut PyObject;
    pub fn _PyObject_FunctionStr(op: *mut PyObject) -> *mut PyObject;
    pub fn PyMethod_New(func: *mut PyObject, self_: *mut PyObject) -> *mut PyObject;
    pub fn _PyNamespace_New(dict: *mut PyObject) -> *mut PyObject;
    pub fn _PySuper_Lookup(tp: *mut PyTypeObject, obj: *mut PyObject, name: *mut PyObject, method: *mut c_int) -> *mut PyObject;
    pub fn _PyObject_RealIsInstance(inst: *mut PyObject, cls: *mut PyObject) -> c_int;
    pub fn _PyObject_RealIsSubclass(derived: *mut PyObject, cls: *mut PyObject) -> c_int;
    pub fn _PySequence_IterSearch(seq: *mut PyObject, obj: *mut PyObject, operation: c_int) -> Py_ssize_t;
    pub fn _PyMemoryView_FromBufferProc(v: *mut PyObject, flags: c_int, bufferproc: getbufferproc) -> *mut PyObject;
    pub fn _PyImport_ResolveNameWithPackageContext(name: *const c_char) -> *const c_char;
    pub fn _PyImport_ImportlibModuleRepr(interp: *mut PyInterpreterState, module: *mut PyObject) -> *mut PyObject;
    pub fn _PyObject_SetManagedDict(op: *mut PyObject, new_dict: *mut PyObject) -> c_int;
    pub fn _PyDict_DetachFromObject(dict: *mut PyDictObject, op: *mut PyObject) -> c_int;
    pub fn _PyObject_IsInstanceDictEmpty(op: *mut PyObject) -> c_int;
    pub fn _Py_union_type_or(left: *mut PyObject, right: *mut PyObject) -> *mut PyObject;
    // objects: dict, set
    pub fn _PyDict_GetItem_KnownHash(dict: *mut PyObject, key: *mut PyObject, hash: Py_hash_t) -> *mut PyObject;
    pub fn _PyDict_SetItem_KnownHash(dict: *mut PyObject, key: *mut PyObject, value: *mut PyObject, hash: Py_hash_t) -> c_int;
    pub fn _PyDict_LoadGlobal(globals: *mut PyDictObject, builtins: *mut PyDictObject, key: *mut PyObject) -> *mut PyObject;
    pub fn _PyDict_MergeEx(a: *mut PyObject, b: *mut PyObject, override_: c_int) -> c_int;
    pub fn _PyDict_NewPresized(minused: Py_ssize_t) -> *mut PyObject;
    pub fn _PyDict_FromItems(keys: *const *mut PyObject, keys_offset: Py_ssize_t, values: *const *mut PyObject, values_offset: Py_ssize_t, length: Py_ssize_t) -> *mut PyObject;
    pub fn _PyDict_Pop(dict: *mut PyObject, key: *mut PyObject, default_: *mut PyObject) -> *mut PyObject;
    pub fn _PyObject_InitInlineValues(op: *mut PyObject, tp: *mut PyTypeObject);
    pub fn _PyObject_MaterializeManagedDict(op: *mut PyObject) -> *mut PyDictObject;
    pub fn _PyObject_StoreInstanceAttribute(op: *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int;
    pub fn _PyObject_TryGetInstanceAttribute(op: *mut PyObject, name: *mut PyObject, attr: *mut *mut PyObject) -> bool;
    pub fn _PyObject_ClearManagedDict(op: *mut PyObject);
    pub fn _PyObject_VisitManagedDict(op: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int;
    pub fn _PyDict_NewKeysForClass(tp: *mut PyHeapTypeObject) -> *mut PyDictKeysObject;
    pub fn _PyDictKeys_DecRef(keys: *mut PyDictKeysObject);
    pub fn _PySet_NextEntry(set: *mut PyObject, pos: *mut Py_ssize_t, key: *mut *mut PyObject, hash: *mut Py_hash_t) -> c_int;
    pub fn _PySet_Update(set: *mut PyObject, iterable: *mut PyObject) -> c_int;
    // objects: unicode, bytes
    pub fn _PyUnicode_JoinArray(separator: *mut PyObject, items: *const *mut PyObject, seqlen: Py_ssize_t) -> *mut PyObject;
    pub fn _PyUnicode_EQ(a: *mut PyObject, b: *mut PyObject) -> c_int;
    pub fn _PyUnicode_Equal(a: *mut PyObject, b: *mut PyObject) -> c_int;
    pub fn _PyUnicode_EqualToASCIIString(a: *mut PyObject, b: *const c_char) -> c_int;
    pub fn _PyBytes_Resize(bytes: *mut *mut PyObject, newsize: Py_ssize_t) -> c_int;
    pub fn _PyBytes_Repeat(dest: *mut c_char, len_dest: Py_ssize_t, src: *const c_char, len_src: Py_ssize_t);
    // objects: numbers
    pub fn PyLong_AsInt(v: *mut PyObject) -> c_int;
    pub fn _PyLong_Add(a: *mut PyLongObject, b: *mut PyLongObject) -> *mut PyObject;
    pub fn _PyLong_Subtract(a: *mut PyLongObject, b: *mut PyLongObject) -> *mut PyObject;
    pub fn _PyLong_Multiply(a: *mut PyLongObject, b: *mut PyLongObject) -> *mut PyObject;
    pub fn _PyLong_FromByteArray(bytes: *const u8, n: usize, little_endian: c_int, is_signed: c_int) -> *mut PyObject;
    pub fn _PyLong_AsByteArray(v: *mut PyLongObject, bytes: *mut u8, n: usize, little_endian: c_int, is_signed: c_int, with_exceptions: c_int) -> c_int;
    pub fn _PyLong_FormatWriter(writer: *mut _PyUnicodeWriter, obj: *mut PyObject, base: c_int, alternate: c_int) -> c_int;
    pub fn _PyLong_Format(obj: *mut PyObject, base: c_int) -> *mut PyObject;
    pub fn _Py_HashDouble(inst: *mut PyObject, v: f64) -> Py_hash_t;
    pub fn _Py_HashPointer(p: *const c_void) -> Py_hash_t;
    pub fn _Py_HashBytes(p: *const c_void, len: Py_ssize_t) -> Py_hash_t;
    // objects: unicode's writer and number formatting; abstract
    pub fn _PyUnicodeWriter_Init(writer: *mut _PyUnicodeWriter);
    pub fn _PyUnicodeWriter_WriteStr(writer: *mut _PyUnicodeWriter, s: *mut PyObject) -> c_int;
    pub fn _PyUnicodeWriter_WriteASCIIString(writer: *mut _PyUnicodeWriter, s: *const c_char, len: Py_ssize_t) -> c_int;
    pub fn _PyUnicodeWriter_Finish(writer: *mut _PyUnicodeWriter) -> *mut PyObject;
    pub fn _PyUnicodeWriter_Dealloc(writer: *mut _PyUnicodeWriter);
    pub fn _PyLong_FormatAdvancedWriter(writer: *mut _PyUnicodeWriter, op: *mut PyObject, spec: *mut PyObject, start: Py_ssize_t, end: Py_ssize_t) -> c_int;
    pub fn _PyFloat_FormatAdvancedWriter(writer: *mut _PyUnicodeWriter, op: *mut PyObject, spec: *mut PyObject, start: Py_ssize_t, end: Py_ssize_t) -> c_int;
    pub fn _PyComplex_FormatAdvancedWriter(writer: *mut _PyUnicodeWriter, op: *mut PyObject, spec: *mut PyObject, start: Py_ssize_t, end: Py_ssize_t) -> c_int;
    pub fn _PyUnicode_TransformDecimalAndSpaceToASCII(s: *mut PyObject) -> *mut PyObject;
    // objects: list, tuple, weakref, generators' helpers
    pub fn _PyList_Extend(list: *mut PyListObject, iterable: *mut PyObject) -> *mut PyObject;
    pub fn _PyList_FromArraySteal(src: *const *mut PyObject, n: Py_ssize_t) -> *mut PyObject;
    pub fn _PyTuple_FromArray(src: *const *mut PyObject, n: Py_ssize_t) -> *mut PyObject;
    pub fn _PyTuple_FromArraySteal(src: *const *mut PyObject, n: Py_ssize_t) -> *mut PyObject;
    pub fn _PyWeakref_ClearRef(self_: *mut PyWeakReference);
    // objects: exceptions; python: errors
    pub fn _PyErr_SetKeyError(key: *mut PyObject);
    pub fn _PyErr_ChainExceptions1(exc: *mut PyObject);
    pub fn _PyErr_FormatFromCause(exc: *mut PyObject, format: *const c_char, ...) -> *mut PyObject;
    pub fn PyErr_FormatUnraisable(format: *const c_char, ...);
    pub fn _PyErr_BadInternalCall(file: *const c_char, line: c_int);
    pub fn _PyErr_StackItemToExcInfoTuple(err_info: *mut _PyErr_StackItem) -> *mut PyObject;
    // python: pystate, ceval
    pub fn PySys_Audit(event: *const c_char, format: *const c_char, ...) -> c_int;
    pub fn _Py_HandlePending(tstate: *mut PyThreadState) -> c_int;
    pub fn _PyEval_BuiltinsFromGlobals(tstate: *mut PyThreadState, globals: *mut PyObject) -> *mut PyObject;
    pub fn _PyEval_GetBuiltin(name: *mut PyObject) -> *mut PyObject;
    pub fn _PyFunction_Vectorcall(func: *mut PyObject, stack: *const *mut PyObject, nargsf: usize, kwnames: *mut PyObject) -> *mut PyObject;
    pub fn _PyArg_NoKeywords(name: *const c_char, kw: *mut PyObject) -> c_int;
    pub fn _PyArg_NoPositional(name: *const c_char, args: *mut PyObject) -> c_int;
    pub fn _PyArg_CheckPositional(name: *const c_char, nargs: Py_ssize_t, min: Py_ssize_t, max: Py_ssize_t) -> c_int;
    pub fn _PyArg_BadArgument(fname: *const c_char, displayname: *const c_char, expected: *const c_char, arg: *mut PyObject);
    pub fn _PyImport_GetModuleAttrString(modname: *const c_char, attrname: *const c_char) -> *mut PyObject;
    pub fn _PyImport_GetModuleAttr(modname: *mut PyObject, attrname: *mut PyObject) -> *mut PyObject;
    pub fn _PyWarnings_WarnUnawaitedCoroutine(coro: *mut PyObject);
    pub fn _Py_EnterRecursiveCall(where_: *const c_char) -> c_int;
}


thread_local! {
    static TSTATE: core::cell::Cell<*mut PyThreadState> = const { core::cell::Cell::new(core::ptr::null_mut()) };
}

/// The thread state attached to the running thread, NULL when it does not hold the GIL (`_PyThreadState_GET`).
#[inline(always)]
pub fn current_tstate() -> *mut PyThreadState {
    TSTATE.with(|t| t.get())
}

/// Attaches `tstate` to the running thread; for `crates/python`'s pystate only.
#[inline]
pub fn set_current_tstate(tstate: *mut PyThreadState) {
    TSTATE.with(|t| t.set(tstate));
}

/// `intern!("__name__")`: the immortal interned string, made on first use; a `*mut PyObject` lent for ever.
#[macro_export]
macro_rules! intern {
    ($text:literal) => {{
        static CELL: ::core::sync::atomic::AtomicPtr<$crate::PyObject> = ::core::sync::atomic::AtomicPtr::new(::core::ptr::null_mut());
        $crate::externs::interned(&CELL, ::core::concat!($text, "\0"))
    }};
}

/// What [`intern!`] calls: the string cached in `cell`, made from NUL-terminated `text` the first time.
#[inline(always)]
pub fn interned(cell: &core::sync::atomic::AtomicPtr<PyObject>, text: &'static str) -> *mut PyObject {
    let p = cell.load(core::sync::atomic::Ordering::Relaxed);
    if !p.is_null() {
        return p;
    }
    intern_slow(cell, text)
}

#[cold]
#[inline(never)]
fn intern_slow(cell: &core::sync::atomic::AtomicPtr<PyObject>, text: &'static str) -> *mut PyObject {
    // SAFETY: [GIL] text is NUL-terminated by the macro.
    let mut p = unsafe { PyUnicode_InternFromString(text.as_ptr().cast()) };
    if p.is_null() {
        // An allocator that a test hook starves must not end the process over a name of our own.
        // SAFETY: [GIL] the allocators come back at once; what ours made, ours frees.
        unsafe {
            PyErr_Clear();
            let mut old = [core::mem::MaybeUninit::<PyMemAllocatorEx>::uninit(); 3];
            let domains = [PyMemAllocatorDomain::PYMEM_DOMAIN_RAW, PyMemAllocatorDomain::PYMEM_DOMAIN_MEM, PyMemAllocatorDomain::PYMEM_DOMAIN_OBJ];
            for (domain, old) in domains.into_iter().zip(&mut old) {
                _PyMem_SetDefaultAllocator(domain, old.as_mut_ptr());
            }
            p = PyUnicode_InternFromString(text.as_ptr().cast());
            for (domain, old) in domains.into_iter().zip(&mut old) {
                PyMem_SetAllocator(domain, old.as_mut_ptr());
            }
        }
    }
    if p.is_null() {
        fatal("out of memory while interning an identifier");
    }
    // SAFETY: p is live; the reference is kept for ever.
    unsafe { set_immortal(p) };
    cell.store(p, core::sync::atomic::Ordering::Relaxed);
    p
}

/// `Py_FatalError` from Rust: prints the report and aborts.
pub fn fatal(msg: &str) -> ! {
    let text = std::ffi::CString::new(msg).unwrap_or_default();
    // SAFETY: NUL-terminated.
    unsafe { Py_FatalError(text.as_ptr()) }
}

/// `Py_EnterRecursiveCall` guard: counts one level of native recursion for as long as it lives.
pub struct RecursionGuard(*mut PyThreadState);

impl RecursionGuard {
    /// Enters a level; `context` continues the message "maximum recursion depth exceeded" (for example `c" while calling"`).
    /// Raises RecursionError when the native stack would get too deep.
    #[inline]
    pub fn enter(context: &'static core::ffi::CStr) -> PyResult<Self> {
        let ts = current_tstate();
        // SAFETY: [GIL] the thread state is attached.
        unsafe {
            (*ts).c_recursion_remaining -= 1;
            if (*ts).c_recursion_remaining < 0 && _Py_CheckRecursiveCall(ts, context.as_ptr()) != 0 {
                (*ts).c_recursion_remaining += 1;
                return Err(Raised::assume());
            }
        }
        Ok(RecursionGuard(ts))
    }
}
impl Drop for RecursionGuard {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: [GIL]
        unsafe { (*self.0).c_recursion_remaining += 1 }
    }
}
unsafe extern "C" {
    fn _PyMem_SetDefaultAllocator(domain: PyMemAllocatorDomain, old: *mut PyMemAllocatorEx) -> c_int;
    /// Raises RecursionError (non-zero) or lets the call pass; called once the remaining depth is negative (python: ceval).
    pub fn _Py_CheckRecursiveCall(tstate: *mut PyThreadState, where_: *const c_char) -> c_int;
}
