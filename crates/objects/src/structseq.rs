//! Struct sequences: tuples whose items have names too, such as `os.stat_result`. Some items may have a name only: they
//! lie behind the tuple's length.

use crate::object::{err_format, own, raised};
use crate::typeobject::{PyType_Ready, init_builtin_type};
use core::ffi::{c_char, c_int, c_ulong, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, methods};

type Ob = *mut PyObject;

const ITEMS: usize = offset_of!(PyTupleObject, ob_item);
const WORD: Py_ssize_t = size_of::<Ob>() as Py_ssize_t;

/// A C string in a static.
#[repr(transparent)]
pub struct StaticText(*const c_char);
// SAFETY: points to a constant.
unsafe impl Sync for StaticText {}

/// The name of fields that have an index only; compared by address.
#[unsafe(no_mangle)]
pub static PyStructSequence_UnnamedField: StaticText = StaticText(c"unnamed field".as_ptr());

#[inline(always)]
unsafe fn items(op: Ob) -> *mut Ob {
    // SAFETY: [LAYOUT]
    unsafe { op.byte_add(ITEMS).cast() }
}

/// Items with those that the tuple hides, which `tp_basicsize` accounts for.
unsafe fn real_size(op: Ob) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyVarObject>()).ob_size + ((*(*op).ob_type).tp_basicsize - ITEMS as Py_ssize_t) / WORD }
}

/// A number in the type's dict.
unsafe fn size_attribute(tp: *mut PyTypeObject, name: Ob) -> PyResult<Py_ssize_t> {
    // SAFETY: [ARGS]
    unsafe {
        let value = PyDict_GetItemWithError((*tp).tp_dict, name);
        if value.is_null() {
            if !err_occurred() {
                return Err(err_format!(PyExc_TypeError, c"Missed attribute '%U' of type %s", name, (*tp).tp_name));
            }
            return Err(raised());
        }
        match PyLong_AsSsize_t(value) {
            -1 if err_occurred() => Err(raised()),
            n => Ok(n),
        }
    }
}

unsafe fn real_size_of_type(tp: *mut PyTypeObject) -> PyResult<Py_ssize_t> {
    // SAFETY: [ARGS]
    unsafe { size_attribute(tp, intern!("n_fields")) }
}
unsafe fn visible_size_of_type(tp: *mut PyTypeObject) -> PyResult<Py_ssize_t> {
    // SAFETY: [ARGS]
    unsafe { size_attribute(tp, intern!("n_sequence_fields")) }
}
unsafe fn unnamed_fields(tp: *mut PyTypeObject) -> PyResult<Py_ssize_t> {
    // SAFETY: [ARGS]
    unsafe { size_attribute(tp, intern!("n_unnamed_fields")) }
}

unsafe fn allocate(tp: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] items are NULL until set; the object is not tracked.
    unsafe {
        let real = real_size_of_type(tp)?;
        let visible = visible_size_of_type(tp)?;
        let op: Ob = crate::gc::gc_new_var(tp, real);
        if op.is_null() {
            return Err(raised());
        }
        (*op.cast::<PyVarObject>()).ob_size = visible;
        for i in 0..real {
            *items(op).offset(i) = null_mut();
        }
        Ok(Owned::from_owned(op))
    }
}

/// An instance without items, to be filled by `PyStructSequence_SetItem`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStructSequence_New(tp: *mut PyTypeObject) -> Ob {
    // SAFETY: [ARGS]
    unsafe { allocate(tp).into_c() }
}

/// Stores an item, whose reference is taken over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStructSequence_SetItem(op: Ob, index: Py_ssize_t, value: Ob) {
    // SAFETY: [ARGS]
    unsafe { *items(op).offset(index) = value }
}

/// An item, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStructSequence_GetItem(op: Ob, index: Py_ssize_t) -> Ob {
    // SAFETY: [ARGS]
    unsafe { *items(op).offset(index) }
}

unsafe extern "C" fn structseq_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        if (*(*op).ob_type).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
            py_visit!(visitor, arg; (*op).ob_type);
        }
        for i in 0..real_size(op) {
            py_visit!(visitor, arg; *items(op).offset(i));
        }
        0
    }
}

unsafe extern "C" fn structseq_dealloc(op: Ob) {
    // SAFETY: [OWN]
    unsafe {
        crate::gc::gc_untrack(op);
        let tp = (*op).ob_type;
        for i in 0..real_size(op) {
            Py_XDECREF(*items(op).offset(i));
        }
        PyObject_GC_Del(op.cast());
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
            Py_DECREF(tp.cast());
        }
    }
}

fn structseq_new(tp: Borrowed<'_, PyTypeObject>, sequence: Borrowed<'_>, dict: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let tp = tp.as_ptr();
        let min = visible_size_of_type(tp)?;
        let max = real_size_of_type(tp)?;
        let unnamed = unnamed_fields(tp)?;
        let fast = own(PySequence_Fast(sequence.ob(), c"constructor requires a sequence".as_ptr()))?;
        if dict.is_some_and(|d| PyDict_Check(d.ob()) == 0) {
            return Err(err_format!(PyExc_TypeError, c"%.500s() takes a dict as second arg, if any", (*tp).tp_name));
        }
        let len = PySequence_Size(fast.as_ptr());
        let complaint = match () {
            () if min == max && len != min => Some((c"%.500s() takes a %zd-sequence (%zd-sequence given)", min)),
            () if len < min => Some((c"%.500s() takes an at least %zd-sequence (%zd-sequence given)", min)),
            () if len > max => Some((c"%.500s() takes an at most %zd-sequence (%zd-sequence given)", max)),
            () => None,
        };
        if let Some((format, limit)) = complaint {
            return Err(err_format!(PyExc_TypeError, format, (*tp).tp_name, limit, len));
        }
        let res = allocate(tp)?;
        let out = items(res.as_ptr());
        for i in 0..len {
            *out.offset(i) = own(PySequence_GetItem(fast.as_ptr(), i))?.into_raw();
        }
        let mut found = 0;
        for i in len..max {
            let mut value = null_mut();
            if let Some(dict) = dict {
                let name = (*(*tp).tp_members.offset(i - unnamed)).name;
                let r = PyDict_GetItemStringRef(dict.ob(), name, &mut value);
                check_status(r)?;
                found += r;
            }
            *out.offset(i) = if value.is_null() { Py_None() } else { value };
        }
        if dict.is_some_and(|d| PyDict_Size(d.ob()) > found as Py_ssize_t) {
            return Err(err_format!(PyExc_TypeError, c"%.500s() got duplicate or unexpected field name(s)", (*tp).tp_name));
        }
        crate::gc::gc_track(res.as_ptr());
        Ok(res)
    }
}

unsafe extern "C" fn structseq_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let body = || -> PyResult<Owned> {
            let tp = (*op).ob_type;
            let parts = own(PyList_New(0))?;
            for i in 0..(*op.cast::<PyVarObject>()).ob_size {
                let name = (*(*tp).tp_members.offset(i)).name;
                if name.is_null() {
                    return Err(err_format!(
                        PyExc_SystemError,
                        c"In structseq_repr(), member %zd name is NULL for type %.500s",
                        i,
                        (*tp).tp_name
                    ));
                }
                let part = own(PyUnicode_FromFormat(c"%s=%R".as_ptr(), name, *items(op).offset(i)))?;
                check_status(PyList_Append(parts.as_ptr(), part.as_ptr()))?;
            }
            let separator = own(PyUnicode_FromString(c", ".as_ptr()))?;
            let joined = own(PyUnicode_Join(separator.as_ptr(), parts.as_ptr()))?;
            own(PyUnicode_FromFormat(c"%s(%U)".as_ptr(), (*tp).tp_name, joined.as_ptr()))
        };
        body().into_c()
    }
}

fn structseq_reduce(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let op = slf.ob();
        let tp = slf.ob_type();
        let visible = (*op.cast::<PyVarObject>()).ob_size;
        let unnamed = unnamed_fields(tp)?;
        let tuple = own(_PyTuple_FromArray(items(op), visible))?;
        let dict = own(PyDict_New())?;
        for i in visible..real_size(op) {
            let name = (*(*tp).tp_members.offset(i - unnamed)).name;
            check_status(PyDict_SetItemString(dict.as_ptr(), name, *items(op).offset(i)))?;
        }
        let args = [tuple.as_ptr(), dict.as_ptr()];
        let args = own(_PyTuple_FromArray(args.as_ptr(), 2))?;
        let pair = [tp.cast(), args.as_ptr()];
        own(_PyTuple_FromArray(pair.as_ptr(), 2))
    }
}

unsafe extern "C" fn structseq_replace(op: Ob, args: Ob, kwargs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<Owned> {
            if _PyArg_NoPositional(c"__replace__".as_ptr(), args) == 0 {
                return Err(raised());
            }
            let tp = (*op).ob_type;
            if unnamed_fields(tp)? > 0 {
                return Err(err_format!(
                    PyExc_TypeError,
                    c"__replace__() is not supported for %.500s because it has unnamed field(s)",
                    (*tp).tp_name
                ));
            }
            let new = allocate(tp)?;
            for i in 0..real_size(op) {
                let mut value = null_mut();
                if !kwargs.is_null() {
                    check_status(PyDict_PopString(kwargs, (*(*tp).tp_members.offset(i)).name, &mut value))?;
                }
                if value.is_null() {
                    value = *items(op).offset(i);
                    Py_XINCREF(value);
                }
                *items(new.as_ptr()).offset(i) = value;
            }
            if !kwargs.is_null() && PyDict_Size(kwargs) > 0 {
                let names = own(PyDict_Keys(kwargs))?;
                return Err(err_format!(PyExc_TypeError, c"Got unexpected field name(s): %R", names.as_ptr()));
            }
            crate::gc::gc_track(new.as_ptr());
            Ok(new)
        };
        body().into_c()
    }
}

methods! { static STRUCTSEQ_METHODS = [
    "__reduce__($self, /)" => structseq_reduce, "Pickle by type and items.";
    raw "__replace__", PyMethodDefPointer { PyCFunctionWithKeywords: structseq_replace }, METH_VARARGS | METH_KEYWORDS,
        "__replace__($self, /, **changes)\n--\n\nA copy with other values for some fields.";
]; }

const STRUCTSEQ_NEW: newfunc = constructor!("structseq(sequence, dict=<unrepresentable>)" => structseq_new);

// ---- types from descriptions ---------------------------------------------------------------------------------------

/// The fields of a description, which end with a NULL name.
unsafe fn fields<'a>(desc: *mut PyStructSequence_Desc) -> &'a [PyStructSequence_Field] {
    // SAFETY: [ARGS]
    unsafe {
        let start = (*desc).fields;
        let mut n = 0;
        while !(*start.add(n)).name.is_null() {
            n += 1;
        }
        core::slice::from_raw_parts(start, n)
    }
}

fn is_unnamed(field: &PyStructSequence_Field) -> bool {
    field.name == PyStructSequence_UnnamedField.0
}

/// Members for the named fields, on Python's heap.
unsafe fn make_members(fields: &[PyStructSequence_Field]) -> PyResult<*mut PyMemberDef> {
    // SAFETY: [GIL] there is room for all and the terminator.
    unsafe {
        let members: *mut PyMemberDef = PyMem_Calloc(fields.len() + 1, size_of::<PyMemberDef>()).cast();
        if members.is_null() {
            PyErr_NoMemory();
            return Err(raised());
        }
        let mut k = 0;
        for (i, field) in fields.iter().enumerate() {
            if is_unnamed(field) {
                continue;
            }
            *members.add(k) = PyMemberDef {
                name: field.name,
                type_code: crate::descrobject::T_OBJECT,
                offset: (ITEMS + i * size_of::<Ob>()) as Py_ssize_t,
                flags: Py_READONLY,
                doc: field.doc,
            };
            k += 1;
        }
        Ok(members)
    }
}

/// The sizes and `__match_args__` in the type's dict.
unsafe fn fill_dict(tp: *mut PyTypeObject, desc: *mut PyStructSequence_Desc) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let all = fields(desc);
        let visible = (*desc).n_in_sequence as usize;
        let unnamed = all.iter().filter(|f| is_unnamed(f)).count();
        let dict = (*tp).tp_dict;
        for (name, n) in [(c"n_sequence_fields", visible), (c"n_fields", all.len()), (c"n_unnamed_fields", unnamed)] {
            let n = own(PyLong_FromSize_t(n))?;
            check_status(PyDict_SetItemString(dict, name.as_ptr(), n.as_ptr()))?;
        }
        let list = own(PyList_New(0))?;
        for field in all.iter().take(visible).filter(|f| !is_unnamed(f)) {
            let name = own(PyUnicode_FromString(field.name))?;
            check_status(PyList_Append(list.as_ptr(), name.as_ptr()))?;
        }
        let names = own(PyList_AsTuple(list.as_ptr()))?;
        check_status(PyDict_SetItemString(dict, c"__match_args__".as_ptr(), names.as_ptr()))
    }
}

/// `tp_basicsize`: the tuple's header and the hidden items.
unsafe fn basicsize(desc: *mut PyStructSequence_Desc) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { ITEMS as Py_ssize_t + (fields(desc).len() as Py_ssize_t - (*desc).n_in_sequence as Py_ssize_t) * WORD }
}

unsafe fn fill_static_type(tp: *mut PyTypeObject, desc: *mut PyStructSequence_Desc, flags: c_ulong) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let members = make_members(fields(desc))?;
        (*tp).tp_name = (*desc).name;
        (*tp).tp_basicsize = basicsize(desc);
        (*tp).tp_itemsize = WORD;
        (*tp).tp_dealloc = Some(structseq_dealloc);
        (*tp).tp_repr = Some(structseq_repr);
        (*tp).tp_doc = (*desc).doc;
        (*tp).tp_base = &raw mut PyTuple_Type;
        (*tp).tp_methods = (&raw mut STRUCTSEQ_METHODS).cast();
        (*tp).tp_new = Some(STRUCTSEQ_NEW);
        (*tp).tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | flags;
        (*tp).tp_traverse = Some(structseq_traverse);
        (*tp).tp_members = members;
        Ok(())
    }
}

/// Makes a static built-in type a struct sequence.
///
/// # Safety
/// [GIL] `tp` is zeroed or was made ready by this function.
pub unsafe fn _PyStructSequence_InitBuiltinWithFlags(
    tp: *mut PyTypeObject,
    desc: *mut PyStructSequence_Desc,
    flags: c_ulong,
) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_READY == 0 {
            (*tp).ob_base.ob_base.ob_type = &raw mut PyType_Type;
            fill_static_type(tp, desc, flags)?;
            init_builtin_type(tp)?;
        }
        fill_dict(tp, desc)
    }
}

/// Makes a static type of an extension a struct sequence.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStructSequence_InitType2(tp: *mut PyTypeObject, desc: *mut PyStructSequence_Desc) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if Py_REFCNT(tp.cast()) != 0 {
            PyErr_BadInternalCall();
            return -1;
        }
        let body = || -> PyResult<()> {
            fill_static_type(tp, desc, 0)?;
            check_status(PyType_Ready(tp))?;
            fill_dict(tp, desc)
        };
        body().into_c()
    }
}

/// As `PyStructSequence_InitType2`, errors being left in the thread state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStructSequence_InitType(tp: *mut PyTypeObject, desc: *mut PyStructSequence_Desc) {
    // SAFETY: [ARGS]
    unsafe { PyStructSequence_InitType2(tp, desc) };
}

unsafe fn new_type(desc: *mut PyStructSequence_Desc, flags: c_ulong) -> PyResult<Owned> {
    // SAFETY: [ARGS] the type copies the members.
    unsafe {
        let members = make_members(fields(desc))?;
        let slot = |slot: c_int, pfunc: *mut c_void| PyType_Slot { slot, pfunc };
        let mut slots = [
            slot(Py_tp_dealloc, structseq_dealloc as *const () as *mut c_void),
            slot(Py_tp_repr, structseq_repr as *const () as *mut c_void),
            slot(Py_tp_doc, (*desc).doc.cast_mut().cast()),
            slot(Py_tp_methods, (&raw mut STRUCTSEQ_METHODS).cast()),
            slot(Py_tp_new, STRUCTSEQ_NEW as *const () as *mut c_void),
            slot(Py_tp_members, members.cast()),
            slot(Py_tp_traverse, structseq_traverse as *const () as *mut c_void),
            slot(0, null_mut()),
        ];
        let mut spec = PyType_Spec {
            name: (*desc).name,
            basicsize: basicsize(desc) as c_int,
            itemsize: WORD as c_int,
            flags: (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | flags) as core::ffi::c_uint,
            slots: slots.as_mut_ptr(),
        };
        let tuple = crate::object::ob!(PyTuple_Type);
        let bases = own(_PyTuple_FromArray(&raw const tuple, 1));
        let tp = bases.and_then(|bases| own(crate::typeobject::from_spec::PyType_FromSpecWithBases(&mut spec, bases.as_ptr())));
        PyMem_Free(members.cast());
        let tp = tp?;
        fill_dict(tp.as_ptr().cast(), desc)?;
        Ok(tp)
    }
}

/// A heap type that is a struct sequence, with extra flags.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyStructSequence_NewType(desc: *mut PyStructSequence_Desc, flags: c_ulong) -> *mut PyTypeObject {
    // SAFETY: [ARGS]
    unsafe { new_type(desc, flags).into_c().cast() }
}

/// A heap type that is a struct sequence.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyStructSequence_NewType(desc: *mut PyStructSequence_Desc) -> *mut PyTypeObject {
    // SAFETY: [ARGS]
    unsafe { new_type(desc, 0).into_c().cast() }
}
