//! Monitoring of running code (`sys.monitoring`, `sys.settrace`, `sys.setprofile`).

#![allow(clippy::missing_safety_doc, reason = "[GIL] [FRAME]")]

use crate::ceval_prelude::*;
use core::ffi::{c_int, c_void};

/// Numbers of the events of `sys.monitoring`.
pub const PY_MONITORING_EVENT_PY_START: c_int = 0;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_PY_RESUME: c_int = 1;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_PY_RETURN: c_int = 2;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_PY_YIELD: c_int = 3;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_CALL: c_int = 4;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_LINE: c_int = 5;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_INSTRUCTION: c_int = 6;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_JUMP: c_int = 7;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_BRANCH: c_int = 8;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_STOP_ITERATION: c_int = 9;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_RAISE: c_int = 10;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_EXCEPTION_HANDLED: c_int = 11;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_PY_UNWIND: c_int = 12;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_PY_THROW: c_int = 13;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_RERAISE: c_int = 14;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_C_RETURN: c_int = 15;
/// See [`PY_MONITORING_EVENT_PY_START`].
pub const PY_MONITORING_EVENT_C_RAISE: c_int = 16;

pub unsafe fn base_opcode(code: *mut PyCodeObject, i: usize) -> u8 {
    unsafe { crate::generated::opcode_metadata::DEOPT[opcode_of(code.code_start().add(i)) as usize] }
}
pub unsafe fn free_monitoring_data(_data: *mut c_void) {}
pub unsafe fn original_line(_code: *mut PyCodeObject, _unit: c_int) -> Option<c_int> { None }
pub unsafe fn set_opcode_trace(_f: *mut PyFrameObject, _on: bool) -> c_int { 0 }
pub unsafe fn _Py_Instrument(_code: *mut PyCodeObject, _interp: *mut PyInterpreterState) -> c_int { 0 }
pub unsafe fn call_instrumentation(_t: *mut PyThreadState, _e: c_int, _f: Frame, _i: *mut CodeUnit) -> c_int { 0 }
pub unsafe fn call_instrumentation_arg(_t: *mut PyThreadState, _e: c_int, _f: Frame, _i: *mut CodeUnit, _a: *mut PyObject) -> c_int { 0 }
pub unsafe fn call_instrumentation_jump(_t: *mut PyThreadState, _e: c_int, _f: Frame, _i: *mut CodeUnit, t: *mut CodeUnit) -> *mut CodeUnit { t }
pub unsafe fn call_instrumentation_instruction(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit) -> c_int { 0 }
pub unsafe fn call_instrumentation_line_event(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit) -> c_int { 0 }
pub unsafe fn monitor_raise(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit) {}
pub unsafe fn monitor_reraise(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit) {}
pub unsafe fn monitor_unwind(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit) {}
pub unsafe fn monitor_throw(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit) {}
pub unsafe fn monitor_handled(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit, _e: *mut PyObject) -> c_int { 0 }
pub unsafe fn monitor_end_send(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit, _r: *mut PyObject, _v: *mut PyObject) -> c_int { 0 }
pub unsafe fn monitor_end_for(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit, _r: *mut PyObject, _v: *mut PyObject) -> c_int { 0 }
pub unsafe fn monitor_call(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit, _b: *mut StackRef, _o: u32) -> c_int { 0 }
pub unsafe fn vectorcall_monitored(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit, c: *mut PyObject, a: *mut StackRef, n: usize, k: *mut PyObject) -> *mut PyObject { unsafe { vectorcall(c, a, n, k) } }
pub unsafe fn call_ex_monitored(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit, c: *mut PyObject, a: *mut PyObject, k: *mut PyObject) -> *mut PyObject { unsafe { PyObject_Call(c, a, k) } }
#[allow(clippy::too_many_arguments)]
pub unsafe fn load_super_attr_instrumented(_t: *mut PyThreadState, _f: Frame, _i: *mut CodeUnit, g: *mut PyObject, c: *mut PyObject, s: *mut PyObject, two: bool, n: *mut PyObject) -> *mut PyObject { unsafe { load_super_attr(g, c, s, two, n) } }
