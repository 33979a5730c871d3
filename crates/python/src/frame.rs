//! Interpreter frames: where they lie, how they are pushed and popped.
//!
//! On the data stack of a thread a frame is `[local variables][header][evaluation stack]`. A callee's local variables
//! begin where its caller has pushed the arguments, so that a call between Python functions copies nothing. In a
//! generator, and in a frame object that has outlived its call, the header comes first: `[header][locals][stack]`.
//! [`FrameExt::locals`] knows where the locals are in both cases.
//!
//! Two words of the header that CPython uses for globals and builtins (reached through the function here) hold the
//! address of the locals and what the top of the data stack was before the frame was pushed.
//!
//! [FRAME] A frame passed to these functions is live: its code and function are owned by it, its slots up to the saved
//! stack pointer are initialised.

use crate::ceval_prelude::{CodeUnit, FRAME_CLEARED, FRAME_COMPLETED};
use crate::stackref::*;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_objects::obmalloc::{_PyObject_VirtualAlloc, _PyObject_VirtualFree};

/// An interpreter frame.
pub type Frame = *mut _PyInterpreterFrame;

/// Frame on the thread's data stack.
pub const FRAME_OWNED_BY_THREAD: i8 = 0;
/// Frame inside a generator.
pub const FRAME_OWNED_BY_GENERATOR: i8 = 1;
/// Frame inside a frame object, after the call.
pub const FRAME_OWNED_BY_FRAME_OBJECT: i8 = 2;
/// Entry of the interpreter loop, on the native stack.
pub const FRAME_OWNED_BY_CSTACK: i8 = 3;

/// Words of a frame's header (`FRAME_SPECIALS_SIZE`).
pub const FRAME_HEADER_WORDS: usize = 9;
/// Offset of the frame in a generator.
pub const GEN_FRAME_OFFSET: usize = core::mem::offset_of!(PyGenObject, gi_iframe);
/// Bytes of a fresh chunk of the data stack.
const DATA_STACK_CHUNK_SIZE: usize = 16 * 1024;
/// Words of [`_PyStackChunk`] before its data.
const CHUNK_HEADER_WORDS: usize = 3;

/// Accessors of interpreter frames. All require [FRAME].
#[allow(missing_docs, reason = "named after the fields")]
#[allow(clippy::missing_safety_doc, reason = "[FRAME], see the top of the file")]
pub trait FrameExt: Copy {
    unsafe fn code(self) -> *mut PyCodeObject;
    unsafe fn func(self) -> *mut PyFunctionObject;
    unsafe fn locals(self) -> *mut StackRef;
    unsafe fn set_locals(self, locals: *mut StackRef);
    unsafe fn previous_top(self) -> *mut StackRef;
    unsafe fn set_previous_top(self, top: *mut StackRef);
    /// The bottom of the evaluation stack.
    unsafe fn stack_base(self) -> *mut StackRef;
    /// The same for frames known to be on the data stack.
    unsafe fn stack_base_on_data_stack(self) -> *mut StackRef;
    /// Remembers the stack pointer while the frame does not run.
    unsafe fn set_sp(self, sp: *mut StackRef);
    unsafe fn saved_sp(self) -> *mut StackRef;
    /// The generator that the frame lies in.
    unsafe fn generator(self) -> *mut PyGenObject;
    unsafe fn owner(self) -> i8;
    /// Index of the instruction that is being executed.
    unsafe fn lasti(self) -> i32;
    /// The frame has not begun (its first instructions set up cells), or is no Python frame.
    unsafe fn is_incomplete(self) -> bool;
    unsafe fn globals(self) -> *mut PyObject;
    unsafe fn builtins(self) -> *mut PyObject;
}

/// Accessors of code objects.
#[allow(clippy::missing_safety_doc, reason = "the code object is live")]
pub trait CodeExt {
    /// The first instruction.
    unsafe fn code_start(self) -> *mut CodeUnit;
    /// Number of code units.
    unsafe fn code_len(self) -> usize;
}

impl CodeExt for *mut PyCodeObject {
    #[inline(always)]
    unsafe fn code_start(self) -> *mut CodeUnit {
        // SAFETY: [LAYOUT]
        unsafe { (&raw mut (*self).co_code_adaptive).cast() }
    }
    #[inline(always)]
    unsafe fn code_len(self) -> usize {
        // SAFETY: [LAYOUT]
        unsafe { (*self).ob_base.ob_size as usize }
    }
}

impl FrameExt for Frame {
    #[inline(always)]
    unsafe fn code(self) -> *mut PyCodeObject {
        // SAFETY: [FRAME]
        unsafe { (*self).f_executable.cast() }
    }
    #[inline(always)]
    unsafe fn func(self) -> *mut PyFunctionObject {
        // SAFETY: [FRAME]
        unsafe { (*self).f_funcobj.cast() }
    }
    #[inline(always)]
    unsafe fn locals(self) -> *mut StackRef {
        // SAFETY: [FRAME]
        unsafe { (*self).f_builtins.cast() }
    }
    #[inline(always)]
    unsafe fn set_locals(self, locals: *mut StackRef) {
        // SAFETY: [FRAME]
        unsafe { (*self).f_builtins = locals.cast() }
    }
    #[inline(always)]
    unsafe fn previous_top(self) -> *mut StackRef {
        // SAFETY: [FRAME]
        unsafe { (*self).f_globals.cast() }
    }
    #[inline(always)]
    unsafe fn set_previous_top(self, top: *mut StackRef) {
        // SAFETY: [FRAME]
        unsafe { (*self).f_globals = top.cast() }
    }
    #[inline]
    unsafe fn stack_base(self) -> *mut StackRef {
        // SAFETY: [FRAME]
        unsafe {
            let after = self.stack_base_on_data_stack();
            if self.owner() == FRAME_OWNED_BY_THREAD || self.owner() == FRAME_OWNED_BY_CSTACK {
                after
            } else {
                after.add((*self.code()).co_nlocalsplus as usize)
            }
        }
    }
    #[inline(always)]
    unsafe fn stack_base_on_data_stack(self) -> *mut StackRef {
        // SAFETY: [FRAME]
        unsafe { self.cast::<StackRef>().add(FRAME_HEADER_WORDS) }
    }
    #[inline(always)]
    unsafe fn set_sp(self, sp: *mut StackRef) {
        // SAFETY: [FRAME] counted in words from the header.
        unsafe { (*self).stacktop = sp.offset_from(self.cast::<StackRef>()) as i32 }
    }
    #[inline(always)]
    unsafe fn saved_sp(self) -> *mut StackRef {
        // SAFETY: [FRAME]
        unsafe { self.cast::<StackRef>().offset((*self).stacktop as isize) }
    }
    #[inline(always)]
    unsafe fn generator(self) -> *mut PyGenObject {
        // SAFETY: [FRAME] the frame lies in a generator.
        unsafe { self.cast::<u8>().sub(GEN_FRAME_OFFSET).cast() }
    }
    #[inline(always)]
    unsafe fn owner(self) -> i8 {
        // SAFETY: [FRAME]
        unsafe { (*self).owner }
    }
    #[inline]
    unsafe fn lasti(self) -> i32 {
        // SAFETY: [FRAME]
        unsafe { (*self).instr_ptr.offset_from(self.code().code_start()) as i32 }
    }
    #[inline]
    unsafe fn is_incomplete(self) -> bool {
        // SAFETY: [FRAME]
        unsafe {
            match self.owner() {
                FRAME_OWNED_BY_CSTACK => true,
                FRAME_OWNED_BY_GENERATOR => false,
                _ => self.lasti() < (*self.code())._co_firsttraceable,
            }
        }
    }
    #[inline]
    unsafe fn globals(self) -> *mut PyObject {
        // SAFETY: [FRAME]
        unsafe { (*self.func()).func_globals }
    }
    #[inline]
    unsafe fn builtins(self) -> *mut PyObject {
        // SAFETY: [FRAME]
        unsafe { (*self.func()).func_builtins }
    }
}

/// Whether a frame of `code` fits into the current chunk of the data stack, with its locals at the top.
///
/// # Safety
/// [GIL]; `code` is live.
#[inline(always)]
pub unsafe fn has_stack_space(tstate: *mut PyThreadState, code: *mut PyCodeObject) -> bool {
    // SAFETY: [STACK]
    unsafe {
        let top = (*tstate).datastack_top;
        !top.is_null() && ((*tstate).datastack_limit as usize - top as usize) / size_of::<usize>() > (*code).co_framesize as usize
    }
}

/// Writes the header of a fresh frame behind `nlocalsplus` locals, which are initialised.
#[inline(always)]
unsafe fn init_header(
    frame: Frame,
    code: *mut PyCodeObject,
    func: *mut PyFunctionObject,
    locals: *mut StackRef,
    previous_top: *mut StackRef,
    previous: Frame,
) {
    // SAFETY: [STACK] the caller has reserved the frame.
    unsafe {
        Py_INCREF(code.cast());
        (*frame).f_executable = code.cast();
        (*frame).previous = previous;
        (*frame).f_funcobj = func.cast();
        frame.set_previous_top(previous_top);
        frame.set_locals(locals);
        (*frame).f_locals = null_mut();
        (*frame).frame_obj = null_mut();
        (*frame).instr_ptr = code.code_start();
        // stacktop, return_offset, owner (FRAME_OWNED_BY_THREAD).
        (&raw mut (*frame).stacktop).cast::<u64>().write(FRAME_HEADER_WORDS as u64);
    }
}

/// Pushes the frame of a call whose arguments are exactly the first locals. `args` are on the stack of `caller`; the
/// frame takes them over, in place if they are on the data stack. Steals `func`. [`has_stack_space`] was checked.
///
/// # Safety
/// [FRAME] [STACK] as said.
#[inline(always)]
pub unsafe fn frame_push_exact(
    tstate: *mut PyThreadState,
    caller: Frame,
    func: *mut PyFunctionObject,
    args: *mut StackRef,
    nargs: usize,
) -> Frame {
    // SAFETY: [STACK]
    unsafe {
        if caller.owner() != FRAME_OWNED_BY_THREAD {
            return frame_push_exact_copy(tstate, caller, func, args, nargs);
        }
        let code: *mut PyCodeObject = (*func).func_code.cast();
        let previous_top: *mut StackRef = (*tstate).datastack_top.cast();
        // Below the top, so it fits where the check had it fit at the top.
        (*tstate).datastack_top = args.add((*code).co_framesize as usize).cast();
        let nlocalsplus = (*code).co_nlocalsplus as usize;
        clear_slots(args.add(nargs), nlocalsplus.wrapping_sub(nargs));
        let frame: Frame = args.add(nlocalsplus).cast();
        init_header(frame, code, func, args, previous_top, caller);
        frame
    }
}

/// As [`frame_push_exact`], with the arguments copied to the top of the data stack.
///
/// # Safety
/// [FRAME] [STACK] as said.
#[inline]
pub unsafe fn frame_push_exact_copy(
    tstate: *mut PyThreadState,
    caller: Frame,
    func: *mut PyFunctionObject,
    args: *mut StackRef,
    nargs: usize,
) -> Frame {
    // SAFETY: [STACK]
    unsafe {
        let code: *mut PyCodeObject = (*func).func_code.cast();
        let locals: *mut StackRef = (*tstate).datastack_top.cast();
        (*tstate).datastack_top = locals.add((*code).co_framesize as usize).cast();
        let nlocalsplus = (*code).co_nlocalsplus as usize;
        if args != locals {
            move_slots_up(args, locals, nargs);
        }
        clear_slots(locals.add(nargs), nlocalsplus.wrapping_sub(nargs));
        let frame: Frame = locals.add(nlocalsplus).cast();
        init_header(frame, code, func, locals, locals, caller);
        frame
    }
}

/// Reserves a frame for `func` (stolen) at the top of the data stack, in a new chunk if need be; its locals are left
/// uninitialised. NULL with MemoryError (and `func` released) if there is no memory.
///
/// # Safety
/// [GIL]; `func` is a function.
pub unsafe fn frame_reserve(tstate: *mut PyThreadState, previous: Frame, func: *mut PyFunctionObject) -> Frame {
    // SAFETY: [STACK]
    unsafe {
        let code: *mut PyCodeObject = (*func).func_code.cast();
        let size = (*code).co_framesize as usize;
        let top: *mut StackRef = (*tstate).datastack_top.cast();
        let mut locals = top;
        let mut previous_top = top;
        if top.is_null() || ((*tstate).datastack_limit as usize - top as usize) / size_of::<usize>() <= size {
            locals = push_chunk(tstate, size);
            previous_top = null_mut();
            if locals.is_null() {
                PyErr_NoMemory();
                Py_DECREF(func.cast());
                return null_mut();
            }
        }
        (*tstate).datastack_top = locals.add(size).cast();
        let frame: Frame = locals.add((*code).co_nlocalsplus as usize).cast();
        init_header(frame, code, func, locals, previous_top, previous);
        frame
    }
}

/// Makes a new chunk current that has room for `size` words; NULL if there is no memory.
#[cold]
unsafe fn push_chunk(tstate: *mut PyThreadState, size: usize) -> *mut StackRef {
    // SAFETY: [STACK]
    unsafe {
        let mut bytes = DATA_STACK_CHUNK_SIZE;
        while bytes < (size + CHUNK_HEADER_WORDS + 32) * size_of::<usize>() {
            bytes *= 2;
        }
        let chunk: *mut _PyStackChunk = _PyObject_VirtualAlloc(bytes).cast();
        if chunk.is_null() {
            return null_mut();
        }
        let old = (*tstate).datastack_chunk;
        (*chunk).previous = old;
        (*chunk).size = bytes;
        (*chunk).top = 0;
        let data: *mut *mut PyObject = (&raw mut (*chunk).data).cast();
        if !old.is_null() {
            (*old).top = (*tstate).datastack_top.offset_from((&raw mut (*old).data).cast()) as usize;
        }
        (*tstate).datastack_chunk = chunk;
        (*tstate).datastack_limit = chunk.cast::<u8>().add(bytes).cast();
        (*tstate).datastack_top = data;
        data.cast()
    }
}

/// Gives the chunk of a popped frame back, unless it is the thread's first.
#[cold]
unsafe fn pop_chunk(tstate: *mut PyThreadState) {
    // SAFETY: [STACK]
    unsafe {
        let chunk = (*tstate).datastack_chunk;
        let previous = (*chunk).previous;
        if previous.is_null() {
            (*tstate).datastack_top = (&raw mut (*chunk).data).cast();
            return;
        }
        (*tstate).datastack_chunk = previous;
        (*tstate).datastack_top = (&raw mut (*previous).data).cast::<*mut PyObject>().add((*previous).top);
        (*tstate).datastack_limit = previous.cast::<u8>().add((*previous).size).cast();
        _PyObject_VirtualFree(chunk.cast(), (*chunk).size);
    }
}

/// Takes the topmost frame's memory off the data stack.
///
/// # Safety
/// The frame is the topmost one on the data stack.
#[inline(always)]
pub unsafe fn pop_data_stack(tstate: *mut PyThreadState, frame: Frame) {
    // SAFETY: [STACK]
    unsafe {
        let top = frame.previous_top();
        if top.is_null() {
            pop_chunk(tstate);
        } else {
            (*tstate).datastack_top = top.cast();
        }
    }
}

/// Clears a frame that returns and takes it off its stack (`_PyEval_FrameClearAndPop`). Its evaluation stack is empty
/// above `sp`; the thread's current frame is its caller already.
///
/// # Safety
/// [FRAME] [STACK]
#[inline(always)]
pub unsafe fn frame_clear_and_pop(tstate: *mut PyThreadState, frame: Frame, sp: *mut StackRef) {
    // SAFETY: [FRAME]
    unsafe {
        if frame.owner() != FRAME_OWNED_BY_THREAD || !(*frame).frame_obj.is_null() {
            frame.set_sp(sp);
            frame_clear_and_pop_slow(tstate, frame);
            return;
        }
        let code = frame.code();
        let locals = frame.locals();
        for i in 0..(*code).co_nlocalsplus as usize {
            (*locals.add(i)).xclose();
        }
        if !(*frame).f_locals.is_null() {
            Py_DECREF((*frame).f_locals);
        }
        Py_DECREF((*frame).f_funcobj);
        Py_DECREF(code.cast());
        pop_data_stack(tstate, frame);
    }
}

#[inline(never)]
unsafe fn frame_clear_and_pop_slow(tstate: *mut PyThreadState, frame: Frame) {
    // SAFETY: [FRAME]
    unsafe {
        if frame.owner() == FRAME_OWNED_BY_THREAD {
            // Clearing may make a frame object that takes the contents over; the memory is given back last.
            let code = frame.code();
            frame_clear_except_code(frame);
            Py_DECREF(code.cast());
            pop_data_stack(tstate, frame);
        } else {
            let generator = frame.generator();
            (*generator).gi_frame_state = FRAME_CLEARED;
            (*tstate).exc_info = (*generator).gi_exc_state.previous_item;
            (*generator).gi_exc_state.previous_item = null_mut();
            (*frame).previous = null_mut();
            frame_clear_except_code(frame);
            _PyErr_ClearExcState(&raw mut (*generator).gi_exc_state);
        }
    }
}

/// Drops the exception that a generator was handling.
///
/// # Safety
/// `exc_state` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_ClearExcState(exc_state: *mut _PyErr_StackItem) {
    // SAFETY: [ARGS]
    unsafe {
        let value = core::mem::replace(&mut (*exc_state).exc_value, null_mut());
        Py_XDECREF(value);
    }
}

/// Releases everything but the code object. If somebody holds the frame object, the contents move there instead.
///
/// # Safety
/// [FRAME] the saved stack pointer is right; the frame is unlinked from the thread.
pub unsafe fn frame_clear_except_code(frame: Frame) {
    // SAFETY: [FRAME]
    unsafe {
        let object = (*frame).frame_obj;
        if !object.is_null() {
            (*frame).frame_obj = null_mut();
            if Py_REFCNT(object.cast()) > 1 {
                take_ownership(object, frame);
                Py_DECREF(object.cast());
                return;
            }
            Py_DECREF(object.cast());
        }
        clear_locals(frame);
        Py_DECREF((*frame).f_funcobj);
    }
}

/// Releases locals, evaluation stack and namespace.
///
/// # Safety
/// [FRAME]
pub unsafe fn clear_locals(frame: Frame) {
    // SAFETY: [FRAME] slots are emptied before anything is released, for a release may look at the frame.
    unsafe {
        let sp = frame.saved_sp();
        let base = frame.stack_base();
        frame.set_sp(base);
        let locals = frame.locals();
        let nlocalsplus = if frame.owner() == FRAME_OWNED_BY_CSTACK { 0 } else { (*frame.code()).co_nlocalsplus as usize };
        for i in 0..nlocalsplus {
            let slot = core::mem::replace(&mut *locals.add(i), StackRef::NULL);
            slot.xclose();
        }
        let mut entry = base;
        while entry < sp {
            let slot = core::mem::replace(&mut *entry, StackRef::NULL);
            slot.xclose();
            entry = entry.add(1);
        }
        let namespace = core::mem::replace(&mut (*frame).f_locals, null_mut());
        Py_XDECREF(namespace);
    }
}

/// Copies a frame into memory that begins with its header (a generator or a frame object). Borrowed slots become owned,
/// since what lends them may go away first. `previous` is not copied.
///
/// # Safety
/// [FRAME]; `target` has room for header, locals and stack. The source's contents are given up.
pub unsafe fn frame_move(frame: Frame, target: Frame, owner: i8) {
    // SAFETY: [FRAME] target does not overlap the source.
    unsafe {
        let nlocalsplus = (*frame.code()).co_nlocalsplus as usize;
        let base = frame.stack_base();
        let depth = frame.saved_sp().offset_from(base) as usize;
        let source = frame.locals();
        core::ptr::copy_nonoverlapping(frame.cast::<usize>(), target.cast::<usize>(), FRAME_HEADER_WORDS);
        (*target).owner = owner;
        (*target).previous = null_mut();
        let locals = target.stack_base_on_data_stack();
        target.set_locals(locals);
        target.set_previous_top(null_mut());
        for i in 0..nlocalsplus {
            *locals.add(i) = (*source.add(i)).make_owned();
        }
        let stack = locals.add(nlocalsplus);
        for i in 0..depth {
            *stack.add(i) = (*base.add(i)).make_owned();
        }
        target.set_sp(stack.add(depth));
    }
}

/// The call is over but its frame object lives on: the frame moves into it.
unsafe fn take_ownership(object: *mut PyFrameObject, frame: Frame) {
    // SAFETY: [FRAME] the frame object was allocated with room for the frame.
    unsafe {
        let target: Frame = (&raw mut (*object)._f_frame_data).cast();
        let previous = (*frame).previous;
        Py_INCREF((*frame).f_executable);
        frame_move(frame, target, FRAME_OWNED_BY_FRAME_OBJECT);
        (*object).f_frame = target;
        if target.is_incomplete() {
            // A new generator's frame, dying before it ran: say that it has begun.
            let code = target.code();
            (*target).instr_ptr = code.code_start().add((*code)._co_firsttraceable as usize + 1);
        }
        let back = first_complete(previous);
        if !back.is_null() {
            let back_object = frame_get_frame_object(back);
            if back_object.is_null() {
                PyErr_Clear();
            } else {
                (*object).f_back = Py_NewRef(back_object.cast()).cast();
            }
        }
        if PyObject_GC_IsTracked(object.cast()) == 0 {
            PyObject_GC_Track(object.cast());
        }
    }
}

/// `frame` or the nearest one outwards that Python code can see.
///
/// # Safety
/// `frame` is NULL or live.
pub unsafe fn first_complete(mut frame: Frame) -> Frame {
    // SAFETY: [FRAME]
    unsafe {
        while !frame.is_null() && frame.is_incomplete() {
            frame = (*frame).previous;
        }
        frame
    }
}

/// The thread's innermost frame that Python code can see, or NULL.
///
/// # Safety
/// [GIL]
pub unsafe fn current_complete_frame(tstate: *mut PyThreadState) -> Frame {
    // SAFETY: [GIL]
    unsafe { first_complete((*tstate).current_frame) }
}

/// The frame object of `frame`, lent, made if there is none yet; NULL with MemoryError.
///
/// # Safety
/// [FRAME]
#[inline]
pub unsafe fn frame_get_frame_object(frame: Frame) -> *mut PyFrameObject {
    // SAFETY: [FRAME]
    unsafe {
        let object = (*frame).frame_obj;
        if object.is_null() { _PyFrame_MakeAndSetFrameObject(frame) } else { object }
    }
}

/// Makes the frame object of `frame`; keeps the exception that is set, if any.
///
/// # Safety
/// [FRAME] it has none yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyFrame_MakeAndSetFrameObject(frame: Frame) -> *mut PyFrameObject {
    // SAFETY: [FRAME]
    unsafe {
        let exc = PyErr_GetRaisedException();
        let object = crate::frameobject::frame_object_new(frame.code());
        if object.is_null() {
            Py_XDECREF(exc);
            return null_mut();
        }
        PyErr_SetRaisedException(exc);
        // An allocation may have run a collection, which may have made the object.
        if !(*frame).frame_obj.is_null() {
            (*object).f_frame = (&raw mut (*object)._f_frame_data).cast();
            (*(*object).f_frame).owner = FRAME_OWNED_BY_FRAME_OBJECT;
            (*(*object).f_frame).f_executable = null_mut();
            Py_DECREF(object.cast());
            return (*frame).frame_obj;
        }
        (*frame).frame_obj = object;
        (*object).f_frame = frame;
        object
    }
}

/// Visits what a frame refers to, for the cycle collector.
///
/// # Safety
/// [FRAME] it does not run; the saved stack pointer is right.
pub unsafe fn frame_traverse(frame: Frame, visitor: visitproc, arg: *mut core::ffi::c_void) -> core::ffi::c_int {
    // SAFETY: [FRAME]
    unsafe {
        py_visit!(visitor, arg; (*frame).frame_obj, (*frame).f_locals, (*frame).f_funcobj, (*frame).f_executable);
        let locals = frame.locals();
        for i in 0..(*frame.code()).co_nlocalsplus as usize {
            let slot = *locals.add(i);
            if slot.is_owned() {
                py_visit!(visitor, arg; slot.as_ptr());
            }
        }
        let (mut entry, sp) = (frame.stack_base(), frame.saved_sp());
        while entry < sp {
            if (*entry).is_owned() {
                py_visit!(visitor, arg; (*entry).as_ptr());
            }
            entry = entry.add(1);
        }
        0
    }
}

/// Whether the frame of a generator in this state is gone.
pub fn frame_state_finished(state: i8) -> bool {
    state >= FRAME_COMPLETED
}
