//! The `_multiprocessing` module: semaphores with names, which processes share.

use taipan_clinic::support::*;
use core::ffi::{CStr, c_int};
use core::mem::offset_of;
use core::ptr::null_mut;
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::module::{add_object, add_type};
use taipan_clinic::{TypeArg, constructor, members, methods, module};
use taipan_objects::typeobject::TYPE_INIT;
use taipan_python::pystate::thread_ident;

const RECURSIVE_MUTEX: c_int = 0;
const SEMAPHORE: c_int = 1;
const SEM_VALUE_MAX: i64 = i32::MAX as i64;

/// `_multiprocessing.SemLock`.
#[repr(C)]
struct SemLock {
    ob_base: PyObject,
    handle: *mut libc::sem_t,
    last_tid: usize,
    count: c_int,
    maxvalue: c_int,
    kind: c_int,
    /// NULL or a C string from malloc.
    name: *mut core::ffi::c_char,
}
type L<'a> = Borrowed<'a, SemLock>;

fn c_name(name: &str) -> PyResult<CString> {
    CString::new(name).map_err(|_| raise!(PyExc_ValueError, "embedded null character"))
}

unsafe fn new_lock(tp: *mut PyTypeObject, handle: *mut libc::sem_t, kind: c_int, maxvalue: c_int, name: Option<&CStr>) -> PyResult<Owned> {
    // SAFETY: [ARGS] the object owns a copy of the name.
    unsafe {
        let slf = new::<SemLock>(tp)?;
        let l = slf.as_ptr();
        (*l).handle = handle;
        (*l).kind = kind;
        (*l).maxvalue = maxvalue;
        (*l).name = name.map_or(null_mut(), |n| libc::strdup(n.as_ptr()));
        Ok(slf.into_object())
    }
}

fn semlock_new(tp: Borrowed<'_, PyTypeObject>, kind: i32, value: i32, maxvalue: i32, name: &str, unlink: bool) -> PyResult<Owned> {
    if kind != RECURSIVE_MUTEX && kind != SEMAPHORE {
        bail!(PyExc_ValueError, "unrecognized kind");
    }
    let name = c_name(name)?;
    // SAFETY: the name is a C string; the semaphore is closed unless an object owns it.
    unsafe {
        let handle = libc::sem_open(name.as_ptr(), libc::O_CREAT | libc::O_EXCL, 0o600 as libc::c_uint, value as libc::c_uint);
        if handle == libc::SEM_FAILED {
            return Err(os_error());
        }
        let made = if unlink && libc::sem_unlink(name.as_ptr()) < 0 {
            Err(os_error())
        } else {
            new_lock(tp.as_ptr(), handle, kind, maxvalue, if unlink { None } else { Some(&name) })
        };
        if made.is_err() {
            libc::sem_close(handle);
        }
        made
    }
}

fn rebuild(tp: TypeArg<'_>, handle: isize, kind: i32, maxvalue: i32, name: Option<&str>) -> PyResult<Owned> {
    let name = name.map(c_name).transpose()?;
    // SAFETY: without a name the handle is one of this process, from before a fork.
    unsafe {
        let handle = match &name {
            Some(n) => {
                let h = libc::sem_open(n.as_ptr(), 0);
                if h == libc::SEM_FAILED {
                    return Err(os_error());
                }
                h
            }
            None => handle as *mut libc::sem_t,
        };
        new_lock(tp.ob().cast(), handle, kind, maxvalue, name.as_deref())
    }
}

unsafe extern "C" fn rebuild_entry(tp: *mut PyObject, args: *mut *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    const SIG: taipan_clinic::Signature<5> =
        taipan_clinic::Signature::parse("_rebuild($type, type, handle, kind, maxvalue, name, /)");
    // SAFETY: [ARGS] the class goes first, as an argument of its own.
    unsafe {
        if n != 4 {
            return Err::<Owned, _>(raise!(PyExc_TypeError, "_rebuild expected 4 arguments, got {}", n)).into_c();
        }
        let all = [tp, *args, *args.add(1), *args.add(2), *args.add(3)];
        taipan_clinic::invoke::call_fast::<_, 5>(rebuild_typed, &SIG.erase(), tp, all.as_ptr(), 5, null_mut())
    }
}

fn rebuild_typed(_: (), tp: TypeArg<'_>, handle: isize, kind: i32, maxvalue: i32, name: taipan_clinic::OrNone<&str>) -> PyResult<Owned> {
    rebuild(tp, handle, kind, maxvalue, name.0)
}

unsafe extern "C" fn semlock_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] called as tp_dealloc.
    unsafe {
        let l = slf.cast::<SemLock>();
        let tp = type_of(slf);
        if !(*l).handle.is_null() {
            libc::sem_close((*l).handle);
        }
        libc::free((*l).name.cast());
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
    }
}

fn is_mine_now(slf: L<'_>) -> bool {
    slf.count > 0 && slf.last_tid == thread_ident()
}

fn add_count(slf: L<'_>, by: c_int) {
    // SAFETY: [TYPE] [GIL]
    unsafe { (*slf.as_ptr()).count += by };
}

fn acquire(slf: L<'_>, block: bool, timeout: Option<Borrowed<'_>>) -> PyResult<bool> {
    if slf.kind == RECURSIVE_MUTEX && is_mine_now(slf) {
        add_count(slf, 1);
        return Ok(true);
    }
    // SAFETY: [ARGS] the lock is kept while it is waited for.
    unsafe {
        let deadline = match timeout {
            Some(t) => {
                let seconds = PyFloat_AsDouble(t.ob());
                if seconds == -1.0 && err_occurred() {
                    return Err(Raised::assume());
                }
                let seconds = seconds.max(0.0);
                let mut now: libc::timespec = core::mem::zeroed();
                libc::clock_gettime(libc::CLOCK_REALTIME, &mut now);
                let whole = seconds.trunc().min(1e15);
                let ns = now.tv_nsec + ((seconds - whole).clamp(0.0, 1.0) * 1e9 + 0.5) as i64;
                Some(libc::timespec { tv_sec: now.tv_sec + whole as i64 + ns / 1_000_000_000, tv_nsec: ns % 1_000_000_000 })
            }
            None => None,
        };
        let keep = slf.to_owned();
        let handle = keep.handle;
        let mut wait = false;
        loop {
            let e = if wait {
                without_gil(|| {
                    let r = match &deadline {
                        Some(d) => libc::sem_timedwait(handle, d),
                        None => libc::sem_wait(handle),
                    };
                    if r < 0 { errno() } else { 0 }
                })
            } else if libc::sem_trywait(handle) < 0 {
                errno()
            } else {
                0
            };
            match e {
                0 => break,
                libc::EINTR => check_status(PyErr_CheckSignals())?,
                libc::EAGAIN if block && !wait => wait = true,
                libc::EAGAIN | libc::ETIMEDOUT => return Ok(false),
                e => return Err(os_error_of(e)),
            }
        }
        add_count(slf, 1);
        (*slf.as_ptr()).last_tid = thread_ident();
        Ok(true)
    }
}

fn enter(slf: L<'_>) -> PyResult<bool> {
    acquire(slf, true, None)
}

fn release(slf: L<'_>) -> PyResult<()> {
    // SAFETY: the handle is open.
    unsafe {
        if slf.kind == RECURSIVE_MUTEX {
            if !is_mine_now(slf) {
                bail!(PyExc_AssertionError, "attempt to release recursive lock not owned by thread");
            }
            if slf.count > 1 {
                add_count(slf, -1);
                return Ok(());
            }
        } else {
            let mut value = 0;
            if libc::sem_getvalue(slf.handle, &mut value) < 0 {
                return Err(os_error());
            }
            if value >= slf.maxvalue {
                bail!(PyExc_ValueError, "semaphore or lock released too many times");
            }
        }
        if libc::sem_post(slf.handle) < 0 {
            return Err(os_error());
        }
        add_count(slf, -1);
        Ok(())
    }
}

fn count(slf: L<'_>) -> PyResult<i32> {
    Ok(slf.count)
}

fn is_mine(slf: L<'_>) -> PyResult<bool> {
    Ok(is_mine_now(slf))
}

fn get_value(slf: L<'_>) -> PyResult<i32> {
    let mut value = 0;
    // SAFETY: the handle is open.
    if unsafe { libc::sem_getvalue(slf.handle, &mut value) } < 0 {
        return Err(os_error());
    }
    Ok(value.max(0))
}

fn is_zero(slf: L<'_>) -> PyResult<bool> {
    Ok(get_value(slf)? == 0)
}

fn after_fork(slf: L<'_>) -> PyResult<()> {
    add_count(slf, -slf.count);
    Ok(())
}

methods! {
    static SEMLOCK_METHODS = [
        "acquire($self, /, block=True, timeout=None)" => acquire, "Take the lock, or lower the semaphore; returns whether that was possible.";
        "release($self, /)" => release, "Free the lock, or raise the semaphore.";
        "__enter__($self, /)" => enter, "Take the lock.";
        "__exit__($self, exc_type=None, exc_value=None, exc_tb=None, /)" => exit, "Free the lock.";
        "_count($self, /)" => count, "How often this process has acquired it more than released it.";
        "_is_mine($self, /)" => is_mine, "Whether this thread holds the lock.";
        "_get_value($self, /)" => get_value, "The value of the semaphore.";
        "_is_zero($self, /)" => is_zero, "Whether the value of the semaphore is zero.";
        raw "_rebuild", PyMethodDefPointer { PyCFunctionFast: rebuild_entry }, METH_FASTCALL | METH_CLASS,
            "_rebuild($type, handle, kind, maxvalue, name, /)\n--\n\nThe lock in another process.";
        "_after_fork($self, /)" => after_fork, "Forget what the process had acquired before the fork.";
    ];
}

fn exit(slf: L<'_>, _class: Option<Borrowed<'_>>, _value: Option<Borrowed<'_>>, _tb: Option<Borrowed<'_>>) -> PyResult<()> {
    release(slf)
}

members! {
    static SEMLOCK_MEMBERS = [
        "handle", Py_T_LONGLONG, offset_of!(SemLock, handle), Py_READONLY, "";
        "kind", Py_T_INT, offset_of!(SemLock, kind), Py_READONLY, "";
        "maxvalue", Py_T_INT, offset_of!(SemLock, maxvalue), Py_READONLY, "";
        "name", Py_T_STRING, offset_of!(SemLock, name), Py_READONLY, "";
    ];
}

/// `_multiprocessing.SemLock`.
static mut SemLock_Type: PyTypeObject = PyTypeObject {
    tp_name: c"_multiprocessing.SemLock".as_ptr(),
    tp_basicsize: size_of::<SemLock>() as Py_ssize_t,
    tp_dealloc: Some(semlock_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tp_doc: c"A semaphore or recursive lock that processes share.".as_ptr(),
    tp_methods: (&raw mut SEMLOCK_METHODS).cast(),
    tp_members: (&raw mut SEMLOCK_MEMBERS).cast(),
    tp_new: Some(constructor!("SemLock(kind, value, maxvalue, name, unlink)" => semlock_new)),
    ..TYPE_INIT
};

fn sem_unlink(_: (), name: &str) -> PyResult<()> {
    let name = c_name(name)?;
    // SAFETY: a C string.
    if unsafe { libc::sem_unlink(name.as_ptr()) } < 0 { Err(os_error()) } else { Ok(()) }
}

methods! {
    static METHODS = [
        "sem_unlink($module, name, /)" => sem_unlink, "Remove the name of a semaphore.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] a static type.
    unsafe {
        add_type(module, &raw mut SemLock_Type)?;
        let max = int(SEM_VALUE_MAX)?;
        check_status(PyDict_SetItemString(SemLock_Type.tp_dict, c"SEM_VALUE_MAX".as_ptr(), max.as_ptr()))?;
        PyType_Modified(&raw mut SemLock_Type);
        let flags = Owned::from_owned_or_err(PyDict_New())?;
        let one = int(1)?;
        for name in [c"HAVE_SEM_OPEN", c"HAVE_SEM_TIMEDWAIT"] {
            check_status(PyDict_SetItemString(flags.as_ptr(), name.as_ptr(), one.as_ptr()))?;
        }
        add_object(module, c"flags", Ok(flags))
    }
}

module! {
    /// Entry point.
    pub fn PyInit__multiprocessing = "_multiprocessing", "The native part of the package multiprocessing.", methods: METHODS, exec: exec;
}
