//! What CPython's headers say, as Rust sees it: `pyo3-ffi` re-exported, the layouts it leaves out, ownership types and
//! the error convention. Everything else in the workspace is written against this crate.
//!
//! Must not know: any implementation. It declares, it defines no type object and no C symbol.

pub mod convert;
pub mod error;
pub mod externs;
pub mod layout;
pub mod ownership;
pub mod per_interpreter;
pub mod refcount;
pub mod va_list;

pub use pyo3_ffi::*;

// Definitions of this crate win over the glob above where both have a name.
pub use convert::*;
pub use error::*;
pub use externs::*;
pub use layout::{
    _PyErr_StackItem, _PyInterpreterFrame, PyAttributeErrorObject, PyBaseExceptionObject, PyCodeObject,
    PyDictKeysObject, PyDictObject, PyDictValues, PyFrameObject, PyFunctionObject, PyGenObject, PyImportErrorObject,
    PyLongObject, PyMemoryViewObject, PyMethodObject, PyModuleObject, PyNameErrorObject, PyOSErrorObject,
    PyStopIterationObject, PySyntaxErrorObject, PySystemExitObject, PyThreadState, PyTracebackObject,
    PyUnicodeErrorObject, PyWeakReference, _PyManagedBufferObject, _PyStackChunk, PyCapsuleObject,
    _PyNamespaceObject, PyInstanceMethodObject, PySuperObject, PyPropertyObject, PyInterpreterState, _PyUnicodeWriter,
    PyCFunctionObject, PyCMethodObject, PyHeapTypeObject, _specialization_cache,
};
pub use ownership::{AsObject, Borrowed, Owned};
pub use per_interpreter::PerInterpreter;
pub use refcount::*;
pub use va_list::VaListTag;
