//! The module `sys.monitoring`, and the C API for reporting events of code that is not Python's.

#![allow(clippy::missing_safety_doc, reason = "[GIL] [ARGS]: the contract of CPython's C API")]

use crate::defs::*;
use crate::instrumentation::*;
use core::ffi::{c_int, c_long};
use core::ptr::null_mut;
use taipan_abi::*;

const C_RETURN_EVENTS: u32 = 1 << PY_MONITORING_EVENT_C_RETURN | 1 << PY_MONITORING_EVENT_C_RAISE;
const C_CALL_EVENTS: u32 = C_RETURN_EVENTS | 1 << PY_MONITORING_EVENT_CALL;

/// An `int` argument of C's range.
unsafe fn int_arg(value: *mut PyObject) -> PyResult<c_int> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyLong_AsLong(value);
        if n == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        match c_int::try_from(n) {
            Ok(n) => Ok(n),
            Err(_) => bail!(PyExc_OverflowError, "Python int too large to convert to C int"),
        }
    }
}

/// A tool that Python code may use.
unsafe fn tool_arg(value: *mut PyObject) -> PyResult<usize> {
    // SAFETY: [ARGS]
    let tool = unsafe { int_arg(value)? };
    if tool < 0 || tool as usize >= SYS_PROFILE_ID {
        bail!(PyExc_ValueError, "invalid tool {tool} (must be between 0 and 5)");
    }
    Ok(tool as usize)
}

unsafe fn none() -> PyResult<Owned> {
    // SAFETY: [IMMORTAL]
    Ok(unsafe { Owned::from_borrowed(Py_None()) })
}

unsafe fn number(n: u32) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyLong_FromLong(n as c_long)) }
}

/// Declares METH_FASTCALL functions with a fixed number of arguments.
macro_rules! functions {
    ($($name:ident($text:literal, $n:literal) |$args:ident| $body:block)*) => { $(
        unsafe extern "C" fn $name(_: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe {
                if _PyArg_CheckPositional(concat!($text, "\0").as_ptr().cast(), nargs, $n, $n) == 0 {
                    return null_mut();
                }
                let $args = core::slice::from_raw_parts(args, $n);
                let body = || -> PyResult<Owned> { $body };
                body().into_c()
            }
        }
    )* };
}

functions! {
    use_tool_id("use_tool_id", 2) |args| {
        let tool = tool_arg(args[0])?;
        if PyUnicode_Check(args[1]) == 0 {
            bail!(PyExc_ValueError, "tool name must be a str");
        }
        if !state().tool_names[tool].is_null() {
            bail!(PyExc_ValueError, "tool {tool} is already in use");
        }
        state().tool_names[tool] = Py_NewRef(args[1]);
        none()
    }
    get_tool("get_tool", 1) |args| {
        let name = state().tool_names[tool_arg(args[0])?];
        Ok(Owned::from_borrowed(if name.is_null() { Py_None() } else { name }))
    }
    free_tool_id("free_tool_id", 1) |args| {
        let tool = tool_arg(args[0])?;
        let old = core::mem::replace(&mut state().tool_names[tool], null_mut());
        Py_XDECREF(old);
        none()
    }
    register_callback_py("register_callback", 3) |args| {
        let tool = tool_arg(args[0])?;
        let event = int_arg(args[1])?;
        if event.count_ones() != 1 {
            bail!(PyExc_ValueError, "The callback can only be set for one event at a time");
        }
        let id = event.trailing_zeros() as usize;
        if id >= EVENTS {
            bail!(PyExc_ValueError, "invalid event {event}");
        }
        check_status(PySys_Audit(c"sys.monitoring.register_callback".as_ptr(), c"O".as_ptr(), args[2]))?;
        let callback = if args[2] == Py_None() { null_mut() } else { args[2] };
        match Owned::from_owned_or_opt(register_callback(tool, id, callback)) {
            Some(old) => Ok(old),
            None => none(),
        }
    }
    get_events_py("get_events", 1) |args| {
        number(get_events(tool_arg(args[0])?))
    }
    set_events_py("set_events", 2) |args| {
        let tool = tool_arg(args[0])?;
        let events = int_arg(args[1])?;
        if !(0..1 << EVENTS).contains(&events) {
            bail!(PyExc_ValueError, "invalid event set 0x{events:x}");
        }
        set_events(tool, without_returns(events as u32)?)?;
        none()
    }
    get_local_events_py("get_local_events", 2) |args| {
        let code = code_arg(args[1])?;
        number(get_local_events(code, tool_arg(args[0])?))
    }
    set_local_events_py("set_local_events", 3) |args| {
        let code = code_arg(args[1])?;
        let tool = tool_arg(args[0])?;
        let events = without_returns(int_arg(args[2])? as u32)?;
        if events >= 1 << LOCAL_EVENTS {
            bail!(PyExc_ValueError, "invalid local event set 0x{events:x}");
        }
        set_local_events(code, tool, events)?;
        none()
    }
}

unsafe fn code_arg(value: *mut PyObject) -> PyResult<*mut PyCodeObject> {
    // SAFETY: [ARGS]
    unsafe {
        if Py_TYPE(value) != &raw mut PyCode_Type {
            bail!(PyExc_TypeError, "code must be a code object");
        }
        Ok(value.cast())
    }
}

/// C_RETURN and C_RAISE come with CALL and are not kept.
fn without_returns(events: u32) -> PyResult<u32> {
    if events & C_RETURN_EVENTS != 0 && events & C_CALL_EVENTS != C_CALL_EVENTS {
        bail!(PyExc_ValueError, "cannot set C_RETURN or C_RAISE events independently");
    }
    Ok(events & !C_RETURN_EVENTS)
}

unsafe extern "C" fn restart_events_py(_: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { restart_events().and_then(|()| none()).into_c() }
}

unsafe extern "C" fn all_events(_: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        let build = || -> PyResult<Owned> {
            let dict = Owned::from_owned_or_err(PyDict_New())?;
            for (event, tools) in state().tools.iter().enumerate().filter(|(_, t)| **t != 0) {
                let name = EVENT_NAMES[event];
                let key = Owned::from_owned_or_err(PyUnicode_FromStringAndSize(name.as_ptr().cast(), name.len() as isize))?;
                check_status(PyDict_SetItem(dict.as_ptr(), key.as_ptr(), number(*tools as u32)?.as_ptr()))?;
            }
            Ok(dict)
        };
        build().into_c()
    }
}

static METHODS: Table<PyMethodDef, 11> = Table::new([
    fast(c"use_tool_id", use_tool_id, c"use_tool_id($module, tool_id, name, /)\n--\n\nReserve a tool id."),
    fast(c"free_tool_id", free_tool_id, c"free_tool_id($module, tool_id, /)\n--\n\nGive a tool id back."),
    fast(c"get_tool", get_tool, c"get_tool($module, tool_id, /)\n--\n\nName of the tool, or None if the id is free."),
    fast(c"register_callback", register_callback_py, c"register_callback($module, tool_id, event, func, /)\n--\n\nSet the callback for an event and return the old one."),
    fast(c"get_events", get_events_py, c"get_events($module, tool_id, /)\n--\n\nThe events that the tool wants everywhere."),
    fast(c"set_events", set_events_py, c"set_events($module, tool_id, event_set, /)\n--\n\nSet the events that the tool wants everywhere."),
    fast(c"get_local_events", get_local_events_py, c"get_local_events($module, tool_id, code, /)\n--\n\nThe events that the tool wants of a code object."),
    fast(c"set_local_events", set_local_events_py, c"set_local_events($module, tool_id, code, event_set, /)\n--\n\nSet the events that the tool wants of a code object."),
    noargs(c"restart_events", restart_events_py, c"restart_events($module, /)\n--\n\nTake back everything that callbacks have disabled."),
    noargs(c"_all_events", all_events, c"_all_events($module, /)\n--\n\nThe tools that want each event (internal)."),
    END,
]);

/// The module object `sys.monitoring`, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CreateMonitoringObject() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        let build = || -> PyResult<Owned> {
            let module = Owned::from_owned_or_err(PyModule_New(c"sys.monitoring".as_ptr()))?;
            check_status(PyModule_AddFunctions(module.as_ptr(), METHODS.ptr()))?;
            let set = |object: &Owned, name: &core::ffi::CStr, value: *mut PyObject| {
                check_status(PyObject_SetAttrString(object.as_ptr(), name.as_ptr(), value))
            };
            set(&module, c"DISABLE", &raw mut _PyInstrumentation_DISABLE)?;
            set(&module, c"MISSING", &raw mut _PyInstrumentation_MISSING)?;
            for (name, id) in [(c"DEBUGGER_ID", 0), (c"COVERAGE_ID", 1), (c"PROFILER_ID", 2), (c"OPTIMIZER_ID", 5)] {
                set(&module, name, number(id)?.as_ptr())?;
            }
            let events = Owned::from_owned_or_err(_PyNamespace_New(null_mut()))?;
            for (id, name) in EVENT_NAMES.iter().enumerate() {
                let key = Owned::from_owned_or_err(PyUnicode_FromStringAndSize(name.as_ptr().cast(), name.len() as isize))?;
                check_status(PyObject_SetAttr(events.as_ptr(), key.as_ptr(), number(1 << id)?.as_ptr()))?;
            }
            set(&events, c"NO_EVENTS", number(0)?.as_ptr())?;
            set(&module, c"events", events.as_ptr())?;
            Ok(module)
        };
        build().into_c()
    }
}

// ---- C API

/// What an extension keeps for each kind of event of a scope.
#[repr(C)]
pub struct PyMonitoringState {
    active: u8,
    opaque: u8,
}

/// Brings the states of a scope up to date.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMonitoring_EnterScope(
    states: *mut PyMonitoringState,
    version: *mut u64,
    event_types: *const u8,
    length: Py_ssize_t,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let current = instrumentation_version() as u64;
        if *version != current {
            for i in 0..length as usize {
                (*states.add(i)).active = state().tools.get(*event_types.add(i) as usize).copied().unwrap_or(0);
            }
            *version = current;
        }
        0
    }
}

/// Leaves a scope.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMonitoring_ExitScope() -> c_int {
    0
}

macro_rules! fire {
    ($($name:ident($($arg:ident),*): $event:ident;)*) => { $(
        #[doc = concat!("Reports `", stringify!($event), "`.")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(state: *mut PyMonitoringState, codelike: *mut PyObject, offset: i32 $(, $arg: *mut PyObject)*) -> c_int {
            // SAFETY: [ARGS]
            unsafe { fire_event(&mut (*state).active, codelike, offset, None, &[$($arg),*], $event).into_c() }
        }
    )* };
}
fire! {
    _PyMonitoring_FirePyStartEvent(): PY_MONITORING_EVENT_PY_START;
    _PyMonitoring_FirePyResumeEvent(): PY_MONITORING_EVENT_PY_RESUME;
    _PyMonitoring_FirePyReturnEvent(retval): PY_MONITORING_EVENT_PY_RETURN;
    _PyMonitoring_FirePyYieldEvent(retval): PY_MONITORING_EVENT_PY_YIELD;
    _PyMonitoring_FireCallEvent(callable, arg0): PY_MONITORING_EVENT_CALL;
    _PyMonitoring_FireJumpEvent(target_offset): PY_MONITORING_EVENT_JUMP;
    _PyMonitoring_FireBranchEvent(target_offset): PY_MONITORING_EVENT_BRANCH;
    _PyMonitoring_FireCReturnEvent(retval): PY_MONITORING_EVENT_C_RETURN;
}

macro_rules! fire_exception {
    ($($name:ident: $event:ident;)*) => { $(
        #[doc = concat!("Reports `", stringify!($event), "` for the exception that is set.")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(state: *mut PyMonitoringState, codelike: *mut PyObject, offset: i32) -> c_int {
            // SAFETY: [ARGS]
            unsafe { fire_exception_event(&mut (*state).active, codelike, offset, $event).into_c() }
        }
    )* };
}
fire_exception! {
    _PyMonitoring_FirePyThrowEvent: PY_MONITORING_EVENT_PY_THROW;
    _PyMonitoring_FireRaiseEvent: PY_MONITORING_EVENT_RAISE;
    _PyMonitoring_FireReraiseEvent: PY_MONITORING_EVENT_RERAISE;
    _PyMonitoring_FireExceptionHandledEvent: PY_MONITORING_EVENT_EXCEPTION_HANDLED;
    _PyMonitoring_FireCRaiseEvent: PY_MONITORING_EVENT_C_RAISE;
    _PyMonitoring_FirePyUnwindEvent: PY_MONITORING_EVENT_PY_UNWIND;
}

/// Reports `LINE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_FireLineEvent(state: *mut PyMonitoringState, codelike: *mut PyObject, offset: i32, lineno: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(line) = Owned::from_owned_or_err(PyLong_FromLong(lineno as c_long)) else { return -1 };
        fire_event(&mut (*state).active, codelike, offset, Some(line.as_ptr()), &[], PY_MONITORING_EVENT_LINE).into_c()
    }
}

/// Reports `STOP_ITERATION` with a value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_FireStopIterationEvent(state: *mut PyMonitoringState, codelike: *mut PyObject, offset: i32, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_SetObject(PyExc_StopIteration, value);
        let status = fire_exception_event(&mut (*state).active, codelike, offset, PY_MONITORING_EVENT_STOP_ITERATION).into_c();
        if status == 0 {
            PyErr_Clear();
        }
        status
    }
}
