//! The C slots of classes that define special methods: each looks its method up on the type and calls it.

use crate::object::{fn_addr, lookup_maybe_method, own, raised};
use crate::typeobject::{is_subtype, type_lookup};
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;

type Ob = *mut PyObject;

/// Calls a looked-up method. `args[0]` is the receiver, which a bound method already has.
#[inline(always)]
unsafe fn call_found(found: &(Owned, bool), args: &[Ob]) -> Ob {
    // SAFETY: [ARGS] args has the receiver.
    unsafe {
        let (f, unbound) = (found.0.as_ptr(), found.1);
        if unbound {
            PyObject_Vectorcall(f, args.as_ptr(), args.len(), null_mut())
        } else {
            PyObject_Vectorcall(f, args.as_ptr().add(1), (args.len() - 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, null_mut())
        }
    }
}

#[cold]
unsafe fn no_method(name: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_SetObject(PyExc_AttributeError, name);
        null_mut()
    }
}

/// Calls the method; AttributeError without one.
#[inline]
unsafe fn vectorcall_method(name: Ob, args: &[Ob]) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        match lookup_maybe_method(args[0], name) {
            Ok(Some(found)) => call_found(&found, args),
            Ok(None) => no_method(name),
            Err(_) => null_mut(),
        }
    }
}

/// Calls the method; NotImplemented without one.
#[inline]
unsafe fn vectorcall_maybe(name: Ob, args: &[Ob]) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        match lookup_maybe_method(args[0], name) {
            Ok(Some(found)) => call_found(&found, args),
            Ok(None) => Py_NotImplemented(),
            Err(_) => null_mut(),
        }
    }
}

/// A new reference dropped: 0, or -1 for NULL.
unsafe fn discard(res: Ob) -> c_int {
    if res.is_null() {
        return -1;
    }
    // SAFETY: [OWN]
    unsafe { Py_DECREF(res) };
    0
}

macro_rules! unary {
    ($($slot:ident $name:literal)*) => { $(
        pub(crate) unsafe extern "C" fn $slot(slf: Ob) -> Ob {
            // SAFETY: [ARGS]
            unsafe { vectorcall_method(intern!($name), &[slf]) }
        }
    )* };
}
macro_rules! binary_method {
    ($($slot:ident $name:literal)*) => { $(
        #[doc = concat!("Calls the Python `", $name, "`.")]
        pub unsafe extern "C" fn $slot(slf: Ob, other: Ob) -> Ob {
            // SAFETY: [ARGS]
            unsafe { vectorcall_method(intern!($name), &[slf, other]) }
        }
    )* };
}

/// Whether `right`'s class has a reflected method other than `left`'s.
unsafe fn method_is_overloaded(left: Ob, right: Ob, name: Ob) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(b) = crate::object::optional_attr((*right).ob_type.cast(), name)? else { return Ok(false) };
        let Some(a) = crate::object::optional_attr((*left).ob_type.cast(), name)? else { return Ok(true) };
        let differs = PyObject_RichCompareBool(a.as_ptr(), b.as_ptr(), Py_NE);
        check_status(differs).map(|()| differs != 0)
    }
}

/// A binary operator with its reflection. `left_has` and `right_has`: whose class has this very slot.
#[inline(always)]
unsafe fn binary_operator(slf: Ob, other: Ob, left_has: bool, right_has: bool, name: Ob, reflected: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let (left, right) = ((*slf).ob_type, (*other).ob_type);
        let not_implemented = Py_NotImplemented();
        let mut try_right = left != right && right_has;
        if left_has {
            if try_right && is_subtype(right, left) {
                match method_is_overloaded(slf, other, reflected) {
                    Err(_) => return null_mut(),
                    Ok(true) => {
                        let r = vectorcall_maybe(reflected, &[other, slf]);
                        if r != not_implemented {
                            return r;
                        }
                        try_right = false;
                    }
                    Ok(false) => {}
                }
            }
            let r = vectorcall_maybe(name, &[slf, other]);
            if r != not_implemented || (*other).ob_type == (*slf).ob_type {
                return r;
            }
        }
        if try_right { vectorcall_maybe(reflected, &[other, slf]) } else { not_implemented }
    }
}

macro_rules! binary_operators {
    ($($slot:ident $field:ident $name:literal $reflected:literal)*) => { $(
        pub(crate) unsafe extern "C" fn $slot(slf: Ob, other: Ob) -> Ob {
            // SAFETY: [ARGS]
            unsafe {
                let mine = $slot as *const () as usize;
                let has = |op: Ob| (*(*op).ob_type).tp_as_number.as_ref().is_some_and(|n| fn_addr(n.$field) == mine);
                binary_operator(slf, other, has(slf), has(other), intern!($name), intern!($reflected))
            }
        }
    )* };
}

binary_operators! {
    slot_nb_add nb_add "__add__" "__radd__"
    slot_nb_subtract nb_subtract "__sub__" "__rsub__"
    slot_nb_multiply nb_multiply "__mul__" "__rmul__"
    slot_nb_matrix_multiply nb_matrix_multiply "__matmul__" "__rmatmul__"
    slot_nb_remainder nb_remainder "__mod__" "__rmod__"
    slot_nb_divmod nb_divmod "__divmod__" "__rdivmod__"
    slot_nb_lshift nb_lshift "__lshift__" "__rlshift__"
    slot_nb_rshift nb_rshift "__rshift__" "__rrshift__"
    slot_nb_and nb_and "__and__" "__rand__"
    slot_nb_xor nb_xor "__xor__" "__rxor__"
    slot_nb_or nb_or "__or__" "__ror__"
    slot_nb_floor_divide nb_floor_divide "__floordiv__" "__rfloordiv__"
    slot_nb_true_divide nb_true_divide "__truediv__" "__rtruediv__"
}

unary! {
    slot_nb_negative "__neg__"
    slot_nb_positive "__pos__"
    slot_nb_absolute "__abs__"
    slot_nb_invert "__invert__"
    slot_nb_int "__int__"
    slot_nb_float "__float__"
    slot_nb_index "__index__"
    slot_tp_str "__str__"
    slot_tp_iternext "__next__"
}

binary_method! {
    slot_nb_inplace_add "__iadd__"
    slot_nb_inplace_subtract "__isub__"
    slot_nb_inplace_multiply "__imul__"
    slot_nb_inplace_matrix_multiply "__imatmul__"
    slot_nb_inplace_remainder "__imod__"
    slot_nb_inplace_lshift "__ilshift__"
    slot_nb_inplace_rshift "__irshift__"
    slot_nb_inplace_and "__iand__"
    slot_nb_inplace_xor "__ixor__"
    slot_nb_inplace_or "__ior__"
    slot_nb_inplace_floor_divide "__ifloordiv__"
    slot_nb_inplace_true_divide "__itruediv__"
    slot_mp_subscript "__getitem__"
    slot_tp_getattro "__getattribute__"
}

pub(crate) unsafe extern "C" fn slot_nb_power(slf: Ob, other: Ob, modulus: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let mine = slot_nb_power as *const () as usize;
        let has = |op: Ob| (*(*op).ob_type).tp_as_number.as_ref().is_some_and(|n| fn_addr(n.nb_power) == mine);
        if modulus == Py_None() {
            return binary_operator(slf, other, has(slf), has(other), intern!("__pow__"), intern!("__rpow__"));
        }
        // The three-argument form has no reflection, but may be reached through the second operand's slot.
        if has(slf) { vectorcall_method(intern!("__pow__"), &[slf, other, modulus]) } else { Py_NotImplemented() }
    }
}

pub(crate) unsafe extern "C" fn slot_nb_inplace_power(slf: Ob, other: Ob, _: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { vectorcall_method(intern!("__ipow__"), &[slf, other]) }
}

pub(crate) unsafe extern "C" fn slot_nb_bool(slf: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<c_int> {
            let (found, by_len) = match lookup_maybe_method(slf, intern!("__bool__"))? {
                Some(found) => (found, false),
                None => match lookup_maybe_method(slf, intern!("__len__"))? {
                    Some(found) => (found, true),
                    None => return Ok(1),
                },
            };
            let value = own(call_found(&found, &[slf]))?;
            if !by_len && PyBool_Check(value.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "__bool__ should return bool, returned {}", type_name(value.as_ptr()));
            }
            Ok(PyObject_IsTrue(value.as_ptr()))
        };
        body().unwrap_or(-1)
    }
}

/// The `sq_length` and `mp_length` of classes.
pub(crate) unsafe extern "C" fn slot_sq_length(slf: Ob) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Py_ssize_t> {
            let res = own(vectorcall_method(intern!("__len__"), &[slf]))?;
            let index = own(PyNumber_Index(res.as_ptr()))?;
            let n = PyNumber_AsSsize_t(index.as_ptr(), PyExc_OverflowError);
            // The sign is in the two low bits of the tag: a too large negative number is negative, not too large.
            if (*index.as_ptr().cast::<PyLongObject>()).lv_tag & 3 == 2 {
                PyErr_Clear();
                bail!(PyExc_ValueError, "__len__() should return >= 0");
            }
            if n == -1 { Err(raised()) } else { Ok(n) }
        };
        body().into_c()
    }
}

pub(crate) unsafe extern "C" fn slot_sq_item(slf: Ob, i: Py_ssize_t) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyLong_FromSsize_t(i)) {
            Ok(index) => vectorcall_method(intern!("__getitem__"), &[slf, index.as_ptr()]),
            Err(_) => null_mut(),
        }
    }
}

pub(crate) unsafe extern "C" fn slot_mp_ass_subscript(slf: Ob, key: Ob, value: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        discard(if value.is_null() {
            vectorcall_method(intern!("__delitem__"), &[slf, key])
        } else {
            vectorcall_method(intern!("__setitem__"), &[slf, key, value])
        })
    }
}

pub(crate) unsafe extern "C" fn slot_sq_ass_item(slf: Ob, i: Py_ssize_t, value: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyLong_FromSsize_t(i)) {
            Ok(index) => slot_mp_ass_subscript(slf, index.as_ptr(), value),
            Err(_) => -1,
        }
    }
}

pub(crate) unsafe extern "C" fn slot_sq_contains(slf: Ob, value: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<c_int> {
            let Some(found) = lookup_maybe_method(slf, intern!("__contains__"))? else {
                // By iteration.
                return Ok(_PySequence_IterSearch(slf, value, PY_ITERSEARCH_CONTAINS) as c_int);
            };
            if found.0.as_ptr() == Py_None() {
                bail!(PyExc_TypeError, "'{}' object is not a container", type_name(slf));
            }
            let res = own(call_found(&found, &[slf, value]))?;
            Ok(PyObject_IsTrue(res.as_ptr()))
        };
        body().unwrap_or(-1)
    }
}

/// What `_PySequence_IterSearch` shall do.
const PY_ITERSEARCH_CONTAINS: c_int = 3;

pub(crate) unsafe extern "C" fn slot_tp_repr(slf: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        match lookup_maybe_method(slf, intern!("__repr__")) {
            Ok(Some(found)) => return call_found(&found, &[slf]),
            Ok(None) => {}
            Err(e) => e.clear(),
        }
        PyUnicode_FromFormat(c"<%s object at %p>".as_ptr(), (*(*slf).ob_type).tp_name, slf)
    }
}

pub(crate) unsafe extern "C" fn slot_tp_hash(slf: Ob) -> Py_hash_t {
    // SAFETY: [ARGS]
    unsafe {
        let found = match lookup_maybe_method(slf, intern!("__hash__")) {
            Ok(Some(found)) if found.0.as_ptr() != Py_None() => found,
            Ok(_) => return crate::object::PyObject_HashNotImplemented(slf),
            Err(e) => {
                e.clear();
                return crate::object::PyObject_HashNotImplemented(slf);
            }
        };
        let Ok(res) = own(call_found(&found, &[slf])) else { return -1 };
        if PyLong_Check(res.as_ptr()) == 0 {
            let _ = raise!(PyExc_TypeError, "__hash__ method should return an integer");
            return -1;
        }
        // Numbers in range stand for themselves; others are hashed.
        let mut h = PyLong_AsSsize_t(res.as_ptr());
        if h == -1 && err_occurred() {
            PyErr_Clear();
            h = PyLong_Type.tp_hash.map_or(-2, |f| f(res.as_ptr()));
        }
        if h == -1 { -2 } else { h }
    }
}

/// Calls a looked-up method with a tuple and a dict.
unsafe fn call_found_tuple(found: &(Owned, bool), slf: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let f = found.0.as_ptr();
        if !found.1 {
            return PyObject_Call(f, args, kwargs);
        }
        call_prepend(f, slf, args, kwargs)
    }
}

/// `f(first, *args, **kwargs)`.
unsafe fn call_prepend(f: Ob, first: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let items = super::tuple_items(args);
        const SMALL: usize = 6;
        if items.len() < SMALL {
            let mut all = [null_mut(); SMALL];
            all[0] = first;
            all[1..=items.len()].copy_from_slice(items);
            return PyObject_VectorcallDict(f, all.as_ptr(), items.len() + 1, kwargs);
        }
        let mut all = Vec::with_capacity(items.len() + 1);
        all.push(first);
        all.extend_from_slice(items);
        PyObject_VectorcallDict(f, all.as_ptr(), all.len(), kwargs)
    }
}

pub(crate) unsafe extern "C" fn slot_tp_call(slf: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let name = intern!("__call__");
        match lookup_maybe_method(slf, name) {
            Ok(Some(found)) => call_found_tuple(&found, slf, args, kwargs),
            Ok(None) => no_method(name),
            Err(_) => null_mut(),
        }
    }
}

/// Calls what was found as `__getattr__` or `__getattribute__`.
unsafe fn call_attribute(slf: Ob, attr: Ob, name: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*attr).ob_type;
        if (*tp).tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR != 0 {
            let args = [slf, name];
            return PyObject_Vectorcall(attr, args.as_ptr(), 2, null_mut());
        }
        match (*tp).tp_descr_get {
            Some(get) => match own(get(attr, slf, (*slf).ob_type.cast())) {
                Ok(bound) => PyObject_CallOneArg(bound.as_ptr(), name),
                Err(_) => null_mut(),
            },
            None => PyObject_CallOneArg(attr, name),
        }
    }
}

/// `tp_getattro` of a class with `__getattr__`. Installed for `__getattribute__` too; then it replaces itself by the
/// simpler slot at its first call.
/// `tp_getattro` of classes with a Python `__getattr__` (and perhaps `__getattribute__`). The specialiser knows it by its address.
#[inline(never)]
pub unsafe extern "C" fn slot_tp_getattr_hook(slf: Ob, name: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*slf).ob_type;
        let Some(getattr) = Owned::from_borrowed_or_opt(type_lookup(tp, intern!("__getattr__"))) else {
            (*tp).tp_getattro = Some(slot_tp_getattro);
            return slot_tp_getattro(slf, name);
        };
        let getattribute = Owned::from_borrowed_or_opt(type_lookup(tp, intern!("__getattribute__")));
        let generic = match &getattribute {
            None => true,
            Some(g) => {
                (*g.as_ptr()).ob_type == &raw mut PyWrapperDescr_Type
                    && (*g.as_ptr().cast::<PyWrapperDescrObject>()).d_wrapped as usize
                        == crate::object::PyObject_GenericGetAttr as *const () as usize
            }
        };
        if generic {
            let res = crate::object::_PyObject_GenericGetAttrWithDict(slf, name, null_mut(), 1);
            if !res.is_null() || err_occurred() {
                return res;
            }
        } else if let Some(g) = getattribute {
            let res = call_attribute(slf, g.as_ptr(), name);
            if !res.is_null() || PyErr_ExceptionMatches(PyExc_AttributeError) == 0 {
                return res;
            }
            PyErr_Clear();
        }
        call_attribute(slf, getattr.as_ptr(), name)
    }
}

pub(crate) unsafe extern "C" fn slot_tp_setattro(slf: Ob, name: Ob, value: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        discard(if value.is_null() {
            vectorcall_method(intern!("__delattr__"), &[slf, name])
        } else {
            vectorcall_method(intern!("__setattr__"), &[slf, name, value])
        })
    }
}

pub(crate) unsafe extern "C" fn slot_tp_richcompare(slf: Ob, other: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let name = match op {
            Py_LT => intern!("__lt__"),
            Py_LE => intern!("__le__"),
            Py_EQ => intern!("__eq__"),
            Py_NE => intern!("__ne__"),
            Py_GT => intern!("__gt__"),
            _ => intern!("__ge__"),
        };
        match lookup_maybe_method(slf, name) {
            Ok(Some(found)) => call_found(&found, &[slf, other]),
            Ok(None) => Py_NotImplemented(),
            Err(e) => {
                e.clear();
                Py_NotImplemented()
            }
        }
    }
}

pub(crate) unsafe extern "C" fn slot_tp_iter(slf: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        match lookup_maybe_method(slf, intern!("__iter__")) {
            Ok(Some(found)) if found.0.as_ptr() != Py_None() => return call_found(&found, &[slf]),
            Ok(None) => {
                if let Ok(Some(_)) = lookup_maybe_method(slf, intern!("__getitem__")) {
                    return PySeqIter_New(slf);
                }
                PyErr_Clear();
            }
            Ok(_) => {}
            Err(e) => e.clear(),
        }
        let _ = raise!(PyExc_TypeError, "'{}' object is not iterable", type_name(slf));
        null_mut()
    }
}

pub(crate) unsafe extern "C" fn slot_tp_descr_get(slf: Ob, obj: Ob, tp: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let own_type = (*slf).ob_type;
        let Some(get) = Owned::from_borrowed_or_opt(type_lookup(own_type, intern!("__get__"))) else {
            if fn_addr((*own_type).tp_descr_get) == slot_tp_descr_get as *const () as usize {
                (*own_type).tp_descr_get = None;
            }
            Py_INCREF(slf);
            return slf;
        };
        let or_none = |op: Ob| if op.is_null() { Py_None() } else { op };
        let args = [slf, or_none(obj), or_none(tp)];
        PyObject_Vectorcall(get.as_ptr(), args.as_ptr(), 3, null_mut())
    }
}

pub(crate) unsafe extern "C" fn slot_tp_descr_set(slf: Ob, target: Ob, value: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        discard(if value.is_null() {
            vectorcall_method(intern!("__delete__"), &[slf, target])
        } else {
            vectorcall_method(intern!("__set__"), &[slf, target, value])
        })
    }
}

pub(crate) unsafe extern "C" fn slot_tp_init(slf: Ob, args: Ob, kwargs: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<()> {
            let name = intern!("__init__");
            let Some(found) = lookup_maybe_method(slf, name)? else {
                no_method(name);
                return Err(raised());
            };
            let res = own(call_found_tuple(&found, slf, args, kwargs))?;
            if res.as_ptr() != Py_None() {
                bail!(PyExc_TypeError, "__init__() should return None, not '{}'", type_name(res.as_ptr()));
            }
            Ok(())
        };
        body().into_c()
    }
}

pub(crate) unsafe extern "C" fn slot_tp_new(tp: *mut PyTypeObject, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyObject_GetAttr(tp.cast(), intern!("__new__"))) {
            Ok(f) => call_prepend(f.as_ptr(), tp.cast(), args, kwargs),
            Err(_) => null_mut(),
        }
    }
}

pub(crate) unsafe extern "C" fn slot_tp_finalize(slf: Ob) {
    // SAFETY: [ARGS] the exception in flight is kept.
    unsafe {
        let exc = PyErr_GetRaisedException();
        match lookup_maybe_method(slf, intern!("__del__")) {
            Ok(Some(found)) => {
                let res = call_found(&found, &[slf]);
                if res.is_null() {
                    PyErr_WriteUnraisable(found.0.as_ptr());
                } else {
                    Py_DECREF(res);
                }
            }
            Ok(None) => {}
            Err(e) => e.clear(),
        }
        PyErr_SetRaisedException(exc);
    }
}

unsafe fn async_method(slf: Ob, name: Ob, text: &str) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        match lookup_maybe_method(slf, name) {
            Ok(Some(found)) => return call_found(&found, &[slf]),
            Ok(None) => {}
            Err(e) => e.clear(),
        }
        let _ = raise!(PyExc_AttributeError, "object {:.50} does not have {} method", type_name(slf), text);
        null_mut()
    }
}

pub(crate) unsafe extern "C" fn slot_am_await(slf: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { async_method(slf, intern!("__await__"), "__await__") }
}
pub(crate) unsafe extern "C" fn slot_am_aiter(slf: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { async_method(slf, intern!("__aiter__"), "__aiter__") }
}
pub(crate) unsafe extern "C" fn slot_am_anext(slf: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { async_method(slf, intern!("__anext__"), "__anext__") }
}
