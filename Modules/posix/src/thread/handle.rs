//! Threads to wait for: `_ThreadHandle`.
//!
//! The state of a handle is changed only with the GIL held, by the thread itself too: it reports its end before it lets
//! go of the GIL for good. Joining then waits for the operating system's thread, which does nothing of interest any more.

use super::count;
use crate::support::*;
use crate::thread::ident;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};
use std::cell::Cell;
use std::sync::{Arc, Weak};
use taipan_abi::*;
use taipan_clinic::{getset, methods};
use taipan_objects::typeobject::TYPE_INIT;

unsafe extern "C" {
    fn PyThread_start_joinable_thread(func: unsafe extern "C" fn(*mut c_void), arg: *mut c_void, ident: *mut u64, handle: *mut u64) -> c_int;
    fn PyThread_join_thread(handle: u64) -> c_int;
    fn PyThread_detach_thread(handle: u64) -> c_int;
    fn _PyThreadState_New(interp: *mut PyInterpreterState, whence: c_int) -> *mut PyThreadState;
    fn _PyTime_FromSecondsObject(t: *mut i64, obj: *mut PyObject, round: c_int) -> c_int;
    /// python: thread; ties a thread state to the running thread and takes the GIL for it.
    fn _PyThreadState_BindAndAttach(ts: *mut PyThreadState);
    fn Py_MakePendingCalls() -> c_int;
}

#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
enum State {
    NotStarted,
    Starting,
    Running,
    Done,
}

/// A thread as others see it.
pub struct Handle {
    ident: AtomicU64,
    /// What the system joins, until somebody has.
    os_handle: Cell<Option<u64>>,
    state: Cell<State>,
    /// 1 once the thread is about to end; waiters sleep on it.
    exiting: AtomicU32,
    /// The interpreter that started it.
    interp: *mut PyInterpreterState,
}
// SAFETY: [GIL] cells are used only with the GIL held; the rest is atomic.
unsafe impl Send for Handle {}
// SAFETY: [GIL] as above.
unsafe impl Sync for Handle {}

/// All handles, to mark them in the child of a fork.
static mut ALL: Vec<Weak<Handle>> = Vec::new();
/// Handles of threads that the end of the interpreter waits for.
static mut SHUTDOWN: Vec<Arc<Handle>> = Vec::new();

fn current_interp() -> *mut PyInterpreterState {
    // SAFETY: [GIL]
    unsafe { (*current_tstate()).interp }
}

impl Handle {
    fn register(self) -> Arc<Handle> {
        let h = Arc::new(self);
        // SAFETY: [GIL]
        unsafe {
            let all = &mut *(&raw mut ALL);
            if all.len() == all.capacity() {
                all.retain(|w| w.strong_count() > 0);
            }
            all.push(Arc::downgrade(&h));
        }
        h
    }
    /// Of a thread that isn't started yet.
    pub fn new() -> Arc<Handle> {
        Handle { ident: AtomicU64::new(0), os_handle: Cell::new(None), state: Cell::new(State::NotStarted), exiting: AtomicU32::new(0), interp: current_interp() }.register()
    }
    /// Of a thread that was started elsewhere.
    pub fn for_running(ident: u64) -> Arc<Handle> {
        Handle { ident: AtomicU64::new(ident), os_handle: Cell::new(None), state: Cell::new(State::Running), exiting: AtomicU32::new(0), interp: current_interp() }.register()
    }
    /// The thread's identity, 0 before it starts.
    pub fn ident(&self) -> u64 {
        self.ident.load(Relaxed)
    }
    fn is_exiting(&self) -> bool {
        self.exiting.load(Acquire) != 0
    }
    fn notify(&self) {
        self.exiting.store(1, Release);
        super::lock::futex_wake(&self.exiting, i32::MAX);
    }
    fn detach(&self) -> PyResult<()> {
        if let Some(os) = self.os_handle.take() {
            // SAFETY: started by us, joined by nobody.
            if unsafe { PyThread_detach_thread(os) } != 0 {
                bail!(PyExc_RuntimeError, "failed detaching handle");
            }
        }
        Ok(())
    }
}
impl Drop for Handle {
    fn drop(&mut self) {
        if self.state.get() == State::Running
            && let Some(os) = self.os_handle.take()
        {
            // SAFETY: started by us, joined by nobody.
            unsafe { PyThread_detach_thread(os) };
        }
    }
}

fn remove_from_shutdown(h: &Arc<Handle>) {
    // SAFETY: [GIL]
    unsafe { (*(&raw mut SHUTDOWN)).retain(|o| !Arc::ptr_eq(o, h)) }
}

/// A thread that the end of the interpreter has to wait for, other than the running one.
pub fn next_to_wait_for() -> Option<Arc<Handle>> {
    let me = ident();
    // SAFETY: [GIL]
    unsafe { (*(&raw mut SHUTDOWN)).iter().find(|h| h.ident() != me && h.interp == current_interp()).cloned() }
}

/// In the child of a fork: threads that were running are over and can't be joined.
///
/// # Safety
/// [GIL], only this thread exists.
pub unsafe fn after_fork() {
    let me = ident();
    let mut survivors = 0;
    // SAFETY: [ARGS]
    unsafe {
        for h in (*(&raw mut ALL)).iter().filter_map(Weak::upgrade) {
            if h.ident() == me {
                survivors += (h.state.get() == State::Running && h.os_handle.get().is_some()) as i64;
                continue;
            }
            if h.state.get() == State::NotStarted {
                continue;
            }
            h.os_handle.set(None);
            h.state.set(State::Done);
            h.exiting.store(1, Release);
            remove_from_shutdown(&h);
        }
    }
    count().store(survivors, Relaxed);
}

/// What a new thread needs.
struct Boot {
    tstate: *mut PyThreadState,
    func: Owned,
    args: Owned,
    kwargs: Option<Owned>,
    handle: Arc<Handle>,
}

unsafe extern "C" fn thread_run(arg: *mut c_void) {
    // SAFETY: [OWN] made by start; objects are touched only once the GIL is held.
    unsafe {
        // If the interpreter ends meanwhile, this never returns and the references are leaked on purpose.
        let tstate = (*arg.cast::<Boot>()).tstate;
        _PyThreadState_BindAndAttach(tstate);
        let boot = Box::from_raw(arg.cast::<Boot>());
        let handle = boot.handle.clone();
        let kwargs = boot.kwargs.as_ref().map_or(null_mut(), |k| k.as_ptr());
        match own(PyObject_Call(boot.func.as_ptr(), boot.args.as_ptr(), kwargs)) {
            Ok(r) => drop(r),
            Err(e) if e.matches(PyExc_SystemExit) => e.clear(),
            Err(_) => PyErr_FormatUnraisable(c"Exception ignored in thread started by %R".as_ptr(), boot.func.as_ptr()),
        }
        drop(boot);
        count().fetch_sub(1, Relaxed);
        PyThreadState_Clear(tstate.cast());
        remove_from_shutdown(&handle);
        handle.notify();
        drop(handle);
        PyThreadState_DeleteCurrent();
    }
}

/// Starts the thread of a handle.
pub fn start(h: &Arc<Handle>, func: Borrowed<'_>, args: Owned, kwargs: Option<Owned>, daemon: bool) -> PyResult<()> {
    if h.state.get() != State::NotStarted {
        bail!(PyExc_RuntimeError, "thread already started");
    }
    h.state.set(State::Starting);
    // SAFETY: [GIL] the new thread waits for it before it looks at anything.
    unsafe {
        let interp = (*current_tstate()).interp;
        const WHENCE_THREADING: c_int = 3;
        let tstate = _PyThreadState_New(interp, WHENCE_THREADING);
        let boot = Box::into_raw(Box::new(Boot { tstate, func: func.to_owned(), args, kwargs, handle: h.clone() }));
        let (mut id, mut os) = (0, 0);
        count().fetch_add(1, Relaxed);
        if !daemon {
            (*(&raw mut SHUTDOWN)).push(h.clone());
        }
        if PyThread_start_joinable_thread(thread_run, boot.cast(), &mut id, &mut os) != 0 {
            count().fetch_sub(1, Relaxed);
            remove_from_shutdown(h);
            PyThreadState_Clear(tstate.cast());
            PyThreadState_Delete(tstate.cast());
            drop(Box::from_raw(boot));
            h.state.set(State::Done);
            h.notify();
            bail!(PyExc_RuntimeError, "can't start new thread");
        }
        h.ident.store(id, Relaxed);
        h.os_handle.set(Some(os));
        h.state.set(State::Running);
    }
    Ok(())
}

fn check_started(h: &Handle) -> PyResult<()> {
    if h.state.get() < State::Running {
        bail!(PyExc_RuntimeError, "thread not started");
    }
    Ok(())
}

/// Waits for a thread, at most so many nanoseconds (-1: for ever).
pub fn join(h: &Arc<Handle>, timeout_ns: i64) -> PyResult<()> {
    check_started(h)?;
    if !h.is_exiting() && h.ident() == ident() {
        bail!(PyExc_RuntimeError, "Cannot join current thread");
    }
    let deadline = (timeout_ns != -1).then(|| super::lock::monotonic().saturating_add(timeout_ns.max(0)));
    while !h.is_exiting() {
        let r = allow_threads(|| super::lock::futex_wait(&h.exiting, 0, deadline));
        match r {
            super::lock::Wake::TimedOut => return Ok(()),
            super::lock::Wake::Interrupted => {
                // SAFETY: [GIL]
                check_status(unsafe { Py_MakePendingCalls() })?;
            }
            super::lock::Wake::Woken => {}
        }
    }
    if let Some(os) = h.os_handle.take() {
        // SAFETY: taken out: nobody else joins it.
        if allow_threads(|| unsafe { PyThread_join_thread(os) }) != 0 {
            bail!(PyExc_RuntimeError, "Failed joining thread");
        }
    }
    h.state.set(State::Done);
    Ok(())
}

// ---- the object

/// `_thread._ThreadHandle`.
#[repr(C)]
pub struct ThreadHandleObject {
    ob_base: PyObject,
    handle: *const Handle,
}
type H<'a> = Borrowed<'a, ThreadHandleObject>;

impl ThreadHandleObject {
    /// The handle of an object.
    ///
    /// # Safety
    /// `op` is a `_ThreadHandle`.
    pub unsafe fn handle(op: *mut PyObject) -> Arc<Handle> {
        // SAFETY: [TYPE] the object owns one reference.
        unsafe {
            let p = (*op.cast::<ThreadHandleObject>()).handle;
            Arc::increment_strong_count(p);
            Arc::from_raw(p)
        }
    }
}
fn of(slf: H<'_>) -> Arc<Handle> {
    // SAFETY: [TYPE]
    unsafe { ThreadHandleObject::handle(slf.ob()) }
}

/// An object for a handle.
pub fn new_object(h: Arc<Handle>) -> PyResult<Owned> {
    // SAFETY: [GIL] filled at once.
    unsafe {
        let op = own(PyType_GenericAlloc(&raw mut THREAD_HANDLE, 0))?;
        (*op.as_ptr().cast::<ThreadHandleObject>()).handle = Arc::into_raw(h);
        Ok(op)
    }
}
unsafe extern "C" fn handle_new(_tp: *mut PyTypeObject, _args: *mut PyObject, _kw: *mut PyObject) -> *mut PyObject {
    new_object(Handle::new()).into_c()
}
unsafe extern "C" fn handle_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        drop(Arc::from_raw((*op.cast::<ThreadHandleObject>()).handle));
        PyObject_Free(op.cast());
    }
}
unsafe extern "C" fn handle_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { string(&format!("<{} object: ident={}>", type_name(op), ThreadHandleObject::handle(op).ident())).into_c() }
}

fn handle_ident(slf: H<'_>) -> PyResult<u64> {
    Ok(of(slf).ident())
}
fn handle_join(slf: H<'_>, timeout: Option<Borrowed<'_>>) -> PyResult<()> {
    let mut ns = -1;
    if let Some(t) = timeout.filter(|t| !t.is_none()) {
        // SAFETY: live.
        check_status(unsafe { _PyTime_FromSecondsObject(&mut ns, t.ob(), 3) })?;
        // Only a timeout of exactly -1 ns would be taken for none.
        ns = ns.max(0);
    }
    join(&of(slf), ns)
}
fn handle_is_done(slf: H<'_>) -> PyResult<bool> {
    Ok(of(slf).is_exiting())
}
fn handle_set_done(slf: H<'_>) -> PyResult<()> {
    let h = of(slf);
    check_started(&h)?;
    h.detach()?;
    h.notify();
    h.state.set(State::Done);
    Ok(())
}

methods! {
    static METHODS = [
        "join($self, timeout=None, /)" => handle_join, "Wait for the thread's end.";
        "_set_done($self, /)" => handle_set_done, "Take the thread for done.";
        "is_done($self, /)" => handle_is_done, "Whether the thread is done.";
    ];
}
getset! { static ATTRS = [ "ident" => handle_ident, ""; ]; }

/// `_thread._ThreadHandle`.
pub static mut THREAD_HANDLE: PyTypeObject = PyTypeObject {
    tp_name: c"_thread._ThreadHandle".as_ptr(),
    tp_basicsize: size_of::<ThreadHandleObject>() as Py_ssize_t,
    tp_dealloc: Some(handle_dealloc),
    tp_repr: Some(handle_repr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut ATTRS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(handle_new),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};
