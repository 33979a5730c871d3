//! Setting `f_lineno` from a trace function: which jumps leave the evaluation stack as the target expects it.
//!
//! The stack before each instruction is modelled as a list of kinds of entries; a jump may pop entries but not invent
//! them.

use crate::codeobject::{LocationIter, bytes_of};
use crate::ceval_prelude::{CodeUnit, oparg_of};
use crate::frame::*;
use crate::generated::opcode_ids::*;
use crate::generated::opcode_metadata::{CACHES, stack_effect};
use crate::instrumentation::*;
use crate::stackref::*;
use core::ffi::{CStr, c_int};
use taipan_abi::*;

/// What an entry of the evaluation stack is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Iterator,
    Except,
    Object,
    Null,
    Lasti,
}

/// Stacks deeper than this are not analysed.
const MAX_DEPTH: usize = 21;

/// The stack before an instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Stack {
    Unreached,
    Overflowed,
    Known(Vec<Kind>),
}

use Stack::{Known, Overflowed, Unreached};

impl Stack {
    fn push(mut self, kind: Kind) -> Stack {
        if let Known(v) = &mut self {
            if v.len() >= MAX_DEPTH {
                return Overflowed;
            }
            v.push(kind);
        }
        self
    }
    fn pop(mut self) -> Stack {
        if let Known(v) = &mut self {
            v.pop();
        }
        self
    }
    fn peek(&self, n: usize) -> Kind {
        match self {
            Known(v) if n >= 1 && n <= v.len() => v[v.len() - n],
            _ => Kind::Object,
        }
    }
    fn truncate(mut self, depth: usize) -> Stack {
        if let Known(v) = &mut self {
            v.truncate(depth);
        }
        self
    }
}

/// The stack before each code unit of `code`.
unsafe fn mark_stacks(code: *mut PyCodeObject) -> Vec<Stack> {
    // SAFETY: [LAYOUT]
    unsafe {
        let len = code.code_len();
        let start = code.code_start();
        let mut stacks = vec![Unreached; len + 1];
        stacks[0] = Known(Vec::new());
        loop {
            let mut again = scan_instructions(code, start, len, &mut stacks);
            again |= scan_exception_table(bytes_of((*code).co_exceptiontable), &mut stacks);
            if !again {
                return stacks;
            }
        }
    }
}

unsafe fn scan_instructions(code: *mut PyCodeObject, start: *mut CodeUnit, len: usize, stacks: &mut [Stack]) -> bool {
    let mut again = false;
    let set = |stacks: &mut [Stack], i: isize, stack: &Stack| {
        if let Some(slot) = usize::try_from(i).ok().and_then(|i| stacks.get_mut(i)) {
            *slot = stack.clone();
        }
    };
    let mut i = 0;
    while i < len {
        // SAFETY: [LAYOUT] i is inside the code.
        let (mut opcode, mut oparg) = unsafe { (base_opcode(code, i), 0u32) };
        let mut stack = stacks[i].clone();
        while opcode == EXTENDED_ARG && i + 1 < len {
            // SAFETY: as above.
            unsafe {
                oparg = oparg << 8 | oparg_of(start.add(i));
                i += 1;
                opcode = base_opcode(code, i);
            }
            stacks[i] = stack.clone();
        }
        // SAFETY: as above.
        oparg = oparg << 8 | unsafe { oparg_of(start.add(i)) };
        let next = i + 1 + CACHES[opcode as usize] as usize;
        if stack == Unreached {
            i = next;
            continue;
        }
        let after = next as isize;
        let target = after + oparg as isize;
        match opcode {
            POP_JUMP_IF_FALSE | POP_JUMP_IF_TRUE | POP_JUMP_IF_NONE | POP_JUMP_IF_NOT_NONE => {
                stack = stack.pop();
                set(stacks, target, &stack);
                set(stacks, after, &stack);
            }
            SEND => {
                set(stacks, target, &stack);
                set(stacks, after, &stack);
            }
            JUMP_FORWARD => set(stacks, target, &stack),
            JUMP_BACKWARD | JUMP_BACKWARD_NO_INTERRUPT => {
                let target = after - oparg as isize;
                again |= usize::try_from(target).is_ok_and(|t| stacks.get(t) == Some(&Unreached) && t < i);
                set(stacks, target, &stack);
            }
            GET_ITER | GET_AITER => set(stacks, after, &stack.pop().push(Kind::Iterator)),
            FOR_ITER => {
                stack = stack.push(Kind::Object);
                set(stacks, after, &stack);
                set(stacks, target, &stack);
            }
            END_ASYNC_FOR => set(stacks, after, &stack.pop().pop()),
            PUSH_EXC_INFO => set(stacks, after, &stack.push(Kind::Except)),
            POP_EXCEPT => set(stacks, after, &stack.pop()),
            RETURN_VALUE | RETURN_CONST | RAISE_VARARGS | RERAISE => {}
            PUSH_NULL => set(stacks, after, &stack.push(Kind::Null)),
            LOAD_GLOBAL => {
                stack = stack.push(Kind::Object);
                set(stacks, after, &if oparg & 1 != 0 { stack.push(Kind::Null) } else { stack });
            }
            LOAD_ATTR => {
                set(stacks, after, &if oparg & 1 != 0 { stack.pop().push(Kind::Object).push(Kind::Null) } else { stack });
            }
            SWAP => {
                if let Known(v) = &mut stack {
                    let (top, other) = (v.len().wrapping_sub(1), v.len().wrapping_sub(oparg as usize));
                    if top < v.len() && other < v.len() {
                        v.swap(top, other);
                    }
                }
                set(stacks, after, &stack);
            }
            COPY => {
                let kind = stack.peek(oparg as usize);
                set(stacks, after, &stack.push(kind));
            }
            _ => {
                let (popped, pushed) = stack_effect(opcode as u16, oparg as i32).unwrap_or((0, 0));
                for _ in pushed..popped {
                    stack = stack.pop();
                }
                for _ in popped..pushed {
                    stack = stack.push(Kind::Object);
                }
                set(stacks, after, &stack);
            }
        }
        i = next;
    }
    again
}

fn scan_exception_table(table: &[u8], stacks: &mut [Stack]) -> bool {
    let mut again = false;
    let mut position = 0;
    let mut varint = || {
        let mut value = 0usize;
        loop {
            let b = *table.get(position)?;
            position += 1;
            value = value << 6 | (b & 63) as usize;
            if b & 64 == 0 {
                return Some(value);
            }
        }
    };
    while let (Some(start), Some(_), Some(handler), Some(depth)) = (varint(), varint(), varint(), varint()) {
        if start >= stacks.len() || handler >= stacks.len() || stacks[start] == Unreached || stacks[handler] != Unreached {
            continue;
        }
        again = true;
        let mut stack = stacks[start].clone().truncate(depth >> 1);
        if depth & 1 != 0 {
            stack = stack.push(Kind::Lasti);
        }
        stacks[handler] = stack.push(Kind::Except);
    }
    again
}

/// Whether popping entries of `from` gives what `to` expects.
fn compatible(from: &Stack, to: &Stack) -> bool {
    let (Known(from), Known(to)) = (from, to) else { return false };
    from.len() >= to.len()
        && from.iter().zip(to).all(|(f, t)| match t {
            Kind::Object => *f != Kind::Null,
            Kind::Null => true,
            _ => f == t,
        })
}

fn explain(to: &Stack) -> &'static CStr {
    match to {
        Overflowed => c"stack is too deep to analyze",
        Unreached => c"can't jump into an exception handler, or code may be unreachable",
        Known(v) => match v.last() {
            Some(Kind::Except) => c"can't jump into an 'except' block as there's no exception",
            Some(Kind::Lasti) => c"can't jump into a re-raising block as there's no location",
            Some(Kind::Iterator) => c"can't jump into the body of a for loop",
            _ => c"incompatible stacks",
        },
    }
}

/// The line that begins at each code unit, -1 elsewhere.
unsafe fn mark_lines(code: *mut PyCodeObject) -> Vec<i32> {
    // SAFETY: [ARGS]
    unsafe {
        let mut lines = vec![-1; code.code_len()];
        let mut last = -1;
        for entry in LocationIter::of_code(code) {
            if entry.line != last && entry.line != -1 {
                if let Some(slot) = lines.get_mut(entry.start as usize / 2) {
                    *slot = entry.line;
                }
                last = entry.line;
            }
        }
        lines
    }
}

/// Checks that the event being reported allows a jump.
fn check_event(what_event: c_int) -> PyResult<()> {
    match what_event {
        _ if what_event < 0 => bail!(PyExc_ValueError, "f_lineno can only be set in a trace function"),
        PY_MONITORING_EVENT_PY_RESUME
        | PY_MONITORING_EVENT_JUMP
        | PY_MONITORING_EVENT_BRANCH
        | PY_MONITORING_EVENT_LINE
        | PY_MONITORING_EVENT_PY_YIELD => Ok(()),
        PY_MONITORING_EVENT_PY_START => bail!(PyExc_ValueError, "can't jump from the 'call' trace event of a new frame"),
        PY_MONITORING_EVENT_CALL | PY_MONITORING_EVENT_C_RETURN => bail!(PyExc_ValueError, "can't jump during a call"),
        PY_MONITORING_EVENT_PY_RETURN
        | PY_MONITORING_EVENT_PY_UNWIND
        | PY_MONITORING_EVENT_PY_THROW
        | PY_MONITORING_EVENT_RAISE
        | PY_MONITORING_EVENT_C_RAISE
        | PY_MONITORING_EVENT_INSTRUCTION
        | PY_MONITORING_EVENT_EXCEPTION_HANDLED => bail!(PyExc_ValueError, "can only jump from a 'line' trace event"),
        _ => bail!(PyExc_SystemError, "unexpected event type"),
    }
}

/// Makes the frame go on at the first line not before `value`.
///
/// # Safety
/// [FRAME] the stack pointer is saved; `value` is NULL or live.
pub unsafe fn frame_setlineno(f: *mut PyFrameObject, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [FRAME]
    unsafe {
        let frame = (*f).f_frame;
        let code = frame.code();
        if value.is_null() {
            bail!(PyExc_AttributeError, "cannot delete attribute");
        }
        if Py_TYPE(value) != &raw mut PyLong_Type {
            bail!(PyExc_ValueError, "lineno must be an integer");
        }
        let suspended = frame.owner() == FRAME_OWNED_BY_GENERATOR && (-2..0).contains(&(*frame.generator()).gi_frame_state);
        let tstate = current_tstate();
        check_event((*tstate).what_event)?;
        let mut overflow = 0;
        let wanted = PyLong_AsLongAndOverflow(value, &mut overflow);
        let Ok(wanted) = c_int::try_from(wanted) else { bail!(PyExc_ValueError, "lineno out of range") };
        if overflow != 0 {
            bail!(PyExc_ValueError, "lineno out of range");
        }
        if wanted < (*code).co_firstlineno {
            bail!(PyExc_ValueError, "line {wanted} comes before the current code block");
        }
        let lines = mark_lines(code);
        let Some(line) = lines.iter().copied().filter(|l| *l >= wanted).min() else {
            bail!(PyExc_ValueError, "line {wanted} comes after the current code block");
        };
        let stacks = mark_stacks(code);
        let start = stacks.get(frame.lasti().max(0) as usize).cloned().unwrap_or(Unreached);
        let mut best: Option<(usize, usize)> = None;
        let mut message = c"cannot find bytecode for specified line";
        let mut explained = false;
        for i in (0..lines.len()).filter(|i| lines[*i] == line) {
            if compatible(&start, &stacks[i]) {
                let Known(v) = &stacks[i] else { continue };
                if best.is_none_or(|(depth, _)| v.len() > depth) {
                    best = Some((v.len(), i));
                }
            } else if best.is_none() && !explained {
                match start {
                    Overflowed => message = c"stack to deep to analyze",
                    Unreached => message = c"can't jump from unreachable code",
                    _ => {
                        message = explain(&stacks[i]);
                        explained = true;
                    }
                }
            }
        }
        let Some((depth, target)) = best else {
            PyErr_SetString(PyExc_ValueError, message.as_ptr());
            return Err(Raised::assume());
        };
        bind_unbound_locals(frame, code)?;
        let Known(mut kinds) = start else { return Ok(()) };
        if suspended {
            // The value that was yielded is off the stack already.
            kinds.pop();
        }
        let mut sp = frame.saved_sp();
        while kinds.len() > depth {
            sp = sp.sub(1);
            let entry = *sp;
            frame.set_sp(sp);
            if kinds.pop() == Some(Kind::Except) {
                let exc = entry.steal_object();
                let item = (*tstate).exc_info;
                setref(&raw mut (*item).exc_value, if exc == Py_None() { core::ptr::null_mut() } else { exc });
            } else {
                entry.xclose();
            }
        }
        (*f).f_lineno = 0;
        (*frame).instr_ptr = code.code_start().add(target);
        Ok(())
    }
}

/// The compiler may have relied on assignments that the jump skips: unset variables become None.
unsafe fn bind_unbound_locals(frame: Frame, code: *mut PyCodeObject) -> PyResult<()> {
    // SAFETY: [FRAME]
    unsafe {
        let locals = frame.locals();
        let n = (*code).co_nlocalsplus as usize;
        let unbound = (0..n).filter(|i| (*locals.add(*i)).is_null()).count();
        if unbound == 0 {
            return Ok(());
        }
        let s = if unbound == 1 { c"" } else { c"s" };
        let format = c"assigning None to %d unbound local%s";
        check_status(PyErr_WarnFormat(PyExc_RuntimeWarning, 0, format.as_ptr(), unbound as c_int, s.as_ptr()))?;
        for i in 0..n {
            if (*locals.add(i)).is_null() {
                *locals.add(i) = StackRef::from_new(Py_None());
            }
        }
        Ok(())
    }
}
