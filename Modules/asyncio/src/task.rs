//! `Task`: a future that drives a coroutine.

use crate::future::{self, F, FLAGS, Future, Progress, flag, make_cancelled_error, report};
use crate::state::of;
use crate::step::{eager_start, step_soon};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::support::{none, truth};
use taipan_clinic::{getset, initializer, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// A `Task`. Objects are NULL if there are none.
#[repr(C)]
pub struct Task {
    /// What it has of a future.
    pub future: Future,
    /// Whether the coroutine is to be cancelled when it next runs.
    pub must_cancel: bool,
    log_destroyed: bool,
    cancels: c_int,
    /// The future that the coroutine waits for.
    pub waiter: *mut PyObject,
    /// The coroutine.
    pub coro: *mut PyObject,
    /// A str, or the number of a name that nobody has asked for.
    name: *mut PyObject,
    /// In which it runs.
    pub context: *mut PyObject,
}
/// A task, lent.
pub type T<'a> = Borrowed<'a, Task>;

fn new_ref(slot: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: NULL or live.
    Ok(if slot.is_null() { none() } else { unsafe { Owned::from_borrowed(slot) } })
}

fn task_init(
    t: T<'_>, coro: Borrowed<'_>, event_loop: Option<Borrowed<'_>>, name: Option<Borrowed<'_>>, context: Option<Borrowed<'_>>, eager: bool,
) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let p = t.as_ptr();
        let or_none = |arg: Option<Borrowed<'_>>| arg.map_or_else(none, |a| a.to_owned());
        let (event_loop, name, context) = (or_none(event_loop), or_none(name), or_none(context));
        future::init(t.cast(), event_loop.as_ptr())?;
        let state = of(t.ob())?;
        if !state.is_coroutine(coro.ob())? {
            (*p).log_destroyed = false;
            PyErr_Format(PyExc_TypeError, c"a coroutine was expected, got %R".as_ptr(), coro.ob());
            return Err(Raised::assume());
        }
        let context = if context.as_ptr() == Py_None() { Owned::from_owned_or_err(PyContext_CopyCurrent())? } else { context };
        setref(&raw mut (*p).context, context.into_raw());
        setref(&raw mut (*p).waiter, null_mut());
        (*p).must_cancel = false;
        (*p).log_destroyed = true;
        (*p).cancels = 0;
        setref(&raw mut (*p).coro, Py_NewRef(coro.ob()));
        let name = if name.as_ptr() == Py_None() {
            state.names += 1;
            Owned::from_owned_or_err(PyLong_FromUnsignedLongLong(state.names))?
        } else {
            name_of(name.as_ptr())?
        };
        setref(&raw mut (*p).name, name.into_raw());
        if eager {
            let running = Owned::from_owned_or_err(PyObject_CallMethodNoArgs(event_loop.as_ptr(), intern!("is_running")))?;
            if running.as_ptr() == Py_True() {
                return eager_start(state, t);
            }
        }
        step_soon(state, t, null_mut())?;
        state.register(t.ob())
    }
}
/// A str as it is, anything else as its str.
fn name_of(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { if PyUnicode_CheckExact(op) != 0 { Ok(Owned::from_borrowed(op)) } else { Owned::from_owned_or_err(PyObject_Str(op)) } }
}

fn cancel(t: T<'_>, msg: Option<Borrowed<'_>>) -> PyResult<bool> {
    let msg = msg.map_or_else(none, |m| m.to_owned());
    // SAFETY: [TYPE]
    unsafe {
        let p = t.as_ptr();
        (*p).future.log = false;
        if (*p).future.progress != Progress::Pending {
            return Ok(false);
        }
        (*p).cancels += 1;
        if !(*p).waiter.is_null() {
            let waiter = Owned::from_borrowed((*p).waiter);
            let done = Owned::from_owned_or_err(PyObject_CallMethodOneArg(waiter.as_ptr(), intern!("cancel"), msg.as_ptr()))?;
            if truth(done.as_ptr())? {
                return Ok(true);
            }
        }
        (*p).must_cancel = true;
        setref(&raw mut (*p).future.cancel_msg, msg.into_raw());
    }
    Ok(true)
}
fn cancelling(t: T<'_>) -> PyResult<i32> {
    Ok(t.cancels)
}
fn uncancel(t: T<'_>) -> PyResult<i32> {
    // SAFETY: [TYPE]
    unsafe {
        let p = t.as_ptr();
        if (*p).cancels > 0 {
            (*p).cancels -= 1;
            if (*p).cancels == 0 {
                (*p).must_cancel = false;
            }
        }
        Ok((*p).cancels)
    }
}
fn get_stack(t: T<'_>, limit: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let limit = limit.map_or_else(none, |l| l.to_owned());
    // SAFETY: [ARGS]
    unsafe { taipan_clinic::support::call(of(t.ob())?.get_stack, &[t.ob(), limit.as_ptr()]) }
}
fn print_stack(t: T<'_>, limit: Option<Borrowed<'_>>, file: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let limit = limit.map_or_else(none, |l| l.to_owned());
    let file = file.map_or_else(none, |l| l.to_owned());
    // SAFETY: [ARGS]
    unsafe { taipan_clinic::support::call(of(t.ob())?.print_stack, &[t.ob(), limit.as_ptr(), file.as_ptr()]) }
}
fn set_result(_: T<'_>, _: Borrowed<'_>) -> PyResult<()> {
    bail!(PyExc_RuntimeError, "Task does not support set_result operation")
}
fn set_exception(_: T<'_>, _: Borrowed<'_>) -> PyResult<()> {
    bail!(PyExc_RuntimeError, "Task does not support set_exception operation")
}
fn make_error(t: T<'_>) -> PyResult<Owned> {
    // SAFETY: a task is a future.
    make_cancelled_error(unsafe { t.cast() })
}
fn get_coro(t: T<'_>) -> PyResult<Owned> {
    new_ref(t.coro)
}
fn get_context(t: T<'_>) -> PyResult<Owned> {
    new_ref(t.context)
}
fn get_name(t: T<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let p = t.as_ptr();
        if !(*p).name.is_null() && PyLong_CheckExact((*p).name) != 0 {
            let name = Owned::from_owned_or_err(PyUnicode_FromFormat(c"Task-%S".as_ptr(), (*p).name))?;
            setref(&raw mut (*p).name, name.into_raw());
        }
        new_ref((*p).name)
    }
}
fn set_name(t: T<'_>, value: Borrowed<'_>) -> PyResult<()> {
    let name = name_of(value.ob())?;
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*t.as_ptr()).name, name.into_raw()) };
    Ok(())
}
fn log_destroyed(t: T<'_>) -> PyResult<bool> {
    Ok(t.log_destroyed)
}
fn set_log_destroyed(t: T<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let value = flag(value)?;
    // SAFETY: [TYPE]
    unsafe { (*t.as_ptr()).log_destroyed = value };
    Ok(())
}
fn must_cancel(t: T<'_>) -> PyResult<bool> {
    Ok(t.must_cancel)
}
fn waiter(t: T<'_>) -> PyResult<Owned> {
    new_ref(t.waiter)
}

unsafe extern "C" fn repr(slf: *mut PyObject) -> *mut PyObject {
    let run = || -> PyResult<Owned> {
        // SAFETY: [TYPE]
        unsafe { Owned::from_owned_or_err(PyObject_CallOneArg(of(slf)?.task_repr, slf)) }
    };
    run().into_c()
}
/// Tells of a task that goes away while it has something to do.
unsafe extern "C" fn finalize(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.cast::<Task>();
        if (*t).future.progress == Progress::Pending && (*t).log_destroyed {
            let f: F<'_> = Borrowed::from_ptr(slf.cast());
            report(f, "Task was destroyed but it is pending!", intern!("task"), null_mut());
        }
        future::finalize(slf);
    }
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        future::clear(slf);
        let t = slf.cast::<Task>();
        for slot in [&raw mut (*t).context, &raw mut (*t).coro, &raw mut (*t).name, &raw mut (*t).waiter] {
            setref(slot, null_mut());
        }
    }
    0
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.cast::<Task>();
        py_visit!(visitor, arg; (*t).context, (*t).coro, (*t).name, (*t).waiter);
        future::traverse(slf, visitor, arg)
    }
}

methods! {
    static METHODS = [
        "set_result($self, result, /)" => set_result, "Tasks get their results from their coroutines.";
        "set_exception($self, exception, /)" => set_exception, "Tasks get their exceptions from their coroutines.";
        "cancel($self, /, msg=None)" => cancel, "Have CancelledError thrown into the coroutine when it next runs; whether the task is not done.\n\nThe coroutine may clean up, or go on. Each request is counted.";
        "cancelling($self, /)" => cancelling, "How many requests to cancel the task there are.";
        "uncancel($self, /)" => uncancel, "Take back a request to cancel the task; how many remain.";
        "get_stack($self, /, *, limit=None)" => get_stack, "The frames of the coroutine, or of the traceback of the exception that it ended with.";
        "print_stack($self, /, *, limit=None, file=None)" => print_stack, "Print what get_stack() returns.";
        "_make_cancelled_error($self, /)" => make_error, "The exception to raise if the task is cancelled. It is given away: to be called once.";
        "get_name($self, /)" => get_name, "";
        "set_name($self, value, /)" => set_name, "";
        "get_coro($self, /)" => get_coro, "";
        "get_context($self, /)" => get_context, "";
        raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS, "See PEP 585";
    ];
}
getset! {
    static ATTRS = [
        "_log_destroy_pending" => log_destroyed, set_log_destroyed, "";
        "_must_cancel" => must_cancel, "";
        "_coro" => get_coro, "";
        "_fut_waiter" => waiter, "";
    ];
}
/// `Task`
pub static mut TASK: PyTypeObject = PyTypeObject {
    tp_name: c"_asyncio.Task".as_ptr(),
    tp_basicsize: size_of::<Task>() as Py_ssize_t,
    tp_dealloc: Some(future::dealloc),
    tp_repr: Some(repr),
    tp_doc: c"Task(coro, *, loop=None, name=None, context=None, eager_start=False)\n--\n\nA coroutine wrapped in a Future.".as_ptr(),
    tp_flags: FLAGS,
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_iter: Some(crate::iter::new_iter),
    tp_as_async: &raw mut future::ASYNC,
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut ATTRS).cast(),
    tp_init: Some(initializer!("Task(coro, *, loop=None, name=None, context=None, eager_start=False)" => task_init)),
    tp_new: Some(PyType_GenericNew),
    tp_finalize: Some(finalize),
    ..TYPE_INIT
};
