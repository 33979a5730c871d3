//! `_PyUnicodeWriter`: builds a string piece by piece, widening its buffer when a wider character comes.

use super::layout::*;
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;

/// [`_PyUnicodeWriter`] with an owner: the buffer is released on drop.
#[repr(transparent)]
pub struct Writer(pub _PyUnicodeWriter);

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An empty writer that allocates exactly what it is asked for.
    #[inline]
    pub fn new() -> Self {
        Writer(blank())
    }

    /// An empty writer that expects several pieces: it allocates more than asked for, at least `min_length` characters.
    #[inline]
    pub fn growing(min_length: usize) -> Self {
        let mut w = blank();
        w.overallocate = 1;
        w.min_length = min_length as isize;
        Writer(w)
    }

    /// Sees a C writer as a Rust one; ownership stays with C.
    ///
    /// # Safety
    /// `w` is an initialised writer that outlives `'a`.
    #[inline]
    pub unsafe fn of<'a>(w: *mut _PyUnicodeWriter) -> &'a mut Writer {
        // SAFETY: [ARGS] transparent.
        unsafe { &mut *w.cast::<Writer>() }
    }

    /// How many characters have been written.
    #[inline]
    pub fn pos(&self) -> usize {
        self.0.pos as usize
    }

    /// Room for `len` more characters (no more than `isize::MAX`) up to `maxchar`. A lent buffer has the size 0.
    #[inline(always)]
    pub fn prepare(&mut self, len: usize, maxchar: u32) -> PyResult<()> {
        if maxchar <= self.0.maxchar && len as isize <= self.0.size - self.0.pos || len == 0 {
            return Ok(());
        }
        self.prepare_slow(len, maxchar)
    }

    #[inline(never)]
    fn prepare_slow(&mut self, len: usize, maxchar: u32) -> PyResult<()> {
        let w = &mut self.0;
        if len > (isize::MAX - w.pos) as usize {
            return Err(no_memory());
        }
        let mut want = w.pos as usize + len;
        let maxchar = maxchar.max(w.min_char);
        // SAFETY: [OWN] the writer owns its buffer; nobody else sees it unless it is read-only.
        unsafe {
            if w.buffer.is_null() || want as isize > w.size {
                if w.overallocate != 0 && want <= isize::MAX as usize - want / 4 {
                    want += want / 4;
                }
                want = want.max(w.min_length as usize);
            }
            if w.buffer.is_null() {
                w.buffer = new_str(want, maxchar)?.into_raw_object();
            } else if want as isize > w.size {
                if maxchar > w.maxchar || w.readonly != 0 {
                    let new = new_str(want, maxchar.max(w.maxchar))?;
                    copy_text(new.as_ptr().cast(), 0, text_of(w.buffer).slice(0, w.pos as usize));
                    setref(&mut w.buffer, new.into_raw_object());
                    w.readonly = 0;
                } else {
                    let old = Owned::from_owned(w.buffer.cast());
                    w.buffer = null_mut();
                    w.buffer = resize_compact(old, want)?.into_raw_object();
                }
            } else if maxchar > w.maxchar {
                let new = new_str(w.size as usize, maxchar)?;
                copy_text(new.as_ptr().cast(), 0, text_of(w.buffer).slice(0, w.pos as usize));
                setref(&mut w.buffer, new.into_raw_object());
            }
            self.update();
        }
        Ok(())
    }

    fn update(&mut self) {
        let w = &mut self.0;
        // SAFETY: [OWN] buffer is a str.
        unsafe {
            w.maxchar = max_char_value(w.buffer);
            w.data = data(w.buffer).cast();
            if w.readonly == 0 {
                w.kind = kind(w.buffer) as c_int;
                w.size = length(w.buffer) as isize;
            } else {
                // Too small on purpose: the next write copies.
                w.kind = 0;
                w.size = 0;
            }
        }
    }

    /// Adopts `s` as the whole buffer, copied only if more is written.
    fn lend(&mut self, s: StrObj) {
        self.0.readonly = 1;
        // SAFETY: [OWN] a str.
        let n = unsafe { length(s.as_ptr().cast()) };
        self.0.buffer = s.into_raw_object();
        self.update();
        self.0.pos += n as isize;
    }

    /// Writes a character.
    #[inline(always)]
    pub fn write_char(&mut self, c: u32) -> PyResult<()> {
        self.prepare(1, c)?;
        let at = self.0.pos as usize;
        // SAFETY: [OWN] prepared.
        unsafe {
            match self.0.kind {
                1 => *self.0.data.cast::<u8>().add(at) = c as u8,
                2 => *self.0.data.cast::<u16>().add(at) = c as u16,
                _ => *self.0.data.cast::<u32>().add(at) = c,
            }
        }
        self.0.pos += 1;
        Ok(())
    }

    /// Writes `n` times the character `c`.
    pub fn write_fill(&mut self, c: u32, n: usize) -> PyResult<()> {
        if n == 0 {
            return Ok(());
        }
        self.prepare(n, c)?;
        // SAFETY: [OWN] prepared.
        unsafe { fill(self.0.buffer, self.0.pos as usize, n, c) };
        self.0.pos += n as isize;
        Ok(())
    }

    /// Writes a string.
    pub fn write_str(&mut self, s: StrRef<'_>) -> PyResult<()> {
        let t = text(s);
        if t.is_empty() {
            return Ok(());
        }
        // SAFETY: [TYPE]
        unsafe {
            let max = max_char_value(s.ob());
            if max > self.0.maxchar || t.len() as isize > self.0.size - self.0.pos {
                if self.0.buffer.is_null() && self.0.overallocate == 0 && PyUnicode_CheckExact(s.ob()) != 0 {
                    self.lend(s.to_owned());
                    return Ok(());
                }
                self.prepare_slow(t.len(), max)?;
            }
            copy_text(self.0.buffer, self.0.pos as usize, t);
        }
        self.0.pos += t.len() as isize;
        Ok(())
    }

    /// Writes characters.
    pub fn write_text(&mut self, t: Text<'_>) -> PyResult<()> {
        if t.is_empty() {
            return Ok(());
        }
        let bound = match t {
            Text::U1(_) => 0xff,
            Text::U2(_) => 0xffff,
            Text::U4(_) => MAX_UNICODE,
        };
        let max = if bound > self.0.maxchar { t.max_char() } else { self.0.maxchar };
        self.prepare(t.len(), max)?;
        // SAFETY: [OWN] prepared.
        unsafe { copy_text(self.0.buffer, self.0.pos as usize, t) };
        self.0.pos += t.len() as isize;
        Ok(())
    }

    /// Writes ASCII characters.
    pub fn write_ascii(&mut self, s: &[u8]) -> PyResult<()> {
        if s.is_empty() {
            return Ok(());
        }
        if self.0.buffer.is_null() && self.0.overallocate == 0 {
            self.lend(from_ascii(s)?);
            return Ok(());
        }
        self.prepare(s.len(), 127)?;
        // SAFETY: [OWN] prepared.
        unsafe { copy_text(self.0.buffer, self.0.pos as usize, Text::U1(s)) };
        self.0.pos += s.len() as isize;
        Ok(())
    }

    /// Writes Rust text.
    pub fn write_rust(&mut self, s: &str) -> PyResult<()> {
        if s.is_ascii() {
            return self.write_ascii(s.as_bytes());
        }
        for c in s.chars() {
            self.write_char(c as u32)?;
        }
        Ok(())
    }

    /// The string; the writer is empty afterwards.
    pub fn finish(mut self) -> PyResult<StrObj> {
        self.take()
    }

    /// The string; the writer is empty afterwards and owned by C.
    pub fn take(&mut self) -> PyResult<StrObj> {
        let w = &mut self.0;
        // SAFETY: [OWN] the buffer passes to the caller.
        unsafe {
            if w.pos == 0 {
                setref(&mut w.buffer, null_mut());
                return Ok(empty());
            }
            let s: StrObj = Owned::from_owned(w.buffer.cast());
            w.buffer = null_mut();
            if w.readonly != 0 {
                return Ok(s);
            }
            let s = if length(s.as_ptr().cast()) != w.pos as usize { resize_compact(s, w.pos as usize)? } else { s };
            Ok(result(s))
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // SAFETY: [OWN]
        unsafe { setref(&mut self.0.buffer, null_mut()) }
    }
}

fn blank() -> _PyUnicodeWriter {
    _PyUnicodeWriter {
        buffer: null_mut(),
        data: null_mut(),
        kind: 0,
        maxchar: 0,
        size: 0,
        pos: 0,
        min_length: 0,
        min_char: 127,
        overallocate: 0,
        readonly: 0,
    }
}

/// Makes `writer` an empty one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicodeWriter_Init(writer: *mut _PyUnicodeWriter) {
    // SAFETY: [ARGS]
    unsafe { writer.write(blank()) }
}
/// Room for `length` more characters up to `maxchar`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicodeWriter_PrepareInternal(writer: *mut _PyUnicodeWriter, length: Py_ssize_t, maxchar: u32) -> c_int {
    // SAFETY: [ARGS]
    unsafe { Writer::of(writer).prepare_slow(length as usize, maxchar).into_c() }
}
/// Widens the buffer to `kind`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicodeWriter_PrepareKindInternal(writer: *mut _PyUnicodeWriter, kind: c_int) -> c_int {
    let max = match kind {
        1 => 0xff,
        2 => 0xffff,
        _ => MAX_UNICODE,
    };
    // SAFETY: [ARGS]
    unsafe { Writer::of(writer).prepare_slow(0, max).into_c() }
}
/// Writes a character.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicodeWriter_WriteChar(writer: *mut _PyUnicodeWriter, ch: u32) -> c_int {
    // SAFETY: [ARGS]
    unsafe { Writer::of(writer).write_char(ch).into_c() }
}
/// Writes a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicodeWriter_WriteStr(writer: *mut _PyUnicodeWriter, s: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { Writer::of(writer).write_str(Borrowed::from_ptr(s.cast())).into_c() }
}
/// Writes a part of a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicodeWriter_WriteSubstring(writer: *mut _PyUnicodeWriter, s: *mut PyObject, start: Py_ssize_t, end: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let w = Writer::of(writer);
        if start == 0 && end as usize == length(s) {
            return w.write_str(Borrowed::from_ptr(s.cast())).into_c();
        }
        w.write_text(text_of(s).slice(start as usize, end as usize)).into_c()
    }
}
/// Writes ASCII text, NUL-terminated if `len` is -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicodeWriter_WriteASCIIString(writer: *mut _PyUnicodeWriter, ascii: *const c_char, len: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let n = if len == -1 { libc::strlen(ascii) } else { len as usize };
        Writer::of(writer).write_ascii(core::slice::from_raw_parts(ascii.cast(), n)).into_c()
    }
}
/// Writes Latin-1 text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicodeWriter_WriteLatin1String(writer: *mut _PyUnicodeWriter, s: *const c_char, len: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe { Writer::of(writer).write_text(Text::U1(core::slice::from_raw_parts(s.cast(), len as usize))).into_c() }
}
/// The string written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicodeWriter_Finish(writer: *mut _PyUnicodeWriter) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Writer::of(writer).take().into_c() }
}
/// Drops what was written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicodeWriter_Dealloc(writer: *mut _PyUnicodeWriter) {
    // SAFETY: [ARGS]
    unsafe { setref(&raw mut (*writer).buffer, null_mut()) }
}
