//! The module's types and objects, made when it is first imported.

use core::ptr::null_mut;
use taipan_abi::*;

/// What the module consists of. One set serves the process: the types are immutable.
pub struct State {
    /// `CType_Type`, the base of the metaclasses.
    pub ctype_type: *mut PyTypeObject,
    /// Metaclass of structures.
    pub struct_meta: *mut PyTypeObject,
    /// Metaclass of unions.
    pub union_meta: *mut PyTypeObject,
    /// Metaclass of pointers.
    pub pointer_meta: *mut PyTypeObject,
    /// Metaclass of arrays.
    pub array_meta: *mut PyTypeObject,
    /// Metaclass of simple types.
    pub simple_meta: *mut PyTypeObject,
    /// Metaclass of function pointers.
    pub funcptr_meta: *mut PyTypeObject,
    /// `_CData`.
    pub cdata: *mut PyTypeObject,
    /// `Structure`.
    pub structure: *mut PyTypeObject,
    /// `Union`.
    pub union: *mut PyTypeObject,
    /// `_Pointer`.
    pub pointer: *mut PyTypeObject,
    /// `Array`.
    pub array: *mut PyTypeObject,
    /// `_SimpleCData`.
    pub simple: *mut PyTypeObject,
    /// `CFuncPtr`.
    pub funcptr: *mut PyTypeObject,
    /// `CField`.
    pub cfield: *mut PyTypeObject,
    /// `CArgObject`.
    pub carg: *mut PyTypeObject,
    /// `CThunkObject`.
    pub thunk: *mut PyTypeObject,
    /// Removes entries of dead types from `array_cache`.
    pub dict_remover: *mut PyTypeObject,
    /// `ArgumentError`.
    pub argument_error: *mut PyObject,
    /// `_pointer_type_cache`: the type that points to a type.
    pub pointer_cache: *mut PyObject,
    /// The array type of an item type and a length.
    pub array_cache: *mut PyObject,
    /// `_unpickle`.
    pub unpickle: *mut PyObject,
}

static mut STATE: State = State {
    ctype_type: null_mut(),
    struct_meta: null_mut(),
    union_meta: null_mut(),
    pointer_meta: null_mut(),
    array_meta: null_mut(),
    simple_meta: null_mut(),
    funcptr_meta: null_mut(),
    cdata: null_mut(),
    structure: null_mut(),
    union: null_mut(),
    pointer: null_mut(),
    array: null_mut(),
    simple: null_mut(),
    funcptr: null_mut(),
    cfield: null_mut(),
    carg: null_mut(),
    thunk: null_mut(),
    dict_remover: null_mut(),
    argument_error: null_mut(),
    pointer_cache: null_mut(),
    array_cache: null_mut(),
    unpickle: null_mut(),
};

/// The state; its pointers are set while the module is initialised.
#[inline(always)]
pub fn state() -> &'static State {
    // SAFETY: [STATIC] written only by the module's initialisation.
    unsafe { &*(&raw const STATE) }
}

/// The state, to be filled by the module's initialisation.
///
/// # Safety
/// Nobody else uses the state meanwhile.
#[allow(clippy::mut_from_ref, reason = "[STATIC]")]
pub unsafe fn state_to_fill() -> &'static mut State {
    // SAFETY: [STATIC] by contract.
    unsafe { &mut *(&raw mut STATE) }
}

/// Whether `op` is an instance of `tp`.
#[inline]
pub fn is_a(op: *mut PyObject, tp: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS] objects that callers hold.
    unsafe { is_instance_of(op, tp) }
}

/// The optional attribute `name` of `op`.
///
/// # Safety
/// Both are live.
pub unsafe fn optional_attr(op: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    let mut found = null_mut();
    // SAFETY: [ARGS]
    unsafe {
        check_status(PyObject_GetOptionalAttr(op, name, &mut found))?;
        Ok(Owned::from_owned_or_opt(found))
    }
}

/// The item `key` of a dict, if it is there.
///
/// # Safety
/// Both are live; `dict` is a dict.
pub unsafe fn dict_item(dict: *mut PyObject, key: *mut PyObject) -> PyResult<Option<Owned>> {
    let mut found = null_mut();
    // SAFETY: [ARGS]
    unsafe {
        check_status(PyDict_GetItemRef(dict, key, &mut found))?;
        Ok(Owned::from_owned_or_opt(found))
    }
}

/// The name of a class, for messages.
pub fn class_name<'a>(tp: *mut PyObject) -> std::borrow::Cow<'a, str> {
    // SAFETY: [TYPE] callers pass classes.
    unsafe { core::ffi::CStr::from_ptr((*tp.cast::<PyTypeObject>()).tp_name).to_string_lossy() }
}

/// The name of an object's class, for messages.
pub fn class_name_of<'a>(op: *mut PyObject) -> std::borrow::Cow<'a, str> {
    // SAFETY: [ARGS] live.
    unsafe { class_name(type_of(op).cast()) }
}

/// Type code of a member that reads as None where it is NULL.
pub const T_OBJECT: core::ffi::c_int = 6;
