//! The module `fcntl`.

use crate::path::{CInt, Fildes};
use crate::support::*;
use core::ffi::{c_int, c_ulong};
use taipan_abi::*;
use taipan_clinic::{BufferView, methods, module};

/// Most bytes that an argument which isn't writable may have.
const BUFFER: usize = 1024;

/// The bytes of a str or bytes-like argument, `None` for anything else.
unsafe fn text_or_bytes(arg: *mut PyObject) -> PyResult<Option<Vec<u8>>> {
    // SAFETY: live.
    unsafe {
        if PyUnicode_Check(arg) != 0 {
            return Ok(Some(text(arg)?.as_bytes().to_vec()));
        }
        if PyObject_CheckBuffer(arg) == 0 {
            return Ok(None);
        }
        match BufferView::get(arg) {
            Ok(v) => Ok(Some(v.as_bytes().to_vec())),
            Err(e) => {
                e.clear();
                Ok(None)
            }
        }
    }
}

fn fcntl_fcntl(_: (), fd: Fildes, cmd: CInt, arg: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: live; the buffer is at least as large as any structure that the call fills.
    unsafe {
        let (f, c) = (int(fd.0 as i64)?, int(cmd.0 as i64)?);
        audit(c"fcntl.fcntl", &[f.as_ptr(), c.as_ptr(), arg.map_or(Py_None(), |a| a.ob())])?;
        let mut number: u32 = 0;
        if let Some(arg) = arg {
            if let Some(data) = text_or_bytes(arg.ob())? {
                if data.len() > BUFFER {
                    bail!(PyExc_ValueError, "fcntl string arg too long");
                }
                let mut buf = [0u8; BUFFER];
                buf[..data.len()].copy_from_slice(&data);
                check(retry(|| libc::fcntl(fd.0, cmd.0, buf.as_mut_ptr()))?)?;
                return bytes(&buf[..data.len()]);
            }
            let n = PyLong_AsUnsignedLongMask(arg.ob());
            if n == c_ulong::MAX && err_occurred() {
                return Err(Raised::assume());
            }
            number = n as u32;
        }
        int(check(retry(|| libc::fcntl(fd.0, cmd.0, number as c_int))?)? as i64)
    }
}

fn fcntl_ioctl(_: (), fd: Fildes, request: u32, arg: Option<Borrowed<'_>>, mutate_flag: bool) -> PyResult<Owned> {
    // SAFETY: live; buffers are at least as large as the caller says.
    unsafe {
        let (f, r) = (int(fd.0 as i64)?, int(request as i64)?);
        audit(c"fcntl.ioctl", &[f.as_ptr(), r.as_ptr(), arg.map_or(Py_None(), |a| a.ob())])?;
        let code = request as c_ulong;
        let mut number: c_int = 0;
        if let Some(arg) = arg {
            let writable = if PyObject_CheckBuffer(arg.ob()) != 0 { BufferView::get_writable(arg.ob()) } else { Err(raise!(PyExc_TypeError, "")) };
            match writable {
                Ok(view) => {
                    let (p, len) = (view.raw().buf.cast::<u8>(), view.raw().len as usize);
                    if len > BUFFER {
                        if !mutate_flag {
                            bail!(PyExc_ValueError, "ioctl string arg too long");
                        }
                        return int(check(libc::ioctl(fd.0, code, p))? as i64);
                    }
                    let mut buf = [0u8; BUFFER + 1];
                    core::ptr::copy_nonoverlapping(p, buf.as_mut_ptr(), len);
                    let r = allow_threads(|| libc::ioctl(fd.0, code, buf.as_mut_ptr()));
                    let e = errno();
                    if mutate_flag {
                        core::ptr::copy_nonoverlapping(buf.as_ptr(), p, len);
                    }
                    set_errno(e);
                    let r = check(r)?;
                    return if mutate_flag { int(r as i64) } else { bytes(&buf[..len]) };
                }
                Err(e) => e.clear(),
            }
            if let Some(data) = text_or_bytes(arg.ob())? {
                if data.len() > BUFFER {
                    bail!(PyExc_ValueError, "ioctl string arg too long");
                }
                let mut buf = [0u8; BUFFER + 1];
                buf[..data.len()].copy_from_slice(&data);
                check(allow_threads(|| libc::ioctl(fd.0, code, buf.as_mut_ptr())))?;
                return bytes(&buf[..data.len()]);
            }
            if PyIndex_Check(arg.ob()) == 0 {
                bail!(PyExc_TypeError, "ioctl requires a file or file descriptor, an integer and optionally an integer or buffer argument");
            }
            number = as_int(arg.ob())?;
        }
        int(check(allow_threads(|| libc::ioctl(fd.0, code, number)))? as i64)
    }
}

fn fcntl_flock(_: (), fd: Fildes, operation: CInt) -> PyResult<()> {
    audit_ints(c"fcntl.flock", [fd.0 as i64, operation.0 as i64])?;
    // SAFETY: plain system call.
    check(retry(|| unsafe { libc::flock(fd.0, operation.0) })?).map(drop)
}

fn fcntl_lockf(_: (), fd: Fildes, cmd: CInt, len: Option<Borrowed<'_>>, start: Option<Borrowed<'_>>, whence: i32) -> PyResult<()> {
    // SAFETY: live; plain system call.
    unsafe {
        let (f, c, w) = (int(fd.0 as i64)?, int(cmd.0 as i64)?, int(whence as i64)?);
        let or_none = |o: Option<Borrowed<'_>>| o.map_or(Py_None(), |o| o.ob());
        audit(c"fcntl.lockf", &[f.as_ptr(), c.as_ptr(), or_none(len), or_none(start), w.as_ptr()])?;
        let code = cmd.0;
        let mut l: libc::flock = core::mem::zeroed();
        l.l_type = if code == libc::LOCK_UN {
            libc::F_UNLCK as i16
        } else if code & libc::LOCK_SH != 0 {
            libc::F_RDLCK as i16
        } else if code & libc::LOCK_EX != 0 {
            libc::F_WRLCK as i16
        } else {
            bail!(PyExc_ValueError, "unrecognized lockf argument");
        };
        if let Some(s) = start {
            l.l_start = as_long(s.ob())?;
        }
        if let Some(n) = len {
            l.l_len = as_long(n.ob())?;
        }
        l.l_whence = whence as i16;
        let op = if code & libc::LOCK_NB != 0 { libc::F_SETLK } else { libc::F_SETLKW };
        check(retry(|| libc::fcntl(fd.0, op, &mut l))?).map(drop)
    }
}

methods! {
    static METHODS = [
        "fcntl($module, fd, cmd, arg=0, /)" => fcntl_or_default, "Do cmd on a descriptor. The argument is an int, or bytes of at most 1024, of which a changed copy is returned.";
        "ioctl($module, fd, request, arg=0, mutate_flag=True, /)" => ioctl_or_default, "Do request on a descriptor. The argument is an int or a buffer; a writable buffer is\nchanged if mutate_flag, otherwise a changed copy is returned.";
        "flock($module, fd, operation, /)" => fcntl_flock, "Lock a file.";
        "lockf($module, fd, cmd, len=0, start=0, whence=0, /)" => lockf_or_default, "Lock a part of a file by fcntl().";
    ];
}

/// An object that may be left out, whatever its default is shown as.
struct Maybe<'a>(Option<Borrowed<'a>>);
impl<'a> taipan_clinic::FromArg<'a> for Maybe<'a> {
    unsafe fn from_arg(arg: *mut PyObject, _: taipan_clinic::from_arg::Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        Ok(Maybe(unsafe { Borrowed::from_ptr_or_opt(arg) }))
    }
}
fn fcntl_or_default(_: (), fd: Fildes, cmd: CInt, arg: Maybe<'_>) -> PyResult<Owned> {
    fcntl_fcntl((), fd, cmd, arg.0)
}
fn ioctl_or_default(_: (), fd: Fildes, request: u32, arg: Maybe<'_>, mutate_flag: bool) -> PyResult<Owned> {
    fcntl_ioctl((), fd, request, arg.0, mutate_flag)
}
fn lockf_or_default(_: (), fd: Fildes, cmd: CInt, len: Maybe<'_>, start: Maybe<'_>, whence: i32) -> PyResult<()> {
    fcntl_lockf((), fd, cmd, len.0, start.0, whence)
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    add_ints(module, crate::names::FCNTL_CONSTANTS)
}

module! {
    /// Entry point of `fcntl`.
    pub fn PyInit_fcntl = "fcntl", "File control and I/O control on descriptors: fcntl() and ioctl() of Unix.", methods: METHODS, exec: exec;
}
