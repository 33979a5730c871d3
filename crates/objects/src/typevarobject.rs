//! Type parameters (PEP 695, PEP 696): `TypeVar`, `ParamSpec`, `TypeVarTuple`, type aliases, `Generic`. What they mean is
//! up to `typing`, which is called for the substitution.

use crate::object::{gc_new, gc_track, own, raised};
use crate::typeobject::{PyType_GenericAlloc, TYPE_INIT, tuple_items};
use core::ffi::{CStr, c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Args, Str, constructor, getset, members, methods};

type Ob = *mut PyObject;
const T_OBJECT: c_int = crate::descrobject::T_OBJECT;

// ---- NoDefault -----------------------------------------------------------------------------------------------------

unsafe extern "C" fn nodefault_repr(_: Ob) -> Ob {
    intern!("typing.NoDefault")
}
fn nodefault_reduce(_: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: interned for ever.
    Ok(unsafe { Owned::from_borrowed(intern!("NoDefault")) })
}
unsafe extern "C" fn nodefault_new(_: *mut PyTypeObject, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_GET_SIZE(args) != 0 || (!kwargs.is_null() && PyDict_Size(kwargs) != 0) {
            let _ = raise!(PyExc_TypeError, "NoDefaultType takes no arguments");
            return null_mut();
        }
    }
    &raw mut _Py_NoDefaultStruct
}
unsafe extern "C" fn nodefault_dealloc(op: Ob) {
    // SAFETY: a static.
    unsafe { set_immortal(op) }
}
methods! { static NODEFAULT_METHODS = [
    "__reduce__($self, /)" => nodefault_reduce, "Pickle by name.";
]; }

/// The type of `typing.NoDefault`.
#[unsafe(no_mangle)]
pub static mut _PyNoDefault_Type: PyTypeObject = PyTypeObject {
    tp_name: c"NoDefaultType".as_ptr(),
    tp_dealloc: Some(nodefault_dealloc),
    tp_repr: Some(nodefault_repr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"NoDefaultType()\n--\n\nThe type of NoDefault.".as_ptr(),
    tp_methods: (&raw mut NODEFAULT_METHODS).cast(),
    tp_new: Some(nodefault_new),
    ..TYPE_INIT
};

/// `typing.NoDefault`: a type parameter has no default.
#[unsafe(no_mangle)]
pub static mut _Py_NoDefaultStruct: PyObject = immortal_head(&raw mut _PyNoDefault_Type);

fn no_default() -> Ob {
    &raw mut _Py_NoDefaultStruct
}

// ---- the objects ---------------------------------------------------------------------------------------------------

/// What `TypeVar`, `ParamSpec` and `TypeVarTuple` have in common.
trait TypeParam {
    fn default_fields(&mut self) -> (&mut Ob, &mut Ob);
    fn name(&self) -> Ob;
}

macro_rules! layout {
    ($($(#[$m:meta])* $name:ident { $($field:ident : $ty:ty),* })*) => { $(
        $(#[$m])*
        #[repr(C)]
        struct $name { ob_base: PyObject, $($field: $ty),* }
    )* };
}
layout! {
    /// `typing.TypeVar`.
    TypeVar {
        name: Ob, bound: Ob, evaluate_bound: Ob, constraints: Ob, evaluate_constraints: Ob, default_value: Ob,
        evaluate_default: Ob, covariant: bool, contravariant: bool, infer_variance: bool
    }
    /// `typing.TypeVarTuple`.
    TypeVarTuple { name: Ob, default_value: Ob, evaluate_default: Ob }
    /// `typing.ParamSpec`.
    ParamSpec {
        name: Ob, bound: Ob, default_value: Ob, evaluate_default: Ob, covariant: bool, contravariant: bool,
        infer_variance: bool
    }
    /// `P.args` and `P.kwargs`.
    ParamSpecAttr { origin: Ob }
    /// `typing.TypeAliasType`.
    TypeAlias { name: Ob, type_params: Ob, compute_value: Ob, value: Ob, module: Ob }
}
macro_rules! type_param {
    ($($t:ty)*) => { $(
        impl TypeParam for $t {
            fn default_fields(&mut self) -> (&mut Ob, &mut Ob) {
                (&mut self.default_value, &mut self.evaluate_default)
            }
            fn name(&self) -> Ob {
                self.name
            }
        }
    )* };
}
type_param! { TypeVar TypeVarTuple ParamSpec }

/// The heap types, made by [`init_generic_types`].
struct Types {
    generic: *mut PyTypeObject,
    typevar: *mut PyTypeObject,
    typevartuple: *mut PyTypeObject,
    paramspec: *mut PyTypeObject,
    paramspecargs: *mut PyTypeObject,
    paramspeckwargs: *mut PyTypeObject,
}
static mut TYPES: Types = Types {
    generic: null_mut(),
    typevar: null_mut(),
    typevartuple: null_mut(),
    paramspec: null_mut(),
    paramspecargs: null_mut(),
    paramspeckwargs: null_mut(),
};

/// The types that `_typing` exports: Generic, TypeVar, TypeVarTuple, ParamSpec, ParamSpecArgs, ParamSpecKwargs.
///
/// # Safety
/// [GIL]
pub unsafe fn generic_types() -> [(&'static CStr, *mut PyTypeObject); 6] {
    // SAFETY: [GIL]
    unsafe {
        [
            (c"Generic", TYPES.generic),
            (c"TypeVar", TYPES.typevar),
            (c"TypeVarTuple", TYPES.typevartuple),
            (c"ParamSpec", TYPES.paramspec),
            (c"ParamSpecArgs", TYPES.paramspecargs),
            (c"ParamSpecKwargs", TYPES.paramspeckwargs),
        ]
    }
}

// ---- helpers -------------------------------------------------------------------------------------------------------

/// `typing.<name>(*args)`.
unsafe fn call_typing(name: &CStr, args: &[Ob]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let typing = own(PyImport_ImportModule(c"typing".as_ptr()))?;
        let f = own(PyObject_GetAttrString(typing.as_ptr(), name.as_ptr()))?;
        own(PyObject_Vectorcall(f.as_ptr(), args.as_ptr(), args.len(), null_mut()))
    }
}

/// Checks that something can be a type. None is its type, without asking `typing` (which may be importing).
unsafe fn type_check(arg: Ob, message: &CStr) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if arg == Py_None() {
            return Ok(Owned::from_borrowed((*arg).ob_type.cast()));
        }
        let message = own(PyUnicode_FromString(message.as_ptr()))?;
        call_typing(c"_type_check", &[arg, message.as_ptr()])
    }
}

/// `|` of type variables: a `typing.Union`, which allows forward references as strings.
unsafe extern "C" fn make_union(left: Ob, right: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { call_typing(c"_make_union", &[left, right]).into_c() }
}

/// The name of the module whose code is running, or None.
unsafe fn caller() -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let globals = PyEval_GetGlobals();
        if globals.is_null() {
            return Ok(Owned::from_borrowed(Py_None()));
        }
        let name = crate::object::dict_get(globals, intern!("__name__"))?;
        Ok(name.unwrap_or_else(|| Owned::from_borrowed(Py_None())))
    }
}

/// `typing.Unpack[tvt]`.
unsafe fn typevartuple_unpack(tvt: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let typing = own(PyImport_ImportModule(c"typing".as_ptr()))?;
        let unpack = own(PyObject_GetAttrString(typing.as_ptr(), c"Unpack".as_ptr()))?;
        own(PyObject_GetItem(unpack.as_ptr(), tvt))
    }
}

/// The type parameters with TypeVarTuples unpacked, as `Generic[...]` wants them.
unsafe fn unpack_typevartuples(params: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let is_tuple = |op: Ob| (*op).ob_type == TYPES.typevartuple;
        let items = tuple_items(params);
        if !items.iter().any(|&p| is_tuple(p)) {
            return Ok(Owned::from_borrowed(params));
        }
        let mut out: Vec<Owned> = Vec::with_capacity(items.len());
        for &p in items {
            out.push(if is_tuple(p) { typevartuple_unpack(p)? } else { Owned::from_borrowed(p) });
        }
        own(_PyTuple_FromArray(out.as_ptr().cast(), out.len() as Py_ssize_t))
    }
}

/// Sets `__module__` unless NULL, and hands the object over.
unsafe fn finish<T>(op: *mut T, module: Option<&Owned>) -> PyResult<Owned> {
    // SAFETY: [OWN]
    unsafe {
        let op = gc_track(op);
        if let Some(module) = module {
            check_status(PyObject_SetAttr(op.as_ptr(), intern!("__module__"), module.as_ptr()))?;
        }
        Ok(op)
    }
}

fn count(op: Ob) -> Ob {
    // SAFETY: NULL or live, by the callers.
    unsafe { Py_XINCREF(op) };
    op
}

/// `param.__default__`, evaluated the first time.
fn param_default<T: TypeParam>(slf: Borrowed<'_, T>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let (value, evaluate) = (*slf.as_ptr()).default_fields();
        if !value.is_null() {
            return Ok(Owned::from_borrowed(*value));
        }
        if evaluate.is_null() {
            return Ok(Owned::from_borrowed(no_default()));
        }
        let f = Owned::from_borrowed(*evaluate);
        let result = own(PyObject_CallNoArgs(f.as_ptr()))?;
        let (value, _) = (*slf.as_ptr()).default_fields();
        setref(value, result.clone().into_raw());
        Ok(result)
    }
}

fn param_has_default<T: TypeParam>(slf: Borrowed<'_, T>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    let (value, evaluate) = unsafe { (*slf.as_ptr()).default_fields() };
    Ok(!evaluate.is_null() || (!value.is_null() && *value != no_default()))
}

fn param_reduce<T: TypeParam>(slf: Borrowed<'_, T>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed(slf.name()) })
}

/// Evaluates a lazy field the first time.
unsafe fn lazy(value: *mut Ob, evaluate: Ob, absent: impl FnOnce() -> PyResult<Owned>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if !(*value).is_null() {
            return Ok(Owned::from_borrowed(*value));
        }
        if evaluate.is_null() {
            return absent();
        }
        let f = Owned::from_borrowed(evaluate);
        let result = own(PyObject_CallNoArgs(f.as_ptr()))?;
        setref(value, result.clone().into_raw());
        Ok(result)
    }
}

fn variance_check(covariant: bool, contravariant: bool, infer: bool) -> PyResult<()> {
    if covariant && contravariant {
        bail!(PyExc_ValueError, "Bivariant types are not supported.");
    }
    if infer && (covariant || contravariant) {
        bail!(PyExc_ValueError, "Variance cannot be specified with infer_variance.");
    }
    Ok(())
}

unsafe fn variance_repr(name: Ob, covariant: bool, contravariant: bool, infer: bool) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if infer {
            return count(name);
        }
        let sign = match (covariant, contravariant) {
            (true, _) => b'+',
            (_, true) => b'-',
            _ => b'~',
        };
        PyUnicode_FromFormat(c"%c%U".as_ptr(), sign as c_int, name)
    }
}

/// Releases an instance of a heap type after its fields.
unsafe fn free_heap_instance(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        let tp = (*op).ob_type;
        match (*tp).tp_free {
            Some(free) => free(op.cast()),
            None => PyObject_GC_Del(op.cast()),
        }
        Py_DECREF(tp.cast());
    }
}

/// The slots that release and visit the counted fields of a type parameter.
macro_rules! param_slots {
    ($t:ty, $dealloc:ident, $traverse:ident, $clear:ident; $($field:ident)*) => {
        unsafe extern "C" fn $dealloc(op: Ob) {
            // SAFETY: [OWN]
            unsafe {
                crate::gc::gc_untrack(op);
                let p: *mut $t = op.cast();
                Py_DECREF((*p).name);
                $( Py_XDECREF((*p).$field); )*
                _PyObject_ClearManagedDict(op);
                PyObject_ClearWeakRefs(op);
                free_heap_instance(op);
            }
        }
        unsafe extern "C" fn $traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
            // SAFETY: [TYPE]
            unsafe {
                let p: *mut $t = op.cast();
                py_visit!(visitor, arg; (*op).ob_type);
                $( py_visit!(visitor, arg; (*p).$field); )*
                _PyObject_VisitManagedDict(op, visitor, arg)
            }
        }
        unsafe extern "C" fn $clear(op: Ob) -> c_int {
            // SAFETY: [TYPE]
            unsafe {
                let p: *mut $t = op.cast();
                $( Py_CLEAR(&raw mut (*p).$field); )*
                _PyObject_ClearManagedDict(op);
                0
            }
        }
    };
}
param_slots!(TypeVar, typevar_dealloc, typevar_traverse, typevar_clear;
    bound evaluate_bound constraints evaluate_constraints default_value evaluate_default);
param_slots!(ParamSpec, paramspec_dealloc, paramspec_traverse, paramspec_clear; bound default_value evaluate_default);
param_slots!(TypeVarTuple, typevartuple_dealloc, typevartuple_traverse, typevartuple_clear; default_value evaluate_default);

macro_rules! no_subclassing {
    ($($name:ident $text:literal)*) => { $(
        fn $name(_: Borrowed<'_>, _bases: Borrowed<'_>) -> PyResult<Owned> {
            bail!(PyExc_TypeError, $text)
        }
    )* };
}
no_subclassing! {
    typevar_mro_entries "Cannot subclass an instance of TypeVar"
    paramspec_mro_entries "Cannot subclass an instance of ParamSpec"
    typevartuple_mro_entries "Cannot subclass an instance of TypeVarTuple"
    paramspecargs_mro_entries "Cannot subclass an instance of ParamSpecArgs"
    paramspeckwargs_mro_entries "Cannot subclass an instance of ParamSpecKwargs"
}

// ---- TypeVar -------------------------------------------------------------------------------------------------------

type Tv<'a> = Borrowed<'a, TypeVar>;

fn typevar_new(
    _: Borrowed<'_, PyTypeObject>,
    name: Str<'_>,
    constraints: Args<'_>,
    bound: Option<Borrowed<'_>>,
    default: Option<Borrowed<'_>>,
    covariant: bool,
    contravariant: bool,
    infer_variance: bool,
) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        variance_check(covariant, contravariant, infer_variance)?;
        let bound = match bound {
            Some(b) => Some(type_check(b.ob(), c"Bound must be a type.")?),
            None => None,
        };
        match constraints.len() {
            1 => bail!(PyExc_TypeError, "A single constraint is not allowed"),
            n if n > 1 && bound.is_some() => bail!(PyExc_TypeError, "Constraints cannot be combined with bound=..."),
            _ => {}
        }
        let constraints = if constraints.is_empty() { None } else { Some(constraints.to_tuple()?) };
        let module = caller()?;
        let tv: *mut TypeVar = gc_new(TYPES.typevar)?;
        let take = |o: Option<Owned>| o.map_or(null_mut(), |o| o.into_raw());
        (*tv).name = count(name.ob());
        (*tv).bound = take(bound);
        (*tv).evaluate_bound = null_mut();
        (*tv).constraints = take(constraints);
        (*tv).evaluate_constraints = null_mut();
        (*tv).default_value = count(default.map_or(no_default(), |d| d.ob()));
        (*tv).evaluate_default = null_mut();
        (*tv).covariant = covariant;
        (*tv).contravariant = contravariant;
        (*tv).infer_variance = infer_variance;
        finish(tv, Some(&module))
    }
}

/// A TypeVar from the type parameter syntax; its bound or constraints are evaluated when asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_make_typevar(name: Ob, evaluate_bound: Ob, evaluate_constraints: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            let tv: *mut TypeVar = gc_new(TYPES.typevar)?;
            (*tv).name = count(name);
            (*tv).bound = null_mut();
            (*tv).evaluate_bound = count(evaluate_bound);
            (*tv).constraints = null_mut();
            (*tv).evaluate_constraints = count(evaluate_constraints);
            (*tv).default_value = null_mut();
            (*tv).evaluate_default = null_mut();
            (*tv).covariant = false;
            (*tv).contravariant = false;
            (*tv).infer_variance = true;
            finish(tv, None)
        };
        body().into_c()
    }
}

unsafe extern "C" fn typevar_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let tv: *mut TypeVar = op.cast();
        variance_repr((*tv).name, (*tv).covariant, (*tv).contravariant, (*tv).infer_variance)
    }
}

fn typevar_bound(slf: Tv<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        lazy(&raw mut (*slf.as_ptr()).bound, slf.evaluate_bound, || Ok(Owned::from_borrowed(Py_None())))
    }
}
fn typevar_constraints(slf: Tv<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { lazy(&raw mut (*slf.as_ptr()).constraints, slf.evaluate_constraints, || own(PyTuple_New(0))) }
}
fn typevar_typing_subst(slf: Tv<'_>, arg: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call_typing(c"_typevar_subst", &[slf.ob(), arg.ob()]) }
}
fn typevar_typing_prepare_subst(slf: Tv<'_>, alias: Borrowed<'_>, args: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let params = own(PyObject_GetAttrString(alias.ob(), c"__parameters__".as_ptr()))?;
        let i = PySequence_Index(params.as_ptr(), slf.ob());
        if i == -1 {
            return Err(raised());
        }
        let n = PySequence_Size(args.ob());
        if n == -1 {
            return Err(raised());
        }
        if i < n {
            return Ok(args.to_owned());
        }
        if i == n {
            let default = param_default(slf)?;
            if default.as_ptr() != no_default() {
                let d = default.as_ptr();
                let one = own(_PyTuple_FromArray(&raw const d, 1))?;
                return own(PySequence_Concat(args.ob(), one.as_ptr()));
            }
        }
        Err(crate::object::err_format!(
            PyExc_TypeError,
            c"Too few arguments for %S; actual %d, expected at least %d",
            alias.ob(),
            n as c_int,
            (i + 1) as c_int
        ))
    }
}

methods! { static TYPEVAR_METHODS = [
    "__typing_subst__($self, arg, /)" => typevar_typing_subst, "";
    "__typing_prepare_subst__($self, alias, args, /)" => typevar_typing_prepare_subst, "";
    "__reduce__($self, /)" => param_reduce::<TypeVar>, "";
    "has_default($self, /)" => param_has_default::<TypeVar>, "";
    "__mro_entries__($self, object, /)" => typevar_mro_entries, "";
]; }
members! { static TYPEVAR_MEMBERS = [
    "__name__", T_OBJECT, offset_of!(TypeVar, name), Py_READONLY, "";
    "__covariant__", Py_T_BOOL, offset_of!(TypeVar, covariant), Py_READONLY, "";
    "__contravariant__", Py_T_BOOL, offset_of!(TypeVar, contravariant), Py_READONLY, "";
    "__infer_variance__", Py_T_BOOL, offset_of!(TypeVar, infer_variance), Py_READONLY, "";
]; }
getset! { static TYPEVAR_GETSETS = [
    "__bound__" => typevar_bound, "";
    "__constraints__" => typevar_constraints, "";
    "__default__" => param_default::<TypeVar>, "";
]; }

// ---- ParamSpec -----------------------------------------------------------------------------------------------------

type Ps<'a> = Borrowed<'a, ParamSpec>;

fn paramspec_new(
    _: Borrowed<'_, PyTypeObject>,
    name: Str<'_>,
    bound: Borrowed<'_>,
    default: Option<Borrowed<'_>>,
    covariant: bool,
    contravariant: bool,
    infer_variance: bool,
) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        variance_check(covariant, contravariant, infer_variance)?;
        let bound = type_check(bound.ob(), c"Bound must be a type.")?;
        let module = caller()?;
        let ps = paramspec_alloc(name.ob())?;
        (*ps).bound = bound.into_raw();
        (*ps).default_value = count(default.map_or(no_default(), |d| d.ob()));
        (*ps).covariant = covariant;
        (*ps).contravariant = contravariant;
        (*ps).infer_variance = infer_variance;
        finish(ps, Some(&module))
    }
}

unsafe fn paramspec_alloc(name: Ob) -> PyResult<*mut ParamSpec> {
    // SAFETY: [ARGS]
    unsafe {
        let ps: *mut ParamSpec = gc_new(TYPES.paramspec)?;
        (*ps).name = count(name);
        (*ps).bound = null_mut();
        (*ps).default_value = null_mut();
        (*ps).evaluate_default = null_mut();
        (*ps).covariant = false;
        (*ps).contravariant = false;
        (*ps).infer_variance = true;
        Ok(ps)
    }
}

/// A ParamSpec from the type parameter syntax.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_make_paramspec(_tstate: *mut PyThreadState, name: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { paramspec_alloc(name).and_then(|ps| finish(ps, None)).into_c() }
}

unsafe extern "C" fn paramspec_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let ps: *mut ParamSpec = op.cast();
        variance_repr((*ps).name, (*ps).covariant, (*ps).contravariant, (*ps).infer_variance)
    }
}

unsafe fn paramspecattr(tp: *mut PyTypeObject, origin: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let psa: *mut ParamSpecAttr = gc_new(tp)?;
        (*psa).origin = count(origin);
        Ok(gc_track(psa))
    }
}

fn paramspec_args(slf: Ps<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { paramspecattr(TYPES.paramspecargs, slf.ob()) }
}
fn paramspec_kwargs(slf: Ps<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { paramspecattr(TYPES.paramspeckwargs, slf.ob()) }
}
fn paramspec_typing_subst(slf: Ps<'_>, arg: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call_typing(c"_paramspec_subst", &[slf.ob(), arg.ob()]) }
}
fn paramspec_typing_prepare_subst(slf: Ps<'_>, alias: Borrowed<'_>, args: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call_typing(c"_paramspec_prepare_subst", &[slf.ob(), alias.ob(), args.ob()]) }
}

methods! { static PARAMSPEC_METHODS = [
    "__typing_subst__($self, arg, /)" => paramspec_typing_subst, "";
    "__typing_prepare_subst__($self, alias, args, /)" => paramspec_typing_prepare_subst, "";
    "__reduce__($self, /)" => param_reduce::<ParamSpec>, "";
    "has_default($self, /)" => param_has_default::<ParamSpec>, "";
    "__mro_entries__($self, object, /)" => paramspec_mro_entries, "";
]; }
members! { static PARAMSPEC_MEMBERS = [
    "__name__", T_OBJECT, offset_of!(ParamSpec, name), Py_READONLY, "";
    "__bound__", T_OBJECT, offset_of!(ParamSpec, bound), Py_READONLY, "";
    "__covariant__", Py_T_BOOL, offset_of!(ParamSpec, covariant), Py_READONLY, "";
    "__contravariant__", Py_T_BOOL, offset_of!(ParamSpec, contravariant), Py_READONLY, "";
    "__infer_variance__", Py_T_BOOL, offset_of!(ParamSpec, infer_variance), Py_READONLY, "";
]; }
getset! { static PARAMSPEC_GETSETS = [
    "args" => paramspec_args, "The positional arguments.";
    "kwargs" => paramspec_kwargs, "The keyword arguments.";
    "__default__" => param_default::<ParamSpec>, "The default of this ParamSpec.";
]; }

// ---- ParamSpecArgs and ParamSpecKwargs -----------------------------------------------------------------------------

unsafe extern "C" fn paramspecattr_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        PyObject_ClearWeakRefs(op);
        Py_XDECREF((*op.cast::<ParamSpecAttr>()).origin);
        free_heap_instance(op);
    }
}
unsafe extern "C" fn paramspecattr_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*op).ob_type);
        visit((*op.cast::<ParamSpecAttr>()).origin, visitor, arg)
    }
}
unsafe extern "C" fn paramspecattr_clear(op: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe { Py_CLEAR(&raw mut (*op.cast::<ParamSpecAttr>()).origin) };
    0
}
unsafe extern "C" fn paramspecattr_richcompare(a: Ob, b: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if (*a).ob_type != (*b).ob_type || (op != Py_EQ && op != Py_NE) {
            return Py_NotImplemented();
        }
        PyObject_RichCompare((*a.cast::<ParamSpecAttr>()).origin, (*b.cast::<ParamSpecAttr>()).origin, op)
    }
}
unsafe fn paramspecattr_repr(op: Ob, suffix: &CStr) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let origin = (*op.cast::<ParamSpecAttr>()).origin;
        if (*origin).ob_type == TYPES.paramspec {
            return PyUnicode_FromFormat(c"%U.%s".as_ptr(), (*origin.cast::<ParamSpec>()).name, suffix.as_ptr());
        }
        PyUnicode_FromFormat(c"%R.%s".as_ptr(), origin, suffix.as_ptr())
    }
}
unsafe extern "C" fn paramspecargs_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { paramspecattr_repr(op, c"args") }
}
unsafe extern "C" fn paramspeckwargs_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { paramspecattr_repr(op, c"kwargs") }
}
fn paramspecattr_new(tp: Borrowed<'_, PyTypeObject>, origin: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { paramspecattr(tp.as_ptr(), origin.ob()) }
}
methods! { static PARAMSPECARGS_METHODS = [
    "__mro_entries__($self, object, /)" => paramspecargs_mro_entries, "";
]; }
methods! { static PARAMSPECKWARGS_METHODS = [
    "__mro_entries__($self, object, /)" => paramspeckwargs_mro_entries, "";
]; }
members! { static PARAMSPECATTR_MEMBERS = [
    "__origin__", T_OBJECT, offset_of!(ParamSpecAttr, origin), Py_READONLY, "";
]; }

// ---- TypeVarTuple --------------------------------------------------------------------------------------------------

type Tvt<'a> = Borrowed<'a, TypeVarTuple>;

unsafe fn typevartuple_alloc(name: Ob, default: Ob) -> PyResult<*mut TypeVarTuple> {
    // SAFETY: [ARGS]
    unsafe {
        let tvt: *mut TypeVarTuple = gc_new(TYPES.typevartuple)?;
        (*tvt).name = count(name);
        (*tvt).default_value = count(default);
        (*tvt).evaluate_default = null_mut();
        Ok(tvt)
    }
}

fn typevartuple_new(_: Borrowed<'_, PyTypeObject>, name: Str<'_>, default: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let module = caller()?;
        let tvt = typevartuple_alloc(name.ob(), default.map_or(no_default(), |d| d.ob()))?;
        finish(tvt, Some(&module))
    }
}

/// A TypeVarTuple from the type parameter syntax.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_make_typevartuple(_tstate: *mut PyThreadState, name: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { typevartuple_alloc(name, null_mut()).and_then(|tvt| finish(tvt, None)).into_c() }
}

unsafe extern "C" fn typevartuple_iter(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let body = || -> PyResult<Owned> {
            let unpacked = typevartuple_unpack(op)?;
            let u = unpacked.as_ptr();
            let one = own(_PyTuple_FromArray(&raw const u, 1))?;
            own(PyObject_GetIter(one.as_ptr()))
        };
        body().into_c()
    }
}
unsafe extern "C" fn typevartuple_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    count(unsafe { (*op.cast::<TypeVarTuple>()).name })
}
fn typevartuple_typing_subst(_: Tvt<'_>, _arg: Borrowed<'_>) -> PyResult<Owned> {
    bail!(PyExc_TypeError, "Substitution of bare TypeVarTuple is not supported")
}
fn typevartuple_typing_prepare_subst(slf: Tvt<'_>, alias: Borrowed<'_>, args: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { call_typing(c"_typevartuple_prepare_subst", &[slf.ob(), alias.ob(), args.ob()]) }
}
methods! { static TYPEVARTUPLE_METHODS = [
    "__typing_subst__($self, arg, /)" => typevartuple_typing_subst, "";
    "__typing_prepare_subst__($self, alias, args, /)" => typevartuple_typing_prepare_subst, "";
    "__reduce__($self, /)" => param_reduce::<TypeVarTuple>, "";
    "has_default($self, /)" => param_has_default::<TypeVarTuple>, "";
    "__mro_entries__($self, object, /)" => typevartuple_mro_entries, "";
]; }
members! { static TYPEVARTUPLE_MEMBERS = [
    "__name__", T_OBJECT, offset_of!(TypeVarTuple, name), Py_READONLY, "";
]; }
getset! { static TYPEVARTUPLE_GETSETS = [
    "__default__" => param_default::<TypeVarTuple>, "The default of this TypeVarTuple.";
]; }

/// Sets the function that evaluates a type parameter's default; the parameter, counted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_set_typeparam_default(_tstate: *mut PyThreadState, param: Ob, evaluate: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*param).ob_type;
        let field = if tp == TYPES.typevar {
            &raw mut (*param.cast::<TypeVar>()).evaluate_default
        } else if tp == TYPES.paramspec {
            &raw mut (*param.cast::<ParamSpec>()).evaluate_default
        } else if tp == TYPES.typevartuple {
            &raw mut (*param.cast::<TypeVarTuple>()).evaluate_default
        } else {
            let _ = crate::object::err_format!(PyExc_TypeError, c"Expected a type param, got %R", param);
            return null_mut();
        };
        setref(field, count(evaluate));
        count(param)
    }
}

// ---- type aliases --------------------------------------------------------------------------------------------------

type Ta<'a> = Borrowed<'a, TypeAlias>;

unsafe fn typealias_alloc(name: Ob, type_params: Ob, compute_value: Ob, value: Ob, module: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let empty = type_params.is_null()
            || type_params == Py_None()
            || (PyTuple_Check(type_params) != 0 && PyTuple_GET_SIZE(type_params) == 0);
        let ta: *mut TypeAlias = gc_new(&raw mut _PyTypeAlias_Type)?;
        (*ta).name = count(name);
        (*ta).type_params = if empty { null_mut() } else { count(type_params) };
        (*ta).compute_value = count(compute_value);
        (*ta).value = count(value);
        (*ta).module = count(module);
        Ok(gc_track(ta))
    }
}

fn typealias_new(
    _: Borrowed<'_, PyTypeObject>,
    name: Str<'_>,
    value: Borrowed<'_>,
    type_params: Option<Borrowed<'_>>,
) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if type_params.is_some_and(|p| PyTuple_Check(p.ob()) == 0) {
            bail!(PyExc_TypeError, "type_params must be a tuple");
        }
        let module = caller()?;
        typealias_alloc(name.ob(), type_params.map_or(null_mut(), |p| p.ob()), null_mut(), value.ob(), module.as_ptr())
    }
}

/// A type alias from the `type` statement: name, type parameters, function that computes the value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_make_typealias(_tstate: *mut PyThreadState, args: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let &[name, type_params, compute_value] = tuple_items(args) else {
            PyErr_BadInternalCall();
            return null_mut();
        };
        typealias_alloc(name, type_params, compute_value, null_mut(), null_mut()).into_c()
    }
}

unsafe extern "C" fn typealias_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        let ta: *mut TypeAlias = op.cast();
        Py_DECREF((*ta).name);
        Py_XDECREF((*ta).type_params);
        Py_XDECREF((*ta).compute_value);
        Py_XDECREF((*ta).value);
        Py_XDECREF((*ta).module);
        PyObject_GC_Del(op.cast());
    }
}
unsafe extern "C" fn typealias_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let ta: *mut TypeAlias = op.cast();
        py_visit!(visitor, arg; (*ta).type_params, (*ta).compute_value, (*ta).value, (*ta).module);
        0
    }
}
unsafe extern "C" fn typealias_clear(op: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let ta: *mut TypeAlias = op.cast();
        Py_CLEAR(&raw mut (*ta).type_params);
        Py_CLEAR(&raw mut (*ta).compute_value);
        Py_CLEAR(&raw mut (*ta).value);
        Py_CLEAR(&raw mut (*ta).module);
        0
    }
}
unsafe extern "C" fn typealias_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    count(unsafe { (*op.cast::<TypeAlias>()).name })
}
unsafe extern "C" fn typealias_subscript(op: Ob, args: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if (*op.cast::<TypeAlias>()).type_params.is_null() {
            let _ = raise!(PyExc_TypeError, "Only generic type aliases are subscriptable");
            return null_mut();
        }
        crate::genericaliasobject::Py_GenericAlias(op, args)
    }
}
fn typealias_value(slf: Ta<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { lazy(&raw mut (*slf.as_ptr()).value, slf.compute_value, || bail!(PyExc_SystemError, "type alias without a value")) }
}
fn typealias_parameters(slf: Ta<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { if slf.type_params.is_null() { own(PyTuple_New(0)) } else { unpack_typevartuples(slf.type_params) } }
}
fn typealias_type_params(slf: Ta<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { if slf.type_params.is_null() { own(PyTuple_New(0)) } else { Ok(Owned::from_borrowed(slf.type_params)) } }
}
fn typealias_module(slf: Ta<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        let module = if slf.module.is_null() && !slf.compute_value.is_null() {
            PyFunction_GetModule(slf.compute_value)
        } else {
            slf.module
        };
        Ok(Owned::from_borrowed_or_opt(module))
    }
}
fn typealias_reduce(slf: Ta<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed(slf.name) })
}

methods! { static TYPEALIAS_METHODS = [
    "__reduce__($self, /)" => typealias_reduce, "";
]; }
members! { static TYPEALIAS_MEMBERS = [
    "__name__", T_OBJECT, offset_of!(TypeAlias, name), Py_READONLY, "";
]; }
getset! { static TYPEALIAS_GETSETS = [
    "__parameters__" => typealias_parameters, "";
    "__type_params__" => typealias_type_params, "";
    "__value__" => typealias_value, "";
    "__module__" => typealias_module, "";
]; }
static mut TYPEALIAS_AS_NUMBER: PyNumberMethods = {
    // SAFETY: absent functions are NULL.
    let mut n: PyNumberMethods = unsafe { core::mem::zeroed() };
    n.nb_or = Some(crate::unionobject::_Py_union_type_or);
    n
};
static mut TYPEALIAS_AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: None, mp_subscript: Some(typealias_subscript), mp_ass_subscript: None };

/// `typing.TypeAliasType`.
#[unsafe(no_mangle)]
pub static mut _PyTypeAlias_Type: PyTypeObject = PyTypeObject {
    tp_name: c"typing.TypeAliasType".as_ptr(),
    tp_basicsize: size_of::<TypeAlias>() as Py_ssize_t,
    tp_dealloc: Some(typealias_dealloc),
    tp_repr: Some(typealias_repr),
    tp_as_number: &raw mut TYPEALIAS_AS_NUMBER,
    tp_as_mapping: &raw mut TYPEALIAS_AS_MAPPING,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"Type alias.\n\nMade by the type statement, as in \"type Alias = int\", or for generic aliases\n\"type ListOrSet[T] = list[T] | set[T]\" (PEP 695). __value__ is evaluated when asked for.\n".as_ptr(),
    tp_traverse: Some(typealias_traverse),
    tp_clear: Some(typealias_clear),
    tp_methods: (&raw mut TYPEALIAS_METHODS).cast(),
    tp_members: (&raw mut TYPEALIAS_MEMBERS).cast(),
    tp_getset: (&raw mut TYPEALIAS_GETSETS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(constructor!("typealias(name, value, *, type_params=<unrepresentable>)" => typealias_new)),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- Generic -------------------------------------------------------------------------------------------------------

/// `typing.<name>(cls, *args, **kwargs)`.
unsafe fn call_typing_for_class(name: &CStr, cls: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            let typing = own(PyImport_ImportModule(c"typing".as_ptr()))?;
            let f = own(PyObject_GetAttrString(typing.as_ptr(), name.as_ptr()))?;
            let mut all = vec![cls];
            all.extend_from_slice(tuple_items(args));
            own(PyObject_VectorcallDict(f.as_ptr(), all.as_ptr(), all.len(), kwargs))
        };
        body().into_c()
    }
}
unsafe extern "C" fn generic_init_subclass(cls: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { call_typing_for_class(c"_generic_init_subclass", cls, args, kwargs) }
}
unsafe extern "C" fn generic_class_getitem(cls: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { call_typing_for_class(c"_generic_class_getitem", cls, args, kwargs) }
}
unsafe extern "C" fn generic_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        free_heap_instance(op);
    }
}
unsafe extern "C" fn generic_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit((*op).ob_type, visitor, arg) }
}
methods! { static GENERIC_METHODS = [
    raw "__class_getitem__", PyMethodDefPointer { PyCFunctionWithKeywords: generic_class_getitem }, METH_VARARGS | METH_KEYWORDS | METH_CLASS,
        "Give a generic class its arguments; also called when a generic class is defined.\n";
    raw "__init_subclass__", PyMethodDefPointer { PyCFunctionWithKeywords: generic_init_subclass }, METH_VARARGS | METH_KEYWORDS | METH_CLASS,
        "Function to initialize subclasses.";
]; }

/// `Generic[params]`, the implicit base of a class with type parameters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_subscript_generic(_tstate: *mut PyThreadState, params: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            let params = unpack_typevartuples(params)?;
            if TYPES.generic.is_null() {
                bail!(PyExc_SystemError, "Cannot find Generic type");
            }
            call_typing(c"_GenericAlias", &[TYPES.generic.cast(), params.as_ptr()])
        };
        body().into_c()
    }
}

// ---- making the types ----------------------------------------------------------------------------------------------

unsafe fn make_type(name: &'static CStr, basicsize: usize, flags: core::ffi::c_ulong, slots: &[(c_int, *mut c_void)]) -> PyResult<*mut PyTypeObject> {
    // SAFETY: [GIL] the type copies what it needs of the spec.
    unsafe {
        let mut all: Vec<PyType_Slot> = slots.iter().map(|&(slot, pfunc)| PyType_Slot { slot, pfunc }).collect();
        all.push(PyType_Slot { slot: Py_tp_alloc, pfunc: PyType_GenericAlloc as *const () as *mut c_void });
        all.push(PyType_Slot { slot: Py_tp_free, pfunc: PyObject_GC_Del as *const () as *mut c_void });
        all.push(PyType_Slot { slot: 0, pfunc: null_mut() });
        let mut spec = PyType_Spec {
            name: name.as_ptr(),
            basicsize: basicsize as c_int,
            itemsize: 0,
            flags: (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | flags) as core::ffi::c_uint,
            slots: all.as_mut_ptr(),
        };
        Ok(own(crate::typeobject::from_spec::PyType_FromSpec(&mut spec))?.into_raw().cast())
    }
}

macro_rules! slot {
    ($slot:ident fn $f:expr) => {
        ($slot, $f as *const () as *mut c_void)
    };
    ($slot:ident table $t:ident) => {
        ($slot, (&raw mut $t).cast())
    };
    ($slot:ident doc $d:literal) => {
        ($slot, $d.as_ptr().cast_mut().cast())
    };
}

/// Makes `Generic`, `TypeVar` and the other heap types; after all static types are ready.
///
/// # Safety
/// [GIL] called once.
pub unsafe fn init_generic_types() -> PyResult<()> {
    const VARIABLE: core::ffi::c_ulong = Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF;
    const TYPEVAR_NEW: newfunc = constructor!(
        "typevar(name, *constraints, bound=None, default=typing.NoDefault, covariant=False, contravariant=False, infer_variance=False)" => typevar_new
    );
    const PARAMSPEC_NEW: newfunc = constructor!(
        "paramspec(name, *, bound=None, default=typing.NoDefault, covariant=False, contravariant=False, infer_variance=False)" => paramspec_new
    );
    const TYPEVARTUPLE_NEW: newfunc = constructor!("typevartuple(name, *, default=typing.NoDefault)" => typevartuple_new);
    const PARAMSPECARGS_NEW: newfunc = constructor!("paramspecargs(origin)" => paramspecattr_new);
    const PARAMSPECKWARGS_NEW: newfunc = constructor!("paramspeckwargs(origin)" => paramspecattr_new);
    // SAFETY: [GIL]
    unsafe {
        TYPES.generic = make_type(
            c"typing.Generic",
            size_of::<PyObject>(),
            Py_TPFLAGS_BASETYPE,
            &[
                slot!(Py_tp_doc doc c"Abstract base class of generic types.\n\nClasses with type parameters, such as class Mapping[KT, VT], derive from it implicitly;\nothers name it among their bases.\n"),
                slot!(Py_tp_methods table GENERIC_METHODS),
                slot!(Py_tp_dealloc fn generic_dealloc),
                slot!(Py_tp_traverse fn generic_traverse),
            ],
        )?;
        TYPES.typevar = make_type(
            c"typing.TypeVar",
            size_of::<TypeVar>(),
            VARIABLE,
            &[
                slot!(Py_tp_doc doc c"Type variable.\n\nThe type parameter syntax makes them: class Sequence[T], class StrSequence[S: str],\nclass AnyStrSequence[A: (str, bytes)], class IntDefault[T = int].\nTypeVar('T', bound=str) makes one that can be reused.\n"),
                slot!(Py_tp_methods table TYPEVAR_METHODS),
                slot!(Py_nb_or fn make_union),
                slot!(Py_tp_new fn TYPEVAR_NEW),
                slot!(Py_tp_dealloc fn typevar_dealloc),
                slot!(Py_tp_traverse fn typevar_traverse),
                slot!(Py_tp_clear fn typevar_clear),
                slot!(Py_tp_repr fn typevar_repr),
                slot!(Py_tp_members table TYPEVAR_MEMBERS),
                slot!(Py_tp_getset table TYPEVAR_GETSETS),
            ],
        )?;
        TYPES.typevartuple = make_type(
            c"typing.TypeVarTuple",
            size_of::<TypeVarTuple>(),
            VARIABLE,
            &[
                slot!(Py_tp_doc doc c"Type variable tuple: stands for any number of types.\n\nThe type parameter syntax makes them: class C[*Ts]. TypeVarTuple('Ts') makes one that can be reused.\n"),
                slot!(Py_tp_members table TYPEVARTUPLE_MEMBERS),
                slot!(Py_tp_methods table TYPEVARTUPLE_METHODS),
                slot!(Py_tp_getset table TYPEVARTUPLE_GETSETS),
                slot!(Py_tp_new fn TYPEVARTUPLE_NEW),
                slot!(Py_tp_iter fn typevartuple_iter),
                slot!(Py_tp_repr fn typevartuple_repr),
                slot!(Py_tp_dealloc fn typevartuple_dealloc),
                slot!(Py_tp_traverse fn typevartuple_traverse),
                slot!(Py_tp_clear fn typevartuple_clear),
            ],
        )?;
        TYPES.paramspec = make_type(
            c"typing.ParamSpec",
            size_of::<ParamSpec>(),
            VARIABLE,
            &[
                slot!(Py_tp_doc doc c"Parameter specification: stands for the parameters of a callable.\n\nThe type parameter syntax makes them: type IntFunc[**P] = Callable[P, int].\nParamSpec('P') makes one that can be reused.\n\n>>> ParamSpec('P').__name__\n'P'\n"),
                slot!(Py_tp_members table PARAMSPEC_MEMBERS),
                slot!(Py_tp_methods table PARAMSPEC_METHODS),
                slot!(Py_tp_getset table PARAMSPEC_GETSETS),
                slot!(Py_nb_or fn make_union),
                slot!(Py_tp_new fn PARAMSPEC_NEW),
                slot!(Py_tp_dealloc fn paramspec_dealloc),
                slot!(Py_tp_traverse fn paramspec_traverse),
                slot!(Py_tp_clear fn paramspec_clear),
                slot!(Py_tp_repr fn paramspec_repr),
            ],
        )?;
        const ATTR: core::ffi::c_ulong = Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_MANAGED_WEAKREF;
        TYPES.paramspecargs = make_type(
            c"typing.ParamSpecArgs",
            size_of::<ParamSpecAttr>(),
            ATTR,
            &[
                slot!(Py_tp_doc doc c"The positional arguments of a ParamSpec: P.args, with P as its __origin__.\n\n>>> P = ParamSpec('P')\n>>> P.args.__origin__ is P\nTrue\n"),
                slot!(Py_tp_methods table PARAMSPECARGS_METHODS),
                slot!(Py_tp_new fn PARAMSPECARGS_NEW),
                slot!(Py_tp_dealloc fn paramspecattr_dealloc),
                slot!(Py_tp_traverse fn paramspecattr_traverse),
                slot!(Py_tp_clear fn paramspecattr_clear),
                slot!(Py_tp_repr fn paramspecargs_repr),
                slot!(Py_tp_members table PARAMSPECATTR_MEMBERS),
                slot!(Py_tp_richcompare fn paramspecattr_richcompare),
            ],
        )?;
        TYPES.paramspeckwargs = make_type(
            c"typing.ParamSpecKwargs",
            size_of::<ParamSpecAttr>(),
            ATTR,
            &[
                slot!(Py_tp_doc doc c"The keyword arguments of a ParamSpec: P.kwargs, with P as its __origin__.\n\n>>> P = ParamSpec('P')\n>>> P.kwargs.__origin__ is P\nTrue\n"),
                slot!(Py_tp_methods table PARAMSPECKWARGS_METHODS),
                slot!(Py_tp_new fn PARAMSPECKWARGS_NEW),
                slot!(Py_tp_dealloc fn paramspecattr_dealloc),
                slot!(Py_tp_traverse fn paramspecattr_traverse),
                slot!(Py_tp_clear fn paramspecattr_clear),
                slot!(Py_tp_repr fn paramspeckwargs_repr),
                slot!(Py_tp_members table PARAMSPECATTR_MEMBERS),
                slot!(Py_tp_richcompare fn paramspecattr_richcompare),
            ],
        )?;
        Ok(())
    }
}
