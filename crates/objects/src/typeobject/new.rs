//! `type.__new__`: a class from its name, bases and namespace.

use super::mro::{_PyType_CalculateMetaclass, best_base};
use super::subtype::{
    SUBTYPE_GETSETS_DICT_ONLY, SUBTYPE_GETSETS_FULL, SUBTYPE_GETSETS_WEAKREF_ONLY, heap_type_members, subtype_clear,
    subtype_dealloc, subtype_traverse,
};
use super::{PyType_Ready, fn_addr, lookup, slotdefs, tuple_items};
use crate::object::{dict_get, dict_has, dict_set, err_format, ob, own, raised};

use core::ptr::null_mut;
use taipan_abi::*;

/// What is known of the class to be made.
struct Context {
    metatype: *mut PyTypeObject,
    name: *mut PyObject,
    bases: Owned,
    base: *mut PyTypeObject,
    /// `__slots__` as a tuple: mangled, sorted, without `__dict__` and `__weakref__`.
    slots: Option<Owned>,
    add_dict: bool,
    add_weak: bool,
}

/// The constructor of `type`.
pub unsafe extern "C" fn type_new(metatype: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { type_new_impl(metatype, args, kwargs).into_c() }
}

unsafe fn type_new_impl(metatype: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] name, bases and namespace are lent by args.
    unsafe {
        let (mut name, mut bases, mut namespace): (*mut PyObject, *mut PyObject, *mut PyObject) = (null_mut(), null_mut(), null_mut());
        if PyArg_ParseTuple(
            args,
            c"UO!O!:type.__new__".as_ptr(),
            &raw mut name,
            &raw mut PyTuple_Type,
            &raw mut bases,
            &raw mut PyDict_Type,
            &raw mut namespace,
        ) == 0
        {
            return Err(raised());
        }
        let mut metatype = metatype;
        let (bases, base) = if PyTuple_GET_SIZE(bases) == 0 {
            let object = ob!(PyBaseObject_Type);
            (own(_PyTuple_FromArray(&raw const object, 1))?, &raw mut PyBaseObject_Type)
        } else {
            for &base in tuple_items(bases) {
                if PyType_Check(base) == 0 {
                    let has = PyObject_HasAttrWithError(base, intern!("__mro_entries__"));
                    check_status(has)?;
                    if has != 0 {
                        bail!(PyExc_TypeError, "type() doesn't support MRO entry resolution; use types.new_class()");
                    }
                }
            }
            let winner = _PyType_CalculateMetaclass(metatype, bases)?;
            if winner != metatype {
                if let Some(new) = (*winner).tp_new
                    && fn_addr(Some(new)) != type_new as *const () as usize
                {
                    return own(new(winner, args, kwargs));
                }
                metatype = winner;
            }
            (Owned::from_borrowed(bases), best_base(bases)?)
        };
        let dict = own(PyDict_Copy(namespace))?;
        let mut ctx = Context { metatype, name, bases, base, slots: None, add_dict: false, add_weak: false };
        read_slots(&mut ctx, dict.as_ptr())?;
        let tp = allocate(&mut ctx, dict)?;
        set_attributes(&ctx, tp.as_ptr())?;
        if PyType_Ready(tp.as_ptr()) < 0 {
            return Err(raised());
        }
        slotdefs::fixup_slot_dispatchers(tp.as_ptr());
        warn_about_keys(tp.as_ptr())?;
        set_names(tp.as_ptr())?;
        init_subclass(tp.as_ptr(), kwargs)?;
        super::check_consistency(tp.as_ptr());
        Ok(tp.into_object())
    }
}

// ---- __slots__ -----------------------------------------------------------------------------------------------------

unsafe fn equals(a: *mut PyObject, b: *mut PyObject) -> bool {
    // SAFETY: [ARGS] both are str.
    unsafe { a == b || _PyUnicode_Equal(a, b) != 0 }
}

/// Reads `__slots__` and decides whether instances get a dict and a list of weak references.
unsafe fn read_slots(ctx: &mut Context, dict: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let base = ctx.base;
        let may_add_dict = (*base).tp_dictoffset == 0;
        let may_add_weak = (*base).tp_weaklistoffset == 0 && (*base).tp_itemsize == 0;
        let Some(slots) = dict_get(dict, intern!("__slots__"))? else {
            ctx.add_dict = may_add_dict;
            ctx.add_weak = may_add_weak;
            return Ok(());
        };
        let slots = if PyUnicode_Check(slots.as_ptr()) != 0 {
            let one = slots.as_ptr();
            own(_PyTuple_FromArray(&raw const one, 1))?
        } else {
            own(PySequence_Tuple(slots.as_ptr()))?
        };
        let names = tuple_items(slots.as_ptr());
        if !names.is_empty() && (*base).tp_itemsize != 0 {
            return Err(err_format!(
                PyExc_TypeError,
                c"nonempty __slots__ not supported for subtype of '%s'",
                (*base).tp_name
            ));
        }
        let (dict_name, weak_name) = (intern!("__dict__"), intern!("__weakref__"));
        for &name in names {
            if PyUnicode_Check(name) == 0 {
                bail!(PyExc_TypeError, "__slots__ items must be strings, not '{}'", type_name(name));
            }
            if PyUnicode_IsIdentifier(name) == 0 {
                bail!(PyExc_TypeError, "__slots__ must be identifiers");
            }
            if equals(name, dict_name) {
                if !may_add_dict || ctx.add_dict {
                    bail!(PyExc_TypeError, "__dict__ slot disallowed: we already got one");
                }
                ctx.add_dict = true;
            }
            if equals(name, weak_name) {
                if !may_add_weak || ctx.add_weak {
                    bail!(PyExc_TypeError, "__weakref__ slot disallowed: we already got one");
                }
                ctx.add_weak = true;
            }
        }
        let list = own(PyList_New(0))?;
        for &name in names {
            if equals(name, dict_name) || equals(name, weak_name) {
                continue;
            }
            let name = mangle(ctx.name, name)?;
            check_status(PyList_Append(list.as_ptr(), name.as_ptr()))?;
            let n = name.as_ptr();
            if dict_has(dict, n)?
                && !equals(n, intern!("__qualname__"))
                && !equals(n, intern!("__classcell__"))
                && !equals(n, intern!("__classdictcell__"))
            {
                return Err(err_format!(PyExc_ValueError, c"%R in __slots__ conflicts with class variable", n));
            }
        }
        // Sorted, so that classes with the same slots have the same layout.
        check_status(PyList_Sort(list.as_ptr()))?;
        ctx.slots = Some(own(PyList_AsTuple(list.as_ptr()))?);
        // Further bases may bring a dict or weak references along.
        for &other in tuple_items(ctx.bases.as_ptr()) {
            if other != base.cast() {
                let other: *mut PyTypeObject = other.cast();
                ctx.add_dict |= may_add_dict && (*other).tp_dictoffset != 0;
                ctx.add_weak |= may_add_weak && (*other).tp_weaklistoffset != 0;
            }
        }
        Ok(())
    }
}

/// `__private` of class `_C` is `_C__private`.
unsafe fn mangle(class: *mut PyObject, ident: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] both are str.
    unsafe {
        let n = PyUnicode_GET_LENGTH(ident);
        let at = |op: *mut PyObject, i: Py_ssize_t| PyUnicode_ReadChar(op, i);
        let underscore = b'_' as u32;
        let private = n >= 2 && at(ident, 0) == underscore && at(ident, 1) == underscore;
        let dunder = n >= 2 && at(ident, n - 1) == underscore && at(ident, n - 2) == underscore;
        let length = PyUnicode_GET_LENGTH(class);
        let start = (0..length).find(|&i| at(class, i) != underscore);
        let (true, false, Some(start)) = (private, dunder, start) else { return Ok(Owned::from_borrowed(ident)) };
        let stripped = own(PyUnicode_Substring(class, start, length))?;
        let mut name = own(PyUnicode_FromFormat(c"_%U%U".as_ptr(), stripped.as_ptr(), ident))?.into_raw();
        PyUnicode_InternInPlace(&mut name);
        Ok(Owned::from_owned(name))
    }
}

// ---- construction --------------------------------------------------------------------------------------------------

/// The type object with what must be there before anything can fail.
unsafe fn allocate(ctx: &mut Context, dict: Owned) -> PyResult<Owned<PyTypeObject>> {
    // SAFETY: [OWN] fields take over their references.
    unsafe {
        let nslots = ctx.slots.as_ref().map_or(0, |s| PyTuple_GET_SIZE(s.as_ptr()));
        let Some(alloc) = (*ctx.metatype).tp_alloc else { bail!(PyExc_SystemError, "metaclass has no tp_alloc") };
        let op = own(alloc(ctx.metatype, nslots))?;
        let et: *mut PyHeapTypeObject = op.into_raw().cast();
        let tp: *mut PyTypeObject = et.cast();
        // The collector may look at the type from here on.
        (*tp).tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HEAPTYPE | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC;
        (*tp).tp_as_async = &raw mut (*et).as_async;
        (*tp).tp_as_number = &raw mut (*et).as_number;
        (*tp).tp_as_sequence = &raw mut (*et).as_sequence;
        (*tp).tp_as_mapping = &raw mut (*et).as_mapping;
        (*tp).tp_as_buffer = &raw mut (*et).as_buffer;
        (*tp).tp_bases = ctx.bases.clone().into_raw();
        (*tp).tp_base = Py_NewRef(ctx.base.cast()).cast();
        (*tp).tp_dealloc = Some(subtype_dealloc);
        (*tp).tp_alloc = Some(super::PyType_GenericAlloc);
        (*tp).tp_free = Some(PyObject_GC_Del);
        (*tp).tp_traverse = Some(subtype_traverse);
        (*tp).tp_clear = Some(subtype_clear);
        (*et).ht_name = Py_NewRef(ctx.name);
        (*tp).tp_dict = dict.into_raw();
        (*et).ht_slots = ctx.slots.take().map_or(null_mut(), |s| s.into_raw());
        Ok(Owned::from_owned(tp))
    }
}

unsafe fn set_attributes(ctx: &Context, tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let et: *mut PyHeapTypeObject = tp.cast();
        let dict = (*tp).tp_dict;
        let mut size = 0;
        (*tp).tp_name = PyUnicode_AsUTF8AndSize(ctx.name, &mut size);
        if (*tp).tp_name.is_null() {
            return Err(raised());
        }
        if libc::strlen((*tp).tp_name) != size as usize {
            bail!(PyExc_ValueError, "type name must not contain null characters");
        }
        set_module(dict)?;
        match dict_get(dict, intern!("__qualname__"))? {
            Some(qualname) => {
                if PyUnicode_Check(qualname.as_ptr()) == 0 {
                    bail!(PyExc_TypeError, "type __qualname__ must be a str, not {}", type_name(qualname.as_ptr()));
                }
                (*et).ht_qualname = qualname.into_raw();
                check_status(PyDict_DelItem(dict, intern!("__qualname__")))?;
            }
            None => (*et).ht_qualname = Py_NewRef((*et).ht_name),
        }
        set_doc(tp)?;
        convert_function(dict, intern!("__new__"), PyStaticMethod_New)?;
        convert_function(dict, intern!("__init_subclass__"), PyClassMethod_New)?;
        convert_function(dict, intern!("__class_getitem__"), PyClassMethod_New)?;
        set_layout(ctx, tp)?;
        fill_cell(dict, intern!("__classcell__"), "__classcell__", tp.cast())?;
        fill_cell(dict, intern!("__classdictcell__"), "__classdictcell__", dict)
    }
}

/// `__module__` is the `__name__` of the calling code, unless the body set it.
unsafe fn set_module(dict: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let name = intern!("__module__");
        if dict_has(dict, name)? {
            return Ok(());
        }
        let globals = PyEval_GetGlobals();
        if !globals.is_null()
            && let Some(module) = dict_get(globals, intern!("__name__"))?
        {
            dict_set(dict, name, module.as_ptr())?;
        }
        Ok(())
    }
}

/// A copy of a str `__doc__` for C code; it ends at the first NUL.
unsafe fn set_doc(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(doc) = dict_get((*tp).tp_dict, intern!("__doc__"))? else { return Ok(()) };
        if PyUnicode_Check(doc.as_ptr()) == 0 {
            return Ok(());
        }
        let text = PyUnicode_AsUTF8(doc.as_ptr());
        if text.is_null() {
            return Err(raised());
        }
        let size = libc::strlen(text) + 1;
        let copy = PyMem_Malloc(size);
        if copy.is_null() {
            PyErr_NoMemory();
            return Err(raised());
        }
        core::ptr::copy_nonoverlapping(text.cast::<u8>(), copy.cast(), size);
        (*tp).tp_doc = copy.cast();
        Ok(())
    }
}

/// Some methods are static or class methods without being marked so.
unsafe fn convert_function(
    dict: *mut PyObject,
    name: *mut PyObject,
    wrap: unsafe extern "C" fn(*mut PyObject) -> *mut PyObject,
) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(f) = dict_get(dict, name)?
            && PyFunction_Check(f.as_ptr()) != 0
        {
            let method = own(wrap(f.as_ptr()))?;
            dict_set(dict, name, method.as_ptr())?;
        }
        Ok(())
    }
}

/// Offsets of slots, sizes, and the attributes `__dict__` and `__weakref__`.
unsafe fn set_layout(ctx: &Context, tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS] the type was allocated with a member for each slot.
    unsafe {
        let base = ctx.base;
        let mut offset = (*base).tp_basicsize;
        let slots = (*tp.cast::<PyHeapTypeObject>()).ht_slots;
        let names: &[*mut PyObject] = if slots.is_null() { &[] } else { tuple_items(slots) };
        let members = heap_type_members(tp);
        for (i, &name) in names.iter().enumerate() {
            let member = members.add(i);
            (*member).name = PyUnicode_AsUTF8(name);
            if (*member).name.is_null() {
                return Err(raised());
            }
            (*member).type_code = Py_T_OBJECT_EX;
            (*member).offset = offset;
            offset += size_of::<*mut PyObject>() as Py_ssize_t;
        }
        if ctx.add_weak {
            (*tp).tp_flags |= Py_TPFLAGS_MANAGED_WEAKREF;
            (*tp).tp_weaklistoffset = MANAGED_WEAKREF_OFFSET;
        }
        if ctx.add_dict {
            (*tp).tp_flags |= Py_TPFLAGS_MANAGED_DICT;
            (*tp).tp_dictoffset = -1;
        }
        (*tp).tp_basicsize = offset;
        (*tp).tp_itemsize = (*base).tp_itemsize;
        (*tp).tp_members = members;
        (*tp).tp_getset = match (ctx.add_dict, ctx.add_weak) {
            (true, true) => (&raw mut SUBTYPE_GETSETS_FULL).cast(),
            (true, false) => (&raw mut SUBTYPE_GETSETS_DICT_ONLY).cast(),
            (false, true) => (&raw mut SUBTYPE_GETSETS_WEAKREF_ONLY).cast(),
            (false, false) => null_mut(),
        };
        if ctx.add_dict || !names.is_empty() {
            if (*base).tp_getattr.is_none() && (*base).tp_getattro.is_none() {
                (*tp).tp_getattro = Some(crate::object::PyObject_GenericGetAttr);
            }
            if (*base).tp_setattr.is_none() && (*base).tp_setattro.is_none() {
                (*tp).tp_setattro = Some(crate::object::PyObject_GenericSetAttr);
            }
        }
        Ok(())
    }
}

/// Stores into the cell that the compiler left in the namespace for `super()` or annotation scopes.
unsafe fn fill_cell(dict: *mut PyObject, name: *mut PyObject, text: &str, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(cell) = dict_get(dict, name)? else { return Ok(()) };
        if PyCell_Check(cell.as_ptr()) == 0 {
            let repr = own(PyObject_Repr((*cell.as_ptr()).ob_type.cast()))?;
            bail!(PyExc_TypeError, "{} must be a nonlocal cell, not {:.200}", text, crate::object::text_of(repr.as_ptr()));
        }
        PyCell_Set(cell.as_ptr(), value);
        check_status(PyDict_DelItem(dict, name))
    }
}

// ---- after PyType_Ready --------------------------------------------------------------------------------------------

unsafe fn warn_about_keys(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let dict = (*tp).tp_dict;
        // Tables of kind 1 and 2 have str keys only.
        if (*(*dict.cast::<PyDictObject>()).ma_keys).dk_kind != 0 {
            return Ok(());
        }
        let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
        while PyDict_Next(dict, &mut pos, &mut key, &mut value) != 0 {
            if PyUnicode_Check(key) == 0 {
                let format = c"non-string key in the __dict__ of class %.200s";
                return check_status(PyErr_WarnFormat(PyExc_RuntimeWarning, 1, format.as_ptr(), (*tp).tp_name));
            }
        }
        Ok(())
    }
}

/// Calls `__set_name__` of the namespace's values.
unsafe fn set_names(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS] a copy is walked: the calls may change the class.
    unsafe {
        let dict = own(PyDict_Copy((*tp).tp_dict))?;
        let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
        while PyDict_Next(dict.as_ptr(), &mut pos, &mut key, &mut value) != 0 {
            if lookup::type_lookup((*value).ob_type, intern!("__set_name__")).is_null() {
                continue;
            }
            let method = _PyObject_LookupSpecial(value, intern!("__set_name__"));
            if method.is_null() {
                if err_occurred() {
                    return Err(raised());
                }
                continue;
            }
            let method = Owned::from_owned(method);
            let args = [tp.cast(), key];
            if let Err(e) = own(PyObject_Vectorcall(method.as_ptr(), args.as_ptr(), 2, null_mut())) {
                add_note(tp, key, value);
                return Err(e);
            }
        }
        Ok(())
    }
}

/// Says in the exception's notes which descriptor failed.
unsafe fn add_note(tp: *mut PyTypeObject, key: *mut PyObject, value: *mut PyObject) {
    // SAFETY: [EXC]
    unsafe {
        let exc = Owned::from_owned(PyErr_GetRaisedException());
        let note = PyUnicode_FromFormat(
            c"Error calling __set_name__ on '%.100s' instance %R in '%.100s'".as_ptr(),
            (*(*value).ob_type).tp_name,
            key,
            (*tp).tp_name,
        );
        if !note.is_null() {
            let note = Owned::from_owned(note);
            Py_XDECREF(PyObject_CallMethodOneArg(exc.as_ptr(), intern!("add_note"), note.as_ptr()));
        }
        PyErr_Clear();
        PyErr_SetRaisedException(exc.into_raw());
    }
}

/// Calls `super(tp, tp).__init_subclass__(**kwargs)`.
unsafe fn init_subclass(tp: *mut PyTypeObject, kwargs: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let args: [*mut PyObject; 2] = [tp.cast(), tp.cast()];
        let parent = own(PyObject_Vectorcall(ob!(PySuper_Type), args.as_ptr(), 2, null_mut()))?;
        let method = own(PyObject_GetAttr(parent.as_ptr(), intern!("__init_subclass__")))?;
        own(PyObject_VectorcallDict(method.as_ptr(), core::ptr::null(), 0, kwargs))?;
        Ok(())
    }
}

