//! Calls: the vectorcall protocol, `tp_call`, and the conversions between their ways of passing arguments.

#![allow(missing_docs, reason = "the C API manual documents these names")]

use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;

const PY_VECTORCALL_ARGUMENTS_OFFSET: usize = 1 << (usize::BITS - 1);

/// Positional arguments that a call keeps on the native stack.
const SMALL_STACK: usize = 6;

#[inline(always)]
fn nargs_of(nargsf: usize) -> Py_ssize_t {
    (nargsf & !PY_VECTORCALL_ARGUMENTS_OFFSET) as Py_ssize_t
}

/// The vectorcall function of `callable`, if its type has the protocol and the object a function.
///
/// # Safety
/// `callable` is live.
#[inline(always)]
pub unsafe fn vectorcall_function(callable: *mut PyObject) -> Option<vectorcallfunc> {
    // SAFETY: [TYPE] the flag says that a function pointer lies at the offset.
    unsafe {
        let tp = (*callable).ob_type;
        if (*tp).tp_flags & Py_TPFLAGS_HAVE_VECTORCALL == 0 {
            return None;
        }
        *callable.byte_offset((*tp).tp_vectorcall_offset).cast::<Option<vectorcallfunc>>()
    }
}

#[inline(always)]
unsafe fn has_exception(ts: *mut PyThreadState) -> bool {
    // SAFETY: [GIL]
    unsafe { !(*ts).current_exception.is_null() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyVectorcall_NARGS(n: usize) -> Py_ssize_t {
    nargs_of(n)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyVectorcall_Function(callable: *mut PyObject) -> Option<vectorcallfunc> {
    // SAFETY: [ARGS]
    unsafe { vectorcall_function(callable) }
}

/// Checks that a call either returned an object or set an exception, not both and not neither.
#[inline(always)]
unsafe fn check_result(ts: *mut PyThreadState, callable: *mut PyObject, result: *mut PyObject) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        if result.is_null() == has_exception(ts) {
            return result;
        }
        bad_result(callable, result, core::ptr::null())
    }
}

#[cold]
#[inline(never)]
unsafe fn bad_result(callable: *mut PyObject, result: *mut PyObject, where_: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if result.is_null() {
            if callable.is_null() {
                PyErr_Format(
                    PyExc_SystemError,
                    c"%s returned NULL without setting an exception".as_ptr(),
                    where_,
                );
            } else {
                PyErr_Format(
                    PyExc_SystemError,
                    c"%R returned NULL without setting an exception".as_ptr(),
                    callable,
                );
            }
            return null_mut();
        }
        Py_DECREF(result);
        if callable.is_null() {
            _PyErr_FormatFromCause(
                PyExc_SystemError,
                c"%s returned a result with an exception set".as_ptr(),
                where_,
            );
        } else {
            _PyErr_FormatFromCause(
                PyExc_SystemError,
                c"%R returned a result with an exception set".as_ptr(),
                callable,
            );
        }
        null_mut()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CheckFunctionResult(
    tstate: *mut PyThreadState,
    callable: *mut PyObject,
    result: *mut PyObject,
    where_: *const c_char,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if result.is_null() == has_exception(tstate) {
            return result;
        }
        bad_result(callable, result, where_)
    }
}

/// For debug checks of slots: a slot must not succeed with an exception set, nor fail without.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CheckSlotResult(_op: *mut PyObject, _slot: *const c_char, success: c_int) -> c_int {
    // SAFETY: [GIL]
    unsafe { (has_exception(current_tstate()) != (success != 0)) as c_int }
}

#[cold]
unsafe fn object_is_not_callable(callable: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        // `import spam; spam()` where spam.spam is what was meant.
        if (*callable).ob_type == &raw mut PyModule_Type {
            let name = PyModule_GetNameObject(callable);
            if name.is_null() {
                PyErr_Clear();
            } else {
                let name = Owned::from_owned(name);
                let mut attr = null_mut();
                let found = PyObject_GetOptionalAttr(callable, name.as_ptr(), &mut attr);
                if found < 0 {
                    PyErr_Clear();
                } else if let Some(attr) = Owned::from_owned_or_opt(attr)
                    && PyCallable_Check(attr.as_ptr()) != 0
                {
                    PyErr_Format(
                        PyExc_TypeError,
                        c"'%.200s' object is not callable. Did you mean: '%U.%U(...)'?".as_ptr(),
                        (*(*callable).ob_type).tp_name,
                        name.as_ptr(),
                        name.as_ptr(),
                    );
                    return null_mut();
                }
            }
        }
        let _ = raise!(PyExc_TypeError, "'{}' object is not callable", type_name(callable));
        null_mut()
    }
}

/// One level of native recursion around a `tp_call`.
#[inline(always)]
unsafe fn guarded(call: impl FnOnce() -> *mut PyObject) -> *mut PyObject {
    match RecursionGuard::enter(c" while calling a Python object") {
        Ok(_guard) => call(),
        Err(_) => null_mut(),
    }
}

/// Calls through `tp_call`. `keywords` is NULL, a dict, or a tuple of names whose values follow the positional arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_MakeTpCall(
    tstate: *mut PyThreadState,
    callable: *mut PyObject,
    args: *const *mut PyObject,
    nargs: Py_ssize_t,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Some(call) = (*(*callable).ob_type).tp_call else { return object_is_not_callable(callable) };
        let tuple = _PyTuple_FromArray(args, nargs);
        if tuple.is_null() {
            return tuple;
        }
        let tuple = Owned::from_owned(tuple);
        let mut made = None;
        let mut kwargs = keywords;
        if !keywords.is_null() && PyDict_Check(keywords) == 0 {
            kwargs = null_mut();
            if PyTuple_GET_SIZE(keywords) > 0 {
                let dict = _PyStack_AsDict(args.offset(nargs), keywords);
                if dict.is_null() {
                    return dict;
                }
                kwargs = made.insert(Owned::from_owned(dict)).as_ptr();
            }
        }
        let result = guarded(|| call(callable, tuple.as_ptr(), kwargs));
        drop(tuple);
        drop(made);
        check_result(tstate, callable, result)
    }
}

/// Calls by vectorcall where there is one, else by `tp_call`.
#[inline(always)]
pub(crate) unsafe fn vectorcall(
    ts: *mut PyThreadState,
    callable: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match vectorcall_function(callable) {
            Some(f) => check_result(ts, callable, f(callable, args, nargsf, kwnames)),
            None => _PyObject_MakeTpCall(ts, callable, args, nargs_of(nargsf), kwnames),
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Vectorcall(
    callable: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { vectorcall(current_tstate(), callable, args, nargsf, kwnames) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_Vectorcall(
    callable: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyObject_Vectorcall(callable, args, nargsf, kwnames) }
}

/// A vector of owned arguments followed by keyword values, with one spare slot in front.
struct Unpacked {
    stack: Vec<*mut PyObject>,
    kwnames: Owned,
}
impl Unpacked {
    /// Spreads `kwargs` behind `nargs` positional arguments.
    unsafe fn new(args: *const *mut PyObject, nargs: Py_ssize_t, kwargs: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [ARGS] every object is held, because the callee may change the dict.
        unsafe {
            let nkw = PyDict_Size(kwargs);
            let kwnames = Owned::from_owned_or_err(PyTuple_New(nkw))?;
            let mut stack: Vec<*mut PyObject> = Vec::new();
            if stack.try_reserve_exact((1 + nargs + nkw) as usize).is_err() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
            stack.push(null_mut());
            for i in 0..nargs {
                let a = *args.offset(i);
                Py_INCREF(a);
                stack.push(a);
            }
            let mut unpacked = Unpacked { stack, kwnames };
            let (mut pos, mut i) = (0, 0);
            let mut strings = true;
            while let Some((key, value, _)) = crate::dictobject::dict_next(kwargs.cast(), &mut pos) {
                strings &= PyUnicode_Check(key) != 0;
                Py_INCREF(key);
                Py_INCREF(value);
                PyTuple_SET_ITEM(unpacked.kwnames.as_ptr(), i, key);
                unpacked.stack.push(value);
                i += 1;
            }
            if !strings {
                bail!(PyExc_TypeError, "keywords must be strings");
            }
            Ok(unpacked)
        }
    }
    #[inline]
    unsafe fn call(&self, f: vectorcallfunc, callable: *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
        // SAFETY: [ARGS] the slot in front is writable, hence the offset flag.
        unsafe {
            f(
                callable,
                self.stack.as_ptr().add(1),
                nargs as usize | PY_VECTORCALL_ARGUMENTS_OFFSET,
                self.kwnames.as_ptr(),
            )
        }
    }
}
impl Drop for Unpacked {
    fn drop(&mut self) {
        // SAFETY: [OWN] all but the spare slot are owned.
        unsafe {
            for &p in &self.stack[1..] {
                Py_DECREF(p);
            }
        }
    }
}

unsafe fn vectorcall_dict(
    ts: *mut PyThreadState,
    callable: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let nargs = nargs_of(nargsf);
        let Some(f) = vectorcall_function(callable) else {
            return _PyObject_MakeTpCall(ts, callable, args, nargs, kwargs);
        };
        let res = if kwargs.is_null() || (*kwargs.cast::<PyDictObject>()).ma_used == 0 {
            f(callable, args, nargsf, null_mut())
        } else {
            match Unpacked::new(args, nargs, kwargs) {
                Ok(u) => u.call(f, callable, nargs),
                Err(_) => return null_mut(),
            }
        };
        check_result(ts, callable, res)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_VectorcallDict(
    callable: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { vectorcall_dict(current_tstate(), callable, args, nargsf, kwargs) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_FastCallDict(
    callable: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyObject_VectorcallDict(callable, args, nargsf, kwargs) }
}

#[inline(always)]
unsafe fn tuple_items(tuple: *mut PyObject) -> *const *mut PyObject {
    // SAFETY: [TYPE] a tuple.
    unsafe { (&raw const (*tuple.cast::<PyTupleObject>()).ob_item).cast() }
}

unsafe fn vectorcall_call(
    ts: *mut PyThreadState,
    f: vectorcallfunc,
    callable: *mut PyObject,
    tuple: *mut PyObject,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let nargs = PyTuple_GET_SIZE(tuple);
        if kwargs.is_null() || (*kwargs.cast::<PyDictObject>()).ma_used == 0 {
            return f(callable, tuple_items(tuple), nargs as usize, null_mut());
        }
        match Unpacked::new(tuple_items(tuple), nargs, kwargs) {
            Ok(u) => {
                let res = u.call(f, callable, nargs);
                drop(u);
                check_result(ts, callable, res)
            }
            Err(_) => null_mut(),
        }
    }
}

/// `tp_call` of types that have vectorcall.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyVectorcall_Call(
    callable: *mut PyObject,
    tuple: *mut PyObject,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*callable).ob_type;
        let offset = (*tp).tp_vectorcall_offset;
        if offset <= 0 {
            let _ = raise!(PyExc_TypeError, "'{}' object does not support vectorcall", tp_name(tp));
            return null_mut();
        }
        match *callable.byte_offset(offset).cast::<Option<vectorcallfunc>>() {
            Some(f) => vectorcall_call(current_tstate(), f, callable, tuple, kwargs),
            None => {
                let _ = raise!(PyExc_TypeError, "'{}' object does not support vectorcall", tp_name(tp));
                null_mut()
            }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_Call(
    callable: *mut PyObject,
    args: *mut PyObject,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let ts = current_tstate();
        if let Some(f) = vectorcall_function(callable) {
            return vectorcall_call(ts, f, callable, args, kwargs);
        }
        let Some(call) = (*(*callable).ob_type).tp_call else { return object_is_not_callable(callable) };
        let result = guarded(|| call(callable, args, kwargs));
        check_result(ts, callable, result)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCFunction_Call(
    callable: *mut PyObject,
    args: *mut PyObject,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyObject_Call(callable, args, kwargs) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_CallObject(callable: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if args.is_null() {
            return PyObject_CallNoArgs(callable);
        }
        if PyTuple_Check(args) == 0 {
            let _ = raise!(PyExc_TypeError, "argument list must be a tuple");
            return null_mut();
        }
        PyObject_Call(callable, args, null_mut())
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_CallNoArgs(func: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] one writable slot in front.
    unsafe {
        let mut stack = [null_mut::<PyObject>(); 1];
        vectorcall(current_tstate(), func, stack.as_mut_ptr().add(1), PY_VECTORCALL_ARGUMENTS_OFFSET, null_mut())
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_CallOneArg(func: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] one writable slot in front.
    unsafe {
        let mut stack = [null_mut(), arg];
        vectorcall(
            current_tstate(),
            func,
            stack.as_mut_ptr().add(1),
            1 | PY_VECTORCALL_ARGUMENTS_OFFSET,
            null_mut(),
        )
    }
}

/// Calls the method `name` of `args[0]` with the other arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_VectorcallMethod(
    name: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS] at least one argument, the receiver.
    unsafe {
        let ts = current_tstate();
        let mut callable = null_mut();
        let unbound = _PyObject_GetMethod(*args, name, &mut callable);
        if callable.is_null() {
            return null_mut();
        }
        let (mut args, mut nargsf) = (args, nargsf);
        if unbound != 0 {
            // The receiver is an argument; what lies in front of it isn't ours.
            nargsf &= !PY_VECTORCALL_ARGUMENTS_OFFSET;
        } else {
            // Bound already: the receiver's slot may be overwritten, if the caller let us have the vector.
            args = args.add(1);
            nargsf -= 1;
        }
        let result = vectorcall(ts, callable, args, nargsf, kwnames);
        Py_DECREF(callable);
        result
    }
}

/// Calls with `obj` in front of the tuple's items.
///
/// # Safety
/// `args` is a tuple, `kwargs` a dict or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_Call_Prepend(
    tstate: *mut PyThreadState,
    callable: *mut PyObject,
    obj: *mut PyObject,
    args: *mut PyObject,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyTuple_GET_SIZE(args) as usize;
        let items = tuple_items(args);
        if n < SMALL_STACK {
            let mut small = [null_mut::<PyObject>(); SMALL_STACK];
            small[0] = obj;
            core::ptr::copy_nonoverlapping(items, small.as_mut_ptr().add(1), n);
            return vectorcall_dict(tstate, callable, small.as_ptr(), n + 1, kwargs);
        }
        let mut stack = Vec::with_capacity(n + 1);
        stack.push(obj);
        stack.extend((0..n).map(|i| *items.add(i)));
        vectorcall_dict(tstate, callable, stack.as_ptr(), n + 1, kwargs)
    }
}

/// A new dict of the names in `kwnames` and the values at `values`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyStack_AsDict(values: *const *mut PyObject, kwnames: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] one value a name.
    unsafe { _PyDict_FromItems(tuple_items(kwnames), 1, values, 1, PyTuple_GET_SIZE(kwnames)) }
}

/// For the interpreter: a block of owned arguments and keyword values (allocated with `PyMem_Malloc`, one spare slot in
/// front) and the tuple of names; NULL with an exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyStack_UnpackDict(
    _tstate: *mut PyThreadState,
    args: *const *mut PyObject,
    nargs: Py_ssize_t,
    kwargs: *mut PyObject,
    p_kwnames: *mut *mut PyObject,
) -> *const *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(mut u) = Unpacked::new(args, nargs, kwargs) else { return core::ptr::null() };
        let n = u.stack.len();
        let block = PyMem_Malloc(n * size_of::<*mut PyObject>()).cast::<*mut PyObject>();
        if block.is_null() {
            PyErr_NoMemory();
            return core::ptr::null();
        }
        core::ptr::copy_nonoverlapping(u.stack.as_ptr(), block, n);
        // The references live on in the block.
        u.stack.truncate(1);
        Py_INCREF(u.kwnames.as_ptr());
        *p_kwnames = u.kwnames.as_ptr();
        block.add(1)
    }
}

/// Frees what [`_PyStack_UnpackDict`] made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyStack_UnpackDict_Free(
    stack: *const *mut PyObject,
    nargs: Py_ssize_t,
    kwnames: *mut PyObject,
) {
    // SAFETY: [OWN]
    unsafe {
        for i in 0..nargs + PyTuple_GET_SIZE(kwnames) {
            Py_DECREF(*stack.offset(i));
        }
        _PyStack_UnpackDict_FreeNoDecRef(stack, kwnames);
    }
}

/// As [`_PyStack_UnpackDict_Free`] when the arguments have been taken over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyStack_UnpackDict_FreeNoDecRef(stack: *const *mut PyObject, kwnames: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyMem_Free(stack.sub(1).cast_mut().cast());
        Py_DECREF(kwnames);
    }
}
