//! Configurations as dicts and back: what `_testinternalcapi` shows of them.

use crate::fileutils::{decode_locale, encode_surrogateescape, wide_chars};
use crate::initconfig::{Config, Run};
use crate::pyconfig::{list_set, set_string};
use crate::pystate::interp;
use crate::util::*;
use core::ffi::{c_char, c_int, c_ulong};
use core::mem::offset_of;
use core::ptr::{null, null_mut};
use taipan_abi::*;

#[derive(Clone, Copy, PartialEq)]
enum Member {
    Int,
    Uint,
    Bool,
    Ulong,
    Text,
    OptionalText,
    List,
}

macro_rules! spec {
    ($($name:ident $kind:ident),* $(,)?) => { &[$((stringify!($name), offset_of!(PyConfig, $name), Member::$kind)),*] };
}
static SPEC: &[(&str, usize, Member)] = spec![
    _config_init Uint, isolated Bool, use_environment Bool, dev_mode Bool, install_signal_handlers Bool, use_hash_seed Bool,
    hash_seed Ulong, faulthandler Bool, tracemalloc Uint, perf_profiling Uint, import_time Bool, code_debug_ranges Bool,
    show_ref_count Bool, dump_refs Bool, dump_refs_file OptionalText, malloc_stats Bool, filesystem_encoding Text,
    filesystem_errors Text, pycache_prefix OptionalText, parse_argv Bool, orig_argv List, argv List, xoptions List,
    warnoptions List, site_import Bool, bytes_warning Uint, warn_default_encoding Bool, inspect Bool, interactive Bool,
    optimization_level Uint, parser_debug Bool, write_bytecode Bool, verbose Uint, quiet Bool, user_site_directory Bool,
    configure_c_stdio Bool, buffered_stdio Bool, stdio_encoding Text, stdio_errors Text, check_hash_pycs_mode Text,
    use_frozen_modules Bool, safe_path Bool, int_max_str_digits Int, cpu_count Int, pathconfig_warnings Bool,
    program_name Text, pythonpath_env OptionalText, home OptionalText, platlibdir Text, sys_path_0 OptionalText,
    module_search_paths_set Bool, module_search_paths List, stdlib_dir OptionalText, executable OptionalText,
    base_executable OptionalText, prefix OptionalText, base_prefix OptionalText, exec_prefix OptionalText,
    base_exec_prefix OptionalText, skip_source_first_line Bool, run_command OptionalText, run_module OptionalText,
    run_filename OptionalText, _install_importlib Bool, _init_main Bool, _is_python_build Bool,
];

unsafe fn wide_object(w: *const libc::wchar_t) -> PyResult<Owned> {
    // SAFETY: [ARGS] NULL or NUL-terminated.
    if w.is_null() { Ok(none()) } else { unsafe { own(PyUnicode_FromWideChar(w, -1)) } }
}

/// A configuration as a dict.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyConfig_AsDict(config: *const PyConfig) -> *mut PyObject {
    // SAFETY: [ARGS] the table's offsets and types are the struct's.
    let make = || unsafe {
        let dict = own(PyDict_New())?;
        for &(name, offset, kind) in SPEC {
            let at = config.byte_add(offset);
            let value = match kind {
                Member::Int | Member::Uint | Member::Bool => new_int(*at.cast::<c_int>() as i64)?,
                Member::Ulong => own(PyLong_FromUnsignedLong(*at.cast::<c_ulong>()))?,
                Member::Text | Member::OptionalText => wide_object(*at.cast::<*mut libc::wchar_t>())?,
                Member::List => {
                    let list = &*at.cast::<PyWideStringList>();
                    let out = own(PyList_New(0))?;
                    for i in 0..list.length {
                        let item = wide_object(*list.items.offset(i))?;
                        check_status(PyList_Append(out.as_ptr(), item.as_ptr()))?;
                    }
                    out
                }
            };
            dict_set_str(dict.as_ptr(), name, value.as_ptr())?;
        }
        Ok(dict)
    };
    make().into_c()
}

fn invalid_type(name: &str) -> Raised {
    raise!(PyExc_TypeError, "invalid config type: {}", name)
}
fn invalid_value(name: &str) -> Raised {
    raise!(PyExc_ValueError, "invalid config value: {}", name)
}

unsafe fn item(dict: *mut PyObject, name: &str) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let key = new_str(name)?;
        match dict_get(dict, key.as_ptr())? {
            Some(v) => Ok(v),
            None => bail!(PyExc_ValueError, "missing config key: {}", name),
        }
    }
}

/// A conversion's error as the configuration's.
fn number_error(name: &str, e: Raised) -> Raised {
    // SAFETY: static exceptions.
    unsafe {
        if e.matches(PyExc_TypeError) {
            return invalid_type(name);
        }
        if e.matches(PyExc_OverflowError) {
            return invalid_value(name);
        }
        e
    }
}

unsafe fn int_item(dict: *mut PyObject, name: &str) -> PyResult<c_int> {
    // SAFETY: [ARGS]
    unsafe {
        let v = item(dict, name)?;
        let n = PyLong_AsLong(v.as_ptr());
        if n == -1 && err_occurred() {
            return Err(number_error(name, Raised::assume()));
        }
        c_int::try_from(n).map_err(|_| invalid_value(name))
    }
}

unsafe fn text_of(v: *mut PyObject, name: &str) -> PyResult<Vec<u32>> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(v) == 0 {
            return Err(invalid_type(name));
        }
        let w = PyUnicode_AsWideCharString(v, null_mut());
        if w.is_null() {
            return Err(Raised::assume());
        }
        let chars = wide_chars(w);
        PyMem_Free(w.cast());
        Ok(chars)
    }
}

/// Fills a configuration from a dict that has all its members.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyConfig_FromDict(config: *mut PyConfig, dict: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] the table's offsets and types are the struct's.
    let fill = || unsafe {
        if PyDict_Check(dict) == 0 {
            bail!(PyExc_TypeError, "dict expected");
        }
        for &(name, offset, kind) in SPEC {
            let at = config.byte_add(offset);
            match kind {
                Member::Int | Member::Uint | Member::Bool => {
                    let n = int_item(dict, name)?;
                    if n < 0 && kind != Member::Int {
                        return Err(invalid_value(name));
                    }
                    *at.cast() = n;
                }
                Member::Ulong => {
                    let v = item(dict, name)?;
                    let n = PyLong_AsUnsignedLong(v.as_ptr());
                    if n == c_ulong::MAX && err_occurred() {
                        return Err(number_error(name, Raised::assume()));
                    }
                    *at.cast() = n;
                }
                Member::Text | Member::OptionalText => {
                    let v = item(dict, name)?;
                    if v.as_ptr() != Py_None() {
                        let chars = text_of(v.as_ptr(), name)?;
                        set_string(at.cast(), Some(&chars));
                    } else if kind == Member::OptionalText {
                        set_string(at.cast(), None);
                    } else {
                        return Err(invalid_value(name));
                    }
                }
                Member::List => {
                    let v = item(dict, name)?;
                    if PyList_CheckExact(v.as_ptr()) == 0 {
                        return Err(invalid_type(name));
                    }
                    let mut all = Vec::new();
                    for i in 0..PyList_GET_SIZE(v.as_ptr()) {
                        let text = PyList_GET_ITEM(v.as_ptr(), i);
                        if text == Py_None() {
                            return Err(invalid_value(name));
                        }
                        all.push(text_of(text, name)?);
                    }
                    list_set(at.cast(), &all);
                }
            }
        }
        if !((*config).hash_seed <= u32::MAX as c_ulong) {
            return Err(invalid_value("hash_seed"));
        }
        Ok(())
    };
    fill().into_c()
}

/// The interpreter's configuration in C's types; `c` is initialised.
unsafe fn from_config(c: *mut PyConfig, r: &Config) {
    // SAFETY: [ARGS]
    unsafe {
        let text = |slot: *mut *mut libc::wchar_t, b: &[u8]| set_string(slot, Some(&decode_locale(b)));
        let optional = |slot: *mut *mut libc::wchar_t, b: Option<&Vec<u8>>| set_string(slot, b.map(|b| decode_locale(b)).as_deref());
        let list = |slot: *mut PyWideStringList, all: &[Vec<u8>]| {
            let all: Vec<Vec<u32>> = all.iter().map(|b| decode_locale(b)).collect();
            list_set(slot, &all);
        };
        macro_rules! ints {
            ($($f:ident)*) => { $((*c).$f = r.$f as _;)* };
        }
        ints! {
            isolated use_environment dev_mode install_signal_handlers use_hash_seed hash_seed faulthandler tracemalloc
            perf_profiling import_time code_debug_ranges malloc_stats site_import bytes_warning warn_default_encoding inspect
            interactive optimization_level parser_debug write_bytecode verbose quiet user_site_directory buffered_stdio
            use_frozen_modules safe_path int_max_str_digits cpu_count pathconfig_warnings skip_source_first_line
        }
        text(&raw mut (*c).filesystem_encoding, r.filesystem_encoding.as_bytes());
        text(&raw mut (*c).filesystem_errors, r.filesystem_errors.as_bytes());
        text(&raw mut (*c).stdio_encoding, r.stdio_encoding.as_bytes());
        text(&raw mut (*c).stdio_errors, r.stdio_errors.as_bytes());
        text(&raw mut (*c).check_hash_pycs_mode, r.check_hash_pycs_mode.as_bytes());
        text(&raw mut (*c).program_name, &r.program_name);
        text(&raw mut (*c).platlibdir, &r.platlibdir);
        text(&raw mut (*c).executable, &r.executable);
        text(&raw mut (*c).base_executable, &r.base_executable);
        text(&raw mut (*c).prefix, &r.prefix);
        text(&raw mut (*c).base_prefix, &r.base_prefix);
        text(&raw mut (*c).exec_prefix, &r.exec_prefix);
        text(&raw mut (*c).base_exec_prefix, &r.base_exec_prefix);
        optional(&raw mut (*c).pycache_prefix, r.pycache_prefix.as_ref());
        optional(&raw mut (*c).pythonpath_env, r.pythonpath_env.as_ref());
        optional(&raw mut (*c).home, r.home.as_ref());
        optional(&raw mut (*c).stdlib_dir, r.stdlib_dir.as_ref());
        optional(&raw mut (*c).sys_path_0, r.sys_path_0.as_ref());
        list(&raw mut (*c).orig_argv, &r.orig_argv);
        list(&raw mut (*c).argv, &r.argv);
        list(&raw mut (*c).xoptions, &r.xoptions);
        list(&raw mut (*c).warnoptions, &r.warnoptions);
        list(&raw mut (*c).module_search_paths, &r.module_search_paths);
        (*c).module_search_paths_set = 1;
        let (mut command, mut module, mut file) = (None, None, None);
        match &r.run {
            Run::Command(t) => command = Some(t),
            Run::Module(t) => module = Some(t),
            Run::File(t) => file = Some(t),
            _ => {}
        }
        optional(&raw mut (*c).run_command, command);
        optional(&raw mut (*c).run_module, module);
        optional(&raw mut (*c).run_filename, file);
    }
}

/// Copies the interpreter's configuration; `c` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_GetConfigCopy(c: *mut PyConfig) -> c_int {
    // SAFETY: [ARGS]
    unsafe { from_config(c, &interp().config) };
    0
}

/// Replaces the interpreter's configuration, and what `sys` says of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_SetConfig(c: *const PyConfig) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let r = &mut interp().config;
        let bytes = |w: *const libc::wchar_t| (!w.is_null()).then(|| encode_surrogateescape(&wide_chars(w)).unwrap_or_default());
        let list = |l: &PyWideStringList| -> Vec<Vec<u8>> { (0..l.length).filter_map(|i| bytes(*l.items.offset(i))).collect() };
        macro_rules! ints {
            ($($f:ident)*) => { $(r.$f = (*c).$f as _;)* };
        }
        ints! {
            isolated use_environment dev_mode install_signal_handlers faulthandler tracemalloc perf_profiling import_time
            code_debug_ranges malloc_stats site_import bytes_warning warn_default_encoding inspect interactive
            optimization_level parser_debug write_bytecode verbose quiet user_site_directory buffered_stdio
            use_frozen_modules safe_path int_max_str_digits cpu_count pathconfig_warnings skip_source_first_line
        }
        (r.use_hash_seed, r.hash_seed) = ((*c).use_hash_seed != 0, (*c).hash_seed as u32);
        macro_rules! texts {
            ($($f:ident)*) => { $(r.$f = bytes((*c).$f).unwrap_or_default();)* };
        }
        texts!(program_name platlibdir executable base_executable prefix base_prefix exec_prefix base_exec_prefix);
        macro_rules! optional {
            ($($f:ident)*) => { $(r.$f = bytes((*c).$f);)* };
        }
        optional!(pycache_prefix pythonpath_env home stdlib_dir sys_path_0);
        macro_rules! lists {
            ($($f:ident)*) => { $(r.$f = list(&(*c).$f);)* };
        }
        lists!(orig_argv argv xoptions warnoptions module_search_paths);
        if let Some(e) = bytes((*c).stdio_encoding) {
            r.stdio_encoding = String::from_utf8_lossy(&e).into_owned();
        }
        if let Some(e) = bytes((*c).stdio_errors) {
            r.stdio_errors = String::from_utf8_lossy(&e).into_owned();
        }
        taipan_objects::longobject::MAX_STR_DIGITS = r.int_max_str_digits;
        crate::pydebug::set_flags(r);
        crate::sysmodule_info::update_config().into_c()
    }
}

/// The configuration that the interpreter was started with (lent, and made anew by each call).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_GetConfig() -> *const PyConfig {
    static COPY: std::sync::atomic::AtomicPtr<PyConfig> = std::sync::atomic::AtomicPtr::new(null_mut());
    // SAFETY: [GIL] one copy, which lives for ever.
    unsafe {
        let mut c = COPY.load(std::sync::atomic::Ordering::Acquire);
        if c.is_null() {
            c = PyMem_RawCalloc(1, size_of::<PyConfig>()).cast();
            if c.is_null() {
                return null();
            }
            PyConfig_InitPythonConfig(c);
            COPY.store(c, std::sync::atomic::Ordering::Release);
        }
        from_config(c, &interp().config);
        c
    }
}

/// Defaults of programs that embed Python by the old functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyConfig_InitCompatConfig(c: *mut PyConfig) {
    // SAFETY: [ARGS]
    unsafe {
        PyConfig_InitPythonConfig(c);
        (*c)._config_init = 1;
        (*c).parse_argv = 0;
        (*c).configure_c_stdio = 0;
        for f in [
            &raw mut (*c).isolated,
            &raw mut (*c).use_environment,
            &raw mut (*c).site_import,
            &raw mut (*c).bytes_warning,
            &raw mut (*c).inspect,
            &raw mut (*c).interactive,
            &raw mut (*c).optimization_level,
            &raw mut (*c).parser_debug,
            &raw mut (*c).write_bytecode,
            &raw mut (*c).verbose,
            &raw mut (*c).quiet,
            &raw mut (*c).user_site_directory,
            &raw mut (*c).buffered_stdio,
            &raw mut (*c).pathconfig_warnings,
        ] {
            *f = -1;
        }
    }
}

/// Defaults of programs that embed Python by the old functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyPreConfig_InitCompatConfig(c: *mut PyPreConfig) {
    // SAFETY: [ARGS]
    unsafe {
        PyPreConfig_InitPythonConfig(c);
        (*c)._config_init = 1;
        (*c).parse_argv = 0;
        (*c).isolated = -1;
        (*c).use_environment = -1;
        (*c).utf8_mode = 0;
        (*c).dev_mode = -1;
        (*c).configure_locale = 1;
        (*c).coerce_c_locale = 0;
        (*c).coerce_c_locale_warn = 0;
    }
}

/// All there is to know: global flags, pre-configuration, configuration.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_GetConfigsAsDict() -> *mut PyObject {
    // SAFETY: [GIL]
    let make = || unsafe {
        let all = own(PyDict_New())?;
        let flags = crate::pydebug::flags_dict()?;
        dict_set_str(all.as_ptr(), "global_config", flags.as_ptr())?;
        let c = &interp().config;
        let pre = own(PyDict_New())?;
        for (name, value) in [
            ("_config_init", 2),
            ("parse_argv", 1),
            ("isolated", c.isolated),
            ("use_environment", c.use_environment),
            ("configure_locale", 1),
            ("coerce_c_locale", 0),
            ("coerce_c_locale_warn", 0),
            ("utf8_mode", c.utf8_mode),
            ("dev_mode", c.dev_mode),
            ("allocator", crate::initconfig::allocator_number()),
        ] {
            dict_set_str(pre.as_ptr(), name, new_int(value as i64)?.as_ptr())?;
        }
        dict_set_str(all.as_ptr(), "pre_config", pre.as_ptr())?;
        let config = own(_PyConfig_AsDict(_Py_GetConfig()))?;
        dict_set_str(all.as_ptr(), "config", config.as_ptr())?;
        Ok(all)
    };
    make().into_c()
}

/// A status as an exception; -1 if there was none to raise it with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_SetFromPyStatus(s: PyStatus) {
    // SAFETY: [ARGS]
    unsafe {
        match s._type {
            _PyStatus_TYPE::_PyStatus_TYPE_OK => {
                let _ = raise!(PyExc_SystemError, "expected an error PyStatus");
            }
            _PyStatus_TYPE::_PyStatus_TYPE_EXIT => {
                let _ = raise!(PyExc_SystemExit, "{}", s.exitcode);
            }
            _PyStatus_TYPE::_PyStatus_TYPE_ERROR => {
                let msg = if s.err_msg.is_null() { String::new() } else { c_text(s.err_msg).into_owned() };
                let _ = if s.func.is_null() { raise!(PyExc_RuntimeError, "{}", msg) } else { raise!(PyExc_RuntimeError, "{}: {}", c_text(s.func), msg) };
            }
        }
    }
}

/// An environment variable, NULL when it is not set or the environment is to be ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GETENV(name: *const c_char) -> *mut c_char {
    // SAFETY: [ARGS]
    unsafe { if crate::pydebug::Py_IgnoreEnvironmentFlag != 0 { null_mut() } else { libc::getenv(name) } }
}

/// The main program for who has wide arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_Main(argc: c_int, argv: *mut *mut libc::wchar_t) -> c_int {
    unsafe extern "C" {
        /// The executable's main program.
        fn Py_BytesMain(argc: c_int, argv: *mut *mut c_char) -> c_int;
    }
    // SAFETY: [ARGS]
    unsafe {
        let mut args: Vec<*mut c_char> = Vec::new();
        for i in 0..argc {
            let bytes = encode_surrogateescape(&wide_chars(*argv.offset(i as isize))).unwrap_or_default();
            args.push(std::ffi::CString::new(bytes).unwrap_or_default().into_raw());
        }
        args.push(null_mut());
        Py_BytesMain(argc, args.as_mut_ptr())
    }
}

/// The main program of a frozen executable: runs the `__main__` that [`crate::frozen::PyImport_FrozenModules`] brings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_FrozenMain(argc: c_int, argv: *mut *mut c_char) -> c_int {
    use crate::pyconfig::*;
    // SAFETY: [ARGS]
    unsafe {
        let mut config = core::mem::MaybeUninit::<PyConfig>::uninit();
        let config = config.as_mut_ptr();
        PyConfig_InitPythonConfig(config);
        (*config).pathconfig_warnings = 0;
        (*config).parse_argv = 0;
        let mut status = PyConfig_SetBytesArgv(config, argc as Py_ssize_t, argv);
        if PyStatus_Exception(status) == 0 {
            status = Py_InitializeFromConfig(config);
        }
        PyConfig_Clear(config);
        if PyStatus_Exception(status) != 0 {
            Py_ExitStatusException(status);
        }
        let main = crate::pystate::PyInterpreterState_Get();
        if crate::pystate::_PyInterpreterState_SetRunningMain(main) < 0 {
            crate::pythonrun::PyErr_Print();
            libc::exit(1);
        }
        let mut code = match crate::import::PyImport_ImportFrozenModule(c"__main__".as_ptr()) {
            0 => fatal("the __main__ module is not frozen"),
            n if n < 0 => {
                crate::pythonrun::PyErr_Print();
                1
            }
            _ => 0,
        };
        crate::pystate::_PyInterpreterState_SetNotRunningMain(main);
        if crate::pylifecycle::Py_FinalizeEx() < 0 {
            code = 120;
        }
        code
    }
}

// skipped _Py_InitializeMain
