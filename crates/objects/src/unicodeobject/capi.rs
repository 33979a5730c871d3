//! C functions that make, read and change strings.

use super::layout::*;
use crate::unicode_codecs::raised;
use crate::unicodectype::{is_space, to_decimal};
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use libc::wchar_t;
use taipan_abi::*;

/// A new string of `size` characters up to `maxchar`, for the caller to fill.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_New(size: Py_ssize_t, maxchar: u32) -> *mut PyObject {
    if size == 0 {
        return empty_ptr();
    }
    if maxchar > MAX_UNICODE {
        return raised(raise!(PyExc_SystemError, "invalid maximum character passed to PyUnicode_New"));
    }
    if size < 0 {
        return raised(raise!(PyExc_SystemError, "Negative size passed to PyUnicode_New"));
    }
    new_str(size as usize, maxchar).into_c()
}

/// A string of `size` characters of `kind` bytes each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_FromKindAndData(kind: c_int, buffer: *const c_void, size: Py_ssize_t) -> *mut PyObject {
    if size < 0 {
        return raised(raise!(PyExc_ValueError, "size must be positive"));
    }
    if !matches!(kind, 1 | 2 | 4) {
        return raised(raise!(PyExc_SystemError, "invalid kind"));
    }
    if size == 0 {
        return empty_ptr();
    }
    let n = size as usize;
    // SAFETY: [ARGS]
    unsafe {
        match kind {
            1 => from_units(core::slice::from_raw_parts(buffer.cast::<u8>(), n)).into_c(),
            2 => from_units(core::slice::from_raw_parts(buffer.cast::<u16>(), n)).into_c(),
            4 => from_units(core::slice::from_raw_parts(buffer.cast::<u32>(), n)).into_c(),
            _ => raised(raise!(PyExc_SystemError, "invalid kind")),
        }
    }
}

/// A string of ASCII text, which is not checked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_FromASCII(buffer: *const c_char, size: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { from_ascii(crate::unicode_codecs::raw_bytes(buffer, size)).into_c() }
}

/// A string of wide characters, NUL-terminated if `size` is -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_FromWideChar(w: *const wchar_t, size: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS] wchar_t is a 32-bit code point.
    unsafe {
        if w.is_null() {
            if size == 0 {
                return empty_ptr();
            }
            PyErr_BadInternalCall();
            return null_mut();
        }
        let n = if size == -1 { libc::wcslen(w) } else { size as usize };
        if n == 0 {
            return empty_ptr();
        }
        if size < -1 {
            PyErr_BadInternalCall();
            return null_mut();
        }
        if n > Py_ssize_t::MAX as usize / 4 - 16 {
            return PyErr_NoMemory();
        }
        let s = core::slice::from_raw_parts(w.cast::<u32>(), n);
        if let Some(&c) = s.iter().find(|&&c| c > MAX_UNICODE) {
            return raised(raise!(PyExc_ValueError, "character U+{:x} is not in range [U+0000; U+{:x}]", c, MAX_UNICODE));
        }
        from_units(s).into_c()
    }
}

/// The string of one character.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_FromOrdinal(ordinal: c_int) -> *mut PyObject {
    if !(0..=MAX_UNICODE as c_int).contains(&ordinal) {
        return raised(raise!(PyExc_ValueError, "chr() arg not in range(0x110000)"));
    }
    char_str(ordinal as u32).into_c()
}

/// `obj` itself if it is an exact str, an exact copy if it is an instance of a subclass.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_FromObject(obj: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(obj) != 0 {
            return unchanged(Borrowed::from_ptr(obj.cast())).into_c();
        }
        PyErr_Format(PyExc_TypeError, c"Can't convert '%.100s' object to str implicitly".as_ptr(), (*(*obj).ob_type).tp_name);
        null_mut()
    }
}

/// An exact copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_Copy(unicode: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(unicode) == 0 {
            PyErr_BadInternalCall();
            return null_mut();
        }
        copy(Borrowed::from_ptr(unicode.cast())).into_c()
    }
}

/// Length in characters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_GetLength(unicode: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(unicode) == 0 {
            PyErr_BadArgument();
            return -1;
        }
        length(unicode) as isize
    }
}

/// Removed from CPython, kept in the stable ABI: raises.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_GetSize(_: *mut PyObject) -> Py_ssize_t {
    let _ = raise!(PyExc_RuntimeError, "PyUnicode_GetSize has been removed.");
    -1
}

/// The character at `index`; `(Py_UCS4)-1` on error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_ReadChar(unicode: *mut PyObject, index: Py_ssize_t) -> u32 {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(unicode) == 0 {
            PyErr_BadArgument();
            return u32::MAX;
        }
        match text_of(unicode).at(index as usize) {
            Some(c) => c,
            None => {
                let _ = raise!(PyExc_IndexError, "string index out of range");
                u32::MAX
            }
        }
    }
}

unsafe fn check_modifiable(op: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    if unsafe { modifiable(op) } { Ok(()) } else { bail!(PyExc_SystemError, "Cannot modify a string currently used") }
}

/// Changes the character at `index` of a string that nobody else sees.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_WriteChar(unicode: *mut PyObject, index: Py_ssize_t, ch: u32) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(unicode) == 0 || !is_compact(unicode) {
            PyErr_BadArgument();
            return -1;
        }
        let write = || -> PyResult<()> {
            if index as usize >= length(unicode) {
                bail!(PyExc_IndexError, "string index out of range");
            }
            check_modifiable(unicode)?;
            if ch > max_char_value(unicode) {
                bail!(PyExc_ValueError, "character out of range");
            }
            write_char(unicode, index as usize, ch);
            Ok(())
        };
        write().into_c()
    }
}

/// Gives `*p_unicode` another length, in place if nobody else sees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Resize(p_unicode: *mut *mut PyObject, len: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if p_unicode.is_null() || (*p_unicode).is_null() || PyUnicode_Check(*p_unicode) == 0 || len < 0 {
            PyErr_BadInternalCall();
            return -1;
        }
        let op = *p_unicode;
        let n = len as usize;
        if length(op) == n {
            return 0;
        }
        if n == 0 {
            setref(p_unicode, empty_ptr());
            return 0;
        }
        if !modifiable(op) {
            return match resize_copy(Borrowed::from_ptr(op.cast()), n) {
                Ok(new) => {
                    setref(p_unicode, new.into_raw_object());
                    0
                }
                Err(_) => -1,
            };
        }
        if is_compact(op) {
            // The reference stays the caller's if there is no memory, so it is counted twice for the attempt.
            return match resize_compact(Owned::from_owned(op.cast()), n) {
                Ok(new) => {
                    *p_unicode = new.into_raw_object();
                    0
                }
                Err(_) => {
                    *p_unicode = null_mut();
                    -1
                }
            };
        }
        resize_inplace(op, n).into_c()
    }
}

/// `unicode[start:end]`, the end clamped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Substring(unicode: *mut PyObject, start: Py_ssize_t, end: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let n = length(unicode) as isize;
        let end = end.min(n);
        if start == 0 && end == n {
            return unchanged(Borrowed::from_ptr(unicode.cast())).into_c();
        }
        if start < 0 || end < 0 {
            return raised(raise!(PyExc_IndexError, "string index out of range"));
        }
        if start >= n || end < start {
            return empty_ptr();
        }
        substring(Borrowed::from_ptr(unicode.cast()), start as usize, end as usize).into_c()
    }
}

unsafe fn as_ucs4(op: *mut PyObject, target: *mut u32, size: usize, terminate: bool) -> *mut u32 {
    // SAFETY: [ARGS]
    unsafe {
        let t = text_of(op);
        let need = t.len() + terminate as usize;
        if size < need {
            if terminate && size > 0 {
                *target = 0;
            }
            let _ = raise!(PyExc_SystemError, "string is longer than the buffer");
            return null_mut();
        }
        crate::with_units!(t, s => copy_units(s, target));
        if terminate {
            *target.add(t.len()) = 0;
        }
        target
    }
}

/// Copies the characters to `target`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsUCS4(unicode: *mut PyObject, target: *mut u32, size: Py_ssize_t, copy_null: c_int) -> *mut u32 {
    // SAFETY: [ARGS]
    unsafe {
        if target.is_null() || size < 0 {
            PyErr_BadInternalCall();
            return null_mut();
        }
        as_ucs4(unicode, target, size as usize, copy_null != 0)
    }
}
/// Copies the characters, NUL-terminated, to a new block of `PyMem_Malloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsUCS4Copy(unicode: *mut PyObject) -> *mut u32 {
    // SAFETY: [ARGS]
    unsafe {
        let n = length(unicode) + 1;
        let block = PyMem_Malloc(n * 4).cast::<u32>();
        if block.is_null() {
            let _ = no_memory();
            return null_mut();
        }
        as_ucs4(unicode, block, n, true)
    }
}

/// Copies up to `size` wide characters to `w`; how many were copied without a NUL. With NULL the size needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsWideChar(unicode: *mut PyObject, w: *mut wchar_t, size: Py_ssize_t) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if unicode.is_null() {
            PyErr_BadInternalCall();
            return -1;
        }
        if PyUnicode_Check(unicode) == 0 {
            PyErr_BadArgument();
            return -1;
        }
        let t = text_of(unicode);
        let n = t.len() as isize;
        if w.is_null() {
            return n + 1;
        }
        let (copied, result) = if size > n { (n, n) } else { (size, size) };
        let part = t.slice(0, copied.max(0) as usize);
        crate::with_units!(part, s => copy_units(s, w.cast::<u32>()));
        if size > n {
            *w.offset(n) = 0;
        }
        result
    }
}
/// The wide characters, NUL-terminated, in a new block of `PyMem_Malloc`. Without `size` NULs raise ValueError.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsWideCharString(unicode: *mut PyObject, size: *mut Py_ssize_t) -> *mut wchar_t {
    // SAFETY: [ARGS]
    unsafe {
        if unicode.is_null() {
            PyErr_BadInternalCall();
            return null_mut();
        }
        if PyUnicode_Check(unicode) == 0 {
            PyErr_BadArgument();
            return null_mut();
        }
        let t = text_of(unicode);
        if size.is_null() && t.find_char(0).is_some() {
            let _ = raise!(PyExc_ValueError, "embedded null character");
            return null_mut();
        }
        let block = PyMem_Malloc((t.len() + 1) * 4).cast::<u32>();
        if block.is_null() {
            let _ = no_memory();
            return null_mut();
        }
        as_ucs4(unicode, block, t.len() + 1, true);
        if !size.is_null() {
            *size = t.len() as isize;
        }
        block.cast()
    }
}

fn kind_name(op: *mut PyObject) -> &'static str {
    // SAFETY: [TYPE]
    unsafe {
        match (kind(op), is_compact(op)) {
            (1, true) if is_ascii(op) => "ascii",
            (1, true) => "latin1",
            (2, true) => "UCS2",
            (_, true) => "UCS4",
            (1, false) if is_ascii(op) => "legacy ascii",
            (1, false) => "legacy latin1",
            (2, false) => "legacy UCS2",
            (_, false) => "legacy UCS4",
        }
    }
}

/// Copies characters between strings; `to` must not be seen by anybody else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_CopyCharacters(
    to: *mut PyObject,
    to_start: Py_ssize_t,
    from: *mut PyObject,
    from_start: Py_ssize_t,
    how_many: Py_ssize_t,
) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(from) == 0 || PyUnicode_Check(to) == 0 {
            PyErr_BadInternalCall();
            return -1;
        }
        let run = || -> PyResult<isize> {
            let t = text_of(from);
            let room = length(to);
            if from_start as usize > t.len() || to_start as usize > room {
                bail!(PyExc_IndexError, "string index out of range");
            }
            if how_many < 0 {
                bail!(PyExc_SystemError, "how_many cannot be negative");
            }
            let n = how_many.min(t.len() as isize - from_start);
            if to_start + n > room as isize {
                bail!(PyExc_SystemError, "Cannot write {} characters at {} in a string of {} characters", n, to_start, room);
            }
            if n == 0 {
                return Ok(0);
            }
            check_modifiable(to)?;
            let part = t.slice(from_start as usize, (from_start + n) as usize);
            if max_char_value(from) > max_char_value(to) && part.max_char() > max_char_value(to) {
                bail!(PyExc_SystemError, "Cannot copy {} characters into a string of {} characters", kind_name(from), kind_name(to));
            }
            copy_text(to, to_start as usize, part);
            Ok(n)
        };
        run().into_c()
    }
}

/// Fills part of a string that nobody else sees.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Fill(unicode: *mut PyObject, start: Py_ssize_t, len: Py_ssize_t, c: u32) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(unicode) == 0 {
            PyErr_BadInternalCall();
            return -1;
        }
        let run = || -> PyResult<isize> {
            check_modifiable(unicode)?;
            if start < 0 {
                bail!(PyExc_IndexError, "string index out of range");
            }
            if c > max_char_value(unicode) {
                bail!(PyExc_ValueError, "fill character is bigger than the string maximum character");
            }
            let n = len.min(length(unicode) as isize - start);
            if n <= 0 {
                return Ok(0);
            }
            fill(unicode, start as usize, n as usize, c);
            Ok(n)
        };
        run().into_c()
    }
}

/// "utf-8".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_GetDefaultEncoding() -> *const c_char {
    c"utf-8".as_ptr()
}

/// Releases an exact str whose count has reached zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_ExactDealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe { unicode_dealloc(op) }
}

/// 1 if the object's fields agree with each other; a fatal error otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_CheckConsistency(op: *mut PyObject, check_content: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let bound = max_char_value(op);
        let fields = PyUnicode_Check(op) != 0 && matches!(kind(op), 1 | 2 | 4) && (!is_ascii(op) || kind(op) == 1);
        let content = check_content == 0 || {
            let max = text_of(op).max_char();
            max <= bound && (PyUnicode_CheckExact(op) == 0 || max == bound || length(op) == 0)
        };
        if !fields || !content {
            fatal("inconsistent str object");
        }
    }
    1
}

/// A name with a place for the string made of it; C code declares these statically.
#[repr(C)]
pub struct _Py_Identifier {
    string: *const c_char,
    index: Py_ssize_t,
    mutex: u8,
}

/// The interned string of an identifier, lent for ever. `index` is -1 at first and then holds the string's address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_FromId(id: *mut _Py_Identifier) -> *mut PyObject {
    // SAFETY: [ARGS] [GIL]
    unsafe {
        if (*id).index != -1 {
            return (*id).index as usize as *mut PyObject;
        }
        let s = PyUnicode_FromString((*id).string);
        if s.is_null() {
            return s;
        }
        let s = super::intern::intern(Owned::from_owned(s.cast()), true).into_raw_object();
        (*id).index = s as usize as isize;
        s
    }
}

/// A number's text in ASCII: decimal digits and spaces of other scripts are converted; from the first other character on
/// a question mark stands for the rest.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_TransformDecimalAndSpaceToASCII(unicode: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(unicode) == 0 {
            PyErr_BadInternalCall();
            return null_mut();
        }
        if is_ascii(unicode) {
            Py_INCREF(unicode);
            return unicode;
        }
        let t = text_of(unicode);
        let mut out = Vec::with_capacity(t.len());
        for c in t.chars() {
            if c < 127 {
                out.push(c as u8);
            } else if is_space(c) {
                out.push(b' ');
            } else if let Some(d) = to_decimal(c) {
                out.push(b'0' + d as u8);
            } else {
                out.push(b'?');
                break;
            }
        }
        from_ascii(&out).into_c()
    }
}
