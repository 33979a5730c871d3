//! What the module's types share: its state, exceptions, numbers.

use core::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use core::ptr::null_mut;
use libsqlite3_sys as sq;
use taipan_abi::*;

unsafe extern "C" {
    fn PyType_GetModuleByDef(tp: *mut PyTypeObject, def: *mut PyModuleDef) -> *mut PyObject;
}

/// `sqlite3.LEGACY_TRANSACTION_CONTROL`.
pub const LEGACY: c_int = -1;

/// The module's state; each pointer is NULL or owned.
#[repr(C)]
#[allow(missing_docs, reason = "named as what they are in Python")]
pub struct State {
    pub DataError: *mut PyObject,
    pub DatabaseError: *mut PyObject,
    pub Error: *mut PyObject,
    pub IntegrityError: *mut PyObject,
    pub InterfaceError: *mut PyObject,
    pub InternalError: *mut PyObject,
    pub NotSupportedError: *mut PyObject,
    pub OperationalError: *mut PyObject,
    pub ProgrammingError: *mut PyObject,
    pub Warning: *mut PyObject,
    pub converters: *mut PyObject,
    pub lru_cache: *mut PyObject,
    pub adapters: *mut PyObject,
    pub BlobType: *mut PyTypeObject,
    pub ConnectionType: *mut PyTypeObject,
    pub CursorType: *mut PyTypeObject,
    pub PrepareProtocolType: *mut PyTypeObject,
    pub RowType: *mut PyTypeObject,
    pub StatementType: *mut PyTypeObject,
    /// Whether int, float, str or bytearray has an adapter.
    pub base_type_adapted: bool,
    /// Whether exceptions in callbacks are reported.
    pub callback_tracebacks: bool,
}
/// A pointer to a state that the module keeps alive.
pub type S = *mut State;

impl State {
    /// All owned references.
    pub fn objects(&mut self) -> [&mut *mut PyObject; 19] {
        fn object(tp: &mut *mut PyTypeObject) -> &mut *mut PyObject {
            // SAFETY: [TYPE] types are objects.
            unsafe { &mut *(&raw mut *tp).cast() }
        }
        [
            &mut self.DataError,
            &mut self.DatabaseError,
            &mut self.Error,
            &mut self.IntegrityError,
            &mut self.InterfaceError,
            &mut self.InternalError,
            &mut self.NotSupportedError,
            &mut self.OperationalError,
            &mut self.ProgrammingError,
            &mut self.Warning,
            &mut self.converters,
            &mut self.lru_cache,
            &mut self.adapters,
            object(&mut self.BlobType),
            object(&mut self.ConnectionType),
            object(&mut self.CursorType),
            object(&mut self.PrepareProtocolType),
            object(&mut self.RowType),
            object(&mut self.StatementType),
        ]
    }
}

/// The state of a module object.
pub fn of_module(module: Borrowed<'_>) -> S {
    // SAFETY: [TYPE] the module's own functions get their module.
    unsafe { PyModule_GetState(module.ob()).cast() }
}
/// The state that belongs to a type of the module or to a subclass.
///
/// # Safety
/// `tp` is one.
pub unsafe fn of_type(tp: *mut PyTypeObject) -> S {
    // SAFETY: [ARGS]
    unsafe { PyModule_GetState(PyType_GetModuleByDef(tp, &raw mut crate::module::DEF)).cast() }
}

/// Raises an exception of the module.
#[cold]
pub fn error(class: *mut PyObject, message: &str) -> Raised {
    // SAFETY: [GIL] the state keeps the class.
    unsafe { taipan_abi::error::raise_str(class, message) }
}

/// TypeError of an argument, as argument parsing words it.
#[cold]
pub fn bad_argument(function: &str, display: &str, expected: &str, arg: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    let got = unsafe { if arg == Py_None() { "None".into() } else { type_name(arg) } };
    raise!(PyExc_TypeError, "{}() {} must be {}, not {}", function, display, expected, got)
}

/// A type of the module.
///
/// # Safety
/// The slots are those of a type with this layout; all is static.
pub unsafe fn make_type(
    module: Borrowed<'_>,
    name: &'static CStr,
    size: usize,
    flags: c_ulong,
    slots: &[(c_int, *mut c_void)],
) -> PyResult<*mut PyTypeObject> {
    let mut slots: Vec<PyType_Slot> = slots.iter().map(|&(slot, pfunc)| PyType_Slot { slot, pfunc }).collect();
    slots.push(PyType_Slot { slot: 0, pfunc: null_mut() });
    let mut spec = PyType_Spec {
        name: name.as_ptr(),
        basicsize: size as c_int,
        itemsize: 0,
        flags: (flags | Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE) as c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyType_FromModuleAndSpec(module.ob(), &mut spec, null_mut())).map(|t| t.into_raw().cast()) }
}

/// A C string from text without NUL; ValueError.
pub fn c_string(text: &str) -> PyResult<std::ffi::CString> {
    std::ffi::CString::new(text).map_err(|_| raise!(PyExc_ValueError, "embedded null character"))
}

/// An int as SQLite stores it.
pub fn to_int64(op: *mut PyObject) -> PyResult<i64> {
    let mut overflow = 0;
    // SAFETY: [ARGS]
    let n = unsafe { PyLong_AsLongLongAndOverflow(op, &mut overflow) };
    if n == -1 && err_occurred() {
        // SAFETY: [EXC]
        return Err(unsafe { Raised::assume() });
    }
    if overflow != 0 {
        bail!(PyExc_OverflowError, "Python int too large to convert to SQLite INTEGER");
    }
    Ok(n)
}

/// The class for a result code of the library.
unsafe fn class_of(state: S, code: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    let s = unsafe { &*state };
    match code {
        sq::SQLITE_INTERNAL | sq::SQLITE_NOTFOUND => s.InternalError,
        sq::SQLITE_ERROR
        | sq::SQLITE_PERM
        | sq::SQLITE_ABORT
        | sq::SQLITE_BUSY
        | sq::SQLITE_LOCKED
        | sq::SQLITE_READONLY
        | sq::SQLITE_INTERRUPT
        | sq::SQLITE_IOERR
        | sq::SQLITE_FULL
        | sq::SQLITE_CANTOPEN
        | sq::SQLITE_PROTOCOL
        | sq::SQLITE_EMPTY
        | sq::SQLITE_SCHEMA => s.OperationalError,
        sq::SQLITE_TOOBIG => s.DataError,
        sq::SQLITE_CONSTRAINT | sq::SQLITE_MISMATCH => s.IntegrityError,
        sq::SQLITE_MISUSE | sq::SQLITE_RANGE => s.InterfaceError,
        _ => s.DatabaseError,
    }
}

/// The exception for a database's last error, with its number and its name.
///
/// # Safety
/// Both are live; the database may be NULL, which the library understands.
#[cold]
pub unsafe fn db_error(state: S, db: *mut sq::sqlite3) -> Raised {
    // SAFETY: [ARGS] the message is copied at once.
    unsafe {
        let code = sq::sqlite3_errcode(db);
        if code == sq::SQLITE_NOMEM {
            PyErr_NoMemory();
            return Raised::assume();
        }
        let class = class_of(state, code);
        let extended = sq::sqlite3_extended_errcode(db);
        let _ = raise_code(class, extended, sq::sqlite3_errmsg(db));
        Raised::assume()
    }
}
unsafe fn raise_code(class: *mut PyObject, code: c_int, message: *const c_char) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let text = Owned::from_owned_or_err(PyUnicode_FromString(message))?;
        let exc = Owned::from_owned_or_err(PyObject_CallOneArg(class, text.as_ptr()))?;
        let number = taipan_clinic::support::int(code as i64)?;
        check_status(PyObject_SetAttrString(exc.as_ptr(), c"sqlite_errorcode".as_ptr(), number.as_ptr()))?;
        let name = taipan_clinic::support::string(crate::constants::error_name(code).unwrap_or("unknown"))?;
        check_status(PyObject_SetAttrString(exc.as_ptr(), c"sqlite_errorname".as_ptr(), name.as_ptr()))?;
        PyErr_SetObject(class, exc.as_ptr());
        Ok(())
    }
}

/// What the library runs out of memory for.
#[cold]
pub fn no_memory() -> Raised {
    // SAFETY: [GIL]
    unsafe {
        PyErr_NoMemory();
        Raised::assume()
    }
}

/// Visits the type of an instance, then these references; for `tp_traverse`.
///
/// # Safety
/// Each is NULL or live.
pub unsafe fn visit_all(slf: *mut PyObject, fields: &[*mut PyObject], visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        for op in core::iter::once((*slf).ob_type.cast()).chain(fields.iter().copied()) {
            if !op.is_null() {
                let r = visit(op, arg);
                if r != 0 {
                    return r;
                }
            }
        }
        0
    }
}

/// Frees an instance that holds nothing any more.
///
/// # Safety
/// It is untracked.
pub unsafe fn free_instance(slf: *mut PyObject) {
    // SAFETY: [OWN] instances count their type.
    unsafe {
        let tp = (*slf).ob_type;
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
        Py_DECREF(tp.cast());
    }
}

/// `None`, as a reference of one's own.
pub fn none() -> *mut PyObject {
    taipan_clinic::support::none().into_raw()
}

/// Whether an object has exactly a built-in type.
///
/// # Safety
/// `op` is live.
#[inline]
pub unsafe fn is_exactly(op: *mut PyObject, tp: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == tp }
}
