//! The forms that instructions take where `sys.monitoring`, `sys.settrace` or `sys.setprofile` watch them.

// Numbered in this order, up to INSTRUMENTED_LINE = 254.
order(236) = {
    INSTRUMENTED_RESUME, INSTRUMENTED_END_FOR, INSTRUMENTED_END_SEND, INSTRUMENTED_RETURN_VALUE,
    INSTRUMENTED_RETURN_CONST, INSTRUMENTED_YIELD_VALUE, INSTRUMENTED_LOAD_SUPER_ATTR, INSTRUMENTED_FOR_ITER,
    INSTRUMENTED_CALL, INSTRUMENTED_CALL_KW, INSTRUMENTED_CALL_FUNCTION_EX, INSTRUMENTED_INSTRUCTION,
    INSTRUMENTED_JUMP_FORWARD, INSTRUMENTED_JUMP_BACKWARD, INSTRUMENTED_POP_JUMP_IF_TRUE,
    INSTRUMENTED_POP_JUMP_IF_FALSE, INSTRUMENTED_POP_JUMP_IF_NONE, INSTRUMENTED_POP_JUMP_IF_NOT_NONE,
    INSTRUMENTED_LINE,
};

raw inst(INSTRUMENTED_RESUME, (--)) {
    let code = frame.code();
    if (*code)._co_instrumentation_version != eval_breaker(tstate) & !EVAL_EVENTS_MASK && (*tstate).tracing == 0 {
        error_if!(_Py_Instrument(code, (*tstate).interp) < 0);
        restart!();
    }
    if oparg & RESUME_OPARG_LOCATION_MASK < RESUME_AFTER_YIELD_FROM {
        check_eval_breaker!();
    }
    frame.set_sp(sp);
    let event = if oparg > 0 { PY_MONITORING_EVENT_PY_RESUME } else { PY_MONITORING_EVENT_PY_START };
    error_if!(call_instrumentation(tstate, event, frame, this_instr) < 0);
    reload_after_event!();
}

raw inst(INSTRUMENTED_FOR_ITER, (unused/1, iter -- iter, next)) {
    let iter = *sp.sub(1);
    let next = iter_next(iter.as_ptr());
    let target;
    if next.is_null() {
        error_if!(for_iter_exhausted(tstate, frame, this_instr) < 0);
        sp = sp.sub(1);
        iter.close();
        target = next_instr.add(oparg as usize + 2);
    } else {
        *sp = StackRef::from_owned(next);
        sp = sp.add(1);
        target = next_instr;
    }
    instrumented_jump!(target, PY_MONITORING_EVENT_BRANCH);
}

raw inst(INSTRUMENTED_INSTRUCTION, (--)) {
    frame.set_sp(sp);
    let opcode = call_instrumentation_instruction(tstate, frame, this_instr);
    error_if!(opcode < 0);
    if opcode_has_counter(opcode as u8) {
        pause_counter(this_instr.add(1));
    }
    dispatch_opcode!(opcode);
}

// `pure` only in that the instruction pointer is not saved for it: the one that is saved tells the line before.
pure raw inst(INSTRUMENTED_LINE, (--)) {
    let previous = core::mem::replace(&mut (*frame).instr_ptr, this_instr);
    frame.set_sp(sp);
    let opcode = call_instrumentation_line(tstate, frame, this_instr, previous);
    error_if!(opcode < 0);
    reload_after_event!();
    if opcode_has_counter(opcode as u8) {
        pause_counter(this_instr.add(1));
    }
    dispatch_opcode!(opcode);
}

raw inst(INSTRUMENTED_JUMP_FORWARD, (--)) {
    instrumented_jump!(next_instr.add(oparg as usize), PY_MONITORING_EVENT_JUMP);
}

raw inst(INSTRUMENTED_JUMP_BACKWARD, (unused/1 --)) {
    check_eval_breaker!();
    instrumented_jump!(next_instr.sub(oparg as usize), PY_MONITORING_EVENT_JUMP);
}

raw inst(INSTRUMENTED_POP_JUMP_IF_TRUE, (unused/1, cond --)) {
    sp = sp.sub(1);
    let jump = (*sp).as_ptr() == Py_True();
    instrumented_jump!(next_instr.add(if jump { oparg as usize } else { 0 }), PY_MONITORING_EVENT_BRANCH);
}

raw inst(INSTRUMENTED_POP_JUMP_IF_FALSE, (unused/1, cond --)) {
    sp = sp.sub(1);
    let jump = (*sp).as_ptr() == Py_False();
    instrumented_jump!(next_instr.add(if jump { oparg as usize } else { 0 }), PY_MONITORING_EVENT_BRANCH);
}

raw inst(INSTRUMENTED_POP_JUMP_IF_NONE, (unused/1, value --)) {
    sp = sp.sub(1);
    let jump = (*sp).as_ptr() == Py_None();
    (*sp).close();
    instrumented_jump!(next_instr.add(if jump { oparg as usize } else { 0 }), PY_MONITORING_EVENT_BRANCH);
}

raw inst(INSTRUMENTED_POP_JUMP_IF_NOT_NONE, (unused/1, value --)) {
    sp = sp.sub(1);
    let jump = (*sp).as_ptr() != Py_None();
    (*sp).close();
    instrumented_jump!(next_instr.add(if jump { oparg as usize } else { 0 }), PY_MONITORING_EVENT_BRANCH);
}
