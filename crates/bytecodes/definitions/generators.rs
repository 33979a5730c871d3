//! Generators, coroutines and leaving frames.

// The value goes to the caller's stack; a borrowed one becomes owned, for what lends it may die with the frame.
raw op(_POP_FRAME, (retval --)) {
    let retval = (*sp.sub(1)).make_owned();
    (*tstate).py_recursion_remaining += 1;
    let caller = (*frame).previous;
    (*tstate).current_frame = caller;
    frame_clear_and_pop(tstate, frame, sp.sub(1));
    let caller_sp = caller.saved_sp();
    *caller_sp = retval;
    enter_frame!(caller, (*caller).instr_ptr.add((*caller).return_offset as usize), caller_sp.add(1));
}

macro(RETURN_VALUE) = _POP_FRAME;
macro(RETURN_CONST) = _LOAD_CONST + _POP_FRAME;

op(_MONITOR_RETURN, (retval -- retval)) {
    frame.set_sp(sp);
    error_if!(call_instrumentation_arg(tstate, PY_MONITORING_EVENT_PY_RETURN, frame, this_instr, retval) < 0);
}

macro(INSTRUMENTED_RETURN_VALUE) = _MONITOR_RETURN + _POP_FRAME;
macro(INSTRUMENTED_RETURN_CONST) = _LOAD_CONST + _MONITOR_RETURN + _POP_FRAME;

inst(GET_AITER, (obj -- iter)) {
    iter = get_aiter(tstate, obj);
    error_if!(iter.is_null());
}

inst(GET_ANEXT, (aiter -- aiter, awaitable)) {
    awaitable = get_anext(tstate, aiter);
    error_if!(awaitable.is_null());
}

inst(GET_AWAITABLE, (iterable -- iter)) {
    iter = get_awaitable(tstate, iterable, oparg);
    error_if!(iter.is_null());
}

family(SEND) = { SEND_GEN };

specializing op(_SPECIALIZE_SEND, (counter/1, receiver, unused -- receiver, unused)) {
    specialize!(counter, specialize_send(receiver, this_instr));
}

raw op(_SEND, (receiver, v -- receiver, retval)) {
    let receiver = (*sp.sub(2)).as_ptr();
    let v = *sp.sub(1);
    let gen_: *mut PyGenObject = receiver.cast();
    if (Py_TYPE(receiver) == &raw mut PyGen_Type || Py_TYPE(receiver) == &raw mut PyCoro_Type)
        && (*gen_).gi_frame_state < FRAME_EXECUTING
        && !has_eval_frame_hook(tstate)
    {
        let gen_frame = gen_resume(tstate, gen_, v.make_owned());
        sp = sp.sub(1);
        frame.set_sp(sp);
        (*frame).return_offset = (next_instr.offset_from(this_instr) + oparg as isize) as u16;
        push_frame!(gen_frame);
    }
    let mut finished = false;
    let retval = send_generic(tstate, frame, this_instr, receiver, v.as_ptr(), &mut finished);
    error_if!(retval.is_null());
    *sp.sub(1) = StackRef::from_owned(retval);
    v.close();
    if finished {
        jump_by!(oparg as isize);
    }
}

macro(SEND) = _SPECIALIZE_SEND + _SEND;

raw op(_SEND_GEN, (receiver, v -- receiver, unused)) {
    let gen_: *mut PyGenObject = (*sp.sub(2)).as_ptr().cast();
    deopt_if!(Py_TYPE(gen_.cast()) != &raw mut PyGen_Type && Py_TYPE(gen_.cast()) != &raw mut PyCoro_Type);
    deopt_if!((*gen_).gi_frame_state >= FRAME_EXECUTING);
    let gen_frame = gen_resume(tstate, gen_, (*sp.sub(1)).make_owned());
    sp = sp.sub(1);
    frame.set_sp(sp);
    (*frame).return_offset = (next_instr.offset_from(this_instr) + oparg as isize) as u16;
    push_frame!(gen_frame);
}

macro(SEND_GEN) = unused/1 + _CHECK_PEP_523 + _SEND_GEN;

// Never raises: the compiler takes an exception here for a failed close() or throw().
raw op(_YIELD_VALUE, (retval -- value)) {
    let retval = (*sp.sub(1)).make_owned();
    (*frame).instr_ptr = next_instr;
    let caller = gen_suspend(tstate, frame, sp.sub(1), oparg);
    let caller_sp = caller.saved_sp();
    *caller_sp = retval;
    enter_frame!(caller, (*caller).instr_ptr.add(2), caller_sp.add(1));
}

macro(YIELD_VALUE) = _YIELD_VALUE;

// A trace function may set f_lineno: the generator then goes on there.
raw inst(INSTRUMENTED_YIELD_VALUE, (retval -- value)) {
    let retval = *sp.sub(1);
    let generator = frame.generator();
    (*generator).gi_frame_state = FRAME_SUSPENDED + oparg as i8;
    (*frame).instr_ptr = next_instr;
    frame.set_sp(sp.sub(1));
    if call_instrumentation_arg(tstate, PY_MONITORING_EVENT_PY_YIELD, frame, this_instr, retval.as_ptr()) < 0 {
        (*frame).instr_ptr = this_instr;
        (*generator).gi_frame_state = FRAME_EXECUTING;
        error!();
    }
    let retval = retval.make_owned();
    let caller = gen_suspend(tstate, frame, frame.saved_sp(), oparg);
    let caller_sp = caller.saved_sp();
    *caller_sp = retval;
    enter_frame!(caller, (*caller).instr_ptr.add(2), caller_sp.add(1));
}

inst(END_SEND, (receiver, ref value -- ref res)) {
    res = value;
}

inst(INSTRUMENTED_END_SEND, (receiver, ref value -- ref res)) {
    error_if!(monitor_end_send(tstate, frame, this_instr, receiver, value.as_ptr()) < 0);
    res = value;
}

inst(INSTRUMENTED_END_FOR, (receiver, value -- receiver)) {
    error_if!(monitor_end_for(tstate, frame, this_instr, receiver, value) < 0);
}

// The frame moves into the new generator object, which goes to the caller's stack.
raw inst(RETURN_GENERATOR, (-- res)) {
    let gen_ = make_coro(frame.func());
    error_if!(gen_.is_null());
    let caller = gen_adopt_frame(tstate, gen_, frame, next_instr, sp);
    let caller_sp = caller.saved_sp();
    *caller_sp = StackRef::from_owned(gen_.cast());
    enter_frame!(caller, (*caller).instr_ptr.add((*caller).return_offset as usize), caller_sp.add(1));
}
