//! `pycore_lock.h`, `pycore_parking_lot.h`, `pycore_semaphore.h`, and the slow paths of critical sections, as extensions
//! built against CPython's internal headers use them. `PyMutex` and events are the runtime's (thread.rs).

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering::*};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use taipan_abi::*;

const PARK_OK: c_int = 0;
const PARK_AGAIN: c_int = -1;
const PARK_TIMEOUT: c_int = -2;

// ---- the parking lot: threads that sleep until somebody wakes the address they wait on

/// A thread that sleeps.
struct Waiter {
    arg: usize,
    woken: Mutex<bool>,
    wake: Condvar,
}

static LOT: Mutex<Option<HashMap<usize, VecDeque<Arc<Waiter>>>>> = Mutex::new(None);

fn lot() -> MutexGuard<'static, Option<HashMap<usize, VecDeque<Arc<Waiter>>>>> {
    LOT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `size` bytes at `address` are those at `expected`, read as one integer where that is possible.
unsafe fn unchanged(address: *const c_void, expected: *const c_void, size: usize) -> bool {
    // SAFETY: [ARGS] both point to `size` bytes, the first aligned for atomic access.
    unsafe {
        match size {
            1 => (*address.cast::<AtomicU8>()).load(SeqCst) == *expected.cast(),
            4 => (*address.cast::<AtomicU32>()).load(SeqCst) == *expected.cast(),
            8 => (*address.cast::<AtomicUsize>()).load(SeqCst) == *expected.cast(),
            _ => libc::memcmp(address, expected, size) == 0,
        }
    }
}

/// Runs `wait`, without the GIL when this thread has a thread state that is attached and `detach` asks for it.
unsafe fn detached<R>(detach: bool, wait: impl FnOnce() -> R) -> R {
    // SAFETY: [GIL] given up only by its holder, and taken again.
    unsafe {
        if detach && PyGILState_Check() != 0 && !current_tstate().is_null() {
            let ts = PyEval_SaveThread();
            let r = wait();
            PyEval_RestoreThread(ts);
            r
        } else {
            wait()
        }
    }
}

/// Sleeps until woken, unless the data at `address` are no longer what is expected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyParkingLot_Park(
    address: *const c_void,
    expected: *const c_void,
    size: usize,
    timeout_ns: i64,
    arg: *mut c_void,
    detach: c_int,
) -> c_int {
    let key = address as usize;
    let me = Arc::new(Waiter { arg: arg as usize, woken: Mutex::new(false), wake: Condvar::new() });
    {
        let mut lot = lot();
        // SAFETY: [ARGS]
        if !unsafe { unchanged(address, expected, size) } {
            return PARK_AGAIN;
        }
        lot.get_or_insert_default().entry(key).or_default().push_back(me.clone());
    }
    let deadline = u64::try_from(timeout_ns).ok().and_then(|ns| Instant::now().checked_add(Duration::from_nanos(ns)));
    // SAFETY: [GIL]
    let in_time = unsafe {
        detached(detach != 0, || {
            let mut woken = me.woken.lock().unwrap_or_else(PoisonError::into_inner);
            while !*woken {
                match deadline {
                    None => woken = me.wake.wait(woken).unwrap_or_else(PoisonError::into_inner),
                    Some(end) => {
                        let left = end.saturating_duration_since(Instant::now());
                        if left.is_zero() {
                            return false;
                        }
                        woken = me.wake.wait_timeout(woken, left).unwrap_or_else(PoisonError::into_inner).0;
                    }
                }
            }
            true
        })
    };
    if in_time {
        return PARK_OK;
    }
    let mut lot = lot();
    let Some(queue) = lot.as_mut().and_then(|l| l.get_mut(&key)) else { return PARK_OK };
    match queue.iter().position(|w| Arc::ptr_eq(w, &me)) {
        // Somebody took us out to wake us while the time ran out.
        None => PARK_OK,
        Some(i) => {
            queue.remove(i);
            if queue.is_empty() {
                lot.as_mut().map(|l| l.remove(&key));
            }
            PARK_TIMEOUT
        }
    }
}

fn wake(waiter: &Waiter) {
    *waiter.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
    waiter.wake.notify_one();
}

type Unpark = unsafe extern "C" fn(arg: *mut c_void, park_arg: *mut c_void, more: c_int);

/// Wakes one thread; `f` is called first, with the lot locked, also when nobody waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyParkingLot_Unpark(address: *const c_void, f: Unpark, arg: *mut c_void) {
    let key = address as usize;
    let mut lot = lot();
    let queue = lot.as_mut().and_then(|l| l.get_mut(&key));
    let (waiter, more) = match queue {
        Some(q) => (q.pop_front(), !q.is_empty()),
        None => (None, false),
    };
    if !more && let Some(l) = lot.as_mut() {
        l.remove(&key);
    }
    // SAFETY: [ARGS]
    unsafe { f(arg, waiter.as_ref().map_or(0, |w| w.arg) as *mut c_void, more as c_int) };
    drop(lot);
    if let Some(w) = waiter {
        wake(&w);
    }
}

/// Wakes all threads that wait on `address`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyParkingLot_UnparkAll(address: *const c_void) {
    let waiters = lot().as_mut().and_then(|l| l.remove(&(address as usize)));
    for w in waiters.into_iter().flatten() {
        wake(&w);
    }
}

// ---- readers and writers: bit 0 locked for writing, bit 1 somebody sleeps, the rest counts readers

const WRITE_LOCKED: usize = 1;
const HAS_PARKED: usize = 2;
const ONE_READER: usize = 4;

/// Sleeps until the lock changes hands; what it holds afterwards.
unsafe fn wait_for_change(m: *const AtomicUsize, bits: usize) -> usize {
    // SAFETY: [ARGS]
    unsafe {
        let parked = bits | HAS_PARKED;
        if parked != bits
            && let Err(now) = (*m).compare_exchange(bits, parked, SeqCst, SeqCst)
        {
            return now;
        }
        _PyParkingLot_Park(m.cast(), (&raw const parked).cast(), 8, -1, core::ptr::null_mut(), 1);
        (*m).load(Relaxed)
    }
}

/// Locks for reading. Waiting writers go first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRWMutex_RLock(m: *const AtomicUsize) {
    // SAFETY: [ARGS]
    unsafe {
        let mut bits = (*m).load(Relaxed);
        loop {
            if bits & (WRITE_LOCKED | HAS_PARKED) != 0 {
                bits = wait_for_change(m, bits);
            } else {
                match (*m).compare_exchange(bits, bits + ONE_READER, SeqCst, SeqCst) {
                    Ok(_) => return,
                    Err(now) => bits = now,
                }
            }
        }
    }
}

/// Gives a lock for reading up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRWMutex_RUnlock(m: *const AtomicUsize) {
    // SAFETY: [ARGS]
    unsafe {
        let left = (*m).fetch_sub(ONE_READER, SeqCst) - ONE_READER;
        if left == HAS_PARKED {
            // The mark stays: it keeps new readers from overtaking the writers that wake up, who clear it in the end.
            _PyParkingLot_UnparkAll(m.cast());
        }
    }
}

/// Locks for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRWMutex_Lock(m: *const AtomicUsize) {
    // SAFETY: [ARGS]
    unsafe {
        let mut bits = (*m).load(Relaxed);
        loop {
            if bits & !HAS_PARKED != 0 {
                bits = wait_for_change(m, bits);
            } else {
                match (*m).compare_exchange(bits, bits | WRITE_LOCKED, SeqCst, SeqCst) {
                    Ok(_) => return,
                    Err(now) => bits = now,
                }
            }
        }
    }
}

/// Gives a lock for writing up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRWMutex_Unlock(m: *const AtomicUsize) {
    // SAFETY: [ARGS]
    unsafe {
        if (*m).swap(0, SeqCst) & HAS_PARKED != 0 {
            _PyParkingLot_UnparkAll(m.cast());
        }
    }
}

// ---- sequence locks: odd while somebody writes

/// Starts writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySeqLock_LockWrite(s: *const AtomicU32) {
    // SAFETY: [ARGS]
    unsafe {
        loop {
            let seen = (*s).load(Relaxed);
            if seen & 1 == 0 && (*s).compare_exchange(seen, seen.wrapping_add(1), SeqCst, Relaxed).is_ok() {
                core::sync::atomic::fence(Release);
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// Ends writing: readers of before must read again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySeqLock_UnlockWrite(s: *const AtomicU32) {
    // SAFETY: [ARGS]
    unsafe { (*s).fetch_add(1, SeqCst) };
}

/// Ends writing when nothing was written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySeqLock_AbandonWrite(s: *const AtomicU32) {
    // SAFETY: [ARGS]
    unsafe { (*s).fetch_sub(1, SeqCst) };
}

/// Starts reading.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySeqLock_BeginRead(s: *const AtomicU32) -> u32 {
    // SAFETY: [ARGS]
    unsafe {
        loop {
            let seen = (*s).load(Acquire);
            if seen & 1 == 0 {
                return seen;
            }
            std::thread::yield_now();
        }
    }
}

/// Whether what was read since [`_PySeqLock_BeginRead`] hangs together.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySeqLock_EndRead(s: *const AtomicU32, previous: u32) -> c_int {
    core::sync::atomic::fence(Acquire);
    // SAFETY: [ARGS]
    if unsafe { (*s).load(Relaxed) } == previous {
        return 1;
    }
    std::thread::yield_now();
    0
}

/// In a child process: forgets a writer that doesn't exist there; 1 if there was one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySeqLock_AfterFork(s: *const AtomicU32) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if (*s).load(Relaxed) & 1 == 0 {
            return 0;
        }
        (*s).store(0, SeqCst);
        1
    }
}

// ---- semaphores

/// Makes a semaphore of count 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySemaphore_Init(s: *mut libc::sem_t) {
    // SAFETY: [ARGS]
    if unsafe { libc::sem_init(s, 0, 0) } < 0 {
        fatal("parking_lot: sem_init failed");
    }
}

/// Gives a semaphore's resources back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySemaphore_Destroy(s: *mut libc::sem_t) {
    // SAFETY: [ARGS]
    unsafe { libc::sem_destroy(s) };
}

/// Wakes one waiter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySemaphore_Wakeup(s: *mut libc::sem_t) {
    // SAFETY: [ARGS]
    if unsafe { libc::sem_post(s) } != 0 {
        fatal("parking_lot: sem_post failed");
    }
}

unsafe extern "C" {
    fn sem_clockwait(sem: *mut libc::sem_t, clock: libc::clockid_t, deadline: *const libc::timespec) -> c_int;
}

/// Waits for a wake-up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySemaphore_Wait(s: *mut libc::sem_t, timeout_ns: i64, detach: c_int) -> c_int {
    const PARK_INTR: c_int = -3;
    // SAFETY: [ARGS] [GIL]
    unsafe {
        let failed = detached(detach != 0, || {
            let status = if timeout_ns < 0 {
                libc::sem_wait(s)
            } else {
                let mut end: libc::timespec = core::mem::zeroed();
                libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut end);
                let ns = end.tv_nsec + timeout_ns % 1_000_000_000;
                end.tv_sec = end.tv_sec.saturating_add(timeout_ns / 1_000_000_000 + ns / 1_000_000_000);
                end.tv_nsec = ns % 1_000_000_000;
                sem_clockwait(s, libc::CLOCK_MONOTONIC, &end)
            };
            if status == 0 { 0 } else { *libc::__errno_location() }
        });
        match failed {
            0 => PARK_OK,
            libc::EINTR => PARK_INTR,
            libc::ETIMEDOUT => PARK_TIMEOUT,
            _ => fatal("unexpected error from semaphore"),
        }
    }
}

// ---- once

const ONCE_INITIALIZED: u8 = 1;

/// Calls `f` unless it has been called with success; threads that come meanwhile wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyOnceFlag_CallOnceSlow(
    flag: *const AtomicU8,
    f: unsafe extern "C" fn(*mut c_void) -> c_int,
    arg: *mut c_void,
) -> c_int {
    static BUSY: AtomicBool = AtomicBool::new(false);
    // SAFETY: [ARGS] the holder of BUSY alone runs `f`; waiting gives the GIL up, which `f` may need.
    unsafe {
        loop {
            if (*flag).load(Acquire) == ONCE_INITIALIZED {
                return 0;
            }
            if !BUSY.swap(true, AcqRel) {
                break;
            }
            detached(true, std::thread::yield_now);
        }
        let status = if (*flag).load(Acquire) == ONCE_INITIALIZED { 0 } else { f(arg) };
        if status == 0 {
            (*flag).store(ONCE_INITIALIZED, Release);
        }
        BUSY.store(false, Release);
        status
    }
}

// The slow paths of critical sections exist for builds without a GIL, whose headers alone call them:
// skipped _PyCriticalSection_BeginSlow
// skipped _PyCriticalSection2_BeginSlow
// skipped _PyCriticalSection_Resume
// skipped _PyCriticalSection_SuspendAll
