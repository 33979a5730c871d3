//! `sys.settrace` and `sys.setprofile` on top of monitoring: two tools whose callbacks call the C-level trace and
//! profile functions of the thread.

#![allow(clippy::missing_safety_doc, reason = "[GIL] [ARGS]: the contract of CPython's C API")]

use crate::ceval_prelude::tuple_items;
use crate::instrumentation::*;
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::layout::Py_tracefunc;
use taipan_abi::*;
use taipan_objects::typeobject::TYPE_INIT;

const PyTrace_CALL: c_int = 0;
const PyTrace_EXCEPTION: c_int = 1;
const PyTrace_LINE: c_int = 2;
const PyTrace_RETURN: c_int = 3;
const PyTrace_C_CALL: c_int = 4;
const PyTrace_C_EXCEPTION: c_int = 5;
const PyTrace_C_RETURN: c_int = 6;
const PyTrace_OPCODE: c_int = 7;

/// A callback that turns an event into a call of the trace or profile function.
#[repr(C)]
struct LegacyEventHandler {
    ob_base: PyObject,
    vectorcall: Option<vectorcallfunc>,
    /// The `PyTrace_*` that the function gets.
    event: c_int,
}

unsafe extern "C" fn handler_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe { PyObject_Free(slf.cast()) }
}

/// `sys.legacy_event_handler`.
#[unsafe(no_mangle)]
pub static mut _PyLegacyEventHandler_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"sys.legacy_event_handler".as_ptr(),
    tp_basicsize: size_of::<LegacyEventHandler>() as Py_ssize_t,
    tp_dealloc: Some(handler_dealloc),
    tp_vectorcall_offset: core::mem::offset_of!(LegacyEventHandler, vectorcall) as Py_ssize_t,
    tp_call: Some(PyVectorcall_Call),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    ..TYPE_INIT
};

/// A callback: gets the arguments of the event, of which the first is the code object.
type Callback = unsafe fn(tstate: *mut PyThreadState, event: c_int, args: &[*mut PyObject]) -> PyResult<Owned>;

macro_rules! vectorcalls {
    ($($name:ident: $body:ident;)*) => { $(
        unsafe extern "C" fn $name(slf: *mut PyObject, args: *const *mut PyObject, nargsf: usize, _: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe {
                let args = core::slice::from_raw_parts(args, PyVectorcall_NARGS(nargsf) as usize);
                let callback: Callback = $body;
                callback(current_tstate(), (*slf.cast::<LegacyEventHandler>()).event, args).into_c()
            }
        }
    )* };
}
vectorcalls! {
    sys_profile_none: profile_none;
    sys_profile_value: profile_value;
    sys_profile_unwind: profile_unwind;
    sys_profile_call: profile_call;
    sys_trace_none: trace_none;
    sys_trace_value: trace_value;
    sys_trace_unwind: trace_unwind;
    sys_trace_exception: trace_exception;
    sys_trace_line: trace_line;
    sys_trace_jump: trace_jump;
    sys_trace_instruction: trace_instruction;
}

unsafe fn none() -> PyResult<Owned> {
    // SAFETY: [IMMORTAL]
    Ok(unsafe { Owned::from_borrowed(Py_None()) })
}

unsafe fn current_frame(what: &str) -> PyResult<Owned<PyFrameObject>> {
    // SAFETY: [GIL]
    unsafe {
        let frame: *mut PyFrameObject = PyEval_GetFrame().cast();
        if frame.is_null() {
            bail!(PyExc_SystemError, "Missing frame when calling {what} function.");
        }
        Ok(Owned::from_borrowed(frame))
    }
}

unsafe fn status(status: c_int) -> PyResult<Owned> {
    // SAFETY: [EXC]
    unsafe { if status != 0 { Err(Raised::assume()) } else { none() } }
}

unsafe fn call_profile(tstate: *mut PyThreadState, event: c_int, arg: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(profile) = (*tstate).c_profilefunc else { return none() };
        let frame = current_frame("profile")?;
        status(profile((*tstate).c_profileobj, frame.as_ptr(), event, arg))
    }
}

unsafe fn profile_none(tstate: *mut PyThreadState, event: c_int, _: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call_profile(tstate, event, Py_None()) }
}
unsafe fn profile_value(tstate: *mut PyThreadState, event: c_int, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call_profile(tstate, event, args[2]) }
}
unsafe fn profile_unwind(tstate: *mut PyThreadState, event: c_int, _: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call_profile(tstate, event, null_mut()) }
}
/// Calls of native functions are reported; a method descriptor counts as the bound method it makes.
unsafe fn profile_call(tstate: *mut PyThreadState, event: c_int, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let callable = args[2];
        let tp = Py_TYPE(callable);
        if PyCFunction_Check(callable) != 0 {
            return call_profile(tstate, event, callable);
        }
        if tp == &raw mut PyMethodDescr_Type {
            let slf = args[3];
            if slf == &raw mut _PyInstrumentation_MISSING {
                return none();
            }
            let Some(bind) = (*tp).tp_descr_get else { return none() };
            let method = Owned::from_owned_or_err(bind(callable, slf, Py_TYPE(slf).cast()))?;
            return call_profile(tstate, event, method.as_ptr());
        }
        if tp == &raw mut PyMethod_Type {
            let func = (*callable.cast::<PyMethodObject>()).im_func;
            if PyCFunction_Check(func) != 0 {
                return call_profile(tstate, event, func);
            }
        }
        none()
    }
}

unsafe fn call_trace(tstate: *mut PyThreadState, event: c_int, arg: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(trace) = (*tstate).c_tracefunc else { return none() };
        let frame = current_frame("trace")?;
        if frame.f_trace_opcodes != 0 {
            check_status(set_opcode_trace(frame.as_ptr(), true))?;
        }
        let result = trace((*tstate).c_traceobj, frame.as_ptr(), event, arg);
        (*frame.as_ptr()).f_lineno = 0;
        status(result)
    }
}

unsafe fn trace_none(tstate: *mut PyThreadState, event: c_int, _: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call_trace(tstate, event, Py_None()) }
}
unsafe fn trace_value(tstate: *mut PyThreadState, event: c_int, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call_trace(tstate, event, args[2]) }
}
unsafe fn trace_unwind(tstate: *mut PyThreadState, event: c_int, _: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call_trace(tstate, event, null_mut()) }
}
unsafe fn trace_exception(tstate: *mut PyThreadState, event: c_int, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let exc = args[2];
        let tb = Owned::from_owned_or_opt(PyException_GetTraceback(exc));
        let tb = tb.as_ref().map_or(Py_None(), Owned::as_ptr);
        let triple = Owned::from_owned_or_err(PyTuple_New(3))?;
        for (i, item) in [Py_TYPE(exc).cast(), exc, tb].into_iter().enumerate() {
            *tuple_items(triple.as_ptr()).add(i) = Py_NewRef(item);
        }
        call_trace(tstate, event, triple.as_ptr())
    }
}

unsafe fn report_line(tstate: *mut PyThreadState, event: c_int, line: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(trace) = (*tstate).c_tracefunc else { return none() };
        let frame = current_frame("trace")?;
        if frame.f_trace_lines == 0 || line < 0 {
            return none();
        }
        (*frame.as_ptr()).f_lineno = line;
        let result = trace((*tstate).c_traceobj, frame.as_ptr(), event, Py_None());
        (*frame.as_ptr()).f_lineno = 0;
        status(result)
    }
}

unsafe fn trace_line(tstate: *mut PyThreadState, event: c_int, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { report_line(tstate, event, PyLong_AsLong(args[1]) as c_int) }
}

/// A jump backwards within a line counts as that line beginning anew; others are left to line events.
unsafe fn trace_jump(tstate: *mut PyThreadState, event: c_int, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tstate).c_tracefunc.is_none() {
            return none();
        }
        let from = PyLong_AsLong(args[1]) as c_int / 2;
        let to = PyLong_AsLong(args[2]) as c_int / 2;
        let code: *mut PyCodeObject = args[0].cast();
        if to > from || line_of(code, to) != line_of(code, from) {
            return Ok(Owned::from_borrowed(&raw mut _PyInstrumentation_DISABLE));
        }
        report_line(tstate, event, line_of(code, to))
    }
}

unsafe fn trace_instruction(tstate: *mut PyThreadState, event: c_int, _: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let frame = current_frame("trace")?;
        let trace = (*tstate).c_tracefunc.filter(|_| frame.f_trace_opcodes != 0);
        let Some(trace) = trace else {
            check_status(set_opcode_trace(frame.as_ptr(), false))?;
            return none();
        };
        let result = trace((*tstate).c_traceobj, frame.as_ptr(), event, Py_None());
        (*frame.as_ptr()).f_lineno = 0;
        status(result)
    }
}

/// Sets one callback for one or more events of a tool.
unsafe fn set_callbacks(tool: usize, call: vectorcallfunc, legacy: c_int, events: &[c_int]) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let handler: *mut LegacyEventHandler = PyObject_Malloc(size_of::<LegacyEventHandler>()).cast();
        if handler.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        _PyObject_Init(handler.cast(), &raw mut _PyLegacyEventHandler_Type);
        (*handler).vectorcall = Some(call);
        (*handler).event = legacy;
        let handler = Owned::from_owned(handler.cast::<PyObject>());
        for event in events {
            Py_XDECREF(register_callback(tool, *event as usize, handler.as_ptr()));
        }
        Ok(())
    }
}

/// What is set up once, and how many threads have a function set.
#[derive(Default)]
pub struct Setup {
    ready: bool,
    threads: isize,
}

/// Exchanges what is known of trace and profile functions when another interpreter runs.
pub fn swap_setups(profile: &mut Setup, trace: &mut Setup) {
    // SAFETY: [STATIC]
    unsafe {
        core::mem::swap(&mut *(&raw mut PROFILE), profile);
        core::mem::swap(&mut *(&raw mut TRACE), trace);
    }
}
static mut PROFILE: Setup = Setup { ready: false, threads: 0 };
static mut TRACE: Setup = Setup { ready: false, threads: 0 };

unsafe fn ready_type() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe { check_status(PyType_Ready(&raw mut _PyLegacyEventHandler_Type)) }
}

unsafe fn setup_profile() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        ready_type()?;
        let tool = SYS_PROFILE_ID;
        set_callbacks(tool, sys_profile_none, PyTrace_CALL, &[PY_MONITORING_EVENT_PY_START, PY_MONITORING_EVENT_PY_RESUME])?;
        set_callbacks(tool, sys_profile_none, PyTrace_CALL, &[PY_MONITORING_EVENT_PY_THROW])?;
        set_callbacks(tool, sys_profile_value, PyTrace_RETURN, &[PY_MONITORING_EVENT_PY_RETURN, PY_MONITORING_EVENT_PY_YIELD])?;
        set_callbacks(tool, sys_profile_unwind, PyTrace_RETURN, &[PY_MONITORING_EVENT_PY_UNWIND])?;
        set_callbacks(tool, sys_profile_call, PyTrace_C_CALL, &[PY_MONITORING_EVENT_CALL])?;
        set_callbacks(tool, sys_profile_call, PyTrace_C_RETURN, &[PY_MONITORING_EVENT_C_RETURN])?;
        set_callbacks(tool, sys_profile_call, PyTrace_C_EXCEPTION, &[PY_MONITORING_EVENT_C_RAISE])
    }
}

unsafe fn setup_tracing() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        ready_type()?;
        let tool = SYS_TRACE_ID;
        set_callbacks(tool, sys_trace_none, PyTrace_CALL, &[PY_MONITORING_EVENT_PY_START, PY_MONITORING_EVENT_PY_RESUME])?;
        set_callbacks(tool, sys_trace_none, PyTrace_CALL, &[PY_MONITORING_EVENT_PY_THROW])?;
        set_callbacks(tool, sys_trace_value, PyTrace_RETURN, &[PY_MONITORING_EVENT_PY_RETURN, PY_MONITORING_EVENT_PY_YIELD])?;
        set_callbacks(tool, sys_trace_exception, PyTrace_EXCEPTION, &[PY_MONITORING_EVENT_RAISE, PY_MONITORING_EVENT_STOP_ITERATION])?;
        set_callbacks(tool, sys_trace_line, PyTrace_LINE, &[PY_MONITORING_EVENT_LINE])?;
        set_callbacks(tool, sys_trace_unwind, PyTrace_RETURN, &[PY_MONITORING_EVENT_PY_UNWIND])?;
        set_callbacks(tool, sys_trace_jump, PyTrace_LINE, &[PY_MONITORING_EVENT_JUMP])?;
        set_callbacks(tool, sys_trace_instruction, PyTrace_OPCODE, &[PY_MONITORING_EVENT_INSTRUCTION])
    }
}

const fn bits(events: &[c_int]) -> u32 {
    let mut set = 0;
    let mut i = 0;
    while i < events.len() {
        set |= 1 << events[i];
        i += 1;
    }
    set
}

const COMMON_EVENTS: u32 = bits(&[
    PY_MONITORING_EVENT_PY_START, PY_MONITORING_EVENT_PY_RESUME, PY_MONITORING_EVENT_PY_RETURN,
    PY_MONITORING_EVENT_PY_YIELD, PY_MONITORING_EVENT_PY_UNWIND, PY_MONITORING_EVENT_PY_THROW,
]);
const PROFILE_EVENTS: u32 = COMMON_EVENTS | bits(&[PY_MONITORING_EVENT_CALL]);
const TRACE_EVENTS: u32 = COMMON_EVENTS
    | bits(&[PY_MONITORING_EVENT_RAISE, PY_MONITORING_EVENT_LINE, PY_MONITORING_EVENT_JUMP, PY_MONITORING_EVENT_STOP_ITERATION]);

/// Sets a thread's profile function and its argument.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetProfile(tstate: *mut PyThreadState, func: Option<Py_tracefunc>, arg: *mut PyObject) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        let set = || -> PyResult<()> {
            check_status(PySys_Audit(c"sys.setprofile".as_ptr(), core::ptr::null()))?;
            let setup = &mut *(&raw mut PROFILE);
            if !setup.ready {
                setup_profile()?;
                setup.ready = true;
            }
            setup.threads += func.is_some() as isize - (*tstate).c_profilefunc.is_some() as isize;
            let events = if setup.threads > 0 { PROFILE_EVENTS } else { 0 };
            (*tstate).c_profilefunc = func;
            setref(&raw mut (*tstate).c_profileobj, Py_XNewRef(arg));
            set_events(SYS_PROFILE_ID, events)
        };
        set().into_c()
    }
}

/// Sets a thread's trace function and its argument.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetTrace(tstate: *mut PyThreadState, func: Option<Py_tracefunc>, arg: *mut PyObject) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        let set = || -> PyResult<()> {
            check_status(PySys_Audit(c"sys.settrace".as_ptr(), core::ptr::null()))?;
            let setup = &mut *(&raw mut TRACE);
            if !setup.ready {
                setup_tracing()?;
                setup.ready = true;
            }
            setup.threads += func.is_some() as isize - (*tstate).c_tracefunc.is_some() as isize;
            let tracing = setup.threads > 0;
            (*tstate).c_tracefunc = func;
            setref(&raw mut (*tstate).c_traceobj, Py_XNewRef(arg));
            if tracing {
                let frame: *mut PyFrameObject = PyEval_GetFrame().cast();
                if !frame.is_null() && (*frame).f_trace_opcodes != 0 {
                    check_status(set_opcode_trace(frame, true))?;
                }
            }
            sync_version(tstate);
            set_events(SYS_TRACE_ID, if tracing { TRACE_EVENTS } else { 0 })
        };
        set().into_c()
    }
}

/// Reports a failure that the caller cannot be told of.
unsafe fn report(status: c_int, function: &core::ffi::CStr) {
    if status < 0 {
        // SAFETY: [EXC]
        unsafe { PyErr_FormatUnraisable(c"Exception ignored in %s".as_ptr(), function.as_ptr()) };
    }
}

/// Sets the running thread's profile function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetProfile(func: Option<Py_tracefunc>, arg: *mut PyObject) {
    // SAFETY: [GIL]
    unsafe { report(_PyEval_SetProfile(current_tstate(), func, arg), c"PyEval_SetProfile") }
}
/// Sets all threads' profile function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetProfileAllThreads(func: Option<Py_tracefunc>, arg: *mut PyObject) {
    // SAFETY: [GIL]
    unsafe { each_thread(current_tstate(), |t| report(_PyEval_SetProfile(t, func, arg), c"PyEval_SetProfileAllThreads")) }
}
/// Sets the running thread's trace function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetTrace(func: Option<Py_tracefunc>, arg: *mut PyObject) {
    // SAFETY: [GIL]
    unsafe { report(_PyEval_SetTrace(current_tstate(), func, arg), c"PyEval_SetTrace") }
}
/// Sets all threads' trace function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetTraceAllThreads(func: Option<Py_tracefunc>, arg: *mut PyObject) {
    // SAFETY: [GIL]
    unsafe { each_thread(current_tstate(), |t| report(_PyEval_SetTrace(t, func, arg), c"PyEval_SetTraceAllThreads")) }
}
