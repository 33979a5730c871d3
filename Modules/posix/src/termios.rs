//! The module `termios`: attributes of terminals.

use crate::path::{CInt, Fildes};
use crate::support::*;
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{methods, module, module::add_object};

/// `termios.error`, which is no OSError.
static ERROR: PerInterpreter = PerInterpreter::new();

fn error() -> Raised {
    // SAFETY: [GIL] made when the module was.
    unsafe {
        PyErr_SetFromErrno(ERROR.get());
        Raised::assume()
    }
}
fn check_termios(r: c_int) -> PyResult<()> {
    if r == -1 { Err(error()) } else { Ok(()) }
}

fn get(fd: c_int) -> PyResult<libc::termios> {
    // SAFETY: plain system call.
    unsafe {
        let mut mode: libc::termios = core::mem::zeroed();
        check_termios(allow_threads(|| libc::tcgetattr(fd, &mut mode)))?;
        Ok(mode)
    }
}

fn termios_tcgetattr(_: (), fd: Fildes) -> PyResult<Owned> {
    let mode = get(fd.0)?;
    let canonical = mode.c_lflag & libc::ICANON != 0;
    let mut cc = Vec::with_capacity(libc::NCCS);
    for (i, &c) in mode.c_cc.iter().enumerate() {
        // Without line editing these two are numbers.
        let number = !canonical && (i == libc::VMIN || i == libc::VTIME);
        cc.push(if number { int(c as i64)? } else { bytes(&[c])? });
    }
    // SAFETY: plain calls.
    let (ispeed, ospeed) = unsafe { (libc::cfgetispeed(&mode), libc::cfgetospeed(&mode)) };
    list(vec![
        int(mode.c_iflag as i64)?,
        int(mode.c_oflag as i64)?,
        int(mode.c_cflag as i64)?,
        int(mode.c_lflag as i64)?,
        int(ispeed as i64)?,
        int(ospeed as i64)?,
        list(cc)?,
    ])
}

fn termios_tcsetattr(_: (), fd: Fildes, when: CInt, attributes: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: live; sizes are checked, and items held, because reading an int may run Python code.
    unsafe {
        let term = attributes.ob();
        if PyList_Check(term) == 0 || PyList_Size(term) != 7 {
            bail!(PyExc_TypeError, "tcsetattr, arg 3: must be 7 element list");
        }
        let mut mode = get(fd.0)?;
        let item = |list: *mut PyObject, i: usize| -> PyResult<Owned> {
            Ok(Borrowed::from_ptr_or_err(PyList_GetItem(list, i as Py_ssize_t))?.to_owned())
        };
        let mut numbers = [0; 6];
        for (i, n) in numbers.iter_mut().enumerate() {
            *n = as_long(item(term, i)?.as_ptr())?;
        }
        mode.c_iflag = numbers[0] as libc::tcflag_t;
        mode.c_oflag = numbers[1] as libc::tcflag_t;
        mode.c_cflag = numbers[2] as libc::tcflag_t;
        mode.c_lflag = numbers[3] as libc::tcflag_t;
        let cc = item(term, 6)?;
        if PyList_Check(cc.as_ptr()) == 0 || PyList_Size(cc.as_ptr()) != libc::NCCS as Py_ssize_t {
            bail!(PyExc_TypeError, "tcsetattr: attributes[6] must be {} element list", libc::NCCS);
        }
        for (i, slot) in mode.c_cc.iter_mut().enumerate() {
            let v = item(cc.as_ptr(), i)?;
            if PyBytes_Check(v.as_ptr()) != 0 && PyBytes_Size(v.as_ptr()) == 1 {
                *slot = bytes_slice(v.as_ptr())[0];
            } else if PyLong_Check(v.as_ptr()) != 0 {
                *slot = as_long(v.as_ptr())? as libc::cc_t;
            } else {
                bail!(PyExc_TypeError, "tcsetattr: elements of attributes must be characters or integers");
            }
        }
        check_termios(libc::cfsetispeed(&mut mode, numbers[4] as libc::speed_t))?;
        check_termios(libc::cfsetospeed(&mut mode, numbers[5] as libc::speed_t))?;
        check_termios(allow_threads(|| libc::tcsetattr(fd.0, when.0, &mode)))
    }
}

fn termios_tcsendbreak(_: (), fd: Fildes, duration: CInt) -> PyResult<()> {
    // SAFETY: plain system call.
    check_termios(allow_threads(|| unsafe { libc::tcsendbreak(fd.0, duration.0) }))
}
fn termios_tcdrain(_: (), fd: Fildes) -> PyResult<()> {
    // SAFETY: plain system call.
    check_termios(allow_threads(|| unsafe { libc::tcdrain(fd.0) }))
}
fn termios_tcflush(_: (), fd: Fildes, queue: CInt) -> PyResult<()> {
    // SAFETY: plain system call.
    check_termios(allow_threads(|| unsafe { libc::tcflush(fd.0, queue.0) }))
}
fn termios_tcflow(_: (), fd: Fildes, action: CInt) -> PyResult<()> {
    // SAFETY: plain system call.
    check_termios(allow_threads(|| unsafe { libc::tcflow(fd.0, action.0) }))
}
fn window(fd: c_int) -> PyResult<libc::winsize> {
    // SAFETY: plain system call.
    unsafe {
        let mut w: libc::winsize = core::mem::zeroed();
        check_termios(allow_threads(|| libc::ioctl(fd, libc::TIOCGWINSZ, &mut w)))?;
        Ok(w)
    }
}
fn termios_tcgetwinsize(_: (), fd: Fildes) -> PyResult<Owned> {
    let w = window(fd.0)?;
    tuple([int(w.ws_row as i64)?, int(w.ws_col as i64)?])
}
fn termios_tcsetwinsize(_: (), fd: Fildes, winsize: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: live; plain system call.
    unsafe {
        if PySequence_Check(winsize.ob()) == 0 || PySequence_Size(winsize.ob()) != 2 {
            PyErr_Clear();
            bail!(PyExc_TypeError, "tcsetwinsize, arg 2: must be a two-item sequence");
        }
        let mut size = [0; 2];
        for (i, n) in size.iter_mut().enumerate() {
            *n = as_long(own(PySequence_GetItem(winsize.ob(), i as Py_ssize_t))?.as_ptr())?;
        }
        let mut w = window(fd.0)?;
        let (Ok(row), Ok(col)) = (u16::try_from(size[0]), u16::try_from(size[1])) else {
            bail!(PyExc_OverflowError, "winsize value(s) out of range.");
        };
        w.ws_row = row;
        w.ws_col = col;
        check_termios(allow_threads(|| libc::ioctl(fd.0, libc::TIOCSWINSZ, &w)))
    }
}

methods! {
    static METHODS = [
        "tcgetattr($module, fd, /)" => termios_tcgetattr, "Attributes of a terminal: [iflag, oflag, cflag, lflag, ispeed, ospeed, cc].\n\ncc lists the special characters as bytes, VMIN and VTIME as ints where they count.";
        "tcsetattr($module, fd, when, attributes, /)" => termios_tcsetattr, "Set the attributes of a terminal; when is TCSANOW, TCSADRAIN or TCSAFLUSH.";
        "tcsendbreak($module, fd, duration, /)" => termios_tcsendbreak, "Send a break.";
        "tcdrain($module, fd, /)" => termios_tcdrain, "Wait until all output is sent.";
        "tcflush($module, fd, queue, /)" => termios_tcflush, "Throw queued data away.";
        "tcflow($module, fd, action, /)" => termios_tcflow, "Suspend or resume input or output.";
        "tcgetwinsize($module, fd, /)" => termios_tcgetwinsize, "Size of a terminal as (rows, columns).";
        "tcsetwinsize($module, fd, winsize, /)" => termios_tcsetwinsize, "Set the size of a terminal from (rows, columns).";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        if ERROR.get().is_null() {
            let e = own(PyErr_NewException(c"termios.error".as_ptr(), null_mut(), null_mut()))?;
            ERROR.set(Some(e));
        }
        add_object(module, c"error", Ok(Owned::from_borrowed(ERROR.get())))?;
    }
    add_ints(module, crate::names::TERMIOS_CONSTANTS)
}

module! {
    /// Entry point of `termios`.
    pub fn PyInit_termios = "termios", "Control of terminals by POSIX's calls.\n\nAll functions take a descriptor or an object with fileno().", methods: METHODS, exec: exec;
}
