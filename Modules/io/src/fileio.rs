//! `FileIO`: a raw stream over a file descriptor.

use crate::iobase::{DICT_GETSET, IoBase, iobase_dealloc_begin, types, unsupported};
use crate::support::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{BufferView, getset, initializer, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// A file descriptor as a raw stream. `fd` is -1 when closed or not opened yet.
#[repr(C)]
pub struct FileIo {
    base: IoBase,
    fd: c_int,
    created: bool,
    readable: bool,
    writable: bool,
    appending: bool,
    /// -1: not known yet.
    seekable: i8,
    closefd: bool,
    pub(crate) finalizing: bool,
    blksize: u32,
    /// Size and mode when opened, to guess how much `readall` will read; -1 unknown.
    size_hint: i64,
}

type F<'a> = Borrowed<'a, FileIo>;

const DEFAULT_BUFFER: usize = 8192;
/// Linux transfers at most this much at once.
const MAX_TRANSFER: usize = 0x7fff_f000;

fn mode_error(what: &str) -> Raised {
    raise!(PyExc_ValueError, "{}", what)
}

unsafe fn close_fd(f: *mut FileIo) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if (*f).fd >= 0 {
            let fd = core::mem::replace(&mut (*f).fd, -1);
            if without_gil(|| libc::close(fd)) < 0 {
                return Err(os_error());
            }
        }
        Ok(())
    }
}

fn init(slf: F<'_>, name: Borrowed<'_>, mode: &str, closefd: bool, opener: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let f = slf.as_ptr();
        if (*f).fd >= 0 {
            if (*f).closefd {
                close_fd(f)?;
            } else {
                (*f).fd = -1;
            }
        }
        let mut fd = -1;
        let mut path = None;
        if PyBool_Check(name.ob()) != 0
            && PyErr_WarnEx(PyExc_RuntimeWarning, c"bool is used as a file descriptor".as_ptr(), 1) < 0
        {
            return Err(Raised::assume());
        }
        // A number that is no int of C is taken for a path, which fails.
        if PyIndex_Check(name.ob()) != 0 {
            fd = PyLong_AsInt(name.ob());
            if fd < 0 {
                if !err_occurred() {
                    bail!(PyExc_ValueError, "negative file descriptor");
                }
                PyErr_Clear();
            }
        }
        if fd < 0 {
            let mut converted: *mut PyObject = null_mut();
            if PyUnicode_FSConverter(name.ob(), (&raw mut converted).cast()) == 0 {
                return Err(Raised::assume());
            }
            path = Some(Owned::from_owned(converted));
        }
        let (mut reading, mut writing, mut flags, mut kinds, mut plus) = (false, false, 0, 0, false);
        (*f).created = false;
        (*f).appending = false;
        for c in mode.bytes() {
            match c {
                b'x' => {
                    kinds += 1;
                    (*f).created = true;
                    writing = true;
                    flags |= libc::O_EXCL | libc::O_CREAT;
                }
                b'r' => {
                    kinds += 1;
                    reading = true;
                }
                b'w' => {
                    kinds += 1;
                    writing = true;
                    flags |= libc::O_CREAT | libc::O_TRUNC;
                }
                b'a' => {
                    kinds += 1;
                    writing = true;
                    (*f).appending = true;
                    flags |= libc::O_APPEND | libc::O_CREAT;
                }
                b'b' => {}
                b'+' if !plus => {
                    plus = true;
                    reading = true;
                    writing = true;
                }
                b'+' => kinds = 9,
                _ => bail!(PyExc_ValueError, "invalid mode: {}", mode),
            }
        }
        if kinds != 1 || plus as usize > mode.bytes().filter(|&c| c == b'+').count() {
            return Err(mode_error("Must have exactly one of create/read/write/append mode and at most one plus"));
        }
        (*f).readable = reading;
        (*f).writable = writing;
        flags |= match (reading, writing) {
            (true, true) => libc::O_RDWR,
            (true, false) => libc::O_RDONLY,
            _ => libc::O_WRONLY,
        } | libc::O_CLOEXEC;
        let audit_mode = string(mode)?;
        let audit_flags = int(flags as i64)?;
        let args = [name.ob(), audit_mode.as_ptr(), audit_flags.as_ptr()];
        let args = Owned::from_owned_or_err(_PyTuple_FromArray(args.as_ptr(), 3))?;
        check_status(PySys_AuditTuple(c"open".as_ptr(), args.as_ptr()))?;
        let mut opened_here = false;
        if fd >= 0 {
            (*f).fd = fd;
            (*f).closefd = closefd;
        } else {
            (*f).closefd = true;
            if !closefd {
                bail!(PyExc_ValueError, "Cannot use closefd=False with file name");
            }
            opened_here = true;
            match opener {
                Some(opener) if !opener.is_none() => {
                    let args = [name.ob(), audit_flags.as_ptr()];
                    let r = Owned::from_owned_or_err(PyObject_Vectorcall(opener.ob(), args.as_ptr(), 2, null_mut()))?;
                    if PyLong_Check(r.as_ptr()) == 0 {
                        bail!(PyExc_TypeError, "expected integer from opener");
                    }
                    let n = PyLong_AsLong(r.as_ptr());
                    if n == -1 && err_occurred() {
                        return Err(Raised::assume());
                    }
                    if n < 0 || n > i32::MAX as i64 {
                        bail!(PyExc_ValueError, "opener returned {}", n);
                    }
                    (*f).fd = n as c_int;
                    set_inheritable_off((*f).fd);
                }
                _ => {
                    let Some(path) = &path else { bail!(PyExc_SystemError, "open() without a path") };
                    let c_path = PyBytes_AsString(path.as_ptr());
                    loop {
                        let fd = without_gil(|| libc::open(c_path, flags, 0o666));
                        if fd >= 0 {
                            (*f).fd = fd;
                            break;
                        }
                        if errno() == libc::EINTR {
                            check_status(PyErr_CheckSignals())?;
                            continue;
                        }
                        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, name.ob());
                        return Err(Raised::assume());
                    }
                }
            }
        }
        (*f).seekable = -1;
        let finish = || -> PyResult<()> {
            let mut st: libc::stat = core::mem::zeroed();
            let fd = (*f).fd;
            (*f).blksize = DEFAULT_BUFFER as u32;
            (*f).size_hint = -1;
            if without_gil(|| libc::fstat(fd, &mut st)) < 0 {
                // Odd file systems can't stat; a bad descriptor is an error.
                if errno() == libc::EBADF {
                    PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, name.ob());
                    return Err(Raised::assume());
                }
            } else {
                if st.st_mode & libc::S_IFMT == libc::S_IFDIR {
                    *libc::__errno_location() = libc::EISDIR;
                    PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, name.ob());
                    return Err(Raised::assume());
                }
                if st.st_blksize > 1 {
                    (*f).blksize = st.st_blksize as u32;
                }
                if st.st_mode & libc::S_IFMT == libc::S_IFREG {
                    (*f).size_hint = st.st_size;
                }
            }
            check_status(PyObject_SetAttr(slf.ob(), intern!("name"), name.ob()))?;
            if (*f).appending {
                // So that tell() is right from the start.
                let end = libc::lseek(fd, 0, libc::SEEK_END);
                if end < 0 && errno() != libc::ESPIPE {
                    return Err(os_error());
                }
            }
            Ok(())
        };
        if let Err(e) = finish() {
            if !opened_here {
                (*f).fd = -1;
            }
            if opened_here {
                let exc = PyErr_GetRaisedException();
                if close_fd(f).is_err() {
                    PyErr_Clear();
                }
                PyErr_SetRaisedException(exc);
            }
            return Err(e);
        }
        Ok(())
    }
}

unsafe extern "C" {
    fn PySys_AuditTuple(event: *const core::ffi::c_char, args: *mut PyObject) -> c_int;
}

fn set_inheritable_off(fd: c_int) {
    // SAFETY: plain system calls.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFD);
        if flags >= 0 {
            libc::fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC);
        }
    }
}

fn closed_error() -> Raised {
    raise!(PyExc_ValueError, "I/O operation on closed file")
}
fn mode_unsupported(action: &str) -> Raised {
    unsupported(&format!("File not open for {action}"))
}

fn open_fd(slf: F<'_>) -> PyResult<c_int> {
    if slf.fd < 0 { Err(closed_error()) } else { Ok(slf.fd) }
}

/// Reads into raw memory; `None` when it would block.
unsafe fn read_raw(fd: c_int, p: *mut u8, n: usize) -> PyResult<Option<usize>> {
    let n = n.min(MAX_TRANSFER);
    loop {
        // SAFETY: [ARGS] n bytes are writable.
        let got = without_gil(|| unsafe { libc::read(fd, p.cast(), n) });
        if got >= 0 {
            return Ok(Some(got as usize));
        }
        match errno() {
            libc::EINTR => {
                // SAFETY: [GIL]
                check_status(unsafe { PyErr_CheckSignals() })?;
            }
            libc::EAGAIN => return Ok(None),
            _ => return Err(os_error()),
        }
    }
}

unsafe fn write_raw(fd: c_int, p: *const u8, n: usize) -> PyResult<Option<usize>> {
    let n = n.min(MAX_TRANSFER);
    loop {
        // SAFETY: [ARGS] n bytes are readable.
        let put = without_gil(|| unsafe { libc::write(fd, p.cast(), n) });
        if put >= 0 {
            return Ok(Some(put as usize));
        }
        match errno() {
            libc::EINTR => {
                // SAFETY: [GIL]
                check_status(unsafe { PyErr_CheckSignals() })?;
            }
            libc::EAGAIN => return Ok(None),
            _ => return Err(os_error()),
        }
    }
}

fn count_or_none(n: Option<usize>) -> PyResult<Owned> {
    match n {
        Some(n) => int(n as i64),
        None => Ok(none()),
    }
}

fn readinto(slf: F<'_>, buffer: Borrowed<'_>) -> PyResult<Owned> {
    let fd = open_fd(slf)?;
    if !slf.readable {
        return Err(mode_unsupported("reading"));
    }
    // SAFETY: [ARGS] the view keeps the memory.
    unsafe {
        let view = writable_view(buffer)?;
        count_or_none(read_raw(fd, view.raw().buf.cast(), view.raw().len as usize)?)
    }
}

/// A writable view with `readinto`'s TypeError.
///
/// # Safety
/// `buffer` is live.
pub unsafe fn writable_view(buffer: Borrowed<'_>) -> PyResult<BufferView> {
    // SAFETY: [ARGS]
    unsafe {
        match BufferView::get_writable(buffer.ob()) {
            Ok(v) => Ok(v),
            Err(e) => {
                e.clear();
                bail!(PyExc_TypeError, "readinto() argument must be read-write bytes-like object, not {}", type_name(buffer.ob()))
            }
        }
    }
}

fn readall(slf: F<'_>) -> PyResult<Owned> {
    let fd = open_fd(slf)?;
    // SAFETY: plain system calls and memory that is ours.
    unsafe {
        let mut size = DEFAULT_BUFFER;
        if slf.size_hint >= 0 {
            let at = libc::lseek(fd, 0, libc::SEEK_CUR);
            if at >= 0 && slf.size_hint >= at {
                // One byte more, so that the end shows without another buffer.
                size = (slf.size_hint - at) as usize + 1;
            }
        }
        let mut all: Vec<u8> = Vec::new();
        loop {
            let want = size.max(all.len() / 8).max(1);
            if all.try_reserve(want).is_err() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
            match read_raw(fd, all.as_mut_ptr().add(all.len()), all.capacity() - all.len())? {
                Some(0) => return bytes(&all),
                Some(n) => {
                    let len = all.len() + n;
                    all.set_len(len);
                    size = if all.len() < all.capacity() { 1 } else { DEFAULT_BUFFER };
                }
                None if all.is_empty() => return Ok(none()),
                None => return bytes(&all),
            }
        }
    }
}

fn read(slf: F<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let fd = open_fd(slf)?;
        if !slf.readable {
            return Err(mode_unsupported("reading"));
        }
        let size = size_or_none(size)?;
        if size < 0 {
            return call0(slf.ob(), intern!("readall"));
        }
        let size = (size as usize).min(MAX_TRANSFER);
        let mut out = Owned::from_owned_or_err(PyBytes_FromStringAndSize(core::ptr::null(), size as Py_ssize_t))?.into_raw();
        match read_raw(fd, PyBytes_AsString(out).cast(), size) {
            Ok(Some(n)) => {
                if n != size {
                    check_status(_PyBytes_Resize(&mut out, n as Py_ssize_t))?;
                }
                Ok(Owned::from_owned(out))
            }
            Ok(None) => {
                Py_DECREF(out);
                Ok(none())
            }
            Err(e) => {
                Py_DECREF(out);
                Err(e)
            }
        }
    }
}

fn write(slf: F<'_>, b: Borrowed<'_>) -> PyResult<Owned> {
    let fd = open_fd(slf)?;
    if !slf.writable {
        return Err(mode_unsupported("writing"));
    }
    // SAFETY: [ARGS] the view keeps the memory.
    unsafe {
        let view = BufferView::get(b.ob())?;
        count_or_none(write_raw(fd, view.raw().buf.cast(), view.raw().len as usize)?)
    }
}

unsafe fn seek_to(slf: F<'_>, pos: i64, whence: c_int) -> PyResult<i64> {
    // SAFETY: [TYPE]
    unsafe {
        let fd = slf.fd;
        let at = without_gil(|| libc::lseek(fd, pos, whence));
        if slf.seekable < 0 {
            (*slf.as_ptr()).seekable = (at >= 0) as i8;
        }
        if at < 0 { Err(os_error()) } else { Ok(at) }
    }
}

fn seek(slf: F<'_>, pos: Borrowed<'_>, whence: i32) -> PyResult<i64> {
    open_fd(slf)?;
    // SAFETY: [ARGS]
    unsafe {
        if PyFloat_Check(pos.ob()) != 0 {
            bail!(PyExc_TypeError, "an integer is required");
        }
        seek_to(slf, offset(pos.ob())?, whence)
    }
}
fn tell(slf: F<'_>) -> PyResult<i64> {
    open_fd(slf)?;
    // SAFETY: [TYPE]
    unsafe { seek_to(slf, 0, libc::SEEK_CUR) }
}

fn truncate(slf: F<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let fd = open_fd(slf)?;
    if !slf.writable {
        return Err(mode_unsupported("writing"));
    }
    // SAFETY: [ARGS]
    unsafe {
        let size = match size {
            Some(s) if !s.is_none() => s.to_owned(),
            _ => int(seek_to(slf, 0, libc::SEEK_CUR)?)?,
        };
        let n = offset(size.as_ptr())?;
        loop {
            if without_gil(|| libc::ftruncate(fd, n)) == 0 {
                return Ok(size);
            }
            if errno() != libc::EINTR {
                return Err(os_error());
            }
            check_status(PyErr_CheckSignals())?;
        }
    }
}

fn close(slf: F<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let f = slf.as_ptr();
        let base_close = || -> PyResult<Owned> {
            let method = attr(types().rawiobase.cast(), intern!("close"))?;
            Owned::from_owned_or_err(PyObject_CallOneArg(method.as_ptr(), slf.ob()))
        };
        if !(*f).closefd {
            let r = base_close();
            (*f).fd = -1;
            return r;
        }
        if (*f).finalizing {
            dealloc_warn(f, slf.ob());
        }
        let r = base_close();
        chained(r, || close_fd(f))
    }
}

/// ResourceWarning about a stream that was never closed.
unsafe fn dealloc_warn(f: *mut FileIo, source: *mut PyObject) {
    // SAFETY: [GIL] an exception in progress is kept.
    unsafe {
        if (*f).fd >= 0 && (*f).closefd {
            let exc = PyErr_GetRaisedException();
            if PyErr_ResourceWarning(source, 1, c"unclosed file %R".as_ptr(), source) != 0 && PyErr_ExceptionMatches(PyExc_Warning) != 0 {
                PyErr_WriteUnraisable(f.cast());
            }
            PyErr_SetRaisedException(exc);
        }
    }
}
fn dealloc_warn_method(slf: F<'_>, source: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { dealloc_warn(slf.as_ptr(), source.ob()) };
    Ok(())
}

fn fileno(slf: F<'_>) -> PyResult<i32> {
    open_fd(slf)
}
fn readable(slf: F<'_>) -> PyResult<bool> {
    open_fd(slf)?;
    Ok(slf.readable)
}
fn writable(slf: F<'_>) -> PyResult<bool> {
    open_fd(slf)?;
    Ok(slf.writable)
}
fn seekable(slf: F<'_>) -> PyResult<bool> {
    open_fd(slf)?;
    if slf.seekable < 0 {
        // SAFETY: [TYPE]
        if let Err(e) = unsafe { seek_to(slf, 0, libc::SEEK_CUR) } {
            e.clear();
        }
    }
    Ok(slf.seekable > 0)
}
fn isatty(slf: F<'_>) -> PyResult<bool> {
    let fd = open_fd(slf)?;
    // SAFETY: a plain system call.
    Ok(without_gil(|| unsafe { libc::isatty(fd) }) != 0)
}
fn isatty_open_only(slf: F<'_>) -> PyResult<bool> {
    if slf.size_hint >= 0 { Ok(false) } else { isatty(slf) }
}
fn getstate(slf: F<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    Err(raise!(PyExc_TypeError, "cannot pickle '{}' instances", type_name(slf.ob())))
}

fn mode_text(slf: F<'_>) -> &'static str {
    match (slf.created, slf.appending, slf.readable, slf.writable) {
        (true, _, true, _) => "xb+",
        (true, ..) => "xb",
        (_, true, true, _) => "ab+",
        (_, true, ..) => "ab",
        (_, _, true, true) => "rb+",
        (_, _, true, false) => "rb",
        _ => "wb",
    }
}

unsafe extern "C" fn repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let f = &*slf.cast::<FileIo>();
        let name = (*type_of(slf)).tp_name;
        if f.fd < 0 {
            return PyUnicode_FromFormat(c"<%.100s [closed]>".as_ptr(), name);
        }
        let text = std::ffi::CString::new(mode_text(Borrowed::from_ptr(slf.cast()))).unwrap_or_default();
        let closefd = if f.closefd { c"True" } else { c"False" };
        match optional_attr(slf, intern!("name")) {
            Err(_) => null_mut(),
            Ok(None) => PyUnicode_FromFormat(c"<%.100s fd=%d mode='%s' closefd=%s>".as_ptr(), name, f.fd, text.as_ptr(), closefd.as_ptr()),
            Ok(Some(file_name)) => {
                let status = Py_ReprEnter(slf);
                if status != 0 {
                    if status > 0 {
                        let _ = raise!(PyExc_RuntimeError, "reentrant call inside {}.__repr__", type_name(slf));
                    }
                    return null_mut();
                }
                let r = PyUnicode_FromFormat(c"<%.100s name=%R mode='%s' closefd=%s>".as_ptr(), name, file_name.as_ptr(), text.as_ptr(), closefd.as_ptr());
                Py_ReprLeave(slf);
                r
            }
        }
    }
}

unsafe extern "C" fn new_(tp: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        let op = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc)(tp, 0);
        if !op.is_null() {
            let f = op.cast::<FileIo>();
            (*f).fd = -1;
            (*f).seekable = -1;
            (*f).closefd = true;
            (*f).size_hint = -1;
        }
        op
    }
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        (*slf.cast::<FileIo>()).finalizing = true;
        if iobase_dealloc_begin(slf) {
            free_instance(slf);
        }
    }
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; type_of(slf), (*slf.cast::<FileIo>()).base.dict);
    }
    0
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.cast::<FileIo>()).base.dict, null_mut()) };
    0
}

methods! {
    static METHODS = [
        "read($self, size=-1, /)" => read, "At most size bytes, in one system call.";
        "readall($self, /)" => readall, "All that is left.";
        "readinto($self, buffer, /)" => readinto, "Read into a buffer; returns how many bytes.";
        "write($self, b, /)" => write, "Write bytes, in one system call; returns how many.";
        "seek($self, pos, whence=0, /)" => seek, "Change the position.";
        "tell($self, /)" => tell, "The position.";
        "truncate($self, size=None, /)" => truncate, "Cut or lengthen the file.";
        "close($self, /)" => close, "Close the file.";
        "seekable($self, /)" => seekable, "Whether the position can be changed.";
        "readable($self, /)" => readable, "Whether it was opened for reading.";
        "writable($self, /)" => writable, "Whether it was opened for writing.";
        "fileno($self, /)" => fileno, "The file descriptor.";
        "isatty($self, /)" => isatty, "Whether it is a terminal.";
        "_isatty_open_only($self, /)" => isatty_open_only, "Whether it is a terminal, as known when it was opened.";
        "_dealloc_warn($self, source, /)" => dealloc_warn_method, "Warn that it was not closed.";
        "__getstate__($self, /)" => getstate, "Files can't be pickled.";
    ];
}
fn closed(slf: F<'_>) -> PyResult<bool> {
    Ok(slf.fd < 0)
}
fn closefd(slf: F<'_>) -> PyResult<bool> {
    Ok(slf.closefd)
}
fn mode(slf: F<'_>) -> PyResult<&'static str> {
    Ok(mode_text(slf))
}
fn blksize(slf: F<'_>) -> PyResult<u32> {
    Ok(slf.blksize)
}
fn set_blksize(slf: F<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if let Some(v) = value {
            (*slf.as_ptr()).blksize = offset(v.ob())? as u32;
        }
    }
    Ok(())
}
fn finalizing(slf: F<'_>) -> PyResult<bool> {
    Ok(slf.finalizing)
}
fn set_finalizing(slf: F<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if let Some(v) = value {
            (*slf.as_ptr()).finalizing = truth(v.ob())?;
        }
    }
    Ok(())
}
getset! {
    static ATTRS = [
        "closed" => closed, "True if the file is closed";
        "closefd" => closefd, "Whether closing closes the descriptor.";
        "mode" => mode, "The mode, as text.";
        "_blksize" => blksize, set_blksize, "Preferred size of transfers.";
        "_finalizing" => finalizing, set_finalizing, "";
    ];
}
static mut GETSET: [PyGetSetDef; 7] = [const { PyGetSetDef { name: core::ptr::null(), get: None, set: None, doc: core::ptr::null(), closure: null_mut() } }; 7];

/// `_io.FileIO`.
pub static mut FILEIO: PyTypeObject = PyTypeObject {
    tp_name: c"_io.FileIO".as_ptr(),
    tp_basicsize: size_of::<FileIo>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_repr: Some(repr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"FileIO(file, mode='r', closefd=True, opener=None)\n--\n\nA raw stream over a file descriptor.".as_ptr(),
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_weaklistoffset: core::mem::offset_of!(FileIo, base) as Py_ssize_t + core::mem::offset_of!(IoBase, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    tp_dictoffset: core::mem::offset_of!(FileIo, base) as Py_ssize_t + core::mem::offset_of!(IoBase, dict) as Py_ssize_t,
    tp_init: Some(initializer!("FileIO(file, mode='r', closefd=True, opener=None)" => init)),
    tp_new: Some(new_),
    ..TYPE_INIT
};

/// Completes the tables.
pub fn prepare() {
    // SAFETY: [STATIC] before the type is readied.
    unsafe {
        GETSET[0] = DICT_GETSET;
        for i in 0..5 {
            GETSET[i + 1] = core::ptr::read((&raw const ATTRS).cast::<PyGetSetDef>().add(i));
        }
    }
}

