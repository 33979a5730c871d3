//! The module `_sha3`: the SHA-3 digests, and SHAKE with digests of any length.

use crate::hashobject::*;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use taipan_abi::*;
use taipan_clinic::module::{add_str, add_type};
use taipan_clinic::{constructor, getset, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

/// A [`Hasher`] whose digest is as long as asked for.
struct Open<D>(D);
impl<D: Update + ExtendableOutput + Clone + Send + 'static> Hasher for Open<D> {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
    fn digest(&self, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        self.0.clone().finalize_xof().read(&mut out);
        out
    }
    fn duplicate(&self) -> Box<dyn Hasher> {
        Box::new(Open(self.0.clone()))
    }
    fn digest_size(&self) -> usize {
        0
    }
}

methods! {
    static SHA3_METHODS = [
        "copy($self, /)" => copy, "A hash object that goes on from the same state.";
        "digest($self, /)" => digest, "The digest so far, as bytes.";
        "hexdigest($self, /)" => hexdigest, "The digest so far, in hexadecimal.";
        "update($self, data, /)" => update, "Take in more data.";
    ];
}
methods! {
    static SHAKE_METHODS = [
        "copy($self, /)" => copy, "A hash object that goes on from the same state.";
        "digest($self, /, length)" => shake_digest, "A digest of so many bytes.";
        "hexdigest($self, /, length)" => shake_hexdigest, "A digest of so many bytes, in hexadecimal.";
        "update($self, data, /)" => update, "Take in more data.";
    ];
}
getset! {
    static SHA3_GETSET = [
        "block_size" => block_size, "";
        "name" => name, "";
        "digest_size" => digest_size, "";
        "_capacity_bits" => capacity_bits, "";
        "_rate_bits" => rate_bits, "";
        "_suffix" => sha3_suffix, "";
    ];
}
getset! {
    static SHAKE_GETSET = [
        "block_size" => block_size, "";
        "name" => name, "";
        "digest_size" => digest_size, "";
        "_capacity_bits" => capacity_bits, "";
        "_rate_bits" => rate_bits, "";
        "_suffix" => shake_suffix, "";
    ];
}

macro_rules! algorithm {
    ($tp:ident, $f:ident, $name:literal, $sig:literal, $doc:literal, $block:literal, $hasher:expr, $methods:ident, $getset:ident) => {
        fn $f(tp: Borrowed<'_, PyTypeObject>, data: Option<Borrowed<'_>>, _usedforsecurity: bool, string: Option<Borrowed<'_>>) -> PyResult<Owned> {
            let data = data_argument(data, string)?;
            // SAFETY: [TYPE] the type or a subtype of it.
            begin(unsafe { new(tp.as_ptr(), Box::new($hasher), $name, $block) }, data)
        }
        #[doc = concat!("`_sha3.", $name, "`.")]
        pub static mut $tp: PyTypeObject = PyTypeObject {
            tp_name: concat!("_sha3.", $name, "\0").as_ptr().cast(),
            tp_basicsize: size_of::<HashObject>() as Py_ssize_t,
            tp_dealloc: Some(dealloc),
            tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
            tp_doc: concat!($doc, "\0").as_ptr().cast(),
            tp_methods: (&raw mut $methods).cast(),
            tp_getset: (&raw mut $getset).cast(),
            tp_new: Some(constructor!($sig => $f)),
            ..TYPE_INIT
        };
    };
}
algorithm!(SHA3_224, sha3_224, "sha3_224", "sha3_224(data=b'', *, usedforsecurity=True, string=None)",
    "sha3_224([data], *, usedforsecurity=True) -> SHA3 object\n\nA hash object with a digest of 28 bytes.",
    144, Fixed(<sha3::Sha3_224 as sha2::Digest>::new()), SHA3_METHODS, SHA3_GETSET);
algorithm!(SHA3_256, sha3_256, "sha3_256", "sha3_224(data=b'', *, usedforsecurity=True, string=None)",
    "sha3_256([data], *, usedforsecurity=True) -> SHA3 object\n\nA hash object with a digest of 32 bytes.",
    136, Fixed(<sha3::Sha3_256 as sha2::Digest>::new()), SHA3_METHODS, SHA3_GETSET);
algorithm!(SHA3_384, sha3_384, "sha3_384", "sha3_224(data=b'', *, usedforsecurity=True, string=None)",
    "sha3_384([data], *, usedforsecurity=True) -> SHA3 object\n\nA hash object with a digest of 48 bytes.",
    104, Fixed(<sha3::Sha3_384 as sha2::Digest>::new()), SHA3_METHODS, SHA3_GETSET);
algorithm!(SHA3_512, sha3_512, "sha3_512", "sha3_224(data=b'', *, usedforsecurity=True, string=None)",
    "sha3_512([data], *, usedforsecurity=True) -> SHA3 object\n\nA hash object with a digest of 64 bytes.",
    72, Fixed(<sha3::Sha3_512 as sha2::Digest>::new()), SHA3_METHODS, SHA3_GETSET);
algorithm!(SHAKE_128, shake_128, "shake_128", "sha3_224(data=b'', *, usedforsecurity=True, string=None)",
    "shake_128([data], *, usedforsecurity=True) -> SHAKE object\n\nA hash object with a digest of any length.",
    168, Open(sha3::Shake128::default()), SHAKE_METHODS, SHAKE_GETSET);
algorithm!(SHAKE_256, shake_256, "shake_256", "sha3_224(data=b'', *, usedforsecurity=True, string=None)",
    "shake_256([data], *, usedforsecurity=True) -> SHAKE object\n\nA hash object with a digest of any length.",
    136, Open(sha3::Shake256::default()), SHAKE_METHODS, SHAKE_GETSET);

methods! { static FUNCTIONS = []; }

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    for tp in [&raw mut SHA3_224, &raw mut SHA3_256, &raw mut SHA3_384, &raw mut SHA3_512, &raw mut SHAKE_128, &raw mut SHAKE_256] {
        // SAFETY: static types.
        unsafe { add_type(module, tp)? };
    }
    add_str(module, c"implementation", "RustCrypto")
}

module! {
    /// Entry point.
    pub fn PyInit__sha3 = "_sha3", "The SHA-3 digests.", methods: FUNCTIONS, exec: exec;
}
