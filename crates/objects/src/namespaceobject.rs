//! `types.SimpleNamespace`.

use crate::object::{ReprGuard, own, raised};
use crate::typeobject::{_PyType_Name, PyType_GenericAlloc, TYPE_INIT, tuple_items};
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{members, methods};

type Ob = *mut PyObject;

#[inline(always)]
unsafe fn ns_dict(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<_PyNamespaceObject>()).ns_dict }
}

unsafe extern "C" fn namespace_new(tp: *mut PyTypeObject, _: Ob, _: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            let dict = own(PyDict_New())?;
            let alloc = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc);
            let op = own(alloc(tp, 0))?;
            (*op.as_ptr().cast::<_PyNamespaceObject>()).ns_dict = dict.into_raw();
            Ok(op)
        };
        body().into_c()
    }
}

/// Adds the entries of a mapping whose keys must be str.
unsafe fn update_with(op: Ob, dict: Ob) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
        while PyDict_Next(dict, &mut pos, &mut key, &mut value) != 0 {
            if PyUnicode_Check(key) == 0 {
                bail!(PyExc_TypeError, "keywords must be strings");
            }
        }
        check_status(PyDict_Update(ns_dict(op), dict))
    }
}

unsafe extern "C" fn namespace_init(op: Ob, args: Ob, kwargs: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<()> {
            let items = tuple_items(args);
            if items.len() > 1 {
                let name = crate::object::c_text(_PyType_Name((*op).ob_type));
                bail!(PyExc_TypeError, "{} expected at most 1 argument, got {}", name, items.len());
            }
            if let Some(&arg) = items.first() {
                let dict = if PyDict_CheckExact(arg) != 0 {
                    Owned::from_borrowed(arg)
                } else {
                    own(PyObject_CallOneArg(crate::object::ob!(PyDict_Type), arg))?
                };
                update_with(op, dict.as_ptr())?;
            }
            if kwargs.is_null() { Ok(()) } else { update_with(op, kwargs) }
        };
        body().into_c()
    }
}

unsafe extern "C" fn namespace_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        Py_CLEAR(&raw mut (*op.cast::<_PyNamespaceObject>()).ns_dict);
        match (*(*op).ob_type).tp_free {
            Some(free) => free(op.cast()),
            None => PyObject_GC_Del(op.cast()),
        }
    }
}
unsafe extern "C" fn namespace_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit(ns_dict(op), visitor, arg) }
}
unsafe extern "C" fn namespace_clear(op: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe { Py_CLEAR(&raw mut (*op.cast::<_PyNamespaceObject>()).ns_dict) };
    0
}

unsafe extern "C" fn namespace_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE] the keys are copied: reprs may change the namespace.
    unsafe {
        let body = || -> PyResult<Owned> {
            let tp = (*op).ob_type;
            let name = if tp == &raw mut _PyNamespace_Type { c"namespace".as_ptr() } else { (*tp).tp_name };
            let Some(_guard) = ReprGuard::enter(op)? else {
                return own(PyUnicode_FromFormat(c"%s(...)".as_ptr(), name));
            };
            let dict = Owned::from_borrowed(ns_dict(op));
            let keys = own(PyDict_Keys(dict.as_ptr()))?;
            let pairs = own(PyList_New(0))?;
            for i in 0..PyList_Size(keys.as_ptr()) {
                let key = PyList_GetItem(keys.as_ptr(), i);
                if PyUnicode_Check(key) == 0 || PyUnicode_GET_LENGTH(key) == 0 {
                    continue;
                }
                let Some(value) = crate::object::dict_get(dict.as_ptr(), key)? else { continue };
                let pair = own(PyUnicode_FromFormat(c"%U=%R".as_ptr(), key, value.as_ptr()))?;
                check_status(PyList_Append(pairs.as_ptr(), pair.as_ptr()))?;
            }
            let separator = own(PyUnicode_FromString(c", ".as_ptr()))?;
            let joined = own(PyUnicode_Join(separator.as_ptr(), pairs.as_ptr()))?;
            own(PyUnicode_FromFormat(c"%s(%S)".as_ptr(), name, joined.as_ptr()))
        };
        body().into_c()
    }
}

unsafe extern "C" fn namespace_richcompare(a: Ob, b: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let tp = &raw mut _PyNamespace_Type;
        if !is_instance_of(a, tp) || !is_instance_of(b, tp) {
            return Py_NotImplemented();
        }
        PyObject_RichCompare(ns_dict(a), ns_dict(b), op)
    }
}

fn namespace_reduce(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let empty = own(PyTuple_New(0))?;
        let items = [slf.ob_type().cast(), empty.as_ptr(), ns_dict(slf.ob())];
        own(_PyTuple_FromArray(items.as_ptr(), 3))
    }
}

unsafe extern "C" fn namespace_replace(op: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            if _PyArg_NoPositional(c"__replace__".as_ptr(), args) == 0 {
                return Err(raised());
            }
            let new = own(PyObject_CallNoArgs((*op).ob_type.cast()))?;
            if !is_instance_of(new.as_ptr(), &raw mut _PyNamespace_Type) {
                bail!(PyExc_TypeError, "expect {} type, but {}() returned '{}' object", "types.SimpleNamespace", type_name(op), type_name(new.as_ptr()));
            }
            check_status(PyDict_Update(ns_dict(new.as_ptr()), ns_dict(op)))?;
            if !kwargs.is_null() {
                check_status(PyDict_Update(ns_dict(new.as_ptr()), kwargs))?;
            }
            Ok(new)
        };
        body().into_c()
    }
}

methods! { static NAMESPACE_METHODS = [
    "__reduce__($self, /)" => namespace_reduce, "State for pickling.";
    raw "__replace__", PyMethodDefPointer { PyCFunctionWithKeywords: namespace_replace }, METH_VARARGS | METH_KEYWORDS,
        "__replace__($self, /, **changes)\n--\n\nA copy with other values for some attributes.";
]; }
members! { static NAMESPACE_MEMBERS = [
    "__dict__", crate::descrobject::T_OBJECT, offset_of!(_PyNamespaceObject, ns_dict), Py_READONLY, "";
]; }

/// `types.SimpleNamespace`.
#[unsafe(no_mangle)]
pub static mut _PyNamespace_Type: PyTypeObject = PyTypeObject {
    tp_name: c"types.SimpleNamespace".as_ptr(),
    tp_basicsize: size_of::<_PyNamespaceObject>() as Py_ssize_t,
    tp_dealloc: Some(namespace_dealloc),
    tp_repr: Some(namespace_repr),
    tp_getattro: Some(crate::object::PyObject_GenericGetAttr),
    tp_setattro: Some(crate::object::PyObject_GenericSetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    tp_doc: c"SimpleNamespace(mapping_or_iterable=(), /, **kwargs)\n--\n\nAn object with the given attributes.".as_ptr(),
    tp_traverse: Some(namespace_traverse),
    tp_clear: Some(namespace_clear),
    tp_richcompare: Some(namespace_richcompare),
    tp_methods: (&raw mut NAMESPACE_METHODS).cast(),
    tp_members: (&raw mut NAMESPACE_MEMBERS).cast(),
    tp_dictoffset: offset_of!(_PyNamespaceObject, ns_dict) as Py_ssize_t,
    tp_init: Some(namespace_init),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(namespace_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

/// A namespace with the entries of a dict, which may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyNamespace_New(dict: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            let op = own(namespace_new(&raw mut _PyNamespace_Type, null_mut(), null_mut()))?;
            if !dict.is_null() {
                check_status(PyDict_Update(ns_dict(op.as_ptr()), dict))?;
            }
            Ok(op)
        };
        body().into_c()
    }
}
