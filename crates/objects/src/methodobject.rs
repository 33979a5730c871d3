//! Built-in functions and methods.

use crate::object::{err_format, gc_track, own};
use crate::typeobject::{_PyType_GetDocFromInternalDoc, _PyType_GetTextSignatureFromInternalDoc, TYPE_INIT};
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, members, methods};

type Ob = *mut PyObject;
type Meth<'a> = Borrowed<'a, PyCFunctionObject>;

#[inline(always)]
unsafe fn cfunction<'a>(op: Ob) -> &'a PyCFunctionObject {
    // SAFETY: [TYPE]
    unsafe { &*op.cast() }
}

/// The receiver, NULL for static methods.
#[inline(always)]
unsafe fn get_self(f: &PyCFunctionObject) -> Ob {
    // SAFETY: [TYPE]
    unsafe { if (*f.m_ml).ml_flags & METH_STATIC != 0 { null_mut() } else { f.m_self } }
}

#[inline(always)]
unsafe fn get_class(op: Ob) -> *mut PyTypeObject {
    // SAFETY: [TYPE]
    unsafe {
        if (*cfunction(op).m_ml).ml_flags & METH_METHOD != 0 { (*op.cast::<PyCMethodObject>()).mm_class } else { null_mut() }
    }
}

/// The keyword arguments of a vectorcall as a dict; `None` if there are none.
///
/// # Safety
/// `values` has one object for each name in `kwnames`.
pub(crate) unsafe fn keyword_dict(values: *const Ob, kwnames: Ob) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        if kwnames.is_null() || PyTuple_GET_SIZE(kwnames) == 0 {
            return Ok(None);
        }
        let n = PyTuple_GET_SIZE(kwnames);
        let names = crate::typeobject::tuple_items(kwnames).as_ptr();
        own(_PyDict_FromItems(names, 1, values, 1, n)).map(Some)
    }
}

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

/// Defines the vectorcall function of a calling convention.
macro_rules! vectorcalls {
    ($( $(#[$m:meta])* $name:ident keywords $kw:literal |$func:ident, $args:ident, $n:ident, $kwnames:ident| $body:expr; )*) => { $(
        $(#[$m])*
        #[allow(unused_variables, reason = "not every convention looks at its arguments")]
        pub(crate) unsafe extern "C" fn $name($func: Ob, $args: *const Ob, nargsf: usize, $kwnames: Ob) -> Ob {
            // SAFETY: [ARGS] called by the vectorcall protocol; the flags say which member of the union is set.
            unsafe {
                let $n = PyVectorcall_NARGS(nargsf);
                if !$kw && !$kwnames.is_null() && PyTuple_GET_SIZE($kwnames) != 0 {
                    let _ = function_error($func, |f| format!("{f} takes no keyword arguments"));
                    return null_mut();
                }
                let Ok(_level) = RecursionGuard::enter(c" while calling a Python object") else { return null_mut() };
                $body
            }
        }
    )* };
}

vectorcalls! {
    /// METH_FASTCALL.
    cfunction_vectorcall_FASTCALL keywords false |func, args, n, kwnames| {
        let f = cfunction(func);
        ((*f.m_ml).ml_meth.PyCFunctionFast)(get_self(f), args.cast_mut(), n)
    };
    /// METH_FASTCALL | METH_KEYWORDS.
    cfunction_vectorcall_FASTCALL_KEYWORDS keywords true |func, args, n, kwnames| {
        let f = cfunction(func);
        ((*f.m_ml).ml_meth.PyCFunctionFastWithKeywords)(get_self(f), args, n, kwnames)
    };
    /// METH_METHOD | METH_FASTCALL | METH_KEYWORDS.
    cfunction_vectorcall_FASTCALL_KEYWORDS_METHOD keywords true |func, args, n, kwnames| {
        let f = cfunction(func);
        ((*f.m_ml).ml_meth.PyCMethod)(get_self(f), get_class(func), args, n, kwnames)
    };
    /// METH_NOARGS.
    cfunction_vectorcall_NOARGS keywords false |func, args, n, kwnames| {
        if n != 0 {
            let _ = function_error(func, |f| format!("{f} takes no arguments ({n} given)"));
            return null_mut();
        }
        let f = cfunction(func);
        ((*f.m_ml).ml_meth.PyCFunction)(get_self(f), null_mut())
    };
    /// METH_O.
    cfunction_vectorcall_O keywords false |func, args, n, kwnames| {
        if n != 1 {
            let _ = function_error(func, |f| format!("{f} takes exactly one argument ({n} given)"));
            return null_mut();
        }
        let f = cfunction(func);
        ((*f.m_ml).ml_meth.PyCFunction)(get_self(f), *args)
    };
}

/// `tp_call` of METH_VARARGS functions; the others go through vectorcall.
unsafe extern "C" fn cfunction_call(func: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let f = cfunction(func);
        let def = f.m_ml;
        if (*def).ml_flags & METH_VARARGS == 0 {
            return PyVectorcall_Call(func, args, kwargs);
        }
        let result = if (*def).ml_flags & METH_KEYWORDS != 0 {
            ((*def).ml_meth.PyCFunctionWithKeywords)(get_self(f), args, kwargs)
        } else {
            if !kwargs.is_null() && PyDict_Size(kwargs) != 0 {
                let _ = err_format!(PyExc_TypeError, c"%.200s() takes no keyword arguments", (*def).ml_name);
                return null_mut();
            }
            ((*def).ml_meth.PyCFunction)(get_self(f), args)
        };
        _Py_CheckFunctionResult(current_tstate(), func, result, core::ptr::null())
    }
}

unsafe extern "C" fn meth_dealloc(op: Ob) {
    // SAFETY: [OWN] the class goes first: m_ml may be kept alive by m_self.
    unsafe {
        crate::gc::gc_untrack(op);
        if !crate::gc::trashcan_begin(op, meth_dealloc) {
            return;
        }
        let f: *mut PyCFunctionObject = op.cast();
        if !(*f).m_weakreflist.is_null() {
            PyObject_ClearWeakRefs(op);
        }
        Py_XDECREF(get_class(op).cast());
        Py_XDECREF((*f).m_self);
        Py_XDECREF((*f).m_module);
        PyObject_GC_Del(op.cast());
        crate::gc::trashcan_end();
    }
}

unsafe extern "C" fn meth_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; get_class(op));
        py_visit!(visitor, arg; cfunction(op).m_self, cfunction(op).m_module);
        0
    }
}

unsafe fn is_function(f: &PyCFunctionObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { f.m_self.is_null() || PyModule_Check(f.m_self) != 0 }
}

unsafe extern "C" fn meth_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let f = cfunction(op);
        if is_function(f) {
            return PyUnicode_FromFormat(c"<built-in function %s>".as_ptr(), (*f.m_ml).ml_name);
        }
        PyUnicode_FromFormat(
            c"<built-in method %s of %s object at %p>".as_ptr(),
            (*f.m_ml).ml_name,
            (*(*f.m_self).ob_type).tp_name,
            f.m_self,
        )
    }
}

unsafe extern "C" fn meth_richcompare(a: Ob, b: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if (op != Py_EQ && op != Py_NE) || PyCFunction_Check(a) == 0 || PyCFunction_Check(b) == 0 {
            return Py_NotImplemented();
        }
        let (a, b) = (cfunction(a), cfunction(b));
        let equal = a.m_self == b.m_self && (*a.m_ml).ml_meth == (*b.m_ml).ml_meth;
        PyBool_FromLong((equal == (op == Py_EQ)) as _)
    }
}

unsafe extern "C" fn meth_hash(op: Ob) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let f = cfunction(op);
        match _Py_HashPointer(f.m_self.cast()) ^ _Py_HashPointer((*f.m_ml).ml_meth.as_ptr()) {
            -1 => -2,
            h => h,
        }
    }
}

fn meth_reduce(f: Meth<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let name = own(PyUnicode_FromString((*f.m_ml).ml_name))?;
        if is_function(&f) {
            return Ok(name);
        }
        crate::descrobject::reduce_as_getattr(f.m_self, name.as_ptr())
    }
}
fn meth_get_text_signature(f: Meth<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { _PyType_GetTextSignatureFromInternalDoc((*f.m_ml).ml_name, (*f.m_ml).ml_doc, (*f.m_ml).ml_flags) }
}
fn meth_get_doc(f: Meth<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { _PyType_GetDocFromInternalDoc((*f.m_ml).ml_name, (*f.m_ml).ml_doc) }
}
fn meth_get_name(f: Meth<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { own(PyUnicode_FromString((*f.m_ml).ml_name)) }
}
fn meth_get_qualname(f: Meth<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if is_function(&f) {
            return meth_get_name(f);
        }
        let tp: Ob = if PyType_Check(f.m_self) != 0 { f.m_self } else { (*f.m_self).ob_type.cast() };
        let qualname = own(PyObject_GetAttr(tp, intern!("__qualname__")))?;
        if PyUnicode_Check(qualname.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "<method>.__class__.__qualname__ is not a unicode object");
        }
        own(PyUnicode_FromFormat(c"%S.%s".as_ptr(), qualname.as_ptr(), (*f.m_ml).ml_name))
    }
}
fn meth_get_self(f: Meth<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed_or_opt(get_self(&f)) })
}

methods! { static METH_METHODS = [
    "__reduce__($self, /)" => meth_reduce, "Pickle by name.";
]; }
getset! { static METH_GETSETS = [
    "__doc__" => meth_get_doc, "";
    "__name__" => meth_get_name, "";
    "__qualname__" => meth_get_qualname, "";
    "__self__" => meth_get_self, "";
    "__text_signature__" => meth_get_text_signature, "";
]; }
members! { static METH_MEMBERS = [
    "__module__", crate::descrobject::T_OBJECT, offset_of!(PyCFunctionObject, m_module), 0, "";
]; }

/// `builtin_function_or_method`.
#[unsafe(no_mangle)]
pub static mut PyCFunction_Type: PyTypeObject = PyTypeObject {
    tp_name: c"builtin_function_or_method".as_ptr(),
    tp_basicsize: size_of::<PyCFunctionObject>() as Py_ssize_t,
    tp_dealloc: Some(meth_dealloc),
    tp_vectorcall_offset: offset_of!(PyCFunctionObject, vectorcall) as Py_ssize_t,
    tp_repr: Some(meth_repr),
    tp_hash: Some(meth_hash),
    tp_call: Some(cfunction_call),
    tp_getattro: Some(crate::object::PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    tp_traverse: Some(meth_traverse),
    tp_richcompare: Some(meth_richcompare),
    tp_weaklistoffset: offset_of!(PyCFunctionObject, m_weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut METH_METHODS).cast(),
    tp_members: (&raw mut METH_MEMBERS).cast(),
    tp_getset: (&raw mut METH_GETSETS).cast(),
    ..TYPE_INIT
};

/// `builtin_method`: a built-in method that is told its defining class.
#[unsafe(no_mangle)]
pub static mut PyCMethod_Type: PyTypeObject = PyTypeObject {
    tp_name: c"builtin_method".as_ptr(),
    tp_basicsize: size_of::<PyCMethodObject>() as Py_ssize_t,
    tp_base: &raw mut PyCFunction_Type,
    ..TYPE_INIT
};

// ---- the C API -----------------------------------------------------------------------------------------------------

/// A function bound to `slf`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCFunction_New(def: *mut PyMethodDef, slf: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { PyCMethod_New(def, slf, null_mut(), null_mut()) }
}

/// A function bound to `slf`, of a module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCFunction_NewEx(def: *mut PyMethodDef, slf: Ob, module: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { PyCMethod_New(def, slf, module, null_mut()) }
}

/// A function bound to `slf`, of a module, defined by a class.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCMethod_New(def: *mut PyMethodDef, slf: Ob, module: Ob, cls: *mut PyTypeObject) -> Ob {
    const VARARGS_KEYWORDS: c_int = METH_VARARGS | METH_KEYWORDS;
    const FASTCALL_KEYWORDS: c_int = METH_FASTCALL | METH_KEYWORDS;
    const METHOD: c_int = METH_METHOD | METH_FASTCALL | METH_KEYWORDS;
    // SAFETY: [ARGS]
    unsafe {
        let flags = (*def).ml_flags;
        let conventions = METH_VARARGS | METH_FASTCALL | METH_NOARGS | METH_O | METH_KEYWORDS | METH_METHOD;
        let vectorcall: Option<vectorcallfunc> = match flags & conventions {
            // A tuple is needed anyway: tp_call is the shorter way.
            METH_VARARGS | VARARGS_KEYWORDS => None,
            METH_FASTCALL => Some(cfunction_vectorcall_FASTCALL),
            FASTCALL_KEYWORDS => Some(cfunction_vectorcall_FASTCALL_KEYWORDS),
            METH_NOARGS => Some(cfunction_vectorcall_NOARGS),
            METH_O => Some(cfunction_vectorcall_O),
            METHOD => Some(cfunction_vectorcall_FASTCALL_KEYWORDS_METHOD),
            _ => {
                let _ = err_format!(PyExc_SystemError, c"%s() method: bad call flags", (*def).ml_name);
                return null_mut();
            }
        };
        let with_class = flags & METH_METHOD != 0;
        if with_class != !cls.is_null() {
            let _ = if with_class {
                raise!(PyExc_SystemError, "attempting to create PyCMethod with a METH_METHOD flag but no class")
            } else {
                raise!(PyExc_SystemError, "attempting to create PyCFunction with class but no METH_METHOD flag")
            };
            return null_mut();
        }
        let f: *mut PyCFunctionObject = if with_class {
            let m: *mut PyCMethodObject = crate::gc::gc_new(&raw mut PyCMethod_Type);
            if m.is_null() {
                return null_mut();
            }
            Py_INCREF(cls.cast());
            (*m).mm_class = cls;
            m.cast()
        } else {
            crate::gc::gc_new(&raw mut PyCFunction_Type)
        };
        if f.is_null() {
            return null_mut();
        }
        Py_XINCREF(slf);
        Py_XINCREF(module);
        (*f).m_ml = def;
        (*f).m_self = slf;
        (*f).m_module = module;
        (*f).m_weakreflist = null_mut();
        (*f).vectorcall = vectorcall;
        gc_track(f).into_raw()
    }
}

/// The C function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCFunction_GetFunction(op: Ob) -> Option<PyCFunction> {
    // SAFETY: [ARGS]
    unsafe {
        if PyCFunction_Check(op) == 0 {
            PyErr_BadInternalCall();
            return None;
        }
        Some((*cfunction(op).m_ml).ml_meth.PyCFunction)
    }
}

/// The receiver, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCFunction_GetSelf(op: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if PyCFunction_Check(op) == 0 {
            PyErr_BadInternalCall();
            return null_mut();
        }
        get_self(cfunction(op))
    }
}

/// The flags.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCFunction_GetFlags(op: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyCFunction_Check(op) == 0 {
            PyErr_BadInternalCall();
            return -1;
        }
        (*cfunction(op).m_ml).ml_flags
    }
}
