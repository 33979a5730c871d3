//! ASCII and Latin-1.

use super::*;
use crate::unicodeobject::layout::{data, is_ascii, kind, length};
use crate::unicodeobject::{from_ascii, from_units};

/// Characters that can be encoded are those below a limit, each as one byte.
#[derive(Clone, Copy)]
struct SingleByte {
    limit: u32,
    encoding: &'static CStr,
    reason: &'static CStr,
}
const LATIN1: SingleByte = SingleByte { limit: 256, encoding: c"latin-1", reason: c"ordinal not in range(256)" };
const ASCII: SingleByte = SingleByte { limit: 128, encoding: c"ascii", reason: c"ordinal not in range(128)" };

fn encode(s: StrRef<'_>, errors: *const c_char, codec: SingleByte) -> PyResult<Owned> {
    let t = text(s);
    let mut out = Vec::with_capacity(t.len());
    let mut state = EncodeErrors::new(codec.encoding, errors, s);
    // SAFETY: [ARGS]
    let handler = unsafe { get_error_handler(errors) };
    let mut i = 0;
    while i < t.len() {
        let c = t.get(i);
        if c < codec.limit {
            out.push(c as u8);
            i += 1;
            continue;
        }
        let mut start = i;
        let mut end = i + 1;
        while end < t.len() && t.get(end) >= codec.limit {
            end += 1;
        }
        match handler {
            ErrorHandler::Replace => out.resize(out.len() + end - start, b'?'),
            ErrorHandler::Ignore => {}
            ErrorHandler::BackslashReplace => backslashes(&mut out, t.slice(start, end)),
            ErrorHandler::XmlCharRefReplace => xmlcharrefs(&mut out, t.slice(start, end)),
            _ => {
                if handler == ErrorHandler::SurrogateEscape {
                    while start < end && (0xdc80..=0xdcff).contains(&t.get(start)) {
                        out.push(t.get(start) as u8);
                        start += 1;
                    }
                }
                if start < end {
                    let (replacement, pos) = state.call(start, end, codec.reason)?;
                    match replacement {
                        Replacement::Bytes(b) => out.extend_from_slice(bytes_of(&b)),
                        Replacement::Text(r) => match text(r.borrow()) {
                            // SAFETY: [TYPE]
                            Text::U1(r1) if codec.limit == 256 || unsafe { is_ascii(r.as_ptr().cast()) } => {
                                out.extend_from_slice(r1)
                            }
                            _ => return Err(state.raise(start, end, codec.reason)),
                        },
                    }
                    i = pos;
                    continue;
                }
            }
        }
        i = end;
    }
    bytes_from(&out)
}

/// Encodes to Latin-1 without the quick way for narrow strings; also the charmap codec's default.
pub fn encode_latin1(s: StrRef<'_>, errors: *const c_char) -> PyResult<Owned> {
    encode(s, errors, LATIN1)
}

/// Encodes to Latin-1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_AsLatin1String(unicode: *mut PyObject, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(s) = str_argument(unicode) else { return null_mut() };
        if kind(unicode) == 1 {
            return PyBytes_FromStringAndSize(data(unicode).cast(), length(unicode) as isize);
        }
        encode_latin1(s, errors).into_c()
    }
}
/// Encodes to Latin-1, strictly.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsLatin1String(unicode: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { _PyUnicode_AsLatin1String(unicode, core::ptr::null()) }
}
/// Encodes to ASCII.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_AsASCIIString(unicode: *mut PyObject, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(s) = str_argument(unicode) else { return null_mut() };
        if is_ascii(unicode) {
            return PyBytes_FromStringAndSize(data(unicode).cast(), length(unicode) as isize);
        }
        encode(s, errors, ASCII).into_c()
    }
}
/// Encodes to ASCII, strictly.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsASCIIString(unicode: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { _PyUnicode_AsASCIIString(unicode, core::ptr::null()) }
}

fn decode_ascii(input: &[u8], errors: *const c_char) -> PyResult<StrObj> {
    let good = input.iter().position(|b| *b > 127).unwrap_or(input.len());
    if good == input.len() {
        return from_ascii(input);
    }
    let mut w = Writer::growing(input.len());
    w.write_ascii(&input[..good])?;
    let mut state = DecodeErrors::new(ASCII.encoding, errors, input);
    // SAFETY: [ARGS]
    let handler = unsafe { get_error_handler(errors) };
    let (mut s, mut i) = (input, good);
    while i < s.len() {
        let b = s[i];
        match handler {
            _ if b < 128 => w.write_char(b as u32)?,
            ErrorHandler::Replace => w.write_char(0xfffd)?,
            ErrorHandler::SurrogateEscape => w.write_char(0xdc00 + b as u32)?,
            ErrorHandler::Ignore => {}
            _ => {
                i = state.write(&mut w, i, i + 1, ASCII.reason)?;
                s = state.input();
                continue;
            }
        }
        i += 1;
    }
    w.finish()
}

/// Decodes ASCII.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeASCII(s: *const c_char, size: Py_ssize_t, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { decode_ascii(raw_bytes(s, size), errors).into_c() }
}
/// Decodes Latin-1, which can't fail.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeLatin1(s: *const c_char, size: Py_ssize_t, _errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { from_units(raw_bytes(s, size)).into_c() }
}
