//! The `_codecs` module: the codec registry and the native codecs as functions.

use core::ffi::{c_char, c_int};
use core::ptr::{null, null_mut};
use taipan_abi::*;
use taipan_clinic::{BufferView, Str, methods, module};

unsafe extern "C" {
    fn _PyCodec_Lookup(encoding: *const c_char) -> *mut PyObject;
    fn PyCodec_Unregister(search: *mut PyObject) -> c_int;
    fn _PyUnicode_EncodeUTF7(op: *mut PyObject, set_o: c_int, white: c_int, errors: *const c_char) -> *mut PyObject;
    fn _PyUnicode_AsUTF8String(op: *mut PyObject, errors: *const c_char) -> *mut PyObject;
    fn _PyUnicode_EncodeUTF16(op: *mut PyObject, errors: *const c_char, order: c_int) -> *mut PyObject;
    fn _PyUnicode_EncodeUTF32(op: *mut PyObject, errors: *const c_char, order: c_int) -> *mut PyObject;
    fn _PyUnicode_AsLatin1String(op: *mut PyObject, errors: *const c_char) -> *mut PyObject;
    fn _PyUnicode_AsASCIIString(op: *mut PyObject, errors: *const c_char) -> *mut PyObject;
    fn _PyUnicode_EncodeCharmap(op: *mut PyObject, mapping: *mut PyObject, errors: *const c_char) -> *mut PyObject;
    fn _PyUnicode_DecodeUnicodeEscapeStateful(s: *const c_char, n: Py_ssize_t, errors: *const c_char, used: *mut Py_ssize_t) -> *mut PyObject;
    fn _PyUnicode_DecodeRawUnicodeEscapeStateful(s: *const c_char, n: Py_ssize_t, errors: *const c_char, used: *mut Py_ssize_t) -> *mut PyObject;
}

/// An optional name (encoding or error handler) as a C string; NULL when absent.
struct Name(Option<std::ffi::CString>);
impl Name {
    fn new(text: Option<&str>) -> PyResult<Self> {
        match text {
            None => Ok(Name(None)),
            Some(t) => match std::ffi::CString::new(t) {
                Ok(c) => Ok(Name(Some(c))),
                Err(_) => bail!(PyExc_ValueError, "embedded null character"),
            },
        }
    }
    fn as_ptr(&self) -> *const c_char {
        self.0.as_ref().map_or(null(), |c| c.as_ptr())
    }
}

fn register(_: (), search_function: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    check_status(unsafe { PyCodec_Register(search_function.ob()) })
}
fn unregister(_: (), search_function: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    check_status(unsafe { PyCodec_Unregister(search_function.ob()) })
}
fn lookup(_: (), encoding: &str) -> PyResult<Owned> {
    let name = Name::new(Some(encoding))?;
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(_PyCodec_Lookup(name.as_ptr())) }
}
fn encode(_: (), obj: Borrowed<'_>, encoding: &str, errors: Option<&str>) -> PyResult<Owned> {
    let (encoding, errors) = (Name::new(Some(encoding))?, Name::new(errors)?);
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyCodec_Encode(obj.ob(), encoding.as_ptr(), errors.as_ptr())) }
}
fn decode(_: (), obj: Borrowed<'_>, encoding: &str, errors: Option<&str>) -> PyResult<Owned> {
    let (encoding, errors) = (Name::new(Some(encoding))?, Name::new(errors)?);
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyCodec_Decode(obj.ob(), encoding.as_ptr(), errors.as_ptr())) }
}
fn register_error(_: (), errors: &str, handler: Borrowed<'_>) -> PyResult<()> {
    let name = Name::new(Some(errors))?;
    // SAFETY: [ARGS]
    check_status(unsafe { PyCodec_RegisterError(name.as_ptr(), handler.ob()) })
}
fn lookup_error(_: (), name: &str) -> PyResult<Owned> {
    let name = Name::new(Some(name))?;
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyCodec_LookupError(name.as_ptr())) }
}

/// `(result, consumed)`.
fn pair(result: *mut PyObject, consumed: Py_ssize_t) -> PyResult<Owned> {
    // SAFETY: [GIL] result is a new reference or NULL.
    unsafe {
        let result = Owned::from_owned_or_err(result)?;
        let n = Owned::from_owned_or_err(PyLong_FromSsize_t(consumed))?;
        let all = [result.as_ptr(), n.as_ptr()];
        Owned::from_owned_or_err(_PyTuple_FromArray(all.as_ptr(), 2))
    }
}

fn data(view: &BufferView) -> (*const c_char, Py_ssize_t) {
    (view.raw().buf.cast_const().cast(), view.raw().len)
}

macro_rules! stateful {
    ($($f:ident $c:ident;)*) => { $(
        fn $f(_: (), input: BufferView, errors: Option<&str>, is_final: bool) -> PyResult<Owned> {
            let errors = Name::new(errors)?;
            let (p, n) = data(&input);
            let mut used = n;
            // SAFETY: [ARGS] the view keeps the memory.
            unsafe {
                let r = $c(p, n, errors.as_ptr(), if is_final { null_mut() } else { &mut used });
                pair(r, used)
            }
        }
    )* };
}
stateful! { utf_8_decode PyUnicode_DecodeUTF8Stateful; utf_7_decode PyUnicode_DecodeUTF7Stateful; }

macro_rules! ordered {
    ($($f:ident $c:ident $order:expr;)*) => { $(
        fn $f(_: (), input: BufferView, errors: Option<&str>, is_final: bool) -> PyResult<Owned> {
            let errors = Name::new(errors)?;
            let (p, n) = data(&input);
            let (mut used, mut order) = (n, $order);
            // SAFETY: [ARGS] the view keeps the memory.
            unsafe {
                let r = $c(p, n, errors.as_ptr(), &mut order, if is_final { null_mut() } else { &mut used });
                pair(r, used)
            }
        }
    )* };
}
ordered! {
    utf_16_decode PyUnicode_DecodeUTF16Stateful 0; utf_16_le_decode PyUnicode_DecodeUTF16Stateful -1; utf_16_be_decode PyUnicode_DecodeUTF16Stateful 1;
    utf_32_decode PyUnicode_DecodeUTF32Stateful 0; utf_32_le_decode PyUnicode_DecodeUTF32Stateful -1; utf_32_be_decode PyUnicode_DecodeUTF32Stateful 1;
}

macro_rules! ex_decode {
    ($($f:ident $c:ident;)*) => { $(
        fn $f(_: (), input: BufferView, errors: Option<&str>, byteorder: i32, is_final: bool) -> PyResult<Owned> {
            let errors = Name::new(errors)?;
            let (p, n) = data(&input);
            let (mut used, mut order) = (n, byteorder);
            // SAFETY: [ARGS] the view keeps the memory.
            unsafe {
                let r = Owned::from_owned_or_err($c(p, n, errors.as_ptr(), &mut order, if is_final { null_mut() } else { &mut used }))?;
                let (u, o) = (Owned::from_owned_or_err(PyLong_FromSsize_t(used))?, Owned::from_owned_or_err(PyLong_FromLong(order as i64))?);
                let all = [r.as_ptr(), u.as_ptr(), o.as_ptr()];
                Owned::from_owned_or_err(_PyTuple_FromArray(all.as_ptr(), 3))
            }
        }
    )* };
}
ex_decode! { utf_16_ex_decode PyUnicode_DecodeUTF16Stateful; utf_32_ex_decode PyUnicode_DecodeUTF32Stateful; }

macro_rules! plain_decode {
    ($($f:ident $c:ident;)*) => { $(
        fn $f(_: (), input: BufferView, errors: Option<&str>) -> PyResult<Owned> {
            let errors = Name::new(errors)?;
            let (p, n) = data(&input);
            // SAFETY: [ARGS] the view keeps the memory.
            unsafe { pair($c(p, n, errors.as_ptr()), n) }
        }
    )* };
}
plain_decode! { latin_1_decode PyUnicode_DecodeLatin1; ascii_decode PyUnicode_DecodeASCII; }

/// Escapes may be given as str, whose UTF-8 is taken.
unsafe fn text_or_bytes<R>(input: Borrowed<'_>, f: impl FnOnce(*const c_char, Py_ssize_t) -> PyResult<R>) -> PyResult<R> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(input.ob()) != 0 {
            let mut n = 0;
            let p = PyUnicode_AsUTF8AndSize(input.ob(), &mut n);
            if p.is_null() {
                return Err(Raised::assume());
            }
            return f(p, n);
        }
        let view = BufferView::get(input.ob())?;
        let (p, n) = data(&view);
        f(p, n)
    }
}
fn unicode_escape_decode(_: (), input: Borrowed<'_>, errors: Option<&str>, is_final: bool) -> PyResult<Owned> {
    let errors = Name::new(errors)?;
    // SAFETY: [ARGS]
    unsafe {
        text_or_bytes(input, |p, n| {
            let mut used = n;
            pair(_PyUnicode_DecodeUnicodeEscapeStateful(p, n, errors.as_ptr(), if is_final { null_mut() } else { &mut used }), used)
        })
    }
}
fn raw_unicode_escape_decode(_: (), input: Borrowed<'_>, errors: Option<&str>, is_final: bool) -> PyResult<Owned> {
    let errors = Name::new(errors)?;
    // SAFETY: [ARGS]
    unsafe {
        text_or_bytes(input, |p, n| {
            let mut used = n;
            pair(_PyUnicode_DecodeRawUnicodeEscapeStateful(p, n, errors.as_ptr(), if is_final { null_mut() } else { &mut used }), used)
        })
    }
}
fn escape_decode(_: (), input: Borrowed<'_>, errors: Option<&str>) -> PyResult<Owned> {
    let errors = Name::new(errors)?;
    // SAFETY: [ARGS]
    unsafe { text_or_bytes(input, |p, n| pair(PyBytes_DecodeEscape(p, n, errors.as_ptr(), 0, null()), n)) }
}
fn escape_encode(_: (), input: taipan_clinic::Bytes<'_>, _errors: Option<&str>) -> PyResult<Owned> {
    // SAFETY: [TYPE] the repr of bytes without its quotes, single quotes escaped.
    unsafe {
        let n = PyBytes_Size(input.ob());
        let source = core::slice::from_raw_parts(PyBytes_AsString(input.ob()).cast::<u8>(), n as usize);
        let mut out = Vec::with_capacity(source.len());
        for &b in source {
            match b {
                b'\'' | b'\\' => out.extend([b'\\', b]),
                b'\t' => out.extend(b"\\t"),
                b'\n' => out.extend(b"\\n"),
                b'\r' => out.extend(b"\\r"),
                b' '..=b'~' => out.push(b),
                _ => out.extend(format!("\\x{b:02x}").into_bytes()),
            }
        }
        pair(PyBytes_FromStringAndSize(out.as_ptr().cast(), out.len() as Py_ssize_t), n)
    }
}
fn charmap_decode(_: (), input: BufferView, errors: Option<&str>, mapping: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let errors = Name::new(errors)?;
    let (p, n) = data(&input);
    // SAFETY: [ARGS] the view keeps the memory.
    unsafe { pair(PyUnicode_DecodeCharmap(p, n, mapping.map_or(null_mut(), |m| m.ob()), errors.as_ptr()), n) }
}
fn charmap_encode(_: (), text: Str<'_>, errors: Option<&str>, mapping: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let errors = Name::new(errors)?;
    // SAFETY: [ARGS]
    unsafe {
        pair(
            _PyUnicode_EncodeCharmap(text.ob(), mapping.map_or(null_mut(), |m| m.ob()), errors.as_ptr()),
            PyUnicode_GetLength(text.ob()),
        )
    }
}
fn charmap_build(_: (), map: Str<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyUnicode_BuildEncodingMap(map.ob())) }
}

macro_rules! encoders {
    ($($f:ident |$s:ident, $e:ident| $call:expr;)*) => { $(
        fn $f(_: (), text: Str<'_>, errors: Option<&str>) -> PyResult<Owned> {
            let errors = Name::new(errors)?;
            // SAFETY: [ARGS]
            unsafe {
                let ($s, $e) = (text.ob(), errors.as_ptr());
                let _ = $e;
                pair($call, PyUnicode_GetLength(text.ob()))
            }
        }
    )* };
}
encoders! {
    utf_7_encode |s, e| _PyUnicode_EncodeUTF7(s, 0, 0, e);
    utf_8_encode |s, e| _PyUnicode_AsUTF8String(s, e);
    utf_16_le_encode |s, e| _PyUnicode_EncodeUTF16(s, e, -1);
    utf_16_be_encode |s, e| _PyUnicode_EncodeUTF16(s, e, 1);
    utf_32_le_encode |s, e| _PyUnicode_EncodeUTF32(s, e, -1);
    utf_32_be_encode |s, e| _PyUnicode_EncodeUTF32(s, e, 1);
    unicode_escape_encode |s, e| PyUnicode_AsUnicodeEscapeString(s);
    raw_unicode_escape_encode |s, e| PyUnicode_AsRawUnicodeEscapeString(s);
    latin_1_encode |s, e| _PyUnicode_AsLatin1String(s, e);
    ascii_encode |s, e| _PyUnicode_AsASCIIString(s, e);
}
fn utf_16_encode(_: (), text: Str<'_>, errors: Option<&str>, byteorder: i32) -> PyResult<Owned> {
    let errors = Name::new(errors)?;
    // SAFETY: [ARGS]
    unsafe { pair(_PyUnicode_EncodeUTF16(text.ob(), errors.as_ptr(), byteorder), PyUnicode_GetLength(text.ob())) }
}
fn utf_32_encode(_: (), text: Str<'_>, errors: Option<&str>, byteorder: i32) -> PyResult<Owned> {
    let errors = Name::new(errors)?;
    // SAFETY: [ARGS]
    unsafe { pair(_PyUnicode_EncodeUTF32(text.ob(), errors.as_ptr(), byteorder), PyUnicode_GetLength(text.ob())) }
}
fn readbuffer_encode(_: (), input: Borrowed<'_>, _errors: Option<&str>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { text_or_bytes(input, |p, n| pair(PyBytes_FromStringAndSize(p, n), n)) }
}

methods! {
    static METHODS = [
        "register($module, search_function, /)" => register, "Register a function that looks codecs up.";
        "unregister($module, search_function, /)" => unregister, "Forget a search function, and the codecs that have been looked up.";
        "lookup($module, encoding, /)" => lookup, "Look a codec up.";
        "encode($module, /, obj, encoding='utf-8', errors=<unrepresentable>)" => encode, "Encode an object.";
        "decode($module, /, obj, encoding='utf-8', errors=<unrepresentable>)" => decode, "Decode an object.";
        "escape_encode($module, data, errors=None, /)" => escape_encode, "Escape bytes as in a bytes literal.";
        "escape_decode($module, data, errors=None, /)" => escape_decode, "Read the escapes of a bytes literal.";
        "utf_8_encode($module, str, errors=None, /)" => utf_8_encode, "Encode.";
        "utf_8_decode($module, data, errors=None, final=False, /)" => utf_8_decode, "Decode.";
        "utf_7_encode($module, str, errors=None, /)" => utf_7_encode, "Encode.";
        "utf_7_decode($module, data, errors=None, final=False, /)" => utf_7_decode, "Decode.";
        "utf_16_encode($module, str, errors=None, byteorder=0, /)" => utf_16_encode, "Encode.";
        "utf_16_le_encode($module, str, errors=None, /)" => utf_16_le_encode, "Encode.";
        "utf_16_be_encode($module, str, errors=None, /)" => utf_16_be_encode, "Encode.";
        "utf_16_decode($module, data, errors=None, final=False, /)" => utf_16_decode, "Decode.";
        "utf_16_le_decode($module, data, errors=None, final=False, /)" => utf_16_le_decode, "Decode.";
        "utf_16_be_decode($module, data, errors=None, final=False, /)" => utf_16_be_decode, "Decode.";
        "utf_16_ex_decode($module, data, errors=None, byteorder=0, final=False, /)" => utf_16_ex_decode, "Decode, telling the byte order.";
        "utf_32_encode($module, str, errors=None, byteorder=0, /)" => utf_32_encode, "Encode.";
        "utf_32_le_encode($module, str, errors=None, /)" => utf_32_le_encode, "Encode.";
        "utf_32_be_encode($module, str, errors=None, /)" => utf_32_be_encode, "Encode.";
        "utf_32_decode($module, data, errors=None, final=False, /)" => utf_32_decode, "Decode.";
        "utf_32_le_decode($module, data, errors=None, final=False, /)" => utf_32_le_decode, "Decode.";
        "utf_32_be_decode($module, data, errors=None, final=False, /)" => utf_32_be_decode, "Decode.";
        "utf_32_ex_decode($module, data, errors=None, byteorder=0, final=False, /)" => utf_32_ex_decode, "Decode, telling the byte order.";
        "unicode_escape_encode($module, str, errors=None, /)" => unicode_escape_encode, "Encode.";
        "unicode_escape_decode($module, data, errors=None, final=True, /)" => unicode_escape_decode, "Decode.";
        "raw_unicode_escape_encode($module, str, errors=None, /)" => raw_unicode_escape_encode, "Encode.";
        "raw_unicode_escape_decode($module, data, errors=None, final=True, /)" => raw_unicode_escape_decode, "Decode.";
        "latin_1_encode($module, str, errors=None, /)" => latin_1_encode, "Encode.";
        "latin_1_decode($module, data, errors=None, /)" => latin_1_decode, "Decode.";
        "ascii_encode($module, str, errors=None, /)" => ascii_encode, "Encode.";
        "ascii_decode($module, data, errors=None, /)" => ascii_decode, "Decode.";
        "charmap_encode($module, str, errors=None, mapping=None, /)" => charmap_encode, "Encode by a mapping.";
        "charmap_decode($module, data, errors=None, mapping=None, /)" => charmap_decode, "Decode by a mapping.";
        "charmap_build($module, map, /)" => charmap_build, "Make a compact encoding table of a decoding string.";
        "readbuffer_encode($module, data, errors=None, /)" => readbuffer_encode, "The bytes of a bytes-like object.";
        "register_error($module, errors, handler, /)" => register_error, "Register an error handler under a name.";
        "lookup_error($module, name, /)" => lookup_error, "The error handler of a name.";
        "_unregister_error($module, errors, /)" => unregister_error, "Forget an error handler that was registered.";
    ];
}
fn unregister_error(_: (), errors: &str) -> PyResult<bool> {
    unsafe extern "C" {
        fn _PyCodec_UnregisterError(name: *const c_char) -> c_int;
    }
    let name = Name::new(Some(errors))?;
    // SAFETY: [ARGS]
    let r = unsafe { _PyCodec_UnregisterError(name.as_ptr()) };
    check_status(r)?;
    Ok(r > 0)
}
fn exec(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}
module! {
    /// Entry point.
    pub fn PyInit__codecs = "_codecs", "The codec registry and the native codecs.", methods: METHODS, exec: exec;
}
