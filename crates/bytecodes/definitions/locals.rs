//! Local variables, constants, cells and the order of the stack.

pure inst(NOP, (--)) {}

family(RESUME) = { RESUME_CHECK };

inst(RESUME, (--)) {
    if (*tstate).tracing == 0 {
        let code = frame.code();
        if (*code)._co_instrumentation_version != eval_breaker(tstate) & !EVAL_EVENTS_MASK {
            error_if!(_Py_Instrument(code, (*tstate).interp) < 0);
            restart!();
        }
        if opcode_of(this_instr) == opcode::RESUME {
            set_opcode(this_instr, opcode::RESUME_CHECK);
        }
    }
    if oparg & RESUME_OPARG_LOCATION_MASK < RESUME_AFTER_YIELD_FROM {
        check_eval_breaker!();
    }
}

inst(RESUME_CHECK, (--)) {
    deopt_if!(eval_breaker(tstate) != (*frame.code())._co_instrumentation_version);
}

pseudo(LOAD_CLOSURE) = { LOAD_FAST };

inst(LOAD_FAST_CHECK, (-- ref value)) {
    let v = *local!(oparg);
    if v.is_null() {
        unbound_local_error(tstate, frame, oparg);
        error!();
    }
    value = v.dup();
}

pure inst(LOAD_FAST, (-- ref value)) {
    value = (*local!(oparg)).dup();
}

pure inst(LOAD_FAST_AND_CLEAR, (-- ref value)) {
    value = core::mem::replace(&mut *local!(oparg), StackRef::NULL);
}

pure inst(LOAD_FAST_LOAD_FAST, (-- ref value1, ref value2)) {
    value1 = (*local!(oparg >> 4)).dup();
    value2 = (*local!(oparg & 15)).dup();
}

pure inst(LOAD_CONST, (-- ref value)) {
    value = StackRef::from_borrowed(konst!(oparg));
}

inst(STORE_FAST, (ref value --)) {
    let old = core::mem::replace(&mut *local!(oparg), value);
    old.xclose();
}

pseudo(STORE_FAST_MAYBE_NULL) = { STORE_FAST };

inst(STORE_FAST_LOAD_FAST, (ref value1 -- ref value2)) {
    let old = core::mem::replace(&mut *local!(oparg >> 4), value1);
    value2 = (*local!(oparg & 15)).dup();
    old.xclose();
}

inst(STORE_FAST_STORE_FAST, (ref value2, ref value1 --)) {
    let old1 = core::mem::replace(&mut *local!(oparg >> 4), value1);
    old1.xclose();
    let old2 = core::mem::replace(&mut *local!(oparg & 15), value2);
    old2.xclose();
}

inst(POP_TOP, (ref value --)) {
    value.xclose();
}

pure inst(PUSH_NULL, (-- ref res)) {
    res = StackRef::NULL;
}

pure inst(COPY, (bottom, unused[oparg-1] -- bottom, unused[oparg-1], ref top)) {
    top = (*sp.sub(oparg as usize)).dup();
}

pure raw inst(SWAP, (bottom, unused[oparg-2], top -- top, unused[oparg-2], bottom)) {
    core::ptr::swap(sp.sub(1), sp.sub(oparg as usize));
}

inst(DELETE_FAST, (--)) {
    let old = core::mem::replace(&mut *local!(oparg), StackRef::NULL);
    if old.is_null() {
        unbound_local_error(tstate, frame, oparg);
        error!();
    }
    old.close();
}

inst(MAKE_CELL, (--)) {
    let initial = *local!(oparg);
    let cell = PyCell_New(initial.as_ptr());
    error_if!(cell.is_null());
    *local!(oparg) = StackRef::from_owned(cell);
    initial.xclose();
}

inst(DELETE_DEREF, (--)) {
    let cell: *mut PyCellObject = (*local!(oparg)).as_ptr().cast();
    let old = core::mem::replace(&mut (*cell).ob_ref, null_mut());
    if old.is_null() {
        format_exc_unbound(tstate, frame.code(), oparg);
        error!();
    }
    Py_DECREF(old);
}

inst(LOAD_FROM_DICT_OR_DEREF, (class_dict -- value)) {
    let name = tuple_item((*frame.code()).co_localsplusnames, oparg as usize);
    let mut found: *mut PyObject = null_mut();
    error_if!(PyMapping_GetOptionalItem(class_dict, name, &mut found) < 0);
    if found.is_null() {
        found = (*(*local!(oparg)).as_ptr().cast::<PyCellObject>()).ob_ref;
        if found.is_null() {
            format_exc_unbound(tstate, frame.code(), oparg);
            error!();
        }
        Py_INCREF(found);
    }
    value = found;
}

inst(LOAD_DEREF, (-- value)) {
    value = (*(*local!(oparg)).as_ptr().cast::<PyCellObject>()).ob_ref;
    if value.is_null() {
        format_exc_unbound(tstate, frame.code(), oparg);
        error!();
    }
    Py_INCREF(value);
}

inst(STORE_DEREF, (ref v --)) {
    let cell: *mut PyCellObject = (*local!(oparg)).as_ptr().cast();
    let old = core::mem::replace(&mut (*cell).ob_ref, v.steal_object());
    Py_XDECREF(old);
}

pure inst(COPY_FREE_VARS, (--)) {
    let closure = (*frame.func()).func_closure;
    let first = locals.add((*frame.code()).co_nlocalsplus as usize - oparg as usize);
    for i in 0..oparg as usize {
        *first.add(i) = StackRef::from_new(tuple_item(closure, i));
    }
}

pure inst(EXTENDED_ARG, (--)) {
    extended_arg!(oparg << 8);
}

inst(CACHE, (--)) {
    fatal_error(c"executing a cache entry");
}

inst(RESERVED, (--)) {
    fatal_error(c"executing a reserved instruction");
}
