//! The module itself: `open`, `open_code`, `text_encoding`, and the names it exports.

use crate::buffered::{BUFFEREDIOBASE, RANDOM, READER, RWPAIR, WRITER};
use crate::bytesio::{BYTESIO, BYTESIOBUF};
use crate::fileio::FILEIO;
use crate::iobase::{IOBASE, RAWIOBASE, TYPES, UNSUPPORTED, types};
use crate::newline::NEWLINE_DECODER;
use crate::stringio::STRINGIO;
use crate::support::*;
use crate::textio::{TEXTIOBASE, TEXTIOWRAPPER};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{methods, module, module::add_int, module::add_object, module::heap_subtype};

unsafe fn make(tp: *mut PyTypeObject, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyObject_Vectorcall(tp.cast(), args.as_ptr(), args.len(), null_mut())) }
}

/// A mode string, taken apart and checked.
#[derive(Default)]
struct Mode {
    kind: Option<char>,
    plus: bool,
    text: bool,
    binary: bool,
}

fn parse_mode(mode: &str) -> PyResult<Mode> {
    let mut m = Mode::default();
    let mut kinds = 0;
    for (i, c) in mode.char_indices() {
        if mode[..i].contains(c) {
            bail!(PyExc_ValueError, "invalid mode: '{}'", mode);
        }
        match c {
            'x' | 'r' | 'w' | 'a' => {
                kinds += 1;
                m.kind = Some(c);
            }
            '+' => m.plus = true,
            't' => m.text = true,
            'b' => m.binary = true,
            _ => bail!(PyExc_ValueError, "invalid mode: '{}'", mode),
        }
    }
    if m.text && m.binary {
        bail!(PyExc_ValueError, "can't have text and binary mode at once");
    }
    if kinds != 1 {
        bail!(PyExc_ValueError, "must have exactly one of create/read/write/append mode");
    }
    Ok(m)
}

#[allow(clippy::too_many_arguments, reason = "open()'s parameters")]
fn open(
    _: (),
    file: Borrowed<'_>,
    mode: &str,
    buffering: i32,
    encoding: Option<&str>,
    errors: Option<&str>,
    newline: Option<&str>,
    closefd: bool,
    opener: Option<Borrowed<'_>>,
) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let path = if PyLong_Check(file.ob()) != 0 { file.to_owned() } else { Owned::from_owned_or_err(PyOS_FSPath(file.ob()))? };
        let p = path.as_ptr();
        if PyUnicode_Check(p) == 0 && PyBytes_Check(p) == 0 && PyNumber_Check(p) == 0 {
            PyErr_Format(PyExc_TypeError, c"invalid file: %R".as_ptr(), p);
            return Err(Raised::assume());
        }
        let m = parse_mode(mode)?;
        if m.binary {
            if encoding.is_some() {
                bail!(PyExc_ValueError, "binary mode doesn't take an encoding argument");
            }
            if errors.is_some() {
                bail!(PyExc_ValueError, "binary mode doesn't take an errors argument");
            }
            if newline.is_some() {
                bail!(PyExc_ValueError, "binary mode doesn't take a newline argument");
            }
            if buffering == 1
                && PyErr_WarnEx(
                    PyExc_RuntimeWarning,
                    c"line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used".as_ptr(),
                    1,
                ) < 0
            {
                return Err(Raised::assume());
            }
        }
        let kind = m.kind.unwrap_or('r');
        let mut raw_mode = String::from(kind);
        if m.plus {
            raw_mode.push('+');
        }
        let raw_mode = string(&raw_mode)?;
        let none_ = none();
        let raw = make(
            types().fileio,
            &[p, raw_mode.as_ptr(), boolean(closefd).as_ptr(), opener.map_or(none_.as_ptr(), |o| o.ob())],
        )?;
        let mut result = raw.clone();
        let finish = |result: &mut Owned| -> PyResult<()> {
            let isatty = buffering < 0 && truth(call0(raw.as_ptr(), intern!("_isatty_open_only"))?.as_ptr())?;
            let line_buffering = buffering == 1 || isatty;
            let mut size = buffering as i64;
            if buffering < 0 || (buffering == 1 && !m.binary) || buffering == 1 {
                size = offset(attr(raw.as_ptr(), intern!("_blksize"))?.as_ptr())?;
            }
            if buffering < -1 {
                bail!(PyExc_ValueError, "invalid buffering size");
            }
            if buffering == 0 {
                if !m.binary {
                    bail!(PyExc_ValueError, "can't have unbuffered text I/O");
                }
                return Ok(());
            }
            let tp = if m.plus {
                types().random
            } else if kind == 'r' {
                types().reader
            } else {
                types().writer
            };
            let size = int(size)?;
            *result = make(tp, &[raw.as_ptr(), size.as_ptr()])?;
            if m.binary {
                return Ok(());
            }
            let text = |t: Option<&str>| t.map_or_else(|| Ok(none()), string);
            let (e, r, n) = (text(encoding)?, text(errors)?, text(newline)?);
            let wrapper = make(
                types().textiowrapper,
                &[result.as_ptr(), e.as_ptr(), r.as_ptr(), n.as_ptr(), boolean(line_buffering).as_ptr()],
            )?;
            *result = wrapper;
            let mode = string(mode)?;
            check_status(PyObject_SetAttr(result.as_ptr(), intern!("mode"), mode.as_ptr()))
        };
        match finish(&mut result) {
            Ok(()) => Ok(result),
            Err(e) => {
                let exc = PyErr_GetRaisedException();
                match call0(result.as_ptr(), intern!("close")) {
                    Ok(_) => PyErr_SetRaisedException(exc),
                    Err(_) => _PyErr_ChainExceptions1(exc),
                }
                Err(e)
            }
        }
    }
}

fn open_code(_: (), path: taipan_clinic::Str<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyFile_OpenCodeObject(path.ob())) }
}

unsafe extern "C" {
    /// python: `io.open(path, "rb")`, unless an embedder has set a hook.
    fn PyFile_OpenCodeObject(path: *mut PyObject) -> *mut PyObject;
}

fn text_encoding(_: (), encoding: Borrowed<'_>, stacklevel: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if !encoding.is_none() {
            return Ok(encoding.to_owned());
        }
        let flags = PySys_GetObject(c"flags".as_ptr());
        let flag = |name: *mut PyObject| -> PyResult<bool> { if flags.is_null() { Ok(false) } else { truth(attr(flags, name)?.as_ptr()) } };
        if flag(intern!("warn_default_encoding"))?
            && PyErr_WarnEx(PyExc_EncodingWarning, c"'encoding' argument not specified".as_ptr(), stacklevel as Py_ssize_t) < 0
        {
            return Err(Raised::assume());
        }
        string(if flag(intern!("utf8_mode"))? { "utf-8" } else { "locale" })
    }
}

methods! {
    static METHODS = [
        "open($module, /, file, mode='r', buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None)" => open, "Open a file and return a stream.";
        "text_encoding($module, encoding, stacklevel=2, /)" => text_encoding, "The encoding, or the name of the default if it is None.";
        "open_code($module, /, path)" => open_code, "Open a file whose content is to be executed.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    crate::iobase::prepare();
    crate::fileio::prepare();
    crate::bytesio::prepare();
    crate::stringio::prepare();
    crate::buffered::prepare();
    crate::textio::prepare();
    add_int(module, c"DEFAULT_BUFFER_SIZE", 8192)?;
    // SAFETY: [STATIC] bases come before what derives from them.
    unsafe {
        if UNSUPPORTED.get().is_null() {
            let bases = [PyExc_OSError, PyExc_ValueError];
            let bases = Owned::from_owned_or_err(_PyTuple_FromArray(bases.as_ptr(), 2))?;
            let exc = Owned::from_owned_or_err(PyErr_NewException(c"io.UnsupportedOperation".as_ptr(), bases.as_ptr(), null_mut()))?;
            UNSUPPORTED.set(Some(exc));
        }
        add_object(module, c"UnsupportedOperation", Ok(Owned::from_borrowed(UNSUPPORTED.get())))?;
        add_object(module, c"BlockingIOError", Ok(Owned::from_borrowed(PyExc_BlockingIOError)))?;
        let t = &raw mut TYPES;
        if (*t).textiowrapper.is_null() {
            let none = null_mut();
            (*t).iobase = heap_subtype(module, &raw mut IOBASE, none)?;
            (*t).rawiobase = heap_subtype(module, &raw mut RAWIOBASE, (*t).iobase)?;
            (*t).bufferediobase = heap_subtype(module, &raw mut BUFFEREDIOBASE, (*t).iobase)?;
            (*t).textiobase = heap_subtype(module, &raw mut TEXTIOBASE, (*t).iobase)?;
            (*t).fileio = heap_subtype(module, &raw mut FILEIO, (*t).rawiobase)?;
            (*t).bytesio = heap_subtype(module, &raw mut BYTESIO, (*t).bufferediobase)?;
            (*t).bytesiobuf = heap_subtype(module, &raw mut BYTESIOBUF, none)?;
            (*t).stringio = heap_subtype(module, &raw mut STRINGIO, (*t).textiobase)?;
            (*t).reader = heap_subtype(module, &raw mut READER, (*t).bufferediobase)?;
            (*t).writer = heap_subtype(module, &raw mut WRITER, (*t).bufferediobase)?;
            (*t).random = heap_subtype(module, &raw mut RANDOM, (*t).bufferediobase)?;
            (*t).rwpair = heap_subtype(module, &raw mut RWPAIR, (*t).bufferediobase)?;
            (*t).newline_decoder = heap_subtype(module, &raw mut NEWLINE_DECODER, none)?;
            (*t).textiowrapper = heap_subtype(module, &raw mut TEXTIOWRAPPER, (*t).textiobase)?;
        }
        for tp in [
            (*t).iobase, (*t).rawiobase, (*t).bufferediobase, (*t).textiobase, (*t).fileio, (*t).bytesio, (*t).stringio,
            (*t).reader, (*t).writer, (*t).random, (*t).rwpair, (*t).newline_decoder, (*t).textiowrapper, (*t).bytesiobuf,
        ] {
            check_status(PyModule_AddType(module.ob(), tp))?;
        }
    }
    Ok(())
}

module! {
    /// Entry point.
    pub fn PyInit__io = "_io", "Streams: raw, buffered and text.", methods: METHODS, exec: exec;
}
