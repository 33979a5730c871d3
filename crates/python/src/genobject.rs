//! Generators, coroutines, asynchronous generators, and the awaitables that these hand out.
//!
//! All three are [`PyGenObject`]s with the frame inside. The frame is evaluated in place; `gi_frame_state` says whether
//! it may be.

#![allow(clippy::missing_safety_doc, reason = "[GIL] [ARGS]: the contract of CPython's C API")]

use crate::ceval::eval_frame;
use crate::ceval_prelude::{
    CodeUnit, FRAME_CLEARED, FRAME_COMPLETED, FRAME_CREATED, FRAME_EXECUTING, FRAME_SUSPENDED, FRAME_SUSPENDED_YIELD_FROM,
    RESUME, RESUME_CHECK, opcode_of, oparg_of, tuple_items,
};
use crate::defs::*;
use crate::externs::*;
use crate::frame::*;
use crate::generated::opcode_ids::INSTRUMENTED_RESUME;
use crate::instrumentation::monitor_raise;
use crate::stackref::*;
use core::ffi::{CStr, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_objects::typeobject::TYPE_INIT;

const NON_INIT_CORO_MSG: &CStr = c"can't send non-None value to a just-started coroutine";
const ASYNC_GEN_IGNORED_EXIT_MSG: &CStr = c"async generator ignored GeneratorExit";
/// Bit of RESUME's operand: no handler but the outermost one is active.
const RESUME_OPARG_DEPTH1_MASK: u32 = 4;

/// The frame inside a generator.
#[inline(always)]
pub unsafe fn gen_frame(g: *mut PyGenObject) -> Frame {
    // SAFETY: [LAYOUT]
    unsafe { (&raw mut (*g).gi_iframe).cast() }
}

#[inline(always)]
unsafe fn gen_code(g: *mut PyGenObject) -> *mut PyCodeObject {
    // SAFETY: the code is kept until the generator goes away.
    unsafe { gen_frame(g).code() }
}

fn suspended(state: i8) -> bool {
    state == FRAME_SUSPENDED || state == FRAME_SUSPENDED_YIELD_FROM
}

unsafe fn is_exactly(op: *mut PyObject, tp: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { Py_TYPE(op) == tp }
}

unsafe fn is_gen(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_exactly(op, &raw mut PyGen_Type) }
}
unsafe fn is_coro(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_exactly(op, &raw mut PyCoro_Type) }
}
unsafe fn is_async_gen(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_exactly(op, &raw mut PyAsyncGen_Type) }
}

/// The message for a generator, a coroutine or an asynchronous generator.
unsafe fn by_kind(g: *mut PyGenObject, gen_msg: &'static CStr, coro: &'static CStr, agen: &'static CStr) -> *const core::ffi::c_char {
    // SAFETY: [ARGS]
    unsafe {
        if is_coro(g.cast()) {
            coro.as_ptr()
        } else if is_async_gen(g.cast()) {
            agen.as_ptr()
        } else {
            gen_msg.as_ptr()
        }
    }
}

// ---- for the interpreter

/// Makes a suspended or new generator ready to run with `value` (consumed) as the result of its `yield`.
#[inline(always)]
pub unsafe fn gen_resume(tstate: *mut PyThreadState, g: *mut PyGenObject, value: StackRef) -> Frame {
    // SAFETY: [FRAME]
    unsafe {
        let frame = gen_frame(g);
        let sp = frame.saved_sp();
        *sp = value;
        frame.set_sp(sp.add(1));
        (*g).gi_frame_state = FRAME_EXECUTING;
        (*g).gi_exc_state.previous_item = (*tstate).exc_info;
        (*tstate).exc_info = &raw mut (*g).gi_exc_state;
        frame
    }
}

/// Suspends the generator that `frame` is in and makes its caller current; returns the caller.
#[inline(always)]
pub unsafe fn gen_suspend(tstate: *mut PyThreadState, frame: Frame, sp: *mut StackRef, oparg: u32) -> Frame {
    // SAFETY: [FRAME]
    unsafe {
        let g = frame.generator();
        (*g).gi_frame_state = FRAME_SUSPENDED + oparg as i8;
        frame.set_sp(sp);
        (*tstate).exc_info = (*g).gi_exc_state.previous_item;
        (*g).gi_exc_state.previous_item = null_mut();
        (*tstate).py_recursion_remaining += 1;
        let caller = (*frame).previous;
        (*tstate).current_frame = caller;
        (*frame).previous = null_mut();
        caller
    }
}

/// Moves the frame of a generator function into its new generator and makes the caller current; returns the caller.
pub unsafe fn gen_adopt_frame(
    tstate: *mut PyThreadState,
    g: *mut PyGenObject,
    frame: Frame,
    next_instr: *mut CodeUnit,
    sp: *mut StackRef,
) -> Frame {
    // SAFETY: [FRAME]
    unsafe {
        (*frame).instr_ptr = next_instr;
        frame.set_sp(sp);
        let target = gen_frame(g);
        frame_move(frame, target, FRAME_OWNED_BY_GENERATOR);
        if !(*target).frame_obj.is_null() {
            (*(*target).frame_obj).f_frame = target;
        }
        (*g).gi_frame_state = FRAME_CREATED;
        (*tstate).py_recursion_remaining += 1;
        let caller = (*frame).previous;
        pop_data_stack(tstate, frame);
        (*tstate).current_frame = caller;
        caller
    }
}

unsafe fn new_generator(tp: *mut PyTypeObject, code: *mut PyCodeObject, name: *mut PyObject, qualname: *mut PyObject) -> *mut PyGenObject {
    // SAFETY: [ARGS] the frame is filled in by the caller before anybody sees it.
    unsafe {
        let g: *mut PyGenObject = _PyObject_GC_NewVar(tp, ((*code).co_framesize as usize - FRAME_HEADER_WORDS) as Py_ssize_t).cast();
        if g.is_null() {
            return null_mut();
        }
        (*g).gi_frame_state = FRAME_CLEARED;
        (*g).gi_weakreflist = null_mut();
        (*g).gi_exc_state.exc_value = null_mut();
        (*g).gi_exc_state.previous_item = null_mut();
        (*g).gi_origin_or_finalizer = null_mut();
        (*g).gi_hooks_inited = 0;
        (*g).gi_closed = 0;
        (*g).gi_running_async = 0;
        (*g).gi_name = Py_NewRef(name);
        (*g).gi_qualname = Py_NewRef(qualname);
        g
    }
}

/// The generator, coroutine or asynchronous generator for a call of `func`; its frame is still to be moved in.
pub unsafe fn make_coro(func: *mut PyFunctionObject) -> *mut PyGenObject {
    // SAFETY: [ARGS]
    unsafe {
        let code: *mut PyCodeObject = (*func).func_code.cast();
        let flags = (*code).co_flags;
        let tp = if flags & CO_ASYNC_GENERATOR != 0 {
            &raw mut PyAsyncGen_Type
        } else if flags & CO_COROUTINE != 0 {
            &raw mut PyCoro_Type
        } else {
            &raw mut PyGen_Type
        };
        let g = new_generator(tp, code, (*func).func_name, (*func).func_qualname);
        if g.is_null() {
            return null_mut();
        }
        // Enough of a frame for the collector and for dealloc, should the origin fail.
        let frame = gen_frame(g);
        (*frame).f_executable = Py_NewRef(code.cast());
        PyObject_GC_Track(g.cast());
        if tp == &raw mut PyCoro_Type {
            let tstate = current_tstate();
            let depth = (*tstate).coroutine_origin_tracking_depth;
            if depth > 0 {
                let origin = compute_cr_origin(depth, first_complete((*(*tstate).current_frame).previous));
                if origin.is_null() {
                    Py_DECREF(g.cast());
                    return null_mut();
                }
                (*g).gi_origin_or_finalizer = origin;
            }
        }
        Py_DECREF(code.cast());
        g
    }
}

unsafe fn compute_cr_origin(depth: c_int, frame: Frame) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let mut frames = Vec::new();
        let mut f = frame;
        while !f.is_null() && (frames.len() as c_int) < depth {
            frames.push(f);
            f = first_complete((*f).previous);
        }
        let origin = PyTuple_New(frames.len() as isize);
        if origin.is_null() {
            return null_mut();
        }
        for (i, f) in frames.into_iter().enumerate() {
            let code = f.code();
            let line = PyLong_FromLong(crate::frameobject::PyUnstable_InterpreterFrame_GetLine(f) as core::ffi::c_long);
            let entry = if line.is_null() { null_mut() } else { PyTuple_Pack(3, (*code).co_filename, line, (*code).co_name) };
            Py_XDECREF(line);
            if entry.is_null() {
                Py_DECREF(origin);
                return null_mut();
            }
            *tuple_items(origin).add(i) = entry;
        }
        origin
    }
}

// ---- running from C

/// Runs a generator. `arg` is NULL for iteration. `Ok(Err(value))` is a return (value NULL from iteration of a generator
/// that returned None), `Ok(Ok(value))` a yield.
unsafe fn gen_send_ex2(g: *mut PyGenObject, arg: *mut PyObject, exc: bool, closing: bool) -> PyResult<Result<*mut PyObject, *mut PyObject>> {
    // SAFETY: [FRAME] the state says that the frame may run.
    unsafe {
        let tstate = current_tstate();
        let state = (*g).gi_frame_state;
        if state == FRAME_CREATED && !arg.is_null() && arg != Py_None() {
            let msg = by_kind(
                g,
                c"can't send non-None value to a just-started generator",
                NON_INIT_CORO_MSG,
                c"can't send non-None value to a just-started async generator",
            );
            PyErr_SetString(PyExc_TypeError, msg);
            return Err(Raised::assume());
        }
        if state == FRAME_EXECUTING {
            let msg = by_kind(g, c"generator already executing", c"coroutine already executing", c"async generator already executing");
            PyErr_SetString(PyExc_ValueError, msg);
            return Err(Raised::assume());
        }
        if frame_state_finished(state) {
            if is_coro(g.cast()) && !closing {
                PyErr_SetString(PyExc_RuntimeError, c"cannot reuse already awaited coroutine".as_ptr());
            } else if !arg.is_null() && !exc {
                return Ok(Err(Py_NewRef(Py_None())));
            }
            return Err(Raised::assume());
        }
        let value = if arg.is_null() { StackRef::none() } else { StackRef::from_new(arg) };
        let frame = gen_resume(tstate, g, value);
        if exc {
            chain_stack_item(tstate);
        }
        let mut result = eval_frame(tstate, frame, exc);
        if result.is_null() {
            return Err(Raised::assume());
        }
        if suspended((*g).gi_frame_state) {
            return Ok(Ok(result));
        }
        if result == Py_None() && arg.is_null() && !is_async_gen(g.cast()) {
            result = null_mut();
        }
        Ok(Err(result))
    }
}

/// Gives the exception being thrown in the one being handled as its context.
unsafe fn chain_stack_item(tstate: *mut PyThreadState) {
    // SAFETY: [EXC]
    unsafe {
        let handled = (*(*tstate).exc_info).exc_value;
        if handled.is_null() || handled == Py_None() {
            return;
        }
        let exc = PyErr_GetRaisedException();
        PyErr_SetObject(Py_TYPE(exc).cast(), exc);
        Py_DECREF(exc);
    }
}

/// `am_send` of generators.
unsafe extern "C" fn gen_am_send(slf: *mut PyObject, arg: *mut PyObject, result: *mut *mut PyObject) -> PySendResult {
    // SAFETY: [ARGS]
    unsafe {
        *result = null_mut();
        match gen_send_ex2(slf.cast(), arg, false, false) {
            Ok(Ok(value)) => {
                *result = value;
                PySendResult::PYGEN_NEXT
            }
            Ok(Err(value)) if !value.is_null() => {
                *result = value;
                PySendResult::PYGEN_RETURN
            }
            _ => PySendResult::PYGEN_ERROR,
        }
    }
}

/// Runs a generator: a yielded value, or NULL with StopIteration (StopAsyncIteration) or another exception.
unsafe fn gen_send_ex(g: *mut PyGenObject, arg: *mut PyObject, exc: bool, closing: bool) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match gen_send_ex2(g, arg, exc, closing) {
            Ok(Ok(value)) => value,
            Ok(Err(value)) => {
                if is_async_gen(g.cast()) {
                    PyErr_SetNone(PyExc_StopAsyncIteration);
                } else if value == Py_None() {
                    PyErr_SetNone(PyExc_StopIteration);
                } else if !value.is_null() {
                    _PyGen_SetStopIterationValue(value);
                }
                Py_XDECREF(value);
                null_mut()
            }
            Err(_) => null_mut(),
        }
    }
}

unsafe extern "C" fn gen_send(slf: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { gen_send_ex(slf.cast(), arg, false, false) }
}

unsafe extern "C" fn gen_iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match gen_send_ex2(slf.cast(), null_mut(), false, false) {
            Ok(Ok(value)) => value,
            Ok(Err(value)) => {
                if !value.is_null() {
                    if value != Py_None() {
                        _PyGen_SetStopIterationValue(value);
                    }
                    Py_DECREF(value);
                }
                null_mut()
            }
            Err(_) => null_mut(),
        }
    }
}

/// SEND to anything: the value, with `finished` set if it is the result. NULL with an exception.
pub unsafe fn send_generic(
    tstate: *mut PyThreadState,
    frame: Frame,
    this_instr: *mut CodeUnit,
    receiver: *mut PyObject,
    v: *mut PyObject,
    finished: &mut bool,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut result = if v == Py_None() && PyIter_Check(receiver) != 0 {
            crate::ceval_ops::iter_next(receiver)
        } else {
            PyObject_CallMethodOneArg(receiver, intern!("send"), v)
        };
        if result.is_null() {
            if PyErr_ExceptionMatches(PyExc_StopIteration) != 0 {
                monitor_raise(tstate, frame, this_instr);
            }
            if _PyGen_FetchStopIterationValue(&mut result) < 0 {
                return null_mut();
            }
            *finished = true;
        }
        result
    }
}

/// Raises StopIteration with any value (NULL: none).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyGen_SetStopIterationValue(value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let exc = if value.is_null() { PyObject_CallNoArgs(PyExc_StopIteration) } else { PyObject_CallOneArg(PyExc_StopIteration, value) };
        if exc.is_null() {
            return -1;
        }
        PyErr_SetRaisedException(exc);
        0
    }
}

/// Takes the value out of the StopIteration that is set (None if there is no exception); -1 for another exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyGen_FetchStopIterationValue(pvalue: *mut *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut value = null_mut();
        if err_occurred() {
            if PyErr_ExceptionMatches(PyExc_StopIteration) == 0 {
                return -1;
            }
            let exc = PyErr_GetRaisedException();
            value = Py_XNewRef((*exc.cast::<PyStopIterationObject>()).value);
            Py_DECREF(exc);
        }
        *pvalue = if value.is_null() { Py_NewRef(Py_None()) } else { value };
        0
    }
}

/// What a generator is delegating to by `yield from` or `await`, new; NULL without exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyGen_yf(g: *mut PyGenObject) -> *mut PyObject {
    // SAFETY: [FRAME] suspended: the top of the stack is the iterator.
    unsafe {
        if (*g).gi_frame_state != FRAME_SUSPENDED_YIELD_FROM {
            return null_mut();
        }
        Py_NewRef((*gen_frame(g).saved_sp().sub(1)).as_ptr())
    }
}

/// Runs `f` with the generator marked as executing.
unsafe fn while_executing<T>(g: *mut PyGenObject, f: impl FnOnce() -> T) -> T {
    // SAFETY: [ARGS]
    unsafe {
        let state = (*g).gi_frame_state;
        (*g).gi_frame_state = FRAME_EXECUTING;
        let result = f();
        (*g).gi_frame_state = state;
        result
    }
}

/// Closes what a generator delegates to.
unsafe fn gen_close_iter(yf: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let result = if is_gen(yf) || is_coro(yf) {
            gen_close(yf, null_mut())
        } else {
            let mut meth = null_mut();
            if PyObject_GetOptionalAttr(yf, intern!("close"), &mut meth) < 0 {
                PyErr_WriteUnraisable(yf);
            }
            if meth.is_null() {
                return 0;
            }
            let result = PyObject_CallNoArgs(meth);
            Py_DECREF(meth);
            result
        };
        if result.is_null() {
            return -1;
        }
        Py_DECREF(result);
        0
    }
}

unsafe extern "C" fn gen_close(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let g: *mut PyGenObject = slf.cast();
        if (*g).gi_frame_state == FRAME_CREATED {
            (*g).gi_frame_state = FRAME_COMPLETED;
            return Py_NewRef(Py_None());
        }
        if frame_state_finished((*g).gi_frame_state) {
            return Py_NewRef(Py_None());
        }
        let mut status = 0;
        let yf = _PyGen_yf(g);
        if !yf.is_null() {
            status = while_executing(g, || gen_close_iter(yf));
            Py_DECREF(yf);
        }
        let frame = gen_frame(g);
        let opcode = opcode_of((*frame).instr_ptr);
        let at_resume = opcode == RESUME || opcode == RESUME_CHECK || opcode == INSTRUMENTED_RESUME;
        if at_resume && suspended((*g).gi_frame_state) && oparg_of((*frame).instr_ptr) & RESUME_OPARG_DEPTH1_MASK != 0 {
            // Only the compiler's own handler would see the GeneratorExit.
            (*g).gi_frame_state = FRAME_COMPLETED;
            clear_locals(frame);
            return Py_NewRef(Py_None());
        }
        if status == 0 {
            PyErr_SetNone(PyExc_GeneratorExit);
        }
        let yielded = gen_send_ex(g, Py_None(), true, true);
        if !yielded.is_null() {
            Py_DECREF(yielded);
            let msg = by_kind(g, c"generator ignored GeneratorExit", c"coroutine ignored GeneratorExit", ASYNC_GEN_IGNORED_EXIT_MSG);
            PyErr_SetString(PyExc_RuntimeError, msg);
            return null_mut();
        }
        if PyErr_ExceptionMatches(PyExc_GeneratorExit) != 0 {
            PyErr_Clear();
            return Py_NewRef(Py_None());
        }
        let mut value = null_mut();
        if _PyGen_FetchStopIterationValue(&mut value) == 0 { value } else { null_mut() }
    }
}

/// Throws into a generator; `close_on_genexit`: GeneratorExit closes what it delegates to.
unsafe fn gen_throw_impl(g: *mut PyGenObject, close_on_genexit: bool, typ: *mut PyObject, val: *mut PyObject, tb: *mut PyObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let yf = _PyGen_yf(g);
        if yf.is_null() {
            return throw_here(g, typ, val, tb);
        }
        let yf = Owned::from_owned(yf);
        if close_on_genexit && PyErr_GivenExceptionMatches(typ, PyExc_GeneratorExit) != 0 {
            let status = while_executing(g, || gen_close_iter(yf.as_ptr()));
            drop(yf);
            if status < 0 {
                return gen_send_ex(g, Py_None(), true, false);
            }
            return throw_here(g, typ, val, tb);
        }
        let result = if is_gen(yf.as_ptr()) || is_coro(yf.as_ptr()) {
            // The delegating frame must show in tracebacks, though the loop does not run it.
            let tstate = current_tstate();
            let frame = gen_frame(g);
            let previous = (*tstate).current_frame;
            (*frame).previous = previous;
            (*tstate).current_frame = frame;
            let result = while_executing(g, || gen_throw_impl(yf.as_ptr().cast(), close_on_genexit, typ, val, tb));
            (*tstate).current_frame = previous;
            (*frame).previous = null_mut();
            result
        } else {
            let mut meth = null_mut();
            if PyObject_GetOptionalAttr(yf.as_ptr(), intern!("throw"), &mut meth) < 0 {
                return null_mut();
            }
            if meth.is_null() {
                drop(yf);
                return throw_here(g, typ, val, tb);
            }
            let args = [typ, val, tb];
            let nargs = args.iter().position(|a| a.is_null()).unwrap_or(3);
            let result = while_executing(g, || PyObject_Vectorcall(meth, args.as_ptr(), nargs, null_mut()));
            Py_DECREF(meth);
            result
        };
        drop(yf);
        if result.is_null() { gen_send_ex(g, Py_None(), true, false) } else { result }
    }
}

unsafe fn throw_here(g: *mut PyGenObject, typ: *mut PyObject, val: *mut PyObject, tb: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut tb = if tb == Py_None() { null_mut() } else { tb };
        if !tb.is_null() && PyTraceBack_Check(tb) == 0 {
            PyErr_SetString(PyExc_TypeError, c"throw() third argument must be a traceback object".as_ptr());
            return null_mut();
        }
        if PyExceptionClass_Check(typ) != 0 {
            let (mut t, mut v) = (Py_NewRef(typ), Py_XNewRef(val));
            tb = Py_XNewRef(tb);
            #[allow(deprecated, reason = "the semantics of throw() with a class")]
            {
                PyErr_NormalizeException(&mut t, &mut v, &mut tb);
                PyErr_Restore(t, v, tb);
            }
        } else if PyExceptionInstance_Check(typ) != 0 {
            if !val.is_null() && val != Py_None() {
                PyErr_SetString(PyExc_TypeError, c"instance exception may not have a separate value".as_ptr());
                return null_mut();
            }
            if !tb.is_null() {
                PyException_SetTraceback(typ, tb);
            }
            PyErr_SetRaisedException(Py_NewRef(typ));
        } else {
            let format = c"exceptions must be classes or instances deriving from BaseException, not %s";
            PyErr_Format(PyExc_TypeError, format.as_ptr(), (*Py_TYPE(typ)).tp_name);
            return null_mut();
        }
        gen_send_ex(g, Py_None(), true, false)
    }
}

unsafe extern "C" fn gen_throw(slf: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if _PyArg_CheckPositional(c"throw".as_ptr(), nargs, 1, 3) == 0 {
            return null_mut();
        }
        if nargs > 1 {
            let text = c"the (type, exc, tb) signature of throw() is deprecated, use the single-arg signature instead.";
            if PyErr_WarnEx(PyExc_DeprecationWarning, text.as_ptr(), 1) < 0 {
                return null_mut();
            }
        }
        let arg = |i: isize| if i < nargs { *args.offset(i) } else { null_mut() };
        gen_throw_impl(slf.cast(), true, arg(0), arg(1), arg(2))
    }
}

// ---- life and death

unsafe extern "C" fn gen_traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [FRAME] an executing frame's slots are the running program's, not the generator's.
    unsafe {
        let g: *mut PyGenObject = slf.cast();
        py_visit!(visit, arg; (*g).gi_name, (*g).gi_qualname);
        if is_async_gen(slf) || is_coro(slf) {
            py_visit!(visit, arg; (*g).gi_origin_or_finalizer);
        }
        let state = (*g).gi_frame_state;
        if state < FRAME_CLEARED && state != FRAME_EXECUTING {
            let r = frame_traverse(gen_frame(g), visit, arg);
            if r != 0 {
                return r;
            }
        } else if state == FRAME_CLEARED {
            py_visit!(visit, arg; (*gen_frame(g)).f_executable);
        }
        py_visit!(visit, arg; (*g).gi_exc_state.exc_value);
        0
    }
}

/// `tp_finalize`: closes a generator that nobody refers to any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyGen_Finalize(slf: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let g: *mut PyGenObject = slf.cast();
        if frame_state_finished((*g).gi_frame_state) {
            return;
        }
        let exc = PyErr_GetRaisedException();
        if is_async_gen(slf) {
            let finalizer = (*g).gi_origin_or_finalizer;
            if !finalizer.is_null() && (*g).gi_closed == 0 {
                let result = PyObject_CallOneArg(finalizer, slf);
                if result.is_null() {
                    PyErr_WriteUnraisable(slf);
                } else {
                    Py_DECREF(result);
                }
                PyErr_SetRaisedException(exc);
                return;
            }
        }
        if (*gen_code(g)).co_flags & CO_COROUTINE != 0 && (*g).gi_frame_state == FRAME_CREATED {
            _PyWarnings_WarnUnawaitedCoroutine(slf);
        } else {
            let result = gen_close(slf, null_mut());
            if result.is_null() {
                if err_occurred() {
                    PyErr_WriteUnraisable(slf);
                }
            } else {
                Py_DECREF(result);
            }
        }
        PyErr_SetRaisedException(exc);
    }
}

unsafe extern "C" fn gen_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let g: *mut PyGenObject = slf.cast();
        PyObject_GC_UnTrack(slf.cast());
        if !(*g).gi_weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        PyObject_GC_Track(slf.cast());
        if PyObject_CallFinalizerFromDealloc(slf) != 0 {
            return;
        }
        PyObject_GC_UnTrack(slf.cast());
        setref(&raw mut (*g).gi_origin_or_finalizer, null_mut());
        let frame = gen_frame(g);
        if (*g).gi_frame_state != FRAME_CLEARED {
            (*g).gi_frame_state = FRAME_CLEARED;
            (*frame).previous = null_mut();
            frame_clear_except_code(frame);
            _PyErr_ClearExcState(&raw mut (*g).gi_exc_state);
        }
        Py_DECREF((*frame).f_executable);
        setref(&raw mut (*g).gi_name, null_mut());
        setref(&raw mut (*g).gi_qualname, null_mut());
        PyObject_GC_Del(slf.cast());
    }
}

unsafe fn gen_new_with_qualname(tp: *mut PyTypeObject, f: *mut PyFrameObject, name: *mut PyObject, qualname: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] a frame object that owns its frame; stolen.
    unsafe {
        let code = (*f).f_frame.code();
        let name = if name.is_null() { (*code).co_name } else { name };
        let qualname = if qualname.is_null() { (*code).co_qualname } else { qualname };
        let g = new_generator(tp, code, name, qualname);
        if !g.is_null() {
            let target = gen_frame(g);
            frame_move((*f).f_frame, target, FRAME_OWNED_BY_GENERATOR);
            (*target).frame_obj = f;
            (*f).f_frame = target;
            (*g).gi_frame_state = FRAME_CREATED;
            PyObject_GC_Track(g.cast());
        }
        g.cast()
    }
}

/// A generator that runs `f`, which is stolen.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyGen_New(f: *mut PyFrameObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { gen_new_with_qualname(&raw mut PyGen_Type, f, null_mut(), null_mut()) }
}

/// As [`PyGen_New`], with names.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyGen_NewWithQualName(f: *mut PyFrameObject, name: *mut PyObject, qualname: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { gen_new_with_qualname(&raw mut PyGen_Type, f, name, qualname) }
}

/// A coroutine that runs `f`, which is stolen.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCoro_New(f: *mut PyFrameObject, name: *mut PyObject, qualname: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { gen_new_with_qualname(&raw mut PyCoro_Type, f, name, qualname) }
}

/// An asynchronous generator that runs `f`, which is stolen.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyAsyncGen_New(f: *mut PyFrameObject, name: *mut PyObject, qualname: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { gen_new_with_qualname(&raw mut PyAsyncGen_Type, f, name, qualname) }
}

/// The code of a generator, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyGen_GetCode(g: *mut PyGenObject) -> *mut PyCodeObject {
    // SAFETY: [ARGS]
    unsafe { Py_NewRef(gen_code(g).cast()).cast() }
}

// ---- attributes

unsafe extern "C" fn gen_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let g: *mut PyGenObject = slf.cast();
        let kind = by_kind(g, c"generator", c"coroutine", c"async_generator");
        PyUnicode_FromFormat(c"<%s object %S at %p>".as_ptr(), kind, (*g).gi_qualname, slf)
    }
}

unsafe extern "C" fn gen_get_name(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Py_NewRef((*slf.cast::<PyGenObject>()).gi_name) }
}
unsafe extern "C" fn gen_get_qualname(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Py_NewRef((*slf.cast::<PyGenObject>()).gi_qualname) }
}
unsafe fn set_text(slot: *mut *mut PyObject, value: *mut PyObject, msg: &CStr) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if value.is_null() || PyUnicode_Check(value) == 0 {
            PyErr_SetString(PyExc_TypeError, msg.as_ptr());
            return -1;
        }
        setref(slot, Py_NewRef(value));
        0
    }
}
unsafe extern "C" fn gen_set_name(slf: *mut PyObject, value: *mut PyObject, _: Closure) -> c_int {
    // SAFETY: [ARGS]
    unsafe { set_text(&raw mut (*slf.cast::<PyGenObject>()).gi_name, value, c"__name__ must be set to a string object") }
}
unsafe extern "C" fn gen_set_qualname(slf: *mut PyObject, value: *mut PyObject, _: Closure) -> c_int {
    // SAFETY: [ARGS]
    unsafe { set_text(&raw mut (*slf.cast::<PyGenObject>()).gi_qualname, value, c"__qualname__ must be set to a string object") }
}
unsafe extern "C" fn gen_getyieldfrom(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let yf = _PyGen_yf(slf.cast());
        if yf.is_null() { Py_NewRef(Py_None()) } else { yf }
    }
}
unsafe extern "C" fn gen_getrunning(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyBool_FromLong(((*slf.cast::<PyGenObject>()).gi_frame_state == FRAME_EXECUTING) as _) }
}
unsafe extern "C" fn agen_getrunning(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyBool_FromLong((*slf.cast::<PyGenObject>()).gi_running_async as _) }
}
unsafe extern "C" fn gen_getsuspended(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyBool_FromLong(suspended((*slf.cast::<PyGenObject>()).gi_frame_state) as _) }
}

unsafe fn audit_getattr(slf: *mut PyObject, name: *const core::ffi::c_char) -> bool {
    // SAFETY: [ARGS]
    unsafe { PySys_Audit(c"object.__getattr__".as_ptr(), c"Os".as_ptr(), slf, name) >= 0 }
}

unsafe extern "C" fn gen_getframe(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let g: *mut PyGenObject = slf.cast();
        if !audit_getattr(slf, by_kind(g, c"gi_frame", c"cr_frame", c"ag_frame")) {
            return null_mut();
        }
        if frame_state_finished((*g).gi_frame_state) {
            return Py_NewRef(Py_None());
        }
        Py_XNewRef(frame_get_frame_object(gen_frame(g)).cast())
    }
}
unsafe extern "C" fn gen_getcode(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let g: *mut PyGenObject = slf.cast();
        if !audit_getattr(slf, by_kind(g, c"gi_code", c"cr_code", c"ag_code")) {
            return null_mut();
        }
        Py_NewRef(gen_code(g).cast())
    }
}
unsafe extern "C" fn gen_sizeof(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let code = gen_code(slf.cast());
        let words = (*code).co_nlocalsplus as usize + (*code).co_stacksize as usize;
        PyLong_FromSsize_t((GEN_FRAME_OFFSET + (FRAME_HEADER_WORDS + words) * size_of::<usize>()) as Py_ssize_t)
    }
}

const SEND_DOC: &CStr = c"Send a value into coroutine or generator: resume it, return what it yields next, or raise StopIteration.";
const THROW_DOC: &CStr = c"throw(value)\nthrow(type[,value[,tb]])\n\nRaise an exception in coroutine or generator, where it is suspended;\nreturn the next value yielded, or raise StopIteration.";
const CLOSE_DOC: &CStr = c"Raise GeneratorExit inside coroutine or generator, where it is suspended.";
const SIZEOF_DOC: &CStr = c"Size in memory, in bytes.";
const NAME_DOC: &CStr = c"name of the coroutine or generator";
const QUALNAME_DOC: &CStr = c"qualified name of the coroutine or generator";
const NO_DOC: &CStr = c"";

static GEN_METHODS: Table<PyMethodDef, 6> = Table::new([
    one(c"send", gen_send, SEND_DOC),
    fast(c"throw", gen_throw, THROW_DOC),
    noargs(c"close", gen_close, CLOSE_DOC),
    noargs(c"__sizeof__", gen_sizeof, SIZEOF_DOC),
    CLASS_GETITEM,
    END,
]);
static GEN_GETSET: Table<PyGetSetDef, 8> = Table::new([
    attr(c"__name__", gen_get_name, Some(gen_set_name), NAME_DOC),
    attr(c"__qualname__", gen_get_qualname, Some(gen_set_qualname), QUALNAME_DOC),
    attr(c"gi_yieldfrom", gen_getyieldfrom, None, c"what it is delegating to, or None"),
    attr(c"gi_running", gen_getrunning, None, NO_DOC),
    attr(c"gi_frame", gen_getframe, None, NO_DOC),
    attr(c"gi_suspended", gen_getsuspended, None, NO_DOC),
    attr(c"gi_code", gen_getcode, None, NO_DOC),
    END_ATTR,
]);
static CORO_GETSET: Table<PyGetSetDef, 8> = Table::new([
    attr(c"__name__", gen_get_name, Some(gen_set_name), NAME_DOC),
    attr(c"__qualname__", gen_get_qualname, Some(gen_set_qualname), QUALNAME_DOC),
    attr(c"cr_await", gen_getyieldfrom, None, c"what it is awaiting, or None"),
    attr(c"cr_running", gen_getrunning, None, NO_DOC),
    attr(c"cr_frame", gen_getframe, None, NO_DOC),
    attr(c"cr_suspended", gen_getsuspended, None, NO_DOC),
    attr(c"cr_code", gen_getcode, None, NO_DOC),
    END_ATTR,
]);
static CORO_MEMBERS: Table<PyMemberDef, 2> =
    Table::new([member(c"cr_origin", _Py_T_OBJECT, core::mem::offset_of!(PyGenObject, gi_origin_or_finalizer), NO_DOC), END_MEMBER]);
static AGEN_GETSET: Table<PyGetSetDef, 8> = Table::new([
    attr(c"__name__", gen_get_name, Some(gen_set_name), NAME_DOC),
    attr(c"__qualname__", gen_get_qualname, Some(gen_set_qualname), QUALNAME_DOC),
    attr(c"ag_await", gen_getyieldfrom, None, c"what it is awaiting, or None"),
    attr(c"ag_running", agen_getrunning, None, NO_DOC),
    attr(c"ag_frame", gen_getframe, None, NO_DOC),
    attr(c"ag_suspended", gen_getsuspended, None, NO_DOC),
    attr(c"ag_code", gen_getcode, None, NO_DOC),
    END_ATTR,
]);

const _Py_T_OBJECT: c_int = 6;

static mut GEN_AS_ASYNC: PyAsyncMethods = PyAsyncMethods { am_await: None, am_aiter: None, am_anext: None, am_send: Some(gen_am_send) };
static mut CORO_AS_ASYNC: PyAsyncMethods =
    PyAsyncMethods { am_await: Some(coro_await), am_aiter: None, am_anext: None, am_send: Some(gen_am_send) };
static mut AGEN_AS_ASYNC: PyAsyncMethods =
    PyAsyncMethods { am_await: None, am_aiter: Some(PyObject_SelfIter), am_anext: Some(async_gen_anext), am_send: Some(gen_am_send) };

/// What the three types have in common.
const GENERATOR_TYPE: PyTypeObject = PyTypeObject {
    tp_basicsize: (GEN_FRAME_OFFSET + FRAME_HEADER_WORDS * size_of::<usize>()) as Py_ssize_t,
    tp_itemsize: size_of::<usize>() as Py_ssize_t,
    tp_dealloc: Some(gen_dealloc),
    tp_repr: Some(gen_repr),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(gen_traverse),
    tp_weaklistoffset: core::mem::offset_of!(PyGenObject, gi_weakreflist) as Py_ssize_t,
    tp_finalize: Some(_PyGen_Finalize),
    ..TYPE_INIT
};

/// `generator`.
#[unsafe(no_mangle)]
pub static mut PyGen_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"generator".as_ptr(),
    tp_as_async: &raw mut GEN_AS_ASYNC,
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(gen_iternext),
    tp_methods: GEN_METHODS.ptr(),
    tp_getset: GEN_GETSET.ptr(),
    ..GENERATOR_TYPE
};

/// `coroutine`.
#[unsafe(no_mangle)]
pub static mut PyCoro_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"coroutine".as_ptr(),
    tp_as_async: &raw mut CORO_AS_ASYNC,
    tp_methods: CORO_METHODS.ptr(),
    tp_members: CORO_MEMBERS.ptr(),
    tp_getset: CORO_GETSET.ptr(),
    ..GENERATOR_TYPE
};
static CORO_METHODS: Table<PyMethodDef, 6> = Table::new([
    one(c"send", gen_send, SEND_DOC),
    fast(c"throw", gen_throw, THROW_DOC),
    noargs(c"close", gen_close, CLOSE_DOC),
    noargs(c"__sizeof__", gen_sizeof, SIZEOF_DOC),
    CLASS_GETITEM,
    END,
]);

/// `async_generator`.
#[unsafe(no_mangle)]
pub static mut PyAsyncGen_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"async_generator".as_ptr(),
    tp_as_async: &raw mut AGEN_AS_ASYNC,
    tp_methods: AGEN_METHODS.ptr(),
    tp_getset: AGEN_GETSET.ptr(),
    ..GENERATOR_TYPE
};
static AGEN_METHODS: Table<PyMethodDef, 6> = Table::new([
    one(c"asend", async_gen_asend, c"Return an awaitable that sends a value and gives the next one yielded."),
    fast(c"athrow", async_gen_athrow_fast, c"Return an awaitable that throws an exception where the generator is suspended."),
    noargs(c"aclose", async_gen_aclose, c"Return an awaitable that raises GeneratorExit where the generator is suspended."),
    noargs(c"__sizeof__", gen_sizeof, SIZEOF_DOC),
    CLASS_GETITEM,
    END,
]);

// ---- awaiting

/// Whether `op` is a generator that `types.coroutine` has marked.
unsafe fn gen_is_coroutine(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_gen(op) && (*gen_code(op.cast())).co_flags & CO_ITERABLE_COROUTINE != 0 }
}

/// The iterator that `await op` runs, new; TypeError if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCoro_GetAwaitableIter(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if is_coro(op) || gen_is_coroutine(op) {
            return Py_NewRef(op);
        }
        let tp = Py_TYPE(op);
        let as_async = (*tp).tp_as_async;
        let getter = if as_async.is_null() { None } else { (*as_async).am_await };
        let Some(getter) = getter else {
            PyErr_Format(PyExc_TypeError, c"object %.100s can't be used in 'await' expression".as_ptr(), (*tp).tp_name);
            return null_mut();
        };
        let res = getter(op);
        if res.is_null() {
            return null_mut();
        }
        if is_coro(res) || gen_is_coroutine(res) {
            PyErr_SetString(PyExc_TypeError, c"__await__() returned a coroutine".as_ptr());
        } else if PyIter_Check(res) == 0 {
            PyErr_Format(PyExc_TypeError, c"__await__() returned non-iterator of type '%.100s'".as_ptr(), (*Py_TYPE(res)).tp_name);
        } else {
            return res;
        }
        Py_DECREF(res);
        null_mut()
    }
}

/// GET_AWAITABLE: `oparg` 1 after `__aenter__`, 2 after `__aexit__`.
pub unsafe fn get_awaitable(_tstate: *mut PyThreadState, iterable: *mut PyObject, oparg: u32) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let iter = _PyCoro_GetAwaitableIter(iterable);
        if iter.is_null() {
            let tp = Py_TYPE(iterable);
            let as_async = (*tp).tp_as_async;
            if as_async.is_null() || (*as_async).am_await.is_none() {
                let method = match oparg {
                    1 => c"__aenter__",
                    2 => c"__aexit__",
                    _ => return null_mut(),
                };
                let format = c"'async with' received an object from %s that does not implement __await__: %.100s";
                PyErr_Format(PyExc_TypeError, format.as_ptr(), method.as_ptr(), (*tp).tp_name);
            }
            return null_mut();
        }
        if is_coro(iter) {
            let yf = _PyGen_yf(iter.cast());
            if !yf.is_null() {
                Py_DECREF(yf);
                Py_DECREF(iter);
                PyErr_SetString(PyExc_RuntimeError, c"coroutine is being awaited already".as_ptr());
                return null_mut();
            }
        }
        iter
    }
}

/// GET_AITER.
pub unsafe fn get_aiter(_tstate: *mut PyThreadState, obj: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let tp = Py_TYPE(obj);
        let getter = if (*tp).tp_as_async.is_null() { None } else { (*(*tp).tp_as_async).am_aiter };
        let Some(getter) = getter else {
            let format = c"'async for' requires an object with __aiter__ method, got %.100s";
            PyErr_Format(PyExc_TypeError, format.as_ptr(), (*tp).tp_name);
            return null_mut();
        };
        let iter = getter(obj);
        if iter.is_null() {
            return null_mut();
        }
        let as_async = (*Py_TYPE(iter)).tp_as_async;
        if as_async.is_null() || (*as_async).am_anext.is_none() {
            let format = c"'async for' received an object from __aiter__ that does not implement __anext__: %.100s";
            PyErr_Format(PyExc_TypeError, format.as_ptr(), (*Py_TYPE(iter)).tp_name);
            Py_DECREF(iter);
            return null_mut();
        }
        iter
    }
}

/// GET_ANEXT.
pub unsafe fn get_anext(_tstate: *mut PyThreadState, aiter: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if is_async_gen(aiter) {
            return async_gen_anext(aiter);
        }
        let tp = Py_TYPE(aiter);
        let getter = if (*tp).tp_as_async.is_null() { None } else { (*(*tp).tp_as_async).am_anext };
        let Some(getter) = getter else {
            let format = c"'async for' requires an iterator with __anext__ method, got %.100s";
            PyErr_Format(PyExc_TypeError, format.as_ptr(), (*tp).tp_name);
            return null_mut();
        };
        let next = getter(aiter);
        if next.is_null() {
            return null_mut();
        }
        let awaitable = _PyCoro_GetAwaitableIter(next);
        if awaitable.is_null() {
            let format = c"'async for' received an invalid object from __anext__: %.100s";
            _PyErr_FormatFromCause(PyExc_TypeError, format.as_ptr(), (*Py_TYPE(next)).tp_name);
        }
        Py_DECREF(next);
        awaitable
    }
}

/// What `coroutine.__await__` returns.
#[repr(C)]
struct PyCoroWrapper {
    ob_base: PyObject,
    cw_coroutine: *mut PyObject,
}

unsafe extern "C" fn coro_await(coro: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let cw: *mut PyCoroWrapper = _PyObject_GC_New(&raw mut _PyCoroWrapper_Type).cast();
        if cw.is_null() {
            return null_mut();
        }
        (*cw).cw_coroutine = Py_NewRef(coro);
        PyObject_GC_Track(cw.cast());
        cw.cast()
    }
}
unsafe fn wrapped(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { (*slf.cast::<PyCoroWrapper>()).cw_coroutine }
}
unsafe extern "C" fn coro_wrapper_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        setref(&raw mut (*slf.cast::<PyCoroWrapper>()).cw_coroutine, null_mut());
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn coro_wrapper_traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        py_visit!(visit, arg; wrapped(slf));
        0
    }
}
unsafe extern "C" fn coro_wrapper_iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { gen_iternext(wrapped(slf)) }
}
unsafe extern "C" fn coro_wrapper_send(slf: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { gen_send(wrapped(slf), arg) }
}
unsafe extern "C" fn coro_wrapper_throw(slf: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { gen_throw(wrapped(slf), args, nargs) }
}
unsafe extern "C" fn coro_wrapper_close(slf: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { gen_close(wrapped(slf), args) }
}
static CORO_WRAPPER_METHODS: Table<PyMethodDef, 4> = Table::new([
    one(c"send", coro_wrapper_send, SEND_DOC),
    fast(c"throw", coro_wrapper_throw, THROW_DOC),
    noargs(c"close", coro_wrapper_close, CLOSE_DOC),
    END,
]);

/// `coroutine_wrapper`.
#[unsafe(no_mangle)]
pub static mut _PyCoroWrapper_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"coroutine_wrapper".as_ptr(),
    tp_basicsize: size_of::<PyCoroWrapper>() as Py_ssize_t,
    tp_dealloc: Some(coro_wrapper_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"The iterator that awaiting a coroutine runs.".as_ptr(),
    tp_traverse: Some(coro_wrapper_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(coro_wrapper_iternext),
    tp_methods: CORO_WRAPPER_METHODS.ptr(),
    ..TYPE_INIT
};

// ---- asynchronous generators

const AWAITABLE_STATE_INIT: c_int = 0;
const AWAITABLE_STATE_ITER: c_int = 1;
const AWAITABLE_STATE_CLOSED: c_int = 2;

/// Awaitable of `__anext__`, `asend`, `athrow` and `aclose`.
#[repr(C)]
struct PyAsyncGenAwaitable {
    ob_base: PyObject,
    generator: *mut PyGenObject,
    /// The value to send (NULL from `__anext__`), or the arguments to throw (NULL from `aclose`).
    arg: *mut PyObject,
    state: c_int,
}

/// A value that an asynchronous generator yields, told apart from what it awaits.
#[repr(C)]
struct PyAsyncGenWrappedValue {
    ob_base: PyObject,
    agw_val: *mut PyObject,
}

unsafe fn awaitable_new(tp: *mut PyTypeObject, g: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let o: *mut PyAsyncGenAwaitable = _PyObject_GC_New(tp).cast();
        if o.is_null() {
            return null_mut();
        }
        (*o).generator = Py_NewRef(g).cast();
        (*o).arg = Py_XNewRef(arg);
        (*o).state = AWAITABLE_STATE_INIT;
        PyObject_GC_Track(o.cast());
        o.cast()
    }
}

/// Asks the event loop's hooks about a generator that is iterated for the first time.
unsafe fn async_gen_init_hooks(g: *mut PyGenObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if (*g).gi_hooks_inited != 0 {
            return 0;
        }
        (*g).gi_hooks_inited = 1;
        let tstate = current_tstate();
        (*g).gi_origin_or_finalizer = Py_XNewRef((*tstate).async_gen_finalizer);
        let firstiter = (*tstate).async_gen_firstiter;
        if firstiter.is_null() {
            return 0;
        }
        Py_INCREF(firstiter);
        let res = PyObject_CallOneArg(firstiter, g.cast());
        Py_DECREF(firstiter);
        if res.is_null() {
            return -1;
        }
        Py_DECREF(res);
        0
    }
}

unsafe extern "C" fn async_gen_anext(g: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if async_gen_init_hooks(g.cast()) < 0 {
            return null_mut();
        }
        awaitable_new(&raw mut _PyAsyncGenASend_Type, g, null_mut())
    }
}
unsafe extern "C" fn async_gen_asend(g: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if async_gen_init_hooks(g.cast()) < 0 {
            return null_mut();
        }
        awaitable_new(&raw mut _PyAsyncGenASend_Type, g, arg)
    }
}
unsafe extern "C" fn async_gen_aclose(g: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if async_gen_init_hooks(g.cast()) < 0 {
            return null_mut();
        }
        awaitable_new(&raw mut _PyAsyncGenAThrow_Type, g, null_mut())
    }
}
unsafe extern "C" fn async_gen_athrow_fast(g: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if nargs > 1 {
            let text = c"the (type, exc, tb) signature of athrow() is deprecated, use the single-arg signature instead.";
            if PyErr_WarnEx(PyExc_DeprecationWarning, text.as_ptr(), 1) < 0 {
                return null_mut();
            }
        }
        if async_gen_init_hooks(g.cast()) < 0 {
            return null_mut();
        }
        let tuple = _PyTuple_FromArray(args, nargs);
        if tuple.is_null() {
            return null_mut();
        }
        let o = awaitable_new(&raw mut _PyAsyncGenAThrow_Type, g, tuple);
        Py_DECREF(tuple);
        o
    }
}

unsafe fn is_wrapped_value(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_exactly(op, &raw mut _PyAsyncGenWrappedValue_Type) }
}

/// What a step of the generator means to its awaiter: a yielded value ends the await with StopIteration.
unsafe fn async_gen_unwrap_value(g: *mut PyGenObject, result: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if result.is_null() {
            if !err_occurred() {
                PyErr_SetNone(PyExc_StopAsyncIteration);
            }
            if PyErr_ExceptionMatches(PyExc_StopAsyncIteration) != 0 || PyErr_ExceptionMatches(PyExc_GeneratorExit) != 0 {
                (*g).gi_closed = 1;
            }
            (*g).gi_running_async = 0;
            return null_mut();
        }
        if is_wrapped_value(result) {
            _PyGen_SetStopIterationValue((*result.cast::<PyAsyncGenWrappedValue>()).agw_val);
            Py_DECREF(result);
            (*g).gi_running_async = 0;
            return null_mut();
        }
        result
    }
}

unsafe extern "C" fn awaitable_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        if PyObject_CallFinalizerFromDealloc(slf) != 0 {
            return;
        }
        PyObject_GC_UnTrack(slf.cast());
        let o: *mut PyAsyncGenAwaitable = slf.cast();
        setref(&raw mut (*o).generator, null_mut());
        setref(&raw mut (*o).arg, null_mut());
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn awaitable_traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let o: *mut PyAsyncGenAwaitable = slf.cast();
        py_visit!(visit, arg; (*o).generator, (*o).arg);
        0
    }
}

unsafe fn runtime_error(msg: &CStr) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { PyErr_SetString(PyExc_RuntimeError, msg.as_ptr()) };
    null_mut()
}

unsafe extern "C" fn async_gen_asend_send(slf: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let o: *mut PyAsyncGenAwaitable = slf.cast();
        let mut arg = arg;
        if (*o).state == AWAITABLE_STATE_CLOSED {
            return runtime_error(c"cannot reuse already awaited __anext__()/asend()");
        }
        if (*o).state == AWAITABLE_STATE_INIT {
            if (*(*o).generator).gi_running_async != 0 {
                (*o).state = AWAITABLE_STATE_CLOSED;
                return runtime_error(c"anext(): asynchronous generator is already running");
            }
            if arg.is_null() || arg == Py_None() {
                arg = (*o).arg;
            }
            (*o).state = AWAITABLE_STATE_ITER;
        }
        (*(*o).generator).gi_running_async = 1;
        let result = async_gen_unwrap_value((*o).generator, gen_send((*o).generator.cast(), arg));
        if result.is_null() {
            (*o).state = AWAITABLE_STATE_CLOSED;
        }
        result
    }
}
unsafe extern "C" fn async_gen_asend_iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { async_gen_asend_send(slf, null_mut()) }
}
unsafe extern "C" fn async_gen_asend_throw(slf: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let o: *mut PyAsyncGenAwaitable = slf.cast();
        let g = (*o).generator;
        if (*o).state == AWAITABLE_STATE_CLOSED {
            return runtime_error(c"cannot reuse already awaited __anext__()/asend()");
        }
        if (*o).state == AWAITABLE_STATE_INIT {
            if (*g).gi_running_async != 0 {
                (*o).state = AWAITABLE_STATE_CLOSED;
                return runtime_error(c"anext(): asynchronous generator is already running");
            }
            (*o).state = AWAITABLE_STATE_ITER;
            (*g).gi_running_async = 1;
        }
        let result = async_gen_unwrap_value(g, gen_throw(g.cast(), args, nargs));
        if result.is_null() {
            (*g).gi_running_async = 0;
            (*o).state = AWAITABLE_STATE_CLOSED;
        }
        result
    }
}

/// `close()` of both awaitables: throws GeneratorExit and accepts that it ends.
unsafe fn awaitable_close(slf: *mut PyObject, throw: PyCFunctionFast) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if (*slf.cast::<PyAsyncGenAwaitable>()).state == AWAITABLE_STATE_CLOSED {
            return Py_NewRef(Py_None());
        }
        let mut args = [PyExc_GeneratorExit];
        let result = throw(slf, args.as_mut_ptr(), 1);
        if !result.is_null() {
            Py_DECREF(result);
            return runtime_error(c"coroutine ignored GeneratorExit");
        }
        for exc in [PyExc_StopIteration, PyExc_StopAsyncIteration, PyExc_GeneratorExit] {
            if PyErr_ExceptionMatches(exc) != 0 {
                PyErr_Clear();
                return Py_NewRef(Py_None());
            }
        }
        null_mut()
    }
}
unsafe extern "C" fn async_gen_asend_close(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { awaitable_close(slf, async_gen_asend_throw) }
}
unsafe extern "C" fn async_gen_asend_finalize(slf: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let o: *mut PyAsyncGenAwaitable = slf.cast();
        if (*o).state == AWAITABLE_STATE_INIT {
            _PyErr_WarnUnawaitedAgenMethod((*o).generator, intern!("asend"));
        }
    }
}

unsafe extern "C" {
    fn _PyErr_WarnUnawaitedAgenMethod(agen: *mut PyGenObject, method: *mut PyObject);
}

/// GeneratorExit and StopAsyncIteration out of `aclose()` mean that it is done.
unsafe fn aclose_done() {
    // SAFETY: [GIL]
    unsafe {
        if PyErr_ExceptionMatches(PyExc_StopAsyncIteration) != 0 || PyErr_ExceptionMatches(PyExc_GeneratorExit) != 0 {
            PyErr_Clear();
            PyErr_SetNone(PyExc_StopIteration);
        }
    }
}

/// The generator is running for somebody else, who must finish first.
unsafe fn athrow_start(o: *mut PyAsyncGenAwaitable) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        if (*(*o).generator).gi_running_async == 0 {
            return true;
        }
        (*o).state = AWAITABLE_STATE_CLOSED;
        runtime_error(if (*o).arg.is_null() {
            c"aclose(): asynchronous generator is already running"
        } else {
            c"athrow(): asynchronous generator is already running"
        });
        false
    }
}

/// Passes on what a step of `aclose()` or `athrow()` gave.
unsafe fn athrow_result(o: *mut PyAsyncGenAwaitable, retval: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if retval.is_null() {
            (*(*o).generator).gi_running_async = 0;
            (*o).state = AWAITABLE_STATE_CLOSED;
            if (*o).arg.is_null() {
                aclose_done();
            }
            return null_mut();
        }
        if (*o).arg.is_null() && is_wrapped_value(retval) {
            Py_DECREF(retval);
            (*(*o).generator).gi_running_async = 0;
            (*o).state = AWAITABLE_STATE_CLOSED;
            return runtime_error(ASYNC_GEN_IGNORED_EXIT_MSG);
        }
        retval
    }
}

unsafe extern "C" fn async_gen_athrow_send(slf: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let o: *mut PyAsyncGenAwaitable = slf.cast();
        let g = (*o).generator;
        if (*o).state == AWAITABLE_STATE_CLOSED {
            return runtime_error(c"cannot reuse already awaited aclose()/athrow()");
        }
        if frame_state_finished((*g).gi_frame_state) {
            (*o).state = AWAITABLE_STATE_CLOSED;
            PyErr_SetNone(PyExc_StopIteration);
            return null_mut();
        }
        if (*o).state == AWAITABLE_STATE_ITER {
            let retval = gen_send(g.cast(), arg);
            if !(*o).arg.is_null() {
                return async_gen_unwrap_value(g, retval);
            }
            return athrow_result(o, retval);
        }
        if !athrow_start(o) {
            return null_mut();
        }
        if (*g).gi_closed != 0 {
            (*o).state = AWAITABLE_STATE_CLOSED;
            PyErr_SetNone(PyExc_StopAsyncIteration);
            return null_mut();
        }
        if arg != Py_None() {
            return runtime_error(NON_INIT_CORO_MSG);
        }
        (*o).state = AWAITABLE_STATE_ITER;
        (*g).gi_running_async = 1;
        let retval = if (*o).arg.is_null() {
            (*g).gi_closed = 1;
            gen_throw_impl(g, false, PyExc_GeneratorExit, null_mut(), null_mut())
        } else {
            let args = (*o).arg;
            let n = PyTuple_GET_SIZE(args);
            if _PyArg_CheckPositional(c"athrow".as_ptr(), n, 1, 3) == 0 {
                return null_mut();
            }
            let item = |i: isize| if i < n { PyTuple_GET_ITEM(args, i) } else { null_mut() };
            async_gen_unwrap_value(g, gen_throw_impl(g, false, item(0), item(1), item(2)))
        };
        athrow_result(o, retval)
    }
}
unsafe extern "C" fn async_gen_athrow_iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { async_gen_athrow_send(slf, Py_None()) }
}
unsafe extern "C" fn async_gen_athrow_throw(slf: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let o: *mut PyAsyncGenAwaitable = slf.cast();
        let g = (*o).generator;
        if (*o).state == AWAITABLE_STATE_CLOSED {
            return runtime_error(c"cannot reuse already awaited aclose()/athrow()");
        }
        if (*o).state == AWAITABLE_STATE_INIT {
            if !athrow_start(o) {
                return null_mut();
            }
            (*o).state = AWAITABLE_STATE_ITER;
            (*g).gi_running_async = 1;
        }
        let mut retval = gen_throw(g.cast(), args, nargs);
        if !(*o).arg.is_null() {
            retval = async_gen_unwrap_value(g, retval);
        }
        athrow_result(o, retval)
    }
}
unsafe extern "C" fn async_gen_athrow_close(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { awaitable_close(slf, async_gen_athrow_throw) }
}
unsafe extern "C" fn async_gen_athrow_finalize(slf: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let o: *mut PyAsyncGenAwaitable = slf.cast();
        if (*o).state == AWAITABLE_STATE_INIT {
            let method = if (*o).arg.is_null() { intern!("aclose") } else { intern!("athrow") };
            _PyErr_WarnUnawaitedAgenMethod((*o).generator, method);
        }
    }
}

static mut AWAITABLE_AS_ASYNC: PyAsyncMethods =
    PyAsyncMethods { am_await: Some(PyObject_SelfIter), am_aiter: None, am_anext: None, am_send: None };

/// What the two awaitables have in common.
const AWAITABLE_TYPE: PyTypeObject = PyTypeObject {
    tp_basicsize: size_of::<PyAsyncGenAwaitable>() as Py_ssize_t,
    tp_dealloc: Some(awaitable_dealloc),
    tp_as_async: &raw mut AWAITABLE_AS_ASYNC,
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(awaitable_traverse),
    tp_iter: Some(PyObject_SelfIter),
    ..TYPE_INIT
};
static ASEND_METHODS: Table<PyMethodDef, 4> = Table::new([
    one(c"send", async_gen_asend_send, SEND_DOC),
    fast(c"throw", async_gen_asend_throw, THROW_DOC),
    noargs(c"close", async_gen_asend_close, CLOSE_DOC),
    END,
]);
static ATHROW_METHODS: Table<PyMethodDef, 4> = Table::new([
    one(c"send", async_gen_athrow_send, SEND_DOC),
    fast(c"throw", async_gen_athrow_throw, THROW_DOC),
    noargs(c"close", async_gen_athrow_close, CLOSE_DOC),
    END,
]);

/// `async_generator_asend`.
#[unsafe(no_mangle)]
pub static mut _PyAsyncGenASend_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"async_generator_asend".as_ptr(),
    tp_iternext: Some(async_gen_asend_iternext),
    tp_methods: ASEND_METHODS.ptr(),
    tp_finalize: Some(async_gen_asend_finalize),
    ..AWAITABLE_TYPE
};

/// `async_generator_athrow`.
#[unsafe(no_mangle)]
pub static mut _PyAsyncGenAThrow_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"async_generator_athrow".as_ptr(),
    tp_iternext: Some(async_gen_athrow_iternext),
    tp_methods: ATHROW_METHODS.ptr(),
    tp_finalize: Some(async_gen_athrow_finalize),
    ..AWAITABLE_TYPE
};

unsafe extern "C" fn wrapped_val_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        setref(&raw mut (*slf.cast::<PyAsyncGenWrappedValue>()).agw_val, null_mut());
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn wrapped_val_traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        py_visit!(visit, arg; (*slf.cast::<PyAsyncGenWrappedValue>()).agw_val);
        0
    }
}

/// `async_generator_wrapped_value`.
#[unsafe(no_mangle)]
pub static mut _PyAsyncGenWrappedValue_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"async_generator_wrapped_value".as_ptr(),
    tp_basicsize: size_of::<PyAsyncGenWrappedValue>() as Py_ssize_t,
    tp_dealloc: Some(wrapped_val_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(wrapped_val_traverse),
    ..TYPE_INIT
};

/// Wraps what an asynchronous generator yields (an intrinsic of its code).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyAsyncGenValueWrapperNew(_tstate: *mut PyThreadState, val: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let o: *mut PyAsyncGenWrappedValue = _PyObject_GC_New(&raw mut _PyAsyncGenWrappedValue_Type).cast();
        if o.is_null() {
            return null_mut();
        }
        (*o).agw_val = Py_NewRef(val);
        PyObject_GC_Track(o.cast());
        o.cast()
    }
}
