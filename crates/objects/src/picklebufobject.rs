//! `pickle.PickleBuffer`: marks a buffer for out-of-band pickling (PEP 574).

use crate::gc::gc_untrack;
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_char, c_int, c_void};
use core::mem::offset_of;
use taipan_abi::*;
use taipan_clinic::{constructor, methods};

const _Py_MEMORYVIEW_C: c_int = 0x002;
const _Py_MEMORYVIEW_FORTRAN: c_int = 0x004;

#[repr(C)]
struct PyPickleBufferObject {
    ob_base: PyObject,
    /// The view of the wrapped object; its `obj` is NULL once released.
    view: Py_buffer,
    weakreflist: *mut PyObject,
}

type Pickle<'a> = Borrowed<'a, PyPickleBufferObject>;

#[cold]
fn released() -> Raised {
    raise!(PyExc_ValueError, "operation forbidden on released PickleBuffer object")
}

unsafe fn new(tp: *mut PyTypeObject, base: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] tp_alloc zeroes the fields.
    unsafe {
        let op = match (*tp).tp_alloc {
            Some(alloc) => alloc(tp, 0),
            None => PyType_GenericAlloc(tp, 0),
        };
        let op = Owned::from_owned_or_err(op)?;
        let pb: *mut PyPickleBufferObject = op.as_ptr().cast();
        check_status(PyObject_GetBuffer(base, &raw mut (*pb).view, PyBUF_FULL_RO))?;
        Ok(op)
    }
}

fn picklebuf_new(tp: Borrowed<'_>, base: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { new(tp.ob().cast(), base.ob()) }
}

unsafe extern "C" fn picklebuf_new_slot(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    let entry: newfunc = constructor!("PickleBuffer(object, /)" => picklebuf_new);
    // SAFETY: [ARGS]
    unsafe { entry(tp, args, kw) }
}

/// A PickleBuffer around `base`.
///
/// # Safety
/// `base` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyPickleBuffer_FromObject(base: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { new(&raw mut PyPickleBuffer_Type, base).into_c() }
}

unsafe fn checked(op: *mut PyObject) -> PyResult<*mut PyPickleBufferObject> {
    // SAFETY: [ARGS]
    unsafe {
        if (*op).ob_type != &raw mut PyPickleBuffer_Type {
            bail!(PyExc_TypeError, "expected PickleBuffer, {} found", type_name(op));
        }
        Ok(op.cast())
    }
}

/// The view of a PickleBuffer, lent; ValueError once released.
///
/// # Safety
/// `op` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyPickleBuffer_GetBuffer(op: *mut PyObject) -> *const Py_buffer {
    // SAFETY: [ARGS]
    unsafe {
        match checked(op) {
            Ok(pb) if (*pb).view.obj.is_null() => {
                let _ = released();
                core::ptr::null()
            }
            Ok(pb) => &raw const (*pb).view,
            Err(_) => core::ptr::null(),
        }
    }
}

/// Releases the view.
///
/// # Safety
/// `op` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyPickleBuffer_Release(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { checked(op).map(|pb| PyBuffer_Release(&raw mut (*pb).view)).into_c() }
}

unsafe extern "C" fn picklebuf_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*slf.cast::<PyPickleBufferObject>()).view.obj);
        0
    }
}

unsafe extern "C" fn picklebuf_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { PyBuffer_Release(&raw mut (*slf.cast::<PyPickleBufferObject>()).view) };
    0
}

unsafe extern "C" fn picklebuf_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        let pb: *mut PyPickleBufferObject = slf.cast();
        if !(*pb).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        PyBuffer_Release(&raw mut (*pb).view);
        match (*(*slf).ob_type).tp_free {
            Some(free) => free(slf.cast()),
            None => PyObject_GC_Del(slf.cast()),
        }
    }
}

unsafe extern "C" fn picklebuf_getbuf(slf: *mut PyObject, view: *mut Py_buffer, flags: c_int) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let obj = (*slf.cast::<PyPickleBufferObject>()).view.obj;
        if obj.is_null() {
            let _ = released();
            return -1;
        }
        PyObject_GetBuffer(obj, view, flags)
    }
}

unsafe extern "C" fn picklebuf_releasebuf(_slf: *mut PyObject, _view: *mut Py_buffer) {
    // The wrapped object is the exporter; releasing the view is its business.
}

fn picklebuf_raw(slf: Pickle<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] the memory view holds its own export of the wrapped object.
    unsafe {
        if slf.view.obj.is_null() {
            return Err(released());
        }
        if !slf.view.suboffsets.is_null() || PyBuffer_IsContiguous(&slf.view, b'A' as c_char) == 0 {
            bail!(PyExc_BufferError, "cannot extract raw buffer from non-contiguous buffer");
        }
        let m = Owned::from_owned_or_err(PyMemoryView_FromObject(slf.ob()))?;
        let mv: *mut PyMemoryViewObject = m.as_ptr().cast();
        let v = &raw mut (*mv).view;
        // Bytes, in one dimension, whatever the shape was.
        (*v).format = c"B".as_ptr().cast_mut();
        (*v).ndim = 1;
        (*v).itemsize = 1;
        (*v).strides = &raw mut (*v).itemsize;
        (*v).shape = &raw mut (*v).len;
        (*mv).flags = _Py_MEMORYVIEW_C | _Py_MEMORYVIEW_FORTRAN;
        Ok(m)
    }
}

fn picklebuf_release(slf: Pickle<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { PyBuffer_Release(&raw mut (*slf.as_ptr()).view) };
    Ok(())
}

methods! {
    static PICKLEBUF_METHODS = [
        "raw($self, /)" => picklebuf_raw, "A one-dimensional memoryview of bytes over the same memory.\n\nRaises BufferError if the buffer is not contiguous.";
        "release($self, /)" => picklebuf_release, "Give up the underlying buffer.";
    ];
}

static mut PICKLEBUF_AS_BUFFER: PyBufferProcs =
    PyBufferProcs { bf_getbuffer: Some(picklebuf_getbuf), bf_releasebuffer: Some(picklebuf_releasebuf) };

/// The type `pickle.PickleBuffer`.
#[unsafe(no_mangle)]
pub static mut PyPickleBuffer_Type: PyTypeObject = PyTypeObject {
    tp_name: c"pickle.PickleBuffer".as_ptr(),
    tp_basicsize: size_of::<PyPickleBufferObject>() as Py_ssize_t,
    tp_dealloc: Some(picklebuf_dealloc),
    tp_as_buffer: &raw mut PICKLEBUF_AS_BUFFER,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"A buffer that may be pickled out-of-band.".as_ptr(),
    tp_traverse: Some(picklebuf_traverse),
    tp_clear: Some(picklebuf_clear),
    tp_weaklistoffset: offset_of!(PyPickleBufferObject, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut PICKLEBUF_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(picklebuf_new_slot),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};
