//! `PyType_Ready`: from a filled-in type object to a usable one; the registry of subclasses.

use super::lookup::assign_static_version_tag;
use super::mro::mro_internal;
use super::{Py_TPFLAGS_INLINE_VALUES, Py_TPFLAGS_STATIC_BUILTIN, check_consistency, has_new, inherit, slotdefs, subclasses_of, tuple_items, wrappers};
use crate::object::{dict_has, dict_set, err_format, own, raised};
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;

/// Adds an entry unless the key is there already.
unsafe fn set_default(dict: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    if unsafe { PyDict_SetDefault(dict, key, value) }.is_null() { Err(raised()) } else { Ok(()) }
}

/// Adds a method to the type's dict.
///
/// # Safety
/// [GIL] `def` lives as long as the type.
pub unsafe fn type_add_method(tp: *mut PyTypeObject, def: *mut PyMethodDef) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let flags = (*def).ml_flags;
        let descr = if flags & METH_CLASS != 0 {
            if flags & METH_STATIC != 0 {
                bail!(PyExc_ValueError, "method cannot be both class and static");
            }
            own(PyDescr_NewClassMethod(tp, def))?
        } else if flags & METH_STATIC != 0 {
            let function = own(PyCMethod_New(def, tp.cast(), null_mut(), null_mut()))?;
            own(PyStaticMethod_New(function.as_ptr()))?
        } else {
            own(PyDescr_NewMethod(tp, def))?
        };
        let name = own(PyUnicode_InternFromString((*def).ml_name))?;
        if flags & METH_COEXIST != 0 {
            dict_set((*tp).tp_dict, name.as_ptr(), descr.as_ptr())
        } else {
            set_default((*tp).tp_dict, name.as_ptr(), descr.as_ptr())
        }
    }
}

unsafe fn fill_dict(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS] the tables end with a NULL name.
    unsafe {
        slotdefs::add_operators(tp)?;
        let dict = (*tp).tp_dict;
        let mut method = (*tp).tp_methods;
        while !method.is_null() && !(*method).ml_name.is_null() {
            type_add_method(tp, method)?;
            method = method.add(1);
        }
        let mut member = (*tp).tp_members;
        while !member.is_null() && !(*member).name.is_null() {
            let descr = own(PyDescr_NewMember(tp, member))?;
            set_default(dict, (*descr.as_ptr().cast::<PyDescrObject>()).d_name, descr.as_ptr())?;
            member = member.add(1);
        }
        let mut getset = (*tp).tp_getset;
        while !getset.is_null() && !(*getset).name.is_null() {
            let descr = own(PyDescr_NewGetSet(tp, getset))?;
            set_default(dict, (*descr.as_ptr().cast::<PyDescrObject>()).d_name, descr.as_ptr())?;
            getset = getset.add(1);
        }
        let name = intern!("__doc__");
        if !dict_has(dict, name)? {
            let doc = if (*tp).tp_doc.is_null() {
                Owned::from_borrowed(Py_None())
            } else {
                let (_, text) = super::split_doc(super::c_bytes((*tp).tp_name), super::c_bytes((*tp).tp_doc));
                super::str_from_bytes(text)?
            };
            dict_set(dict, name, doc.as_ptr())?;
        }
        Ok(())
    }
}

unsafe fn set_base_and_type(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let object = &raw mut PyBaseObject_Type;
        if (*tp).tp_base.is_null() && tp != object {
            (*tp).tp_base = object;
        }
        let base = (*tp).tp_base;
        if base.is_null() {
            return Ok(());
        }
        if (*base).tp_dict.is_null() && PyType_Ready(base) < 0 {
            return Err(raised());
        }
        if (*tp).ob_base.ob_base.ob_type.is_null() {
            (*tp).ob_base.ob_base.ob_type = (*base).ob_base.ob_base.ob_type;
        }
        Ok(())
    }
}

unsafe fn set_bases(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if !(*tp).tp_bases.is_null() {
            return Ok(());
        }
        let base: *mut PyObject = (*tp).tp_base.cast();
        let bases = own(_PyTuple_FromArray(&raw const base, !base.is_null() as Py_ssize_t))?;
        if (*tp).tp_flags & Py_TPFLAGS_STATIC_BUILTIN != 0 {
            crate::gc::gc_untrack(bases.as_ptr());
            set_immortal(bases.as_ptr());
        }
        (*tp).tp_bases = bases.into_raw();
        Ok(())
    }
}

unsafe fn set_mro(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        mro_internal(tp)?;
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            for &base in tuple_items((*tp).tp_mro) {
                let base: *mut PyTypeObject = base.cast();
                if (*base).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
                    return Err(err_format!(
                        PyExc_TypeError,
                        c"type '%.100s' is not dynamically allocated but its base type '%.100s' is dynamically allocated",
                        (*tp).tp_name,
                        (*base).tp_name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Settles `tp_new` and `__new__`. Static types derived straight from `object` don't inherit its constructor: it could
/// not establish their invariants.
unsafe fn set_new(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let base = (*tp).tp_base;
        if (*tp).tp_new.is_none() && base == &raw mut PyBaseObject_Type && (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            (*tp).tp_flags |= Py_TPFLAGS_DISALLOW_INSTANTIATION;
        }
        if (*tp).tp_flags & Py_TPFLAGS_DISALLOW_INSTANTIATION != 0 {
            (*tp).tp_new = None;
        } else if (*tp).tp_new.is_some() {
            if !has_new(tp)? {
                wrappers::add_tp_new_wrapper(tp)?;
            }
        } else if !base.is_null() {
            (*tp).tp_new = (*base).tp_new;
        }
        Ok(())
    }
}

unsafe fn set_preheader(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_MANAGED_DICT != 0 {
            if (*tp).tp_dictoffset > 0 || (*tp).tp_dictoffset < -1 {
                return Err(err_format!(
                    PyExc_TypeError,
                    c"type %s has the Py_TPFLAGS_MANAGED_DICT flag but tp_dictoffset is set",
                    (*tp).tp_name
                ));
            }
            (*tp).tp_dictoffset = -1;
        }
        if (*tp).tp_flags & Py_TPFLAGS_MANAGED_WEAKREF != 0 {
            if (*tp).tp_weaklistoffset != 0 && (*tp).tp_weaklistoffset != MANAGED_WEAKREF_OFFSET {
                return Err(err_format!(
                    PyExc_TypeError,
                    c"type %s has the Py_TPFLAGS_MANAGED_WEAKREF flag but tp_weaklistoffset is set",
                    (*tp).tp_name
                ));
            }
            (*tp).tp_weaklistoffset = MANAGED_WEAKREF_OFFSET;
        }
        Ok(())
    }
}

/// A type with neither `tp_hash` nor `__hash__` is unhashable, and its `__hash__` is None.
unsafe fn set_hash(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let name = intern!("__hash__");
        if (*tp).tp_hash.is_some() || dict_has((*tp).tp_dict, name)? {
            return Ok(());
        }
        dict_set((*tp).tp_dict, name, Py_None())?;
        (*tp).tp_hash = Some(crate::object::PyObject_HashNotImplemented);
        Ok(())
    }
}

unsafe fn set_managed_dict(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_MANAGED_DICT == 0 {
            return Ok(());
        }
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            return Err(err_format!(
                PyExc_SystemError,
                c"type %s has the Py_TPFLAGS_MANAGED_DICT flag but not Py_TPFLAGS_HEAPTYPE flag",
                (*tp).tp_name
            ));
        }
        let et: *mut PyHeapTypeObject = tp.cast();
        if (*et).ht_cached_keys.is_null() {
            (*et).ht_cached_keys = _PyDict_NewKeysForClass(et).cast();
            if (*et).ht_cached_keys.is_null() {
                PyErr_NoMemory();
                return Err(raised());
            }
        }
        if (*tp).tp_itemsize == 0 && (*tp).tp_basicsize == size_of::<PyObject>() as Py_ssize_t {
            (*tp).tp_flags |= Py_TPFLAGS_INLINE_VALUES;
        }
        Ok(())
    }
}

unsafe fn check_result(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_HAVE_GC != 0 && (*tp).tp_traverse.is_none() {
            return Err(err_format!(
                PyExc_SystemError,
                c"type %s has the Py_TPFLAGS_HAVE_GC flag but has no traverse function",
                (*tp).tp_name
            ));
        }
        if (*tp).tp_flags & Py_TPFLAGS_MANAGED_DICT != 0 && (*tp).tp_dictoffset != -1 {
            return Err(err_format!(
                PyExc_SystemError,
                c"type %s has the Py_TPFLAGS_MANAGED_DICT flag but tp_dictoffset is set to incompatible value",
                (*tp).tp_name
            ));
        }
        Ok(())
    }
}

unsafe fn type_ready(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_name.is_null() {
            bail!(PyExc_SystemError, "Type does not define the tp_name field.");
        }
        if (*tp).tp_dict.is_null() {
            (*tp).tp_dict = own(PyDict_New())?.into_raw();
        }
        set_base_and_type(tp)?;
        set_bases(tp)?;
        set_mro(tp)?;
        set_new(tp)?;
        fill_dict(tp)?;
        inherit::inherit(tp)?;
        set_preheader(tp)?;
        set_hash(tp)?;
        add_all_subclasses(tp, (*tp).tp_bases)?;
        set_managed_dict(tp)?;
        check_result(tp)?;
        (*tp).tp_flags |= Py_TPFLAGS_READY;
        Ok(())
    }
}

unsafe fn guarded_ready(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        (*tp).tp_flags |= Py_TPFLAGS_READYING;
        let result = type_ready(tp);
        (*tp).tp_flags &= !Py_TPFLAGS_READYING;
        if result.is_ok() {
            check_consistency(tp);
        }
        result
    }
}

/// Completes a type object: dict, bases, MRO, inherited slots, descriptors. Harmless when it is ready already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_Ready(tp: *mut PyTypeObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_READY != 0 {
            return 0;
        }
        slotdefs::init_names();
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            (*tp).tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
            set_immortal(tp.cast());
        }
        guarded_ready(tp).into_c()
    }
}

/// As `PyType_Ready`, for the interpreter's own static types.
///
/// # Safety
/// [GIL] `tp` is a static type whose bases are ready.
pub unsafe fn init_builtin_type(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_READY != 0 {
            return Ok(());
        }
        slotdefs::init_names();
        set_immortal(tp.cast());
        (*tp).tp_flags |= Py_TPFLAGS_STATIC_BUILTIN | Py_TPFLAGS_IMMUTABLETYPE;
        assign_static_version_tag(tp);
        guarded_ready(tp)
    }
}

/// See [`init_builtin_type`]; for static types of modules that come with the interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyStaticType_InitForExtension(_interp: *mut PyInterpreterState, tp: *mut PyTypeObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { init_builtin_type(tp).into_c() }
}

/// See [`init_builtin_type`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyStaticType_InitBuiltin(_interp: *mut PyInterpreterState, tp: *mut PyTypeObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { init_builtin_type(tp).into_c() }
}

// ---- subclasses ----------------------------------------------------------------------------------------------------

/// Subclasses of static types that an interpreter other than the main one has made: a dict like `tp_subclasses` for each such
/// type, under its address. All interpreters share the static types, but each sees only its own classes.
static SUBCLASSES: PerInterpreter = PerInterpreter::new();

/// Whether the classes that derive from `base` are kept apart for the running interpreter.
pub(super) unsafe fn apart(base: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*base).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 && !crate::runtime::in_main_interpreter() }
}

/// The running interpreter's dict of subclasses of a static type, lent; NULL if there is none.
pub(super) unsafe fn own_subclasses(base: *mut PyTypeObject, make: bool) -> PyResult<*mut PyObject> {
    // SAFETY: [ARGS]
    unsafe {
        if SUBCLASSES.get().is_null() {
            if !make {
                return Ok(null_mut());
            }
            SUBCLASSES.set(Some(own(PyDict_New())?));
        }
        let key = own(PyLong_FromVoidPtr(base.cast()))?;
        let all = Owned::from_borrowed(SUBCLASSES.get());
        let found = PyDict_GetItemWithError(all.as_ptr(), key.as_ptr());
        if !found.is_null() || !make {
            return if found.is_null() && err_occurred() { Err(raised()) } else { Ok(found) };
        }
        let new = own(PyDict_New())?;
        dict_set(all.as_ptr(), key.as_ptr(), new.as_ptr())?;
        Ok(new.as_ptr())
    }
}

/// Records `tp` as a subclass of `base`: a weak reference under the address.
unsafe fn add_subclass(base: *mut PyTypeObject, tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let key = own(PyLong_FromVoidPtr(tp.cast()))?;
        let weak = own(PyWeakref_NewRef(tp.cast(), null_mut()))?;
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 && apart(base) {
            let dict = Owned::from_borrowed(own_subclasses(base, true)?);
            return dict_set(dict.as_ptr(), key.as_ptr(), weak.as_ptr());
        }
        // Making these may run a collection, which may change the registry: it is read only now.
        if (*base).tp_subclasses.is_null() {
            (*base).tp_subclasses = own(PyDict_New())?.into_raw();
        }
        dict_set((*base).tp_subclasses, key.as_ptr(), weak.as_ptr())
    }
}

pub(super) unsafe fn add_all_subclasses(tp: *mut PyTypeObject, bases: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        for &base in tuple_items(bases) {
            add_subclass(base.cast(), tp)?;
        }
        Ok(())
    }
}

pub(super) unsafe fn remove_all_subclasses(tp: *mut PyTypeObject, bases: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        for &base in tuple_items(bases) {
            let base: *mut PyTypeObject = base.cast();
            if PyType_Check(base.cast()) == 0 {
                continue;
            }
            if apart(base) {
                match (own_subclasses(base, false), own(PyLong_FromVoidPtr(tp.cast()))) {
                    (Ok(dict), Ok(key)) if !dict.is_null() => {
                        if PyDict_DelItem(dict, key.as_ptr()) < 0 {
                            PyErr_Clear();
                        }
                    }
                    _ => PyErr_Clear(),
                }
                continue;
            }
            if (*base).tp_subclasses.is_null() {
                continue;
            }
            let key = PyLong_FromVoidPtr(tp.cast());
            // Absent when the type failed half-way.
            if key.is_null() || PyDict_DelItem((*base).tp_subclasses, key) < 0 {
                PyErr_Clear();
            }
            Py_XDECREF(key);
            if PyDict_Size((*base).tp_subclasses) == 0 {
                Py_CLEAR(&raw mut (*base).tp_subclasses);
            }
        }
    }
}

/// Whether the type has live subclasses.
///
/// # Safety
/// [GIL] `tp` is live.
pub unsafe fn has_subclasses(tp: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { !subclasses_of(tp).is_empty() }
}
