//! The C API of configuration: `PyConfig`, `PyPreConfig`, `PyStatus`, as an embedding program sets it.

use crate::fileutils::{decode_locale, encode_surrogateescape, raw_wide, wide_chars};
use crate::initconfig::{Config, ConfigError, Options, Run, read_config};
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;

type Wide = *mut libc::wchar_t;

// ---- PyStatus

const OK: PyStatus = PyStatus { _type: _PyStatus_TYPE::_PyStatus_TYPE_OK, func: core::ptr::null(), err_msg: core::ptr::null(), exitcode: 0 };

/// Success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStatus_Ok() -> PyStatus {
    OK
}

/// An error with a text that lives for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStatus_Error(err_msg: *const c_char) -> PyStatus {
    PyStatus { _type: _PyStatus_TYPE::_PyStatus_TYPE_ERROR, err_msg, ..OK }
}

/// No memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStatus_NoMemory() -> PyStatus {
    // SAFETY: a constant text.
    unsafe { PyStatus_Error(c"memory allocation failed".as_ptr()) }
}

/// An exit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStatus_Exit(exitcode: c_int) -> PyStatus {
    PyStatus { _type: _PyStatus_TYPE::_PyStatus_TYPE_EXIT, exitcode, ..OK }
}

/// Whether a status is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStatus_IsError(s: PyStatus) -> c_int {
    (s._type == _PyStatus_TYPE::_PyStatus_TYPE_ERROR) as c_int
}

/// Whether a status is an exit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStatus_IsExit(s: PyStatus) -> c_int {
    (s._type == _PyStatus_TYPE::_PyStatus_TYPE_EXIT) as c_int
}

/// Whether a status is no success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStatus_Exception(s: PyStatus) -> c_int {
    (s._type != _PyStatus_TYPE::_PyStatus_TYPE_OK) as c_int
}

/// Ends the process as a status says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_ExitStatusException(s: PyStatus) -> ! {
    // SAFETY: [ARGS]
    unsafe {
        if s._type == _PyStatus_TYPE::_PyStatus_TYPE_EXIT {
            libc::exit(s.exitcode);
        }
        let func = crate::util::c_text(s.func);
        crate::pylifecycle::config_error(&func, &crate::util::c_text(s.err_msg))
    }
}

fn status_of(e: ConfigError) -> PyStatus {
    let ConfigError::Fatal(func, msg) = e;
    let leak = |t: &str| std::ffi::CString::new(t).unwrap_or_default().into_raw().cast_const();
    PyStatus { _type: _PyStatus_TYPE::_PyStatus_TYPE_ERROR, func: leak(func), err_msg: leak(&msg), exitcode: 0 }
}

// ---- strings and lists

/// Raw memory of `n` items.
unsafe fn raw_array<T>(n: usize) -> *mut T {
    // SAFETY: fresh memory.
    unsafe { PyMem_RawMalloc(n.max(1) * size_of::<T>()).cast() }
}

pub(crate) unsafe fn set_string(slot: *mut Wide, chars: Option<&[u32]>) {
    // SAFETY: [ARGS] the old string is ours.
    unsafe {
        PyMem_RawFree((*slot).cast());
        *slot = chars.map_or(null_mut(), raw_wide);
    }
}

unsafe fn list_clear(l: *mut PyWideStringList) {
    // SAFETY: [ARGS]
    unsafe {
        for i in 0..(*l).length as usize {
            PyMem_RawFree((*(*l).items.add(i)).cast());
        }
        PyMem_RawFree((*l).items.cast());
        (*l).length = 0;
        (*l).items = null_mut();
    }
}

pub(crate) unsafe fn list_set(l: *mut PyWideStringList, items: &[Vec<u32>]) {
    // SAFETY: [ARGS]
    unsafe {
        list_clear(l);
        (*l).items = raw_array(items.len());
        for (i, t) in items.iter().enumerate() {
            *(*l).items.add(i) = raw_wide(t);
        }
        (*l).length = items.len() as Py_ssize_t;
    }
}

unsafe fn list_get(l: *const PyWideStringList) -> Vec<Vec<u32>> {
    // SAFETY: [ARGS]
    unsafe { (0..(*l).length as usize).map(|i| wide_chars(*(*l).items.add(i))).collect() }
}

/// Inserts a copy of a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyWideStringList_Insert(list: *mut PyWideStringList, index: Py_ssize_t, item: *const libc::wchar_t) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe {
        if index < 0 {
            return PyStatus_Error(c"PyWideStringList_Insert index must be >= 0".as_ptr());
        }
        let mut all = list_get(list);
        let at = (index as usize).min(all.len());
        all.insert(at, wide_chars(item));
        list_set(list, &all);
        OK
    }
}

/// Appends a copy of a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyWideStringList_Append(list: *mut PyWideStringList, item: *const libc::wchar_t) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe { PyWideStringList_Insert(list, (*list).length, item) }
}

// ---- PyPreConfig

const INIT_PYTHON: c_int = 2;
const INIT_ISOLATED: c_int = 3;

unsafe fn preconfig(c: *mut PyPreConfig, kind: c_int) {
    let python = kind == INIT_PYTHON;
    // SAFETY: [ARGS]
    unsafe {
        c.write(PyPreConfig {
            _config_init: kind,
            parse_argv: python as c_int,
            isolated: !python as c_int,
            use_environment: python as c_int,
            configure_locale: python as c_int,
            coerce_c_locale: if python { -1 } else { 0 },
            coerce_c_locale_warn: if python { -1 } else { 0 },
            utf8_mode: if python { -1 } else { 0 },
            dev_mode: if python { -1 } else { 0 },
            allocator: 0,
        });
    }
}

/// Fills in what the `python3` program has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyPreConfig_InitPythonConfig(c: *mut PyPreConfig) {
    // SAFETY: [ARGS]
    unsafe { preconfig(c, INIT_PYTHON) }
}

/// Fills in what keeps the user's environment out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyPreConfig_InitIsolatedConfig(c: *mut PyPreConfig) {
    // SAFETY: [ARGS]
    unsafe { preconfig(c, INIT_ISOLATED) }
}

/// Chooses the allocators; encodings are chosen when the interpreter starts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_PreInitialize(c: *const PyPreConfig) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe {
        if !c.is_null() {
            crate::initconfig::set_up_allocator_number((*c).allocator);
        }
    }
    OK
}

/// As [`Py_PreInitialize`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_PreInitializeFromBytesArgs(c: *const PyPreConfig, _argc: Py_ssize_t, _argv: *mut *mut c_char) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe { Py_PreInitialize(c) }
}

/// As [`Py_PreInitialize`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_PreInitializeFromArgs(c: *const PyPreConfig, _argc: Py_ssize_t, _argv: *mut Wide) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe { Py_PreInitialize(c) }
}

// ---- PyConfig

unsafe fn init_config(c: *mut PyConfig, kind: c_int) {
    // The first to allocate: the choice of allocators can't wait for the configuration to be read.
    crate::initconfig::set_up_allocators_from_environment(kind == INIT_PYTHON);
    // SAFETY: [ARGS] all-zero is valid: NULL strings, empty lists.
    unsafe {
        core::ptr::write_bytes(c, 0, 1);
        let python = kind == INIT_PYTHON;
        (*c)._config_init = kind;
        (*c).isolated = !python as c_int;
        (*c).use_environment = python as c_int;
        (*c).dev_mode = if python { -1 } else { 0 };
        (*c).install_signal_handlers = python as c_int;
        (*c).use_hash_seed = if python { -1 } else { 0 };
        (*c).faulthandler = if python { -1 } else { 0 };
        (*c).tracemalloc = if python { -1 } else { 0 };
        (*c).perf_profiling = if python { -1 } else { 0 };
        (*c).code_debug_ranges = 1;
        (*c).parse_argv = python as c_int;
        (*c).site_import = 1;
        (*c).write_bytecode = 1;
        (*c).user_site_directory = python as c_int;
        (*c).configure_c_stdio = python as c_int;
        (*c).buffered_stdio = 1;
        (*c).use_frozen_modules = 1;
        (*c).safe_path = !python as c_int;
        (*c).int_max_str_digits = -1;
        (*c).cpu_count = -1;
        (*c).pathconfig_warnings = python as c_int;
        (*c)._install_importlib = 1;
        (*c)._init_main = 1;
        set_string(&raw mut (*c).check_hash_pycs_mode, Some(&"default".chars().map(|c| c as u32).collect::<Vec<_>>()));
    }
}

/// Fills in what the `python3` program has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyConfig_InitPythonConfig(c: *mut PyConfig) {
    // SAFETY: [ARGS]
    unsafe { init_config(c, INIT_PYTHON) }
}

/// Fills in what keeps the user's environment out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyConfig_InitIsolatedConfig(c: *mut PyConfig) {
    // SAFETY: [ARGS]
    unsafe { init_config(c, INIT_ISOLATED) }
}

macro_rules! each_string {
    ($c:expr, $f:expr) => {{
        let c = $c;
        let f = $f;
        f(&raw mut (*c).dump_refs_file);
        f(&raw mut (*c).filesystem_encoding);
        f(&raw mut (*c).filesystem_errors);
        f(&raw mut (*c).pycache_prefix);
        f(&raw mut (*c).stdio_encoding);
        f(&raw mut (*c).stdio_errors);
        f(&raw mut (*c).check_hash_pycs_mode);
        f(&raw mut (*c).program_name);
        f(&raw mut (*c).pythonpath_env);
        f(&raw mut (*c).home);
        f(&raw mut (*c).platlibdir);
        f(&raw mut (*c).stdlib_dir);
        f(&raw mut (*c).executable);
        f(&raw mut (*c).base_executable);
        f(&raw mut (*c).prefix);
        f(&raw mut (*c).base_prefix);
        f(&raw mut (*c).exec_prefix);
        f(&raw mut (*c).base_exec_prefix);
        f(&raw mut (*c).run_command);
        f(&raw mut (*c).run_module);
        f(&raw mut (*c).run_filename);
        f(&raw mut (*c).sys_path_0);
    }};
}

/// Frees what a configuration holds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyConfig_Clear(c: *mut PyConfig) {
    // SAFETY: [ARGS]
    unsafe {
        each_string!(c, |s: *mut Wide| set_string(s, None));
        for l in [&raw mut (*c).orig_argv, &raw mut (*c).argv, &raw mut (*c).xoptions, &raw mut (*c).warnoptions, &raw mut (*c).module_search_paths] {
            list_clear(l);
        }
    }
}

/// Sets a string of a configuration to a copy (NULL for none).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyConfig_SetString(_c: *mut PyConfig, slot: *mut Wide, text: *const libc::wchar_t) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe {
        if text.is_null() {
            set_string(slot, None);
        } else {
            set_string(slot, Some(&wide_chars(text)));
        }
        OK
    }
}

/// Sets a string of a configuration from bytes in the locale's encoding (NULL for none).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyConfig_SetBytesString(_c: *mut PyConfig, slot: *mut Wide, text: *const c_char) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe {
        if text.is_null() {
            set_string(slot, None);
        } else {
            set_string(slot, Some(&decode_locale(core::ffi::CStr::from_ptr(text).to_bytes())));
        }
        OK
    }
}

/// Sets a list of a configuration to copies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyConfig_SetWideStringList(_c: *mut PyConfig, list: *mut PyWideStringList, length: Py_ssize_t, items: *mut Wide) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe {
        let all: Vec<Vec<u32>> = (0..length as usize).map(|i| wide_chars(*items.add(i))).collect();
        list_set(list, &all);
        OK
    }
}

/// Sets the arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyConfig_SetArgv(c: *mut PyConfig, argc: Py_ssize_t, argv: *const Wide) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe { PyConfig_SetWideStringList(c, &raw mut (*c).argv, argc, argv.cast_mut()) }
}

/// Sets the arguments from bytes in the locale's encoding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyConfig_SetBytesArgv(c: *mut PyConfig, argc: Py_ssize_t, argv: *const *mut c_char) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe {
        let all: Vec<Vec<u32>> = (0..argc as usize).map(|i| decode_locale(core::ffi::CStr::from_ptr(*argv.add(i)).to_bytes())).collect();
        list_set(&raw mut (*c).argv, &all);
        OK
    }
}

/// Bytes of a wide string; `None` for NULL.
unsafe fn bytes(w: Wide) -> Option<Vec<u8>> {
    // SAFETY: [ARGS]
    unsafe {
        if w.is_null() {
            return None;
        }
        encode_surrogateescape(&wide_chars(w)).ok()
    }
}

/// The Rust configuration that a C one describes.
///
/// # Safety
/// `c` is an initialised configuration.
pub unsafe fn to_config(c: *const PyConfig) -> Result<Config, ConfigError> {
    // SAFETY: [ARGS]
    unsafe {
        let list = |l: *const PyWideStringList| -> Vec<Vec<u8>> { list_get(l).iter().filter_map(|t| encode_surrogateescape(t).ok()).collect() };
        let mut argv = list(&raw const (*c).argv);
        let mut o = Options {
            bytes_warning: (*c).bytes_warning,
            dont_write_bytecode: (*c).write_bytecode == 0,
            debug: (*c).parser_debug,
            ignore_environment: (*c).use_environment == 0,
            inspect: (*c).inspect != 0 || (*c).interactive != 0,
            isolated: (*c).isolated != 0,
            optimize: (*c).optimization_level,
            safe_path: (*c).safe_path != 0,
            quiet: (*c).quiet,
            no_user_site: (*c).user_site_directory == 0,
            no_site: (*c).site_import == 0,
            unbuffered: (*c).buffered_stdio == 0,
            verbose: (*c).verbose,
            skip_first_line: (*c).skip_source_first_line != 0,
            warnoptions: list(&raw const (*c).warnoptions),
            xoptions: list(&raw const (*c).xoptions),
            ..Options::default()
        };
        o.run = match (bytes((*c).run_command), bytes((*c).run_module), bytes((*c).run_filename)) {
            (Some(t), _, _) => Run::Command(t),
            (_, Some(m), _) => Run::Module(m),
            (_, _, Some(f)) => Run::File(f),
            _ => Run::Stdin,
        };
        let program = bytes((*c).program_name);
        o.orig_argv = list(&raw const (*c).orig_argv);
        if o.orig_argv.is_empty() {
            o.orig_argv = argv.clone();
        }
        if let Some(p) = &program {
            if o.orig_argv.is_empty() {
                o.orig_argv.push(p.clone());
            } else {
                o.orig_argv[0] = p.clone();
            }
        }
        let mut r = read_config(&o)?;
        r.install_signal_handlers = (*c).install_signal_handlers;
        if (*c).use_hash_seed > 0 {
            (r.use_hash_seed, r.hash_seed) = (true, (*c).hash_seed as u32);
        }
        if (*c).int_max_str_digits >= 0 {
            r.int_max_str_digits = (*c).int_max_str_digits;
        }
        if !argv.is_empty() {
            r.argv = std::mem::take(&mut argv);
        }
        let over = |slot: &mut Vec<u8>, w: Wide| {
            if let Some(b) = bytes(w) {
                *slot = b;
            }
        };
        over(&mut r.executable, (*c).executable);
        over(&mut r.base_executable, (*c).base_executable);
        over(&mut r.prefix, (*c).prefix);
        over(&mut r.base_prefix, (*c).base_prefix);
        over(&mut r.exec_prefix, (*c).exec_prefix);
        over(&mut r.base_exec_prefix, (*c).base_exec_prefix);
        over(&mut r.platlibdir, (*c).platlibdir);
        if let Some(d) = bytes((*c).stdlib_dir) {
            r.stdlib_dir = Some(d);
        }
        if let Some(p) = bytes((*c).pycache_prefix) {
            r.pycache_prefix = Some(p);
        }
        if (*c).module_search_paths_set != 0 {
            r.module_search_paths = list(&raw const (*c).module_search_paths);
        }
        Ok(r)
    }
}

/// Fills in what can be found out: the paths.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyConfig_Read(c: *mut PyConfig) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe {
        let r = match to_config(c) {
            Ok(r) => r,
            Err(e) => return status_of(e),
        };
        let set = |slot: *mut Wide, b: &[u8]| {
            if (*slot).is_null() {
                set_string(slot, Some(&decode_locale(b)));
            }
        };
        set(&raw mut (*c).executable, &r.executable);
        set(&raw mut (*c).base_executable, &r.base_executable);
        set(&raw mut (*c).prefix, &r.prefix);
        set(&raw mut (*c).base_prefix, &r.base_prefix);
        set(&raw mut (*c).exec_prefix, &r.exec_prefix);
        set(&raw mut (*c).base_exec_prefix, &r.base_exec_prefix);
        set(&raw mut (*c).platlibdir, &r.platlibdir);
        set(&raw mut (*c).program_name, &r.program_name);
        set(&raw mut (*c).filesystem_encoding, r.filesystem_encoding.as_bytes());
        set(&raw mut (*c).filesystem_errors, r.filesystem_errors.as_bytes());
        set(&raw mut (*c).stdio_encoding, r.stdio_encoding.as_bytes());
        set(&raw mut (*c).stdio_errors, r.stdio_errors.as_bytes());
        if (*c).module_search_paths_set == 0 {
            let all: Vec<Vec<u32>> = r.module_search_paths.iter().map(|p| decode_locale(p)).collect();
            list_set(&raw mut (*c).module_search_paths, &all);
            (*c).module_search_paths_set = 1;
        }
        (*c).dev_mode = r.dev_mode;
        (*c).faulthandler = r.faulthandler;
        (*c).tracemalloc = r.tracemalloc;
        (*c).int_max_str_digits = r.int_max_str_digits;
        OK
    }
}

/// Starts the interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_InitializeFromConfig(c: *const PyConfig) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe {
        match to_config(c) {
            Ok(r) => match crate::pylifecycle::initialize(r) {
                Ok(()) => OK,
                Err(e) => status_of(e),
            },
            Err(e) => status_of(e),
        }
    }
}

/// Runs what the interpreter was configured for, and ends it; the exit code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_RunMain() -> c_int {
    crate::pymain::run_initialized()
}

/// The command line as it was given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetArgcArgv(argc: *mut c_int, argv: *mut *mut Wide) {
    // SAFETY: [ARGS] the vector is made once and never freed.
    unsafe {
        let ip = crate::pystate::main_interp();
        let args: &[Vec<u8>] = if ip.is_null() { &[] } else { &(*ip).config.orig_argv };
        let v: *mut Wide = raw_array(args.len() + 1);
        for (i, a) in args.iter().enumerate() {
            *v.add(i) = raw_wide(&decode_locale(a));
        }
        *v.add(args.len()) = null_mut();
        *argc = args.len() as c_int;
        *argv = v;
    }
}
