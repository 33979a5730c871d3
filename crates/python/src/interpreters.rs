//! Subinterpreters: making and ending them.
//!
//! Each has its own `sys`, `builtins`, modules, codecs and so on (`InterpreterState`). All run under one lock and use one heap,
//! also those that asked for a lock or an allocator of their own: what a program can see of that is their configuration.

use crate::ceval_gil::{attach, detach};
use crate::initconfig::ConfigError;
use crate::pylifecycle::{_PyAtExit_Call, _PyAtExit_Fini, _PyGC_CollectNoFail, finalize_modules, initialize_interpreter, initialize_main, stage};
use crate::pystate::*;
use crate::pystate::{PyThreadState_Clear, PyThreadState_Delete, PyThreadState_Swap};
use core::ffi::{CStr, c_int, c_long};
use core::ptr::null_mut;
use core::sync::atomic::Ordering::*;
use std::ffi::CString;
use taipan_abi::*;

/// `_PyThreadState_WHENCE_INIT`.
const WHENCE_INIT: c_int = 1;
/// `_PyThreadState_WHENCE_FINI`.
const WHENCE_FINI: c_int = 2;
/// `_PyInterpreterState_WHENCE_LEGACY_CAPI`.
const WHENCE_LEGACY_CAPI: c_long = 2;
/// `_PyInterpreterState_WHENCE_CAPI`.
const WHENCE_CAPI: c_long = 3;
/// `_PyInterpreterState_WHENCE_XI`.
const WHENCE_XI: c_long = 4;
/// `PyInterpreterConfig_OWN_GIL`.
const OWN_GIL: c_int = 2;

unsafe extern "C" {
    static mut PyExc_InterpreterError: *mut PyObject;
}

fn audit_or_clear(event: &CStr) {
    if let Err(e) = crate::sysmodule::audit(event, &[]) {
        e.clear();
    }
}

/// A new interpreter without thread; NULL when an audit hook objects, with its exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInterpreterState_New() -> *mut PyInterpreterState {
    let ts = current_tstate();
    // SAFETY: [GIL] where there is a state.
    unsafe {
        if !ts.is_null() && crate::sysmodule::audit(c"cpython.PyInterpreterState_New", &[]).is_err() {
            return null_mut();
        }
        let source = if ts.is_null() { main_interp() } else { as_interp((*ts).interp) };
        new_interpreter((*source).config.clone()).cast()
    }
}

/// Sets what an interpreter may do.
unsafe fn apply_config(ip: *mut InterpreterState, c: &PyInterpreterConfig) -> Result<(), ConfigError> {
    let error = |text: &str| Err(ConfigError::Fatal("init_interp_settings", text.into()));
    if c.use_main_obmalloc == 0 && c.check_multi_interp_extensions == 0 {
        return error("per-interpreter obmalloc does not support single-phase init extension modules");
    }
    if !(0..=OWN_GIL).contains(&c.gil) {
        return error("invalid interpreter config 'gil' value");
    }
    let flags = [
        (c.use_main_obmalloc, RTFLAGS_USE_MAIN_OBMALLOC),
        (c.check_multi_interp_extensions, RTFLAGS_MULTI_INTERP_EXTENSIONS),
        (c.allow_threads, RTFLAGS_THREADS),
        (c.allow_daemon_threads, RTFLAGS_DAEMON_THREADS),
        (c.allow_fork, RTFLAGS_FORK),
        (c.allow_exec, RTFLAGS_EXEC),
    ];
    // SAFETY: [ARGS]
    unsafe {
        for (set, bit) in flags {
            if set != 0 {
                (*ip).published.feature_flags |= bit;
            }
        }
        if c.gil == OWN_GIL {
            (*ip).published.own_gil = 1;
            OWN_GILS.fetch_add(1, Relaxed);
        }
    }
    Ok(())
}

/// Makes an interpreter, whose first thread state is then attached in place of the one before. NULL where an audit hook
/// objected.
unsafe fn new_subinterpreter(c: &PyInterpreterConfig, whence: c_long) -> Result<*mut PyThreadState, ConfigError> {
    if !INITIALIZED.load(Acquire) {
        return Err(ConfigError::Fatal("new_interpreter", "Py_Initialize must be called first".into()));
    }
    // SAFETY: [GIL] where there is a state; the new interpreter is known to nobody else.
    unsafe {
        let ip = as_interp(PyInterpreterState_New());
        if ip.is_null() {
            return Ok(null_mut());
        }
        (*ip).whence = whence;
        (*ip).ready = true;
        let before = current_tstate();
        let mut ts = null_mut();
        let result = apply_config(ip, c).and_then(|()| {
            if !before.is_null() {
                detach(before);
            }
            ts = _PyThreadState_New(ip.cast(), WHENCE_INIT);
            bind_tstate(ts);
            attach(ts);
            let made = taipan_objects::runtime::share_names().and_then(|()| initialize_interpreter());
            stage("pycore_interp_init", "failed to initialize importlib", made)?;
            initialize_main()
        });
        if let Err(e) = result {
            if !ts.is_null() {
                clear_interpreter(ip);
                PyInterpreterState_Delete(ip.cast());
                if !before.is_null() {
                    attach(before);
                }
            } else {
                delete_interpreter(ip);
            }
            return Err(e);
        }
        Ok(ts)
    }
}

fn status_ok() -> PyStatus {
    PyStatus { _type: _PyStatus_TYPE::_PyStatus_TYPE_OK, func: core::ptr::null(), err_msg: core::ptr::null(), exitcode: 0 }
}

fn status_error(e: ConfigError) -> PyStatus {
    let ConfigError::Fatal(func, text) = e;
    // A status is passed on by value: its texts live for ever.
    let leak = |t: &str| CString::new(t).unwrap_or_default().into_raw().cast_const();
    PyStatus { _type: _PyStatus_TYPE::_PyStatus_TYPE_ERROR, func: leak(func), err_msg: leak(&text), exitcode: 0 }
}

/// Makes an interpreter with a configuration; its first thread state is attached and stored in `*tstate`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_NewInterpreterFromConfig(tstate: *mut *mut PyThreadState, c: *const PyInterpreterConfig) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe {
        *tstate = null_mut();
        match new_subinterpreter(&*c, WHENCE_CAPI) {
            Ok(ts) => {
                *tstate = ts;
                status_ok()
            }
            Err(e) => status_error(e),
        }
    }
}

/// Makes an interpreter that shares all it can with the main one; its first thread state is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_NewInterpreter() -> *mut PyThreadState {
    let legacy = PyInterpreterConfig {
        use_main_obmalloc: 1,
        allow_fork: 1,
        allow_exec: 1,
        allow_threads: 1,
        allow_daemon_threads: 1,
        check_multi_interp_extensions: 0,
        gil: 1,
    };
    // SAFETY: [ARGS]
    match unsafe { new_subinterpreter(&legacy, WHENCE_LEGACY_CAPI) } {
        Ok(ts) => ts,
        Err(e) => crate::pylifecycle::start_error(&e),
    }
}

/// Releases what an interpreter holds; its threads are cleared.
unsafe fn clear_interpreter(ip: *mut InterpreterState) {
    // SAFETY: [GIL] each field is reset before its object is released.
    unsafe {
        audit_or_clear(c"cpython.PyInterpreterState_Clear");
        let threads = {
            let _lock = head_lock();
            thread_list(ip)
        };
        for t in threads {
            PyThreadState_Clear(t);
        }
        macro_rules! clear {
            ($($field:ident),*) => { $( setref(&raw mut (*ip).$field, null_mut()); )* };
        }
        clear!(audit_hooks, codec_search_path, codec_search_cache, codec_error_registry, importlib, import_func, modules, modules_by_index);
        clear!(sysdict_copy, builtins_copy, dict, before_forkers, after_forkers_parent, after_forkers_child);
        setref(&raw mut (*ip).published.not_shareable_error, null_mut());
        (*ip).warnings.clear();
        (*ip).xidata.clear();
        _PyAtExit_Fini();
        // What native modules keep of it. Finalizers may still ask for it, and get it made anew.
        for _ in 0..2 {
            for p in core::mem::take(&mut (*ip).locals) {
                Py_XDECREF(p);
            }
            _PyGC_CollectNoFail(current_tstate());
        }
        for p in core::mem::take(&mut (*ip).locals) {
            Py_XDECREF(p);
        }
        if crate::interp_switch::is_running(ip) {
            crate::interp_switch::clear_running();
        }
        if !(*ip).sysdict.is_null() {
            PyDict_Clear((*ip).sysdict);
        }
        if !(*ip).builtins.is_null() {
            PyDict_Clear((*ip).builtins);
        }
        clear!(sysdict, builtins);
    }
}

/// Nothing static refers to the interpreter any more, which runs no more code.
unsafe fn leave(ip: *mut InterpreterState) {
    // SAFETY: [GIL] where the interpreter runs.
    unsafe {
        if crate::interp_switch::is_running(ip) {
            crate::interp_switch::switch_to(main_interp());
            taipan_objects::unicodeobject::intern::forget_interpreter(ip.cast());
        }
    }
}

/// Releases what an interpreter holds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInterpreterState_Clear(interp: *mut PyInterpreterState) {
    // SAFETY: [ARGS]
    unsafe { clear_interpreter(as_interp(interp)) }
}

/// Deletes an interpreter that was cleared, with its thread states. The main one stays until the process ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInterpreterState_Delete(interp: *mut PyInterpreterState) {
    let ip = as_interp(interp);
    if ip == main_interp() {
        return;
    }
    // SAFETY: [ARGS]
    unsafe {
        let ts = current_tstate();
        leave(ip);
        // The lock is kept to the end: others find interpreters by number with the lock held, and use them.
        let attached = !ts.is_null() && as_interp((*ts).interp) == ip;
        if attached {
            crate::ceval_gil::forget_holder();
        }
        let threads = {
            let _lock = head_lock();
            thread_list(ip)
        };
        for t in threads {
            PyThreadState_Delete(t);
        }
        delete_interpreter(ip);
        if attached {
            crate::ceval_gil::release_for_good();
        }
    }
}

/// Ends the interpreter of the thread state, which is attached and the only one left. No state is attached after it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_EndInterpreter(ts: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe {
        let ip = as_interp((*ts).interp);
        if ts != current_tstate() {
            fatal("Py_EndInterpreter: thread is not current");
        }
        if !thread_frame(ts).is_null() {
            fatal("Py_EndInterpreter: thread still has a frame");
        }
        (*ip).ending = true;
        crate::pylifecycle::wait_for_thread_shutdown();
        crate::ceval_gil::finish_pending(ts);
        _PyAtExit_Call();
        if ts != (*ip).threads_head || !(*ts).next.is_null() {
            fatal("Py_EndInterpreter: not the last thread");
        }
        (*ip).finalizing = true;
        finalize_modules();
        clear_interpreter(ip);
        PyInterpreterState_Delete(ip.cast());
    }
}

/// Ends the interpreters that a program has left, when the runtime ends.
pub fn end_remaining() {
    // SAFETY: [GIL] no other thread runs Python code any more.
    unsafe {
        let main = main_interp();
        let next = || interpreter_list().into_iter().find(|&ip| ip != main);
        let Some(mut ip) = next() else { return };
        if PyErr_WarnEx(PyExc_RuntimeWarning, c"remaining subinterpreters; destroy them with _interpreters.destroy()".as_ptr(), 0) < 0 {
            PyErr_Clear();
        }
        let own = current_tstate();
        detach(own);
        loop {
            // A state that the program left may be anywhere in its work: it goes, and a new one does the rest.
            let left = (*ip).threads_head;
            if !left.is_null() {
                attach(left);
                PyThreadState_Clear(left);
                detach(left);
                PyThreadState_Delete(left);
            }
            let ts = _PyThreadState_NewBound(ip.cast(), WHENCE_FINI);
            attach(ts);
            Py_EndInterpreter(ts);
            match next() {
                Some(other) => ip = other,
                None => break,
            }
        }
        attach(own);
    }
}

/// Raises `class` with the exception that is set as its context.
unsafe fn raise_with_context(class: *mut PyObject, text: &str, context: *mut PyObject) {
    // SAFETY: [OWN] the context is given away.
    unsafe {
        let _ = raise_str(class, text);
        let exc = PyErr_GetRaisedException();
        PyException_SetContext(exc, context);
        PyErr_SetRaisedException(exc);
    }
}

/// Makes an interpreter on behalf of another one. Its first state is attached and stored in `*tstate`, and the one before in
/// `*save`; where `tstate` is NULL, the caller's stays attached. InterpreterError if that fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_NewInterpreter(
    c: *mut PyInterpreterConfig,
    whence: *mut c_long,
    tstate: *mut *mut PyThreadState,
    save: *mut *mut PyThreadState,
) -> *mut PyInterpreterState {
    // SAFETY: [ARGS]
    unsafe {
        let mut before = PyThreadState_Swap(null_mut());
        let made = new_subinterpreter(&*c, if whence.is_null() { WHENCE_XI } else { *whence });
        let ts = match made {
            Ok(ts) => ts,
            Err(ConfigError::Fatal(func, text)) => {
                PyThreadState_Swap(before);
                let _ = raise!(PyExc_RuntimeError, "{}: {}", func, text);
                let cause = PyErr_GetRaisedException();
                raise_with_context(PyExc_InterpreterError, "sub-interpreter creation failed", cause);
                return null_mut();
            }
        };
        let interp = (*ts).interp;
        if tstate.is_null() {
            PyThreadState_Clear(ts);
            PyThreadState_Swap(before);
            PyThreadState_Delete(ts);
            before = null_mut();
        } else {
            *tstate = ts;
        }
        if !save.is_null() {
            *save = before;
        }
        interp
    }
}

/// Ends an interpreter on behalf of another one, with the state given or a new one; then `*save` is attached, or what was
/// before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_EndInterpreter(interp: *mut PyInterpreterState, ts: *mut PyThreadState, save: *mut *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe {
        if !(*as_interp(interp)).ready {
            PyInterpreterState_Delete(interp);
            return;
        }
        let current = current_tstate();
        let mut before = null_mut();
        let mut ts = ts;
        if ts.is_null() {
            ts = if (*current).interp == interp { current } else { _PyThreadState_NewBound(interp, WHENCE_FINI) };
        }
        if ts != current {
            before = PyThreadState_Swap(ts);
        }
        Py_EndInterpreter(ts);
        if !save.is_null() {
            before = *save;
        }
        PyThreadState_Swap(before);
    }
}

/// Gives a reference to an interpreter's number up; the last one ends the interpreter, where it was made so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_IDDecref(interp: *mut PyInterpreterState) {
    // SAFETY: [ARGS] [GIL]
    unsafe {
        let ip = as_interp(interp);
        (*ip).published.id_refcount -= 1;
        if (*ip).published.id_refcount != 0 || !(*ip).requires_idref {
            return;
        }
        let ts = _PyThreadState_NewBound(interp, WHENCE_FINI);
        let before = PyThreadState_Swap(ts);
        Py_EndInterpreter(ts);
        PyThreadState_Swap(before);
    }
}
