//! The type `_socket.socket`.

use crate::address::{Address, getsockaddrarg};
use crate::call::{Failure, sock_call, sock_call_ex};
use taipan_clinic::support::*;
use core::ffi::{c_int, c_uint, c_void};
use core::ptr::null_mut;
use libc::socklen_t;
use taipan_abi::*;
use taipan_clinic::{Args, BufferView, getset, initializer, members, methods};
use taipan_python::pytime::{Round, divide, monotonic, object_to_ns, seconds_object};

/// `PySocketSockObject`: its layout is known to `_ssl`.
#[repr(C)]
pub struct SockObject {
    ob_base: PyObject,
    /// File descriptor, -1 when closed.
    pub sock_fd: c_int,
    /// Address family.
    pub sock_family: c_int,
    /// Kind of socket.
    pub sock_type: c_int,
    /// Protocol.
    pub sock_proto: c_int,
    errorhandler: Option<unsafe extern "C" fn() -> *mut PyObject>,
    /// Nanoseconds an operation may take; negative: no limit, 0: don't wait.
    pub sock_timeout: i64,
    state: *mut c_void,
}
/// A lent socket.
pub type S<'a> = Borrowed<'a, SockObject>;

const NO_TIMEOUT: i64 = -1_000_000_000;
static mut DEFAULT_TIMEOUT: i64 = NO_TIMEOUT;

unsafe extern "C" fn set_error() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { PyErr_SetFromErrno(PyExc_OSError) }
}

/// A file descriptor argument.
pub fn fd_argument(fd: Borrowed<'_>) -> PyResult<c_int> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyLong_AsLong(fd.ob());
        if n == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        c_int::try_from(n).map_err(|_| {
            if n > 0 {
                raise!(PyExc_OverflowError, "Python int too large to convert to C int")
            } else {
                raise!(PyExc_OverflowError, "Python int too small to convert to C int")
            }
        })
    }
}

fn set_nonblocking(fd: c_int, nonblocking: bool) -> PyResult<()> {
    let mut flag = nonblocking as c_int;
    // SAFETY: plain system call.
    if without_gil(|| unsafe { libc::ioctl(fd, libc::FIONBIO, &raw mut flag) }) == -1 { Err(os_error()) } else { Ok(()) }
}

unsafe fn init_sockobject(s: *mut SockObject, fd: c_int, family: c_int, kind: c_int, proto: c_int) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        (*s).sock_fd = fd;
        (*s).sock_family = family;
        // Flags that socket() takes with the type are not part of it.
        (*s).sock_type = kind & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC);
        (*s).sock_proto = proto;
        (*s).errorhandler = Some(set_error);
        if kind & libc::SOCK_NONBLOCK != 0 {
            (*s).sock_timeout = 0;
        } else {
            (*s).sock_timeout = DEFAULT_TIMEOUT;
            if (*s).sock_timeout >= 0 {
                set_nonblocking(fd, true)?;
            }
        }
        Ok(())
    }
}

unsafe extern "C" fn sock_new(tp: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        let Ok(s) = new::<SockObject>(tp) else { return null_mut() };
        (*s.as_ptr()).sock_fd = -1;
        (*s.as_ptr()).sock_timeout = NO_TIMEOUT;
        (*s.as_ptr()).errorhandler = Some(set_error);
        s.into_raw_object()
    }
}

fn socket_option(fd: c_int, option: c_int) -> PyResult<c_int> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as socklen_t;
    // SAFETY: room for an int.
    if unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, option, (&raw mut value).cast(), &mut len) } != 0 {
        return Err(os_error());
    }
    Ok(value)
}

fn sock_initobj(slf: S<'_>, family: i32, kind: i32, proto: i32, fileno: Option<Borrowed<'_>>) -> PyResult<()> {
    let (mut family, mut kind, mut proto) = (family, kind, proto);
    let s = slf.as_ptr();
    // SAFETY: [TYPE]
    unsafe {
        if let Some(fileno) = fileno {
            // A socket that exists already: it knows what it is.
            let fd = fd_argument(fileno)?;
            if fd < 0 {
                bail!(PyExc_ValueError, "negative file descriptor");
            }
            let mut a = Address::any();
            let mut len = a.len;
            if libc::getsockname(fd, a.ptr(), &mut len) == 0 {
                if family == -1 {
                    family = a.family();
                }
            } else if family == -1 || errno() == libc::EBADF || errno() == libc::ENOTSOCK {
                return Err(os_error());
            }
            if kind == -1 {
                kind = socket_option(fd, libc::SO_TYPE)?;
            }
            if proto == -1 {
                proto = socket_option(fd, libc::SO_PROTOCOL)?;
            }
            return init_sockobject(s, fd, family, kind, proto);
        }
        let numbers = [int(family as i64)?, int(kind as i64)?, int(proto as i64)?];
        audit(c"socket.__new__", &[slf.ob(), numbers[0].as_ptr(), numbers[1].as_ptr(), numbers[2].as_ptr()])?;
        if family == -1 {
            family = libc::AF_INET;
        }
        if kind == -1 {
            kind = libc::SOCK_STREAM;
        }
        if proto == -1 {
            proto = 0;
        }
        let fd = without_gil(|| libc::socket(family, kind | libc::SOCK_CLOEXEC, proto));
        if fd < 0 {
            return Err(os_error());
        }
        init_sockobject(s, fd, family, kind, proto).inspect_err(|_| {
            libc::close(fd);
            (*s).sock_fd = -1;
        })
    }
}

/// `socketpair([family[, type[, proto]]])`.
pub fn socketpair(args: Args<'_>) -> PyResult<Owned> {
    let (mut family, mut kind, mut proto) = (libc::AF_UNIX, libc::SOCK_STREAM, 0);
    // SAFETY: [ARGS] descriptors are given to objects, or closed.
    unsafe {
        let args = args.to_tuple()?;
        if PyArg_ParseTuple(args.as_ptr(), c"|iii:socketpair".as_ptr(), &mut family, &mut kind, &mut proto) == 0 {
            return Err(Raised::assume());
        }
        let mut fds = [-1; 2];
        if without_gil(|| libc::socketpair(family, kind | libc::SOCK_CLOEXEC, proto, fds.as_mut_ptr())) < 0 {
            return Err(os_error());
        }
        let mut pair = Vec::new();
        for (i, &fd) in fds.iter().enumerate() {
            let made = Owned::from_owned_or_err(sock_new(SOCK_TYPE, null_mut(), null_mut()))
                .and_then(|s| init_sockobject(s.as_ptr().cast(), fd, family, kind, proto).map(|()| s));
            match made {
                Ok(s) => pair.push(s),
                Err(e) => {
                    // The object that failed owns its descriptor if it was made; what comes after is closed here.
                    for &fd in &fds[i + 1..] {
                        libc::close(fd);
                    }
                    return Err(e);
                }
            }
        }
        tuple(pair)
    }
}

unsafe extern "C" fn sock_finalize(slf: *mut PyObject) {
    // SAFETY: [TYPE] called as tp_finalize; an exception that is set stays.
    unsafe {
        let s = slf.cast::<SockObject>();
        if (*s).sock_fd < 0 {
            return;
        }
        let exc = PyErr_GetRaisedException();
        if PyErr_ResourceWarning(slf, 1, c"unclosed %R".as_ptr(), slf) != 0 && PyErr_ExceptionMatches(PyExc_Warning) != 0 {
            PyErr_WriteUnraisable(slf);
        }
        // It is closed after the warning, so that a logger can still ask the socket for its name.
        let fd = core::mem::replace(&mut (*s).sock_fd, -1);
        if fd >= 0 {
            without_gil(|| libc::close(fd));
        }
        PyErr_SetRaisedException(exc);
    }
}

unsafe extern "C" fn sock_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] called as tp_dealloc.
    unsafe {
        if PyObject_CallFinalizerFromDealloc(slf) < 0 {
            return;
        }
        let tp = type_of(slf);
        PyObject_GC_UnTrack(slf.cast());
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
        Py_DECREF(tp.cast());
    }
}

unsafe extern "C" fn sock_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] called as tp_traverse.
    unsafe { visit(type_of(slf).cast::<PyObject>(), visitor, arg) }
}

unsafe extern "C" fn sock_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] called as tp_repr.
    unsafe {
        let s = &*slf.cast::<SockObject>();
        string(&format!("<socket object, fd={}, family={}, type={}, proto={}>", s.sock_fd, s.sock_family, s.sock_type, s.sock_proto)).into_c()
    }
}

// ---- blocking and timeouts

/// A timeout argument in nanoseconds.
fn parse_timeout(t: Borrowed<'_>) -> PyResult<i64> {
    if t.is_none() {
        return Ok(NO_TIMEOUT);
    }
    // SAFETY: [ARGS]
    let ns = unsafe { object_to_ns(t.ob(), Round::TIMEOUT)? };
    if ns < 0 {
        bail!(PyExc_ValueError, "Timeout value out of range");
    }
    if divide(ns, 1_000_000, Round::TIMEOUT) > c_int::MAX as i64 {
        bail!(PyExc_OverflowError, "timeout doesn't fit into C timeval");
    }
    Ok(ns)
}

fn timeout_object(ns: i64) -> PyResult<Owned> {
    if ns < 0 { Ok(none()) } else { seconds_object(ns) }
}

/// `getdefaulttimeout()`.
pub fn getdefaulttimeout(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    timeout_object(unsafe { DEFAULT_TIMEOUT })
}

/// `setdefaulttimeout(timeout)`.
pub fn setdefaulttimeout(_: (), t: Borrowed<'_>) -> PyResult<()> {
    let ns = parse_timeout(t)?;
    // SAFETY: [GIL]
    unsafe { DEFAULT_TIMEOUT = ns };
    Ok(())
}

fn set_timeout(slf: S<'_>, ns: i64) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { (*slf.as_ptr()).sock_timeout = ns };
    set_nonblocking(slf.sock_fd, ns >= 0)
}

fn sock_settimeout(slf: S<'_>, t: Borrowed<'_>) -> PyResult<()> {
    set_timeout(slf, parse_timeout(t)?)
}

fn sock_gettimeout(slf: S<'_>) -> PyResult<Owned> {
    timeout_object(slf.sock_timeout)
}

fn sock_setblocking(slf: S<'_>, flag: bool) -> PyResult<()> {
    set_timeout(slf, if flag { NO_TIMEOUT } else { 0 })
}

fn sock_getblocking(slf: S<'_>) -> PyResult<bool> {
    Ok(slf.sock_timeout != 0)
}

// ---- life of a connection

fn sock_accept(slf: S<'_>) -> PyResult<Owned> {
    let keep = slf.to_owned();
    let s = keep.as_ptr();
    let mut a = Address::room(&slf)?;
    let room = a.len;
    // AF_ALG has no addresses here.
    let with_address = slf.sock_family != libc::AF_ALG;
    let mut len = 0;
    // SAFETY: the record has the length told.
    let fd = sock_call(s, false, || unsafe {
        if with_address {
            len = room;
            libc::accept4((*s).sock_fd, a.ptr(), &mut len, libc::SOCK_CLOEXEC) as isize
        } else {
            libc::accept4((*s).sock_fd, null_mut(), null_mut(), libc::SOCK_CLOEXEC) as isize
        }
    })? as c_int;
    a.len = len.min(size_of::<libc::sockaddr_storage>() as socklen_t);
    let made = int(fd as i64).and_then(|n| tuple(vec![n, a.to_object(slf.sock_fd, slf.sock_proto)?]));
    if made.is_err() {
        // SAFETY: nobody has it.
        unsafe { libc::close(fd) };
    }
    made
}

fn sock_bind(slf: S<'_>, address: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let mut a = getsockaddrarg(&slf, address.ob(), "bind")?;
        audit(c"socket.bind", &[slf.ob(), address.ob()])?;
        let (fd, p, len) = (slf.sock_fd, a.ptr(), a.len);
        if without_gil(|| libc::bind(fd, p, len)) < 0 { Err(os_error()) } else { Ok(()) }
    }
}

fn sock_close(slf: S<'_>) -> PyResult<()> {
    // SAFETY: [TYPE] closing is not tried again: the descriptor is gone in any case.
    unsafe {
        let fd = core::mem::replace(&mut (*slf.as_ptr()).sock_fd, -1);
        if fd >= 0 && without_gil(|| libc::close(fd)) < 0 && errno() != libc::ECONNRESET {
            return Err(os_error());
        }
        Ok(())
    }
}

fn sock_detach(slf: S<'_>) -> PyResult<i32> {
    // SAFETY: [TYPE]
    Ok(unsafe { core::mem::replace(&mut (*slf.as_ptr()).sock_fd, -1) })
}

fn sock_fileno(slf: S<'_>) -> PyResult<i32> {
    Ok(slf.sock_fd)
}

fn internal_connect(slf: S<'_>, a: &mut Address) -> Result<(), Failure> {
    let keep = slf.to_owned();
    let s = keep.as_ptr();
    let (fd, p, len) = (slf.sock_fd, a.ptr(), a.len);
    // SAFETY: the record has the length told.
    if without_gil(|| unsafe { libc::connect(fd, p, len) }) == 0 {
        return Ok(());
    }
    let error = errno();
    // Interrupted, the connection goes on being made.
    let wait = if error == libc::EINTR {
        // SAFETY: [GIL]
        check_status(unsafe { PyErr_CheckSignals() }).map_err(Failure::Raised)?;
        slf.sock_timeout != 0
    } else {
        slf.sock_timeout > 0 && error == libc::EINPROGRESS
    };
    if !wait {
        return Err(Failure::Errno(error));
    }
    // SAFETY: room for an int.
    sock_call_ex(s, true, true, slf.sock_timeout, || unsafe {
        let mut error: c_int = 0;
        let mut len = size_of::<c_int>() as socklen_t;
        if libc::getsockopt((*s).sock_fd, libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut error).cast(), &mut len) != 0 {
            return -1;
        }
        if error == 0 || error == libc::EISCONN {
            return 0;
        }
        set_errno(error);
        -1
    })?;
    Ok(())
}

fn sock_connect(slf: S<'_>, address: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let mut a = getsockaddrarg(&slf, address.ob(), "connect")?;
        audit(c"socket.connect", &[slf.ob(), address.ob()])?;
        internal_connect(slf, &mut a).map_err(Failure::raise)
    }
}

fn sock_connect_ex(slf: S<'_>, address: Borrowed<'_>) -> PyResult<i32> {
    // SAFETY: [ARGS]
    unsafe {
        let mut a = getsockaddrarg(&slf, address.ob(), "connect_ex")?;
        audit(c"socket.connect", &[slf.ob(), address.ob()])?;
        match internal_connect(slf, &mut a) {
            Ok(()) => Ok(0),
            Err(Failure::Errno(e)) => Ok(e),
            Err(Failure::TimedOut) => Ok(libc::EWOULDBLOCK),
            Err(Failure::Raised(r)) => Err(r),
        }
    }
}

fn name_of(slf: S<'_>, f: unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut socklen_t) -> c_int) -> PyResult<Owned> {
    let mut a = Address::room(&slf)?;
    let (fd, p, mut len) = (slf.sock_fd, a.ptr(), a.len);
    // SAFETY: the record has the length told.
    if without_gil(|| unsafe { f(fd, p, &mut len) }) < 0 {
        return Err(os_error());
    }
    a.len = len;
    a.to_object(fd, slf.sock_proto)
}
fn sock_getsockname(slf: S<'_>) -> PyResult<Owned> {
    name_of(slf, libc::getsockname)
}
fn sock_getpeername(slf: S<'_>) -> PyResult<Owned> {
    name_of(slf, libc::getpeername)
}

fn sock_listen(slf: S<'_>, backlog: i32) -> PyResult<()> {
    let fd = slf.sock_fd;
    // SAFETY: plain system call.
    if without_gil(|| unsafe { libc::listen(fd, backlog.max(0)) }) < 0 { Err(os_error()) } else { Ok(()) }
}

fn sock_shutdown(slf: S<'_>, how: i32) -> PyResult<()> {
    let fd = slf.sock_fd;
    // SAFETY: plain system call.
    if without_gil(|| unsafe { libc::shutdown(fd, how) }) < 0 { Err(os_error()) } else { Ok(()) }
}

// ---- options

fn int_argument(obj: Borrowed<'_>) -> PyResult<i32> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyLong_AsLong(obj.ob());
        if n == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if n > i32::MAX as i64 {
            bail!(PyExc_OverflowError, "signed integer is greater than maximum");
        }
        if n < i32::MIN as i64 {
            bail!(PyExc_OverflowError, "signed integer is less than minimum");
        }
        Ok(n as i32)
    }
}

fn sock_setsockopt(slf: S<'_>, args: Args<'_>) -> PyResult<()> {
    // SAFETY: [ARGS] each value has the length told.
    unsafe {
        let tuple = args.to_tuple()?;
        let (mut level, mut option): (c_int, c_int) = (0, 0);
        let set = |value: *const c_void, len: usize, level: c_int, option: c_int| {
            if libc::setsockopt(slf.sock_fd, level, option, value, len as socklen_t) < 0 { Err(os_error()) } else { Ok(()) }
        };
        if slf.sock_family == libc::AF_VSOCK {
            let mut flag = 0u64;
            if PyArg_ParseTuple(tuple.as_ptr(), c"iiK:setsockopt".as_ptr(), &mut level, &mut option, &mut flag) == 0 {
                return Err(Raised::assume());
            }
            return set((&raw const flag).cast(), 8, level, option);
        }
        let mut flag: c_int = 0;
        if PyArg_ParseTuple(tuple.as_ptr(), c"iii:setsockopt".as_ptr(), &mut level, &mut option, &mut flag) != 0 {
            return set((&raw const flag).cast(), size_of::<c_int>(), level, option);
        }
        PyErr_Clear();
        let mut len: c_uint = 0;
        let mut nothing: *mut PyObject = null_mut();
        let ok = PyArg_ParseTuple(
            tuple.as_ptr(),
            c"iiO!I:setsockopt".as_ptr(),
            &mut level,
            &mut option,
            &raw mut _PyNone_Type,
            &mut nothing,
            &mut len,
        );
        if ok != 0 {
            return set(core::ptr::null(), len as usize, level, option);
        }
        PyErr_Clear();
        let mut value: *mut PyObject = null_mut();
        if PyArg_ParseTuple(tuple.as_ptr(), c"iiO:setsockopt".as_ptr(), &mut level, &mut option, &mut value) == 0 {
            return Err(Raised::assume());
        }
        if PyObject_CheckBuffer(value) == 0 {
            bail!(PyExc_TypeError, "a bytes-like object is required, not '{}'", type_name(value));
        }
        let view = BufferView::get(value)?;
        if view.as_bytes().len() > c_int::MAX as usize {
            bail!(PyExc_OverflowError, "socket option is larger than {} bytes", c_int::MAX);
        }
        set(view.as_bytes().as_ptr().cast(), view.as_bytes().len(), level, option)
    }
}

fn sock_getsockopt(slf: S<'_>, level: i32, option: i32, buffersize: i32) -> PyResult<Owned> {
    // SAFETY: each value has the length told.
    unsafe {
        let vsock = slf.sock_family == libc::AF_VSOCK;
        if buffersize == 0 {
            let mut value = 0u64;
            let mut len: socklen_t = if vsock { 8 } else { 4 };
            if libc::getsockopt(slf.sock_fd, level, option, (&raw mut value).cast(), &mut len) < 0 {
                return Err(os_error());
            }
            return if vsock { Owned::from_owned_or_err(PyLong_FromUnsignedLong(value)) } else { int(value as u32 as i32 as i64) };
        }
        if vsock {
            bail!(PyExc_OSError, "getsockopt string buffer not allowed");
        }
        if !(1..=1024).contains(&buffersize) {
            bail!(PyExc_OSError, "getsockopt buflen out of range");
        }
        let mut buf = [0u8; 1024];
        let mut len = buffersize as socklen_t;
        if libc::getsockopt(slf.sock_fd, level, option, buf.as_mut_ptr().cast(), &mut len) < 0 {
            return Err(os_error());
        }
        bytes(&buf[..(len as usize).min(1024)])
    }
}

// ---- receiving

/// Receives into a new bytes object of at most `n` bytes.
fn receive_bytes(n: isize, f: impl FnOnce(*mut u8) -> PyResult<isize>) -> PyResult<Owned> {
    // SAFETY: the object is new: nobody else sees it change.
    unsafe {
        let mut buf = Owned::from_owned_or_err(PyBytes_FromStringAndSize(core::ptr::null(), n))?.into_raw();
        match f(PyBytes_AsString(buf).cast()) {
            Ok(got) => {
                if got != n {
                    check_status(_PyBytes_Resize(&mut buf, got))?;
                }
                Ok(Owned::from_owned(buf))
            }
            Err(e) => {
                Py_DECREF(buf);
                Err(e)
            }
        }
    }
}

fn recv_raw(slf: S<'_>, buf: *mut u8, n: usize, flags: c_int) -> PyResult<isize> {
    if n == 0 {
        return Ok(0);
    }
    let keep = slf.to_owned();
    let s = keep.as_ptr();
    // SAFETY: n bytes are writable.
    sock_call(s, false, || unsafe { libc::recv((*s).sock_fd, buf.cast(), n, flags) })
}

fn sock_recv(slf: S<'_>, bufsize: isize, flags: i32) -> PyResult<Owned> {
    if bufsize < 0 {
        bail!(PyExc_ValueError, "negative buffersize in recv");
    }
    receive_bytes(bufsize, |p| recv_raw(slf, p, bufsize as usize, flags))
}

/// A writable view with the argument's own TypeError.
pub fn writable(buffer: Borrowed<'_>, fname: &str) -> PyResult<BufferView> {
    // SAFETY: [ARGS]
    unsafe {
        BufferView::get_writable(buffer.ob()).map_err(|e| {
            e.clear();
            raise!(PyExc_TypeError, "{}() argument 1 must be read-write bytes-like object, not {}", fname, type_name(buffer.ob()))
        })
    }
}

fn sock_recv_into(slf: S<'_>, buffer: Borrowed<'_>, nbytes: isize, flags: i32) -> PyResult<isize> {
    let view = writable(buffer, "recv_into")?;
    let len = view.raw().len;
    if nbytes < 0 {
        bail!(PyExc_ValueError, "negative buffersize in recv_into");
    }
    let n = if nbytes == 0 { len } else { nbytes };
    if len < n {
        bail!(PyExc_ValueError, "buffer too small for requested bytes");
    }
    recv_raw(slf, view.raw().buf.cast(), n as usize, flags)
}

fn recvfrom_raw(slf: S<'_>, buf: *mut u8, n: usize, flags: c_int) -> PyResult<(isize, Owned)> {
    let keep = slf.to_owned();
    let s = keep.as_ptr();
    let mut a = Address::room(&slf)?;
    let room = a.len;
    let mut len = room;
    // SAFETY: n bytes are writable; the record has the length told.
    let got = sock_call(s, false, || unsafe {
        len = room;
        libc::recvfrom((*s).sock_fd, buf.cast(), n, flags, a.ptr(), &mut len)
    })?;
    a.len = len;
    Ok((got, a.to_object(slf.sock_fd, slf.sock_proto)?))
}

fn sock_recvfrom(slf: S<'_>, bufsize: isize, flags: i32) -> PyResult<Owned> {
    if bufsize < 0 {
        bail!(PyExc_ValueError, "negative buffersize in recvfrom");
    }
    let mut address = None;
    let data = receive_bytes(bufsize, |p| {
        let (got, from) = recvfrom_raw(slf, p, bufsize as usize, flags)?;
        address = Some(from);
        Ok(got)
    })?;
    tuple(vec![data, address.unwrap_or_else(none)])
}

fn sock_recvfrom_into(slf: S<'_>, buffer: Borrowed<'_>, nbytes: isize, flags: i32) -> PyResult<Owned> {
    let view = writable(buffer, "recvfrom_into")?;
    let len = view.raw().len;
    if nbytes < 0 {
        bail!(PyExc_ValueError, "negative buffersize in recvfrom_into");
    }
    let n = if nbytes == 0 { len } else { nbytes };
    if n > len {
        bail!(PyExc_ValueError, "nbytes is greater than the length of the buffer");
    }
    let (got, from) = recvfrom_raw(slf, view.raw().buf.cast(), n as usize, flags)?;
    tuple(vec![int(got as i64)?, from])
}

// ---- sending

fn sock_send(slf: S<'_>, data: BufferView, flags: i32) -> PyResult<isize> {
    let keep = slf.to_owned();
    let s = keep.as_ptr();
    let d = data.as_bytes();
    // SAFETY: the view keeps the bytes.
    sock_call(s, true, || unsafe { libc::send((*s).sock_fd, d.as_ptr().cast(), d.len(), flags) })
}

fn sock_sendall(slf: S<'_>, data: BufferView, flags: i32) -> PyResult<()> {
    let keep = slf.to_owned();
    let s = keep.as_ptr();
    let mut d = data.as_bytes();
    let total = slf.sock_timeout;
    let deadline = (total > 0).then(|| monotonic().saturating_add(total));
    loop {
        let timeout = match deadline {
            Some(end) => {
                let left = end - monotonic();
                if left <= 0 {
                    bail!(PyExc_TimeoutError, "timed out");
                }
                left
            }
            None => total,
        };
        // SAFETY: the view keeps the bytes.
        let n = sock_call_ex(s, true, false, timeout, || unsafe { libc::send((*s).sock_fd, d.as_ptr().cast(), d.len(), flags) })
            .map_err(Failure::raise)?;
        d = d.get(n as usize..).unwrap_or(&[]);
        // A send that was interrupted may have sent a part: signals are looked at in any case.
        // SAFETY: [GIL]
        check_status(unsafe { PyErr_CheckSignals() })?;
        if d.is_empty() {
            return Ok(());
        }
    }
}

fn sock_sendto(slf: S<'_>, args: Args<'_>) -> PyResult<isize> {
    let all: Vec<Borrowed<'_>> = args.iter().collect();
    let (data, flags, address) = match all[..] {
        [data, address] => (data, None, address),
        [data, flags, address] => (data, Some(flags), address),
        _ => bail!(PyExc_TypeError, "sendto() takes 2 or 3 arguments ({} given)", all.len()),
    };
    // SAFETY: [ARGS] the view keeps the bytes.
    unsafe {
        if PyObject_CheckBuffer(data.ob()) == 0 {
            bail!(PyExc_TypeError, "a bytes-like object is required, not '{}'", type_name(data.ob()));
        }
        let view = BufferView::get(data.ob())?;
        let flags = flags.map_or(Ok(0), int_argument)?;
        let mut a = getsockaddrarg(&slf, address.ob(), "sendto")?;
        audit(c"socket.sendto", &[slf.ob(), address.ob()])?;
        let keep = slf.to_owned();
        let s = keep.as_ptr();
        let d = view.as_bytes();
        let (p, len) = (a.ptr(), a.len);
        sock_call(s, true, || libc::sendto((*s).sock_fd, d.as_ptr().cast(), d.len(), flags, p, len))
    }
}

methods! {
    static SOCK_METHODS = [
        "_accept($self, /)" => sock_accept, "Wait for a connection and return its file descriptor and the peer's address.";
        "bind($self, object, /)" => sock_bind, "Give the socket an address of this host.";
        "close($self, /)" => sock_close, "Close the socket.";
        "connect($self, object, /)" => sock_connect, "Connect the socket with an address.";
        "connect_ex($self, object, /)" => sock_connect_ex, "Connect the socket with an address and return an error number, 0 for none.";
        "detach($self, /)" => sock_detach, "Give the file descriptor up without closing it, and return it.";
        "fileno($self, /)" => sock_fileno, "The file descriptor, -1 when closed.";
        "getpeername($self, /)" => sock_getpeername, "The address of the other end.";
        "getsockname($self, /)" => sock_getsockname, "The address of this end.";
        "getsockopt($self, level, option, buffersize=0, /)" => sock_getsockopt, "An option: an int, or bytes if a buffer size is given.";
        "listen($self, backlog=128, /)" => sock_listen, "Let others connect; backlog is how many may wait to be accepted.";
        "recv($self, bufsize, flags=0, /)" => sock_recv, "Receive at most so many bytes; none means that the other end is closed.";
        "recv_into($self, /, buffer, nbytes=0, flags=0)" => sock_recv_into, "Receive into a buffer and return how many bytes came.";
        "recvfrom($self, bufsize, flags=0, /)" => sock_recvfrom, "Receive at most so many bytes, and the sender's address.";
        "recvfrom_into($self, /, buffer, nbytes=0, flags=0)" => sock_recvfrom_into, "Receive into a buffer and return how many bytes came, and the sender's address.";
        "send($self, data, flags=0, /)" => sock_send, "Send data and return how many bytes went.";
        "sendall($self, data, flags=0, /)" => sock_sendall, "Send all of the data. After an error it is not known how much went.";
        "sendto($self, /, *args)" => sock_sendto, "sendto(data[, flags], address): send data to an address.";
        "setblocking($self, object, /)" => sock_setblocking, "Wait in operations without limit, or don't wait at all.";
        "getblocking($self, /)" => sock_getblocking, "Whether operations wait.";
        "settimeout($self, object, /)" => sock_settimeout, "Wait in operations for so many seconds, None for no limit.";
        "gettimeout($self, /)" => sock_gettimeout, "How many seconds operations wait, None for no limit.";
        "setsockopt($self, /, *args)" => sock_setsockopt, "setsockopt(level, option, value) or setsockopt(level, option, None, length): set an option to an int or bytes.";
        "shutdown($self, object, /)" => sock_shutdown, "End receiving (SHUT_RD), sending (SHUT_WR) or both (SHUT_RDWR).";
        "recvmsg($self, bufsize, ancbufsize=0, flags=0, /)" => crate::message::sock_recvmsg, "Receive data and ancillary items: (data, items, flags, address).";
        "recvmsg_into($self, buffers, ancbufsize=0, flags=0, /)" => crate::message::sock_recvmsg_into, "Receive data into buffers, and ancillary items: (nbytes, items, flags, address).";
        "sendmsg($self, buffers, ancdata=<unrepresentable>, flags=0, address=None, /)" => crate::message::sock_sendmsg, "Send the data of all buffers and ancillary items (level, type, data).";
        "sendmsg_afalg($self, /, msg=<unrepresentable>, *, op=<unrepresentable>, iv=<unrepresentable>, assoclen=<unrepresentable>, flags=0)" => crate::message::sock_sendmsg_afalg, "Set the operation of an AF_ALG socket, and send data to it.";
    ];
}
getset! {
    static SOCK_GETSET = [
        "timeout" => sock_gettimeout, "the socket timeout";
    ];
}
members! {
    static SOCK_MEMBERS = [
        "family", Py_T_INT, core::mem::offset_of!(SockObject, sock_family), Py_READONLY, "the socket family";
        "type", Py_T_INT, core::mem::offset_of!(SockObject, sock_type), Py_READONLY, "the socket type";
        "proto", Py_T_INT, core::mem::offset_of!(SockObject, sock_proto), Py_READONLY, "the socket protocol";
    ];
}

/// `_socket.socket`, made with the module.
pub static mut SOCK_TYPE: *mut PyTypeObject = null_mut();

/// Makes the type. It is one of the heap, as CPython's is: the collector knows it.
pub fn make_type(module: Borrowed<'_>) -> PyResult<Owned> {
    const DOC: &core::ffi::CStr = c"socket(family=AF_INET, type=SOCK_STREAM, proto=0) -> socket object\nsocket(family=-1, type=-1, proto=-1, fileno=None) -> socket object\n\nAn end of a connection, or a place that waits for connections or messages. With fileno, the socket that has this\nfile descriptor.";
    let init: initproc = initializer!("socket(family=-1, type=-1, proto=-1, fileno=None)" => sock_initobj);
    let slot = |slot: c_int, pfunc: *mut c_void| PyType_Slot { slot, pfunc };
    let mut slots = [
        slot(Py_tp_dealloc, sock_dealloc as *mut c_void),
        slot(Py_tp_traverse, sock_traverse as *mut c_void),
        slot(Py_tp_repr, sock_repr as *mut c_void),
        slot(Py_tp_doc, DOC.as_ptr().cast_mut().cast()),
        slot(Py_tp_methods, (&raw mut SOCK_METHODS).cast()),
        slot(Py_tp_members, (&raw mut SOCK_MEMBERS).cast()),
        slot(Py_tp_getset, (&raw mut SOCK_GETSET).cast()),
        slot(Py_tp_init, init as *mut c_void),
        slot(Py_tp_new, sock_new as *mut c_void),
        slot(Py_tp_finalize, sock_finalize as *mut c_void),
        slot(0, null_mut()),
    ];
    let mut spec = PyType_Spec {
        name: c"_socket.socket".as_ptr(),
        basicsize: size_of::<SockObject>() as c_int,
        itemsize: 0,
        flags: (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE) as c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: [GIL] the specification is complete.
    unsafe {
        // The type is immutable: all interpreters use one.
        if !SOCK_TYPE.is_null() {
            return Ok(Owned::from_borrowed(SOCK_TYPE.cast()));
        }
        let tp = Owned::from_owned_or_err(PyType_FromModuleAndSpec(module.ob(), &mut spec, null_mut()))?;
        SOCK_TYPE = tp.clone().into_raw().cast();
        Ok(tp)
    }
}

const _: () = assert!(size_of::<SockObject>() == 56);
