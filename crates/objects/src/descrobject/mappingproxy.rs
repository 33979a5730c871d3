//! `mappingproxy`: a read-only view of a mapping. Nothing here may give the mapping itself away.

use crate::object::{gc_new, gc_track, own};
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, methods};

type Ob = *mut PyObject;

#[repr(C)]
struct MappingProxy {
    ob_base: PyObject,
    mapping: Ob,
}
type Mp<'a> = Borrowed<'a, MappingProxy>;

#[inline(always)]
unsafe fn mapping(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<MappingProxy>()).mapping }
}

unsafe extern "C" fn mappingproxy_len(op: Ob) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { PyObject_Size(mapping(op)) }
}
unsafe extern "C" fn mappingproxy_getitem(op: Ob, key: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { PyObject_GetItem(mapping(op), key) }
}
unsafe extern "C" fn mappingproxy_contains(op: Ob, key: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let m = mapping(op);
        if PyDict_CheckExact(m) != 0 { PyDict_Contains(m, key) } else { PySequence_Contains(m, key) }
    }
}
unsafe extern "C" fn mappingproxy_or(left: Ob, right: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let unwrap = |op: Ob| if is_instance_of(op, &raw mut PyDictProxy_Type) { mapping(op) } else { op };
        PyNumber_Or(unwrap(left), unwrap(right))
    }
}
unsafe extern "C" fn mappingproxy_ior(op: Ob, _: Ob) -> Ob {
    // SAFETY: [ARGS]
    let _ = raise!(PyExc_TypeError, "'|=' is not supported by {}; use '|' instead", type_name(op));
    null_mut()
}
unsafe extern "C" fn mappingproxy_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        Py_DECREF(mapping(op));
        PyObject_GC_Del(op.cast());
    }
}
unsafe extern "C" fn mappingproxy_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit(mapping(op), visitor, arg) }
}
unsafe extern "C" fn mappingproxy_getiter(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { PyObject_GetIter(mapping(op)) }
}
unsafe extern "C" fn mappingproxy_hash(op: Ob) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe { PyObject_Hash(mapping(op)) }
}
unsafe extern "C" fn mappingproxy_str(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { PyObject_Str(mapping(op)) }
}
unsafe extern "C" fn mappingproxy_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { PyUnicode_FromFormat(c"mappingproxy(%R)".as_ptr(), mapping(op)) }
}
unsafe extern "C" fn mappingproxy_richcompare(op: Ob, other: Ob, opid: c_int) -> Ob {
    // SAFETY: [TYPE]
    unsafe { PyObject_RichCompare(mapping(op), other, opid) }
}

fn mappingproxy_get(slf: Mp<'_>, key: Borrowed<'_>, default: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let get = own(PyObject_GetAttr(slf.mapping, intern!("get")))?;
        let args = [key.ob(), default.ob()];
        own(PyObject_Vectorcall(get.as_ptr(), args.as_ptr(), 2, null_mut()))
    }
}

macro_rules! forward {
    ($($name:ident $method:literal)*) => { $(
        fn $name(slf: Mp<'_>) -> PyResult<Owned> {
            // SAFETY: [TYPE]
            unsafe { own(PyObject_CallMethodNoArgs(slf.mapping, intern!($method))) }
        }
    )* };
}
forward! {
    mappingproxy_keys "keys"
    mappingproxy_values "values"
    mappingproxy_items "items"
    mappingproxy_copy "copy"
    mappingproxy_reversed "__reversed__"
}

methods! { static MAPPINGPROXY_METHODS = [
    "get($self, key, default=None, /)" => mappingproxy_get, "The value for key if the mapping has it, else default.";
    "keys($self, /)" => mappingproxy_keys, "A view of the keys.";
    "values($self, /)" => mappingproxy_values, "A view of the values.";
    "items($self, /)" => mappingproxy_items, "A view of the items.";
    "copy($self, /)" => mappingproxy_copy, "A shallow copy of the mapping.";
    raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS, "See PEP 585";
    "__reversed__($self, /)" => mappingproxy_reversed, "An iterator over the keys backwards.";
]; }

unsafe fn proxy_of(op: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyMapping_Check(op) == 0 || PyList_Check(op) != 0 || PyTuple_Check(op) != 0 {
            bail!(PyExc_TypeError, "mappingproxy() argument must be a mapping, not {}", type_name(op));
        }
        let pp: *mut MappingProxy = gc_new(&raw mut PyDictProxy_Type)?;
        Py_INCREF(op);
        (*pp).mapping = op;
        Ok(gc_track(pp))
    }
}

fn mappingproxy_new(_: Borrowed<'_, PyTypeObject>, mapping: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { proxy_of(mapping.ob()) }
}

static mut MAPPINGPROXY_AS_NUMBER: PyNumberMethods = {
    // SAFETY: absent functions are NULL.
    let mut n: PyNumberMethods = unsafe { core::mem::zeroed() };
    n.nb_or = Some(mappingproxy_or);
    n.nb_inplace_or = Some(mappingproxy_ior);
    n
};
static mut MAPPINGPROXY_AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: Some(mappingproxy_len), mp_subscript: Some(mappingproxy_getitem), mp_ass_subscript: None };
static mut MAPPINGPROXY_AS_SEQUENCE: PySequenceMethods = {
    // SAFETY: absent functions are NULL.
    let mut s: PySequenceMethods = unsafe { core::mem::zeroed() };
    s.sq_contains = Some(mappingproxy_contains);
    s
};

/// `mappingproxy`.
#[unsafe(no_mangle)]
pub static mut PyDictProxy_Type: PyTypeObject = PyTypeObject {
    tp_name: c"mappingproxy".as_ptr(),
    tp_basicsize: size_of::<MappingProxy>() as Py_ssize_t,
    tp_dealloc: Some(mappingproxy_dealloc),
    tp_repr: Some(mappingproxy_repr),
    tp_as_number: &raw mut MAPPINGPROXY_AS_NUMBER,
    tp_as_sequence: &raw mut MAPPINGPROXY_AS_SEQUENCE,
    tp_as_mapping: &raw mut MAPPINGPROXY_AS_MAPPING,
    tp_hash: Some(mappingproxy_hash),
    tp_str: Some(mappingproxy_str),
    tp_getattro: Some(crate::object::PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_MAPPING,
    tp_doc: c"mappingproxy(mapping)\n--\n\nA view of a mapping that can't change it.".as_ptr(),
    tp_traverse: Some(mappingproxy_traverse),
    tp_richcompare: Some(mappingproxy_richcompare),
    tp_iter: Some(mappingproxy_getiter),
    tp_methods: (&raw mut MAPPINGPROXY_METHODS).cast(),
    tp_new: Some(constructor!("mappingproxy(mapping)" => mappingproxy_new)),
    ..TYPE_INIT
};

/// A proxy of a mapping.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDictProxy_New(mapping: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { proxy_of(mapping).into_c() }
}
