//! Files as C code sees them: writing to, and reading lines from, objects with the file methods.

use crate::util::*;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use std::sync::Mutex;
use taipan_abi::*;
use taipan_clinic::{getset, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// A text file on a descriptor, by `io.open`.
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
    let r = (|| unsafe {
        let io = import(c"io")?;
        let open = getattr(io.as_ptr(), intern!("open"))?;
        let text = |p: *const c_char| if p.is_null() { Ok(none()) } else { own(PyUnicode_FromString(p)) };
        let (fd, mode, buffering) = (new_int(fd as i64)?, text(mode)?, new_int(buffering as i64)?);
        let (encoding, errors, newline) = (text(encoding)?, text(errors)?, text(newline)?);
        call(
            open.as_ptr(),
            &[
                fd.as_ptr(),
                mode.as_ptr(),
                buffering.as_ptr(),
                encoding.as_ptr(),
                errors.as_ptr(),
                newline.as_ptr(),
                new_bool(closefd != 0).as_ptr(),
            ],
        )
    })();
    r.into_c()
}

/// A line: `n` > 0 at most so many bytes, 0 any length, negative any length without its end and EOFError at the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_GetLine(f: *mut PyObject, n: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        if f.is_null() {
            PyErr_BadInternalCall();
            return Err(Raised::assume());
        }
        let line = if n <= 0 {
            call_method(f, intern!("readline"), &[])?
        } else {
            let limit = new_int(n as i64)?;
            call_method(f, intern!("readline"), &[limit.as_ptr()])?
        };
        let p = line.as_ptr();
        if PyBytes_Check(p) == 0 && PyUnicode_Check(p) == 0 {
            bail!(PyExc_TypeError, "object.readline() returned non-string");
        }
        if n >= 0 {
            return Ok(line);
        }
        if PyBytes_Check(p) != 0 {
            let b = bytes_of(p);
            if b.is_empty() {
                bail!(PyExc_EOFError, "EOF when reading a line");
            }
            if b.last() == Some(&b'\n') {
                return own(PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as Py_ssize_t - 1));
            }
            return Ok(line);
        }
        let len = PyUnicode_GetLength(p);
        if len == 0 {
            bail!(PyExc_EOFError, "EOF when reading a line");
        }
        if PyUnicode_ReadChar(p, len - 1) == b'\n' as u32 {
            return own(PyUnicode_Substring(p, 0, len - 1));
        }
        Ok(line)
    })();
    r.into_c()
}

/// Writes the str (with `Py_PRINT_RAW`) or repr of an object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_WriteObject(v: *mut PyObject, f: *mut PyObject, flags: c_int) -> c_int {
    // SAFETY: [ARGS]
    let r: PyResult<()> = (|| unsafe {
        if f.is_null() {
            bail!(PyExc_TypeError, "writeobject with NULL file");
        }
        let writer = getattr(f, intern!("write"))?;
        let value = own(if flags & Py_PRINT_RAW != 0 { PyObject_Str(v) } else { PyObject_Repr(v) })?;
        call(writer.as_ptr(), &[value.as_ptr()])?;
        Ok(())
    })();
    r.into_c()
}

/// Writes a text; does nothing but report when an exception is set already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_WriteString(s: *const c_char, f: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if f.is_null() {
            if !err_occurred() {
                let _ = raise!(PyExc_SystemError, "null file for PyFile_WriteString");
            }
            return -1;
        }
        if err_occurred() {
            return -1;
        }
        match own(PyUnicode_FromString(s)) {
            Ok(v) => PyFile_WriteObject(v.as_ptr(), f, Py_PRINT_RAW),
            Err(_) => -1,
        }
    }
}

/// Calls `flush()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyFile_Flush(f: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { call_method(f, intern!("flush"), &[]).map(|_| ()).into_c() }
}

/// The descriptor of an int or of an object with `fileno()`; -1 with an exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_AsFileDescriptor(o: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    let r: PyResult<c_int> = (|| unsafe {
        let int = |p: *mut PyObject| {
            let n = PyLong_AsLong(p);
            if n == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            match c_int::try_from(n) {
                Ok(n) => Ok(n),
                Err(_) if n > 0 => bail!(PyExc_OverflowError, "Python int too large to convert to C int"),
                Err(_) => bail!(PyExc_OverflowError, "Python int too large to convert to C int"),
            }
        };
        let fd = if PyLong_Check(o) != 0 {
            if PyBool_Check(o) != 0 {
                check_status(PyErr_WarnEx(PyExc_RuntimeWarning, c"bool is used as a file descriptor".as_ptr(), 1))?;
            }
            int(o)?
        } else if let Some(meth) = getattr_opt(o, intern!("fileno"))? {
            let n = call(meth.as_ptr(), &[])?;
            if PyLong_Check(n.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "fileno() returned a non-integer");
            }
            int(n.as_ptr())?
        } else {
            bail!(PyExc_TypeError, "argument must be an int, or have a fileno() method.");
        };
        if fd < 0 {
            bail!(PyExc_ValueError, "file descriptor cannot be a negative integer ({fd})");
        }
        Ok(fd)
    })();
    r.unwrap_or(-1)
}

/// `fgets` with any of the three line ends read as `\n`; NULL at the end. `size` tells the length read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_UniversalNewlineFgetsWithSize(buf: *mut c_char, n: c_int, stream: *mut libc::FILE, _fobj: *mut PyObject, size: *mut usize) -> *mut c_char {
    // SAFETY: [ARGS]
    unsafe {
        let mut p = buf;
        let mut left = n - 1;
        while left > 0 {
            let mut c = libc::fgetc(stream);
            if c == libc::EOF {
                break;
            }
            if c == b'\r' as c_int {
                c = libc::fgetc(stream);
                if c != b'\n' as c_int && c != libc::EOF {
                    libc::ungetc(c, stream);
                }
                c = b'\n' as c_int;
            }
            *p = c as c_char;
            p = p.add(1);
            left -= 1;
            if c == b'\n' as c_int {
                break;
            }
        }
        *p = 0;
        if p == buf {
            return null_mut();
        }
        if !size.is_null() {
            *size = p.offset_from(buf) as usize;
        }
        buf
    }
}

/// As [`_Py_UniversalNewlineFgetsWithSize`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_UniversalNewlineFgets(buf: *mut c_char, n: c_int, stream: *mut libc::FILE, fobj: *mut PyObject) -> *mut c_char {
    // SAFETY: [ARGS]
    unsafe { _Py_UniversalNewlineFgetsWithSize(buf, n, stream, fobj, null_mut()) }
}

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

// ---- the printer used until there is a real standard error

/// A file that only writes to a descriptor.
#[repr(C)]
pub struct PyStdPrinter_Object {
    ob_base: PyObject,
    fd: c_int,
}
type Printer = PyStdPrinter_Object;

/// A printer on a descriptor, which must be 1 or 2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_NewStdPrinter(fd: c_int) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        if fd != 1 && fd != 2 {
            PyErr_BadInternalCall();
            return null_mut();
        }
        let p = PyType_GenericAlloc(&raw mut PyStdPrinter_Type, 0).cast::<Printer>();
        if !p.is_null() {
            (*p).fd = fd;
        }
        p.cast()
    }
}

fn printer_write(slf: Borrowed<'_, Printer>, text: taipan_clinic::Str<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if slf.fd < 0 {
            return Ok(none());
        }
        let b = own(PyUnicode_AsEncodedString(text.ob(), c"utf-8".as_ptr(), c"backslashreplace".as_ptr()))?;
        let data = bytes_of(b.as_ptr());
        let n = crate::fileutils::_Py_write(slf.fd, data.as_ptr().cast(), data.len());
        if n < 0 {
            if crate::ceval_gil::errno() == libc::EAGAIN {
                PyErr_Clear();
                return Ok(none());
            }
            return Err(Raised::assume());
        }
        new_int(n as i64)
    }
}

fn printer_fileno(slf: Borrowed<'_, Printer>) -> PyResult<i32> {
    Ok(slf.fd)
}

fn printer_repr(slf: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    let fd = unsafe { (*slf.cast::<Printer>()).fd };
    new_str(&format!("<stdprinter(fd={fd}) object at {slf:p}>"))
}

unsafe extern "C" fn printer_repr_slot(slf: *mut PyObject) -> *mut PyObject {
    printer_repr(slf).into_c()
}

fn printer_noop(_: Borrowed<'_, Printer>) -> PyResult<()> {
    Ok(())
}

fn printer_isatty(slf: Borrowed<'_, Printer>) -> PyResult<bool> {
    // SAFETY: plain query.
    Ok(slf.fd >= 0 && unsafe { libc::isatty(slf.fd) } != 0)
}

fn printer_encoding(_: Borrowed<'_, Printer>) -> PyResult<Owned> {
    Ok(none())
}

fn printer_none(_: Borrowed<'_, Printer>) -> PyResult<()> {
    Ok(())
}

fn printer_mode(_: Borrowed<'_, Printer>) -> PyResult<Owned> {
    new_str("w")
}

fn printer_closed(_: Borrowed<'_, Printer>) -> PyResult<bool> {
    Ok(false)
}

methods! {
    static PRINTER_METHODS = [
        "close($self, /)" => printer_noop, "";
        "flush($self, /)" => printer_noop, "";
        "fileno($self, /)" => printer_fileno, "";
        "isatty($self, /)" => printer_isatty, "";
        "write($self, text, /)" => printer_write, "";
    ];
}
getset! {
    static PRINTER_GETSET = [
        "encoding" => printer_encoding, "";
        "errors" => printer_none, "";
        "mode" => printer_mode, "";
        "closed" => printer_closed, "";
        "newlines" => printer_none, "";
    ];
}

/// The type of the printer.
#[unsafe(no_mangle)]
pub static mut PyStdPrinter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"stderrprinter".as_ptr(),
    tp_basicsize: size_of::<Printer>() as Py_ssize_t,
    tp_repr: Some(printer_repr_slot),
    tp_flags: Py_TPFLAGS_DEFAULT | (1 << 7),
    tp_methods: (&raw mut PRINTER_METHODS).cast(),
    tp_getset: (&raw mut PRINTER_GETSET).cast(),
    ..TYPE_INIT
};

// ---- io.open_code

type OpenCodeHook = unsafe extern "C" fn(*mut PyObject, *mut c_void) -> *mut PyObject;
static OPEN_CODE: Mutex<Option<(OpenCodeHook, usize)>> = Mutex::new(None);

/// Sets what opens files with code; once, before initialisation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_SetOpenCodeHook(hook: OpenCodeHook, data: *mut c_void) -> c_int {
    let mut slot = OPEN_CODE.lock().unwrap_or_else(|e| e.into_inner());
    if slot.is_some() {
        if !current_tstate().is_null() {
            let _ = raise!(PyExc_SystemError, "failed to change existing open_code hook");
        }
        return -1;
    }
    *slot = Some((hook, data as usize));
    0
}

/// Opens a file with code, for reading bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_OpenCodeObject(path: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        if PyUnicode_Check(path) == 0 {
            bail!(PyExc_TypeError, "'path' must be 'str', not '{}'", type_name(path));
        }
        let hook = *OPEN_CODE.lock().unwrap_or_else(|e| e.into_inner());
        if let Some((hook, data)) = hook {
            return own(hook(path, data as *mut c_void));
        }
        let io = import(c"_io")?;
        let open = getattr(io.as_ptr(), intern!("open"))?;
        let mode = new_str("rb")?;
        call(open.as_ptr(), &[path, mode.as_ptr()])
    })();
    r.into_c()
}

/// As [`PyFile_OpenCodeObject`] with a C name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFile_OpenCode(path: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyUnicode_FromString(path)) {
            Ok(p) => PyFile_OpenCodeObject(p.as_ptr()),
            Err(_) => null_mut(),
        }
    }
}
