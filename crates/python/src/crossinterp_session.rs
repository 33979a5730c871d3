//! The C API of code that runs in another interpreter: sessions, namespaces that are passed, snapshots of exceptions, in the
//! layouts of `pycore_crossinterp.h`.

use crate::crossinterp::{Code, CrossData, ExcInfo, Failure, Namespace, _PyXI_GetNotShareableError};
use crate::pystate::{
    InterpreterState, PyInterpreterState_GetID, PyThreadState_Clear, PyThreadState_Delete, PyThreadState_Swap, PyUnstable_InterpreterState_GetMainModule,
    _PyInterpreterState_SetNotRunningMain, _PyInterpreterState_SetRunningMain, _PyThreadState_NewBound,
};
use crate::util::*;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{null, null_mut};
use taipan_abi::*;

/// `_PyXI_excinfo`: the texts are the structure's own.
#[repr(C)]
pub struct ExcInfoC {
    builtin: *mut PyTypeObject,
    name: *const c_char,
    qualname: *const c_char,
    module: *const c_char,
    msg: *const c_char,
    errdisplay: *const c_char,
}

/// `_PyXI_error`.
#[repr(C)]
pub struct ErrorC {
    interp: *mut PyInterpreterState,
    code: c_int,
    uncaught: ExcInfoC,
}

/// `_PyXI_session`.
#[repr(C)]
pub struct SessionC {
    prev_tstate: *mut PyThreadState,
    init_tstate: *mut PyThreadState,
    own_init_tstate: c_int,
    running: c_int,
    main_ns: *mut PyObject,
    error_override: *mut c_int,
    error: *mut ErrorC,
    error_storage: ErrorC,
    override_storage: c_int,
}

const NO_TEXTS: ExcInfoC = ExcInfoC { builtin: null_mut(), name: null(), qualname: null(), module: null(), msg: null(), errdisplay: null() };

impl Code {
    fn to_c(self) -> c_int {
        match self {
            Code::Uncaught => -1,
            Code::Other => -2,
            Code::NoMemory => -3,
            Code::AlreadyRunning => -4,
            Code::MainNamespace => -5,
            Code::ApplyNamespace => -6,
            Code::NotShareable => -7,
        }
    }
    fn of_c(code: c_int) -> Code {
        match code {
            -1 => Code::Uncaught,
            -3 => Code::NoMemory,
            -4 => Code::AlreadyRunning,
            -5 => Code::MainNamespace,
            -6 => Code::ApplyNamespace,
            -7 => Code::NotShareable,
            _ => Code::Other,
        }
    }
}

/// A copy that `PyMem_RawFree` frees; NULL for none, or without memory.
fn copy_out(text: &Option<String>) -> *const c_char {
    let Some(text) = text else { return null() };
    // SAFETY: room for the text and its end.
    unsafe {
        let p = PyMem_RawMalloc(text.len() + 1).cast::<u8>();
        if !p.is_null() {
            core::ptr::copy_nonoverlapping(text.as_ptr(), p, text.len());
            *p.add(text.len()) = 0;
        }
        p.cast()
    }
}

unsafe fn copy_in(text: *const c_char) -> Option<String> {
    // SAFETY: [ARGS] NULL or NUL-terminated.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text).to_string_lossy().into_owned() })
}

impl ExcInfoC {
    fn of(info: &ExcInfo) -> ExcInfoC {
        ExcInfoC {
            builtin: null_mut(),
            name: copy_out(&info.name),
            qualname: copy_out(&info.qualname),
            module: copy_out(&info.module),
            msg: copy_out(&info.msg),
            errdisplay: copy_out(&info.errdisplay),
        }
    }
    unsafe fn read(&self) -> ExcInfo {
        // SAFETY: [ARGS]
        unsafe {
            ExcInfo {
                name: copy_in(self.name),
                qualname: copy_in(self.qualname),
                module: copy_in(self.module),
                msg: copy_in(self.msg),
                errdisplay: copy_in(self.errdisplay),
            }
        }
    }
    unsafe fn clear(&mut self) {
        let old = core::mem::replace(self, NO_TEXTS);
        for text in [old.name, old.qualname, old.module, old.msg, old.errdisplay] {
            // SAFETY: [OWN]
            unsafe { PyMem_RawFree(text.cast_mut().cast()) };
        }
    }
}

/// Takes a snapshot of an exception, or copies one that was made of it; -1 with an exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_InitExcInfo(info: *mut ExcInfoC, exc: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if exc.is_null() || exc == Py_None() {
            let _ = raise!(PyExc_ValueError, "missing exc");
            return -1;
        }
        match ExcInfo::of(exc) {
            Ok(made) => {
                (*info).clear();
                info.write(ExcInfoC::of(&made));
                if (*exc).ob_type.as_ref().is_some_and(|t| t.tp_flags & Py_TPFLAGS_HEAPTYPE == 0) {
                    (*info).builtin = (*exc).ob_type;
                }
                0
            }
            Err(text) => {
                PyErr_Clear();
                let _ = raise!(PyExc_Exception, "{text}");
                -1
            }
        }
    }
}

/// Class and message of a snapshot in one line, None if it has neither.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_FormatExcInfo(info: *mut ExcInfoC) -> *mut PyObject {
    // SAFETY: [ARGS]
    let text = unsafe { (*info).read().formatted() };
    text.map_or_else(|| Ok(none()), |t| new_str(&t)).into_c()
}

/// A snapshot as a namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_ExcInfoAsObject(info: *mut ExcInfoC) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { (*info).read().as_object().into_c() }
}

/// Frees a snapshot's texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_ClearExcInfo(info: *mut ExcInfoC) {
    // SAFETY: [ARGS]
    unsafe { (*info).clear() }
}

/// The snapshot of what code raised; NULL with an exception for what kept it from running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_ApplyError(error: *mut ErrorC) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Failure { code: Code::of_c((*error).code), info: (*error).uncaught.read() }.apply().into_c() }
}

// ---- namespaces

/// A namespace with names, of a dict or a sequence, and without values. NULL without exception for None or no names.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_NamespaceFromNames(names: *mut PyObject) -> *mut Namespace {
    // SAFETY: [ARGS]
    let make = || unsafe {
        if names.is_null() || names == Py_None() {
            return Ok(None);
        }
        let mut ns = Namespace(Vec::new());
        let keys = if PyDict_CheckExact(names) != 0 { own(PyDict_Keys(names))? } else { Owned::from_borrowed(names) };
        let n = PySequence_Size(keys.as_ptr());
        if n < 0 {
            return Err(Raised::assume());
        }
        for i in 0..n {
            let key = own(PySequence_GetItem(keys.as_ptr(), i))?;
            ns.0.push((crate::crossinterp::copy_text(key.as_ptr())?, null_mut()));
        }
        Ok((n > 0).then_some(ns))
    };
    match make() {
        Ok(Some(ns)) => Box::into_raw(Box::new(ns)),
        _ => null_mut(),
    }
}

/// Frees a namespace; what its values stand for is released where it comes from.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_FreeNamespace(ns: *mut Namespace) {
    if !ns.is_null() {
        // SAFETY: [OWN] made by _PyXI_NamespaceFromNames.
        drop(unsafe { Box::from_raw(ns) });
    }
}

/// Takes the values of the names from a dict; names that it doesn't have stay without. -1 with an exception, which a session
/// passes on when it ends if it says that a value can't travel.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_FillNamespaceFromDict(ns: *mut Namespace, dict: *mut PyObject, session: *mut SessionC) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let fill = |name: &str| -> PyResult<*mut CrossData> {
            let key = new_str(name)?;
            match dict_get(dict, key.as_ptr())? {
                Some(value) => crate::crossinterp::data_of(value.as_ptr()),
                None => Ok(null_mut()),
            }
        };
        for i in 0..(*ns).0.len() {
            match fill(&(&(*ns).0)[i].0) {
                Ok(data) => (&mut (*ns).0)[i].1 = data,
                Err(_) => {
                    if !session.is_null() && PyErr_ExceptionMatches(_PyXI_GetNotShareableError()) != 0 {
                        (*session).override_storage = Code::NotShareable.to_c();
                        (*session).error_override = &raw mut (*session).override_storage;
                    }
                    (*ns).forget_values();
                    return -1;
                }
            }
        }
        0
    }
}

/// Sets the names in a dict of the running interpreter; those without value to `default`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_ApplyNamespace(ns: *mut Namespace, dict: *mut PyObject, default: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (*ns).apply(dict, default).into_c() }
}

// ---- sessions

unsafe fn capture(session: *mut SessionC, code: Code) {
    // SAFETY: [EXC]
    unsafe {
        let failure = Failure::capture(code);
        (*session).error_storage = ErrorC { interp: (*(*session).init_tstate).interp, code: failure.code.to_c(), uncaught: ExcInfoC::of(&failure.info) };
        (*session).error = &raw mut (*session).error_storage;
        (*session).error_override = null_mut();
    }
}

unsafe fn leave(session: *mut SessionC) {
    // SAFETY: [ARGS] the state was made by _PyXI_Enter if it isn't the one before.
    unsafe {
        let s = &mut *session;
        let ts = s.init_tstate;
        Py_CLEAR(&raw mut s.main_ns);
        if s.running != 0 {
            _PyInterpreterState_SetNotRunningMain((*ts).interp);
            s.running = 0;
        }
        if s.prev_tstate != ts {
            s.own_init_tstate = 0;
            PyThreadState_Clear(ts);
            PyThreadState_Swap(s.prev_tstate);
            PyThreadState_Delete(ts);
        }
        s.prev_tstate = null_mut();
        s.init_tstate = null_mut();
    }
}

/// Enters an interpreter as the thread that runs its `__main__`, and sets the names of a dict (NULL for none) there. On
/// failure -1: with an exception if the interpreter was not entered, otherwise with the session's error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_Enter(session: *mut SessionC, interp: *mut PyInterpreterState, updates: *mut PyObject) -> c_int {
    const WHENCE_EXEC: c_int = 5;
    // SAFETY: [ARGS]
    unsafe {
        let names = match Namespace::of(updates) {
            Ok(n) => n,
            Err(_) => return -1,
        };
        let before = current_tstate();
        let mut ts = before;
        if (*before).interp != interp {
            ts = _PyThreadState_NewBound(interp, WHENCE_EXEC);
            PyThreadState_Swap(ts);
            (*session).own_init_tstate = 1;
        }
        (*session).init_tstate = ts;
        (*session).prev_tstate = before;
        let enter = || -> Result<(), Code> {
            if _PyInterpreterState_SetRunningMain(interp) < 0 {
                return Err(Code::AlreadyRunning);
            }
            (*session).running = 1;
            let main = own(PyUnstable_InterpreterState_GetMainModule(interp)).map_err(|_| Code::MainNamespace)?;
            let dict = PyModule_GetDict(main.as_ptr());
            if dict.is_null() {
                return Err(Code::MainNamespace);
            }
            (*session).main_ns = Owned::from_borrowed(dict).into_raw();
            if let Some(names) = &names {
                names.apply(dict, null_mut()).map_err(|_| Code::ApplyNamespace)?;
            }
            Ok(())
        };
        if let Err(code) = enter() {
            capture(session, code);
            leave(session);
            return -1;
        }
        0
    }
}

/// Leaves the interpreter that was entered. An exception that is set becomes the session's error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_Exit(session: *mut SessionC) {
    // SAFETY: [ARGS]
    unsafe {
        if err_occurred() {
            let code = (*session).error_override.as_ref().map_or(Code::Uncaught, |&c| Code::of_c(c));
            capture(session, code);
        }
        leave(session);
    }
}

/// What the session's error stands for; see [`_PyXI_ApplyError`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_ApplyCapturedException(session: *mut SessionC) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let error = core::mem::replace(&mut (*session).error, null_mut());
        let r = _PyXI_ApplyError(error);
        (*error).uncaught.clear();
        r
    }
}

/// Whether the session has an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_HasCapturedException(session: *mut SessionC) -> c_int {
    // SAFETY: [ARGS]
    unsafe { !(*session).error.is_null() as c_int }
}

/// What is run: it gets the dict of the interpreter's `__main__` and its argument, and gives 0 or -1 with an exception.
type Body = unsafe extern "C" fn(*mut PyObject, *mut c_void) -> c_int;

/// Runs `body` in an interpreter, after the names of the dict `shared` (NULL for none) were set in its `__main__`. 0 done; -1
/// with an exception if it could not run, or with a snapshot of what it raised in `*excinfo`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_RunInInterpreter(
    interp: *mut PyInterpreterState,
    shared: *mut PyObject,
    body: Option<Body>,
    arg: *mut c_void,
    excinfo: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS] all-zero is a session that was not entered.
    unsafe {
        let mut session: SessionC = core::mem::zeroed();
        let session = &raw mut session;
        if _PyXI_Enter(session, interp, shared) == 0 {
            let mut status = 0;
            if let Some(body) = body {
                status = body((*session).main_ns, arg);
            }
            _PyXI_Exit(session);
            if status == 0 {
                return 0;
            }
        }
        if _PyXI_HasCapturedException(session) != 0 {
            *excinfo = _PyXI_ApplyCapturedException(session);
        }
        -1
    }
}

/// Makes an interpreter's state; a status that is an error if an audit hook objects.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_New(_tstate: *mut PyThreadState, interp: *mut *mut PyInterpreterState) -> PyStatus {
    // SAFETY: [ARGS]
    unsafe {
        *interp = crate::interpreters::PyInterpreterState_New();
        debug_assert!((*interp).is_null() || PyInterpreterState_GetID(*interp) == (*(*interp).cast::<InterpreterState>()).id);
        if !(*interp).is_null() {
            return PyStatus { _type: _PyStatus_TYPE::_PyStatus_TYPE_OK, func: null(), err_msg: null(), exitcode: 0 };
        }
        PyErr_Clear();
        PyStatus {
            _type: _PyStatus_TYPE::_PyStatus_TYPE_ERROR,
            func: c"_PyInterpreterState_New".as_ptr(),
            err_msg: c"sys.audit failed".as_ptr(),
            exitcode: 0,
        }
    }
}
