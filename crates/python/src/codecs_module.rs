//! The module `_codecs`: the registry, and the codecs that are built in, as functions.

use crate::util::*;
use core::ffi::{c_char, c_int};
use core::ptr::{null, null_mut};
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::{BufferView, Bytes, FromArg, Str, from_arg::Where, methods, module};

unsafe extern "C" {
    fn PyUnicode_DecodeUTF7Stateful(s: *const c_char, n: Py_ssize_t, errors: *const c_char, consumed: *mut Py_ssize_t) -> *mut PyObject;
    fn _PyUnicode_DecodeUnicodeEscapeStateful(s: *const c_char, n: Py_ssize_t, errors: *const c_char, consumed: *mut Py_ssize_t) -> *mut PyObject;
    fn _PyUnicode_DecodeRawUnicodeEscapeStateful(s: *const c_char, n: Py_ssize_t, errors: *const c_char, consumed: *mut Py_ssize_t) -> *mut PyObject;
    fn _PyUnicode_EncodeUTF7(s: *mut PyObject, base64_set_o: c_int, base64_white_space: c_int, errors: *const c_char) -> *mut PyObject;
    fn _PyUnicode_AsUTF8String(s: *mut PyObject, errors: *const c_char) -> *mut PyObject;
    fn _PyUnicode_EncodeUTF16(s: *mut PyObject, errors: *const c_char, byteorder: c_int) -> *mut PyObject;
    fn _PyUnicode_EncodeUTF32(s: *mut PyObject, errors: *const c_char, byteorder: c_int) -> *mut PyObject;
    fn _PyUnicode_AsLatin1String(s: *mut PyObject, errors: *const c_char) -> *mut PyObject;
    fn _PyUnicode_AsASCIIString(s: *mut PyObject, errors: *const c_char) -> *mut PyObject;
    fn _PyUnicode_EncodeCharmap(s: *mut PyObject, mapping: *mut PyObject, errors: *const c_char) -> *mut PyObject;
    fn PyUnicode_BuildEncodingMap(s: *mut PyObject) -> *mut PyObject;
}

/// A codec error handler's name, or None.
struct Errors(Option<CString>);
impl Errors {
    fn ptr(&self) -> *const c_char {
        self.0.as_ref().map_or(null(), |c| c.as_ptr())
    }
}
impl<'a> FromArg<'a> for Errors {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() || arg == Py_None() {
                return Ok(Errors(None));
            }
            if PyUnicode_Check(arg) == 0 {
                return Err(at.bad("str or None", arg));
            }
            match CString::new(utf8(arg)?) {
                Ok(c) => Ok(Errors(Some(c))),
                Err(_) => bail!(PyExc_ValueError, "embedded null character"),
            }
        }
    }
}

/// A name that C code will read.
struct Name(CString);
impl<'a> FromArg<'a> for Name {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            let text = <&str as FromArg>::from_arg(arg, at)?;
            match CString::new(text) {
                Ok(c) => Ok(Name(c)),
                Err(_) => bail!(PyExc_ValueError, "embedded null character"),
            }
        }
    }
}

/// Bytes, or the UTF-8 of a str.
enum Text<'a> {
    Str(&'a str),
    Buffer(BufferView),
}
impl Text<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Text::Str(s) => s.as_bytes(),
            Text::Buffer(b) => b.as_bytes(),
        }
    }
}
impl<'a> FromArg<'a> for Text<'a> {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if !arg.is_null() && PyUnicode_Check(arg) != 0 {
                return Ok(Text::Str(utf8(arg)?));
            }
            Ok(Text::Buffer(<BufferView as FromArg>::from_arg(arg, at)?))
        }
    }
}

/// The pair that codec functions return.
fn pair(object: *mut PyObject, n: Py_ssize_t) -> PyResult<Owned> {
    // SAFETY: [ARGS] NULL means that an exception is set.
    unsafe {
        let o = own(object)?;
        let n = new_int(n as i64)?;
        tuple(&[o.as_ptr(), n.as_ptr()])
    }
}

fn codecs_register(_: (), f: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    check_status(unsafe { crate::codecs::PyCodec_Register(f.ob()) })
}

fn codecs_unregister(_: (), f: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    check_status(unsafe { crate::codecs::PyCodec_Unregister(f.ob()) })
}

fn codecs_lookup(_: (), encoding: Name) -> PyResult<Owned> {
    crate::codecs::lookup(&encoding.0)
}

fn codecs_encode(_: (), obj: Borrowed<'_>, encoding: Option<Name>, errors: Option<Name>) -> PyResult<Owned> {
    let enc = encoding.map_or_else(|| c"utf-8".to_owned(), |n| n.0);
    let err = errors.map(|n| n.0);
    // SAFETY: [ARGS]
    unsafe { own(crate::codecs::PyCodec_Encode(obj.ob(), enc.as_ptr(), err.as_ref().map_or(null(), |e| e.as_ptr()))) }
}

fn codecs_decode(_: (), obj: Borrowed<'_>, encoding: Option<Name>, errors: Option<Name>) -> PyResult<Owned> {
    let enc = encoding.map_or_else(|| c"utf-8".to_owned(), |n| n.0);
    let err = errors.map(|n| n.0);
    // SAFETY: [ARGS]
    unsafe { own(crate::codecs::PyCodec_Decode(obj.ob(), enc.as_ptr(), err.as_ref().map_or(null(), |e| e.as_ptr()))) }
}

fn codecs_escape_decode(_: (), data: Text<'_>, errors: Errors) -> PyResult<Owned> {
    let b = data.bytes();
    // SAFETY: [ARGS]
    let r = unsafe { PyBytes_DecodeEscape(b.as_ptr().cast(), b.len() as Py_ssize_t, errors.ptr(), 0, null()) };
    pair(r, b.len() as Py_ssize_t)
}

fn codecs_escape_encode(_: (), data: Bytes<'_>, errors: Errors) -> PyResult<Owned> {
    let _ = errors;
    // SAFETY: [TYPE]
    let b = unsafe { bytes_of(data.ob()) };
    let mut out = Vec::with_capacity(b.len());
    for &c in b {
        match c {
            b'\'' | b'\\' => out.extend_from_slice(&[b'\\', c]),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b' '..=b'~' => out.push(c),
            _ => out.extend_from_slice(format!("\\x{c:02x}").as_bytes()),
        }
    }
    // SAFETY: [GIL]
    pair(unsafe { PyBytes_FromStringAndSize(out.as_ptr().cast(), out.len() as Py_ssize_t) }, b.len() as Py_ssize_t)
}

/// Decoders that may stop before an incomplete sequence.
macro_rules! stateful {
    ($($name:ident($data:ty) => $f:ident;)*) => { $(
        fn $name(_: (), data: $data, errors: Errors, r#final: bool) -> PyResult<Owned> {
            #[allow(unused_imports, reason = "one of the two kinds of data needs it")]
            use Viewed as _;
            let b = data.view();
            let mut consumed = b.len() as Py_ssize_t;
            let at = if r#final { null_mut() } else { &raw mut consumed };
            // SAFETY: [ARGS]
            let r = unsafe { $f(b.as_ptr().cast(), b.len() as Py_ssize_t, errors.ptr(), at) };
            pair(r, consumed)
        }
    )* };
}
/// What a decoder reads.
trait Viewed {
    fn view(&self) -> &[u8];
}
impl Viewed for BufferView {
    fn view(&self) -> &[u8] {
        self.as_bytes()
    }
}
impl Viewed for Text<'_> {
    fn view(&self) -> &[u8] {
        self.bytes()
    }
}
stateful! {
    codecs_utf_7_decode(BufferView) => PyUnicode_DecodeUTF7Stateful;
    codecs_utf_8_decode(BufferView) => PyUnicode_DecodeUTF8Stateful;
    codecs_unicode_escape_decode(Text<'_>) => _PyUnicode_DecodeUnicodeEscapeStateful;
    codecs_raw_unicode_escape_decode(Text<'_>) => _PyUnicode_DecodeRawUnicodeEscapeStateful;
}

type Utf = unsafe extern "C" fn(*const c_char, Py_ssize_t, *const c_char, *mut c_int, *mut Py_ssize_t) -> *mut PyObject;

fn utf_decode(f: Utf, data: &BufferView, errors: &Errors, byteorder: &mut c_int, r#final: bool) -> PyResult<(Owned, Py_ssize_t)> {
    let b = data.as_bytes();
    let mut consumed = b.len() as Py_ssize_t;
    let at = if r#final { null_mut() } else { &raw mut consumed };
    // SAFETY: [ARGS]
    let r = unsafe { own(f(b.as_ptr().cast(), b.len() as Py_ssize_t, errors.ptr(), byteorder, at))? };
    Ok((r, consumed))
}

unsafe extern "C" {
    fn PyUnicode_DecodeUTF16Stateful(s: *const c_char, n: Py_ssize_t, errors: *const c_char, byteorder: *mut c_int, consumed: *mut Py_ssize_t) -> *mut PyObject;
    fn PyUnicode_DecodeUTF32Stateful(s: *const c_char, n: Py_ssize_t, errors: *const c_char, byteorder: *mut c_int, consumed: *mut Py_ssize_t) -> *mut PyObject;
}

macro_rules! utf {
    ($($name:ident => $f:ident, $order:literal;)*) => { $(
        fn $name(_: (), data: BufferView, errors: Errors, r#final: bool) -> PyResult<Owned> {
            let mut order = $order;
            let (r, n) = utf_decode($f, &data, &errors, &mut order, r#final)?;
            pair(r.into_raw(), n)
        }
    )* };
}
utf! {
    codecs_utf_16_decode => PyUnicode_DecodeUTF16Stateful, 0;
    codecs_utf_16_le_decode => PyUnicode_DecodeUTF16Stateful, -1;
    codecs_utf_16_be_decode => PyUnicode_DecodeUTF16Stateful, 1;
    codecs_utf_32_decode => PyUnicode_DecodeUTF32Stateful, 0;
    codecs_utf_32_le_decode => PyUnicode_DecodeUTF32Stateful, -1;
    codecs_utf_32_be_decode => PyUnicode_DecodeUTF32Stateful, 1;
}

fn ex(f: Utf, data: BufferView, errors: Errors, byteorder: i32, r#final: bool) -> PyResult<Owned> {
    let mut order = byteorder;
    let (r, n) = utf_decode(f, &data, &errors, &mut order, r#final)?;
    let (n, o) = (new_int(n as i64)?, new_int(order as i64)?);
    // SAFETY: live.
    unsafe { tuple(&[r.as_ptr(), n.as_ptr(), o.as_ptr()]) }
}

fn codecs_utf_16_ex_decode(_: (), data: BufferView, errors: Errors, byteorder: i32, r#final: bool) -> PyResult<Owned> {
    ex(PyUnicode_DecodeUTF16Stateful, data, errors, byteorder, r#final)
}

fn codecs_utf_32_ex_decode(_: (), data: BufferView, errors: Errors, byteorder: i32, r#final: bool) -> PyResult<Owned> {
    ex(PyUnicode_DecodeUTF32Stateful, data, errors, byteorder, r#final)
}

fn codecs_latin_1_decode(_: (), data: BufferView, errors: Errors) -> PyResult<Owned> {
    let b = data.as_bytes();
    // SAFETY: [ARGS]
    pair(unsafe { PyUnicode_DecodeLatin1(b.as_ptr().cast(), b.len() as Py_ssize_t, errors.ptr()) }, b.len() as Py_ssize_t)
}

fn codecs_ascii_decode(_: (), data: BufferView, errors: Errors) -> PyResult<Owned> {
    let b = data.as_bytes();
    // SAFETY: [ARGS]
    pair(unsafe { PyUnicode_DecodeASCII(b.as_ptr().cast(), b.len() as Py_ssize_t, errors.ptr()) }, b.len() as Py_ssize_t)
}

fn codecs_charmap_decode(_: (), data: BufferView, errors: Errors, mapping: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let b = data.as_bytes();
    let m = mapping.map_or(null_mut(), |m| m.ob());
    // SAFETY: [ARGS]
    pair(unsafe { PyUnicode_DecodeCharmap(b.as_ptr().cast(), b.len() as Py_ssize_t, m, errors.ptr()) }, b.len() as Py_ssize_t)
}

fn codecs_readbuffer_encode(_: (), data: Text<'_>, errors: Errors) -> PyResult<Owned> {
    let _ = errors;
    let b = data.bytes();
    // SAFETY: [GIL]
    pair(unsafe { PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as Py_ssize_t) }, b.len() as Py_ssize_t)
}

macro_rules! encoders {
    ($($name:ident => |$s:ident, $e:ident| $body:expr;)*) => { $(
        fn $name(_: (), str: Str<'_>, errors: Errors) -> PyResult<Owned> {
            let ($s, $e) = (str.ob(), errors.ptr());
            let _ = $e;
            // SAFETY: [ARGS]
            unsafe { pair($body, PyUnicode_GetLength($s)) }
        }
    )* };
}
encoders! {
    codecs_utf_7_encode => |s, e| _PyUnicode_EncodeUTF7(s, 0, 0, e);
    codecs_utf_8_encode => |s, e| _PyUnicode_AsUTF8String(s, e);
    codecs_utf_16_le_encode => |s, e| _PyUnicode_EncodeUTF16(s, e, -1);
    codecs_utf_16_be_encode => |s, e| _PyUnicode_EncodeUTF16(s, e, 1);
    codecs_utf_32_le_encode => |s, e| _PyUnicode_EncodeUTF32(s, e, -1);
    codecs_utf_32_be_encode => |s, e| _PyUnicode_EncodeUTF32(s, e, 1);
    codecs_unicode_escape_encode => |s, e| PyUnicode_AsUnicodeEscapeString(s);
    codecs_raw_unicode_escape_encode => |s, e| PyUnicode_AsRawUnicodeEscapeString(s);
    codecs_latin_1_encode => |s, e| _PyUnicode_AsLatin1String(s, e);
    codecs_ascii_encode => |s, e| _PyUnicode_AsASCIIString(s, e);
}

fn codecs_utf_16_encode(_: (), str: Str<'_>, errors: Errors, byteorder: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { pair(_PyUnicode_EncodeUTF16(str.ob(), errors.ptr(), byteorder), PyUnicode_GetLength(str.ob())) }
}

fn codecs_utf_32_encode(_: (), str: Str<'_>, errors: Errors, byteorder: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { pair(_PyUnicode_EncodeUTF32(str.ob(), errors.ptr(), byteorder), PyUnicode_GetLength(str.ob())) }
}

fn codecs_charmap_encode(_: (), str: Str<'_>, errors: Errors, mapping: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let m = mapping.map_or(null_mut(), |m| m.ob());
    // SAFETY: [ARGS]
    unsafe { pair(_PyUnicode_EncodeCharmap(str.ob(), m, errors.ptr()), PyUnicode_GetLength(str.ob())) }
}

fn codecs_charmap_build(_: (), map: Str<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyUnicode_BuildEncodingMap(map.ob())) }
}

fn codecs_register_error(_: (), errors: Name, handler: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    check_status(unsafe { crate::codecs::PyCodec_RegisterError(errors.0.as_ptr(), handler.ob()) })
}

fn codecs_lookup_error(_: (), name: Name) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(crate::codecs::PyCodec_LookupError(name.0.as_ptr())) }
}

methods! {
    static METHODS = [
        "register($module, search_function, /)" => codecs_register, "Register a function that finds codecs by their normalised names.";
        "unregister($module, search_function, /)" => codecs_unregister, "Remove such a function and forget what was found.";
        "lookup($module, encoding, /)" => codecs_lookup, "The CodecInfo of an encoding.";
        "encode($module, /, obj, encoding='utf-8', errors='strict')" => codecs_encode, "Encode an object by any codec.";
        "decode($module, /, obj, encoding='utf-8', errors='strict')" => codecs_decode, "Decode an object by any codec.";
        "escape_encode($module, data, errors=None, /)" => codecs_escape_encode, "Bytes with escapes as in source.";
        "escape_decode($module, data, errors=None, /)" => codecs_escape_decode, "Bytes with their escapes resolved.";
        "utf_8_encode($module, str, errors=None, /)" => codecs_utf_8_encode, "Encode as UTF-8.";
        "utf_8_decode($module, data, errors=None, final=False, /)" => codecs_utf_8_decode, "Decode UTF-8.";
        "utf_7_encode($module, str, errors=None, /)" => codecs_utf_7_encode, "Encode as UTF-7.";
        "utf_7_decode($module, data, errors=None, final=False, /)" => codecs_utf_7_decode, "Decode UTF-7.";
        "utf_16_encode($module, str, errors=None, byteorder=0, /)" => codecs_utf_16_encode, "Encode as UTF-16.";
        "utf_16_le_encode($module, str, errors=None, /)" => codecs_utf_16_le_encode, "Encode as UTF-16, little-endian.";
        "utf_16_be_encode($module, str, errors=None, /)" => codecs_utf_16_be_encode, "Encode as UTF-16, big-endian.";
        "utf_16_decode($module, data, errors=None, final=False, /)" => codecs_utf_16_decode, "Decode UTF-16.";
        "utf_16_le_decode($module, data, errors=None, final=False, /)" => codecs_utf_16_le_decode, "Decode UTF-16, little-endian.";
        "utf_16_be_decode($module, data, errors=None, final=False, /)" => codecs_utf_16_be_decode, "Decode UTF-16, big-endian.";
        "utf_16_ex_decode($module, data, errors=None, byteorder=0, final=False, /)" => codecs_utf_16_ex_decode, "Decode UTF-16, and tell the byte order.";
        "utf_32_encode($module, str, errors=None, byteorder=0, /)" => codecs_utf_32_encode, "Encode as UTF-32.";
        "utf_32_le_encode($module, str, errors=None, /)" => codecs_utf_32_le_encode, "Encode as UTF-32, little-endian.";
        "utf_32_be_encode($module, str, errors=None, /)" => codecs_utf_32_be_encode, "Encode as UTF-32, big-endian.";
        "utf_32_decode($module, data, errors=None, final=False, /)" => codecs_utf_32_decode, "Decode UTF-32.";
        "utf_32_le_decode($module, data, errors=None, final=False, /)" => codecs_utf_32_le_decode, "Decode UTF-32, little-endian.";
        "utf_32_be_decode($module, data, errors=None, final=False, /)" => codecs_utf_32_be_decode, "Decode UTF-32, big-endian.";
        "utf_32_ex_decode($module, data, errors=None, byteorder=0, final=False, /)" => codecs_utf_32_ex_decode, "Decode UTF-32, and tell the byte order.";
        "unicode_escape_encode($module, str, errors=None, /)" => codecs_unicode_escape_encode, "Encode as source with escapes.";
        "unicode_escape_decode($module, data, errors=None, final=True, /)" => codecs_unicode_escape_decode, "Decode source with escapes.";
        "raw_unicode_escape_encode($module, str, errors=None, /)" => codecs_raw_unicode_escape_encode, "Encode as Latin-1 with \\u escapes.";
        "raw_unicode_escape_decode($module, data, errors=None, final=True, /)" => codecs_raw_unicode_escape_decode, "Decode Latin-1 with \\u escapes.";
        "latin_1_encode($module, str, errors=None, /)" => codecs_latin_1_encode, "Encode as Latin-1.";
        "latin_1_decode($module, data, errors=None, /)" => codecs_latin_1_decode, "Decode Latin-1.";
        "ascii_encode($module, str, errors=None, /)" => codecs_ascii_encode, "Encode as ASCII.";
        "ascii_decode($module, data, errors=None, /)" => codecs_ascii_decode, "Decode ASCII.";
        "charmap_encode($module, str, errors=None, mapping=None, /)" => codecs_charmap_encode, "Encode by a mapping.";
        "charmap_decode($module, data, errors=None, mapping=None, /)" => codecs_charmap_decode, "Decode by a mapping.";
        "charmap_build($module, map, /)" => codecs_charmap_build, "Turn a decoding table into an encoding one.";
        "readbuffer_encode($module, data, errors=None, /)" => codecs_readbuffer_encode, "The bytes of a buffer.";
        "register_error($module, errors, handler, /)" => codecs_register_error, "Register an error handler by name.";
        "lookup_error($module, name, /)" => codecs_lookup_error, "The error handler of a name.";
    ];
}

fn exec(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}

module! {
    /// The module `_codecs`.
    pub fn PyInit__codecs = "_codecs", "The registry of codecs, and the codecs that are built in.", methods: METHODS, exec: exec;
}
