//! UTF-8.

use super::*;
use crate::unicodeobject::layout::{data, free_utf8, is_ascii, is_compact_ascii, length, no_memory};
use crate::unicodeobject::{from_ascii, from_rust};
use crate::with_units;

/// Decodes `input`. With `consumed` an incomplete sequence at the end is left over instead of being an error.
#[inline]
pub fn decode(input: &[u8], errors: *const c_char, consumed: Option<&mut isize>) -> PyResult<StrObj> {
    if input.is_ascii() {
        if let Some(c) = consumed {
            *c = input.len() as isize;
        }
        return from_ascii(input);
    }
    match core::str::from_utf8(input) {
        Ok(s) => {
            if let Some(c) = consumed {
                *c = input.len() as isize;
            }
            from_rust(s)
        }
        Err(_) => decode_slow(input, errors, consumed),
    }
}

fn decode_slow(input: &[u8], errors: *const c_char, consumed: Option<&mut isize>) -> PyResult<StrObj> {
    let mut w = Writer::growing(input.len());
    let mut state = DecodeErrors::new(c"utf-8", errors, input);
    // SAFETY: [ARGS] errors is NULL or NUL-terminated.
    let handler = unsafe { get_error_handler(errors) };
    let (mut s, mut at) = (input, 0);
    loop {
        let error = match core::str::from_utf8(&s[at..]) {
            Ok(rest) => {
                w.write_rust(rest)?;
                at = s.len();
                break;
            }
            Err(e) => e,
        };
        let good = error.valid_up_to();
        // SAFETY: the checker found this part valid.
        w.write_rust(unsafe { core::str::from_utf8_unchecked(&s[at..at + good]) })?;
        at += good;
        let (end, reason) = match error.error_len() {
            None => {
                if consumed.is_some() {
                    break;
                }
                (s.len(), c"unexpected end of data")
            }
            // The start of a surrogate, which the error handler may know to complete.
            Some(_) if consumed.is_some() && s.len() - at == 2 && s[at] == 0xed && (0xa0..=0xbf).contains(&s[at + 1]) => break,
            Some(n) => {
                let lead = s[at];
                let invalid_start = !(0xc2..=0xf4).contains(&lead);
                (at + n, if invalid_start { c"invalid start byte" } else { c"invalid continuation byte" })
            }
        };
        match handler {
            ErrorHandler::Ignore => at = end,
            ErrorHandler::Replace => {
                w.write_char(0xfffd)?;
                at = end;
            }
            ErrorHandler::SurrogateEscape => {
                for &b in &s[at..end] {
                    w.write_char(0xdc00 + b as u32)?;
                }
                at = end;
            }
            _ => {
                at = state.write(&mut w, at, end, reason)?;
                s = state.input();
            }
        }
    }
    if let Some(c) = consumed {
        *c = at as isize;
    }
    w.finish()
}

/// Bytes that `t` takes in UTF-8; `None` if it has surrogates.
fn encoded_len(t: Text<'_>) -> Option<usize> {
    match t {
        Text::U1(s) => Some(s.len() + s.iter().map(|&c| (c >= 0x80) as usize).sum::<usize>()),
        _ => with_units!(t, s => {
            let mut n = 0;
            for &c in s {
                let c: u32 = c.into();
                n += match c {
                    0..=0x7f => 1,
                    0x80..=0x7ff => 2,
                    0xd800..=0xdfff => return None,
                    0x800..=0xffff => 3,
                    _ => 4,
                };
            }
            Some(n)
        }),
    }
}

#[inline(always)]
unsafe fn put(out: *mut u8, c: u32) -> *mut u8 {
    // SAFETY: [ARGS] up to four bytes of room.
    unsafe {
        if c < 0x80 {
            *out = c as u8;
            out.add(1)
        } else if c < 0x800 {
            *out = 0xc0 | (c >> 6) as u8;
            *out.add(1) = 0x80 | (c & 0x3f) as u8;
            out.add(2)
        } else if c < 0x10000 {
            *out = 0xe0 | (c >> 12) as u8;
            *out.add(1) = 0x80 | (c >> 6 & 0x3f) as u8;
            *out.add(2) = 0x80 | (c & 0x3f) as u8;
            out.add(3)
        } else {
            *out = 0xf0 | (c >> 18) as u8;
            *out.add(1) = 0x80 | (c >> 12 & 0x3f) as u8;
            *out.add(2) = 0x80 | (c >> 6 & 0x3f) as u8;
            *out.add(3) = 0x80 | (c & 0x3f) as u8;
            out.add(4)
        }
    }
}

unsafe fn put_all(mut out: *mut u8, t: Text<'_>) {
    with_units!(t, s => for &c in s {
        // SAFETY: [ARGS] the caller allocated what encoded_len counted.
        unsafe { out = put(out, c.into()) };
    });
}

fn push(out: &mut Vec<u8>, c: u32) {
    let mut buf = [0u8; 4];
    // SAFETY: four bytes of room.
    let n = unsafe { put(buf.as_mut_ptr(), c).offset_from(buf.as_ptr()) };
    out.extend_from_slice(&buf[..n as usize]);
}

const SURROGATES: &CStr = c"surrogates not allowed";

/// Encodes to bytes.
pub fn encode(s: StrRef<'_>, errors: *const c_char) -> PyResult<Owned> {
    let t = text(s);
    // SAFETY: [TYPE] [OWN] the new object has the room that was counted.
    unsafe {
        if is_ascii(s.ob()) {
            return bytes_from(t.bytes());
        }
        let c = s.ob().cast::<PyCompactUnicodeObject>();
        if !(*c).utf8.is_null() {
            return bytes_from(raw_bytes((*c).utf8, (*c).utf8_length));
        }
        if let Some(n) = encoded_len(t) {
            let b = Owned::from_owned_or_err(PyBytes_FromStringAndSize(core::ptr::null(), n as isize))?;
            put_all(PyBytes_AS_STRING(b.as_ptr()) as *mut u8, t);
            return Ok(b);
        }
        encode_slow(s, errors)
    }
}

fn encode_slow(s: StrRef<'_>, errors: *const c_char) -> PyResult<Owned> {
    let t = text(s);
    let mut out = Vec::with_capacity(t.len() * 3);
    let mut state = EncodeErrors::new(c"utf-8", errors, s);
    // SAFETY: [ARGS]
    let handler = unsafe { get_error_handler(errors) };
    let surrogate = |c: u32| (0xd800..=0xdfff).contains(&c);
    let mut i = 0;
    while i < t.len() {
        let c = t.get(i);
        if !surrogate(c) {
            push(&mut out, c);
            i += 1;
            continue;
        }
        let mut start = i;
        let mut end = i + 1;
        while end < t.len() && surrogate(t.get(end)) {
            end += 1;
        }
        match handler {
            ErrorHandler::Replace => {
                out.resize(out.len() + end - start, b'?');
                i = end;
                continue;
            }
            ErrorHandler::Ignore => {
                i = end;
                continue;
            }
            ErrorHandler::SurrogatePass => {
                t.slice(start, end).chars().for_each(|c| push(&mut out, c));
                i = end;
                continue;
            }
            ErrorHandler::BackslashReplace => {
                backslashes(&mut out, t.slice(start, end));
                i = end;
                continue;
            }
            ErrorHandler::XmlCharRefReplace => {
                xmlcharrefs(&mut out, t.slice(start, end));
                i = end;
                continue;
            }
            ErrorHandler::SurrogateEscape => {
                while start < end && (0xdc80..=0xdcff).contains(&t.get(start)) {
                    out.push(t.get(start) as u8);
                    start += 1;
                }
                if start == end {
                    i = end;
                    continue;
                }
            }
            _ => {}
        }
        let (replacement, pos) = state.call(start, end, SURROGATES)?;
        match replacement {
            Replacement::Bytes(b) => out.extend_from_slice(bytes_of(&b)),
            // SAFETY: [TYPE]
            Replacement::Text(r) if unsafe { is_ascii(r.as_ptr().cast()) } => out.extend_from_slice(text(r.borrow()).bytes()),
            Replacement::Text(_) => return Err(state.raise(start, end, SURROGATES)),
        }
        i = pos;
    }
    bytes_from(&out)
}

/// Decodes UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeUTF8(s: *const c_char, size: Py_ssize_t, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { decode(raw_bytes(s, size), errors, None).into_c() }
}
/// Decodes UTF-8; if `consumed` is not NULL an incomplete end is left over and the number of bytes used is stored there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeUTF8Stateful(s: *const c_char, size: Py_ssize_t, errors: *const c_char, consumed: *mut Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { decode(raw_bytes(s, size), errors, consumed.as_mut()).into_c() }
}
/// Encodes to UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_AsUTF8String(unicode: *mut PyObject, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { str_argument(unicode).and_then(|s| encode(s, errors)).into_c() }
}
/// Encodes to UTF-8, strictly.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsUTF8String(unicode: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { _PyUnicode_AsUTF8String(unicode, core::ptr::null()) }
}

/// Fills the cache of the UTF-8 form.
#[cold]
unsafe fn fill_utf8(op: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE] not compact ASCII, no cache yet.
    unsafe {
        let t = crate::unicodeobject::text_of(op);
        let Some(n) = encoded_len(t) else {
            let s: StrRef<'_> = Borrowed::from_ptr(op.cast());
            let start = t.chars().position(|c| (0xd800..=0xdfff).contains(&c)).unwrap_or(0);
            let more = t.slice(start, t.len()).chars().take_while(|c| (0xd800..=0xdfff).contains(c)).count();
            return Err(EncodeErrors::new(c"utf-8", core::ptr::null(), s).raise(start, start + more, SURROGATES));
        };
        let block = PyMem_Malloc(n + 1).cast::<u8>();
        if block.is_null() {
            return Err(no_memory());
        }
        put_all(block, t);
        *block.add(n) = 0;
        free_utf8(op);
        let c = op.cast::<PyCompactUnicodeObject>();
        (*c).utf8 = block.cast();
        (*c).utf8_length = n as isize;
        Ok(())
    }
}

/// The UTF-8 form, cached in the string and NUL-terminated; its length goes to `*psize`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsUTF8AndSize(unicode: *mut PyObject, psize: *mut Py_ssize_t) -> *const c_char {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(unicode) == 0 {
            PyErr_BadArgument();
            if !psize.is_null() {
                *psize = -1;
            }
            return core::ptr::null();
        }
        if is_compact_ascii(unicode) {
            if !psize.is_null() {
                *psize = length(unicode) as isize;
            }
            return data(unicode).cast();
        }
        let c = unicode.cast::<PyCompactUnicodeObject>();
        if (*c).utf8.is_null() && fill_utf8(unicode).is_err() {
            if !psize.is_null() {
                *psize = -1;
            }
            return core::ptr::null();
        }
        if !psize.is_null() {
            *psize = (*c).utf8_length;
        }
        (*c).utf8
    }
}
/// [`PyUnicode_AsUTF8AndSize`] without the length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsUTF8(unicode: *mut PyObject) -> *const c_char {
    // SAFETY: [ARGS]
    unsafe { PyUnicode_AsUTF8AndSize(unicode, null_mut()) }
}
/// [`PyUnicode_AsUTF8`]; ValueError if the string contains NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_AsUTF8NoNUL(unicode: *mut PyObject) -> *const c_char {
    // SAFETY: [ARGS]
    unsafe {
        let mut size = 0;
        let p = PyUnicode_AsUTF8AndSize(unicode, &mut size);
        if !p.is_null() && libc::strlen(p) != size as usize {
            let _ = raise!(PyExc_ValueError, "embedded null character");
            return core::ptr::null();
        }
        p
    }
}

/// A string of `size` bytes of UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_FromStringAndSize(u: *const c_char, size: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if size < 0 {
            return raised(raise!(PyExc_SystemError, "Negative size passed to PyUnicode_FromStringAndSize"));
        }
        if u.is_null() {
            if size > 0 {
                return raised(raise!(
                    PyExc_SystemError,
                    "NULL string with positive size with NULL passed to PyUnicode_FromStringAndSize"
                ));
            }
            return crate::unicodeobject::layout::empty_ptr();
        }
        decode(raw_bytes(u, size), core::ptr::null(), None).into_c()
    }
}
/// A string of NUL-terminated UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_FromString(u: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { decode(CStr::from_ptr(u).to_bytes(), core::ptr::null(), None).into_c() }
}

