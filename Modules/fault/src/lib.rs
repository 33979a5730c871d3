//! `faulthandler`: Python tracebacks on fatal signals, after a timeout, and on user signals.

#![allow(clippy::missing_safety_doc, reason = "module entry points follow the contract of PEP 489")]

use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};
use std::time::Duration;
use taipan_abi::*;
use taipan_clinic::{methods, module};

unsafe extern "C" {
    fn _Py_DumpTraceback(fd: c_int, tstate: *mut PyThreadState);
    fn _Py_DumpExtensionModules(fd: c_int, interp: *mut PyInterpreterState);
    fn _Py_DumpTracebackThreads(fd: c_int, interp: *mut PyInterpreterState, current: *mut PyThreadState) -> *const c_char;
    fn PyObject_AsFileDescriptor(op: *mut PyObject) -> c_int;
    fn _Py_FatalErrorFunc(func: *const c_char, msg: *const c_char) -> !;
    fn PyGILState_GetThisThreadState() -> *mut PyThreadState;
}

/// Fatal signals, with what is written about them.
const FATAL: [(c_int, &str); 5] = [
    (libc::SIGBUS, "Bus error"),
    (libc::SIGILL, "Illegal instruction"),
    (libc::SIGFPE, "Floating-point exception"),
    (libc::SIGABRT, "Aborted"),
    (libc::SIGSEGV, "Segmentation fault"),
];

static ENABLED: AtomicBool = AtomicBool::new(false);
static FD: AtomicI32 = AtomicI32::new(2);
static ALL_THREADS: AtomicBool = AtomicBool::new(true);
static INTERP: AtomicPtr<PyInterpreterState> = AtomicPtr::new(null_mut());
/// Keeps the file of `enable` open; guarded by the GIL.
static mut FILE: *mut PyObject = null_mut();
static mut PREVIOUS: [libc::sigaction; 5] = {
    // SAFETY: all-zero is SIG_DFL without flags.
    unsafe { core::mem::zeroed() }
};

fn put(fd: c_int, text: &str) {
    // SAFETY: write is async-signal-safe.
    unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) };
}

unsafe fn dump(fd: c_int, all: bool) {
    // SAFETY: the printers only read, and only write to fd.
    unsafe {
        let ts = PyGILState_GetThisThreadState();
        if all {
            let interp = if ts.is_null() { INTERP.load(SeqCst) } else { (*ts).interp };
            _Py_DumpTracebackThreads(fd, interp, ts);
        } else if !ts.is_null() {
            _Py_DumpTraceback(fd, ts);
        }
    }
}

extern "C" fn fatal(signum: c_int) {
    // SAFETY: restores the handler before and raises the signal again, so that the process ends by it.
    unsafe {
        let saved = *libc::__errno_location();
        let fd = FD.load(SeqCst);
        if let Some(i) = FATAL.iter().position(|&(n, _)| n == signum) {
            libc::sigaction(signum, &raw const PREVIOUS[i], null_mut());
            put(fd, "Fatal Python error: ");
            put(fd, FATAL[i].1);
            put(fd, "\n\n");
        }
        dump(fd, ALL_THREADS.load(SeqCst));
        _Py_DumpExtensionModules(fd, INTERP.load(SeqCst));
        *libc::__errno_location() = saved;
        libc::raise(signum);
    }
}

/// The file descriptor of a `file` argument, and the file to keep open (NULL for a bare descriptor).
fn descriptor(file: Option<Borrowed<'_>>) -> PyResult<(c_int, *mut PyObject)> {
    // SAFETY: [ARGS]
    unsafe {
        let file = match file {
            Some(f) if !f.is_none() => f.ob(),
            _ => {
                let f = PySys_GetObject(c"stderr".as_ptr());
                if f.is_null() {
                    bail!(PyExc_RuntimeError, "unable to get sys.stderr");
                }
                if f == Py_None() {
                    bail!(PyExc_RuntimeError, "sys.stderr is None");
                }
                f
            }
        };
        if PyLong_Check(file) != 0 {
            let fd = PyLong_AsLong(file);
            if fd == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            let Ok(fd) = c_int::try_from(fd) else { bail!(PyExc_ValueError, "file is not a valid file descriptor") };
            if fd < 0 {
                bail!(PyExc_ValueError, "file is not a valid file descriptor");
            }
            return Ok((fd, null_mut()));
        }
        let fileno = Owned::from_owned_or_err(PyObject_CallMethodNoArgs(file, intern!("fileno")))?;
        let fd = PyObject_AsFileDescriptor(fileno.as_ptr());
        if fd < 0 {
            if err_occurred() {
                PyErr_Clear();
            }
            bail!(PyExc_RuntimeError, "file.fileno() is not a valid file descriptor");
        }
        match Owned::from_owned_or_err(PyObject_CallMethodNoArgs(file, intern!("flush"))) {
            Ok(_) => {}
            Err(e) => e.clear(),
        }
        Ok((fd, file))
    }
}

fn enable(_: (), file: Option<Borrowed<'_>>, all_threads: bool) -> PyResult<()> {
    let (fd, keep) = descriptor(file)?;
    // SAFETY: [GIL]
    unsafe {
        setref(&raw mut FILE, if keep.is_null() { null_mut() } else { Owned::from_borrowed(keep).into_raw() });
        FD.store(fd, SeqCst);
        ALL_THREADS.store(all_threads, SeqCst);
        INTERP.store((*current_tstate()).interp, SeqCst);
        if !ENABLED.swap(true, SeqCst) {
            for (i, &(signum, _)) in FATAL.iter().enumerate() {
                let mut action: libc::sigaction = core::mem::zeroed();
                action.sa_sigaction = fatal as *const () as usize;
                action.sa_flags = libc::SA_NODEFER | libc::SA_ONSTACK;
                if libc::sigaction(signum, &action, &raw mut PREVIOUS[i]) != 0 {
                    PyErr_SetFromErrno(PyExc_RuntimeError);
                    return Err(Raised::assume());
                }
            }
        }
    }
    Ok(())
}

fn disable(_: ()) -> PyResult<bool> {
    let was = ENABLED.swap(false, SeqCst);
    // SAFETY: [GIL]
    unsafe {
        if was {
            for (i, &(signum, _)) in FATAL.iter().enumerate() {
                libc::sigaction(signum, &raw const PREVIOUS[i], null_mut());
            }
        }
        setref(&raw mut FILE, null_mut());
    }
    Ok(was)
}
/// Puts the handlers of signals back: what ends the process has reported already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyFaulthandler_Fini() {
    if ENABLED.swap(false, SeqCst) {
        for (i, &(signum, _)) in FATAL.iter().enumerate() {
            // SAFETY: saved by enable.
            unsafe { libc::sigaction(signum, &raw const PREVIOUS[i], null_mut()) };
        }
    }
}

fn is_enabled(_: ()) -> PyResult<bool> {
    Ok(ENABLED.load(SeqCst))
}

fn dump_traceback(_: (), file: Option<Borrowed<'_>>, all_threads: bool) -> PyResult<()> {
    let (fd, _) = descriptor(file)?;
    // SAFETY: [GIL]
    unsafe {
        if all_threads {
            _Py_DumpTracebackThreads(fd, (*current_tstate()).interp, current_tstate());
        } else {
            _Py_DumpTraceback(fd, current_tstate());
        }
    }
    Ok(())
}

// ---- after a timeout --------------------------------------------------------------------------------------------------

/// The watchdog thread's orders: a generation that changes when it must stop.
static LATER: (Mutex<u64>, Condvar) = (Mutex::new(0), Condvar::new());
static mut LATER_FILE: *mut PyObject = null_mut();

fn stop_later() {
    *LATER.0.lock().unwrap_or_else(|e| e.into_inner()) += 1;
    LATER.1.notify_all();
}

fn dump_traceback_later(_: (), timeout: f64, repeat: bool, file: Option<Borrowed<'_>>, exit: bool) -> PyResult<()> {
    if timeout <= 0.0 {
        bail!(PyExc_ValueError, "timeout must be greater than 0");
    }
    if timeout > 9_223_372_036.0 || timeout.is_nan() {
        bail!(PyExc_OverflowError, "timeout value is too large");
    }
    let (fd, keep) = descriptor(file)?;
    stop_later();
    // SAFETY: [GIL]
    let interp = unsafe {
        setref(&raw mut LATER_FILE, if keep.is_null() { null_mut() } else { Owned::from_borrowed(keep).into_raw() });
        (*current_tstate()).interp as usize
    };
    let generation = *LATER.0.lock().unwrap_or_else(|e| e.into_inner());
    let seconds = timeout as u64;
    let header = format!("Timeout ({}:{:02}:{:02})!\n", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let header = if timeout.fract() == 0.0 {
        header
    } else {
        format!("Timeout ({}:{:02}:{:02}.{:06})!\n", seconds / 3600, seconds / 60 % 60, seconds % 60, (timeout.fract() * 1e6) as u64)
    };
    let spawned = std::thread::Builder::new().name("faulthandler".into()).spawn(move || {
        // SAFETY: signals are for Python's threads.
        unsafe {
            let mut all: libc::sigset_t = core::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, null_mut());
        }
        let mut guard = LATER.0.lock().unwrap_or_else(|e| e.into_inner());
        loop {
            let deadline = std::time::Instant::now() + Duration::from_secs_f64(timeout);
            while *guard == generation {
                let left = deadline.saturating_duration_since(std::time::Instant::now());
                if left.is_zero() {
                    break;
                }
                guard = LATER.1.wait_timeout(guard, left).unwrap_or_else(|e| e.into_inner()).0;
            }
            if *guard != generation {
                return;
            }
            put(fd, &header);
            // SAFETY: the printer only reads; the threads go on meanwhile, as documented.
            unsafe { _Py_DumpTracebackThreads(fd, interp as *mut PyInterpreterState, null_mut()) };
            if exit {
                // SAFETY: ends the process at once.
                unsafe { libc::_exit(1) };
            }
            if !repeat {
                return;
            }
        }
    });
    if spawned.is_err() {
        bail!(PyExc_RuntimeError, "unable to start watchdog thread");
    }
    Ok(())
}
fn cancel_dump_traceback_later(_: ()) -> PyResult<()> {
    stop_later();
    // SAFETY: [GIL]
    unsafe { setref(&raw mut LATER_FILE, null_mut()) };
    Ok(())
}

// ---- on user signals ----------------------------------------------------------------------------------------------------

struct User {
    enabled: AtomicBool,
    fd: AtomicI32,
    all_threads: AtomicBool,
    chain: AtomicBool,
}
static USERS: [User; 65] = [const {
    User { enabled: AtomicBool::new(false), fd: AtomicI32::new(-1), all_threads: AtomicBool::new(false), chain: AtomicBool::new(false) }
}; 65];
static mut USER_FILES: [*mut PyObject; 65] = [null_mut(); 65];
static mut USER_PREVIOUS: [libc::sigaction; 65] = {
    // SAFETY: all-zero is SIG_DFL without flags.
    unsafe { core::mem::zeroed() }
};

fn install(signum: usize, chain: bool) -> bool {
    // SAFETY: a plain system call; the table has a place for each signal.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = user as *const () as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK | if chain { libc::SA_NODEFER } else { 0 };
        libc::sigaction(signum as c_int, &action, null_mut()) == 0
    }
}

extern "C" fn user(signum: c_int) {
    let Some(u) = USERS.get(signum as usize) else { return };
    if !u.enabled.load(SeqCst) {
        return;
    }
    // SAFETY: errno is kept; only async-signal-safe calls are made.
    unsafe {
        let saved = *libc::__errno_location();
        dump(u.fd.load(SeqCst), u.all_threads.load(SeqCst));
        if u.chain.load(SeqCst) {
            libc::sigaction(signum, &raw const USER_PREVIOUS[signum as usize], null_mut());
            *libc::__errno_location() = saved;
            libc::raise(signum);
            let kept = *libc::__errno_location();
            install(signum as usize, true);
            *libc::__errno_location() = kept;
            return;
        }
        *libc::__errno_location() = saved;
    }
}

fn check_signum(signum: i32) -> PyResult<usize> {
    if FATAL.iter().any(|&(n, _)| n == signum) {
        bail!(PyExc_RuntimeError, "signal {} cannot be registered, use enable() instead", signum);
    }
    if !(1..65).contains(&signum) {
        bail!(PyExc_ValueError, "signal number out of range");
    }
    Ok(signum as usize)
}

fn register(_: (), signum: i32, file: Option<Borrowed<'_>>, all_threads: bool, chain: bool) -> PyResult<()> {
    let n = check_signum(signum)?;
    let (fd, keep) = descriptor(file)?;
    // SAFETY: [GIL]
    unsafe {
        let u = &USERS[n];
        if !u.enabled.load(SeqCst) && libc::sigaction(signum, core::ptr::null(), &raw mut USER_PREVIOUS[n]) != 0 {
            PyErr_SetFromErrno(PyExc_OSError);
            return Err(Raised::assume());
        }
        setref(&raw mut USER_FILES[n], if keep.is_null() { null_mut() } else { Owned::from_borrowed(keep).into_raw() });
        INTERP.store((*current_tstate()).interp, SeqCst);
        u.fd.store(fd, SeqCst);
        u.all_threads.store(all_threads, SeqCst);
        u.chain.store(chain, SeqCst);
        u.enabled.store(true, SeqCst);
        if !install(n, chain) {
            PyErr_SetFromErrno(PyExc_OSError);
            return Err(Raised::assume());
        }
    }
    Ok(())
}
fn unregister(_: (), signum: i32) -> PyResult<bool> {
    let n = check_signum(signum)?;
    let was = USERS[n].enabled.swap(false, SeqCst);
    // SAFETY: [GIL]
    unsafe {
        if was {
            libc::sigaction(signum, &raw const USER_PREVIOUS[n], null_mut());
            setref(&raw mut USER_FILES[n], null_mut());
        }
    }
    Ok(was)
}

// ---- crashes for tests --------------------------------------------------------------------------------------------------------

fn no_core_files() {
    // SAFETY: plain system calls.
    unsafe {
        let mut limit: libc::rlimit = core::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_CORE, &mut limit) == 0 {
            limit.rlim_cur = 0;
            libc::setrlimit(libc::RLIMIT_CORE, &limit);
        }
    }
}
fn raise_signal(signum: c_int) -> PyResult<()> {
    no_core_files();
    // SAFETY: this is what the function is for.
    unsafe { libc::raise(signum) };
    Ok(())
}
fn read_null(_: ()) -> PyResult<()> {
    no_core_files();
    // SAFETY: not sound on purpose: the function exists to crash the process.
    unsafe { core::ptr::read_volatile(core::ptr::without_provenance::<i32>(8)) };
    Ok(())
}
fn sigsegv(_: (), release_gil: bool) -> PyResult<()> {
    if release_gil {
        no_core_files();
        // SAFETY: [GIL] held on entry.
        unsafe {
            let ts = PyEval_SaveThread();
            libc::raise(libc::SIGSEGV);
            PyEval_RestoreThread(ts);
        }
        return Ok(());
    }
    raise_signal(libc::SIGSEGV)
}
fn sigabrt(_: ()) -> PyResult<()> {
    no_core_files();
    std::process::abort();
}
fn sigfpe(_: ()) -> PyResult<()> {
    raise_signal(libc::SIGFPE)
}
fn fatal_error_c_thread(_: ()) -> PyResult<()> {
    no_core_files();
    let t = std::thread::spawn(|| {
        // SAFETY: ends the process.
        unsafe { _Py_FatalErrorFunc(c"faulthandler_fatal_error_thread".as_ptr(), c"in new thread".as_ptr()) }
    });
    let _ = t.join();
    Ok(())
}
fn stack_overflow(_: ()) -> PyResult<()> {
    no_core_files();
    fn deeper(n: usize) -> usize {
        let page = [n as u8; 4096];
        core::hint::black_box(&page);
        if n == usize::MAX { 0 } else { deeper(n + 1) + core::hint::black_box(page[n % 4096]) as usize }
    }
    let depth = deeper(1);
    bail!(PyExc_RuntimeError, "unable to raise a stack overflow (allocated {} bytes on the stack)", depth)
}

methods! {
    static METHODS = [
        "enable($module, /, file=sys.stderr, all_threads=True)" => enable, "Write a traceback on fatal signals.";
        "disable($module, /)" => disable, "Undo enable(); returns whether it was on.";
        "is_enabled($module, /)" => is_enabled, "Whether enable() is in force.";
        "dump_traceback($module, /, file=sys.stderr, all_threads=True)" => dump_traceback, "Write the traceback of this thread or of all.";
        "dump_traceback_later($module, /, timeout, repeat=False, file=sys.stderr, exit=False)" => dump_traceback_later, "Write all tracebacks after a timeout.";
        "cancel_dump_traceback_later($module, /)" => cancel_dump_traceback_later, "Call the timeout off.";
        "register($module, /, signum, file=sys.stderr, all_threads=True, chain=False)" => register, "Write tracebacks when a signal arrives.";
        "unregister($module, signum, /)" => unregister, "Undo register().";
        "_read_null($module, /)" => read_null, "Read from NULL, to test the handlers.";
        "_sigsegv($module, release_gil=False, /)" => sigsegv, "Raise SIGSEGV, to test the handlers.";
        "_fatal_error_c_thread($module, /)" => fatal_error_c_thread, "A fatal error in a thread of C, to test the handlers.";
        "_sigabrt($module, /)" => sigabrt, "Raise SIGABRT, to test the handlers.";
        "_sigfpe($module, /)" => sigfpe, "Raise SIGFPE, to test the handlers.";
        "_stack_overflow($module, /)" => stack_overflow, "Overflow the native stack, to test the handlers.";
    ];
}

fn exec(_: Borrowed<'_>) -> PyResult<()> {
    // A stack of its own for the handlers, so that they can report an overflow.
    const SIZE: usize = 64 * 1024;
    let memory = Box::leak(vec![0u8; SIZE].into_boxed_slice());
    // SAFETY: the memory lives as long as the process.
    unsafe {
        let stack = libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: SIZE };
        libc::sigaltstack(&stack, null_mut());
    }
    Ok(())
}

module! {
    /// Entry point.
    pub fn PyInit_faulthandler = "faulthandler", "Python tracebacks on faults, timeouts and signals.", methods: METHODS, exec: exec;
}
