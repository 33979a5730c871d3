//! The buffer protocol of classes that define `__buffer__` and `__release_buffer__` (PEP 688).

use super::TYPE_INIT;
use crate::object::{fn_addr, gc_new, gc_track, lookup_maybe_method, own, raised};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

/// What a buffer of such a class names as its owner: the memoryview that `__buffer__` returned, and the object.
#[repr(C)]
struct BufferWrapper {
    ob_base: PyObject,
    mv: *mut PyObject,
    obj: *mut PyObject,
}

const MEMORYVIEW_RELEASED: c_int = 1;
const MEMORYVIEW_RESTRICTED: c_int = 32;

unsafe extern "C" fn bufferwrapper_traverse(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let bw: *mut BufferWrapper = op.cast();
        py_visit!(visitor, arg; (*bw).mv, (*bw).obj);
        0
    }
}

unsafe extern "C" fn bufferwrapper_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let bw: *mut BufferWrapper = op.cast();
        crate::gc::gc_untrack(op);
        Py_XDECREF((*bw).mv);
        Py_XDECREF((*bw).obj);
        PyObject_GC_Del(op.cast());
    }
}

unsafe fn buffer_procs<'a>(op: *mut PyObject) -> Option<&'a PyBufferProcs> {
    // SAFETY: [ARGS]
    unsafe { (*(*op).ob_type).tp_as_buffer.as_ref() }
}

unsafe extern "C" fn bufferwrapper_releasebuf(op: *mut PyObject, view: *mut Py_buffer) {
    // SAFETY: [TYPE]
    unsafe {
        let bw: *mut BufferWrapper = op.cast();
        if (*bw).mv.is_null() || (*bw).obj.is_null() {
            return;
        }
        let (mv, obj) = ((*bw).mv, (*bw).obj);
        if let Some(release) = buffer_procs(mv).and_then(|p| p.bf_releasebuffer) {
            release(mv, view);
        }
        // A C-level bf_releasebuffer is called when the memoryview is released; one in Python must be called here.
        let in_python = buffer_procs(obj).map_or(0, |p| fn_addr(p.bf_releasebuffer)) == slot_bf_releasebuffer as *const () as usize;
        if (*mv.cast::<PyMemoryViewObject>()).view.obj != obj && in_python {
            release_in_python(obj, view);
        }
        Py_CLEAR(&raw mut (*bw).mv);
        Py_CLEAR(&raw mut (*bw).obj);
    }
}

static mut BUFFERWRAPPER_AS_BUFFER: PyBufferProcs =
    PyBufferProcs { bf_getbuffer: None, bf_releasebuffer: Some(bufferwrapper_releasebuf) };

/// The type of [`BufferWrapper`].
#[unsafe(no_mangle)]
pub static mut _PyBufferWrapper_Type: PyTypeObject = PyTypeObject {
    tp_name: c"_buffer_wrapper".as_ptr(),
    tp_basicsize: size_of::<BufferWrapper>() as Py_ssize_t,
    tp_dealloc: Some(bufferwrapper_dealloc),
    tp_as_buffer: &raw mut BUFFERWRAPPER_AS_BUFFER,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(bufferwrapper_traverse),
    tp_alloc: Some(super::PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

unsafe fn is_memoryview(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == &raw mut PyMemoryView_Type }
}

unsafe fn call_method(op: *mut PyObject, name: *mut PyObject, arg: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let Some((method, unbound)) = lookup_maybe_method(op, name)? else {
            PyErr_SetObject(PyExc_AttributeError, name);
            return Err(raised());
        };
        if unbound {
            let args = [op, arg];
            own(PyObject_Vectorcall(method.as_ptr(), args.as_ptr(), 2, null_mut()))
        } else {
            own(PyObject_CallOneArg(method.as_ptr(), arg))
        }
    }
}

/// `bf_getbuffer` by `__buffer__`.
pub(super) unsafe extern "C" fn slot_bf_getbuffer(slf: *mut PyObject, view: *mut Py_buffer, flags: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let body = || -> PyResult<()> {
            let flags_obj = own(PyLong_FromLong(flags as _))?;
            let ret = call_method(slf, intern!("__buffer__"), flags_obj.as_ptr())?;
            if !is_memoryview(ret.as_ptr()) {
                bail!(PyExc_TypeError, "__buffer__ returned non-memoryview object");
            }
            check_status(PyObject_GetBuffer(ret.as_ptr(), view, flags))?;
            let bw: *mut BufferWrapper = match gc_new(&raw mut _PyBufferWrapper_Type) {
                Ok(bw) => bw,
                Err(e) => {
                    PyBuffer_Release(view);
                    return Err(e);
                }
            };
            // The buffer's reference to the memoryview passes to the wrapper.
            (*bw).mv = (*view).obj;
            (*bw).obj = slf;
            Py_INCREF(slf);
            (*view).obj = gc_track(bw).into_raw();
            Ok(())
        };
        body().into_c()
    }
}

/// Calls `__release_buffer__`; errors can only be reported.
unsafe fn release_in_python(slf: *mut PyObject, view: *mut Py_buffer) {
    // SAFETY: [ARGS] the exception in flight is kept.
    unsafe {
        let exc = PyErr_GetRaisedException();
        release_in_python_inner(slf, view);
        PyErr_SetRaisedException(exc);
    }
}

unsafe fn release_in_python_inner(slf: *mut PyObject, view: *mut Py_buffer) {
    // SAFETY: [ARGS]
    unsafe {
        let type_name = (*(*slf).ob_type).tp_name;
        let owner = (*view).obj;
        let wrapped = !owner.is_null() && (*owner).ob_type == &raw mut _PyBufferWrapper_Type;
        let mv = if wrapped {
            // The very memoryview that __buffer__ returned.
            let mv = (*owner.cast::<BufferWrapper>()).mv;
            if mv.is_null() {
                return;
            }
            Owned::from_borrowed(mv)
        } else {
            let Ok(mv) = own(PyMemoryView_FromBuffer(view)) else {
                PyErr_FormatUnraisable(c"Exception ignored in bf_releasebuffer of %s".as_ptr(), type_name);
                return;
            };
            // Nobody may keep a reference to memory that is about to go away.
            (*mv.as_ptr().cast::<PyMemoryViewObject>()).flags |= MEMORYVIEW_RESTRICTED;
            mv
        };
        if call_method(slf, intern!("__release_buffer__"), mv.as_ptr()).is_err() {
            PyErr_FormatUnraisable(c"Exception ignored in __release_buffer__ of %s".as_ptr(), type_name);
        }
        if !wrapped && own(PyObject_CallMethodNoArgs(mv.as_ptr(), intern!("release"))).is_err() {
            PyErr_FormatUnraisable(c"Exception ignored in bf_releasebuffer of %s".as_ptr(), type_name);
        }
    }
}

/// The C-level `bf_releasebuffer` of a base, which must be called whatever `__release_buffer__` does.
unsafe fn inherited_release(tp: *mut PyTypeObject) -> Option<releasebufferproc> {
    // SAFETY: [ARGS]
    unsafe {
        let mro = (*tp).tp_mro;
        if mro.is_null() {
            return None;
        }
        super::tuple_items(mro)
            .iter()
            .skip_while(|&&b| b != tp.cast())
            .skip(1)
            .filter_map(|&b| (*b.cast::<PyTypeObject>()).tp_as_buffer.as_ref().and_then(|p| p.bf_releasebuffer))
            .find(|&f| fn_addr(Some(f)) != slot_bf_releasebuffer as *const () as usize)
    }
}

/// `bf_releasebuffer` by `__release_buffer__`.
pub(super) unsafe extern "C" fn slot_bf_releasebuffer(slf: *mut PyObject, view: *mut Py_buffer) {
    // SAFETY: [ARGS]
    unsafe {
        release_in_python(slf, view);
        if let Some(release) = inherited_release((*slf).ob_type) {
            release(slf, view);
        }
    }
}

/// A memoryview of what a C-level `bf_getbuffer` exports.
pub(super) unsafe fn memoryview_from_buffer_proc(slf: *mut PyObject, flags: c_int, f: getbufferproc) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { _PyMemoryView_FromBufferProc(slf, flags, f) }
}

/// `x.__release_buffer__(view)` of a C-level type.
pub(super) unsafe fn release_memoryview_of(slf: *mut PyObject, view: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if !is_memoryview(view) {
            bail!(PyExc_TypeError, "expected a memoryview object");
        }
        let mv: *mut PyMemoryViewObject = view.cast();
        if (*mv).view.obj.is_null() {
            return Ok(Owned::from_borrowed(Py_None()));
        }
        if (*mv).view.obj != slf {
            bail!(PyExc_ValueError, "memoryview's buffer is not this object");
        }
        if (*mv).flags & MEMORYVIEW_RELEASED != 0 {
            bail!(PyExc_ValueError, "memoryview's buffer has already been released");
        }
        own(PyObject_CallMethodNoArgs(view, intern!("release")))?;
        Ok(Owned::from_borrowed(Py_None()))
    }
}
