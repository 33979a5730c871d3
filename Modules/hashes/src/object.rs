//! Hash objects and the modules that make them.

use crate::hasher::Hasher;
use taipan_abi::*;
use taipan_clinic::{BufferView, getset, methods, module, module::add_int, module::add_type};
use taipan_objects::typeobject::TYPE_INIT;

/// A hash object.
#[repr(C)]
pub struct HashObject {
    ob_base: PyObject,
    /// Owned.
    pub state: *mut Hasher,
    /// Its Python name.
    pub name: &'static str,
}
type H<'a> = Borrowed<'a, HashObject>;

fn state(slf: H<'_>) -> &Hasher {
    // SAFETY: [TYPE] set when the object is made.
    unsafe { &*slf.state }
}

/// Feeds `data` to a hasher; large data without the GIL.
pub fn feed(state: &mut Hasher, data: &[u8]) {
    if data.len() < 2048 {
        return state.update(data);
    }
    // SAFETY: [GIL] held on entry; the view keeps the data, the object's own reference the state.
    unsafe {
        let ts = PyEval_SaveThread();
        state.update(data);
        PyEval_RestoreThread(ts);
    }
}

/// Bytes-like data to hash, with hashlib's errors.
pub fn view(op: Borrowed<'_>) -> PyResult<BufferView> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(op.ob()) != 0 {
            bail!(PyExc_TypeError, "Strings must be encoded before hashing");
        }
        if PyObject_CheckBuffer(op.ob()) == 0 {
            bail!(PyExc_TypeError, "object supporting the buffer API required");
        }
        let v = BufferView::get(op.ob())?;
        if v.raw().ndim > 1 {
            bail!(PyExc_BufferError, "Buffer must be single dimension");
        }
        Ok(v)
    }
}

/// A new object of a type.
pub fn wrap(tp: *mut PyTypeObject, state: Hasher, name: &'static str) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let op = Owned::from_owned_or_err(PyType_GenericAlloc(tp, 0))?.cast::<HashObject>();
        (*op.as_ptr()).state = Box::into_raw(Box::new(state));
        (*op.as_ptr()).name = name;
        Ok(op.into_object())
    }
}

fn make(tp: *mut PyTypeObject, name: &'static str, string: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let Some(mut state) = Hasher::new(name) else { bail!(PyExc_ValueError, "unsupported hash type {}", name) };
    if let Some(s) = string {
        let v = view(s)?;
        feed(&mut state, v.as_bytes());
    }
    wrap(tp, state, name)
}

fn update(slf: H<'_>, obj: Borrowed<'_>) -> PyResult<()> {
    let v = view(obj)?;
    // SAFETY: [TYPE] the argument may be fed without the GIL: a copy is fed, then stored.
    unsafe {
        if v.as_bytes().len() < 2048 {
            (*slf.state).update(v.as_bytes());
        } else {
            let mut copy = (*slf.state).clone();
            feed(&mut copy, v.as_bytes());
            *slf.state = copy;
        }
    }
    Ok(())
}
fn bytes(data: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyBytes_FromStringAndSize(data.as_ptr().cast(), data.len() as Py_ssize_t)) }
}
fn hex(data: &[u8]) -> String {
    data.iter().map(|b| format!("{b:02x}")).collect()
}
fn digest(slf: H<'_>) -> PyResult<Owned> {
    bytes(&state(slf).digest(0))
}
fn hexdigest(slf: H<'_>) -> PyResult<String> {
    Ok(hex(&state(slf).digest(0)))
}
fn check_length(length: u64) -> PyResult<usize> {
    if length >= 1 << 29 {
        bail!(PyExc_ValueError, "length is too large");
    }
    Ok(length as usize)
}
fn length_of(op: Borrowed<'_>) -> PyResult<usize> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyLong_AsUnsignedLong(op.ob());
        if n == u64::MAX && err_occurred() {
            return Err(Raised::assume());
        }
        check_length(n)
    }
}
fn shake_digest(slf: H<'_>, length: Borrowed<'_>) -> PyResult<Owned> {
    bytes(&state(slf).digest(length_of(length)?))
}
fn shake_hexdigest(slf: H<'_>, length: Borrowed<'_>) -> PyResult<String> {
    Ok(hex(&state(slf).digest(length_of(length)?)))
}
fn copy(slf: H<'_>) -> PyResult<Owned> {
    wrap(slf.ob_type(), state(slf).clone(), slf.name)
}
fn name(slf: H<'_>) -> PyResult<&'static str> {
    Ok(slf.name)
}
fn block_size(slf: H<'_>) -> PyResult<usize> {
    Ok(state(slf).block_size())
}
fn digest_size(slf: H<'_>) -> PyResult<usize> {
    Ok(state(slf).digest_size())
}
fn capacity_bits(slf: H<'_>) -> PyResult<usize> {
    Ok(1600 - 8 * state(slf).block_size())
}
fn rate_bits(slf: H<'_>) -> PyResult<usize> {
    Ok(8 * state(slf).block_size())
}
fn suffix(slf: H<'_>) -> PyResult<Owned> {
    bytes(if state(slf).extendable() { b"\x1f" } else { b"\x06" })
}

/// Frees a hash object.
pub unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let h = slf.cast::<HashObject>();
        if !(*h).state.is_null() {
            drop(Box::from_raw((*h).state));
        }
        let tp = type_of(slf);
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
    }
}

methods! {
    /// Methods of hashes with a fixed digest.
    pub static METHODS = [
        "copy($self, /)" => copy, "A copy of the hash object.";
        "digest($self, /)" => digest, "The digest as bytes.";
        "hexdigest($self, /)" => hexdigest, "The digest as hexadecimal digits.";
        "update($self, obj, /)" => update, "Hash more data.";
    ];
}
methods! {
    static SHAKE_METHODS = [
        "copy($self, /)" => copy, "A copy of the hash object.";
        "digest($self, length, /)" => shake_digest, "A digest of a length as bytes.";
        "hexdigest($self, length, /)" => shake_hexdigest, "A digest of a length as hexadecimal digits.";
        "update($self, obj, /)" => update, "Hash more data.";
    ];
}
getset! {
    /// Attributes of hashes.
    pub static ATTRS = [
        "block_size" => block_size, "Block size in bytes.";
        "name" => name, "The algorithm.";
        "digest_size" => digest_size, "Digest size in bytes.";
    ];
}
getset! {
    static SHA3_ATTRS = [
        "block_size" => block_size, "Block size in bytes.";
        "name" => name, "The algorithm.";
        "digest_size" => digest_size, "Digest size in bytes.";
        "_capacity_bits" => capacity_bits, "";
        "_rate_bits" => rate_bits, "";
        "_suffix" => suffix, "";
    ];
}

const fn plain_type(name: *const core::ffi::c_char) -> PyTypeObject {
    PyTypeObject {
        tp_name: name,
        tp_basicsize: size_of::<HashObject>() as Py_ssize_t,
        tp_dealloc: Some(dealloc),
        tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
        tp_methods: (&raw mut METHODS).cast(),
        tp_getset: (&raw mut ATTRS).cast(),
        ..TYPE_INIT
    }
}
static mut MD5: PyTypeObject = plain_type(c"_md5.md5".as_ptr());
static mut SHA1: PyTypeObject = plain_type(c"_sha1.sha1".as_ptr());
static mut SHA224: PyTypeObject = plain_type(c"_sha2.SHA224Type".as_ptr());
static mut SHA256: PyTypeObject = plain_type(c"_sha2.SHA256Type".as_ptr());
static mut SHA384: PyTypeObject = plain_type(c"_sha2.SHA384Type".as_ptr());
static mut SHA512: PyTypeObject = plain_type(c"_sha2.SHA512Type".as_ptr());

macro_rules! makers {
    ($($f:ident $name:literal $tp:ident;)*) => { $(
        fn $f(_: (), string: Option<Borrowed<'_>>, _usedforsecurity: bool) -> PyResult<Owned> {
            make(&raw mut $tp, $name, string)
        }
    )* };
}
makers! { md5 "md5" MD5; sha1 "sha1" SHA1; sha224 "sha224" SHA224; sha256 "sha256" SHA256; sha384 "sha384" SHA384; sha512 "sha512" SHA512; }

macro_rules! sha3_types {
    ($($static:ident $f:ident $name:literal $methods:ident;)*) => { $(
        fn $f(tp: Borrowed<'_, PyTypeObject>, data: Option<Borrowed<'_>>, _usedforsecurity: bool) -> PyResult<Owned> {
            make(tp.as_ptr(), $name, data)
        }
        static mut $static: PyTypeObject = PyTypeObject {
            tp_name: concat!("_sha3.", $name, "\0").as_ptr().cast(),
            tp_basicsize: size_of::<HashObject>() as Py_ssize_t,
            tp_dealloc: Some(dealloc),
            tp_flags: Py_TPFLAGS_DEFAULT,
            tp_doc: concat!($name, "([data], *, usedforsecurity=True)\n--\n\nA new hash object.\0").as_ptr().cast(),
            tp_methods: (&raw mut $methods).cast(),
            tp_getset: (&raw mut SHA3_ATTRS).cast(),
            tp_new: Some(taipan_clinic::constructor!("sha3(data=<unrepresentable>, /, *, usedforsecurity=True)" => $f)),
            ..TYPE_INIT
        };
    )* };
}
sha3_types! {
    SHA3_224 sha3_224 "sha3_224" METHODS; SHA3_256 sha3_256 "sha3_256" METHODS; SHA3_384 sha3_384 "sha3_384" METHODS;
    SHA3_512 sha3_512 "sha3_512" METHODS; SHAKE_128 shake_128 "shake_128" SHAKE_METHODS; SHAKE_256 shake_256 "shake_256" SHAKE_METHODS;
}

methods! { static MD5_FUNCTIONS = [ "md5($module, /, string=<unrepresentable>, *, usedforsecurity=True)" => md5, "A new MD5 hash object."; ]; }
methods! { static SHA1_FUNCTIONS = [ "sha1($module, /, string=<unrepresentable>, *, usedforsecurity=True)" => sha1, "A new SHA-1 hash object."; ]; }
methods! {
    static SHA2_FUNCTIONS = [
        "sha224($module, /, string=<unrepresentable>, *, usedforsecurity=True)" => sha224, "A new SHA-224 hash object.";
        "sha256($module, /, string=<unrepresentable>, *, usedforsecurity=True)" => sha256, "A new SHA-256 hash object.";
        "sha384($module, /, string=<unrepresentable>, *, usedforsecurity=True)" => sha384, "A new SHA-384 hash object.";
        "sha512($module, /, string=<unrepresentable>, *, usedforsecurity=True)" => sha512, "A new SHA-512 hash object.";
    ];
}
methods! { static SHA3_FUNCTIONS = []; }

fn md5_exec(module: Borrowed<'_>) -> PyResult<()> {
    add_int(module, c"_GIL_MINSIZE", 2048)?;
    // SAFETY: [STATIC]
    unsafe {
        check_status(PyType_Ready(&raw mut MD5))?;
        check_status(PyObject_SetAttrString(module.ob(), c"MD5Type".as_ptr(), (&raw mut MD5).cast()))
    }
}
fn sha1_exec(module: Borrowed<'_>) -> PyResult<()> {
    add_int(module, c"_GIL_MINSIZE", 2048)?;
    // SAFETY: [STATIC]
    unsafe {
        check_status(PyType_Ready(&raw mut SHA1))?;
        check_status(PyObject_SetAttrString(module.ob(), c"SHA1Type".as_ptr(), (&raw mut SHA1).cast()))
    }
}
fn sha2_exec(module: Borrowed<'_>) -> PyResult<()> {
    add_int(module, c"_GIL_MINSIZE", 2048)?;
    // SAFETY: [STATIC]
    unsafe {
        for tp in [&raw mut SHA224, &raw mut SHA256, &raw mut SHA384, &raw mut SHA512] {
            add_type(module, tp)?;
        }
    }
    Ok(())
}
fn sha3_exec(module: Borrowed<'_>) -> PyResult<()> {
    add_int(module, c"_GIL_MINSIZE", 2048)?;
    taipan_clinic::module::add_str(module, c"implementation", "generic")?;
    // SAFETY: [STATIC]
    unsafe {
        for tp in [&raw mut SHA3_224, &raw mut SHA3_256, &raw mut SHA3_384, &raw mut SHA3_512, &raw mut SHAKE_128, &raw mut SHAKE_256] {
            add_type(module, tp)?;
        }
    }
    Ok(())
}
module! {
    /// Entry point.
    pub fn PyInit__md5 = "_md5", "MD5.", methods: MD5_FUNCTIONS, exec: md5_exec;
}
module! {
    /// Entry point.
    pub fn PyInit__sha1 = "_sha1", "SHA-1.", methods: SHA1_FUNCTIONS, exec: sha1_exec;
}
module! {
    /// Entry point.
    pub fn PyInit__sha2 = "_sha2", "SHA-2.", methods: SHA2_FUNCTIONS, exec: sha2_exec;
}
module! {
    /// Entry point.
    pub fn PyInit__sha3 = "_sha3", "SHA-3 and SHAKE.", methods: SHA3_FUNCTIONS, exec: sha3_exec;
}

