//! What the three modules share: data that travels, interpreters, items whose interpreter has ended.

use core::ffi::{CStr, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::module::add_object;

/// `_PyCrossInterpreterData`.
#[repr(C)]
pub struct CrossData {
    /// What is passed.
    pub data: *mut c_void,
    /// The object it was made of.
    pub obj: *mut PyObject,
    /// The interpreter it was made in.
    pub interpid: i64,
    /// Makes an object of it.
    pub new_object: Option<NewObject>,
    /// Releases `data`.
    pub free: Option<unsafe extern "C" fn(*mut c_void)>,
}
/// Makes an object of the data in the running interpreter.
pub type NewObject = unsafe extern "C" fn(*mut CrossData) -> *mut PyObject;
/// Writes what an object stands for into the data.
pub type GetData = unsafe extern "C" fn(*mut PyThreadState, *mut PyObject, *mut CrossData) -> c_int;

#[allow(missing_docs, reason = "documented where they are defined")]
unsafe extern "C" {
    // python: crossinterp
    pub fn _PyCrossInterpreterData_New() -> *mut CrossData;
    pub fn _PyCrossInterpreterData_NewObject(data: *mut CrossData) -> *mut PyObject;
    pub fn _PyCrossInterpreterData_ReleaseAndRawFree(data: *mut CrossData) -> c_int;
    pub fn _PyCrossInterpreterData_RegisterClass(class: *mut PyTypeObject, getdata: Option<GetData>) -> c_int;
    pub fn _PyCrossInterpreterData_UnregisterClass(class: *mut PyTypeObject) -> c_int;
    pub fn _PyCrossInterpreterData_Init(data: *mut CrossData, interp: *mut PyInterpreterState, shared: *mut c_void, obj: *mut PyObject, new_object: Option<NewObject>);
    pub fn _PyObject_GetCrossInterpreterData(op: *mut PyObject, data: *mut CrossData) -> c_int;
    // python: pystate
    pub fn PyInterpreterState_Head() -> *mut PyInterpreterState;
    pub fn PyInterpreterState_Next(interp: *mut PyInterpreterState) -> *mut PyInterpreterState;
    pub fn PyInterpreterState_Main() -> *mut PyInterpreterState;
    pub fn PyInterpreterState_GetID(interp: *mut PyInterpreterState) -> i64;
    pub fn _PyInterpreterState_LookUpID(id: i64) -> *mut PyInterpreterState;
    pub fn _PyInterpreterState_GetIDObject(interp: *mut PyInterpreterState) -> *mut PyObject;
    /// `atexit`; calls the function when the interpreter has run its last Python code.
    fn PyUnstable_AtExit(interp: *mut PyInterpreterState, func: unsafe extern "C" fn(*mut c_void), data: *mut c_void) -> c_int;
}

/// What becomes of an item whose interpreter ends: it goes.
pub const UNBOUND_REMOVE: i32 = 1;
/// Taking it raises.
pub const UNBOUND_ERROR: i32 = 2;
/// Taking it gives a marker.
pub const UNBOUND_REPLACE: i32 = 3;

/// ValueError for what is none of the above.
pub fn check_unbound(op: i32) -> PyResult<()> {
    if !(UNBOUND_REMOVE..=UNBOUND_REPLACE).contains(&op) {
        bail!(PyExc_ValueError, "unsupported unboundop {op}");
    }
    Ok(())
}

/// The running interpreter.
pub fn current() -> *mut PyInterpreterState {
    // SAFETY: [GIL]
    unsafe { (*current_tstate()).interp }
}

/// The number of the running interpreter.
pub fn current_id() -> i64 {
    // SAFETY: [GIL]
    unsafe { PyInterpreterState_GetID(current()) }
}

/// Has `func` called when the running interpreter ends.
pub fn at_exit(func: unsafe extern "C" fn(*mut c_void)) -> PyResult<()> {
    // SAFETY: [GIL]
    check_status(unsafe { PyUnstable_AtExit(current(), func, null_mut()) })
}

/// An object's data on its way, owned.
pub struct Parcel(pub *mut CrossData);

impl Parcel {
    /// Of an object; NotShareableError if it can't travel.
    ///
    /// # Safety
    /// `op` is live.
    pub unsafe fn of(op: *mut PyObject) -> PyResult<Parcel> {
        // SAFETY: [ARGS]
        unsafe {
            let data = _PyCrossInterpreterData_New();
            if data.is_null() {
                return Err(Raised::assume());
            }
            if _PyObject_GetCrossInterpreterData(op, data) != 0 {
                PyMem_RawFree(data.cast());
                return Err(Raised::assume());
            }
            Ok(Parcel(data))
        }
    }

    /// The object for the running interpreter.
    pub fn open(self) -> PyResult<Owned> {
        // SAFETY: [GIL] the data is released once.
        unsafe {
            let op = Owned::from_owned_or_err(_PyCrossInterpreterData_NewObject(self.0))?;
            let data = self.0;
            core::mem::forget(self);
            // An exception tells that the interpreter that it came from has ended.
            check_status(_PyCrossInterpreterData_ReleaseAndRawFree(data))?;
            Ok(op)
        }
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        // SAFETY: [OWN] an exception that is set stays.
        unsafe {
            let exc = PyErr_GetRaisedException();
            if _PyCrossInterpreterData_ReleaseAndRawFree(self.0) < 0 {
                PyErr_Clear();
            }
            PyErr_SetRaisedException(exc);
        }
    }
}

/// Makes an exception class, adds it to the module and remembers it for the interpreter.
pub fn add_exception(module: Borrowed<'_>, cell: &PerInterpreter, full_name: &CStr, name: &CStr, base: *mut PyObject) -> PyResult<()> {
    // SAFETY: [GIL]
    let class = unsafe { Owned::from_owned_or_err(PyErr_NewException(full_name.as_ptr(), base, null_mut()))? };
    cell.set(Some(class.clone()));
    add_object(module, name, Ok(class))
}

/// Raises an exception of a class kept for the interpreter.
pub fn raise_of(class: &PerInterpreter, text: &str) -> Raised {
    // SAFETY: [GIL] made with the module.
    unsafe { taipan_abi::error::raise_str(class.get(), text) }
}
