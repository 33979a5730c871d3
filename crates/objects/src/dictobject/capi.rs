//! The C functions of `dictobject.h` and `cpython/dictobject.h`.

#![allow(missing_docs, reason = "the C API manual documents these names")]

use super::*;
use core::ffi::{c_char, c_int, c_void};

/// The dict behind an argument; SystemError ("bad argument to internal function") if it is none.
#[inline(always)]
unsafe fn check_dict(op: *mut PyObject) -> PyResult<*mut PyDictObject> {
    // SAFETY: [ARGS]
    unsafe {
        if op.is_null() || PyDict_Check(op) == 0 {
            PyErr_BadInternalCall();
            return Err(Raised::assume());
        }
        Ok(op.cast())
    }
}

unsafe fn key_from(key: *const c_char) -> PyResult<Owned> {
    // SAFETY: [ARGS] NUL-terminated.
    unsafe { Owned::from_owned_or_err(crate::unicodeobject::intern::name_from_utf8(key)) }
}

/// Stores a look-up's result in `*result`: 1 found, 0 absent, -1 raised.
unsafe fn give(found: PyResult<Option<Owned>>, result: *mut *mut PyObject) -> c_int {
    // SAFETY: [ARGS] result is writable or NULL.
    unsafe {
        let (p, status) = match found {
            Ok(Some(v)) => (v.into_raw(), 1),
            Ok(None) => (null_mut(), 0),
            Err(_) => (null_mut(), -1),
        };
        if result.is_null() {
            Py_XDECREF(p);
        } else {
            *result = p;
        }
        status
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_New() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { new_dict(empty_keys(), null_mut(), 0, false) }
}

pub(crate) unsafe fn dict_new_presized(minused: Py_ssize_t, unicode: bool) -> *mut PyObject {
    const LOG2_MAX_PRESIZE: u8 = 17;
    // SAFETY: [GIL]
    unsafe {
        if minused <= usable_fraction(PyDict_MINSIZE) as isize {
            return PyDict_New();
        }
        // The caller's number may be wrong, so it isn't trusted beyond a medium size.
        let log2 = if minused > usable_fraction(1 << LOG2_MAX_PRESIZE) as isize {
            LOG2_MAX_PRESIZE
        } else {
            estimate_log2_keysize(minused as usize)
        };
        let keys = new_keys_object(log2, unicode);
        if keys.is_null() {
            return null_mut();
        }
        new_dict(keys, null_mut(), 0, false)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_NewPresized(minused: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { dict_new_presized(minused, false) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_FromItems(
    keys: *const *mut PyObject,
    keys_offset: Py_ssize_t,
    values: *const *mut PyObject,
    values_offset: Py_ssize_t,
    length: Py_ssize_t,
) -> *mut PyObject {
    // SAFETY: [ARGS] length items at the given strides.
    unsafe {
        let unicode = (0..length).all(|i| unicode_exact(*keys.offset(i * keys_offset)));
        let dict = dict_new_presized(length, unicode);
        if dict.is_null() {
            return dict;
        }
        for i in 0..length {
            if !setitem(dict.cast(), *keys.offset(i * keys_offset), *values.offset(i * values_offset)) {
                Py_DECREF(dict);
                return null_mut();
            }
        }
        dict
    }
}

/// For `PyDict_GetItem` and `PyDict_GetItemString`, which must not raise: the exception, if any, is reported.
unsafe fn getitem_unraisable(op: *mut PyObject, key: *mut PyObject, message: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyDict_Check(op) == 0 {
            return null_mut();
        }
        let hash = hash_of(key);
        if hash == -1 {
            PyErr_FormatUnraisable(message);
            return null_mut();
        }
        let saved = PyErr_GetRaisedException();
        let (_, value) = dict_lookup(op.cast(), key, hash);
        let raised = PyErr_Occurred();
        if !raised.is_null() && PyErr_GivenExceptionMatches(raised, PyExc_KeyError) == 0 {
            PyErr_FormatUnraisable(message);
        }
        PyErr_SetRaisedException(saved);
        value
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_GetItem(op: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        getitem_unraisable(
            op,
            key,
            c"Exception ignored in PyDict_GetItem(); consider using PyDict_GetItemRef() or PyDict_GetItemWithError()"
                .as_ptr(),
        )
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_GetItemString(op: *mut PyObject, key: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS] the value is borrowed from the dict.
    unsafe {
        let message =
            c"Exception ignored in PyDict_GetItemString(); consider using PyDict_GetItemRefString()".as_ptr();
        match key_from(key) {
            Ok(k) => getitem_unraisable(op, k.as_ptr(), message),
            Err(_) => {
                PyErr_FormatUnraisable(message);
                null_mut()
            }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_GetItemWithError(op: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] the value is borrowed from the dict.
    unsafe {
        let Ok(mp) = check_dict(op) else { return null_mut() };
        let hash = hash_of(key);
        if hash == -1 {
            return null_mut();
        }
        dict_lookup(mp, key, hash).1
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_GetItemWithError(op: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyDict_GetItemWithError(op, key) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_GetItem_KnownHash(
    op: *mut PyObject,
    key: *mut PyObject,
    hash: Py_hash_t,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match check_dict(op) {
            Ok(mp) => dict_lookup(mp, key, hash).1,
            Err(_) => null_mut(),
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_GetItemStringWithError(op: *mut PyObject, key: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match key_from(key) {
            Ok(k) => PyDict_GetItemWithError(op, k.as_ptr()),
            Err(_) => null_mut(),
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_GetItemRef(
    op: *mut PyObject,
    key: *mut PyObject,
    result: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let found = match check_dict(op) {
            Ok(mp) => getitem(mp, key),
            Err(e) => Err(e),
        };
        give(found, result)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_GetItemRef_KnownHash(
    op: *mut PyDictObject,
    key: *mut PyObject,
    hash: Py_hash_t,
    result: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let (ix, value) = dict_lookup(op, key, hash);
        if ix == DKIX_ERROR {
            *result = null_mut();
            return -1;
        }
        Py_XINCREF(value);
        *result = value;
        !value.is_null() as c_int
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_GetItemRef_KnownHash_LockHeld(
    op: *mut PyDictObject,
    key: *mut PyObject,
    hash: Py_hash_t,
    result: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe { _PyDict_GetItemRef_KnownHash(op, key, hash, result) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_GetItemStringRef(
    op: *mut PyObject,
    key: *const c_char,
    result: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match key_from(key) {
            Ok(k) => PyDict_GetItemRef(op, k.as_ptr(), result),
            Err(e) => give(Err(e), result),
        }
    }
}

/// LOAD_GLOBAL: globals first, then builtins. A new reference, NULL without exception if neither has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_LoadGlobal(
    globals: *mut PyDictObject,
    builtins: *mut PyDictObject,
    key: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let hash = hash_of(key);
        if hash == -1 {
            return null_mut();
        }
        let (ix, mut value) = dict_lookup(globals, key, hash);
        if ix == DKIX_ERROR {
            return null_mut();
        }
        if value.is_null() {
            value = dict_lookup(builtins, key, hash).1;
        }
        Py_XINCREF(value);
        value
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_SetItem(op: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match check_dict(op) {
            Ok(mp) => {
                if setitem(mp, key, value) {
                    0
                } else {
                    -1
                }
            }
            Err(_) => -1,
        }
    }
}

/// Consumes both references.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_SetItem_Take2(
    mp: *mut PyDictObject,
    key: *mut PyObject,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: [OWN]
    unsafe {
        let hash = hash_of(key);
        if hash == -1 {
            Py_DECREF(key);
            Py_DECREF(value);
            return -1;
        }
        if insertdict(mp, key, hash, value) { 0 } else { -1 }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_SetItem_KnownHash(
    op: *mut PyObject,
    key: *mut PyObject,
    value: *mut PyObject,
    hash: Py_hash_t,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(mp) = check_dict(op) else { return -1 };
        Py_INCREF(key);
        Py_INCREF(value);
        if insertdict(mp, key, hash, value) { 0 } else { -1 }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_SetItem_KnownHash_LockHeld(
    op: *mut PyDictObject,
    key: *mut PyObject,
    value: *mut PyObject,
    hash: Py_hash_t,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe { _PyDict_SetItem_KnownHash(op.cast(), key, value, hash) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_SetItemString(op: *mut PyObject, key: *const c_char, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut k = PyUnicode_FromString(key);
        if k.is_null() {
            return -1;
        }
        PyUnicode_InternInPlace(&mut k);
        let r = PyDict_SetItem(op, k, value);
        Py_DECREF(k);
        r
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_DelItem(op: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let hash = hash_of(key);
        if hash == -1 {
            return -1;
        }
        _PyDict_DelItem_KnownHash(op, key, hash)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_DelItem_KnownHash(op: *mut PyObject, key: *mut PyObject, hash: Py_hash_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match check_dict(op) {
            Ok(mp) => delitem_known_hash(mp, key, hash).into_c(),
            Err(_) => -1,
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_DelItemString(op: *mut PyObject, key: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match key_from(key) {
            Ok(k) => PyDict_DelItem(op, k.as_ptr()),
            Err(_) => -1,
        }
    }
}

/// Deletes `key` if `predicate` says so of its value: 1 done, 0 not, -1 raised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_DelItemIf(
    op: *mut PyObject,
    key: *mut PyObject,
    predicate: unsafe extern "C" fn(*mut PyObject, *mut c_void) -> c_int,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(mp) = check_dict(op) else { return -1 };
        let hash = hash_of(key);
        if hash == -1 {
            return -1;
        }
        let (ix, value) = dict_lookup(mp, key, hash);
        if ix == DKIX_ERROR {
            return -1;
        }
        if value.is_null() {
            return 0;
        }
        let res = predicate(value, arg);
        if res > 0 {
            return match dict_pop_known_hash(mp, key, hash) {
                Ok(_) => 1,
                Err(_) => -1,
            };
        }
        res
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_Clear(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if PyDict_Check(op) != 0 {
            clear(op.cast());
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_Next(
    op: *mut PyObject,
    pos: *mut Py_ssize_t,
    key: *mut *mut PyObject,
    value: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS] NULL outputs aren't written.
    unsafe { _PyDict_Next(op, pos, key, value, null_mut()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_Next(
    op: *mut PyObject,
    pos: *mut Py_ssize_t,
    key: *mut *mut PyObject,
    value: *mut *mut PyObject,
    hash: *mut Py_hash_t,
) -> c_int {
    // SAFETY: [ARGS] NULL outputs aren't written.
    unsafe {
        if PyDict_Check(op) == 0 {
            return 0;
        }
        let Some((k, v, h)) = dict_next(op.cast(), &mut *pos) else { return 0 };
        if !key.is_null() {
            *key = k;
        }
        if !value.is_null() {
            *value = v;
        }
        if !hash.is_null() {
            *hash = h;
        }
        1
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_Pop(op: *mut PyObject, key: *mut PyObject, result: *mut *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let found = match check_dict(op) {
            Ok(mp) => dict_pop(mp, key),
            Err(e) => Err(e),
        };
        give(found, result)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_PopString(
    op: *mut PyObject,
    key: *const c_char,
    result: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match key_from(key) {
            Ok(k) => PyDict_Pop(op, k.as_ptr(), result),
            Err(e) => give(Err(e), result),
        }
    }
}

/// Removes `key`; its value, else `default_`, else KeyError.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_Pop(op: *mut PyObject, key: *mut PyObject, default_: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(mp) = check_dict(op) else { return null_mut() };
        match dict_pop(mp, key) {
            Ok(Some(v)) => v.into_raw(),
            Ok(None) if !default_.is_null() => {
                Py_INCREF(default_);
                default_
            }
            Ok(None) => {
                _PyErr_SetKeyError(key);
                null_mut()
            }
            Err(_) => null_mut(),
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_Pop_KnownHash(
    mp: *mut PyDictObject,
    key: *mut PyObject,
    hash: Py_hash_t,
    result: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe { give(dict_pop_known_hash(mp, key, hash), result) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_SetDefaultRef(
    op: *mut PyObject,
    key: *mut PyObject,
    default_value: *mut PyObject,
    result: *mut *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let done = match check_dict(op) {
            Ok(mp) => setdefault(mp, key, default_value),
            Err(e) => Err(e),
        };
        let (p, status) = match done {
            Ok((v, present)) => (v.into_raw(), present as c_int),
            Err(_) => (null_mut(), -1),
        };
        if result.is_null() {
            Py_XDECREF(p);
        } else {
            *result = p;
        }
        status
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_SetDefault(
    op: *mut PyObject,
    key: *mut PyObject,
    default_value: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS] the value is borrowed from the dict.
    unsafe {
        let Ok(mp) = check_dict(op) else { return null_mut() };
        match setdefault(mp, key, default_value) {
            Ok((v, _)) => v.as_ptr(),
            Err(_) => null_mut(),
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_Contains(op: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { contains(op.cast(), key).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_Contains_KnownHash(op: *mut PyObject, key: *mut PyObject, hash: Py_hash_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe { contains_known_hash(op.cast(), key, hash).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_ContainsString(op: *mut PyObject, key: *const c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match key_from(key) {
            Ok(k) => PyDict_Contains(op, k.as_ptr()),
            Err(_) => -1,
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_Size(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        match check_dict(op) {
            Ok(mp) => (*mp).ma_used,
            Err(_) => -1,
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_Copy(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if check_dict(op).is_err() {
            return null_mut();
        }
        copy(op).into_c()
    }
}

macro_rules! listing {
    ($($name:ident, $get:expr;)*) => { $(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(op: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe {
                let Ok(mp) = check_dict(op) else { return null_mut() };
                dict_list(mp, $get).into_c()
            }
        }
    )* };
}
listing! {
    PyDict_Keys, |k, _| { Py_INCREF(k); Ok(Owned::from_owned(k)) };
    PyDict_Values, |_, v| { Py_INCREF(v); Ok(Owned::from_owned(v)) };
}

/// A list made of each entry. The size is checked again after the allocation, which may run the collector.
unsafe fn dict_list(
    mp: *mut PyDictObject,
    get: unsafe fn(*mut PyObject, *mut PyObject) -> PyResult<Owned>,
) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        loop {
            let n = (*mp).ma_used;
            let list = Owned::from_owned_or_err(PyList_New(n))?;
            if n != (*mp).ma_used {
                continue;
            }
            let (mut pos, mut i) = (0, 0);
            while let Some((k, v, _)) = dict_next(mp, &mut pos) {
                PyList_SET_ITEM(list.as_ptr(), i, get(k, v)?.into_raw());
                i += 1;
            }
            return Ok(list);
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_Items(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] all tuples are allocated before the dict is read.
    unsafe {
        let Ok(mp) = check_dict(op) else { return null_mut() };
        loop {
            let n = (*mp).ma_used;
            let list = PyList_New(n);
            if list.is_null() {
                return list;
            }
            for i in 0..n {
                let t = PyTuple_New(2);
                if t.is_null() {
                    Py_DECREF(list);
                    return null_mut();
                }
                PyList_SET_ITEM(list, i, t);
            }
            if n != (*mp).ma_used {
                Py_DECREF(list);
                continue;
            }
            let (mut pos, mut i) = (0, 0);
            while let Some((k, v, _)) = dict_next(mp, &mut pos) {
                let t = PyList_GET_ITEM(list, i);
                Py_INCREF(k);
                Py_INCREF(v);
                PyTuple_SET_ITEM(t, 0, k);
                PyTuple_SET_ITEM(t, 1, v);
                i += 1;
            }
            return list;
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_Update(a: *mut PyObject, b: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { dict_merge(a, b, 1).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_Merge(a: *mut PyObject, b: *mut PyObject, override_: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { dict_merge(a, b, (override_ != 0) as i32).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_MergeEx(a: *mut PyObject, b: *mut PyObject, override_: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { dict_merge(a, b, override_).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyDict_MergeFromSeq2(d: *mut PyObject, seq2: *mut PyObject, override_: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { merge_from_seq2(d, seq2, override_ != 0).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_SizeOf(mp: *mut PyDictObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { dict_sizeof(mp) as Py_ssize_t }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_FromKeys(
    cls: *mut PyObject,
    iterable: *mut PyObject,
    value: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { from_keys(cls, iterable, value).into_c() }
}

/// The collector's: an exact dict none of whose entries can be part of a cycle is not worth visiting.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_MaybeUntrack(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if PyDict_CheckExact(op) == 0 || !gc_is_tracked(op) {
            return;
        }
        let mut pos = 0;
        while let Some((k, v, _)) = dict_next(op.cast(), &mut pos) {
            if gc_may_be_tracked(v) || gc_may_be_tracked(k) {
                return;
            }
        }
        crate::gc::gc_untrack(op);
    }
}

/// For the specialiser: entry index and value of `key` as [`dict_lookup`] gives them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_dict_lookup(
    mp: *mut PyDictObject,
    key: *mut PyObject,
    hash: Py_hash_t,
    value_addr: *mut *mut PyObject,
) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        let (ix, value) = dict_lookup(mp, key, hash);
        *value_addr = value;
        ix
    }
}

/// Entry index of `key`, -1 absent, -3 raised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_LookupIndex(mp: *mut PyDictObject, key: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        let hash = hash_of(key);
        if hash == -1 {
            return -1;
        }
        dict_lookup(mp, key, hash).0
    }
}

/// `mp[name] = value`, or deletion when `value` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDict_SetItem_LockHeld(
    mp: *mut PyDictObject,
    name: *mut PyObject,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if value.is_null() {
            let hash = hash_of(name);
            if hash == -1 {
                return -1;
            }
            return delitem_known_hash(mp, name, hash).into_c();
        }
        if setitem(mp, name, value) { 0 } else { -1 }
    }
}
