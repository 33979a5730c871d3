//! UTF-7 (RFC 2152).

use super::*;
use core::ffi::c_int;

fn base64_value(c: u8) -> Option<u32> {
    Some(match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    } as u32)
}

fn base64_char(v: u64) -> u8 {
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(v & 63) as usize]
}

fn decodes_directly(c: u8) -> bool {
    c < 128 && c != b'+'
}

/// Whether the encoder may write `c` as itself. Optional characters (set O of the RFC) and white space count as the
/// caller asks.
fn encodes_directly(c: u32, optional: bool, white_space: bool) -> bool {
    match c {
        0x09 | 0x0a | 0x0d | 0x20 => white_space,
        0x2b | 0x5c | 0x7e => false,
        _ if c < 0x20 || c > 0x7e => false,
        _ => (c as u8).is_ascii_alphanumeric() || b"'(),-./:?".contains(&(c as u8)) || optional,
    }
}

/// The state inside a base-64 section.
#[derive(Default)]
struct Shift {
    bits: u32,
    buffer: u64,
    /// A high surrogate that waits for its partner, or 0.
    surrogate: u32,
}

impl Shift {
    /// Whether what is left over is an error.
    fn broken(&self) -> bool {
        self.bits >= 6 || self.bits > 0 && self.buffer != 0
    }
}

fn decode(input: &[u8], errors: *const c_char, consumed: Option<&mut isize>) -> PyResult<StrObj> {
    let mut w = Writer::growing(input.len());
    let mut state = DecodeErrors::new(c"utf7", errors, input);
    let (mut s, mut i) = (input, 0);
    let mut shift: Option<Shift> = None;
    let (mut start, mut shift_out) = (0, 0);
    loop {
        while i < s.len() {
            let c = s[i];
            let reason = if let Some(sh) = &mut shift {
                if let Some(v) = base64_value(c) {
                    sh.buffer = sh.buffer << 6 | v as u64;
                    sh.bits += 6;
                    i += 1;
                    if sh.bits >= 16 {
                        let unit = (sh.buffer >> (sh.bits - 16)) as u32;
                        sh.bits -= 16;
                        sh.buffer &= (1 << sh.bits) - 1;
                        if sh.surrogate != 0 {
                            let high = core::mem::take(&mut sh.surrogate);
                            if (0xdc00..=0xdfff).contains(&unit) {
                                w.write_char(0x10000 + ((high & 0x3ff) << 10 | unit & 0x3ff))?;
                                continue;
                            }
                            w.write_char(high)?;
                        }
                        if (0xd800..=0xdbff).contains(&unit) {
                            sh.surrogate = unit;
                        } else {
                            w.write_char(unit)?;
                        }
                    }
                    continue;
                }
                let (broken, partial, surrogate) = (sh.broken(), sh.bits >= 6, sh.surrogate);
                shift = None;
                if broken {
                    i += 1;
                    if partial { c"partial character in shift sequence" } else { c"non-zero padding bits in shift sequence" }
                } else {
                    if surrogate != 0 && decodes_directly(c) {
                        w.write_char(surrogate)?;
                    }
                    if c == b'-' {
                        i += 1;
                    }
                    continue;
                }
            } else if c == b'+' {
                start = i;
                i += 1;
                match s.get(i) {
                    Some(b'-') => {
                        i += 1;
                        w.write_char(b'+' as u32)?;
                        continue;
                    }
                    Some(&c) if base64_value(c).is_none() => {
                        i += 1;
                        c"ill-formed sequence"
                    }
                    _ => {
                        shift = Some(Shift::default());
                        shift_out = w.pos();
                        continue;
                    }
                }
            } else if decodes_directly(c) {
                i += 1;
                w.write_char(c as u32)?;
                continue;
            } else {
                start = i;
                i += 1;
                c"unexpected special character"
            };
            i = state.write(&mut w, start, i, reason)?;
            s = state.input();
        }
        // The end, which is final unless the caller can go on later.
        if consumed.is_none()
            && let Some(sh) = shift.take()
            && (sh.surrogate != 0 || sh.broken())
        {
            i = state.write(&mut w, start, s.len(), c"unterminated shift sequence")?;
            s = state.input();
            if i < s.len() {
                continue;
            }
        }
        break;
    }
    if let Some(c) = consumed {
        if shift.is_some() {
            // The section is left over as a whole.
            *c = start as isize;
            w.0.pos = shift_out as isize;
            let all = w.finish()?;
            return crate::unicodeobject::from_text(text(all.borrow()));
        }
        *c = i as isize;
    }
    w.finish()
}

fn encode(s: StrRef<'_>, optional: bool, white_space: bool) -> PyResult<Owned> {
    let t = text(s);
    let mut out = Vec::with_capacity(t.len() * 2);
    let (mut shifted, mut bits, mut buffer) = (false, 0u32, 0u64);
    for c in t.chars() {
        if encodes_directly(c, optional, white_space) {
            if shifted {
                if bits > 0 {
                    out.push(base64_char(buffer << (6 - bits)));
                    (buffer, bits) = (0, 0);
                }
                shifted = false;
                if base64_value(c as u8).is_some() || c == b'-' as u32 {
                    out.push(b'-');
                }
            }
            out.push(c as u8);
            continue;
        }
        if !shifted {
            if c == b'+' as u32 {
                out.extend_from_slice(b"+-");
                continue;
            }
            out.push(b'+');
            shifted = true;
        }
        let units = if c >= 0x10000 { [0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff)] } else { [c, u32::MAX] };
        for u in units.into_iter().filter(|&u| u != u32::MAX) {
            bits += 16;
            buffer = buffer << 16 | u as u64;
            while bits >= 6 {
                out.push(base64_char(buffer >> (bits - 6)));
                bits -= 6;
            }
            buffer &= (1 << bits) - 1;
        }
    }
    if bits > 0 {
        out.push(base64_char(buffer << (6 - bits)));
    }
    if shifted {
        out.push(b'-');
    }
    bytes_from(&out)
}

/// Decodes UTF-7.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeUTF7(s: *const c_char, size: Py_ssize_t, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { decode(raw_bytes(s, size), errors, None).into_c() }
}
/// Decodes UTF-7; if `consumed` is not NULL an unfinished section at the end is left over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeUTF7Stateful(s: *const c_char, size: Py_ssize_t, errors: *const c_char, consumed: *mut Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { decode(raw_bytes(s, size), errors, consumed.as_mut()).into_c() }
}
/// Encodes to UTF-7; the flags say whether set O and white space are put in base 64.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_EncodeUTF7(unicode: *mut PyObject, base64_set_o: c_int, base64_white_space: c_int, _errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { str_argument(unicode).and_then(|s| encode(s, base64_set_o == 0, base64_white_space == 0)).into_c() }
}
