//! `BytesIO`: a binary stream in memory.

use crate::iobase::{DICT_GETSET, types};
use crate::support::*;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{BufferView, getset, initializer, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// A binary stream in memory. `buf` is a bytes object, NULL when closed, whose first `size` bytes are the contents; it is
/// shared with others until it is written to. While `exports` views are out, the bytes must not move.
#[repr(C)]
pub struct BytesIo {
    ob_base: PyObject,
    dict: *mut PyObject,
    weakreflist: *mut PyObject,
    buf: *mut PyObject,
    pos: isize,
    size: isize,
    exports: isize,
}
type B<'a> = Borrowed<'a, BytesIo>;

unsafe extern "C" {
    fn _PySys_GetSizeOf(op: *mut PyObject) -> usize;
}

fn check_closed(slf: B<'_>) -> PyResult<()> {
    if slf.buf.is_null() {
        bail!(PyExc_ValueError, "I/O operation on closed file.");
    }
    Ok(())
}

/// The contents, lent until something is written.
fn data<'a>(slf: B<'a>) -> PyResult<&'a [u8]> {
    check_closed(slf)?;
    // SAFETY: [TYPE] owned by the stream; at least size bytes.
    Ok(unsafe { core::slice::from_raw_parts(PyBytes_AS_STRING(slf.buf).cast(), slf.size as usize) })
}
fn check_exports(slf: B<'_>) -> PyResult<()> {
    if slf.exports > 0 {
        bail!(PyExc_BufferError, "Existing exports of data: object cannot be re-sized");
    }
    Ok(())
}
fn set_pos(slf: B<'_>, pos: isize) {
    // SAFETY: [TYPE]
    unsafe { (*slf.as_ptr()).pos = pos }
}

unsafe fn shared(b: *mut BytesIo) -> bool {
    // SAFETY: [TYPE] not closed.
    unsafe { Py_REFCNT((*b).buf) > 1 }
}

/// Gives the stream a bytes object of its own, with room for `room` bytes.
unsafe fn unshare(b: *mut BytesIo, room: isize) -> PyResult<()> {
    // SAFETY: [TYPE] room is at least size.
    unsafe {
        let new = Owned::from_owned_or_err(PyBytes_FromStringAndSize(core::ptr::null(), room))?;
        core::ptr::copy_nonoverlapping(PyBytes_AS_STRING((*b).buf), PyBytes_AS_STRING(new.as_ptr()).cast_mut(), (*b).size as usize);
        setref(&raw mut (*b).buf, new.into_raw());
        Ok(())
    }
}

/// Makes room for `size` bytes, more when it grows little by little, less when it shrinks by half.
unsafe fn resize(b: *mut BytesIo, size: usize) -> PyResult<()> {
    // SAFETY: [TYPE] not closed, no exports.
    unsafe {
        let have = PyBytes_Size((*b).buf) as usize;
        let room = if size < have / 2 {
            size + 1
        } else if size < have {
            return Ok(());
        } else if size as f64 <= have as f64 * 1.125 {
            size + (size >> 3) + if size < 9 { 3 } else { 6 }
        } else {
            size + 1
        };
        if room > isize::MAX as usize {
            bail!(PyExc_OverflowError, "new buffer size too large");
        }
        if shared(b) { unshare(b, room as isize) } else { check_status(_PyBytes_Resize(&raw mut (*b).buf, room as Py_ssize_t)) }
    }
}

/// The next bytes, at most `n` of them (all if negative), and moves past them.
fn take<'a>(slf: B<'a>, n: isize) -> PyResult<&'a [u8]> {
    let d = data(slf)?;
    let from = (slf.pos as usize).min(d.len());
    let room = d.len() - from;
    let n = if n < 0 { room } else { room.min(n as usize) };
    if n > 0 {
        set_pos(slf, (from + n) as isize);
    }
    Ok(&d[from..from + n])
}

/// As [`take`], as an object; the whole contents are not copied.
fn take_object(slf: B<'_>, n: isize) -> PyResult<Owned> {
    let start = slf.pos == 0;
    let part = take(slf, n)?;
    // SAFETY: [TYPE]
    unsafe {
        if start && part.len() > 1 && part.len() == PyBytes_Size(slf.buf) as usize && slf.exports == 0 {
            return Ok(Owned::from_borrowed(slf.buf));
        }
    }
    bytes(part)
}

fn read(slf: B<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    data(slf)?;
    // SAFETY: [ARGS]
    let n = unsafe { size_or_none(size)? };
    take_object(slf, n)
}

fn line_length(slf: B<'_>, limit: isize) -> PyResult<isize> {
    let d = data(slf)?;
    let rest = &d[(slf.pos as usize).min(d.len())..];
    let rest = if limit >= 0 && (limit as usize) < rest.len() { &rest[..limit as usize] } else { rest };
    Ok(rest.iter().position(|&b| b == b'\n').map_or(rest.len(), |i| i + 1) as isize)
}

fn readline(slf: B<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    data(slf)?;
    // SAFETY: [ARGS]
    let limit = unsafe { size_or_none(size)? };
    take_object(slf, line_length(slf, limit)?)
}

fn readlines(slf: B<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    data(slf)?;
    // SAFETY: [ARGS]
    unsafe {
        let hint = size_or_none(size)?;
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        let mut total = 0;
        loop {
            let n = line_length(slf, -1)?;
            if n == 0 {
                return Ok(list);
            }
            let line = take_object(slf, n)?;
            check_status(PyList_Append(list.as_ptr(), line.as_ptr()))?;
            total += n;
            if hint > 0 && total >= hint {
                return Ok(list);
            }
        }
    }
}

fn readinto(slf: B<'_>, buffer: Borrowed<'_>) -> PyResult<isize> {
    data(slf)?;
    // SAFETY: [ARGS] the view keeps the memory, which may be our own: copy allows overlap.
    unsafe {
        let view = crate::fileio::writable_view(buffer)?;
        let chunk = take(slf, view.raw().len)?;
        core::ptr::copy(chunk.as_ptr(), view.raw().buf.cast(), chunk.len());
        Ok(chunk.len() as isize)
    }
}

fn write_bytes(slf: B<'_>, chunk: &[u8]) -> PyResult<isize> {
    if chunk.is_empty() {
        return Ok(0);
    }
    let b = slf.as_ptr();
    // SAFETY: [TYPE] the chunk is not of a buffer that resizing could free: nothing is exported.
    unsafe {
        let pos = (*b).pos as usize;
        let Some(end) = pos.checked_add(chunk.len()).filter(|&e| e <= isize::MAX as usize) else {
            bail!(PyExc_OverflowError, "new buffer size too large");
        };
        if end > PyBytes_Size((*b).buf) as usize {
            resize(b, end)?;
        } else if shared(b) {
            unshare(b, (*b).size.max(end as isize))?;
        }
        let start = PyBytes_AS_STRING((*b).buf).cast_mut().cast::<u8>();
        if pos > (*b).size as usize {
            core::ptr::write_bytes(start.add((*b).size as usize), 0, pos - (*b).size as usize);
        }
        core::ptr::copy_nonoverlapping(chunk.as_ptr(), start.add(pos), chunk.len());
        // The bytes had perhaps been hashed while they were shared.
        taipan_objects::bytesobject::forget_hash((*b).buf);
        (*b).pos = end as isize;
        (*b).size = (*b).size.max(end as isize);
    }
    Ok(chunk.len() as isize)
}

fn write(slf: B<'_>, b: Borrowed<'_>) -> PyResult<isize> {
    data(slf)?;
    check_exports(slf)?;
    // SAFETY: [ARGS]
    let view = unsafe { BufferView::get(b.ob())? };
    check_closed(slf)?;
    check_exports(slf)?;
    write_bytes(slf, view.as_bytes())
}

fn writelines(slf: B<'_>, lines: Borrowed<'_>) -> PyResult<()> {
    data(slf)?;
    // SAFETY: [ARGS]
    unsafe {
        let it = Owned::from_owned_or_err(PyObject_GetIter(lines.ob()))?;
        loop {
            let line = PyIter_Next(it.as_ptr());
            if line.is_null() {
                return if err_occurred() { Err(Raised::assume()) } else { Ok(()) };
            }
            let line = Owned::from_owned(line);
            write(slf, line.borrow())?;
        }
    }
}

fn truncate(slf: B<'_>, size: Option<Borrowed<'_>>) -> PyResult<isize> {
    data(slf)?;
    check_exports(slf)?;
    // SAFETY: [ARGS]
    let n = match size {
        Some(s) if !s.is_none() => unsafe { size_or_none(Some(s))? },
        _ => slf.pos,
    };
    if n < 0 {
        bail!(PyExc_ValueError, "negative size value {}", n);
    }
    check_closed(slf)?;
    if n < slf.size {
        // SAFETY: [TYPE]
        unsafe {
            (*slf.as_ptr()).size = n;
            resize(slf.as_ptr(), n as usize)?;
        }
    }
    Ok(n)
}

fn seek(slf: B<'_>, pos: isize, whence: i32) -> PyResult<isize> {
    let len = data(slf)?.len() as isize;
    let base = match whence {
        0 if pos < 0 => bail!(PyExc_ValueError, "negative seek value {}", pos),
        0 => 0,
        1 => slf.pos,
        2 => len,
        _ => bail!(PyExc_ValueError, "invalid whence ({}, should be 0, 1 or 2)", whence),
    };
    let Some(to) = base.checked_add(pos) else { bail!(PyExc_OverflowError, "new position too large") };
    set_pos(slf, to.max(0));
    Ok(to.max(0))
}
fn tell(slf: B<'_>) -> PyResult<isize> {
    data(slf)?;
    Ok(slf.pos)
}
fn getvalue(slf: B<'_>) -> PyResult<Owned> {
    check_closed(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        let b = slf.as_ptr();
        if (*b).size <= 1 || (*b).exports > 0 {
            return bytes(data(slf)?);
        }
        if (*b).size != PyBytes_Size((*b).buf) {
            if shared(b) { unshare(b, (*b).size)? } else { check_status(_PyBytes_Resize(&raw mut (*b).buf, (*b).size))? }
        }
        Ok(Owned::from_borrowed((*b).buf))
    }
}
fn yes(slf: B<'_>) -> PyResult<bool> {
    data(slf)?;
    Ok(true)
}
fn no(slf: B<'_>) -> PyResult<bool> {
    data(slf)?;
    Ok(false)
}
fn flush(slf: B<'_>) -> PyResult<()> {
    data(slf).map(|_| ())
}
fn close(slf: B<'_>) -> PyResult<()> {
    check_exports(slf)?;
    // SAFETY: [OWN]
    unsafe { setref(&raw mut (*slf.as_ptr()).buf, null_mut()) };
    Ok(())
}
fn closed(slf: B<'_>) -> PyResult<bool> {
    Ok(slf.buf.is_null())
}

fn getstate(slf: B<'_>) -> PyResult<Owned> {
    let value = getvalue(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        let dict = if slf.dict.is_null() { none() } else { Owned::from_owned_or_err(PyDict_Copy(slf.dict))? };
        let pos = int(slf.pos as i64)?;
        let all = [value.as_ptr(), pos.as_ptr(), dict.as_ptr()];
        Owned::from_owned_or_err(_PyTuple_FromArray(all.as_ptr(), 3))
    }
}
fn setstate(slf: B<'_>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_Check(state.ob()) == 0 || PyTuple_GET_SIZE(state.ob()) < 3 {
            bail!(PyExc_TypeError, "{}.__setstate__ argument should be 3-tuple, got {}", type_name(slf.ob()), type_name(state.ob()));
        }
        check_closed(slf)?;
        check_exports(slf)?;
        start_with(slf, Some(Borrowed::from_ptr(PyTuple_GET_ITEM(state.ob(), 0))))?;
        let pos = PyTuple_GET_ITEM(state.ob(), 1);
        if PyLong_Check(pos) == 0 {
            bail!(PyExc_TypeError, "second item of state must be an integer, not {}", type_name(pos));
        }
        let pos = PyLong_AsSsize_t(pos);
        if pos == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if pos < 0 {
            bail!(PyExc_ValueError, "position value cannot be negative");
        }
        set_pos(slf, pos);
        let dict = PyTuple_GET_ITEM(state.ob(), 2);
        if dict != Py_None() {
            if PyDict_Check(dict) == 0 {
                bail!(PyExc_TypeError, "third item of state should be a dict, got a {}", type_name(dict));
            }
            if slf.dict.is_null() {
                (*slf.as_ptr()).dict = Owned::from_borrowed(dict).into_raw();
            } else {
                check_status(PyDict_Update(slf.dict, dict))?;
            }
        }
        Ok(())
    }
}
fn sizeof(slf: B<'_>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe {
        let mut n = (*slf.ob_type()).tp_basicsize as usize;
        if !slf.buf.is_null() && !shared(slf.as_ptr()) {
            let size = _PySys_GetSizeOf(slf.buf);
            if size == usize::MAX {
                return Err(Raised::assume());
            }
            n += size;
        }
        Ok(n as isize)
    }
}

/// Sets the contents, which are shared with a bytes object, and goes to the start.
unsafe fn start_with(slf: B<'_>, initial: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE] no exports.
    unsafe {
        let b = slf.as_ptr();
        (*b).size = 0;
        (*b).pos = 0;
        if let Some(i) = initial
            && !i.is_none()
        {
            if PyBytes_CheckExact(i.ob()) != 0 {
                setref(&raw mut (*b).buf, i.to_owned().into_raw());
                (*b).size = PyBytes_Size(i.ob());
            } else {
                write(slf, i)?;
                set_pos(slf, 0);
            }
        }
        Ok(())
    }
}

fn init(slf: B<'_>, initial: Option<Borrowed<'_>>) -> PyResult<()> {
    check_exports(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        if slf.buf.is_null() {
            (*slf.as_ptr()).buf = bytes(b"")?.into_raw();
        }
        start_with(slf, initial)
    }
}

unsafe extern "C" fn new_(tp: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        let op = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc)(tp, 0);
        if !op.is_null() {
            (*op.cast::<BytesIo>()).buf = PyBytes_FromStringAndSize(core::ptr::null(), 0);
        }
        op
    }
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let b = slf.cast::<BytesIo>();
        if !(*b).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        if (*b).exports > 0 {
            let _ = raise!(PyExc_SystemError, "deallocated BytesIO object has exported buffers");
            PyErr_WriteUnraisable(null_mut());
        }
        Py_XDECREF((*b).buf);
        Py_XDECREF((*b).dict);
        free_instance(slf);
    }
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; type_of(slf), (*slf.cast::<BytesIo>()).dict, (*slf.cast::<BytesIo>()).buf);
    }
    0
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.cast::<BytesIo>()).dict, null_mut()) };
    0
}
unsafe extern "C" fn iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let slf = Borrowed::<BytesIo>::from_ptr(slf.cast());
        match line_length(slf, -1) {
            Ok(0) | Err(_) => null_mut(),
            Ok(n) => take_object(slf, n).into_c(),
        }
    }
}

/// What `getbuffer` hands out: exports the stream's bytes and keeps it alive.
#[repr(C)]
struct BytesIoBuffer {
    ob_base: PyObject,
    source: *mut BytesIo,
}
unsafe extern "C" fn buffer_get(slf: *mut PyObject, view: *mut Py_buffer, flags: c_int) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let b = (*slf.cast::<BytesIoBuffer>()).source;
        if view.is_null() {
            return Err::<(), _>(raise!(PyExc_BufferError, "bytesiobuf_getbuffer: view==NULL argument is obsolete")).into_c();
        }
        if (*b).buf.is_null() {
            return Err::<(), _>(raise!(PyExc_ValueError, "I/O operation on closed file.")).into_c();
        }
        if shared(b) && unshare(b, (*b).size).is_err() {
            return -1;
        }
        let start = PyBytes_AS_STRING((*b).buf).cast_mut().cast::<c_void>();
        taipan_objects::bytesobject::forget_hash((*b).buf);
        let r = PyBuffer_FillInfo(view, slf, start, (*b).size, 0, flags);
        if r == 0 {
            (*b).exports += 1;
        }
        r
    }
}
unsafe extern "C" fn buffer_release(slf: *mut PyObject, _: *mut Py_buffer) {
    // SAFETY: [TYPE]
    unsafe { (*(*slf.cast::<BytesIoBuffer>()).source).exports -= 1 }
}
unsafe extern "C" fn buffer_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        Py_XDECREF((*slf.cast::<BytesIoBuffer>()).source.cast());
        free_instance(slf);
    }
}
unsafe extern "C" fn buffer_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; type_of(slf), (*slf.cast::<BytesIoBuffer>()).source);
    }
    0
}
static mut BUFFER_PROCS: PyBufferProcs = PyBufferProcs { bf_getbuffer: Some(buffer_get), bf_releasebuffer: Some(buffer_release) };
/// `_io._BytesIOBuffer`.
pub static mut BYTESIOBUF: PyTypeObject = PyTypeObject {
    tp_name: c"_io._BytesIOBuffer".as_ptr(),
    tp_basicsize: size_of::<BytesIoBuffer>() as Py_ssize_t,
    tp_dealloc: Some(buffer_dealloc),
    tp_as_buffer: &raw mut BUFFER_PROCS,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_traverse: Some(buffer_traverse),
    ..TYPE_INIT
};

fn getbuffer(slf: B<'_>) -> PyResult<Owned> {
    data(slf)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let b = Owned::from_owned_or_err(PyType_GenericAlloc(types().bytesiobuf, 0))?;
        (*b.as_ptr().cast::<BytesIoBuffer>()).source = slf.to_owned().into_raw();
        Owned::from_owned_or_err(PyMemoryView_FromObject(b.as_ptr()))
    }
}

methods! {
    static METHODS = [
        "readable($self, /)" => yes, "Always true.";
        "writable($self, /)" => yes, "Always true.";
        "seekable($self, /)" => yes, "Always true.";
        "isatty($self, /)" => no, "Always false.";
        "close($self, /)" => close, "Free the memory.";
        "flush($self, /)" => flush, "Does nothing.";
        "tell($self, /)" => tell, "The position.";
        "write($self, b, /)" => write, "Write bytes.";
        "writelines($self, lines, /)" => writelines, "Write each of the lines.";
        "read1($self, size=-1, /)" => read, "At most size bytes.";
        "readinto($self, buffer, /)" => readinto, "Read into a buffer; returns how many bytes.";
        "readline($self, size=-1, /)" => readline, "One line, of at most size bytes.";
        "readlines($self, size=None, /)" => readlines, "All lines, or about size bytes of them.";
        "read($self, size=-1, /)" => read, "At most size bytes.";
        "getbuffer($self, /)" => getbuffer, "A view of the contents, which can be written to.";
        "getvalue($self, /)" => getvalue, "The whole contents.";
        "seek($self, pos, whence=0, /)" => seek, "Change the position.";
        "truncate($self, size=None, /)" => truncate, "Cut the contents.";
        "__getstate__($self, /)" => getstate, "Help pickle.";
        "__setstate__($self, state, /)" => setstate, "Help pickle.";
        "__sizeof__($self, /)" => sizeof, "Size in memory, in bytes.";
    ];
}
getset! { static ATTRS = [ "closed" => closed, "Whether the stream is closed."; ]; }
static mut GETSET: [PyGetSetDef; 3] = [const { PyGetSetDef { name: core::ptr::null::<c_char>(), get: None, set: None, doc: core::ptr::null(), closure: null_mut() } }; 3];

/// `_io.BytesIO`.
pub static mut BYTESIO: PyTypeObject = PyTypeObject {
    tp_name: c"_io.BytesIO".as_ptr(),
    tp_basicsize: size_of::<BytesIo>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"BytesIO(initial_bytes=b'')\n--\n\nA binary stream in memory.".as_ptr(),
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_weaklistoffset: core::mem::offset_of!(BytesIo, weakreflist) as Py_ssize_t,
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(iternext),
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    tp_dictoffset: core::mem::offset_of!(BytesIo, dict) as Py_ssize_t,
    tp_init: Some(initializer!("BytesIO(initial_bytes=<unrepresentable>)" => init)),
    tp_new: Some(new_),
    ..TYPE_INIT
};

/// Completes the tables.
pub fn prepare() {
    // SAFETY: [STATIC] before the type is readied.
    unsafe {
        GETSET[0] = DICT_GETSET;
        GETSET[1] = core::ptr::read(&raw const ATTRS[0]);
    }
}
