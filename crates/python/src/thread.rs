//! Threads, locks and thread-local storage for C code (`pythread.h`).

use crate::ceval_gil::{allow_threads, set_errno};
use core::ffi::{c_int, c_ulong, c_void};
use core::ptr::null_mut;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};
use taipan_abi::*;

/// A lock that any thread may release.
pub struct Lock {
    locked: Mutex<bool>,
    cond: Condvar,
}

/// What became of an attempt to take a lock (`PyLockStatus`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum LockStatus {
    /// Not taken in time.
    Failure = 0,
    /// Taken.
    Acquired = 1,
    /// A signal arrived.
    Interrupted = 2,
}

impl Lock {
    /// A free lock.
    pub const fn new() -> Self {
        Lock { locked: Mutex::new(false), cond: Condvar::new() }
    }
    /// Takes the lock at once, or not.
    pub fn try_acquire(&self) -> bool {
        let mut l = self.locked.lock().unwrap_or_else(|e| e.into_inner());
        !core::mem::replace(&mut *l, true)
    }
    /// Waits for the lock, at most `timeout`.
    pub fn acquire(&self, timeout: Option<Duration>, interruptible: bool) -> LockStatus {
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        let mut l = self.locked.lock().unwrap_or_else(|e| e.into_inner());
        while *l {
            // A signal does not wake a condition variable: the wait is cut into slices, between which signals are seen.
            let slice = Duration::from_millis(20);
            let wait = match deadline {
                Some(d) => {
                    let left = d.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return LockStatus::Failure;
                    }
                    if interruptible { left.min(slice) } else { left }
                }
                None if interruptible => slice,
                None => Duration::from_secs(3600),
            };
            l = self.cond.wait_timeout(l, wait).unwrap_or_else(|e| e.into_inner()).0;
            if *l && interruptible && crate::signals::pending() {
                return LockStatus::Interrupted;
            }
        }
        *l = true;
        LockStatus::Acquired
    }
    /// Frees the lock.
    pub fn release(&self) {
        *self.locked.lock().unwrap_or_else(|e| e.into_inner()) = false;
        self.cond.notify_one();
    }
    /// Whether it is taken.
    pub fn is_locked(&self) -> bool {
        *self.locked.lock().unwrap_or_else(|e| e.into_inner())
    }
}
impl Default for Lock {
    fn default() -> Self {
        Self::new()
    }
}

/// The greatest timeout in microseconds.
#[unsafe(no_mangle)]
pub static PY_TIMEOUT_MAX: i64 = i64::MAX / 1000;

/// Nothing is to be prepared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_init_thread() {}

/// A new lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_allocate_lock() -> *mut Lock {
    Box::into_raw(Box::new(Lock::new()))
}

/// Frees a lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_free_lock(lock: *mut Lock) {
    // SAFETY: [ARGS] from PyThread_allocate_lock, used by nobody.
    drop(unsafe { Box::from_raw(lock) });
}

/// Takes a lock: `microseconds` 0 at once, negative without limit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_acquire_lock_timed(lock: *mut Lock, microseconds: i64, intr_flag: c_int) -> c_int {
    // SAFETY: [ARGS]
    let lock = unsafe { &*lock };
    if microseconds == 0 {
        return lock.try_acquire() as c_int;
    }
    let timeout = u64::try_from(microseconds).ok().map(Duration::from_micros);
    lock.acquire(timeout, intr_flag != 0) as c_int
}

/// Takes a lock, waiting if `waitflag`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_acquire_lock(lock: *mut Lock, waitflag: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyThread_acquire_lock_timed(lock, if waitflag != 0 { -1 } else { 0 }, 0) }
}

/// Frees a lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_release_lock(lock: *mut Lock) {
    // SAFETY: [ARGS]
    unsafe { (*lock).release() }
}

/// Takes a lock with a timeout in nanoseconds (negative: none), running signal handlers meanwhile; 2 when one raised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_acquire_lock_timed_with_retries(lock: *mut Lock, timeout: i64) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let lock = &*lock;
        if lock.try_acquire() {
            return LockStatus::Acquired as c_int;
        }
        if timeout == 0 {
            return LockStatus::Failure as c_int;
        }
        let deadline = (timeout > 0).then(|| crate::pytime::monotonic().saturating_add(timeout));
        loop {
            let left = deadline.map(|d| d - crate::pytime::monotonic());
            if left.is_some_and(|l| l <= 0) {
                return LockStatus::Failure as c_int;
            }
            let r = allow_threads(|| lock.acquire(left.map(|l| Duration::from_nanos(l as u64)), true));
            if r != LockStatus::Interrupted {
                return r as c_int;
            }
            if crate::ceval_gil::Py_MakePendingCalls() < 0 {
                return LockStatus::Interrupted as c_int;
            }
        }
    }
}

/// The nanoseconds that a call of `acquire(blocking, timeout)` means.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_ParseTimeoutArg(arg: *mut PyObject, blocking: c_int, result: *mut i64) -> c_int {
    // SAFETY: [ARGS]
    let r: PyResult<i64> = (|| unsafe {
        if arg.is_null() || arg == Py_None() {
            return Ok(if blocking != 0 { -1 } else { 0 });
        }
        if blocking == 0 {
            bail!(PyExc_ValueError, "can't specify a timeout for a non-blocking call");
        }
        let ns = crate::pytime::object_to_ns(arg, crate::pytime::Round::TIMEOUT)?;
        if ns < 0 {
            bail!(PyExc_ValueError, "timeout value must be a non-negative number");
        }
        if ns / 1000 > PY_TIMEOUT_MAX {
            bail!(PyExc_OverflowError, "timeout value is too large");
        }
        Ok(ns)
    })();
    match r {
        Ok(v) => {
            // SAFETY: [ARGS]
            unsafe { *result = v };
            0
        }
        Err(_) => -1,
    }
}

// ---- threads

static STACK_SIZE: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);

struct Start {
    func: unsafe extern "C" fn(*mut c_void),
    arg: usize,
}

extern "C" fn run_thread(arg: *mut c_void) -> *mut c_void {
    // SAFETY: made by start_thread for this thread alone.
    unsafe {
        let s = Box::from_raw(arg.cast::<Start>());
        (s.func)(s.arg as *mut c_void);
    }
    null_mut()
}

/// Starts a thread; `None` when the system has no more.
pub fn start_thread(func: unsafe extern "C" fn(*mut c_void), arg: *mut c_void) -> Option<libc::pthread_t> {
    // SAFETY: the attributes are destroyed after use; the thread owns what it is given.
    unsafe {
        let mut attrs: libc::pthread_attr_t = core::mem::zeroed();
        if libc::pthread_attr_init(&mut attrs) != 0 {
            return None;
        }
        let size = STACK_SIZE.load(core::sync::atomic::Ordering::Relaxed);
        if size != 0 && libc::pthread_attr_setstacksize(&mut attrs, size) != 0 {
            libc::pthread_attr_destroy(&mut attrs);
            return None;
        }
        let start = Box::into_raw(Box::new(Start { func, arg: arg as usize }));
        let mut id: libc::pthread_t = 0;
        let e = libc::pthread_create(&mut id, &attrs, run_thread, start.cast());
        libc::pthread_attr_destroy(&mut attrs);
        if e != 0 {
            drop(Box::from_raw(start));
            set_errno(e);
            return None;
        }
        Some(id)
    }
}

/// Starts a thread that nobody joins; its identity, -1 on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_start_new_thread(func: unsafe extern "C" fn(*mut c_void), arg: *mut c_void) -> c_ulong {
    match start_thread(func, arg) {
        Some(id) => {
            // SAFETY: just started.
            unsafe { libc::pthread_detach(id) };
            id as c_ulong
        }
        None => c_ulong::MAX,
    }
}

/// Starts a thread that is to be joined or detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_start_joinable_thread(func: unsafe extern "C" fn(*mut c_void), arg: *mut c_void, ident: *mut c_ulong, handle: *mut c_ulong) -> c_int {
    match start_thread(func, arg) {
        Some(id) => {
            // SAFETY: [ARGS]
            unsafe {
                *ident = id as c_ulong;
                *handle = id as c_ulong;
            }
            0
        }
        None => -1,
    }
}

/// Waits for a thread's end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_join_thread(handle: c_ulong) -> c_int {
    // SAFETY: [ARGS] joined once.
    unsafe { libc::pthread_join(handle as libc::pthread_t, null_mut()) }
}

/// Lets a thread end by itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_detach_thread(handle: c_ulong) -> c_int {
    // SAFETY: [ARGS]
    unsafe { libc::pthread_detach(handle as libc::pthread_t) }
}

/// Ends the running thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_exit_thread() -> ! {
    // SAFETY: the caller has no frame of ours that must be left in order.
    unsafe { libc::pthread_exit(null_mut()) }
}

/// The identity of the running thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_get_thread_ident() -> c_ulong {
    crate::pystate::thread_ident() as c_ulong
}

/// The identity of the running thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_get_thread_ident_ex() -> u64 {
    crate::pystate::thread_ident() as u64
}

/// The kernel's number of the running thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_get_thread_native_id() -> c_ulong {
    // SAFETY: plain system call.
    unsafe { libc::syscall(libc::SYS_gettid) as c_ulong }
}

/// The stack size of new threads, 0 for the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_get_stacksize() -> usize {
    STACK_SIZE.load(core::sync::atomic::Ordering::Relaxed)
}

/// Sets the stack size of new threads: -1 for a size that is not possible.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_set_stacksize(size: usize) -> c_int {
    if size != 0 {
        if size < 0x8000 {
            return -1;
        }
        // SAFETY: the attributes are destroyed after use.
        unsafe {
            let mut attrs: libc::pthread_attr_t = core::mem::zeroed();
            if libc::pthread_attr_init(&mut attrs) != 0 {
                return -1;
            }
            let e = libc::pthread_attr_setstacksize(&mut attrs, size);
            libc::pthread_attr_destroy(&mut attrs);
            if e != 0 {
                return -1;
            }
        }
    }
    STACK_SIZE.store(size, core::sync::atomic::Ordering::Relaxed);
    0
}

/// `sys.thread_info`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_GetInfo() -> *mut PyObject {
    crate::sysmodule_info::make_thread_info().into_c()
}

// ---- thread-local storage

/// `Py_tss_t`.
#[repr(C)]
#[allow(missing_docs, reason = "CPython's names")]
pub struct Tss {
    pub _is_initialized: c_int,
    pub _key: libc::pthread_key_t,
}

/// A new key's record.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_alloc() -> *mut Tss {
    // SAFETY: fresh memory.
    unsafe {
        let p = PyMem_RawMalloc(size_of::<Tss>()).cast::<Tss>();
        if !p.is_null() {
            p.write(Tss { _is_initialized: 0, _key: 0 });
        }
        p
    }
}

/// Frees a key's record.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_free(key: *mut Tss) {
    // SAFETY: [ARGS]
    unsafe {
        if !key.is_null() {
            PyThread_tss_delete(key);
            PyMem_RawFree(key.cast());
        }
    }
}

/// Whether a key is in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_is_created(key: *mut Tss) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (*key)._is_initialized }
}

/// Makes a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_create(key: *mut Tss) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if (*key)._is_initialized != 0 {
            return 0;
        }
        if libc::pthread_key_create(&mut (*key)._key, None) != 0 {
            return -1;
        }
        (*key)._is_initialized = 1;
        0
    }
}

/// Deletes a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_delete(key: *mut Tss) {
    // SAFETY: [ARGS]
    unsafe {
        if (*key)._is_initialized != 0 {
            libc::pthread_key_delete((*key)._key);
            (*key)._is_initialized = 0;
        }
    }
}

/// Sets this thread's value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_set(key: *mut Tss, value: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { if libc::pthread_setspecific((*key)._key, value) == 0 { 0 } else { -1 } }
}

/// This thread's value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_get(key: *mut Tss) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe { libc::pthread_getspecific((*key)._key) }
}

/// Makes a key (the older form); -1 on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_create_key() -> c_int {
    // SAFETY: plain call.
    unsafe {
        let mut key = 0;
        if libc::pthread_key_create(&mut key, None) != 0 { -1 } else { key as c_int }
    }
}

/// Deletes a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_delete_key(key: c_int) {
    // SAFETY: [ARGS]
    unsafe { libc::pthread_key_delete(key as libc::pthread_key_t) };
}

/// Resets this thread's value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_delete_key_value(key: c_int) {
    // SAFETY: [ARGS]
    unsafe { libc::pthread_setspecific(key as libc::pthread_key_t, null_mut()) };
}

/// Sets this thread's value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_set_key_value(key: c_int, value: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { if libc::pthread_setspecific(key as libc::pthread_key_t, value) == 0 { 0 } else { -1 } }
}

/// This thread's value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_get_key_value(key: c_int) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe { libc::pthread_getspecific(key as libc::pthread_key_t) }
}

/// Nothing is to be restored: keys survive a fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_ReInitTLS() {}

// ---- PyMutex, critical sections: with the GIL they have next to nothing to do

/// `PyMutex`: one byte, bit 0 tells that it is locked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMutex_Lock(m: *mut u8) {
    use core::sync::atomic::{AtomicU8, Ordering::*};
    // SAFETY: [ARGS]
    let bits = unsafe { AtomicU8::from_ptr(m) };
    if bits.compare_exchange(0, 1, Acquire, Relaxed).is_ok() {
        return;
    }
    let wait = || {
        while bits.compare_exchange(0, 1, Acquire, Relaxed).is_err() {
            std::thread::sleep(Duration::from_micros(50));
        }
    };
    if current_tstate().is_null() {
        wait();
    } else {
        allow_threads(wait);
    }
}

/// Frees a `PyMutex`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMutex_Unlock(m: *mut u8) {
    use core::sync::atomic::{AtomicU8, Ordering::*};
    // SAFETY: [ARGS]
    if unsafe { AtomicU8::from_ptr(m) }.swap(0, Release) & 1 == 0 {
        fatal("unlocking mutex that is not locked");
    }
}

macro_rules! sections {
    ($($name:ident($($arg:ident),*);)*) => { $(
        /// Does nothing: the GIL is the critical section.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: *mut c_void),*) {
            let _ = ($($arg),*);
        }
    )* };
}
sections! {
    PyCriticalSection_Begin(_c, _op);
    PyCriticalSection_End(_c);
    PyCriticalSection2_Begin(_c, _a, _b);
    PyCriticalSection2_End(_c);
}
