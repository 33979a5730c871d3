//! The module `_sqlite3`.

use crate::connection::check_positional;
use crate::state::*;
use core::ffi::{CStr, c_int, c_void};
use core::ptr::null_mut;
use libsqlite3_sys as sq;
use taipan_abi::*;
use taipan_clinic::module::{add_int, add_str};
use taipan_clinic::{Str, methods};

fn adapt(module: Borrowed<'_>, obj: Borrowed<'_>, proto: Option<Borrowed<'_>>, alt: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let state = of_module(module);
    // SAFETY: [TYPE]
    unsafe {
        let default = Borrowed::from_ptr((*state).PrepareProtocolType.cast());
        crate::adapt::adapt(state, obj, proto.unwrap_or(default), alt)
    }
}
fn complete_statement(_: Borrowed<'_>, statement: &str) -> PyResult<bool> {
    let text = c_string(statement)?;
    // SAFETY: a C string.
    Ok(unsafe { sq::sqlite3_complete(text.as_ptr()) } != 0)
}
fn enable_callback_tracebacks(module: Borrowed<'_>, enable: i32) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { (*of_module(module)).callback_tracebacks = enable != 0 };
    Ok(())
}
fn register_adapter(module: Borrowed<'_>, tp: Borrowed<'_>, adapter: Borrowed<'_>) -> PyResult<()> {
    let state = of_module(module);
    // SAFETY: [TYPE]
    unsafe {
        let basic = [&raw mut PyLong_Type, &raw mut PyFloat_Type, &raw mut PyUnicode_Type, &raw mut PyByteArray_Type];
        if basic.contains(&tp.ob().cast()) {
            (*state).base_type_adapted = true;
        }
        let key = taipan_clinic::support::tuple_of(&[tp.ob(), (*state).PrepareProtocolType.cast()])?;
        check_status(PyDict_SetItem((*state).adapters, key.as_ptr(), adapter.ob()))
    }
}
fn register_converter(module: Borrowed<'_>, typename: Str<'_>, converter: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let name = Owned::from_owned_or_err(PyObject_CallMethodNoArgs(typename.0.ob(), intern!("upper")))?;
        check_status(PyDict_SetItem((*of_module(module)).converters, name.as_ptr(), converter.ob()))
    }
}
/// Makes a connection, or what `factory` makes, from the same arguments.
unsafe extern "C" fn connect(module: *mut PyObject, args: *const *mut PyObject, nargsf: Py_ssize_t, kwnames: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] as a METH_FASTCALL | METH_KEYWORDS function.
    unsafe {
        let nargs = nargsf;
        if check_positional(nargs, "sqlite3.connect").is_err() {
            return null_mut();
        }
        let mut factory = (*of_module(Borrowed::from_ptr(module))).ConnectionType.cast::<PyObject>();
        const FACTORY: Py_ssize_t = 5;
        if nargs > FACTORY {
            factory = *args.offset(FACTORY);
        } else if !kwnames.is_null() {
            for i in 0..PyTuple_Size(kwnames) {
                if PyUnicode_CompareWithASCIIString(PyTuple_GetItem(kwnames, i), c"factory".as_ptr()) == 0 {
                    factory = *args.offset(nargs + i);
                    break;
                }
            }
        }
        PyObject_Vectorcall(factory, args, nargs as usize, kwnames)
    }
}

methods! {
    static METHODS = [
        "adapt($module, obj, proto=PrepareProtocolType, alt=<unrepresentable>, /)" => adapt, "Adapt an object to a protocol.";
        "complete_statement($module, /, statement)" => complete_statement, "Whether a text ends with a complete statement.";
        raw "connect", PyMethodDefPointer { PyCFunctionFastWithKeywords: connect }, METH_FASTCALL | METH_KEYWORDS, "connect($module, /, database, timeout=5.0, detect_types=0,\n        isolation_level=\'\', check_same_thread=True,\n        factory=ConnectionType, cached_statements=128, uri=False, *,\n        autocommit=sqlite3.LEGACY_TRANSACTION_CONTROL)\n--\n\nOpen a database.\n\n\":memory:\" is a new one in memory.";
        "enable_callback_tracebacks($module, enable, /)" => enable_callback_tracebacks, "Set whether exceptions in callbacks are reported.";
        "register_adapter($module, type, adapter, /)" => register_adapter, "Set what adapts objects of a type to values of SQLite.";
        "register_converter($module, typename, converter, /)" => register_converter, "Set what converts values of a type of SQLite to objects.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    let state = of_module(module);
    // SAFETY: [GIL] the state is zeroed, and owns what it is given.
    unsafe {
        let rc = sq::sqlite3_initialize();
        if rc != sq::SQLITE_OK {
            bail!(PyExc_ImportError, "{}", CStr::from_ptr(sq::sqlite3_errstr(rc)).to_string_lossy());
        }
        let s = &mut *state;
        s.RowType = crate::row::make(module)?;
        s.CursorType = crate::cursor::make(module)?;
        s.ConnectionType = crate::connection::make(module)?;
        s.StatementType = crate::statement::make(module)?;
        s.PrepareProtocolType = crate::adapt::make(module)?;
        s.BlobType = crate::blob::make(module)?;
        for tp in [s.BlobType, s.ConnectionType, s.CursorType, s.PrepareProtocolType, s.RowType] {
            check_status(PyModule_AddType(module.ob(), tp))?;
        }
        let exception = |name: &CStr, base: *mut PyObject| -> PyResult<*mut PyObject> {
            let class = Owned::from_owned_or_err(PyErr_NewException(name.as_ptr(), base, null_mut()))?;
            check_status(PyModule_AddType(module.ob(), class.as_ptr().cast()))?;
            Ok(class.into_raw())
        };
        s.Error = exception(c"sqlite3.Error", PyExc_Exception)?;
        s.Warning = exception(c"sqlite3.Warning", PyExc_Exception)?;
        s.InterfaceError = exception(c"sqlite3.InterfaceError", s.Error)?;
        s.DatabaseError = exception(c"sqlite3.DatabaseError", s.Error)?;
        s.InternalError = exception(c"sqlite3.InternalError", s.DatabaseError)?;
        s.OperationalError = exception(c"sqlite3.OperationalError", s.DatabaseError)?;
        s.ProgrammingError = exception(c"sqlite3.ProgrammingError", s.DatabaseError)?;
        s.IntegrityError = exception(c"sqlite3.IntegrityError", s.DatabaseError)?;
        s.DataError = exception(c"sqlite3.DataError", s.DatabaseError)?;
        s.NotSupportedError = exception(c"sqlite3.NotSupportedError", s.DatabaseError)?;
        for &(name, value) in crate::constants::ERRORS.iter().chain(crate::constants::ACTIONS).chain(crate::constants::CONFIGURATION) {
            add_int(module, &c_string(name)?, value as i64)?;
        }
        add_int(module, c"PARSE_DECLTYPES", crate::cursor::PARSE_DECLTYPES as i64)?;
        add_int(module, c"PARSE_COLNAMES", crate::cursor::PARSE_COLNAMES as i64)?;
        add_str(module, c"_deprecated_version", "2.6.0")?;
        add_str(module, c"sqlite_version", &CStr::from_ptr(sq::sqlite3_libversion()).to_string_lossy())?;
        add_int(module, c"LEGACY_TRANSACTION_CONTROL", LEGACY as i64)?;
        let safety = match sq::sqlite3_threadsafe() {
            0 => 0,
            1 => 3,
            2 => 1,
            mode => {
                let message = format!("Unable to interpret SQLite threadsafety mode. Got {mode}, expected 0, 1, or 2");
                return Err(error(s.InterfaceError, &message));
            }
        };
        add_int(module, c"threadsafety", safety)?;
        s.adapters = Owned::from_owned_or_err(PyDict_New())?.into_raw();
        check_status(PyModule_AddObjectRef(module.ob(), c"adapters".as_ptr(), s.adapters))?;
        s.converters = Owned::from_owned_or_err(PyDict_New())?.into_raw();
        check_status(PyModule_AddObjectRef(module.ob(), c"converters".as_ptr(), s.converters))?;
        let cache = _PyImport_GetModuleAttrString(c"functools".as_ptr(), c"lru_cache".as_ptr());
        s.lru_cache = Owned::from_owned_or_err(cache)?.into_raw();
        Ok(())
    }
}

unsafe extern "C" fn exec_entry(module: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] called as Py_mod_exec.
    exec(unsafe { Borrowed::from_ptr(module) }).into_c()
}
unsafe extern "C" fn traverse(module: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] the state is NULL until the module is executed.
    unsafe {
        let Some(state) = PyModule_GetState(module).cast::<State>().as_mut() else { return 0 };
        for slot in state.objects() {
            if !slot.is_null() {
                let r = visit(*slot, arg);
                if r != 0 {
                    return r;
                }
            }
        }
        0
    }
}
unsafe extern "C" fn clear(module: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] as above; each reference is released once.
    unsafe {
        let Some(state) = PyModule_GetState(module).cast::<State>().as_mut() else { return 0 };
        let old = state.objects().map(|slot| core::mem::replace(slot, null_mut()));
        for op in old {
            Py_XDECREF(op);
        }
        0
    }
}
unsafe extern "C" fn free(module: *mut c_void) {
    // SAFETY: [TYPE]
    unsafe { clear(module.cast()) };
}

static mut SLOTS: [PyModuleDef_Slot; 4] = [
    PyModuleDef_Slot { slot: Py_mod_exec, value: exec_entry as *mut c_void },
    PyModuleDef_Slot { slot: Py_mod_multiple_interpreters, value: Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_NOT_USED },
    PyModuleDef_Slot { slot: 0, value: null_mut() },
];
/// The module's definition, by which types find their module.
pub static mut DEF: PyModuleDef = PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"_sqlite3".as_ptr(),
    m_doc: core::ptr::null(),
    m_size: size_of::<State>() as Py_ssize_t,
    m_methods: (&raw mut METHODS).cast(),
    m_slots: (&raw mut SLOTS).cast(),
    m_traverse: Some(traverse),
    m_clear: Some(clear),
    m_free: Some(free),
};

/// Entry point of `_sqlite3`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit__sqlite3() -> *mut PyObject {
    // SAFETY: [STATIC] the definition is static.
    unsafe { PyModuleDef_Init(&raw mut DEF) }
}
