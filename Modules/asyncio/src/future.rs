//! `Future`.

use crate::iter::new_iter;
use crate::state::{State, of};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::support::{list, none, truth, tuple};
use taipan_clinic::{getset, initializer, methods};
use taipan_objects::typeobject::TYPE_INIT;

unsafe extern "C" {
    fn PyObject_CallFinalizerFromDealloc(op: *mut PyObject) -> c_int;
    fn PyObject_ClearManagedDict(op: *mut PyObject);
    fn PyObject_VisitManagedDict(op: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int;
}

/// How far a future is.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
pub enum Progress {
    /// Not done.
    Pending,
    /// Cancelled.
    Cancelled,
    /// There is a result or an exception.
    Finished,
}

/// A `Future`. Objects are NULL if there are none; a future without loop is not initialised.
#[repr(C)]
pub struct Future {
    ob_base: PyObject,
    /// Its event loop.
    pub event_loop: *mut PyObject,
    /// Most futures have one callback at most: this one, with its context.
    callback: *mut PyObject,
    context: *mut PyObject,
    /// A list of tuples of others and their contexts.
    callbacks: *mut PyObject,
    exception: *mut PyObject,
    traceback: *mut PyObject,
    result: *mut PyObject,
    /// Where it was made, in debug mode.
    pub source: *mut PyObject,
    /// What `cancel` was given.
    pub cancel_msg: *mut PyObject,
    /// The exception that a cancelled task ended with.
    pub cancelled_exc: *mut PyObject,
    /// How far it is.
    pub progress: Progress,
    /// Whether its exception is to be told if nobody has asked for it.
    pub log: bool,
    /// Whether it is being awaited by `await`, not yielded.
    pub blocking: bool,
}
/// A future, lent.
pub type F<'a> = Borrowed<'a, Future>;

/// What `slot` has, or NULL, counted.
unsafe fn lent(slot: *mut PyObject) -> Option<Owned> {
    // SAFETY: NULL or live.
    (!slot.is_null()).then(|| unsafe { Owned::from_borrowed(slot) })
}
/// Takes what a slot has.
unsafe fn take(slot: *mut *mut PyObject) -> Option<Owned> {
    // SAFETY: [OWN] the slot is left empty.
    unsafe { Owned::from_owned_or_opt(core::mem::replace(&mut *slot, null_mut())) }
}

/// Errors unless a future is initialised.
pub fn alive(f: F<'_>) -> PyResult<()> {
    if f.event_loop.is_null() {
        bail!(PyExc_RuntimeError, "Future object is not initialized.");
    }
    Ok(())
}
fn invalid(state: &State, text: &core::ffi::CStr) -> Raised {
    // SAFETY: [EXC]
    unsafe {
        PyErr_SetString(state.invalid_state, text.as_ptr());
        Raised::assume()
    }
}

/// Hands the callbacks to the event loop. They leave the future first: the loop may be anybody's code.
fn schedule(state: &State, f: F<'_>) -> PyResult<()> {
    // SAFETY: [TYPE] the list has tuples of two.
    unsafe {
        let p = f.as_ptr();
        if let Some(callback) = take(&raw mut (*p).callback) {
            let context = take(&raw mut (*p).context).unwrap_or_else(none);
            if let Err(e) = state.call_soon(f.event_loop, callback.as_ptr(), f.ob(), context.as_ptr()) {
                take(&raw mut (*p).callbacks);
                return Err(e);
            }
        }
        if let Some(callbacks) = take(&raw mut (*p).callbacks) {
            let mut i = 0;
            while i < PyList_GET_SIZE(callbacks.as_ptr()) {
                let pair = Owned::from_borrowed(PyList_GET_ITEM(callbacks.as_ptr(), i));
                let (callback, context) = (PyTuple_GET_ITEM(pair.as_ptr(), 0), PyTuple_GET_ITEM(pair.as_ptr(), 1));
                state.call_soon(f.event_loop, callback, f.ob(), context)?;
                i += 1;
            }
        }
    }
    Ok(())
}

/// Initialises a future, perhaps again.
pub fn init(f: F<'_>, event_loop: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let p = f.as_ptr();
        clear_fields(p);
        (*p).progress = Progress::Pending;
        (*p).log = false;
        (*p).blocking = false;
        let state = of(f.ob())?;
        (*p).event_loop = if event_loop == Py_None() { state.event_loop()?.into_raw() } else { Py_NewRef(event_loop) };
        let debug = Owned::from_owned_or_err(PyObject_CallMethodNoArgs((*p).event_loop, intern!("get_debug")))?;
        // A finaliser may make a future when the modules are gone.
        if truth(debug.as_ptr())? && Py_IsFinalizing() == 0 {
            setref(&raw mut (*p).source, Owned::from_owned_or_err(PyObject_CallNoArgs(state.extract_stack))?.into_raw());
        }
    }
    Ok(())
}

/// The future is done.
pub fn set_result(state: &State, f: F<'_>, result: *mut PyObject) -> PyResult<()> {
    alive(f)?;
    if f.progress != Progress::Pending {
        return Err(invalid(state, c"invalid state"));
    }
    // SAFETY: [TYPE]
    unsafe {
        setref(&raw mut (*f.as_ptr()).result, Py_NewRef(result));
        (*f.as_ptr()).progress = Progress::Finished;
    }
    schedule(state, f)
}
/// The future is done with an exception, or class of exceptions.
pub fn set_exception(state: &State, f: F<'_>, exc: *mut PyObject) -> PyResult<()> {
    if f.progress != Progress::Pending {
        return Err(invalid(state, c"invalid state"));
    }
    // SAFETY: [ARGS]
    unsafe {
        let mut value = Owned::from_borrowed(exc);
        if PyExceptionClass_Check(exc) != 0 {
            value = Owned::from_owned_or_err(PyObject_CallNoArgs(exc))?;
            if f.progress != Progress::Pending {
                return Err(invalid(state, c"invalid state"));
            }
        }
        if PyExceptionInstance_Check(value.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "invalid exception object");
        }
        if PyErr_GivenExceptionMatches(value.as_ptr(), PyExc_StopIteration) != 0 {
            let text = taipan_clinic::support::string("StopIteration interacts badly with generators and cannot be raised into a Future")?;
            let error = Owned::from_owned_or_err(PyObject_CallOneArg(PyExc_RuntimeError, text.as_ptr()))?;
            PyException_SetCause(error.as_ptr(), value.clone().into_raw());
            PyException_SetContext(error.as_ptr(), value.into_raw());
            value = error;
        }
        let p = f.as_ptr();
        setref(&raw mut (*p).traceback, PyException_GetTraceback(value.as_ptr()));
        setref(&raw mut (*p).exception, value.into_raw());
        (*p).progress = Progress::Finished;
        schedule(state, f)?;
        (*p).log = true;
    }
    Ok(())
}
/// The exception for who waits for a cancelled future.
pub fn cancelled_error(state: &State, f: F<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if let Some(exc) = take(&raw mut (*f.as_ptr()).cancelled_exc) {
            return Ok(exc);
        }
        Owned::from_owned_or_err(match lent(f.cancel_msg) {
            Some(msg) if msg.as_ptr() != Py_None() => PyObject_CallOneArg(state.cancelled_error, msg.as_ptr()),
            _ => PyObject_CallNoArgs(state.cancelled_error),
        })
    }
}
fn raise_cancelled(state: &State, f: F<'_>) -> Raised {
    match cancelled_error(state, f) {
        // SAFETY: [EXC]
        Ok(exc) => unsafe {
            PyErr_SetObject(state.cancelled_error, exc.as_ptr());
            Raised::assume()
        },
        Err(e) => e,
    }
}
/// What a future has got: a result, or an exception.
pub fn outcome(state: &State, f: F<'_>) -> PyResult<Result<Owned, Owned>> {
    match f.progress {
        Progress::Cancelled => return Err(raise_cancelled(state, f)),
        Progress::Pending => return Err(invalid(state, c"Result is not set.")),
        Progress::Finished => {}
    }
    // SAFETY: [TYPE]
    unsafe {
        let p = f.as_ptr();
        (*p).log = false;
        if let Some(exc) = lent((*p).exception) {
            let traceback = take(&raw mut (*p).traceback).unwrap_or_else(none);
            check_status(PyException_SetTraceback(exc.as_ptr(), traceback.as_ptr()))?;
            return Ok(Err(exc));
        }
        Ok(Ok(lent((*p).result).unwrap_or_else(none)))
    }
}
/// `Future.result`.
pub fn result(f: F<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let state = of(f.ob())?;
        if f.event_loop.is_null() {
            return Err(invalid(state, c"Future object is not initialized."));
        }
        match outcome(state, f)? {
            Ok(result) => Ok(result),
            Err(exc) => {
                PyErr_SetObject(type_of(exc.as_ptr()).cast(), exc.as_ptr());
                Err(Raised::assume())
            }
        }
    }
}
/// Has a callback called when the future is done, or soon if it is.
pub fn add_callback(state: &State, f: F<'_>, callback: *mut PyObject, context: *mut PyObject) -> PyResult<()> {
    if f.event_loop.is_null() {
        bail!(PyExc_RuntimeError, "uninitialized Future object");
    }
    if f.progress != Progress::Pending {
        return state.call_soon(f.event_loop, callback, f.ob(), context);
    }
    // SAFETY: [TYPE]
    unsafe {
        let p = f.as_ptr();
        if (*p).callback.is_null() && (*p).callbacks.is_null() {
            (*p).callback = Py_NewRef(callback);
            setref(&raw mut (*p).context, Py_NewRef(context));
            return Ok(());
        }
        let pair = tuple([Owned::from_borrowed(callback), Owned::from_borrowed(context)])?;
        if (*p).callbacks.is_null() {
            (*p).callbacks = list([pair])?.into_raw();
            return Ok(());
        }
        check_status(PyList_Append((*p).callbacks, pair.as_ptr()))
    }
}
/// Cancels a future; whether it was not done.
pub fn cancel(state: &State, f: F<'_>, msg: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [TYPE] msg is NULL or live.
    unsafe {
        let p = f.as_ptr();
        (*p).log = false;
        if f.progress != Progress::Pending {
            return Ok(false);
        }
        (*p).progress = Progress::Cancelled;
        setref(&raw mut (*p).cancel_msg, lent(msg).map_or(null_mut(), Owned::into_raw));
        schedule(state, f)?;
    }
    Ok(true)
}

fn future_init(f: F<'_>, event_loop: Option<Borrowed<'_>>) -> PyResult<()> {
    let event_loop = event_loop.map_or_else(none, |l| l.to_owned());
    init(f, event_loop.as_ptr())
}
fn exception(f: F<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let state = of(f.ob())?;
        if f.event_loop.is_null() {
            return Err(invalid(state, c"Future object is not initialized."));
        }
        match f.progress {
            Progress::Cancelled => Err(raise_cancelled(state, f)),
            Progress::Pending => Err(invalid(state, c"Exception is not set.")),
            Progress::Finished => {
                let exc = lent(f.exception);
                if exc.is_some() {
                    (*f.as_ptr()).log = false;
                }
                Ok(exc.unwrap_or_else(none))
            }
        }
    }
}
fn set_result_method(f: F<'_>, result: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    set_result(unsafe { of(f.ob())? }, f, result.ob())
}
fn set_exception_method(f: F<'_>, exception: Borrowed<'_>) -> PyResult<()> {
    alive(f)?;
    // SAFETY: [TYPE]
    set_exception(unsafe { of(f.ob())? }, f, exception.ob())
}
fn add_done_callback(f: F<'_>, callback: Borrowed<'_>, context: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let context = match context {
            Some(context) => context.to_owned(),
            None => Owned::from_owned_or_err(PyContext_CopyCurrent())?,
        };
        add_callback(of(f.ob())?, f, callback.ob(), context.as_ptr())
    }
}
fn remove_done_callback(f: F<'_>, callback: Borrowed<'_>) -> PyResult<isize> {
    alive(f)?;
    // SAFETY: [TYPE] comparing may change the callbacks.
    unsafe {
        let p = f.as_ptr();
        let is_it = |other: *mut PyObject| {
            let same = PyObject_RichCompareBool(other, callback.ob(), Py_EQ);
            check_status(same).map(|()| same != 0)
        };
        let mut removed = 0;
        if let Some(first) = lent((*p).callback)
            && is_it(first.as_ptr())?
        {
            take(&raw mut (*p).callback);
            take(&raw mut (*p).context);
            removed = 1;
        }
        if (*p).callbacks.is_null() {
            return Ok(removed);
        }
        let before = PyList_GET_SIZE((*p).callbacks);
        let kept = Owned::from_owned_or_err(PyList_New(0))?;
        let mut i = 0;
        while !(*p).callbacks.is_null() && i < PyList_GET_SIZE((*p).callbacks) {
            let pair = Owned::from_borrowed(PyList_GET_ITEM((*p).callbacks, i));
            if !is_it(PyTuple_GET_ITEM(pair.as_ptr(), 0))? {
                check_status(PyList_Append(kept.as_ptr(), pair.as_ptr()))?;
            }
            i += 1;
        }
        let n = PyList_GET_SIZE(kept.as_ptr());
        if n == 0 || (*p).callbacks.is_null() {
            take(&raw mut (*p).callbacks);
            return Ok(before + removed);
        }
        let now = PyList_GET_SIZE((*p).callbacks);
        if n != now {
            setref(&raw mut (*p).callbacks, kept.into_raw());
        }
        Ok(now - n + removed)
    }
}
fn cancel_method(f: F<'_>, msg: Option<Borrowed<'_>>) -> PyResult<bool> {
    alive(f)?;
    let msg = msg.map_or_else(none, |m| m.to_owned());
    // SAFETY: [TYPE]
    cancel(unsafe { of(f.ob())? }, f, msg.as_ptr())
}
fn cancelled(f: F<'_>) -> PyResult<bool> {
    Ok(!f.event_loop.is_null() && f.progress == Progress::Cancelled)
}
fn done(f: F<'_>) -> PyResult<bool> {
    Ok(!f.event_loop.is_null() && f.progress != Progress::Pending)
}
fn get_loop(f: F<'_>) -> PyResult<Owned> {
    alive(f)?;
    loop_attr(f)
}
/// `_make_cancelled_error`.
pub fn make_cancelled_error(f: F<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    cancelled_error(unsafe { of(f.ob())? }, f)
}

fn progress_attr(f: F<'_>) -> PyResult<Owned> {
    alive(f)?;
    let name = match f.progress {
        Progress::Pending => intern!("PENDING"),
        Progress::Cancelled => intern!("CANCELLED"),
        Progress::Finished => intern!("FINISHED"),
    };
    // SAFETY: interned.
    Ok(unsafe { Owned::from_borrowed(name) })
}
fn blocking_attr(f: F<'_>) -> PyResult<bool> {
    Ok(!f.event_loop.is_null() && f.blocking)
}
/// The truth of what an attribute is set to.
pub fn flag(value: Option<Borrowed<'_>>) -> PyResult<bool> {
    match value {
        // SAFETY: [ARGS]
        Some(value) => unsafe { truth(value.ob()) },
        None => bail!(PyExc_AttributeError, "cannot delete attribute"),
    }
}
fn set_blocking(f: F<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    alive(f)?;
    let value = flag(value)?;
    // SAFETY: [TYPE]
    unsafe { (*f.as_ptr()).blocking = value };
    Ok(())
}
fn log_attr(f: F<'_>) -> PyResult<bool> {
    alive(f)?;
    Ok(f.log)
}
fn set_log(f: F<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    if flag(value)? {
        bail!(PyExc_ValueError, "_log_traceback can only be set to False");
    }
    // SAFETY: [TYPE]
    unsafe { (*f.as_ptr()).log = false };
    Ok(())
}
fn or_none(slot: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: NULL or live.
    Ok(unsafe { lent(slot) }.unwrap_or_else(none))
}
fn loop_attr(f: F<'_>) -> PyResult<Owned> {
    or_none(f.event_loop)
}
fn callbacks_attr(f: F<'_>) -> PyResult<Owned> {
    alive(f)?;
    // SAFETY: [TYPE]
    unsafe {
        let mut all = Vec::new();
        if let Some(callback) = lent(f.callback) {
            all.push(tuple([callback, or_none(f.context)?])?);
        }
        if !f.callbacks.is_null() {
            for i in 0..PyList_GET_SIZE(f.callbacks) {
                all.push(Owned::from_borrowed(PyList_GET_ITEM(f.callbacks, i)));
            }
        }
        if all.is_empty() { Ok(none()) } else { list(all) }
    }
}
fn result_attr(f: F<'_>) -> PyResult<Owned> {
    alive(f)?;
    or_none(f.result)
}
fn exception_attr(f: F<'_>) -> PyResult<Owned> {
    alive(f)?;
    or_none(f.exception)
}
fn source_attr(f: F<'_>) -> PyResult<Owned> {
    or_none(f.source)
}
fn cancel_msg_attr(f: F<'_>) -> PyResult<Owned> {
    or_none(f.cancel_msg)
}
fn set_cancel_msg(f: F<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let Some(value) = value else { bail!(PyExc_AttributeError, "cannot delete attribute") };
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*f.as_ptr()).cancel_msg, value.to_owned().into_raw()) };
    Ok(())
}

unsafe extern "C" fn repr(slf: *mut PyObject) -> *mut PyObject {
    let run = || -> PyResult<Owned> {
        // SAFETY: [TYPE]
        unsafe {
            alive(Borrowed::from_ptr(slf.cast()))?;
            Owned::from_owned_or_err(PyObject_CallOneArg(of(slf)?.future_repr, slf))
        }
    };
    run().into_c()
}

/// Tells the event loop of something that has gone wrong with a future, from its finaliser.
pub fn report(f: F<'_>, text: &str, key: *mut PyObject, exception: *mut PyObject) {
    // SAFETY: [TYPE] the current exception is set aside.
    unsafe {
        let current = PyErr_GetRaisedException();
        let tell = || -> PyResult<()> {
            let context = Owned::from_owned_or_err(PyDict_New())?;
            let text = taipan_clinic::support::string(text)?;
            let set = |key, value: *mut PyObject| if value.is_null() { Ok(()) } else { check_status(PyDict_SetItem(context.as_ptr(), key, value)) };
            set(intern!("message"), text.as_ptr())?;
            set(intern!("exception"), exception)?;
            set(key, f.ob())?;
            set(intern!("source_traceback"), f.source)?;
            let handler = Owned::from_owned_or_err(PyObject_GetAttr(f.event_loop, intern!("call_exception_handler")))?;
            match Owned::from_owned_or_err(PyObject_CallOneArg(handler.as_ptr(), context.as_ptr())) {
                Ok(_) => {}
                Err(_) => PyErr_WriteUnraisable(handler.as_ptr()),
            }
            Ok(())
        };
        let _told = tell();
        PyErr_SetRaisedException(current);
    }
}
/// `tp_finalize`: tells of an exception that nobody has asked for.
pub unsafe extern "C" fn finalize(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        let f: F<'_> = Borrowed::from_ptr(slf.cast());
        if !f.log {
            return;
        }
        (*f.as_ptr()).log = false;
        let name = core::ffi::CStr::from_ptr((*type_of(slf)).tp_name).to_string_lossy();
        let name = name.rsplit('.').next().unwrap_or_default();
        report(f, &format!("{name} exception was never retrieved"), intern!("future"), f.exception);
    }
}

unsafe fn clear_fields(p: *mut Future) {
    // SAFETY: [TYPE]
    unsafe {
        for slot in [
            &raw mut (*p).event_loop, &raw mut (*p).callback, &raw mut (*p).context, &raw mut (*p).callbacks, &raw mut (*p).result,
            &raw mut (*p).exception, &raw mut (*p).traceback, &raw mut (*p).source, &raw mut (*p).cancel_msg, &raw mut (*p).cancelled_exc,
        ] {
            setref(slot, null_mut());
        }
    }
}
/// `tp_clear`
pub unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        clear_fields(slf.cast());
        PyObject_ClearManagedDict(slf);
    }
    0
}
/// `tp_traverse`
pub unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.cast::<Future>();
        py_visit!(visitor, arg; type_of(slf), (*p).event_loop, (*p).callback, (*p).context, (*p).callbacks, (*p).result);
        py_visit!(visitor, arg; (*p).exception, (*p).traceback, (*p).source, (*p).cancel_msg, (*p).cancelled_exc);
        PyObject_VisitManagedDict(slf, visitor, arg)
    }
}
/// `tp_dealloc`
pub unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        if PyObject_CallFinalizerFromDealloc(slf) < 0 {
            return; // resurrected
        }
        let tp = type_of(slf);
        PyObject_GC_UnTrack(slf.cast());
        PyObject_ClearWeakRefs(slf);
        // The clearing function of a subclass in Python has been called.
        let mut own = tp;
        while !own.is_null() && (*own).tp_dealloc.map(|f| f as usize) != Some(dealloc as *const () as usize) {
            own = (*own).tp_base;
        }
        if let Some(clear) = own.as_ref().and_then(|own| own.tp_clear) {
            clear(slf);
        }
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
        Py_DECREF(tp.cast());
    }
}

methods! {
    static METHODS = [
        "result($self, /)" => result, "The result, once there is one.\n\nRaises the exception if there is one instead, CancelledError if the future was cancelled,\nand InvalidStateError if it is not done.";
        "exception($self, /)" => exception, "The exception, or None if there is a result.\n\nRaises CancelledError if the future was cancelled, and InvalidStateError if it is not done.";
        "set_result($self, result, /)" => set_result_method, "The future is done, with a result.\n\nRaises InvalidStateError if it was done.";
        "set_exception($self, exception, /)" => set_exception_method, "The future is done, with an exception.\n\nRaises InvalidStateError if it was done.";
        "add_done_callback($self, fn, /, *, context=<unrepresentable>)" => add_done_callback, "Have a function called with the future once it is done; soon if it is.";
        "remove_done_callback($self, fn, /)" => remove_done_callback, "Have a function not called; how often it would have been.";
        "cancel($self, /, msg=None)" => cancel_method, "Cancel the future; whether it was not done.";
        "cancelled($self, /)" => cancelled, "Whether the future was cancelled.";
        "done($self, /)" => done, "Whether there is a result or an exception, or the future was cancelled.";
        "get_loop($self, /)" => get_loop, "The event loop.";
        "_make_cancelled_error($self, /)" => make_cancelled_error, "The exception to raise if the future is cancelled. It is given away: to be called once.";
        raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS, "See PEP 585";
    ];
}
getset! {
    static ATTRS = [
        "_state" => progress_attr, "";
        "_asyncio_future_blocking" => blocking_attr, set_blocking, "";
        "_loop" => loop_attr, "";
        "_callbacks" => callbacks_attr, "";
        "_result" => result_attr, "";
        "_exception" => exception_attr, "";
        "_log_traceback" => log_attr, set_log, "";
        "_source_traceback" => source_attr, "";
        "_cancel_message" => cancel_msg_attr, set_cancel_msg, "";
    ];
}
/// `am_await`
pub static mut ASYNC: PyAsyncMethods = PyAsyncMethods {
    am_await: Some(new_iter),
    // SAFETY: all-zero is valid: no functions.
    ..unsafe { core::mem::zeroed() }
};
/// Flags of futures and tasks.
pub const FLAGS: core::ffi::c_ulong = Py_TPFLAGS_DEFAULT
    | Py_TPFLAGS_HAVE_GC
    | Py_TPFLAGS_BASETYPE
    | Py_TPFLAGS_IMMUTABLETYPE
    | Py_TPFLAGS_MANAGED_DICT
    | Py_TPFLAGS_MANAGED_WEAKREF;
/// `Future`
pub static mut FUTURE: PyTypeObject = PyTypeObject {
    tp_name: c"_asyncio.Future".as_ptr(),
    tp_basicsize: size_of::<Future>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_repr: Some(repr),
    tp_doc: c"Future(*, loop=None)\n--\n\nThe result of something that may not be done yet, for event loops.".as_ptr(),
    tp_flags: FLAGS,
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_iter: Some(new_iter),
    tp_as_async: &raw mut ASYNC,
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut ATTRS).cast(),
    tp_init: Some(initializer!("Future(*, loop=None)" => future_init)),
    tp_new: Some(PyType_GenericNew),
    tp_finalize: Some(finalize),
    ..TYPE_INIT
};
