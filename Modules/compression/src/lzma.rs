//! The `_lzma` module, on liblzma, which is built with the executable.

use crate::stream::{Buffered, Decoder, Locked, Output, Step, bytes, no_memory, take, without_gil};
use core::ffi::{c_char, c_int, c_void};
use core::ptr::{null, null_mut};
use liblzma_sys as lz;
use taipan_abi::*;
use taipan_clinic::from_arg::Where;
use taipan_clinic::module::{add_int, heap_type};
use taipan_clinic::{BufferView, FromArg, constructor, members, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

/// Container formats.
const FORMAT_AUTO: c_int = 0;
const FORMAT_XZ: c_int = 1;
const FORMAT_ALONE: c_int = 2;
const FORMAT_RAW: c_int = 3;
/// The largest number of a check that the format permits; the next stands for "not known yet".
const CHECK_ID_MAX: c_int = 15;
const CHECK_UNKNOWN: c_int = CHECK_ID_MAX + 1;
/// The longest chain of filters.
const FILTERS_MAX: usize = 4;

/// `LZMAError`.
static ERROR: PerInterpreter = PerInterpreter::new();

#[cold]
fn error(message: &str) -> Raised {
    // SAFETY: [GIL] made with the module.
    unsafe { taipan_abi::error::raise_str(ERROR.get(), message) }
}

/// The exception for a status, if it is an error.
fn check(status: lz::lzma_ret) -> PyResult<()> {
    Err(error(match status {
        lz::LZMA_OK | lz::LZMA_GET_CHECK | lz::LZMA_NO_CHECK | lz::LZMA_STREAM_END => return Ok(()),
        lz::LZMA_MEM_ERROR => return Err(no_memory("")),
        lz::LZMA_UNSUPPORTED_CHECK => "Unsupported integrity check",
        lz::LZMA_MEMLIMIT_ERROR => "Memory usage limit exceeded",
        lz::LZMA_FORMAT_ERROR => "Input format not supported by decoder",
        lz::LZMA_OPTIONS_ERROR => "Invalid or unsupported options",
        lz::LZMA_DATA_ERROR => "Corrupt input data",
        lz::LZMA_BUF_ERROR => "Insufficient buffer space",
        lz::LZMA_PROG_ERROR => "Internal error",
        other => return Err(error(&format!("Unrecognized error from liblzma: {other}"))),
    }))
}

// ---- memory

unsafe extern "C" fn raw_malloc(_: *mut c_void, items: usize, size: usize) -> *mut c_void {
    match items.checked_mul(size) {
        // SAFETY: plain call; the GIL isn't needed for this allocator.
        Some(n) if n <= isize::MAX as usize => unsafe { PyMem_RawMalloc(n) },
        _ => null_mut(),
    }
}
unsafe extern "C" fn raw_free(_: *mut c_void, p: *mut c_void) {
    // SAFETY: [OWN]
    unsafe { PyMem_RawFree(p) };
}
static mut ALLOCATOR: lz::lzma_allocator = lz::lzma_allocator { alloc: Some(raw_malloc), free: Some(raw_free), opaque: null_mut() };

// ---- filters

/// An unsigned number of 32 bits; OverflowError for another.
fn uint32(op: *mut PyObject) -> PyResult<u32> {
    u32::try_from(ulonglong(op)?).map_err(|_| raise!(PyExc_OverflowError, "Value too large for uint32_t type"))
}
fn ulonglong(op: *mut PyObject) -> PyResult<u64> {
    // SAFETY: [ARGS] live.
    unsafe {
        let n = PyLong_AsUnsignedLongLong(op);
        if n == u64::MAX && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
    }
}
/// A number of 64 bits as argument.
struct Vli(u64);
impl FromArg<'_> for Vli {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        ulonglong(arg).map(Vli)
    }
}

/// An entry of a mapping, if it is there.
fn entry(spec: Borrowed<'_>, key: &core::ffi::CStr) -> PyResult<Option<Owned>> {
    let mut value = null_mut();
    // SAFETY: [ARGS] [OWN] a new reference, or NULL.
    unsafe {
        check_status(PyMapping_GetOptionalItemString(spec.ob(), key.as_ptr(), &mut value))?;
        Ok(Owned::from_owned_or_opt(value))
    }
}

/// What a filter's entries may be, beside `id`, and where each goes.
fn options<'o>(spec: Borrowed<'_>, kind: &str, mut slots: Vec<(&str, Option<&'o mut u32>)>) -> PyResult<()> {
    let parsed = (|| -> PyResult<bool> {
        // SAFETY: [TYPE] checked; the dict lends keys and values, and converting an int runs no code of the dict's owner
        // before they are used.
        unsafe {
            if PyDict_Check(spec.ob()) == 0 {
                return Ok(false);
            }
            let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
            while PyDict_Next(spec.ob(), &mut pos, &mut key, &mut value) != 0 {
                let (key, value) = (Owned::from_borrowed(key), Owned::from_borrowed(value));
                if PyUnicode_Check(key.as_ptr()) == 0 {
                    return Ok(false);
                }
                let mut size = 0;
                let text = PyUnicode_AsUTF8AndSize(key.as_ptr(), &mut size);
                if text.is_null() {
                    return Err(Raised::assume());
                }
                let text = core::slice::from_raw_parts(text.cast::<u8>(), size as usize);
                let Some((_, slot)) = slots.iter_mut().find(|(n, _)| n.as_bytes() == text) else { return Ok(false) };
                if let Some(slot) = slot {
                    **slot = uint32(value.as_ptr())?;
                }
            }
            Ok(true)
        }
    })();
    match parsed {
        Ok(true) => Ok(()),
        Ok(false) => Err(raise!(PyExc_ValueError, "Invalid filter specifier for {} filter", kind)),
        Err(e) => {
            e.clear();
            Err(raise!(PyExc_ValueError, "Invalid filter specifier for {} filter", kind))
        }
    }
}

/// A filter's options.
enum Options {
    Lzma(Box<lz::lzma_options_lzma>),
    Delta(Box<lz::lzma_options_delta>),
    Bcj(Box<lz::lzma_options_bcj>),
}
impl Options {
    fn as_ptr(&self) -> *mut c_void {
        match self {
            Options::Lzma(o) => (&raw const **o).cast_mut().cast(),
            Options::Delta(o) => (&raw const **o).cast_mut().cast(),
            Options::Bcj(o) => (&raw const **o).cast_mut().cast(),
        }
    }
}

/// The options of a level of compression.
fn preset_options(preset: u32) -> PyResult<Box<lz::lzma_options_lzma>> {
    // SAFETY: plain data, of which zeros are valid, filled by the library.
    unsafe {
        let mut o: Box<lz::lzma_options_lzma> = Box::new(core::mem::zeroed());
        if lz::lzma_lzma_preset(&mut *o, preset) != 0 {
            return Err(error(&format!("Invalid compression preset: {preset}")));
        }
        Ok(o)
    }
}
fn parse_lzma(spec: Borrowed<'_>) -> PyResult<Options> {
    let preset = entry(spec, c"preset")?.map_or(Ok(lz::LZMA_PRESET_DEFAULT), |p| uint32(p.as_ptr()))?;
    let mut o = preset_options(preset)?;
    let r = &mut *o;
    let slots = vec![
        ("id", None),
        ("preset", None),
        ("dict_size", Some(&mut r.dict_size)),
        ("lc", Some(&mut r.lc)),
        ("lp", Some(&mut r.lp)),
        ("pb", Some(&mut r.pb)),
        ("mode", Some(&mut r.mode)),
        ("nice_len", Some(&mut r.nice_len)),
        ("mf", Some(&mut r.mf)),
        ("depth", Some(&mut r.depth)),
    ];
    options(spec, "LZMA", slots)?;
    Ok(Options::Lzma(o))
}
fn parse_delta(spec: Borrowed<'_>) -> PyResult<Options> {
    let mut dist = 1;
    options(spec, "delta", vec![("id", None), ("dist", Some(&mut dist))])?;
    // SAFETY: plain data; type 0 is the only one, by bytes.
    let mut o: Box<lz::lzma_options_delta> = Box::new(unsafe { core::mem::zeroed() });
    o.dist = dist;
    Ok(Options::Delta(o))
}
fn parse_bcj(spec: Borrowed<'_>) -> PyResult<Options> {
    let mut start_offset = 0;
    options(spec, "BCJ", vec![("id", None), ("start_offset", Some(&mut start_offset))])?;
    Ok(Options::Bcj(Box::new(lz::lzma_options_bcj { start_offset })))
}
fn is_bcj(id: u64) -> bool {
    [
        lz::LZMA_FILTER_X86,
        lz::LZMA_FILTER_POWERPC,
        lz::LZMA_FILTER_IA64,
        lz::LZMA_FILTER_ARM,
        lz::LZMA_FILTER_ARMTHUMB,
        lz::LZMA_FILTER_SPARC,
    ]
    .contains(&id)
}

/// A filter from its description.
fn parse_filter(spec: Borrowed<'_>) -> PyResult<(u64, Options)> {
    // SAFETY: [ARGS]
    if unsafe { PyMapping_Check(spec.ob()) } == 0 {
        bail!(PyExc_TypeError, "Filter specifier must be a dict or dict-like object");
    }
    let Some(id) = entry(spec, c"id")? else {
        bail!(PyExc_ValueError, "Filter specifier must have an \"id\" entry");
    };
    let id = ulonglong(id.as_ptr())?;
    let options = match id {
        lz::LZMA_FILTER_LZMA1 | lz::LZMA_FILTER_LZMA2 => parse_lzma(spec)?,
        lz::LZMA_FILTER_DELTA => parse_delta(spec)?,
        _ if is_bcj(id) => parse_bcj(spec)?,
        _ => bail!(PyExc_ValueError, "Invalid filter ID: {}", id),
    };
    Ok((id, options))
}

/// A chain of filters, as the library takes it.
struct Chain {
    filters: [lz::lzma_filter; FILTERS_MAX + 1],
    /// What the filters point to.
    _options: Vec<Options>,
}
impl Chain {
    fn parse(specs: Borrowed<'_>) -> PyResult<Self> {
        let end = || lz::lzma_filter { id: lz::LZMA_VLI_UNKNOWN, options: null_mut() };
        let mut chain = Chain { filters: [end(), end(), end(), end(), end()], _options: Vec::new() };
        // SAFETY: [ARGS]
        unsafe {
            let n = PySequence_Size(specs.ob());
            check_status(if n < 0 { -1 } else { 0 })?;
            if n as usize > FILTERS_MAX {
                bail!(PyExc_ValueError, "Too many filters - liblzma supports a maximum of {}", FILTERS_MAX);
            }
            for i in 0..n {
                let spec = take(PySequence_GetItem(specs.ob(), i))?;
                let (id, options) = parse_filter(spec.borrow())?;
                chain.filters[i as usize] = lz::lzma_filter { id, options: options.as_ptr() };
                chain._options.push(options);
            }
        }
        Ok(chain)
    }
    fn as_ptr(&self) -> *const lz::lzma_filter {
        self.filters.as_ptr()
    }
}

// ---- streams

/// A stream of the library, of either direction.
struct Stream {
    raw: lz::lzma_stream,
    flushed: bool,
    /// The check of what is decompressed.
    check: c_int,
}
// SAFETY: all memory of a stream is its own; who uses it holds the lock around it.
unsafe impl Send for Stream {}

impl Stream {
    fn new() -> Self {
        // SAFETY: zeros are the library's initial value.
        let mut raw: lz::lzma_stream = unsafe { core::mem::zeroed() };
        raw.allocator = &raw const ALLOCATOR;
        Stream { raw, flushed: false, check: CHECK_UNKNOWN }
    }
    /// One call of the library, without the GIL: its status and how much input was used.
    fn run(&mut self, input: &[u8], out: &mut Output, action: lz::lzma_action) -> PyResult<(lz::lzma_ret, usize)> {
        let (to, room) = out.room()?;
        self.raw.next_in = input.as_ptr();
        self.raw.avail_in = input.len();
        self.raw.next_out = to;
        self.raw.avail_out = room as usize;
        let raw = &raw mut self.raw;
        // SAFETY: [ARGS] input and room outlive the call; what was written is counted.
        unsafe {
            let status = without_gil(|| lz::lzma_code(raw, action));
            let left = (*raw).avail_out;
            out.wrote(room as usize - left);
            let used = input.len() - (*raw).avail_in;
            (*raw).next_in = null();
            (*raw).avail_in = 0;
            // There is nothing to do, which is no error.
            if status == lz::LZMA_BUF_ERROR && used == input.len() && left > 0 {
                return Ok((lz::LZMA_OK, used));
            }
            check(status)?;
            Ok((status, used))
        }
    }
    fn compress(&mut self, input: &[u8], action: lz::lzma_action) -> PyResult<Owned> {
        let mut out = Output::unlimited();
        let mut rest = input;
        loop {
            let (status, used) = self.run(rest, &mut out, action)?;
            rest = &rest[used..];
            let done = if action == lz::LZMA_RUN { rest.is_empty() } else { status == lz::LZMA_STREAM_END };
            if done {
                return out.finish();
            }
        }
    }
}
impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: [OWN] also for one that was not initialised.
        unsafe { lz::lzma_end(&mut self.raw) };
    }
}

impl Decoder for Stream {
    fn step(&mut self, input: &[u8], out: &mut Output) -> PyResult<Step> {
        let before = out.len();
        let mut used = 0;
        loop {
            let (status, n) = self.run(&input[used..], out, lz::LZMA_RUN)?;
            used += n;
            if status == lz::LZMA_GET_CHECK || status == lz::LZMA_NO_CHECK {
                // SAFETY: the library said that it knows.
                self.check = unsafe { lz::lzma_get_check(&self.raw) } as c_int;
            }
            let ended = status == lz::LZMA_STREAM_END;
            let dry = used == input.len() && !out.is_full();
            // Where neither input is used nor output made, the next call says why.
            if ended || dry || out.is_full() || n > 0 || out.len() > before {
                return Ok(Step { used, ended, stuck: dry });
            }
        }
    }
}

// ---- LZMACompressor

#[repr(C)]
struct Compressor {
    ob_base: PyObject,
    stream: *mut Locked<Stream>,
}

fn compressor_new(
    tp: Borrowed<'_, PyTypeObject>,
    format: i32,
    check_id: i32,
    preset: Option<Borrowed<'_>>,
    filters: Option<Borrowed<'_>>,
) -> PyResult<Owned> {
    if format != FORMAT_XZ && check_id != -1 && check_id != lz::LZMA_CHECK_NONE as c_int {
        bail!(PyExc_ValueError, "Integrity checks are only supported by FORMAT_XZ");
    }
    if preset.is_some() && filters.is_some() {
        bail!(PyExc_ValueError, "Cannot specify both preset and filter chain");
    }
    let preset = preset.map_or(Ok(lz::LZMA_PRESET_DEFAULT), |p| uint32(p.ob()))?;
    let mut stream = Stream::new();
    let raw = &raw mut stream.raw;
    // SAFETY: [ARGS] the library copies options.
    check(unsafe {
        match (format, filters) {
            (FORMAT_XZ, filters) => {
                let id = if check_id == -1 { lz::LZMA_CHECK_CRC64 } else { check_id as lz::lzma_check };
                match filters {
                    None => lz::lzma_easy_encoder(raw, preset, id),
                    Some(specs) => lz::lzma_stream_encoder(raw, Chain::parse(specs)?.as_ptr(), id),
                }
            }
            (FORMAT_ALONE, None) => lz::lzma_alone_encoder(raw, &*preset_options(preset)?),
            (FORMAT_ALONE, Some(specs)) => {
                let chain = Chain::parse(specs)?;
                if chain.filters[0].id != lz::LZMA_FILTER_LZMA1 || chain.filters[1].id != lz::LZMA_VLI_UNKNOWN {
                    bail!(PyExc_ValueError, "Invalid filter chain for FORMAT_ALONE - must be a single LZMA1 filter");
                }
                lz::lzma_alone_encoder(raw, chain.filters[0].options.cast())
            }
            (FORMAT_RAW, None) => bail!(PyExc_ValueError, "Must specify filters for FORMAT_RAW"),
            (FORMAT_RAW, Some(specs)) => lz::lzma_raw_encoder(raw, Chain::parse(specs)?.as_ptr()),
            _ => bail!(PyExc_ValueError, "Invalid container format: {}", format),
        }
    })?;
    // SAFETY: [OWN] a zeroed instance.
    unsafe {
        let new = take(PyType_GenericAlloc(tp.as_ptr(), 0))?.cast::<Compressor>();
        (*new.as_ptr()).stream = Box::into_raw(Box::new(Locked::new(stream)));
        Ok(new.into_object())
    }
}
unsafe extern "C" fn compressor_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] instances count their type.
    unsafe {
        let tp = (*slf).ob_type;
        let stream = (*slf.cast::<Compressor>()).stream;
        if !stream.is_null() {
            drop(Box::from_raw(stream));
        }
        PyObject_Free(slf.cast());
        Py_DECREF(tp.cast());
    }
}
fn compressor_compress(slf: Borrowed<'_, Compressor>, data: BufferView) -> PyResult<Owned> {
    // SAFETY: [TYPE] set by compressor_new.
    let mut s = unsafe { &*slf.stream }.enter();
    if s.flushed {
        bail!(PyExc_ValueError, "Compressor has been flushed");
    }
    s.compress(data.as_bytes(), lz::LZMA_RUN)
}
fn compressor_flush(slf: Borrowed<'_, Compressor>) -> PyResult<Owned> {
    // SAFETY: [TYPE] set by compressor_new.
    let mut s = unsafe { &*slf.stream }.enter();
    if s.flushed {
        bail!(PyExc_ValueError, "Repeated call to flush()");
    }
    s.flushed = true;
    s.compress(&[], lz::LZMA_FINISH)
}
methods! {
    static COMPRESSOR_METHODS = [
        "compress($self, data, /)" => compressor_compress, "Compress data; some of it may stay inside until flush().";
        "flush($self, /)" => compressor_flush, "End the stream and return what was left inside.";
    ];
}
static mut COMPRESSOR: PyTypeObject = PyTypeObject {
    tp_name: c"_lzma.LZMACompressor".as_ptr(),
    tp_basicsize: size_of::<Compressor>() as Py_ssize_t,
    tp_dealloc: Some(compressor_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"LZMACompressor(format=FORMAT_XZ, check=-1, preset=None, filters=None)\n\nCompresses data that comes in pieces.\n\nThe format is FORMAT_XZ, FORMAT_ALONE or FORMAT_RAW; only the first has a check,\nby default CHECK_CRC64. preset is a level from 0 to 9, perhaps with\nPRESET_EXTREME; filters is a sequence of dicts instead, each with an \"id\" and\noptions, and is necessary for FORMAT_RAW.".as_ptr(),
    tp_methods: (&raw mut COMPRESSOR_METHODS).cast(),
    tp_new: Some(constructor!("LZMACompressor(format=1, check=-1, preset=None, filters=None)" => compressor_new)),
    ..TYPE_INIT
};

// ---- LZMADecompressor

#[repr(C)]
struct Decompressor {
    ob_base: PyObject,
    inner: *mut Locked<Buffered<Stream>>,
    unused_data: *mut PyObject,
    check: c_int,
    eof: c_char,
    needs_input: c_char,
}

fn decompressor_new(
    tp: Borrowed<'_, PyTypeObject>,
    format: i32,
    memlimit: Option<Borrowed<'_>>,
    filters: Option<Borrowed<'_>>,
) -> PyResult<Owned> {
    let mut limit = u64::MAX;
    if let Some(given) = memlimit {
        if format == FORMAT_RAW {
            bail!(PyExc_ValueError, "Cannot specify memory limit with FORMAT_RAW");
        }
        limit = ulonglong(given.ob())?;
    }
    if format == FORMAT_RAW && filters.is_none() {
        bail!(PyExc_ValueError, "Must specify filters for FORMAT_RAW");
    }
    if format != FORMAT_RAW && filters.is_some() {
        bail!(PyExc_ValueError, "Cannot specify filters except with FORMAT_RAW");
    }
    let mut stream = Stream::new();
    let flags = lz::LZMA_TELL_ANY_CHECK | lz::LZMA_TELL_NO_CHECK;
    let raw = &raw mut stream.raw;
    // SAFETY: [ARGS] the library copies options.
    check(unsafe {
        match (format, filters) {
            (FORMAT_AUTO, _) => lz::lzma_auto_decoder(raw, limit, flags),
            (FORMAT_XZ, _) => lz::lzma_stream_decoder(raw, limit, flags),
            (FORMAT_ALONE, _) => {
                stream.check = lz::LZMA_CHECK_NONE as c_int;
                lz::lzma_alone_decoder(raw, limit)
            }
            (FORMAT_RAW, Some(specs)) => {
                stream.check = lz::LZMA_CHECK_NONE as c_int;
                lz::lzma_raw_decoder(raw, Chain::parse(specs)?.as_ptr())
            }
            _ => bail!(PyExc_ValueError, "Invalid container format: {}", format),
        }
    })?;
    // SAFETY: [OWN] a zeroed instance.
    unsafe {
        let new = take(PyType_GenericAlloc(tp.as_ptr(), 0))?.cast::<Decompressor>();
        let d = new.as_ptr();
        (*d).check = stream.check;
        (*d).inner = Box::into_raw(Box::new(Locked::new(Buffered::new(stream))));
        (*d).unused_data = bytes(&[])?.into_raw();
        (*d).needs_input = 1;
        Ok(new.into_object())
    }
}
unsafe extern "C" fn decompressor_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] instances count their type.
    unsafe {
        let tp = (*slf).ob_type;
        let d = slf.cast::<Decompressor>();
        if !(*d).inner.is_null() {
            drop(Box::from_raw((*d).inner));
        }
        Py_XDECREF((*d).unused_data);
        PyObject_Free(slf.cast());
        Py_DECREF(tp.cast());
    }
}
fn decompressor_decompress(slf: Borrowed<'_, Decompressor>, data: BufferView, max_length: isize) -> PyResult<Owned> {
    // SAFETY: [TYPE] set by decompressor_new.
    unsafe {
        let mut inner = (*slf.inner).enter();
        if inner.eof {
            bail!(PyExc_EOFError, "Already at end of stream");
        }
        let r = inner.decompress(data.as_bytes(), max_length, false);
        let d = slf.as_ptr();
        (*d).check = inner.decoder.check;
        let r = r?;
        (*d).eof = r.eof as c_char;
        (*d).needs_input = r.needs_input as c_char;
        if let Some(unused) = r.unused {
            setref(&raw mut (*d).unused_data, unused.into_raw());
        }
        Ok(r.output)
    }
}
methods! {
    static DECOMPRESSOR_METHODS = [
        "decompress($self, /, data, max_length=-1)" => decompressor_decompress, "Decompress data, to at most max_length bytes unless that is negative; what input is left is kept for the next call.";
    ];
}
members! {
    static DECOMPRESSOR_MEMBERS = [
        "check", Py_T_INT, core::mem::offset_of!(Decompressor, check), Py_READONLY, "Number of the stream's check, CHECK_UNKNOWN until it is known.";
        "eof", Py_T_BOOL, core::mem::offset_of!(Decompressor, eof), Py_READONLY, "Whether the stream's end was reached.";
        "needs_input", Py_T_BOOL, core::mem::offset_of!(Decompressor, needs_input), Py_READONLY, "Whether more input is needed for more output.";
        "unused_data", Py_T_OBJECT_EX, core::mem::offset_of!(Decompressor, unused_data), Py_READONLY, "What was found after the stream's end.";
    ];
}
static mut DECOMPRESSOR: PyTypeObject = PyTypeObject {
    tp_name: c"_lzma.LZMADecompressor".as_ptr(),
    tp_basicsize: size_of::<Decompressor>() as Py_ssize_t,
    tp_dealloc: Some(decompressor_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"LZMADecompressor(format=FORMAT_AUTO, memlimit=None, filters=None)\n--\n\nDecompresses data that comes in pieces.\n\nFORMAT_AUTO finds out whether the format is FORMAT_XZ or FORMAT_ALONE.\nFORMAT_RAW, and only it, needs filters: a sequence of dicts as for compression.".as_ptr(),
    tp_methods: (&raw mut DECOMPRESSOR_METHODS).cast(),
    tp_members: (&raw mut DECOMPRESSOR_MEMBERS).cast(),
    tp_new: Some(constructor!("LZMADecompressor(format=0, memlimit=None, filters=None)" => decompressor_new)),
    ..TYPE_INIT
};

// ---- the module

fn is_check_supported(_: (), check_id: i32) -> PyResult<bool> {
    // SAFETY: plain call.
    Ok(unsafe { lz::lzma_check_is_supported(check_id as lz::lzma_check) } != 0)
}
fn encode_filter_properties(_: (), filter: Borrowed<'_>) -> PyResult<Owned> {
    let (id, options) = parse_filter(filter)?;
    let filter = lz::lzma_filter { id, options: options.as_ptr() };
    let mut size = 0;
    // SAFETY: [ARGS] the library writes as much as it said.
    unsafe {
        check(lz::lzma_properties_size(&mut size, &filter))?;
        let mut out = vec![0u8; size as usize];
        check(lz::lzma_properties_encode(&filter, out.as_mut_ptr()))?;
        bytes(&out)
    }
}
fn decode_filter_properties(_: (), filter_id: Vli, encoded_props: BufferView) -> PyResult<Owned> {
    let mut filter = lz::lzma_filter { id: filter_id.0, options: null_mut() };
    let data = encoded_props.as_bytes();
    // SAFETY: [ARGS] [OWN] without an allocator, the options are memory of malloc.
    unsafe {
        check(lz::lzma_properties_decode(&mut filter, null(), data.as_ptr(), data.len()))?;
        let made = describe(&filter);
        libc::free(filter.options);
        made
    }
}
/// The dict that describes a filter.
unsafe fn describe(filter: &lz::lzma_filter) -> PyResult<Owned> {
    // SAFETY: [ARGS] the filter's number tells what its options are.
    unsafe {
        let spec = take(PyDict_New())?;
        let add = |name: &core::ffi::CStr, value: u64| {
            let value = take(PyLong_FromUnsignedLongLong(value))?;
            check_status(PyDict_SetItemString(spec.as_ptr(), name.as_ptr(), value.as_ptr()))
        };
        add(c"id", filter.id)?;
        match filter.id {
            lz::LZMA_FILTER_LZMA1 | lz::LZMA_FILTER_LZMA2 => {
                let o = &*filter.options.cast::<lz::lzma_options_lzma>();
                if filter.id == lz::LZMA_FILTER_LZMA1 {
                    add(c"lc", o.lc as u64)?;
                    add(c"lp", o.lp as u64)?;
                    add(c"pb", o.pb as u64)?;
                }
                add(c"dict_size", o.dict_size as u64)?;
            }
            lz::LZMA_FILTER_DELTA => add(c"dist", (*filter.options.cast::<lz::lzma_options_delta>()).dist as u64)?,
            id if is_bcj(id) => {
                if !filter.options.is_null() {
                    add(c"start_offset", (*filter.options.cast::<lz::lzma_options_bcj>()).start_offset as u64)?;
                }
            }
            id => bail!(PyExc_ValueError, "Invalid filter ID: {}", id),
        }
        Ok(spec)
    }
}

methods! {
    static METHODS = [
        "is_check_supported($module, check_id, /)" => is_check_supported, "Whether a check can be made.";
        "_encode_filter_properties($module, filter, /)" => encode_filter_properties, "A filter's options, without its number, as bytes.";
        "_decode_filter_properties($module, filter_id, encoded_props, /)" => decode_filter_properties, "The description of the filter with this number and these options.";
    ];
}

module! {
    /// Entry point.
    pub fn PyInit__lzma = "_lzma", "Compression in the formats of xz and lzma.", methods: METHODS, exec: exec;
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    add_int(module, c"FORMAT_AUTO", FORMAT_AUTO as i64)?;
    add_int(module, c"FORMAT_XZ", FORMAT_XZ as i64)?;
    add_int(module, c"FORMAT_ALONE", FORMAT_ALONE as i64)?;
    add_int(module, c"FORMAT_RAW", FORMAT_RAW as i64)?;
    add_int(module, c"CHECK_NONE", lz::LZMA_CHECK_NONE as i64)?;
    add_int(module, c"CHECK_CRC32", lz::LZMA_CHECK_CRC32 as i64)?;
    add_int(module, c"CHECK_CRC64", lz::LZMA_CHECK_CRC64 as i64)?;
    add_int(module, c"CHECK_SHA256", lz::LZMA_CHECK_SHA256 as i64)?;
    add_int(module, c"CHECK_ID_MAX", CHECK_ID_MAX as i64)?;
    add_int(module, c"CHECK_UNKNOWN", CHECK_UNKNOWN as i64)?;
    add_int(module, c"FILTER_LZMA1", lz::LZMA_FILTER_LZMA1 as i64)?;
    add_int(module, c"FILTER_LZMA2", lz::LZMA_FILTER_LZMA2 as i64)?;
    add_int(module, c"FILTER_DELTA", lz::LZMA_FILTER_DELTA as i64)?;
    add_int(module, c"FILTER_X86", lz::LZMA_FILTER_X86 as i64)?;
    add_int(module, c"FILTER_IA64", lz::LZMA_FILTER_IA64 as i64)?;
    add_int(module, c"FILTER_ARM", lz::LZMA_FILTER_ARM as i64)?;
    add_int(module, c"FILTER_ARMTHUMB", lz::LZMA_FILTER_ARMTHUMB as i64)?;
    add_int(module, c"FILTER_SPARC", lz::LZMA_FILTER_SPARC as i64)?;
    add_int(module, c"FILTER_POWERPC", lz::LZMA_FILTER_POWERPC as i64)?;
    add_int(module, c"MF_HC3", lz::LZMA_MF_HC3 as i64)?;
    add_int(module, c"MF_HC4", lz::LZMA_MF_HC4 as i64)?;
    add_int(module, c"MF_BT2", lz::LZMA_MF_BT2 as i64)?;
    add_int(module, c"MF_BT3", lz::LZMA_MF_BT3 as i64)?;
    add_int(module, c"MF_BT4", lz::LZMA_MF_BT4 as i64)?;
    add_int(module, c"MODE_FAST", lz::LZMA_MODE_FAST as i64)?;
    add_int(module, c"MODE_NORMAL", lz::LZMA_MODE_NORMAL as i64)?;
    add_int(module, c"PRESET_DEFAULT", lz::LZMA_PRESET_DEFAULT as i64)?;
    add_int(module, c"PRESET_EXTREME", lz::LZMA_PRESET_EXTREME as i64)?;
    // SAFETY: [GIL] [STATIC] static descriptions.
    unsafe {
        let class = take(PyErr_NewExceptionWithDoc(c"_lzma.LZMAError".as_ptr(), c"The library could not do it.".as_ptr(), null_mut(), null_mut()))?;
        check_status(PyModule_AddType(module.ob(), class.as_ptr().cast()))?;
        ERROR.set(Some(class));
        for template in [&raw mut COMPRESSOR, &raw mut DECOMPRESSOR] {
            let tp = Owned::from_owned(heap_type(module, template)?);
            check_status(PyModule_AddType(module.ob(), tp.as_ptr()))?;
        }
        Ok(())
    }
}
