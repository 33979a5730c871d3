//! `sendmsg` and `recvmsg`: data scattered over buffers, and ancillary items such as file descriptors.

use crate::address::{Address, getsockaddrarg};
use crate::call::sock_call;
use crate::sock::S;
use taipan_clinic::support::*;
use core::ffi::{c_int, c_uint};
use core::mem::zeroed;
use core::ptr::null_mut;
use libc::{cmsghdr, iovec, msghdr};
use taipan_abi::*;
use taipan_clinic::BufferView;

const LIMIT: usize = 0x7fff_ffff;

/// `CMSG_LEN(length)` if it can be told.
fn len_of(length: usize) -> Option<usize> {
    // SAFETY: arithmetic only.
    let head = unsafe { libc::CMSG_LEN(0) } as usize;
    length.checked_add(head).filter(|&n| n <= LIMIT)
}

/// `CMSG_SPACE(length)` if it can be told.
fn space_of(length: usize) -> Option<usize> {
    // SAFETY: arithmetic only; padding before and after the data counts.
    unsafe {
        if length > LIMIT - libc::CMSG_SPACE(1) as usize {
            return None;
        }
        Some(libc::CMSG_SPACE(length as c_uint) as usize)
    }
}

fn length_argument(length: isize, f: fn(usize) -> Option<usize>, name: &str) -> PyResult<usize> {
    usize::try_from(length).ok().and_then(f).ok_or_else(|| raise!(PyExc_OverflowError, "{}() argument out of range", name))
}

/// `CMSG_LEN(length)`.
pub fn cmsg_len(_: (), length: isize) -> PyResult<usize> {
    length_argument(length, len_of, "CMSG_LEN")
}

/// `CMSG_SPACE(length)`.
pub fn cmsg_space(_: (), length: isize) -> PyResult<usize> {
    length_argument(length, space_of, "CMSG_SPACE")
}

/// An ancillary item in a received buffer.
struct Item {
    header: *const cmsghdr,
    /// How much of its data is there.
    len: usize,
    /// Whether the end is missing.
    cut: bool,
}

/// The items of a message; `Err` stands for a header that makes no sense, after which nothing can be found.
unsafe fn items(msg: &msghdr) -> Vec<Result<Item, ()>> {
    let mut found = Vec::new();
    if msg.msg_control.is_null() || msg.msg_controllen == 0 {
        return found;
    }
    // SAFETY: [ARGS] the system filled the buffer; each header is checked to lie in it.
    unsafe {
        let head = libc::CMSG_LEN(0) as usize;
        let start = msg.msg_control as usize;
        let end = start + msg.msg_controllen as usize;
        let mut h = libc::CMSG_FIRSTHDR(msg);
        while !h.is_null() {
            let at = h as usize;
            if at + head > end || ((*h).cmsg_len as usize) < head {
                found.push(Err(()));
                break;
            }
            let want = (*h).cmsg_len as usize - head;
            let room = end - (at + head);
            found.push(Ok(Item { header: h, len: want.min(room), cut: want > room }));
            if want > room {
                break;
            }
            h = libc::CMSG_NXTHDR(msg, h);
        }
    }
    found
}

/// Closes the file descriptors that came with a message that can't be delivered.
unsafe fn close_received(msg: &msghdr) {
    // SAFETY: [ARGS]
    unsafe {
        for item in items(msg).into_iter().flatten() {
            if (*item.header).cmsg_level == libc::SOL_SOCKET && (*item.header).cmsg_type == libc::SCM_RIGHTS {
                let fds = libc::CMSG_DATA(item.header).cast::<c_int>();
                for i in 0..item.len / size_of::<c_int>() {
                    libc::close(fds.add(i).read_unaligned());
                }
            }
        }
    }
}

unsafe fn item_list(msg: &msghdr) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        for item in items(msg) {
            let whole = matches!(&item, Ok(i) if !i.cut);
            if !whole {
                let text = c"received malformed or improperly-truncated ancillary data";
                check_status(PyErr_WarnEx(PyExc_RuntimeWarning, text.as_ptr(), 1))?;
            }
            let Ok(item) = item else { break };
            let data = core::slice::from_raw_parts(libc::CMSG_DATA(item.header), item.len);
            let entry = tuple(vec![int((*item.header).cmsg_level as i64)?, int((*item.header).cmsg_type as i64)?, bytes(data)?])?;
            check_status(PyList_Append(list.as_ptr(), entry.as_ptr()))?;
        }
        Ok(list)
    }
}

/// Receives a message; `make` turns the number of bytes into the first item of the result.
fn receive(slf: S<'_>, iov: &mut [iovec], flags: c_int, ancbufsize: isize, make: impl FnOnce(isize) -> PyResult<Owned>) -> PyResult<Owned> {
    let keep = slf.to_owned();
    let s = keep.as_ptr();
    let mut a = Address::room(&slf)?;
    let room = a.len;
    if ancbufsize < 0 || ancbufsize as usize > LIMIT {
        bail!(PyExc_ValueError, "invalid ancillary data buffer length");
    }
    let mut control: Vec<u64> = Vec::new();
    let words = (ancbufsize as usize).div_ceil(8);
    if control.try_reserve_exact(words).is_err() {
        // SAFETY: [GIL]
        unsafe { PyErr_NoMemory() };
        // SAFETY: [EXC]
        return Err(unsafe { Raised::assume() });
    }
    control.resize(words, 0);
    // SAFETY: buffers and records outlive the call and have the lengths told.
    unsafe {
        let mut msg: msghdr = zeroed();
        let got = sock_call(s, false, || {
            msg.msg_name = a.ptr().cast();
            msg.msg_namelen = room;
            msg.msg_iov = iov.as_mut_ptr();
            msg.msg_iovlen = iov.len();
            msg.msg_control = if ancbufsize == 0 { null_mut() } else { control.as_mut_ptr().cast() };
            msg.msg_controllen = ancbufsize as usize;
            libc::recvmsg((*s).sock_fd, &mut msg, flags)
        })?;
        a.len = msg.msg_namelen.min(room);
        let result = item_list(&msg).and_then(|list| {
            tuple(vec![make(got)?, list, int(msg.msg_flags as i64)?, a.to_object(slf.sock_fd, slf.sock_proto)?])
        });
        if result.is_err() {
            close_received(&msg);
        }
        result
    }
}

/// `recvmsg(bufsize[, ancbufsize[, flags]])`.
pub fn sock_recvmsg(slf: S<'_>, bufsize: isize, ancbufsize: isize, flags: i32) -> PyResult<Owned> {
    if bufsize < 0 {
        bail!(PyExc_ValueError, "negative buffer size in recvmsg()");
    }
    // SAFETY: the object is new: nobody else sees it change.
    unsafe {
        let buf = Owned::from_owned_or_err(PyBytes_FromStringAndSize(core::ptr::null(), bufsize))?;
        let mut iov = [iovec { iov_base: PyBytes_AsString(buf.as_ptr()).cast(), iov_len: bufsize as usize }];
        receive(slf, &mut iov, flags, ancbufsize, |got| {
            let mut raw = buf.into_raw();
            if got < bufsize {
                check_status(_PyBytes_Resize(&mut raw, got))?;
            }
            Ok(Owned::from_owned(raw))
        })
    }
}

/// Views of all items of an iterable.
unsafe fn views(buffers: Borrowed<'_>, fname: &str, writable: bool) -> PyResult<(Owned, Vec<BufferView>)> {
    // SAFETY: [ARGS]
    unsafe {
        let text = std::ffi::CString::new(format!("{fname}() argument 1 must be an iterable")).unwrap_or_default();
        let fast = Owned::from_owned_or_err(PySequence_Fast(buffers.ob(), text.as_ptr()))?;
        let n = PySequence_Size(fast.as_ptr());
        if n > c_int::MAX as isize {
            bail!(PyExc_OSError, "{}() argument 1 is too long", fname);
        }
        let mut all = Vec::new();
        for i in 0..n {
            let item = Owned::from_owned_or_err(PySequence_GetItem(fast.as_ptr(), i))?;
            let view = if writable { BufferView::get_writable(item.as_ptr()) } else { BufferView::get(item.as_ptr()) };
            all.push(view.map_err(|e| {
                e.clear();
                if writable {
                    raise!(PyExc_TypeError, "{}() argument 1 must be an iterable of single-segment read-write buffers", fname)
                } else if PyObject_CheckBuffer(item.as_ptr()) == 0 {
                    raise!(PyExc_TypeError, "a bytes-like object is required, not '{}'", type_name(item.as_ptr()))
                } else {
                    raise!(PyExc_TypeError, "{}() argument 1 must be an iterable of bytes-like objects", fname)
                }
            })?);
        }
        Ok((fast, all))
    }
}

fn iovecs(views: &[BufferView]) -> Vec<iovec> {
    views.iter().map(|v| iovec { iov_base: v.raw().buf, iov_len: v.raw().len as usize }).collect()
}

/// `recvmsg_into(buffers[, ancbufsize[, flags]])`.
pub fn sock_recvmsg_into(slf: S<'_>, buffers: Borrowed<'_>, ancbufsize: isize, flags: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS] the views keep the buffers.
    let (_fast, views) = unsafe { views(buffers, "recvmsg_into", true)? };
    receive(slf, &mut iovecs(&views), flags, ancbufsize, |got| int(got as i64))
}

/// An ancillary buffer being written: items one after the other.
struct Control {
    words: Vec<u64>,
    used: usize,
}
impl Control {
    fn new() -> Self {
        Control { words: Vec::new(), used: 0 }
    }
    fn push(&mut self, level: c_int, kind: c_int, data: &[u8]) -> PyResult<()> {
        let (Some(space), Some(len)) = (space_of(data.len()), len_of(data.len())) else {
            bail!(PyExc_OSError, "ancillary data item too large");
        };
        if self.used + space > LIMIT {
            bail!(PyExc_OSError, "too much ancillary data");
        }
        self.words.resize((self.used + space).div_ceil(8), 0);
        // SAFETY: the buffer was made long enough; headers are aligned to words.
        unsafe {
            let h = self.words.as_mut_ptr().cast::<u8>().add(self.used).cast::<cmsghdr>();
            (*h).cmsg_len = len as _;
            (*h).cmsg_level = level;
            (*h).cmsg_type = kind;
            core::ptr::copy_nonoverlapping(data.as_ptr(), libc::CMSG_DATA(h), data.len());
        }
        self.used += space;
        Ok(())
    }
}

/// `sendmsg(buffers[, ancdata[, flags[, address]]])`.
pub fn sock_sendmsg(slf: S<'_>, buffers: Borrowed<'_>, ancdata: Option<Borrowed<'_>>, flags: i32, address: Option<Borrowed<'_>>) -> PyResult<isize> {
    // SAFETY: [ARGS] views, address and control buffer outlive the call.
    unsafe {
        let mut a = match address {
            Some(address) => Some(getsockaddrarg(&slf, address.ob(), "sendmsg")?),
            None => None,
        };
        audit(c"socket.sendmsg", &[slf.ob(), address.map_or(Py_None(), |a| a.ob())])?;
        let (_fast, views) = views(buffers, "sendmsg", false)?;
        let mut iov = iovecs(&views);
        let mut control = Control::new();
        if let Some(ancdata) = ancdata {
            let fast = Owned::from_owned_or_err(PySequence_Fast(ancdata.ob(), c"sendmsg() argument 2 must be an iterable".as_ptr()))?;
            for i in 0..PySequence_Size(fast.as_ptr()) {
                let item = Owned::from_owned_or_err(PySequence_GetItem(fast.as_ptr(), i))?;
                let (mut level, mut kind): (c_int, c_int) = (0, 0);
                let mut data: Py_buffer = zeroed();
                if PyArg_Parse(item.as_ptr(), c"(iiy*):[sendmsg() ancillary data items]".as_ptr(), &mut level, &mut kind, &mut data) == 0 {
                    return Err(Raised::assume());
                }
                let slice = if data.len == 0 { &[][..] } else { core::slice::from_raw_parts(data.buf.cast::<u8>(), data.len as usize) };
                let pushed = control.push(level, kind, slice);
                PyBuffer_Release(&mut data);
                pushed?;
            }
        }
        transmit(slf, &mut iov, &mut control, a.as_mut(), flags)
    }
}

/// Sends what the parts say.
unsafe fn transmit(slf: S<'_>, iov: &mut [iovec], control: &mut Control, address: Option<&mut Address>, flags: c_int) -> PyResult<isize> {
    let keep = slf.to_owned();
    let s = keep.as_ptr();
    // SAFETY: [ARGS] all parts outlive the call.
    unsafe {
        let mut msg: msghdr = zeroed();
        if let Some(a) = address {
            msg.msg_name = a.ptr().cast();
            msg.msg_namelen = a.len;
        }
        msg.msg_iov = iov.as_mut_ptr();
        msg.msg_iovlen = iov.len();
        if control.used != 0 {
            msg.msg_control = control.words.as_mut_ptr().cast();
            msg.msg_controllen = control.used;
        }
        sock_call(s, true, || libc::sendmsg((*s).sock_fd, &msg, flags))
    }
}

/// `sendmsg_afalg([msg], *, op[, iv[, assoclen[, flags]]])`.
pub fn sock_sendmsg_afalg(
    slf: S<'_>,
    msg: Option<Borrowed<'_>>,
    op: Option<Borrowed<'_>>,
    iv: Option<BufferView>,
    assoclen: Option<Borrowed<'_>>,
    flags: i32,
) -> PyResult<isize> {
    const SOL_ALG: c_int = 279;
    const ALG_SET_IV: c_int = 2;
    const ALG_SET_OP: c_int = 3;
    const ALG_SET_AEAD_ASSOCLEN: c_int = 4;
    if slf.sock_family != libc::AF_ALG {
        bail!(PyExc_OSError, "algset is only supported for AF_ALG");
    }
    // SAFETY: [ARGS]
    unsafe {
        let number = |o: Borrowed<'_>| -> Option<i32> {
            if PyLong_Check(o.ob()) == 0 {
                return None;
            }
            let n = PyLong_AsLong(o.ob());
            if n == -1 && err_occurred() {
                PyErr_Clear();
                return None;
            }
            i32::try_from(n).ok()
        };
        let Some(op) = op.and_then(number).filter(|&n| n >= 0) else { bail!(PyExc_TypeError, "Invalid or missing argument 'op'") };
        let assoclen = match assoclen {
            Some(o) => match number(o) {
                Some(n) if n >= 0 => Some(n),
                _ => bail!(PyExc_TypeError, "assoclen must be positive"),
            },
            None => None,
        };
        let mut control = Control::new();
        control.push(SOL_ALG, ALG_SET_OP, &op.to_ne_bytes())?;
        if let Some(iv) = &iv {
            let mut data = (iv.as_bytes().len() as u32).to_ne_bytes().to_vec();
            data.extend_from_slice(iv.as_bytes());
            control.push(SOL_ALG, ALG_SET_IV, &data)?;
        }
        if let Some(n) = assoclen {
            control.push(SOL_ALG, ALG_SET_AEAD_ASSOCLEN, &n.to_ne_bytes())?;
        }
        let held = match msg {
            Some(m) => Some(views(m, "sendmsg", false)?),
            None => None,
        };
        let mut iov = held.as_ref().map_or(Vec::new(), |(_, v)| iovecs(v));
        transmit(slf, &mut iov, &mut control, None, flags)
    }
}
