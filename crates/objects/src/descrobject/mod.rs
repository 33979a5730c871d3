//! Descriptors of C types: methods, class methods, members, computed attributes, slot wrappers.

use crate::object::{err_format, gc_new, gc_track, own};
use crate::typeobject::{
    _PyType_GetDocFromInternalDoc, _PyType_GetTextSignatureFromInternalDoc, TYPE_INIT, tuple_items,
};
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, members, methods};

pub mod mappingproxy;
pub mod property;
pub mod wrapper;

pub use mappingproxy::{PyDictProxy_New, PyDictProxy_Type};
pub use property::PyProperty_Type;
pub use wrapper::{_PyMethodWrapper_Type, PyWrapper_New};

type Ob = *mut PyObject;
pub(crate) const T_OBJECT: c_int = 6;

/// The name for messages.
unsafe fn descr_name(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let name = (*op.cast::<PyDescrObject>()).d_name;
        if name.is_null() || PyUnicode_Check(name) == 0 { intern!("?") } else { name }
    }
}

#[inline(always)]
unsafe fn d_type(op: Ob) -> *mut PyTypeObject {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyDescrObject>()).d_type }
}

unsafe extern "C" fn descr_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        let d: *mut PyDescrObject = op.cast();
        crate::gc::gc_untrack(op);
        Py_XDECREF((*d).d_type.cast());
        Py_XDECREF((*d).d_name);
        Py_XDECREF((*d).d_qualname);
        PyObject_GC_Del(op.cast());
    }
}

unsafe extern "C" fn descr_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit(d_type(op), visitor, arg) }
}

macro_rules! reprs {
    ($($name:ident $format:literal)*) => { $(
        unsafe extern "C" fn $name(op: Ob) -> Ob {
            // SAFETY: [TYPE]
            unsafe { PyUnicode_FromFormat($format.as_ptr(), descr_name(op), (*d_type(op)).tp_name) }
        }
    )* };
}
reprs! {
    method_repr c"<method '%U' of '%s' objects>"
    member_repr c"<member '%U' of '%s' objects>"
    getset_repr c"<attribute '%U' of '%s' objects>"
    wrapperdescr_repr c"<slot wrapper '%U' of '%s' objects>"
}

#[cold]
unsafe fn wrong_object(descr: Ob, obj: Ob) -> Raised {
    // SAFETY: [ARGS]
    err_format!(
        PyExc_TypeError,
        c"descriptor '%U' for '%.100s' objects doesn't apply to a '%.100s' object",
        descr_name(descr),
        (*d_type(descr)).tp_name,
        (*(*obj).ob_type).tp_name
    )
}

/// Checks that the descriptor's type is one of `obj`'s.
#[inline(always)]
unsafe fn descr_check(descr: Ob, obj: Ob) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { if is_instance_of(obj, d_type(descr)) { Ok(()) } else { Err(wrong_object(descr, obj)) } }
}

// ---- __get__ and __set__ -------------------------------------------------------------------------------------------

unsafe fn classmethod_bind(descr: Ob, obj: Ob, tp: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let mut tp = tp;
        if tp.is_null() {
            if obj.is_null() {
                return Err(err_format!(
                    PyExc_TypeError,
                    c"descriptor '%U' for type '%.100s' needs either an object or a type",
                    descr_name(descr),
                    (*d_type(descr)).tp_name
                ));
            }
            tp = (*obj).ob_type.cast();
        }
        if PyType_Check(tp) == 0 {
            return Err(err_format!(
                PyExc_TypeError,
                c"descriptor '%U' for type '%.100s' needs a type, not a '%.100s' as arg 2",
                descr_name(descr),
                (*d_type(descr)).tp_name,
                (*(*tp).ob_type).tp_name
            ));
        }
        if PyType_IsSubtype(tp.cast(), d_type(descr)) == 0 {
            return Err(err_format!(
                PyExc_TypeError,
                c"descriptor '%U' requires a subtype of '%.100s' but received '%.100s'",
                descr_name(descr),
                (*d_type(descr)).tp_name,
                (*tp.cast::<PyTypeObject>()).tp_name
            ));
        }
        let def = (*descr.cast::<PyMethodDescrObject>()).d_method;
        let cls = if (*def).ml_flags & METH_METHOD != 0 { d_type(descr) } else { null_mut() };
        own(PyCMethod_New(def, tp, null_mut(), cls))
    }
}

unsafe extern "C" fn classmethod_get(descr: Ob, obj: Ob, tp: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { classmethod_bind(descr, obj, tp).into_c() }
}

unsafe extern "C" fn method_get(descr: Ob, obj: Ob, tp: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if obj.is_null() {
            Py_INCREF(descr);
            return descr;
        }
        if descr_check(descr, obj).is_err() {
            return null_mut();
        }
        let def = (*descr.cast::<PyMethodDescrObject>()).d_method;
        if (*def).ml_flags & METH_METHOD == 0 {
            return PyCMethod_New(def, obj, null_mut(), null_mut());
        }
        if !tp.is_null() && PyType_Check(tp) == 0 {
            let _ = err_format!(
                PyExc_TypeError,
                c"descriptor '%U' needs a type, not '%s', as arg 2",
                descr_name(descr),
                (*(*tp).ob_type).tp_name
            );
            return null_mut();
        }
        PyCMethod_New(def, obj, null_mut(), d_type(descr))
    }
}

unsafe extern "C" fn member_get(descr: Ob, obj: Ob, _: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if obj.is_null() {
            Py_INCREF(descr);
            return descr;
        }
        if descr_check(descr, obj).is_err() {
            return null_mut();
        }
        let def = (*descr.cast::<PyMemberDescrObject>()).d_member;
        if (*def).flags & Py_AUDIT_READ != 0
            && PySys_Audit(c"object.__getattr__".as_ptr(), c"Os".as_ptr(), obj, (*def).name) < 0
        {
            return null_mut();
        }
        crate::structmember::PyMember_GetOne(obj.cast(), def)
    }
}

unsafe extern "C" fn member_set(descr: Ob, obj: Ob, value: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if descr_check(descr, obj).is_err() {
            return -1;
        }
        crate::structmember::PyMember_SetOne(obj.cast(), (*descr.cast::<PyMemberDescrObject>()).d_member, value)
    }
}

unsafe extern "C" fn getset_get(descr: Ob, obj: Ob, _: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if obj.is_null() {
            Py_INCREF(descr);
            return descr;
        }
        if descr_check(descr, obj).is_err() {
            return null_mut();
        }
        let def = (*descr.cast::<PyGetSetDescrObject>()).d_getset;
        match (*def).get {
            Some(get) => get(obj, (*def).closure),
            None => {
                let _ = err_format!(
                    PyExc_AttributeError,
                    c"attribute '%U' of '%.100s' objects is not readable",
                    descr_name(descr),
                    (*d_type(descr)).tp_name
                );
                null_mut()
            }
        }
    }
}

unsafe extern "C" fn getset_set(descr: Ob, obj: Ob, value: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if descr_check(descr, obj).is_err() {
            return -1;
        }
        let def = (*descr.cast::<PyGetSetDescrObject>()).d_getset;
        match (*def).set {
            Some(set) => set(obj, value, (*def).closure),
            None => {
                let _ = err_format!(
                    PyExc_AttributeError,
                    c"attribute '%U' of '%.100s' objects is not writable",
                    descr_name(descr),
                    (*d_type(descr)).tp_name
                );
                -1
            }
        }
    }
}

unsafe extern "C" fn wrapperdescr_get(descr: Ob, obj: Ob, _: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if obj.is_null() {
            Py_INCREF(descr);
            return descr;
        }
        if descr_check(descr, obj).is_err() {
            return null_mut();
        }
        PyWrapper_New(descr, obj)
    }
}

// ---- calls of methods ----------------------------------------------------------------------------------------------

#[cold]
unsafe fn function_error(func: Ob, message: impl FnOnce(&str) -> String) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        match own(_PyObject_FunctionStr(func)) {
            Ok(text) => raise!(PyExc_TypeError, "{}", message(&crate::object::text_of(text.as_ptr()))),
            Err(e) => e,
        }
    }
}

/// The receiver, checked; `no_keywords` forbids keyword arguments.
#[inline(always)]
unsafe fn method_self(func: Ob, args: *const Ob, nargs: Py_ssize_t, kwnames: Ob, no_keywords: bool) -> PyResult<Ob> {
    // SAFETY: [ARGS]
    unsafe {
        if nargs < 1 {
            return Err(function_error(func, |f| format!("unbound method {f} needs an argument")));
        }
        descr_check(func, *args)?;
        if no_keywords && !kwnames.is_null() && PyTuple_GET_SIZE(kwnames) != 0 {
            return Err(function_error(func, |f| format!("{f} takes no keyword arguments")));
        }
        Ok(*args)
    }
}

#[inline(always)]
unsafe fn method_def(func: Ob) -> PyMethodDefPointer {
    // SAFETY: [TYPE]
    unsafe { (*(*func.cast::<PyMethodDescrObject>()).d_method).ml_meth }
}

/// Defines a vectorcall function: `body` has the receiver, the further arguments, their number and the C function.
macro_rules! vectorcalls {
    ($( $(#[$m:meta])* $name:ident keywords $kw:literal |$func:ident, $slf:ident, $args:ident, $n:ident, $kwnames:ident| $body:block )*) => { $(
        $(#[$m])*
        pub(crate) unsafe extern "C" fn $name($func: Ob, $args: *const Ob, nargsf: usize, $kwnames: Ob) -> Ob {
            // SAFETY: [ARGS] called by the vectorcall protocol; the flags say which member of the union is set.
            unsafe {
                let nargs = PyVectorcall_NARGS(nargsf);
                let Ok($slf) = method_self($func, $args, nargs, $kwnames, !$kw) else { return null_mut() };
                #[allow(unused_variables, reason = "not every convention looks at them")]
                let ($args, $n) = ($args.add(1), nargs - 1);
                let body = || -> PyResult<Ob> { $body };
                body().unwrap_or(null_mut())
            }
        }
    )* };
}

macro_rules! enter {
    () => {
        let _level = RecursionGuard::enter(c" while calling a Python object")?;
    };
}

vectorcalls! {
    /// METH_VARARGS.
    method_vectorcall_VARARGS keywords false |func, slf, args, n, kwnames| {
        let tuple = own(_PyTuple_FromArray(args, n))?;
        enter!();
        Ok((method_def(func).PyCFunction)(slf, tuple.as_ptr()))
    }
    /// METH_VARARGS | METH_KEYWORDS.
    method_vectorcall_VARARGS_KEYWORDS keywords true |func, slf, args, n, kwnames| {
        let tuple = own(_PyTuple_FromArray(args, n))?;
        let dict = crate::methodobject::keyword_dict(args.add(n as usize), kwnames)?;
        enter!();
        Ok((method_def(func).PyCFunctionWithKeywords)(slf, tuple.as_ptr(), dict.as_ref().map_or(null_mut(), |d| d.as_ptr())))
    }
    /// METH_FASTCALL.
    method_vectorcall_FASTCALL keywords false |func, slf, args, n, kwnames| {
        enter!();
        Ok((method_def(func).PyCFunctionFast)(slf, args.cast_mut(), n))
    }
    /// METH_FASTCALL | METH_KEYWORDS.
    method_vectorcall_FASTCALL_KEYWORDS keywords true |func, slf, args, n, kwnames| {
        enter!();
        Ok((method_def(func).PyCFunctionFastWithKeywords)(slf, args, n, kwnames))
    }
    /// METH_METHOD | METH_FASTCALL | METH_KEYWORDS.
    method_vectorcall_FASTCALL_KEYWORDS_METHOD keywords true |func, slf, args, n, kwnames| {
        enter!();
        Ok((method_def(func).PyCMethod)(slf, d_type(func), args, n, kwnames))
    }
    /// METH_NOARGS.
    method_vectorcall_NOARGS keywords false |func, slf, args, n, kwnames| {
        if n != 0 {
            return Err(function_error(func, |f| format!("{f} takes no arguments ({n} given)")));
        }
        enter!();
        Ok((method_def(func).PyCFunction)(slf, null_mut()))
    }
    /// METH_O.
    method_vectorcall_O keywords false |func, slf, args, n, kwnames| {
        if n != 1 {
            return Err(function_error(func, |f| format!("{f} takes exactly one argument ({n} given)")));
        }
        enter!();
        Ok((method_def(func).PyCFunction)(slf, *args))
    }
}

unsafe fn needs_argument(descr: Ob) -> Raised {
    // SAFETY: [TYPE]
    err_format!(
        PyExc_TypeError,
        c"descriptor '%U' of '%.100s' object needs an argument",
        descr_name(descr),
        (*d_type(descr)).tp_name
    )
}

/// Calls a class method descriptor: binds it to the first argument, then calls that.
unsafe extern "C" fn classmethoddescr_call(descr: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            let items = tuple_items(args);
            let Some(&first) = items.first() else { return Err(needs_argument(descr)) };
            let bound = classmethod_bind(descr, null_mut(), first)?;
            own(PyObject_VectorcallDict(bound.as_ptr(), items.as_ptr().add(1), items.len() - 1, kwargs))
        };
        body().into_c()
    }
}

/// Calls the C function behind a slot wrapper.
pub(crate) unsafe fn wrapperdescr_raw_call(descr: *mut PyWrapperDescrObject, slf: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS] the flag says which kind of function it is.
    unsafe {
        let base = (*descr).d_base;
        if (*base).flags & PyWrapperFlag_KEYWORDS != 0 {
            let f = core::mem::transmute::<wrapperfunc, wrapperfunc_kwds>((*base).wrapper);
            return match f {
                Some(f) => f(slf, args, (*descr).d_wrapped, kwargs),
                None => null_mut(),
            };
        }
        if !kwargs.is_null() && (PyDict_Check(kwargs) == 0 || PyDict_Size(kwargs) != 0) {
            let _ = err_format!(PyExc_TypeError, c"wrapper %s() takes no keyword arguments", (*base).name);
            return null_mut();
        }
        match (*base).wrapper {
            Some(f) => f(slf, args, (*descr).d_wrapped),
            None => null_mut(),
        }
    }
}

unsafe extern "C" fn wrapperdescr_call(descr: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            let items = tuple_items(args);
            let Some(&slf) = items.first() else { return Err(needs_argument(descr)) };
            let tp = (*slf).ob_type;
            if PyType_IsSubtype(tp, d_type(descr)) == 0 {
                let is = _PyObject_RealIsSubclass(tp.cast(), d_type(descr).cast());
                check_status(is)?;
                if is == 0 {
                    return Err(err_format!(
                        PyExc_TypeError,
                        c"descriptor '%U' requires a '%.100s' object but received a '%.100s'",
                        descr_name(descr),
                        (*d_type(descr)).tp_name,
                        (*tp).tp_name
                    ));
                }
            }
            let rest = own(_PyTuple_FromArray(items.as_ptr().add(1), items.len() as Py_ssize_t - 1))?;
            own(wrapperdescr_raw_call(descr.cast(), slf, rest.as_ptr(), kwargs))
        };
        body().into_c()
    }
}

// ---- attributes ----------------------------------------------------------------------------------------------------

fn method_get_doc(slf: Borrowed<'_, PyMethodDescrObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { _PyType_GetDocFromInternalDoc((*slf.d_method).ml_name, (*slf.d_method).ml_doc) }
}

fn method_get_text_signature(slf: Borrowed<'_, PyMethodDescrObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let def = slf.d_method;
        _PyType_GetTextSignatureFromInternalDoc((*def).ml_name, (*def).ml_doc, (*def).ml_flags)
    }
}

unsafe fn calculate_qualname(descr: *mut PyDescrObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if (*descr).d_name.is_null() || PyUnicode_Check((*descr).d_name) == 0 {
            bail!(PyExc_TypeError, "<descriptor>.__name__ is not a unicode object");
        }
        let tp = own(PyObject_GetAttr((*descr).d_type.cast(), intern!("__qualname__")))?;
        if PyUnicode_Check(tp.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "<descriptor>.__objclass__.__qualname__ is not a unicode object");
        }
        own(PyUnicode_FromFormat(c"%S.%S".as_ptr(), tp.as_ptr(), (*descr).d_name))
    }
}

/// `descr.__qualname__`, computed once.
pub(crate) fn descr_get_qualname(slf: Borrowed<'_, PyDescrObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let d = slf.as_ptr();
        if (*d).d_qualname.is_null() {
            let qualname = calculate_qualname(d)?;
            if (*d).d_qualname.is_null() {
                (*d).d_qualname = qualname.into_raw();
            }
        }
        Ok(Owned::from_borrowed((*d).d_qualname))
    }
}

/// `(getattr, (op, name))`.
pub(crate) unsafe fn reduce_as_getattr(op: Ob, name: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let getattr = own(_PyEval_GetBuiltin(intern!("getattr")))?;
        let args = [op, name];
        let args = own(_PyTuple_FromArray(args.as_ptr(), 2))?;
        let both = [getattr.as_ptr(), args.as_ptr()];
        own(_PyTuple_FromArray(both.as_ptr(), 2))
    }
}

fn descr_reduce(slf: Borrowed<'_, PyDescrObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { reduce_as_getattr(slf.d_type.cast(), slf.d_name) }
}

unsafe fn doc_or_none(doc: *const c_char) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { if doc.is_null() { Ok(Owned::from_borrowed(Py_None())) } else { own(PyUnicode_FromString(doc)) } }
}

fn member_get_doc(slf: Borrowed<'_, PyMemberDescrObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { doc_or_none((*slf.d_member).doc) }
}

fn getset_get_doc(slf: Borrowed<'_, PyGetSetDescrObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { doc_or_none((*slf.d_getset).doc) }
}

fn wrapperdescr_get_doc(slf: Borrowed<'_, PyWrapperDescrObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { _PyType_GetDocFromInternalDoc((*slf.d_base).name, (*slf.d_base).doc) }
}

fn wrapperdescr_get_text_signature(slf: Borrowed<'_, PyWrapperDescrObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { _PyType_GetTextSignatureFromInternalDoc((*slf.d_base).name, (*slf.d_base).doc, 0) }
}

methods! { static DESCR_METHODS = [
    "__reduce__($self, /)" => descr_reduce, "Pickle by class and name.";
]; }
members! { static DESCR_MEMBERS = [
    "__objclass__", T_OBJECT, core::mem::offset_of!(PyDescrObject, d_type), Py_READONLY, "";
    "__name__", T_OBJECT, core::mem::offset_of!(PyDescrObject, d_name), Py_READONLY, "";
]; }
getset! { static METHOD_GETSET = [
    "__doc__" => method_get_doc, "";
    "__qualname__" => descr_get_qualname, "";
    "__text_signature__" => method_get_text_signature, "";
]; }
getset! { static MEMBER_GETSET = [
    "__doc__" => member_get_doc, "";
    "__qualname__" => descr_get_qualname, "";
]; }
getset! { static GETSET_GETSET = [
    "__doc__" => getset_get_doc, "";
    "__qualname__" => descr_get_qualname, "";
]; }
getset! { static WRAPPERDESCR_GETSET = [
    "__doc__" => wrapperdescr_get_doc, "";
    "__qualname__" => descr_get_qualname, "";
    "__text_signature__" => wrapperdescr_get_text_signature, "";
]; }

// ---- types ---------------------------------------------------------------------------------------------------------

const DESCR_INIT: PyTypeObject = PyTypeObject {
    tp_dealloc: Some(descr_dealloc),
    tp_getattro: Some(crate::object::PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(descr_traverse),
    ..TYPE_INIT
};

/// `method_descriptor`.
#[unsafe(no_mangle)]
pub static mut PyMethodDescr_Type: PyTypeObject = PyTypeObject {
    tp_name: c"method_descriptor".as_ptr(),
    tp_basicsize: size_of::<PyMethodDescrObject>() as Py_ssize_t,
    tp_vectorcall_offset: core::mem::offset_of!(PyMethodDescrObject, vectorcall) as Py_ssize_t,
    tp_repr: Some(method_repr),
    tp_call: Some(PyVectorcall_Call),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    tp_methods: (&raw mut DESCR_METHODS).cast(),
    tp_members: (&raw mut DESCR_MEMBERS).cast(),
    tp_getset: (&raw mut METHOD_GETSET).cast(),
    tp_descr_get: Some(method_get),
    ..DESCR_INIT
};

/// `classmethod_descriptor`.
#[unsafe(no_mangle)]
pub static mut PyClassMethodDescr_Type: PyTypeObject = PyTypeObject {
    tp_name: c"classmethod_descriptor".as_ptr(),
    tp_basicsize: size_of::<PyMethodDescrObject>() as Py_ssize_t,
    tp_repr: Some(method_repr),
    tp_call: Some(classmethoddescr_call),
    tp_members: (&raw mut DESCR_MEMBERS).cast(),
    tp_getset: (&raw mut METHOD_GETSET).cast(),
    tp_descr_get: Some(classmethod_get),
    ..DESCR_INIT
};

/// `member_descriptor`.
#[unsafe(no_mangle)]
pub static mut PyMemberDescr_Type: PyTypeObject = PyTypeObject {
    tp_name: c"member_descriptor".as_ptr(),
    tp_basicsize: size_of::<PyMemberDescrObject>() as Py_ssize_t,
    tp_repr: Some(member_repr),
    tp_methods: (&raw mut DESCR_METHODS).cast(),
    tp_members: (&raw mut DESCR_MEMBERS).cast(),
    tp_getset: (&raw mut MEMBER_GETSET).cast(),
    tp_descr_get: Some(member_get),
    tp_descr_set: Some(member_set),
    ..DESCR_INIT
};

/// `getset_descriptor`.
#[unsafe(no_mangle)]
pub static mut PyGetSetDescr_Type: PyTypeObject = PyTypeObject {
    tp_name: c"getset_descriptor".as_ptr(),
    tp_basicsize: size_of::<PyGetSetDescrObject>() as Py_ssize_t,
    tp_repr: Some(getset_repr),
    tp_members: (&raw mut DESCR_MEMBERS).cast(),
    tp_getset: (&raw mut GETSET_GETSET).cast(),
    tp_descr_get: Some(getset_get),
    tp_descr_set: Some(getset_set),
    ..DESCR_INIT
};

/// `wrapper_descriptor`.
#[unsafe(no_mangle)]
pub static mut PyWrapperDescr_Type: PyTypeObject = PyTypeObject {
    tp_name: c"wrapper_descriptor".as_ptr(),
    tp_basicsize: size_of::<PyWrapperDescrObject>() as Py_ssize_t,
    tp_repr: Some(wrapperdescr_repr),
    tp_call: Some(wrapperdescr_call),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_METHOD_DESCRIPTOR,
    tp_methods: (&raw mut DESCR_METHODS).cast(),
    tp_members: (&raw mut DESCR_MEMBERS).cast(),
    tp_getset: (&raw mut WRAPPERDESCR_GETSET).cast(),
    tp_descr_get: Some(wrapperdescr_get),
    ..DESCR_INIT
};

// ---- the C API -----------------------------------------------------------------------------------------------------

/// A descriptor of type `descrtype` for `tp`, whose further fields `fill` sets.
unsafe fn descr_new<T>(
    descrtype: *mut PyTypeObject,
    tp: *mut PyTypeObject,
    name: *const c_char,
    fill: impl FnOnce(*mut T),
) -> PyResult<Owned> {
    // SAFETY: [ARGS] tp_alloc zeroes and tracks; all fields may be NULL until then.
    unsafe {
        let name = own(PyUnicode_InternFromString(name))?;
        let op: *mut T = gc_new(descrtype)?;
        let d: *mut PyDescrObject = op.cast();
        Py_XINCREF(tp.cast());
        (*d).d_type = tp;
        (*d).d_name = name.into_raw();
        (*d).d_qualname = null_mut();
        fill(op);
        Ok(gc_track(op))
    }
}

/// A method descriptor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDescr_NewMethod(tp: *mut PyTypeObject, def: *mut PyMethodDef) -> Ob {
    const VARARGS_KEYWORDS: c_int = METH_VARARGS | METH_KEYWORDS;
    const FASTCALL_KEYWORDS: c_int = METH_FASTCALL | METH_KEYWORDS;
    const METHOD: c_int = METH_METHOD | METH_FASTCALL | METH_KEYWORDS;
    // SAFETY: [ARGS]
    unsafe {
        let conventions = METH_VARARGS | METH_FASTCALL | METH_NOARGS | METH_O | METH_KEYWORDS | METH_METHOD;
        let vectorcall: vectorcallfunc = match (*def).ml_flags & conventions {
            METH_VARARGS => method_vectorcall_VARARGS,
            VARARGS_KEYWORDS => method_vectorcall_VARARGS_KEYWORDS,
            METH_FASTCALL => method_vectorcall_FASTCALL,
            FASTCALL_KEYWORDS => method_vectorcall_FASTCALL_KEYWORDS,
            METH_NOARGS => method_vectorcall_NOARGS,
            METH_O => method_vectorcall_O,
            METHOD => method_vectorcall_FASTCALL_KEYWORDS_METHOD,
            _ => {
                let _ = err_format!(PyExc_SystemError, c"%s() method: bad call flags", (*def).ml_name);
                return null_mut();
            }
        };
        descr_new::<PyMethodDescrObject>(&raw mut PyMethodDescr_Type, tp, (*def).ml_name, |d| {
            (*d).d_method = def;
            (*d).vectorcall = Some(vectorcall);
        })
        .into_c()
    }
}

/// A class method descriptor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDescr_NewClassMethod(tp: *mut PyTypeObject, def: *mut PyMethodDef) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        descr_new::<PyMethodDescrObject>(&raw mut PyClassMethodDescr_Type, tp, (*def).ml_name, |d| {
            (*d).d_method = def;
            (*d).vectorcall = None;
        })
        .into_c()
    }
}

/// A member descriptor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDescr_NewMember(tp: *mut PyTypeObject, def: *mut PyMemberDef) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if (*def).flags & Py_RELATIVE_OFFSET != 0 {
            let _ = raise!(PyExc_SystemError, "PyDescr_NewMember used with Py_RELATIVE_OFFSET");
            return null_mut();
        }
        descr_new::<PyMemberDescrObject>(&raw mut PyMemberDescr_Type, tp, (*def).name, |d| (*d).d_member = def).into_c()
    }
}

/// A descriptor of a computed attribute.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDescr_NewGetSet(tp: *mut PyTypeObject, def: *mut PyGetSetDef) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        descr_new::<PyGetSetDescrObject>(&raw mut PyGetSetDescr_Type, tp, (*def).name, |d| (*d).d_getset = def).into_c()
    }
}

/// A slot wrapper.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDescr_NewWrapper(tp: *mut PyTypeObject, base: *mut wrapperbase, wrapped: *mut c_void) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        descr_new::<PyWrapperDescrObject>(&raw mut PyWrapperDescr_Type, tp, (*base).name, |d| {
            (*d).d_base = base;
            (*d).d_wrapped = wrapped;
        })
        .into_c()
    }
}

/// Whether the descriptor takes part in assignment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDescr_IsData(op: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe { (*(*op).ob_type).tp_descr_set.is_some() as c_int }
}

