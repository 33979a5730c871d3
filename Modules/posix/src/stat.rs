//! `os.stat` and its relatives, `os.statvfs`.

use crate::path::*;
use crate::support::*;
use core::ffi::c_int;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering::*};
use taipan_abi::*;
use taipan_clinic::methods;

/// `os.stat_result`: the last three visible fields, without names, are times in whole seconds.
pub static STAT_RESULT: StructType = StructType::new(
    c"os.stat_result",
    c"stat_result: what os.stat(), os.fstat() and os.lstat() return\n\nA tuple (mode, ino, dev, nlink, uid, gid, size, atime, mtime, ctime) whose\nfields, and more, are attributes too.",
    &[
        (c"st_mode", c"protection bits"),
        (c"st_ino", c"inode"),
        (c"st_dev", c"device"),
        (c"st_nlink", c"number of hard links"),
        (c"st_uid", c"user ID of owner"),
        (c"st_gid", c"group ID of owner"),
        (c"st_size", c"total size, in bytes"),
        (UNNAMED, c"integer time of last access"),
        (UNNAMED, c"integer time of last modification"),
        (UNNAMED, c"integer time of last change"),
        (c"st_atime", c"time of last access"),
        (c"st_mtime", c"time of last modification"),
        (c"st_ctime", c"time of last change"),
        (c"st_atime_ns", c"time of last access in nanoseconds"),
        (c"st_mtime_ns", c"time of last modification in nanoseconds"),
        (c"st_ctime_ns", c"time of last change in nanoseconds"),
        (c"st_blksize", c"blocksize for filesystem I/O"),
        (c"st_blocks", c"number of blocks allocated"),
        (c"st_rdev", c"device type (if inode device)"),
    ],
    10,
);

/// `os.statvfs_result`.
pub static STATVFS_RESULT: StructType = StructType::new(
    c"os.statvfs_result",
    c"statvfs_result: what os.statvfs() and os.fstatvfs() return",
    &[
        (c"f_bsize", c""),
        (c"f_frsize", c""),
        (c"f_blocks", c""),
        (c"f_bfree", c""),
        (c"f_bavail", c""),
        (c"f_files", c""),
        (c"f_ffree", c""),
        (c"f_favail", c""),
        (c"f_flag", c""),
        (c"f_namemax", c""),
        (c"f_fsid", c""),
    ],
    10,
);

/// `tp_new` of the struct sequence as it was made.
static STRUCTSEQ_NEW: AtomicUsize = AtomicUsize::new(0);

/// `stat_result(sequence)`: float times that are missing are taken from the whole ones.
unsafe extern "C" fn statresult_new(tp: *mut PyTypeObject, args: *mut PyObject, kwds: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] the saved slot is a newfunc.
    unsafe {
        let new: newfunc = core::mem::transmute(STRUCTSEQ_NEW.load(Acquire));
        let result = new(tp, args, kwds);
        if result.is_null() {
            return null_mut();
        }
        for i in 7..=9 {
            if PyStructSequence_GetItem(result, i + 3) == Py_None() {
                let whole = PyStructSequence_GetItem(result, i);
                Py_INCREF(whole);
                PyStructSequence_SetItem(result, i + 3, whole);
            }
        }
        result
    }
}

/// Makes the types.
pub fn prepare(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] the type is ours.
    unsafe {
        let tp = STAT_RESULT.get()?;
        if STRUCTSEQ_NEW.load(Acquire) == 0
            && let Some(new) = (*tp).tp_new
        {
            STRUCTSEQ_NEW.store(new as usize, Release);
            (*tp).tp_new = Some(statresult_new);
        }
    }
    STAT_RESULT.add_to(module)?;
    STATVFS_RESULT.add_to(module)
}

/// `sec` seconds and `nsec` nanoseconds as nanoseconds.
fn nanoseconds(sec: i64, nsec: i64) -> PyResult<Owned> {
    if let Some(n) = sec.checked_mul(1_000_000_000).and_then(|n| n.checked_add(nsec)) {
        return int(n);
    }
    let n = sec as i128 * 1_000_000_000 + nsec as i128;
    let raw = n.to_le_bytes();
    // SAFETY: [GIL]
    unsafe { own(_PyLong_FromByteArray(raw.as_ptr(), raw.len(), 1, 1)) }
}

/// A device number as an int; `NODEV` is -1.
pub fn dev_object(dev: libc::dev_t) -> PyResult<Owned> {
    if dev == libc::dev_t::MAX { int(-1) } else { uint(dev) }
}

/// A `stat_result` from the system's record.
pub fn pystat_fromstructstat(st: &libc::stat) -> PyResult<Owned> {
    let seconds = |s: i64, ns: i64| float(s as f64 + 1e-9 * ns as f64);
    STAT_RESULT.build([
        int(st.st_mode as i64)?,
        uint(st.st_ino)?,
        dev_object(st.st_dev)?,
        int(st.st_nlink as i64)?,
        id_object(st.st_uid)?,
        id_object(st.st_gid)?,
        int(st.st_size)?,
        int(st.st_atime)?,
        int(st.st_mtime)?,
        int(st.st_ctime)?,
        seconds(st.st_atime, st.st_atime_nsec)?,
        seconds(st.st_mtime, st.st_mtime_nsec)?,
        seconds(st.st_ctime, st.st_ctime_nsec)?,
        nanoseconds(st.st_atime, st.st_atime_nsec)?,
        nanoseconds(st.st_mtime, st.st_mtime_nsec)?,
        nanoseconds(st.st_ctime, st.st_ctime_nsec)?,
        int(st.st_blksize)?,
        int(st.st_blocks)?,
        int(st.st_rdev as i64)?,
    ])
}

fn posix_do_stat(fname: &str, path: &Path<ALLOW_FD>, dir_fd: DirFd, follow_symlinks: bool) -> PyResult<Owned> {
    path_and_dir_fd_invalid(fname, path, dir_fd)?;
    dir_fd_and_fd_invalid(fname, dir_fd, path.fd)?;
    fd_and_follow_symlinks_invalid(fname, path.fd, follow_symlinks)?;
    // SAFETY: plain system calls on valid arguments.
    unsafe {
        let mut st: libc::stat = core::mem::zeroed();
        let (p, fd) = (path.as_ptr(), path.fd);
        let r = allow_threads(|| {
            if fd != -1 {
                libc::fstat(fd, &mut st)
            } else if dir_fd.is_default() {
                if follow_symlinks { libc::stat(p, &mut st) } else { libc::lstat(p, &mut st) }
            } else {
                libc::fstatat(dir_fd.0, p, &mut st, if follow_symlinks { 0 } else { libc::AT_SYMLINK_NOFOLLOW })
            }
        });
        if r != 0 {
            return Err(path.error());
        }
        pystat_fromstructstat(&st)
    }
}

fn os_stat(_: (), path: Path<ALLOW_FD>, dir_fd: DirFd, follow_symlinks: bool) -> PyResult<Owned> {
    posix_do_stat("stat", &path, dir_fd, follow_symlinks)
}

fn os_lstat(_: (), path: Path, dir_fd: DirFd) -> PyResult<Owned> {
    // SAFETY: plain system calls on valid arguments.
    unsafe {
        let mut st: libc::stat = core::mem::zeroed();
        let p = path.as_ptr();
        let r = allow_threads(|| {
            if dir_fd.is_default() {
                libc::lstat(p, &mut st)
            } else {
                libc::fstatat(dir_fd.0, p, &mut st, libc::AT_SYMLINK_NOFOLLOW)
            }
        });
        if r != 0 {
            return Err(path.error());
        }
        pystat_fromstructstat(&st)
    }
}

fn os_fstat(_: (), fd: CInt) -> PyResult<Owned> {
    // SAFETY: plain system call.
    unsafe {
        let mut st: libc::stat = core::mem::zeroed();
        if retry(|| libc::fstat(fd.0, &mut st))? != 0 {
            return Err(posix_error());
        }
        pystat_fromstructstat(&st)
    }
}

fn pystatvfs_fromstructstatvfs(st: &libc::statvfs) -> PyResult<Owned> {
    STATVFS_RESULT.build([
        uint(st.f_bsize)?,
        uint(st.f_frsize)?,
        uint(st.f_blocks)?,
        uint(st.f_bfree)?,
        uint(st.f_bavail)?,
        uint(st.f_files)?,
        uint(st.f_ffree)?,
        uint(st.f_favail)?,
        uint(st.f_flag)?,
        uint(st.f_namemax)?,
        uint(st.f_fsid)?,
    ])
}

fn os_fstatvfs(_: (), fd: CInt) -> PyResult<Owned> {
    // SAFETY: plain system call.
    unsafe {
        let mut st: libc::statvfs = core::mem::zeroed();
        if retry(|| libc::fstatvfs(fd.0, &mut st))? != 0 {
            return Err(posix_error());
        }
        pystatvfs_fromstructstatvfs(&st)
    }
}

fn os_statvfs(_: (), path: Path<ALLOW_FD>) -> PyResult<Owned> {
    // SAFETY: plain system calls.
    unsafe {
        let mut st: libc::statvfs = core::mem::zeroed();
        let (p, fd) = (path.as_ptr(), path.fd);
        let r: c_int = allow_threads(|| if fd != -1 { libc::fstatvfs(fd, &mut st) } else { libc::statvfs(p, &mut st) });
        if r != 0 {
            return Err(path.error());
        }
        pystatvfs_fromstructstatvfs(&st)
    }
}

methods! {
    /// Functions of this file.
    pub static METHODS = [
        "stat($module, /, path, *, dir_fd=None, follow_symlinks=True)" => os_stat,
            "Status of a file, given by path or descriptor.\n\n  dir_fd\n    Descriptor of the directory that a relative path starts from.\n  follow_symlinks\n    Whether the target of a symbolic link is meant.";
        "lstat($module, /, path, *, dir_fd=None)" => os_lstat, "As stat(), of a symbolic link itself.";
        "fstat($module, /, fd)" => os_fstat, "Status of an open file.";
        "fstatvfs($module, fd, /)" => os_fstatvfs, "Status of the file system of an open file.";
        "statvfs($module, /, path)" => os_statvfs, "Status of the file system that has a path.";
    ];
}
