//! Being called: C functions made of Python callables.

use crate::callproc::{passing_of, swap_errno, thread_errno};
use crate::cdata::{CDataObject, free_object, is_cdata, is_simple_subclass};
use crate::simple::Access;
use crate::state::state;
use crate::stginfo::*;
use crate::sysv::{Callee, Passing, Stub};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::support::*;

/// `_ctypes.CThunkObject`: what a C function made at run time needs.
#[repr(C)]
pub struct CThunkObject {
    ob_base: PyObject,
    callable: *mut PyObject,
    /// A tuple of ctypes classes.
    converters: *mut PyObject,
    restype: *mut PyObject,
    flags: c_int,
    /// Made with the object; NULL only if that failed.
    native: *mut Native,
}

/// The part that C code reaches.
struct Native {
    owner: *mut CThunkObject,
    arguments: Vec<Passing>,
    result: Passing,
    access: Option<Access>,
    /// What the stub's data points to.
    callee: *const dyn Callee,
    stub: Option<Stub>,
}

impl Callee for Native {
    fn arguments(&self) -> &[Passing] {
        &self.arguments
    }
    fn result(&self) -> Passing {
        self.result
    }
    unsafe fn call(&self, arguments: &[*mut u8], out: *mut u8) {
        // SAFETY: the lock is taken; the caller of the function keeps the thunk, which is kept here too while it runs.
        unsafe {
            let gil = PyGILState_Ensure();
            let keep = Owned::from_borrowed(self.owner);
            run(&keep, self.access, arguments, out);
            drop(keep);
            PyGILState_Release(gil);
        }
    }
}

/// A callback's argument as an object.
unsafe fn argument(tp: *mut PyObject, address: *mut u8) -> PyResult {
    // SAFETY: [ARGS] such a value lies there.
    unsafe {
        let Some(info) = info_of(tp) else {
            PyErr_Format(PyExc_TypeError, c"cannot build parameter of type %R".as_ptr(), tp);
            return Err(Raised::assume());
        };
        if let Some(access) = info.access
            && !is_simple_subclass(tp)
        {
            return (access.get)(address, info.size);
        }
        let size = info.size as usize;
        let made = call0(tp)?;
        if !is_cdata(made.as_ptr()) {
            PyErr_Format(PyExc_TypeError, c"%R returned unexpected result of type %T".as_ptr(), tp, made.as_ptr());
            return Err(Raised::assume());
        }
        core::ptr::copy_nonoverlapping(address, (*made.as_ptr().cast::<CDataObject>()).b_ptr, size);
        Ok(made)
    }
}

unsafe fn run(thunk: &Owned<CThunkObject>, access: Option<Access>, addresses: &[*mut u8], out: *mut u8) {
    // SAFETY: [TYPE]
    unsafe {
        // The collector may have cleared a function that C still knows.
        let Some(callable) = Owned::from_borrowed_or_opt(thunk.callable) else { return };
        let mut args = Vec::with_capacity(addresses.len());
        for (i, &address) in addresses.iter().enumerate() {
            match argument(PyTuple_GetItem(thunk.converters, i as isize), address) {
                Ok(arg) => args.push(arg),
                Err(_) => {
                    let text = c"Exception ignored while creating argument %zd for ctypes callback function %R";
                    PyErr_FormatUnraisable(text.as_ptr(), i as isize, callable.as_ptr());
                    return;
                }
            }
        }
        let mut errno = None;
        if thunk.flags & (FUNCFLAG_USE_ERRNO | FUNCFLAG_USE_LASTERROR) != 0 {
            match thread_errno() {
                Ok(found) => errno = Some(found),
                Err(_) => {
                    let text = c"Exception ignored while setting error for ctypes callback function %R";
                    PyErr_FormatUnraisable(text.as_ptr(), callable.as_ptr());
                    return;
                }
            }
        }
        let swap = || {
            if let Some((_, space)) = &errno
                && thunk.flags & FUNCFLAG_USE_ERRNO != 0
            {
                swap_errno(*space);
            }
        };
        swap();
        let raw: Vec<*mut PyObject> = args.iter().map(Owned::as_ptr).collect();
        let result = call(callable.as_ptr(), &raw);
        if result.is_err() {
            PyErr_FormatUnraisable(c"Exception ignored on calling ctypes callback function %R".as_ptr(), callable.as_ptr());
        }
        swap();
        if let (Ok(result), Some(access)) = (&result, access) {
            let ignored = c"Exception ignored on converting result of ctypes callback function %R";
            match (access.set)(out, result.as_ptr(), 0) {
                Err(_) => PyErr_FormatUnraisable(ignored.as_ptr(), callable.as_ptr()),
                // The caller owns the object.
                Ok(keep) if access.code == b'O' => drop(keep.into_raw()),
                Ok(keep) if keep.as_ptr() == Py_None() => {}
                // Nobody can tell when what was returned is no longer used.
                Ok(keep) => {
                    let _ = keep.into_raw();
                    if PyErr_WarnEx(PyExc_RuntimeWarning, c"memory leak in callback function.".as_ptr(), 1) < 0 {
                        PyErr_FormatUnraisable(ignored.as_ptr(), callable.as_ptr());
                    }
                }
            }
        }
    }
}

/// A C function that calls `callable`; `argtypes` is a tuple of classes, `restype` a class, None or NULL.
///
/// # Safety
/// All are live.
pub unsafe fn new_thunk(callable: *mut PyObject, argtypes: *mut PyObject, restype: *mut PyObject, flags: c_int) -> PyResult<Owned<CThunkObject>> {
    // SAFETY: [ARGS]
    unsafe {
        let argtypes = Owned::from_owned_or_err(PySequence_Tuple(argtypes))?;
        let (result, access) = if restype == Py_None() {
            (Passing::VOID, None)
        } else {
            match if restype.is_null() { None } else { info_of(restype) } {
                Some(info) if info.access.is_some() => (info.passing, info.access),
                _ => bail!(PyExc_TypeError, "invalid result type for callback function"),
            }
        };
        let made = new::<CThunkObject>(state().thunk)?;
        let t = made.as_ptr();
        let arguments = (0..PyTuple_Size(argtypes.as_ptr())).map(|i| passing_of(PyTuple_GetItem(argtypes.as_ptr(), i))).collect();
        (*t).callable = Owned::from_borrowed(callable).into_raw();
        (*t).converters = argtypes.into_raw();
        (*t).restype = Owned::from_borrowed(restype).into_raw();
        (*t).flags = flags;
        let nobody: *const Native = core::ptr::null();
        let native = Box::into_raw(Box::new(Native { owner: t, arguments, result, access, callee: nobody, stub: None }));
        (*t).native = native;
        (*native).callee = native;
        (*native).stub = Stub::new(&raw const (*native).callee);
        if (*native).stub.is_none() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        Ok(made)
    }
}

/// The C function's address.
pub fn code(thunk: &Owned<CThunkObject>) -> *mut c_void {
    // SAFETY: [TYPE] made with the object.
    unsafe { (*thunk.native).stub.as_ref().map_or(null_mut(), Stub::code) }
}

unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.cast::<CThunkObject>();
        for p in [&mut (*t).converters, &mut (*t).callable, &mut (*t).restype] {
            Py_XDECREF(core::mem::replace(p, null_mut()));
        }
    }
    0
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.cast::<CThunkObject>();
        for p in [type_of(slf).cast(), (*t).converters, (*t).callable, (*t).restype] {
            let r = visit::<PyObject>(p, visitor, arg);
            if r != 0 {
                return r;
            }
        }
    }
    0
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let native = core::mem::replace(&mut (*slf.cast::<CThunkObject>()).native, null_mut());
        clear(slf);
        if !native.is_null() {
            drop(Box::from_raw(native));
        }
        free_object(slf);
    }
}

/// The slots of `CThunkObject`.
pub fn slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_doc, c"A C function made of a Python callable.".as_ptr() as *mut c_void),
        (Py_tp_dealloc, dealloc as *mut c_void),
        (Py_tp_traverse, traverse as *mut c_void),
        (Py_tp_clear, clear as *mut c_void),
    ])
}
