//! `object`: creation, comparison, text, pickling, `dir`.

use super::{TYPE_INIT, assign, fn_addr, merge_class_dict, type_abstractmethods, type_get_module, type_get_qualname};
use crate::object::{dict_get, dict_set, err_format, optional_attr, own, raised};
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Str, getset, methods};

unsafe fn excess_args(args: *mut PyObject, kwargs: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { PyTuple_GET_SIZE(args) != 0 || (!kwargs.is_null() && PyDict_Check(kwargs) != 0 && PyDict_Size(kwargs) != 0) }
}

/// `object.__init__`: arguments are an error unless only `__new__` is overridden.
pub unsafe extern "C" fn object_init(op: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if excess_args(args, kwargs) {
            let tp = (*op).ob_type;
            if fn_addr((*tp).tp_init) != object_init as *const () as usize {
                let _ = raise!(PyExc_TypeError, "object.__init__() takes exactly one argument (the instance to initialize)");
                return -1;
            }
            if fn_addr((*tp).tp_new) == object_new as *const () as usize {
                let _ = raise!(PyExc_TypeError, "{}.__init__() takes exactly one argument (the instance to initialize)", tp_name(tp));
                return -1;
            }
        }
        0
    }
}

#[cold]
unsafe fn abstract_error(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let methods = type_abstractmethods(tp)?;
        let sorted = own(PySequence_List(methods.as_ptr()))?;
        check_status(PyList_Sort(sorted.as_ptr()))?;
        let separator = own(PyUnicode_FromString(c"', '".as_ptr()))?;
        let joined = own(PyUnicode_Join(separator.as_ptr(), sorted.as_ptr()))?;
        let plural = if PyList_Size(sorted.as_ptr()) > 1 { c"s" } else { c"" };
        Err(err_format!(
            PyExc_TypeError,
            c"Can't instantiate abstract class %s without an implementation for abstract method%s '%U'",
            (*tp).tp_name,
            plural.as_ptr(),
            joined.as_ptr()
        ))
    }
}

/// `object.__new__`: arguments are an error unless only `__init__` is overridden.
pub unsafe extern "C" fn object_new(tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if excess_args(args, kwargs) {
            if fn_addr((*tp).tp_new) != object_new as *const () as usize {
                let _ = raise!(PyExc_TypeError, "object.__new__() takes exactly one argument (the type to instantiate)");
                return null_mut();
            }
            if fn_addr((*tp).tp_init) == object_init as *const () as usize {
                let _ = raise!(PyExc_TypeError, "{}() takes no arguments", tp_name(tp));
                return null_mut();
            }
        }
        if (*tp).tp_flags & Py_TPFLAGS_IS_ABSTRACT != 0 && abstract_error(tp).is_err() {
            return null_mut();
        }
        super::PyType_GenericNew(tp, null_mut(), null_mut())
    }
}

unsafe extern "C" fn object_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN] a ready type has tp_free.
    unsafe {
        match (*(*op).ob_type).tp_free {
            Some(free) => free(op.cast()),
            None => PyObject_Free(op.cast()),
        }
    }
}

/// `<module.Class object at 0x..>`.
pub unsafe extern "C" fn object_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        let body = || -> PyResult<Owned> {
            let module = match type_get_module(tp) {
                Ok(m) if PyUnicode_Check(m.as_ptr()) != 0 => Some(m),
                Ok(_) => None,
                Err(e) => {
                    e.clear();
                    None
                }
            };
            let name = type_get_qualname(tp)?;
            match module {
                Some(m) if _PyUnicode_Equal(m.as_ptr(), intern!("builtins")) == 0 => {
                    own(PyUnicode_FromFormat(c"<%U.%U object at %p>".as_ptr(), m.as_ptr(), name.as_ptr(), op))
                }
                _ => own(PyUnicode_FromFormat(c"<%s object at %p>".as_ptr(), (*tp).tp_name, op)),
            }
        };
        body().into_c()
    }
}

unsafe extern "C" fn object_str(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match (*(*op).ob_type).tp_repr {
            Some(repr) => repr(op),
            None => object_repr(op),
        }
    }
}

/// Identity for `==`; `!=` inverts what the type's `==` says.
#[inline(never)]
pub unsafe extern "C" fn object_richcompare(op: *mut PyObject, other: *mut PyObject, opid: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match opid {
            Py_EQ if op == other => Py_True(),
            Py_NE => {
                let Some(compare) = (*(*op).ob_type).tp_richcompare else { return Py_NotImplemented() };
                let res = compare(op, other, Py_EQ);
                if res.is_null() || res == Py_NotImplemented() {
                    return res;
                }
                let truth = PyObject_IsTrue(res);
                Py_DECREF(res);
                if truth < 0 { null_mut() } else { PyBool_FromLong((truth == 0) as _) }
            }
            _ => Py_NotImplemented(),
        }
    }
}

fn object_get_class(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    Ok(unsafe { Owned::from_borrowed(slf.ob_type().cast()) })
}

getset! { static OBJECT_GETSETS = [
    "__class__" => object_get_class, assign::object_set_class, "The object's class.";
]; }

// ---- pickling ------------------------------------------------------------------------------------------------------

unsafe fn import_copyreg() -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let name = intern!("copyreg");
        let module = PyImport_GetModule(name);
        if !module.is_null() {
            return Ok(Owned::from_owned(module));
        }
        if err_occurred() {
            return Err(raised());
        }
        own(PyImport_Import(name))
    }
}

unsafe fn slot_names(cls: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] copyreg._slotnames caches its answer in the class.
    unsafe {
        let is_list_or_none = |op: *mut PyObject| op == Py_None() || PyList_Check(op) != 0;
        if let Some(names) = dict_get((*cls).tp_dict, intern!("__slotnames__"))? {
            if !is_list_or_none(names.as_ptr()) {
                bail!(
                    PyExc_TypeError,
                    "{}.__slotnames__ should be a list or None, not {}",
                    tp_name(cls),
                    type_name(names.as_ptr())
                );
            }
            return Ok(names);
        }
        let copyreg = import_copyreg()?;
        let names = own(PyObject_CallMethodOneArg(copyreg.as_ptr(), intern!("_slotnames"), cls.cast()))?;
        if !is_list_or_none(names.as_ptr()) {
            bail!(PyExc_TypeError, "copyreg._slotnames didn't return a list or None");
        }
        Ok(names)
    }
}

/// The default state: the dict, with the values of slots if there are any. `required`: nothing else must be in the object.
unsafe fn object_getstate_default(op: *mut PyObject, required: bool) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        const WORD: Py_ssize_t = size_of::<*mut PyObject>() as Py_ssize_t;
        let tp = (*op).ob_type;
        if required && (*tp).tp_itemsize != 0 {
            bail!(PyExc_TypeError, "cannot pickle {} objects", tp_name(tp));
        }
        let state = if _PyObject_IsInstanceDictEmpty(op) != 0 {
            Owned::from_borrowed(Py_None())
        } else {
            own(PyObject_GenericGetDict(op, null_mut()))?
        };
        let names = slot_names(tp)?;
        let names = (names.as_ptr() != Py_None()).then_some(names);
        if required {
            let mut size = size_of::<PyObject>() as Py_ssize_t;
            if (*tp).tp_dictoffset != 0 && (*tp).tp_flags & Py_TPFLAGS_MANAGED_DICT == 0 {
                size += WORD;
            }
            if (*tp).tp_weaklistoffset > 0 {
                size += WORD;
            }
            if let Some(names) = &names {
                size += WORD * PyList_Size(names.as_ptr());
            }
            if (*tp).tp_basicsize > size {
                bail!(PyExc_TypeError, "cannot pickle '{}' object", tp_name(tp));
            }
        }
        let Some(names) = names else { return Ok(state) };
        let n = PyList_Size(names.as_ptr());
        if n == 0 {
            return Ok(state);
        }
        let slots = own(PyDict_New())?;
        for i in 0..n {
            let name = Owned::from_borrowed(PyList_GetItem(names.as_ptr(), i));
            if let Some(value) = optional_attr(op, name.as_ptr())? {
                dict_set(slots.as_ptr(), name.as_ptr(), value.as_ptr())?;
            }
            if PyList_Size(names.as_ptr()) != n {
                bail!(PyExc_RuntimeError, "__slotsname__ changed size during iteration");
            }
        }
        if PyDict_Size(slots.as_ptr()) == 0 {
            return Ok(state);
        }
        pack(&[state.as_ptr(), slots.as_ptr()])
    }
}

unsafe fn pack(items: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(_PyTuple_FromArray(items.as_ptr(), items.len() as Py_ssize_t)) }
}

fn object_getstate_method(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { object_getstate_default(slf.as_ptr(), false) }
}

unsafe fn object_getstate(op: *mut PyObject, required: bool) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let getstate = own(PyObject_GetAttr(op, intern!("__getstate__")))?;
        if PyCFunction_Check(getstate.as_ptr()) != 0 {
            let f: *mut PyCFunctionObject = getstate.as_ptr().cast();
            let default: *const PyMethodDef = (&raw const OBJECT_METHODS).cast::<PyMethodDef>().add(GETSTATE_INDEX);
            if (*f).m_self == op && (*(*f).m_ml).ml_meth == (*default).ml_meth {
                return object_getstate_default(op, required);
            }
        }
        own(PyObject_CallNoArgs(getstate.as_ptr()))
    }
}

/// `op.__getstate__()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_GetState(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { object_getstate(op, false).into_c() }
}

/// Calls a special method without arguments; `None` when there is none.
unsafe fn call_special(op: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let method = _PyObject_LookupSpecial(op, name);
        if method.is_null() {
            return if err_occurred() { Err(raised()) } else { Ok(None) };
        }
        let method = Owned::from_owned(method);
        own(PyObject_CallNoArgs(method.as_ptr())).map(Some)
    }
}

/// Arguments for `__new__` from `__getnewargs_ex__` or `__getnewargs__`.
unsafe fn new_arguments(op: *mut PyObject) -> PyResult<(Option<Owned>, Option<Owned>)> {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(pair) = call_special(op, intern!("__getnewargs_ex__"))? {
            let p = pair.as_ptr();
            if PyTuple_Check(p) == 0 {
                bail!(PyExc_TypeError, "__getnewargs_ex__ should return a tuple, not '{}'", type_name(p));
            }
            if PyTuple_GET_SIZE(p) != 2 {
                bail!(PyExc_ValueError, "__getnewargs_ex__ should return a tuple of length 2, not {}", PyTuple_GET_SIZE(p));
            }
            let args = Owned::from_borrowed(PyTuple_GET_ITEM(p, 0));
            let kwargs = Owned::from_borrowed(PyTuple_GET_ITEM(p, 1));
            if PyTuple_Check(args.as_ptr()) == 0 {
                bail!(
                    PyExc_TypeError,
                    "first item of the tuple returned by __getnewargs_ex__ must be a tuple, not '{}'",
                    type_name(args.as_ptr())
                );
            }
            if PyDict_Check(kwargs.as_ptr()) == 0 {
                bail!(
                    PyExc_TypeError,
                    "second item of the tuple returned by __getnewargs_ex__ must be a dict, not '{}'",
                    type_name(kwargs.as_ptr())
                );
            }
            return Ok((Some(args), Some(kwargs)));
        }
        if let Some(args) = call_special(op, intern!("__getnewargs__"))? {
            if PyTuple_Check(args.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "__getnewargs__ should return a tuple, not '{}'", type_name(args.as_ptr()));
            }
            return Ok((Some(args), None));
        }
        Ok((None, None))
    }
}

/// Iterators over a list's items and a dict's pairs, None for other objects.
unsafe fn items_iterators(op: *mut PyObject) -> PyResult<(Owned, Owned)> {
    // SAFETY: [ARGS]
    unsafe {
        let none = || Owned::from_borrowed(Py_None());
        let list = if PyList_Check(op) != 0 { own(PyObject_GetIter(op))? } else { none() };
        let dict = if PyDict_Check(op) != 0 {
            let items = own(PyObject_CallMethodNoArgs(op, intern!("items")))?;
            own(PyObject_GetIter(items.as_ptr()))?
        } else {
            none()
        };
        Ok((list, dict))
    }
}

/// `__reduce_ex__` of protocols 2 and up.
unsafe fn reduce_newobj(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        if (*tp).tp_new.is_none() {
            bail!(PyExc_TypeError, "cannot pickle '{}' object", tp_name(tp));
        }
        let (args, kwargs) = new_arguments(op)?;
        let copyreg = import_copyreg()?;
        let has_args = args.is_some();
        let (newobj, newargs) = match (args, kwargs) {
            (Some(args), Some(kwargs)) if PyDict_Size(kwargs.as_ptr()) != 0 => {
                let newobj = own(PyObject_GetAttr(copyreg.as_ptr(), intern!("__newobj_ex__")))?;
                (newobj, pack(&[tp.cast(), args.as_ptr(), kwargs.as_ptr()])?)
            }
            (args, _) => {
                let newobj = own(PyObject_GetAttr(copyreg.as_ptr(), intern!("__newobj__")))?;
                let mut all: Vec<*mut PyObject> = vec![tp.cast()];
                if let Some(args) = &args {
                    all.extend_from_slice(super::tuple_items(args.as_ptr()));
                }
                (newobj, pack(&all)?)
            }
        };
        let required = !(has_args || PyList_Check(op) != 0 || PyDict_Check(op) != 0);
        let state = object_getstate(op, required)?;
        let (list, dict) = items_iterators(op)?;
        pack(&[newobj.as_ptr(), newargs.as_ptr(), state.as_ptr(), list.as_ptr(), dict.as_ptr()])
    }
}

unsafe fn common_reduce(op: *mut PyObject, protocol: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if protocol >= 2 {
            return reduce_newobj(op);
        }
        let copyreg = import_copyreg()?;
        let function = own(PyObject_GetAttr(copyreg.as_ptr(), intern!("_reduce_ex")))?;
        let protocol = own(PyLong_FromLong(protocol as _))?;
        let args = [op, protocol.as_ptr()];
        own(PyObject_Vectorcall(function.as_ptr(), args.as_ptr(), 2, null_mut()))
    }
}

fn object_reduce(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { common_reduce(slf.as_ptr(), 0) }
}

fn object_reduce_ex(slf: Borrowed<'_>, protocol: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS] object's own __reduce__ stays in its dict for ever.
    unsafe {
        let op = slf.as_ptr();
        let name = intern!("__reduce__");
        if let Some(reduce) = optional_attr(op, name)? {
            let class_reduce = own(PyObject_GetAttr(slf.ob_type().cast(), name))?;
            let default = PyDict_GetItemWithError(PyBaseObject_Type.tp_dict, name);
            if class_reduce.as_ptr() != default {
                return own(PyObject_CallNoArgs(reduce.as_ptr()));
            }
        }
        common_reduce(op, protocol)
    }
}

// ---- other methods -------------------------------------------------------------------------------------------------

fn object_subclasshook(_: Borrowed<'_>, _: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: immortal.
    Ok(unsafe { Owned::from_borrowed(Py_NotImplemented()) })
}

fn object_init_subclass(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}

fn object_format(slf: Borrowed<'_>, spec: Str<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_GET_LENGTH(spec.ob()) > 0 {
            bail!(PyExc_TypeError, "unsupported format string passed to {}.__format__", type_name(slf.as_ptr()));
        }
        own(PyObject_Str(slf.as_ptr()))
    }
}

fn object_sizeof(slf: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [TYPE] var-sized types have ob_size.
    unsafe {
        let tp = slf.ob_type();
        let mut size = (*tp).tp_basicsize;
        if (*tp).tp_itemsize > 0 {
            size += (*slf.as_ptr().cast::<PyVarObject>()).ob_size * (*tp).tp_itemsize;
        }
        Ok(size)
    }
}

fn object_dir(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let dict = match optional_attr(slf.as_ptr(), intern!("__dict__"))? {
            Some(d) if PyDict_Check(d.as_ptr()) != 0 => own(PyDict_Copy(d.as_ptr()))?,
            _ => own(PyDict_New())?,
        };
        if let Some(cls) = optional_attr(slf.as_ptr(), intern!("__class__"))? {
            merge_class_dict(dict.as_ptr(), cls.as_ptr())?;
        }
        own(PyDict_Keys(dict.as_ptr()))
    }
}

/// Position of `__getstate__` in the table below.
const GETSTATE_INDEX: usize = 2;

methods! { static OBJECT_METHODS = [
    "__reduce_ex__($self, protocol, /)" => object_reduce_ex, "How to pickle the object.";
    "__reduce__($self, /)" => object_reduce, "How to pickle the object, old protocols.";
    "__getstate__($self, /)" => object_getstate_method, "The state that pickle saves.";
    class "__subclasshook__($type, object, /)" => object_subclasshook, "Abstract base classes override this to customise issubclass().";
    class "__init_subclass__($type, /)" => object_init_subclass, "Called when a class is derived; does nothing by default.";
    "__format__($self, format_spec, /)" => object_format, "str(self) for an empty format, otherwise TypeError.";
    "__sizeof__($self, /)" => object_sizeof, "Size of the object in bytes.";
    "__dir__($self, /)" => object_dir, "Names of the object's attributes and of its class's.";
]; }

/// `object`.
#[unsafe(no_mangle)]
pub static mut PyBaseObject_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"object".as_ptr(),
    tp_basicsize: size_of::<PyObject>() as Py_ssize_t,
    tp_dealloc: Some(object_dealloc),
    tp_repr: Some(object_repr),
    tp_hash: Some(PyObject_GenericHash),
    tp_str: Some(object_str),
    tp_getattro: Some(crate::object::PyObject_GenericGetAttr),
    tp_setattro: Some(crate::object::PyObject_GenericSetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tp_doc: c"object()\n--\n\nThe base of all classes; instances have no attributes of their own.".as_ptr(),
    tp_richcompare: Some(object_richcompare),
    tp_methods: (&raw mut OBJECT_METHODS).cast(),
    tp_getset: (&raw mut OBJECT_GETSETS).cast(),
    tp_init: Some(object_init),
    tp_alloc: Some(super::PyType_GenericAlloc),
    tp_new: Some(object_new),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};
