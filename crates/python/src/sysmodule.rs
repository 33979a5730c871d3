//! The module `sys`: its functions, its C API, audit hooks. What it holds at start is in `sysmodule_info`.

use crate::pystate::interp;
use crate::util::*;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, Ordering::*};
use std::ffi::CString;
use std::sync::Mutex;
use taipan_abi::*;
use taipan_clinic::{Args, Kwargs, Str, methods};

// ---- attributes

/// `sys.<name>`, borrowed; NULL without exception when it is not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySys_GetAttr(_ts: *mut PyThreadState, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] keeps the exception that is set.
    unsafe {
        let d = interp().sysdict;
        if d.is_null() {
            return null_mut();
        }
        with_saved_exception(|| {
            let v = PyDict_GetItemWithError(d, name);
            if v.is_null() {
                PyErr_Clear();
            }
            v
        })
    }
}

/// `sys.<name>`, `None` when it is not there.
pub fn get_optional_attr(name: *mut PyObject) -> PyResult<Option<Owned>> {
    let d = interp().sysdict;
    if d.is_null() {
        return Ok(None);
    }
    // SAFETY: [GIL]
    unsafe { dict_get(d, name) }
}

/// `sys.<name>`; RuntimeError "lost sys.<name>" when it is not there.
///
/// # Safety
/// `name` is a str.
pub unsafe fn get_required_attr(name: *mut PyObject) -> PyResult<Owned> {
    match get_optional_attr(name)? {
        Some(v) => Ok(v),
        // SAFETY: [ARGS]
        None => bail!(PyExc_RuntimeError, "lost sys.{}", unsafe { lossy(name) }),
    }
}

/// `sys.<name>`, borrowed; NULL without exception when it is not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_GetObject(name: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        with_saved_exception(|| match own(PyUnicode_FromString(name)) {
            Ok(n) => _PySys_GetAttr(current_tstate(), n.as_ptr()),
            Err(_) => {
                PyErr_FormatUnraisable(c"Exception ignored in PySys_GetObject()".as_ptr());
                null_mut()
            }
        })
    }
}

/// Sets `sys.<name>`, or deletes it (NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_SetObject(name: *const c_char, v: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(n) = own(PyUnicode_InternFromString(name)) else { return -1 };
        set_attr(n.as_ptr(), v).into_c()
    }
}

/// Sets `sys.<name>`, or deletes it (NULL).
///
/// # Safety
/// `name` is a str; `v` is NULL or live.
pub unsafe fn set_attr(name: *mut PyObject, v: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let d = interp().sysdict;
        if v.is_null() {
            if flag(PyDict_Contains(d, name))? {
                check_status(PyDict_DelItem(d, name))?;
            }
            return Ok(());
        }
        dict_set(d, name, v)
    }
}

// ---- auditing

type AuditHook = unsafe extern "C" fn(*const c_char, *mut PyObject, *mut c_void) -> c_int;

static C_HOOKS: Mutex<Vec<(AuditHook, usize)>> = Mutex::new(Vec::new());
static HAVE_HOOKS: AtomicBool = AtomicBool::new(false);

/// Whether any hook listens: then events are worth their arguments.
#[inline(always)]
pub fn auditing() -> bool {
    HAVE_HOOKS.load(Relaxed)
}

/// Tells the hooks of an event.
#[inline]
pub fn audit(event: &CStr, args: &[*mut PyObject]) -> PyResult<()> {
    if !auditing() {
        return Ok(());
    }
    // SAFETY: the callers' objects are live.
    unsafe {
        let args = tuple(args)?;
        audit_tuple(event.as_ptr(), args.as_ptr())
    }
}

/// An exception that is set already waits until the hooks are done; what a hook raises takes its place.
unsafe fn audit_tuple(event: *const c_char, args: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let waiting = if current_tstate().is_null() { null_mut() } else { PyErr_GetRaisedException() };
        let r = call_hooks(event, args);
        match r {
            Ok(()) if !waiting.is_null() => PyErr_SetRaisedException(waiting),
            _ => Py_XDECREF(waiting),
        }
        r
    }
}

unsafe fn call_hooks(event: *const c_char, args: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let hooks: Vec<_> = C_HOOKS.lock().unwrap_or_else(|e| e.into_inner()).clone();
        for (hook, data) in hooks {
            if hook(event, args, data as *mut c_void) < 0 {
                return Err(Raised::assume());
            }
        }
        let ts = current_tstate();
        if ts.is_null() {
            return Ok(());
        }
        let list = interp().audit_hooks;
        if list.is_null() {
            return Ok(());
        }
        let list = Owned::from_borrowed(list);
        let name = own(PyUnicode_FromString(event))?;
        // Hooks are not traced unless they ask for it.
        PyThreadState_EnterTracing(ts.cast());
        let r = (|| {
            let mut i = 0;
            while i < PyList_GET_SIZE(list.as_ptr()) {
                let hook = Owned::from_borrowed(PyList_GET_ITEM(list.as_ptr(), i));
                let can_trace = match getattr_opt(hook.as_ptr(), intern!("__cantrace__"))? {
                    Some(o) => is_true(o.as_ptr())?,
                    None => false,
                };
                if can_trace {
                    PyThreadState_LeaveTracing(ts.cast());
                }
                let r = call(hook.as_ptr(), &[name.as_ptr(), args]);
                if can_trace {
                    PyThreadState_EnterTracing(ts.cast());
                }
                r?;
                i += 1;
            }
            Ok(())
        })();
        PyThreadState_LeaveTracing(ts.cast());
        r
    }
}

/// Tells the hooks of an event with a tuple of arguments (NULL for none).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_AuditTuple(event: *const c_char, args: *mut PyObject) -> c_int {
    if !auditing() {
        return 0;
    }
    // SAFETY: [ARGS]
    unsafe {
        if args.is_null() {
            return match own(PyTuple_New(0)) {
                Ok(t) => audit_tuple(event, t.as_ptr()).into_c(),
                Err(_) => -1,
            };
        }
        if PyTuple_Check(args) == 0 {
            let _ = raise!(PyExc_TypeError, "args must be tuple, got {}", type_name(args));
            return -1;
        }
        audit_tuple(event, args).into_c()
    }
}

/// 1 when somebody listens to events; the variadic `PySys_Audit` asks before it builds the arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySys_ShouldAudit() -> c_int {
    auditing() as c_int
}

/// Adds a C hook for the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_AddAuditHook(hook: AuditHook, data: *mut c_void) -> c_int {
    if !current_tstate().is_null() && audit_unless_runtime_error().is_err() {
        return if err_occurred() { -1 } else { 0 };
    }
    C_HOOKS.lock().unwrap_or_else(|e| e.into_inner()).push((hook, data as usize));
    HAVE_HOOKS.store(true, Relaxed);
    0
}

/// Announces a new hook. An exception derived from Exception means "no": it is cleared, and reported by `Err` only.
fn audit_unless_runtime_error() -> PyResult<()> {
    if let Err(e) = audit(c"sys.addaudithook", &[]) {
        // SAFETY: [GIL]
        unsafe {
            if e.matches(PyExc_RuntimeError) {
                PyErr_Clear();
            }
        }
        return Err(e);
    }
    Ok(())
}

/// Forgets the C hooks, last thing at finalisation; they are told.
pub fn clear_audit_hooks() {
    let hooks: Vec<_> = std::mem::take(&mut *C_HOOKS.lock().unwrap_or_else(|e| e.into_inner()));
    for (hook, data) in hooks {
        // SAFETY: registered with this data.
        unsafe { hook(c"cpython._PySys_ClearAuditHooks".as_ptr(), null_mut(), data as *mut c_void) };
    }
    HAVE_HOOKS.store(false, Relaxed);
}

fn sys_addaudithook(_: (), hook: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        if let Err(e) = audit(c"sys.addaudithook", &[]) {
            if e.matches(PyExc_Exception) {
                e.clear();
                return Ok(());
            }
            return Err(e);
        }
        let ip = interp();
        if ip.audit_hooks.is_null() {
            let list = own(PyList_New(0))?;
            // gc.get_objects() doesn't show it: a program could take its hooks out.
            PyObject_GC_UnTrack(list.as_ptr().cast());
            ip.audit_hooks = list.into_raw();
            HAVE_HOOKS.store(true, Relaxed);
        }
        check_status(PyList_Append(ip.audit_hooks, hook.ob()))
    }
}

fn sys_audit(_: (), args: Args<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if args.is_empty() {
            bail!(PyExc_TypeError, "audit() missing 1 required positional argument: 'event'");
        }
        if !auditing() {
            return Ok(());
        }
        if PyUnicode_Check(args.0[0]) == 0 {
            bail!(PyExc_TypeError, "expected str for argument 'event', not {}", type_name(args.0[0]));
        }
        let event = CString::new(utf8(args.0[0])?).unwrap_or_default();
        audit(&event, &args.0[1..])
    }
}

// ---- hooks

fn sys_displayhook(_: (), object: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(builtins) = crate::import::import_get_module(intern!("builtins"))? else {
            bail!(PyExc_RuntimeError, "lost builtins module");
        };
        if object.is_none() {
            return Ok(());
        }
        // While repr() runs, `_` must not keep the old value alive.
        check_status(PyObject_SetAttr(builtins.as_ptr(), intern!("_"), Py_None()))?;
        let Some(out) = get_optional_attr(intern!("stdout"))?.filter(|o| o.as_ptr() != Py_None()) else {
            bail!(PyExc_RuntimeError, "lost sys.stdout");
        };
        if let Err(e) = check_status(PyFile_WriteObject(object.ob(), out.as_ptr(), 0)) {
            if !e.matches(PyExc_UnicodeEncodeError) {
                return Err(e);
            }
            e.clear();
            displayhook_unencodable(object.ob(), out.as_ptr())?;
        }
        let newline = new_str("\n")?;
        check_status(PyFile_WriteObject(newline.as_ptr(), out.as_ptr(), Py_PRINT_RAW))?;
        check_status(PyObject_SetAttr(builtins.as_ptr(), intern!("_"), object.ob()))
    }
}

/// Writes the repr with what the stream cannot encode escaped.
unsafe fn displayhook_unencodable(o: *mut PyObject, out: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let encoding = getattr(out, intern!("encoding"))?;
        let enc = CString::new(utf8(encoding.as_ptr())?).unwrap_or_default();
        let repr = own(PyObject_Repr(o))?;
        let encoded = own(PyUnicode_AsEncodedString(repr.as_ptr(), enc.as_ptr(), c"backslashreplace".as_ptr()))?;
        match getattr_opt(out, intern!("buffer"))? {
            Some(buffer) => {
                call_method(buffer.as_ptr(), intern!("write"), &[encoded.as_ptr()])?;
            }
            None => {
                let text = own(PyUnicode_FromEncodedObject(encoded.as_ptr(), enc.as_ptr(), c"strict".as_ptr()))?;
                check_status(PyFile_WriteObject(text.as_ptr(), out, Py_PRINT_RAW))?;
            }
        }
        Ok(())
    }
}

fn sys_excepthook(_: (), exctype: Borrowed<'_>, value: Borrowed<'_>, traceback: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { crate::pythonrun::PyErr_Display(exctype.ob(), value.ob(), traceback.ob()) }
    Ok(())
}

fn sys_unraisablehook(_: (), unraisable: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { crate::errors::default_unraisable_hook(unraisable.ob()) }
}

fn sys_exception(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    Ok(unsafe { Owned::from_owned_or_opt(PyErr_GetHandledException()) }.unwrap_or_else(none))
}

fn sys_exc_info(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(_PyErr_StackItemToExcInfoTuple(crate::errors::_PyErr_GetTopmostException(current_tstate()))) }
}

fn sys_exit(_: (), status: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        match status {
            Some(s) => PyErr_SetObject(PyExc_SystemExit, s.ob()),
            None => PyErr_SetNone(PyExc_SystemExit),
        }
        Err(Raised::assume())
    }
}

fn sys_breakpointhook(_: (), args: Args<'_>, kws: Kwargs<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let env = std::env::var("PYTHONBREAKPOINT").ok().filter(|v| !v.is_empty());
        let name = env.unwrap_or_else(|| "pdb.set_trace".into());
        if name == "0" {
            return Ok(none());
        }
        let (module, attr) = name.rsplit_once('.').unwrap_or(("builtins", &name));
        let warn = || {
            let msg = CString::new(format!("Ignoring unimportable $PYTHONBREAKPOINT: \"{name}\"")).unwrap_or_default();
            check_status(PyErr_WarnEx(PyExc_RuntimeWarning, msg.as_ptr(), 0)).map(|()| none())
        };
        if module.is_empty() {
            return warn();
        }
        let m = new_str(module)?;
        let m = match own(PyImport_Import(m.as_ptr())) {
            Ok(m) => m,
            Err(e) if e.matches(PyExc_ImportError) => {
                e.clear();
                return warn();
            }
            Err(e) => return Err(e),
        };
        let a = new_str(attr)?;
        let hook = match getattr(m.as_ptr(), a.as_ptr()) {
            Ok(h) => h,
            Err(e) if e.matches(PyExc_AttributeError) => {
                e.clear();
                return warn();
            }
            Err(e) => return Err(e),
        };
        let pos = args.to_tuple()?;
        let kw = kws.to_dict()?;
        own(PyObject_Call(hook.as_ptr(), pos.as_ptr(), kw.as_ptr()))
    }
}

// ---- tracing

unsafe extern "C" {
    /// python: legacy tracing; -1 with an exception set.
    fn _PyEval_SetTrace(ts: *mut PyThreadState, func: Option<layout::Py_tracefunc>, arg: *mut PyObject) -> c_int;
    fn _PyEval_SetProfile(ts: *mut PyThreadState, func: Option<layout::Py_tracefunc>, arg: *mut PyObject) -> c_int;
}

/// Calls a Python trace or profile function.
unsafe fn call_trampoline(callback: *mut PyObject, frame: *mut PyFrameObject, what: c_int, arg: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let name = match what {
            0 => intern!("call"),
            1 => intern!("exception"),
            2 => intern!("line"),
            3 => intern!("return"),
            4 => intern!("c_call"),
            5 => intern!("c_exception"),
            6 => intern!("c_return"),
            _ => intern!("opcode"),
        };
        let arg = if arg.is_null() { Py_None() } else { arg };
        call(callback, &[frame.cast(), name, arg])
    }
}

unsafe extern "C" fn profile_trampoline(slf: *mut PyObject, frame: *mut PyFrameObject, what: c_int, arg: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match call_trampoline(slf, frame, what, arg) {
            Ok(_) => 0,
            Err(_) => {
                _PyEval_SetProfile(current_tstate(), None, null_mut());
                -1
            }
        }
    }
}

unsafe extern "C" fn trace_trampoline(slf: *mut PyObject, frame: *mut PyFrameObject, what: c_int, arg: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        // The function that the last event returned is the frame's own trace function.
        let callback = if what == 0 { slf } else { (*frame).f_trace };
        if callback.is_null() {
            return 0;
        }
        let hold = Owned::from_borrowed(callback);
        match call_trampoline(hold.as_ptr(), frame, what, arg) {
            Ok(r) => {
                if r.as_ptr() != Py_None() {
                    setref(&raw mut (*frame).f_trace, r.into_raw());
                }
                0
            }
            Err(_) => {
                _PyEval_SetTrace(current_tstate(), None, null_mut());
                setref(&raw mut (*frame).f_trace, null_mut());
                -1
            }
        }
    }
}

fn tracer(function: Borrowed<'_>, trampoline: layout::Py_tracefunc) -> (Option<layout::Py_tracefunc>, *mut PyObject) {
    if function.is_none() { (None, null_mut()) } else { (Some(trampoline), function.ob()) }
}

fn sys_settrace(_: (), function: Borrowed<'_>) -> PyResult<()> {
    let (f, arg) = tracer(function, trace_trampoline);
    // SAFETY: [ARGS]
    unsafe { check_status(_PyEval_SetTrace(current_tstate(), f, arg)) }
}

fn sys_setprofile(_: (), function: Borrowed<'_>) -> PyResult<()> {
    let (f, arg) = tracer(function, profile_trampoline);
    // SAFETY: [ARGS]
    unsafe { check_status(_PyEval_SetProfile(current_tstate(), f, arg)) }
}

fn all_threads(set: impl Fn(*mut PyThreadState) -> c_int) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let ip = interp();
        let all: Vec<_> = {
            let _lock = crate::pystate::head_lock();
            crate::pystate::thread_list(ip)
        };
        for t in all {
            check_status(set(t))?;
        }
        Ok(())
    }
}

fn sys_settraceallthreads(_: (), function: Borrowed<'_>) -> PyResult<()> {
    let (f, arg) = tracer(function, trace_trampoline);
    // SAFETY: [ARGS]
    all_threads(|t| unsafe { _PyEval_SetTrace(t, f, arg) })
}

fn sys_setprofileallthreads(_: (), function: Borrowed<'_>) -> PyResult<()> {
    let (f, arg) = tracer(function, profile_trampoline);
    // SAFETY: [ARGS]
    all_threads(|t| unsafe { _PyEval_SetProfile(t, f, arg) })
}

fn sys_gettrace(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    Ok(unsafe { Owned::from_borrowed_or_opt((*current_tstate()).c_traceobj) }.unwrap_or_else(none))
}

fn sys_getprofile(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    Ok(unsafe { Owned::from_borrowed_or_opt((*current_tstate()).c_profileobj) }.unwrap_or_else(none))
}

fn sys_call_tracing(_: (), func: Borrowed<'_>, funcargs: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_Check(funcargs.ob()) == 0 {
            bail!(PyExc_TypeError, "call_tracing() argument 2 must be tuple, not {}", type_name(funcargs.ob()));
        }
        let ts = current_tstate();
        let saved = core::mem::replace(&mut (*ts).tracing, 0);
        let r = own(PyObject_Call(func.ob(), funcargs.ob(), null_mut()));
        (*ts).tracing = saved;
        r
    }
}

// ---- settings

fn sys_setswitchinterval(_: (), interval: f64) -> PyResult<()> {
    // NaN is not positive either.
    if interval.is_nan() || interval <= 0.0 {
        bail!(PyExc_ValueError, "switch interval must be strictly positive");
    }
    crate::ceval_gil::GIL.set_switch_interval((1e6 * interval) as u64);
    Ok(())
}

fn sys_getswitchinterval(_: ()) -> PyResult<f64> {
    Ok(1e-6 * crate::ceval_gil::GIL.switch_interval() as f64)
}

fn sys_setrecursionlimit(_: (), limit: i32) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        if limit < 1 {
            bail!(PyExc_ValueError, "recursion limit must be greater or equal than 1");
        }
        let ts = current_tstate();
        let depth = (*ts).py_recursion_limit - (*ts).py_recursion_remaining;
        if depth >= limit {
            bail!(
                PyExc_RecursionError,
                "cannot set the recursion limit to {limit} at the recursion depth {depth}: the limit is too low"
            );
        }
        Py_SetRecursionLimit(limit);
        Ok(())
    }
}

fn sys_getrecursionlimit(_: ()) -> PyResult<i32> {
    Ok(interp().recursion_limit)
}

fn sys_setdlopenflags(_: (), flags: i32) -> PyResult<()> {
    interp().dlopenflags = flags;
    Ok(())
}

fn sys_getdlopenflags(_: ()) -> PyResult<i32> {
    Ok(interp().dlopenflags)
}

fn sys_get_int_max_str_digits(_: ()) -> PyResult<i32> {
    // SAFETY: [GIL]
    Ok(unsafe { taipan_objects::longobject::MAX_STR_DIGITS })
}

fn sys_set_int_max_str_digits(_: (), maxdigits: i32) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        if maxdigits != 0 && maxdigits < 640 {
            bail!(PyExc_ValueError, "maxdigits must be 0 or larger than 640");
        }
        taipan_objects::longobject::MAX_STR_DIGITS = maxdigits;
        Ok(())
    }
}

fn sys_set_coroutine_origin_tracking_depth(_: (), depth: i32) -> PyResult<()> {
    if depth < 0 {
        bail!(PyExc_ValueError, "depth must be >= 0");
    }
    // SAFETY: [GIL]
    unsafe { (*current_tstate()).coroutine_origin_tracking_depth = depth };
    Ok(())
}

fn sys_get_coroutine_origin_tracking_depth(_: ()) -> PyResult<i32> {
    // SAFETY: [GIL]
    Ok(unsafe { (*current_tstate()).coroutine_origin_tracking_depth })
}

fn sys_set_asyncgen_hooks(_: (), firstiter: Option<KeepNone<'_>>, finalizer: Option<KeepNone<'_>>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        for (hook, what) in [(&finalizer, "finalizer"), (&firstiter, "firstiter")] {
            if let Some(h) = hook
                && !h.0.is_none()
                && PyCallable_Check(h.0.ob()) == 0
            {
                bail!(PyExc_TypeError, "callable {what} expected, got {}", type_name(h.0.ob()));
            }
        }
        let ts = current_tstate();
        let set = |slot: *mut *mut PyObject, h: Borrowed<'_>| {
            let new = if h.is_none() { null_mut() } else { h.to_owned().into_raw() };
            setref(slot, new);
        };
        if let Some(h) = finalizer {
            audit(c"sys.set_asyncgen_hooks_finalizer", &[])?;
            set(&raw mut (*ts).async_gen_finalizer, h.0);
        }
        if let Some(h) = firstiter {
            audit(c"sys.set_asyncgen_hooks_firstiter", &[])?;
            set(&raw mut (*ts).async_gen_firstiter, h.0);
        }
        Ok(())
    }
}

/// An argument where Python's `None` differs from "left out".
pub struct KeepNone<'a>(pub Borrowed<'a>);
impl<'a> taipan_clinic::FromArg<'a> for KeepNone<'a> {
    unsafe fn from_arg(arg: *mut PyObject, _: taipan_clinic::from_arg::Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS] `Option` handles the absent argument.
        Ok(KeepNone(unsafe { Borrowed::from_ptr(arg) }))
    }
}

fn sys_get_asyncgen_hooks(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let res = own(PyStructSequence_New(crate::sysmodule_info::AsyncGenHooks))?;
        let ts = current_tstate();
        for (i, h) in [(*ts).async_gen_firstiter, (*ts).async_gen_finalizer].into_iter().enumerate() {
            let h = if h.is_null() { Py_None() } else { h };
            Py_INCREF(h);
            PyStructSequence_SetItem(res.as_ptr(), i as Py_ssize_t, h);
        }
        Ok(res)
    }
}

// ---- information

fn sys_getdefaultencoding(_: ()) -> PyResult<&'static str> {
    Ok("utf-8")
}

fn sys_getfilesystemencoding(_: ()) -> PyResult<String> {
    Ok(interp().config.filesystem_encoding.clone())
}

fn sys_getfilesystemencodeerrors(_: ()) -> PyResult<&'static str> {
    Ok(interp().config.filesystem_errors)
}

fn sys_intern(_: (), string: Str<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if string.ob_type() != &raw mut PyUnicode_Type {
            bail!(PyExc_TypeError, "can't intern {}", type_name(string.ob()));
        }
        let mut s = string.0.to_owned().into_raw();
        PyUnicode_InternInPlace(&mut s);
        Ok(Owned::from_owned(s))
    }
}

fn sys_is_interned(_: (), string: Str<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    Ok(unsafe { crate::marshal::is_interned(string.ob()) })
}

/// `sys.getsizeof`: `__sizeof__` and what lies in front of the object in CPython; `usize::MAX` with an exception set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySys_GetSizeOf(o: *mut PyObject) -> usize {
    // SAFETY: [ARGS]
    unsafe { size_of_object(o).unwrap_or(usize::MAX) }
}

unsafe fn size_of_object(o: *mut PyObject) -> PyResult<usize> {
    // SAFETY: [ARGS]
    unsafe {
        check_status(PyType_Ready((*o).ob_type))?;
        let method = _PyObject_LookupSpecial(o, intern!("__sizeof__"));
        if method.is_null() {
            if !err_occurred() {
                bail!(PyExc_TypeError, "Type {} doesn't define __sizeof__", type_name(o));
            }
            return Err(Raised::assume());
        }
        let method: Owned = Owned::from_owned(method);
        let res = call(method.as_ptr(), &[])?;
        let size = PyLong_AsSsize_t(res.as_ptr());
        if size == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if size < 0 {
            bail!(PyExc_ValueError, "__sizeof__() should return >= 0");
        }
        let mut size = size as usize;
        if PyObject_IS_GC(o) != 0 {
            size += 16;
        }
        if (*(*o).ob_type).tp_flags & taipan_objects::gc::Py_TPFLAGS_PREHEADER != 0 {
            size += 16;
        }
        Ok(size)
    }
}

fn sys_getsizeof(_: (), object: Borrowed<'_>, default: Option<KeepNone<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        match size_of_object(object.ob()) {
            Ok(n) => own(PyLong_FromSize_t(n)),
            Err(e) => match default {
                Some(d) if e.matches(PyExc_TypeError) => {
                    e.clear();
                    Ok(d.0.to_owned())
                }
                _ => Err(e),
            },
        }
    }
}

fn sys_getrefcount(_: (), object: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [ARGS]
    Ok(unsafe { Py_REFCNT(object.ob()) })
}

unsafe extern "C" {
    /// objects: obmalloc, unicode
    fn _Py_GetGlobalAllocatedBlocks() -> Py_ssize_t;
    fn _PyUnicode_InternedSize() -> Py_ssize_t;
    fn _PyUnicode_InternedSize_Immortal() -> Py_ssize_t;
}

fn sys_getallocatedblocks(_: ()) -> PyResult<isize> {
    // SAFETY: [GIL]
    Ok(unsafe { _Py_GetGlobalAllocatedBlocks() })
}

fn sys_getunicodeinternedsize(_: (), only_immortal: bool) -> PyResult<isize> {
    // SAFETY: [GIL]
    Ok(unsafe { if only_immortal { _PyUnicode_InternedSize_Immortal() } else { _PyUnicode_InternedSize() } })
}

fn sys_is_finalizing(_: ()) -> PyResult<bool> {
    Ok(!crate::pystate::FINALIZING.load(Relaxed).is_null())
}

fn sys_is_gil_enabled(_: ()) -> PyResult<bool> {
    Ok(true)
}

fn sys_getframe(_: (), depth: i32) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let mut f = crate::pystate::thread_frame(current_tstate());
        let mut depth = depth;
        while depth > 0 && !f.is_null() {
            f = crate::pystate::first_complete((*f).previous);
            depth -= 1;
        }
        if f.is_null() {
            bail!(PyExc_ValueError, "call stack is not deep enough");
        }
        let frame = crate::pystate::frame_object(f);
        if frame.is_null() {
            return Err(Raised::assume());
        }
        let frame = Owned::from_borrowed(frame.cast::<PyObject>());
        audit(c"sys._getframe", &[frame.as_ptr()])?;
        Ok(frame)
    }
}

fn sys_getframemodulename(_: (), depth: i32) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        if auditing() {
            let n = new_int(depth as i64)?;
            audit(c"sys._getframemodulename", &[n.as_ptr()])?;
        }
        let mut f = crate::pystate::thread_frame(current_tstate());
        let mut depth = depth;
        while depth > 0 && !f.is_null() {
            f = crate::pystate::first_complete((*f).previous);
            depth -= 1;
        }
        if f.is_null() || (*f).f_funcobj.is_null() || (*f).f_funcobj == Py_None() {
            return Ok(none());
        }
        let func = (*f).f_funcobj;
        if (*func).ob_type != &raw mut PyFunction_Type {
            return Ok(none());
        }
        let m = (*func.cast::<PyFunctionObject>()).func_module;
        Ok(Owned::from_borrowed_or_opt(m).unwrap_or_else(none))
    }
}

fn sys_current_frames(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(crate::pystate::_PyThread_CurrentFrames()) }
}

fn sys_current_exceptions(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(crate::pystate::_PyThread_CurrentExceptions()) }
}

fn sys_clear_type_cache(_: ()) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe { PyType_ClearCache() };
    Ok(())
}

fn sys_clear_internal_caches(_: ()) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe { PyType_ClearCache() };
    Ok(())
}

fn sys_debugmallocstats(_: ()) -> PyResult<()> {
    crate::err!("{}", malloc_stats());
    Ok(())
}

/// What the allocator and the free lists hold, as text.
fn malloc_stats() -> String {
    let dicts = taipan_objects::dictobject::free_dicts();
    let size = size_of::<taipan_abi::PyDictObject>();
    let blocks = taipan_objects::obmalloc::allocated_blocks();
    let (limit, classes) = taipan_objects::obmalloc::SIZE_CLASSES;
    format!("Small block threshold = {limit}, in {classes} size classes.\n{blocks:>16} blocks in use\n{dicts:>16} free PyDictObjects * {size} bytes each = {}\n", dicts * size)
}

/// Prints what the allocator and the free lists hold; whether anything was printed.
///
/// # Safety
/// `out` is an open stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_DebugMallocStats(out: *mut libc::FILE) -> c_int {
    let text = malloc_stats();
    // SAFETY: [ARGS]
    unsafe { (libc::fwrite(text.as_ptr().cast(), 1, text.len(), out) > 0) as c_int }
}

fn sys_get_cpu_count_config(_: ()) -> PyResult<i32> {
    Ok(interp().config.cpu_count)
}

fn sys_activate_stack_trampoline(_: (), backend: Str<'_>) -> PyResult<()> {
    // SAFETY: [TYPE] a str.
    let name = unsafe { utf8(backend.ob())? };
    if name != "perf" && name != "perf_jit" {
        bail!(PyExc_ValueError, "invalid backend: {name}");
    }
    bail!(PyExc_ValueError, "perf trampoline not available");
}

fn sys_deactivate_stack_trampoline(_: ()) -> PyResult<()> {
    Ok(())
}

fn sys_is_stack_trampoline_active(_: ()) -> PyResult<bool> {
    Ok(false)
}

fn sys_baserepl(_: ()) -> PyResult<()> {
    crate::pythonrun::basic_repl();
    Ok(())
}

methods! {
    /// The functions of `sys`.
    pub static SYS_METHODS = [
        "addaudithook($module, /, hook)" => sys_addaudithook, "Add a function that is told of audited events.";
        raw "audit", PyMethodDefPointer { PyCFunctionFast: audit_entry }, METH_FASTCALL,
            "audit($module, event, /, *args)\n--\n\nTell the audit hooks of an event.";
        raw "breakpointhook", PyMethodDefPointer { PyCFunctionFastWithKeywords: breakpointhook_entry }, METH_FASTCALL | METH_KEYWORDS,
            "breakpointhook($module, /, *args, **kwargs)\n--\n\nWhat breakpoint() calls: the debugger that PYTHONBREAKPOINT names.";
        "_clear_internal_caches($module, /)" => sys_clear_internal_caches, "Empty the caches that the interpreter keeps for speed.";
        "_clear_type_cache($module, /)" => sys_clear_type_cache, "Empty the cache of attribute look-ups.";
        "_current_frames($module, /)" => sys_current_frames, "The current frame of each thread.";
        "_current_exceptions($module, /)" => sys_current_exceptions, "The exception that each thread handles.";
        "displayhook($module, object, /)" => sys_displayhook, "Print an object and keep it in builtins._";
        "exception($module, /)" => sys_exception, "The exception being handled, or None.";
        "exc_info($module, /)" => sys_exc_info, "Class, exception and traceback of what is being handled.";
        "excepthook($module, exctype, value, traceback, /)" => sys_excepthook, "Print an exception with its traceback to sys.stderr.";
        "exit($module, status=None, /)" => sys_exit, "Leave the interpreter by raising SystemExit(status).";
        "getdefaultencoding($module, /)" => sys_getdefaultencoding, "The encoding of str.encode() without arguments.";
        "getdlopenflags($module, /)" => sys_getdlopenflags, "The flags that extension modules are loaded with.";
        "getallocatedblocks($module, /)" => sys_getallocatedblocks, "How many blocks of memory are in use.";
        "getunicodeinternedsize($module, /, *, _only_immortal=False)" => sys_getunicodeinternedsize, "How many strings are interned.";
        "getfilesystemencoding($module, /)" => sys_getfilesystemencoding, "The encoding of file names.";
        "getfilesystemencodeerrors($module, /)" => sys_getfilesystemencodeerrors, "The error handler of file names.";
        "getrefcount($module, object, /)" => sys_getrefcount, "The reference count of an object, the argument's included.";
        "getrecursionlimit($module, /)" => sys_getrecursionlimit, "How deep calls may nest.";
        raw "getsizeof", PyMethodDefPointer { PyCFunctionFastWithKeywords: getsizeof_entry }, METH_FASTCALL | METH_KEYWORDS,
            "getsizeof(object [, default]) -> int\n\nThe bytes that an object takes.";
        "_getframe($module, depth=0, /)" => sys_getframe, "A frame of the call stack; 0 is the caller's.";
        "_getframemodulename($module, /, depth=0)" => sys_getframemodulename, "The name of the module that a frame's function was defined in.";
        "intern($module, string, /)" => sys_intern, "The one string among equal ones that dictionaries find fastest.";
        "_is_interned($module, string, /)" => sys_is_interned, "Whether a string is interned.";
        "is_finalizing($module, /)" => sys_is_finalizing, "Whether the interpreter is shutting down.";
        "_is_gil_enabled($module, /)" => sys_is_gil_enabled, "Whether there is a global interpreter lock: yes.";
        "setdlopenflags($module, flags, /)" => sys_setdlopenflags, "Set the flags that extension modules are loaded with.";
        "setprofile($module, function, /)" => sys_setprofile, "Set the profile function of this thread.";
        "_setprofileallthreads($module, function, /)" => sys_setprofileallthreads, "Set the profile function of all threads.";
        "getprofile($module, /)" => sys_getprofile, "The profile function of this thread.";
        "setrecursionlimit($module, limit, /)" => sys_setrecursionlimit, "Set how deep calls may nest.";
        "settrace($module, function, /)" => sys_settrace, "Set the trace function of this thread.";
        "_settraceallthreads($module, function, /)" => sys_settraceallthreads, "Set the trace function of all threads.";
        "gettrace($module, /)" => sys_gettrace, "The trace function of this thread.";
        "call_tracing($module, func, args, /)" => sys_call_tracing, "Call a function with tracing on, from a trace function.";
        "_debugmallocstats($module, /)" => sys_debugmallocstats, "Print statistics of the allocator.";
        "set_coroutine_origin_tracking_depth($module, /, depth)" => sys_set_coroutine_origin_tracking_depth, "Set how many frames a new coroutine remembers.";
        "get_coroutine_origin_tracking_depth($module, /)" => sys_get_coroutine_origin_tracking_depth, "How many frames a new coroutine remembers.";
        raw "set_asyncgen_hooks", PyMethodDefPointer { PyCFunctionFastWithKeywords: set_asyncgen_hooks_entry }, METH_FASTCALL | METH_KEYWORDS,
            "set_asyncgen_hooks([firstiter] [, finalizer])\n\nSet what is called when an asynchronous generator starts and when it is dropped.";
        "get_asyncgen_hooks($module, /)" => sys_get_asyncgen_hooks, "The hooks of asynchronous generators.";
        "activate_stack_trampoline($module, backend, /)" => sys_activate_stack_trampoline, "Make Python calls visible to a native profiler.";
        "deactivate_stack_trampoline($module, /)" => sys_deactivate_stack_trampoline, "Undo activate_stack_trampoline().";
        "is_stack_trampoline_active($module, /)" => sys_is_stack_trampoline_active, "Whether a native profiler sees Python calls.";
        "unraisablehook($module, unraisable, /)" => sys_unraisablehook, "Report an exception that cannot be raised.";
        "get_int_max_str_digits($module, /)" => sys_get_int_max_str_digits, "The limit of digits in conversions of int and str.";
        "set_int_max_str_digits($module, /, maxdigits)" => sys_set_int_max_str_digits, "Set the limit of digits in conversions of int and str.";
        "_get_cpu_count_config($module, /)" => sys_get_cpu_count_config, "The number of processors that options say, or -1.";
        "setswitchinterval($module, interval, /)" => sys_setswitchinterval, "Set the seconds after which threads take turns.";
        "getswitchinterval($module, /)" => sys_getswitchinterval, "The seconds after which threads take turns.";
        "_baserepl($module, /)" => sys_baserepl, "The interactive shell without line editing.";
    ];
}

/// Entries whose text signature is not what the binding needs.
macro_rules! entry {
    ($name:ident, $n:literal, $sig:literal => $f:expr) => {
        unsafe extern "C" fn $name(slf: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
            const SIG: taipan_clinic::Signature<$n> = taipan_clinic::Signature::parse($sig);
            // SAFETY: [ARGS]
            unsafe { taipan_clinic::invoke::call_fast::<_, $n>($f, &SIG.erase(), slf, args, n, kw) }
        }
    };
}
entry!(getsizeof_entry, 2, "getsizeof(object, default=<unrepresentable>)" => sys_getsizeof);
entry!(breakpointhook_entry, 2, "breakpointhook(*args, **kws)" => sys_breakpointhook);
entry!(set_asyncgen_hooks_entry, 2, "set_asyncgen_hooks(firstiter=<unrepresentable>, finalizer=<unrepresentable>)" => sys_set_asyncgen_hooks);

unsafe extern "C" fn audit_entry(_slf: *mut PyObject, args: *mut *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    let args = if n == 0 { &[] } else { unsafe { core::slice::from_raw_parts(args.cast_const(), n as usize) } };
    sys_audit((), Args(args)).map(|()| none()).into_c()
}

// ---- warning options, -X options, paths (kept for old embedding programs)

fn warnoptions() -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let name = intern!("warnoptions");
        if let Some(l) = get_optional_attr(name)?
            && PyList_Check(l.as_ptr()) != 0
        {
            return Ok(l);
        }
        let l = own(PyList_New(0))?;
        set_attr(name, l.as_ptr())?;
        Ok(l)
    }
}

/// Empties `sys.warnoptions`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_ResetWarnOptions() {
    // SAFETY: [GIL]
    unsafe {
        if current_tstate().is_null() {
            return;
        }
        if let Ok(l) = warnoptions() {
            PyList_SetSlice(l.as_ptr(), 0, PyList_GET_SIZE(l.as_ptr()), null_mut());
        }
    }
}

/// Adds to `sys.warnoptions`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_AddWarnOptionUnicode(option: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        match warnoptions() {
            Ok(l) if PyList_Append(l.as_ptr(), option) == 0 => {}
            _ => PyErr_Clear(),
        }
    }
}

/// Adds to `sys.warnoptions`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_AddWarnOption(s: *const libc::wchar_t) {
    // SAFETY: [ARGS]
    unsafe {
        if current_tstate().is_null() {
            return;
        }
        if let Ok(o) = own(PyUnicode_FromWideChar(s, -1)) {
            PySys_AddWarnOptionUnicode(o.as_ptr());
        }
    }
}

/// Whether `sys.warnoptions` has anything.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_HasWarnOptions() -> c_int {
    // SAFETY: [GIL]
    unsafe { warnoptions().is_ok_and(|l| PyList_GET_SIZE(l.as_ptr()) > 0) as c_int }
}

/// Adds to `sys._xoptions`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_AddXOption(s: *const libc::wchar_t) {
    // SAFETY: [ARGS]
    unsafe {
        let opts = PySys_GetXOptions();
        if opts.is_null() {
            return PyErr_Clear();
        }
        let chars = crate::fileutils::wide_chars(s);
        let Ok(bytes) = crate::fileutils::encode_surrogateescape(&chars) else { return };
        if crate::sysmodule_info::add_xoption(opts, &bytes).is_err() {
            PyErr_Clear();
        }
    }
}

/// `sys._xoptions`, borrowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_GetXOptions() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        let name = intern!("_xoptions");
        let d = _PySys_GetAttr(current_tstate(), name);
        if !d.is_null() && PyDict_Check(d) != 0 {
            return d;
        }
        let Ok(new) = own(PyDict_New()) else { return null_mut() };
        if set_attr(name, new.as_ptr()).is_err() {
            return null_mut();
        }
        new.as_ptr()
    }
}

/// Sets `sys.path` from a colon-separated text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_SetPath(path: *const libc::wchar_t) {
    // SAFETY: [ARGS]
    unsafe {
        let chars = crate::fileutils::wide_chars(path);
        let r: PyResult<()> = (|| {
            let list = own(PyList_New(0))?;
            for part in chars.split(|&c| c == ':' as u32) {
                let s = own(PyUnicode_FromKindAndData(4, part.as_ptr().cast(), part.len() as Py_ssize_t))?;
                check_status(PyList_Append(list.as_ptr(), s.as_ptr()))?;
            }
            set_attr(intern!("path"), list.as_ptr())
        })();
        if r.is_err() {
            fatal("can't assign sys.path");
        }
    }
}

/// Sets `sys.argv`, and puts the script's directory on `sys.path` if `updatepath`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_SetArgvEx(argc: c_int, argv: *mut *mut libc::wchar_t, updatepath: c_int) {
    // SAFETY: [ARGS]
    unsafe {
        let r: PyResult<()> = (|| {
            let list = own(PyList_New(0))?;
            for i in 0..argc as usize {
                let s = own(PyUnicode_FromWideChar(*argv.add(i), -1))?;
                check_status(PyList_Append(list.as_ptr(), s.as_ptr()))?;
            }
            if argc < 1 || argv.is_null() {
                let s = new_str("")?;
                check_status(PyList_Append(list.as_ptr(), s.as_ptr()))?;
            }
            set_attr(intern!("argv"), list.as_ptr())?;
            if updatepath != 0 {
                let mut c = interp().config.clone();
                let first = fs_encode(PyList_GET_ITEM(list.as_ptr(), 0))?;
                c.run = match &first[..] {
                    b"" | b"-c" => crate::initconfig::Run::Stdin,
                    b"-m" => crate::initconfig::Run::Module(Vec::new()),
                    _ => crate::initconfig::Run::File(first),
                };
                if let Some(p0) = crate::initconfig::compute_sys_path_0(&c)
                    && let Some(path) = get_optional_attr(intern!("path"))?
                {
                    let p = fs_decode(&p0)?;
                    check_status(PyList_Insert(path.as_ptr(), 0, p.as_ptr()))?;
                }
            }
            Ok(())
        })();
        if r.is_err() {
            fatal("can't assign sys.argv");
        }
    }
}

/// As [`PySys_SetArgvEx`], with the directory unless the interpreter is isolated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PySys_SetArgv(argc: c_int, argv: *mut *mut libc::wchar_t) {
    // SAFETY: [ARGS]
    unsafe { PySys_SetArgvEx(argc, argv, (interp().config.isolated == 0) as c_int) }
}
