//! The module `_blake2`.

use crate::blake2::{Blake2b, Blake2s, Params};
use crate::hashobject::*;
use taipan_abi::*;
use taipan_clinic::invoke::{Call, FromCall, with_tuple_dict};
use taipan_clinic::module::{add_int, add_type};
use taipan_clinic::{BufferView, Sig, Signature, getset, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

methods! {
    static METHODS = [
        "copy($self, /)" => copy, "A hash object that goes on from the same state.";
        "digest($self, /)" => digest, "The digest so far, as bytes.";
        "hexdigest($self, /)" => hexdigest, "The digest so far, in hexadecimal.";
        "update($self, data, /)" => update, "Take in more data.";
    ];
}
getset! {
    static GETSET = [
        "name" => name, "";
        "block_size" => block_size, "";
        "digest_size" => digest_size, "";
    ];
}

/// Bounds of a variant.
struct Bounds {
    digest: usize,
    salt: usize,
    node_offset: u64,
}

/// The data, the parameters and the key of a constructor's arguments, in the order of its signature.
struct Arguments<'a> {
    data: Option<Borrowed<'a>>,
    params: Params,
    key: Vec<u8>,
}

fn in_byte(n: i32, least: i32, greatest: i32, message: &str) -> PyResult<u8> {
    if n < least || n > greatest {
        bail!(PyExc_ValueError, "{}", message);
    }
    Ok(n as u8)
}
fn at_most(bytes: Option<BufferView>, n: usize, what: &str) -> PyResult<Vec<u8>> {
    let bytes = bytes.map_or(Vec::new(), |b| b.as_bytes().to_vec());
    if bytes.len() > n {
        bail!(PyExc_ValueError, "maximum {} length is {} bytes", what, n);
    }
    Ok(bytes)
}

/// # Safety
/// `call` was bound to `sig`, and its arguments live for `'a`.
unsafe fn arguments<'a>(call: &Call<'_>, sig: &Sig<'_>, bounds: &Bounds) -> PyResult<Arguments<'a>> {
    // SAFETY: [ARGS]
    unsafe {
        let data: Option<Borrowed<'a>> = FromCall::from_call(call, sig, 0)?;
        let digest_size: Option<i32> = FromCall::from_call(call, sig, 1)?;
        let key: Option<BufferView> = FromCall::from_call(call, sig, 2)?;
        let salt: Option<BufferView> = FromCall::from_call(call, sig, 3)?;
        let person: Option<BufferView> = FromCall::from_call(call, sig, 4)?;
        let fanout: i32 = FromCall::from_call(call, sig, 5)?;
        let depth: i32 = FromCall::from_call(call, sig, 6)?;
        let leaf_size: Option<Borrowed<'a>> = FromCall::from_call(call, sig, 7)?;
        let leaf_size = leaf_size.map_or(Ok(0), |n| unsigned(n, false))?;
        let node_offset: Option<Borrowed<'a>> = FromCall::from_call(call, sig, 8)?;
        let node_offset = node_offset.map_or(Ok(0), |n| unsigned(n, true))?;
        let node_depth: i32 = FromCall::from_call(call, sig, 9)?;
        let inner_size: i32 = FromCall::from_call(call, sig, 10)?;
        let last_node: bool = FromCall::from_call(call, sig, 11)?;
        let _usedforsecurity: bool = FromCall::from_call(call, sig, 12)?;
        let string: Option<Borrowed<'a>> = FromCall::from_call(call, sig, 13)?;
        let data = data_argument(data, string)?;
        let most = bounds.digest;
        let digest_size = match digest_size {
            None => most as u8,
            Some(n) => in_byte(n, 1, most as i32, &format!("digest_size must be between 1 and {most} bytes"))?,
        };
        let salt = at_most(salt, bounds.salt, "salt")?;
        let person = at_most(person, bounds.salt, "person")?;
        let fanout = in_byte(fanout, 0, 255, "fanout must be between 0 and 255")?;
        let depth = in_byte(depth, 1, 255, "depth must be between 1 and 255")?;
        let Ok(leaf_size) = u32::try_from(leaf_size) else { bail!(PyExc_OverflowError, "leaf_size is too large") };
        if node_offset > bounds.node_offset {
            bail!(PyExc_OverflowError, "node_offset is too large");
        }
        let node_depth = in_byte(node_depth, 0, 255, "node_depth must be between 0 and 255")?;
        let inner_size = in_byte(inner_size, 0, most as i32, &format!("inner_size must be between 0 and is {most}"))?;
        let key = at_most(key, most, "key")?;
        let params = Params {
            digest_size, salt, person, fanout, depth, leaf_size, node_offset, node_depth, inner_size, last_node,
        };
        Ok(Arguments { data, params, key })
    }
}

/// A [`Hasher`] with the length of its digest, which parameters decide.
struct Sized<D>(D, usize);

macro_rules! variant {
    ($tp:ident, $core:ident, $new:ident, $name:literal, $sig:literal, $node_offset:expr) => {
        impl Hasher for Sized<$core> {
            fn update(&mut self, data: &[u8]) {
                self.0.update(data);
            }
            fn digest(&self, _: usize) -> Vec<u8> {
                self.0.clone().finish()
            }
            fn duplicate(&self) -> Box<dyn Hasher> {
                Box::new(Sized(self.0.clone(), self.1))
            }
            fn digest_size(&self) -> usize {
                self.1
            }
        }
        unsafe extern "C" fn $new(tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
            static SIG: Signature<14> = Signature::parse($sig);
            const BOUNDS: Bounds = Bounds { digest: $core::OUT, salt: $core::SALT, node_offset: $node_offset };
            // SAFETY: [ARGS] called as tp_new.
            unsafe {
                let sig = SIG.erase();
                with_tuple_dict(&sig, args, kwargs, |call| {
                    let a = arguments(call, &sig, &BOUNDS)?;
                    let size = a.params.digest_size as usize;
                    let op = new(tp, Box::new(Sized($core::new(&a.params, &a.key), size)), $name, $core::BLOCK);
                    begin(op, a.data)
                })
                .into_c()
            }
        }
        #[doc = concat!("`_blake2.", $name, "`.")]
        pub static mut $tp: PyTypeObject = PyTypeObject {
            tp_name: concat!("_blake2.", $name, "\0").as_ptr().cast(),
            tp_basicsize: size_of::<HashObject>() as Py_ssize_t,
            tp_dealloc: Some(dealloc),
            tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
            tp_doc: concat!($sig, "\n--\n\nA new BLAKE2 hash object.\0").as_ptr().cast(),
            tp_methods: (&raw mut METHODS).cast(),
            tp_getset: (&raw mut GETSET).cast(),
            tp_new: Some($new),
            ..TYPE_INIT
        };
    };
}
variant!(
    BLAKE2B, Blake2b, blake2b_new, "blake2b",
    "blake2b(data=b'', *, digest_size=_blake2.blake2b.MAX_DIGEST_SIZE, key=b'', salt=b'', person=b'', fanout=1, depth=1, leaf_size=0, node_offset=0, node_depth=0, inner_size=0, last_node=False, usedforsecurity=True, string=None)",
    0xffff_ffff_ffff_ffff
);
variant!(
    BLAKE2S, Blake2s, blake2s_new, "blake2s",
    "blake2s(data=b'', *, digest_size=_blake2.blake2s.MAX_DIGEST_SIZE, key=b'', salt=b'', person=b'', fanout=1, depth=1, leaf_size=0, node_offset=0, node_depth=0, inner_size=0, last_node=False, usedforsecurity=True, string=None)",
    0xffff_ffff_ffff
);

methods! { static FUNCTIONS = []; }

/// Adds a type with its sizes, which the module has as well.
fn add(module: Borrowed<'_>, tp: *mut PyTypeObject, prefix: &str, salt: usize, digest: usize) -> PyResult<()> {
    // SAFETY: a static type; its dict is still being filled.
    unsafe {
        add_type(module, tp)?;
        for (name, value) in [("SALT_SIZE", salt), ("PERSON_SIZE", salt), ("MAX_KEY_SIZE", digest), ("MAX_DIGEST_SIZE", digest)] {
            let n = Owned::from_owned_or_err(PyLong_FromSize_t(value))?;
            let own = std::ffi::CString::new(name).unwrap_or_default();
            check_status(PyDict_SetItemString((*tp).tp_dict, own.as_ptr(), n.as_ptr()))?;
            let full = std::ffi::CString::new(format!("{prefix}_{name}")).unwrap_or_default();
            add_int(module, &full, value as i64)?;
        }
        PyType_Modified(tp);
        Ok(())
    }
}
fn exec(module: Borrowed<'_>) -> PyResult<()> {
    add(module, &raw mut BLAKE2B, "BLAKE2B", Blake2b::SALT, Blake2b::OUT)?;
    add(module, &raw mut BLAKE2S, "BLAKE2S", Blake2s::SALT, Blake2s::OUT)
}

module! {
    /// Entry point.
    pub fn PyInit__blake2 = "_blake2", "The BLAKE2 digests.", methods: FUNCTIONS, exec: exec;
}
