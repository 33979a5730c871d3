//! Calls: binding of arguments to parameters, frames for callees, calls of native functions.
//!
//! Contract of all functions here: [GIL] [STACK]; `args` are slots of the caller's stack, `base` is the slot of the
//! callable below them. A NULL result means that an exception is set.

#![allow(clippy::missing_safety_doc, reason = "one contract for the file, see its top")]

use crate::ceval::_PyFunction_Vectorcall;
use crate::ceval_prelude::*;
use core::ffi::c_int;

// ---- argument binding

/// Pushes a frame for `func` at the top of the data stack and binds the arguments. Steals `func`, `namespace` (NULL for
/// functions) and the arguments, of which the last ones belong to `kwnames`. NULL with an exception.
pub unsafe fn frame_push_and_init(
    tstate: *mut PyThreadState,
    previous: Frame,
    func: *mut PyFunctionObject,
    namespace: *mut PyObject,
    args: *mut StackRef,
    argcount: usize,
    kwnames: *mut PyObject,
) -> Frame {
    // SAFETY: [STACK]
    unsafe {
        let kwcount = if kwnames.is_null() { 0 } else { ob_size(kwnames) as usize };
        let frame = frame_reserve(tstate, previous, func);
        if frame.is_null() {
            Py_XDECREF(namespace);
            close_array(args, argcount + kwcount);
            return null_mut();
        }
        let locals = frame.locals();
        for i in 0..(*frame.code()).co_nlocalsplus as usize {
            *locals.add(i) = StackRef::NULL;
        }
        (*frame).f_locals = namespace;
        if initialize_locals(func, locals, args, argcount, kwnames, kwcount).is_err() {
            frame_clear_and_pop(tstate, frame, frame.stack_base());
            return null_mut();
        }
        frame
    }
}

/// Pushes the frame of a call from the interpreter. Steals callable and arguments; `kwnames` is lent and names the
/// last of them.
pub unsafe fn frame_push_general(
    tstate: *mut PyThreadState,
    frame: Frame,
    base: *mut StackRef,
    args: *mut StackRef,
    nargs: usize,
    kwnames: *mut PyObject,
) -> Frame {
    // SAFETY: [STACK]
    unsafe {
        let func: *mut PyFunctionObject = (*base).steal_object().cast();
        let code: *mut PyCodeObject = (*func).func_code.cast();
        let optimized = (*code).co_flags & CO_OPTIMIZED != 0;
        if kwnames.is_null() && optimized && nargs <= (*code).co_argcount as usize && has_stack_space(tstate, code) {
            let new = frame_push_exact(tstate, frame, func, args, nargs);
            let simple = (*code).co_flags & (CO_VARARGS | CO_VARKEYWORDS) == 0 && (*code).co_kwonlyargcount == 0;
            if simple && nargs == (*code).co_argcount as usize {
                return new;
            }
            let locals = new.locals();
            if add_collectors(code, locals).and_then(|_| add_missing(func, locals, nargs)).is_err() {
                frame_clear_and_pop(tstate, new, new.stack_base());
                return null_mut();
            }
            return new;
        }
        let namespace = if optimized { null_mut() } else { Py_NewRef((*func).func_globals) };
        let kwcount = if kwnames.is_null() { 0 } else { ob_size(kwnames) as usize };
        frame_push_and_init(tstate, frame, func, namespace, args, nargs - kwcount, kwnames)
    }
}

/// Gives `*args` an empty tuple and `**kwargs` an empty dict where they are unset.
unsafe fn add_collectors(code: *mut PyCodeObject, locals: *mut StackRef) -> PyResult<()> {
    // SAFETY: [STACK]
    unsafe {
        let mut slot = locals.add(((*code).co_argcount + (*code).co_kwonlyargcount) as usize);
        if (*code).co_flags & CO_VARARGS != 0 {
            if (*slot).is_null() {
                *slot = StackRef::from_owned(Owned::from_owned_or_err(PyTuple_New(0))?.into_raw());
            }
            slot = slot.add(1);
        }
        if (*code).co_flags & CO_VARKEYWORDS != 0 && (*slot).is_null() {
            *slot = StackRef::from_owned(Owned::from_owned_or_err(PyDict_New())?.into_raw());
        }
        Ok(())
    }
}

/// Binds arguments, which are consumed in any case, to the parameters of `func`.
unsafe fn initialize_locals(
    func: *mut PyFunctionObject,
    locals: *mut StackRef,
    args: *mut StackRef,
    argcount: usize,
    kwnames: *mut PyObject,
    kwcount: usize,
) -> PyResult<()> {
    // SAFETY: [STACK]
    unsafe {
        let code: *mut PyCodeObject = (*func).func_code.cast();
        let positional = argcount.min((*code).co_argcount as usize);
        let total = ((*code).co_argcount + (*code).co_kwonlyargcount) as usize;
        for i in 0..positional {
            *locals.add(i) = (*args.add(i)).make_owned();
        }
        let extra = argcount - positional;
        let mut status = Ok(());
        if extra > 0 {
            if (*code).co_flags & CO_VARARGS != 0 {
                let tuple = tuple_from_array_steal(args.add(positional), extra);
                *locals.add(total) = StackRef::from_owned(tuple);
                if tuple.is_null() {
                    status = Err(Raised::assume());
                }
            } else {
                close_array(args.add(positional), extra);
            }
        }
        status = status.and_then(|()| add_collectors(code, locals));
        for i in 0..kwcount {
            let value = (*args.add(argcount + i)).make_owned();
            if status.is_err() {
                value.close();
                continue;
            }
            status = bind_keyword(func, code, locals, tuple_item(kwnames, i), value, kwnames);
        }
        status?;
        if extra > 0 && (*code).co_flags & CO_VARARGS == 0 {
            return Err(too_many_positional(func, code, locals, argcount));
        }
        add_missing(func, locals, argcount)
    }
}

/// Binds one keyword argument; consumes `value`.
unsafe fn bind_keyword(
    func: *mut PyFunctionObject,
    code: *mut PyCodeObject,
    locals: *mut StackRef,
    keyword: *mut PyObject,
    value: StackRef,
    kwnames: *mut PyObject,
) -> PyResult<()> {
    // SAFETY: [STACK]
    unsafe {
        let value = Owned::from_owned(value.steal_object());
        let qualname = (*func).func_qualname;
        if keyword.is_null() || PyUnicode_Check(keyword) == 0 {
            PyErr_Format(PyExc_TypeError, c"%U() keywords must be strings".as_ptr(), qualname);
            return Err(Raised::assume());
        }
        let total = ((*code).co_argcount + (*code).co_kwonlyargcount) as usize;
        let first = (*code).co_posonlyargcount as usize;
        let names = tuple_items((*code).co_localsplusnames);
        // Names are interned as a rule: identity nearly always decides.
        let mut index = (first..total).find(|i| *names.add(*i) == keyword);
        if index.is_none() {
            for i in first..total {
                let equal = PyObject_RichCompareBool(keyword, *names.add(i), Py_EQ);
                check_status(equal)?;
                if equal != 0 {
                    index = Some(i);
                    break;
                }
            }
        }
        if let Some(i) = index {
            if !(*locals.add(i)).is_null() {
                PyErr_Format(PyExc_TypeError, c"%U() got multiple values for argument '%S'".as_ptr(), qualname, keyword);
                return Err(Raised::assume());
            }
            *locals.add(i) = StackRef::from_owned(value.into_raw());
            return Ok(());
        }
        if (*code).co_flags & CO_VARKEYWORDS == 0 {
            return Err(unexpected_keyword(func, code, keyword, kwnames));
        }
        let slot = total + ((*code).co_flags & CO_VARARGS != 0) as usize;
        check_status(PyDict_SetItem((*locals.add(slot)).as_ptr(), keyword, value.as_ptr()))
    }
}

/// Fills parameters that got no argument with their defaults; TypeError if there is none.
unsafe fn add_missing(func: *mut PyFunctionObject, locals: *mut StackRef, argcount: usize) -> PyResult<()> {
    // SAFETY: [STACK]
    unsafe {
        let code: *mut PyCodeObject = (*func).func_code.cast();
        let co_argcount = (*code).co_argcount as usize;
        if argcount < co_argcount {
            let defaults = (*func).func_defaults;
            let defcount = if defaults.is_null() { 0 } else { ob_size(defaults) as usize };
            let required = co_argcount.saturating_sub(defcount);
            if (argcount..required).any(|i| (*locals.add(i)).is_null()) {
                return Err(missing_arguments(func, code, locals, 0..required, c"positional"));
            }
            for i in argcount.max(required)..co_argcount {
                if (*locals.add(i)).is_null() {
                    *locals.add(i) = StackRef::from_new(tuple_item(defaults, i + defcount - co_argcount));
                }
            }
        }
        let total = co_argcount + (*code).co_kwonlyargcount as usize;
        let mut missing = false;
        for i in co_argcount..total {
            if !(*locals.add(i)).is_null() {
                continue;
            }
            let mut default = null_mut();
            if !(*func).func_kwdefaults.is_null() {
                let name = tuple_item((*code).co_localsplusnames, i);
                check_status(PyDict_GetItemRef((*func).func_kwdefaults, name, &mut default))?;
            }
            *locals.add(i) = StackRef::from_owned(default);
            missing |= default.is_null();
        }
        if missing {
            return Err(missing_arguments(func, code, locals, co_argcount..total, c"keyword-only"));
        }
        Ok(())
    }
}

#[cold]
unsafe fn missing_arguments(
    func: *mut PyFunctionObject,
    code: *mut PyCodeObject,
    locals: *mut StackRef,
    range: core::ops::Range<usize>,
    kind: &core::ffi::CStr,
) -> Raised {
    // SAFETY: [STACK]
    unsafe {
        let mut names: Vec<Owned> = Vec::new();
        for i in range.filter(|i| (*locals.add(*i)).is_null()) {
            match Owned::from_owned_or_err(PyObject_Repr(tuple_item((*code).co_localsplusnames, i))) {
                Ok(name) => names.push(name),
                Err(raised) => return raised,
            }
        }
        // 'a'; 'a' and 'b'; 'a', 'b', and 'c'
        let count = names.len();
        let mut text = match Owned::from_owned_or_err(PyUnicode_FromString(c"".as_ptr())) {
            Ok(t) => t,
            Err(raised) => return raised,
        };
        for (i, name) in names.iter().enumerate() {
            let separator = match (i, count) {
                (0, _) => c"",
                (1, 2) => c" and ",
                (i, n) if i == n - 1 => c", and ",
                _ => c", ",
            };
            let longer = PyUnicode_FromFormat(c"%U%s%U".as_ptr(), text.as_ptr(), separator.as_ptr(), name.as_ptr());
            text = match Owned::from_owned_or_err(longer) {
                Ok(t) => t,
                Err(raised) => return raised,
            };
        }
        let plural = if count == 1 { c"" } else { c"s" };
        PyErr_Format(
            PyExc_TypeError,
            c"%U() missing %i required %s argument%s: %U".as_ptr(),
            (*func).func_qualname,
            count as c_int,
            kind.as_ptr(),
            plural.as_ptr(),
            text.as_ptr(),
        );
        Raised::assume()
    }
}

#[cold]
unsafe fn too_many_positional(func: *mut PyFunctionObject, code: *mut PyCodeObject, locals: *mut StackRef, given: usize) -> Raised {
    // SAFETY: [STACK]
    unsafe {
        let argcount = (*code).co_argcount as usize;
        let kwonly = argcount..argcount + (*code).co_kwonlyargcount as usize;
        let kwonly_given = kwonly.filter(|i| !(*locals.add(*i)).is_null()).count();
        let defaults = (*func).func_defaults;
        let defcount = if defaults.is_null() { 0 } else { ob_size(defaults) as usize };
        let s = |many: bool| if many { "s" } else { "" };
        let takes = if defcount > 0 { format!("from {} to {argcount}", argcount - defcount) } else { argcount.to_string() };
        let keywords = if kwonly_given > 0 {
            let (a, b) = (s(given != 1), s(kwonly_given != 1));
            format!(" positional argument{a} (and {kwonly_given} keyword-only argument{b})")
        } else {
            String::new()
        };
        let plural = s(defcount > 0 || argcount != 1);
        let were = if given == 1 && kwonly_given == 0 { "was" } else { "were" };
        let rest = format!("() takes {takes} positional argument{plural} but {given}{keywords} {were} given\0");
        PyErr_Format(PyExc_TypeError, c"%U%s".as_ptr(), (*func).func_qualname, rest.as_ptr());
        Raised::assume()
    }
}

#[cold]
unsafe fn unexpected_keyword(func: *mut PyFunctionObject, code: *mut PyCodeObject, keyword: *mut PyObject, kwnames: *mut PyObject) -> Raised {
    // SAFETY: [STACK]
    unsafe {
        match positional_only_passed_as_keyword(code, kwnames) {
            Err(raised) => return raised,
            Ok(Some(names)) => {
                let format = c"%U() got some positional-only arguments passed as keyword arguments: '%U'";
                PyErr_Format(PyExc_TypeError, format.as_ptr(), (*func).func_qualname, names.as_ptr());
                return Raised::assume();
            }
            Ok(None) => {}
        }
        let first = (*code).co_posonlyargcount as usize;
        let total = ((*code).co_argcount + (*code).co_kwonlyargcount) as usize;
        let mut suggestion = None;
        if total > first {
            let possible = PyList_New(0);
            for i in first..total {
                if possible.is_null() || PyList_Append(possible, tuple_item((*code).co_localsplusnames, i)) < 0 {
                    PyErr_Clear();
                }
            }
            if !possible.is_null() {
                suggestion = Owned::from_owned_or_opt(_Py_CalculateSuggestions(possible, keyword));
                Py_DECREF(possible);
            }
        }
        match suggestion {
            Some(name) => {
                let format = c"%U() got an unexpected keyword argument '%S'. Did you mean '%S'?";
                PyErr_Format(PyExc_TypeError, format.as_ptr(), (*func).func_qualname, keyword, name.as_ptr());
            }
            None => {
                let format = c"%U() got an unexpected keyword argument '%S'";
                PyErr_Format(PyExc_TypeError, format.as_ptr(), (*func).func_qualname, keyword);
            }
        }
        Raised::assume()
    }
}

/// The names of positional-only parameters that were given by keyword, joined by commas.
unsafe fn positional_only_passed_as_keyword(code: *mut PyCodeObject, kwnames: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let names = Owned::from_owned_or_err(PyList_New(0))?;
        for i in 0..(*code).co_posonlyargcount as usize {
            let parameter = tuple_item((*code).co_localsplusnames, i);
            for k in 0..ob_size(kwnames) as usize {
                let keyword = tuple_item(kwnames, k);
                let equal = PyObject_RichCompareBool(parameter, keyword, Py_EQ);
                check_status(equal)?;
                if equal != 0 {
                    check_status(PyList_Append(names.as_ptr(), keyword))?;
                }
            }
        }
        if ob_size(names.as_ptr()) == 0 {
            return Ok(None);
        }
        let comma = Owned::from_owned_or_err(PyUnicode_FromString(c", ".as_ptr()))?;
        Owned::from_owned_or_err(PyUnicode_Join(comma.as_ptr(), names.as_ptr())).map(Some)
    }
}

// ---- callables and arguments on the stack

/// Where the arguments of a CALL begin and how many there are: `self` counts if there is one.
#[inline(always)]
pub unsafe fn call_args(base: *mut StackRef, oparg: u32) -> (*mut StackRef, usize) {
    // SAFETY: [STACK]
    unsafe {
        let has_self = !(*base.add(1)).is_null() as usize;
        (base.add(2 - has_self), oparg as usize + has_self)
    }
}

/// Turns a bound method without `self` below its arguments into function and `self`.
#[inline(always)]
pub unsafe fn expand_method(base: *mut StackRef) {
    // SAFETY: [STACK]
    unsafe {
        if (*base.add(1)).is_null() && (*base).ob_type() == &raw mut PyMethod_Type {
            let method: *mut PyMethodObject = (*base).as_ptr().cast();
            let bound = *base;
            *base.add(1) = StackRef::from_new((*method).im_self);
            *base = StackRef::from_new((*method).im_func);
            bound.close();
        }
    }
}

/// Whether calling `callable` means no more than running its code.
#[inline(always)]
pub unsafe fn is_inlinable_function(tstate: *mut PyThreadState, callable: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        Py_TYPE(callable) == &raw mut PyFunction_Type
            && (*callable.cast::<PyFunctionObject>())
                .vectorcall
                .is_some_and(|v| v as *const () as usize == _PyFunction_Vectorcall as *const () as usize)
            && !has_eval_frame_hook(tstate)
    }
}

/// Calls any callable with arguments on the stack, which stay there.
#[inline(always)]
pub unsafe fn vectorcall(callable: *mut PyObject, args: *mut StackRef, nargs: usize, kwnames: *mut PyObject) -> *mut PyObject {
    // SAFETY: [STACK] the slot before the arguments is the call's too.
    unsafe {
        let kwcount = if kwnames.is_null() { 0 } else { ob_size(kwnames) as usize };
        let argv = as_c_array(args, nargs);
        let nargsf = (nargs - kwcount) | PY_VECTORCALL_ARGUMENTS_OFFSET;
        let Some(call) = taipan_objects::call::vectorcall_function(callable) else {
            return PyObject_Vectorcall(callable, argv, nargsf, kwnames);
        };
        let result = call(callable, argv, nargsf, kwnames);
        let tstate = current_tstate();
        if result.is_null() == (*tstate).current_exception.is_null() {
            // An extension's fault.
            return _Py_CheckFunctionResult(tstate, callable, result, core::ptr::null());
        }
        result
    }
}

/// Releases callable and arguments of a call.
#[inline(always)]
pub unsafe fn close_call(base: *mut StackRef, args: *mut StackRef, nargs: usize) {
    // SAFETY: [STACK]
    unsafe {
        for i in 0..nargs {
            (*args.add(i)).close();
        }
        (*base).close();
    }
}

/// Releases the operands of CALL_FUNCTION_EX.
pub unsafe fn close_call_ex(base: *mut StackRef, oparg: u32) {
    // SAFETY: [STACK]
    unsafe {
        (*base).close();
        (*base.add(2)).close();
        if oparg & 1 != 0 {
            (*base.add(3)).close();
        }
    }
}

/// Makes the positional arguments of CALL_FUNCTION_EX a tuple.
pub unsafe fn call_ex_normalize(_tstate: *mut PyThreadState, base: *mut StackRef) -> c_int {
    // SAFETY: [STACK]
    unsafe {
        let args = (*base.add(2)).as_ptr();
        if Py_TYPE(args) == &raw mut PyTuple_Type {
            return 0;
        }
        let tp = Py_TYPE(args);
        if (*tp).tp_iter.is_none() && PySequence_Check(args) == 0 {
            let text = _PyObject_FunctionStr((*base).as_ptr());
            if !text.is_null() {
                let format = c"%U argument after * must be an iterable, not %.200s";
                PyErr_Format(PyExc_TypeError, format.as_ptr(), text, (*tp).tp_name);
                Py_DECREF(text);
            }
            return -1;
        }
        let tuple = PySequence_Tuple(args);
        if tuple.is_null() {
            return -1;
        }
        let old = *base.add(2);
        *base.add(2) = StackRef::from_owned(tuple);
        old.close();
        0
    }
}

/// Pushes the frame of `func(*args, **kwargs)`; consumes the operands at `base`, of which `kwargs` is one if not NULL.
pub unsafe fn frame_push_ex(tstate: *mut PyThreadState, frame: Frame, base: *mut StackRef, kwargs: *mut PyObject) -> Frame {
    // SAFETY: [STACK]
    unsafe {
        let func: *mut PyFunctionObject = (*base).steal_object().cast();
        let tuple = (*base.add(2)).as_ptr();
        let nargs = ob_size(tuple) as usize;
        let kwcount = if kwargs.is_null() { 0 } else { PyDict_Size(kwargs) as usize };
        let mut small = [StackRef::NULL; 16];
        let mut large = Vec::new();
        let args = if nargs + kwcount <= small.len() {
            small.as_mut_ptr()
        } else {
            large.resize(nargs + kwcount, StackRef::NULL);
            large.as_mut_ptr()
        };
        for i in 0..nargs {
            *args.add(i) = StackRef::from_new(tuple_item(tuple, i));
        }
        let mut kwnames = null_mut();
        if kwcount > 0 {
            if dict_has_str_keys(kwargs) {
                kwnames = PyTuple_New(kwcount as isize);
            } else {
                PyErr_SetString(PyExc_TypeError, c"keywords must be strings".as_ptr());
            }
            if kwnames.is_null() {
                close_array(args, nargs);
                Py_DECREF(func.cast());
                (*base.add(2)).close();
                (*base.add(3)).close();
                return null_mut();
            }
            let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
            let mut i = 0;
            while i < kwcount && PyDict_Next(kwargs, &mut pos, &mut key, &mut value) != 0 {
                *tuple_items(kwnames).add(i) = Py_NewRef(key);
                *args.add(nargs + i) = StackRef::from_new(value);
                i += 1;
            }
        }
        let code: *mut PyCodeObject = (*func).func_code.cast();
        let optimized = (*code).co_flags & CO_OPTIMIZED != 0;
        let namespace = if optimized { null_mut() } else { Py_NewRef((*func).func_globals) };
        let new = frame_push_and_init(tstate, frame, func, namespace, args, nargs, kwnames);
        Py_XDECREF(kwnames);
        (*base.add(2)).close();
        if !kwargs.is_null() {
            (*base.add(3)).close();
        }
        new
    }
}

unsafe fn dict_has_str_keys(dict: *mut PyObject) -> bool {
    // SAFETY: [TYPE] a dict.
    unsafe {
        let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
        while PyDict_Next(dict, &mut pos, &mut key, &mut value) != 0 {
            if PyUnicode_Check(key) == 0 {
                return false;
            }
        }
        true
    }
}

// ---- native callables

/// Calls a METH_O or METH_NOARGS function.
#[inline(always)]
pub unsafe fn call_method_o(tstate: *mut PyThreadState, ml: *mut PyMethodDef, slf: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] the flags were checked.
    unsafe {
        (*tstate).c_recursion_remaining -= 1;
        let res = ((*ml).ml_meth.PyCFunction)(slf, arg);
        (*tstate).c_recursion_remaining += 1;
        res
    }
}

/// Calls a METH_FASTCALL function.
#[inline(always)]
pub unsafe fn call_method_fast(ml: *mut PyMethodDef, slf: *mut PyObject, args: *mut StackRef, nargs: usize) -> *mut PyObject {
    // SAFETY: [TYPE] the flags were checked.
    unsafe { ((*ml).ml_meth.PyCFunctionFast)(slf, as_c_array(args, nargs), nargs as isize) }
}

/// Calls a METH_FASTCALL | METH_KEYWORDS function without keywords.
#[inline(always)]
pub unsafe fn call_method_fast_keywords(ml: *mut PyMethodDef, slf: *mut PyObject, args: *mut StackRef, nargs: usize) -> *mut PyObject {
    // SAFETY: [TYPE] the flags were checked.
    unsafe { ((*ml).ml_meth.PyCFunctionFastWithKeywords)(slf, as_c_array(args, nargs), nargs as isize, null_mut()) }
}

/// Calls a class through its own vectorcall.
#[inline(always)]
pub unsafe fn call_builtin_class(tp: *mut PyTypeObject, args: *mut StackRef, nargs: usize) -> *mut PyObject {
    // SAFETY: [TYPE] it has one.
    unsafe {
        match (*tp).tp_vectorcall {
            Some(call) => call(tp.cast(), as_c_array(args, nargs), nargs, null_mut()),
            None => null_mut(),
        }
    }
}

/// Callables that have instructions of their own; NULL until first looked for.
pub struct CallableCache {
    /// `builtins.len`.
    pub len: *mut PyObject,
    /// `builtins.isinstance`.
    pub isinstance: *mut PyObject,
    /// `list.append`.
    pub list_append: *mut PyObject,
    /// `object.__getattribute__`.
    pub object_getattribute: *mut PyObject,
}

static mut CALLABLE_CACHE: CallableCache =
    CallableCache { len: null_mut(), isinstance: null_mut(), list_append: null_mut(), object_getattribute: null_mut() };

/// The cache; what it holds is lent by builtins and types.
#[inline(always)]
pub unsafe fn callable_cache(_tstate: *mut PyThreadState) -> *mut CallableCache {
    &raw mut CALLABLE_CACHE
}

/// Looks the callables up, once builtins are there.
pub unsafe fn fill_callable_cache(tstate: *mut PyThreadState) {
    // SAFETY: [GIL]
    unsafe {
        let cache = callable_cache(tstate);
        let builtins = PyInterpreterState_GetBuiltins((*tstate).interp);
        if !(*cache).len.is_null() || builtins.is_null() {
            return;
        }
        (*cache).len = PyDict_GetItem(builtins, intern!("len"));
        (*cache).isinstance = PyDict_GetItem(builtins, intern!("isinstance"));
        (*cache).list_append = _PyType_Lookup(&raw mut PyList_Type, intern!("append"));
        (*cache).object_getattribute = _PyType_Lookup(&raw mut PyBaseObject_Type, intern!("__getattribute__"));
        // The caches must not dangle if a program deletes the names.
        for callable in [(*cache).len, (*cache).isinstance, (*cache).list_append, (*cache).object_getattribute] {
            Py_XINCREF(callable);
        }
    }
}

// ---- objects made by their class's Python __init__

/// Words of the frame that waits for `__init__`'s result: header, the object, the result.
const SHIM_WORDS: usize = FRAME_HEADER_WORDS + 2;

/// Whether there is room for a frame of `code` and the small one below it.
pub unsafe fn has_stack_space_with_shim(tstate: *mut PyThreadState, code: *mut PyCodeObject) -> bool {
    // SAFETY: [STACK]
    unsafe {
        let top = (*tstate).datastack_top;
        let words = ((*tstate).datastack_limit as usize - top as usize) / size_of::<usize>();
        !top.is_null() && words > (*code).co_framesize as usize + SHIM_WORDS
    }
}

/// Pushes the frame of `slf.__init__(*args)` above one that returns `slf`. Consumes the class at `base`, `slf` and the
/// `nargs` arguments from `base + 2` on; `init` is lent. Space was checked.
pub unsafe fn frame_push_init(
    tstate: *mut PyThreadState,
    frame: Frame,
    init: *mut PyFunctionObject,
    slf: *mut PyObject,
    base: *mut StackRef,
    nargs: usize,
) -> Frame {
    // SAFETY: [STACK]
    unsafe {
        let class = *base;
        let previous_top: *mut StackRef = (*tstate).datastack_top.cast();
        let in_place = frame.owner() == FRAME_OWNED_BY_THREAD;
        // First the small frame, where the caller has pushed the arguments; these move up behind it.
        let start = if in_place { base.add(1) } else { previous_top };
        let args = start.add(SHIM_WORDS);
        move_slots_up(base.add(2), args.add(1), nargs);
        *args = StackRef::from_owned(slf);
        let shim: Frame = start.cast();
        (*shim).f_executable = Py_NewRef(crate::codeobject::init_cleanup_code().cast());
        (*shim).previous = frame;
        (*shim).f_funcobj = Py_None();
        shim.set_previous_top(previous_top);
        shim.set_locals(start);
        (*shim).f_locals = null_mut();
        (*shim).frame_obj = null_mut();
        (*shim).instr_ptr = shim.code().code_start();
        (*shim).return_offset = 0;
        (*shim).owner = FRAME_OWNED_BY_THREAD;
        let shim_base = shim.stack_base_on_data_stack();
        *shim_base = StackRef::from_new(slf);
        shim.set_sp(shim_base.add(1));
        (*tstate).py_recursion_remaining -= 1;
        (*tstate).datastack_top = args.cast();
        Py_INCREF(init.cast());
        let new = frame_push_exact_copy(tstate, shim, init, args, nargs + 1);
        class.close();
        new
    }
}

// ---- making functions

/// SET_FUNCTION_ATTRIBUTE: `value` is consumed.
#[inline(always)]
pub unsafe fn set_function_attribute(func: *mut PyFunctionObject, oparg: u32, value: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        match oparg {
            1 => setref(&raw mut (*func).func_defaults, value),
            2 => setref(&raw mut (*func).func_kwdefaults, value),
            4 => setref(&raw mut (*func).func_annotations, value),
            _ => setref(&raw mut (*func).func_closure, value),
        }
    }
}
