//! The built-in types, one file each under CPython's file names, with the allocator and the cycle collector.
//!
//! Must not know: bytecode, frames, the parser. Where it must call up it goes through a type's slot or a C symbol that
//! `taipan-abi` declares.

#![allow(clippy::missing_safety_doc, reason = "exported C functions follow the contract of CPython's C API manual")]

pub mod abstract_;
pub mod boolobject;
pub mod bytearrayobject;
pub mod bytes_methods;
pub mod bytesobject;
pub mod call;
pub mod capsule;
pub mod cellobject;
pub mod classobject;
pub mod complexobject;
pub mod descrobject;
pub mod dictobject;
pub mod enumobject;
pub mod exceptions;
pub mod floatobject;
pub mod formatter_unicode;
pub mod freelist;
pub mod funcobject;
pub mod gc;
pub mod genericaliasobject;
pub mod iterobject;
pub mod listobject;
pub mod listsort;
pub mod longobject;
pub mod memoryobject;
pub mod methodobject;
pub mod moduleobject;
pub mod namespaceobject;
pub mod object;
pub mod obmalloc;
pub mod odictobject;
pub mod picklebufobject;
pub mod pyhash;
pub mod pystrtod;
pub mod rangeobject;
pub mod runtime;
pub mod setobject;
pub mod sliceobject;
pub mod stringlib;
pub mod structmember;
pub mod structseq;
pub mod superobject;
pub mod tupleobject;
pub mod typeobject;
pub mod typevarobject;
pub mod unicode_codecs;
pub mod unicodectype;
pub mod unicodeobject;
pub mod unionobject;
pub mod weakrefobject;
