//! The `_bz2` module, on a bzip2 written in Rust.

use crate::stream::{self, Decoder, Locked, Output, Step, no_memory, take, without_gil};
use core::ffi::c_int;
use libbz2_rs_sys as bz;
use taipan_abi::*;
use taipan_clinic::module::add_type;
use taipan_clinic::{BufferView, constructor, members, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

const CHUNK: usize = u32::MAX as usize;

/// The exception for a status, if it is an error.
fn check(status: c_int) -> PyResult<()> {
    Err(match status {
        bz::BZ_OK | bz::BZ_RUN_OK | bz::BZ_FLUSH_OK | bz::BZ_FINISH_OK | bz::BZ_STREAM_END => return Ok(()),
        bz::BZ_CONFIG_ERROR => raise!(PyExc_SystemError, "libbzip2 was not compiled correctly"),
        bz::BZ_PARAM_ERROR => raise!(PyExc_ValueError, "Internal error - invalid parameters passed to libbzip2"),
        bz::BZ_MEM_ERROR => no_memory(""),
        bz::BZ_DATA_ERROR | bz::BZ_DATA_ERROR_MAGIC => raise!(PyExc_OSError, "Invalid data stream"),
        bz::BZ_IO_ERROR => raise!(PyExc_OSError, "Unknown I/O error"),
        bz::BZ_UNEXPECTED_EOF => {
            raise!(PyExc_EOFError, "Compressed file ended before the logical end-of-stream was detected")
        }
        bz::BZ_SEQUENCE_ERROR => raise!(PyExc_RuntimeError, "Internal error - Invalid sequence of commands sent to libbzip2"),
        _ => raise!(PyExc_OSError, "Unrecognized error from libbzip2: {}", status),
    })
}

/// A bzip2 stream; it lies still, because its state points back to it.
struct Stream {
    raw: Box<bz::bz_stream>,
    compressing: bool,
    initialised: bool,
    flushed: bool,
}
// SAFETY: all memory of a stream is its own; who uses it holds the lock around it.
unsafe impl Send for Stream {}

impl Stream {
    fn new(level: Option<c_int>) -> PyResult<Self> {
        let mut s = Stream { raw: Box::new(bz::bz_stream::zeroed()), compressing: level.is_some(), initialised: false, flushed: false };
        // SAFETY: [ARGS] a fresh stream.
        check(unsafe {
            match level {
                Some(level) => bz::BZ2_bzCompressInit(&mut *s.raw, level, 0, 0),
                None => bz::BZ2_bzDecompressInit(&mut *s.raw, 0, 0),
            }
        })?;
        s.initialised = true;
        Ok(s)
    }
    /// One call of the library, without the GIL: its status and how much input was used.
    fn run(&mut self, input: &[u8], out: &mut Output, action: c_int) -> PyResult<(c_int, usize)> {
        let (to, room) = out.room()?;
        let given = input.len().min(CHUNK) as u32;
        self.raw.next_in = input.as_ptr().cast();
        self.raw.avail_in = given;
        self.raw.next_out = to.cast();
        self.raw.avail_out = room;
        let (raw, compressing) = (&raw mut *self.raw, self.compressing);
        // SAFETY: [ARGS] input and room outlive the call; what was written is counted.
        unsafe {
            let status = without_gil(|| if compressing { bz::BZ2_bzCompress(raw, action) } else { bz::BZ2_bzDecompress(raw) });
            out.wrote((room - (*raw).avail_out) as usize);
            let used = (given - (*raw).avail_in) as usize;
            (*raw).next_in = core::ptr::null();
            (*raw).avail_in = 0;
            check(status)?;
            Ok((status, used))
        }
    }
}
impl Drop for Stream {
    fn drop(&mut self) {
        if self.initialised {
            // SAFETY: [OWN] initialised.
            unsafe {
                if self.compressing {
                    bz::BZ2_bzCompressEnd(&mut *self.raw);
                } else {
                    bz::BZ2_bzDecompressEnd(&mut *self.raw);
                }
            }
        }
    }
}

// ---- BZ2Compressor ---------------------------------------------------------------------------------------------------

#[repr(C)]
struct Compressor {
    ob_base: PyObject,
    stream: *mut Locked<Stream>,
}

fn compressor_new(tp: Borrowed<'_, PyTypeObject>, compresslevel: i32) -> PyResult<Owned> {
    if !(1..=9).contains(&compresslevel) {
        bail!(PyExc_ValueError, "compresslevel must be between 1 and 9");
    }
    let stream = Stream::new(Some(compresslevel))?;
    // SAFETY: [OWN] a zeroed instance.
    unsafe {
        let new = take(PyType_GenericAlloc(tp.as_ptr(), 0))?.cast::<Compressor>();
        (*new.as_ptr()).stream = Box::into_raw(Box::new(Locked::new(stream)));
        Ok(new.into_object())
    }
}
unsafe extern "C" fn compressor_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let c = slf.cast::<Compressor>();
        if !(*c).stream.is_null() {
            drop(Box::from_raw((*c).stream));
        }
        PyObject_Free(slf.cast());
    }
}
fn compressor_compress(slf: Borrowed<'_, Compressor>, data: BufferView) -> PyResult<Owned> {
    // SAFETY: [TYPE] set by compressor_new.
    let mut s = unsafe { &*slf.stream }.enter();
    if s.flushed {
        bail!(PyExc_ValueError, "Compressor has been flushed");
    }
    let mut out = Output::unlimited();
    let mut rest = data.as_bytes();
    while !rest.is_empty() {
        let (_, used) = s.run(rest, &mut out, bz::BZ_RUN)?;
        rest = &rest[used..];
    }
    out.finish()
}
fn compressor_flush(slf: Borrowed<'_, Compressor>) -> PyResult<Owned> {
    // SAFETY: [TYPE] set by compressor_new.
    let mut s = unsafe { &*slf.stream }.enter();
    if s.flushed {
        bail!(PyExc_ValueError, "Repeated call to flush()");
    }
    s.flushed = true;
    let mut out = Output::unlimited();
    loop {
        let (status, _) = s.run(&[], &mut out, bz::BZ_FINISH)?;
        if status == bz::BZ_STREAM_END {
            return out.finish();
        }
    }
}
methods! {
    static COMPRESSOR_METHODS = [
        "compress($self, data, /)" => compressor_compress, "Compress data; some of it may stay inside until flush().";
        "flush($self, /)" => compressor_flush, "End the stream and return what was left inside.";
    ];
}
static mut COMPRESSOR: PyTypeObject = PyTypeObject {
    tp_name: c"_bz2.BZ2Compressor".as_ptr(),
    tp_basicsize: size_of::<Compressor>() as Py_ssize_t,
    tp_dealloc: Some(compressor_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"BZ2Compressor(compresslevel=9, /)\n--\n\nCompresses data that comes in pieces.".as_ptr(),
    tp_methods: (&raw mut COMPRESSOR_METHODS).cast(),
    tp_new: Some(constructor!("BZ2Compressor(compresslevel=9, /)" => compressor_new)),
    ..TYPE_INIT
};

// ---- BZ2Decompressor -------------------------------------------------------------------------------------------------

impl Decoder for Stream {
    fn step(&mut self, input: &[u8], out: &mut Output) -> PyResult<Step> {
        // The library asks for input by doing nothing.
        if input.is_empty() && out.is_full() {
            return Ok(Step { used: 0, ended: false, stuck: true });
        }
        let (status, used) = self.run(input, out, 0)?;
        Ok(Step { used, ended: status == bz::BZ_STREAM_END, stuck: false })
    }
}

type Decompressor = stream::Decompressor<Stream>;

fn decompressor_new(tp: Borrowed<'_, PyTypeObject>) -> PyResult<Owned> {
    let stream = Stream::new(None)?;
    // SAFETY: [TYPE] the class's own.
    unsafe { Decompressor::make(tp, stream) }
}
unsafe extern "C" fn decompressor_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let d = slf.cast::<Decompressor>();
        if !(*d).inner.is_null() {
            drop(Box::from_raw((*d).inner));
        }
        Py_XDECREF((*d).unused_data);
        PyObject_Free(slf.cast());
    }
}
methods! {
    static DECOMPRESSOR_METHODS = [
        "decompress($self, /, data, max_length=-1)" => stream::decompress::<Stream>, "Decompress data, to at most max_length bytes unless that is negative; what input is left is kept for the next call.";
    ];
}
members! {
    static DECOMPRESSOR_MEMBERS = [
        "eof", Py_T_BOOL, core::mem::offset_of!(Decompressor, eof), Py_READONLY, "Whether the stream's end was reached.";
        "unused_data", Py_T_OBJECT_EX, core::mem::offset_of!(Decompressor, unused_data), Py_READONLY, "What was found after the stream's end.";
        "needs_input", Py_T_BOOL, core::mem::offset_of!(Decompressor, needs_input), Py_READONLY, "Whether more input is needed for more output.";
    ];
}
static mut DECOMPRESSOR: PyTypeObject = PyTypeObject {
    tp_name: c"_bz2.BZ2Decompressor".as_ptr(),
    tp_basicsize: size_of::<Decompressor>() as Py_ssize_t,
    tp_dealloc: Some(decompressor_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"BZ2Decompressor()\n--\n\nDecompresses data that comes in pieces.".as_ptr(),
    tp_methods: (&raw mut DECOMPRESSOR_METHODS).cast(),
    tp_members: (&raw mut DECOMPRESSOR_MEMBERS).cast(),
    tp_new: Some(constructor!("BZ2Decompressor()" => decompressor_new)),
    ..TYPE_INIT
};

methods! { static METHODS = []; }

module! {
    /// Entry point.
    pub fn PyInit__bz2 = "_bz2", "Compression in the format of bzip2.", methods: METHODS, exec: exec;
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC]
    unsafe {
        add_type(module, &raw mut COMPRESSOR)?;
        add_type(module, &raw mut DECOMPRESSOR)
    }
}
