//! Calling the system for a socket: without the GIL, with the socket's timeout, again after a signal (PEP 475).

use crate::sock::SockObject;
use taipan_clinic::support::*;
use core::ffi::c_int;
use taipan_abi::*;
use taipan_python::pytime::{Round, divide, monotonic};

/// Why a call gave nothing.
pub enum Failure {
    /// A signal handler raised.
    Raised(Raised),
    /// The system refused.
    Errno(c_int),
    /// The timeout is over.
    TimedOut,
}

impl Failure {
    /// The exception for it.
    pub fn raise(self) -> Raised {
        match self {
            Failure::Raised(r) => r,
            Failure::Errno(e) => os_error_of(e),
            Failure::TimedOut => raise!(PyExc_TimeoutError, "timed out"),
        }
    }
}

fn check_signals() -> Result<(), Failure> {
    // SAFETY: [GIL]
    check_status(unsafe { PyErr_CheckSignals() }).map_err(Failure::Raised)
}

/// Waits until the socket is ready; false when `interval` nanoseconds are over (negative: no limit).
fn wait_ready(fd: c_int, writing: bool, interval: i64, connect: bool) -> Result<bool, c_int> {
    if fd < 0 {
        return Ok(true);
    }
    let mut events = if writing { libc::POLLOUT } else { libc::POLLIN };
    if connect {
        events |= libc::POLLERR;
    }
    let mut poll = libc::pollfd { fd, events, revents: 0 };
    let ms = if interval < 0 { -1 } else { divide(interval, 1_000_000, Round::Ceiling).min(c_int::MAX as i64) as c_int };
    // SAFETY: one record.
    let n = without_gil(|| unsafe { libc::poll(&mut poll, 1, ms) });
    if n < 0 { Err(errno()) } else { Ok(n != 0) }
}

/// Calls `f`, which returns a negative number and leaves `errno` when it fails. With a timeout the socket is waited for
/// first; for `connect` always, because the connection is being made meanwhile.
pub fn sock_call_ex(s: *mut SockObject, writing: bool, connect: bool, timeout: i64, mut f: impl FnMut() -> isize) -> Result<isize, Failure> {
    let deadline = (timeout > 0).then(|| monotonic().saturating_add(timeout));
    loop {
        if deadline.is_some() || connect {
            let interval = match deadline {
                Some(d) => d - monotonic(),
                None => timeout,
            };
            if deadline.is_some() && interval < 0 {
                return Err(Failure::TimedOut);
            }
            // SAFETY: [GIL] the caller keeps the socket.
            match wait_ready(unsafe { (*s).sock_fd }, writing, interval, connect) {
                Ok(true) => {}
                Ok(false) => return Err(Failure::TimedOut),
                Err(libc::EINTR) => {
                    check_signals()?;
                    continue;
                }
                Err(e) => return Err(Failure::Errno(e)),
            }
        }
        let error = loop {
            let (r, e) = without_gil(|| {
                let r = f();
                (r, if r < 0 { errno() } else { 0 })
            });
            if r >= 0 {
                return Ok(r);
            }
            if e != libc::EINTR {
                break e;
            }
            check_signals()?;
        };
        // SAFETY: [GIL]
        if unsafe { (*s).sock_timeout } > 0 && (error == libc::EWOULDBLOCK || error == libc::EAGAIN) {
            // It was ready, but what was there is gone.
            continue;
        }
        return Err(Failure::Errno(error));
    }
}

/// Calls `f` with the socket's timeout.
pub fn sock_call(s: *mut SockObject, writing: bool, f: impl FnMut() -> isize) -> PyResult<isize> {
    // SAFETY: [GIL] the caller keeps the socket.
    let timeout = unsafe { (*s).sock_timeout };
    sock_call_ex(s, writing, false, timeout, f).map_err(Failure::raise)
}
