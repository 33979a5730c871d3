//! Encoding and decoding of text. This file holds what all codecs share: the names of built-in error handlers and the
//! protocol of calling registered ones, and the entry points that choose a codec by name.

pub mod charmap;
pub mod escape;
pub mod fs;
pub mod single_byte;
pub mod utf16;
pub mod utf7;
pub mod utf8;

use crate::unicodeobject::{StrObj, StrRef, Text, Writer, as_str, text};
use core::ffi::{CStr, c_char};
use core::ptr::null_mut;
use taipan_abi::*;

/// The error handlers that codecs treat without a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorHandler {
    /// Raise.
    Strict,
    /// Undecodable bytes become lone surrogates and back.
    SurrogateEscape,
    /// A replacement character.
    Replace,
    /// Drop.
    Ignore,
    /// Escapes with backslash.
    BackslashReplace,
    /// Let surrogates through.
    SurrogatePass,
    /// Numeric character references.
    XmlCharRefReplace,
    /// Any other, found in the registry.
    Other,
}

/// The handler that `errors` (NULL: strict) names.
///
/// # Safety
/// `errors` is NULL or NUL-terminated.
pub unsafe fn get_error_handler(errors: *const c_char) -> ErrorHandler {
    if errors.is_null() {
        return ErrorHandler::Strict;
    }
    // SAFETY: [ARGS]
    match unsafe { CStr::from_ptr(errors) }.to_bytes() {
        b"strict" => ErrorHandler::Strict,
        b"surrogateescape" => ErrorHandler::SurrogateEscape,
        b"replace" => ErrorHandler::Replace,
        b"ignore" => ErrorHandler::Ignore,
        b"backslashreplace" => ErrorHandler::BackslashReplace,
        b"surrogatepass" => ErrorHandler::SurrogatePass,
        b"xmlcharrefreplace" => ErrorHandler::XmlCharRefReplace,
        _ => ErrorHandler::Other,
    }
}

/// The handler that `errors` names, as CPython's `_Py_error_handler` numbers them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_GetErrorHandler(errors: *const c_char) -> core::ffi::c_int {
    // SAFETY: [ARGS]
    match unsafe { get_error_handler(errors) } {
        ErrorHandler::Strict => 1,
        ErrorHandler::SurrogateEscape => 2,
        ErrorHandler::Replace => 3,
        ErrorHandler::Ignore => 4,
        ErrorHandler::BackslashReplace => 5,
        ErrorHandler::SurrogatePass => 6,
        ErrorHandler::XmlCharRefReplace => 7,
        ErrorHandler::Other => 8,
    }
}

/// A slice of C memory, which may be NULL if empty.
///
/// # Safety
/// `p` points to `n` bytes that live for `'a`, or `n` is 0.
#[inline(always)]
pub unsafe fn raw_bytes<'a>(p: *const c_char, n: Py_ssize_t) -> &'a [u8] {
    // SAFETY: [ARGS]
    unsafe { if n == 0 { &[] } else { core::slice::from_raw_parts(p.cast(), n as usize) } }
}

/// A new bytes object.
pub fn bytes_from(s: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyBytes_FromStringAndSize(s.as_ptr().cast(), s.len() as isize)) }
}

/// The state of error handling while something is decoded. The handler may replace the input, so decoders fetch it anew
/// from [`DecodeErrors::input`] after each call.
pub struct DecodeErrors<'a> {
    encoding: &'a CStr,
    errors: *const c_char,
    handler: Option<Owned>,
    exception: Option<Owned>,
    input: &'a [u8],
    replaced: Option<Owned>,
}

impl<'a> DecodeErrors<'a> {
    /// For input decoded as `encoding` with the handler named `errors` (NULL: strict).
    pub fn new(encoding: &'a CStr, errors: *const c_char, input: &'a [u8]) -> Self {
        DecodeErrors { encoding, errors, handler: None, exception: None, input, replaced: None }
    }

    /// The input as it is now.
    pub fn input(&self) -> &'a [u8] {
        match &self.replaced {
            None => self.input,
            // SAFETY: [OWN] `replaced` keeps the bytes object alive as long as this value; decoders drop slices first.
            Some(b) => unsafe { raw_bytes(PyBytes_AS_STRING(b.as_ptr()), Py_SIZE(b.as_ptr())) },
        }
    }

    fn set_exception(&mut self, start: usize, end: usize, reason: &CStr) -> PyResult<*mut PyObject> {
        let input = self.input();
        // SAFETY: [GIL]
        unsafe {
            if let Some(e) = &self.exception {
                check_status(PyUnicodeDecodeError_SetStart(e.as_ptr(), start as isize))?;
                check_status(PyUnicodeDecodeError_SetEnd(e.as_ptr(), end as isize))?;
                check_status(PyUnicodeDecodeError_SetReason(e.as_ptr(), reason.as_ptr()))?;
                return Ok(e.as_ptr());
            }
            let e = Owned::from_owned_or_err(PyUnicodeDecodeError_Create(
                self.encoding.as_ptr(),
                input.as_ptr().cast(),
                input.len() as isize,
                start as isize,
                end as isize,
                reason.as_ptr(),
            ))?;
            Ok(self.exception.insert(e).as_ptr())
        }
    }

    /// Raises UnicodeDecodeError.
    pub fn raise(&mut self, start: usize, end: usize, reason: &CStr) -> Raised {
        match self.set_exception(start, end, reason) {
            // SAFETY: [GIL] an exception instance.
            Ok(e) => unsafe {
                PyErr_SetObject((*e).ob_type.cast(), e);
                Raised::assume()
            },
            Err(r) => r,
        }
    }

    /// Calls the handler for `input[start..end]`: its replacement and the position to go on at.
    pub fn call(&mut self, start: usize, end: usize, reason: &CStr) -> PyResult<(StrObj, usize)> {
        // SAFETY: [GIL] [OWN] objects are owned across the call.
        unsafe {
            if get_error_handler(self.errors) == ErrorHandler::Strict {
                return Err(self.raise(start, end, reason));
            }
            let handler = match &self.handler {
                Some(h) => h.as_ptr(),
                None => self.handler.insert(Owned::from_owned_or_err(PyCodec_LookupError(self.errors))?).as_ptr(),
            };
            let exception = self.set_exception(start, end, reason)?;
            let result = Owned::from_owned_or_err(PyObject_CallOneArg(handler, exception))?;
            let (replacement, mut pos) = handler_result(&result, false, c"decoding error handler must return (str, int) tuple")?;
            let object = Owned::from_owned_or_err(PyUnicodeDecodeError_GetObject(exception))?;
            let size = Py_SIZE(object.as_ptr());
            let moved = PyBytes_AS_STRING(object.as_ptr()).cast::<u8>() != self.input().as_ptr();
            if moved || size as usize != self.input().len() {
                self.replaced = Some(object);
            }
            if pos < 0 {
                pos += size;
            }
            if pos < 0 || pos > size {
                PyErr_Format(PyExc_IndexError, c"position %zd from error handler out of bounds".as_ptr(), pos);
                return Err(Raised::assume());
            }
            Ok((replacement.cast(), pos as usize))
        }
    }

    /// [`DecodeErrors::call`] with the replacement written to `w`.
    pub fn write(&mut self, w: &mut Writer, start: usize, end: usize, reason: &CStr) -> PyResult<usize> {
        let (replacement, pos) = self.call(start, end, reason)?;
        w.0.overallocate = 1;
        w.write_text(text(replacement.borrow()))?;
        Ok(pos)
    }
}

/// Takes apart what an error handler returned.
unsafe fn handler_result(result: &Owned, bytes_allowed: bool, message: &'static CStr) -> PyResult<(Owned, isize)> {
    // SAFETY: [GIL] types are checked.
    unsafe {
        let wrong = || {
            PyErr_SetString(PyExc_TypeError, message.as_ptr());
            Err(Raised::assume())
        };
        let tuple = result.as_ptr();
        if PyTuple_Check(tuple) == 0 || PyTuple_GET_SIZE(tuple) != 2 {
            return wrong();
        }
        let replacement = Owned::from_borrowed(PyTuple_GET_ITEM(tuple, 0));
        let r = replacement.as_ptr();
        if PyUnicode_Check(r) == 0 && !(bytes_allowed && PyBytes_Check(r) != 0) {
            return wrong();
        }
        let index = PyTuple_GET_ITEM(tuple, 1);
        if PyIndex_Check(index) == 0 {
            return wrong();
        }
        let pos = PyNumber_AsSsize_t(index, PyExc_OverflowError);
        if pos == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        Ok((replacement, pos))
    }
}

/// What a handler puts in place of characters that can't be encoded.
pub enum Replacement {
    /// Bytes, taken as they are.
    Bytes(Owned),
    /// Text, which must be encodable.
    Text(StrObj),
}

/// The state of error handling while something is encoded.
pub struct EncodeErrors<'a> {
    encoding: &'a CStr,
    errors: *const c_char,
    handler: Option<Owned>,
    exception: Option<Owned>,
    object: StrRef<'a>,
}

impl<'a> EncodeErrors<'a> {
    /// For `object` encoded as `encoding` with the handler named `errors` (NULL: strict).
    pub fn new(encoding: &'a CStr, errors: *const c_char, object: StrRef<'a>) -> Self {
        EncodeErrors { encoding, errors, handler: None, exception: None, object }
    }

    fn set_exception(&mut self, start: usize, end: usize, reason: &CStr) -> PyResult<*mut PyObject> {
        // SAFETY: [GIL]
        unsafe {
            if let Some(e) = &self.exception {
                check_status(PyUnicodeEncodeError_SetStart(e.as_ptr(), start as isize))?;
                check_status(PyUnicodeEncodeError_SetEnd(e.as_ptr(), end as isize))?;
                check_status(PyUnicodeEncodeError_SetReason(e.as_ptr(), reason.as_ptr()))?;
                return Ok(e.as_ptr());
            }
            let e = Owned::from_owned_or_err(PyObject_CallFunction(
                PyExc_UnicodeEncodeError,
                c"sOnns".as_ptr(),
                self.encoding.as_ptr(),
                self.object.ob(),
                start as isize,
                end as isize,
                reason.as_ptr(),
            ))?;
            Ok(self.exception.insert(e).as_ptr())
        }
    }

    /// Raises UnicodeEncodeError.
    pub fn raise(&mut self, start: usize, end: usize, reason: &CStr) -> Raised {
        match self.set_exception(start, end, reason) {
            // SAFETY: [GIL] an exception instance.
            Ok(e) => unsafe {
                PyErr_SetObject((*e).ob_type.cast(), e);
                Raised::assume()
            },
            Err(r) => r,
        }
    }

    /// Calls the handler for `object[start..end]`: its replacement and the position to go on at.
    pub fn call(&mut self, start: usize, end: usize, reason: &CStr) -> PyResult<(Replacement, usize)> {
        // SAFETY: [GIL] [OWN] objects are owned across the call.
        unsafe {
            if get_error_handler(self.errors) == ErrorHandler::Strict {
                return Err(self.raise(start, end, reason));
            }
            let handler = match &self.handler {
                Some(h) => h.as_ptr(),
                None => self.handler.insert(Owned::from_owned_or_err(PyCodec_LookupError(self.errors))?).as_ptr(),
            };
            let exception = self.set_exception(start, end, reason)?;
            let result = Owned::from_owned_or_err(PyObject_CallOneArg(handler, exception))?;
            let (replacement, mut pos) = handler_result(&result, true, c"encoding error handler must return (str/bytes, int) tuple")?;
            let size = text(self.object).len() as isize;
            if pos < 0 {
                pos += size;
            }
            if pos < 0 || pos > size {
                PyErr_Format(PyExc_IndexError, c"position %zd from error handler out of bounds".as_ptr(), pos);
                return Err(Raised::assume());
            }
            let r = if PyBytes_Check(replacement.as_ptr()) != 0 {
                Replacement::Bytes(replacement)
            } else {
                Replacement::Text(replacement.cast())
            };
            Ok((r, pos as usize))
        }
    }
}

/// The content of a bytes object.
pub fn bytes_of(b: &Owned) -> &[u8] {
    // SAFETY: [TYPE] callers hold bytes objects.
    unsafe { raw_bytes(PyBytes_AS_STRING(b.as_ptr()), Py_SIZE(b.as_ptr())) }
}

/// Numeric references `&#NNN;` for the characters.
pub fn xmlcharrefs(out: &mut Vec<u8>, chars: Text<'_>) {
    for c in chars.chars() {
        out.extend_from_slice(format!("&#{c};").as_bytes());
    }
}

/// Escapes `\xhh`, `\uhhhh`, `\Uhhhhhhhh` for the characters.
pub fn backslashes(out: &mut Vec<u8>, chars: Text<'_>) {
    for c in chars.chars() {
        let escape = match c {
            0..=0xff => format!("\\x{c:02x}"),
            0x100..=0xffff => format!("\\u{c:04x}"),
            _ => format!("\\U{c:08x}"),
        };
        out.extend_from_slice(escape.as_bytes());
    }
}

// --- choice of the codec

unsafe extern "C" {
    fn _PyCodec_EncodeText(object: *mut PyObject, encoding: *const c_char, errors: *const c_char) -> *mut PyObject;
    fn _PyCodec_DecodeText(object: *mut PyObject, encoding: *const c_char, errors: *const c_char) -> *mut PyObject;
}

/// A codec with an entry of its own.
enum Builtin {
    Utf8,
    Utf16,
    Utf32,
    Ascii,
    Latin1,
}

unsafe fn builtin_codec(encoding: *const c_char) -> Option<Builtin> {
    if encoding.is_null() {
        return Some(Builtin::Utf8);
    }
    let mut name = [0u8; 11];
    // SAFETY: [ARGS] NUL-terminated.
    let n = normalize_encoding(unsafe { CStr::from_ptr(encoding) }.to_bytes(), &mut name)?;
    Some(match &name[..n] {
        b"utf8" | b"utf_8" => Builtin::Utf8,
        b"utf16" | b"utf_16" => Builtin::Utf16,
        b"utf32" | b"utf_32" => Builtin::Utf32,
        b"ascii" | b"us_ascii" => Builtin::Ascii,
        b"latin1" | b"latin_1" | b"iso_8859_1" | b"iso8859_1" => Builtin::Latin1,
        _ => return None,
    })
}

/// Lower-cases an encoding's name and joins its alphanumeric runs by underscores; `None` if it does not fit.
pub fn normalize_encoding(encoding: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut n, mut gap) = (0, false);
    for &c in encoding {
        if c.is_ascii_alphanumeric() || c == b'.' {
            if gap && n > 0 {
                if n + 1 >= out.len() {
                    return None;
                }
                out[n] = b'_';
                n += 1;
            }
            gap = false;
            if n + 1 >= out.len() {
                return None;
            }
            out[n] = c.to_ascii_lowercase();
            n += 1;
        } else {
            gap = true;
        }
    }
    Some(n)
}

/// Set in development mode: names of encodings and handlers are then checked even where they aren't needed.
pub static mut CHECK_NAMES: bool = false;

unsafe fn check_names(encoding: *const c_char, errors: *const c_char) -> PyResult<()> {
    // SAFETY: [GIL] [ARGS]
    unsafe {
        if !CHECK_NAMES || encoding.is_null() && errors.is_null() {
            return Ok(());
        }
        if !encoding.is_null() && builtin_codec(encoding).is_none() {
            unsafe extern "C" {
                fn _PyCodec_Lookup(encoding: *const c_char) -> *mut PyObject;
            }
            drop(Owned::from_owned_or_err(_PyCodec_Lookup(encoding))?);
        }
        if get_error_handler(errors) == ErrorHandler::Other {
            drop(Owned::from_owned_or_err(PyCodec_LookupError(errors))?);
        }
        Ok(())
    }
}

/// Decodes `size` bytes with the codec named `encoding` (NULL: UTF-8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Decode(s: *const c_char, size: Py_ssize_t, encoding: *const c_char, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if check_names(encoding, errors).is_err() {
            return null_mut();
        }
        if size == 0 {
            return crate::unicodeobject::layout::empty_ptr();
        }
        match builtin_codec(encoding) {
            Some(Builtin::Utf8) => return utf8::decode(raw_bytes(s, size), errors, None).into_c(),
            Some(Builtin::Utf16) => return utf16::PyUnicode_DecodeUTF16(s, size, errors, null_mut()),
            Some(Builtin::Utf32) => return utf16::PyUnicode_DecodeUTF32(s, size, errors, null_mut()),
            Some(Builtin::Ascii) => return single_byte::PyUnicode_DecodeASCII(s, size, errors),
            Some(Builtin::Latin1) => return single_byte::PyUnicode_DecodeLatin1(s, size, errors),
            None => {}
        }
        let mut info: Py_buffer = core::mem::zeroed();
        if PyBuffer_FillInfo(&mut info, null_mut(), s as *mut _, size, 1, PyBUF_FULL_RO) < 0 {
            return null_mut();
        }
        let view = PyMemoryView_FromBuffer(&info);
        if view.is_null() {
            return null_mut();
        }
        let result = _PyCodec_DecodeText(view, encoding, errors);
        Py_DECREF(view);
        if result.is_null() || PyUnicode_Check(result) != 0 {
            return result;
        }
        PyErr_Format(
            PyExc_TypeError,
            c"'%.400s' decoder returned '%.400s' instead of 'str'; use codecs.decode() to decode to arbitrary types".as_ptr(),
            encoding,
            (*(*result).ob_type).tp_name,
        );
        Py_DECREF(result);
        null_mut()
    }
}

/// Decodes a bytes-like object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_FromEncodedObject(obj: *mut PyObject, encoding: *const c_char, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if obj.is_null() {
            PyErr_BadInternalCall();
            return null_mut();
        }
        if PyBytes_Check(obj) != 0 {
            return PyUnicode_Decode(PyBytes_AS_STRING(obj), Py_SIZE(obj), encoding, errors);
        }
        if PyUnicode_Check(obj) != 0 {
            return raised(raise!(PyExc_TypeError, "decoding str is not supported"));
        }
        let mut view: Py_buffer = core::mem::zeroed();
        if PyObject_GetBuffer(obj, &mut view, PyBUF_SIMPLE) < 0 {
            PyErr_Format(
                PyExc_TypeError,
                c"decoding to str: need a bytes-like object, %.80s found".as_ptr(),
                (*(*obj).ob_type).tp_name,
            );
            return null_mut();
        }
        let result = PyUnicode_Decode(view.buf.cast(), view.len, encoding, errors);
        PyBuffer_Release(&mut view);
        result
    }
}

/// NULL, for an exception that is set.
pub(crate) fn raised(_: Raised) -> *mut PyObject {
    null_mut()
}

/// Encodes with the codec named `encoding` (NULL: UTF-8) to bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsEncodedString(unicode: *mut PyObject, encoding: *const c_char, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(unicode) == 0 {
            PyErr_BadArgument();
            return null_mut();
        }
        if check_names(encoding, errors).is_err() {
            return null_mut();
        }
        match builtin_codec(encoding) {
            Some(Builtin::Utf8) => return utf8::_PyUnicode_AsUTF8String(unicode, errors),
            Some(Builtin::Utf16) => return utf16::_PyUnicode_EncodeUTF16(unicode, errors, 0),
            Some(Builtin::Utf32) => return utf16::_PyUnicode_EncodeUTF32(unicode, errors, 0),
            Some(Builtin::Ascii) => return single_byte::_PyUnicode_AsASCIIString(unicode, errors),
            Some(Builtin::Latin1) => return single_byte::_PyUnicode_AsLatin1String(unicode, errors),
            None => {}
        }
        let v = _PyCodec_EncodeText(unicode, encoding, errors);
        if v.is_null() || PyBytes_Check(v) != 0 {
            return v;
        }
        let v = Owned::from_owned(v);
        if PyByteArray_Check(v.as_ptr()) != 0 {
            if PyErr_WarnFormat(
                PyExc_RuntimeWarning,
                1,
                c"encoder %s returned bytearray instead of bytes; use codecs.encode() to encode to arbitrary types".as_ptr(),
                encoding,
            ) != 0
            {
                return null_mut();
            }
            return PyBytes_FromStringAndSize(PyByteArray_AsString(v.as_ptr()), PyByteArray_Size(v.as_ptr()));
        }
        PyErr_Format(
            PyExc_TypeError,
            c"'%.400s' encoder returned '%.400s' instead of 'bytes'; use codecs.encode() to encode to arbitrary types".as_ptr(),
            encoding,
            (*(*v.as_ptr()).ob_type).tp_name,
        );
        null_mut()
    }
}

macro_rules! deprecated_codecs {
    ($($(#[$m:meta])* $name:ident, $call:ident, $warning:literal, $only_str:expr;)*) => { $(
        $(#[$m])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(unicode: *mut PyObject, encoding: *const c_char, errors: *const c_char) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe {
                if PyUnicode_Check(unicode) == 0 {
                    PyErr_BadArgument();
                    return null_mut();
                }
                if PyErr_WarnEx(PyExc_DeprecationWarning, $warning.as_ptr(), 1) < 0 {
                    return null_mut();
                }
                let encoding = if encoding.is_null() { c"utf-8".as_ptr() } else { encoding };
                let v = $call(unicode, encoding, errors);
                let what: Option<&CStr> = $only_str;
                if let Some(format) = what && !v.is_null() && PyUnicode_Check(v) == 0 {
                    PyErr_Format(PyExc_TypeError, format.as_ptr(), encoding, (*(*v).ob_type).tp_name);
                    Py_DECREF(v);
                    return null_mut();
                }
                v
            }
        }
    )* };
}
deprecated_codecs! {
    /// Deprecated: decodes a str by the registry.
    PyUnicode_AsDecodedObject, PyCodec_Decode, c"PyUnicode_AsDecodedObject() is deprecated; use PyCodec_Decode() to decode from str", None;
    /// Deprecated: decodes a str to a str by the registry.
    PyUnicode_AsDecodedUnicode, PyCodec_Decode, c"PyUnicode_AsDecodedUnicode() is deprecated; use PyCodec_Decode() to decode from str to str",
        Some(c"'%.400s' decoder returned '%.400s' instead of 'str'; use codecs.decode() to decode to arbitrary types");
    /// Deprecated: encodes a str by the registry.
    PyUnicode_AsEncodedObject, PyCodec_Encode, c"PyUnicode_AsEncodedObject() is deprecated; use PyUnicode_AsEncodedString() to encode from str to bytes or PyCodec_Encode() for generic encoding", None;
    /// Deprecated: encodes a str to a str by the registry.
    PyUnicode_AsEncodedUnicode, PyCodec_Encode, c"PyUnicode_AsEncodedUnicode() is deprecated; use PyCodec_Encode() to encode from str to str",
        Some(c"'%.400s' encoder returned '%.400s' instead of 'str'; use codecs.encode() to encode to arbitrary types");
}

/// Shared by the codecs' C entries: `op` as a str, BadArgument otherwise.
///
/// # Safety
/// `op` is live.
pub(crate) unsafe fn str_argument<'a>(op: *mut PyObject) -> PyResult<StrRef<'a>> {
    // SAFETY: [ARGS]
    unsafe {
        match as_str(Borrowed::from_ptr(op)) {
            Some(s) => Ok(s),
            None => {
                PyErr_BadArgument();
                Err(Raised::assume())
            }
        }
    }
}

