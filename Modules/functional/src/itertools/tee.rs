//! `tee`: independent iterators that share a queue of what one of them has read and another not yet.

use super::{Next, Tp, deprecated, lent};
use crate::iterator_type;
use crate::support::{Slf, iter, new, next, tuple};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, methods};
use taipan_objects::typeobject::TYPE_INIT;

const LINKCELLS: usize = 57;

/// A link of the queue that the iterators of one `tee` share.
#[repr(C)]
struct TeeData {
    ob_base: PyObject,
    it: *mut PyObject,
    next: *mut PyObject,
    numread: usize,
    running: bool,
    values: [*mut PyObject; LINKCELLS],
}
#[repr(C)]
struct Tee {
    ob_base: PyObject,
    data: *mut TeeData,
    index: usize,
    weakreflist: *mut PyObject,
}

unsafe fn tee_data_new(it: *mut PyObject) -> PyResult<Owned<TeeData>> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let d = new::<TeeData>(Borrowed::from_ptr(&raw mut TEE_DATA))?;
        (*d.as_ptr()).it = lent(it).into_raw();
        Ok(d)
    }
}

impl TeeData {
    unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
        // SAFETY: [TYPE]
        unsafe {
            let d = slf.cast::<TeeData>();
            py_visit!(visitor, arg; (*d).it, (*d).next);
            for i in 0..(*d).numread {
                py_visit!(visitor, arg; (*d).values[i]);
            }
        }
        0
    }
    unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
        // SAFETY: [TYPE] a long chain of links is released link by link, not recursively.
        unsafe {
            let d = slf.cast::<TeeData>();
            setref(&raw mut (*d).it, null_mut());
            let n = core::mem::replace(&mut (*d).numread, 0);
            for i in 0..n {
                setref(&raw mut (*d).values[i], null_mut());
            }
            let mut next = core::mem::replace(&mut (*d).next, null_mut());
            while !next.is_null() && Py_REFCNT(next) == 1 {
                let after = core::mem::replace(&mut (*next.cast::<TeeData>()).next, null_mut());
                Py_DECREF(next);
                next = after;
            }
            Py_XDECREF(next);
        }
        0
    }
    unsafe extern "C" fn dealloc(slf: *mut PyObject) {
        // SAFETY: [OWN]
        unsafe {
            PyObject_GC_UnTrack(slf.cast());
            Self::clear(slf);
            PyObject_GC_Del(slf.cast());
        }
    }
    unsafe fn item(d: *mut TeeData, i: usize) -> Next {
        // SAFETY: [TYPE]
        unsafe {
            if i < (*d).numread {
                return Ok(Some(lent((*d).values[i])));
            }
            if (*d).running {
                bail!(PyExc_RuntimeError, "cannot re-enter the tee iterator");
            }
            (*d).running = true;
            let got = next((*d).it);
            (*d).running = false;
            let Some(value) = got? else { return Ok(None) };
            (*d).values[i] = value.clone().into_raw();
            (*d).numread += 1;
            Ok(Some(value))
        }
    }
    unsafe fn link(d: *mut TeeData) -> PyResult<Owned<TeeData>> {
        // SAFETY: [TYPE]
        unsafe {
            if (*d).next.is_null() {
                (*d).next = tee_data_new((*d).it)?.into_raw().cast();
            }
            Ok(lent((*d).next).cast())
        }
    }
}

impl Tee {
    unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
        // SAFETY: [TYPE]
        unsafe { visit((*slf.cast::<Tee>()).data, visitor, arg) }
    }
    unsafe extern "C" fn dealloc(slf: *mut PyObject) {
        // SAFETY: [OWN]
        unsafe {
            PyObject_GC_UnTrack(slf.cast());
            let t = slf.cast::<Tee>();
            if !(*t).weakreflist.is_null() {
                PyObject_ClearWeakRefs(slf);
            }
            Py_XDECREF((*t).data.cast());
            PyObject_GC_Del(slf.cast());
        }
    }
}

unsafe fn tee_next(mut t: Slf<Tee>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        if t.index >= LINKCELLS {
            let link = TeeData::link(t.data)?;
            setref(&raw mut t.data, link.into_raw());
            t.index = 0;
        }
        let data = Owned::from_borrowed(t.data);
        let value = TeeData::item(data.as_ptr(), t.index)?;
        if value.is_some() {
            t.index += 1;
        }
        Ok(value)
    }
}

fn tee_copy(slf: Borrowed<'_, Tee>) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let t = new::<Tee>(Borrowed::from_ptr(slf.ob_type()))?;
        (*t.as_ptr()).data = Owned::from_borrowed(slf.data).into_raw();
        (*t.as_ptr()).index = slf.index;
        Ok(t.into_object())
    }
}

fn tee_from_iterable(iterable: Borrowed<'_>) -> PyResult<Owned> {
    let it = iter(iterable)?;
    // SAFETY: [TYPE]
    unsafe {
        if type_of(it.as_ptr()) == &raw mut TEE {
            return tee_copy(it.borrow().cast());
        }
        let data = tee_data_new(it.as_ptr())?;
        let t = new::<Tee>(Borrowed::from_ptr(&raw mut TEE))?;
        (*t.as_ptr()).data = data.into_raw();
        Ok(t.into_object())
    }
}

fn tee_new(_: Tp<'_>, iterable: Borrowed<'_>) -> PyResult<Owned> {
    tee_from_iterable(iterable)
}

pub(super) fn tee(_: (), iterable: Borrowed<'_>, n: isize) -> PyResult<Owned> {
    if n < 0 {
        bail!(PyExc_ValueError, "n must be >= 0");
    }
    if n == 0 {
        return tuple(Vec::new());
    }
    let it = iter(iterable)?;
    let first = tee_from_iterable(it.borrow())?;
    let mut all = vec![first];
    for i in 1..n as usize {
        // SAFETY: [TYPE] made just now.
        let copy = tee_copy(unsafe { all[i - 1].borrow().cast() })?;
        all.push(copy);
    }
    tuple(all)
}

fn tee_reduce(slf: Borrowed<'_, Tee>) -> PyResult<Owned> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(Py_BuildValue(c"O(())(Oi)".as_ptr(), slf.ob_type(), slf.data, slf.index as c_int)) }
}
fn tee_setstate(slf: Borrowed<'_, Tee>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe {
        if PyTuple_Check(state.ob()) == 0 {
            bail!(PyExc_TypeError, "state is not a tuple");
        }
        let (mut data, mut index): (*mut PyObject, c_int) = (null_mut(), 0);
        if PyArg_ParseTuple(state.ob(), c"O!i".as_ptr(), &raw mut TEE_DATA, &raw mut data, &raw mut index) == 0 {
            return Err(Raised::assume());
        }
        if index < 0 || index as usize > LINKCELLS {
            bail!(PyExc_ValueError, "Index out of range");
        }
        setref(&raw mut (*slf.as_ptr()).data, lent(data).into_raw().cast());
        (*slf.as_ptr()).index = index as usize;
        Ok(())
    }
}

fn data_reduce(slf: Borrowed<'_, TeeData>) -> PyResult<Owned> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe {
        let d = slf.as_ptr();
        let values = Owned::from_owned_or_err(PyList_New((*d).numread as Py_ssize_t))?;
        for i in 0..(*d).numread {
            PyList_SET_ITEM(values.as_ptr(), i as Py_ssize_t, lent((*d).values[i]).into_raw());
        }
        let next = if (*d).next.is_null() { Py_None() } else { (*d).next };
        Owned::from_owned_or_err(Py_BuildValue(c"O(OOO)".as_ptr(), slf.ob_type(), (*d).it, values.as_ptr(), next))
    }
}
fn data_new(_: Tp<'_>, iterable: Borrowed<'_>, values: Borrowed<'_>, after: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if PyList_Check(values.ob()) == 0 {
            bail!(PyExc_TypeError, "teedataobject() argument 2 must be list, not {}", type_name(values.ob()));
        }
        let d = tee_data_new(iterable.ob())?;
        let n = PyList_Size(values.ob()) as usize;
        // Only a full link has one after it.
        let linked = !after.is_none();
        if n > LINKCELLS || (linked && (n < LINKCELLS || type_of(after.ob()) != &raw mut TEE_DATA)) {
            bail!(PyExc_ValueError, "Invalid arguments");
        }
        for i in 0..n {
            (*d.as_ptr()).values[i] = lent(PyList_GET_ITEM(values.ob(), i as Py_ssize_t)).into_raw();
        }
        (*d.as_ptr()).numread = n;
        if linked {
            (*d.as_ptr()).next = after.to_owned().into_raw();
        }
        Ok(d.into_object())
    }
}

methods! {
    static TEE_METHODS = [
        "__copy__($self, /)" => tee_copy, "An independent iterator at the same place.";
        "__reduce__($self, /)" => tee_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => tee_setstate, "For pickle and copy.";
    ];
}
methods! { static DATA_METHODS = [ "__reduce__($self, /)" => data_reduce, "For pickle and copy."; ]; }

iterator_type! { TEE_PLAIN, "itertools._tee", Tee, new: Some(constructor!("_tee(iterable, /)" => tee_new)), next: tee_next,
    methods: (&raw mut TEE_METHODS).cast(), "One of the iterators of a tee." }
/// The type of the iterators: as [`TEE_PLAIN`], with weak references, and not subclassable.
pub(super) static mut TEE: PyTypeObject = TYPE_INIT;
/// The type of the queue's links.
pub(super) static mut TEE_DATA: PyTypeObject = PyTypeObject {
    tp_name: c"itertools._tee_dataobject".as_ptr(),
    tp_basicsize: size_of::<TeeData>() as Py_ssize_t,
    tp_dealloc: Some(TeeData::dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"A link of a tee's queue.".as_ptr(),
    tp_traverse: Some(TeeData::traverse),
    tp_clear: Some(TeeData::clear),
    tp_methods: (&raw mut DATA_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(constructor!("teedataobject(iterable, values, next, /)" => data_new)),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

/// Completes the types.
pub(super) fn prepare() {
    // SAFETY: [STATIC] before the types are readied.
    unsafe {
        if TEE.tp_name.is_null() {
            core::ptr::copy_nonoverlapping(&raw const TEE_PLAIN, &raw mut TEE, 1);
            TEE.tp_weaklistoffset = core::mem::offset_of!(Tee, weakreflist) as Py_ssize_t;
            TEE.tp_flags &= !Py_TPFLAGS_BASETYPE;
        }
    }
}
