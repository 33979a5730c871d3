//! The global interpreter lock, the `eval_breaker` bits, pending calls.
//!
//! The lock is a flag under a mutex. Who waits longer than the switch interval sets the holder's drop request; the
//! holder sees it at its next evaluation check, lets go and waits until somebody else has run.

use crate::pystate::{InterpreterState, as_interp};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;
use taipan_abi::*;

/// Another thread wants the GIL.
pub const _PY_GIL_DROP_REQUEST_BIT: usize = 1 << 0;
/// A signal has arrived.
pub const _PY_SIGNALS_PENDING_BIT: usize = 1 << 1;
/// Pending calls are queued.
pub const _PY_CALLS_TO_DO_BIT: usize = 1 << 2;
/// An asynchronous exception is set for the thread.
pub const _PY_ASYNC_EXCEPTION_BIT: usize = 1 << 3;
/// A garbage collection is due.
pub const _PY_GC_SCHEDULED_BIT: usize = 1 << 4;
/// The world is to be stopped.
pub const _PY_EVAL_PLEASE_STOP_BIT: usize = 1 << 5;
/// The bits below the version of instrumentation.
pub const _PY_EVAL_EVENTS_MASK: usize = (1 << 8) - 1;
/// Where the version of instrumentation starts.
pub const _PY_EVAL_EVENTS_BITS: u32 = 8;

unsafe extern "C" {
    /// objects: gc; runs a collection that was scheduled.
    fn _Py_RunGC(tstate: *mut PyThreadState);
}

/// The evaluation breaker of a thread, as an atomic.
///
/// # Safety
/// `tstate` is live.
#[inline(always)]
pub unsafe fn eval_breaker<'a>(tstate: *mut PyThreadState) -> &'a AtomicUsize {
    // SAFETY: [ARGS] aligned word, only accessed atomically.
    unsafe { AtomicUsize::from_ptr(&raw mut (*tstate).eval_breaker) }
}

/// Sets an event bit of a thread.
///
/// # Safety
/// `tstate` is live.
#[inline]
pub unsafe fn _Py_set_eval_breaker_bit(tstate: *mut PyThreadState, bit: usize) {
    // SAFETY: [ARGS]
    unsafe { eval_breaker(tstate).fetch_or(bit, AcqRel) };
}

/// Clears an event bit of a thread.
///
/// # Safety
/// `tstate` is live.
#[inline]
pub unsafe fn _Py_unset_eval_breaker_bit(tstate: *mut PyThreadState, bit: usize) {
    // SAFETY: [ARGS]
    unsafe { eval_breaker(tstate).fetch_and(!bit, AcqRel) };
}

/// Sets an event bit of all threads of an interpreter.
pub fn set_eval_breaker_bit_all(interp: *mut InterpreterState, bit: usize) {
    let _lock = crate::pystate::head_lock();
    // SAFETY: the list is stable under the head lock.
    unsafe {
        let mut t = (*interp).threads_head;
        while !t.is_null() {
            _Py_set_eval_breaker_bit(t, bit);
            t = (*t).next;
        }
    }
}

/// The lock, one for all interpreters.
pub static GIL: Gil = Gil::new();

/// The lock.
pub struct Gil {
    state: Mutex<GilState>,
    cond: Condvar,
    switch_cond: Condvar,
    /// Who held it last.
    last_holder: AtomicPtr<PyThreadState>,
    /// Whether somebody holds it.
    locked: AtomicBool,
    /// Microseconds a waiter waits before it asks.
    interval: AtomicU64,
}

struct GilState {
    switch_number: u64,
    waiters: usize,
    switch_waiters: usize,
}

impl Gil {
    /// A free lock.
    pub const fn new() -> Gil {
        Gil {
            state: Mutex::new(GilState { switch_number: 0, waiters: 0, switch_waiters: 0 }),
            cond: Condvar::new(),
            switch_cond: Condvar::new(),
            last_holder: AtomicPtr::new(null_mut()),
            locked: AtomicBool::new(false),
            interval: AtomicU64::new(5000),
        }
    }

    fn lock(&self) -> MutexGuard<'_, GilState> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The switch interval in microseconds.
    pub fn switch_interval(&self) -> u64 {
        self.interval.load(Relaxed)
    }

    /// Sets the switch interval in microseconds.
    pub fn set_switch_interval(&self, us: u64) {
        self.interval.store(us.max(1), Relaxed);
    }

    /// Waits for the lock and takes it for `tstate`.
    fn take(&self, tstate: *mut PyThreadState) {
        let errno = errno();
        if thread_must_exit(tstate) {
            hang_thread();
        }
        let mut st = self.lock();
        while self.locked.load(Relaxed) {
            let number = st.switch_number;
            st.waiters += 1;
            let interval = Duration::from_micros(self.interval.load(Relaxed));
            let (guard, timeout) = self.cond.wait_timeout(st, interval).unwrap_or_else(|e| e.into_inner());
            st = guard;
            st.waiters -= 1;
            if timeout.timed_out() && self.locked.load(Relaxed) && st.switch_number == number {
                if thread_must_exit(tstate) {
                    drop(st);
                    hang_thread();
                }
                let holder = self.last_holder.load(Relaxed);
                if !holder.is_null() {
                    // SAFETY: the holder can't be deleted while it holds the lock, which our guard keeps it from releasing.
                    unsafe { _Py_set_eval_breaker_bit(holder, _PY_GIL_DROP_REQUEST_BIT) };
                }
            }
        }
        self.locked.store(true, Relaxed);
        if self.last_holder.load(Relaxed) != tstate {
            self.last_holder.store(tstate, Relaxed);
            st.switch_number += 1;
        }
        if st.switch_waiters > 0 {
            self.switch_cond.notify_all();
        }
        drop(st);
        if thread_must_exit(tstate) {
            // Finalisation began while we waited: give the lock back to the thread that finalises.
            self.release(null_mut());
            hang_thread();
        }
        // SAFETY: [ARGS] tstate is live and now ours.
        unsafe { _Py_unset_eval_breaker_bit(tstate, _PY_GIL_DROP_REQUEST_BIT) };
        set_errno(errno);
    }

    fn release(&self, tstate: *mut PyThreadState) {
        let mut st = self.lock();
        if !tstate.is_null() {
            self.last_holder.store(tstate, Relaxed);
        }
        self.locked.store(false, Relaxed);
        if st.waiters > 0 {
            self.cond.notify_one();
        }
        // A thread that was asked to let go waits until another one has had its turn; otherwise it would win the lock
        // back before the waiter is awake.
        // SAFETY: [ARGS] tstate is live when not NULL.
        if !tstate.is_null() && unsafe { eval_breaker(tstate).load(Relaxed) } & _PY_GIL_DROP_REQUEST_BIT != 0 && st.waiters > 0 {
            if self.last_holder.load(Relaxed) == tstate {
                // SAFETY: as above.
                unsafe { _Py_unset_eval_breaker_bit(tstate, _PY_GIL_DROP_REQUEST_BIT) };
                st.switch_waiters += 1;
                while self.last_holder.load(Relaxed) == tstate && st.waiters > 0 && !self.locked.load(Relaxed) {
                    let (g, _) = self
                        .switch_cond
                        .wait_timeout(st, Duration::from_millis(100))
                        .unwrap_or_else(|e| e.into_inner());
                    st = g;
                }
                st.switch_waiters -= 1;
            }
        }
    }

    /// Makes the lock anew, held by `tstate`: after fork, when the other threads are gone.
    ///
    /// # Safety
    /// Only the calling thread exists.
    pub unsafe fn reinit_after_fork(this: *mut Gil, tstate: *mut PyThreadState) {
        // SAFETY: no other thread can see it; the old contents own nothing.
        unsafe {
            let interval = (*this).interval.load(Relaxed);
            this.write(Gil::new());
            (*this).interval.store(interval, Relaxed);
            (*this).locked.store(true, Relaxed);
            (*this).last_holder.store(tstate, Relaxed);
        }
    }
}

impl Default for Gil {
    fn default() -> Self {
        Self::new()
    }
}

/// `errno`.
#[inline]
pub fn errno() -> c_int {
    // SAFETY: the thread's own.
    unsafe { *libc::__errno_location() }
}

/// Sets `errno`.
#[inline]
pub fn set_errno(e: c_int) {
    // SAFETY: the thread's own.
    unsafe { *libc::__errno_location() = e }
}

/// Whether `tstate` may run no more Python code because another thread finalises the runtime.
fn thread_must_exit(tstate: *mut PyThreadState) -> bool {
    let fin = crate::pystate::FINALIZING.load(Relaxed);
    !fin.is_null() && fin != tstate && crate::pystate::FINALIZING_THREAD.load(Relaxed) != crate::pystate::thread_ident()
}

/// A thread that would need the GIL of a finalised interpreter sleeps until the process ends: there is no frame to
/// return to that would be safe to run.
fn hang_thread() -> ! {
    loop {
        // SAFETY: plain system call.
        unsafe { libc::pause() };
    }
}

/// Attaches `tstate` to the running thread: takes the GIL.
///
/// # Safety
/// `tstate` is live and attached nowhere.
pub unsafe fn attach(tstate: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe {
        GIL.take(tstate);
        let ip = as_interp((*tstate).interp);
        if !crate::interp_switch::is_running(ip) {
            crate::interp_switch::switch_to(ip);
        }
        crate::pystate::bind_tstate(tstate);
        crate::pystate::bind_gilstate(tstate);
        set_current_tstate(tstate);
        (*tstate)._status |= crate::pystate::STATUS_ACTIVE;
        (*tstate).state = 1;
    }
}

/// Detaches `tstate` from the running thread: releases the GIL.
///
/// # Safety
/// `tstate` is the running thread's.
pub unsafe fn detach(tstate: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe {
        (*tstate)._status &= !crate::pystate::STATUS_ACTIVE;
        (*tstate).state = 0;
        set_current_tstate(null_mut());
        GIL.release(tstate);
    }
}

/// Ends the attachment of a state that is going away. The running thread holds the GIL until [`release_for_good`], but nobody
/// can ask it for that any more: the state may be freed.
pub fn forget_holder() {
    set_current_tstate(null_mut());
    let _guard = GIL.lock();
    GIL.last_holder.store(null_mut(), Relaxed);
}

/// Releases the GIL on behalf of a state that is going away.
///
/// # Safety
/// The running thread holds the GIL.
pub unsafe fn release_for_good() {
    set_current_tstate(null_mut());
    GIL.last_holder.store(null_mut(), Relaxed);
    GIL.release(null_mut());
}

/// Runs `f` without the GIL (`Py_BEGIN_ALLOW_THREADS`).
pub fn allow_threads<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: the thread is attached; `f` uses no Python object.
    unsafe {
        let ts = PyEval_SaveThread();
        let r = f();
        PyEval_RestoreThread(ts);
        r
    }
}

// ---- pending calls

/// Most calls that wait for any thread, and for the main thread.
const MAXPENDINGCALLS: usize = 300;
const MAXPENDINGCALLS_MAIN: usize = 32;
/// Most calls that a thread makes for the others at a time.
const MAXPENDINGCALLSLOOP: usize = 100;
/// Flags of [`_PyEval_AddPendingCall`].
const PENDING_MAINTHREADONLY: c_int = 1;
const PENDING_RAWFREE: c_int = 2;

type PendingFn = unsafe extern "C" fn(*mut c_void) -> c_int;
type Queue = Mutex<std::collections::VecDeque<(PendingFn, usize, c_int)>>;

/// Calls that a thread makes at its next check: any thread, or only the main one.
pub struct PendingCalls {
    any: Queue,
    main: Queue,
    busy: AtomicBool,
}

impl PendingCalls {
    /// Empty queues.
    pub const fn new() -> Self {
        PendingCalls { any: Mutex::new(std::collections::VecDeque::new()), main: Mutex::new(std::collections::VecDeque::new()), busy: AtomicBool::new(false) }
    }
    /// Forgets all, after fork.
    ///
    /// # Safety
    /// Only the calling thread exists.
    pub unsafe fn reinit_after_fork(this: *mut Self) {
        // SAFETY: [ARGS] the old mutex may be held by a thread that is gone: it is replaced, its content leaks.
        unsafe { this.write(PendingCalls::new()) }
    }
}
impl Default for PendingCalls {
    fn default() -> Self {
        Self::new()
    }
}

fn queued(q: &Queue) -> std::sync::MutexGuard<'_, std::collections::VecDeque<(PendingFn, usize, c_int)>> {
    q.lock().unwrap_or_else(|e| e.into_inner())
}

fn add_pending(ip: *mut InterpreterState, func: PendingFn, arg: *mut c_void, flags: c_int) -> c_int {
    // SAFETY: [ARGS] the interpreter lives as long as the process.
    unsafe {
        let only_main = flags & PENDING_MAINTHREADONLY != 0;
        {
            let (q, max) = if only_main { (&(*ip).pending.main, MAXPENDINGCALLS_MAIN) } else { (&(*ip).pending.any, MAXPENDINGCALLS) };
            let mut q = queued(q);
            if q.len() >= max {
                return -1;
            }
            q.push_back((func, arg as usize, flags));
        }
        if !only_main {
            set_eval_breaker_bit_all(ip, _PY_CALLS_TO_DO_BIT);
        } else if !(*ip).main_tstate.is_null() {
            _Py_set_eval_breaker_bit((*ip).main_tstate, _PY_CALLS_TO_DO_BIT);
        }
        0
    }
}

/// Makes up to `most` calls of a queue.
unsafe fn drain(q: &Queue, most: usize) -> PyResult<()> {
    for _ in 0..most {
        let next = queued(q).pop_front();
        let Some((func, arg, flags)) = next else { break };
        // SAFETY: [GIL] by whom it was queued.
        let status = unsafe { func(arg as *mut c_void) };
        if flags & PENDING_RAWFREE != 0 {
            // SAFETY: [OWN] handed over with the call.
            unsafe { PyMem_RawFree(arg as *mut c_void) };
        }
        if status != 0 {
            // SAFETY: [EXC]
            return Err(unsafe { Raised::assume() });
        }
    }
    Ok(())
}

fn make_pending(tstate: *mut PyThreadState) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let ip = as_interp((*tstate).interp);
        let is_main = crate::pystate::is_main_thread() && ip == crate::pystate::main_interp();
        let pending = &(*ip).pending;
        _Py_unset_eval_breaker_bit(tstate, _PY_CALLS_TO_DO_BIT);
        if pending.busy.swap(true, AcqRel) {
            // A call made now, or another thread, is at it; it looks whether something is left.
            return Ok(());
        }
        let mut result = drain(&pending.any, MAXPENDINGCALLSLOOP);
        if is_main && result.is_ok() {
            result = drain(&pending.main, MAXPENDINGCALLS_MAIN);
        }
        pending.busy.store(false, Release);
        if !queued(&pending.any).is_empty() {
            set_eval_breaker_bit_all(ip, _PY_CALLS_TO_DO_BIT);
        } else if !queued(&pending.main).is_empty() && !(*ip).main_tstate.is_null() {
            _Py_set_eval_breaker_bit((*ip).main_tstate, _PY_CALLS_TO_DO_BIT);
        }
        result
    }
}

/// Makes all the calls that wait, when the interpreter ends; what they raise is lost.
///
/// # Safety
/// `tstate` is attached.
pub unsafe fn finish_pending(tstate: *mut PyThreadState) {
    // SAFETY: [GIL]
    unsafe {
        let ip = as_interp((*tstate).interp);
        loop {
            if let Err(e) = make_pending(tstate) {
                e.clear();
            }
            let pending = &(*ip).pending;
            if queued(&pending.any).is_empty() && (ip != crate::pystate::main_interp() || queued(&pending.main).is_empty()) {
                return;
            }
        }
    }
}

/// What the interpreter calls when any bit of the evaluation breaker is set: switches threads, handles signals, pending
/// calls, a scheduled collection and asynchronous exceptions. -1 with an exception set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_HandlePending(tstate: *mut PyThreadState) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        let bits = eval_breaker(tstate).load(Acquire);
        if bits & _PY_EVAL_PLEASE_STOP_BIT != 0 {
            _Py_unset_eval_breaker_bit(tstate, _PY_EVAL_PLEASE_STOP_BIT);
        }
        if bits & _PY_SIGNALS_PENDING_BIT != 0 {
            _Py_unset_eval_breaker_bit(tstate, _PY_SIGNALS_PENDING_BIT);
            if crate::pystate::is_main_thread() && crate::signals::_PyErr_CheckSignalsTstate(tstate) < 0 {
                // What has not been delivered yet is looked at again.
                _Py_set_eval_breaker_bit(tstate, _PY_SIGNALS_PENDING_BIT);
                return -1;
            }
        }
        if bits & _PY_CALLS_TO_DO_BIT != 0 && make_pending(tstate).is_err() {
            return -1;
        }
        if bits & _PY_GC_SCHEDULED_BIT != 0 {
            _Py_unset_eval_breaker_bit(tstate, _PY_GC_SCHEDULED_BIT);
            _Py_RunGC(tstate);
        }
        if bits & _PY_GIL_DROP_REQUEST_BIT != 0 {
            detach(tstate);
            attach(tstate);
        }
        if bits & _PY_ASYNC_EXCEPTION_BIT != 0 {
            _Py_unset_eval_breaker_bit(tstate, _PY_ASYNC_EXCEPTION_BIT);
            let slot = AtomicPtr::from_ptr(&raw mut (*tstate).async_exc);
            let exc = slot.swap(null_mut(), AcqRel);
            if !exc.is_null() {
                PyErr_SetNone(exc);
                Py_DECREF(exc);
                return -1;
            }
        }
        0
    }
}

/// Queues `func(arg)` for the main thread; -1 when the queue is full. Callable without the GIL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_AddPendingCall(func: PendingFn, arg: *mut c_void) -> c_int {
    add_pending(crate::pystate::main_interp(), func, arg, PENDING_MAINTHREADONLY)
}

/// Queues `func(arg)` for any thread of an interpreter, or as the flags say; -1 when the queue is full.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_AddPendingCall(ip: *mut PyInterpreterState, func: PendingFn, arg: *mut c_void, flags: c_int) -> c_int {
    add_pending(as_interp(ip), func, arg, flags)
}

/// Delivers signals and makes the calls that wait, when called by the main thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_MakePendingCalls() -> c_int {
    // SAFETY: [GIL]
    unsafe {
        if crate::pystate::is_main_thread() && crate::signals::_PyErr_CheckSignalsTstate(current_tstate()) < 0 {
            return -1;
        }
        make_pending(current_tstate()).into_c()
    }
}

/// Makes the calls that wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_MakePendingCalls(tstate: *mut PyThreadState) -> c_int {
    make_pending(tstate).into_c()
}

// ---- the API of the lock

/// Releases the GIL; the state returned is for [`PyEval_RestoreThread`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SaveThread() -> *mut PyThreadState {
    let ts = current_tstate();
    if ts.is_null() {
        fatal_gil_released(c"PyEval_SaveThread");
    }
    // SAFETY: attached.
    unsafe { detach(ts) };
    ts
}

/// Takes the GIL again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_RestoreThread(tstate: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe { attach(tstate) }
}

/// Attaches a thread state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_AcquireThread(tstate: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe { attach(tstate) }
}

/// Detaches a thread state, which must be the current one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_ReleaseThread(tstate: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe { detach(tstate) }
}

/// Does nothing since 3.7.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_InitThreads() {}

/// Always true since 3.7.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_ThreadsInitialized() -> c_int {
    1
}

/// Takes the GIL without attaching a state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_AcquireLock() {
    let ts = current_tstate();
    if ts.is_null() {
        fatal_gil_released(c"PyEval_AcquireLock");
    }
    GIL.take(ts);
}

/// Releases the GIL without detaching a state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_ReleaseLock() {
    GIL.release(current_tstate());
}

/// The fatal error of a call that needs the GIL.
pub fn fatal_gil_released(func: &core::ffi::CStr) -> ! {
    // SAFETY: NUL-terminated texts.
    unsafe {
        crate::pylifecycle::_Py_FatalErrorFunc(
            func.as_ptr(),
            c"the function must be called with the GIL held, after Python initialization and before Python finalization, but the GIL is released (the current Python thread state is NULL)".as_ptr(),
        )
    }
}
