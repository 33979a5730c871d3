//! Type objects: creation, inheritance, slots, method resolution, the attribute cache.
//!
//! This file has `type` itself: its attributes, its call, its instances' allocation. [`base`] has `object`.

use crate::object::{self, dict_get, dict_has, dict_set, err_format, fn_addr, own, raised};
use core::ffi::{c_char, c_int, c_ulong, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, members, methods};

pub mod assign;
pub mod base;
pub mod buffer;
pub mod from_spec;
pub mod inherit;
pub mod lookup;
pub mod mro;
pub mod new;
pub mod ready;
pub mod slotdefs;
pub mod slots;
pub mod subtype;
pub mod wrappers;

pub use lookup::{PyType_Modified, assign_version_tag, type_lookup};
pub use mro::{_PyType_CalculateMetaclass, best_base, is_subtype};
pub use ready::{PyType_Ready, init_builtin_type};
pub use subtype::{subtype_clear, subtype_dealloc, subtype_traverse};

/// The type is one of the interpreter's own.
pub const Py_TPFLAGS_STATIC_BUILTIN: c_ulong = 1 << 1;
/// Instances keep the values of their attributes after their fixed part.
pub const Py_TPFLAGS_INLINE_VALUES: c_ulong = 1 << 2;
/// A class pattern with one positional subpattern matches the subject itself.
pub const Py_TPFLAGS_MATCH_SELF: c_ulong = 1 << 22;

/// A type object with nothing set: the start of every static type (`..TYPE_INIT`). `PyType_Ready` fills `ob_type`.
pub const TYPE_INIT: PyTypeObject = {
    // SAFETY: all-zero is valid: NULL pointers, absent functions, zero flags.
    let mut t: PyTypeObject = unsafe { core::mem::zeroed() };
    t.ob_base = immortal_var_head(core::ptr::null_mut(), 0);
    t
};

/// The items of a tuple; the slice must not outlive it.
///
/// # Safety
/// `tuple` is a tuple that stays alive for `'a`.
#[inline(always)]
pub unsafe fn tuple_items<'a>(tuple: *mut PyObject) -> &'a [*mut PyObject] {
    // SAFETY: [LAYOUT]
    unsafe {
        let t: *mut PyTupleObject = tuple.cast();
        core::slice::from_raw_parts((&raw const (*t).ob_item).cast(), (*t).ob_base.ob_size as usize)
    }
}

/// The live direct subclasses of `tp`.
pub(crate) unsafe fn subclasses_of(tp: *mut PyTypeObject) -> Vec<Owned<PyTypeObject>> {
    // SAFETY: [ARGS] tp_subclasses is NULL or a dict of weak references.
    unsafe {
        let mut all: Vec<Owned<PyTypeObject>> = Vec::new();
        let mut gather = |dict: *mut PyObject, heap_types: bool| {
            let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
            while !dict.is_null() && PyDict_Next(dict, &mut pos, &mut key, &mut value) != 0 {
                let sub = (*value.cast::<PyWeakReference>()).wr_object;
                // An object with count zero is being deallocated and must not come back to life.
                if sub != Py_None() && Py_REFCNT(sub) > 0 && (heap_types || (*sub.cast::<PyTypeObject>()).tp_flags & Py_TPFLAGS_HEAPTYPE == 0) {
                    all.push(Owned::from_borrowed(sub.cast()));
                }
            }
        };
        let apart = ready::apart(tp);
        gather((*tp).tp_subclasses, !apart);
        if apart {
            match ready::own_subclasses(tp, false) {
                Ok(dict) => gather(dict, true),
                Err(e) => e.clear(),
            }
        }
        all
    }
}

/// The part of `tp_name` after the last dot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyType_Name(tp: *mut PyTypeObject) -> *const c_char {
    // SAFETY: [ARGS] NUL-terminated.
    unsafe {
        let dot = libc::strrchr((*tp).tp_name, b'.' as c_int);
        if dot.is_null() { (*tp).tp_name } else { dot.add(1) }
    }
}

/// The dict, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyType_GetDict(tp: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { (*tp).tp_dict }
}

/// The dict, counted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GetDict(tp: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Py_XNewRef((*tp).tp_dict) }
}

/// The flags.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GetFlags(tp: *mut PyTypeObject) -> c_ulong {
    // SAFETY: [ARGS]
    unsafe { (*tp).tp_flags }
}

/// Whether instances can be referenced weakly.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_SUPPORTS_WEAKREFS(tp: *mut PyTypeObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { ((*tp).tp_weaklistoffset != 0) as c_int }
}

/// Replaces the flags in `mask` by `flags`.
///
/// # Safety
/// `tp` is live.
pub unsafe fn _PyType_SetFlags(tp: *mut PyTypeObject, mask: c_ulong, flags: c_ulong) {
    // SAFETY: [ARGS]
    unsafe { (*tp).tp_flags = ((*tp).tp_flags & !mask) | flags }
}

/// As [`_PyType_SetFlags`], for the subclasses too that are not immutable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyType_SetFlagsRecursive(tp: *mut PyTypeObject, mask: c_ulong, flags: c_ulong) {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_IMMUTABLETYPE != 0 || (*tp).tp_flags & mask == flags {
            return;
        }
        _PyType_SetFlags(tp, mask, flags);
        for sub in subclasses_of(tp) {
            _PyType_SetFlagsRecursive(sub.as_ptr(), mask, flags);
        }
    }
}

// ---- docstrings with signatures ------------------------------------------------------------------------------------

/// Splits an internal docstring `name(signature)\n--\n\ndoc` into signature and doc; the signature is `None` if there is
/// no valid one.
fn split_doc<'a>(name: &[u8], doc: &'a [u8]) -> (Option<&'a [u8]>, &'a [u8]) {
    const END: &[u8] = b")\n--\n\n";
    let name = name.rsplit(|&c| c == b'.').next().unwrap_or(name);
    let Some(rest) = doc.strip_prefix(name) else { return (None, doc) };
    if rest.first() != Some(&b'(') {
        return (None, doc);
    }
    let mut i = 0;
    while i < rest.len() {
        if rest[i..].starts_with(END) {
            return (Some(&rest[..=i]), &rest[i + END.len()..]);
        }
        if rest[i..].starts_with(b"\n\n") {
            break;
        }
        i += 1;
    }
    (None, doc)
}

unsafe fn c_bytes<'a>(p: *const c_char) -> &'a [u8] {
    if p.is_null() {
        return b"";
    }
    // SAFETY: [ARGS] NUL-terminated.
    unsafe { core::ffi::CStr::from_ptr(p).to_bytes() }
}

unsafe fn str_from_bytes(b: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyUnicode_FromStringAndSize(b.as_ptr().cast(), b.len() as Py_ssize_t)) }
}

/// The docstring without its signature; None when empty.
///
/// # Safety
/// `name` and `doc` are NUL-terminated; `doc` may be NULL.
pub unsafe fn _PyType_GetDocFromInternalDoc(name: *const c_char, doc: *const c_char) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let (_, text) = split_doc(c_bytes(name), c_bytes(doc));
        if text.is_empty() {
            return Ok(Owned::from_borrowed(Py_None()));
        }
        str_from_bytes(text)
    }
}

/// The text signature in a docstring, or the one that method flags imply; None without either.
///
/// # Safety
/// As [`_PyType_GetDocFromInternalDoc`].
pub unsafe fn _PyType_GetTextSignatureFromInternalDoc(name: *const c_char, doc: *const c_char, flags: c_int) -> PyResult<Owned> {
    const NOARGS_CLASS: c_int = METH_NOARGS | METH_CLASS;
    const NOARGS_STATIC: c_int = METH_NOARGS | METH_STATIC;
    const O_CLASS: c_int = METH_O | METH_CLASS;
    const O_STATIC: c_int = METH_O | METH_STATIC;
    // SAFETY: [ARGS]
    unsafe {
        if let (Some(signature), _) = split_doc(c_bytes(name), c_bytes(doc)) {
            return str_from_bytes(signature);
        }
        let implied: &str = match flags & !METH_COEXIST {
            METH_NOARGS => "($self, /)",
            NOARGS_CLASS => "($type, /)",
            NOARGS_STATIC => "()",
            METH_O => "($self, object, /)",
            O_CLASS => "($type, object, /)",
            O_STATIC => "(object, /)",
            _ => return Ok(Owned::from_borrowed(Py_None())),
        };
        str_from_bytes(implied.as_bytes())
    }
}

// ---- attributes of type --------------------------------------------------------------------------------------------

/// Refuses to change an immutable type or to delete what every type has.
pub(crate) unsafe fn check_set_special(tp: *mut PyTypeObject, value: *mut PyObject, name: &core::ffi::CStr) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_IMMUTABLETYPE != 0 {
            return Err(err_format!(
                PyExc_TypeError,
                c"cannot set '%s' attribute of immutable type '%s'",
                name.as_ptr(),
                (*tp).tp_name
            ));
        }
        if value.is_null() {
            return Err(err_format!(
                PyExc_TypeError,
                c"cannot delete '%s' attribute of immutable type '%s'",
                name.as_ptr(),
                (*tp).tp_name
            ));
        }
        check_status(PySys_Audit(c"object.__setattr__".as_ptr(), c"OsO".as_ptr(), tp, name.as_ptr(), value))
    }
}

#[inline(always)]
fn raw(value: Option<Borrowed<'_>>) -> *mut PyObject {
    value.map_or(null_mut(), |v| v.ob())
}

type Tp<'a> = Borrowed<'a, PyTypeObject>;

/// `tp.__name__`.
pub(crate) unsafe fn type_get_name(tp: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
            return Ok(Owned::from_borrowed((*tp.cast::<PyHeapTypeObject>()).ht_name));
        }
        own(PyUnicode_FromString(_PyType_Name(tp)))
    }
}

/// `tp.__qualname__`.
pub(crate) unsafe fn type_get_qualname(tp: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
            return Ok(Owned::from_borrowed((*tp.cast::<PyHeapTypeObject>()).ht_qualname));
        }
        own(PyUnicode_FromString(_PyType_Name(tp)))
    }
}

/// `tp.__module__`.
pub(crate) unsafe fn type_get_module(tp: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
            return match dict_get((*tp).tp_dict, intern!("__module__"))? {
                Some(module) => Ok(module),
                None => bail!(PyExc_AttributeError, "__module__"),
            };
        }
        let name = c_bytes((*tp).tp_name);
        match name.iter().rposition(|&c| c == b'.') {
            Some(dot) => {
                let mut module = str_from_bytes(&name[..dot])?.into_raw();
                PyUnicode_InternInPlace(&mut module);
                Ok(Owned::from_owned(module))
            }
            None => Ok(Owned::from_borrowed(intern!("builtins"))),
        }
    }
}

fn get_name(tp: Tp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { type_get_name(tp.as_ptr()) }
}

fn set_name(tp: Tp<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE] the name keeps its UTF-8 alive.
    unsafe {
        let (tp, value) = (tp.as_ptr(), raw(value));
        check_set_special(tp, value, c"__name__")?;
        if PyUnicode_Check(value) == 0 {
            bail!(PyExc_TypeError, "can only assign string to {}.__name__, not '{}'", tp_name(tp), type_name(value));
        }
        let mut size = 0;
        let text = PyUnicode_AsUTF8AndSize(value, &mut size);
        if text.is_null() {
            return Err(raised());
        }
        if libc::strlen(text) != size as usize {
            bail!(PyExc_ValueError, "type name must not contain null characters");
        }
        (*tp).tp_name = text;
        setref(&raw mut (*tp.cast::<PyHeapTypeObject>()).ht_name, Py_NewRef(value));
        Ok(())
    }
}

fn get_qualname(tp: Tp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { type_get_qualname(tp.as_ptr()) }
}

fn set_qualname(tp: Tp<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let (tp, value) = (tp.as_ptr(), raw(value));
        check_set_special(tp, value, c"__qualname__")?;
        if PyUnicode_Check(value) == 0 {
            bail!(PyExc_TypeError, "can only assign string to {}.__qualname__, not '{}'", tp_name(tp), type_name(value));
        }
        setref(&raw mut (*tp.cast::<PyHeapTypeObject>()).ht_qualname, Py_NewRef(value));
        Ok(())
    }
}

fn get_module(tp: Tp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { type_get_module(tp.as_ptr()) }
}

fn set_module(tp: Tp<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let (tp, value) = (tp.as_ptr(), raw(value));
        check_set_special(tp, value, c"__module__")?;
        PyType_Modified(tp);
        check_status(PyDict_Pop((*tp).tp_dict, intern!("__firstlineno__"), null_mut()))?;
        dict_set((*tp).tp_dict, intern!("__module__"), value)
    }
}

fn get_bases(tp: Tp<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed_or_opt(tp.tp_bases) })
}

fn get_mro(tp: Tp<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed_or_opt(tp.tp_mro) })
}

/// `tp.__abstractmethods__`.
pub(crate) unsafe fn type_abstractmethods(tp: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let name = intern!("__abstractmethods__");
        // The getter itself is in type's dict.
        if tp != &raw mut PyType_Type
            && let Some(methods) = dict_get((*tp).tp_dict, name)?
        {
            return Ok(methods);
        }
        PyErr_SetObject(PyExc_AttributeError, name);
        Err(raised())
    }
}

fn get_abstractmethods(tp: Tp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { type_abstractmethods(tp.as_ptr()) }
}

fn set_abstractmethods(tp: Tp<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let tp = tp.as_ptr();
        let name = intern!("__abstractmethods__");
        let is_abstract = match value {
            Some(value) => {
                let truth = PyObject_IsTrue(value.ob());
                check_status(truth)?;
                dict_set((*tp).tp_dict, name, value.ob())?;
                truth != 0
            }
            None => {
                let r = PyDict_Pop((*tp).tp_dict, name, null_mut());
                check_status(r)?;
                if r == 0 {
                    PyErr_SetObject(PyExc_AttributeError, name);
                    return Err(raised());
                }
                false
            }
        };
        PyType_Modified(tp);
        _PyType_SetFlags(tp, Py_TPFLAGS_IS_ABSTRACT, if is_abstract { Py_TPFLAGS_IS_ABSTRACT } else { 0 });
        Ok(())
    }
}

fn get_dict(tp: Tp<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        if tp.tp_dict.is_null() {
            return Ok(None);
        }
        own(PyDictProxy_New(tp.tp_dict)).map(Some)
    }
}

/// Binds what was found in a type's dict as `tp.name` would.
unsafe fn bind_to_type(found: Owned, tp: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        match (*(*found.as_ptr()).ob_type).tp_descr_get {
            Some(get) => own(get(found.as_ptr(), null_mut(), tp.cast())),
            None => Ok(found),
        }
    }
}

fn get_doc(tp: Tp<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        if tp.tp_flags & Py_TPFLAGS_HEAPTYPE == 0 && !tp.tp_doc.is_null() {
            return _PyType_GetDocFromInternalDoc(tp.tp_name, tp.tp_doc).map(Some);
        }
        match dict_get(tp.tp_dict, intern!("__doc__"))? {
            Some(doc) => bind_to_type(doc, tp.as_ptr()).map(Some),
            None => Ok(None),
        }
    }
}

fn set_doc(tp: Tp<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        check_set_special(tp.as_ptr(), raw(value), c"__doc__")?;
        PyType_Modified(tp.as_ptr());
        dict_set(tp.tp_dict, intern!("__doc__"), raw(value))
    }
}

fn get_text_signature(tp: Tp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { _PyType_GetTextSignatureFromInternalDoc(tp.tp_name, tp.tp_doc, 0) }
}

fn get_annotations(tp: Tp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if tp.tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            return Err(err_format!(PyExc_AttributeError, c"type object '%s' has no attribute '__annotations__'", tp.tp_name));
        }
        let name = intern!("__annotations__");
        if let Some(found) = dict_get(tp.tp_dict, name)? {
            return bind_to_type(found, tp.as_ptr());
        }
        let new = own(PyDict_New())?;
        dict_set(tp.tp_dict, name, new.as_ptr())?;
        PyType_Modified(tp.as_ptr());
        Ok(new)
    }
}

fn set_annotations(tp: Tp<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if tp.tp_flags & Py_TPFLAGS_IMMUTABLETYPE != 0 {
            return Err(err_format!(PyExc_TypeError, c"cannot set '__annotations__' attribute of immutable type '%s'", tp.tp_name));
        }
        let name = intern!("__annotations__");
        match value {
            Some(value) => dict_set(tp.tp_dict, name, value.ob())?,
            None => match PyDict_Pop(tp.tp_dict, name, null_mut()) {
                0 => bail!(PyExc_AttributeError, "__annotations__"),
                r => check_status(r)?,
            },
        }
        PyType_Modified(tp.as_ptr());
        Ok(())
    }
}

fn get_type_params(tp: Tp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if tp.as_ptr() != &raw mut PyType_Type
            && let Some(params) = dict_get(tp.tp_dict, intern!("__type_params__"))?
        {
            return Ok(params);
        }
        own(PyTuple_New(0))
    }
}

fn set_type_params(tp: Tp<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        check_set_special(tp.as_ptr(), raw(value), c"__type_params__")?;
        dict_set(tp.tp_dict, intern!("__type_params__"), raw(value))?;
        PyType_Modified(tp.as_ptr());
        Ok(())
    }
}

getset! { static TYPE_GETSETS = [
    "__name__" => get_name, set_name, "";
    "__qualname__" => get_qualname, set_qualname, "";
    "__bases__" => get_bases, assign::type_set_bases, "";
    "__mro__" => get_mro, "";
    "__module__" => get_module, set_module, "";
    "__abstractmethods__" => get_abstractmethods, set_abstractmethods, "";
    "__dict__" => get_dict, "";
    "__doc__" => get_doc, set_doc, "";
    "__text_signature__" => get_text_signature, "";
    "__annotations__" => get_annotations, set_annotations, "";
    "__type_params__" => get_type_params, set_type_params, "";
]; }

const T_OBJECT: c_int = 6;

members! { static TYPE_MEMBERS = [
    "__basicsize__", Py_T_PYSSIZET, core::mem::offset_of!(PyTypeObject, tp_basicsize), Py_READONLY, "";
    "__itemsize__", Py_T_PYSSIZET, core::mem::offset_of!(PyTypeObject, tp_itemsize), Py_READONLY, "";
    "__flags__", Py_T_ULONG, core::mem::offset_of!(PyTypeObject, tp_flags), Py_READONLY, "";
    "__weakrefoffset__", Py_T_PYSSIZET, core::mem::offset_of!(PyTypeObject, tp_weaklistoffset), Py_READONLY, "";
    "__base__", T_OBJECT, core::mem::offset_of!(PyTypeObject, tp_base), Py_READONLY, "";
    "__dictoffset__", Py_T_PYSSIZET, core::mem::offset_of!(PyTypeObject, tp_dictoffset), Py_READONLY, "";
]; }

// ---- methods of type -----------------------------------------------------------------------------------------------

fn type_subclasses(slf: Tp<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let list = own(PyList_New(0))?;
        for sub in subclasses_of(slf.as_ptr()) {
            check_status(PyList_Append(list.as_ptr(), sub.as_ptr().cast()))?;
        }
        Ok(list)
    }
}

fn type_instancecheck(slf: Borrowed<'_>, instance: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    let r = unsafe { _PyObject_RealIsInstance(instance.as_ptr(), slf.as_ptr()) };
    check_status(r).map(|()| r != 0)
}

fn type_subclasscheck(slf: Borrowed<'_>, subclass: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    let r = unsafe { _PyObject_RealIsSubclass(subclass.as_ptr(), slf.as_ptr()) };
    check_status(r).map(|()| r != 0)
}

/// Adds the names of a class and its bases to `dict`; the classes may be anything that has `__dict__` and `__bases__`.
pub(crate) unsafe fn merge_class_dict(dict: *mut PyObject, cls: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let _level = RecursionGuard::enter(c" in dir()")?;
        if let Some(names) = object::optional_attr(cls, intern!("__dict__"))? {
            check_status(PyDict_Update(dict, names.as_ptr()))?;
        }
        if let Some(bases) = object::optional_attr(cls, intern!("__bases__"))? {
            let n = PySequence_Size(bases.as_ptr());
            if n < 0 {
                return Err(raised());
            }
            for i in 0..n {
                let base = own(PySequence_GetItem(bases.as_ptr(), i))?;
                merge_class_dict(dict, base.as_ptr())?;
            }
        }
        Ok(())
    }
}

fn type_dir(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let dict = own(PyDict_New())?;
        merge_class_dict(dict.as_ptr(), slf.as_ptr())?;
        own(PyDict_Keys(dict.as_ptr()))
    }
}

fn type_sizeof(slf: Tp<'_>) -> PyResult<usize> {
    // SAFETY: [TYPE]
    unsafe {
        if slf.tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            return Ok(size_of::<PyTypeObject>());
        }
        let mut size = size_of::<PyHeapTypeObject>();
        let keys: *mut PyDictKeysObject = (*slf.as_ptr().cast::<PyHeapTypeObject>()).ht_cached_keys.cast();
        if !keys.is_null() {
            size += crate::dictobject::keys::keys_size(keys);
        }
        Ok(size)
    }
}

unsafe extern "C" fn type_prepare(
    _: *mut PyObject,
    _: *const *mut PyObject,
    _: Py_ssize_t,
    _: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { PyDict_New() }
}

methods! { static TYPE_METHODS = [
    "mro($self, /)" => mro::type_mro, "The order in which bases are searched.";
    "__subclasses__($self, /)" => type_subclasses, "The immediate subclasses that are alive.";
    raw "__prepare__", PyMethodDefPointer { PyCFunctionFastWithKeywords: type_prepare }, METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
        "__prepare__($cls, name, bases, /, **kwds)\n--\n\nMake the namespace in which a class body runs.";
    "__instancecheck__($self, instance, /)" => type_instancecheck, "Whether the object is an instance.";
    "__subclasscheck__($self, subclass, /)" => type_subclasscheck, "Whether the class is a subclass.";
    "__dir__($self, /)" => type_dir, "The names of the class and its bases, without those of the metaclass.";
    "__sizeof__($self, /)" => type_sizeof, "The memory that the type object takes.";
]; }

// ---- slots of type -------------------------------------------------------------------------------------------------

unsafe extern "C" fn type_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let tp: *mut PyTypeObject = op.cast();
        if (*tp).tp_name.is_null() {
            return PyUnicode_FromFormat(c"<class at %p>".as_ptr(), tp);
        }
        let body = || -> PyResult<Owned> {
            let module = match type_get_module(tp) {
                Ok(m) if PyUnicode_Check(m.as_ptr()) != 0 => Some(m),
                Ok(_) => None,
                Err(e) => {
                    e.clear();
                    None
                }
            };
            let name = type_get_qualname(tp)?;
            match module {
                Some(m) if _PyUnicode_Equal(m.as_ptr(), intern!("builtins")) == 0 => {
                    own(PyUnicode_FromFormat(c"<class '%U.%U'>".as_ptr(), m.as_ptr(), name.as_ptr()))
                }
                _ => own(PyUnicode_FromFormat(c"<class '%s'>".as_ptr(), (*tp).tp_name)),
            }
        };
        body().into_c()
    }
}

/// Calling a class: `tp_new`, then `tp_init` of what it made.
pub(crate) unsafe extern "C" fn type_call(op: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let tp: *mut PyTypeObject = op.cast();
        if tp == &raw mut PyType_Type {
            let n = PyTuple_GET_SIZE(args);
            if n == 1 && (kwargs.is_null() || PyDict_Size(kwargs) == 0) {
                return Py_NewRef((*PyTuple_GET_ITEM(args, 0)).ob_type.cast());
            }
            if n != 3 {
                let _ = raise!(PyExc_TypeError, "type() takes 1 or 3 arguments");
                return null_mut();
            }
        }
        let Some(new) = (*tp).tp_new else {
            let _ = err_format!(PyExc_TypeError, c"cannot create '%s' instances", (*tp).tp_name);
            return null_mut();
        };
        let obj = _Py_CheckFunctionResult(current_tstate(), op, new(tp, args, kwargs), core::ptr::null());
        if obj.is_null() || !is_instance_of(obj, tp) {
            return obj;
        }
        if let Some(init) = (*(*obj).ob_type).tp_init
            && init(obj, args, kwargs) < 0
        {
            Py_DECREF(obj);
            return null_mut();
        }
        obj
    }
}

unsafe extern "C" fn type_vectorcall(
    op: *mut PyObject,
    args: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let nargs = PyVectorcall_NARGS(nargsf);
        if nargs == 1 && op == object::ob!(PyType_Type) {
            if !kwnames.is_null() && PyTuple_GET_SIZE(kwnames) != 0 {
                let _ = raise!(PyExc_TypeError, "type() takes no keyword arguments");
                return null_mut();
            }
            return Py_NewRef((**args).ob_type.cast());
        }
        _PyObject_MakeTpCall(current_tstate(), op, args, nargs, kwnames)
    }
}

unsafe extern "C" fn type_init(_: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyTuple_GET_SIZE(args);
        let r: PyResult<()> = if !kwargs.is_null() && n == 1 && PyDict_Size(kwargs) != 0 {
            Err(raise!(PyExc_TypeError, "type.__init__() takes no keyword arguments"))
        } else if n != 1 && n != 3 {
            Err(raise!(PyExc_TypeError, "type.__init__() takes 1 or 3 arguments"))
        } else {
            Ok(())
        };
        r.into_c()
    }
}

/// `getattr(tp, name)`: data descriptors of the metaclass, the class and its bases, other attributes of the metaclass.
/// With `suppress` a missing attribute is NULL without an exception.
pub(crate) unsafe fn type_getattro_impl(tp: *mut PyTypeObject, name: *mut PyObject, suppress: bool) -> *mut PyObject {
    // SAFETY: [ARGS] found attributes are counted while descriptors run.
    unsafe {
        if PyUnicode_Check(name) == 0 {
            let _ = raise!(PyExc_TypeError, "attribute name must be string, not '{}'", type_name(name));
            return null_mut();
        }
        if (*tp).tp_dict.is_null() && PyType_Ready(tp) < 0 {
            return null_mut();
        }
        let meta = (*tp).ob_base.ob_base.ob_type;
        let meta_attr = Owned::from_borrowed_or_opt(type_lookup(meta, name));
        let mut meta_get = None;
        if let Some(attr) = &meta_attr {
            let atype = (*attr.as_ptr()).ob_type;
            meta_get = (*atype).tp_descr_get;
            if let Some(get) = meta_get
                && (*atype).tp_descr_set.is_some()
            {
                return get(attr.as_ptr(), tp.cast(), meta.cast());
            }
        }
        if let Some(attr) = Owned::from_borrowed_or_opt(type_lookup(tp, name)) {
            drop(meta_attr);
            return match (*(*attr.as_ptr()).ob_type).tp_descr_get {
                Some(get) => get(attr.as_ptr(), null_mut(), tp.cast()),
                None => attr.into_raw(),
            };
        }
        if let Some(attr) = meta_attr {
            return match meta_get {
                Some(get) => get(attr.as_ptr(), tp.cast(), meta.cast()),
                None => attr.into_raw(),
            };
        }
        if !suppress {
            let _ = err_format!(PyExc_AttributeError, c"type object '%.100s' has no attribute '%U'", (*tp).tp_name, name);
        }
        null_mut()
    }
}

/// The `tp_getattro` of `type`.
pub(crate) unsafe extern "C" fn type_getattro(op: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { type_getattro_impl(op.cast(), name, false) }
}

/// Whether a str looks like `__x__`.
pub(crate) unsafe fn is_dunder_name(name: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe {
        let n = PyUnicode_GET_LENGTH(name);
        if n <= 4 || PyUnicode_KIND(name) != PyUnicode_1BYTE_KIND {
            return false;
        }
        let text = core::slice::from_raw_parts(PyUnicode_1BYTE_DATA(name), n as usize);
        text.starts_with(b"__") && text.ends_with(b"__")
    }
}

unsafe fn set_type_attribute(tp: *mut PyTypeObject, name: *mut PyObject, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] the old value outlives the update, so that its finaliser sees a consistent type.
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_IMMUTABLETYPE != 0 {
            return Err(err_format!(PyExc_TypeError, c"cannot set %R attribute of immutable type '%s'", name, (*tp).tp_name));
        }
        if PyUnicode_Check(name) == 0 {
            bail!(PyExc_TypeError, "attribute name must be string, not '{}'", type_name(name));
        }
        let mut name = if PyUnicode_CheckExact(name) != 0 {
            Py_NewRef(name)
        } else {
            own(PyUnicode_Substring(name, 0, PyUnicode_GET_LENGTH(name)))?.into_raw()
        };
        PyUnicode_InternInPlace(&mut name);
        let name = Owned::from_owned(name);
        let meta = (*tp).ob_base.ob_base.ob_type;
        if let Some(descr) = Owned::from_borrowed_or_opt(type_lookup(meta, name.as_ptr()))
            && let Some(set) = (*(*descr.as_ptr()).ob_type).tp_descr_set
        {
            return check_status(set(descr.as_ptr(), tp.cast(), value));
        }
        if (*tp).tp_dict.is_null() {
            (*tp).tp_dict = own(PyDict_New())?.into_raw();
        }
        let dict = (*tp).tp_dict;
        let _old = dict_get(dict, name.as_ptr())?;
        PyType_Modified(tp);
        let r = if value.is_null() { PyDict_DelItem(dict, name.as_ptr()) } else { PyDict_SetItem(dict, name.as_ptr(), value) };
        if r < 0 {
            let e = err_format!(PyExc_AttributeError, c"type object '%.50s' has no attribute '%U'", (*tp).tp_name, name.as_ptr());
            object::_PyObject_SetAttributeErrorContext(tp.cast(), name.as_ptr());
            return Err(e);
        }
        if is_dunder_name(name.as_ptr()) {
            slotdefs::update_slot(tp, name.as_ptr())?;
        }
        Ok(())
    }
}

/// The `tp_setattro` of `type`.
pub(crate) unsafe extern "C" fn type_setattro(op: *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { set_type_attribute(op.cast(), name, value).into_c() }
}

unsafe extern "C" fn type_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN] a heap type; static types are immortal.
    unsafe {
        let tp: *mut PyTypeObject = op.cast();
        debug_assert!((*tp).tp_flags & Py_TPFLAGS_HEAPTYPE != 0);
        crate::gc::gc_untrack(op);
        if !(*tp).tp_bases.is_null() {
            let exc = PyErr_GetRaisedException();
            ready::remove_all_subclasses(tp, (*tp).tp_bases);
            PyErr_SetRaisedException(exc);
        }
        PyObject_ClearWeakRefs(op);
        Py_XDECREF((*tp).tp_base.cast());
        Py_XDECREF((*tp).tp_dict);
        Py_XDECREF((*tp).tp_bases);
        Py_XDECREF((*tp).tp_mro);
        Py_XDECREF((*tp).tp_cache);
        Py_XDECREF((*tp).tp_subclasses);
        PyMem_Free((*tp).tp_doc.cast_mut().cast());
        let et: *mut PyHeapTypeObject = op.cast();
        Py_XDECREF((*et).ht_name);
        Py_XDECREF((*et).ht_qualname);
        Py_XDECREF((*et).ht_slots);
        if !(*et).ht_cached_keys.is_null() {
            _PyDictKeys_DecRef((*et).ht_cached_keys.cast());
        }
        Py_XDECREF((*et).ht_module);
        PyMem_Free((*et)._ht_tpname.cast());
        // The metaclass's tp_free; an instance of a metaclass made at run time comes here through subtype_dealloc.
        match (*(*op).ob_type).tp_free {
            Some(free) => free(op.cast()),
            None => PyObject_GC_Del(op.cast()),
        }
    }
}

unsafe extern "C" fn type_traverse(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] a heap type, by type_is_gc.
    unsafe {
        let tp: *mut PyTypeObject = op.cast();
        py_visit!(visitor, arg; (*tp).tp_dict, (*tp).tp_cache, (*tp).tp_mro, (*tp).tp_bases, (*tp).tp_base);
        py_visit!(visitor, arg; (*op.cast::<PyHeapTypeObject>()).ht_module);
        0
    }
}

unsafe extern "C" fn type_clear(op: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] a heap type. The cache must forget what the dict lends before it is emptied.
    unsafe {
        let tp: *mut PyTypeObject = op.cast();
        PyType_Modified(tp);
        if !(*tp).tp_dict.is_null() {
            PyDict_Clear((*tp).tp_dict);
        }
        Py_CLEAR(&raw mut (*op.cast::<PyHeapTypeObject>()).ht_module);
        Py_CLEAR(&raw mut (*tp).tp_mro);
        0
    }
}

unsafe extern "C" fn type_is_gc(op: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { ((*op.cast::<PyTypeObject>()).tp_flags & Py_TPFLAGS_HEAPTYPE != 0) as c_int }
}

static mut TYPE_AS_NUMBER: PyNumberMethods = {
    // SAFETY: absent functions are NULL.
    let mut n: PyNumberMethods = unsafe { core::mem::zeroed() };
    n.nb_or = Some(_Py_union_type_or);
    n
};

/// `type`.
#[unsafe(no_mangle)]
pub static mut PyType_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"type".as_ptr(),
    tp_basicsize: size_of::<PyHeapTypeObject>() as Py_ssize_t,
    tp_itemsize: size_of::<PyMemberDef>() as Py_ssize_t,
    tp_dealloc: Some(type_dealloc),
    tp_vectorcall_offset: core::mem::offset_of!(PyTypeObject, tp_vectorcall) as Py_ssize_t,
    tp_repr: Some(type_repr),
    tp_as_number: &raw mut TYPE_AS_NUMBER,
    tp_call: Some(type_call),
    tp_getattro: Some(type_getattro),
    tp_setattro: Some(type_setattro),
    tp_flags: Py_TPFLAGS_DEFAULT
        | Py_TPFLAGS_HAVE_GC
        | Py_TPFLAGS_BASETYPE
        | Py_TPFLAGS_TYPE_SUBCLASS
        | Py_TPFLAGS_HAVE_VECTORCALL
        | Py_TPFLAGS_ITEMS_AT_END,
    tp_doc: c"type(object) -> the object's type\ntype(name, bases, dict, **kwds) -> a new type".as_ptr(),
    tp_traverse: Some(type_traverse),
    tp_clear: Some(type_clear),
    tp_weaklistoffset: core::mem::offset_of!(PyTypeObject, tp_weaklist) as Py_ssize_t,
    tp_methods: (&raw mut TYPE_METHODS).cast(),
    tp_members: (&raw mut TYPE_MEMBERS).cast(),
    tp_getset: (&raw mut TYPE_GETSETS).cast(),
    tp_dictoffset: core::mem::offset_of!(PyTypeObject, tp_dict) as Py_ssize_t,
    tp_init: Some(type_init),
    tp_new: Some(new::type_new),
    tp_free: Some(PyObject_GC_Del),
    tp_is_gc: Some(type_is_gc),
    tp_vectorcall: Some(type_vectorcall),
    ..TYPE_INIT
};

// ---- allocation and names: the C API -------------------------------------------------------------------------------

/// The `tp_alloc` of most types: zeroed, tracked if collected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GenericAlloc(tp: *mut PyTypeObject, nitems: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let op = crate::gc::alloc(tp, nitems);
        if !op.is_null() && (*tp).tp_flags & Py_TPFLAGS_HAVE_GC != 0 {
            crate::gc::gc_track(op);
        }
        op
    }
}

/// A `tp_new` that only allocates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GenericNew(tp: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] a ready type inherits tp_alloc.
    unsafe {
        match (*tp).tp_alloc {
            Some(alloc) => alloc(tp, 0),
            None => PyType_GenericAlloc(tp, 0),
        }
    }
}

/// `tp.__name__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GetName(tp: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { type_get_name(tp).into_c() }
}

/// `tp.__qualname__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GetQualName(tp: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { type_get_qualname(tp).into_c() }
}

/// `tp.__module__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GetModuleName(tp: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { type_get_module(tp).into_c() }
}

/// Module and qualified name with `sep` between; without the module for `builtins` and `__main__`.
///
/// # Safety
/// `tp` is live.
pub unsafe fn _PyType_GetFullyQualifiedName(tp: *mut PyTypeObject, sep: c_char) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            return own(PyUnicode_FromString((*tp).tp_name));
        }
        let qualname = type_get_qualname(tp)?;
        let module = type_get_module(tp)?;
        let m = module.as_ptr();
        if PyUnicode_Check(m) != 0
            && _PyUnicode_Equal(m, intern!("builtins")) == 0
            && _PyUnicode_Equal(m, intern!("__main__")) == 0
        {
            return own(PyUnicode_FromFormat(c"%U%c%U".as_ptr(), m, sep as c_int, qualname.as_ptr()));
        }
        Ok(qualname)
    }
}

/// See [`_PyType_GetFullyQualifiedName`]; the separator is a dot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GetFullyQualifiedName(tp: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { _PyType_GetFullyQualifiedName(tp, b'.' as c_char).into_c() }
}

/// Checks in debug builds that a ready type makes sense.
pub(crate) unsafe fn check_consistency(tp: *mut PyTypeObject) {
    // SAFETY: [ARGS]
    unsafe {
        debug_assert!(!(*tp).tp_dict.is_null());
        debug_assert!((*tp).tp_flags & Py_TPFLAGS_HAVE_GC == 0 || (*tp).tp_traverse.is_some());
        debug_assert!((*tp).tp_flags & Py_TPFLAGS_DISALLOW_INSTANTIATION == 0 || (*tp).tp_new.is_none());
    }
}

/// Whether `__new__` is in the dict of `tp`.
pub(crate) unsafe fn has_new(tp: *mut PyTypeObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe { dict_has((*tp).tp_dict, intern!("__new__")) }
}

/// Whether two slots hold the same function.
pub(crate) fn same<F: Copy>(a: Option<F>, b: Option<F>) -> bool {
    fn_addr(a) == fn_addr(b)
}

#[cfg(test)]
mod tests {
    use super::split_doc;

    #[test]
    fn signatures() {
        assert_eq!(split_doc(b"a.f", b"f($self, x=')')\n--\n\nDoc."), (Some(&b"($self, x=')')"[..]), &b"Doc."[..]));
        assert_eq!(split_doc(b"f", b"f(x) -> y\n\nDoc."), (None, &b"f(x) -> y\n\nDoc."[..]));
        assert_eq!(split_doc(b"f", b"g()\n--\n\nDoc."), (None, &b"g()\n--\n\nDoc."[..]));
        assert_eq!(split_doc(b"f", b"f()\n--\n\n"), (Some(&b"()"[..]), &b""[..]));
    }
}
