//! Names, globals, attributes, super.

inst(LOAD_BUILD_CLASS, (-- bc)) {
    bc = load_build_class(builtins!());
    error_if!(bc.is_null());
}

inst(STORE_NAME, (v --)) {
    error_if!(store_name(frame, name!(oparg), v) < 0);
}

inst(DELETE_NAME, (--)) {
    error_if!(delete_name(tstate, frame, name!(oparg)) < 0);
}

inst(STORE_GLOBAL, (v --)) {
    error_if!(PyDict_SetItem(globals!(), name!(oparg), v) < 0);
}

inst(DELETE_GLOBAL, (--)) {
    error_if!(delete_global(tstate, globals!(), name!(oparg)) < 0);
}

inst(LOAD_LOCALS, (-- locals_ns)) {
    locals_ns = (*frame).f_locals;
    if locals_ns.is_null() {
        PyErr_SetString(PyExc_SystemError, c"no locals found".as_ptr());
        error!();
    }
    Py_INCREF(locals_ns);
}

inst(LOAD_FROM_DICT_OR_GLOBALS, (mod_or_class_dict -- v)) {
    v = load_from_dict_or_globals(tstate, mod_or_class_dict, globals!(), builtins!(), name!(oparg));
    error_if!(v.is_null());
}

inst(LOAD_NAME, (-- v)) {
    v = load_name(tstate, frame, globals!(), builtins!(), name!(oparg));
    error_if!(v.is_null());
}

inst(SETUP_ANNOTATIONS, (--)) {
    error_if!(setup_annotations((*frame).f_locals) < 0);
}

family(LOAD_GLOBAL) = { LOAD_GLOBAL_MODULE, LOAD_GLOBAL_BUILTIN };

specializing op(_SPECIALIZE_LOAD_GLOBAL, (counter/1 --)) {
    specialize!(counter, specialize_load_global(globals!(), builtins!(), this_instr, name!(oparg >> 1)));
}

op(_LOAD_GLOBAL, (-- res, ref null if (oparg & 1))) {
    res = load_global(tstate, globals!(), builtins!(), name!(oparg >> 1));
    error_if!(res.is_null());
    null = StackRef::NULL;
}

macro(LOAD_GLOBAL) = _SPECIALIZE_LOAD_GLOBAL + unused/1 + unused/1 + unused/1 + _LOAD_GLOBAL;

op(_GUARD_GLOBALS_VERSION, (version/1 --)) {
    let dict: *mut PyDictObject = globals!().cast();
    deopt_if!(Py_TYPE(dict.cast()) != &raw mut PyDict_Type);
    deopt_if!((*(*dict).ma_keys).dk_version != version as u32);
}

op(_GUARD_BUILTINS_VERSION, (version/1 --)) {
    let dict: *mut PyDictObject = builtins!().cast();
    deopt_if!(Py_TYPE(dict.cast()) != &raw mut PyDict_Type);
    deopt_if!((*(*dict).ma_keys).dk_version != version as u32);
}

op(_LOAD_GLOBAL_MODULE, (index/1 -- res, ref null if (oparg & 1))) {
    let dict: *mut PyDictObject = globals!().cast();
    res = (*dk_unicode_entries((*dict).ma_keys).add(index as usize)).me_value;
    deopt_if!(res.is_null());
    Py_INCREF(res);
    null = StackRef::NULL;
}

op(_LOAD_GLOBAL_BUILTINS, (index/1 -- res, ref null if (oparg & 1))) {
    let dict: *mut PyDictObject = builtins!().cast();
    res = (*dk_unicode_entries((*dict).ma_keys).add(index as usize)).me_value;
    deopt_if!(res.is_null());
    Py_INCREF(res);
    null = StackRef::NULL;
}

macro(LOAD_GLOBAL_MODULE) = unused/1 + _GUARD_GLOBALS_VERSION + unused/1 + _LOAD_GLOBAL_MODULE;
macro(LOAD_GLOBAL_BUILTIN) = unused/1 + _GUARD_GLOBALS_VERSION + _GUARD_BUILTINS_VERSION + _LOAD_GLOBAL_BUILTINS;

family(LOAD_SUPER_ATTR) = { LOAD_SUPER_ATTR_ATTR, LOAD_SUPER_ATTR_METHOD };

specializing op(_SPECIALIZE_LOAD_SUPER_ATTR, (counter/1, global_super, class, unused -- global_super, class, unused)) {
    specialize!(counter, specialize_load_super_attr(global_super, class, this_instr, oparg & 1 != 0));
}

op(_LOAD_SUPER_ATTR, (global_super, class, slf -- attr, ref null if (oparg & 1))) {
    attr = load_super_attr(global_super, class, slf, oparg & 2 != 0, name!(oparg >> 2));
    error_if!(attr.is_null());
    null = StackRef::NULL;
}

macro(LOAD_SUPER_ATTR) = _SPECIALIZE_LOAD_SUPER_ATTR + _LOAD_SUPER_ATTR;

inst(INSTRUMENTED_LOAD_SUPER_ATTR, (unused/1, global_super, class, slf -- attr, ref null if (oparg & 1))) {
    attr = load_super_attr_instrumented(tstate, frame, this_instr, global_super, class, slf, oparg & 2 != 0, name!(oparg >> 2));
    error_if!(attr.is_null());
    null = StackRef::NULL;
}

pseudo(LOAD_SUPER_METHOD) = { LOAD_SUPER_ATTR };
pseudo(LOAD_ZERO_SUPER_METHOD) = { LOAD_SUPER_ATTR };
pseudo(LOAD_ZERO_SUPER_ATTR) = { LOAD_SUPER_ATTR };

op(_GUARD_BUILTIN_SUPER, (global_super, class, unused -- global_super, class, unused)) {
    deopt_if!(global_super != (&raw mut PySuper_Type).cast());
    deopt_if!(!is_type(class));
}

op(_LOAD_SUPER_ATTR_ATTR, (global_super, class, slf -- attr)) {
    attr = _PySuper_Lookup(class.cast(), slf, name!(oparg >> 2), null_mut());
    error_if!(attr.is_null());
}

macro(LOAD_SUPER_ATTR_ATTR) = unused/1 + _GUARD_BUILTIN_SUPER + _LOAD_SUPER_ATTR_ATTR;

op(_LOAD_SUPER_ATTR_METHOD, (ref global_super, ref class, ref slf -- attr, ref self_or_null)) {
    let mut found = 0;
    let generic = (*slf.ob_type()).tp_getattro.is_some_and(|f| f as usize == PyObject_GenericGetAttr as *const () as usize);
    let want = if generic { &raw mut found } else { null_mut() };
    attr = _PySuper_Lookup(class.as_ptr().cast(), slf.as_ptr(), name!(oparg >> 2), want);
    error_if!(attr.is_null());
    global_super.close();
    class.close();
    self_or_null = if found != 0 { slf } else { slf.close(); StackRef::NULL };
}

macro(LOAD_SUPER_ATTR_METHOD) = unused/1 + _GUARD_BUILTIN_SUPER + _LOAD_SUPER_ATTR_METHOD;

family(LOAD_ATTR) = {
    LOAD_ATTR_INSTANCE_VALUE, LOAD_ATTR_MODULE, LOAD_ATTR_WITH_HINT, LOAD_ATTR_SLOT, LOAD_ATTR_CLASS,
    LOAD_ATTR_PROPERTY, LOAD_ATTR_GETATTRIBUTE_OVERRIDDEN, LOAD_ATTR_METHOD_WITH_VALUES, LOAD_ATTR_METHOD_NO_DICT,
    LOAD_ATTR_METHOD_LAZY_DICT, LOAD_ATTR_NONDESCRIPTOR_WITH_VALUES, LOAD_ATTR_NONDESCRIPTOR_NO_DICT,
};

specializing op(_SPECIALIZE_LOAD_ATTR, (counter/1, owner -- owner)) {
    specialize!(counter, specialize_load_attr(owner, this_instr, name!(oparg >> 1)));
}

raw op(_LOAD_ATTR, (owner -- attr, self_or_null if (oparg & 1))) {
    let owner = *sp.sub(1);
    let attribute = name!(oparg >> 1);
    if oparg & 1 != 0 {
        let mut attr: *mut PyObject = null_mut();
        if _PyObject_GetMethod(owner.as_ptr(), attribute, &mut attr) != 0 {
            *sp.sub(1) = StackRef::from_owned(attr);
            *sp = owner;
        } else {
            error_if!(attr.is_null());
            *sp.sub(1) = StackRef::from_owned(attr);
            *sp = StackRef::NULL;
            owner.close();
        }
        sp = sp.add(1);
    } else {
        let attr = PyObject_GetAttr(owner.as_ptr(), attribute);
        error_if!(attr.is_null());
        *sp.sub(1) = StackRef::from_owned(attr);
        owner.close();
    }
}

macro(LOAD_ATTR) = _SPECIALIZE_LOAD_ATTR + unused/8 + _LOAD_ATTR;

pseudo(LOAD_METHOD) = { LOAD_ATTR };

op(_GUARD_TYPE_VERSION, (type_version/2, owner -- owner)) {
    exit_if!((*Py_TYPE(owner)).tp_version_tag != type_version);
}

op(_CHECK_MANAGED_OBJECT_HAS_VALUES, (owner -- owner)) {
    deopt_if!((*inline_values(owner)).valid == 0);
}

op(_LOAD_ATTR_INSTANCE_VALUE, (index/1, owner -- attr, ref null if (oparg & 1))) {
    attr = *(&raw mut (*inline_values(owner)).values).cast::<*mut PyObject>().add(index as usize);
    deopt_if!(attr.is_null());
    Py_INCREF(attr);
    null = StackRef::NULL;
}

macro(LOAD_ATTR_INSTANCE_VALUE) =
    unused/1 + _GUARD_TYPE_VERSION + _CHECK_MANAGED_OBJECT_HAS_VALUES + _LOAD_ATTR_INSTANCE_VALUE + unused/5;

op(_CHECK_ATTR_MODULE, (dict_version/2, owner -- owner)) {
    deopt_if!(Py_TYPE(owner) != &raw mut PyModule_Type);
    let dict: *mut PyDictObject = (*owner.cast::<PyModuleObject>()).md_dict.cast();
    deopt_if!((*(*dict).ma_keys).dk_version != dict_version);
}

op(_LOAD_ATTR_MODULE, (index/1, owner -- attr, ref null if (oparg & 1))) {
    let dict: *mut PyDictObject = (*owner.cast::<PyModuleObject>()).md_dict.cast();
    attr = (*dk_unicode_entries((*dict).ma_keys).add(index as usize)).me_value;
    deopt_if!(attr.is_null());
    Py_INCREF(attr);
    null = StackRef::NULL;
}

macro(LOAD_ATTR_MODULE) = unused/1 + _CHECK_ATTR_MODULE + _LOAD_ATTR_MODULE + unused/5;

op(_CHECK_ATTR_WITH_HINT, (owner -- owner)) {
    deopt_if!((*managed_dict(owner)).is_null());
}

op(_LOAD_ATTR_WITH_HINT, (hint/1, owner -- attr, ref null if (oparg & 1))) {
    let slot = dict_entry_at(*managed_dict(owner), hint as isize, name!(oparg >> 1));
    deopt_if!(slot.is_null());
    attr = *slot;
    deopt_if!(attr.is_null());
    Py_INCREF(attr);
    null = StackRef::NULL;
}

macro(LOAD_ATTR_WITH_HINT) = unused/1 + _GUARD_TYPE_VERSION + _CHECK_ATTR_WITH_HINT + _LOAD_ATTR_WITH_HINT + unused/5;

op(_LOAD_ATTR_SLOT, (index/1, owner -- attr, ref null if (oparg & 1))) {
    attr = *owner.cast::<u8>().add(index as usize).cast::<*mut PyObject>();
    deopt_if!(attr.is_null());
    Py_INCREF(attr);
    null = StackRef::NULL;
}

macro(LOAD_ATTR_SLOT) = unused/1 + _GUARD_TYPE_VERSION + _LOAD_ATTR_SLOT + unused/5;

op(_CHECK_ATTR_CLASS, (type_version/2, owner -- owner)) {
    deopt_if!(!is_type(owner));
    deopt_if!((*owner.cast::<PyTypeObject>()).tp_version_tag != type_version);
}

op(_LOAD_ATTR_CLASS, (descr/4, owner -- attr, ref null if (oparg & 1))) {
    attr = descr;
    Py_INCREF(attr);
    null = StackRef::NULL;
}

macro(LOAD_ATTR_CLASS) = unused/1 + _CHECK_ATTR_CLASS + unused/2 + _LOAD_ATTR_CLASS;

// The property's Python getter, called without leaving the interpreter loop.
raw op(_LOAD_ATTR_PROPERTY, (func_version/2, fget/4, owner -- unused)) {
    deopt_if!(has_eval_frame_hook(tstate));
    let getter: *mut PyFunctionObject = fget.cast();
    deopt_if!((*getter).func_version != func_version);
    deopt_if!(!has_stack_space(tstate, (*getter).func_code.cast()));
    Py_INCREF(fget);
    let new_frame = frame_push_exact(tstate, frame, getter, sp.sub(1), 1);
    frame.set_sp(sp.sub(1));
    (*frame).return_offset = next_instr.offset_from(this_instr) as u16;
    push_frame!(new_frame);
}

macro(LOAD_ATTR_PROPERTY) = unused/1 + _GUARD_TYPE_VERSION + _LOAD_ATTR_PROPERTY;

raw op(_LOAD_ATTR_GETATTRIBUTE_OVERRIDDEN, (func_version/2, getattribute/4, owner -- unused)) {
    deopt_if!(has_eval_frame_hook(tstate));
    let function: *mut PyFunctionObject = getattribute.cast();
    deopt_if!((*function).func_version != func_version);
    deopt_if!(!has_stack_space(tstate, (*function).func_code.cast()));
    Py_INCREF(getattribute);
    let mut arguments = [*sp.sub(1), StackRef::from_new(name!(oparg >> 1))];
    let new_frame = frame_push_exact_copy(tstate, frame, function, arguments.as_mut_ptr(), 2);
    frame.set_sp(sp.sub(1));
    (*frame).return_offset = next_instr.offset_from(this_instr) as u16;
    push_frame!(new_frame);
}

macro(LOAD_ATTR_GETATTRIBUTE_OVERRIDDEN) = unused/1 + _GUARD_TYPE_VERSION + _LOAD_ATTR_GETATTRIBUTE_OVERRIDDEN;

op(_GUARD_KEYS_VERSION, (keys_version/2, owner -- owner)) {
    deopt_if!((*ht_cached_keys(Py_TYPE(owner))).dk_version != keys_version);
}

op(_LOAD_ATTR_METHOD_WITH_VALUES, (descr/4, ref owner -- attr, ref slf)) {
    attr = descr;
    Py_INCREF(attr);
    slf = owner;
}

macro(LOAD_ATTR_METHOD_WITH_VALUES) =
    unused/1 + _GUARD_TYPE_VERSION + _CHECK_MANAGED_OBJECT_HAS_VALUES + _GUARD_KEYS_VERSION + _LOAD_ATTR_METHOD_WITH_VALUES;

macro(LOAD_ATTR_METHOD_NO_DICT) = unused/1 + _GUARD_TYPE_VERSION + unused/2 + _LOAD_ATTR_METHOD_WITH_VALUES;

op(_CHECK_ATTR_METHOD_LAZY_DICT, (dictoffset/1, owner -- owner)) {
    deopt_if!(!(*owner.cast::<u8>().offset(MANAGED_DICT_OFFSET + dictoffset as i16 as isize).cast::<*mut PyObject>()).is_null());
}

macro(LOAD_ATTR_METHOD_LAZY_DICT) =
    unused/1 + _GUARD_TYPE_VERSION + _CHECK_ATTR_METHOD_LAZY_DICT + unused/1 + _LOAD_ATTR_METHOD_WITH_VALUES;

op(_LOAD_ATTR_NONDESCRIPTOR, (descr/4, owner -- attr)) {
    attr = descr;
    Py_INCREF(attr);
}

macro(LOAD_ATTR_NONDESCRIPTOR_WITH_VALUES) =
    unused/1 + _GUARD_TYPE_VERSION + _CHECK_MANAGED_OBJECT_HAS_VALUES + _GUARD_KEYS_VERSION + _LOAD_ATTR_NONDESCRIPTOR;

macro(LOAD_ATTR_NONDESCRIPTOR_NO_DICT) = unused/1 + _GUARD_TYPE_VERSION + unused/2 + _LOAD_ATTR_NONDESCRIPTOR;

family(STORE_ATTR) = { STORE_ATTR_INSTANCE_VALUE, STORE_ATTR_SLOT, STORE_ATTR_WITH_HINT };

specializing op(_SPECIALIZE_STORE_ATTR, (counter/1, owner -- owner)) {
    specialize!(counter, specialize_store_attr(owner, this_instr, name!(oparg)));
}

op(_STORE_ATTR, (v, owner --)) {
    error_if!(PyObject_SetAttr(owner, name!(oparg), v) < 0);
}

macro(STORE_ATTR) = _SPECIALIZE_STORE_ATTR + unused/3 + _STORE_ATTR;

inst(DELETE_ATTR, (owner --)) {
    error_if!(PyObject_DelAttr(owner, name!(oparg)) < 0);
}

op(_GUARD_DORV_NO_DICT, (owner -- owner)) {
    deopt_if!(!(*managed_dict(owner)).is_null());
    deopt_if!((*inline_values(owner)).valid == 0);
}

op(_STORE_ATTR_INSTANCE_VALUE, (index/1, ref value, owner --)) {
    let values = inline_values(owner);
    let slot = (&raw mut (*values).values).cast::<*mut PyObject>().add(index as usize);
    let old = core::mem::replace(&mut *slot, value.steal_object());
    if old.is_null() {
        dict_values_add_to_insertion_order(values, index as isize);
    } else {
        Py_DECREF(old);
    }
}

macro(STORE_ATTR_INSTANCE_VALUE) = unused/1 + _GUARD_TYPE_VERSION + _GUARD_DORV_NO_DICT + _STORE_ATTR_INSTANCE_VALUE;

op(_STORE_ATTR_WITH_HINT, (hint/1, ref value, owner --)) {
    let dict = *managed_dict(owner);
    deopt_if!(dict.is_null());
    deopt_if!(Py_TYPE(dict.cast()) != &raw mut PyDict_Type);
    let slot = dict_entry_at(dict, hint as isize, name!(oparg));
    deopt_if!(slot.is_null());
    deopt_if!((*slot).is_null());
    let new = value.steal_object();
    dict_notify_modified(dict, name!(oparg), new);
    let old = core::mem::replace(&mut *slot, new);
    dict_maybe_track(dict, new);
    Py_DECREF(old);
}

macro(STORE_ATTR_WITH_HINT) = unused/1 + _GUARD_TYPE_VERSION + _STORE_ATTR_WITH_HINT;

op(_STORE_ATTR_SLOT, (index/1, ref value, owner --)) {
    let slot = owner.cast::<u8>().add(index as usize).cast::<*mut PyObject>();
    let old = core::mem::replace(&mut *slot, value.steal_object());
    Py_XDECREF(old);
}

macro(STORE_ATTR_SLOT) = unused/1 + _GUARD_TYPE_VERSION + _STORE_ATTR_SLOT;
