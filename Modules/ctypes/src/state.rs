//! The module's types and objects, made when an interpreter first imports it; each interpreter has its own.

use core::ptr::null_mut;
use taipan_abi::*;

/// What the module consists of. Owns its references.
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

impl State {
    const EMPTY: Self = State {
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

    /// All references.
    fn references(&self) -> Vec<*mut PyObject> {
        vec![
            self.ctype_type.cast(),
            self.struct_meta.cast(),
            self.union_meta.cast(),
            self.pointer_meta.cast(),
            self.array_meta.cast(),
            self.simple_meta.cast(),
            self.funcptr_meta.cast(),
            self.cdata.cast(),
            self.structure.cast(),
            self.union.cast(),
            self.pointer.cast(),
            self.array.cast(),
            self.simple.cast(),
            self.funcptr.cast(),
            self.cfield.cast(),
            self.carg.cast(),
            self.thunk.cast(),
            self.dict_remover.cast(),
            self.argument_error,
            self.pointer_cache,
            self.array_cache,
            self.unpickle,
        ]
    }
}

/// A capsule with the interpreter's state.
static LOCAL: PerInterpreter = PerInterpreter::new();

/// The interpreter asked last, and its state.
static mut LAST: (*mut PyInterpreterState, *const State) = (null_mut(), core::ptr::null());

const NAME: &core::ffi::CStr = c"_ctypes state";

/// The running interpreter's state; all NULL before the module is initialised.
#[inline(always)]
pub fn state() -> &'static State {
    // SAFETY: [GIL] [STATIC] a state lives as long as its interpreter can run code.
    unsafe {
        let interpreter = (*current_tstate()).interp;
        let last = *(&raw const LAST);
        if last.0 == interpreter { &*last.1 } else { find_state(interpreter) }
    }
}

#[cold]
fn find_state(interpreter: *mut PyInterpreterState) -> &'static State {
    static EMPTY: SyncState = SyncState(State::EMPTY);
    // SAFETY: [GIL] [STATIC]
    unsafe {
        let capsule = LOCAL.get();
        if capsule.is_null() {
            return &EMPTY.0;
        }
        let state: *const State = PyCapsule_GetPointer(capsule, NAME.as_ptr()).cast();
        *(&raw mut LAST) = (interpreter, state);
        &*state
    }
}

/// A state of NULLs.
struct SyncState(State);
// SAFETY: nothing in it can be reached.
unsafe impl Sync for SyncState {}

unsafe extern "C" fn free_state(capsule: *mut PyObject) {
    // SAFETY: [OWN] the interpreter ends; the state was made by `new_state`.
    unsafe {
        let state: *mut State = PyCapsule_GetPointer(capsule, NAME.as_ptr()).cast();
        if (*(&raw const LAST)).1 == state.cast_const() {
            *(&raw mut LAST) = (null_mut(), core::ptr::null());
        }
        let references = (*state).references();
        drop(Box::from_raw(state));
        for p in references {
            Py_XDECREF(p);
        }
    }
}

/// An empty state for the running interpreter, to be filled by the module's initialisation.
pub fn new_state() -> PyResult<*mut State> {
    // SAFETY: [GIL]
    unsafe {
        let state = Box::into_raw(Box::new(State::EMPTY));
        let capsule = PyCapsule_New(state.cast(), NAME.as_ptr(), Some(free_state));
        if capsule.is_null() {
            drop(Box::from_raw(state));
        }
        LOCAL.set(Some(Owned::from_owned_or_err(capsule)?));
        Ok(state)
    }
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
