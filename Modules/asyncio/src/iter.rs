//! What `await` iterates over: a future is yielded until it is done.

use crate::future::{Future, Progress, alive, result};
use crate::state::of;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::methods;
use taipan_clinic::support::none;
use taipan_objects::typeobject::TYPE_INIT;

unsafe extern "C" {
    fn _PyGen_SetStopIterationValue(value: *mut PyObject) -> c_int;
}

#[repr(C)]
struct FutureIter {
    ob_base: PyObject,
    /// NULL once it is done.
    future: *mut Future,
}
type I<'a> = Borrowed<'a, FutureIter>;

/// `tp_iter` and `am_await` of futures.
pub unsafe extern "C" fn new_iter(slf: *mut PyObject) -> *mut PyObject {
    let run = || -> PyResult<Owned> {
        // SAFETY: [TYPE] the collector sees the new object when it is complete.
        unsafe {
            alive(Borrowed::from_ptr(slf.cast()))?;
            let it = Owned::from_owned_or_err(PyObject_GC_New::<FutureIter>(of(slf)?.iter))?;
            (*it.as_ptr()).future = Py_NewRef(slf).cast();
            PyObject_GC_Track(it.as_ptr().cast());
            Ok(it.into_object())
        }
    };
    run().into_c()
}

unsafe extern "C" fn send(slf: *mut PyObject, _: *mut PyObject, out: *mut *mut PyObject) -> PySendResult {
    // SAFETY: [TYPE]
    unsafe {
        *out = null_mut();
        let it = slf.cast::<FutureIter>();
        let f = (*it).future;
        if f.is_null() {
            return PySendResult::PYGEN_ERROR;
        }
        if (*f).progress == Progress::Pending {
            if !(*f).blocking {
                (*f).blocking = true;
                *out = Py_NewRef(f.cast());
                return PySendResult::PYGEN_NEXT;
            }
            PyErr_SetString(PyExc_RuntimeError, c"await wasn't used with future".as_ptr());
            return PySendResult::PYGEN_ERROR;
        }
        (*it).future = null_mut();
        let f = Owned::from_owned(f);
        match result(f.borrow()) {
            Ok(result) => {
                *out = result.into_raw();
                PySendResult::PYGEN_RETURN
            }
            Err(_) => PySendResult::PYGEN_ERROR,
        }
    }
}
unsafe extern "C" fn next(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let mut out = null_mut();
        match send(slf, Py_None(), &mut out) {
            PySendResult::PYGEN_NEXT => out,
            PySendResult::PYGEN_RETURN => {
                let value = Owned::from_owned(out);
                _PyGen_SetStopIterationValue(value.as_ptr());
                null_mut()
            }
            PySendResult::PYGEN_ERROR => null_mut(),
        }
    }
}
/// Values that are sent don't matter.
fn send_method(it: I<'_>, _: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] StopIteration, or nothing at all, may be the error.
    unsafe {
        let r = next(it.ob());
        if r.is_null() { Err(Raised::assume()) } else { Ok(Owned::from_owned(r)) }
    }
}
fn throw(it: I<'_>, typ: Borrowed<'_>, value: Option<Borrowed<'_>>, traceback: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if value.is_some() {
            let text = c"the (type, exc, tb) signature of throw() is deprecated, use the single-arg signature instead.";
            check_status(PyErr_WarnEx(PyExc_DeprecationWarning, text.as_ptr(), 1))?;
        }
        let given = |arg: Option<Borrowed<'_>>| arg.filter(|a| a.ob() != Py_None()).map_or(null_mut(), |a| Py_NewRef(a.ob()));
        let traceback = Owned::from_owned_or_opt(given(traceback));
        if traceback.as_ref().is_some_and(|tb| type_of(tb.as_ptr()) != &raw mut PyTraceBack_Type) {
            bail!(PyExc_TypeError, "throw() third argument must be a traceback");
        }
        let value = Owned::from_owned_or_opt(given(value));
        let mut tb = traceback.map_or(null_mut(), Owned::into_raw);
        let (mut tp, mut val);
        if PyExceptionClass_Check(typ.ob()) != 0 {
            (tp, val) = (Py_NewRef(typ.ob()), value.map_or(null_mut(), Owned::into_raw));
            PyErr_NormalizeException(&mut tp, &mut val, &mut tb);
        } else if PyExceptionInstance_Check(typ.ob()) != 0 {
            if value.is_some() {
                Py_XDECREF(tb);
                bail!(PyExc_TypeError, "instance exception may not have a separate value");
            }
            (tp, val) = (Py_NewRef(type_of(typ.ob()).cast()), Py_NewRef(typ.ob()));
            if tb.is_null() {
                tb = PyException_GetTraceback(val);
            }
        } else {
            Py_XDECREF(tb);
            bail!(PyExc_TypeError, "exceptions must be classes deriving BaseException or instances of such a class");
        }
        clear(it.ob());
        PyErr_Restore(tp, val, tb);
        Err(Raised::assume())
    }
}
fn close(it: I<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { clear(it.ob()) };
    Ok(none())
}

unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.cast::<FutureIter>()).future, null_mut()) };
    0
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; type_of(slf), (*slf.cast::<FutureIter>()).future);
    }
    0
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let tp = type_of(slf);
        PyObject_GC_UnTrack(slf.cast());
        clear(slf);
        PyObject_GC_Del(slf.cast());
        Py_DECREF(tp.cast());
    }
}

methods! {
    static METHODS = [
        nosig "send($self, arg, /)" => send_method, "";
        nosig "throw($self, type, value=None, traceback=None, /)" => throw, "";
        nosig "close($self, /)" => close, "";
    ];
}
static mut ASYNC: PyAsyncMethods = PyAsyncMethods {
    am_send: Some(send),
    // SAFETY: all-zero is valid: no functions.
    ..unsafe { core::mem::zeroed() }
};
/// `FutureIter`
pub static mut FUTURE_ITER: PyTypeObject = PyTypeObject {
    tp_name: c"_asyncio.FutureIter".as_ptr(),
    tp_basicsize: size_of::<FutureIter>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(next),
    tp_as_async: &raw mut ASYNC,
    tp_methods: (&raw mut METHODS).cast(),
    ..TYPE_INIT
};
