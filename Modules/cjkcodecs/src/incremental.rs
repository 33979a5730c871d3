//! The incremental encoder and decoder.

use crate::codec::{Codec, State};
use crate::multibytecodec::{codec_of, free_instance, traverse_type};
use crate::run::{Decoding, Errors, decode_error, drop_ref, encode, encode_error, errors_from, str_of, text};
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::support::{bytes, int, new, tuple};
use taipan_clinic::{BufferView, Tuple, constructor, getset, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// Characters that an encoder may keep back, and bytes that a decoder may.
const MAX_CHARS: usize = 2;
const MAX_BYTES: usize = 8;

/// What encoders have: of characters that wait for the next one `pending` is a str, or NULL.
pub struct EncoderState {
    /// The codec, once the object has been made.
    pub codec: Option<&'static dyn Codec>,
    /// What is done about errors.
    pub errors: Errors,
    /// Shift states.
    pub state: State,
    /// What waits.
    pub pending: *mut PyObject,
}

/// What decoders have: `pending[..waiting]` are the start of a character.
pub struct DecoderState {
    /// The codec, once the object has been made.
    pub codec: Option<&'static dyn Codec>,
    /// What is done about errors.
    pub errors: Errors,
    /// Shift states.
    pub state: State,
    /// What waits.
    pub pending: [u8; MAX_BYTES],
    /// How many bytes wait.
    pub waiting: usize,
}

/// The codec, which is there once the object has been made.
pub fn ready(codec: Option<&'static dyn Codec>) -> PyResult<&'static dyn Codec> {
    match codec {
        Some(c) => Ok(c),
        None => bail!(PyExc_SystemError, "codec object is not initialised"),
    }
}

impl EncoderState {
    /// The start.
    ///
    /// # Safety
    /// `tp` is live.
    pub unsafe fn new(tp: Borrowed<'_, PyTypeObject>, errors: &str) -> PyResult<Self> {
        // SAFETY: [ARGS]
        let codec = unsafe { codec_of(tp)? };
        let mut state = [0; 8];
        codec.start_encoder(&mut state);
        Ok(EncoderState { codec: Some(codec), errors: Errors::of(Some(errors))?, state, pending: null_mut() })
    }

    /// Encodes what waits and `input`.
    ///
    /// # Safety
    /// `s` is an encoder's state. Error handlers may come back here.
    pub unsafe fn encode(s: *mut EncoderState, input: Borrowed<'_>, last: bool) -> PyResult<Owned> {
        // SAFETY: [TYPE]
        unsafe {
            let codec = ready((*s).codec)?;
            let input = str_of(input)?;
            let waiting = Owned::from_owned_or_opt(core::mem::replace(&mut (*s).pending, null_mut()));
            let all = match &waiting {
                Some(w) => Owned::from_owned_or_err(PyUnicode_Concat(w.as_ptr(), input.as_ptr()))?,
                None => input,
            };
            let mut state = (*s).state;
            let (made, used) = match encode(codec, &mut state, all.as_ptr(), (*s).errors, last, last) {
                Ok(r) => {
                    (*s).state = state;
                    r
                }
                Err(e) => {
                    (*s).state = state;
                    setref(&raw mut (*s).pending, waiting.map_or(null_mut(), Owned::into_raw));
                    return Err(e);
                }
            };
            let len = PyUnicode_GET_LENGTH(all.as_ptr()) as usize;
            if used < len {
                if len - used > MAX_CHARS {
                    return Err(encode_error(codec, all.as_ptr(), used, len, c"pending buffer overflow"));
                }
                let rest = Owned::from_owned_or_err(PyUnicode_Substring(all.as_ptr(), used as Py_ssize_t, len as Py_ssize_t))?;
                setref(&raw mut (*s).pending, rest.into_raw());
            }
            Ok(made)
        }
    }

    /// Releases what it owns.
    ///
    /// # Safety
    /// It isn't used any more.
    pub unsafe fn release(s: *mut EncoderState) {
        // SAFETY: [OWN]
        unsafe {
            core::mem::replace(&mut (*s).errors, Errors::Strict).release();
            drop_ref(&raw mut (*s).pending);
        }
    }
}

impl DecoderState {
    /// The start.
    ///
    /// # Safety
    /// `tp` is live.
    pub unsafe fn new(tp: Borrowed<'_, PyTypeObject>, errors: &str) -> PyResult<Self> {
        // SAFETY: [ARGS]
        let codec = unsafe { codec_of(tp)? };
        let mut state = [0; 8];
        codec.start_decoder(&mut state);
        Ok(DecoderState { codec: Some(codec), errors: Errors::of(Some(errors))?, state, pending: [0; MAX_BYTES], waiting: 0 })
    }

    /// What waits, followed by `data`.
    ///
    /// # Safety
    /// `s` is a decoder's state.
    pub unsafe fn take_pending(s: *mut DecoderState, data: &[u8]) -> Vec<u8> {
        // SAFETY: [TYPE]
        unsafe {
            let mut all = (&(*s).pending)[..(*s).waiting].to_vec();
            all.extend_from_slice(data);
            (*s).waiting = 0;
            all
        }
    }

    /// Keeps the rest of `input` from `at` on.
    ///
    /// # Safety
    /// `s` is a decoder's state.
    pub unsafe fn keep(s: *mut DecoderState, input: &[u8], at: usize) -> PyResult<()> {
        // SAFETY: [TYPE]
        unsafe {
            let rest = &input[at..];
            if rest.len() + (*s).waiting > MAX_BYTES {
                return Err(decode_error(ready((*s).codec)?, input, c"pending buffer overflow"));
            }
            let start = (*s).waiting;
            (&mut (*s).pending)[start..start + rest.len()].copy_from_slice(rest);
            (*s).waiting += rest.len();
            Ok(())
        }
    }

    /// Drops what waits and goes back to the first state.
    ///
    /// # Safety
    /// `s` is a decoder's state.
    pub unsafe fn reset(s: *mut DecoderState) -> PyResult<()> {
        // SAFETY: [TYPE]
        unsafe {
            ready((*s).codec)?.reset_decoder(&mut (*s).state);
            (*s).waiting = 0;
            Ok(())
        }
    }
}

// ---- encoder --------------------------------------------------------------------------------------------------------------------

#[repr(C)]
struct Encoder {
    ob_base: PyObject,
    s: EncoderState,
}
type E<'a> = Borrowed<'a, Encoder>;

unsafe fn encoder_state(slf: E<'_>) -> *mut EncoderState {
    // SAFETY: [TYPE]
    unsafe { &raw mut (*slf.as_ptr()).s }
}
fn encoder_new(tp: Borrowed<'_, PyTypeObject>, errors: &str) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance, whose fields are written as a whole.
    unsafe {
        let s = EncoderState::new(tp, errors)?;
        let e = new::<Encoder>(tp.as_ptr())?;
        (&raw mut (*e.as_ptr()).s).write(s);
        Ok(e.into_object())
    }
}
fn encoder_encode(slf: E<'_>, input: Borrowed<'_>, last: bool) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { EncoderState::encode(encoder_state(slf), input, last) }
}
/// One byte with the size of the pending text, that in UTF-8, and the state: a number, the least significant byte first.
fn encoder_getstate(slf: E<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let s = encoder_state(slf);
        let mut all = vec![0];
        if !(*s).pending.is_null() {
            let mut size = 0;
            let p = PyUnicode_AsUTF8AndSize((*s).pending, &mut size);
            if p.is_null() {
                return Err(Raised::assume());
            }
            if size as usize > MAX_CHARS * 4 {
                let len = PyUnicode_GET_LENGTH((*s).pending) as usize;
                return Err(encode_error(ready((*s).codec)?, (*s).pending, 0, len, c"pending buffer too large"));
            }
            all[0] = size as u8;
            all.extend_from_slice(core::slice::from_raw_parts(p.cast(), size as usize));
        }
        all.extend((*s).state);
        Owned::from_owned_or_err(_PyLong_FromByteArray(all.as_ptr(), all.len(), 1, 0))
    }
}
fn encoder_setstate(slf: E<'_>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if PyLong_Check(state.ob()) == 0 {
            bail!(PyExc_TypeError, "setstate() argument must be int, not {}", type_name(state.ob()));
        }
        let mut all = [0u8; 1 + MAX_CHARS * 4 + 8];
        check_status(_PyLong_AsByteArray(state.ob().cast(), all.as_mut_ptr(), all.len(), 1, 0, 1))?;
        let n = all[0] as usize;
        if n > MAX_CHARS * 4 {
            bail!(PyExc_UnicodeError, "pending buffer too large");
        }
        let waiting = Owned::from_owned_or_err(PyUnicode_DecodeUTF8(all.as_ptr().add(1).cast(), n as Py_ssize_t, c"strict".as_ptr()))?;
        let s = encoder_state(slf);
        setref(&raw mut (*s).pending, waiting.into_raw());
        (*s).state.copy_from_slice(&all[1 + n..1 + n + 8]);
        Ok(())
    }
}
fn encoder_reset(slf: E<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let s = encoder_state(slf);
        ready((*s).codec)?.reset_encoder(&mut (*s).state, &mut Vec::new());
        drop_ref(&raw mut (*s).pending);
        Ok(())
    }
}
fn encoder_errors(slf: E<'_>) -> PyResult<Owned> {
    slf.s.errors.name()
}
fn encoder_set_errors(slf: E<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let new = errors_from(value)?;
        core::mem::replace(&mut (*encoder_state(slf)).errors, new).release();
        Ok(())
    }
}
unsafe extern "C" fn encoder_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        EncoderState::release(&raw mut (*slf.cast::<Encoder>()).s);
        free_instance(slf);
    }
}
/// Everything is done when the object is made.
pub unsafe extern "C" fn no_init(_: *mut PyObject, _: *mut PyObject, _: *mut PyObject) -> c_int {
    0
}
methods! {
    static ENCODER_METHODS = [
        "encode($self, /, input, final=False)" => encoder_encode, "The bytes of the text so far.";
        "getstate($self, /)" => encoder_getstate, "The state as a number.";
        "setstate($self, state, /)" => encoder_setstate, "Set the state.";
        "reset($self, /)" => encoder_reset, "Go back to the start.";
    ];
}
getset! { static ENCODER_GETSET = [ "errors" => encoder_errors, encoder_set_errors, "how to treat errors"; ]; }
/// `_multibytecodec.MultibyteIncrementalEncoder`.
pub static mut ENCODER: PyTypeObject = PyTypeObject {
    tp_name: c"_multibytecodec.MultibyteIncrementalEncoder".as_ptr(),
    tp_basicsize: size_of::<Encoder>() as Py_ssize_t,
    tp_dealloc: Some(encoder_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    tp_traverse: Some(traverse_type),
    tp_methods: (&raw mut ENCODER_METHODS).cast(),
    tp_getset: (&raw mut ENCODER_GETSET).cast(),
    tp_init: Some(no_init),
    tp_new: Some(constructor!("IncrementalEncoder(errors='strict')" => encoder_new)),
    ..TYPE_INIT
};

// ---- decoder --------------------------------------------------------------------------------------------------------------------

#[repr(C)]
struct Decoder {
    ob_base: PyObject,
    s: DecoderState,
}
type D<'a> = Borrowed<'a, Decoder>;

unsafe fn decoder_state(slf: D<'_>) -> *mut DecoderState {
    // SAFETY: [TYPE]
    unsafe { &raw mut (*slf.as_ptr()).s }
}
fn decoder_new(tp: Borrowed<'_, PyTypeObject>, errors: &str) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance, whose fields are written as a whole.
    unsafe {
        let s = DecoderState::new(tp, errors)?;
        let d = new::<Decoder>(tp.as_ptr())?;
        (&raw mut (*d.as_ptr()).s).write(s);
        Ok(d.into_object())
    }
}
fn decoder_decode(slf: D<'_>, input: BufferView, last: bool) -> PyResult<Owned> {
    // SAFETY: [TYPE] the state is copied out while error handlers may run.
    unsafe {
        let s = decoder_state(slf);
        let codec = ready((*s).codec)?;
        let waiting = (*s).waiting;
        let data = DecoderState::take_pending(s, input.as_bytes());
        let mut d = Decoding::new(codec, (*s).errors);
        let mut state = (*s).state;
        let fed = d.feed(&mut state, &data, false);
        (*s).state = state;
        let mut at = fed?;
        if last
            && at < data.len()
            && let Err(e) = d.end(&data, &mut at)
        {
            // What waited goes on waiting.
            (&mut (*s).pending)[..waiting].copy_from_slice(&data[..waiting]);
            (*s).waiting = waiting;
            return Err(e);
        }
        DecoderState::keep(s, &data, at)?;
        text(&d.out)
    }
}
fn decoder_getstate(slf: D<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let s = decoder_state(slf);
        let number = Owned::from_owned_or_err(_PyLong_FromByteArray((*s).state.as_ptr(), 8, 1, 0))?;
        tuple(vec![bytes(&(&(*s).pending)[..(*s).waiting])?, number])
    }
}
fn decoder_setstate(slf: D<'_>, state: Tuple<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let (mut buffer, mut number): (*mut PyObject, *mut PyObject) = (null_mut(), null_mut());
        let format = c"SO!;setstate(): illegal state argument";
        if PyArg_ParseTuple(state.ob(), format.as_ptr(), &raw mut buffer, &raw mut PyLong_Type, &raw mut number) == 0 {
            return Err(Raised::assume());
        }
        let mut new = [0u8; 8];
        check_status(_PyLong_AsByteArray(number.cast(), new.as_mut_ptr(), 8, 1, 0, 1))?;
        let data = core::slice::from_raw_parts(PyBytes_AsString(buffer).cast::<u8>(), PyBytes_Size(buffer) as usize);
        let s = decoder_state(slf);
        if data.len() > MAX_BYTES {
            return Err(decode_error(ready((*s).codec)?, data, c"pending buffer too large"));
        }
        (&mut (*s).pending)[..data.len()].copy_from_slice(data);
        (*s).waiting = data.len();
        (*s).state = new;
        Ok(())
    }
}
fn decoder_reset(slf: D<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { DecoderState::reset(decoder_state(slf)) }
}
fn decoder_errors(slf: D<'_>) -> PyResult<Owned> {
    slf.s.errors.name()
}
fn decoder_set_errors(slf: D<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let new = errors_from(value)?;
        core::mem::replace(&mut (*decoder_state(slf)).errors, new).release();
        Ok(())
    }
}
unsafe extern "C" fn decoder_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        core::mem::replace(&mut (*slf.cast::<Decoder>()).s.errors, Errors::Strict).release();
        free_instance(slf);
    }
}
methods! {
    static DECODER_METHODS = [
        "decode($self, /, input, final=False)" => decoder_decode, "The text of the bytes so far.";
        "getstate($self, /)" => decoder_getstate, "The bytes that wait, and the state as a number.";
        "setstate($self, state, /)" => decoder_setstate, "Set the state.";
        "reset($self, /)" => decoder_reset, "Go back to the start.";
    ];
}
getset! { static DECODER_GETSET = [ "errors" => decoder_errors, decoder_set_errors, "how to treat errors"; ]; }
/// `_multibytecodec.MultibyteIncrementalDecoder`.
pub static mut DECODER: PyTypeObject = PyTypeObject {
    tp_name: c"_multibytecodec.MultibyteIncrementalDecoder".as_ptr(),
    tp_basicsize: size_of::<Decoder>() as Py_ssize_t,
    tp_dealloc: Some(decoder_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    tp_traverse: Some(traverse_type),
    tp_methods: (&raw mut DECODER_METHODS).cast(),
    tp_getset: (&raw mut DECODER_GETSET).cast(),
    tp_init: Some(no_init),
    tp_new: Some(constructor!("IncrementalDecoder(errors='strict')" => decoder_new)),
    ..TYPE_INIT
};

/// The number of an `int` argument that may be `None`, for -1.
///
/// # Safety
/// `op` is live.
pub unsafe fn size_argument(op: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_none() {
            return Ok(-1);
        }
        if PyLong_Check(op.ob()) == 0 {
            bail!(PyExc_TypeError, "arg 1 must be an integer");
        }
        let n = PyLong_AsSsize_t(op.ob());
        if n == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
    }
}

/// A size as an argument for a stream's method.
pub fn size_object(n: isize) -> PyResult<Owned> {
    int(n as i64)
}
