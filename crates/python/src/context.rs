//! contextvars: Context, ContextVar, Token (PEP 567).

use crate::hamt::{self, PyHamtObject, Yield};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, getset, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

/// A mapping of context variables to values. `prev` is the context that was current when this one was entered.
#[repr(C)]
pub struct PyContext {
    ob_base: PyObject,
    prev: *mut PyContext,
    /// NULL only after tp_clear.
    vars: *mut PyHamtObject,
    weakreflist: *mut PyObject,
    entered: bool,
}

/// A context variable; `cached` is its value in the context numbered `cached_version` of the thread `cached_thread`.
#[repr(C)]
pub struct PyContextVar {
    ob_base: PyObject,
    name: *mut PyObject,
    default: *mut PyObject,
    cached: *mut PyObject,
    cached_thread: u64,
    cached_version: u64,
    hash: Py_hash_t,
}

/// What `ContextVar.set` returns, to go back with `reset`.
#[repr(C)]
struct PyContextToken {
    ob_base: PyObject,
    ctx: *mut PyContext,
    var: *mut PyContextVar,
    old: *mut PyObject,
    used: bool,
}

type Ctx<'a> = Borrowed<'a, PyContext>;
type Var<'a> = Borrowed<'a, PyContextVar>;

unsafe fn new_context(vars: Owned<PyHamtObject>) -> PyResult<Owned<PyContext>> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let c = Owned::from_owned_or_err(PyType_GenericAlloc(&raw mut PyContext_Type, 0))?.cast::<PyContext>();
        (*c.as_ptr()).vars = vars.into_raw();
        Ok(c)
    }
}

/// The mapping of a context. It is held: what it is asked may run Python code, which may give the context another.
unsafe fn vars(c: *mut PyContext) -> PyResult<Owned<PyHamtObject>> {
    // SAFETY: [TYPE]
    unsafe {
        if (*c).vars.is_null() {
            (*c).vars = hamt::new()?.into_raw();
        }
        Ok(Owned::from_borrowed((*c).vars))
    }
}

/// The value of a variable in a context.
unsafe fn lookup(c: *mut PyContext, var: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        let vars = vars(c)?;
        Ok(hamt::find(vars.as_ptr(), var)?.map(|v| Owned::from_borrowed(v)))
    }
}

/// The thread's current context, made if it has none; borrowed.
unsafe fn current() -> PyResult<*mut PyContext> {
    // SAFETY: [GIL]
    unsafe {
        let ts = current_tstate();
        if (*ts).context.is_null() {
            (*ts).context = new_context(hamt::new()?)?.into_raw_object();
        }
        Ok((*ts).context.cast())
    }
}

unsafe fn check_context(op: *mut PyObject) -> PyResult<*mut PyContext> {
    // SAFETY: [ARGS]
    unsafe {
        if type_of(op) != &raw mut PyContext_Type {
            bail!(PyExc_TypeError, "an instance of Context was expected");
        }
        Ok(op.cast())
    }
}
unsafe fn check_var(op: *mut PyObject) -> PyResult<*mut PyContextVar> {
    // SAFETY: [ARGS]
    unsafe {
        if type_of(op) != &raw mut PyContextVar_Type {
            bail!(PyExc_TypeError, "an instance of ContextVar was expected");
        }
        Ok(op.cast())
    }
}

unsafe fn enter(c: *mut PyContext) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if (*c).entered {
            PyErr_Format(PyExc_RuntimeError, c"cannot enter context: %R is already entered".as_ptr(), c.cast::<PyObject>());
            return Err(Raised::assume());
        }
        let ts = current_tstate();
        (*c).prev = (*ts).context.cast();
        (*c).entered = true;
        Py_INCREF(c.cast());
        (*ts).context = c.cast();
        (*ts).context_ver += 1;
        Ok(())
    }
}

unsafe fn exit(c: *mut PyContext) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if !(*c).entered {
            PyErr_Format(PyExc_RuntimeError, c"cannot exit context: %R has not been entered".as_ptr(), c.cast::<PyObject>());
            return Err(Raised::assume());
        }
        let ts = current_tstate();
        if (*ts).context != c.cast() {
            bail!(PyExc_RuntimeError, "cannot exit context: thread state references a different context object");
        }
        (*ts).context = core::mem::replace(&mut (*c).prev, null_mut()).cast();
        (*ts).context_ver += 1;
        (*c).entered = false;
        Py_DECREF(c.cast());
        Ok(())
    }
}

unsafe fn var_get(v: *mut PyContextVar) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        let ts = current_tstate();
        if (*v).cached_thread == (*ts).id && (*v).cached_version == (*ts).context_ver && !(*v).cached.is_null() {
            return Ok(Some(Owned::from_borrowed((*v).cached)));
        }
        if (*ts).context.is_null() {
            return Ok(None);
        }
        let Some(found) = lookup((*ts).context.cast(), v.cast())? else { return Ok(None) };
        remember(v, found.as_ptr());
        Ok(Some(found))
    }
}

/// The cache borrows: a context keeps its values as long as its version is current.
unsafe fn remember(v: *mut PyContextVar, value: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        let ts = current_tstate();
        (*v).cached = value;
        (*v).cached_thread = (*ts).id;
        (*v).cached_version = (*ts).context_ver;
    }
}

unsafe fn var_set(v: *mut PyContextVar, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        (*v).cached = null_mut();
        let c = current()?;
        let new = hamt::with(vars(c)?.as_ptr(), v.cast(), value)?;
        let old = core::mem::replace(&mut (*c).vars, new.into_raw());
        remember(v, value);
        Py_XDECREF(old.cast());
        Ok(())
    }
}

unsafe fn var_delete(v: *mut PyContextVar) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        (*v).cached = null_mut();
        let c = current()?;
        match hamt::without(vars(c)?.as_ptr(), v.cast())? {
            None => {
                PyErr_SetObject(PyExc_LookupError, v.cast());
                Err(Raised::assume())
            }
            Some(new) => {
                setref(&raw mut (*c).vars, new.into_raw());
                Ok(())
            }
        }
    }
}

unsafe fn set_with_token(v: *mut PyContextVar, value: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let c = current()?;
        let old = lookup(c, v.cast())?;
        let t = Owned::from_owned_or_err(PyType_GenericAlloc(&raw mut PyContextToken_Type, 0))?.cast::<PyContextToken>();
        (*t.as_ptr()).ctx = Owned::from_borrowed(c).into_raw();
        (*t.as_ptr()).var = Owned::from_borrowed(v).into_raw();
        (*t.as_ptr()).old = old.map_or(null_mut(), Owned::into_raw);
        var_set(v, value)?;
        Ok(t.into_object())
    }
}

unsafe fn reset(v: *mut PyContextVar, token: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if type_of(token) != &raw mut PyContextToken_Type {
            PyErr_Format(PyExc_TypeError, c"expected an instance of Token, got %R".as_ptr(), token);
            return Err(Raised::assume());
        }
        let t = token.cast::<PyContextToken>();
        if (*t).used {
            PyErr_Format(PyExc_RuntimeError, c"%R has already been used once".as_ptr(), token);
            return Err(Raised::assume());
        }
        if (*t).var != v {
            PyErr_Format(PyExc_ValueError, c"%R was created by a different ContextVar".as_ptr(), token);
            return Err(Raised::assume());
        }
        if (*t).ctx != current()? {
            PyErr_Format(PyExc_ValueError, c"%R was created in a different Context".as_ptr(), token);
            return Err(Raised::assume());
        }
        (*t).used = true;
        if (*t).old.is_null() { var_delete(v) } else { var_set(v, (*t).old) }
    }
}

// ---- Context --------------------------------------------------------------------------------------------------------------

fn context_new(_: Borrowed<'_, PyTypeObject>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { new_context(hamt::new()?).map(Owned::into_object) }
}
unsafe extern "C" fn context_tp_new(_: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        if PyTuple_GET_SIZE(args) != 0 || (!kw.is_null() && PyDict_Size(kw) != 0) {
            return Err::<Owned, _>(raise!(PyExc_TypeError, "Context() does not accept any arguments")).into_c();
        }
        context_new(Borrowed::from_ptr(&raw mut PyContext_Type)).into_c()
    }
}
unsafe extern "C" fn context_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let c = slf.cast::<PyContext>();
        py_visit!(visitor, arg; (*c).prev, (*c).vars);
    }
    0
}
unsafe extern "C" fn context_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [OWN]
    unsafe {
        let c = slf.cast::<PyContext>();
        setref(&raw mut (*c).prev, null_mut());
        setref(&raw mut (*c).vars, null_mut());
    }
    0
}
unsafe extern "C" fn context_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        if !(*slf.cast::<PyContext>()).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        context_clear(slf);
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn context_len(slf: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe {
        let vars = (*slf.cast::<PyContext>()).vars;
        if vars.is_null() { 0 } else { hamt::len(vars) }
    }
}
unsafe extern "C" fn context_subscript(slf: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let find = || -> PyResult<Owned> {
            check_key(key)?;
            match lookup(slf.cast(), key)? {
                Some(v) => Ok(v),
                None => {
                    PyErr_SetObject(PyExc_KeyError, key);
                    Err(Raised::assume())
                }
            }
        };
        find().into_c()
    }
}
unsafe fn check_key(key: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if type_of(key) != &raw mut PyContextVar_Type {
            PyErr_Format(PyExc_TypeError, c"a ContextVar key was expected, got %R".as_ptr(), key);
            return Err(Raised::assume());
        }
        Ok(())
    }
}
unsafe extern "C" fn context_contains(slf: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { check_key(key).and_then(|()| lookup(slf.cast(), key)).map(|v| v.is_some()).into_c() }
}
unsafe extern "C" fn context_richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if type_of(a) != type_of(b) || (op != Py_EQ && op != Py_NE) {
            return Py_NewRef(Py_NotImplemented());
        }
        let compare = || -> PyResult<Owned> {
            let (x, y) = (vars(a.cast())?, vars(b.cast())?);
            let same = hamt::eq(x.as_ptr(), y.as_ptr())?;
            Ok(Owned::from_borrowed(if same == (op == Py_EQ) { Py_True() } else { Py_False() }))
        };
        compare().into_c()
    }
}

fn context_keys(slf: Ctx<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { hamt::iterate(vars(slf.as_ptr())?.as_ptr(), Yield::Keys) }
}
fn context_values(slf: Ctx<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { hamt::iterate(vars(slf.as_ptr())?.as_ptr(), Yield::Values) }
}
fn context_items(slf: Ctx<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { hamt::iterate(vars(slf.as_ptr())?.as_ptr(), Yield::Items) }
}
unsafe extern "C" fn context_iter(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { context_keys(Borrowed::from_ptr(slf.cast())).into_c() }
}
fn context_get(slf: Ctx<'_>, key: Borrowed<'_>, default: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        check_key(key.ob())?;
        Ok(lookup(slf.as_ptr(), key.ob())?.unwrap_or_else(|| default.to_owned()))
    }
}
fn context_copy(slf: Ctx<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { new_context(vars(slf.as_ptr())?).map(Owned::into_object) }
}
unsafe extern "C" fn context_run(slf: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let run = || -> PyResult<Owned> {
            if n < 1 {
                bail!(PyExc_TypeError, "run() missing 1 required positional argument");
            }
            enter(slf.cast())?;
            let r = PyObject_Vectorcall(*args, args.add(1), (n - 1) as usize, kw);
            if let Err(e) = exit(slf.cast()) {
                Py_XDECREF(r);
                return Err(e);
            }
            Owned::from_owned_or_err(r)
        };
        run().into_c()
    }
}
methods! {
    static CONTEXT_METHODS = [
        raw "run", PyMethodDefPointer { PyCFunctionFastWithKeywords: context_run }, METH_FASTCALL | METH_KEYWORDS, "Call a function with this context as the current one.";
        "copy($self, /)" => context_copy, "A shallow copy.";
        "get($self, key, default=None, /)" => context_get, "The value of a variable, or the default.";
        "items($self, /)" => context_items, "The variables with their values.";
        "keys($self, /)" => context_keys, "The variables.";
        "values($self, /)" => context_values, "The values.";
    ];
}
static mut CONTEXT_AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: Some(context_len), mp_subscript: Some(context_subscript), mp_ass_subscript: None };
static mut CONTEXT_AS_SEQUENCE: PySequenceMethods = {
    // SAFETY: all-zero is valid: no functions.
    let mut s: PySequenceMethods = unsafe { core::mem::zeroed() };
    s.sq_contains = Some(context_contains);
    s
};
/// `contextvars.Context`.
#[unsafe(no_mangle)]
pub static mut PyContext_Type: PyTypeObject = PyTypeObject {
    tp_name: c"_contextvars.Context".as_ptr(),
    tp_basicsize: size_of::<PyContext>() as Py_ssize_t,
    tp_dealloc: Some(context_dealloc),
    tp_as_sequence: &raw mut CONTEXT_AS_SEQUENCE,
    tp_as_mapping: &raw mut CONTEXT_AS_MAPPING,
    tp_hash: Some(PyObject_HashNotImplemented),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(context_traverse),
    tp_clear: Some(context_clear),
    tp_richcompare: Some(context_richcompare),
    tp_weaklistoffset: core::mem::offset_of!(PyContext, weakreflist) as Py_ssize_t,
    tp_iter: Some(context_iter),
    tp_methods: (&raw mut CONTEXT_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(context_tp_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- ContextVar -------------------------------------------------------------------------------------------------------------

fn var_new(_: Borrowed<'_, PyTypeObject>, name: Borrowed<'_>, default: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        if PyUnicode_Check(name.ob()) == 0 {
            bail!(PyExc_TypeError, "context variable name must be a str");
        }
        let name_hash = PyObject_Hash(name.ob());
        if name_hash == -1 {
            return Err(Raised::assume());
        }
        let v = Owned::from_owned_or_err(PyType_GenericAlloc(&raw mut PyContextVar_Type, 0))?.cast::<PyContextVar>();
        let hash = Py_HashPointer(v.as_ptr().cast()) ^ name_hash;
        (*v.as_ptr()).hash = if hash == -1 { -2 } else { hash };
        (*v.as_ptr()).name = name.to_owned().into_raw();
        (*v.as_ptr()).default = default.map_or(null_mut(), |d| d.to_owned().into_raw());
        Ok(v.into_object())
    }
}
unsafe extern "C" fn var_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let v = slf.cast::<PyContextVar>();
        py_visit!(visitor, arg; (*v).name, (*v).default);
    }
    0
}
unsafe extern "C" fn var_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let v = slf.cast::<PyContextVar>();
        setref(&raw mut (*v).name, null_mut());
        setref(&raw mut (*v).default, null_mut());
        (*v).cached = null_mut();
    }
    0
}
unsafe extern "C" fn var_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        var_clear(slf);
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn var_hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe { (*slf.cast::<PyContextVar>()).hash }
}
unsafe extern "C" fn var_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let v = slf.cast::<PyContextVar>();
        if (*v).default.is_null() {
            return PyUnicode_FromFormat(c"<ContextVar name=%R at %p>".as_ptr(), (*v).name, slf);
        }
        let status = Py_ReprEnter(slf);
        if status != 0 {
            return if status < 0 { null_mut() } else { PyUnicode_FromString(c"...".as_ptr()) };
        }
        let r = PyUnicode_FromFormat(c"<ContextVar name=%R default=%R at %p>".as_ptr(), (*v).name, (*v).default, slf);
        Py_ReprLeave(slf);
        r
    }
}
fn var_get_method(slf: Var<'_>, default: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if let Some(v) = var_get(slf.as_ptr())? {
            return Ok(v);
        }
        if let Some(d) = default {
            return Ok(d.to_owned());
        }
        if !slf.default.is_null() {
            return Ok(Owned::from_borrowed(slf.default));
        }
        PyErr_SetObject(PyExc_LookupError, slf.ob());
        Err(Raised::assume())
    }
}
fn var_set_method(slf: Var<'_>, value: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { set_with_token(slf.as_ptr(), value.ob()) }
}
fn var_reset_method(slf: Var<'_>, token: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { reset(slf.as_ptr(), token.ob()) }
}
fn class_getitem(tp: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(Py_GenericAlias(tp.ob(), item.ob())) }
}
fn var_name(slf: Var<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed(slf.name) })
}
methods! {
    static VAR_METHODS = [
        "get($self, default=<unrepresentable>, /)" => var_get_method, "The value in the current context, or the default.";
        "set($self, value, /)" => var_set_method, "Set the value in the current context; returns a token to go back.";
        "reset($self, token, /)" => var_reset_method, "Go back to the value before the set() that made the token.";
        class "__class_getitem__($type, object, /)" => class_getitem, "See PEP 585.";
    ];
}
getset! { static VAR_GETSET = [ "name" => var_name, ""; ]; }
/// `contextvars.ContextVar`.
#[unsafe(no_mangle)]
pub static mut PyContextVar_Type: PyTypeObject = PyTypeObject {
    tp_name: c"_contextvars.ContextVar".as_ptr(),
    tp_basicsize: size_of::<PyContextVar>() as Py_ssize_t,
    tp_dealloc: Some(var_dealloc),
    tp_repr: Some(var_repr),
    tp_hash: Some(var_hash),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(var_traverse),
    tp_clear: Some(var_clear),
    tp_methods: (&raw mut VAR_METHODS).cast(),
    tp_getset: (&raw mut VAR_GETSET).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(constructor!("ContextVar(name, /, *, default=<unrepresentable>)" => var_new)),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- Token ---------------------------------------------------------------------------------------------------------------------

unsafe extern "C" fn token_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.cast::<PyContextToken>();
        py_visit!(visitor, arg; (*t).ctx, (*t).var, (*t).old);
    }
    0
}
unsafe extern "C" fn token_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.cast::<PyContextToken>();
        setref(&raw mut (*t).ctx, null_mut());
        setref(&raw mut (*t).var, null_mut());
        setref(&raw mut (*t).old, null_mut());
    }
    0
}
unsafe extern "C" fn token_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        token_clear(slf);
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn token_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let t = slf.cast::<PyContextToken>();
        let used = if (*t).used { c" used" } else { c"" };
        PyUnicode_FromFormat(c"<Token%s var=%R at %p>".as_ptr(), used.as_ptr(), (*t).var, slf)
    }
}
unsafe extern "C" fn token_new(_: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    Err::<Owned, _>(raise!(PyExc_RuntimeError, "Tokens can only be created by ContextVars")).into_c()
}
fn token_var(slf: Borrowed<'_, PyContextToken>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed(slf.var.cast()) })
}
fn token_old(slf: Borrowed<'_, PyContextToken>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { if slf.old.is_null() { missing() } else { Ok(Owned::from_borrowed(slf.old)) } }
}
methods! { static TOKEN_METHODS = [ class "__class_getitem__($type, object, /)" => class_getitem, "See PEP 585."; ]; }
getset! {
    static TOKEN_GETSET = [
        "var" => token_var, "The variable that was set.";
        "old_value" => token_old, "The value before, or Token.MISSING.";
    ];
}
/// `contextvars.Token`.
#[unsafe(no_mangle)]
pub static mut PyContextToken_Type: PyTypeObject = PyTypeObject {
    tp_name: c"_contextvars.Token".as_ptr(),
    tp_basicsize: size_of::<PyContextToken>() as Py_ssize_t,
    tp_dealloc: Some(token_dealloc),
    tp_repr: Some(token_repr),
    tp_hash: Some(PyObject_HashNotImplemented),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(token_traverse),
    tp_clear: Some(token_clear),
    tp_methods: (&raw mut TOKEN_METHODS).cast(),
    tp_getset: (&raw mut TOKEN_GETSET).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(token_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

unsafe extern "C" fn missing_repr(_: *mut PyObject) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { PyUnicode_FromString(c"<Token.MISSING>".as_ptr()) }
}
static mut MISSING_TYPE: PyTypeObject = PyTypeObject {
    tp_name: c"Token.MISSING".as_ptr(),
    tp_basicsize: size_of::<PyObject>() as Py_ssize_t,
    tp_repr: Some(missing_repr),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    ..TYPE_INIT
};
static mut MISSING: PyObject = immortal_head(&raw mut MISSING_TYPE);
fn missing() -> PyResult<Owned> {
    // SAFETY: [IMMORTAL]
    Ok(unsafe { Owned::from_borrowed(&raw mut MISSING) })
}

/// Readies the types; part of start-up.
pub fn init_types() -> PyResult<()> {
    hamt::init_types()?;
    // SAFETY: [STATIC]
    unsafe {
        for tp in [&raw mut MISSING_TYPE, &raw mut PyContext_Type, &raw mut PyContextVar_Type, &raw mut PyContextToken_Type] {
            check_status(PyType_Ready(tp))?;
        }
        check_status(PyDict_SetItemString(PyContextToken_Type.tp_dict, c"MISSING".as_ptr(), &raw mut MISSING))?;
        PyType_Modified(&raw mut PyContextToken_Type);
        Ok(())
    }
}

// ---- module and C API --------------------------------------------------------------------------------------------------------------

fn copy_context(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyContext_CopyCurrent()) }
}
methods! { static METHODS = [ "copy_context($module, /)" => copy_context, "A copy of the current context."; ]; }
fn exec(module: Borrowed<'_>) -> PyResult<()> {
    init_types()?;
    // SAFETY: [STATIC]
    unsafe {
        for tp in [&raw mut PyContext_Type, &raw mut PyContextVar_Type, &raw mut PyContextToken_Type] {
            taipan_clinic::module::add_type(module, tp)?;
        }
    }
    Ok(())
}
module! {
    /// Entry point.
    pub fn PyInit__contextvars = "_contextvars", "Context variables.", methods: METHODS, exec: exec;
}

/// A new, empty context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyContext_New() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { hamt::new().and_then(|h| new_context(h)).into_c() }
}
/// A copy of a context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyContext_Copy(ctx: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { check_context(ctx).and_then(|c| new_context(vars(c)?)).into_c() }
}
/// A copy of the thread's current context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyContext_CopyCurrent() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { current().and_then(|c| new_context(vars(c)?)).into_c() }
}
/// Makes a context current.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyContext_Enter(ctx: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { check_context(ctx).and_then(|c| enter(c)).into_c() }
}
/// Goes back to the context before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyContext_Exit(ctx: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { check_context(ctx).and_then(|c| exit(c)).into_c() }
}
/// A new variable with a name and, unless NULL, a default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyContextVar_New(name: *const c_char, default: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let make = || -> PyResult<Owned> {
            let text = CStr::from_ptr(name);
            let name = Owned::from_owned_or_err(PyUnicode_FromString(text.as_ptr()))?;
            var_new(Borrowed::from_ptr(&raw mut PyContextVar_Type), name.borrow(), Borrowed::from_ptr_or_opt(default))
        };
        make().into_c()
    }
}
/// Stores a new reference to the variable's value, the given or its own default, or NULL; -1 on error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyContextVar_Get(var: *mut PyObject, default: *mut PyObject, value: *mut *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        *value = null_mut();
        let v = match check_var(var) {
            Ok(v) => v,
            Err(_) => return -1,
        };
        let found = match var_get(v) {
            Ok(found) => found,
            Err(_) => return -1,
        };
        let found = found.or_else(|| Owned::from_borrowed_or_opt(default)).or_else(|| Owned::from_borrowed_or_opt((*v).default));
        *value = found.map_or(null_mut(), Owned::into_raw);
        0
    }
}
/// Sets the variable in the current context; returns a token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyContextVar_Set(var: *mut PyObject, value: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { check_var(var).and_then(|v| set_with_token(v, value)).into_c() }
}
/// Goes back to the value before the token's set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyContextVar_Reset(var: *mut PyObject, token: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { check_var(var).and_then(|v| reset(v, token)).into_c() }
}

