//! Names and numbers: hosts, services, protocols, interfaces, and addresses as text.

use crate::address::{Address, inet_ntop, inet_pton, ip_text, makesockaddr};
use taipan_clinic::support::*;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::zeroed;
use core::ptr::{null, null_mut};
use libc::{addrinfo, socklen_t};
use taipan_abi::*;
use taipan_clinic::{Args, BufferView, methods};

/// `socket.herror` and `socket.gaierror`.
pub static HERROR: PerInterpreter = PerInterpreter::new();
/// See [`HERROR`].
pub static GAIERROR: PerInterpreter = PerInterpreter::new();

unsafe extern "C" {
    // Not declared by the crate `libc`.
    fn gethostbyname_r(name: *const c_char, ret: *mut libc::hostent, buf: *mut c_char, n: usize, result: *mut *mut libc::hostent, h_errno: *mut c_int) -> c_int;
    fn gethostbyaddr_r(addr: *const c_void, len: socklen_t, family: c_int, ret: *mut libc::hostent, buf: *mut c_char, n: usize, result: *mut *mut libc::hostent, h_errno: *mut c_int) -> c_int;
    fn getservbyport(port: c_int, proto: *const c_char) -> *mut libc::servent;
    fn inet_aton(text: *const c_char, addr: *mut libc::in_addr) -> c_int;
    fn hstrerror(error: c_int) -> *const c_char;
}

unsafe fn numbered_error(class: *mut PyObject, error: c_int, text: *const c_char) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        let args = (|| tuple(vec![int(error as i64)?, Owned::from_owned_or_err(PyUnicode_FromString(text))?]))();
        match args {
            Ok(a) => {
                PyErr_SetObject(class, a.as_ptr());
                Raised::assume()
            }
            Err(e) => e,
        }
    }
}

fn gai_error(error: c_int) -> Raised {
    if error == libc::EAI_SYSTEM {
        return os_error();
    }
    // SAFETY: [GIL] the text is static.
    unsafe { numbered_error(GAIERROR.get(), error, libc::gai_strerror(error)) }
}

fn host_error(error: c_int) -> Raised {
    // SAFETY: [GIL] the text is static.
    unsafe { numbered_error(HERROR.get(), error, hstrerror(error)) }
}

/// The list that `getaddrinfo` returns.
struct AddrInfo(*mut addrinfo);
impl AddrInfo {
    unsafe fn get(host: *const c_char, service: *const c_char, hints: &addrinfo) -> PyResult<AddrInfo> {
        let mut list = null_mut();
        // SAFETY: [ARGS] texts stay alive during the call.
        let error = without_gil(|| unsafe { libc::getaddrinfo(host, service, hints, &mut list) });
        if error != 0 { Err(gai_error(error)) } else { Ok(AddrInfo(list)) }
    }
    fn entries(&self) -> impl Iterator<Item = &addrinfo> {
        let mut p = self.0;
        core::iter::from_fn(move || {
            // SAFETY: the list is the C library's, ended by NULL.
            let e = unsafe { p.as_ref()? };
            p = e.ai_next;
            Some(e)
        })
    }
    unsafe fn first(&self) -> PyResult<(Address, c_int)> {
        // SAFETY: a list has at least one entry.
        unsafe {
            let e = &*self.0;
            let mut a = Address::any();
            let n = (e.ai_addrlen as usize).min(a.len as usize);
            core::ptr::copy_nonoverlapping(e.ai_addr.cast::<u8>(), a.ptr().cast::<u8>(), n);
            a.len = n as socklen_t;
            Ok((a, e.ai_family))
        }
    }
}
impl Drop for AddrInfo {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: from getaddrinfo.
            unsafe { libc::freeaddrinfo(self.0) };
        }
    }
}

fn hints(family: c_int) -> addrinfo {
    // SAFETY: all-zero is valid.
    let mut h: addrinfo = unsafe { zeroed() };
    h.ai_family = family;
    h
}

/// The numeric address of a host. The empty name is "any address", `<broadcast>` the broadcast address.
pub fn setipaddr(name: &CStr, family: c_int) -> PyResult<Address> {
    // SAFETY: addresses have room for each record.
    unsafe {
        if name.is_empty() {
            let mut h = hints(family);
            h.ai_socktype = libc::SOCK_DGRAM;
            h.ai_flags = libc::AI_PASSIVE;
            let list = AddrInfo::get(null(), c"0".as_ptr(), &h)?;
            let (address, found) = list.first()?;
            if found != libc::AF_INET && found != libc::AF_INET6 {
                bail!(PyExc_OSError, "unsupported address family");
            }
            if list.entries().nth(1).is_some() {
                bail!(PyExc_OSError, "wildcard resolved to multiple address");
            }
            return Ok(address);
        }
        let mut address = Address::any();
        if name == c"255.255.255.255" || name == c"<broadcast>" {
            if family != libc::AF_INET && family != libc::AF_UNSPEC {
                bail!(PyExc_OSError, "address family mismatched");
            }
            let a = address.ptr().cast::<libc::sockaddr_in>();
            (*a).sin_family = libc::AF_INET as u16;
            (*a).sin_addr.s_addr = libc::INADDR_BROADCAST;
            return Ok(address);
        }
        // Numbers need no resolver.
        if family == libc::AF_UNSPEC || family == libc::AF_INET {
            let a = address.ptr().cast::<libc::sockaddr_in>();
            if inet_pton(libc::AF_INET, name.as_ptr(), (&raw mut (*a).sin_addr).cast()) > 0 {
                (*a).sin_family = libc::AF_INET as u16;
                return Ok(address);
            }
        }
        if (family == libc::AF_UNSPEC || family == libc::AF_INET6) && !name.to_bytes().contains(&b'%') {
            let a = address.ptr().cast::<libc::sockaddr_in6>();
            if inet_pton(libc::AF_INET6, name.as_ptr(), (&raw mut (*a).sin6_addr).cast()) > 0 {
                (*a).sin6_family = libc::AF_INET6 as u16;
                return Ok(address);
            }
        }
        let list = AddrInfo::get(name.as_ptr(), null(), &hints(family))?;
        let (address, _) = list.first()?;
        match address.family() {
            libc::AF_INET | libc::AF_INET6 => Ok(address),
            _ => bail!(PyExc_OSError, "unknown address family"),
        }
    }
}

/// A host name argument: str (encoded by IDNA), bytes or bytearray.
unsafe fn host_argument(obj: Borrowed<'_>, fname: &str) -> PyResult<std::ffi::CString> {
    // SAFETY: [ARGS]
    unsafe {
        let encoded = if PyUnicode_Check(obj.ob()) != 0 {
            Owned::from_owned_or_err(PyUnicode_AsEncodedString(obj.ob(), c"idna".as_ptr(), null()))?
        } else if PyBytes_Check(obj.ob()) != 0 || PyByteArray_Check(obj.ob()) != 0 {
            obj.to_owned()
        } else {
            bail!(PyExc_TypeError, "{}() argument 1 must be str, bytes or bytearray, not {}", fname, if obj.is_none() { "None".into() } else { type_name(obj.ob()) });
        };
        let view = BufferView::get(encoded.as_ptr())?;
        std::ffi::CString::new(view.as_bytes()).map_err(|_| raise!(PyExc_ValueError, "embedded null byte"))
    }
}

fn gethostname(_: ()) -> PyResult<Owned> {
    // SAFETY: the buffer has the length told, less one for the NUL.
    unsafe {
        audit(c"socket.gethostname", &[])?;
        let mut buf = [0 as c_char; 1024];
        if without_gil(|| libc::gethostname(buf.as_mut_ptr(), 1023)) < 0 {
            return Err(os_error());
        }
        Owned::from_owned_or_err(PyUnicode_DecodeFSDefault(buf.as_ptr()))
    }
}

fn sethostname(_: (), name: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let bytes = if PyBytes_Check(name.ob()) != 0 {
            name.to_owned()
        } else {
            let mut converted: *mut PyObject = null_mut();
            if PyUnicode_FSConverter(name.ob(), (&raw mut converted).cast()) == 0 {
                return Err(Raised::assume());
            }
            Owned::from_owned(converted)
        };
        audit(c"socket.sethostname", &[bytes.as_ptr()])?;
        if libc::sethostname(PyBytes_AsString(bytes.as_ptr()), PyBytes_Size(bytes.as_ptr()) as usize) != 0 {
            return Err(os_error());
        }
        Ok(())
    }
}

fn gethostbyname(_: (), host: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let name = host_argument(host, "gethostbyname")?;
        audit(c"socket.gethostbyname", &[host.ob()])?;
        let mut a = setipaddr(&name, libc::AF_INET)?;
        ip_text(libc::AF_INET, (&raw const (*a.ptr().cast::<libc::sockaddr_in>()).sin_addr).cast())
    }
}

unsafe fn gethost_common(h: *mut libc::hostent, h_errno: c_int, family: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS] the record's lists end with NULL.
    unsafe {
        if h.is_null() {
            return Err(host_error(h_errno));
        }
        if (*h).h_addrtype != family {
            return Err(os_error_of(libc::EAFNOSUPPORT));
        }
        let aliases = Owned::from_owned_or_err(PyList_New(0))?;
        let addresses = Owned::from_owned_or_err(PyList_New(0))?;
        let mut p = (*h).h_aliases;
        while !p.is_null() && !(*p).is_null() {
            let alias = Owned::from_owned_or_err(PyUnicode_FromString(*p))?;
            check_status(PyList_Append(aliases.as_ptr(), alias.as_ptr()))?;
            p = p.add(1);
        }
        let mut p = (*h).h_addr_list;
        while !p.is_null() && !(*p).is_null() {
            let text = ip_text(family, (*p).cast())?;
            check_status(PyList_Append(addresses.as_ptr(), text.as_ptr()))?;
            p = p.add(1);
        }
        tuple(vec![Owned::from_owned_or_err(PyUnicode_FromString((*h).h_name))?, aliases, addresses])
    }
}

const HOST_BUFFER: usize = 16384;

fn gethostbyname_ex(_: (), host: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] the buffer outlives the record that points into it.
    unsafe {
        let name = host_argument(host, "gethostbyname_ex")?;
        audit(c"socket.gethostbyname", &[host.ob()])?;
        let family = setipaddr(&name, libc::AF_INET)?.family();
        let mut buf = vec![0u64; HOST_BUFFER / 8];
        let mut record: libc::hostent = zeroed();
        let (mut result, mut error) = (null_mut(), 0);
        without_gil(|| gethostbyname_r(name.as_ptr(), &mut record, buf.as_mut_ptr().cast(), HOST_BUFFER, &mut result, &mut error));
        gethost_common(result, error, family)
    }
}

fn gethostbyaddr(_: (), host: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] the buffer outlives the record that points into it.
    unsafe {
        let name = host_argument(host, "gethostbyaddr")?;
        audit(c"socket.gethostbyaddr", &[host.ob()])?;
        let mut a = setipaddr(&name, libc::AF_UNSPEC)?;
        let family = a.family();
        let (ip, len): (*const c_void, socklen_t) = match family {
            libc::AF_INET => ((&raw const (*a.ptr().cast::<libc::sockaddr_in>()).sin_addr).cast(), 4),
            libc::AF_INET6 => ((&raw const (*a.ptr().cast::<libc::sockaddr_in6>()).sin6_addr).cast(), 16),
            _ => bail!(PyExc_OSError, "unsupported address family"),
        };
        let mut buf = vec![0u64; HOST_BUFFER / 8];
        let mut record: libc::hostent = zeroed();
        let (mut result, mut error) = (null_mut(), 0);
        without_gil(|| gethostbyaddr_r(ip, len, family, &mut record, buf.as_mut_ptr().cast(), HOST_BUFFER, &mut result, &mut error));
        gethost_common(result, error, family)
    }
}

fn c_text(s: &str) -> PyResult<std::ffi::CString> {
    std::ffi::CString::new(s).map_err(|_| raise!(PyExc_ValueError, "embedded null character"))
}

fn getservbyname(_: (), name: &str, proto: Option<&str>) -> PyResult<i32> {
    // SAFETY: [GIL] the record is the C library's own.
    unsafe {
        let (n, p) = (c_text(name)?, proto.map(c_text).transpose()?);
        let (name, proto_arg) = (string(name)?, proto.map_or(Ok(none()), string)?);
        audit(c"socket.getservbyname", &[name.as_ptr(), proto_arg.as_ptr()])?;
        let r = without_gil(|| libc::getservbyname(n.as_ptr(), p.as_ref().map_or(null(), |p| p.as_ptr())));
        if r.is_null() {
            bail!(PyExc_OSError, "service/proto not found");
        }
        Ok(u16::from_be((*r).s_port as u16) as i32)
    }
}

fn getservbyport_py(_: (), port: i32, proto: Option<&str>) -> PyResult<Owned> {
    // SAFETY: [GIL] the record is the C library's own.
    unsafe {
        let Ok(number) = u16::try_from(port) else { bail!(PyExc_OverflowError, "getservbyport: port must be 0-65535.") };
        let p = proto.map(c_text).transpose()?;
        let (port, proto_arg) = (int(port as i64)?, proto.map_or(Ok(none()), string)?);
        audit(c"socket.getservbyport", &[port.as_ptr(), proto_arg.as_ptr()])?;
        let r = without_gil(|| getservbyport(number.to_be() as c_int, p.as_ref().map_or(null(), |p| p.as_ptr())));
        if r.is_null() {
            bail!(PyExc_OSError, "port/proto not found");
        }
        Owned::from_owned_or_err(PyUnicode_FromString((*r).s_name))
    }
}

fn getprotobyname(_: (), name: &str) -> PyResult<i32> {
    // SAFETY: [GIL] the record is the C library's own.
    unsafe {
        let n = c_text(name)?;
        let r = without_gil(|| libc::getprotobyname(n.as_ptr()));
        if r.is_null() {
            bail!(PyExc_OSError, "protocol not found");
        }
        Ok((*r).p_proto)
    }
}

// ---- byte order

fn short(name: &str, x: i32) -> PyResult<u16> {
    if x < 0 {
        bail!(PyExc_OverflowError, "{}: can't convert negative Python int to C 16-bit unsigned integer", name);
    }
    u16::try_from(x).map_err(|_| raise!(PyExc_OverflowError, "{}: Python int too large to convert to C 16-bit unsigned integer", name))
}
fn ntohs(_: (), x: i32) -> PyResult<u32> {
    Ok(u16::from_be(short("ntohs", x)?) as u32)
}
fn htons(_: (), x: i32) -> PyResult<u32> {
    Ok(short("htons", x)?.to_be() as u32)
}
fn swap_long(_: (), x: Borrowed<'_>) -> PyResult<u32> {
    // SAFETY: [ARGS]
    unsafe {
        if PyLong_Check(x.ob()) == 0 {
            bail!(PyExc_TypeError, "expected int, {} found", type_name(x.ob()));
        }
        let n = PyLong_AsUnsignedLong(x.ob());
        if n == u64::MAX && err_occurred() {
            return Err(Raised::assume());
        }
        let Ok(n) = u32::try_from(n) else { bail!(PyExc_OverflowError, "int larger than 32 bits") };
        Ok(n.to_be())
    }
}

// ---- addresses as text

fn inet_aton_py(_: (), ip_addr: &str) -> PyResult<Owned> {
    let text = c_text(ip_addr)?;
    let mut a = libc::in_addr { s_addr: 0 };
    // SAFETY: the record is ours.
    if unsafe { inet_aton(text.as_ptr(), &mut a) } == 0 {
        bail!(PyExc_OSError, "illegal IP address string passed to inet_aton");
    }
    bytes(&a.s_addr.to_ne_bytes())
}

fn inet_ntoa(_: (), packed_ip: BufferView) -> PyResult<String> {
    let Ok([a, b, c, d]) = <[u8; 4]>::try_from(packed_ip.as_bytes()) else {
        bail!(PyExc_OSError, "packed IP wrong length for inet_ntoa");
    };
    Ok(format!("{a}.{b}.{c}.{d}"))
}

fn inet_pton_py(_: (), family: i32, ip: &str) -> PyResult<Owned> {
    let text = c_text(ip)?;
    let mut packed = [0u8; 16];
    // SAFETY: room for the longest address.
    match unsafe { inet_pton(family, text.as_ptr(), packed.as_mut_ptr().cast()) } {
        ..0 => Err(os_error()),
        0 => bail!(PyExc_OSError, "illegal IP address string passed to inet_pton"),
        _ if family == libc::AF_INET => bytes(&packed[..4]),
        _ if family == libc::AF_INET6 => bytes(&packed),
        _ => bail!(PyExc_OSError, "unknown address family"),
    }
}

fn inet_ntop_py(_: (), family: i32, packed: BufferView) -> PyResult<Owned> {
    let want = match family {
        libc::AF_INET => 4,
        libc::AF_INET6 => 16,
        _ => bail!(PyExc_ValueError, "unknown address family {}", family),
    };
    if packed.as_bytes().len() != want {
        bail!(PyExc_ValueError, "invalid length of packed IP address string");
    }
    let mut buf = [0 as c_char; 64];
    // SAFETY: lengths are checked.
    unsafe {
        if inet_ntop(family, packed.as_bytes().as_ptr().cast(), buf.as_mut_ptr(), 64).is_null() {
            return Err(os_error());
        }
        Owned::from_owned_or_err(PyUnicode_FromString(buf.as_ptr()))
    }
}

// ---- getaddrinfo and getnameinfo

fn getaddrinfo(_: (), host: Borrowed<'_>, port: Borrowed<'_>, family: i32, kind: i32, proto: i32, flags: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS] texts are kept by their objects.
    unsafe {
        let mut keep_host = None;
        let host_text = if host.is_none() {
            null()
        } else if PyUnicode_Check(host.ob()) != 0 {
            let encoded = Owned::from_owned_or_err(PyUnicode_AsEncodedString(host.ob(), c"idna".as_ptr(), null()))?;
            let p = PyBytes_AsString(encoded.as_ptr());
            keep_host = Some(encoded);
            p.cast_const()
        } else if PyBytes_Check(host.ob()) != 0 {
            PyBytes_AsString(host.ob()).cast_const()
        } else {
            bail!(PyExc_TypeError, "getaddrinfo() argument 1 must be string or None");
        };
        let mut keep_port = None;
        let mut port_text = if (*port.ob()).ob_type == &raw mut PyLong_Type {
            let text = Owned::from_owned_or_err(PyObject_Str(port.ob()))?;
            let p = PyUnicode_AsUTF8(text.as_ptr());
            keep_port = Some(text);
            p
        } else if PyUnicode_Check(port.ob()) != 0 {
            PyUnicode_AsUTF8(port.ob())
        } else if PyBytes_Check(port.ob()) != 0 {
            PyBytes_AsString(port.ob()).cast_const()
        } else if port.is_none() {
            null()
        } else {
            bail!(PyExc_OSError, "Int or String expected");
        };
        if port_text.is_null() && !port.is_none() {
            return Err(Raised::assume());
        }
        if flags & libc::AI_NUMERICSERV != 0 && (port_text.is_null() || CStr::from_ptr(port_text) == c"0") {
            port_text = c"00".as_ptr();
        }
        let numbers = [int(family as i64)?, int(kind as i64)?, int(proto as i64)?];
        audit(c"socket.getaddrinfo", &[host.ob(), port.ob(), numbers[0].as_ptr(), numbers[1].as_ptr(), numbers[2].as_ptr()])?;
        let mut h = hints(family);
        h.ai_socktype = kind;
        h.ai_protocol = proto;
        h.ai_flags = flags;
        let list = AddrInfo::get(host_text, port_text, &h)?;
        drop((keep_host, keep_port));
        let all = Owned::from_owned_or_err(PyList_New(0))?;
        for e in list.entries() {
            let canonical = if e.ai_canonname.is_null() { c"".as_ptr() } else { e.ai_canonname.cast_const() };
            let entry = tuple(vec![
                int(e.ai_family as i64)?,
                int(e.ai_socktype as i64)?,
                int(e.ai_protocol as i64)?,
                Owned::from_owned_or_err(PyUnicode_FromString(canonical))?,
                makesockaddr(-1, e.ai_addr, e.ai_addrlen as usize, proto)?,
            ])?;
            check_status(PyList_Append(all.as_ptr(), entry.as_ptr()))?;
        }
        Ok(all)
    }
}

fn getnameinfo(_: (), sockaddr: Borrowed<'_>, flags: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS] the host's text is kept by the tuple.
    unsafe {
        if PyTuple_Check(sockaddr.ob()) == 0 {
            bail!(PyExc_TypeError, "getnameinfo() argument 1 must be a tuple");
        }
        let mut host: *const c_char = null();
        let (mut port, mut flowinfo, mut scope): (c_int, u32, u32) = (0, 0, 0);
        if PyArg_ParseTuple(
            sockaddr.ob(),
            c"si|II;getnameinfo(): illegal sockaddr argument".as_ptr(),
            &mut host,
            &mut port,
            &mut flowinfo,
            &mut scope,
        ) == 0
        {
            return Err(Raised::assume());
        }
        if flowinfo > 0xfffff {
            bail!(PyExc_OverflowError, "getnameinfo(): flowinfo must be 0-1048575.");
        }
        audit(c"socket.getnameinfo", &[sockaddr.ob()])?;
        let service = c_text(&port.to_string())?;
        let mut h = hints(libc::AF_UNSPEC);
        h.ai_socktype = libc::SOCK_DGRAM;
        h.ai_flags = libc::AI_NUMERICHOST;
        let list = AddrInfo::get(host, service.as_ptr(), &h)?;
        if list.entries().nth(1).is_some() {
            bail!(PyExc_OSError, "sockaddr resolved to multiple addresses");
        }
        let (mut a, family) = list.first()?;
        match family {
            libc::AF_INET if PyTuple_GET_SIZE(sockaddr.ob()) != 2 => bail!(PyExc_OSError, "IPv4 sockaddr must be 2 tuple"),
            libc::AF_INET6 => {
                let s = a.ptr().cast::<libc::sockaddr_in6>();
                (*s).sin6_flowinfo = flowinfo.to_be();
                (*s).sin6_scope_id = scope;
            }
            _ => {}
        }
        let mut hbuf = [0 as c_char; 1025];
        let mut pbuf = [0 as c_char; 32];
        let (p, len) = (a.ptr(), a.len);
        let error = without_gil(|| libc::getnameinfo(p, len, hbuf.as_mut_ptr(), 1025, pbuf.as_mut_ptr(), 32, flags));
        if error != 0 {
            return Err(gai_error(error));
        }
        tuple(vec![
            Owned::from_owned_or_err(PyUnicode_FromString(hbuf.as_ptr()))?,
            Owned::from_owned_or_err(PyUnicode_FromString(pbuf.as_ptr()))?,
        ])
    }
}

// ---- interfaces

fn if_nameindex(_: ()) -> PyResult<Owned> {
    struct List(*mut libc::if_nameindex);
    impl Drop for List {
        fn drop(&mut self) {
            // SAFETY: from if_nameindex.
            unsafe { libc::if_freenameindex(self.0) }
        }
    }
    // SAFETY: the list ends with number 0.
    unsafe {
        let all = Owned::from_owned_or_err(PyList_New(0))?;
        let list = List(libc::if_nameindex());
        if list.0.is_null() {
            core::mem::forget(list);
            return Err(os_error());
        }
        let mut p = list.0;
        while (*p).if_index != 0 {
            let name = Owned::from_owned_or_err(PyUnicode_DecodeFSDefault((*p).if_name))?;
            let entry = tuple(vec![int((*p).if_index as i64)?, name])?;
            check_status(PyList_Append(all.as_ptr(), entry.as_ptr()))?;
            p = p.add(1);
        }
        Ok(all)
    }
}

fn if_nametoindex(_: (), oname: Borrowed<'_>) -> PyResult<u32> {
    // SAFETY: [ARGS]
    unsafe {
        let mut converted: *mut PyObject = null_mut();
        if PyUnicode_FSConverter(oname.ob(), (&raw mut converted).cast()) == 0 {
            return Err(Raised::assume());
        }
        let name = Owned::from_owned(converted);
        match libc::if_nametoindex(PyBytes_AsString(name.as_ptr())) {
            0 => bail!(PyExc_OSError, "no interface with this name"),
            n => Ok(n),
        }
    }
}

fn if_indextoname(_: (), index: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] room for any name.
    unsafe {
        let n = PyLong_AsUnsignedLong(index.ob());
        if n == u64::MAX && err_occurred() {
            return Err(Raised::assume());
        }
        let Ok(n) = u32::try_from(n) else { bail!(PyExc_OverflowError, "index is too large") };
        let mut name = [0 as c_char; libc::IF_NAMESIZE + 1];
        if libc::if_indextoname(n, name.as_mut_ptr()).is_null() {
            return Err(os_error());
        }
        Owned::from_owned_or_err(PyUnicode_DecodeFSDefault(name.as_ptr()))
    }
}

fn close(_: (), fd: Borrowed<'_>) -> PyResult<()> {
    let fd = crate::sock::fd_argument(fd)?;
    // SAFETY: plain system call.
    if without_gil(|| unsafe { libc::close(fd) }) < 0 && errno() != libc::ECONNRESET {
        return Err(os_error());
    }
    Ok(())
}

fn dup(_: (), fd: Borrowed<'_>) -> PyResult<i32> {
    let fd = crate::sock::fd_argument(fd)?;
    // SAFETY: plain system call.
    let new = without_gil(|| unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) });
    if new < 0 { Err(os_error()) } else { Ok(new) }
}

fn socketpair(_: (), args: Args<'_>) -> PyResult<Owned> {
    crate::sock::socketpair(args)
}

methods! {
    /// The functions of the module.
    pub static METHODS = [
        "gethostbyname($module, host, /)" => gethostbyname, "The IPv4 address of a host, as text.";
        "gethostbyname_ex($module, host, /)" => gethostbyname_ex, "The true name of a host, its other names and its IPv4 addresses.";
        "gethostbyaddr($module, host, /)" => gethostbyaddr, "The true name of a host, its other names and its addresses, by an address.";
        "gethostname($module, /)" => gethostname, "The name of this host.";
        "sethostname($module, name, /)" => sethostname, "Set the name of this host.";
        "getservbyname($module, servicename, protocolname=<unrepresentable>, /)" => getservbyname, "The port of a service.";
        "getservbyport($module, port, protocolname=<unrepresentable>, /)" => getservbyport_py, "The service of a port.";
        "getprotobyname($module, name, /)" => getprotobyname, "The number of a protocol.";
        "close($module, object, /)" => close, "Close a socket by its file descriptor.";
        "dup($module, object, /)" => dup, "Duplicate a socket's file descriptor.";
        "socketpair($module, /, *args)" => socketpair, "socketpair([family[, type[, proto]]]): two sockets that are connected with each other.";
        "ntohs($module, x, /)" => ntohs, "A 16-bit number from network to host byte order.";
        "ntohl($module, object, /)" => swap_long, "A 32-bit number from network to host byte order.";
        "htons($module, x, /)" => htons, "A 16-bit number from host to network byte order.";
        "htonl($module, object, /)" => swap_long, "A 32-bit number from host to network byte order.";
        "inet_aton($module, ip_addr, /)" => inet_aton_py, "An IPv4 address from text to four bytes.";
        "inet_ntoa($module, packed_ip, /)" => inet_ntoa, "An IPv4 address from four bytes to text.";
        "inet_pton($module, address_family, ip_string, /)" => inet_pton_py, "An address of a family from text to bytes.";
        "inet_ntop($module, address_family, packed_ip, /)" => inet_ntop_py, "An address of a family from bytes to text.";
        "getaddrinfo($module, /, host, port, family=0, type=0, proto=0, flags=0)" => getaddrinfo, "What socket() and connect() need to reach a host and port: a list of (family, type, proto, canonname, address).";
        "getnameinfo($module, sockaddr, flags, /)" => getnameinfo, "Host and service of an address.";
        "getdefaulttimeout($module, /)" => crate::sock::getdefaulttimeout, "The timeout of new sockets in seconds, None for none.";
        "setdefaulttimeout($module, object, /)" => crate::sock::setdefaulttimeout, "Set the timeout of new sockets.";
        "if_nameindex($module, /)" => if_nameindex, "Numbers and names of the network interfaces.";
        "if_nametoindex($module, oname, /)" => if_nametoindex, "The number of an interface.";
        "if_indextoname($module, object, /)" => if_indextoname, "The name of an interface.";
        "CMSG_LEN($module, length, /)" => crate::message::cmsg_len, "Length of an ancillary item with so many bytes of data, without padding.";
        "CMSG_SPACE($module, length, /)" => crate::message::cmsg_space, "Length of an ancillary item with so many bytes of data, with padding.";
    ];
}
