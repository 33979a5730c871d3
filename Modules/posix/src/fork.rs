//! `os.fork` and what happens around it.

use crate::support::*;
use core::ffi::{c_int, c_ulong};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::methods;

unsafe extern "C" {
    fn _PyImport_AcquireLock(interp: *mut PyInterpreterState);
    fn _PyImport_ReleaseLock(interp: *mut PyInterpreterState);
    /// python: thread; restores the runtime's locks in the child and drops the thread states of other threads.
    fn _PyRuntimeState_ReInitThreads();
}

/// Functions to call, in a list of each interpreter; NULL until there is one.
struct Hooks(PerInterpreter);

static BEFORE: Hooks = Hooks(PerInterpreter::new());
static AFTER_IN_CHILD: Hooks = Hooks(PerInterpreter::new());
static AFTER_IN_PARENT: Hooks = Hooks(PerInterpreter::new());

impl Hooks {
    fn add(&self, func: Option<Borrowed<'_>>) -> PyResult<()> {
        let Some(func) = func else { return Ok(()) };
        // SAFETY: [GIL]
        unsafe {
            if self.0.get().is_null() {
                self.0.set(Some(own(PyList_New(0))?));
            }
            check_status(PyList_Append(self.0.get(), func.ob()))
        }
    }

    /// Calls all; what they raise is reported. They may register more.
    fn run(&self, reverse: bool) {
        let all = self.0.get();
        if all.is_null() {
            return;
        }
        // SAFETY: [GIL] the copy keeps the functions alive.
        unsafe {
            let Ok(copy) = own(PyList_GetSlice(all, 0, PyList_Size(all))) else {
                PyErr_WriteUnraisable(all);
                return;
            };
            let n = PyList_Size(copy.as_ptr());
            for i in 0..n {
                let f = PyList_GetItem(copy.as_ptr(), if reverse { n - 1 - i } else { i });
                if call(f, &[]).is_err() {
                    PyErr_WriteUnraisable(f);
                }
            }
        }
    }
}

/// Called before a fork: runs the hooks and takes the locks that the child needs in a known state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_BeforeFork() {
    BEFORE.run(true);
    // SAFETY: [GIL]
    unsafe { _PyImport_AcquireLock((*current_tstate()).interp) }
}

/// Called in the parent after a fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_AfterFork_Parent() {
    // SAFETY: [GIL]
    unsafe { _PyImport_ReleaseLock((*current_tstate()).interp) }
    AFTER_IN_PARENT.run(false);
}

/// Called in the child after a fork: only this thread has survived.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_AfterFork_Child() {
    // SAFETY: [GIL] the child has one thread, which holds all locks it needs.
    unsafe {
        crate::thread::after_fork();
        _PyRuntimeState_ReInitThreads();
        _PyImport_ReleaseLock((*current_tstate()).interp);
    }
    AFTER_IN_CHILD.run(false);
}

/// Old name of [`PyOS_AfterFork_Child`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_AfterFork() {
    // SAFETY: as the callee.
    unsafe { PyOS_AfterFork_Child() }
}

/// How many threads the process has, as the kernel counts them; 0 if unknown.
fn count_threads() -> i64 {
    let Ok(stat) = std::fs::read("/proc/self/stat") else { return 0 };
    // The command's name may hold spaces: the fields after it are counted from its closing parenthesis.
    let Some(at) = stat.iter().rposition(|&b| b == b')') else { return 0 };
    let mut fields = stat[at + 1..].split(|&b| b == b' ').filter(|f| !f.is_empty());
    fields.nth(17).and_then(|f| core::str::from_utf8(f).ok()?.parse().ok()).unwrap_or(0)
}

/// A child of a process with several threads may deadlock.
pub fn warn_about_fork_with_threads(name: &str) {
    let mut n = count_threads();
    if n <= 0 {
        n = crate::thread::known_threads();
    }
    if n > 1 {
        // SAFETY: plain system call.
        let pid = unsafe { libc::getpid() };
        let text = format!(
            "This process (pid={pid}) is multi-threaded, use of {name}() may lead to deadlocks in the child."
        );
        // SAFETY: [GIL]
        if let Err(e) = warn(unsafe { PyExc_DeprecationWarning }, &text, 1) {
            let _ = e;
            // SAFETY: [EXC]
            unsafe { PyErr_WriteUnraisable(null_mut()) };
        }
    }
}

/// PythonFinalizationError with a text.
pub fn finalizing_error(text: &str) -> Raised {
    // SAFETY: [GIL] exception classes are immortal.
    unsafe { taipan_abi::error::raise_str(PyExc_PythonFinalizationError, text) }
}

/// `Py_RTFLAGS_FORK`.
const RTFLAGS_FORK: c_ulong = 1 << 15;
/// `Py_RTFLAGS_EXEC`.
const RTFLAGS_EXEC: c_ulong = 1 << 16;

fn has_feature(feature: c_ulong) -> bool {
    // SAFETY: [GIL]
    unsafe { _PyInterpreterState_HasFeature((*current_tstate()).interp, feature) != 0 }
}

/// Refuses to become another program where the interpreter may not.
pub fn check_exec_allowed() -> PyResult<()> {
    if !has_feature(RTFLAGS_EXEC) {
        bail!(PyExc_RuntimeError, "exec not supported for isolated subinterpreters");
    }
    Ok(())
}

/// Whether the running interpreter is the main one.
pub fn in_main_interpreter() -> bool {
    // SAFETY: [GIL]
    unsafe { (*current_tstate()).interp == PyInterpreterState_Main() }
}

/// Refuses to fork while the interpreter ends.
pub fn check_not_finalizing() -> PyResult<()> {
    // SAFETY: [GIL]
    if unsafe { _PyInterpreterState_IsFinalizing((*current_tstate()).interp) } != 0 {
        return Err(finalizing_error("can't fork at interpreter shutdown"));
    }
    Ok(())
}

unsafe extern "C" {
    fn _PyInterpreterState_IsFinalizing(interp: *mut PyInterpreterState) -> c_int;
    fn _PyInterpreterState_HasFeature(interp: *mut PyInterpreterState, feature: c_ulong) -> c_int;
    fn PyInterpreterState_Main() -> *mut PyInterpreterState;
    static PyExc_PythonFinalizationError: *mut PyObject;
}

/// Forks by `f` with all hooks.
fn forking(name: &str, f: impl FnOnce() -> libc::pid_t) -> PyResult<libc::pid_t> {
    // SAFETY: [GIL]
    unsafe {
        PyOS_BeforeFork();
        let pid = f();
        let saved = errno();
        if pid == 0 {
            PyOS_AfterFork_Child();
        } else {
            PyOS_AfterFork_Parent();
            warn_about_fork_with_threads(name);
        }
        if pid == -1 {
            return Err(posix_error_from(saved));
        }
        Ok(pid)
    }
}

fn os_fork(_: ()) -> PyResult<i32> {
    check_not_finalizing()?;
    if !has_feature(RTFLAGS_FORK) {
        bail!(PyExc_RuntimeError, "fork not supported for isolated subinterpreters");
    }
    audit_ints(c"os.fork", [])?;
    // SAFETY: the child continues with one thread.
    forking("fork", || unsafe { libc::fork() })
}

fn os_forkpty(_: ()) -> PyResult<Owned> {
    check_not_finalizing()?;
    if !in_main_interpreter() {
        bail!(PyExc_RuntimeError, "fork not supported for subinterpreters");
    }
    audit_ints(c"os.forkpty", [])?;
    let mut master = -1;
    // SAFETY: as above; the rest is optional.
    let pid = forking("forkpty", || unsafe { libc::forkpty(&mut master, null_mut(), core::ptr::null(), core::ptr::null()) })?;
    tuple([int(pid as i64)?, int(master as i64)?])
}

fn callable(f: Option<Borrowed<'_>>, name: &str) -> PyResult<()> {
    // SAFETY: live.
    if f.is_some_and(|f| unsafe { PyCallable_Check(f.ob()) } == 0) {
        // SAFETY: live.
        let got = f.map_or(String::new(), |f| unsafe { type_name(f.ob()).into_owned() });
        bail!(PyExc_TypeError, "'{name}' must be callable, not {got}");
    }
    Ok(())
}

fn os_register_at_fork(
    _: (),
    before: Option<Borrowed<'_>>,
    after_in_child: Option<Borrowed<'_>>,
    after_in_parent: Option<Borrowed<'_>>,
) -> PyResult<()> {
    if before.is_none() && after_in_child.is_none() && after_in_parent.is_none() {
        bail!(PyExc_TypeError, "At least one argument is required.");
    }
    callable(before, "before")?;
    callable(after_in_child, "after_in_child")?;
    callable(after_in_parent, "after_in_parent")?;
    BEFORE.add(before)?;
    AFTER_IN_CHILD.add(after_in_child)?;
    AFTER_IN_PARENT.add(after_in_parent)
}

methods! {
    /// Functions of this file.
    pub static METHODS = [
        "fork($module, /)" => os_fork, "Fork a child process: 0 in the child, its number in the parent.";
        "forkpty($module, /)" => os_forkpty, "Fork a child with a new pseudo-terminal: (pid, master descriptor).";
        "register_at_fork($module, /, *, before=<unrepresentable>, after_in_child=<unrepresentable>, after_in_parent=<unrepresentable>)" => os_register_at_fork,
            "Register functions to call when the process forks.\n\n'before' functions are called in reverse order, the others in the order of\nregistration.";
    ];
}
