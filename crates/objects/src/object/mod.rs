//! The operations that every object has: counting, finalising, `repr`, comparison, hashing, truth, `dir`.
//!
//! Attribute access lives in [`attr`], the singletons in [`singletons`], the list of built-in types in [`init`].

use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

pub mod attr;
pub mod init;
pub mod singletons;

pub use attr::{
    _PyObject_ComputedDictPointer, _PyObject_GenericGetAttrWithDict, _PyObject_GenericSetAttrWithDict,
    _PyObject_GetManagedDict, _PyObject_LookupSpecial, _PyObject_SetAttributeErrorContext, PyObject_GenericGetAttr,
    PyObject_GenericSetAttr, PyObject_GetOptionalAttr, lookup_maybe_method,
};
pub use init::{STATIC_TYPES, init_static_type, init_types};
pub use singletons::{_PyNone_Type, _PyNotImplemented_Type};

/// `err_format!(PyExc_TypeError, c"format %R", x)`: `PyErr_Format` whose result is the [`Raised`] to return.
macro_rules! err_format {
    ($exc:ident, $fmt:expr $(, $arg:expr)* $(,)?) => {{
        #[allow(unused_unsafe, reason = "usable inside and outside unsafe blocks")]
        // SAFETY: [GIL] the arguments match the format.
        unsafe {
            PyErr_Format(taipan_abi::$exc, $fmt.as_ptr() $(, $arg)*);
            Raised::assume()
        }
    }};
}
pub(crate) use err_format;

/// Takes over the result of a C function that returns NULL with an exception.
///
/// # Safety
/// As [`Owned::from_owned_or_err`].
#[inline(always)]
pub(crate) unsafe fn own(p: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [OWN] by contract.
    unsafe { Owned::from_owned_or_err(p) }
}

/// The [`Raised`] of an exception that a callee has set.
#[inline(always)]
pub(crate) fn raised() -> Raised {
    // SAFETY: [EXC] the caller saw the callee's error value.
    unsafe { Raised::assume() }
}

/// The address of a function pointer, for comparing slots.
#[inline(always)]
pub(crate) fn fn_addr<F: Copy>(f: Option<F>) -> usize {
    const { assert!(size_of::<Option<F>>() == size_of::<usize>()) };
    // SAFETY: function pointers are one word; None is NULL.
    unsafe { core::mem::transmute_copy(&f) }
}

/// `&raw mut` of a static as an object pointer.
macro_rules! ob {
    ($e:expr) => {
        (&raw mut $e).cast::<taipan_abi::PyObject>()
    };
}
pub(crate) use ob;

/// `PyObject_GetOptionalAttr` with an ownership type.
///
/// # Safety
/// Both are live.
pub(crate) unsafe fn optional_attr(op: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let mut res = null_mut();
        if PyObject_GetOptionalAttr(op, name, &mut res) < 0 {
            return Err(raised());
        }
        Ok(Owned::from_owned_or_opt(res))
    }
}

/// `dict[key]` or `None` when it isn't there.
///
/// # Safety
/// `dict` is a dict; both are live.
pub(crate) unsafe fn dict_get(dict: *mut PyObject, key: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let p = PyDict_GetItemWithError(dict, key);
        if p.is_null() && err_occurred() {
            return Err(raised());
        }
        Ok(Owned::from_borrowed_or_opt(p))
    }
}

/// Whether `key` is in `dict`.
///
/// # Safety
/// `dict` is a dict; both are live.
pub(crate) unsafe fn dict_has(dict: *mut PyObject, key: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    match unsafe { PyDict_Contains(dict, key) } {
        r if r < 0 => Err(raised()),
        r => Ok(r != 0),
    }
}

/// `dict[key] = value`.
///
/// # Safety
/// `dict` is a dict; all are live.
pub(crate) unsafe fn dict_set(dict: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    check_status(unsafe { PyDict_SetItem(dict, key, value) })
}

/// Allocates an instance of a type with cycle collection, not yet tracked; its fields are uninitialised.
///
/// # Safety
/// `tp` is a ready GC type whose instances are `T`.
#[inline]
pub(crate) unsafe fn gc_new<T>(tp: *mut PyTypeObject) -> PyResult<*mut T> {
    // SAFETY: [ARGS]
    let p = unsafe { crate::gc::gc_new::<T>(tp) };
    if p.is_null() { Err(raised()) } else { Ok(p) }
}

/// Starts collection of a fully initialised object and hands its reference over.
///
/// # Safety
/// `op` came from [`gc_new`] and is initialised.
#[inline]
pub(crate) unsafe fn gc_track<T>(op: *mut T) -> Owned {
    // SAFETY: [ARGS]
    unsafe {
        crate::gc::gc_track(op.cast());
        Owned::from_owned(op.cast())
    }
}

/// The text of a str for an error message; lone surrogates become replacement characters.
///
/// # Safety
/// `op` is live.
pub(crate) unsafe fn text_of(op: *mut PyObject) -> String {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(op) == 0 {
            return "?".into();
        }
        let mut size = 0;
        let p = PyUnicode_AsUTF8AndSize(op, &mut size);
        if p.is_null() {
            PyErr_Clear();
            return "?".into();
        }
        String::from_utf8_lossy(core::slice::from_raw_parts(p.cast(), size as usize)).into_owned()
    }
}

/// A C string for an error message.
///
/// # Safety
/// `p` is NUL-terminated.
pub(crate) unsafe fn c_text<'a>(p: *const c_char) -> std::borrow::Cow<'a, str> {
    // SAFETY: [ARGS]
    unsafe { core::ffi::CStr::from_ptr(p).to_string_lossy() }
}

// ---- reference counts ----------------------------------------------------------------------------------------------

/// Counts a reference; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_IncRef(o: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { Py_XINCREF(o) }
}

/// Releases a reference; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_DecRef(o: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { Py_XDECREF(o) }
}

/// Counts a reference (stable ABI).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_IncRef(o: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { Py_INCREF(o) }
}

/// Releases a reference (stable ABI).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_DecRef(o: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { Py_DECREF(o) }
}

/// Runs the deallocator of an object whose last reference is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Dealloc(op: *mut PyObject) {
    // SAFETY: [ARGS] a ready type has a deallocator.
    unsafe {
        if references_are_traced() {
            trace_reference(op, 1);
        }
        let dealloc = (*(*op).ob_type).tp_dealloc;
        debug_assert!(dealloc.is_some());
        dealloc.unwrap_unchecked()(op)
    }
}

/// Sets the count of a new object to one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_NewReference(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { taipan_abi::_Py_NewReference(op) }
}

/// As `_Py_NewReference`; release builds keep no total.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_NewReferenceNoTotal(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { _Py_NewReference(op) }
}

/// Tells debug builds that a finaliser revived the object; nothing to do here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ResurrectReference(_op: *mut PyObject) {}

/// Sets a reference count, unless the object is immortal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_SetRefcnt(op: *mut PyObject, refcnt: Py_ssize_t) {
    // SAFETY: [ARGS]
    unsafe {
        if !is_immortal(op) {
            (*op).ob_refcnt.ob_refcnt = refcnt;
        }
    }
}

/// Installs the reference tracer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRefTracer_SetTracer(tracer: Option<PyRefTracer>, data: *mut c_void) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        REF_TRACER = tracer;
        REF_TRACER_DATA = data;
    }
    0
}

/// The reference tracer and its data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRefTracer_GetTracer(data: *mut *mut c_void) -> Option<PyRefTracer> {
    // SAFETY: [GIL] [ARGS]
    unsafe {
        if !data.is_null() {
            *data = REF_TRACER_DATA;
        }
        REF_TRACER
    }
}

/// A counted reference to the same object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_NewRef(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Py_INCREF(op) };
    op
}

/// As `Py_NewRef`, NULL allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_XNewRef(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Py_XINCREF(op) };
    op
}

/// Identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_Is(x: *mut PyObject, y: *mut PyObject) -> c_int {
    (x == y) as c_int
}

/// Whether it is None.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_IsNone(x: *mut PyObject) -> c_int {
    // SAFETY: address of a static.
    (x == unsafe { Py_None() }) as c_int
}

/// Whether it is True.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_IsTrue(x: *mut PyObject) -> c_int {
    // SAFETY: address of a static.
    (x == unsafe { Py_True() }) as c_int
}

/// Whether it is False.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_IsFalse(x: *mut PyObject) -> c_int {
    // SAFETY: address of a static.
    (x == unsafe { Py_False() }) as c_int
}

// ---- creation ------------------------------------------------------------------------------------------------------

/// Bytes of an instance of `tp` with `nitems` items, a multiple of the word size.
///
/// # Safety
/// `tp` is live.
#[inline(always)]
pub unsafe fn _PyObject_VAR_SIZE(tp: *mut PyTypeObject, nitems: Py_ssize_t) -> usize {
    // SAFETY: [ARGS]
    let size = unsafe { (*tp).tp_basicsize.wrapping_add(nitems.wrapping_mul((*tp).tp_itemsize)) };
    (size as usize).wrapping_add(7) & !7
}

/// Initialises the header of fresh memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Init(op: *mut PyObject, tp: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() {
            return PyErr_NoMemory();
        }
        taipan_abi::_PyObject_Init(op, tp);
        op
    }
}

/// Initialises the header of a fresh var-sized object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_InitVar(op: *mut PyVarObject, tp: *mut PyTypeObject, size: Py_ssize_t) -> *mut PyVarObject {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() {
            return PyErr_NoMemory().cast();
        }
        (*op).ob_size = size;
        taipan_abi::_PyObject_Init(op.cast(), tp);
        op
    }
}

/// Allocates an instance of a type without cycle collection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_New(tp: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyObject_Init(PyObject_Malloc((*tp).tp_basicsize as usize).cast(), tp) }
}

/// Allocates a var-sized instance of a type without cycle collection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_NewVar(tp: *mut PyTypeObject, nitems: Py_ssize_t) -> *mut PyVarObject {
    // SAFETY: [ARGS]
    unsafe { PyObject_InitVar(PyObject_Malloc(_PyObject_VAR_SIZE(tp, nitems)).cast(), tp, nitems) }
}

// ---- finalisers (PEP 442) ------------------------------------------------------------------------------------------

/// Calls `tp_finalize`, at most once in the life of an object with cycle collection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_CallFinalizer(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        let Some(finalize) = (*tp).tp_finalize else { return };
        let gc = (*tp).tp_flags & Py_TPFLAGS_HAVE_GC != 0;
        if gc && crate::gc::is_finalized(op) {
            return;
        }
        finalize(op);
        if gc {
            crate::gc::set_finalized(op, true);
        }
    }
}

/// Calls the finaliser of an object that is being deallocated; -1 means that it has come back to life.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_CallFinalizerFromDealloc(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] the count is zero; it is one while the finaliser runs.
    unsafe {
        if (*op).ob_refcnt.ob_refcnt != 0 {
            fatal("PyObject_CallFinalizerFromDealloc called on object with a non-zero refcount");
        }
        (*op).ob_refcnt.ob_refcnt = 1;
        PyObject_CallFinalizer(op);
        if is_immortal(op) {
            return -1;
        }
        (*op).ob_refcnt.ob_refcnt -= 1;
        if (*op).ob_refcnt.ob_refcnt == 0 { 0 } else { -1 }
    }
}

// ---- text ----------------------------------------------------------------------------------------------------------

/// Runs `slot` on `op` and checks that it made a str.
unsafe fn text_by_slot(op: *mut PyObject, slot: reprfunc, what: &str, context: &'static core::ffi::CStr) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let res = {
            let _level = RecursionGuard::enter(context)?;
            own(slot(op))?
        };
        if PyUnicode_Check(res.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "{} returned non-string (type {})", what, type_name(res.as_ptr()));
        }
        Ok(res)
    }
}

unsafe fn object_repr(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        check_status(PyErr_CheckSignals())?;
        if op.is_null() {
            return own(PyUnicode_FromString(c"<NULL>".as_ptr()));
        }
        match (*(*op).ob_type).tp_repr {
            Some(repr) => text_by_slot(op, repr, "__repr__", c" while getting the repr of an object"),
            None => own(PyUnicode_FromFormat(c"<%s object at %p>".as_ptr(), (*(*op).ob_type).tp_name, op)),
        }
    }
}

/// `repr(op)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { object_repr(op).into_c() }
}

/// `str(op)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Str(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !op.is_null() && PyUnicode_CheckExact(op) != 0 {
            if PyErr_CheckSignals() != 0 {
                return null_mut();
            }
            return Py_NewRef(op);
        }
        if op.is_null() {
            return object_repr(op).into_c();
        }
        match (*(*op).ob_type).tp_str {
            Some(_) if PyErr_CheckSignals() != 0 => null_mut(),
            Some(slot) => text_by_slot(op, slot, "__str__", c" while getting the str of an object").into_c(),
            None => object_repr(op).into_c(),
        }
    }
}

/// `ascii(op)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_ASCII(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            let repr = object_repr(op)?;
            if PyUnicode_IS_ASCII(repr.as_ptr()) != 0 {
                return Ok(repr);
            }
            let bytes = own(PyUnicode_AsEncodedString(repr.as_ptr(), c"ascii".as_ptr(), c"backslashreplace".as_ptr()))?;
            own(PyUnicode_DecodeASCII(PyBytes_AsString(bytes.as_ptr()), PyBytes_Size(bytes.as_ptr()), core::ptr::null()))
        };
        body().into_c()
    }
}

/// `bytes(op)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Bytes(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() {
            return PyBytes_FromString(c"<NULL>".as_ptr());
        }
        if PyBytes_CheckExact(op) != 0 {
            return Py_NewRef(op);
        }
        let method = _PyObject_LookupSpecial(op, intern!("__bytes__"));
        if method.is_null() {
            return if err_occurred() { null_mut() } else { PyBytes_FromObject(op) };
        }
        let method = Owned::from_owned(method);
        let body = || -> PyResult<Owned> {
            let res = own(PyObject_CallNoArgs(method.as_ptr()))?;
            if PyBytes_Check(res.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "__bytes__ returned non-bytes (type {})", type_name(res.as_ptr()));
            }
            Ok(res)
        };
        body().into_c()
    }
}

/// Writes `repr(op)`, or `str(op)` with `Py_PRINT_RAW`, to a C stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Print(op: *mut PyObject, fp: *mut libc::FILE, flags: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyErr_CheckSignals() != 0 {
            return -1;
        }
        libc::clearerr(fp);
        let mut ok = true;
        if op.is_null() {
            libc::fputs(c"<nil>".as_ptr(), fp);
        } else if Py_REFCNT(op) <= 0 {
            libc::fprintf(fp, c"<refcnt %zd at %p>".as_ptr(), Py_REFCNT(op), op);
        } else {
            let text = if flags & Py_PRINT_RAW != 0 { PyObject_Str(op) } else { PyObject_Repr(op) };
            let Some(text) = Owned::from_owned_or_opt(text) else { return -1 };
            let mut size = 0;
            let p = PyUnicode_AsUTF8AndSize(text.as_ptr(), &mut size);
            if p.is_null() {
                return -1;
            }
            ok = libc::fwrite(p.cast(), 1, size as usize, fp) == size as usize;
        }
        if !ok || libc::ferror(fp) != 0 {
            PyErr_SetFromErrno(PyExc_OSError);
            libc::clearerr(fp);
            return -1;
        }
        0
    }
}

/// How a callable appears in messages: `module.qualname()`, without the module when it is `builtins`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_FunctionStr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            let Some(qualname) = optional_attr(op, intern!("__qualname__"))? else {
                return own(PyObject_Str(op));
            };
            if let Some(module) = optional_attr(op, intern!("__module__"))?
                && module.as_ptr() != Py_None()
            {
                let differs = PyObject_RichCompareBool(module.as_ptr(), intern!("builtins"), Py_NE);
                check_status(differs)?;
                if differs != 0 {
                    return own(PyUnicode_FromFormat(c"%S.%S()".as_ptr(), module.as_ptr(), qualname.as_ptr()));
                }
            }
            own(PyUnicode_FromFormat(c"%S()".as_ptr(), qualname.as_ptr()))
        };
        body().into_c()
    }
}

// ---- comparison, hash, truth ---------------------------------------------------------------------------------------

/// The operator that gives the same answer with its operands exchanged.
pub const SWAPPED_OP: [c_int; 6] = [Py_GT, Py_GE, Py_EQ, Py_NE, Py_LT, Py_LE];
const OP_STRINGS: [&str; 6] = ["<", "<=", "==", "!=", ">", ">="];

/// [`SWAPPED_OP`] under its C name.
#[unsafe(no_mangle)]
pub static mut _Py_SwappedOp: [c_int; 6] = SWAPPED_OP;

/// What is left when no type knows better: identity for equality, and no order.
#[inline(never)]
unsafe fn compare_identity(v: *mut PyObject, w: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match op {
            Py_EQ => PyBool_FromLong((v == w) as _),
            Py_NE => PyBool_FromLong((v != w) as _),
            _ => {
                let _ = raise!(
                    PyExc_TypeError,
                    "'{}' not supported between instances of '{:.100}' and '{:.100}'",
                    OP_STRINGS[op as usize % 6],
                    type_name(v),
                    type_name(w)
                );
                null_mut()
            }
        }
    }
}

#[inline(never)]
unsafe fn do_richcompare(v: *mut PyObject, w: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let not_implemented = Py_NotImplemented();
        let (tv, tw) = ((*v).ob_type, (*w).ob_type);
        let swapped = SWAPPED_OP[op as usize % 6];
        let mut reflected_tried = false;
        if tv != tw
            && let Some(f) = (*tw).tp_richcompare
            && PyType_IsSubtype(tw, tv) != 0
        {
            reflected_tried = true;
            let res = f(w, v, swapped);
            if res != not_implemented {
                return res;
            }
        }
        if let Some(f) = (*tv).tp_richcompare {
            let res = f(v, w, op);
            if res != not_implemented {
                return res;
            }
        }
        if !reflected_tried && let Some(f) = (*(*w).ob_type).tp_richcompare {
            let res = f(w, v, swapped);
            if res != not_implemented {
                return res;
            }
        }
        compare_identity(v, w, op)
    }
}

/// `v <op> w` as an object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_RichCompare(v: *mut PyObject, w: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if v.is_null() || w.is_null() {
            if !err_occurred() {
                PyErr_BadInternalCall();
            }
            return null_mut();
        }
        let Ok(_level) = RecursionGuard::enter(c" in comparison") else { return null_mut() };
        // Of one type as a rule, which knows the answer.
        let tp = (*v).ob_type;
        if tp == (*w).ob_type
            && let Some(f) = (*tp).tp_richcompare
        {
            let res = f(v, w, op);
            if res != Py_NotImplemented() {
                return res;
            }
            let res = f(w, v, SWAPPED_OP[op as usize % 6]);
            if res != Py_NotImplemented() {
                return res;
            }
            return compare_identity(v, w, op);
        }
        do_richcompare(v, w, op)
    }
}

/// `v <op> w` as 1 or 0; identical objects are equal. -1 on error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_RichCompareBool(v: *mut PyObject, w: *mut PyObject, op: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if v == w {
            if op == Py_EQ {
                return 1;
            }
            if op == Py_NE {
                return 0;
            }
        }
        let res = PyObject_RichCompare(v, w, op);
        if res == Py_True() {
            return 1;
        }
        if res == Py_False() {
            return 0;
        }
        match Owned::from_owned_or_opt(res) {
            Some(res) => PyObject_IsTrue(res.as_ptr()),
            None => -1,
        }
    }
}

/// The `tp_hash` of unhashable types.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_HashNotImplemented(op: *mut PyObject) -> Py_hash_t {
    // SAFETY: [ARGS]
    let _ = raise!(PyExc_TypeError, "unhashable type: '{}'", type_name(op));
    -1
}

/// `hash(op)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Hash(op: *mut PyObject) -> Py_hash_t {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        if let Some(hash) = (*tp).tp_hash {
            return hash(op);
        }
        // A type that nobody has readied yet inherits its hash only then.
        if (*tp).tp_dict.is_null() {
            if PyType_Ready(tp) < 0 {
                return -1;
            }
            if let Some(hash) = (*tp).tp_hash {
                return hash(op);
            }
        }
        PyObject_HashNotImplemented(op)
    }
}

/// `bool(op)`, -1 on error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_IsTrue(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if op == Py_True() {
            return 1;
        }
        if op == Py_False() || op == Py_None() {
            return 0;
        }
        let tp = (*op).ob_type;
        if let Some(number) = (*tp).tp_as_number.as_ref()
            && let Some(f) = number.nb_bool
        {
            let r = f(op);
            return if r > 0 { 1 } else { r };
        }
        let length = (*tp)
            .tp_as_mapping
            .as_ref()
            .and_then(|m| m.mp_length)
            .or_else(|| (*tp).tp_as_sequence.as_ref().and_then(|s| s.sq_length));
        match length {
            Some(f) => match f(op) {
                n if n > 0 => 1,
                n => n as c_int,
            },
            None => 1,
        }
    }
}

/// `not op`, -1 on error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Not(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    match unsafe { PyObject_IsTrue(op) } {
        r if r < 0 => r,
        r => (r == 0) as c_int,
    }
}

/// `callable(op)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCallable_Check(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (!op.is_null() && (*(*op).ob_type).tp_call.is_some()) as c_int }
}

/// The `tp_iter` of iterators.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_SelfIter(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Py_NewRef(op) }
}

/// The `tp_iternext` of a class that has no `__next__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_NextNotImplemented(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let _ = raise!(PyExc_TypeError, "'{}' object is not iterable", type_name(op));
    null_mut()
}

/// Whether `op.__isabstractmethod__` is true; NULL is not abstract.
///
/// # Safety
/// `op` is NULL or live.
pub unsafe fn _PyObject_IsAbstract(op: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() {
            return Ok(false);
        }
        let Some(flag) = optional_attr(op, intern!("__isabstractmethod__"))? else { return Ok(false) };
        match PyObject_IsTrue(flag.as_ptr()) {
            r if r < 0 => Err(raised()),
            r => Ok(r != 0),
        }
    }
}

// ---- dir -----------------------------------------------------------------------------------------------------------

unsafe fn dir_locals() -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let locals = own(PyEval_GetFrameLocals())?;
        let names = own(PyMapping_Keys(locals.as_ptr()))?;
        if PyList_Check(names.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "dir(): expected keys() of locals to be a list, not '{}'", type_name(names.as_ptr()));
        }
        check_status(PyList_Sort(names.as_ptr()))?;
        Ok(names)
    }
}

unsafe fn dir_object(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let method = _PyObject_LookupSpecial(op, intern!("__dir__"));
        if method.is_null() {
            if !err_occurred() {
                bail!(PyExc_TypeError, "object does not provide __dir__");
            }
            return Err(raised());
        }
        let method = Owned::from_owned(method);
        let names = own(PyObject_CallNoArgs(method.as_ptr()))?;
        let list = own(PySequence_List(names.as_ptr()))?;
        check_status(PyList_Sort(list.as_ptr()))?;
        Ok(list)
    }
}

/// `dir(op)`, or `dir()` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Dir(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { if op.is_null() { dir_locals() } else { dir_object(op) }.into_c() }
}

// ---- recursion in repr ---------------------------------------------------------------------------------------------

/// Marks that `op` is being shown: 0 the first time, 1 when it already is, -1 on error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_ReprEnter(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let dict = PyThreadState_GetDict();
        if dict.is_null() {
            return 0;
        }
        let mut list = PyDict_GetItemWithError(dict, intern!("Py_Repr"));
        if list.is_null() {
            if err_occurred() {
                return -1;
            }
            let Some(new) = Owned::from_owned_or_opt(PyList_New(0)) else { return -1 };
            if PyDict_SetItem(dict, intern!("Py_Repr"), new.as_ptr()) < 0 {
                return -1;
            }
            list = new.as_ptr();
        }
        for i in (0..PyList_Size(list)).rev() {
            if PyList_GetItem(list, i) == op {
                return 1;
            }
        }
        if PyList_Append(list, op) < 0 { -1 } else { 0 }
    }
}

/// Undoes [`Py_ReprEnter`]; keeps the current exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_ReprLeave(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let exc = PyErr_GetRaisedException();
        let dict = PyThreadState_GetDict();
        if !dict.is_null() {
            let list = PyDict_GetItemWithError(dict, intern!("Py_Repr"));
            if !list.is_null() && PyList_Check(list) != 0 {
                for i in (0..PyList_Size(list)).rev() {
                    if PyList_GetItem(list, i) == op {
                        PyList_SetSlice(list, i, i + 1, null_mut());
                        break;
                    }
                }
            }
        }
        PyErr_SetRaisedException(exc);
    }
}

/// Whether a repr of `op` is under way, for as long as the guard lives.
pub struct ReprGuard(*mut PyObject);
impl ReprGuard {
    /// `Ok(None)` when `op` is being shown already.
    ///
    /// # Safety
    /// `op` stays alive while the guard does.
    pub unsafe fn enter(op: *mut PyObject) -> PyResult<Option<Self>> {
        // SAFETY: [ARGS]
        match unsafe { Py_ReprEnter(op) } {
            0 => Ok(Some(ReprGuard(op))),
            r if r < 0 => Err(raised()),
            _ => Ok(None),
        }
    }
}
impl Drop for ReprGuard {
    fn drop(&mut self) {
        // SAFETY: entered before.
        unsafe { Py_ReprLeave(self.0) }
    }
}

// ---- debugging aids ------------------------------------------------------------------------------------------------

/// A place for a breakpoint.
#[unsafe(no_mangle)]
pub extern "C" fn _Py_BreakPoint() {}

/// Whether the header looks like freed memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_IsFreed(op: *mut PyObject) -> c_int {
    let bad = |p: usize| p == 0 || p == 0xDDDD_DDDD_DDDD_DDDD || p == 0xCDCD_CDCD_CDCD_CDCD || p == 0xFDFD_FDFD_FDFD_FDFD;
    // SAFETY: [ARGS] readable memory.
    (bad(op as usize) || bad(unsafe { (*op).ob_type } as usize)) as c_int
}

/// Describes an object on the standard error stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_Dump(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if _PyObject_IsFreed(op) != 0 {
            eprintln!("<object at {op:p} is freed>");
            return;
        }
        eprintln!("object address  : {op:p}");
        eprintln!("object refcount : {}", Py_REFCNT(op));
        eprintln!("object type     : {:p}", (*op).ob_type);
        eprintln!("object type name: {}", type_name(op));
        let exc = PyErr_GetRaisedException();
        let repr = PyObject_Repr(op);
        match Owned::from_owned_or_opt(repr) {
            Some(r) => eprintln!("object repr     : {}", text_of(r.as_ptr())),
            None => eprintln!("object repr     : "),
        }
        PyErr_SetRaisedException(exc);
    }
}

/// Reports a failed consistency check of an object and aborts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_AssertFailed(
    op: *mut PyObject,
    expr: *const c_char,
    msg: *const c_char,
    file: *const c_char,
    line: c_int,
    function: *const c_char,
) -> ! {
    // SAFETY: [ARGS] strings are NUL-terminated or NULL.
    unsafe {
        let text = |p: *const c_char| (!p.is_null()).then(|| core::ffi::CStr::from_ptr(p).to_string_lossy());
        eprint!("{}:{}: ", text(file).unwrap_or_default(), line);
        if let Some(f) = text(function) {
            eprint!("{f}: ");
        }
        match text(expr) {
            Some(e) => eprint!("Assertion \"{e}\" failed"),
            None => eprint!("Assertion failed"),
        }
        match text(msg) {
            Some(m) => eprintln!(": {m}"),
            None => eprintln!(),
        }
        _PyObject_Dump(op);
        fatal("_PyObject_AssertFailed")
    }
}

// ---- constants -----------------------------------------------------------------------------------------------------

/// One of the `Py_CONSTANT_*` objects.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetConstant(id: core::ffi::c_uint) -> *mut PyObject {
    // SAFETY: [GIL] all of them are immortal.
    unsafe {
        match id {
            Py_CONSTANT_NONE => Py_None(),
            Py_CONSTANT_FALSE => Py_False(),
            Py_CONSTANT_TRUE => Py_True(),
            Py_CONSTANT_ELLIPSIS => Py_Ellipsis(),
            Py_CONSTANT_NOT_IMPLEMENTED => Py_NotImplemented(),
            Py_CONSTANT_ZERO => PyLong_FromLong(0),
            Py_CONSTANT_ONE => PyLong_FromLong(1),
            Py_CONSTANT_EMPTY_STR => PyUnicode_New(0, 0),
            Py_CONSTANT_EMPTY_BYTES => PyBytes_FromStringAndSize(core::ptr::null(), 0),
            Py_CONSTANT_EMPTY_TUPLE => PyTuple_New(0),
            _ => {
                PyErr_BadInternalCall();
                null_mut()
            }
        }
    }
}

/// As `Py_GetConstant`: the constants are immortal, so that lent and owned references are the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetConstantBorrowed(id: core::ffi::c_uint) -> *mut PyObject {
    // SAFETY: as above.
    unsafe { Py_GetConstant(id) }
}

/// Where an object keeps the head of its list of weak references.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GET_WEAKREFS_LISTPTR(op: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: [ARGS] the type supports weak references.
    unsafe { op.byte_offset((*(*op).ob_type).tp_weaklistoffset).cast() }
}
