//! `property`.

use super::T_OBJECT;
use crate::object::{_PyObject_IsAbstract, err_format, optional_attr, own};
use crate::typeobject::{PyType_GenericAlloc, PyType_GenericNew, TYPE_INIT, type_get_qualname};
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, initializer, members, methods};

type Ob = *mut PyObject;
type Prop<'a> = Borrowed<'a, PyPropertyObject>;

/// The property's name: what `__set_name__` told it, or its getter's.
unsafe fn property_name(prop: *mut PyPropertyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        if !(*prop).prop_name.is_null() {
            return Ok(Some(Owned::from_borrowed((*prop).prop_name)));
        }
        if (*prop).prop_get.is_null() {
            return Ok(None);
        }
        optional_attr((*prop).prop_get, intern!("__name__"))
    }
}

/// "property 'x' of 'C' object has no getter", with as much of it as is known.
#[cold]
unsafe fn lacks(prop: *mut PyPropertyObject, obj: Ob, what: &core::ffi::CStr) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        let name = match property_name(prop) {
            Ok(name) => name,
            Err(e) => return e,
        };
        let qualname = if obj.is_null() {
            None
        } else {
            match type_get_qualname((*obj).ob_type) {
                Ok(q) => Some(q),
                Err(e) => return e,
            }
        };
        match (name, qualname) {
            (Some(n), Some(q)) => err_format!(
                PyExc_AttributeError,
                c"property %R of %R object has no %s",
                n.as_ptr(),
                q.as_ptr(),
                what.as_ptr()
            ),
            (None, Some(q)) => {
                err_format!(PyExc_AttributeError, c"property of %R object has no %s", q.as_ptr(), what.as_ptr())
            }
            _ => err_format!(PyExc_AttributeError, c"property has no %s", what.as_ptr()),
        }
    }
}

unsafe extern "C" fn property_descr_get(op: Ob, obj: Ob, _: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if obj.is_null() || obj == Py_None() {
            Py_INCREF(op);
            return op;
        }
        let prop: *mut PyPropertyObject = op.cast();
        if (*prop).prop_get.is_null() {
            let _ = lacks(prop, obj, c"getter");
            return null_mut();
        }
        PyObject_CallOneArg((*prop).prop_get, obj)
    }
}

unsafe extern "C" fn property_descr_set(op: Ob, obj: Ob, value: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let prop: *mut PyPropertyObject = op.cast();
        let (func, what) = if value.is_null() { ((*prop).prop_del, c"deleter") } else { ((*prop).prop_set, c"setter") };
        if func.is_null() {
            let _ = lacks(prop, obj, what);
            return -1;
        }
        let args = [obj, value];
        let n = if value.is_null() { 1 } else { 2 };
        match own(PyObject_Vectorcall(func, args.as_ptr(), n, null_mut())) {
            Ok(_) => 0,
            Err(_) => -1,
        }
    }
}

unsafe extern "C" fn property_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        let prop: *mut PyPropertyObject = op.cast();
        Py_XDECREF((*prop).prop_get);
        Py_XDECREF((*prop).prop_set);
        Py_XDECREF((*prop).prop_del);
        Py_XDECREF((*prop).prop_doc);
        Py_XDECREF((*prop).prop_name);
        match (*(*op).ob_type).tp_free {
            Some(free) => free(op.cast()),
            None => PyObject_GC_Del(op.cast()),
        }
    }
}

unsafe extern "C" fn property_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let p: *mut PyPropertyObject = op.cast();
        py_visit!(visitor, arg; (*p).prop_get, (*p).prop_set, (*p).prop_del, (*p).prop_doc, (*p).prop_name);
        0
    }
}

unsafe extern "C" fn property_clear(op: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe { Py_CLEAR(&raw mut (*op.cast::<PyPropertyObject>()).prop_doc) };
    0
}

/// The same property with one function replaced; NULL keeps.
unsafe fn property_copy(old: Prop<'_>, get: Ob, set: Ob, del: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let none = Py_None();
        let choose = |new: Ob, old: Ob| match () {
            () if !new.is_null() && new != none => new,
            () if !old.is_null() => old,
            () => none,
        };
        let get = choose(get, old.prop_get);
        let set = choose(set, old.prop_set);
        let del = choose(del, old.prop_del);
        // A docstring that came from the getter comes from the new getter again.
        let doc = if (old.getter_doc != 0 && get != none) || old.prop_doc.is_null() { none } else { old.prop_doc };
        let tp = Owned::from_borrowed(old.ob_type());
        let args = [get, set, del, doc];
        let new = own(PyObject_Vectorcall(tp.as_ptr().cast(), args.as_ptr(), 4, null_mut()))?;
        if is_instance_of(new.as_ptr(), &raw mut PyProperty_Type) {
            Py_XINCREF(old.prop_name);
            setref(&raw mut (*new.as_ptr().cast::<PyPropertyObject>()).prop_name, old.prop_name);
        }
        Ok(new)
    }
}

fn property_getter(slf: Prop<'_>, getter: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { property_copy(slf, getter.ob(), null_mut(), null_mut()) }
}
fn property_setter(slf: Prop<'_>, setter: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { property_copy(slf, null_mut(), setter.ob(), null_mut()) }
}
fn property_deleter(slf: Prop<'_>, deleter: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { property_copy(slf, null_mut(), null_mut(), deleter.ob()) }
}
unsafe extern "C" fn property_set_name(op: Ob, args: Ob) -> Ob {
    // SAFETY: [TYPE] args is a tuple.
    unsafe {
        let items = crate::typeobject::tuple_items(args);
        let &[_, name] = items else {
            let _ = raise!(PyExc_TypeError, "__set_name__() takes 2 positional arguments but {} were given", items.len());
            return null_mut();
        };
        Py_INCREF(name);
        setref(&raw mut (*op.cast::<PyPropertyObject>()).prop_name, name);
        Py_None()
    }
}

methods! { static PROPERTY_METHODS = [
    "getter($self, object, /)" => property_getter, "The same property with another getter.";
    "setter($self, object, /)" => property_setter, "The same property with another setter.";
    "deleter($self, object, /)" => property_deleter, "The same property with another deleter.";
    raw "__set_name__", PyMethodDefPointer { PyCFunction: property_set_name }, METH_VARARGS,
        "__set_name__($self, owner, name, /)\n--\n\nLearn the property's name.";
]; }

members! { static PROPERTY_MEMBERS = [
    "fget", T_OBJECT, offset_of!(PyPropertyObject, prop_get), Py_READONLY, "";
    "fset", T_OBJECT, offset_of!(PyPropertyObject, prop_set), Py_READONLY, "";
    "fdel", T_OBJECT, offset_of!(PyPropertyObject, prop_del), Py_READONLY, "";
    "__doc__", T_OBJECT, offset_of!(PyPropertyObject, prop_doc), 0, "";
]; }

fn get_name(slf: Prop<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    match unsafe { property_name(slf.as_ptr())? } {
        Some(name) => Ok(name),
        None => bail!(PyExc_AttributeError, "'property' object has no attribute '__name__'"),
    }
}
fn set_name(slf: Prop<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.as_ptr()).prop_name, value.map_or(null_mut(), |v| v.to_owned().into_raw())) };
    Ok(())
}
fn get_isabstractmethod(slf: Prop<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe { Ok(_PyObject_IsAbstract(slf.prop_get)? || _PyObject_IsAbstract(slf.prop_set)? || _PyObject_IsAbstract(slf.prop_del)?) }
}

getset! { static PROPERTY_GETSETS = [
    "__name__" => get_name, set_name, "";
    "__isabstractmethod__" => get_isabstractmethod, "";
]; }

fn property_init(
    slf: Prop<'_>,
    fget: Option<Borrowed<'_>>,
    fset: Option<Borrowed<'_>>,
    fdel: Option<Borrowed<'_>>,
    doc: Option<Borrowed<'_>>,
) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.as_ptr();
        let take = |v: Option<Borrowed<'_>>| v.map_or(null_mut(), |v| v.to_owned().into_raw());
        setref(&raw mut (*p).prop_get, take(fget));
        setref(&raw mut (*p).prop_set, take(fset));
        setref(&raw mut (*p).prop_del, take(fdel));
        setref(&raw mut (*p).prop_doc, null_mut());
        setref(&raw mut (*p).prop_name, null_mut());
        (*p).getter_doc = 0;
        let mut text = doc.map(|d| d.to_owned());
        if text.is_none()
            && let Some(fget) = fget
        {
            text = optional_attr(fget.ob(), intern!("__doc__"))?.filter(|d| d.as_ptr() != Py_None());
            (*p).getter_doc = text.is_some() as c_int;
        }
        if slf.ob_type() == &raw mut PyProperty_Type {
            setref(&raw mut (*p).prop_doc, text.map_or(null_mut(), |t| t.into_raw()));
            return Ok(());
        }
        // In a subclass the class's own __doc__ would hide it: it becomes an attribute of the instance.
        let text = text.unwrap_or_else(|| Owned::from_borrowed(Py_None()));
        if PyObject_SetAttr(p.cast(), intern!("__doc__"), text.as_ptr()) < 0 {
            let e = crate::object::raised();
            if (*p).getter_doc == 0 && e.matches(PyExc_AttributeError) {
                e.clear();
                return Ok(());
            }
            return Err(e);
        }
        Ok(())
    }
}

/// `property`.
#[unsafe(no_mangle)]
pub static mut PyProperty_Type: PyTypeObject = PyTypeObject {
    tp_name: c"property".as_ptr(),
    tp_basicsize: size_of::<PyPropertyObject>() as Py_ssize_t,
    tp_dealloc: Some(property_dealloc),
    tp_getattro: Some(crate::object::PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    tp_doc: c"property(fget=None, fset=None, fdel=None, doc=None)\n--\n\nAn attribute computed by functions: fget reads it, fset sets it, fdel deletes it, doc describes it.\n\nMostly used as a decorator of the getter; x.setter and x.deleter of the property then add the other functions.".as_ptr(),
    tp_traverse: Some(property_traverse),
    tp_clear: Some(property_clear),
    tp_methods: (&raw mut PROPERTY_METHODS).cast(),
    tp_members: (&raw mut PROPERTY_MEMBERS).cast(),
    tp_getset: (&raw mut PROPERTY_GETSETS).cast(),
    tp_descr_get: Some(property_descr_get),
    tp_descr_set: Some(property_descr_set),
    tp_init: Some(initializer!("property(fget=None, fset=None, fdel=None, doc=None)" => property_init)),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(PyType_GenericNew),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};
