//! Weak references and proxies.
//!
//! An object's weak references form a list. Those without callback are made once and shared: the plain reference comes
//! first, the plain proxy next, everything else behind them.

use crate::call::vectorcall_function;
use crate::gc::gc_untrack;
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{members, methods};

type Ref = *mut PyWeakReference;

/// Whether instances of `tp` can be referenced weakly.
#[inline(always)]
unsafe fn supports_weakrefs(tp: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*tp).tp_weaklistoffset != 0 }
}

/// Address of the head of an object's list.
#[inline(always)]
unsafe fn listptr(op: *mut PyObject) -> *mut Ref {
    // SAFETY: [LAYOUT] the type has a list; a managed one lies at a negative offset.
    unsafe { op.byte_offset((*(*op).ob_type).tp_weaklistoffset).cast() }
}

/// A new reference to what `wr` refers to, `None` if that is gone or on its way.
#[inline(always)]
unsafe fn get_ref(wr: *mut PyObject) -> Option<Owned> {
    // SAFETY: [TYPE] a weak reference; its object's header is readable until the reference is cleared.
    unsafe {
        let op = (*wr.cast::<PyWeakReference>()).wr_object;
        if op == Py_None() || Py_REFCNT(op) <= 0 {
            return None;
        }
        Some(Owned::from_borrowed(op))
    }
}

unsafe fn is_ref_exact(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == &raw mut _PyWeakref_RefType }
}
unsafe fn is_proxy(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        tp == &raw mut _PyWeakref_ProxyType || tp == &raw mut _PyWeakref_CallableProxyType
    }
}
unsafe fn is_ref(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_instance_of(op, &raw mut _PyWeakref_RefType) || is_proxy(op) }
}

/// Takes `slf` off its object's list. The callback stays.
unsafe fn unlink(slf: Ref) {
    // SAFETY: [LAYOUT]
    unsafe {
        if (*slf).wr_object == Py_None() {
            return;
        }
        let list = listptr((*slf).wr_object);
        if *list == slf {
            *list = (*slf).wr_next;
        }
        (*slf).wr_object = Py_None();
        if !(*slf).wr_prev.is_null() {
            (*(*slf).wr_prev).wr_next = (*slf).wr_next;
        }
        if !(*slf).wr_next.is_null() {
            (*(*slf).wr_next).wr_prev = (*slf).wr_prev;
        }
        (*slf).wr_prev = null_mut();
        (*slf).wr_next = null_mut();
    }
}

/// Unlinks and hands the callback over.
unsafe fn clear_weakref(slf: Ref) -> Option<Owned> {
    // SAFETY: [OWN] the callback is ours to give.
    unsafe {
        unlink(slf);
        let callback = (*slf).wr_callback;
        (*slf).wr_callback = null_mut();
        Owned::from_owned_or_opt(callback)
    }
}

unsafe extern "C" fn weakref_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        drop(clear_weakref(slf.cast()));
        match (*(*slf).ob_type).tp_free {
            Some(free) => free(slf.cast()),
            None => PyObject_GC_Del(slf.cast()),
        }
    }
}

unsafe extern "C" fn proxy_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        drop(clear_weakref(slf.cast()));
        PyObject_GC_Del(slf.cast());
    }
}

unsafe extern "C" fn weakref_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*slf.cast::<PyWeakReference>()).wr_callback);
        0
    }
}

unsafe extern "C" fn weakref_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { drop(clear_weakref(slf.cast())) };
    0
}

unsafe extern "C" fn weakref_vectorcall(
    slf: *mut PyObject,
    _args: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        if !kwnames.is_null() && PyTuple_GET_SIZE(kwnames) != 0 {
            let _ = raise!(PyExc_TypeError, "weakref() takes no keyword arguments");
            return null_mut();
        }
        if _PyArg_CheckPositional(c"weakref".as_ptr(), PyVectorcall_NARGS(nargsf), 0, 0) == 0 {
            return null_mut();
        }
        match get_ref(slf) {
            Some(op) => op.into_raw(),
            None => Py_None(),
        }
    }
}

unsafe extern "C" fn weakref_hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let wr: Ref = slf.cast();
        if (*wr).hash == -1 {
            let Some(op) = get_ref(slf) else {
                let _ = raise!(PyExc_TypeError, "weak object has gone away");
                return -1;
            };
            (*wr).hash = PyObject_Hash(op.as_ptr());
        }
        (*wr).hash
    }
}

unsafe extern "C" fn weakref_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let Some(op) = get_ref(slf) else {
            return PyUnicode_FromFormat(c"<weakref at %p; dead>".as_ptr(), slf);
        };
        let name = Owned::from_owned_or_opt(_PyObject_LookupSpecial(op.as_ptr(), intern!("__name__")));
        match name {
            Some(name) if PyUnicode_Check(name.as_ptr()) != 0 => PyUnicode_FromFormat(
                c"<weakref at %p; to '%T' at %p (%U)>".as_ptr(),
                slf,
                op.as_ptr(),
                op.as_ptr(),
                name.as_ptr(),
            ),
            _ => {
                PyErr_Clear();
                PyUnicode_FromFormat(c"<weakref at %p; to '%T' at %p>".as_ptr(), slf, op.as_ptr(), op.as_ptr())
            }
        }
    }
}

unsafe extern "C" fn weakref_richcompare(slf: *mut PyObject, other: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if (op != Py_EQ && op != Py_NE) || !is_ref(slf) || !is_ref(other) {
            return Py_NotImplemented();
        }
        match (get_ref(slf), get_ref(other)) {
            (Some(a), Some(b)) => PyObject_RichCompare(a.as_ptr(), b.as_ptr(), op),
            // References to dead objects are equal only to themselves.
            _ if (slf == other) == (op == Py_EQ) => Py_True(),
            _ => Py_False(),
        }
    }
}

/// The shared reference and the shared proxy at the head of a list, NULL if missing.
unsafe fn basic_refs(head: Ref) -> (Ref, Ref) {
    // SAFETY: [LAYOUT]
    unsafe {
        let (mut r, mut p) = (null_mut(), null_mut());
        let mut head = head;
        if !head.is_null() && (*head).wr_callback.is_null() {
            if is_ref_exact(head.cast()) {
                r = head;
                head = (*head).wr_next;
            }
            if !head.is_null() && (*head).wr_callback.is_null() && is_proxy(head.cast()) {
                p = head;
            }
        }
        (r, p)
    }
}

unsafe fn is_basic(wr: Ref) -> bool {
    // SAFETY: [LAYOUT]
    unsafe { (*wr).wr_callback.is_null() && (is_ref_exact(wr.cast()) || is_proxy(wr.cast())) }
}

/// Enters a new reference where its kind belongs.
unsafe fn insert_weakref(new: Ref, list: *mut Ref) {
    // SAFETY: [LAYOUT]
    unsafe {
        let (r, p) = basic_refs(*list);
        let bare = (*new).wr_callback.is_null();
        let prev = if bare && is_ref_exact(new.cast()) {
            null_mut()
        } else if bare && is_proxy(new.cast()) {
            r
        } else if p.is_null() {
            r
        } else {
            p
        };
        let next = if prev.is_null() { *list } else { (*prev).wr_next };
        (*new).wr_prev = prev;
        (*new).wr_next = next;
        if !next.is_null() {
            (*next).wr_prev = new;
        }
        if prev.is_null() {
            *list = new;
        } else {
            (*prev).wr_next = new;
        }
    }
}

unsafe fn get_or_create(tp: *mut PyTypeObject, ob: *mut PyObject, callback: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if !supports_weakrefs((*ob).ob_type) {
            bail!(PyExc_TypeError, "cannot create weak reference to '{}' object", type_name(ob));
        }
        let callback = if callback == Py_None() { null_mut() } else { callback };
        let list = listptr(ob);
        if callback.is_null() {
            let (r, p) = basic_refs(*list);
            let candidate = if tp == &raw mut _PyWeakref_RefType {
                r
            } else if tp == &raw mut _PyWeakref_ProxyType || tp == &raw mut _PyWeakref_CallableProxyType {
                p
            } else {
                null_mut()
            };
            if !candidate.is_null() && Py_REFCNT(candidate.cast()) > 0 {
                return Ok(Owned::from_borrowed(candidate.cast()));
            }
        }
        let op = match (*tp).tp_alloc {
            Some(alloc) => alloc(tp, 0),
            None => PyType_GenericAlloc(tp, 0),
        };
        let op = Owned::from_owned_or_err(op)?;
        let new: Ref = op.as_ptr().cast();
        (*new).hash = -1;
        (*new).wr_object = ob;
        Py_XINCREF(callback);
        (*new).wr_callback = callback;
        (*new).vectorcall = Some(weakref_vectorcall);
        // The allocation may have run the collector, so the list is read only now.
        insert_weakref(new, list);
        Ok(op)
    }
}

unsafe fn init_args(name: &core::ffi::CStr, args: *mut PyObject) -> PyResult<(*mut PyObject, *mut PyObject)> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyTuple_GET_SIZE(args);
        if _PyArg_CheckPositional(name.as_ptr(), n, 1, 2) == 0 {
            return Err(Raised::assume());
        }
        Ok((PyTuple_GET_ITEM(args, 0), if n > 1 { PyTuple_GET_ITEM(args, 1) } else { null_mut() }))
    }
}

unsafe extern "C" fn weakref___new__(tp: *mut PyTypeObject, args: *mut PyObject, _kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { init_args(c"__new__", args).and_then(|(ob, callback)| get_or_create(tp, ob, callback)).into_c() }
}

unsafe extern "C" fn weakref___init__(_slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if !kwargs.is_null() && _PyArg_NoKeywords(c"ref".as_ptr(), kwargs) == 0 {
            return -1;
        }
        init_args(c"__init__", args).map(|_| ()).into_c()
    }
}

members! {
    static WEAKREF_MEMBERS = [
        "__callback__", 6, offset_of!(PyWeakReference, wr_callback), Py_READONLY, "";
    ];
}
methods! {
    static WEAKREF_METHODS = [
        raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS, "See PEP 585";
    ];
}

/// The type `weakref.ref`.
#[unsafe(no_mangle)]
pub static mut _PyWeakref_RefType: PyTypeObject = PyTypeObject {
    tp_name: c"weakref.ReferenceType".as_ptr(),
    tp_basicsize: size_of::<PyWeakReference>() as Py_ssize_t,
    tp_dealloc: Some(weakref_dealloc),
    tp_vectorcall_offset: offset_of!(PyWeakReference, vectorcall) as Py_ssize_t,
    tp_call: Some(PyVectorcall_Call),
    tp_repr: Some(weakref_repr),
    tp_hash: Some(weakref_hash),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_BASETYPE,
    tp_traverse: Some(weakref_traverse),
    tp_clear: Some(weakref_clear),
    tp_richcompare: Some(weakref_richcompare),
    tp_methods: (&raw mut WEAKREF_METHODS).cast(),
    tp_members: (&raw mut WEAKREF_MEMBERS).cast(),
    tp_init: Some(weakref___init__),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(weakref___new__),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- proxies ---------------------------------------------------------------------------------------------------

#[cold]
fn dead() -> Raised {
    raise!(PyExc_ReferenceError, "weakly-referenced object no longer exists")
}

/// What a proxy stands for (ReferenceError if that is gone); other objects as they are.
unsafe fn unwrap(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if is_proxy(op) {
            return get_ref(op).ok_or_else(dead);
        }
        Ok(Owned::from_borrowed(op))
    }
}

macro_rules! wrap_unary {
    ($($name:ident => $f:path;)*) => { $(
        unsafe extern "C" fn $name(op: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe { match unwrap(op) { Ok(op) => $f(op.as_ptr()), Err(_) => null_mut() } }
        }
    )* };
}
macro_rules! wrap_binary {
    ($($name:ident => $f:path;)*) => { $(
        unsafe extern "C" fn $name(x: *mut PyObject, y: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe {
                let Ok(x) = unwrap(x) else { return null_mut() };
                let Ok(y) = unwrap(y) else { return null_mut() };
                $f(x.as_ptr(), y.as_ptr())
            }
        }
    )* };
}
macro_rules! wrap_ternary {
    ($($name:ident => $f:path;)*) => { $(
        unsafe extern "C" fn $name(x: *mut PyObject, y: *mut PyObject, z: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS] tp_call may get NULL as its last argument.
            unsafe {
                let Ok(x) = unwrap(x) else { return null_mut() };
                let Ok(y) = unwrap(y) else { return null_mut() };
                if z.is_null() {
                    return $f(x.as_ptr(), y.as_ptr(), z);
                }
                let Ok(z) = unwrap(z) else { return null_mut() };
                $f(x.as_ptr(), y.as_ptr(), z.as_ptr())
            }
        }
    )* };
}
wrap_unary! {
    proxy_str => PyObject_Str;
    proxy_neg => PyNumber_Negative;
    proxy_pos => PyNumber_Positive;
    proxy_abs => PyNumber_Absolute;
    proxy_invert => PyNumber_Invert;
    proxy_int => PyNumber_Long;
    proxy_float => PyNumber_Float;
    proxy_index => PyNumber_Index;
    proxy_iter => PyObject_GetIter;
}
wrap_binary! {
    proxy_getattr => PyObject_GetAttr;
    proxy_getitem => PyObject_GetItem;
    proxy_add => PyNumber_Add;
    proxy_sub => PyNumber_Subtract;
    proxy_mul => PyNumber_Multiply;
    proxy_floor_div => PyNumber_FloorDivide;
    proxy_true_div => PyNumber_TrueDivide;
    proxy_mod => PyNumber_Remainder;
    proxy_divmod => PyNumber_Divmod;
    proxy_lshift => PyNumber_Lshift;
    proxy_rshift => PyNumber_Rshift;
    proxy_and => PyNumber_And;
    proxy_xor => PyNumber_Xor;
    proxy_or => PyNumber_Or;
    proxy_matmul => PyNumber_MatrixMultiply;
    proxy_iadd => PyNumber_InPlaceAdd;
    proxy_isub => PyNumber_InPlaceSubtract;
    proxy_imul => PyNumber_InPlaceMultiply;
    proxy_ifloor_div => PyNumber_InPlaceFloorDivide;
    proxy_itrue_div => PyNumber_InPlaceTrueDivide;
    proxy_imod => PyNumber_InPlaceRemainder;
    proxy_ilshift => PyNumber_InPlaceLshift;
    proxy_irshift => PyNumber_InPlaceRshift;
    proxy_iand => PyNumber_InPlaceAnd;
    proxy_ixor => PyNumber_InPlaceXor;
    proxy_ior => PyNumber_InPlaceOr;
    proxy_imatmul => PyNumber_InPlaceMatrixMultiply;
}
wrap_ternary! {
    proxy_call => PyObject_Call;
    proxy_pow => PyNumber_Power;
    proxy_ipow => PyNumber_InPlacePower;
}

unsafe extern "C" fn proxy_repr(proxy: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        match get_ref(proxy) {
            Some(op) => PyUnicode_FromFormat(
                c"<weakproxy at %p; to '%T' at %p>".as_ptr(),
                proxy,
                op.as_ptr(),
                op.as_ptr(),
            ),
            None => PyUnicode_FromFormat(c"<weakproxy at %p; dead>".as_ptr(), proxy),
        }
    }
}

unsafe extern "C" fn proxy_setattr(proxy: *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { match unwrap(proxy) { Ok(op) => PyObject_SetAttr(op.as_ptr(), name, value), Err(_) => -1 } }
}

unsafe extern "C" fn proxy_richcompare(proxy: *mut PyObject, v: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(x) = unwrap(proxy) else { return null_mut() };
        let Ok(y) = unwrap(v) else { return null_mut() };
        PyObject_RichCompare(x.as_ptr(), y.as_ptr(), op)
    }
}

unsafe extern "C" fn proxy_bool(proxy: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { match unwrap(proxy) { Ok(op) => PyObject_IsTrue(op.as_ptr()), Err(_) => -1 } }
}

unsafe extern "C" fn proxy_contains(proxy: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { match unwrap(proxy) { Ok(op) => PySequence_Contains(op.as_ptr(), value), Err(_) => -1 } }
}

unsafe extern "C" fn proxy_length(proxy: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { match unwrap(proxy) { Ok(op) => PyObject_Size(op.as_ptr()), Err(_) => -1 } }
}

unsafe extern "C" fn proxy_setitem(proxy: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        match unwrap(proxy) {
            Ok(op) if value.is_null() => PyObject_DelItem(op.as_ptr(), key),
            Ok(op) => PyObject_SetItem(op.as_ptr(), key, value),
            Err(_) => -1,
        }
    }
}

unsafe extern "C" fn proxy_iternext(proxy: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let Ok(op) = unwrap(proxy) else { return null_mut() };
        if PyIter_Check(op.as_ptr()) == 0 {
            let _ = raise!(
                PyExc_TypeError,
                "Weakref proxy referenced a non-iterator '{}' object",
                type_name(op.as_ptr())
            );
            return null_mut();
        }
        PyIter_Next(op.as_ptr())
    }
}

unsafe extern "C" fn proxy_bytes(proxy: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        match unwrap(proxy) {
            Ok(op) => PyObject_CallMethodNoArgs(op.as_ptr(), intern!("__bytes__")),
            Err(_) => null_mut(),
        }
    }
}

unsafe extern "C" fn proxy_reversed(proxy: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        match unwrap(proxy) {
            Ok(op) => PyObject_CallMethodNoArgs(op.as_ptr(), intern!("__reversed__")),
            Err(_) => null_mut(),
        }
    }
}

static mut PROXY_METHODS: [PyMethodDef; 3] = [
    PyMethodDef {
        ml_name: c"__bytes__".as_ptr(),
        ml_meth: PyMethodDefPointer { PyCFunction: proxy_bytes },
        ml_flags: METH_NOARGS,
        ml_doc: core::ptr::null(),
    },
    PyMethodDef {
        ml_name: c"__reversed__".as_ptr(),
        ml_meth: PyMethodDefPointer { PyCFunction: proxy_reversed },
        ml_flags: METH_NOARGS,
        ml_doc: core::ptr::null(),
    },
    PyMethodDef::zeroed(),
];

static mut PROXY_AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_add: Some(proxy_add),
    nb_subtract: Some(proxy_sub),
    nb_multiply: Some(proxy_mul),
    nb_remainder: Some(proxy_mod),
    nb_divmod: Some(proxy_divmod),
    nb_power: Some(proxy_pow),
    nb_negative: Some(proxy_neg),
    nb_positive: Some(proxy_pos),
    nb_absolute: Some(proxy_abs),
    nb_bool: Some(proxy_bool),
    nb_invert: Some(proxy_invert),
    nb_lshift: Some(proxy_lshift),
    nb_rshift: Some(proxy_rshift),
    nb_and: Some(proxy_and),
    nb_xor: Some(proxy_xor),
    nb_or: Some(proxy_or),
    nb_int: Some(proxy_int),
    nb_float: Some(proxy_float),
    nb_inplace_add: Some(proxy_iadd),
    nb_inplace_subtract: Some(proxy_isub),
    nb_inplace_multiply: Some(proxy_imul),
    nb_inplace_remainder: Some(proxy_imod),
    nb_inplace_power: Some(proxy_ipow),
    nb_inplace_lshift: Some(proxy_ilshift),
    nb_inplace_rshift: Some(proxy_irshift),
    nb_inplace_and: Some(proxy_iand),
    nb_inplace_xor: Some(proxy_ixor),
    nb_inplace_or: Some(proxy_ior),
    nb_floor_divide: Some(proxy_floor_div),
    nb_true_divide: Some(proxy_true_div),
    nb_inplace_floor_divide: Some(proxy_ifloor_div),
    nb_inplace_true_divide: Some(proxy_itrue_div),
    nb_index: Some(proxy_index),
    nb_matrix_multiply: Some(proxy_matmul),
    nb_inplace_matrix_multiply: Some(proxy_imatmul),
    // SAFETY: all-zero is valid: no functions.
    ..unsafe { core::mem::zeroed() }
};
static mut PROXY_AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(proxy_length),
    sq_contains: Some(proxy_contains),
    // SAFETY: as above.
    ..unsafe { core::mem::zeroed() }
};
static mut PROXY_AS_MAPPING: PyMappingMethods = PyMappingMethods {
    mp_length: Some(proxy_length),
    mp_subscript: Some(proxy_getitem),
    mp_ass_subscript: Some(proxy_setitem),
};

const PROXY: PyTypeObject = PyTypeObject {
    tp_basicsize: size_of::<PyWeakReference>() as Py_ssize_t,
    tp_dealloc: Some(proxy_dealloc),
    tp_repr: Some(proxy_repr),
    tp_as_number: &raw mut PROXY_AS_NUMBER,
    tp_as_sequence: &raw mut PROXY_AS_SEQUENCE,
    tp_as_mapping: &raw mut PROXY_AS_MAPPING,
    // No tp_hash: what a proxy equals changes when its object dies.
    tp_str: Some(proxy_str),
    tp_getattro: Some(proxy_getattr),
    tp_setattro: Some(proxy_setattr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(weakref_traverse),
    tp_clear: Some(weakref_clear),
    tp_richcompare: Some(proxy_richcompare),
    tp_iter: Some(proxy_iter),
    tp_iternext: Some(proxy_iternext),
    ..TYPE_INIT
};

/// Proxies of objects that can't be called.
#[unsafe(no_mangle)]
pub static mut _PyWeakref_ProxyType: PyTypeObject =
    PyTypeObject { tp_name: c"weakref.ProxyType".as_ptr(), tp_methods: (&raw mut PROXY_METHODS).cast(), ..PROXY };

/// Proxies of callables.
#[unsafe(no_mangle)]
pub static mut _PyWeakref_CallableProxyType: PyTypeObject =
    PyTypeObject { tp_name: c"weakref.CallableProxyType".as_ptr(), tp_call: Some(proxy_call), ..PROXY };

// ---- C API -----------------------------------------------------------------------------------------------------

/// A weak reference to `ob`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyWeakref_NewRef(ob: *mut PyObject, callback: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { get_or_create(&raw mut _PyWeakref_RefType, ob, callback).into_c() }
}

/// A proxy of `ob`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyWeakref_NewProxy(ob: *mut PyObject, callback: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let callable = (*(*ob).ob_type).tp_call.is_some() || vectorcall_function(ob).is_some();
        let tp = if callable { &raw mut _PyWeakref_CallableProxyType } else { &raw mut _PyWeakref_ProxyType };
        get_or_create(tp, ob, callback).into_c()
    }
}

/// What `wr` refers to: 1 and a new reference, 0 if it is dead, -1 with TypeError if it is no weak reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyWeakref_GetRef(wr: *mut PyObject, pobj: *mut *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        *pobj = null_mut();
        if wr.is_null() {
            PyErr_BadInternalCall();
            return -1;
        }
        if !is_ref(wr) {
            let _ = raise!(PyExc_TypeError, "expected a weakref");
            return -1;
        }
        match get_ref(wr) {
            Some(op) => {
                *pobj = op.into_raw();
                1
            }
            None => 0,
        }
    }
}

/// What `wr` refers to, borrowed; `None` if it is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyWeakref_GetObject(wr: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if wr.is_null() || !is_ref(wr) {
            PyErr_BadInternalCall();
            return null_mut();
        }
        match get_ref(wr) {
            Some(op) => op.as_ptr(),
            None => Py_None(),
        }
    }
}

/// Whether what `wr` refers to is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyWeakref_IsDead(wr: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { get_ref(wr).is_none() as c_int }
}

/// How many weak references an object has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyWeakref_GetWeakrefCount(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if !supports_weakrefs((*op).ob_type) {
            return 0;
        }
        let mut count = 0;
        let mut head = *listptr(op);
        while !head.is_null() {
            count += 1;
            head = (*head).wr_next;
        }
        count
    }
}

/// Makes a reference dead without calling or releasing its callback: the collector does that later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyWeakref_ClearRef(slf: *mut PyWeakReference) {
    // SAFETY: [ARGS]
    unsafe { unlink(slf) }
}

/// Makes all weak references to a dying object dead, then calls the callbacks of those that survive it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_ClearWeakRefs(object: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if object.is_null() || !supports_weakrefs((*object).ob_type) || Py_REFCNT(object) != 0 {
            PyErr_BadInternalCall();
            return;
        }
        let list = listptr(object);
        if (*list).is_null() {
            return;
        }
        while !(*list).is_null() && is_basic(*list) {
            clear_weakref(*list);
        }
        if (*list).is_null() {
            return;
        }
        let exc = PyErr_GetRaisedException();
        // All are dead before the first callback runs; each is held for its callback.
        let mut pending: Vec<(Owned, Option<Owned>)> = Vec::new();
        while !(*list).is_null() {
            let wr = *list;
            let callback = clear_weakref(wr);
            if Py_REFCNT(wr.cast()) > 0 {
                pending.push((Owned::from_borrowed(wr.cast()), callback));
            }
        }
        for (wr, callback) in &pending {
            if let Some(callback) = callback {
                let result = PyObject_CallOneArg(callback.as_ptr(), wr.as_ptr());
                if result.is_null() {
                    PyErr_WriteUnraisable(callback.as_ptr());
                } else {
                    Py_DECREF(result);
                }
            }
        }
        drop(pending);
        PyErr_SetRaisedException(exc);
    }
}

/// As [`PyObject_ClearWeakRefs`] without callbacks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyWeakref_ClearWeakRefsNoCallbacks(object: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let list = listptr(object);
        while !(*list).is_null() {
            unlink(*list);
        }
    }
}

/// As [`PyObject_ClearWeakRefs`] without callbacks, for any object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_Object_ClearWeakRefsNoCallbacks(object: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if supports_weakrefs((*object).ob_type) {
            _PyWeakref_ClearWeakRefsNoCallbacks(object);
        }
    }
}
