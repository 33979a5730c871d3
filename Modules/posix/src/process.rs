//! Processes: executing programs, waiting, signals, scheduling.

use crate::path::*;
use crate::support::*;
use core::ffi::{CStr, c_char, c_int, c_ulong};
use core::ptr::null_mut;
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::methods;

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

// ---- argument vectors

/// Strings for C with the array of pointers to them, NULL at its end.
pub struct StringArray {
    _strings: Vec<CString>,
    pointers: Vec<*mut c_char>,
}
impl StringArray {
    fn new(strings: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = strings.iter().map(|s| s.as_ptr().cast_mut()).collect();
        pointers.push(null_mut());
        StringArray { _strings: strings, pointers }
    }
    /// The array.
    pub fn as_ptr(&self) -> *const *mut c_char {
        self.pointers.as_ptr()
    }
}

fn c_string(b: &[u8]) -> PyResult<CString> {
    CString::new(b).map_err(|_| raise!(PyExc_ValueError, "embedded null byte"))
}

/// Arguments of a program; the messages start with `fname`.
unsafe fn parse_arglist(argv: *mut PyObject, wrong: &str, empty: &str, first: &str) -> PyResult<StringArray> {
    // SAFETY: [ARGS]
    unsafe {
        if PyList_Check(argv) == 0 && PyTuple_Check(argv) == 0 {
            bail!(PyExc_TypeError, "{wrong}");
        }
        let n = PySequence_Size(argv);
        if n < 1 {
            bail!(PyExc_ValueError, "{empty}");
        }
        let mut all = crate::support::room(n)?;
        for i in 0..n {
            let item = own(PySequence_GetItem(argv, i))?;
            all.push(c_string(FsBytes::convert(item.as_ptr())?.as_bytes())?);
        }
        if all[0].is_empty() {
            bail!(PyExc_ValueError, "{first}");
        }
        Ok(StringArray::new(all))
    }
}

/// Environment of a program from a mapping.
unsafe fn parse_envlist(env: *mut PyObject) -> PyResult<StringArray> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyMapping_Size(env);
        if n < 0 {
            return Err(Raised::assume());
        }
        let keys = own(PyMapping_Keys(env))?;
        let values = own(PyMapping_Values(env))?;
        if PyList_Check(keys.as_ptr()) == 0 || PyList_Check(values.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "env.keys() or env.values() is not a list");
        }
        let mut all = crate::support::room(n)?;
        for i in 0..n {
            let key = Borrowed::from_ptr_or_err(PyList_GetItem(keys.as_ptr(), i))?.to_owned();
            let value = Borrowed::from_ptr_or_err(PyList_GetItem(values.as_ptr(), i))?.to_owned();
            let (key, value) = (FsBytes::convert(key.as_ptr())?, FsBytes::convert(value.as_ptr())?);
            let k = key.as_bytes();
            if k.is_empty() || k[1..].contains(&b'=') {
                bail!(PyExc_ValueError, "illegal environment variable name");
            }
            all.push(c_string(&[k, b"=", value.as_bytes()].concat())?);
        }
        Ok(StringArray::new(all))
    }
}

fn os_execv(_: (), path: Path, argv: Borrowed<'_>) -> PyResult<()> {
    crate::fork::check_exec_allowed()?;
    // SAFETY: live; only returns on failure.
    unsafe {
        let args = parse_arglist(
            argv.ob(),
            "execv() arg 2 must be a tuple or list",
            "execv() arg 2 must not be empty",
            "execv() arg 2 first element cannot be empty",
        )?;
        audit(c"os.exec", &[path.ob(), argv.ob(), Py_None()])?;
        libc::execv(path.as_ptr(), args.as_ptr().cast());
        Err(posix_error())
    }
}

fn os_execve(_: (), path: Path<ALLOW_FD>, argv: Borrowed<'_>, env: Borrowed<'_>) -> PyResult<()> {
    crate::fork::check_exec_allowed()?;
    // SAFETY: live; only returns on failure.
    unsafe {
        if PyList_Check(argv.ob()) == 0 && PyTuple_Check(argv.ob()) == 0 {
            bail!(PyExc_TypeError, "execve: argv must be a tuple or list");
        }
        if PySequence_Size(argv.ob()) < 1 {
            bail!(PyExc_ValueError, "execve: argv must not be empty");
        }
        if PyMapping_Check(env.ob()) == 0 {
            bail!(PyExc_TypeError, "execve: environment must be a mapping object");
        }
        let args = parse_arglist(argv.ob(), "", "", "execve: argv first element cannot be empty")?;
        let envs = parse_envlist(env.ob())?;
        audit(c"os.exec", &[path.ob(), argv.ob(), env.ob()])?;
        if path.fd > -1 {
            libc::fexecve(path.fd, args.as_ptr().cast(), envs.as_ptr().cast());
        } else {
            libc::execve(path.as_ptr(), args.as_ptr().cast(), envs.as_ptr().cast());
        }
        Err(path.error())
    }
}

// ---- posix_spawn

const POSIX_SPAWN_OPEN: i64 = 0;
const POSIX_SPAWN_CLOSE: i64 = 1;
const POSIX_SPAWN_DUP2: i64 = 2;
const POSIX_SPAWN_CLOSEFROM: i64 = 3;

/// The system's list of file actions, destroyed on drop.
struct FileActions(Box<libc::posix_spawn_file_actions_t>);
impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: initialised.
        unsafe { libc::posix_spawn_file_actions_destroy(&mut *self.0) };
    }
}
/// The system's attributes of a spawn, destroyed on drop.
struct Attributes(Box<libc::posix_spawnattr_t>);
impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised.
        unsafe { libc::posix_spawnattr_destroy(&mut *self.0) };
    }
}

/// An error number as a result.
fn check_number(e: c_int) -> PyResult<()> {
    if e != 0 { Err(posix_error_from(e)) } else { Ok(()) }
}

unsafe fn parse_file_actions(file_actions: *mut PyObject, keep: &mut Vec<CString>) -> PyResult<FileActions> {
    // SAFETY: [ARGS]
    unsafe {
        let seq = own(PySequence_Fast(file_actions, c"file_actions must be a sequence or None".as_ptr()))?;
        let mut actions = FileActions(Box::new(core::mem::zeroed()));
        check_number(libc::posix_spawn_file_actions_init(&mut *actions.0))?;
        let fa: *mut libc::posix_spawn_file_actions_t = &mut *actions.0;
        for i in 0..PySequence_Size(seq.as_ptr()) {
            let action = own(PySequence_GetItem(seq.as_ptr(), i))?;
            let a = action.as_ptr();
            if PyTuple_Check(a) == 0 || PyTuple_Size(a) == 0 {
                bail!(PyExc_TypeError, "Each file_actions element must be a non-empty tuple");
            }
            let tag = as_long(PyTuple_GetItem(a, 0))?;
            let expect = |n: isize, what: &str| -> PyResult<()> {
                if PyTuple_Size(a) != n {
                    bail!(PyExc_TypeError, "A {what} file_action tuple must have {n} elements");
                }
                Ok(())
            };
            let arg = |i: isize| as_int(PyTuple_GetItem(a, i));
            match tag {
                POSIX_SPAWN_OPEN => {
                    expect(5, "open")?;
                    let fd = arg(1)?;
                    let path = c_string(FsBytes::convert(PyTuple_GetItem(a, 2))?.as_bytes())?;
                    let oflag = arg(3)?;
                    let mode = PyLong_AsUnsignedLongMask(PyTuple_GetItem(a, 4));
                    if mode == c_ulong::MAX && err_occurred() {
                        return Err(Raised::assume());
                    }
                    check_number(libc::posix_spawn_file_actions_addopen(fa, fd, path.as_ptr(), oflag, mode as libc::mode_t))?;
                    keep.push(path);
                }
                POSIX_SPAWN_CLOSE => {
                    expect(2, "close")?;
                    check_number(libc::posix_spawn_file_actions_addclose(fa, arg(1)?))?;
                }
                POSIX_SPAWN_DUP2 => {
                    expect(3, "dup2")?;
                    check_number(libc::posix_spawn_file_actions_adddup2(fa, arg(1)?, arg(2)?))?;
                }
                POSIX_SPAWN_CLOSEFROM => {
                    expect(2, "closefrom")?;
                    check_number(libc::posix_spawn_file_actions_addclosefrom_np(fa, arg(1)?))?;
                }
                _ => bail!(PyExc_TypeError, "Unknown file_actions identifier"),
            }
        }
        Ok(actions)
    }
}

/// The set of signals in an iterable.
///
/// # Safety
/// `obj` is live.
pub unsafe fn sigset(obj: *mut PyObject) -> PyResult<libc::sigset_t> {
    // SAFETY: [ARGS]
    unsafe {
        let mut set: libc::sigset_t = core::mem::zeroed();
        libc::sigemptyset(&mut set);
        let it = own(PyObject_GetIter(obj))?;
        while let Some(item) = Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
            let mut overflow = 0;
            let signum = PyLong_AsLongAndOverflow(item.as_ptr(), &mut overflow);
            if signum == -1 && overflow == 0 && err_occurred() {
                return Err(Raised::assume());
            }
            if overflow != 0 || signum <= 0 || signum >= 65 {
                bail!(PyExc_ValueError, "signal number {} out of range [1; 64]", if overflow != 0 { -1 } else { signum });
            }
            if libc::sigaddset(&mut set, signum as c_int) != 0 && errno() != libc::EINVAL {
                return Err(posix_error());
            }
        }
        if err_occurred() { Err(Raised::assume()) } else { Ok(set) }
    }
}

/// The optional arguments of posix_spawn.
struct SpawnOptions<'a> {
    setpgroup: Option<Borrowed<'a>>,
    resetids: bool,
    setsid: bool,
    setsigmask: Option<Borrowed<'a>>,
    setsigdef: Option<Borrowed<'a>>,
    scheduler: Option<Borrowed<'a>>,
}

unsafe fn parse_spawn_flags(o: &SpawnOptions<'_>) -> PyResult<Attributes> {
    // SAFETY: live.
    unsafe {
        let mut attributes = Attributes(Box::new(core::mem::zeroed()));
        check_number(libc::posix_spawnattr_init(&mut *attributes.0))?;
        let attr: *mut libc::posix_spawnattr_t = &mut *attributes.0;
        let mut flags = 0;
        if let Some(p) = o.setpgroup {
            check_number(libc::posix_spawnattr_setpgroup(attr, as_int(p.ob())?))?;
            flags |= libc::POSIX_SPAWN_SETPGROUP;
        }
        if o.resetids {
            flags |= libc::POSIX_SPAWN_RESETIDS;
        }
        if o.setsid {
            flags |= 0x80; // POSIX_SPAWN_SETSID
        }
        if let Some(s) = o.setsigmask {
            check_number(libc::posix_spawnattr_setsigmask(attr, &sigset(s.ob())?))?;
            flags |= libc::POSIX_SPAWN_SETSIGMASK;
        }
        if let Some(s) = o.setsigdef {
            check_number(libc::posix_spawnattr_setsigdefault(attr, &sigset(s.ob())?))?;
            flags |= libc::POSIX_SPAWN_SETSIGDEF;
        }
        if let Some(s) = o.scheduler {
            if PyTuple_Check(s.ob()) == 0 || PyTuple_Size(s.ob()) != 2 {
                bail!(PyExc_TypeError, "A scheduler tuple must have two elements");
            }
            let param = convert_sched_param(PyTuple_GetItem(s.ob(), 1))?;
            let policy = PyTuple_GetItem(s.ob(), 0);
            if policy != Py_None() {
                check_number(libc::posix_spawnattr_setschedpolicy(attr, as_int(policy)?))?;
                flags |= libc::POSIX_SPAWN_SETSCHEDULER;
            }
            check_number(libc::posix_spawnattr_setschedparam(attr, &param))?;
            flags |= libc::POSIX_SPAWN_SETSCHEDPARAM;
        }
        check_number(libc::posix_spawnattr_setflags(attr, flags as _))?;
        Ok(attributes)
    }
}

fn spawn(
    search: bool,
    path: &Path,
    argv: Borrowed<'_>,
    env: Borrowed<'_>,
    file_actions: Option<Borrowed<'_>>,
    options: &SpawnOptions<'_>,
) -> PyResult<i32> {
    let fname = if search { "posix_spawnp" } else { "posix_spawn" };
    // SAFETY: live.
    unsafe {
        if PyList_Check(argv.ob()) == 0 && PyTuple_Check(argv.ob()) == 0 {
            bail!(PyExc_TypeError, "{fname}: argv must be a tuple or list");
        }
        if PySequence_Size(argv.ob()) < 1 {
            bail!(PyExc_ValueError, "{fname}: argv must not be empty");
        }
        if !env.is_none() && PyMapping_Check(env.ob()) == 0 {
            bail!(PyExc_TypeError, "{fname}: environment must be a mapping object or None");
        }
        let args = parse_arglist(argv.ob(), "", "", &format!("{fname}: argv first element cannot be empty"))?;
        let envs = if env.is_none() { None } else { Some(parse_envlist(env.ob())?) };
        let mut keep = Vec::new();
        let actions = match file_actions {
            Some(f) if !f.is_none() => Some(parse_file_actions(f.ob(), &mut keep)?),
            _ => None,
        };
        let attributes = parse_spawn_flags(options)?;
        audit(c"os.posix_spawn", &[path.ob(), argv.ob(), env.ob()])?;
        let fa = actions.as_ref().map_or(core::ptr::null(), |a| &*a.0 as *const _);
        let envp = envs.as_ref().map_or(environ.cast_const(), |e| e.as_ptr());
        let mut pid = 0;
        let f = if search { libc::posix_spawnp } else { libc::posix_spawn };
        let e = f(&mut pid, path.as_ptr(), fa, &*attributes.0, args.as_ptr(), envp);
        if e != 0 {
            set_errno(e);
            return Err(path.error());
        }
        Ok(pid)
    }
}

#[allow(clippy::too_many_arguments, reason = "the function's Python signature")]
fn os_posix_spawn(
    _: (),
    path: Path,
    argv: Borrowed<'_>,
    env: Borrowed<'_>,
    file_actions: Option<Borrowed<'_>>,
    setpgroup: Option<Borrowed<'_>>,
    resetids: bool,
    setsid: bool,
    setsigmask: Option<Borrowed<'_>>,
    setsigdef: Option<Borrowed<'_>>,
    scheduler: Option<Borrowed<'_>>,
) -> PyResult<i32> {
    let options = SpawnOptions { setpgroup, resetids, setsid, setsigmask, setsigdef, scheduler };
    spawn(false, &path, argv, env, file_actions, &options)
}
#[allow(clippy::too_many_arguments, reason = "the function's Python signature")]
fn os_posix_spawnp(
    _: (),
    path: Path,
    argv: Borrowed<'_>,
    env: Borrowed<'_>,
    file_actions: Option<Borrowed<'_>>,
    setpgroup: Option<Borrowed<'_>>,
    resetids: bool,
    setsid: bool,
    setsigmask: Option<Borrowed<'_>>,
    setsigdef: Option<Borrowed<'_>>,
    scheduler: Option<Borrowed<'_>>,
) -> PyResult<i32> {
    let options = SpawnOptions { setpgroup, resetids, setsid, setsigmask, setsigdef, scheduler };
    spawn(true, &path, argv, env, file_actions, &options)
}

// ---- ending and waiting

fn os__exit(_: (), status: CInt) -> PyResult<()> {
    // SAFETY: ends the process.
    unsafe { libc::_exit(status.0) }
}
fn os_abort(_: ()) -> PyResult<()> {
    // SAFETY: ends the process.
    unsafe { libc::abort() }
}
fn os_system(_: (), command: FsBytes) -> PyResult<i32> {
    // SAFETY: live.
    unsafe {
        audit(c"os.system", &[command.0.as_ptr()])?;
        let p = command.as_ptr();
        Ok(allow_threads(|| libc::system(p)))
    }
}

fn os_wait(_: ()) -> PyResult<Owned> {
    os_waitpid((), CInt(-1), CInt(0))
}
fn os_waitpid(_: (), pid: CInt, options: CInt) -> PyResult<Owned> {
    let mut status = 0;
    // SAFETY: plain system call.
    let r = check(retry(|| unsafe { libc::waitpid(pid.0, &mut status, options.0) })?)?;
    tuple([int(r as i64)?, int(status as i64)?])
}

/// `resource.struct_rusage` from the system's record.
pub fn rusage_fields(ru: &libc::rusage) -> PyResult<[Owned; 16]> {
    let seconds = |t: &libc::timeval| float(t.tv_sec as f64 + t.tv_usec as f64 * 0.000001);
    Ok([
        seconds(&ru.ru_utime)?,
        seconds(&ru.ru_stime)?,
        int(ru.ru_maxrss)?,
        int(ru.ru_ixrss)?,
        int(ru.ru_idrss)?,
        int(ru.ru_isrss)?,
        int(ru.ru_minflt)?,
        int(ru.ru_majflt)?,
        int(ru.ru_nswap)?,
        int(ru.ru_inblock)?,
        int(ru.ru_oublock)?,
        int(ru.ru_msgsnd)?,
        int(ru.ru_msgrcv)?,
        int(ru.ru_nsignals)?,
        int(ru.ru_nvcsw)?,
        int(ru.ru_nivcsw)?,
    ])
}

fn wait_with_usage(pid: c_int, options: c_int) -> PyResult<Owned> {
    // SAFETY: plain system call.
    unsafe {
        let mut status = 0;
        let mut ru: libc::rusage = core::mem::zeroed();
        let r = check(retry(|| libc::wait4(pid, &mut status, options, &mut ru))?)?;
        if r == 0 {
            ru = core::mem::zeroed();
        }
        let usage = crate::resource::STRUCT_RUSAGE.build(rusage_fields(&ru)?)?;
        tuple([int(r as i64)?, int(status as i64)?, usage])
    }
}
fn os_wait3(_: (), options: CInt) -> PyResult<Owned> {
    wait_with_usage(-1, options.0)
}
fn os_wait4(_: (), pid: CInt, options: CInt) -> PyResult<Owned> {
    wait_with_usage(pid.0, options.0)
}

/// `os.waitid_result`.
pub static WAITID_RESULT: StructType = StructType::new(
    c"posix.waitid_result",
    c"waitid_result: what os.waitid() returns\n\nA tuple (si_pid, si_uid, si_signo, si_status, si_code).",
    &[(c"si_pid", c""), (c"si_uid", c""), (c"si_signo", c""), (c"si_status", c""), (c"si_code", c"")],
    5,
);

fn os_waitid(_: (), idtype: CInt, id: CInt, options: CInt) -> PyResult<Option<Owned>> {
    // SAFETY: plain system call; the union's fields are those of SIGCHLD.
    unsafe {
        let mut si: libc::siginfo_t = core::mem::zeroed();
        check(retry(|| libc::waitid(idtype.0 as libc::idtype_t, id.0 as libc::id_t, &mut si, options.0))?)?;
        if si.si_pid() == 0 {
            return Ok(None);
        }
        WAITID_RESULT
            .build([
                int(si.si_pid() as i64)?,
                id_object(si.si_uid())?,
                int(si.si_signo as i64)?,
                int(si.si_status() as i64)?,
                int(si.si_code as i64)?,
            ])
            .map(Some)
    }
}

macro_rules! status_functions {
    ($($name:ident => $f:ident -> $t:ty;)*) => { $(
        fn $name(_: (), status: CInt) -> PyResult<$t> {
            Ok(libc::$f(status.0))
        }
    )* };
}
status_functions! {
    w_coredump => WCOREDUMP -> bool;
    w_ifcontinued => WIFCONTINUED -> bool;
    w_ifstopped => WIFSTOPPED -> bool;
    w_ifsignaled => WIFSIGNALED -> bool;
    w_ifexited => WIFEXITED -> bool;
    w_exitstatus => WEXITSTATUS -> i32;
    w_termsig => WTERMSIG -> i32;
    w_stopsig => WSTOPSIG -> i32;
}

fn os_waitstatus_to_exitcode(_: (), status: CInt) -> PyResult<i32> {
    let s = status.0;
    if libc::WIFEXITED(s) {
        Ok(libc::WEXITSTATUS(s))
    } else if libc::WIFSIGNALED(s) {
        Ok(-libc::WTERMSIG(s))
    } else if libc::WIFSTOPPED(s) {
        bail!(PyExc_ValueError, "process stopped by delivery of signal {}", libc::WSTOPSIG(s))
    } else {
        bail!(PyExc_ValueError, "invalid wait status: {s}")
    }
}

fn os_kill(_: (), pid: CInt, signal: isize) -> PyResult<()> {
    audit_ints(c"os.kill", [pid.0 as i64, signal as i64])?;
    // SAFETY: plain system call.
    check(unsafe { libc::kill(pid.0, signal as c_int) })?;
    check_signals()
}
fn os_killpg(_: (), pgid: CInt, signal: CInt) -> PyResult<()> {
    audit_ints(c"os.killpg", [pgid.0 as i64, signal.0 as i64])?;
    // SAFETY: plain system call.
    check(unsafe { libc::killpg(pgid.0, signal.0) })?;
    check_signals()
}
fn os_pidfd_open(_: (), pid: CInt, flags: u32) -> PyResult<i32> {
    // SAFETY: plain system call.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.0, flags) };
    check(fd as c_int)
}
fn os_setns(_: (), fd: Fildes, nstype: i32) -> PyResult<()> {
    // SAFETY: plain system call.
    check(allow_threads(|| unsafe { libc::setns(fd.0, nstype) })).map(drop)
}
fn os_unshare(_: (), flags: CInt) -> PyResult<()> {
    // SAFETY: plain system call.
    check(allow_threads(|| unsafe { libc::unshare(flags.0) })).map(drop)
}

// ---- priority and scheduling

fn os_nice(_: (), increment: CInt) -> PyResult<i32> {
    set_errno(0);
    // SAFETY: plain system call; -1 is a valid answer.
    let value = unsafe { libc::nice(increment.0) };
    if value == -1 && errno() != 0 { Err(posix_error()) } else { Ok(value) }
}
fn os_getpriority(_: (), which: CInt, who: CInt) -> PyResult<i32> {
    set_errno(0);
    // SAFETY: plain system call; -1 is a valid answer.
    let value = unsafe { libc::getpriority(which.0 as _, who.0 as libc::id_t) };
    if errno() != 0 { Err(posix_error()) } else { Ok(value) }
}
fn os_setpriority(_: (), which: CInt, who: CInt, priority: CInt) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setpriority(which.0 as _, who.0 as libc::id_t, priority.0) }).map(drop)
}

/// `os.sched_param`.
pub static SCHED_PARAM: StructType = StructType::new(
    c"posix.sched_param",
    c"sched_param(sched_priority)\n--\n\nParameters of scheduling: only a priority so far.\n\n  sched_priority\n    The priority.",
    &[(c"sched_priority", c"the scheduling priority")],
    1,
);

fn sched_param_new(tp: Borrowed<'_, PyTypeObject>, sched_priority: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] a struct sequence type with one field.
    unsafe {
        let op = own(PyStructSequence_New(tp.as_ptr()))?;
        PyStructSequence_SetItem(op.as_ptr(), 0, sched_priority.to_owned().into_raw());
        Ok(op)
    }
}
fn sched_param_reduce(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let priority = Owned::from_borrowed(PyStructSequence_GetItem(slf.ob(), 0));
        tuple([Owned::from_borrowed(slf.ob_type().cast::<PyObject>()), tuple([priority])?])
    }
}
methods! {
    static SCHED_PARAM_METHODS = [
        coexist "__reduce__($self, /)" => sched_param_reduce, "";
    ];
}

/// Makes the types.
pub fn prepare(module: Borrowed<'_>) -> PyResult<()> {
    WAITID_RESULT.add_to(module)?;
    // SAFETY: [GIL] the type is ours and not in use yet.
    unsafe {
        let tp = SCHED_PARAM.get()?;
        (*tp).tp_new = Some(taipan_clinic::constructor!("sched_param(sched_priority)" => sched_param_new));
        let descr = own(PyDescr_NewMethod(tp, (&raw mut SCHED_PARAM_METHODS).cast()))?;
        let dict = (*tp).tp_dict;
        check_status(PyDict_SetItemString(dict, c"__reduce__".as_ptr(), descr.as_ptr()))?;
        PyType_Modified(tp);
    }
    SCHED_PARAM.add_to(module)
}

unsafe fn convert_sched_param(param: *mut PyObject) -> PyResult<libc::sched_param> {
    // SAFETY: live.
    unsafe {
        if type_of(param) != SCHED_PARAM.get()? {
            bail!(PyExc_TypeError, "must have a sched_param object");
        }
        let priority = as_long(PyStructSequence_GetItem(param, 0))?;
        let Ok(priority) = c_int::try_from(priority) else { bail!(PyExc_OverflowError, "sched_priority out of range") };
        let mut p: libc::sched_param = core::mem::zeroed();
        p.sched_priority = priority;
        Ok(p)
    }
}

fn os_sched_get_priority_max(_: (), policy: CInt) -> PyResult<i32> {
    // SAFETY: plain system call.
    check(unsafe { libc::sched_get_priority_max(policy.0) })
}
fn os_sched_get_priority_min(_: (), policy: CInt) -> PyResult<i32> {
    // SAFETY: plain system call.
    check(unsafe { libc::sched_get_priority_min(policy.0) })
}
fn os_sched_getscheduler(_: (), pid: CInt) -> PyResult<i32> {
    // SAFETY: plain system call.
    check(unsafe { libc::sched_getscheduler(pid.0) })
}
fn os_sched_setscheduler(_: (), pid: CInt, policy: CInt, param: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: live; plain system call.
    unsafe {
        let p = convert_sched_param(param.ob())?;
        check(libc::sched_setscheduler(pid.0, policy.0, &p)).map(drop)
    }
}
fn os_sched_getparam(_: (), pid: CInt) -> PyResult<Owned> {
    // SAFETY: plain system call.
    unsafe {
        let mut p: libc::sched_param = core::mem::zeroed();
        check(libc::sched_getparam(pid.0, &mut p))?;
        SCHED_PARAM.build([int(p.sched_priority as i64)?])
    }
}
fn os_sched_setparam(_: (), pid: CInt, param: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: live; plain system call.
    unsafe {
        let p = convert_sched_param(param.ob())?;
        check(libc::sched_setparam(pid.0, &p)).map(drop)
    }
}
fn os_sched_rr_get_interval(_: (), pid: CInt) -> PyResult<f64> {
    // SAFETY: plain system call.
    unsafe {
        let mut t: libc::timespec = core::mem::zeroed();
        check(libc::sched_rr_get_interval(pid.0, &mut t))?;
        Ok(t.tv_sec as f64 + 1e-9 * t.tv_nsec as f64)
    }
}
fn os_sched_yield(_: ()) -> PyResult<()> {
    // SAFETY: plain system call.
    check(allow_threads(|| unsafe { libc::sched_yield() })).map(drop)
}
fn os_sched_setaffinity(_: (), pid: CInt, mask: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: live; the mask has the size told.
    unsafe {
        let it = own(PyObject_GetIter(mask.ob()))?;
        let mut bits = vec![0u64; 1];
        while let Some(item) = Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
            if PyLong_Check(item.as_ptr()) == 0 {
                PyErr_Format(PyExc_TypeError, c"expected an iterator of ints, but iterator yielded %R".as_ptr(), type_of(item.as_ptr()));
                return Err(Raised::assume());
            }
            let cpu = as_long(item.as_ptr())?;
            if cpu < 0 {
                bail!(PyExc_ValueError, "negative CPU number");
            }
            if cpu > c_int::MAX as i64 - 1 {
                bail!(PyExc_OverflowError, "CPU number too large");
            }
            let word = cpu as usize / 64;
            if word >= bits.len() {
                bits.resize(word + 1, 0);
            }
            bits[word] |= 1 << (cpu % 64);
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        check(libc::sched_setaffinity(pid.0, bits.len() * 8, bits.as_ptr().cast())).map(drop)
    }
}

/// The processors that a process may use, as words of bits.
pub fn affinity(pid: c_int) -> PyResult<Vec<u64>> {
    let mut words = 16;
    loop {
        let mut bits = vec![0u64; words];
        // SAFETY: the mask has the size told.
        if unsafe { libc::sched_getaffinity(pid, words * 8, bits.as_mut_ptr().cast()) } == 0 {
            return Ok(bits);
        }
        if errno() != libc::EINVAL || words > 1 << 20 {
            return Err(posix_error());
        }
        words *= 2;
    }
}
fn os_sched_getaffinity(_: (), pid: CInt) -> PyResult<Owned> {
    let bits = affinity(pid.0)?;
    // SAFETY: [GIL]
    unsafe {
        let set = own(PySet_New(null_mut()))?;
        for (i, word) in bits.iter().enumerate() {
            for b in 0..64 {
                if word >> b & 1 != 0 {
                    let n = int((i * 64 + b) as i64)?;
                    check_status(PySet_Add(set.as_ptr(), n.as_ptr()))?;
                }
            }
        }
        Ok(set)
    }
}
fn os_cpu_count(_: ()) -> PyResult<Option<Owned>> {
    let fixed = fixed_cpu_count();
    if fixed > 0 {
        return int(fixed as i64).map(Some);
    }
    // SAFETY: plain query.
    let n = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    if n < 1 { Ok(None) } else { int(n).map(Some) }
}

/// The number of processors of `-X cpu_count` and PYTHON_CPU_COUNT, -1 without; python: initconfig.
fn fixed_cpu_count() -> c_int {
    // `sys._xoptions` and the environment say it, as configuration does.
    // SAFETY: [GIL]
    unsafe {
        let options = PySys_GetObject(c"_xoptions".as_ptr());
        let mut value: Option<String> = None;
        if !options.is_null() && PyDict_Check(options) != 0 {
            let v = PyDict_GetItemString(options, c"cpu_count".as_ptr());
            if !v.is_null()
                && PyUnicode_Check(v) != 0
                && let Ok(t) = text(v)
            {
                value = Some(t.to_string());
            }
        }
        PyErr_Clear();
        if value.is_none() && !ignores_environment() {
            let p = libc::getenv(c"PYTHON_CPU_COUNT".as_ptr());
            if !p.is_null() {
                value = CStr::from_ptr(p).to_str().ok().map(str::to_string);
            }
        }
        value.and_then(|v| v.parse().ok()).unwrap_or(-1)
    }
}
unsafe fn ignores_environment() -> bool {
    // SAFETY: [GIL]
    unsafe {
        let flags = PySys_GetObject(c"flags".as_ptr());
        if flags.is_null() {
            return false;
        }
        match Owned::from_owned_or_opt(PyObject_GetAttr(flags, intern!("ignore_environment"))) {
            Some(f) => PyObject_IsTrue(f.as_ptr()) > 0,
            None => {
                PyErr_Clear();
                false
            }
        }
    }
}

/// The constants of this file.
pub const CONSTANTS: &[(&str, i64)] = &[
    ("POSIX_SPAWN_OPEN", POSIX_SPAWN_OPEN),
    ("POSIX_SPAWN_CLOSE", POSIX_SPAWN_CLOSE),
    ("POSIX_SPAWN_DUP2", POSIX_SPAWN_DUP2),
    ("POSIX_SPAWN_CLOSEFROM", POSIX_SPAWN_CLOSEFROM),
    ("SCHED_RESET_ON_FORK", 0x40000000),
    ("PIDFD_NONBLOCK", libc::O_NONBLOCK as i64),
    ("CLONE_NEWTIME", 0x80),
    ("EX_OK", 0),
    ("EX_USAGE", 64),
    ("EX_DATAERR", 65),
    ("EX_NOINPUT", 66),
    ("EX_NOUSER", 67),
    ("EX_NOHOST", 68),
    ("EX_UNAVAILABLE", 69),
    ("EX_SOFTWARE", 70),
    ("EX_OSERR", 71),
    ("EX_OSFILE", 72),
    ("EX_CANTCREAT", 73),
    ("EX_IOERR", 74),
    ("EX_TEMPFAIL", 75),
    ("EX_PROTOCOL", 76),
    ("EX_NOPERM", 77),
    ("EX_CONFIG", 78),
];
/// Constants that the C library has under the same names.
pub const LIBC_CONSTANTS: &[(&str, i64)] = crate::libc_constants! {
    WNOHANG WUNTRACED WCONTINUED WEXITED WNOWAIT WSTOPPED P_PID P_PGID P_ALL P_PIDFD
    CLD_EXITED CLD_KILLED CLD_DUMPED CLD_TRAPPED CLD_STOPPED CLD_CONTINUED
    PRIO_PROCESS PRIO_PGRP PRIO_USER SCHED_OTHER SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_IDLE
    CLONE_FS CLONE_FILES CLONE_NEWNS CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET
    CLONE_SIGHAND CLONE_SYSVSEM CLONE_THREAD CLONE_VM
    RTLD_LAZY RTLD_NOW RTLD_GLOBAL RTLD_LOCAL RTLD_NODELETE RTLD_NOLOAD RTLD_DEEPBIND
};

methods! {
    /// Functions of this file.
    pub static METHODS = [
        "execv($module, path, argv, /)" => os_execv, "Replace the process by a program.";
        "execve($module, /, path, argv, env)" => os_execve, "Replace the process by a program with an environment.";
        "posix_spawn($module, path, argv, env, /, *, file_actions=(), setpgroup=<unrepresentable>, resetids=False, setsid=False, setsigmask=(), setsigdef=(), scheduler=<unrepresentable>)" => os_posix_spawn, "Run a program in a new process.";
        "posix_spawnp($module, path, argv, env, /, *, file_actions=(), setpgroup=<unrepresentable>, resetids=False, setsid=False, setsigmask=(), setsigdef=(), scheduler=<unrepresentable>)" => os_posix_spawnp, "Run a program, searched in the path, in a new process.";
        "_exit($module, /, status)" => os__exit, "End the process at once.";
        "abort($module, /)" => os_abort, "End the process by SIGABRT.";
        "system($module, /, command)" => os_system, "Run a command in a shell; returns its wait status.";
        "wait($module, /)" => os_wait, "Wait for any child: (pid, status).";
        "waitpid($module, pid, options, /)" => os_waitpid, "Wait for a child: (pid, status).";
        "wait3($module, /, options)" => os_wait3, "Wait for any child: (pid, status, rusage).";
        "wait4($module, /, pid, options)" => os_wait4, "Wait for a child: (pid, status, rusage).";
        "waitid($module, idtype, id, options, /)" => os_waitid, "Wait for children; None if none is ready.";
        "WCOREDUMP($module, status, /)" => w_coredump, "Whether a core file was written.";
        "WIFCONTINUED($module, /, status)" => w_ifcontinued, "Whether the process was continued.";
        "WIFSTOPPED($module, /, status)" => w_ifstopped, "Whether the process was stopped.";
        "WIFSIGNALED($module, /, status)" => w_ifsignaled, "Whether a signal ended the process.";
        "WIFEXITED($module, /, status)" => w_ifexited, "Whether the process ended by itself.";
        "WEXITSTATUS($module, /, status)" => w_exitstatus, "The exit code.";
        "WTERMSIG($module, /, status)" => w_termsig, "The signal that ended the process.";
        "WSTOPSIG($module, /, status)" => w_stopsig, "The signal that stopped the process.";
        "waitstatus_to_exitcode($module, /, status)" => os_waitstatus_to_exitcode, "Exit code of a wait status, negative for a signal.";
        "kill($module, pid, signal, /)" => os_kill, "Send a signal to a process.";
        "killpg($module, pgid, signal, /)" => os_killpg, "Send a signal to a process group.";
        "pidfd_open($module, /, pid, flags=0)" => os_pidfd_open, "A descriptor that refers to a process.";
        "setns($module, /, fd, nstype=0)" => os_setns, "Move the thread into a namespace.";
        "unshare($module, /, flags)" => os_unshare, "Give the process namespaces of its own.";
        "nice($module, increment, /)" => os_nice, "Change the priority; returns the new one.";
        "getpriority($module, /, which, who)" => os_getpriority, "Scheduling priority.";
        "setpriority($module, /, which, who, priority)" => os_setpriority, "Set the scheduling priority.";
        "sched_get_priority_max($module, /, policy)" => os_sched_get_priority_max, "Greatest priority of a policy.";
        "sched_get_priority_min($module, /, policy)" => os_sched_get_priority_min, "Smallest priority of a policy.";
        "sched_getscheduler($module, pid, /)" => os_sched_getscheduler, "Scheduling policy of a process.";
        "sched_setscheduler($module, pid, policy, param, /)" => os_sched_setscheduler, "Set the scheduling policy of a process.";
        "sched_getparam($module, pid, /)" => os_sched_getparam, "Scheduling parameters of a process.";
        "sched_setparam($module, pid, param, /)" => os_sched_setparam, "Set scheduling parameters of a process.";
        "sched_rr_get_interval($module, pid, /)" => os_sched_rr_get_interval, "Round-robin interval in seconds.";
        "sched_yield($module, /)" => os_sched_yield, "Let other threads run.";
        "sched_setaffinity($module, pid, mask, /)" => os_sched_setaffinity, "Set the processors a process may use.";
        "sched_getaffinity($module, pid, /)" => os_sched_getaffinity, "The processors a process may use.";
        "cpu_count($module, /)" => os_cpu_count, "How many processors there are; None if unknown.";
    ];
}
