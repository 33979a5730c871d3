//! The module `_interpreters`: making interpreters, running code in them, and what they are told of each other.

use crate::support::*;
use crate::support::{PyInterpreterState_Head, PyInterpreterState_Main, PyInterpreterState_Next};
use core::ffi::{CStr, c_char, c_int, c_long, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::module::{add_int, add_object, add_type};
use taipan_clinic::support::{boolean, int, none, tuple};
use taipan_clinic::{Args, Kwargs, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

type Body = unsafe extern "C" fn(*mut PyObject, *mut c_void) -> c_int;

unsafe extern "C" {
    static mut PyExc_InterpreterError: *mut PyObject;
    static mut PyExc_InterpreterNotFoundError: *mut PyObject;
    // python: interpconfig
    fn _PyInterpreterConfig_AsDict(c: *mut PyInterpreterConfig) -> *mut PyObject;
    fn _PyInterpreterConfig_InitFromDict(c: *mut PyInterpreterConfig, dict: *mut PyObject) -> c_int;
    fn _PyInterpreterConfig_UpdateFromDict(c: *mut PyInterpreterConfig, dict: *mut PyObject) -> c_int;
    fn _PyInterpreterConfig_InitFromState(c: *mut PyInterpreterConfig, interp: *mut PyInterpreterState) -> c_int;
    fn _PyInterpreterState_LookUpIDObject(op: *mut PyObject) -> *mut PyInterpreterState;
    // python: interpreters, pystate
    fn _PyXI_NewInterpreter(c: *mut PyInterpreterConfig, whence: *mut c_long, ts: *mut *mut PyThreadState, save: *mut *mut PyThreadState) -> *mut PyInterpreterState;
    fn _PyXI_EndInterpreter(interp: *mut PyInterpreterState, ts: *mut PyThreadState, save: *mut *mut PyThreadState);
    fn _PyInterpreterState_IsReady(interp: *mut PyInterpreterState) -> c_int;
    fn _PyInterpreterState_GetWhence(interp: *mut PyInterpreterState) -> c_long;
    fn _PyInterpreterState_IsRunningMain(interp: *mut PyInterpreterState) -> c_int;
    fn _PyInterpreterState_RequireIDRef(interp: *mut PyInterpreterState, required: c_int);
    fn _PyInterpreterState_IDIncref(interp: *mut PyInterpreterState) -> c_int;
    fn _PyInterpreterState_IDDecref(interp: *mut PyInterpreterState);
    // python: crossinterp
    fn _PyXI_RunInInterpreter(interp: *mut PyInterpreterState, shared: *mut PyObject, body: Option<Body>, arg: *mut c_void, excinfo: *mut *mut PyObject) -> c_int;
    fn _PyXI_CaptureException(exc: *mut PyObject) -> *mut PyObject;
    fn _PyXI_GetNotShareableError() -> *mut PyObject;
    fn _PyObject_CheckCrossInterpreterData(op: *mut PyObject) -> c_int;
    fn _Py_CallInInterpreterAndRawFree(interp: *mut PyInterpreterState, func: unsafe extern "C" fn(*mut c_void) -> c_int, arg: *mut c_void) -> c_int;
    // python: marshal, pythonrun
    fn PyMarshal_WriteObjectToString(op: *mut PyObject, version: c_int) -> *mut PyObject;
    fn PyMarshal_ReadObjectFromString(data: *const c_char, len: Py_ssize_t) -> *mut PyObject;
    fn PyRun_StringFlags(text: *const c_char, start: c_int, globals: *mut PyObject, locals: *mut PyObject, flags: *mut c_void) -> *mut PyObject;
    fn _PyNamespace_New(dict: *mut PyObject) -> *mut PyObject;
    fn PyFunction_GetClosure(op: *mut PyObject) -> *mut PyObject;
    fn PyFunction_GetCode(op: *mut PyObject) -> *mut PyObject;
}

/// Fails with InterpreterError.
macro_rules! interp_error {
    ($($t:tt)*) => { return Err(taipan_abi::error::raise_str(PyExc_InterpreterError, &format!($($t)*))) };
}

/// `_PyInterpreterState_WHENCE_STDLIB`.
const WHENCE_STDLIB: c_long = 5;
/// `PyInterpreterConfig_SHARED_GIL`, `PyInterpreterConfig_OWN_GIL`.
const SHARED_GIL: c_int = 1;
const OWN_GIL: c_int = 2;

// ---- views of another interpreter's memory

/// `_interpreters.CrossInterpreterBufferView`: holds a buffer of an object of another interpreter.
#[repr(C)]
struct BufferViewObject {
    ob_base: PyObject,
    view: *mut Py_buffer,
    interpid: i64,
}

unsafe extern "C" fn release_view(view: *mut c_void) -> c_int {
    // SAFETY: [OWN] the memory is freed by the caller.
    unsafe { PyBuffer_Release(view.cast()) };
    0
}

unsafe extern "C" fn bufferview_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let slf = op.cast::<BufferViewObject>();
        let view = (*slf).view;
        let exc = PyErr_GetRaisedException();
        let mut interp = _PyInterpreterState_LookUpID((*slf).interpid);
        if interp.is_null() {
            // Its interpreter has ended; the buffer's owner is still there.
            PyErr_Clear();
            interp = current();
        }
        _Py_CallInInterpreterAndRawFree(interp, release_view, view.cast());
        PyErr_SetRaisedException(exc);
        PyObject_Free(op.cast());
    }
}

unsafe extern "C" fn bufferview_getbuffer(op: *mut PyObject, view: *mut Py_buffer, _flags: c_int) -> c_int {
    // SAFETY: [ARGS] the buffer lives as long as this object, which the view keeps.
    unsafe {
        core::ptr::copy_nonoverlapping((*op.cast::<BufferViewObject>()).view, view, 1);
        Py_INCREF(op);
        (*view).obj = op;
        (*view).internal = null_mut();
        0
    }
}

static mut BUFFERVIEW_AS_BUFFER: PyBufferProcs = PyBufferProcs { bf_getbuffer: Some(bufferview_getbuffer), bf_releasebuffer: None };

static mut BUFFERVIEW: PyTypeObject = PyTypeObject {
    tp_name: c"_interpreters.CrossInterpreterBufferView".as_ptr(),
    tp_basicsize: size_of::<BufferViewObject>() as Py_ssize_t,
    tp_dealloc: Some(bufferview_dealloc),
    tp_as_buffer: &raw mut BUFFERVIEW_AS_BUFFER,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

unsafe extern "C" fn memoryview_from_data(data: *mut CrossData) -> *mut PyObject {
    // SAFETY: [ARGS] the object takes the buffer over.
    let make = || unsafe {
        let op = Owned::from_owned_or_err(PyType_GenericAlloc(&raw mut BUFFERVIEW, 0))?;
        let slf = op.as_ptr().cast::<BufferViewObject>();
        (*slf).view = (*data).data.cast();
        (*slf).interpid = (*data).interpid;
        Owned::from_owned_or_err(PyMemoryView_FromObject(op.as_ptr()))
    };
    make().into_c()
}

unsafe extern "C" fn memoryview_shared(ts: *mut PyThreadState, op: *mut PyObject, data: *mut CrossData) -> c_int {
    const PYBUF_FULL_RO: c_int = 0x0100 | 0x0010 | 0x0008 | 0x0004;
    // SAFETY: [ARGS]
    unsafe {
        let view = PyMem_RawMalloc(size_of::<Py_buffer>()).cast::<Py_buffer>();
        if view.is_null() {
            PyErr_NoMemory();
            return -1;
        }
        if PyObject_GetBuffer(op, view, PYBUF_FULL_RO) < 0 {
            PyMem_RawFree(view.cast());
            return -1;
        }
        _PyCrossInterpreterData_Init(data, (*ts).interp, view.cast(), null_mut(), Some(memoryview_from_data));
        0
    }
}

// ---- configurations

fn named_config(name: &str) -> PyResult<PyInterpreterConfig> {
    let config = |obmalloc, restricted: c_int, threads, check, gil| PyInterpreterConfig {
        use_main_obmalloc: obmalloc,
        allow_fork: restricted,
        allow_exec: restricted,
        allow_threads: threads,
        allow_daemon_threads: restricted,
        check_multi_interp_extensions: check,
        gil,
    };
    Ok(match name {
        "" | "default" | "isolated" => config(0, 0, 1, 1, OWN_GIL),
        "legacy" => config(1, 1, 1, 0, SHARED_GIL),
        "empty" => config(0, 0, 0, 0, 0),
        _ => bail!(PyExc_ValueError, "unsupported config name '{name}'"),
    })
}

unsafe fn text_of<'a>(op: *mut PyObject) -> PyResult<&'a str> {
    // SAFETY: [ARGS] a str; the caller keeps it.
    unsafe {
        let mut n = 0;
        let p = PyUnicode_AsUTF8AndSize(op, &mut n);
        if p.is_null() {
            return Err(Raised::assume());
        }
        Ok(core::str::from_utf8_unchecked(core::slice::from_raw_parts(p.cast(), n as usize)))
    }
}

unsafe fn config_of(op: Option<Borrowed<'_>>) -> PyResult<PyInterpreterConfig> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(op) = op.filter(|o| !o.is_none()) else { return named_config("") };
        if PyUnicode_Check(op.ob()) != 0 {
            return named_config(text_of(op.ob())?);
        }
        let Some(dict) = Owned::from_owned_or_opt(PyObject_GetAttrString(op.ob(), c"__dict__".as_ptr())) else {
            PyErr_Format(PyExc_TypeError, c"bad config %R".as_ptr(), op.ob());
            return Err(Raised::assume());
        };
        let mut c = named_config("empty")?;
        check_status(_PyInterpreterConfig_InitFromDict(&mut c, dict.as_ptr()))?;
        Ok(c)
    }
}

unsafe fn config_object(mut c: PyInterpreterConfig) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let dict = Owned::from_owned_or_err(_PyInterpreterConfig_AsDict(&mut c))?;
        Owned::from_owned_or_err(_PyNamespace_New(dict.as_ptr()))
    }
}

fn interp_new_config(_: (), args: Args<'_>, overrides: Kwargs<'_>) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        if args.len() > 1 {
            bail!(PyExc_TypeError, "_interpreters.new_config() takes at most 1 argument ({} given)", args.len());
        }
        let mut name = "";
        if let Some(&arg) = args.0.first() {
            if PyUnicode_Check(arg) == 0 {
                let got = if arg == Py_None() { "None".into() } else { type_name(arg) };
                bail!(PyExc_TypeError, "_interpreters.new_config() argument 1 must be str, not {got}");
            }
            name = text_of(arg)?;
        }
        let mut c = named_config(name)?;
        if !overrides.is_empty() {
            let dict = overrides.to_dict()?;
            check_status(_PyInterpreterConfig_UpdateFromDict(&mut c, dict.as_ptr()))?;
        }
        config_object(c)
    }
}

// ---- finding interpreters

/// The interpreter of a number, the running one without number; InterpreterError where it won't do.
unsafe fn resolve(id: Option<Borrowed<'_>>, restricted: bool, needs_ready: bool, op: &str) -> PyResult<*mut PyInterpreterState> {
    // SAFETY: [ARGS]
    unsafe {
        let interp = match id {
            None => current(),
            Some(id) => {
                let found = _PyInterpreterState_LookUpIDObject(id.ob());
                if found.is_null() {
                    return Err(Raised::assume());
                }
                found
            }
        };
        let shown = |id: Borrowed<'_>| -> PyResult<String> {
            let r = Owned::from_owned_or_err(PyObject_Repr(id.ob()))?;
            Ok(text_of(r.as_ptr())?.to_string())
        };
        if needs_ready && _PyInterpreterState_IsReady(interp) == 0 {
            match id {
                None => interp_error!("cannot {op} current interpreter (not ready)"),
                Some(id) => interp_error!("cannot {op} interpreter {} (not ready)", shown(id)?),
            }
        }
        if restricted && _PyInterpreterState_GetWhence(interp) != WHENCE_STDLIB {
            match id {
                None => interp_error!("cannot {op} unrecognized current interpreter"),
                Some(id) => interp_error!("cannot {op} unrecognized interpreter {}", shown(id)?),
            }
        }
        Ok(interp)
    }
}

unsafe fn is_running_main(interp: *mut PyInterpreterState) -> bool {
    // SAFETY: [ARGS]
    unsafe { _PyInterpreterState_IsRunningMain(interp) != 0 || interp == PyInterpreterState_Main() }
}

unsafe fn summary(interp: *mut PyInterpreterState) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let id = Owned::from_owned_or_err(_PyInterpreterState_GetIDObject(interp))?;
        tuple(vec![id, int(_PyInterpreterState_GetWhence(interp))?])
    }
}

// ---- functions

fn interp_create(_: (), config: Option<Borrowed<'_>>, reqrefs: bool) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        let mut c = config_of(config)?;
        let mut whence = WHENCE_STDLIB;
        let interp = _PyXI_NewInterpreter(&mut c, &mut whence, null_mut(), null_mut());
        if interp.is_null() {
            let context = PyErr_GetRaisedException();
            let _ = taipan_abi::error::raise_str(PyExc_InterpreterError, "interpreter creation failed");
            let exc = PyErr_GetRaisedException();
            PyException_SetContext(exc, context);
            PyErr_SetRaisedException(exc);
            return Err(Raised::assume());
        }
        let id = match Owned::from_owned_or_err(_PyInterpreterState_GetIDObject(interp)) {
            Ok(id) => id,
            Err(e) => {
                _PyXI_EndInterpreter(interp, null_mut(), null_mut());
                return Err(e);
            }
        };
        if reqrefs {
            _PyInterpreterState_RequireIDRef(interp, 1);
        }
        Ok(id)
    }
}

fn interp_destroy(_: (), id: Borrowed<'_>, restrict: bool) -> PyResult<()> {
    // SAFETY: live.
    unsafe {
        let interp = resolve(Some(id), restrict, false, "destroy")?;
        if interp == current() {
            interp_error!("cannot destroy the current interpreter");
        }
        if is_running_main(interp) {
            interp_error!("interpreter running");
        }
        _PyXI_EndInterpreter(interp, null_mut(), null_mut());
        Ok(())
    }
}

fn interp_list_all(_: (), require_ready: bool) -> PyResult<Owned> {
    // SAFETY: [GIL] interpreters come and go with the GIL held.
    unsafe {
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        let mut interp = PyInterpreterState_Head();
        while !interp.is_null() {
            if !require_ready || _PyInterpreterState_IsReady(interp) != 0 {
                let item = summary(interp)?;
                check_status(PyList_Insert(list.as_ptr(), 0, item.as_ptr()))?;
            }
            interp = PyInterpreterState_Next(interp);
        }
        Ok(list)
    }
}

fn interp_get_current(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { summary(current()) }
}
fn interp_get_main(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { summary(PyInterpreterState_Main()) }
}

fn interp_set_main_attrs(_: (), id: Borrowed<'_>, updates: Borrowed<'_>, restrict: bool) -> PyResult<()> {
    // SAFETY: live.
    unsafe {
        let interp = resolve(Some(id), restrict, true, "update __main__ for")?;
        if !updates.is_none() {
            let size = PyObject_Size(updates.ob());
            if size < 0 {
                return Err(Raised::assume());
            }
            if size == 0 {
                bail!(PyExc_ValueError, "arg 2 must be a non-empty mapping");
            }
        }
        let mut excinfo = null_mut();
        let r = _PyXI_RunInInterpreter(interp, updates.ob(), None, null_mut(), &mut excinfo);
        drop(Owned::<PyObject>::from_owned_or_opt(excinfo));
        check_status(r)
    }
}

/// What is run in another interpreter, in a form that doesn't belong to any.
enum Script {
    Text(Owned),
    Code(Owned),
}

unsafe fn bad_argument(fname: &CStr, expected: &CStr, arg: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        _PyArg_BadArgument(fname.as_ptr(), c"argument 2".as_ptr(), expected.as_ptr(), arg);
        Raised::assume()
    }
}

unsafe fn script_of(arg: Borrowed<'_>, fname: &CStr, expected: &CStr) -> PyResult<Script> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(arg.ob()) == 0 {
            return Err(bad_argument(fname, expected, arg.ob()));
        }
        if PyUnicode_GET_LENGTH(arg.ob()) == 0 {
            bail!(PyExc_ValueError, "{}(): bad script text (too short)", fname.to_string_lossy());
        }
        if text_of(arg.ob())?.contains('\0') {
            bail!(PyExc_ValueError, "source code string cannot contain null bytes");
        }
        Ok(Script::Text(arg.to_owned()))
    }
}

unsafe fn code_of(arg: Borrowed<'_>, fname: &CStr, expected: &CStr) -> PyResult<Script> {
    const CO_VARARGS: c_int = 4;
    const CO_VARKEYWORDS: c_int = 8;
    // SAFETY: [ARGS]
    unsafe {
        let name = fname.to_string_lossy();
        let (code, kind) = if PyFunction_Check(arg.ob()) != 0 {
            if !PyFunction_GetClosure(arg.ob()).is_null() {
                bail!(PyExc_ValueError, "{name}(): closures not supported");
            }
            let code = PyFunction_GetCode(arg.ob());
            if code.is_null() {
                PyErr_Clear();
                bail!(PyExc_ValueError, "{name}(): func.__code__ missing");
            }
            (code, "func")
        } else if PyCode_Check(arg.ob()) != 0 {
            (arg.ob(), "code object")
        } else {
            return Err(bad_argument(fname, expected, arg.ob()));
        };
        let co = &*code.cast::<PyCodeObject>();
        let problem = if co.co_argcount > 0 || co.co_posonlyargcount > 0 || co.co_kwonlyargcount > 0 || co.co_flags & (CO_VARARGS | CO_VARKEYWORDS) != 0 {
            Some("arguments not supported")
        } else if co.co_ncellvars > 0 {
            Some("closures not supported")
        } else if !co.co_extra.is_null() {
            Some("only basic functions are supported")
        } else {
            None
        };
        if let Some(problem) = problem {
            bail!(PyExc_ValueError, "{name}(): bad {kind} ({problem})");
        }
        const MARSHAL_VERSION: c_int = 4;
        Ok(Script::Code(Owned::from_owned_or_err(PyMarshal_WriteObjectToString(code, MARSHAL_VERSION))?))
    }
}

unsafe extern "C" fn run_script(ns: *mut PyObject, arg: *mut c_void) -> c_int {
    const FILE_INPUT: c_int = 257;
    // SAFETY: [ARGS] the caller keeps the script.
    unsafe {
        let result = match &*arg.cast::<Script>() {
            Script::Text(text) => {
                let mut n = 0;
                PyRun_StringFlags(PyUnicode_AsUTF8AndSize(text.as_ptr(), &mut n), FILE_INPUT, ns, ns, null_mut())
            }
            Script::Code(bytes) => {
                match Owned::from_owned_or_opt(PyMarshal_ReadObjectFromString(PyBytes_AsString(bytes.as_ptr()), PyBytes_Size(bytes.as_ptr()))) {
                    Some(code) => PyEval_EvalCode(code.as_ptr(), ns, ns),
                    None => null_mut(),
                }
            }
        };
        if result.is_null() {
            return -1;
        }
        Py_DECREF(result);
        0
    }
}

/// Runs a script; gives None, or a snapshot of what it raised.
unsafe fn run(interp: *mut PyInterpreterState, mut script: Script, shared: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if shared.is_some_and(|s| PyDict_CheckExact(s.ob()) == 0) {
            bail!(PyExc_TypeError, "expected 'shared' to be a dict");
        }
        let mut excinfo = null_mut();
        let shared = shared.map_or(null_mut(), |s| s.ob());
        if _PyXI_RunInInterpreter(interp, shared, Some(run_script), (&raw mut script).cast(), &mut excinfo) < 0 {
            return Owned::from_owned_or_err(excinfo);
        }
        Ok(none())
    }
}

fn interp_exec(_: (), id: Borrowed<'_>, code: Borrowed<'_>, shared: Option<Borrowed<'_>>, restrict: bool) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        let interp = resolve(Some(id), restrict, true, "exec code for")?;
        let expected = c"a string, a function, or a code object";
        let convert = if PyUnicode_Check(code.ob()) != 0 { script_of } else { code_of };
        let script = convert(code, c"_interpreters.exec", expected)?;
        run(interp, script, shared)
    }
}
fn interp_call(_: (), id: Borrowed<'_>, callable: Borrowed<'_>, args: Option<Borrowed<'_>>, kwargs: Option<Borrowed<'_>>, restrict: bool) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        let interp = resolve(Some(id), restrict, true, "make a call in")?;
        if args.is_some() {
            bail!(PyExc_ValueError, "got unexpected args");
        }
        if kwargs.is_some() {
            bail!(PyExc_ValueError, "got unexpected kwargs");
        }
        let script = code_of(callable, c"_interpreters.call", c"a function")?;
        run(interp, script, None)
    }
}
fn interp_run_string(_: (), id: Borrowed<'_>, script: taipan_clinic::Str<'_>, shared: Option<Borrowed<'_>>, restrict: bool) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        let interp = resolve(Some(id), restrict, true, "run a string in")?;
        let script = script_of(Borrowed::from_ptr(script.ob()), c"_interpreters.run_string", c"a string")?;
        run(interp, script, shared)
    }
}
fn interp_run_func(_: (), id: Borrowed<'_>, func: Borrowed<'_>, shared: Option<Borrowed<'_>>, restrict: bool) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        let interp = resolve(Some(id), restrict, true, "run a function in")?;
        let script = code_of(func, c"_interpreters.exec", c"a function or a code object")?;
        run(interp, script, shared)
    }
}

fn interp_is_shareable(_: (), obj: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        let yes = _PyObject_CheckCrossInterpreterData(obj.ob()) == 0;
        PyErr_Clear();
        Ok(boolean(yes))
    }
}
fn interp_is_running(_: (), id: Borrowed<'_>, restrict: bool) -> PyResult<bool> {
    // SAFETY: live.
    unsafe { Ok(is_running_main(resolve(Some(id), restrict, true, "check if running for")?)) }
}
fn interp_get_config(_: (), id: Borrowed<'_>, restrict: bool) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        let id = Some(id).filter(|i| !i.is_none());
        let interp = resolve(id, restrict, false, "get the config of")?;
        let mut c = named_config("empty")?;
        check_status(_PyInterpreterConfig_InitFromState(&mut c, interp))?;
        config_object(c)
    }
}
fn interp_whence(_: (), id: Borrowed<'_>) -> PyResult<i64> {
    // SAFETY: live.
    unsafe { Ok(_PyInterpreterState_GetWhence(resolve(Some(id), false, false, "")?)) }
}
fn interp_incref(_: (), id: Borrowed<'_>, implieslink: bool, restrict: bool) -> PyResult<()> {
    // SAFETY: live.
    unsafe {
        let interp = resolve(Some(id), restrict, true, "incref")?;
        if implieslink {
            _PyInterpreterState_RequireIDRef(interp, 1);
        }
        check_status(_PyInterpreterState_IDIncref(interp))
    }
}
fn interp_decref(_: (), id: Borrowed<'_>, restrict: bool) -> PyResult<()> {
    // SAFETY: live.
    unsafe {
        let interp = resolve(Some(id), restrict, true, "decref")?;
        _PyInterpreterState_IDDecref(interp);
        Ok(())
    }
}
fn interp_capture_exception(_: (), exc: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        let Some(exc) = exc else {
            // The exception that is being raised stays.
            let raised = PyErr_GetRaisedException();
            if raised.is_null() {
                return Ok(none());
            }
            let captured = Owned::from_owned_or_opt(_PyXI_CaptureException(raised));
            PyErr_SetRaisedException(raised);
            return captured.ok_or_else(|| Raised::assume());
        };
        if PyExceptionInstance_Check(exc.ob()) == 0 {
            PyErr_Format(PyExc_TypeError, c"expected exception, got %R".as_ptr(), exc.ob());
            return Err(Raised::assume());
        }
        Owned::from_owned_or_err(_PyXI_CaptureException(exc.ob()))
    }
}

methods! {
    static METHODS = [
        "new_config($module, /, *args, **overrides)" => interp_new_config, "new_config(name='isolated', /, **overrides)\n\nA configuration for an interpreter: one of 'isolated' ('default'), 'legacy' and\n'empty', with changes.";
        "create($module, /, config=<unrepresentable>, *, reqrefs=False)" => interp_create, "Make an interpreter; returns its number. With reqrefs it ends with the last\nreference to that (incref(), decref()).";
        "destroy($module, /, id, *, restrict=False)" => interp_destroy, "End an interpreter that runs nothing.";
        "list_all($module, /, *, require_ready=False)" => interp_list_all, "Number and origin of each interpreter.";
        "get_current($module, /)" => interp_get_current, "Number and origin of the running interpreter.";
        "get_main($module, /)" => interp_get_main, "Number and origin of the main interpreter.";
        "is_running($module, /, id, *, restrict=False)" => interp_is_running, "Whether code runs in an interpreter's __main__.";
        "get_config($module, /, id, *, restrict=False)" => interp_get_config, "The configuration that an interpreter was made with.";
        "whence($module, /, id)" => interp_whence, "Who has made an interpreter (WHENCE_*).";
        "exec($module, /, id, code, shared=<unrepresentable>, *, restrict=False)" => interp_exec, "Run source text, a function's code or a code object in an interpreter's __main__,\nafter the names of the dict shared were set there. Returns None, or a snapshot of\nthe exception that ended it.";
        "call($module, /, id, callable, args=<unrepresentable>, kwargs=<unrepresentable>, *, restrict=False)" => interp_call, "Run the code of a function without parameters in an interpreter.";
        "run_string($module, /, id, script, shared=<unrepresentable>, *, restrict=False)" => interp_run_string, "Run source text in an interpreter; see exec().";
        "run_func($module, /, id, func, shared=<unrepresentable>, *, restrict=False)" => interp_run_func, "Run a function's code in an interpreter; see exec().";
        "set___main___attrs($module, /, id, updates, *, restrict=False)" => interp_set_main_attrs, "Set names in an interpreter's __main__.";
        "incref($module, /, id, *, implieslink=False, restrict=False)" => interp_incref, "Count a reference to an interpreter's number.";
        "decref($module, /, id, *, restrict=False)" => interp_decref, "Give a reference to an interpreter's number up.";
        "is_shareable($module, /, obj)" => interp_is_shareable, "Whether what the object stands for can be passed to another interpreter.";
        "capture_exception($module, /, exc=None)" => interp_capture_exception, "A snapshot of an exception, by default of the one being raised.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    for (name, value) in [
        (c"WHENCE_UNKNOWN", 0),
        (c"WHENCE_RUNTIME", 1),
        (c"WHENCE_LEGACY_CAPI", 2),
        (c"WHENCE_CAPI", 3),
        (c"WHENCE_XI", 4),
        (c"WHENCE_STDLIB", WHENCE_STDLIB),
    ] {
        add_int(module, name, value)?;
    }
    // SAFETY: [GIL] exception classes and static types.
    unsafe {
        add_object(module, c"InterpreterError", Ok(Owned::from_borrowed(PyExc_InterpreterError)))?;
        add_object(module, c"InterpreterNotFoundError", Ok(Owned::from_borrowed(PyExc_InterpreterNotFoundError)))?;
        let class = _PyXI_GetNotShareableError();
        if class.is_null() {
            return Err(Raised::assume());
        }
        add_object(module, c"NotShareableError", Ok(Owned::from_borrowed(class)))?;
        add_type(module, &raw mut BUFFERVIEW)?;
        check_status(_PyCrossInterpreterData_RegisterClass(&raw mut PyMemoryView_Type, Some(memoryview_shared)))
    }
}

module! {
    /// Entry point of `_interpreters`.
    pub fn PyInit__interpreters = "_interpreters", "Making interpreters and running code in them.", methods: METHODS, exec: exec;
}
