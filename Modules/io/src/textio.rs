//! `_TextIOBase` and TextIOWrapper: text over a buffered binary stream.
//!
//! Reading: chunks of bytes are decoded into `decoded` (a str), of which `used` characters have been given out; the
//! `snapshot` (decoder flags and the bytes fed since) lets `tell` find its way back. Writing: text is encoded at once and
//! gathered in `pending` until a chunk is full.

use crate::iobase::{DICT_GETSET, IoBase, iobase_dealloc_begin, is_closed, types, unsupported};
use crate::newline::{NewlineDecoder, code_points, decode as newline_decode};
use crate::support::*;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Args, getset, methods};
use taipan_objects::typeobject::TYPE_INIT;

// ---- _TextIOBase ----------------------------------------------------------------------------------------------------------

fn base_detach(_: Borrowed<'_>) -> PyResult<()> {
    Err(unsupported("detach"))
}
fn base_read(_: Borrowed<'_>, _size: Args<'_>) -> PyResult<()> {
    Err(unsupported("read"))
}
fn base_readline(_: Borrowed<'_>, _size: Args<'_>) -> PyResult<()> {
    Err(unsupported("readline"))
}
fn base_write(_: Borrowed<'_>, _s: Borrowed<'_>) -> PyResult<()> {
    Err(unsupported("write"))
}
fn base_none(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}
methods! {
    static BASE_METHODS = [
        "detach($self, /)" => base_detach, "Separate the binary stream and return it.";
        "read($self, /, *args)" => base_read, "At most size characters.";
        "readline($self, /, *args)" => base_readline, "One line.";
        "write($self, s, /)" => base_write, "Write text.";
    ];
}
getset! {
    static BASE_ATTRS = [
        "encoding" => base_none, "Name of the encoding.";
        "newlines" => base_none, "Kinds of line ends met.";
        "errors" => base_none, "Name of the error handler.";
    ];
}
/// `_io._TextIOBase`.
pub static mut TEXTIOBASE: PyTypeObject = PyTypeObject {
    tp_name: c"_io._TextIOBase".as_ptr(),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"Base of text streams.".as_ptr(),
    tp_methods: (&raw mut BASE_METHODS).cast(),
    tp_getset: (&raw mut BASE_ATTRS).cast(),
    ..TYPE_INIT
};

// ---- TextIOWrapper ----------------------------------------------------------------------------------------------------------

/// Encoders that need no codec object.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
enum Fast {
    No = 0,
    Ascii,
    Latin1,
    Utf8,
}

/// Line ends; the one that needs no translation is 0, as in fresh instances.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
enum LineEnd {
    Lf = 0,
    Cr,
    CrLf,
}

/// State of a text stream. All zeros is a stream that isn't initialised.
#[repr(C)]
pub struct TextIo {
    base: IoBase,
    ok: bool,
    detached: bool,
    line_buffering: bool,
    write_through: bool,
    readuniversal: bool,
    readtranslate: bool,
    writetranslate: bool,
    seekable: bool,
    has_read1: bool,
    telling: bool,
    finalizing: bool,
    encoding_start_of_stream: bool,
    fast: Fast,
    chunk_size: isize,
    /// The binary stream; NULL after `detach`.
    pub buffer: *mut PyObject,
    encoding: *mut PyObject,
    errors: *mut PyObject,
    encoder: *mut PyObject,
    decoder: *mut PyObject,
    /// Line end that `readline` looks for, if it is one in particular.
    readnl: *mut PyObject,
    /// The str being given out, or NULL.
    decoded: *mut PyObject,
    used: isize,
    /// NULL, or a tuple (decoder flags, bytes fed since).
    snapshot: *mut PyObject,
    b2cratio: f64,
    /// What a written line end becomes.
    writenl: LineEnd,
    pending: *mut Vec<u8>,
}
type T<'a> = Borrowed<'a, TextIo>;

unsafe extern "C" {
    fn _PyCodec_Lookup(encoding: *const c_char) -> *mut PyObject;
}

fn check_attached(t: T<'_>) -> PyResult<()> {
    if !t.ok {
        bail!(PyExc_ValueError, "I/O operation on uninitialized object");
    }
    if t.detached {
        bail!(PyExc_ValueError, "underlying buffer has been detached");
    }
    Ok(())
}
fn check_open(t: T<'_>) -> PyResult<()> {
    check_attached(t)?;
    // SAFETY: [TYPE]
    unsafe {
        if is_closed(t.buffer)? {
            bail!(PyExc_ValueError, "I/O operation on closed file.");
        }
        Ok(())
    }
}

/// Looks a text encoding up; LookupError for a codec that isn't one.
unsafe fn lookup_text_codec(encoding: &CStr) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let codec = Owned::from_owned_or_err(_PyCodec_Lookup(encoding.as_ptr()))?;
        if PyTuple_CheckExact(codec.as_ptr()) == 0
            && let Some(is_text) = optional_attr(codec.as_ptr(), intern!("_is_text_encoding"))?
            && !truth(is_text.as_ptr())?
        {
            bail!(
                PyExc_LookupError,
                "'{}' is not a text encoding; use codecs.open() to handle arbitrary codecs",
                encoding.to_string_lossy()
            );
        }
        Ok(codec)
    }
}

unsafe fn c_string(op: *mut PyObject) -> PyResult<std::ffi::CString> {
    // SAFETY: [TYPE] a str.
    unsafe {
        let mut n = 0;
        let p = PyUnicode_AsUTF8AndSize(op, &mut n);
        if p.is_null() {
            return Err(Raised::assume());
        }
        let text = core::slice::from_raw_parts(p.cast::<u8>(), n as usize);
        std::ffi::CString::new(text).map_err(|_| raise!(PyExc_ValueError, "embedded null character"))
    }
}

unsafe fn make_coders(t: *mut TextIo, codec: &Owned) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let readable = truth(call0((*t).buffer, intern!("readable"))?.as_ptr())?;
        let writable = truth(call0((*t).buffer, intern!("writable"))?.as_ptr())?;
        if readable {
            let inner = call1(codec.as_ptr(), intern!("incrementaldecoder"), (*t).errors)?;
            let decoder = if (*t).readuniversal {
                let translate = boolean((*t).readtranslate);
                let args = [inner.as_ptr(), translate.as_ptr()];
                Owned::from_owned_or_err(PyObject_Vectorcall(types().newline_decoder.cast(), args.as_ptr(), 2, null_mut()))?
            } else {
                inner
            };
            setref(&raw mut (*t).decoder, decoder.into_raw());
        } else {
            setref(&raw mut (*t).decoder, null_mut());
        }
        (*t).fast = Fast::No;
        if writable {
            let encoder = call1(codec.as_ptr(), intern!("incrementalencoder"), (*t).errors)?;
            setref(&raw mut (*t).encoder, encoder.into_raw());
            if let Some(name) = optional_attr(codec.as_ptr(), intern!("name"))?
                && PyUnicode_Check(name.as_ptr()) != 0
            {
                let name = c_string(name.as_ptr())?;
                (*t).fast = match name.to_bytes() {
                    b"ascii" => Fast::Ascii,
                    b"iso8859-1" => Fast::Latin1,
                    b"utf-8" => Fast::Utf8,
                    _ => Fast::No,
                };
            }
        } else {
            setref(&raw mut (*t).encoder, null_mut());
        }
        Ok(())
    }
}

fn newline_text(newline: &str) -> PyResult<()> {
    if !matches!(newline, "" | "\n" | "\r" | "\r\n") {
        // SAFETY: [GIL]
        unsafe {
            let text = string(newline)?;
            PyErr_Format(PyExc_ValueError, c"illegal newline value: %R".as_ptr(), text.as_ptr());
            return Err(Raised::assume());
        }
    }
    Ok(())
}

unsafe fn set_newline(t: *mut TextIo, newline: Option<&str>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let old = core::mem::replace(&mut (*t).readnl, null_mut());
        Py_XDECREF(old);
        if let Some(n) = newline {
            (*t).readnl = string(n)?.into_raw();
        }
        (*t).readuniversal = newline.is_none_or(str::is_empty);
        (*t).readtranslate = newline.is_none();
        (*t).writetranslate = newline != Some("");
        (*t).writenl = match newline {
            Some("\r") => LineEnd::Cr,
            Some("\r\n") => LineEnd::CrLf,
            _ => LineEnd::Lf,
        };
        Ok(())
    }
}

/// The encoder starts in the middle of a stream unless its position is 0: byte-order marks come only at the start.
unsafe fn fix_encoder_state(t: *mut TextIo) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if !(*t).seekable || (*t).encoder.is_null() {
            return Ok(());
        }
        (*t).encoding_start_of_stream = true;
        let at = call0((*t).buffer, intern!("tell"))?;
        let zero = int(0)?;
        let same = PyObject_RichCompareBool(at.as_ptr(), zero.as_ptr(), Py_EQ);
        check_status(same)?;
        if same == 0 {
            (*t).encoding_start_of_stream = false;
            call1((*t).encoder, intern!("setstate"), zero.as_ptr())?;
        }
        Ok(())
    }
}

/// The text of an argument; TypeError unless it is a str, ValueError if it has a NUL.
unsafe fn text_of<'a>(op: *mut PyObject, what: &str) -> PyResult<&'a str> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(op) == 0 {
            bail!(PyExc_TypeError, "TextIOWrapper() argument '{}' must be str or None, not {}", what, type_name(op));
        }
        let mut n = 0;
        let p = PyUnicode_AsUTF8AndSize(op, &mut n);
        if p.is_null() {
            return Err(Raised::assume());
        }
        let text = core::str::from_utf8_unchecked(core::slice::from_raw_parts(p.cast(), n as usize));
        if text.contains('\0') {
            bail!(PyExc_ValueError, "embedded null character");
        }
        Ok(text)
    }
}

const SIG: taipan_clinic::Signature<6> = taipan_clinic::Signature::parse(
    "TextIOWrapper(buffer, encoding=None, errors=None, newline=None, line_buffering=False, write_through=False)",
);

unsafe extern "C" fn init_entry(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] called as tp_init.
    unsafe {
        taipan_clinic::invoke::with_tuple_dict(&SIG.erase(), args, kw, |call| {
            let opt = |i: usize| if call.slots[i].is_null() || call.slots[i] == Py_None() { None } else { Some(call.slots[i]) };
            let flag = |i: usize| if call.slots[i].is_null() { Ok(false) } else { truth(call.slots[i]) };
            init(slf.cast(), call.slots[0], opt(1), opt(2), opt(3), flag(4)?, flag(5)?)
        })
        .into_c()
    }
}

/// Whether a missing encoding is worth a warning (PEP 597).
unsafe fn warn_default_encoding() -> PyResult<bool> {
    // SAFETY: [GIL]
    unsafe {
        let flags = PySys_GetObject(c"flags".as_ptr());
        if flags.is_null() {
            return Ok(false);
        }
        truth(attr(flags, intern!("warn_default_encoding"))?.as_ptr())
    }
}

/// LookupError for an unknown error handler; looked at in development mode only.
unsafe fn check_errors(errors: *mut PyObject) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        if *(&raw const taipan_objects::unicode_codecs::CHECK_NAMES) {
            Owned::from_owned_or_err(PyCodec_LookupError(c_string(errors)?.as_ptr()))?;
        }
        Ok(())
    }
}

/// Whether UTF-8 mode is on (PEP 540).
unsafe fn utf8_mode() -> bool {
    // SAFETY: [GIL]
    unsafe {
        let flags = PySys_GetObject(c"flags".as_ptr());
        if flags.is_null() {
            return true;
        }
        match attr(flags, intern!("utf8_mode")) {
            Ok(v) => PyObject_IsTrue(v.as_ptr()) > 0,
            Err(e) => {
                e.clear();
                true
            }
        }
    }
}

/// The locale's encoding, as `locale.getencoding()` names it.
pub fn locale_encoding() -> PyResult<Owned> {
    // SAFETY: the C library's string is copied at once.
    unsafe {
        let p = libc::nl_langinfo(libc::CODESET);
        let name = if p.is_null() || *p == 0 { "utf-8".into() } else { CStr::from_ptr(p).to_string_lossy() };
        string(&name)
    }
}

#[allow(clippy::too_many_arguments, reason = "the constructor's parameters")]
unsafe fn init(
    t: *mut TextIo,
    buffer: *mut PyObject,
    encoding: Option<*mut PyObject>,
    errors: Option<*mut PyObject>,
    newline: Option<*mut PyObject>,
    line_buffering: bool,
    write_through: bool,
) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        (*t).ok = false;
        (*t).detached = false;
        if encoding.is_none() && warn_default_encoding()? {
            check_status(PyErr_WarnEx(PyExc_EncodingWarning, c"'encoding' argument not specified".as_ptr(), 1))?;
        }
        let newline = match newline {
            Some(n) => {
                let text = text_of(n, "newline")?;
                newline_text(text)?;
                Some(text.to_string())
            }
            None => None,
        };
        let errors = match errors {
            None => string("strict")?,
            Some(e) => {
                text_of(e, "errors")?;
                check_errors(e)?;
                Owned::from_borrowed(e)
            }
        };
        let encoding = match encoding {
            Some(e) => {
                if text_of(e, "encoding")? == "locale" { locale_encoding()? } else { Owned::from_borrowed(e) }
            }
            None if utf8_mode() => string("utf-8")?,
            None => locale_encoding()?,
        };
        let codec = lookup_text_codec(&c_string(encoding.as_ptr())?)?;
        for (field, value) in [(&raw mut (*t).errors, errors), (&raw mut (*t).encoding, encoding)] {
            setref(field, value.into_raw());
        }
        (*t).chunk_size = 8192;
        (*t).b2cratio = 0.0;
        (*t).line_buffering = line_buffering;
        (*t).write_through = write_through;
        set_newline(t, newline.as_deref())?;
        setref(&raw mut (*t).buffer, Owned::from_borrowed(buffer).into_raw());
        setref(&raw mut (*t).decoded, null_mut());
        setref(&raw mut (*t).snapshot, null_mut());
        (*t).used = 0;
        if (*t).pending.is_null() {
            (*t).pending = Box::into_raw(Box::default());
        }
        (*(*t).pending).clear();
        make_coders(t, &codec)?;
        (*t).seekable = truth(call0(buffer, intern!("seekable"))?.as_ptr())?;
        (*t).telling = (*t).seekable;
        (*t).has_read1 = optional_attr(buffer, intern!("read1"))?.is_some();
        (*t).encoding_start_of_stream = false;
        fix_encoder_state(t)?;
        (*t).ok = true;
        Ok(())
    }
}

// ---- writing ------------------------------------------------------------------------------------------------------------------

/// Hands the pending bytes to the binary stream.
unsafe fn write_pending(t: *mut TextIo) -> PyResult<()> {
    // SAFETY: [TYPE] the bytes leave `pending` first: the write may come back here.
    unsafe {
        if (*(*t).pending).is_empty() {
            return Ok(());
        }
        let data = core::mem::take(&mut *(*t).pending);
        let b = bytes(&data)?;
        loop {
            match call1((*t).buffer, intern!("write"), b.as_ptr()) {
                Ok(_) => return Ok(()),
                Err(e) => {
                    crate::iobase::retry_after_eintr(e)?;
                }
            }
        }
    }
}

/// Encodes text whose line ends are done.
unsafe fn encode(t: *mut TextIo, text: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let errors = c_string((*t).errors)?;
        match (*t).fast {
            Fast::No => {
                let b = call1((*t).encoder, intern!("encode"), text)?;
                if PyBytes_Check(b.as_ptr()) == 0 {
                    bail!(PyExc_TypeError, "encoder should return a bytes object, not '{}'", type_name(b.as_ptr()));
                }
                Ok(b)
            }
            Fast::Ascii => Owned::from_owned_or_err(PyUnicode_AsEncodedString(text, c"ascii".as_ptr(), errors.as_ptr())),
            Fast::Latin1 => Owned::from_owned_or_err(PyUnicode_AsEncodedString(text, c"latin-1".as_ptr(), errors.as_ptr())),
            Fast::Utf8 => Owned::from_owned_or_err(PyUnicode_AsEncodedString(text, c"utf-8".as_ptr(), errors.as_ptr())),
        }
    }
}

fn write(slf: T<'_>, s: Borrowed<'_>) -> PyResult<isize> {
    check_open(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.as_ptr();
        if PyUnicode_Check(s.ob()) == 0 {
            bail!(PyExc_TypeError, "write() argument must be str, not {}", type_name(s.ob()));
        }
        if (*t).encoder.is_null() {
            return Err(unsupported("not writable"));
        }
        let n = PyUnicode_GetLength(s.ob());
        let mut text = s.to_owned();
        let translates = (*t).writetranslate && (*t).writenl != LineEnd::Lf;
        let mut has_lf = false;
        if translates || (*t).line_buffering {
            has_lf = PyUnicode_FindChar(s.ob(), 0x0a, 0, n, 1) >= 0;
        }
        if has_lf && translates {
            let (from, to) = (string("\n")?, string(if (*t).writenl == LineEnd::Cr { "\r" } else { "\r\n" })?);
            text = Owned::from_owned_or_err(PyUnicode_Replace(text.as_ptr(), from.as_ptr(), to.as_ptr(), -1))?;
        }
        let flush_after = (*t).line_buffering && (has_lf || PyUnicode_FindChar(s.ob(), 0x0d, 0, n, 1) >= 0);
        // ASCII text is its own encoding in the fast codecs.
        let ascii = (*t).fast != Fast::No && PyUnicode_IS_COMPACT_ASCII(text.as_ptr()) != 0;
        if ascii {
            let p = PyUnicode_DATA(text.as_ptr()).cast::<u8>();
            let data = core::slice::from_raw_parts(p, PyUnicode_GetLength(text.as_ptr()) as usize);
            make_room(t, data.len())?;
            (*(*t).pending).extend_from_slice(data);
            (*t).encoding_start_of_stream = false;
        } else {
            let b = encode(t, text.as_ptr())?;
            (*t).encoding_start_of_stream = false;
            let data = bytes_slice(b.as_ptr());
            make_room(t, data.len())?;
            (*(*t).pending).extend_from_slice(data);
        }
        if (*(*t).pending).len() as isize >= (*t).chunk_size || (*t).write_through || flush_after {
            write_pending(t)?;
        }
        if flush_after {
            call0((*t).buffer, intern!("flush"))?;
        }
        // What was read ahead is no longer valid where positions can be told.
        if !(*t).snapshot.is_null() {
            setref(&raw mut (*t).decoded, null_mut());
            (*t).used = 0;
            setref(&raw mut (*t).snapshot, null_mut());
        }
        if !(*t).decoder.is_null() {
            call0((*t).decoder, intern!("reset"))?;
        }
        Ok(n)
    }
}

/// Before a large text, what waits is written out, also what other code adds meanwhile: nothing large is copied together.
unsafe fn make_room(t: *mut TextIo, more: usize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        while more as isize >= (*t).chunk_size && !(*(*t).pending).is_empty() {
            write_pending(t)?;
        }
        Ok(())
    }
}

fn flush(slf: T<'_>) -> PyResult<Owned> {
    check_open(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.as_ptr();
        (*t).telling = (*t).seekable;
        write_pending(t)?;
        call0((*t).buffer, intern!("flush"))
    }
}

// ---- reading ------------------------------------------------------------------------------------------------------------------

unsafe fn decode(t: *mut TextIo, input: *mut PyObject, last: bool) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let text = if type_of((*t).decoder) == types().newline_decoder {
            newline_decode((*t).decoder.cast::<NewlineDecoder>(), input, last)?
        } else {
            call2((*t).decoder, intern!("decode"), input, boolean(last).as_ptr())?
        };
        if PyUnicode_Check(text.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "decoder should return a string result, not '{}'", type_name(text.as_ptr()));
        }
        Ok(text)
    }
}

/// Reads and decodes a chunk; `false` at the end.
unsafe fn read_chunk(t: *mut TextIo, hint: isize) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe {
        if (*t).decoder.is_null() {
            return Err(unsupported("not readable"));
        }
        let mut saved = None;
        if (*t).telling {
            let state = call0((*t).decoder, intern!("getstate"))?;
            if PyTuple_Check(state.as_ptr()) == 0 || PyTuple_GET_SIZE(state.as_ptr()) != 2 {
                bail!(PyExc_TypeError, "illegal decoder state");
            }
            let (b, f) = (PyTuple_GET_ITEM(state.as_ptr(), 0), PyTuple_GET_ITEM(state.as_ptr(), 1));
            if PyBytes_Check(b) == 0 {
                bail!(PyExc_TypeError, "illegal decoder state: the first item should be a bytes object, not '{}'", type_name(b));
            }
            saved = Some((Owned::from_borrowed(b), Owned::from_borrowed(f)));
        }
        let mut size = (*t).chunk_size;
        if hint > 0 {
            size = size.max(((*t).b2cratio.max(1.0) * hint as f64).min(isize::MAX as f64 / 2.0) as isize);
        }
        let name = if (*t).has_read1 { intern!("read1") } else { intern!("read") };
        let chunk = call1((*t).buffer, name, int(size as i64)?.as_ptr())?;
        let view = match taipan_clinic::BufferView::get(chunk.as_ptr()) {
            Ok(v) => v,
            Err(e) => {
                e.clear();
                bail!(
                    PyExc_TypeError,
                    "underlying {}() should have returned a bytes-like object, not '{}'",
                    if (*t).has_read1 { "read1" } else { "read" },
                    type_name(chunk.as_ptr())
                );
            }
        };
        let n = view.as_bytes().len();
        let end = n == 0;
        let text = decode(t, chunk.as_ptr(), end)?;
        let chars = PyUnicode_GetLength(text.as_ptr());
        (*t).b2cratio = if chars > 0 { n as f64 / chars as f64 } else { 0.0 };
        let mut more = !end;
        if chars > 0 {
            more = true;
        }
        setref(&raw mut (*t).decoded, text.into_raw());
        (*t).used = 0;
        if let Some((before, flags)) = saved {
            let mut next = bytes_slice(before.as_ptr()).to_vec();
            next.extend_from_slice(view.as_bytes());
            let next = bytes(&next)?;
            let pair = [flags.as_ptr(), next.as_ptr()];
            let pair = Owned::from_owned_or_err(_PyTuple_FromArray(pair.as_ptr(), 2))?;
            setref(&raw mut (*t).snapshot, pair.into_raw());
        }
        Ok(more)
    }
}

/// Up to `n` decoded characters (all if negative), moving past them.
unsafe fn take(t: *mut TextIo, n: isize) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if (*t).decoded.is_null() {
            return string("");
        }
        let len = PyUnicode_GetLength((*t).decoded);
        let available = len - (*t).used;
        let n = if n < 0 || n > available { available } else { n };
        let out = if (*t).used == 0 && n == len {
            Owned::from_borrowed((*t).decoded)
        } else {
            Owned::from_owned_or_err(PyUnicode_Substring((*t).decoded, (*t).used, (*t).used + n))?
        };
        (*t).used += n;
        Ok(out)
    }
}

fn read(slf: T<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    check_open(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        let n = size_or_none(size)?;
        let t = slf.as_ptr();
        if (*t).decoder.is_null() {
            return Err(unsupported("not readable"));
        }
        write_pending(t)?;
        if n < 0 {
            let b = call0((*t).buffer, intern!("read"))?;
            let rest = if b.as_ptr() == Py_None() {
                bail!(PyExc_TypeError, "a bytes-like object is required, not 'NoneType'");
            } else {
                decode(t, b.as_ptr(), true)?
            };
            let mut out = take(t, -1)?;
            out = Owned::from_owned_or_err(PyUnicode_Concat(out.as_ptr(), rest.as_ptr()))?;
            if !(*t).snapshot.is_null() {
                setref(&raw mut (*t).decoded, null_mut());
                (*t).used = 0;
                setref(&raw mut (*t).snapshot, null_mut());
            }
            setref(&raw mut (*t).decoded, null_mut());
            (*t).used = 0;
            return Ok(out);
        }
        let mut out = take(t, n)?;
        let mut left = n - PyUnicode_GetLength(out.as_ptr());
        let mut parts = Vec::new();
        while left > 0 {
            let more = loop {
                match read_chunk(t, left) {
                    Ok(m) => break m,
                    Err(e) => {
                        crate::iobase::retry_after_eintr(e)?;
                    }
                }
            };
            if !more {
                break;
            }
            let part = take(t, left)?;
            left -= PyUnicode_GetLength(part.as_ptr());
            parts.push(part);
        }
        if !parts.is_empty() {
            parts.insert(0, out);
            out = join(&parts)?;
        }
        Ok(out)
    }
}

fn join(parts: &[Owned]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let raw: Vec<*mut PyObject> = parts.iter().map(|p| p.as_ptr()).collect();
        let empty = string("")?;
        Owned::from_owned_or_err(_PyUnicode_JoinArray(empty.as_ptr(), raw.as_ptr(), raw.len() as Py_ssize_t))
    }
}

/// End of the line in `text` from `from` on (exclusive), or where to go on looking.
unsafe fn find_line_end(t: *mut TextIo, text: *mut PyObject, from: isize) -> Result<isize, isize> {
    // SAFETY: [TYPE]
    unsafe {
        let n = PyUnicode_GetLength(text);
        if (*t).readtranslate {
            let i = PyUnicode_FindChar(text, 0x0a, from, n, 1);
            return if i >= 0 { Ok(i + 1) } else { Err(n) };
        }
        if (*t).readuniversal {
            // The decoder leaves line ends alone, and never splits a pair.
            let lf = PyUnicode_FindChar(text, 0x0a, from, n, 1);
            let limit = if lf >= 0 { lf } else { n };
            let cr = PyUnicode_FindChar(text, 0x0d, from, limit, 1);
            if cr >= 0 {
                return Ok(if cr + 1 < n && PyUnicode_ReadChar(text, cr + 1) == 0x0a { cr + 2 } else { cr + 1 });
            }
            return if lf >= 0 { Ok(lf + 1) } else { Err(n) };
        }
        let nl = code_points((*t).readnl);
        if nl.len() == 1 {
            let i = PyUnicode_FindChar(text, nl[0], from, n, 1);
            return if i >= 0 { Ok(i + 1) } else { Err(n) };
        }
        let i = PyUnicode_Find(text, (*t).readnl, from, n, 1);
        if i >= 0 {
            return Ok(i + nl.len() as isize);
        }
        // The first half of the pair may stand at the end.
        if n > from && PyUnicode_ReadChar(text, n - 1) == nl[0] { Err(n - 1) } else { Err(n) }
    }
}

unsafe fn next_line(slf: T<'_>, limit: isize) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        check_open(slf)?;
        let t = slf.as_ptr();
        write_pending(t)?;
        let mut head: Vec<Owned> = Vec::new();
        let mut head_len = 0;
        // The part of a line end that the last chunk may have ended with.
        let mut tail: Option<Owned> = None;
        loop {
            let empty = (*t).decoded.is_null() || (*t).used >= PyUnicode_GetLength((*t).decoded);
            if empty {
                let more = loop {
                    match read_chunk(t, 0) {
                        Ok(false) => break false,
                        Ok(true) => {
                            if !(*t).decoded.is_null() && PyUnicode_GetLength((*t).decoded) > 0 {
                                break true;
                            }
                        }
                        Err(e) => {
                            crate::iobase::retry_after_eintr(e)?;
                        }
                    }
                };
                if !more {
                    setref(&raw mut (*t).decoded, null_mut());
                    (*t).used = 0;
                    setref(&raw mut (*t).snapshot, null_mut());
                    if let Some(rest) = tail.take() {
                        head.push(rest);
                    }
                    return join(&head);
                }
            }
            let (text, offset, carried) = match tail.take() {
                None => (Owned::from_borrowed((*t).decoded), (*t).used, 0),
                Some(rest) => {
                    let k = PyUnicode_GetLength(rest.as_ptr());
                    (Owned::from_owned_or_err(PyUnicode_Concat(rest.as_ptr(), (*t).decoded))?, 0, k)
                }
            };
            let found = find_line_end(t, text.as_ptr(), offset);
            let mut end = match found {
                Ok(e) | Err(e) => e,
            };
            let mut done = found.is_ok();
            if limit >= 0 && end - offset + head_len >= limit {
                end = offset + limit - head_len;
                done = true;
            }
            if done {
                let piece = Owned::from_owned_or_err(PyUnicode_Substring(text.as_ptr(), offset, end))?;
                (*t).used = end - carried;
                if head.is_empty() {
                    return Ok(piece);
                }
                head.push(piece);
                return join(&head);
            }
            let n = PyUnicode_GetLength(text.as_ptr());
            if end > offset {
                head.push(Owned::from_owned_or_err(PyUnicode_Substring(text.as_ptr(), offset, end))?);
                head_len += end - offset;
            }
            if end < n {
                tail = Some(Owned::from_owned_or_err(PyUnicode_Substring(text.as_ptr(), end, n))?);
            }
            setref(&raw mut (*t).decoded, null_mut());
            (*t).used = 0;
        }
    }
}

fn readline(slf: T<'_>, size: isize) -> PyResult<Owned> {
    check_attached(slf)?;
    // SAFETY: [TYPE]
    unsafe { next_line(slf, size) }
}

unsafe extern "C" fn iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let t: T<'_> = Borrowed::from_ptr(slf.cast());
        if check_attached(t).is_err() {
            return null_mut();
        }
        (*t.as_ptr()).telling = false;
        let line = if type_of(slf) == types().textiowrapper {
            next_line(t, -1)
        } else {
            call0(slf, intern!("readline")).and_then(|l| {
                if PyUnicode_Check(l.as_ptr()) == 0 {
                    bail!(PyExc_OSError, "readline() should have returned a str object, not '{}'", type_name(l.as_ptr()));
                }
                Ok(l)
            })
        };
        match line {
            Err(_) => null_mut(),
            Ok(l) if PyUnicode_GetLength(l.as_ptr()) == 0 => {
                setref(&raw mut (*t.as_ptr()).snapshot, null_mut());
                (*t.as_ptr()).telling = (*t.as_ptr()).seekable;
                null_mut()
            }
            Ok(l) => l.into_raw(),
        }
    }
}

// ---- positions --------------------------------------------------------------------------------------------------------------------

/// What `tell` returns: a position of the binary stream, and how to get from there to the character.
#[derive(Default, Clone, Copy)]
struct Cookie {
    start: i64,
    flags: i32,
    feed: i32,
    skip: i32,
    eof: bool,
}

impl Cookie {
    fn to_object(self) -> PyResult<Owned> {
        let mut b = [0u8; 21];
        b[..8].copy_from_slice(&self.start.to_le_bytes());
        b[8..12].copy_from_slice(&self.flags.to_le_bytes());
        b[12..16].copy_from_slice(&self.feed.to_le_bytes());
        b[16..20].copy_from_slice(&self.skip.to_le_bytes());
        b[20] = self.eof as u8;
        // SAFETY: [GIL]
        unsafe { Owned::from_owned_or_err(_PyLong_FromByteArray(b.as_ptr(), b.len(), 1, 0)) }
    }
    unsafe fn from_object(op: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            let n = Owned::from_owned_or_err(PyNumber_Long(op))?;
            let mut b = [0u8; 21];
            check_status(_PyLong_AsByteArray(n.as_ptr().cast(), b.as_mut_ptr(), b.len(), 1, 0, 1))?;
            let int = |i: usize| i32::from_le_bytes([b[i], b[i + 1], b[i + 2], b[i + 3]]);
            let mut start = [0u8; 8];
            start.copy_from_slice(&b[..8]);
            Ok(Cookie { start: i64::from_le_bytes(start), flags: int(8), feed: int(12), skip: int(16), eof: b[20] != 0 })
        }
    }
}

unsafe fn set_decoder_state(t: *mut TextIo, c: &Cookie) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if c.start == 0 && c.flags == 0 {
            call0((*t).decoder, intern!("reset"))?;
        } else {
            let (b, f) = (bytes(b"")?, int(c.flags as i64)?);
            let pair = [b.as_ptr(), f.as_ptr()];
            let pair = Owned::from_owned_or_err(_PyTuple_FromArray(pair.as_ptr(), 2))?;
            call1((*t).decoder, intern!("setstate"), pair.as_ptr())?;
        }
        Ok(())
    }
}

unsafe fn reset_encoder(t: *mut TextIo, start: bool) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if (*t).encoder.is_null() {
            return Ok(());
        }
        if start {
            call0((*t).encoder, intern!("reset"))?;
        } else {
            call1((*t).encoder, intern!("setstate"), int(0)?.as_ptr())?;
        }
        (*t).encoding_start_of_stream = start;
        Ok(())
    }
}

fn seek(slf: T<'_>, cookie: Borrowed<'_>, whence: i32) -> PyResult<Owned> {
    check_open(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.as_ptr();
        if !(*t).seekable {
            return Err(unsupported("underlying stream is not seekable"));
        }
        let zero = int(0)?;
        let is_zero = |op: *mut PyObject| -> PyResult<bool> {
            let r = PyObject_RichCompareBool(op, zero.as_ptr(), Py_EQ);
            check_status(r)?;
            Ok(r > 0)
        };
        let mut cookie = cookie.to_owned();
        match whence {
            1 => {
                if !is_zero(cookie.as_ptr())? {
                    return Err(unsupported("can't do nonzero cur-relative seeks"));
                }
                cookie = call0(slf.ob(), intern!("tell"))?;
            }
            2 => {
                if !is_zero(cookie.as_ptr())? {
                    return Err(unsupported("can't do nonzero end-relative seeks"));
                }
                call0(slf.ob(), intern!("flush"))?;
                setref(&raw mut (*t).decoded, null_mut());
                (*t).used = 0;
                setref(&raw mut (*t).snapshot, null_mut());
                if !(*t).decoder.is_null() {
                    call0((*t).decoder, intern!("reset"))?;
                }
                let at = call2((*t).buffer, intern!("seek"), zero.as_ptr(), int(2)?.as_ptr())?;
                if !(*t).encoder.is_null() {
                    let start = is_zero(at.as_ptr())?;
                    reset_encoder(t, start)?;
                }
                return Ok(at);
            }
            0 => {}
            _ => bail!(PyExc_ValueError, "invalid whence ({}, should be 0, 1 or 2)", whence),
        }
        let negative = PyObject_RichCompareBool(cookie.as_ptr(), zero.as_ptr(), Py_LT);
        check_status(negative)?;
        if negative > 0 {
            PyErr_Format(PyExc_ValueError, c"negative seek position %R".as_ptr(), cookie.as_ptr());
            return Err(Raised::assume());
        }
        call0(slf.ob(), intern!("flush"))?;
        let c = Cookie::from_object(cookie.as_ptr())?;
        call1((*t).buffer, intern!("seek"), int(c.start)?.as_ptr())?;
        setref(&raw mut (*t).decoded, null_mut());
        (*t).used = 0;
        setref(&raw mut (*t).snapshot, null_mut());
        if !(*t).decoder.is_null() {
            set_decoder_state(t, &c)?;
        }
        if c.skip != 0 {
            // Feed the decoder what it had been fed, and skip characters.
            if (*t).decoder.is_null() {
                return Err(unsupported("not readable"));
            }
            let input = call1((*t).buffer, intern!("read"), int(c.feed as i64)?.as_ptr())?;
            if PyBytes_Check(input.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "underlying read() should have returned a bytes object, not '{}'", type_name(input.as_ptr()));
            }
            let flags = int(c.flags as i64)?;
            let pair = [flags.as_ptr(), input.as_ptr()];
            let pair = Owned::from_owned_or_err(_PyTuple_FromArray(pair.as_ptr(), 2))?;
            setref(&raw mut (*t).snapshot, pair.into_raw());
            let text = decode(t, input.as_ptr(), c.eof)?;
            let n = PyUnicode_GetLength(text.as_ptr());
            setref(&raw mut (*t).decoded, text.into_raw());
            if n < c.skip as isize {
                bail!(PyExc_OSError, "can't restore logical file position");
            }
            (*t).used = c.skip as isize;
        } else {
            let (f, b) = (int(c.flags as i64)?, bytes(b"")?);
            let pair = [f.as_ptr(), b.as_ptr()];
            let pair = Owned::from_owned_or_err(_PyTuple_FromArray(pair.as_ptr(), 2))?;
            setref(&raw mut (*t).snapshot, pair.into_raw());
        }
        if !(*t).encoder.is_null() {
            reset_encoder(t, c.start == 0 && c.flags == 0)?;
        }
        Ok(cookie)
    }
}

fn tell(slf: T<'_>) -> PyResult<Owned> {
    check_open(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.as_ptr();
        if !(*t).seekable {
            return Err(unsupported("underlying stream is not seekable"));
        }
        if !(*t).telling {
            bail!(PyExc_OSError, "telling position disabled by next() call");
        }
        write_pending(t)?;
        call0(slf.ob(), intern!("flush"))?;
        let at = call0((*t).buffer, intern!("tell"))?;
        if (*t).decoder.is_null() || (*t).snapshot.is_null() {
            return Ok(at);
        }
        let mut c = Cookie { start: offset(at.as_ptr())?, ..Cookie::default() };
        let fed = Owned::from_borrowed(PyTuple_GET_ITEM((*t).snapshot, 1));
        let fed = bytes_slice(fed.as_ptr()).to_vec();
        let flags = PyLong_AsLong(PyTuple_GET_ITEM((*t).snapshot, 0));
        if flags == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        c.flags = flags as i32;
        c.start -= fed.len() as i64;
        if (*t).used == 0 || (*t).decoded.is_null() {
            return c.to_object();
        }
        let mut to_skip = (*t).used;
        // Decode again from the snapshot, byte by byte, to find a point from which the decoder can start cleanly.
        let saved = call0((*t).decoder, intern!("getstate"))?;
        let result = (|| -> PyResult<Cookie> {
            let state_at = |t: *mut TextIo| -> PyResult<(usize, i64)> {
                let s = call0((*t).decoder, intern!("getstate"))?;
                if PyTuple_Check(s.as_ptr()) == 0 || PyTuple_GET_SIZE(s.as_ptr()) != 2 {
                    bail!(PyExc_TypeError, "illegal decoder state");
                }
                let buffered = PyTuple_GET_ITEM(s.as_ptr(), 0);
                if PyBytes_Check(buffered) == 0 {
                    bail!(PyExc_TypeError, "illegal decoder state: the first item should be a bytes object, not '{}'", type_name(buffered));
                }
                let f = PyLong_AsLong(PyTuple_GET_ITEM(s.as_ptr(), 1));
                if f == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                Ok((PyBytes_Size(buffered) as usize, f))
            };
            // A guess first: most encodings have a steady ratio of bytes to characters.
            let mut skip_bytes = ((*t).b2cratio * to_skip as f64) as usize;
            let mut skip_back = 1;
            while skip_bytes > 0 {
                set_decoder_state(t, &c)?;
                let n = skip_bytes.min(fed.len());
                let text = decode(t, bytes(&fed[..n])?.as_ptr(), false)?;
                let chars = PyUnicode_GetLength(text.as_ptr());
                if chars <= to_skip {
                    let (buffered, f) = state_at(t)?;
                    if buffered == 0 {
                        c.flags = f as i32;
                        to_skip -= chars;
                        skip_bytes = n;
                        break;
                    }
                    skip_bytes = n.saturating_sub(buffered);
                    skip_back = 1;
                    if buffered == 0 || skip_bytes == 0 {
                        skip_bytes = 0;
                    }
                } else {
                    skip_bytes = n.saturating_sub(skip_back);
                    skip_back *= 2;
                }
            }
            if skip_bytes == 0 {
                set_decoder_state(t, &c)?;
            }
            c.start += skip_bytes as i64;
            c.skip = to_skip as i32;
            if to_skip == 0 {
                return Ok(c);
            }
            let mut chars = 0;
            let mut fed_since = 0;
            let mut at = skip_bytes;
            while at < fed.len() {
                let text = decode(t, bytes(&fed[at..at + 1])?.as_ptr(), false)?;
                at += 1;
                chars += PyUnicode_GetLength(text.as_ptr());
                fed_since += 1;
                let (buffered, f) = state_at(t)?;
                if buffered == 0 && chars <= to_skip {
                    // A safe point.
                    c.start += fed_since;
                    to_skip -= chars;
                    c.flags = f as i32;
                    c.feed = 0;
                    chars = 0;
                    fed_since = 0;
                }
                if chars >= to_skip {
                    break;
                }
            }
            if at == fed.len() && chars < to_skip {
                let text = decode(t, bytes(b"")?.as_ptr(), true)?;
                chars += PyUnicode_GetLength(text.as_ptr());
                c.eof = true;
                if chars < to_skip {
                    bail!(PyExc_OSError, "can't reconstruct logical file position");
                }
            }
            c.feed = fed_since as i32;
            c.skip = to_skip as i32;
            Ok(c)
        })();
        let decoder = (*t).decoder;
        let c = chained(result, || call1(decoder, intern!("setstate"), saved.as_ptr()).map(|_| ()))?;
        c.to_object()
    }
}

fn truncate(slf: T<'_>, pos: Option<Borrowed<'_>>) -> PyResult<Owned> {
    check_attached(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        call0(slf.ob(), intern!("flush"))?;
        let pos = pos.map_or_else(none, |p| p.to_owned());
        call1(slf.buffer, intern!("truncate"), pos.as_ptr())
    }
}

// ---- the rest ----------------------------------------------------------------------------------------------------------------------

fn close(slf: T<'_>) -> PyResult<Owned> {
    check_attached(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.as_ptr();
        if is_closed((*t).buffer)? {
            return Ok(none());
        }
        if (*t).finalizing
            && let Err(e) = call1((*t).buffer, intern!("_dealloc_warn"), slf.ob())
        {
            e.clear();
        }
        let flushed = call0(slf.ob(), intern!("flush")).map(|_| ());
        let buffer = (*t).buffer;
        let mut r = None;
        chained(flushed, || {
            r = Some(call0(buffer, intern!("close"))?);
            Ok(())
        })?;
        Ok(r.unwrap_or_else(none))
    }
}
fn detach(slf: T<'_>) -> PyResult<Owned> {
    check_attached(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        call0(slf.ob(), intern!("flush"))?;
        let b = core::mem::replace(&mut (*slf.as_ptr()).buffer, null_mut());
        (*slf.as_ptr()).detached = true;
        Owned::from_owned_or_err(b)
    }
}

const RECONFIGURE: taipan_clinic::Signature<5> =
    taipan_clinic::Signature::parse("reconfigure($self, /, *, encoding=None, errors=None, newline=..., line_buffering=None, write_through=None)");

unsafe extern "C" fn reconfigure(slf: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let run = || -> PyResult<Owned> {
            let mut slots = [null_mut(); 5];
            taipan_clinic::bind(&RECONFIGURE.erase(), args, n as usize, kw, &mut slots)?;
            let slf: T<'_> = Borrowed::from_ptr(slf.cast());
            let t = slf.as_ptr();
            let given = |i: usize| (!slots[i].is_null() && slots[i] != Py_None()).then_some(slots[i]);
            for (i, what) in [(0, "encoding"), (1, "errors")] {
                if let Some(op) = given(i)
                    && PyUnicode_Check(op) == 0
                {
                    bail!(PyExc_TypeError, "reconfigure() argument '{}' must be str or None, not {}", what, type_name(op));
                }
            }
            let newline = if slots[2].is_null() {
                None
            } else if slots[2] == Py_None() {
                Some(None)
            } else {
                if PyUnicode_Check(slots[2]) == 0 {
                    bail!(PyExc_TypeError, "reconfigure() argument 'newline' must be str or None, not {}", type_name(slots[2]));
                }
                let text = text_of(slots[2], "newline")?;
                newline_text(text)?;
                Some(Some(text.to_string()))
            };
            let recodes = given(0).is_some() || given(1).is_some() || newline.is_some();
            if recodes && !(*t).decoded.is_null() {
                return Err(unsupported("It is not possible to set the encoding or newline of stream after the first read"));
            }
            let flag = |i: usize, old: bool| match given(i) {
                None => Ok(old),
                Some(v) => {
                    let n = PyLong_AsLong(v);
                    if n == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(n != 0) }
                }
            };
            let line_buffering = flag(3, (*t).line_buffering)?;
            let write_through = flag(4, (*t).write_through)?;
            call0(slf.ob(), intern!("flush"))?;
            (*t).b2cratio = 0.0;
            if recodes {
                let encoding = match given(0) {
                    Some(e) if PyUnicode_EqualToUTF8(e, c"locale".as_ptr()) != 0 => Some(locale_encoding()?),
                    Some(e) => Some(Owned::from_borrowed(e)),
                    None => None,
                };
                let errors = match (given(1), &encoding) {
                    (Some(e), _) => {
                        text_of(e, "errors")?;
                        check_errors(e)?;
                        Owned::from_borrowed(e)
                    }
                    (None, Some(_)) => string("strict")?,
                    (None, None) => Owned::from_borrowed((*t).errors),
                };
                let encoding = encoding.unwrap_or_else(|| Owned::from_borrowed((*t).encoding));
                // The name counts up to a NUL.
                let name = PyUnicode_AsUTF8AndSize(encoding.as_ptr(), null_mut());
                if name.is_null() {
                    return Err(Raised::assume());
                }
                let codec = lookup_text_codec(CStr::from_ptr(name))?;
                if let Some(n) = &newline {
                    set_newline(t, n.as_deref())?;
                }
                setref(&raw mut (*t).encoding, encoding.into_raw());
                setref(&raw mut (*t).errors, errors.into_raw());
                make_coders(t, &codec)?;
                fix_encoder_state(t)?;
            }
            (*t).line_buffering = line_buffering;
            (*t).write_through = write_through;
            Ok(none())
        };
        run().into_c()
    }
}

macro_rules! forward {
    ($($f:ident $name:literal;)*) => { $(
        fn $f(slf: T<'_>) -> PyResult<Owned> {
            check_attached(slf)?;
            // SAFETY: [TYPE]
            unsafe { call0(slf.buffer, intern!($name)) }
        }
    )* };
}
forward! { fileno "fileno"; seekable "seekable"; readable "readable"; writable "writable"; isatty "isatty"; }

fn getstate(slf: T<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    Err(raise!(PyExc_TypeError, "cannot pickle '{}' instances", type_name(slf.ob())))
}
fn enter_closed(slf: T<'_>) -> PyResult<Owned> {
    check_attached(slf)?;
    // SAFETY: [TYPE]
    unsafe { attr(slf.buffer, intern!("closed")) }
}
fn name(slf: T<'_>) -> PyResult<Owned> {
    check_attached(slf)?;
    // SAFETY: [TYPE]
    unsafe { attr(slf.buffer, intern!("name")) }
}
fn newlines(slf: T<'_>) -> PyResult<Owned> {
    check_attached(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        if slf.decoder.is_null() {
            return Ok(none());
        }
        Ok(optional_attr(slf.decoder, intern!("newlines"))?.unwrap_or_else(none))
    }
}
fn errors(slf: T<'_>) -> PyResult<Owned> {
    if !slf.ok {
        bail!(PyExc_ValueError, "I/O operation on uninitialized object");
    }
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed(slf.errors) })
}
fn encoding(slf: T<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if slf.encoding.is_null() {
            bail!(PyExc_AttributeError, "'_io.TextIOWrapper' object has no attribute 'encoding'");
        }
        Ok(Owned::from_borrowed(slf.encoding))
    }
}
fn buffer(slf: T<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if slf.buffer.is_null() {
            bail!(PyExc_AttributeError, "'_io.TextIOWrapper' object has no attribute 'buffer'");
        }
        Ok(Owned::from_borrowed(slf.buffer))
    }
}
fn line_buffering(slf: T<'_>) -> PyResult<bool> {
    Ok(slf.line_buffering)
}
fn write_through(slf: T<'_>) -> PyResult<bool> {
    Ok(slf.write_through)
}
fn chunk_size(slf: T<'_>) -> PyResult<isize> {
    check_attached(slf)?;
    Ok(slf.chunk_size)
}
fn set_chunk_size(slf: T<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    check_attached(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        let Some(v) = value else { bail!(PyExc_AttributeError, "cannot delete attribute") };
        let n = PyNumber_AsSsize_t(v.ob(), PyExc_ValueError);
        if n == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if n <= 0 {
            bail!(PyExc_ValueError, "a strictly positive integer is required");
        }
        (*slf.as_ptr()).chunk_size = n;
        Ok(())
    }
}
fn finalizing(slf: T<'_>) -> PyResult<bool> {
    Ok(slf.finalizing)
}
fn set_finalizing(slf: T<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if let Some(v) = value {
            (*slf.as_ptr()).finalizing = truth(v.ob())?;
        }
    }
    Ok(())
}

unsafe extern "C" fn repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let t = &*slf.cast::<TextIo>();
        if !t.ok {
            return Err::<Owned, _>(raise!(PyExc_ValueError, "I/O operation on uninitialized object")).into_c();
        }
        let status = Py_ReprEnter(slf);
        if status != 0 {
            if status > 0 {
                PyErr_Format(PyExc_RuntimeError, c"reentrant call inside %s.__repr__".as_ptr(), (*type_of(slf)).tp_name);
            }
            return null_mut();
        }
        let make = || -> PyResult<Owned> {
            let tp = (*type_of(slf)).tp_name;
            let mut text = Owned::from_owned_or_err(PyUnicode_FromFormat(c"<%s".as_ptr(), tp))?;
            for (key, label) in [(intern!("name"), c"%U name=%R"), (intern!("mode"), c"%U mode=%R")] {
                match optional_attr(slf, key) {
                    Ok(Some(v)) => text = Owned::from_owned_or_err(PyUnicode_FromFormat(label.as_ptr(), text.as_ptr(), v.as_ptr()))?,
                    Ok(None) => {}
                    Err(e) if e.matches(PyExc_ValueError) => e.clear(),
                    Err(e) => return Err(e),
                }
            }
            Owned::from_owned_or_err(PyUnicode_FromFormat(c"%U encoding=%R>".as_ptr(), text.as_ptr(), t.encoding))
        };
        let r = make().into_c();
        Py_ReprLeave(slf);
        r
    }
}

unsafe fn release(t: *mut TextIo) {
    // SAFETY: [OWN]
    unsafe {
        (*t).ok = false;
        for field in [
            &raw mut (*t).buffer, &raw mut (*t).encoding, &raw mut (*t).errors, &raw mut (*t).encoder, &raw mut (*t).decoder,
            &raw mut (*t).readnl, &raw mut (*t).decoded, &raw mut (*t).snapshot,
        ] {
            setref(field, null_mut());
        }
    }
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let t = slf.cast::<TextIo>();
        (*t).finalizing = true;
        if !iobase_dealloc_begin(slf) {
            return;
        }
        release(t);
        if !(*t).pending.is_null() {
            drop(Box::from_raw((*t).pending));
        }
        free_instance(slf);
    }
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.cast::<TextIo>();
        py_visit!(visitor, arg; type_of(slf), (*t).buffer, (*t).encoding, (*t).errors, (*t).encoder, (*t).decoder, (*t).readnl, (*t).decoded, (*t).snapshot, (*t).base.dict);
    }
    0
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        release(slf.cast());
        setref(&raw mut (*slf.cast::<TextIo>()).base.dict, null_mut());
    }
    0
}

methods! {
    static METHODS = [
        "detach($self, /)" => detach, "Separate the binary stream and return it.";
        raw "reconfigure", PyMethodDefPointer { PyCFunctionFastWithKeywords: reconfigure }, METH_FASTCALL | METH_KEYWORDS,
            "reconfigure($self, /, *, encoding=None, errors=None, newline=..., line_buffering=None, write_through=None)\n--\n\nChange the stream's parameters.";
        "write($self, text, /)" => write, "Write text; returns how many characters.";
        "read($self, size=-1, /)" => read, "size characters, or all that are left.";
        "readline($self, size=-1, /)" => readline, "One line, of at most size characters.";
        "flush($self, /)" => flush, "Write out what is buffered.";
        "close($self, /)" => close, "Flush and close the stream.";
        "fileno($self, /)" => fileno, "The file descriptor.";
        "seekable($self, /)" => seekable, "Whether the position can be changed.";
        "readable($self, /)" => readable, "Whether it can be read.";
        "writable($self, /)" => writable, "Whether it can be written.";
        "isatty($self, /)" => isatty, "Whether it is a terminal.";
        "seek($self, cookie, whence=0, /)" => seek, "Go to a position that tell() gave.";
        "tell($self, /)" => tell, "The position, as an opaque number.";
        "truncate($self, pos=None, /)" => truncate, "Cut the file.";
        "__getstate__($self, /)" => getstate, "Streams can't be pickled.";
    ];
}
getset! {
    static ATTRS = [
        "name" => name, "The binary stream's name.";
        "closed" => enter_closed, "Whether the stream is closed.";
        "newlines" => newlines, "Kinds of line ends met.";
        "errors" => errors, "Name of the error handler.";
        "encoding" => encoding, "Name of the encoding.";
        "buffer" => buffer, "The binary stream.";
        "line_buffering" => line_buffering, "Whether each line is flushed.";
        "write_through" => write_through, "Whether text is passed on at once.";
        "_CHUNK_SIZE" => chunk_size, set_chunk_size, "Bytes to read at a time.";
        "_finalizing" => finalizing, set_finalizing, "";
    ];
}
static mut GETSET: [PyGetSetDef; 12] = [const { PyGetSetDef { name: core::ptr::null(), get: None, set: None, doc: core::ptr::null(), closure: null_mut() } }; 12];

/// `_io.TextIOWrapper`.
pub static mut TEXTIOWRAPPER: PyTypeObject = PyTypeObject {
    tp_name: c"_io.TextIOWrapper".as_ptr(),
    tp_basicsize: size_of::<TextIo>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_repr: Some(repr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"TextIOWrapper(buffer, encoding=None, errors=None, newline=None, line_buffering=False, write_through=False)\n--\n\nText over a buffered binary stream.".as_ptr(),
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_weaklistoffset: core::mem::offset_of!(IoBase, weakreflist) as Py_ssize_t,
    tp_iternext: Some(iternext),
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    tp_dictoffset: core::mem::offset_of!(IoBase, dict) as Py_ssize_t,
    tp_init: Some(init_entry),
    ..TYPE_INIT
};

/// Completes the tables.
pub fn prepare() {
    // SAFETY: [STATIC] before the type is readied.
    unsafe {
        GETSET[0] = DICT_GETSET;
        for i in 0..10 {
            GETSET[i + 1] = core::ptr::read((&raw const ATTRS).cast::<PyGetSetDef>().add(i));
        }
    }
}
