//! What the modules of this crate share: objects from Rust values, system calls without the GIL, errors.

use core::ffi::{CStr, c_char, c_int};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::*};
use taipan_abi::*;
pub use taipan_clinic::support::{
    audit, boolean, bytes, bytes_slice, call, errno, float, getattr, int, list, none, os_error as posix_error,
    os_error_of as posix_error_from, own, set_errno, string, truth, tuple, without_gil as allow_threads,
};

unsafe extern "C" {
    /// The name of a field that can only be reached by index.
    static PyStructSequence_UnnamedField: *const c_char;
    fn PyErr_SetFromErrnoWithFilenameObjects(exc: *mut PyObject, a: *mut PyObject, b: *mut PyObject) -> *mut PyObject;
}

/// An int without sign.
pub fn uint(n: u64) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyLong_FromUnsignedLongLong(n)) }
}

/// A str from the bytes that the system gave, in the filesystem encoding.
pub fn fsdecode(data: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyUnicode_DecodeFSDefaultAndSize(data.as_ptr().cast(), data.len() as Py_ssize_t)) }
}

/// The UTF-8 text of a str, lent.
///
/// # Safety
/// `op` is a str that outlives the result.
pub unsafe fn text<'a>(op: *mut PyObject) -> PyResult<&'a str> {
    // SAFETY: [TYPE] the cached UTF-8 lives as long as the object.
    unsafe {
        let mut size = 0;
        let p = PyUnicode_AsUTF8AndSize(op, &mut size);
        if p.is_null() {
            return Err(Raised::assume());
        }
        Ok(core::str::from_utf8_unchecked(core::slice::from_raw_parts(p.cast(), size as usize)))
    }
}

/// A C string of the system as a slice, empty for NULL.
///
/// # Safety
/// `p` is NULL or NUL-terminated and outlives the result.
pub unsafe fn c_bytes<'a>(p: *const c_char) -> &'a [u8] {
    // SAFETY: [ARGS]
    if p.is_null() { &[] } else { unsafe { CStr::from_ptr(p).to_bytes() } }
}

/// An int that fits a C `int`.
///
/// # Safety
/// `op` is live.
pub unsafe fn as_int(op: *mut PyObject) -> PyResult<c_int> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyLong_AsLong(op);
        if n == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        c_int::try_from(n).map_err(|_| raise!(PyExc_OverflowError, "Python int too large to convert to C int"))
    }
}

/// An int that fits a C `long`.
///
/// # Safety
/// `op` is live.
pub unsafe fn as_long(op: *mut PyObject) -> PyResult<i64> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyLong_AsLong(op);
        if n == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
    }
}

// ---- system calls

/// Repeats a system call, without the GIL, for as long as signals interrupt it and no handler raises (PEP 475). The
/// result may be -1 with `errno` set.
pub fn retry<R: Copy + PartialEq + From<i8>>(mut f: impl FnMut() -> R) -> PyResult<R> {
    loop {
        let r = allow_threads(&mut f);
        if r != R::from(-1) || errno() != libc::EINTR {
            return Ok(r);
        }
        check_signals()?;
    }
}

/// Runs the handlers of signals that arrived.
pub fn check_signals() -> PyResult<()> {
    // SAFETY: [GIL]
    check_status(unsafe { PyErr_CheckSignals() })
}

/// OSError from `errno` about a file.
///
/// # Safety
/// `name` is live.
#[cold]
pub unsafe fn posix_error_with(name: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, name);
        Raised::assume()
    }
}

/// OSError from `errno` about two files.
///
/// # Safety
/// Both are live.
#[cold]
pub unsafe fn posix_error_with2(a: *mut PyObject, b: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_SetFromErrnoWithFilenameObjects(PyExc_OSError, a, b);
        Raised::assume()
    }
}

/// `Ok` unless `r` is negative, then OSError from `errno`.
#[inline]
pub fn check(r: c_int) -> PyResult<c_int> {
    if r < 0 { Err(posix_error()) } else { Ok(r) }
}

// ---- audit

/// Raises an audit event with int arguments.
pub fn audit_ints<const N: usize>(event: &CStr, args: [i64; N]) -> PyResult<()> {
    // SAFETY: [OWN]
    unsafe {
        let mut items = Vec::with_capacity(N);
        for n in args {
            items.push(int(n)?);
        }
        let raw: Vec<_> = items.iter().map(|o| o.as_ptr()).collect();
        audit(event, &raw)
    }
}

/// Warns; `Err` when the warning is an error.
pub fn warn(category: *mut PyObject, message: &str, level: isize) -> PyResult<()> {
    let text = std::ffi::CString::new(message).unwrap_or_default();
    // SAFETY: [GIL] category is a live class.
    check_status(unsafe { PyErr_WarnEx(category, text.as_ptr(), level) })
}

// ---- struct sequences

/// A struct sequence type that is made when first needed.
pub struct StructType {
    cell: AtomicPtr<PyTypeObject>,
    name: &'static CStr,
    doc: &'static CStr,
    fields: &'static [(&'static CStr, &'static CStr)],
    visible: c_int,
}

/// The name of a field that can only be reached by its index.
pub const UNNAMED: &CStr = c"";

impl StructType {
    /// Describes a type; `visible` fields belong to the sequence.
    pub const fn new(
        name: &'static CStr,
        doc: &'static CStr,
        fields: &'static [(&'static CStr, &'static CStr)],
        visible: c_int,
    ) -> Self {
        StructType { cell: AtomicPtr::new(null_mut()), name, doc, fields, visible }
    }

    /// The type, borrowed.
    pub fn get(&self) -> PyResult<*mut PyTypeObject> {
        let known = self.cell.load(Acquire);
        if !known.is_null() {
            return Ok(known);
        }
        // SAFETY: [GIL] names are static; the array is only read during the call.
        unsafe {
            let mut fields: Vec<PyStructSequence_Field> = self
                .fields
                .iter()
                .map(|(n, d)| PyStructSequence_Field {
                    name: if n.is_empty() { PyStructSequence_UnnamedField } else { n.as_ptr() },
                    doc: if d.is_empty() { core::ptr::null() } else { d.as_ptr() },
                })
                .collect();
            fields.push(PyStructSequence_Field { name: core::ptr::null(), doc: core::ptr::null() });
            let mut desc = PyStructSequence_Desc {
                name: self.name.as_ptr(),
                doc: self.doc.as_ptr(),
                fields: fields.as_mut_ptr(),
                n_in_sequence: self.visible,
            };
            let tp = own(PyStructSequence_NewType(&mut desc))?.into_raw();
            self.cell.store(tp, Release);
            Ok(tp)
        }
    }

    /// A new instance with these fields.
    pub fn build<const N: usize>(&self, values: [Owned; N]) -> PyResult<Owned> {
        // SAFETY: [OWN] each value is given to its field.
        unsafe {
            let op = own(PyStructSequence_New(self.get()?))?;
            for (i, v) in values.into_iter().enumerate() {
                PyStructSequence_SetItem(op.as_ptr(), i as Py_ssize_t, v.into_raw());
            }
            Ok(op)
        }
    }

    /// Adds the type to a module under the last part of its name.
    pub fn add_to(&self, module: Borrowed<'_>) -> PyResult<()> {
        // SAFETY: [GIL]
        unsafe {
            let full = self.name.to_bytes();
            let at = full.iter().rposition(|&b| b == b'.').map_or(0, |i| i + 1);
            check_status(PyObject_SetAttrString(module.ob(), self.name.as_ptr().add(at), self.get()?.cast()))
        }
    }
}

/// A table of int constants, by name.
pub fn add_ints(module: Borrowed<'_>, table: &[(&str, i64)]) -> PyResult<()> {
    for &(name, value) in table {
        // SAFETY: [GIL]
        unsafe {
            let mut key = string(name)?.into_raw();
            PyUnicode_InternInPlace(&mut key);
            let key = Owned::from_owned(key);
            let value = int(value)?;
            check_status(PyObject_SetAttr(module.ob(), key.as_ptr(), value.as_ptr()))?;
        }
    }
    Ok(())
}

/// `libc`'s constants of these names as a table for [`add_ints`].
#[macro_export]
macro_rules! libc_constants {
    ($($name:ident)*) => { &[$((stringify!($name), ::libc::$name as i64)),*] };
}

// ---- numbers of users, groups, processes

/// A uid or gid as an int; -1 stays -1.
pub fn id_object(id: u32) -> PyResult<Owned> {
    if id == u32::MAX { int(-1) } else { int(id as i64) }
}

/// A uid or gid from an int; `what` is "uid" or "gid".
///
/// # Safety
/// `obj` is live.
pub unsafe fn id_from_object(obj: *mut PyObject, what: &str) -> PyResult<u32> {
    // SAFETY: [ARGS]
    unsafe {
        if PyIndex_Check(obj) == 0 {
            bail!(PyExc_TypeError, "{what} should be integer, not {}", type_name(obj));
        }
        let index = own(PyNumber_Index(obj))?;
        let mut overflow = 0;
        let n = PyLong_AsLongAndOverflow(index.as_ptr(), &mut overflow);
        if n == -1 && overflow == 0 && err_occurred() {
            return Err(Raised::assume());
        }
        if overflow < 0 || n < -1 {
            bail!(PyExc_OverflowError, "{what} is less than minimum");
        }
        if n == -1 && overflow == 0 {
            return Ok(u32::MAX);
        }
        match u32::try_from(n) {
            Ok(id) if overflow == 0 => Ok(id),
            _ => bail!(PyExc_OverflowError, "{what} is greater than maximum"),
        }
    }
}

/// Raises an audit event with some objects, then some ints.
///
/// # Safety
/// All objects are live.
pub unsafe fn audit_mixed(event: &CStr, objects: &[*mut PyObject], ints: &[i64]) -> PyResult<()> {
    let mut made = Vec::with_capacity(ints.len());
    for &n in ints {
        made.push(int(n)?);
    }
    let all: Vec<_> = objects.iter().copied().chain(made.iter().map(|o| o.as_ptr())).collect();
    // SAFETY: [ARGS]
    unsafe { audit(event, &all) }
}

/// Takes the text signature out of the documentation of some methods: CPython has none there, and `inspect` shows it.
///
/// # Safety
/// `table` ends with a NULL name and is not in use yet.
pub unsafe fn drop_signatures(table: *mut PyMethodDef, names: &[&str]) {
    // SAFETY: [ARGS] documentation made by the table macro has the marker.
    unsafe {
        let mut m = table;
        while !(*m).ml_name.is_null() {
            let name = CStr::from_ptr((*m).ml_name).to_str().unwrap_or("");
            let doc = CStr::from_ptr((*m).ml_doc).to_bytes();
            if names.contains(&name)
                && let Some(at) = doc.windows(5).position(|w| w == b"\n--\n\n")
            {
                (*m).ml_doc = (*m).ml_doc.add(at + 5);
            }
            m = m.add(1);
        }
    }
}

/// A vector with room for as many items as a Python object says that it has; MemoryError if that is too much.
pub fn room<T>(n: Py_ssize_t) -> PyResult<Vec<T>> {
    let mut all = Vec::new();
    if all.try_reserve(n.max(0) as usize).is_err() {
        // SAFETY: [GIL] [EXC] set here.
        return Err(unsafe {
            PyErr_NoMemory();
            Raised::assume()
        });
    }
    Ok(all)
}
