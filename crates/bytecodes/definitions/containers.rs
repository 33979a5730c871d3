//! Subscripts, displays, unpacking, formatting.

family(BINARY_SUBSCR) = {
    BINARY_SUBSCR_DICT, BINARY_SUBSCR_GETITEM, BINARY_SUBSCR_LIST_INT, BINARY_SUBSCR_STR_INT, BINARY_SUBSCR_TUPLE_INT,
};

specializing op(_SPECIALIZE_BINARY_SUBSCR, (counter/1, container, sub -- container, sub)) {
    specialize!(counter, specialize_binary_subscr(container, sub, this_instr));
}

op(_BINARY_SUBSCR, (container, sub -- res)) {
    res = PyObject_GetItem(container, sub);
    error_if!(res.is_null());
}

macro(BINARY_SUBSCR) = _SPECIALIZE_BINARY_SUBSCR + _BINARY_SUBSCR;

inst(BINARY_SLICE, (container, start, stop -- res)) {
    res = binary_slice(container, start, stop);
    error_if!(res.is_null());
}

inst(STORE_SLICE, (v, container, start, stop --)) {
    error_if!(store_slice(container, start, stop, v) < 0);
}

op(_GUARD_NOS_LIST_TOS_INT, (container, sub -- container, sub)) {
    deopt_if!(!long_check_exact(sub));
    deopt_if!(Py_TYPE(container) != &raw mut PyList_Type);
}

op(_GUARD_NOS_TUPLE_TOS_INT, (container, sub -- container, sub)) {
    deopt_if!(!long_check_exact(sub));
    deopt_if!(Py_TYPE(container) != &raw mut PyTuple_Type);
}

op(_GUARD_NOS_UNICODE_TOS_INT, (container, sub -- container, sub)) {
    deopt_if!(!long_check_exact(sub));
    deopt_if!(!unicode_check_exact(container));
}

op(_BINARY_SUBSCR_LIST_INT, (list, sub -- res)) {
    deopt_if!(!long_is_nonnegative_compact(sub));
    let index = (*sub.cast::<PyLongObject>()).ob_digit[0] as isize;
    deopt_if!(index >= ob_size(list));
    res = *list_items(list).offset(index);
    Py_INCREF(res);
}

macro(BINARY_SUBSCR_LIST_INT) = unused/1 + _GUARD_NOS_LIST_TOS_INT + _BINARY_SUBSCR_LIST_INT;

op(_BINARY_SUBSCR_STR_INT, (str, sub -- res)) {
    deopt_if!(!long_is_nonnegative_compact(sub));
    let index = (*sub.cast::<PyLongObject>()).ob_digit[0] as isize;
    deopt_if!(index >= unicode_length(str));
    let c = unicode_read_char(str, index);
    deopt_if!(c >= 128);
    res = PyUnicode_FromOrdinal(c as i32);
    error_if!(res.is_null());
}

macro(BINARY_SUBSCR_STR_INT) = unused/1 + _GUARD_NOS_UNICODE_TOS_INT + _BINARY_SUBSCR_STR_INT;

op(_BINARY_SUBSCR_TUPLE_INT, (tuple, sub -- res)) {
    deopt_if!(!long_is_nonnegative_compact(sub));
    let index = (*sub.cast::<PyLongObject>()).ob_digit[0] as isize;
    deopt_if!(index >= ob_size(tuple));
    res = tuple_item(tuple, index as usize);
    Py_INCREF(res);
}

macro(BINARY_SUBSCR_TUPLE_INT) = unused/1 + _GUARD_NOS_TUPLE_TOS_INT + _BINARY_SUBSCR_TUPLE_INT;

op(_GUARD_NOS_DICT, (container, sub -- container, sub)) {
    deopt_if!(Py_TYPE(container) != &raw mut PyDict_Type);
}

op(_BINARY_SUBSCR_DICT, (dict, sub -- res)) {
    let mut found: *mut PyObject = null_mut();
    let rc = PyDict_GetItemRef(dict, sub, &mut found);
    if rc == 0 {
        _PyErr_SetKeyError(sub);
    }
    error_if!(rc <= 0);
    res = found;
}

macro(BINARY_SUBSCR_DICT) = unused/1 + _GUARD_NOS_DICT + _BINARY_SUBSCR_DICT;

// The type's Python `__getitem__`, called without leaving the interpreter loop.
raw op(_BINARY_SUBSCR_GETITEM, (container, sub -- unused)) {
    deopt_if!(has_eval_frame_hook(tstate));
    let tp = (*sp.sub(2)).ob_type();
    deopt_if!((*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0);
    let cache = spec_cache(tp);
    let getitem: *mut PyFunctionObject = (*cache).getitem.cast();
    deopt_if!(getitem.is_null());
    deopt_if!((*getitem).func_version != (*cache).getitem_version);
    deopt_if!(!has_stack_space(tstate, (*getitem).func_code.cast()));
    Py_INCREF(getitem.cast());
    let new_frame = frame_push_exact(tstate, frame, getitem, sp.sub(2), 2);
    frame.set_sp(sp.sub(2));
    (*frame).return_offset = next_instr.offset_from(this_instr) as u16;
    push_frame!(new_frame);
}

macro(BINARY_SUBSCR_GETITEM) = unused/1 + _BINARY_SUBSCR_GETITEM;

inst(LIST_APPEND, (list, unused[oparg-1], ref v -- list, unused[oparg-1])) {
    error_pop_if!(1, list_append_steal(list, v) < 0);
}

inst(SET_ADD, (set, unused[oparg-1], v -- set, unused[oparg-1])) {
    error_if!(PySet_Add(set, v) < 0);
}

family(STORE_SUBSCR) = { STORE_SUBSCR_DICT, STORE_SUBSCR_LIST_INT };

specializing op(_SPECIALIZE_STORE_SUBSCR, (counter/1, container, sub -- container, sub)) {
    specialize!(counter, specialize_store_subscr(container, sub, this_instr));
}

op(_STORE_SUBSCR, (v, container, sub --)) {
    error_if!(PyObject_SetItem(container, sub, v) < 0);
}

macro(STORE_SUBSCR) = _SPECIALIZE_STORE_SUBSCR + _STORE_SUBSCR;

op(_STORE_SUBSCR_LIST_INT, (ref value, list, sub --)) {
    deopt_if!(!long_is_nonnegative_compact(sub));
    let index = (*sub.cast::<PyLongObject>()).ob_digit[0] as isize;
    deopt_if!(index >= ob_size(list));
    let old = core::mem::replace(&mut *list_items(list).offset(index), value.steal_object());
    Py_DECREF(old);
}

macro(STORE_SUBSCR_LIST_INT) = unused/1 + _GUARD_NOS_LIST_TOS_INT + _STORE_SUBSCR_LIST_INT;

op(_STORE_SUBSCR_DICT, (value, dict, sub --)) {
    error_if!(PyDict_SetItem(dict, sub, value) < 0);
}

macro(STORE_SUBSCR_DICT) = unused/1 + _GUARD_NOS_DICT + _STORE_SUBSCR_DICT;

inst(DELETE_SUBSCR, (container, sub --)) {
    error_if!(PyObject_DelItem(container, sub) < 0);
}

family(UNPACK_SEQUENCE) = { UNPACK_SEQUENCE_TWO_TUPLE, UNPACK_SEQUENCE_TUPLE, UNPACK_SEQUENCE_LIST };

specializing op(_SPECIALIZE_UNPACK_SEQUENCE, (counter/1, seq -- seq)) {
    specialize!(counter, specialize_unpack_sequence(seq, this_instr, oparg));
}

op(_UNPACK_SEQUENCE, (ref seq -- values[oparg])) {
    let ok = unpack_iterable(tstate, seq.as_ptr(), oparg as i32, -1, values.add(oparg as usize));
    seq.close();
    error_pop_if!(1, !ok);
}

macro(UNPACK_SEQUENCE) = _SPECIALIZE_UNPACK_SEQUENCE + _UNPACK_SEQUENCE;

op(_GUARD_TOS_TUPLE_OF_SIZE, (seq -- seq)) {
    deopt_if!(Py_TYPE(seq) != &raw mut PyTuple_Type);
    deopt_if!(ob_size(seq) != oparg as isize);
}

op(_UNPACK_SEQUENCE_TWO_TUPLE, (seq -- ref val1, ref val0)) {
    val0 = StackRef::from_new(tuple_item(seq, 0));
    val1 = StackRef::from_new(tuple_item(seq, 1));
}

macro(UNPACK_SEQUENCE_TWO_TUPLE) = unused/1 + _GUARD_TOS_TUPLE_OF_SIZE + _UNPACK_SEQUENCE_TWO_TUPLE;

op(_UNPACK_SEQUENCE_TUPLE, (ref seq -- values[oparg])) {
    push_reversed(tuple_items(seq.as_ptr()), oparg as usize, values);
    seq.close();
}

macro(UNPACK_SEQUENCE_TUPLE) = unused/1 + _GUARD_TOS_TUPLE_OF_SIZE + _UNPACK_SEQUENCE_TUPLE;

op(_GUARD_TOS_LIST_OF_SIZE, (seq -- seq)) {
    deopt_if!(Py_TYPE(seq) != &raw mut PyList_Type);
    deopt_if!(ob_size(seq) != oparg as isize);
}

op(_UNPACK_SEQUENCE_LIST, (ref seq -- values[oparg])) {
    push_reversed(list_items(seq.as_ptr()), oparg as usize, values);
    seq.close();
}

macro(UNPACK_SEQUENCE_LIST) = unused/1 + _GUARD_TOS_LIST_OF_SIZE + _UNPACK_SEQUENCE_LIST;

raw inst(UNPACK_EX, (seq -- unused[oparg & 0xFF], unused, unused[oparg >> 8])) {
    let seq = *sp.sub(1);
    let total = 1 + (oparg & 0xFF) as usize + (oparg >> 8) as usize;
    let ok = unpack_iterable(tstate, seq.as_ptr(), (oparg & 0xFF) as i32, (oparg >> 8) as i32, sp.sub(1).add(total));
    sp = sp.sub(1);
    seq.close();
    error_if!(!ok);
    sp = sp.add(total);
}

inst(BUILD_STRING, (pieces[oparg] -- str)) {
    str = build_string(pieces, oparg as isize);
    error_if!(str.is_null());
}

inst(BUILD_TUPLE, (ref values[oparg] -- tup)) {
    tup = tuple_from_array_steal(values, oparg as usize);
    error_pop_if!(oparg, tup.is_null());
}

inst(BUILD_LIST, (ref values[oparg] -- list)) {
    list = list_from_array_steal(values, oparg as usize);
    error_pop_if!(oparg, list.is_null());
}

inst(LIST_EXTEND, (list, unused[oparg-1], iterable -- list, unused[oparg-1])) {
    error_if!(list_extend_op(tstate, list, iterable) < 0);
}

inst(SET_UPDATE, (set, unused[oparg-1], iterable -- set, unused[oparg-1])) {
    error_if!(_PySet_Update(set, iterable) < 0);
}

inst(BUILD_SET, (values[oparg] -- set)) {
    set = build_set(values, oparg as usize);
    error_if!(set.is_null());
}

inst(BUILD_MAP, (values[oparg*2] -- map)) {
    map = build_map(values, oparg as usize);
    error_if!(map.is_null());
}

inst(BUILD_CONST_KEY_MAP, (values[oparg], keys -- map)) {
    map = build_const_key_map(values, keys, oparg as usize);
    error_if!(map.is_null());
}

inst(DICT_UPDATE, (dict, unused[oparg - 1], update -- dict, unused[oparg - 1])) {
    error_if!(dict_update_op(tstate, dict, update) < 0);
}

inst(DICT_MERGE, (callable, unused, unused, dict, unused[oparg - 1], update -- callable, unused, unused, dict, unused[oparg - 1])) {
    if _PyDict_MergeEx(dict, update, 2) < 0 {
        format_kwargs_error(tstate, callable, update);
        error!();
    }
}

inst(MAP_ADD, (dict, unused[oparg - 1], key, value -- dict, unused[oparg - 1])) {
    error_if!(PyDict_SetItem(dict, key, value) < 0);
}

raw inst(BUILD_SLICE, (start, stop, step if (oparg == 3) -- slice)) {
    let step = if oparg == 3 { (*sp.sub(1)).as_ptr() } else { null_mut() };
    let first = sp.sub(oparg as usize);
    let slice = PySlice_New((*first).as_ptr(), (*first.add(1)).as_ptr(), step);
    error_if!(slice.is_null());
    close_array(first, oparg as usize);
    *first = StackRef::from_owned(slice);
    sp = first.add(1);
}

inst(CONVERT_VALUE, (value -- result)) {
    result = match oparg {
        1 => PyObject_Str(value),
        2 => PyObject_Repr(value),
        _ => PyObject_ASCII(value),
    };
    error_if!(result.is_null());
}

inst(FORMAT_SIMPLE, (ref value -- ref res)) {
    res = value;
    if !unicode_check_exact(value.as_ptr()) {
        let text = PyObject_Format(value.as_ptr(), null_mut());
        error_if!(text.is_null());
        value.close();
        res = StackRef::from_owned(text);
    }
}

inst(FORMAT_WITH_SPEC, (value, fmt_spec -- res)) {
    res = PyObject_Format(value, fmt_spec);
    error_if!(res.is_null());
}

inst(GET_LEN, (obj -- obj, len_o)) {
    let len = PyObject_Length(obj);
    error_if!(len < 0);
    len_o = PyLong_FromSsize_t(len);
    error_if!(len_o.is_null());
}
