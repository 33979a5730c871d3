//! `BytesIO`: a binary stream in memory.

use crate::buffered::BUFFEREDIOBASE;
use crate::iobase::DICT_GETSET;
use crate::support::*;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{BufferView, getset, initializer, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// A binary stream in memory. `data` is NULL when closed. While `exports` views are out, the bytes must not move.
#[repr(C)]
pub struct BytesIo {
    ob_base: PyObject,
    dict: *mut PyObject,
    weakreflist: *mut PyObject,
    data: *mut Vec<u8>,
    pos: isize,
    exports: isize,
}
type B<'a> = Borrowed<'a, BytesIo>;

#[allow(clippy::mut_from_ref, reason = "[GIL] no reference is kept over a call that can run Python code")]
fn data<'a>(slf: B<'a>) -> PyResult<&'a mut Vec<u8>> {
    if slf.data.is_null() {
        bail!(PyExc_ValueError, "I/O operation on closed file.");
    }
    // SAFETY: [TYPE] owned by the stream.
    Ok(unsafe { &mut *slf.data })
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

fn read(slf: B<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    data(slf)?;
    // SAFETY: [ARGS]
    let n = unsafe { size_or_none(size)? };
    bytes(take(slf, n)?)
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
    bytes(take(slf, line_length(slf, limit)?)?)
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
            let line = bytes(take(slf, n)?)?;
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
    let d = data(slf)?;
    if chunk.is_empty() {
        return Ok(0);
    }
    let pos = slf.pos as usize;
    let Some(end) = pos.checked_add(chunk.len()).filter(|&e| e <= isize::MAX as usize) else {
        bail!(PyExc_OverflowError, "new buffer size too large");
    };
    if end > d.len() {
        if d.try_reserve(end - d.len()).is_err() {
            // SAFETY: [GIL]
            unsafe {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
        }
        d.resize(end, 0);
    }
    d[pos..end].copy_from_slice(chunk);
    set_pos(slf, end as isize);
    Ok(chunk.len() as isize)
}

fn write(slf: B<'_>, b: Borrowed<'_>) -> PyResult<isize> {
    data(slf)?;
    check_exports(slf)?;
    // SAFETY: [ARGS]
    let view = unsafe { BufferView::get(b.ob())? };
    data(slf)?;
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
    data(slf)?.truncate(n as usize);
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
    bytes(data(slf)?)
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
    unsafe {
        let d = core::mem::replace(&mut (*slf.as_ptr()).data, null_mut());
        if !d.is_null() {
            drop(Box::from_raw(d));
        }
    }
    Ok(())
}
fn closed(slf: B<'_>) -> PyResult<bool> {
    Ok(slf.data.is_null())
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
        check_exports(slf)?;
        data(slf)?.clear();
        set_pos(slf, 0);
        write(slf, Borrowed::from_ptr(PyTuple_GET_ITEM(state.ob(), 0)))?;
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
        let mut n = (*slf.ob_type()).tp_basicsize;
        if !slf.data.is_null() {
            n += 33 + (*slf.data).capacity() as isize;
        }
        Ok(n)
    }
}

fn init(slf: B<'_>, initial: Option<Borrowed<'_>>) -> PyResult<()> {
    check_exports(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        if slf.data.is_null() {
            (*slf.as_ptr()).data = Box::into_raw(Box::default());
        }
        (*slf.data).clear();
        set_pos(slf, 0);
        if let Some(i) = initial
            && !i.is_none()
        {
            write(slf, i)?;
            set_pos(slf, 0);
        }
    }
    Ok(())
}

unsafe extern "C" fn new_(tp: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        let op = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc)(tp, 0);
        if !op.is_null() {
            (*op.cast::<BytesIo>()).data = Box::into_raw(Box::default());
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
        if !(*b).data.is_null() {
            drop(Box::from_raw((*b).data));
        }
        Py_XDECREF((*b).dict);
        if let Some(free) = (*type_of(slf)).tp_free {
            free(slf.cast());
        }
    }
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit((*slf.cast::<BytesIo>()).dict, visitor, arg) }
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
            Ok(n) => take(slf, n).and_then(bytes).into_c(),
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
        if (*b).data.is_null() {
            return Err::<(), _>(raise!(PyExc_ValueError, "I/O operation on closed file.")).into_c();
        }
        let d = &mut *(*b).data;
        let r = PyBuffer_FillInfo(view, slf, d.as_mut_ptr().cast::<c_void>(), d.len() as Py_ssize_t, 0, flags);
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
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn buffer_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit((*slf.cast::<BytesIoBuffer>()).source, visitor, arg) }
}
static mut BUFFER_PROCS: PyBufferProcs = PyBufferProcs { bf_getbuffer: Some(buffer_get), bf_releasebuffer: Some(buffer_release) };
/// `_io._BytesIOBuffer`.
pub static mut BYTESIOBUF: PyTypeObject = PyTypeObject {
    tp_name: c"_io._BytesIOBuffer".as_ptr(),
    tp_basicsize: size_of::<BytesIoBuffer>() as Py_ssize_t,
    tp_dealloc: Some(buffer_dealloc),
    tp_as_buffer: &raw mut BUFFER_PROCS,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(buffer_traverse),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

fn getbuffer(slf: B<'_>) -> PyResult<Owned> {
    data(slf)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let b = Owned::from_owned_or_err(PyType_GenericAlloc(&raw mut BYTESIOBUF, 0))?;
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
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"BytesIO(initial_bytes=b'')\n--\n\nA binary stream in memory.".as_ptr(),
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_weaklistoffset: core::mem::offset_of!(BytesIo, weakreflist) as Py_ssize_t,
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(iternext),
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    tp_base: &raw mut BUFFEREDIOBASE,
    tp_dictoffset: core::mem::offset_of!(BytesIo, dict) as Py_ssize_t,
    tp_init: Some(initializer!("BytesIO(initial_bytes=<unrepresentable>)" => init)),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(new_),
    tp_free: Some(PyObject_GC_Del),
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
