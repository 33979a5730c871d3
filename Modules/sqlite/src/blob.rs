//! Blobs that are read and written in place.

use crate::connection::{Conn, Connection};
use crate::state::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use libsqlite3_sys as sq;
use taipan_abi::*;
use taipan_clinic::support::{bytes, int, without_gil};
use taipan_clinic::{BufferView, members, methods};

/// An open blob.
#[repr(C)]
pub struct Blob {
    ob_base: PyObject,
    connection: *mut Connection,
    blob: *mut sq::sqlite3_blob,
    offset: c_int,
    weakrefs: *mut PyObject,
}
type B<'a> = Borrowed<'a, Blob>;

/// A new object for a blob, which it takes over; the connection will close it.
///
/// # Safety
/// The blob belongs to the connection, which is open.
pub unsafe fn blob_new(connection: Conn<'_>, blob: *mut sq::sqlite3_blob) -> PyResult<Owned> {
    // SAFETY: [OWN] a zeroed instance.
    unsafe {
        let made = match taipan_clinic::support::new::<Blob>((*connection.state).BlobType) {
            Ok(made) => made,
            Err(e) => {
                sq::sqlite3_blob_close(blob);
                return Err(e);
            }
        };
        let b = made.as_ptr();
        (*b).blob = blob;
        (*b).connection = connection.to_owned().into_raw();
        let reference = Owned::from_owned_or_err(PyWeakref_NewRef(b.cast(), null_mut()))?;
        check_status(PyList_Append(connection.blobs, reference.as_ptr()))?;
        Ok(made.into_object())
    }
}

unsafe fn close(b: *mut Blob) {
    // SAFETY: [OWN] closed once.
    unsafe {
        let blob = core::mem::replace(&mut (*b).blob, null_mut());
        if !blob.is_null() {
            without_gil(|| sq::sqlite3_blob_close(blob));
        }
    }
}
/// Closes all blobs of a connection.
///
/// # Safety
/// `list` is its list of weak references.
pub unsafe fn close_all(list: *mut PyObject) {
    // SAFETY: [TYPE] weak references to blobs.
    unsafe {
        let mut i = 0;
        while !list.is_null() && i < PyList_Size(list) {
            let mut blob = null_mut();
            if PyWeakref_GetRef(PyList_GetItem(list, i), &mut blob) > 0 {
                let blob = Owned::from_owned(blob);
                close(blob.as_ptr().cast());
            }
            i += 1;
        }
    }
}

fn connection<'a>(b: B<'a>) -> Conn<'a> {
    // SAFETY: [TYPE] set by blob_new.
    unsafe { Borrowed::from_ptr(b.connection) }
}
fn check(b: B<'_>) -> PyResult<()> {
    let c = connection(b);
    c.check_open()?;
    c.check_thread()?;
    if b.blob.is_null() {
        // SAFETY: [TYPE]
        return Err(error(unsafe { (*c.state).ProgrammingError }, "Cannot operate on a closed blob."));
    }
    Ok(())
}
fn size(b: B<'_>) -> c_int {
    // SAFETY: [TYPE] open.
    unsafe { sq::sqlite3_blob_bytes(b.blob) }
}
fn failed(b: B<'_>) -> Raised {
    let c = connection(b);
    // SAFETY: [TYPE]
    unsafe { db_error(c.state, c.db) }
}
/// Reads so many bytes from a place.
fn read_at(b: B<'_>, length: Py_ssize_t, offset: Py_ssize_t) -> PyResult<Vec<u8>> {
    let mut data = vec![0u8; length as usize];
    let (blob, to) = (b.blob, data.as_mut_ptr());
    // SAFETY: [TYPE] room for so many.
    let rc = without_gil(|| unsafe { sq::sqlite3_blob_read(blob, to.cast(), length as c_int, offset as c_int) });
    if rc == sq::SQLITE_OK { Ok(data) } else { Err(failed(b)) }
}
fn write_at(b: B<'_>, data: &[u8], offset: Py_ssize_t) -> PyResult<()> {
    if data.len() as Py_ssize_t > size(b) as Py_ssize_t - offset {
        bail!(PyExc_ValueError, "data longer than blob length");
    }
    let blob = b.blob;
    // SAFETY: [TYPE]
    let rc = without_gil(|| unsafe { sq::sqlite3_blob_write(blob, data.as_ptr().cast(), data.len() as c_int, offset as c_int) });
    if rc == sq::SQLITE_OK { Ok(()) } else { Err(failed(b)) }
}

fn blob_close(b: B<'_>) -> PyResult<()> {
    let c = connection(b);
    c.check_open()?;
    c.check_thread()?;
    // SAFETY: [TYPE]
    unsafe { close(b.as_ptr()) };
    Ok(())
}
fn blob_read(b: B<'_>, length: i32) -> PyResult<Owned> {
    check(b)?;
    let rest = size(b) - b.offset;
    let length = if length < 0 { rest } else { length.min(rest) };
    if length == 0 {
        return bytes(&[]);
    }
    let data = read_at(b, length as Py_ssize_t, b.offset as Py_ssize_t)?;
    // SAFETY: [TYPE]
    unsafe { (*b.as_ptr()).offset += length };
    bytes(&data)
}
fn blob_write(b: B<'_>, data: BufferView) -> PyResult<()> {
    check(b)?;
    write_at(b, data.as_bytes(), b.offset as Py_ssize_t)?;
    // SAFETY: [TYPE]
    unsafe { (*b.as_ptr()).offset += data.as_bytes().len() as c_int };
    Ok(())
}
fn blob_seek(b: B<'_>, offset: i32, origin: i32) -> PyResult<()> {
    check(b)?;
    let base = match origin {
        libc::SEEK_SET => 0,
        libc::SEEK_CUR => b.offset,
        libc::SEEK_END => size(b),
        _ => bail!(PyExc_ValueError, "'origin' should be os.SEEK_SET, os.SEEK_CUR, or os.SEEK_END"),
    };
    let Some(to) = offset.checked_add(base) else {
        bail!(PyExc_OverflowError, "seek offset results in overflow");
    };
    if to < 0 || to > size(b) {
        bail!(PyExc_ValueError, "offset out of blob range");
    }
    // SAFETY: [TYPE]
    unsafe { (*b.as_ptr()).offset = to };
    Ok(())
}
fn blob_tell(b: B<'_>) -> PyResult<i32> {
    check(b)?;
    Ok(b.offset)
}
fn blob_enter(b: B<'_>) -> PyResult<Owned> {
    check(b)?;
    Ok(b.to_owned().into_object())
}
fn blob_exit(b: B<'_>, _type: Borrowed<'_>, _val: Borrowed<'_>, _tb: Borrowed<'_>) -> PyResult<bool> {
    check(b)?;
    // SAFETY: [TYPE]
    unsafe { close(b.as_ptr()) };
    Ok(false)
}

// ---- as a sequence of bytes

/// What a subscript selects.
enum Place {
    Index(Py_ssize_t),
    Slice { start: Py_ssize_t, step: Py_ssize_t, n: Py_ssize_t },
}
fn index(b: B<'_>, key: *mut PyObject) -> PyResult<Py_ssize_t> {
    // SAFETY: [ARGS]
    unsafe {
        let i = PyNumber_AsSsize_t(key, PyExc_IndexError);
        if i == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        let n = size(b) as Py_ssize_t;
        let i = if i < 0 { i + n } else { i };
        if i < 0 || i >= n {
            bail!(PyExc_IndexError, "Blob index out of range");
        }
        Ok(i)
    }
}
fn slice(b: B<'_>, key: *mut PyObject) -> PyResult<Place> {
    let (mut start, mut stop, mut step) = (0, 0, 0);
    // SAFETY: [TYPE] a slice.
    unsafe {
        check_status(PySlice_Unpack(key, &mut start, &mut stop, &mut step))?;
        let n = PySlice_AdjustIndices(size(b) as Py_ssize_t, &mut start, &mut stop, step);
        Ok(Place::Slice { start, step, n })
    }
}
fn is_slice(key: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*key).ob_type == &raw mut PySlice_Type }
}
/// The bytes that a slice selects, with the place of the lowest and the stretch that holds all.
fn stretch(start: Py_ssize_t, step: Py_ssize_t, n: Py_ssize_t) -> (Py_ssize_t, Py_ssize_t) {
    let last = start + (n - 1) * step;
    (start.min(last), (start - last).abs() + 1)
}
fn subscript(b: B<'_>, key: *mut PyObject) -> PyResult<Owned> {
    check(b)?;
    // SAFETY: [ARGS]
    let place = unsafe {
        if PyIndex_Check(key) != 0 {
            Place::Index(index(b, key)?)
        } else if is_slice(key) {
            slice(b, key)?
        } else {
            bail!(PyExc_TypeError, "Blob indices must be integers");
        }
    };
    match place {
        Place::Index(i) => int(read_at(b, 1, i)?[0] as i64),
        Place::Slice { n: 0, .. } => bytes(&[]),
        Place::Slice { start, step, n } => {
            let (low, length) = stretch(start, step, n);
            let data = read_at(b, length, low)?;
            let picked: Vec<u8> = (0..n).map(|i| data[(start + i * step - low) as usize]).collect();
            bytes(&picked)
        }
    }
}
fn assign(b: B<'_>, key: *mut PyObject, value: *mut PyObject) -> PyResult<()> {
    check(b)?;
    // SAFETY: [ARGS]
    unsafe {
        if PyIndex_Check(key) != 0 {
            if value.is_null() {
                bail!(PyExc_TypeError, "Blob doesn't support item deletion");
            }
            if PyLong_Check(value) == 0 {
                bail!(PyExc_TypeError, "'{}' object cannot be interpreted as an integer", type_name(value));
            }
            let i = index(b, key)?;
            let n = PyLong_AsLong(value);
            if n == -1 && err_occurred() {
                PyErr_Clear();
            }
            let Ok(byte) = u8::try_from(n) else { bail!(PyExc_ValueError, "byte must be in range(0, 256)") };
            return write_at(b, &[byte], i);
        }
        if !is_slice(key) {
            bail!(PyExc_TypeError, "Blob indices must be integers");
        }
        if value.is_null() {
            bail!(PyExc_TypeError, "Blob doesn't support slice deletion");
        }
        let Place::Slice { start, step, n } = slice(b, key)? else { return Ok(()) };
        if n == 0 {
            return Ok(());
        }
        let view = BufferView::get(value)?;
        let new = view.as_bytes();
        if new.len() as Py_ssize_t != n {
            bail!(PyExc_IndexError, "Blob slice assignment is wrong size");
        }
        if step == 1 {
            return write_at(b, new, start);
        }
        let (low, length) = stretch(start, step, n);
        let mut data = read_at(b, length, low)?;
        for (i, &byte) in new.iter().enumerate() {
            data[(start + i as Py_ssize_t * step - low) as usize] = byte;
        }
        write_at(b, &data, low)
    }
}
unsafe extern "C" fn mp_length(slf: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    let b: B<'_> = unsafe { Borrowed::from_ptr(slf.cast()) };
    if check(b).is_err() { -1 } else { size(b) as Py_ssize_t }
}
unsafe extern "C" fn mp_subscript(slf: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    subscript(unsafe { Borrowed::from_ptr(slf.cast()) }, key).into_c()
}
unsafe extern "C" fn mp_ass_subscript(slf: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    assign(unsafe { Borrowed::from_ptr(slf.cast()) }, key, value).into_c()
}

// ---- the type

unsafe extern "C" fn traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit_all(slf, &[(*slf.cast::<Blob>()).connection.cast()], visit, arg) }
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.cast::<Blob>()).connection, null_mut()) };
    0
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let b = slf.cast::<Blob>();
        close(b);
        if !(*b).weakrefs.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        clear(slf);
        free_instance(slf);
    }
}

methods! {
    static METHODS = [
        "close($self, /)" => blob_close, "Close the blob.";
        "__enter__($self, /)" => blob_enter, "";
        "__exit__($self, type, val, tb, /)" => blob_exit, "";
        "read($self, length=-1, /)" => blob_read, "Read at most length bytes, or all that is left if negative.";
        "seek($self, offset, origin=0, /)" => blob_seek, "Set the place where reading and writing goes on.";
        "tell($self, /)" => blob_tell, "The place where reading and writing goes on.";
        "write($self, data, /)" => blob_write, "Write bytes; the size can't be changed.";
    ];
}
members! {
    static MEMBERS = [
        "__weaklistoffset__", Py_T_PYSSIZET, core::mem::offset_of!(Blob, weakrefs), Py_READONLY, "";
    ];
}

/// Makes the type.
pub fn make(module: Borrowed<'_>) -> PyResult<*mut PyTypeObject> {
    // SAFETY: [LAYOUT]
    unsafe {
        let slots = [
            (Py_tp_dealloc, dealloc as *mut c_void),
            (Py_tp_traverse, traverse as *mut c_void),
            (Py_tp_clear, clear as *mut c_void),
            (Py_tp_methods, (&raw mut METHODS).cast()),
            (Py_tp_members, (&raw mut MEMBERS).cast()),
            (Py_mp_length, mp_length as *mut c_void),
            (Py_mp_subscript, mp_subscript as *mut c_void),
            (Py_mp_ass_subscript, mp_ass_subscript as *mut c_void),
        ];
        make_type(module, c"sqlite3.Blob", size_of::<Blob>(), Py_TPFLAGS_DISALLOW_INSTANTIATION, &slots)
    }
}
