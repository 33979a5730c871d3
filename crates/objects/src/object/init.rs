//! The built-in types of this crate, in the order in which they are made ready.

use crate::typeobject::init_builtin_type;
use taipan_abi::*;

/// A list of static types.
pub struct TypeList(&'static [*mut PyTypeObject]);
// SAFETY: addresses of statics; what they point to is guarded by the GIL.
unsafe impl Sync for TypeList {}

unsafe extern "C" {
    static mut _PyBufferWrapper_Type: PyTypeObject;
    static mut _PyMethodWrapper_Type: PyTypeObject;
    static mut PyInstanceMethod_Type: PyTypeObject;
}

/// The static types that `init_types` makes ready, bases before derived types. Other crates' types and those that are
/// initialised elsewhere (exceptions) are not here.
pub static STATIC_TYPES: TypeList = TypeList(&[
    &raw mut PyBaseObject_Type,
    &raw mut PyType_Type,
    // types, descriptors, functions
    &raw mut PyMethodDescr_Type,
    &raw mut PyClassMethodDescr_Type,
    &raw mut PyMemberDescr_Type,
    &raw mut PyGetSetDescr_Type,
    &raw mut PyWrapperDescr_Type,
    &raw mut _PyMethodWrapper_Type,
    &raw mut PyDictProxy_Type,
    &raw mut PyProperty_Type,
    &raw mut PySuper_Type,
    &raw mut PyCFunction_Type,
    &raw mut PyCMethod_Type,
    &raw mut PyFunction_Type,
    &raw mut PyMethod_Type,
    &raw mut PyInstanceMethod_Type,
    &raw mut PyClassMethod_Type,
    &raw mut PyStaticMethod_Type,
    &raw mut PyCell_Type,
    &raw mut PyCapsule_Type,
    &raw mut _PyNamespace_Type,
    &raw mut PyModule_Type,
    &raw mut PyModuleDef_Type,
    &raw mut _PyBufferWrapper_Type,
    &raw mut crate::genericaliasobject::Py_GenericAliasType,
    &raw mut crate::genericaliasobject::_Py_GenericAliasIterType,
    &raw mut crate::unionobject::_PyUnion_Type,
    &raw mut crate::typevarobject::_PyTypeAlias_Type,
    &raw mut crate::typevarobject::_PyNoDefault_Type,
    &raw mut _PyNone_Type,
    &raw mut _PyNotImplemented_Type,
    // numbers and sequences
    &raw mut PyLong_Type,
    &raw mut PyBool_Type,
    &raw mut PyFloat_Type,
    &raw mut PyComplex_Type,
    &raw mut PyTuple_Type,
    &raw mut PyTupleIter_Type,
    &raw mut PyList_Type,
    &raw mut PyListIter_Type,
    &raw mut PyListRevIter_Type,
    &raw mut PySlice_Type,
    &raw mut PyEllipsis_Type,
    &raw mut PyRange_Type,
    &raw mut PyRangeIter_Type,
    &raw mut PyLongRangeIter_Type,
    // text and bytes
    &raw mut crate::unicodeobject::PyUnicode_Type,
    &raw mut crate::unicodeobject::PyUnicodeIter_Type,
    &raw mut crate::unicodeobject::_PyUnicodeASCIIIter_Type,
    &raw mut crate::unicodeobject::format::PyFormatterIter_Type,
    &raw mut crate::unicodeobject::format::PyFieldNameIter_Type,
    &raw mut crate::unicode_codecs::charmap::EncodingMapType,
    &raw mut crate::bytesobject::PyBytes_Type,
    &raw mut crate::bytesobject::PyBytesIter_Type,
    &raw mut crate::bytearrayobject::PyByteArray_Type,
    &raw mut crate::bytearrayobject::PyByteArrayIter_Type,
    // dicts, sets, views
    &raw mut crate::dictobject::PyDict_Type,
    &raw mut crate::dictobject::PyDictKeys_Type,
    &raw mut crate::dictobject::PyDictItems_Type,
    &raw mut crate::dictobject::PyDictValues_Type,
    &raw mut crate::dictobject::PyDictIterKey_Type,
    &raw mut crate::dictobject::PyDictIterValue_Type,
    &raw mut crate::dictobject::PyDictIterItem_Type,
    &raw mut crate::dictobject::PyDictRevIterKey_Type,
    &raw mut crate::dictobject::PyDictRevIterValue_Type,
    &raw mut crate::dictobject::PyDictRevIterItem_Type,
    &raw mut crate::odictobject::PyODict_Type,
    &raw mut crate::odictobject::PyODictKeys_Type,
    &raw mut crate::odictobject::PyODictItems_Type,
    &raw mut crate::odictobject::PyODictValues_Type,
    &raw mut crate::odictobject::PyODictIter_Type,
    &raw mut crate::setobject::PySet_Type,
    &raw mut crate::setobject::PyFrozenSet_Type,
    &raw mut crate::setobject::PySetIter_Type,
    &raw mut crate::setobject::_PySetDummy_Type,
    // weak references, iterators, buffers
    &raw mut crate::weakrefobject::_PyWeakref_RefType,
    &raw mut crate::weakrefobject::_PyWeakref_ProxyType,
    &raw mut crate::weakrefobject::_PyWeakref_CallableProxyType,
    &raw mut crate::iterobject::PySeqIter_Type,
    &raw mut crate::iterobject::PyCallIter_Type,
    &raw mut crate::iterobject::_PyAnextAwaitable_Type,
    &raw mut crate::enumobject::PyEnum_Type,
    &raw mut crate::enumobject::PyReversed_Type,
    &raw mut crate::memoryobject::_PyManagedBuffer_Type,
    &raw mut crate::memoryobject::PyMemoryView_Type,
    &raw mut crate::memoryobject::_PyMemoryIter_Type,
    &raw mut crate::picklebufobject::PyPickleBuffer_Type,
]);

/// Makes one static type ready.
///
/// # Safety
/// [GIL] `tp` is a static type whose bases are ready.
pub unsafe fn init_static_type(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { init_builtin_type(tp) }
}

/// Makes all types of [`STATIC_TYPES`] ready.
///
/// # Safety
/// [GIL] called once, before any other object is used.
pub unsafe fn init_types() -> PyResult<()> {
    for &tp in STATIC_TYPES.0 {
        // SAFETY: [ARGS]
        unsafe { init_builtin_type(tp)? };
    }
    // SAFETY: [GIL] all static types are ready.
    unsafe { crate::typevarobject::init_generic_types() }
}
