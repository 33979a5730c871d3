//! Modules and their definitions.

use crate::object::{dict_get, dict_set, err_format, optional_attr, own, raised};
use crate::typeobject::{PyType_Ready, TYPE_INIT};
use core::ffi::{c_char, c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Str, getset, initializer, members, methods};

type Ob = *mut PyObject;
type Mod<'a> = Borrowed<'a, PyModuleObject>;

const PYTHON_API_VERSION: c_int = 1013;
const PYTHON_ABI_VERSION: c_int = 3;

/// `moduledef`: what extension modules return from their initialisation in several phases.
#[unsafe(no_mangle)]
pub static mut PyModuleDef_Type: PyTypeObject = PyTypeObject {
    tp_name: c"moduledef".as_ptr(),
    tp_basicsize: size_of::<PyModuleDef>() as Py_ssize_t,
    ..TYPE_INIT
};

static mut MAX_MODULE_NUMBER: Py_ssize_t = 0;

/// Makes a module definition an object and numbers it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModuleDef_Init(def: *mut PyModuleDef) -> Ob {
    // SAFETY: [ARGS] definitions are static: they are never freed.
    unsafe {
        if PyType_Ready(&raw mut PyModuleDef_Type) < 0 {
            return null_mut();
        }
        if (*def).m_base.m_index == 0 {
            (*def).m_base.ob_base.ob_type = &raw mut PyModuleDef_Type;
            if !is_immortal(def.cast()) {
                (*def).m_base.ob_base.ob_refcnt.ob_refcnt = 1;
            }
            MAX_MODULE_NUMBER += 1;
            (*def).m_base.m_index = MAX_MODULE_NUMBER;
        }
        def.cast()
    }
}

/// The number that the next module definition gets.
///
/// # Safety
/// [GIL]
pub unsafe fn _PyImport_GetNextModuleIndex() -> Py_ssize_t {
    // SAFETY: [GIL]
    unsafe {
        MAX_MODULE_NUMBER += 1;
        MAX_MODULE_NUMBER
    }
}

unsafe fn init_dict(module: *mut PyModuleObject, name: Ob, doc: Ob) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let dict = (*module).md_dict;
        let none = Py_None();
        dict_set(dict, intern!("__name__"), name)?;
        dict_set(dict, intern!("__doc__"), doc)?;
        dict_set(dict, intern!("__package__"), none)?;
        dict_set(dict, intern!("__loader__"), none)?;
        dict_set(dict, intern!("__spec__"), none)?;
        if PyUnicode_CheckExact(name) != 0 {
            Py_INCREF(name);
            setref(&raw mut (*module).md_name, name);
        }
        Ok(())
    }
}

/// An empty module of type `tp`, tracked.
unsafe fn allocate(tp: *mut PyTypeObject) -> PyResult<Owned<PyModuleObject>> {
    // SAFETY: [ARGS] alloc zeroes.
    unsafe {
        let op = own(crate::gc::alloc(tp, 0))?;
        let m: Owned<PyModuleObject> = op.cast();
        (*m.as_ptr()).md_dict = own(PyDict_New())?.into_raw();
        crate::gc::gc_track(m.as_ptr().cast());
        Ok(m)
    }
}

unsafe extern "C" fn new_module(tp: *mut PyTypeObject, _: Ob, _: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { allocate(tp).into_c() }
}

unsafe fn module_named(name: Ob) -> PyResult<Owned<PyModuleObject>> {
    // SAFETY: [ARGS]
    unsafe {
        let m = allocate(&raw mut PyModule_Type)?;
        init_dict(m.as_ptr(), name, Py_None())?;
        Ok(m)
    }
}

fn module_init(slf: Mod<'_>, name: Str<'_>, doc: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE] a subclass may have made the object without the dict.
    unsafe {
        if slf.md_dict.is_null() {
            (*slf.as_ptr()).md_dict = own(PyDict_New())?.into_raw();
        }
        init_dict(slf.as_ptr(), name.ob(), doc.ob())
    }
}

unsafe extern "C" fn module_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        let m: *mut PyModuleObject = op.cast();
        if !(*m).md_weaklist.is_null() {
            PyObject_ClearWeakRefs(op);
        }
        if let Some(free) = state_function(m, |def| def.m_free) {
            free(op.cast());
        }
        Py_XDECREF((*m).md_dict);
        Py_XDECREF((*m).md_name);
        if !(*m).md_state.is_null() {
            PyMem_Free((*m).md_state);
        }
        match (*(*op).ob_type).tp_free {
            Some(free) => free(op.cast()),
            None => PyObject_GC_Del(op.cast()),
        }
    }
}

/// A function of the definition, unless it would meet a state that was never made.
unsafe fn state_function<F>(m: *mut PyModuleObject, f: impl FnOnce(&PyModuleDef) -> Option<F>) -> Option<F> {
    // SAFETY: [TYPE]
    unsafe {
        let def = (*m).md_def.as_ref()?;
        if def.m_size > 0 && (*m).md_state.is_null() {
            return None;
        }
        f(def)
    }
}

unsafe extern "C" fn module_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let m: *mut PyModuleObject = op.cast();
        if let Some(f) = state_function(m, |def| def.m_traverse) {
            let r = f(op, visitor, arg);
            if r != 0 {
                return r;
            }
        }
        visit((*m).md_dict, visitor, arg)
    }
}

unsafe extern "C" fn module_clear(op: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let m: *mut PyModuleObject = op.cast();
        if let Some(f) = state_function(m, |def| def.m_clear) {
            let r = f(op);
            if err_occurred() {
                if (*m).md_name.is_null() {
                    PyErr_FormatUnraisable(c"Exception ignored in m_clear of module".as_ptr());
                } else {
                    PyErr_FormatUnraisable(c"Exception ignored in m_clear of module %U".as_ptr(), (*m).md_name);
                }
            }
            if r != 0 {
                return r;
            }
        }
        Py_CLEAR(&raw mut (*m).md_dict);
        0
    }
}

unsafe extern "C" fn module_repr(op: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { _PyImport_ImportlibModuleRepr((*current_tstate()).interp, op) }
}

// ---- attribute access ----------------------------------------------------------------------------------------------

/// Whether the module that `spec` belongs to is being imported right now.
///
/// # Safety
/// `spec` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyModuleSpec_IsInitializing(spec: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if spec.is_null() {
            return 0;
        }
        match optional_attr(spec, intern!("_initializing")) {
            Ok(Some(value)) => PyObject_IsTrue(value.as_ptr()),
            Ok(None) => 0,
            Err(_) => -1,
        }
    }
}

unsafe fn is_uninitialized_submodule(spec: Ob, name: Ob) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        match optional_attr(spec, intern!("_uninitialized_submodules"))? {
            Some(value) => match PySequence_Contains(value.as_ptr(), name) {
                r if r < 0 => Err(raised()),
                r => Ok(r != 0),
            },
            None => Ok(false),
        }
    }
}

/// The file that a spec says the module comes from.
///
/// # Safety
/// `spec` is live.
pub unsafe fn _PyModuleSpec_GetFileOrigin(spec: Ob) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(has_location) = optional_attr(spec, intern!("has_location"))? else { return Ok(None) };
        match PyObject_IsTrue(has_location.as_ptr()) {
            r if r < 0 => return Err(raised()),
            0 => return Ok(None),
            _ => {}
        }
        let origin = optional_attr(spec, intern!("origin"))?;
        Ok(origin.filter(|o| PyUnicode_Check(o.as_ptr()) != 0))
    }
}

/// What the start of the program put in front of `sys.path`.
static SYS_PATH_0: std::sync::OnceLock<String> = std::sync::OnceLock::new();

/// Tells what the start of the program put in front of `sys.path`, whatever happens to that list later.
pub fn set_sys_path_0(path: &str) {
    let _ = SYS_PATH_0.set(path.to_string());
}

/// Whether a module from `origin` may hide another of its name: it lies in the script's directory (`sys.path[0]`).
///
/// # Safety
/// `origin` is a str.
pub unsafe fn _PyModule_IsPossiblyShadowing(origin: Ob) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let flags = PySys_GetObject(c"flags".as_ptr());
        if flags.is_null() {
            return Ok(false);
        }
        if let Some(safe) = optional_attr(flags, intern!("safe_path"))?
            && PyObject_IsTrue(safe.as_ptr()) != 0
        {
            return Ok(false);
        }
        let Some(first) = SYS_PATH_0.get() else { return Ok(false) };
        let origin = crate::object::text_of(origin);
        let root = origin.strip_suffix("/__init__.py").unwrap_or(&origin);
        let Some((root, _)) = root.rsplit_once('/') else { return Ok(false) };
        if first.is_empty() {
            return Ok(std::env::current_dir().is_ok_and(|d| d.as_os_str() == root));
        }
        Ok(first == root)
    }
}

/// The best explanation for a module's missing attribute.
#[cold]
unsafe fn missing_attribute(m: *mut PyModuleObject, name: Ob) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let mod_name = match dict_get((*m).md_dict, intern!("__name__"))? {
            Some(n) if PyUnicode_Check(n.as_ptr()) != 0 => n,
            _ => return Err(err_format!(PyExc_AttributeError, c"module has no attribute '%U'", name)),
        };
        let mn = mod_name.as_ptr();
        let plain = || err_format!(PyExc_AttributeError, c"module '%U' has no attribute '%U'", mn, name);
        let Some(spec) = dict_get((*m).md_dict, intern!("__spec__"))? else { return Err(plain()) };
        let origin = _PyModuleSpec_GetFileOrigin(spec.as_ptr())?;
        let shadowing = match &origin {
            Some(o) => _PyModule_IsPossiblyShadowing(o.as_ptr())?,
            None => false,
        };
        if let (true, Some(origin)) = (shadowing, &origin) {
            let stdlib = PySys_GetObject(c"stdlib_module_names".as_ptr());
            if !stdlib.is_null() && PyAnySet_Check(stdlib) != 0 {
                let contains = PySet_Contains(stdlib, mn);
                check_status(contains)?;
                if contains != 0 {
                    return Err(err_format!(
                        PyExc_AttributeError,
                        c"module '%U' has no attribute '%U' (consider renaming '%U' since it has the same name as the standard library module named '%U' and prevents importing that standard library module)",
                        mn,
                        name,
                        origin.as_ptr(),
                        mn
                    ));
                }
            }
        }
        let initializing = _PyModuleSpec_IsInitializing(spec.as_ptr());
        check_status(initializing)?;
        if initializing != 0 {
            return Err(match &origin {
                Some(origin) if shadowing => err_format!(
                    PyExc_AttributeError,
                    c"module '%U' has no attribute '%U' (consider renaming '%U' if it has the same name as a library you intended to import)",
                    mn,
                    name,
                    origin.as_ptr()
                ),
                Some(origin) => err_format!(
                    PyExc_AttributeError,
                    c"partially initialized module '%U' from '%U' has no attribute '%U' (most likely due to a circular import)",
                    mn,
                    origin.as_ptr(),
                    name
                ),
                None => err_format!(
                    PyExc_AttributeError,
                    c"partially initialized module '%U' has no attribute '%U' (most likely due to a circular import)",
                    mn,
                    name
                ),
            });
        }
        if is_uninitialized_submodule(spec.as_ptr(), name)? {
            return Err(err_format!(
                PyExc_AttributeError,
                c"cannot access submodule '%U' of module '%U' (most likely due to a circular import)",
                name,
                mn
            ));
        }
        Err(plain())
    }
}

/// `getattr(module, name)` with the module's `__getattr__`; with `suppress` a missing attribute is NULL without an
/// exception.
pub(crate) unsafe fn module_getattro_impl(m: *mut PyModuleObject, name: Ob, suppress: bool) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let attr = crate::object::_PyObject_GenericGetAttrWithDict(m.cast(), name, null_mut(), 1);
        if !attr.is_null() || err_occurred() {
            return attr;
        }
        if (*m).md_dict.is_null() {
            if !suppress {
                let _ = err_format!(PyExc_AttributeError, c"module has no attribute '%U'", name);
            }
            return null_mut();
        }
        match dict_get((*m).md_dict, intern!("__getattr__")) {
            Err(_) => null_mut(),
            Ok(Some(getattr)) => {
                let result = PyObject_CallOneArg(getattr.as_ptr(), name);
                if result.is_null() && suppress && PyErr_ExceptionMatches(PyExc_AttributeError) != 0 {
                    PyErr_Clear();
                }
                result
            }
            Ok(None) => {
                if !suppress {
                    let _ = missing_attribute(m, name);
                }
                null_mut()
            }
        }
    }
}

/// The `tp_getattro` of modules.
pub unsafe extern "C" fn module_getattro(op: Ob, name: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { module_getattro_impl(op.cast(), name, false) }
}

unsafe fn dict_of(slf: Mod<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let dict = own(PyObject_GetAttr(slf.ob(), intern!("__dict__")))?;
        if PyDict_Check(dict.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "<module>.__dict__ is not a dictionary");
        }
        Ok(dict)
    }
}

fn module_dir(slf: Mod<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let dict = dict_of(slf)?;
        match dict_get(dict.as_ptr(), intern!("__dir__"))? {
            Some(f) => own(PyObject_CallNoArgs(f.as_ptr())),
            None => own(PyDict_Keys(dict.as_ptr())),
        }
    }
}

fn module_get_annotations(slf: Mod<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let dict = dict_of(slf)?;
        let name = intern!("__annotations__");
        if let Some(found) = dict_get(dict.as_ptr(), name)? {
            return Ok(found);
        }
        let new = own(PyDict_New())?;
        dict_set(dict.as_ptr(), name, new.as_ptr())?;
        Ok(new)
    }
}

fn module_set_annotations(slf: Mod<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let dict = dict_of(slf)?;
        let name = intern!("__annotations__");
        match value {
            Some(value) => dict_set(dict.as_ptr(), name, value.ob()),
            None => match PyDict_Pop(dict.as_ptr(), name, null_mut()) {
                0 => {
                    PyErr_SetObject(PyExc_AttributeError, name);
                    Err(raised())
                }
                r => check_status(r),
            },
        }
    }
}

methods! { static MODULE_METHODS = [
    raw "__dir__", PyMethodDefPointer { PyCFunction: module_dir_entry }, METH_NOARGS,
        "__dir__() -> list\nNames in the module, or what its own __dir__() returns.";
]; }
unsafe extern "C" fn module_dir_entry(op: Ob, _: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { module_dir(Borrowed::from_ptr(op.cast())).into_c() }
}
members! { static MODULE_MEMBERS = [
    "__dict__", crate::descrobject::T_OBJECT, offset_of!(PyModuleObject, md_dict), Py_READONLY, "";
]; }
getset! { static MODULE_GETSETS = [
    "__annotations__" => module_get_annotations, module_set_annotations, "";
]; }

/// `module`.
#[unsafe(no_mangle)]
pub static mut PyModule_Type: PyTypeObject = PyTypeObject {
    tp_name: c"module".as_ptr(),
    tp_basicsize: size_of::<PyModuleObject>() as Py_ssize_t,
    tp_dealloc: Some(module_dealloc),
    tp_repr: Some(module_repr),
    tp_getattro: Some(module_getattro),
    tp_setattro: Some(crate::object::PyObject_GenericSetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    tp_doc: c"module(name, doc=None)\n--\n\nMake a module object.\n\nThe name must be a string; doc may be any object.".as_ptr(),
    tp_traverse: Some(module_traverse),
    tp_clear: Some(module_clear),
    tp_weaklistoffset: offset_of!(PyModuleObject, md_weaklist) as Py_ssize_t,
    tp_methods: (&raw mut MODULE_METHODS).cast(),
    tp_members: (&raw mut MODULE_MEMBERS).cast(),
    tp_getset: (&raw mut MODULE_GETSETS).cast(),
    tp_dictoffset: offset_of!(PyModuleObject, md_dict) as Py_ssize_t,
    tp_init: Some(initializer!("module(name, doc=None)" => module_init)),
    tp_new: Some(new_module),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- the C API -----------------------------------------------------------------------------------------------------

/// A new module with the given name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_NewObject(name: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { module_named(name).into_c() }
}

/// A new module with the given name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_New(name: *const c_char) -> Ob {
    // SAFETY: [ARGS]
    unsafe { own(PyUnicode_FromString(name)).and_then(|name| module_named(name.as_ptr())).into_c() }
}

unsafe fn check_api_version(name: *const c_char, version: c_int) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if version == PYTHON_API_VERSION || version == PYTHON_ABI_VERSION {
            return Ok(());
        }
        let format = c"Python C API version mismatch for module %.100s: This Python has API version %d, module %.100s has version %d.";
        check_status(PyErr_WarnFormat(PyExc_RuntimeWarning, 1, format.as_ptr(), name, PYTHON_API_VERSION, name, version))
    }
}

unsafe fn add_methods(module: Ob, name: Ob, functions: *mut PyMethodDef) -> PyResult<()> {
    // SAFETY: [ARGS] the table ends with a NULL name.
    unsafe {
        let mut def = functions;
        while !(*def).ml_name.is_null() {
            if (*def).ml_flags & (METH_CLASS | METH_STATIC) != 0 {
                bail!(PyExc_ValueError, "module functions cannot set METH_CLASS or METH_STATIC");
            }
            let f = own(PyCMethod_New(def, module, name, null_mut()))?;
            check_status(PyObject_SetAttrString(module, (*def).ml_name, f.as_ptr()))?;
            def = def.add(1);
        }
        Ok(())
    }
}

unsafe fn zeroed_state(size: Py_ssize_t) -> PyResult<*mut c_void> {
    // SAFETY: [GIL]
    unsafe {
        let p = PyMem_Calloc(1, size.max(1) as usize);
        if p.is_null() {
            PyErr_NoMemory();
            return Err(raised());
        }
        Ok(p)
    }
}

/// A module from a definition without slots (single-phase initialisation). `name` is the definition's, with the package
/// that is being imported in front if need be.
///
/// # Safety
/// [GIL] `def` is a static definition.
pub unsafe fn _PyModule_CreateInitialized(def: *mut PyModuleDef, version: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyModuleDef_Init(def).is_null() {
            return Err(raised());
        }
        let name = (*def).m_name;
        check_api_version(name, version)?;
        if !(*def).m_slots.is_null() {
            return Err(err_format!(PyExc_SystemError, c"module %s: PyModule_Create is incompatible with m_slots", name));
        }
        let name = _PyImport_ResolveNameWithPackageContext(name);
        let name = own(PyUnicode_FromString(name))?;
        let module = module_named(name.as_ptr())?;
        let m = module.as_ptr();
        if (*def).m_size > 0 {
            (*m).md_state = zeroed_state((*def).m_size)?;
        }
        if !(*def).m_methods.is_null() {
            add_methods(m.cast(), name.as_ptr(), (*def).m_methods)?;
        }
        if !(*def).m_doc.is_null() {
            check_status(PyModule_SetDocString(m.cast(), (*def).m_doc))?;
        }
        (*m).md_def = def;
        Ok(module.into_object())
    }
}

/// See [`_PyModule_CreateInitialized`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_Create2(def: *mut PyModuleDef, version: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe { _PyModule_CreateInitialized(def, version).into_c() }
}

/// What a definition's slots ask for.
unsafe fn create_slot(def: *mut PyModuleDef, name: *const c_char) -> PyResult<(*mut c_void, bool)> {
    // SAFETY: [ARGS] the slots end with zero.
    unsafe {
        let mut create: *mut c_void = null_mut();
        let (mut executes, mut interpreters, mut gil) = (false, false, false);
        let mut support = SUPPORTED;
        let mut slot = (*def).m_slots;
        while !slot.is_null() && (*slot).slot != 0 {
            match (*slot).slot {
                Py_mod_create => {
                    if !create.is_null() {
                        return Err(err_format!(PyExc_SystemError, c"module %s has multiple create slots", name));
                    }
                    create = (*slot).value;
                }
                Py_mod_exec => executes = true,
                Py_mod_multiple_interpreters => {
                    if interpreters {
                        return Err(err_format!(
                            PyExc_SystemError,
                            c"module %s has more than one 'multiple interpreters' slots",
                            name
                        ));
                    }
                    interpreters = true;
                    support = (*slot).value as usize;
                }
                Py_mod_gil => {
                    if gil {
                        return Err(err_format!(PyExc_SystemError, c"module %s has more than one 'gil' slot", name));
                    }
                    gil = true;
                }
                n => return Err(err_format!(PyExc_SystemError, c"module %s uses unknown slot ID %i", name, n)),
            }
            slot = slot.add(1);
        }
        check_interpreter(name, support)?;
        Ok((create, executes))
    }
}

/// `Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED`, and the kinds of support of several interpreters.
const NOT_SUPPORTED: usize = 0;
const SUPPORTED: usize = 1;
const PER_INTERPRETER_GIL_SUPPORTED: usize = 2;

unsafe extern "C" {
    // python: importdl, pystate
    fn _PyImport_CheckSubinterpIncompatibleExtensionAllowed(name: *const c_char) -> c_int;
    fn PyInterpreterState_Main() -> *mut PyInterpreterState;
    fn _PyInterpreterState_OwnsGil(interp: *mut PyInterpreterState) -> c_int;
}

/// ImportError when a module supports less than the running interpreter asks for.
unsafe fn check_interpreter(name: *const c_char, support: usize) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let interp = (*current_tstate()).interp;
        if interp == PyInterpreterState_Main() || support == PER_INTERPRETER_GIL_SUPPORTED {
            return Ok(());
        }
        if support == NOT_SUPPORTED || _PyInterpreterState_OwnsGil(interp) != 0 {
            check_status(_PyImport_CheckSubinterpIncompatibleExtensionAllowed(name))?;
        }
        Ok(())
    }
}

unsafe fn from_def_and_spec(def: *mut PyModuleDef, spec: Ob, version: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyModuleDef_Init(def).is_null() {
            return Err(raised());
        }
        let nameobj = own(PyObject_GetAttrString(spec, c"name".as_ptr()))?;
        let name = PyUnicode_AsUTF8(nameobj.as_ptr());
        if name.is_null() {
            return Err(raised());
        }
        check_api_version(name, version)?;
        if (*def).m_size < 0 {
            return Err(err_format!(
                PyExc_SystemError,
                c"module %s: m_size may not be negative for multi-phase initialization",
                name
            ));
        }
        let (create, executes) = create_slot(def, name)?;
        let m = if create.is_null() {
            module_named(nameobj.as_ptr())?.into_object()
        } else {
            type Create = unsafe extern "C" fn(Ob, *mut PyModuleDef) -> Ob;
            let create = core::mem::transmute::<*mut c_void, Create>(create);
            let m = Owned::from_owned_or_opt(create(spec, def));
            match m {
                None => {
                    if !err_occurred() {
                        return Err(err_format!(
                            PyExc_SystemError,
                            c"creation of module %s failed without setting an exception",
                            name
                        ));
                    }
                    return Err(raised());
                }
                Some(_) if err_occurred() => {
                    _PyErr_FormatFromCause(
                        PyExc_SystemError,
                        c"creation of module %s raised unreported exception".as_ptr(),
                        name,
                    );
                    return Err(raised());
                }
                Some(m) => m,
            }
        };
        if PyModule_Check(m.as_ptr()) != 0 {
            let mo: *mut PyModuleObject = m.as_ptr().cast();
            (*mo).md_state = null_mut();
            (*mo).md_def = def;
        } else {
            if (*def).m_size > 0 || (*def).m_traverse.is_some() || (*def).m_clear.is_some() || (*def).m_free.is_some() {
                return Err(err_format!(
                    PyExc_SystemError,
                    c"module %s is not a module object, but requests module state",
                    name
                ));
            }
            if executes {
                return Err(err_format!(
                    PyExc_SystemError,
                    c"module %s specifies execution slots, but did not create a ModuleType instance",
                    name
                ));
            }
        }
        if !(*def).m_methods.is_null() {
            add_methods(m.as_ptr(), nameobj.as_ptr(), (*def).m_methods)?;
        }
        if !(*def).m_doc.is_null() {
            check_status(PyModule_SetDocString(m.as_ptr(), (*def).m_doc))?;
        }
        Ok(m)
    }
}

/// A module from a definition with slots (multi-phase initialisation), not yet executed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_FromDefAndSpec2(def: *mut PyModuleDef, spec: Ob, version: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe { from_def_and_spec(def, spec, version).into_c() }
}

unsafe fn exec_def(module: Ob, def: *mut PyModuleDef) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let name = PyModule_GetName(module);
        if name.is_null() {
            return Err(raised());
        }
        let m: *mut PyModuleObject = module.cast();
        // The state, even of size zero, marks a module as executed: a reload does nothing.
        if (*def).m_size >= 0 && (*m).md_state.is_null() {
            (*m).md_state = zeroed_state((*def).m_size)?;
        }
        let mut slot = (*def).m_slots;
        while !slot.is_null() && (*slot).slot != 0 {
            match (*slot).slot {
                Py_mod_exec => {
                    type Exec = unsafe extern "C" fn(Ob) -> c_int;
                    let exec = core::mem::transmute::<*mut c_void, Exec>((*slot).value);
                    let failed = exec(module) != 0;
                    if failed && !err_occurred() {
                        return Err(err_format!(
                            PyExc_SystemError,
                            c"execution of module %s failed without setting an exception",
                            name
                        ));
                    }
                    if failed {
                        return Err(raised());
                    }
                    if err_occurred() {
                        _PyErr_FormatFromCause(
                            PyExc_SystemError,
                            c"execution of module %s raised unreported exception".as_ptr(),
                            name,
                        );
                        return Err(raised());
                    }
                }
                Py_mod_create | Py_mod_multiple_interpreters | Py_mod_gil => {}
                n => return Err(err_format!(PyExc_SystemError, c"module %s initialized with unknown slot %i", name, n)),
            }
            slot = slot.add(1);
        }
        Ok(())
    }
}

/// Executes a module from a definition with slots.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_ExecDef(module: Ob, def: *mut PyModuleDef) -> c_int {
    // SAFETY: [ARGS]
    unsafe { exec_def(module, def).into_c() }
}

/// Adds functions to a module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_AddFunctions(module: Ob, functions: *mut PyMethodDef) -> c_int {
    // SAFETY: [ARGS]
    unsafe { own(PyModule_GetNameObject(module)).and_then(|name| add_methods(module, name.as_ptr(), functions)).into_c() }
}

/// Sets `__doc__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_SetDocString(module: Ob, doc: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        own(PyUnicode_FromString(doc))
            .and_then(|doc| check_status(PyObject_SetAttr(module, intern!("__doc__"), doc.as_ptr())))
            .into_c()
    }
}

/// The module's dict, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_GetDict(module: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if PyModule_Check(module) == 0 {
            PyErr_BadInternalCall();
            return null_mut();
        }
        (*module.cast::<PyModuleObject>()).md_dict
    }
}

/// A str in the module's dict.
unsafe fn text_attribute(module: Ob, name: Ob, missing: &str) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyModule_Check(module) == 0 {
            PyErr_BadArgument();
            return Err(raised());
        }
        let dict = (*module.cast::<PyModuleObject>()).md_dict;
        if !dict.is_null()
            && PyDict_Check(dict) != 0
            && let Some(text) = dict_get(dict, name)?
            && PyUnicode_Check(text.as_ptr()) != 0
        {
            return Ok(text);
        }
        bail!(PyExc_SystemError, "{missing}")
    }
}

/// `module.__name__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_GetNameObject(module: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { text_attribute(module, intern!("__name__"), "nameless module").into_c() }
}

/// `module.__file__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_GetFilenameObject(module: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { text_attribute(module, intern!("__file__"), "module filename missing").into_c() }
}

/// The text of a str that the module's dict keeps alive.
unsafe fn lent_utf8(text: Ob) -> *const c_char {
    // SAFETY: [ARGS]
    unsafe {
        match own(text) {
            Ok(text) => PyUnicode_AsUTF8(text.as_ptr()),
            Err(_) => core::ptr::null(),
        }
    }
}

/// `module.__name__`, lent by the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_GetName(module: Ob) -> *const c_char {
    // SAFETY: [ARGS]
    unsafe { lent_utf8(PyModule_GetNameObject(module)) }
}

/// `module.__file__`, lent by the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_GetFilename(module: Ob) -> *const c_char {
    // SAFETY: [ARGS]
    unsafe { lent_utf8(PyModule_GetFilenameObject(module)) }
}

/// The definition, NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_GetDef(module: Ob) -> *mut PyModuleDef {
    // SAFETY: [ARGS]
    unsafe {
        if PyModule_Check(module) == 0 {
            PyErr_BadArgument();
            return null_mut();
        }
        (*module.cast::<PyModuleObject>()).md_def
    }
}

/// The state, NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_GetState(module: Ob) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        if PyModule_Check(module) == 0 {
            PyErr_BadArgument();
            return null_mut();
        }
        (*module.cast::<PyModuleObject>()).md_state
    }
}

/// Sets a module's globals to None at shutdown: first private names, then all but `__builtins__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyModule_ClearDict(dict: Ob) {
    // SAFETY: [ARGS] values are replaced, no key is added or removed.
    unsafe {
        let none = Py_None();
        let is = |key: Ob, i: Py_ssize_t, c: u8| PyUnicode_GET_LENGTH(key) > i && PyUnicode_ReadChar(key, i) == c as u32;
        for private in [true, false] {
            let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
            while PyDict_Next(dict, &mut pos, &mut key, &mut value) != 0 {
                if value == none || PyUnicode_Check(key) == 0 {
                    continue;
                }
                let doomed = if private {
                    is(key, 0, b'_') && !is(key, 1, b'_')
                } else {
                    !is(key, 0, b'_') || _PyUnicode_Equal(key, intern!("__builtins__")) == 0
                };
                if doomed && PyDict_SetItem(dict, key, none) != 0 {
                    PyErr_FormatUnraisable(c"Exception ignored on clearing module dict".as_ptr());
                }
            }
        }
    }
}

/// See [`_PyModule_ClearDict`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyModule_Clear(module: Ob) {
    // SAFETY: [ARGS]
    unsafe {
        let dict = (*module.cast::<PyModuleObject>()).md_dict;
        if !dict.is_null() {
            _PyModule_ClearDict(dict);
        }
    }
}
