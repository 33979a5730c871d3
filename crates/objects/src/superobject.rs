//! `super`: attributes of the classes after a given one in an object's method resolution order.

use crate::object::{dict_get, err_format, optional_attr, own, raised};
use crate::typeobject::{PyType_GenericAlloc, PyType_GenericNew, TYPE_INIT, is_subtype, tuple_items};
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::members;

type Ob = *mut PyObject;

/// Kinds of a code object's local variables.
const CO_FAST_FREE: u8 = 0x80;

unsafe extern "C" fn super_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        let su: *mut PySuperObject = op.cast();
        Py_XDECREF((*su).obj);
        Py_XDECREF((*su).type_.cast());
        Py_XDECREF((*su).obj_type.cast());
        match (*(*op).ob_type).tp_free {
            Some(free) => free(op.cast()),
            None => PyObject_GC_Del(op.cast()),
        }
    }
}

unsafe extern "C" fn super_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let su: *mut PySuperObject = op.cast();
        py_visit!(visitor, arg; (*su).obj);
        py_visit!(visitor, arg; (*su).type_, (*su).obj_type);
        0
    }
}

unsafe extern "C" fn super_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let su: *mut PySuperObject = op.cast();
        let name = if (*su).type_.is_null() { c"NULL".as_ptr() } else { (*(*su).type_).tp_name };
        if (*su).obj_type.is_null() {
            return PyUnicode_FromFormat(c"<super: <class '%s'>, NULL>".as_ptr(), name);
        }
        PyUnicode_FromFormat(c"<super: <class '%s'>, <%s object>>".as_ptr(), name, (*(*su).obj_type).tp_name)
    }
}

/// Finds `name` in the dicts of the classes after `tp` in the MRO of `obj_type`; not bound.
unsafe fn lookup_descr(tp: *mut PyTypeObject, obj_type: *mut PyTypeObject, name: Ob) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS] the MRO may be replaced while keys are compared.
    unsafe {
        let Some(mro) = Owned::from_borrowed_or_opt((*obj_type).tp_mro) else { return Ok(None) };
        let rest = tuple_items(mro.as_ptr()).iter().skip_while(|&&c| c != tp.cast()).skip(1);
        for &cls in rest {
            if let Some(found) = dict_get((*cls.cast::<PyTypeObject>()).tp_dict, name)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// The lookup of a bound super object. With `method` a plain function stays unbound and the flag is set. `None`: only
/// the attributes of `super` itself are left.
unsafe fn super_lookup(
    tp: *mut PyTypeObject,
    obj: Ob,
    obj_type: *mut PyTypeObject,
    name: Ob,
    method: Option<&mut c_int>,
) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(found) = lookup_descr(tp, obj_type, name)? else { return Ok(None) };
        let ftype = (*found.as_ptr()).ob_type;
        if let Some(flag) = method
            && (*ftype).tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR != 0
        {
            *flag = 1;
            return Ok(Some(found));
        }
        match (*ftype).tp_descr_get {
            Some(get) => {
                // Bound to a class, not to an instance: there is no instance to pass.
                let instance = if obj == obj_type.cast() { null_mut() } else { obj };
                own(get(found.as_ptr(), instance, obj_type.cast())).map(Some)
            }
            None => Ok(Some(found)),
        }
    }
}

unsafe extern "C" fn super_getattro(op: Ob, name: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let su: *mut PySuperObject = op.cast();
        // `__class__` is super's own.
        let own_class = PyUnicode_Check(name) != 0 && _PyUnicode_Equal(name, intern!("__class__")) != 0;
        if !own_class && !(*su).obj_type.is_null() {
            let (tp, obj, obj_type) = ((*su).type_, (*su).obj, (*su).obj_type);
            match super_lookup(tp, obj, obj_type, name, None) {
                Ok(Some(found)) => return found.into_raw(),
                Ok(None) => {}
                Err(_) => return null_mut(),
            }
        }
        crate::object::PyObject_GenericGetAttr(op, name)
    }
}

/// The class whose MRO is searched: `obj` itself if it is a subclass of `tp`, otherwise its class, or what it claims to
/// be its class.
unsafe fn supercheck(tp: *mut PyTypeObject, obj: Ob) -> PyResult<Owned<PyTypeObject>> {
    // SAFETY: [ARGS]
    unsafe {
        if PyType_Check(obj) != 0 && is_subtype(obj.cast(), tp) {
            return Ok(Owned::from_borrowed(obj.cast()));
        }
        let obj_type = (*obj).ob_type;
        if is_subtype(obj_type, tp) {
            return Ok(Owned::from_borrowed(obj_type));
        }
        if let Some(cls) = optional_attr(obj, intern!("__class__"))?
            && PyType_Check(cls.as_ptr()) != 0
            && cls.as_ptr() != obj_type.cast()
            && is_subtype(cls.as_ptr().cast(), tp)
        {
            return Ok(cls.cast());
        }
        let (what, name) = if PyType_Check(obj) != 0 {
            (c"type", (*obj.cast::<PyTypeObject>()).tp_name)
        } else {
            (c"instance of", (*obj_type).tp_name)
        };
        Err(err_format!(
            PyExc_TypeError,
            c"super(type, obj): obj (%s %.200s) is not an instance or subtype of type (%.200s).",
            what.as_ptr(),
            name,
            (*tp).tp_name
        ))
    }
}

/// `super(tp, obj).name` without making the super object. With `method` not NULL a plain function is returned unbound and
/// the flag is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PySuper_Lookup(tp: *mut PyTypeObject, obj: Ob, name: Ob, method: *mut c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            let obj_type = supercheck(tp, obj)?;
            if let Some(found) = super_lookup(tp, obj, obj_type.as_ptr(), name, method.as_mut())? {
                return Ok(found);
            }
            let args: [Ob; 2] = [tp.cast(), obj];
            let su = own(PyObject_Vectorcall(crate::object::ob!(PySuper_Type), args.as_ptr(), 2, null_mut()))?;
            own(crate::object::PyObject_GenericGetAttr(su.as_ptr(), name))
        };
        body().into_c()
    }
}

unsafe extern "C" fn super_descr_get(op: Ob, obj: Ob, _: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let su: *mut PySuperObject = op.cast();
        if obj.is_null() || obj == Py_None() || !(*su).obj.is_null() {
            Py_INCREF(op);
            return op;
        }
        let body = || -> PyResult<Owned> {
            if (*su).type_.is_null() {
                bail!(PyExc_RuntimeError, "super(): uninitialized super object");
            }
            if (*op).ob_type != &raw mut PySuper_Type {
                let args: [Ob; 2] = [(*su).type_.cast(), obj];
                return own(PyObject_Vectorcall((*op).ob_type.cast(), args.as_ptr(), 2, null_mut()));
            }
            let obj_type = supercheck((*su).type_, obj)?;
            let new = own(PyType_GenericAlloc(&raw mut PySuper_Type, 0))?;
            let n: *mut PySuperObject = new.as_ptr().cast();
            (*n).type_ = Owned::from_borrowed((*su).type_).into_raw();
            (*n).obj = Owned::from_borrowed(obj).into_raw();
            (*n).obj_type = obj_type.into_raw();
            Ok(new)
        };
        body().into_c()
    }
}

/// The class cell and the first argument of the running function, for `super()` without arguments.
unsafe fn from_frame() -> PyResult<(Owned<PyTypeObject>, Owned)> {
    // SAFETY: [GIL] the frame and its code stay alive: they are running.
    unsafe {
        let frame = PyEval_GetFrame();
        if frame.is_null() {
            bail!(PyExc_RuntimeError, "super(): no current frame");
        }
        let code = own(PyFrame_GetCode(frame).cast())?;
        let co: *mut PyCodeObject = code.as_ptr().cast();
        if (*co).co_argcount == 0 {
            bail!(PyExc_RuntimeError, "super(): no arguments");
        }
        let names = tuple_items((*co).co_localsplusnames);
        let kinds = (*co).co_localspluskinds;
        let kinds = core::slice::from_raw_parts(PyBytes_AsString(kinds).cast::<u8>(), PyBytes_Size(kinds) as usize);
        let variable = |name: Ob| -> PyResult<Option<Owned>> {
            match own(PyFrame_GetVar(frame.cast(), name)) {
                Ok(value) => Ok(Some(value)),
                Err(e) if e.matches(PyExc_NameError) => {
                    e.clear();
                    Ok(None)
                }
                Err(e) => Err(e),
            }
        };
        let first = match names.first() {
            Some(&name) => variable(name)?,
            None => None,
        };
        let Some(first) = first else { bail!(PyExc_RuntimeError, "super(): arg[0] deleted") };
        let class = intern!("__class__");
        let cell = names
            .iter()
            .zip(kinds)
            .find(|&(&name, &kind)| kind & CO_FAST_FREE != 0 && _PyUnicode_Equal(name, class) != 0);
        let Some((&cell, _)) = cell else { bail!(PyExc_RuntimeError, "super(): __class__ cell not found") };
        let Some(tp) = variable(cell)? else { bail!(PyExc_RuntimeError, "super(): empty __class__ cell") };
        if PyType_Check(tp.as_ptr()) == 0 {
            bail!(PyExc_RuntimeError, "super(): __class__ is not a type ({})", type_name(tp.as_ptr()));
        }
        Ok((tp.cast(), first))
    }
}

unsafe fn super_init_impl(su: *mut PySuperObject, tp: Ob, obj: Ob) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let (tp, obj) = if tp.is_null() {
            let (tp, first) = from_frame()?;
            (tp, Some(first))
        } else {
            (Owned::from_borrowed(tp.cast()), Owned::from_borrowed_or_opt(obj))
        };
        let obj = obj.filter(|o| o.as_ptr() != Py_None());
        let obj_type = match &obj {
            Some(obj) => Some(supercheck(tp.as_ptr(), obj.as_ptr())?),
            None => None,
        };
        setref(&raw mut (*su).type_, tp.into_raw());
        setref(&raw mut (*su).obj, obj.map_or(null_mut(), |o| o.into_raw()));
        setref(&raw mut (*su).obj_type, obj_type.map_or(null_mut(), |t| t.into_raw()));
        Ok(())
    }
}

/// Checks `super`'s arguments: the class (or NULL) and the object (or NULL).
unsafe fn super_args(args: &[Ob]) -> PyResult<(Ob, Ob)> {
    // SAFETY: [ARGS]
    unsafe {
        if args.len() > 2 {
            bail!(PyExc_TypeError, "super() expected at most 2 arguments, got {}", args.len());
        }
        let tp = args.first().copied().unwrap_or(null_mut());
        if !tp.is_null() && PyType_Check(tp) == 0 {
            bail!(PyExc_TypeError, "super() argument 1 must be a type, not {}", type_name(tp));
        }
        Ok((tp, args.get(1).copied().unwrap_or(null_mut())))
    }
}

unsafe extern "C" fn super_init(op: Ob, args: Ob, kwargs: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if !kwargs.is_null() && PyDict_Size(kwargs) != 0 {
            let _ = raise!(PyExc_TypeError, "super() takes no keyword arguments");
            return -1;
        }
        super_args(tuple_items(args)).and_then(|(tp, obj)| super_init_impl(op.cast(), tp, obj)).into_c()
    }
}

unsafe extern "C" fn super_vectorcall(op: Ob, args: *const Ob, nargsf: usize, kwnames: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            if !kwnames.is_null() && PyTuple_GET_SIZE(kwnames) != 0 {
                bail!(PyExc_TypeError, "super() takes no keyword arguments");
            }
            let n = PyVectorcall_NARGS(nargsf) as usize;
            let args = if n == 0 { &[] } else { core::slice::from_raw_parts(args, n) };
            let (tp, obj) = super_args(args)?;
            let self_type: *mut PyTypeObject = op.cast();
            let Some(alloc) = (*self_type).tp_alloc else { return Err(raised()) };
            let su = own(alloc(self_type, 0))?;
            super_init_impl(su.as_ptr().cast(), tp, obj)?;
            Ok(su)
        };
        body().into_c()
    }
}

members! { static SUPER_MEMBERS = [
    "__thisclass__", crate::descrobject::T_OBJECT, offset_of!(PySuperObject, type_), Py_READONLY, "The class after which the search starts.";
    "__self__", crate::descrobject::T_OBJECT, offset_of!(PySuperObject, obj), Py_READONLY, "The object; may be None.";
    "__self_class__", crate::descrobject::T_OBJECT, offset_of!(PySuperObject, obj_type), Py_READONLY, "The class whose order is searched; may be None.";
]; }

/// `super`.
#[unsafe(no_mangle)]
pub static mut PySuper_Type: PyTypeObject = PyTypeObject {
    tp_name: c"super".as_ptr(),
    tp_basicsize: size_of::<PySuperObject>() as Py_ssize_t,
    tp_dealloc: Some(super_dealloc),
    tp_repr: Some(super_repr),
    tp_getattro: Some(super_getattro),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    tp_doc: c"super() -> same as super(__class__, <first argument>)\nsuper(type) -> unbound super object\nsuper(type, obj) -> bound super object; requires isinstance(obj, type)\nsuper(type, type2) -> bound super object; requires issubclass(type2, type)\nFinds attributes in the classes that come after type in the method resolution order, as cooperative methods need it.".as_ptr(),
    tp_traverse: Some(super_traverse),
    tp_members: (&raw mut SUPER_MEMBERS).cast(),
    tp_descr_get: Some(super_descr_get),
    tp_init: Some(super_init),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(PyType_GenericNew),
    tp_free: Some(PyObject_GC_Del),
    tp_vectorcall: Some(super_vectorcall),
    ..TYPE_INIT
};
