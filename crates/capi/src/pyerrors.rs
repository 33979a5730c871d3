//! Variadic functions around errors, warnings, text and standard streams.

use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::va_list::VaListTag;
use taipan_abi::*;

unsafe extern "C" {
    fn PyUnicode_FromFormatV(format: *const c_char, va: *mut VaListTag) -> *mut PyObject;
    fn PyBytes_FromFormatV(format: *const c_char, va: *mut VaListTag) -> *mut PyObject;
    fn PyErr_FormatV(exc: *mut PyObject, format: *const c_char, va: *mut VaListTag) -> *mut PyObject;
    fn _PySys_AuditV(event: *const c_char, format: *const c_char, va: *mut VaListTag) -> c_int;
    fn vsnprintf(buf: *mut c_char, n: usize, format: *const c_char, va: *mut VaListTag) -> c_int;
}

variadic! {
    /// Raises an auditing event (PEP 578).
    PySys_Audit(2, "rdx") => _PySys_AuditV;
    /// A str from a printf-like format.
    PyUnicode_FromFormat(1, "rsi") => PyUnicode_FromFormatV;
    /// A bytes object from a printf-like format.
    PyBytes_FromFormat(1, "rsi") => PyBytes_FromFormatV;
    /// Raises with a formatted message; returns NULL.
    PyErr_Format(2, "rdx") => PyErr_FormatV;
    /// As `PyErr_Format`, given the thread state.
    _PyErr_Format(3, "rcx") => err_format_tstate;
    /// As `PyErr_Format`; the exception being raised becomes cause and context.
    _PyErr_FormatFromCause(2, "rdx") => err_format_from_cause;
    /// Reports an exception that can't be propagated, with a message.
    PyErr_FormatUnraisable(1, "rsi") => err_format_unraisable;
    /// Warns with a formatted message.
    PyErr_WarnFormat(3, "rcx") => warn_format;
    /// ResourceWarning with a formatted message.
    PyErr_ResourceWarning(3, "rcx") => resource_warning;
    /// Warns at an explicit place with a formatted message.
    PyErr_WarnExplicitFormat(6, "rax") => warn_explicit_format_stack;
    /// printf into a buffer; like C99's snprintf, but for a size over INT_MAX.
    PyOS_snprintf(3, "rcx") => PyOS_vsnprintf;
    /// printf to sys.stdout, at most 1,000 bytes.
    PySys_WriteStdout(1, "rsi") => write_stdout;
    /// printf to sys.stderr, at most 1,000 bytes.
    PySys_WriteStderr(1, "rsi") => write_stderr;
    /// `PyUnicode_FromFormat` to sys.stdout.
    PySys_FormatStdout(1, "rsi") => format_stdout;
    /// `PyUnicode_FromFormat` to sys.stderr.
    PySys_FormatStderr(1, "rsi") => format_stderr;
}

unsafe extern "C" fn err_format_tstate(
    _tstate: *mut PyThreadState,
    exc: *mut PyObject,
    format: *const c_char,
    va: *mut VaListTag,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyErr_FormatV(exc, format, va) }
}

unsafe extern "C" fn err_format_from_cause(exc: *mut PyObject, format: *const c_char, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS] [EXC] an exception is set.
    unsafe {
        let cause = PyErr_GetRaisedException();
        PyErr_FormatV(exc, format, va);
        let new = PyErr_GetRaisedException();
        Py_INCREF(cause);
        PyException_SetCause(new, cause);
        PyException_SetContext(new, cause);
        PyErr_SetRaisedException(new);
        null_mut()
    }
}

unsafe extern "C" fn err_format_unraisable(format: *const c_char, va: *mut VaListTag) {
    unsafe extern "C" {
        fn _PyErr_WriteUnraisableMsgObj(msg: *mut PyObject, op: *mut PyObject);
    }
    // SAFETY: [ARGS] the exception is put aside while the message is made.
    unsafe {
        let exc = PyErr_GetRaisedException();
        let msg = if format.is_null() { null_mut() } else { PyUnicode_FromFormatV(format, va) };
        if msg.is_null() {
            PyErr_Clear();
        }
        PyErr_SetRaisedException(exc);
        _PyErr_WriteUnraisableMsgObj(msg, null_mut());
        Py_XDECREF(msg);
    }
}

unsafe fn warn_object(category: *mut PyObject, message: *mut PyObject, level: Py_ssize_t, source: *mut PyObject) -> c_int {
    unsafe extern "C" {
        fn _PyErr_WarnObject(category: *mut PyObject, message: *mut PyObject, level: Py_ssize_t, source: *mut PyObject) -> c_int;
    }
    // SAFETY: [ARGS] the message is owned here.
    unsafe {
        if message.is_null() {
            return -1;
        }
        let r = _PyErr_WarnObject(category, message, level, source);
        Py_DECREF(message);
        r
    }
}

unsafe extern "C" fn warn_format(category: *mut PyObject, level: Py_ssize_t, format: *const c_char, va: *mut VaListTag) -> c_int {
    // SAFETY: [ARGS]
    unsafe { warn_object(category, PyUnicode_FromFormatV(format, va), level, null_mut()) }
}

unsafe extern "C" fn resource_warning(source: *mut PyObject, level: Py_ssize_t, format: *const c_char, va: *mut VaListTag) -> c_int {
    // SAFETY: [ARGS]
    unsafe { warn_object(PyExc_ResourceWarning, PyUnicode_FromFormatV(format, va), level, source) }
}

/// Six fixed arguments fill all registers: the list lies where the seventh argument does, in `rax`, and is fetched here.
#[unsafe(naked)]
unsafe extern "C" fn warn_explicit_format_stack() {
    core::arch::naked_asm!("push rax", "call {t}", "add rsp, 8", "ret", t = sym warn_explicit_format)
}

unsafe extern "C" fn warn_explicit_format(
    category: *mut PyObject,
    filename: *const c_char,
    lineno: c_int,
    module: *const c_char,
    registry: *mut PyObject,
    format: *const c_char,
    va: *mut VaListTag,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let message = Owned::from_owned_or_opt(PyUnicode_FromFormatV(format, va));
        let Some(message) = message else { return -1 };
        let mut size = 0;
        let text = PyUnicode_AsUTF8AndSize(message.as_ptr(), &mut size);
        if text.is_null() {
            return -1;
        }
        PyErr_WarnExplicit(category, text, filename, lineno, module, registry)
    }
}

/// vsnprintf that always terminates the text; `str` has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_vsnprintf(text: *mut c_char, size: usize, format: *const c_char, va: *mut VaListTag) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if size > (i32::MAX - 1) as usize {
            *text.add(size - 1) = 0;
            return -666;
        }
        let n = vsnprintf(text, size, format, va);
        if size > 0 {
            *text.add(size - 1) = 0;
        }
        n
    }
}

unsafe fn write_text(name: &core::ffi::CStr, fd: c_int, text: *mut PyObject) {
    // SAFETY: [GIL] an exception in progress is kept.
    unsafe {
        let file = PySys_GetObject(name.as_ptr());
        let done = !file.is_null() && file != Py_None() && PyFile_WriteObject(text, file, Py_PRINT_RAW) == 0;
        if !done {
            PyErr_Clear();
            let mut size = 0;
            let p = PyUnicode_AsUTF8AndSize(text, &mut size);
            if p.is_null() {
                PyErr_Clear();
            } else {
                libc::write(fd, p.cast(), size as usize);
            }
        }
    }
}

unsafe fn sys_write(name: &core::ffi::CStr, fd: c_int, format: *const c_char, va: *mut VaListTag) {
    // SAFETY: [ARGS]
    unsafe {
        let exc = PyErr_GetRaisedException();
        let mut buf = [0 as c_char; 1001];
        let written = vsnprintf(buf.as_mut_ptr(), buf.len(), format, va);
        let n = libc::strlen(buf.as_ptr());
        let text = PyUnicode_DecodeUTF8(buf.as_ptr(), n as Py_ssize_t, c"replace".as_ptr());
        if text.is_null() {
            PyErr_Clear();
        } else {
            write_text(name, fd, text);
            Py_DECREF(text);
            if written > 1000 {
                let more = PyUnicode_FromString(c"... truncated".as_ptr());
                if !more.is_null() {
                    write_text(name, fd, more);
                    Py_DECREF(more);
                }
            }
        }
        PyErr_SetRaisedException(exc);
    }
}

unsafe fn sys_format(name: &core::ffi::CStr, fd: c_int, format: *const c_char, va: *mut VaListTag) {
    // SAFETY: [ARGS]
    unsafe {
        let exc = PyErr_GetRaisedException();
        let text = PyUnicode_FromFormatV(format, va);
        if text.is_null() {
            PyErr_Clear();
        } else {
            write_text(name, fd, text);
            Py_DECREF(text);
        }
        PyErr_SetRaisedException(exc);
    }
}

unsafe extern "C" fn write_stdout(format: *const c_char, va: *mut VaListTag) {
    // SAFETY: [ARGS]
    unsafe { sys_write(c"stdout", 1, format, va) }
}
unsafe extern "C" fn write_stderr(format: *const c_char, va: *mut VaListTag) {
    // SAFETY: [ARGS]
    unsafe { sys_write(c"stderr", 2, format, va) }
}
unsafe extern "C" fn format_stdout(format: *const c_char, va: *mut VaListTag) {
    // SAFETY: [ARGS]
    unsafe { sys_format(c"stdout", 1, format, va) }
}
unsafe extern "C" fn format_stderr(format: *const c_char, va: *mut VaListTag) {
    // SAFETY: [ARGS]
    unsafe { sys_format(c"stderr", 2, format, va) }
}
