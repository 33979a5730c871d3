//! Functions, class methods and static methods.

use crate::object::{_PyObject_IsAbstract, dict_get, dict_set, err_format, gc_new, gc_track, optional_attr, own, raised};
use crate::typeobject::{PyType_GenericAlloc, PyType_GenericNew, TYPE_INIT, tuple_items};
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Dict, constructor, getset, members};

type Ob = *mut PyObject;
type Func<'a> = Borrowed<'a, PyFunctionObject>;
const T_OBJECT: c_int = crate::descrobject::T_OBJECT;
const CO_KINDS: c_int = 0x20 | 0x80 | 0x200;

// ---- watchers ------------------------------------------------------------------------------------------------------

/// What happened to a function.
#[repr(C)]
#[derive(Clone, Copy, PartialEq)]
pub enum PyFunction_WatchEvent {
    /// It was made.
    Create,
    /// It is going away.
    Destroy,
    /// Its code changes.
    ModifyCode,
    /// Its defaults change.
    ModifyDefaults,
    /// Its keyword-only defaults change.
    ModifyKwDefaults,
}

/// A function watcher's callback.
pub type PyFunction_WatchCallback = unsafe extern "C" fn(event: PyFunction_WatchEvent, func: *mut PyFunctionObject, new_value: Ob) -> c_int;
const FUNC_MAX_WATCHERS: usize = 8;
/// The callbacks by number. Each interpreter has its own; the running one's are in the static variable.
pub type FuncWatchers = [Option<PyFunction_WatchCallback>; FUNC_MAX_WATCHERS];
static mut WATCHERS: FuncWatchers = [None; FUNC_MAX_WATCHERS];
static mut ACTIVE_WATCHERS: u8 = 0;

/// Exchanges the watchers when another interpreter runs.
pub fn swap_func_watchers(other: &mut FuncWatchers) {
    // SAFETY: [STATIC]
    unsafe {
        let all = &mut *(&raw mut WATCHERS);
        core::mem::swap(all, other);
        ACTIVE_WATCHERS = all.iter().enumerate().fold(0, |bits, (i, w)| bits | (w.is_some() as u8) << i);
    }
}

#[cold]
#[inline(never)]
unsafe fn notify_watchers(event: PyFunction_WatchEvent, func: *mut PyFunctionObject, new_value: Ob) {
    // SAFETY: [GIL]
    unsafe {
        let name = match event {
            PyFunction_WatchEvent::Create => c"PyFunction_EVENT_CREATE",
            PyFunction_WatchEvent::Destroy => c"PyFunction_EVENT_DESTROY",
            PyFunction_WatchEvent::ModifyCode => c"PyFunction_EVENT_MODIFY_CODE",
            PyFunction_WatchEvent::ModifyDefaults => c"PyFunction_EVENT_MODIFY_DEFAULTS",
            PyFunction_WatchEvent::ModifyKwDefaults => c"PyFunction_EVENT_MODIFY_KWDEFAULTS",
        };
        for i in 0..FUNC_MAX_WATCHERS {
            if let Some(callback) = WATCHERS[i]
                && callback(event, func, new_value) < 0
            {
                PyErr_FormatUnraisable(
                    c"Exception ignored in %s watcher callback for function %U at %p".as_ptr(),
                    name.as_ptr(),
                    (*func).func_qualname,
                    func,
                );
            }
        }
    }
}

#[inline(always)]
unsafe fn handle_event(event: PyFunction_WatchEvent, func: *mut PyFunctionObject, new_value: Ob) {
    // SAFETY: [GIL]
    unsafe {
        if ACTIVE_WATCHERS != 0 {
            notify_watchers(event, func, new_value);
        }
    }
}

/// Registers a function watcher; its id, or -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFunction_AddWatcher(callback: Option<PyFunction_WatchCallback>) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        for i in 0..FUNC_MAX_WATCHERS {
            if WATCHERS[i].is_none() {
                WATCHERS[i] = callback;
                ACTIVE_WATCHERS |= 1 << i;
                return i as c_int;
            }
        }
    }
    let _ = raise!(PyExc_RuntimeError, "no more func watcher IDs available");
    -1
}

/// Unregisters a function watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFunction_ClearWatcher(id: c_int) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        let Some(i) = usize::try_from(id).ok().filter(|&i| i < FUNC_MAX_WATCHERS) else {
            let _ = raise!(PyExc_ValueError, "invalid func watcher ID {id}");
            return -1;
        };
        if WATCHERS[i].is_none() {
            let _ = raise!(PyExc_ValueError, "no func watcher set for ID {id}");
            return -1;
        }
        WATCHERS[i] = None;
        ACTIVE_WATCHERS &= !(1 << i);
        0
    }
}

// ---- versions ------------------------------------------------------------------------------------------------------

/// Functions and code objects by version, so that an optimiser that knows the number finds them. Entries are cleared when
/// the function changes or goes away.
#[derive(Clone, Copy)]
struct VersionEntry {
    func: *mut PyFunctionObject,
    code: Ob,
}
const VERSION_CACHE_SIZE: u32 = 1 << 12;
static mut VERSION_CACHE: [VersionEntry; VERSION_CACHE_SIZE as usize] =
    [VersionEntry { func: null_mut(), code: null_mut() }; VERSION_CACHE_SIZE as usize];

fn version_entry(version: u32) -> *mut VersionEntry {
    // SAFETY: the index is below the size.
    unsafe { (&raw mut VERSION_CACHE).cast::<VersionEntry>().add((version % VERSION_CACHE_SIZE) as usize) }
}

/// Gives a function a version, zero for "none": the interpreter's guards then fail.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyFunction_SetVersion(func: *mut PyFunctionObject, version: u32) {
    // SAFETY: [ARGS]
    unsafe {
        if (*func).func_version != 0 {
            let entry = version_entry((*func).func_version);
            if (*entry).func == func {
                (*entry).func = null_mut();
            }
        }
        (*func).func_version = version;
        if version != 0 {
            *version_entry(version) = VersionEntry { func, code: (*func).func_code };
        }
    }
}

/// Forgets a code object that is going away.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyFunction_ClearCodeByVersion(version: u32) {
    // SAFETY: [GIL] an entry's code is alive.
    unsafe {
        let entry = version_entry(version);
        if !(*entry).code.is_null() && (*(*entry).code.cast::<PyCodeObject>()).co_version == version {
            *entry = VersionEntry { func: null_mut(), code: null_mut() };
        }
    }
}

/// The function (lent, or NULL) and the code object with a version.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyFunction_LookupByVersion(version: u32, code: *mut Ob) -> *mut PyFunctionObject {
    // SAFETY: [ARGS]
    unsafe {
        let entry = *version_entry(version);
        *code = null_mut();
        if !entry.code.is_null() && (*entry.code.cast::<PyCodeObject>()).co_version == version {
            *code = entry.code;
        }
        if !entry.func.is_null() && (*entry.func).func_version == version { entry.func } else { null_mut() }
    }
}

// ---- creation ------------------------------------------------------------------------------------------------------

unsafe fn function_new(code: Ob, globals: Ob, qualname: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS] everything that can fail comes first.
    unsafe {
        let co: *mut PyCodeObject = code.cast();
        let qualname = if qualname.is_null() { (*co).co_qualname } else { qualname };
        let consts = tuple_items((*co).co_consts);
        let doc = consts.first().copied().filter(|&d| PyUnicode_Check(d) != 0).unwrap_or(Py_None());
        let module = dict_get(globals, intern!("__name__"))?;
        let builtins = _PyEval_BuiltinsFromGlobals(current_tstate(), globals);
        if builtins.is_null() {
            return Err(raised());
        }
        let count = |op: Ob| {
            Py_INCREF(op);
            op
        };
        let f: *mut PyFunctionObject = gc_new(&raw mut PyFunction_Type)?;
        (*f).func_globals = count(globals);
        (*f).func_builtins = count(builtins);
        (*f).func_name = count((*co).co_name);
        (*f).func_qualname = count(qualname);
        (*f).func_code = count(code);
        (*f).func_defaults = null_mut();
        (*f).func_kwdefaults = null_mut();
        (*f).func_closure = null_mut();
        (*f).func_doc = count(doc);
        (*f).func_dict = null_mut();
        (*f).func_weakreflist = null_mut();
        (*f).func_module = module.map_or(null_mut(), |m| m.into_raw());
        (*f).func_annotations = null_mut();
        (*f).func_typeparams = null_mut();
        (*f).vectorcall = Some(_PyFunction_Vectorcall);
        (*f).func_version = 0;
        let f = gc_track(f);
        handle_event(PyFunction_WatchEvent::Create, f.as_ptr().cast(), null_mut());
        Ok(f)
    }
}

/// A function of a code object; its qualified name comes from the code object if NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFunction_NewWithQualName(code: Ob, globals: Ob, qualname: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { function_new(code, globals, qualname).into_c() }
}

/// A function of a code object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFunction_New(code: Ob, globals: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { function_new(code, globals, null_mut()).into_c() }
}

unsafe fn checked(op: Ob) -> Option<*mut PyFunctionObject> {
    // SAFETY: [ARGS]
    unsafe {
        if PyFunction_Check(op) == 0 {
            PyErr_BadInternalCall();
            return None;
        }
        Some(op.cast())
    }
}

macro_rules! getters {
    ($($(#[$m:meta])* $name:ident $field:ident)*) => { $(
        $(#[$m])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(op: Ob) -> Ob {
            // SAFETY: [ARGS]
            unsafe { checked(op).map_or(null_mut(), |f| (*f).$field) }
        }
    )* };
}
getters! {
    /// `__code__`, lent.
    PyFunction_GetCode func_code
    /// `__globals__`, lent.
    PyFunction_GetGlobals func_globals
    /// `__module__`, lent.
    PyFunction_GetModule func_module
    /// `__defaults__`, lent, or NULL.
    PyFunction_GetDefaults func_defaults
    /// `__kwdefaults__`, lent, or NULL.
    PyFunction_GetKwDefaults func_kwdefaults
    /// `__closure__`, lent, or NULL.
    PyFunction_GetClosure func_closure
}

/// A value that may be None, which means NULL here.
unsafe fn none_is_null(op: Ob) -> Ob {
    // SAFETY: address of a static.
    if op == unsafe { Py_None() } { null_mut() } else { op }
}

/// Sets `__defaults__`: a tuple or None.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFunction_SetDefaults(op: Ob, defaults: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Some(f) = checked(op) else { return -1 };
        if defaults.is_null() || (defaults != Py_None() && PyTuple_Check(defaults) == 0) {
            let _ = raise!(PyExc_SystemError, "non-tuple default args");
            return -1;
        }
        replace_defaults(f, none_is_null(defaults));
        0
    }
}

unsafe fn replace_defaults(f: *mut PyFunctionObject, value: Ob) {
    // SAFETY: [ARGS]
    unsafe {
        handle_event(PyFunction_WatchEvent::ModifyDefaults, f, value);
        _PyFunction_SetVersion(f, 0);
        Py_XINCREF(value);
        setref(&raw mut (*f).func_defaults, value);
    }
}

/// Sets `__kwdefaults__`: a dict or None.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFunction_SetKwDefaults(op: Ob, defaults: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Some(f) = checked(op) else { return -1 };
        if defaults.is_null() || (defaults != Py_None() && PyDict_Check(defaults) == 0) {
            let _ = raise!(PyExc_SystemError, "non-dict keyword only default args");
            return -1;
        }
        replace_kwdefaults(f, none_is_null(defaults));
        0
    }
}

unsafe fn replace_kwdefaults(f: *mut PyFunctionObject, value: Ob) {
    // SAFETY: [ARGS]
    unsafe {
        handle_event(PyFunction_WatchEvent::ModifyKwDefaults, f, value);
        _PyFunction_SetVersion(f, 0);
        Py_XINCREF(value);
        setref(&raw mut (*f).func_kwdefaults, value);
    }
}

/// Sets `__closure__`: a tuple or None.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFunction_SetClosure(op: Ob, closure: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Some(f) = checked(op) else { return -1 };
        if closure != Py_None() && PyTuple_Check(closure) == 0 {
            let _ = raise!(PyExc_SystemError, "expected tuple for closure, got '{:.100}'", type_name(closure));
            return -1;
        }
        let closure = none_is_null(closure);
        _PyFunction_SetVersion(f, 0);
        Py_XINCREF(closure);
        setref(&raw mut (*f).func_closure, closure);
        0
    }
}

/// Replaces the vectorcall function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFunction_SetVectorcall(f: *mut PyFunctionObject, vectorcall: Option<vectorcallfunc>) {
    // SAFETY: [ARGS]
    unsafe {
        _PyFunction_SetVersion(f, 0);
        (*f).vectorcall = vectorcall;
    }
}

/// The annotations as a dict, lent, or NULL. The compiler leaves them as a flat tuple of names and values.
unsafe fn annotation_dict(f: *mut PyFunctionObject) -> PyResult<Ob> {
    // SAFETY: [TYPE]
    unsafe {
        let annotations = (*f).func_annotations;
        if !annotations.is_null() && PyTuple_CheckExact(annotations) != 0 {
            let dict = own(PyDict_New())?;
            for pair in tuple_items(annotations).chunks_exact(2) {
                dict_set(dict.as_ptr(), pair[0], pair[1])?;
            }
            setref(&raw mut (*f).func_annotations, dict.into_raw());
        }
        Ok((*f).func_annotations)
    }
}

/// `__annotations__`, lent, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFunction_GetAnnotations(op: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { checked(op).map_or(null_mut(), |f| annotation_dict(f).unwrap_or(null_mut())) }
}

/// Sets `__annotations__`: a dict or None.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFunction_SetAnnotations(op: Ob, annotations: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Some(f) = checked(op) else { return -1 };
        if annotations.is_null() || (annotations != Py_None() && PyDict_Check(annotations) == 0) {
            let _ = raise!(PyExc_SystemError, "non-dict annotations");
            return -1;
        }
        let annotations = none_is_null(annotations);
        Py_XINCREF(annotations);
        setref(&raw mut (*f).func_annotations, annotations);
        0
    }
}

/// Sets `__type_params__` and returns the function, counted (an intrinsic of the compiler).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_set_function_type_params(_tstate: *mut PyThreadState, func: Ob, type_params: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        Py_INCREF(type_params);
        setref(&raw mut (*func.cast::<PyFunctionObject>()).func_typeparams, type_params);
        Py_INCREF(func);
        func
    }
}

// ---- attributes ----------------------------------------------------------------------------------------------------

fn get_code(f: Func<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        check_status(PySys_Audit(c"object.__getattr__".as_ptr(), c"Os".as_ptr(), f.as_ptr(), c"__code__".as_ptr()))?;
        Ok(Owned::from_borrowed(f.func_code))
    }
}

fn set_code(f: Func<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let code = value.map_or(null_mut(), |v| v.ob());
        if code.is_null() || (*code).ob_type != &raw mut PyCode_Type {
            bail!(PyExc_TypeError, "__code__ must be set to a code object");
        }
        check_status(PySys_Audit(c"object.__setattr__".as_ptr(), c"OsO".as_ptr(), f.as_ptr(), c"__code__".as_ptr(), code))?;
        let co: *mut PyCodeObject = code.cast();
        let nclosure = if f.func_closure.is_null() { 0 } else { PyTuple_GET_SIZE(f.func_closure) };
        if nclosure != (*co).co_nfreevars as Py_ssize_t {
            return Err(err_format!(
                PyExc_ValueError,
                c"%U() requires a code object with %zd free vars, not %zd",
                f.func_name,
                nclosure,
                (*co).co_nfreevars as Py_ssize_t
            ));
        }
        let old: *mut PyCodeObject = f.func_code.cast();
        if ((*old).co_flags ^ (*co).co_flags) & CO_KINDS != 0 {
            let text = c"Assigning a code object of non-matching type is deprecated (e.g., from a generator to a plain function)";
            check_status(PyErr_WarnEx(PyExc_DeprecationWarning, text.as_ptr(), 1))?;
        }
        handle_event(PyFunction_WatchEvent::ModifyCode, f.as_ptr(), code);
        _PyFunction_SetVersion(f.as_ptr(), 0);
        Py_INCREF(code);
        setref(&raw mut (*f.as_ptr()).func_code, code);
        Ok(())
    }
}

macro_rules! text_attribute {
    ($get:ident $set:ident $field:ident $name:literal) => {
        fn $get(f: Func<'_>) -> PyResult<Owned> {
            // SAFETY: [TYPE]
            Ok(unsafe { Owned::from_borrowed(f.$field) })
        }
        fn $set(f: Func<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
            // SAFETY: [TYPE]
            unsafe {
                match value {
                    Some(v) if PyUnicode_Check(v.ob()) != 0 => {
                        setref(&raw mut (*f.as_ptr()).$field, v.to_owned().into_raw());
                        Ok(())
                    }
                    _ => bail!(PyExc_TypeError, "{} must be set to a string object", $name),
                }
            }
        }
    };
}
text_attribute!(get_name set_name func_name "__name__");
text_attribute!(get_qualname set_qualname func_qualname "__qualname__");

unsafe fn audited(f: Func<'_>, name: &core::ffi::CStr, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        check_status(match value {
            Some(v) => PySys_Audit(c"object.__setattr__".as_ptr(), c"OsO".as_ptr(), f.as_ptr(), name.as_ptr(), v.ob()),
            None => PySys_Audit(c"object.__delattr__".as_ptr(), c"Os".as_ptr(), f.as_ptr(), name.as_ptr()),
        })
    }
}

fn get_defaults(f: Func<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        check_status(PySys_Audit(c"object.__getattr__".as_ptr(), c"Os".as_ptr(), f.as_ptr(), c"__defaults__".as_ptr()))?;
        Ok(Owned::from_borrowed_or_opt(f.func_defaults))
    }
}

fn set_defaults(f: Func<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let value = value.filter(|v| !v.is_none());
        if value.is_some_and(|v| PyTuple_Check(v.ob()) == 0) {
            bail!(PyExc_TypeError, "__defaults__ must be set to a tuple object");
        }
        audited(f, c"__defaults__", value)?;
        replace_defaults(f.as_ptr(), value.map_or(null_mut(), |v| v.ob()));
        Ok(())
    }
}

fn get_kwdefaults(f: Func<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        check_status(PySys_Audit(c"object.__getattr__".as_ptr(), c"Os".as_ptr(), f.as_ptr(), c"__kwdefaults__".as_ptr()))?;
        Ok(Owned::from_borrowed_or_opt(f.func_kwdefaults))
    }
}

fn set_kwdefaults(f: Func<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let value = value.filter(|v| !v.is_none());
        if value.is_some_and(|v| PyDict_Check(v.ob()) == 0) {
            bail!(PyExc_TypeError, "__kwdefaults__ must be set to a dict object");
        }
        audited(f, c"__kwdefaults__", value)?;
        replace_kwdefaults(f.as_ptr(), value.map_or(null_mut(), |v| v.ob()));
        Ok(())
    }
}

fn get_annotations(f: Func<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if f.func_annotations.is_null() {
            (*f.as_ptr()).func_annotations = own(PyDict_New())?.into_raw();
        }
        Ok(Owned::from_borrowed(annotation_dict(f.as_ptr())?))
    }
}

fn set_annotations(f: Func<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let value = value.filter(|v| !v.is_none());
        if value.is_some_and(|v| PyDict_Check(v.ob()) == 0) {
            bail!(PyExc_TypeError, "__annotations__ must be set to a dict object");
        }
        setref(&raw mut (*f.as_ptr()).func_annotations, value.map_or(null_mut(), |v| v.to_owned().into_raw()));
        Ok(())
    }
}

fn get_type_params(f: Func<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        match Owned::from_borrowed_or_opt(f.func_typeparams) {
            Some(params) => Ok(params),
            None => own(PyTuple_New(0)),
        }
    }
}

fn set_type_params(f: Func<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        match value {
            Some(v) if PyTuple_Check(v.ob()) != 0 => {
                setref(&raw mut (*f.as_ptr()).func_typeparams, v.to_owned().into_raw());
                Ok(())
            }
            _ => bail!(PyExc_TypeError, "__type_params__ must be set to a tuple"),
        }
    }
}

/// Getter of `__dict__`.
fn generic_get_dict(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { own(PyObject_GenericGetDict(slf.as_ptr(), null_mut())) }
}

/// Setter of `__dict__`.
fn generic_set_dict(slf: Borrowed<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    check_status(unsafe { PyObject_GenericSetDict(slf.as_ptr(), value.map_or(null_mut(), |v| v.ob()), null_mut()) })
}

members! { static FUNC_MEMBERS = [
    "__closure__", T_OBJECT, offset_of!(PyFunctionObject, func_closure), Py_READONLY, "";
    "__doc__", T_OBJECT, offset_of!(PyFunctionObject, func_doc), 0, "";
    "__globals__", T_OBJECT, offset_of!(PyFunctionObject, func_globals), Py_READONLY, "";
    "__module__", T_OBJECT, offset_of!(PyFunctionObject, func_module), 0, "";
    "__builtins__", T_OBJECT, offset_of!(PyFunctionObject, func_builtins), Py_READONLY, "";
]; }

getset! { static FUNC_GETSETS = [
    "__code__" => get_code, set_code, "";
    "__defaults__" => get_defaults, set_defaults, "";
    "__kwdefaults__" => get_kwdefaults, set_kwdefaults, "";
    "__annotations__" => get_annotations, set_annotations, "The annotations of the parameters and the result.";
    "__dict__" => generic_get_dict, generic_set_dict, "";
    "__name__" => get_name, set_name, "";
    "__qualname__" => get_qualname, set_qualname, "";
    "__type_params__" => get_type_params, set_type_params, "The type parameters that the function declares.";
]; }

/// A code object as an argument.
struct Code<'a>(Borrowed<'a, PyCodeObject>);
impl<'a> taipan_clinic::FromArg<'a> for Code<'a> {
    unsafe fn from_arg(arg: Ob, at: taipan_clinic::from_arg::Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS] required: not NULL.
        unsafe {
            if (*arg).ob_type != &raw mut PyCode_Type {
                return Err(at.bad("code", arg));
            }
            Ok(Code(Borrowed::from_ptr(arg.cast())))
        }
    }
}

fn func_new(
    _: Borrowed<'_, PyTypeObject>,
    code: Code<'_>,
    globals: Dict<'_>,
    name: Option<Borrowed<'_>>,
    defaults: Option<Borrowed<'_>>,
    closure: Option<Borrowed<'_>>,
    kwdefaults: Option<Borrowed<'_>>,
) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let code = code.0;
        let nfree = code.co_nfreevars as Py_ssize_t;
        if name.is_some_and(|n| PyUnicode_Check(n.ob()) == 0) {
            bail!(PyExc_TypeError, "arg 3 (name) must be None or string");
        }
        if defaults.is_some_and(|d| PyTuple_Check(d.ob()) == 0) {
            bail!(PyExc_TypeError, "arg 4 (defaults) must be None or tuple");
        }
        match closure {
            None if nfree != 0 => bail!(PyExc_TypeError, "arg 5 (closure) must be tuple"),
            Some(c) if PyTuple_Check(c.ob()) == 0 => bail!(PyExc_TypeError, "arg 5 (closure) must be None or tuple"),
            _ => {}
        }
        if kwdefaults.is_some_and(|d| PyDict_Check(d.ob()) == 0) {
            bail!(PyExc_TypeError, "arg 6 (kwdefaults) must be None or dict");
        }
        let cells: &[Ob] = closure.map_or(&[], |c| tuple_items(c.ob()));
        if cells.len() as Py_ssize_t != nfree {
            return Err(err_format!(
                PyExc_ValueError,
                c"%U requires closure of length %zd, not %zd",
                code.co_name,
                nfree,
                cells.len() as Py_ssize_t
            ));
        }
        for &cell in cells {
            if PyCell_Check(cell) == 0 {
                bail!(PyExc_TypeError, "arg 5 (closure) expected cell, found {}", type_name(cell));
            }
        }
        check_status(PySys_Audit(c"function.__new__".as_ptr(), c"O".as_ptr(), code.ob()))?;
        let new = function_new(code.ob(), globals.ob(), null_mut())?;
        let f: *mut PyFunctionObject = new.as_ptr().cast();
        if let Some(name) = name {
            setref(&raw mut (*f).func_name, name.to_owned().into_raw());
        }
        let take = |v: Option<Borrowed<'_>>| v.map_or(null_mut(), |v| v.to_owned().into_raw());
        (*f).func_defaults = take(defaults);
        (*f).func_closure = take(closure);
        (*f).func_kwdefaults = take(kwdefaults);
        Ok(new)
    }
}

// ---- slots ---------------------------------------------------------------------------------------------------------

unsafe extern "C" fn func_clear(op: Ob) -> c_int {
    // SAFETY: [TYPE] code, name and qualified name are never NULL; names may be str subclasses that refer to anything.
    unsafe {
        let f: *mut PyFunctionObject = op.cast();
        _PyFunction_SetVersion(f, 0);
        Py_CLEAR(&raw mut (*f).func_globals);
        Py_CLEAR(&raw mut (*f).func_builtins);
        Py_CLEAR(&raw mut (*f).func_module);
        Py_CLEAR(&raw mut (*f).func_defaults);
        Py_CLEAR(&raw mut (*f).func_kwdefaults);
        Py_CLEAR(&raw mut (*f).func_doc);
        Py_CLEAR(&raw mut (*f).func_dict);
        Py_CLEAR(&raw mut (*f).func_closure);
        Py_CLEAR(&raw mut (*f).func_annotations);
        Py_CLEAR(&raw mut (*f).func_typeparams);
        setref(&raw mut (*f).func_name, intern!(""));
        setref(&raw mut (*f).func_qualname, intern!(""));
        0
    }
}

unsafe extern "C" fn func_dealloc(op: Ob) {
    // SAFETY: [OWN] a watcher may bring the function back to life.
    unsafe {
        let f: *mut PyFunctionObject = op.cast();
        if ACTIVE_WATCHERS != 0 {
            (*op).ob_refcnt.ob_refcnt = 1;
            notify_watchers(PyFunction_WatchEvent::Destroy, f, null_mut());
            (*op).ob_refcnt.ob_refcnt -= 1;
            if (*op).ob_refcnt.ob_refcnt != 0 {
                return;
            }
        }
        crate::gc::gc_untrack(op);
        if !(*f).func_weakreflist.is_null() {
            PyObject_ClearWeakRefs(op);
        }
        func_clear(op);
        Py_DECREF((*f).func_code);
        Py_DECREF((*f).func_name);
        Py_DECREF((*f).func_qualname);
        PyObject_GC_Del(op.cast());
    }
}

unsafe extern "C" fn func_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let f: *mut PyFunctionObject = op.cast();
        py_visit!(visitor, arg;
            (*f).func_code, (*f).func_globals, (*f).func_builtins, (*f).func_module, (*f).func_defaults,
            (*f).func_kwdefaults, (*f).func_doc, (*f).func_name, (*f).func_dict, (*f).func_closure,
            (*f).func_annotations, (*f).func_typeparams, (*f).func_qualname);
        0
    }
}

unsafe extern "C" fn func_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { PyUnicode_FromFormat(c"<function %U at %p>".as_ptr(), (*op.cast::<PyFunctionObject>()).func_qualname, op) }
}

unsafe extern "C" fn func_descr_get(func: Ob, obj: Ob, _: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if obj.is_null() || obj == Py_None() {
            Py_INCREF(func);
            return func;
        }
        crate::classobject::PyMethod_New(func, obj)
    }
}

/// `function`.
#[unsafe(no_mangle)]
pub static mut PyFunction_Type: PyTypeObject = PyTypeObject {
    tp_name: c"function".as_ptr(),
    tp_basicsize: size_of::<PyFunctionObject>() as Py_ssize_t,
    tp_dealloc: Some(func_dealloc),
    tp_vectorcall_offset: offset_of!(PyFunctionObject, vectorcall) as Py_ssize_t,
    tp_repr: Some(func_repr),
    tp_call: Some(PyVectorcall_Call),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    tp_doc: c"function(code, globals, name=None, argdefs=None, closure=None,\n         kwdefaults=None)\n--\n\nMake a function.\n\n  code\n    its code object\n  globals\n    its global variables\n  name\n    a name other than the code object's\n  argdefs\n    a tuple of default values\n  closure\n    a tuple of cells for the free variables\n  kwdefaults\n    a dict of default values of keyword-only parameters".as_ptr(),
    tp_traverse: Some(func_traverse),
    tp_clear: Some(func_clear),
    tp_weaklistoffset: offset_of!(PyFunctionObject, func_weakreflist) as Py_ssize_t,
    tp_members: (&raw mut FUNC_MEMBERS).cast(),
    tp_getset: (&raw mut FUNC_GETSETS).cast(),
    tp_descr_get: Some(func_descr_get),
    tp_dictoffset: offset_of!(PyFunctionObject, func_dict) as Py_ssize_t,
    tp_new: Some(constructor!("function(code, globals, name=None, argdefs=None, closure=None, kwdefaults=None)" => func_new)),
    ..TYPE_INIT
};

// ---- classmethod and staticmethod ----------------------------------------------------------------------------------

/// A class or static method: the callable and a dict for attributes.
#[repr(C)]
struct Wrapped {
    ob_base: PyObject,
    callable: Ob,
    dict: Ob,
}
type Wrap<'a> = Borrowed<'a, Wrapped>;

/// Copies what `functools.wraps` copies.
unsafe fn functools_wraps(wrapper: Ob, wrapped: Ob) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        for name in [
            intern!("__module__"),
            intern!("__name__"),
            intern!("__qualname__"),
            intern!("__doc__"),
            intern!("__annotations__"),
        ] {
            if let Some(value) = optional_attr(wrapped, name)? {
                check_status(PyObject_SetAttr(wrapper, name, value.as_ptr()))?;
            }
        }
        Ok(())
    }
}

unsafe fn wrapped_init(op: Ob, args: Ob, kwargs: Ob, name: &str) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if !kwargs.is_null() && PyDict_Size(kwargs) != 0 {
            bail!(PyExc_TypeError, "{name}() takes no keyword arguments");
        }
        let items = tuple_items(args);
        let &[callable] = items else {
            bail!(PyExc_TypeError, "{name} expected 1 argument, got {}", items.len());
        };
        Py_INCREF(callable);
        setref(&raw mut (*op.cast::<Wrapped>()).callable, callable);
        functools_wraps(op, callable)
    }
}

unsafe extern "C" fn cm_init(op: Ob, args: Ob, kwargs: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe { wrapped_init(op, args, kwargs, "classmethod").into_c() }
}
unsafe extern "C" fn sm_init(op: Ob, args: Ob, kwargs: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe { wrapped_init(op, args, kwargs, "staticmethod").into_c() }
}

unsafe extern "C" fn wrapped_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        let w: *mut Wrapped = op.cast();
        Py_XDECREF((*w).callable);
        Py_XDECREF((*w).dict);
        match (*(*op).ob_type).tp_free {
            Some(free) => free(op.cast()),
            None => PyObject_GC_Del(op.cast()),
        }
    }
}
unsafe extern "C" fn wrapped_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let w: *mut Wrapped = op.cast();
        py_visit!(visitor, arg; (*w).callable, (*w).dict);
        0
    }
}
unsafe extern "C" fn wrapped_clear(op: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let w: *mut Wrapped = op.cast();
        Py_CLEAR(&raw mut (*w).callable);
        Py_CLEAR(&raw mut (*w).dict);
        0
    }
}
unsafe extern "C" fn cm_descr_get(op: Ob, obj: Ob, tp: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let callable = (*op.cast::<Wrapped>()).callable;
        if callable.is_null() {
            let _ = raise!(PyExc_RuntimeError, "uninitialized classmethod object");
            return null_mut();
        }
        crate::classobject::PyMethod_New(callable, if tp.is_null() { (*obj).ob_type.cast() } else { tp })
    }
}
unsafe extern "C" fn sm_descr_get(op: Ob, _: Ob, _: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let callable = (*op.cast::<Wrapped>()).callable;
        if callable.is_null() {
            let _ = raise!(PyExc_RuntimeError, "uninitialized staticmethod object");
            return null_mut();
        }
        Py_INCREF(callable);
        callable
    }
}
unsafe extern "C" fn sm_call(op: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let callable = (*op.cast::<Wrapped>()).callable;
        if callable.is_null() {
            let _ = raise!(PyExc_RuntimeError, "uninitialized staticmethod object");
            return null_mut();
        }
        PyObject_Call(callable, args, kwargs)
    }
}
unsafe extern "C" fn cm_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { PyUnicode_FromFormat(c"<classmethod(%R)>".as_ptr(), (*op.cast::<Wrapped>()).callable) }
}
unsafe extern "C" fn sm_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { PyUnicode_FromFormat(c"<staticmethod(%R)>".as_ptr(), (*op.cast::<Wrapped>()).callable) }
}
fn wrapped_isabstract(slf: Wrap<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe { _PyObject_IsAbstract(slf.callable) }
}

members! { static WRAPPED_MEMBERS = [
    "__func__", T_OBJECT, offset_of!(Wrapped, callable), Py_READONLY, "";
    "__wrapped__", T_OBJECT, offset_of!(Wrapped, callable), Py_READONLY, "";
]; }
getset! { static WRAPPED_GETSETS = [
    "__isabstractmethod__" => wrapped_isabstract, "";
    "__dict__" => generic_get_dict, generic_set_dict, "";
]; }

const WRAPPED_INIT: PyTypeObject = PyTypeObject {
    tp_basicsize: size_of::<Wrapped>() as Py_ssize_t,
    tp_dealloc: Some(wrapped_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(wrapped_traverse),
    tp_clear: Some(wrapped_clear),
    tp_dictoffset: offset_of!(Wrapped, dict) as Py_ssize_t,
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(PyType_GenericNew),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

/// `classmethod`.
#[unsafe(no_mangle)]
pub static mut PyClassMethod_Type: PyTypeObject = PyTypeObject {
    tp_name: c"classmethod".as_ptr(),
    tp_repr: Some(cm_repr),
    tp_doc: c"classmethod(function, /)\n--\n\nMake a function a method that gets the class as its first argument, whether called on the class or on an instance.\n\nUsed as a decorator. A derived class passes itself.".as_ptr(),
    tp_members: (&raw mut WRAPPED_MEMBERS).cast(),
    tp_getset: (&raw mut WRAPPED_GETSETS).cast(),
    tp_descr_get: Some(cm_descr_get),
    tp_init: Some(cm_init),
    ..WRAPPED_INIT
};

/// `staticmethod`.
#[unsafe(no_mangle)]
pub static mut PyStaticMethod_Type: PyTypeObject = PyTypeObject {
    tp_name: c"staticmethod".as_ptr(),
    tp_repr: Some(sm_repr),
    tp_call: Some(sm_call),
    tp_doc: c"staticmethod(function, /)\n--\n\nMake a function a method that gets neither instance nor class.\n\nUsed as a decorator.".as_ptr(),
    tp_members: (&raw mut WRAPPED_MEMBERS).cast(),
    tp_getset: (&raw mut WRAPPED_GETSETS).cast(),
    tp_descr_get: Some(sm_descr_get),
    tp_init: Some(sm_init),
    ..WRAPPED_INIT
};

unsafe fn wrapped_new(tp: *mut PyTypeObject, callable: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let op = PyType_GenericAlloc(tp, 0);
        if !op.is_null() {
            Py_INCREF(callable);
            (*op.cast::<Wrapped>()).callable = callable;
        }
        op
    }
}

/// A class method of a callable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyClassMethod_New(callable: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { wrapped_new(&raw mut PyClassMethod_Type, callable) }
}

/// A static method of a callable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStaticMethod_New(callable: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { wrapped_new(&raw mut PyStaticMethod_Type, callable) }
}
