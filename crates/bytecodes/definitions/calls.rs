//! Calls and what makes functions.

inst(CALL_INTRINSIC_1, (value -- res)) {
    res = intrinsic_1(tstate, oparg, value);
    error_if!(res.is_null());
}

inst(CALL_INTRINSIC_2, (value2, value1 -- res)) {
    res = intrinsic_2(tstate, oparg, value2, value1);
    error_if!(res.is_null());
}

op(_CHECK_PERIODIC, (--)) {
    check_eval_breaker!();
}

op(_CHECK_PEP_523, (--)) {
    deopt_if!(has_eval_frame_hook(tstate));
}

pure op(_SAVE_RETURN_OFFSET, (--)) {
    (*frame).return_offset = next_instr.offset_from(this_instr) as u16;
}

// Counter, then the function's version.
family(CALL) = {
    CALL_BOUND_METHOD_EXACT_ARGS, CALL_PY_EXACT_ARGS, CALL_TYPE_1, CALL_STR_1, CALL_TUPLE_1, CALL_BUILTIN_CLASS,
    CALL_BUILTIN_O, CALL_BUILTIN_FAST, CALL_BUILTIN_FAST_WITH_KEYWORDS, CALL_LEN, CALL_ISINSTANCE, CALL_LIST_APPEND,
    CALL_METHOD_DESCRIPTOR_O, CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS, CALL_METHOD_DESCRIPTOR_NOARGS,
    CALL_METHOD_DESCRIPTOR_FAST, CALL_ALLOC_AND_ENTER_INIT, CALL_PY_GENERAL, CALL_BOUND_METHOD_GENERAL,
    CALL_NON_PY_GENERAL,
};

specializing op(_SPECIALIZE_CALL, (counter/1, callable, self_or_null, args[oparg] -- callable, self_or_null, args[oparg])) {
    specialize!(counter, specialize_call(callable, this_instr, oparg + !self_or_null.is_null() as u32));
}

raw op(_CALL, (callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    expand_method(base);
    let (args, nargs) = call_args(base, oparg);
    if is_inlinable_function(tstate, (*base).as_ptr()) {
        let new_frame = frame_push_general(tstate, frame, base, args, nargs, null_mut());
        sp = base;
        error_if!(new_frame.is_null());
        frame.set_sp(sp);
        (*frame).return_offset = next_instr.offset_from(this_instr) as u16;
        push_frame!(new_frame);
    }
    let res = vectorcall((*base).as_ptr(), args, nargs, null_mut());
    sp = base;
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
}

macro(CALL) = _SPECIALIZE_CALL + unused/2 + _CALL + _CHECK_PERIODIC;

raw inst(INSTRUMENTED_CALL, (unused/3, callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    error_if!(monitor_call(tstate, frame, this_instr, base, oparg) < 0);
    pause_counter(this_instr.add(1));
    expand_method(base);
    if is_inlinable_function(tstate, (*base).as_ptr()) {
        dispatch_to!(CALL);
    }
    let (args, nargs) = call_args(base, oparg);
    let res = vectorcall_monitored(tstate, frame, this_instr, (*base).as_ptr(), args, nargs, null_mut());
    sp = base;
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
    check_eval_breaker!();
}

op(_CHECK_FUNCTION_VERSION, (func_version/2, callable, unused, unused[oparg] -- callable, unused, unused[oparg])) {
    exit_if!(Py_TYPE(callable) != &raw mut PyFunction_Type);
    exit_if!((*callable.cast::<PyFunctionObject>()).func_version != func_version);
}

raw op(_PY_FRAME_GENERAL, (callable, self_or_null, args[oparg] --)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    let new_frame = frame_push_general(tstate, frame, base, args, nargs, null_mut());
    sp = base;
    error_if!(new_frame.is_null());
    frame.set_sp(sp);
    (*frame).return_offset = next_instr.offset_from(this_instr) as u16;
    push_frame!(new_frame);
}

macro(CALL_PY_GENERAL) = unused/1 + _CHECK_PEP_523 + _CHECK_FUNCTION_VERSION + _PY_FRAME_GENERAL;

op(_CHECK_METHOD_VERSION, (func_version/2, callable, null, unused[oparg] -- callable, null, unused[oparg])) {
    exit_if!(Py_TYPE(callable) != &raw mut PyMethod_Type);
    let func = (*callable.cast::<PyMethodObject>()).im_func;
    exit_if!(Py_TYPE(func) != &raw mut PyFunction_Type);
    exit_if!((*func.cast::<PyFunctionObject>()).func_version != func_version);
    exit_if!(!null.is_null());
}

raw op(_EXPAND_METHOD, (callable, null, unused[oparg] -- method, slf, unused[oparg])) {
    expand_method(sp.sub(oparg as usize + 2));
}

macro(CALL_BOUND_METHOD_GENERAL) =
    unused/1 + _CHECK_PEP_523 + _CHECK_METHOD_VERSION + _EXPAND_METHOD + _PY_FRAME_GENERAL;

op(_CHECK_IS_NOT_PY_CALLABLE, (callable, unused, unused[oparg] -- callable, unused, unused[oparg])) {
    exit_if!(Py_TYPE(callable) == &raw mut PyFunction_Type);
    exit_if!(Py_TYPE(callable) == &raw mut PyMethod_Type);
}

raw op(_CALL_NON_PY_GENERAL, (callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    let res = vectorcall((*base).as_ptr(), args, nargs, null_mut());
    sp = base;
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
}

macro(CALL_NON_PY_GENERAL) = unused/1 + unused/2 + _CHECK_IS_NOT_PY_CALLABLE + _CALL_NON_PY_GENERAL + _CHECK_PERIODIC;

op(_CHECK_CALL_BOUND_METHOD_EXACT_ARGS, (callable, null, unused[oparg] -- callable, null, unused[oparg])) {
    exit_if!(!null.is_null());
    exit_if!(Py_TYPE(callable) != &raw mut PyMethod_Type);
}

op(_CHECK_FUNCTION_EXACT_ARGS, (func_version/2, callable, self_or_null, unused[oparg] -- callable, self_or_null, unused[oparg])) {
    exit_if!(Py_TYPE(callable) != &raw mut PyFunction_Type);
    let func: *mut PyFunctionObject = callable.cast();
    exit_if!((*func).func_version != func_version);
    let code: *mut PyCodeObject = (*func).func_code.cast();
    exit_if!((*code).co_argcount as u32 != oparg + !self_or_null.is_null() as u32);
}

op(_CHECK_STACK_SPACE, (callable, unused, unused[oparg] -- callable, unused, unused[oparg])) {
    deopt_if!(!has_stack_space(tstate, (*callable.cast::<PyFunctionObject>()).func_code.cast()));
    deopt_if!((*tstate).py_recursion_remaining <= 1);
}

raw op(_PUSH_PY_EXACT_ARGS, (callable, self_or_null, args[oparg] --)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    let new_frame = frame_push_exact(tstate, frame, (*base).steal_object().cast(), args, nargs);
    frame.set_sp(base);
    enter_new_frame!(new_frame);
}

macro(CALL_BOUND_METHOD_EXACT_ARGS) =
    unused/1 + _CHECK_PEP_523 + _CHECK_CALL_BOUND_METHOD_EXACT_ARGS + _EXPAND_METHOD + _CHECK_FUNCTION_EXACT_ARGS
    + _CHECK_STACK_SPACE + _SAVE_RETURN_OFFSET + _PUSH_PY_EXACT_ARGS;

macro(CALL_PY_EXACT_ARGS) =
    unused/1 + _CHECK_PEP_523 + _CHECK_FUNCTION_EXACT_ARGS + _CHECK_STACK_SPACE + _SAVE_RETURN_OFFSET + _PUSH_PY_EXACT_ARGS;

inst(CALL_TYPE_1, (unused/1, unused/2, callable, null, arg -- res)) {
    deopt_if!(!null.is_null());
    deopt_if!(callable != (&raw mut PyType_Type).cast());
    res = Py_NewRef(Py_TYPE(arg).cast());
}

op(_CALL_STR_1, (callable, null, arg -- res)) {
    deopt_if!(!null.is_null());
    deopt_if!(callable != (&raw mut PyUnicode_Type).cast());
    res = PyObject_Str(arg);
    error_if!(res.is_null());
}

macro(CALL_STR_1) = unused/1 + unused/2 + _CALL_STR_1 + _CHECK_PERIODIC;

op(_CALL_TUPLE_1, (callable, null, arg -- res)) {
    deopt_if!(!null.is_null());
    deopt_if!(callable != (&raw mut PyTuple_Type).cast());
    res = PySequence_Tuple(arg);
    error_if!(res.is_null());
}

macro(CALL_TUPLE_1) = unused/1 + unused/2 + _CALL_TUPLE_1 + _CHECK_PERIODIC;

// Makes the object and enters the frame of its Python `__init__`, above a small frame that checks for None.
raw op(_CALL_ALLOC_AND_ENTER_INIT, (func_version/2, callable, null, args[oparg] -- unused)) {
    let base = sp.sub(oparg as usize + 2);
    deopt_if!(!(*base.add(1)).is_null());
    let tp: *mut PyTypeObject = (*base).as_ptr().cast();
    deopt_if!(!is_type(tp.cast()));
    deopt_if!((*tp).tp_version_tag != func_version);
    let init: *mut PyFunctionObject = (*spec_cache(tp)).init.cast();
    let code: *mut PyCodeObject = (*init).func_code.cast();
    deopt_if!((*code).co_argcount as u32 != oparg + 1);
    deopt_if!((*code).co_flags & (CO_VARKEYWORDS | CO_VARARGS | CO_OPTIMIZED) != CO_OPTIMIZED);
    deopt_if!((*code).co_kwonlyargcount != 0);
    deopt_if!(!has_stack_space_with_shim(tstate, code));
    deopt_if!((*tstate).py_recursion_remaining <= 2);
    let slf = PyType_GenericAlloc(tp, 0);
    error_if!(slf.is_null());
    let new_frame = frame_push_init(tstate, frame, init, slf, base, oparg as usize);
    frame.set_sp(base);
    (*frame).return_offset = next_instr.offset_from(this_instr) as u16;
    enter_new_frame!(new_frame);
}

macro(CALL_ALLOC_AND_ENTER_INIT) = unused/1 + _CHECK_PEP_523 + _CALL_ALLOC_AND_ENTER_INIT;

inst(EXIT_INIT_CHECK, (should_be_none --)) {
    if should_be_none != Py_None() {
        PyErr_Format(PyExc_TypeError, c"__init__() should return None, not '%.200s'".as_ptr(), (*Py_TYPE(should_be_none)).tp_name);
        error!();
    }
}

raw op(_CALL_BUILTIN_CLASS, (callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    let tp: *mut PyTypeObject = (*base).as_ptr().cast();
    deopt_if!(!is_type(tp.cast()));
    deopt_if!((*tp).tp_vectorcall.is_none());
    let res = call_builtin_class(tp, args, nargs);
    sp = base;
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
}

macro(CALL_BUILTIN_CLASS) = unused/1 + unused/2 + _CALL_BUILTIN_CLASS + _CHECK_PERIODIC;

raw op(_CALL_BUILTIN_O, (callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    deopt_if!(nargs != 1);
    let callable: *mut PyCFunctionObject = (*base).as_ptr().cast();
    deopt_if!(Py_TYPE(callable.cast()) != &raw mut PyCFunction_Type);
    deopt_if!((*(*callable).m_ml).ml_flags != METH_O);
    deopt_if!((*tstate).c_recursion_remaining <= 0);
    let res = call_method_o(tstate, (*callable).m_ml, (*callable).m_self, (*args).as_ptr());
    sp = base;
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
}

macro(CALL_BUILTIN_O) = unused/1 + unused/2 + _CALL_BUILTIN_O + _CHECK_PERIODIC;

raw op(_CALL_BUILTIN_FAST, (callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    let callable: *mut PyCFunctionObject = (*base).as_ptr().cast();
    deopt_if!(Py_TYPE(callable.cast()) != &raw mut PyCFunction_Type);
    deopt_if!((*(*callable).m_ml).ml_flags != METH_FASTCALL);
    let res = call_method_fast((*callable).m_ml, (*callable).m_self, args, nargs);
    sp = base;
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
}

macro(CALL_BUILTIN_FAST) = unused/1 + unused/2 + _CALL_BUILTIN_FAST + _CHECK_PERIODIC;

raw op(_CALL_BUILTIN_FAST_WITH_KEYWORDS, (callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    let callable: *mut PyCFunctionObject = (*base).as_ptr().cast();
    deopt_if!(Py_TYPE(callable.cast()) != &raw mut PyCFunction_Type);
    deopt_if!((*(*callable).m_ml).ml_flags != METH_FASTCALL | METH_KEYWORDS);
    let res = call_method_fast_keywords((*callable).m_ml, (*callable).m_self, args, nargs);
    sp = base;
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
}

macro(CALL_BUILTIN_FAST_WITH_KEYWORDS) = unused/1 + unused/2 + _CALL_BUILTIN_FAST_WITH_KEYWORDS + _CHECK_PERIODIC;

raw inst(CALL_LEN, (unused/1, unused/2, callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    deopt_if!(nargs != 1);
    deopt_if!((*base).as_ptr() != (*callable_cache(tstate)).len);
    let len = PyObject_Length((*args).as_ptr());
    error_if!(len < 0);
    let res = PyLong_FromSsize_t(len);
    error_if!(res.is_null());
    sp = base;
    close_call(base, args, nargs);
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
}

raw inst(CALL_ISINSTANCE, (unused/1, unused/2, callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    deopt_if!(nargs != 2);
    deopt_if!((*base).as_ptr() != (*callable_cache(tstate)).isinstance);
    let truth = PyObject_IsInstance((*args).as_ptr(), (*args.add(1)).as_ptr());
    error_if!(truth < 0);
    sp = base;
    close_call(base, args, nargs);
    *sp = StackRef::from_bool(truth != 0);
    sp = sp.add(1);
}

// The POP_TOP that follows is done here as well: append's None never exists.
raw inst(CALL_LIST_APPEND, (unused/1, unused/2, callable, slf, arg -- unused)) {
    let base = sp.sub(3);
    deopt_if!((*base).as_ptr() != (*callable_cache(tstate)).list_append);
    let list = *base.add(1);
    deopt_if!(list.is_null());
    deopt_if!((*list.ob_type()).tp_flags & Py_TPFLAGS_LIST_SUBCLASS == 0);
    let status = list_append_steal(list.as_ptr(), *base.add(2));
    sp = sp.sub(1);
    error_if!(status < 0);
    sp = base;
    list.close();
    (*base).close();
    next_instr = next_instr.add(1);
}

raw op(_CALL_METHOD_DESCRIPTOR_O, (callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    let method: *mut PyMethodDescrObject = (*base).as_ptr().cast();
    deopt_if!(nargs != 2);
    deopt_if!(Py_TYPE(method.cast()) != &raw mut PyMethodDescr_Type);
    deopt_if!((*(*method).d_method).ml_flags != METH_O);
    deopt_if!((*tstate).c_recursion_remaining <= 0);
    deopt_if!((*args).ob_type() != (*method).d_common.d_type);
    let res = call_method_o(tstate, (*method).d_method, (*args).as_ptr(), (*args.add(1)).as_ptr());
    sp = base;
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
}

macro(CALL_METHOD_DESCRIPTOR_O) = unused/1 + unused/2 + _CALL_METHOD_DESCRIPTOR_O + _CHECK_PERIODIC;

raw op(_CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS, (callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    deopt_if!(nargs == 0);
    let method: *mut PyMethodDescrObject = (*base).as_ptr().cast();
    deopt_if!(Py_TYPE(method.cast()) != &raw mut PyMethodDescr_Type);
    deopt_if!((*(*method).d_method).ml_flags != METH_FASTCALL | METH_KEYWORDS);
    deopt_if!((*args).ob_type() != (*method).d_common.d_type);
    let res = call_method_fast_keywords((*method).d_method, (*args).as_ptr(), args.add(1), nargs - 1);
    sp = base;
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
}

macro(CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS) =
    unused/1 + unused/2 + _CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS + _CHECK_PERIODIC;

raw op(_CALL_METHOD_DESCRIPTOR_NOARGS, (callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    deopt_if!(nargs != 1);
    let method: *mut PyMethodDescrObject = (*base).as_ptr().cast();
    deopt_if!(Py_TYPE(method.cast()) != &raw mut PyMethodDescr_Type);
    deopt_if!((*args).ob_type() != (*method).d_common.d_type);
    deopt_if!((*(*method).d_method).ml_flags != METH_NOARGS);
    deopt_if!((*tstate).c_recursion_remaining <= 0);
    let res = call_method_o(tstate, (*method).d_method, (*args).as_ptr(), null_mut());
    sp = base;
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
}

macro(CALL_METHOD_DESCRIPTOR_NOARGS) = unused/1 + unused/2 + _CALL_METHOD_DESCRIPTOR_NOARGS + _CHECK_PERIODIC;

raw op(_CALL_METHOD_DESCRIPTOR_FAST, (callable, self_or_null, args[oparg] -- res)) {
    let base = sp.sub(oparg as usize + 2);
    let (args, nargs) = call_args(base, oparg);
    deopt_if!(nargs == 0);
    let method: *mut PyMethodDescrObject = (*base).as_ptr().cast();
    deopt_if!(Py_TYPE(method.cast()) != &raw mut PyMethodDescr_Type);
    deopt_if!((*(*method).d_method).ml_flags != METH_FASTCALL);
    deopt_if!((*args).ob_type() != (*method).d_common.d_type);
    let res = call_method_fast((*method).d_method, (*args).as_ptr(), args.add(1), nargs - 1);
    sp = base;
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
}

macro(CALL_METHOD_DESCRIPTOR_FAST) = unused/1 + unused/2 + _CALL_METHOD_DESCRIPTOR_FAST + _CHECK_PERIODIC;

raw inst(CALL_KW, (callable, self_or_null, args[oparg], kwnames -- res)) {
    let base = sp.sub(oparg as usize + 3);
    let kwnames = *sp.sub(1);
    expand_method(base);
    let (args, nargs) = call_args(base, oparg);
    if is_inlinable_function(tstate, (*base).as_ptr()) {
        let new_frame = frame_push_general(tstate, frame, base, args, nargs, kwnames.as_ptr());
        kwnames.close();
        sp = base;
        error_if!(new_frame.is_null());
        frame.set_sp(sp);
        (*frame).return_offset = next_instr.offset_from(this_instr) as u16;
        push_frame!(new_frame);
    }
    let res = vectorcall((*base).as_ptr(), args, nargs, kwnames.as_ptr());
    sp = base;
    kwnames.close();
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
    check_eval_breaker!();
}

raw inst(INSTRUMENTED_CALL_KW, (callable, self_or_null, args[oparg], kwnames -- res)) {
    let base = sp.sub(oparg as usize + 3);
    let kwnames = *sp.sub(1);
    error_if!(monitor_call(tstate, frame, this_instr, base, oparg) < 0);
    expand_method(base);
    if is_inlinable_function(tstate, (*base).as_ptr()) {
        dispatch_to!(CALL_KW);
    }
    let (args, nargs) = call_args(base, oparg);
    let res = vectorcall_monitored(tstate, frame, this_instr, (*base).as_ptr(), args, nargs, kwnames.as_ptr());
    sp = base;
    kwnames.close();
    close_call(base, args, nargs);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
    check_eval_breaker!();
}

raw inst(CALL_FUNCTION_EX, (func, unused, callargs, kwargs if (oparg & 1) -- result)) {
    let base = sp.sub(3 + (oparg & 1) as usize);
    error_if!(call_ex_normalize(tstate, base) < 0);
    let kwargs = if oparg & 1 != 0 { (*base.add(3)).as_ptr() } else { null_mut() };
    if is_inlinable_function(tstate, (*base).as_ptr()) {
        let new_frame = frame_push_ex(tstate, frame, base, kwargs);
        sp = base;
        error_if!(new_frame.is_null());
        frame.set_sp(sp);
        (*frame).return_offset = next_instr.offset_from(this_instr) as u16;
        push_frame!(new_frame);
    }
    let res = PyObject_Call((*base).as_ptr(), (*base.add(2)).as_ptr(), kwargs);
    sp = base;
    close_call_ex(base, oparg);
    error_if!(res.is_null());
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
    check_eval_breaker!();
}

raw inst(INSTRUMENTED_CALL_FUNCTION_EX, (func, unused, callargs, kwargs if (oparg & 1) -- result)) {
    let base = sp.sub(3 + (oparg & 1) as usize);
    error_if!(call_ex_normalize(tstate, base) < 0);
    let kwargs = if oparg & 1 != 0 { (*base.add(3)).as_ptr() } else { null_mut() };
    let res = call_ex_monitored(tstate, frame, this_instr, (*base).as_ptr(), (*base.add(2)).as_ptr(), kwargs);
    error_if!(res.is_null());
    sp = base;
    close_call_ex(base, oparg);
    *sp = StackRef::from_owned(res);
    sp = sp.add(1);
    check_eval_breaker!();
}

inst(MAKE_FUNCTION, (codeobj -- func)) {
    func = PyFunction_New(codeobj, globals!());
    error_if!(func.is_null());
    _PyFunction_SetVersion(func.cast(), (*codeobj.cast::<PyCodeObject>()).co_version);
}

inst(SET_FUNCTION_ATTRIBUTE, (ref attr, ref func -- ref res)) {
    set_function_attribute(func.as_ptr().cast(), oparg, attr.steal_object());
    res = func;
}
