//! The module `posix`: what is left, and the parts put together.

use crate::names::*;
use crate::path::*;
use crate::support::*;
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{methods, module, module::add_object, module::add_type};

unsafe extern "C" {
    static environ: *const *const c_char;
    static mut PyOS_InputHook: Option<unsafe extern "C" fn() -> c_int>;
    fn times(buf: *mut libc::tms) -> libc::clock_t;
}

static UNAME_RESULT: StructType = StructType::new(
    c"posix.uname_result",
    c"uname_result: what os.uname() returns\n\nA tuple (sysname, nodename, release, version, machine).",
    &[
        (c"sysname", c"operating system name"),
        (c"nodename", c"name of machine on network (implementation-defined)"),
        (c"release", c"operating system release"),
        (c"version", c"operating system version"),
        (c"machine", c"hardware identifier"),
    ],
    5,
);
static TIMES_RESULT: StructType = StructType::new(
    c"posix.times_result",
    c"times_result: what os.times() returns\n\nA tuple (user, system, children_user, children_system, elapsed).",
    &[
        (c"user", c"user time"),
        (c"system", c"system time"),
        (c"children_user", c"user time of children"),
        (c"children_system", c"system time of children"),
        (c"elapsed", c"elapsed time since an arbitrary point in the past"),
    ],
    5,
);

fn os_uname(_: ()) -> PyResult<Owned> {
    // SAFETY: the fields are NUL-terminated.
    unsafe {
        let mut u: libc::utsname = core::mem::zeroed();
        check(libc::uname(&mut u))?;
        let f = |field: &[c_char]| fsdecode(c_bytes(field.as_ptr()));
        UNAME_RESULT.build([f(&u.sysname)?, f(&u.nodename)?, f(&u.release)?, f(&u.version)?, f(&u.machine)?])
    }
}

fn os_times(_: ()) -> PyResult<Owned> {
    // SAFETY: plain system calls.
    unsafe {
        let ticks = libc::sysconf(libc::_SC_CLK_TCK) as f64;
        let mut t: libc::tms = core::mem::zeroed();
        set_errno(0);
        let elapsed = times(&mut t);
        if elapsed == -1 {
            return Err(posix_error());
        }
        let f = |n: libc::clock_t| float(n as f64 / ticks);
        TIMES_RESULT.build([f(t.tms_utime)?, f(t.tms_stime)?, f(t.tms_cutime)?, f(t.tms_cstime)?, f(elapsed)?])
    }
}

fn os_umask(_: (), mask: CInt) -> PyResult<i32> {
    // SAFETY: plain system call.
    Ok(unsafe { libc::umask(mask.0 as libc::mode_t) } as i32)
}

// ---- environment

/// The environment as a dict of bytes; of names that occur twice the first counts.
fn convertenviron() -> PyResult<Owned> {
    // SAFETY: [GIL] the environment is not changed meanwhile.
    unsafe {
        let dict = own(PyDict_New())?;
        let mut e = environ;
        while !e.is_null() && !(*e).is_null() {
            let entry = c_bytes(*e);
            e = e.add(1);
            let Some(at) = entry.iter().position(|&b| b == b'=') else { continue };
            let (k, v) = (bytes(&entry[..at])?, bytes(&entry[at + 1..])?);
            let mut old = null_mut();
            check_status(PyDict_SetDefaultRef(dict.as_ptr(), k.as_ptr(), v.as_ptr(), &mut old))?;
            drop(Owned::from_owned_or_opt(old));
        }
        Ok(dict)
    }
}
unsafe extern "C" {
    fn PyDict_SetDefaultRef(d: *mut PyObject, key: *mut PyObject, default: *mut PyObject, result: *mut *mut PyObject) -> c_int;
}

fn os_putenv(_: (), name: FsBytes, value: FsBytes) -> PyResult<()> {
    if name.as_bytes().contains(&b'=') {
        bail!(PyExc_ValueError, "illegal environment variable name");
    }
    // SAFETY: live; NUL-terminated.
    unsafe {
        audit(c"os.putenv", &[name.0.as_ptr(), value.0.as_ptr()])?;
        check(libc::setenv(name.as_ptr(), value.as_ptr(), 1)).map(drop)
    }
}
fn os_unsetenv(_: (), name: FsBytes) -> PyResult<()> {
    // SAFETY: live; NUL-terminated.
    unsafe {
        audit(c"os.unsetenv", &[name.0.as_ptr()])?;
        check(libc::unsetenv(name.as_ptr())).map(drop)
    }
}

fn os_strerror(_: (), code: CInt) -> PyResult<Owned> {
    let mut buf = [0u8; 1024];
    // SAFETY: the buffer has the size told; the result is NUL-terminated.
    unsafe {
        libc::strerror_r(code.0, buf.as_mut_ptr().cast(), buf.len());
        own(PyUnicode_DecodeLocale(buf.as_ptr().cast(), c"surrogateescape".as_ptr()))
    }
}

// ---- limits of the system

/// A number or a name in the module's table.
unsafe fn conv_confname(module: Borrowed<'_>, arg: Borrowed<'_>, table: *mut PyObject) -> PyResult<c_int> {
    // SAFETY: live.
    unsafe {
        let value = if PyUnicode_Check(arg.ob()) != 0 {
            let names = getattr(module.ob(), table)?;
            match own(PyObject_GetItem(names.as_ptr(), arg.ob())) {
                Ok(v) => v,
                Err(e) => {
                    e.clear();
                    bail!(PyExc_ValueError, "unrecognized configuration name");
                }
            }
        } else {
            arg.to_owned()
        };
        if PyLong_Check(value.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "configuration names must be strings or integers");
        }
        as_int(value.as_ptr())
    }
}

fn limit(r: libc::c_long) -> PyResult<i64> {
    if r == -1 && errno() != 0 { Err(posix_error()) } else { Ok(r) }
}
fn os_sysconf(module: Borrowed<'_>, name: Borrowed<'_>) -> PyResult<i64> {
    // SAFETY: live; plain query.
    unsafe {
        let n = conv_confname(module, name, intern!("sysconf_names"))?;
        set_errno(0);
        limit(libc::sysconf(n))
    }
}
fn os_fpathconf(module: Borrowed<'_>, fd: Fildes, name: Borrowed<'_>) -> PyResult<i64> {
    // SAFETY: live; plain query.
    unsafe {
        let n = conv_confname(module, name, intern!("pathconf_names"))?;
        set_errno(0);
        limit(libc::fpathconf(fd.0, n))
    }
}
fn os_pathconf(module: Borrowed<'_>, path: Path<ALLOW_FD>, name: Borrowed<'_>) -> PyResult<i64> {
    // SAFETY: live; plain query.
    unsafe {
        let n = conv_confname(module, name, intern!("pathconf_names"))?;
        if path.is_none() {
            // The descriptor -1 looks like a missing path, which the C library does not survive.
            return Err(posix_error_from(libc::EBADF));
        }
        set_errno(0);
        let r = if path.fd != -1 { libc::fpathconf(path.fd, n) } else { libc::pathconf(path.as_ptr(), n) };
        if r == -1 && errno() != 0 {
            // A wrong name is no fault of the path.
            return Err(if errno() == libc::EINVAL { posix_error() } else { path.error() });
        }
        Ok(r)
    }
}
fn os_confstr(module: Borrowed<'_>, name: Borrowed<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: live; the buffer has the size told.
    unsafe {
        let n = conv_confname(module, name, intern!("confstr_names"))?;
        set_errno(0);
        let len = libc::confstr(n, null_mut(), 0);
        if len == 0 {
            return if errno() != 0 { Err(posix_error()) } else { Ok(None) };
        }
        let mut buf = vec![0u8; len];
        libc::confstr(n, buf.as_mut_ptr().cast(), len);
        fsdecode(&buf[..len - 1]).map(Some)
    }
}

fn os_getloadavg(_: ()) -> PyResult<Owned> {
    let mut l = [0f64; 3];
    // SAFETY: room for three.
    if unsafe { libc::getloadavg(l.as_mut_ptr(), 3) } != 3 {
        bail!(PyExc_OSError, "Load averages are unobtainable");
    }
    tuple([float(l[0])?, float(l[1])?, float(l[2])?])
}

// ---- random bytes

/// Fills `buf` from the system's generator.
pub fn urandom(buf: &mut [u8]) -> PyResult<()> {
    let mut done = 0;
    while done < buf.len() {
        let rest = &mut buf[done..];
        // SAFETY: the buffer has the size told.
        let n = allow_threads(|| unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) });
        if n < 0 {
            if errno() != libc::EINTR {
                return Err(posix_error());
            }
            check_signals()?;
        } else {
            done += n as usize;
        }
    }
    Ok(())
}

/// Random bytes for other modules, 0 or -1 with an exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyOS_URandom(buffer: *mut u8, size: Py_ssize_t) -> c_int {
    if size <= 0 {
        return 0;
    }
    // SAFETY: [ARGS]
    unsafe { urandom(core::slice::from_raw_parts_mut(buffer, size as usize)).into_c() }
}
/// Random bytes for other modules, 0 or -1 with an exception. After start-up the system's generator never blocks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyOS_URandomNonblock(buffer: *mut u8, size: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe { _PyOS_URandom(buffer, size) }
}

fn os_urandom(_: (), size: isize) -> PyResult<Owned> {
    if size < 0 {
        bail!(PyExc_ValueError, "negative argument not allowed");
    }
    // SAFETY: [OWN] not shared until filled.
    unsafe {
        let b = own(PyBytes_FromStringAndSize(core::ptr::null(), size))?;
        if size > 0 {
            urandom(core::slice::from_raw_parts_mut(PyBytes_AsString(b.as_ptr()).cast(), size as usize))?;
        }
        Ok(b)
    }
}
fn os_getrandom(_: (), size: isize, flags: i32) -> PyResult<Owned> {
    if size < 0 {
        return Err(posix_error_from(libc::EINVAL));
    }
    // SAFETY: [OWN] not shared until filled; the buffer has the size told.
    unsafe {
        let b = own(PyBytes_FromStringAndSize(core::ptr::null(), size))?;
        let p = PyBytes_AsString(b.as_ptr());
        let n = retry(|| libc::syscall(libc::SYS_getrandom, p, size, flags as u32))?;
        if n < 0 {
            return Err(posix_error());
        }
        let mut raw = b.into_raw();
        if n as isize != size && _PyBytes_Resize(&mut raw, n as isize) < 0 {
            return Err(Raised::assume());
        }
        Ok(Owned::from_owned(raw))
    }
}

// ---- input hook

fn os_inputhook(_: ()) -> PyResult<i32> {
    // SAFETY: [GIL] a C function installed for this.
    unsafe {
        match PyOS_InputHook {
            Some(f) => Ok(allow_threads(|| f())),
            None => Ok(0),
        }
    }
}
fn os_is_inputhook_installed(_: ()) -> PyResult<bool> {
    // SAFETY: [GIL]
    Ok(unsafe { (&raw const PyOS_InputHook).read().is_some() })
}

methods! {
    static METHODS = [
        "uname($module, /)" => os_uname, "What the system is.";
        "times($module, /)" => os_times, "Times that the process has used, in seconds.";
        "umask($module, mask, /)" => os_umask, "Set the permissions that new files don't get; returns the old ones.";
        "putenv($module, name, value, /)" => os_putenv, "Set a variable of the environment.";
        "unsetenv($module, name, /)" => os_unsetenv, "Remove a variable of the environment.";
        "strerror($module, code, /)" => os_strerror, "Text of an error number.";
        "sysconf($module, name, /)" => os_sysconf, "A limit of the system.";
        "fpathconf($module, fd, name, /)" => os_fpathconf, "A limit of an open file; -1 if there is none.";
        "pathconf($module, /, path, name)" => os_pathconf, "A limit of a file; -1 if there is none.";
        "confstr($module, name, /)" => os_confstr, "A text of the system's configuration.";
        "getloadavg($module, /)" => os_getloadavg, "Load of the last 1, 5 and 15 minutes.";
        "urandom($module, size, /)" => os_urandom, "Random bytes, good for cryptography.";
        "getrandom($module, /, size, flags=0)" => os_getrandom, "Random bytes from the system, perhaps fewer.";
        "_inputhook($module, /)" => os_inputhook, "Call the input hook without the GIL.";
        "_is_inputhook_installed($module, /)" => os_is_inputhook_installed, "Whether there is an input hook.";
    ];
}

const CONSTANTS: &[(&str, i64)] = &[
    ("TMP_MAX", 238328),
    ("GRND_RANDOM", libc::GRND_RANDOM as i64),
    ("GRND_NONBLOCK", libc::GRND_NONBLOCK as i64),
];

fn name_table(module: Borrowed<'_>, attr: &core::ffi::CStr, names: &[(&str, i32)]) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let dict = own(PyDict_New())?;
        for &(name, number) in names {
            let (k, v) = (string(name)?, int(number as i64)?);
            check_status(PyDict_SetItem(dict.as_ptr(), k.as_ptr(), v.as_ptr()))?;
        }
        add_object(module, attr, Ok(dict))
    }
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] static tables and types.
    unsafe {
        for table in [
            (&raw mut crate::stat::METHODS).cast::<PyMethodDef>(),
            (&raw mut crate::dir::METHODS).cast(),
            (&raw mut crate::fs::METHODS).cast(),
            (&raw mut crate::fd::METHODS).cast(),
            (&raw mut crate::process::METHODS).cast(),
            (&raw mut crate::fork::METHODS).cast(),
            (&raw mut crate::ids::METHODS).cast(),
        ] {
            check_status(PyModule_AddFunctions(module.ob(), table))?;
        }
        add_object(module, c"environ", convertenviron())?;
        for table in [
            CONSTANTS,
            crate::fs::CONSTANTS,
            crate::fd::CONSTANTS,
            crate::process::CONSTANTS,
            crate::process::LIBC_CONSTANTS,
            crate::ids::CONSTANTS,
        ] {
            add_ints(module, table)?;
        }
        name_table(module, c"pathconf_names", PATHCONF_NAMES)?;
        name_table(module, c"confstr_names", CONFSTR_NAMES)?;
        name_table(module, c"sysconf_names", SYSCONF_NAMES)?;
        add_object(module, c"error", Ok(Owned::from_borrowed(PyExc_OSError)))?;
        crate::stat::prepare(module)?;
        crate::process::prepare(module)?;
        UNAME_RESULT.add_to(module)?;
        TIMES_RESULT.add_to(module)?;
        crate::fd::TERMINAL_SIZE.add_to(module)?;
        add_type(module, &raw mut crate::dir::DIR_ENTRY)?;
        check_status(PyType_Ready(&raw mut crate::dir::SCANDIR_ITERATOR))?;
        let have: PyResult<Vec<_>> = HAVE_FUNCTIONS.iter().map(|n| string(n)).collect();
        add_object(module, c"_have_functions", list(have?))
    }
}

module! {
    /// Entry point of `posix`.
    pub fn PyInit_posix = "posix", "The operating system's functions, under their POSIX names. Use them through the module os.", methods: METHODS, exec: exec;
}
