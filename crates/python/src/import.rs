//! The import system's C side: `sys.modules`, built-in modules, `__import__`.

use crate::pystate::interp;
use crate::sysmodule::audit;
use crate::util::*;
use core::ffi::{CStr, c_char, c_int, c_long};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicI64, AtomicUsize, Ordering::*};
use std::sync::{Condvar, Mutex};
use taipan_abi::*;

/// Magic number of `.pyc` files: the bytecode's version and CRLF.
pub const PYC_MAGIC_NUMBER: u32 = 3571;
const PYC_MAGIC_NUMBER_TOKEN: u32 = PYC_MAGIC_NUMBER | ((b'\r' as u32) << 16) | ((b'\n' as u32) << 24);

// ---- the import lock

/// The global import lock: recursive, held by one thread.
pub struct ImportLock {
    level: Mutex<u32>,
    cond: Condvar,
    owner: AtomicUsize,
}

impl ImportLock {
    /// A free lock.
    pub const fn new() -> Self {
        ImportLock { level: Mutex::new(0), cond: Condvar::new(), owner: AtomicUsize::new(0) }
    }
    /// Takes the lock, waiting without the GIL.
    pub fn acquire(&self) {
        let me = crate::pystate::thread_ident();
        if self.owner.load(Relaxed) == me {
            *self.level.lock().unwrap_or_else(|e| e.into_inner()) += 1;
            return;
        }
        let try_now = || {
            let mut level = self.level.lock().unwrap_or_else(|e| e.into_inner());
            if *level == 0 {
                *level = 1;
                self.owner.store(me, Relaxed);
                return true;
            }
            false
        };
        if try_now() {
            return;
        }
        crate::ceval_gil::allow_threads(|| {
            let mut level = self.level.lock().unwrap_or_else(|e| e.into_inner());
            while *level != 0 {
                level = self.cond.wait(level).unwrap_or_else(|e| e.into_inner());
            }
            *level = 1;
            self.owner.store(me, Relaxed);
        });
    }
    /// Gives the lock back; false when this thread does not hold it.
    pub fn release(&self) -> bool {
        if self.owner.load(Relaxed) != crate::pystate::thread_ident() {
            return false;
        }
        let mut level = self.level.lock().unwrap_or_else(|e| e.into_inner());
        *level -= 1;
        if *level == 0 {
            self.owner.store(0, Relaxed);
            self.cond.notify_one();
        }
        true
    }
    /// Whether any thread holds it.
    pub fn held(&self) -> bool {
        self.owner.load(Relaxed) != 0
    }
    /// In the child of a fork: as deep as before, because the thread that forked holds it.
    ///
    /// # Safety
    /// Only the calling thread exists, and holds the lock.
    pub unsafe fn reinit_after_fork(&mut self) {
        let level = if self.held() { *self.level.lock().unwrap_or_else(|e| e.into_inner()) } else { 0 };
        let owner = if level > 0 { crate::pystate::thread_ident() } else { 0 };
        // SAFETY: the old contents own nothing.
        unsafe {
            (self as *mut Self).write(ImportLock { level: Mutex::new(level), cond: Condvar::new(), owner: AtomicUsize::new(owner) });
        }
    }
}
impl Default for ImportLock {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes the import lock of the running interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_AcquireLock(_interp: *mut PyInterpreterState) {
    interp().import_lock.acquire();
}

/// Gives the import lock of the running interpreter back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_ReleaseLock(_interp: *mut PyInterpreterState) {
    interp().import_lock.release();
}

// ---- the table of built-in modules

/// Entry of the table of built-in modules (`struct _inittab`).
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "CPython's names")]
pub struct Inittab {
    pub name: *const c_char,
    pub initfunc: Option<unsafe extern "C" fn() -> *mut PyObject>,
}

/// The table, ended by a NULL name.
#[unsafe(no_mangle)]
pub static mut PyImport_Inittab: *mut Inittab = null_mut();

static INITTAB: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

type InitFunc = unsafe extern "C" fn() -> *mut PyObject;

/// Adds a built-in module to the table; before initialisation.
pub fn register_builtin(name: &'static CStr, init: InitFunc) {
    add_inittab(name.as_ptr(), Some(init));
}

fn add_inittab(name: *const c_char, init: Option<InitFunc>) {
    let mut all = INITTAB.lock().unwrap_or_else(|e| e.into_inner());
    if all.is_empty() {
        let own: [(&CStr, Option<InitFunc>); 8] = [
            (c"marshal", Some(crate::marshal::PyMarshal_Init)),
            (c"_imp", Some(crate::imp_module::PyInit__imp)),
            (c"builtins", None),
            (c"sys", None),
            (c"_warnings", Some(crate::warnings::_PyWarnings_Init)),
            (c"_contextvars", Some(crate::context::PyInit__contextvars)),
            (c"_codecs", Some(crate::codecs_module::PyInit__codecs)),
            (c"_signal", Some(crate::signals::PyInit__signal)),
        ];
        for (n, f) in own {
            all.push((n.as_ptr() as usize, f.map_or(0, |f| f as usize)));
        }
    }
    if !name.is_null() {
        all.push((name as usize, init.map_or(0, |f| f as usize)));
    }
    // The exported table is laid out anew; an older one may still be in use and stays.
    let table: Vec<Inittab> = all
        .iter()
        .map(|&(n, f)| Inittab {
            name: n as *const c_char,
            // SAFETY: the number was made from such a function.
            initfunc: if f == 0 { None } else { Some(unsafe { core::mem::transmute::<usize, InitFunc>(f) }) },
        })
        .chain([Inittab { name: core::ptr::null(), initfunc: None }])
        .collect();
    // SAFETY: before initialisation, or with the GIL held.
    unsafe { PyImport_Inittab = Box::leak(table.into_boxed_slice()).as_mut_ptr() };
}

/// Makes sure that the table has the runtime's own modules.
pub fn init_inittab() {
    // SAFETY: as above.
    if unsafe { PyImport_Inittab.is_null() } {
        add_inittab(core::ptr::null(), None);
    }
}

/// Adds a built-in module; before initialisation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_AppendInittab(name: *const c_char, initfunc: Option<InitFunc>) -> c_int {
    if crate::pystate::INITIALIZED.load(Relaxed) {
        fatal("PyImport_AppendInittab() may not be called after Py_Initialize()");
    }
    add_inittab(name, initfunc);
    0
}

/// Adds built-in modules; before initialisation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ExtendInittab(newtab: *mut Inittab) -> c_int {
    // SAFETY: [ARGS] ended by a NULL name.
    unsafe {
        let mut p = newtab;
        while !(*p).name.is_null() {
            add_inittab((*p).name, (*p).initfunc);
            p = p.add(1);
        }
    }
    0
}

/// The built-in modules.
pub fn inittab() -> impl Iterator<Item = (&'static CStr, Option<InitFunc>)> {
    init_inittab();
    // SAFETY: ended by a NULL name; tables are never freed.
    unsafe {
        let mut p = PyImport_Inittab;
        core::iter::from_fn(move || {
            if (*p).name.is_null() {
                return None;
            }
            let e = *p;
            p = p.add(1);
            Some((CStr::from_ptr(e.name), e.initfunc))
        })
    }
}

/// The function that makes the built-in module `name`; `Some(None)` for `sys` and `builtins`.
///
/// # Safety
/// `name` is a str.
pub unsafe fn find_builtin(name: *mut PyObject) -> Option<Option<InitFunc>> {
    // SAFETY: [ARGS]
    unsafe { inittab().find(|(n, _)| _PyUnicode_EqualToASCIIString(name, n.as_ptr()) != 0).map(|(_, f)| f) }
}

// ---- sys.modules

/// `sys.modules`, borrowed; a fatal error when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_GetModuleDict() -> *mut PyObject {
    let m = interp().modules;
    if m.is_null() {
        fatal("interpreter has no modules dictionary");
    }
    m
}

fn modules() -> PyResult<*mut PyObject> {
    let m = interp().modules;
    if m.is_null() {
        bail!(PyExc_RuntimeError, "unable to get sys.modules");
    }
    Ok(m)
}

/// `sys.modules.get(name)`, where it is any mapping.
///
/// # Safety
/// `name` is live.
pub unsafe fn import_get_module(name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let modules = modules()?;
        if (*modules).ob_type == &raw mut PyDict_Type {
            return dict_get(modules, name);
        }
        let hold = Owned::from_borrowed(modules);
        let mut v = null_mut();
        check_status(PyMapping_GetOptionalItem(hold.as_ptr(), name, &mut v))?;
        Ok(Owned::from_owned_or_opt(v))
    }
}

/// A module of `sys.modules`, NULL without exception if it is not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_GetModule(name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { import_get_module(name).into_c() }
}

/// `sys.modules[name] = m`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_SetModule(name: *mut PyObject, m: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match modules() {
            Ok(d) => PyObject_SetItem(d, name, m),
            Err(_) => -1,
        }
    }
}

/// `sys.modules[name] = m` for a C name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_SetModuleString(name: *const c_char, m: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match modules() {
            Ok(d) => PyMapping_SetItemString(d, name, m),
            Err(_) => -1,
        }
    }
}

unsafe fn import_add_module(name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let modules = interp().modules;
        if modules.is_null() {
            bail!(PyExc_RuntimeError, "no import module dictionary");
        }
        if let Some(m) = import_get_module(name)?
            && PyModule_Check(m.as_ptr()) != 0
        {
            return Ok(m);
        }
        let m = own(PyModule_NewObject(name))?;
        check_status(PyObject_SetItem(modules, name, m.as_ptr()))?;
        Ok(m)
    }
}

/// A module of `sys.modules`, made empty if it is not there; a new reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_AddModuleRef(name: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyUnicode_FromString(name)) {
            Ok(n) => import_add_module(n.as_ptr()).into_c(),
            Err(_) => null_mut(),
        }
    }
}

/// A module of `sys.modules`, made empty if it is not there; borrowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_AddModuleObject(name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] sys.modules holds the module.
    unsafe {
        match import_add_module(name) {
            Ok(m) => m.as_ptr(),
            Err(_) => null_mut(),
        }
    }
}

/// A module of `sys.modules`, made empty if it is not there; borrowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_AddModule(name: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyUnicode_FromString(name)) {
            Ok(n) => PyImport_AddModuleObject(n.as_ptr()),
            Err(_) => null_mut(),
        }
    }
}

unsafe fn remove_module(name: *mut PyObject) {
    // SAFETY: [ARGS] keeps the exception that is set.
    with_saved_exception(|| unsafe {
        let modules = interp().modules;
        if PyMapping_Check(modules) != 0 && PyObject_DelItem(modules, name) < 0 {
            PyErr_Clear();
        }
    });
}

// ---- magic number

/// The magic number of `.pyc` files.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_GetMagicNumber() -> c_long {
    PYC_MAGIC_NUMBER_TOKEN as c_long
}

/// The tag of cached files.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_GetMagicTag() -> *const c_char {
    c"cpython-313".as_ptr()
}

// ---- running code as a module

unsafe fn module_dict_for_exec(name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let m = import_add_module(name)?;
        let d = PyModule_GetDict(m.as_ptr());
        if d.is_null() {
            return Err(Raised::assume());
        }
        let d = Owned::from_borrowed(d);
        if PyDict_Contains(d.as_ptr(), intern!("__builtins__")) == 0
            && PyDict_SetItem(d.as_ptr(), intern!("__builtins__"), PyEval_GetBuiltins()) < 0
        {
            remove_module(name);
            return Err(Raised::assume());
        }
        Ok(d)
    }
}

unsafe fn exec_code_in_module(name: *mut PyObject, dict: *mut PyObject, code: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if let Err(e) = own(PyEval_EvalCode(code, dict, dict)) {
            remove_module(name);
            return Err(e);
        }
        match import_get_module(name)? {
            Some(m) => Ok(m),
            None => bail!(PyExc_ImportError, "Loaded module {} not found in sys.modules", repr(name)?),
        }
    }
}

/// Runs code as the module `name`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ExecCodeModuleObject(name: *mut PyObject, co: *mut PyObject, pathname: *mut PyObject, cpathname: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let d = module_dict_for_exec(name)?;
        let pathname = if pathname.is_null() { (*co.cast::<PyCodeObject>()).co_filename } else { pathname };
        let importlib = interp().importlib;
        let external = getattr(importlib, intern!("_bootstrap_external"))?;
        let cpath = if cpathname.is_null() { Py_None() } else { cpathname };
        if let Err(e) = call_method(external.as_ptr(), intern!("_fix_up_module"), &[d.as_ptr(), name, pathname, cpath]) {
            e.clear();
        }
        exec_code_in_module(name, d.as_ptr(), co)
    })();
    r.into_c()
}

/// Runs code as the module `name`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ExecCodeModuleWithPathnames(name: *const c_char, co: *mut PyObject, pathname: *const c_char, cpathname: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let name = own(PyUnicode_FromString(name))?;
        let decode = |p: *const c_char| if p.is_null() { Ok(None) } else { own(PyUnicode_DecodeFSDefault(p)).map(Some) };
        let cpath = decode(cpathname)?;
        let mut path = decode(pathname)?;
        if path.is_none()
            && let Some(c) = &cpath
        {
            let external = getattr(interp().importlib, intern!("_bootstrap_external"))?;
            match call_method(external.as_ptr(), intern!("_get_sourcefile"), &[c.as_ptr()]) {
                Ok(p) => path = Some(p),
                Err(e) => e.clear(),
            }
        }
        let p = |o: &Option<Owned>| o.as_ref().map_or(null_mut(), |o| o.as_ptr());
        own(PyImport_ExecCodeModuleObject(name.as_ptr(), co, p(&path), p(&cpath)))
    })();
    r.into_c()
}

/// Runs code as the module `name`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ExecCodeModuleEx(name: *const c_char, co: *mut PyObject, pathname: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyImport_ExecCodeModuleWithPathnames(name, co, pathname, core::ptr::null()) }
}

/// Runs code as the module `name`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ExecCodeModule(name: *const c_char, co: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyImport_ExecCodeModuleWithPathnames(name, co, core::ptr::null(), core::ptr::null()) }
}

/// Runs a frozen module: 1 done, 0 there is none, -1 error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ImportFrozenModuleObject(name: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    let r: PyResult<bool> = (|| unsafe {
        if name.is_null() || PyUnicode_Check(name) == 0 {
            return Ok(false);
        }
        let Some(info) = crate::frozen::find_str(name) else { return Ok(false) };
        let co = crate::frozen::code(&info)?;
        if info.is_package {
            let m = import_add_module(name)?;
            let d = PyModule_GetDict(m.as_ptr());
            let l = own(PyList_New(0))?;
            dict_set(d, intern!("__path__"), l.as_ptr())?;
        }
        let d = module_dict_for_exec(name)?;
        exec_code_in_module(name, d.as_ptr(), co.as_ptr())?;
        let m = import_add_module(name)?;
        let origname = match info.origname {
            Some(o) => new_str(o)?,
            None => none(),
        };
        dict_set(PyModule_GetDict(m.as_ptr()), intern!("__origname__"), origname.as_ptr())?;
        Ok(true)
    })();
    r.into_c()
}

/// Runs a frozen module: 1 done, 0 there is none, -1 error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ImportFrozenModule(name: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyUnicode_InternFromString(name)) {
            Ok(n) => PyImport_ImportFrozenModuleObject(n.as_ptr()),
            Err(_) => -1,
        }
    }
}

// ---- start of importlib

/// Runs `importlib._bootstrap`: from then on built-in and frozen modules can be imported.
pub fn init_importlib() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        if PyImport_ImportFrozenModule(c"_frozen_importlib".as_ptr()) <= 0 {
            if !err_occurred() {
                bail!(PyExc_SystemError, "can't find the frozen module _frozen_importlib");
            }
            return Err(Raised::assume());
        }
        let importlib = own(PyImport_AddModuleRef(c"_frozen_importlib".as_ptr()))?;
        interp().importlib = importlib.clone().into_raw();
        let imp = crate::imp_module::create()?;
        check_status(_PyImport_SetModuleString(c"_imp".as_ptr(), imp.as_ptr()))?;
        let sys = own(PyImport_AddModuleRef(c"sys".as_ptr()))?;
        call_method(importlib.as_ptr(), intern!("_install"), &[sys.as_ptr(), imp.as_ptr()])?;
        Ok(())
    }
}

/// Runs `importlib._bootstrap_external` and installs its finders: from then on files can be imported.
pub fn init_external() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        call_method(interp().importlib, intern!("_install_external_importers"), &[])?;
        Ok(())
    }
}

/// Puts `zipimport.zipimporter` before the other path hooks.
pub fn init_zipimport() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let Some(hooks) = crate::sysmodule::get_optional_attr(intern!("path_hooks"))? else {
            bail!(PyExc_RuntimeError, "unable to get sys.path_hooks");
        };
        if interp().config.verbose > 0 {
            crate::errln!("# installing zipimport hook");
        }
        let zip = match import(c"zipimport") {
            Ok(m) => m,
            Err(e) => {
                e.clear();
                return Ok(());
            }
        };
        if let Some(importer) = getattr_opt(zip.as_ptr(), intern!("zipimporter"))? {
            check_status(PyList_Insert(hooks.as_ptr(), 0, importer.as_ptr()))?;
        }
        Ok(())
    }
}

// ---- importers of paths

/// The importer of an entry of `sys.path`, from the cache or from the first hook that takes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_GetImporter(path: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let Some(cache) = crate::sysmodule::get_optional_attr(intern!("path_importer_cache"))? else {
            bail!(PyExc_RuntimeError, "lost sys.path_importer_cache");
        };
        let Some(hooks) = crate::sysmodule::get_optional_attr(intern!("path_hooks"))? else {
            bail!(PyExc_RuntimeError, "lost sys.path_hooks");
        };
        if PyDict_Check(cache.as_ptr()) == 0 || PyList_Check(hooks.as_ptr()) == 0 {
            return Ok(none());
        }
        if let Some(found) = dict_get(cache.as_ptr(), path)? {
            return Ok(found);
        }
        dict_set(cache.as_ptr(), path, Py_None())?;
        let mut importer = none();
        let mut i = 0;
        while i < PyList_GET_SIZE(hooks.as_ptr()) {
            let hook = Owned::from_borrowed(PyList_GET_ITEM(hooks.as_ptr(), i));
            match call(hook.as_ptr(), &[path]) {
                Ok(found) => {
                    importer = found;
                    break;
                }
                Err(e) if e.matches(PyExc_ImportError) => e.clear(),
                Err(e) => return Err(e),
            }
            i += 1;
        }
        dict_set(cache.as_ptr(), path, importer.as_ptr())?;
        Ok(importer)
    })();
    r.into_c()
}

// ---- __import__

/// Whether a module's spec says that it is being initialised.
///
/// # Safety
/// `spec` is NULL or live.
pub unsafe fn spec_is_initializing(spec: Option<&Owned>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(spec) = spec else { return Ok(false) };
        if spec.as_ptr() == Py_None() {
            return Ok(false);
        }
        match getattr_opt(spec.as_ptr(), intern!("_initializing"))? {
            Some(v) => is_true(v.as_ptr()),
            None => Ok(false),
        }
    }
}

/// Waits until another thread has finished importing `m`.
unsafe fn import_ensure_initialized(m: *mut PyObject, name: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let spec = getattr_opt(m, intern!("__spec__"))?;
        if !spec_is_initializing(spec.as_ref())? {
            return Ok(());
        }
        call_method(interp().importlib, intern!("_lock_unlock_module"), &[name])?;
        Ok(())
    }
}

/// The absolute name of a relative import.
unsafe fn resolve_name(name: *mut PyObject, globals: *mut PyObject, level: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if globals.is_null() {
            bail!(PyExc_KeyError, "'__name__' not in globals");
        }
        if PyDict_Check(globals) == 0 {
            bail!(PyExc_TypeError, "globals must be a dict");
        }
        let given = |o: Option<Owned>| o.filter(|p| p.as_ptr() != Py_None());
        let package = given(dict_get(globals, intern!("__package__"))?);
        let spec = given(dict_get(globals, intern!("__spec__"))?);
        let package = if let Some(package) = package {
            if PyUnicode_Check(package.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "package must be a string");
            }
            if let Some(spec) = &spec {
                let parent = getattr(spec.as_ptr(), intern!("parent"))?;
                if !flag(PyObject_RichCompareBool(package.as_ptr(), parent.as_ptr(), Py_EQ))? {
                    check_status(PyErr_WarnEx(
                        PyExc_DeprecationWarning,
                        c"__package__ != __spec__.parent".as_ptr(),
                        1,
                    ))?;
                }
            }
            package
        } else if let Some(spec) = &spec {
            let parent = getattr(spec.as_ptr(), intern!("parent"))?;
            if PyUnicode_Check(parent.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "__spec__.parent must be a string");
            }
            parent
        } else {
            check_status(PyErr_WarnEx(
                PyExc_ImportWarning,
                c"can't resolve package from __spec__ or __package__, falling back on __name__ and __path__".as_ptr(),
                1,
            ))?;
            let Some(package) = dict_get(globals, intern!("__name__"))? else {
                bail!(PyExc_KeyError, "'__name__' not in globals");
            };
            if PyUnicode_Check(package.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "__name__ must be a string");
            }
            if flag(PyDict_Contains(globals, intern!("__path__")))? {
                package
            } else {
                let n = PyUnicode_GetLength(package.as_ptr());
                let dot = PyUnicode_FindChar(package.as_ptr(), b'.' as u32, 0, n, -1);
                if dot == -2 {
                    return Err(Raised::assume());
                }
                if dot == -1 {
                    bail!(PyExc_ImportError, "attempted relative import with no known parent package");
                }
                own(PyUnicode_Substring(package.as_ptr(), 0, dot))?
            }
        };
        let mut last = PyUnicode_GetLength(package.as_ptr());
        if last == 0 {
            bail!(PyExc_ImportError, "attempted relative import with no known parent package");
        }
        for _ in 1..level {
            last = PyUnicode_FindChar(package.as_ptr(), b'.' as u32, 0, last, -1);
            if last == -2 {
                return Err(Raised::assume());
            }
            if last == -1 {
                bail!(PyExc_ImportError, "attempted relative import beyond top-level package");
            }
        }
        let base = own(PyUnicode_Substring(package.as_ptr(), 0, last))?;
        if PyUnicode_GetLength(name) == 0 {
            return Ok(base);
        }
        let dot = new_str(".")?;
        let head = own(PyUnicode_Concat(base.as_ptr(), dot.as_ptr()))?;
        own(PyUnicode_Concat(head.as_ptr(), name))
    }
}

static IMPORT_LEVEL: AtomicI64 = AtomicI64::new(0);
static IMPORT_ACCUMULATED: AtomicI64 = AtomicI64::new(-1);

unsafe fn import_find_and_load(abs_name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let ip = interp();
        if ip.importlib.is_null() {
            // A start that fails reports its error with what it has.
            bail!(PyExc_ImportError, "the import system isn't there yet");
        }
        if crate::sysmodule::auditing() {
            let get = |n| crate::sysmodule::get_optional_attr(n).map(|o| o.unwrap_or_else(none));
            let path = get(intern!("path"))?;
            let meta = get(intern!("meta_path"))?;
            let hooks = get(intern!("path_hooks"))?;
            audit(c"import", &[abs_name, Py_None(), path.as_ptr(), meta.as_ptr(), hooks.as_ptr()])?;
        }
        let load = || call_method(ip.importlib, intern!("_find_and_load"), &[abs_name, ip.import_func]);
        if ip.config.import_time == 0 {
            return load();
        }
        if IMPORT_ACCUMULATED.load(Relaxed) < 0 {
            crate::errln!("import time: self [us] | cumulative | imported package");
            IMPORT_ACCUMULATED.store(0, Relaxed);
        }
        let level = IMPORT_LEVEL.fetch_add(1, Relaxed);
        let outer = IMPORT_ACCUMULATED.swap(0, Relaxed);
        let start = std::time::Instant::now();
        let m = load();
        let all = start.elapsed().as_nanos() as i64;
        IMPORT_LEVEL.fetch_sub(1, Relaxed);
        let inner = IMPORT_ACCUMULATED.load(Relaxed);
        let us = |ns: i64| (ns + 999) / 1000;
        crate::errln!("import time: {:9} | {:10} | {:w$}{}", us(all - inner), us(all), "", lossy(abs_name), w = level as usize * 2);
        IMPORT_ACCUMULATED.store(outer + all, Relaxed);
        m
    }
}

/// Takes importlib's frames out of the traceback of the exception that is set: all of them for ImportError, otherwise
/// those that end in `_call_with_frames_removed`.
unsafe fn remove_importlib_frames() {
    // SAFETY: [TYPE] a traceback chain of the exception that is set.
    unsafe {
        let exc = PyErr_GetRaisedException();
        if exc.is_null() || interp().config.verbose > 0 {
            PyErr_SetRaisedException(exc);
            return;
        }
        let always = PyType_IsSubtype((*exc).ob_type, PyExc_ImportError.cast()) != 0;
        let head: *mut *mut PyTracebackObject = (&raw mut (*exc.cast::<PyBaseExceptionObject>()).traceback).cast();
        let mut prev_link = head;
        let mut outer_link = head;
        let mut inside = false;
        let mut tb = *head;
        while !tb.is_null() {
            let next = (*tb).tb_next;
            let co = own(PyFrame_GetCode((*tb).tb_frame.cast()));
            let Ok(co) = co else {
                PyErr_Clear();
                break;
            };
            let code: *mut PyCodeObject = co.as_ptr().cast();
            let is = |o: *mut PyObject, s: &CStr| _PyUnicode_EqualToASCIIString(o, s.as_ptr()) != 0;
            let now = is((*code).co_filename, c"<frozen importlib._bootstrap>") || is((*code).co_filename, c"<frozen importlib._bootstrap_external>");
            if now && !inside {
                outer_link = prev_link;
            }
            inside = now;
            if inside && (always || is((*code).co_name, c"_call_with_frames_removed")) {
                Py_XINCREF(next.cast());
                setref(outer_link, next);
                prev_link = outer_link;
            } else {
                prev_link = &raw mut (*tb).tb_next;
            }
            tb = next;
        }
        PyErr_SetRaisedException(exc);
    }
}

/// Imports: `name` (a str) relative to the package of `globals` when `level` > 0; gives the top module unless `fromlist` has
/// something, then the module itself with those submodules loaded.
///
/// # Safety
/// Objects are live or NULL.
pub unsafe fn import_module_level(name: *mut PyObject, globals: *mut PyObject, fromlist: *mut PyObject, level: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if name.is_null() {
            bail!(PyExc_ValueError, "Empty module name");
        }
        if PyUnicode_Check(name) == 0 {
            bail!(PyExc_TypeError, "module name must be a string");
        }
        if level < 0 {
            bail!(PyExc_ValueError, "level must be >= 0");
        }
        let abs_name = if level > 0 {
            resolve_name(name, globals, level)?
        } else {
            if PyUnicode_GetLength(name) == 0 {
                bail!(PyExc_ValueError, "Empty module name");
            }
            Owned::from_borrowed(name)
        };
        let m = match import_get_module(abs_name.as_ptr())? {
            Some(m) if m.as_ptr() != Py_None() => {
                import_ensure_initialized(m.as_ptr(), abs_name.as_ptr())?;
                m
            }
            _ => import_find_and_load(abs_name.as_ptr())?,
        };
        let has_from = !fromlist.is_null() && fromlist != Py_None() && is_true(fromlist)?;
        if has_from {
            // Only a package has submodules to load.
            return match getattr_opt(m.as_ptr(), intern!("__path__"))? {
                Some(_) => call_method(interp().importlib, intern!("_handle_fromlist"), &[m.as_ptr(), fromlist, interp().import_func]),
                None => Ok(m),
            };
        }
        let len = PyUnicode_GetLength(name);
        if level != 0 && len == 0 {
            return Ok(m);
        }
        let dot = PyUnicode_FindChar(name, b'.' as u32, 0, len, 1);
        if dot == -2 {
            return Err(Raised::assume());
        }
        if dot == -1 {
            return Ok(m);
        }
        if level == 0 {
            let front = own(PyUnicode_Substring(name, 0, dot))?;
            return import_module_level(front.as_ptr(), null_mut(), null_mut(), 0);
        }
        let cut = len - dot;
        let abs_len = PyUnicode_GetLength(abs_name.as_ptr());
        let to_return = own(PyUnicode_Substring(abs_name.as_ptr(), 0, abs_len - cut))?;
        match import_get_module(to_return.as_ptr())? {
            Some(m) => Ok(m),
            None => bail!(PyExc_KeyError, "{} not in sys.modules as expected", repr(to_return.as_ptr())?),
        }
    }
}

/// `__import__`; see [`import_module_level`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ImportModuleLevelObject(name: *mut PyObject, globals: *mut PyObject, _locals: *mut PyObject, fromlist: *mut PyObject, level: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let r = import_module_level(name, globals, fromlist, level);
        if r.is_err() {
            remove_importlib_frames();
        }
        r.into_c()
    }
}

/// `__import__` with a C name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ImportModuleLevel(name: *const c_char, globals: *mut PyObject, locals: *mut PyObject, fromlist: *mut PyObject, level: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyUnicode_FromString(name)) {
            Ok(n) => PyImport_ImportModuleLevelObject(n.as_ptr(), globals, locals, fromlist, level),
            Err(_) => null_mut(),
        }
    }
}

/// Imports a module through the current `__import__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_Import(module_name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let fromlist = own(PyList_New(0))?;
        let globals = PyEval_GetGlobals();
        let (globals, builtins) = if !globals.is_null() {
            (Owned::from_borrowed(globals), own(PyObject_GetItem(globals, intern!("__builtins__")))?)
        } else {
            let b = own(PyImport_ImportModuleLevel(c"builtins".as_ptr(), null_mut(), null_mut(), null_mut(), 0))?;
            let g = own(PyDict_New())?;
            dict_set(g.as_ptr(), intern!("__builtins__"), b.as_ptr())?;
            (g, b)
        };
        let import_func = if PyDict_Check(builtins.as_ptr()) != 0 {
            match own(PyObject_GetItem(builtins.as_ptr(), intern!("__import__"))) {
                Ok(f) => f,
                Err(e) => {
                    e.clear();
                    bail!(PyExc_KeyError, "__import__");
                }
            }
        } else {
            getattr(builtins.as_ptr(), intern!("__import__"))?
        };
        let zero = new_int(0)?;
        let g = globals.as_ptr();
        call(import_func.as_ptr(), &[module_name, g, g, fromlist.as_ptr(), zero.as_ptr()])?;
        match import_get_module(module_name)? {
            Some(m) => Ok(m),
            None => {
                _PyErr_SetKeyError(module_name);
                Err(Raised::assume())
            }
        }
    })();
    r.into_c()
}

/// Imports a module by name, dotted names included, and gives that very module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ImportModule(name: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyUnicode_FromString(name)) {
            Ok(n) => PyImport_Import(n.as_ptr()),
            Err(_) => null_mut(),
        }
    }
}

/// As [`PyImport_ImportModule`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ImportModuleNoBlock(name: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyErr_WarnEx(
            PyExc_DeprecationWarning,
            c"PyImport_ImportModuleNoBlock() is deprecated and scheduled for removal in Python 3.15. Use PyImport_ImportModule() instead.".as_ptr(),
            1,
        ) < 0
        {
            return null_mut();
        }
        PyImport_ImportModule(name)
    }
}

/// `importlib.reload(m)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyImport_ReloadModule(m: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let importlib = import(c"importlib")?;
        call_method(importlib.as_ptr(), intern!("reload"), &[m])
    })();
    r.into_c()
}

/// An attribute of a module that is imported if need be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_GetModuleAttr(modname: *mut PyObject, attrname: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyImport_Import(modname)) {
            Ok(m) => PyObject_GetAttr(m.as_ptr(), attrname),
            Err(_) => null_mut(),
        }
    }
}

/// An attribute of a module that is imported if need be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_GetModuleAttrString(modname: *const c_char, attrname: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let m = own(PyUnicode_FromString(modname))?;
        let a = own(PyUnicode_FromString(attrname))?;
        own(_PyImport_GetModuleAttr(m.as_ptr(), a.as_ptr()))
    })();
    r.into_c()
}

/// A module of `sys.modules` when it is there, imported otherwise: for names that the runtime needs again and again.
pub fn import_cached(name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        match import_get_module(name)? {
            Some(m) => Ok(m),
            None => own(PyImport_Import(name)),
        }
    }
}

