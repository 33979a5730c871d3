//! `types.GenericAlias`: `list[int]` and its like (PEP 585), and the substitution of type variables that unions share.

use crate::object::{err_format, gc_new, gc_track, optional_attr, own};
use crate::typeobject::{PyType_GenericAlloc, TYPE_INIT, tuple_items};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, getset, members, methods};

type Ob = *mut PyObject;

/// The object.
#[repr(C)]
pub(crate) struct GenericAlias {
    ob_base: PyObject,
    pub(crate) origin: Ob,
    pub(crate) args: Ob,
    parameters: Ob,
    weakreflist: Ob,
    starred: bool,
    vectorcall: Option<vectorcallfunc>,
}
type Ga<'a> = Borrowed<'a, GenericAlias>;

/// Whether `op` is a generic alias.
#[inline]
pub(crate) unsafe fn is_generic_alias(op: Ob) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_instance_of(op, &raw mut Py_GenericAliasType) }
}

#[inline(always)]
unsafe fn alias<'a>(op: Ob) -> &'a mut GenericAlias {
    // SAFETY: [TYPE]
    unsafe { &mut *op.cast() }
}

unsafe extern "C" fn ga_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        let a = alias(op);
        if !a.weakreflist.is_null() {
            PyObject_ClearWeakRefs(op);
        }
        Py_XDECREF(a.origin);
        Py_XDECREF(a.args);
        Py_XDECREF(a.parameters);
        match (*(*op).ob_type).tp_free {
            Some(free) => free(op.cast()),
            None => PyObject_GC_Del(op.cast()),
        }
    }
}

unsafe extern "C" fn ga_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let a = alias(op);
        py_visit!(visitor, arg; a.origin, a.args, a.parameters);
        0
    }
}

// ---- repr ----------------------------------------------------------------------------------------------------------

/// A type as it appears in an alias: classes by qualified name, everything else by repr.
///
/// # Safety
/// `op` is live.
pub(crate) unsafe fn type_repr(op: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let has = |name: Ob| -> PyResult<bool> {
            let r = PyObject_HasAttrWithError(op, name);
            check_status(r).map(|()| r != 0)
        };
        // Other aliases look like classes too.
        if !(has(intern!("__origin__"))? && has(intern!("__args__"))?)
            && let Some(qualname) = optional_attr(op, intern!("__qualname__"))?
            && let Some(module) = optional_attr(op, intern!("__module__"))?
            && module.as_ptr() != Py_None()
        {
            if PyUnicode_Check(module.as_ptr()) != 0 && _PyUnicode_Equal(module.as_ptr(), intern!("builtins")) != 0 {
                return own(PyObject_Str(qualname.as_ptr()));
            }
            return own(PyUnicode_FromFormat(c"%S.%S".as_ptr(), module.as_ptr(), qualname.as_ptr()));
        }
        own(PyObject_Repr(op))
    }
}

unsafe fn item_repr(op: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if op == Py_Ellipsis() {
            return own(PyUnicode_FromString(c"...".as_ptr()));
        }
        if PyList_CheckExact(op) != 0 {
            let list = own(PySequence_Tuple(op))?;
            let inner = joined(tuple_items(list.as_ptr()), c", ", item_or_type_repr)?;
            return own(PyUnicode_FromFormat(c"[%U]".as_ptr(), inner.as_ptr()));
        }
        type_repr(op)
    }
}

unsafe fn item_or_type_repr(op: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if op == Py_Ellipsis() {
            return own(PyUnicode_FromString(c"...".as_ptr()));
        }
        type_repr(op)
    }
}

/// The reprs of `items` with `separator` between them.
///
/// # Safety
/// All are live.
pub(crate) unsafe fn joined(items: &[Ob], separator: &CStr, repr: unsafe fn(Ob) -> PyResult<Owned>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let list = own(PyList_New(0))?;
        for &item in items {
            let text = repr(item)?;
            check_status(PyList_Append(list.as_ptr(), text.as_ptr()))?;
        }
        let separator = own(PyUnicode_FromString(separator.as_ptr()))?;
        own(PyUnicode_Join(separator.as_ptr(), list.as_ptr()))
    }
}

unsafe extern "C" fn ga_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let body = || -> PyResult<Owned> {
            let a = alias(op);
            let star = if a.starred { c"*" } else { c"" };
            let origin = item_or_type_repr(a.origin)?;
            let items = tuple_items(a.args);
            let inner =
                if items.is_empty() { own(PyUnicode_FromString(c"()".as_ptr()))? } else { joined(items, c", ", item_repr)? };
            own(PyUnicode_FromFormat(c"%s%U[%U]".as_ptr(), star.as_ptr(), origin.as_ptr(), inner.as_ptr()))
        };
        body().into_c()
    }
}

// ---- type variables ------------------------------------------------------------------------------------------------

/// A new tuple of counted references.
unsafe fn tuple_of(items: &[Owned]) -> PyResult<Owned> {
    // SAFETY: Owned is one pointer.
    unsafe { own(_PyTuple_FromArray(items.as_ptr().cast(), items.len() as Py_ssize_t)) }
}

/// The type variables in `args`, each once, in order.
///
/// # Safety
/// `args` is a tuple.
pub(crate) unsafe fn _Py_make_parameters(args: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let mut params: Vec<Owned> = Vec::new();
        let add = |params: &mut Vec<Owned>, op: Ob| {
            if !params.iter().any(|p| p.as_ptr() == op) {
                params.push(Owned::from_borrowed(op));
            }
        };
        for &t in tuple_items(args) {
            if PyType_Check(t) != 0 {
                continue;
            }
            let is_variable = PyObject_HasAttrWithError(t, intern!("__typing_subst__"));
            check_status(is_variable)?;
            if is_variable != 0 {
                add(&mut params, t);
            } else if let Some(inner) = optional_attr(t, intern!("__parameters__"))?
                && PyTuple_Check(inner.as_ptr()) != 0
            {
                for &p in tuple_items(inner.as_ptr()) {
                    add(&mut params, p);
                }
            }
        }
        tuple_of(&params)
    }
}

/// If `obj` is generic itself, `obj` with the variables `params` replaced by `args`; otherwise `obj`.
unsafe fn subs_tvars(obj: Ob, params: &[Ob], args: &[Ob]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let inner = optional_attr(obj, intern!("__parameters__"))?;
        let Some(inner) = inner.filter(|p| PyTuple_Check(p.as_ptr()) != 0 && PyTuple_GET_SIZE(p.as_ptr()) != 0) else {
            return Ok(Owned::from_borrowed(obj));
        };
        let mut subargs: Vec<Owned> = Vec::new();
        for &param in tuple_items(inner.as_ptr()) {
            match params.iter().position(|&p| p == param) {
                Some(i) => {
                    let arg = args[i];
                    // A TypeVarTuple stands for any number of arguments.
                    if (*(*params[i]).ob_type).tp_iter.is_some() && PyTuple_Check(arg) != 0 {
                        subargs.extend(tuple_items(arg).iter().map(|&a| Owned::from_borrowed(a)));
                    } else {
                        subargs.push(Owned::from_borrowed(arg));
                    }
                }
                None => subargs.push(Owned::from_borrowed(param)),
            }
        }
        let subargs = tuple_of(&subargs)?;
        own(PyObject_GetItem(obj, subargs.as_ptr()))
    }
}

unsafe fn is_unpacked_typevartuple(arg: Ob) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        if PyType_Check(arg) != 0 {
            return Ok(false);
        }
        match optional_attr(arg, intern!("__typing_is_unpacked_typevartuple__"))? {
            Some(flag) => {
                let r = PyObject_IsTrue(flag.as_ptr());
                check_status(r).map(|()| r != 0)
            }
            None => Ok(false),
        }
    }
}

/// The arguments of an unpacked tuple type (`*tuple[int, str]`).
unsafe fn unpacked_tuple_args(arg: Ob) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        if is_generic_alias(arg) && alias(arg).starred && alias(arg).origin == crate::object::ob!(PyTuple_Type) {
            return Ok(Some(Owned::from_borrowed(alias(arg).args)));
        }
        let found = optional_attr(arg, intern!("__typing_unpacked_tuple_args__"))?;
        Ok(found.filter(|f| f.as_ptr() != Py_None()))
    }
}

/// The subscript as a tuple, unpacked tuple types of known length expanded.
unsafe fn unpack_args(item: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let items: &[Ob] = if PyTuple_Check(item) != 0 { tuple_items(item) } else { &[item] };
        let mut out: Vec<Owned> = Vec::new();
        for &item in items {
            if PyType_Check(item) == 0
                && let Some(subargs) = unpacked_tuple_args(item)?
                && PyTuple_Check(subargs.as_ptr()) != 0
                && tuple_items(subargs.as_ptr()).last() != Some(&Py_Ellipsis())
            {
                out.extend(tuple_items(subargs.as_ptr()).iter().map(|&a| Owned::from_borrowed(a)));
                continue;
            }
            out.push(Owned::from_borrowed(item));
        }
        tuple_of(&out)
    }
}

/// The arguments `args` of the generic `slf` with its variables `parameters` replaced by those in the subscript `item`.
///
/// # Safety
/// `args` and `parameters` are tuples; all are live.
pub(crate) unsafe fn _Py_subs_parameters(slf: Ob, args: Ob, parameters: Ob, item: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let params = tuple_items(parameters);
        if params.is_empty() {
            return Err(err_format!(PyExc_TypeError, c"%R is not a generic class", slf));
        }
        let mut item = unpack_args(item)?;
        for &param in params {
            let prepare = optional_attr(param, intern!("__typing_prepare_subst__"))?;
            if let Some(prepare) = prepare.filter(|p| p.as_ptr() != Py_None()) {
                let wrapped = if PyTuple_Check(item.as_ptr()) != 0 { item } else { tuple_of(&[item])? };
                let call = [slf, wrapped.as_ptr()];
                item = own(PyObject_Vectorcall(prepare.as_ptr(), call.as_ptr(), 2, null_mut()))?;
            }
        }
        let single = [item.as_ptr()];
        let values: &[Ob] = if PyTuple_Check(item.as_ptr()) != 0 { tuple_items(item.as_ptr()) } else { &single };
        if values.len() != params.len() {
            let how = if values.len() > params.len() { c"many" } else { c"few" };
            return Err(err_format!(
                PyExc_TypeError,
                c"Too %s arguments for %R; actual %zd, expected %zd",
                how.as_ptr(),
                slf,
                values.len() as Py_ssize_t,
                params.len() as Py_ssize_t
            ));
        }
        let mut out: Vec<Owned> = Vec::new();
        for &arg in tuple_items(args) {
            if PyType_Check(arg) != 0 {
                out.push(Owned::from_borrowed(arg));
                continue;
            }
            let unpack = is_unpacked_typevartuple(arg)?;
            let new = match optional_attr(arg, intern!("__typing_subst__"))? {
                Some(subst) => {
                    let Some(i) = params.iter().position(|&p| p == arg) else {
                        return Err(err_format!(PyExc_TypeError, c"%R is not a parameter of %R", arg, slf));
                    };
                    own(PyObject_CallOneArg(subst.as_ptr(), values[i]))?
                }
                None => subs_tvars(arg, params, values)?,
            };
            if unpack {
                if PyTuple_Check(new.as_ptr()) == 0 {
                    return Err(err_format!(
                        PyExc_TypeError,
                        c"expected a tuple from the substitution of %R, not %.200s",
                        arg,
                        (*(*new.as_ptr()).ob_type).tp_name
                    ));
                }
                out.extend(tuple_items(new.as_ptr()).iter().map(|&a| Owned::from_borrowed(a)));
            } else {
                out.push(new);
            }
        }
        tuple_of(&out)
    }
}

unsafe fn parameters_of(op: Ob) -> PyResult<Ob> {
    // SAFETY: [TYPE]
    unsafe {
        if alias(op).parameters.is_null() {
            let params = _Py_make_parameters(alias(op).args)?;
            setref(&raw mut alias(op).parameters, params.into_raw());
        }
        Ok(alias(op).parameters)
    }
}

unsafe extern "C" fn ga_getitem(op: Ob, item: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let body = || -> PyResult<Owned> {
            let params = Owned::from_borrowed(parameters_of(op)?);
            let args = _Py_subs_parameters(op, alias(op).args, params.as_ptr(), item)?;
            let new = own(Py_GenericAlias(alias(op).origin, args.as_ptr()))?;
            alias(new.as_ptr()).starred = alias(op).starred;
            Ok(new)
        };
        body().into_c()
    }
}

unsafe extern "C" fn ga_hash(op: Ob) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let h0 = PyObject_Hash(alias(op).origin);
        if h0 == -1 {
            return -1;
        }
        let h1 = PyObject_Hash(alias(op).args);
        if h1 == -1 {
            return -1;
        }
        h0 ^ h1
    }
}

/// Tells the new instance which alias made it, if it takes attributes.
unsafe fn set_orig_class(obj: Ob, op: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if obj.is_null() || PyObject_SetAttr(obj, intern!("__orig_class__"), op) >= 0 {
            return obj;
        }
        if PyErr_ExceptionMatches(PyExc_AttributeError) == 0 && PyErr_ExceptionMatches(PyExc_TypeError) == 0 {
            Py_DECREF(obj);
            return null_mut();
        }
        PyErr_Clear();
        obj
    }
}

unsafe extern "C" fn ga_call(op: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { set_orig_class(PyObject_Call(alias(op).origin, args, kwargs), op) }
}

unsafe extern "C" fn ga_vectorcall(op: Ob, args: *const Ob, nargsf: usize, kwnames: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { set_orig_class(PyObject_Vectorcall(alias(op).origin, args, nargsf, kwnames), op) }
}

/// Attributes that are the alias's own; all others are those of the origin.
const OWN_ATTRIBUTES: [&CStr; 12] = [
    c"__class__",
    c"__bases__",
    c"__origin__",
    c"__args__",
    c"__unpacked__",
    c"__parameters__",
    c"__typing_unpacked_tuple_args__",
    c"__mro_entries__",
    c"__reduce_ex__",
    c"__reduce__",
    c"__copy__",
    c"__deepcopy__",
];

unsafe fn equals_text(name: Ob, text: &CStr) -> bool {
    // SAFETY: [TYPE]
    unsafe { _PyUnicode_EqualToASCIIString(name, text.as_ptr().cast::<c_char>()) != 0 }
}

unsafe extern "C" fn ga_getattro(op: Ob, name: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if PyUnicode_Check(name) != 0 && !OWN_ATTRIBUTES.iter().any(|a| equals_text(name, a)) {
            return PyObject_GetAttr(alias(op).origin, name);
        }
        crate::object::PyObject_GenericGetAttr(op, name)
    }
}

unsafe extern "C" fn ga_richcompare(a: Ob, b: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if !is_generic_alias(a) || !is_generic_alias(b) || (op != Py_EQ && op != Py_NE) {
            return Py_NotImplemented();
        }
        let (x, y) = (alias(a), alias(b));
        let mut equal = (x.starred == y.starred) as c_int;
        if equal != 0 {
            equal = PyObject_RichCompareBool(x.origin, y.origin, Py_EQ);
        }
        if equal > 0 {
            equal = PyObject_RichCompareBool(x.args, y.args, Py_EQ);
        }
        if equal < 0 {
            return null_mut();
        }
        PyBool_FromLong(((equal != 0) == (op == Py_EQ)) as _)
    }
}

fn ga_mro_entries(slf: Ga<'_>, _bases: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let origin = slf.origin;
        own(_PyTuple_FromArray(&raw const origin, 1))
    }
}
fn ga_instancecheck(_: Ga<'_>, _instance: Borrowed<'_>) -> PyResult<Owned> {
    bail!(PyExc_TypeError, "isinstance() argument 2 cannot be a parameterized generic")
}
fn ga_subclasscheck(_: Ga<'_>, _subclass: Borrowed<'_>) -> PyResult<Owned> {
    bail!(PyExc_TypeError, "issubclass() argument 2 cannot be a parameterized generic")
}
unsafe fn pair(a: Ob, b: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let items = [a, b];
        own(_PyTuple_FromArray(items.as_ptr(), 2))
    }
}
fn ga_reduce(slf: Ga<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if slf.starred {
            let plain = own(Py_GenericAlias(slf.origin, slf.args))?;
            let iterator = own(PyObject_GetIter(plain.as_ptr()))?;
            let next = own(_PyEval_GetBuiltin(intern!("next")))?;
            let it = iterator.as_ptr();
            let args = own(_PyTuple_FromArray(&raw const it, 1))?;
            return pair(next.as_ptr(), args.as_ptr());
        }
        let args = pair(slf.origin, slf.args)?;
        pair(slf.ob_type().cast(), args.as_ptr())
    }
}
fn ga_dir(slf: Ga<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let dir = own(PyObject_Dir(slf.origin))?;
        for name in OWN_ATTRIBUTES {
            let name = own(PyUnicode_FromString(name.as_ptr()))?;
            let has = PySequence_Contains(dir.as_ptr(), name.as_ptr());
            check_status(has)?;
            if has == 0 {
                check_status(PyList_Append(dir.as_ptr(), name.as_ptr()))?;
            }
        }
        Ok(dir)
    }
}
fn ga_parameters(slf: Ga<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Ok(Owned::from_borrowed(parameters_of(slf.ob())?)) }
}
fn ga_unpacked_tuple_args(slf: Ga<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        if slf.starred && slf.origin == crate::object::ob!(PyTuple_Type) {
            return Ok(Some(Owned::from_borrowed(slf.args)));
        }
        Ok(None)
    }
}

methods! { static GA_METHODS = [
    "__mro_entries__($self, object, /)" => ga_mro_entries, "The origin stands for the alias among bases.";
    "__instancecheck__($self, object, /)" => ga_instancecheck, "Always TypeError.";
    "__subclasscheck__($self, object, /)" => ga_subclasscheck, "Always TypeError.";
    "__reduce__($self, /)" => ga_reduce, "Pickle by origin and arguments.";
    "__dir__($self, /)" => ga_dir, "The origin's names and the alias's own.";
]; }
members! { static GA_MEMBERS = [
    "__origin__", crate::descrobject::T_OBJECT, offset_of!(GenericAlias, origin), Py_READONLY, "";
    "__args__", crate::descrobject::T_OBJECT, offset_of!(GenericAlias, args), Py_READONLY, "";
    "__unpacked__", Py_T_BOOL, offset_of!(GenericAlias, starred), Py_READONLY, "";
]; }
getset! { static GA_GETSETS = [
    "__parameters__" => ga_parameters, "Type variables in the GenericAlias.";
    "__typing_unpacked_tuple_args__" => ga_unpacked_tuple_args, "";
]; }

unsafe fn make_alias(tp: *mut PyTypeObject, origin: Ob, args: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS] alloc zeroes.
    unsafe {
        let args =
            if PyTuple_Check(args) != 0 { Owned::from_borrowed(args) } else { own(_PyTuple_FromArray(&raw const args, 1))? };
        let alloc = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc);
        let op = own(alloc(tp, 0))?;
        let a = alias(op.as_ptr());
        Py_INCREF(origin);
        a.origin = origin;
        a.args = args.into_raw();
        a.vectorcall = PyVectorcall_Function(origin).map(|_| ga_vectorcall as vectorcallfunc);
        Ok(op)
    }
}

fn ga_new(tp: Borrowed<'_, PyTypeObject>, origin: Borrowed<'_>, args: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { make_alias(tp.as_ptr(), origin.ob(), args.ob()) }
}

static mut GA_AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: None, mp_subscript: Some(ga_getitem), mp_ass_subscript: None };
static mut GA_AS_NUMBER: PyNumberMethods = {
    // SAFETY: absent functions are NULL.
    let mut n: PyNumberMethods = unsafe { core::mem::zeroed() };
    n.nb_or = Some(crate::unionobject::_Py_union_type_or);
    n
};

/// `types.GenericAlias`.
#[unsafe(no_mangle)]
pub static mut Py_GenericAliasType: PyTypeObject = PyTypeObject {
    tp_name: c"types.GenericAlias".as_ptr(),
    tp_basicsize: size_of::<GenericAlias>() as Py_ssize_t,
    tp_dealloc: Some(ga_dealloc),
    tp_vectorcall_offset: offset_of!(GenericAlias, vectorcall) as Py_ssize_t,
    tp_repr: Some(ga_repr),
    tp_as_number: &raw mut GA_AS_NUMBER,
    tp_as_mapping: &raw mut GA_AS_MAPPING,
    tp_hash: Some(ga_hash),
    tp_call: Some(ga_call),
    tp_getattro: Some(ga_getattro),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL,
    tp_doc: c"GenericAlias(origin, args, /)\n--\n\nA generic type with arguments (PEP 585): list[int] has list as __origin__ and (int,) as __args__.".as_ptr(),
    tp_traverse: Some(ga_traverse),
    tp_richcompare: Some(ga_richcompare),
    tp_weaklistoffset: offset_of!(GenericAlias, weakreflist) as Py_ssize_t,
    tp_iter: Some(ga_iter),
    tp_methods: (&raw mut GA_METHODS).cast(),
    tp_members: (&raw mut GA_MEMBERS).cast(),
    tp_getset: (&raw mut GA_GETSETS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(constructor!("GenericAlias(origin, args, /)" => ga_new)),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

/// `origin[args]`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GenericAlias(origin: Ob, args: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { make_alias(&raw mut Py_GenericAliasType, origin, args).into_c() }
}

// ---- iteration: `*tuple[int]` --------------------------------------------------------------------------------------

/// Yields the starred alias once.
#[repr(C)]
struct AliasIterator {
    ob_base: PyObject,
    obj: Ob,
}

unsafe extern "C" fn ga_iter(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let it: *mut AliasIterator = match gc_new(&raw mut _Py_GenericAliasIterType) {
            Ok(it) => it,
            Err(_) => return null_mut(),
        };
        Py_INCREF(op);
        (*it).obj = op;
        gc_track(it).into_raw()
    }
}

unsafe extern "C" fn ga_iternext(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let it: *mut AliasIterator = op.cast();
        if (*it).obj.is_null() {
            PyErr_SetNone(PyExc_StopIteration);
            return null_mut();
        }
        let a = alias((*it).obj);
        let starred = Py_GenericAlias(a.origin, a.args);
        if starred.is_null() {
            return null_mut();
        }
        alias(starred).starred = true;
        setref(&raw mut (*it).obj, null_mut());
        starred
    }
}

unsafe extern "C" fn ga_iter_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        Py_XDECREF((*op.cast::<AliasIterator>()).obj);
        PyObject_GC_Del(op.cast());
    }
}
unsafe extern "C" fn ga_iter_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit((*op.cast::<AliasIterator>()).obj, visitor, arg) }
}
unsafe extern "C" fn ga_iter_clear(op: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe { Py_CLEAR(&raw mut (*op.cast::<AliasIterator>()).obj) };
    0
}
fn ga_iter_reduce(slf: Borrowed<'_, AliasIterator>) -> PyResult<Owned> {
    // SAFETY: [TYPE] the builtin is looked up first: that may run code.
    unsafe {
        let iter = own(_PyEval_GetBuiltin(intern!("iter")))?;
        let obj = (*slf.as_ptr()).obj;
        let empty = own(PyTuple_New(0))?;
        let arg = if obj.is_null() { empty.as_ptr() } else { obj };
        let args = own(_PyTuple_FromArray(&raw const arg, 1))?;
        pair(iter.as_ptr(), args.as_ptr())
    }
}

methods! { static GA_ITER_METHODS = [
    "__reduce__($self, /)" => ga_iter_reduce, "Pickle by iter().";
]; }

/// `generic_alias_iterator`.
#[unsafe(no_mangle)]
pub static mut _Py_GenericAliasIterType: PyTypeObject = PyTypeObject {
    tp_name: c"generic_alias_iterator".as_ptr(),
    tp_basicsize: size_of::<AliasIterator>() as Py_ssize_t,
    tp_dealloc: Some(ga_iter_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(ga_iter_traverse),
    tp_clear: Some(ga_iter_clear),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(ga_iternext),
    tp_methods: (&raw mut GA_ITER_METHODS).cast(),
    ..TYPE_INIT
};

