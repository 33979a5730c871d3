//! How the coroutine of a task is driven: step by step, each from the event loop.

use crate::future::{Progress, add_callback, cancel, cancelled_error, outcome, set_exception, set_result};
use crate::state::{State, of};
use crate::task::{T, Task};
use core::ffi::{CStr, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::getset;
use taipan_clinic::support::{none, truth};
use taipan_objects::typeobject::TYPE_INIT;

unsafe extern "C" {
    fn _PyGen_FetchStopIterationValue(value: *mut *mut PyObject) -> c_int;
}

/// What event loops call for the next step.
#[repr(C)]
struct Step {
    ob_base: PyObject,
    task: *mut Task,
    /// An exception to throw, or NULL.
    arg: *mut PyObject,
}

/// Has the event loop run the next step, with an exception to throw or NULL.
pub fn step_soon(state: &State, t: T<'_>, exc: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE] the collector sees the new object when it is complete.
    unsafe {
        let step = Owned::from_owned_or_err(PyObject_GC_New::<Step>(state.step))?;
        (*step.as_ptr()).task = Py_NewRef(t.ob()).cast();
        (*step.as_ptr()).arg = if exc.is_null() { null_mut() } else { Py_NewRef(exc) };
        PyObject_GC_Track(step.as_ptr().cast());
        // Whoever is called may change the task's.
        let context = if t.context.is_null() { none() } else { Owned::from_borrowed(t.context) };
        state.call_soon(t.future.event_loop, step.as_ptr().cast(), null_mut(), context.as_ptr())
    }
}

/// Has an error thrown into the coroutine by the next step.
fn error_soon(state: &State, t: T<'_>, format: &CStr, a: *mut PyObject, b: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] formats that use one argument leave the other.
    unsafe {
        let text = Owned::from_owned_or_err(PyUnicode_FromFormat(format.as_ptr(), a, b))?;
        let error = Owned::from_owned_or_err(PyObject_CallOneArg(PyExc_RuntimeError, text.as_ptr()))?;
        step_soon(state, t, error.as_ptr())?;
    }
    Ok(none())
}

/// What a coroutine has done.
enum Done {
    Yielded(Owned),
    Returned(Owned),
    Failed(Raised),
}

/// Runs the coroutine until it yields or ends, having thrown an exception into it if there is one.
fn advance(coro: *mut PyObject, exc: Option<&Owned>) -> Done {
    // SAFETY: [ARGS]
    unsafe {
        let mut out = null_mut();
        match exc {
            None => match PyIter_Send(coro, Py_None(), &mut out) {
                PySendResult::PYGEN_NEXT => return Done::Yielded(Owned::from_owned(out)),
                PySendResult::PYGEN_RETURN => return Done::Returned(Owned::from_owned(out)),
                PySendResult::PYGEN_ERROR => {}
            },
            Some(exc) => {
                if let Some(out) = Owned::from_owned_or_opt(PyObject_CallMethodOneArg(coro, intern!("throw"), exc.as_ptr())) {
                    return Done::Yielded(out);
                }
                if _PyGen_FetchStopIterationValue(&mut out) == 0 {
                    return Done::Returned(Owned::from_owned_or_opt(out).unwrap_or_else(none));
                }
            }
        }
        Done::Failed(Raised::assume())
    }
}

/// A step of a task that is entered.
fn run(state: &State, t: T<'_>, exc: Option<Owned>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let p = t.as_ptr();
        if (*p).future.progress != Progress::Pending {
            let exc = exc.unwrap_or_else(none);
            PyErr_Format(state.invalid_state, c"_step(): already done: %R %R".as_ptr(), t.ob(), exc.as_ptr());
            return Err(Raised::assume());
        }
        let mut exc = exc;
        if (*p).must_cancel {
            if !exc.as_ref().is_some_and(|e| PyErr_GivenExceptionMatches(e.as_ptr(), state.cancelled_error) != 0) {
                exc = Some(cancelled_error(state, t.cast())?);
            }
            (*p).must_cancel = false;
        }
        setref(&raw mut (*p).waiter, null_mut());
        if (*p).coro.is_null() {
            bail!(PyExc_RuntimeError, "uninitialized Task object");
        }
        let coro = Owned::from_borrowed((*p).coro);
        let done = advance(coro.as_ptr(), exc.as_ref());
        drop(exc);
        match done {
            Done::Yielded(result) => yielded(state, t, result),
            Done::Returned(result) => {
                // It may have been cancelled right before the end.
                if (*p).must_cancel {
                    (*p).must_cancel = false;
                    cancel(state, t.cast(), (*p).future.cancel_msg)?;
                } else {
                    set_result(state, t.cast(), result.as_ptr())?;
                }
                Ok(none())
            }
            Done::Failed(e) if e.matches(state.cancelled_error) => {
                setref(&raw mut (*p).future.cancelled_exc, PyErr_GetRaisedException());
                let cancelled = cancel(state, t.cast(), null_mut())?;
                Ok(taipan_clinic::support::boolean(cancelled))
            }
            Done::Failed(_) => {
                let exc = Owned::from_owned_or_err(PyErr_GetRaisedException())?;
                set_exception(state, t.cast(), exc.as_ptr())?;
                let matches = |tp| PyErr_GivenExceptionMatches(exc.as_ptr(), tp) != 0;
                if matches(PyExc_KeyboardInterrupt) || matches(PyExc_SystemExit) {
                    PyErr_SetRaisedException(exc.into_raw());
                    return Err(Raised::assume());
                }
                Ok(none())
            }
        }
    }
}

/// The coroutine waits for what it has yielded.
fn yielded(state: &State, t: T<'_>, result: Owned) -> PyResult<Owned> {
    let op = result.as_ptr();
    // SAFETY: [TYPE]
    unsafe {
        let p = t.as_ptr();
        if op == t.ob() {
            return error_soon(state, t, c"Task cannot await on itself: %R", t.ob(), null_mut());
        }
        let other_loop = c"Task %R got Future %R attached to a different loop";
        let no_from = c"yield was used instead of yield from in task %R with %R";
        if state.is_ours(op) {
            let f = op.cast::<crate::future::Future>();
            if (*f).event_loop != (*p).future.event_loop {
                return error_soon(state, t, other_loop, t.ob(), op);
            }
            if !(*f).blocking {
                return error_soon(state, t, no_from, t.ob(), op);
            }
            (*f).blocking = false;
            let wakeup = Owned::from_owned_or_err(PyCFunction_NewEx(&raw mut WAKEUP, t.ob(), null_mut()))?;
            add_callback(state, result.borrow().cast(), wakeup.as_ptr(), (*p).context)?;
            return wait(t, result);
        }
        if op == Py_None() {
            // Nothing to wait for.
            step_soon(state, t, null_mut())?;
            return Ok(result);
        }
        let blocking = taipan_clinic::support::optional_attr(op, intern!("_asyncio_future_blocking"))?;
        if let Some(blocking) = blocking.filter(|b| b.as_ptr() != Py_None()) {
            let blocking = truth(blocking.as_ptr())?;
            if loop_of(op)?.as_ptr() != (*p).future.event_loop {
                return error_soon(state, t, other_loop, t.ob(), op);
            }
            if !blocking {
                return error_soon(state, t, no_from, t.ob(), op);
            }
            check_status(PyObject_SetAttr(op, intern!("_asyncio_future_blocking"), Py_False()))?;
            let wakeup = Owned::from_owned_or_err(PyCFunction_NewEx(&raw mut WAKEUP, t.ob(), null_mut()))?;
            let add = Owned::from_owned_or_err(PyObject_GetAttr(op, intern!("add_done_callback")))?;
            let args = [wakeup.as_ptr(), (*p).context];
            Owned::from_owned_or_err(PyObject_Vectorcall(add.as_ptr(), args.as_ptr(), 1, state.context_name))?;
            return wait(t, result);
        }
        let generator = PyObject_IsInstance(op, (&raw mut PyGen_Type).cast());
        check_status(generator)?;
        if generator != 0 {
            let text = c"yield was used instead of yield from for generator in task %R with %R";
            return error_soon(state, t, text, t.ob(), op);
        }
        error_soon(state, t, c"Task got bad yield: %R", op, null_mut())
    }
}
/// The loop of an object that is like a future.
fn loop_of(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        match taipan_clinic::support::optional_attr(op, intern!("get_loop"))? {
            Some(get_loop) => Owned::from_owned_or_err(PyObject_CallNoArgs(get_loop.as_ptr())),
            None => Owned::from_owned_or_err(PyObject_GetAttr(op, intern!("_loop"))),
        }
    }
}
/// A task waits for a future, which is cancelled if the task is to be.
fn wait(t: T<'_>, result: Owned) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let p = t.as_ptr();
        setref(&raw mut (*p).waiter, result.clone().into_raw());
        if (*p).must_cancel {
            let msg = (*p).future.cancel_msg;
            let msg = if msg.is_null() { none() } else { Owned::from_borrowed(msg) };
            let done = Owned::from_owned_or_err(PyObject_CallMethodOneArg(result.as_ptr(), intern!("cancel"), msg.as_ptr()))?;
            if truth(done.as_ptr())? {
                (*p).must_cancel = false;
            }
        }
    }
    Ok(none())
}

/// A step of a task.
fn step(state: &State, t: T<'_>, exc: Option<Owned>) -> PyResult<Owned> {
    let event_loop = t.future.event_loop;
    if event_loop.is_null() {
        bail!(PyExc_RuntimeError, "uninitialized Task object");
    }
    // SAFETY: held for the time of the step, whatever the coroutine does.
    let (event_loop, task) = unsafe { (Owned::from_borrowed(event_loop), Owned::from_borrowed(t.ob())) };
    state.enter(event_loop.as_ptr(), task.as_ptr())?;
    match run(state, t, exc) {
        Ok(result) => state.leave(event_loop.as_ptr(), task.as_ptr()).map(|()| result),
        // SAFETY: [EXC]
        Err(_) => unsafe {
            let exc = PyErr_GetRaisedException();
            let _left = state.leave(event_loop.as_ptr(), task.as_ptr());
            _PyErr_ChainExceptions1(exc);
            Err(Raised::assume())
        },
    }
}

/// The first step of a task, at once.
pub fn eager_start(state: &State, t: T<'_>) -> PyResult<()> {
    // SAFETY: [TYPE] errors of what restores the state take the place of others.
    unsafe {
        let p = t.as_ptr();
        let event_loop = Owned::from_borrowed((*p).future.event_loop);
        let context = Owned::from_borrowed((*p).context);
        let before = state.swap(event_loop.as_ptr(), t.ob())?;
        state.register_eager(t.ob())?;
        check_status(PyContext_Enter(context.as_ptr()))?;
        let mut failed = run(state, t, None).is_err();
        let exc = PyErr_GetRaisedException();
        let restored = [
            state.swap(event_loop.as_ptr(), before.as_ptr()).map(drop),
            state.unregister_eager(t.ob()),
            check_status(PyContext_Exit(context.as_ptr())),
        ];
        failed |= restored.iter().any(Result::is_err);
        if (*p).future.progress == Progress::Pending {
            failed |= state.register(t.ob()).is_err();
        } else {
            setref(&raw mut (*p).coro, null_mut());
        }
        if !exc.is_null() {
            _PyErr_ChainExceptions1(exc);
        }
        if failed { Err(Raised::assume()) } else { Ok(()) }
    }
}

/// What a task waits for is done.
unsafe extern "C" fn wakeup(slf: *mut PyObject, f: *mut PyObject) -> *mut PyObject {
    let run = || -> PyResult<Owned> {
        // SAFETY: [TYPE] the function is bound to a task.
        unsafe {
            let t: T<'_> = Borrowed::from_ptr(slf.cast());
            let state = of(slf)?;
            let got = if state.is_ours(f) {
                outcome(state, Borrowed::from_ptr(f.cast()))
            } else {
                Owned::from_owned_or_err(PyObject_CallMethodNoArgs(f, intern!("result"))).map(Ok)
            };
            let exc = match got {
                Ok(Ok(_)) => None,
                Ok(Err(exc)) => Some(exc),
                Err(_) => Some(Owned::from_owned_or_err(PyErr_GetRaisedException())?),
            };
            step(state, t, exc)
        }
    };
    run().into_c()
}
static mut WAKEUP: PyMethodDef = PyMethodDef {
    ml_name: c"task_wakeup".as_ptr(),
    ml_meth: PyMethodDefPointer { PyCFunction: wakeup },
    ml_flags: METH_O,
    ml_doc: core::ptr::null(),
};

unsafe extern "C" fn call(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    let run = || -> PyResult<Owned> {
        // SAFETY: [TYPE]
        unsafe {
            if !kwargs.is_null() && PyDict_Size(kwargs) != 0 {
                bail!(PyExc_TypeError, "function takes no keyword arguments");
            }
            if !args.is_null() && PyTuple_GET_SIZE(args) != 0 {
                bail!(PyExc_TypeError, "function takes no positional arguments");
            }
            let s = slf.cast::<Step>();
            if (*s).task.is_null() {
                bail!(PyExc_RuntimeError, "uninitialized Task object");
            }
            let task = Owned::from_borrowed((*s).task);
            let exc = if (*s).arg.is_null() { None } else { Some(Owned::from_borrowed((*s).arg)) };
            step(of(slf)?, task.borrow(), exc)
        }
    };
    run().into_c()
}
fn self_attr(s: Borrowed<'_, Step>) -> PyResult<Owned> {
    // SAFETY: NULL or live.
    Ok(if s.task.is_null() { none() } else { unsafe { Owned::from_borrowed(s.task.cast()) } })
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let s = slf.cast::<Step>();
        setref(&raw mut (*s).task, null_mut());
        setref(&raw mut (*s).arg, null_mut());
    }
    0
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let s = slf.cast::<Step>();
        py_visit!(visitor, arg; type_of(slf), (*s).task, (*s).arg);
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
getset! { static ATTRS = [ "__self__" => self_attr, ""; ]; }
/// `TaskStepMethWrapper`
pub static mut STEP: PyTypeObject = PyTypeObject {
    tp_name: c"_asyncio.TaskStepMethWrapper".as_ptr(),
    tp_basicsize: size_of::<Step>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_call: Some(call),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_getset: (&raw mut ATTRS).cast(),
    ..TYPE_INIT
};
