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

/// Makes a heap type that is what a static one describes. For types that CPython makes when their module is imported: they
/// belong to the module, are counted and collected. Instances count the type, so `tp_dealloc` of the description must
/// release it, and `tp_traverse` visit it.
///
/// # Safety
/// `template` describes a type; what it points to is static.
pub unsafe fn heap_type(module: Borrowed<'_>, template: *mut PyTypeObject) -> PyResult<*mut PyTypeObject> {
    // SAFETY: [ARGS]
    unsafe { heap_subtype(module, template, core::ptr::null_mut()) }
}

/// As [`heap_type`], derived from `base` (NULL: object). What the description says of a base is not looked at.
///
/// # Safety
/// See [`heap_type`]; `base` is a type.
pub unsafe fn heap_subtype(module: Borrowed<'_>, template: *mut PyTypeObject, base: *mut PyTypeObject) -> PyResult<*mut PyTypeObject> {
    use core::ffi::{c_int, c_uint, c_void};
    // SAFETY: [ARGS] slots are pointers to functions or data.
    unsafe {
        let t = &*template;
        let mut slots = Vec::new();
        macro_rules! functions {
            ($($field:ident => $slot:ident),* $(,)?) => {
                $( if let Some(f) = t.$field { slots.push(PyType_Slot { slot: $slot, pfunc: f as *mut c_void }); } )*
            };
        }
        macro_rules! data {
            ($($field:ident => $slot:ident),* $(,)?) => {
                $( if !t.$field.is_null() { slots.push(PyType_Slot { slot: $slot, pfunc: t.$field.cast_mut_void() }); } )*
            };
        }
        functions! {
            tp_dealloc => Py_tp_dealloc, tp_repr => Py_tp_repr, tp_hash => Py_tp_hash, tp_call => Py_tp_call, tp_str => Py_tp_str,
            tp_getattro => Py_tp_getattro, tp_setattro => Py_tp_setattro, tp_traverse => Py_tp_traverse, tp_clear => Py_tp_clear,
            tp_richcompare => Py_tp_richcompare, tp_iter => Py_tp_iter, tp_iternext => Py_tp_iternext,
            tp_descr_get => Py_tp_descr_get, tp_descr_set => Py_tp_descr_set, tp_init => Py_tp_init, tp_alloc => Py_tp_alloc,
            tp_new => Py_tp_new, tp_free => Py_tp_free, tp_finalize => Py_tp_finalize,
        }
        data! { tp_doc => Py_tp_doc, tp_methods => Py_tp_methods, tp_getset => Py_tp_getset }
        // Offsets are told as members.
        let mut members: Vec<PyMemberDef> = Vec::new();
        let mut member = t.tp_members;
        while !member.is_null() && !(*member).name.is_null() {
            members.push(core::ptr::read(member));
            member = member.add(1);
        }
        for (name, offset) in [
            (c"__weaklistoffset__", t.tp_weaklistoffset),
            (c"__dictoffset__", t.tp_dictoffset),
            (c"__vectorcalloffset__", t.tp_vectorcall_offset),
        ] {
            if offset != 0 {
                members.push(PyMemberDef { name: name.as_ptr(), type_code: Py_T_PYSSIZET, offset, flags: Py_READONLY, doc: core::ptr::null() });
            }
        }
        if !members.is_empty() {
            members.push(PyMemberDef { name: core::ptr::null(), type_code: 0, offset: 0, flags: 0, doc: core::ptr::null() });
            slots.push(PyType_Slot { slot: Py_tp_members, pfunc: members.as_mut_ptr().cast() });
        }
        if let Some(buffer) = t.tp_as_buffer.as_ref() {
            if let Some(f) = buffer.bf_getbuffer {
                slots.push(PyType_Slot { slot: Py_bf_getbuffer, pfunc: f as *mut c_void });
            }
            if let Some(f) = buffer.bf_releasebuffer {
                slots.push(PyType_Slot { slot: Py_bf_releasebuffer, pfunc: f as *mut c_void });
            }
        }
        if let Some(async_) = t.tp_as_async.as_ref() {
            for (f, slot) in [(async_.am_await, Py_am_await), (async_.am_aiter, Py_am_aiter), (async_.am_anext, Py_am_anext)] {
                if let Some(f) = f {
                    slots.push(PyType_Slot { slot, pfunc: f as *mut c_void });
                }
            }
            if let Some(f) = async_.am_send {
                slots.push(PyType_Slot { slot: Py_am_send, pfunc: f as *mut c_void });
            }
        }
        slots.push(PyType_Slot { slot: 0, pfunc: core::ptr::null_mut() });
        let mut spec = PyType_Spec {
            name: t.tp_name,
            basicsize: t.tp_basicsize as c_int,
            itemsize: t.tp_itemsize as c_int,
            flags: t.tp_flags as c_uint,
            slots: slots.as_mut_ptr(),
        };
        let made = PyType_FromModuleAndSpec(module.ob(), &mut spec, base.cast());
        Owned::from_owned_or_err(made).map(|o| o.into_raw().cast())
    }
}

trait CastMutVoid {
    fn cast_mut_void(self) -> *mut core::ffi::c_void;
}
impl<T> CastMutVoid for *mut T {
    fn cast_mut_void(self) -> *mut core::ffi::c_void {
        self.cast()
    }
}
impl<T> CastMutVoid for *const T {
    fn cast_mut_void(self) -> *mut core::ffi::c_void {
        self.cast_mut().cast()
    }
}
