//! Running programs: text, files, the basic interactive loop; printing exceptions; exits.

use crate::compile::{CompilerFlags, Input, Start, compile_interactive, compile_source};
use crate::pystate::interp;
use crate::sysmodule::{audit, get_optional_attr, set_attr};
use crate::util::*;
use core::ffi::{CStr, c_char, c_int};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, Ordering::*};
use taipan_abi::*;
use taipan_parser::{Line, LineReader};

/// A KeyboardInterrupt came out of the main program: the process ends as by SIGINT.
pub static UNHANDLED_KEYBOARD_INTERRUPT: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    static stdin: *mut libc::FILE;
    static stdout: *mut libc::FILE;
}

// ---- SystemExit and printing

/// If the exception that is set is SystemExit, takes it and says the exit code (an odd code is printed).
pub fn take_system_exit() -> Option<c_int> {
    // SAFETY: [GIL]
    unsafe {
        if interp().config.inspect != 0 || PyErr_ExceptionMatches(PyExc_SystemExit) == 0 {
            return None;
        }
        libc::fflush(stdout);
        let mut exc: Owned = Owned::from_owned(PyErr_GetRaisedException());
        match getattr(exc.as_ptr(), intern!("code")) {
            Ok(code) => {
                if code.as_ptr() == Py_None() {
                    return Some(0);
                }
                if PyLong_Check(code.as_ptr()) != 0 {
                    let n = PyLong_AsLongLong(code.as_ptr());
                    if n == -1 && err_occurred() {
                        PyErr_Clear();
                    }
                    return Some(n as c_int);
                }
                exc = code;
            }
            Err(e) => e.clear(),
        }
        match get_optional_attr(intern!("stderr")) {
            Ok(Some(f)) if f.as_ptr() != Py_None() => {
                if PyFile_WriteObject(exc.as_ptr(), f.as_ptr(), Py_PRINT_RAW) < 0 {
                    PyErr_Clear();
                }
                write_err("\n");
            }
            _ => {
                PyErr_Clear();
                match own(PyObject_Str(exc.as_ptr())) {
                    Ok(s) => crate::errln!("{}", lossy(s.as_ptr())),
                    Err(e) => e.clear(),
                }
            }
        }
        Some(1)
    }
}

/// Writes to `sys.stderr`, to the process's if that is not possible; keeps the exception that is set.
pub fn write_err(text: &str) {
    // SAFETY: [GIL]
    with_saved_exception(|| unsafe {
        let r: PyResult<()> = (|| {
            match get_optional_attr(intern!("stderr"))?.filter(|f| f.as_ptr() != Py_None()) {
                Some(f) => {
                    let s = new_str(text)?;
                    check_status(PyFile_WriteObject(s.as_ptr(), f.as_ptr(), Py_PRINT_RAW))
                }
                None => {
                    crate::err!("{text}");
                    Ok(())
                }
            }
        })();
        if let Err(e) = r {
            e.clear();
            crate::err!("{text}");
        }
    })
}

/// Prints the exception through `sys.excepthook` and clears it; SystemExit ends the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_PrintEx(set_sys_last_vars: c_int) {
    // SAFETY: [GIL]
    unsafe {
        if let Some(code) = take_system_exit() {
            crate::pylifecycle::Py_Exit(code);
        }
        let Some(exc) = Owned::from_owned_or_opt(PyErr_GetRaisedException()) else { return };
        let class: *mut PyObject = (*exc.as_ptr()).ob_type.cast();
        let tb = Owned::from_owned_or_opt(PyException_GetTraceback(exc.as_ptr())).unwrap_or_else(none);
        if set_sys_last_vars != 0 {
            for (name, v) in [(intern!("last_exc"), exc.as_ptr()), (intern!("last_type"), class), (intern!("last_value"), exc.as_ptr()), (intern!("last_traceback"), tb.as_ptr())] {
                if let Err(e) = set_attr(name, v) {
                    e.clear();
                }
            }
        }
        let hook = match get_optional_attr(intern!("excepthook")) {
            Ok(h) => h,
            Err(e) => {
                e.clear();
                None
            }
        };
        let shown = hook.as_ref().map_or(Py_None(), |h| h.as_ptr());
        if let Err(e) = audit(c"sys.excepthook", &[shown, class, exc.as_ptr(), tb.as_ptr()]) {
            if e.matches(PyExc_RuntimeError) {
                e.clear();
                return;
            }
            crate::errors::write_unraisable_text("Exception ignored in audit hook");
        }
        match hook {
            Some(h) => {
                if call(h.as_ptr(), &[class, exc.as_ptr(), tb.as_ptr()]).is_err() {
                    if let Some(code) = take_system_exit() {
                        crate::pylifecycle::Py_Exit(code);
                    }
                    let second = Owned::from_owned_or_opt(PyErr_GetRaisedException());
                    libc::fflush(stdout);
                    write_err("Error in sys.excepthook:\n");
                    if let Some(s) = second {
                        PyErr_DisplayException(s.as_ptr());
                    }
                    write_err("\nOriginal exception was:\n");
                    PyErr_DisplayException(exc.as_ptr());
                }
            }
            None => {
                write_err("sys.excepthook is missing\n");
                PyErr_DisplayException(exc.as_ptr());
            }
        }
    }
}

/// As [`PyErr_PrintEx`], with `sys.last_exc` set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_Print() {
    // SAFETY: [GIL]
    unsafe { PyErr_PrintEx(1) }
}

/// Prints an exception to `sys.stderr`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_Display(_class: *mut PyObject, value: *mut PyObject, tb: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let file = match get_optional_attr(intern!("stderr")) {
            Ok(Some(f)) => f,
            Ok(None) => {
                display(None, value, tb);
                crate::errln!("lost sys.stderr");
                return;
            }
            Err(e) => {
                e.clear();
                return;
            }
        };
        if file.as_ptr() != Py_None() {
            display(Some(file.as_ptr()), value, tb);
        }
    }
}

/// Prints an exception to a given file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_Display(file: *mut PyObject, _class: *mut PyObject, value: *mut PyObject, tb: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { display(Some(file), value, tb) }
}

/// Prints an exception to `sys.stderr`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_DisplayException(exc: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { PyErr_Display(null_mut(), exc, null_mut()) }
}

/// Prints an exception: by the module `traceback`, and plainly where that fails.
unsafe fn display(file: Option<*mut PyObject>, value: *mut PyObject, tb: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if PyExceptionInstance_Check(value) != 0 && !tb.is_null() && (*tb).ob_type == &raw mut PyTraceBack_Type {
            let base: *mut PyBaseExceptionObject = value.cast();
            if (*base).traceback.is_null() {
                PyException_SetTraceback(value, tb);
            }
        }
        let interrupted = UNHANDLED_KEYBOARD_INTERRUPT.load(Relaxed);
        let done: PyResult<()> = (|| {
            let m = import(c"traceback")?;
            let f = getattr(m.as_ptr(), intern!("_print_exception_bltin"))?;
            call(f.as_ptr(), &[value])?;
            Ok(())
        })();
        UNHANDLED_KEYBOARD_INTERRUPT.store(interrupted, Relaxed);
        if let Err(e) = done {
            e.clear();
            let mut seen = Vec::new();
            if let Some(file) = file
                && let Err(e) = print_exception_recursive(file, value, &mut seen)
            {
                e.clear();
                // No memory, say: what can be told without any.
                taipan_objects::object::_PyObject_Dump(value);
                crate::errln!("lost sys.stderr");
            }
        }
        if let Some(file) = file
            && let Err(e) = call_method(file, intern!("flush"), &[])
        {
            e.clear();
        }
    }
}

unsafe fn put(file: *mut PyObject, text: &str) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let s = new_str(text)?;
        check_status(PyFile_WriteObject(s.as_ptr(), file, Py_PRINT_RAW))
    }
}

unsafe fn print_exception_recursive(file: *mut PyObject, value: *mut PyObject, seen: &mut Vec<usize>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let _guard = RecursionGuard::enter(c" in print_exception_recursive")?;
        if seen.contains(&(value as usize)) {
            return Ok(());
        }
        seen.push(value as usize);
        if PyExceptionInstance_Check(value) != 0 {
            let base: *mut PyBaseExceptionObject = value.cast();
            let cause = Owned::from_borrowed_or_opt((*base).cause);
            let context = Owned::from_borrowed_or_opt((*base).context);
            if let Some(c) = cause {
                if !seen.contains(&(c.as_ptr() as usize)) {
                    print_exception_recursive(file, c.as_ptr(), seen)?;
                    put(file, "\nThe above exception was the direct cause of the following exception:\n\n")?;
                }
            } else if let Some(c) = context
                && (*base).suppress_context == 0
                && !seen.contains(&(c.as_ptr() as usize))
            {
                print_exception_recursive(file, c.as_ptr(), seen)?;
                put(file, "\nDuring handling of the above exception, another exception occurred:\n\n")?;
            }
        }
        print_exception(file, value)
    }
}

/// Prints one exception without those that it came from.
unsafe fn print_exception(file: *mut PyObject, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyExceptionInstance_Check(value) == 0 {
            return put(file, &format!("TypeError: print_exception(): Exception expected for value, {} found\n", type_name(value)));
        }
        let base: *mut PyBaseExceptionObject = value.cast();
        if let Some(tb) = Owned::from_borrowed_or_opt((*base).traceback) {
            crate::traceback::print_with_header(tb.as_ptr(), "Traceback (most recent call last):\n", file)?;
        }
        let mut message = None;
        if let Some(m) = getattr_opt(value, intern!("print_file_and_line"))? {
            drop(m);
            message = print_file_and_line(file, value)?;
        }
        let class: *mut PyObject = (*value).ob_type.cast();
        let module = getattr_opt(class, intern!("__module__"))?;
        if let Some(m) = module
            && PyUnicode_Check(m.as_ptr()) != 0
        {
            let name = lossy(m.as_ptr());
            if name != "builtins" && name != "__main__" {
                put(file, &format!("{name}."))?;
            }
        }
        let q = own(PyType_GetQualName((*value).ob_type))?;
        put(file, &lossy(q.as_ptr()))?;
        let text = match message {
            Some(m) => Some(m),
            None => match own(PyObject_Str(value)) {
                Ok(s) => Some(s),
                Err(e) => {
                    e.clear();
                    put(file, ": <exception str() failed>")?;
                    None
                }
            },
        };
        if let Some(t) = text
            && (PyUnicode_Check(t.as_ptr()) == 0 || PyUnicode_GetLength(t.as_ptr()) > 0)
        {
            put(file, ": ")?;
            check_status(PyFile_WriteObject(t.as_ptr(), file, Py_PRINT_RAW))?;
        }
        put(file, "\n")?;
        if let Some(notes) = getattr_opt(value, intern!("__notes__"))? {
            if PySequence_Check(notes.as_ptr()) == 0 || PyUnicode_Check(notes.as_ptr()) != 0 {
                let r = repr(notes.as_ptr())?;
                return put(file, &format!("{r}\n"));
            }
            for i in 0..PySequence_Size(notes.as_ptr()) {
                let n = own(PySequence_GetItem(notes.as_ptr(), i))?;
                let s = own(PyObject_Str(n.as_ptr()))?;
                put(file, &format!("{}\n", lossy(s.as_ptr())))?;
            }
        }
        Ok(())
    }
}

/// The place of a SyntaxError, with the source line and carets; its message without the place.
unsafe fn print_file_and_line(file: *mut PyObject, value: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let get = |n: *mut PyObject| getattr_opt(value, n).map(|o| o.filter(|p| p.as_ptr() != Py_None()));
        let Some(msg) = get(intern!("msg"))? else { return Ok(None) };
        let Some(lineno) = get(intern!("lineno"))? else { return Ok(None) };
        let filename = get(intern!("filename"))?;
        let name = filename.map_or_else(|| "<string>".into(), |f| lossy(f.as_ptr()));
        let int = |o: Option<Owned>| -> i64 {
            let v = o.map_or(-1, |o| if PyLong_Check(o.as_ptr()) != 0 { PyLong_AsLongLong(o.as_ptr()) } else { -1 });
            PyErr_Clear();
            v
        };
        let line = int(Some(lineno));
        put(file, &format!("  File \"{name}\", line {line}\n"))?;
        if let Some(text) = get(intern!("text"))? {
            let t = lossy(text.as_ptr());
            let t = t.trim_end_matches('\n');
            let stripped = t.trim_start_matches([' ', '\t', '\x0c']);
            let indent = t.chars().count() as i64 - stripped.chars().count() as i64;
            put(file, &format!("    {stripped}\n"))?;
            let offset = int(get(intern!("offset"))?);
            let mut end = int(get(intern!("end_offset"))?);
            let end_line = int(get(intern!("end_lineno"))?);
            if end_line != line {
                end = stripped.chars().count() as i64 + indent + 1;
            }
            if offset > 0 {
                let start = (offset - 1 - indent).max(0);
                let n = if end > offset { end - offset } else { 1 };
                put(file, &format!("    {}{}\n", " ".repeat(start as usize), "^".repeat(n.clamp(1, 500) as usize)))?;
            }
        }
        Ok(Some(msg))
    }
}

/// Flushes `sys.stderr` and `sys.stdout`; keeps the exception that is set.
pub fn flush_io() {
    with_saved_exception(|| {
        for name in [intern!("stderr"), intern!("stdout")] {
            match get_optional_attr(name) {
                Ok(Some(f)) => {
                    // SAFETY: live.
                    if let Err(e) = unsafe { call_method(f.as_ptr(), intern!("flush"), &[]) } {
                        e.clear();
                    }
                }
                Ok(None) => {}
                Err(e) => e.clear(),
            }
        }
    });
}

// ---- running

fn main_module() -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(crate::import::PyImport_AddModuleRef(c"__main__".as_ptr())) }
}

/// Runs a code object in a namespace.
///
/// # Safety
/// All are live.
pub unsafe fn run_code(code: *mut PyObject, globals: *mut PyObject, locals: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        UNHANDLED_KEYBOARD_INTERRUPT.store(false, Relaxed);
        if globals.is_null() || PyDict_Check(globals) == 0 {
            bail!(PyExc_SystemError, "globals must be a real dict");
        }
        if !flag(PyDict_Contains(globals, intern!("__builtins__")))? {
            dict_set(globals, intern!("__builtins__"), interp().builtins)?;
        }
        let v = own(PyEval_EvalCode(code, globals, locals));
        if let Err(e) = &v
            && PyErr_Occurred() == PyExc_KeyboardInterrupt
        {
            let _ = e;
            UNHANDLED_KEYBOARD_INTERRUPT.store(true, Relaxed);
        }
        v
    }
}

/// Gives the module `linecache` the source of code that no file holds, for tracebacks.
unsafe fn register_code(code: &Owned, source: &Owned, filename: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let m = import(c"linecache")?;
        let f = getattr(m.as_ptr(), intern!("_register_code"))?;
        if PyCallable_Check(f.as_ptr()) == 0 {
            bail!(PyExc_ValueError, "linecache._register_code is not callable");
        }
        call(f.as_ptr(), &[code.as_ptr(), source.as_ptr(), filename])?;
        Ok(())
    }
}

/// As [`run_source`], and tracebacks show the source.
unsafe fn run_shown_source(source: &[u8], filename: *mut PyObject, globals: *mut PyObject, cf: &mut CompilerFlags) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let code = compile_source(Input::Bytes(source), filename, Start::Exec, cf, -1)?;
        let text = own(PyUnicode_DecodeUTF8(source.as_ptr().cast(), source.len() as Py_ssize_t, c"replace".as_ptr()))?;
        register_code(&code, &text, filename)?;
        audit(c"exec", &[code.as_ptr()])?;
        run_code(code.as_ptr(), globals, globals)
    }
}

/// Compiles and runs text.
///
/// # Safety
/// Objects are live.
pub unsafe fn run_source(source: &[u8], filename: *mut PyObject, start: Start, globals: *mut PyObject, locals: *mut PyObject, cf: &mut CompilerFlags) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let code = compile_source(Input::Bytes(source), filename, start, cf, -1)?;
        audit(c"exec", &[code.as_ptr()])?;
        run_code(code.as_ptr(), globals, locals)
    }
}

unsafe fn flags_or<'a>(cf: *mut CompilerFlags, default: &'a mut CompilerFlags) -> &'a mut CompilerFlags {
    // SAFETY: [ARGS]
    if cf.is_null() { default } else { unsafe { &mut *cf } }
}

/// Runs text in namespaces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_StringFlags(text: *const c_char, start: c_int, globals: *mut PyObject, locals: *mut PyObject, cf: *mut CompilerFlags) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let Some(start) = Start::from_c(start) else {
            PyErr_BadInternalCall();
            return Err(Raised::assume());
        };
        let mut d = CompilerFlags::default();
        let name = new_str("<string>")?;
        run_source(CStr::from_ptr(text).to_bytes(), name.as_ptr(), start, globals, locals, flags_or(cf, &mut d))
    })();
    r.into_c()
}

/// Runs text in namespaces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_String(text: *const c_char, start: c_int, globals: *mut PyObject, locals: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyRun_StringFlags(text, start, globals, locals, null_mut()) }
}

/// Runs text in `__main__`; prints what it raises.
pub fn run_simple_string(source: &[u8], filename: &str, cf: &mut CompilerFlags) -> bool {
    let r = (|| {
        let m = main_module()?;
        let name = new_str(filename)?;
        // SAFETY: live.
        unsafe {
            let d = PyModule_GetDict(m.as_ptr());
            run_shown_source(source, name.as_ptr(), d, cf)
        }
    })();
    match r {
        Ok(_) => true,
        Err(_) => {
            // SAFETY: [EXC]
            unsafe { PyErr_Print() };
            false
        }
    }
}

/// Runs text in `__main__`; -1 when it raised, which is printed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_SimpleStringFlags(command: *const c_char, cf: *mut CompilerFlags) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut d = CompilerFlags::default();
        let r = (|| {
            let m = main_module()?;
            let name = new_str("<string>")?;
            let globals = PyModule_GetDict(m.as_ptr());
            run_source(CStr::from_ptr(command).to_bytes(), name.as_ptr(), Start::Exec, globals, globals, flags_or(cf, &mut d))
        })();
        match r {
            Ok(_) => 0,
            Err(_) => {
                PyErr_Print();
                -1
            }
        }
    }
}

/// Runs text in `__main__`; -1 when it raised, which is printed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_SimpleString(command: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyRun_SimpleStringFlags(command, null_mut()) }
}

/// All that is left in a C file.
unsafe fn read_all(fp: *mut libc::FILE) -> PyResult<Vec<u8>> {
    // SAFETY: [ARGS]
    unsafe {
        let mut data = Vec::new();
        let mut buf = [0u8; 8192];
        loop {
            let n = crate::ceval_gil::allow_threads(|| libc::fread(buf.as_mut_ptr().cast(), 1, buf.len(), fp));
            data.extend_from_slice(&buf[..n]);
            if n < buf.len() {
                if libc::ferror(fp) != 0 {
                    if crate::ceval_gil::errno() == libc::EINTR {
                        check_status(PyErr_CheckSignals())?;
                        libc::clearerr(fp);
                        continue;
                    }
                    // A closed standard input is an empty program.
                    if crate::ceval_gil::errno() != libc::EBADF {
                        PyErr_SetFromErrno(PyExc_OSError);
                        return Err(Raised::assume());
                    }
                }
                return Ok(data);
            }
        }
    }
}

/// Runs a C file in namespaces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_FileExFlags(fp: *mut libc::FILE, filename: *const c_char, start: c_int, globals: *mut PyObject, locals: *mut PyObject, closeit: c_int, cf: *mut CompilerFlags) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let name = own(PyUnicode_DecodeFSDefault(filename))?;
        let data = read_all(fp);
        if closeit != 0 {
            libc::fclose(fp);
        }
        let start = match Start::from_c(start) {
            Some(Start::Exec) => Start::File,
            Some(s) => s,
            None => {
                PyErr_BadInternalCall();
                return Err(Raised::assume());
            }
        };
        let mut d = CompilerFlags::default();
        run_source(&data?, name.as_ptr(), start, globals, locals, flags_or(cf, &mut d))
    })();
    flush_io();
    r.into_c()
}

/// Runs a C file in namespaces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_File(fp: *mut libc::FILE, p: *const c_char, s: c_int, g: *mut PyObject, l: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyRun_FileExFlags(fp, p, s, g, l, 0, null_mut()) }
}

/// Runs a C file in namespaces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_FileEx(fp: *mut libc::FILE, p: *const c_char, s: c_int, g: *mut PyObject, l: *mut PyObject, c: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyRun_FileExFlags(fp, p, s, g, l, c, null_mut()) }
}

/// Runs a C file in namespaces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_FileFlags(fp: *mut libc::FILE, p: *const c_char, s: c_int, g: *mut PyObject, l: *mut PyObject, cf: *mut CompilerFlags) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyRun_FileExFlags(fp, p, s, g, l, 0, cf) }
}

/// Whether a file holds compiled code: by its name, or by its first two bytes.
fn maybe_pyc(name: &str, data: &[u8], seekable: bool) -> bool {
    name.ends_with(".pyc") || (seekable && data.len() >= 2 && u16::from_le_bytes([data[0], data[1]]) == crate::import::PYC_MAGIC_NUMBER as u16)
}

unsafe fn run_pyc(data: &[u8], globals: *mut PyObject, cf: &mut CompilerFlags) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let magic = data.get(..4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        if data.len() < 16 && magic.is_none_or(|m| m == crate::import::PyImport_GetMagicNumber() as u32) {
            bail!(PyExc_EOFError, "EOF read where not expected");
        }
        if magic != Some(crate::import::PyImport_GetMagicNumber() as u32) {
            bail!(PyExc_RuntimeError, "Bad magic number in .pyc file");
        }
        let code = match crate::marshal::loads(data.get(16..).unwrap_or_default(), true) {
            Ok(code) if PyCode_Check(code.as_ptr()) != 0 => code,
            // Whatever was wrong with it, this is what is said.
            other => {
                if let Err(e) = other {
                    e.clear();
                }
                bail!(PyExc_RuntimeError, "Bad code object in .pyc file");
            }
        };
        cf.cf_flags |= (*code.as_ptr().cast::<PyCodeObject>()).co_flags & crate::compile::flags::PyCF_MASK;
        run_code(code.as_ptr(), globals, globals)
    }
}

/// Sets `__main__.__loader__` for a file.
unsafe fn set_main_loader(d: *mut PyObject, filename: *mut PyObject, loader: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let external = getattr(interp().importlib, intern!("_bootstrap_external"))?;
        let class = getattr(external.as_ptr(), loader)?;
        let name = new_str("__main__")?;
        let l = call(class.as_ptr(), &[name.as_ptr(), filename])?;
        dict_set(d, intern!("__loader__"), l.as_ptr())
    }
}

/// Runs the data of a file as `__main__`; prints what it raises.
///
/// # Safety
/// `filename` is a str.
pub unsafe fn run_simple_file_data(data: &[u8], filename: *mut PyObject, seekable: bool, cf: &mut CompilerFlags) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(m) = main_module() else {
            PyErr_Print();
            return false;
        };
        let mut d = Owned::from_borrowed(PyModule_GetDict(m.as_ptr()));
        let mut set_file = false;
        let r = (|| {
            if !flag(PyDict_Contains(d.as_ptr(), intern!("__file__")))? {
                dict_set(d.as_ptr(), intern!("__file__"), filename)?;
                dict_set(d.as_ptr(), intern!("__cached__"), Py_None())?;
                set_file = true;
            }
            let name = lossy(filename);
            if maybe_pyc(&name, data, seekable) {
                if set_main_loader(d.as_ptr(), filename, intern!("SourcelessFileLoader")).is_err() {
                    PyErr_Clear();
                    bail!(PyExc_RuntimeError, "failed to set __main__.__loader__");
                }
                return run_pyc(data, d.as_ptr(), cf);
            }
            if name != "<stdin>" && set_main_loader(d.as_ptr(), filename, intern!("SourceFileLoader")).is_err() {
                PyErr_Clear();
                bail!(PyExc_RuntimeError, "failed to set __main__.__loader__");
            }
            run_source(data, filename, Start::File, d.as_ptr(), d.as_ptr(), cf)
        })();
        flush_io();
        let ok = match r {
            Ok(_) => true,
            Err(_) => {
                // Printing may be the end of the process: nothing here may keep what the script made.
                drop(m);
                d = none();
                PyErr_Print();
                match main_module() {
                    Ok(m) => d = Owned::from_borrowed(PyModule_GetDict(m.as_ptr())),
                    Err(e) => {
                        e.clear();
                        set_file = false;
                    }
                }
                false
            }
        };
        if set_file {
            for name in [intern!("__file__"), intern!("__cached__")] {
                if PyDict_DelItem(d.as_ptr(), name) < 0 {
                    if ok {
                        PyErr_Print();
                    } else {
                        PyErr_Clear();
                    }
                }
            }
        }
        ok
    }
}

/// Runs a C file as `__main__`; -1 when it raised, which is printed.
///
/// # Safety
/// `filename` is a str.
pub unsafe fn run_simple_file(fp: *mut libc::FILE, filename: *mut PyObject, closeit: bool, cf: &mut CompilerFlags) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let seekable = libc::ftell(fp) == 0;
        let data = read_all(fp);
        if closeit {
            libc::fclose(fp);
        }
        match data {
            Ok(d) => {
                if run_simple_file_data(&d, filename, seekable, cf) {
                    0
                } else {
                    -1
                }
            }
            Err(_) => {
                PyErr_Print();
                -1
            }
        }
    }
}

/// Runs a C file as `__main__`; -1 when it raised, which is printed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_SimpleFileExFlags(fp: *mut libc::FILE, filename: *const c_char, closeit: c_int, cf: *mut CompilerFlags) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(name) = own(PyUnicode_DecodeFSDefault(filename)) else { return -1 };
        let mut d = CompilerFlags::default();
        run_simple_file(fp, name.as_ptr(), closeit != 0, flags_or(cf, &mut d))
    }
}

/// Runs a C file as `__main__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_SimpleFileEx(fp: *mut libc::FILE, p: *const c_char, c: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyRun_SimpleFileExFlags(fp, p, c, null_mut()) }
}

/// Runs a C file as `__main__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_SimpleFile(fp: *mut libc::FILE, p: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyRun_SimpleFileExFlags(fp, p, 0, null_mut()) }
}

/// Whether a C file talks to a person.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_FdIsInteractive(fp: *mut libc::FILE, filename: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if libc::isatty(libc::fileno(fp)) != 0 {
            return 1;
        }
        if interp().config.interactive == 0 {
            return 0;
        }
        (filename.is_null() || matches!(CStr::from_ptr(filename).to_bytes(), b"<stdin>" | b"???")) as c_int
    }
}

/// Runs a C file, interactively if it is a terminal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_AnyFileExFlags(fp: *mut libc::FILE, filename: *const c_char, closeit: c_int, cf: *mut CompilerFlags) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut d = CompilerFlags::default();
        let cf = flags_or(cf, &mut d);
        let name = if filename.is_null() { new_str("???") } else { own(PyUnicode_DecodeFSDefault(filename)) };
        let Ok(name) = name else {
            PyErr_Print();
            return -1;
        };
        if Py_FdIsInteractive(fp, filename) != 0 {
            let r = interactive_loop(fp, name.as_ptr(), cf);
            if closeit != 0 {
                libc::fclose(fp);
            }
            return r;
        }
        run_simple_file(fp, name.as_ptr(), closeit != 0, cf)
    }
}

/// Runs a C file, interactively if it is a terminal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_AnyFileFlags(fp: *mut libc::FILE, name: *const c_char, cf: *mut CompilerFlags) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyRun_AnyFileExFlags(fp, name, 0, cf) }
}

/// Runs a C file, interactively if it is a terminal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_AnyFileEx(fp: *mut libc::FILE, name: *const c_char, closeit: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyRun_AnyFileExFlags(fp, name, closeit, null_mut()) }
}

/// Runs a C file, interactively if it is a terminal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_AnyFile(fp: *mut libc::FILE, name: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyRun_AnyFileExFlags(fp, name, 0, null_mut()) }
}

// ---- the basic interactive loop

/// Reads lines from a C file with prompts, decoded as `sys.stdin` says.
struct PromptReader {
    fp: *mut libc::FILE,
    first: Vec<u8>,
    more: Vec<u8>,
    encoding: Option<std::ffi::CString>,
    /// What was read.
    source: Vec<u8>,
}

impl LineReader for PromptReader {
    fn readline(&mut self, continuation: bool) -> Line {
        let prompt = if continuation { &self.more } else { &self.first };
        // SAFETY: [GIL] the line is freed after it has been copied.
        unsafe {
            let c = std::ffi::CString::new(prompt.clone()).unwrap_or_default();
            let p = crate::myreadline::PyOS_Readline(self.fp, stdout, c.as_ptr());
            if p.is_null() || *p == 0 {
                // The prompt waits for nothing any more: what is printed next starts on its own line.
                write_err("\n");
            }
            if p.is_null() {
                if err_occurred() && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) == 0 {
                    return Line::Failed;
                }
                return Line::Interrupt;
            }
            let mut line = CStr::from_ptr(p).to_bytes().to_vec();
            PyMem_Free(p.cast());
            if line.last().is_some_and(|&b| b != b'\n') {
                // The input ends in this line, which is known only after another attempt to read.
                let c = std::ffi::CString::new(self.more.clone()).unwrap_or_default();
                let p = crate::myreadline::PyOS_Readline(self.fp, stdout, c.as_ptr());
                if !p.is_null() {
                    line.extend_from_slice(CStr::from_ptr(p).to_bytes());
                    PyMem_Free(p.cast());
                }
                write_err("\n");
            }
            if let Some(enc) = &self.encoding
                && !line.is_ascii()
            {
                let text = own(PyUnicode_Decode(line.as_ptr().cast(), line.len() as Py_ssize_t, enc.as_ptr(), core::ptr::null()))
                    .and_then(|s| own(PyUnicode_AsUTF8String(s.as_ptr())));
                match text {
                    Ok(b) => line = bytes_of(b.as_ptr()).to_vec(),
                    Err(_) => return Line::Failed,
                }
            }
            self.source.extend_from_slice(&line);
            Line::Text(line)
        }
    }
}

/// The bytes of `str(sys.ps1)` in the encoding of the terminal.
unsafe fn prompt(name: *mut PyObject, encoding: Option<&CStr>) -> Vec<u8> {
    // SAFETY: [GIL]
    unsafe {
        let r: PyResult<Vec<u8>> = (|| {
            let Some(p) = get_optional_attr(name)? else { return Ok(Vec::new()) };
            let s = own(PyObject_Str(p.as_ptr()))?;
            let enc = encoding.unwrap_or(c"utf-8");
            let b = own(PyUnicode_AsEncodedString(s.as_ptr(), enc.as_ptr(), c"strict".as_ptr()))?;
            Ok(bytes_of(b.as_ptr()).to_vec())
        })();
        r.unwrap_or_else(|e| {
            e.clear();
            Vec::new()
        })
    }
}

/// Gives a SyntaxError the line that was read, as no file has it.
unsafe fn fix_syntax_error_text(source: &[u8]) {
    // SAFETY: [EXC]
    unsafe {
        let exc = PyErr_GetRaisedException();
        if PyType_IsSubtype((*exc).ob_type, PyExc_SyntaxError.cast()) != 0 {
            let r: PyResult<()> = (|| {
                let Some(n) = getattr_opt(exc, intern!("lineno"))? else { return Ok(()) };
                if PyLong_Check(n.as_ptr()) == 0 {
                    return Ok(());
                }
                let n = PyLong_AsLong(n.as_ptr());
                if n > 0
                    && let Some(line) = crate::fileutils::nth_line(source, n as usize)
                {
                    let line = own(PyUnicode_DecodeUTF8(line.as_ptr().cast(), line.len() as Py_ssize_t, c"replace".as_ptr()))?;
                    check_status(PyObject_SetAttr(exc, intern!("text"), line.as_ptr()))?;
                }
                Ok(())
            })();
            if let Err(e) = r {
                e.clear();
            }
        }
        PyErr_SetRaisedException(exc);
    }
}

/// How a round of the loop ended.
enum Round {
    Ran,
    Raised,
    Eof,
}

unsafe fn interactive_one(fp: *mut libc::FILE, filename: *mut PyObject, cf: &mut CompilerFlags) -> PyResult<Round> {
    // SAFETY: [ARGS]
    unsafe {
        let mut encoding = None;
        if let Some(f) = get_optional_attr(intern!("stdin"))?
            && f.as_ptr() != Py_None()
        {
            match getattr_opt(f.as_ptr(), intern!("encoding"))? {
                Some(e) if PyUnicode_Check(e.as_ptr()) != 0 => encoding = std::ffi::CString::new(utf8(e.as_ptr())?).ok(),
                _ => {}
            }
        }
        let mut reader = PromptReader {
            fp,
            first: prompt(intern!("ps1"), encoding.as_deref()),
            more: prompt(intern!("ps2"), encoding.as_deref()),
            encoding,
            source: Vec::new(),
        };
        // Each statement has a file name of its own, under which its source is kept.
        static COUNT: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
        let own_name = new_str(&format!("{}-{}", lossy(filename), COUNT.fetch_add(1, Relaxed)))?;
        let code = match compile_interactive(&mut reader, filename, own_name.as_ptr(), cf) {
            Ok(c) => c,
            Err(e) if e.matches(PyExc_EOFError) => {
                e.clear();
                return Ok(Round::Eof);
            }
            Err(e) => {
                fix_syntax_error_text(&reader.source);
                return Err(e);
            }
        };
        let text = own(PyUnicode_DecodeUTF8(reader.source.as_ptr().cast(), reader.source.len() as Py_ssize_t, c"replace".as_ptr()))?;
        register_code(&code, &text, filename)?;
        audit(c"exec", &[code.as_ptr()])?;
        let m = main_module()?;
        let d = PyModule_GetDict(m.as_ptr());
        run_code(code.as_ptr(), d, d)?;
        Ok(Round::Ran)
    }
}

unsafe fn interactive_round(fp: *mut libc::FILE, filename: *mut PyObject, cf: &mut CompilerFlags) -> Round {
    // SAFETY: [ARGS]
    unsafe {
        match interactive_one(fp, filename, cf) {
            Ok(r) => {
                flush_io();
                r
            }
            Err(_) => {
                PyErr_Print();
                flush_io();
                Round::Raised
            }
        }
    }
}

unsafe fn interactive_loop(fp: *mut libc::FILE, filename: *mut PyObject, cf: &mut CompilerFlags) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        for (name, text) in [(intern!("ps1"), ">>> "), (intern!("ps2"), "... ")] {
            if let (Ok(None), Ok(t)) = (get_optional_attr(name), new_str(text))
                && let Err(e) = set_attr(name, t.as_ptr())
            {
                e.clear();
            }
        }
        // Of MemoryErrors in a row: a statement may fail with one, but without memory the loop would never end.
        let mut out_of_memory = 0;
        loop {
            // Each statement starts without the flags for incomplete input of the last.
            match interactive_one(fp, filename, cf) {
                Ok(Round::Eof) => {
                    flush_io();
                    return 0;
                }
                Ok(_) => out_of_memory = 0,
                Err(e) => {
                    out_of_memory = if e.matches(PyExc_MemoryError) { out_of_memory + 1 } else { 0 };
                    if out_of_memory > 16 {
                        e.clear();
                        return -1;
                    }
                    PyErr_Print();
                }
            }
            flush_io();
        }
    }
}

/// `sys._baserepl()`.
pub fn basic_repl() {
    // SAFETY: [GIL]
    unsafe {
        let mut cf = CompilerFlags::default();
        PyRun_AnyFileExFlags(stdin, c"<stdin>".as_ptr(), 0, &mut cf);
    }
}

/// The basic interactive loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_InteractiveLoopFlags(fp: *mut libc::FILE, filename: *const c_char, cf: *mut CompilerFlags) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(name) = own(PyUnicode_DecodeFSDefault(filename)) else {
            PyErr_Print();
            return -1;
        };
        let mut d = CompilerFlags::default();
        interactive_loop(fp, name.as_ptr(), flags_or(cf, &mut d))
    }
}

/// The basic interactive loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_InteractiveLoop(fp: *mut libc::FILE, filename: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyRun_InteractiveLoopFlags(fp, filename, null_mut()) }
}

/// Reads and runs one statement; -1 when it raised, which is printed; 11 at the end of the input.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_InteractiveOneObject(fp: *mut libc::FILE, filename: *mut PyObject, cf: *mut CompilerFlags) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut d = CompilerFlags::default();
        match interactive_round(fp, filename, flags_or(cf, &mut d)) {
            Round::Ran => 0,
            Round::Raised => -1,
            Round::Eof => 11,
        }
    }
}

/// As [`PyRun_InteractiveOneObject`] with a C name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_InteractiveOneFlags(fp: *mut libc::FILE, filename: *const c_char, cf: *mut CompilerFlags) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(name) = own(PyUnicode_DecodeFSDefault(filename)) else {
            PyErr_Print();
            return -1;
        };
        PyRun_InteractiveOneObject(fp, name.as_ptr(), cf)
    }
}

/// As [`PyRun_InteractiveOneFlags`] without flags.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyRun_InteractiveOne(fp: *mut libc::FILE, filename: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyRun_InteractiveOneFlags(fp, filename, null_mut()) }
}

/// The process's standard input.
pub fn c_stdin() -> *mut libc::FILE {
    // SAFETY: set by the C library.
    unsafe { stdin }
}
