//! The hierarchy of exceptions: one static type each, under CPython's names.

#![allow(missing_docs, reason = "exported data and functions are documented by CPython's C API manual")]

mod base;
mod group;
mod misc;
mod oserror;
mod unicode;

pub(crate) use base::{BaseException_clear, BaseException_dealloc, BaseException_init, BaseException_new, BaseException_str, BaseException_traverse};
pub use base::{clear_free_list, preallocate_memerrors};
pub use group::{PyBaseExceptionGroupObject, exception_group_type, is_exception_group};
pub use oserror::errno_class;

use base::{BaseException_vectorcall, BASE_GETSET, BASE_MEMBERS, BASE_METHODS, BaseException_repr, MemoryError_dealloc, MemoryError_new, reduce_as};
use crate::sliceobject::Py_T_OBJECT;
use group::{BaseExceptionGroup_new, BaseExceptionGroup_str, GROUP_MEMBERS, GROUP_METHODS, create_exception_group_class};
use misc::{
    ATTRIBUTE_MEMBERS, ATTRIBUTE_METHODS, AttributeError_init, IMPORT_MEMBERS, IMPORT_METHODS, ImportError_init, ImportError_str,
    KeyError_str, NAME_MEMBERS, NameError_init, STOP_ITERATION_MEMBERS, SYNTAX_MEMBERS, SYSTEM_EXIT_MEMBERS,
    StopIteration_init, SyntaxError_init, SyntaxError_str, SystemExit_init,
};
use oserror::{OSERROR_GETSET, OSERROR_MEMBERS, OSERROR_METHODS, OSError_init, OSError_new, OSError_str};
use unicode::{
    UNICODE_MEMBERS, UnicodeDecodeError_init, UnicodeDecodeError_str, UnicodeEncodeError_init, UnicodeEncodeError_str,
    UnicodeTranslateError_init, UnicodeTranslateError_str,
};

use crate::typeobject::TYPE_INIT;
use core::ffi::{c_char, c_int};
use core::mem::offset_of;
use taipan_abi::*;

const FLAGS: core::ffi::c_ulong = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC;

/// Releases, visits and frees what an exception's layout adds to `PyBaseExceptionObject`.
macro_rules! layout_slots {
    ($($obj:ident : $clear:ident $traverse:ident $dealloc:ident [$($field:ident),*];)*) => { $(
        unsafe extern "C" fn $clear(op: *mut PyObject) -> c_int {
            // SAFETY: [TYPE]
            unsafe {
                let e: *mut $obj = op.cast();
                $( setref(&raw mut (*e).$field, core::ptr::null_mut()); )*
                BaseException_clear(op)
            }
        }
        unsafe extern "C" fn $traverse(op: *mut PyObject, visitor: visitproc, arg: *mut core::ffi::c_void) -> c_int {
            // SAFETY: [TYPE]
            unsafe {
                let e: *mut $obj = op.cast();
                py_visit!(visitor, arg; $((*e).$field),*);
                BaseException_traverse(op, visitor, arg)
            }
        }
        unsafe extern "C" fn $dealloc(op: *mut PyObject) {
            // SAFETY: [TYPE] chains of exceptions may be long.
            unsafe {
                crate::freelist::gc_untrack(op);
                if crate::gc::trashcan_begin(op, $dealloc) {
                    $clear(op);
                    crate::freelist::type_free(op);
                    crate::gc::trashcan_end();
                }
            }
        }
    )* };
}
layout_slots! {
    PyStopIterationObject: StopIteration_clear StopIteration_traverse StopIteration_dealloc [value];
    PySystemExitObject: SystemExit_clear SystemExit_traverse SystemExit_dealloc [code];
    PyBaseExceptionGroupObject: BaseExceptionGroup_clear BaseExceptionGroup_traverse BaseExceptionGroup_dealloc [msg, excs];
    PyImportErrorObject: ImportError_clear ImportError_traverse ImportError_dealloc [msg, name, path, name_from];
    PyOSErrorObject: OSError_clear OSError_traverse OSError_dealloc [myerrno, strerror, filename, filename2];
    PyNameErrorObject: NameError_clear NameError_traverse NameError_dealloc [name];
    PyAttributeErrorObject: AttributeError_clear AttributeError_traverse AttributeError_dealloc [obj, name];
    PySyntaxErrorObject: SyntaxError_clear SyntaxError_traverse SyntaxError_dealloc
        [msg, filename, lineno, offset, end_lineno, end_offset, text, print_file_and_line];
    PyUnicodeErrorObject: UnicodeError_clear UnicodeError_traverse UnicodeError_dealloc [encoding, object, reason];
}

/// A static exception type and the pointer to it that C code names.
macro_rules! exception {
    ($ty:ident, $ptr:ident, $name:literal, $base:ident, $doc:literal,
     $obj:ident, $dealloc:ident, $traverse:ident, $clear:ident { $($slot:ident : $value:expr),* $(,)? }) => {
        #[unsafe(no_mangle)]
        pub static mut $ty: PyTypeObject = PyTypeObject {
            ob_base: immortal_var_head(&raw mut PyType_Type, 0),
            tp_name: $name.as_ptr(),
            tp_basicsize: size_of::<$obj>() as Py_ssize_t,
            tp_dealloc: Some($dealloc),
            tp_flags: FLAGS,
            tp_doc: $doc.as_ptr(),
            tp_traverse: Some($traverse),
            tp_clear: Some($clear),
            tp_base: &raw mut $base,
            tp_dictoffset: offset_of!(PyBaseExceptionObject, dict) as Py_ssize_t,
            $($slot: $value,)*
            ..TYPE_INIT
        };
        #[unsafe(no_mangle)]
        pub static mut $ptr: *mut PyObject = (&raw mut $ty).cast();
    };
}

/// Exceptions that add nothing to their base but a name.
macro_rules! simple_exceptions {
    ($($base:ident: $ty:ident $ptr:ident $name:literal $doc:literal;)*) => { $(
        exception! { $ty, $ptr, $name, $base, $doc, PyBaseExceptionObject, BaseException_dealloc, BaseException_traverse, BaseException_clear {
            tp_init: Some(BaseException_init), tp_new: Some(BaseException_new), tp_vectorcall: Some(BaseException_vectorcall)
        } }
    )* };
}

/// Exceptions that share the layout and initialiser of their base.
macro_rules! derived_exceptions {
    ($($base:ident: $ty:ident $ptr:ident $name:literal $doc:literal [$obj:ident $dealloc:ident $traverse:ident $clear:ident $init:ident];)*) => { $(
        exception! { $ty, $ptr, $name, $base, $doc, $obj, $dealloc, $traverse, $clear { tp_init: Some($init) } }
    )* };
}

#[unsafe(no_mangle)]
pub static mut _PyExc_BaseException: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"BaseException".as_ptr(),
    tp_basicsize: size_of::<PyBaseExceptionObject>() as Py_ssize_t,
    tp_dealloc: Some(BaseException_dealloc),
    tp_repr: Some(BaseException_repr),
    tp_str: Some(BaseException_str),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_setattro: Some(PyObject_GenericSetAttr),
    tp_flags: FLAGS | Py_TPFLAGS_BASE_EXC_SUBCLASS,
    tp_doc: c"Base of all exceptions.".as_ptr(),
    tp_traverse: Some(BaseException_traverse),
    tp_clear: Some(BaseException_clear),
    tp_methods: (&raw mut BASE_METHODS).cast(),
    tp_members: (&raw mut BASE_MEMBERS).cast(),
    tp_getset: (&raw mut BASE_GETSET).cast(),
    tp_dictoffset: offset_of!(PyBaseExceptionObject, dict) as Py_ssize_t,
    tp_init: Some(BaseException_init),
    tp_new: Some(BaseException_new),
    ..TYPE_INIT
};
#[unsafe(no_mangle)]
pub static mut PyExc_BaseException: *mut PyObject = (&raw mut _PyExc_BaseException).cast();

simple_exceptions! {
    _PyExc_BaseException: _PyExc_Exception PyExc_Exception c"Exception" c"Base of all exceptions that don't end the program.";
    _PyExc_BaseException: _PyExc_GeneratorExit PyExc_GeneratorExit c"GeneratorExit" c"A generator is asked to end.";
    _PyExc_BaseException: _PyExc_KeyboardInterrupt PyExc_KeyboardInterrupt c"KeyboardInterrupt" c"The user interrupted the program.";
    _PyExc_Exception: _PyExc_TypeError PyExc_TypeError c"TypeError" c"An argument has the wrong type.";
    _PyExc_Exception: _PyExc_StopAsyncIteration PyExc_StopAsyncIteration c"StopAsyncIteration" c"The end that an iterator's __anext__() signals.";
    _PyExc_Exception: _PyExc_EOFError PyExc_EOFError c"EOFError" c"There is nothing more to read.";
    _PyExc_Exception: _PyExc_RuntimeError PyExc_RuntimeError c"RuntimeError" c"An error that fits no other class.";
    _PyExc_RuntimeError: _PyExc_RecursionError PyExc_RecursionError c"RecursionError" c"Calls are nested too deeply.";
    _PyExc_RuntimeError: _PyExc_PythonFinalizationError PyExc_PythonFinalizationError c"PythonFinalizationError" c"The operation is not possible while the interpreter shuts down.";
    _PyExc_RuntimeError: _PyExc_NotImplementedError PyExc_NotImplementedError c"NotImplementedError" c"A method or function is still to be written.";
    _PyExc_Exception: _PyExc_LookupError PyExc_LookupError c"LookupError" c"Base of IndexError and KeyError.";
    _PyExc_LookupError: _PyExc_IndexError PyExc_IndexError c"IndexError" c"An index is out of a sequence's range.";
    _PyExc_Exception: _PyExc_ValueError PyExc_ValueError c"ValueError" c"An argument has the right type but a wrong value.";
    _PyExc_ValueError: _PyExc_UnicodeError PyExc_UnicodeError c"UnicodeError" c"Base of the errors of text encodings.";
    _PyExc_Exception: _PyExc_AssertionError PyExc_AssertionError c"AssertionError" c"An assertion doesn't hold.";
    _PyExc_Exception: _PyExc_ArithmeticError PyExc_ArithmeticError c"ArithmeticError" c"Base of the errors of arithmetic.";
    _PyExc_ArithmeticError: _PyExc_FloatingPointError PyExc_FloatingPointError c"FloatingPointError" c"A floating-point operation failed.";
    _PyExc_ArithmeticError: _PyExc_OverflowError PyExc_OverflowError c"OverflowError" c"A result is too large to be represented.";
    _PyExc_ArithmeticError: _PyExc_ZeroDivisionError PyExc_ZeroDivisionError c"ZeroDivisionError" c"Division, or remainder, by zero.";
    _PyExc_Exception: _PyExc_SystemError PyExc_SystemError c"SystemError" c"The interpreter itself is at fault.\n\nPlease report it, with the traceback and the version of the program.";
    _PyExc_Exception: _PyExc_ReferenceError PyExc_ReferenceError c"ReferenceError" c"A weak reference outlived its object.";
    _PyExc_Exception: _PyExc_BufferError PyExc_BufferError c"BufferError" c"A buffer can't be had, or not be changed now.";
    _PyExc_Exception: _PyExc_InterpreterError PyExc_InterpreterError c"interpreters.InterpreterError" c"An operation on another interpreter failed.";
    _PyExc_InterpreterError: _PyExc_InterpreterNotFoundError PyExc_InterpreterNotFoundError c"interpreters.InterpreterNotFoundError" c"There is no such interpreter.";
    _PyExc_Exception: _PyExc_Warning PyExc_Warning c"Warning" c"Base of the categories of warnings.";
    _PyExc_Warning: _PyExc_UserWarning PyExc_UserWarning c"UserWarning" c"Warnings of programs.";
    _PyExc_Warning: _PyExc_DeprecationWarning PyExc_DeprecationWarning c"DeprecationWarning" c"Warnings about features that will go.";
    _PyExc_Warning: _PyExc_PendingDeprecationWarning PyExc_PendingDeprecationWarning c"PendingDeprecationWarning" c"Warnings about features that will be deprecated some day.";
    _PyExc_Warning: _PyExc_SyntaxWarning PyExc_SyntaxWarning c"SyntaxWarning" c"Warnings about doubtful syntax.";
    _PyExc_Warning: _PyExc_RuntimeWarning PyExc_RuntimeWarning c"RuntimeWarning" c"Warnings about doubtful behaviour at run time.";
    _PyExc_Warning: _PyExc_FutureWarning PyExc_FutureWarning c"FutureWarning" c"Warnings about constructs whose meaning will change.";
    _PyExc_Warning: _PyExc_ImportWarning PyExc_ImportWarning c"ImportWarning" c"Warnings about likely mistakes in imports.";
    _PyExc_Warning: _PyExc_UnicodeWarning PyExc_UnicodeWarning c"UnicodeWarning" c"Warnings about text, mostly about conversions.";
    _PyExc_Warning: _PyExc_BytesWarning PyExc_BytesWarning c"BytesWarning" c"Warnings about bytes that are used as text or compared with it.";
    _PyExc_Warning: _PyExc_EncodingWarning PyExc_EncodingWarning c"EncodingWarning" c"Warnings about encodings that are not named.";
    _PyExc_Warning: _PyExc_ResourceWarning PyExc_ResourceWarning c"ResourceWarning" c"Warnings about resources that are not released.";
}

exception! { _PyExc_StopIteration, PyExc_StopIteration, c"StopIteration", _PyExc_Exception, c"The end that an iterator's __next__() signals.",
    PyStopIterationObject, StopIteration_dealloc, StopIteration_traverse, StopIteration_clear {
    tp_init: Some(StopIteration_init), tp_members: (&raw mut STOP_ITERATION_MEMBERS).cast() } }
exception! { _PyExc_SystemExit, PyExc_SystemExit, c"SystemExit", _PyExc_BaseException, c"The program asks to end.",
    PySystemExitObject, SystemExit_dealloc, SystemExit_traverse, SystemExit_clear {
    tp_init: Some(SystemExit_init), tp_members: (&raw mut SYSTEM_EXIT_MEMBERS).cast() } }
exception! { _PyExc_BaseExceptionGroup, PyExc_BaseExceptionGroup, c"BaseExceptionGroup", _PyExc_BaseException, c"Several exceptions that have nothing to do with one another.",
    PyBaseExceptionGroupObject, BaseExceptionGroup_dealloc, BaseExceptionGroup_traverse, BaseExceptionGroup_clear {
    tp_str: Some(BaseExceptionGroup_str), tp_init: Some(BaseException_init), tp_new: Some(BaseExceptionGroup_new),
    tp_methods: (&raw mut GROUP_METHODS).cast(), tp_members: (&raw mut GROUP_MEMBERS).cast() } }
exception! { _PyExc_ImportError, PyExc_ImportError, c"ImportError", _PyExc_Exception, c"A module, or a name in it, can't be found.",
    PyImportErrorObject, ImportError_dealloc, ImportError_traverse, ImportError_clear {
    tp_str: Some(ImportError_str), tp_init: Some(ImportError_init),
    tp_methods: (&raw mut IMPORT_METHODS).cast(), tp_members: (&raw mut IMPORT_MEMBERS).cast() } }
exception! { _PyExc_OSError, PyExc_OSError, c"OSError", _PyExc_Exception, c"Base of the errors that the operating system reports.",
    PyOSErrorObject, OSError_dealloc, OSError_traverse, OSError_clear {
    tp_str: Some(OSError_str), tp_init: Some(OSError_init), tp_new: Some(OSError_new),
    tp_methods: (&raw mut OSERROR_METHODS).cast(), tp_members: (&raw mut OSERROR_MEMBERS).cast(),
    tp_getset: (&raw mut OSERROR_GETSET).cast() } }
exception! { _PyExc_NameError, PyExc_NameError, c"NameError", _PyExc_Exception, c"A name is not known.",
    PyNameErrorObject, NameError_dealloc, NameError_traverse, NameError_clear {
    tp_str: Some(BaseException_str), tp_init: Some(NameError_init), tp_members: (&raw mut NAME_MEMBERS).cast() } }
exception! { _PyExc_AttributeError, PyExc_AttributeError, c"AttributeError", _PyExc_Exception, c"An object has no such attribute.",
    PyAttributeErrorObject, AttributeError_dealloc, AttributeError_traverse, AttributeError_clear {
    tp_str: Some(BaseException_str), tp_init: Some(AttributeError_init),
    tp_methods: (&raw mut ATTRIBUTE_METHODS).cast(), tp_members: (&raw mut ATTRIBUTE_MEMBERS).cast() } }
exception! { _PyExc_SyntaxError, PyExc_SyntaxError, c"SyntaxError", _PyExc_Exception, c"The text is no valid program.",
    PySyntaxErrorObject, SyntaxError_dealloc, SyntaxError_traverse, SyntaxError_clear {
    tp_str: Some(SyntaxError_str), tp_init: Some(SyntaxError_init), tp_members: (&raw mut SYNTAX_MEMBERS).cast() } }
exception! { _PyExc_KeyError, PyExc_KeyError, c"KeyError", _PyExc_LookupError, c"A mapping has no such key.",
    PyBaseExceptionObject, BaseException_dealloc, BaseException_traverse, BaseException_clear {
    tp_str: Some(KeyError_str), tp_init: Some(BaseException_init), tp_vectorcall: Some(BaseException_vectorcall) } }
exception! { _PyExc_MemoryError, PyExc_MemoryError, c"MemoryError", _PyExc_Exception, c"There is no memory left.",
    PyBaseExceptionObject, MemoryError_dealloc, BaseException_traverse, BaseException_clear {
    tp_init: Some(BaseException_init), tp_new: Some(MemoryError_new) } }
exception! { _PyExc_UnicodeEncodeError, PyExc_UnicodeEncodeError, c"UnicodeEncodeError", _PyExc_UnicodeError, c"Text can't be encoded.",
    PyUnicodeErrorObject, UnicodeError_dealloc, UnicodeError_traverse, UnicodeError_clear {
    tp_str: Some(UnicodeEncodeError_str), tp_init: Some(UnicodeEncodeError_init), tp_new: Some(BaseException_new),
    tp_members: (&raw mut UNICODE_MEMBERS).cast() } }
exception! { _PyExc_UnicodeDecodeError, PyExc_UnicodeDecodeError, c"UnicodeDecodeError", _PyExc_UnicodeError, c"Bytes can't be decoded.",
    PyUnicodeErrorObject, UnicodeError_dealloc, UnicodeError_traverse, UnicodeError_clear {
    tp_str: Some(UnicodeDecodeError_str), tp_init: Some(UnicodeDecodeError_init), tp_new: Some(BaseException_new),
    tp_members: (&raw mut UNICODE_MEMBERS).cast() } }
exception! { _PyExc_UnicodeTranslateError, PyExc_UnicodeTranslateError, c"UnicodeTranslateError", _PyExc_UnicodeError, c"Text can't be translated.",
    PyUnicodeErrorObject, UnicodeError_dealloc, UnicodeError_traverse, UnicodeError_clear {
    tp_str: Some(UnicodeTranslateError_str), tp_init: Some(UnicodeTranslateError_init), tp_new: Some(BaseException_new),
    tp_members: (&raw mut UNICODE_MEMBERS).cast() } }

derived_exceptions! {
    _PyExc_ImportError: _PyExc_ModuleNotFoundError PyExc_ModuleNotFoundError c"ModuleNotFoundError" c"There is no such module." [PyImportErrorObject ImportError_dealloc ImportError_traverse ImportError_clear ImportError_init];
    _PyExc_NameError: _PyExc_UnboundLocalError PyExc_UnboundLocalError c"UnboundLocalError" c"A local name is used before it has a value." [PyNameErrorObject NameError_dealloc NameError_traverse NameError_clear NameError_init];
    _PyExc_SyntaxError: _PyExc_IndentationError PyExc_IndentationError c"IndentationError" c"The indentation is wrong." [PySyntaxErrorObject SyntaxError_dealloc SyntaxError_traverse SyntaxError_clear SyntaxError_init];
    _PyExc_IndentationError: _PyExc_TabError PyExc_TabError c"TabError" c"Spaces and tabs are mixed inconsistently." [PySyntaxErrorObject SyntaxError_dealloc SyntaxError_traverse SyntaxError_clear SyntaxError_init];
    _PyExc_SyntaxError: _PyExc_IncompleteInputError PyExc_IncompleteInputError c"_IncompleteInputError" c"The input stops too early." [PySyntaxErrorObject SyntaxError_dealloc SyntaxError_traverse SyntaxError_clear SyntaxError_init];
    _PyExc_OSError: _PyExc_BlockingIOError PyExc_BlockingIOError c"BlockingIOError" c"The operation would block." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_OSError: _PyExc_ConnectionError PyExc_ConnectionError c"ConnectionError" c"Base of the errors of connections." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_OSError: _PyExc_ChildProcessError PyExc_ChildProcessError c"ChildProcessError" c"An operation on a child process failed." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_ConnectionError: _PyExc_BrokenPipeError PyExc_BrokenPipeError c"BrokenPipeError" c"The other end is closed." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_ConnectionError: _PyExc_ConnectionAbortedError PyExc_ConnectionAbortedError c"ConnectionAbortedError" c"The peer gave the connection up." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_ConnectionError: _PyExc_ConnectionRefusedError PyExc_ConnectionRefusedError c"ConnectionRefusedError" c"The peer refused the connection." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_ConnectionError: _PyExc_ConnectionResetError PyExc_ConnectionResetError c"ConnectionResetError" c"The peer reset the connection." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_OSError: _PyExc_FileExistsError PyExc_FileExistsError c"FileExistsError" c"The file is there already." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_OSError: _PyExc_FileNotFoundError PyExc_FileNotFoundError c"FileNotFoundError" c"There is no such file." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_OSError: _PyExc_IsADirectoryError PyExc_IsADirectoryError c"IsADirectoryError" c"The operation is not for directories." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_OSError: _PyExc_NotADirectoryError PyExc_NotADirectoryError c"NotADirectoryError" c"The operation is for directories only." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_OSError: _PyExc_InterruptedError PyExc_InterruptedError c"InterruptedError" c"A signal interrupted the call." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_OSError: _PyExc_PermissionError PyExc_PermissionError c"PermissionError" c"The operation is not permitted." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_OSError: _PyExc_ProcessLookupError PyExc_ProcessLookupError c"ProcessLookupError" c"There is no such process." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
    _PyExc_OSError: _PyExc_TimeoutError PyExc_TimeoutError c"TimeoutError" c"The time is over." [PyOSErrorObject OSError_dealloc OSError_traverse OSError_clear OSError_init];
}

/// Older names of OSError.
#[unsafe(no_mangle)]
pub static mut PyExc_EnvironmentError: *mut PyObject = (&raw mut _PyExc_OSError).cast();
#[unsafe(no_mangle)]
pub static mut PyExc_IOError: *mut PyObject = (&raw mut _PyExc_OSError).cast();

macro_rules! static_exceptions {
    ($n:literal: $($ty:ident)*) => {
        /// The static exception types, bases first; their order in the builtins module.
        pub static STATIC_EXCEPTIONS: StaticTypes<$n> = StaticTypes([$(&raw mut $ty),*]);
    };
}
/// Addresses of static types.
pub struct StaticTypes<const N: usize>(pub [*mut PyTypeObject; N]);
// SAFETY: addresses of statics; what they point to is guarded by the GIL.
unsafe impl<const N: usize> Sync for StaticTypes<N> {}

static_exceptions! { 68:
    _PyExc_BaseException _PyExc_BaseExceptionGroup _PyExc_Exception _PyExc_GeneratorExit _PyExc_KeyboardInterrupt
    _PyExc_SystemExit _PyExc_ArithmeticError _PyExc_AssertionError _PyExc_AttributeError _PyExc_BufferError
    _PyExc_EOFError _PyExc_ImportError _PyExc_LookupError _PyExc_MemoryError _PyExc_NameError _PyExc_OSError
    _PyExc_ReferenceError _PyExc_RuntimeError _PyExc_StopAsyncIteration _PyExc_StopIteration _PyExc_SyntaxError
    _PyExc_SystemError _PyExc_TypeError _PyExc_ValueError _PyExc_Warning _PyExc_FloatingPointError
    _PyExc_OverflowError _PyExc_ZeroDivisionError _PyExc_BytesWarning _PyExc_DeprecationWarning
    _PyExc_EncodingWarning _PyExc_FutureWarning _PyExc_ImportWarning _PyExc_PendingDeprecationWarning
    _PyExc_ResourceWarning _PyExc_RuntimeWarning _PyExc_SyntaxWarning _PyExc_UnicodeWarning _PyExc_UserWarning
    _PyExc_BlockingIOError _PyExc_ChildProcessError _PyExc_ConnectionError _PyExc_FileExistsError
    _PyExc_FileNotFoundError _PyExc_InterruptedError _PyExc_IsADirectoryError _PyExc_NotADirectoryError
    _PyExc_PermissionError _PyExc_ProcessLookupError _PyExc_TimeoutError _PyExc_IndentationError
    _PyExc_IncompleteInputError _PyExc_IndexError _PyExc_KeyError _PyExc_ModuleNotFoundError
    _PyExc_NotImplementedError _PyExc_PythonFinalizationError _PyExc_RecursionError _PyExc_UnboundLocalError
    _PyExc_UnicodeError _PyExc_BrokenPipeError _PyExc_ConnectionAbortedError _PyExc_ConnectionRefusedError
    _PyExc_ConnectionResetError _PyExc_TabError _PyExc_UnicodeDecodeError _PyExc_UnicodeEncodeError
    _PyExc_UnicodeTranslateError
}

/// Makes the exception types ready; the base types come first.
pub fn init_types() -> PyResult<()> {
    let hidden = [&raw mut _PyExc_InterpreterError, &raw mut _PyExc_InterpreterNotFoundError];
    for tp in STATIC_EXCEPTIONS.0.into_iter().chain(hidden) {
        // SAFETY: [GIL] static types.
        unsafe { crate::object::init_static_type(tp)? }
    }
    Ok(())
}

/// Puts every exception type into the dict of the builtins module, and makes `ExceptionGroup`.
pub fn add_to_builtins(dict: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let set = |name: *const c_char, value: *mut PyObject| check_status(PyDict_SetItemString(dict.ob(), name, value));
        for &tp in &STATIC_EXCEPTIONS.0 {
            set((*tp).tp_name, tp.cast())?;
        }
        set(c"ExceptionGroup".as_ptr(), create_exception_group_class()?)?;
        set(c"EnvironmentError".as_ptr(), PyExc_OSError)?;
        set(c"IOError".as_ptr(), PyExc_OSError)
    }
}
