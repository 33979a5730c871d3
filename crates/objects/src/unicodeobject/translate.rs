//! `str.translate`: characters mapped by a table of ordinals.

use super::layout::*;
use super::writer::Writer;
use crate::unicode_codecs::{ErrorHandler, get_error_handler};
use core::ffi::{CStr, c_char};
use taipan_abi::*;

/// What the table says of a character.
enum Target {
    /// Not in the table.
    Missing,
    /// Mapped to None.
    Deleted,
    /// Mapped to an ordinal.
    Char(u32),
    /// Mapped to a string.
    Text(StrObj),
}

fn lookup(table: Borrowed<'_>, c: u32) -> PyResult<Target> {
    // SAFETY: [GIL]
    unsafe {
        let key = Owned::from_owned_or_err(PyLong_FromLong(c as i64))?;
        let x = match Owned::from_owned_or_err(PyObject_GetItem(table.ob(), key.as_ptr())) {
            Ok(x) => x,
            Err(e) if e.matches(PyExc_LookupError) => {
                e.clear();
                return Ok(Target::Missing);
            }
            Err(e) => return Err(e),
        };
        let p = x.as_ptr();
        if p == Py_None() {
            return Ok(Target::Deleted);
        }
        if PyLong_Check(p) != 0 {
            let value = PyLong_AsLong(p);
            if !(0..=MAX_UNICODE as i64).contains(&value) {
                PyErr_Clear();
                bail!(PyExc_ValueError, "character mapping must be in range(0x{:x})", MAX_UNICODE + 1);
            }
            return Ok(Target::Char(value as u32));
        }
        if PyUnicode_Check(p) != 0 {
            return Ok(Target::Text(x.cast()));
        }
        bail!(PyExc_TypeError, "character mapping must return integer, None or str")
    }
}

/// Maps each character of `s` through `table`.
pub fn translate(s: StrRef<'_>, table: Borrowed<'_>, errors: &CStr) -> PyResult<StrObj> {
    let t = text(s);
    if t.is_empty() {
        return Ok(empty());
    }
    // SAFETY: [ARGS] NUL-terminated.
    let handler = unsafe { get_error_handler(errors.as_ptr()) };
    let mut w = Writer::growing(t.len());
    // Answers for ASCII characters are kept: 0x80 unknown, 0x81 deleted.
    let mut cache = [0x80u8; 128];
    let mut i = 0;
    while i < t.len() {
        let c = t.get(i);
        if c < 128 && cache[c as usize] != 0x80 {
            if cache[c as usize] != 0x81 {
                w.write_char(cache[c as usize] as u32)?;
            }
            i += 1;
            continue;
        }
        match lookup(table, c)? {
            Target::Missing => {
                if c < 128 {
                    cache[c as usize] = c as u8;
                }
                w.write_char(c)?;
            }
            Target::Deleted if handler == ErrorHandler::Ignore => {
                if c < 128 {
                    cache[c as usize] = 0x81;
                }
            }
            Target::Deleted => {
                let mut end = i + 1;
                while end < t.len() && matches!(lookup(table, t.get(end))?, Target::Deleted) {
                    end += 1;
                }
                i = call_handler(s, errors, i, end, &mut w)?;
                continue;
            }
            Target::Char(x) => {
                if c < 128 && x < 128 {
                    cache[c as usize] = x as u8;
                }
                w.write_char(x)?;
            }
            Target::Text(x) => {
                let x = text(x.borrow());
                if c < 128
                    && let Some(only @ 0..=127) = x.at(0)
                    && x.len() == 1
                {
                    cache[c as usize] = only as u8;
                }
                w.write_text(x)?;
            }
        }
        i += 1;
    }
    w.finish()
}

fn call_handler(s: StrRef<'_>, errors: &CStr, start: usize, end: usize, w: &mut Writer) -> PyResult<usize> {
    // SAFETY: [GIL]
    unsafe {
        let exception = Owned::from_owned_or_err(PyObject_CallFunction(
            PyExc_UnicodeTranslateError,
            c"Onns".as_ptr(),
            s.ob(),
            start as isize,
            end as isize,
            c"character maps to <undefined>".as_ptr(),
        ))?;
        let handler = Owned::from_owned_or_err(PyCodec_LookupError(errors.as_ptr()))?;
        let result = Owned::from_owned_or_err(PyObject_CallOneArg(handler.as_ptr(), exception.as_ptr()))?;
        let tuple = result.as_ptr();
        if PyTuple_Check(tuple) == 0 || PyTuple_GET_SIZE(tuple) != 2 || PyUnicode_Check(PyTuple_GET_ITEM(tuple, 0)) == 0 {
            bail!(PyExc_TypeError, "translating error handler must return (str, int) tuple");
        }
        let mut pos = PyNumber_AsSsize_t(PyTuple_GET_ITEM(tuple, 1), PyExc_OverflowError);
        if pos == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        let n = text(s).len() as isize;
        if pos < 0 {
            pos += n;
        }
        if pos < 0 || pos > n {
            bail!(PyExc_IndexError, "position {} from error handler out of bounds", pos);
        }
        w.write_text(text_of(PyTuple_GET_ITEM(tuple, 0)))?;
        Ok(pos as usize)
    }
}

/// Maps each character through a table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Translate(s: *mut PyObject, table: *mut PyObject, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if table.is_null() {
            PyErr_BadArgument();
            return core::ptr::null_mut();
        }
        let errors = if errors.is_null() { c"strict" } else { CStr::from_ptr(errors) };
        ensure_unicode(Borrowed::from_ptr(s)).and_then(|s| translate(s, Borrowed::from_ptr(table), errors)).into_c()
    }
}
