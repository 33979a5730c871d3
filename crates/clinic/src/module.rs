//! Declaring a native module.

/// Declares a native module and its C entry point:
///
/// ```text
/// module! {
///     /// What it is.
///     pub fn PyInit_errno = "errno", "Docstring.", methods: ERRNO_METHODS, exec: errno_exec;
/// }
/// fn errno_exec(module: Borrowed<'_>) -> PyResult<()> { .. }
/// ```
///
/// The module is initialised in two phases (PEP 489) and keeps no per-module state.
#[macro_export]
macro_rules! module {
    ($(#[$m:meta])* $vis:vis fn $init:ident = $name:literal, $doc:literal, methods: $methods:expr, exec: $exec:path;) => {
        $(#[$m])*
        #[unsafe(no_mangle)]
        $vis unsafe extern "C" fn $init() -> *mut $crate::abi::PyObject {
            use $crate::abi::{PyModuleDef, PyModuleDef_HEAD_INIT, PyModuleDef_Slot, PyObject};
            unsafe extern "C" fn module_exec_entry(module: *mut PyObject) -> ::core::ffi::c_int {
                // SAFETY: [ARGS] called as Py_mod_exec.
                $crate::abi::IntoC::into_c($exec(unsafe { $crate::abi::Borrowed::from_ptr(module) }))
            }
            static mut SLOTS: [PyModuleDef_Slot; 4] = [
                PyModuleDef_Slot { slot: $crate::abi::Py_mod_exec, value: module_exec_entry as *mut ::core::ffi::c_void },
                PyModuleDef_Slot { slot: $crate::abi::Py_mod_multiple_interpreters, value: $crate::abi::Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
                PyModuleDef_Slot { slot: $crate::abi::Py_mod_gil, value: $crate::abi::Py_MOD_GIL_NOT_USED },
                PyModuleDef_Slot { slot: 0, value: ::core::ptr::null_mut() },
            ];
            static mut DEF: PyModuleDef = PyModuleDef {
                m_base: PyModuleDef_HEAD_INIT,
                m_name: ::core::concat!($name, "\0").as_ptr().cast(),
                m_doc: ::core::concat!($doc, "\0").as_ptr().cast(),
                m_size: 0,
                m_methods: (&raw mut $methods).cast(),
                m_slots: (&raw mut SLOTS).cast(),
                m_traverse: None,
                m_clear: None,
                m_free: None,
            };
            // SAFETY: [GIL] the definition is static.
            unsafe { $crate::abi::PyModuleDef_Init(&raw mut DEF) }
        }
    };
}

use taipan_abi::*;

/// Adds `value` to `module` under `name`.
pub fn add_object(module: Borrowed<'_>, name: &core::ffi::CStr, value: PyResult<Owned>) -> PyResult<()> {
    let value = value?;
    // SAFETY: [ARGS]
    unsafe { check_status(PyObject_SetAttrString(module.ob(), name.as_ptr(), value.as_ptr())) }
}

/// Adds an int constant.
pub fn add_int(module: Borrowed<'_>, name: &core::ffi::CStr, value: i64) -> PyResult<()> {
    // SAFETY: [GIL]
    add_object(module, name, unsafe { Owned::from_owned_or_err(PyLong_FromLongLong(value)) })
}

/// Adds a str constant.
pub fn add_str(module: Borrowed<'_>, name: &core::ffi::CStr, value: &str) -> PyResult<()> {
    // SAFETY: [GIL]
    add_object(module, name, unsafe {
        Owned::from_owned_or_err(PyUnicode_FromStringAndSize(value.as_ptr().cast(), value.len() as Py_ssize_t))
    })
}

/// Readies a static type and adds it under the last part of its name.
///
/// # Safety
/// `tp` is a static type with a name.
pub unsafe fn add_type(module: Borrowed<'_>, tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        check_status(PyType_Ready(tp))?;
        let name = (*tp).tp_name;
        let dot = libc_strrchr(name);
        check_status(PyObject_SetAttrString(module.ob(), dot, tp.cast()))
    }
}

/// The part of a C string after its last dot.
unsafe fn libc_strrchr(name: *const core::ffi::c_char) -> *const core::ffi::c_char {
    // SAFETY: [ARGS] NUL-terminated.
    unsafe {
        let bytes = core::ffi::CStr::from_ptr(name).to_bytes();
        let at = bytes.iter().rposition(|&b| b == b'.').map_or(0, |i| i + 1);
        name.add(at)
    }
}
