//! What compressors and decompressors share: output that grows, input that is kept for later, and a lock, because they
//! run without the GIL.

use core::ffi::c_char;
use std::sync::{Mutex, MutexGuard, TryLockError};
use taipan_abi::*;
use taipan_clinic::BufferView;

/// Takes over a new reference, NULL being an exception.
///
/// # Safety
/// As [`Owned::from_owned_or_err`].
#[inline(always)]
pub unsafe fn take(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(op) }
}

/// A bytes object.
pub fn bytes(s: &[u8]) -> PyResult<Owned> {
    taipan_objects::bytesobject::from_slice(s)
}

/// MemoryError with a text.
#[cold]
pub fn no_memory(text: &str) -> Raised {
    raise!(PyExc_MemoryError, "{}", text)
}

/// Runs `f` without the GIL.
pub fn without_gil<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: [GIL] held on entry, and again on return; `f` touches no object.
    unsafe {
        let ts = PyEval_SaveThread();
        let r = f();
        PyEval_RestoreThread(ts);
        r
    }
}

/// A lock that is waited for without the GIL.
pub struct Locked<T>(Mutex<T>);
impl<T> Locked<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Locked(Mutex::new(value))
    }
    /// Takes the lock.
    pub fn enter(&self) -> MutexGuard<'_, T> {
        match self.0.try_lock() {
            Ok(g) => g,
            Err(TryLockError::Poisoned(p)) => p.into_inner(),
            Err(TryLockError::WouldBlock) => without_gil(|| self.0.lock().unwrap_or_else(|p| p.into_inner())),
        }
    }
}

/// Output that grows up to a limit.
pub struct Output {
    data: Vec<u8>,
    limit: usize,
    grow: usize,
}
impl Output {
    /// Output of any size.
    pub fn unlimited() -> Self {
        Output { data: Vec::new(), limit: usize::MAX, grow: 32 * 1024 }
    }
    /// At most `limit` bytes; no limit if negative.
    pub fn limited(limit: isize) -> Self {
        Output { limit: usize::try_from(limit).unwrap_or(usize::MAX), ..Self::unlimited() }
    }
    /// Output of any size, starting with room for `first` bytes.
    pub fn starting(first: usize) -> PyResult<Self> {
        let mut o = Self::unlimited();
        o.data.try_reserve_exact(first).map_err(|_| no_memory("Unable to allocate output buffer."))?;
        Ok(o)
    }
    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.data.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
    /// Whether the limit is reached.
    pub fn is_full(&self) -> bool {
        self.data.len() >= self.limit
    }
    /// Room to write to, at least a byte unless the limit is reached, at most four gigabytes.
    pub fn room(&mut self) -> PyResult<(*mut u8, u32)> {
        let left = self.limit - self.data.len();
        if self.data.len() == self.data.capacity() && left > 0 {
            self.data.try_reserve_exact(self.grow.min(left)).map_err(|_| no_memory("Unable to allocate output buffer."))?;
            self.grow = (self.data.capacity() * 2).min(256 << 20).max(self.grow);
        }
        let spare = self.data.spare_capacity_mut();
        let n = spare.len().min(left).min(u32::MAX as usize);
        Ok((spare.as_mut_ptr().cast(), n as u32))
    }
    /// Counts in `n` bytes written to the room.
    ///
    /// # Safety
    /// They were.
    pub unsafe fn wrote(&mut self, n: usize) {
        // SAFETY: [ARGS] within the room.
        unsafe { self.data.set_len(self.data.len() + n) }
    }
    /// The bytes object.
    pub fn finish(self) -> PyResult<Owned> {
        bytes(&self.data)
    }
}

/// What a step of decompression did.
pub struct Step {
    /// Bytes of input used.
    pub used: usize,
    /// The stream ended.
    pub ended: bool,
    /// No more can be done with this input and this room.
    pub stuck: bool,
}

/// A stream decoder as the `*Decompressor` classes use it.
pub trait Decoder {
    /// Decodes what it can of `input` into `out`, without the GIL. An error has raised.
    fn step(&mut self, input: &[u8], out: &mut Output) -> PyResult<Step>;
}

/// A decoder with the input that it could not use yet.
pub struct Buffered<D> {
    /// The decoder.
    pub decoder: D,
    pending: Vec<u8>,
    /// Whether the stream has ended.
    pub eof: bool,
}

/// What a call of `decompress` made.
pub struct Decompressed {
    /// The output.
    pub output: Owned,
    /// What follows the stream's end.
    pub unused: Option<Owned>,
    /// Whether more input is needed to go on.
    pub needs_input: bool,
    /// Whether the stream has ended.
    pub eof: bool,
}

impl<D: Decoder> Buffered<D> {
    /// A decoder that has seen nothing.
    pub fn new(decoder: D) -> Self {
        Buffered { decoder, pending: Vec::new(), eof: false }
    }

    /// Decodes `data` after what is pending, at most `max_length` bytes of output (any number if negative).
    ///
    /// `full_needs_input`: whether input is asked for when all of it is used up but the output is full.
    pub fn decompress(&mut self, data: &[u8], max_length: isize, full_needs_input: bool) -> PyResult<Decompressed> {
        let mut pending = core::mem::take(&mut self.pending);
        let was_pending = !pending.is_empty();
        if was_pending {
            pending.try_reserve(data.len()).map_err(|_| no_memory(""))?;
            pending.extend_from_slice(data);
        }
        let mut rest: &[u8] = if was_pending { &pending } else { data };
        let mut out = Output::limited(max_length);
        loop {
            let before = (rest.len(), out.len());
            let step = self.decoder.step(rest, &mut out)?;
            rest = rest.get(step.used..).unwrap_or_default();
            if step.ended {
                self.eof = true;
                break;
            }
            if step.stuck || out.is_full() || (rest.len(), out.len()) == before {
                break;
            }
        }
        let full = out.is_full();
        let output = out.finish()?;
        if self.eof {
            let unused = if rest.is_empty() { None } else { Some(bytes(rest)?) };
            return Ok(Decompressed { output, unused, needs_input: false, eof: true });
        }
        let used_up = rest.is_empty();
        if !used_up {
            self.pending = rest.to_vec();
        }
        Ok(Decompressed { output, unused: None, needs_input: used_up && (full_needs_input || !full), eof: false })
    }
}

/// Instance of a class that decompresses data in pieces and tells by attributes where it stands.
#[repr(C)]
pub struct Decompressor<D> {
    ob_base: PyObject,
    /// The decoder; NULL only while an instance is being made.
    pub inner: *mut Locked<Buffered<D>>,
    /// What was found after the stream's end, as bytes.
    pub unused_data: *mut PyObject,
    /// Whether the stream's end was reached.
    pub eof: c_char,
    /// Whether more input is needed for more output.
    pub needs_input: c_char,
}

impl<D: Decoder> Decompressor<D> {
    /// A new instance of `tp` around a decoder.
    ///
    /// # Safety
    /// The instances of `tp` are `Decompressor<D>`.
    pub unsafe fn make(tp: Borrowed<'_, PyTypeObject>, decoder: D) -> PyResult<Owned> {
        // SAFETY: [OWN] a zeroed instance.
        unsafe {
            let new = take(PyType_GenericAlloc(tp.as_ptr(), 0))?.cast::<Self>();
            let d = new.as_ptr();
            (*d).inner = Box::into_raw(Box::new(Locked::new(Buffered::new(decoder))));
            (*d).unused_data = bytes(&[])?.into_raw();
            (*d).needs_input = 1;
            Ok(new.into_object())
        }
    }
}

/// The method `decompress`. EOFError after the stream's end.
pub fn decompress<D: Decoder>(slf: Borrowed<'_, Decompressor<D>>, data: BufferView, max_length: isize) -> PyResult<Owned> {
    // SAFETY: [TYPE] set by `Decompressor::make`.
    unsafe {
        let mut inner = (*slf.inner).enter();
        if inner.eof {
            bail!(PyExc_EOFError, "End of stream already reached");
        }
        let r = inner.decompress(data.as_bytes(), max_length, true)?;
        let d = slf.as_ptr();
        (*d).eof = r.eof as c_char;
        (*d).needs_input = r.needs_input as c_char;
        if let Some(unused) = r.unused {
            setref(&raw mut (*d).unused_data, unused.into_raw());
        }
        Ok(r.output)
    }
}
