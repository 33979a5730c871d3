//! The module `resource`: limits and use of resources.

use crate::path::CInt;
use crate::process::rusage_fields;
use crate::support::*;
use taipan_abi::*;
use taipan_clinic::{methods, module, module::add_object};

/// `resource.struct_rusage`.
pub static STRUCT_RUSAGE: StructType = StructType::new(
    c"resource.struct_rusage",
    c"struct_rusage: what getrusage() returns\n\nA tuple of the resources that a process or its children have used.",
    &[
        (c"ru_utime", c"user time used"),
        (c"ru_stime", c"system time used"),
        (c"ru_maxrss", c"max. resident set size"),
        (c"ru_ixrss", c"shared memory size"),
        (c"ru_idrss", c"unshared data size"),
        (c"ru_isrss", c"unshared stack size"),
        (c"ru_minflt", c"page faults not requiring I/O"),
        (c"ru_majflt", c"page faults requiring I/O"),
        (c"ru_nswap", c"number of swap outs"),
        (c"ru_inblock", c"block input operations"),
        (c"ru_oublock", c"block output operations"),
        (c"ru_msgsnd", c"IPC messages sent"),
        (c"ru_msgrcv", c"IPC messages received"),
        (c"ru_nsignals", c"signals received"),
        (c"ru_nvcsw", c"voluntary context switches"),
        (c"ru_nivcsw", c"involuntary context switches"),
    ],
    16,
);

fn resource_getrusage(_: (), who: CInt) -> PyResult<Owned> {
    // SAFETY: plain system call.
    unsafe {
        let mut ru: libc::rusage = core::mem::zeroed();
        if libc::getrusage(who.0, &mut ru) == -1 {
            if errno() == libc::EINVAL {
                bail!(PyExc_ValueError, "invalid who parameter");
            }
            return Err(posix_error());
        }
        STRUCT_RUSAGE.build(rusage_fields(&ru)?)
    }
}

fn limit_object(n: libc::rlim_t) -> PyResult<Owned> {
    if n == libc::RLIM_INFINITY { int(-1) } else { uint(n) }
}

/// A limit from an int; -1 is "no limit".
unsafe fn limit_from(op: *mut PyObject) -> PyResult<libc::rlim_t> {
    // SAFETY: live.
    unsafe {
        let n = PyLong_AsLongLong(op);
        if n == -1 && err_occurred() {
            if PyErr_ExceptionMatches(PyExc_OverflowError) == 0 {
                return Err(Raised::assume());
            }
            PyErr_Clear();
            let n = PyLong_AsUnsignedLongLong(op);
            if n == u64::MAX && err_occurred() {
                return Err(Raised::assume());
            }
            return Ok(n);
        }
        Ok(n as libc::rlim_t)
    }
}

unsafe fn limits_from(limits: *mut PyObject) -> PyResult<libc::rlimit> {
    // SAFETY: live.
    unsafe {
        let t = own(PySequence_Tuple(limits))?;
        if PyTuple_Size(t.as_ptr()) != 2 {
            bail!(PyExc_ValueError, "expected a tuple of 2 integers");
        }
        Ok(libc::rlimit { rlim_cur: limit_from(PyTuple_GetItem(t.as_ptr(), 0))?, rlim_max: limit_from(PyTuple_GetItem(t.as_ptr(), 1))? })
    }
}

fn check_resource(n: i32) -> PyResult<()> {
    if !(0..16).contains(&n) {
        bail!(PyExc_ValueError, "invalid resource specified");
    }
    Ok(())
}

fn limits_tuple(rl: &libc::rlimit) -> PyResult<Owned> {
    tuple([limit_object(rl.rlim_cur)?, limit_object(rl.rlim_max)?])
}

fn resource_getrlimit(_: (), resource: CInt) -> PyResult<Owned> {
    check_resource(resource.0)?;
    // SAFETY: plain system call.
    unsafe {
        let mut rl: libc::rlimit = core::mem::zeroed();
        check(libc::getrlimit(resource.0 as _, &mut rl))?;
        limits_tuple(&rl)
    }
}

/// The error of a limit that can't be set.
fn limit_error() -> Raised {
    match errno() {
        libc::EINVAL => raise!(PyExc_ValueError, "current limit exceeds maximum limit"),
        libc::EPERM => raise!(PyExc_ValueError, "not allowed to raise maximum limit"),
        _ => posix_error(),
    }
}

fn resource_setrlimit(_: (), resource: CInt, limits: Borrowed<'_>) -> PyResult<()> {
    check_resource(resource.0)?;
    // SAFETY: live; plain system call.
    unsafe {
        let n = int(resource.0 as i64)?;
        audit(c"resource.setrlimit", &[n.as_ptr(), limits.ob()])?;
        let rl = limits_from(limits.ob())?;
        if libc::setrlimit(resource.0 as _, &rl) == -1 { Err(limit_error()) } else { Ok(()) }
    }
}

fn resource_prlimit(_: (), pid: CInt, resource: CInt, limits: Option<Borrowed<'_>>) -> PyResult<Owned> {
    check_resource(resource.0)?;
    // SAFETY: live; plain system call.
    unsafe {
        let (p, r) = (int(pid.0 as i64)?, int(resource.0 as i64)?);
        audit(c"resource.prlimit", &[p.as_ptr(), r.as_ptr(), limits.map_or(Py_None(), |l| l.ob())])?;
        let new = match limits {
            Some(l) => Some(limits_from(l.ob())?),
            None => None,
        };
        let mut old: libc::rlimit = core::mem::zeroed();
        let newp = new.as_ref().map_or(core::ptr::null(), |n| n as *const _);
        if libc::prlimit(pid.0, resource.0 as _, newp, &mut old) == -1 {
            if errno() == libc::EINVAL {
                bail!(PyExc_ValueError, "current limit exceeds maximum limit");
            }
            return Err(posix_error());
        }
        limits_tuple(&old)
    }
}

fn resource_getpagesize(_: ()) -> PyResult<i64> {
    // SAFETY: plain query.
    Ok(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })
}

methods! {
    static METHODS = [
        "getrusage($module, who, /)" => resource_getrusage, "What a process or its children have used.";
        "getrlimit($module, resource, /)" => resource_getrlimit, "(soft, hard) limit of a resource.";
        "prlimit($module, pid, resource, limits=None, /)" => resource_prlimit, "Limits of a process; sets new ones.";
        "setrlimit($module, resource, limits, /)" => resource_setrlimit, "Set the limits of a resource.";
        "getpagesize($module, /)" => resource_getpagesize, "Size of a page of memory.";
    ];
}

const CONSTANTS: &[(&str, i64)] = crate::libc_constants! {
    RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_NOFILE RLIMIT_AS RLIMIT_RSS RLIMIT_NPROC
    RLIMIT_MEMLOCK RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME RLIMIT_SIGPENDING
    RUSAGE_SELF RUSAGE_CHILDREN RUSAGE_THREAD
};

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC]
    add_object(module, c"error", Ok(unsafe { Owned::from_borrowed(PyExc_OSError) }))?;
    STRUCT_RUSAGE.add_to(module)?;
    add_ints(module, CONSTANTS)?;
    add_ints(module, &[("RLIMIT_OFILE", libc::RLIMIT_NOFILE as i64), ("RLIM_INFINITY", -1)])
}

module! {
    /// Entry point of `resource`.
    pub fn PyInit_resource = "resource", "", methods: METHODS, exec: exec;
}
