//! The `zlib` module, on a zlib written in Rust.

use crate::stream::{self, Decoder, Locked, Output, Step, bytes, no_memory, take, without_gil};
use core::ffi::{c_char, c_int, c_ulong};
use core::ptr::null_mut;
use libz_rs_sys as z;
use taipan_abi::*;
use taipan_clinic::module::{add_int, add_object, add_str};
use taipan_clinic::{BufferView, constructor, members, methods, module};
use taipan_objects::typeobject::TYPE_INIT;
use z::{
    Z_BUF_ERROR, Z_DATA_ERROR, Z_FINISH, Z_MEM_ERROR, Z_NEED_DICT, Z_NO_FLUSH, Z_OK, Z_STREAM_END, Z_STREAM_ERROR, Z_SYNC_FLUSH,
    Z_VERSION_ERROR, z_stream,
};

/// `zlib.error`.
static ERROR: PerInterpreter = PerInterpreter::new();

const MAX_WBITS: c_int = 15;
const DEFLATED: c_int = 8;
const DEF_MEM_LEVEL: c_int = 8;
const DEF_BUF_SIZE: isize = 16 * 1024;
/// The zlib whose interface is implemented.
const ZLIB_VERSION: &str = "1.3.1";
const CHUNK: usize = u32::MAX as usize;

/// A zlib stream; it lies still, because its state points back to it.
struct Stream {
    raw: Box<z_stream>,
    deflating: bool,
    initialised: bool,
}
// SAFETY: all memory of a stream is its own; who uses it holds the lock around it.
unsafe impl Send for Stream {}

impl Stream {
    fn deflate(level: c_int, method: c_int, wbits: c_int, mem_level: c_int, strategy: c_int) -> (Self, c_int) {
        let mut s = Stream { raw: Box::default(), deflating: true, initialised: false };
        // SAFETY: [ARGS] a fresh stream.
        let err = unsafe {
            z::deflateInit2_(&mut *s.raw, level, method, wbits, mem_level, strategy, z::zlibVersion(), size_of::<z_stream>() as c_int)
        };
        s.initialised = err == Z_OK;
        (s, err)
    }
    fn inflate(wbits: c_int) -> (Self, c_int) {
        let mut s = Stream { raw: Box::default(), deflating: false, initialised: false };
        // SAFETY: [ARGS] a fresh stream.
        let err = unsafe { z::inflateInit2_(&mut *s.raw, wbits, z::zlibVersion(), size_of::<z_stream>() as c_int) };
        s.initialised = err == Z_OK;
        (s, err)
    }
    /// One call of deflate or inflate, without the GIL. Returns its status, how much input was used and whether the room
    /// was filled.
    fn run(&mut self, input: &[u8], out: &mut Output, flush: c_int) -> PyResult<(c_int, usize, bool)> {
        let (to, room) = out.room()?;
        if !self.initialised {
            return Ok((Z_STREAM_ERROR, 0, false));
        }
        let given = input.len().min(CHUNK) as u32;
        self.raw.next_in = input.as_ptr();
        self.raw.avail_in = given;
        self.raw.next_out = to;
        self.raw.avail_out = room;
        let (raw, deflating) = (&raw mut *self.raw, self.deflating);
        // SAFETY: [ARGS] input and room outlive the call; what was written is counted.
        unsafe {
            let err = without_gil(|| if deflating { z::deflate(raw, flush) } else { z::inflate(raw, flush) });
            out.wrote((room - (*raw).avail_out) as usize);
            let used = (given - (*raw).avail_in) as usize;
            (*raw).next_in = core::ptr::null();
            (*raw).avail_in = 0;
            Ok((err, used, (*raw).avail_out == 0))
        }
    }
    fn end(&mut self) -> c_int {
        if !core::mem::take(&mut self.initialised) {
            return Z_OK;
        }
        // SAFETY: [OWN] initialised.
        unsafe { if self.deflating { z::deflateEnd(&mut *self.raw) } else { z::inflateEnd(&mut *self.raw) } }
    }
    fn copy(&mut self) -> (Self, c_int) {
        let mut new = Stream { raw: Box::default(), deflating: self.deflating, initialised: false };
        if !self.initialised {
            return (new, Z_STREAM_ERROR);
        }
        // SAFETY: [ARGS] the source is initialised.
        let err = unsafe {
            if self.deflating { z::deflateCopy(&mut *new.raw, &mut *self.raw) } else { z::inflateCopy(&mut *new.raw, &*self.raw) }
        };
        new.initialised = err == Z_OK;
        (new, err)
    }
    /// Gives the decompressor its dictionary.
    fn set_inflate_dictionary(&mut self, zdict: *mut PyObject) -> PyResult<()> {
        // SAFETY: [ARGS] the view keeps the bytes.
        unsafe {
            let view = BufferView::get(zdict)?;
            let data = dictionary_bytes(&view)?;
            let err = z::inflateSetDictionary(&mut *self.raw, data.as_ptr(), data.len() as u32);
            if err != Z_OK { Err(self.error(err, "while setting zdict")) } else { Ok(()) }
        }
    }
    /// zlib.error with the library's words, if it has any.
    #[cold]
    fn error(&self, err: c_int, doing: &str) -> Raised {
        let why = if err == Z_VERSION_ERROR {
            Some("library version mismatch".into())
        } else if !self.raw.msg.is_null() {
            // SAFETY: [ARGS] messages are NUL-terminated constants.
            Some(unsafe { core::ffi::CStr::from_ptr(self.raw.msg) }.to_string_lossy())
        } else {
            match err {
                Z_BUF_ERROR => Some("incomplete or truncated stream".into()),
                Z_STREAM_ERROR => Some("inconsistent stream state".into()),
                Z_DATA_ERROR => Some("invalid input data".into()),
                _ => None,
            }
        };
        // SAFETY: [GIL] the class exists once the module does.
        unsafe {
            match why {
                Some(why) => raise_str(ERROR.get(), &format!("Error {err} {doing}: {why}")),
                None => raise_str(ERROR.get(), &format!("Error {err} {doing}")),
            }
        }
    }
}
impl Drop for Stream {
    fn drop(&mut self) {
        self.end();
    }
}

fn dictionary_bytes(view: &BufferView) -> PyResult<&[u8]> {
    let data = view.as_bytes();
    if data.len() > CHUNK {
        bail!(PyExc_OverflowError, "zdict length does not fit in an unsigned int");
    }
    Ok(data)
}

// ---- at once ---------------------------------------------------------------------------------------------------------

fn compress(_: (), data: BufferView, level: Option<i32>, wbits: Option<i32>) -> PyResult<Owned> {
    let (mut s, err) = Stream::deflate(level.unwrap_or(-1), DEFLATED, wbits.unwrap_or(MAX_WBITS), DEF_MEM_LEVEL, 0);
    match err {
        Z_OK => {}
        Z_MEM_ERROR => return Err(no_memory("Out of memory while compressing data")),
        // SAFETY: [GIL]
        Z_STREAM_ERROR => return Err(unsafe { raise_str(ERROR.get(), "Bad compression level") }),
        _ => return Err(s.error(err, "while compressing data")),
    }
    let mut out = Output::unlimited();
    let mut rest = data.as_bytes();
    loop {
        let last = rest.len() <= CHUNK;
        let (err, used, filled) = s.run(rest, &mut out, if last { Z_FINISH } else { Z_NO_FLUSH })?;
        rest = &rest[used..];
        if err == Z_STREAM_ERROR {
            return Err(s.error(err, "while compressing data"));
        }
        if last && !filled {
            break;
        }
    }
    let err = s.end();
    if err != Z_OK {
        return Err(s.error(err, "while finishing compression"));
    }
    out.finish()
}

fn decompress(_: (), data: BufferView, wbits: Option<i32>, bufsize: Option<isize>) -> PyResult<Owned> {
    let bufsize = bufsize.unwrap_or(DEF_BUF_SIZE);
    if bufsize < 0 {
        bail!(PyExc_ValueError, "bufsize must be non-negative");
    }
    let mut out = Output::starting(bufsize.max(1) as usize)?;
    let (mut s, err) = Stream::inflate(wbits.unwrap_or(MAX_WBITS));
    match err {
        Z_OK => {}
        Z_MEM_ERROR => return Err(no_memory("Out of memory while decompressing data")),
        _ => return Err(s.error(err, "while preparing to decompress data")),
    }
    let mut rest = data.as_bytes();
    loop {
        let last = rest.len() <= CHUNK;
        let (err, used, filled) = s.run(rest, &mut out, if last { Z_FINISH } else { Z_NO_FLUSH })?;
        rest = &rest[used..];
        match err {
            Z_STREAM_END => break,
            Z_OK | Z_BUF_ERROR if filled || !last => {}
            Z_MEM_ERROR => return Err(no_memory("Out of memory while decompressing data")),
            _ => return Err(s.error(err, "while decompressing data")),
        }
    }
    let err = s.end();
    if err != Z_OK {
        return Err(s.error(err, "while finishing decompression"));
    }
    out.finish()
}

// ---- compressobj and decompressobj -----------------------------------------------------------------------------------

/// `zlib.Compress` and `zlib.Decompress`.
#[repr(C)]
struct CompObject {
    ob_base: PyObject,
    stream: *mut Locked<Stream>,
    unused_data: *mut PyObject,
    unconsumed_tail: *mut PyObject,
    zdict: *mut PyObject,
    eof: c_char,
}
type C<'a> = Borrowed<'a, CompObject>;

fn newcompobject(tp: *mut PyTypeObject, stream: Stream) -> PyResult<Owned<CompObject>> {
    // SAFETY: [OWN] a zeroed instance.
    unsafe {
        let new = take(PyType_GenericAlloc(tp, 0))?.cast::<CompObject>();
        let c = new.as_ptr();
        (*c).stream = Box::into_raw(Box::new(Locked::new(stream)));
        (*c).unused_data = bytes(&[])?.into_raw();
        (*c).unconsumed_tail = bytes(&[])?.into_raw();
        Ok(new)
    }
}
fn stream<'a>(slf: C<'a>) -> &'a Locked<Stream> {
    // SAFETY: [TYPE] set by newcompobject, freed with the object.
    unsafe { &*slf.stream }
}
unsafe extern "C" fn comp_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let c = slf.cast::<CompObject>();
        if !(*c).stream.is_null() {
            drop(Box::from_raw((*c).stream));
        }
        Py_XDECREF((*c).unused_data);
        Py_XDECREF((*c).unconsumed_tail);
        Py_XDECREF((*c).zdict);
        PyObject_Free(slf.cast());
    }
}

#[allow(clippy::too_many_arguments, reason = "the signature is CPython's")]
fn compressobj(
    _: (),
    level: Option<i32>,
    method: Option<i32>,
    wbits: Option<i32>,
    mem_level: Option<i32>,
    strategy: Option<i32>,
    zdict: Option<BufferView>,
) -> PyResult<Owned> {
    let dictionary = match &zdict {
        Some(view) => Some(dictionary_bytes(view)?),
        None => None,
    };
    let (mut s, err) = Stream::deflate(
        level.unwrap_or(-1),
        method.unwrap_or(DEFLATED),
        wbits.unwrap_or(MAX_WBITS),
        mem_level.unwrap_or(DEF_MEM_LEVEL),
        strategy.unwrap_or(0),
    );
    match err {
        Z_OK => {}
        Z_MEM_ERROR => return Err(no_memory("Can't allocate memory for compression object")),
        Z_STREAM_ERROR => bail!(PyExc_ValueError, "Invalid initialization option"),
        _ => return Err(s.error(err, "while creating compression object")),
    }
    if let Some(d) = dictionary {
        // SAFETY: [ARGS]
        match unsafe { z::deflateSetDictionary(&mut *s.raw, d.as_ptr(), d.len() as u32) } {
            Z_OK => {}
            Z_STREAM_ERROR => bail!(PyExc_ValueError, "Invalid dictionary"),
            _ => bail!(PyExc_ValueError, "deflateSetDictionary()"),
        }
    }
    Ok(newcompobject(&raw mut COMPRESS, s)?.into_object())
}

fn inflate_stream(wbits: c_int, zdict: Option<*mut PyObject>) -> PyResult<Stream> {
    let (mut s, err) = Stream::inflate(wbits);
    match err {
        Z_OK => {}
        Z_STREAM_ERROR => bail!(PyExc_ValueError, "Invalid initialization option"),
        Z_MEM_ERROR => return Err(no_memory("Can't allocate memory for decompression object")),
        _ => return Err(s.error(err, "while creating decompression object")),
    }
    // A raw stream does not tell which dictionary it needs: it gets it at once.
    if let Some(d) = zdict
        && wbits < 0
    {
        s.set_inflate_dictionary(d)?;
    }
    Ok(s)
}

fn decompressobj(_: (), wbits: Option<i32>, zdict: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if zdict.is_some_and(|d| PyObject_CheckBuffer(d.ob()) == 0) {
            bail!(PyExc_TypeError, "zdict argument must support the buffer protocol");
        }
        let s = inflate_stream(wbits.unwrap_or(MAX_WBITS), zdict.map(|d| d.ob()))?;
        let new = newcompobject(&raw mut DECOMPRESS, s)?;
        if let Some(d) = zdict {
            (*new.as_ptr()).zdict = d.to_owned().into_raw();
        }
        Ok(new.into_object())
    }
}

fn compress_compress(slf: C<'_>, data: BufferView) -> PyResult<Owned> {
    let mut s = stream(slf).enter();
    let mut out = Output::unlimited();
    let mut rest = data.as_bytes();
    loop {
        let (err, used, filled) = s.run(rest, &mut out, Z_NO_FLUSH)?;
        rest = &rest[used..];
        if err == Z_STREAM_ERROR {
            return Err(s.error(err, "while compressing data"));
        }
        if rest.is_empty() && !filled {
            return out.finish();
        }
    }
}

fn compress_flush(slf: C<'_>, mode: Option<i32>) -> PyResult<Owned> {
    let mode = mode.unwrap_or(Z_FINISH);
    if mode == Z_NO_FLUSH {
        return bytes(&[]);
    }
    let mut s = stream(slf).enter();
    let mut out = Output::unlimited();
    let err = loop {
        let (err, _, filled) = s.run(&[], &mut out, mode)?;
        if err == Z_STREAM_ERROR {
            return Err(s.error(err, "while flushing"));
        }
        if !filled {
            break err;
        }
    };
    if err == Z_STREAM_END && mode == Z_FINISH {
        let err = s.end();
        if err != Z_OK {
            return Err(s.error(err, "while finishing compression"));
        }
    } else if err != Z_OK && err != Z_BUF_ERROR {
        return Err(s.error(err, "while flushing"));
    }
    out.finish()
}

fn copy(slf: C<'_>) -> PyResult<Owned> {
    let mut s = stream(slf).enter();
    let (new, err) = s.copy();
    let what = if s.deflating { "compression" } else { "decompression" };
    match err {
        Z_OK => {}
        Z_STREAM_ERROR => bail!(PyExc_ValueError, "Inconsistent stream state"),
        Z_MEM_ERROR => return Err(no_memory(&format!("Can't allocate memory for {what} object"))),
        _ => return Err(s.error(err, &format!("while copying {what} object"))),
    }
    // SAFETY: [OWN] a fresh instance of the same type.
    unsafe {
        let copy = newcompobject(slf.ob_type(), new)?;
        let c = copy.as_ptr();
        setref(&raw mut (*c).unused_data, Owned::from_borrowed(slf.unused_data).into_raw());
        setref(&raw mut (*c).unconsumed_tail, Owned::from_borrowed(slf.unconsumed_tail).into_raw());
        (*c).zdict = Owned::from_borrowed_or_opt(slf.zdict).map_or(null_mut(), Owned::into_raw);
        (*c).eof = slf.eof;
        Ok(copy.into_object())
    }
}
fn deepcopy(slf: C<'_>, _: Borrowed<'_>) -> PyResult<Owned> {
    copy(slf)
}

/// Keeps what of `data` was not used: after the stream's end, or because the output was limited.
unsafe fn save_unconsumed_input(slf: C<'_>, rest: &[u8], ended: bool) -> PyResult<()> {
    // SAFETY: [TYPE] both attributes are bytes objects.
    unsafe {
        let c = slf.as_ptr();
        if ended && !rest.is_empty() {
            let old = core::slice::from_raw_parts(PyBytes_AsString((*c).unused_data).cast::<u8>(), PyBytes_Size((*c).unused_data) as usize);
            let joined = bytes(&[old, rest].concat())?;
            setref(&raw mut (*c).unused_data, joined.into_raw());
        }
        // What follows the end counts as unconsumed as well, when a tail was left before.
        if (!ended && !rest.is_empty()) || PyBytes_Size((*c).unconsumed_tail) != 0 {
            setref(&raw mut (*c).unconsumed_tail, bytes(rest)?.into_raw());
        }
        Ok(())
    }
}

fn decompress_decompress(slf: C<'_>, data: BufferView, max_length: isize) -> PyResult<Owned> {
    if max_length < 0 {
        bail!(PyExc_ValueError, "max_length must be non-negative");
    }
    let mut s = stream(slf).enter();
    let mut out = Output::limited(if max_length == 0 { -1 } else { max_length });
    let mut rest = data.as_bytes();
    let err = loop {
        let (err, used, filled) = s.run(rest, &mut out, Z_SYNC_FLUSH)?;
        rest = &rest[used..];
        match err {
            Z_STREAM_END => break err,
            Z_OK | Z_BUF_ERROR => {}
            Z_NEED_DICT if !slf.zdict.is_null() => {
                s.set_inflate_dictionary(slf.zdict)?;
                continue;
            }
            _ => break err,
        }
        if filled && !out.is_full() {
            continue;
        }
        if filled || rest.is_empty() || used == 0 {
            break err;
        }
    };
    // SAFETY: [TYPE]
    unsafe {
        save_unconsumed_input(slf, rest, err == Z_STREAM_END)?;
        if err == Z_STREAM_END {
            (*slf.as_ptr()).eof = 1;
        } else if err != Z_OK && err != Z_BUF_ERROR {
            return Err(s.error(err, "while decompressing data"));
        }
    }
    out.finish()
}

fn decompress_flush(slf: C<'_>, length: Option<isize>) -> PyResult<Owned> {
    let length = length.unwrap_or(DEF_BUF_SIZE);
    if length <= 0 {
        bail!(PyExc_ValueError, "length must be greater than zero");
    }
    let mut s = stream(slf).enter();
    // SAFETY: [TYPE] the tail is a bytes object, held by the view.
    let view = unsafe { BufferView::get(slf.unconsumed_tail)? };
    let mut out = Output::starting(length as usize)?;
    let mut rest = view.as_bytes();
    let err = loop {
        let last = rest.len() <= CHUNK;
        let (err, used, filled) = s.run(rest, &mut out, if last { Z_FINISH } else { Z_NO_FLUSH })?;
        rest = &rest[used..];
        match err {
            Z_OK | Z_BUF_ERROR if filled || !last => {}
            _ => break err,
        }
    };
    // SAFETY: [TYPE]
    unsafe {
        save_unconsumed_input(slf, rest, err == Z_STREAM_END)?;
        if err == Z_STREAM_END {
            (*slf.as_ptr()).eof = 1;
            let err = s.end();
            if err != Z_OK {
                return Err(s.error(err, "while finishing decompression"));
            }
        }
    }
    out.finish()
}

methods! {
    static COMPRESS_METHODS = [
        "compress($self, data, /)" => compress_compress, "Compress data; some of it may stay inside until the next call or flush().";
        "flush($self, mode=zlib.Z_FINISH, /)" => compress_flush, "What is left inside; with Z_FINISH that ends the stream.";
        "copy($self, /)" => copy, "A copy of the compressor in its present state.";
        "__copy__($self, /)" => copy, "A copy of the compressor in its present state.";
        "__deepcopy__($self, memo, /)" => deepcopy, "A copy of the compressor in its present state.";
    ];
}
methods! {
    static DECOMPRESS_METHODS = [
        "decompress($self, data, /, max_length=0)" => decompress_decompress, "Decompress data, to at most max_length bytes unless that is 0; what input is left is in unconsumed_tail.";
        "flush($self, length=zlib.DEF_BUF_SIZE, /)" => decompress_flush, "What is left.";
        "copy($self, /)" => copy, "A copy of the decompressor in its present state.";
        "__copy__($self, /)" => copy, "A copy of the decompressor in its present state.";
        "__deepcopy__($self, memo, /)" => deepcopy, "A copy of the decompressor in its present state.";
    ];
}
members! {
    static DECOMPRESS_MEMBERS = [
        "unused_data", Py_T_OBJECT_EX, core::mem::offset_of!(CompObject, unused_data), Py_READONLY, "";
        "unconsumed_tail", Py_T_OBJECT_EX, core::mem::offset_of!(CompObject, unconsumed_tail), Py_READONLY, "";
        "eof", Py_T_BOOL, core::mem::offset_of!(CompObject, eof), Py_READONLY, "";
    ];
}
static mut COMPRESS: PyTypeObject = PyTypeObject {
    tp_name: c"zlib.Compress".as_ptr(),
    tp_basicsize: size_of::<CompObject>() as Py_ssize_t,
    tp_dealloc: Some(comp_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_methods: (&raw mut COMPRESS_METHODS).cast(),
    ..TYPE_INIT
};
static mut DECOMPRESS: PyTypeObject = PyTypeObject {
    tp_name: c"zlib.Decompress".as_ptr(),
    tp_basicsize: size_of::<CompObject>() as Py_ssize_t,
    tp_dealloc: Some(comp_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_methods: (&raw mut DECOMPRESS_METHODS).cast(),
    tp_members: (&raw mut DECOMPRESS_MEMBERS).cast(),
    ..TYPE_INIT
};

// ---- _ZlibDecompressor -----------------------------------------------------------------------------------------------

struct Inflater {
    stream: Stream,
    /// The dictionary, owned, or NULL.
    zdict: *mut PyObject,
}
// SAFETY: the dictionary is touched with the GIL held only.
unsafe impl Send for Inflater {}

impl Decoder for Inflater {
    fn step(&mut self, input: &[u8], out: &mut Output) -> PyResult<Step> {
        if out.is_full() {
            return Ok(Step { used: 0, ended: false, stuck: true });
        }
        let (err, used, _) = self.stream.run(input, out, Z_SYNC_FLUSH)?;
        match err {
            Z_STREAM_END => {
                let err = self.stream.end();
                if err != Z_OK {
                    return Err(self.stream.error(err, "while finishing decompression"));
                }
                Ok(Step { used, ended: true, stuck: false })
            }
            Z_OK | Z_BUF_ERROR => Ok(Step { used, ended: false, stuck: err == Z_BUF_ERROR }),
            Z_NEED_DICT if !self.zdict.is_null() => {
                self.stream.set_inflate_dictionary(self.zdict)?;
                let more = self.step(&input[used..], out)?;
                Ok(Step { used: used + more.used, ..more })
            }
            _ => Err(self.stream.error(err, "while decompressing data")),
        }
    }
}

type ZlibDecompressor = stream::Decompressor<Inflater>;

fn decompressor_new(tp: Borrowed<'_, PyTypeObject>, wbits: i32, zdict: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [TYPE] the class's own.
    unsafe {
        let stream = inflate_stream(wbits, zdict.map(|d| d.ob()))?;
        let zdict = zdict.map_or(null_mut(), |d| d.to_owned().into_raw());
        ZlibDecompressor::make(tp, Inflater { stream, zdict })
    }
}
unsafe extern "C" fn decompressor_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let d = slf.cast::<ZlibDecompressor>();
        if !(*d).inner.is_null() {
            let inner = Box::from_raw((*d).inner);
            Py_XDECREF(inner.enter().decoder.zdict);
        }
        Py_XDECREF((*d).unused_data);
        PyObject_Free(slf.cast());
    }
}
methods! {
    static DECOMPRESSOR_METHODS = [
        "decompress($self, /, data, max_length=-1)" => stream::decompress::<Inflater>, "Decompress data, to at most max_length bytes unless that is negative; what input is left is kept for the next call.";
    ];
}
members! {
    static DECOMPRESSOR_MEMBERS = [
        "eof", Py_T_BOOL, core::mem::offset_of!(ZlibDecompressor, eof), Py_READONLY, "Whether the stream's end was reached.";
        "unused_data", Py_T_OBJECT_EX, core::mem::offset_of!(ZlibDecompressor, unused_data), Py_READONLY, "What was found after the stream's end.";
        "needs_input", Py_T_BOOL, core::mem::offset_of!(ZlibDecompressor, needs_input), Py_READONLY, "Whether more input is needed for more output.";
    ];
}
static mut ZLIB_DECOMPRESSOR: PyTypeObject = PyTypeObject {
    tp_name: c"zlib._ZlibDecompressor".as_ptr(),
    tp_basicsize: size_of::<ZlibDecompressor>() as Py_ssize_t,
    tp_dealloc: Some(decompressor_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"_ZlibDecompressor(wbits=15, zdict=b'')\n--\n\nDecompresses data that comes in pieces.".as_ptr(),
    tp_methods: (&raw mut DECOMPRESSOR_METHODS).cast(),
    tp_members: (&raw mut DECOMPRESSOR_MEMBERS).cast(),
    tp_new: Some(constructor!("_ZlibDecompressor(wbits=15, zdict=b'')" => decompressor_new)),
    ..TYPE_INIT
};

// ---- checksums and module --------------------------------------------------------------------------------------------

fn checksum(data: BufferView, value: u32, f: unsafe extern "C" fn(c_ulong, *const u8, usize) -> c_ulong) -> PyResult<u32> {
    let data = data.as_bytes();
    // SAFETY: [ARGS]
    let run = || unsafe { f(value as c_ulong, data.as_ptr(), data.len()) as u32 };
    // Releasing the lock costs more than a short sum.
    Ok(if data.len() > 5 * 1024 { without_gil(run) } else { run() })
}
fn adler32(_: (), data: BufferView, value: u32) -> PyResult<u32> {
    checksum(data, value, z::adler32_z)
}
fn crc32(_: (), data: BufferView, value: u32) -> PyResult<u32> {
    checksum(data, value, z::crc32_z)
}

methods! {
    static METHODS = [
        "adler32($module, data, value=1, /)" => adler32, "Adler-32 checksum, going on from value.";
        "compress($module, data, /, level=Z_DEFAULT_COMPRESSION, wbits=MAX_WBITS)" => compress, "Compress bytes.";
        "compressobj($module, /, level=Z_DEFAULT_COMPRESSION, method=DEFLATED, wbits=MAX_WBITS, memLevel=DEF_MEM_LEVEL, strategy=Z_DEFAULT_STRATEGY, zdict=None)" => compressobj, "A compressor for data that comes in pieces.";
        "crc32($module, data, value=0, /)" => crc32, "CRC-32 checksum, going on from value.";
        "decompress($module, data, /, wbits=MAX_WBITS, bufsize=DEF_BUF_SIZE)" => decompress, "Decompress bytes.";
        "decompressobj($module, /, wbits=MAX_WBITS, zdict=b'')" => decompressobj, "A decompressor for data that comes in pieces.";
    ];
}

module! {
    /// Entry point.
    pub fn PyInit_zlib = "zlib", "Compression compatible with gzip.

wbits is the logarithm of the window size and says what is around the data: 9 to 15 a zlib header and trailer, -9 to -15
nothing, 25 to 31 those of gzip.", methods: METHODS, exec: exec;
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        check_status(PyType_Ready(&raw mut COMPRESS))?;
        check_status(PyType_Ready(&raw mut DECOMPRESS))?;
        check_status(PyType_Ready(&raw mut ZLIB_DECOMPRESSOR))?;
        let error = take(PyErr_NewException(c"zlib.error".as_ptr(), null_mut(), null_mut()))?;
        ERROR.set(Some(error.clone()));
        add_object(module, c"error", Ok(error))?;
        add_object(module, c"_ZlibDecompressor", Ok(Owned::from_borrowed((&raw mut ZLIB_DECOMPRESSOR).cast())))?;
    }
    for (name, value) in [
        (c"MAX_WBITS", MAX_WBITS),
        (c"DEFLATED", DEFLATED),
        (c"DEF_MEM_LEVEL", DEF_MEM_LEVEL),
        (c"DEF_BUF_SIZE", DEF_BUF_SIZE as c_int),
        (c"Z_NO_COMPRESSION", z::Z_NO_COMPRESSION),
        (c"Z_BEST_SPEED", z::Z_BEST_SPEED),
        (c"Z_BEST_COMPRESSION", z::Z_BEST_COMPRESSION),
        (c"Z_DEFAULT_COMPRESSION", z::Z_DEFAULT_COMPRESSION),
        (c"Z_FILTERED", z::Z_FILTERED),
        (c"Z_HUFFMAN_ONLY", z::Z_HUFFMAN_ONLY),
        (c"Z_RLE", z::Z_RLE),
        (c"Z_FIXED", z::Z_FIXED),
        (c"Z_DEFAULT_STRATEGY", z::Z_DEFAULT_STRATEGY),
        (c"Z_NO_FLUSH", Z_NO_FLUSH),
        (c"Z_PARTIAL_FLUSH", z::Z_PARTIAL_FLUSH),
        (c"Z_SYNC_FLUSH", Z_SYNC_FLUSH),
        (c"Z_FULL_FLUSH", z::Z_FULL_FLUSH),
        (c"Z_FINISH", Z_FINISH),
        (c"Z_BLOCK", z::Z_BLOCK),
        (c"Z_TREES", z::Z_TREES),
    ] {
        add_int(module, name, value as i64)?;
    }
    add_str(module, c"ZLIB_VERSION", ZLIB_VERSION)?;
    // SAFETY: [ARGS] a NUL-terminated constant.
    let running = unsafe { core::ffi::CStr::from_ptr(z::zlibVersion()) }.to_string_lossy();
    add_str(module, c"ZLIB_RUNTIME_VERSION", &running)?;
    add_str(module, c"__version__", "1.0")
}
