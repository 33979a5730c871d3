//! Capsules: C pointers as objects, by which extension modules offer C interfaces to each other.

use crate::object::{err_format, own};
use crate::typeobject::TYPE_INIT;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

type Ob = *mut PyObject;

/// A capsule whose pointer is set; ValueError otherwise.
unsafe fn legal<'a>(op: Ob, function: &str) -> PyResult<&'a mut PyCapsuleObject> {
    // SAFETY: [ARGS]
    unsafe {
        if !op.is_null() && (*op).ob_type == &raw mut PyCapsule_Type {
            let capsule: *mut PyCapsuleObject = op.cast();
            if !(*capsule).pointer.is_null() {
                return Ok(&mut *capsule);
            }
        }
        bail!(PyExc_ValueError, "{function} called with invalid PyCapsule object");
    }
}

unsafe fn name_matches(a: *const c_char, b: *const c_char) -> bool {
    if a.is_null() || b.is_null() {
        return a == b;
    }
    // SAFETY: [ARGS] NUL-terminated.
    unsafe { CStr::from_ptr(a) == CStr::from_ptr(b) }
}

/// A capsule of a pointer that is not NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCapsule_New(pointer: *mut c_void, name: *const c_char, destructor: Option<PyCapsule_Destructor>) -> Ob {
    // SAFETY: [ARGS] untracked until it gets traversal functions.
    unsafe {
        if pointer.is_null() {
            let _ = raise!(PyExc_ValueError, "PyCapsule_New called with null pointer");
            return null_mut();
        }
        let capsule: *mut PyCapsuleObject = crate::gc::gc_new(&raw mut PyCapsule_Type);
        if capsule.is_null() {
            return null_mut();
        }
        (*capsule).pointer = pointer;
        (*capsule).name = name;
        (*capsule).context = null_mut();
        (*capsule).destructor = destructor;
        (*capsule).traverse_func = None;
        (*capsule).clear_func = None;
        capsule.cast()
    }
}

/// Whether `op` is a capsule with that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCapsule_IsValid(op: Ob, name: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() || (*op).ob_type != &raw mut PyCapsule_Type {
            return 0;
        }
        let capsule: *mut PyCapsuleObject = op.cast();
        (!(*capsule).pointer.is_null() && name_matches((*capsule).name, name)) as c_int
    }
}

/// The pointer of the capsule, whose name must be `name`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCapsule_GetPointer(op: Ob, name: *const c_char) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(capsule) = legal(op, "PyCapsule_GetPointer") else { return null_mut() };
        if !name_matches(name, capsule.name) {
            let _ = raise!(PyExc_ValueError, "PyCapsule_GetPointer called with incorrect name");
            return null_mut();
        }
        capsule.pointer
    }
}

/// The name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCapsule_GetName(op: Ob) -> *const c_char {
    // SAFETY: [ARGS]
    unsafe { legal(op, "PyCapsule_GetName").map_or(core::ptr::null(), |c| c.name) }
}

/// The destructor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCapsule_GetDestructor(op: Ob) -> Option<PyCapsule_Destructor> {
    // SAFETY: [ARGS]
    unsafe { legal(op, "PyCapsule_GetDestructor").ok().and_then(|c| c.destructor) }
}

/// The context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCapsule_GetContext(op: Ob) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe { legal(op, "PyCapsule_GetContext").map_or(null_mut(), |c| c.context) }
}

/// Replaces the pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCapsule_SetPointer(op: Ob, pointer: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if pointer.is_null() {
            let _ = raise!(PyExc_ValueError, "PyCapsule_SetPointer called with null pointer");
            return -1;
        }
        legal(op, "PyCapsule_SetPointer").map(|c| c.pointer = pointer).into_c()
    }
}

/// Replaces the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCapsule_SetName(op: Ob, name: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe { legal(op, "PyCapsule_SetName").map(|c| c.name = name).into_c() }
}

/// Replaces the destructor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCapsule_SetDestructor(op: Ob, destructor: Option<PyCapsule_Destructor>) -> c_int {
    // SAFETY: [ARGS]
    unsafe { legal(op, "PyCapsule_SetDestructor").map(|c| c.destructor = destructor).into_c() }
}

/// Replaces the context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCapsule_SetContext(op: Ob, context: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { legal(op, "PyCapsule_SetContext").map(|c| c.context = context).into_c() }
}

/// Has the collector look into the capsule.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCapsule_SetTraverse(op: Ob, traverse: Option<traverseproc>, clear: Option<inquiry>) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(capsule) = legal(op, "_PyCapsule_SetTraverse") else { return -1 };
        if traverse.is_none() || clear.is_none() {
            let _ = raise!(PyExc_ValueError, "_PyCapsule_SetTraverse() called with NULL callback");
            return -1;
        }
        capsule.traverse_func = traverse;
        capsule.clear_func = clear;
        if !crate::gc::is_tracked(op) {
            crate::gc::gc_track(op);
        }
        0
    }
}

/// The pointer of the capsule that is found as a module's attribute under its own name, `module.attribute`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCapsule_Import(name: *const c_char, _no_block: c_int) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<*mut c_void> {
            let mut object: Option<Owned> = None;
            for part in CStr::from_ptr(name).to_bytes().split(|&c| c == b'.') {
                let part = std::ffi::CString::new(part).unwrap_or_default();
                object = Some(match object {
                    None => match own(PyImport_ImportModule(part.as_ptr())) {
                        Ok(module) => module,
                        Err(_) => {
                            return Err(err_format!(
                                PyExc_ImportError,
                                c"PyCapsule_Import could not import module \"%s\"",
                                part.as_ptr()
                            ));
                        }
                    },
                    Some(object) => own(PyObject_GetAttrString(object.as_ptr(), part.as_ptr()))?,
                });
            }
            match object {
                Some(o) if PyCapsule_IsValid(o.as_ptr(), name) != 0 => Ok((*o.as_ptr().cast::<PyCapsuleObject>()).pointer),
                _ => Err(err_format!(PyExc_AttributeError, c"PyCapsule_Import \"%s\" is not valid", name)),
            }
        };
        body().unwrap_or(null_mut())
    }
}

unsafe extern "C" fn capsule_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        if let Some(destructor) = (*op.cast::<PyCapsuleObject>()).destructor {
            destructor(op);
        }
        PyObject_GC_Del(op.cast());
    }
}

unsafe extern "C" fn capsule_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let name = (*op.cast::<PyCapsuleObject>()).name;
        if name.is_null() {
            return PyUnicode_FromFormat(c"<capsule object NULL at %p>".as_ptr(), op);
        }
        PyUnicode_FromFormat(c"<capsule object \"%s\" at %p>".as_ptr(), name, op)
    }
}

unsafe extern "C" fn capsule_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyCapsuleObject>()).traverse_func.map_or(0, |f| f(op, visitor, arg)) }
}

unsafe extern "C" fn capsule_clear(op: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyCapsuleObject>()).clear_func.map_or(0, |f| f(op)) }
}

/// `PyCapsule`.
#[unsafe(no_mangle)]
pub static mut PyCapsule_Type: PyTypeObject = PyTypeObject {
    tp_name: c"PyCapsule".as_ptr(),
    tp_basicsize: size_of::<PyCapsuleObject>() as Py_ssize_t,
    tp_dealloc: Some(capsule_dealloc),
    tp_repr: Some(capsule_repr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"A C pointer as an object.\n\nExtension modules offer their C interfaces to other extension modules this way.\n".as_ptr(),
    tp_traverse: Some(capsule_traverse),
    tp_clear: Some(capsule_clear),
    ..TYPE_INIT
};
