//! The module `_thread`: starting threads, waiting for them, locks, thread-local data.

pub mod handle;
pub mod local;
pub mod lock;

use crate::support::*;
use core::ffi::c_int;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicI64, Ordering::*};
use handle::{Handle, THREAD_HANDLE, ThreadHandleObject};
use std::sync::Arc;
use taipan_abi::*;
use taipan_clinic::{methods, module, module::add_object, module::add_type};

unsafe extern "C" {
    fn _PyInterpreterState_IsFinalizing(interp: *mut PyInterpreterState) -> c_int;
    fn _PyInterpreterState_HasFeature(interp: *mut PyInterpreterState, feature: core::ffi::c_ulong) -> c_int;
    fn _PyInterpreterState_ThreadCount(interp: *mut PyInterpreterState) -> *const AtomicI64;
    fn PyErr_SetInterruptEx(signum: c_int) -> c_int;
    fn PyThread_get_stacksize() -> usize;
    fn PyThread_set_stacksize(size: usize) -> c_int;
    /// python: thread; identity of the main thread.
    fn _PyRuntime_MainThreadIdent() -> u64;
    fn PyFile_WriteObject(op: *mut PyObject, file: *mut PyObject, flags: c_int) -> c_int;
    fn PyFile_WriteString(s: *const core::ffi::c_char, file: *mut PyObject) -> c_int;
    fn PyErr_Display(class: *mut PyObject, value: *mut PyObject, tb: *mut PyObject);
}

/// How many threads that this module started are running in the interpreter.
fn count() -> &'static AtomicI64 {
    // SAFETY: [GIL] the interpreter outlives its threads.
    unsafe { &*_PyInterpreterState_ThreadCount((*current_tstate()).interp) }
}

/// Identity of the running thread.
pub fn ident() -> u64 {
    // SAFETY: always succeeds.
    unsafe { libc::pthread_self() }
}

/// How many threads are known: the main one and those that this module started.
pub fn known_threads() -> i64 {
    count().load(Relaxed) + 1
}

/// In the child of a fork: the other threads are gone.
///
/// # Safety
/// [GIL], only this thread exists.
pub unsafe fn after_fork() {
    // SAFETY: [ARGS]
    unsafe { handle::after_fork() };
}

fn do_start_new_thread(func: Borrowed<'_>, args: Owned, kwargs: Option<Owned>, handle: &Arc<Handle>, daemon: bool) -> PyResult<()> {
    // SAFETY: [GIL]
    let interp = unsafe { (*current_tstate()).interp };
    // SAFETY: [GIL]
    if unsafe { _PyInterpreterState_HasFeature(interp, RTFLAGS_THREADS) } == 0 {
        bail!(PyExc_RuntimeError, "thread is not supported for isolated subinterpreters");
    }
    // SAFETY: [GIL]
    if unsafe { _PyInterpreterState_IsFinalizing(interp) } != 0 {
        return Err(crate::fork::finalizing_error("can't create new thread at interpreter shutdown"));
    }
    handle::start(handle, func, args, kwargs, daemon)
}

fn thread_start_new_thread(_: (), function: Borrowed<'_>, args: Borrowed<'_>, kwargs: Option<Borrowed<'_>>) -> PyResult<u64> {
    // SAFETY: live.
    unsafe {
        if PyCallable_Check(function.ob()) == 0 {
            bail!(PyExc_TypeError, "first arg must be callable");
        }
        if PyTuple_Check(args.ob()) == 0 {
            bail!(PyExc_TypeError, "2nd arg must be a tuple");
        }
        if kwargs.is_some_and(|k| PyDict_Check(k.ob()) == 0) {
            bail!(PyExc_TypeError, "optional 3rd arg must be a dictionary");
        }
        audit(c"_thread.start_new_thread", &[function.ob(), args.ob(), kwargs.map_or(Py_None(), |k| k.ob())])?;
        let handle = Handle::new();
        do_start_new_thread(function, args.to_owned(), kwargs.map(|k| k.to_owned()), &handle, true)?;
        Ok(handle.ident())
    }
}

fn thread_start_joinable_thread(_: (), function: Borrowed<'_>, handle: Option<Borrowed<'_>>, daemon: bool) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        if PyCallable_Check(function.ob()) == 0 {
            bail!(PyExc_TypeError, "thread function must be callable");
        }
        if handle.is_some_and(|h| h.ob_type() != &raw mut THREAD_HANDLE) {
            bail!(PyExc_TypeError, "'handle' must be a _ThreadHandle");
        }
        let shown = handle.map_or(Py_None(), |h| h.ob());
        let d = int(daemon as i64)?;
        audit(c"_thread.start_joinable_thread", &[function.ob(), d.as_ptr(), shown])?;
        let object = match handle {
            Some(h) => h.to_owned(),
            None => handle::new_object(Handle::new())?,
        };
        let h = ThreadHandleObject::handle(object.as_ptr());
        do_start_new_thread(function, own(PyTuple_New(0))?, None, &h, daemon)?;
        Ok(object)
    }
}

/// `Py_RTFLAGS_THREADS` and `Py_RTFLAGS_DAEMON_THREADS`.
const RTFLAGS_THREADS: core::ffi::c_ulong = 1 << 10;
const RTFLAGS_DAEMON_THREADS: core::ffi::c_ulong = 1 << 11;

fn daemon_threads_allowed() -> bool {
    // SAFETY: [GIL]
    unsafe { _PyInterpreterState_HasFeature((*current_tstate()).interp, RTFLAGS_DAEMON_THREADS) != 0 }
}
fn thread_daemon_threads_allowed(_: ()) -> PyResult<bool> {
    Ok(daemon_threads_allowed())
}
fn thread_exit(_: ()) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        PyErr_SetNone(PyExc_SystemExit);
        Err(Raised::assume())
    }
}
fn thread_interrupt_main(_: (), signum: Option<i32>) -> PyResult<()> {
    // SAFETY: [GIL]
    if unsafe { PyErr_SetInterruptEx(signum.unwrap_or(libc::SIGINT)) } != 0 {
        bail!(PyExc_ValueError, "signal number out of range");
    }
    Ok(())
}
fn thread_allocate_lock(_: ()) -> PyResult<Owned> {
    lock::new_lock()
}
fn thread_get_ident(_: ()) -> PyResult<u64> {
    Ok(ident())
}
fn thread_get_native_id(_: ()) -> PyResult<i64> {
    // SAFETY: plain system call.
    Ok(unsafe { libc::syscall(libc::SYS_gettid) })
}
fn thread_count(_: ()) -> PyResult<i64> {
    Ok(count().load(Relaxed))
}
fn thread_stack_size(_: (), size: isize) -> PyResult<usize> {
    if size < 0 {
        bail!(PyExc_ValueError, "size must be 0 or a positive value");
    }
    // SAFETY: plain calls.
    unsafe {
        let old = PyThread_get_stacksize();
        if PyThread_set_stacksize(size as usize) != 0 {
            bail!(PyExc_ValueError, "size not valid: {size} bytes");
        }
        Ok(old)
    }
}
fn thread_is_main_interpreter(_: ()) -> PyResult<bool> {
    // SAFETY: [GIL]
    unsafe { Ok((*current_tstate()).interp == PyInterpreterState_Main()) }
}
unsafe extern "C" {
    fn PyInterpreterState_Main() -> *mut PyInterpreterState;
}
fn thread_get_main_thread_ident(_: ()) -> PyResult<u64> {
    // SAFETY: plain query.
    Ok(unsafe { _PyRuntime_MainThreadIdent() })
}
fn thread_make_thread_handle(_: (), ident: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        if PyLong_Check(ident.ob()) == 0 {
            bail!(PyExc_TypeError, "ident must be an integer");
        }
        let n = PyLong_AsUnsignedLongLong(ident.ob());
        if err_occurred() {
            return Err(Raised::assume());
        }
        handle::new_object(Handle::for_running(n))
    }
}

/// Waits for the threads that are not daemons; an interruption ends the wait.
fn thread_shutdown(_: ()) -> PyResult<()> {
    while let Some(h) = handle::next_to_wait_for() {
        if handle::join(&h, -1).is_err() {
            // SAFETY: [EXC]
            unsafe { PyErr_WriteUnraisable(null_mut()) };
            break;
        }
    }
    Ok(())
}

static EXCEPT_HOOK_ARGS: StructType = StructType::new(
    c"_thread._ExceptHookArgs",
    c"ExceptHookArgs\n\nWhat threading.excepthook is called with.",
    &[
        (c"exc_type", c"Exception type"),
        (c"exc_value", c"Exception value"),
        (c"exc_traceback", c"Exception traceback"),
        (c"thread", c"Thread"),
    ],
    4,
);

/// `Py_PRINT_RAW`.
const PRINT_RAW: c_int = 1;

/// Prints the traceback by the module traceback, which knows where to when there is no `sys.stderr`; without the module,
/// plainly.
unsafe fn display(args: &[*mut PyObject; 4]) -> PyResult<()> {
    // SAFETY: live.
    unsafe {
        let [class, value, tb, _] = *args;
        if PyExceptionInstance_Check(value) != 0 {
            let has_tb = Owned::from_owned_or_opt(PyException_GetTraceback(value)).is_some();
            if !has_tb && tb != Py_None() && PyException_SetTraceback(value, tb) < 0 {
                PyErr_Clear();
            }
            let printed = own(_PyImport_GetModuleAttrString(c"traceback".as_ptr(), c"_print_exception_bltin".as_ptr()))
                .and_then(|f| call(f.as_ptr(), &[value]));
            match printed {
                Ok(_) => return Ok(()),
                Err(e) => e.clear(),
            }
        }
        PyErr_Display(class, value, tb);
        Ok(())
    }
}

unsafe fn write_report(file: *mut PyObject, args: &[*mut PyObject; 4]) -> PyResult<()> {
    // SAFETY: live.
    unsafe {
        check_status(PyFile_WriteString(c"Exception in thread ".as_ptr(), file))?;
        let mut name: *mut PyObject = null_mut();
        if args[3] != Py_None() {
            check_status(PyObject_GetOptionalAttr(args[3], intern!("name"), &mut name))?;
        }
        match Owned::from_owned_or_opt(name) {
            Some(n) => check_status(PyFile_WriteObject(n.as_ptr(), file, PRINT_RAW))?,
            None => {
                let n = string(&ident().to_string())?;
                check_status(PyFile_WriteObject(n.as_ptr(), file, PRINT_RAW))?;
            }
        }
        check_status(PyFile_WriteString(c":\n".as_ptr(), file))?;
        display(args)?;
        own(PyObject_CallMethodNoArgs(file, intern!("flush"))).map(drop)
    }
}

fn thread_excepthook(_: (), args: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: live; the struct sequence has four fields.
    unsafe {
        if args.ob_type() != EXCEPT_HOOK_ARGS.get()? {
            bail!(PyExc_TypeError, "_thread.excepthook argument type must be ExceptHookArgs");
        }
        let field = |i| PyStructSequence_GetItem(args.ob(), i);
        let all = [field(0), field(1), field(2), field(3)];
        if all[0] == PyExc_SystemExit {
            return Ok(());
        }
        let stderr = PySys_GetObject(c"stderr".as_ptr());
        let file = if stderr.is_null() || stderr == Py_None() {
            if all[3] == Py_None() {
                return Ok(());
            }
            let file = getattr(all[3], intern!("_stderr"))?;
            if file.as_ptr() == Py_None() {
                return Ok(());
            }
            file
        } else {
            Owned::from_borrowed(stderr)
        };
        write_report(file.as_ptr(), &all)
    }
}

methods! {
    static METHODS = [
        "start_new_thread($module, function, args, kwargs={}, /)" => thread_start_new_thread, "Start a thread that calls function(*args, **kwargs); returns its identity.";
        "start_new($module, function, args, kwargs={}, /)" => thread_start_new_thread, "Old name of start_new_thread().";
        "start_joinable_thread($module, /, function, handle=None, daemon=True)" => thread_start_joinable_thread, "Start a thread that can be joined; for the module threading.";
        "daemon_threads_allowed($module, /)" => thread_daemon_threads_allowed, "Whether the interpreter may have daemon threads.";
        "allocate_lock($module, /)" => thread_allocate_lock, "A new lock.";
        "allocate($module, /)" => thread_allocate_lock, "Old name of allocate_lock().";
        "exit_thread($module, /)" => thread_exit, "Old name of exit().";
        "exit($module, /)" => thread_exit, "Raise SystemExit, which ends the thread silently.";
        "interrupt_main($module, signum=signal.SIGINT, /)" => thread_interrupt_main, "Pretend that a signal arrived, which the main thread handles.";
        "get_ident($module, /)" => thread_get_ident, "Identity of the thread, unique among those that run.";
        "get_native_id($module, /)" => thread_get_native_id, "The kernel's number of the thread.";
        "_count($module, /)" => thread_count, "How many threads this module has started that still run.";
        "stack_size($module, size=0, /)" => thread_stack_size, "Set the stack size of new threads; returns the old one. 0 is the system's default.";
        "_excepthook($module, (exc_type, exc_value, exc_traceback, thread), /)" => thread_excepthook, "Report an exception that ended a thread.";
        "_is_main_interpreter($module, /)" => thread_is_main_interpreter, "Whether this is the main interpreter.";
        "_shutdown($module, /)" => thread_shutdown, "Wait for the threads that are not daemons.";
        "_make_thread_handle($module, ident, /)" => thread_make_thread_handle, "A handle for a thread that was started elsewhere.";
        "_get_main_thread_ident($module, /)" => thread_get_main_thread_ident, "Identity of the main thread.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] static types.
    unsafe {
        add_type(module, &raw mut THREAD_HANDLE)?;
        add_type(module, &raw mut lock::LOCK)?;
        add_object(module, c"LockType", Ok(Owned::from_borrowed((&raw mut lock::LOCK).cast())))?;
        add_type(module, &raw mut lock::RLOCK)?;
        check_status(PyType_Ready(&raw mut local::LOCAL_DUMMY))?;
        add_type(module, &raw mut local::LOCAL)?;
        add_object(module, c"error", Ok(Owned::from_borrowed(PyExc_RuntimeError)))?;
        EXCEPT_HOOK_ARGS.add_to(module)?;
        add_object(module, c"TIMEOUT_MAX", float(lock::TIMEOUT_MAX))
    }
}

module! {
    /// Entry point of `_thread`.
    pub fn PyInit__thread = "_thread", "The primitives of threads; the module threading is easier to use.", methods: METHODS, exec: exec;
}
