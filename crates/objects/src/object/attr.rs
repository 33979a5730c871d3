//! Attribute access: `getattr`, `setattr` and the generic slots that most types use.

use super::{err_format, fn_addr, own, raised};
use crate::typeobject::lookup::type_lookup;
use crate::unicodeobject::intern::name_from_utf8;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

/// The managed dict, NULL while the values are inline or nobody has asked for it.
///
/// # Safety
/// `op`'s type has `Py_TPFLAGS_MANAGED_DICT`.
#[inline(always)]
pub unsafe fn _PyObject_GetManagedDict(op: *mut PyObject) -> *mut PyDictObject {
    // SAFETY: [LAYOUT] the pre-header.
    unsafe { *op.byte_offset(MANAGED_DICT_OFFSET).cast() }
}

#[cold]
unsafe fn not_a_string(name: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    raise!(PyExc_TypeError, "attribute name must be string, not '{}'", type_name(name))
}

#[cold]
unsafe fn no_attribute(op: *mut PyObject, name: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        let e = err_format!(PyExc_AttributeError, c"'%.100s' object has no attribute '%U'", (*(*op).ob_type).tp_name, name);
        _PyObject_SetAttributeErrorContext(op, name);
        e
    }
}

/// Gives the AttributeError that is set, if it is one, the object and the name that were asked for.
///
/// # Safety
/// An exception is set; both objects are live.
#[cold]
pub unsafe fn _PyObject_SetAttributeErrorContext(op: *mut PyObject, name: *mut PyObject) {
    // SAFETY: [ARGS] [EXC]
    unsafe {
        if PyErr_ExceptionMatches(PyExc_AttributeError) == 0 {
            return;
        }
        let exc = PyErr_GetRaisedException();
        let base: *mut PyTypeObject = PyExc_AttributeError.cast();
        if is_instance_of(exc, base) {
            let fields: *mut PyAttributeErrorObject = exc.cast();
            if (*fields).name.is_null() && (*fields).obj.is_null() {
                (*fields).name = Py_NewRef(name);
                (*fields).obj = Py_NewRef(op);
            }
        }
        PyErr_SetRaisedException(exc);
    }
}

/// The type's dict is there: `PyType_Ready` has at least begun.
#[inline(always)]
unsafe fn is_ready(tp: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { !(*tp).tp_dict.is_null() }
}

/// The address of an unmanaged dict slot, NULL when instances have none.
///
/// # Safety
/// `op` is live; its dict is not managed.
#[inline(always)]
pub unsafe fn _PyObject_ComputedDictPointer(op: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: [LAYOUT]
    unsafe {
        let tp = (*op).ob_type;
        let mut offset = (*tp).tp_dictoffset;
        if offset == 0 {
            return null_mut();
        }
        if offset < 0 {
            let items = (*op.cast::<PyVarObject>()).ob_size.unsigned_abs() as Py_ssize_t;
            offset += super::_PyObject_VAR_SIZE(tp, items) as Py_ssize_t;
        }
        op.byte_offset(offset).cast()
    }
}

/// The address of the object's dict slot, made if its values are inline; NULL without an exception when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_GetDictPtr(op: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let flags = (*(*op).ob_type).tp_flags;
        if flags & Py_TPFLAGS_MANAGED_DICT == 0 {
            return _PyObject_ComputedDictPointer(op);
        }
        if _PyObject_GetManagedDict(op).is_null()
            && flags & crate::typeobject::Py_TPFLAGS_INLINE_VALUES != 0
            && _PyObject_MaterializeManagedDict(op).is_null()
        {
            PyErr_Clear();
            return null_mut();
        }
        op.byte_offset(MANAGED_DICT_OFFSET).cast()
    }
}

/// What an object's own storage says about a name.
enum Own {
    Found(*mut PyObject),
    Missing,
    Error,
}

/// Looks `name` up in the instance: inline values, managed dict or plain dict, or `dict` when given. A found value is a
/// new reference.
#[inline(always)]
unsafe fn own_attribute(op: *mut PyObject, tp: *mut PyTypeObject, name: *mut PyObject, dict: *mut PyObject) -> Own {
    // SAFETY: [ARGS]
    unsafe {
        let mut dict = dict;
        if dict.is_null() {
            let flags = (*tp).tp_flags;
            if flags & crate::typeobject::Py_TPFLAGS_INLINE_VALUES != 0 {
                let mut value = null_mut();
                if PyUnicode_CheckExact(name) != 0 && _PyObject_TryGetInstanceAttribute(op, name, &mut value) {
                    return if value.is_null() { Own::Missing } else { Own::Found(value) };
                }
                dict = _PyObject_GetManagedDict(op).cast();
                if dict.is_null() {
                    dict = _PyObject_MaterializeManagedDict(op).cast();
                    if dict.is_null() {
                        return Own::Error;
                    }
                }
            } else if flags & Py_TPFLAGS_MANAGED_DICT != 0 {
                dict = _PyObject_GetManagedDict(op).cast();
            } else {
                let slot = _PyObject_ComputedDictPointer(op);
                if !slot.is_null() {
                    dict = *slot;
                }
            }
            if dict.is_null() {
                return Own::Missing;
            }
        }
        // The dict may be replaced while keys are compared.
        Py_INCREF(dict);
        let mut value = null_mut();
        let r = PyDict_GetItemRef(dict, name, &mut value);
        Py_DECREF(dict);
        match r {
            0 => Own::Missing,
            r if r < 0 => Own::Error,
            _ => Own::Found(value),
        }
    }
}

/// Clears an AttributeError when `suppress` says so; the lookup then goes on as if nothing had been found.
#[cold]
unsafe fn suppressed(suppress: bool) -> bool {
    // SAFETY: [EXC]
    unsafe {
        if suppress && PyErr_ExceptionMatches(PyExc_AttributeError) != 0 {
            PyErr_Clear();
            return true;
        }
        false
    }
}

/// The lookup behind `PyObject_GenericGetAttr`: data descriptors of the type, the instance, other attributes of the type.
/// `dict` replaces the instance's dict if not NULL; with `suppress` a missing attribute is NULL without an exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_GenericGetAttrWithDict(
    op: *mut PyObject,
    name: *mut PyObject,
    dict: *mut PyObject,
    suppress: c_int,
) -> *mut PyObject {
    // SAFETY: [ARGS] descr and name are counted while foreign code may run.
    unsafe {
        let tp = (*op).ob_type;
        let suppress = suppress != 0;
        if PyUnicode_Check(name) == 0 {
            let _ = not_a_string(name);
            return null_mut();
        }
        if !is_ready(tp) && PyType_Ready(tp) < 0 {
            return null_mut();
        }
        let descr = type_lookup(tp, name);
        if descr.is_null() {
            return match own_attribute(op, tp, name, dict) {
                Own::Found(value) => value,
                Own::Error => {
                    suppressed(suppress);
                    null_mut()
                }
                Own::Missing => {
                    if !suppress {
                        let _ = no_attribute(op, name);
                    }
                    null_mut()
                }
            };
        }
        let descr = Owned::from_borrowed(descr);
        let name = Owned::from_borrowed(name);
        let dtype = (*descr.as_ptr()).ob_type;
        let get = (*dtype).tp_descr_get;
        if let Some(get) = get
            && (*dtype).tp_descr_set.is_some()
        {
            let res = get(descr.as_ptr(), op, tp.cast());
            if res.is_null() && suppress {
                suppressed(true);
            }
            return res;
        }
        match own_attribute(op, tp, name.as_ptr(), dict) {
            Own::Found(value) => return value,
            Own::Error if !suppressed(suppress) => return null_mut(),
            _ => {}
        }
        match get {
            Some(get) => {
                let res = get(descr.as_ptr(), op, (*op).ob_type.cast());
                if res.is_null() && suppress {
                    suppressed(true);
                }
                res
            }
            None => descr.into_raw(),
        }
    }
}

/// The `tp_getattro` of most types.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GenericGetAttr(op: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { _PyObject_GenericGetAttrWithDict(op, name, null_mut(), 0) }
}

/// Looks up a method to be called at once: returns 1 and an unbound method (call it with `op` as first argument), or 0 and
/// the attribute (NULL with an exception).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_GetMethod(op: *mut PyObject, name: *mut PyObject, method: *mut *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        if !is_ready(tp) && PyType_Ready(tp) < 0 {
            return 0;
        }
        if fn_addr((*tp).tp_getattro) != PyObject_GenericGetAttr as *const () as usize || PyUnicode_CheckExact(name) == 0 {
            *method = PyObject_GetAttr(op, name);
            return 0;
        }
        let Some(descr) = Owned::from_borrowed_or_opt(type_lookup(tp, name)) else {
            *method = match own_attribute(op, tp, name, null_mut()) {
                Own::Found(value) => value,
                Own::Error => null_mut(),
                Own::Missing => {
                    let _ = no_attribute(op, name);
                    null_mut()
                }
            };
            return 0;
        };
        let dtype = (*descr.as_ptr()).ob_type;
        let unbound = (*dtype).tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR != 0;
        let get = (*dtype).tp_descr_get;
        if !unbound
            && let Some(get) = get
            && (*dtype).tp_descr_set.is_some()
        {
            *method = get(descr.as_ptr(), op, tp.cast());
            return 0;
        }
        match own_attribute(op, tp, name, null_mut()) {
            Own::Found(value) => {
                *method = value;
                return 0;
            }
            Own::Error => {
                *method = null_mut();
                return 0;
            }
            Own::Missing => {}
        }
        if unbound {
            *method = descr.into_raw();
            return 1;
        }
        *method = match get {
            Some(get) => get(descr.as_ptr(), op, (*op).ob_type.cast()),
            None => descr.into_raw(),
        };
        0
    }
}

/// `getattr(op, name)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GetAttr(op: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(name) == 0 {
            let _ = not_a_string(name);
            return null_mut();
        }
        let tp = (*op).ob_type;
        let result = if let Some(f) = (*tp).tp_getattro {
            f(op, name)
        } else if let Some(f) = (*tp).tp_getattr {
            let text = PyUnicode_AsUTF8(name);
            if text.is_null() {
                return null_mut();
            }
            f(op, text.cast_mut())
        } else {
            let _ = err_format!(PyExc_AttributeError, c"'%.100s' object has no attribute '%U'", (*tp).tp_name, name);
            null_mut()
        };
        if result.is_null() {
            _PyObject_SetAttributeErrorContext(op, name);
        }
        result
    }
}

/// `getattr(op, name, None)` with three answers: 1 and the value, 0 and NULL without an exception, -1 and an exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GetOptionalAttr(op: *mut PyObject, name: *mut PyObject, result: *mut *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        *result = null_mut();
        if PyUnicode_Check(name) == 0 {
            let _ = not_a_string(name);
            return -1;
        }
        let tp = (*op).ob_type;
        let getattro = fn_addr((*tp).tp_getattro);
        let value;
        // The three commonest slots can tell "missing" without making an exception.
        if getattro == PyObject_GenericGetAttr as *const () as usize {
            value = _PyObject_GenericGetAttrWithDict(op, name, null_mut(), 1);
        } else if getattro == crate::typeobject::type_getattro as *const () as usize {
            value = crate::typeobject::type_getattro_impl(op.cast(), name, true);
        } else if getattro == crate::moduleobject::module_getattro as *const () as usize {
            value = crate::moduleobject::module_getattro_impl(op.cast(), name, true);
        } else {
            if let Some(f) = (*tp).tp_getattro {
                value = f(op, name);
            } else if let Some(f) = (*tp).tp_getattr {
                let text = PyUnicode_AsUTF8(name);
                if text.is_null() {
                    return -1;
                }
                value = f(op, text.cast_mut());
            } else {
                return 0;
            }
            if value.is_null() {
                return if suppressed(true) { 0 } else { -1 };
            }
        }
        if !value.is_null() {
            *result = value;
            return 1;
        }
        if !err_occurred() {
            return 0;
        }
        if suppressed(true) { 0 } else { -1 }
    }
}

/// As `PyObject_GetOptionalAttr`, the name being UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GetOptionalAttrString(op: *mut PyObject, name: *const c_char, result: *mut *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        *result = null_mut();
        if let Some(f) = (*(*op).ob_type).tp_getattr {
            *result = f(op, name.cast_mut());
            if !(*result).is_null() {
                return 1;
            }
            return if suppressed(true) { 0 } else { -1 };
        }
        match own(name_from_utf8(name)) {
            Ok(name) => PyObject_GetOptionalAttr(op, name.as_ptr(), result),
            Err(_) => -1,
        }
    }
}

/// `getattr(op, name)`, the name being UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GetAttrString(op: *mut PyObject, name: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(f) = (*(*op).ob_type).tp_getattr {
            return f(op, name.cast_mut());
        }
        match own(name_from_utf8(name)) {
            Ok(name) => PyObject_GetAttr(op, name.as_ptr()),
            Err(_) => null_mut(),
        }
    }
}

/// A private identifier of older extensions: only its text matters here.
#[repr(C)]
pub struct _Py_Identifier {
    string: *const c_char,
    index: Py_ssize_t,
    mutex: u8,
}

/// `getattr` by a static identifier.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_GetAttrId(op: *mut PyObject, id: *mut _Py_Identifier) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyUnicode_InternFromString((*id).string)) {
            Ok(name) => PyObject_GetAttr(op, name.as_ptr()),
            Err(_) => null_mut(),
        }
    }
}

/// `hasattr(op, name)`: 1, 0 or -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_HasAttrWithError(op: *mut PyObject, name: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut value = null_mut();
        let r = PyObject_GetOptionalAttr(op, name, &mut value);
        Py_XDECREF(value);
        r
    }
}

/// As `PyObject_HasAttrWithError`, the name being UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_HasAttrStringWithError(op: *mut PyObject, name: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut value = null_mut();
        let r = PyObject_GetOptionalAttrString(op, name, &mut value);
        Py_XDECREF(value);
        r
    }
}

/// `hasattr(op, name)` that reports errors as unraisable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_HasAttr(op: *mut PyObject, name: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let r = PyObject_HasAttrWithError(op, name);
        if r < 0 {
            PyErr_FormatUnraisable(
                c"Exception ignored in PyObject_HasAttr(); consider using PyObject_HasAttrWithError(), PyObject_GetOptionalAttr() or PyObject_GetAttr()"
                    .as_ptr(),
            );
            return 0;
        }
        r
    }
}

/// As `PyObject_HasAttr`, the name being UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_HasAttrString(op: *mut PyObject, name: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let r = PyObject_HasAttrStringWithError(op, name);
        if r < 0 {
            PyErr_FormatUnraisable(
                c"Exception ignored in PyObject_HasAttrString(); consider using PyObject_HasAttrStringWithError(), PyObject_GetOptionalAttrString() or PyObject_GetAttrString()"
                    .as_ptr(),
            );
            return 0;
        }
        r
    }
}

/// `setattr(op, name, value)`; a NULL value deletes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_SetAttr(op: *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(name) == 0 {
            let _ = not_a_string(name);
            return -1;
        }
        let tp = (*op).ob_type;
        let mut name = Py_NewRef(name);
        PyUnicode_InternInPlace(&mut name);
        let name = Owned::from_owned(name);
        if let Some(f) = (*tp).tp_setattro {
            return f(op, name.as_ptr(), value);
        }
        if let Some(f) = (*tp).tp_setattr {
            let text = PyUnicode_AsUTF8(name.as_ptr());
            return if text.is_null() { -1 } else { f(op, text.cast_mut(), value) };
        }
        let format = if (*tp).tp_getattr.is_none() && (*tp).tp_getattro.is_none() {
            c"'%.100s' object has no attributes (%s .%U)"
        } else {
            c"'%.100s' object has only read-only attributes (%s .%U)"
        };
        let what = if value.is_null() { c"del" } else { c"assign to" };
        let _ = err_format!(PyExc_TypeError, format, (*tp).tp_name, what.as_ptr(), name.as_ptr());
        -1
    }
}

/// `delattr(op, name)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_DelAttr(op: *mut PyObject, name: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyObject_SetAttr(op, name, null_mut()) }
}

/// `setattr(op, name, value)`, the name being UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_SetAttrString(op: *mut PyObject, name: *const c_char, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(f) = (*(*op).ob_type).tp_setattr {
            return f(op, name.cast_mut(), value);
        }
        match own(PyUnicode_InternFromString(name)) {
            Ok(name) => PyObject_SetAttr(op, name.as_ptr(), value),
            Err(_) => -1,
        }
    }
}

/// `delattr(op, name)`, the name being UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_DelAttrString(op: *mut PyObject, name: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyObject_SetAttrString(op, name, null_mut()) }
}

/// Stores into or deletes from the dict in `slot`, which is made when it isn't there.
unsafe fn store_in_dict(op: *mut PyObject, slot: *mut *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if (*slot).is_null() {
            let dict = PyObject_GenericGetDict(op, null_mut());
            if dict.is_null() {
                return -1;
            }
            Py_DECREF(dict);
        }
        let dict = Owned::from_borrowed(*slot);
        if value.is_null() { PyDict_DelItem(dict.as_ptr(), name) } else { PyDict_SetItem(dict.as_ptr(), name, value) }
    }
}

/// The store behind `PyObject_GenericSetAttr`; `dict` replaces the instance's dict if not NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_GenericSetAttrWithDict(
    op: *mut PyObject,
    name: *mut PyObject,
    value: *mut PyObject,
    dict: *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS] the type may be replaced while descriptors run.
    unsafe {
        let tp = (*op).ob_type;
        if PyUnicode_Check(name) == 0 {
            let _ = not_a_string(name);
            return -1;
        }
        if !is_ready(tp) && PyType_Ready(tp) < 0 {
            return -1;
        }
        let name = Owned::from_borrowed(name);
        let _keep = Owned::from_borrowed(tp);
        let descr = Owned::from_borrowed_or_opt(type_lookup(tp, name.as_ptr()));
        if let Some(d) = &descr
            && let Some(set) = (*(*d.as_ptr()).ob_type).tp_descr_set
        {
            return set(d.as_ptr(), op, value);
        }
        let res = if !dict.is_null() {
            let dict = Owned::from_borrowed(dict);
            if value.is_null() {
                PyDict_DelItem(dict.as_ptr(), name.as_ptr())
            } else {
                PyDict_SetItem(dict.as_ptr(), name.as_ptr(), value)
            }
        } else if (*tp).tp_flags & crate::typeobject::Py_TPFLAGS_INLINE_VALUES != 0 {
            _PyObject_StoreInstanceAttribute(op, name.as_ptr(), value)
        } else {
            let slot = if (*tp).tp_flags & Py_TPFLAGS_MANAGED_DICT != 0 {
                op.byte_offset(MANAGED_DICT_OFFSET).cast()
            } else {
                _PyObject_ComputedDictPointer(op)
            };
            if slot.is_null() {
                let name = name.as_ptr();
                if descr.is_some() {
                    let _ = err_format!(PyExc_AttributeError, c"'%.100s' object attribute '%U' is read-only", (*tp).tp_name, name);
                } else if fn_addr((*tp).tp_setattro) == PyObject_GenericSetAttr as *const () as usize {
                    let _ = err_format!(
                        PyExc_AttributeError,
                        c"'%.100s' object has no attribute '%U' and no __dict__ for setting new attributes",
                        (*tp).tp_name,
                        name
                    );
                    _PyObject_SetAttributeErrorContext(op, name);
                } else {
                    let _ = no_attribute(op, name);
                }
                return -1;
            }
            store_in_dict(op, slot, name.as_ptr(), value)
        };
        if res < 0 && PyErr_ExceptionMatches(PyExc_KeyError) != 0 {
            let _ = err_format!(PyExc_AttributeError, c"'%.100s' object has no attribute '%U'", (*tp).tp_name, name.as_ptr());
            _PyObject_SetAttributeErrorContext(op, name.as_ptr());
        }
        res
    }
}

/// The `tp_setattro` of most types.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GenericSetAttr(op: *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { _PyObject_GenericSetAttrWithDict(op, name, value, null_mut()) }
}

/// The setter of `__dict__` for types with a dict slot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GenericSetDict(op: *mut PyObject, value: *mut PyObject, _: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<()> {
            let managed = (*(*op).ob_type).tp_flags & Py_TPFLAGS_MANAGED_DICT != 0;
            let slot = if managed { null_mut() } else { _PyObject_ComputedDictPointer(op) };
            if !managed && slot.is_null() {
                bail!(PyExc_AttributeError, "This object has no __dict__");
            }
            if value.is_null() {
                bail!(PyExc_TypeError, "cannot delete __dict__");
            }
            if PyDict_Check(value) == 0 {
                bail!(PyExc_TypeError, "__dict__ must be set to a dictionary, not a '{}'", type_name(value));
            }
            if managed {
                return check_status(_PyObject_SetManagedDict(op, value));
            }
            setref(slot, Py_NewRef(value));
            Ok(())
        };
        body().into_c()
    }
}

/// Looks a special method up on the type and binds it; NULL without an exception when it isn't there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_LookupSpecial(op: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        let Some(descr) = Owned::from_borrowed_or_opt(type_lookup(tp, name)) else { return null_mut() };
        match (*(*descr.as_ptr()).ob_type).tp_descr_get {
            Some(get) => get(descr.as_ptr(), op, tp.cast()),
            None => descr.into_raw(),
        }
    }
}

/// As `_PyObject_LookupSpecial`, but a plain function stays unbound; the flag tells so.
///
/// # Safety
/// `op` and `name` are live.
#[inline]
pub unsafe fn lookup_maybe_method(op: *mut PyObject, name: *mut PyObject) -> PyResult<Option<(Owned, bool)>> {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        let Some(descr) = Owned::from_borrowed_or_opt(type_lookup(tp, name)) else { return Ok(None) };
        let dtype = (*descr.as_ptr()).ob_type;
        if (*dtype).tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR != 0 {
            return Ok(Some((descr, true)));
        }
        match (*dtype).tp_descr_get {
            Some(get) => {
                let bound = get(descr.as_ptr(), op, tp.cast());
                if bound.is_null() { Err(raised()) } else { Ok(Some((Owned::from_owned(bound), false))) }
            }
            None => Ok(Some((descr, false))),
        }
    }
}
