//! Who runs: users, groups, sessions, process groups.

use crate::path::*;
use crate::support::*;
use core::ffi::c_int;
use taipan_abi::*;
use taipan_clinic::methods;

fn os_getuid(_: ()) -> PyResult<Owned> {
    // SAFETY: plain system call.
    id_object(unsafe { libc::getuid() })
}
fn os_geteuid(_: ()) -> PyResult<Owned> {
    // SAFETY: plain system call.
    id_object(unsafe { libc::geteuid() })
}
fn os_getgid(_: ()) -> PyResult<Owned> {
    // SAFETY: plain system call.
    id_object(unsafe { libc::getgid() })
}
fn os_getegid(_: ()) -> PyResult<Owned> {
    // SAFETY: plain system call.
    id_object(unsafe { libc::getegid() })
}
fn os_setuid(_: (), uid: Uid) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setuid(uid.0) }).map(drop)
}
fn os_seteuid(_: (), euid: Uid) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::seteuid(euid.0) }).map(drop)
}
fn os_setgid(_: (), gid: Gid) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setgid(gid.0) }).map(drop)
}
fn os_setegid(_: (), egid: Gid) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setegid(egid.0) }).map(drop)
}
fn os_setreuid(_: (), ruid: Uid, euid: Uid) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setreuid(ruid.0, euid.0) }).map(drop)
}
fn os_setregid(_: (), rgid: Gid, egid: Gid) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setregid(rgid.0, egid.0) }).map(drop)
}
fn os_setresuid(_: (), ruid: Uid, euid: Uid, suid: Uid) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setresuid(ruid.0, euid.0, suid.0) }).map(drop)
}
fn os_setresgid(_: (), rgid: Gid, egid: Gid, sgid: Gid) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setresgid(rgid.0, egid.0, sgid.0) }).map(drop)
}
fn os_getresuid(_: ()) -> PyResult<Owned> {
    let (mut r, mut e, mut s) = (0, 0, 0);
    // SAFETY: plain system call.
    check(unsafe { libc::getresuid(&mut r, &mut e, &mut s) })?;
    tuple([id_object(r)?, id_object(e)?, id_object(s)?])
}
fn os_getresgid(_: ()) -> PyResult<Owned> {
    let (mut r, mut e, mut s) = (0, 0, 0);
    // SAFETY: plain system call.
    check(unsafe { libc::getresgid(&mut r, &mut e, &mut s) })?;
    tuple([id_object(r)?, id_object(e)?, id_object(s)?])
}

fn groups_list(groups: &[libc::gid_t]) -> PyResult<Owned> {
    let items: PyResult<Vec<_>> = groups.iter().map(|&g| id_object(g)).collect();
    list(items?)
}
fn os_getgroups(_: ()) -> PyResult<Owned> {
    // SAFETY: the buffer has the size told.
    unsafe {
        let n = check(libc::getgroups(0, core::ptr::null_mut()))?;
        let mut groups = vec![0; n as usize];
        let n = if n == 0 { 0 } else { check(libc::getgroups(n, groups.as_mut_ptr()))? };
        groups_list(&groups[..n as usize])
    }
}
/// Most groups that a process may have (`NGROUPS_MAX`).
const MAX_GROUPS: usize = 65536;

fn os_setgroups(_: (), groups: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: live.
    unsafe {
        if PySequence_Check(groups.ob()) == 0 {
            bail!(PyExc_TypeError, "setgroups argument must be a sequence");
        }
        let n = PySequence_Size(groups.ob());
        if n < 0 {
            return Err(Raised::assume());
        }
        if n as usize > MAX_GROUPS {
            bail!(PyExc_ValueError, "too many groups");
        }
        let mut all = crate::support::room(n)?;
        for i in 0..n {
            let item = own(PySequence_GetItem(groups.ob(), i))?;
            if PyLong_Check(item.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "groups must be integers");
            }
            all.push(id_from_object(item.as_ptr(), "gid")?);
        }
        check(libc::setgroups(all.len(), all.as_ptr())).map(drop)
    }
}
fn os_getgrouplist(_: (), user: &str, group: Gid) -> PyResult<Owned> {
    let Ok(user) = std::ffi::CString::new(user) else { bail!(PyExc_ValueError, "embedded null character") };
    let mut n: c_int = 64;
    loop {
        let old = n;
        let mut groups = vec![0; n as usize];
        // SAFETY: the buffer has the size told.
        if unsafe { libc::getgrouplist(user.as_ptr(), group.0, groups.as_mut_ptr(), &mut n) } != -1 {
            return groups_list(&groups[..n.max(0) as usize]);
        }
        if n <= old {
            n = old.saturating_mul(2);
        }
    }
}
fn os_initgroups(_: (), username: FsBytes, gid: Gid) -> PyResult<()> {
    // SAFETY: NUL-terminated.
    check(unsafe { libc::initgroups(username.as_ptr(), gid.0) }).map(drop)
}
unsafe extern "C" {
    fn getlogin_r(name: *mut core::ffi::c_char, size: usize) -> c_int;
}
fn os_getlogin(_: ()) -> PyResult<Owned> {
    let mut buf = [0u8; 257];
    // SAFETY: the buffer has the size told.
    unsafe {
        let e = getlogin_r(buf.as_mut_ptr().cast(), buf.len() - 1);
        if e != 0 {
            return Err(posix_error_from(e));
        }
        fsdecode(c_bytes(buf.as_ptr().cast()))
    }
}

fn os_getpid(_: ()) -> PyResult<i32> {
    // SAFETY: plain system call.
    Ok(unsafe { libc::getpid() })
}
fn os_getppid(_: ()) -> PyResult<i32> {
    // SAFETY: plain system call.
    Ok(unsafe { libc::getppid() })
}
fn os_getpgid(_: (), pid: CInt) -> PyResult<i32> {
    // SAFETY: plain system call.
    check(unsafe { libc::getpgid(pid.0) })
}
fn os_getpgrp(_: ()) -> PyResult<i32> {
    // SAFETY: plain system call.
    Ok(unsafe { libc::getpgrp() })
}
fn os_setpgrp(_: ()) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setpgid(0, 0) }).map(drop)
}
fn os_setpgid(_: (), pid: CInt, pgrp: CInt) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setpgid(pid.0, pgrp.0) }).map(drop)
}
fn os_getsid(_: (), pid: CInt) -> PyResult<i32> {
    // SAFETY: plain system call.
    check(unsafe { libc::getsid(pid.0) })
}
fn os_setsid(_: ()) -> PyResult<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setsid() }).map(drop)
}

/// The constants of this file.
pub const CONSTANTS: &[(&str, i64)] = &[("NGROUPS_MAX", MAX_GROUPS as i64)];

methods! {
    /// Functions of this file.
    pub static METHODS = [
        "getuid($module, /)" => os_getuid, "The user's number.";
        "geteuid($module, /)" => os_geteuid, "The effective user's number.";
        "getgid($module, /)" => os_getgid, "The group's number.";
        "getegid($module, /)" => os_getegid, "The effective group's number.";
        "setuid($module, uid, /)" => os_setuid, "Set the user.";
        "seteuid($module, euid, /)" => os_seteuid, "Set the effective user.";
        "setgid($module, gid, /)" => os_setgid, "Set the group.";
        "setegid($module, egid, /)" => os_setegid, "Set the effective group.";
        "setreuid($module, ruid, euid, /)" => os_setreuid, "Set real and effective user.";
        "setregid($module, rgid, egid, /)" => os_setregid, "Set real and effective group.";
        "setresuid($module, ruid, euid, suid, /)" => os_setresuid, "Set real, effective and saved user.";
        "setresgid($module, rgid, egid, sgid, /)" => os_setresgid, "Set real, effective and saved group.";
        "getresuid($module, /)" => os_getresuid, "Real, effective and saved user.";
        "getresgid($module, /)" => os_getresgid, "Real, effective and saved group.";
        "getgroups($module, /)" => os_getgroups, "The supplemental groups.";
        "setgroups($module, groups, /)" => os_setgroups, "Set the supplemental groups.";
        "getgrouplist($module, user, group, /)" => os_getgrouplist, "The groups that a user belongs to.";
        "initgroups($module, username, gid, /)" => os_initgroups, "Take over the groups of a user.";
        "getlogin($module, /)" => os_getlogin, "Name of the user who is logged in.";
        "getpid($module, /)" => os_getpid, "Number of the process.";
        "getppid($module, /)" => os_getppid, "Number of the parent process.";
        "getpgid($module, /, pid)" => os_getpgid, "Process group of a process.";
        "getpgrp($module, /)" => os_getpgrp, "Process group of this process.";
        "setpgrp($module, /)" => os_setpgrp, "Make this process the leader of a new process group.";
        "setpgid($module, pid, pgrp, /)" => os_setpgid, "Move a process to a process group.";
        "getsid($module, pid, /)" => os_getsid, "Session of a process.";
        "setsid($module, /)" => os_setsid, "Make this process the leader of a new session.";
    ];
}
