//! The module `_posixsubprocess`: starting a program for the module subprocess.

use crate::path::FsBytes;
use crate::support::*;
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::ptr::{null, null_mut};
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::{methods, module};

unsafe extern "C" {
    fn Py_IsFinalizing() -> c_int;
}

const MAX_GROUPS: isize = 65536;

/// C strings and the array of pointers to them, NULL at its end.
struct CharPArray {
    _strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}
impl CharPArray {
    fn new(strings: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = strings.iter().map(|s| s.as_ptr()).collect();
        pointers.push(null());
        CharPArray { _strings: strings, pointers }
    }
}

fn c_string(b: &[u8]) -> PyResult<CString> {
    CString::new(b).map_err(|_| raise!(PyExc_ValueError, "embedded null byte"))
}

/// A sequence of bytes objects.
unsafe fn bytes_array(seq: *mut PyObject) -> PyResult<CharPArray> {
    // SAFETY: live.
    unsafe {
        let n = PySequence_Size(seq);
        if n < 0 {
            return Err(Raised::assume());
        }
        let mut all = crate::support::room(n)?;
        for i in 0..n {
            let item = own(PySequence_GetItem(seq, i))?;
            if PyBytes_Check(item.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "expected bytes, {} found", type_name(item.as_ptr()));
            }
            all.push(c_string(bytes_slice(item.as_ptr()))?);
        }
        Ok(CharPArray::new(all))
    }
}

/// All that the child needs, prepared by the parent: the child must not allocate.
struct Plan {
    exec_array: CharPArray,
    argv: Option<CharPArray>,
    envp: Option<CharPArray>,
    cwd: Option<CString>,
    p2cread: c_int,
    p2cwrite: c_int,
    c2pread: c_int,
    c2pwrite: c_int,
    errread: c_int,
    errwrite: c_int,
    errpipe_read: c_int,
    errpipe_write: c_int,
    close_fds: bool,
    restore_signals: bool,
    call_setsid: bool,
    pgid_to_set: c_int,
    gid: Option<libc::gid_t>,
    extra_groups: Option<Vec<libc::gid_t>>,
    uid: Option<libc::uid_t>,
    child_umask: c_int,
    fds_to_keep: Vec<c_int>,
    preexec_fn: *mut PyObject,
    /// The parent's signal mask if the child shares its memory.
    child_sigmask: Option<libc::sigset_t>,
}

fn set_inheritable_async_safe(fd: c_int, inheritable: bool) -> Result<(), ()> {
    // SAFETY: plain system calls.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFD);
        if flags < 0 {
            return Err(());
        }
        let new = if inheritable { flags & !libc::FD_CLOEXEC } else { flags | libc::FD_CLOEXEC };
        if new != flags && libc::fcntl(fd, libc::F_SETFD, new) < 0 { Err(()) } else { Ok(()) }
    }
}

/// `Err` if a system call failed.
fn ok(r: c_int) -> Result<c_int, ()> {
    if r == -1 { Err(()) } else { Ok(r) }
}

/// In a child that shares memory with its parent no handler may run: they go back to the default.
unsafe fn reset_signal_handlers(mask: &libc::sigset_t) {
    // SAFETY: plain system calls.
    unsafe {
        let mut default: libc::sigaction = core::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        for sig in 1..65 {
            if sig == libc::SIGKILL || sig == libc::SIGSTOP || libc::sigismember(mask, sig) == 1 {
                continue;
            }
            let mut sa: libc::sigaction = core::mem::zeroed();
            if libc::sigaction(sig, null(), &mut sa) == -1 || sa.sa_sigaction == libc::SIG_IGN || sa.sa_sigaction == libc::SIG_DFL {
                continue;
            }
            libc::sigaction(sig, &default, null_mut());
        }
    }
}

/// Closes all descriptors from 3 on but those in `keep`, which is sorted.
unsafe fn close_open_fds(keep: &[c_int]) {
    let mut start = 3;
    // SAFETY: plain system calls.
    unsafe {
        let close = |first: c_int, last: c_int| {
            if first > last {
                return;
            }
            if libc::syscall(libc::SYS_close_range, first as c_uint, last as c_uint, 0) != 0 {
                let max = (libc::sysconf(libc::_SC_OPEN_MAX).clamp(256, 1 << 20) as c_int).min(last);
                for fd in first..=max {
                    libc::close(fd);
                }
            }
        };
        for &fd in keep {
            if fd < start {
                continue;
            }
            close(start, fd - 1);
            start = fd + 1;
        }
        close(start, c_int::MAX);
    }
}

/// What the child does until the program runs: only async-signal-safe calls, unless there is a preexec_fn. Returns on
/// failure, with the text that goes with `errno`.
unsafe fn child_setup(p: &Plan) -> &'static [u8] {
    // SAFETY: plain system calls on prepared data.
    unsafe {
        let mut message: &'static [u8] = b"noexec";
        let result = (|| -> Result<(), ()> {
            for &fd in &p.fds_to_keep {
                if fd != p.errpipe_write {
                    set_inheritable_async_safe(fd, true)?;
                }
            }
            for fd in [p.p2cwrite, p.c2pread, p.errread] {
                if fd != -1 {
                    ok(libc::close(fd))?;
                }
            }
            ok(libc::close(p.errpipe_read))?;
            let (mut c2pwrite, mut errwrite) = (p.c2pwrite, p.errwrite);
            // A standard stream may be overwritten before it is duplicated: move it away first.
            if c2pwrite == 0 {
                c2pwrite = ok(libc::dup(c2pwrite))?;
                set_inheritable_async_safe(c2pwrite, false)?;
            }
            while errwrite == 0 || errwrite == 1 {
                errwrite = ok(libc::dup(errwrite))?;
                set_inheritable_async_safe(errwrite, false)?;
            }
            for (fd, target) in [(p.p2cread, 0), (c2pwrite, 1), (errwrite, 2)] {
                if fd == target {
                    set_inheritable_async_safe(fd, true)?;
                } else if fd != -1 {
                    ok(libc::dup2(fd, target))?;
                }
            }
            if let Some(cwd) = &p.cwd
                && libc::chdir(cwd.as_ptr()) == -1
            {
                message = b"noexec:chdir";
                return Err(());
            }
            if p.child_umask >= 0 {
                libc::umask(p.child_umask as libc::mode_t);
            }
            if p.restore_signals {
                for s in [libc::SIGPIPE, libc::SIGXFSZ] {
                    libc::signal(s, libc::SIG_DFL);
                }
            }
            if let Some(mask) = &p.child_sigmask {
                reset_signal_handlers(mask);
                let e = libc::pthread_sigmask(libc::SIG_SETMASK, mask, null_mut());
                if e != 0 {
                    set_errno(e);
                    return Err(());
                }
            }
            if p.call_setsid {
                ok(libc::setsid())?;
            }
            if p.pgid_to_set >= 0 {
                ok(libc::setpgid(0, p.pgid_to_set))?;
            }
            if let Some(g) = &p.extra_groups {
                ok(libc::setgroups(g.len(), if g.is_empty() { null() } else { g.as_ptr() }))?;
            }
            if let Some(gid) = p.gid {
                ok(libc::setregid(gid, gid))?;
            }
            if let Some(uid) = p.uid {
                ok(libc::setreuid(uid, uid))?;
            }
            Ok(())
        })();
        if result.is_err() {
            return message;
        }
        if !p.preexec_fn.is_null() {
            match call(p.preexec_fn, &[]) {
                // The process is about to be replaced: nothing is released.
                Ok(r) => core::mem::forget(r),
                Err(_) => {
                    set_errno(0);
                    return b"Exception occurred in preexec_fn.";
                }
            }
        }
        if p.close_fds {
            close_open_fds(&p.fds_to_keep);
        }
        let argv = p.argv.as_ref().map_or(null(), |a| a.pointers.as_ptr());
        let mut first_error = 0;
        for &program in &p.exec_array.pointers {
            if program.is_null() {
                break;
            }
            match &p.envp {
                Some(e) => libc::execve(program, argv, e.pointers.as_ptr()),
                None => libc::execv(program, argv),
            };
            if errno() != libc::ENOENT && errno() != libc::ENOTDIR && first_error == 0 {
                first_error = errno();
            }
        }
        if first_error != 0 {
            set_errno(first_error);
        }
        b""
    }
}

/// The child: on failure tells the parent why, and ends.
unsafe fn child_exec(p: &Plan) -> ! {
    // SAFETY: plain system calls.
    unsafe {
        let message = child_setup(p);
        let mut number = errno();
        let write = |b: &[u8]| {
            while libc::write(p.errpipe_write, b.as_ptr().cast(), b.len()) < 0 && errno() == libc::EINTR {}
        };
        if number != 0 {
            write(b"OSError:");
            let mut hex = [0u8; 8];
            let mut at = hex.len();
            while number != 0 && at > 0 {
                at -= 1;
                hex[at] = b"0123456789abcdef"[(number % 16) as usize];
                number /= 16;
            }
            write(&hex[at..]);
            write(b":");
        } else {
            write(b"SubprocessError:0:");
        }
        write(message);
        libc::_exit(255)
    }
}

extern "C" fn child_entry(arg: *mut c_void) -> c_int {
    // SAFETY: the parent sleeps until the program runs, so the plan lives.
    unsafe { child_exec(&*arg.cast::<Plan>()) }
}

/// Starts the child on a stack of its own in the parent's memory, while the parent sleeps (as vfork does); -1 on failure.
unsafe fn share_memory_fork(p: &Plan) -> libc::pid_t {
    const STACK: usize = 256 * 1024;
    // SAFETY: the mapping is the child's stack until it is gone from this memory.
    unsafe {
        let stack = libc::mmap(null_mut(), STACK, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK, -1, 0);
        if stack == libc::MAP_FAILED {
            return -1;
        }
        let pid = libc::clone(
            child_entry,
            stack.cast::<u8>().add(STACK).cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            (&raw const *p).cast_mut().cast(),
        );
        let e = errno();
        libc::munmap(stack, STACK);
        set_errno(e);
        pid
    }
}

fn do_fork_exec(p: &mut Plan, share_memory: bool) -> (libc::pid_t, c_int) {
    // SAFETY: see the callees.
    unsafe {
        if share_memory {
            let mut all: libc::sigset_t = core::mem::zeroed();
            let mut old: libc::sigset_t = core::mem::zeroed();
            libc::sigfillset(&mut all);
            let e = libc::pthread_sigmask(libc::SIG_BLOCK, &all, &mut old);
            if e != 0 {
                return (-1, e);
            }
            p.child_sigmask = Some(old);
            let mut pid = allow_threads(|| share_memory_fork(p));
            let mut e = errno();
            if pid == -1 {
                pid = libc::fork();
                e = errno();
                if pid == 0 {
                    child_exec(p);
                }
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &old, null_mut());
            return (pid, e);
        }
        let pid = libc::fork();
        let e = errno();
        if pid == 0 {
            if !p.preexec_fn.is_null() {
                crate::fork::PyOS_AfterFork_Child();
            }
            child_exec(p);
        }
        (pid, e)
    }
}

/// Descriptors in rising order.
unsafe fn fds_to_keep(t: *mut PyObject) -> PyResult<Vec<c_int>> {
    // SAFETY: [TYPE] a tuple.
    unsafe {
        let mut all: Vec<c_int> = Vec::new();
        for i in 0..PyTuple_Size(t) {
            let o = PyTuple_GetItem(t, i);
            let fd = if PyLong_Check(o) != 0 { PyLong_AsLong(o) } else { -1 };
            if fd < 0 || fd > c_int::MAX as i64 || all.last().is_some_and(|&l| fd <= l as i64) {
                PyErr_Clear();
                bail!(PyExc_ValueError, "bad value(s) in fds_to_keep");
            }
            all.push(fd as c_int);
        }
        Ok(all)
    }
}

unsafe fn groups(o: *mut PyObject) -> PyResult<Option<Vec<libc::gid_t>>> {
    // SAFETY: live.
    unsafe {
        if o == Py_None() {
            return Ok(None);
        }
        if PyList_Check(o) == 0 {
            bail!(PyExc_TypeError, "setgroups argument must be a list");
        }
        let n = PySequence_Size(o);
        if n > MAX_GROUPS {
            bail!(PyExc_ValueError, "too many extra_groups");
        }
        let mut all = crate::support::room(n.max(0))?;
        for i in 0..n {
            let item = own(PySequence_GetItem(o, i))?;
            if PyLong_Check(item.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "extra_groups must be integers");
            }
            match id_from_object(item.as_ptr(), "gid") {
                Ok(g) => all.push(g),
                Err(e) => {
                    e.clear();
                    bail!(PyExc_ValueError, "invalid group id");
                }
            }
        }
        Ok(Some(all))
    }
}

/// A uid or gid, `None` for Python's `None` and for -1.
unsafe fn optional_id(o: *mut PyObject, what: &str) -> PyResult<Option<u32>> {
    // SAFETY: live.
    unsafe {
        if o == Py_None() {
            return Ok(None);
        }
        Ok(Some(id_from_object(o, what)?).filter(|&id| id != u32::MAX))
    }
}

unsafe fn fork_exec_impl(a: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: live arguments, as many as the signature says.
    unsafe {
        let &[
            args, executable_list, close_fds, pass_fds, cwd, env, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite,
            errpipe_read, errpipe_write, restore_signals, call_setsid, pgid_to_set, gid, extra_groups, uid, child_umask,
            preexec_fn, allow_vfork,
        ] = a
        else {
            bail!(PyExc_TypeError, "fork_exec expected 23 arguments, got {}", a.len());
        };
        let close_fds = truth(close_fds)?;
        if PyTuple_Check(pass_fds) == 0 {
            bail!(PyExc_TypeError, "fork_exec() argument 4 must be tuple, not {}", type_name(pass_fds));
        }
        let streams = [p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, errpipe_read, errpipe_write];
        let mut fds = [0; 8];
        for (fd, o) in fds.iter_mut().zip(streams) {
            *fd = as_int(o)?;
        }
        let restore_signals = truth(restore_signals)?;
        let call_setsid = truth(call_setsid)?;
        let pgid_to_set = as_int(pgid_to_set)?;
        let child_umask = as_int(child_umask)?;
        let allow_vfork = truth(allow_vfork)?;
        let has_preexec = preexec_fn != Py_None();
        if has_preexec && Py_IsFinalizing() != 0 {
            return Err(crate::fork::finalizing_error("preexec_fn not supported at interpreter shutdown"));
        }
        if has_preexec && !crate::fork::in_main_interpreter() {
            bail!(PyExc_RuntimeError, "preexec_fn not supported within subinterpreters");
        }
        if close_fds && fds[7] < 3 {
            bail!(PyExc_ValueError, "errpipe_write must be >= 3");
        }
        let keep = fds_to_keep(pass_fds)?;
        let exec_array = bytes_array(executable_list)?;
        let argv = if args != Py_None() {
            let fast = own(PySequence_Fast(args, c"argv must be a tuple".as_ptr()))?;
            let n = PySequence_Size(fast.as_ptr());
            let mut all = crate::support::room(n.max(0))?;
            for i in 0..n {
                if PySequence_Size(fast.as_ptr()) != n {
                    bail!(PyExc_RuntimeError, "args changed during iteration");
                }
                let item = own(PySequence_GetItem(fast.as_ptr(), i))?;
                all.push(c_string(FsBytes::convert(item.as_ptr())?.as_bytes())?);
            }
            Some(CharPArray::new(all))
        } else {
            None
        };
        let envp = if env != Py_None() { Some(bytes_array(env)?) } else { None };
        let cwd = if cwd != Py_None() { Some(c_string(FsBytes::convert(cwd)?.as_bytes())?) } else { None };
        let extra_groups = groups(extra_groups)?;
        let gid = optional_id(gid, "gid")?;
        let uid = optional_id(uid, "uid")?;
        let mut plan = Plan {
            exec_array,
            argv,
            envp,
            cwd,
            p2cread: fds[0],
            p2cwrite: fds[1],
            c2pread: fds[2],
            c2pwrite: fds[3],
            errread: fds[4],
            errwrite: fds[5],
            errpipe_read: fds[6],
            errpipe_write: fds[7],
            close_fds,
            restore_signals,
            call_setsid,
            pgid_to_set,
            gid,
            extra_groups,
            uid,
            child_umask,
            fds_to_keep: keep,
            preexec_fn: if has_preexec { preexec_fn } else { null_mut() },
            child_sigmask: None,
        };
        let share = !has_preexec && allow_vfork && uid.is_none() && gid.is_none() && plan.extra_groups.is_none();
        // A collection in the child could run code that waits for threads that aren't there.
        let gc_was_on = has_preexec && PyGC_Disable() != 0;
        if has_preexec {
            crate::fork::PyOS_BeforeFork();
        }
        let (pid, e) = do_fork_exec(&mut plan, share);
        if has_preexec {
            crate::fork::PyOS_AfterFork_Parent();
        }
        if gc_was_on {
            PyGC_Enable();
        }
        if pid == -1 {
            return Err(posix_error_from(e));
        }
        int(pid as i64)
    }
}

unsafe extern "C" fn fork_exec(_module: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS] METH_FASTCALL.
    unsafe {
        let all: &[*mut PyObject] = if nargs == 0 { &[] } else { core::slice::from_raw_parts(args, nargs as usize) };
        fork_exec_impl(all).into_c()
    }
}

methods! {
    static METHODS = [
        raw "fork_exec", PyMethodDefPointer { PyCFunctionFast: fork_exec }, METH_FASTCALL,
            "fork_exec($module, args, executable_list, close_fds, pass_fds, cwd,\n          env, p2cread, p2cwrite, c2pread, c2pwrite, errread,\n          errwrite, errpipe_read, errpipe_write, restore_signals,\n          call_setsid, pgid_to_set, gid, extra_groups, uid,\n          child_umask, preexec_fn, allow_vfork, /)\n--\n\nRun a program in a new process, with its streams and descriptors arranged.\n\nWhat goes wrong in the child is written to errpipe_write for the module\nsubprocess. Returns the number of the process.";
    ];
}

fn exec(_module: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}

module! {
    /// Entry point of `_posixsubprocess`.
    pub fn PyInit__posixsubprocess = "_posixsubprocess", "Starts programs for the module subprocess.", methods: METHODS, exec: exec;
}
