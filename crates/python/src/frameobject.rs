//! `frame`: the object that stands for a call, its attributes, the `PyFrame_*` API.

#![allow(clippy::missing_safety_doc, reason = "[GIL] [ARGS]: the contract of CPython's C API")]

use crate::ceval_prelude::{CodeUnit, FRAME_EXECUTING, FRAME_SUSPENDED, FRAME_SUSPENDED_YIELD_FROM, opcode_of, tuple_item};
use crate::codeobject::{CO_FAST_FREE, bytes_of};
use crate::defs::*;
use crate::externs::*;
use crate::frame::*;
use crate::frame_locals::*;
use crate::generated::opcode_ids::COPY_FREE_VARS;
use crate::instrumentation::set_opcode_trace;
use crate::stackref::*;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_objects::typeobject::TYPE_INIT;

/// An untracked frame object for a call of `code`, not linked to a frame yet.
pub unsafe fn frame_object_new(code: *mut PyCodeObject) -> *mut PyFrameObject {
    // SAFETY: [ARGS]
    unsafe {
        let slots = (*code).co_nlocalsplus + (*code).co_stacksize;
        let f: *mut PyFrameObject = _PyObject_GC_NewVar(&raw mut PyFrame_Type, slots as Py_ssize_t).cast();
        if !f.is_null() {
            (*f).f_back = null_mut();
            (*f).f_frame = null_mut();
            (*f).f_trace = null_mut();
            (*f).f_trace_lines = 1;
            (*f).f_trace_opcodes = 0;
            (*f).f_lineno = 0;
            (*f).f_extra_locals = null_mut();
            (*f).f_locals_cache = null_mut();
        }
        f
    }
}

/// The frame that lies in the frame object itself.
unsafe fn own_frame(f: *mut PyFrameObject) -> Frame {
    // SAFETY: [LAYOUT]
    unsafe { (&raw mut (*f)._f_frame_data).cast() }
}

unsafe fn owns_frame(f: *mut PyFrameObject) -> bool {
    // SAFETY: [LAYOUT]
    unsafe { (*f).f_frame == own_frame(f) && (*f).f_frame.owner() == FRAME_OWNED_BY_FRAME_OBJECT }
}

unsafe extern "C" fn frame_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] a frame that is not our own may be gone already.
    unsafe {
        let f: *mut PyFrameObject = slf.cast();
        if PyObject_GC_IsTracked(slf) != 0 {
            PyObject_GC_UnTrack(slf.cast());
        }
        if !taipan_objects::gc::trashcan_begin(slf, frame_dealloc) {
            return;
        }
        let mut code = null_mut();
        if owns_frame(f) && !(*own_frame(f)).f_executable.is_null() {
            let frame = own_frame(f);
            code = (*frame).f_executable;
            clear_locals(frame);
            (*frame).f_executable = null_mut();
            setref(&raw mut (*frame).f_funcobj, null_mut());
        }
        setref(&raw mut (*f).f_back, null_mut());
        setref(&raw mut (*f).f_trace, null_mut());
        setref(&raw mut (*f).f_extra_locals, null_mut());
        setref(&raw mut (*f).f_locals_cache, null_mut());
        PyObject_GC_Del(slf.cast());
        Py_XDECREF(code);
        taipan_objects::gc::trashcan_end();
    }
}

unsafe extern "C" fn frame_traverse_object(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [FRAME]
    unsafe {
        let f: *mut PyFrameObject = slf.cast();
        py_visit!(visit, arg; (*f).f_back, (*f).f_trace, (*f).f_extra_locals, (*f).f_locals_cache);
        if owns_frame(f) && !(*own_frame(f)).f_executable.is_null() { frame_traverse(own_frame(f), visit, arg) } else { 0 }
    }
}

unsafe extern "C" fn frame_tp_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [FRAME] called for frames whose call is over only.
    unsafe {
        let f: *mut PyFrameObject = slf.cast();
        setref(&raw mut (*f).f_trace, null_mut());
        setref(&raw mut (*f).f_extra_locals, null_mut());
        setref(&raw mut (*f).f_locals_cache, null_mut());
        if owns_frame(f) && !(*own_frame(f)).f_executable.is_null() {
            clear_locals(own_frame(f));
        }
        0
    }
}

unsafe extern "C" fn frame_clear(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let f: *mut PyFrameObject = slf.cast();
        let frame = (*f).f_frame;
        let refused = match frame.owner() {
            FRAME_OWNED_BY_GENERATOR => match (*frame.generator()).gi_frame_state {
                FRAME_EXECUTING => Some(c"cannot clear an executing frame"),
                FRAME_SUSPENDED | FRAME_SUSPENDED_YIELD_FROM => Some(c"cannot clear a suspended frame"),
                _ => {
                    crate::genobject::_PyGen_Finalize(frame.generator().cast());
                    None
                }
            },
            FRAME_OWNED_BY_FRAME_OBJECT => {
                frame_tp_clear(slf);
                None
            }
            _ => Some(c"cannot clear an executing frame"),
        };
        match refused {
            Some(message) => {
                PyErr_SetString(PyExc_RuntimeError, message.as_ptr());
                null_mut()
            }
            None => Py_NewRef(Py_None()),
        }
    }
}

unsafe extern "C" fn frame_sizeof(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let code = (*slf.cast::<PyFrameObject>()).f_frame.code();
        let words = (*code).co_nlocalsplus as usize + (*code).co_stacksize as usize + FRAME_HEADER_WORDS;
        PyLong_FromSize_t(core::mem::offset_of!(PyFrameObject, _f_frame_data) + words * size_of::<usize>())
    }
}

unsafe extern "C" fn frame_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let f: *mut PyFrameObject = slf.cast();
        let code = (*f).f_frame.code();
        let line = PyFrame_GetLineNumber(f);
        PyUnicode_FromFormat(c"<frame at %p, file %R, line %d, code %S>".as_ptr(), slf, (*code).co_filename, line, (*code).co_name)
    }
}

// ---- attributes

/// What `f_locals` is: the namespace of module and class code, a proxy for functions; new.
pub unsafe fn frame_get_locals(frame: Frame) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        if (*frame.code()).co_flags & CO_OPTIMIZED == 0 && !has_hidden_locals(frame) {
            if (*frame).f_locals.is_null() {
                (*frame).f_locals = PyDict_New();
            }
            return Py_XNewRef((*frame).f_locals);
        }
        _PyFrameLocalsProxy_New(frame_get_frame_object(frame))
    }
}

unsafe extern "C" fn get_locals(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let frame = (*slf.cast::<PyFrameObject>()).f_frame;
        if (*frame.code()).co_flags & CO_OPTIMIZED == 0 && !has_hidden_locals(frame) {
            return frame_get_locals(frame);
        }
        _PyFrameLocalsProxy_New(slf.cast())
    }
}
unsafe extern "C" fn get_lineno(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let line = PyFrame_GetLineNumber(slf.cast());
        if line < 0 { Py_NewRef(Py_None()) } else { PyLong_FromLong(line as _) }
    }
}
unsafe extern "C" fn set_lineno(slf: *mut PyObject, value: *mut PyObject, _: Closure) -> c_int {
    // SAFETY: [FRAME]
    unsafe { crate::frame_setlineno::frame_setlineno(slf.cast(), value).into_c() }
}
unsafe extern "C" fn get_lasti(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe { PyLong_FromLong(PyFrame_GetLasti(slf.cast()) as _) }
}
unsafe extern "C" fn get_globals(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe { PyFrame_GetGlobals(slf.cast()) }
}
unsafe extern "C" fn get_builtins(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe { PyFrame_GetBuiltins(slf.cast()) }
}
unsafe extern "C" fn get_code(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        if PySys_Audit(c"object.__getattr__".as_ptr(), c"Os".as_ptr(), slf, c"f_code".as_ptr()) < 0 {
            return null_mut();
        }
        PyFrame_GetCode(slf.cast()).cast()
    }
}
unsafe extern "C" fn get_back(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let back: *mut PyObject = PyFrame_GetBack(slf.cast()).cast();
        if back.is_null() && !err_occurred() { Py_NewRef(Py_None()) } else { back }
    }
}
unsafe extern "C" fn get_trace(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let trace = (*slf.cast::<PyFrameObject>()).f_trace;
        Py_NewRef(if trace.is_null() { Py_None() } else { trace })
    }
}
unsafe extern "C" fn set_trace(slf: *mut PyObject, value: *mut PyObject, _: Closure) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let f: *mut PyFrameObject = slf.cast();
        let value = if value == Py_None() { null_mut() } else { value };
        if value != (*f).f_trace {
            setref(&raw mut (*f).f_trace, Py_XNewRef(value));
            if !value.is_null() && (*f).f_trace_opcodes != 0 {
                return set_opcode_trace(f, true);
            }
        }
        0
    }
}
unsafe extern "C" fn get_trace_opcodes(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyBool_FromLong(((*slf.cast::<PyFrameObject>()).f_trace_opcodes != 0) as _) }
}
unsafe extern "C" fn set_trace_opcodes(slf: *mut PyObject, value: *mut PyObject, _: Closure) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let f: *mut PyFrameObject = slf.cast();
        if value.is_null() || Py_TYPE(value) != &raw mut PyBool_Type {
            PyErr_SetString(PyExc_TypeError, c"attribute value type must be bool".as_ptr());
            return -1;
        }
        let on = value == Py_True();
        (*f).f_trace_opcodes = on as c_char;
        if !on || !(*f).f_trace.is_null() {
            return set_opcode_trace(f, on);
        }
        0
    }
}

static FRAME_GETSET: Table<PyGetSetDef, 10> = Table::new([
    attr(c"f_back", get_back, None, c"the caller's frame, or None"),
    attr(c"f_locals", get_locals, None, c"the local variables"),
    attr(c"f_lineno", get_lineno, Some(set_lineno), c"the current line"),
    attr(c"f_trace", get_trace, Some(set_trace), c"the trace function of this frame, or None"),
    attr(c"f_lasti", get_lasti, None, c"offset of the current instruction"),
    attr(c"f_globals", get_globals, None, c"the global variables"),
    attr(c"f_builtins", get_builtins, None, c"the built-in names"),
    attr(c"f_code", get_code, None, c"the code being run"),
    attr(c"f_trace_opcodes", get_trace_opcodes, Some(set_trace_opcodes), c"whether each instruction is traced"),
    END_ATTR,
]);
const T_BOOL: c_int = 14;
static FRAME_MEMBERS: Table<PyMemberDef, 2> = Table::new([
    PyMemberDef {
        name: c"f_trace_lines".as_ptr(),
        type_code: T_BOOL,
        offset: core::mem::offset_of!(PyFrameObject, f_trace_lines) as Py_ssize_t,
        flags: 0,
        doc: core::ptr::null(),
    },
    END_MEMBER,
]);
static FRAME_METHODS: Table<PyMethodDef, 3> = Table::new([
    noargs(c"clear", frame_clear, c"Drop most of what the frame refers to."),
    noargs(c"__sizeof__", frame_sizeof, c"Size in memory, in bytes."),
    END,
]);

/// `frame`.
#[unsafe(no_mangle)]
pub static mut PyFrame_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"frame".as_ptr(),
    tp_basicsize: (core::mem::offset_of!(PyFrameObject, _f_frame_data) + FRAME_HEADER_WORDS * size_of::<usize>()) as Py_ssize_t,
    tp_itemsize: size_of::<usize>() as Py_ssize_t,
    tp_dealloc: Some(frame_dealloc),
    tp_repr: Some(frame_repr),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_setattro: Some(PyObject_GenericSetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(frame_traverse_object),
    tp_clear: Some(frame_tp_clear),
    tp_methods: FRAME_METHODS.ptr(),
    tp_members: FRAME_MEMBERS.ptr(),
    tp_getset: FRAME_GETSET.ptr(),
    ..TYPE_INIT
};

// ---- C API

/// A frame object for code that nobody runs (tracebacks of extension modules); tracked, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_New(
    tstate: *mut PyThreadState,
    code: *mut PyCodeObject,
    globals: *mut PyObject,
    locals: *mut PyObject,
) -> *mut PyFrameObject {
    // SAFETY: [ARGS]
    unsafe {
        let builtins = _PyEval_BuiltinsFromGlobals(tstate, globals);
        if builtins.is_null() {
            return null_mut();
        }
        let func = PyFunction_New(code.cast(), globals);
        if func.is_null() {
            return null_mut();
        }
        setref(&raw mut (*func.cast::<PyFunctionObject>()).func_builtins, Py_NewRef(builtins));
        let f = frame_object_new(code);
        if f.is_null() {
            Py_DECREF(func);
            return null_mut();
        }
        let frame = own_frame(f);
        (*frame).f_executable = Py_NewRef(code.cast());
        (*frame).previous = null_mut();
        (*frame).f_funcobj = func;
        frame.set_previous_top(null_mut());
        let slots = frame.stack_base_on_data_stack();
        frame.set_locals(slots);
        for i in 0..(*code).co_nlocalsplus as usize {
            *slots.add(i) = StackRef::NULL;
        }
        (*frame).f_locals = Py_XNewRef(locals);
        (*frame).frame_obj = null_mut();
        (*frame).return_offset = 0;
        (*frame).owner = FRAME_OWNED_BY_FRAME_OBJECT;
        frame.set_sp(slots.add((*code).co_nlocalsplus as usize));
        // It counts as having begun.
        (*frame).instr_ptr = code.code_start().add((*code)._co_firsttraceable as usize + 1);
        (*f).f_frame = frame;
        PyObject_GC_Track(f.cast());
        f
    }
}

/// Builtins that code with these globals sees, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_BuiltinsFromGlobals(_tstate: *mut PyThreadState, globals: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let builtins = PyDict_GetItemWithError(globals, intern!("__builtins__"));
        if builtins.is_null() {
            return if err_occurred() { null_mut() } else { PyEval_GetBuiltins() };
        }
        if PyModule_Check(builtins) != 0 { PyModule_GetDict(builtins) } else { builtins }
    }
}

/// Current line; -1 if it has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_GetLineNumber(f: *mut PyFrameObject) -> c_int {
    // SAFETY: [FRAME]
    unsafe {
        if (*f).f_lineno > 0 {
            return (*f).f_lineno;
        }
        let line = self::PyUnstable_InterpreterFrame_GetLine((*f).f_frame);
        if (*f).f_lineno == -1 {
            (*f).f_lineno = line.max(0);
        }
        line.max(-1)
    }
}

/// Offset of the current instruction in bytes; -1 before the first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_GetLasti(f: *mut PyFrameObject) -> c_int {
    // SAFETY: [FRAME]
    unsafe {
        let lasti = (*f).f_frame.lasti();
        if lasti < 0 { -1 } else { lasti * size_of::<CodeUnit>() as c_int }
    }
}

/// The code, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_GetCode(f: *mut PyFrameObject) -> *mut PyCodeObject {
    // SAFETY: [FRAME]
    unsafe { Py_NewRef((*f).f_frame.code().cast()).cast() }
}

/// The caller's frame, new; NULL without one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_GetBack(f: *mut PyFrameObject) -> *mut PyFrameObject {
    // SAFETY: [FRAME]
    unsafe {
        let mut back = (*f).f_back;
        if back.is_null() {
            let previous = first_complete((*(*f).f_frame).previous);
            if !previous.is_null() {
                back = frame_get_frame_object(previous);
            }
        }
        Py_XNewRef(back.cast()).cast()
    }
}

/// `f_locals`, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_GetLocals(f: *mut PyFrameObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe { get_locals(f.cast(), null_mut()) }
}

unsafe fn or_none(object: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Py_NewRef(if object.is_null() { Py_None() } else { object }) }
}

/// `f_globals`, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_GetGlobals(f: *mut PyFrameObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe { or_none((*f).f_frame.globals()) }
}

/// `f_builtins`, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_GetBuiltins(f: *mut PyFrameObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe { or_none((*f).f_frame.builtins()) }
}

/// The generator that the frame belongs to, new; NULL without one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_GetGenerator(f: *mut PyFrameObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let frame = (*f).f_frame;
        if frame.owner() == FRAME_OWNED_BY_GENERATOR { Py_NewRef(frame.generator().cast()) } else { null_mut() }
    }
}

/// Whether the frame was entered from native code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyFrame_IsEntryFrame(f: *mut PyFrameObject) -> c_int {
    // SAFETY: [FRAME]
    unsafe {
        let previous = (*(*f).f_frame).previous;
        (!previous.is_null() && previous.owner() == FRAME_OWNED_BY_CSTACK) as c_int
    }
}

/// Sets the free variables up in a frame that has not begun.
unsafe fn init_free_variables(frame: Frame) {
    // SAFETY: [FRAME]
    unsafe {
        let code = frame.code();
        if frame.lasti() > 0 || opcode_of(code.code_start()) != COPY_FREE_VARS || (*frame.func()).func_closure.is_null() {
            return;
        }
        let first = ((*code).co_nlocalsplus - (*code).co_nfreevars) as usize;
        for i in 0..(*code).co_nfreevars as usize {
            let slot = frame.locals().add(first + i);
            if (*slot).is_null() {
                *slot = StackRef::from_new(tuple_item((*frame.func()).func_closure, i));
            }
        }
    }
}

/// The value of a variable by name, new; NameError if it is unset.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_GetVar(f: *mut PyFrameObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        if PyUnicode_Check(name) == 0 {
            PyErr_Format(PyExc_TypeError, c"name must be str, not %s".as_ptr(), (*Py_TYPE(name)).tp_name);
            return null_mut();
        }
        let frame = (*f).f_frame;
        let code = frame.code();
        init_free_variables(frame);
        let kinds = bytes_of((*code).co_localspluskinds);
        for (i, kind) in kinds.iter().enumerate() {
            if _PyUnicode_Equal(tuple_item((*code).co_localsplusnames, i), name) == 0 {
                continue;
            }
            if kind & CO_FAST_FREE != 0 && (*code).co_flags & CO_OPTIMIZED == 0 {
                break;
            }
            let value = local_value(frame, code, i);
            if value.is_null() {
                break;
            }
            return Py_NewRef(value);
        }
        PyErr_Format(PyExc_NameError, c"variable %R does not exist".as_ptr(), name);
        null_mut()
    }
}

/// As [`PyFrame_GetVar`], by a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_GetVarString(f: *mut PyFrameObject, name: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match Owned::from_owned_or_err(PyUnicode_FromString(name)) {
            Ok(name) => PyFrame_GetVar(f, name.as_ptr()),
            Err(_) => null_mut(),
        }
    }
}

/// Nothing: `f_locals` writes through (PEP 667).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_FastToLocalsWithError(_f: *mut PyFrameObject) -> c_int {
    0
}
/// Nothing: `f_locals` writes through (PEP 667).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_FastToLocals(_f: *mut PyFrameObject) {}
/// Nothing: `f_locals` writes through (PEP 667).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyFrame_LocalsToFast(_f: *mut PyFrameObject, _clear: c_int) {}

/// The code object that a frame runs, new.
///
/// # Safety
/// [FRAME]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_InterpreterFrame_GetCode(frame: Frame) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe { Py_NewRef((*frame).f_executable) }
}

/// Byte offset of the instruction being executed.
///
/// # Safety
/// [FRAME]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_InterpreterFrame_GetLasti(frame: Frame) -> c_int {
    // SAFETY: [FRAME]
    unsafe { frame.lasti() * 2 }
}

/// Line of the instruction being executed.
///
/// # Safety
/// [FRAME]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_InterpreterFrame_GetLine(frame: Frame) -> c_int {
    // SAFETY: [FRAME]
    unsafe { crate::codeobject::code_addr2line(frame.code(), frame.lasti() * 2) }
}
