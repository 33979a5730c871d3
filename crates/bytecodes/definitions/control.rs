//! Jumps, iteration, exceptions, `with`, `match`, imports.

inst(RAISE_VARARGS, (ref args[oparg] --)) {
    let reraised = do_raise(tstate, args, oparg);
    sp = sp.sub(oparg as usize);
    if reraised {
        monitor_reraise(tstate, frame, this_instr);
        unwind!();
    }
    error!();
}

raw inst(INTERPRETER_EXIT, (retval --)) {
    (*tstate).current_frame = (*frame).previous;
    leave_loop(tstate);
    exit!((*sp.sub(1)).make_owned());
}

inst(POP_EXCEPT, (ref exc_value --)) {
    let exc_info = (*tstate).exc_info;
    let value = exc_value.steal_object();
    let old = (*exc_info).exc_value;
    (*exc_info).exc_value = if value == Py_None() { null_mut() } else { value };
    Py_XDECREF(old);
}

raw inst(RERAISE, (values[oparg], exc -- values[oparg])) {
    let exc = (*sp.sub(1)).steal_object();
    sp = sp.sub(1);
    if oparg != 0 {
        let lasti = (*sp.sub(oparg as usize)).as_ptr();
        (*frame).instr_ptr = frame.code().code_start().add(PyLong_AsLong(lasti) as usize);
    }
    PyErr_SetRaisedException(exc);
    monitor_reraise(tstate, frame, this_instr);
    unwind!();
}

raw inst(END_ASYNC_FOR, (awaitable, exc --)) {
    let exc = *sp.sub(1);
    if PyErr_GivenExceptionMatches(exc.as_ptr(), PyExc_StopAsyncIteration) != 0 {
        sp = sp.sub(2);
        (*sp).close();
        exc.close();
    } else {
        sp = sp.sub(1);
        PyErr_SetRaisedException(exc.steal_object());
        monitor_reraise(tstate, frame, this_instr);
        unwind!();
    }
}

raw inst(CLEANUP_THROW, (sub_iter, last_sent_val, exc_value -- none, value)) {
    let exc = *sp.sub(1);
    if PyErr_GivenExceptionMatches(exc.as_ptr(), PyExc_StopIteration) != 0 {
        let value = Py_NewRef((*exc.as_ptr().cast::<PyStopIterationObject>()).value);
        close_array(sp.sub(3), 3);
        *sp.sub(3) = StackRef::none();
        *sp.sub(2) = StackRef::from_owned(value);
        sp = sp.sub(1);
    } else {
        PyErr_SetRaisedException(Py_NewRef(exc.as_ptr()));
        monitor_reraise(tstate, frame, this_instr);
        unwind!();
    }
}

pure inst(LOAD_ASSERTION_ERROR, (-- ref value)) {
    value = StackRef::from_borrowed(PyExc_AssertionError);
}

inst(CHECK_EG_MATCH, (exc_value, match_type -- rest, matched)) {
    let mut parts = [null_mut(), null_mut()];
    error_if!(check_eg_match(tstate, exc_value, match_type, &mut parts) < 0);
    rest = parts[0];
    matched = parts[1];
    if matched != Py_None() {
        PyErr_SetHandledException(matched);
    }
}

inst(CHECK_EXC_MATCH, (left, right -- left, ref b)) {
    error_if!(check_except_type_valid(tstate, right) < 0);
    b = StackRef::from_bool(PyErr_GivenExceptionMatches(left, right) != 0);
}

inst(IMPORT_NAME, (level, fromlist -- res)) {
    res = import_name(tstate, frame, name!(oparg), fromlist, level);
    error_if!(res.is_null());
}

inst(IMPORT_FROM, (from -- from, res)) {
    res = import_from(tstate, from, name!(oparg));
    error_if!(res.is_null());
}

pure inst(JUMP_FORWARD, (--)) {
    jump_by!(oparg as isize);
}

inst(JUMP_BACKWARD, (unused/1 --)) {
    check_eval_breaker!();
    jump_by!(-(oparg as isize));
}

pseudo(JUMP) = { JUMP_FORWARD, JUMP_BACKWARD };
pseudo(JUMP_NO_INTERRUPT) = { JUMP_FORWARD, JUMP_BACKWARD_NO_INTERRUPT };

inst(ENTER_EXECUTOR, (--)) {
    let _ = oparg;
    fatal_error(c"ENTER_EXECUTOR without an executor");
}

pure op(_POP_JUMP_IF_FALSE, (ref cond --)) {
    if cond.as_ptr() == Py_False() {
        jump_by!(oparg as isize);
    }
}

pure op(_POP_JUMP_IF_TRUE, (ref cond --)) {
    if cond.as_ptr() == Py_True() {
        jump_by!(oparg as isize);
    }
}

op(_IS_NONE, (value -- ref b)) {
    b = StackRef::from_bool(value == Py_None());
}

macro(POP_JUMP_IF_TRUE) = unused/1 + _POP_JUMP_IF_TRUE;
macro(POP_JUMP_IF_FALSE) = unused/1 + _POP_JUMP_IF_FALSE;
macro(POP_JUMP_IF_NONE) = unused/1 + _IS_NONE + _POP_JUMP_IF_TRUE;
macro(POP_JUMP_IF_NOT_NONE) = unused/1 + _IS_NONE + _POP_JUMP_IF_FALSE;

// Used in the loop of `yield from` and `await`: an interrupt is for the innermost generator, so none is looked for.
// Not pure: LINE events look back at the instruction before, and all the others in that loop are at line starts.
inst(JUMP_BACKWARD_NO_INTERRUPT, (--)) {
    jump_by!(-(oparg as isize));
}

inst(MATCH_CLASS, (subject, type_, names -- attrs)) {
    attrs = match_class(tstate, subject, type_, oparg as isize, names);
    error_if!(attrs.is_null());
}

pure inst(MATCH_MAPPING, (subject -- subject, ref res)) {
    res = StackRef::from_bool((*Py_TYPE(subject)).tp_flags & Py_TPFLAGS_MAPPING != 0);
}

pure inst(MATCH_SEQUENCE, (subject -- subject, ref res)) {
    res = StackRef::from_bool((*Py_TYPE(subject)).tp_flags & Py_TPFLAGS_SEQUENCE != 0);
}

inst(MATCH_KEYS, (subject, keys -- subject, keys, values_or_none)) {
    values_or_none = match_keys(tstate, subject, keys);
    error_if!(values_or_none.is_null());
}

inst(GET_ITER, (iterable -- iter)) {
    iter = PyObject_GetIter(iterable);
    error_if!(iter.is_null());
}

inst(GET_YIELD_FROM_ITER, (ref iterable -- ref iter)) {
    iter = iterable;
    let object = iterable.as_ptr();
    if Py_TYPE(object) == &raw mut PyCoro_Type {
        if (*frame.code()).co_flags & (CO_COROUTINE | CO_ITERABLE_COROUTINE) == 0 {
            PyErr_SetString(PyExc_TypeError, c"cannot 'yield from' a coroutine object in a non-coroutine generator".as_ptr());
            error!();
        }
    } else if Py_TYPE(object) != &raw mut PyGen_Type {
        let new = PyObject_GetIter(object);
        error_if!(new.is_null());
        iterable.close();
        iter = StackRef::from_owned(new);
    }
}

family(FOR_ITER) = { FOR_ITER_LIST, FOR_ITER_TUPLE, FOR_ITER_RANGE, FOR_ITER_GEN };

specializing op(_SPECIALIZE_FOR_ITER, (counter/1, iter -- iter)) {
    specialize!(counter, specialize_for_iter(iter, this_instr, oparg));
}

// When the iterator is exhausted, the loop jumps past END_FOR and POP_TOP, having popped the iterator itself.
raw op(_FOR_ITER, (iter -- iter, next)) {
    let iter = *sp.sub(1);
    let next = iter_next(iter.as_ptr());
    if next.is_null() {
        error_if!(for_iter_exhausted(tstate, frame, this_instr) < 0);
        sp = sp.sub(1);
        iter.close();
        jump_by!(oparg as isize + 2);
        dispatch!();
    }
    *sp = StackRef::from_owned(next);
    sp = sp.add(1);
}

macro(FOR_ITER) = _SPECIALIZE_FOR_ITER + _FOR_ITER;

op(_ITER_CHECK_LIST, (iter -- iter)) {
    exit_if!(Py_TYPE(iter) != &raw mut PyListIter_Type);
}

raw op(_ITER_NEXT_LIST, (iter -- iter, next)) {
    let iter = *sp.sub(1);
    let it: *mut PyListIterObject = iter.as_ptr().cast();
    let seq = (*it).it_seq;
    if seq.is_null() || (*it).it_index as usize >= ob_size(seq) as usize {
        (*it).it_index = -1;
        (*it).it_seq = null_mut();
        sp = sp.sub(1);
        Py_XDECREF(seq);
        iter.close();
        jump_by!(oparg as isize + 2);
        dispatch!();
    }
    *sp = StackRef::from_new(*list_items(seq).offset((*it).it_index));
    (*it).it_index += 1;
    sp = sp.add(1);
}

macro(FOR_ITER_LIST) = unused/1 + _ITER_CHECK_LIST + _ITER_NEXT_LIST;

op(_ITER_CHECK_TUPLE, (iter -- iter)) {
    exit_if!(Py_TYPE(iter) != &raw mut PyTupleIter_Type);
}

raw op(_ITER_NEXT_TUPLE, (iter -- iter, next)) {
    let iter = *sp.sub(1);
    let it: *mut PyListIterObject = iter.as_ptr().cast();
    let seq = (*it).it_seq;
    if seq.is_null() || (*it).it_index >= ob_size(seq) {
        (*it).it_seq = null_mut();
        sp = sp.sub(1);
        Py_XDECREF(seq);
        iter.close();
        jump_by!(oparg as isize + 2);
        dispatch!();
    }
    *sp = StackRef::from_new(tuple_item(seq, (*it).it_index as usize));
    (*it).it_index += 1;
    sp = sp.add(1);
}

macro(FOR_ITER_TUPLE) = unused/1 + _ITER_CHECK_TUPLE + _ITER_NEXT_TUPLE;

op(_ITER_CHECK_RANGE, (iter -- iter)) {
    exit_if!(Py_TYPE(iter) != &raw mut PyRangeIter_Type);
}

raw op(_ITER_NEXT_RANGE, (iter -- iter, next)) {
    let iter = *sp.sub(1);
    let it: *mut PyRangeIterObject = iter.as_ptr().cast();
    if (*it).len <= 0 {
        sp = sp.sub(1);
        iter.close();
        jump_by!(oparg as isize + 2);
        dispatch!();
    }
    let value = (*it).start;
    (*it).start = value.wrapping_add((*it).step);
    (*it).len -= 1;
    let next = taipan_objects::longobject::long_from_i64(value);
    error_if!(next.is_null());
    *sp = StackRef::from_owned(next);
    sp = sp.add(1);
}

macro(FOR_ITER_RANGE) = unused/1 + _ITER_CHECK_RANGE + _ITER_NEXT_RANGE;

raw op(_FOR_ITER_GEN, (iter -- iter, unused)) {
    let gen_: *mut PyGenObject = (*sp.sub(1)).as_ptr().cast();
    deopt_if!(Py_TYPE(gen_.cast()) != &raw mut PyGen_Type);
    deopt_if!((*gen_).gi_frame_state >= FRAME_EXECUTING);
    let gen_frame = gen_resume(tstate, gen_, StackRef::none());
    frame.set_sp(sp);
    (*frame).return_offset = (2 + oparg) as u16;
    push_frame!(gen_frame);
}

macro(FOR_ITER_GEN) = unused/1 + _CHECK_PEP_523 + _FOR_ITER_GEN;

macro(END_FOR) = _POP_TOP;

inst(BEFORE_ASYNC_WITH, (mgr -- exit, res)) {
    let mut pair = [null_mut(), null_mut()];
    error_if!(before_with(tstate, mgr, true, &mut pair) < 0);
    exit = pair[0];
    res = PyObject_CallNoArgs(pair[1]);
    Py_DECREF(pair[1]);
    if res.is_null() {
        Py_DECREF(exit);
        error!();
    }
}

inst(BEFORE_WITH, (mgr -- exit, res)) {
    let mut pair = [null_mut(), null_mut()];
    error_if!(before_with(tstate, mgr, false, &mut pair) < 0);
    exit = pair[0];
    res = PyObject_CallNoArgs(pair[1]);
    Py_DECREF(pair[1]);
    if res.is_null() {
        Py_DECREF(exit);
        error!();
    }
}

inst(WITH_EXCEPT_START, (exit_func, lasti, unused, val -- exit_func, lasti, unused, val, res)) {
    res = with_except_start(exit_func, val);
    error_if!(res.is_null());
}

pseudo(SETUP_FINALLY) = { NOP };
pseudo(SETUP_CLEANUP) = { NOP };
pseudo(SETUP_WITH) = { NOP };
pseudo(POP_BLOCK) = { NOP };

inst(PUSH_EXC_INFO, (ref new_exc -- ref prev_exc, ref exc)) {
    let exc_info = (*tstate).exc_info;
    let previous = (*exc_info).exc_value;
    prev_exc = if previous.is_null() { StackRef::none() } else { StackRef::from_owned(previous) };
    (*exc_info).exc_value = Py_NewRef(new_exc.as_ptr());
    exc = new_exc;
}
