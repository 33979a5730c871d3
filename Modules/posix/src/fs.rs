//! Files and directories by name: permissions, owners, links, names, times, special files, extended attributes.

use crate::path::*;
use crate::support::*;
use core::ffi::{c_char, c_int, c_void};
use taipan_abi::*;
use taipan_clinic::{BufferView, methods};

unsafe extern "C" {
    fn _PyTime_ObjectToTimespec(obj: *mut PyObject, sec: *mut libc::time_t, nsec: *mut i64, round: c_int) -> c_int;
}

fn follow_symlinks_unavailable(fname: &str) -> Raised {
    raise!(PyExc_NotImplementedError, "{fname}: follow_symlinks unavailable on this platform")
}

fn os_access(_: (), path: Path, mode: CInt, dir_fd: DirFd, effective_ids: bool, follow_symlinks: bool) -> PyResult<bool> {
    let p = path.as_ptr();
    // SAFETY: plain system calls.
    let r = allow_threads(|| unsafe {
        if dir_fd.is_default() && !effective_ids && follow_symlinks {
            libc::access(p, mode.0)
        } else {
            let mut flags = 0;
            if !follow_symlinks {
                flags |= libc::AT_SYMLINK_NOFOLLOW;
            }
            if effective_ids {
                flags |= libc::AT_EACCESS;
            }
            libc::faccessat(dir_fd.0, p, mode.0, flags)
        }
    });
    Ok(r == 0)
}

fn os_chdir(_: (), path: Path<ALLOW_FD>) -> PyResult<()> {
    // SAFETY: live; plain system calls.
    unsafe {
        audit(c"os.chdir", &[path.ob()])?;
        let (p, fd) = (path.as_ptr(), path.fd);
        if allow_threads(|| if fd != -1 { libc::fchdir(fd) } else { libc::chdir(p) }) != 0 {
            return Err(path.error());
        }
    }
    Ok(())
}

fn os_fchdir(_: (), fd: Fildes) -> PyResult<()> {
    audit_ints(c"os.chdir", [fd.0 as i64])?;
    // SAFETY: plain system call.
    check(retry(|| unsafe { libc::fchdir(fd.0) })?).map(drop)
}

fn os_chmod(_: (), path: Path<ALLOW_FD>, mode: CInt, dir_fd: DirFd, follow_symlinks: Option<bool>) -> PyResult<()> {
    let follow = follow_symlinks.unwrap_or(true);
    // SAFETY: live; plain system calls.
    unsafe {
        audit_mixed(c"os.chmod", &[path.ob()], &[mode.0 as i64, dir_fd.audited()])?;
        let (p, fd, bits) = (path.as_ptr(), path.fd, mode.0 as libc::mode_t);
        let r = allow_threads(|| {
            if fd != -1 {
                libc::fchmod(fd, bits)
            } else if !dir_fd.is_default() || !follow {
                libc::fchmodat(dir_fd.0, p, bits, if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW })
            } else {
                libc::chmod(p, bits)
            }
        });
        if r != 0 {
            if errno() == libc::EOPNOTSUPP && !follow && fd == -1 {
                if !dir_fd.is_default() {
                    bail!(PyExc_ValueError, "chmod: cannot use dir_fd and follow_symlinks together");
                }
                return Err(follow_symlinks_unavailable("chmod"));
            }
            return Err(path.error());
        }
    }
    Ok(())
}

fn os_fchmod(_: (), fd: CInt, mode: CInt) -> PyResult<()> {
    audit_ints(c"os.chmod", [fd.0 as i64, mode.0 as i64, -1])?;
    // SAFETY: plain system call.
    check(retry(|| unsafe { libc::fchmod(fd.0, mode.0 as libc::mode_t) })?).map(drop)
}

fn os_chroot(_: (), path: Path) -> PyResult<()> {
    let p = path.as_ptr();
    // SAFETY: plain system call.
    if allow_threads(|| unsafe { libc::chroot(p) }) < 0 { Err(path.error()) } else { Ok(()) }
}

fn os_chown(_: (), path: Path<ALLOW_FD>, uid: Uid, gid: Gid, dir_fd: DirFd, follow_symlinks: bool) -> PyResult<()> {
    dir_fd_and_fd_invalid("chown", dir_fd, path.fd)?;
    fd_and_follow_symlinks_invalid("chown", path.fd, follow_symlinks)?;
    // SAFETY: live; plain system calls.
    unsafe {
        audit_mixed(c"os.chown", &[path.ob()], &[uid.0 as i64, gid.0 as i64, dir_fd.audited()])?;
        let (p, fd) = (path.as_ptr(), path.fd);
        let r = allow_threads(|| {
            if fd != -1 {
                libc::fchown(fd, uid.0, gid.0)
            } else {
                libc::fchownat(dir_fd.0, p, uid.0, gid.0, if follow_symlinks { 0 } else { libc::AT_SYMLINK_NOFOLLOW })
            }
        });
        if r != 0 { Err(path.error()) } else { Ok(()) }
    }
}

fn os_fchown(_: (), fd: CInt, uid: Uid, gid: Gid) -> PyResult<()> {
    audit_ints(c"os.chown", [fd.0 as i64, uid.0 as i64, gid.0 as i64, -1])?;
    // SAFETY: plain system call.
    check(retry(|| unsafe { libc::fchown(fd.0, uid.0, gid.0) })?).map(drop)
}

fn os_lchown(_: (), path: Path, uid: Uid, gid: Gid) -> PyResult<()> {
    // SAFETY: live; plain system call.
    unsafe {
        audit_mixed(c"os.chown", &[path.ob()], &[uid.0 as i64, gid.0 as i64, -1])?;
        let p = path.as_ptr();
        if allow_threads(|| libc::lchown(p, uid.0, gid.0)) < 0 { Err(path.error()) } else { Ok(()) }
    }
}

fn cwd() -> PyResult<Vec<u8>> {
    let mut size = 256;
    loop {
        let mut buf = vec![0u8; size];
        // SAFETY: the buffer has the size told.
        let p = allow_threads(|| unsafe { libc::getcwd(buf.as_mut_ptr().cast(), size) });
        if !p.is_null() {
            // SAFETY: NUL-terminated by getcwd.
            return Ok(unsafe { c_bytes(buf.as_ptr().cast()).to_vec() });
        }
        if errno() != libc::ERANGE {
            return Err(posix_error());
        }
        size *= 2;
    }
}
fn os_getcwd(_: ()) -> PyResult<Owned> {
    fsdecode(&cwd()?)
}
fn os_getcwdb(_: ()) -> PyResult<Owned> {
    bytes(&cwd()?)
}

fn os_link(_: (), src: Path, dst: Path, src_dir_fd: DirFd, dst_dir_fd: DirFd, follow_symlinks: bool) -> PyResult<()> {
    // SAFETY: live; plain system calls.
    unsafe {
        audit_mixed(c"os.link", &[src.ob(), dst.ob()], &[src_dir_fd.audited(), dst_dir_fd.audited()])?;
        let (s, d) = (src.as_ptr(), dst.as_ptr());
        let r = allow_threads(|| {
            if src_dir_fd.is_default() && dst_dir_fd.is_default() && follow_symlinks {
                libc::link(s, d)
            } else {
                libc::linkat(src_dir_fd.0, s, dst_dir_fd.0, d, if follow_symlinks { libc::AT_SYMLINK_FOLLOW } else { 0 })
            }
        });
        if r != 0 { Err(src.error2(&dst)) } else { Ok(()) }
    }
}

fn os_mkdir(_: (), path: Path, mode: CIntOr<511>, dir_fd: DirFd) -> PyResult<()> {
    // SAFETY: live; plain system call.
    unsafe {
        audit_mixed(c"os.mkdir", &[path.ob()], &[mode.0 as i64, dir_fd.audited()])?;
        let p = path.as_ptr();
        if allow_threads(|| libc::mkdirat(dir_fd.0, p, mode.0 as libc::mode_t)) < 0 { Err(path.error()) } else { Ok(()) }
    }
}

fn internal_rename(src: Path, dst: Path, src_dir_fd: DirFd, dst_dir_fd: DirFd) -> PyResult<()> {
    // SAFETY: live; plain system call.
    unsafe {
        audit_mixed(c"os.rename", &[src.ob(), dst.ob()], &[src_dir_fd.audited(), dst_dir_fd.audited()])?;
        let (s, d) = (src.as_ptr(), dst.as_ptr());
        if allow_threads(|| libc::renameat(src_dir_fd.0, s, dst_dir_fd.0, d)) != 0 { Err(src.error2(&dst)) } else { Ok(()) }
    }
}
fn os_rename(_: (), src: Path, dst: Path, src_dir_fd: DirFd, dst_dir_fd: DirFd) -> PyResult<()> {
    internal_rename(src, dst, src_dir_fd, dst_dir_fd)
}

fn os_rmdir(_: (), path: Path, dir_fd: DirFd) -> PyResult<()> {
    // SAFETY: live; plain system call.
    unsafe {
        audit_mixed(c"os.rmdir", &[path.ob()], &[dir_fd.audited()])?;
        let p = path.as_ptr();
        if allow_threads(|| libc::unlinkat(dir_fd.0, p, libc::AT_REMOVEDIR)) != 0 { Err(path.error()) } else { Ok(()) }
    }
}

fn os_unlink(_: (), path: Path, dir_fd: DirFd) -> PyResult<()> {
    // SAFETY: live; plain system call.
    unsafe {
        audit_mixed(c"os.remove", &[path.ob()], &[dir_fd.audited()])?;
        let p = path.as_ptr();
        if allow_threads(|| libc::unlinkat(dir_fd.0, p, 0)) != 0 { Err(path.error()) } else { Ok(()) }
    }
}

fn os_readlink(_: (), path: Path, dir_fd: DirFd) -> PyResult<Owned> {
    let mut buf = vec![0u8; libc::PATH_MAX as usize + 1];
    let p = path.as_ptr();
    // SAFETY: the buffer has the size told.
    let n = allow_threads(|| unsafe { libc::readlinkat(dir_fd.0, p, buf.as_mut_ptr().cast(), buf.len() - 1) });
    if n < 0 {
        return Err(path.error());
    }
    let target = &buf[..n as usize];
    if path.is_bytes() { bytes(target) } else { fsdecode(target) }
}

fn os_symlink(_: (), src: Path, dst: Path, _target_is_directory: bool, dir_fd: DirFd) -> PyResult<()> {
    // SAFETY: live; plain system call.
    unsafe {
        audit_mixed(c"os.symlink", &[src.ob(), dst.ob()], &[dir_fd.audited()])?;
        let (s, d) = (src.as_ptr(), dst.as_ptr());
        if allow_threads(|| libc::symlinkat(s, dir_fd.0, d)) != 0 { Err(src.error2(&dst)) } else { Ok(()) }
    }
}

fn os_mkfifo(_: (), path: Path, mode: CIntOr<438>, dir_fd: DirFd) -> PyResult<()> {
    let p = path.as_ptr();
    // SAFETY: plain system call.
    if retry(|| unsafe { libc::mkfifoat(dir_fd.0, p, mode.0 as libc::mode_t) })? != 0 { Err(path.error()) } else { Ok(()) }
}

fn os_mknod(_: (), path: Path, mode: CIntOr<384>, device: Dev, dir_fd: DirFd) -> PyResult<()> {
    let p = path.as_ptr();
    // SAFETY: plain system call.
    if retry(|| unsafe { libc::mknodat(dir_fd.0, p, mode.0 as libc::mode_t, device.0) })? != 0 { Err(path.error()) } else { Ok(()) }
}

/// Half of a device number as an int; all bits set is `NODEV`.
fn half(n: u32) -> PyResult<i64> {
    Ok(if n == u32::MAX { -1 } else { n as i64 })
}
fn os_major(_: (), device: Dev) -> PyResult<i64> {
    half(libc::major(device.0) as u32)
}
fn os_minor(_: (), device: Dev) -> PyResult<i64> {
    half(libc::minor(device.0) as u32)
}
fn os_makedev(_: (), major: Dev, minor: Dev) -> PyResult<Owned> {
    let fits = |d: Dev| d.0 == u64::MAX || d.0 <= u32::MAX as u64;
    if !fits(major) || !fits(minor) {
        bail!(PyExc_OverflowError, "Python int too large to convert to C unsigned int");
    }
    crate::stat::dev_object(libc::makedev(major.0 as libc::c_uint, minor.0 as libc::c_uint))
}

fn os_truncate(_: (), path: Path<ALLOW_FD>, length: i64) -> PyResult<()> {
    if path.fd != -1 {
        return ftruncate(path.fd, length);
    }
    // SAFETY: live; plain system call.
    unsafe {
        audit_mixed(c"os.truncate", &[path.ob()], &[length])?;
        let p = path.as_ptr();
        if retry(|| libc::truncate(p, length))? < 0 { Err(path.error()) } else { Ok(()) }
    }
}

/// `os.ftruncate`.
pub fn ftruncate(fd: c_int, length: i64) -> PyResult<()> {
    audit_ints(c"os.truncate", [fd as i64, length])?;
    // SAFETY: plain system call.
    check(retry(|| unsafe { libc::ftruncate(fd, length) })?).map(drop)
}

// ---- times

/// Seconds and nanoseconds of an int of nanoseconds; `__divmod__` of subclasses is respected.
unsafe fn split_ns(ns: *mut PyObject) -> PyResult<libc::timespec> {
    // SAFETY: [ARGS]
    unsafe {
        let billion = int(1_000_000_000)?;
        let divmod = own(PyNumber_Divmod(ns, billion.as_ptr()))?;
        if PyTuple_Check(divmod.as_ptr()) == 0 || PyTuple_Size(divmod.as_ptr()) != 2 {
            bail!(PyExc_TypeError, "{}.__divmod__() must return a 2-tuple, not {}", short_type_name(ns), short_type_name(divmod.as_ptr()));
        }
        let secs = PyLong_AsLongLong(PyTuple_GetItem(divmod.as_ptr(), 0));
        if secs == -1 && err_occurred() {
            if PyErr_ExceptionMatches(PyExc_OverflowError) != 0 {
                PyErr_Clear();
                bail!(PyExc_OverflowError, "timestamp out of range for platform time_t");
            }
            return Err(Raised::assume());
        }
        let nsec = as_long(PyTuple_GetItem(divmod.as_ptr(), 1))?;
        Ok(libc::timespec { tv_sec: secs, tv_nsec: nsec })
    }
}

fn os_utime(
    _: (),
    path: Path<ALLOW_FD>,
    times: Option<Borrowed<'_>>,
    ns: Option<Borrowed<'_>>,
    dir_fd: DirFd,
    follow_symlinks: bool,
) -> PyResult<()> {
    let pair = |t: Borrowed<'_>| t.ob_type() == &raw mut PyTuple_Type && unsafe_tuple_size(t) == 2;
    // SAFETY: live; plain system calls.
    unsafe {
        let mut tv: Option<[libc::timespec; 2]> = None;
        if times.is_some() && ns.is_some() {
            bail!(PyExc_ValueError, "utime: you may specify either 'times' or 'ns' but not both");
        }
        if let Some(t) = times {
            if !pair(t) {
                bail!(PyExc_TypeError, "utime: 'times' must be either a tuple of two ints or None");
            }
            let mut both = [core::mem::zeroed::<libc::timespec>(); 2];
            for (i, ts) in both.iter_mut().enumerate() {
                check_status(_PyTime_ObjectToTimespec(PyTuple_GetItem(t.ob(), i as Py_ssize_t), &mut ts.tv_sec, &mut ts.tv_nsec, 0))?;
            }
            tv = Some(both);
        } else if let Some(n) = ns {
            if !pair(n) {
                bail!(PyExc_TypeError, "utime: 'ns' must be a tuple of two ints");
            }
            tv = Some([split_ns(PyTuple_GetItem(n.ob(), 0))?, split_ns(PyTuple_GetItem(n.ob(), 1))?]);
        }
        path_and_dir_fd_invalid("utime", &path, dir_fd)?;
        dir_fd_and_fd_invalid("utime", dir_fd, path.fd)?;
        fd_and_follow_symlinks_invalid("utime", path.fd, follow_symlinks)?;
        let or_none = |o: Option<Borrowed<'_>>| o.map_or(Py_None(), |o| o.ob());
        audit_mixed(c"os.utime", &[path.ob(), or_none(times), or_none(ns)], &[dir_fd.audited()])?;
        let (p, fd) = (path.as_ptr(), path.fd);
        let r = allow_threads(|| {
            let when = tv.as_ref().map_or(core::ptr::null(), |t| t.as_ptr());
            if fd != -1 {
                libc::futimens(fd, when)
            } else {
                libc::utimensat(dir_fd.0, p, when, if follow_symlinks { 0 } else { libc::AT_SYMLINK_NOFOLLOW })
            }
        });
        if r < 0 { Err(path.error()) } else { Ok(()) }
    }
}

fn unsafe_tuple_size(t: Borrowed<'_>) -> isize {
    // SAFETY: [TYPE] an exact tuple.
    unsafe { PyTuple_Size(t.ob()) }
}

// ---- extended attributes

/// The greatest value of an attribute.
const XATTR_SIZE_MAX: usize = 65536;

/// Reads something whose size is not known: with growing buffers, `f` is told where and how much.
fn read_sized(sizes: &[usize], path: &Path<{ ALLOW_FD | NULLABLE }>, mut f: impl FnMut(*mut c_void, usize) -> isize) -> PyResult<Vec<u8>> {
    for (i, &size) in sizes.iter().enumerate() {
        let mut buf = vec![0u8; size];
        let n = allow_threads(|| f(buf.as_mut_ptr().cast(), size));
        if n < 0 {
            if errno() == libc::ERANGE && i + 1 < sizes.len() {
                continue;
            }
            return Err(path.error());
        }
        buf.truncate(n as usize);
        return Ok(buf);
    }
    Err(path.error())
}

type XPath = Path<{ ALLOW_FD | NULLABLE }>;

/// A path that must be there, but may be a descriptor.
fn xpath(path: Path<ALLOW_FD>) -> XPath {
    path.relax()
}

fn os_getxattr(_: (), path: Path<ALLOW_FD>, attribute: Path, follow_symlinks: bool) -> PyResult<Owned> {
    fd_and_follow_symlinks_invalid("getxattr", path.fd, follow_symlinks)?;
    // SAFETY: live; plain system calls.
    unsafe {
        audit(c"os.getxattr", &[path.ob(), attribute.ob()])?;
        let path = xpath(path);
        let (p, fd, a) = (path.as_ptr(), path.fd, attribute.as_ptr());
        let value = read_sized(&[128, XATTR_SIZE_MAX], &path, |buf, n| {
            if fd >= 0 {
                libc::fgetxattr(fd, a, buf, n)
            } else if follow_symlinks {
                libc::getxattr(p, a, buf, n)
            } else {
                libc::lgetxattr(p, a, buf, n)
            }
        })?;
        bytes(&value)
    }
}

fn os_setxattr(_: (), path: Path<ALLOW_FD>, attribute: Path, value: BufferView, flags: i32, follow_symlinks: bool) -> PyResult<()> {
    fd_and_follow_symlinks_invalid("setxattr", path.fd, follow_symlinks)?;
    // SAFETY: live; plain system calls.
    unsafe {
        let shown = bytes(value.as_bytes())?;
        audit_mixed(c"os.setxattr", &[path.ob(), attribute.ob(), shown.as_ptr()], &[flags as i64])?;
        let (p, fd, a, v) = (path.as_ptr(), path.fd, attribute.as_ptr(), value.as_bytes());
        let r = allow_threads(|| {
            let (b, n) = (v.as_ptr().cast(), v.len());
            if fd > -1 {
                libc::fsetxattr(fd, a, b, n, flags)
            } else if follow_symlinks {
                libc::setxattr(p, a, b, n, flags)
            } else {
                libc::lsetxattr(p, a, b, n, flags)
            }
        });
        if r != 0 { Err(path.error()) } else { Ok(()) }
    }
}

fn os_removexattr(_: (), path: Path<ALLOW_FD>, attribute: Path, follow_symlinks: bool) -> PyResult<()> {
    fd_and_follow_symlinks_invalid("removexattr", path.fd, follow_symlinks)?;
    // SAFETY: live; plain system calls.
    unsafe {
        audit(c"os.removexattr", &[path.ob(), attribute.ob()])?;
        let (p, fd, a) = (path.as_ptr(), path.fd, attribute.as_ptr());
        let r = allow_threads(|| {
            if fd > -1 {
                libc::fremovexattr(fd, a)
            } else if follow_symlinks {
                libc::removexattr(p, a)
            } else {
                libc::lremovexattr(p, a)
            }
        });
        if r != 0 { Err(path.error()) } else { Ok(()) }
    }
}

fn os_listxattr(_: (), path: XPath, follow_symlinks: bool) -> PyResult<Owned> {
    fd_and_follow_symlinks_invalid("listxattr", path.fd, follow_symlinks)?;
    // SAFETY: live; plain system calls.
    unsafe {
        audit(c"os.listxattr", &[path.ob()])?;
        let fd = path.fd;
        let p: *const c_char = if path.has_path() { path.as_ptr() } else { c".".as_ptr() };
        let names = read_sized(&[256, XATTR_SIZE_MAX], &path, |buf, n| {
            if fd > -1 {
                libc::flistxattr(fd, buf.cast(), n)
            } else if follow_symlinks {
                libc::listxattr(p, buf.cast(), n)
            } else {
                libc::llistxattr(p, buf.cast(), n)
            }
        })?;
        let items: PyResult<Vec<_>> = names.split(|&b| b == 0).filter(|n| !n.is_empty()).map(fsdecode).collect();
        list(items?)
    }
}

// ---- paths as texts

/// Where the root of a path ends: after one or two slashes, or none.
fn root_len(path: &[u8]) -> usize {
    if !path.starts_with(b"/") {
        0
    } else if path.starts_with(b"//") && !path.starts_with(b"///") {
        2
    } else {
        1
    }
}

/// A part of a path as the caller's kind of string.
fn part(path: &Path<NONSTRICT>, data: &[u8]) -> PyResult<Owned> {
    if path.is_bytes() {
        return bytes(data);
    }
    // SAFETY: the data is a slice; it was made by the same codec.
    unsafe { own(PyUnicode_DecodeUTF8(data.as_ptr().cast(), data.len() as Py_ssize_t, c"surrogatepass".as_ptr())) }
}

fn os_path_splitroot_ex(_: (), p: Path<NONSTRICT>) -> PyResult<Owned> {
    let b = p.as_bytes();
    let n = root_len(b);
    tuple([part(&p, &[])?, part(&p, &b[..n])?, part(&p, &b[n..])?])
}

fn os_path_normpath(_: (), path: Path<NONSTRICT>) -> PyResult<Owned> {
    let b = path.as_bytes();
    let root = root_len(b);
    let mut parts: Vec<&[u8]> = Vec::new();
    for p in b.split(|&c| c == b'/') {
        match p {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|l| *l != b"..") => {
                parts.pop();
            }
            b".." if root > 0 => {}
            _ => parts.push(p),
        }
    }
    let mut out = b[..root].to_vec();
    out.extend_from_slice(&parts.join(&b'/'));
    if out.is_empty() {
        out.push(b'.');
    }
    part(&path, &out)
}

unsafe extern "C" {
    /// python: fileobject.
    fn PyOS_FSPath(path: *mut PyObject) -> *mut PyObject;
}
fn os_fspath(_: (), path: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe { own(PyOS_FSPath(path.ob())) }
}

/// The constants of this file.
pub const CONSTANTS: &[(&str, i64)] = &[
    ("F_OK", libc::F_OK as i64),
    ("R_OK", libc::R_OK as i64),
    ("W_OK", libc::W_OK as i64),
    ("X_OK", libc::X_OK as i64),
    ("XATTR_CREATE", libc::XATTR_CREATE as i64),
    ("XATTR_REPLACE", libc::XATTR_REPLACE as i64),
    ("XATTR_SIZE_MAX", XATTR_SIZE_MAX as i64),
    ("ST_RDONLY", libc::ST_RDONLY as i64),
    ("ST_NOSUID", libc::ST_NOSUID as i64),
    ("ST_NODEV", libc::ST_NODEV as i64),
    ("ST_NOEXEC", libc::ST_NOEXEC as i64),
    ("ST_SYNCHRONOUS", libc::ST_SYNCHRONOUS as i64),
    ("ST_MANDLOCK", libc::ST_MANDLOCK as i64),
    ("ST_WRITE", 128),
    ("ST_APPEND", 256),
    ("ST_NOATIME", libc::ST_NOATIME as i64),
    ("ST_NODIRATIME", libc::ST_NODIRATIME as i64),
    ("ST_RELATIME", 4096),
];


methods! {
    /// Functions of this file.
    pub static METHODS = [
        "access($module, /, path, mode, *, dir_fd=None, effective_ids=False, follow_symlinks=True)" => os_access, "Whether the real (or effective) user may do with a path what mode says.";
        "chdir($module, /, path)" => os_chdir, "Change the current directory.";
        "fchdir($module, /, fd)" => os_fchdir, "Change the current directory to an open one.";
        "chmod($module, /, path, mode, *, dir_fd=None, follow_symlinks=(os.name != 'nt'))" => os_chmod, "Change the permissions of a file.";
        "fchmod($module, /, fd, mode)" => os_fchmod, "Change the permissions of an open file.";
        "chroot($module, /, path)" => os_chroot, "Change the root directory.";
        "chown($module, /, path, uid, gid, *, dir_fd=None, follow_symlinks=True)" => os_chown, "Change owner and group of a file; -1 leaves one as it is.";
        "fchown($module, /, fd, uid, gid)" => os_fchown, "Change owner and group of an open file.";
        "lchown($module, /, path, uid, gid)" => os_lchown, "Change owner and group of a file or symbolic link.";
        "getcwd($module, /)" => os_getcwd, "The current directory as a str.";
        "getcwdb($module, /)" => os_getcwdb, "The current directory as bytes.";
        "link($module, /, src, dst, *, src_dir_fd=None, dst_dir_fd=None, follow_symlinks=True)" => os_link, "Make a hard link dst to src.";
        "mkdir($module, /, path, mode=511, *, dir_fd=None)" => os_mkdir, "Make a directory.";
        "rename($module, /, src, dst, *, src_dir_fd=None, dst_dir_fd=None)" => os_rename, "Rename a file or directory.";
        "replace($module, /, src, dst, *, src_dir_fd=None, dst_dir_fd=None)" => os_rename, "Rename a file or directory, over an existing one if need be.";
        "rmdir($module, /, path, *, dir_fd=None)" => os_rmdir, "Remove an empty directory.";
        "unlink($module, /, path, *, dir_fd=None)" => os_unlink, "Remove a file; the same as remove().";
        "remove($module, /, path, *, dir_fd=None)" => os_unlink, "Remove a file; the same as unlink().";
        "readlink($module, /, path, *, dir_fd=None)" => os_readlink, "What a symbolic link points to.";
        "symlink($module, /, src, dst, target_is_directory=False, *, dir_fd=None)" => os_symlink, "Make a symbolic link dst to src.";
        "mkfifo($module, /, path, mode=438, *, dir_fd=None)" => os_mkfifo, "Make a named pipe.";
        "mknod($module, /, path, mode=384, device=0, *, dir_fd=None)" => os_mknod, "Make a file, device or pipe.";
        "major($module, device, /)" => os_major, "Major number of a device.";
        "minor($module, device, /)" => os_minor, "Minor number of a device.";
        "makedev($module, major, minor, /)" => os_makedev, "Device number from major and minor number.";
        "truncate($module, /, path, length)" => os_truncate, "Make a file length bytes long.";
        "utime($module, /, path, times=None, *, ns=<unrepresentable>, dir_fd=None, follow_symlinks=True)" => os_utime, "Set access and modification time.";
        "getxattr($module, /, path, attribute, *, follow_symlinks=True)" => os_getxattr, "Value of an extended attribute.";
        "setxattr($module, /, path, attribute, value, flags=0, *, follow_symlinks=True)" => os_setxattr, "Set an extended attribute.";
        "removexattr($module, /, path, attribute, *, follow_symlinks=True)" => os_removexattr, "Remove an extended attribute.";
        "listxattr($module, /, path=None, *, follow_symlinks=True)" => os_listxattr, "Names of extended attributes.";
        "_path_splitroot_ex($module, /, p)" => os_path_splitroot_ex, "Split a path into drive, root and tail.";
        "_path_normpath($module, /, path)" => os_path_normpath, "Normalise a path as a text.";
        "fspath($module, /, path)" => os_fspath, "The file system's representation of a path.";
    ];
}
