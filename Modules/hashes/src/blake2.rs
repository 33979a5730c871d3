//! `_blake2`: BLAKE2b and BLAKE2s with all parameters (RFC 7693 and the tree hashing of the BLAKE2 paper).

use crate::hasher::Hasher;
use crate::object::{ATTRS, HashObject, METHODS, dealloc, feed, view, wrap};
use taipan_abi::*;
use taipan_clinic::{BufferView, constructor, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

/// What a variant allows.
struct Limits {
    name: &'static str,
    digest: usize,
    key: usize,
    salt: usize,
    person: usize,
    /// Greatest node offset.
    offset: u64,
}
const B: Limits = Limits { name: "blake2b", digest: 64, key: 64, salt: 16, person: 16, offset: u64::MAX };
const S: Limits = Limits { name: "blake2s", digest: 32, key: 32, salt: 8, person: 8, offset: (1 << 48) - 1 };

fn checked(view: Option<Borrowed<'_>>, what: &str, most: usize) -> PyResult<Vec<u8>> {
    let Some(op) = view else { return Ok(Vec::new()) };
    // SAFETY: [ARGS]
    let v = unsafe { BufferView::get(op.ob())? };
    if v.as_bytes().len() > most {
        bail!(PyExc_ValueError, "maximum {} length is {} bytes", what, most);
    }
    Ok(v.as_bytes().to_vec())
}

fn unsigned(op: Option<Borrowed<'_>>) -> PyResult<u64> {
    let Some(op) = op else { return Ok(0) };
    // SAFETY: [ARGS]
    unsafe {
        let n = PyLong_AsUnsignedLong(op.ob());
        if n == u64::MAX && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
    }
}

macro_rules! variant {
    ($new:ident, $limits:ident, $module:ident, $state:ident) => {
        #[allow(clippy::too_many_arguments, reason = "the constructor's parameters")]
        fn $new(
            tp: Borrowed<'_, PyTypeObject>,
            data: Option<Borrowed<'_>>,
            digest_size: i32,
            key: Option<Borrowed<'_>>,
            salt: Option<Borrowed<'_>>,
            person: Option<Borrowed<'_>>,
            options: (i32, i32, Option<Borrowed<'_>>, Option<Borrowed<'_>>, i32, i32, bool),
        ) -> PyResult<Owned> {
            let (fanout, depth, leaf_size, node_offset, node_depth, inner_size, last_node) = options;
            if digest_size <= 0 || digest_size as usize > $limits.digest {
                bail!(PyExc_ValueError, "digest_size for {} must be between 1 and {} bytes, here it is {}",
                    if $limits.digest == 64 { "Blake2b" } else { "Blake2s" }, $limits.digest, digest_size);
            }
            let salt = checked(salt, "salt", $limits.salt)?;
            let person = checked(person, "person", $limits.person)?;
            if !(0..=255).contains(&fanout) {
                bail!(PyExc_ValueError, "fanout must be between 0 and 255");
            }
            if !(1..=255).contains(&depth) {
                bail!(PyExc_ValueError, "depth must be between 1 and 255");
            }
            let leaf = unsigned(leaf_size)?;
            let Ok(leaf) = u32::try_from(leaf) else { bail!(PyExc_OverflowError, "leaf_size is too large") };
            let offset = unsigned(node_offset)?;
            if offset > $limits.offset {
                bail!(PyExc_OverflowError, "node_offset is too large");
            }
            if !(0..=255).contains(&node_depth) {
                bail!(PyExc_ValueError, "node_depth must be between 0 and 255");
            }
            if !(0..=$limits.digest as i32).contains(&inner_size) {
                bail!(PyExc_ValueError, "inner_size must be between 0 and is {}", $limits.digest);
            }
            let key = checked(key, "key", $limits.key)?;
            let mut p = $module::Params::new();
            p.hash_length(digest_size as usize).key(&key).salt(&salt).personal(&person).fanout(fanout as u8)
                .max_depth(depth as u8).max_leaf_length(leaf).node_offset(offset).node_depth(node_depth as u8)
                .inner_hash_length(inner_size as usize).last_node(last_node);
            let mut state = Hasher::$state(p.to_state());
            if let Some(d) = data {
                let v = view(d)?;
                feed(&mut state, v.as_bytes());
            }
            wrap(tp.as_ptr(), state, $limits.name)
        }
    };
}
variant!(new_blake2b, B, blake2b_simd, Blake2b);
variant!(new_blake2s, S, blake2s_simd, Blake2s);

macro_rules! entry {
    ($f:ident, $new:ident, $digest:literal) => {
        #[allow(clippy::too_many_arguments, reason = "the constructor's parameters")]
        fn $f(
            tp: Borrowed<'_, PyTypeObject>,
            data: Option<Borrowed<'_>>,
            rest: taipan_clinic::Kwargs<'_>,
        ) -> PyResult<Owned> {
            let mut digest_size = $digest;
            let (mut key, mut salt, mut person, mut leaf, mut offset) = (None, None, None, None, None);
            let (mut fanout, mut depth, mut node_depth, mut inner, mut last) = (1, 1, 0, 0, false);
            for (name, value) in rest.pairs() {
                let int = || -> PyResult<i32> {
                    // SAFETY: [ARGS]
                    unsafe {
                        let n = PyLong_AsLong(value.ob());
                        if n == -1 && err_occurred() {
                            return Err(Raised::assume());
                        }
                        i32::try_from(n).map_err(|_| raise!(PyExc_OverflowError, "Python int too large to convert to C int"))
                    }
                };
                let mut size = 0;
                // SAFETY: [TYPE] keyword names are strings.
                let text = unsafe {
                    let p = PyUnicode_AsUTF8AndSize(name.ob(), &mut size);
                    if p.is_null() {
                        return Err(Raised::assume());
                    }
                    core::str::from_utf8_unchecked(core::slice::from_raw_parts(p.cast(), size as usize))
                };
                match text {
                    "digest_size" => digest_size = int()?,
                    "key" => key = Some(value),
                    "salt" => salt = Some(value),
                    "person" => person = Some(value),
                    "fanout" => fanout = int()?,
                    "depth" => depth = int()?,
                    "leaf_size" => leaf = Some(value),
                    "node_offset" => offset = Some(value),
                    "node_depth" => node_depth = int()?,
                    "inner_size" => inner = int()?,
                    // SAFETY: [ARGS]
                    "last_node" => last = { let t = unsafe { PyObject_IsTrue(value.ob()) }; check_status(t)?; t > 0 },
                    "usedforsecurity" => {}
                    other => bail!(PyExc_TypeError, "{}() got an unexpected keyword argument '{}'", stringify!($f), other),
                }
            }
            $new(tp, data, digest_size, key, salt, person, (fanout, depth, leaf, offset, node_depth, inner, last))
        }
    };
}
entry!(blake2b, new_blake2b, 64);
entry!(blake2s, new_blake2s, 32);

const fn blake_type(name: *const core::ffi::c_char, new: newfunc) -> PyTypeObject {
    PyTypeObject {
        tp_name: name,
        tp_basicsize: size_of::<HashObject>() as Py_ssize_t,
        tp_dealloc: Some(dealloc),
        tp_flags: Py_TPFLAGS_DEFAULT,
        tp_methods: (&raw mut METHODS).cast(),
        tp_getset: (&raw mut ATTRS).cast(),
        tp_new: Some(new),
        ..TYPE_INIT
    }
}
static mut BLAKE2B: PyTypeObject = blake_type(c"_blake2.blake2b".as_ptr(), constructor!("blake2b(data=<unrepresentable>, /, **kwargs)" => blake2b));
static mut BLAKE2S: PyTypeObject = blake_type(c"_blake2.blake2s".as_ptr(), constructor!("blake2s(data=<unrepresentable>, /, **kwargs)" => blake2s));

methods! { static FUNCTIONS = []; }

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC]
    unsafe {
        for (tp, l) in [(&raw mut BLAKE2B, B), (&raw mut BLAKE2S, S)] {
            taipan_clinic::module::add_type(module, tp)?;
            for (name, value) in [
                (c"SALT_SIZE", l.salt), (c"PERSON_SIZE", l.person), (c"MAX_KEY_SIZE", l.key), (c"MAX_DIGEST_SIZE", l.digest),
            ] {
                let n = Owned::from_owned_or_err(PyLong_FromSize_t(value))?;
                check_status(PyDict_SetItemString((*tp).tp_dict, name.as_ptr(), n.as_ptr()))?;
            }
            PyType_Modified(tp);
        }
    }
    taipan_clinic::module::add_int(module, c"_GIL_MINSIZE", 2048)
}
module! {
    /// Entry point.
    pub fn PyInit__blake2 = "_blake2", "BLAKE2b and BLAKE2s.", methods: FUNCTIONS, exec: exec;
}
