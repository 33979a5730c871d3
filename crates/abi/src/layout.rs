//! Structs of CPython 3.13's headers that `pyo3-ffi` leaves opaque, field for field (release build, 64-bit, with the
//! GIL). `scripts/test` compares them with what a C compiler makes of the real headers.

use crate::{
    PyObject, PyTypeObject, PyVarObject, Py_buffer, Py_hash_t, Py_ssize_t,
    PyModuleDef, vectorcallfunc,
};
use core::ffi::{c_char, c_int, c_ulong, c_void};

type Ob = *mut PyObject;

macro_rules! layout {
    ($($(#[$m:meta])* struct $name:ident { $($field:ident : $ty:ty),* $(,)? })*) => {
        $( $(#[$m])* #[repr(C)] #[allow(missing_docs, reason = "fields are those of CPython's headers")]
        pub struct $name { $(pub $field: $ty),* } )*
    };
}

layout! {
    /// `int`: `lv_tag` holds the digit count above two sign bits (0 positive, 1 zero, 2 negative) and a reserved bit.
    struct PyLongObject { ob_base: PyObject, lv_tag: usize, ob_digit: [u32; 1] }
    /// `dict`; `ma_values` is NULL for a combined table.
    struct PyDictObject { ob_base: PyObject, ma_used: Py_ssize_t, ma_version_tag: u64, ma_keys: *mut PyDictKeysObject, ma_values: *mut PyDictValues }
    /// Header of a dict's keys; indices (`1 << dk_log2_index_bytes` bytes), then entries, follow it.
    struct PyDictKeysObject { dk_refcnt: Py_ssize_t, dk_log2_size: u8, dk_log2_index_bytes: u8, dk_kind: u8, dk_version: u32, dk_usable: Py_ssize_t, dk_nentries: Py_ssize_t }
    /// Values of a split dict or of an object with inline values; the order of insertion (bytes) follows the values.
    struct PyDictValues { capacity: u8, size: u8, embedded: u8, valid: u8, values: [Ob; 1] }
    struct PyFunctionObject {
        ob_base: PyObject, func_globals: Ob, func_builtins: Ob, func_name: Ob, func_qualname: Ob, func_code: Ob,
        func_defaults: Ob, func_kwdefaults: Ob, func_closure: Ob, func_doc: Ob, func_dict: Ob, func_weakreflist: Ob,
        func_module: Ob, func_annotations: Ob, func_typeparams: Ob, vectorcall: Option<vectorcallfunc>, func_version: u32,
    }
    struct PyMethodObject { ob_base: PyObject, im_func: Ob, im_self: Ob, im_weakreflist: Ob, vectorcall: Option<vectorcallfunc> }
    struct PyInstanceMethodObject { ob_base: PyObject, func: Ob }
    struct PyModuleObject { ob_base: PyObject, md_dict: Ob, md_def: *mut PyModuleDef, md_state: *mut c_void, md_weaklist: Ob, md_name: Ob }
    struct PyWeakReference { ob_base: PyObject, wr_object: Ob, wr_callback: Ob, hash: Py_hash_t, wr_prev: *mut PyWeakReference, wr_next: *mut PyWeakReference, vectorcall: Option<vectorcallfunc> }
    struct PyCapsuleObject { ob_base: PyObject, pointer: *mut c_void, name: *const c_char, context: *mut c_void, destructor: Option<crate::PyCapsule_Destructor>, traverse_func: Option<crate::traverseproc>, clear_func: Option<crate::inquiry> }
    struct _PyNamespaceObject { ob_base: PyObject, ns_dict: Ob }
    struct PySuperObject { ob_base: PyObject, type_: *mut PyTypeObject, obj: Ob, obj_type: *mut PyTypeObject }
    struct PyPropertyObject { ob_base: PyObject, prop_get: Ob, prop_set: Ob, prop_del: Ob, prop_doc: Ob, prop_name: Ob, getter_doc: c_int }
    struct _PyManagedBufferObject { ob_base: PyObject, flags: c_int, exports: Py_ssize_t, master: Py_buffer }
    struct PyMemoryViewObject { ob_base: PyVarObject, mbuf: *mut _PyManagedBufferObject, hash: Py_hash_t, flags: c_int, exports: Py_ssize_t, view: Py_buffer, weakreflist: Ob, ob_array: [Py_ssize_t; 1] }
    /// An entry of a thread's stack of exceptions being handled.
    struct _PyErr_StackItem { exc_value: Ob, previous_item: *mut _PyErr_StackItem }
    struct PyTracebackObject { ob_base: PyObject, tb_next: *mut PyTracebackObject, tb_frame: *mut PyFrameObject, tb_lasti: c_int, tb_lineno: c_int }
    /// A frame object (what `sys._getframe` returns); `_f_frame_data` is where the interpreter frame lives once it has outlived its call.
    struct PyFrameObject { ob_base: PyObject, f_back: *mut PyFrameObject, f_frame: *mut _PyInterpreterFrame, f_trace: Ob, f_lineno: c_int, f_trace_lines: c_char, f_trace_opcodes: c_char, f_extra_locals: Ob, f_locals_cache: Ob, _f_frame_data: [Ob; 1] }
    /// The interpreter's record of a call, with the offsets that greenlet and Cython rely on. `f_globals` and
    /// `f_builtins` are reached through the function where there is one. The slots for locals lie as ceval places them.
    struct _PyInterpreterFrame { f_executable: Ob, previous: *mut _PyInterpreterFrame, f_funcobj: Ob, f_globals: Ob, f_builtins: Ob, f_locals: Ob, frame_obj: *mut PyFrameObject, instr_ptr: *mut u16, stacktop: c_int, return_offset: u16, owner: c_char, localsplus: [Ob; 1] }
    /// Generator, coroutine and async generator alike.
    struct PyGenObject { ob_base: PyObject, gi_weakreflist: Ob, gi_name: Ob, gi_qualname: Ob, gi_exc_state: _PyErr_StackItem, gi_origin_or_finalizer: Ob, gi_hooks_inited: c_char, gi_closed: c_char, gi_running_async: c_char, gi_frame_state: i8, gi_iframe: [Ob; 1] }
    struct PyCodeObject {
        ob_base: PyVarObject, co_consts: Ob, co_names: Ob, co_exceptiontable: Ob, co_flags: c_int, co_argcount: c_int,
        co_posonlyargcount: c_int, co_kwonlyargcount: c_int, co_stacksize: c_int, co_firstlineno: c_int,
        co_nlocalsplus: c_int, co_framesize: c_int, co_nlocals: c_int, co_ncellvars: c_int, co_nfreevars: c_int,
        co_version: u32, co_localsplusnames: Ob, co_localspluskinds: Ob, co_filename: Ob, co_name: Ob, co_qualname: Ob,
        co_linetable: Ob, co_weakreflist: Ob, co_executors: *mut c_void, _co_cached: *mut c_void,
        _co_instrumentation_version: usize, _co_monitoring: *mut c_void, _co_firsttraceable: c_int, co_extra: *mut c_void,
        co_code_adaptive: [u16; 1],
    }
    /// A chunk of a thread's data stack, on which interpreter frames live.
    struct _PyStackChunk { previous: *mut _PyStackChunk, size: usize, top: usize, data: [Ob; 1] }
    /// A thread's state, with every offset that extensions read.
    struct PyThreadState {
        prev: *mut PyThreadState, next: *mut PyThreadState, interp: *mut PyInterpreterState, eval_breaker: usize,
        _status: u32, _whence: c_int, state: c_int, py_recursion_remaining: c_int, py_recursion_limit: c_int,
        c_recursion_remaining: c_int, recursion_headroom: c_int, tracing: c_int, what_event: c_int,
        current_frame: *mut _PyInterpreterFrame, c_profilefunc: Option<Py_tracefunc>, c_tracefunc: Option<Py_tracefunc>,
        c_profileobj: Ob, c_traceobj: Ob, current_exception: Ob, exc_info: *mut _PyErr_StackItem, dict: Ob,
        gilstate_counter: c_int, async_exc: Ob, thread_id: c_ulong, native_thread_id: c_ulong, delete_later: Ob,
        critical_section: usize, coroutine_origin_tracking_depth: c_int, async_gen_firstiter: Ob, async_gen_finalizer: Ob,
        context: Ob, context_ver: u64, id: u64, datastack_chunk: *mut _PyStackChunk, datastack_top: *mut Ob,
        datastack_limit: *mut Ob, exc_state: _PyErr_StackItem, previous_executor: Ob, dict_global_version: u64,
        threading_local_key: Ob, threading_local_sentinel: Ob,
    }
    /// The interpreter's state as other crates see it; its content belongs to `crates/python`.
    struct PyInterpreterState { _private: [u8; 0] }
    struct PyBaseExceptionObject { ob_base: PyObject, dict: Ob, args: Ob, notes: Ob, traceback: Ob, context: Ob, cause: Ob, suppress_context: c_char }
    struct PySyntaxErrorObject { base: PyBaseExceptionObject, msg: Ob, filename: Ob, lineno: Ob, offset: Ob, end_lineno: Ob, end_offset: Ob, text: Ob, print_file_and_line: Ob }
    struct PyImportErrorObject { base: PyBaseExceptionObject, msg: Ob, name: Ob, path: Ob, name_from: Ob }
    struct PyUnicodeErrorObject { base: PyBaseExceptionObject, encoding: Ob, object: Ob, start: Py_ssize_t, end: Py_ssize_t, reason: Ob }
    struct PySystemExitObject { base: PyBaseExceptionObject, code: Ob }
    struct PyOSErrorObject { base: PyBaseExceptionObject, myerrno: Ob, strerror: Ob, filename: Ob, filename2: Ob, written: Py_ssize_t }
    struct PyStopIterationObject { base: PyBaseExceptionObject, value: Ob }
    struct PyNameErrorObject { base: PyBaseExceptionObject, name: Ob }
    struct PyAttributeErrorObject { base: PyBaseExceptionObject, obj: Ob, name: Ob }
    /// A built-in function or method.
    struct PyCFunctionObject { ob_base: PyObject, m_ml: *mut crate::PyMethodDef, m_self: Ob, m_module: Ob, m_weakreflist: Ob, vectorcall: Option<vectorcallfunc> }
    /// A built-in method that is told its defining class.
    struct PyCMethodObject { func: PyCFunctionObject, mm_class: *mut PyTypeObject }
    /// What the specialising interpreter remembers about a class.
    struct _specialization_cache { getitem: Ob, getitem_version: u32, init: Ob }
    /// A class made at run time; its `PyMemberDef`s (one for each of `__slots__`) follow.
    struct PyHeapTypeObject {
        ht_type: PyTypeObject, as_async: crate::PyAsyncMethods, as_number: crate::PyNumberMethods,
        as_mapping: crate::PyMappingMethods, as_sequence: crate::PySequenceMethods, as_buffer: crate::PyBufferProcs,
        ht_name: Ob, ht_slots: Ob, ht_qualname: Ob, ht_cached_keys: *mut c_void, ht_module: Ob,
        _ht_tpname: *mut c_char, _spec_cache: _specialization_cache,
    }
    /// The writer that `_PyUnicodeWriter_*` functions fill.
    struct _PyUnicodeWriter { buffer: Ob, data: *mut c_void, kind: c_int, maxchar: u32, size: Py_ssize_t, pos: Py_ssize_t, min_length: Py_ssize_t, min_char: u32, overallocate: u8, readonly: u8 }
}

/// A C-level trace or profile function.
pub type Py_tracefunc = unsafe extern "C" fn(obj: Ob, frame: *mut PyFrameObject, what: c_int, arg: Ob) -> c_int;

macro_rules! check {
    ($($t:ty : $size:literal $(, $f:ident @ $o:literal)*;)*) => { $(
        const _: () = assert!(size_of::<$t>() == $size);
        $( const _: () = assert!(core::mem::offset_of!($t, $f) == $o); )*
    )* };
}
check! {
    PyLongObject: 32, lv_tag @ 16, ob_digit @ 24;
    PyDictObject: 48, ma_keys @ 32, ma_values @ 40;
    PyDictKeysObject: 32, dk_version @ 12, dk_usable @ 16, dk_nentries @ 24;
    PyDictValues: 16, values @ 8;
    PyFunctionObject: 144, vectorcall @ 128, func_version @ 136;
    PyFrameObject: 72, f_extra_locals @ 48;
    _PyInterpreterFrame: 80, stacktop @ 64, return_offset @ 68, owner @ 70, localsplus @ 72;
    PyGenObject: 80, gi_frame_state @ 67, gi_iframe @ 72;
    PyThreadState: 304, _status @ 32, current_frame @ 72, critical_section @ 176, context @ 208, datastack_chunk @ 232, exc_state @ 256, threading_local_sentinel @ 296;
    PyMemoryViewObject: 152, view @ 56, ob_array @ 144;
    _PyManagedBufferObject: 112;
    PyWeakReference: 64;
    PyModuleObject: 56;
    PyTracebackObject: 40, tb_lineno @ 36;
    PyPropertyObject: 64;
    PySuperObject: 40;
    PyCapsuleObject: 64;
    PyBaseExceptionObject: 72, suppress_context @ 64;
    PySyntaxErrorObject: 136;
    PyOSErrorObject: 112;
    PyImportErrorObject: 104;
    PyUnicodeErrorObject: 112;
    _PyUnicodeWriter: 56;
    PyCFunctionObject: 56, vectorcall @ 48;
    PyCMethodObject: 64;
    PyHeapTypeObject: 928, ht_name @ 856, ht_cached_keys @ 880, _ht_tpname @ 896;
}
