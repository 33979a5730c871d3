//! What instances of `Structure`, `Union`, `Array`, `_Pointer` and `_SimpleCData` do.

use crate::cdata::*;
use crate::state::{class_name, class_name_of, dict_item, state};
use crate::stginfo::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::support::*;
use taipan_clinic::{getset, methods};

// ---- structures and unions

/// Sets the members of `tp`'s bases and then its own from positional arguments, starting with argument `index`; returns how
/// many members there are so far.
unsafe fn init_positional(slf: *mut PyObject, tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject, mut index: isize) -> PyResult<isize> {
    // SAFETY: [TYPE] classes of structures.
    unsafe {
        if info_of((*tp).tp_base.cast()).is_some() {
            index = init_positional(slf, (*tp).tp_base, args, kwargs, index)?;
        }
        let length = info_or_abstract(tp.cast())?.length;
        let dict = Owned::from_owned_or_err(PyType_GetDict(tp))?;
        let Some(fields) = dict_item(dict.as_ptr(), intern!("_fields_"))? else { return Ok(index) };
        for i in index..length.min(PyTuple_Size(args)) {
            let pair = Owned::from_owned_or_err(PySequence_GetItem(fields.as_ptr(), i - index))?;
            let name = Owned::from_owned_or_err(PySequence_GetItem(pair.as_ptr(), 0))?;
            if !kwargs.is_null() {
                let twice = PyDict_Contains(kwargs, name.as_ptr());
                check_status(twice)?;
                if twice != 0 {
                    PyErr_Format(PyExc_TypeError, c"duplicate values for field %R".as_ptr(), name.as_ptr());
                    return Err(Raised::assume());
                }
            }
            check_status(PyObject_SetAttr(slf, name.as_ptr(), PyTuple_GetItem(args, i)))?;
        }
        Ok(length)
    }
}

unsafe extern "C" fn aggregate_init(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] called as tp_init.
    unsafe {
        (|| -> PyResult<()> {
            let given = PyTuple_Size(args);
            if given > 0 && init_positional(slf, type_of(slf), args, kwargs, 0)? < given {
                bail!(PyExc_TypeError, "too many initializers");
            }
            if !kwargs.is_null() {
                let (mut at, mut name, mut value) = (0, null_mut(), null_mut());
                while PyDict_Next(kwargs, &mut at, &mut name, &mut value) != 0 {
                    check_status(PyObject_SetAttr(slf, name, value))?;
                }
            }
            Ok(())
        })()
        .into_c()
    }
}

/// The slots of `Structure` and `Union`.
pub fn aggregate_slots(doc: &'static core::ffi::CStr) -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_doc, doc.as_ptr() as *mut c_void),
        (Py_tp_init, aggregate_init as *mut c_void),
        (Py_tp_new, generic_new as *mut c_void),
        (Py_bf_getbuffer, cdata_getbuffer as *mut c_void),
    ])
}

// ---- arrays

unsafe extern "C" fn array_init(slf: *mut PyObject, args: *mut PyObject, _kwargs: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] called as tp_init.
    unsafe {
        for i in 0..PyTuple_Size(args) {
            if PySequence_SetItem(slf, i, PyTuple_GetItem(args, i)) < 0 {
                return -1;
            }
        }
    }
    0
}

unsafe fn array_get(slf: *mut PyObject, index: isize) -> PyResult {
    // SAFETY: [TYPE]
    unsafe {
        let op = slf.cast::<CDataObject>();
        if index < 0 || index >= (*op).b_length {
            bail!(PyExc_IndexError, "invalid index");
        }
        let info = info_of_data(op)?;
        let size = info.size / info.length;
        get_value(info.proto, info.access, slf, index, size, (*op).b_ptr.offset(index * size))
    }
}

unsafe fn array_set(slf: *mut PyObject, index: isize, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let op = slf.cast::<CDataObject>();
        if value.is_null() {
            bail!(PyExc_TypeError, "Array does not support item deletion");
        }
        let info = info_of_data(op)?;
        if index < 0 || index >= info.length {
            bail!(PyExc_IndexError, "invalid index");
        }
        let size = info.size / info.length;
        set_value(slf, info.proto, info.access, value, index, size, (*op).b_ptr.offset(index * size))
    }
}

unsafe extern "C" fn array_item(slf: *mut PyObject, index: isize) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { array_get(slf, index) }.into_c()
}
unsafe extern "C" fn array_ass_item(slf: *mut PyObject, index: isize, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { array_set(slf, index, value) }.into_c()
}

unsafe fn index_of(item: *mut PyObject) -> PyResult<isize> {
    // SAFETY: [ARGS]
    unsafe {
        let i = PyNumber_AsSsize_t(item, PyExc_IndexError);
        if i == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(i) }
    }
}

/// A slice of the items at `base`: bytes and str for characters, else a list of what `get` gives.
unsafe fn slice(code: u8, base: *const u8, start: isize, step: isize, length: isize, get: impl Fn(isize) -> PyResult) -> PyResult {
    // SAFETY: [ARGS] the indexes are the program's, or were checked.
    unsafe {
        let indexes = (0..length.max(0)).map(|i| start.wrapping_add(i.wrapping_mul(step)));
        match code {
            b'c' => bytes(&indexes.map(|i| *base.wrapping_offset(i)).collect::<Vec<u8>>()),
            b'u' => {
                let text: Vec<libc::wchar_t> = indexes.map(|i| base.cast::<libc::wchar_t>().wrapping_offset(i).read_unaligned()).collect();
                Owned::from_owned_or_err(PyUnicode_FromWideChar(text.as_ptr().cast(), text.len() as isize))
            }
            _ => {
                let list = Owned::from_owned_or_err(PyList_New(0))?;
                for i in indexes {
                    check_status(PyList_Append(list.as_ptr(), get(i)?.as_ptr()))?;
                }
                Ok(list)
            }
        }
    }
}

/// The type code of the items of an array or pointer.
fn item_code(info: &StgInfo) -> u8 {
    info_of(info.proto).map_or(0, |item| item.code())
}

unsafe extern "C" fn array_subscript(slf: *mut PyObject, item: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        (|| -> PyResult {
            let op = slf.cast::<CDataObject>();
            if PyIndex_Check(item) != 0 {
                let i = index_of(item)?;
                return array_get(slf, if i < 0 { i + (*op).b_length } else { i });
            }
            if PySlice_Check(item) == 0 {
                bail!(PyExc_TypeError, "indices must be integers");
            }
            let (mut start, mut stop, mut step) = (0, 0, 0);
            check_status(PySlice_Unpack(item, &mut start, &mut stop, &mut step))?;
            let length = PySlice_AdjustIndices((*op).b_length, &mut start, &mut stop, step);
            slice(item_code(info_of_data(op)?), (*op).b_ptr, start, step, length, |i| array_get(slf, i))
        })()
        .into_c()
    }
}

unsafe extern "C" fn array_ass_subscript(slf: *mut PyObject, item: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        (|| -> PyResult<()> {
            let op = slf.cast::<CDataObject>();
            if value.is_null() {
                bail!(PyExc_TypeError, "Array does not support item deletion");
            }
            if PyIndex_Check(item) != 0 {
                let i = index_of(item)?;
                return array_set(slf, if i < 0 { i + (*op).b_length } else { i }, value);
            }
            if PySlice_Check(item) == 0 {
                bail!(PyExc_TypeError, "indices must be integer");
            }
            let (mut start, mut stop, mut step) = (0, 0, 0);
            check_status(PySlice_Unpack(item, &mut start, &mut stop, &mut step))?;
            let length = PySlice_AdjustIndices((*op).b_length, &mut start, &mut stop, step);
            if PySequence_Size(value) != length {
                bail!(PyExc_ValueError, "Can only assign sequence of same size");
            }
            for i in 0..length {
                let v = Owned::from_owned_or_err(PySequence_GetItem(value, i))?;
                array_set(slf, start + i * step, v.as_ptr())?;
            }
            Ok(())
        })()
        .into_c()
    }
}

unsafe extern "C" fn array_length(slf: *mut PyObject) -> isize {
    // SAFETY: [TYPE]
    unsafe { (*slf.cast::<CDataObject>()).b_length }
}

methods! {
    static ARRAY_METHODS = [
        raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS, "See PEP 585";
    ];
}

/// The slots of `Array`.
pub fn array_slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_doc, c"Base class of arrays: ctype * length makes one, or a subclass with _length_ and _type_.".as_ptr() as *mut c_void),
        (Py_tp_methods, (&raw mut ARRAY_METHODS).cast()),
        (Py_tp_init, array_init as *mut c_void),
        (Py_tp_new, generic_new as *mut c_void),
        (Py_bf_getbuffer, cdata_getbuffer as *mut c_void),
        (Py_sq_length, array_length as *mut c_void),
        (Py_sq_item, array_item as *mut c_void),
        (Py_sq_ass_item, array_ass_item as *mut c_void),
        (Py_mp_length, array_length as *mut c_void),
        (Py_mp_subscript, array_subscript as *mut c_void),
        (Py_mp_ass_subscript, array_ass_subscript as *mut c_void),
    ])
}

/// The type of arrays of `length` items of class `item`; the same each time, as long as one lives.
///
/// # Safety
/// `item` is live.
pub unsafe fn array_type(item: *mut PyObject, length: isize) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let cache = state().array_cache;
        let n = int(length as i64)?;
        let key = tuple_of(&[item, n.as_ptr()])?;
        if let Some(proxy) = dict_item(cache, key.as_ptr())? {
            let mut found = null_mut();
            check_status(PyWeakref_GetRef(proxy.as_ptr(), &mut found))?;
            if let Some(found) = Owned::from_owned_or_opt(found) {
                return Ok(found);
            }
        }
        if PyType_Check(item) == 0 {
            bail!(PyExc_TypeError, "Expected a type object");
        }
        let name = string(&format!("{}_Array_{}", &class_name(item).chars().take(200).collect::<String>(), length))?;
        let bases = tuple_of(&[state().array.cast()])?;
        let dict = Owned::from_owned_or_err(PyDict_New())?;
        check_status(PyDict_SetItem(dict.as_ptr(), intern!("_length_"), n.as_ptr()))?;
        check_status(PyDict_SetItem(dict.as_ptr(), intern!("_type_"), item))?;
        let made = call(state().array_meta.cast(), &[name.as_ptr(), bases.as_ptr(), dict.as_ptr()])?;
        // When the type dies, its entry goes.
        let remover = new::<DictRemover>(state().dict_remover)?;
        (*remover.as_ptr()).key = key.clone().into_raw();
        (*remover.as_ptr()).dict = Owned::from_borrowed(cache).into_raw();
        let proxy = Owned::from_owned_or_err(PyWeakref_NewProxy(made.as_ptr(), remover.as_object()))?;
        check_status(PyDict_SetItem(cache, key.as_ptr(), proxy.as_ptr()))?;
        Ok(made)
    }
}

/// Called when what it was made for dies: takes one entry out of a dict.
#[repr(C)]
struct DictRemover {
    ob_base: PyObject,
    key: *mut PyObject,
    dict: *mut PyObject,
}

unsafe extern "C" fn remover_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let r = slf.cast::<DictRemover>();
        Py_XDECREF(core::mem::replace(&mut (*r).key, null_mut()));
        Py_XDECREF(core::mem::replace(&mut (*r).dict, null_mut()));
    }
    0
}
unsafe extern "C" fn remover_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let r = slf.cast::<DictRemover>();
        for p in [type_of(slf).cast(), (*r).key, (*r).dict] {
            let done = visit::<PyObject>(p, visitor, arg);
            if done != 0 {
                return done;
            }
        }
    }
    0
}
unsafe extern "C" fn remover_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        remover_clear(slf);
        free_object(slf);
    }
}
unsafe extern "C" fn remover_call(slf: *mut PyObject, _args: *mut PyObject, _kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let r = slf.cast::<DictRemover>();
        if !(*r).key.is_null() && !(*r).dict.is_null() {
            if PyDict_DelItem((*r).dict, (*r).key) < 0 {
                PyErr_FormatUnraisable(c"Exception ignored on calling _ctypes.DictRemover".as_ptr());
            }
            remover_clear(slf);
        }
        Py_None()
    }
}

/// The slots and the size of the remover's type.
pub fn remover_slots() -> (Vec<PyType_Slot>, usize) {
    let slots = crate::module::slots(&[
        (Py_tp_dealloc, remover_dealloc as *mut c_void),
        (Py_tp_traverse, remover_traverse as *mut c_void),
        (Py_tp_clear, remover_clear as *mut c_void),
        (Py_tp_call, remover_call as *mut c_void),
        (Py_tp_doc, c"Takes one entry out of a dict.".as_ptr() as *mut c_void),
    ]);
    (slots, size_of::<DictRemover>())
}

// ---- pointers

/// The address that a pointer or function stores.
pub fn stored_address(op: *mut CDataObject) -> *mut u8 {
    // SAFETY: [TYPE]
    unsafe { (*op).b_ptr.cast::<*mut u8>().read_unaligned() }
}

fn store_address(op: *mut CDataObject, address: *mut u8) {
    // SAFETY: [TYPE]
    unsafe { (*op).b_ptr.cast::<*mut u8>().write_unaligned(address) }
}

unsafe fn not_null(op: *mut CDataObject) -> PyResult<*mut u8> {
    let address = stored_address(op);
    if address.is_null() {
        bail!(PyExc_ValueError, "NULL pointer access");
    }
    Ok(address)
}

unsafe fn pointer_get(slf: *mut PyObject, index: isize) -> PyResult {
    // SAFETY: [TYPE] the program vouches for the address.
    unsafe {
        let op = slf.cast::<CDataObject>();
        let address = not_null(op)?;
        let info = info_of_data(op)?;
        let size = info_or_abstract(info.proto)?.size;
        get_value(info.proto, info.access, slf, index, size, address.wrapping_offset(index.wrapping_mul(size)))
    }
}
unsafe extern "C" fn pointer_item(slf: *mut PyObject, index: isize) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { pointer_get(slf, index) }.into_c()
}
unsafe extern "C" fn pointer_ass_item(slf: *mut PyObject, index: isize, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] the program vouches for the address.
    unsafe {
        (|| {
            let op = slf.cast::<CDataObject>();
            if value.is_null() {
                bail!(PyExc_TypeError, "Pointer does not support item deletion");
            }
            let address = not_null(op)?;
            let info = info_of_data(op)?;
            let size = info_or_abstract(info.proto)?.size;
            set_value(slf, info.proto, info.access, value, index, size, address.wrapping_offset(index.wrapping_mul(size)))
        })()
        .into_c()
    }
}

fn contents(slf: Data<'_>) -> PyResult {
    // SAFETY: [TYPE] the program vouches for the address.
    unsafe {
        let address = not_null(slf.as_ptr())?;
        from_base(info_of_data(slf.as_ptr())?.proto, slf.ob(), 0, address)
    }
}

fn set_contents(slf: Data<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let Some(value) = value else { bail!(PyExc_TypeError, "Pointer does not support item deletion") };
    let proto = info_of_data(slf.as_ptr())?.proto;
    // SAFETY: [ARGS]
    unsafe {
        let instance = PyObject_IsInstance(value.ob(), proto);
        check_status(instance)?;
        if !is_cdata(value.ob()) {
            bail!(PyExc_TypeError, "expected {} instead of {}", class_name(proto), class_name_of(value.ob()));
        }
        let dst = value.as_ptr().cast::<CDataObject>();
        store_address(slf.as_ptr(), (*dst).b_ptr);
        // The object itself must live, and what it keeps.
        keep_reference(slf.as_ptr(), 1, value.to_owned())?;
        let kept = kept_objects(dst)?;
        keep_reference(slf.as_ptr(), 0, kept)
    }
}
getset! { static POINTER_GETSET = [ "contents" => contents, set_contents, "the object pointed to"; ]; }

unsafe extern "C" fn pointer_init(slf: *mut PyObject, args: *mut PyObject, _kwargs: *mut PyObject) -> c_int {
    let mut value = null_mut::<PyObject>();
    // SAFETY: [ARGS] called as tp_init.
    unsafe {
        if PyArg_UnpackTuple(args, c"POINTER".as_ptr(), 0, 1, &raw mut value) == 0 {
            return -1;
        }
        if value.is_null() {
            return 0;
        }
        set_contents(Borrowed::from_ptr(slf.cast()), Some(Borrowed::from_ptr(value))).into_c()
    }
}

unsafe extern "C" fn pointer_new(tp: *mut PyTypeObject, _args: *mut PyObject, _kwargs: *mut PyObject) -> *mut PyObject {
    if info_of(tp.cast()).is_none_or(|info| info.proto.is_null()) {
        let _ = raise!(PyExc_TypeError, "Cannot create instance: has no _type_");
        return null_mut();
    }
    new_cdata(tp.cast()).map(Owned::into_object).into_c()
}

unsafe extern "C" fn pointer_subscript(slf: *mut PyObject, item: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] the program vouches for the addresses.
    unsafe {
        (|| -> PyResult {
            if PyIndex_Check(item) != 0 {
                return pointer_get(slf, index_of(item)?);
            }
            if PySlice_Check(item) == 0 {
                bail!(PyExc_TypeError, "Pointer indices must be integer");
            }
            // Without a length, negative indexes mean what they say and a stop must be given.
            let parts = &*item.cast::<PySliceObject>();
            let part = |p: *mut PyObject| -> PyResult<isize> {
                let n = PyNumber_AsSsize_t(p, PyExc_ValueError);
                if n == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
            };
            let step = if parts.step == Py_None() { 1 } else { part(parts.step)? };
            if step == 0 {
                bail!(PyExc_ValueError, "slice step cannot be zero");
            }
            let start = if parts.start != Py_None() {
                part(parts.start)?
            } else if step < 0 {
                bail!(PyExc_ValueError, "slice start is required for step < 0");
            } else {
                0
            };
            if parts.stop == Py_None() {
                bail!(PyExc_ValueError, "slice stop is required");
            }
            let stop = part(parts.stop)?;
            let span = if step > 0 { stop.saturating_sub(start) } else { start.saturating_sub(stop) };
            let length = if span > 0 { (span as usize - 1) / step.unsigned_abs() + 1 } else { 0 } as isize;
            let op = slf.cast::<CDataObject>();
            let code = item_code(info_of_data(op)?);
            if matches!(code, b'c' | b'u') && length > 0 {
                not_null(op)?;
            }
            slice(code, stored_address(op), start, step, length, |i| pointer_get(slf, i))
        })()
        .into_c()
    }
}

unsafe extern "C" fn pointer_bool(slf: *mut PyObject) -> c_int {
    !stored_address(slf.cast()).is_null() as c_int
}

/// The slots of `_Pointer`.
pub fn pointer_slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_doc, c"Base class of pointers.".as_ptr() as *mut c_void),
        (Py_tp_getset, (&raw mut POINTER_GETSET).cast()),
        (Py_tp_init, pointer_init as *mut c_void),
        (Py_tp_new, pointer_new as *mut c_void),
        (Py_bf_getbuffer, cdata_getbuffer as *mut c_void),
        (Py_nb_bool, pointer_bool as *mut c_void),
        (Py_mp_subscript, pointer_subscript as *mut c_void),
        (Py_sq_item, pointer_item as *mut c_void),
        (Py_sq_ass_item, pointer_ass_item as *mut c_void),
    ])
}

// ---- simple values

fn value(slf: Data<'_>) -> PyResult {
    match info_of_data(slf.as_ptr())?.access {
        // SAFETY: [TYPE]
        Some(access) => unsafe { (access.get)(slf.b_ptr, slf.b_size) },
        None => bail!(PyExc_TypeError, "abstract class"),
    }
}
fn set_simple_value(slf: Data<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let Some(value) = value else { bail!(PyExc_TypeError, "can't delete attribute") };
    let info = info_of_data(slf.as_ptr())?;
    let Some(access) = info.access else { bail!(PyExc_TypeError, "abstract class") };
    // SAFETY: [TYPE]
    unsafe {
        let keep = (access.set)(slf.b_ptr, value.ob(), info.size)?;
        keep_reference(slf.as_ptr(), 0, keep)
    }
}
getset! { static SIMPLE_GETSET = [ "value" => value, set_simple_value, "current value"; ]; }

fn simple_from_outparam(slf: Data<'_>) -> PyResult {
    if is_simple_subclass(slf.ob_type().cast()) { Ok(slf.object().to_owned()) } else { value(slf) }
}
methods! {
    static SIMPLE_METHODS = [
        "__ctypes_from_outparam__($self, /)" => simple_from_outparam, "What an output parameter of this class gives back.";
    ];
}

unsafe extern "C" fn simple_init(slf: *mut PyObject, args: *mut PyObject, _kwargs: *mut PyObject) -> c_int {
    let mut value = null_mut::<PyObject>();
    // SAFETY: [ARGS] called as tp_init.
    unsafe {
        if PyArg_UnpackTuple(args, c"__init__".as_ptr(), 0, 1, &raw mut value) == 0 {
            return -1;
        }
        if value.is_null() {
            return 0;
        }
        set_simple_value(Borrowed::from_ptr(slf.cast()), Some(Borrowed::from_ptr(value))).into_c()
    }
}
unsafe extern "C" fn simple_bool(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let op = slf.cast::<CDataObject>();
        core::slice::from_raw_parts((*op).b_ptr, (*op).b_size as usize).iter().any(|&b| b != 0) as c_int
    }
}
unsafe extern "C" fn simple_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let tp = type_of(slf);
        if (*tp).tp_base != state().simple {
            return PyUnicode_FromFormat(c"<%s object at %p>".as_ptr(), (*tp).tp_name, slf);
        }
        match value(Borrowed::from_ptr(slf.cast())) {
            Ok(value) => PyUnicode_FromFormat(c"%s(%R)".as_ptr(), (*tp).tp_name, value.as_ptr()),
            Err(_) => null_mut(),
        }
    }
}

/// The slots of `_SimpleCData`.
pub fn simple_slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_repr, simple_repr as *mut c_void),
        (Py_tp_doc, c"Base class of simple values.".as_ptr() as *mut c_void),
        (Py_tp_methods, (&raw mut SIMPLE_METHODS).cast()),
        (Py_tp_getset, (&raw mut SIMPLE_GETSET).cast()),
        (Py_tp_init, simple_init as *mut c_void),
        (Py_tp_new, generic_new as *mut c_void),
        (Py_bf_getbuffer, cdata_getbuffer as *mut c_void),
        (Py_nb_bool, simple_bool as *mut c_void),
    ])
}
