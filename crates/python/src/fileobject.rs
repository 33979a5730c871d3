//! File-like objects as the C API sees them, paths, and the stream used before `io` is there.

use crate::ceval_gil::allow_threads;
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// `os.fspath`: str and bytes as they are, else what `__fspath__` returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_FSPath(path: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(path) != 0 || PyBytes_Check(path) != 0 {
            return Owned::from_borrowed(path).into_raw();
        }
        let convert = || -> PyResult<Owned> {
            let method = _PyObject_LookupSpecial(path, intern!("__fspath__"));
            if method.is_null() {
                if err_occurred() {
                    return Err(Raised::assume());
                }
                bail!(PyExc_TypeError, "expected str, bytes or os.PathLike object, not {}", type_name(path));
            }
            let method = Owned::from_owned(method);
            if method.as_ptr() == Py_None() {
                bail!(PyExc_TypeError, "expected str, bytes or os.PathLike object, not {}", type_name(path));
            }
            let r = Owned::from_owned_or_err(PyObject_CallNoArgs(method.as_ptr()))?;
            if PyUnicode_Check(r.as_ptr()) == 0 && PyBytes_Check(r.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "expected {}.__fspath__() to return str or bytes, not {}", type_name(path), type_name(r.as_ptr()));
            }
            Ok(r)
        };
        convert().into_c()
    }
}

/// Writes `str(op)` (with `Py_PRINT_RAW`) or `repr(op)` to a file-like object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_WriteObject(op: *mut PyObject, file: *mut PyObject, flags: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let write = || -> PyResult<()> {
            if file.is_null() {
                bail!(PyExc_TypeError, "writeobject with NULL file");
            }
            let method = Owned::from_owned_or_err(PyObject_GetAttr(file, intern!("write")))?;
            let text = Owned::from_owned_or_err(if flags & Py_PRINT_RAW != 0 { PyObject_Str(op) } else { PyObject_Repr(op) })?;
            Owned::from_owned_or_err(PyObject_CallOneArg(method.as_ptr(), text.as_ptr())).map(|_| ())
        };
        write().into_c()
    }
}

/// Writes a C string to a file-like object; does nothing when an exception is set already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_WriteString(text: *const c_char, file: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if file.is_null() {
            if !err_occurred() {
                let _ = raise!(PyExc_SystemError, "null file for PyFile_WriteString");
            }
            return -1;
        }
        if err_occurred() {
            return -1;
        }
        let text = PyUnicode_FromString(text);
        if text.is_null() {
            return -1;
        }
        let text = Owned::from_owned(text);
        PyFile_WriteObject(text.as_ptr(), file, Py_PRINT_RAW)
    }
}

/// One line of a file-like object: at most `n` characters if positive; without its line end, and EOFError at the end, if negative.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_GetLine(file: *mut PyObject, n: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let read = || -> PyResult<Owned> {
            let line = if n <= 0 {
                Owned::from_owned_or_err(PyObject_CallMethodNoArgs(file, intern!("readline")))?
            } else {
                let count = Owned::from_owned_or_err(PyLong_FromLong(n as i64))?;
                let args = [file, count.as_ptr()];
                Owned::from_owned_or_err(PyObject_VectorcallMethod(intern!("readline"), args.as_ptr(), 2, null_mut()))?
            };
            let text = PyUnicode_Check(line.as_ptr()) != 0;
            if !text && PyBytes_Check(line.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "object.readline() returned non-string");
            }
            if n >= 0 {
                return Ok(line);
            }
            let len = PyObject_Size(line.as_ptr());
            if len == 0 {
                bail!(PyExc_EOFError, "EOF when reading a line");
            }
            let ends = if text { PyUnicode_ReadChar(line.as_ptr(), len - 1) == 0x0a } else { *PyBytes_AsString(line.as_ptr()).add(len as usize - 1) == 0x0a };
            if !ends {
                return Ok(line);
            }
            Owned::from_owned_or_err(PySequence_GetSlice(line.as_ptr(), 0, len - 1))
        };
        read().into_c()
    }
}

/// A file descriptor from an int or from an object with `fileno()`; -1 with an exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_AsFileDescriptor(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let convert = || -> PyResult<c_int> {
            let number = if PyLong_Check(op) != 0 {
                if PyBool_Check(op) != 0 && PyErr_WarnEx(PyExc_RuntimeWarning, c"bool is used as a file descriptor".as_ptr(), 1) < 0 {
                    return Err(Raised::assume());
                }
                Owned::from_borrowed(op)
            } else {
                let mut method = null_mut();
                check_status(PyObject_GetOptionalAttr(op, intern!("fileno"), &mut method))?;
                let Some(method) = Owned::from_owned_or_opt(method) else {
                    bail!(PyExc_TypeError, "argument must be an int, or have a fileno() method.")
                };
                let r = Owned::from_owned_or_err(PyObject_CallNoArgs(method.as_ptr()))?;
                if PyLong_Check(r.as_ptr()) == 0 {
                    bail!(PyExc_TypeError, "fileno() returned a non-integer");
                }
                r
            };
            let fd = PyLong_AsLong(number.as_ptr());
            if fd == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            let Ok(fd) = c_int::try_from(fd) else { bail!(PyExc_OverflowError, "Python int too large to convert to C int") };
            if fd < 0 {
                bail!(PyExc_ValueError, "file descriptor cannot be a negative integer ({})", fd);
            }
            Ok(fd)
        };
        convert().unwrap_or(-1)
    }
}

/// `io.open(fd, ...)`; `name` is not used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_FromFd(
    fd: c_int,
    _name: *const c_char,
    mode: *const c_char,
    buffering: c_int,
    encoding: *const c_char,
    errors: *const c_char,
    newline: *const c_char,
    closefd: c_int,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let io = PyImport_ImportModule(c"io".as_ptr());
        if io.is_null() {
            return null_mut();
        }
        let io = Owned::from_owned(io);
        PyObject_CallMethod(
            io.as_ptr(),
            c"open".as_ptr(),
            c"isisssO".as_ptr(),
            fd,
            mode,
            buffering,
            encoding,
            errors,
            newline,
            if closefd != 0 { Py_True() } else { Py_False() },
        )
    }
}

/// The stream of `sys.stderr` before `io` is there: it encodes and writes, nothing else.
#[repr(C)]
struct StdPrinter {
    ob_base: PyObject,
    fd: c_int,
}
type S<'a> = Borrowed<'a, StdPrinter>;

fn write(slf: S<'_>, text: taipan_clinic::Str<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if slf.fd < 0 {
            return Ok(Owned::from_borrowed(Py_None()));
        }
        let b = Owned::from_owned_or_err(PyUnicode_AsEncodedString(text.ob(), c"utf-8".as_ptr(), c"backslashreplace".as_ptr()))?;
        let (p, n, fd) = (PyBytes_AsString(b.as_ptr()), PyBytes_Size(b.as_ptr()) as usize, slf.fd);
        let written = allow_threads(|| libc::write(fd, p.cast(), n));
        if written < 0 {
            if *libc::__errno_location() == libc::EAGAIN {
                return Ok(Owned::from_borrowed(Py_None()));
            }
            PyErr_SetFromErrno(PyExc_OSError);
            return Err(Raised::assume());
        }
        Owned::from_owned_or_err(PyLong_FromSsize_t(written))
    }
}
fn nothing(_: S<'_>) -> PyResult<()> {
    Ok(())
}
fn fileno(slf: S<'_>) -> PyResult<i32> {
    Ok(slf.fd)
}
fn isatty(slf: S<'_>) -> PyResult<bool> {
    // SAFETY: a plain system call.
    Ok(slf.fd >= 0 && unsafe { libc::isatty(slf.fd) } != 0)
}
fn encoding(_: S<'_>) -> PyResult<()> {
    Ok(())
}
fn closed(_: S<'_>) -> PyResult<bool> {
    Ok(false)
}
unsafe extern "C" fn repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { PyUnicode_FromFormat(c"<stdprinter(fd=%d) object at %p>".as_ptr(), (*slf.cast::<StdPrinter>()).fd, slf) }
}
methods! {
    static METHODS = [
        "write($self, text, /)" => write, "Write text.";
        "flush($self, /)" => nothing, "Does nothing.";
        "close($self, /)" => nothing, "Does nothing.";
        "fileno($self, /)" => fileno, "The file descriptor.";
        "isatty($self, /)" => isatty, "Whether it is a terminal.";
    ];
}
getset! {
    static ATTRS = [
        "closed" => closed, "Always false.";
        "encoding" => encoding, "Always None.";
        "mode" => mode, "Always 'w'.";
    ];
}
fn mode(_: S<'_>) -> PyResult<&'static str> {
    Ok("w")
}
/// The type of the stream used before `io` is there.
#[unsafe(no_mangle)]
pub static mut PyStdPrinter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"stderrprinter".as_ptr(),
    tp_basicsize: size_of::<StdPrinter>() as Py_ssize_t,
    tp_repr: Some(repr),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut ATTRS).cast(),
    ..TYPE_INIT
};

/// A stream that writes to standard output or error without `io`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_NewStdPrinter(fd: c_int) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        if PyType_Ready(&raw mut PyStdPrinter_Type) < 0 {
            return null_mut();
        }
        let op = PyType_GenericAlloc(&raw mut PyStdPrinter_Type, 0);
        if !op.is_null() {
            (*op.cast::<StdPrinter>()).fd = fd;
        }
        op
    }
}
