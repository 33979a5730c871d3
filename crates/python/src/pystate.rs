//! Interpreter and thread states, and who is attached where.

use crate::ceval::_PyEval_EvalFrameDefault;
use crate::ceval_gil::{GIL, Gil, PendingCalls, attach, detach, fatal_gil_released};
use crate::util::*;
use core::ffi::{c_char, c_int, c_long, c_ulong};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};
use std::cell::Cell;
use std::sync::{Mutex, MutexGuard};
use taipan_abi::*;

unsafe extern "C" {
    /// objects: exceptions
    static mut PyExc_InterpreterError: *mut PyObject;
    static mut PyExc_InterpreterNotFoundError: *mut PyObject;
}

/// Bits of `PyThreadState::_status`.
pub const STATUS_INITIALIZED: u32 = 1;
/// Bound to an OS thread.
pub const STATUS_BOUND: u32 = 2;
/// Was bound once.
pub const STATUS_UNBOUND: u32 = 4;
/// Is the state that `PyGILState` uses in its thread.
pub const STATUS_BOUND_GILSTATE: u32 = 8;
/// Attached.
pub const STATUS_ACTIVE: u32 = 16;
/// Being finalised.
pub const STATUS_FINALIZING: u32 = 32;
/// Cleared.
pub const STATUS_CLEARED: u32 = 64;
/// Finalised.
pub const STATUS_FINALIZED: u32 = 128;

/// Default of `sys.getrecursionlimit()`.
pub const Py_DEFAULT_RECURSION_LIMIT: c_int = 1000;
/// Native calls that may nest, unless the stack runs out first (`Py_C_RECURSION_LIMIT`).
pub const Py_C_RECURSION_LIMIT: c_int = 10000;
/// Native calls that need no look at the stack. Deeper ones go through [`_Py_CheckRecursiveCall`].
const UNCHECKED_C_RECURSION: c_int = 400;
/// Native stack kept free for what happens after the last check.
const STACK_MARGIN: usize = 192 * 1024;
/// Extra room while a RecursionError is being made.
const STACK_HEADROOM: usize = 96 * 1024;

/// What extensions built against CPython's internal headers read of an interpreter, in the layout of `pycore_interp.h`.
#[repr(C, align(64))]
pub struct PublishedState {
    unused_0: [usize; 3],
    /// Whether it was made to have a lock of its own. It runs under the common one all the same.
    pub own_gil: c_int,
    unused_1: [u8; 7264 - 28],
    next: *mut InterpreterState,
    id: i64,
    /// How many use the number (`_interpreters`).
    pub id_refcount: i64,
    unused_2: [u8; 8440 - 7288],
    /// What it may do (`Py_RTFLAGS_*`).
    pub feature_flags: u64,
    unused_3: [u8; 10624 - 8448],
    /// `NotShareableError`, NULL before somebody asks for it.
    pub not_shareable_error: *mut PyObject,
    unused_4: [u8; 10688 - 10632],
}
/// Size of CPython's `PyInterpreterState`: as much memory is there, zeroed, for what [`PublishedState`] leaves out.
const PUBLISHED_SIZE: usize = 194976;
/// `Py_RTFLAGS_USE_MAIN_OBMALLOC`.
pub const RTFLAGS_USE_MAIN_OBMALLOC: u64 = 1 << 5;
/// `Py_RTFLAGS_MULTI_INTERP_EXTENSIONS`: only extensions that know of subinterpreters are loaded.
pub const RTFLAGS_MULTI_INTERP_EXTENSIONS: u64 = 1 << 8;
/// `Py_RTFLAGS_THREADS`.
pub const RTFLAGS_THREADS: u64 = 1 << 10;
/// `Py_RTFLAGS_DAEMON_THREADS`.
pub const RTFLAGS_DAEMON_THREADS: u64 = 1 << 11;
/// `Py_RTFLAGS_FORK`.
pub const RTFLAGS_FORK: u64 = 1 << 15;
/// `Py_RTFLAGS_EXEC`.
pub const RTFLAGS_EXEC: u64 = 1 << 16;
/// What the main interpreter may do.
const MAIN_FEATURES: u64 = RTFLAGS_USE_MAIN_OBMALLOC | RTFLAGS_THREADS | RTFLAGS_DAEMON_THREADS | RTFLAGS_FORK | RTFLAGS_EXEC;
const _: () = assert!(core::mem::offset_of!(PublishedState, feature_flags) == 8440 && core::mem::offset_of!(PublishedState, not_shareable_error) == 10624 && size_of::<InterpreterState>() < PUBLISHED_SIZE);

/// The state of an interpreter. Opaque to extensions, but for its first part.
#[repr(C)]
pub struct InterpreterState {
    /// See the type.
    pub published: PublishedState,
    /// Next interpreter.
    pub next: *mut InterpreterState,
    /// Number; the main one has 0.
    pub id: i64,
    /// Whether it ends with its last reference.
    pub requires_idref: bool,
    /// Who made it.
    pub whence: c_long,
    /// Threads, newest first.
    pub threads_head: *mut PyThreadState,
    /// The thread that runs the main program.
    pub main_tstate: *mut PyThreadState,
    /// Number of the next thread state.
    pub next_thread_id: AtomicU64,
    /// Calls for the main thread.
    pub pending: PendingCalls,
    /// `sys.modules`.
    pub modules: *mut PyObject,
    /// Modules of single-phase extensions, by `m_index`.
    pub modules_by_index: *mut PyObject,
    /// `importlib._bootstrap`.
    pub importlib: *mut PyObject,
    /// `builtins.__import__` as it was at start.
    pub import_func: *mut PyObject,
    /// `sys.__dict__`.
    pub sysdict: *mut PyObject,
    /// `sys.__dict__` as it was at start.
    pub sysdict_copy: *mut PyObject,
    /// `builtins.__dict__`.
    pub builtins: *mut PyObject,
    /// `builtins.__dict__` as it was at start.
    pub builtins_copy: *mut PyObject,
    /// `PyInterpreterState_GetDict`.
    pub dict: *mut PyObject,
    /// Codec search functions.
    pub codec_search_path: *mut PyObject,
    /// Codecs found.
    pub codec_search_cache: *mut PyObject,
    /// Error handlers.
    pub codec_error_registry: *mut PyObject,
    /// Hooks of `sys.addaudithook`.
    pub audit_hooks: *mut PyObject,
    /// Imports may go on.
    pub import_lock: crate::import::ImportLock,
    /// `sys.setdlopenflags`.
    pub dlopenflags: c_int,
    /// `_imp._override_multi_interp_extensions_check`.
    pub override_multi_interp: c_int,
    /// Which frozen modules are used: -1, 0, 1 (`_imp._override_frozen_modules_for_tests`).
    pub override_frozen_modules: c_int,
    /// The configuration it was started with.
    pub config: crate::initconfig::Config,
    /// Warning filters and the like.
    pub warnings: crate::warnings::WarningsState,
    /// Whether it is being finalised (`Py_IsFinalizing`).
    pub finalizing: bool,
    /// Whether its end has begun: no thread starts any more that the end would have to wait for.
    pub ending: bool,
    /// Objects of native modules of which each interpreter has its own (`taipan_abi::PerInterpreter`).
    pub locals: Vec<*mut PyObject>,
    /// State that lies in static variables while the interpreter runs.
    pub parked: Box<crate::interp_switch::Parked>,
    /// The data of types that travel between interpreters, registered by extensions.
    pub xidata: crate::crossinterp::Registry,
    /// Whether it can run Python code.
    pub ready: bool,
    /// Limit of recursion for new threads.
    pub recursion_limit: c_int,
    /// Function that evaluates frames, where an extension has replaced it.
    pub eval_frame: Option<FrameEvalFunction>,
    /// Whether the thread that runs the main program is known.
    pub running_main: AtomicPtr<PyThreadState>,
    /// Hooks of `os.register_at_fork`: before, after in the parent, after in the child.
    pub before_forkers: *mut PyObject,
    /// See `before_forkers`.
    pub after_forkers_parent: *mut PyObject,
    /// See `before_forkers`.
    pub after_forkers_child: *mut PyObject,
    /// Threads started by `_thread`, not yet at their end.
    pub thread_count: AtomicI64,
}

/// `_PyFrameEvalFunction`.
pub type FrameEvalFunction = unsafe extern "C" fn(*mut PyThreadState, *mut _PyInterpreterFrame, c_int) -> *mut PyObject;

static HEAD_LOCK: Mutex<()> = Mutex::new(());
static INTERP_HEAD: AtomicPtr<InterpreterState> = AtomicPtr::new(null_mut());
static NEXT_ID: AtomicI64 = AtomicI64::new(0);
static MAIN_INTERP: AtomicPtr<InterpreterState> = AtomicPtr::new(null_mut());
static MAIN_THREAD: AtomicUsize = AtomicUsize::new(0);
/// How many interpreters were made to have a lock of their own, besides the main one.
pub static OWN_GILS: AtomicUsize = AtomicUsize::new(0);
/// The thread state that finalises the runtime, NULL before.
pub static FINALIZING: AtomicPtr<PyThreadState> = AtomicPtr::new(null_mut());
/// The system's identity of the thread that finalises the runtime: it goes on in the other interpreters, to end them.
pub static FINALIZING_THREAD: AtomicUsize = AtomicUsize::new(0);
/// `Py_IsInitialized`.
pub static INITIALIZED: AtomicBool = AtomicBool::new(false);
/// The core (types, builtins, sys) is up.
pub static CORE_INITIALIZED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static GILSTATE: Cell<*mut PyThreadState> = const { Cell::new(null_mut()) };
    static STACK_LIMIT: Cell<usize> = const { Cell::new(0) };
}

/// The lock of the lists of interpreters and threads.
pub fn head_lock() -> MutexGuard<'static, ()> {
    HEAD_LOCK.lock().unwrap_or_else(|e| e.into_inner())
}

/// Sees the opaque pointer as what it is.
#[inline(always)]
pub fn as_interp(p: *mut PyInterpreterState) -> *mut InterpreterState {
    p.cast()
}

/// The running thread's interpreter.
#[inline]
pub fn interp<'a>() -> &'a mut InterpreterState {
    // SAFETY: [GIL] the state outlives its threads; the GIL orders accesses.
    unsafe { &mut *as_interp((*current_tstate()).interp) }
}

/// The main interpreter, NULL before initialisation.
#[inline]
pub fn main_interp() -> *mut InterpreterState {
    MAIN_INTERP.load(Acquire)
}

/// Whether the running OS thread is the one that initialised Python (or was left after fork).
#[inline]
pub fn is_main_thread() -> bool {
    MAIN_THREAD.load(Relaxed) == thread_ident()
}

/// Identity of the main thread.
pub fn main_thread_ident() -> usize {
    MAIN_THREAD.load(Relaxed)
}

/// Declares the running OS thread the main one.
pub fn set_main_thread() {
    MAIN_THREAD.store(thread_ident(), Relaxed);
}

/// Identity of the running OS thread.
#[inline]
pub fn thread_ident() -> usize {
    // SAFETY: always succeeds.
    unsafe { libc::pthread_self() as usize }
}

fn native_thread_id() -> c_ulong {
    // SAFETY: plain system call.
    unsafe { libc::syscall(libc::SYS_gettid) as c_ulong }
}

// ---- interpreters

/// Makes the state of an interpreter, the main one if there is none.
pub fn new_interpreter(config: crate::initconfig::Config) -> *mut InterpreterState {
    let _lock = head_lock();
    let next = INTERP_HEAD.load(Relaxed);
    let id = NEXT_ID.fetch_add(1, Relaxed);
    let main = MAIN_INTERP.load(Relaxed).is_null();
    let state = InterpreterState {
        published: PublishedState {
            unused_0: [0; 3],
            own_gil: main as c_int,
            unused_1: [0; 7264 - 28],
            next,
            id,
            id_refcount: 0,
            unused_2: [0; 8440 - 7288],
            feature_flags: if main { MAIN_FEATURES } else { 0 },
            unused_3: [0; 10624 - 8448],
            not_shareable_error: null_mut(),
            unused_4: [0; 10688 - 10632],
        },
        next,
        id,
        requires_idref: false,
        whence: if main { 1 } else { 0 },
        threads_head: null_mut(),
        main_tstate: null_mut(),
        next_thread_id: AtomicU64::new(1),
        pending: PendingCalls::new(),
        modules: null_mut(),
        modules_by_index: null_mut(),
        importlib: null_mut(),
        import_func: null_mut(),
        sysdict: null_mut(),
        sysdict_copy: null_mut(),
        builtins: null_mut(),
        builtins_copy: null_mut(),
        dict: null_mut(),
        codec_search_path: null_mut(),
        codec_search_cache: null_mut(),
        codec_error_registry: null_mut(),
        audit_hooks: null_mut(),
        import_lock: crate::import::ImportLock::new(),
        dlopenflags: libc::RTLD_NOW,
        override_multi_interp: 0,
        override_frozen_modules: 0,
        parked: crate::interp_switch::Parked::new(config.int_max_str_digits),
        config,
        warnings: crate::warnings::WarningsState::new(),
        finalizing: false,
        ending: false,
        locals: Vec::new(),
        xidata: crate::crossinterp::Registry::new(),
        ready: false,
        recursion_limit: Py_DEFAULT_RECURSION_LIMIT,
        eval_frame: None,
        running_main: AtomicPtr::new(null_mut()),
        before_forkers: null_mut(),
        after_forkers_parent: null_mut(),
        after_forkers_child: null_mut(),
        thread_count: AtomicI64::new(0),
    };
    // SAFETY: zeroed memory of the size of CPython's state, of which ours fills the start.
    let ip = unsafe {
        let Ok(layout) = core::alloc::Layout::from_size_align(PUBLISHED_SIZE, align_of::<InterpreterState>()) else { fatal("layout") };
        let ip = std::alloc::alloc_zeroed(layout).cast::<InterpreterState>();
        if ip.is_null() {
            fatal("out of memory at start-up");
        }
        ip.write(state);
        ip
    };
    INTERP_HEAD.store(ip, Release);
    if MAIN_INTERP.load(Relaxed).is_null() {
        MAIN_INTERP.store(ip, Release);
        // SAFETY: the first interpreter, before any other thread runs.
        unsafe { taipan_objects::runtime::set_main_interpreter(ip.cast()) };
        set_main_thread();
    } else {
        // SAFETY: under the lock.
        unsafe { taipan_objects::runtime::set_interpreters(ip.cast(), id + 1) };
    }
    ip
}

/// Takes an interpreter that has ended out of the list and frees its state. The main one stays until the process ends.
///
/// # Safety
/// It is not the main one, has no threads, and its objects were released.
pub unsafe fn delete_interpreter(ip: *mut InterpreterState) {
    // SAFETY: [ARGS] the list is stable under the lock; the memory is of new_interpreter.
    unsafe {
        debug_assert!(!crate::interp_switch::is_running(ip), "switched away from before it ends");
        {
            let _lock = head_lock();
            if !(*ip).threads_head.is_null() {
                fatal("PyInterpreterState_Delete: remaining threads");
            }
            let mut p = INTERP_HEAD.load(Relaxed);
            if p == ip {
                INTERP_HEAD.store((*ip).next, Release);
            } else {
                while (*p).next != ip {
                    p = (*p).next;
                    if p.is_null() {
                        fatal("PyInterpreterState_Delete: NULL interpreter");
                    }
                }
                (*p).next = (*ip).next;
                (*p).published.next = (*ip).next;
            }
            taipan_objects::runtime::set_interpreters(INTERP_HEAD.load(Relaxed).cast(), NEXT_ID.load(Relaxed));
        }
        if (*ip).published.own_gil != 0 {
            OWN_GILS.fetch_sub(1, Relaxed);
        }
        core::ptr::drop_in_place(ip);
        if let Ok(layout) = core::alloc::Layout::from_size_align(PUBLISHED_SIZE, align_of::<InterpreterState>()) {
            std::alloc::dealloc(ip.cast(), layout);
        }
    }
}

/// Whether an interpreter may do something (`RTFLAGS_*`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_HasFeature(interp: *mut PyInterpreterState, feature: core::ffi::c_ulong) -> c_int {
    // SAFETY: [ARGS]
    unsafe { ((*as_interp(interp)).published.feature_flags & feature != 0) as c_int }
}

/// The place of an object of the running interpreter (`taipan_abi::PerInterpreter`), valid until the next call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_Local(index: usize) -> *mut *mut PyObject {
    let all = &mut interp().locals;
    if all.len() <= index {
        all.resize(index + 1, null_mut());
    }
    &raw mut all[index]
}

/// Whether an interpreter was made to have a lock of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_OwnsGil(interp: *mut PyInterpreterState) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(interp)).published.own_gil }
}

/// Whether an interpreter is at its end: since threads are waited for, or since modules are gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_IsFinalizing(interp: *mut PyInterpreterState) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(interp)).finalizing as c_int }
}

/// How many threads that `_thread` started run in an interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_ThreadCount(interp: *mut PyInterpreterState) -> *const AtomicI64 {
    // SAFETY: [ARGS]
    unsafe { &raw const (*as_interp(interp)).thread_count }
}

/// The interpreters, newest first.
pub fn interpreter_list() -> Vec<*mut InterpreterState> {
    let _lock = head_lock();
    let mut all = Vec::new();
    let mut ip = INTERP_HEAD.load(Relaxed);
    // SAFETY: stable under the lock.
    unsafe {
        while !ip.is_null() {
            all.push(ip);
            ip = (*ip).next;
        }
    }
    all
}

/// The current interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInterpreterState_Get() -> *mut PyInterpreterState {
    let ts = current_tstate();
    if ts.is_null() {
        fatal_gil_released(c"PyInterpreterState_Get");
    }
    // SAFETY: attached.
    unsafe { (*ts).interp }
}

/// The main interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInterpreterState_Main() -> *mut PyInterpreterState {
    main_interp().cast()
}

/// The newest interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInterpreterState_Head() -> *mut PyInterpreterState {
    INTERP_HEAD.load(Acquire).cast()
}

/// The interpreter after `interp` in the list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInterpreterState_Next(interp: *mut PyInterpreterState) -> *mut PyInterpreterState {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(interp)).next.cast() }
}

/// The newest thread of an interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInterpreterState_ThreadHead(interp: *mut PyInterpreterState) -> *mut PyThreadState {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(interp)).threads_head }
}

/// The thread after `tstate` in the list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_Next(tstate: *mut PyThreadState) -> *mut PyThreadState {
    // SAFETY: [ARGS]
    unsafe { (*tstate).next }
}

/// The number of an interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInterpreterState_GetID(interp: *mut PyInterpreterState) -> i64 {
    // SAFETY: [ARGS]
    unsafe {
        if interp.is_null() {
            let _ = raise!(PyExc_RuntimeError, "no interpreter provided");
            return -1;
        }
        (*as_interp(interp)).id
    }
}

/// The dict for extensions' own data, borrowed; NULL without exception if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInterpreterState_GetDict(interp: *mut PyInterpreterState) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let ip = as_interp(interp);
        if (*ip).dict.is_null() {
            (*ip).dict = PyDict_New();
            if (*ip).dict.is_null() {
                PyErr_Clear();
            }
        }
        (*ip).dict
    }
}

/// Finds an interpreter by number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_LookUpID(id: i64) -> *mut PyInterpreterState {
    let ip = find_interpreter(id);
    if ip.is_null() {
        // SAFETY: [GIL]
        let _ = unsafe { raise_str(PyExc_InterpreterNotFoundError, &format!("unrecognized interpreter ID {id}")) };
    }
    ip.cast()
}

fn find_interpreter(id: i64) -> *mut InterpreterState {
    let _lock = head_lock();
    let mut ip = INTERP_HEAD.load(Relaxed);
    // SAFETY: stable under the lock.
    unsafe {
        while !ip.is_null() && (*ip).id != id {
            ip = (*ip).next;
        }
    }
    ip
}

/// The number of an interpreter as an object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_GetIDObject(interp: *mut PyInterpreterState) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyLong_FromLongLong((*as_interp(interp)).id) }
}

/// Who made an interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_GetWhence(interp: *mut PyInterpreterState) -> c_long {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(interp)).whence }
}

/// Whether an interpreter can run code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_IsReady(interp: *mut PyInterpreterState) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(interp)).ready as c_int }
}

/// Notes that the running thread runs the interpreter's main program; InterpreterError if one does already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_SetRunningMain(interp: *mut PyInterpreterState) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if _PyInterpreterState_FailIfRunningMain(interp) < 0 {
            return -1;
        }
        if (*current_tstate()).interp != interp {
            let _ = raise_str(PyExc_RuntimeError, "current tstate has wrong interpreter");
            return -1;
        }
        (*as_interp(interp)).running_main.store(current_tstate(), Relaxed);
        0
    }
}

/// The main program has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_SetNotRunningMain(interp: *mut PyInterpreterState) {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(interp)).running_main.store(null_mut(), Relaxed) }
}

/// Whether a thread runs the interpreter's main program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_IsRunningMain(interp: *mut PyInterpreterState) -> c_int {
    // SAFETY: [ARGS]
    unsafe { !(*as_interp(interp)).running_main.load(Relaxed).is_null() as c_int }
}

/// InterpreterError if a thread runs the interpreter's main program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_FailIfRunningMain(interp: *mut PyInterpreterState) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if _PyInterpreterState_IsRunningMain(interp) != 0 {
            let _ = raise_str(PyExc_InterpreterError, "interpreter already running");
            return -1;
        }
        0
    }
}

/// The `__main__` module of an interpreter, a new reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_InterpreterState_GetMainModule(interp: *mut PyInterpreterState) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let modules = (*as_interp(interp)).modules;
        if modules.is_null() {
            let _ = raise!(PyExc_RuntimeError, "interpreter not initialized");
            return null_mut();
        }
        PyMapping_GetItemString(modules, c"__main__".as_ptr())
    }
}

/// The function that evaluates frames.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_GetEvalFrameFunc(interp: *mut PyInterpreterState) -> FrameEvalFunction {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(interp)).eval_frame.unwrap_or(_PyEval_EvalFrameDefault) }
}

/// Replaces the function that evaluates frames.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_SetEvalFrameFunc(interp: *mut PyInterpreterState, f: Option<FrameEvalFunction>) {
    // SAFETY: [ARGS]
    unsafe {
        let f = f.filter(|&f| f as usize != _PyEval_EvalFrameDefault as *const () as usize);
        (*as_interp(interp)).eval_frame = f;
        let _lock = head_lock();
        let mut any = false;
        let mut ip = INTERP_HEAD.load(Relaxed);
        while !ip.is_null() {
            any |= (*ip).eval_frame.is_some();
            ip = (*ip).next;
        }
        crate::ceval::EVAL_FRAME_HOOK.store(any, Relaxed);
    }
}

// ---- thread states

/// A thread state as it is allocated. Modules of the library, in C too, know that a loop follows the published part
/// (`_PyThreadStateImpl`).
#[repr(C)]
struct AllocatedThreadState {
    base: PyThreadState,
    /// The event loop that runs in the thread, or NULL; `_asyncio` sets it.
    asyncio_running_loop: *mut PyObject,
    /// For interpreters without a GIL.
    qsbr: *mut core::ffi::c_void,
    mem_free_queue: [*mut core::ffi::c_void; 2],
}

fn new_threadstate(ip: *mut InterpreterState, whence: c_int) -> *mut PyThreadState {
    // SAFETY: all-zero is a valid thread state: NULL pointers and zero counts.
    unsafe {
        let ts: *mut PyThreadState = Box::into_raw(Box::new(core::mem::zeroed::<AllocatedThreadState>())).cast();
        (*ts).interp = ip.cast();
        (*ts)._whence = whence;
        (*ts).id = (*ip).next_thread_id.fetch_add(1, Relaxed);
        (*ts).py_recursion_limit = (*ip).recursion_limit;
        (*ts).py_recursion_remaining = (*ip).recursion_limit;
        (*ts).c_recursion_remaining = UNCHECKED_C_RECURSION;
        (*ts).exc_info = &raw mut (*ts).exc_state;
        (*ts).context_ver = 1;
        (*ts).gilstate_counter = 1;
        (*ts).what_event = -1;
        (*ts).dict_global_version = 0;
        (*ts)._status = STATUS_INITIALIZED;
        let _lock = head_lock();
        let running = crate::interp_switch::is_running(ip);
        (*ts).eval_breaker = if running { crate::instrumentation::instrumentation_version() } else { (*ip).parked.version };
        if !(*ip).threads_head.is_null() {
            (*(*ip).threads_head).prev = ts;
        }
        (*ts).next = (*ip).threads_head;
        (*ip).threads_head = ts;
        ts
    }
}

/// Ties a thread state to the running OS thread.
///
/// # Safety
/// The running thread holds the GIL for `ts`.
pub unsafe fn bind_tstate(ts: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe {
        if (*ts)._status & STATUS_BOUND != 0 {
            return;
        }
        (*ts).thread_id = thread_ident() as c_ulong;
        (*ts).native_thread_id = native_thread_id();
        (*ts)._status = ((*ts)._status | STATUS_BOUND) & !STATUS_UNBOUND;
        if GILSTATE.get().is_null() {
            bind_gilstate(ts);
        }
    }
}

/// Makes a state the one that `PyGILState` uses in this thread: the one that was attached last.
///
/// # Safety
/// `ts` is bound to this thread.
#[inline]
pub unsafe fn bind_gilstate(ts: *mut PyThreadState) {
    GILSTATE.set(ts);
    // SAFETY: [ARGS]
    unsafe { (*ts)._status |= STATUS_BOUND_GILSTATE };
}

/// A new thread state, not attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_New(interp: *mut PyInterpreterState) -> *mut PyThreadState {
    let ts = new_threadstate(as_interp(interp), 0);
    // An extension makes it for the thread it runs in.
    // SAFETY: just made.
    unsafe {
        if GILSTATE.get().is_null() {
            bind_tstate(ts);
        }
    }
    ts
}

/// A new thread state for a thread that will bind it itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyThreadState_New(interp: *mut PyInterpreterState, whence: c_int) -> *mut PyThreadState {
    new_threadstate(as_interp(interp), whence)
}

/// A new thread state bound to the running thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyThreadState_NewBound(interp: *mut PyInterpreterState, whence: c_int) -> *mut PyThreadState {
    let ts = new_threadstate(as_interp(interp), whence);
    // SAFETY: just made.
    unsafe { bind_tstate(ts) };
    ts
}

/// Kept for old extensions: a state not yet in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyThreadState_Prealloc(interp: *mut PyInterpreterState) -> *mut PyThreadState {
    new_threadstate(as_interp(interp), 0)
}

/// Kept for old extensions: states are initialised when made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyThreadState_Init(_tstate: *mut PyThreadState) {
    fatal("_PyThreadState_Init() is for internal use only")
}

/// Releases all objects that a thread state holds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_Clear(ts: *mut PyThreadState) {
    macro_rules! clear {
        ($($field:ident),*) => { $( setref(&raw mut (*ts).$field, null_mut()); )* };
    }
    // SAFETY: [ARGS] the GIL is held; each field is reset before its object is released.
    unsafe {
        (*ts)._status |= STATUS_FINALIZING;
        clear!(threading_local_key, threading_local_sentinel);
        setref(&raw mut (*ts.cast::<AllocatedThreadState>()).asyncio_running_loop, null_mut());
        clear!(dict, async_exc, current_exception);
        setref(&raw mut (*ts).exc_state.exc_value, null_mut());
        (*ts).c_profilefunc = None;
        (*ts).c_tracefunc = None;
        clear!(c_profileobj, c_traceobj, async_gen_firstiter, async_gen_finalizer, context);
        (*ts)._status |= STATUS_CLEARED;
    }
}

/// Takes a state out of the list and frees it.
unsafe fn delete_tstate(ts: *mut PyThreadState) {
    // SAFETY: [ARGS] cleared, attached nowhere.
    unsafe {
        let ip = as_interp((*ts).interp);
        {
            let _lock = head_lock();
            if (*ts).prev.is_null() {
                (*ip).threads_head = (*ts).next;
            } else {
                (*(*ts).prev).next = (*ts).next;
            }
            if !(*ts).next.is_null() {
                (*(*ts).next).prev = (*ts).prev;
            }
        }
        if GILSTATE.get() == ts {
            GILSTATE.set(null_mut());
        }
        let mut chunk = (*ts).datastack_chunk;
        while !chunk.is_null() {
            let previous = (*chunk).previous;
            taipan_objects::obmalloc::_PyObject_VirtualFree(chunk.cast(), (*chunk).size);
            chunk = previous;
        }
        (*ts)._status |= STATUS_FINALIZED;
        drop(Box::from_raw(ts.cast::<AllocatedThreadState>()));
    }
}

/// Deletes a cleared thread state, which must not be the current one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_Delete(ts: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe {
        if ts == current_tstate() {
            fatal("PyThreadState_Delete: tstate is still current");
        }
        delete_tstate(ts);
    }
}

/// Deletes the current thread state and releases the GIL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_DeleteCurrent() {
    let ts = current_tstate();
    if ts.is_null() {
        fatal_gil_released(c"PyThreadState_DeleteCurrent");
    }
    // SAFETY: attached to this thread.
    unsafe {
        crate::ceval_gil::forget_holder();
        delete_tstate(ts);
        crate::ceval_gil::release_for_good();
    }
}

/// Removes all thread states but the current one, as after fork; the objects they hold are released.
///
/// # Safety
/// No other thread runs.
pub unsafe fn delete_other_threads() {
    // SAFETY: [ARGS]
    unsafe {
        let me = current_tstate();
        let ip = as_interp((*me).interp);
        let mut others = Vec::new();
        let mut t = (*ip).threads_head;
        while !t.is_null() {
            if t != me {
                others.push(t);
            }
            t = (*t).next;
        }
        (*ip).threads_head = me;
        (*me).prev = null_mut();
        (*me).next = null_mut();
        for t in others {
            (*t).prev = null_mut();
            (*t).next = null_mut();
            PyThreadState_Clear(t);
            // The record itself stays: the data stack of a thread that is gone may hold live frames.
        }
    }
}

/// Restores the runtime's locks in the child of a fork.
///
/// # Safety
/// Called in the child, where only this thread exists.
pub unsafe fn reinit_after_fork() {
    // SAFETY: [ARGS]
    unsafe {
        HEAD_LOCK.clear_poison();
        (&raw const HEAD_LOCK).cast_mut().write(Mutex::new(()));
        let me = current_tstate();
        let ip = as_interp((*me).interp);
        if ip != main_interp() {
            fatal("_PyInterpreterState_DeleteExceptMain: not main interpreter");
        }
        // The other interpreters are gone with their threads; what they own is left as it is.
        (*ip).next = null_mut();
        (*ip).published.next = null_mut();
        INTERP_HEAD.store(ip, Release);
        Gil::reinit_after_fork((&raw const GIL).cast_mut(), me);
        PendingCalls::reinit_after_fork(&raw mut (*ip).pending);
        (*ip).import_lock.reinit_after_fork();
        set_main_thread();
        (*ip).main_tstate = me;
        (*me).thread_id = thread_ident() as c_ulong;
        (*me).native_thread_id = native_thread_id();
        crate::signals::clear_after_fork();
        STACK_LIMIT.set(0);
        delete_other_threads();
    }
}

/// The current thread state; a fatal error if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_Get() -> *mut PyThreadState {
    let ts = current_tstate();
    if ts.is_null() {
        fatal_gil_released(c"PyThreadState_Get");
    }
    ts
}

/// The current thread state, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_GetUnchecked() -> *mut PyThreadState {
    current_tstate()
}

/// The current thread state, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyThreadState_GetCurrent() -> *mut PyThreadState {
    current_tstate()
}

/// The current thread state, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyThreadState_UncheckedGet() -> *mut PyThreadState {
    current_tstate()
}

/// Detaches the current state and attaches `new`; either may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_Swap(new: *mut PyThreadState) -> *mut PyThreadState {
    let old = current_tstate();
    if old == new {
        return old;
    }
    // SAFETY: [ARGS]
    unsafe {
        if !old.is_null() {
            detach(old);
        }
        if !new.is_null() {
            attach(new);
        }
    }
    old
}

/// The dict for extensions' own data of the current thread, borrowed; NULL without exception if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_GetDict() -> *mut PyObject {
    // SAFETY: NULL is handled.
    unsafe { _PyThreadState_GetDict(current_tstate()) }
}

/// As [`PyThreadState_GetDict`] for a given thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyThreadState_GetDict(ts: *mut PyThreadState) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if ts.is_null() {
            return null_mut();
        }
        if (*ts).dict.is_null() {
            (*ts).dict = PyDict_New();
            if (*ts).dict.is_null() {
                PyErr_Clear();
            }
        }
        (*ts).dict
    }
}

/// The interpreter of a thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_GetInterpreter(ts: *mut PyThreadState) -> *mut PyInterpreterState {
    // SAFETY: [ARGS]
    unsafe { (*ts).interp }
}

/// The number of a thread state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_GetID(ts: *mut PyThreadState) -> u64 {
    // SAFETY: [ARGS]
    unsafe { (*ts).id }
}

pub use crate::frame::{current_complete_frame as thread_frame, first_complete, frame_get_frame_object as frame_object};

/// The current frame object of a thread, a new reference, or NULL without exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_GetFrame(ts: *mut PyThreadState) -> *mut PyFrameObject {
    // SAFETY: [ARGS]
    unsafe {
        let f = thread_frame(ts);
        if f.is_null() {
            return null_mut();
        }
        let frame = frame_object(f);
        if frame.is_null() {
            PyErr_Clear();
            return null_mut();
        }
        Py_INCREF(frame.cast());
        frame
    }
}

/// Raises `exc` in the thread numbered `id` at its next check, NULL cancels; says how many threads were found.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_SetAsyncExc(id: c_ulong, exc: *mut PyObject) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        let ip = as_interp((*current_tstate()).interp);
        let lock = head_lock();
        let mut t = (*ip).threads_head;
        while !t.is_null() && (*t).thread_id != id {
            t = (*t).next;
        }
        if t.is_null() {
            return 0;
        }
        Py_XINCREF(exc);
        let old = AtomicPtr::from_ptr(&raw mut (*t).async_exc).swap(exc, AcqRel);
        drop(lock);
        Py_XDECREF(old);
        crate::ceval_gil::_Py_set_eval_breaker_bit(t, crate::ceval_gil::_PY_ASYNC_EXCEPTION_BIT);
        1
    }
}

/// The threads of an interpreter, newest first.
///
/// # Safety
/// The head lock is held.
pub unsafe fn thread_list(ip: *mut InterpreterState) -> Vec<*mut PyThreadState> {
    let mut all = Vec::new();
    // SAFETY: [ARGS] the list is stable under the lock.
    unsafe {
        let mut t = (*ip).threads_head;
        while !t.is_null() {
            all.push(t);
            t = (*t).next;
        }
    }
    all
}

fn for_each_thread(mut f: impl FnMut(*mut PyThreadState) -> PyResult<()>) -> PyResult<()> {
    // SAFETY: [GIL] threads are added and removed with the GIL held, except by threads that wait for it.
    unsafe {
        let ip = as_interp((*current_tstate()).interp);
        let all: Vec<_> = {
            let _lock = head_lock();
            thread_list(ip)
        };
        for t in all {
            f(t)?;
        }
        Ok(())
    }
}

/// `sys._current_frames()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyThread_CurrentFrames() -> *mut PyObject {
    // SAFETY: [GIL]
    let r = (|| unsafe {
        crate::sysmodule::audit(c"sys._current_frames", &[])?;
        let dict = own(PyDict_New())?;
        for_each_thread(|t| {
            let f = thread_frame(t);
            if f.is_null() {
                return Ok(());
            }
            let frame = frame_object(f);
            if frame.is_null() {
                return Err(Raised::assume());
            }
            let id = own(PyLong_FromUnsignedLong((*t).thread_id))?;
            dict_set(dict.as_ptr(), id.as_ptr(), frame.cast())
        })?;
        Ok(dict)
    })();
    r.into_c()
}

/// `sys._current_exceptions()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyThread_CurrentExceptions() -> *mut PyObject {
    // SAFETY: [GIL]
    let r = (|| unsafe {
        crate::sysmodule::audit(c"sys._current_exceptions", &[])?;
        let dict = own(PyDict_New())?;
        for_each_thread(|t| {
            let info = crate::errors::_PyErr_GetTopmostException(t);
            let mut exc = (*info).exc_value;
            if exc.is_null() {
                exc = Py_None();
            }
            let id = own(PyLong_FromUnsignedLong((*t).thread_id))?;
            dict_set(dict.as_ptr(), id.as_ptr(), exc)
        })?;
        Ok(dict)
    })();
    r.into_c()
}

// ---- PyGILState

/// The state that `PyGILState` uses in this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyGILState_GetThisThreadState() -> *mut PyThreadState {
    GILSTATE.get()
}

/// Whether the running thread holds the GIL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyGILState_Check() -> c_int {
    // With several interpreters a thread has several states: the question has no answer then.
    if NEXT_ID.load(Relaxed) > 1 {
        return 1;
    }
    let ts = current_tstate();
    (!ts.is_null() && (GILSTATE.get() == ts || GILSTATE.get().is_null())) as c_int
}

/// Makes the running thread ready to call Python, whatever its state; 0 if it held the GIL already, else 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyGILState_Ensure() -> c_int {
    // SAFETY: the state found belongs to this thread.
    unsafe {
        if main_interp().is_null() {
            fatal("PyGILState_Ensure: Python is not initialized");
        }
        let mut ts = GILSTATE.get();
        if ts.is_null() {
            ts = new_threadstate(main_interp(), 4);
            bind_tstate(ts);
            // The counter starts at zero so that the last release deletes the state.
            (*ts).gilstate_counter = 0;
            attach(ts);
            (*ts).gilstate_counter += 1;
            return 1;
        }
        let held = ts == current_tstate();
        if !held {
            attach(ts);
        }
        (*ts).gilstate_counter += 1;
        if held { 0 } else { 1 }
    }
}

/// Undoes one [`PyGILState_Ensure`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyGILState_Release(oldstate: c_int) {
    let ts = GILSTATE.get();
    if ts.is_null() {
        fatal("auto-releasing thread-state, but no thread-state for this thread");
    }
    // SAFETY: attached to this thread.
    unsafe {
        if ts != current_tstate() {
            fatal("thread state must be current when releasing");
        }
        (*ts).gilstate_counter -= 1;
        if (*ts).gilstate_counter == 0 {
            // Clearing may run code that uses PyGILState itself.
            (*ts).gilstate_counter += 1;
            PyThreadState_Clear(ts);
            (*ts).gilstate_counter -= 1;
            PyThreadState_DeleteCurrent();
        } else if oldstate == 1 {
            detach(ts);
        }
    }
}

// ---- tracing switches

/// Suspends tracing and profiling of a thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_EnterTracing(ts: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe { (*ts).tracing += 1 }
}

/// Resumes tracing and profiling of a thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_LeaveTracing(ts: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe { (*ts).tracing -= 1 }
}

// ---- recursion

#[cold]
fn find_stack_limit() -> usize {
    let marker = 0u8;
    let sp = &raw const marker as usize;
    // SAFETY: plain queries about this thread.
    unsafe {
        let limit = if is_main_thread() || MAIN_THREAD.load(Relaxed) == 0 {
            let mut rl: libc::rlimit = core::mem::zeroed();
            let mut size = 8 << 20;
            if libc::getrlimit(libc::RLIMIT_STACK, &mut rl) == 0 {
                size = if rl.rlim_cur == libc::RLIM_INFINITY { 64 << 20 } else { (rl.rlim_cur as usize).min(1 << 30) };
            }
            // The end of the stack is above the arguments and the environment, which count too.
            let mut top = sp;
            let mut e = environ;
            while !e.is_null() && !(*e).is_null() {
                top = top.max(*e as usize + libc::strlen(*e));
                e = e.add(1);
            }
            if top > sp + size {
                top = sp;
            }
            top.saturating_sub(size)
        } else {
            let mut attr: libc::pthread_attr_t = core::mem::zeroed();
            let mut base = null_mut();
            let mut size = 0;
            if libc::pthread_getattr_np(libc::pthread_self(), &mut attr) == 0 {
                libc::pthread_attr_getstack(&attr, &mut base, &mut size);
                libc::pthread_attr_destroy(&mut attr);
                base as usize
            } else {
                sp.saturating_sub(256 * 1024)
            }
        };
        STACK_LIMIT.set(limit.max(1));
        limit
    }
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Whether less native stack is left than a further level of calls may need.
#[inline]
pub fn stack_is_low(margin: usize) -> bool {
    let marker = 0u8;
    let sp = &raw const marker as usize;
    let mut limit = STACK_LIMIT.get();
    if limit == 0 {
        limit = find_stack_limit();
    }
    sp < limit + margin
}

/// Whether native calls nest nearly as deep as they may: what frees containers then puts them aside.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ReachedRecursionLimit(ts: *mut PyThreadState) -> c_int {
    // SAFETY: [ARGS]
    let deep = unsafe { (*ts).c_recursion_remaining } <= UNCHECKED_C_RECURSION - Py_C_RECURSION_LIMIT + 50;
    (deep || stack_is_low(2 * STACK_MARGIN)) as c_int
}

/// How much native stack is left before RecursionError.
pub fn stack_left() -> usize {
    let marker = 0u8;
    let sp = &raw const marker as usize;
    let mut limit = STACK_LIMIT.get();
    if limit == 0 {
        limit = find_stack_limit();
    }
    sp.saturating_sub(limit + STACK_MARGIN)
}

/// Decides about a native call once the unchecked levels are used up: RecursionError (-1) when the stack is nearly full or
/// the calls nest deeper than `Py_C_RECURSION_LIMIT`. Does not touch the counter, whoever decremented it restores it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CheckRecursiveCall(ts: *mut PyThreadState, where_: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let deep = (*ts).c_recursion_remaining < UNCHECKED_C_RECURSION - Py_C_RECURSION_LIMIT;
        if (*ts).recursion_headroom > 0 {
            if stack_is_low(STACK_MARGIN - STACK_HEADROOM) {
                fatal("Cannot recover from stack overflow.");
            }
            return 0;
        }
        if deep || stack_is_low(STACK_MARGIN) {
            (*ts).recursion_headroom += 1;
            let _ = raise!(PyExc_RecursionError, "maximum recursion depth exceeded{}", c_text(where_));
            (*ts).recursion_headroom -= 1;
            return -1;
        }
        0
    }
}

/// Enters a level of native recursion; RecursionError (-1) when it is too deep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_EnterRecursiveCall(where_: *const c_char) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        let ts = current_tstate();
        (*ts).c_recursion_remaining -= 1;
        if (*ts).c_recursion_remaining < 0 && _Py_CheckRecursiveCall(ts, where_) != 0 {
            (*ts).c_recursion_remaining += 1;
            return -1;
        }
        0
    }
}

/// The same under its internal name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_EnterRecursiveCall(where_: *const c_char) -> c_int {
    // SAFETY: [GIL]
    unsafe { Py_EnterRecursiveCall(where_) }
}

/// Leaves a level of native recursion.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_LeaveRecursiveCall() {
    // SAFETY: [GIL]
    unsafe { (*current_tstate()).c_recursion_remaining += 1 }
}

/// `sys.getrecursionlimit()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetRecursionLimit() -> c_int {
    interp().recursion_limit
}

/// `sys.setrecursionlimit()`, for all threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_SetRecursionLimit(new_limit: c_int) {
    let ip = interp();
    ip.recursion_limit = new_limit;
    let _ = for_each_thread(|t| {
        // SAFETY: [GIL]
        unsafe {
            let depth = (*t).py_recursion_limit - (*t).py_recursion_remaining;
            (*t).py_recursion_limit = new_limit;
            (*t).py_recursion_remaining = new_limit - depth;
        }
        Ok(())
    });
}

// ---- modules of single-phase extensions

/// The module made from `def`, borrowed; NULL without exception if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyState_FindModule(def: *mut PyModuleDef) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !(*def).m_slots.is_null() {
            return null_mut();
        }
        let index = (*def).m_base.m_index;
        let list = interp().modules_by_index;
        if index == 0 || list.is_null() || index >= PyList_GET_SIZE(list) {
            return null_mut();
        }
        let m = PyList_GET_ITEM(list, index);
        if m == Py_None() { null_mut() } else { m }
    }
}

/// Notes `module` as the one made from `def`.
///
/// # Safety
/// Both are live.
pub unsafe fn modules_by_index_set(def: *mut PyModuleDef, module: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { set_module_at((*def).m_base.m_index, module) }
}

/// Notes `module` as the one made from the definition numbered `index`.
///
/// # Safety
/// The module is live.
pub unsafe fn set_module_at(index: Py_ssize_t, module: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let ip = interp();
        if ip.modules_by_index.is_null() {
            ip.modules_by_index = own(PyList_New(0))?.into_raw();
        }
        while PyList_GET_SIZE(ip.modules_by_index) <= index {
            check_status(PyList_Append(ip.modules_by_index, Py_None()))?;
        }
        Py_INCREF(module);
        check_status(PyList_SetItem(ip.modules_by_index, index, module))
    }
}

/// Notes `module` as the one made from `def`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyState_AddModule(_ts: *mut PyThreadState, module: *mut PyObject, def: *mut PyModuleDef) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if def.is_null() {
            return -1;
        }
        if !(*def).m_slots.is_null() {
            let _ = raise!(PyExc_SystemError, "PyState_AddModule called on module with slots");
            return -1;
        }
        modules_by_index_set(def, module).into_c()
    }
}

/// As [`_PyState_AddModule`]; a fatal error if there is one already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyState_AddModule(module: *mut PyObject, def: *mut PyModuleDef) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if def.is_null() {
            fatal("PyState_AddModule: module definition is NULL");
        }
        let index = (*def).m_base.m_index;
        let list = interp().modules_by_index;
        if !list.is_null() && index < PyList_GET_SIZE(list) && PyList_GET_ITEM(list, index) == module {
            fatal("PyState_AddModule: module already added");
        }
        _PyState_AddModule(current_tstate(), module, def)
    }
}

/// Forgets the module made from `def`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyState_RemoveModule(def: *mut PyModuleDef) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if !(*def).m_slots.is_null() {
            let _ = raise!(PyExc_SystemError, "PyState_RemoveModule called on module with slots");
            return -1;
        }
        let index = (*def).m_base.m_index;
        let list = interp().modules_by_index;
        if index == 0 {
            fatal("PyState_RemoveModule: module index invalid");
        }
        if list.is_null() || index >= PyList_GET_SIZE(list) {
            fatal("PyState_RemoveModule: interpreters module-list not accessible");
        }
        Py_INCREF(Py_None());
        PyList_SetItem(list, index, Py_None())
    }
}

/// Kept with the interpreter: nothing to free for the main one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_RequiresIDRef(interp: *mut PyInterpreterState) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(interp)).requires_idref as c_int }
}

/// Whether the interpreter ends with the last reference to its number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInterpreterState_RequireIDRef(interp: *mut PyInterpreterState, required: c_int) {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(interp)).requires_idref = required != 0 }
}


/// `builtins.__dict__` of an interpreter, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInterpreterState_GetBuiltins(interp: *mut PyInterpreterState) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { (*as_interp(interp)).builtins }
}
