//! The module `select`: select, poll, epoll.

use crate::path::{CInt, Fildes, unsigned};
use crate::support::*;
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, getset, methods, module, module::add_object, module::add_type};
use taipan_objects::typeobject::TYPE_INIT;

unsafe extern "C" {
    fn _PyTime_FromSecondsObject(t: *mut i64, obj: *mut PyObject, round: c_int) -> c_int;
    fn _PyTime_FromMillisecondsObject(t: *mut i64, obj: *mut PyObject, round: c_int) -> c_int;
    fn PyObject_AsFileDescriptor(o: *mut PyObject) -> c_int;
}
/// `_PyTime_ROUND_UP`.
const ROUND_TIMEOUT: c_int = 3;
use crate::thread::lock::monotonic;

/// A timeout in nanoseconds, `None` for `None`; `message` replaces the TypeError's.
fn timeout_ns(
    op: Option<Borrowed<'_>>,
    convert: unsafe extern "C" fn(*mut i64, *mut PyObject, c_int) -> c_int,
    message: &str,
) -> PyResult<Option<i64>> {
    let Some(op) = op.filter(|o| !o.is_none()) else { return Ok(None) };
    let mut t = 0;
    // SAFETY: live.
    unsafe {
        if convert(&mut t, op.ob(), ROUND_TIMEOUT) < 0 {
            if PyErr_ExceptionMatches(PyExc_TypeError) != 0 {
                PyErr_Clear();
                bail!(PyExc_TypeError, "{message}");
            }
            return Err(Raised::assume());
        }
    }
    Ok(Some(t))
}

/// Nanoseconds as milliseconds, rounded up, for a C `int`.
fn milliseconds(ns: i64) -> PyResult<c_int> {
    let ms = if ns >= 0 { ns / 1_000_000 + (ns % 1_000_000 != 0) as i64 } else { -1 };
    if ns < 0 && ns / 1_000_000 < c_int::MIN as i64 {
        bail!(PyExc_OverflowError, "timeout is too large");
    }
    c_int::try_from(ms).map_err(|_| raise!(PyExc_OverflowError, "timeout is too large"))
}

/// Calls `f` with a timeout in milliseconds (-1: none), again after signals; 0 once the time is over.
fn wait(timeout: Option<i64>, mut f: impl FnMut(c_int) -> c_int) -> PyResult<c_int> {
    let mut ms = timeout.map_or(Ok(-1), milliseconds)?;
    let deadline = timeout.filter(|&t| t >= 0).map(|t| monotonic().saturating_add(t));
    loop {
        let n = allow_threads(|| f(ms));
        if n >= 0 {
            return Ok(n);
        }
        if errno() != libc::EINTR {
            return Err(posix_error());
        }
        check_signals()?;
        if let Some(d) = deadline {
            let left = d - monotonic();
            if left < 0 {
                return Ok(0);
            }
            ms = milliseconds(left)?;
        }
    }
}

// ---- select

/// The descriptors of a sequence with the objects they came from, and the set for the system.
struct FdSet {
    items: Vec<(Owned, c_int)>,
    set: libc::fd_set,
    max: c_int,
}

fn seq2set(seq: Borrowed<'_>) -> PyResult<FdSet> {
    // SAFETY: live; descriptors are checked against the set's size.
    unsafe {
        let mut r = FdSet { items: Vec::new(), set: core::mem::zeroed(), max: 0 };
        libc::FD_ZERO(&mut r.set);
        let fast = own(PySequence_Fast(seq.ob(), c"arguments 1-3 must be sequences".as_ptr()))?;
        let mut i = 0;
        // fileno() may shorten the list.
        while i < PySequence_Size(fast.as_ptr()) {
            let o = own(PySequence_GetItem(fast.as_ptr(), i))?;
            i += 1;
            let fd = PyObject_AsFileDescriptor(o.as_ptr());
            if fd == -1 {
                return Err(Raised::assume());
            }
            if fd as usize >= libc::FD_SETSIZE {
                bail!(PyExc_ValueError, "filedescriptor out of range in select()");
            }
            if r.items.len() >= libc::FD_SETSIZE {
                bail!(PyExc_ValueError, "too many file descriptors in select()");
            }
            libc::FD_SET(fd, &mut r.set);
            r.max = r.max.max(fd + 1);
            r.items.push((o, fd));
        }
        Ok(r)
    }
}

fn set2list(s: &FdSet, set: &libc::fd_set) -> PyResult<Owned> {
    // SAFETY: descriptors were checked.
    list(s.items.iter().filter(|(_, fd)| unsafe { libc::FD_ISSET(*fd, set) }).map(|(o, _)| o.clone()).collect::<Vec<_>>())
}

fn select_select(_: (), rlist: Borrowed<'_>, wlist: Borrowed<'_>, xlist: Borrowed<'_>, timeout: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let timeout = timeout_ns(timeout, _PyTime_FromSecondsObject, "timeout must be a float or None")?;
    if timeout.is_some_and(|t| t < 0) {
        bail!(PyExc_ValueError, "timeout must be non-negative");
    }
    let (r, w, x) = (seq2set(rlist)?, seq2set(wlist)?, seq2set(xlist)?);
    let max = r.max.max(w.max).max(x.max);
    let deadline = timeout.map(|t| monotonic().saturating_add(t));
    let mut left = timeout;
    loop {
        let (mut rs, mut ws, mut xs) = (r.set, w.set, x.set);
        let mut tv = left.map(|t| {
            let us = t / 1000 + (t % 1000 != 0) as i64;
            libc::timeval { tv_sec: us / 1_000_000, tv_usec: us % 1_000_000 }
        });
        // SAFETY: the sets and the time live during the call.
        let n = allow_threads(|| unsafe {
            let p = |s: &mut libc::fd_set, used: c_int| if used > 0 { s as *mut _ } else { null_mut() };
            let t = tv.as_mut().map_or(null_mut(), |t| t as *mut _);
            libc::select(max, p(&mut rs, r.max), p(&mut ws, w.max), p(&mut xs, x.max), t)
        });
        if n >= 0 {
            return tuple([set2list(&r, &rs)?, set2list(&w, &ws)?, set2list(&x, &xs)?]);
        }
        if errno() != libc::EINTR {
            return Err(posix_error());
        }
        check_signals()?;
        if let Some(d) = deadline {
            let t = d - monotonic();
            if t < 0 {
                return tuple([list(Vec::new())?, list(Vec::new())?, list(Vec::new())?]);
            }
            left = Some(t);
        }
    }
}

// ---- poll

/// `select.poll`.
#[repr(C)]
pub struct Poll {
    ob_base: PyObject,
    /// Registered descriptors in the order of registration.
    fds: *mut Vec<libc::pollfd>,
    running: bool,
}
type P<'a> = Borrowed<'a, Poll>;

/// An event mask that must fit 16 bits.
#[derive(Clone, Copy)]
struct EventMask(u16);
impl<'a> taipan_clinic::FromArg<'a> for EventMask {
    unsafe fn from_arg(arg: *mut PyObject, _: taipan_clinic::from_arg::Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return Ok(EventMask((libc::POLLIN | libc::POLLPRI | libc::POLLOUT) as u16));
            }
            Ok(EventMask(unsigned(arg, u16::MAX as u64, "unsigned short")? as u16))
        }
    }
}

#[allow(clippy::mut_from_ref, reason = "the GIL orders accesses; the vector is the object's own")]
fn pollfds<'a>(slf: P<'a>) -> &'a mut Vec<libc::pollfd> {
    // SAFETY: [TYPE] made with the object.
    unsafe { &mut *slf.fds }
}

fn select_poll(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL] filled at once.
    unsafe {
        let op = own(PyType_GenericAlloc(&raw mut POLL, 0))?;
        (*op.as_ptr().cast::<Poll>()).fds = Box::into_raw(Box::default());
        Ok(op)
    }
}
unsafe extern "C" fn poll_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let fds = (*op.cast::<Poll>()).fds;
        if !fds.is_null() {
            drop(Box::from_raw(fds));
        }
        PyObject_Free(op.cast());
    }
}
fn poll_register(slf: P<'_>, fd: Fildes, eventmask: EventMask) -> PyResult<()> {
    let fds = pollfds(slf);
    match fds.iter_mut().find(|p| p.fd == fd.0) {
        Some(p) => p.events = eventmask.0 as i16,
        None => fds.push(libc::pollfd { fd: fd.0, events: eventmask.0 as i16, revents: 0 }),
    }
    Ok(())
}
fn poll_modify(slf: P<'_>, fd: Fildes, eventmask: EventMask) -> PyResult<()> {
    match pollfds(slf).iter_mut().find(|p| p.fd == fd.0) {
        Some(p) => {
            p.events = eventmask.0 as i16;
            Ok(())
        }
        None => Err(posix_error_from(libc::ENOENT)),
    }
}
fn poll_unregister(slf: P<'_>, fd: Fildes) -> PyResult<()> {
    let fds = pollfds(slf);
    match fds.iter().position(|p| p.fd == fd.0) {
        Some(i) => {
            fds.remove(i);
            Ok(())
        }
        None => {
            let key = int(fd.0 as i64)?;
            // SAFETY: live.
            unsafe {
                PyErr_SetObject(PyExc_KeyError, key.as_ptr());
                Err(Raised::assume())
            }
        }
    }
}
fn poll_poll(slf: P<'_>, timeout: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let timeout = timeout_ns(timeout, _PyTime_FromMillisecondsObject, "timeout must be an integer or None")?;
    // SAFETY: [TYPE] the flag keeps other threads from using the object meanwhile; the system gets a copy, which
    // register() in another thread does not touch.
    unsafe {
        if slf.running {
            bail!(PyExc_RuntimeError, "concurrent poll() invocation");
        }
        (*slf.as_ptr()).running = true;
        let mut fds = pollfds(slf).clone();
        let n = wait(timeout, |ms| libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, ms));
        (*slf.as_ptr()).running = false;
        let n = n?;
        let mut found = Vec::new();
        if n > 0 {
            for p in fds.iter().filter(|p| p.revents != 0) {
                found.push(tuple([int(p.fd as i64)?, int((p.revents as u16) as i64)?])?);
            }
        }
        list(found)
    }
}

methods! {
    static POLL_METHODS = [
        "register($self, fd, eventmask=select.POLLIN | select.POLLPRI | select.POLLOUT, /)" => poll_register, "Watch a descriptor, or an object with fileno(), for events.";
        "modify($self, fd, eventmask, /)" => poll_modify, "Change what a descriptor is watched for.";
        "unregister($self, fd, /)" => poll_unregister, "Watch a descriptor no longer.";
        "poll($self, timeout=None, /)" => poll_poll, "Wait for events, at most timeout milliseconds.\n\nReturns a list of (descriptor, events). Without a timeout, or with a negative\none, it waits for ever.";
    ];
}

static mut POLL: PyTypeObject = PyTypeObject {
    tp_name: c"select.poll".as_ptr(),
    tp_basicsize: size_of::<Poll>() as Py_ssize_t,
    tp_dealloc: Some(poll_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_methods: (&raw mut POLL_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

// ---- epoll

/// `select.epoll`.
#[repr(C)]
pub struct Epoll {
    ob_base: PyObject,
    epfd: c_int,
}
type E<'a> = Borrowed<'a, Epoll>;

fn epoll_alloc(tp: *mut PyTypeObject, fd: c_int) -> PyResult<Owned> {
    // SAFETY: [GIL] filled at once.
    unsafe {
        let op = own((*tp).tp_alloc.unwrap_or(PyType_GenericAlloc)(tp, 0))?;
        let e = op.as_ptr().cast::<Epoll>();
        (*e).epfd = -1;
        (*e).epfd = if fd == -1 { check(allow_threads(|| libc::epoll_create1(libc::EPOLL_CLOEXEC)))? } else { fd };
        Ok(op)
    }
}
fn epoll_new(tp: Borrowed<'_, PyTypeObject>, sizehint: i32, flags: i32) -> PyResult<Owned> {
    if sizehint != -1 && sizehint <= 0 {
        bail!(PyExc_ValueError, "negative sizehint");
    }
    if flags != 0 && flags != libc::EPOLL_CLOEXEC {
        bail!(PyExc_OSError, "invalid flags");
    }
    epoll_alloc(tp.as_ptr(), -1)
}
fn epoll_fromfd(cls: Borrowed<'_, PyTypeObject>, fd: CInt) -> PyResult<Owned> {
    epoll_alloc(cls.as_ptr(), fd.0)
}
/// Closes the descriptor; the error number, or 0.
unsafe fn internal_close(e: *mut Epoll) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let fd = core::mem::replace(&mut (*e).epfd, -1);
        if fd >= 0 && allow_threads(|| libc::close(fd)) < 0 { errno() } else { 0 }
    }
}
unsafe extern "C" fn epoll_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        internal_close(op.cast());
        if let Some(free) = (*type_of(op)).tp_free {
            free(op.cast());
        }
    }
}
fn epoll_open(slf: E<'_>) -> PyResult<c_int> {
    if slf.epfd < 0 {
        bail!(PyExc_ValueError, "I/O operation on closed epoll object");
    }
    Ok(slf.epfd)
}
fn epoll_close(slf: E<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    match unsafe { internal_close(slf.as_ptr()) } {
        0 => Ok(()),
        e => Err(posix_error_from(e)),
    }
}
fn epoll_closed(slf: E<'_>) -> PyResult<bool> {
    Ok(slf.epfd < 0)
}
fn epoll_fileno(slf: E<'_>) -> PyResult<i32> {
    epoll_open(slf)
}
fn ctl(slf: E<'_>, op: c_int, fd: c_int, events: u32) -> PyResult<()> {
    let epfd = epoll_open(slf)?;
    let mut ev = libc::epoll_event { events, u64: fd as u32 as u64 };
    // SAFETY: plain system call.
    check(allow_threads(|| unsafe { libc::epoll_ctl(epfd, op, fd, &mut ev) })).map(drop)
}
fn epoll_register(slf: E<'_>, fd: Fildes, eventmask: Option<u32>) -> PyResult<()> {
    let default = (libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLOUT) as u32;
    ctl(slf, libc::EPOLL_CTL_ADD, fd.0, eventmask.unwrap_or(default))
}
fn epoll_modify(slf: E<'_>, fd: Fildes, eventmask: u32) -> PyResult<()> {
    ctl(slf, libc::EPOLL_CTL_MOD, fd.0, eventmask)
}
fn epoll_unregister(slf: E<'_>, fd: Fildes) -> PyResult<()> {
    ctl(slf, libc::EPOLL_CTL_DEL, fd.0, 0)
}
fn epoll_poll(slf: E<'_>, timeout: Option<Borrowed<'_>>, maxevents: i32) -> PyResult<Owned> {
    let epfd = epoll_open(slf)?;
    let timeout = timeout_ns(timeout, _PyTime_FromSecondsObject, "timeout must be an integer or None")?;
    let max = match maxevents {
        -1 => libc::FD_SETSIZE - 1,
        1.. => maxevents as usize,
        _ => bail!(PyExc_ValueError, "maxevents must be greater than 0, got {maxevents}"),
    };
    let mut events: Vec<libc::epoll_event> = Vec::new();
    if events.try_reserve_exact(max).is_err() {
        // SAFETY: [GIL]
        unsafe {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
    }
    // SAFETY: room for so many; the system fills the first n.
    unsafe {
        let n = wait(timeout, |ms| libc::epoll_wait(epfd, events.as_mut_ptr(), max as c_int, ms))?;
        events.set_len(n as usize);
    }
    let mut found = Vec::with_capacity(events.len());
    for e in &events {
        let (fd, mask) = ({ e.u64 } as u32 as i32, { e.events });
        found.push(tuple([int(fd as i64)?, int(mask as i64)?])?);
    }
    list(found)
}
fn epoll_enter(slf: E<'_>) -> PyResult<Owned> {
    epoll_open(slf)?;
    Ok(slf.to_owned().into_object())
}
fn epoll_exit(slf: E<'_>, _t: Option<Borrowed<'_>>, _v: Option<Borrowed<'_>>, _tb: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe { own(PyObject_CallMethodNoArgs(slf.ob(), intern!("close"))) }
}

methods! {
    static EPOLL_METHODS = [
        class "fromfd($type, fd, /)" => epoll_fromfd, "An object for an existing descriptor.";
        "close($self, /)" => epoll_close, "Close the descriptor.";
        "fileno($self, /)" => epoll_fileno, "The descriptor.";
        "modify($self, /, fd, eventmask)" => epoll_modify, "Change what a descriptor is watched for.";
        "register($self, /, fd, eventmask=select.EPOLLIN | select.EPOLLPRI | select.EPOLLOUT)" => epoll_register, "Watch a descriptor, or an object with fileno(), for events.";
        "unregister($self, /, fd)" => epoll_unregister, "Watch a descriptor no longer.";
        "poll($self, /, timeout=None, maxevents=-1)" => epoll_poll, "Wait for events, at most timeout seconds.\n\nReturns a list of (descriptor, events). A timeout of None or -1 waits for ever.";
        "__enter__($self, /)" => epoll_enter, "";
        "__exit__($self, exc_type=None, exc_value=None, exc_tb=None, /)" => epoll_exit, "";
    ];
}
getset! { static EPOLL_ATTRS = [ "closed" => epoll_closed, "True if the epoll handler is closed"; ]; }

static mut EPOLL: PyTypeObject = PyTypeObject {
    tp_name: c"select.epoll".as_ptr(),
    tp_basicsize: size_of::<Epoll>() as Py_ssize_t,
    tp_dealloc: Some(epoll_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"select.epoll(sizehint=-1, flags=0)\n\nA set of watched descriptors. The size hint must be positive or -1 and has no effect.".as_ptr(),
    tp_methods: (&raw mut EPOLL_METHODS).cast(),
    tp_getset: (&raw mut EPOLL_ATTRS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(constructor!("epoll(sizehint=-1, flags=0)" => epoll_new)),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

methods! {
    static METHODS = [
        "select($module, rlist, wlist, xlist, timeout=None, /)" => select_select, "Wait until descriptors are ready for reading, for writing, or have an exceptional\ncondition, at most timeout seconds.\n\nThe lists may hold descriptors or objects with fileno(). Returns three lists of\nthose that are ready.";
        "poll($module, /)" => select_poll, "An object that watches descriptors.";
    ];
}

const CONSTANTS: &[(&str, i64)] = crate::libc_constants! {
    PIPE_BUF POLLIN POLLPRI POLLOUT POLLERR POLLHUP POLLNVAL POLLRDNORM POLLRDBAND POLLWRNORM POLLWRBAND POLLRDHUP
    EPOLLIN EPOLLOUT EPOLLPRI EPOLLERR EPOLLHUP EPOLLRDHUP EPOLLONESHOT EPOLLEXCLUSIVE EPOLLRDNORM EPOLLRDBAND
    EPOLLWRNORM EPOLLWRBAND EPOLLMSG EPOLL_CLOEXEC
};

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] static types.
    unsafe {
        add_object(module, c"error", Ok(Owned::from_borrowed(PyExc_OSError)))?;
        add_ints(module, CONSTANTS)?;
        add_ints(module, &[("POLLMSG", 1024), ("EPOLLET", 1 << 31)])?;
        check_status(PyType_Ready(&raw mut POLL))?;
        add_type(module, &raw mut EPOLL)
    }
}

module! {
    /// Entry point of `select`.
    pub fn PyInit_select = "select", "Waiting for descriptors: select(), poll() and epoll.\n\nA descriptor that only had regular files as its kind is always ready.", methods: METHODS, exec: exec;
}
