//! The method resolution order (C3), the best base, and subtype tests.

use super::lookup::clear_version;
use super::{Py_TPFLAGS_STATIC_BUILTIN, tuple_items};
use crate::object::{dict_has, err_format, lookup_maybe_method, optional_attr, own, raised};
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;

/// Whether `b` is on the chain of first bases that starts at `a`; `object` is on every one.
///
/// # Safety
/// Both are live.
pub unsafe fn type_is_subtype_base_chain(a: *mut PyTypeObject, b: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let mut a = a;
        while !a.is_null() {
            if a == b {
                return true;
            }
            a = (*a).tp_base;
        }
        b == &raw mut PyBaseObject_Type
    }
}

/// Whether `a` is `b` or derives from it.
///
/// # Safety
/// Both are live.
#[inline]
pub unsafe fn is_subtype(a: *mut PyTypeObject, b: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let mro = (*a).tp_mro;
        if mro.is_null() {
            return type_is_subtype_base_chain(a, b);
        }
        tuple_items(mro).contains(&b.cast())
    }
}

/// See [`is_subtype`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_IsSubtype(a: *mut PyTypeObject, b: *mut PyTypeObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { is_subtype(a, b) as c_int }
}

unsafe fn class_name(cls: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        match optional_attr(cls, intern!("__name__"))? {
            Some(name) => Ok(name),
            None => own(PyObject_Repr(cls)),
        }
    }
}

unsafe fn check_duplicates(bases: &[*mut PyObject]) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        for (i, &base) in bases.iter().enumerate() {
            if bases[i + 1..].contains(&base) {
                let name = class_name(base)?;
                if PyUnicode_Check(name.as_ptr()) != 0 {
                    return Err(err_format!(PyExc_TypeError, c"duplicate base class %U", name.as_ptr()));
                }
                bail!(PyExc_TypeError, "duplicate base class");
            }
        }
        Ok(())
    }
}

/// Names the classes that were the next candidates when the merge got stuck.
#[cold]
unsafe fn mro_error(sequences: &[&[*mut PyObject]]) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        let mut heads: Vec<*mut PyObject> = Vec::new();
        for seq in sequences {
            if let Some(&head) = seq.first()
                && !heads.contains(&head)
            {
                heads.push(head);
            }
        }
        let mut names = Vec::new();
        for head in heads {
            match class_name(head) {
                Ok(name) => names.push(crate::object::text_of(name.as_ptr())),
                Err(e) => return e,
            }
        }
        let mut msg = format!("Cannot create a consistent method resolution order (MRO) for bases {}", names.join(", "));
        if msg.len() >= 1000 {
            let mut end = 999;
            while !msg.is_char_boundary(end) {
                end -= 1;
            }
            msg.truncate(end);
        }
        raise!(PyExc_TypeError, "{msg}")
    }
}

/// C3: repeatedly takes the first head that is in no other sequence's tail.
unsafe fn merge(out: &mut Vec<*mut PyObject>, mut sequences: Vec<&[*mut PyObject]>) -> PyResult<()> {
    loop {
        if sequences.iter().all(|s| s.is_empty()) {
            return Ok(());
        }
        let next = sequences
            .iter()
            .filter_map(|s| s.first().copied())
            .find(|&c| !sequences.iter().any(|s| s.len() > 1 && s[1..].contains(&c)));
        let Some(next) = next else {
            // SAFETY: [ARGS]
            return Err(unsafe { mro_error(&sequences) });
        };
        out.push(next);
        for s in &mut sequences {
            if s.first() == Some(&next) {
                *s = &s[1..];
            }
        }
    }
}

/// The C3 linearisation of `tp`, as a tuple.
///
/// # Safety
/// `tp` is live and has its bases.
pub unsafe fn mro_implementation(tp: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the bases stay alive through the tuple.
    unsafe {
        if (*tp).tp_dict.is_null() && PyType_Ready(tp) < 0 {
            return Err(raised());
        }
        let bases = tuple_items((*tp).tp_bases);
        for &base in bases {
            let base: *mut PyTypeObject = base.cast();
            if (*base).tp_mro.is_null() {
                return Err(err_format!(PyExc_TypeError, c"Cannot extend an incomplete type '%.100s'", (*base).tp_name));
            }
        }
        let mut out: Vec<*mut PyObject> = vec![tp.cast()];
        if let [base] = bases {
            out.extend_from_slice(tuple_items((*base.cast::<PyTypeObject>()).tp_mro));
        } else {
            check_duplicates(bases)?;
            let mut sequences: Vec<_> = bases.iter().map(|&b| tuple_items((*b.cast::<PyTypeObject>()).tp_mro)).collect();
            sequences.push(bases);
            merge(&mut out, sequences)?;
        }
        own(_PyTuple_FromArray(out.as_ptr(), out.len() as Py_ssize_t))
    }
}

/// Checks what a metaclass's own `mro()` returned.
unsafe fn mro_check(tp: *mut PyTypeObject, mro: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let solid = solid_base(tp);
        for &item in tuple_items(mro) {
            if PyType_Check(item) == 0 {
                bail!(PyExc_TypeError, "mro() returned a non-class ('{}')", type_name(item));
            }
            if !is_subtype(solid, solid_base(item.cast())) {
                bail!(PyExc_TypeError, "mro() returned base with unsuitable layout ('{}')", tp_name(item.cast()));
            }
        }
        Ok(())
    }
}

unsafe fn mro_invoke(tp: *mut PyTypeObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let custom = (*tp).ob_base.ob_base.ob_type != &raw mut PyType_Type;
        if !custom {
            return mro_implementation(tp);
        }
        let name = intern!("mro");
        let Some((method, unbound)) = lookup_maybe_method(tp.cast(), name)? else {
            PyErr_SetObject(PyExc_AttributeError, name);
            return Err(raised());
        };
        let result = if unbound {
            own(PyObject_CallOneArg(method.as_ptr(), tp.cast()))?
        } else {
            own(PyObject_CallNoArgs(method.as_ptr()))?
        };
        let mro = own(PySequence_Tuple(result.as_ptr()))?;
        if PyTuple_GET_SIZE(mro.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "type MRO must not be empty");
        }
        mro_check(tp, mro.as_ptr())?;
        Ok(mro)
    }
}

/// What [`mro_internal`] did.
pub(super) enum MroUpdate {
    /// A new MRO is in place; the old one, if any, is handed over.
    Done(Option<Owned>),
    /// Code that ran meanwhile has already given the type another MRO.
    Reentered,
}

/// Computes and stores the MRO. A metaclass's `mro()` may run any code, even code that sets the MRO of this very type.
pub(super) unsafe fn mro_internal(tp: *mut PyTypeObject) -> PyResult<MroUpdate> {
    // SAFETY: [ARGS] the old tuple is held so that its address is not reused.
    unsafe {
        let old = Owned::from_borrowed_or_opt((*tp).tp_mro);
        let new = mro_invoke(tp)?;
        if (*tp).tp_mro != old.as_ref().map_or(null_mut(), |o| o.as_ptr()) {
            return Ok(MroUpdate::Reentered);
        }
        if (*tp).tp_flags & Py_TPFLAGS_STATIC_BUILTIN != 0 {
            crate::gc::gc_untrack(new.as_ptr());
            set_immortal(new.as_ptr());
        }
        let new = new.into_raw();
        (*tp).tp_mro = new;
        // The type's own reference to the old tuple passes to `old`, whose extra one is dropped.
        if let Some(o) = &old {
            Py_DECREF(o.as_ptr());
        }
        check_cacheable(tp, new);
        check_cacheable(tp, (*tp).tp_bases);
        if (*tp).tp_flags & Py_TPFLAGS_STATIC_BUILTIN == 0 {
            PyType_Modified(tp);
        }
        Ok(MroUpdate::Done(old))
    }
}

/// Clears the version tag when `tp` has its own `mro()` or one of `bases` is not really a base.
unsafe fn check_cacheable(tp: *mut PyTypeObject, bases: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_STATIC_BUILTIN != 0 {
            return;
        }
        let meta = (*tp).ob_base.ob_base.ob_type;
        let name = intern!("mro");
        let standard = meta == &raw mut PyType_Type
            || super::lookup::type_lookup(meta, name) == super::lookup::type_lookup(&raw mut PyType_Type, name);
        if !standard || tuple_items(bases).iter().any(|&b| !is_subtype(tp, b.cast())) {
            clear_version(tp);
        }
    }
}

/// `type.mro()`: the linearisation as a list.
pub(super) fn type_mro(slf: Borrowed<'_, PyTypeObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let mro = mro_implementation(slf.as_ptr())?;
        own(PySequence_List(mro.as_ptr()))
    }
}

// ---- layout --------------------------------------------------------------------------------------------------------

/// The type nearest to `tp` among it and its first bases that adds fields to the layout.
///
/// # Safety
/// `tp` is live.
pub unsafe fn solid_base(tp: *mut PyTypeObject) -> *mut PyTypeObject {
    // SAFETY: [ARGS]
    unsafe {
        let base = if (*tp).tp_base.is_null() { &raw mut PyBaseObject_Type } else { solid_base((*tp).tp_base) };
        let same = (*tp).tp_basicsize == (*base).tp_basicsize && (*tp).tp_itemsize == (*base).tp_itemsize;
        if same { base } else { tp }
    }
}

/// The base whose layout the new class extends.
///
/// # Safety
/// `bases` is a tuple that is not empty.
pub unsafe fn best_base(bases: *mut PyObject) -> PyResult<*mut PyTypeObject> {
    // SAFETY: [ARGS]
    unsafe {
        let mut best: Option<(*mut PyTypeObject, *mut PyTypeObject)> = None;
        for &item in tuple_items(bases) {
            if PyType_Check(item) == 0 {
                bail!(PyExc_TypeError, "bases must be types");
            }
            let base: *mut PyTypeObject = item.cast();
            if (*base).tp_dict.is_null() && PyType_Ready(base) < 0 {
                return Err(raised());
            }
            if (*base).tp_flags & Py_TPFLAGS_BASETYPE == 0 {
                return Err(err_format!(PyExc_TypeError, c"type '%.100s' is not an acceptable base type", (*base).tp_name));
            }
            let candidate = solid_base(base);
            match best {
                None => best = Some((base, candidate)),
                Some((_, winner)) if is_subtype(winner, candidate) => {}
                Some((_, winner)) if is_subtype(candidate, winner) => best = Some((base, candidate)),
                _ => bail!(PyExc_TypeError, "multiple bases have instance lay-out conflict"),
            }
        }
        best.map(|b| b.0).ok_or_else(|| raise!(PyExc_SystemError, "best_base: no bases"))
    }
}

/// The most derived of `metatype` and the types of `bases`.
///
/// # Safety
/// `bases` is a tuple; all are live.
pub unsafe fn _PyType_CalculateMetaclass(metatype: *mut PyTypeObject, bases: *mut PyObject) -> PyResult<*mut PyTypeObject> {
    // SAFETY: [ARGS]
    unsafe {
        let mut winner = metatype;
        for &base in tuple_items(bases) {
            let meta = (*base).ob_type;
            if is_subtype(winner, meta) {
                continue;
            }
            if !is_subtype(meta, winner) {
                bail!(
                    PyExc_TypeError,
                    "metaclass conflict: the metaclass of a derived class must be a (non-strict) subclass of the metaclasses of all its bases"
                );
            }
            winner = meta;
        }
        Ok(winner)
    }
}

/// Whether a type's dict has `__eq__` or `__hash__`: then it inherits neither slot.
pub(super) unsafe fn overrides_hash(tp: *mut PyTypeObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let dict = (*tp).tp_dict;
        Ok(dict_has(dict, intern!("__eq__"))? || dict_has(dict, intern!("__hash__"))?)
    }
}

