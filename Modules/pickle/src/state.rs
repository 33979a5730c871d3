//! What the module needs of others: copyreg's tables, the mappings for Python 2, and its own exception classes.

use crate::{own, tuple};
use core::ptr::{null, null_mut};
use taipan_abi::*;
use taipan_clinic::module::heap_type;

/// See the file. All are owned and live as long as their interpreter.
pub struct State {
    pub pickle_error: *mut PyObject,
    pub pickling_error: *mut PyObject,
    pub unpickling_error: *mut PyObject,
    pub dispatch_table: *mut PyObject,
    pub extension_registry: *mut PyObject,
    pub extension_cache: *mut PyObject,
    pub inverted_registry: *mut PyObject,
    pub name_mapping_2to3: *mut PyObject,
    pub import_mapping_2to3: *mut PyObject,
    pub name_mapping_3to2: *mut PyObject,
    pub import_mapping_3to2: *mut PyObject,
    pub codecs_encode: *mut PyObject,
    pub getattr: *mut PyObject,
    pub partial: *mut PyObject,
    pub pickler: *mut PyTypeObject,
    pub unpickler: *mut PyTypeObject,
    pub pickler_memo_proxy: *mut PyTypeObject,
    pub unpickler_memo_proxy: *mut PyTypeObject,
}

/// A capsule with the interpreter's [`State`].
static STATE: PerInterpreter = PerInterpreter::new();
/// The interpreter that asked last, and its state.
static mut LAST: (*mut PyInterpreterState, *mut State) = (null_mut(), null_mut());

/// The state of the running interpreter; complete once the module has been executed, before which nobody can get here.
#[inline(always)]
pub fn state() -> &'static State {
    // SAFETY: [GIL] written by init only; it lives as long as the interpreter.
    unsafe {
        if (*current_tstate()).interp == LAST.0 {
            return &*LAST.1;
        }
        find_state()
    }
}

#[cold]
unsafe fn find_state() -> &'static State {
    // SAFETY: [GIL] init made the capsule.
    unsafe {
        let p = PyCapsule_GetPointer(STATE.get(), null()).cast::<State>();
        LAST = ((*current_tstate()).interp, p);
        &*p
    }
}

/// Frees the state of an interpreter that ends. What it refers to goes with that one's modules.
unsafe extern "C" fn free_state(capsule: *mut PyObject) {
    // SAFETY: [OWN] made by init.
    unsafe {
        let p = PyCapsule_GetPointer(capsule, null()).cast::<State>();
        if LAST.1 == p {
            LAST = (null_mut(), null_mut());
        }
        let s = Box::from_raw(p);
        for op in [
            s.pickle_error, s.pickling_error, s.unpickling_error, s.dispatch_table, s.extension_registry, s.extension_cache, s.inverted_registry,
            s.name_mapping_2to3, s.import_mapping_2to3, s.name_mapping_3to2, s.import_mapping_3to2, s.codecs_encode, s.getattr, s.partial,
            s.pickler.cast(), s.unpickler.cast(), s.pickler_memo_proxy.cast(), s.unpickler_memo_proxy.cast(),
        ] {
            Py_XDECREF(op);
        }
    }
}

/// `PicklingError(msg)`.
pub fn pickling_error(msg: &str) -> Raised {
    crate::raise_class(state().pickling_error, msg)
}

/// `UnpicklingError(msg)`.
pub fn unpickling_error(msg: &str) -> Raised {
    crate::raise_class(state().unpickling_error, msg)
}

unsafe fn import(module: &core::ffi::CStr, name: &core::ffi::CStr) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let m = own(PyImport_ImportModule(module.as_ptr()))?;
        own(PyObject_GetAttrString(m.as_ptr(), name.as_ptr()))
    }
}

unsafe fn import_dict(module: &core::ffi::CStr, name: &core::ffi::CStr) -> PyResult<*mut PyObject> {
    // SAFETY: [GIL]
    unsafe {
        let d = import(module, name)?;
        if PyDict_CheckExact(d.as_ptr()) == 0 {
            let (module, name) = (module.to_string_lossy(), name.to_string_lossy());
            bail!(PyExc_RuntimeError, "{module}.{name} should be a dict, not {}", type_name(d.as_ptr()));
        }
        Ok(d.into_raw())
    }
}

/// Fills the state; called again when the module is imported afresh, it takes the then current tables.
pub fn init(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] the old references are kept: somebody may be using them.
    unsafe {
        if STATE.get().is_null() {
            let p: *mut State = Box::into_raw(Box::new(core::mem::zeroed()));
            STATE.set(Some(own(PyCapsule_New(p.cast(), null(), Some(free_state)))?));
        }
        let s = PyCapsule_GetPointer(STATE.get(), null()).cast::<State>();
        (*s).dispatch_table = import_dict(c"copyreg", c"dispatch_table")?;
        (*s).extension_registry = import_dict(c"copyreg", c"_extension_registry")?;
        (*s).inverted_registry = import_dict(c"copyreg", c"_inverted_registry")?;
        (*s).extension_cache = import_dict(c"copyreg", c"_extension_cache")?;
        (*s).name_mapping_2to3 = import_dict(c"_compat_pickle", c"NAME_MAPPING")?;
        (*s).import_mapping_2to3 = import_dict(c"_compat_pickle", c"IMPORT_MAPPING")?;
        (*s).name_mapping_3to2 = import_dict(c"_compat_pickle", c"REVERSE_NAME_MAPPING")?;
        (*s).import_mapping_3to2 = import_dict(c"_compat_pickle", c"REVERSE_IMPORT_MAPPING")?;
        let encode = import(c"codecs", c"encode")?;
        if PyCallable_Check(encode.as_ptr()) == 0 {
            bail!(PyExc_RuntimeError, "codecs.encode should be a callable, not {}", type_name(encode.as_ptr()));
        }
        (*s).codecs_encode = encode.into_raw();
        (*s).getattr = import(c"builtins", c"getattr")?.into_raw();
        (*s).partial = import(c"functools", c"partial")?.into_raw();
        if (*s).pickle_error.is_null() {
            let base = own(PyErr_NewException(c"_pickle.PickleError".as_ptr(), null_mut(), null_mut()))?;
            let bases = tuple(vec![base.clone()])?;
            let pickling = own(PyErr_NewException(c"_pickle.PicklingError".as_ptr(), bases.as_ptr(), null_mut()))?;
            let unpickling = own(PyErr_NewException(c"_pickle.UnpicklingError".as_ptr(), bases.as_ptr(), null_mut()))?;
            (*s).pickling_error = pickling.into_raw();
            (*s).unpickling_error = unpickling.into_raw();
            (*s).pickler = heap_type(module, &raw mut crate::pickler::PICKLER)?;
            (*s).unpickler = heap_type(module, &raw mut crate::unpickler::UNPICKLER)?;
            (*s).pickler_memo_proxy = heap_type(module, &raw mut crate::pickler::PICKLER_MEMO_PROXY)?;
            (*s).unpickler_memo_proxy = heap_type(module, &raw mut crate::unpickler::UNPICKLER_MEMO_PROXY)?;
            (*s).pickle_error = base.into_raw();
        }
        Ok(())
    }
}
