//! `bytearray`. Its bytes lie in a block of their own, perhaps after a gap left by deletions at the front.

use crate::bytes_methods::{self as shared, Byte, Flavor, View, bytes_warning, push_escaped};
use crate::bytesobject::repeat_bytes;
use crate::gc::{gc_new, gc_track, gc_untrack};
use crate::typeobject::TYPE_INIT;
use crate::unicode_codecs::{raised, raw_bytes};
use crate::unicodeobject::args::CText;
use crate::unicodeobject::layout::{self, no_memory};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{copy, copy_nonoverlapping, null_mut};
use taipan_abi::*;
use taipan_clinic::{Str, initializer, methods};

/// What `ob_start` macros show for an empty bytearray.
#[unsafe(no_mangle)]
pub static mut _PyByteArray_empty_string: [c_char; 1] = [0];

/// The [`Flavor`] of `bytearray`.
#[derive(Clone, Copy)]
pub struct ForByteArray;

impl Flavor for ForByteArray {
    const MUTABLE: bool = true;
    #[inline(always)]
    unsafe fn content<'a>(op: *mut PyObject) -> &'a [u8] {
        // SAFETY: [ARGS]
        unsafe { content(op) }
    }
    fn build(n: usize, fill: impl FnOnce(&mut [u8])) -> PyResult<Owned> {
        let new = new_bytearray(n)?;
        // SAFETY: [OWN]
        unsafe { fill(core::slice::from_raw_parts_mut(data(new.as_ptr()), n)) };
        Ok(new)
    }
    fn make(s: &[u8]) -> PyResult<Owned> {
        from_slice(s)
    }
    fn exact(op: *mut PyObject) -> bool {
        // SAFETY: [ARGS]
        unsafe { PyByteArray_CheckExact(op) != 0 }
    }
}

/// Address of the first byte; of a shared NUL for an empty one.
///
/// # Safety
/// `op` is a bytearray.
#[inline(always)]
pub unsafe fn data(op: *mut PyObject) -> *mut u8 {
    // SAFETY: [TYPE]
    unsafe {
        let b = op.cast::<PyByteArrayObject>();
        if (*b).ob_base.ob_size > 0 || !(*b).ob_start.is_null() {
            (*b).ob_start.cast()
        } else {
            (&raw mut _PyByteArray_empty_string).cast()
        }
    }
}

/// The bytes of `op`.
///
/// # Safety
/// `op` is a bytearray that nothing changes for `'a`.
#[inline(always)]
pub unsafe fn content<'a>(op: *mut PyObject) -> &'a [u8] {
    // SAFETY: [TYPE]
    unsafe { core::slice::from_raw_parts(data(op), size(op)) }
}

#[inline(always)]
unsafe fn size(op: *mut PyObject) -> usize {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyVarObject>()).ob_size as usize }
}

fn new_bytearray(n: usize) -> PyResult<Owned> {
    if n >= isize::MAX as usize {
        return Err(no_memory());
    }
    // SAFETY: [LAYOUT] a new object is filled in.
    unsafe {
        let op: *mut PyByteArrayObject = PyObject_Malloc(size_of::<PyByteArrayObject>()).cast();
        if op.is_null() {
            return Err(no_memory());
        }
        _PyObject_Init(op.cast(), &raw mut PyByteArray_Type);
        (*op).ob_base.ob_size = 0;
        (*op).ob_alloc = 0;
        (*op).ob_bytes = null_mut();
        (*op).ob_start = null_mut();
        (*op).ob_exports = 0;
        let new = Owned::from_owned(op.cast::<PyObject>());
        if n > 0 {
            let block: *mut c_char = PyMem_Malloc(n + 1).cast();
            if block.is_null() {
                return Err(no_memory());
            }
            *block.add(n) = 0;
            (*op).ob_bytes = block;
            (*op).ob_start = block;
            (*op).ob_alloc = n as isize + 1;
            (*op).ob_base.ob_size = n as isize;
        }
        Ok(new)
    }
}

/// A new bytearray with these bytes.
pub fn from_slice(s: &[u8]) -> PyResult<Owned> {
    ForByteArray::build(s.len(), |out| out.copy_from_slice(s))
}

fn can_resize(op: Borrowed<'_, PyByteArrayObject>) -> PyResult<()> {
    if op.ob_exports > 0 {
        bail!(PyExc_BufferError, "Existing exports of data: object cannot be re-sized");
    }
    Ok(())
}

/// Gives the bytearray another size; new bytes are not filled in.
pub fn resize(op: Borrowed<'_, PyByteArrayObject>, n: usize) -> PyResult<()> {
    // SAFETY: [TYPE] [LAYOUT]
    unsafe {
        let b = op.as_ptr();
        let old = (*b).ob_base.ob_size as usize;
        if n == old {
            return Ok(());
        }
        can_resize(op)?;
        let mut alloc = (*b).ob_alloc as usize;
        let offset = if (*b).ob_bytes.is_null() { 0 } else { (*b).ob_start.offset_from((*b).ob_bytes) as usize };
        if n + offset < alloc {
            if n < alloc / 2 {
                alloc = n + 1;
            } else {
                (*b).ob_base.ob_size = n as isize;
                *(*b).ob_start.add(n) = 0;
                return Ok(());
            }
        } else if n <= alloc + alloc / 8 {
            alloc = n + (n >> 3) + if n < 9 { 3 } else { 6 };
        } else {
            alloc = n + 1;
        }
        if alloc > isize::MAX as usize {
            return Err(no_memory());
        }
        let block: *mut c_char = if offset > 0 {
            let block: *mut c_char = PyMem_Malloc(alloc).cast();
            if block.is_null() {
                return Err(no_memory());
            }
            copy_nonoverlapping((*b).ob_start, block, n.min(old));
            PyMem_Free((*b).ob_bytes.cast());
            block
        } else {
            let block: *mut c_char = PyMem_Realloc((*b).ob_bytes.cast(), alloc).cast();
            if block.is_null() {
                return Err(no_memory());
            }
            block
        };
        (*b).ob_bytes = block;
        (*b).ob_start = block;
        (*b).ob_base.ob_size = n as isize;
        (*b).ob_alloc = alloc as isize;
        *block.add(n) = 0;
        Ok(())
    }
}

/// Replaces `op[lo:hi]` (in range) by `new`, which does not lie in `op`.
fn replace_range(op: Borrowed<'_, PyByteArrayObject>, lo: usize, hi: usize, new: &[u8]) -> PyResult<()> {
    // SAFETY: [TYPE] offsets stay inside the block.
    unsafe {
        let p = op.ob();
        let n = size(p);
        let gone = hi - lo;
        if new.len() < gone {
            can_resize(op)?;
            let less = gone - new.len();
            if lo == 0 {
                // Deleting at the front only moves the start.
                let b = op.as_ptr();
                (*b).ob_start = (*b).ob_start.add(less);
                if let Err(e) = resize(op, n - less) {
                    (*b).ob_start = (*b).ob_start.sub(less);
                    return Err(e);
                }
            } else {
                let d = data(p);
                copy(d.add(hi), d.add(lo + new.len()), n - hi);
                resize(op, n - less)?;
            }
        } else if new.len() > gone {
            let more = new.len() - gone;
            if n > isize::MAX as usize - 1 - more {
                return Err(no_memory());
            }
            resize(op, n + more)?;
            let d = data(p);
            copy(d.add(hi), d.add(hi + more), n - hi);
        }
        copy_nonoverlapping(new.as_ptr(), data(p).add(lo), new.len());
        Ok(())
    }
}

/// Adds bytes at the end.
fn extend_with(op: Borrowed<'_, PyByteArrayObject>, new: &[u8]) -> PyResult<()> {
    // SAFETY: [TYPE]
    let n = unsafe { size(op.ob()) };
    replace_range(op, n, n, new)
}

// --- slots

unsafe fn this<'a>(op: *mut PyObject) -> Borrowed<'a, PyByteArrayObject> {
    // SAFETY: [TYPE] slots of bytearray.
    unsafe { Borrowed::from_ptr(op.cast()) }
}

unsafe extern "C" fn bytearray_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let b = op.cast::<PyByteArrayObject>();
        if (*b).ob_exports > 0 {
            PyErr_SetString(PyExc_SystemError, c"deallocated bytearray object has exported buffers".as_ptr());
            PyErr_Print();
        }
        if !(*b).ob_bytes.is_null() {
            PyMem_Free((*b).ob_bytes.cast());
        }
        if let Some(free) = (*(*op).ob_type).tp_free {
            free(op.cast());
        }
    }
}

unsafe extern "C" fn bytearray_getbuffer(op: *mut PyObject, view: *mut Py_buffer, flags: c_int) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        if view.is_null() {
            let _ = raise!(PyExc_BufferError, "bytearray_getbuffer: view==NULL argument is obsolete");
            return -1;
        }
        if crate::abstract_::buffer::fill_info(view, op, data(op).cast(), size(op) as isize, 0, flags) < 0 {
            return -1;
        }
        (*op.cast::<PyByteArrayObject>()).ob_exports += 1;
        0
    }
}
unsafe extern "C" fn bytearray_releasebuffer(op: *mut PyObject, _: *mut Py_buffer) {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyByteArrayObject>()).ob_exports -= 1 }
}

unsafe extern "C" fn bytearray_length(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { size(op) as isize }
}

unsafe extern "C" fn bytearray_iconcat(op: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let run = || -> PyResult<Owned> {
            let v = match View::get(Borrowed::from_ptr(other)) {
                Ok(v) => v,
                Err(_) => {
                    PyErr_Format(
                        PyExc_TypeError,
                        c"can't concat %.100s to %.100s".as_ptr(),
                        (*(*other).ob_type).tp_name,
                        (*(*op).ob_type).tp_name,
                    );
                    return Err(Raised::assume());
                }
            };
            extend_with(this(op), &v)?;
            Ok(Owned::from_borrowed(op))
        };
        run().into_c()
    }
}

unsafe extern "C" fn bytearray_repeat(op: *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let s = content(op);
        match s.len().checked_mul(n.max(0) as usize) {
            Some(total) if total < isize::MAX as usize => {
                ForByteArray::build(total, |out| repeat_bytes(out.as_mut_ptr(), total, s)).into_c()
            }
            _ => raised(no_memory()),
        }
    }
}
unsafe extern "C" fn bytearray_irepeat(op: *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE] after resizing the block has the old bytes in front.
    unsafe {
        let old = size(op);
        let run = || -> PyResult<Owned> {
            let total = match old.checked_mul(n.max(0) as usize) {
                Some(t) if t < isize::MAX as usize => t,
                _ => return Err(no_memory()),
            };
            if n != 1 {
                resize(this(op), total)?;
                let d = data(op);
                repeat_bytes(d, total, core::slice::from_raw_parts(d, old));
            }
            Ok(Owned::from_borrowed(op))
        };
        run().into_c()
    }
}

unsafe extern "C" fn bytearray_contains(op: *mut PyObject, arg: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { shared::contains::<ForByteArray>(Borrowed::from_ptr(op), Borrowed::from_ptr(arg)).into_c() }
}

#[cold]
fn out_of_range() -> Raised {
    raise!(PyExc_IndexError, "bytearray index out of range")
}

unsafe extern "C" fn bytearray_getitem(op: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        match content(op).get(i as usize) {
            Some(&c) => PyLong_FromLong(c as i64),
            None => raised(out_of_range()),
        }
    }
}

/// An index as `__getitem__` takes it: an int from either end.
unsafe fn index_of(op: *mut PyObject, index: *mut PyObject) -> PyResult<isize> {
    // SAFETY: [ARGS]
    unsafe {
        let i = PyNumber_AsSsize_t(index, PyExc_IndexError);
        if i == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        Ok(if i < 0 { i + size(op) as isize } else { i })
    }
}

#[cold]
unsafe fn bad_index(index: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_Format(
            PyExc_TypeError,
            c"bytearray indices must be integers or slices, not %.200s".as_ptr(),
            (*(*index).ob_type).tp_name,
        );
        Raised::assume()
    }
}

unsafe extern "C" fn bytearray_subscript(op: *mut PyObject, index: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        if PyIndex_Check(index) != 0 {
            return match index_of(op, index) {
                Ok(i) => bytearray_getitem(op, i),
                Err(_) => null_mut(),
            };
        }
        if PySlice_Check(index) == 0 {
            return raised(bad_index(index));
        }
        let (mut start, mut stop, mut step) = (0, 0, 0);
        if PySlice_Unpack(index, &mut start, &mut stop, &mut step) < 0 {
            return null_mut();
        }
        let s = content(op);
        let n = PySlice_AdjustIndices(s.len() as isize, &mut start, &mut stop, step).max(0);
        if step == 1 {
            return from_slice(&s[start as usize..(start + n) as usize]).into_c();
        }
        ForByteArray::build(n as usize, |out| {
            for (k, o) in out.iter_mut().enumerate() {
                *o = s[(start + k as isize * step) as usize];
            }
        })
        .into_c()
    }
}

unsafe extern "C" fn bytearray_setitem(op: *mut PyObject, i: Py_ssize_t, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] the value is converted first: that may run code that resizes.
    unsafe {
        let run = || -> PyResult<()> {
            let byte = if value.is_null() { None } else { Some(Byte::get(Borrowed::from_ptr(value))?.0) };
            let n = size(op) as isize;
            let i = if i < 0 { i + n } else { i };
            if i < 0 || i >= n {
                return Err(out_of_range());
            }
            match byte {
                Some(b) => {
                    *data(op).offset(i) = b;
                    Ok(())
                }
                None => replace_range(this(op), i as usize, i as usize + 1, &[]),
            }
        };
        run().into_c()
    }
}

unsafe fn assign(op: *mut PyObject, index: *mut PyObject, values: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE] sizes are read after all conversions.
    unsafe {
        if PyIndex_Check(index) != 0 {
            let i = PyNumber_AsSsize_t(index, PyExc_IndexError);
            if i == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            return check_status(bytearray_setitem(op, i, values));
        }
        if PySlice_Check(index) == 0 {
            return Err(bad_index(index));
        }
        let mut copied = None;
        if !values.is_null() && (values == op || PyByteArray_Check(values) == 0) {
            if PyNumber_Check(values) != 0 || PyUnicode_Check(values) != 0 {
                bail!(PyExc_TypeError, "can assign only bytes, buffers, or iterables of ints in range(0, 256)");
            }
            copied = Some(Owned::from_owned_or_err(PyByteArray_FromObject(values))?);
        }
        let (mut start, mut stop, mut step) = (0, 0, 0);
        check_status(PySlice_Unpack(index, &mut start, &mut stop, &mut step))?;
        let n = PySlice_AdjustIndices(size(op) as isize, &mut start, &mut stop, step);
        let new = match &copied {
            Some(c) => content(c.as_ptr()),
            None if values.is_null() => &[],
            None => content(values),
        };
        if step == 1 {
            let stop = stop.max(start);
            return replace_range(this(op), start as usize, stop as usize, new);
        }
        if new.is_empty() {
            can_resize(this(op))?;
            if n == 0 {
                return Ok(());
            }
            if step < 0 {
                start += step * (n - 1);
                step = -step;
            }
            let d = data(op);
            let total = size(op);
            let (mut to, mut next, mut left) = (start as usize, start as usize, n);
            for from in start as usize..total {
                if left > 0 && from == next {
                    left -= 1;
                    next += step as usize;
                } else {
                    *d.add(to) = *d.add(from);
                    to += 1;
                }
            }
            return resize(this(op), total - n as usize);
        }
        if new.len() as isize != n {
            bail!(PyExc_ValueError, "attempt to assign bytes of size {} to extended slice of size {}", new.len(), n);
        }
        for (k, &b) in new.iter().enumerate() {
            *data(op).offset(start + k as isize * step) = b;
        }
        Ok(())
    }
}

unsafe extern "C" fn bytearray_ass_subscript(op: *mut PyObject, index: *mut PyObject, values: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { assign(op, index, values).into_c() }
}

unsafe extern "C" fn bytearray_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let s = content(op);
        let full = CStr::from_ptr((*(*op).ob_type).tp_name).to_bytes();
        let name = full.rsplit(|&c| c == b'.').next().unwrap_or(full);
        if s.len() > (isize::MAX as usize - 6 - name.len()) / 4 {
            return raised(raise!(PyExc_OverflowError, "bytearray object is too large to make repr"));
        }
        let quote = if s.contains(&b'\'') && !s.contains(&b'"') { b'"' } else { b'\'' };
        let mut out = Vec::with_capacity(name.len() + s.len() + 8);
        out.extend_from_slice(name);
        out.extend_from_slice(b"(b");
        out.push(quote);
        for &c in s {
            if matches!(c, b'\'' | b'\\') {
                out.extend_from_slice(&[b'\\', c]);
            } else {
                push_escaped(&mut out, c);
            }
        }
        out.push(quote);
        out.push(b')');
        PyUnicode_FromStringAndSize(out.as_ptr().cast(), out.len() as isize)
    }
}

unsafe extern "C" fn bytearray_str(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        if bytes_warning() && PyErr_WarnEx(PyExc_BytesWarning, c"str() on a bytearray instance".as_ptr(), 1) != 0 {
            return null_mut();
        }
        bytearray_repr(op)
    }
}

unsafe extern "C" fn bytearray_richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyObject_CheckBuffer(a) == 0 || PyObject_CheckBuffer(b) == 0 {
            if (PyUnicode_Check(a) != 0 || PyUnicode_Check(b) != 0)
                && matches!(op, Py_EQ | Py_NE)
                && bytes_warning()
                && PyErr_WarnEx(PyExc_BytesWarning, c"Comparison between bytearray and string".as_ptr(), 1) != 0
            {
                return null_mut();
            }
            return Py_NotImplemented();
        }
        let (x, y) = match (View::get(Borrowed::from_ptr(a)), View::get(Borrowed::from_ptr(b))) {
            (Ok(x), Ok(y)) => (x, y),
            _ => {
                PyErr_Clear();
                return Py_NotImplemented();
            }
        };
        let (x, y) = (&x[..], &y[..]);
        let answer = match op {
            Py_EQ => x == y,
            Py_NE => x != y,
            Py_LT => x < y,
            Py_LE => x <= y,
            Py_GT => x > y,
            _ => x >= y,
        };
        if answer { Py_True() } else { Py_False() }
    }
}

unsafe extern "C" fn bytearray_mod(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] the format is copied: arguments may run code that changes it.
    unsafe {
        if PyByteArray_Check(v) == 0 {
            return Py_NotImplemented();
        }
        let format = content(v).to_vec();
        crate::bytesobject::percent_format(&format, Borrowed::from_ptr(w)).and_then(|s| from_slice(&s)).into_c()
    }
}

// --- construction

fn bytearray_init(slf: Borrowed<'_, PyByteArrayObject>, source: Option<Borrowed<'_>>, encoding: Option<CText>, errors: Option<CText>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        resize(slf, 0)?;
        let without_string = || {
            let what = if encoding.is_some() { "encoding" } else { "errors" };
            raise!(PyExc_TypeError, "{} without a string argument", what)
        };
        let Some(x) = source else {
            return if encoding.is_some() || errors.is_some() { Err(without_string()) } else { Ok(()) };
        };
        let p = x.ob();
        if PyUnicode_Check(p) != 0 {
            let Some(encoding) = encoding else { bail!(PyExc_TypeError, "string argument without an encoding") };
            let b = Owned::from_owned_or_err(PyUnicode_AsEncodedString(p, encoding.0, CText::or_null(errors)))?;
            return extend_with(slf, crate::bytesobject::content(b.as_ptr()));
        }
        if encoding.is_some() || errors.is_some() {
            return Err(without_string());
        }
        if PyIndex_Check(p) != 0 {
            let n = PyNumber_AsSsize_t(p, PyExc_OverflowError);
            if n == -1 && err_occurred() {
                let e = Raised::assume();
                if !e.matches(PyExc_TypeError) {
                    return Err(e);
                }
                e.clear();
            } else {
                if n < 0 {
                    bail!(PyExc_ValueError, "negative count");
                }
                resize(slf, n as usize)?;
                core::ptr::write_bytes(data(slf.ob()), 0, n as usize);
                return Ok(());
            }
        }
        if PyObject_CheckBuffer(p) != 0 {
            let mut view: Py_buffer = core::mem::zeroed();
            check_status(PyObject_GetBuffer(p, &mut view, PyBUF_FULL_RO))?;
            let done = resize(slf, view.len as usize).and_then(|()| {
                check_status(PyBuffer_ToContiguous(data(slf.ob()).cast(), &view, view.len, b'C' as c_char))
            });
            PyBuffer_Release(&mut view);
            return done;
        }
        if PyList_CheckExact(p) != 0 || PyTuple_CheckExact(p) != 0 {
            let items = crate::unicodeobject::ops::fast_items(p);
            if items.iter().all(|&i| PyLong_CheckExact(i) != 0) {
                // Exact ints convert without running code, so the items stay put.
                resize(slf, items.len())?;
                for (k, &i) in items.iter().enumerate() {
                    *data(slf.ob()).add(k) = Byte::get(Borrowed::from_ptr(i))?.0;
                }
                return Ok(());
            }
        }
        let it = match Owned::from_owned_or_err(PyObject_GetIter(p)) {
            Ok(it) => it,
            Err(e) if e.matches(PyExc_TypeError) => {
                e.clear();
                bail!(PyExc_TypeError, "cannot convert '{}' object to bytearray", type_name(p))
            }
            Err(e) => return Err(e),
        };
        loop {
            let item = PyIter_Next(it.as_ptr());
            if item.is_null() {
                return if err_occurred() { Err(Raised::assume()) } else { Ok(()) };
            }
            let item = Owned::from_owned(item);
            let b = Byte::get(item.borrow())?;
            extend_with(slf, &[b.0])?;
        }
    }
}

// --- methods

fn bytearray_append(slf: Borrowed<'_, PyByteArrayObject>, item: Byte) -> PyResult<()> {
    extend_with(slf, &[item.0])
}
fn bytearray_insert(slf: Borrowed<'_, PyByteArrayObject>, index: isize, item: Byte) -> PyResult<()> {
    // SAFETY: [TYPE]
    let n = unsafe { size(slf.ob()) } as isize;
    let i = if index < 0 { (index + n).max(0) } else { index.min(n) } as usize;
    replace_range(slf, i, i, &[item.0])
}
fn bytearray_extend(slf: Borrowed<'_, PyByteArrayObject>, iterable: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let p = iterable.ob();
        if p == slf.ob() {
            let copy = content(p).to_vec();
            return extend_with(slf, &copy);
        }
        if PyObject_CheckBuffer(p) != 0 {
            let v = match View::get(iterable) {
                Ok(v) => v,
                Err(_) => bail!(PyExc_TypeError, "can't set bytearray slice from {}", type_name(p)),
            };
            return extend_with(slf, &v);
        }
        let it = match Owned::from_owned_or_err(PyObject_GetIter(p)) {
            Ok(it) => it,
            Err(e) if e.matches(PyExc_TypeError) => {
                e.clear();
                bail!(PyExc_TypeError, "can't extend bytearray with {}", type_name(p))
            }
            Err(e) => return Err(e),
        };
        let hint = PyObject_LengthHint(p, 32);
        if hint == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        let mut out = Vec::with_capacity((hint.max(0) as usize).min(1 << 20));
        loop {
            let item = PyIter_Next(it.as_ptr());
            if item.is_null() {
                if err_occurred() {
                    return Err(Raised::assume());
                }
                return extend_with(slf, &out);
            }
            let item = Owned::from_owned(item);
            match Byte::get(item.borrow()) {
                Ok(b) => out.push(b.0),
                Err(e) if e.matches(PyExc_TypeError) && PyUnicode_Check(p) != 0 => {
                    e.clear();
                    bail!(PyExc_TypeError, "expected iterable of integers; got: 'str'")
                }
                Err(e) => return Err(e),
            }
        }
    }
}
fn bytearray_pop(slf: Borrowed<'_, PyByteArrayObject>, index: isize) -> PyResult<i64> {
    // SAFETY: [TYPE]
    unsafe {
        let n = size(slf.ob()) as isize;
        if n == 0 {
            bail!(PyExc_IndexError, "pop from empty bytearray");
        }
        let i = if index < 0 { index + n } else { index };
        if i < 0 || i >= n {
            bail!(PyExc_IndexError, "pop index out of range");
        }
        can_resize(slf)?;
        let b = content(slf.ob())[i as usize];
        replace_range(slf, i as usize, i as usize + 1, &[])?;
        Ok(b as i64)
    }
}
fn bytearray_remove(slf: Borrowed<'_, PyByteArrayObject>, value: Byte) -> PyResult<()> {
    // SAFETY: [TYPE]
    match memchr::memchr(value.0, unsafe { content(slf.ob()) }) {
        Some(i) => replace_range(slf, i, i + 1, &[]),
        None => bail!(PyExc_ValueError, "value not found in bytearray"),
    }
}
fn bytearray_reverse(slf: Borrowed<'_, PyByteArrayObject>) -> PyResult<()> {
    // SAFETY: [TYPE] [GIL]
    unsafe { core::slice::from_raw_parts_mut(data(slf.ob()), size(slf.ob())).reverse() };
    Ok(())
}
fn bytearray_clear(slf: Borrowed<'_, PyByteArrayObject>) -> PyResult<()> {
    resize(slf, 0)
}
fn bytearray_copy(slf: Borrowed<'_, PyByteArrayObject>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    from_slice(unsafe { content(slf.ob()) })
}
fn bytearray_join(slf: Borrowed<'_, PyByteArrayObject>, iterable: Borrowed<'_>) -> PyResult<Owned> {
    // An export keeps the separator as it is while the iterable runs.
    // SAFETY: [TYPE] [GIL]
    unsafe {
        (*slf.as_ptr()).ob_exports += 1;
        let r = shared::join::<ForByteArray>(slf.object(), iterable);
        (*slf.as_ptr()).ob_exports -= 1;
        r
    }
}
fn bytearray_fromhex(tp: Borrowed<'_, PyTypeObject>, string: Str<'_>) -> PyResult<Owned> {
    let bytes = shared::parse_hex(string)?;
    if tp.as_ptr() == &raw mut PyByteArray_Type {
        return from_slice(&bytes);
    }
    let b = crate::bytesobject::from_slice(&bytes)?;
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyObject_CallOneArg(tp.ob(), b.as_ptr())) }
}
fn bytearray_alloc(slf: Borrowed<'_, PyByteArrayObject>) -> PyResult<isize> {
    Ok(slf.ob_alloc)
}
fn bytearray_sizeof(slf: Borrowed<'_, PyByteArrayObject>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    Ok(unsafe { (*slf.ob_type()).tp_basicsize } + slf.ob_alloc)
}

fn reduce(slf: Borrowed<'_, PyByteArrayObject>, proto: i32) -> PyResult<Owned> {
    unsafe extern "C" {
        fn _PyObject_GetState(op: *mut PyObject) -> *mut PyObject;
    }
    // SAFETY: [GIL]
    unsafe {
        let state = Owned::from_owned_or_err(_PyObject_GetState(slf.ob()))?;
        let tp = slf.ob_type();
        let s = content(slf.ob());
        Owned::from_owned_or_err(if s.is_empty() {
            Py_BuildValue(c"(O()O)".as_ptr(), tp, state.as_ptr())
        } else if proto < 3 {
            let text = layout::from_units(s)?;
            Py_BuildValue(c"(O(Os)O)".as_ptr(), tp, text.as_ptr(), c"latin-1".as_ptr(), state.as_ptr())
        } else {
            let b = crate::bytesobject::from_slice(s)?;
            Py_BuildValue(c"(O(O)O)".as_ptr(), tp, b.as_ptr(), state.as_ptr())
        })
    }
}
fn bytearray_reduce(slf: Borrowed<'_, PyByteArrayObject>) -> PyResult<Owned> {
    reduce(slf, 2)
}
fn bytearray_reduce_ex(slf: Borrowed<'_, PyByteArrayObject>, proto: i32) -> PyResult<Owned> {
    reduce(slf, proto)
}

crate::shared_bytes_methods! {
    /// Methods of `bytearray`.
    static BYTEARRAY_METHODS, ForByteArray, [
        "__alloc__($self, /)" => bytearray_alloc, "Return how many bytes are allocated.";
        "__reduce__($self, /)" => bytearray_reduce, "Return what pickle needs.";
        "__reduce_ex__($self, proto=0, /)" => bytearray_reduce_ex, "Return what pickle needs for a protocol.";
        "__sizeof__($self, /)" => bytearray_sizeof, "Return the size in memory, in bytes.";
        "append($self, item, /)" => bytearray_append, "Add one byte at the end.";
        "clear($self, /)" => bytearray_clear, "Remove all bytes.";
        "copy($self, /)" => bytearray_copy, "Return a copy.";
        "extend($self, iterable_of_ints, /)" => bytearray_extend, "Add the bytes of an iterable at the end.";
        class "fromhex($type, string, /)" => bytearray_fromhex, "Make a bytearray of hexadecimal digits, with or without white space between bytes.";
        "insert($self, index, item, /)" => bytearray_insert, "Insert one byte before index.";
        "join($self, iterable_of_bytes, /)" => bytearray_join, "Concatenate bytes-like objects with these bytes between them.";
        "pop($self, index=-1, /)" => bytearray_pop, "Remove the byte at index and return it.";
        "remove($self, value, /)" => bytearray_remove, "Remove the first occurrence of a byte.";
        "reverse($self, /)" => bytearray_reverse, "Reverse the bytes in place.";
    ]
}

static mut AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_remainder: Some(bytearray_mod),
    // SAFETY: absent slots are NULL.
    ..unsafe { core::mem::zeroed() }
};
static mut AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(bytearray_length),
    sq_concat: Some(PyByteArray_Concat),
    sq_repeat: Some(bytearray_repeat),
    sq_item: Some(bytearray_getitem),
    sq_ass_item: Some(bytearray_setitem),
    sq_contains: Some(bytearray_contains),
    sq_inplace_concat: Some(bytearray_iconcat),
    sq_inplace_repeat: Some(bytearray_irepeat),
    // SAFETY: absent slots are NULL.
    ..unsafe { core::mem::zeroed() }
};
static mut AS_MAPPING: PyMappingMethods = PyMappingMethods {
    mp_length: Some(bytearray_length),
    mp_subscript: Some(bytearray_subscript),
    mp_ass_subscript: Some(bytearray_ass_subscript),
};
static mut AS_BUFFER: PyBufferProcs =
    PyBufferProcs { bf_getbuffer: Some(bytearray_getbuffer), bf_releasebuffer: Some(bytearray_releasebuffer) };

/// A `match` pattern `bytearray(x)` captures the subject itself.
const _Py_TPFLAGS_MATCH_SELF: core::ffi::c_ulong = 1 << 22;

/// `bytearray`.
#[unsafe(no_mangle)]
pub static mut PyByteArray_Type: PyTypeObject = PyTypeObject {
    tp_name: c"bytearray".as_ptr(),
    tp_basicsize: size_of::<PyByteArrayObject>() as Py_ssize_t,
    tp_dealloc: Some(bytearray_dealloc),
    tp_repr: Some(bytearray_repr),
    tp_as_number: &raw mut AS_NUMBER,
    tp_as_sequence: &raw mut AS_SEQUENCE,
    tp_as_mapping: &raw mut AS_MAPPING,
    tp_str: Some(bytearray_str),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_as_buffer: &raw mut AS_BUFFER,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | _Py_TPFLAGS_MATCH_SELF,
    tp_doc: c"bytearray(iterable_of_ints) -> bytearray\nbytearray(string, encoding[, errors]) -> bytearray\nbytearray(bytes_or_buffer) -> mutable copy\nbytearray(int) -> bytearray of zeros\nbytearray() -> empty bytearray\n\nA mutable sequence of integers from 0 to 255."
        .as_ptr(),
    tp_richcompare: Some(bytearray_richcompare),
    tp_iter: Some(bytearray_iter),
    tp_methods: (&raw mut BYTEARRAY_METHODS).cast(),
    tp_init: Some(initializer!(
        "bytearray(source=<unrepresentable>, encoding=<unrepresentable>, errors=<unrepresentable>)" => bytearray_init
    )),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(PyType_GenericNew),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

// --- iterator

#[repr(C)]
struct bytearrayiterobject {
    ob_base: PyObject,
    it_index: Py_ssize_t,
    it_seq: *mut PyObject,
}

unsafe extern "C" fn bytearrayiter_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        gc_untrack(op);
        Py_XDECREF((*op.cast::<bytearrayiterobject>()).it_seq);
        PyObject_GC_Del(op.cast());
    }
}

unsafe extern "C" fn bytearrayiter_traverse(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        py_visit!(visitor, arg; (*op.cast::<bytearrayiterobject>()).it_seq);
    }
    0
}

unsafe extern "C" fn bytearrayiter_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let it = op.cast::<bytearrayiterobject>();
        if (*it).it_seq.is_null() {
            return null_mut();
        }
        if let Some(&c) = content((*it).it_seq).get((*it).it_index as usize) {
            (*it).it_index += 1;
            return PyLong_FromLong(c as i64);
        }
        setref(&raw mut (*it).it_seq, null_mut());
        null_mut()
    }
}

fn bytearrayiter_len(it: Borrowed<'_, bytearrayiterobject>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    Ok(if it.it_seq.is_null() { 0 } else { unsafe { (size(it.it_seq) as isize - it.it_index).max(0) } })
}

fn bytearrayiter_reduce(it: Borrowed<'_, bytearrayiterobject>) -> PyResult<Owned> {
    // SAFETY: [GIL] the builtin is fetched first: that may run code that exhausts the iterator.
    unsafe {
        let iter = Owned::from_owned_or_err(_PyEval_GetBuiltin(intern!("iter")))?;
        if it.it_seq.is_null() {
            return Owned::from_owned_or_err(Py_BuildValue(c"O(())".as_ptr(), iter.as_ptr()));
        }
        Owned::from_owned_or_err(Py_BuildValue(c"O(O)n".as_ptr(), iter.as_ptr(), it.it_seq, it.it_index))
    }
}

fn bytearrayiter_setstate(it: Borrowed<'_, bytearrayiterobject>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let index = PyLong_AsSsize_t(state.ob());
        if index == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if !it.it_seq.is_null() {
            (*it.as_ptr()).it_index = index.clamp(0, size(it.it_seq) as isize);
        }
    }
    Ok(())
}

methods! {
    static ITER_METHODS = [
        "__length_hint__($self, /)" => bytearrayiter_len, "Return how many bytes are left.";
        "__reduce__($self, /)" => bytearrayiter_reduce, "Return what pickle needs.";
        "__setstate__($self, state, /)" => bytearrayiter_setstate, "Move to a position.";
    ];
}

/// Type of iterators over bytearrays.
#[unsafe(no_mangle)]
pub static mut PyByteArrayIter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"bytearray_iterator".as_ptr(),
    tp_basicsize: size_of::<bytearrayiterobject>() as Py_ssize_t,
    tp_dealloc: Some(bytearrayiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(bytearrayiter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(bytearrayiter_next),
    tp_methods: (&raw mut ITER_METHODS).cast(),
    ..TYPE_INIT
};

unsafe extern "C" fn bytearray_iter(seq: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] slot of bytearray.
    unsafe {
        let it = gc_new::<bytearrayiterobject>(&raw mut PyByteArrayIter_Type);
        if it.is_null() {
            return null_mut();
        }
        (*it).it_index = 0;
        Py_INCREF(seq);
        (*it).it_seq = seq;
        gc_track(it.cast());
        it.cast()
    }
}

// --- C functions

/// `bytearray(input)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyByteArray_FromObject(input: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyObject_CallOneArg((&raw mut PyByteArray_Type).cast(), input) }
}
/// A new bytearray of `n` bytes, copied from `s` unless it is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyByteArray_FromStringAndSize(s: *const c_char, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if n < 0 {
            return raised(raise!(PyExc_SystemError, "Negative size passed to PyByteArray_FromStringAndSize"));
        }
        if s.is_null() {
            return new_bytearray(n as usize).into_c();
        }
        from_slice(raw_bytes(s, n)).into_c()
    }
}
/// How many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyByteArray_Size(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { size(op) as isize }
}
/// Address of the bytes, which a NUL follows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyByteArray_AsString(op: *mut PyObject) -> *mut c_char {
    // SAFETY: [ARGS]
    unsafe { data(op).cast() }
}
/// Gives the bytearray another size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyByteArray_Resize(op: *mut PyObject, n: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe { resize(this(op), n as usize).into_c() }
}
/// `a + b` of two bytes-like objects.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyByteArray_Concat(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { shared::concat::<ForByteArray>(Borrowed::from_ptr(a), Borrowed::from_ptr(b)).into_c() }
}
