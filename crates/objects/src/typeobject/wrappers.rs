//! The functions behind slot wrappers: `int.__add__` and its like call a C slot with Python arguments.

use super::slots;
use crate::object::{dict_set, err_format, fn_addr, own, raised};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

type Ob = *mut PyObject;

/// The arguments, between `min` and `max` of them; absent ones are NULL.
unsafe fn unpack<const N: usize>(args: Ob, min: usize) -> PyResult<[Ob; N]> {
    // SAFETY: [ARGS] args is a tuple.
    unsafe {
        let items = super::tuple_items(args);
        let n = items.len();
        if n < min || n > N {
            let how = match () {
                () if min == N => "",
                () if n < min => "at least ",
                () => "at most ",
            };
            let want = if n < min { min } else { N };
            bail!(PyExc_TypeError, "expected {}{} argument{}, got {}", how, want, if want == 1 { "" } else { "s" }, n);
        }
        let mut out = [null_mut(); N];
        out[..n].copy_from_slice(items);
        Ok(out)
    }
}

/// The slot's function from its untyped pointer.
///
/// # Safety
/// `wrapped` is a function of type `F`.
#[inline(always)]
unsafe fn func<F>(wrapped: *mut c_void) -> F {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: [TYPE] by contract.
    unsafe { core::mem::transmute_copy(&wrapped) }
}

/// A status of -1 may be an answer: only with an exception is it an error.
fn status(r: Py_ssize_t) -> PyResult<Py_ssize_t> {
    if r == -1 && err_occurred() { Err(raised()) } else { Ok(r) }
}

fn none(r: PyResult<()>) -> Ob {
    match r {
        // SAFETY: immortal.
        Ok(()) => unsafe { Py_None() },
        Err(_) => null_mut(),
    }
}

/// `fn name(self, args, wrapped) { body }` for each line; the body sees `$slf`, the unpacked arguments and the function.
macro_rules! wrappers {
    ($( $(#[$m:meta])* $name:ident ($slf:ident, [$($arg:pat),*] min $min:literal, $f:ident : $ty:ty) $body:block )*) => { $(
        $(#[$m])*
        pub(crate) unsafe extern "C" fn $name($slf: Ob, args: Ob, wrapped: *mut c_void) -> Ob {
            // SAFETY: [ARGS] called through a wrapper descriptor, which checked the receiver.
            unsafe {
                let Ok([$($arg),*]) = unpack(args, $min) else { return null_mut() };
                let $f: $ty = func(wrapped);
                $body
            }
        }
    )* };
}

wrappers! {
    /// `__len__`.
    wrap_lenfunc(slf, [] min 0, f: lenfunc) {
        match status(f(slf)) { Ok(n) => PyLong_FromSsize_t(n), Err(_) => null_mut() }
    }
    /// `__bool__`.
    wrap_inquirypred(slf, [] min 0, f: inquiry) {
        match status(f(slf) as _) { Ok(n) => PyBool_FromLong(n as _), Err(_) => null_mut() }
    }
    /// Binary operators that are not reflected.
    wrap_binaryfunc(slf, [other] min 1, f: binaryfunc) { f(slf, other) }
    /// `__add__` and so on.
    // The slot machinery tells wrappers apart by address, so this one must not be merged with its twin.
    wrap_binaryfunc_l(slf, [other] min 1, f: binaryfunc) { core::hint::black_box(1u8); f(slf, other) }
    /// `__radd__` and so on.
    wrap_binaryfunc_r(slf, [other] min 1, f: binaryfunc) { f(other, slf) }
    /// `__pow__`.
    wrap_ternaryfunc(slf, [other, third] min 1, f: ternaryfunc) {
        f(slf, other, if third.is_null() { Py_None() } else { third })
    }
    /// `__rpow__`.
    wrap_ternaryfunc_r(slf, [other, third] min 1, f: ternaryfunc) {
        f(other, slf, if third.is_null() { Py_None() } else { third })
    }
    /// Unary operators and conversions.
    wrap_unaryfunc(slf, [] min 0, f: unaryfunc) { f(slf) }
    /// `__mul__` of sequences.
    wrap_indexargfunc(slf, [n] min 1, f: ssizeargfunc) {
        match status(PyNumber_AsSsize_t(n, PyExc_OverflowError)) { Ok(n) => f(slf, n), Err(_) => null_mut() }
    }
    /// `__getitem__` of sequences.
    wrap_sq_item(slf, [index] min 1, f: ssizeargfunc) {
        match getindex(slf, index) { Ok(i) => f(slf, i), Err(_) => null_mut() }
    }
    /// `__setitem__` of sequences.
    wrap_sq_setitem(slf, [index, value] min 2, f: ssizeobjargproc) {
        none(getindex(slf, index).and_then(|i| status(f(slf, i, value) as _)).map(|_| ()))
    }
    /// `__delitem__` of sequences.
    wrap_sq_delitem(slf, [index] min 1, f: ssizeobjargproc) {
        none(getindex(slf, index).and_then(|i| status(f(slf, i, null_mut()) as _)).map(|_| ()))
    }
    /// `__contains__`.
    wrap_objobjproc(slf, [value] min 1, f: objobjproc) {
        match status(f(slf, value) as _) { Ok(n) => PyBool_FromLong(n as _), Err(_) => null_mut() }
    }
    /// `__setitem__` of mappings.
    wrap_objobjargproc(slf, [key, value] min 2, f: objobjargproc) { none(status(f(slf, key, value) as _).map(|_| ())) }
    /// `__delitem__` of mappings.
    wrap_delitem(slf, [key] min 1, f: objobjargproc) { none(status(f(slf, key, null_mut()) as _).map(|_| ())) }
    /// `__setattr__`.
    wrap_setattr(slf, [name, value] min 2, f: setattrofunc) {
        none(hackcheck(slf, f, "__setattr__").and_then(|()| check_status(f(slf, name, value))))
    }
    /// `__delattr__`.
    wrap_delattr(slf, [name] min 1, f: setattrofunc) {
        none(hackcheck(slf, f, "__delattr__").and_then(|()| check_status(f(slf, name, null_mut()))))
    }
    /// `__hash__`.
    wrap_hashfunc(slf, [] min 0, f: hashfunc) {
        match status(f(slf)) { Ok(n) => PyLong_FromSsize_t(n), Err(_) => null_mut() }
    }
    /// `__del__`.
    wrap_del(slf, [] min 0, f: destructor) {
        f(slf);
        Py_None()
    }
    /// `__lt__`.
    richcmp_lt(slf, [other] min 1, f: richcmpfunc) { f(slf, other, Py_LT) }
    /// `__le__`.
    richcmp_le(slf, [other] min 1, f: richcmpfunc) { f(slf, other, Py_LE) }
    /// `__eq__`.
    richcmp_eq(slf, [other] min 1, f: richcmpfunc) { f(slf, other, Py_EQ) }
    /// `__ne__`.
    richcmp_ne(slf, [other] min 1, f: richcmpfunc) { f(slf, other, Py_NE) }
    /// `__gt__`.
    richcmp_gt(slf, [other] min 1, f: richcmpfunc) { f(slf, other, Py_GT) }
    /// `__ge__`.
    richcmp_ge(slf, [other] min 1, f: richcmpfunc) { f(slf, other, Py_GE) }
    /// `__next__`: the end of the iteration is an exception here.
    wrap_next(slf, [] min 0, f: unaryfunc) {
        let res = f(slf);
        if res.is_null() && !err_occurred() {
            PyErr_SetNone(PyExc_StopIteration);
        }
        res
    }
    /// `__get__`.
    wrap_descr_get(slf, [obj, tp] min 1, f: descrgetfunc) {
        let absent = |op: Ob| if op == Py_None() { null_mut() } else { op };
        let (obj, tp) = (absent(obj), absent(tp));
        if obj.is_null() && tp.is_null() {
            let _ = raise!(PyExc_TypeError, "__get__(None, None) is invalid");
            return null_mut();
        }
        f(slf, obj, tp)
    }
    /// `__set__`.
    wrap_descr_set(slf, [obj, value] min 2, f: descrsetfunc) { none(check_status(f(slf, obj, value))) }
    /// `__delete__`.
    wrap_descr_delete(slf, [obj] min 1, f: descrsetfunc) { none(check_status(f(slf, obj, null_mut()))) }
    /// `__buffer__`.
    wrap_buffer(slf, [flags] min 1, f: getbufferproc) {
        match status(PyNumber_AsSsize_t(flags, PyExc_OverflowError)).map(c_int::try_from) {
            Ok(Ok(flags)) => super::buffer::memoryview_from_buffer_proc(slf, flags, f),
            Ok(Err(_)) => {
                let _ = raise!(PyExc_OverflowError, "buffer flags out of range");
                null_mut()
            }
            Err(_) => null_mut(),
        }
    }
    /// `__release_buffer__`: releases the memoryview, which calls the slot if need be.
    wrap_releasebuffer(slf, [view] min 1, _f: releasebufferproc) {
        super::buffer::release_memoryview_of(slf, view).into_c()
    }
}

/// The index of a sequence item; negative ones count from the end.
unsafe fn getindex(slf: Ob, arg: Ob) -> PyResult<Py_ssize_t> {
    // SAFETY: [ARGS]
    unsafe {
        let mut i = status(PyNumber_AsSsize_t(arg, PyExc_OverflowError))?;
        if i < 0
            && let Some(length) = (*(*slf).ob_type).tp_as_sequence.as_ref().and_then(|s| s.sq_length)
        {
            let n = length(slf);
            if n < 0 {
                return Err(raised());
            }
            i += n;
        }
        Ok(i)
    }
}

/// `object.__setattr__` must not be applied to an object whose type has a C-level `tp_setattro` of its own: `type`
/// objects would lose their invariants.
unsafe fn hackcheck(slf: Ob, f: setattrofunc, what: &str) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyType_Check(slf) == 0 {
            return Ok(());
        }
        let tp = (*slf).ob_type;
        let mro = (*tp).tp_mro;
        if mro.is_null() {
            return Ok(());
        }
        let python_level = slots::slot_tp_setattro as *const () as usize;
        let setattro = |t: *mut PyTypeObject| fn_addr((*t).tp_setattro);
        // The most basic class with the slot that the type uses defines it.
        let mut defining = tp;
        for &base in super::tuple_items(mro).iter().rev() {
            let base: *mut PyTypeObject = base.cast();
            if setattro(base) != python_level && setattro(base) == setattro(tp) {
                defining = base;
                break;
            }
        }
        let mut base = defining;
        while !base.is_null() {
            if setattro(base) == fn_addr(Some(f)) {
                break;
            }
            if setattro(base) != python_level {
                bail!(PyExc_TypeError, "can't apply this {} to {} object", what, tp_name(tp));
            }
            base = (*base).tp_base;
        }
        Ok(())
    }
}

/// `__call__`.
pub(crate) unsafe extern "C" fn wrap_call(slf: Ob, args: Ob, wrapped: *mut c_void, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { func::<ternaryfunc>(wrapped)(slf, args, kwargs) }
}

/// `__init__`.
pub(crate) unsafe extern "C" fn wrap_init(slf: Ob, args: Ob, wrapped: *mut c_void, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { none(check_status(func::<initproc>(wrapped)(slf, args, kwargs))) }
}

// ---- __new__ -------------------------------------------------------------------------------------------------------

unsafe fn checked_new(slf: Ob, args: Ob, kwargs: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if slf.is_null() || PyType_Check(slf) == 0 {
            bail!(PyExc_SystemError, "__new__() called with non-type 'self'");
        }
        let tp: *mut PyTypeObject = slf.cast();
        let items = super::tuple_items(args);
        let Some(&first) = items.first() else {
            return Err(err_format!(PyExc_TypeError, c"%s.__new__(): not enough arguments", (*tp).tp_name));
        };
        if PyType_Check(first) == 0 {
            return Err(err_format!(
                PyExc_TypeError,
                c"%s.__new__(X): X is not a type object (%s)",
                (*tp).tp_name,
                (*(*first).ob_type).tp_name
            ));
        }
        let subtype: *mut PyTypeObject = first.cast();
        if !super::is_subtype(subtype, tp) {
            return Err(err_format!(
                PyExc_TypeError,
                c"%s.__new__(%s): %s is not a subtype of %s",
                (*tp).tp_name,
                (*subtype).tp_name,
                (*subtype).tp_name,
                (*tp).tp_name
            ));
        }
        // object.__new__(dict) would make a dict without its fields: the nearest base with a C-level constructor must
        // have this one.
        let mut base = subtype;
        while !base.is_null() && fn_addr((*base).tp_new) == slots::slot_tp_new as *const () as usize {
            base = (*base).tp_base;
        }
        if !base.is_null() && !super::same((*base).tp_new, (*tp).tp_new) {
            return Err(err_format!(
                PyExc_TypeError,
                c"%s.__new__(%s) is not safe, use %s.__new__()",
                (*tp).tp_name,
                (*subtype).tp_name,
                (*base).tp_name
            ));
        }
        let Some(new) = (*tp).tp_new else {
            return Err(err_format!(PyExc_TypeError, c"cannot create '%s' instances", (*tp).tp_name));
        };
        let rest = own(_PyTuple_FromArray(items.as_ptr().add(1), items.len() as Py_ssize_t - 1))?;
        own(new(subtype, rest.as_ptr(), kwargs))
    }
}

/// `C.__new__` of C-level types.
pub(crate) unsafe extern "C" fn tp_new_wrapper(slf: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { checked_new(slf, args, kwargs).into_c() }
}

static mut TP_NEW_METHODDEF: PyMethodDef = PyMethodDef {
    ml_name: c"__new__".as_ptr(),
    ml_meth: PyMethodDefPointer { PyCFunctionWithKeywords: tp_new_wrapper },
    ml_flags: METH_VARARGS | METH_KEYWORDS,
    ml_doc: c"__new__($type, *args, **kwargs)\n--\n\nMake a new object. help(type) shows the arguments.".as_ptr(),
};

/// Puts `__new__` into the dict of a type with its own constructor.
pub(super) unsafe fn add_tp_new_wrapper(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let f = own(PyCMethod_New(&raw mut TP_NEW_METHODDEF, tp.cast(), null_mut(), null_mut()))?;
        dict_set((*tp).tp_dict, intern!("__new__"), f.as_ptr())
    }
}
