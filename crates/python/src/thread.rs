//! Native threads and locks of the C API: `PyThread_*`, `PyMutex`, thread-specific storage.
//!
//! A `PyThread_type_lock` is a POSIX semaphore, as `sys.thread_info` says; a `PyMutex` is one byte whose waiters sleep in
//! a table of buckets.

use core::ffi::{c_int, c_long, c_longlong, c_ulong, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering::*};
use std::sync::{Condvar, Mutex};
use taipan_abi::*;

/// The greatest timeout of a lock, in microseconds.
#[unsafe(no_mangle)]
pub static PY_TIMEOUT_MAX: c_longlong = c_longlong::MAX / 1000;

const PY_LOCK_FAILURE: c_int = 0;
const PY_LOCK_ACQUIRED: c_int = 1;
const PY_LOCK_INTR: c_int = 2;
/// What [`PyThread_ParseTimeoutArg`] gives for "wait for ever".
const UNSET_TIMEOUT: i64 = -1_000_000_000;

/// Smallest stack that may be asked for.
const THREAD_STACK_MIN: usize = 0x8000;
/// Added to stacks that a program sizes itself: the interpreter keeps a reserve below which it raises RecursionError.
const STACK_RESERVE: usize = 512 * 1024;

static STACK_SIZE: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    fn _PyEval_MakePendingCalls(ts: *mut PyThreadState) -> c_int;
    fn _PyTime_FromSecondsObject(t: *mut i64, obj: *mut PyObject, round: c_int) -> c_int;
    fn sem_clockwait(sem: *mut libc::sem_t, clock: libc::clockid_t, deadline: *const libc::timespec) -> c_int;
}
/// `_PyTime_ROUND_UP`.
const ROUND_TIMEOUT: c_int = 3;

fn errno() -> c_int {
    // SAFETY: always valid.
    unsafe { *libc::__errno_location() }
}

fn monotonic() -> i64 {
    // SAFETY: plain system call.
    unsafe {
        let mut ts: libc::timespec = core::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut ts);
        ts.tv_sec * 1_000_000_000 + ts.tv_nsec
    }
}

/// Prepares the thread library: nothing to do with POSIX threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_init_thread() {}

/// A function for a new thread and its argument.
struct Callback {
    func: unsafe extern "C" fn(*mut c_void),
    arg: *mut c_void,
}

extern "C" fn wrapper(arg: *mut c_void) -> *mut c_void {
    // SAFETY: [OWN] made by start, used once.
    unsafe {
        let callback = Box::from_raw(arg.cast::<Callback>());
        let (func, arg) = (callback.func, callback.arg);
        drop(callback);
        func(arg);
    }
    null_mut()
}

fn start(func: unsafe extern "C" fn(*mut c_void), arg: *mut c_void) -> Option<libc::pthread_t> {
    // SAFETY: the attribute object is initialised before use; the callback is given to the thread.
    unsafe {
        let mut attrs: libc::pthread_attr_t = core::mem::zeroed();
        if libc::pthread_attr_init(&mut attrs) != 0 {
            return None;
        }
        let size = STACK_SIZE.load(Relaxed);
        if size != 0 && libc::pthread_attr_setstacksize(&mut attrs, size.saturating_add(STACK_RESERVE)) != 0 {
            libc::pthread_attr_destroy(&mut attrs);
            return None;
        }
        let callback = Box::into_raw(Box::new(Callback { func, arg }));
        let mut th: libc::pthread_t = 0;
        let status = libc::pthread_create(&mut th, &attrs, wrapper, callback.cast());
        libc::pthread_attr_destroy(&mut attrs);
        if status != 0 {
            drop(Box::from_raw(callback));
            return None;
        }
        Some(th)
    }
}

/// Starts a thread that can be joined; -1 when that fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_start_joinable_thread(
    func: unsafe extern "C" fn(*mut c_void),
    arg: *mut c_void,
    ident: *mut c_ulong,
    handle: *mut c_ulong,
) -> c_int {
    let Some(th) = start(func, arg) else { return -1 };
    // SAFETY: [ARGS]
    unsafe {
        *ident = th;
        *handle = th;
    }
    0
}

/// Starts a detached thread and returns its identity, `(unsigned long)-1` when that fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_start_new_thread(func: unsafe extern "C" fn(*mut c_void), arg: *mut c_void) -> c_ulong {
    match start(func, arg) {
        Some(th) => {
            // SAFETY: just started, never joined.
            unsafe { libc::pthread_detach(th) };
            th
        }
        None => c_ulong::MAX,
    }
}

/// Waits for a thread's end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_join_thread(handle: c_ulong) -> c_int {
    // SAFETY: [ARGS]
    unsafe { libc::pthread_join(handle, null_mut()) }
}

/// Lets a thread end unjoined.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_detach_thread(handle: c_ulong) -> c_int {
    // SAFETY: [ARGS]
    unsafe { libc::pthread_detach(handle) }
}

/// Ends the running thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_exit_thread() -> ! {
    // SAFETY: the caller gives up its stack.
    unsafe { libc::pthread_exit(null_mut()) }
}

/// Identity of the running thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_get_thread_ident() -> c_ulong {
    // SAFETY: always succeeds.
    unsafe { libc::pthread_self() }
}

/// Identity of the running thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_get_thread_ident_ex() -> u64 {
    // SAFETY: always succeeds.
    unsafe { libc::pthread_self() as u64 }
}

/// The kernel's number of the running thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_get_thread_native_id() -> c_ulong {
    // SAFETY: plain system call.
    unsafe { libc::syscall(libc::SYS_gettid) as c_ulong }
}

/// Stack size of new threads, 0 for the system's default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_get_stacksize() -> usize {
    STACK_SIZE.load(Relaxed)
}

/// Sets the stack size of new threads; -1 for a size that is no good.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_set_stacksize(size: usize) -> c_int {
    if size != 0 {
        if size < THREAD_STACK_MIN.max(libc::PTHREAD_STACK_MIN) {
            return -1;
        }
        // SAFETY: initialised before use.
        let valid = unsafe {
            let mut attrs: libc::pthread_attr_t = core::mem::zeroed();
            if libc::pthread_attr_init(&mut attrs) != 0 {
                return -1;
            }
            let ok = size.checked_add(STACK_RESERVE).is_some_and(|n| libc::pthread_attr_setstacksize(&mut attrs, n) == 0);
            libc::pthread_attr_destroy(&mut attrs);
            ok
        };
        if !valid {
            return -1;
        }
    }
    STACK_SIZE.store(size, Relaxed);
    0
}

// ---- locks

/// A new, free lock; NULL without memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_allocate_lock() -> *mut c_void {
    // SAFETY: the semaphore is initialised before use.
    unsafe {
        let p = libc::malloc(size_of::<libc::sem_t>()).cast::<libc::sem_t>();
        if !p.is_null() && libc::sem_init(p, 0, 1) != 0 {
            libc::free(p.cast());
            return null_mut();
        }
        p.cast()
    }
}

/// Frees a lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_free_lock(lock: *mut c_void) {
    // SAFETY: [ARGS]
    unsafe {
        if !lock.is_null() {
            libc::sem_destroy(lock.cast());
            libc::free(lock);
        }
    }
}

/// Takes a lock: 1 taken, 0 not, 2 interrupted by a signal (if `intr_flag`). Zero microseconds don't wait, negative ones
/// wait for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_acquire_lock_timed(lock: *mut c_void, microseconds: c_longlong, intr_flag: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if microseconds == 0 || crate::pystate::OWN_GILS.load(Relaxed) == 0 || current_tstate().is_null() {
            return acquire_timed(lock, microseconds, intr_flag);
        }
        // Who waits with the GIL held keeps no interpreter from running that has a GIL of its own, so that the common one
        // has to be let go.
        let status = acquire_timed(lock, 0, 0);
        if status != PY_LOCK_FAILURE {
            return status;
        }
        let ts = PyEval_SaveThread();
        let status = acquire_timed(lock, microseconds, intr_flag);
        PyEval_RestoreThread(ts);
        status
    }
}

unsafe fn acquire_timed(lock: *mut c_void, microseconds: c_longlong, intr_flag: c_int) -> c_int {
    let sem = lock.cast::<libc::sem_t>();
    // SAFETY: [ARGS]
    unsafe {
        let deadline = if microseconds > 0 {
            let ns = microseconds.min(PY_TIMEOUT_MAX).saturating_mul(1000);
            let end = monotonic().saturating_add(ns);
            libc::timespec { tv_sec: end / 1_000_000_000, tv_nsec: end % 1_000_000_000 }
        } else {
            core::mem::zeroed()
        };
        loop {
            let status = match microseconds {
                0 => libc::sem_trywait(sem),
                1.. => sem_clockwait(sem, libc::CLOCK_MONOTONIC, &deadline),
                _ => libc::sem_wait(sem),
            };
            if status == 0 {
                return PY_LOCK_ACQUIRED;
            }
            if errno() != libc::EINTR {
                return PY_LOCK_FAILURE;
            }
            if intr_flag != 0 {
                return PY_LOCK_INTR;
            }
        }
    }
}

/// Takes a lock, waiting if `waitflag`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_acquire_lock(lock: *mut c_void, waitflag: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyThread_acquire_lock_timed(lock, if waitflag != 0 { -1 } else { 0 }, 0) }
}

/// Releases a lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_release_lock(lock: *mut c_void) {
    // SAFETY: [ARGS]
    unsafe {
        libc::sem_post(lock.cast());
    }
}

/// Replaces a lock by a free one in the child of a fork; the old one is leaked, its state is unknown.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyThread_at_fork_reinit(lock: *mut *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let new = PyThread_allocate_lock();
        if new.is_null() {
            return -1;
        }
        *lock = new;
    }
    0
}

/// A timeout argument in nanoseconds, -1 second for "for ever"; -1 with an exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_ParseTimeoutArg(arg: *mut PyObject, blocking: c_int, timeout_p: *mut c_longlong) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if arg.is_null() || arg == Py_None() {
            *timeout_p = if blocking != 0 { UNSET_TIMEOUT } else { 0 };
            return 0;
        }
        let r = (|| -> PyResult<i64> {
            if blocking == 0 {
                bail!(PyExc_ValueError, "can't specify a timeout for a non-blocking call");
            }
            let mut timeout = 0;
            check_status(_PyTime_FromSecondsObject(&mut timeout, arg, ROUND_TIMEOUT))?;
            if timeout < 0 {
                bail!(PyExc_ValueError, "timeout value must be a non-negative number");
            }
            if timeout / 1000 >= PY_TIMEOUT_MAX {
                bail!(PyExc_OverflowError, "timeout value is too large");
            }
            Ok(timeout)
        })();
        match r {
            Ok(t) => {
                *timeout_p = t;
                0
            }
            Err(_) => -1,
        }
    }
}

/// Takes a lock with the GIL held: it is released while waiting, and signals are handled; 2 when a handler raised.
/// `timeout` is in nanoseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_acquire_lock_timed_with_retries(lock: *mut c_void, timeout: c_longlong) -> c_int {
    // SAFETY: [ARGS] [GIL]
    unsafe {
        let tstate = current_tstate();
        let end = if timeout > 0 { monotonic().saturating_add(timeout) } else { 0 };
        let mut timeout = timeout;
        loop {
            let microseconds = if timeout > 0 { timeout / 1000 + (timeout % 1000 != 0) as i64 } else { timeout };
            let mut r = PyThread_acquire_lock_timed(lock, 0, 0);
            if r == PY_LOCK_FAILURE && microseconds != 0 {
                let ts = PyEval_SaveThread();
                r = PyThread_acquire_lock_timed(lock, microseconds, 1);
                PyEval_RestoreThread(ts);
            }
            if r != PY_LOCK_INTR {
                return r;
            }
            if _PyEval_MakePendingCalls(tstate) < 0 {
                return PY_LOCK_INTR;
            }
            if timeout > 0 {
                timeout = end.saturating_sub(monotonic());
                if timeout < 0 {
                    return PY_LOCK_FAILURE;
                }
            }
        }
    }
}

// ---- thread-specific storage

/// `Py_tss_t`.
#[repr(C)]
#[allow(missing_docs, reason = "CPython's names")]
pub struct Tss {
    pub _is_initialized: c_int,
    pub _key: libc::pthread_key_t,
}

/// A new key, not created yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_alloc() -> *mut Tss {
    // SAFETY: checked before use.
    unsafe {
        let key = PyMem_RawMalloc(size_of::<Tss>()).cast::<Tss>();
        if !key.is_null() {
            (*key)._is_initialized = 0;
        }
        key
    }
}

/// Frees a key of [`PyThread_tss_alloc`].
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

/// Whether a key was created.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_is_created(key: *mut Tss) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (*key)._is_initialized }
}

/// Creates a key, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_create(key: *mut Tss) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if (*key)._is_initialized != 0 {
            return 0;
        }
        if libc::pthread_key_create(&raw mut (*key)._key, None) != 0 {
            return -1;
        }
        (*key)._is_initialized = 1;
        0
    }
}

/// Deletes a created key.
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

/// Sets the running thread's value of a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_set(key: *mut Tss, value: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { if libc::pthread_setspecific((*key)._key, value) != 0 { -1 } else { 0 } }
}

/// The running thread's value of a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_tss_get(key: *mut Tss) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe { libc::pthread_getspecific((*key)._key) }
}

/// Creates a key of the old interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_create_key() -> c_int {
    let mut key = 0;
    // SAFETY: plain call.
    unsafe { if libc::pthread_key_create(&mut key, None) != 0 { -1 } else { key as c_int } }
}

/// Deletes a key of the old interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_delete_key(key: c_int) {
    // SAFETY: [ARGS]
    unsafe {
        libc::pthread_key_delete(key as libc::pthread_key_t);
    }
}

/// Forgets the running thread's value of a key of the old interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_delete_key_value(key: c_int) {
    // SAFETY: [ARGS]
    unsafe {
        libc::pthread_setspecific(key as libc::pthread_key_t, core::ptr::null());
    }
}

/// Sets the running thread's value of a key of the old interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_set_key_value(key: c_int, value: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { if libc::pthread_setspecific(key as libc::pthread_key_t, value) != 0 { -1 } else { 0 } }
}

/// The running thread's value of a key of the old interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_get_key_value(key: c_int) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe { libc::pthread_getspecific(key as libc::pthread_key_t) }
}

/// Kept for old extensions: POSIX keys survive a fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_ReInitTLS() {}

// ---- sys.thread_info

static INFO_TYPE: AtomicPtr<PyTypeObject> = AtomicPtr::new(null_mut());

fn info_type() -> PyResult<*mut PyTypeObject> {
    let known = INFO_TYPE.load(Acquire);
    if !known.is_null() {
        return Ok(known);
    }
    // SAFETY: [GIL] names live for ever.
    unsafe {
        let mut fields = [
            PyStructSequence_Field { name: c"name".as_ptr(), doc: c"name of the thread implementation".as_ptr() },
            PyStructSequence_Field { name: c"lock".as_ptr(), doc: c"name of the lock implementation".as_ptr() },
            PyStructSequence_Field { name: c"version".as_ptr(), doc: c"name and version of the thread library".as_ptr() },
            PyStructSequence_Field { name: core::ptr::null(), doc: core::ptr::null() },
        ];
        let mut desc = PyStructSequence_Desc {
            name: c"sys.thread_info".as_ptr(),
            doc: c"sys.thread_info\n\nHow threads and locks are made.".as_ptr(),
            fields: fields.as_mut_ptr(),
            n_in_sequence: 3,
        };
        let tp = Owned::from_owned_or_err(PyStructSequence_NewType(&mut desc))?.into_raw();
        INFO_TYPE.store(tp, Release);
        Ok(tp)
    }
}

/// `sys.thread_info`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThread_GetInfo() -> *mut PyObject {
    // SAFETY: [GIL]
    let r = (|| unsafe {
        let info = Owned::from_owned_or_err(PyStructSequence_New(info_type()?))?;
        let text = |s: &str| Owned::from_owned_or_err(PyUnicode_FromStringAndSize(s.as_ptr().cast(), s.len() as Py_ssize_t));
        let mut buffer = [0u8; 255];
        let len = libc::confstr(libc::_CS_GNU_LIBPTHREAD_VERSION, buffer.as_mut_ptr().cast(), buffer.len());
        let version = if len > 1 && len <= buffer.len() {
            text(&String::from_utf8_lossy(&buffer[..len - 1]))?
        } else {
            Owned::from_borrowed(Py_None())
        };
        PyStructSequence_SetItem(info.as_ptr(), 0, text("pthread")?.into_raw());
        PyStructSequence_SetItem(info.as_ptr(), 1, text("semaphore")?.into_raw());
        PyStructSequence_SetItem(info.as_ptr(), 2, version.into_raw());
        Ok(info)
    })();
    r.into_c()
}

// ---- PyMutex

const LOCKED: u8 = 1;
const HAS_PARKED: u8 = 2;
const BUCKETS: usize = 61;

/// Where threads sleep that wait for a mutex whose address falls into the bucket.
struct Bucket {
    lock: Mutex<()>,
    cond: Condvar,
}
static PARKED: [Bucket; BUCKETS] = [const { Bucket { lock: Mutex::new(()), cond: Condvar::new() } }; BUCKETS];

fn bucket(m: *mut u8) -> &'static Bucket {
    &PARKED[(m as usize >> 2) % BUCKETS]
}

/// Locks a mutex that another thread may hold; the GIL is released while waiting.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMutex_Lock(m: *mut u8) {
    // SAFETY: [ARGS]
    unsafe {
        let bits = AtomicU8::from_ptr(m);
        if bits.compare_exchange(0, LOCKED, Acquire, Relaxed).is_ok() {
            return;
        }
        let tstate = current_tstate();
        if !tstate.is_null() {
            PyEval_SaveThread();
        }
        let b = bucket(m);
        let mut guard = b.lock.lock().unwrap_or_else(|e| e.into_inner());
        loop {
            let v = bits.load(Relaxed);
            if v & LOCKED == 0 {
                if bits.compare_exchange(v, v | LOCKED, Acquire, Relaxed).is_ok() {
                    break;
                }
                continue;
            }
            if v & HAS_PARKED == 0 && bits.compare_exchange(v, v | HAS_PARKED, Relaxed, Relaxed).is_err() {
                continue;
            }
            guard = b.cond.wait(guard).unwrap_or_else(|e| e.into_inner());
        }
        drop(guard);
        if !tstate.is_null() {
            PyEval_RestoreThread(tstate.cast());
        }
    }
}

/// Unlocks a mutex.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMutex_Unlock(m: *mut u8) {
    // SAFETY: [ARGS]
    unsafe {
        let bits = AtomicU8::from_ptr(m);
        let old = bits.load(Relaxed);
        if old & LOCKED == 0 {
            fatal("unlocking mutex that is not locked");
        }
        if old == LOCKED && bits.compare_exchange(LOCKED, 0, Release, Relaxed).is_ok() {
            return;
        }
        let b = bucket(m);
        let guard = b.lock.lock().unwrap_or_else(|e| e.into_inner());
        // Who is still waiting sets the bit again.
        bits.store(0, Release);
        drop(guard);
        b.cond.notify_all();
    }
}

/// Waits until an event (one byte, 1 when set) is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEvent_Wait(event: *mut u8) {
    // SAFETY: [ARGS]
    unsafe {
        while PyEvent_WaitTimed(event, -1, 1) == 0 {}
    }
}

/// Waits for an event for so many nanoseconds (negative: for ever); whether it is set. The GIL is released if `detach`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEvent_WaitTimed(event: *mut u8, timeout_ns: i64, detach: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let bits = AtomicU8::from_ptr(event);
        if bits.load(Acquire) == LOCKED {
            return 1;
        }
        let tstate = if detach != 0 { current_tstate() } else { null_mut() };
        if !tstate.is_null() {
            PyEval_SaveThread();
        }
        let end = if timeout_ns >= 0 { monotonic().saturating_add(timeout_ns) } else { i64::MAX };
        let b = bucket(event);
        let mut guard = b.lock.lock().unwrap_or_else(|e| e.into_inner());
        while bits.load(Acquire) != LOCKED {
            let left = end.saturating_sub(monotonic());
            if left <= 0 {
                break;
            }
            let wait = std::time::Duration::from_nanos(left.min(3_600_000_000_000) as u64);
            guard = b.cond.wait_timeout(guard, wait).unwrap_or_else(|e| e.into_inner()).0;
        }
        drop(guard);
        if !tstate.is_null() {
            PyEval_RestoreThread(tstate.cast());
        }
        (bits.load(Acquire) == LOCKED) as c_int
    }
}

/// Sets an event and wakes who waits for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEvent_Notify(event: *mut u8) {
    // SAFETY: [ARGS]
    unsafe {
        let b = bucket(event);
        let guard = b.lock.lock().unwrap_or_else(|e| e.into_inner());
        AtomicU8::from_ptr(event).store(LOCKED, Release);
        drop(guard);
        b.cond.notify_all();
    }
}

/// Whether an event is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEvent_IsSet(event: *mut u8) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (AtomicU8::from_ptr(event).load(Acquire) == LOCKED) as c_int }
}

/// In the child of a fork: nobody sleeps any more.
///
/// # Safety
/// Only this thread exists.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyParkingLot_AfterFork() {
    for b in &PARKED {
        // SAFETY: no other thread can hold or wait for it.
        unsafe {
            (&raw const *b).cast_mut().write(Bucket { lock: Mutex::new(()), cond: Condvar::new() });
        }
    }
}

/// `_PyRecursiveMutex`: a `PyMutex`, the owner, the level.
#[repr(C)]
#[allow(missing_docs, reason = "CPython's names")]
pub struct RecursiveMutex {
    mutex: u8,
    thread: u64,
    level: usize,
}

/// Whether the running thread holds a recursive mutex.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRecursiveMutex_IsLockedByCurrentThread(m: *mut RecursiveMutex) -> c_int {
    // SAFETY: [ARGS] only the owner's own value matters.
    unsafe { (core::ptr::read_volatile(&raw const (*m).thread) == PyThread_get_thread_ident_ex()) as c_int }
}

/// Locks a recursive mutex.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRecursiveMutex_Lock(m: *mut RecursiveMutex) {
    // SAFETY: [ARGS] fields belong to the owner.
    unsafe {
        if _PyRecursiveMutex_IsLockedByCurrentThread(m) != 0 {
            (*m).level += 1;
            return;
        }
        PyMutex_Lock(&raw mut (*m).mutex);
        (*m).thread = PyThread_get_thread_ident_ex();
    }
}

/// Unlocks a recursive mutex.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRecursiveMutex_Unlock(m: *mut RecursiveMutex) {
    // SAFETY: [ARGS]
    unsafe {
        if _PyRecursiveMutex_IsLockedByCurrentThread(m) == 0 {
            fatal("unlocking a recursive mutex that is not owned by the current thread");
        }
        if (*m).level > 0 {
            (*m).level -= 1;
            return;
        }
        (*m).thread = 0;
        PyMutex_Unlock(&raw mut (*m).mutex);
    }
}

const _: () = assert!(size_of::<c_long>() == size_of::<libc::pthread_t>());

// ---- critical sections

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

// ---- what `_thread` and `posix` need of the runtime

/// Ties a thread state to the running thread and takes the GIL for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyThreadState_BindAndAttach(tstate: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe {
        crate::pystate::bind_tstate(tstate);
        crate::ceval_gil::attach(tstate);
    }
}

/// Identity of the main thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRuntime_MainThreadIdent() -> u64 {
    crate::pystate::main_thread_ident() as u64
}

/// Restores locks and thread states in the child of a fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRuntimeState_ReInitThreads() {
    // SAFETY: [ARGS] only this thread exists.
    unsafe {
        _PyParkingLot_AfterFork();
        crate::pystate::reinit_after_fork();
    }
}
