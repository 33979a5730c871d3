//! `_ctypes._CData`: a C value in memory that the object owns, or that belongs to another object or to nobody.

use crate::simple::Access;
use crate::state::{T_OBJECT, class_name, class_name_of, is_a, state};
use crate::stginfo::*;
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::support::*;
use taipan_clinic::{members, methods};

/// A C value.
#[repr(C)]
pub struct CDataObject {
    /// Header.
    pub ob_base: PyObject,
    /// The value's address.
    pub b_ptr: *mut u8,
    /// Whether the memory is the object's own.
    pub b_needsfree: c_int,
    /// Else: the object whose memory it is, if one is known.
    pub b_base: *mut CDataObject,
    /// Bytes of memory.
    pub b_size: isize,
    /// How many references it may keep.
    pub b_length: isize,
    /// Its index in `b_base`.
    pub b_index: isize,
    /// What must live as long: NULL, a dict, or one object.
    pub b_objects: *mut PyObject,
    /// Memory of small values.
    pub b_value: InlineValue,
}

/// Room for any simple value.
#[repr(C, align(16))]
pub struct InlineValue([u8; 16]);

/// A ctypes object.
pub type Data<'a> = Borrowed<'a, CDataObject>;

/// Whether it is a ctypes object.
pub fn is_cdata(op: *mut PyObject) -> bool {
    is_a(op, state().cdata)
}

fn inline_value(op: *mut CDataObject) -> *mut u8 {
    // SAFETY: [TYPE] a field's address.
    unsafe { (&raw mut (*op).b_value).cast() }
}

/// Whether the memory is a block of its own.
pub fn has_external_buffer(op: *mut CDataObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { (*op).b_ptr != inline_value(op) }
}

/// Allocates zeroed memory for the value.
unsafe fn allocate_value(op: *mut CDataObject, size: isize) -> PyResult<()> {
    // SAFETY: [TYPE] a new object.
    unsafe {
        if size as usize <= size_of::<InlineValue>() {
            (*op).b_ptr = inline_value(op);
        } else {
            let memory = PyMem_Calloc(1, size as usize);
            if memory.is_null() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
            (*op).b_ptr = memory.cast();
        }
        (*op).b_needsfree = 1;
        (*op).b_size = size;
    }
    Ok(())
}

fn allocate(tp: *mut PyObject) -> PyResult<Owned<CDataObject>> {
    new::<CDataObject>(tp.cast())
}

/// A new, zeroed instance of class `tp`.
pub fn new_cdata(tp: *mut PyObject) -> PyResult<Owned<CDataObject>> {
    let info = info_or_abstract(tp)?;
    info.flags |= DICTFLAG_FINAL;
    let (length, size) = (info.length, info.size);
    let made = allocate(tp)?;
    // SAFETY: [TYPE] new.
    unsafe {
        (*made.as_ptr()).b_length = length;
        allocate_value(made.as_ptr(), size)?;
    }
    Ok(made)
}

/// `tp_new` of the classes that need nothing else.
pub unsafe extern "C" fn generic_new(tp: *mut PyTypeObject, _args: *mut PyObject, _kwargs: *mut PyObject) -> *mut PyObject {
    new_cdata(tp.cast()).map(Owned::into_object).into_c()
}

/// An instance of class `tp` whose memory is at `address`: part of `base`, or a copy of it where there is none.
///
/// # Safety
/// The memory has the class's size; `base` is NULL or a ctypes object.
pub unsafe fn from_base(tp: *mut PyObject, base: *mut PyObject, index: isize, address: *mut u8) -> PyResult {
    let info = info_or_abstract(tp)?;
    info.flags |= DICTFLAG_FINAL;
    let (length, size) = (info.length, info.size);
    let made = allocate(tp)?;
    // SAFETY: [TYPE] new.
    unsafe {
        let op = made.as_ptr();
        (*op).b_length = length;
        (*op).b_size = size;
        (*op).b_index = index;
        if base.is_null() {
            allocate_value(op, size)?;
            core::ptr::copy_nonoverlapping(address, (*op).b_ptr, size as usize);
        } else {
            (*op).b_ptr = address;
            Py_INCREF(base);
            (*op).b_base = base.cast();
        }
    }
    Ok(made.into_object())
}

/// An instance of class `tp` whose memory is at `address` and belongs to nobody.
///
/// # Safety
/// As the program says.
pub unsafe fn at_address(tp: *mut PyObject, address: *mut u8) -> PyResult<Owned<CDataObject>> {
    // SAFETY: [TYPE] new.
    unsafe {
        audit(c"ctypes.cdata", &[int(address as i64)?.as_ptr()])?;
        let info = info_or_abstract(tp)?;
        info.flags |= DICTFLAG_FINAL;
        let (length, size) = (info.length, info.size);
        let made = allocate(tp)?;
        let op = made.as_ptr();
        (*op).b_ptr = address;
        (*op).b_length = length;
        (*op).b_size = size;
        Ok(made)
    }
}

/// Whether `tp` is a subclass of a simple type, made by the program; its instances are kept as objects.
pub fn is_simple_subclass(tp: *mut PyObject) -> bool {
    // SAFETY: [TYPE] an instance of the metaclass is a type.
    is_a(tp, state().simple_meta) && unsafe { (*tp.cast::<PyTypeObject>()).tp_base } != state().simple
}

/// The value of type `tp` at `address`, which lies in `src` under `index`.
///
/// # Safety
/// The memory holds such a value.
pub unsafe fn get_value(tp: *mut PyObject, access: Option<Access>, src: *mut PyObject, index: isize, size: isize, address: *mut u8) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(access) = access {
            return (access.get)(address, size);
        }
        if let Some(access) = info_of(tp).and_then(|info| info.access)
            && !is_simple_subclass(tp)
        {
            return (access.get)(address, size);
        }
        from_base(tp, src, index, address)
    }
}

/// Stores `value` as a `tp` at `address` in `dst`, and keeps alive what it needs.
///
/// # Safety
/// The memory has the type's size.
pub unsafe fn set_value(
    dst: *mut PyObject,
    tp: *mut PyObject,
    access: Option<Access>,
    value: *mut PyObject,
    index: isize,
    size: isize,
    address: *mut u8,
) -> PyResult<()> {
    if !is_cdata(dst) {
        bail!(PyExc_TypeError, "not a ctype instance");
    }
    // SAFETY: [ARGS]
    unsafe {
        let keep = store(tp, access, value, size, address)?;
        keep_reference(dst.cast(), index, keep)
    }
}

/// Stores `value`; returns what must stay alive.
unsafe fn store(tp: *mut PyObject, access: Option<Access>, value: *mut PyObject, size: isize, address: *mut u8) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(access) = access {
            return (access.set)(address, value, size);
        }
        let pointer = is_a(tp, state().pointer_meta);
        if !is_cdata(value) {
            if let Some(access) = info_of(tp).and_then(|info| info.access) {
                return (access.set)(address, value, size);
            }
            if PyTuple_Check(value) != 0 {
                let made = match Owned::from_owned_or_err(PyObject_CallObject(tp, value)) {
                    Ok(made) => made,
                    Err(raised) => return Err(crate::callproc::extend_error(raised, PyExc_RuntimeError, &format!("({}) ", class_name(tp)))),
                };
                return store(tp, access, made.as_ptr(), size, address);
            }
            if value == Py_None() && pointer {
                address.cast::<*mut c_void>().write_unaligned(null_mut());
                return Ok(none());
            }
            bail!(PyExc_TypeError, "expected {} instance, got {}", class_name(tp), class_name_of(value));
        }
        let src = value.cast::<CDataObject>();
        let instance = PyObject_IsInstance(value, tp);
        check_status(instance)?;
        if instance != 0 {
            core::ptr::copy((*src).b_ptr, address, size as usize);
            return kept_objects(src);
        }
        if pointer && is_a(value, state().array) {
            let same = matches!((info_of_instance(value), info_of(tp)), (Some(a), Some(b)) if a.proto == b.proto);
            if same {
                address.cast::<*mut u8>().write_unaligned((*src).b_ptr);
                // The array itself must live too, not only what it keeps.
                let keep = kept_objects(src)?;
                return tuple_of(&[keep.as_ptr(), value]);
            }
        }
        bail!(PyExc_TypeError, "incompatible types, {} instance instead of {} instance", class_name_of(value), class_name(tp))
    }
}

/// The object that owns the memory of `op`; it has somewhere to keep references.
unsafe fn container(mut op: *mut CDataObject) -> PyResult<*mut CDataObject> {
    // SAFETY: [TYPE] bases are ctypes objects.
    unsafe {
        while !(*op).b_base.is_null() {
            op = (*op).b_base;
        }
        if (*op).b_objects.is_null() {
            (*op).b_objects = if (*op).b_length != 0 { Owned::from_owned_or_err(PyDict_New())? } else { none() }.into_raw();
        }
        Ok(op)
    }
}

/// What the owner of the memory of `op` keeps alive.
///
/// # Safety
/// `op` is a ctypes object.
pub unsafe fn kept_objects(op: *mut CDataObject) -> PyResult {
    // SAFETY: [ARGS]
    unsafe { Ok(Owned::from_borrowed((*container(op)?).b_objects)) }
}

/// Keeps `keep` alive as long as the memory of `target` lives, in place of what was kept for `index`.
///
/// # Safety
/// `target` is a ctypes object.
pub unsafe fn keep_reference(target: *mut CDataObject, index: isize, keep: Owned) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if keep.as_ptr() == Py_None() {
            return Ok(());
        }
        let owner = container(target)?;
        if (*owner).b_objects.is_null() || PyDict_CheckExact((*owner).b_objects) == 0 {
            let old = core::mem::replace(&mut (*owner).b_objects, keep.into_raw());
            Py_XDECREF(old);
            return Ok(());
        }
        // The key: the indexes on the way to the owner.
        let mut key = format!("{:x}", index as i32);
        let mut op = target;
        while !(*op).b_base.is_null() {
            if key.len() > 255 - 1 - 16 {
                bail!(PyExc_ValueError, "ctypes object structure too deep");
            }
            key.push_str(&format!(":{:x}", (*op).b_index as i32));
            op = (*op).b_base;
        }
        let key = string(&key)?;
        check_status(PyDict_SetItem((*owner).b_objects, key.as_ptr(), keep.as_ptr()))
    }
}

/// Makes `src` share what it keeps alive with `result`, which points into it; for `cast()`.
///
/// # Safety
/// Both are ctypes objects.
pub unsafe fn share_kept_objects(src: *mut CDataObject, result: *mut CDataObject) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        container(src)?;
        if (*src).b_objects == Py_None() {
            (*src).b_objects = Owned::from_owned_or_err(PyDict_New())?.into_raw();
        }
        Py_XINCREF((*src).b_objects);
        let old = core::mem::replace(&mut (*result).b_objects, (*src).b_objects);
        Py_XDECREF(old);
        if !(*result).b_objects.is_null() && PyDict_CheckExact((*result).b_objects) != 0 {
            let key = Owned::from_owned_or_err(PyLong_FromVoidPtr(src.cast()))?;
            check_status(PyDict_SetItem((*result).b_objects, key.as_ptr(), src.cast()))?;
        }
    }
    Ok(())
}

/// `tp_traverse`.
pub unsafe extern "C" fn cdata_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let op = slf.cast::<CDataObject>();
        for p in [(*op).b_objects, (*op).b_base.cast(), type_of(slf).cast()] {
            let r = visit::<PyObject>(p, visitor, arg);
            if r != 0 {
                return r;
            }
        }
    }
    0
}

/// `tp_clear`.
pub unsafe extern "C" fn cdata_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let op = slf.cast::<CDataObject>();
        Py_XDECREF(core::mem::replace(&mut (*op).b_objects, null_mut()));
        if (*op).b_needsfree != 0 && has_external_buffer(op) {
            PyMem_Free((*op).b_ptr.cast());
        }
        (*op).b_ptr = null_mut();
        Py_XDECREF(core::mem::replace(&mut (*op).b_base, null_mut()).cast());
    }
    0
}

/// Frees an object whose references are released.
///
/// # Safety
/// Called by a `tp_dealloc`.
pub unsafe fn free_object(slf: *mut PyObject) {
    // SAFETY: [OWN] instances count their heap types.
    unsafe {
        let tp = type_of(slf);
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
        Py_DECREF(tp.cast());
    }
}

unsafe extern "C" fn cdata_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        cdata_clear(slf);
        free_object(slf);
    }
}

unsafe extern "C" fn cdata_hash(_: *mut PyObject) -> Py_hash_t {
    let _ = raise!(PyExc_TypeError, "unhashable type");
    -1
}

/// `bf_getbuffer`.
pub unsafe extern "C" fn cdata_getbuffer(slf: *mut PyObject, view: *mut Py_buffer, _flags: c_int) -> c_int {
    // SAFETY: [TYPE] format and shape live as long as the class.
    unsafe {
        let op = slf.cast::<CDataObject>();
        let Ok(info) = info_of_data(op) else { return -1 };
        let mut item = type_of(slf).cast::<PyObject>();
        while is_a(item, state().array_meta) {
            let Ok(info) = info_or_abstract(item) else { return -1 };
            item = info.proto;
        }
        let Ok(item_info) = info_or_abstract(item) else { return -1 };
        if view.is_null() {
            return 0;
        }
        Py_INCREF(slf);
        (*view).buf = (*op).b_ptr.cast();
        (*view).obj = slf;
        (*view).len = (*op).b_size;
        (*view).readonly = 0;
        (*view).format = info.format.as_ref().map_or(c"B", |f| f.as_c_str()).as_ptr().cast_mut();
        (*view).ndim = info.shape.len() as c_int;
        (*view).shape = if info.shape.is_empty() { null_mut() } else { info.shape.as_mut_ptr() };
        (*view).itemsize = item_info.size;
        (*view).strides = null_mut();
        (*view).suboffsets = null_mut();
        (*view).internal = null_mut();
    }
    0
}

fn from_outparam(slf: Borrowed<'_>) -> PyResult {
    Ok(slf.to_owned())
}

fn reduce(slf: Data<'_>) -> PyResult {
    let info = info_of_data(slf.as_ptr())?;
    if info.flags & (TYPEFLAG_ISPOINTER | TYPEFLAG_HASPOINTER) != 0 {
        bail!(PyExc_ValueError, "ctypes objects containing pointers cannot be pickled");
    }
    // SAFETY: [TYPE]
    unsafe {
        let dict = Owned::from_owned_or_err(PyObject_GetAttr(slf.ob(), intern!("__dict__")))?;
        let data = Owned::from_owned_or_err(PyBytes_FromStringAndSize(slf.b_ptr.cast(), slf.b_size))?;
        let tp = Owned::from_borrowed(slf.ob_type().cast::<PyObject>());
        let state_tuple = tuple(vec![dict, data])?;
        tuple(vec![Owned::from_borrowed(state().unpickle), tuple(vec![tp, state_tuple])?])
    }
}

unsafe extern "C" fn setstate(slf: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    let (mut dict, mut data, mut length) = (null_mut::<PyObject>(), null_mut::<u8>(), 0isize);
    // SAFETY: [ARGS] called with METH_VARARGS.
    let done = unsafe {
        (|| -> PyResult {
            let op = slf.cast::<CDataObject>();
            if PyArg_ParseTuple(args, c"O!s#".as_ptr(), &raw mut PyDict_Type, &raw mut dict, &raw mut data, &raw mut length) == 0 {
                return Err(Raised::assume());
            }
            core::ptr::copy(data, (*op).b_ptr, length.min((*op).b_size) as usize);
            let own = Owned::from_owned_or_err(PyObject_GetAttr(slf, intern!("__dict__")))?;
            if PyDict_Check(own.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "{}.__dict__ must be a dictionary, not {}", class_name_of(slf), class_name_of(own.as_ptr()));
            }
            check_status(PyDict_Update(own.as_ptr(), dict))?;
            Ok(none())
        })()
    };
    done.into_c()
}

methods! {
    static METHODS = [
        "__ctypes_from_outparam__($self, /)" => from_outparam, "What an output parameter of this class gives back.";
        "__reduce__($self, /)" => reduce, "What pickle needs.";
        raw "__setstate__", PyMethodDefPointer { PyCFunction: setstate }, METH_VARARGS, "";
    ];
}
members! {
    static MEMBERS = [
        "_b_base_", T_OBJECT, offset_of!(CDataObject, b_base), Py_READONLY, "the object whose memory this one uses";
        "_b_needsfree_", Py_T_INT, offset_of!(CDataObject, b_needsfree), Py_READONLY, "whether the memory is the object's own";
        "_objects", T_OBJECT, offset_of!(CDataObject, b_objects), Py_READONLY, "objects kept alive; not to be changed";
    ];
}

/// The slots of `_CData`.
pub fn slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_dealloc, cdata_dealloc as *mut c_void),
        (Py_tp_hash, cdata_hash as *mut c_void),
        (Py_tp_doc, c"A C value.".as_ptr() as *mut c_void),
        (Py_tp_traverse, cdata_traverse as *mut c_void),
        (Py_tp_clear, cdata_clear as *mut c_void),
        (Py_tp_methods, (&raw mut METHODS).cast()),
        (Py_tp_members, (&raw mut MEMBERS).cast()),
        (Py_bf_getbuffer, cdata_getbuffer as *mut c_void),
    ])
}
