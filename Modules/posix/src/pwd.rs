//! The module `pwd`: the database of users.

use crate::support::*;
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Str, methods, module};

static STRUCT_PASSWD: StructType = StructType::new(
    c"pwd.struct_passwd",
    c"pwd.struct_passwd: what getpw*() return\n\nA tuple (pw_name, pw_passwd, pw_uid, pw_gid, pw_gecos, pw_dir, pw_shell).",
    &[
        (c"pw_name", c"user name"),
        (c"pw_passwd", c"password"),
        (c"pw_uid", c"user id"),
        (c"pw_gid", c"group id"),
        (c"pw_gecos", c"real name"),
        (c"pw_dir", c"home directory"),
        (c"pw_shell", c"shell program"),
    ],
    7,
);

/// A text of the database, `None` for NULL.
///
/// # Safety
/// `p` is NULL or NUL-terminated.
pub unsafe fn optional_text(p: *const c_char) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    if p.is_null() { Ok(none()) } else { unsafe { fsdecode(c_bytes(p)) } }
}

unsafe fn mkpwent(p: &libc::passwd) -> PyResult<Owned> {
    // SAFETY: [ARGS] a record of the system.
    unsafe {
        STRUCT_PASSWD.build([
            optional_text(p.pw_name)?,
            optional_text(p.pw_passwd)?,
            id_object(p.pw_uid)?,
            id_object(p.pw_gid)?,
            optional_text(p.pw_gecos)?,
            optional_text(p.pw_dir)?,
            optional_text(p.pw_shell)?,
        ])
    }
}

/// Calls a reentrant look-up with buffers that grow until the entry fits; whether it was found. The buffer must outlive
/// the record.
pub fn look_up<T>(record: &mut T, buffer: &mut Vec<u8>, size_name: c_int, mut f: impl FnMut(*mut T, *mut c_char, usize, *mut *mut T) -> c_int) -> bool {
    allow_threads(|| {
        // SAFETY: plain query.
        let hint = unsafe { libc::sysconf(size_name) };
        let mut size = if hint > 0 { hint as usize } else { 1024 };
        loop {
            buffer.resize(size, 0);
            let mut found: *mut T = null_mut();
            let status = f(record, buffer.as_mut_ptr().cast(), size, &mut found);
            if status == 0 && !found.is_null() {
                return true;
            }
            if status != libc::ERANGE || size > 1 << 28 {
                return false;
            }
            size *= 2;
        }
    })
}

fn pwd_getpwuid(_: (), uidobj: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: live; the record points into the buffer.
    unsafe {
        let uid = match id_from_object(uidobj.ob(), "uid") {
            Ok(u) => u,
            Err(e) => {
                if e.matches(PyExc_OverflowError) {
                    e.clear();
                    bail!(PyExc_KeyError, "getpwuid(): uid not found");
                }
                return Err(e);
            }
        };
        let (mut p, mut buf): (libc::passwd, _) = (core::mem::zeroed(), Vec::new());
        if !look_up(&mut p, &mut buf, libc::_SC_GETPW_R_SIZE_MAX, |r, b, n, out| libc::getpwuid_r(uid, r, b, n, out)) {
            let shown = if uid == u32::MAX { -1 } else { uid as i64 };
            bail!(PyExc_KeyError, "getpwuid(): uid not found: {shown}");
        }
        mkpwent(&p)
    }
}

/// A name for a C look-up.
///
/// # Safety
/// `name` is a str.
pub unsafe fn encoded_name(name: *mut PyObject) -> PyResult<std::ffi::CString> {
    // SAFETY: [ARGS]
    unsafe {
        let b = own(PyUnicode_EncodeFSDefault(name))?;
        std::ffi::CString::new(bytes_slice(b.as_ptr())).map_err(|_| raise!(PyExc_ValueError, "embedded null byte"))
    }
}

fn pwd_getpwnam(_: (), name: Str<'_>) -> PyResult<Owned> {
    // SAFETY: live; the record points into the buffer.
    unsafe {
        let c_name = encoded_name(name.ob())?;
        let (mut p, mut buf): (libc::passwd, _) = (core::mem::zeroed(), Vec::new());
        if !look_up(&mut p, &mut buf, libc::_SC_GETPW_R_SIZE_MAX, |r, b, n, out| libc::getpwnam_r(c_name.as_ptr(), r, b, n, out)) {
            PyErr_Format(PyExc_KeyError, c"getpwnam(): name not found: %R".as_ptr(), name.ob());
            return Err(Raised::assume());
        }
        mkpwent(&p)
    }
}

fn pwd_getpwall(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL] keeps other threads of ours from the database; each record is copied at once.
    unsafe {
        let mut all = Vec::new();
        libc::setpwent();
        let r = loop {
            let p = libc::getpwent();
            if p.is_null() {
                break Ok(());
            }
            match mkpwent(&*p) {
                Ok(e) => all.push(e),
                Err(e) => break Err(e),
            }
        };
        libc::endpwent();
        r?;
        list(all)
    }
}

methods! {
    static METHODS = [
        "getpwuid($module, uidobj, /)" => pwd_getpwuid, "The entry of a user's number.";
        "getpwnam($module, name, /)" => pwd_getpwnam, "The entry of a user's name.";
        "getpwall($module, /)" => pwd_getpwall, "All entries, in no particular order.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    STRUCT_PASSWD.add_to(module)
}

module! {
    /// Entry point of `pwd`.
    pub fn PyInit_pwd = "pwd", "The database of users.\n\nEntries are tuples of pw_name, pw_passwd, pw_uid, pw_gid, pw_gecos, pw_dir and\npw_shell. What isn't found raises KeyError.", methods: METHODS, exec: exec;
}
