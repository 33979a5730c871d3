//! The interpreter loop, unwinding, and the `PyEval_*` entry points.
//!
//! One loop per native entry: calls between Python functions, and generators resumed by loops and `await`, stay in it.
//! The entry is marked by a frame on the native stack, whose two little programs end the loop when a result is returned
//! or yielded to it.

use crate::ceval_prelude::*;
use crate::codeobject::exception_handler;
use crate::generated::generated_cases::TABLE;
use core::ffi::{c_char, c_int};
use core::sync::atomic::{AtomicBool, Ordering};

/// Levels of native recursion that an interpreter loop counts for.
const EVAL_C_STACK_UNITS: c_int = 2;

/// Whether some interpreter has a PEP 523 hook: then no call may bypass it.
pub static EVAL_FRAME_HOOK: AtomicBool = AtomicBool::new(false);

/// Whether Python functions must be called through the PEP 523 hook.
///
/// # Safety
/// [GIL]
#[inline(always)]
pub unsafe fn has_eval_frame_hook(_tstate: *mut PyThreadState) -> bool {
    EVAL_FRAME_HOOK.load(Ordering::Relaxed)
}

const fn unit(opcode: u8) -> u16 {
    opcode as u16
}

/// What an entry frame runs: one INTERPRETER_EXIT where returns go, another where yields go.
static ENTRY_CODE: [CodeUnit; 5] =
    [unit(NOP), unit(INTERPRETER_EXIT), unit(NOP), unit(INTERPRETER_EXIT), unit(RESUME)];

/// Goes where unwinding has led.
macro_rules! resume_at {
    ($tstate:expr, $next:expr) => {{
        let next: Next = $next;
        #[cfg(feature = "tailcall")]
        if next.ip.addr() != Next::EXIT {
            let frame = (*$tstate).current_frame;
            next!(frame, $tstate, next.ip.map_addr(|a| a & !Next::FRAME_CHANGED), next.sp, frame.locals())
        }
        return next;
    }};
}

handler! {
    fn handle_error(frame, tstate, this_instr, sp, _locals, _oparg) {
        // SAFETY: [FRAME] [STACK] [EXC]
        unsafe { resume_at!(tstate, exception_unwind(tstate, frame, this_instr, sp, true)) }
    }
}
handler! {
    // Stands in the dispatch table where there is no instruction.
    fn unknown_opcode(frame, tstate, this_instr, sp, _locals, _oparg) {
        // SAFETY: [FRAME] [STACK]
        unsafe {
            (*frame).instr_ptr = this_instr;
            let line = PyCode_Addr2Line(frame.code().cast(), frame.lasti());
            let name = (*frame.code()).co_filename;
            PyErr_Format(PyExc_SystemError, c"%U:%d: unknown opcode %d".as_ptr(), name, line, opcode_of(this_instr) as c_int);
            resume_at!(tstate, exception_unwind(tstate, frame, this_instr, sp, true))
        }
    }
}
handler! {
    fn handle_unwind(frame, tstate, this_instr, sp, _locals, _oparg) {
        // SAFETY: [FRAME] [STACK] [EXC]
        unsafe { resume_at!(tstate, exception_unwind(tstate, frame, this_instr, sp, false)) }
    }
}
handler! {
    fn handle_recursion(frame, tstate, this_instr, sp, _locals, _oparg) {
        // SAFETY: [FRAME] [STACK]
        unsafe {
            let next = if check_recursion_py(tstate) < 0 {
                exit_unwind(tstate, frame)
            } else {
                Next { ip: this_instr.map_addr(|a| a | Next::FRAME_CHANGED), sp }
            };
            resume_at!(tstate, next)
        }
    }
}

/// Looks for a handler of the exception that is set, from the instruction at `ip` outwards. Leads to the handler, or
/// out of the loop. `sp` is above the live entries, which are released.
///
/// # Safety
/// [FRAME] [STACK] [EXC]
#[cold]
#[inline(never)]
unsafe fn exception_unwind(
    tstate: *mut PyThreadState,
    frame: Frame,
    ip: *mut CodeUnit,
    sp: *mut StackRef,
    mut add_traceback: bool,
) -> Next {
    let (mut frame, mut ip, mut sp) = (frame, ip, sp);
    // SAFETY: [FRAME] [STACK]
    unsafe {
        loop {
            if (*tstate).current_exception.is_null() {
                // An extension's fault.
                let _ = raise!(PyExc_SystemError, "error return without exception set");
            }
            if add_traceback {
                if !frame.is_incomplete() {
                    let object = frame_get_frame_object(frame);
                    if !object.is_null() {
                        PyTraceBack_Here(object.cast());
                    }
                }
                frame.set_sp(sp);
                monitor_raise(tstate, frame, ip);
            }
            add_traceback = true;
            let base = frame.stack_base();
            let code = frame.code();
            let offset = ip.offset_from(code.code_start()) as i32;
            if let Some(found) = exception_handler(code, offset) {
                let target = base.add(found.depth as usize);
                while sp > target {
                    sp = sp.sub(1);
                    (*sp).xclose();
                }
                if found.push_lasti {
                    let lasti = PyLong_FromLong(frame.lasti() as core::ffi::c_long);
                    if lasti.is_null() {
                        add_traceback = false;
                        continue;
                    }
                    *sp = StackRef::from_owned(lasti);
                    sp = sp.add(1);
                }
                let exc = PyErr_GetRaisedException();
                *sp = StackRef::from_owned(exc);
                sp = sp.add(1);
                ip = code.code_start().add(found.handler as usize);
                frame.set_sp(sp);
                if monitor_handled(tstate, frame, ip, exc) < 0 {
                    add_traceback = false;
                    continue;
                }
                return Next { ip: ip.map_addr(|a| a | Next::FRAME_CHANGED), sp };
            }
            while sp > base {
                sp = sp.sub(1);
                (*sp).xclose();
            }
            frame.set_sp(base);
            monitor_unwind(tstate, frame, ip);
            frame = match leave_frame(tstate, frame) {
                None => return Next { ip: core::ptr::without_provenance_mut(Next::EXIT), sp: null_mut() },
                Some(caller) => caller,
            };
            ip = (*frame).instr_ptr;
            sp = frame.saved_sp();
        }
    }
}

/// Gives up `frame`, whose stack is empty, and returns the caller; `None` if that is the loop's entry.
unsafe fn leave_frame(tstate: *mut PyThreadState, frame: Frame) -> Option<Frame> {
    // SAFETY: [FRAME]
    unsafe {
        (*tstate).py_recursion_remaining += 1;
        let caller = (*frame).previous;
        (*tstate).current_frame = caller;
        frame_clear_and_pop(tstate, frame, frame.stack_base());
        (*caller).return_offset = 0;
        if caller.owner() == FRAME_OWNED_BY_CSTACK {
            (*tstate).current_frame = (*caller).previous;
            (*tstate).c_recursion_remaining += EVAL_C_STACK_UNITS;
            return None;
        }
        Some(caller)
    }
}

/// Gives up a frame that could not be entered, with an exception set, and unwinds its caller.
unsafe fn exit_unwind(tstate: *mut PyThreadState, frame: Frame) -> Next {
    // SAFETY: [FRAME]
    unsafe {
        let (mut sp, base) = (frame.saved_sp(), frame.stack_base());
        while sp > base {
            sp = sp.sub(1);
            (*sp).xclose();
        }
        frame.set_sp(base);
        match leave_frame(tstate, frame) {
            None => Next { ip: core::ptr::without_provenance_mut(Next::EXIT), sp: null_mut() },
            Some(caller) => exception_unwind(tstate, caller, (*caller).instr_ptr, caller.saved_sp(), true),
        }
    }
}

/// The depth of Python calls has reached its limit: RecursionError, unless one is being handled.
#[cold]
unsafe fn check_recursion_py(tstate: *mut PyThreadState) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        if (*tstate).recursion_headroom != 0 {
            if (*tstate).py_recursion_remaining < -50 {
                fatal("Cannot recover from Python stack overflow.");
            }
        } else if (*tstate).py_recursion_remaining <= 0 {
            (*tstate).recursion_headroom += 1;
            PyErr_SetString(PyExc_RecursionError, c"maximum recursion depth exceeded".as_ptr());
            (*tstate).recursion_headroom -= 1;
            return -1;
        }
        0
    }
}

/// Runs from `next` until the entry frame is reached.
#[cfg(not(feature = "tailcall"))]
#[inline(always)]
unsafe fn run(tstate: *mut PyThreadState, next: Next) -> *mut PyObject {
    // SAFETY: [FRAME] [STACK] handlers keep both.
    unsafe {
        let Next { mut ip, mut sp } = next;
        let mut frame: Frame = null_mut();
        let mut locals: *mut StackRef = null_mut();
        loop {
            if ip.addr() & Next::FRAME_CHANGED != 0 {
                if ip.addr() == Next::EXIT {
                    return sp.cast();
                }
                ip = ip.map_addr(|a| a & !Next::FRAME_CHANGED);
                frame = (*tstate).current_frame;
                locals = frame.locals();
            }
            let word = *ip;
            let next = TABLE[(word & 0xff) as usize](frame, tstate, ip, sp, locals, (word >> 8) as u32);
            ip = next.ip;
            sp = next.sp;
        }
    }
}
#[cfg(feature = "tailcall")]
#[inline(always)]
unsafe fn run(tstate: *mut PyThreadState, next: Next) -> *mut PyObject {
    // SAFETY: [FRAME] [STACK] handlers keep both.
    unsafe {
        if next.ip.addr() == Next::EXIT {
            return next.sp.cast();
        }
        let ip = next.ip.map_addr(|a| a & !Next::FRAME_CHANGED);
        let frame = (*tstate).current_frame;
        let word = *ip;
        TABLE[(word & 0xff) as usize](frame, tstate, ip, next.sp, frame.locals(), (word >> 8) as u32).sp.cast()
    }
}

/// Evaluates `frame` until it returns or yields; with `throwflag`, from the exception that is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_EvalFrameDefault(tstate: *mut PyThreadState, frame: Frame, throwflag: c_int) -> *mut PyObject {
    // SAFETY: [FRAME] the caller gives the frame up; [STACK] the entry frame outlives the loop.
    unsafe {
        let mut entry = core::mem::MaybeUninit::<_PyInterpreterFrame>::uninit();
        let entry = entry.as_mut_ptr();
        (*entry).f_executable = Py_None();
        (*entry).f_funcobj = null_mut();
        (*entry).f_globals = null_mut();
        (*entry).f_builtins = null_mut();
        (*entry).f_locals = null_mut();
        (*entry).frame_obj = null_mut();
        (*entry).instr_ptr = ENTRY_CODE.as_ptr().add(1).cast_mut();
        (*entry).stacktop = FRAME_HEADER_WORDS as c_int;
        (*entry).return_offset = 0;
        (*entry).owner = FRAME_OWNED_BY_CSTACK;
        (*entry).previous = (*tstate).current_frame;
        (*frame).previous = entry;
        (*tstate).current_frame = frame;

        (*tstate).c_recursion_remaining -= EVAL_C_STACK_UNITS;
        (*tstate).py_recursion_remaining -= 1;
        let too_deep = (*tstate).c_recursion_remaining < 0 && _Py_CheckRecursiveCall(tstate, c"".as_ptr()) != 0
            || (*tstate).py_recursion_remaining < 0 && check_recursion_py(tstate) < 0;
        let next = if too_deep {
            exit_unwind(tstate, frame)
        } else if throwflag != 0 {
            monitor_throw(tstate, frame, (*frame).instr_ptr);
            // A suspended frame's instruction pointer is past the YIELD_VALUE that the exception comes out of.
            exception_unwind(tstate, frame, (*frame).instr_ptr.sub(1), frame.saved_sp(), true)
        } else {
            Next { ip: (*frame).instr_ptr.map_addr(|a| a | Next::FRAME_CHANGED), sp: frame.saved_sp() }
        };
        run(tstate, next)
    }
}

/// What INTERPRETER_EXIT gives back of the native recursion depth.
///
/// # Safety
/// [GIL]
#[inline(always)]
pub unsafe fn leave_loop(tstate: *mut PyThreadState) {
    // SAFETY: [GIL]
    unsafe { (*tstate).c_recursion_remaining += EVAL_C_STACK_UNITS }
}

unsafe extern "C" {
    fn _PyInterpreterState_GetEvalFrameFunc(
        interp: *mut PyInterpreterState,
    ) -> unsafe extern "C" fn(*mut PyThreadState, Frame, c_int) -> *mut PyObject;
}

/// Evaluates a frame through the PEP 523 hook, if there is one.
///
/// # Safety
/// [FRAME] the frame is given up.
#[inline]
pub unsafe fn eval_frame(tstate: *mut PyThreadState, frame: Frame, throwflag: bool) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        if has_eval_frame_hook(tstate) {
            return _PyInterpreterState_GetEvalFrameFunc((*tstate).interp)(tstate, frame, throwflag as c_int);
        }
        _PyEval_EvalFrameDefault(tstate, frame, throwflag as c_int)
    }
}

/// Calls `func` with borrowed arguments (`_PyEval_Vector`); `locals` is NULL for functions.
///
/// # Safety
/// [ARGS] as for `_PyFunction_Vectorcall`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_Vector(
    tstate: *mut PyThreadState,
    func: *mut PyFunctionObject,
    locals: *mut PyObject,
    args: *const *mut PyObject,
    argcount: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        Py_INCREF(func.cast());
        Py_XINCREF(locals);
        let total = argcount + if kwnames.is_null() { 0 } else { ob_size(kwnames) as usize };
        for i in 0..total {
            Py_INCREF(*args.add(i));
        }
        let frame = frame_push_and_init(tstate, null_mut(), func, locals, args.cast::<StackRef>().cast_mut(), argcount, kwnames);
        if frame.is_null() {
            return null_mut();
        }
        eval_frame(tstate, frame, false)
    }
}

/// Pushes the frame of a usual call: parameters and arguments are plain, keywords are the very strings that name the
/// parameters, what is missing has a default. NULL, with nothing done, for all others.
#[inline(always)]
unsafe fn push_simple(
    tstate: *mut PyThreadState,
    func: *mut PyFunctionObject,
    args: *const *mut PyObject,
    nargs: usize,
    kwnames: *mut PyObject,
) -> Frame {
    // SAFETY: [ARGS] [STACK] what lies above the top of the data stack is free, and nothing runs before the frame is there.
    unsafe {
        let code: *mut PyCodeObject = (*func).func_code.cast();
        let argcount = (*code).co_argcount as usize;
        let plain = (*code).co_flags & (CO_OPTIMIZED | CO_VARARGS | CO_VARKEYWORDS) == CO_OPTIMIZED;
        if !plain || nargs > argcount || !has_stack_space(tstate, code) {
            return null_mut();
        }
        let total = argcount + (*code).co_kwonlyargcount as usize;
        let locals: *mut *mut PyObject = (*tstate).datastack_top;
        core::ptr::copy_nonoverlapping(args, locals, nargs);
        if nargs < total || !kwnames.is_null() {
            for i in nargs..total {
                *locals.add(i) = null_mut();
            }
            let kwcount = if kwnames.is_null() { 0 } else { ob_size(kwnames) as usize };
            let names = tuple_items((*code).co_localsplusnames);
            for k in 0..kwcount {
                let name = tuple_item(kwnames, k);
                match ((*code).co_posonlyargcount as usize..total).find(|&i| *names.add(i) == name) {
                    Some(i) if (*locals.add(i)).is_null() => *locals.add(i) = *args.add(nargs + k),
                    _ => return null_mut(),
                }
            }
            if nargs + kwcount < total {
                let defaults = (*func).func_defaults;
                let required = argcount - if defaults.is_null() { 0 } else { (ob_size(defaults) as usize).min(argcount) };
                for i in nargs..argcount {
                    if (*locals.add(i)).is_null() {
                        if i < required {
                            return null_mut();
                        }
                        *locals.add(i) = tuple_item(defaults, ob_size(defaults) as usize - (argcount - i));
                    }
                }
                // Defaults of keyword-only parameters lie in a dict.
                if (argcount..total).any(|i| (*locals.add(i)).is_null()) {
                    return null_mut();
                }
            }
        }
        for i in 0..total {
            Py_INCREF(*locals.add(i));
        }
        Py_INCREF(func.cast());
        frame_push_exact_copy(tstate, null_mut(), func, locals.cast::<StackRef>(), total)
    }
}

/// Calls a Python function (the `vectorcall` of function objects).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyFunction_Vectorcall(
    func: *mut PyObject,
    stack: *const *mut PyObject,
    nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let nargs = PyVectorcall_NARGS(nargsf) as usize;
        let function: *mut PyFunctionObject = func.cast();
        let code: *mut PyCodeObject = (*function).func_code.cast();
        let tstate = current_tstate();
        let frame = push_simple(tstate, function, stack, nargs, kwnames);
        if !frame.is_null() {
            return eval_frame(tstate, frame, false);
        }
        let locals = if (*code).co_flags & CO_OPTIMIZED != 0 { null_mut() } else { (*function).func_globals };
        _PyEval_Vector(tstate, function, locals, stack, nargs, kwnames)
    }
}

/// Runs a code object in the given namespaces; `locals` may be any mapping, NULL means `globals`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalCode(co: *mut PyObject, globals: *mut PyObject, locals: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let tstate = current_tstate();
        let locals = if locals.is_null() { globals } else { locals };
        let builtins = eval_builtins(tstate, globals);
        if builtins.is_null() {
            return null_mut();
        }
        let func = function_for_code(co, globals, builtins, null_mut(), null_mut(), null_mut());
        Py_DECREF(builtins);
        if func.is_null() {
            return null_mut();
        }
        let res = _PyEval_Vector(tstate, func.cast(), locals, core::ptr::null(), 0, null_mut());
        Py_DECREF(func);
        res
    }
}

/// `globals['__builtins__']` as a dict, or the running frame's builtins; new.
unsafe fn eval_builtins(tstate: *mut PyThreadState, globals: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if globals.is_null() || PyDict_Check(globals) == 0 {
            PyErr_BadInternalCall();
            return null_mut();
        }
        let key = intern!("__builtins__");
        let mut found = null_mut();
        if PyDict_GetItemRef(globals, key, &mut found) < 0 {
            return null_mut();
        }
        if !found.is_null() {
            if PyModule_Check(found) != 0 {
                let dict = Py_NewRef(PyModule_GetDict(found));
                Py_DECREF(found);
                return dict;
            }
            return found;
        }
        Py_XNewRef(eval_get_builtins(tstate))
    }
}

/// A function object that runs `co`, for as long as one call.
unsafe fn function_for_code(
    co: *mut PyObject,
    globals: *mut PyObject,
    builtins: *mut PyObject,
    defaults: *mut PyObject,
    kwdefaults: *mut PyObject,
    closure: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let func = PyFunction_New(co, globals);
        if func.is_null() {
            return null_mut();
        }
        let f: *mut PyFunctionObject = func.cast();
        let code: *mut PyCodeObject = co.cast();
        setref(&raw mut (*f).func_builtins, Py_NewRef(builtins));
        setref(&raw mut (*f).func_name, Py_NewRef((*code).co_name));
        setref(&raw mut (*f).func_qualname, Py_NewRef((*code).co_name));
        setref(&raw mut (*f).func_defaults, Py_XNewRef(defaults));
        setref(&raw mut (*f).func_kwdefaults, Py_XNewRef(kwdefaults));
        setref(&raw mut (*f).func_closure, Py_XNewRef(closure));
        func
    }
}

/// The old entry point with all of a function's parts given one by one.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "CPython's signature")]
pub unsafe extern "C" fn PyEval_EvalCodeEx(
    co: *mut PyObject,
    globals: *mut PyObject,
    locals: *mut PyObject,
    args: *const *mut PyObject,
    argcount: c_int,
    kws: *const *mut PyObject,
    kwcount: c_int,
    defs: *const *mut PyObject,
    defcount: c_int,
    kwdefs: *mut PyObject,
    closure: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let tstate = current_tstate();
        let builtins = eval_builtins(tstate, globals);
        if builtins.is_null() {
            return null_mut();
        }
        let defaults = if defcount > 0 { _PyTuple_FromArray(defs, defcount as isize) } else { null_mut() };
        if defcount > 0 && defaults.is_null() {
            Py_DECREF(builtins);
            return null_mut();
        }
        let mut all: Vec<*mut PyObject> = Vec::with_capacity((argcount + kwcount) as usize);
        for i in 0..argcount as usize {
            all.push(*args.add(i));
        }
        let mut kwnames = null_mut();
        let mut ok = true;
        if kwcount > 0 {
            kwnames = PyTuple_New(kwcount as isize);
            ok = !kwnames.is_null();
            for i in 0..kwcount as usize {
                if ok {
                    *tuple_items(kwnames).add(i) = Py_NewRef(*kws.add(2 * i));
                }
                all.push(*kws.add(2 * i + 1));
            }
        }
        let mut res = null_mut();
        if ok {
            let func = function_for_code(co, globals, builtins, defaults, kwdefs, closure);
            if !func.is_null() {
                let locals = if locals.is_null() { globals } else { locals };
                let code: *mut PyCodeObject = co.cast();
                let locals = if (*code).co_flags & CO_OPTIMIZED != 0 { null_mut() } else { locals };
                res = _PyEval_Vector(tstate, func.cast(), locals, all.as_ptr(), argcount as usize, kwnames);
                Py_DECREF(func);
            }
        }
        Py_XDECREF(kwnames);
        Py_XDECREF(defaults);
        Py_DECREF(builtins);
        res
    }
}

/// Evaluates the frame of a frame object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalFrame(f: *mut PyFrameObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { eval_frame(current_tstate(), (*f).f_frame, false) }
}

/// The same, optionally from the exception that is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalFrameEx(f: *mut PyFrameObject, throwflag: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { eval_frame(current_tstate(), (*f).f_frame, throwflag != 0) }
}

/// Builtins of the running frame, else of the interpreter; lent.
unsafe fn eval_get_builtins(tstate: *mut PyThreadState) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        let frame = current_complete_frame(tstate);
        if frame.is_null() { PyInterpreterState_GetBuiltins((*tstate).interp) } else { frame.builtins() }
    }
}

/// Builtins of the running frame, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetBuiltins() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { eval_get_builtins(current_tstate()) }
}

/// A built-in by name, new; AttributeError if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetBuiltin(name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut attr = null_mut();
        if PyMapping_GetOptionalItem(PyEval_GetBuiltins(), name, &mut attr) == 0 {
            PyErr_SetObject(PyExc_AttributeError, name);
        }
        attr
    }
}

/// Globals of the running frame, lent; NULL without one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetGlobals() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        let frame = current_complete_frame(current_tstate());
        if frame.is_null() { null_mut() } else { frame.globals() }
    }
}

/// What `locals()` returns in the running frame, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetFrameLocals() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        let frame = current_complete_frame(current_tstate());
        if frame.is_null() {
            PyErr_SetString(PyExc_SystemError, c"frame does not exist".as_ptr());
            return null_mut();
        }
        let locals = crate::frameobject::frame_get_locals(frame);
        if locals.is_null() {
            return null_mut();
        }
        if Py_TYPE(locals) == &raw mut crate::frame_locals::PyFrameLocalsProxy_Type {
            let dict = PyDict_New();
            if !dict.is_null() && PyDict_Update(dict, locals) < 0 {
                Py_DECREF(dict);
                Py_DECREF(locals);
                return null_mut();
            }
            Py_DECREF(locals);
            return dict;
        }
        locals
    }
}

/// What `locals()` returns in the running frame; new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameLocals() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { _PyEval_GetFrameLocals() }
}

/// Globals of the running frame, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameGlobals() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { Py_XNewRef(PyEval_GetGlobals()) }
}

/// Builtins of the running frame, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameBuiltins() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { Py_XNewRef(PyEval_GetBuiltins()) }
}

/// The running frame's locals, lent by the frame: for a function a dict that is a snapshot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetLocals() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        let frame = current_complete_frame(current_tstate());
        if frame.is_null() {
            PyErr_SetString(PyExc_SystemError, c"frame does not exist".as_ptr());
            return null_mut();
        }
        let locals = crate::frameobject::frame_get_locals(frame);
        if locals.is_null() {
            return null_mut();
        }
        if Py_TYPE(locals) == &raw mut crate::frame_locals::PyFrameLocalsProxy_Type {
            let object = frame_get_frame_object(frame);
            if object.is_null() {
                Py_DECREF(locals);
                return null_mut();
            }
            let mut dict = (*object).f_locals_cache;
            if dict.is_null() {
                dict = PyDict_New();
                (*object).f_locals_cache = dict;
            }
            if !dict.is_null() && PyDict_Update(dict, locals) < 0 {
                dict = null_mut();
            }
            Py_DECREF(locals);
            return dict;
        }
        // The frame keeps it alive.
        Py_DECREF(locals);
        locals
    }
}

/// The running frame's object, lent; NULL without one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrame() -> *mut PyFrameObject {
    // SAFETY: [GIL]
    unsafe {
        let frame = current_complete_frame(current_tstate());
        if frame.is_null() {
            return null_mut();
        }
        let object = frame_get_frame_object(frame);
        if object.is_null() {
            PyErr_Clear();
        }
        object
    }
}

/// Adds the running code's future flags to `cf`; whether there are any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_MergeCompilerFlags(cf: *mut PyCompilerFlags) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let mut result = ((*cf).cf_flags != 0) as c_int;
        let frame = (*current_tstate()).current_frame;
        if !frame.is_null() && frame.owner() != FRAME_OWNED_BY_CSTACK {
            const PyCF_MASK: c_int = 0x0200_0000 - 0x2_0000;
            let flags = (*frame.code()).co_flags & PyCF_MASK;
            if flags != 0 {
                result = 1;
                (*cf).cf_flags |= flags;
            }
        }
        result
    }
}

/// Name of a callable for messages.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFuncName(func: *mut PyObject) -> *const c_char {
    // SAFETY: [ARGS]
    unsafe {
        let tp = Py_TYPE(func);
        if tp == &raw mut PyMethod_Type {
            PyEval_GetFuncName((*func.cast::<PyMethodObject>()).im_func)
        } else if tp == &raw mut PyFunction_Type {
            PyUnicode_AsUTF8((*func.cast::<PyFunctionObject>()).func_name)
        } else if PyCFunction_Check(func) != 0 {
            (*(*func.cast::<PyCFunctionObject>()).m_ml).ml_name
        } else {
            (*tp).tp_name
        }
    }
}

/// What follows the name of a callable in messages.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFuncDesc(func: *mut PyObject) -> *const c_char {
    // SAFETY: [ARGS]
    unsafe {
        let tp = Py_TYPE(func);
        if tp == &raw mut PyMethod_Type || tp == &raw mut PyFunction_Type || PyCFunction_Check(func) != 0 {
            c"()".as_ptr()
        } else {
            c" object".as_ptr()
        }
    }
}
