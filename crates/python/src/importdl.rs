//! Extension modules: loading shared objects, running their initialisers, remembering those of the single-phase kind.

use crate::import::_PyImport_SetModule;
use crate::pystate::{interp, modules_by_index_set};
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

/// A single-phase module that was initialised once.
#[derive(Clone, Copy)]
struct Cached {
    def: usize,
    init: usize,
    /// Its dict when it was new, for modules that keep no state of their own.
    m_copy: usize,
}

static EXTENSIONS: Mutex<Option<HashMap<(String, String), Cached>>> = Mutex::new(None);

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

/// The module `name` of the single-phase kind made again, `None` if it was not initialised before.
///
/// # Safety
/// Both are strs.
pub unsafe fn reload_singlephase(name: *mut PyObject, path: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS] definitions are static.
    unsafe {
        let cached = {
            let all = EXTENSIONS.lock().unwrap_or_else(|e| e.into_inner());
            match all.as_ref().and_then(|m| m.get(&key(path, name))) {
                Some(c) => *c,
                None => return Ok(None),
            }
        };
        let def = cached.def as *mut PyModuleDef;
        let m = if (*def).m_size == -1 {
            if cached.m_copy == 0 {
                return Ok(None);
            }
            let m = crate::import::PyImport_AddModuleObject(name);
            if m.is_null() {
                return Err(Raised::assume());
            }
            let m = Owned::from_borrowed(m);
            check_status(PyDict_Update(PyModule_GetDict(m.as_ptr()), cached.m_copy as *mut PyObject))?;
            m
        } else {
            if cached.init == 0 {
                return Ok(None);
            }
            let init: InitFunc = core::mem::transmute(cached.init);
            let m = call_init(init, name)?;
            check_status(_PyImport_SetModule(name, m.as_ptr()))?;
            m
        };
        modules_by_index_set(def, m.as_ptr())?;
        if interp().config.verbose > 0 {
            crate::errln!("import {} # previously loaded ({})", repr(name)?, repr(path)?);
        }
        Ok(Some(m))
    }
}

/// Forgets a single-phase module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyImport_ClearExtension(name: *mut PyObject, path: *mut PyObject) -> c_int {
    if let Some(m) = EXTENSIONS.lock().unwrap_or_else(|e| e.into_inner()).as_mut() {
        m.remove(&key(path, name));
    }
    0
}

/// Calls an initialiser and checks the convention.
unsafe fn call_init(init: InitFunc, name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let text = CString::new(lossy(name)).unwrap_or_default();
        let old = PKGCONTEXT.replace(text.as_ptr());
        let m = init();
        PKGCONTEXT.set(old);
        let short = lossy(name);
        let short = short.rsplit('.').next().unwrap_or("");
        if m.is_null() {
            if !err_occurred() {
                bail!(PyExc_SystemError, "initialization of {} failed without raising an exception", short);
            }
            return Err(Raised::assume());
        }
        if err_occurred() {
            let cause = PyErr_GetRaisedException();
            let _ = raise!(PyExc_SystemError, "initialization of {} raised unreported exception", short);
            crate::errors::set_cause(cause);
            return Err(Raised::assume());
        }
        if (*m).ob_type.is_null() {
            // It was not made by PyModule_Create or PyModuleDef_Init.
            bail!(PyExc_SystemError, "init function of {} returned uninitialized object", short);
        }
        Ok(Owned::from_owned(m))
    }
}

/// Runs an initialiser and finishes what it returns: a definition becomes a module for `spec`, a module is remembered.
///
/// # Safety
/// `name` and `path` are strs; `path` is the name for a built-in module.
pub unsafe fn run_init(init: InitFunc, name: *mut PyObject, path: *mut PyObject, file: Option<*mut PyObject>, spec: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let m = call_init(init, name)?;
        if (*m.as_ptr()).ob_type == &raw mut PyModuleDef_Type {
            // Definitions are static, but the reference returned is borrowed.
            let def = m.into_raw();
            return own(PyModule_FromDefAndSpec2(def.cast(), spec, 1013));
        }
        let short = lossy(name);
        let short = short.rsplit('.').next().unwrap_or("");
        if PyModule_Check(m.as_ptr()) == 0 {
            bail!(PyExc_SystemError, "initialization of {} did not return an extension module", short);
        }
        let def = PyModule_GetDef(m.as_ptr());
        if def.is_null() {
            PyErr_Clear();
            bail!(PyExc_SystemError, "initialization of {} did not return a valid extension module", short);
        }
        if !short.is_ascii() {
            bail!(PyExc_SystemError, "initialization of {} did not return PyModuleDef", short);
        }
        if let Some(file) = file
            && PyModule_AddObjectRef(m.as_ptr(), c"__file__".as_ptr(), file) < 0
        {
            PyErr_Clear();
        }
        let mut m_copy = 0;
        if (*def).m_size == -1 {
            m_copy = own(PyDict_Copy(PyModule_GetDict(m.as_ptr())))?.into_raw() as usize;
        }
        modules_by_index_set(def, m.as_ptr())?;
        check_status(_PyImport_SetModule(name, m.as_ptr()))?;
        EXTENSIONS
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .get_or_insert_default()
            .insert(key(path, name), Cached { def: def as usize, init: init as usize, m_copy });
        Ok(m)
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

