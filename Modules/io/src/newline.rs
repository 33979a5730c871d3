//! `IncrementalNewlineDecoder`: translates line ends of decoded text, and remembers which kinds it met.

use crate::support::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, initializer, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// Kinds of line ends met.
pub const SEEN_CR: u8 = 1;
/// See [`SEEN_CR`].
pub const SEEN_LF: u8 = 2;
/// See [`SEEN_CR`].
pub const SEEN_CRLF: u8 = 4;

/// The decoder object; `decoder` is `None` when its input is text already.
#[repr(C)]
pub struct NewlineDecoder {
    ob_base: PyObject,
    decoder: *mut PyObject,
    errors: *mut PyObject,
    pendingcr: bool,
    translate: bool,
    /// Kinds of line ends met so far.
    pub seennl: u8,
}
type D<'a> = Borrowed<'a, NewlineDecoder>;

/// Translates and records the line ends of code points: the core that `StringIO` shares.
pub fn translate(text: &[u32], translate: bool, seen: &mut u8) -> Option<Vec<u32>> {
    let mut out = Vec::new();
    let mut changed = false;
    let mut i = 0;
    while i < text.len() {
        match text[i] {
            0x0d if text.get(i + 1) == Some(&0x0a) => {
                *seen |= SEEN_CRLF;
                if translate {
                    if !changed {
                        out = text[..i].to_vec();
                        changed = true;
                    }
                    out.push(0x0a);
                    i += 2;
                    continue;
                }
                if changed {
                    out.push(0x0d);
                }
                i += 1;
                if changed {
                    out.push(0x0a);
                }
            }
            0x0d => {
                *seen |= SEEN_CR;
                if translate && !changed {
                    out = text[..i].to_vec();
                    changed = true;
                }
                if changed {
                    out.push(if translate { 0x0a } else { 0x0d });
                }
            }
            c => {
                if c == 0x0a {
                    *seen |= SEEN_LF;
                }
                if changed {
                    out.push(c);
                }
            }
        }
        i += 1;
    }
    changed.then_some(out)
}

/// The code points of a str.
///
/// # Safety
/// `op` is a str.
pub unsafe fn code_points(op: *mut PyObject) -> Vec<u32> {
    // SAFETY: [TYPE]
    unsafe {
        let n = PyUnicode_GET_LENGTH(op) as usize;
        let (kind, p) = (PyUnicode_KIND(op), PyUnicode_DATA(op));
        match kind {
            1 => core::slice::from_raw_parts(p.cast::<u8>(), n).iter().map(|&c| c as u32).collect(),
            2 => core::slice::from_raw_parts(p.cast::<u16>(), n).iter().map(|&c| c as u32).collect(),
            _ => core::slice::from_raw_parts(p.cast::<u32>(), n).to_vec(),
        }
    }
}

/// A str from code points.
pub fn from_code_points(text: &[u32]) -> PyResult<Owned> {
    // SAFETY: [GIL] kind 4 is four bytes a character.
    unsafe { Owned::from_owned_or_err(PyUnicode_FromKindAndData(4, text.as_ptr().cast::<c_void>(), text.len() as Py_ssize_t)) }
}

/// Whether a str has a carriage return; without one nothing needs translating.
unsafe fn has_cr(op: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe {
        let n = PyUnicode_GET_LENGTH(op);
        PyUnicode_FindChar(op, 0x0d, 0, n, 1) >= 0
    }
}

/// Decodes `input` (bytes, or text without an inner decoder) and handles its line ends.
///
/// # Safety
/// `d` is initialised.
pub unsafe fn decode(d: *mut NewlineDecoder, input: *mut PyObject, last: bool) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if (*d).decoder.is_null() {
            bail!(PyExc_ValueError, "IncrementalNewlineDecoder.__init__() not called");
        }
        let mut output = if (*d).decoder == Py_None() {
            Owned::from_borrowed(input)
        } else {
            call2((*d).decoder, intern!("decode"), input, boolean(last).as_ptr())?
        };
        if PyUnicode_Check(output.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "decoder should return a string result, not '{}'", type_name(output.as_ptr()));
        }
        let n = PyUnicode_GetLength(output.as_ptr());
        if (*d).pendingcr && (last || n > 0) {
            let cr = string("\r")?;
            output = Owned::from_owned_or_err(PyUnicode_Concat(cr.as_ptr(), output.as_ptr()))?;
            (*d).pendingcr = false;
        }
        let n = PyUnicode_GetLength(output.as_ptr());
        // A carriage return at the end waits for what follows.
        if !last && n > 0 && PyUnicode_ReadChar(output.as_ptr(), n - 1) == 0x0d {
            output = Owned::from_owned_or_err(PyUnicode_Substring(output.as_ptr(), 0, n - 1))?;
            (*d).pendingcr = true;
        }
        let n = PyUnicode_GetLength(output.as_ptr());
        if n == 0 {
            return Ok(output);
        }
        if !has_cr(output.as_ptr()) {
            if (*d).seennl & SEEN_LF == 0 && PyUnicode_FindChar(output.as_ptr(), 0x0a, 0, n, 1) >= 0 {
                (*d).seennl |= SEEN_LF;
            }
            return Ok(output);
        }
        match translate(&code_points(output.as_ptr()), (*d).translate, &mut (*d).seennl) {
            Some(changed) => from_code_points(&changed),
            None => Ok(output),
        }
    }
}

fn decode_method(slf: D<'_>, input: Borrowed<'_>, last: bool) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { decode(slf.as_ptr(), input.ob(), last) }
}

fn ready(slf: D<'_>) -> PyResult<()> {
    if slf.decoder.is_null() {
        bail!(PyExc_ValueError, "IncrementalNewlineDecoder.__init__() not called");
    }
    Ok(())
}

fn getstate(slf: D<'_>) -> PyResult<Owned> {
    ready(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        let (buffer, mut flag) = if slf.decoder == Py_None() {
            (bytes(b"")?, 0)
        } else {
            let state = call0(slf.decoder, intern!("getstate"))?;
            if PyTuple_Check(state.as_ptr()) == 0 || PyTuple_GET_SIZE(state.as_ptr()) != 2 {
                bail!(PyExc_TypeError, "illegal decoder state");
            }
            let flag = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(state.as_ptr(), 1));
            if flag == u64::MAX && err_occurred() {
                return Err(Raised::assume());
            }
            (Owned::from_borrowed(PyTuple_GET_ITEM(state.as_ptr(), 0)), flag)
        };
        flag <<= 1;
        flag |= slf.pendingcr as u64;
        let flag = Owned::from_owned_or_err(PyLong_FromUnsignedLongLong(flag))?;
        let all = [buffer.as_ptr(), flag.as_ptr()];
        Owned::from_owned_or_err(_PyTuple_FromArray(all.as_ptr(), 2))
    }
}

fn setstate(slf: D<'_>, state: Borrowed<'_>) -> PyResult<()> {
    ready(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        if PyTuple_Check(state.ob()) == 0 {
            bail!(PyExc_TypeError, "state argument must be a tuple");
        }
        if PyTuple_GET_SIZE(state.ob()) != 2 {
            bail!(PyExc_TypeError, "setstate(): illegal state argument");
        }
        let flag = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(state.ob(), 1));
        if flag == u64::MAX && err_occurred() {
            return Err(Raised::assume());
        }
        (*slf.as_ptr()).pendingcr = flag & 1 != 0;
        if slf.decoder != Py_None() {
            let inner = Owned::from_owned_or_err(PyLong_FromUnsignedLongLong(flag >> 1))?;
            let all = [PyTuple_GET_ITEM(state.ob(), 0), inner.as_ptr()];
            let inner = Owned::from_owned_or_err(_PyTuple_FromArray(all.as_ptr(), 2))?;
            call1(slf.decoder, intern!("setstate"), inner.as_ptr())?;
        }
        Ok(())
    }
}

fn reset(slf: D<'_>) -> PyResult<()> {
    ready(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        (*slf.as_ptr()).seennl = 0;
        (*slf.as_ptr()).pendingcr = false;
        if slf.decoder != Py_None() {
            call0(slf.decoder, intern!("reset"))?;
        }
        Ok(())
    }
}

/// `None`, one kind, or a tuple of the kinds of line ends in `seen`.
pub fn newlines_object(seen: u8) -> PyResult<Owned> {
    let mut kinds = Vec::new();
    for (bit, text) in [(SEEN_CR, "\r"), (SEEN_LF, "\n"), (SEEN_CRLF, "\r\n")] {
        if seen & bit != 0 {
            kinds.push(string(text)?);
        }
    }
    match kinds.len() {
        0 => Ok(none()),
        1 => Ok(kinds.remove(0)),
        n => {
            let raw: Vec<*mut PyObject> = kinds.iter().map(|k| k.as_ptr()).collect();
            // SAFETY: [GIL]
            unsafe { Owned::from_owned_or_err(_PyTuple_FromArray(raw.as_ptr(), n as Py_ssize_t)) }
        }
    }
}
fn newlines(slf: D<'_>) -> PyResult<Owned> {
    ready(slf)?;
    newlines_object(slf.seennl)
}

fn init(slf: D<'_>, decoder: Borrowed<'_>, translate: bool, errors: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let d = slf.as_ptr();
        let errors = match errors {
            Some(e) => e.to_owned(),
            None => string("strict")?,
        };
        setref(&raw mut (*d).errors, errors.into_raw());
        setref(&raw mut (*d).decoder, decoder.to_owned().into_raw());
        (*d).translate = translate;
        (*d).seennl = 0;
        (*d).pendingcr = false;
    }
    Ok(())
}

unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let d = slf.cast::<NewlineDecoder>();
        py_visit!(visitor, arg; type_of(slf), (*d).decoder, (*d).errors);
    }
    0
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let d = slf.cast::<NewlineDecoder>();
        setref(&raw mut (*d).decoder, null_mut());
        setref(&raw mut (*d).errors, null_mut());
    }
    0
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        clear(slf);
        free_instance(slf);
    }
}

methods! {
    static METHODS = [
        "decode($self, /, input, final=False)" => decode_method, "Decode input and translate its line ends.";
        "getstate($self, /)" => getstate, "The decoder's state.";
        "setstate($self, state, /)" => setstate, "Set the decoder's state.";
        "reset($self, /)" => reset, "Start anew.";
    ];
}
getset! { static GETSET = [ "newlines" => newlines, "The kinds of line ends met."; ]; }

/// `_io.IncrementalNewlineDecoder`.
pub static mut NEWLINE_DECODER: PyTypeObject = PyTypeObject {
    tp_name: c"_io.IncrementalNewlineDecoder".as_ptr(),
    tp_basicsize: size_of::<NewlineDecoder>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"IncrementalNewlineDecoder(decoder, translate, errors='strict')\n--\n\nA decoder that translates line ends of another's output.".as_ptr(),
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    tp_init: Some(initializer!("IncrementalNewlineDecoder(decoder, translate, errors='strict')" => init)),
    ..TYPE_INIT
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>, kinds: u8) {
        let points = |s: &str| s.chars().map(|c| c as u32).collect::<Vec<_>>();
        let mut seen = 0;
        assert_eq!(translate(&points(text), true, &mut seen), expected.map(points));
        assert_eq!(seen, kinds);
    }

    #[test]
    fn line_ends() {
        check("a\nb", None, SEEN_LF);
        check("a\r\nb\rc\n", Some("a\nb\nc\n"), SEEN_CR | SEEN_LF | SEEN_CRLF);
        check("\r\r\n", Some("\n\n"), SEEN_CR | SEEN_CRLF);
    }
}
