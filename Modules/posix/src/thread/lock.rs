//! `_thread.lock` and `_thread.RLock`, on futexes.

use crate::support::*;
use crate::thread::ident;
use core::ffi::{c_int, c_ulong};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, Ordering::*};
use taipan_abi::*;
use taipan_clinic::{Args, methods};
use taipan_objects::typeobject::TYPE_INIT;

unsafe extern "C" {
    fn _PyTime_FromSecondsObject(t: *mut i64, obj: *mut PyObject, round: c_int) -> c_int;
    fn Py_MakePendingCalls() -> c_int;
}

/// The greatest timeout in seconds: what 64 bits of nanoseconds hold, rounded down.
pub const TIMEOUT_MAX: f64 = 9223372036.0;
const NS: i64 = 1_000_000_000;

// ---- futexes

/// The monotonic clock in nanoseconds.
pub fn monotonic() -> i64 {
    // SAFETY: plain system call.
    unsafe {
        let mut ts: libc::timespec = core::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut ts);
        ts.tv_sec * NS + ts.tv_nsec
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Wake {
    /// The word changed, or perhaps not.
    Woken,
    /// The deadline passed.
    TimedOut,
    /// A signal arrived.
    Interrupted,
}

/// Sleeps while `*word == expected`, at most until `deadline` on the monotonic clock.
pub fn futex_wait(word: &AtomicU32, expected: u32, deadline: Option<i64>) -> Wake {
    let ts = deadline.map(|d| libc::timespec { tv_sec: d / NS, tv_nsec: d % NS });
    let p = ts.as_ref().map_or(core::ptr::null(), |t| t as *const libc::timespec);
    let op = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word lives during the call.
    let r = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), op, expected, p, null_mut::<u32>(), u32::MAX) };
    if r == 0 {
        return Wake::Woken;
    }
    match errno() {
        libc::ETIMEDOUT => Wake::TimedOut,
        libc::EINTR => Wake::Interrupted,
        _ => Wake::Woken,
    }
}

/// Wakes at most `n` who sleep on `word`.
pub fn futex_wake(word: &AtomicU32, n: i32) {
    // SAFETY: only the address counts.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, n) };
}

/// A lock that any thread may release: 0 free, 1 taken, 2 taken and somebody may be waiting.
#[repr(transparent)]
pub struct RawLock(AtomicU32);

impl RawLock {
    #[inline]
    fn try_acquire(&self) -> bool {
        self.0.compare_exchange(0, 1, Acquire, Relaxed).is_ok()
    }

    /// Takes the lock, waiting without the GIL until `timeout` (ns; negative: for ever) is over; false if it could not.
    fn acquire(&self, timeout: i64) -> PyResult<bool> {
        if self.try_acquire() {
            return Ok(true);
        }
        if timeout == 0 {
            return Ok(false);
        }
        let deadline = (timeout > 0).then(|| monotonic().saturating_add(timeout));
        loop {
            let r = allow_threads(|| {
                loop {
                    if self.0.swap(2, Acquire) == 0 {
                        return None;
                    }
                    match futex_wait(&self.0, 2, deadline) {
                        Wake::Woken => {}
                        Wake::TimedOut => {
                            // It may have been released just now.
                            return if self.0.swap(2, Acquire) == 0 { None } else { Some(Wake::TimedOut) };
                        }
                        Wake::Interrupted => return Some(Wake::Interrupted),
                    }
                }
            });
            match r {
                None => return Ok(true),
                Some(Wake::Interrupted) => {
                    // SAFETY: [GIL]
                    check_status(unsafe { Py_MakePendingCalls() })?;
                }
                Some(_) => return Ok(false),
            }
        }
    }

    /// Releases the lock; false if it was free.
    #[inline]
    fn release(&self) -> bool {
        match self.0.swap(0, Release) {
            0 => false,
            1 => true,
            _ => {
                futex_wake(&self.0, 1);
                true
            }
        }
    }

    fn is_locked(&self) -> bool {
        self.0.load(Relaxed) != 0
    }
}

/// The timeout in nanoseconds that the arguments of `acquire` mean; negative is "for ever".
fn parse_timeout(blocking: bool, timeout: Option<Borrowed<'_>>) -> PyResult<i64> {
    const UNSET: i64 = -NS;
    let mut t = UNSET;
    if let Some(o) = timeout {
        // SAFETY: live.
        check_status(unsafe { _PyTime_FromSecondsObject(&mut t, o.ob(), 3) })?;
    }
    if !blocking && t != UNSET {
        bail!(PyExc_ValueError, "can't specify a timeout for a non-blocking call");
    }
    if t < 0 && t != UNSET {
        bail!(PyExc_ValueError, "timeout value must be a non-negative number");
    }
    if !blocking {
        return Ok(0);
    }
    if t != UNSET && t / 1000 + (t % 1000 != 0) as i64 > i64::MAX / 1000 {
        bail!(PyExc_OverflowError, "timeout value is too large");
    }
    Ok(t)
}

// ---- lock

/// `_thread.lock`.
#[repr(C)]
pub struct LockObject {
    ob_base: PyObject,
    lock: RawLock,
    weakreflist: *mut PyObject,
}
type L<'a> = Borrowed<'a, LockObject>;

/// A new, free lock.
pub fn new_lock() -> PyResult<Owned> {
    // SAFETY: [GIL] zeroed memory is a free lock.
    unsafe { own(PyType_GenericAlloc(&raw mut LOCK, 0)) }
}
unsafe extern "C" fn lock_new(_tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        if _PyArg_NoKeywords(c"lock".as_ptr(), kwargs) == 0 || _PyArg_CheckPositional(c"lock".as_ptr(), PyTuple_Size(args), 0, 0) == 0 {
            return null_mut();
        }
        new_lock().into_c()
    }
}
unsafe extern "C" fn lock_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        if !(*op.cast::<LockObject>()).weakreflist.is_null() {
            PyObject_ClearWeakRefs(op);
        }
        PyObject_Free(op.cast());
    }
}
unsafe extern "C" fn lock_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let how = if (*op.cast::<LockObject>()).lock.is_locked() { "locked" } else { "unlocked" };
        string(&format!("<{how} {} object at {op:p}>", type_name(op))).into_c()
    }
}
fn lock_acquire(slf: L<'_>, blocking: bool, timeout: Option<Borrowed<'_>>) -> PyResult<bool> {
    if blocking && timeout.is_none() {
        return slf.lock.acquire(-1);
    }
    slf.lock.acquire(parse_timeout(blocking, timeout)?)
}
fn lock_enter(slf: L<'_>) -> PyResult<bool> {
    slf.lock.acquire(-1)
}
fn lock_release(slf: L<'_>) -> PyResult<()> {
    if !slf.lock.release() {
        bail!(PyExc_RuntimeError, "release unlocked lock");
    }
    Ok(())
}
fn lock_exit(slf: L<'_>, _exc_info: Args<'_>) -> PyResult<()> {
    lock_release(slf)
}
fn lock_locked(slf: L<'_>) -> PyResult<bool> {
    Ok(slf.lock.is_locked())
}
fn lock_at_fork_reinit(slf: L<'_>) -> PyResult<()> {
    slf.lock.0.store(0, Relaxed);
    Ok(())
}

methods! {
    static LOCK_METHODS = [
        "acquire_lock($self, /, blocking=True, timeout=-1)" => lock_acquire_any, "Old name of acquire().";
        "acquire($self, /, blocking=True, timeout=-1)" => lock_acquire_any, "Take the lock; waits for it if blocking, at most timeout seconds unless that is -1.\n\nReturns whether the lock was taken. Signals are handled while waiting.";
        "release_lock($self, /)" => lock_release, "Old name of release().";
        "release($self, /)" => lock_release, "Release the lock, which another thread may have taken.";
        "locked_lock($self, /)" => lock_locked, "Old name of locked().";
        "locked($self, /)" => lock_locked, "Whether the lock is taken.";
        "__enter__($self, /)" => lock_enter, "Take the lock.";
        "__exit__($self, /, *exc_info)" => lock_exit, "Release the lock.";
        "_at_fork_reinit($self, /)" => lock_at_fork_reinit, "";
    ];
}

/// An optional object whatever its default says.
struct Timeout<'a>(Option<Borrowed<'a>>);
impl<'a> taipan_clinic::FromArg<'a> for Timeout<'a> {
    unsafe fn from_arg(arg: *mut PyObject, _: taipan_clinic::from_arg::Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        Ok(Timeout(unsafe { Borrowed::from_ptr_or_opt(arg) }))
    }
}
fn lock_acquire_any(slf: L<'_>, blocking: bool, timeout: Timeout<'_>) -> PyResult<bool> {
    lock_acquire(slf, blocking, timeout.0)
}

/// `_thread.lock`.
pub static mut LOCK: PyTypeObject = PyTypeObject {
    tp_name: c"_thread.lock".as_ptr(),
    tp_basicsize: size_of::<LockObject>() as Py_ssize_t,
    tp_dealloc: Some(lock_dealloc),
    tp_repr: Some(lock_repr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"lock()\n--\n\nA lock: at most one thread can hold it. acquire() takes it, release() releases it,\nlocked() tells whether it is taken.\n\nNobody owns it: any thread may release it, and taking it twice in a thread waits\nuntil another thread releases it.".as_ptr(),
    tp_weaklistoffset: core::mem::offset_of!(LockObject, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut LOCK_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(lock_new),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

// ---- RLock

/// `_thread.RLock`.
#[repr(C)]
pub struct RLockObject {
    ob_base: PyObject,
    lock: RawLock,
    owner: u64,
    count: c_ulong,
    weakreflist: *mut PyObject,
}
type R<'a> = Borrowed<'a, RLockObject>;

unsafe extern "C" fn rlock_new(tp: *mut PyTypeObject, _args: *mut PyObject, _kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new; zeroed memory is a free lock.
    unsafe { (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc)(tp, 0) }
}
unsafe extern "C" fn rlock_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        if !(*op.cast::<RLockObject>()).weakreflist.is_null() {
            PyObject_ClearWeakRefs(op);
        }
        if let Some(free) = (*type_of(op)).tp_free {
            free(op.cast());
        }
    }
}
unsafe extern "C" fn rlock_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let r = &*op.cast::<RLockObject>();
        let how = if r.count != 0 { "locked" } else { "unlocked" };
        string(&format!("<{how} {} object owner={} count={} at {op:p}>", type_name(op), r.owner, r.count)).into_c()
    }
}
fn is_owned_by(slf: R<'_>, id: u64) -> bool {
    slf.owner == id && slf.count > 0
}
/// Takes the lock at the parsed timeout.
fn rlock_take(slf: R<'_>, timeout: i64) -> PyResult<bool> {
    let me = ident();
    // SAFETY: [TYPE] [GIL]
    unsafe {
        let r = slf.as_ptr();
        if is_owned_by(slf, me) {
            let Some(count) = (*r).count.checked_add(1) else { bail!(PyExc_OverflowError, "Internal lock count overflowed") };
            (*r).count = count;
            return Ok(true);
        }
        if !slf.lock.acquire(timeout)? {
            return Ok(false);
        }
        (*r).owner = me;
        (*r).count = 1;
        Ok(true)
    }
}
fn rlock_acquire(slf: R<'_>, blocking: bool, timeout: Timeout<'_>) -> PyResult<bool> {
    if blocking && timeout.0.is_none() {
        return rlock_take(slf, -1);
    }
    rlock_take(slf, parse_timeout(blocking, timeout.0)?)
}
fn rlock_enter(slf: R<'_>) -> PyResult<bool> {
    rlock_take(slf, -1)
}
fn rlock_release(slf: R<'_>) -> PyResult<()> {
    if !is_owned_by(slf, ident()) {
        bail!(PyExc_RuntimeError, "cannot release un-acquired lock");
    }
    // SAFETY: [TYPE] [GIL]
    unsafe {
        let r = slf.as_ptr();
        (*r).count -= 1;
        if (*r).count == 0 {
            (*r).owner = 0;
            slf.lock.release();
        }
    }
    Ok(())
}
fn rlock_exit(slf: R<'_>, _exc_info: Args<'_>) -> PyResult<()> {
    rlock_release(slf)
}
fn rlock_release_save(slf: R<'_>) -> PyResult<Owned> {
    if slf.count == 0 {
        bail!(PyExc_RuntimeError, "cannot release un-acquired lock");
    }
    let saved = tuple([uint(slf.count)?, uint(slf.owner)?])?;
    // SAFETY: [TYPE] [GIL]
    unsafe {
        let r = slf.as_ptr();
        (*r).count = 0;
        (*r).owner = 0;
    }
    slf.lock.release();
    Ok(saved)
}
fn rlock_acquire_restore(slf: R<'_>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: live.
    unsafe {
        if PyTuple_Check(state.ob()) == 0 || PyTuple_Size(state.ob()) != 2 {
            bail!(PyExc_TypeError, "_acquire_restore() argument 1 must be 2-item tuple, not {}", type_name(state.ob()));
        }
        let count = PyLong_AsUnsignedLongMask(PyTuple_GetItem(state.ob(), 0));
        let owner = PyLong_AsUnsignedLongLongMask(PyTuple_GetItem(state.ob(), 1));
        if err_occurred() {
            return Err(Raised::assume());
        }
        // No signal may end this wait: the lock must be held afterwards.
        if !slf.lock.try_acquire() {
            allow_threads(|| {
                while slf.lock.0.swap(2, Acquire) != 0 {
                    futex_wait(&slf.lock.0, 2, None);
                }
            });
        }
        let r = slf.as_ptr();
        (*r).owner = owner;
        (*r).count = count;
        Ok(())
    }
}
fn rlock_recursion_count(slf: R<'_>) -> PyResult<u64> {
    Ok(if slf.owner == ident() { slf.count } else { 0 })
}
fn rlock_is_owned(slf: R<'_>) -> PyResult<bool> {
    Ok(is_owned_by(slf, ident()))
}
fn rlock_at_fork_reinit(slf: R<'_>) -> PyResult<()> {
    // SAFETY: [TYPE] [GIL]
    unsafe {
        let r = slf.as_ptr();
        (*r).lock.0.store(0, Relaxed);
        (*r).owner = 0;
        (*r).count = 0;
    }
    Ok(())
}

methods! {
    static RLOCK_METHODS = [
        "acquire($self, /, blocking=True, timeout=-1)" => rlock_acquire, "Take the lock, or count one more if this thread has it.\n\nWaits for it if blocking, at most timeout seconds unless that is -1. Returns\nwhether the lock was taken. Signals are handled while waiting.";
        "release($self, /)" => rlock_release, "Undo one acquire(); the last one releases the lock. Only the thread that has the\nlock may do it.";
        "_is_owned($self, /)" => rlock_is_owned, "For internal use by threading.Condition.";
        "_acquire_restore($self, state, /)" => rlock_acquire_restore, "For internal use by threading.Condition.";
        "_release_save($self, /)" => rlock_release_save, "For internal use by threading.Condition.";
        "_recursion_count($self, /)" => rlock_recursion_count, "For internal use by reentrancy checks.";
        "__enter__($self, /)" => rlock_enter, "Take the lock.";
        "__exit__($self, /, *exc_info)" => rlock_exit, "Release the lock.";
        "_at_fork_reinit($self, /)" => rlock_at_fork_reinit, "";
    ];
}

/// `_thread.RLock`.
pub static mut RLOCK: PyTypeObject = PyTypeObject {
    tp_name: c"_thread.RLock".as_ptr(),
    tp_basicsize: size_of::<RLockObject>() as Py_ssize_t,
    tp_dealloc: Some(rlock_dealloc),
    tp_repr: Some(rlock_repr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tp_weaklistoffset: core::mem::offset_of!(RLockObject, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut RLOCK_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(rlock_new),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};
