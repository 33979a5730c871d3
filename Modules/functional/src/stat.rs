//! The `_stat` module: predicates and constants of file modes.

use taipan_abi::*;
use taipan_clinic::{methods, module, module::add_int};

type Mode = u32;

fn mode_of(op: Borrowed<'_>) -> PyResult<Mode> {
    // SAFETY: [ARGS]
    unsafe {
        let v = PyLong_AsUnsignedLong(op.ob());
        if v == u64::MAX && err_occurred() {
            return Err(Raised::assume());
        }
        Mode::try_from(v).map_err(|_| raise!(PyExc_OverflowError, "mode out of range"))
    }
}

macro_rules! predicates {
    ($($f:ident $bits:expr;)*) => { $(
        fn $f(_: (), mode: Borrowed<'_>) -> PyResult<bool> {
            Ok(mode_of(mode)? & libc::S_IFMT == $bits)
        }
    )* };
}
predicates! {
    S_ISDIR libc::S_IFDIR; S_ISCHR libc::S_IFCHR; S_ISBLK libc::S_IFBLK; S_ISREG libc::S_IFREG; S_ISFIFO libc::S_IFIFO;
    S_ISLNK libc::S_IFLNK; S_ISSOCK libc::S_IFSOCK;
}
fn never(_: (), mode: Borrowed<'_>) -> PyResult<bool> {
    mode_of(mode).map(|_| false)
}
fn S_IMODE(_: (), mode: Borrowed<'_>) -> PyResult<u32> {
    Ok(mode_of(mode)? & 0o7777)
}
fn S_IFMT(_: (), mode: Borrowed<'_>) -> PyResult<u32> {
    Ok(mode_of(mode)? & libc::S_IFMT)
}

fn filemode(_: (), mode: Borrowed<'_>) -> PyResult<String> {
    let m = mode_of(mode)?;
    let kind = match m & libc::S_IFMT {
        libc::S_IFREG => '-',
        libc::S_IFDIR => 'd',
        libc::S_IFLNK => 'l',
        libc::S_IFBLK => 'b',
        libc::S_IFCHR => 'c',
        libc::S_IFIFO => 'p',
        libc::S_IFSOCK => 's',
        _ => '?',
    };
    let mut text = String::from(kind);
    for (shift, special, set, unset) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')] {
        let bits = m >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (m & special != 0, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => unset,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    Ok(text)
}

methods! {
    static METHODS = [
        "S_ISDIR($module, object, /)" => S_ISDIR, "Whether the mode is a directory's.";
        "S_ISCHR($module, object, /)" => S_ISCHR, "Whether the mode is a character device's.";
        "S_ISBLK($module, object, /)" => S_ISBLK, "Whether the mode is a block device's.";
        "S_ISREG($module, object, /)" => S_ISREG, "Whether the mode is a regular file's.";
        "S_ISFIFO($module, object, /)" => S_ISFIFO, "Whether the mode is a FIFO's.";
        "S_ISLNK($module, object, /)" => S_ISLNK, "Whether the mode is a symbolic link's.";
        "S_ISSOCK($module, object, /)" => S_ISSOCK, "Whether the mode is a socket's.";
        "S_ISDOOR($module, object, /)" => never, "Whether the mode is a door's (never here).";
        "S_ISPORT($module, object, /)" => never, "Whether the mode is an event port's (never here).";
        "S_ISWHT($module, object, /)" => never, "Whether the mode is a whiteout's (never here).";
        "S_IMODE($module, object, /)" => S_IMODE, "The permission bits.";
        "S_IFMT($module, object, /)" => S_IFMT, "The bits of the file's type.";
        "filemode($module, object, /)" => filemode, "The mode as text, like -rwxrwxrwx.";
    ];
}

/// Names and values; the flags and attributes of other systems are part of the module everywhere.
const CONSTANTS: &[(&core::ffi::CStr, u32)] = &[
    (c"S_IFDIR", libc::S_IFDIR), (c"S_IFCHR", libc::S_IFCHR), (c"S_IFBLK", libc::S_IFBLK), (c"S_IFREG", libc::S_IFREG),
    (c"S_IFIFO", libc::S_IFIFO), (c"S_IFLNK", libc::S_IFLNK), (c"S_IFSOCK", libc::S_IFSOCK), (c"S_IFDOOR", 0),
    (c"S_IFPORT", 0), (c"S_IFWHT", 0), (c"S_ISUID", 0o4000), (c"S_ISGID", 0o2000), (c"S_ISVTX", 0o1000),
    (c"S_ENFMT", 0o2000), (c"S_IREAD", 0o400), (c"S_IWRITE", 0o200), (c"S_IEXEC", 0o100), (c"S_IRWXU", 0o700),
    (c"S_IRUSR", 0o400), (c"S_IWUSR", 0o200), (c"S_IXUSR", 0o100), (c"S_IRWXG", 0o70), (c"S_IRGRP", 0o40),
    (c"S_IWGRP", 0o20), (c"S_IXGRP", 0o10), (c"S_IRWXO", 7), (c"S_IROTH", 4), (c"S_IWOTH", 2), (c"S_IXOTH", 1),
    (c"UF_SETTABLE", 0xffff), (c"UF_NODUMP", 1), (c"UF_IMMUTABLE", 2), (c"UF_APPEND", 4), (c"UF_OPAQUE", 8),
    (c"UF_NOUNLINK", 16), (c"UF_COMPRESSED", 32), (c"UF_TRACKED", 64), (c"UF_DATAVAULT", 128), (c"UF_HIDDEN", 0x8000),
    (c"SF_SETTABLE", 0xffff0000), (c"SF_ARCHIVED", 0x10000), (c"SF_IMMUTABLE", 0x20000), (c"SF_APPEND", 0x40000),
    (c"SF_RESTRICTED", 0x80000), (c"SF_NOUNLINK", 0x100000), (c"SF_SNAPSHOT", 0x200000), (c"SF_FIRMLINK", 0x800000),
    (c"SF_DATALESS", 0x40000000), (c"ST_MODE", 0), (c"ST_INO", 1), (c"ST_DEV", 2), (c"ST_NLINK", 3), (c"ST_UID", 4),
    (c"ST_GID", 5), (c"ST_SIZE", 6), (c"ST_ATIME", 7), (c"ST_MTIME", 8), (c"ST_CTIME", 9),
    (c"FILE_ATTRIBUTE_ARCHIVE", 32), (c"FILE_ATTRIBUTE_COMPRESSED", 2048), (c"FILE_ATTRIBUTE_DEVICE", 64),
    (c"FILE_ATTRIBUTE_DIRECTORY", 16), (c"FILE_ATTRIBUTE_ENCRYPTED", 16384), (c"FILE_ATTRIBUTE_HIDDEN", 2),
    (c"FILE_ATTRIBUTE_INTEGRITY_STREAM", 32768), (c"FILE_ATTRIBUTE_NORMAL", 128),
    (c"FILE_ATTRIBUTE_NOT_CONTENT_INDEXED", 8192), (c"FILE_ATTRIBUTE_NO_SCRUB_DATA", 131072),
    (c"FILE_ATTRIBUTE_OFFLINE", 4096), (c"FILE_ATTRIBUTE_READONLY", 1), (c"FILE_ATTRIBUTE_REPARSE_POINT", 1024),
    (c"FILE_ATTRIBUTE_SPARSE_FILE", 512), (c"FILE_ATTRIBUTE_SYSTEM", 4), (c"FILE_ATTRIBUTE_TEMPORARY", 256),
    (c"FILE_ATTRIBUTE_VIRTUAL", 65536),
];

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    CONSTANTS.iter().try_for_each(|&(name, value)| add_int(module, name, value as i64))
}

module! {
    /// Entry point.
    pub fn PyInit__stat = "_stat", "Predicates and constants of file modes.", methods: METHODS, exec: exec;
}
