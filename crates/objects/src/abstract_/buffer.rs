//! The buffer protocol: getting and releasing views, contiguity, copies.

use super::*;
use core::ffi::c_void;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_CheckBuffer(obj: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { slot!(obj, tp_as_buffer, bf_getbuffer).is_some() as c_int }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GetBuffer(obj: *mut PyObject, view: *mut Py_buffer, flags: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if flags == PyBUF_READ || flags == PyBUF_WRITE {
            PyErr_BadInternalCall();
            return -1;
        }
        match slot!(obj, tp_as_buffer, bf_getbuffer) {
            Some(get) => get(obj, view, flags),
            None => {
                let _ = raise!(PyExc_TypeError, "a bytes-like object is required, not '{}'", name100(obj));
                -1
            }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBuffer_Release(view: *mut Py_buffer) {
    // SAFETY: [ARGS]
    unsafe {
        let obj = (*view).obj;
        if obj.is_null() {
            return;
        }
        if let Some(release) = slot!(obj, tp_as_buffer, bf_releasebuffer) {
            release(obj, view);
        }
        (*view).obj = null_mut();
        Py_DECREF(obj);
    }
}

/// Releases a view in the interpreter that made it; there is one interpreter's worth of objects.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBuffer_ReleaseInInterpreter(_interp: *mut PyInterpreterState, view: *mut Py_buffer) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyBuffer_Release(view) };
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBuffer_ReleaseInInterpreterAndRawFree(
    interp: *mut PyInterpreterState,
    view: *mut Py_buffer,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let r = _PyBuffer_ReleaseInInterpreter(interp, view);
        PyMem_RawFree(view.cast());
        r
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_CheckReadBuffer(obj: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Some(get) = slot!(obj, tp_as_buffer, bf_getbuffer) else { return 0 };
        let mut view = core::mem::zeroed::<Py_buffer>();
        if get(obj, &mut view, PyBUF_SIMPLE) == -1 {
            PyErr_Clear();
            return 0;
        }
        PyBuffer_Release(&mut view);
        1
    }
}

unsafe fn as_buffer(obj: *mut PyObject, buffer: *mut *const c_void, len: *mut Py_ssize_t, flags: c_int) -> c_int {
    // SAFETY: [ARGS] the caller relies on the object keeping its memory, as this old interface always has.
    unsafe {
        if obj.is_null() || buffer.is_null() || len.is_null() {
            null_error();
            return -1;
        }
        let mut view = core::mem::zeroed::<Py_buffer>();
        if PyObject_GetBuffer(obj, &mut view, flags) != 0 {
            return -1;
        }
        *buffer = view.buf;
        *len = view.len;
        PyBuffer_Release(&mut view);
        0
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_AsCharBuffer(
    obj: *mut PyObject,
    buffer: *mut *const c_char,
    len: *mut Py_ssize_t,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe { as_buffer(obj, buffer.cast(), len, PyBUF_SIMPLE) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_AsReadBuffer(
    obj: *mut PyObject,
    buffer: *mut *const c_void,
    len: *mut Py_ssize_t,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe { as_buffer(obj, buffer, len, PyBUF_SIMPLE) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_AsWriteBuffer(
    obj: *mut PyObject,
    buffer: *mut *mut c_void,
    len: *mut Py_ssize_t,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if obj.is_null() || buffer.is_null() || len.is_null() {
            null_error();
            return -1;
        }
        match slot!(obj, tp_as_buffer, bf_getbuffer) {
            Some(get) => {
                let mut view = core::mem::zeroed::<Py_buffer>();
                if get(obj, &mut view, PyBUF_WRITABLE) == 0 {
                    *buffer = view.buf;
                    *len = view.len;
                    PyBuffer_Release(&mut view);
                    return 0;
                }
            }
            None => {}
        }
        let _ = raise!(PyExc_TypeError, "expected a writable bytes-like object");
        -1
    }
}

unsafe fn is_fortran_contiguous(view: &Py_buffer) -> bool {
    // SAFETY: [ARGS] shape and strides have ndim items.
    unsafe {
        if view.len == 0 {
            return true;
        }
        let ndim = view.ndim as usize;
        if view.strides.is_null() {
            // Contiguous in C order; in both orders only if at most one dimension counts.
            return ndim <= 1 || (0..ndim).filter(|&i| *view.shape.add(i) > 1).count() <= 1;
        }
        let mut sd = view.itemsize;
        for i in 0..ndim {
            let dim = *view.shape.add(i);
            if dim > 1 && *view.strides.add(i) != sd {
                return false;
            }
            sd *= dim;
        }
        true
    }
}

unsafe fn is_c_contiguous(view: &Py_buffer) -> bool {
    // SAFETY: [ARGS] shape and strides have ndim items.
    unsafe {
        if view.len == 0 || view.strides.is_null() {
            return true;
        }
        let mut sd = view.itemsize;
        for i in (0..view.ndim as usize).rev() {
            let dim = *view.shape.add(i);
            if dim > 1 && *view.strides.add(i) != sd {
                return false;
            }
            sd *= dim;
        }
        true
    }
}

/// `order` is 'C', 'F' (Fortran) or 'A' (any of the two).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBuffer_IsContiguous(view: *const Py_buffer, order: c_char) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let v = &*view;
        if !v.suboffsets.is_null() {
            return 0;
        }
        (match order as u8 {
            b'C' => is_c_contiguous(v),
            b'F' => is_fortran_contiguous(v),
            b'A' => is_c_contiguous(v) || is_fortran_contiguous(v),
            _ => false,
        }) as c_int
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBuffer_GetPointer(view: *const Py_buffer, indices: *const Py_ssize_t) -> *mut c_void {
    // SAFETY: [ARGS] indices are within the shape.
    unsafe {
        let v = &*view;
        let mut p = v.buf.cast::<u8>();
        for i in 0..v.ndim as usize {
            p = p.offset(*v.strides.add(i) * *indices.add(i));
            if !v.suboffsets.is_null() && *v.suboffsets.add(i) >= 0 {
                p = (*p.cast::<*mut u8>()).offset(*v.suboffsets.add(i));
            }
        }
        p.cast()
    }
}

/// Advances `index` within `shape`, first index fastest.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_add_one_to_index_F(nd: c_int, index: *mut Py_ssize_t, shape: *const Py_ssize_t) {
    // SAFETY: [ARGS] nd items each.
    unsafe {
        for k in 0..nd as usize {
            if *index.add(k) < *shape.add(k) - 1 {
                *index.add(k) += 1;
                break;
            }
            *index.add(k) = 0;
        }
    }
}

/// Advances `index` within `shape`, last index fastest.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_add_one_to_index_C(nd: c_int, index: *mut Py_ssize_t, shape: *const Py_ssize_t) {
    // SAFETY: [ARGS] nd items each.
    unsafe {
        for k in (0..nd as usize).rev() {
            if *index.add(k) < *shape.add(k) - 1 {
                *index.add(k) += 1;
                break;
            }
            *index.add(k) = 0;
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBuffer_SizeFromFormat(format: *const c_char) -> Py_ssize_t {
    unsafe fn size(format: *const c_char) -> PyResult<Py_ssize_t> {
        // SAFETY: [ARGS]
        unsafe {
            let calcsize = Owned::from_owned_or_err(_PyImport_GetModuleAttrString(
                c"struct".as_ptr(),
                c"calcsize".as_ptr(),
            ))?;
            let fmt = Owned::from_owned_or_err(PyUnicode_FromString(format))?;
            let res = Owned::from_owned_or_err(PyObject_CallOneArg(calcsize.as_ptr(), fmt.as_ptr()))?;
            Ok(PyLong_AsSsize_t(res.as_ptr()))
        }
    }
    // SAFETY: [ARGS]
    unsafe { size(format).into_c() }
}

/// Spreads `len` contiguous bytes over a view; `order` says in which order they lie.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBuffer_FromContiguous(
    view: *const Py_buffer,
    buf: *const c_void,
    len: Py_ssize_t,
    order: c_char,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let v = &*view;
        let len = len.min(v.len);
        if PyBuffer_IsContiguous(view, order) != 0 {
            core::ptr::copy_nonoverlapping(buf.cast::<u8>(), v.buf.cast::<u8>(), len as usize);
            return 0;
        }
        let mut indices = [0 as Py_ssize_t; PyBUF_MAX_NDIM];
        let next = if order as u8 == b'F' { _Py_add_one_to_index_F } else { _Py_add_one_to_index_C };
        let mut src = buf.cast::<u8>();
        for _ in 0..len / v.itemsize {
            let p = PyBuffer_GetPointer(view, indices.as_ptr());
            core::ptr::copy_nonoverlapping(src, p.cast::<u8>(), v.itemsize as usize);
            src = src.offset(v.itemsize);
            next(v.ndim, indices.as_mut_ptr(), v.shape);
        }
        0
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_CopyData(dest: *mut PyObject, src: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyObject_CheckBuffer(dest) == 0 || PyObject_CheckBuffer(src) == 0 {
            let _ = raise!(PyExc_TypeError, "both destination and source must be bytes-like objects");
            return -1;
        }
        let mut vd = core::mem::zeroed::<Py_buffer>();
        let mut vs = core::mem::zeroed::<Py_buffer>();
        if PyObject_GetBuffer(dest, &mut vd, PyBUF_FULL) != 0 {
            return -1;
        }
        if PyObject_GetBuffer(src, &mut vs, PyBUF_FULL_RO) != 0 {
            PyBuffer_Release(&mut vd);
            return -1;
        }
        let mut result = 0;
        if vd.len < vs.len {
            let _ = raise!(PyExc_BufferError, "destination is too small to receive data from source");
            result = -1;
        } else if (PyBuffer_IsContiguous(&vd, b'C' as c_char) != 0 && PyBuffer_IsContiguous(&vs, b'C' as c_char) != 0)
            || (PyBuffer_IsContiguous(&vd, b'F' as c_char) != 0 && PyBuffer_IsContiguous(&vs, b'F' as c_char) != 0)
        {
            core::ptr::copy(vs.buf.cast::<u8>(), vd.buf.cast::<u8>(), vs.len as usize);
        } else {
            let mut indices = [0 as Py_ssize_t; PyBUF_MAX_NDIM];
            let elements: Py_ssize_t = (0..vs.ndim as usize).map(|i| *vs.shape.add(i)).product();
            for _ in 0..elements {
                let d = PyBuffer_GetPointer(&vd, indices.as_ptr());
                let s = PyBuffer_GetPointer(&vs, indices.as_ptr());
                core::ptr::copy(s.cast::<u8>(), d.cast::<u8>(), vs.itemsize as usize);
                _Py_add_one_to_index_C(vs.ndim, indices.as_mut_ptr(), vs.shape);
            }
        }
        PyBuffer_Release(&mut vd);
        PyBuffer_Release(&mut vs);
        result
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBuffer_FillContiguousStrides(
    nd: c_int,
    shape: *mut Py_ssize_t,
    strides: *mut Py_ssize_t,
    itemsize: c_int,
    order: c_char,
) {
    // SAFETY: [ARGS] nd items each.
    unsafe {
        let mut sd = itemsize as Py_ssize_t;
        let n = nd as usize;
        for k in 0..n {
            let i = if order as u8 == b'F' { k } else { n - 1 - k };
            *strides.add(i) = sd;
            sd *= *shape.add(i);
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBuffer_FillInfo(
    view: *mut Py_buffer,
    obj: *mut PyObject,
    buf: *mut c_void,
    len: Py_ssize_t,
    readonly: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe { fill_info(view, obj, buf, len, readonly, flags) }
}

/// Why [`fill_info`] refuses.
#[cold]
#[inline(never)]
unsafe fn refuse(view: *mut Py_buffer, flags: c_int) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        if view.is_null() {
            let _ = raise!(PyExc_BufferError, "PyBuffer_FillInfo: view==NULL argument is obsolete");
        } else if flags == PyBUF_READ || flags == PyBUF_WRITE {
            PyErr_BadInternalCall();
        } else {
            let _ = raise!(PyExc_BufferError, "Object is not writable.");
        }
        -1
    }
}

/// See [`PyBuffer_FillInfo`].
///
/// # Safety
/// [ARGS]
#[inline(always)]
pub(crate) unsafe fn fill_info(
    view: *mut Py_buffer,
    obj: *mut PyObject,
    buf: *mut c_void,
    len: Py_ssize_t,
    readonly: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let writable = flags & PyBUF_WRITABLE == PyBUF_WRITABLE;
        if view.is_null() || flags == PyBUF_READ || flags == PyBUF_WRITE || writable && readonly == 1 {
            return refuse(view, flags);
        }
        Py_XINCREF(obj);
        let v = &mut *view;
        v.obj = obj;
        v.buf = buf;
        v.len = len;
        v.readonly = readonly;
        v.itemsize = 1;
        v.format = null_mut();
        v.ndim = 1;
        v.shape = null_mut();
        v.strides = null_mut();
        v.suboffsets = null_mut();
        v.internal = null_mut();
        if flags & (PyBUF_FORMAT | PyBUF_STRIDES) != 0 {
            // More than the bytes is asked for.
            if flags & PyBUF_FORMAT == PyBUF_FORMAT {
                v.format = c"B".as_ptr().cast_mut();
            }
            if flags & PyBUF_ND == PyBUF_ND {
                v.shape = &raw mut v.len;
            }
            if flags & PyBUF_STRIDES == PyBUF_STRIDES {
                v.strides = &raw mut v.itemsize;
            }
        }
        0
    }
}
