//! UTF-16 and UTF-32 in both byte orders.

use super::*;
use crate::unicodeobject::layout::{empty, is_ascii, no_memory};
use core::ffi::c_int;

const SURROGATES: &CStr = c"surrogates not allowed";

fn is_surrogate(c: u32) -> bool {
    (0xd800..=0xdfff).contains(&c)
}

/// Reads the byte order mark if `order` is 0; the order and how many bytes the mark takes.
fn byte_order(input: &[u8], order: Option<&mut c_int>, mark_le: &[u8], mark_be: &[u8]) -> (c_int, usize) {
    let mut bo = order.as_ref().map_or(0, |o| **o);
    let mut skip = 0;
    if bo == 0 && input.len() >= mark_le.len() {
        if input.starts_with(mark_le) {
            (bo, skip) = (-1, mark_le.len());
        } else if input.starts_with(mark_be) {
            (bo, skip) = (1, mark_be.len());
        }
        if let Some(o) = order {
            *o = bo;
        }
    }
    (bo, skip)
}

fn decode_utf16(input: &[u8], errors: *const c_char, order: Option<&mut c_int>, consumed: Option<&mut isize>) -> PyResult<StrObj> {
    let (bo, skip) = byte_order(input, order, &[0xff, 0xfe], &[0xfe, 0xff]);
    if skip == input.len() {
        if let Some(c) = consumed {
            *c = input.len() as isize;
        }
        return Ok(empty());
    }
    let little = bo <= 0;
    let encoding = if little { c"utf-16-le" } else { c"utf-16-be" };
    let mut w = Writer::growing((input.len() - skip).div_ceil(2));
    let mut state = DecodeErrors::new(encoding, errors, input);
    let (mut s, mut i) = (input, skip);
    let unit = |s: &[u8], i: usize| {
        let pair = [s[i], s[i + 1]];
        (if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }) as u32
    };
    loop {
        let (start, end, reason);
        if s.len() - i < 2 {
            if i == s.len() || consumed.is_some() {
                break;
            }
            (start, end, reason) = (i, s.len(), c"truncated data");
        } else {
            let c = unit(s, i);
            if !is_surrogate(c) {
                w.write_char(c)?;
                i += 2;
                continue;
            }
            if c >= 0xdc00 {
                (start, end, reason) = (i, i + 2, c"illegal encoding");
            } else if s.len() - i < 4 {
                if consumed.is_some() {
                    break;
                }
                (start, end, reason) = (i, s.len(), c"unexpected end of data");
            } else {
                let d = unit(s, i + 2);
                if (0xdc00..=0xdfff).contains(&d) {
                    w.write_char(0x10000 + ((c & 0x3ff) << 10 | d & 0x3ff))?;
                    i += 4;
                    continue;
                }
                (start, end, reason) = (i, i + 2, c"illegal UTF-16 surrogate");
            }
        }
        i = state.write(&mut w, start, end, reason)?;
        s = state.input();
    }
    if let Some(c) = consumed {
        *c = i as isize;
    }
    w.finish()
}

fn decode_utf32(input: &[u8], errors: *const c_char, order: Option<&mut c_int>, consumed: Option<&mut isize>) -> PyResult<StrObj> {
    let (bo, skip) = byte_order(input, order, &[0xff, 0xfe, 0, 0], &[0, 0, 0xfe, 0xff]);
    if skip == input.len() {
        if let Some(c) = consumed {
            *c = input.len() as isize;
        }
        return Ok(empty());
    }
    let little = bo <= 0;
    let encoding = if little { c"utf-32-le" } else { c"utf-32-be" };
    let mut w = Writer::growing((input.len() - skip).div_ceil(4));
    let mut state = DecodeErrors::new(encoding, errors, input);
    let (mut s, mut i) = (input, skip);
    loop {
        let (start, end, reason);
        if s.len() - i < 4 {
            if i == s.len() || consumed.is_some() {
                break;
            }
            (start, end, reason) = (i, s.len(), c"truncated data");
        } else {
            let quad = [s[i], s[i + 1], s[i + 2], s[i + 3]];
            let c = if little { u32::from_le_bytes(quad) } else { u32::from_be_bytes(quad) };
            if is_surrogate(c) {
                (start, end, reason) = (i, i + 4, c"code point in surrogate code point range(0xd800, 0xe000)");
            } else if c < 0x110000 {
                w.write_char(c)?;
                i += 4;
                continue;
            } else {
                (start, end, reason) = (i, i + 4, c"code point not in range(0x110000)");
            }
        }
        i = state.write(&mut w, start, end, reason)?;
        s = state.input();
    }
    if let Some(c) = consumed {
        *c = i as isize;
    }
    w.finish()
}

/// Encodes character by character with `put`; surrogates go to the handler. `width` is the size of a code unit.
fn encode(s: StrRef<'_>, errors: *const c_char, encoding: &CStr, width: usize, mark: Option<u32>, put: impl Fn(&mut Vec<u8>, u32)) -> PyResult<Owned> {
    let t = text(s);
    if t.len() > isize::MAX as usize / 4 - 1 {
        return Err(no_memory());
    }
    let mut out = Vec::with_capacity((t.len() + 1) * width);
    if let Some(m) = mark {
        put(&mut out, m);
    }
    let mut state = EncodeErrors::new(encoding, errors, s);
    let mut i = 0;
    while i < t.len() {
        let c = t.get(i);
        if !is_surrogate(c) {
            put(&mut out, c);
            i += 1;
            continue;
        }
        let (replacement, pos) = state.call(i, i + 1, SURROGATES)?;
        match replacement {
            Replacement::Bytes(b) if bytes_of(&b).len() % width == 0 => out.extend_from_slice(bytes_of(&b)),
            // SAFETY: [TYPE]
            Replacement::Text(r) if unsafe { is_ascii(r.as_ptr().cast()) } => {
                text(r.borrow()).chars().for_each(|c| put(&mut out, c))
            }
            _ => return Err(state.raise(i, i + 1, SURROGATES)),
        }
        i = pos;
    }
    bytes_from(&out)
}

fn encode_utf16(s: StrRef<'_>, errors: *const c_char, order: c_int) -> PyResult<Owned> {
    let encoding = match order {
        0 => c"utf-16",
        ..0 => c"utf-16-le",
        _ => c"utf-16-be",
    };
    let big = order > 0;
    encode(s, errors, encoding, 2, (order == 0).then_some(0xfeff), |out, c| {
        let mut unit = |u: u32| out.extend(if big { (u as u16).to_be_bytes() } else { (u as u16).to_le_bytes() });
        if c >= 0x10000 {
            unit(0xd800 + ((c - 0x10000) >> 10));
            unit(0xdc00 + (c & 0x3ff));
        } else {
            unit(c);
        }
    })
}

fn encode_utf32(s: StrRef<'_>, errors: *const c_char, order: c_int) -> PyResult<Owned> {
    let encoding = match order {
        0 => c"utf-32",
        ..0 => c"utf-32-le",
        _ => c"utf-32-be",
    };
    let big = order > 0;
    encode(s, errors, encoding, 4, (order == 0).then_some(0xfeff), |out, c| {
        out.extend(if big { c.to_be_bytes() } else { c.to_le_bytes() })
    })
}

macro_rules! entries {
    ($($decode:ident, $stateful:ident, $encode:ident, $strict:ident, $d:ident, $e:ident, $name:literal;)*) => { $(
        #[doc = concat!("Decodes ", $name, "; `*byteorder` is -1 (little), 1 (big) or 0 (as the mark says, else little).")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $decode(s: *const c_char, size: Py_ssize_t, errors: *const c_char, byteorder: *mut c_int) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe { $d(raw_bytes(s, size), errors, byteorder.as_mut(), None).into_c() }
        }
        #[doc = concat!("Decodes ", $name, "; if `consumed` is not NULL an incomplete end is left over.")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $stateful(s: *const c_char, size: Py_ssize_t, errors: *const c_char, byteorder: *mut c_int, consumed: *mut Py_ssize_t) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe { $d(raw_bytes(s, size), errors, byteorder.as_mut(), consumed.as_mut()).into_c() }
        }
        #[doc = concat!("Encodes to ", $name, "; with byte order 0 a mark comes first.")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $encode(unicode: *mut PyObject, errors: *const c_char, byteorder: c_int) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe { str_argument(unicode).and_then(|s| $e(s, errors, byteorder)).into_c() }
        }
        #[doc = concat!("Encodes to ", $name, " with a mark, strictly.")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $strict(unicode: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe { $encode(unicode, core::ptr::null(), 0) }
        }
    )* };
}
entries! {
    PyUnicode_DecodeUTF16, PyUnicode_DecodeUTF16Stateful, _PyUnicode_EncodeUTF16, PyUnicode_AsUTF16String, decode_utf16, encode_utf16, "UTF-16";
    PyUnicode_DecodeUTF32, PyUnicode_DecodeUTF32Stateful, _PyUnicode_EncodeUTF32, PyUnicode_AsUTF32String, decode_utf32, encode_utf32, "UTF-32";
}
