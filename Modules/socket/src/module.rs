//! The module `_socket` itself.

use crate::constants::CONSTANTS;
use crate::netdb::{GAIERROR, HERROR, METHODS};
use crate::sock::make_type;
use taipan_clinic::support::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::module;
use taipan_clinic::module::{add_int, add_object, add_str};

/// What other extension modules get through the capsule `_socket.CAPI` (`PySocketModule_APIObject`).
#[repr(C)]
struct Api {
    sock_type: *mut PyTypeObject,
    error: *mut PyObject,
    timeout_error: *mut PyObject,
}
static mut API: Api = Api { sock_type: null_mut(), error: null_mut(), timeout_error: null_mut() };

unsafe extern "C" {
    fn _PyCapsule_SetTraverse(op: *mut PyObject, traverse: traverseproc, clear: inquiry) -> c_int;
}

/// The record is static and counts nothing: there is nothing to visit.
unsafe extern "C" fn api_traverse(_: *mut PyObject, _: visitproc, _: *mut c_void) -> c_int {
    0
}
unsafe extern "C" fn api_clear(_: *mut PyObject) -> c_int {
    0
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] static types and records.
    unsafe {
        let os_error = PyExc_OSError;
        let herror = Owned::from_owned_or_err(PyErr_NewException(c"socket.herror".as_ptr(), os_error, null_mut()))?;
        let gaierror = Owned::from_owned_or_err(PyErr_NewException(c"socket.gaierror".as_ptr(), os_error, null_mut()))?;
        HERROR.set(Some(herror.clone()));
        GAIERROR.set(Some(gaierror.clone()));
        add_object(module, c"herror", Ok(herror))?;
        add_object(module, c"gaierror", Ok(gaierror))?;
        add_object(module, c"error", Ok(Owned::from_borrowed(os_error)))?;
        add_object(module, c"timeout", Ok(Owned::from_borrowed(PyExc_TimeoutError)))?;
        let socket = make_type(module)?;
        API.sock_type = socket.as_ptr().cast();
        add_object(module, c"socket", Ok(socket.clone()))?;
        add_object(module, c"SocketType", Ok(socket))?;
        add_object(module, c"has_ipv6", Ok(boolean(true)))?;
        API.error = os_error;
        API.timeout_error = PyExc_TimeoutError;
        let capsule = Owned::from_owned_or_err(PyCapsule_New((&raw mut API).cast(), c"_socket.CAPI".as_ptr(), None))?;
        check_status(_PyCapsule_SetTraverse(capsule.as_ptr(), api_traverse, api_clear))?;
        add_object(module, c"CAPI", Ok(capsule))?;
    }
    add_str(module, c"BDADDR_ANY", "00:00:00:00:00:00")?;
    add_str(module, c"BDADDR_LOCAL", "00:00:00:FF:FF:FF")?;
    for &(name, value) in CONSTANTS {
        add_int(module, name, value)?;
    }
    Ok(())
}

module! {
    /// Entry point.
    pub fn PyInit__socket = "_socket", "Sockets, at their lowest level. See socket.", methods: METHODS, exec: exec;
}
