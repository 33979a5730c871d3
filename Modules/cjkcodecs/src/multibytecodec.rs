//! The module `_multibytecodec`: `MultibyteCodec`, which encodes and decodes in one go.

use crate::codec::Codec;
use crate::incremental::{DECODER, ENCODER};
use crate::run::{Decoding, Errors, encode, str_of, text};
use crate::stream::{READER, WRITER};
use core::ffi::{CStr, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::module::heap_type;
use taipan_clinic::support::{int, tuple};
use taipan_clinic::{BufferView, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

/// Name of the capsules in which the modules of codecs hand them over.
pub const CAPSULE: &CStr = c"multibytecodec.codec";

/// Types that exist once the module has been executed.
pub struct Types {
    /// `MultibyteCodec`.
    pub codec: *mut PyTypeObject,
    /// `MultibyteIncrementalEncoder`.
    pub encoder: *mut PyTypeObject,
    /// `MultibyteIncrementalDecoder`.
    pub decoder: *mut PyTypeObject,
    /// `MultibyteStreamReader`.
    pub reader: *mut PyTypeObject,
    /// `MultibyteStreamWriter`.
    pub writer: *mut PyTypeObject,
}
static mut TYPES: Types = Types { codec: null_mut(), encoder: null_mut(), decoder: null_mut(), reader: null_mut(), writer: null_mut() };

/// A codec as a Python object.
#[repr(C)]
pub struct MultibyteCodec {
    ob_base: PyObject,
    codec: Option<&'static dyn Codec>,
}
type C<'a> = Borrowed<'a, MultibyteCodec>;

fn codec(slf: C<'_>) -> PyResult<&'static dyn Codec> {
    match slf.codec {
        Some(c) => Ok(c),
        None => bail!(PyExc_SystemError, "codec without implementation"),
    }
}

/// The codec that a class has in its attribute `codec`.
///
/// # Safety
/// `tp` is live.
pub unsafe fn codec_of(tp: Borrowed<'_, PyTypeObject>) -> PyResult<&'static dyn Codec> {
    // SAFETY: [TYPE] checked.
    unsafe {
        let op = Owned::from_owned_or_err(PyObject_GetAttrString(tp.ob(), c"codec".as_ptr()))?;
        if type_of(op.as_ptr()) != TYPES.codec {
            bail!(PyExc_TypeError, "codec is unexpected type");
        }
        codec(op.borrow().cast())
    }
}

fn encode_method(slf: C<'_>, input: Borrowed<'_>, errors: Option<&str>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let codec = codec(slf)?;
        let input = str_of(input)?;
        let errors = Errors::of(errors)?;
        let mut state = [0; 8];
        codec.start_encoder(&mut state);
        let len = PyUnicode_GET_LENGTH(input.as_ptr());
        let made = encode(codec, &mut state, input.as_ptr(), errors, true, true);
        errors.release();
        tuple(vec![made?.0, int(len as i64)?])
    }
}

fn decode_method(slf: C<'_>, input: BufferView, errors: Option<&str>) -> PyResult<Owned> {
    // SAFETY: [ARGS] the view keeps the bytes.
    unsafe {
        let codec = codec(slf)?;
        let errors = Errors::of(errors)?;
        let mut state = [0; 8];
        codec.start_decoder(&mut state);
        let mut d = Decoding::new(codec, errors);
        let done = d.feed(&mut state, input.as_bytes(), true);
        errors.release();
        done?;
        tuple(vec![text(&d.out)?, int(input.as_bytes().len() as i64)?])
    }
}

/// Visits the type alone, for objects whose other references can't be in cycles.
pub unsafe extern "C" fn traverse_type(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; type_of(slf));
    }
    0
}
/// Frees an instance of a heap type, and releases the type.
///
/// # Safety
/// `slf` is being deallocated and owns nothing any more.
pub unsafe fn free_instance(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let tp = type_of(slf);
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
        Py_DECREF(tp.cast());
    }
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        free_instance(slf);
    }
}

methods! {
    static CODEC_METHODS = [
        "encode($self, /, input, errors=None)" => encode_method, "The bytes of a str, and its length.";
        "decode($self, /, input, errors=None)" => decode_method, "The str of bytes, and their number.";
    ];
}
static mut CODEC: PyTypeObject = PyTypeObject {
    tp_name: c"_multibytecodec.MultibyteCodec".as_ptr(),
    tp_basicsize: size_of::<MultibyteCodec>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    tp_traverse: Some(traverse_type),
    tp_methods: (&raw mut CODEC_METHODS).cast(),
    ..TYPE_INIT
};

fn create_codec(_: (), arg: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] such capsules hold a reference to a static.
    unsafe {
        if PyCapsule_IsValid(arg.ob(), CAPSULE.as_ptr()) == 0 {
            bail!(PyExc_ValueError, "argument type invalid");
        }
        let codec = PyCapsule_GetPointer(arg.ob(), CAPSULE.as_ptr()).cast::<&'static dyn Codec>();
        let c = Owned::from_owned_or_err(PyType_GenericAlloc(TYPES.codec, 0))?.cast::<MultibyteCodec>();
        (*c.as_ptr()).codec = Some(*codec);
        Ok(c.into_object())
    }
}

/// The object of one of a module's codecs, by its name.
///
/// # Safety
/// [GIL]
pub unsafe fn getcodec(codecs: &'static [&'static dyn Codec], encoding: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(encoding.ob()) == 0 {
            bail!(PyExc_TypeError, "encoding name must be a string.");
        }
        let name = PyUnicode_AsUTF8(encoding.ob());
        if name.is_null() {
            return Err(Raised::assume());
        }
        let Some(codec) = codecs.iter().find(|c| c.name() == CStr::from_ptr(name)) else {
            bail!(PyExc_LookupError, "no such codec is supported.");
        };
        let capsule = Owned::from_owned_or_err(PyCapsule_New((&raw const *codec).cast_mut().cast(), CAPSULE.as_ptr(), None))?;
        let module = Owned::from_owned_or_err(PyImport_ImportModule(c"_multibytecodec".as_ptr()))?;
        let create = Owned::from_owned_or_err(PyObject_GetAttrString(module.as_ptr(), c"__create_codec".as_ptr()))?;
        Owned::from_owned_or_err(PyObject_CallOneArg(create.as_ptr(), capsule.as_ptr()))
    }
}

methods! { static METHODS = [ "__create_codec($module, arg, /)" => create_codec, "The codec of a capsule."; ]; }

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC]
    unsafe {
        let t = &raw mut TYPES;
        if (*t).writer.is_null() {
            (*t).codec = heap_type(module, &raw mut CODEC)?;
            (*t).encoder = heap_type(module, &raw mut ENCODER)?;
            (*t).decoder = heap_type(module, &raw mut DECODER)?;
            (*t).reader = heap_type(module, &raw mut READER)?;
            (*t).writer = heap_type(module, &raw mut WRITER)?;
        }
        for tp in [(*t).encoder, (*t).decoder, (*t).reader, (*t).writer] {
            check_status(PyModule_AddType(module.ob(), tp))?;
        }
    }
    Ok(())
}

module! {
    /// Entry point.
    pub fn PyInit__multibytecodec = "_multibytecodec", "Codecs of several bytes a character.", methods: METHODS, exec: exec;
}
