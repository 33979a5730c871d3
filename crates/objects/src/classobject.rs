//! Bound methods, and the `instancemethod` wrapper of the C API.

use crate::object::{gc_new, gc_track, optional_attr, own};
use crate::typeobject::{_PyType_GetDocFromInternalDoc, TYPE_INIT, type_lookup};
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, getset, members, methods};

type Ob = *mut PyObject;
type Method<'a> = Borrowed<'a, PyMethodObject>;
const T_OBJECT: c_int = crate::descrobject::T_OBJECT;

/// Calls the function with the receiver in front. The slot before the arguments is borrowed for it where the caller
/// allows that.
unsafe extern "C" fn method_vectorcall(method: Ob, args: *const Ob, nargsf: usize, kwnames: Ob) -> Ob {
    // SAFETY: [ARGS] the flag says that args[-1] may be written meanwhile.
    unsafe {
        let m: *mut PyMethodObject = method.cast();
        let (func, slf) = ((*m).im_func, (*m).im_self);
        let nargs = PyVectorcall_NARGS(nargsf) as usize;
        if nargsf & PY_VECTORCALL_ARGUMENTS_OFFSET != 0 {
            let front = args.cast_mut().sub(1);
            let saved = *front;
            *front = slf;
            let result = PyObject_Vectorcall(func, front, nargs + 1, kwnames);
            *front = saved;
            return result;
        }
        let nkw = if kwnames.is_null() { 0 } else { PyTuple_GET_SIZE(kwnames) as usize };
        let total = nargs + nkw;
        const SMALL: usize = 6;
        if total < SMALL {
            let mut all = [null_mut(); SMALL];
            all[0] = slf;
            if total != 0 {
                core::ptr::copy_nonoverlapping(args, all.as_mut_ptr().add(1), total);
            }
            return PyObject_Vectorcall(func, all.as_ptr(), nargs + 1, kwnames);
        }
        let mut all = Vec::with_capacity(total + 1);
        all.push(slf);
        all.extend_from_slice(core::slice::from_raw_parts(args, total));
        PyObject_Vectorcall(func, all.as_ptr(), nargs + 1, kwnames)
    }
}

/// A bound method.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMethod_New(func: Ob, slf: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if slf.is_null() {
            PyErr_BadInternalCall();
            return null_mut();
        }
        let m: *mut PyMethodObject = match gc_new(&raw mut PyMethod_Type) {
            Ok(m) => m,
            Err(_) => return null_mut(),
        };
        Py_INCREF(func);
        Py_INCREF(slf);
        (*m).im_func = func;
        (*m).im_self = slf;
        (*m).im_weakreflist = null_mut();
        (*m).vectorcall = Some(method_vectorcall);
        gc_track(m).into_raw()
    }
}

/// The function, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMethod_Function(op: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if (*op).ob_type != &raw mut PyMethod_Type {
            PyErr_BadInternalCall();
            return null_mut();
        }
        (*op.cast::<PyMethodObject>()).im_func
    }
}

/// The receiver, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMethod_Self(op: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if (*op).ob_type != &raw mut PyMethod_Type {
            PyErr_BadInternalCall();
            return null_mut();
        }
        (*op.cast::<PyMethodObject>()).im_self
    }
}

unsafe extern "C" fn method_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        let m: *mut PyMethodObject = op.cast();
        if !(*m).im_weakreflist.is_null() {
            PyObject_ClearWeakRefs(op);
        }
        Py_DECREF((*m).im_func);
        Py_XDECREF((*m).im_self);
        PyObject_GC_Del(op.cast());
    }
}

unsafe extern "C" fn method_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let m: *mut PyMethodObject = op.cast();
        py_visit!(visitor, arg; (*m).im_func, (*m).im_self);
        0
    }
}

/// Attributes of the type first, then those of the function.
unsafe fn attribute_or(op: Ob, name: Ob, func: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        match Owned::from_borrowed_or_opt(type_lookup(tp, name)) {
            Some(descr) => match (*(*descr.as_ptr()).ob_type).tp_descr_get {
                Some(get) => get(descr.as_ptr(), op, tp.cast()),
                None => descr.into_raw(),
            },
            None => PyObject_GetAttr(func, name),
        }
    }
}

unsafe extern "C" fn method_getattro(op: Ob, name: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { attribute_or(op, name, (*op.cast::<PyMethodObject>()).im_func) }
}

unsafe extern "C" fn method_richcompare(a: Ob, b: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let tp = &raw mut PyMethod_Type;
        if (op != Py_EQ && op != Py_NE) || (*a).ob_type != tp || (*b).ob_type != tp {
            return Py_NotImplemented();
        }
        let (a, b): (*mut PyMethodObject, *mut PyMethodObject) = (a.cast(), b.cast());
        let same_function = PyObject_RichCompareBool((*a).im_func, (*b).im_func, Py_EQ);
        if same_function < 0 {
            return null_mut();
        }
        let equal = same_function != 0 && (*a).im_self == (*b).im_self;
        PyBool_FromLong((equal == (op == Py_EQ)) as _)
    }
}

unsafe extern "C" fn method_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let body = || -> PyResult<Owned> {
            let m: *mut PyMethodObject = op.cast();
            let mut name = optional_attr((*m).im_func, intern!("__qualname__"))?;
            if name.is_none() {
                name = optional_attr((*m).im_func, intern!("__name__"))?;
            }
            match name.filter(|n| PyUnicode_Check(n.as_ptr()) != 0) {
                Some(n) => own(PyUnicode_FromFormat(c"<bound method %U of %R>".as_ptr(), n.as_ptr(), (*m).im_self)),
                None => own(PyUnicode_FromFormat(c"<bound method ? of %R>".as_ptr(), (*m).im_self)),
            }
        };
        body().into_c()
    }
}

unsafe extern "C" fn method_hash(op: Ob) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let m: *mut PyMethodObject = op.cast();
        let h = PyObject_Hash((*m).im_func);
        if h == -1 {
            return -1;
        }
        match _Py_HashPointer((*m).im_self.cast()) ^ h {
            -1 => -2,
            h => h,
        }
    }
}

/// A method is bound once: binding it again changes nothing.
unsafe extern "C" fn method_descr_get(op: Ob, _: Ob, _: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { Py_INCREF(op) };
    op
}

fn method_new(_: Borrowed<'_, PyTypeObject>, function: Borrowed<'_>, instance: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyCallable_Check(function.ob()) == 0 {
            bail!(PyExc_TypeError, "first argument must be callable");
        }
        if instance.is_none() {
            bail!(PyExc_TypeError, "instance must not be None");
        }
        own(PyMethod_New(function.ob(), instance.ob()))
    }
}

fn method_reduce(slf: Method<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let name = own(PyObject_GetAttr(slf.im_func, intern!("__name__")))?;
        crate::descrobject::reduce_as_getattr(slf.im_self, name.as_ptr())
    }
}

unsafe fn type_doc(tp: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { _PyType_GetDocFromInternalDoc((*tp).tp_name, (*tp).tp_doc) }
}

fn method_get_doc(slf: Method<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { own(PyObject_GetAttr(slf.im_func, intern!("__doc__"))) }
}

methods! { static METHOD_METHODS = [
    "__reduce__($self, /)" => method_reduce, "Pickle by object and name.";
]; }
members! { static METHOD_MEMBERS = [
    "__func__", T_OBJECT, offset_of!(PyMethodObject, im_func), Py_READONLY, "The function.";
    "__self__", T_OBJECT, offset_of!(PyMethodObject, im_self), Py_READONLY, "The object that it is bound to.";
]; }
getset! { static METHOD_GETSETS = [
    "__doc__" => method_get_doc, "";
]; }

/// `method`.
#[unsafe(no_mangle)]
pub static mut PyMethod_Type: PyTypeObject = PyTypeObject {
    tp_name: c"method".as_ptr(),
    tp_basicsize: size_of::<PyMethodObject>() as Py_ssize_t,
    tp_dealloc: Some(method_dealloc),
    tp_vectorcall_offset: offset_of!(PyMethodObject, vectorcall) as Py_ssize_t,
    tp_repr: Some(method_repr),
    tp_hash: Some(method_hash),
    tp_call: Some(PyVectorcall_Call),
    tp_getattro: Some(method_getattro),
    tp_setattro: Some(crate::object::PyObject_GenericSetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    tp_doc: c"method(function, instance, /)\n--\n\nA function bound to an object.".as_ptr(),
    tp_traverse: Some(method_traverse),
    tp_richcompare: Some(method_richcompare),
    tp_weaklistoffset: offset_of!(PyMethodObject, im_weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut METHOD_METHODS).cast(),
    tp_members: (&raw mut METHOD_MEMBERS).cast(),
    tp_getset: (&raw mut METHOD_GETSETS).cast(),
    tp_descr_get: Some(method_descr_get),
    tp_new: Some(constructor!("method(function, instance, /)" => method_new)),
    ..TYPE_INIT
};

// ---- instancemethod ------------------------------------------------------------------------------------------------

type Instance<'a> = Borrowed<'a, PyInstanceMethodObject>;

#[inline(always)]
unsafe fn instance_func(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyInstanceMethodObject>()).func }
}

unsafe extern "C" fn instancemethod_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        Py_DECREF(instance_func(op));
        PyObject_GC_Del(op.cast());
    }
}
unsafe extern "C" fn instancemethod_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit(instance_func(op), visitor, arg) }
}
unsafe extern "C" fn instancemethod_getattro(op: Ob, name: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { attribute_or(op, name, instance_func(op)) }
}
unsafe extern "C" fn instancemethod_call(op: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { PyObject_Call(instance_func(op), args, kwargs) }
}
unsafe extern "C" fn instancemethod_descr_get(op: Ob, obj: Ob, _: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let func = instance_func(op);
        if obj.is_null() {
            Py_INCREF(func);
            return func;
        }
        PyMethod_New(func, obj)
    }
}
unsafe extern "C" fn instancemethod_richcompare(a: Ob, b: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let tp = &raw mut PyInstanceMethod_Type;
        if (op != Py_EQ && op != Py_NE) || (*a).ob_type != tp || (*b).ob_type != tp {
            return Py_NotImplemented();
        }
        let equal = PyObject_RichCompareBool(instance_func(a), instance_func(b), Py_EQ);
        if equal < 0 {
            return null_mut();
        }
        PyBool_FromLong(((equal != 0) == (op == Py_EQ)) as _)
    }
}
unsafe extern "C" fn instancemethod_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let body = || -> PyResult<Owned> {
            let name = optional_attr(instance_func(op), intern!("__name__"))?;
            match name.filter(|n| PyUnicode_Check(n.as_ptr()) != 0) {
                Some(n) => own(PyUnicode_FromFormat(c"<instancemethod %U at %p>".as_ptr(), n.as_ptr(), op)),
                None => own(PyUnicode_FromFormat(c"<instancemethod ? at %p>".as_ptr(), op)),
            }
        };
        body().into_c()
    }
}
fn instancemethod_get_doc(slf: Instance<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let doc = own(PyObject_GetAttr(slf.func, intern!("__doc__")));
        if doc.is_err() && !err_occurred() {
            return type_doc(slf.ob_type());
        }
        doc
    }
}
fn instancemethod_new(_: Borrowed<'_, PyTypeObject>, func: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyCallable_Check(func.ob()) == 0 {
            bail!(PyExc_TypeError, "first argument must be callable");
        }
        own(PyInstanceMethod_New(func.ob()))
    }
}

members! { static INSTANCEMETHOD_MEMBERS = [
    "__func__", T_OBJECT, offset_of!(PyInstanceMethodObject, func), Py_READONLY, "The function.";
]; }
getset! { static INSTANCEMETHOD_GETSETS = [
    "__doc__" => instancemethod_get_doc, "";
]; }

/// `instancemethod`: makes any callable bind like a function.
#[unsafe(no_mangle)]
pub static mut PyInstanceMethod_Type: PyTypeObject = PyTypeObject {
    tp_name: c"instancemethod".as_ptr(),
    tp_basicsize: size_of::<PyInstanceMethodObject>() as Py_ssize_t,
    tp_dealloc: Some(instancemethod_dealloc),
    tp_repr: Some(instancemethod_repr),
    tp_call: Some(instancemethod_call),
    tp_getattro: Some(instancemethod_getattro),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"instancemethod(function, /)\n--\n\nBind a callable to instances of a class.".as_ptr(),
    tp_traverse: Some(instancemethod_traverse),
    tp_richcompare: Some(instancemethod_richcompare),
    tp_members: (&raw mut INSTANCEMETHOD_MEMBERS).cast(),
    tp_getset: (&raw mut INSTANCEMETHOD_GETSETS).cast(),
    tp_descr_get: Some(instancemethod_descr_get),
    tp_new: Some(constructor!("instancemethod(function, /)" => instancemethod_new)),
    ..TYPE_INIT
};

/// Wraps a callable so that it binds to instances.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInstanceMethod_New(func: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let m: *mut PyInstanceMethodObject = match gc_new(&raw mut PyInstanceMethod_Type) {
            Ok(m) => m,
            Err(_) => return null_mut(),
        };
        Py_INCREF(func);
        (*m).func = func;
        gc_track(m).into_raw()
    }
}

/// The callable, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInstanceMethod_Function(op: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if (*op).ob_type != &raw mut PyInstanceMethod_Type {
            PyErr_BadInternalCall();
            return null_mut();
        }
        instance_func(op)
    }
}

