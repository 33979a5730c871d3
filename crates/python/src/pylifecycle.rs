//! Start and end of the interpreter, fatal errors.

use crate::fileutils::c_path;
use crate::initconfig::{Config, ConfigError};
use crate::pystate::*;
use crate::pystate::PyThreadState_Swap;
use crate::sysmodule::{get_optional_attr, set_attr};
use crate::util::*;
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, Ordering::*};

use std::sync::Mutex;
use taipan_abi::*;

unsafe extern "C" {
    fn _PyModule_Clear(module: *mut PyObject);
    fn _PyModule_ClearDict(dict: *mut PyObject);
    /// The module `atexit`: calls what is registered.
    pub(crate) fn _PyAtExit_Call();
    /// The module `atexit`: calls the C functions registered for the interpreter's end.
    pub(crate) fn _PyAtExit_Fini();
    /// The module `faulthandler`: takes its signal handlers away.
    fn _PyFaulthandler_Fini();
    pub(crate) fn _PyGC_CollectNoFail(ts: *mut PyThreadState) -> Py_ssize_t;
    static stdout: *mut libc::FILE;
    static stderr: *mut libc::FILE;
}

// ---- initialisation

/// Names what fails when `r` is an error: the function and the text that the report of the fatal error shows.
pub(crate) fn stage<T>(func: &'static str, msg: &'static str, r: PyResult<T>) -> Result<T, ConfigError> {
    r.map_err(|_| ConfigError::Fatal(func, msg.into()))
}

/// Starts the interpreter. What failed in Python code is set as the exception.
pub fn initialize(config: Config) -> Result<(), ConfigError> {
    if INITIALIZED.load(Acquire) {
        return Ok(());
    }
    install_panic_hook();
    let seed = config.use_hash_seed.then_some(config.hash_seed);
    // SAFETY: once, before any other thread runs.
    unsafe {
        if !taipan_objects::pyhash::init_hash_secret(seed) {
            return Err(ConfigError::Fatal("_Py_HashRandomization_Init", "failed to get random numbers to initialize Python".into()));
        }
        crate::pydebug::set_flags(&config);
        crate::codeobject::CODE_DEBUG_RANGES.store(config.code_debug_ranges != 0, Relaxed);
        taipan_objects::longobject::MAX_STR_DIGITS = config.int_max_str_digits;
        taipan_objects::unicode_codecs::CHECK_NAMES = config.dev_mode != 0;
        let ip = new_interpreter(config);
        let ts = _PyThreadState_New(ip.cast(), 1);
        (*ip).main_tstate = ts;
        bind_tstate(ts);
        crate::ceval_gil::attach(ts);
        let core = initialize_core();
        if core.is_err() && !(*ip).config.frozen_dir.join("importlib").is_dir() {
            // There is no library: that is said as where the import system stands and finds none.
            CORE_INITIALIZED.store(true, Release);
            PyErr_Clear();
            let raised: PyResult<()> = (|| bail!(PyExc_ModuleNotFoundError, "No module named 'encodings'"))();
            stage("", "Failed to import encodings module", raised)?;
        }
        stage("pycore_interp_init", "failed to initialize importlib", core)?;
        CORE_INITIALIZED.store(true, Release);
        initialize_main()
    }
}

/// Types, `sys`, `builtins`, and what importing built-in and frozen modules needs.
fn initialize_core() -> PyResult<()> {
    // SAFETY: [GIL] once, one thread.
    unsafe {
        taipan_objects::object::init_types()?;
        taipan_objects::exceptions::init_types()?;
        for tp in runtime_types() {
            taipan_objects::object::init_static_type(tp)?;
        }
        crate::context::init_types()?;
        taipan_objects::exceptions::preallocate_memerrors()?;
        crate::import::init_inittab();
        initialize_interpreter()
    }
}

/// `sys`, `builtins` and `importlib` of the running interpreter.
pub(crate) fn initialize_interpreter() -> PyResult<()> {
    // SAFETY: [GIL] the interpreter is new.
    unsafe {
        crate::sysmodule_info::create()?;
        let builtins = crate::bltinmodule::create()?;
        let ip = interp();
        let d = PyModule_GetDict(builtins.as_ptr());
        taipan_objects::exceptions::add_to_builtins(Borrowed::from_ptr(d))?;
        ip.builtins = Owned::from_borrowed(d).into_raw();
        dict_set_str(ip.modules, "builtins", builtins.as_ptr())?;
        ip.import_func = getattr(builtins.as_ptr(), intern!("__import__"))?.into_raw();
        ip.builtins_copy = own(PyDict_Copy(d))?.into_raw();
        // Errors of the start itself need somewhere to go.
        let preliminary = own(crate::fileobject::PyFile_NewStdPrinter(2))?;
        set_attr(intern!("stderr"), preliminary.as_ptr())?;
        set_attr(intern!("__stderr__"), preliminary.as_ptr())?;
        crate::ceval_calls::fill_callable_cache(current_tstate());
        crate::import::init_importlib()
    }
}

/// The static types that this crate defines.
fn runtime_types() -> Vec<*mut PyTypeObject> {
    vec![
        &raw mut crate::codeobject::PyCode_Type,
        &raw mut crate::frameobject::PyFrame_Type,
        &raw mut crate::frame_locals::PyFrameLocalsProxy_Type,
        &raw mut crate::genobject::PyGen_Type,
        &raw mut crate::genobject::PyCoro_Type,
        &raw mut crate::genobject::PyAsyncGen_Type,
        &raw mut crate::genobject::_PyCoroWrapper_Type,
        &raw mut crate::genobject::_PyAsyncGenASend_Type,
        &raw mut crate::genobject::_PyAsyncGenAThrow_Type,
        &raw mut crate::genobject::_PyAsyncGenWrappedValue_Type,
        &raw mut crate::fileobject::PyStdPrinter_Type,
        &raw mut crate::traceback::PyTraceBack_Type,
        &raw mut crate::bltinmodule::PyFilter_Type,
        &raw mut crate::bltinmodule::PyMap_Type,
        &raw mut crate::bltinmodule::PyZip_Type,
    ]
}

/// Files, encodings, signals, standard streams, `__main__`, warnings, `site`: in the main interpreter, and in a new one what
/// isn't common to all.
pub(crate) fn initialize_main() -> Result<(), ConfigError> {
    // SAFETY: [GIL]
    unsafe {
        let ip = interp();
        let is_main = core::ptr::eq(ip, main_interp());
        stage("init_interp_main", "failed to update the Python config", (|| {
            if ip.config.filesystem_encoding == "ascii" {
                set_fs_codec("ascii")?;
            }
            crate::sysmodule_info::update_config()
        })())?;
        let external = crate::import::init_external().and_then(|()| crate::import::init_zipimport());
        stage("init_importlib_external", "external importer setup failed", external)?;
        // No function is named where there is no library at all.
        stage("", "Failed to import encodings module", crate::codecs::init())?;
        let encodings = settle_filesystem_encoding();
        if encodings.is_err() {
            dump_path_config();
        }
        stage("init_fs_encoding", "failed to get the Python codec of the filesystem encoding", encodings)?;
        if is_main {
            let signals = crate::signals::init_signals(ip.config.install_signal_handlers != 0);
            stage("init_interp_main", "can't initialize signals", signals)?;
        }
        let stdio = codec_name(&ip.config.stdio_encoding).map(|name| ip.config.stdio_encoding = name);
        stage("init_stdio_encoding", "failed to get the Python codec name of the stdio encoding", stdio)?;
        stage("init_sys_streams", "can't initialize sys standard streams", init_sys_streams())?;
        stage("init_set_builtins_open", "can't initialize io.open", (|| {
            let io = import(c"io")?;
            let open = getattr(io.as_ptr(), intern!("open"))?;
            dict_set(ip.builtins, intern!("open"), open.as_ptr())
        })())?;
        stage("add_main_module", "can't make the __main__ module", add_main_module())?;
        if is_main && ip.config.tracemalloc > 0 {
            stage("init_tracemalloc", "can't start tracemalloc", crate::tracemalloc::start(ip.config.tracemalloc))?;
        }
        if is_main
            && ip.config.faulthandler != 0
            && let Ok(m) = import(c"faulthandler")
        {
            stage("init_interp_main", "can't enable the fault handler", (|| {
                let name = new_str("enable")?;
                call_method(m.as_ptr(), name.as_ptr(), &[])
            })())?;
        }
        PyErr_Clear();
        let has_warnoptions = matches!(get_optional_attr(intern!("warnoptions")),
            Ok(Some(w)) if PyList_Check(w.as_ptr()) != 0 && PyList_GET_SIZE(w.as_ptr()) > 0);
        if has_warnoptions && import(c"warnings").is_err() {
            crate::pythonrun::write_err("'import warnings' failed; traceback:\n");
            crate::pythonrun::PyErr_PrintEx(0);
        }
        ip.ready = true;
        if is_main {
            INITIALIZED.store(true, Release);
        }
        if ip.config.site_import != 0 {
            stage("init_import_site", "Failed to import the site module", import(c"site"))?;
        }
        if !is_main && let Some(first) = &ip.config.sys_path_0 {
            stage("init_interp_main", "can't initialize sys.path[0]", (|| {
                let first = fs_decode(first)?;
                let Some(path) = get_optional_attr(intern!("path"))? else { bail!(PyExc_RuntimeError, "can't get sys.path") };
                check_status(PyList_Insert(path.as_ptr(), 0, first.as_ptr()))
            })())?;
        }
        Ok(())
    }
}

/// Tells on standard error what is known of paths, when the library can't be found by it.
fn dump_path_config() {
    use core::fmt::Write;
    // SAFETY: [GIL]
    with_saved_exception(|| unsafe {
        let c = &interp().config;
        let quoted = |b: &[u8]| match fs_decode(b).and_then(|s| own(PyObject_ASCII(s.as_ptr()))) {
            Ok(s) => lossy(s.as_ptr()),
            Err(e) => {
                e.clear();
                "???".into()
            }
        };
        let optional = |b: &Option<Vec<u8>>| b.as_ref().map_or("(not set)".to_string(), |b| quoted(b));
        let mut t = String::from("Python path configuration:\n");
        for (name, value) in [("PYTHONHOME", &c.home), ("PYTHONPATH", &c.pythonpath_env), ("program name", &Some(c.program_name.clone()))] {
            let _ = writeln!(t, "  {name} = {}", optional(value));
        }
        for (name, value) in [
            ("isolated", c.isolated),
            ("environment", c.use_environment),
            ("user site", c.user_site_directory),
            ("safe_path", c.safe_path),
            ("import site", c.site_import),
            ("is in build tree", 0),
        ] {
            let _ = writeln!(t, "  {name} = {value}");
        }
        for (name, value) in [("stdlib dir", &c.stdlib_dir), ("sys.path[0]", &c.sys_path_0)] {
            let _ = writeln!(t, "  {name} = {}", optional(value));
        }
        for (name, value) in [
            ("_base_executable", &c.base_executable),
            ("base_prefix", &c.base_prefix),
            ("base_exec_prefix", &c.base_exec_prefix),
            ("platlibdir", &c.platlibdir),
            ("executable", &c.executable),
            ("prefix", &c.prefix),
            ("exec_prefix", &c.exec_prefix),
        ] {
            let _ = writeln!(t, "  sys.{name} = {}", quoted(value));
        }
        t.push_str("  sys.path = [\n");
        for p in &c.module_search_paths {
            let _ = writeln!(t, "    {},", quoted(p));
        }
        t.push_str("  ]\n");
        crate::pythonrun::write_err(&t);
    })
}

/// The name that a codec has itself, for any of its aliases.
fn codec_name(encoding: &str) -> PyResult<String> {
    if matches!(encoding, "utf-8" | "ascii") {
        return Ok(encoding.into());
    }
    let name = c_path(encoding.as_bytes())?;
    // SAFETY: [GIL] a NUL-terminated name.
    unsafe {
        let info = own(crate::codecs::_PyCodec_Lookup(name.as_ptr()))?;
        let name = getattr(info.as_ptr(), intern!("name"))?;
        Ok(lossy(name.as_ptr()))
    }
}

/// Replaces what the locale calls its encoding by the name of the codec.
fn settle_filesystem_encoding() -> PyResult<()> {
    let c = &mut interp().config;
    let name = codec_name(&c.filesystem_encoding)?;
    let late = !matches!(name.as_str(), "utf-8" | "ascii");
    c.filesystem_encoding = name.clone();
    if late {
        // Only now is there a codec for the names that came from outside.
        set_fs_codec(&name)?;
        crate::sysmodule_info::update_config()?;
    }
    Ok(())
}

/// From here on file names have this encoding.
fn set_fs_codec(name: &str) -> PyResult<()> {
    let name = c_path(name.as_bytes())?;
    let errors = c_path(interp().config.filesystem_errors.as_bytes())?;
    // SAFETY: [GIL]
    unsafe { taipan_objects::unicode_codecs::fs::set_fs_codec(&name, &errors) };
    Ok(())
}

fn add_main_module() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let m = own(PyImport_AddModuleRef(c"__main__".as_ptr()))?;
        let d = PyModule_GetDict(m.as_ptr());
        let annotations = own(PyDict_New())?;
        dict_set(d, intern!("__annotations__"), annotations.as_ptr())?;
        if !flag(PyDict_Contains(d, intern!("__builtins__")))? {
            let b = own(PyImport_ImportModule(c"builtins".as_ptr()))?;
            dict_set(d, intern!("__builtins__"), b.as_ptr())?;
        }
        // runpy or the script's loader replaces it.
        let loader = dict_get(d, intern!("__loader__"))?;
        if loader.is_none_or(|l| l.as_ptr() == Py_None()) {
            let l = getattr(interp().importlib, intern!("BuiltinImporter"))?;
            dict_set(d, intern!("__loader__"), l.as_ptr())?;
        }
        Ok(())
    }
}

/// A text stream on a descriptor; None when it is closed.
unsafe fn create_stdio(io: &Owned, fd: c_int, write: bool, name: &str, encoding: &str, errors: &str) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        if crate::fileutils::_Py_IsValidFD(fd) == 0 {
            return Ok(none());
        }
        let buffered = interp().config.buffered_stdio != 0;
        let buffering = if !buffered && write { 0 } else { -1 };
        let open = getattr(io.as_ptr(), intern!("open"))?;
        let (fd_o, mode, b) = (new_int(fd as i64)?, new_str(if write { "wb" } else { "rb" })?, new_int(buffering)?);
        let n = Py_None();
        let buf = call(open.as_ptr(), &[fd_o.as_ptr(), mode.as_ptr(), b.as_ptr(), n, n, n, Py_False()])?;
        let raw = if buffering != 0 { getattr(buf.as_ptr(), intern!("raw"))? } else { buf.clone() };
        let text = new_str(name)?;
        check_status(PyObject_SetAttr(raw.as_ptr(), intern!("name"), text.as_ptr()))?;
        let tty = call_method(raw.as_ptr(), intern!("isatty"), &[])?;
        let tty = is_true(tty.as_ptr())?;
        let line_buffering = buffered && (tty || fd == 2);
        let class = getattr(io.as_ptr(), intern!("TextIOWrapper"))?;
        let (enc, err, newline) = (new_str(encoding)?, new_str(errors)?, new_str("\n")?);
        let stream = call(
            class.as_ptr(),
            &[buf.as_ptr(), enc.as_ptr(), err.as_ptr(), newline.as_ptr(), new_bool(line_buffering).as_ptr(), new_bool(!buffered).as_ptr()],
        )?;
        let mode = new_str(if write { "w" } else { "r" })?;
        check_status(PyObject_SetAttr(stream.as_ptr(), intern!("mode"), mode.as_ptr()))?;
        Ok(stream)
    }
}

fn init_sys_streams() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        // A directory as standard input would only fail later and less clearly.
        let mut sb: libc::stat = core::mem::zeroed();
        if libc::fstat(0, &mut sb) == 0 && sb.st_mode & libc::S_IFMT == libc::S_IFDIR {
            bail!(PyExc_RuntimeError, "<stdin> is a directory, cannot continue");
        }
        let io = import(c"io")?;
        let c = interp().config.clone();
        for (fd, name, errors) in [(0, "stdin", c.stdio_errors.as_str()), (1, "stdout", &c.stdio_errors), (2, "stderr", "backslashreplace")] {
            let s = create_stdio(&io, fd, fd != 0, &format!("<{name}>"), &c.stdio_encoding, errors)?;
            for key in [format!("__{name}__"), name.into()] {
                dict_set_str(interp().sysdict, &key, s.as_ptr())?;
            }
        }
        Ok(())
    }
}

/// Starts the interpreter with the default configuration, with signal handlers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_Initialize() {
    // SAFETY: as the callee.
    unsafe { Py_InitializeEx(1) }
}

/// Starts the interpreter with the default configuration.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_InitializeEx(install_sigs: c_int) {
    if INITIALIZED.load(Acquire) {
        return;
    }
    let mut c = crate::initconfig::default_config();
    c.install_signal_handlers = install_sigs;
    if let Err(e) = initialize(c) {
        start_error(&e);
    }
}

/// Whether the interpreter is up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_IsInitialized() -> c_int {
    INITIALIZED.load(Acquire) as c_int
}

/// Whether the interpreter is going down.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_IsFinalizing() -> c_int {
    !FINALIZING.load(Acquire).is_null() as c_int
}

/// Whether an interpreter is going down.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_IsInterpreterFinalizing(ip: *mut PyInterpreterState) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(ip)).finalizing as c_int }
}

// ---- finalisation

/// Waits for the threads that are not daemons.
pub(crate) fn wait_for_thread_shutdown() {
    let r: PyResult<()> = (|| {
        let name = new_str("threading")?;
        // SAFETY: live.
        unsafe {
            if let Some(m) = crate::import::import_get_module(name.as_ptr())? {
                call_method(m.as_ptr(), intern!("_shutdown"), &[])?;
            }
        }
        Ok(())
    })();
    if r.is_err() {
        crate::errors::write_unraisable_text("Exception ignored on threading shutdown");
    }
}

/// Flushes `sys.stdout` and `sys.stderr`; false when standard output did not take everything.
fn flush_std_files() -> bool {
    let mut ok = true;
    for (name, report) in [(intern!("stdout"), true), (intern!("stderr"), false)] {
        let f = match get_optional_attr(name) {
            Ok(Some(f)) => f,
            Ok(None) => continue,
            Err(e) => {
                e.clear();
                continue;
            }
        };
        // SAFETY: live.
        unsafe {
            if f.as_ptr() == Py_None() {
                continue;
            }
            let closed = getattr_opt(f.as_ptr(), intern!("closed")).and_then(|c| c.map_or(Ok(false), |c| is_true(c.as_ptr())));
            match closed {
                Ok(true) => continue,
                Ok(false) => {}
                Err(e) => {
                    e.clear();
                    ok = false;
                }
            }
            if call_method(f.as_ptr(), intern!("flush"), &[]).is_err() {
                if report {
                    crate::errors::write_unraisable_text("Exception ignored on flushing sys.stdout");
                } else {
                    PyErr_Clear();
                }
                ok = false;
            }
        }
    }
    ok
}

fn ignore(r: PyResult<()>) {
    if r.is_err() {
        crate::errors::write_unraisable_text("Exception ignored during finalization");
    }
}

/// Empties the modules, in the order that surprises least: first what the modules hold for others, then the modules by
/// dropping them, then what is still referred to, last `sys` and `builtins`.
pub(crate) fn finalize_modules() {
    // SAFETY: [GIL] only this thread runs Python code.
    unsafe {
        let ip = interp();
        if ip.modules.is_null() {
            return;
        }
        let verbose = ip.config.verbose > 0;
        if PyDict_SetItemString(ip.builtins, c"_".as_ptr(), Py_None()) < 0 {
            PyErr_Clear();
        }
        for name in ["path", "argv", "ps1", "ps2", "last_exc", "last_type", "last_value", "last_traceback", "__interactivehook__", "meta_path"] {
            if verbose {
                crate::pythonrun::write_err(&format!("# clear sys.{name}\n"));
            }
            if dict_set_str(ip.sysdict, name, Py_None()).is_err() {
                PyErr_Clear();
            }
        }
        for name in ["stdin", "stdout", "stderr"] {
            if verbose {
                crate::pythonrun::write_err(&format!("# restore sys.{name}\n"));
            }
            let r: PyResult<()> = (|| {
                let key = new_str(&format!("__{name}__"))?;
                let v = dict_get(ip.sysdict, key.as_ptr())?.unwrap_or_else(none);
                dict_set_str(ip.sysdict, name, v.as_ptr())
            })();
            ignore(r);
        }
        // From here on the modules live only by what refers to them.
        let mut weak: Vec<(String, Owned)> = Vec::new();
        let modules = Owned::from_borrowed(ip.modules);
        if PyDict_Check(modules.as_ptr()) != 0 {
            let keys = own(PyDict_Keys(modules.as_ptr()));
            if let Ok(keys) = keys {
                for i in 0..PyList_GET_SIZE(keys.as_ptr()) {
                    let k = PyList_GET_ITEM(keys.as_ptr(), i);
                    let Ok(Some(m)) = dict_get(modules.as_ptr(), k) else {
                        PyErr_Clear();
                        continue;
                    };
                    if PyModule_Check(m.as_ptr()) == 0 {
                        continue;
                    }
                    if verbose && PyUnicode_Check(k) != 0 {
                        crate::pythonrun::write_err(&format!("# cleanup[2] removing {}\n", lossy(k)));
                    }
                    match own(PyWeakref_NewRef(m.as_ptr(), null_mut())) {
                        Ok(w) => weak.push((lossy(k), w)),
                        Err(e) => e.clear(),
                    }
                    if PyObject_SetItem(modules.as_ptr(), k, Py_None()) < 0 {
                        PyErr_Clear();
                    }
                }
            }
            PyDict_Clear(modules.as_ptr());
        }
        drop(modules);
        restore_dict(ip.builtins, ip.builtins_copy);
        _PyGC_CollectNoFail(current_tstate());
        report_uncollectable();
        for (name, w) in weak.iter().rev() {
            let mut m = null_mut();
            if PyWeakref_GetRef(w.as_ptr(), &mut m) <= 0 {
                PyErr_Clear();
                continue;
            }
            let m: Owned = Owned::from_owned(m);
            let d = PyModule_GetDict(m.as_ptr());
            if d == ip.builtins || d == ip.sysdict {
                continue;
            }
            if verbose {
                crate::pythonrun::write_err(&format!("# cleanup[3] wiping {name}\n"));
            }
            _PyModule_Clear(m.as_ptr());
        }
        drop(weak);
        if verbose {
            crate::pythonrun::write_err("# cleanup[3] wiping sys\n# cleanup[3] wiping builtins\n");
        }
        _PyModule_ClearDict(ip.sysdict);
        _PyModule_ClearDict(ip.builtins);
        crate::importdl::clear_modules_by_index(ip);
        setref(&raw mut ip.modules, null_mut());
        _PyGC_CollectNoFail(current_tstate());
    }
}

/// Warns of what the collector could not free.
fn report_uncollectable() {
    const DEBUG_UNCOLLECTABLE: c_int = 4;
    const DEBUG_SAVEALL: c_int = 32;
    // SAFETY: [GIL]
    unsafe {
        let (debug, garbage) = {
            let gc = &raw const taipan_objects::gc::GC;
            ((*gc).debug, (*gc).garbage)
        };
        if debug & DEBUG_SAVEALL != 0 || garbage.is_null() || PyList_GET_SIZE(garbage) == 0 {
            return;
        }
        let advice = if debug & DEBUG_UNCOLLECTABLE != 0 { "" } else { "; use gc.set_debug(gc.DEBUG_UNCOLLECTABLE) to list them" };
        let r: PyResult<()> = (|| {
            let text = format!("gc: {} uncollectable objects at shutdown{advice}", PyList_GET_SIZE(garbage));
            let (text, gc) = (new_str(&text)?, new_str("gc")?);
            check_status(PyErr_WarnExplicitObject(PyExc_ResourceWarning, text.as_ptr(), gc.as_ptr(), 0, gc.as_ptr(), null_mut()))
        })();
        ignore(r);
        if debug & DEBUG_UNCOLLECTABLE != 0 {
            match own(PyObject_Repr(garbage)) {
                Ok(s) => crate::pythonrun::write_err(&format!("      {}\n", lossy(s.as_ptr()))),
                Err(_) => crate::errors::write_unraisable_text("Exception ignored during finalization"),
            }
        }
    }
}

/// Puts back what a module's dict was at start: later additions go, changes are undone.
unsafe fn restore_dict(d: *mut PyObject, copy: *mut PyObject) {
    // SAFETY: [GIL] dicts or NULL.
    unsafe {
        if d.is_null() || copy.is_null() {
            return;
        }
        PyDict_Update(d, copy);
        PyErr_Clear();
    }
}

unsafe extern "C" {
    fn PyWeakref_NewRef(op: *mut PyObject, callback: *mut PyObject) -> *mut PyObject;
    fn PyWeakref_GetRef(r: *mut PyObject, op: *mut *mut PyObject) -> c_int;
}

/// The state to finalise the runtime with: that of the main thread in the main interpreter, whatever is attached.
unsafe fn final_tstate() -> *mut PyThreadState {
    // SAFETY: [GIL]
    unsafe {
        let ts = current_tstate();
        let main = main_interp();
        if as_interp((*ts).interp) == main {
            return ts;
        }
        let mut found = (*main).main_tstate;
        if found.is_null() {
            found = (*main).threads_head;
        }
        PyThreadState_Swap(found);
        found
    }
}

/// Ends the interpreter; -1 when flushing standard output failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_FinalizeEx() -> c_int {
    // SAFETY: [GIL] called by the main thread.
    unsafe {
        if !INITIALIZED.load(Acquire) {
            return 0;
        }
        let ts = final_tstate();
        let ip = interp();
        ip.ending = true;
        wait_for_thread_shutdown();
        crate::ceval_gil::finish_pending(ts);
        _PyAtExit_Call();
        let mut ok = true;
        // Other threads stop at their next attempt to take the lock.
        FINALIZING_THREAD.store(thread_ident(), Release);
        FINALIZING.store(ts, Release);
        ip.finalizing = true;
        INITIALIZED.store(false, Release);
        CORE_INITIALIZED.store(false, Release);
        // Only daemon threads are left, and they run no more: what they hold goes while the modules are whole.
        delete_other_threads();
        ok &= flush_std_files();
        crate::signals::finalize_signals();
        _PyGC_CollectNoFail(ts);
        finalize_modules();
        crate::interpreters::end_remaining();
        ok &= flush_std_files();
        if crate::sysmodule::audit(c"cpython.PyInterpreterState_Clear", &[]).is_err() {
            PyErr_Clear();
        }
        crate::sysmodule::clear_audit_hooks();
        _PyAtExit_Fini();
        call_exit_funcs();
        libc::fflush(stdout);
        libc::fflush(stderr);
        if ok { 0 } else { -1 }
    }
}

/// Ends the interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_Finalize() {
    // SAFETY: [GIL]
    unsafe { Py_FinalizeEx() };
}

/// Ends the interpreter and the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_Exit(status: c_int) -> ! {
    // SAFETY: [GIL]
    unsafe {
        let status = if Py_FinalizeEx() < 0 { 120 } else { status };
        libc::exit(status)
    }
}

static EXIT_FUNCS: Mutex<Vec<unsafe extern "C" fn()>> = Mutex::new(Vec::new());

/// Registers a C function for the end; -1 when there are 32 already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_AtExit(func: unsafe extern "C" fn()) -> c_int {
    let mut all = EXIT_FUNCS.lock().unwrap_or_else(|e| e.into_inner());
    if all.len() >= 32 {
        return -1;
    }
    all.push(func);
    0
}

fn call_exit_funcs() {
    loop {
        let f = EXIT_FUNCS.lock().unwrap_or_else(|e| e.into_inner()).pop();
        let Some(f) = f else { break };
        // SAFETY: registered for this.
        unsafe { f() };
    }
}

// ---- fatal errors

static FATAL_REENTRANT: AtomicBool = AtomicBool::new(false);

/// The report of a fatal error: text, state of the runtime, what is being raised or where the threads are.
fn fatal_report(func: Option<&str>, msg: &str, dump: bool) {
    use crate::traceback::puts;
    // SAFETY: nothing is relied upon that may be broken, beyond what the report is about.
    unsafe {
        libc::fflush(stdout);
        libc::fflush(stderr);
        puts(2, b"Fatal Python error: ");
        if let Some(f) = func {
            puts(2, f.as_bytes());
            puts(2, b": ");
        }
        puts(2, msg.as_bytes());
        puts(2, b"\nPython runtime state: ");
        let fin = FINALIZING.load(Relaxed);
        if !fin.is_null() {
            puts(2, b"finalizing (tstate=0x");
            crate::traceback::dump_hex(2, fin as usize, 16);
            puts(2, b")");
        } else if INITIALIZED.load(Relaxed) {
            puts(2, b"initialized");
        } else if CORE_INITIALIZED.load(Relaxed) {
            puts(2, b"core initialized");
        } else if func.is_some_and(|f| f.starts_with("preconfig_")) {
            // What is settled first are the allocator and the UTF-8 mode.
            puts(2, b"preinitializing");
        } else {
            puts(2, b"preinitialized");
        }
        puts(2, b"\n");
        if FATAL_REENTRANT.swap(true, Relaxed) {
            return;
        }
        // A thread that holds no thread state shows those that do.
        let ts = current_tstate();
        let own = if ts.is_null() { crate::pystate::PyGILState_GetThisThreadState() } else { ts };
        let interp = if own.is_null() { main_interp().cast() } else { (*own).interp };
        if interp.is_null() || own.is_null() && !CORE_INITIALIZED.load(Relaxed) {
            puts(2, b"\n");
            return;
        }
        let mut shown = false;
        if dump && !ts.is_null() && CORE_INITIALIZED.load(Relaxed) && !(*ts).current_exception.is_null() {
            let tb = PyException_GetTraceback((*ts).current_exception);
            shown = !tb.is_null();
            Py_XDECREF(tb);
            crate::pythonrun::PyErr_PrintEx(0);
        }
        if !shown {
            puts(2, b"\n");
            crate::traceback::_Py_DumpTracebackThreads(2, interp, own);
        }
        crate::traceback::_Py_DumpExtensionModules(2, interp);
        _PyFaulthandler_Fini();
    }
}

/// Ends the process with the report of a fatal error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_FatalErrorFunc(func: *const c_char, msg: *const c_char) -> ! {
    // SAFETY: [ARGS]
    unsafe {
        let f = (!func.is_null()).then(|| c_text(func));
        fatal_report(f.as_deref(), &c_text(msg), true);
        libc::abort()
    }
}

/// Ends the process with the report of a fatal error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_FatalError(msg: *const c_char) -> ! {
    // SAFETY: [ARGS]
    unsafe { _Py_FatalErrorFunc(core::ptr::null(), msg) }
}

/// Ends the process because of a reference count that cannot be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_FatalRefcountErrorFunc(func: *const c_char, msg: *const c_char) -> ! {
    // SAFETY: [ARGS]
    unsafe { _Py_FatalErrorFunc(func, msg) }
}

/// A start that failed: the report, and exit code 1.
pub fn start_error(error: &ConfigError) -> ! {
    let ConfigError::Fatal(func, msg) = error;
    config_error(func, msg)
}

/// A start that failed: the report, and exit code 1.
pub fn config_error(func: &str, msg: &str) -> ! {
    // SAFETY: [GIL] where there is a thread state.
    unsafe {
        fatal_report((!func.is_empty()).then_some(func), msg, true);
        libc::fflush(stderr);
        libc::_exit(1)
    }
}

/// A Rust panic is a defect of ours: it ends the process with Python's and Rust's tracebacks.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let text = match info.payload().downcast_ref::<&str>() {
            Some(s) => (*s).to_string(),
            None => info.payload().downcast_ref::<String>().cloned().unwrap_or_else(|| "panic".into()),
        };
        let place = info.location().map(|l| format!("{}:{}", l.file(), l.line()));
        fatal_report(place.as_deref(), &text, false);
        crate::errln!("\nRust stack:\n{}", std::backtrace::Backtrace::force_capture());
    }));
}

/// The C name of the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetProgramName() -> *const libc::wchar_t {
    wide_of(|c| c.program_name.clone())
}

/// `sys.prefix`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetPrefix() -> *const libc::wchar_t {
    wide_of(|c| c.prefix.clone())
}

/// `sys.exec_prefix`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetExecPrefix() -> *const libc::wchar_t {
    wide_of(|c| c.exec_prefix.clone())
}

/// `sys.executable`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetProgramFullPath() -> *const libc::wchar_t {
    wide_of(|c| c.executable.clone())
}

/// A text of the configuration as a wide string that lives for ever; NULL before initialisation.
pub fn wide_of(get: impl Fn(&Config) -> Vec<u8>) -> *const libc::wchar_t {
    static CACHE: Mutex<Vec<(Vec<u8>, usize)>> = Mutex::new(Vec::new());
    let ip = main_interp();
    if ip.is_null() {
        return core::ptr::null();
    }
    // SAFETY: the configuration lives as long as the process.
    let text = get(unsafe { &(*ip).config });
    let mut all = CACHE.lock().unwrap_or_else(|e| e.into_inner());
    if let Some((_, p)) = all.iter().find(|(t, _)| *t == text) {
        return *p as *const libc::wchar_t;
    }
    let p = crate::fileutils::raw_wide(&crate::fileutils::decode_surrogateescape(&text));
    all.push((text, p as usize));
    p
}

/// Sets the locale from the environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_SetLocaleFromEnv(category: c_int) -> *mut c_char {
    // SAFETY: a constant text.
    unsafe { libc::setlocale(category, c"".as_ptr()) }
}

