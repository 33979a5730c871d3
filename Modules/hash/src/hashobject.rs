//! What all hash objects share: an algorithm behind a lock, fed from any bytes-like object.

use std::sync::{Mutex, MutexGuard, PoisonError};
use taipan_abi::*;
use taipan_clinic::BufferView;

/// From this size on other threads may run while data is hashed.
const GIL_MINSIZE: usize = 2048;

/// An algorithm with its state.
pub trait Hasher: Send {
    /// Takes in more data.
    fn update(&mut self, data: &[u8]);
    /// The digest so far; of this length, if the algorithm leaves that open.
    fn digest(&self, length: usize) -> Vec<u8>;
    /// The same state again.
    fn duplicate(&self) -> Box<dyn Hasher>;
    /// Bytes of digest; 0 if that is open.
    fn digest_size(&self) -> usize;
}

/// A hash object.
#[repr(C)]
pub struct HashObject {
    ob_base: PyObject,
    state: *mut Mutex<Box<dyn Hasher>>,
    name: &'static str,
    block_size: usize,
}

/// A hash object, borrowed.
pub type H<'a> = Borrowed<'a, HashObject>;

/// A new object of type `tp`.
///
/// # Safety
/// `tp` is a ready type whose instances are `HashObject`s.
pub unsafe fn new(tp: *mut PyTypeObject, hasher: Box<dyn Hasher>, name: &'static str, block_size: usize) -> PyResult<Owned> {
    // SAFETY: [ARGS] the object's fields are set before anybody sees it.
    unsafe {
        let op = PyType_GenericAlloc(tp, 0).cast::<HashObject>();
        if op.is_null() {
            return Err(Raised::assume());
        }
        (*op).state = Box::into_raw(Box::new(Mutex::new(hasher)));
        (*op).name = name;
        (*op).block_size = block_size;
        Ok(Owned::from_owned(op.cast()))
    }
}

/// `tp_dealloc`.
pub unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let tp = type_of(slf);
        drop(Box::from_raw((*slf.cast::<HashObject>()).state));
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
            Py_DECREF(tp.cast());
        }
    }
}

/// The state. Who holds the lock never waits for the GIL.
fn state<'a>(slf: H<'a>) -> MutexGuard<'a, Box<dyn Hasher>> {
    // SAFETY: [TYPE] set when the object was made.
    unsafe { (*slf.state).lock().unwrap_or_else(PoisonError::into_inner) }
}

/// The bytes of `data`, with the errors of hash functions.
pub fn view(data: Borrowed<'_>) -> PyResult<BufferView> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(data.ob()) != 0 {
            bail!(PyExc_TypeError, "Strings must be encoded before hashing");
        }
        if PyObject_CheckBuffer(data.ob()) == 0 {
            bail!(PyExc_TypeError, "object supporting the buffer API required");
        }
        let view = BufferView::get(data.ob())?;
        if view.raw().ndim > 1 {
            bail!(PyExc_BufferError, "Buffer must be single dimension");
        }
        Ok(view)
    }
}

/// The data that a constructor was given, in one way or the other.
pub fn data_argument<'a>(data: Option<Borrowed<'a>>, string: Option<Borrowed<'a>>) -> PyResult<Option<Borrowed<'a>>> {
    if data.is_some() && string.is_some() {
        bail!(
            PyExc_TypeError,
            "'data' and 'string' are mutually exclusive and support for 'string' keyword parameter is slated for removal in a future version."
        );
    }
    Ok(data.or(string))
}

/// Feeds `data` to the object.
pub fn update(slf: H<'_>, data: Borrowed<'_>) -> PyResult<()> {
    let view = view(data)?;
    let bytes = view.as_bytes();
    if bytes.len() < GIL_MINSIZE {
        state(slf).update(bytes);
        return Ok(());
    }
    // SAFETY: [GIL] given up while only the buffer, which is held, and the state, which is locked, are used.
    unsafe {
        let ts = PyEval_SaveThread();
        state(slf).update(bytes);
        PyEval_RestoreThread(ts);
    }
    Ok(())
}

/// Feeds what a constructor was given.
pub fn begin(op: PyResult<Owned>, data: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let op = op?;
    if let Some(data) = data {
        // SAFETY: [TYPE] made by `new`.
        update(unsafe { H::from_ptr(op.as_ptr().cast()) }, data)?;
    }
    Ok(op)
}

/// `copy()`.
pub fn copy(slf: H<'_>) -> PyResult<Owned> {
    let duplicate = state(slf).duplicate();
    // SAFETY: [TYPE]
    unsafe { new(slf.ob_type(), duplicate, slf.name, slf.block_size) }
}

fn bytes(data: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyBytes_FromStringAndSize(data.as_ptr().cast(), data.len() as Py_ssize_t)) }
}
fn hex(data: &[u8]) -> String {
    let mut out = String::with_capacity(2 * data.len());
    for b in data {
        for nibble in [b >> 4, b & 15] {
            out.push(char::from_digit(nibble as u32, 16).unwrap_or('?'));
        }
    }
    out
}

/// `digest()`.
pub fn digest(slf: H<'_>) -> PyResult<Owned> {
    let d = state(slf).digest(0);
    bytes(&d)
}
/// `hexdigest()`.
pub fn hexdigest(slf: H<'_>) -> PyResult<String> {
    let d = state(slf).digest(0);
    Ok(hex(&d))
}

/// A C `unsigned long` argument, or with `long_long` an `unsigned long long`, whose overflow is worded differently.
pub fn unsigned(n: Borrowed<'_>, long_long: bool) -> PyResult<u64> {
    // SAFETY: [ARGS]
    unsafe {
        let mut overflow = 0;
        if PyLong_Check(n.ob()) != 0 && (PyLong_AsLongLongAndOverflow(n.ob(), &mut overflow) < 0 && overflow == 0 || overflow < 0) {
            bail!(PyExc_ValueError, "value must be positive");
        }
        let v = if long_long { PyLong_AsUnsignedLongLong(n.ob()) } else { PyLong_AsUnsignedLong(n.ob()) };
        if v == u64::MAX && err_occurred() { Err(Raised::assume()) } else { Ok(v) }
    }
}

fn open_digest(slf: H<'_>, length: Borrowed<'_>) -> PyResult<Vec<u8>> {
    let length = unsigned(length, false)?;
    if length >= 1 << 29 {
        bail!(PyExc_ValueError, "length is too large");
    }
    Ok(state(slf).digest(length as usize))
}
/// `digest(length)`.
pub fn shake_digest(slf: H<'_>, length: Borrowed<'_>) -> PyResult<Owned> {
    bytes(&open_digest(slf, length)?)
}
/// `hexdigest(length)`.
pub fn shake_hexdigest(slf: H<'_>, length: Borrowed<'_>) -> PyResult<String> {
    Ok(hex(&open_digest(slf, length)?))
}

/// `name`.
pub fn name(slf: H<'_>) -> PyResult<&'static str> {
    Ok(slf.name)
}
/// `block_size`.
pub fn block_size(slf: H<'_>) -> PyResult<usize> {
    Ok(slf.block_size)
}
/// `digest_size`.
pub fn digest_size(slf: H<'_>) -> PyResult<usize> {
    Ok(state(slf).digest_size())
}
/// `_rate_bits`.
pub fn rate_bits(slf: H<'_>) -> PyResult<usize> {
    Ok(slf.block_size * 8)
}
/// `_capacity_bits`.
pub fn capacity_bits(slf: H<'_>) -> PyResult<usize> {
    Ok(1600 - slf.block_size * 8)
}
/// `_suffix` of the fixed-length SHA-3 functions.
pub fn sha3_suffix(_: H<'_>) -> PyResult<Owned> {
    bytes(&[0x06])
}
/// `_suffix` of the SHAKE functions.
pub fn shake_suffix(_: H<'_>) -> PyResult<Owned> {
    bytes(&[0x1f])
}

/// A [`Hasher`] from a fixed-length digest of RustCrypto.
pub struct Fixed<D>(pub D);
impl<D: sha2::Digest + Clone + Send + 'static> Hasher for Fixed<D> {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
    fn digest(&self, _: usize) -> Vec<u8> {
        self.0.clone().finalize().to_vec()
    }
    fn duplicate(&self) -> Box<dyn Hasher> {
        Box::new(Fixed(self.0.clone()))
    }
    fn digest_size(&self) -> usize {
        <D as sha2::Digest>::output_size()
    }
}

