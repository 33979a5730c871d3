//! `PyUnicode_FromFormatV`: strings by a format like printf's, with conversions for objects.

use super::layout::*;
use super::percent::{F_ALT, F_LJUST, F_ZERO};
use super::writer::Writer;
use core::ffi::{CStr, c_char, c_int};
use libc::wchar_t;
use taipan_abi::*;

/// Writes `t` cut to `prec` characters and padded to `width`.
fn write_padded(w: &mut Writer, t: Text<'_>, width: Option<usize>, prec: Option<usize>, flags: u8) -> PyResult<()> {
    let t = t.slice(0, prec.unwrap_or(usize::MAX).min(t.len()));
    let fill = width.unwrap_or(0).saturating_sub(t.len());
    if flags & F_LJUST == 0 {
        w.write_fill(32, fill)?;
    }
    w.write_text(t)?;
    if flags & F_LJUST != 0 {
        w.write_fill(32, fill)?;
    }
    Ok(())
}

/// Replaces what is no UTF-8 by U+FFFD, as all text from C is read.
unsafe fn write_c_text(w: &mut Writer, p: *const c_char, width: Option<usize>, prec: Option<usize>, flags: u8) -> PyResult<()> {
    // SAFETY: [ARGS] NUL-terminated or at least as long as the precision.
    unsafe {
        let n = prec.map_or_else(|| libc::strlen(p), |n| libc::strnlen(p, n));
        let bytes = core::slice::from_raw_parts(p.cast::<u8>(), n);
        let s = crate::unicode_codecs::utf8::decode(bytes, c"replace".as_ptr(), None)?;
        write_padded(w, text(s.borrow()), width, None, flags)
    }
}

unsafe fn write_wide_text(w: &mut Writer, p: *const wchar_t, width: Option<usize>, prec: Option<usize>, flags: u8) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let mut n = 0;
        while prec.is_none_or(|max| n < max) && *p.add(n) != 0 {
            n += 1;
        }
        write_padded(w, Text::U4(core::slice::from_raw_parts(p.cast::<u32>(), n)), width, None, flags)
    }
}

fn qualified_name(tp: *mut PyTypeObject, flags: u8) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let full = Owned::from_owned_or_err(PyType_GetFullyQualifiedName(tp))?;
        if flags & F_ALT == 0 || (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            return Ok(full);
        }
        // "module:qualname" instead of "module.qualname".
        let name = Owned::from_owned_or_err(PyType_GetQualName(tp))?;
        let (t, q) = (text_of(full.as_ptr()), text_of(name.as_ptr()));
        if t.len() <= q.len() {
            return Ok(full);
        }
        let mut w = Writer::new();
        w.write_text(t.slice(0, t.len() - q.len() - 1))?;
        w.write_char(b':' as u32)?;
        w.write_text(q)?;
        Ok(w.finish()?.into_object())
    }
}

/// Reads digits at `*i`; `None` if there are none.
fn number(f: &[u8], i: &mut usize, too_big: &str) -> PyResult<Option<usize>> {
    let start = *i;
    let mut n: usize = 0;
    while let Some(&c @ b'0'..=b'9') = f.get(*i) {
        let d = (c - b'0') as usize;
        if n > (isize::MAX as usize - d) / 10 {
            bail!(PyExc_ValueError, "{}", too_big);
        }
        n = n * 10 + d;
        *i += 1;
    }
    Ok((*i > start).then_some(n))
}

unsafe fn directive(w: &mut Writer, f: &[u8], start: usize, va: &mut VaListTag) -> PyResult<usize> {
    // SAFETY: [ARGS] the list has the arguments that the format names.
    unsafe {
        let at = |i: usize| f.get(i).copied().unwrap_or(0);
        let mut i = start + 1;
        let mut flags = 0u8;
        loop {
            flags |= match at(i) {
                b'-' => F_LJUST,
                b'0' => F_ZERO,
                b'#' => F_ALT,
                _ => break,
            };
            i += 1;
        }
        let width = if at(i) == b'*' {
            i += 1;
            let n = va.next_int();
            if n < 0 {
                flags |= F_LJUST;
            }
            Some(n.unsigned_abs() as usize)
        } else {
            number(f, &mut i, "width too big")?
        };
        let (mut prec, mut has_prec) = (None, false);
        if at(i) == b'.' {
            i += 1;
            if at(i) == b'*' {
                i += 1;
                prec = usize::try_from(va.next_int()).ok();
            } else {
                prec = number(f, &mut i, "precision too big")?;
            }
            has_prec = prec.is_some();
        }
        let mut size = 0;
        if at(i) == b'l' {
            size = if at(i + 1) == b'l' { 2 } else { 1 };
            i += size;
        } else if matches!(at(i), b'z' | b't' | b'j') {
            size = 3;
            i += 1;
        }
        let conv = at(i);
        let valid = match conv {
            b'd' | b'i' | b'o' | b'u' | b'x' | b'X' => true,
            b'c' | b'p' => size == 0 && width.is_none() && !has_prec,
            b's' | b'V' => size < 2,
            b'U' | b'S' | b'R' | b'A' | b'T' | b'N' => size == 0,
            _ => false,
        };
        if !valid {
            let rest = String::from_utf8_lossy(&f[start..]);
            bail!(PyExc_SystemError, "invalid format string: {}", rest);
        }
        if i + 1 == f.len() {
            w.0.overallocate = 0;
        }
        let object = |p: *mut PyObject| Owned::from_owned_or_err(p);
        match conv {
            b'c' => {
                let c = va.next_int();
                if !(0..=MAX_UNICODE as c_int).contains(&c) {
                    bail!(PyExc_OverflowError, "character argument not in range(0x110000)");
                }
                w.write_char(c as u32)?;
            }
            b'd' | b'i' | b'o' | b'u' | b'x' | b'X' => {
                let signed = matches!(conv, b'd' | b'i');
                let raw = va.next_u64();
                let value = if size > 0 {
                    raw
                } else if signed {
                    raw as c_int as i64 as u64
                } else {
                    raw as u32 as u64
                };
                let digits = match conv {
                    b'd' | b'i' => (value as i64).unsigned_abs().to_string(),
                    b'u' => value.to_string(),
                    b'o' => format!("{value:o}"),
                    b'x' => format!("{value:x}"),
                    _ => format!("{value:X}"),
                };
                let sign = (signed && (value as i64) < 0) as usize;
                let mut prec = prec.unwrap_or(0).max(digits.len());
                let width = width.unwrap_or(0).max(prec + sign);
                if flags & (F_ZERO | F_LJUST) == F_ZERO {
                    prec = width - sign;
                }
                let spaces = width - prec - sign;
                if flags & F_LJUST == 0 {
                    w.write_fill(32, spaces)?;
                }
                if sign > 0 {
                    w.write_char(b'-' as u32)?;
                }
                w.write_fill(b'0' as u32, prec - digits.len())?;
                w.write_ascii(digits.as_bytes())?;
                if flags & F_LJUST != 0 {
                    w.write_fill(32, spaces)?;
                }
            }
            b'p' => {
                let s = format!("0x{:x}", va.next_u64());
                w.write_ascii(s.as_bytes())?;
            }
            b's' if size == 1 => write_wide_text(w, va.next_ptr(), width, prec, flags)?,
            b's' => write_c_text(w, va.next_ptr(), width, prec, flags)?,
            b'U' => write_padded(w, text_of(va.next_ptr()), width, prec, flags)?,
            b'V' => {
                let s: *mut PyObject = va.next_ptr();
                let p: *mut c_char = va.next_ptr();
                if !s.is_null() {
                    write_padded(w, text_of(s), width, prec, flags)?;
                } else if size == 1 {
                    write_wide_text(w, p.cast(), width, prec, flags)?;
                } else {
                    write_c_text(w, p, width, prec, flags)?;
                }
            }
            _ => {
                let p: *mut PyObject = va.next_ptr();
                let s = match conv {
                    b'S' => object(PyObject_Str(p))?,
                    b'R' => object(PyObject_Repr(p))?,
                    b'A' => object(PyObject_ASCII(p))?,
                    b'T' => {
                        let tp: Owned = Owned::from_borrowed((*p).ob_type.cast());
                        qualified_name(tp.as_ptr().cast(), flags)?
                    }
                    _ => {
                        if PyType_Check(p) == 0 {
                            bail!(PyExc_TypeError, "%N argument must be a type");
                        }
                        qualified_name(p.cast(), flags)?
                    }
                };
                write_padded(w, text_of(s.as_ptr()), width, prec, flags)?;
            }
        }
        Ok(i + 1)
    }
}

unsafe fn from_format(f: &[u8], va: &mut VaListTag) -> PyResult<StrObj> {
    let mut w = Writer::growing(f.len() + 100);
    let mut i = 0;
    while i < f.len() {
        if f[i] == b'%' {
            if f.get(i + 1) == Some(&b'%') {
                w.write_char(b'%' as u32)?;
                i += 2;
                continue;
            }
            // SAFETY: [ARGS]
            i = unsafe { directive(&mut w, f, i, va)? };
            continue;
        }
        let n = memchr::memchr(b'%', &f[i..]).unwrap_or(f.len() - i);
        if let Some(c) = f[i..i + n].iter().find(|c| **c > 127) {
            bail!(
                PyExc_ValueError,
                "PyUnicode_FromFormatV() expects an ASCII-encoded format string, got a non-ASCII byte: 0x{:02x}",
                c
            );
        }
        w.write_ascii(&f[i..i + n])?;
        i += n;
    }
    w.finish()
}

/// A string by a format and a list of C arguments, which is left as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_FromFormatV(format: *const c_char, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut copy = VaListTag::copy_of(va);
        from_format(CStr::from_ptr(format).to_bytes(), &mut copy).into_c()
    }
}
