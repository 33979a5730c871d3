//! `memoryview`, and the managed buffer through which several views share one export of an object.
//!
//! A view has complete buffer information: shape, strides and (as needed) suboffsets lie in its own `ob_array`, format
//! is never NULL. An object's buffer is released when the last view of its managed buffer is.

use crate::gc::{gc_new, gc_new_var, gc_track, gc_untrack};
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_char, c_int, c_long, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, getset, methods};

mod item;
use item::*;

const MBUF_RELEASED: c_int = 0x001;
const MBUF_FREE_FORMAT: c_int = 0x002;
const MV_RELEASED: c_int = 0x001;
const MV_C: c_int = 0x002;
const MV_FORTRAN: c_int = 0x004;
const MV_SCALAR: c_int = 0x008;
const MV_PIL: c_int = 0x010;
const MV_RESTRICTED: c_int = 0x020;

type Mv = *mut PyMemoryViewObject;
type Mbuf = *mut _PyManagedBufferObject;
type View<'a> = Borrowed<'a, PyMemoryViewObject>;

const MAX_NDIM: usize = PyBUF_MAX_NDIM;

// ---- managed buffer --------------------------------------------------------------------------------------------

unsafe fn mbuf_alloc() -> PyResult<Owned<_PyManagedBufferObject>> {
    // SAFETY: [GIL]
    unsafe {
        let mbuf = Owned::from_owned_or_err(gc_new::<_PyManagedBufferObject>(&raw mut _PyManagedBuffer_Type))?;
        let p = mbuf.as_ptr();
        (*p).flags = 0;
        (*p).exports = 0;
        (&raw mut (*p).master).write_bytes(0, 1);
        gc_track(p.cast());
        Ok(mbuf)
    }
}

unsafe fn mbuf_from_object(base: *mut PyObject, flags: c_int) -> PyResult<Owned<_PyManagedBufferObject>> {
    // SAFETY: [ARGS]
    unsafe {
        let mbuf = mbuf_alloc()?;
        let master = &raw mut (*mbuf.as_ptr()).master;
        if PyObject_GetBuffer(base, master, flags) < 0 {
            (*master).obj = null_mut();
            return Err(Raised::assume());
        }
        Ok(mbuf)
    }
}

unsafe fn mbuf_release(slf: Mbuf) {
    // SAFETY: [TYPE]
    unsafe {
        if (*slf).flags & MBUF_RELEASED != 0 {
            return;
        }
        (*slf).flags |= MBUF_RELEASED;
        gc_untrack(slf.cast());
        PyBuffer_Release(&raw mut (*slf).master);
    }
}

unsafe extern "C" fn mbuf_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        let mbuf: Mbuf = slf.cast();
        mbuf_release(mbuf);
        if (*mbuf).flags & MBUF_FREE_FORMAT != 0 {
            PyMem_Free((*mbuf).master.format.cast());
        }
        PyObject_GC_Del(slf.cast());
    }
}

unsafe extern "C" fn mbuf_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*slf.cast::<_PyManagedBufferObject>()).master.obj);
        0
    }
}

unsafe extern "C" fn mbuf_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { mbuf_release(slf.cast()) };
    0
}

/// The type of managed buffers, which Python code never sees.
#[unsafe(no_mangle)]
pub static mut _PyManagedBuffer_Type: PyTypeObject = PyTypeObject {
    tp_name: c"managedbuffer".as_ptr(),
    tp_basicsize: size_of::<_PyManagedBufferObject>() as Py_ssize_t,
    tp_dealloc: Some(mbuf_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(mbuf_traverse),
    tp_clear: Some(mbuf_clear),
    ..TYPE_INIT
};

// ---- state checks ----------------------------------------------------------------------------------------------

#[inline(always)]
unsafe fn inaccessible(mv: Mv) -> bool {
    // SAFETY: [TYPE] the collector may release the managed buffer before the view.
    unsafe { (*mv).flags & MV_RELEASED != 0 || (*(*mv).mbuf).flags & MBUF_RELEASED != 0 }
}

#[inline(always)]
unsafe fn check_released(mv: Mv) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if inaccessible(mv) {
            bail!(PyExc_ValueError, "operation forbidden on released memoryview object");
        }
        Ok(())
    }
}

unsafe fn check_restricted(mv: Mv) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if (*mv).flags & MV_RESTRICTED != 0 {
            bail!(PyExc_ValueError, "cannot create new view on restricted memoryview");
        }
        Ok(())
    }
}

#[inline(always)]
unsafe fn view_of<'a>(mv: Mv) -> &'a mut Py_buffer {
    // SAFETY: [TYPE] the GIL makes the access exclusive.
    unsafe { &mut (*mv).view }
}

/// Follows the pointer at `p` if the dimension is one of pointers (PIL-style).
#[inline(always)]
unsafe fn adjust_ptr(p: *mut u8, suboffsets: *const Py_ssize_t, dim: usize) -> *mut u8 {
    // SAFETY: [LAYOUT] suboffsets has ndim items.
    unsafe {
        if !suboffsets.is_null() && *suboffsets.add(dim) >= 0 {
            return (*p.cast::<*mut u8>()).offset(*suboffsets.add(dim));
        }
        p
    }
}

// ---- copying ---------------------------------------------------------------------------------------------------

unsafe fn last_dim_is_contiguous(dest: &Py_buffer, src: &Py_buffer) -> bool {
    unsafe fn plain(v: &Py_buffer) -> bool {
        // SAFETY: [LAYOUT] ndim > 0.
        unsafe {
            let last = v.ndim as usize - 1;
            (v.suboffsets.is_null() || *v.suboffsets.add(last) < 0) && *v.strides.add(last) == v.itemsize
        }
    }
    // SAFETY: [LAYOUT]
    unsafe { plain(dest) && plain(src) }
}

unsafe fn skip_at<'a>(fmt: *const c_char) -> &'a core::ffi::CStr {
    // SAFETY: [LAYOUT] NUL-terminated; views without format are bytes.
    unsafe {
        if fmt.is_null() {
            return c"B";
        }
        core::ffi::CStr::from_ptr(if *fmt as u8 == b'@' { fmt.add(1) } else { fmt })
    }
}

/// Equal shapes; after a zero, what follows doesn't matter.
unsafe fn equiv_shape(dest: &Py_buffer, src: &Py_buffer) -> bool {
    // SAFETY: [LAYOUT]
    unsafe {
        if dest.ndim != src.ndim {
            return false;
        }
        for i in 0..dest.ndim as usize {
            if *dest.shape.add(i) != *src.shape.add(i) {
                return false;
            }
            if *dest.shape.add(i) == 0 {
                break;
            }
        }
        true
    }
}

unsafe fn equiv_structure(dest: &Py_buffer, src: &Py_buffer) -> PyResult<()> {
    // SAFETY: [LAYOUT]
    unsafe {
        if skip_at(dest.format) != skip_at(src.format)
            || dest.itemsize != src.itemsize
            || !equiv_shape(dest, src)
        {
            bail!(PyExc_ValueError, "memoryview assignment: lvalue and rvalue have different structures");
        }
        Ok(())
    }
}

/// Copies dimension `dim` and those below it. A row that isn't contiguous on both sides goes through `row`, so that
/// overlapping views are copied right.
unsafe fn copy_rec(dest: &Py_buffer, src: &Py_buffer, dim: usize, d: *mut u8, s: *mut u8, row: &mut Option<Vec<u8>>) {
    // SAFETY: [LAYOUT] both have the same shape.
    unsafe {
        let n = *dest.shape.add(dim);
        let size = dest.itemsize as usize;
        let (dstride, sstride) = (*dest.strides.add(dim), *src.strides.add(dim));
        if dim + 1 == dest.ndim as usize {
            match row {
                None => core::ptr::copy(s, d, n as usize * size),
                Some(row) => {
                    for i in 0..n {
                        let p = adjust_ptr(s.wrapping_offset(i * sstride), src.suboffsets, dim);
                        core::ptr::copy_nonoverlapping(p, row.as_mut_ptr().add(i as usize * size), size);
                    }
                    for i in 0..n {
                        let p = adjust_ptr(d.wrapping_offset(i * dstride), dest.suboffsets, dim);
                        core::ptr::copy_nonoverlapping(row.as_ptr().add(i as usize * size), p, size);
                    }
                }
            }
            return;
        }
        for i in 0..n {
            let dp = adjust_ptr(d.wrapping_offset(i * dstride), dest.suboffsets, dim);
            let sp = adjust_ptr(s.wrapping_offset(i * sstride), src.suboffsets, dim);
            copy_rec(dest, src, dim + 1, dp, sp, row);
        }
    }
}

/// Copies a view's items into a view of the same structure with at least one dimension.
unsafe fn copy_buffer(dest: &Py_buffer, src: &Py_buffer) -> PyResult<()> {
    // SAFETY: [LAYOUT]
    unsafe {
        equiv_structure(dest, src)?;
        let mut row = None;
        if !last_dim_is_contiguous(dest, src) {
            let mut buffer: Vec<u8> = Vec::new();
            let n = (*dest.shape.add(dest.ndim as usize - 1) * dest.itemsize) as usize;
            if buffer.try_reserve_exact(n).is_err() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
            buffer.resize(n, 0);
            row = Some(buffer);
        }
        copy_rec(dest, src, 0, dest.buf.cast(), src.buf.cast(), &mut row);
        Ok(())
    }
}

unsafe fn init_strides_from_shape(view: &mut Py_buffer) {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut sd = view.itemsize;
        for i in (0..view.ndim as usize).rev() {
            *view.strides.add(i) = sd;
            sd *= *view.shape.add(i);
        }
    }
}

unsafe fn init_fortran_strides_from_shape(view: &mut Py_buffer) {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut sd = view.itemsize;
        for i in 0..view.ndim as usize {
            *view.strides.add(i) = sd;
            sd *= *view.shape.add(i);
        }
    }
}

unsafe fn init_strides(view: &mut Py_buffer, order: u8) {
    // SAFETY: [LAYOUT]
    unsafe { if order == b'F' { init_fortran_strides_from_shape(view) } else { init_strides_from_shape(view) } }
}

/// Copies `src`, which has full information and at least one dimension, to contiguous memory.
unsafe fn buffer_to_contiguous(mem: *mut u8, src: &Py_buffer, order: u8) -> PyResult<()> {
    // SAFETY: [LAYOUT] mem has src.len bytes.
    unsafe {
        let mut strides = [0; MAX_NDIM];
        let mut dest = core::ptr::read(src);
        dest.buf = mem.cast();
        dest.strides = strides.as_mut_ptr();
        dest.suboffsets = null_mut();
        init_strides(&mut dest, order);
        copy_buffer(&dest, src)
    }
}

/// Copies a view's items to contiguous memory in the given order ('C', 'F' or 'A').
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBuffer_ToContiguous(
    buf: *mut c_void,
    src: *const Py_buffer,
    len: Py_ssize_t,
    order: c_char,
) -> c_int {
    // SAFETY: [ARGS] the view may lack shape and strides.
    unsafe {
        let src = &*src;
        if len != src.len {
            let _ = raise!(PyExc_ValueError, "PyBuffer_ToContiguous: len != view->len");
            return -1;
        }
        if PyBuffer_IsContiguous(src, order) != 0 {
            core::ptr::copy_nonoverlapping(src.buf.cast::<u8>(), buf.cast::<u8>(), len as usize);
            return 0;
        }
        let mut arrays = [[0 as Py_ssize_t; MAX_NDIM]; 3];
        let mut full = core::mem::zeroed::<Py_buffer>();
        full.ndim = src.ndim;
        full.shape = arrays[0].as_mut_ptr();
        full.strides = arrays[1].as_mut_ptr();
        full.suboffsets = arrays[2].as_mut_ptr();
        init_shared_values(&mut full, src);
        init_shape_strides(&mut full, src);
        init_suboffsets(&mut full, src);
        buffer_to_contiguous(buf.cast(), &full, order as u8).into_c()
    }
}

// ---- construction ----------------------------------------------------------------------------------------------

fn init_shared_values(dest: &mut Py_buffer, src: &Py_buffer) {
    dest.obj = src.obj;
    dest.buf = src.buf;
    dest.len = src.len;
    dest.itemsize = src.itemsize;
    dest.readonly = src.readonly;
    dest.format = if src.format.is_null() { c"B".as_ptr().cast_mut() } else { src.format };
    dest.internal = src.internal;
}

/// Copies shape and strides, making up what is missing.
unsafe fn init_shape_strides(dest: &mut Py_buffer, src: &Py_buffer) {
    // SAFETY: [LAYOUT] dest has room for ndim items.
    unsafe {
        let n = src.ndim as usize;
        match n {
            0 => {
                dest.shape = null_mut();
                dest.strides = null_mut();
            }
            1 => {
                *dest.shape = if src.shape.is_null() { src.len / src.itemsize.max(1) } else { *src.shape };
                *dest.strides = if src.strides.is_null() { src.itemsize } else { *src.strides };
            }
            _ => {
                core::ptr::copy_nonoverlapping(src.shape, dest.shape, n);
                if src.strides.is_null() {
                    init_strides_from_shape(dest);
                } else {
                    core::ptr::copy_nonoverlapping(src.strides, dest.strides, n);
                }
            }
        }
    }
}

unsafe fn init_suboffsets(dest: &mut Py_buffer, src: &Py_buffer) {
    // SAFETY: [LAYOUT]
    unsafe {
        if src.suboffsets.is_null() {
            dest.suboffsets = null_mut();
        } else {
            core::ptr::copy_nonoverlapping(src.suboffsets, dest.suboffsets, src.ndim as usize);
        }
    }
}

unsafe fn init_flags(mv: Mv) {
    // SAFETY: [LAYOUT]
    unsafe {
        let view = view_of(mv);
        let mut flags = 0;
        match view.ndim {
            0 => flags |= MV_SCALAR | MV_C | MV_FORTRAN,
            1 => {
                if *view.shape == 1 || *view.strides == view.itemsize {
                    flags |= MV_C | MV_FORTRAN;
                }
            }
            _ => {
                if PyBuffer_IsContiguous(view, b'C' as c_char) != 0 {
                    flags |= MV_C;
                }
                if PyBuffer_IsContiguous(view, b'F' as c_char) != 0 {
                    flags |= MV_FORTRAN;
                }
            }
        }
        if !view.suboffsets.is_null() {
            flags |= MV_PIL;
            flags &= !(MV_C | MV_FORTRAN);
        }
        (*mv).flags = flags;
    }
}

/// A view registered with `mbuf` that still lacks shape, strides, suboffsets and flags.
unsafe fn mbuf_add_incomplete_view(
    mbuf: Mbuf,
    src: &Py_buffer,
    ndim: usize,
) -> PyResult<Owned<PyMemoryViewObject>> {
    // SAFETY: [ARGS] the array has 3 * ndim items.
    unsafe {
        let op: Owned<PyMemoryViewObject> =
            Owned::from_owned_or_err(gc_new_var(&raw mut PyMemoryView_Type, 3 * ndim as Py_ssize_t))?;
        let mv = op.as_ptr();
        let array = (&raw mut (*mv).ob_array).cast::<Py_ssize_t>();
        (&raw mut (*mv).view).write_bytes(0, 1);
        (*mv).hash = -1;
        (*mv).flags = 0;
        (*mv).exports = 0;
        (*mv).weakreflist = null_mut();
        (*mv).view.ndim = ndim as c_int;
        (*mv).view.shape = array;
        (*mv).view.strides = array.add(ndim);
        (*mv).view.suboffsets = array.add(2 * ndim);
        init_shared_values(&mut (*mv).view, src);
        Py_INCREF(mbuf.cast());
        (*mv).mbuf = mbuf;
        (*mbuf).exports += 1;
        gc_track(mv.cast());
        Ok(op)
    }
}

/// A complete view of `src` (NULL: of the managed buffer itself), registered with `mbuf`.
unsafe fn mbuf_add_view(mbuf: Mbuf, src: *const Py_buffer) -> PyResult<Owned<PyMemoryViewObject>> {
    // SAFETY: [ARGS]
    unsafe {
        let src = if src.is_null() { &(*mbuf).master } else { &*src };
        if src.ndim as usize > MAX_NDIM {
            bail!(PyExc_ValueError, "memoryview: number of dimensions must not exceed {MAX_NDIM}");
        }
        let mv = mbuf_add_incomplete_view(mbuf, src, src.ndim as usize)?;
        let dest = view_of(mv.as_ptr());
        init_shape_strides(dest, src);
        init_suboffsets(dest, src);
        init_flags(mv.as_ptr());
        Ok(mv)
    }
}

unsafe fn from_object_and_flags(v: *mut PyObject, flags: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyMemoryView_Check(v) != 0 {
            let mv: Mv = v.cast();
            check_released(mv)?;
            check_restricted(mv)?;
            return Ok(mbuf_add_view((*mv).mbuf, &(*mv).view)?.into_object());
        }
        if PyObject_CheckBuffer(v) != 0 {
            let mbuf = mbuf_from_object(v, flags)?;
            return Ok(mbuf_add_view(mbuf.as_ptr(), core::ptr::null())?.into_object());
        }
        bail!(PyExc_TypeError, "memoryview: a bytes-like object is required, not '{}'", type_name(v));
    }
}

/// A view of raw memory as bytes; `flags` is `PyBUF_READ` or `PyBUF_WRITE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMemoryView_FromMemory(mem: *mut c_char, size: Py_ssize_t, flags: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(mbuf) = mbuf_alloc() else { return null_mut() };
        let readonly = (flags != PyBUF_WRITE) as c_int;
        PyBuffer_FillInfo(&raw mut (*mbuf.as_ptr()).master, null_mut(), mem.cast(), size, readonly, PyBUF_FULL_RO);
        mbuf_add_view(mbuf.as_ptr(), core::ptr::null()).into_c()
    }
}

/// A view with the properties of `info`, whose `obj` isn't taken over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMemoryView_FromBuffer(info: *const Py_buffer) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if (*info).buf.is_null() {
            let _ = raise!(PyExc_ValueError, "PyMemoryView_FromBuffer(): info->buf must not be NULL");
            return null_mut();
        }
        let Ok(mbuf) = mbuf_alloc() else { return null_mut() };
        core::ptr::copy_nonoverlapping(info, &raw mut (*mbuf.as_ptr()).master, 1);
        (*mbuf.as_ptr()).master.obj = null_mut();
        mbuf_add_view(mbuf.as_ptr(), core::ptr::null()).into_c()
    }
}

/// A view of an object, got by the given function in place of its type's slot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMemoryView_FromBufferProc(
    v: *mut PyObject,
    flags: c_int,
    bufferproc: getbufferproc,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(mbuf) = mbuf_alloc() else { return null_mut() };
        let master = &raw mut (*mbuf.as_ptr()).master;
        if bufferproc(v, master, flags) < 0 {
            (*master).obj = null_mut();
            return null_mut();
        }
        mbuf_add_view(mbuf.as_ptr(), core::ptr::null()).into_c()
    }
}

/// A view of an object that exports a buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMemoryView_FromObject(v: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { from_object_and_flags(v, PyBUF_FULL_RO).into_c() }
}

/// A view of a contiguous copy, which is a new bytes object.
unsafe fn from_contiguous_copy(src: &Py_buffer, order: u8) -> PyResult<Owned> {
    // SAFETY: [LAYOUT] src has full information and at least one dimension.
    unsafe {
        let bytes = Owned::from_owned_or_err(PyBytes_FromStringAndSize(core::ptr::null(), src.len))?;
        let mbuf = mbuf_from_object(bytes.as_ptr(), PyBUF_FULL_RO)?;
        drop(bytes);
        if !src.format.is_null() {
            // The exporter, and its format string with it, may vanish.
            let text = core::ffi::CStr::from_ptr(src.format).to_bytes_with_nul();
            let copy = PyMem_Malloc(text.len()).cast::<c_char>();
            if copy.is_null() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
            core::ptr::copy_nonoverlapping(text.as_ptr().cast(), copy, text.len());
            (*mbuf.as_ptr()).master.format = copy;
            (*mbuf.as_ptr()).flags |= MBUF_FREE_FORMAT;
        }
        let mv = mbuf_add_incomplete_view(mbuf.as_ptr(), &(*mbuf.as_ptr()).master, src.ndim as usize)?;
        let dest = view_of(mv.as_ptr());
        dest.itemsize = src.itemsize;
        core::ptr::copy_nonoverlapping(src.shape, dest.shape, src.ndim as usize);
        init_strides(dest, order);
        dest.suboffsets = null_mut();
        init_flags(mv.as_ptr());
        copy_buffer(dest, src)?;
        Ok(mv.into_object())
    }
}

/// A contiguous view of an object: directly if its memory is, else (for reading) of a copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMemoryView_GetContiguous(obj: *mut PyObject, buffertype: c_int, order: c_char) -> *mut PyObject {
    unsafe fn get(obj: *mut PyObject, buffertype: c_int, order: c_char) -> PyResult<Owned> {
        // SAFETY: [ARGS]
        unsafe {
            let op = from_object_and_flags(obj, PyBUF_FULL_RO)?;
            let view = view_of(op.as_ptr().cast());
            if buffertype == PyBUF_WRITE && view.readonly != 0 {
                bail!(PyExc_BufferError, "underlying buffer is not writable");
            }
            if PyBuffer_IsContiguous(view, order) != 0 {
                return Ok(op);
            }
            if buffertype == PyBUF_WRITE {
                bail!(PyExc_BufferError, "writable contiguous buffer requested for a non-contiguous object.");
            }
            from_contiguous_copy(view, order as u8)
        }
    }
    // SAFETY: [ARGS]
    unsafe { get(obj, buffertype, order).into_c() }
}

fn memoryview_new(_tp: Borrowed<'_>, object: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { from_object_and_flags(object.ob(), PyBUF_FULL_RO) }
}

unsafe extern "C" fn memoryview_new_slot(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    let entry: newfunc = constructor!("memoryview(object)" => memoryview_new);
    // SAFETY: [ARGS]
    unsafe { entry(tp, args, kw) }
}

fn memoryview__from_flags(_cls: Borrowed<'_>, object: Borrowed<'_>, flags: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { from_object_and_flags(object.ob(), flags) }
}

// ---- release and collection --------------------------------------------------------------------------------------

unsafe fn release(mv: Mv) {
    // SAFETY: [TYPE]
    unsafe {
        if (*mv).flags & MV_RELEASED != 0 {
            return;
        }
        (*mv).flags |= MV_RELEASED;
        (*(*mv).mbuf).exports -= 1;
        if (*(*mv).mbuf).exports == 0 {
            mbuf_release((*mv).mbuf);
        }
    }
}

fn memoryview_release(slf: View<'_>) -> PyResult<()> {
    match slf.exports {
        0 => {
            // SAFETY: [TYPE]
            unsafe { release(slf.as_ptr()) };
            Ok(())
        }
        n if n > 0 => {
            bail!(PyExc_BufferError, "memoryview has {} exported buffer{}", n, if n == 1 { "" } else { "s" })
        }
        _ => bail!(PyExc_SystemError, "memoryview: negative export count"),
    }
}

fn memoryview___enter__(slf: View<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { check_released(slf.as_ptr())? };
    Ok(slf.object().to_owned())
}

fn memoryview___exit__(slf: View<'_>, _exc_info: taipan_clinic::Args<'_>) -> PyResult<()> {
    memoryview_release(slf)
}

unsafe extern "C" fn memory_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        let mv: Mv = slf.cast();
        gc_untrack(slf);
        release(mv);
        setref(&raw mut (*mv).mbuf, null_mut());
        if !(*mv).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        PyObject_GC_Del(slf.cast());
    }
}

unsafe extern "C" fn memory_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*slf.cast::<PyMemoryViewObject>()).mbuf);
        0
    }
}

unsafe extern "C" fn memory_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let mv: Mv = slf.cast();
        if (*mv).exports == 0 {
            release(mv);
            setref(&raw mut (*mv).mbuf, null_mut());
        }
        0
    }
}

// ---- casting -----------------------------------------------------------------------------------------------------

unsafe fn cast_to_1d(mv: Mv, format: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] format is a str.
    unsafe {
        let ascii = Owned::from_owned_or_err(PyUnicode_AsASCIIString(format))?;
        let text = PyBytes_AsString(ascii.as_ptr());
        let Some((destchar, itemsize)) = get_native_fmtchar(text) else {
            bail!(
                PyExc_ValueError,
                "memoryview: destination format must be a native single character format prefixed with an optional '@'"
            );
        };
        let view = view_of(mv);
        let from_bytes = get_native_fmtchar(view.format).is_some_and(|(c, _)| is_byte_format(c));
        if !from_bytes && !is_byte_format(destchar) {
            bail!(PyExc_TypeError, "memoryview: cannot cast between two non-byte formats");
        }
        if view.len % itemsize != 0 {
            bail!(PyExc_TypeError, "memoryview: length is not a multiple of itemsize");
        }
        view.format = get_native_fmtstr(destchar, *text as u8 == b'@').cast_mut();
        view.itemsize = itemsize;
        view.ndim = 1;
        *view.shape = view.len / itemsize;
        *view.strides = itemsize;
        view.suboffsets = null_mut();
        init_flags(mv);
        Ok(())
    }
}

unsafe fn cast_to_nd(mv: Mv, shape: *mut PyObject, ndim: usize) -> PyResult<()> {
    // SAFETY: [ARGS] the view has room for ndim dimensions; shape is a list or a tuple.
    unsafe {
        let view = view_of(mv);
        view.ndim = ndim as c_int;
        let mut len = view.itemsize;
        if ndim == 0 {
            view.shape = null_mut();
            view.strides = null_mut();
        } else {
            for i in 0..ndim {
                let item = Owned::from_owned_or_err(PySequence_GetItem(shape, i as Py_ssize_t))?;
                if PyLong_Check(item.as_ptr()) == 0 {
                    bail!(PyExc_TypeError, "memoryview.cast(): elements of shape must be integers");
                }
                let x = PyLong_AsSsize_t(item.as_ptr());
                if x == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                if x <= 0 {
                    bail!(PyExc_ValueError, "memoryview.cast(): elements of shape must be integers > 0");
                }
                len = match len.checked_mul(x) {
                    Some(len) => len,
                    None => bail!(PyExc_ValueError, "memoryview.cast(): product(shape) > SSIZE_MAX"),
                };
                *view.shape.add(i) = x;
            }
            init_strides_from_shape(view);
        }
        if view.len != len {
            bail!(PyExc_TypeError, "memoryview: product(shape) * itemsize != buffer size");
        }
        init_flags(mv);
        Ok(())
    }
}

fn memoryview_cast(slf: View<'_>, format: taipan_clinic::Str<'_>, shape: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let mv = slf.as_ptr();
        check_released(mv)?;
        check_restricted(mv)?;
        if (*mv).flags & (MV_SCALAR | MV_C) == 0 {
            bail!(PyExc_TypeError, "memoryview: casts are restricted to C-contiguous views");
        }
        let view = view_of(mv);
        let zero = (0..view.ndim as usize).any(|i| *view.shape.add(i) == 0);
        if (shape.is_some() || view.ndim != 1) && zero {
            bail!(PyExc_TypeError, "memoryview: cannot cast view with zeros in shape or strides");
        }
        let mut ndim = 1;
        if let Some(shape) = shape {
            if PyList_Check(shape.ob()) == 0 && PyTuple_Check(shape.ob()) == 0 {
                bail!(PyExc_TypeError, "shape must be a list or a tuple");
            }
            ndim = Py_SIZE(shape.ob()) as usize;
            if ndim > MAX_NDIM {
                bail!(PyExc_ValueError, "memoryview: number of dimensions must not exceed {MAX_NDIM}");
            }
            if view.ndim != 1 && ndim != 1 {
                bail!(PyExc_TypeError, "memoryview: cast must be 1D -> ND or ND -> 1D");
            }
        }
        let new = mbuf_add_incomplete_view((*mv).mbuf, view, ndim.max(1))?;
        cast_to_1d(new.as_ptr(), format.ob())?;
        if let Some(shape) = shape {
            cast_to_nd(new.as_ptr(), shape.ob(), ndim)?;
        }
        Ok(new.into_object())
    }
}

fn memoryview_toreadonly(slf: View<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] a new view even of a read-only one, because each is released on its own.
    unsafe {
        let mv = slf.as_ptr();
        check_released(mv)?;
        check_restricted(mv)?;
        let new = mbuf_add_view((*mv).mbuf, &(*mv).view)?;
        (*new.as_ptr()).view.readonly = 1;
        Ok(new.into_object())
    }
}

// ---- exporting ---------------------------------------------------------------------------------------------------

unsafe fn getbuf(mv: Mv, view: &mut Py_buffer, flags: c_int) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        check_released(mv)?;
        check_restricted(mv)?;
        let base = view_of(mv);
        let has = |request: c_int| flags & request == request;
        let baseflags = (*mv).flags;
        *view = core::ptr::read(base);
        view.obj = null_mut();
        if flags & PyBUF_WRITABLE != 0 && base.readonly != 0 {
            bail!(PyExc_BufferError, "memoryview: underlying buffer is not writable");
        }
        if flags & PyBUF_FORMAT == 0 {
            // As if cast to bytes, except that itemsize stays.
            view.format = null_mut();
        }
        if has(PyBUF_C_CONTIGUOUS) && baseflags & (MV_SCALAR | MV_C) == 0 {
            bail!(PyExc_BufferError, "memoryview: underlying buffer is not C-contiguous");
        }
        if has(PyBUF_F_CONTIGUOUS) && baseflags & (MV_SCALAR | MV_FORTRAN) == 0 {
            bail!(PyExc_BufferError, "memoryview: underlying buffer is not Fortran contiguous");
        }
        if has(PyBUF_ANY_CONTIGUOUS) && baseflags & (MV_SCALAR | MV_C | MV_FORTRAN) == 0 {
            bail!(PyExc_BufferError, "memoryview: underlying buffer is not contiguous");
        }
        if !has(PyBUF_INDIRECT) && baseflags & MV_PIL != 0 {
            bail!(PyExc_BufferError, "memoryview: underlying buffer requires suboffsets");
        }
        if !has(PyBUF_STRIDES) {
            if baseflags & (MV_SCALAR | MV_C) == 0 {
                bail!(PyExc_BufferError, "memoryview: underlying buffer is not C-contiguous");
            }
            view.strides = null_mut();
        }
        if !has(PyBUF_ND) {
            if !view.format.is_null() {
                bail!(
                    PyExc_BufferError,
                    "memoryview: cannot cast to unsigned bytes if the format flag is present"
                );
            }
            view.ndim = 1;
            view.shape = null_mut();
        }
        Py_INCREF(mv.cast());
        view.obj = mv.cast();
        (*mv).exports += 1;
        Ok(())
    }
}

unsafe extern "C" fn memory_getbuf(slf: *mut PyObject, view: *mut Py_buffer, flags: c_int) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let r = getbuf(slf.cast(), &mut *view, flags);
        if r.is_err() {
            (*view).obj = null_mut();
        }
        r.into_c()
    }
}

unsafe extern "C" fn memory_releasebuf(slf: *mut PyObject, _view: *mut Py_buffer) {
    // SAFETY: [TYPE]
    unsafe { (*slf.cast::<PyMemoryViewObject>()).exports -= 1 };
}

// ---- representations ---------------------------------------------------------------------------------------------

unsafe fn tolist_rec(mv: Mv, p: *mut u8, dim: usize, fmt: u8) -> PyResult<Owned> {
    // SAFETY: [LAYOUT]
    unsafe {
        let view = view_of(mv);
        let n = *view.shape.add(dim);
        let last = dim + 1 == view.ndim as usize;
        let list = Owned::from_owned_or_err(PyList_New(n))?;
        for i in 0..n {
            let q = adjust_ptr(p.wrapping_offset(i * *view.strides.add(dim)), view.suboffsets, dim);
            let item = if last { unpack_single(mv, q, fmt)? } else { tolist_rec(mv, q, dim + 1, fmt)? };
            PyList_SET_ITEM(list.as_ptr(), i, item.into_raw());
        }
        Ok(list)
    }
}

fn memoryview_tolist(slf: View<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let mv = slf.as_ptr();
        check_released(mv)?;
        let view = view_of(mv);
        let fmt = adjust_fmt(view)?;
        if view.ndim == 0 {
            return unpack_single(mv, view.buf.cast(), fmt);
        }
        tolist_rec(mv, view.buf.cast(), 0, fmt)
    }
}

unsafe fn contiguous_bytes(view: &Py_buffer, order: u8) -> PyResult<Owned> {
    // SAFETY: [LAYOUT]
    unsafe {
        let bytes = Owned::from_owned_or_err(PyBytes_FromStringAndSize(core::ptr::null(), view.len))?;
        check_status(PyBuffer_ToContiguous(
            PyBytes_AsString(bytes.as_ptr()).cast(),
            view,
            view.len,
            order as c_char,
        ))?;
        Ok(bytes)
    }
}

fn memoryview_tobytes(slf: View<'_>, order: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        check_released(slf.as_ptr())?;
        let mut ord = b'C';
        if !order.is_none() {
            ord = match text_of(order)? {
                "C" => b'C',
                "F" => b'F',
                "A" => b'A',
                _ => bail!(PyExc_ValueError, "order must be 'C', 'F' or 'A'"),
            };
        }
        contiguous_bytes(view_of(slf.as_ptr()), ord)
    }
}

fn tobytes_default(slf: View<'_>, order: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: None is immortal.
    memoryview_tobytes(slf, order.unwrap_or(unsafe { Borrowed::from_ptr(Py_None()) }))
}

fn text_of<'a>(op: Borrowed<'a>) -> PyResult<&'a str> {
    // SAFETY: [ARGS] the cached UTF-8 lives as long as the object.
    unsafe {
        if PyUnicode_Check(op.ob()) == 0 {
            bail!(PyExc_TypeError, "tobytes() argument 'order' must be str or None, not {}", type_name(op.ob()));
        }
        let mut size = 0;
        let p = PyUnicode_AsUTF8AndSize(op.ob(), &mut size);
        if p.is_null() {
            return Err(Raised::assume());
        }
        Ok(core::str::from_utf8_unchecked(core::slice::from_raw_parts(p.cast(), size as usize)))
    }
}

unsafe extern "C" {
    fn _Py_strhex_with_sep(s: *const c_char, len: Py_ssize_t, sep: *mut PyObject, bytes_per_sep: c_int) -> *mut PyObject;
}

fn memoryview_hex(slf: View<'_>, sep: Option<Borrowed<'_>>, bytes_per_sep: i32) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        check_released(slf.as_ptr())?;
        let view = view_of(slf.as_ptr());
        let sep = sep.map_or(null_mut(), |s| s.ob());
        if slf.flags & (MV_SCALAR | MV_C) != 0 {
            return Owned::from_owned_or_err(_Py_strhex_with_sep(view.buf.cast(), view.len, sep, bytes_per_sep));
        }
        let bytes = contiguous_bytes(view, b'C')?;
        Owned::from_owned_or_err(_Py_strhex_with_sep(
            PyBytes_AsString(bytes.as_ptr()),
            PyBytes_Size(bytes.as_ptr()),
            sep,
            bytes_per_sep,
        ))
    }
}

unsafe extern "C" fn memory_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let released = (*slf.cast::<PyMemoryViewObject>()).flags & MV_RELEASED != 0;
        PyUnicode_FromFormat(
            if released { c"<released memory at %p>" } else { c"<memory at %p>" }.as_ptr(),
            slf,
        )
    }
}

// ---- indexing ------------------------------------------------------------------------------------------------------

unsafe fn lookup_dimension(view: &Py_buffer, p: *mut u8, dim: usize, index: Py_ssize_t) -> PyResult<*mut u8> {
    // SAFETY: [LAYOUT]
    unsafe {
        let n = *view.shape.add(dim);
        let index = if index < 0 { index + n } else { index };
        if index < 0 || index >= n {
            bail!(PyExc_IndexError, "index out of bounds on dimension {}", dim + 1);
        }
        Ok(adjust_ptr(p.wrapping_offset(*view.strides.add(dim) * index), view.suboffsets, dim))
    }
}

unsafe fn as_index(key: *mut PyObject) -> PyResult<Py_ssize_t> {
    // SAFETY: [ARGS]
    unsafe {
        let i = PyNumber_AsSsize_t(key, PyExc_IndexError);
        if i == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(i) }
    }
}

unsafe fn ptr_from_tuple(view: &Py_buffer, tuple: *mut PyObject) -> PyResult<*mut u8> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyTuple_GET_SIZE(tuple);
        if n > view.ndim as Py_ssize_t {
            bail!(PyExc_TypeError, "cannot index {}-dimension view with {}-element tuple", view.ndim, n);
        }
        let mut p = view.buf.cast();
        for dim in 0..n {
            let index = as_index(PyTuple_GET_ITEM(tuple, dim))?;
            p = lookup_dimension(view, p, dim as usize, index)?;
        }
        Ok(p)
    }
}

unsafe fn item_at(mv: Mv, index: Py_ssize_t) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        check_released(mv)?;
        let view = view_of(mv);
        let fmt = adjust_fmt(view)?;
        match view.ndim {
            0 => bail!(PyExc_TypeError, "invalid indexing of 0-dim memory"),
            1 => unpack_single(mv, lookup_dimension(view, view.buf.cast(), 0, index)?, fmt),
            _ => bail!(PyExc_NotImplementedError, "multi-dimensional sub-views are not implemented"),
        }
    }
}

unsafe extern "C" fn memory_item(slf: *mut PyObject, index: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { item_at(slf.cast(), index).into_c() }
}

/// Narrows dimension `dim` of a view by a slice.
unsafe fn init_slice(base: &mut Py_buffer, key: *mut PyObject, dim: usize) -> PyResult<()> {
    // SAFETY: [LAYOUT]
    unsafe {
        let (mut start, mut stop, mut step) = (0, 0, 0);
        check_status(PySlice_Unpack(key, &mut start, &mut stop, &mut step))?;
        let length = PySlice_AdjustIndices(*base.shape.add(dim), &mut start, &mut stop, step);
        let offset = *base.strides.add(dim) * start;
        let indirect = if base.suboffsets.is_null() {
            None
        } else {
            // The nearest dimension of pointers before this one: the offset applies to what they point to.
            (0..dim).rev().find(|&n| *base.suboffsets.add(n) >= 0)
        };
        match indirect {
            Some(n) => *base.suboffsets.add(n) += offset,
            None => base.buf = base.buf.cast::<u8>().wrapping_offset(offset).cast(),
        }
        *base.shape.add(dim) = length;
        *base.strides.add(dim) = (*base.strides.add(dim)).wrapping_mul(step);
        Ok(())
    }
}

/// Whether `key` is a tuple of objects that all pass `test`.
unsafe fn all_in_tuple(key: *mut PyObject, test: impl Fn(*mut PyObject) -> bool) -> bool {
    // SAFETY: [ARGS]
    unsafe { PyTuple_Check(key) != 0 && (0..PyTuple_GET_SIZE(key)).all(|i| test(PyTuple_GET_ITEM(key, i))) }
}

unsafe fn is_index(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { crate::abstract_::number::index_slot(op).is_some() }
}
unsafe fn is_multiindex(key: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { all_in_tuple(key, |x| is_index(x)) }
}
unsafe fn is_multislice(key: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { all_in_tuple(key, |x| PySlice_Check(x) != 0) && PyTuple_GET_SIZE(key) > 0 }
}
unsafe fn is_empty_tuple(key: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { PyTuple_Check(key) != 0 && PyTuple_GET_SIZE(key) == 0 }
}

unsafe fn subscript(mv: Mv, key: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        check_released(mv)?;
        let view = view_of(mv);
        if view.ndim == 0 {
            if is_empty_tuple(key) {
                return unpack_single(mv, view.buf.cast(), adjust_fmt(view)?);
            }
            if key == Py_Ellipsis() {
                return Ok(Owned::from_borrowed(mv.cast()));
            }
            bail!(PyExc_TypeError, "invalid indexing of 0-dim memory");
        }
        if is_index(key) {
            return item_at(mv, as_index(key)?);
        }
        if PySlice_Check(key) != 0 {
            check_restricted(mv)?;
            let sliced = mbuf_add_view((*mv).mbuf, view)?;
            let new = view_of(sliced.as_ptr());
            init_slice(new, key, 0)?;
            new.len = (0..new.ndim as usize).map(|i| *new.shape.add(i)).product::<Py_ssize_t>() * new.itemsize;
            init_flags(sliced.as_ptr());
            return Ok(sliced.into_object());
        }
        if is_multiindex(key) {
            let fmt = adjust_fmt(view)?;
            if PyTuple_GET_SIZE(key) < view.ndim as Py_ssize_t {
                bail!(PyExc_NotImplementedError, "sub-views are not implemented");
            }
            let p = ptr_from_tuple(view, key)?;
            return unpack_single(mv, p, fmt);
        }
        if is_multislice(key) {
            bail!(PyExc_NotImplementedError, "multi-dimensional slicing is not implemented");
        }
        bail!(PyExc_TypeError, "memoryview: invalid slice key");
    }
}

unsafe extern "C" fn memory_subscript(slf: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { subscript(slf.cast(), key).into_c() }
}

/// `mv[slice] = value` for one dimension.
unsafe fn assign_slice(mv: Mv, key: *mut PyObject, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let mut src = core::mem::zeroed::<Py_buffer>();
        check_status(PyObject_GetBuffer(value, &mut src, PyBUF_FULL_RO))?;
        let copy = || -> PyResult<()> {
            let view = view_of(mv);
            let mut arrays = [*view.shape, *view.strides, 0];
            let mut dest = core::ptr::read(view);
            dest.shape = &raw mut arrays[0];
            dest.strides = &raw mut arrays[1];
            if !view.suboffsets.is_null() {
                arrays[2] = *view.suboffsets;
                dest.suboffsets = &raw mut arrays[2];
            }
            init_slice(&mut dest, key, 0)?;
            dest.len = *dest.shape * dest.itemsize;
            // The slice's indices may have run code.
            check_released(mv)?;
            copy_buffer(&dest, &src)
        };
        let result = copy();
        PyBuffer_Release(&mut src);
        result
    }
}

unsafe fn ass_sub(mv: Mv, key: *mut PyObject, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        check_released(mv)?;
        let view = view_of(mv);
        let fmt = adjust_fmt(view)?;
        if view.readonly != 0 {
            bail!(PyExc_TypeError, "cannot modify read-only memory");
        }
        if value.is_null() {
            bail!(PyExc_TypeError, "cannot delete memory");
        }
        if view.ndim == 0 {
            if key == Py_Ellipsis() || is_empty_tuple(key) {
                return pack_single(mv, view.buf.cast(), value, fmt);
            }
            bail!(PyExc_TypeError, "invalid indexing of 0-dim memory");
        }
        if is_index(key) {
            if view.ndim > 1 {
                bail!(PyExc_NotImplementedError, "sub-views are not implemented");
            }
            let index = as_index(key)?;
            check_released(mv)?;
            return pack_single(mv, lookup_dimension(view, view.buf.cast(), 0, index)?, value, fmt);
        }
        if PySlice_Check(key) != 0 && view.ndim == 1 {
            return assign_slice(mv, key, value);
        }
        if is_multiindex(key) {
            if PyTuple_GET_SIZE(key) < view.ndim as Py_ssize_t {
                bail!(PyExc_NotImplementedError, "sub-views are not implemented");
            }
            let p = ptr_from_tuple(view, key)?;
            return pack_single(mv, p, value, fmt);
        }
        if PySlice_Check(key) != 0 || is_multislice(key) {
            bail!(
                PyExc_NotImplementedError,
                "memoryview slice assignments are currently restricted to ndim = 1"
            );
        }
        bail!(PyExc_TypeError, "memoryview: invalid slice key");
    }
}

unsafe extern "C" fn memory_ass_sub(slf: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { ass_sub(slf.cast(), key, value).into_c() }
}

unsafe extern "C" fn memory_length(slf: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe {
        let mv: Mv = slf.cast();
        if check_released(mv).is_err() {
            return -1;
        }
        if (*mv).view.ndim == 0 {
            let _ = raise!(PyExc_TypeError, "0-dim memory has no length");
            return -1;
        }
        *(*mv).view.shape
    }
}

// ---- comparison and hash -------------------------------------------------------------------------------------------

unsafe fn cmp_rec(v: &Py_buffer, w: &Py_buffer, dim: usize, p: *mut u8, q: *mut u8, how: &mut Compare) -> PyResult<bool> {
    // SAFETY: [LAYOUT] both have the same shape.
    unsafe {
        let last = dim + 1 == v.ndim as usize;
        for i in 0..*v.shape.add(dim) {
            let xp = adjust_ptr(p.wrapping_offset(i * *v.strides.add(dim)), v.suboffsets, dim);
            let xq = adjust_ptr(q.wrapping_offset(i * *w.strides.add(dim)), w.suboffsets, dim);
            let equal = if last { unpack_cmp(xp, xq, how)? } else { cmp_rec(v, w, dim + 1, xp, xq, how)? };
            if !equal {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// An unpacker, or `None` when the format is none that `struct` knows: such views are equal to nothing.
unsafe fn unpacker(view: &Py_buffer) -> PyResult<Option<Unpacker>> {
    // SAFETY: [LAYOUT]
    unsafe {
        match Unpacker::new(view.format, view.itemsize) {
            Ok(u) => Ok(Some(u)),
            Err(e) if e.matches(PyExc_ImportError) || e.matches(PyExc_MemoryError) => Err(e),
            Err(e) => {
                e.clear();
                Ok(None)
            }
        }
    }
}

unsafe fn views_equal(v: &Py_buffer, w: &Py_buffer) -> PyResult<bool> {
    // SAFETY: [LAYOUT] both have full information.
    unsafe {
        if !equiv_shape(v, w) {
            return Ok(false);
        }
        let mut how = match (get_native_fmtchar(v.format), get_native_fmtchar(w.format)) {
            (Some((a, _)), Some((b, _))) if a == b => Compare::Native(a),
            _ => {
                let Some(uv) = unpacker(v)? else { return Ok(false) };
                let Some(uw) = unpacker(w)? else { return Ok(false) };
                Compare::Struct(Box::new((uv, uw)))
            }
        };
        if v.ndim == 0 {
            return unpack_cmp(v.buf.cast(), w.buf.cast(), &mut how);
        }
        cmp_rec(v, w, 0, v.buf.cast(), w.buf.cast(), &mut how)
    }
}

/// `None`: not comparable.
unsafe fn memory_equal(v: *mut PyObject, w: *mut PyObject) -> PyResult<Option<bool>> {
    // SAFETY: [TYPE]
    unsafe {
        if inaccessible(v.cast()) {
            return Ok(Some(v == w));
        }
        let vv = view_of(v.cast());
        if PyMemoryView_Check(w) != 0 {
            if inaccessible(w.cast()) {
                return Ok(Some(v == w));
            }
            return views_equal(vv, view_of(w.cast())).map(Some);
        }
        let mut ww = core::mem::zeroed::<Py_buffer>();
        if PyObject_GetBuffer(w, &mut ww, PyBUF_FULL_RO) < 0 {
            PyErr_Clear();
            return Ok(None);
        }
        if ww.format.is_null() {
            ww.format = c"B".as_ptr().cast_mut();
        }
        let r = views_equal(vv, &ww);
        PyBuffer_Release(&mut ww);
        r.map(Some)
    }
}

unsafe extern "C" fn memory_richcompare(v: *mut PyObject, w: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        if op != Py_EQ && op != Py_NE {
            return Py_NotImplemented();
        }
        match memory_equal(v, w) {
            Ok(None) => Py_NotImplemented(),
            Ok(Some(equal)) if equal == (op == Py_EQ) => Py_True(),
            Ok(Some(_)) => Py_False(),
            Err(_) => null_mut(),
        }
    }
}

unsafe fn hash(mv: Mv) -> PyResult<Py_hash_t> {
    // SAFETY: [TYPE]
    unsafe {
        if (*mv).hash != -1 {
            return Ok((*mv).hash);
        }
        check_released(mv)?;
        let view = view_of(mv);
        if view.readonly == 0 {
            bail!(PyExc_ValueError, "cannot hash writable memoryview object");
        }
        if !get_native_fmtchar(view.format).is_some_and(|(c, _)| is_byte_format(c)) {
            bail!(PyExc_ValueError, "memoryview: hashing is restricted to formats 'B', 'b' or 'c'");
        }
        // The exporter must be hashable: otherwise its content could change.
        if !view.obj.is_null() && PyObject_Hash(view.obj) == -1 {
            return Err(Raised::assume());
        }
        let h = if (*mv).flags & (MV_SCALAR | MV_C) != 0 {
            crate::pyhash::hash_bytes(view.buf.cast(), view.len as usize)
        } else {
            let bytes = contiguous_bytes(view, b'C')?;
            crate::pyhash::hash_bytes(PyBytes_AsString(bytes.as_ptr()).cast(), view.len as usize)
        };
        (*mv).hash = h;
        Ok(h)
    }
}

unsafe extern "C" fn memory_hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe { hash(slf.cast()).unwrap_or(-1) }
}

// ---- attributes ----------------------------------------------------------------------------------------------------

fn int_tuple(n: c_int, values: *const Py_ssize_t) -> PyResult<Owned> {
    // SAFETY: [LAYOUT] n items, unless NULL.
    unsafe {
        let n = if values.is_null() { 0 } else { n as Py_ssize_t };
        let tuple = Owned::from_owned_or_err(PyTuple_New(n))?;
        for i in 0..n {
            let item = Owned::from_owned_or_err(PyLong_FromSsize_t(*values.offset(i)))?;
            PyTuple_SET_ITEM(tuple.as_ptr(), i, item.into_raw());
        }
        Ok(tuple)
    }
}

macro_rules! getters {
    ($($name:ident: $t:ty = |$mv:ident, $v:ident| $get:expr;)*) => { $(
        fn $name(slf: View<'_>) -> PyResult<$t> {
            // SAFETY: [TYPE]
            unsafe {
                let $mv = slf.as_ptr();
                check_released($mv)?;
                #[allow(unused_variables, reason = "each getter reads one of the two")]
                let $v = view_of($mv);
                $get
            }
        }
    )* };
}
getters! {
    get_obj: Owned = |mv, v| Ok(Owned::from_borrowed(if v.obj.is_null() { Py_None() } else { v.obj }));
    get_nbytes: isize = |mv, v| Ok(v.len);
    get_format: Owned = |mv, v| Owned::from_owned_or_err(PyUnicode_FromString(v.format));
    get_itemsize: isize = |mv, v| Ok(v.itemsize);
    get_shape: Owned = |mv, v| int_tuple(v.ndim, v.shape);
    get_strides: Owned = |mv, v| int_tuple(v.ndim, v.strides);
    get_suboffsets: Owned = |mv, v| int_tuple(v.ndim, v.suboffsets);
    get_readonly: bool = |mv, v| Ok(v.readonly != 0);
    get_ndim: i32 = |mv, v| Ok(v.ndim);
    get_c_contiguous: bool = |mv, v| Ok((*mv).flags & (MV_SCALAR | MV_C) != 0);
    get_f_contiguous: bool = |mv, v| Ok((*mv).flags & (MV_SCALAR | MV_FORTRAN) != 0);
    get_contiguous: bool = |mv, v| Ok((*mv).flags & (MV_SCALAR | MV_C | MV_FORTRAN) != 0);
}

getset! {
    static MEMORY_GETSET = [
        "obj" => get_obj, "The object whose memory is viewed.";
        "nbytes" => get_nbytes, "How many bytes the items would take if they lay without gaps.";
        "readonly" => get_readonly, "Whether the memory is read-only.";
        "itemsize" => get_itemsize, "Size of an item in bytes.";
        "format" => get_format, "Format of an item, as in the struct module.";
        "ndim" => get_ndim, "Number of dimensions.";
        "shape" => get_shape, "Length of each dimension, as a tuple.";
        "strides" => get_strides, "Bytes from one item to the next in each dimension, as a tuple.";
        "suboffsets" => get_suboffsets, "Offsets for dimensions made of pointers, as a tuple.";
        "c_contiguous" => get_c_contiguous, "Whether the items lie without gaps in C order.";
        "f_contiguous" => get_f_contiguous, "Whether the items lie without gaps in Fortran order.";
        "contiguous" => get_contiguous, "Whether the items lie without gaps.";
    ];
}
methods! {
    static MEMORY_METHODS = [
        "release($self, /)" => memoryview_release, "Give up the underlying buffer.";
        "tobytes($self, /, order='C')" => tobytes_default,
            "The items as bytes.\n\nThe order is 'C', 'F' (Fortran) or 'A', which keeps the order of contiguous memory.";
        "hex($self, /, sep=<unrepresentable>, bytes_per_sep=1)" => memoryview_hex,
            "The bytes as hexadecimal digits.\n\nA separator may be put after each group of bytes_per_sep bytes, counted from the right,\nor from the left if that is negative.\n\n>>> value = memoryview(b'\\n\\xff ')\n>>> value.hex()\n'0aff20'\n>>> value.hex(':')\n'0a:ff:20'\n>>> value.hex('-', 2)\n'0a-ff20'\n>>> value.hex('-', -2)\n'0aff-20'";
        "tolist($self, /)" => memoryview_tolist, "The items as a list, nested for several dimensions.";
        "cast($self, /, format, shape=<unrepresentable>)" => memoryview_cast, "A view with another format or shape.";
        "toreadonly($self, /)" => memoryview_toreadonly, "A read-only view of the same memory.";
        class "_from_flags($type, /, object, flags)" => memoryview__from_flags,
            "A view of an object, requested with the given flags.";
        "__enter__($self, /)" => memoryview___enter__, "";
        "__exit__($self, /, *exc_info)" => memoryview___exit__, "Give up the underlying buffer.";
    ];
}

static mut MEMORY_AS_BUFFER: PyBufferProcs =
    PyBufferProcs { bf_getbuffer: Some(memory_getbuf), bf_releasebuffer: Some(memory_releasebuf) };
static mut MEMORY_AS_MAPPING: PyMappingMethods = PyMappingMethods {
    mp_length: Some(memory_length),
    mp_subscript: Some(memory_subscript),
    mp_ass_subscript: Some(memory_ass_sub),
};
static mut MEMORY_AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(memory_length),
    sq_item: Some(memory_item),
    // SAFETY: all-zero is valid: no functions.
    ..unsafe { core::mem::zeroed() }
};

/// The type `memoryview`.
#[unsafe(no_mangle)]
pub static mut PyMemoryView_Type: PyTypeObject = PyTypeObject {
    tp_name: c"memoryview".as_ptr(),
    tp_basicsize: offset_of!(PyMemoryViewObject, ob_array) as Py_ssize_t,
    tp_itemsize: size_of::<Py_ssize_t>() as Py_ssize_t,
    tp_dealloc: Some(memory_dealloc),
    tp_repr: Some(memory_repr),
    tp_as_sequence: &raw mut MEMORY_AS_SEQUENCE,
    tp_as_mapping: &raw mut MEMORY_AS_MAPPING,
    tp_hash: Some(memory_hash),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_as_buffer: &raw mut MEMORY_AS_BUFFER,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_SEQUENCE,
    tp_doc: c"memoryview(object)\n--\n\nA view of the memory of an object that exports a buffer.".as_ptr(),
    tp_traverse: Some(memory_traverse),
    tp_clear: Some(memory_clear),
    tp_richcompare: Some(memory_richcompare),
    tp_weaklistoffset: offset_of!(PyMemoryViewObject, weakreflist) as Py_ssize_t,
    tp_iter: Some(memory_iter),
    tp_methods: (&raw mut MEMORY_METHODS).cast(),
    tp_getset: (&raw mut MEMORY_GETSET).cast(),
    tp_new: Some(memoryview_new_slot),
    ..TYPE_INIT
};

// ---- iterator ------------------------------------------------------------------------------------------------------

#[repr(C)]
struct memoryiterobject {
    ob_base: PyObject,
    it_index: Py_ssize_t,
    it_seq: Mv,
    it_length: Py_ssize_t,
    it_fmt: usize,
}

unsafe fn iter(mv: Mv) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        check_released(mv)?;
        let view = view_of(mv);
        match view.ndim {
            0 => bail!(PyExc_TypeError, "invalid indexing of 0-dim memory"),
            1 => {}
            _ => bail!(PyExc_NotImplementedError, "multi-dimensional sub-views are not implemented"),
        }
        let fmt = adjust_fmt(view)?;
        let it = Owned::from_owned_or_err(gc_new::<memoryiterobject>(&raw mut _PyMemoryIter_Type))?;
        let p = it.as_ptr();
        Py_INCREF(mv.cast());
        (*p).it_index = 0;
        (*p).it_seq = mv;
        (*p).it_length = *view.shape;
        (*p).it_fmt = fmt as usize;
        gc_track(p.cast());
        Ok(it.into_object())
    }
}

unsafe extern "C" fn memory_iter(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { iter(slf.cast()).into_c() }
}

unsafe extern "C" fn memoryiter_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        Py_XDECREF((*slf.cast::<memoryiterobject>()).it_seq.cast());
        PyObject_GC_Del(slf.cast());
    }
}

unsafe extern "C" fn memoryiter_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; (*slf.cast::<memoryiterobject>()).it_seq);
        0
    }
}

unsafe extern "C" fn memoryiter_next(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let it: *mut memoryiterobject = slf.cast();
        let mv = (*it).it_seq;
        if mv.is_null() {
            return null_mut();
        }
        if (*it).it_index < (*it).it_length {
            if check_released(mv).is_err() {
                return null_mut();
            }
            let view = view_of(mv);
            let p = view.buf.cast::<u8>().wrapping_offset(*view.strides * (*it).it_index);
            (*it).it_index += 1;
            return unpack_single(mv, adjust_ptr(p, view.suboffsets, 0), (*it).it_fmt as u8).into_c();
        }
        (*it).it_seq = null_mut();
        Py_DECREF(mv.cast());
        null_mut()
    }
}

/// The iterator of views.
#[unsafe(no_mangle)]
pub static mut _PyMemoryIter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"memory_iterator".as_ptr(),
    tp_basicsize: size_of::<memoryiterobject>() as Py_ssize_t,
    tp_dealloc: Some(memoryiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(memoryiter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(memoryiter_next),
    ..TYPE_INIT
};
