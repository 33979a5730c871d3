//! The buffered streams: `_BufferedIOBase`, BufferedReader, BufferedWriter, BufferedRandom, BufferedRWPair.
//!
//! One struct serves the first three. The buffer holds either bytes read ahead (`0..read_end`, of which `pos` have been
//! given out) or bytes to be written (`write_pos..write_end`); `raw_pos` is where the raw stream stands, counted from the
//! buffer's start, so that `raw_offset` tells how far it is ahead of the logical position.

use crate::iobase::{DICT_GETSET, IoBase, check_readable, check_seekable, check_writable, iobase_dealloc_begin, is_closed, retry_after_eintr, types, unsupported};
use crate::support::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Args, BufferView, getset, initializer, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// State of a buffered stream.
#[repr(C)]
pub struct Buffered {
    base: IoBase,
    /// The raw stream; NULL after `detach`.
    pub raw: *mut PyObject,
    ok: bool,
    detached: bool,
    readable: bool,
    writable: bool,
    finalizing: bool,
    /// Absolute position of the raw stream, -1 unknown.
    abs_pos: i64,
    buffer: *mut Vec<u8>,
    pos: i64,
    raw_pos: i64,
    read_end: i64,
    write_pos: i64,
    write_end: i64,
    buffer_size: isize,
    /// Thread that is inside an operation, 0 for none.
    owner: usize,
}
type B<'a> = Borrowed<'a, Buffered>;

impl Buffered {
    fn valid_read(&self) -> bool {
        self.readable && self.read_end != -1
    }
    fn valid_write(&self) -> bool {
        self.writable && self.write_end != -1
    }
    fn readahead(&self) -> i64 {
        if self.valid_read() { self.read_end - self.pos } else { 0 }
    }
    fn raw_offset(&self) -> i64 {
        if (self.valid_read() || self.valid_write()) && self.raw_pos >= 0 { self.raw_pos - self.pos } else { 0 }
    }
    fn reset_read(&mut self) {
        self.read_end = -1;
    }
    fn reset_write(&mut self) {
        self.write_pos = 0;
        self.write_end = -1;
    }
    fn adjust_position(&mut self, new: i64) {
        self.pos = new;
        if self.valid_read() && self.read_end < self.pos {
            self.read_end = self.pos;
        }
    }
}

/// Exclusive use of the stream by this thread; another thread's is waited for without the GIL.
struct Guard(*mut Buffered);
impl Guard {
    unsafe fn enter(b: *mut Buffered) -> PyResult<Self> {
        // SAFETY: [GIL] the owner word is read and written under it.
        unsafe {
            let me = libc::pthread_self() as usize;
            if (*b).owner == me {
                PyErr_Format(PyExc_RuntimeError, c"reentrant call inside %R".as_ptr(), b.cast::<PyObject>());
                return Err(Raised::assume());
            }
            while (*b).owner != 0 {
                if Py_IsFinalizing() != 0 {
                    break;
                }
                without_gil(|| std::thread::sleep(std::time::Duration::from_micros(100)));
            }
            (*b).owner = me;
            Ok(Guard(b))
        }
    }
}
impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: [GIL] the stream is held by the caller.
        unsafe { (*self.0).owner = 0 }
    }
}

fn check_init(b: B<'_>) -> PyResult<()> {
    if !b.ok {
        if b.detached {
            bail!(PyExc_ValueError, "raw stream has been detached");
        }
        bail!(PyExc_ValueError, "I/O operation on uninitialized object");
    }
    Ok(())
}

unsafe fn raw_closed(b: B<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe { is_closed(b.raw) }
}

unsafe fn check_open(b: B<'_>, message: &str) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if (*b.as_ptr()).buffer.is_null() || raw_closed(b)? {
            bail!(PyExc_ValueError, "{}", message);
        }
        Ok(())
    }
}

// ---- raw operations -----------------------------------------------------------------------------------------------------

unsafe fn raw_tell(b: B<'_>) -> PyResult<i64> {
    // SAFETY: [TYPE]
    unsafe {
        (*b.as_ptr()).abs_pos = -1;
        let r = call0(b.raw, intern!("tell"))?;
        let n = offset(r.as_ptr())?;
        if n < 0 {
            bail!(PyExc_OSError, "Raw stream returned invalid position {}", n);
        }
        (*b.as_ptr()).abs_pos = n;
        Ok(n)
    }
}

unsafe fn raw_seek(b: B<'_>, target: i64, whence: i32) -> PyResult<i64> {
    // SAFETY: [TYPE]
    unsafe {
        let r = call2(b.raw, intern!("seek"), int(target)?.as_ptr(), int(whence as i64)?.as_ptr())?;
        let n = offset(r.as_ptr())?;
        if n < 0 {
            bail!(PyExc_OSError, "Raw stream returned invalid position {}", n);
        }
        (*b.as_ptr()).abs_pos = n;
        Ok(n)
    }
}

/// Reads from the raw stream into memory of ours; `None` when it would block.
unsafe fn raw_read(b: B<'_>, p: *mut u8, n: usize) -> PyResult<Option<usize>> {
    // SAFETY: [TYPE] the view is released before the memory goes.
    unsafe {
        let view = Owned::from_owned_or_err(PyMemoryView_FromMemory(p.cast(), n as Py_ssize_t, PyBUF_WRITE))?;
        let r = loop {
            match call1(b.raw, intern!("readinto"), view.as_ptr()) {
                Ok(r) => break r,
                Err(e) => {
                    retry_after_eintr(e)?;
                }
            }
        };
        // Nobody may keep a view of our memory.
        let _ = call0(view.as_ptr(), intern!("release"))?;
        if r.as_ptr() == Py_None() {
            return Ok(None);
        }
        let got = PyNumber_AsSsize_t(r.as_ptr(), PyExc_ValueError);
        if got == -1 && err_occurred() {
            let cause = PyErr_GetRaisedException();
            let _ = raise!(PyExc_OSError, "raw readinto() failed");
            _PyErr_ChainFrom(cause);
            return Err(Raised::assume());
        }
        if got < 0 || got as usize > n {
            bail!(PyExc_OSError, "raw readinto() returned invalid length {} (should have been between 0 and {})", got, n);
        }
        if got > 0 && b.abs_pos != -1 {
            (*b.as_ptr()).abs_pos += got as i64;
        }
        Ok(Some(got as usize))
    }
}

/// Makes `cause` (stolen) the cause of the exception that is set.
unsafe fn _PyErr_ChainFrom(cause: *mut PyObject) {
    // SAFETY: [EXC] both are exceptions.
    unsafe {
        let new = PyErr_GetRaisedException();
        Py_INCREF(cause);
        PyException_SetCause(new, cause);
        PyException_SetContext(new, cause);
        PyErr_SetRaisedException(new);
    }
}

unsafe fn raw_write(b: B<'_>, p: *const u8, n: usize) -> PyResult<Option<usize>> {
    // SAFETY: [TYPE] the view is released before the memory goes.
    unsafe {
        let view = Owned::from_owned_or_err(PyMemoryView_FromMemory(p.cast_mut().cast(), n as Py_ssize_t, PyBUF_READ))?;
        let r = loop {
            match call1(b.raw, intern!("write"), view.as_ptr()) {
                Ok(r) => break r,
                Err(e) => {
                    retry_after_eintr(e)?;
                }
            }
        };
        if r.as_ptr() == Py_None() {
            return Ok(None);
        }
        let put = PyNumber_AsSsize_t(r.as_ptr(), PyExc_ValueError);
        if put == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if put < 0 || put as usize > n {
            bail!(PyExc_OSError, "raw write() returned invalid length {} (should have been between 0 and {})", put, n);
        }
        if put > 0 && b.abs_pos != -1 {
            (*b.as_ptr()).abs_pos += put as i64;
        }
        Ok(Some(put as usize))
    }
}

/// Reads ahead after what the buffer holds.
unsafe fn fill_buffer(b: B<'_>) -> PyResult<Option<usize>> {
    // SAFETY: [TYPE] the buffer has buffer_size bytes.
    unsafe {
        let s = b.as_ptr();
        let start = if (*s).valid_read() { (*s).read_end } else { 0 };
        let n = (*s).buffer_size as usize - start as usize;
        let p = (*(*s).buffer).as_mut_ptr().add(start as usize);
        let got = raw_read(b, p, n)?;
        if let Some(n) = got
            && n > 0
        {
            (*s).read_end = start + n as i64;
            (*s).raw_pos = start + n as i64;
        }
        Ok(got)
    }
}

/// Writes out what is pending. BlockingIOError if the raw stream would block.
unsafe fn flush_pending(b: B<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let s = b.as_ptr();
        if !(*s).valid_write() || (*s).write_pos == (*s).write_end {
            (*s).reset_write();
            return Ok(());
        }
        let rewind = (*s).raw_offset() + ((*s).pos - (*s).write_pos);
        if rewind != 0 {
            raw_seek(b, -rewind, 1)?;
            (*s).raw_pos -= rewind;
        }
        while (*s).write_pos < (*s).write_end {
            let p = (*(*s).buffer).as_ptr().add((*s).write_pos as usize);
            match raw_write(b, p, ((*s).write_end - (*s).write_pos) as usize)? {
                None => return Err(blocking("write could not complete without blocking", 0)),
                Some(n) => {
                    (*s).write_pos += n as i64;
                    (*s).raw_pos = (*s).write_pos;
                }
            }
            check_status(PyErr_CheckSignals())?;
        }
        (*s).reset_write();
        Ok(())
    }
}

fn blocking(message: &str, written: isize) -> Raised {
    // SAFETY: [GIL]
    unsafe {
        let make = || -> PyResult<Owned> {
            let args = [int(libc::EAGAIN as i64)?, string(message)?, int(written as i64)?];
            let raw: Vec<*mut PyObject> = args.iter().map(|a| a.as_ptr()).collect();
            Owned::from_owned_or_err(PyObject_Vectorcall(PyExc_BlockingIOError, raw.as_ptr(), 3, null_mut()))
        };
        match make() {
            Ok(exc) => {
                PyErr_SetObject(PyExc_BlockingIOError, exc.as_ptr());
                Raised::assume()
            }
            Err(e) => e,
        }
    }
}

/// Writes out what is pending and drops what was read ahead, moving the raw stream back.
unsafe fn flush_and_rewind(b: B<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if b.writable {
            flush_pending(b)?;
        }
        if b.readable {
            let s = b.as_ptr();
            let r = raw_seek(b, -(*s).raw_offset(), 1);
            (*s).reset_read();
            r?;
        }
        Ok(())
    }
}

// ---- common methods --------------------------------------------------------------------------------------------------------

fn simple_flush(b: B<'_>) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe { call0(b.raw, intern!("flush")) }
}
fn flush(b: B<'_>) -> PyResult<()> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe {
        check_open(b, "flush of closed file")?;
        let _guard = Guard::enter(b.as_ptr())?;
        flush_and_rewind(b)
    }
}

fn closed(b: B<'_>) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe { attr(b.raw, intern!("closed")) }
}

fn close(b: B<'_>) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe {
        let s = b.as_ptr();
        {
            let _guard = Guard::enter(s)?;
            if raw_closed(b)? {
                drop_buffer(s);
                return Ok(none());
            }
            if (*s).finalizing {
                // The raw stream's warning names this stream.
                if let Some(f) = optional_attr((*s).raw, intern!("_dealloc_warn"))? {
                    match Owned::from_owned_or_err(PyObject_CallOneArg(f.as_ptr(), b.ob())) {
                        Ok(_) => {}
                        Err(e) => e.clear(),
                    }
                }
            }
        }
        // Flushing goes through the method, which may be overridden; the lock is free meanwhile.
        let flushed = call0(b.ob(), intern!("flush")).map(|_| ());
        let _guard = match &flushed {
            Ok(()) => Guard::enter(s)?,
            Err(_) => {
                let exc = PyErr_GetRaisedException();
                match Guard::enter(s) {
                    Ok(guard) => {
                        PyErr_SetRaisedException(exc);
                        guard
                    }
                    Err(e) => {
                        Py_XDECREF(exc);
                        return Err(e);
                    }
                }
            }
        };
        let r = match flushed {
            Ok(()) => call0((*s).raw, intern!("close")),
            Err(_) => {
                let exc = PyErr_GetRaisedException();
                match call0((*s).raw, intern!("close")) {
                    Ok(_) => PyErr_SetRaisedException(exc),
                    Err(_) => _PyErr_ChainExceptions1(exc),
                }
                Err(Raised::assume())
            }
        };
        drop_buffer(s);
        r
    }
}

unsafe fn drop_buffer(s: *mut Buffered) {
    // SAFETY: [OWN]
    unsafe {
        let p = core::mem::replace(&mut (*s).buffer, null_mut());
        if !p.is_null() {
            drop(Box::from_raw(p));
        }
        (*s).pos = 0;
        (*s).reset_read();
        (*s).reset_write();
    }
}

fn detach(b: B<'_>) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe {
        call0(b.ob(), intern!("flush"))?;
        let s = b.as_ptr();
        let raw = core::mem::replace(&mut (*s).raw, null_mut());
        (*s).detached = true;
        (*s).ok = false;
        Owned::from_owned_or_err(raw)
    }
}

macro_rules! forward {
    ($($f:ident $name:literal;)*) => { $(
        fn $f(b: B<'_>) -> PyResult<Owned> {
            check_init(b)?;
            // SAFETY: [TYPE]
            unsafe { call0(b.raw, intern!($name)) }
        }
    )* };
}
forward! { seekable "seekable"; readable "readable"; writable "writable"; fileno "fileno"; isatty "isatty"; }

fn name(b: B<'_>) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe { attr(b.raw, intern!("name")) }
}
fn mode(b: B<'_>) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe { attr(b.raw, intern!("mode")) }
}
fn raw_attr(b: B<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if b.raw.is_null() {
            bail!(PyExc_AttributeError, "raw");
        }
        Ok(Owned::from_borrowed(b.raw))
    }
}
fn finalizing(b: B<'_>) -> PyResult<bool> {
    Ok(b.finalizing)
}
fn set_finalizing(b: B<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if let Some(v) = value {
            (*b.as_ptr()).finalizing = truth(v.ob())?;
        }
    }
    Ok(())
}
fn dealloc_warn(b: B<'_>, source: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if b.ok && !b.raw.is_null() {
            match call1(b.raw, intern!("_dealloc_warn"), source.ob()) {
                Ok(_) => {}
                Err(e) => e.clear(),
            }
        }
    }
    Ok(())
}
fn getstate(b: B<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    Err(raise!(PyExc_TypeError, "cannot pickle '{}' instances", type_name(b.ob())))
}
fn sizeof(b: B<'_>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    unsafe { Ok((*b.ob_type()).tp_basicsize + if b.buffer.is_null() { 0 } else { b.buffer_size }) }
}

fn tell(b: B<'_>) -> PyResult<i64> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe {
        let at = raw_tell(b)? - b.raw_offset();
        Ok(at.max(0))
    }
}

fn seek(b: B<'_>, target: Borrowed<'_>, whence: i32) -> PyResult<i64> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe {
        if !(0..=2).contains(&whence) && whence != libc::SEEK_DATA && whence != libc::SEEK_HOLE {
            bail!(PyExc_ValueError, "whence value {} unsupported", whence);
        }
        check_open(b, "seek of closed file")?;
        check_seekable(b.raw)?;
        let mut target = offset(target.ob())?;
        let s = b.as_ptr();
        // Inside what was read ahead no system call is needed.
        if whence != 2 && whence <= 1 && (*s).readable {
            let _guard = Guard::enter(s)?;
            let current = if (*s).abs_pos != -1 { (*s).abs_pos } else { raw_tell(b)? };
            let available = (*s).readahead();
            if available > 0 {
                let step = if whence == 0 { target - (current - (*s).raw_offset()) } else { target };
                if step >= -(*s).pos && step <= available {
                    (*s).pos += step;
                    return Ok((current - available + step).max(0));
                }
            }
        }
        let _guard = Guard::enter(s)?;
        if (*s).writable {
            flush_pending(b)?;
        }
        if whence == 1 {
            target -= (*s).raw_offset();
        }
        let at = raw_seek(b, target, whence)?;
        (*s).raw_pos = -1;
        if (*s).readable {
            (*s).reset_read();
        }
        Ok(at)
    }
}

fn truncate(b: B<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe {
        check_open(b, "truncate of closed file")?;
        if !b.writable {
            return Err(unsupported("truncate"));
        }
        let _guard = Guard::enter(b.as_ptr())?;
        flush_and_rewind(b)?;
        let size = size.map_or_else(none, |s| s.to_owned());
        let r = call1(b.raw, intern!("truncate"), size.as_ptr())?;
        let _ = raw_tell(b).map_err(Raised::clear);
        Ok(r)
    }
}

// ---- reading ----------------------------------------------------------------------------------------------------------------

/// Gives out up to `n` bytes that are in the buffer.
unsafe fn take<'a>(s: *mut Buffered, n: usize) -> &'a [u8] {
    // SAFETY: [TYPE] the range is valid; the slice is used before the buffer changes.
    unsafe {
        let n = n.min((*s).readahead() as usize);
        let from = (*s).pos as usize;
        (*s).pos += n as i64;
        core::slice::from_raw_parts((*(*s).buffer).as_ptr().add(from), n)
    }
}

fn read(b: B<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe {
        let n = size_or_none(size)?;
        if n < -1 {
            bail!(PyExc_ValueError, "read length must be non-negative or -1");
        }
        check_open(b, "read of closed file")?;
        let s = b.as_ptr();
        if n == -1 {
            let _guard = Guard::enter(s)?;
            return read_all(b);
        }
        if n as i64 <= (*s).readahead() && (*s).owner == 0 {
            return bytes(take(s, n as usize));
        }
        let _guard = Guard::enter(s)?;
        read_exactly(b, n as usize)
    }
}

unsafe fn read_all(b: B<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let s = b.as_ptr();
        let mut all = take(s, usize::MAX).to_vec();
        if (*s).writable {
            flush_and_rewind(b)?;
        }
        (*s).reset_read();
        if let Some(readall) = optional_attr((*s).raw, intern!("readall"))? {
            let rest = Owned::from_owned_or_err(PyObject_CallNoArgs(readall.as_ptr()))?;
            if rest.as_ptr() != Py_None() && PyBytes_Check(rest.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "readall() should return bytes");
            }
            if all.is_empty() {
                return Ok(rest);
            }
            if rest.as_ptr() != Py_None() {
                all.extend_from_slice(bytes_slice(rest.as_ptr()));
            }
            return bytes(&all);
        }
        loop {
            let chunk = call0((*s).raw, intern!("read"))?;
            if chunk.as_ptr() != Py_None() && PyBytes_Check(chunk.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "read() should return bytes");
            }
            if chunk.as_ptr() == Py_None() || PyBytes_Size(chunk.as_ptr()) == 0 {
                return if all.is_empty() { Ok(chunk) } else { bytes(&all) };
            }
            all.extend_from_slice(bytes_slice(chunk.as_ptr()));
            if (*s).abs_pos != -1 {
                (*s).abs_pos += PyBytes_Size(chunk.as_ptr()) as i64;
            }
        }
    }
}

/// `n` bytes, fewer only at the end or when the raw stream would block (then `None` if there are none at all).
unsafe fn read_exactly(b: B<'_>, n: usize) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let s = b.as_ptr();
        if n as i64 <= (*s).readahead() {
            return bytes(take(s, n));
        }
        let mut out: Vec<u8> = Vec::new();
        if out.try_reserve(n).is_err() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        out.extend_from_slice(take(s, usize::MAX));
        if (*s).writable {
            flush_and_rewind(b)?;
        }
        (*s).reset_read();
        // Whole buffers go straight to the caller.
        while out.len() < n {
            let whole = (n - out.len()) / (*s).buffer_size as usize * (*s).buffer_size as usize;
            if whole == 0 {
                break;
            }
            let at = out.len();
            match raw_read(b, out.as_mut_ptr().add(at), whole)? {
                Some(0) => return bytes(&out),
                None => return if out.is_empty() { Ok(none()) } else { bytes(&out) },
                Some(got) => out.set_len(at + got),
            }
        }
        (*s).pos = 0;
        (*s).raw_pos = 0;
        (*s).read_end = 0;
        while out.len() < n && (*s).read_end < (*s).buffer_size as i64 {
            match fill_buffer(b)? {
                Some(0) => break,
                None => return if out.is_empty() { Ok(none()) } else { bytes(&out) },
                Some(_) => {
                    let want = n - out.len();
                    out.extend_from_slice(take(s, want));
                }
            }
        }
        bytes(&out)
    }
}

fn read1(b: B<'_>, size: isize) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe {
        let s = b.as_ptr();
        let n = if size < 0 { (*s).buffer_size } else { size } as usize;
        check_open(b, "read of closed file")?;
        if n == 0 {
            return bytes(b"");
        }
        if (*s).readahead() > 0 {
            return bytes(take(s, n));
        }
        let _guard = Guard::enter(s)?;
        if (*s).writable {
            flush_and_rewind(b)?;
        }
        (*s).reset_read();
        let mut out = vec![0; n];
        let got = raw_read(b, out.as_mut_ptr(), n)?.unwrap_or(0);
        bytes(&out[..got])
    }
}

fn peek(b: B<'_>, _size: isize) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe {
        check_open(b, "peek of closed file")?;
        let s = b.as_ptr();
        let _guard = Guard::enter(s)?;
        if (*s).writable {
            flush_and_rewind(b)?;
        }
        if (*s).readahead() == 0 {
            (*s).reset_read();
            if fill_buffer(b)?.unwrap_or(0) == 0 {
                return bytes(b"");
            }
            (*s).pos = 0;
        }
        let from = (*s).pos as usize;
        bytes(&(&*(*s).buffer)[from..(*s).read_end as usize])
    }
}

unsafe fn readinto_impl(b: B<'_>, buffer: Borrowed<'_>, once: bool) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE] the view keeps the memory.
    unsafe {
        check_open(b, "readinto of closed file")?;
        let view = crate::fileio::writable_view(buffer)?;
        let (p, len) = (view.raw().buf.cast::<u8>(), view.raw().len as usize);
        let s = b.as_ptr();
        let have = take(s, len);
        core::ptr::copy_nonoverlapping(have.as_ptr(), p, have.len());
        let mut written = have.len();
        if written == len {
            return int(written as i64);
        }
        let _guard = Guard::enter(s)?;
        if (*s).writable {
            flush_and_rewind(b)?;
        }
        (*s).reset_read();
        (*s).pos = 0;
        while written < len {
            let remaining = len - written;
            let got = if remaining > (*s).buffer_size as usize {
                raw_read(b, p.add(written), remaining)?
            } else if !(once && written > 0) {
                match fill_buffer(b)? {
                    Some(n) if n > 0 => {
                        let chunk = take(s, remaining);
                        core::ptr::copy_nonoverlapping(chunk.as_ptr(), p.add(written), chunk.len());
                        if (*s).readahead() == 0 {
                            (*s).reset_read();
                            (*s).pos = 0;
                        }
                        Some(chunk.len())
                    }
                    other => other,
                }
            } else {
                Some(0)
            };
            match got {
                Some(0) => break,
                None if written > 0 => break,
                None => return Ok(none()),
                Some(n) => written += n,
            }
            if once {
                break;
            }
        }
        int(written as i64)
    }
}
fn readinto(b: B<'_>, buffer: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { readinto_impl(b, buffer, false) }
}
fn readinto1(b: B<'_>, buffer: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { readinto_impl(b, buffer, true) }
}

unsafe fn next_line(b: B<'_>, limit: isize) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        check_open(b, "readline of closed file")?;
        let s = b.as_ptr();
        let find = move |limit: usize| {
            let n = ((*s).readahead() as usize).min(limit);
            let from = (*s).pos as usize;
            let part = if n == 0 { &[][..] } else { &(&*(*s).buffer)[from..from + n] };
            (part.iter().position(|&c| c == b'\n').map(|i| i + 1), n)
        };
        let mut left = if limit < 0 { usize::MAX } else { limit as usize };
        let (end, n) = find(left);
        if let Some(n) = end {
            return bytes(take(s, n));
        }
        if n == left {
            return bytes(take(s, n));
        }
        let _guard = Guard::enter(s)?;
        let mut line = take(s, n).to_vec();
        left = left.saturating_sub(n);
        if (*s).writable {
            flush_and_rewind(b)?;
        }
        loop {
            (*s).reset_read();
            (*s).pos = 0;
            if fill_buffer(b)?.unwrap_or(0) == 0 {
                return bytes(&line);
            }
            let (end, n) = find(left);
            let n = end.unwrap_or(n);
            line.extend_from_slice(take(s, n));
            left = left.saturating_sub(n);
            if end.is_some() || left == 0 {
                return bytes(&line);
            }
        }
    }
}

fn readline(b: B<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    check_init(b)?;
    // SAFETY: [TYPE]
    unsafe {
        let n = size_or_none(size)?;
        next_line(b, n)
    }
}

unsafe extern "C" fn iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let tp = type_of(slf);
        let line = if tp == types().reader || tp == types().random {
            let b: B<'_> = Borrowed::from_ptr(slf.cast());
            check_init(b).and_then(|()| next_line(b, -1))
        } else {
            call0(slf, intern!("readline")).and_then(|l| {
                if PyBytes_Check(l.as_ptr()) == 0 {
                    bail!(PyExc_OSError, "readline() should have returned a bytes object, not '{}'", type_name(l.as_ptr()));
                }
                Ok(l)
            })
        };
        match line {
            Ok(l) if PyBytes_Size(l.as_ptr()) > 0 => l.into_raw(),
            _ => null_mut(),
        }
    }
}

// ---- writing ----------------------------------------------------------------------------------------------------------------

fn write(b: B<'_>, buffer: Borrowed<'_>) -> PyResult<isize> {
    check_init(b)?;
    // SAFETY: [TYPE] the view keeps the memory.
    unsafe {
        let view = BufferView::get(buffer.ob())?;
        let s = b.as_ptr();
        let _guard = Guard::enter(s)?;
        check_open(b, "write to closed file")?;
        let data = view.as_bytes();
        let size = (*s).buffer_size;
        if !(*s).valid_read() && !(*s).valid_write() {
            (*s).pos = 0;
            (*s).raw_pos = 0;
        }
        let put = move |at: i64, part: &[u8]| {
            core::ptr::copy_nonoverlapping(part.as_ptr(), (*(*s).buffer).as_mut_ptr().add(at as usize), part.len());
        };
        let available = (size as i64 - (*s).pos).max(0) as usize;
        let note = move |n: usize| {
            if !(*s).valid_write() || (*s).write_pos > (*s).pos {
                (*s).write_pos = (*s).pos;
            }
            (*s).adjust_position((*s).pos + n as i64);
            if (*s).write_end < (*s).pos {
                (*s).write_end = (*s).pos;
            }
        };
        if data.len() <= available && data.len() < size as usize {
            put((*s).pos, data);
            note(data.len());
            return Ok(data.len() as isize);
        }
        // The buffer overflows: first out with what is there.
        if let Err(e) = flush_pending(b) {
            if !e.matches(PyExc_BlockingIOError) {
                return Err(e);
            }
            // Keep what fits, and say how much that was.
            if (*s).readable {
                (*s).reset_read();
            }
            let from = (*s).write_pos as usize;
            let pending = ((*s).write_end - (*s).write_pos) as usize;
            (&mut *(*s).buffer).copy_within(from..from + pending, 0);
            (*s).write_end -= (*s).write_pos;
            (*s).raw_pos -= (*s).write_pos;
            (*s).pos -= (*s).write_pos;
            (*s).write_pos = 0;
            let room = size as usize - (*s).write_end as usize;
            if data.len() <= room {
                e.clear();
                put((*s).write_end, data);
                (*s).write_end += data.len() as i64;
                (*s).pos += data.len() as i64;
                return Ok(data.len() as isize);
            }
            e.clear();
            put((*s).write_end, &data[..room]);
            (*s).write_end = size as i64;
            (*s).pos += room as i64;
            return Err(blocking("write could not complete without blocking", room as isize));
        }
        // What was read ahead is stale now.
        let ahead = (*s).raw_offset();
        if ahead != 0 {
            raw_seek(b, -ahead, 1)?;
            (*s).raw_pos -= ahead;
        }
        let mut rest = data;
        let mut done = 0;
        while rest.len() >= size as usize {
            match raw_write(b, rest.as_ptr(), rest.len())? {
                None => {
                    // Buffer what fits.
                    if rest.len() > size as usize {
                        put(0, &rest[..size as usize]);
                        (*s).raw_pos = 0;
                        (*s).adjust_position(size as i64);
                        (*s).write_pos = 0;
                        (*s).write_end = size as i64;
                        return Err(blocking("write could not complete without blocking", done as isize + size));
                    }
                    break;
                }
                Some(n) => {
                    done += n;
                    rest = &rest[n..];
                }
            }
            check_status(PyErr_CheckSignals())?;
        }
        if (*s).readable {
            (*s).reset_read();
        }
        if !rest.is_empty() {
            put(0, rest);
        }
        (*s).write_pos = 0;
        (*s).write_end = rest.len() as i64;
        (*s).adjust_position(rest.len() as i64);
        (*s).raw_pos = 0;
        Ok(data.len() as isize)
    }
}

// ---- construction -------------------------------------------------------------------------------------------------------------

unsafe fn init_common(b: B<'_>, raw: Borrowed<'_>, buffer_size: isize, readable: bool, writable: bool) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let s = b.as_ptr();
        (*s).ok = false;
        (*s).detached = false;
        if readable && writable {
            check_seekable(raw.ob())?;
        }
        if readable {
            check_readable(raw.ob())?;
        }
        if writable {
            check_writable(raw.ob())?;
        }
        if buffer_size <= 0 {
            bail!(PyExc_ValueError, "buffer size must be strictly positive");
        }
        setref(&raw mut (*s).raw, raw.to_owned().into_raw());
        drop_buffer(s);
        let mut memory = Vec::new();
        if memory.try_reserve_exact(buffer_size as usize).is_err() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        memory.resize(buffer_size as usize, 0);
        (*s).buffer = Box::into_raw(Box::new(memory));
        (*s).buffer_size = buffer_size;
        (*s).readable = readable;
        (*s).writable = writable;
        (*s).raw_pos = 0;
        (*s).owner = 0;
        (*s).finalizing = false;
        if let Err(e) = raw_tell(b) {
            // Not every stream has a position.
            if !e.matches(PyExc_Exception) {
                return Err(e);
            }
            e.clear();
        }
        (*s).ok = true;
        Ok(())
    }
}
fn reader_init(b: B<'_>, raw: Borrowed<'_>, buffer_size: isize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { init_common(b, raw, buffer_size, true, false) }
}
fn writer_init(b: B<'_>, raw: Borrowed<'_>, buffer_size: isize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { init_common(b, raw, buffer_size, false, true) }
}
fn random_init(b: B<'_>, raw: Borrowed<'_>, buffer_size: isize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { init_common(b, raw, buffer_size, true, true) }
}

unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let b = slf.cast::<Buffered>();
        (*b).finalizing = true;
        if !iobase_dealloc_begin(slf) {
            return;
        }
        (*b).ok = false;
        drop_buffer(b);
        setref(&raw mut (*b).raw, null_mut());
        free_instance(slf);
    }
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let b = slf.cast::<Buffered>();
        py_visit!(visitor, arg; type_of(slf), (*b).raw, (*b).base.dict);
    }
    0
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let b = slf.cast::<Buffered>();
        (*b).ok = false;
        setref(&raw mut (*b).raw, null_mut());
        setref(&raw mut (*b).base.dict, null_mut());
    }
    0
}
unsafe extern "C" fn repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { repr_with_name(slf) }
}

/// `<type name='...'>`, as several streams show themselves.
///
/// # Safety
/// `slf` is live.
pub unsafe fn repr_with_name(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*type_of(slf)).tp_name;
        let name = match optional_attr(slf, intern!("name")) {
            Ok(n) => n,
            Err(e) => {
                if !e.matches(PyExc_ValueError) {
                    return null_mut();
                }
                // Not initialised, or detached.
                e.clear();
                None
            }
        };
        let Some(name) = name else { return PyUnicode_FromFormat(c"<%s>".as_ptr(), tp) };
        let status = Py_ReprEnter(slf);
        if status != 0 {
            if status > 0 {
                PyErr_Format(PyExc_RuntimeError, c"reentrant call inside %s.__repr__".as_ptr(), tp);
            }
            return null_mut();
        }
        let r = PyUnicode_FromFormat(c"<%s name=%R>".as_ptr(), tp, name.as_ptr());
        Py_ReprLeave(slf);
        r
    }
}

// ---- _BufferedIOBase ------------------------------------------------------------------------------------------------------------

fn base_unsupported_read(_: Borrowed<'_>, _size: Args<'_>) -> PyResult<()> {
    Err(unsupported("read"))
}
fn base_unsupported_read1(_: Borrowed<'_>, _size: Args<'_>) -> PyResult<()> {
    Err(unsupported("read1"))
}
fn base_unsupported_write(_: Borrowed<'_>, _b: Borrowed<'_>) -> PyResult<()> {
    Err(unsupported("write"))
}
fn base_detach(_: Borrowed<'_>) -> PyResult<()> {
    Err(unsupported("detach"))
}
unsafe fn base_readinto_impl(slf: Borrowed<'_>, buffer: Borrowed<'_>, method: *mut PyObject) -> PyResult<isize> {
    // SAFETY: [ARGS] the view keeps the memory.
    unsafe {
        let view = crate::fileio::writable_view(buffer)?;
        let len = view.raw().len;
        let data = call1(slf.ob(), method, int(len as i64)?.as_ptr())?;
        if PyBytes_Check(data.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "read() should return bytes");
        }
        let got = bytes_slice(data.as_ptr());
        if got.len() as isize > len {
            bail!(PyExc_ValueError, "read() returned too much data: {} bytes requested, {} returned", len, got.len());
        }
        core::ptr::copy_nonoverlapping(got.as_ptr(), view.raw().buf.cast(), got.len());
        Ok(got.len() as isize)
    }
}
fn base_readinto(slf: Borrowed<'_>, buffer: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [ARGS]
    unsafe { base_readinto_impl(slf, buffer, intern!("read")) }
}
fn base_readinto1(slf: Borrowed<'_>, buffer: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [ARGS]
    unsafe { base_readinto_impl(slf, buffer, intern!("read1")) }
}
methods! {
    static BASE_METHODS = [
        "detach($self, /)" => base_detach, "Separate the raw stream and return it.";
        "read($self, /, *args)" => base_unsupported_read, "At most size bytes.";
        "read1($self, /, *args)" => base_unsupported_read1, "At most size bytes, with at most one raw read.";
        "readinto($self, buffer, /)" => base_readinto, "Read into a buffer; returns how many bytes.";
        "readinto1($self, buffer, /)" => base_readinto1, "Read into a buffer with at most one raw read.";
        "write($self, b, /)" => base_unsupported_write, "Write bytes.";
    ];
}
/// `_io._BufferedIOBase`.
pub static mut BUFFEREDIOBASE: PyTypeObject = PyTypeObject {
    tp_name: c"_io._BufferedIOBase".as_ptr(),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"Base of buffered binary streams.".as_ptr(),
    tp_methods: (&raw mut BASE_METHODS).cast(),
    ..TYPE_INIT
};

// ---- the three types ---------------------------------------------------------------------------------------------------------------

methods! {
    static READER_METHODS = [
        "detach($self, /)" => detach, "Separate the raw stream and return it.";
        "flush($self, /)" => simple_flush, "Flush the raw stream.";
        "close($self, /)" => close, "Close the stream.";
        "seekable($self, /)" => seekable, "Whether the position can be changed.";
        "fileno($self, /)" => fileno, "The file descriptor.";
        "isatty($self, /)" => isatty, "Whether it is a terminal.";
        "_dealloc_warn($self, source, /)" => dealloc_warn, "Warn that it was not closed.";
        "readable($self, /)" => readable, "Whether it can be read.";
        "read($self, size=-1, /)" => read, "size bytes, or all that are left.";
        "peek($self, size=0, /)" => peek, "Bytes that are read ahead, without moving past them.";
        "read1($self, size=-1, /)" => read1, "At most size bytes, with at most one raw read.";
        "readinto($self, buffer, /)" => readinto, "Read into a buffer; returns how many bytes.";
        "readinto1($self, buffer, /)" => readinto1, "Read into a buffer with at most one raw read.";
        "readline($self, size=-1, /)" => readline, "One line, of at most size bytes.";
        "seek($self, target, whence=0, /)" => seek, "Change the position.";
        "tell($self, /)" => tell, "The position.";
        "truncate($self, pos=None, /)" => truncate, "Cut the file.";
        "__sizeof__($self, /)" => sizeof, "Size in memory, in bytes.";
        "__getstate__($self, /)" => getstate, "Streams can't be pickled.";
    ];
}
methods! {
    static WRITER_METHODS = [
        "detach($self, /)" => detach, "Separate the raw stream and return it.";
        "close($self, /)" => close, "Flush and close the stream.";
        "seekable($self, /)" => seekable, "Whether the position can be changed.";
        "writable($self, /)" => writable, "Whether it can be written.";
        "fileno($self, /)" => fileno, "The file descriptor.";
        "isatty($self, /)" => isatty, "Whether it is a terminal.";
        "_dealloc_warn($self, source, /)" => dealloc_warn, "Warn that it was not closed.";
        "write($self, buffer, /)" => write, "Write bytes; they may wait in the buffer.";
        "truncate($self, pos=None, /)" => truncate, "Cut the file.";
        "flush($self, /)" => flush, "Write out what is buffered.";
        "seek($self, target, whence=0, /)" => seek, "Change the position.";
        "tell($self, /)" => tell, "The position.";
        "__sizeof__($self, /)" => sizeof, "Size in memory, in bytes.";
        "__getstate__($self, /)" => getstate, "Streams can't be pickled.";
    ];
}
methods! {
    static RANDOM_METHODS = [
        "detach($self, /)" => detach, "Separate the raw stream and return it.";
        "close($self, /)" => close, "Flush and close the stream.";
        "seekable($self, /)" => seekable, "Whether the position can be changed.";
        "readable($self, /)" => readable, "Whether it can be read.";
        "writable($self, /)" => writable, "Whether it can be written.";
        "fileno($self, /)" => fileno, "The file descriptor.";
        "isatty($self, /)" => isatty, "Whether it is a terminal.";
        "_dealloc_warn($self, source, /)" => dealloc_warn, "Warn that it was not closed.";
        "flush($self, /)" => flush, "Write out what is buffered.";
        "seek($self, target, whence=0, /)" => seek, "Change the position.";
        "tell($self, /)" => tell, "The position.";
        "truncate($self, pos=None, /)" => truncate, "Cut the file.";
        "read($self, size=-1, /)" => read, "size bytes, or all that are left.";
        "read1($self, size=-1, /)" => read1, "At most size bytes, with at most one raw read.";
        "readinto($self, buffer, /)" => readinto, "Read into a buffer; returns how many bytes.";
        "readinto1($self, buffer, /)" => readinto1, "Read into a buffer with at most one raw read.";
        "readline($self, size=-1, /)" => readline, "One line, of at most size bytes.";
        "peek($self, size=0, /)" => peek, "Bytes that are read ahead, without moving past them.";
        "write($self, buffer, /)" => write, "Write bytes; they may wait in the buffer.";
        "__sizeof__($self, /)" => sizeof, "Size in memory, in bytes.";
        "__getstate__($self, /)" => getstate, "Streams can't be pickled.";
    ];
}
getset! {
    static ATTRS = [
        "closed" => closed, "Whether the stream is closed.";
        "name" => name, "The raw stream's name.";
        "mode" => mode, "The raw stream's mode.";
        "raw" => raw_attr, "The raw stream.";
        "_finalizing" => finalizing, set_finalizing, "";
    ];
}
const EMPTY: PyGetSetDef = PyGetSetDef { name: core::ptr::null(), get: None, set: None, doc: core::ptr::null(), closure: null_mut() };
static mut GETSET: [PyGetSetDef; 7] = [EMPTY; 7];

const fn buffered_type(
    name: *const core::ffi::c_char,
    doc: *const core::ffi::c_char,
    methods: *mut PyMethodDef,
    iternext: Option<iternextfunc>,
    init: initproc,
) -> PyTypeObject {
    PyTypeObject {
        tp_name: name,
        tp_basicsize: size_of::<Buffered>() as Py_ssize_t,
        tp_dealloc: Some(dealloc),
        tp_repr: Some(repr),
        tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
        tp_doc: doc,
        tp_traverse: Some(traverse),
        tp_clear: Some(clear),
        tp_weaklistoffset: core::mem::offset_of!(IoBase, weakreflist) as Py_ssize_t,
        tp_iternext: iternext,
        tp_methods: methods,
        tp_getset: (&raw mut GETSET).cast(),
        tp_dictoffset: core::mem::offset_of!(IoBase, dict) as Py_ssize_t,
        tp_init: Some(init),
        ..TYPE_INIT
    }
}
/// `_io.BufferedReader`.
pub static mut READER: PyTypeObject = buffered_type(
    c"_io.BufferedReader".as_ptr(),
    c"BufferedReader(raw, buffer_size=8192)\n--\n\nA buffered stream for reading.".as_ptr(),
    (&raw mut READER_METHODS).cast(),
    Some(iternext),
    initializer!("BufferedReader(raw, buffer_size=8192)" => reader_init),
);
/// `_io.BufferedWriter`.
pub static mut WRITER: PyTypeObject = buffered_type(
    c"_io.BufferedWriter".as_ptr(),
    c"BufferedWriter(raw, buffer_size=8192)\n--\n\nA buffered stream for writing.".as_ptr(),
    (&raw mut WRITER_METHODS).cast(),
    None,
    initializer!("BufferedWriter(raw, buffer_size=8192)" => writer_init),
);
/// `_io.BufferedRandom`.
pub static mut RANDOM: PyTypeObject = buffered_type(
    c"_io.BufferedRandom".as_ptr(),
    c"BufferedRandom(raw, buffer_size=8192)\n--\n\nA buffered stream for reading and writing.".as_ptr(),
    (&raw mut RANDOM_METHODS).cast(),
    Some(iternext),
    initializer!("BufferedRandom(raw, buffer_size=8192)" => random_init),
);

// ---- BufferedRWPair ---------------------------------------------------------------------------------------------------------------

#[repr(C)]
struct RwPair {
    base: IoBase,
    reader: *mut PyObject,
    writer: *mut PyObject,
}
type P<'a> = Borrowed<'a, RwPair>;

fn pair_init(slf: P<'_>, reader: Borrowed<'_>, writer: Borrowed<'_>, buffer_size: isize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        check_readable(reader.ob())?;
        check_writable(writer.ob())?;
        let size = int(buffer_size as i64)?;
        let args = [reader.ob(), size.as_ptr()];
        let r = Owned::from_owned_or_err(PyObject_Vectorcall(types().reader.cast(), args.as_ptr(), 2, null_mut()))?;
        let args = [writer.ob(), size.as_ptr()];
        let w = Owned::from_owned_or_err(PyObject_Vectorcall(types().writer.cast(), args.as_ptr(), 2, null_mut()))?;
        setref(&raw mut (*slf.as_ptr()).reader, r.into_raw());
        setref(&raw mut (*slf.as_ptr()).writer, w.into_raw());
        Ok(())
    }
}
unsafe fn pair_forward(part: *mut PyObject, name: *mut PyObject, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if part.is_null() {
            bail!(PyExc_ValueError, "I/O operation on uninitialized object");
        }
        let f = attr(part, name)?;
        Owned::from_owned_or_err(PyObject_Vectorcall(f.as_ptr(), args.as_ptr(), args.len(), null_mut()))
    }
}
macro_rules! pair {
    ($($f:ident $part:ident $name:literal;)*) => { $(
        fn $f(slf: P<'_>, args: Args<'_>) -> PyResult<Owned> {
            // SAFETY: [TYPE]
            unsafe { pair_forward(slf.$part, intern!($name), args.0) }
        }
    )* };
}
pair! {
    pair_read reader "read"; pair_peek reader "peek"; pair_read1 reader "read1"; pair_readinto reader "readinto";
    pair_readinto1 reader "readinto1"; pair_readable reader "readable"; pair_write writer "write"; pair_flush writer "flush";
    pair_writable writer "writable";
}
fn pair_close(slf: P<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let w = pair_forward(slf.writer, intern!("close"), &[]).map(|_| ());
        let mut out = None;
        chained(w, || {
            out = Some(pair_forward(slf.reader, intern!("close"), &[])?);
            Ok(())
        })?;
        Ok(out.unwrap_or_else(none))
    }
}
fn pair_isatty(slf: P<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let w = pair_forward(slf.writer, intern!("isatty"), &[])?;
        if w.as_ptr() != Py_False() { Ok(w) } else { pair_forward(slf.reader, intern!("isatty"), &[]) }
    }
}
fn pair_closed(slf: P<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if slf.writer.is_null() {
            bail!(PyExc_RuntimeError, "the BufferedRWPair object is being garbage-collected");
        }
        attr(slf.writer, intern!("closed"))
    }
}
unsafe extern "C" fn pair_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.cast::<RwPair>();
        py_visit!(visitor, arg; type_of(slf), (*p).base.dict, (*p).reader, (*p).writer);
    }
    0
}
unsafe extern "C" fn pair_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.cast::<RwPair>();
        setref(&raw mut (*p).reader, null_mut());
        setref(&raw mut (*p).writer, null_mut());
        setref(&raw mut (*p).base.dict, null_mut());
    }
    0
}
unsafe extern "C" fn pair_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let p = slf.cast::<RwPair>();
        if !(*p).base.weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        pair_clear(slf);
        free_instance(slf);
    }
}
methods! {
    static PAIR_METHODS = [
        nosig "read($self, /, *args)" => pair_read, "Read from the reader.";
        nosig "peek($self, /, *args)" => pair_peek, "Peek into the reader.";
        nosig "read1($self, /, *args)" => pair_read1, "Read from the reader with at most one raw read.";
        nosig "readinto($self, /, *args)" => pair_readinto, "Read from the reader into a buffer.";
        nosig "readinto1($self, /, *args)" => pair_readinto1, "Read from the reader into a buffer with at most one raw read.";
        nosig "write($self, /, *args)" => pair_write, "Write to the writer.";
        "flush($self, /, *args)" => pair_flush, "Flush the writer.";
        "readable($self, /, *args)" => pair_readable, "Whether the reader can be read.";
        "writable($self, /, *args)" => pair_writable, "Whether the writer can be written.";
        "close($self, /)" => pair_close, "Close both.";
        "isatty($self, /)" => pair_isatty, "Whether either is a terminal.";
    ];
}
getset! { static PAIR_ATTRS = [ "closed" => pair_closed, "Whether the writer is closed."; ]; }
static mut PAIR_GETSET: [PyGetSetDef; 3] = [EMPTY; 3];
/// `_io.BufferedRWPair`.
pub static mut RWPAIR: PyTypeObject = PyTypeObject {
    tp_name: c"_io.BufferedRWPair".as_ptr(),
    tp_basicsize: size_of::<RwPair>() as Py_ssize_t,
    tp_dealloc: Some(pair_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"BufferedRWPair(reader, writer, buffer_size=8192, /)\n--\n\nTwo raw streams, one to read from and one to write to.".as_ptr(),
    tp_traverse: Some(pair_traverse),
    tp_clear: Some(pair_clear),
    tp_weaklistoffset: core::mem::offset_of!(IoBase, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut PAIR_METHODS).cast(),
    tp_getset: (&raw mut PAIR_GETSET).cast(),
    tp_dictoffset: core::mem::offset_of!(IoBase, dict) as Py_ssize_t,
    tp_init: Some(initializer!("BufferedRWPair(reader, writer, buffer_size=8192, /)" => pair_init)),
    ..TYPE_INIT
};

/// Completes the tables.
pub fn prepare() {
    // SAFETY: [STATIC] before the types are readied.
    unsafe {
        GETSET[0] = DICT_GETSET;
        for i in 0..5 {
            GETSET[i + 1] = core::ptr::read((&raw const ATTRS).cast::<PyGetSetDef>().add(i));
        }
        PAIR_GETSET[0] = DICT_GETSET;
        PAIR_GETSET[1] = core::ptr::read(&raw const PAIR_ATTRS[0]);
    }
}

