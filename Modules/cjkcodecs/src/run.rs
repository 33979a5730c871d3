//! Encoding and decoding with Python's error handlers.

use crate::codec::{Codec, State, Stop};
use core::ffi::{CStr, c_char, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

/// How errors are treated. The name belongs to the object.
#[derive(Clone, Copy, PartialEq)]
pub enum Errors {
    /// Raise.
    Strict,
    /// Drop.
    Ignore,
    /// Replace by a question mark or U+FFFD.
    Replace,
    /// Ask the handler with this name (a str, owned).
    Custom(*mut PyObject),
}

impl Errors {
    /// The treatment that a name means; `None` is strict.
    pub fn of(name: Option<&str>) -> PyResult<Self> {
        Ok(match name {
            None | Some("strict") => Errors::Strict,
            Some("ignore") => Errors::Ignore,
            Some("replace") => Errors::Replace,
            Some(name) => Errors::Custom(taipan_clinic::support::string(name)?.into_raw()),
        })
    }
    /// The name.
    pub fn name(self) -> PyResult<Owned> {
        match self {
            Errors::Strict => taipan_clinic::support::string("strict"),
            Errors::Ignore => taipan_clinic::support::string("ignore"),
            Errors::Replace => taipan_clinic::support::string("replace"),
            // SAFETY: [TYPE] a str.
            Errors::Custom(name) => Ok(unsafe { Owned::from_borrowed(name) }),
        }
    }
    /// Releases the name.
    ///
    /// # Safety
    /// It isn't used any more.
    pub unsafe fn release(self) {
        if let Errors::Custom(name) = self {
            // SAFETY: [OWN]
            unsafe { Py_DECREF(name) }
        }
    }
    /// Calls the handler; the replacement and the position where to go on.
    unsafe fn call(self, exc: &Owned, message: &str, bytes_too: bool, len: usize) -> PyResult<(Owned, usize)> {
        // SAFETY: [EXC] [ARGS]
        unsafe {
            let Errors::Custom(name) = self else {
                PyCodec_StrictErrors(exc.as_ptr());
                return Err(Raised::assume());
            };
            let text = PyUnicode_AsUTF8(name);
            if text.is_null() {
                return Err(Raised::assume());
            }
            let handler = Owned::from_owned_or_err(PyCodec_LookupError(text))?;
            let result = Owned::from_owned_or_err(PyObject_CallOneArg(handler.as_ptr(), exc.as_ptr()))?;
            let r = result.as_ptr();
            let ok = PyTuple_Check(r) != 0 && PyTuple_GET_SIZE(r) == 2 && {
                let (text, at) = (PyTuple_GET_ITEM(r, 0), PyTuple_GET_ITEM(r, 1));
                (PyUnicode_Check(text) != 0 || (bytes_too && PyBytes_Check(text) != 0)) && PyLong_Check(at) != 0
            };
            if !ok {
                bail!(PyExc_TypeError, "{}", message);
            }
            let replacement = Owned::from_borrowed(PyTuple_GET_ITEM(r, 0));
            let mut at = PyLong_AsSsize_t(PyTuple_GET_ITEM(r, 1));
            if at < 0 && !err_occurred() {
                at += len as isize;
            }
            if at < 0 || at as usize > len {
                PyErr_Clear();
                bail!(PyExc_IndexError, "position {} from error handler out of bounds", at);
            }
            Ok((replacement, at as usize))
        }
    }
}

unsafe extern "C" {
    fn PyCodec_StrictErrors(exc: *mut PyObject) -> *mut PyObject;
}

const ILLEGAL: &CStr = c"illegal multibyte sequence";
const INCOMPLETE: &CStr = c"incomplete multibyte sequence";

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

/// A str of code points.
pub fn text(points: &[u32]) -> PyResult<Owned> {
    // SAFETY: [GIL] kind 4 is four bytes a character.
    unsafe { Owned::from_owned_or_err(PyUnicode_FromKindAndData(4, points.as_ptr().cast::<c_void>(), points.len() as Py_ssize_t)) }
}

/// A Unicode error of an object, with start, end and reason.
unsafe fn unicode_error(class: *mut PyObject, codec: &dyn Codec, object: *mut PyObject, at: (usize, usize), reason: &CStr) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let (start, end) = (at.0 as Py_ssize_t, at.1 as Py_ssize_t);
        let format = c"sOnns".as_ptr();
        Owned::from_owned_or_err(PyObject_CallFunction(class, format, codec.name().as_ptr(), object, start, end, reason.as_ptr()))
    }
}

/// Raises UnicodeDecodeError about a buffer as a whole.
pub fn decode_error(codec: &dyn Codec, data: &[u8], reason: &CStr) -> Raised {
    let make = || -> PyResult<Raised> {
        let object = taipan_clinic::support::bytes(data)?;
        // SAFETY: [EXC]
        unsafe {
            let exc = unicode_error(PyExc_UnicodeDecodeError, codec, object.as_ptr(), (0, data.len()), reason)?;
            PyErr_SetObject(PyExc_UnicodeDecodeError, exc.as_ptr());
            Ok(Raised::assume())
        }
    };
    match make() {
        Err(e) | Ok(e) => e,
    }
}

/// Raises UnicodeEncodeError about a part of a str.
///
/// # Safety
/// `object` is a str.
pub unsafe fn encode_error(codec: &dyn Codec, object: *mut PyObject, start: usize, end: usize, reason: &CStr) -> Raised {
    // SAFETY: [EXC]
    unsafe {
        match unicode_error(PyExc_UnicodeEncodeError, codec, object, (start, end), reason) {
            Ok(exc) => {
                PyErr_SetObject(PyExc_UnicodeEncodeError, exc.as_ptr());
                Raised::assume()
            }
            Err(e) => e,
        }
    }
}

/// Encodes a str; returns the bytes and how many characters were used. Without `flush` the end may wait for what follows.
///
/// # Safety
/// `object` is a str.
pub unsafe fn encode(
    codec: &dyn Codec,
    state: &mut State,
    object: *mut PyObject,
    errors: Errors,
    flush: bool,
    reset: bool,
) -> PyResult<(Owned, usize)> {
    // SAFETY: [TYPE] the handler gets the object itself.
    unsafe {
        let input = code_points(object);
        let mut out = Vec::with_capacity(input.len() * 2 + 16);
        let mut at = 0;
        let mut exc: Option<Owned> = None;
        while at < input.len() {
            let (reason, len) = match codec.encode_run(state, &input, &mut at, flush, &mut out) {
                Stop::End => break,
                Stop::Few if !flush => break,
                Stop::Few => (INCOMPLETE, input.len() - at),
                Stop::Illegal(n) => (ILLEGAL, n),
            };
            if errors == Errors::Replace {
                // In the codec's present state; the mark itself if it has no form there.
                if codec.encode_run(state, &[b'?' as u32], &mut 0, true, &mut out) != Stop::End {
                    out.push(b'?');
                }
            }
            if matches!(errors, Errors::Replace | Errors::Ignore) {
                at += len;
                continue;
            }
            let (start, end) = (at as Py_ssize_t, (at + len) as Py_ssize_t);
            let exc = match &exc {
                Some(e) => {
                    check_status(PyUnicodeEncodeError_SetStart(e.as_ptr(), start))?;
                    check_status(PyUnicodeEncodeError_SetEnd(e.as_ptr(), end))?;
                    check_status(PyUnicodeEncodeError_SetReason(e.as_ptr(), reason.as_ptr()))?;
                    e
                }
                None => exc.insert(unicode_error(PyExc_UnicodeEncodeError, codec, object, (at, at + len), reason)?),
            };
            let message = "encoding error handler must return (str, int) tuple";
            let (replacement, next) = errors.call(exc, message, true, input.len())?;
            let r = replacement.as_ptr();
            let bytes = if PyUnicode_Check(r) != 0 { encode(codec, state, r, Errors::Strict, true, false)?.0 } else { replacement };
            let data = core::slice::from_raw_parts(PyBytes_AsString(bytes.as_ptr()).cast::<u8>(), PyBytes_Size(bytes.as_ptr()) as usize);
            out.extend_from_slice(data);
            at = next;
        }
        if reset {
            codec.reset_encoder(state, &mut out);
        }
        Ok((taipan_clinic::support::bytes(&out)?, at))
    }
}

/// Decoding in progress.
pub struct Decoding<'a> {
    codec: &'a dyn Codec,
    errors: Errors,
    exc: Option<Owned>,
    /// What has been decoded.
    pub out: Vec<u32>,
}

impl<'a> Decoding<'a> {
    /// Starts.
    pub fn new(codec: &'a dyn Codec, errors: Errors) -> Self {
        Decoding { codec, errors, exc: None, out: Vec::new() }
    }

    /// Decodes as far as possible; returns how many bytes were used. Unless `last`, an incomplete end is left over.
    ///
    /// # Safety
    /// [GIL]
    pub unsafe fn feed(&mut self, state: &mut State, input: &[u8], last: bool) -> PyResult<usize> {
        let mut at = 0;
        while at < input.len() {
            match self.codec.decode_run(state, input, &mut at, &mut self.out) {
                Stop::End => break,
                Stop::Few if !last => break,
                // SAFETY: [GIL]
                Stop::Few => unsafe { self.end(input, &mut at)? },
                // SAFETY: [GIL]
                Stop::Illegal(n) => unsafe { self.error(input, &mut at, n, ILLEGAL)? },
            }
        }
        Ok(at)
    }

    /// As [`feed`](Self::feed), for the incomplete end of an input that nothing follows.
    ///
    /// # Safety
    /// [GIL]
    pub unsafe fn end(&mut self, input: &[u8], at: &mut usize) -> PyResult<()> {
        // SAFETY: [GIL]
        unsafe { self.error(input, at, input.len() - *at, INCOMPLETE) }
    }

    unsafe fn error(&mut self, input: &[u8], at: &mut usize, len: usize, reason: &CStr) -> PyResult<()> {
        if self.errors == Errors::Replace {
            self.out.push(0xfffd);
        }
        if matches!(self.errors, Errors::Replace | Errors::Ignore) {
            *at += len;
            return Ok(());
        }
        // SAFETY: [EXC]
        unsafe {
            let (start, end) = (*at as Py_ssize_t, (*at + len) as Py_ssize_t);
            let exc = match &self.exc {
                Some(e) => {
                    check_status(PyUnicodeDecodeError_SetStart(e.as_ptr(), start))?;
                    check_status(PyUnicodeDecodeError_SetEnd(e.as_ptr(), end))?;
                    check_status(PyUnicodeDecodeError_SetReason(e.as_ptr(), reason.as_ptr()))?;
                    e
                }
                None => {
                    let object = taipan_clinic::support::bytes(input)?;
                    let made = unicode_error(PyExc_UnicodeDecodeError, self.codec, object.as_ptr(), (*at, *at + len), reason)?;
                    self.exc.insert(made)
                }
            };
            let message = "decoding error handler must return (str, int) tuple";
            let (replacement, next) = self.errors.call(exc, message, false, input.len())?;
            self.out.extend(code_points(replacement.as_ptr()));
            *at = next;
            Ok(())
        }
    }
}

/// The `errors` attribute and the construction of the stateful objects share this.
///
/// # Safety
/// `value` is live.
pub unsafe fn errors_from(value: Option<Borrowed<'_>>) -> PyResult<Errors> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(value) = value else { bail!(PyExc_AttributeError, "cannot delete attribute") };
        if PyUnicode_Check(value.ob()) == 0 {
            bail!(PyExc_TypeError, "errors must be a string");
        }
        let p: *const c_char = PyUnicode_AsUTF8(value.ob());
        if p.is_null() {
            return Err(Raised::assume());
        }
        Errors::of(CStr::from_ptr(p).to_str().ok())
    }
}

/// Text of any object, as the encoders take it.
///
/// # Safety
/// `op` is live.
pub unsafe fn str_of(op: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] PyObject_Str returns a str or fails.
    unsafe { if PyUnicode_Check(op.ob()) != 0 { Ok(op.to_owned()) } else { Owned::from_owned_or_err(PyObject_Str(op.ob())) } }
}

/// Releases a reference that may be NULL.
///
/// # Safety
/// [OWN]
pub unsafe fn drop_ref(slot: *mut *mut PyObject) {
    // SAFETY: [OWN]
    unsafe { setref(slot, null_mut()) }
}
