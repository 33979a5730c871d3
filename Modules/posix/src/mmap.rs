//! The module `mmap`: files as memory.

use crate::support::*;
use core::ffi::c_int;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Args, BufferView, constructor, getset, methods, module, module::add_object, module::add_type};
use taipan_objects::typeobject::TYPE_INIT;

const ACCESS_DEFAULT: c_int = 0;
const ACCESS_READ: c_int = 1;
const ACCESS_WRITE: c_int = 2;
const ACCESS_COPY: c_int = 3;

/// `mmap.mmap`; `data` is NULL once closed.
#[repr(C)]
pub struct Mmap {
    ob_base: PyObject,
    data: *mut u8,
    size: isize,
    /// Position, from the start of the mapping.
    pos: isize,
    offset: i64,
    /// Buffers that others hold.
    exports: isize,
    fd: c_int,
    trackfd: bool,
    weakreflist: *mut PyObject,
    access: c_int,
}
type M<'a> = Borrowed<'a, Mmap>;

fn check_valid(m: M<'_>) -> PyResult<()> {
    if m.data.is_null() {
        bail!(PyExc_ValueError, "mmap closed or invalid");
    }
    Ok(())
}
fn check_writable(m: M<'_>) -> PyResult<()> {
    if m.access == ACCESS_READ {
        bail!(PyExc_TypeError, "mmap can't modify a readonly memory map.");
    }
    Ok(())
}

/// The mapped memory from `start`, `n` bytes.
///
/// # Safety
/// The mapping is valid and has so many bytes; it stays mapped while the slice is used.
unsafe fn slice<'a>(m: M<'a>, start: isize, n: isize) -> &'a [u8] {
    // SAFETY: [ARGS]
    unsafe { core::slice::from_raw_parts(m.data.offset(start), n as usize) }
}

fn mmap_close(slf: M<'_>) -> PyResult<()> {
    if slf.exports > 0 {
        bail!(PyExc_BufferError, "cannot close exported pointers exist");
    }
    // SAFETY: [OWN] taken out before it is unmapped.
    unsafe { release(slf.as_ptr()) };
    Ok(())
}

unsafe fn release(m: *mut Mmap) {
    // SAFETY: [OWN]
    unsafe {
        let (fd, data, size) = ((*m).fd, (*m).data, (*m).size);
        (*m).fd = -1;
        (*m).data = null_mut();
        if fd >= 0 || !data.is_null() {
            allow_threads(|| {
                if fd >= 0 {
                    libc::close(fd);
                }
                if !data.is_null() {
                    libc::munmap(data.cast(), size as usize);
                }
            });
        }
    }
}

unsafe extern "C" fn mmap_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        release(op.cast());
        if !(*op.cast::<Mmap>()).weakreflist.is_null() {
            PyObject_ClearWeakRefs(op);
        }
        if let Some(free) = (*type_of(op)).tp_free {
            free(op.cast());
        }
    }
}

fn mmap_read_byte(slf: M<'_>) -> PyResult<i32> {
    check_valid(slf)?;
    if slf.pos >= slf.size {
        bail!(PyExc_ValueError, "read byte out of range");
    }
    // SAFETY: [TYPE] in range.
    unsafe {
        let b = *slf.data.offset(slf.pos);
        (*slf.as_ptr()).pos += 1;
        Ok(b as i32)
    }
}
/// How much lies between the position and the end.
fn remaining(m: M<'_>) -> isize {
    (m.size - m.pos).max(0)
}
fn mmap_readline(slf: M<'_>) -> PyResult<Owned> {
    check_valid(slf)?;
    let left = remaining(slf);
    // SAFETY: [TYPE] in range.
    unsafe {
        let rest = slice(slf, slf.pos.min(slf.size), left);
        let n = rest.iter().position(|&b| b == b'\n').map_or(rest.len(), |i| i + 1);
        let line = bytes(&rest[..n])?;
        (*slf.as_ptr()).pos += n as isize;
        Ok(line)
    }
}
fn mmap_read(slf: M<'_>, n: Option<Borrowed<'_>>) -> PyResult<Owned> {
    check_valid(slf)?;
    let mut num = isize::MAX;
    if let Some(n) = n {
        // SAFETY: live.
        unsafe {
            if PyIndex_Check(n.ob()) == 0 {
                bail!(PyExc_TypeError, "argument should be integer or None, not '{}'", type_name(n.ob()));
            }
            num = PyNumber_AsSsize_t(n.ob(), PyExc_OverflowError);
            if num == -1 && err_occurred() {
                return Err(Raised::assume());
            }
        }
        // __index__ may have closed it.
        check_valid(slf)?;
    }
    let left = remaining(slf);
    if num < 0 || num > left {
        num = left;
    }
    // SAFETY: [TYPE] in range.
    unsafe {
        let b = bytes(slice(slf, slf.pos.min(slf.size), num))?;
        (*slf.as_ptr()).pos += num;
        Ok(b)
    }
}

/// An index argument.
unsafe fn index(op: *mut PyObject) -> PyResult<isize> {
    // SAFETY: live.
    unsafe {
        let n = PyNumber_AsSsize_t(op, PyExc_OverflowError);
        if n == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
    }
}

fn gfind(slf: M<'_>, args: Args<'_>, reverse: bool) -> PyResult<isize> {
    check_valid(slf)?;
    let fname = if reverse { "rfind" } else { "find" };
    let a = args.0;
    if a.is_empty() {
        bail!(PyExc_TypeError, "{fname}() takes at least 1 argument (0 given)");
    }
    if a.len() > 3 {
        bail!(PyExc_TypeError, "{fname}() takes at most 3 arguments ({} given)", a.len());
    }
    // SAFETY: live; the range is clipped to the mapping.
    unsafe {
        if PyObject_CheckBuffer(a[0]) == 0 {
            bail!(PyExc_TypeError, "a bytes-like object is required, not '{}'", type_name(a[0]));
        }
        let view = BufferView::get(a[0])?;
        let mut start = if a.len() > 1 { index(a[1])? } else { slf.pos };
        let mut end = if a.len() > 2 { index(a[2])? } else { slf.size };
        check_valid(slf)?;
        for x in [&mut start, &mut end] {
            if *x < 0 {
                *x += slf.size;
            }
            *x = (*x).clamp(0, slf.size);
        }
        if end < start {
            return Ok(-1);
        }
        let hay = slice(slf, start, end - start);
        let needle = view.as_bytes();
        let found = if needle.is_empty() {
            Some(if reverse { hay.len() } else { 0 })
        } else if reverse {
            memchr::memmem::rfind(hay, needle)
        } else {
            memchr::memmem::find(hay, needle)
        };
        Ok(found.map_or(-1, |i| i as isize + start))
    }
}
fn mmap_find(slf: M<'_>, args: Args<'_>) -> PyResult<isize> {
    gfind(slf, args, false)
}
fn mmap_rfind(slf: M<'_>, args: Args<'_>) -> PyResult<isize> {
    gfind(slf, args, true)
}

fn mmap_write(slf: M<'_>, data: BufferView) -> PyResult<isize> {
    check_valid(slf)?;
    check_writable(slf)?;
    let d = data.as_bytes();
    if slf.pos > slf.size || slf.size - slf.pos < d.len() as isize {
        bail!(PyExc_ValueError, "data out of range");
    }
    // SAFETY: [TYPE] in range; the buffer may be a view of this very mapping.
    unsafe {
        core::ptr::copy(d.as_ptr(), slf.data.offset(slf.pos), d.len());
        (*slf.as_ptr()).pos += d.len() as isize;
    }
    Ok(d.len() as isize)
}
fn mmap_write_byte(slf: M<'_>, value: u8) -> PyResult<()> {
    check_valid(slf)?;
    check_writable(slf)?;
    if slf.pos >= slf.size {
        bail!(PyExc_ValueError, "write byte out of range");
    }
    // SAFETY: [TYPE] in range.
    unsafe {
        *slf.data.offset(slf.pos) = value;
        (*slf.as_ptr()).pos += 1;
    }
    Ok(())
}
fn mmap_size(slf: M<'_>) -> PyResult<i64> {
    check_valid(slf)?;
    // SAFETY: plain system call.
    unsafe {
        let mut st: libc::stat = core::mem::zeroed();
        check(libc::fstat(slf.fd, &mut st))?;
        Ok(st.st_size)
    }
}
fn mmap_resize(slf: M<'_>, newsize: isize) -> PyResult<()> {
    check_valid(slf)?;
    if slf.exports > 0 {
        bail!(PyExc_BufferError, "mmap can't resize with extant buffers exported.");
    }
    if !slf.trackfd {
        bail!(PyExc_ValueError, "mmap can't resize with trackfd=False.");
    }
    if slf.access != ACCESS_WRITE && slf.access != ACCESS_DEFAULT {
        bail!(PyExc_TypeError, "mmap can't resize a readonly or copy-on-write memory map.");
    }
    if newsize < 0 || isize::MAX - newsize < slf.offset as isize {
        bail!(PyExc_ValueError, "new size out of range");
    }
    // SAFETY: [TYPE] nobody holds a pointer into the mapping.
    unsafe {
        if slf.fd != -1 && libc::ftruncate(slf.fd, slf.offset + newsize as i64) == -1 {
            return Err(posix_error());
        }
        let new = libc::mremap(slf.data.cast(), slf.size as usize, newsize as usize, libc::MREMAP_MAYMOVE);
        if new == libc::MAP_FAILED {
            return Err(posix_error());
        }
        (*slf.as_ptr()).data = new.cast();
        (*slf.as_ptr()).size = newsize;
    }
    Ok(())
}
fn mmap_tell(slf: M<'_>) -> PyResult<isize> {
    check_valid(slf)?;
    Ok(slf.pos)
}
fn mmap_flush(slf: M<'_>, offset: isize, size: Option<isize>) -> PyResult<()> {
    check_valid(slf)?;
    let size = size.unwrap_or(slf.size);
    if size < 0 || offset < 0 || slf.size - offset < size {
        bail!(PyExc_ValueError, "flush values out of range");
    }
    if slf.access == ACCESS_READ || slf.access == ACCESS_COPY {
        return Ok(());
    }
    // SAFETY: [TYPE] in range.
    check(unsafe { libc::msync(slf.data.offset(offset).cast(), size as usize, libc::MS_SYNC) }).map(drop)
}
fn mmap_seek(slf: M<'_>, dist: isize, how: i32) -> PyResult<isize> {
    check_valid(slf)?;
    let base = match how {
        0 => 0,
        1 => slf.pos,
        2 => slf.size,
        _ => bail!(PyExc_ValueError, "unknown seek type"),
    };
    match base.checked_add(dist) {
        Some(p) if (0..=slf.size).contains(&p) => {
            // SAFETY: [TYPE]
            unsafe { (*slf.as_ptr()).pos = p };
            Ok(p)
        }
        _ => bail!(PyExc_ValueError, "seek out of range"),
    }
}
fn mmap_seekable(_: M<'_>) -> PyResult<bool> {
    Ok(true)
}
fn mmap_move(slf: M<'_>, dest: isize, src: isize, count: isize) -> PyResult<()> {
    check_valid(slf)?;
    check_writable(slf)?;
    if dest < 0 || src < 0 || count < 0 || slf.size - dest < count || slf.size - src < count {
        bail!(PyExc_ValueError, "source, destination, or count out of range");
    }
    // SAFETY: [TYPE] in range.
    unsafe { core::ptr::copy(slf.data.offset(src), slf.data.offset(dest), count as usize) };
    Ok(())
}
fn mmap_madvise(slf: M<'_>, option: i32, start: isize, length: Option<isize>) -> PyResult<()> {
    check_valid(slf)?;
    let mut length = length.unwrap_or(slf.size);
    if start < 0 || start >= slf.size {
        bail!(PyExc_ValueError, "madvise start out of bounds");
    }
    if length < 0 {
        bail!(PyExc_ValueError, "madvise length invalid");
    }
    match start.checked_add(length) {
        None => bail!(PyExc_OverflowError, "madvise length too large"),
        Some(end) if end > slf.size => length = slf.size - start,
        _ => {}
    }
    // SAFETY: [TYPE] in range.
    check(unsafe { libc::madvise(slf.data.offset(start).cast(), length as usize, option) }).map(drop)
}
fn mmap_closed(slf: M<'_>) -> PyResult<bool> {
    Ok(slf.data.is_null())
}
fn mmap_enter(slf: M<'_>) -> PyResult<Owned> {
    check_valid(slf)?;
    Ok(slf.to_owned().into_object())
}
fn mmap_exit(slf: M<'_>, _exc: Args<'_>) -> PyResult<()> {
    mmap_close(slf)
}

unsafe extern "C" fn mmap_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let m = &*op.cast::<Mmap>();
        let name = type_name(op);
        if m.data.is_null() {
            return string(&format!("<{name} closed=True>")).into_c();
        }
        let access = ["ACCESS_DEFAULT", "ACCESS_READ", "ACCESS_WRITE", "ACCESS_COPY"].get(m.access as usize).unwrap_or(&"?");
        string(&format!("<{name} closed=False, access={access}, length={}, pos={}, offset={}>", m.size, m.pos, m.offset)).into_c()
    }
}

methods! {
    static MMAP_METHODS = [
        "close($self, /)" => mmap_close, "";
        "find($self, /, *args)" => mmap_find, "";
        "rfind($self, /, *args)" => mmap_rfind, "";
        "flush($self, offset=0, size=<unrepresentable>, /)" => mmap_flush, "";
        "madvise($self, option, start=0, length=<unrepresentable>, /)" => mmap_madvise, "";
        "move($self, dest, src, count, /)" => mmap_move, "";
        "read($self, n=None, /)" => mmap_read, "";
        "read_byte($self, /)" => mmap_read_byte, "";
        "readline($self, /)" => mmap_readline, "";
        "resize($self, newsize, /)" => mmap_resize, "";
        "seek($self, pos, whence=0, /)" => mmap_seek, "";
        "seekable($self, /)" => mmap_seekable, "";
        "size($self, /)" => mmap_size, "";
        "tell($self, /)" => mmap_tell, "";
        "write($self, bytes, /)" => mmap_write, "";
        "write_byte($self, byte, /)" => mmap_write_byte, "";
        "__enter__($self, /)" => mmap_enter, "";
        "__exit__($self, /, *exc_info)" => mmap_exit, "";
    ];
}
getset! { static MMAP_ATTRS = [ "closed" => mmap_closed, ""; ]; }

// ---- buffer, sequence, mapping

unsafe extern "C" fn mmap_getbuffer(op: *mut PyObject, view: *mut Py_buffer, flags: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let m = op.cast::<Mmap>();
        if check_valid(Borrowed::from_ptr(m)).is_err()
            || PyBuffer_FillInfo(view, op, (*m).data.cast(), (*m).size, ((*m).access == ACCESS_READ) as c_int, flags) < 0
        {
            return -1;
        }
        (*m).exports += 1;
        0
    }
}
unsafe extern "C" fn mmap_releasebuffer(op: *mut PyObject, _view: *mut Py_buffer) {
    // SAFETY: [ARGS]
    unsafe { (*op.cast::<Mmap>()).exports -= 1 }
}
unsafe extern "C" fn mmap_length(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe {
        let m = Borrowed::from_ptr(op.cast::<Mmap>());
        check_valid(m).map(|()| m.size).unwrap_or(-1)
    }
}
unsafe extern "C" fn mmap_item(op: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE] in range.
    let r = (|| unsafe {
        let m = Borrowed::from_ptr(op.cast::<Mmap>());
        check_valid(m)?;
        if i < 0 || i >= m.size {
            bail!(PyExc_IndexError, "mmap index out of range");
        }
        bytes(slice(m, i, 1))
    })();
    r.into_c()
}
unsafe extern "C" fn mmap_ass_item(op: *mut PyObject, i: Py_ssize_t, v: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] in range.
    let r = (|| unsafe {
        let m = Borrowed::from_ptr(op.cast::<Mmap>());
        check_valid(m)?;
        if i < 0 || i >= m.size {
            bail!(PyExc_IndexError, "mmap index out of range");
        }
        if v.is_null() {
            bail!(PyExc_TypeError, "mmap object doesn't support item deletion");
        }
        if PyBytes_Check(v) == 0 || PyBytes_Size(v) != 1 {
            bail!(PyExc_IndexError, "mmap assignment must be length-1 bytes()");
        }
        check_writable(m)?;
        *m.data.offset(i) = bytes_slice(v)[0];
        Ok(())
    })();
    r.into_c()
}

/// An index into the mapping from an object; its `__index__` may have closed the mapping.
unsafe fn checked_index(m: M<'_>, item: *mut PyObject) -> PyResult<isize> {
    // SAFETY: live.
    unsafe {
        let mut i = PyNumber_AsSsize_t(item, PyExc_IndexError);
        if i == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if i < 0 {
            i += m.size;
        }
        if i < 0 || i >= m.size {
            bail!(PyExc_IndexError, "mmap index out of range");
        }
        Ok(i)
    }
}
/// Start, step and length of a slice of the mapping.
unsafe fn checked_slice(m: M<'_>, item: *mut PyObject) -> PyResult<(isize, isize, isize)> {
    // SAFETY: [TYPE] a slice.
    unsafe {
        let (mut start, mut stop, mut step) = (0, 0, 0);
        check_status(PySlice_Unpack(item, &mut start, &mut stop, &mut step))?;
        let n = PySlice_AdjustIndices(m.size, &mut start, &mut stop, step);
        Ok((start, step, n))
    }
}

unsafe extern "C" fn mmap_subscript(op: *mut PyObject, item: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] in range.
    let r = (|| unsafe {
        let m = Borrowed::from_ptr(op.cast::<Mmap>());
        check_valid(m)?;
        if PyIndex_Check(item) != 0 {
            let i = checked_index(m, item)?;
            check_valid(m)?;
            return int(*m.data.offset(i) as i64);
        }
        if PySlice_Check(item) == 0 {
            bail!(PyExc_TypeError, "mmap indices must be integers");
        }
        let (start, step, n) = checked_slice(m, item)?;
        check_valid(m)?;
        if n <= 0 {
            return bytes(b"");
        }
        if step == 1 {
            return bytes(slice(m, start, n));
        }
        let out: Vec<u8> = (0..n).map(|i| *m.data.offset(start + i * step)).collect();
        bytes(&out)
    })();
    r.into_c()
}
unsafe extern "C" fn mmap_ass_subscript(op: *mut PyObject, item: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] in range.
    let r = (|| unsafe {
        let m = Borrowed::from_ptr(op.cast::<Mmap>());
        check_valid(m)?;
        check_writable(m)?;
        if PyIndex_Check(item) != 0 {
            let i = checked_index(m, item)?;
            if value.is_null() {
                bail!(PyExc_TypeError, "mmap doesn't support item deletion");
            }
            if PyIndex_Check(value) == 0 {
                bail!(PyExc_TypeError, "mmap item value must be an int");
            }
            let v = PyNumber_AsSsize_t(value, PyExc_TypeError);
            if v == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            let Ok(v) = u8::try_from(v) else { bail!(PyExc_ValueError, "mmap item value must be in range(0, 256)") };
            check_valid(m)?;
            *m.data.offset(i) = v;
            return Ok(());
        }
        if PySlice_Check(item) == 0 {
            bail!(PyExc_TypeError, "mmap indices must be integers");
        }
        let (start, step, n) = checked_slice(m, item)?;
        if value.is_null() {
            bail!(PyExc_TypeError, "mmap object doesn't support slice deletion");
        }
        let view = BufferView::get(value)?;
        let src = view.as_bytes();
        if src.len() as isize != n {
            bail!(PyExc_IndexError, "mmap slice assignment is wrong size");
        }
        check_valid(m)?;
        if step == 1 {
            core::ptr::copy(src.as_ptr(), m.data.offset(start), src.len());
        } else {
            for (i, &b) in src.iter().enumerate() {
                *m.data.offset(start + i as isize * step) = b;
            }
        }
        Ok(())
    })();
    r.into_c()
}

static mut AS_BUFFER: PyBufferProcs = PyBufferProcs { bf_getbuffer: Some(mmap_getbuffer), bf_releasebuffer: Some(mmap_releasebuffer) };
static mut AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(mmap_length),
    sq_item: Some(mmap_item),
    sq_ass_item: Some(mmap_ass_item),
    // SAFETY: [LAYOUT] a table without functions.
    ..unsafe { core::mem::zeroed() }
};
static mut AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: Some(mmap_length), mp_subscript: Some(mmap_subscript), mp_ass_subscript: Some(mmap_ass_subscript) };

#[allow(clippy::too_many_arguments, reason = "the class's Python signature")]
fn mmap_new(
    tp: Borrowed<'_, PyTypeObject>,
    fileno: i32,
    length: isize,
    flags: Option<i32>,
    prot: Option<i32>,
    access: i32,
    offset: i64,
    trackfd: bool,
) -> PyResult<Owned> {
    if length < 0 {
        bail!(PyExc_OverflowError, "memory mapped length must be positive");
    }
    if offset < 0 {
        bail!(PyExc_OverflowError, "memory mapped offset must be positive");
    }
    let (mut flags, mut prot_bits) = (flags.unwrap_or(libc::MAP_SHARED), prot.unwrap_or(libc::PROT_WRITE | libc::PROT_READ));
    if access != ACCESS_DEFAULT && (flags != libc::MAP_SHARED || prot_bits != libc::PROT_WRITE | libc::PROT_READ) {
        bail!(PyExc_ValueError, "mmap can't specify both access and flags, prot.");
    }
    let mut access = access;
    match access {
        ACCESS_READ => {
            flags = libc::MAP_SHARED;
            prot_bits = libc::PROT_READ;
        }
        ACCESS_WRITE => {
            flags = libc::MAP_SHARED;
            prot_bits = libc::PROT_READ | libc::PROT_WRITE;
        }
        ACCESS_COPY => {
            flags = libc::MAP_PRIVATE;
            prot_bits = libc::PROT_READ | libc::PROT_WRITE;
        }
        // By what the protection allows.
        ACCESS_DEFAULT if prot_bits & libc::PROT_READ != 0 && prot_bits & libc::PROT_WRITE != 0 => {}
        ACCESS_DEFAULT if prot_bits & libc::PROT_WRITE != 0 => access = ACCESS_WRITE,
        ACCESS_DEFAULT => access = ACCESS_READ,
        _ => bail!(PyExc_ValueError, "mmap invalid access parameter."),
    }
    // SAFETY: [GIL] plain system calls; fields are set before the object is seen.
    unsafe {
        audit_mixed(c"mmap.__new__", &[], &[fileno as i64, length as i64, access as i64, offset])?;
        let mut size = length;
        if fileno != -1 {
            let mut st: libc::stat = core::mem::zeroed();
            let known = allow_threads(|| libc::fstat(fileno, &mut st)) == 0;
            if known && st.st_mode & libc::S_IFMT == libc::S_IFREG {
                if size == 0 {
                    if st.st_size == 0 {
                        bail!(PyExc_ValueError, "cannot mmap an empty file");
                    }
                    if offset >= st.st_size {
                        bail!(PyExc_ValueError, "mmap offset is greater than file size");
                    }
                    size = (st.st_size - offset) as isize;
                } else if offset > st.st_size || st.st_size - offset < size as i64 {
                    bail!(PyExc_ValueError, "mmap length is greater than file size");
                }
            }
        }
        let op = own((*tp.as_ptr()).tp_alloc.unwrap_or(PyType_GenericAlloc)(tp.as_ptr(), 0))?;
        let m = op.as_ptr().cast::<Mmap>();
        (*m).fd = -1;
        (*m).size = size;
        (*m).offset = offset;
        (*m).trackfd = trackfd;
        (*m).access = access;
        if fileno == -1 {
            flags |= libc::MAP_ANONYMOUS;
        } else if trackfd {
            (*m).fd = check(libc::fcntl(fileno, libc::F_DUPFD_CLOEXEC, 0))?;
        }
        let data = allow_threads(|| libc::mmap(null_mut(), size as usize, prot_bits, flags, fileno, offset));
        if data == libc::MAP_FAILED {
            return Err(posix_error());
        }
        (*m).data = data.cast();
        Ok(op)
    }
}

/// `mmap.mmap`.
static mut MMAP: PyTypeObject = PyTypeObject {
    tp_name: c"mmap.mmap".as_ptr(),
    tp_basicsize: size_of::<Mmap>() as Py_ssize_t,
    tp_dealloc: Some(mmap_dealloc),
    tp_repr: Some(mmap_repr),
    tp_as_sequence: &raw mut AS_SEQUENCE,
    tp_as_mapping: &raw mut AS_MAPPING,
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_as_buffer: &raw mut AS_BUFFER,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tp_doc: c"mmap(fileno, length[, flags[, prot[, access[, offset[, trackfd]]]]])\n\nMap length bytes of a file into memory. A length of 0 means the whole file, a\nfileno of -1 memory without a file.\n\n  flags\n    MAP_SHARED (the default) or MAP_PRIVATE, and others.\n  prot\n    PROT_READ and PROT_WRITE (the default is both).\n  access\n    ACCESS_READ, ACCESS_WRITE or ACCESS_COPY, in place of flags and prot.\n  offset\n    Where to start, a multiple of ALLOCATIONGRANULARITY.".as_ptr(),
    tp_weaklistoffset: core::mem::offset_of!(Mmap, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut MMAP_METHODS).cast(),
    tp_getset: (&raw mut MMAP_ATTRS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(constructor!("mmap(fileno, length, flags=<unrepresentable>, prot=<unrepresentable>, access=0, offset=0, *, trackfd=True)" => mmap_new)),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

methods! { static METHODS = []; }

const CONSTANTS: &[(&str, i64)] = crate::libc_constants! {
    PROT_EXEC PROT_READ PROT_WRITE MAP_SHARED MAP_PRIVATE MAP_DENYWRITE MAP_EXECUTABLE MAP_ANONYMOUS MAP_ANON MAP_POPULATE
    MAP_STACK MAP_NORESERVE MADV_NORMAL MADV_RANDOM MADV_SEQUENTIAL MADV_WILLNEED MADV_DONTNEED MADV_REMOVE MADV_DONTFORK
    MADV_DOFORK MADV_HWPOISON MADV_MERGEABLE MADV_UNMERGEABLE MADV_HUGEPAGE MADV_NOHUGEPAGE MADV_DONTDUMP MADV_DODUMP
    MADV_FREE
};

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] static types.
    unsafe {
        drop_signatures(
            (&raw mut MMAP_METHODS).cast(),
            &["find", "rfind", "flush", "madvise", "move", "read", "resize", "seek", "write", "write_byte", "__exit__"],
        );
        add_object(module, c"error", Ok(Owned::from_borrowed(PyExc_OSError)))?;
        add_type(module, &raw mut MMAP)?;
        add_ints(module, CONSTANTS)?;
        #[cfg(target_arch = "x86_64")]
        add_ints(module, crate::libc_constants! { MAP_32BIT })?;
        let page = libc::sysconf(libc::_SC_PAGESIZE);
        add_ints(
            module,
            &[
                ("PAGESIZE", page),
                ("ALLOCATIONGRANULARITY", page),
                ("ACCESS_DEFAULT", ACCESS_DEFAULT as i64),
                ("ACCESS_READ", ACCESS_READ as i64),
                ("ACCESS_WRITE", ACCESS_WRITE as i64),
                ("ACCESS_COPY", ACCESS_COPY as i64),
            ],
        )
    }
}

module! {
    /// Entry point of `mmap`.
    pub fn PyInit_mmap = "mmap", "", methods: METHODS, exec: exec;
}

