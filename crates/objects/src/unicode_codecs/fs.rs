//! Text of the operating system: file names and text in the locale's encoding.

use super::*;
use crate::unicodeobject::layout::text_of;
use core::ffi::{c_int, c_void};
use std::ffi::CString;

/// The file system's encoding and error handler; UTF-8 with surrogateescape until set otherwise.
struct FsCodec {
    /// `None` for UTF-8.
    encoding: Option<CString>,
    errors: Option<CString>,
}

static mut FS_CODEC: FsCodec = FsCodec { encoding: None, errors: None };

/// Sets the encoding and error handler for file names, as `sys.getfilesystemencoding()` reports them.
///
/// # Safety
/// [GIL]
pub unsafe fn set_fs_codec(encoding: &CStr, errors: &CStr) {
    // SAFETY: [GIL]
    unsafe {
        let codec = &mut *(&raw mut FS_CODEC);
        let utf8 = matches!(encoding.to_bytes(), b"utf-8" | b"utf8");
        codec.encoding = (!utf8).then(|| encoding.to_owned());
        codec.errors = Some(errors.to_owned());
    }
}

/// Name of the encoding (NULL: UTF-8) and of the error handler.
unsafe fn fs_codec() -> (*const c_char, *const c_char) {
    // SAFETY: [GIL] the texts live until the codec is set anew.
    unsafe {
        let codec = &*(&raw const FS_CODEC);
        let errors = codec.errors.as_ref().map_or(c"surrogateescape".as_ptr(), |e| e.as_ptr());
        (codec.encoding.as_ref().map_or(core::ptr::null(), |e| e.as_ptr()), errors)
    }
}

/// Encodes a file name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_EncodeFSDefault(unicode: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let (encoding, errors) = fs_codec();
        if encoding.is_null() {
            return utf8::_PyUnicode_AsUTF8String(unicode, errors);
        }
        PyUnicode_AsEncodedString(unicode, encoding, errors)
    }
}
/// Decodes a NUL-terminated file name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeFSDefault(s: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyUnicode_DecodeFSDefaultAndSize(s, libc::strlen(s) as isize) }
}
/// Decodes a file name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeFSDefaultAndSize(s: *const c_char, size: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let (encoding, errors) = fs_codec();
        if encoding.is_null() {
            return utf8::decode(raw_bytes(s, size), errors, None).into_c();
        }
        PyUnicode_Decode(s, size, encoding, errors)
    }
}

/// What converters return when they want to be called again for cleaning up.
const Py_CLEANUP_SUPPORTED: c_int = 0x20000;

/// Converter for `PyArg_Parse*`: a path object to bytes. NULL releases what an earlier call made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_FSConverter(arg: *mut PyObject, addr: *mut c_void) -> c_int {
    // SAFETY: [ARGS] addr points to an object pointer.
    unsafe {
        let slot = addr.cast::<*mut PyObject>();
        if arg.is_null() {
            Py_DECREF(*slot);
            *slot = null_mut();
            return 1;
        }
        let run = || -> PyResult<Owned> {
            let path = Owned::from_owned_or_err(PyOS_FSPath(arg))?;
            let output = if PyBytes_Check(path.as_ptr()) != 0 {
                path
            } else {
                Owned::from_owned_or_err(PyUnicode_EncodeFSDefault(path.as_ptr()))?
            };
            if bytes_of(&output).contains(&0) {
                bail!(PyExc_ValueError, "embedded null byte");
            }
            Ok(output)
        };
        match run() {
            Ok(o) => {
                *slot = o.into_raw();
                Py_CLEANUP_SUPPORTED
            }
            Err(_) => 0,
        }
    }
}
/// Converter for `PyArg_Parse*`: a path object to str. NULL releases what an earlier call made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_FSDecoder(arg: *mut PyObject, addr: *mut c_void) -> c_int {
    // SAFETY: [ARGS] addr points to an object pointer.
    unsafe {
        let slot = addr.cast::<*mut PyObject>();
        if arg.is_null() {
            Py_DECREF(*slot);
            *slot = null_mut();
            return 1;
        }
        let run = || -> PyResult<Owned> {
            let path = Owned::from_owned_or_err(PyOS_FSPath(arg))?;
            let output = if PyUnicode_Check(path.as_ptr()) != 0 {
                path
            } else {
                let b = bytes_of(&path);
                Owned::from_owned_or_err(PyUnicode_DecodeFSDefaultAndSize(b.as_ptr().cast(), b.len() as isize))?
            };
            if text_of(output.as_ptr()).find_char(0).is_some() {
                bail!(PyExc_ValueError, "embedded null character");
            }
            Ok(output)
        };
        match run() {
            Ok(o) => {
                *slot = o.into_raw();
                Py_CLEANUP_SUPPORTED
            }
            Err(_) => 0,
        }
    }
}

// --- the locale's encoding

unsafe extern "C" {
    fn mbrtowc(wc: *mut libc::wchar_t, s: *const c_char, n: usize, state: *mut [u64; 1]) -> usize;
    fn wcrtomb(s: *mut c_char, wc: libc::wchar_t, state: *mut [u64; 1]) -> usize;
}

fn locale_is_utf8() -> bool {
    // SAFETY: the name lives until the next call of setlocale.
    unsafe {
        let name = CStr::from_ptr(libc::nl_langinfo(libc::CODESET)).to_bytes();
        name.eq_ignore_ascii_case(b"utf-8") || name.eq_ignore_ascii_case(b"utf8")
    }
}

unsafe fn locale_handler(errors: *const c_char) -> PyResult<ErrorHandler> {
    // SAFETY: [ARGS]
    match unsafe { get_error_handler(errors) } {
        h @ (ErrorHandler::Strict | ErrorHandler::SurrogateEscape | ErrorHandler::SurrogatePass) => Ok(h),
        _ => bail!(PyExc_ValueError, "unsupported error handler"),
    }
}

unsafe fn encode_locale(s: StrRef<'_>, errors: *const c_char) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let t = text(s);
        if t.find_char(0).is_some() {
            bail!(PyExc_ValueError, "embedded null character");
        }
        let handler = locale_handler(errors)?;
        if locale_is_utf8() {
            return utf8::encode(s, errors);
        }
        let mut out = Vec::with_capacity(t.len());
        let mut state = [0u64; 1];
        for (i, c) in t.chars().enumerate() {
            if handler == ErrorHandler::SurrogateEscape && (0xdc80..=0xdcff).contains(&c) {
                out.push(c as u8);
                continue;
            }
            let mut buf = [0 as c_char; 16];
            let n = wcrtomb(buf.as_mut_ptr(), c as libc::wchar_t, &mut state);
            if n == usize::MAX {
                return Err(EncodeErrors::new(c"locale", core::ptr::null(), s).raise(i, i + 1, c"encoding error"));
            }
            out.extend(buf[..n].iter().map(|&b| b as u8));
        }
        bytes_from(&out)
    }
}

unsafe fn decode_locale(s: *const c_char, len: Py_ssize_t, errors: *const c_char) -> PyResult<StrObj> {
    // SAFETY: [ARGS] a NUL follows the text.
    unsafe {
        let input = raw_bytes(s, len);
        if *s.offset(len) != 0 || input.contains(&0) {
            bail!(PyExc_ValueError, "embedded null byte");
        }
        let handler = locale_handler(errors)?;
        if locale_is_utf8() {
            return utf8::decode(input, errors, None);
        }
        let mut w = Writer::growing(input.len());
        let mut state = [0u64; 1];
        let mut i = 0;
        while i < input.len() {
            let mut wc = 0;
            let n = mbrtowc(&mut wc, input[i..].as_ptr().cast(), input.len() - i, &mut state);
            if n >= usize::MAX - 1 || (0xd800..=0xdfff).contains(&(wc as u32)) {
                if handler != ErrorHandler::SurrogateEscape {
                    return Err(DecodeErrors::new(c"locale", core::ptr::null(), input).raise(i, i + 1, c"decoding error"));
                }
                w.write_char(0xdc00 + input[i] as u32)?;
                state = [0];
                i += 1;
                continue;
            }
            w.write_char(wc as u32)?;
            i += n.max(1);
        }
        w.finish()
    }
}

/// Encodes in the current locale's encoding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_EncodeLocale(unicode: *mut PyObject, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { str_argument(unicode).and_then(|s| encode_locale(s, errors)).into_c() }
}
/// Decodes from the current locale's encoding; a NUL follows the text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeLocaleAndSize(s: *const c_char, len: Py_ssize_t, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { decode_locale(s, len, errors).into_c() }
}
/// Decodes NUL-terminated text from the current locale's encoding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeLocale(s: *const c_char, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { decode_locale(s, libc::strlen(s) as isize, errors).into_c() }
}

/// Converter for `PyArg_Parse*`: a str to wide characters in a block of `PyMem_Malloc`; NULL frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_WideCharString_Converter(obj: *mut PyObject, ptr: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { wide_converter(obj, ptr.cast(), false) }
}
/// As [`_PyUnicode_WideCharString_Converter`]; `None` gives NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_WideCharString_Opt_Converter(obj: *mut PyObject, ptr: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { wide_converter(obj, ptr.cast(), true) }
}

unsafe fn wide_converter(obj: *mut PyObject, slot: *mut *mut libc::wchar_t, optional: bool) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if obj.is_null() {
            PyMem_Free((*slot).cast());
            *slot = null_mut();
            return 1;
        }
        if optional && obj == Py_None() {
            *slot = null_mut();
            return 1;
        }
        if PyUnicode_Check(obj) == 0 {
            let format = if optional { c"argument must be str or None, not %.50s" } else { c"argument must be str, not %.50s" };
            PyErr_Format(PyExc_TypeError, format.as_ptr(), (*(*obj).ob_type).tp_name);
            return 0;
        }
        *slot = PyUnicode_AsWideCharString(obj, null_mut());
        if (*slot).is_null() { 0 } else { Py_CLEANUP_SUPPORTED }
    }
}

