//! The `binascii` module: bytes as text in uuencode, Base64, hexadecimal and quoted-printable, and checksums.

use crate::support::{bytes, no_memory, take, without_gil};
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::from_arg::Where;
use taipan_clinic::module::add_object;
use taipan_clinic::{BufferView, FromArg, methods, module};
use taipan_objects::bytesobject::new_bytes;

static ERROR: PerInterpreter = PerInterpreter::new();

macro_rules! error {
    ($($t:tt)*) => {{
        #[allow(unused_unsafe, reason = "usable inside and outside unsafe blocks")]
        // SAFETY: [GIL] the class exists once the module does.
        unsafe { raise_str(ERROR.get(), &format!($($t)*)) }
    }};
}

unsafe extern "C" {
    fn _Py_strhex_bytes_with_sep(s: *const c_char, len: Py_ssize_t, sep: *mut PyObject, bytes_per_sep: c_int) -> *mut PyObject;
}

/// Bytes, or a str of ASCII characters.
enum AsciiBuffer {
    View(BufferView),
    Text(&'static [u8]),
}
impl AsciiBuffer {
    fn as_bytes(&self) -> &[u8] {
        match self {
            AsciiBuffer::View(v) => v.as_bytes(),
            AsciiBuffer::Text(t) => t,
        }
    }
}
impl<'a> FromArg<'a> for AsciiBuffer {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [TYPE] a str's data live as long as it does, and the caller holds it.
        unsafe {
            if PyUnicode_Check(arg) != 0 {
                if PyUnicode_IS_ASCII(arg) == 0 {
                    bail!(PyExc_ValueError, "string argument should contain only ASCII characters");
                }
                let text = core::slice::from_raw_parts(PyUnicode_1BYTE_DATA(arg), PyUnicode_GET_LENGTH(arg) as usize);
                return Ok(AsciiBuffer::Text(text));
            }
            match BufferView::get(arg) {
                Ok(v) => Ok(AsciiBuffer::View(v)),
                Err(e) => {
                    e.clear();
                    bail!(PyExc_TypeError, "argument should be bytes, buffer or ASCII string, not '{:.100}'", type_name(arg))
                }
            }
        }
    }
}

/// A vector with room for `n` bytes.
fn room(n: usize) -> PyResult<Vec<u8>> {
    let mut v = Vec::new();
    v.try_reserve_exact(n).map_err(|_| no_memory())?;
    Ok(v)
}

// ---- uuencode --------------------------------------------------------------------------------------------------------

fn a2b_uu(_: (), data: AsciiBuffer) -> PyResult<Owned> {
    // An empty line is read as its NUL terminator.
    let (&first, rest) = data.as_bytes().split_first().unwrap_or((&0, &[]));
    let len = (first.wrapping_sub(b' ') & 0o77) as usize;
    let mut out = room(len)?;
    let (mut bits, mut acc) = (0, 0u32);
    let mut rest = rest.iter();
    while out.len() < len {
        let six = match rest.next() {
            // Spaces at the end of a line are often lost.
            None | Some(b'\n' | b'\r') => 0,
            Some(&c) if !(b' '..=b' ' + 64).contains(&c) => return Err(error!("Illegal char")),
            Some(&c) => (c - b' ') & 0o77,
        };
        acc = acc << 6 | six as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((acc >> bits) as u8);
            acc &= (1 << bits) - 1;
        }
    }
    if rest.any(|&c| !matches!(c, b' ' | b'`' | b'\n' | b'\r')) {
        return Err(error!("Trailing garbage"));
    }
    bytes(&out)
}

fn b2a_uu(_: (), data: BufferView, backtick: bool) -> PyResult<Owned> {
    let data = data.as_bytes();
    if data.len() > 45 {
        return Err(error!("At most 45 bytes at once"));
    }
    let digit = |six: u8| if backtick && six == 0 { b'`' } else { b' ' + six };
    let mut out = room(2 + data.len().div_ceil(3) * 4)?;
    out.push(digit(data.len() as u8));
    for group in data.chunks(3) {
        let word = (group[0] as u32) << 16 | (group.get(1).copied().unwrap_or(0) as u32) << 8 | group.get(2).copied().unwrap_or(0) as u32;
        let digits = [18, 12, 6, 0].map(|shift| digit((word >> shift) as u8 & 0x3f));
        out.extend_from_slice(&digits);
    }
    out.push(b'\n');
    bytes(&out)
}

// ---- Base64 ----------------------------------------------------------------------------------------------------------

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Value of each digit; 255 for what is none.
const DIGITS: [u8; 256] = {
    let mut t = [255; 256];
    let mut i = 0;
    while i < 64 {
        t[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    t
};

fn a2b_base64(_: (), data: AsciiBuffer, strict_mode: bool) -> PyResult<Owned> {
    let data = data.as_bytes();
    if strict_mode && data.first() == Some(&b'=') {
        return Err(error!("Leading padding not allowed"));
    }
    let mut out = room(data.len().div_ceil(4) * 3)?;
    // Whole groups of digits at once, up to the first that has anything else in it.
    let mut at = 0;
    for group in data.chunks_exact(4) {
        let d = [DIGITS[group[0] as usize], DIGITS[group[1] as usize], DIGITS[group[2] as usize], DIGITS[group[3] as usize]];
        if (d[0] | d[1] | d[2] | d[3]) & 0xc0 != 0 {
            break;
        }
        let word = (d[0] as u32) << 18 | (d[1] as u32) << 12 | (d[2] as u32) << 6 | d[3] as u32;
        out.extend_from_slice(&word.to_be_bytes()[1..]);
        at += 4;
    }
    let (mut place, mut left, mut pads, mut padding_started) = (0, 0u8, 0, false);
    for (i, &c) in data.iter().enumerate().skip(at) {
        if c == b'=' {
            padding_started = true;
            if strict_mode && place == 0 {
                return Err(error!("Excess padding not allowed"));
            }
            if place >= 2 {
                pads += 1;
                if place + pads >= 4 {
                    if strict_mode && i + 1 < data.len() {
                        return Err(error!("Excess data after padding"));
                    }
                    return bytes(&out);
                }
            }
            continue;
        }
        let digit = DIGITS[c as usize];
        if digit >= 64 {
            if strict_mode {
                return Err(error!("Only base64 data is allowed"));
            }
            continue;
        }
        if strict_mode && padding_started {
            return Err(error!("Discontinuous padding not allowed"));
        }
        pads = 0;
        match place {
            0 => left = digit,
            1 => {
                out.push(left << 2 | digit >> 4);
                left = digit & 0x0f;
            }
            2 => {
                out.push(left << 4 | digit >> 2);
                left = digit & 3;
            }
            _ => {
                out.push(left << 6 | digit);
                left = 0;
            }
        }
        place = (place + 1) % 4;
    }
    match place {
        0 => bytes(&out),
        1 => Err(error!(
            "Invalid base64-encoded string: number of data characters ({}) cannot be 1 more than a multiple of 4",
            out.len() / 3 * 4 + 1
        )),
        _ => Err(error!("Incorrect padding")),
    }
}

fn b2a_base64(_: (), data: BufferView, newline: bool) -> PyResult<Owned> {
    let data = data.as_bytes();
    if data.len() > (isize::MAX as usize - 3) / 2 {
        return Err(error!("Too much data for base64 line"));
    }
    let len = data.len().div_ceil(3) * 4 + newline as usize;
    if len <= 1 {
        return bytes(if newline { b"\n" } else { b"" });
    }
    let out = new_bytes(len)?;
    // SAFETY: [OWN] a fresh object of that size.
    let to = unsafe { core::slice::from_raw_parts_mut(PyBytes_AsString(out.as_ptr()).cast::<u8>(), len) };
    let digit = |word: u32, shift: u32| ALPHABET[(word >> shift) as usize & 63];
    let groups = data.chunks_exact(3);
    let rest = groups.remainder();
    for (g, o) in groups.zip(to.chunks_exact_mut(4)) {
        let word = (g[0] as u32) << 16 | (g[1] as u32) << 8 | g[2] as u32;
        o.copy_from_slice(&[digit(word, 18), digit(word, 12), digit(word, 6), digit(word, 0)]);
    }
    let at = data.len() / 3 * 4;
    match *rest {
        [a] => {
            let word = (a as u32) << 16;
            to[at..at + 4].copy_from_slice(&[digit(word, 18), digit(word, 12), b'=', b'=']);
        }
        [a, b] => {
            let word = (a as u32) << 16 | (b as u32) << 8;
            to[at..at + 4].copy_from_slice(&[digit(word, 18), digit(word, 12), digit(word, 6), b'=']);
        }
        _ => {}
    }
    if newline {
        to[len - 1] = b'\n';
    }
    Ok(out)
}

// ---- hexadecimal -----------------------------------------------------------------------------------------------------

fn b2a_hex(_: (), data: BufferView, sep: Option<Borrowed<'_>>, bytes_per_sep: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let data = data.as_bytes();
        let sep = sep.map_or(null_mut(), |s| s.ob());
        take(_Py_strhex_bytes_with_sep(data.as_ptr().cast(), data.len() as isize, sep, bytes_per_sep))
    }
}

const HEX: [u8; 256] = {
    let mut t = [255; 256];
    let mut i = 0;
    while i < 16 {
        t[b"0123456789abcdef"[i] as usize] = i as u8;
        t[b"0123456789ABCDEF"[i] as usize] = i as u8;
        i += 1;
    }
    t
};

fn a2b_hex(_: (), hexstr: AsciiBuffer) -> PyResult<Owned> {
    let text = hexstr.as_bytes();
    if !text.len().is_multiple_of(2) {
        return Err(error!("Odd-length string"));
    }
    let mut out = room(text.len() / 2)?;
    for pair in text.chunks_exact(2) {
        let (top, bottom) = (HEX[pair[0] as usize], HEX[pair[1] as usize]);
        if (top | bottom) > 15 {
            return Err(error!("Non-hexadecimal digit found"));
        }
        out.push(top << 4 | bottom);
    }
    bytes(&out)
}

// ---- checksums -------------------------------------------------------------------------------------------------------

const CRC_HQX: [u16; 256] = {
    let mut t = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut c, mut k) = ((i as u16) << 8, 0);
        while k < 8 {
            c = if c & 0x8000 != 0 { c << 1 ^ 0x1021 } else { c << 1 };
            k += 1;
        }
        t[i] = c;
        i += 1;
    }
    t
};

fn crc_hqx(_: (), data: BufferView, crc: u32) -> PyResult<u32> {
    Ok(data.as_bytes().iter().fold(crc as u16, |crc, &b| crc << 8 ^ CRC_HQX[(crc >> 8) as usize ^ b as usize]) as u32)
}

/// CRC-32 going on from `crc`.
pub fn crc32_of(data: &[u8], crc: u32) -> u32 {
    // SAFETY: [ARGS]
    let run = || unsafe { libz_rs_sys::crc32_z(crc as core::ffi::c_ulong, data.as_ptr(), data.len()) as u32 };
    // Releasing the lock costs more than a short sum.
    if data.len() > 5 * 1024 { without_gil(run) } else { run() }
}
fn crc32(_: (), data: BufferView, crc: u32) -> PyResult<u32> {
    Ok(crc32_of(data.as_bytes(), crc))
}

// ---- quoted-printable ------------------------------------------------------------------------------------------------

const MAXLINESIZE: usize = 76;

fn a2b_qp(_: (), data: AsciiBuffer, header: bool) -> PyResult<Owned> {
    let data = data.as_bytes();
    let mut out = room(data.len())?;
    let mut rest = data;
    while let [c, tail @ ..] = rest {
        rest = tail;
        match (*c, rest) {
            (b'=', []) => break,
            (b'=', [b'\n', tail @ ..]) => rest = tail,
            (b'=', [b'\r', ..]) => {
                // A soft break runs to the newline.
                let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
                rest = &rest[end..];
            }
            (b'=', [b'=', tail @ ..]) => {
                out.push(b'=');
                rest = tail;
            }
            (b'=', [a, b, tail @ ..]) if HEX[*a as usize] < 16 && HEX[*b as usize] < 16 => {
                out.push(HEX[*a as usize] << 4 | HEX[*b as usize]);
                rest = tail;
            }
            (b'_', _) if header => out.push(b' '),
            (c, _) => out.push(c),
        }
    }
    bytes(&out)
}

fn push_hex(out: &mut Vec<u8>, c: u8) {
    let digit = |n: u8| b"0123456789ABCDEF"[n as usize];
    out.extend_from_slice(&[b'=', digit(c >> 4), digit(c & 15)]);
}

fn b2a_qp(_: (), data: BufferView, quotetabs: bool, istext: bool, header: bool) -> PyResult<Owned> {
    let data = data.as_bytes();
    // The first newline decides for all.
    let crlf = memchr::memchr(b'\n', data).is_some_and(|i| i > 0 && data[i - 1] == b'\r');
    let newline: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    let mut out = room(data.len() + data.len() / 8)?;
    let mut line = 0;
    let mut i = 0;
    while i < data.len() {
        let c = data[i];
        let next = data.get(i + 1).copied();
        let lone_dot = c == b'.' && line == 0 && matches!(next, None | Some(b'\n' | b'\r' | 0));
        let blank = c == b'\t' || c == b' ';
        let is_break = c == b'\r' || c == b'\n';
        let quoted = c > 126
            || c == b'='
            || (header && c == b'_')
            || lone_dot
            || (!istext && is_break)
            || (blank && next.is_none())
            || (c < 33 && !is_break && (quotetabs || !blank));
        if quoted {
            if line + 3 >= MAXLINESIZE {
                out.push(b'=');
                out.extend_from_slice(newline);
                line = 0;
            }
            push_hex(&mut out, c);
            line += 3;
            i += 1;
        } else if istext && (c == b'\n' || (c == b'\r' && next == Some(b'\n'))) {
            line = 0;
            // White space before a line's end would be lost on the way.
            if let Some(&last @ (b' ' | b'\t')) = out.last() {
                out.pop();
                push_hex(&mut out, last);
            }
            out.extend_from_slice(newline);
            i += if c == b'\r' { 2 } else { 1 };
        } else {
            if next.is_some_and(|n| n != b'\n') && line + 1 >= MAXLINESIZE {
                out.push(b'=');
                out.extend_from_slice(newline);
                line = 0;
            }
            line += 1;
            out.push(if header && c == b' ' { b'_' } else { c });
            i += 1;
        }
    }
    bytes(&out)
}

methods! {
    static METHODS = [
        "a2b_uu($module, data, /)" => a2b_uu, "Decode a line of uuencoded data.";
        "b2a_uu($module, data, /, *, backtick=False)" => b2a_uu, "Uuencode a line of data.";
        "a2b_base64($module, data, /, *, strict_mode=False)" => a2b_base64, "Decode Base64; what is no digit is skipped, or in strict mode an error.";
        "b2a_base64($module, data, /, *, newline=True)" => b2a_base64, "Encode as one line of Base64.";
        "a2b_hex($module, hexstr, /)" => a2b_hex, "Decode pairs of hexadecimal digits.";
        "b2a_hex($module, /, data, sep=<unrepresentable>, bytes_per_sep=1)" => b2a_hex, "Hexadecimal digits, with a separator between groups counted from the right (from the left if negative).";
        "hexlify($module, /, data, sep=<unrepresentable>, bytes_per_sep=1)" => b2a_hex, "Hexadecimal digits, with a separator between groups counted from the right (from the left if negative).";
        "unhexlify($module, hexstr, /)" => a2b_hex, "Decode pairs of hexadecimal digits.";
        "crc_hqx($module, data, crc, /)" => crc_hqx, "CRC-CCITT, going on from crc.";
        "crc32($module, data, crc=0, /)" => crc32, "CRC-32, going on from crc.";
        "a2b_qp($module, /, data, header=False)" => a2b_qp, "Decode quoted-printable data.";
        "b2a_qp($module, /, data, quotetabs=False, istext=True, header=False)" => b2a_qp, "Encode as quoted-printable.";
    ];
}

module! {
    /// Entry point.
    pub fn PyInit_binascii = "binascii", "Conversion between binary data and ASCII", methods: METHODS, exec: exec;
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let error = take(PyErr_NewException(c"binascii.Error".as_ptr(), PyExc_ValueError, null_mut()))?;
        ERROR.set(Some(error.clone()));
        add_object(module, c"Error", Ok(error))?;
        add_object(module, c"Incomplete", take(PyErr_NewException(c"binascii.Incomplete".as_ptr(), null_mut(), null_mut())))
    }
}
