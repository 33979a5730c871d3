//! What the module `sys` holds when the interpreter starts.

use crate::pystate::interp;
use crate::util::*;
use core::ffi::{CStr, c_char, c_int};
use core::ptr::{null, null_mut};
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::methods;

/// `sys.version_info`.
pub const VERSION: (i64, i64, i64) = (3, 13, 5);
/// `sys.hexversion`.
pub const HEXVERSION: i64 = 0x030d05f0;
/// When the executable was built, where the build says so.
const BUILD_DATE: &str = match option_env!("TAIPAN_BUILD_DATE") {
    Some(d) => d,
    None => "Jan 1 2026, 00:00:00",
};

/// `sys.version`.
pub fn version_text() -> String {
    format!("3.13.5 (main, {BUILD_DATE}) [Taipan {}, Rust]", env!("CARGO_PKG_VERSION"))
}

fn leak(text: &str) -> *const c_char {
    CString::new(text).unwrap_or_default().into_raw()
}

/// Types of the records in `sys`; made at start.
pub static mut AsyncGenHooks: *mut PyTypeObject = null_mut();
static mut FlagsType: *mut PyTypeObject = null_mut();
/// Types of records made so far, by name.
static mut RECORD_TYPES: Vec<(String, *mut PyTypeObject)> = Vec::new();

/// Makes a struct sequence type that users cannot instantiate when `closed`.
fn record_type(name: &str, doc: &str, fields: &[(&str, &str)], closed: bool) -> PyResult<Owned<PyTypeObject>> {
    record_type_of(name, doc, fields, fields.len(), closed)
}

/// As [`record_type`], where only the first `visible` fields are items of the sequence.
fn record_type_of(name: &str, doc: &str, fields: &[(&str, &str)], visible: usize, closed: bool) -> PyResult<Owned<PyTypeObject>> {
    // SAFETY: [GIL] names live for ever.
    unsafe {
        // All interpreters share the types.
        let known = &mut *(&raw mut RECORD_TYPES);
        if let Some((_, tp)) = known.iter().find(|(n, _)| n == name) {
            return Ok(Owned::from_borrowed(*tp));
        }
        let mut all: Vec<PyStructSequence_Field> = fields.iter().map(|(n, d)| PyStructSequence_Field { name: leak(n), doc: leak(d) }).collect();
        all.push(PyStructSequence_Field { name: null(), doc: null() });
        let mut desc = PyStructSequence_Desc { name: leak(name), doc: leak(doc), fields: all.leak().as_mut_ptr(), n_in_sequence: visible as c_int };
        let tp = own(PyStructSequence_NewType(&mut desc))?;
        if closed {
            const DISALLOW: core::ffi::c_ulong = 1 << 7;
            let t = tp.as_ptr();
            (*t).tp_flags |= DISALLOW;
            (*t).tp_new = None;
            if PyDict_DelItemString((*t).tp_dict, c"__new__".as_ptr()) < 0 {
                PyErr_Clear();
            }
            PyType_Modified(t);
        }
        known.push((name.to_string(), tp.clone().into_raw()));
        Ok(tp)
    }
}

fn record(tp: *mut PyTypeObject, values: Vec<PyResult<Owned>>) -> PyResult<Owned> {
    // SAFETY: [GIL] one value a field.
    unsafe {
        let r = own(PyStructSequence_New(tp))?;
        for (i, v) in values.into_iter().enumerate() {
            PyStructSequence_SetItem(r.as_ptr(), i as Py_ssize_t, v?.into_raw());
        }
        Ok(r)
    }
}

fn make_version_info() -> PyResult<Owned> {
    let tp = record_type(
        "sys.version_info",
        "sys.version_info\n\nThe version, in parts.",
        &[("major", "Major release number"), ("minor", "Minor release number"), ("micro", "Patch release number"), ("releaselevel", "'alpha', 'beta', 'candidate' or 'final'"), ("serial", "Number within the release level")],
        true,
    )?;
    record(tp.as_ptr(), vec![new_int(VERSION.0), new_int(VERSION.1), new_int(VERSION.2), new_str("final"), new_int(0)])
}

fn make_flags() -> PyResult<Owned> {
    let fields = [
        ("debug", "-d"), ("inspect", "-i"), ("interactive", "-i"), ("optimize", "-O or -OO"), ("dont_write_bytecode", "-B"), ("no_user_site", "-s"),
        ("no_site", "-S"), ("ignore_environment", "-E"), ("verbose", "-v"), ("bytes_warning", "-b"), ("quiet", "-q"), ("hash_randomization", "PYTHONHASHSEED"),
        ("isolated", "-I"), ("dev_mode", "-X dev"), ("utf8_mode", "-X utf8"), ("warn_default_encoding", "-X warn_default_encoding"), ("safe_path", "-P"),
        ("int_max_str_digits", "-X int_max_str_digits"), ("gil", "-X gil"),
    ];
    let tp = record_type_of("sys.flags", "sys.flags\n\nThe options that the interpreter runs with.", &fields, fields.len() - 1, true)?;
    // SAFETY: [GIL]
    unsafe { FlagsType = tp.clone().into_raw() };
    flags_record()
}

fn flags_record() -> PyResult<Owned> {
    let c = &interp().config;
    let int = |n: i32| new_int(n as i64);
    let values = vec![
        int((c.parser_debug != 0) as i32), int(c.inspect), int(c.interactive), int(c.optimization_level), int((c.write_bytecode == 0) as i32),
        int((c.user_site_directory == 0) as i32), int((c.site_import == 0) as i32), int((c.use_environment == 0) as i32), int(c.verbose),
        int(c.bytes_warning), int(c.quiet), int((!c.use_hash_seed || c.hash_seed != 0) as i32), int(c.isolated), Ok(new_bool(c.dev_mode != 0)),
        int(c.utf8_mode), int(c.warn_default_encoding), Ok(new_bool(c.safe_path != 0)), int(c.int_max_str_digits), int(1),
    ];
    // SAFETY: [GIL] made before.
    record(unsafe { FlagsType }, values)
}

fn make_hash_info() -> PyResult<Owned> {
    let tp = record_type(
        "sys.hash_info",
        "hash_info\n\nHow hashes are computed.",
        &[
            ("width", "Bits of a hash"), ("modulus", "Prime that numbers are reduced by"), ("inf", "Hash of infinity"), ("nan", "Not used any more"),
            ("imag", "Factor of the imaginary part"), ("algorithm", "Hash function of str and bytes"), ("hash_bits", "Bits of that function's result"),
            ("seed_bits", "Bits of its seed"), ("cutoff", "Longest text hashed by a simpler function"),
        ],
        false,
    )?;
    record(
        tp.as_ptr(),
        vec![new_int(64), new_int((1 << 61) - 1), new_int(314159), new_int(0), new_int(1000003), new_str("siphash13"), new_int(64), new_int(128), new_int(0)],
    )
}

/// `sys.thread_info`.
pub fn make_thread_info() -> PyResult<Owned> {
    let tp = record_type(
        "sys.thread_info",
        "sys.thread_info\n\nHow threads are implemented.",
        &[("name", "Kind of threads"), ("lock", "Kind of locks"), ("version", "Version of the thread library")],
        false,
    )?;
    let mut buf = [0 as c_char; 128];
    // SAFETY: the buffer has the length told.
    let n = unsafe { libc::confstr(libc::_CS_GNU_LIBPTHREAD_VERSION, buf.as_mut_ptr(), buf.len()) };
    // SAFETY: confstr ends the text.
    let version = if n > 0 && n < buf.len() { new_str(&unsafe { c_text(buf.as_ptr()) }) } else { Ok(none()) };
    record(tp.as_ptr(), vec![new_str("pthread"), new_str("semaphore"), version])
}

fn make_implementation(version_info: &Owned) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let d = own(PyDict_New())?;
        let set = |n: &str, v: PyResult<Owned>| dict_set_str(d.as_ptr(), n, v?.as_ptr());
        set("name", new_str("cpython"))?;
        set("cache_tag", new_str("cpython-313"))?;
        set("version", Ok(version_info.clone()))?;
        set("hexversion", new_int(HEXVERSION))?;
        set("_multiarch", new_str("x86_64-linux-gnu"))?;
        own(_PyNamespace_New(d.as_ptr()))
    }
}

fn str_tuple<'a>(items: impl IntoIterator<Item = &'a str>) -> PyResult<Owned> {
    let all: PyResult<Vec<Owned>> = items.into_iter().map(new_str).collect();
    let all = all?;
    let raw: Vec<*mut PyObject> = all.iter().map(|o| o.as_ptr()).collect();
    // SAFETY: all live.
    unsafe { tuple(&raw) }
}

fn fs_list(items: &[Vec<u8>]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let l = own(PyList_New(0))?;
        for i in items {
            let s = fs_decode(i)?;
            check_status(PyList_Append(l.as_ptr(), s.as_ptr()))?;
        }
        Ok(l)
    }
}

/// Adds `name` or `name=value` to a dict of -X options.
///
/// # Safety
/// `opts` is a dict.
pub unsafe fn add_xoption(opts: *mut PyObject, option: &[u8]) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let (name, value) = match option.iter().position(|&b| b == b'=') {
            Some(p) => (fs_decode(&option[..p])?, fs_decode(&option[p + 1..])?),
            None => (fs_decode(option)?, new_bool(true)),
        };
        dict_set(opts, name.as_ptr(), value.as_ptr())
    }
}

static mut SYS_MODULE: PyModuleDef = PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"sys".as_ptr(),
    m_doc: c"The interpreter, seen from inside.\n\nArguments (argv, orig_argv), where modules come from (path, modules, meta_path,\npath_hooks), the standard streams (stdin, stdout, stderr), hooks for errors,\nauditing, tracing and display, limits, and facts about the interpreter (version,\nversion_info, implementation, flags, float_info, int_info, hash_info, maxsize).".as_ptr(),
    m_size: -1,
    m_methods: (&raw mut crate::sysmodule::SYS_METHODS).cast(),
    m_slots: null_mut(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
};

/// Makes `sys` and fills in what does not depend on the configuration's paths.
pub fn create() -> PyResult<Owned> {
    // SAFETY: [GIL] at start, one thread.
    unsafe {
        let ip = interp();
        ip.modules = own(PyDict_New())?.into_raw();
        let m = own(PyModule_Create2(&raw mut SYS_MODULE, 1013))?;
        let d = Owned::from_borrowed(PyModule_GetDict(m.as_ptr()));
        ip.sysdict = d.clone().into_raw();
        dict_set(d.as_ptr(), intern!("modules"), ip.modules)?;
        dict_set_str(ip.modules, "sys", m.as_ptr())?;
        crate::pystate::modules_by_index_set(&raw mut SYS_MODULE, m.as_ptr())?;
        fill_core(d.as_ptr())?;
        ip.sysdict_copy = own(PyDict_Copy(d.as_ptr()))?.into_raw();
        Ok(m)
    }
}

unsafe fn fill_core(d: *mut PyObject) -> PyResult<()> {
    // SAFETY: [GIL] d is the module's dict.
    unsafe {
        let set = |n: &str, v: PyResult<Owned>| dict_set_str(d, n, v?.as_ptr());
        for hook in ["displayhook", "excepthook", "breakpointhook", "unraisablehook"] {
            let key = new_str(hook)?;
            if let Some(f) = dict_get(d, key.as_ptr())? {
                set(&format!("__{hook}__"), Ok(f))?;
            }
        }
        set("version", new_str(&version_text()))?;
        set("hexversion", new_int(HEXVERSION))?;
        set("_git", str_tuple(["CPython", "", ""]))?;
        set("_framework", new_str(""))?;
        set("api_version", new_int(1013))?;
        set("copyright", new_str(COPYRIGHT))?;
        set("platform", new_str("linux"))?;
        set("maxsize", new_int(isize::MAX as i64))?;
        set("float_info", own(PyFloat_GetInfo()))?;
        set("int_info", own(PyLong_GetInfo()))?;
        set("hash_info", make_hash_info())?;
        set("maxunicode", new_int(0x10ffff))?;
        let mut builtin: Vec<String> = crate::import::inittab().map(|(n, _)| n.to_string_lossy().into_owned()).collect();
        builtin.sort();
        set("builtin_module_names", str_tuple(builtin.iter().map(String::as_str)))?;
        let names = crate::stdlib_module_names::STDLIB_MODULE_NAMES.iter().copied();
        let t = str_tuple(names)?;
        set("stdlib_module_names", own(PyFrozenSet_New(t.as_ptr())))?;
        set("byteorder", new_str(if cfg!(target_endian = "little") { "little" } else { "big" }))?;
        set("abiflags", new_str(""))?;
        let version_info = make_version_info()?;
        set("implementation", make_implementation(&version_info))?;
        set("version_info", Ok(version_info))?;
        set("flags", make_flags())?;
        set("float_repr_style", new_str("short"))?;
        set("thread_info", make_thread_info())?;
        let hooks = record_type(
            "asyncgen_hooks",
            "asyncgen_hooks\n\nThe hooks of asynchronous generators.",
            &[("firstiter", "Called when one starts"), ("finalizer", "Called when one is dropped")],
            false,
        )?;
        AsyncGenHooks = hooks.into_raw();
        crate::errors::init_types()?;
        set("monitoring", own(crate::monitoring::_Py_CreateMonitoringObject()))?;
        let jit = jit_module()?;
        set("_jit", Ok(jit))?;
        set("meta_path", own(PyList_New(0)))?;
        set("path_importer_cache", own(PyDict_New()))?;
        set("path_hooks", own(PyList_New(0)))?;
        Ok(())
    }
}

const COPYRIGHT: &str = "Taipan: copyright (c) its contributors, MIT licence.\nThe Python language and its library: copyright (c) Python Software Foundation and others.";

/// Fills in what the configuration says.
pub fn update_config() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let ip = interp();
        let c = &ip.config;
        let d = ip.sysdict;
        let set = |n: &str, v: PyResult<Owned>| dict_set_str(d, n, v?.as_ptr());
        set("executable", fs_decode(&c.executable))?;
        set("_base_executable", fs_decode(&c.base_executable))?;
        for (n, p) in [("prefix", &c.prefix), ("base_prefix", &c.base_prefix), ("exec_prefix", &c.exec_prefix), ("base_exec_prefix", &c.base_exec_prefix), ("platlibdir", &c.platlibdir)] {
            set(n, fs_decode(p))?;
        }
        let optional = |p: &Option<Vec<u8>>| p.as_ref().map_or_else(|| Ok(none()), |p| fs_decode(p));
        set("pycache_prefix", optional(&c.pycache_prefix))?;
        set("_stdlib_dir", optional(&c.stdlib_dir))?;
        set("path", fs_list(&c.module_search_paths))?;
        set("argv", fs_list(&c.argv))?;
        set("orig_argv", fs_list(&c.orig_argv))?;
        set("warnoptions", fs_list(&c.warnoptions))?;
        let x = own(PyDict_New())?;
        for o in &c.xoptions {
            add_xoption(x.as_ptr(), o)?;
        }
        set("_xoptions", Ok(x))?;
        set("dont_write_bytecode", Ok(new_bool(c.write_bytecode == 0)))?;
        set("flags", flags_record())?;
        Ok(())
    }
}

// ---- sys._jit

fn jit_is_available(_: ()) -> PyResult<bool> {
    Ok(false)
}

methods! {
    static JIT_METHODS = [
        "is_available($module, /)" => jit_is_available, "Whether this executable contains a compiler to machine code.";
        "is_enabled($module, /)" => jit_is_available, "Whether the compiler to machine code is switched on.";
        "is_active($module, /)" => jit_is_available, "Whether the frame that asks runs as machine code.";
    ];
}

static mut JIT_MODULE: PyModuleDef = PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"sys._jit".as_ptr(),
    m_doc: c"What the execution engine does.".as_ptr(),
    m_size: -1,
    m_methods: (&raw mut JIT_METHODS).cast(),
    m_slots: null_mut(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
};

fn jit_module() -> PyResult<Owned> {
    // SAFETY: a static definition.
    unsafe { own(PyModule_Create2(&raw mut JIT_MODULE, 1013)) }
}

// ---- versions for C

/// `sys.version`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetVersion() -> *const c_char {
    static TEXT: std::sync::OnceLock<CString> = std::sync::OnceLock::new();
    TEXT.get_or_init(|| CString::new(version_text()).unwrap_or_default()).as_ptr()
}

/// `sys.platform`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetPlatform() -> *const c_char {
    c"linux".as_ptr()
}

/// `sys.copyright`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetCopyright() -> *const c_char {
    static TEXT: std::sync::OnceLock<CString> = std::sync::OnceLock::new();
    TEXT.get_or_init(|| CString::new(COPYRIGHT).unwrap_or_default()).as_ptr()
}

/// The compiler, in brackets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetCompiler() -> *const c_char {
    const TEXT: &CStr = c"[Rust]";
    TEXT.as_ptr()
}

/// Branch and date of the build.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetBuildInfo() -> *const c_char {
    static TEXT: std::sync::OnceLock<CString> = std::sync::OnceLock::new();
    TEXT.get_or_init(|| CString::new(format!("main, {BUILD_DATE}")).unwrap_or_default()).as_ptr()
}

/// `sys.hexversion`.
#[unsafe(no_mangle)]
pub static Py_Version: core::ffi::c_ulong = HEXVERSION as core::ffi::c_ulong;
