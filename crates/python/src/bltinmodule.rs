//! The module `builtins`: functions, and the iterators `filter`, `map` and `zip`.

use crate::compile::{CompilerFlags, Input, Start, compile_source, flags as pycf};
use crate::pystate::interp;
use crate::sysmodule::{KeepNone, audit, get_required_attr};
use crate::util::*;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Args, methods};
use taipan_objects::gc;
use taipan_objects::typeobject::TYPE_INIT;

unsafe extern "C" {
    fn _PyEval_GetFrameLocals() -> *mut PyObject;
    fn _PyEval_Vector(ts: *mut PyThreadState, func: *mut PyFunctionObject, locals: *mut PyObject, args: *const *mut PyObject, n: usize, kwnames: *mut PyObject) -> *mut PyObject;
    fn _PyType_CalculateMetaclass(tp: *mut PyTypeObject, bases: *mut PyObject) -> *mut PyTypeObject;
    fn PyAnextAwaitable_New(awaitable: *mut PyObject, default: *mut PyObject) -> *mut PyObject;
    fn PyNumber_ToBase(n: *mut PyObject, base: c_int) -> *mut PyObject;
    fn PyObject_ASCII(op: *mut PyObject) -> *mut PyObject;
    fn PyObject_VectorcallDict(callable: *mut PyObject, args: *const *mut PyObject, nargsf: usize, kwargs: *mut PyObject) -> *mut PyObject;
    static stdin: *mut libc::FILE;
    static stdout: *mut libc::FILE;
}

/// The next item of an iterator whose `tp_iternext` is `next`; `None` at its end.
#[inline(always)]
unsafe fn iter_next(next: iternextfunc, it: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        match Owned::from_owned_or_opt(next(it)) {
            Some(v) => Ok(Some(v)),
            None => {
                if err_occurred() {
                    if PyErr_ExceptionMatches(PyExc_StopIteration) == 0 {
                        return Err(Raised::assume());
                    }
                    PyErr_Clear();
                }
                Ok(None)
            }
        }
    }
}

/// An iterator and its `tp_iternext`.
unsafe fn get_iter(op: *mut PyObject) -> PyResult<(Owned, iternextfunc)> {
    // SAFETY: [ARGS] PyObject_GetIter checks that there is a tp_iternext.
    unsafe {
        let it = own(PyObject_GetIter(op))?;
        match (*(*it.as_ptr()).ob_type).tp_iternext {
            Some(next) => Ok((it, next)),
            None => bail!(PyExc_TypeError, "'{}' object is not an iterator", type_name(it.as_ptr())),
        }
    }
}

// ---- class statement

/// The bases with `__mro_entries__` resolved; the very same tuple when there is none.
unsafe fn update_bases(orig: &Owned, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let mut new: Option<Vec<Owned>> = None;
        for (i, &base) in args.iter().enumerate() {
            let keep = |new: &mut Option<Vec<Owned>>| {
                if let Some(n) = new {
                    n.push(Owned::from_borrowed(base));
                }
            };
            if PyType_Check(base) != 0 {
                keep(&mut new);
                continue;
            }
            let Some(meth) = getattr_opt(base, intern!("__mro_entries__"))? else {
                keep(&mut new);
                continue;
            };
            let entries = call(meth.as_ptr(), &[orig.as_ptr()])?;
            if PyTuple_Check(entries.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "__mro_entries__ must return a tuple");
            }
            let n = new.get_or_insert_with(|| args[..i].iter().map(|&b| Owned::from_borrowed(b)).collect());
            for k in 0..PyTuple_GET_SIZE(entries.as_ptr()) {
                n.push(Owned::from_borrowed(PyTuple_GET_ITEM(entries.as_ptr(), k)));
            }
        }
        match new {
            None => Ok(orig.clone()),
            Some(n) => {
                let raw: Vec<*mut PyObject> = n.iter().map(|o| o.as_ptr()).collect();
                tuple(&raw)
            }
        }
    }
}

unsafe fn build_class(args: &[*mut PyObject], values: *const *mut PyObject, kwnames: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let [func, name, given @ ..] = args else {
            bail!(PyExc_TypeError, "__build_class__: not enough arguments");
        };
        let (func, name) = (*func, *name);
        if (*func).ob_type != &raw mut PyFunction_Type {
            bail!(PyExc_TypeError, "__build_class__: func must be a function");
        }
        if PyUnicode_Check(name) == 0 {
            bail!(PyExc_TypeError, "__build_class__: name is not a string");
        }
        let orig_bases = tuple(given)?;
        let bases = update_bases(&orig_bases, given)?;
        let mut mkw = None;
        let mut meta = None;
        if !kwnames.is_null() {
            let d = own(PyDict_New())?;
            for i in 0..PyTuple_GET_SIZE(kwnames) {
                dict_set(d.as_ptr(), PyTuple_GET_ITEM(kwnames, i), *values.add(i as usize))?;
            }
            let mut m = null_mut();
            check_status(PyDict_Pop(d.as_ptr(), intern!("metaclass"), &mut m))?;
            meta = Owned::from_owned_or_opt(m);
            mkw = Some(d);
        }
        let kw = mkw.as_ref().map_or(null_mut(), |d| d.as_ptr());
        let (mut meta, is_class) = match meta {
            Some(m) => {
                let c = PyType_Check(m.as_ptr()) != 0;
                (m, c)
            }
            None if PyTuple_GET_SIZE(bases.as_ptr()) == 0 => (Owned::from_borrowed((&raw mut PyType_Type).cast::<PyObject>()), true),
            None => (Owned::from_borrowed((*PyTuple_GET_ITEM(bases.as_ptr(), 0)).ob_type.cast::<PyObject>()), true),
        };
        if is_class {
            let winner = _PyType_CalculateMetaclass(meta.as_ptr().cast(), bases.as_ptr());
            if winner.is_null() {
                return Err(Raised::assume());
            }
            if winner.cast() != meta.as_ptr() {
                meta = Owned::from_borrowed(winner.cast::<PyObject>());
            }
        }
        let ns = match getattr_opt(meta.as_ptr(), intern!("__prepare__"))? {
            None => own(PyDict_New())?,
            Some(prep) => own(PyObject_VectorcallDict(prep.as_ptr(), [name, bases.as_ptr()].as_ptr(), 2, kw))?,
        };
        if PyMapping_Check(ns.as_ptr()) == 0 {
            let who = if is_class { tp_name(meta.as_ptr().cast()) } else { "<metaclass>".into() };
            bail!(PyExc_TypeError, "{who}.__prepare__() must return a mapping, not {}", type_name(ns.as_ptr()));
        }
        let cell = own(_PyEval_Vector(current_tstate(), func.cast(), ns.as_ptr(), core::ptr::null(), 0, null_mut()))?;
        if bases.as_ptr() != orig_bases.as_ptr() {
            check_status(PyObject_SetItem(ns.as_ptr(), intern!("__orig_bases__"), orig_bases.as_ptr()))?;
        }
        let cls = own(PyObject_VectorcallDict(meta.as_ptr(), [name, bases.as_ptr(), ns.as_ptr()].as_ptr(), 3, kw))?;
        if PyType_Check(cls.as_ptr()) != 0 && (*cell.as_ptr()).ob_type == &raw mut PyCell_Type {
            let held = PyCell_Get(cell.as_ptr());
            let held = Owned::from_owned_or_opt(held);
            match held {
                None => bail!(
                    PyExc_RuntimeError,
                    "__class__ not set defining {} as {}. Was __classcell__ propagated to type.__new__?",
                    repr(name)?,
                    repr(cls.as_ptr())?
                ),
                Some(h) if h.as_ptr() != cls.as_ptr() => {
                    bail!(PyExc_TypeError, "__class__ set to {} defining {} as {}", repr(h.as_ptr())?, repr(name)?, repr(cls.as_ptr())?)
                }
                Some(_) => {}
            }
        }
        Ok(cls)
    }
}

unsafe extern "C" {
    static mut PyCell_Type: PyTypeObject;
}

unsafe extern "C" fn build_class_entry(_: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { build_class(raw_args(args, n), args.add(n as usize), kw).into_c() }
}

#[inline(always)]
unsafe fn raw_args<'a>(args: *const *mut PyObject, n: Py_ssize_t) -> &'a [*mut PyObject] {
    // SAFETY: [ARGS]
    if n == 0 { &[] } else { unsafe { core::slice::from_raw_parts(args, n as usize) } }
}

fn builtin_import(_: (), name: Borrowed<'_>, globals: Option<KeepNone<'_>>, locals: Option<KeepNone<'_>>, fromlist: Option<KeepNone<'_>>, level: i32) -> PyResult<Owned> {
    let p = |o: Option<KeepNone<'_>>| o.map_or(null_mut(), |k| k.0.ob());
    // SAFETY: [ARGS]
    unsafe { own(crate::import::PyImport_ImportModuleLevelObject(name.ob(), p(globals), p(locals), p(fromlist), level)) }
}

// ---- simple functions

fn builtin_abs(_: (), x: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyNumber_Absolute(x.ob())) }
}

fn builtin_all(_: (), iterable: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let (it, next) = get_iter(iterable.ob())?;
        while let Some(v) = iter_next(next, it.as_ptr())? {
            if !is_true(v.as_ptr())? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn builtin_any(_: (), iterable: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let (it, next) = get_iter(iterable.ob())?;
        while let Some(v) = iter_next(next, it.as_ptr())? {
            if is_true(v.as_ptr())? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn builtin_ascii(_: (), obj: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyObject_ASCII(obj.ob())) }
}

fn builtin_bin(_: (), number: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyNumber_ToBase(number.ob(), 2)) }
}

fn builtin_oct(_: (), number: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyNumber_ToBase(number.ob(), 8)) }
}

fn builtin_hex(_: (), number: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyNumber_ToBase(number.ob(), 16)) }
}

fn builtin_callable(_: (), obj: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    Ok(unsafe { PyCallable_Check(obj.ob()) != 0 })
}

fn builtin_chr(_: (), i: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let mut overflow = 0;
        let v = PyLong_AsLongAndOverflow(i.ob(), &mut overflow);
        if v == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        let v = if overflow != 0 { -1 } else { v };
        own(PyUnicode_FromOrdinal(c_int::try_from(v).unwrap_or(-1)))
    }
}

fn builtin_delattr(_: (), obj: Borrowed<'_>, name: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS] a NULL value deletes.
    unsafe { check_status(PyObject_SetAttr(obj.ob(), name.ob(), null_mut())) }
}

fn builtin_divmod(_: (), x: Borrowed<'_>, y: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyNumber_Divmod(x.ob(), y.ob())) }
}

fn builtin_format(_: (), value: Borrowed<'_>, spec: Option<taipan_clinic::Str<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyObject_Format(value.ob(), spec.map_or(null_mut(), |s| s.ob()))) }
}

fn builtin_globals(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    Ok(unsafe { Owned::from_borrowed_or_opt(PyEval_GetGlobals()) }.unwrap_or_else(none))
}

fn builtin_locals(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(_PyEval_GetFrameLocals()) }
}

fn builtin_hasattr(_: (), obj: Borrowed<'_>, name: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(name.ob()) == 0 {
            bail!(PyExc_TypeError, "attribute name must be string, not '{}'", type_name(name.ob()));
        }
        Ok(getattr_opt(obj.ob(), name.ob())?.is_some())
    }
}

fn builtin_hash(_: (), obj: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [ARGS]
    unsafe {
        let h = PyObject_Hash(obj.ob());
        if h == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(h) }
    }
}

fn builtin_id(_: (), obj: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let id = own(PyLong_FromVoidPtr(obj.ob().cast()))?;
        audit(c"builtins.id", &[id.as_ptr()])?;
        Ok(id)
    }
}

fn builtin_isinstance(_: (), obj: Borrowed<'_>, class_or_tuple: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe { flag(PyObject_IsInstance(obj.ob(), class_or_tuple.ob())) }
}

fn builtin_issubclass(_: (), cls: Borrowed<'_>, class_or_tuple: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe { flag(PyObject_IsSubclass(cls.ob(), class_or_tuple.ob())) }
}

fn builtin_len(_: (), obj: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyObject_Size(obj.ob());
        if n < 0 { Err(Raised::assume()) } else { Ok(n) }
    }
}

fn builtin_ord(_: (), c: Borrowed<'_>) -> PyResult<i64> {
    // SAFETY: [TYPE]
    unsafe {
        let op = c.ob();
        let size = if PyBytes_Check(op) != 0 {
            let b = bytes_of(op);
            if b.len() == 1 {
                return Ok(b[0] as i64);
            }
            b.len() as isize
        } else if PyUnicode_Check(op) != 0 {
            let n = PyUnicode_GET_LENGTH(op);
            if n == 1 {
                return Ok(PyUnicode_ReadChar(op, 0) as i64);
            }
            n
        } else if PyByteArray_Check(op) != 0 {
            let n = PyByteArray_Size(op);
            if n == 1 {
                return Ok(*PyByteArray_AsString(op).cast::<u8>() as i64);
            }
            n
        } else {
            bail!(PyExc_TypeError, "ord() expected string of length 1, but {} found", type_name(op));
        };
        bail!(PyExc_TypeError, "ord() expected a character, but string of length {size} found")
    }
}

fn builtin_pow(_: (), base: Borrowed<'_>, exp: Borrowed<'_>, modulus: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyNumber_Power(base.ob(), exp.ob(), modulus.ob())) }
}

fn builtin_repr(_: (), obj: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyObject_Repr(obj.ob())) }
}

fn builtin_round(_: (), number: Borrowed<'_>, ndigits: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let round = _PyObject_LookupSpecial(number.ob(), intern!("__round__"));
        if round.is_null() {
            if !err_occurred() {
                bail!(PyExc_TypeError, "type {} doesn't define __round__ method", type_name(number.ob()));
            }
            return Err(Raised::assume());
        }
        let round: Owned = Owned::from_owned(round);
        match ndigits {
            None => call(round.as_ptr(), &[]),
            Some(n) => call(round.as_ptr(), &[n.ob()]),
        }
    }
}

fn builtin_setattr(_: (), obj: Borrowed<'_>, name: Borrowed<'_>, value: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { check_status(PyObject_SetAttr(obj.ob(), name.ob(), value.ob())) }
}

fn builtin_aiter(_: (), async_iterable: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(PyObject_GetAIter(async_iterable.ob())) }
}

unsafe extern "C" {
    fn PyObject_GetAIter(op: *mut PyObject) -> *mut PyObject;
}

fn builtin_anext(_: (), aiterator: Borrowed<'_>, default: Option<KeepNone<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let t = aiterator.ob_type();
        let am = (*t).tp_as_async;
        let anext = if am.is_null() { None } else { (*am).am_anext };
        let Some(anext) = anext else {
            bail!(PyExc_TypeError, "'{}' object is not an async iterator", tp_name(t));
        };
        let awaitable = own(anext(aiterator.ob()))?;
        match default {
            None => Ok(awaitable),
            Some(d) => own(PyAnextAwaitable_New(awaitable.as_ptr(), d.0.ob())),
        }
    }
}

// ---- functions with conventions of their own

unsafe extern "C" fn getattr_entry(_: *mut PyObject, args: *mut *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !(2..=3).contains(&n) && _PyArg_CheckPositional(c"getattr".as_ptr(), n, 2, 3) == 0 {
            return null_mut();
        }
        let (v, name) = (*args, *args.add(1));
        if n == 2 {
            return PyObject_GetAttr(v, name);
        }
        let mut result = null_mut();
        if PyObject_GetOptionalAttr(v, name, &mut result) == 0 {
            let d = *args.add(2);
            Py_INCREF(d);
            return d;
        }
        result
    }
}

unsafe extern "C" fn iter_entry(_: *mut PyObject, args: *mut *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !(1..=2).contains(&n) && _PyArg_CheckPositional(c"iter".as_ptr(), n, 1, 2) == 0 {
            return null_mut();
        }
        if n == 1 {
            return PyObject_GetIter(*args);
        }
        if PyCallable_Check(*args) == 0 {
            let _ = raise!(PyExc_TypeError, "iter(v, w): v must be callable");
            return null_mut();
        }
        PyCallIter_New(*args, *args.add(1))
    }
}

unsafe extern "C" fn next_entry(_: *mut PyObject, args: *mut *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !(1..=2).contains(&n) && _PyArg_CheckPositional(c"next".as_ptr(), n, 1, 2) == 0 {
            return null_mut();
        }
        let it = *args;
        if PyIter_Check(it) == 0 {
            let _ = raise!(PyExc_TypeError, "'{}' object is not an iterator", type_name(it));
            return null_mut();
        }
        let Some(next) = (*(*it).ob_type).tp_iternext else { return null_mut() };
        let res = next(it);
        if !res.is_null() {
            return res;
        }
        if n > 1 {
            if err_occurred() {
                if PyErr_ExceptionMatches(PyExc_StopIteration) == 0 {
                    return null_mut();
                }
                PyErr_Clear();
            }
            let d = *args.add(1);
            Py_INCREF(d);
            return d;
        }
        if !err_occurred() {
            PyErr_SetNone(PyExc_StopIteration);
        }
        null_mut()
    }
}

unsafe extern "C" fn dir_entry(_: *mut PyObject, args: *mut *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if n > 1 && _PyArg_CheckPositional(c"dir".as_ptr(), n, 0, 1) == 0 {
            return null_mut();
        }
        PyObject_Dir(if n == 0 { null_mut() } else { *args })
    }
}

unsafe extern "C" fn vars_entry(_: *mut PyObject, args: *mut *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if n > 1 && _PyArg_CheckPositional(c"vars".as_ptr(), n, 0, 1) == 0 {
            return null_mut();
        }
        if n == 0 {
            return _PyEval_GetFrameLocals();
        }
        let r = (|| match getattr_opt(*args, intern!("__dict__"))? {
            Some(d) => Ok(d),
            None => bail!(PyExc_TypeError, "vars() argument must have __dict__ attribute"),
        })();
        r.into_c()
    }
}

unsafe extern "C" fn breakpoint_entry(_: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let hook = get_required_attr(intern!("breakpointhook"))?;
        audit(c"builtins.breakpoint", &[hook.as_ptr()])?;
        own(PyObject_Vectorcall(hook.as_ptr(), args, n as usize, kw))
    })();
    r.into_c()
}

/// Looks for `key` and `default` among the keywords of `min` and `max`.
unsafe fn min_max_keywords(name: &str, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> PyResult<(*mut PyObject, *mut PyObject)> {
    // SAFETY: [ARGS]
    unsafe {
        let (mut key, mut default) = (null_mut(), null_mut());
        let given = PyTuple_GET_SIZE(kw);
        if given > 2 {
            bail!(PyExc_TypeError, "{name}() takes at most 2 keyword arguments ({given} given)");
        }
        for i in 0..given {
            let k = PyTuple_GET_ITEM(kw, i);
            let v = *args.add((n + i) as usize);
            if _PyUnicode_EqualToASCIIString(k, c"key".as_ptr()) != 0 {
                key = v;
            } else if _PyUnicode_EqualToASCIIString(k, c"default".as_ptr()) != 0 {
                default = v;
            } else {
                bail!(PyExc_TypeError, "{name}() got an unexpected keyword argument '{}'", lossy(k));
            }
        }
        Ok((key, default))
    }
}

unsafe fn min_max(args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject, op: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let name = if op == Py_LT { "min" } else { "max" };
        if n == 0 {
            bail!(PyExc_TypeError, "{name} expected at least 1 argument, got 0");
        }
        let (key, default) = if kw.is_null() { (null_mut(), null_mut()) } else { min_max_keywords(name, args, n, kw)? };
        let key = if key == Py_None() { null_mut() } else { key };
        if n > 1 && !default.is_null() {
            bail!(PyExc_TypeError, "Cannot specify a default for {name}() with multiple positional arguments");
        }
        let iter = if n == 1 { Some(get_iter(*args)?) } else { None };
        let mut best: Option<(Owned, Owned)> = None;
        let mut i = 0;
        loop {
            let item = match &iter {
                Some((it, next)) => match iter_next(*next, it.as_ptr())? {
                    Some(v) => v,
                    None => break,
                },
                None => {
                    if i == n {
                        break;
                    }
                    i += 1;
                    Owned::from_borrowed(*args.add((i - 1) as usize))
                }
            };
            let value = if key.is_null() { item.clone() } else { call(key, &[item.as_ptr()])? };
            let better = match &best {
                None => true,
                Some((_, v)) => flag(PyObject_RichCompareBool(value.as_ptr(), v.as_ptr(), op))?,
            };
            if better {
                best = Some((item, value));
            }
        }
        match best {
            Some((item, _)) => Ok(item),
            None if !default.is_null() => Ok(Owned::from_borrowed(default)),
            None => bail!(PyExc_ValueError, "{name}() iterable argument is empty"),
        }
    }
}

unsafe extern "C" fn min_entry(_: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { min_max(args, n, kw, Py_LT).into_c() }
}

unsafe extern "C" fn max_entry(_: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { min_max(args, n, kw, Py_GT).into_c() }
}

unsafe extern "C" fn sorted_entry(_: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] list.sort takes the same keywords.
    let r = (|| unsafe {
        if n != 1 && _PyArg_CheckPositional(c"sorted".as_ptr(), n, 1, 1) == 0 {
            return Err(Raised::assume());
        }
        let list = own(PySequence_List(*args))?;
        if kw.is_null() || PyTuple_GET_SIZE(kw) == 0 {
            check_status(PyList_Sort(list.as_ptr()))?;
            return Ok(list);
        }
        let sort = getattr(list.as_ptr(), intern!("sort"))?;
        own(PyObject_Vectorcall(sort.as_ptr(), args.add(1), 0, kw))?;
        Ok(list)
    })();
    r.into_c()
}

fn builtin_sum(_: (), iterable: Borrowed<'_>, start: Option<KeepNone<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let (it, next) = get_iter(iterable.ob())?;
        let mut result = match start {
            None => new_int(0)?,
            Some(s) => {
                let s = s.0;
                if PyUnicode_Check(s.ob()) != 0 {
                    bail!(PyExc_TypeError, "sum() can't sum strings [use ''.join(seq) instead]");
                }
                if PyBytes_Check(s.ob()) != 0 {
                    bail!(PyExc_TypeError, "sum() can't sum bytes [use b''.join(seq) instead]");
                }
                if PyByteArray_Check(s.ob()) != 0 {
                    bail!(PyExc_TypeError, "sum() can't sum bytearray [use b''.join(seq) instead]");
                }
                s.to_owned()
            }
        };
        // Small ints are added as machine words for as long as all are, floats likewise, with the error carried along.
        if (*result.as_ptr()).ob_type == &raw mut PyLong_Type {
            let mut overflow = 0;
            let mut total = PyLong_AsLongAndOverflow(result.as_ptr(), &mut overflow);
            if overflow == 0 {
                loop {
                    let Some(item) = iter_next(next, it.as_ptr())? else { return new_int(total) };
                    let t = (*item.as_ptr()).ob_type;
                    if t == &raw mut PyLong_Type || t == &raw mut PyBool_Type {
                        let b = PyLong_AsLongAndOverflow(item.as_ptr(), &mut overflow);
                        if overflow == 0
                            && let Some(sum) = total.checked_add(b)
                        {
                            total = sum;
                            continue;
                        }
                    }
                    let sum = new_int(total)?;
                    result = own(PyNumber_Add(sum.as_ptr(), item.as_ptr()))?;
                    break;
                }
            }
        }
        if (*result.as_ptr()).ob_type == &raw mut PyFloat_Type {
            let mut total = PyFloat_AS_DOUBLE(result.as_ptr());
            let mut error = 0.0f64;
            let finish = |total: f64, error: f64| if error != 0.0 && error.is_finite() { total + error } else { total };
            loop {
                let Some(item) = iter_next(next, it.as_ptr())? else {
                    return own(PyFloat_FromDouble(finish(total, error)));
                };
                if (*item.as_ptr()).ob_type == &raw mut PyFloat_Type {
                    let x = PyFloat_AS_DOUBLE(item.as_ptr());
                    let t = total + x;
                    error += if total.abs() >= x.abs() { (total - t) + x } else { (x - t) + total };
                    total = t;
                    continue;
                }
                if PyLong_Check(item.as_ptr()) != 0 {
                    let mut overflow = 0;
                    let v = PyLong_AsLongAndOverflow(item.as_ptr(), &mut overflow);
                    if overflow == 0 {
                        total += v as f64;
                        continue;
                    }
                }
                let sum = own(PyFloat_FromDouble(finish(total, error)))?;
                result = own(PyNumber_Add(sum.as_ptr(), item.as_ptr()))?;
                break;
            }
        }
        while let Some(item) = iter_next(next, it.as_ptr())? {
            result = own(PyNumber_Add(result.as_ptr(), item.as_ptr()))?;
        }
        Ok(result)
    }
}

fn separator(given: Option<KeepNone<'_>>, what: &str) -> PyResult<Option<Owned>> {
    match given {
        None => Ok(None),
        Some(s) if s.0.is_none() => Ok(None),
        // SAFETY: [ARGS]
        Some(s) => unsafe {
            if PyUnicode_Check(s.0.ob()) == 0 {
                bail!(PyExc_TypeError, "{what} must be None or a string, not {}", type_name(s.0.ob()));
            }
            Ok(Some(s.0.to_owned()))
        },
    }
}

fn builtin_print(_: (), args: Args<'_>, sep: Option<KeepNone<'_>>, end: Option<KeepNone<'_>>, file: Option<Borrowed<'_>>, flush: bool) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let file = match file {
            Some(f) => f.to_owned(),
            None => {
                let f = get_required_attr(intern!("stdout"))?;
                // Without standard output there is nowhere to print.
                if f.as_ptr() == Py_None() {
                    return Ok(());
                }
                f
            }
        };
        let sep = separator(sep, "sep")?;
        let end = separator(end, "end")?;
        let sep = sep.as_ref().map_or(intern!(" "), |s| s.as_ptr());
        let end = end.as_ref().map_or(intern!("\n"), |s| s.as_ptr());
        let write = |o: *mut PyObject| check_status(PyFile_WriteObject(o, file.as_ptr(), Py_PRINT_RAW));
        for (i, &o) in args.0.iter().enumerate() {
            if i > 0 {
                write(sep)?;
            }
            write(o)?;
        }
        write(end)?;
        if flush {
            call_method(file.as_ptr(), intern!("flush"), &[])?;
        }
        Ok(())
    }
}

// ---- input

/// Whether a Python file is the given C file on a terminal.
unsafe fn is_terminal(f: &Owned, c: *mut libc::FILE) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        match call_method(f.as_ptr(), intern!("fileno"), &[]) {
            Err(e) => {
                e.clear();
                Ok(false)
            }
            Ok(n) => {
                let fd = PyLong_AsLong(n.as_ptr());
                if fd < 0 && err_occurred() {
                    return Err(Raised::assume());
                }
                Ok(fd == libc::fileno(c) as i64 && libc::isatty(fd as c_int) != 0)
            }
        }
    }
}

/// Encoding and error handler of a text file, if they are strs.
unsafe fn codec_of(f: &Owned) -> PyResult<Option<(std::ffi::CString, std::ffi::CString)>> {
    // SAFETY: [ARGS]
    unsafe {
        let enc = getattr(f.as_ptr(), intern!("encoding"))?;
        let err = getattr(f.as_ptr(), intern!("errors"))?;
        if PyUnicode_Check(enc.as_ptr()) == 0 || PyUnicode_Check(err.as_ptr()) == 0 {
            return Ok(None);
        }
        Ok(Some((std::ffi::CString::new(utf8(enc.as_ptr())?).unwrap_or_default(), std::ffi::CString::new(utf8(err.as_ptr())?).unwrap_or_default())))
    }
}

/// Reads a line from the terminal with its editor; `None` when the streams lack what that takes.
unsafe fn input_terminal(fin: &Owned, fout: &Owned, prompt: Option<Borrowed<'_>>) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(Some((enc, errors))) = codec_of(fin) else {
            PyErr_Clear();
            return Ok(None);
        };
        if let Err(e) = call_method(fout.as_ptr(), intern!("flush"), &[]) {
            e.clear();
        }
        let mut text = Vec::new();
        if let Some(p) = prompt {
            let Ok(Some((oenc, oerr))) = codec_of(fout) else {
                PyErr_Clear();
                return Ok(None);
            };
            let s = own(PyObject_Str(p.ob()))?;
            let b = own(PyUnicode_AsEncodedString(s.as_ptr(), oenc.as_ptr(), oerr.as_ptr()))?;
            text = bytes_of(b.as_ptr()).to_vec();
        }
        let Ok(c_prompt) = std::ffi::CString::new(text) else {
            bail!(PyExc_ValueError, "input: prompt string cannot contain null characters");
        };
        let s = crate::myreadline::PyOS_Readline(stdin, stdout, c_prompt.as_ptr());
        if s.is_null() {
            PyErr_CheckSignals();
            if !err_occurred() {
                PyErr_SetNone(PyExc_KeyboardInterrupt);
            }
            return Err(Raised::assume());
        }
        let line = core::ffi::CStr::from_ptr(s).to_bytes().to_vec();
        PyMem_Free(s.cast());
        if line.is_empty() {
            PyErr_SetNone(PyExc_EOFError);
            return Err(Raised::assume());
        }
        let mut body = &line[..line.len() - 1];
        body = body.strip_suffix(b"\r").unwrap_or(body);
        let r = own(PyUnicode_Decode(body.as_ptr().cast(), body.len() as Py_ssize_t, enc.as_ptr(), errors.as_ptr()))?;
        audit(c"builtins.input/result", &[r.as_ptr()])?;
        Ok(Some(r))
    }
}

fn builtin_input(_: (), prompt: Option<KeepNone<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let stream = |name: *mut PyObject, text: &str| {
            let f = get_required_attr(name)?;
            if f.as_ptr() == Py_None() {
                bail!(PyExc_RuntimeError, "lost sys.{text}");
            }
            Ok(f)
        };
        let fin = stream(intern!("stdin"), "stdin")?;
        let fout = stream(intern!("stdout"), "stdout")?;
        let ferr = stream(intern!("stderr"), "stderr")?;
        let prompt = prompt.map(|p| p.0);
        audit(c"builtins.input", &[prompt.map_or(Py_None(), |p| p.ob())])?;
        if let Err(e) = call_method(ferr.as_ptr(), intern!("flush"), &[]) {
            e.clear();
        }
        if is_terminal(&fin, stdin)?
            && is_terminal(&fout, stdout)?
            && let Some(line) = input_terminal(&fin, &fout, prompt)?
        {
            return Ok(line);
        }
        if let Some(p) = prompt {
            check_status(PyFile_WriteObject(p.ob(), fout.as_ptr(), Py_PRINT_RAW))?;
        }
        if let Err(e) = call_method(fout.as_ptr(), intern!("flush"), &[]) {
            e.clear();
        }
        own(PyFile_GetLine(fin.as_ptr(), -1))
    }
}

// ---- compile, eval, exec

/// The bytes of source given as str, bytes or another buffer. A str needs no coding cookie.
///
/// # Safety
/// `cmd` is live.
pub unsafe fn source_as_bytes(cmd: *mut PyObject, funcname: &str, what: &str, cf: &mut CompilerFlags) -> PyResult<Vec<u8>> {
    // SAFETY: [ARGS]
    unsafe {
        let source = if PyUnicode_Check(cmd) != 0 {
            cf.cf_flags |= pycf::PyCF_IGNORE_COOKIE;
            utf8(cmd)?.as_bytes().to_vec()
        } else {
            match taipan_clinic::BufferView::get(cmd) {
                Ok(v) => v.as_bytes().to_vec(),
                Err(e) => {
                    e.clear();
                    bail!(PyExc_TypeError, "{funcname}() arg 1 must be a {what} object");
                }
            }
        };
        if source.contains(&0) {
            bail!(PyExc_SyntaxError, "source code string cannot contain null bytes");
        }
        Ok(source)
    }
}

unsafe fn merge_flags(cf: &mut CompilerFlags) {
    // SAFETY: [GIL] the same layout.
    unsafe { crate::ceval::PyEval_MergeCompilerFlags((cf as *mut CompilerFlags).cast()) };
}

#[allow(clippy::too_many_arguments, reason = "the parameters of compile()")]
fn builtin_compile(_: (), source: Borrowed<'_>, filename: Borrowed<'_>, mode: &str, flags: i32, dont_inherit: bool, optimize: i32, feature_version: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let mut name: *mut PyObject = null_mut();
        if PyUnicode_FSDecoder(filename.ob(), (&raw mut name).cast()) == 0 {
            return Err(Raised::assume());
        }
        let name: Owned = Owned::from_owned(name);
        let mut cf = CompilerFlags { cf_flags: flags | pycf::PyCF_SOURCE_IS_UTF8, ..CompilerFlags::default() };
        let tree = flags & pycf::PyCF_ONLY_AST != 0;
        if feature_version >= 0 && tree {
            cf.cf_feature_version = feature_version;
        }
        if flags & !(pycf::PyCF_MASK | pycf::PyCF_MASK_OBSOLETE | pycf::PyCF_COMPILE_MASK) != 0 {
            bail!(PyExc_ValueError, "compile(): unrecognised flags");
        }
        if !(-1..=2).contains(&optimize) {
            bail!(PyExc_ValueError, "compile(): invalid optimize value");
        }
        if !dont_inherit {
            merge_flags(&mut cf);
        }
        let start = match mode {
            "exec" => Start::Exec,
            "eval" => Start::Eval,
            "single" => Start::Single,
            "func_type" if tree => Start::FuncType,
            "func_type" => bail!(PyExc_ValueError, "compile() mode 'func_type' requires flag PyCF_ONLY_AST"),
            _ if tree => bail!(PyExc_ValueError, "compile() mode must be 'exec', 'eval', 'single' or 'func_type'"),
            _ => bail!(PyExc_ValueError, "compile() mode must be 'exec', 'eval' or 'single'"),
        };
        if crate::ast_object::is_ast(source.ob())? {
            if flags & pycf::PyCF_OPTIMIZED_AST == pycf::PyCF_ONLY_AST {
                return Ok(source.to_owned());
            }
            return crate::ast_object::compile_object(source.ob(), name.as_ptr(), start, &mut cf, optimize);
        }
        let text = source_as_bytes(source.ob(), "compile", "string, bytes or AST", &mut cf)?;
        compile_source(Input::Bytes(&text), name.as_ptr(), start, &mut cf, optimize)
    }
}

unsafe fn ensure_builtins(globals: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if !flag(PyDict_Contains(globals, intern!("__builtins__")))? {
            dict_set(globals, intern!("__builtins__"), PyEval_GetBuiltins())?;
        }
        Ok(())
    }
}

/// Number of free variables of a code object.
unsafe fn num_free(code: *mut PyObject) -> i32 {
    // SAFETY: [TYPE]
    unsafe { (*code.cast::<PyCodeObject>()).co_nfreevars }
}

fn builtin_eval(_: (), source: Borrowed<'_>, globals: Borrowed<'_>, locals: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if !locals.is_none() && PyMapping_Check(locals.ob()) == 0 {
            bail!(PyExc_TypeError, "locals must be a mapping");
        }
        if !globals.is_none() && PyDict_Check(globals.ob()) == 0 {
            if PyMapping_Check(globals.ob()) != 0 {
                bail!(PyExc_TypeError, "globals must be a real dict; try eval(expr, {{}}, mapping)");
            }
            bail!(PyExc_TypeError, "globals must be a dict");
        }
        let (g, l) = if globals.is_none() {
            let g = Owned::from_borrowed_or_opt(PyEval_GetGlobals());
            let l = if locals.is_none() { own(_PyEval_GetFrameLocals())? } else { locals.to_owned() };
            let Some(g) = g else {
                bail!(PyExc_TypeError, "eval must be given globals and locals when called without a frame");
            };
            (g, l)
        } else {
            (globals.to_owned(), if locals.is_none() { globals.to_owned() } else { locals.to_owned() })
        };
        ensure_builtins(g.as_ptr())?;
        if PyCode_Check(source.ob()) != 0 {
            audit(c"exec", &[source.ob()])?;
            if num_free(source.ob()) > 0 {
                bail!(PyExc_TypeError, "code object passed to eval() may not contain free variables");
            }
            return own(PyEval_EvalCode(source.ob(), g.as_ptr(), l.as_ptr()));
        }
        let mut cf = CompilerFlags { cf_flags: pycf::PyCF_SOURCE_IS_UTF8, ..CompilerFlags::default() };
        let text = source_as_bytes(source.ob(), "eval", "string, bytes or code", &mut cf)?;
        let start = text.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(text.len());
        merge_flags(&mut cf);
        let name = new_str("<string>")?;
        crate::pythonrun::run_source(&text[start..], name.as_ptr(), Start::Eval, g.as_ptr(), l.as_ptr(), &mut cf)
    }
}

fn builtin_exec(_: (), source: Borrowed<'_>, globals: Borrowed<'_>, locals: Borrowed<'_>, closure: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let (g, l) = if globals.is_none() {
            let g = Owned::from_borrowed_or_opt(PyEval_GetGlobals());
            let l = if locals.is_none() { own(_PyEval_GetFrameLocals())? } else { locals.to_owned() };
            let Some(g) = g else { bail!(PyExc_SystemError, "globals and locals cannot be NULL") };
            (g, l)
        } else {
            (globals.to_owned(), if locals.is_none() { globals.to_owned() } else { locals.to_owned() })
        };
        if PyDict_Check(g.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "exec() globals must be a dict, not {}", type_name(g.as_ptr()));
        }
        if PyMapping_Check(l.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "locals must be a mapping or None, not {}", type_name(l.as_ptr()));
        }
        ensure_builtins(g.as_ptr())?;
        if PyCode_Check(source.ob()) != 0 {
            let n = num_free(source.ob());
            if n == 0 {
                if closure.is_some() {
                    bail!(PyExc_TypeError, "cannot use a closure with this code object");
                }
            } else {
                let fits = closure.is_some_and(|c| {
                    c.ob_type() == &raw mut PyTuple_Type
                        && PyTuple_GET_SIZE(c.ob()) == n as Py_ssize_t
                        && (0..n as Py_ssize_t).all(|i| (*PyTuple_GET_ITEM(c.ob(), i)).ob_type == &raw mut PyCell_Type)
                });
                if !fits {
                    bail!(PyExc_TypeError, "code object requires a closure of exactly length {n}");
                }
            }
            audit(c"exec", &[source.ob()])?;
            match closure {
                None => own(PyEval_EvalCode(source.ob(), g.as_ptr(), l.as_ptr()))?,
                Some(c) => {
                    let none = core::ptr::null();
                    own(PyEval_EvalCodeEx(source.ob(), g.as_ptr(), l.as_ptr(), none, 0, none, 0, none, 0, null_mut(), c.ob()))?
                }
            };
            return Ok(());
        }
        if closure.is_some() {
            bail!(PyExc_TypeError, "closure can only be used when source is a code object");
        }
        let mut cf = CompilerFlags { cf_flags: pycf::PyCF_SOURCE_IS_UTF8, ..CompilerFlags::default() };
        let text = source_as_bytes(source.ob(), "exec", "string, bytes or code", &mut cf)?;
        merge_flags(&mut cf);
        let name = new_str("<string>")?;
        crate::pythonrun::run_source(&text, name.as_ptr(), Start::Exec, g.as_ptr(), l.as_ptr(), &mut cf)?;
        Ok(())
    }
}

methods! {
    static BUILTIN_METHODS = [
        raw "__build_class__", PyMethodDefPointer { PyCFunctionFastWithKeywords: build_class_entry }, METH_FASTCALL | METH_KEYWORDS,
            "__build_class__(func, name, /, *bases, [metaclass], **kwds) -> class\n\nWhat a class statement calls.";
        "__import__($module, /, name, globals=None, locals=None, fromlist=(), level=0)" => builtin_import, "Import a module; what an import statement calls.";
        "abs($module, x, /)" => builtin_abs, "The absolute value of a number.";
        "all($module, iterable, /)" => builtin_all, "Whether all items are true; True if there is none.";
        "any($module, iterable, /)" => builtin_any, "Whether any item is true; False if there is none.";
        "ascii($module, obj, /)" => builtin_ascii, "The repr() of an object in ASCII.";
        "bin($module, number, /)" => builtin_bin, "An integer in binary, with 0b in front.\n\n>>> bin(10)\n'0b1010'";
        raw "breakpoint", PyMethodDefPointer { PyCFunctionFastWithKeywords: breakpoint_entry }, METH_FASTCALL | METH_KEYWORDS,
            "breakpoint($module, /, *args, **kws)\n--\n\nCall sys.breakpointhook, which enters a debugger.";
        "callable($module, obj, /)" => builtin_callable, "Whether an object can be called.";
        "chr($module, i, /)" => builtin_chr, "The character with a code point.";
        "compile($module, /, source, filename, mode, flags=0, dont_inherit=False, optimize=-1, *, _feature_version=-1)" => builtin_compile, "Compile source to a code object that exec() or eval() runs.";
        "delattr($module, obj, name, /)" => builtin_delattr, "Delete an attribute.";
        raw "dir", PyMethodDefPointer { PyCFunctionFast: dir_entry }, METH_FASTCALL,
            "dir([object]) -> list of strings\n\nThe names of an object's attributes; without argument those of the current scope.";
        "divmod($module, x, y, /)" => builtin_divmod, "Quotient and remainder: (x//y, x%y).";
        "eval($module, source, /, globals=None, locals=None)" => builtin_eval, "The value of an expression.";
        "exec($module, source, /, globals=None, locals=None, *, closure=None)" => builtin_exec, "Run statements.";
        "format($module, value, format_spec='', /)" => builtin_format, "A value formatted by its type.";
        raw "getattr", PyMethodDefPointer { PyCFunctionFast: getattr_entry }, METH_FASTCALL,
            "getattr(object, name[, default]) -> value\n\nAn attribute of an object, or the default if there is no such attribute.";
        "globals($module, /)" => builtin_globals, "The namespace of the current module.";
        "hasattr($module, obj, name, /)" => builtin_hasattr, "Whether an object has an attribute.";
        "hash($module, obj, /)" => builtin_hash, "The hash of an object.";
        "hex($module, number, /)" => builtin_hex, "An integer in hexadecimal, with 0x in front.\n\n>>> hex(254)\n'0xfe'";
        "id($module, obj, /)" => builtin_id, "The identity of an object: no other object that lives has it.";
        "input($module, prompt='', /)" => builtin_input, "A line from standard input, without its end.";
        "isinstance($module, obj, class_or_tuple, /)" => builtin_isinstance, "Whether an object is an instance of a class or of one of several.";
        "issubclass($module, cls, class_or_tuple, /)" => builtin_issubclass, "Whether a class derives from a class or from one of several.";
        raw "iter", PyMethodDefPointer { PyCFunctionFast: iter_entry }, METH_FASTCALL,
            "iter(iterable) -> iterator\niter(callable, sentinel) -> iterator\n\nAn iterator over an object, or over what calls return until the sentinel comes.";
        "aiter($module, async_iterable, /)" => builtin_aiter, "An asynchronous iterator over an object.";
        "len($module, obj, /)" => builtin_len, "The number of items of a container.";
        "locals($module, /)" => builtin_locals, "The namespace of the current scope.";
        raw "max", PyMethodDefPointer { PyCFunctionFastWithKeywords: max_entry }, METH_FASTCALL | METH_KEYWORDS,
            "max(iterable, *[, default=obj, key=func]) -> value\nmax(arg1, arg2, *args, *[, key=func]) -> value\n\nThe greatest item.";
        raw "min", PyMethodDefPointer { PyCFunctionFastWithKeywords: min_entry }, METH_FASTCALL | METH_KEYWORDS,
            "min(iterable, *[, default=obj, key=func]) -> value\nmin(arg1, arg2, *args, *[, key=func]) -> value\n\nThe least item.";
        raw "next", PyMethodDefPointer { PyCFunctionFast: next_entry }, METH_FASTCALL,
            "next(iterator[, default])\n\nThe next item, or the default at the end.";
        "anext($module, aiterator, default=<unrepresentable>, /)" => builtin_anext, "An awaitable for the next item of an asynchronous iterator.";
        "oct($module, number, /)" => builtin_oct, "An integer in octal, with 0o in front.\n\n>>> oct(-8)\n'-0o10'";
        "ord($module, c, /)" => builtin_ord, "The code point of a character.";
        "pow($module, /, base, exp, mod=None)" => builtin_pow, "A power, modulo `mod` if it is given.";
        "print($module, /, *args, sep=' ', end='\\n', file=None, flush=False)" => builtin_print, "Write values to a stream, standard output by default.";
        "repr($module, obj, /)" => builtin_repr, "A text that shows an object, for many types as source.";
        "round($module, /, number, ndigits=None)" => builtin_round, "A number rounded to so many digits after the point.";
        "setattr($module, obj, name, value, /)" => builtin_setattr, "Set an attribute.";
        raw "sorted", PyMethodDefPointer { PyCFunctionFastWithKeywords: sorted_entry }, METH_FASTCALL | METH_KEYWORDS,
            "sorted($module, iterable, /, *, key=None, reverse=False)\n--\n\nA new sorted list of the items.";
        "sum($module, iterable, /, start=0)" => builtin_sum, "The sum of the items and of a start value.";
        raw "vars", PyMethodDefPointer { PyCFunctionFast: vars_entry }, METH_FASTCALL,
            "vars([object]) -> dictionary\n\nThe namespace of an object; without argument that of the current scope.";
    ];
}

// ---- filter

/// `filter`.
#[repr(C)]
struct FilterObject {
    ob_base: PyObject,
    func: *mut PyObject,
    it: *mut PyObject,
}

unsafe fn no_keywords(tp: *mut PyTypeObject, base: *mut PyTypeObject, name: &core::ffi::CStr, kw: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] subclasses may take keywords in their __init__.
    unsafe {
        let checks = tp == base || (*tp).tp_init.map(|f| f as usize) == (*base).tp_init.map(|f| f as usize);
        if checks && !kw.is_null() && PyDict_Size(kw) > 0 && _PyArg_NoKeywords(name.as_ptr(), kw) == 0 {
            return Err(Raised::assume());
        }
        Ok(())
    }
}

unsafe extern "C" fn filter_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        no_keywords(tp, &raw mut PyFilter_Type, c"filter", kw)?;
        let n = PyTuple_GET_SIZE(args);
        if n != 2 && _PyArg_CheckPositional(c"filter".as_ptr(), n, 2, 2) == 0 {
            return Err(Raised::assume());
        }
        let it = own(PyObject_GetIter(PyTuple_GET_ITEM(args, 1)))?;
        let Some(alloc) = (*tp).tp_alloc else { bail!(PyExc_SystemError, "type without tp_alloc") };
        let lz = own(alloc(tp, 0))?;
        let f: *mut FilterObject = lz.as_ptr().cast();
        (*f).func = Owned::from_borrowed(PyTuple_GET_ITEM(args, 0)).into_raw();
        (*f).it = it.into_raw();
        Ok(lz)
    })();
    r.into_c()
}

macro_rules! lazy_slots {
    ($ty:ident, $dealloc:ident, $traverse:ident, $($field:ident),+) => {
        unsafe extern "C" fn $dealloc(op: *mut PyObject) {
            // SAFETY: [OWN] last reference; nested iterators may be many.
            unsafe {
                gc::gc_untrack(op);
                if !gc::trashcan_begin(op, $dealloc) {
                    return;
                }
                let lz: *mut $ty = op.cast();
                $( Py_XDECREF((*lz).$field); )+
                if let Some(free) = (*(*op).ob_type).tp_free {
                    free(op.cast());
                }
                gc::trashcan_end();
            }
        }
        unsafe extern "C" fn $traverse(op: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
            // SAFETY: [TYPE]
            unsafe {
                let lz: *mut $ty = op.cast();
                py_visit!(visit, arg; $((*lz).$field),+);
                0
            }
        }
    };
}
lazy_slots!(FilterObject, filter_dealloc, filter_traverse, func, it);

unsafe extern "C" fn filter_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let lz: *mut FilterObject = op.cast();
        let it = (*lz).it;
        let Some(next) = (*(*it).ob_type).tp_iternext else { return null_mut() };
        let plain = (*lz).func == Py_None() || (*lz).func == (&raw mut PyBool_Type).cast();
        loop {
            let item = next(it);
            if item.is_null() {
                return null_mut();
            }
            let ok = if plain {
                PyObject_IsTrue(item)
            } else {
                let good = PyObject_CallOneArg((*lz).func, item);
                if good.is_null() {
                    Py_DECREF(item);
                    return null_mut();
                }
                let ok = PyObject_IsTrue(good);
                Py_DECREF(good);
                ok
            };
            if ok > 0 {
                return item;
            }
            Py_DECREF(item);
            if ok < 0 {
                return null_mut();
            }
        }
    }
}

fn filter_reduce(lz: Borrowed<'_, FilterObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let args = tuple(&[lz.func, lz.it])?;
        tuple(&[lz.ob_type().cast(), args.as_ptr()])
    }
}
methods! { static FILTER_METHODS = [ "__reduce__($self, /)" => filter_reduce, "For pickle and copy."; ]; }

const LAZY_FLAGS: core::ffi::c_ulong = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE;

/// `filter`.
#[unsafe(no_mangle)]
pub static mut PyFilter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"filter".as_ptr(),
    tp_basicsize: size_of::<FilterObject>() as Py_ssize_t,
    tp_dealloc: Some(filter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: LAZY_FLAGS,
    tp_doc: c"filter(function, iterable, /)\n--\n\nThe items for which function(item) is true; for None those that are true.".as_ptr(),
    tp_traverse: Some(filter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(filter_next),
    tp_methods: (&raw mut FILTER_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(filter_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- map

/// `map`.
#[repr(C)]
struct MapObject {
    ob_base: PyObject,
    iters: *mut PyObject,
    func: *mut PyObject,
}
lazy_slots!(MapObject, map_dealloc, map_traverse, iters, func);

unsafe fn map_make(tp: *mut PyTypeObject, args: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if args.len() < 2 {
            bail!(PyExc_TypeError, "map() must have at least two arguments.");
        }
        let iters = own(PyTuple_New(args.len() as Py_ssize_t - 1))?;
        for (i, &a) in args[1..].iter().enumerate() {
            let it = own(PyObject_GetIter(a))?;
            PyTuple_SET_ITEM(iters.as_ptr(), i as Py_ssize_t, it.into_raw());
        }
        let Some(alloc) = (*tp).tp_alloc else { bail!(PyExc_SystemError, "type without tp_alloc") };
        let lz = own(alloc(tp, 0))?;
        let m: *mut MapObject = lz.as_ptr().cast();
        (*m).iters = iters.into_raw();
        (*m).func = Owned::from_borrowed(args[0]).into_raw();
        Ok(lz)
    }
}

unsafe extern "C" fn map_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        no_keywords(tp, &raw mut PyMap_Type, c"map", kw)?;
        let items: Vec<*mut PyObject> = (0..PyTuple_GET_SIZE(args)).map(|i| PyTuple_GET_ITEM(args, i)).collect();
        map_make(tp, &items)
    })();
    r.into_c()
}

unsafe extern "C" fn map_vectorcall(tp: *mut PyObject, args: *const *mut PyObject, nargsf: usize, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        if !kw.is_null() && PyTuple_GET_SIZE(kw) > 0 && _PyArg_NoKwnames(c"map".as_ptr(), kw) == 0 {
            return Err(Raised::assume());
        }
        map_make(tp.cast(), raw_args(args, PyVectorcall_NARGS(nargsf as _)))
    })();
    r.into_c()
}

unsafe extern "C" {
    fn _PyArg_NoKwnames(name: *const c_char, kwnames: *mut PyObject) -> c_int;
}

unsafe extern "C" fn map_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let lz: *mut MapObject = op.cast();
        let iters = (*lz).iters;
        let n = PyTuple_GET_SIZE(iters) as usize;
        let mut small = [null_mut::<PyObject>(); 5];
        let mut large;
        let stack: &mut [*mut PyObject] = if n <= small.len() {
            &mut small[..n]
        } else {
            large = vec![null_mut(); n];
            &mut large
        };
        let mut got = 0;
        let mut result = null_mut();
        while got < n {
            let it = PyTuple_GET_ITEM(iters, got as Py_ssize_t);
            let Some(next) = (*(*it).ob_type).tp_iternext else { break };
            let v = next(it);
            if v.is_null() {
                break;
            }
            stack[got] = v;
            got += 1;
        }
        if got == n {
            result = PyObject_Vectorcall((*lz).func, stack.as_ptr(), n, null_mut());
        }
        for &v in &stack[..got] {
            Py_DECREF(v);
        }
        result
    }
}

fn map_reduce(lz: Borrowed<'_, MapObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let mut all = vec![lz.func];
        all.extend((0..PyTuple_GET_SIZE(lz.iters)).map(|i| PyTuple_GET_ITEM(lz.iters, i)));
        let args = tuple(&all)?;
        tuple(&[lz.ob_type().cast(), args.as_ptr()])
    }
}
methods! { static MAP_METHODS = [ "__reduce__($self, /)" => map_reduce, "For pickle and copy."; ]; }

/// `map`.
#[unsafe(no_mangle)]
pub static mut PyMap_Type: PyTypeObject = PyTypeObject {
    tp_name: c"map".as_ptr(),
    tp_basicsize: size_of::<MapObject>() as Py_ssize_t,
    tp_dealloc: Some(map_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: LAZY_FLAGS,
    tp_doc: c"map(function, iterable, /, *iterables)\n--\n\nWhat function returns for the items of the iterables, taken side by side,\nuntil the shortest ends.".as_ptr(),
    tp_traverse: Some(map_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(map_next),
    tp_methods: (&raw mut MAP_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(map_new),
    tp_free: Some(PyObject_GC_Del),
    tp_vectorcall: Some(map_vectorcall),
    ..TYPE_INIT
};

// ---- zip

/// `zip`.
#[repr(C)]
struct ZipObject {
    ob_base: PyObject,
    tuplesize: Py_ssize_t,
    ittuple: *mut PyObject,
    result: *mut PyObject,
    strict: c_int,
}
lazy_slots!(ZipObject, zip_dealloc, zip_traverse, ittuple, result);

unsafe extern "C" fn zip_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let mut strict = false;
        if !kw.is_null() {
            let (mut pos, mut k, mut v) = (0, null_mut(), null_mut());
            while PyDict_Next(kw, &mut pos, &mut k, &mut v) != 0 {
                if PyUnicode_Check(k) == 0 || _PyUnicode_EqualToASCIIString(k, c"strict".as_ptr()) == 0 {
                    bail!(PyExc_TypeError, "zip() got an unexpected keyword argument '{}'", lossy(k));
                }
                strict = is_true(v)?;
            }
        }
        let n = PyTuple_GET_SIZE(args);
        let iters = own(PyTuple_New(n))?;
        for i in 0..n {
            let it = own(PyObject_GetIter(PyTuple_GET_ITEM(args, i)))?;
            PyTuple_SET_ITEM(iters.as_ptr(), i, it.into_raw());
        }
        let result = own(PyTuple_New(n))?;
        for i in 0..n {
            PyTuple_SET_ITEM(result.as_ptr(), i, none().into_raw());
        }
        let Some(alloc) = (*tp).tp_alloc else { bail!(PyExc_SystemError, "type without tp_alloc") };
        let lz = own(alloc(tp, 0))?;
        let z: *mut ZipObject = lz.as_ptr().cast();
        (*z).ittuple = iters.into_raw();
        (*z).tuplesize = n;
        (*z).result = result.into_raw();
        (*z).strict = strict as c_int;
        Ok(lz)
    })();
    r.into_c()
}

unsafe extern "C" fn zip_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] the result tuple is reused while nobody else refers to it.
    unsafe {
        let lz: *mut ZipObject = op.cast();
        let n = (*lz).tuplesize;
        if n == 0 {
            return null_mut();
        }
        let mut result = (*lz).result;
        let reuse = Py_REFCNT(result) == 1;
        if reuse {
            Py_INCREF(result);
        } else {
            result = PyTuple_New(n);
            if result.is_null() {
                return null_mut();
            }
        }
        for i in 0..n {
            let it = PyTuple_GET_ITEM((*lz).ittuple, i);
            let item = match (*(*it).ob_type).tp_iternext {
                Some(next) => next(it),
                None => null_mut(),
            };
            if item.is_null() {
                Py_DECREF(result);
                if (*lz).strict != 0 {
                    zip_check(lz, i);
                }
                return null_mut();
            }
            let slot = (&raw mut (*result.cast::<PyTupleObject>()).ob_item).cast::<*mut PyObject>().add(i as usize);
            let old = *slot;
            *slot = item;
            if reuse {
                Py_DECREF(old);
            }
        }
        // A collection may have stopped watching the tuple when it held atoms only.
        if reuse && !gc::is_tracked(result) {
            gc::gc_track(result);
        }
        result
    }
}

/// `zip(strict=True)`: iterator `i` has ended; ValueError unless all end together.
unsafe fn zip_check(lz: *mut ZipObject, i: Py_ssize_t) {
    // SAFETY: [TYPE]
    unsafe {
        let stopped = || {
            if err_occurred() {
                if PyErr_ExceptionMatches(PyExc_StopIteration) == 0 {
                    return false;
                }
                PyErr_Clear();
            }
            true
        };
        if !stopped() {
            return;
        }
        if i > 0 {
            let plural = if i == 1 { " " } else { "s 1-" };
            let _ = raise!(PyExc_ValueError, "zip() argument {} is shorter than argument{plural}{i}", i + 1);
            return;
        }
        for i in 1..(*lz).tuplesize {
            let it = PyTuple_GET_ITEM((*lz).ittuple, i);
            let item = match (*(*it).ob_type).tp_iternext {
                Some(next) => next(it),
                None => null_mut(),
            };
            if !item.is_null() {
                Py_DECREF(item);
                let plural = if i == 1 { " " } else { "s 1-" };
                let _ = raise!(PyExc_ValueError, "zip() argument {} is longer than argument{plural}{i}", i + 1);
                return;
            }
            if !stopped() {
                return;
            }
        }
    }
}

fn zip_reduce(lz: Borrowed<'_, ZipObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if lz.strict != 0 {
            return tuple(&[lz.ob_type().cast(), lz.ittuple, Py_True()]);
        }
        tuple(&[lz.ob_type().cast(), lz.ittuple])
    }
}

fn zip_setstate(lz: Borrowed<'_, ZipObject>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { (*lz.as_ptr()).strict = is_true(state.ob())? as c_int };
    Ok(())
}
methods! {
    static ZIP_METHODS = [
        "__reduce__($self, /)" => zip_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => zip_setstate, "For pickle and copy.";
    ];
}

/// `zip`.
#[unsafe(no_mangle)]
pub static mut PyZip_Type: PyTypeObject = PyTypeObject {
    tp_name: c"zip".as_ptr(),
    tp_basicsize: size_of::<ZipObject>() as Py_ssize_t,
    tp_dealloc: Some(zip_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: LAZY_FLAGS,
    tp_doc: c"zip(*iterables, strict=False)\n--\n\nTuples of the items of the iterables, taken side by side, until the shortest\nends; with strict=True it is an error if they don't all end together.\n\n>>> list(zip('ab', [1, 2, 3]))\n[('a', 1), ('b', 2)]".as_ptr(),
    tp_traverse: Some(zip_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(zip_next),
    tp_methods: (&raw mut ZIP_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(zip_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- the module

static mut BUILTINS_MODULE: PyModuleDef = PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"builtins".as_ptr(),
    m_doc: c"The names that are known everywhere: functions, types, constants and exceptions.\n\nA program reaches them without an import; this module gives them when a name is\nhidden by another one.".as_ptr(),
    m_size: -1,
    m_methods: (&raw mut BUILTIN_METHODS).cast(),
    m_slots: null_mut(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
};

/// Makes the module.
pub fn create() -> PyResult<Owned> {
    // SAFETY: [GIL] at start; static types.
    unsafe {
        let m = own(PyModule_Create2(&raw mut BUILTINS_MODULE, 1013))?;
        let d = PyModule_GetDict(m.as_ptr());
        let t = |p: *mut PyTypeObject| p.cast::<PyObject>();
        let names: [(&str, *mut PyObject); 31] = [
            ("None", Py_None()),
            ("Ellipsis", Py_Ellipsis()),
            ("NotImplemented", Py_NotImplemented()),
            ("False", Py_False()),
            ("True", Py_True()),
            ("bool", t(&raw mut PyBool_Type)),
            ("memoryview", t(&raw mut PyMemoryView_Type)),
            ("bytearray", t(&raw mut PyByteArray_Type)),
            ("bytes", t(&raw mut PyBytes_Type)),
            ("classmethod", t(&raw mut PyClassMethod_Type)),
            ("complex", t(&raw mut PyComplex_Type)),
            ("dict", t(&raw mut PyDict_Type)),
            ("enumerate", t(&raw mut PyEnum_Type)),
            ("filter", t(&raw mut PyFilter_Type)),
            ("float", t(&raw mut PyFloat_Type)),
            ("frozenset", t(&raw mut PyFrozenSet_Type)),
            ("property", t(&raw mut PyProperty_Type)),
            ("int", t(&raw mut PyLong_Type)),
            ("list", t(&raw mut PyList_Type)),
            ("map", t(&raw mut PyMap_Type)),
            ("object", t(&raw mut PyBaseObject_Type)),
            ("range", t(&raw mut PyRange_Type)),
            ("reversed", t(&raw mut PyReversed_Type)),
            ("set", t(&raw mut PySet_Type)),
            ("slice", t(&raw mut PySlice_Type)),
            ("staticmethod", t(&raw mut PyStaticMethod_Type)),
            ("str", t(&raw mut PyUnicode_Type)),
            ("super", t(&raw mut PySuper_Type)),
            ("tuple", t(&raw mut PyTuple_Type)),
            ("type", t(&raw mut PyType_Type)),
            ("zip", t(&raw mut PyZip_Type)),
        ];
        for (n, v) in names {
            dict_set_str(d, n, v)?;
        }
        let debug = new_bool(interp().config.optimization_level == 0);
        dict_set_str(d, "__debug__", debug.as_ptr())?;
        crate::pystate::modules_by_index_set(&raw mut BUILTINS_MODULE, m.as_ptr())?;
        Ok(m)
    }
}
