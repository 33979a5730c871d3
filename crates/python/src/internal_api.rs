//! Internal C functions that one layer offers to another under CPython's names.

use crate::pystate::interp;
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::va_list::VaListTag;
use taipan_abi::*;

/// The most derived metaclass of `metatype` and the bases' types; NULL with TypeError.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyType_CalculateMetaclass(metatype: *mut PyTypeObject, bases: *mut PyObject) -> *mut PyTypeObject {
    // SAFETY: [ARGS]
    unsafe { taipan_objects::typeobject::mro::_PyType_CalculateMetaclass(metatype, bases).unwrap_or(null_mut()) }
}

/// Whether `func` is the `__import__` that the interpreter started with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_IsDefaultImportFunc(_interp: *mut PyInterpreterState, func: *mut PyObject) -> c_int {
    (interp().import_func == func) as c_int
}

/// Stores the file that a spec says the module comes from (new reference), or NULL; 1, 0, or -1 with an exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyModuleSpec_GetFileOrigin(spec: *mut PyObject, origin: *mut *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        *origin = null_mut();
        match taipan_objects::moduleobject::_PyModuleSpec_GetFileOrigin(spec) {
            Ok(Some(o)) => {
                *origin = o.into_raw();
                1
            }
            Ok(None) => 0,
            Err(_) => -1,
        }
    }
}

/// Whether a module from `origin` (NULL: unknown) may hide another of its name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyModule_IsPossiblyShadowing(origin: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { if origin.is_null() { 0 } else { taipan_objects::moduleobject::_PyModule_IsPossiblyShadowing(origin).into_c() } }
}

/// A module's repr, which importlib makes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_ImportlibModuleRepr(_interp: *mut PyInterpreterState, module: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let importlib = interp().importlib;
        if importlib.is_null() {
            return PyUnicode_FromFormat(c"<module %R>".as_ptr(), PyModule_GetNameObject(module));
        }
        let args = [importlib, module];
        PyObject_VectorcallMethod(intern!("_module_repr"), args.as_ptr(), 2, null_mut())
    }
}

/// Blocks in use, for `sys.getallocatedblocks`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_GetGlobalAllocatedBlocks() -> Py_ssize_t {
    taipan_objects::obmalloc::allocated_blocks() as Py_ssize_t
}

/// Audits with arguments built from a format (NULL for none).
///
/// # Safety
/// `event` is a C string; the list fits the format.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySys_AuditV(event: *const c_char, format: *const c_char, va: *mut VaListTag) -> c_int {
    unsafe extern "C" {
        fn Py_VaBuildValue(format: *const c_char, va: *mut VaListTag) -> *mut PyObject;
        fn PySys_AuditTuple(event: *const c_char, args: *mut PyObject) -> c_int;
    }
    // SAFETY: [ARGS]
    unsafe {
        if format.is_null() || *format == 0 {
            return PySys_AuditTuple(event, null_mut());
        }
        let built = Py_VaBuildValue(format, va);
        if built.is_null() {
            return -1;
        }
        let built = Owned::from_owned(built);
        if PyTuple_Check(built.as_ptr()) != 0 {
            return PySys_AuditTuple(event, built.as_ptr());
        }
        let one = [built.as_ptr()];
        let args = _PyTuple_FromArray(one.as_ptr(), 1);
        if args.is_null() {
            return -1;
        }
        let args = Owned::from_owned(args);
        PySys_AuditTuple(event, args.as_ptr())
    }
}
