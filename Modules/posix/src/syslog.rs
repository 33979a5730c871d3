//! The module `syslog`.

use crate::support::*;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering::*};
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::{Args, Str, methods, module};

/// The name given to `openlog`, which the C library keeps a pointer to: a leaked `CString`, or NULL.
static IDENT: AtomicPtr<core::ffi::c_char> = AtomicPtr::new(null_mut());
static OPEN: AtomicBool = AtomicBool::new(false);

/// The script's name, `None` if there is none.
fn script_name() -> PyResult<Option<Owned>> {
    // SAFETY: [GIL]
    unsafe {
        let argv = PySys_GetObject(c"argv".as_ptr());
        if argv.is_null() || PyList_Check(argv) == 0 || PyList_Size(argv) == 0 {
            return Ok(None);
        }
        let script = PyList_GetItem(argv, 0);
        if PyUnicode_Check(script) == 0 {
            return Ok(None);
        }
        let n = PyUnicode_GetLength(script);
        if n == 0 {
            return Ok(None);
        }
        let slash = PyUnicode_FindChar(script, '/' as u32, 0, n, -1);
        own(PyUnicode_Substring(script, slash.max(-1) + 1, n)).map(Some)
    }
}

/// The state of the C library is the process's: only the main interpreter changes it.
fn only_main(what: &str) -> PyResult<()> {
    if !crate::fork::in_main_interpreter() {
        bail!(PyExc_RuntimeError, "subinterpreter can't use syslog.{what}");
    }
    Ok(())
}

fn open(ident: Option<Owned>, logoption: i64, facility: i64) -> PyResult<()> {
    // SAFETY: live; the C library's copy of the pointer is replaced before the old name is freed.
    unsafe {
        let ident = match ident {
            Some(i) => Some(i),
            None => script_name()?,
        };
        let name = match &ident {
            Some(i) => {
                let Ok(c) = CString::new(text(i.as_ptr())?) else { bail!(PyExc_ValueError, "embedded null character") };
                c.into_raw()
            }
            None => null_mut(),
        };
        let shown = ident.as_ref().map_or(Py_None(), |i| i.as_ptr());
        if let Err(e) = audit_mixed(c"syslog.openlog", &[shown], &[logoption, facility]) {
            if !name.is_null() {
                drop(CString::from_raw(name));
            }
            return Err(e);
        }
        libc::openlog(name, logoption as i32, facility as i32);
        OPEN.store(true, Relaxed);
        // Another thread may be inside syslog() with the old name: it is leaked, names are few.
        IDENT.store(name, Relaxed);
        Ok(())
    }
}

fn syslog_openlog(_: (), ident: Option<Str<'_>>, logoption: i64, facility: Option<i64>) -> PyResult<()> {
    only_main("openlog()")?;
    open(ident.map(|i| i.0.to_owned()), logoption, facility.unwrap_or(libc::LOG_USER as i64))
}

fn syslog_syslog(_: (), args: Args<'_>) -> PyResult<()> {
    // SAFETY: live; NUL-terminated.
    unsafe {
        let (priority, message) = match args.0 {
            &[m] => (libc::LOG_INFO, m),
            &[p, m] => (as_int(p)?, m),
            _ => bail!(PyExc_TypeError, "syslog.syslog requires 1 to 2 arguments"),
        };
        if PyUnicode_Check(message) == 0 {
            bail!(PyExc_TypeError, "syslog() argument {} must be str, not {}", args.len(), type_name(message));
        }
        let Ok(c) = CString::new(text(message)?) else { bail!(PyExc_ValueError, "embedded null character") };
        let p = int(priority as i64)?;
        audit(c"syslog.syslog", &[p.as_ptr(), message])?;
        if !OPEN.load(Relaxed) {
            only_main("syslog() until the syslog is opened by the main interpreter")?;
            open(None, 0, libc::LOG_USER as i64)?;
        }
        allow_threads(|| libc::syslog(priority, c"%s".as_ptr(), c.as_ptr()));
    }
    Ok(())
}

fn syslog_closelog(_: ()) -> PyResult<()> {
    only_main("closelog()")?;
    audit_ints(c"syslog.closelog", [])?;
    if OPEN.swap(false, Relaxed) {
        // SAFETY: plain call.
        unsafe { libc::closelog() };
        IDENT.store(null_mut(), Relaxed);
    }
    Ok(())
}
fn syslog_setlogmask(_: (), maskpri: i64) -> PyResult<i64> {
    audit_ints(c"syslog.setlogmask", [maskpri])?;
    // SAFETY: plain call.
    Ok(unsafe { libc::setlogmask(maskpri as i32) } as i64)
}
fn syslog_log_mask(_: (), pri: i64) -> PyResult<i64> {
    Ok(1i32.wrapping_shl(pri as u32) as i64)
}
fn syslog_log_upto(_: (), pri: i64) -> PyResult<i64> {
    Ok(1i32.wrapping_shl((pri as u32).wrapping_add(1)).wrapping_sub(1) as i64)
}

methods! {
    static METHODS = [
        "openlog($module, /, ident=<unrepresentable>, logoption=0, facility=LOG_USER)" => syslog_openlog, "Set how syslog() logs.";
        "syslog($module, /, *args)" => syslog_syslog, "syslog([priority=LOG_INFO,] message)\nSend a text to the system's log.";
        "closelog($module, /)" => syslog_closelog, "Forget the settings and close the log.";
        "setlogmask($module, maskpri, /)" => syslog_setlogmask, "Set which priorities are logged; returns the old mask.";
        "LOG_MASK($module, pri, /)" => syslog_log_mask, "The mask of a priority.";
        "LOG_UPTO($module, pri, /)" => syslog_log_upto, "The mask of all priorities up to one.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    add_ints(module, crate::names::SYSLOG_CONSTANTS)
}

module! {
    /// Entry point, once the table is ready.
    fn taipan_syslog_module_init = "syslog", "", methods: METHODS, exec: exec;
}

/// Entry point of `syslog`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit_syslog() -> *mut PyObject {
    // SAFETY: [GIL] the table is not in use before.
    unsafe {
        drop_signatures((&raw mut METHODS).cast(), &["syslog"]);
        taipan_syslog_module_init()
    }
}
