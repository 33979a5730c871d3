//! `_thread._local`: attributes that each thread has its own of.
//!
//! A local object maps each thread's key object to a dict. Both the key and a sentinel live in the thread state; when the
//! thread ends, the sentinel dies and a weak reference's callback drops the dict. Nothing refers from a thread state to
//! what users store, so cycles can be collected.

use crate::support::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_objects::typeobject::TYPE_INIT;

/// A key or sentinel.
#[repr(C)]
struct LocalDummy {
    ob_base: PyObject,
    weakreflist: *mut PyObject,
}

unsafe extern "C" fn dummy_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        if !(*op.cast::<LocalDummy>()).weakreflist.is_null() {
            PyObject_ClearWeakRefs(op);
        }
        PyObject_Free(op.cast());
    }
}

/// Type of keys and sentinels.
pub static mut LOCAL_DUMMY: PyTypeObject = PyTypeObject {
    tp_name: c"_thread._localdummy".as_ptr(),
    tp_basicsize: size_of::<LocalDummy>() as Py_ssize_t,
    tp_dealloc: Some(dummy_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_doc: c"Thread-local dummy".as_ptr(),
    tp_weaklistoffset: core::mem::offset_of!(LocalDummy, weakreflist) as Py_ssize_t,
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

/// `_thread._local`.
#[repr(C)]
pub struct Local {
    ob_base: PyObject,
    args: *mut PyObject,
    kw: *mut PyObject,
    weakreflist: *mut PyObject,
    /// Key to dict.
    localdicts: *mut PyObject,
    /// Weak references to the sentinels of the threads that have a dict.
    thread_watchdogs: *mut PyObject,
}

/// Callback of a sentinel's weak reference; `data` is (weak reference to the local object, key).
unsafe extern "C" fn clear_locals(data: *mut PyObject, watchdog: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] data is our tuple.
    unsafe {
        let mut obj = null_mut();
        if PyWeakref_GetRef(PyTuple_GetItem(data, 0), &mut obj) < 0 {
            return null_mut();
        }
        let Some(local) = Owned::from_owned_or_opt(obj) else { return Py_None() };
        let l = local.as_ptr().cast::<Local>();
        if !(*l).localdicts.is_null() {
            let mut old = null_mut();
            if PyDict_Pop((*l).localdicts, PyTuple_GetItem(data, 1), &mut old) < 0 {
                PyErr_WriteUnraisable(local.as_ptr());
            }
            drop(Owned::from_owned_or_opt(old));
        }
        if !(*l).thread_watchdogs.is_null() && PySet_Discard((*l).thread_watchdogs, watchdog) < 0 {
            PyErr_WriteUnraisable(local.as_ptr());
        }
        Py_None()
    }
}
static mut CLEAR_LOCALS: PyMethodDef = PyMethodDef {
    ml_name: c"clear_locals".as_ptr(),
    ml_meth: PyMethodDefPointer { PyCFunction: clear_locals },
    ml_flags: METH_O,
    ml_doc: core::ptr::null(),
};

/// The running thread's key, made on first use together with its sentinel.
unsafe fn thread_key() -> PyResult<*mut PyObject> {
    // SAFETY: [GIL]
    unsafe {
        let ts = current_tstate();
        if (*ts).threading_local_key.is_null() {
            let key = own(PyType_GenericAlloc(&raw mut LOCAL_DUMMY, 0))?;
            let sentinel = own(PyType_GenericAlloc(&raw mut LOCAL_DUMMY, 0))?;
            (*ts).threading_local_key = key.into_raw();
            (*ts).threading_local_sentinel = sentinel.into_raw();
        }
        Ok((*ts).threading_local_key)
    }
}

/// Makes the running thread's dict and the weak reference that will drop it.
unsafe fn create_localsdict(l: *mut Local) -> PyResult<(Owned, Owned)> {
    // SAFETY: [TYPE]
    unsafe {
        let key = thread_key()?;
        let dict = own(PyDict_New())?;
        check_status(PyDict_SetItem((*l).localdicts, key, dict.as_ptr()))?;
        let made = (|| {
            // The callback must not keep the local object alive.
            let me = own(PyWeakref_NewRef(l.cast(), null_mut()))?;
            let data = tuple([me, Owned::from_borrowed(key)])?;
            let callback = own(PyCFunction_NewEx(&raw mut CLEAR_LOCALS, data.as_ptr(), null_mut()))?;
            let watchdog = own(PyWeakref_NewRef((*current_tstate()).threading_local_sentinel, callback.as_ptr()))?;
            check_status(PySet_Add((*l).thread_watchdogs, watchdog.as_ptr()))?;
            Ok(watchdog)
        })();
        match made {
            Ok(w) => Ok((dict, w)),
            Err(e) => {
                let exc = PyErr_GetRaisedException();
                if PyDict_DelItem((*l).localdicts, key) < 0 {
                    PyErr_WriteUnraisable(l.cast());
                }
                PyErr_SetRaisedException(exc);
                Err(e)
            }
        }
    }
}

/// The running thread's dict; a subclass is initialised when the thread first asks.
unsafe fn ldict(l: *mut Local) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let key = thread_key()?;
        let mut found = null_mut();
        if (*l).localdicts.is_null() {
            bail!(PyExc_RuntimeError, "thread-local object is being destroyed");
        }
        check_status(PyDict_GetItemRef((*l).localdicts, key, &mut found))?;
        if let Some(d) = Owned::from_owned_or_opt(found) {
            return Ok(d);
        }
        let (dict, watchdog) = create_localsdict(l)?;
        let init = (*type_of(l.cast())).tp_init;
        if init.map(|f| f as usize) != PyBaseObject_Type.tp_init.map(|f| f as usize)
            && let Some(init) = init
            && init(l.cast(), (*l).args, (*l).kw) < 0
        {
            let exc = PyErr_GetRaisedException();
            if PyDict_DelItem((*l).localdicts, key) < 0 {
                PyErr_WriteUnraisable(l.cast());
                PyErr_Clear();
            }
            if PySet_Discard((*l).thread_watchdogs, watchdog.as_ptr()) < 0 {
                PyErr_WriteUnraisable(l.cast());
            }
            PyErr_SetRaisedException(exc);
            return Err(Raised::assume());
        }
        Ok(dict)
    }
}

unsafe extern "C" fn local_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    let r = (|| unsafe {
        if (*tp).tp_init.map(|f| f as usize) == PyBaseObject_Type.tp_init.map(|f| f as usize) {
            let given = (!args.is_null() && truth(args)?) || (!kw.is_null() && truth(kw)?);
            if given {
                bail!(PyExc_TypeError, "Initialization arguments are not supported");
            }
        }
        let op = own((*tp).tp_alloc.unwrap_or(PyType_GenericAlloc)(tp, 0))?;
        let l = op.as_ptr().cast::<Local>();
        Py_XINCREF(args);
        (*l).args = args;
        Py_XINCREF(kw);
        (*l).kw = kw;
        (*l).localdicts = own(PyDict_New())?.into_raw();
        (*l).thread_watchdogs = own(PySet_New(null_mut()))?.into_raw();
        create_localsdict(l)?;
        Ok(op)
    })();
    r.into_c()
}
unsafe extern "C" fn local_traverse(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let l = op.cast::<Local>();
        py_visit!(visitor, arg; (*l).args, (*l).kw, (*l).localdicts, (*l).thread_watchdogs);
    }
    0
}
unsafe extern "C" fn local_clear(op: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let l = op.cast::<Local>();
        setref(&raw mut (*l).args, null_mut());
        setref(&raw mut (*l).kw, null_mut());
        setref(&raw mut (*l).localdicts, null_mut());
        setref(&raw mut (*l).thread_watchdogs, null_mut());
    }
    0
}
unsafe extern "C" fn local_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN] weak references die first: their callbacks must not find a half-dead object.
    unsafe {
        if !(*op.cast::<Local>()).weakreflist.is_null() {
            PyObject_ClearWeakRefs(op);
        }
        PyObject_GC_UnTrack(op.cast());
        local_clear(op);
        if let Some(free) = (*type_of(op)).tp_free {
            free(op.cast());
        }
    }
}

unsafe fn is_dict_name(name: *mut PyObject) -> PyResult<bool> {
    // SAFETY: live.
    unsafe {
        let r = PyObject_RichCompareBool(name, intern!("__dict__"), Py_EQ);
        check_status(r)?;
        Ok(r > 0)
    }
}
unsafe extern "C" fn local_setattro(op: *mut PyObject, name: *mut PyObject, v: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    let r = (|| unsafe {
        let dict = ldict(op.cast())?;
        if is_dict_name(name)? {
            PyErr_Format(PyExc_AttributeError, c"'%.100s' object attribute %R is read-only".as_ptr(), (*type_of(op)).tp_name, name);
            return Err(Raised::assume());
        }
        check_status(_PyObject_GenericSetAttrWithDict(op, name, v, dict.as_ptr()))
    })();
    r.into_c()
}
unsafe extern "C" fn local_getattro(op: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    let r = (|| unsafe {
        let dict = ldict(op.cast())?;
        if is_dict_name(name)? {
            return Ok(dict);
        }
        if type_of(op) == &raw mut LOCAL {
            let mut value = null_mut();
            check_status(PyDict_GetItemRef(dict.as_ptr(), name, &mut value))?;
            if let Some(v) = Owned::from_owned_or_opt(value) {
                return Ok(v);
            }
        }
        own(_PyObject_GenericGetAttrWithDict(op, name, dict.as_ptr(), 0))
    })();
    r.into_c()
}

/// `_thread._local`.
pub static mut LOCAL: PyTypeObject = PyTypeObject {
    tp_name: c"_thread._local".as_ptr(),
    tp_basicsize: size_of::<Local>() as Py_ssize_t,
    tp_dealloc: Some(local_dealloc),
    tp_getattro: Some(local_getattro),
    tp_setattro: Some(local_setattro),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"_local()\n--\n\nThread-local data".as_ptr(),
    tp_traverse: Some(local_traverse),
    tp_clear: Some(local_clear),
    tp_weaklistoffset: core::mem::offset_of!(Local, weakreflist) as Py_ssize_t,
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(local_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};
