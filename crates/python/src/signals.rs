//! Signals: the C handler, delivery in the main thread, and the module `_signal`.

use crate::ceval_gil::{_PY_SIGNALS_PENDING_BIT, _Py_set_eval_breaker_bit, allow_threads, errno, set_errno};
use crate::pystate::{is_main_thread, main_interp};
use crate::util::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering::*};
use taipan_abi::*;
use taipan_clinic::{methods, module};

/// One more than the greatest signal number.
pub const NSIG: usize = 65;

static TRIPPED: [AtomicBool; NSIG] = [const { AtomicBool::new(false) }; NSIG];
static IS_TRIPPED: AtomicBool = AtomicBool::new(false);
/// The Python handler of each signal: SIG_DFL and SIG_IGN as ints, a callable, None for one that C installed, NULL unset.
static HANDLERS: [AtomicPtr<PyObject>; NSIG] = [const { AtomicPtr::new(null_mut()) }; NSIG];
static WAKEUP_FD: AtomicI32 = AtomicI32::new(-1);
static WAKEUP_WARN: AtomicBool = AtomicBool::new(true);
static DEFAULT_INT_HANDLER: AtomicPtr<PyObject> = AtomicPtr::new(null_mut());
static ITIMER_ERROR: AtomicPtr<PyObject> = AtomicPtr::new(null_mut());

/// Whether the running thread is the main one, and runs the main interpreter: the only one that handles signals.
fn can_handle_signals() -> bool {
    let ts = current_tstate();
    // SAFETY: [GIL] where there is a state.
    is_main_thread() && (ts.is_null() || unsafe { crate::pystate::as_interp((*ts).interp) } == main_interp())
}

/// Notes a signal for the main thread. Async-signal-safe.
fn trip_signal(signum: c_int) {
    TRIPPED[signum as usize].store(true, Relaxed);
    IS_TRIPPED.store(true, Release);
    let ip = main_interp();
    // SAFETY: the main thread's state lives as long as signals are handled.
    unsafe {
        if !ip.is_null() && !(*ip).main_tstate.is_null() {
            _Py_set_eval_breaker_bit((*ip).main_tstate, _PY_SIGNALS_PENDING_BIT);
        }
        let fd = WAKEUP_FD.load(Relaxed);
        if fd != -1 {
            let b = signum as u8;
            if libc::write(fd, (&raw const b).cast(), 1) < 0 {
                let e = errno();
                if WAKEUP_WARN.load(Relaxed) || (e != libc::EWOULDBLOCK && e != libc::EAGAIN) {
                    // Only the main thread may report it, when it can.
                    crate::ceval_gil::Py_AddPendingCall(report_wakeup_error, e as usize as *mut c_void);
                }
            }
        }
    }
}

unsafe extern "C" fn report_wakeup_error(data: *mut c_void) -> c_int {
    set_errno(data as usize as c_int);
    // SAFETY: [GIL]
    unsafe {
        with_saved_exception(|| {
            PyErr_SetFromErrno(PyExc_OSError);
            crate::errors::write_unraisable_text("Exception ignored when trying to write to the signal wakeup fd");
        });
    }
    0
}

extern "C" fn signal_handler(signum: c_int) {
    let saved = errno();
    if (0..NSIG as c_int).contains(&signum) {
        trip_signal(signum);
    }
    set_errno(saved);
}

/// The C handler of a signal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_getsig(sig: c_int) -> usize {
    // SAFETY: plain system call.
    unsafe {
        let mut context: libc::sigaction = core::mem::zeroed();
        if libc::sigaction(sig, core::ptr::null(), &mut context) == -1 {
            return libc::SIG_ERR;
        }
        context.sa_sigaction
    }
}

/// Sets the C handler of a signal, and says the old one. Interrupted calls are not restarted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_setsig(sig: c_int, handler: usize) -> usize {
    // SAFETY: plain system call.
    unsafe {
        let mut context: libc::sigaction = core::mem::zeroed();
        let mut old: libc::sigaction = core::mem::zeroed();
        context.sa_sigaction = handler;
        libc::sigemptyset(&mut context.sa_mask);
        context.sa_flags = libc::SA_ONSTACK;
        if libc::sigaction(sig, &context, &mut old) == -1 {
            return libc::SIG_ERR;
        }
        old.sa_sigaction
    }
}

fn signum_ok(signum: c_int) -> PyResult<()> {
    if signum < 1 || signum >= NSIG as c_int {
        bail!(PyExc_ValueError, "signal number out of range");
    }
    Ok(())
}

/// `SIG_DFL` and `SIG_IGN` as objects.
fn is_int(o: *mut PyObject, value: i64) -> bool {
    // SAFETY: [GIL] an exact int compares without running code.
    unsafe { !o.is_null() && (*o).ob_type == &raw mut PyLong_Type && PyLong_AsLong(o) == value }
}

/// Whether a signal waits for this thread to run its handler.
pub fn pending() -> bool {
    IS_TRIPPED.load(Relaxed) && can_handle_signals()
}

/// Runs the Python handlers of the signals that arrived.
pub fn deliver() -> PyResult<()> {
    if !IS_TRIPPED.swap(false, AcqRel) {
        return Ok(());
    }
    // SAFETY: [GIL]
    unsafe {
        let f = crate::pystate::thread_frame(current_tstate());
        let frame = if f.is_null() {
            none()
        } else {
            let fo = crate::pystate::frame_object(f);
            if fo.is_null() {
                PyErr_Clear();
                none()
            } else {
                Owned::from_borrowed(fo.cast::<PyObject>())
            }
        };
        for (i, t) in TRIPPED.iter().enumerate().skip(1) {
            if !t.swap(false, Relaxed) {
                continue;
            }
            let func = HANDLERS[i].load(Relaxed);
            if func.is_null() || func == Py_None() || is_int(func, 0) || is_int(func, 1) {
                // The handler changed after the signal had arrived.
                let _ = raise!(PyExc_OSError, "Signal {i} ignored due to race condition");
                PyErr_WriteUnraisable(Py_None());
                continue;
            }
            let hold = Owned::from_borrowed(func);
            let n = new_int(i as i64)?;
            if let Err(e) = call(hold.as_ptr(), &[n.as_ptr(), frame.as_ptr()]) {
                // The other signals wait for the next time.
                IS_TRIPPED.store(true, Release);
                return Err(e);
            }
        }
        Ok(())
    }
}

/// Delivers signals; for the evaluation loop, in the main thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_CheckSignalsTstate(_ts: *mut PyThreadState) -> c_int {
    deliver().into_c()
}

/// Delivers signals if this is the main thread; -1 when a handler raised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_CheckSignals() -> c_int {
    // SAFETY: [GIL]
    unsafe {
        let ts = current_tstate();
        // A long-running C function that asks for signals lets collections happen as well.
        let bits = crate::ceval_gil::eval_breaker(ts);
        if bits.load(Relaxed) & crate::ceval_gil::_PY_GC_SCHEDULED_BIT != 0 {
            unsafe extern "C" {
                fn _Py_RunGC(ts: *mut PyThreadState);
            }
            crate::ceval_gil::_Py_unset_eval_breaker_bit(ts, crate::ceval_gil::_PY_GC_SCHEDULED_BIT);
            _Py_RunGC(ts);
        }
        if !can_handle_signals() {
            return 0;
        }
        deliver().into_c()
    }
}

/// Pretends that a signal arrived; -1 for a number that is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetInterruptEx(signum: c_int) -> c_int {
    if signum < 1 || signum >= NSIG as c_int {
        return -1;
    }
    let func = HANDLERS[signum as usize].load(Relaxed);
    if !is_int(func, 0) && !is_int(func, 1) {
        trip_signal(signum);
    }
    0
}

/// Pretends that SIGINT arrived.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetInterrupt() {
    // SAFETY: async-signal-safe.
    unsafe { PyErr_SetInterruptEx(libc::SIGINT) };
}

/// Whether SIGINT waits; it is taken then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_InterruptOccurred() -> c_int {
    (can_handle_signals() && TRIPPED[libc::SIGINT as usize].swap(false, AcqRel)) as c_int
}

/// Whether this is the main thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyOS_IsMainThread() -> c_int {
    can_handle_signals() as c_int
}

/// The descriptor that a byte is written to for each signal; the old one is returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySignal_SetWakeupFd(fd: c_int) -> c_int {
    WAKEUP_FD.swap(fd.max(-1), AcqRel)
}

/// In the child of a fork: signals of the parent are not the child's.
pub fn clear_after_fork() {
    for t in &TRIPPED {
        t.store(false, Relaxed);
    }
    IS_TRIPPED.store(false, Relaxed);
}

/// Restores the signals that Python ignores, for a program that is about to be executed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_RestoreSignals() {
    // SAFETY: plain system calls.
    unsafe {
        for s in [libc::SIGPIPE, libc::SIGXFSZ] {
            PyOS_setsig(s, libc::SIG_DFL);
        }
    }
}

/// Installs Python's handlers: broken pipes are errors of `write`, SIGINT raises KeyboardInterrupt.
pub fn init_signals(install: bool) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        if install {
            for s in [libc::SIGPIPE, libc::SIGXFSZ] {
                PyOS_setsig(s, libc::SIG_IGN);
            }
        }
        for (i, h) in HANDLERS.iter().enumerate().skip(1) {
            let c = PyOS_getsig(i as c_int);
            let value = match c {
                libc::SIG_DFL => new_int(0)?,
                libc::SIG_IGN => new_int(1)?,
                _ => none(),
            };
            Py_XDECREF(h.swap(value.into_raw(), AcqRel));
        }
        if install {
            let m = import(c"_signal")?;
            let handler = getattr(m.as_ptr(), intern!("default_int_handler"))?;
            let sigint = &HANDLERS[libc::SIGINT as usize];
            if is_int(sigint.load(Relaxed), 0) {
                Py_XDECREF(sigint.swap(handler.into_raw(), AcqRel));
                PyOS_setsig(libc::SIGINT, signal_handler as *const () as usize);
            }
        }
        Ok(())
    }
}

/// Puts the C handlers back to the default, at finalisation.
pub fn finalize_signals() {
    // SAFETY: [GIL]
    unsafe {
        WAKEUP_FD.store(-1, Relaxed);
        for (i, h) in HANDLERS.iter().enumerate().skip(1) {
            let f = h.swap(null_mut(), AcqRel);
            TRIPPED[i].store(false, Relaxed);
            if f.is_null() {
                continue;
            }
            if f != Py_None() && !is_int(f, 0) && !is_int(f, 1) {
                PyOS_setsig(i as c_int, libc::SIG_DFL);
            }
            Py_DECREF(f);
        }
    }
}

// ---- the module

fn signal_default_int_handler(_: (), signalnum: i32, frame: Borrowed<'_>) -> PyResult<Owned> {
    let _ = (signalnum, frame);
    // SAFETY: [GIL]
    unsafe {
        PyErr_SetNone(PyExc_KeyboardInterrupt);
        Err(Raised::assume())
    }
}

fn signal_signal(_: (), signalnum: i32, handler: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        if !can_handle_signals() {
            bail!(PyExc_ValueError, "signal only works in main thread of the main interpreter");
        }
        signum_ok(signalnum)?;
        let c_handler = if PyCallable_Check(handler.ob()) != 0 {
            signal_handler as *const () as usize
        } else {
            let as_int = |v| flag(PyObject_RichCompareBool(handler.ob(), new_int(v)?.as_ptr(), Py_EQ));
            if as_int(1)? {
                libc::SIG_IGN
            } else if as_int(0)? {
                libc::SIG_DFL
            } else {
                bail!(PyExc_TypeError, "signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object");
            }
        };
        // Signals that arrived before go to the old handler.
        deliver()?;
        if PyOS_setsig(signalnum, c_handler) == libc::SIG_ERR {
            PyErr_SetFromErrno(PyExc_OSError);
            return Err(Raised::assume());
        }
        let old = HANDLERS[signalnum as usize].swap(handler.to_owned().into_raw(), AcqRel);
        Ok(Owned::from_owned_or_opt(old).unwrap_or_else(none))
    }
}

fn signal_getsignal(_: (), signalnum: i32) -> PyResult<Owned> {
    signum_ok(signalnum)?;
    // SAFETY: [GIL]
    Ok(unsafe { Owned::from_borrowed_or_opt(HANDLERS[signalnum as usize].load(Relaxed)) }.unwrap_or_else(none))
}

fn signal_alarm(_: (), seconds: i32) -> PyResult<i64> {
    // SAFETY: plain system call.
    Ok(unsafe { libc::alarm(seconds as u32) } as i64)
}

fn signal_pause(_: ()) -> PyResult<()> {
    // SAFETY: plain system call.
    allow_threads(|| unsafe { libc::pause() });
    // SAFETY: [GIL]
    check_status(unsafe { PyErr_CheckSignals() })
}

fn signal_raise_signal(_: (), signalnum: i32) -> PyResult<()> {
    // SAFETY: plain system call.
    let r = allow_threads(|| unsafe { libc::raise(signalnum) });
    if r != 0 {
        return Err(os_error());
    }
    // SAFETY: [GIL]
    check_status(unsafe { PyErr_CheckSignals() })
}

fn os_error() -> Raised {
    // SAFETY: [GIL]
    unsafe {
        PyErr_SetFromErrno(PyExc_OSError);
        Raised::assume()
    }
}

fn signal_strsignal(_: (), signalnum: i32) -> PyResult<Owned> {
    signum_ok(signalnum)?;
    set_errno(0);
    // SAFETY: the text is copied at once.
    unsafe {
        let p = libc::strsignal(signalnum);
        if p.is_null() || errno() != 0 {
            return Ok(none());
        }
        let text = c_text(p);
        if text.starts_with("Unknown signal") { Ok(none()) } else { new_str(&text) }
    }
}

fn signal_siginterrupt(_: (), signalnum: i32, flag: i32) -> PyResult<()> {
    signum_ok(signalnum)?;
    // SAFETY: plain system calls.
    unsafe {
        let mut act: libc::sigaction = core::mem::zeroed();
        libc::sigaction(signalnum, core::ptr::null(), &mut act);
        if flag != 0 {
            act.sa_flags &= !libc::SA_RESTART;
        } else {
            act.sa_flags |= libc::SA_RESTART;
        }
        if libc::sigaction(signalnum, &act, null_mut()) < 0 {
            return Err(os_error());
        }
    }
    Ok(())
}

fn signal_set_wakeup_fd(_: (), fd: i32, warn_on_full_buffer: bool) -> PyResult<i32> {
    // SAFETY: plain system calls.
    unsafe {
        if !can_handle_signals() {
            bail!(PyExc_ValueError, "set_wakeup_fd only works in main thread of the main interpreter");
        }
        if fd != -1 {
            let mut st: libc::stat = core::mem::zeroed();
            check_status(crate::fileutils::_Py_fstat(fd, &mut st))?;
            let blocking = crate::fileutils::_Py_get_blocking(fd);
            check_status(blocking)?;
            if blocking != 0 {
                bail!(PyExc_ValueError, "the fd {fd} must be in non-blocking mode");
            }
        }
    }
    WAKEUP_WARN.store(warn_on_full_buffer, Relaxed);
    Ok(WAKEUP_FD.swap(fd, AcqRel))
}

fn timeval(x: f64) -> PyResult<libc::timeval> {
    // SAFETY: [GIL]
    unsafe {
        let f = own(PyFloat_FromDouble(x))?;
        let t = crate::pytime::object_to_ns(f.as_ptr(), crate::pytime::Round::Ceiling)?;
        let us = t.div_euclid(1000) + (t.rem_euclid(1000) != 0) as i64;
        Ok(libc::timeval { tv_sec: us.div_euclid(1_000_000), tv_usec: us.rem_euclid(1_000_000) })
    }
}

fn itimer_tuple(v: &libc::itimerval) -> PyResult<Owned> {
    let f = |t: &libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    // SAFETY: [GIL]
    unsafe {
        let a = own(PyFloat_FromDouble(f(&v.it_value)))?;
        let b = own(PyFloat_FromDouble(f(&v.it_interval)))?;
        tuple(&[a.as_ptr(), b.as_ptr()])
    }
}

fn itimer_error() -> Raised {
    // SAFETY: [GIL]
    unsafe {
        PyErr_SetFromErrno(ITIMER_ERROR.load(Relaxed));
        Raised::assume()
    }
}

fn signal_setitimer(_: (), which: i32, seconds: f64, interval: f64) -> PyResult<Owned> {
    let new = libc::itimerval { it_value: timeval(seconds)?, it_interval: timeval(interval)? };
    // SAFETY: plain system call.
    unsafe {
        let mut old: libc::itimerval = core::mem::zeroed();
        if setitimer(which, &new, &mut old) != 0 {
            return Err(itimer_error());
        }
        itimer_tuple(&old)
    }
}

fn signal_getitimer(_: (), which: i32) -> PyResult<Owned> {
    // SAFETY: plain system call.
    unsafe {
        let mut old: libc::itimerval = core::mem::zeroed();
        if getitimer(which, &mut old) != 0 {
            return Err(itimer_error());
        }
        itimer_tuple(&old)
    }
}

unsafe extern "C" {
    fn setitimer(which: c_int, new: *const libc::itimerval, old: *mut libc::itimerval) -> c_int;
    fn getitimer(which: c_int, value: *mut libc::itimerval) -> c_int;
}

/// A set of signals from an iterable of numbers.
unsafe fn to_sigset(iterable: *mut PyObject) -> PyResult<libc::sigset_t> {
    // SAFETY: [ARGS]
    unsafe {
        let mut set: libc::sigset_t = core::mem::zeroed();
        libc::sigemptyset(&mut set);
        let it = own(PyObject_GetIter(iterable))?;
        loop {
            let item = PyIter_Next(it.as_ptr());
            let Some(item) = Owned::from_owned_or_opt(item) else {
                return if err_occurred() { Err(Raised::assume()) } else { Ok(set) };
            };
            let mut overflow = 0;
            let n = PyLong_AsLongAndOverflow(item.as_ptr(), &mut overflow);
            if n == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            if overflow != 0 || n <= 0 || n >= NSIG as i64 {
                bail!(PyExc_ValueError, "signal number {} out of range [1; {}]", repr(item.as_ptr())?, NSIG - 1);
            }
            if libc::sigaddset(&mut set, n as c_int) != 0 && errno() != libc::EINVAL {
                return Err(os_error());
            }
        }
    }
}

fn from_sigset(set: &libc::sigset_t) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let r = own(PySet_New(null_mut()))?;
        for s in 1..NSIG as c_int {
            if libc::sigismember(set, s) == 1 {
                let n = new_int(s as i64)?;
                check_status(PySet_Add(r.as_ptr(), n.as_ptr()))?;
            }
        }
        Ok(r)
    }
}

fn signal_pthread_sigmask(_: (), how: i32, mask: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: plain system call.
    unsafe {
        let set = to_sigset(mask.ob())?;
        let mut old: libc::sigset_t = core::mem::zeroed();
        let e = libc::pthread_sigmask(how, &set, &mut old);
        if e != 0 {
            set_errno(e);
            return Err(os_error());
        }
        // What was unblocked may have arrived.
        check_status(PyErr_CheckSignals())?;
        from_sigset(&old)
    }
}

fn signal_sigpending(_: ()) -> PyResult<Owned> {
    // SAFETY: plain system call.
    unsafe {
        let mut set: libc::sigset_t = core::mem::zeroed();
        if libc::sigpending(&mut set) != 0 {
            return Err(os_error());
        }
        from_sigset(&set)
    }
}

fn signal_sigwait(_: (), sigset: Borrowed<'_>) -> PyResult<i32> {
    // SAFETY: plain system call.
    unsafe {
        let set = to_sigset(sigset.ob())?;
        let mut sig = 0;
        let e = allow_threads(|| libc::sigwait(&set, &mut sig));
        if e != 0 {
            set_errno(e);
            return Err(os_error());
        }
        Ok(sig)
    }
}

static SIGINFO_TYPE: AtomicPtr<PyTypeObject> = AtomicPtr::new(null_mut());

fn siginfo(si: &libc::siginfo_t) -> PyResult<Owned> {
    // SAFETY: [GIL] the fields are those of a signal that was waited for.
    unsafe {
        let r = own(PyStructSequence_New(SIGINFO_TYPE.load(Relaxed)))?;
        let values = [si.si_signo as i64, si.si_code as i64, si.si_errno as i64, si.si_pid() as i64, si.si_uid() as i64, si.si_status() as i64, *(&raw const *si).cast::<i64>().add(2)];
        for (i, v) in values.into_iter().enumerate() {
            PyStructSequence_SetItem(r.as_ptr(), i as Py_ssize_t, new_int(v)?.into_raw());
        }
        Ok(r)
    }
}

fn signal_sigwaitinfo(_: (), sigset: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: plain system call.
    unsafe {
        let set = to_sigset(sigset.ob())?;
        let mut si: libc::siginfo_t = core::mem::zeroed();
        loop {
            if allow_threads(|| libc::sigwaitinfo(&set, &mut si)) != -1 {
                return siginfo(&si);
            }
            if errno() != libc::EINTR {
                return Err(os_error());
            }
            check_status(PyErr_CheckSignals())?;
        }
    }
}

fn signal_sigtimedwait(_: (), sigset: Borrowed<'_>, timeout: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: plain system call.
    unsafe {
        let ns = crate::pytime::object_to_ns(timeout.ob(), crate::pytime::Round::Ceiling)?;
        if ns < 0 {
            bail!(PyExc_ValueError, "timeout must be non-negative");
        }
        let set = to_sigset(sigset.ob())?;
        let deadline = crate::pytime::monotonic().saturating_add(ns);
        let mut left = ns;
        let mut si: libc::siginfo_t = core::mem::zeroed();
        loop {
            let ts = libc::timespec { tv_sec: left / 1_000_000_000, tv_nsec: left % 1_000_000_000 };
            if allow_threads(|| libc::sigtimedwait(&set, &mut si, &ts)) != -1 {
                return siginfo(&si);
            }
            match errno() {
                libc::EAGAIN => return Ok(none()),
                libc::EINTR => {}
                _ => return Err(os_error()),
            }
            check_status(PyErr_CheckSignals())?;
            left = deadline - crate::pytime::monotonic();
            if left < 0 {
                return Ok(none());
            }
        }
    }
}

fn signal_valid_signals(_: ()) -> PyResult<Owned> {
    // SAFETY: plain system calls.
    unsafe {
        let mut set: libc::sigset_t = core::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigfillset(&mut set);
        from_sigset(&set)
    }
}

fn signal_pthread_kill(_: (), thread_id: u64, signalnum: i32) -> PyResult<()> {
    // SAFETY: [GIL] the identity is the caller's business, as in CPython.
    unsafe {
        if crate::sysmodule::auditing() {
            let (a, b) = (own(PyLong_FromUnsignedLong(thread_id))?, new_int(signalnum as i64)?);
            crate::sysmodule::audit(c"signal.pthread_kill", &[a.as_ptr(), b.as_ptr()])?;
        }
        let e = libc::pthread_kill(thread_id as libc::pthread_t, signalnum);
        if e != 0 {
            set_errno(e);
            return Err(os_error());
        }
        check_status(PyErr_CheckSignals())
    }
}

fn signal_pidfd_send_signal(_: (), pidfd: i32, signalnum: i32, siginfo: Borrowed<'_>, flags: i32) -> PyResult<()> {
    if !siginfo.is_none() {
        bail!(PyExc_TypeError, "siginfo must be None");
    }
    // SAFETY: plain system call.
    if unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signalnum, core::ptr::null::<c_void>(), flags) } < 0 {
        return Err(os_error());
    }
    Ok(())
}

methods! {
    static METHODS = [
        "default_int_handler($module, signalnum, frame, /)" => signal_default_int_handler, "What SIGINT does at first: raises KeyboardInterrupt.";
        "alarm($module, seconds, /)" => signal_alarm, "Have SIGALRM sent in so many seconds; the seconds left of the last alarm.";
        "setitimer($module, which, seconds, interval=0.0, /)" => signal_setitimer, "Set a timer; the old value and interval.";
        "getitimer($module, which, /)" => signal_getitimer, "Value and interval of a timer.";
        "signal($module, signalnum, handler, /)" => signal_signal, "Set the handler of a signal; the old one.";
        "raise_signal($module, signalnum, /)" => signal_raise_signal, "Send a signal to this process.";
        "strsignal($module, signalnum, /)" => signal_strsignal, "The system's name of a signal, or None.";
        "getsignal($module, signalnum, /)" => signal_getsignal, "The handler of a signal; None where C installed it.";
        "set_wakeup_fd(fd, /, *, warn_on_full_buffer=True)" => signal_set_wakeup_fd, "Have a byte written to a descriptor for each signal; the old descriptor.";
        "siginterrupt($module, signalnum, flag, /)" => signal_siginterrupt, "Whether a signal interrupts system calls.";
        "pause($module, /)" => signal_pause, "Wait for a signal.";
        "pidfd_send_signal($module, pidfd, signalnum, siginfo=None, flags=0, /)" => signal_pidfd_send_signal, "Send a signal to the process of a descriptor.";
        "pthread_kill($module, thread_id, signalnum, /)" => signal_pthread_kill, "Send a signal to a thread.";
        "pthread_sigmask($module, how, mask, /)" => signal_pthread_sigmask, "Change the signals that this thread blocks; the old ones.";
        "sigpending($module, /)" => signal_sigpending, "The signals that wait because they are blocked.";
        "sigwait($module, sigset, /)" => signal_sigwait, "Wait for one of the signals; its number.";
        "sigwaitinfo($module, sigset, /)" => signal_sigwaitinfo, "Wait for one of the signals; what is known about it.";
        "sigtimedwait($module, sigset, timeout, /)" => signal_sigtimedwait, "As sigwaitinfo(), None after the timeout.";
        "valid_signals($module, /)" => signal_valid_signals, "The numbers of the system's signals.";
    ];
}

fn exec(m: Borrowed<'_>) -> PyResult<()> {
    use taipan_clinic::module::{add_int, add_object};
    let numbers: &[(&core::ffi::CStr, c_int)] = &[
        (c"SIGHUP", libc::SIGHUP), (c"SIGINT", libc::SIGINT), (c"SIGQUIT", libc::SIGQUIT), (c"SIGILL", libc::SIGILL), (c"SIGTRAP", libc::SIGTRAP),
        (c"SIGIOT", libc::SIGABRT), (c"SIGABRT", libc::SIGABRT), (c"SIGFPE", libc::SIGFPE), (c"SIGKILL", libc::SIGKILL), (c"SIGBUS", libc::SIGBUS),
        (c"SIGSEGV", libc::SIGSEGV), (c"SIGSYS", libc::SIGSYS), (c"SIGPIPE", libc::SIGPIPE), (c"SIGALRM", libc::SIGALRM), (c"SIGTERM", libc::SIGTERM),
        (c"SIGUSR1", libc::SIGUSR1), (c"SIGUSR2", libc::SIGUSR2), (c"SIGCLD", libc::SIGCHLD), (c"SIGCHLD", libc::SIGCHLD), (c"SIGPWR", libc::SIGPWR),
        (c"SIGIO", libc::SIGIO), (c"SIGURG", libc::SIGURG), (c"SIGWINCH", libc::SIGWINCH), (c"SIGPOLL", libc::SIGPOLL), (c"SIGSTOP", libc::SIGSTOP),
        (c"SIGTSTP", libc::SIGTSTP), (c"SIGCONT", libc::SIGCONT), (c"SIGTTIN", libc::SIGTTIN), (c"SIGTTOU", libc::SIGTTOU), (c"SIGVTALRM", libc::SIGVTALRM),
        (c"SIGPROF", libc::SIGPROF), (c"SIGXCPU", libc::SIGXCPU), (c"SIGXFSZ", libc::SIGXFSZ), (c"SIGSTKFLT", libc::SIGSTKFLT),
        (c"SIGRTMIN", libc::SIGRTMIN()), (c"SIGRTMAX", libc::SIGRTMAX()), (c"SIG_DFL", 0), (c"SIG_IGN", 1), (c"NSIG", NSIG as c_int),
        (c"SIG_BLOCK", libc::SIG_BLOCK), (c"SIG_UNBLOCK", libc::SIG_UNBLOCK), (c"SIG_SETMASK", libc::SIG_SETMASK),
        (c"ITIMER_REAL", 0), (c"ITIMER_VIRTUAL", 1), (c"ITIMER_PROF", 2),
    ];
    for (n, v) in numbers {
        add_int(m, n, *v as i64)?;
    }
    // SAFETY: [GIL]
    unsafe {
        if ITIMER_ERROR.load(Relaxed).is_null() {
            let e = own(PyErr_NewException(c"signal.itimer_error".as_ptr(), PyExc_OSError, null_mut()))?;
            ITIMER_ERROR.store(e.into_raw(), Relaxed);
        }
        add_object(m, c"ItimerError", Ok(Owned::from_borrowed(ITIMER_ERROR.load(Relaxed))))?;
        if SIGINFO_TYPE.load(Relaxed).is_null() {
            let f = |n: &'static core::ffi::CStr, d: &'static core::ffi::CStr| PyStructSequence_Field { name: n.as_ptr(), doc: d.as_ptr() };
            let fields = vec![
                f(c"si_signo", c"signal number"), f(c"si_code", c"why it was sent"), f(c"si_errno", c"error number with it"), f(c"si_pid", c"process that sent it"),
                f(c"si_uid", c"user of that process"), f(c"si_status", c"exit value or signal"), f(c"si_band", c"event of SIGPOLL"),
                PyStructSequence_Field { name: core::ptr::null(), doc: core::ptr::null() },
            ];
            let mut desc = PyStructSequence_Desc { name: c"signal.struct_siginfo".as_ptr(), doc: c"struct_siginfo\n\nWhat is known about a signal.".as_ptr(), fields: fields.leak().as_mut_ptr(), n_in_sequence: 7 };
            SIGINFO_TYPE.store(own(PyStructSequence_NewType(&mut desc))?.into_raw(), Relaxed);
        }
        add_object(m, c"struct_siginfo", Ok(Owned::from_borrowed(SIGINFO_TYPE.load(Relaxed).cast::<PyObject>())))?;
        if !can_handle_signals() {
            return Ok(());
        }
        let h = getattr(m.ob(), intern!("default_int_handler"))?;
        Py_XDECREF(DEFAULT_INT_HANDLER.swap(h.into_raw(), Relaxed));
    }
    Ok(())
}

module! {
    /// The module `_signal`.
    pub fn PyInit__signal = "_signal", "Signals, as the module signal presents them.", methods: METHODS, exec: exec;
}

