//! The stream reader and writer.

use crate::incremental::{DecoderState, EncoderState, no_init, ready, size_argument, size_object};
use crate::multibytecodec::free_instance;
use crate::run::{Decoding, Errors, drop_ref, encode, errors_from, text};
use core::ffi::{CStr, c_int, c_void};
use taipan_abi::*;
use taipan_clinic::support::new;
use taipan_clinic::{constructor, getset, members, methods};
use taipan_objects::typeobject::TYPE_INIT;

// ---- reader ---------------------------------------------------------------------------------------------------------------------

#[repr(C)]
struct Reader {
    ob_base: PyObject,
    stream: *mut PyObject,
    s: DecoderState,
}
type R<'a> = Borrowed<'a, Reader>;

fn reader_new(tp: Borrowed<'_, PyTypeObject>, stream: Borrowed<'_>, errors: &str) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let s = DecoderState::new(tp, errors)?;
        let r = new::<Reader>(tp.as_ptr())?;
        (&raw mut (*r.as_ptr()).s).write(s);
        (*r.as_ptr()).stream = stream.to_owned().into_raw();
        Ok(r.into_object())
    }
}

/// Reads by a method of the stream, until there is at least one character or the end.
unsafe fn read_by(slf: R<'_>, method: &CStr, mut size: isize) -> PyResult<Owned> {
    // SAFETY: [TYPE] the state is copied out while other code may run.
    unsafe {
        let s = &raw mut (*slf.as_ptr()).s;
        let codec = ready((*s).codec)?;
        let mut d = Decoding::new(codec, (*s).errors);
        if size == 0 {
            return text(&[]);
        }
        loop {
            let f = Owned::from_owned_or_err(PyObject_GetAttrString(slf.stream, method.as_ptr()))?;
            let chunk = if size < 0 {
                Owned::from_owned_or_err(PyObject_CallNoArgs(f.as_ptr()))?
            } else {
                Owned::from_owned_or_err(PyObject_CallOneArg(f.as_ptr(), size_object(size)?.as_ptr()))?
            };
            let c = chunk.as_ptr();
            if PyBytes_Check(c) == 0 {
                bail!(PyExc_TypeError, "stream function returned a non-bytes object ({:.100})", type_name(c));
            }
            let read = core::slice::from_raw_parts(PyBytes_AsString(c).cast::<u8>(), PyBytes_Size(c) as usize);
            let end = read.is_empty();
            let data = DecoderState::take_pending(s, read);
            let mut state = (*s).state;
            let fed = d.feed(&mut state, &data, false);
            (*s).state = state;
            let mut at = fed?;
            if (end || size < 0) && at < data.len() {
                d.end(&data, &mut at)?;
            }
            DecoderState::keep(s, &data, at)?;
            if size < 0 || !d.out.is_empty() || data.is_empty() {
                return text(&d.out);
            }
            // A byte more may complete a character.
            size = 1;
        }
    }
}
fn reader_read(slf: R<'_>, size: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { read_by(slf, c"read", size_argument(size)?) }
}
fn reader_readline(slf: R<'_>, size: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { read_by(slf, c"readline", size_argument(size)?) }
}
fn reader_readlines(slf: R<'_>, size: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let all = read_by(slf, c"read", size_argument(size)?)?;
        Owned::from_owned_or_err(PyUnicode_Splitlines(all.as_ptr(), 1))
    }
}
fn reader_reset(slf: R<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { DecoderState::reset(&raw mut (*slf.as_ptr()).s) }
}
fn reader_errors(slf: R<'_>) -> PyResult<Owned> {
    slf.s.errors.name()
}
fn reader_set_errors(slf: R<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let new = errors_from(value)?;
        core::mem::replace(&mut (*slf.as_ptr()).s.errors, new).release();
        Ok(())
    }
}
unsafe extern "C" fn reader_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; type_of(slf), (*slf.cast::<Reader>()).stream);
    }
    0
}
unsafe extern "C" fn reader_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let r = slf.cast::<Reader>();
        core::mem::replace(&mut (*r).s.errors, Errors::Strict).release();
        drop_ref(&raw mut (*r).stream);
        free_instance(slf);
    }
}
methods! {
    static READER_METHODS = [
        "read($self, sizeobj=None, /)" => reader_read, "Text of about that many bytes, or all.";
        "readline($self, sizeobj=None, /)" => reader_readline, "A line.";
        "readlines($self, sizehintobj=None, /)" => reader_readlines, "All lines.";
        "reset($self, /)" => reader_reset, "Forget what was read ahead.";
    ];
}
members! { static READER_MEMBERS = [ "stream", _Py_T_OBJECT, core::mem::offset_of!(Reader, stream), Py_READONLY, ""; ]; }
getset! { static READER_GETSET = [ "errors" => reader_errors, reader_set_errors, "how to treat errors"; ]; }
/// `_multibytecodec.MultibyteStreamReader`.
pub static mut READER: PyTypeObject = PyTypeObject {
    tp_name: c"_multibytecodec.MultibyteStreamReader".as_ptr(),
    tp_basicsize: size_of::<Reader>() as Py_ssize_t,
    tp_dealloc: Some(reader_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    tp_traverse: Some(reader_traverse),
    tp_methods: (&raw mut READER_METHODS).cast(),
    tp_members: (&raw mut READER_MEMBERS).cast(),
    tp_getset: (&raw mut READER_GETSET).cast(),
    tp_init: Some(no_init),
    tp_new: Some(constructor!("StreamReader(stream, errors='strict')" => reader_new)),
    ..TYPE_INIT
};

// ---- writer ---------------------------------------------------------------------------------------------------------------------

#[repr(C)]
struct Writer {
    ob_base: PyObject,
    stream: *mut PyObject,
    s: EncoderState,
}
type W<'a> = Borrowed<'a, Writer>;

fn writer_new(tp: Borrowed<'_, PyTypeObject>, stream: Borrowed<'_>, errors: &str) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let s = EncoderState::new(tp, errors)?;
        let w = new::<Writer>(tp.as_ptr())?;
        (&raw mut (*w.as_ptr()).s).write(s);
        (*w.as_ptr()).stream = stream.to_owned().into_raw();
        Ok(w.into_object())
    }
}
unsafe fn put(slf: W<'_>, data: &Owned) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let args = [slf.stream, data.as_ptr()];
        Owned::from_owned_or_err(PyObject_VectorcallMethod(intern!("write"), args.as_ptr(), 2, core::ptr::null_mut()))?;
        Ok(())
    }
}
fn writer_write(slf: W<'_>, text: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let data = EncoderState::encode(&raw mut (*slf.as_ptr()).s, text, false)?;
        put(slf, &data)
    }
}
fn writer_writelines(slf: W<'_>, lines: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if PySequence_Check(lines.ob()) == 0 {
            bail!(PyExc_TypeError, "arg must be a sequence object");
        }
        let mut i = 0;
        loop {
            // The sequence may change meanwhile.
            let n = PySequence_Size(lines.ob());
            if n < 0 {
                return Err(Raised::assume());
            }
            if i >= n {
                return Ok(());
            }
            let line = Owned::from_owned_or_err(PySequence_GetItem(lines.ob(), i))?;
            writer_write(slf, line.borrow())?;
            i += 1;
        }
    }
}
fn writer_reset(slf: W<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let s = &raw mut (*slf.as_ptr()).s;
        let Some(waiting) = Owned::from_owned_or_opt(core::mem::replace(&mut (*s).pending, core::ptr::null_mut())) else { return Ok(()) };
        let mut state = (*s).state;
        let made = encode(ready((*s).codec)?, &mut state, waiting.as_ptr(), (*s).errors, true, true);
        (*s).state = state;
        let (data, _) = made?;
        if PyBytes_Size(data.as_ptr()) > 0 { put(slf, &data) } else { Ok(()) }
    }
}
fn writer_errors(slf: W<'_>) -> PyResult<Owned> {
    slf.s.errors.name()
}
fn writer_set_errors(slf: W<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let new = errors_from(value)?;
        core::mem::replace(&mut (*slf.as_ptr()).s.errors, new).release();
        Ok(())
    }
}
unsafe extern "C" fn writer_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; type_of(slf), (*slf.cast::<Writer>()).stream);
    }
    0
}
unsafe extern "C" fn writer_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let w = slf.cast::<Writer>();
        EncoderState::release(&raw mut (*w).s);
        drop_ref(&raw mut (*w).stream);
        free_instance(slf);
    }
}
methods! {
    static WRITER_METHODS = [
        "write($self, strobj, /)" => writer_write, "Write text.";
        "writelines($self, lines, /)" => writer_writelines, "Write each of the lines.";
        "reset($self, /)" => writer_reset, "Write what waits, and go back to the start.";
    ];
}
members! { static WRITER_MEMBERS = [ "stream", _Py_T_OBJECT, core::mem::offset_of!(Writer, stream), Py_READONLY, ""; ]; }
getset! { static WRITER_GETSET = [ "errors" => writer_errors, writer_set_errors, "how to treat errors"; ]; }
/// `_multibytecodec.MultibyteStreamWriter`.
pub static mut WRITER: PyTypeObject = PyTypeObject {
    tp_name: c"_multibytecodec.MultibyteStreamWriter".as_ptr(),
    tp_basicsize: size_of::<Writer>() as Py_ssize_t,
    tp_dealloc: Some(writer_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    tp_traverse: Some(writer_traverse),
    tp_methods: (&raw mut WRITER_METHODS).cast(),
    tp_members: (&raw mut WRITER_MEMBERS).cast(),
    tp_getset: (&raw mut WRITER_GETSET).cast(),
    tp_init: Some(no_init),
    tp_new: Some(constructor!("StreamWriter(stream, errors='strict')" => writer_new)),
    ..TYPE_INIT
};
