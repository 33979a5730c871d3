//! Files by descriptor: opening, reading, writing, copying, pipes, terminals, event and timer descriptors.

use crate::path::*;
use crate::support::*;
use core::ffi::{c_char, c_int, c_uint};
use taipan_abi::*;
use taipan_clinic::{BufferView, methods};

/// Most bytes that one call transfers (`_PY_READ_MAX`).
const READ_MAX: isize = isize::MAX;

fn os_open(_: (), path: Path, flags: CInt, mode: CIntOr<511>, dir_fd: DirFd) -> PyResult<i32> {
    let flags = flags.0 | libc::O_CLOEXEC;
    // SAFETY: live; plain system call.
    unsafe {
        audit_mixed(c"open", &[path.ob(), Py_None()], &[flags as i64])?;
        let p = path.as_ptr();
        let fd = retry(|| libc::openat(dir_fd.0, p, flags, mode.0 as c_uint))?;
        if fd < 0 { Err(path.error()) } else { Ok(fd) }
    }
}

fn os_close(_: (), fd: CInt) -> PyResult<()> {
    // An interrupted close is not repeated: the descriptor is free already.
    // SAFETY: plain system call.
    check(allow_threads(|| unsafe { libc::close(fd.0) })).map(drop)
}

fn os_closerange(_: (), fd_low: CInt, fd_high: CInt) -> PyResult<()> {
    let (low, high) = (fd_low.0.max(0), fd_high.0);
    if high > low {
        // SAFETY: plain system calls.
        allow_threads(|| unsafe {
            if libc::close_range(low as c_uint, (high - 1) as c_uint, 0) != 0 {
                for fd in low..high {
                    libc::close(fd);
                }
            }
        });
    }
    Ok(())
}

fn os_dup(_: (), fd: CInt) -> PyResult<i32> {
    // SAFETY: plain system call.
    check(allow_threads(|| unsafe { libc::fcntl(fd.0, libc::F_DUPFD_CLOEXEC, 0) }))
}

fn os_dup2(_: (), fd: CInt, fd2: CInt, inheritable: bool) -> PyResult<i32> {
    // SAFETY: plain system calls.
    let r = allow_threads(|| unsafe {
        if inheritable {
            libc::dup2(fd.0, fd2.0)
        } else if fd.0 == fd2.0 {
            // dup3 refuses this, dup2 only checks the descriptor.
            let r = libc::dup2(fd.0, fd2.0);
            if r >= 0 {
                libc::fcntl(r, libc::F_SETFD, libc::FD_CLOEXEC);
            }
            r
        } else {
            libc::dup3(fd.0, fd2.0, libc::O_CLOEXEC)
        }
    });
    check(r)
}

fn os_lockf(_: (), fd: CInt, command: CInt, length: i64) -> PyResult<()> {
    audit_ints(c"os.lockf", [fd.0 as i64, command.0 as i64, length])?;
    // SAFETY: plain system call.
    check(allow_threads(|| unsafe { libc::lockf(fd.0, command.0, length) })).map(drop)
}

fn os_lseek(_: (), fd: CInt, position: i64, how: CInt) -> PyResult<i64> {
    // SAFETY: plain system call.
    let r = allow_threads(|| unsafe { libc::lseek(fd.0, position, how.0) });
    if r < 0 { Err(posix_error()) } else { Ok(r) }
}

/// A bytes object that `f` fills; `f` returns how much it wrote, or -1.
fn read_bytes(length: isize, mut f: impl FnMut(*mut u8, usize) -> isize) -> PyResult<Owned> {
    if length < 0 {
        return Err(posix_error_from(libc::EINVAL));
    }
    let length = length.min(READ_MAX);
    // SAFETY: [OWN] the new bytes object is shared with nobody until it is complete.
    unsafe {
        let buffer = own(PyBytes_FromStringAndSize(core::ptr::null(), length))?;
        let p = PyBytes_AsString(buffer.as_ptr()).cast::<u8>();
        let n = retry(|| f(p, length as usize))?;
        if n < 0 {
            return Err(posix_error());
        }
        let mut raw = buffer.into_raw();
        if n != length && _PyBytes_Resize(&mut raw, n) < 0 {
            return Err(Raised::assume());
        }
        Ok(Owned::from_owned(raw))
    }
}

fn os_read(_: (), fd: CInt, length: isize) -> PyResult<Owned> {
    // SAFETY: the buffer has the size told.
    read_bytes(length, |p, n| unsafe { libc::read(fd.0, p.cast(), n) })
}
fn os_pread(_: (), fd: CInt, length: isize, offset: i64) -> PyResult<Owned> {
    // SAFETY: the buffer has the size told.
    read_bytes(length, |p, n| unsafe { libc::pread(fd.0, p.cast(), n, offset) })
}

fn written(r: isize) -> PyResult<isize> {
    if r < 0 { Err(posix_error()) } else { Ok(r) }
}

fn os_write(_: (), fd: CInt, data: BufferView) -> PyResult<isize> {
    let b = data.as_bytes();
    // SAFETY: the buffer is valid.
    written(retry(|| unsafe { libc::write(fd.0, b.as_ptr().cast(), b.len()) })?)
}
fn os_pwrite(_: (), fd: CInt, buffer: BufferView, offset: i64) -> PyResult<isize> {
    let b = buffer.as_bytes();
    // SAFETY: the buffer is valid.
    written(retry(|| unsafe { libc::pwrite(fd.0, b.as_ptr().cast(), b.len(), offset) })?)
}

/// The buffers of a sequence, and what the system wants to know of them.
fn iov_setup(buffers: Borrowed<'_>, writable: bool, message: &str) -> PyResult<(Vec<BufferView>, Vec<libc::iovec>)> {
    // SAFETY: live; views keep their buffers valid.
    unsafe {
        if PySequence_Check(buffers.ob()) == 0 {
            bail!(PyExc_TypeError, "{message} must be a sequence");
        }
        let n = PySequence_Size(buffers.ob());
        if n < 0 {
            return Err(Raised::assume());
        }
        let mut views = crate::support::room(n)?;
        let mut iov = crate::support::room(n)?;
        for i in 0..n {
            let item = own(PySequence_GetItem(buffers.ob(), i))?;
            let view = if writable { BufferView::get_writable(item.as_ptr())? } else { BufferView::get(item.as_ptr())? };
            iov.push(libc::iovec { iov_base: view.raw().buf, iov_len: view.raw().len as usize });
            views.push(view);
        }
        Ok((views, iov))
    }
}

fn os_readv(_: (), fd: CInt, buffers: Borrowed<'_>) -> PyResult<isize> {
    let (_views, iov) = iov_setup(buffers, true, "readv() arg 2")?;
    // SAFETY: the views keep the memory valid.
    written(retry(|| unsafe { libc::readv(fd.0, iov.as_ptr(), iov.len() as c_int) })?)
}
fn os_preadv(_: (), fd: CInt, buffers: Borrowed<'_>, offset: i64, flags: i32) -> PyResult<isize> {
    let (_views, iov) = iov_setup(buffers, true, "preadv2() arg 2")?;
    // SAFETY: the views keep the memory valid.
    written(retry(|| unsafe { libc::preadv2(fd.0, iov.as_ptr(), iov.len() as c_int, offset, flags) })?)
}
fn os_writev(_: (), fd: CInt, buffers: Borrowed<'_>) -> PyResult<isize> {
    let (_views, iov) = iov_setup(buffers, false, "writev() arg 2")?;
    // SAFETY: the views keep the memory valid.
    written(retry(|| unsafe { libc::writev(fd.0, iov.as_ptr(), iov.len() as c_int) })?)
}
fn os_pwritev(_: (), fd: CInt, buffers: Borrowed<'_>, offset: i64, flags: i32) -> PyResult<isize> {
    let (_views, iov) = iov_setup(buffers, false, "pwritev() arg 2")?;
    // SAFETY: the views keep the memory valid.
    written(retry(|| unsafe { libc::pwritev2(fd.0, iov.as_ptr(), iov.len() as c_int, offset, flags) })?)
}

/// An optional file offset.
fn optional_offset(op: Option<Borrowed<'_>>) -> PyResult<Option<i64>> {
    let Some(op) = op else { return Ok(None) };
    // SAFETY: live.
    unsafe {
        let n = PyLong_AsLongLong(op.ob());
        if n == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(Some(n)) }
    }
}

fn os_sendfile(_: (), out_fd: CInt, in_fd: CInt, offset: Option<Borrowed<'_>>, count: isize) -> PyResult<isize> {
    let offset = offset.filter(|o| !o.is_none());
    let mut off = optional_offset(offset)?;
    // SAFETY: plain system call.
    written(retry(|| unsafe {
        let p = off.as_mut().map_or(core::ptr::null_mut(), |o| o as *mut i64);
        libc::sendfile(out_fd.0, in_fd.0, p, count as usize)
    })?)
}

fn check_count(count: isize) -> PyResult<usize> {
    usize::try_from(count).map_err(|_| raise!(PyExc_ValueError, "negative value for 'count' not allowed"))
}

fn os_copy_file_range(
    _: (),
    src: CInt,
    dst: CInt,
    count: isize,
    offset_src: Option<Borrowed<'_>>,
    offset_dst: Option<Borrowed<'_>>,
) -> PyResult<isize> {
    let count = check_count(count)?;
    let (mut a, mut b) = (optional_offset(offset_src)?, optional_offset(offset_dst)?);
    // SAFETY: plain system call.
    written(retry(|| unsafe {
        let pa = a.as_mut().map_or(core::ptr::null_mut(), |o| o as *mut i64);
        let pb = b.as_mut().map_or(core::ptr::null_mut(), |o| o as *mut i64);
        libc::copy_file_range(src.0, pa, dst.0, pb, count, 0)
    })?)
}

fn os_splice(
    _: (),
    src: CInt,
    dst: CInt,
    count: isize,
    offset_src: Option<Borrowed<'_>>,
    offset_dst: Option<Borrowed<'_>>,
    flags: u32,
) -> PyResult<isize> {
    let count = check_count(count)?;
    let (mut a, mut b) = (optional_offset(offset_src)?, optional_offset(offset_dst)?);
    // SAFETY: plain system call.
    written(retry(|| unsafe {
        let pa = a.as_mut().map_or(core::ptr::null_mut(), |o| o as *mut i64);
        let pb = b.as_mut().map_or(core::ptr::null_mut(), |o| o as *mut i64);
        libc::splice(src.0, pa, dst.0, pb, count, flags)
    })?)
}

fn os_ftruncate(_: (), fd: CInt, length: i64) -> PyResult<()> {
    crate::fs::ftruncate(fd.0, length)
}
fn os_posix_fallocate(_: (), fd: CInt, offset: i64, length: i64) -> PyResult<()> {
    loop {
        // SAFETY: plain system call.
        let r = allow_threads(|| unsafe { libc::posix_fallocate(fd.0, offset, length) });
        match r {
            0 => return Ok(()),
            libc::EINTR => check_signals()?,
            _ => return Err(posix_error_from(r)),
        }
    }
}
fn os_posix_fadvise(_: (), fd: CInt, offset: i64, length: i64, advice: CInt) -> PyResult<()> {
    loop {
        // SAFETY: plain system call.
        let r = allow_threads(|| unsafe { libc::posix_fadvise(fd.0, offset, length, advice.0) });
        match r {
            0 => return Ok(()),
            libc::EINTR => check_signals()?,
            _ => return Err(posix_error_from(r)),
        }
    }
}

fn os_fsync(_: (), fd: Fildes) -> PyResult<()> {
    // SAFETY: plain system call.
    check(retry(|| unsafe { libc::fsync(fd.0) })?).map(drop)
}
fn os_fdatasync(_: (), fd: Fildes) -> PyResult<()> {
    // SAFETY: plain system call.
    check(retry(|| unsafe { libc::fdatasync(fd.0) })?).map(drop)
}
fn os_sync(_: ()) -> PyResult<()> {
    // SAFETY: plain system call.
    allow_threads(|| unsafe { libc::sync() });
    Ok(())
}

fn os_pipe(_: ()) -> PyResult<Owned> {
    pipe(libc::O_CLOEXEC)
}
fn os_pipe2(_: (), flags: CInt) -> PyResult<Owned> {
    pipe(flags.0)
}
fn pipe(flags: c_int) -> PyResult<Owned> {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors.
    check(allow_threads(|| unsafe { libc::pipe2(fds.as_mut_ptr(), flags) }))?;
    tuple([int(fds[0] as i64)?, int(fds[1] as i64)?])
}

// ---- inheritance and blocking

fn os_get_inheritable(_: (), fd: CInt) -> PyResult<bool> {
    // SAFETY: plain system call.
    let flags = check(unsafe { libc::fcntl(fd.0, libc::F_GETFD) })?;
    Ok(flags & libc::FD_CLOEXEC == 0)
}
/// Lets child processes inherit a descriptor or not.
pub fn set_inheritable(fd: c_int, inheritable: bool) -> PyResult<()> {
    // SAFETY: plain system calls.
    unsafe {
        // A descriptor of O_PATH has flags, but refuses ioctl: fcntl it is.
        let flags = check(libc::fcntl(fd, libc::F_GETFD))?;
        let new = if inheritable { flags & !libc::FD_CLOEXEC } else { flags | libc::FD_CLOEXEC };
        if new != flags {
            check(libc::fcntl(fd, libc::F_SETFD, new))?;
        }
    }
    Ok(())
}
fn os_set_inheritable(_: (), fd: CInt, inheritable: CInt) -> PyResult<()> {
    set_inheritable(fd.0, inheritable.0 != 0)
}
fn os_get_blocking(_: (), fd: CInt) -> PyResult<bool> {
    // SAFETY: plain system call.
    let flags = check(unsafe { libc::fcntl(fd.0, libc::F_GETFL) })?;
    Ok(flags & libc::O_NONBLOCK == 0)
}
fn os_set_blocking(_: (), fd: CInt, blocking: bool) -> PyResult<()> {
    let mut arg: c_int = !blocking as c_int;
    // SAFETY: plain system call.
    check(unsafe { libc::ioctl(fd.0, libc::FIONBIO, &mut arg) }).map(drop)
}

// ---- terminals

/// `os.terminal_size`.
pub static TERMINAL_SIZE: StructType = StructType::new(
    c"os.terminal_size",
    c"A tuple of (columns, lines) for holding terminal window size",
    &[
        (c"columns", c"width of the terminal window in characters"),
        (c"lines", c"height of the terminal window in characters"),
    ],
    2,
);

fn os_get_terminal_size(_: (), fd: Option<CInt>) -> PyResult<Owned> {
    let fd = fd.map_or(1, |f| f.0);
    // SAFETY: plain system call.
    unsafe {
        let mut w: libc::winsize = core::mem::zeroed();
        check(libc::ioctl(fd, libc::TIOCGWINSZ, &mut w))?;
        TERMINAL_SIZE.build([int(w.ws_col as i64)?, int(w.ws_row as i64)?])
    }
}

fn os_isatty(_: (), fd: CInt) -> PyResult<bool> {
    // SAFETY: plain system call.
    Ok(allow_threads(|| unsafe { libc::isatty(fd.0) }) != 0)
}
fn os_ttyname(_: (), fd: CInt) -> PyResult<Owned> {
    let mut buf = [0u8; 4096];
    // SAFETY: the buffer has the size told.
    unsafe {
        let r = allow_threads(|| libc::ttyname_r(fd.0, buf.as_mut_ptr().cast(), buf.len()));
        if r != 0 {
            return Err(posix_error_from(r));
        }
        fsdecode(c_bytes(buf.as_ptr().cast()))
    }
}
fn os_ctermid(_: ()) -> PyResult<Owned> {
    unsafe extern "C" {
        fn ctermid(s: *mut c_char) -> *mut c_char;
    }
    let mut buf = [0u8; 64];
    // SAFETY: L_ctermid is 9.
    unsafe {
        if ctermid(buf.as_mut_ptr().cast()).is_null() {
            return Err(posix_error());
        }
        fsdecode(c_bytes(buf.as_ptr().cast()))
    }
}
fn os_device_encoding(_: (), fd: CInt) -> PyResult<Owned> {
    unsafe extern "C" {
        fn _Py_device_encoding(fd: c_int) -> *mut PyObject;
    }
    // SAFETY: [GIL]
    unsafe { own(_Py_device_encoding(fd.0)) }
}
fn os_posix_openpt(_: (), oflag: CInt) -> PyResult<i32> {
    // SAFETY: plain system call.
    let fd = check(unsafe { libc::posix_openpt(oflag.0 | libc::O_CLOEXEC) })?;
    set_inheritable(fd, false)?;
    Ok(fd)
}
fn os_grantpt(_: (), fd: Fildes) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::grantpt(fd.0) }).map(drop)
}
fn os_unlockpt(_: (), fd: Fildes) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::unlockpt(fd.0) }).map(drop)
}
fn os_ptsname(_: (), fd: Fildes) -> PyResult<Owned> {
    let mut buf = [0u8; 4096];
    // SAFETY: the buffer has the size told.
    unsafe {
        let r = libc::ptsname_r(fd.0, buf.as_mut_ptr().cast(), buf.len());
        if r != 0 {
            return Err(posix_error_from(if r == -1 { errno() } else { r }));
        }
        fsdecode(c_bytes(buf.as_ptr().cast()))
    }
}
fn os_openpty(_: ()) -> PyResult<Owned> {
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: plain system call; the rest is optional.
    unsafe {
        check(libc::openpty(&mut master, &mut slave, core::ptr::null_mut(), core::ptr::null(), core::ptr::null()))?;
    }
    let made = set_inheritable(master, false)
        .and_then(|()| set_inheritable(slave, false))
        .and_then(|()| tuple([int(master as i64)?, int(slave as i64)?]));
    if made.is_err() {
        // SAFETY: plain system calls on our own descriptors.
        unsafe {
            libc::close(master);
            libc::close(slave);
        }
    }
    made
}
fn os_login_tty(_: (), fd: Fildes) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::login_tty(fd.0) }).map(drop)
}
fn os_tcgetpgrp(_: (), fd: CInt) -> PyResult<i32> {
    // SAFETY: plain system call.
    check(unsafe { libc::tcgetpgrp(fd.0) })
}
fn os_tcsetpgrp(_: (), fd: CInt, pgid: CInt) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::tcsetpgrp(fd.0, pgid.0) }).map(drop)
}

// ---- memory, event and timer descriptors

fn os_memfd_create(_: (), name: FsBytes, flags: Option<u32>) -> PyResult<i32> {
    let (p, flags) = (name.as_ptr(), flags.unwrap_or(libc::MFD_CLOEXEC));
    // SAFETY: NUL-terminated name.
    check(allow_threads(|| unsafe { libc::memfd_create(p, flags) }))
}
fn os_eventfd(_: (), initval: EventCount, flags: Option<CInt>) -> PyResult<i32> {
    let flags = flags.map_or(libc::EFD_CLOEXEC, |f| f.0);
    // SAFETY: plain system call.
    check(allow_threads(|| unsafe { libc::eventfd(initval.0, flags) }))
}
/// An unsigned int that must fit.
#[derive(Clone, Copy)]
struct EventCount(c_uint);
impl<'a> taipan_clinic::FromArg<'a> for EventCount {
    unsafe fn from_arg(arg: *mut PyObject, _: taipan_clinic::from_arg::Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        Ok(EventCount(unsafe { unsigned(arg, c_uint::MAX as u64, "unsigned int")? } as c_uint))
    }
}
/// A 64-bit counter.
#[derive(Clone, Copy)]
struct Counter(u64);
impl<'a> taipan_clinic::FromArg<'a> for Counter {
    unsafe fn from_arg(arg: *mut PyObject, _: taipan_clinic::from_arg::Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        Ok(Counter(unsafe { unsigned(arg, u64::MAX, "unsigned long long")? }))
    }
}
fn os_eventfd_read(_: (), fd: Fildes) -> PyResult<u64> {
    let mut value = 0u64;
    // SAFETY: eight bytes of room.
    let n = allow_threads(|| unsafe { libc::read(fd.0, (&raw mut value).cast(), 8) });
    if n == 8 { Ok(value) } else { Err(posix_error()) }
}
fn os_eventfd_write(_: (), fd: Fildes, value: Counter) -> PyResult<()> {
    // SAFETY: eight bytes.
    let n = allow_threads(|| unsafe { libc::write(fd.0, (&raw const value.0).cast(), 8) });
    if n == 8 { Ok(()) } else { Err(posix_error()) }
}

fn timespec_of_ns(ns: i64) -> libc::timespec {
    libc::timespec { tv_sec: ns.div_euclid(1_000_000_000), tv_nsec: ns.rem_euclid(1_000_000_000) }
}
fn ns_of_seconds(x: Option<f64>) -> PyResult<i64> {
    let x = x.unwrap_or(0.0);
    if x.is_nan() {
        bail!(PyExc_ValueError, "Invalid value NaN (not a number)");
    }
    let ns = (x * 1e9).floor();
    if !(-9223372036854775808.0..9223372036854775808.0).contains(&ns) {
        bail!(PyExc_OverflowError, "timestamp out of range for platform time_t");
    }
    Ok(ns as i64)
}
fn seconds_tuple(v: &libc::itimerspec) -> PyResult<Owned> {
    let f = |t: &libc::timespec| float(t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9);
    tuple([f(&v.it_value)?, f(&v.it_interval)?])
}
fn ns_tuple(v: &libc::itimerspec) -> PyResult<Owned> {
    let f = |t: &libc::timespec| int(t.tv_sec * 1_000_000_000 + t.tv_nsec);
    tuple([f(&v.it_value)?, f(&v.it_interval)?])
}
fn os_timerfd_create(_: (), clockid: CInt, flags: i32) -> PyResult<i32> {
    // SAFETY: plain system call.
    check(allow_threads(|| unsafe { libc::timerfd_create(clockid.0, flags | libc::TFD_CLOEXEC) }))
}
fn timerfd_settime(fd: c_int, flags: c_int, initial: i64, interval: i64) -> PyResult<libc::itimerspec> {
    let new = libc::itimerspec { it_value: timespec_of_ns(initial), it_interval: timespec_of_ns(interval) };
    // SAFETY: plain system call.
    unsafe {
        let mut old: libc::itimerspec = core::mem::zeroed();
        check(allow_threads(|| libc::timerfd_settime(fd, flags, &new, &mut old)))?;
        Ok(old)
    }
}
fn os_timerfd_settime(_: (), fd: Fildes, flags: i32, initial: Option<f64>, interval: Option<f64>) -> PyResult<Owned> {
    seconds_tuple(&timerfd_settime(fd.0, flags, ns_of_seconds(initial)?, ns_of_seconds(interval)?)?)
}
fn os_timerfd_settime_ns(_: (), fd: Fildes, flags: i32, initial: i64, interval: i64) -> PyResult<Owned> {
    ns_tuple(&timerfd_settime(fd.0, flags, initial, interval)?)
}
fn timerfd_gettime(fd: c_int) -> PyResult<libc::itimerspec> {
    // SAFETY: plain system call.
    unsafe {
        let mut v: libc::itimerspec = core::mem::zeroed();
        check(allow_threads(|| libc::timerfd_gettime(fd, &mut v)))?;
        Ok(v)
    }
}
fn os_timerfd_gettime(_: (), fd: Fildes) -> PyResult<Owned> {
    seconds_tuple(&timerfd_gettime(fd.0)?)
}
fn os_timerfd_gettime_ns(_: (), fd: Fildes) -> PyResult<Owned> {
    ns_tuple(&timerfd_gettime(fd.0)?)
}

/// The constants of this file.
pub const CONSTANTS: &[(&str, i64)] = crate::libc_constants! {
    O_RDONLY O_WRONLY O_RDWR O_NDELAY O_NONBLOCK O_APPEND O_DSYNC O_RSYNC O_SYNC O_NOCTTY O_CREAT O_EXCL O_TRUNC
    O_LARGEFILE O_PATH O_TMPFILE O_CLOEXEC O_ACCMODE O_ASYNC O_DIRECT O_DIRECTORY O_NOFOLLOW O_NOATIME O_FSYNC
    F_LOCK F_TLOCK F_ULOCK F_TEST SEEK_DATA SEEK_HOLE
    POSIX_FADV_NORMAL POSIX_FADV_SEQUENTIAL POSIX_FADV_RANDOM POSIX_FADV_NOREUSE POSIX_FADV_WILLNEED POSIX_FADV_DONTNEED
    RWF_DSYNC RWF_HIPRI RWF_SYNC RWF_NOWAIT RWF_APPEND SPLICE_F_MOVE SPLICE_F_NONBLOCK SPLICE_F_MORE
    EFD_CLOEXEC EFD_NONBLOCK EFD_SEMAPHORE TFD_NONBLOCK TFD_CLOEXEC TFD_TIMER_ABSTIME TFD_TIMER_CANCEL_ON_SET
    MFD_CLOEXEC MFD_ALLOW_SEALING MFD_HUGETLB MFD_HUGE_SHIFT MFD_HUGE_MASK MFD_HUGE_64KB MFD_HUGE_512KB MFD_HUGE_1MB
    MFD_HUGE_2MB MFD_HUGE_8MB MFD_HUGE_16MB MFD_HUGE_32MB MFD_HUGE_256MB MFD_HUGE_512MB MFD_HUGE_1GB MFD_HUGE_2GB
    MFD_HUGE_16GB
};

methods! {
    /// Functions of this file.
    pub static METHODS = [
        "open($module, /, path, flags, mode=511, *, dir_fd=None)" => os_open, "Open a file; returns its descriptor.";
        "close($module, /, fd)" => os_close, "Close a descriptor.";
        "closerange($module, fd_low, fd_high, /)" => os_closerange, "Close all descriptors from fd_low to below fd_high.";
        "dup($module, fd, /)" => os_dup, "A duplicate of a descriptor.";
        "dup2($module, /, fd, fd2, inheritable=True)" => os_dup2, "Make fd2 a duplicate of fd.";
        "lockf($module, fd, command, length, /)" => os_lockf, "Lock a part of a file.";
        "lseek($module, fd, position, whence, /)" => os_lseek, "Set the position in a file.";
        "read($module, fd, length, /)" => os_read, "Read at most length bytes.";
        "readv($module, fd, buffers, /)" => os_readv, "Read into several buffers.";
        "pread($module, fd, length, offset, /)" => os_pread, "Read at an offset, keeping the position.";
        "preadv($module, fd, buffers, offset, flags=0, /)" => os_preadv, "Read into several buffers at an offset.";
        "write($module, fd, data, /)" => os_write, "Write bytes; returns how many.";
        "writev($module, fd, buffers, /)" => os_writev, "Write several buffers.";
        "pwrite($module, fd, buffer, offset, /)" => os_pwrite, "Write at an offset, keeping the position.";
        "pwritev($module, fd, buffers, offset, flags=0, /)" => os_pwritev, "Write several buffers at an offset.";
        "sendfile($module, /, out_fd, in_fd, offset, count)" => os_sendfile, "Copy from one descriptor to another.";
        "copy_file_range($module, /, src, dst, count, offset_src=None, offset_dst=None)" => os_copy_file_range, "Copy from one file to another inside the kernel.";
        "splice($module, /, src, dst, count, offset_src=None, offset_dst=None, flags=0)" => os_splice, "Move data between a pipe and a descriptor.";
        "ftruncate($module, fd, length, /)" => os_ftruncate, "Make an open file length bytes long.";
        "posix_fallocate($module, fd, offset, length, /)" => os_posix_fallocate, "Make sure that a file has disk space.";
        "posix_fadvise($module, fd, offset, length, advice, /)" => os_posix_fadvise, "Announce how a file will be used.";
        "fsync($module, /, fd)" => os_fsync, "Write a file to disk.";
        "fdatasync($module, /, fd)" => os_fdatasync, "Write a file's data to disk.";
        "sync($module, /)" => os_sync, "Write everything to disk.";
        "pipe($module, /)" => os_pipe, "A pipe as (read end, write end).";
        "pipe2($module, flags, /)" => os_pipe2, "A pipe with flags.";
        "get_inheritable($module, fd, /)" => os_get_inheritable, "Whether child processes inherit a descriptor.";
        "set_inheritable($module, fd, inheritable, /)" => os_set_inheritable, "Let child processes inherit a descriptor or not.";
        "get_blocking($module, fd, /)" => os_get_blocking, "Whether a descriptor blocks.";
        "set_blocking($module, fd, blocking, /)" => os_set_blocking, "Let a descriptor block or not.";
        "get_terminal_size($module, fd=<unrepresentable>, /)" => os_get_terminal_size, "Size of a terminal as (columns, lines).";
        "isatty($module, fd, /)" => os_isatty, "Whether a descriptor is a terminal.";
        "ttyname($module, fd, /)" => os_ttyname, "Name of the terminal of a descriptor.";
        "ctermid($module, /)" => os_ctermid, "Name of the controlling terminal.";
        "device_encoding($module, /, fd)" => os_device_encoding, "Encoding of a terminal, None if the descriptor is none.";
        "posix_openpt($module, oflag, /)" => os_posix_openpt, "Open the master end of a pseudo-terminal.";
        "grantpt($module, fd, /)" => os_grantpt, "Grant access to the slave end.";
        "unlockpt($module, fd, /)" => os_unlockpt, "Unlock the slave end.";
        "ptsname($module, fd, /)" => os_ptsname, "Name of the slave end.";
        "openpty($module, /)" => os_openpty, "A pseudo-terminal as (master, slave).";
        "login_tty($module, fd, /)" => os_login_tty, "Make a terminal the controlling one of a new session.";
        "tcgetpgrp($module, fd, /)" => os_tcgetpgrp, "Foreground process group of a terminal.";
        "tcsetpgrp($module, fd, pgid, /)" => os_tcsetpgrp, "Set the foreground process group of a terminal.";
        "memfd_create($module, /, name, flags=MFD_CLOEXEC)" => os_memfd_create, "A file in memory.";
        "eventfd($module, /, initval, flags=EFD_CLOEXEC)" => os_eventfd, "A descriptor that counts events.";
        "eventfd_read($module, /, fd)" => os_eventfd_read, "Read an event counter.";
        "eventfd_write($module, /, fd, value)" => os_eventfd_write, "Add to an event counter.";
        "timerfd_create($module, clockid, /, *, flags=0)" => os_timerfd_create, "A descriptor of a timer.";
        "timerfd_settime($module, fd, /, *, flags=0, initial=0.0, interval=0.0)" => os_timerfd_settime, "Set a timer, in seconds.";
        "timerfd_settime_ns($module, fd, /, *, flags=0, initial=0, interval=0)" => os_timerfd_settime_ns, "Set a timer, in nanoseconds.";
        "timerfd_gettime($module, fd, /)" => os_timerfd_gettime, "(next expiration, interval) of a timer in seconds.";
        "timerfd_gettime_ns($module, fd, /)" => os_timerfd_gettime_ns, "(next expiration, interval) of a timer in nanoseconds.";
    ];
}
