//! How arguments of `os` functions convert: paths and descriptors, directory descriptors, users, offsets.

use crate::support::*;
use core::ffi::{c_char, c_int};
use taipan_abi::*;
use taipan_clinic::FromArg;
use taipan_clinic::from_arg::Where;

unsafe extern "C" {
    fn PyObject_AsFileDescriptor(o: *mut PyObject) -> c_int;
}

/// `None` is allowed.
pub const NULLABLE: u8 = 1;
/// An integer is a file descriptor.
pub const ALLOW_FD: u8 = 2;
/// The path is taken as a text: NUL characters and lone surrogates are allowed, and nothing is asked of the file system.
pub const NONSTRICT: u8 = 4;

/// A path argument (`path_t`): str, bytes or an object with `__fspath__`; by `FLAGS` also `None` or a descriptor.
pub struct Path<const FLAGS: u8 = 0> {
    /// What was given, after `__fspath__`; absent when the caller left it out.
    pub object: Option<Owned>,
    /// The encoded path, unless a descriptor or nothing was given.
    narrow: Option<Owned>,
    /// The descriptor, or -1.
    pub fd: c_int,
}

impl<const FLAGS: u8> Path<FLAGS> {
    /// The path for C, NULL if there is none.
    pub fn as_ptr(&self) -> *const c_char {
        // SAFETY: [TYPE] a bytes object that self keeps alive.
        self.narrow.as_ref().map_or(core::ptr::null(), |b| unsafe { PyBytes_AsString(b.as_ptr()) })
    }
    /// The path's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: [TYPE] a bytes object that self keeps alive.
        self.narrow.as_ref().map_or(&[], |b| unsafe { bytes_slice(b.as_ptr()) })
    }
    /// Whether neither a path nor a descriptor was given.
    pub fn is_none(&self) -> bool {
        self.narrow.is_none() && self.fd == -1
    }
    /// Whether a path (not a descriptor) was given.
    pub fn has_path(&self) -> bool {
        self.narrow.is_some()
    }
    /// The argument for audit events and error messages, `None` if it was left out.
    pub fn ob(&self) -> *mut PyObject {
        // SAFETY: [IMMORTAL]
        self.object.as_ref().map_or(unsafe { Py_None() }, |o| o.as_ptr())
    }
    /// Whether the path was given as bytes.
    pub fn is_bytes(&self) -> bool {
        // SAFETY: live.
        self.object.as_ref().is_some_and(|o| unsafe { PyBytes_Check(o.as_ptr()) != 0 })
    }
    /// OSError from `errno` about this path.
    #[cold]
    pub fn error(&self) -> Raised {
        match &self.object {
            // SAFETY: live.
            Some(o) => unsafe { posix_error_with(o.as_ptr()) },
            None => posix_error(),
        }
    }
    /// OSError from `errno` about two paths.
    #[cold]
    pub fn error2(&self, other: &Self) -> Raised {
        // SAFETY: live.
        unsafe { posix_error_with2(self.ob(), other.ob()) }
    }
}

impl Path<ALLOW_FD> {
    /// The same path where more is allowed.
    pub fn relax(self) -> Path<{ ALLOW_FD | NULLABLE }> {
        Path { object: self.object, narrow: self.narrow, fd: self.fd }
    }
}

/// A C `int` with a default.
#[derive(Clone, Copy)]
pub struct CIntOr<const D: c_int>(pub c_int);
impl<'a, const D: c_int> FromArg<'a> for CIntOr<D> {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        Ok(CIntOr(if arg.is_null() { D } else { unsafe { as_int(arg)? } }))
    }
}

/// A descriptor from an integer (`_fd_converter`).
unsafe fn fd_converter(op: *mut PyObject) -> PyResult<c_int> {
    // SAFETY: [ARGS]
    unsafe {
        if PyBool_Check(op) != 0 {
            warn(PyExc_RuntimeWarning, "bool is used as a file descriptor", 1)?;
        }
        let index = own(PyNumber_Index(op))?;
        let mut overflow = 0;
        let n = PyLong_AsLongAndOverflow(index.as_ptr(), &mut overflow);
        if overflow > 0 || n > c_int::MAX as i64 {
            bail!(PyExc_OverflowError, "fd is greater than maximum");
        }
        if overflow < 0 || n < c_int::MIN as i64 {
            bail!(PyExc_OverflowError, "fd is less than minimum");
        }
        Ok(n as c_int)
    }
}

/// Converts an object to a path; the names are for messages.
///
/// # Safety
/// `op` is live.
pub unsafe fn path_from_object<const FLAGS: u8>(op: *mut PyObject, fname: &str, param: &str) -> PyResult<Path<FLAGS>> {
    // SAFETY: [ARGS]
    unsafe {
        if op == Py_None() && FLAGS & NULLABLE != 0 {
            return Ok(Path { object: Some(none()), narrow: None, fd: -1 });
        }
        let mut object = Owned::from_borrowed(op);
        let is_index = FLAGS & ALLOW_FD != 0 && PyIndex_Check(op) != 0;
        let plain = PyUnicode_Check(op) != 0 || PyBytes_Check(op) != 0;
        if !is_index && !plain {
            let func = _PyObject_LookupSpecial(op, intern!("__fspath__"));
            if func.is_null() || func == Py_None() {
                if func.is_null() && err_occurred() {
                    return Err(Raised::assume());
                }
                drop(Owned::from_owned_or_opt(func));
                let allowed = match (FLAGS & ALLOW_FD != 0, FLAGS & NULLABLE != 0) {
                    (true, true) => "string, bytes, os.PathLike, integer or None",
                    (true, false) => "string, bytes, os.PathLike or integer",
                    (false, true) => "string, bytes, os.PathLike or None",
                    (false, false) => "string, bytes or os.PathLike",
                };
                let sep = if fname.is_empty() { "" } else { ": " };
                bail!(PyExc_TypeError, "{fname}{sep}{param} should be {allowed}, not {}", short_type_name(op));
            }
            let func = Owned::from_owned(func);
            let result = call(func.as_ptr(), &[])?;
            if PyUnicode_Check(result.as_ptr()) == 0 && PyBytes_Check(result.as_ptr()) == 0 {
                bail!(
                    PyExc_TypeError,
                    "expected {}.__fspath__() to return str or bytes, not {}",
                    short_type_name(op),
                    short_type_name(result.as_ptr())
                );
            }
            object = result;
        }
        if PyUnicode_Check(object.as_ptr()) == 0 && PyBytes_Check(object.as_ptr()) == 0 {
            let fd = fd_converter(object.as_ptr())?;
            return Ok(Path { object: Some(object), narrow: None, fd });
        }
        let narrow = if PyUnicode_Check(object.as_ptr()) != 0 && FLAGS & NONSTRICT != 0 {
            own(PyUnicode_AsEncodedString(object.as_ptr(), c"utf-8".as_ptr(), c"surrogatepass".as_ptr()))?
        } else if PyUnicode_Check(object.as_ptr()) != 0 {
            own(PyUnicode_EncodeFSDefault(object.as_ptr()))?
        } else {
            object.clone()
        };
        if FLAGS & NONSTRICT == 0 && memchr0(bytes_slice(narrow.as_ptr())) {
            let sep = if fname.is_empty() { "" } else { ": " };
            bail!(PyExc_ValueError, "{fname}{sep}embedded null character in {param}");
        }
        Ok(Path { object: Some(object), narrow: Some(narrow), fd: -1 })
    }
}

fn memchr0(s: &[u8]) -> bool {
    s.contains(&0)
}

/// The part of the type's name after its last dot (`_PyType_Name`).
///
/// # Safety
/// `op` is live.
pub unsafe fn short_type_name(op: *mut PyObject) -> String {
    // SAFETY: [ARGS]
    unsafe {
        let full = type_name(op);
        full.rsplit('.').next().unwrap_or(&full).to_string()
    }
}

impl<'a, const FLAGS: u8> FromArg<'a> for Path<FLAGS> {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        if arg.is_null() {
            return Ok(Path { object: None, narrow: None, fd: -1 });
        }
        // SAFETY: [ARGS]
        unsafe { path_from_object(arg, at.fname, at.param.name) }
    }
}

/// A `dir_fd` argument; `None` is the current directory.
#[derive(Clone, Copy)]
pub struct DirFd(pub c_int);

impl DirFd {
    /// Whether none was given.
    pub fn is_default(self) -> bool {
        self.0 == libc::AT_FDCWD
    }
    /// What audit events say: -1 if none was given.
    pub fn audited(self) -> i64 {
        if self.is_default() { -1 } else { self.0 as i64 }
    }
}
impl<'a> FromArg<'a> for DirFd {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() || arg == Py_None() {
                return Ok(DirFd(libc::AT_FDCWD));
            }
            if PyIndex_Check(arg) == 0 {
                bail!(PyExc_TypeError, "argument should be integer or None, not {}", short_type_name(arg));
            }
            Ok(DirFd(fd_converter(arg)?))
        }
    }
}

/// A descriptor, or an object with a method `fileno`.
#[derive(Clone, Copy)]
pub struct Fildes(pub c_int);
impl<'a> FromArg<'a> for Fildes {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS] required parameters only.
        let fd = unsafe { PyObject_AsFileDescriptor(arg) };
        check_status(fd)?;
        Ok(Fildes(fd))
    }
}

macro_rules! id_arg {
    ($(#[$m:meta] $name:ident, $what:literal;)*) => { $(
        #[$m]
        #[derive(Clone, Copy)]
        pub struct $name(pub u32);
        impl<'a> FromArg<'a> for $name {
            unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
                // SAFETY: [ARGS] required parameters only.
                Ok($name(unsafe { id_from_object(arg, $what)? }))
            }
        }
    )* };
}
id_arg! {
    /// A user's number.
    Uid, "uid";
    /// A group's number.
    Gid, "gid";
}

macro_rules! id_converter {
    ($name:ident, $what:literal) => {
        /// Converter of `PyArg_Parse*` for user and group numbers.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(arg: *mut PyObject, to: *mut core::ffi::c_void) -> c_int {
            // SAFETY: [ARGS] `to` takes a uid_t or gid_t.
            unsafe {
                match id_from_object(arg, $what) {
                    Ok(id) => {
                        to.cast::<u32>().write(id);
                        1
                    }
                    Err(_) => 0,
                }
            }
        }
    };
}
id_converter!(_Py_Uid_Converter, "uid");
id_converter!(_Py_Gid_Converter, "gid");

/// A device number; -1 is `NODEV`.
#[derive(Clone, Copy)]
pub struct Dev(pub u64);
impl<'a> FromArg<'a> for Dev {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return Ok(Dev(0));
            }
            if PyLong_Check(arg) != 0 {
                let mut overflow = 0;
                let n = PyLong_AsLongAndOverflow(arg, &mut overflow);
                if overflow == 0 && n == -1 {
                    return Ok(Dev(u64::MAX));
                }
            }
            let n = PyLong_AsUnsignedLongLong(arg);
            if n == u64::MAX && err_occurred() { Err(Raised::assume()) } else { Ok(Dev(n)) }
        }
    }
}

/// An unsigned integer of a C type that it must fit.
///
/// # Safety
/// `arg` is live.
pub unsafe fn unsigned(arg: *mut PyObject, max: u64, c_type: &str) -> PyResult<u64> {
    // SAFETY: [ARGS]
    unsafe {
        let index = own(PyNumber_Index(arg))?;
        let mut overflow = 0;
        let n = PyLong_AsLongLongAndOverflow(index.as_ptr(), &mut overflow);
        if overflow < 0 || (overflow == 0 && n < 0) {
            bail!(PyExc_ValueError, "value must be positive");
        }
        let n = PyLong_AsUnsignedLongLong(index.as_ptr());
        if n == u64::MAX && err_occurred() {
            PyErr_Clear();
            bail!(PyExc_OverflowError, "Python int too large for C {c_type}");
        }
        if n > max {
            bail!(PyExc_OverflowError, "Python int too large for C {c_type}");
        }
        Ok(n)
    }
}

/// A C `int`, with clinic's message when it doesn't fit.
#[derive(Clone, Copy)]
pub struct CInt(pub c_int);
impl<'a> FromArg<'a> for CInt {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        Ok(CInt(unsafe { as_int(arg)? }))
    }
}

/// A name or value of the environment, or a file name for C: bytes without NUL (`PyUnicode_FSConverter`).
pub struct FsBytes(pub Owned);
impl FsBytes {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: [TYPE] kept alive by self.
        unsafe { bytes_slice(self.0.as_ptr()) }
    }
    /// NUL-terminated.
    pub fn as_ptr(&self) -> *const c_char {
        // SAFETY: [TYPE]
        unsafe { PyBytes_AsString(self.0.as_ptr()) }
    }
    /// Converts an object.
    ///
    /// # Safety
    /// `op` is live.
    pub unsafe fn convert(op: *mut PyObject) -> PyResult<FsBytes> {
        // SAFETY: [ARGS]
        unsafe {
            let mut converted: *mut PyObject = core::ptr::null_mut();
            if PyUnicode_FSConverter(op, (&raw mut converted).cast()) == 0 {
                return Err(Raised::assume());
            }
            Ok(FsBytes(Owned::from_owned(converted)))
        }
    }
}
impl<'a> FromArg<'a> for FsBytes {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS] required parameters only.
        unsafe { FsBytes::convert(arg) }
    }
}

// ---- combinations of arguments that make no sense

/// `dir_fd` needs a path.
pub fn path_and_dir_fd_invalid<const F: u8>(fname: &str, path: &Path<F>, dir_fd: DirFd) -> PyResult<()> {
    if !path.has_path() && !dir_fd.is_default() {
        bail!(PyExc_ValueError, "{fname}: can't specify dir_fd without matching path");
    }
    Ok(())
}

/// `dir_fd` and a descriptor exclude each other.
pub fn dir_fd_and_fd_invalid(fname: &str, dir_fd: DirFd, fd: c_int) -> PyResult<()> {
    if !dir_fd.is_default() && fd != -1 {
        bail!(PyExc_ValueError, "{fname}: can't specify both dir_fd and fd");
    }
    Ok(())
}

/// A descriptor is no symbolic link.
pub fn fd_and_follow_symlinks_invalid(fname: &str, fd: c_int, follow_symlinks: bool) -> PyResult<()> {
    if fd >= 0 && !follow_symlinks {
        bail!(PyExc_ValueError, "{fname}: cannot use fd and follow_symlinks together");
    }
    Ok(())
}
