//! Extension modules: loading shared objects, running their initialisers, remembering those of the single-phase kind.

use crate::import::_PyImport_SetModule;
use crate::pystate::{
    InterpreterState, PyThreadState_Clear, PyThreadState_Delete, PyThreadState_Swap, RTFLAGS_MULTI_INTERP_EXTENSIONS, _PyThreadState_NewBound,
    as_interp, interp, main_interp, set_module_at,
};
use crate::sysmodule::audit;
use crate::util::*;
use core::ffi::{CStr, c_char, c_int, c_void};
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Mutex;
use taipan_abi::*;

/// Suffixes of extension modules, most specific first.
pub static EXTENSION_SUFFIXES: [&str; 3] = [".cpython-313-x86_64-linux-gnu.so", ".abi3.so", ".so"];

type InitFunc = unsafe extern "C" fn() -> *mut PyObject;

/// A single-phase module that was initialised once, in whatever interpreter. What a new interpreter makes its own module from
/// is in the definition's `m_base`: the function that makes it again, or a copy of its dict.
#[derive(Clone, Copy)]
struct Cached {
    def: usize,
    index: Py_ssize_t,
    /// The copy of the dict, which the definition may meanwhile have lost.
    copied: usize,
}

static EXTENSIONS: Mutex<Option<HashMap<(String, String), Cached>>> = Mutex::new(None);

fn cached(key: &(String, String)) -> Option<Cached> {
    EXTENSIONS.lock().unwrap_or_else(|e| e.into_inner()).as_ref().and_then(|m| m.get(key)).copied()
}

thread_local! {
    static PKGCONTEXT: Cell<*const c_char> = const { Cell::new(core::ptr::null()) };
}

/// The full name of the module being initialised when `name` is its last part, else `name`: initialisers know only the
/// last part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_ResolveNameWithPackageContext(name: *const c_char) -> *const c_char {
    let context = PKGCONTEXT.get();
    if context.is_null() {
        return name;
    }
    // SAFETY: [ARGS] the context lives while the initialiser runs.
    unsafe {
        let full = CStr::from_ptr(context).to_bytes();
        if let Some(dot) = full.iter().rposition(|&b| b == b'.')
            && full[dot + 1..] == *CStr::from_ptr(name).to_bytes()
        {
            PKGCONTEXT.set(core::ptr::null());
            return context;
        }
    }
    name
}

/// Replaces the name of the module being initialised, and says the old one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_SwapPackageContext(new: *const c_char) -> *const c_char {
    PKGCONTEXT.replace(new)
}

fn key(path: *mut PyObject, name: *mut PyObject) -> (String, String) {
    // SAFETY: [ARGS] strs.
    unsafe { (lossy(path), lossy(name)) }
}

/// ImportError when the running interpreter takes no extension that keeps its state in static variables.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_CheckSubinterpIncompatibleExtensionAllowed(name: *const c_char) -> c_int {
    let ip = interp();
    let refused = match ip.override_multi_interp {
        0 => ip.published.feature_flags & RTFLAGS_MULTI_INTERP_EXTENSIONS != 0,
        n => n > 0,
    };
    if refused {
        // SAFETY: [ARGS]
        let _ = raise!(PyExc_ImportError, "module {} does not support loading in subinterpreters", c_text(name));
        return -1;
    }
    0
}

unsafe fn check_single_phase(short: &CStr) -> PyResult<()> {
    // SAFETY: [ARGS]
    check_status(unsafe { _PyImport_CheckSubinterpIncompatibleExtensionAllowed(short.as_ptr()) })
}

/// The dict that `sys` or `builtins` had at start, which their second import gives.
unsafe fn core_module_copy(name: *mut PyObject, path: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] strs.
    unsafe {
        let is = |text: &CStr| _PyUnicode_EqualToASCIIString(name, text.as_ptr()) != 0;
        match () {
            () if name != path => core::ptr::null_mut(),
            () if is(c"sys") => interp().sysdict_copy,
            () if is(c"builtins") => interp().builtins_copy,
            () => core::ptr::null_mut(),
        }
    }
}

/// A module with the contents of `dict`.
unsafe fn module_from_copy(name: *mut PyObject, dict: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let m = crate::import::PyImport_AddModuleObject(name);
        if m.is_null() {
            return Err(Raised::assume());
        }
        let m = Owned::from_borrowed(m);
        check_status(PyDict_Update(PyModule_GetDict(m.as_ptr()), dict))?;
        Ok(m)
    }
}

/// Makes the running interpreter's own module of one that was initialised before; `None` where nothing is left to make it of.
unsafe fn make_again(known: Cached, info: &Info) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS] definitions are static.
    unsafe {
        check_single_phase(&info.short)?;
        let def = known.def as *mut PyModuleDef;
        let m = if (*def).m_size == -1 {
            let copy = (*def).m_base.m_copy;
            if copy.is_null() {
                return Ok(None);
            }
            let copy = Owned::from_borrowed(copy);
            module_from_copy(info.name, copy.as_ptr())?
        } else {
            let Some(init) = (*def).m_base.m_init else { return Ok(None) };
            let m = match run(init, info) {
                Ok(Product::Module(m, _)) => m,
                Ok(Product::Definition(_)) => bail!(PyExc_SystemError, "initialization of {} did not return an extension module", info.short.to_string_lossy()),
                Err(e) => return Err(e.raise(&info.short)),
            };
            set_file(m.as_ptr(), info);
            check_status(_PyImport_SetModule(info.name, m.as_ptr()))?;
            m
        };
        if let Err(e) = set_module_at(known.index, m.as_ptr()) {
            let modules = interp().modules;
            if PyObject_DelItem(modules, info.name) < 0 {
                PyErr_Clear();
            }
            return Err(e);
        }
        Ok(Some(m))
    }
}

/// The module `name` of the single-phase kind made again, `None` if it was not initialised before.
///
/// # Safety
/// Both are strs; `path` is the name for a built-in module.
pub unsafe fn reload_singlephase(name: *mut PyObject, path: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let copy = core_module_copy(name, path);
        if !copy.is_null() {
            return module_from_copy(name, copy).map(Some);
        }
        let key = key(path, name);
        let Some(known) = cached(&key) else { return Ok(None) };
        let info = Info::new(name, path, None)?;
        let m = make_again(known, &info)?;
        match &m {
            // The copy of the dict went with the interpreter that the module was first made in.
            None => drop_cached(&key),
            Some(_) if interp().config.verbose > 0 => crate::errln!("import {} # previously loaded ({})", lossy(name), repr(path)?),
            Some(_) => {}
        }
        Ok(m)
    }
}

fn drop_cached(key: &(String, String)) {
    let old = EXTENSIONS.lock().unwrap_or_else(|e| e.into_inner()).as_mut().and_then(|m| m.remove(key));
    if let Some(old) = old {
        // SAFETY: [OWN] the cache's reference.
        drop(unsafe { Owned::from_owned_or_opt(old.copied as *mut PyObject) });
    }
}

/// Forgets a single-phase module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_ClearExtension(name: *mut PyObject, path: *mut PyObject) -> c_int {
    let key = key(path, name);
    let Some(known) = cached(&key) else { return 0 };
    // SAFETY: [ARGS] definitions are static.
    unsafe {
        let def = known.def as *mut PyModuleDef;
        (*def).m_base.m_init = None;
        setref(&raw mut (*def).m_base.m_copy, core::ptr::null_mut());
        (*def).m_base.m_index = 0;
        let list = interp().modules_by_index;
        if known.index > 0 && !list.is_null() && known.index < PyList_GET_SIZE(list) {
            Py_INCREF(Py_None());
            if PyList_SetItem(list, known.index, Py_None()) < 0 {
                return -1;
            }
        }
    }
    drop_cached(&key);
    0
}

/// Lets go of the modules of extensions of an interpreter that ends, and of the copies of their dicts.
///
/// # Safety
/// [GIL]
pub unsafe fn clear_modules_by_index(ip: *mut InterpreterState) {
    // SAFETY: [GIL] a list or NULL.
    unsafe {
        let list = (*ip).modules_by_index;
        if list.is_null() {
            return;
        }
        for i in 0..PyList_GET_SIZE(list) {
            let m = PyList_GET_ITEM(list, i);
            if PyModule_Check(m) == 0 {
                continue;
            }
            let def = (*m.cast::<PyModuleObject>()).md_def;
            if !def.is_null() {
                setref(&raw mut (*def).m_base.m_copy, core::ptr::null_mut());
            }
        }
        if PyList_SetSlice(list, 0, PyList_GET_SIZE(list), core::ptr::null_mut()) != 0 {
            crate::errors::write_unraisable_text("Exception ignored on clearing interpreters module list");
        }
    }
}

/// What there is to know of a module that is being loaded.
struct Info {
    name: *mut PyObject,
    /// The file, where it isn't built in.
    file: Option<*mut PyObject>,
    /// Its last part, as the initialiser's name has it.
    short: CString,
    /// Whether that part is not ASCII.
    punycode: bool,
    path: *mut PyObject,
}

impl Info {
    /// Of strs that the caller keeps.
    unsafe fn new(name: *mut PyObject, path: *mut PyObject, file: Option<*mut PyObject>) -> PyResult<Info> {
        // SAFETY: [ARGS]
        let (short, punycode) = unsafe { encoded_name(name)? };
        Ok(Info { name, file: file.or(if path == name { None } else { Some(path) }), short, punycode, path })
    }
}

/// What an initialiser returned: what to make a module from, or the module itself.
enum Product {
    Definition(*mut PyModuleDef),
    Module(Owned, *mut PyModuleDef),
}

/// How an initialiser failed: what it raised, what is said about it.
struct Failure {
    exception: *mut PyObject,
    text: Option<&'static str>,
}

impl Failure {
    /// Raises it in the interpreter that wanted the module.
    unsafe fn raise(self, short: &CStr) -> Raised {
        // SAFETY: [OWN] the exception.
        unsafe {
            let Some(text) = self.text else {
                PyErr_SetRaisedException(self.exception);
                return Raised::assume();
            };
            let text = text.replace("%s", &short.to_string_lossy());
            let e = raise!(PyExc_SystemError, "{text}");
            if !self.exception.is_null() {
                crate::errors::set_cause(self.exception);
            }
            e
        }
    }
}

/// Calls an initialiser and checks the convention.
unsafe fn run(init: InitFunc, info: &Info) -> Result<Product, Failure> {
    let failure = |text| Err(Failure { exception: core::ptr::null_mut(), text: Some(text) });
    // SAFETY: [ARGS]
    unsafe {
        let text = CString::new(lossy(info.name)).unwrap_or_default();
        let old = PKGCONTEXT.replace(text.as_ptr());
        let m = init();
        PKGCONTEXT.set(old);
        if err_occurred() {
            let text = if m.is_null() { None } else { Some("initialization of %s raised unreported exception") };
            return Err(Failure { exception: PyErr_GetRaisedException(), text });
        }
        if m.is_null() {
            return failure("initialization of %s failed without raising an exception");
        }
        if (*m).ob_type.is_null() {
            // It was not made by PyModule_Create or PyModuleDef_Init.
            return failure("init function of %s returned uninitialized object");
        }
        if PyObject_TypeCheck(m, &raw mut PyModuleDef_Type) != 0 {
            return Ok(Product::Definition(m.cast()));
        }
        let m = Owned::from_owned(m);
        if info.punycode {
            return failure("initialization of %s did not return PyModuleDef");
        }
        if PyModule_Check(m.as_ptr()) == 0 {
            return failure("initialization of %s did not return an extension module");
        }
        let def = (*m.as_ptr().cast::<PyModuleObject>()).md_def;
        if def.is_null() {
            return failure("initialization of %s did not return a valid extension module");
        }
        Ok(Product::Module(m, def))
    }
}

unsafe fn set_file(m: *mut PyObject, info: &Info) {
    // SAFETY: [ARGS] a module without __file__ is still one.
    unsafe {
        if let Some(file) = info.file
            && PyModule_AddObjectRef(m, c"__file__".as_ptr(), file) < 0
        {
            PyErr_Clear();
        }
    }
}

/// Remembers a single-phase module for the process. A recursive import of it was first: its entry stays.
unsafe fn remember(init: InitFunc, info: &Info, m: *mut PyObject, def: *mut PyModuleDef) -> PyResult<Option<Cached>> {
    // SAFETY: [ARGS]
    unsafe {
        let key = key(info.path, info.name);
        if let Some(known) = cached(&key) {
            return Ok(Some(known));
        }
        let index = (*def).m_base.m_index;
        let mut copied = core::ptr::null_mut();
        if (*def).m_size == -1 {
            copied = own(PyDict_Copy(PyModule_GetDict(m)))?.into_raw();
            Py_INCREF(copied);
            (*def).m_base.m_init = None;
            setref(&raw mut (*def).m_base.m_copy, copied);
        } else {
            (*def).m_base.m_init = Some(core::mem::transmute::<InitFunc, extern "C" fn() -> *mut PyObject>(init));
        }
        let known = Cached { def: def as usize, index, copied: copied as usize };
        EXTENSIONS.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert_default().insert(key, known);
        Ok(Some(known))
    }
}

/// The main interpreter, entered from another one for a while.
struct InMain {
    own: *mut PyThreadState,
    main: *mut PyThreadState,
}

impl InMain {
    unsafe fn enter() -> Self {
        const WHENCE_EXEC: c_int = 5;
        // SAFETY: [GIL]
        unsafe {
            let own = current_tstate();
            if as_interp((*own).interp) == main_interp() {
                return InMain { own, main: own };
            }
            let main = _PyThreadState_NewBound(main_interp().cast(), WHENCE_EXEC);
            PyThreadState_Swap(main);
            InMain { own, main }
        }
    }
    fn switched(&self) -> bool {
        self.own != self.main
    }
    /// Goes back; an exception can't be taken along and is printed.
    unsafe fn leave(&self, module: Option<Owned>) {
        if !self.switched() {
            return;
        }
        // SAFETY: [GIL] attached by enter.
        unsafe {
            if err_occurred() {
                if PyErr_ExceptionMatches(PyExc_MemoryError) != 0 {
                    PyErr_Clear();
                } else {
                    crate::pythonrun::PyErr_PrintEx(0);
                }
            }
            drop(module);
            PyThreadState_Clear(self.main);
            PyThreadState_Swap(self.own);
            PyThreadState_Delete(self.main);
        }
    }
}

/// Runs an initialiser and finishes what it returns: a definition becomes a module for `spec`, a module is remembered.
///
/// The initialiser runs in the main interpreter: a module of the single-phase kind makes objects that it keeps in static
/// variables. Another interpreter then makes its own module from what was remembered, where it may.
///
/// # Safety
/// `name` and `path` are strs; `path` is the name for a built-in module.
pub unsafe fn run_init(init: InitFunc, name: *mut PyObject, path: *mut PyObject, file: Option<*mut PyObject>, spec: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let info = Info::new(name, path, file)?;
        let main = InMain::enter();
        let mut product = run(init, &info);
        let mut known = None;
        if let Ok(Product::Module(m, def)) = &product {
            set_file(m.as_ptr(), &info);
            known = match remember(init, &info, m.as_ptr(), *def) {
                Ok(known) => known,
                Err(e) if !main.switched() => return Err(e),
                Err(_) => None,
            };
        }
        if main.switched()
            && let Ok(Product::Module(m, def)) = product
        {
            main.leave(Some(m));
            product = Ok(Product::Module(none(), def));
        } else {
            main.leave(None);
        }
        match product {
            Err(e) => Err(e.raise(&info.short)),
            Ok(Product::Definition(def)) => own(PyModule_FromDefAndSpec2(def.cast(), spec, 1013)),
            Ok(Product::Module(m, _)) => {
                check_single_phase(&info.short)?;
                let Some(known) = known else { bail!(PyExc_SystemError, "the module {} can't be remembered", info.short.to_string_lossy()) };
                if main.switched() {
                    return match make_again(known, &info)? {
                        Some(m) => Ok(m),
                        None => bail!(PyExc_SystemError, "initialization of {} failed without raising an exception", info.short.to_string_lossy()),
                    };
                }
                set_module_at(known.index, m.as_ptr())?;
                check_status(_PyImport_SetModule(name, m.as_ptr()))?;
                Ok(m)
            }
        }
    }
}

/// The C name of the initialiser of module `name`, without prefix, and whether it needed punycode.
unsafe fn encoded_name(name: *mut PyObject) -> PyResult<(CString, bool)> {
    // SAFETY: [ARGS]
    unsafe {
        let full = utf8(name)?;
        let last = full.rsplit('.').next().unwrap_or("");
        if last.is_ascii() {
            return Ok((CString::new(last.replace('-', "_")).unwrap_or_default(), false));
        }
        let s = new_str(last)?;
        let b = own(PyUnicode_AsEncodedString(s.as_ptr(), c"punycode".as_ptr(), core::ptr::null()))?;
        let text: Vec<u8> = bytes_of(b.as_ptr()).iter().map(|&c| if c == b'-' { b'_' } else { c }).collect();
        Ok((CString::new(text).unwrap_or_default(), true))
    }
}

/// Raises ImportError about an extension module.
unsafe fn import_error(text: &str, name: *mut PyObject, path: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        // The dynamic loader's text is in the locale's encoding.
        let text = CString::new(text).unwrap_or_default();
        if let Ok(msg) = own(PyUnicode_DecodeLocale(text.as_ptr(), c"surrogateescape".as_ptr())) {
            PyErr_SetImportError(msg.as_ptr(), name, path);
        }
        Raised::assume()
    }
}

/// ValueError for a str that no C string can hold.
unsafe fn no_nul(s: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE] a str.
    unsafe {
        if PyUnicode_FindChar(s, 0, 0, PyUnicode_GET_LENGTH(s), 1) >= 0 {
            bail!(PyExc_ValueError, "embedded null character");
        }
        Ok(())
    }
}

/// Loads the extension module that a spec describes.
///
/// # Safety
/// `spec` is live.
pub unsafe fn create_dynamic(spec: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let name = getattr(spec, intern!("name"))?;
        if PyUnicode_Check(name.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "module name must be a string");
        }
        no_nul(name.as_ptr())?;
        let path = getattr(spec, intern!("origin"))?;
        if PyUnicode_Check(path.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "bad argument type for built-in operation");
        }
        no_nul(path.as_ptr())?;
        let (name_p, path_p) = (name.as_ptr(), path.as_ptr());
        let (short, punycode) = encoded_name(name_p)?;
        if let Some(m) = reload_singlephase(name_p, path_p)? {
            return Ok(m);
        }
        audit(c"import", &[name_p, path_p, Py_None(), Py_None(), Py_None()])?;
        let mut file = fs_encode(path_p)?;
        // A name without slash would be searched for in the library path.
        if !file.contains(&b'/') {
            file.splice(0..0, *b"./");
        }
        let Ok(file) = CString::new(file) else { bail!(PyExc_ValueError, "embedded null byte") };
        taipan_objects::runtime::fill_static_objects();
        // Extensions look for it in the interpreter's state.
        if crate::crossinterp::_PyXI_GetNotShareableError().is_null() {
            return Err(Raised::assume());
        }
        let handle = libc::dlopen(file.as_ptr(), interp().dlopenflags);
        if handle.is_null() {
            let e = libc::dlerror();
            let text = if e.is_null() { "unknown dlopen() error".into() } else { c_text(e) };
            return Err(import_error(&text, name_p, path_p));
        }
        let prefix = if punycode { "PyInitU" } else { "PyInit" };
        let short = short.to_string_lossy();
        let symbol = CString::new(format!("{prefix}_{short}")).unwrap_or_default();
        let f = libc::dlsym(handle, symbol.as_ptr());
        if f.is_null() {
            return Err(import_error(&format!("dynamic module does not define module export function ({prefix}_{short})"), name_p, path_p));
        }
        let init: InitFunc = core::mem::transmute::<*mut c_void, InitFunc>(f);
        run_init(init, name_p, path_p, Some(path_p), spec)
    }
}

