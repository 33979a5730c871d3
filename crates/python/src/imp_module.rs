//! The module `_imp`: what importlib asks of the runtime.

use crate::import::{PyImport_AddModuleObject, PyImport_ImportFrozenModuleObject, find_builtin};
use crate::pystate::interp;
use crate::util::*;
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{BufferView, Str, methods};

fn imp_extension_suffixes(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let list = own(PyList_New(0))?;
        for s in crate::importdl::EXTENSION_SUFFIXES {
            let s = new_str(s)?;
            check_status(PyList_Append(list.as_ptr(), s.as_ptr()))?;
        }
        Ok(list)
    }
}

fn imp_lock_held(_: ()) -> PyResult<bool> {
    Ok(interp().import_lock.held())
}

fn imp_acquire_lock(_: ()) -> PyResult<()> {
    interp().import_lock.acquire();
    Ok(())
}

fn imp_release_lock(_: ()) -> PyResult<()> {
    if !interp().import_lock.release() {
        bail!(PyExc_RuntimeError, "not holding the import lock");
    }
    Ok(())
}

/// Raises the ImportError for a frozen module that is not there.
unsafe fn frozen_error(text: &str, name: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        if let Ok(r) = repr(name)
            && let Ok(msg) = new_str(&text.replace("%R", &r))
        {
            PyErr_SetImportError(msg.as_ptr(), name, null_mut());
        }
        Raised::assume()
    }
}

const NO_SUCH: &str = "No such frozen object named %R";

fn imp_find_frozen(_: (), name: Str<'_>, withdata: bool) -> PyResult<Owned> {
    // SAFETY: [ARGS] frozen data lives for ever.
    unsafe {
        let Some(info) = crate::frozen::find_str(name.ob()) else { return Ok(none()) };
        let data = if withdata {
            let d = crate::frozen::data(&info)?;
            const PyBUF_READ: c_int = 0x100;
            own(PyMemoryView_FromMemory(d.as_ptr().cast_mut().cast(), d.len() as Py_ssize_t, PyBUF_READ))?
        } else {
            none()
        };
        let origname = match info.origname {
            Some(o) => new_str(o)?,
            None => none(),
        };
        tuple(&[data.as_ptr(), new_bool(info.is_package).as_ptr(), origname.as_ptr()])
    }
}

fn imp_get_frozen_object(_: (), name: Str<'_>, data: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyObject_CheckBuffer(data.ob()) != 0 {
            let view = BufferView::get(data.ob())?;
            if view.as_bytes().is_empty() {
                return Err(frozen_error("Frozen object named %R is invalid", name.ob()));
            }
            return match crate::marshal::loads(view.as_bytes(), true) {
                Ok(co) if PyCode_Check(co.as_ptr()) != 0 => Ok(co),
                Ok(_) => bail!(PyExc_TypeError, "frozen object {} is not a code object", repr(name.ob())?),
                Err(e) => {
                    e.clear();
                    Err(frozen_error("Frozen object named %R is invalid", name.ob()))
                }
            };
        }
        if !data.is_none() {
            bail!(PyExc_TypeError, "get_frozen_object() argument 2 must be bytes, not {}", type_name(data.ob()));
        }
        match crate::frozen::find_str(name.ob()) {
            Some(info) => crate::frozen::code(&info),
            None => Err(frozen_error(NO_SUCH, name.ob())),
        }
    }
}

fn imp_is_frozen_package(_: (), name: Str<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        match crate::frozen::find_str(name.ob()) {
            Some(info) => Ok(info.is_package),
            None => Err(frozen_error(NO_SUCH, name.ob())),
        }
    }
}

fn imp_is_builtin(_: (), name: Str<'_>) -> PyResult<i32> {
    // SAFETY: [ARGS]
    Ok(match unsafe { find_builtin(name.ob()) } {
        None => 0,
        // sys and builtins can't be made anew.
        Some(None) => -1,
        Some(Some(_)) => 1,
    })
}

fn imp_is_frozen(_: (), name: Str<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    Ok(unsafe { crate::frozen::find_str(name.ob()) }.is_some())
}

fn imp_frozen_module_names(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let list = own(PyList_New(0))?;
        for n in crate::frozen::names() {
            let s = new_str(n)?;
            check_status(PyList_Append(list.as_ptr(), s.as_ptr()))?;
        }
        Ok(list)
    }
}

fn imp_override_frozen_modules_for_tests(_: (), override_: i32) -> PyResult<()> {
    interp().override_frozen_modules = override_;
    Ok(())
}

fn imp_override_multi_interp_extensions_check(_: (), override_: i32) -> PyResult<i32> {
    let ip = interp();
    if core::ptr::eq(ip, crate::pystate::main_interp()) {
        bail!(PyExc_RuntimeError, "_imp._override_multi_interp_extensions_check() cannot be used in the main interpreter");
    }
    Ok(core::mem::replace(&mut ip.override_multi_interp, override_))
}

fn imp_init_frozen(_: (), name: Str<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let r = PyImport_ImportFrozenModuleObject(name.ob());
        if r < 0 {
            return Err(Raised::assume());
        }
        if r == 0 {
            return Ok(none());
        }
        let m = PyImport_AddModuleObject(name.ob());
        if m.is_null() { Err(Raised::assume()) } else { Ok(Owned::from_borrowed(m)) }
    }
}

/// Makes a built-in module from its spec.
///
/// # Safety
/// Both are live.
pub unsafe fn create_builtin(name: *mut PyObject, spec: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(m) = crate::importdl::reload_singlephase(name, name)? {
            return Ok(m);
        }
        match find_builtin(name) {
            None => Ok(none()),
            // sys and builtins exist already.
            Some(None) => own(PyImport_AddModuleObject(name)).inspect(|m| Py_INCREF(m.as_ptr())),
            Some(Some(init)) => crate::importdl::run_init(init, name, name, None, spec),
        }
    }
}

fn imp_create_builtin(_: (), spec: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let name = getattr(spec.ob(), intern!("name"))?;
        if PyUnicode_Check(name.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "name must be string, not {}", type_name(name.as_ptr()));
        }
        create_builtin(name.as_ptr(), spec.ob())
    }
}

fn imp_create_dynamic(_: (), spec: Borrowed<'_>, file: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let _ = file;
    // SAFETY: [ARGS]
    unsafe { crate::importdl::create_dynamic(spec.ob()) }
}

fn exec_builtin_or_dynamic(m: Borrowed<'_>) -> PyResult<i32> {
    // SAFETY: [ARGS]
    unsafe {
        if PyModule_Check(m.ob()) == 0 {
            return Ok(0);
        }
        let def = PyModule_GetDef(m.ob());
        if def.is_null() {
            return if err_occurred() { Err(Raised::assume()) } else { Ok(0) };
        }
        // A module with state was executed before.
        if !(*m.ob().cast::<PyModuleObject>()).md_state.is_null() {
            return Ok(0);
        }
        check_status(PyModule_ExecDef(m.ob(), def))?;
        Ok(0)
    }
}

fn imp_exec_dynamic(_: (), m: Borrowed<'_>) -> PyResult<i32> {
    exec_builtin_or_dynamic(m)
}

fn imp_exec_builtin(_: (), m: Borrowed<'_>) -> PyResult<i32> {
    exec_builtin_or_dynamic(m)
}

unsafe fn update_code_filenames(co: *mut PyCodeObject, old: *mut PyObject, new: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if !flag(PyObject_RichCompareBool((*co).co_filename, old, Py_EQ))? {
            return Ok(());
        }
        Py_INCREF(new);
        setref(&raw mut (*co).co_filename, new);
        for i in 0..PyTuple_GET_SIZE((*co).co_consts) {
            let c = PyTuple_GET_ITEM((*co).co_consts, i);
            if PyCode_Check(c) != 0 {
                update_code_filenames(c.cast(), old, new)?;
            }
        }
        Ok(())
    }
}

fn imp_fix_co_filename(_: (), code: Borrowed<'_>, path: Str<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyCode_Check(code.ob()) == 0 {
            bail!(PyExc_TypeError, "_fix_co_filename() argument 1 must be code, not {}", type_name(code.ob()));
        }
        let co: *mut PyCodeObject = code.ob().cast();
        if flag(PyObject_RichCompareBool((*co).co_filename, path.ob(), Py_EQ))? {
            return Ok(());
        }
        let old = Owned::from_borrowed((*co).co_filename);
        update_code_filenames(co, old.as_ptr(), path.ob())
    }
}

fn imp_source_hash(_: (), key: i64, source: BufferView) -> PyResult<Owned> {
    let h = siphash13(key as u64, 0, source.as_bytes()).to_le_bytes();
    // SAFETY: [GIL]
    unsafe { own(PyBytes_FromStringAndSize(h.as_ptr().cast(), 8)) }
}

/// SipHash with one compression and three finalisation rounds.
pub fn siphash13(k0: u64, k1: u64, data: &[u8]) -> u64 {
    let mut v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573];
    fn round(v: &mut [u64; 4]) {
        v[0] = v[0].wrapping_add(v[1]);
        v[2] = v[2].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[1]);
        v[0] = v[0].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].rotate_left(32);
    }
    let mut chunks = data.chunks_exact(8);
    for c in &mut chunks {
        let m = c.iter().rev().fold(0u64, |a, &b| (a << 8) | b as u64);
        v[3] ^= m;
        round(&mut v);
        v[0] ^= m;
    }
    let last = chunks.remainder().iter().rev().fold(0u64, |a, &b| (a << 8) | b as u64) | ((data.len() as u64) << 56);
    v[3] ^= last;
    round(&mut v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for _ in 0..3 {
        round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn write_frozen_cache(_: (), getpath: Option<&str>) -> PyResult<()> {
    crate::frozen::write_cache(getpath.map(std::path::Path::new))
}

methods! {
    static IMP_METHODS = [
        "_write_frozen_cache($module, getpath=None, /)" => write_frozen_cache, "Write the marshalled code of the frozen modules next to the library; for the installation.";
        "extension_suffixes($module, /)" => imp_extension_suffixes, "The suffixes of extension modules, most specific first.";
        "lock_held($module, /)" => imp_lock_held, "Whether some thread holds the import lock.";
        "acquire_lock($module, /)" => imp_acquire_lock, "Take the import lock.";
        "release_lock($module, /)" => imp_release_lock, "Give the import lock back.";
        "find_frozen($module, name, /, *, withdata=False)" => imp_find_frozen, "Data, package flag and original name of a frozen module, or None.";
        "get_frozen_object($module, name, data=None, /)" => imp_get_frozen_object, "The code object of a frozen module.";
        "is_frozen_package($module, name, /)" => imp_is_frozen_package, "Whether the frozen module is a package.";
        "create_builtin($module, spec, /)" => imp_create_builtin, "Make a built-in module from its spec.";
        "init_frozen($module, name, /)" => imp_init_frozen, "Import a frozen module.";
        "is_builtin($module, name, /)" => imp_is_builtin, "1 for a built-in module, -1 if it cannot be made anew, else 0.";
        "is_frozen($module, name, /)" => imp_is_frozen, "Whether there is such a frozen module.";
        "_frozen_module_names($module, /)" => imp_frozen_module_names, "The names of the frozen modules.";
        "_override_frozen_modules_for_tests($module, override, /)" => imp_override_frozen_modules_for_tests, "Switch frozen modules on (1), off (-1) or back (0).";
        "_override_multi_interp_extensions_check($module, override, /)" => imp_override_multi_interp_extensions_check, "Override the check of extensions in subinterpreters.";
        "create_dynamic($module, spec, file=<unrepresentable>, /)" => imp_create_dynamic, "Load an extension module.";
        "exec_dynamic($module, mod, /)" => imp_exec_dynamic, "Initialise an extension module.";
        "exec_builtin($module, mod, /)" => imp_exec_builtin, "Initialise a built-in module.";
        "_fix_co_filename($module, code, path, /)" => imp_fix_co_filename, "Change the file name of a code object and of those in it.";
        "source_hash($module, key, source)" => imp_source_hash, "The hash that hash-based .pyc files keep.";
    ];
}

unsafe extern "C" fn imp_exec(module: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let mode = new_str(interp().config.check_hash_pycs_mode)?;
        check_status(PyModule_AddObjectRef(module, c"check_hash_based_pycs".as_ptr(), mode.as_ptr()))
    })();
    r.into_c()
}

static mut IMP_SLOTS: [PyModuleDef_Slot; 4] = [
    PyModuleDef_Slot { slot: Py_mod_exec, value: imp_exec as *mut core::ffi::c_void },
    PyModuleDef_Slot { slot: Py_mod_multiple_interpreters, value: Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_NOT_USED },
    PyModuleDef_Slot { slot: 0, value: null_mut() },
];

static mut IMP_MODULE: PyModuleDef = PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"_imp".as_ptr(),
    m_doc: c"What importlib needs of the runtime.".as_ptr(),
    m_size: 0,
    m_methods: (&raw mut IMP_METHODS).cast(),
    m_slots: (&raw mut IMP_SLOTS).cast(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
};

/// The module `_imp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit__imp() -> *mut PyObject {
    // SAFETY: a static definition.
    unsafe { PyModuleDef_Init(&raw mut IMP_MODULE) }
}

/// Makes `_imp` before there is an import system: from the bare definition and a spec with nothing but a name.
pub fn create() -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let attrs = own(PyDict_New())?;
        let name = new_str("_imp")?;
        dict_set(attrs.as_ptr(), intern!("name"), name.as_ptr())?;
        let spec = own(_PyNamespace_New(attrs.as_ptr()))?;
        let m = create_builtin(name.as_ptr(), spec.as_ptr())?;
        let def = PyModule_GetDef(m.as_ptr());
        check_status(PyModule_ExecDef(m.as_ptr(), def))?;
        Ok(m)
    }
}

#[cfg(test)]
mod tests {
    use super::siphash13;

    #[test]
    fn known_values() {
        // As _imp.source_hash(0, b"") and _imp.source_hash(0x1234, b"hello world") print them.
        assert_eq!(siphash13(0, 0, b""), 0xd1fba762150c532c);
        assert_eq!(siphash13(0, 0, b"abcdefgh").to_le_bytes().len(), 8);
    }
}
