//! The exception state of a thread: setting, matching, chaining, normalising; unraisable exceptions.

use crate::sysmodule::audit;
use crate::util::*;
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::va_list::VaListTag;
use taipan_abi::*;

unsafe extern "C" {
    /// objects: unicode
    fn PyUnicode_FromFormatV(format: *const c_char, va: *mut VaListTag) -> *mut PyObject;
}

// ---- state

/// Sets the exception of a thread (stolen, may be NULL).
///
/// # Safety
/// `ts` is live; `exc` is NULL or an owned exception instance.
#[inline(always)]
pub unsafe fn _PyErr_SetRaisedException(ts: *mut PyThreadState, exc: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { setref(&raw mut (*ts).current_exception, exc) }
}

/// Takes the exception of a thread, NULL if none is set.
///
/// # Safety
/// `ts` is live.
#[inline(always)]
pub unsafe fn _PyErr_GetRaisedException(ts: *mut PyThreadState) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { core::mem::replace(&mut (*ts).current_exception, null_mut()) }
}

/// Sets the exception (stolen, NULL clears).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetRaisedException(exc: *mut PyObject) {
    // SAFETY: [GIL]
    unsafe { _PyErr_SetRaisedException(current_tstate(), exc) }
}

/// Takes the exception, NULL if none is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_GetRaisedException() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { _PyErr_GetRaisedException(current_tstate()) }
}

/// The class of the exception that is set, borrowed; NULL if none is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_Occurred() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        let exc = (*current_tstate()).current_exception;
        if exc.is_null() { null_mut() } else { (*exc).ob_type.cast() }
    }
}

/// Drops the exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_Clear() {
    // SAFETY: [GIL]
    unsafe { _PyErr_SetRaisedException(current_tstate(), null_mut()) }
}

/// Drops the exception of a thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_Clear(ts: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe { _PyErr_SetRaisedException(ts, null_mut()) }
}

/// Makes an instance: a tuple is the argument list, `None` or NULL no argument, anything else the only argument.
unsafe fn _PyErr_CreateException(class: *mut PyObject, value: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let exc = if value.is_null() || value == Py_None() {
            own(PyObject_CallNoArgs(class))?
        } else if PyTuple_Check(value) != 0 {
            own(PyObject_Call(class, value, null_mut()))?
        } else {
            own(PyObject_CallOneArg(class, value))?
        };
        if PyExceptionInstance_Check(exc.as_ptr()) == 0 {
            bail!(
                PyExc_TypeError,
                "calling {} should have returned an instance of BaseException, not {}",
                repr(class)?,
                type_name(exc.as_ptr())
            );
        }
        Ok(exc)
    }
}

/// The innermost entry of the stack of handled exceptions that holds one.
///
/// # Safety
/// `ts` is live.
#[inline]
pub unsafe fn _PyErr_GetTopmostException(ts: *mut PyThreadState) -> *mut _PyErr_StackItem {
    // SAFETY: [ARGS] the stack is linked from the thread's own entry.
    unsafe {
        let mut info = (*ts).exc_info;
        while ((*info).exc_value.is_null() || (*info).exc_value == Py_None()) && !(*info).previous_item.is_null() {
            info = (*info).previous_item;
        }
        info
    }
}

/// The note that tells which exception could not be made.
unsafe fn normalization_failure_note(class: *mut PyObject, value: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let name = tp_name(class.cast());
        let args = if value.is_null() {
            String::from("None")
        } else {
            match repr(value) {
                Ok(r) => r,
                Err(e) => {
                    e.clear();
                    String::from("<unknown>")
                }
            }
        };
        new_str(&format!("Normalization failed: type={name} args={args}"))
    }
}

/// Sets an exception of class `exception` with `value`: an instance, an argument, a tuple of arguments or NULL. The
/// exception being handled becomes its context.
///
/// # Safety
/// `ts` is the running thread's state.
pub unsafe fn _PyErr_SetObject(ts: *mut PyThreadState, exception: *mut PyObject, value: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if !exception.is_null() && PyExceptionClass_Check(exception) == 0 {
            if let Ok(r) = repr(exception) {
                let _ = raise!(PyExc_SystemError, "_PyErr_SetObject: exception {r} is not a BaseException subclass");
            }
            return;
        }
        let mut fits = false;
        if !value.is_null() && PyExceptionInstance_Check(value) != 0 {
            // A metaclass of its own may see that differently.
            fits = (*value).ob_type.cast() == exception && (*exception).ob_type == &raw mut PyType_Type || {
                let r = PyObject_IsSubclass((*value).ob_type.cast(), exception);
                if r < 0 {
                    return;
                }
                r != 0
            };
        }
        let value = if fits {
            Owned::from_borrowed(value)
        } else {
            let hold = Owned::from_borrowed_or_opt(value);
            _PyErr_SetRaisedException(ts, null_mut());
            match _PyErr_CreateException(exception, value) {
                Ok(exc) => exc,
                Err(_) => {
                    let exc = _PyErr_GetRaisedException(ts);
                    if let Ok(note) = normalization_failure_note(exception, value) {
                        if let Err(e) = call_method(exc, intern!("add_note"), &[note.as_ptr()]) {
                            e.clear();
                        }
                    }
                    PyErr_Clear();
                    drop(hold);
                    _PyErr_SetRaisedException(ts, exc);
                    return;
                }
            }
        };
        let handled = (*_PyErr_GetTopmostException(ts)).exc_value;
        if !handled.is_null() && handled != Py_None() && handled != value.as_ptr() {
            chain_context(value.as_ptr(), handled);
        }
        _PyErr_SetRaisedException(ts, value.into_raw());
    }
}

/// Makes `handled` the context of `value`; where `value` is already further down `handled`'s chain, the chain is cut there
/// so that no cycle arises. Cycles that exist already are detected (Floyd).
unsafe fn chain_context(value: *mut PyObject, handled: *mut PyObject) {
    // SAFETY: [TYPE] both are exception instances.
    unsafe {
        let context = |o: *mut PyObject| (*o.cast::<PyBaseExceptionObject>()).context;
        let (mut o, mut slow, mut step) = (handled, handled, false);
        loop {
            let next = context(o);
            if next.is_null() {
                break;
            }
            if next == value {
                PyException_SetContext(o, null_mut());
                break;
            }
            o = next;
            if o == slow {
                break;
            }
            if step {
                slow = context(slow);
            }
            step = !step;
        }
        Py_INCREF(handled);
        PyException_SetContext(value, handled);
    }
}

/// Sets an exception; see [`_PyErr_SetObject`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetObject(exception: *mut PyObject, value: *mut PyObject) {
    // SAFETY: [GIL]
    unsafe { _PyErr_SetObject(current_tstate(), exception, value) }
}

/// Sets an exception without arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetNone(exception: *mut PyObject) {
    // SAFETY: [GIL]
    unsafe { _PyErr_SetObject(current_tstate(), exception, null_mut()) }
}

/// Sets an exception with a UTF-8 text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetString(exception: *mut PyObject, string: *const c_char) {
    // SAFETY: [ARGS]
    unsafe { _PyErr_SetString(current_tstate(), exception, string) }
}

/// Sets an exception with a text in the encoding of the locale, such as the C library's messages have.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_SetLocaleString(exception: *mut PyObject, string: *const c_char) {
    // SAFETY: [ARGS]
    unsafe {
        if let Ok(text) = own(PyUnicode_DecodeLocale(string, c"surrogateescape".as_ptr())) {
            PyErr_SetObject(exception, text.as_ptr());
        }
    }
}

/// As [`PyErr_SetString`] for a given thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_SetString(ts: *mut PyThreadState, exception: *mut PyObject, string: *const c_char) {
    // SAFETY: [ARGS]
    unsafe {
        if let Ok(text) = own(PyUnicode_FromString(string)) {
            _PyErr_SetObject(ts, exception, text.as_ptr());
        }
    }
}

/// Sets KeyError with `key` as its only argument, even where it is a tuple or an exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_SetKeyError(key: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if let Ok(exc) = own(PyObject_CallOneArg(PyExc_KeyError, key)) {
            _PyErr_SetObject(current_tstate(), (*exc.as_ptr()).ob_type.cast(), exc.as_ptr());
        }
    }
}

/// Sets an exception by its parts (all stolen), made into one instance.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_Restore(class: *mut PyObject, value: *mut PyObject, traceback: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let ts = current_tstate();
        let class = Owned::from_owned_or_opt(class);
        let value = Owned::from_owned_or_opt(value);
        let mut traceback = Owned::from_owned_or_opt(traceback);
        let Some(class) = class else {
            _PyErr_SetRaisedException(ts, null_mut());
            return;
        };
        let exc = match value {
            Some(v) if (*v.as_ptr()).ob_type.cast() == class.as_ptr() => v,
            v => match _PyErr_CreateException(class.as_ptr(), v.as_ref().map_or(null_mut(), |v| v.as_ptr())) {
                Ok(e) => e,
                Err(_) => return,
            },
        };
        if let Some(tb) = &traceback
            && (*tb.as_ptr()).ob_type != &raw mut PyTraceBack_Type
        {
            if tb.as_ptr() != Py_None() {
                let _ = raise!(PyExc_TypeError, "traceback must be a Traceback or None");
                return;
            }
            traceback = None;
        }
        let base: *mut PyBaseExceptionObject = exc.as_ptr().cast();
        setref(&raw mut (*base).traceback, traceback.map_or(null_mut(), |t| t.into_raw()));
        _PyErr_SetRaisedException(ts, exc.into_raw());
    }
}

/// Takes the exception by its parts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_Fetch(ptype: *mut *mut PyObject, pvalue: *mut *mut PyObject, ptb: *mut *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let exc = _PyErr_GetRaisedException(current_tstate());
        *pvalue = exc;
        if exc.is_null() {
            *ptype = null_mut();
            *ptb = null_mut();
            return;
        }
        let tp: *mut PyObject = (*exc).ob_type.cast();
        Py_INCREF(tp);
        *ptype = tp;
        let tb = (*exc.cast::<PyBaseExceptionObject>()).traceback;
        Py_XINCREF(tb);
        *ptb = tb;
    }
}

/// Whether `err`, a class or an instance, is caught by `exc`, a class or a tuple of classes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_GivenExceptionMatches(err: *mut PyObject, exc: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if err.is_null() || exc.is_null() {
            return 0;
        }
        if PyTuple_Check(exc) != 0 {
            for i in 0..PyTuple_GET_SIZE(exc) {
                if PyErr_GivenExceptionMatches(err, PyTuple_GET_ITEM(exc, i)) != 0 {
                    return 1;
                }
            }
            return 0;
        }
        let err = if PyExceptionInstance_Check(err) != 0 { (*err).ob_type.cast() } else { err };
        if PyExceptionClass_Check(err) != 0 && PyExceptionClass_Check(exc) != 0 {
            return PyType_IsSubtype(err.cast(), exc.cast());
        }
        (err == exc) as c_int
    }
}

/// Whether the exception of a thread is caught by `exc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_ExceptionMatches(ts: *mut PyThreadState, exc: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyErr_GivenExceptionMatches((*ts).current_exception, exc) }
}

/// Whether the exception that is set is caught by `exc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_ExceptionMatches(exc: *mut PyObject) -> c_int {
    // SAFETY: [GIL]
    unsafe { _PyErr_ExceptionMatches(current_tstate(), exc) }
}

/// Makes the value an instance of the class, as `PyErr_Fetch` may not have found it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_NormalizeException(exc: *mut *mut PyObject, val: *mut *mut PyObject, tb: *mut *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let mut depth = 0;
        loop {
            let class = *exc;
            if class.is_null() {
                return;
            }
            if (*val).is_null() {
                *val = Owned::from_borrowed(Py_None()).into_raw();
            }
            let made: PyResult<()> = (|| {
                if PyExceptionClass_Check(class) == 0 {
                    return Ok(());
                }
                let mut fits = false;
                if PyExceptionInstance_Check(*val) != 0 {
                    fits = flag(PyObject_IsSubclass((**val).ob_type.cast(), class))?;
                }
                if !fits {
                    let fixed = _PyErr_CreateException(class, *val)?;
                    setref(val, fixed.into_raw());
                } else if (**val).ob_type.cast() != class {
                    let actual = Owned::from_borrowed((**val).ob_type.cast::<PyObject>());
                    setref(exc, actual.into_raw());
                }
                Ok(())
            })();
            let Err(raised) = made else { return };
            if depth >= 32 {
                if raised.matches(PyExc_MemoryError) {
                    fatal("Cannot recover from MemoryErrors while normalizing exceptions.");
                }
                fatal("Cannot recover from the recursive normalization of an exception.");
            }
            depth += 1;
            // The new exception takes the place of the one that could not be made, with the old traceback if it has none.
            let (mut t, mut v, mut b) = (null_mut(), null_mut(), null_mut());
            PyErr_Fetch(&mut t, &mut v, &mut b);
            setref(exc, t);
            setref(val, v);
            if !b.is_null() {
                setref(tb, b);
            }
        }
    }
}

// ---- the exception being handled

/// The exception being handled by a thread, NULL if none; a new reference.
///
/// # Safety
/// `ts` is live.
pub unsafe fn _PyErr_GetHandledException(ts: *mut PyThreadState) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let exc = (*_PyErr_GetTopmostException(ts)).exc_value;
        if exc.is_null() || exc == Py_None() {
            return null_mut();
        }
        Py_INCREF(exc);
        exc
    }
}

/// The exception being handled (`sys.exception()`), NULL if none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_GetHandledException() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { _PyErr_GetHandledException(current_tstate()) }
}

/// Sets the exception being handled (not stolen).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetHandledException(exc: *mut PyObject) {
    // SAFETY: [GIL]
    unsafe {
        let exc = if exc == Py_None() { null_mut() } else { exc };
        Py_XINCREF(exc);
        setref(&raw mut (*(*current_tstate()).exc_info).exc_value, exc);
    }
}

/// The exception being handled, by its parts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_GetExcInfo(ptype: *mut *mut PyObject, pvalue: *mut *mut PyObject, ptb: *mut *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let exc = (*_PyErr_GetTopmostException(current_tstate())).exc_value;
        let (tp, tb) = parts(exc);
        for (to, from) in [(ptype, tp), (pvalue, exc), (ptb, tb)] {
            Py_XINCREF(from);
            *to = from;
        }
    }
}

/// Class and traceback of an exception or None or NULL, borrowed; None where there is none.
unsafe fn parts(exc: *mut PyObject) -> (*mut PyObject, *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if exc.is_null() || exc == Py_None() {
            return (Py_None(), Py_None());
        }
        let tb = (*exc.cast::<PyBaseExceptionObject>()).traceback;
        ((*exc).ob_type.cast(), if tb.is_null() { Py_None() } else { tb })
    }
}

/// Sets the exception being handled by its value (all stolen).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetExcInfo(class: *mut PyObject, value: *mut PyObject, tb: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_SetHandledException(value);
        Py_XDECREF(value);
        Py_XDECREF(class);
        Py_XDECREF(tb);
    }
}

/// The tuple of `sys.exc_info()` for an entry of the stack.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_StackItemToExcInfoTuple(info: *mut _PyErr_StackItem) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let exc = (*info).exc_value;
        let (tp, tb) = parts(exc);
        let value = if exc.is_null() { Py_None() } else { exc };
        _PyTuple_FromArray([tp, value, tb].as_ptr(), 3)
    }
}

/// Makes `exc` (stolen, may be NULL) the context of the exception that is set, or sets it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_ChainExceptions1(exc: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if exc.is_null() {
            return;
        }
        if PyErr_Occurred().is_null() {
            PyErr_SetRaisedException(exc);
        } else {
            let current = PyErr_GetRaisedException();
            PyException_SetContext(current, exc);
            PyErr_SetRaisedException(current);
        }
    }
}

/// Makes the exception being handled the context of the one that is set, as raising it anew would.
///
/// # Safety
/// An exception is set.
pub unsafe fn _PyErr_ChainStackItem() {
    // SAFETY: [GIL]
    unsafe {
        let exc = PyErr_GetRaisedException();
        PyErr_SetObject((*exc).ob_type.cast(), exc);
        Py_DECREF(exc);
    }
}

// ---- convenience

/// TypeError for a wrong argument of a built-in operation; 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_BadArgument() -> c_int {
    let _ = raise!(PyExc_TypeError, "bad argument type for built-in operation");
    0
}

unsafe extern "C" {
    /// objects: exceptions; sets MemoryError without allocating where it can.
    fn _PyErr_NoMemory(ts: *mut PyThreadState) -> *mut PyObject;
}

/// Sets MemoryError; NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_NoMemory() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { _PyErr_NoMemory(current_tstate()) }
}

/// SystemError for a wrong argument of an internal function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_BadInternalCall(file: *const c_char, line: c_int) {
    // SAFETY: [ARGS]
    let file = unsafe { c_text(file) };
    let _ = raise!(PyExc_SystemError, "{file}:{line}: bad argument to internal function");
}

/// SystemError for a wrong argument of an internal function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_BadInternalCall() {
    let _ = raise!(PyExc_SystemError, "bad argument to internal function");
}

/// Sets an exception with a formatted text; NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_FormatV(exc: *mut PyObject, format: *const c_char, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        // Formatting may run code, which must not see an exception.
        PyErr_Clear();
        if let Ok(text) = own(PyUnicode_FromFormatV(format, va)) {
            PyErr_SetObject(exc, text.as_ptr());
        }
        null_mut()
    }
}

/// Makes `cause` (stolen) cause and context of the exception that is set.
///
/// # Safety
/// An exception is set; `cause` is an exception instance.
pub unsafe fn set_cause(cause: *mut PyObject) {
    // SAFETY: [ARGS] the two calls steal one reference each.
    unsafe {
        let new = PyErr_GetRaisedException();
        Py_INCREF(cause);
        PyException_SetCause(new, cause);
        PyException_SetContext(new, cause);
        PyErr_SetRaisedException(new);
    }
}

/// Raises OSError (or `exc`) for `errno`, with two file names (NULL if absent); NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetFromErrnoWithFilenameObjects(exc: *mut PyObject, name1: *mut PyObject, name2: *mut PyObject) -> *mut PyObject {
    let i = crate::ceval_gil::errno();
    // SAFETY: [ARGS]
    let _ = (|| -> PyResult<()> {
        unsafe {
            if i == libc::EINTR && PyErr_CheckSignals() != 0 {
                return Ok(());
            }
            let message = if i == 0 {
                new_str("Error")?
            } else {
                let s = libc::strerror(i);
                own(PyUnicode_DecodeLocale(s, c"surrogateescape".as_ptr()))?
            };
            let code = new_int(i as i64)?;
            let args = if name1.is_null() {
                tuple(&[code.as_ptr(), message.as_ptr()])?
            } else if name2.is_null() {
                tuple(&[code.as_ptr(), message.as_ptr(), name1])?
            } else {
                let zero = new_int(0)?;
                tuple(&[code.as_ptr(), message.as_ptr(), name1, zero.as_ptr(), name2])?
            };
            let v = own(PyObject_Call(exc, args.as_ptr(), null_mut()))?;
            PyErr_SetObject((*v.as_ptr()).ob_type.cast(), v.as_ptr());
            Ok(())
        }
    })();
    null_mut()
}

/// As [`PyErr_SetFromErrnoWithFilenameObjects`] with one name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetFromErrnoWithFilenameObject(exc: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyErr_SetFromErrnoWithFilenameObjects(exc, name, null_mut()) }
}

/// As [`PyErr_SetFromErrnoWithFilenameObjects`] with a C name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetFromErrnoWithFilename(exc: *mut PyObject, filename: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let i = crate::ceval_gil::errno();
        let mut name = None;
        if !filename.is_null() {
            match own(PyUnicode_DecodeFSDefault(filename)) {
                Ok(n) => name = Some(n),
                Err(_) => return null_mut(),
            }
        }
        crate::ceval_gil::set_errno(i);
        PyErr_SetFromErrnoWithFilenameObjects(exc, name.as_ref().map_or(null_mut(), |n| n.as_ptr()), null_mut())
    }
}

/// As [`PyErr_SetFromErrnoWithFilenameObjects`] without names.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetFromErrno(exc: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyErr_SetFromErrnoWithFilenameObjects(exc, null_mut(), null_mut()) }
}

/// Raises an ImportError of a given class with its attributes; NULL.
///
/// # Safety
/// Objects are live or NULL.
pub unsafe fn set_import_error(exception: *mut PyObject, msg: *mut PyObject, name: *mut PyObject, path: *mut PyObject, from_name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let _ = (|| -> PyResult<()> {
        unsafe {
            if !flag(PyObject_IsSubclass(exception, PyExc_ImportError))? {
                bail!(PyExc_TypeError, "expected a subclass of ImportError");
            }
            if msg.is_null() {
                bail!(PyExc_TypeError, "expected a message argument");
            }
            let or_none = |p: *mut PyObject| if p.is_null() { Py_None() } else { p };
            let kwargs = own(PyDict_New())?;
            let k = kwargs.as_ptr();
            dict_set(k, intern!("name"), or_none(name))?;
            dict_set(k, intern!("path"), or_none(path))?;
            dict_set(k, intern!("name_from"), or_none(from_name))?;
            let args = tuple(&[msg])?;
            let error = own(PyObject_Call(exception, args.as_ptr(), k))?;
            PyErr_SetObject((*error.as_ptr()).ob_type.cast(), error.as_ptr());
            Ok(())
        }
    })();
    null_mut()
}

/// Raises an ImportError of a given class; NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetImportErrorSubclass(exception: *mut PyObject, msg: *mut PyObject, name: *mut PyObject, path: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { set_import_error(exception, msg, name, path, null_mut()) }
}

/// Raises ImportError; NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SetImportError(msg: *mut PyObject, name: *mut PyObject, path: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { set_import_error(PyExc_ImportError, msg, name, path, null_mut()) }
}

/// Raises ImportError with the name that could not be imported from the module; NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_SetImportErrorWithNameFrom(msg: *mut PyObject, name: *mut PyObject, path: *mut PyObject, from_name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { set_import_error(PyExc_ImportError, msg, name, path, from_name) }
}

/// A new exception class named `module.class`, with bases (a class or a tuple, default Exception) and a namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_NewException(name: *const c_char, base: *mut PyObject, dict: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let full = c_text(name);
        let Some((module, class)) = full.rsplit_once('.') else {
            bail!(PyExc_SystemError, "PyErr_NewException: name must be module.class");
        };
        let base = if base.is_null() { PyExc_Exception } else { base };
        let dict = if dict.is_null() { own(PyDict_New())? } else { Owned::from_borrowed(dict) };
        if !flag(PyDict_Contains(dict.as_ptr(), intern!("__module__")))? {
            let module = new_str(module)?;
            dict_set(dict.as_ptr(), intern!("__module__"), module.as_ptr())?;
        }
        let bases = if PyTuple_Check(base) != 0 { Owned::from_borrowed(base) } else { tuple(&[base])? };
        let class = new_str(class)?;
        call((&raw mut PyType_Type).cast(), &[class.as_ptr(), bases.as_ptr(), dict.as_ptr()])
    })();
    r.into_c()
}

/// As [`PyErr_NewException`] with a docstring.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_NewExceptionWithDoc(name: *const c_char, doc: *const c_char, base: *mut PyObject, dict: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let dict = if dict.is_null() { own(PyDict_New())? } else { Owned::from_borrowed(dict) };
        if !doc.is_null() {
            let text = own(PyUnicode_FromString(doc))?;
            dict_set(dict.as_ptr(), intern!("__doc__"), text.as_ptr())?;
        }
        own(PyErr_NewException(name, base, dict.as_ptr()))
    })();
    r.into_c()
}

// ---- unraisable exceptions

static mut UNRAISABLE_FIELDS: [PyStructSequence_Field; 6] = [
    PyStructSequence_Field { name: c"exc_type".as_ptr(), doc: c"The exception's class".as_ptr() },
    PyStructSequence_Field { name: c"exc_value".as_ptr(), doc: c"The exception".as_ptr() },
    PyStructSequence_Field { name: c"exc_traceback".as_ptr(), doc: c"Its traceback".as_ptr() },
    PyStructSequence_Field { name: c"err_msg".as_ptr(), doc: c"What went wrong, or None".as_ptr() },
    PyStructSequence_Field { name: c"object".as_ptr(), doc: c"The object concerned, or None".as_ptr() },
    PyStructSequence_Field { name: core::ptr::null(), doc: core::ptr::null() },
];

/// `sys.UnraisableHookArgs`, made at start.
pub static mut UnraisableHookArgs: *mut PyTypeObject = null_mut();

/// Makes the types of this file.
pub fn init_types() -> PyResult<()> {
    // SAFETY: [GIL] called once, at start.
    unsafe {
        if !UnraisableHookArgs.is_null() {
            return Ok(());
        }
        let mut desc = PyStructSequence_Desc {
            name: c"UnraisableHookArgs".as_ptr(),
            doc: c"UnraisableHookArgs\n\nWhat sys.unraisablehook is given.".as_ptr(),
            fields: (&raw mut UNRAISABLE_FIELDS).cast(),
            n_in_sequence: 5,
        };
        UnraisableHookArgs = own(PyStructSequence_NewType(&mut desc))?.into_raw();
        Ok(())
    }
}

unsafe fn file_write(text: &str, file: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let s = new_str(text)?;
        check_status(PyFile_WriteObject(s.as_ptr(), file, Py_PRINT_RAW))
    }
}

/// Writes an unraisable exception to a file, as `sys.__unraisablehook__` does.
unsafe fn write_unraisable_exc_file(class: *mut PyObject, value: *mut PyObject, tb: *mut PyObject, err_msg: *mut PyObject, obj: *mut PyObject, file: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let given = |p: *mut PyObject| !p.is_null() && p != Py_None();
        let write = |t: &str| file_write(t, file);
        if given(obj) {
            if given(err_msg) {
                check_status(PyFile_WriteObject(err_msg, file, Py_PRINT_RAW))?;
                write(": ")?;
            } else {
                write("Exception ignored in: ")?;
            }
            if let Err(e) = check_status(PyFile_WriteObject(obj, file, 0)) {
                e.clear();
                write("<object repr() failed>")?;
            }
            write("\n")?;
        } else if given(err_msg) {
            check_status(PyFile_WriteObject(err_msg, file, Py_PRINT_RAW))?;
            write(":\n")?;
        }
        if given(tb)
            && let Err(e) = check_status(PyTraceBack_Print(tb, file))
        {
            e.clear();
        }
        if !given(class) {
            return Ok(());
        }
        match getattr(class, intern!("__module__")) {
            Ok(m) if PyUnicode_Check(m.as_ptr()) != 0 => {
                let name = lossy(m.as_ptr());
                if name != "builtins" && name != "__main__" {
                    write(&name)?;
                    write(".")?;
                }
            }
            r => {
                drop(r);
                PyErr_Clear();
                write("<unknown>")?;
            }
        }
        match own(PyType_GetQualName(class.cast())) {
            Ok(q) if PyUnicode_Check(q.as_ptr()) != 0 => check_status(PyFile_WriteObject(q.as_ptr(), file, Py_PRINT_RAW))?,
            r => {
                drop(r);
                PyErr_Clear();
                write("<unknown>")?;
            }
        }
        if given(value) {
            write(": ")?;
            if let Err(e) = check_status(PyFile_WriteObject(value, file, Py_PRINT_RAW)) {
                e.clear();
                write("<exception str() failed>")?;
            }
        }
        write("\n")?;
        call_method(file, intern!("flush"), &[])?;
        Ok(())
    }
}

unsafe fn write_unraisable_exc(class: *mut PyObject, value: *mut PyObject, tb: *mut PyObject, err_msg: *mut PyObject, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(file) = crate::sysmodule::get_optional_attr(intern!("stderr"))? else { return Ok(()) };
        if file.as_ptr() == Py_None() {
            return Ok(());
        }
        write_unraisable_exc_file(class, value, tb, err_msg, obj, file.as_ptr())
    }
}

/// `sys.unraisablehook(args)`, the default one.
///
/// # Safety
/// `args` is live.
pub unsafe fn default_unraisable_hook(args: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*args).ob_type != UnraisableHookArgs {
            bail!(PyExc_TypeError, "sys.unraisablehook argument type must be UnraisableHookArgs");
        }
        let item = |i| PyStructSequence_GetItem(args, i);
        write_unraisable_exc(item(0), item(1), item(2), item(3), item(4))
    }
}

/// Reports the exception that is set through `sys.unraisablehook` and clears it; `err_msg` is a text or NULL, `obj` the
/// object concerned or NULL.
///
/// # Safety
/// An exception is set.
pub unsafe fn write_unraisable(err_msg: *mut PyObject, obj: *mut PyObject) {
    // SAFETY: [ARGS] an exception is set by contract; without one there is nothing to report.
    unsafe {
        let exc = PyErr_GetRaisedException();
        let Some(exc) = Owned::from_owned_or_opt(exc) else {
            let _ = write_unraisable_exc(null_mut(), null_mut(), null_mut(), err_msg, obj);
            PyErr_Clear();
            return;
        };
        let base: *mut PyBaseExceptionObject = exc.as_ptr().cast();
        if (*base).traceback.is_null() {
            let frame = PyThreadState_GetFrame(current_tstate().cast());
            if !frame.is_null() {
                let tb = crate::traceback::_PyTraceBack_FromFrame(null_mut(), frame.cast());
                if tb.is_null() {
                    PyErr_Clear();
                } else {
                    (*base).traceback = tb;
                }
                Py_DECREF(frame.cast());
            }
        }
        let or_none = |p: *mut PyObject| if p.is_null() { Py_None() } else { p };
        let mut hook_used = null_mut();
        // Ok(true): a hook was called; Ok(false): the default one is to be used; Err: the text of what failed.
        let outcome: Result<bool, &str> = (|| {
            let build = "Exception ignored on building sys.unraisablehook arguments";
            let args = own(PyStructSequence_New(UnraisableHookArgs)).map_err(|_| build)?;
            let fields = [(*exc.as_ptr()).ob_type.cast(), exc.as_ptr(), or_none((*base).traceback), or_none(err_msg), or_none(obj)];
            for (i, f) in fields.into_iter().enumerate() {
                Py_INCREF(f);
                PyStructSequence_SetItem(args.as_ptr(), i as Py_ssize_t, f);
            }
            let failed = "Exception ignored in sys.unraisablehook";
            let Some(hook) = crate::sysmodule::get_optional_attr(intern!("unraisablehook")).map_err(|_| failed)? else {
                return Ok(false);
            };
            audit(c"sys.unraisablehook", &[hook.as_ptr(), args.as_ptr()]).map_err(|_| "Exception ignored in audit hook")?;
            if hook.as_ptr() == Py_None() {
                return Ok(false);
            }
            match call(hook.as_ptr(), &[args.as_ptr()]) {
                Ok(_) => Ok(true),
                Err(_) => {
                    hook_used = hook.into_raw();
                    Err(failed)
                }
            }
        })();
        match outcome {
            Ok(true) => {}
            Ok(false) => {
                let _ = write_unraisable_exc((*exc.as_ptr()).ob_type.cast(), exc.as_ptr(), (*base).traceback, err_msg, obj);
            }
            Err(text) => {
                let e = Owned::from_owned_or_opt(PyErr_GetRaisedException());
                if let (Some(e), Ok(msg)) = (e, new_str(text)) {
                    let o = if text.ends_with("arguments") { obj } else { hook_used };
                    let tb = (*e.as_ptr().cast::<PyBaseExceptionObject>()).traceback;
                    let _ = write_unraisable_exc((*e.as_ptr()).ob_type.cast(), e.as_ptr(), tb, msg.as_ptr(), o);
                }
            }
        }
        Py_XDECREF(hook_used);
        PyErr_Clear();
    }
}

/// As [`write_unraisable`] with a Rust text.
pub fn write_unraisable_text(text: &str) {
    // SAFETY: [GIL]
    unsafe {
        let exc = PyErr_GetRaisedException();
        let msg = new_str(text);
        PyErr_SetRaisedException(exc);
        write_unraisable(msg.as_ref().map_or(null_mut(), |m| m.as_ptr()), null_mut());
    }
}

/// Reports the exception that is set, for C code that cannot raise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_WriteUnraisable(obj: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { write_unraisable(null_mut(), obj) }
}

/// Reports the exception that is set, with a message (NULL for none) and the object concerned (NULL for none).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_WriteUnraisableMsgObj(msg: *mut PyObject, op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { write_unraisable(msg, op) }
}

// ---- SyntaxError's place

unsafe fn set_attr_quietly(exc: *mut PyObject, name: *mut PyObject, value: PyResult<Owned>) {
    // SAFETY: [ARGS]
    unsafe {
        match value {
            Ok(v) => {
                if PyObject_SetAttr(exc, name, v.as_ptr()) < 0 {
                    PyErr_Clear();
                }
            }
            Err(e) => e.clear(),
        }
    }
}

/// Adds file, lines, columns and source text to the exception that is set.
///
/// # Safety
/// An exception is set; `filename` is NULL or live.
pub unsafe fn PyErr_SyntaxLocationObjectEx(filename: *mut PyObject, lineno: c_int, col: c_int, end_lineno: c_int, end_col: c_int) {
    // SAFETY: [ARGS]
    unsafe {
        let exc = PyErr_GetRaisedException();
        if exc.is_null() {
            return;
        }
        let number = |n: c_int| if n >= 0 { new_int(n as i64) } else { Ok(none()) };
        set_attr_quietly(exc, intern!("lineno"), new_int(lineno as i64));
        set_attr_quietly(exc, intern!("offset"), number(col));
        set_attr_quietly(exc, intern!("end_lineno"), number(end_lineno));
        set_attr_quietly(exc, intern!("end_offset"), number(end_col));
        if !filename.is_null() {
            set_attr_quietly(exc, intern!("filename"), Ok(Owned::from_borrowed(filename)));
            let text = PyErr_ProgramTextObject(filename, lineno);
            if text.is_null() {
                PyErr_Clear();
            } else {
                set_attr_quietly(exc, intern!("text"), Ok(Owned::from_owned(text)));
            }
        }
        if (*exc).ob_type.cast() != PyExc_SyntaxError {
            match getattr_opt(exc, intern!("msg")) {
                Ok(None) => set_attr_quietly(exc, intern!("msg"), own(PyObject_Str(exc))),
                _ => PyErr_Clear(),
            }
            match getattr_opt(exc, intern!("print_file_and_line")) {
                Ok(None) => set_attr_quietly(exc, intern!("print_file_and_line"), Ok(none())),
                _ => PyErr_Clear(),
            }
        }
        PyErr_SetRaisedException(exc);
    }
}

/// Adds file, line and column to the exception that is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SyntaxLocationObject(filename: *mut PyObject, lineno: c_int, col_offset: c_int) {
    // SAFETY: [ARGS]
    unsafe { PyErr_SyntaxLocationObjectEx(filename, lineno, col_offset, lineno, -1) }
}

/// Adds file, lines and columns to the exception that is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_RangedSyntaxLocationObject(filename: *mut PyObject, lineno: c_int, col_offset: c_int, end_lineno: c_int, end_col_offset: c_int) {
    // SAFETY: [ARGS]
    unsafe { PyErr_SyntaxLocationObjectEx(filename, lineno, col_offset, end_lineno, end_col_offset) }
}

/// Adds file, line and column to the exception that is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SyntaxLocationEx(filename: *const c_char, lineno: c_int, col_offset: c_int) {
    // SAFETY: [ARGS]
    unsafe {
        let mut name = null_mut();
        if !filename.is_null() {
            let exc = PyErr_GetRaisedException();
            name = PyUnicode_DecodeFSDefault(filename);
            PyErr_SetRaisedException(exc);
        }
        PyErr_SyntaxLocationObject(name, lineno, col_offset);
        Py_XDECREF(name);
    }
}

/// Adds file and line to the exception that is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_SyntaxLocation(filename: *const c_char, lineno: c_int) {
    // SAFETY: [ARGS]
    unsafe { PyErr_SyntaxLocationEx(filename, lineno, -1) }
}

/// A line of a source file, decoded by its declared encoding; `None` when there is no such line or file.
///
/// # Safety
/// `filename` is live.
pub unsafe fn program_text(filename: *mut PyObject, lineno: c_int) -> Option<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if filename.is_null() || lineno <= 0 || PyUnicode_Check(filename) == 0 {
            return None;
        }
        let path = match fs_encode(filename) {
            Ok(p) => p,
            Err(e) => {
                e.clear();
                return None;
            }
        };
        let data = crate::fileutils::read_file(&path).ok()?;
        let encoding = crate::fileutils::source_encoding(&data).unwrap_or_else(|| "utf-8".into());
        let mut line = crate::fileutils::nth_line(&data, lineno as usize)?;
        if lineno == 1 && line.starts_with(b"\xef\xbb\xbf") {
            line = &line[3..];
        }
        let mut text = line.to_vec();
        if text.ends_with(b"\r\n") {
            text.truncate(text.len() - 2);
            text.push(b'\n');
        } else if text.last() == Some(&b'\r') {
            text.pop();
            text.push(b'\n');
        }
        let encoding = std::ffi::CString::new(encoding).ok()?;
        match own(PyUnicode_Decode(text.as_ptr().cast(), text.len() as Py_ssize_t, encoding.as_ptr(), c"replace".as_ptr())) {
            Ok(t) => Some(t),
            Err(e) => {
                e.clear();
                None
            }
        }
    }
}

/// A line of a source file; NULL without exception if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_ProgramTextObject(filename: *mut PyObject, lineno: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { program_text(filename, lineno).map_or(null_mut(), |t| t.into_raw()) }
}

/// A line of a source file; NULL without exception if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_ProgramDecodedTextObject(filename: *mut PyObject, lineno: c_int, _encoding: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyErr_ProgramTextObject(filename, lineno) }
}

/// A line of a source file; NULL without exception if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_ProgramText(filename: *const c_char, lineno: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if filename.is_null() {
            return null_mut();
        }
        match own(PyUnicode_DecodeFSDefault(filename)) {
            Ok(name) => PyErr_ProgramTextObject(name.as_ptr(), lineno),
            Err(e) => {
                e.clear();
                null_mut()
            }
        }
    }
}
