//! The modules `_md5`, `_sha1` and `_sha2`.

use crate::hashobject::*;
use taipan_abi::*;
use taipan_clinic::module::add_object;
use taipan_clinic::{getset, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

methods! {
    static METHODS = [
        "copy($self, /)" => copy, "A hash object that goes on from the same state.";
        "digest($self, /)" => digest, "The digest so far, as bytes.";
        "hexdigest($self, /)" => hexdigest, "The digest so far, in hexadecimal.";
        "update($self, obj, /)" => update, "Take in more data.";
    ];
}
getset! {
    static GETSET = [
        "block_size" => block_size, "";
        "name" => name, "";
        "digest_size" => digest_size, "";
    ];
}

macro_rules! algorithm {
    ($tp:ident, $tp_name:literal, $f:ident, $name:literal, $block:literal, $digest:ty) => {
        #[doc = concat!("`", $tp_name, "`.")]
        pub static mut $tp: PyTypeObject = PyTypeObject {
            tp_name: concat!($tp_name, "\0").as_ptr().cast(),
            tp_basicsize: size_of::<HashObject>() as Py_ssize_t,
            tp_dealloc: Some(dealloc),
            tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
            tp_methods: (&raw mut METHODS).cast(),
            tp_getset: (&raw mut GETSET).cast(),
            ..TYPE_INIT
        };
        fn $f(_: (), data: Option<Borrowed<'_>>, _usedforsecurity: bool, string: Option<Borrowed<'_>>) -> PyResult<Owned> {
            let data = data_argument(data, string)?;
            // SAFETY: [TYPE] a static type, readied by its module.
            let op = unsafe { new(&raw mut $tp, Box::new(Fixed(<$digest as sha2::Digest>::new())), $name, $block) };
            begin(op, data)
        }
    };
}
algorithm!(MD5, "_md5.md5", md5, "md5", 64, md5::Md5);
algorithm!(SHA1, "_sha1.sha1", sha1, "sha1", 64, sha1::Sha1);
algorithm!(SHA224, "_sha2.SHA224Type", sha224, "sha224", 64, sha2::Sha224);
algorithm!(SHA256, "_sha2.SHA256Type", sha256, "sha256", 64, sha2::Sha256);
algorithm!(SHA384, "_sha2.SHA384Type", sha384, "sha384", 128, sha2::Sha384);
algorithm!(SHA512, "_sha2.SHA512Type", sha512, "sha512", 128, sha2::Sha512);

methods! {
    static MD5_FUNCTIONS = [
        "md5($module, /, data=b'', *, usedforsecurity=True, string=None)" => md5, "A new MD5 hash object.";
    ];
}
methods! {
    static SHA1_FUNCTIONS = [
        "sha1($module, /, data=b'', *, usedforsecurity=True, string=None)" => sha1, "A new SHA-1 hash object.";
    ];
}
methods! {
    static SHA2_FUNCTIONS = [
        "sha256($module, /, data=b'', *, usedforsecurity=True, string=None)" => sha256, "A new SHA-256 hash object.";
        "sha224($module, /, data=b'', *, usedforsecurity=True, string=None)" => sha224, "A new SHA-224 hash object.";
        "sha512($module, /, data=b'', *, usedforsecurity=True, string=None)" => sha512, "A new SHA-512 hash object.";
        "sha384($module, /, data=b'', *, usedforsecurity=True, string=None)" => sha384, "A new SHA-384 hash object.";
    ];
}

fn add(module: Borrowed<'_>, name: &core::ffi::CStr, tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: a static type.
    unsafe {
        check_status(PyType_Ready(tp))?;
        add_object(module, name, Ok(Owned::from_borrowed(tp.cast())))
    }
}
fn md5_exec(module: Borrowed<'_>) -> PyResult<()> {
    add(module, c"MD5Type", &raw mut MD5)
}
fn sha1_exec(module: Borrowed<'_>) -> PyResult<()> {
    add(module, c"SHA1Type", &raw mut SHA1)
}
fn sha2_exec(module: Borrowed<'_>) -> PyResult<()> {
    add(module, c"SHA224Type", &raw mut SHA224)?;
    add(module, c"SHA256Type", &raw mut SHA256)?;
    add(module, c"SHA384Type", &raw mut SHA384)?;
    add(module, c"SHA512Type", &raw mut SHA512)
}

module! {
    /// Entry point.
    pub fn PyInit__md5 = "_md5", "The MD5 digest.", methods: MD5_FUNCTIONS, exec: md5_exec;
}
module! {
    /// Entry point.
    pub fn PyInit__sha1 = "_sha1", "The SHA-1 digest.", methods: SHA1_FUNCTIONS, exec: sha1_exec;
}
module! {
    /// Entry point.
    pub fn PyInit__sha2 = "_sha2", "The SHA-2 digests.", methods: SHA2_FUNCTIONS, exec: sha2_exec;
}
