//! Contents of directories: `os.listdir`, `os.scandir`, `os.DirEntry`.

use crate::path::*;
use crate::stat::pystat_fromstructstat;
use crate::support::*;
use core::ffi::{CStr, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Args, members, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// An open directory, closed on drop.
struct Dir {
    dirp: *mut libc::DIR,
    /// Whether it stands for the caller's own descriptor, whose position is shared.
    of_fd: bool,
}

impl Drop for Dir {
    fn drop(&mut self) {
        let (dirp, of_fd) = (self.dirp, self.of_fd);
        allow_threads(|| {
            // SAFETY: [OWN] open until here.
            unsafe {
                if of_fd {
                    libc::rewinddir(dirp);
                }
                libc::closedir(dirp);
            }
        });
    }
}

/// An entry of a directory.
struct Raw {
    name: Vec<u8>,
    ino: u64,
    d_type: u8,
}

impl Dir {
    fn open<const F: u8>(path: &Path<F>) -> PyResult<Dir> {
        // SAFETY: plain system calls; dup'ed descriptor is ours.
        unsafe {
            let dirp = if path.fd != -1 {
                let fd = libc::fcntl(path.fd, libc::F_DUPFD_CLOEXEC, 0);
                if fd == -1 {
                    return Err(posix_error());
                }
                let d = allow_threads(|| libc::fdopendir(fd));
                if d.is_null() {
                    let e = errno();
                    libc::close(fd);
                    set_errno(e);
                }
                d
            } else {
                let p = if path.has_path() { path.as_ptr() } else { c".".as_ptr() };
                allow_threads(|| libc::opendir(p))
            };
            if dirp.is_null() {
                return Err(path.error());
            }
            Ok(Dir { dirp, of_fd: path.fd != -1 })
        }
    }

    /// The next entry but `.` and `..`; `None` at the end; `Err` with `errno`.
    fn next(&self) -> Result<Option<Raw>, ()> {
        let dirp = self.dirp;
        loop {
            set_errno(0);
            // SAFETY: open; the entry is copied before the next call.
            unsafe {
                let e = allow_threads(|| libc::readdir64(dirp));
                if e.is_null() {
                    return if errno() != 0 { Err(()) } else { Ok(None) };
                }
                let name = CStr::from_ptr((&raw const (*e).d_name).cast()).to_bytes();
                if name == b"." || name == b".." {
                    continue;
                }
                return Ok(Some(Raw { name: name.to_vec(), ino: (*e).d_ino, d_type: (*e).d_type }));
            }
        }
    }
}

fn os_listdir(_: (), path: Path<{ NULLABLE | ALLOW_FD }>) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe { audit(c"os.listdir", &[path.ob()])? };
    let dir = Dir::open(&path)?;
    let as_bytes = path.is_bytes();
    let mut names = Vec::new();
    loop {
        match dir.next() {
            Ok(Some(e)) => names.push(if as_bytes { bytes(&e.name)? } else { fsdecode(&e.name)? }),
            Ok(None) => return list(names),
            Err(()) => return Err(path.error()),
        }
    }
}

// ---- DirEntry

/// `os.DirEntry`.
#[repr(C)]
pub struct DirEntry {
    ob_base: PyObject,
    name: *mut PyObject,
    path: *mut PyObject,
    stat: *mut PyObject,
    lstat: *mut PyObject,
    d_type: u8,
    d_ino: u64,
    dir_fd: c_int,
}
type E<'a> = Borrowed<'a, DirEntry>;

unsafe extern "C" fn direntry_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let e = op.cast::<DirEntry>();
        Py_XDECREF((*e).name);
        Py_XDECREF((*e).path);
        Py_XDECREF((*e).stat);
        Py_XDECREF((*e).lstat);
        PyObject_Free(op.cast());
    }
}

unsafe extern "C" fn direntry_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { PyUnicode_FromFormat(c"<DirEntry %R>".as_ptr(), (*op.cast::<DirEntry>()).name) }
}

fn fetch_stat(e: E<'_>, follow_symlinks: bool) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let path = FsBytes::convert(e.path)?;
        let (p, dir_fd) = (path.as_ptr(), e.dir_fd);
        let mut st: libc::stat = core::mem::zeroed();
        let flags = if follow_symlinks { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
        if allow_threads(|| libc::fstatat(dir_fd, p, &mut st, flags)) != 0 {
            return Err(posix_error_with(e.path));
        }
        pystat_fromstructstat(&st)
    }
}

fn get_lstat(e: E<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if e.lstat.is_null() {
            let st = fetch_stat(e, false)?;
            setref(&raw mut (*e.as_ptr()).lstat, st.into_raw());
        }
        Ok(Owned::from_borrowed(e.lstat))
    }
}

fn direntry_stat(e: E<'_>, follow_symlinks: bool) -> PyResult<Owned> {
    if !follow_symlinks {
        return get_lstat(e);
    }
    // SAFETY: [TYPE]
    unsafe {
        if e.stat.is_null() {
            let st = if direntry_is_symlink(e)? { fetch_stat(e, true)? } else { get_lstat(e)? };
            setref(&raw mut (*e.as_ptr()).stat, st.into_raw());
        }
        Ok(Owned::from_borrowed(e.stat))
    }
}

fn test_mode(e: E<'_>, follow_symlinks: bool, mode_bits: u32) -> PyResult<bool> {
    let is_symlink = e.d_type == libc::DT_LNK;
    if e.d_type == libc::DT_UNKNOWN || (follow_symlinks && is_symlink) {
        let st = match direntry_stat(e, follow_symlinks) {
            Ok(st) => st,
            Err(err) => {
                // SAFETY: [GIL]
                if err.matches(unsafe { PyExc_FileNotFoundError }) {
                    // The entry is gone, or the link points nowhere: it is no file of any kind.
                    err.clear();
                    return Ok(false);
                }
                return Err(err);
            }
        };
        // SAFETY: live.
        let mode = unsafe { as_long(getattr(st.as_ptr(), intern!("st_mode"))?.as_ptr())? };
        return Ok(mode as u32 & libc::S_IFMT == mode_bits);
    }
    Ok(match mode_bits {
        libc::S_IFLNK => is_symlink,
        libc::S_IFDIR => e.d_type == libc::DT_DIR,
        _ => e.d_type == libc::DT_REG,
    })
}

fn direntry_is_dir(e: E<'_>, follow_symlinks: bool) -> PyResult<bool> {
    test_mode(e, follow_symlinks, libc::S_IFDIR)
}
fn direntry_is_file(e: E<'_>, follow_symlinks: bool) -> PyResult<bool> {
    test_mode(e, follow_symlinks, libc::S_IFREG)
}
fn direntry_is_symlink(e: E<'_>) -> PyResult<bool> {
    if e.d_type != libc::DT_UNKNOWN { Ok(e.d_type == libc::DT_LNK) } else { test_mode(e, false, libc::S_IFLNK) }
}
fn direntry_is_junction(_: E<'_>) -> PyResult<bool> {
    Ok(false)
}
fn direntry_inode(e: E<'_>) -> PyResult<u64> {
    Ok(e.d_ino)
}
fn direntry_fspath(e: E<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed(e.path) })
}
fn class_getitem(cls: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(Py_GenericAlias(cls.ob(), item.ob())) }
}

methods! {
    static ENTRY_METHODS = [
        "is_dir($self, /, *, follow_symlinks=True)" => direntry_is_dir, "Whether the entry is a directory; remembered.";
        "is_file($self, /, *, follow_symlinks=True)" => direntry_is_file, "Whether the entry is a regular file; remembered.";
        "is_symlink($self, /)" => direntry_is_symlink, "Whether the entry is a symbolic link; remembered.";
        "is_junction($self, /)" => direntry_is_junction, "Whether the entry is a junction.";
        "stat($self, /, *, follow_symlinks=True)" => direntry_stat, "Status of the entry; remembered.";
        "inode($self, /)" => direntry_inode, "Inode of the entry.";
        "__fspath__($self, /)" => direntry_fspath, "The path of the entry.";
        class "__class_getitem__($type, object, /)" => class_getitem, "See PEP 585";
    ];
}
members! {
    static ENTRY_MEMBERS = [
        "name", Py_T_OBJECT_EX, core::mem::offset_of!(DirEntry, name), Py_READONLY, "the entry's base filename, relative to scandir() \"path\" argument";
        "path", Py_T_OBJECT_EX, core::mem::offset_of!(DirEntry, path), Py_READONLY, "the entry's full path name; equivalent to os.path.join(scandir_path, entry.name)";
    ];
}

/// `os.DirEntry`.
pub static mut DIR_ENTRY: PyTypeObject = PyTypeObject {
    tp_name: c"posix.DirEntry".as_ptr(),
    tp_basicsize: size_of::<DirEntry>() as Py_ssize_t,
    tp_dealloc: Some(direntry_dealloc),
    tp_repr: Some(direntry_repr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_methods: (&raw mut ENTRY_METHODS).cast(),
    tp_members: (&raw mut ENTRY_MEMBERS).cast(),
    ..TYPE_INIT
};

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut joined = path.to_vec();
    if joined.last().is_some_and(|&c| c != b'/') {
        joined.push(b'/');
    }
    joined.extend_from_slice(name);
    joined
}

fn direntry_new(path: &Path<{ NULLABLE | ALLOW_FD }>, raw: Raw) -> PyResult<Owned> {
    let make = |b: &[u8]| if path.is_bytes() { bytes(b) } else { fsdecode(b) };
    let name = make(&raw.name)?;
    let full = match path.fd {
        -1 if path.has_path() => make(&join(path.as_bytes(), &raw.name))?,
        -1 => make(&join(b".", &raw.name))?,
        _ => name.clone(),
    };
    // SAFETY: [GIL] all fields are set at once.
    unsafe {
        let op = PyObject_Malloc(size_of::<DirEntry>()).cast::<DirEntry>();
        if op.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        _PyObject_Init(op.cast(), &raw mut DIR_ENTRY);
        (*op).name = name.into_raw();
        (*op).path = full.into_raw();
        (*op).stat = null_mut();
        (*op).lstat = null_mut();
        (*op).d_type = raw.d_type;
        (*op).d_ino = raw.ino;
        (*op).dir_fd = if path.fd != -1 { path.fd } else { libc::AT_FDCWD };
        Ok(Owned::from_owned(op.cast()))
    }
}

// ---- scandir

/// What an iterator reads from.
struct Scan {
    dir: Dir,
    path: Path<{ NULLABLE | ALLOW_FD }>,
}

/// The iterator of `os.scandir`; NULL once closed.
#[repr(C)]
pub struct ScandirIterator {
    ob_base: PyObject,
    scan: *mut Scan,
}

unsafe fn closedir(it: *mut ScandirIterator) {
    // SAFETY: [OWN] taken out before it is dropped.
    unsafe {
        let scan = core::mem::replace(&mut (*it).scan, null_mut());
        if !scan.is_null() {
            drop(Box::from_raw(scan));
        }
    }
}

fn os_scandir(_: (), path: Path<{ NULLABLE | ALLOW_FD }>) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        audit(c"os.scandir", &[path.ob()])?;
        let dir = Dir::open(&path)?;
        let op = PyObject_Malloc(size_of::<ScandirIterator>()).cast::<ScandirIterator>();
        if op.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        _PyObject_Init(op.cast(), &raw mut SCANDIR_ITERATOR);
        (*op).scan = Box::into_raw(Box::new(Scan { dir, path }));
        Ok(Owned::from_owned(op.cast()))
    }
}

unsafe extern "C" fn scandir_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let it = op.cast::<ScandirIterator>();
        if (*it).scan.is_null() {
            return null_mut();
        }
        // Another thread may close the iterator while this one reads without the GIL: take the state out meanwhile.
        let scan = Box::from_raw(core::mem::replace(&mut (*it).scan, null_mut()));
        let r = match scan.dir.next() {
            Ok(Some(raw)) => direntry_new(&scan.path, raw).map(Some),
            Ok(None) => Ok(None),
            Err(()) => Err(scan.path.error()),
        };
        if let Ok(Some(_)) = &r {
            (*it).scan = Box::into_raw(scan);
        }
        r.into_c()
    }
}

fn scandir_close(slf: Borrowed<'_, ScandirIterator>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { closedir(slf.as_ptr()) };
    Ok(())
}
fn scandir_enter(slf: Borrowed<'_>) -> PyResult<Owned> {
    Ok(slf.to_owned())
}
fn scandir_exit(slf: Borrowed<'_, ScandirIterator>, _args: Args<'_>) -> PyResult<()> {
    scandir_close(slf)
}

unsafe extern "C" fn scandir_finalize(op: *mut PyObject) {
    // SAFETY: [TYPE] an exception in progress is kept.
    unsafe {
        let it = op.cast::<ScandirIterator>();
        if (*it).scan.is_null() {
            return;
        }
        let exc = PyErr_GetRaisedException();
        closedir(it);
        if PyErr_ResourceWarning(op, 1, c"unclosed scandir iterator %R".as_ptr(), op) != 0 && PyErr_ExceptionMatches(PyExc_Warning) != 0 {
            PyErr_WriteUnraisable(op);
        }
        PyErr_SetRaisedException(exc);
    }
}
unsafe extern "C" fn scandir_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        if PyObject_CallFinalizerFromDealloc(op) < 0 {
            return;
        }
        PyObject_Free(op.cast());
    }
}

methods! {
    static SCANDIR_METHODS = [
        "__enter__($self, /)" => scandir_enter, "";
        "__exit__($self, /, *exc_info)" => scandir_exit, "";
        "close($self, /)" => scandir_close, "";
    ];
}

/// The iterator of `os.scandir`.
pub static mut SCANDIR_ITERATOR: PyTypeObject = PyTypeObject {
    tp_name: c"posix.ScandirIterator".as_ptr(),
    tp_basicsize: size_of::<ScandirIterator>() as Py_ssize_t,
    tp_dealloc: Some(scandir_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(scandir_next),
    tp_methods: (&raw mut SCANDIR_METHODS).cast(),
    tp_finalize: Some(scandir_finalize),
    ..TYPE_INIT
};

methods! {
    /// Functions of this file.
    pub static METHODS = [
        "listdir($module, /, path=None)" => os_listdir,
            "The names in a directory, without '.' and '..', in no particular order.\n\nThe path may be a descriptor; without one the current directory is meant.";
        "scandir($module, /, path=None)" => os_scandir, "An iterator of DirEntry objects for a directory.";
    ];
}

unsafe extern "C" {
    fn PyObject_CallFinalizerFromDealloc(op: *mut PyObject) -> c_int;
}
