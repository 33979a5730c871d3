//! The registry of codecs and of error handlers, and the handlers that are built in.

use crate::pystate::interp;
use crate::util::*;
use core::ffi::{CStr, c_char, c_int};
use core::ptr::null_mut;
use std::ffi::CString;
use taipan_abi::*;

// ---- the registry

fn registry() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let ip = interp();
        if !ip.codec_search_path.is_null() {
            return Ok(());
        }
        let errors = own(PyDict_New())?;
        for def in handler_defs() {
            let f = own(PyCFunction_NewEx(def, null_mut(), null_mut()))?;
            let name = c_text((*def).ml_name);
            dict_set_str(errors.as_ptr(), name.trim_end_matches("_errors"), f.as_ptr())?;
        }
        ip.codec_search_cache = own(PyDict_New())?.into_raw();
        ip.codec_error_registry = errors.into_raw();
        ip.codec_search_path = own(PyList_New(0))?.into_raw();
        Ok(())
    }
}

/// Makes the registry and imports the package that finds the library's codecs.
pub fn init() -> PyResult<()> {
    registry()?;
    import(c"encodings")?;
    Ok(())
}

/// Adds a search function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_Register(search_function: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if registry().is_err() {
            return -1;
        }
        if search_function.is_null() {
            PyErr_BadArgument();
            return -1;
        }
        if PyCallable_Check(search_function) == 0 {
            let _ = raise!(PyExc_TypeError, "argument must be callable");
            return -1;
        }
        PyList_Append(interp().codec_search_path, search_function)
    }
}

/// Removes a search function, and forgets what it found.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_Unregister(search_function: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let ip = interp();
        if ip.codec_search_path.is_null() {
            return 0;
        }
        let list = ip.codec_search_path;
        for i in 0..PyList_GET_SIZE(list) {
            if PyList_GET_ITEM(list, i) == search_function {
                PyDict_Clear(ip.codec_search_cache);
                return PyList_SetSlice(list, i, i + 1, null_mut());
            }
        }
        0
    }
}

/// Lower case, with underscores between runs of letters and digits.
fn normalize(encoding: &[u8]) -> String {
    let mut out = String::with_capacity(encoding.len());
    let mut gap = false;
    for &c in encoding {
        if c.is_ascii_alphanumeric() || c == b'.' {
            if gap && !out.is_empty() {
                out.push('_');
            }
            gap = false;
            out.push(c.to_ascii_lowercase() as char);
        } else {
            gap = true;
        }
    }
    out
}

/// The CodecInfo of an encoding; LookupError if there is none.
pub fn lookup(encoding: &CStr) -> PyResult<Owned> {
    registry()?;
    // SAFETY: [GIL]
    unsafe {
        let ip = interp();
        let mut key = new_str(&normalize(encoding.to_bytes()))?.into_raw();
        PyUnicode_InternInPlace(&mut key);
        let key: Owned = Owned::from_owned(key);
        if let Some(found) = dict_get(ip.codec_search_cache, key.as_ptr())? {
            return Ok(found);
        }
        let path = Owned::from_borrowed(ip.codec_search_path);
        if PyList_GET_SIZE(path.as_ptr()) == 0 {
            bail!(PyExc_LookupError, "no codec search functions registered: can't find encoding");
        }
        let mut i = 0;
        while i < PyList_GET_SIZE(path.as_ptr()) {
            let f = Owned::from_borrowed(PyList_GET_ITEM(path.as_ptr(), i));
            let r = call(f.as_ptr(), &[key.as_ptr()])?;
            if r.as_ptr() != Py_None() {
                if PyTuple_Check(r.as_ptr()) == 0 || PyTuple_GET_SIZE(r.as_ptr()) != 4 {
                    bail!(PyExc_TypeError, "codec search functions must return 4-tuples");
                }
                dict_set(ip.codec_search_cache, key.as_ptr(), r.as_ptr())?;
                return Ok(r);
            }
            i += 1;
        }
        bail!(PyExc_LookupError, "unknown encoding: {}", encoding.to_string_lossy())
    }
}

unsafe fn name<'a>(encoding: *const c_char) -> PyResult<&'a CStr> {
    // SAFETY: [ARGS]
    unsafe {
        if encoding.is_null() {
            PyErr_BadArgument();
            return Err(Raised::assume());
        }
        Ok(CStr::from_ptr(encoding))
    }
}

/// The CodecInfo of an encoding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCodec_Lookup(encoding: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { name(encoding).and_then(lookup).into_c() }
}

/// Whether there is such an encoding; never raises.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_KnownEncoding(encoding: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match name(encoding).and_then(lookup) {
            Ok(_) => 1,
            Err(e) => {
                e.clear();
                0
            }
        }
    }
}

unsafe fn codec_item(encoding: *const c_char, index: Py_ssize_t) -> PyResult<Owned> {
    // SAFETY: [ARGS] a tuple of four.
    unsafe {
        let codec = lookup(name(encoding)?)?;
        Ok(Owned::from_borrowed(PyTuple_GET_ITEM(codec.as_ptr(), index)))
    }
}

unsafe fn incremental(codec: *mut PyObject, errors: *const c_char, attr: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let class = getattr(codec, attr)?;
        if errors.is_null() {
            return call(class.as_ptr(), &[]);
        }
        let errors = own(PyUnicode_FromString(errors))?;
        call(class.as_ptr(), &[errors.as_ptr()])
    }
}

/// The encoder function of an encoding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_Encoder(encoding: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { codec_item(encoding, 0).into_c() }
}

/// The decoder function of an encoding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_Decoder(encoding: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { codec_item(encoding, 1).into_c() }
}

/// A new incremental encoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_IncrementalEncoder(encoding: *const c_char, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { name(encoding).and_then(lookup).and_then(|c| incremental(c.as_ptr(), errors, intern!("incrementalencoder"))).into_c() }
}

/// A new incremental decoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_IncrementalDecoder(encoding: *const c_char, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { name(encoding).and_then(lookup).and_then(|c| incremental(c.as_ptr(), errors, intern!("incrementaldecoder"))).into_c() }
}

/// A new incremental encoder of a CodecInfo.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCodecInfo_GetIncrementalEncoder(codec: *mut PyObject, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { incremental(codec, errors, intern!("incrementalencoder")).into_c() }
}

/// A new incremental decoder of a CodecInfo.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCodecInfo_GetIncrementalDecoder(codec: *mut PyObject, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { incremental(codec, errors, intern!("incrementaldecoder")).into_c() }
}

unsafe fn stream(encoding: *const c_char, stream: *mut PyObject, errors: *const c_char, index: Py_ssize_t) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let class = codec_item(encoding, index)?;
        if errors.is_null() {
            return call(class.as_ptr(), &[stream]);
        }
        let errors = own(PyUnicode_FromString(errors))?;
        call(class.as_ptr(), &[stream, errors.as_ptr()])
    }
}

/// A new StreamReader.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_StreamReader(encoding: *const c_char, s: *mut PyObject, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { stream(encoding, s, errors, 2).into_c() }
}

/// A new StreamWriter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_StreamWriter(encoding: *const c_char, s: *mut PyObject, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { stream(encoding, s, errors, 3).into_c() }
}

/// Calls an encoder or decoder and takes the first item of its result.
unsafe fn run(function: &Owned, object: *mut PyObject, encoding: &CStr, errors: *const c_char, encode: bool) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let result = if errors.is_null() {
            call(function.as_ptr(), &[object])
        } else {
            let e = own(PyUnicode_FromString(errors))?;
            call(function.as_ptr(), &[object, e.as_ptr()])
        };
        let what = if encode { "encoding" } else { "decoding" };
        let result = match result {
            Ok(r) => r,
            Err(e) => {
                // The note tells which codec it was.
                let exc = PyErr_GetRaisedException();
                if let Ok(note) = new_str(&format!("{what} with '{}' codec failed", encoding.to_string_lossy())) {
                    let _ = call_method(exc, intern!("add_note"), &[note.as_ptr()]);
                    PyErr_Clear();
                }
                PyErr_SetRaisedException(exc);
                return Err(e);
            }
        };
        if PyTuple_Check(result.as_ptr()) == 0 || PyTuple_GET_SIZE(result.as_ptr()) != 2 {
            let who = if encode { "encoder" } else { "decoder" };
            bail!(PyExc_TypeError, "{who} must return a tuple (object,integer)");
        }
        Ok(Owned::from_borrowed(PyTuple_GET_ITEM(result.as_ptr(), 0)))
    }
}

/// Encodes an object; `errors` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_Encode(object: *mut PyObject, encoding: *const c_char, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { name(encoding).and_then(|n| run(&codec_item(encoding, 0)?, object, n, errors, true)).into_c() }
}

/// Decodes an object; `errors` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_Decode(object: *mut PyObject, encoding: *const c_char, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { name(encoding).and_then(|n| run(&codec_item(encoding, 1)?, object, n, errors, false)).into_c() }
}

/// The CodecInfo of a text encoding; LookupError naming `alternate` for one between bytes or between strs.
unsafe fn lookup_text(encoding: &CStr, alternate: &str) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let codec = lookup(encoding)?;
        if (*codec.as_ptr()).ob_type != &raw mut PyTuple_Type
            && let Some(attr) = getattr_opt(codec.as_ptr(), intern!("_is_text_encoding"))?
            && !is_true(attr.as_ptr())?
        {
            bail!(
                PyExc_LookupError,
                "'{}' is not a text encoding; use {alternate} to handle arbitrary codecs",
                encoding.to_string_lossy()
            );
        }
        Ok(codec)
    }
}

/// The CodecInfo of a text encoding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCodec_LookupTextEncoding(encoding: *const c_char, alternate: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let alt = c_text(alternate);
        let alt = if alternate.is_null() { "codecs.open()" } else { &alt };
        name(encoding).and_then(|n| lookup_text(n, alt)).into_c()
    }
}

/// Encodes a str by a text encoding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCodec_EncodeText(object: *mut PyObject, encoding: *const c_char, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let n = name(encoding)?;
        let codec = lookup_text(n, "codecs.encode()")?;
        run(&Owned::from_borrowed(PyTuple_GET_ITEM(codec.as_ptr(), 0)), object, n, errors, true)
    })();
    r.into_c()
}

/// Decodes bytes by a text encoding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCodec_DecodeText(object: *mut PyObject, encoding: *const c_char, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let n = name(encoding)?;
        let codec = lookup_text(n, "codecs.decode()")?;
        run(&Owned::from_borrowed(PyTuple_GET_ITEM(codec.as_ptr(), 1)), object, n, errors, false)
    })();
    r.into_c()
}

/// Registers an error handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_RegisterError(name: *const c_char, error: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if registry().is_err() {
            return -1;
        }
        if PyCallable_Check(error) == 0 {
            let _ = raise!(PyExc_TypeError, "handler must be callable");
            return -1;
        }
        PyDict_SetItemString(interp().codec_error_registry, name, error)
    }
}

/// The error handler of a name (NULL: `strict`); LookupError if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCodec_LookupError(name: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        registry()?;
        let name = if name.is_null() { c"strict".as_ptr() } else { name };
        let key = own(PyUnicode_FromString(name))?;
        match dict_get(interp().codec_error_registry, key.as_ptr())? {
            Some(h) => Ok(h),
            None => bail!(PyExc_LookupError, "unknown error handler name '{}'", c_text(name)),
        }
    })();
    r.into_c()
}

// ---- error handlers

/// What a handler looks at: the kind of exception, its object, and the range that failed.
struct Failure {
    kind: Kind,
    exc: *mut PyObject,
    object: Owned,
    start: Py_ssize_t,
    end: Py_ssize_t,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Encode,
    Decode,
    Translate,
}

#[cold]
unsafe fn wrong_exception_type(exc: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    raise!(PyExc_TypeError, "don't know how to handle {} in error callback", type_name(exc))
}

impl Failure {
    unsafe fn of(exc: *mut PyObject) -> PyResult<Failure> {
        // SAFETY: [ARGS] the accessors check the object's type and clamp the range.
        unsafe {
            let is = |class: *mut PyObject| is_instance_of(exc, class.cast());
            let (mut start, mut end) = (0, 0);
            let (kind, object) = if is(PyExc_UnicodeEncodeError) {
                check_status(PyUnicodeEncodeError_GetStart(exc, &mut start))?;
                check_status(PyUnicodeEncodeError_GetEnd(exc, &mut end))?;
                (Kind::Encode, own(PyUnicodeEncodeError_GetObject(exc))?)
            } else if is(PyExc_UnicodeDecodeError) {
                check_status(PyUnicodeDecodeError_GetStart(exc, &mut start))?;
                check_status(PyUnicodeDecodeError_GetEnd(exc, &mut end))?;
                (Kind::Decode, own(PyUnicodeDecodeError_GetObject(exc))?)
            } else if is(PyExc_UnicodeTranslateError) {
                check_status(PyUnicodeTranslateError_GetStart(exc, &mut start))?;
                check_status(PyUnicodeTranslateError_GetEnd(exc, &mut end))?;
                (Kind::Translate, own(PyUnicodeTranslateError_GetObject(exc))?)
            } else {
                return Err(wrong_exception_type(exc));
            };
            Ok(Failure { kind, exc, object, start, end: end.max(start) })
        }
    }

    /// The characters that failed, or the bytes.
    unsafe fn units(&self) -> Vec<u32> {
        // SAFETY: [TYPE] a str, or bytes for decoding.
        unsafe {
            if self.kind == Kind::Decode {
                let b = bytes_of(self.object.as_ptr());
                let end = (self.end as usize).min(b.len());
                let start = (self.start as usize).min(end);
                return b[start..end].iter().map(|&b| b as u32).collect();
            }
            let n = PyUnicode_GetLength(self.object.as_ptr());
            let end = self.end.min(n);
            (self.start.min(end)..end).map(|i| PyUnicode_ReadChar(self.object.as_ptr(), i)).collect()
        }
    }

    /// All bytes of the object being decoded.
    unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: [TYPE] bytes for decoding.
        unsafe { bytes_of(self.object.as_ptr()) }
    }

    fn result(&self, replacement: PyResult<Owned>) -> PyResult<Owned> {
        result_at(replacement, self.end)
    }

    unsafe fn encoding(&self) -> PyResult<String> {
        // SAFETY: [TYPE]
        unsafe {
            let e = own(if self.kind == Kind::Decode { PyUnicodeDecodeError_GetEncoding(self.exc) } else { PyUnicodeEncodeError_GetEncoding(self.exc) })?;
            Ok(lossy(e.as_ptr()))
        }
    }

    /// Raises the exception itself: the handler does not apply.
    unsafe fn give_up(&self) -> Raised {
        // SAFETY: [ARGS]
        unsafe {
            PyErr_SetObject((*self.exc).ob_type.cast(), self.exc);
            Raised::assume()
        }
    }
}

fn result_at(replacement: PyResult<Owned>, at: Py_ssize_t) -> PyResult<Owned> {
    let r = replacement?;
    let at = new_int(at as i64)?;
    // SAFETY: both live.
    unsafe { tuple(&[r.as_ptr(), at.as_ptr()]) }
}

fn chars(text: &[u32]) -> PyResult<Owned> {
    // SAFETY: [GIL] code points of strs.
    unsafe { own(PyUnicode_FromKindAndData(4, text.as_ptr().cast(), text.len() as Py_ssize_t)) }
}

fn bytes_object(b: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as Py_ssize_t)) }
}

unsafe fn strict(exc: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyExceptionInstance_Check(exc) != 0 {
            PyErr_SetObject((*exc).ob_type.cast(), exc);
            return Err(Raised::assume());
        }
        bail!(PyExc_TypeError, "codec must pass exception instance")
    }
}

unsafe fn ignore(exc: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Failure::of(exc)?.result(new_str("")) }
}

unsafe fn replace(exc: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let f = Failure::of(exc)?;
        let n = f.units().len();
        f.result(match f.kind {
            Kind::Encode => chars(&vec![b'?' as u32; n]),
            Kind::Decode => chars(&[0xfffd]),
            Kind::Translate => chars(&vec![0xfffd; n]),
        })
    }
}

unsafe fn xmlcharrefreplace(exc: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if !is_instance_of(exc, PyExc_UnicodeEncodeError.cast()) {
            return Err(wrong_exception_type(exc));
        }
        let f = Failure::of(exc)?;
        let text: String = f.units().iter().map(|c| format!("&#{c};")).collect();
        f.result(new_str(&text))
    }
}

/// `\xhh`, `\uhhhh` or `\Uhhhhhhhh`.
fn backslash(out: &mut String, c: u32) {
    out.push_str(&match c {
        0..=0xff => format!("\\x{c:02x}"),
        0x100..=0xffff => format!("\\u{c:04x}"),
        _ => format!("\\U{c:08x}"),
    });
}

unsafe fn backslashreplace(exc: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let f = Failure::of(exc)?;
        let mut text = String::new();
        f.units().iter().for_each(|&c| backslash(&mut text, c));
        f.result(new_str(&text))
    }
}

unsafe fn namereplace(exc: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if !is_instance_of(exc, PyExc_UnicodeEncodeError.cast()) {
            return Err(wrong_exception_type(exc));
        }
        let f = Failure::of(exc)?;
        let api = PyCapsule_Import(c"unicodedata._ucnhash_CAPI".as_ptr(), 1).cast::<NameApi>();
        if api.is_null() {
            return Err(Raised::assume());
        }
        let mut text = String::new();
        for c in f.units() {
            let mut buf = [0 as c_char; 256];
            if ((*api).getname)(c, buf.as_mut_ptr(), buf.len() as c_int, 1) != 0 {
                text.push_str(&format!("\\N{{{}}}", c_text(buf.as_ptr())));
            } else {
                backslash(&mut text, c);
            }
        }
        f.result(new_str(&text))
    }
}

/// The first function that `unicodedata` offers to C.
#[repr(C)]
struct NameApi {
    getname: unsafe extern "C" fn(u32, *mut c_char, c_int, c_int) -> c_int,
}

#[derive(Clone, Copy, PartialEq)]
enum Utf {
    Eight,
    Sixteen { big: bool },
    ThirtyTwo { big: bool },
}

/// Which UTF an encoding is, for `surrogatepass`.
fn standard_encoding(name: &str) -> Option<Utf> {
    let n: String = name.chars().filter(|c| *c != '-' && *c != '_').map(|c| c.to_ascii_lowercase()).collect();
    let native = cfg!(target_endian = "big");
    Some(match n.as_str() {
        "utf8" | "cputf8" | "cp65001" => Utf::Eight,
        "utf16" => Utf::Sixteen { big: native },
        "utf16le" => Utf::Sixteen { big: false },
        "utf16be" => Utf::Sixteen { big: true },
        "utf32" => Utf::ThirtyTwo { big: native },
        "utf32le" => Utf::ThirtyTwo { big: false },
        "utf32be" => Utf::ThirtyTwo { big: true },
        _ => return None,
    })
}

unsafe fn surrogatepass(exc: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if is_instance_of(exc, PyExc_UnicodeTranslateError.cast()) {
            return Err(wrong_exception_type(exc));
        }
        let f = Failure::of(exc)?;
        let Some(utf) = standard_encoding(&f.encoding()?) else { return Err(f.give_up()) };
        if f.kind == Kind::Encode {
            let mut out = Vec::new();
            for c in f.units() {
                if !(0xd800..=0xdfff).contains(&c) {
                    return Err(f.give_up());
                }
                match utf {
                    Utf::Eight => out.extend_from_slice(&[0xe0 | (c >> 12) as u8, 0x80 | ((c >> 6) & 0x3f) as u8, 0x80 | (c & 0x3f) as u8]),
                    Utf::Sixteen { big } => out.extend_from_slice(&if big { (c as u16).to_be_bytes() } else { (c as u16).to_le_bytes() }),
                    Utf::ThirtyTwo { big } => out.extend_from_slice(&if big { c.to_be_bytes() } else { c.to_le_bytes() }),
                }
            }
            return f.result(bytes_object(&out));
        }
        let all = f.bytes();
        let rest = all.get(f.start as usize..).unwrap_or(&[]);
        let (c, n) = match (utf, rest) {
            (Utf::Eight, [a, b, c, ..]) if a & 0xf0 == 0xe0 && b & 0xc0 == 0x80 && c & 0xc0 == 0x80 => {
                (((*a as u32 & 0x0f) << 12) | ((*b as u32 & 0x3f) << 6) | (*c as u32 & 0x3f), 3)
            }
            (Utf::Sixteen { big }, [a, b, ..]) => (if big { u16::from_be_bytes([*a, *b]) } else { u16::from_le_bytes([*a, *b]) } as u32, 2),
            (Utf::ThirtyTwo { big }, [a, b, c, d, ..]) => {
                let w = [*a, *b, *c, *d];
                (if big { u32::from_be_bytes(w) } else { u32::from_le_bytes(w) }, 4)
            }
            _ => (0, 0),
        };
        if !(0xd800..=0xdfff).contains(&c) {
            return Err(f.give_up());
        }
        result_at(chars(&[c]), f.start + n)
    }
}

unsafe fn surrogateescape(exc: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if is_instance_of(exc, PyExc_UnicodeTranslateError.cast()) {
            return Err(wrong_exception_type(exc));
        }
        let f = Failure::of(exc)?;
        let units = f.units();
        if f.kind == Kind::Encode {
            let mut out = Vec::new();
            for c in units {
                if !(0xdc80..=0xdcff).contains(&c) {
                    return Err(f.give_up());
                }
                out.push((c - 0xdc00) as u8);
            }
            return f.result(bytes_object(&out));
        }
        // At most four bytes at a time; ASCII is never escaped.
        let escaped: Vec<u32> = units.iter().take(4).take_while(|c| **c >= 128).map(|c| 0xdc00 + c).collect();
        if escaped.is_empty() {
            return Err(f.give_up());
        }
        result_at(chars(&escaped), f.start + escaped.len() as Py_ssize_t)
    }
}

macro_rules! handlers {
    ($($c:ident $def:ident $name:literal => $f:ident, $doc:literal;)*) => {
        $(
            #[doc = concat!("The error handler `", stringify!($f), "`.")]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $c(exc: *mut PyObject) -> *mut PyObject {
                // SAFETY: [ARGS]
                unsafe { $f(exc).into_c() }
            }
            static mut $def: PyMethodDef = PyMethodDef {
                ml_name: concat!($name, "\0").as_ptr().cast(),
                ml_meth: PyMethodDefPointer { PyCFunction: {
                    unsafe extern "C" fn entry(_: *mut PyObject, exc: *mut PyObject) -> *mut PyObject {
                        // SAFETY: [ARGS]
                        unsafe { $f(exc).into_c() }
                    }
                    entry
                } },
                ml_flags: METH_O,
                ml_doc: concat!($doc, "\0").as_ptr().cast(),
            };
        )*
        fn handler_defs() -> Vec<*mut PyMethodDef> {
            vec![$(&raw mut $def),*]
        }
    };
}
handlers! {
    PyCodec_StrictErrors STRICT "strict_errors" => strict, "The error handler 'strict': raises the error.";
    PyCodec_IgnoreErrors IGNORE "ignore_errors" => ignore, "The error handler 'ignore': leaves out what fails.";
    PyCodec_ReplaceErrors REPLACE "replace_errors" => replace, "The error handler 'replace': puts a replacement character.";
    PyCodec_XMLCharRefReplaceErrors XML "xmlcharrefreplace_errors" => xmlcharrefreplace, "The error handler 'xmlcharrefreplace': puts XML character references.";
    PyCodec_BackslashReplaceErrors BACKSLASH "backslashreplace_errors" => backslashreplace, "The error handler 'backslashreplace': puts escape sequences.";
    PyCodec_NameReplaceErrors NAME "namereplace_errors" => namereplace, "The error handler 'namereplace': puts escape sequences with names.";
    PyCodec_SurrogatePassErrors PASS "surrogatepass" => surrogatepass, "The error handler 'surrogatepass': lets lone surrogates through.";
    PyCodec_SurrogateEscapeErrors ESCAPE "surrogateescape" => surrogateescape, "The error handler 'surrogateescape': keeps bytes as lone surrogates.";
}

/// Lower-case hexadecimal digits.
#[unsafe(no_mangle)]
pub static Py_hexdigits: HexDigits = HexDigits(c"0123456789abcdef".as_ptr());

/// A pointer to constant text, which any thread may read.
#[repr(transparent)]
pub struct HexDigits(*const c_char);
// SAFETY: the text is constant.
unsafe impl Sync for HexDigits {}

/// A C string of an optional argument.
pub fn c_option(text: Option<&str>) -> Option<CString> {
    text.and_then(|t| CString::new(t).ok())
}
