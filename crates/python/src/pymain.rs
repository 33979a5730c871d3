//! The main program: what `python3` does with its configuration.

use crate::compile::CompilerFlags;
use crate::initconfig::{Config, ConfigError, Run, compute_sys_path_0};
use crate::pystate::interp;
use crate::pythonrun::{PyErr_Print, PyRun_AnyFileExFlags, UNHANDLED_KEYBOARD_INTERRUPT, c_stdin, run_simple_file_data, run_simple_string, take_system_exit, write_err};
use crate::sysmodule::{audit, get_optional_attr};
use crate::util::*;
use core::ffi::c_int;
use core::sync::atomic::Ordering::*;
use taipan_abi::*;

/// Initialises the interpreter by `config`, runs what it says, finalises; the exit code.
pub fn run_main(config: Result<Config, ConfigError>) -> c_int {
    let config = match config {
        Ok(c) => c,
        Err(e) => crate::pylifecycle::start_error(&e),
    };
    if let Err(e) = crate::pylifecycle::initialize(config) {
        crate::pylifecycle::start_error(&e);
    }
    run_initialized()
}

/// `Py_RunMain`: runs what the configuration says, finalises; the exit code.
pub fn run_initialized() -> c_int {
    let mut code = run_python();
    // SAFETY: [GIL]
    unsafe {
        if crate::pylifecycle::Py_FinalizeEx() < 0 {
            // Flushing standard output failed: nobody may take the output for complete.
            code = 120;
        }
    }
    if UNHANDLED_KEYBOARD_INTERRUPT.load(Relaxed) {
        // The parent shall see that SIGINT ended us.
        // SAFETY: plain system calls.
        unsafe {
            if crate::signals::PyOS_setsig(libc::SIGINT, libc::SIG_DFL) != libc::SIG_ERR {
                libc::kill(libc::getpid(), libc::SIGINT);
            }
        }
        code = libc::SIGINT + 128;
    }
    code
}

/// Prints the exception that is set; SystemExit gives the code.
fn exit_err_print() -> c_int {
    if let Some(code) = take_system_exit() {
        return code;
    }
    // SAFETY: [EXC]
    unsafe { PyErr_Print() };
    1
}

fn stdin_is_interactive(c: &Config) -> bool {
    // SAFETY: plain query.
    unsafe { libc::isatty(0) != 0 || c.interactive != 0 }
}

fn runs_code(c: &Config) -> bool {
    matches!(c.run, Run::Command(_) | Run::Module(_) | Run::File(_))
}

/// A script's path from the root: it must not depend on a later `chdir`.
fn absolute(file: &[u8]) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    if file.first() == Some(&b'/') {
        return file.to_vec();
    }
    match std::env::current_dir() {
        Ok(cwd) => {
            let file = file.strip_prefix(b"./").unwrap_or(file);
            let mut p = cwd.as_os_str().as_bytes().to_vec();
            if p.last() != Some(&b'/') {
                p.push(b'/');
            }
            p.extend_from_slice(file);
            p
        }
        Err(_) => file.to_vec(),
    }
}

fn run_python() -> c_int {
    let config = interp().config.clone();
    let mut code = match prepare_and_run(&config) {
        Ok(c) => c,
        Err(_) => exit_err_print(),
    };
    repl_after(&mut code);
    // SAFETY: [GIL]
    unsafe { crate::pystate::_PyInterpreterState_SetNotRunningMain((interp() as *mut crate::pystate::InterpreterState).cast()) };
    code
}

fn prepare_and_run(config: &Config) -> PyResult<c_int> {
    // SAFETY: [GIL]
    unsafe {
        let filename = match &config.run {
            Run::File(f) => Some(fs_decode(&absolute(f))?),
            _ => None,
        };
        // A directory or zip file with a program in it goes on sys.path itself.
        let mut importer_path = None;
        if let Some(f) = &filename {
            match own(crate::import::PyImport_GetImporter(f.as_ptr())) {
                Ok(i) if i.as_ptr() != Py_None() => importer_path = Some(f.clone()),
                Ok(_) => {}
                Err(_) => {
                    write_err("Failed checking if argv[0] is an import path entry\n");
                    return Ok(exit_err_print());
                }
            }
        }
        if config.isolated == 0
            && (config.inspect != 0 || !runs_code(config))
            && libc::isatty(0) != 0
        {
            for name in [c"readline", c"rlcompleter"] {
                if let Err(e) = import(name) {
                    e.clear();
                }
            }
        }
        let path0 = match (&importer_path, config.safe_path) {
            (Some(p), _) => Some(p.clone()),
            (None, 0) => compute_sys_path_0(config).map(|p| fs_decode(&p)).transpose()?,
            _ => None,
        };
        if let Some(p) = path0 {
            if importer_path.is_none() {
                taipan_objects::moduleobject::set_sys_path_0(&lossy(p.as_ptr()));
            }
            let Some(path) = get_optional_attr(intern!("path"))? else {
                bail!(PyExc_RuntimeError, "unable to get sys.path");
            };
            check_status(PyList_Insert(path.as_ptr(), 0, p.as_ptr()))?;
            // Other interpreters start with it.
            interp().config.sys_path_0 = Some(fs_encode(p.as_ptr())?);
        }
        if config.quiet == 0 && (config.verbose > 0 || (!runs_code(config) && stdin_is_interactive(config))) {
            crate::errln!("Python {} on linux", crate::sysmodule_info::version_text());
            if config.site_import != 0 {
                crate::errln!("Type \"help\", \"copyright\", \"credits\" or \"license\" for more information.");
            }
        }
        crate::pystate::_PyInterpreterState_SetRunningMain((interp() as *mut crate::pystate::InterpreterState).cast());
        Ok(match &config.run {
            Run::Command(c) => run_command(c),
            Run::Module(m) => run_module(m, true),
            Run::File(_) if importer_path.is_some() => run_module(b"__main__", false),
            Run::File(f) => match &filename {
                Some(name) => run_file(config, f, name),
                None => 1,
            },
            Run::Stdin | Run::Dash => run_stdin(config),
        })
    }
}

fn run_command(command: &[u8]) -> c_int {
    let r: PyResult<Vec<u8>> = (|| {
        let mut text = fs_decode(command)?;
        // SAFETY: live.
        unsafe {
            let nl = new_str("\n")?;
            audit(c"cpython.run_command", &[text.as_ptr()])?;
            text = own(PyUnicode_Concat(text.as_ptr(), nl.as_ptr()))?;
            let b = own(PyUnicode_AsUTF8String(text.as_ptr()))?;
            Ok(bytes_of(b.as_ptr()).to_vec())
        }
    })();
    let source = match r {
        Ok(s) => s,
        Err(_) => {
            write_err("Unable to decode the command from the command line:\n");
            return exit_err_print();
        }
    };
    let mut cf = CompilerFlags::default();
    cf.cf_flags |= crate::compile::flags::PyCF_IGNORE_COOKIE;
    !run_simple_string(&source, "<string>", &mut cf) as c_int
}

fn run_module(name: &[u8], set_argv0: bool) -> c_int {
    let r = (|| {
        let n = fs_decode(name)?;
        // SAFETY: live.
        unsafe {
            audit(c"cpython.run_module", &[n.as_ptr()])?;
            let runpy = match import(c"runpy") {
                Ok(m) => m,
                Err(e) => {
                    crate::errln!("Could not import runpy module");
                    return Err(e);
                }
            };
            let f = match getattr(runpy.as_ptr(), intern!("_run_module_as_main")) {
                Ok(f) => f,
                Err(e) => {
                    crate::errln!("Could not access runpy._run_module_as_main");
                    return Err(e);
                }
            };
            UNHANDLED_KEYBOARD_INTERRUPT.store(false, Relaxed);
            let r = call(f.as_ptr(), &[n.as_ptr(), new_bool(set_argv0).as_ptr()]);
            if r.is_err() && PyErr_Occurred() == PyExc_KeyboardInterrupt {
                UNHANDLED_KEYBOARD_INTERRUPT.store(true, Relaxed);
            }
            r
        }
    })();
    match r {
        Ok(_) => 0,
        Err(_) => exit_err_print(),
    }
}

fn run_file(config: &Config, given: &[u8], filename: &Owned) -> c_int {
    // SAFETY: live objects; plain system calls.
    unsafe {
        if audit(c"cpython.run_file", &[filename.as_ptr()]).is_err() {
            return exit_err_print();
        }
        let _ = given;
        let program = String::from_utf8_lossy(&config.program_name).into_owned();
        let shown = repr(filename.as_ptr()).unwrap_or_default();
        let Ok(path) = fs_encode(filename.as_ptr()) else { return exit_err_print() };
        if let Ok(m) = std::fs::metadata(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&path))
            && m.is_dir()
        {
            write_err(&format!("{program}: {shown} is a directory, cannot continue\n"));
            return 1;
        }
        let mut data = match crate::fileutils::read_file(&path) {
            Ok(d) => d,
            Err(e) => {
                let n = e.raw_os_error().unwrap_or(0);
                let text = c_text(libc::strerror(n)).into_owned();
                write_err(&format!("{program}: can't open file {shown}: [Errno {n}] {text}\n"));
                return 2;
            }
        };
        if config.skip_source_first_line != 0 {
            // The line end stays, so that line numbers do.
            let end = data.iter().position(|&b| b == b'\n').unwrap_or(data.len());
            data.drain(..end);
        }
        check_pending();
        let mut cf = CompilerFlags::default();
        !run_simple_file_data(&data, filename.as_ptr(), true, &mut cf) as c_int
    }
}

/// Signals that arrived during start.
fn check_pending() {
    // SAFETY: [GIL]
    unsafe {
        if Py_MakePendingCalls() < 0 {
            PyErr_Print();
        }
    }
}

fn basic_repl_wanted(config: &Config) -> bool {
    // SAFETY: plain query.
    unsafe { libc::isatty(0) == 0 || (config.use_environment != 0 && std::env::var_os("PYTHON_BASIC_REPL").is_some_and(|v| !v.is_empty())) }
}

fn run_stdin(config: &Config) -> c_int {
    if stdin_is_interactive(config) {
        // Here SystemExit leaves.
        interp().config.inspect = 0;
        if let Err(code) = run_startup(config) {
            return code;
        }
        if let Err(code) = run_interactive_hook() {
            return code;
        }
    }
    // SAFETY: [GIL]
    unsafe {
        if Py_MakePendingCalls() == -1 || audit(c"cpython.run_stdin", &[]).is_err() {
            return exit_err_print();
        }
        if basic_repl_wanted(config) {
            let mut cf = CompilerFlags::default();
            return (PyRun_AnyFileExFlags(c_stdin(), c"<stdin>".as_ptr(), 0, &mut cf) != 0) as c_int;
        }
    }
    run_module(b"_pyrepl", false)
}

fn run_startup(config: &Config) -> Result<(), c_int> {
    use std::os::unix::ffi::OsStringExt;
    let Some(file) = std::env::var_os("PYTHONSTARTUP").filter(|v| config.use_environment != 0 && !v.is_empty()) else { return Ok(()) };
    let path = file.into_vec();
    // SAFETY: live objects.
    let r: PyResult<()> = (|| unsafe {
        let name = fs_decode(&path)?;
        audit(c"cpython.run_startup", &[name.as_ptr()])?;
        match crate::fileutils::read_file(&path) {
            Ok(data) => {
                let mut cf = CompilerFlags::default();
                run_simple_file_data(&data, name.as_ptr(), true, &mut cf);
                PyErr_Clear();
                Ok(())
            }
            Err(e) => {
                write_err("Could not open PYTHONSTARTUP\n");
                crate::ceval_gil::set_errno(e.raw_os_error().unwrap_or(0));
                PyErr_SetFromErrnoWithFilenameObjects(PyExc_OSError, name.as_ptr(), core::ptr::null_mut());
                Err(Raised::assume())
            }
        }
    })();
    if r.is_err() {
        if let Some(code) = take_system_exit() {
            return Err(code);
        }
        // SAFETY: [EXC]
        unsafe { PyErr_Print() };
    }
    Ok(())
}

fn run_interactive_hook() -> Result<(), c_int> {
    // SAFETY: live objects.
    let r: PyResult<()> = (|| unsafe {
        let Some(hook) = get_optional_attr(intern!("__interactivehook__"))? else { return Ok(()) };
        audit(c"cpython.run_interactivehook", &[hook.as_ptr()])?;
        call(hook.as_ptr(), &[])?;
        Ok(())
    })();
    if r.is_err() {
        write_err("Failed calling sys.__interactivehook__\n");
        if let Some(code) = take_system_exit() {
            return Err(code);
        }
        // SAFETY: [EXC]
        unsafe { PyErr_Print() };
    }
    Ok(())
}

/// `-i`: the shell after the program.
fn repl_after(code: &mut c_int) {
    let ip = interp();
    // The program itself may ask for it.
    if ip.config.inspect == 0 && ip.config.use_environment != 0 && env_now("PYTHONINSPECT") {
        ip.config.inspect = 1;
    }
    let c = ip.config.clone();
    if !(c.inspect != 0 && stdin_is_interactive(&c) && runs_code(&c)) {
        return;
    }
    ip.config.inspect = 0;
    if let Err(e) = run_interactive_hook() {
        *code = e;
        return;
    }
    // SAFETY: [GIL]
    unsafe {
        if audit(c"cpython.run_stdin", &[]).is_err() {
            return;
        }
        if basic_repl_wanted(&c) {
            let mut cf = CompilerFlags::default();
            *code = (PyRun_AnyFileExFlags(c_stdin(), c"<stdin>".as_ptr(), 0, &mut cf) != 0) as c_int;
            return;
        }
        let r = (|| {
            let m = import(c"_pyrepl.main")?;
            let f = getattr(m.as_ptr(), intern!("interactive_console"))?;
            let kw = own(PyDict_New())?;
            let one = new_int(1)?;
            dict_set(kw.as_ptr(), intern!("pythonstartup"), one.as_ptr())?;
            let args = tuple(&[])?;
            own(PyObject_Call(f.as_ptr(), args.as_ptr(), kw.as_ptr()))
        })();
        *code = match r {
            Ok(_) => 0,
            Err(_) => (exit_err_print() != 0) as c_int,
        };
    }
}

/// Whether a variable is set and not empty now, after what the program did with `os.environ`.
fn env_now(name: &str) -> bool {
    let c = std::ffi::CString::new(name).unwrap_or_default();
    // SAFETY: the value is looked at once.
    unsafe {
        let p = libc::getenv(c.as_ptr());
        !p.is_null() && *p != 0
    }
}
