//! `_ctypes.CFuncPtr`: functions of libraries, at addresses, and made of Python callables.

use crate::callbacks::{CThunkObject, code, new_thunk};
use crate::callproc::{MAX_ARGUMENTS, call_function, has_code};
use crate::cdata::*;
use crate::instances::stored_address;
use crate::module::{dl_error, library_handle};
use crate::state::{class_name, class_name_of, dict_item, is_a, optional_attr, state};
use crate::stginfo::*;
use core::ffi::{CStr, c_int, c_void};
use core::ptr::null_mut;
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::getset;
use taipan_clinic::support::*;

/// A function.
#[repr(C)]
pub struct CFuncPtrObject {
    data: CDataObject,
    thunk: *mut PyObject,
    callable: *mut PyObject,
    converters: *mut PyObject,
    argtypes: *mut PyObject,
    restype: *mut PyObject,
    checker: *mut PyObject,
    errcheck: *mut PyObject,
    paramflags: *mut PyObject,
}
type Func<'a> = Borrowed<'a, CFuncPtrObject>;

/// The `from_param` methods of a sequence of types, as a tuple.
///
/// # Safety
/// `argtypes` is live.
pub unsafe fn converters(argtypes: *mut PyObject) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let Some(types) = Owned::from_owned_or_opt(PySequence_Tuple(argtypes)) else {
            bail!(PyExc_TypeError, "_argtypes_ must be a sequence of types");
        };
        let count = PyTuple_Size(types.as_ptr());
        if count > MAX_ARGUMENTS {
            return Err(raise_str(state().argument_error, &format!("_argtypes_ has too many arguments ({count}), maximum is {MAX_ARGUMENTS}")));
        }
        let mut found = Vec::new();
        for i in 0..count {
            match optional_attr(PyTuple_GetItem(types.as_ptr(), i), intern!("from_param"))? {
                Some(method) => found.push(method),
                None => bail!(PyExc_TypeError, "item {} in _argtypes_ has no from_param method", i + 1),
            }
        }
        tuple(found)
    }
}

/// TypeError unless `restype` can be a result's type.
///
/// # Safety
/// `restype` is live.
pub unsafe fn check_restype(restype: *mut PyObject, shown: &str) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if restype != Py_None() && info_of(restype).is_none() && PyCallable_Check(restype) == 0 {
            bail!(PyExc_TypeError, "{shown} must be a type, a callable, or None");
        }
    }
    Ok(())
}

fn or_none(op: *mut PyObject) -> Owned {
    // SAFETY: [ARGS] NULL or live.
    unsafe { Owned::from_borrowed_or_opt(op) }.unwrap_or_else(none)
}

fn errcheck(slf: Func<'_>) -> PyResult {
    Ok(or_none(slf.errcheck))
}
fn set_errcheck(slf: Func<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if value.is_some_and(|v| PyCallable_Check(v.ob()) == 0) {
            bail!(PyExc_TypeError, "the errcheck attribute must be callable");
        }
        setref(&raw mut (*slf.as_ptr()).errcheck, value.map_or(null_mut(), |v| v.to_owned().into_raw()));
    }
    Ok(())
}
fn restype(slf: Func<'_>) -> PyResult {
    if slf.restype.is_null() {
        return Ok(or_none(info_of_data(slf.as_ptr().cast())?.restype));
    }
    Ok(or_none(slf.restype))
}
fn set_restype(slf: Func<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let mut checker = None;
        if let Some(value) = value {
            check_restype(value.ob(), "restype")?;
            checker = optional_attr(value.ob(), intern!("_check_retval_"))?;
        }
        let f = slf.as_ptr();
        setref(&raw mut (*f).checker, checker.map_or(null_mut(), Owned::into_raw));
        setref(&raw mut (*f).restype, value.map_or(null_mut(), |v| v.to_owned().into_raw()));
    }
    Ok(())
}
fn argtypes(slf: Func<'_>) -> PyResult {
    if slf.argtypes.is_null() {
        return Ok(or_none(info_of_data(slf.as_ptr().cast())?.argtypes));
    }
    Ok(or_none(slf.argtypes))
}
fn set_argtypes(slf: Func<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let f = slf.as_ptr();
        let value = value.filter(|v| !v.is_none());
        let converters = match value {
            Some(value) => converters(value.ob())?.into_raw(),
            None => null_mut(),
        };
        setref(&raw mut (*f).converters, converters);
        setref(&raw mut (*f).argtypes, value.map_or(null_mut(), |v| v.to_owned().into_raw()));
    }
    Ok(())
}
getset! {
    static GETSET = [
        "errcheck" => errcheck, set_errcheck, "called with the result, the function and the arguments";
        "restype" => restype, set_restype, "the type of the result";
        "argtypes" => argtypes, set_argtypes, "the types of the arguments";
    ];
}

// ---- making one

const IN: c_int = 1;
const OUT: c_int = 2;
const LCID: c_int = 4;

/// One parameter's flags, name and default.
struct ParamFlag {
    flag: c_int,
    name: *mut PyObject,
    default: *mut PyObject,
}

/// Reads an item of `paramflags`; its parts are lent by the item.
unsafe fn param_flag(item: *mut PyObject) -> PyResult<ParamFlag> {
    let mut p = ParamFlag { flag: 0, name: null_mut(), default: null_mut() };
    // SAFETY: [ARGS]
    unsafe {
        let parsed = PyTuple_Check(item) != 0 && PyArg_ParseTuple(item, c"i|OO".as_ptr(), &raw mut p.flag, &raw mut p.name, &raw mut p.default) != 0;
        if !parsed || !(p.name.is_null() || p.name == Py_None() || PyUnicode_Check(p.name) != 0) {
            bail!(PyExc_TypeError, "paramflags must be a sequence of (int [,string [,value]]) tuples");
        }
    }
    Ok(p)
}

/// Checks a function's `paramflags` against the argument types of its class.
unsafe fn validate_paramflags(tp: *mut PyObject, paramflags: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let argtypes = info_or_abstract(tp)?.argtypes;
        if paramflags.is_null() || argtypes.is_null() {
            return Ok(());
        }
        if PyTuple_Check(paramflags) == 0 {
            bail!(PyExc_TypeError, "paramflags must be a tuple or None");
        }
        let argtypes = Owned::from_owned_or_err(PySequence_Tuple(argtypes))?;
        if PyTuple_Size(paramflags) != PyTuple_Size(argtypes.as_ptr()) {
            bail!(PyExc_ValueError, "paramflags must have the same length as argtypes");
        }
        for i in 0..PyTuple_Size(paramflags) {
            let p = param_flag(PyTuple_GetItem(paramflags, i))?;
            let tp = PyTuple_GetItem(argtypes.as_ptr(), i);
            match p.flag & (IN | OUT | LCID) {
                0 | IN => {}
                f if f == IN | LCID || f == IN | OUT => {}
                OUT => {
                    if !is_a(tp, state().pointer_meta) && !is_a(tp, state().array_meta) && !has_code(tp, b"PzZ") {
                        let name = if PyType_Check(tp) != 0 { class_name(tp) } else { class_name_of(tp) };
                        bail!(PyExc_TypeError, "'out' parameter {} must be a pointer type, not {}", i + 1, name);
                    }
                }
                _ => bail!(PyExc_TypeError, "paramflag value {} not supported", p.flag),
            }
        }
    }
    Ok(())
}

unsafe fn from_library(tp: *mut PyTypeObject, args: *mut PyObject) -> PyResult {
    let (mut spec, mut paramflags) = (null_mut::<PyObject>(), null_mut::<PyObject>());
    let (mut name, mut dll) = (null_mut::<PyObject>(), null_mut::<PyObject>());
    // SAFETY: [ARGS]
    unsafe {
        if PyArg_ParseTuple(args, c"O|O".as_ptr(), &raw mut spec, &raw mut paramflags) == 0 {
            return Err(Raised::assume());
        }
        if paramflags == Py_None() {
            paramflags = null_mut();
        }
        let spec = Owned::from_owned_or_err(PySequence_Tuple(spec))?;
        if PyArg_ParseTuple(spec.as_ptr(), c"OO;illegal func_spec argument".as_ptr(), &raw mut name, &raw mut dll) == 0 {
            return Err(Raised::assume());
        }
        let c_name = if PyBytes_Check(name) != 0 {
            CStr::from_ptr(PyBytes_AsString(name)).to_owned()
        } else if PyUnicode_Check(name) != 0 {
            let text = PyUnicode_AsUTF8AndSize(name, null_mut());
            if text.is_null() {
                return Err(Raised::assume());
            }
            CString::from(CStr::from_ptr(text))
        } else {
            bail!(PyExc_TypeError, "function name must be string, bytes object or integer");
        };
        let shown = c_name.to_string_lossy();
        audit(c"ctypes.dlsym", &[dll, string(&shown)?.as_ptr()])?;
        let handle = library_handle(dll)?;
        libc::dlerror();
        let address = libc::dlsym(handle, c_name.as_ptr());
        if address.is_null() {
            return Err(dl_error(PyExc_AttributeError, &format!("function '{shown}' not found")));
        }
        validate_paramflags(tp.cast(), paramflags)?;
        let made = new_cdata(tp.cast())?;
        let f = made.as_ptr().cast::<CFuncPtrObject>();
        (*f).paramflags = Owned::from_borrowed_or_opt(paramflags).map_or(null_mut(), Owned::into_raw);
        (*made.as_ptr()).b_ptr.cast::<*mut c_void>().write_unaligned(address);
        keep_reference(made.as_ptr(), 0, Owned::from_borrowed(dll))?;
        (*f).callable = made.clone().into_raw_object();
        Ok(made.into_object())
    }
}

unsafe fn make(tp: *mut PyTypeObject, args: *mut PyObject) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let count = PyTuple_Size(args);
        if count == 0 {
            return new_cdata(tp.cast()).map(Owned::into_object);
        }
        let first = PyTuple_GetItem(args, 0);
        if PyTuple_Check(first) != 0 {
            return from_library(tp, args);
        }
        if count == 1 && PyLong_Check(first) != 0 {
            let address = PyLong_AsVoidPtr(first);
            if address.is_null() && err_occurred() {
                return Err(Raised::assume());
            }
            let made = new_cdata(tp.cast())?;
            (*made.as_ptr()).b_ptr.cast::<*mut c_void>().write_unaligned(address);
            return Ok(made.into_object());
        }
        let mut callable = null_mut::<PyObject>();
        if PyArg_ParseTuple(args, c"O".as_ptr(), &raw mut callable) == 0 {
            return Err(Raised::assume());
        }
        if PyCallable_Check(callable) == 0 {
            bail!(PyExc_TypeError, "argument must be callable or integer function address");
        }
        let (argtypes, restype, flags) = match info_of(tp.cast()) {
            Some(info) if !info.argtypes.is_null() => (info.argtypes, info.restype, info.flags),
            _ => bail!(PyExc_TypeError, "cannot construct instance of this class: no argtypes"),
        };
        let restype = if restype.is_null() { Py_None() } else { restype };
        let thunk: Owned<CThunkObject> = new_thunk(callable, argtypes, restype, flags)?;
        let made = new_cdata(tp.cast())?;
        let f = made.as_ptr().cast::<CFuncPtrObject>();
        (*made.as_ptr()).b_ptr.cast::<*mut c_void>().write_unaligned(code(&thunk));
        (*f).callable = Owned::from_borrowed(callable).into_raw();
        (*f).thunk = thunk.clone().into_raw_object();
        keep_reference(made.as_ptr(), 0, thunk.into_object())?;
        Ok(made.into_object())
    }
}

unsafe extern "C" fn funcptr_new(tp: *mut PyTypeObject, args: *mut PyObject, _kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe { make(tp, args) }.into_c()
}

// ---- calling one

/// The arguments that a call passes on, and which of them give results.
struct Prepared {
    args: Owned,
    /// Indexes of 'out' and of 'in, out' arguments, in order; whether the former.
    results: Vec<(isize, bool)>,
}

unsafe fn prepare(f: *mut CFuncPtrObject, argtypes: *mut PyObject, given: *mut PyObject, kwargs: *mut PyObject) -> PyResult<Prepared> {
    // SAFETY: [TYPE]
    unsafe {
        let paramflags = (*f).paramflags;
        if argtypes.is_null() || paramflags.is_null() {
            return Ok(Prepared { args: Owned::from_borrowed(given), results: Vec::new() });
        }
        let argtypes = Owned::from_owned_or_err(PySequence_Tuple(argtypes))?;
        let count = PyTuple_Size(argtypes.as_ptr());
        if count == 0 {
            return Ok(Prepared { args: Owned::from_borrowed(given), results: Vec::new() });
        }
        if PyTuple_Size(paramflags) < count {
            bail!(PyExc_ValueError, "paramflags must have the same length as argtypes");
        }
        let (mut used, mut items, mut results) = (0, Vec::new(), Vec::new());
        for i in 0..count {
            let p = param_flag(PyTuple_GetItem(paramflags, i))?;
            match p.flag & (IN | OUT | LCID) {
                f if f == IN | LCID => items.push(match Owned::from_borrowed_or_opt(p.default) {
                    Some(default) => default,
                    None => int(0)?,
                }),
                f if f == 0 || f == IN || f == IN | OUT => {
                    if f == IN | OUT {
                        results.push((i, false));
                    }
                    items.push(take_argument(&mut used, &p, given, kwargs)?);
                }
                OUT => {
                    results.push((i, true));
                    if let Some(default) = Owned::from_borrowed_or_opt(p.default) {
                        items.push(default);
                        continue;
                    }
                    let tp = PyTuple_GetItem(argtypes.as_ptr(), i);
                    let Some(info) = info_of(tp) else { bail!(PyExc_RuntimeError, "NULL stginfo unexpected") };
                    if !info.proto.is_null() && PyUnicode_Check(info.proto) != 0 {
                        bail!(PyExc_TypeError, "{} 'out' parameter must be passed as default value", class_name(tp));
                    }
                    // A new array, or a new object of the type pointed to.
                    items.push(call0(if is_a(tp, state().array_meta) { tp } else { info.proto })?);
                }
                flag => bail!(PyExc_ValueError, "paramflag {} not yet implemented", flag),
            }
        }
        let actual = PyTuple_Size(given) + if kwargs.is_null() { 0 } else { PyDict_Size(kwargs) };
        if actual != used {
            bail!(PyExc_TypeError, "call takes exactly {} arguments ({} given)", used, actual);
        }
        Ok(Prepared { args: tuple(items)?, results })
    }
}

/// The next argument that the caller gave: by position, by name, or by default.
unsafe fn take_argument(used: &mut isize, p: &ParamFlag, given: *mut PyObject, kwargs: *mut PyObject) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        if *used < PyTuple_Size(given) {
            *used += 1;
            return Ok(Owned::from_borrowed(PyTuple_GetItem(given, *used - 1)));
        }
        if !kwargs.is_null()
            && !p.name.is_null()
            && let Some(value) = dict_item(kwargs, p.name)?
        {
            *used += 1;
            return Ok(value);
        }
        if let Some(default) = Owned::from_borrowed_or_opt(p.default) {
            return Ok(default);
        }
        if p.name.is_null() {
            bail!(PyExc_TypeError, "not enough arguments");
        }
        PyErr_Format(PyExc_TypeError, c"required argument '%S' missing".as_ptr(), p.name);
        Err(Raised::assume())
    }
}

unsafe extern "C" fn funcptr_call(slf: *mut PyObject, given: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] called as tp_call.
    unsafe { call_it(slf.cast(), given, kwargs) }.into_c()
}

unsafe fn call_it(f: *mut CFuncPtrObject, given: *mut PyObject, kwargs: *mut PyObject) -> PyResult {
    // SAFETY: [TYPE]
    unsafe {
        let info = info_of_data(f.cast())?;
        let flags = info.flags;
        // What is used during the call is kept: converters may change the function.
        let pick = |own: *mut PyObject, class: *mut PyObject| Owned::from_borrowed_or_opt(if own.is_null() { class } else { own });
        let restype = pick((*f).restype, info.restype);
        let converters = pick((*f).converters, info.converters);
        let checker = pick((*f).checker, info.checker);
        let argtypes = pick((*f).argtypes, info.argtypes);
        let errcheck = Owned::from_borrowed_or_opt((*f).errcheck);
        let raw = |o: &Option<Owned>| o.as_ref().map_or(null_mut(), Owned::as_ptr);
        let function = stored_address(f.cast());
        let prepared = prepare(f, raw(&argtypes), given, kwargs)?;
        let args = prepared.args.as_ptr();
        if let Some(converters) = &converters {
            let (required, actual) = (PyTuple_Size(converters.as_ptr()), PyTuple_Size(args));
            let plural = if required == 1 { "" } else { "s" };
            if flags & FUNCFLAG_CDECL != 0 {
                if required > actual {
                    bail!(PyExc_TypeError, "this function takes at least {} argument{} ({} given)", required, plural, actual);
                }
            } else if required != actual {
                bail!(PyExc_TypeError, "this function takes {} argument{} ({} given)", required, plural, actual);
            }
        }
        let converters = converters.as_ref().map(Owned::borrow);
        let mut result = call_function(function.cast(), args, flags, converters, raw(&restype), raw(&checker))?;
        if let Some(errcheck) = errcheck {
            let checked = call(errcheck.as_ptr(), &[result.as_ptr(), f.cast(), args])?;
            if checked.as_ptr() != args {
                return Ok(checked);
            }
        }
        if !prepared.results.is_empty() {
            let mut items = Vec::new();
            for (i, out) in &prepared.results {
                let item = PyTuple_GetItem(args, *i);
                items.push(if *out {
                    Owned::from_owned_or_err(PyObject_CallMethodNoArgs(item, intern!("__ctypes_from_outparam__")))?
                } else {
                    Owned::from_borrowed(item)
                });
            }
            result = if items.len() == 1 { items.remove(0) } else { tuple(items)? };
        }
        Ok(result)
    }
}

// ---- the rest of the type

/// The references of a function, beside those of a ctypes object.
unsafe fn references(f: *mut CFuncPtrObject) -> [*mut *mut PyObject; 8] {
    // SAFETY: [TYPE]
    unsafe {
        [
            &raw mut (*f).thunk,
            &raw mut (*f).callable,
            &raw mut (*f).converters,
            &raw mut (*f).argtypes,
            &raw mut (*f).restype,
            &raw mut (*f).checker,
            &raw mut (*f).errcheck,
            &raw mut (*f).paramflags,
        ]
    }
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        for p in references(slf.cast()) {
            let r = visit::<PyObject>(*p, visitor, arg);
            if r != 0 {
                return r;
            }
        }
        cdata_traverse(slf, visitor, arg)
    }
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        for p in references(slf.cast()) {
            Py_XDECREF(core::mem::replace(&mut *p, null_mut()));
        }
        cdata_clear(slf)
    }
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        clear(slf);
        free_object(slf);
    }
}
unsafe extern "C" fn repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { PyUnicode_FromFormat(c"<%s object at %p>".as_ptr(), (*type_of(slf)).tp_name, slf) }
}
unsafe extern "C" fn is_true(slf: *mut PyObject) -> c_int {
    !stored_address(slf.cast()).is_null() as c_int
}

/// The slots of `CFuncPtr`.
pub fn slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_dealloc, dealloc as *mut c_void),
        (Py_tp_repr, repr as *mut c_void),
        (Py_tp_call, funcptr_call as *mut c_void),
        (Py_tp_doc, c"Base class of C functions.".as_ptr() as *mut c_void),
        (Py_tp_traverse, traverse as *mut c_void),
        (Py_tp_clear, clear as *mut c_void),
        (Py_tp_getset, (&raw mut GETSET).cast()),
        (Py_tp_new, funcptr_new as *mut c_void),
        (Py_bf_getbuffer, cdata_getbuffer as *mut c_void),
        (Py_nb_bool, is_true as *mut c_void),
    ])
}
