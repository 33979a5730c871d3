//! The type `dict`: slots, methods, construction.

use super::*;
use crate::gc::{gc_untrack, trashcan_begin, trashcan_end};
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_char, c_int, c_void};
use taipan_clinic::methods;

type Dict<'a> = Borrowed<'a, PyDictObject>;

unsafe extern "C" {
    fn _PyUnicodeWriter_Init(writer: *mut _PyUnicodeWriter);
    fn _PyUnicodeWriter_WriteStr(writer: *mut _PyUnicodeWriter, text: *mut PyObject) -> c_int;
    fn _PyUnicodeWriter_WriteChar(writer: *mut _PyUnicodeWriter, ch: u32) -> c_int;
    fn _PyUnicodeWriter_WriteASCIIString(writer: *mut _PyUnicodeWriter, ascii: *const c_char, len: Py_ssize_t) -> c_int;
    fn _PyUnicodeWriter_Finish(writer: *mut _PyUnicodeWriter) -> *mut PyObject;
    fn _PyUnicodeWriter_Dealloc(writer: *mut _PyUnicodeWriter);
}

/// A [`_PyUnicodeWriter`] that is released unless finished.
pub(crate) struct Writer(_PyUnicodeWriter);
impl Writer {
    pub(crate) fn new(min_length: Py_ssize_t) -> Self {
        // SAFETY: all-zero is a valid start, which Init completes.
        unsafe {
            let mut w: _PyUnicodeWriter = core::mem::zeroed();
            _PyUnicodeWriter_Init(&mut w);
            w.overallocate = 1;
            w.min_length = min_length;
            Writer(w)
        }
    }
    pub(crate) fn char(&mut self, ch: char) -> PyResult<()> {
        // SAFETY: initialised.
        check_status(unsafe { _PyUnicodeWriter_WriteChar(&mut self.0, ch as u32) })
    }
    pub(crate) fn ascii(&mut self, text: &str) -> PyResult<()> {
        // SAFETY: initialised; text is ASCII.
        check_status(unsafe {
            _PyUnicodeWriter_WriteASCIIString(&mut self.0, text.as_ptr().cast(), text.len() as Py_ssize_t)
        })
    }
    pub(crate) fn str(&mut self, text: &Owned) -> PyResult<()> {
        // SAFETY: initialised; text is a str.
        check_status(unsafe { _PyUnicodeWriter_WriteStr(&mut self.0, text.as_ptr()) })
    }
    pub(crate) fn finish(mut self) -> PyResult<Owned> {
        // SAFETY: initialised; Finish releases the writer's own buffer.
        unsafe {
            let p = _PyUnicodeWriter_Finish(&mut self.0);
            core::mem::forget(self);
            Owned::from_owned_or_err(p)
        }
    }
}
impl Drop for Writer {
    fn drop(&mut self) {
        // SAFETY: initialised and not finished.
        unsafe { _PyUnicodeWriter_Dealloc(&mut self.0) }
    }
}

/// `repr` of an object.
pub(crate) unsafe fn repr_of(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyObject_Repr(op)) }
}

unsafe extern "C" fn dict_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE] the count is zero: nobody else has the dict.
    unsafe {
        let mp: *mut PyDictObject = slf.cast();
        if (*mp).ma_version_tag & ((1 << DICT_MAX_WATCHERS) - 1) != 0 {
            // A watcher may look at the dict, and even keep it.
            (*slf).ob_refcnt.ob_refcnt = 1;
            notify_event(PyDict_EVENT_DEALLOCATED, mp, null_mut(), null_mut());
            (*slf).ob_refcnt.ob_refcnt -= 1;
            if (*slf).ob_refcnt.ob_refcnt > 0 {
                return;
            }
        }
        gc_untrack(slf);
        if !trashcan_begin(slf, dict_dealloc) {
            return;
        }
        let values = (*mp).ma_values;
        let keys = (*mp).ma_keys;
        if !values.is_null() && (*values).embedded == 0 {
            for i in 0..(*keys).dk_nentries {
                Py_XDECREF(*values_of(values).offset(i));
            }
            free_values(values);
        }
        if !keys.is_null() {
            dictkeys_decref(keys);
        }
        let tp = (*slf).ob_type;
        if tp != &raw mut PyDict_Type || !dict_freelist_push(mp) {
            match (*tp).tp_free {
                Some(free) => free(slf.cast()),
                None => PyObject_GC_Del(slf.cast()),
            }
        }
        trashcan_end();
    }
}

fn dict_repr(slf: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE] key and value are held while their repr runs.
    unsafe {
        let mp: *mut PyDictObject = slf.cast();
        if (*mp).ma_used == 0 {
            return Owned::from_owned_or_err(PyUnicode_FromString(c"{}".as_ptr()));
        }
        let mut w = Writer::new(1 + 4 + (2 + 4) * ((*mp).ma_used - 1) + 1);
        w.char('{')?;
        let mut pos = 0;
        let mut first = true;
        while let Some((key, value, _)) = dict_next(mp, &mut pos) {
            let (key, value) = (Owned::from_borrowed(key), Owned::from_borrowed(value));
            if !first {
                w.ascii(", ")?;
            }
            first = false;
            w.str(&repr_of(key.as_ptr())?)?;
            w.ascii(": ")?;
            w.str(&repr_of(value.as_ptr())?)?;
        }
        w.char('}')?;
        w.finish()
    }
}

unsafe extern "C" fn dict_repr_slot(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let rc = Py_ReprEnter(slf);
        if rc != 0 {
            return if rc > 0 { PyUnicode_FromString(c"{...}".as_ptr()) } else { null_mut() };
        }
        let r = dict_repr(slf).into_c();
        Py_ReprLeave(slf);
        r
    }
}

unsafe extern "C" fn dict_length(slf: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { (*slf.cast::<PyDictObject>()).ma_used }
}

/// `d[key]`, with `__missing__` for subclasses.
pub(crate) unsafe extern "C" fn dict_subscript(slf: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let hash = hash_of(key);
        if hash == -1 {
            return null_mut();
        }
        let (ix, value) = dict_lookup(slf.cast(), key, hash);
        if ix == DKIX_ERROR {
            return null_mut();
        }
        if value.is_null() {
            if PyDict_CheckExact(slf) == 0 {
                let missing = _PyObject_LookupSpecial(slf, intern!("__missing__"));
                if !missing.is_null() {
                    let res = PyObject_CallOneArg(missing, key);
                    Py_DECREF(missing);
                    return res;
                }
                if err_occurred() {
                    return null_mut();
                }
            }
            _PyErr_SetKeyError(key);
            return null_mut();
        }
        Py_INCREF(value);
        value
    }
}

unsafe extern "C" fn dict_ass_sub(slf: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { _PyDict_SetItem_LockHeld(slf.cast(), key, value) }
}

unsafe extern "C" fn dict_contains_slot(slf: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { contains(slf.cast(), key).into_c() }
}

/// `tp_iter` of dict; other modules compare it to know whether iteration was overridden.
///
/// # Safety
/// `slf` is a dict.
pub unsafe extern "C" fn dict_iter(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { dictiter_new(slf.cast(), &raw mut PyDictIterKey_Type) }
}

unsafe extern "C" fn dict_richcompare(v: *mut PyObject, w: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyDict_Check(v) == 0 || PyDict_Check(w) == 0 || (op != Py_EQ && op != Py_NE) {
            return Py_NotImplemented();
        }
        match dict_equal(v.cast(), w.cast()) {
            Ok(same) if same == (op == Py_EQ) => Py_True(),
            Ok(_) => Py_False(),
            Err(_) => null_mut(),
        }
    }
}

unsafe extern "C" fn dict_or(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyDict_Check(slf) == 0 || PyDict_Check(other) == 0 {
            return Py_NotImplemented();
        }
        let new = PyDict_Copy_of(slf);
        if new.is_null() {
            return null_mut();
        }
        if update_arg(new, other).is_err() {
            Py_DECREF(new);
            return null_mut();
        }
        new
    }
}

#[inline]
unsafe fn PyDict_Copy_of(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { copy(slf).into_c() }
}

unsafe extern "C" fn dict_ior(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        if update_arg(slf, other).is_err() {
            return null_mut();
        }
        Py_INCREF(slf);
        slf
    }
}

unsafe extern "C" fn dict_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] embedded values belong to their object, which visits them.
    unsafe {
        let mp: *mut PyDictObject = slf.cast();
        let keys = (*mp).ma_keys;
        let n = (*keys).dk_nentries;
        let values = (*mp).ma_values;
        if !values.is_null() {
            if (*values).embedded == 0 {
                for i in 0..n {
                    py_visit!(visitor, arg; *values_of(values).offset(i));
                }
            }
        } else if dk_is_unicode(keys) {
            let ep = dk_unicode_entries(keys);
            for i in 0..n {
                py_visit!(visitor, arg; (*ep.offset(i)).me_value);
            }
        } else {
            let ep = dk_entries(keys);
            for i in 0..n {
                if !(*ep.offset(i)).me_value.is_null() {
                    py_visit!(visitor, arg; (*ep.offset(i)).me_value, (*ep.offset(i)).me_key);
                }
            }
        }
        0
    }
}

unsafe extern "C" fn dict_tp_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { clear(slf.cast()) };
    0
}

unsafe extern "C" fn dict_new(tp: *mut PyTypeObject, _args: *mut PyObject, _kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if tp == &raw mut PyDict_Type {
            return PyDict_New();
        }
        let slf = match (*tp).tp_alloc {
            Some(alloc) => alloc(tp, 0),
            None => PyType_GenericAlloc(tp, 0),
        };
        if slf.is_null() {
            return slf;
        }
        let d: *mut PyDictObject = slf.cast();
        (*d).ma_used = 0;
        (*d).ma_version_tag = next_version();
        (*d).ma_keys = empty_keys();
        (*d).ma_values = null_mut();
        slf
    }
}

/// One positional argument of `dict()` or `update()`: a mapping if it has `keys`, else pairs.
pub(crate) unsafe fn update_arg(slf: *mut PyObject, arg: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if PyDict_CheckExact(arg) != 0 {
            return dict_merge(slf, arg, 1);
        }
        let mut func = null_mut();
        check_status(PyObject_GetOptionalAttr(arg, intern!("keys"), &mut func))?;
        if !func.is_null() {
            Py_DECREF(func);
            return dict_merge(slf, arg, 1);
        }
        merge_from_seq2(slf, arg, true)
    }
}

/// Arguments of `dict()` and `update()`.
pub(crate) unsafe fn update_common(
    slf: *mut PyObject,
    args: *mut PyObject,
    kwds: *mut PyObject,
    name: &core::ffi::CStr,
) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyTuple_GET_SIZE(args);
        if _PyArg_CheckPositional(name.as_ptr(), n, 0, 1) == 0 {
            return Err(Raised::assume());
        }
        if n == 1 {
            update_arg(slf, PyTuple_GET_ITEM(args, 0))?;
        }
        if !kwds.is_null() {
            if PyArg_ValidateKeywordArguments(kwds) == 0 {
                return Err(Raised::assume());
            }
            dict_merge(slf, kwds, 1)?;
        }
        Ok(())
    }
}

unsafe extern "C" {
    fn PyArg_ValidateKeywordArguments(kwargs: *mut PyObject) -> c_int;
}

unsafe extern "C" fn dict_init(slf: *mut PyObject, args: *mut PyObject, kwds: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { update_common(slf, args, kwds, c"dict").into_c() }
}

unsafe extern "C" fn dict_vectorcall(
    tp: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let nargs = PyVectorcall_NARGS(nargsf);
        if _PyArg_CheckPositional(c"dict".as_ptr(), nargs, 0, 1) == 0 {
            return null_mut();
        }
        let slf = dict_new(tp.cast(), null_mut(), null_mut());
        if slf.is_null() {
            return slf;
        }
        let mut rest = args;
        let fill = || -> PyResult<()> {
            if nargs == 1 {
                update_arg(slf, *args)?;
                rest = args.add(1);
            }
            if !kwnames.is_null() {
                for i in 0..PyTuple_GET_SIZE(kwnames) {
                    check_status(PyDict_SetItem(slf, PyTuple_GET_ITEM(kwnames, i), *rest.offset(i)))?;
                }
            }
            Ok(())
        };
        let mut fill = fill;
        if fill().is_err() {
            Py_DECREF(slf);
            return null_mut();
        }
        slf
    }
}

unsafe extern "C" fn dict_update(slf: *mut PyObject, args: *mut PyObject, kwds: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { if update_common(slf, args, kwds, c"update").is_ok() { Py_None() } else { null_mut() } }
}

fn dict___contains__(slf: Dict<'_>, key: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe { contains(slf.as_ptr(), key.ob()) }
}

fn dict___getitem__(slf: Dict<'_>, key: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(dict_subscript(slf.ob(), key.ob())) }
}

fn dict___sizeof__(slf: Dict<'_>) -> PyResult<usize> {
    // SAFETY: [TYPE]
    Ok(unsafe { dict_sizeof(slf.as_ptr()) })
}

fn dict_get(slf: Dict<'_>, key: Borrowed<'_>, default: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Ok(getitem(slf.as_ptr(), key.ob())?.unwrap_or_else(|| default.to_owned())) }
}

fn dict_setdefault(slf: Dict<'_>, key: Borrowed<'_>, default: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Ok(setdefault(slf.as_ptr(), key.ob(), default.ob())?.0) }
}

fn dict_pop_method(slf: Dict<'_>, key: Borrowed<'_>, default: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        match (dict_pop(slf.as_ptr(), key.ob())?, default) {
            (Some(v), _) => Ok(v),
            (None, Some(d)) => Ok(d.to_owned()),
            (None, None) => {
                _PyErr_SetKeyError(key.ob());
                Err(Raised::assume())
            }
        }
    }
}

fn dict_popitem(slf: Dict<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { popitem(slf.as_ptr()) }
}

fn dict_keys(slf: Dict<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(_PyDictView_New(slf.ob(), &raw mut PyDictKeys_Type)) }
}

fn dict_items(slf: Dict<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(_PyDictView_New(slf.ob(), &raw mut PyDictItems_Type)) }
}

fn dict_values(slf: Dict<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(_PyDictView_New(slf.ob(), &raw mut PyDictValues_Type)) }
}

fn dict_fromkeys(cls: Borrowed<'_>, iterable: Borrowed<'_>, value: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { from_keys(cls.ob(), iterable.ob(), value.ob()) }
}

fn dict_clear(slf: Dict<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { clear(slf.as_ptr()) };
    Ok(())
}

fn dict_copy(slf: Dict<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { copy(slf.ob()) }
}

fn dict___reversed__(slf: Dict<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(dictiter_new(slf.as_ptr(), &raw mut PyDictRevIterKey_Type)) }
}

methods! {
    /// Methods of `dict`.
    static DICT_METHODS = [
        coexist "__contains__($self, key, /)" => dict___contains__, "Whether the dictionary has the key.";
        coexist "__getitem__($self, key, /)" => dict___getitem__, "Return self[key].";
        "__sizeof__($self, /)" => dict___sizeof__, "Bytes of memory that the dictionary occupies.";
        "get($self, key, default=None, /)" => dict_get, "The value of key, or default if there is no such key.";
        "setdefault($self, key, default=None, /)" => dict_setdefault,
            "The value of key; if there is no such key it is added with the default first.";
        "pop($self, key, default=<unrepresentable>, /)" => dict_pop_method,
            "Remove the key and return its value.\n\nWithout such a key, return the default, or raise KeyError if there is none.";
        "popitem($self, /)" => dict_popitem,
            "Remove the pair that was added last and return it as a tuple.\n\nRaises KeyError on an empty dictionary.";
        "keys($self, /)" => dict_keys, "A set-like view of the keys.";
        "items($self, /)" => dict_items, "A set-like view of the (key, value) pairs.";
        "values($self, /)" => dict_values, "A view of the values.";
        raw "update", PyMethodDefPointer { PyCFunctionWithKeywords: dict_update }, METH_VARARGS | METH_KEYWORDS,
            "D.update([E, ]**F) -> None.  Take over the entries of a mapping or of an iterable of pairs, then those of F.";
        class "fromkeys($type, iterable, value=None, /)" => dict_fromkeys,
            "A new dictionary with the iterable's items as keys, all with the same value.";
        "clear($self, /)" => dict_clear, "Remove everything.";
        "copy($self, /)" => dict_copy, "A shallow copy.";
        "__reversed__($self, /)" => dict___reversed__, "An iterator over the keys, last first.";
        raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS,
            "See PEP 585";
    ];
}

static mut DICT_AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_or: Some(dict_or),
    nb_inplace_or: Some(dict_ior),
    // SAFETY: all-zero is valid: no functions.
    ..unsafe { core::mem::zeroed() }
};
static mut DICT_AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_contains: Some(dict_contains_slot),
    // SAFETY: as above.
    ..unsafe { core::mem::zeroed() }
};
static mut DICT_AS_MAPPING: PyMappingMethods = PyMappingMethods {
    mp_length: Some(dict_length),
    mp_subscript: Some(dict_subscript),
    mp_ass_subscript: Some(dict_ass_sub),
};

const Py_TPFLAGS_MATCH_SELF: core::ffi::c_ulong = 1 << 22;

/// The type `dict`.
#[unsafe(no_mangle)]
pub static mut PyDict_Type: PyTypeObject = PyTypeObject {
    tp_name: c"dict".as_ptr(),
    tp_basicsize: size_of::<PyDictObject>() as Py_ssize_t,
    tp_dealloc: Some(dict_dealloc),
    tp_repr: Some(dict_repr_slot),
    tp_as_number: &raw mut DICT_AS_NUMBER,
    tp_as_sequence: &raw mut DICT_AS_SEQUENCE,
    tp_as_mapping: &raw mut DICT_AS_MAPPING,
    tp_hash: Some(PyObject_HashNotImplemented),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT
        | Py_TPFLAGS_HAVE_GC
        | Py_TPFLAGS_BASETYPE
        | Py_TPFLAGS_DICT_SUBCLASS
        | Py_TPFLAGS_MATCH_SELF
        | Py_TPFLAGS_MAPPING,
    tp_doc: c"dict() -> empty dictionary\ndict(mapping) -> dictionary with the mapping's pairs\ndict(iterable) -> dictionary with the pairs that the iterable yields\ndict(**kwargs) -> dictionary with the names and values given as keywords,\n    which also may follow one of the other arguments: dict(one=1, two=2)"
        .as_ptr(),
    tp_traverse: Some(dict_traverse),
    tp_clear: Some(dict_tp_clear),
    tp_richcompare: Some(dict_richcompare),
    tp_iter: Some(dict_iter),
    tp_methods: (&raw mut DICT_METHODS).cast(),
    tp_init: Some(dict_init),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(dict_new),
    tp_free: Some(PyObject_GC_Del),
    tp_vectorcall: Some(dict_vectorcall),
    ..TYPE_INIT
};
