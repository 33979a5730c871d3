//! Socket addresses: from Python objects to the system's records, by the socket's family, and back.

use crate::netdb::setipaddr;
use crate::sock::SockObject;
use taipan_clinic::support::*;
use core::ffi::{CStr, c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_ulonglong, c_ushort};
use core::mem::{offset_of, zeroed};
use core::ptr::{null, null_mut};
use libc::{sockaddr, sockaddr_storage, socklen_t};
use taipan_abi::*;

const BTPROTO_L2CAP: c_int = 0;
const BTPROTO_HCI: c_int = 1;
const BTPROTO_SCO: c_int = 2;
const BTPROTO_RFCOMM: c_int = 3;
const AF_TIPC: c_int = 30;
const AF_QIPCRTR: c_int = 42;
const TIPC_ADDR_NAMESEQ: u8 = 1;
const TIPC_ADDR_NAME: u8 = 2;
const TIPC_ADDR_ID: u8 = 3;
const TIPC_CLUSTER_SCOPE: c_uint = 2;

#[repr(C)]
struct SockaddrL2 {
    family: u16,
    psm: u16,
    bdaddr: [u8; 6],
    cid: u16,
    bdaddr_type: u8,
}
#[repr(C)]
struct SockaddrRc {
    family: u16,
    bdaddr: [u8; 6],
    channel: u8,
}
#[repr(C)]
struct SockaddrHci {
    family: u16,
    dev: u16,
    channel: u16,
}
#[repr(C)]
struct SockaddrSco {
    family: u16,
    bdaddr: [u8; 6],
}
#[repr(C)]
struct SockaddrTipc {
    family: u16,
    addrtype: u8,
    scope: i8,
    addr: [u32; 3],
}
#[repr(C)]
struct SockaddrQrtr {
    family: u16,
    node: u32,
    port: u32,
}

/// An address with its length.
pub struct Address {
    /// The record.
    pub storage: sockaddr_storage,
    /// How much of it is used.
    pub len: socklen_t,
}

impl Address {
    /// Room for an address of `s`'s family.
    pub fn room(s: &SockObject) -> PyResult<Address> {
        // SAFETY: all-zero is a valid record.
        Ok(Address { storage: unsafe { zeroed() }, len: getsockaddrlen(s)? })
    }
    /// Room for any address.
    pub fn any() -> Address {
        // SAFETY: all-zero is a valid record.
        Address { storage: unsafe { zeroed() }, len: size_of::<sockaddr_storage>() as socklen_t }
    }
    /// As the system takes it.
    pub fn ptr(&mut self) -> *mut sockaddr {
        (&raw mut self.storage).cast()
    }
    /// Its family.
    pub fn family(&self) -> c_int {
        self.storage.ss_family as c_int
    }
    /// An address made of one record.
    fn of<T>(record: T) -> Address {
        const { assert!(size_of::<T>() <= size_of::<sockaddr_storage>()) };
        let mut a = Address::any();
        a.len = size_of::<T>() as socklen_t;
        // SAFETY: checked above; the storage is aligned for every address.
        unsafe { a.ptr().cast::<T>().write(record) };
        a
    }
    /// As a Python object.
    pub fn to_object(&self, fd: c_int, proto: c_int) -> PyResult<Owned> {
        // SAFETY: `len` bytes are valid.
        unsafe { makesockaddr(fd, (&raw const self.storage).cast(), self.len as usize, proto) }
    }
}

/// How long addresses of the socket's family are.
pub fn getsockaddrlen(s: &SockObject) -> PyResult<socklen_t> {
    let size = match s.sock_family {
        libc::AF_UNIX => size_of::<libc::sockaddr_un>(),
        libc::AF_NETLINK => size_of::<libc::sockaddr_nl>(),
        AF_QIPCRTR => size_of::<SockaddrQrtr>(),
        libc::AF_VSOCK => size_of::<libc::sockaddr_vm>(),
        libc::AF_RDS | libc::AF_INET => size_of::<libc::sockaddr_in>(),
        libc::AF_INET6 => size_of::<libc::sockaddr_in6>(),
        libc::AF_BLUETOOTH => match s.sock_proto {
            BTPROTO_L2CAP => size_of::<SockaddrL2>(),
            BTPROTO_RFCOMM => size_of::<SockaddrRc>(),
            BTPROTO_HCI => size_of::<SockaddrHci>(),
            BTPROTO_SCO => size_of::<SockaddrSco>(),
            _ => bail!(PyExc_OSError, "getsockaddrlen: unknown BT protocol"),
        },
        libc::AF_PACKET => size_of::<libc::sockaddr_ll>(),
        AF_TIPC => size_of::<SockaddrTipc>(),
        libc::AF_CAN => size_of::<libc::sockaddr_can>(),
        libc::AF_ALG => size_of::<libc::sockaddr_alg>(),
        _ => bail!(PyExc_OSError, "getsockaddrlen: bad family"),
    };
    Ok(size as socklen_t)
}

// ---- to Python

/// The text of an IPv4 or IPv6 address.
pub unsafe fn ip_text(family: c_int, ip: *const u8) -> PyResult<Owned> {
    let mut buf = [0 as c_char; 64];
    // SAFETY: [ARGS] the buffer is longer than any address.
    unsafe {
        if inet_ntop(family, ip.cast(), buf.as_mut_ptr(), buf.len() as socklen_t).is_null() {
            return Err(os_error());
        }
        Owned::from_owned_or_err(PyUnicode_FromString(buf.as_ptr()))
    }
}

unsafe extern "C" {
    pub(crate) fn inet_ntop(family: c_int, src: *const core::ffi::c_void, dst: *mut c_char, size: socklen_t) -> *const c_char;
    pub(crate) fn inet_pton(family: c_int, src: *const c_char, dst: *mut core::ffi::c_void) -> c_int;
}

fn bdaddr_text(b: &[u8; 6]) -> PyResult<Owned> {
    string(&format!("{:02X}:{:02X}:{:02X}:{:02X}:{:02X}:{:02X}", b[5], b[4], b[3], b[2], b[1], b[0]))
}

/// Name of an interface by its number, empty if there is none.
fn interface_name(fd: c_int, index: c_int) -> Vec<u8> {
    if index == 0 {
        return Vec::new();
    }
    // SAFETY: the system fills the name in.
    unsafe {
        let mut ifr: libc::ifreq = zeroed();
        ifr.ifr_ifru.ifru_ifindex = index;
        if libc::ioctl(fd, libc::SIOCGIFNAME as _, &mut ifr) != 0 {
            return Vec::new();
        }
        ifr.ifr_name.iter().take_while(|&&c| c != 0).map(|&c| c as u8).collect()
    }
}

/// Number of an interface by its name.
unsafe fn interface_index(fd: c_int, name: &[u8]) -> PyResult<c_int> {
    // SAFETY: the name is cut to the record's size.
    unsafe {
        let mut ifr: libc::ifreq = zeroed();
        let room = ifr.ifr_name.len() - 1;
        for (to, &from) in ifr.ifr_name.iter_mut().zip(name.iter().take(room)) {
            *to = from as c_char;
        }
        if libc::ioctl(fd, libc::SIOCGIFINDEX as _, &mut ifr) < 0 {
            return Err(os_error());
        }
        Ok(ifr.ifr_ifru.ifru_ifindex)
    }
}

unsafe fn fs_text(bytes: &[u8]) -> PyResult<Owned> {
    // SAFETY: the slice is valid.
    unsafe { Owned::from_owned_or_err(PyUnicode_DecodeFSDefaultAndSize(bytes.as_ptr().cast(), bytes.len() as Py_ssize_t)) }
}

/// The object that stands for an address, by the family written in it. An address of length 0 is `None`.
///
/// # Safety
/// `addr` has `len` valid bytes, in room for any address.
pub unsafe fn makesockaddr(fd: c_int, addr: *const sockaddr, len: usize, proto: c_int) -> PyResult<Owned> {
    if len == 0 {
        return Ok(none());
    }
    // SAFETY: [ARGS] the record is that of its family.
    unsafe {
        match (*addr).sa_family as c_int {
            libc::AF_INET => {
                let a = &*addr.cast::<libc::sockaddr_in>();
                tuple(vec![ip_text(libc::AF_INET, (&raw const a.sin_addr).cast())?, int(u16::from_be(a.sin_port) as i64)?])
            }
            libc::AF_INET6 => {
                let a = &*addr.cast::<libc::sockaddr_in6>();
                tuple(vec![
                    ip_text(libc::AF_INET6, (&raw const a.sin6_addr).cast())?,
                    int(u16::from_be(a.sin6_port) as i64)?,
                    int(u32::from_be(a.sin6_flowinfo) as i64)?,
                    int(a.sin6_scope_id as i64)?,
                ])
            }
            libc::AF_UNIX => {
                let a = &*addr.cast::<libc::sockaddr_un>();
                let n = len.saturating_sub(offset_of!(libc::sockaddr_un, sun_path)).min(a.sun_path.len());
                let path = core::slice::from_raw_parts(a.sun_path.as_ptr().cast::<u8>(), n);
                if path.first() == Some(&0) {
                    // The abstract namespace of Linux.
                    return bytes(path);
                }
                let n = path.iter().position(|&b| b == 0).unwrap_or(n);
                fs_text(&path[..n])
            }
            libc::AF_NETLINK => {
                let a = &*addr.cast::<libc::sockaddr_nl>();
                tuple(vec![int(a.nl_pid as i64)?, int(a.nl_groups as i64)?])
            }
            AF_QIPCRTR => {
                let a = &*addr.cast::<SockaddrQrtr>();
                tuple(vec![int(a.node as i64)?, int(a.port as i64)?])
            }
            libc::AF_VSOCK => {
                let a = &*addr.cast::<libc::sockaddr_vm>();
                tuple(vec![int(a.svm_cid as i64)?, int(a.svm_port as i64)?])
            }
            libc::AF_BLUETOOTH => match proto {
                BTPROTO_L2CAP => {
                    let a = &*addr.cast::<SockaddrL2>();
                    tuple(vec![bdaddr_text(&a.bdaddr)?, int(a.psm as i64)?])
                }
                BTPROTO_RFCOMM => {
                    let a = &*addr.cast::<SockaddrRc>();
                    tuple(vec![bdaddr_text(&a.bdaddr)?, int(a.channel as i64)?])
                }
                BTPROTO_HCI => int((*addr.cast::<SockaddrHci>()).dev as i64),
                BTPROTO_SCO => bdaddr_text(&(*addr.cast::<SockaddrSco>()).bdaddr),
                _ => bail!(PyExc_ValueError, "Unknown Bluetooth protocol"),
            },
            libc::AF_PACKET => {
                let a = &*addr.cast::<libc::sockaddr_ll>();
                let name = interface_name(fd, a.sll_ifindex);
                let n = (a.sll_halen as usize).min(a.sll_addr.len());
                tuple(vec![
                    string(&String::from_utf8_lossy(&name))?,
                    int(u16::from_be(a.sll_protocol) as i16 as i64)?,
                    int(a.sll_pkttype as i64)?,
                    int(a.sll_hatype as i16 as i64)?,
                    bytes(&a.sll_addr[..n])?,
                ])
            }
            AF_TIPC => {
                let a = &*addr.cast::<SockaddrTipc>();
                let [v1, v2, v3] = a.addr;
                let (v2, v3) = match a.addrtype {
                    TIPC_ADDR_NAMESEQ => (v2, v3),
                    TIPC_ADDR_NAME => (v2, v2),
                    TIPC_ADDR_ID => (v2, 0),
                    _ => bail!(PyExc_ValueError, "Invalid address type"),
                };
                let v = [a.addrtype as u32, v1, v2, v3, a.scope as u32];
                tuple(v.into_iter().map(|n| int(n as i64)).collect::<PyResult<Vec<_>>>()?)
            }
            libc::AF_CAN => {
                let a = &*addr.cast::<libc::sockaddr_can>();
                let name = fs_text(&interface_name(fd, a.can_ifindex))?;
                match proto {
                    libc::CAN_ISOTP => {
                        let tp = a.can_addr.tp;
                        tuple(vec![name, int(tp.rx_id as i64)?, int(tp.tx_id as i64)?])
                    }
                    libc::CAN_J1939 => {
                        let j = a.can_addr.j1939;
                        let jname = Owned::from_owned_or_err(PyLong_FromUnsignedLongLong(j.name))?;
                        tuple(vec![name, jname, int(j.pgn as i64)?, int(j.addr as i64)?])
                    }
                    _ => tuple(vec![name]),
                }
            }
            libc::AF_ALG => {
                let a = &*addr.cast::<libc::sockaddr_alg>();
                let text = |b: &[u8]| string(&String::from_utf8_lossy(b.split(|&c| c == 0).next().unwrap_or(b)));
                tuple(vec![text(&a.salg_type)?, text(&a.salg_name)?, int(a.salg_feat as u16 as i64)?, int(a.salg_mask as u16 as i64)?])
            }
            family => {
                let data = core::slice::from_raw_parts((*addr).sa_data.as_ptr().cast::<u8>(), (*addr).sa_data.len());
                tuple(vec![int(family as i64)?, bytes(data)?])
            }
        }
    }
}

// ---- from Python

/// A host name as the resolver takes it; names that are not ASCII are encoded by IDNA.
pub struct HostName {
    _keep: Option<Owned>,
    text: *const c_char,
}
impl HostName {
    /// From an address's first item: str, bytes or bytearray.
    ///
    /// # Safety
    /// `obj` outlives the result.
    pub unsafe fn from_object(obj: *mut PyObject) -> PyResult<HostName> {
        // SAFETY: [ARGS]
        unsafe {
            let mut keep = None;
            let (text, len) = if PyBytes_Check(obj) != 0 {
                (PyBytes_AsString(obj).cast_const(), PyBytes_Size(obj))
            } else if PyByteArray_Check(obj) != 0 {
                (PyByteArray_AsString(obj).cast_const(), PyByteArray_Size(obj))
            } else if PyUnicode_Check(obj) != 0 {
                if PyUnicode_IS_ASCII(obj) != 0 {
                    (PyUnicode_DATA(obj).cast::<c_char>().cast_const(), PyUnicode_GET_LENGTH(obj))
                } else {
                    let encoded = PyUnicode_AsEncodedString(obj, c"idna".as_ptr(), null());
                    if encoded.is_null() {
                        PyErr_Clear();
                        bail!(PyExc_TypeError, "encoding of hostname failed");
                    }
                    keep = Some(Owned::from_owned(encoded));
                    (PyBytes_AsString(encoded).cast_const(), PyBytes_Size(encoded))
                }
            } else {
                bail!(PyExc_TypeError, "str, bytes or bytearray expected, not {}", type_name(obj));
            };
            if CStr::from_ptr(text).count_bytes() as Py_ssize_t != len {
                bail!(PyExc_TypeError, "host name must not contain null character");
            }
            Ok(HostName { _keep: keep, text })
        }
    }
    /// The name.
    pub fn as_c_str(&self) -> &CStr {
        // SAFETY: NUL-terminated, kept by the object.
        unsafe { CStr::from_ptr(self.text) }
    }
}

unsafe fn expect_tuple(args: *mut PyObject, caller: &str, family: &str) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_Check(args) == 0 {
            bail!(PyExc_TypeError, "{}(): {} address must be tuple, not {}", caller, family, type_name(args));
        }
        Ok(())
    }
}

fn parsed(ok: c_int) -> PyResult<()> {
    // SAFETY: [EXC] the parser's convention.
    if ok == 0 { Err(unsafe { Raised::assume() }) } else { Ok(()) }
}

/// As [`parsed`]; a number that doesn't fit becomes the caller's own message.
unsafe fn parsed_or_overflow(ok: c_int, caller: &str, what: &str) -> PyResult<()> {
    let Err(e) = parsed(ok) else { return Ok(()) };
    // SAFETY: [EXC]
    if e.matches(unsafe { PyExc_OverflowError }) {
        e.clear();
        bail!(PyExc_OverflowError, "{}(): {}", caller, what);
    }
    Err(e)
}

fn port_number(port: c_int, caller: &str) -> PyResult<u16> {
    u16::try_from(port).map_err(|_| raise!(PyExc_OverflowError, "{}(): port must be 0-65535.", caller))
}

fn setbdaddr(text: &[u8]) -> PyResult<[u8; 6]> {
    let mut b = [0u8; 6];
    let parts: Vec<&[u8]> = text.split(|&c| c == b':').collect();
    let parse = |p: &&[u8]| core::str::from_utf8(p).ok().and_then(|t| u8::from_str_radix(t.trim_start(), 16).ok());
    if parts.len() == 6 {
        let values: Vec<u8> = parts.iter().rev().filter_map(parse).collect();
        if values.len() == 6 {
            b.copy_from_slice(&values);
            return Ok(b);
        }
    }
    bail!(PyExc_OSError, "bad bluetooth address")
}

unsafe fn c_bytes<'a>(p: *const c_char) -> &'a [u8] {
    // SAFETY: [ARGS] NUL-terminated.
    unsafe { CStr::from_ptr(p).to_bytes() }
}

unsafe fn unix_address(args: *mut PyObject) -> PyResult<Address> {
    // SAFETY: [ARGS]
    unsafe {
        let encoded = if PyUnicode_Check(args) != 0 {
            Owned::from_owned_or_err(PyUnicode_EncodeFSDefault(args))?
        } else {
            Owned::from_borrowed(args)
        };
        if PyObject_CheckBuffer(encoded.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "a bytes-like object is required, not '{}'", type_name(args));
        }
        let view = taipan_clinic::BufferView::get(encoded.as_ptr())?;
        let path = view.as_bytes();
        let mut a: libc::sockaddr_un = zeroed();
        // An empty path binds to a free abstract address; one that starts with NUL is abstract: it has no terminator.
        let is_abstract = path.first().is_none_or(|&b| b == 0);
        if path.len() + !is_abstract as usize > a.sun_path.len() {
            bail!(PyExc_OSError, "AF_UNIX path too long");
        }
        a.sun_family = libc::AF_UNIX as u16;
        for (to, &from) in a.sun_path.iter_mut().zip(path) {
            *to = from as c_char;
        }
        let mut address = Address::of(a);
        address.len = (path.len() + offset_of!(libc::sockaddr_un, sun_path) + !is_abstract as usize) as socklen_t;
        Ok(address)
    }
}

unsafe fn bluetooth_address(s: &SockObject, args: *mut PyObject, caller: &str) -> PyResult<Address> {
    // SAFETY: [ARGS] texts are kept by the tuple.
    unsafe {
        let mut text: *const c_char = null();
        let wrong = |ok: c_int| -> PyResult<()> {
            if ok == 0 {
                PyErr_Clear();
                bail!(PyExc_OSError, "{}(): wrong format", caller);
            }
            Ok(())
        };
        if s.sock_proto != BTPROTO_SCO && PyTuple_Check(args) == 0 {
            wrong(0)?;
        }
        let family = libc::AF_BLUETOOTH as u16;
        match s.sock_proto {
            BTPROTO_L2CAP => {
                let mut psm: c_ushort = 0;
                wrong(PyArg_ParseTuple(args, c"sH".as_ptr(), &mut text, &mut psm))?;
                Ok(Address::of(SockaddrL2 { family, psm, bdaddr: setbdaddr(c_bytes(text))?, cid: 0, bdaddr_type: 0 }))
            }
            BTPROTO_RFCOMM => {
                let mut channel: c_uchar = 0;
                wrong(PyArg_ParseTuple(args, c"sb".as_ptr(), &mut text, &mut channel))?;
                Ok(Address::of(SockaddrRc { family, bdaddr: setbdaddr(c_bytes(text))?, channel }))
            }
            BTPROTO_HCI => {
                let mut dev: c_ushort = 0;
                wrong(PyArg_ParseTuple(args, c"H".as_ptr(), &mut dev))?;
                Ok(Address::of(SockaddrHci { family, dev, channel: 0 }))
            }
            BTPROTO_SCO => {
                if PyBytes_Check(args) != 0 {
                    parsed(PyArg_Parse(args, c"y".as_ptr(), &mut text))?;
                } else if PyUnicode_Check(args) != 0 {
                    parsed(PyArg_Parse(args, c"s".as_ptr(), &mut text))?;
                } else {
                    wrong(0)?;
                }
                Ok(Address::of(SockaddrSco { family, bdaddr: setbdaddr(c_bytes(text))? }))
            }
            _ => bail!(PyExc_OSError, "{}(): unknown Bluetooth protocol", caller),
        }
    }
}

unsafe fn packet_address(s: &SockObject, args: *mut PyObject, caller: &str) -> PyResult<Address> {
    // SAFETY: [ARGS]
    unsafe {
        expect_tuple(args, caller, "AF_PACKET")?;
        let mut name: *const c_char = null();
        let (mut proto, mut hatype, mut pkttype): (c_int, c_int, c_int) = (0, 0, 0);
        let mut hardware: *mut PyObject = null_mut();
        let ok = PyArg_ParseTuple(
            args,
            c"si|iiO;AF_PACKET address must be a tuple of two to five elements".as_ptr(),
            &mut name,
            &mut proto,
            &mut pkttype,
            &mut hatype,
            &mut hardware,
        );
        parsed_or_overflow(ok, caller, "address argument out of range")?;
        let hardware = if hardware.is_null() {
            None
        } else {
            if PyObject_CheckBuffer(hardware) == 0 {
                bail!(PyExc_TypeError, "a bytes-like object is required, not '{}'", type_name(hardware));
            }
            Some(taipan_clinic::BufferView::get(hardware)?)
        };
        let index = interface_index(s.sock_fd, c_bytes(name))?;
        let hardware = hardware.as_ref().map_or(&[][..], |v| v.as_bytes());
        if hardware.len() > 8 {
            bail!(PyExc_ValueError, "Hardware address must be 8 bytes or less");
        }
        let Ok(proto) = u16::try_from(proto) else { bail!(PyExc_OverflowError, "{}(): proto must be 0-65535.", caller) };
        let mut a: libc::sockaddr_ll = zeroed();
        a.sll_family = libc::AF_PACKET as u16;
        a.sll_protocol = proto.to_be();
        a.sll_ifindex = index;
        a.sll_pkttype = pkttype as u8;
        a.sll_hatype = hatype as u16;
        a.sll_addr[..hardware.len()].copy_from_slice(hardware);
        a.sll_halen = hardware.len() as u8;
        Ok(Address::of(a))
    }
}

unsafe fn can_address(s: &SockObject, args: *mut PyObject, caller: &str) -> PyResult<Address> {
    // SAFETY: [ARGS] the converter stores a new bytes object.
    unsafe {
        let mut name: *mut PyObject = null_mut();
        let mut a: libc::sockaddr_can = zeroed();
        let (mut rx, mut tx): (c_ulong, c_ulong) = (0, 0);
        let (mut jname, mut pgn, mut jaddr): (c_ulonglong, c_uint, c_uchar) = (0, 0, 0);
        type Converter = unsafe extern "C" fn(*mut PyObject, *mut core::ffi::c_void) -> c_int;
        let convert = PyUnicode_FSConverter as Converter;
        let ok = match s.sock_proto {
            libc::CAN_RAW | libc::CAN_BCM => {
                expect_tuple(args, caller, "AF_CAN")?;
                PyArg_ParseTuple(args, c"O&;AF_CAN address must be a tuple (interface, )".as_ptr(), convert, &mut name)
            }
            libc::CAN_ISOTP => PyArg_ParseTuple(args, c"O&kk".as_ptr(), convert, &mut name, &mut rx, &mut tx),
            libc::CAN_J1939 => PyArg_ParseTuple(args, c"O&KIB".as_ptr(), convert, &mut name, &mut jname, &mut pgn, &mut jaddr),
            _ => bail!(PyExc_OSError, "{}(): unsupported CAN protocol", caller),
        };
        parsed(ok)?;
        let name = Owned::from_owned_or_err(name)?;
        let text = core::slice::from_raw_parts(PyBytes_AsString(name.as_ptr()).cast::<u8>(), PyBytes_Size(name.as_ptr()) as usize);
        a.can_ifindex = match text.len() {
            0 => 0,
            n if n < libc::IFNAMSIZ => interface_index(s.sock_fd, text)?,
            _ => bail!(PyExc_OSError, "AF_CAN interface name too long"),
        };
        a.can_family = libc::AF_CAN as u16;
        match s.sock_proto {
            libc::CAN_ISOTP => {
                a.can_addr.tp.rx_id = rx as u32;
                a.can_addr.tp.tx_id = tx as u32;
            }
            libc::CAN_J1939 => {
                a.can_addr.j1939.name = jname;
                a.can_addr.j1939.pgn = pgn;
                a.can_addr.j1939.addr = jaddr;
            }
            _ => {}
        }
        Ok(Address::of(a))
    }
}

unsafe fn alg_address(args: *mut PyObject, caller: &str) -> PyResult<Address> {
    // SAFETY: [ARGS]
    unsafe {
        expect_tuple(args, caller, "AF_ALG")?;
        let (mut kind, mut name): (*const c_char, *const c_char) = (null(), null());
        let (mut feat, mut mask): (c_ushort, c_ushort) = (0, 0);
        parsed(PyArg_ParseTuple(
            args,
            c"ss|HH;AF_ALG address must be a tuple (type, name[, feat[, mask]])".as_ptr(),
            &mut kind,
            &mut name,
            &mut feat,
            &mut mask,
        ))?;
        let mut a: libc::sockaddr_alg = zeroed();
        a.salg_family = libc::AF_ALG as u16;
        a.salg_feat = feat as u32;
        a.salg_mask = mask as u32;
        let (kind, name) = (c_bytes(kind), c_bytes(name));
        if kind.len() >= a.salg_type.len() {
            bail!(PyExc_ValueError, "AF_ALG type too long.");
        }
        if name.len() >= a.salg_name.len() {
            bail!(PyExc_ValueError, "AF_ALG name too long.");
        }
        a.salg_type[..kind.len()].copy_from_slice(kind);
        a.salg_name[..name.len()].copy_from_slice(name);
        Ok(Address::of(a))
    }
}

/// The address that `args` means for the socket's family. `caller` is the method that errors name.
///
/// # Safety
/// `args` is live.
pub unsafe fn getsockaddrarg(s: &SockObject, args: *mut PyObject, caller: &str) -> PyResult<Address> {
    // SAFETY: [ARGS]
    unsafe {
        let family = s.sock_family;
        match family {
            libc::AF_UNIX => unix_address(args),
            libc::AF_INET | libc::AF_RDS => {
                expect_tuple(args, caller, "AF_INET")?;
                let (mut host, mut port): (*mut PyObject, c_int) = (null_mut(), 0);
                let ok = PyArg_ParseTuple(args, c"Oi;AF_INET address must be a pair (host, port)".as_ptr(), &mut host, &mut port);
                parsed_or_overflow(ok, caller, "port must be 0-65535.")?;
                let host = HostName::from_object(host)?;
                let mut address = setipaddr(host.as_c_str(), libc::AF_INET)?;
                let a = address.ptr().cast::<libc::sockaddr_in>();
                (*a).sin_family = libc::AF_INET as u16;
                (*a).sin_port = port_number(port, caller)?.to_be();
                address.len = size_of::<libc::sockaddr_in>() as socklen_t;
                Ok(address)
            }
            libc::AF_INET6 => {
                expect_tuple(args, caller, "AF_INET6")?;
                let (mut host, mut port): (*mut PyObject, c_int) = (null_mut(), 0);
                let (mut flowinfo, mut scope): (c_uint, c_uint) = (0, 0);
                let ok = PyArg_ParseTuple(
                    args,
                    c"Oi|II;AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])".as_ptr(),
                    &mut host,
                    &mut port,
                    &mut flowinfo,
                    &mut scope,
                );
                parsed_or_overflow(ok, caller, "port must be 0-65535.")?;
                let host = HostName::from_object(host)?;
                let mut address = setipaddr(host.as_c_str(), libc::AF_INET6)?;
                let port = port_number(port, caller)?;
                if flowinfo > 0xfffff {
                    bail!(PyExc_OverflowError, "{}(): flowinfo must be 0-1048575.", caller);
                }
                let a = address.ptr().cast::<libc::sockaddr_in6>();
                (*a).sin6_family = libc::AF_INET6 as u16;
                (*a).sin6_port = port.to_be();
                (*a).sin6_flowinfo = flowinfo.to_be();
                (*a).sin6_scope_id = scope;
                address.len = size_of::<libc::sockaddr_in6>() as socklen_t;
                Ok(address)
            }
            libc::AF_NETLINK => {
                expect_tuple(args, caller, "AF_NETLINK")?;
                let (mut pid, mut groups): (c_uint, c_uint) = (0, 0);
                parsed(PyArg_ParseTuple(args, c"II;AF_NETLINK address must be a pair (pid, groups)".as_ptr(), &mut pid, &mut groups))?;
                let mut a: libc::sockaddr_nl = zeroed();
                a.nl_family = libc::AF_NETLINK as u16;
                a.nl_pid = pid;
                a.nl_groups = groups;
                Ok(Address::of(a))
            }
            AF_QIPCRTR | libc::AF_VSOCK => {
                let name = if family == AF_QIPCRTR { "AF_QIPCRTR" } else { "AF_VSOCK" };
                if PyTuple_Check(args) == 0 {
                    bail!(PyExc_TypeError, "getsockaddrarg: {} address must be tuple, not {}", name, type_name(args));
                }
                let (mut node, mut port): (c_uint, c_uint) = (0, 0);
                parsed(PyArg_ParseTuple(args, c"II:getsockaddrarg".as_ptr(), &mut node, &mut port))?;
                if family == AF_QIPCRTR {
                    return Ok(Address::of(SockaddrQrtr { family: family as u16, node, port }));
                }
                let mut a: libc::sockaddr_vm = zeroed();
                a.svm_family = libc::AF_VSOCK as u16;
                a.svm_port = port;
                a.svm_cid = node;
                Ok(Address::of(a))
            }
            libc::AF_BLUETOOTH => bluetooth_address(s, args, caller),
            libc::AF_PACKET => packet_address(s, args, caller),
            AF_TIPC => {
                expect_tuple(args, caller, "AF_TIPC")?;
                let (mut kind, mut v1, mut v2, mut v3): (c_uint, c_uint, c_uint, c_uint) = (0, 0, 0, 0);
                let mut scope = TIPC_CLUSTER_SCOPE;
                parsed(PyArg_ParseTuple(
                    args,
                    c"IIII|I;AF_TIPC address must be a tuple (addr_type, v1, v2, v3[, scope])".as_ptr(),
                    &mut kind,
                    &mut v1,
                    &mut v2,
                    &mut v3,
                    &mut scope,
                ))?;
                let addr = match u8::try_from(kind) {
                    Ok(TIPC_ADDR_NAMESEQ) => [v1, v2, v3],
                    Ok(TIPC_ADDR_NAME | TIPC_ADDR_ID) => [v1, v2, 0],
                    _ => bail!(PyExc_TypeError, "Invalid address type"),
                };
                Ok(Address::of(SockaddrTipc { family: AF_TIPC as u16, addrtype: kind as u8, scope: scope as i8, addr }))
            }
            libc::AF_CAN => can_address(s, args, caller),
            libc::AF_ALG => alg_address(args, caller),
            _ => bail!(PyExc_OSError, "{}(): bad family", caller),
        }
    }
}

const _: () = assert!(size_of::<c_long>() == 8);
