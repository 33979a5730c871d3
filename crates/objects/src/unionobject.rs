//! `types.UnionType`: `int | str` (PEP 604).

use crate::genericaliasobject::{_Py_make_parameters, _Py_subs_parameters, is_generic_alias, joined, type_repr};
use crate::object::{gc_new, gc_track, own};
use crate::typeobject::{PyType_GenericAlloc, TYPE_INIT, tuple_items};
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, members};

type Ob = *mut PyObject;

#[repr(C)]
struct Union {
    ob_base: PyObject,
    args: Ob,
    parameters: Ob,
}

#[inline(always)]
unsafe fn union_of<'a>(op: Ob) -> &'a mut Union {
    // SAFETY: [TYPE]
    unsafe { &mut *op.cast() }
}

unsafe fn is_union(op: Ob) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == &raw mut _PyUnion_Type }
}

unsafe extern "C" fn union_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        Py_XDECREF(union_of(op).args);
        Py_XDECREF(union_of(op).parameters);
        PyObject_GC_Del(op.cast());
    }
}

unsafe extern "C" fn union_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; union_of(op).args, union_of(op).parameters);
        0
    }
}

/// The order of the members doesn't matter.
unsafe extern "C" fn union_hash(op: Ob) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        match own(PyFrozenSet_New(union_of(op).args)) {
            Ok(set) => PyObject_Hash(set.as_ptr()),
            Err(_) => -1,
        }
    }
}

unsafe extern "C" fn union_richcompare(a: Ob, b: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if !is_union(b) || (op != Py_EQ && op != Py_NE) {
            return Py_NotImplemented();
        }
        let body = || -> PyResult<Owned> {
            let a = own(PySet_New(union_of(a).args))?;
            let b = own(PySet_New(union_of(b).args))?;
            own(PyObject_RichCompare(a.as_ptr(), b.as_ptr(), op))
        };
        body().into_c()
    }
}

/// Whether two members are the same: identical, or equal generic aliases.
unsafe fn is_same(a: Ob, b: Ob) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        if is_generic_alias(a) && is_generic_alias(b) {
            let r = PyObject_RichCompareBool(a, b, Py_EQ);
            return check_status(r).map(|()| r != 0);
        }
        Ok(a == b)
    }
}

unsafe fn is_unionable(op: Ob) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        op == Py_None()
            || PyType_Check(op) != 0
            || is_generic_alias(op)
            || is_union(op)
            || (*op).ob_type == &raw mut crate::typevarobject::_PyTypeAlias_Type
    }
}

/// `left | right` of types; NotImplemented for anything that can't be in a union.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_union_type_or(left: Ob, right: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if !is_unionable(left) || !is_unionable(right) {
            return Py_NotImplemented();
        }
        let body = || -> PyResult<Owned> {
            // None stands for its type.
            let none_type = |op: Ob| if op == Py_None() { crate::object::ob!(_PyNone_Type) } else { op };
            let (left, right) = (none_type(left), none_type(right));
            let (l, r) = ([left], [right]);
            let items1: &[Ob] = if is_union(left) { tuple_items(union_of(left).args) } else { &l };
            let items2: &[Ob] = if is_union(right) { tuple_items(union_of(right).args) } else { &r };
            let mut all = items1.to_vec();
            'next: for &item in items2 {
                for &other in items1 {
                    if is_same(other, item)? {
                        continue 'next;
                    }
                }
                all.push(item);
            }
            if all.len() == items1.len() {
                return Ok(Owned::from_borrowed(left));
            }
            make_union(&all)
        };
        body().into_c()
    }
}

unsafe fn make_union(items: &[Ob]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let args = own(_PyTuple_FromArray(items.as_ptr(), items.len() as Py_ssize_t))?;
        let u: *mut Union = gc_new(&raw mut _PyUnion_Type)?;
        (*u).args = args.into_raw();
        (*u).parameters = null_mut();
        Ok(gc_track(u))
    }
}

unsafe fn member_repr(op: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if op == crate::object::ob!(_PyNone_Type) {
            return own(PyUnicode_FromString(c"None".as_ptr()));
        }
        type_repr(op)
    }
}

unsafe extern "C" fn union_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { joined(tuple_items(union_of(op).args), c" | ", member_repr).into_c() }
}

unsafe fn parameters_of(op: Ob) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if union_of(op).parameters.is_null() {
            let params = _Py_make_parameters(union_of(op).args)?;
            setref(&raw mut union_of(op).parameters, params.into_raw());
        }
        Ok(Owned::from_borrowed(union_of(op).parameters))
    }
}

unsafe extern "C" fn union_getitem(op: Ob, item: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let body = || -> PyResult<Owned> {
            let params = parameters_of(op)?;
            let args = _Py_subs_parameters(op, union_of(op).args, params.as_ptr(), item)?;
            let items = tuple_items(args.as_ptr());
            let Some((&first, rest)) = items.split_first() else { return make_union(&[]) };
            let mut result = Owned::from_borrowed(first);
            for &arg in rest {
                result = own(PyNumber_Or(result.as_ptr(), arg))?;
            }
            Ok(result)
        };
        body().into_c()
    }
}

unsafe extern "C" fn union_getattro(op: Ob, name: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        if PyUnicode_Check(name) != 0 && _PyUnicode_Equal(name, intern!("__module__")) != 0 {
            return PyObject_GetAttr((*op).ob_type.cast(), name);
        }
        crate::object::PyObject_GenericGetAttr(op, name)
    }
}

fn union_parameters(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { parameters_of(slf.ob()) }
}

members! { static UNION_MEMBERS = [
    "__args__", crate::descrobject::T_OBJECT, offset_of!(Union, args), Py_READONLY, "";
]; }
getset! { static UNION_GETSETS = [
    "__parameters__" => union_parameters, "Type variables in the types.UnionType.";
]; }

static mut UNION_AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: None, mp_subscript: Some(union_getitem), mp_ass_subscript: None };
static mut UNION_AS_NUMBER: PyNumberMethods = {
    // SAFETY: absent functions are NULL.
    let mut n: PyNumberMethods = unsafe { core::mem::zeroed() };
    n.nb_or = Some(_Py_union_type_or);
    n
};

/// `types.UnionType`.
#[unsafe(no_mangle)]
pub static mut _PyUnion_Type: PyTypeObject = PyTypeObject {
    tp_name: c"types.UnionType".as_ptr(),
    tp_basicsize: size_of::<Union>() as Py_ssize_t,
    tp_dealloc: Some(union_dealloc),
    tp_repr: Some(union_repr),
    tp_as_number: &raw mut UNION_AS_NUMBER,
    tp_as_mapping: &raw mut UNION_AS_MAPPING,
    tp_hash: Some(union_hash),
    tp_getattro: Some(union_getattro),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"A union of types (PEP 604), such as int | str".as_ptr(),
    tp_traverse: Some(union_traverse),
    tp_richcompare: Some(union_richcompare),
    tp_members: (&raw mut UNION_MEMBERS).cast(),
    tp_getset: (&raw mut UNION_GETSETS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

/// The members of a union, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_union_args(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { union_of(op).args }
}
