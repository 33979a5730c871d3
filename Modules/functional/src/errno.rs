//! The `errno` module: the system's error numbers.

use taipan_abi::*;
use taipan_clinic::{methods, module, module::add_object};

methods! { static METHODS = []; }

module! {
    /// Entry point.
    pub fn PyInit_errno = "errno", "Symbols of the C library's error numbers, and errorcode, which names them.", methods: METHODS, exec: exec;
}

macro_rules! codes {
    ($($name:ident)*) => { &[$((stringify!($name), libc::$name)),*] };
}

/// The names that Linux has.
const CODES: &[(&str, i32)] = codes! {
    ENODEV ENOCSI EHOSTUNREACH ENOMSG EUCLEAN EL2NSYNC EL2HLT ENODATA ENOTBLK ENOSYS EPIPE EINVAL EOVERFLOW EADV EINTR
    EUSERS ENOTEMPTY ENOBUFS EPROTO EREMOTE ENAVAIL ECHILD ELOOP EXDEV E2BIG ESRCH EMSGSIZE EAFNOSUPPORT EBADR EHOSTDOWN
    EPFNOSUPPORT ENOPROTOOPT EBUSY EWOULDBLOCK EBADFD EDOTDOT EISCONN ENOTCONN ESHUTDOWN ENOMEM ECONNREFUSED EISDIR
    ENOSPC ENOENT EMFILE EDEADLK EFAULT EROFS EADDRINUSE ENOTSUP ENOSR ENOTNAM EBADSLT EUNATCH ERANGE EL3RST
    EALREADY ENETUNREACH EIO EAGAIN ENOTSOCK ETIME ESTALE EDEADLOCK EREMCHG ELNRNG EBADRQC EACCES EDQUOT ESPIPE EBADF
    ETXTBSY EISNAM ECHRNG EMLINK ENOEXEC ECANCELED EINPROGRESS EBADE EADDRNOTAVAIL ENETRESET EPERM ECONNRESET EMEDIUMTYPE
    ENOMEDIUM ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL ETOOMANYREFS EPROTOTYPE
    ECOMM EEXIST EFBIG EDOM EPROTONOSUPPORT EDESTADDRREQ EXFULL ENOSTR ENOPKG ENOTDIR ENETDOWN ENFILE EILSEQ EMULTIHOP
    ENONET ENOLCK ENOTTY ENOANO ESTRPIPE ESOCKTNOSUPPORT ENXIO ENOLINK ECONNABORTED EREMOTEIO ENAMETOOLONG ETIMEDOUT
    ENOTUNIQ EBADMSG EBFONT EIDRM EL3HLT EOPNOTSUPP ELIBACC ELIBBAD ELIBEXEC ELIBMAX ELIBSCN ERESTART ESRMNT
};

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let names = Owned::from_owned_or_err(PyDict_New())?;
        for &(name, number) in CODES {
            let text = Owned::from_owned_or_err(PyUnicode_FromStringAndSize(name.as_ptr().cast(), name.len() as Py_ssize_t))?;
            let value = Owned::from_owned_or_err(PyLong_FromLong(number as i64))?;
            check_status(PyObject_SetAttr(module.ob(), text.as_ptr(), value.as_ptr()))?;
            // EWOULDBLOCK and the like are second names: errorcode keeps the usual one.
            let second = matches!(name, "EWOULDBLOCK" | "EDEADLOCK" | "ENOTSUP");
            if !second {
                check_status(PyDict_SetItem(names.as_ptr(), value.as_ptr(), text.as_ptr()))?;
            }
        }
        add_object(module, c"errorcode", Ok(names))
    }
}
