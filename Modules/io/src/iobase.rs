//! `_IOBase` and `_RawIOBase`: what every stream has, in terms of read, write, seek and close.

use crate::support::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Args, getset, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// Start of every native stream object.
#[repr(C)]
pub struct IoBase {
    /// Header.
    pub ob_base: PyObject,
    /// Instance attributes.
    pub dict: *mut PyObject,
    /// Weak references.
    pub weakreflist: *mut PyObject,
}

/// `io.UnsupportedOperation`; made when the module is.
pub static UNSUPPORTED: PerInterpreter = PerInterpreter::new();

/// The module's types. They are made from the static descriptions in these files when the module is.
pub struct Types {
    /// `_IOBase`.
    pub iobase: *mut PyTypeObject,
    /// `_RawIOBase`.
    pub rawiobase: *mut PyTypeObject,
    /// `_BufferedIOBase`.
    pub bufferediobase: *mut PyTypeObject,
    /// `_TextIOBase`.
    pub textiobase: *mut PyTypeObject,
    /// `FileIO`.
    pub fileio: *mut PyTypeObject,
    /// `BytesIO`.
    pub bytesio: *mut PyTypeObject,
    /// `_BytesIOBuffer`.
    pub bytesiobuf: *mut PyTypeObject,
    /// `StringIO`.
    pub stringio: *mut PyTypeObject,
    /// `BufferedReader`.
    pub reader: *mut PyTypeObject,
    /// `BufferedWriter`.
    pub writer: *mut PyTypeObject,
    /// `BufferedRandom`.
    pub random: *mut PyTypeObject,
    /// `BufferedRWPair`.
    pub rwpair: *mut PyTypeObject,
    /// `IncrementalNewlineDecoder`.
    pub newline_decoder: *mut PyTypeObject,
    /// `TextIOWrapper`.
    pub textiowrapper: *mut PyTypeObject,
}

/// See [`types`].
pub static mut TYPES: Types = Types {
    iobase: null_mut(),
    rawiobase: null_mut(),
    bufferediobase: null_mut(),
    textiobase: null_mut(),
    fileio: null_mut(),
    bytesio: null_mut(),
    bytesiobuf: null_mut(),
    stringio: null_mut(),
    reader: null_mut(),
    writer: null_mut(),
    random: null_mut(),
    rwpair: null_mut(),
    newline_decoder: null_mut(),
    textiowrapper: null_mut(),
};

/// The types; complete once the module has been executed, before which nobody can get here.
#[inline(always)]
pub fn types() -> &'static Types {
    // SAFETY: [STATIC] written when the module is made.
    unsafe { &*(&raw const TYPES) }
}

/// Raises io.UnsupportedOperation.
pub fn unsupported(what: &str) -> Raised {
    // SAFETY: [STATIC] set before any stream exists.
    unsafe { raise_str(UNSUPPORTED.get(), what) }
}

/// `stream.closed`, which may raise.
///
/// # Safety
/// `slf` is live.
pub unsafe fn is_closed(slf: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe { truth(attr(slf, intern!("closed"))?.as_ptr()) }
}

/// ValueError if the stream is closed.
///
/// # Safety
/// `slf` is live.
pub unsafe fn check_closed(slf: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    if unsafe { is_closed(slf)? } {
        bail!(PyExc_ValueError, "I/O operation on closed file.");
    }
    Ok(())
}

macro_rules! ability {
    ($($check:ident $method:literal $message:literal;)*) => { $(
        /// io.UnsupportedOperation unless the stream says that it can.
        ///
        /// # Safety
        /// `slf` is live.
        pub unsafe fn $check(slf: *mut PyObject) -> PyResult<()> {
            // SAFETY: [ARGS]
            unsafe {
                let r = call0(slf, intern!($method))?;
                if r.as_ptr() != Py_True() {
                    return Err(unsupported($message));
                }
                Ok(())
            }
        }
    )* };
}
ability! {
    check_readable "readable" "File or stream is not readable.";
    check_writable "writable" "File or stream is not writable.";
    check_seekable "seekable" "File or stream is not seekable.";
}

fn tell(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call2(slf.ob(), intern!("seek"), int(0)?.as_ptr(), int(1)?.as_ptr()) }
}
fn truncate(_: Borrowed<'_>, _size: Option<Borrowed<'_>>) -> PyResult<()> {
    Err(unsupported("truncate"))
}
fn fileno(_: Borrowed<'_>) -> PyResult<()> {
    Err(unsupported("fileno"))
}

unsafe fn has_closed_flag(slf: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS] the flag that _IOBase.close sets; any value counts.
    unsafe { Ok(optional_attr(slf, intern!("__IOBase_closed"))?.is_some()) }
}

fn flush(slf: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    if unsafe { has_closed_flag(slf.ob())? } {
        bail!(PyExc_ValueError, "I/O operation on closed file.");
    }
    Ok(())
}

fn close(slf: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if has_closed_flag(slf.ob())? {
            return Ok(());
        }
        let flushed = call0(slf.ob(), intern!("flush")).map(|_| ());
        chained(flushed, || check_status(PyObject_SetAttr(slf.ob(), intern!("__IOBase_closed"), Py_True())))
    }
}

fn closed(slf: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe { has_closed_flag(slf.ob()) }
}

fn never(_: Borrowed<'_>) -> PyResult<bool> {
    Ok(false)
}

/// PEP 442 finaliser: closes the stream unless it is closed. Errors go to `sys.unraisablehook`.
pub unsafe extern "C" fn iobase_finalize(slf: *mut PyObject) {
    // SAFETY: [GIL] an exception in progress is kept.
    unsafe {
        let exc = PyErr_GetRaisedException();
        let closed = match is_closed(slf) {
            Ok(c) => c,
            Err(e) => {
                e.clear();
                true
            }
        };
        if !closed {
            // Buffered readers look at this when they flush from here.
            if PyObject_SetAttr(slf, intern!("_finalizing"), Py_True()) < 0 {
                PyErr_Clear();
            }
            if call0(slf, intern!("close")).is_err() {
                PyErr_WriteUnraisable(slf);
            }
        }
        PyErr_SetRaisedException(exc);
    }
}

/// Frees a native stream: finaliser first, then weak references and attributes. Returns false if it was resurrected.
///
/// # Safety
/// `slf` is being deallocated.
pub unsafe fn iobase_dealloc_begin(slf: *mut PyObject) -> bool {
    // SAFETY: [OWN]
    unsafe {
        if PyObject_CallFinalizerFromDealloc(slf) < 0 {
            // A subclass's deallocator expects its type to survive.
            if (*type_of(slf)).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
                Py_INCREF(type_of(slf).cast());
            }
            return false;
        }
        PyObject_GC_UnTrack(slf.cast());
        let s = slf.cast::<IoBase>();
        if !(*s).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        setref(&raw mut (*s).dict, null_mut());
        true
    }
}

unsafe extern "C" fn iobase_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        if iobase_dealloc_begin(slf) {
            free_instance(slf);
        }
    }
}
unsafe extern "C" fn iobase_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; type_of(slf), (*slf.cast::<IoBase>()).dict);
    }
    0
}
unsafe extern "C" fn iobase_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.cast::<IoBase>()).dict, null_mut()) };
    0
}

fn check_closed_method(slf: Borrowed<'_>, _args: Args<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { check_closed(slf.ob()) }
}
fn check_seekable_method(slf: Borrowed<'_>, _args: Args<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { check_seekable(slf.ob()) }
}
fn check_readable_method(slf: Borrowed<'_>, _args: Args<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { check_readable(slf.ob()) }
}
fn check_writable_method(slf: Borrowed<'_>, _args: Args<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { check_writable(slf.ob()) }
}

fn enter(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { check_closed(slf.ob())? };
    Ok(slf.to_owned())
}
fn exit(slf: Borrowed<'_>, _args: Args<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call0(slf.ob(), intern!("close")) }
}
fn isatty(slf: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe { check_closed(slf.ob())? };
    Ok(false)
}

fn readline(slf: Borrowed<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let limit = size_or_none(size)?;
        let peek = optional_attr(slf.ob(), intern!("peek"))?;
        let mut line: Vec<u8> = Vec::new();
        while limit < 0 || (line.len() as isize) < limit {
            let mut ask = 1;
            if let Some(peek) = &peek {
                let one = int(1)?;
                let ahead = match Owned::from_owned_or_err(PyObject_CallOneArg(peek.as_ptr(), one.as_ptr())) {
                    Ok(a) => a,
                    Err(e) => {
                        retry_after_eintr(e)?;
                        continue;
                    }
                };
                if PyBytes_Check(ahead.as_ptr()) == 0 {
                    bail!(PyExc_OSError, "peek() should have returned a bytes object, not '{}'", type_name(ahead.as_ptr()));
                }
                let seen = bytes_slice(ahead.as_ptr());
                if !seen.is_empty() {
                    let room = if limit < 0 { seen.len() } else { seen.len().min(limit as usize - line.len()) };
                    ask = seen[..room].iter().position(|&b| b == b'\n').map_or(room, |i| i + 1);
                }
            }
            let chunk = match call1(slf.ob(), intern!("read"), int(ask as i64)?.as_ptr()) {
                Ok(c) => c,
                Err(e) => {
                    retry_after_eintr(e)?;
                    continue;
                }
            };
            if PyBytes_Check(chunk.as_ptr()) == 0 {
                bail!(PyExc_OSError, "read() should have returned a bytes object, not '{}'", type_name(chunk.as_ptr()));
            }
            let got = bytes_slice(chunk.as_ptr());
            if got.is_empty() {
                break;
            }
            line.extend_from_slice(got);
            if line.last() == Some(&b'\n') {
                break;
            }
        }
        bytes(&line)
    }
}

/// An interrupted system call is tried again (PEP 475); any other exception goes on.
///
/// # Safety
/// [EXC]
pub unsafe fn retry_after_eintr(e: Raised) -> PyResult<bool> {
    // SAFETY: [EXC]
    unsafe {
        if !e.matches(PyExc_OSError) {
            return Err(e);
        }
        let exc = PyErr_GetRaisedException();
        let number = (*exc.cast::<PyOSErrorObject>()).myerrno;
        let interrupted = !number.is_null() && PyLong_Check(number) != 0 && PyLong_AsLong(number) == libc::EINTR as i64;
        if interrupted {
            Py_DECREF(exc);
            return Ok(true);
        }
        PyErr_Clear();
        PyErr_SetRaisedException(exc);
        Err(Raised::assume())
    }
}

unsafe extern "C" fn iobase_iter(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { check_closed(slf).map(|()| Owned::from_borrowed(slf)).into_c() }
}
unsafe extern "C" fn iobase_iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(line) = call0(slf, intern!("readline")) else { return null_mut() };
        let n = PyObject_Size(line.as_ptr());
        if n <= 0 {
            // The end, or the error of a strange object's length.
            return null_mut();
        }
        line.into_raw()
    }
}

fn readlines(slf: Borrowed<'_>, hint: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let hint = size_or_none(hint)?;
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        let it = Owned::from_owned_or_err(PyObject_GetIter(slf.ob()))?;
        let mut total = 0;
        loop {
            let line = PyIter_Next(it.as_ptr());
            if line.is_null() {
                if err_occurred() {
                    return Err(Raised::assume());
                }
                return Ok(list);
            }
            let line = Owned::from_owned(line);
            check_status(PyList_Append(list.as_ptr(), line.as_ptr()))?;
            let n = PyObject_Size(line.as_ptr());
            if n < 0 {
                return Err(Raised::assume());
            }
            total += n;
            if hint > 0 && total >= hint {
                return Ok(list);
            }
        }
    }
}

fn writelines(slf: Borrowed<'_>, lines: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        check_closed(slf.ob())?;
        let it = Owned::from_owned_or_err(PyObject_GetIter(lines.ob()))?;
        loop {
            let line = PyIter_Next(it.as_ptr());
            if line.is_null() {
                return if err_occurred() { Err(Raised::assume()) } else { Ok(()) };
            }
            let line = Owned::from_owned(line);
            loop {
                match call1(slf.ob(), intern!("write"), line.as_ptr()) {
                    Ok(_) => break,
                    Err(e) => {
                        retry_after_eintr(e)?;
                    }
                }
            }
        }
    }
}

methods! {
    static IOBASE_METHODS = [
        "seek($self, offset, whence=0, /)" => seek, "Change the position.";
        "tell($self, /)" => tell, "The position.";
        "truncate($self, size=None, /)" => truncate, "Cut the file.";
        "flush($self, /)" => flush, "Write out what is buffered.";
        "close($self, /)" => close, "Flush and close; harmless when closed already.";
        "seekable($self, /)" => never, "Whether the position can be changed.";
        "readable($self, /)" => never, "Whether it can be read.";
        "writable($self, /)" => never, "Whether it can be written.";
        "_checkClosed($self, /, *args)" => check_closed_method, "ValueError if closed.";
        "_checkSeekable($self, /, *args)" => check_seekable_method, "io.UnsupportedOperation unless seekable.";
        "_checkReadable($self, /, *args)" => check_readable_method, "io.UnsupportedOperation unless readable.";
        "_checkWritable($self, /, *args)" => check_writable_method, "io.UnsupportedOperation unless writable.";
        "fileno($self, /)" => fileno, "The file descriptor.";
        "isatty($self, /)" => isatty, "Whether it is a terminal.";
        "__enter__($self, /)" => enter, "The stream itself.";
        "__exit__($self, /, *args)" => exit, "Close.";
        "readline($self, size=-1, /)" => readline, "One line, of at most size bytes.";
        "readlines($self, hint=-1, /)" => readlines, "All lines, or about hint bytes of them.";
        "writelines($self, lines, /)" => writelines, "Write each of the lines.";
    ];
}
fn seek(_: Borrowed<'_>, _offset: Borrowed<'_>, _whence: Option<Borrowed<'_>>) -> PyResult<()> {
    Err(unsupported("seek"))
}
getset! {
    static IOBASE_ATTRS = [ "closed" => closed, "Whether the stream is closed."; ];
}
/// `__dict__` of the native streams, with `IOBASE_ATTRS`' entry after it.
static mut IOBASE_GETSET: [PyGetSetDef; 3] = [
    DICT_GETSET,
    PyGetSetDef { name: core::ptr::null(), get: None, set: None, doc: core::ptr::null(), closure: null_mut() },
    PyGetSetDef { name: core::ptr::null(), get: None, set: None, doc: core::ptr::null(), closure: null_mut() },
];
/// The `__dict__` attribute.
pub const DICT_GETSET: PyGetSetDef =
    PyGetSetDef { name: c"__dict__".as_ptr(), get: Some(PyObject_GenericGetDict), set: None, doc: core::ptr::null(), closure: null_mut() };

/// `_io._IOBase`.
pub static mut IOBASE: PyTypeObject = PyTypeObject {
    tp_name: c"_io._IOBase".as_ptr(),
    tp_basicsize: size_of::<IoBase>() as Py_ssize_t,
    tp_dealloc: Some(iobase_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"What all streams have in common.".as_ptr(),
    tp_traverse: Some(iobase_traverse),
    tp_clear: Some(iobase_clear),
    tp_weaklistoffset: core::mem::offset_of!(IoBase, weakreflist) as Py_ssize_t,
    tp_iter: Some(iobase_iter),
    tp_iternext: Some(iobase_iternext),
    tp_methods: (&raw mut IOBASE_METHODS).cast(),
    tp_getset: (&raw mut IOBASE_GETSET).cast(),
    tp_dictoffset: core::mem::offset_of!(IoBase, dict) as Py_ssize_t,
    tp_finalize: Some(iobase_finalize),
    ..TYPE_INIT
};

// ---- _RawIOBase ---------------------------------------------------------------------------------------------------------

fn raw_read(slf: Borrowed<'_>, size: isize) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if size < 0 {
            return call0(slf.ob(), intern!("readall"));
        }
        let buffer = Owned::from_owned_or_err(PyByteArray_FromStringAndSize(core::ptr::null(), size))?;
        let r = call1(slf.ob(), intern!("readinto"), buffer.as_ptr())?;
        if r.as_ptr() == Py_None() {
            return Ok(r);
        }
        let n = PyNumber_AsSsize_t(r.as_ptr(), PyExc_ValueError);
        if n == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if n < 0 || n > size {
            bail!(PyExc_ValueError, "readinto returned {} outside buffer size {}", n, size);
        }
        Owned::from_owned_or_err(PyBytes_FromStringAndSize(PyByteArray_AsString(buffer.as_ptr()), n))
    }
}

fn raw_readinto(_: Borrowed<'_>, _buffer: Args<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        PyErr_SetNone(PyExc_NotImplementedError);
        Err(Raised::assume())
    }
}
fn raw_write(_: Borrowed<'_>, _b: Args<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        PyErr_SetNone(PyExc_NotImplementedError);
        Err(Raised::assume())
    }
}

fn raw_readall(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let mut all = Vec::new();
        loop {
            let chunk = match call1(slf.ob(), intern!("read"), int(131072)?.as_ptr()) {
                Ok(c) => c,
                Err(e) => {
                    retry_after_eintr(e)?;
                    continue;
                }
            };
            if chunk.as_ptr() == Py_None() {
                return if all.is_empty() { Ok(chunk) } else { bytes(&all) };
            }
            if PyBytes_Check(chunk.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "read() should return bytes");
            }
            let got = bytes_slice(chunk.as_ptr());
            if got.is_empty() {
                return bytes(&all);
            }
            all.extend_from_slice(got);
        }
    }
}

methods! {
    static RAWIO_METHODS = [
        "readinto($self, /, *args)" => raw_readinto, "Read into a buffer; returns how many bytes.";
        "write($self, /, *args)" => raw_write, "Write bytes; returns how many.";
        "read($self, size=-1, /)" => raw_read, "At most size bytes.";
        "readall($self, /)" => raw_readall, "All that is left.";
    ];
}

/// `_io._RawIOBase`.
pub static mut RAWIOBASE: PyTypeObject = PyTypeObject {
    tp_name: c"_io._RawIOBase".as_ptr(),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"Base of raw binary streams.".as_ptr(),
    tp_methods: (&raw mut RAWIO_METHODS).cast(),
    ..TYPE_INIT
};

/// Completes the tables that are put together of others.
pub fn prepare() {
    // SAFETY: [STATIC] before the types are readied.
    unsafe { IOBASE_GETSET[1] = core::ptr::read(&raw const IOBASE_ATTRS[0]) }
}
