//! `unicode_escape` and `raw_unicode_escape`, which string literals use as well.

use super::*;
use crate::unicodeobject::layout::{MAX_UNICODE, empty};
use core::ffi::{c_int, c_void};

/// The table of character names that `unicodedata` exports in a capsule.
#[repr(C)]
pub struct _PyUnicode_Name_CAPI {
    /// Writes the name of a character.
    pub getname: unsafe extern "C" fn(code: u32, buffer: *mut c_char, buflen: c_int, with_alias_and_seq: c_int) -> c_int,
    /// Finds the character of a name.
    pub getcode: unsafe extern "C" fn(name: *const c_char, namelen: c_int, code: *mut u32, with_named_seq: c_int) -> c_int,
}

static mut NAME_CAPI: *mut c_void = null_mut();

/// The name table, imported on first use; NULL with an exception if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_GetNameCAPI() -> *mut _PyUnicode_Name_CAPI {
    // SAFETY: [GIL]
    unsafe {
        if NAME_CAPI.is_null() {
            NAME_CAPI = PyCapsule_Import(c"unicodedata._ucnhash_CAPI".as_ptr(), 1);
        }
        NAME_CAPI.cast()
    }
}

/// An escape that a warning is due for: a character after a backslash (below 256) or an octal value above 0o377.
pub struct InvalidEscape {
    /// See the type.
    pub value: c_int,
    /// Position of the character or of the octal digits; `None` once a handler has replaced the input.
    pub at: Option<usize>,
}

/// How reading one escape ends if not with a character.
enum Trouble {
    /// The input ends inside it.
    Incomplete(&'static CStr),
    /// It is malformed; the error ends before the position reached.
    Malformed(&'static CStr),
}

/// `count` hexadecimal digits at `*i`.
fn hex(s: &[u8], i: &mut usize, count: usize, message: &'static CStr) -> Result<u32, Trouble> {
    let mut v: u32 = 0;
    for _ in 0..count {
        let Some(&c) = s.get(*i) else { return Err(Trouble::Incomplete(message)) };
        let Some(d) = (c as char).to_digit(16) else { return Err(Trouble::Malformed(message)) };
        v = v << 4 | d;
        *i += 1;
    }
    Ok(v)
}

/// `{name}` at `*i`.
fn named(s: &[u8], i: &mut usize) -> PyResult<Result<u32, Trouble>> {
    let malformed = c"malformed \\N character escape";
    // SAFETY: [GIL]
    let table = unsafe { _PyUnicode_GetNameCAPI() };
    if table.is_null() {
        bail!(PyExc_UnicodeError, "\\N escapes not supported (can't load unicodedata module)");
    }
    match s.get(*i) {
        None => return Ok(Err(Trouble::Incomplete(malformed))),
        Some(b'{') => {}
        Some(_) => return Ok(Err(Trouble::Malformed(malformed))),
    }
    *i += 1;
    let start = *i;
    let Some(n) = memchr::memchr(b'}', &s[start..]) else {
        *i = s.len();
        return Ok(Err(Trouble::Incomplete(malformed)));
    };
    *i = start + n;
    if n == 0 {
        return Ok(Err(Trouble::Malformed(malformed)));
    }
    *i += 1;
    let mut code = u32::MAX;
    // SAFETY: [ARGS] the name lies in the input.
    let found = n <= c_int::MAX as usize && unsafe { ((*table).getcode)(s[start..].as_ptr().cast(), n as c_int, &mut code, 0) } != 0;
    Ok(if found && code <= MAX_UNICODE { Ok(code) } else { Err(Trouble::Malformed(c"unknown Unicode character name")) })
}

/// Decodes `unicode_escape`; with `consumed` an incomplete escape at the end is left over.
pub fn decode(input: &[u8], errors: *const c_char, consumed: Option<&mut isize>) -> PyResult<(StrObj, Option<InvalidEscape>)> {
    let mut used = input.len();
    let stateful = consumed.is_some();
    let mut invalid: Option<InvalidEscape> = None;
    let result = (|| {
        if input.is_empty() {
            return Ok(empty());
        }
        let mut w = Writer::growing(input.len());
        w.0.overallocate = 0;
        let mut state = DecodeErrors::new(c"unicodeescape", errors, input);
        let (mut s, mut i) = (input, 0);
        let mut original = true;
        while i < s.len() {
            let run = memchr::memchr(b'\\', &s[i..]).unwrap_or(s.len() - i);
            if run > 0 {
                w.prepare(run, 127)?;
                w.write_text(Text::U1(&s[i..i + run]))?;
                i += run;
                continue;
            }
            let start = i;
            i += 1;
            let mut read = || -> PyResult<Result<Option<u32>, Trouble>> {
                let Some(&c) = s.get(i) else { return Ok(Err(Trouble::Incomplete(c"\\ at end of string"))) };
                i += 1;
                Ok(Ok(Some(match c {
                    b'\n' => return Ok(Ok(None)),
                    b'\\' | b'\'' | b'"' => c as u32,
                    b'b' => 8,
                    b'f' => 12,
                    b't' => 9,
                    b'n' => 10,
                    b'r' => 13,
                    b'v' => 11,
                    b'a' => 7,
                    b'0'..=b'7' => {
                        let first = i - 1;
                        let mut v = (c - b'0') as u32;
                        while i < first + 3 && let Some(&d @ b'0'..=b'7') = s.get(i) {
                            v = v << 3 | (d - b'0') as u32;
                            i += 1;
                        }
                        if v > 0o377 && invalid.is_none() {
                            invalid = Some(InvalidEscape { value: v as c_int, at: original.then_some(first) });
                        }
                        v
                    }
                    b'x' | b'u' | b'U' => {
                        let (count, message) = match c {
                            b'x' => (2, c"truncated \\xXX escape"),
                            b'u' => (4, c"truncated \\uXXXX escape"),
                            _ => (8, c"truncated \\UXXXXXXXX escape"),
                        };
                        match hex(s, &mut i, count, message) {
                            Ok(v) if v > MAX_UNICODE => return Ok(Err(Trouble::Malformed(c"illegal Unicode character"))),
                            Ok(v) => v,
                            Err(t) => return Ok(Err(t)),
                        }
                    }
                    b'N' => match named(s, &mut i)? {
                        Ok(v) => v,
                        Err(t) => return Ok(Err(t)),
                    },
                    _ => {
                        if invalid.is_none() {
                            invalid = Some(InvalidEscape { value: c as c_int, at: original.then_some(i - 1) });
                        }
                        w.write_char(b'\\' as u32)?;
                        c as u32
                    }
                })))
            };
            let message = match read()? {
                Ok(Some(c)) => {
                    w.write_char(c)?;
                    continue;
                }
                Ok(None) => continue,
                Err(Trouble::Incomplete(_)) if stateful => {
                    used = start;
                    break;
                }
                Err(Trouble::Incomplete(m) | Trouble::Malformed(m)) => m,
            };
            i = state.write(&mut w, start, i, message)?;
            let now = state.input();
            original &= now.as_ptr() == s.as_ptr();
            s = now;
            if i >= s.len() {
                used = i;
            }
        }
        w.finish()
    })();
    if let Some(c) = consumed {
        *c = used as isize;
    }
    result.map(|s| (s, invalid))
}

/// Decodes `raw_unicode_escape`: only `\uXXXX` and `\UXXXXXXXX` are escapes.
fn decode_raw(input: &[u8], errors: *const c_char, consumed: Option<&mut isize>) -> PyResult<StrObj> {
    let mut used = input.len();
    let stateful = consumed.is_some();
    let mut w = Writer::growing(input.len());
    let mut state = DecodeErrors::new(c"rawunicodeescape", errors, input);
    let (mut s, mut i) = (input, 0);
    while i < s.len() {
        let c = s[i];
        if c != b'\\' || i + 1 == s.len() && !stateful {
            w.write_char(c as u32)?;
            i += 1;
            continue;
        }
        let start = i;
        i += 1;
        let (count, message) = match s.get(i) {
            None => {
                used = start;
                break;
            }
            Some(b'u') => (4, c"truncated \\uXXXX escape"),
            Some(b'U') => (8, c"truncated \\UXXXXXXXX escape"),
            Some(&c) => {
                w.write_char(b'\\' as u32)?;
                w.write_char(c as u32)?;
                i += 1;
                continue;
            }
        };
        i += 1;
        let message = match hex(s, &mut i, count, message) {
            Ok(v) if v <= MAX_UNICODE => {
                w.write_char(v)?;
                continue;
            }
            Ok(_) => c"\\Uxxxxxxxx out of range",
            Err(Trouble::Incomplete(_)) if stateful => {
                used = start;
                break;
            }
            Err(Trouble::Incomplete(m) | Trouble::Malformed(m)) => m,
        };
        i = state.write(&mut w, start, i, message)?;
        s = state.input();
    }
    if let Some(c) = consumed {
        *c = used as isize;
    }
    w.finish()
}

fn push_hex(out: &mut Vec<u8>, letter: u8, c: u32, digits: u32) {
    out.extend_from_slice(&[b'\\', letter]);
    for k in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(c >> (4 * k) & 15) as usize]);
    }
}

fn encode(s: StrRef<'_>) -> PyResult<Owned> {
    let t = text(s);
    let mut out = Vec::with_capacity(t.len());
    for c in t.chars() {
        match c {
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            13 => out.extend_from_slice(b"\\r"),
            0x5c => out.extend_from_slice(b"\\\\"),
            0x20..=0x7e => out.push(c as u8),
            0..=0xff => push_hex(&mut out, b'x', c, 2),
            0x100..=0xffff => push_hex(&mut out, b'u', c, 4),
            _ => push_hex(&mut out, b'U', c, 8),
        }
    }
    bytes_from(&out)
}

fn encode_raw(s: StrRef<'_>) -> PyResult<Owned> {
    let t = text(s);
    let mut out = Vec::with_capacity(t.len());
    for c in t.chars() {
        match c {
            0..=0xff => out.push(c as u8),
            0x100..=0xffff => push_hex(&mut out, b'u', c, 4),
            _ => push_hex(&mut out, b'U', c, 8),
        }
    }
    bytes_from(&out)
}

/// Decodes escapes and tells the first one to warn about.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_DecodeUnicodeEscapeInternal2(
    s: *const c_char,
    size: Py_ssize_t,
    errors: *const c_char,
    consumed: *mut Py_ssize_t,
    first_invalid_escape_char: *mut c_int,
    first_invalid_escape_ptr: *mut *const c_char,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        *first_invalid_escape_char = -1;
        *first_invalid_escape_ptr = core::ptr::null();
        match decode(raw_bytes(s, size), errors, consumed.as_mut()) {
            Ok((text, invalid)) => {
                if let Some(e) = invalid {
                    *first_invalid_escape_char = e.value;
                    if let Some(at) = e.at {
                        *first_invalid_escape_ptr = s.add(at);
                    }
                }
                text.into_raw_object()
            }
            Err(_) => null_mut(),
        }
    }
}
/// [`_PyUnicode_DecodeUnicodeEscapeInternal2`] without the character.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_DecodeUnicodeEscapeInternal(
    s: *const c_char,
    size: Py_ssize_t,
    errors: *const c_char,
    consumed: *mut Py_ssize_t,
    first_invalid_escape: *mut *const c_char,
) -> *mut PyObject {
    let mut c = 0;
    // SAFETY: [ARGS]
    unsafe { _PyUnicode_DecodeUnicodeEscapeInternal2(s, size, errors, consumed, &mut c, first_invalid_escape) }
}
/// Decodes escapes, with a warning about invalid ones.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_DecodeUnicodeEscapeStateful(s: *const c_char, size: Py_ssize_t, errors: *const c_char, consumed: *mut Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok((text, invalid)) = decode(raw_bytes(s, size), errors, consumed.as_mut()) else { return null_mut() };
        if let Some(e) = invalid {
            let format = if e.value > 0xff { c"invalid octal escape sequence '\\%o'" } else { c"invalid escape sequence '\\%c'" };
            if PyErr_WarnFormat(PyExc_DeprecationWarning, 1, format.as_ptr(), e.value) < 0 {
                return null_mut();
            }
        }
        text.into_raw_object()
    }
}
/// Decodes `unicode_escape`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeUnicodeEscape(s: *const c_char, size: Py_ssize_t, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { _PyUnicode_DecodeUnicodeEscapeStateful(s, size, errors, null_mut()) }
}
/// Encodes to `unicode_escape`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsUnicodeEscapeString(unicode: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { str_argument(unicode).and_then(encode).into_c() }
}
/// Decodes `raw_unicode_escape`, leaving an incomplete end over if `consumed` is not NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_DecodeRawUnicodeEscapeStateful(s: *const c_char, size: Py_ssize_t, errors: *const c_char, consumed: *mut Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { decode_raw(raw_bytes(s, size), errors, consumed.as_mut()).into_c() }
}
/// Decodes `raw_unicode_escape`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeRawUnicodeEscape(s: *const c_char, size: Py_ssize_t, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { decode_raw(raw_bytes(s, size), errors, None).into_c() }
}
/// Encodes to `raw_unicode_escape`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsRawUnicodeEscapeString(unicode: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { str_argument(unicode).and_then(encode_raw).into_c() }
}
