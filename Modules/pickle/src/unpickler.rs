//! `Unpickler`, its input, its stack and memo, and the proxy of the memo.

use crate::load::load;
use crate::opcode::PREFETCH;
use crate::pickler::{dict_reduce, is_name, proxy_dealloc, proxy_traverse};
use crate::state::{state, unpickling_error};
use crate::{bytes_of, call1, getattr_opt, hold, own, tuple};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use std::collections::BTreeMap;
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::{getset, initializer, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// An unpickler. Its size is CPython's. As with picklers, what is called may come back and change it.
#[repr(C)]
pub struct Unpickler {
    ob_base: PyObject,
    /// Objects that are not part of a container yet; owned.
    pub stack: Vec<*mut PyObject>,
    /// What lies below belongs to the frame of an open mark.
    pub fence: usize,
    /// The heights of the stack at the open marks.
    pub marks: Vec<usize>,
    memo: Vec<*mut PyObject>,
    /// Entries far beyond the others, which only a hostile pickle has.
    far_memo: *mut BTreeMap<usize, *mut PyObject>,
    memo_len: usize,
    /// The method, while load() runs, NULL if it isn't overridden.
    pub persistent_load: *mut PyObject,
    /// The method, if it was set on the instance.
    persistent_load_attr: *mut PyObject,
    read: *mut PyObject,
    readinto: *mut PyObject,
    readline: *mut PyObject,
    peek: *mut PyObject,
    /// An iterator over out-of-band buffers, or NULL.
    pub buffers: *mut PyObject,
    /// What the input points into, or NULL.
    view: *mut Py_buffer,
    input: *const u8,
    input_len: usize,
    next_read: usize,
    prefetched: usize,
    /// How strings of Python 2 are decoded; "bytes" leaves them as they are.
    pub texts: *mut Texts,
    /// The protocol of the pickle.
    pub proto: i32,
    /// Whether names of Python 2 are translated.
    pub fix_imports: bool,
    _size: [usize; 6],
}

/// Encoding and error handler.
pub struct Texts {
    /// The encoding.
    pub encoding: CString,
    /// The error handler.
    pub errors: CString,
}

const _: () = assert!(size_of::<Unpickler>() == 272);

const MEMO_SIZE: usize = 32;

/// An unpickler that is no object, for load() and loads(); to be given to [`finish`].
pub fn bare() -> Unpickler {
    // SAFETY: all-zero is valid but for the Vecs, which are replaced; the header is never looked at.
    unsafe {
        let mut u = core::mem::MaybeUninit::<Unpickler>::zeroed();
        init_vecs(u.as_mut_ptr());
        u.assume_init()
    }
}

unsafe fn init_vecs(u: *mut Unpickler) {
    // SAFETY: [ARGS] the memory is not initialised yet.
    unsafe {
        (&raw mut (*u).stack).write(Vec::new());
        (&raw mut (*u).marks).write(Vec::new());
        (&raw mut (*u).memo).write(Vec::new());
    }
}

/// Releases what an unpickler holds.
pub unsafe fn finish(u: *mut Unpickler) {
    // SAFETY: [OWN]
    unsafe {
        for field in [
            &raw mut (*u).readline,
            &raw mut (*u).readinto,
            &raw mut (*u).read,
            &raw mut (*u).peek,
            &raw mut (*u).persistent_load,
            &raw mut (*u).persistent_load_attr,
            &raw mut (*u).buffers,
        ] {
            setref(field, null_mut());
        }
        truncate(u, 0);
        (*u).stack = Vec::new();
        (*u).marks = Vec::new();
        release_view(u);
        clear_memo(u);
        (*u).memo = Vec::new();
        let texts = core::mem::replace(&mut (*u).texts, null_mut());
        if !texts.is_null() {
            drop(Box::from_raw(texts));
        }
    }
}

// ---- input ---------------------------------------------------------------------------------------------------------------

unsafe fn release_view(u: *mut Unpickler) {
    // SAFETY: [OWN] filled by PyObject_GetBuffer; unpublished before foreign code can run.
    unsafe {
        let view = core::mem::replace(&mut (*u).view, null_mut());
        (*u).input = core::ptr::null();
        (*u).input_len = 0;
        (*u).next_read = 0;
        (*u).prefetched = 0;
        if !view.is_null() {
            PyBuffer_Release(view);
            drop(Box::from_raw(view));
        }
    }
}

/// Makes an object's bytes the input; their number.
pub unsafe fn set_string_input(u: *mut Unpickler, input: *mut PyObject) -> PyResult<usize> {
    // SAFETY: [ARGS] the view keeps the bytes in place until it is released.
    unsafe {
        release_view(u);
        let mut view = Box::new(core::mem::zeroed::<Py_buffer>());
        check_status(PyObject_GetBuffer(input, &mut *view, PyBUF_CONTIG_RO))?;
        (*u).input = view.buf.cast();
        (*u).input_len = view.len as usize;
        (*u).next_read = 0;
        (*u).prefetched = view.len as usize;
        (*u).view = Box::into_raw(view);
        Ok((*u).input_len)
    }
}

/// Sets the file.
pub unsafe fn set_input_stream(u: *mut Unpickler, file: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let raw = |o: Option<Owned>| o.map_or(null_mut(), Owned::into_raw);
        let peek = getattr_opt(file, intern!("peek"))?;
        let readinto = getattr_opt(file, intern!("readinto"))?;
        let (Some(read), Some(readline)) = (getattr_opt(file, intern!("read"))?, getattr_opt(file, intern!("readline"))?) else {
            bail!(PyExc_TypeError, "file must have 'read' and 'readline' attributes");
        };
        setref(&raw mut (*u).peek, raw(peek));
        setref(&raw mut (*u).readinto, raw(readinto));
        setref(&raw mut (*u).read, read.into_raw());
        setref(&raw mut (*u).readline, readline.into_raw());
        Ok(())
    }
}

/// Sets how strings of Python 2 are decoded.
pub unsafe fn set_input_encoding(u: *mut Unpickler, encoding: &str, errors: &str) -> PyResult<()> {
    let (Ok(encoding), Ok(errors)) = (CString::new(encoding), CString::new(errors)) else {
        bail!(PyExc_ValueError, "embedded null character");
    };
    // SAFETY: [OWN]
    unsafe {
        let old = core::mem::replace(&mut (*u).texts, Box::into_raw(Box::new(Texts { encoding, errors })));
        if !old.is_null() {
            drop(Box::from_raw(old));
        }
    }
    Ok(())
}

/// Sets the out-of-band buffers.
pub unsafe fn set_buffers(u: *mut Unpickler, buffers: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let iter = match buffers.filter(|b| !b.is_none()) {
            Some(b) => own(PyObject_GetIter(b.ob()))?.into_raw(),
            None => null_mut(),
        };
        setref(&raw mut (*u).buffers, iter);
        Ok(())
    }
}

/// The error of input that ends too early.
#[cold]
pub fn truncated() -> Raised {
    unpickling_error("pickle data was truncated")
}

fn size_object(n: usize) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyLong_FromSize_t(n)) }
}

/// Advances the file over what was only looked at with peek(), but is used now.
pub unsafe fn skip_consumed(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(consumed) = (*u).next_read.checked_sub((*u).prefetched).filter(|&n| n > 0) else { return Ok(()) };
        if let Some(read) = Owned::from_borrowed_or_opt((*u).read) {
            call1(read.as_ptr(), size_object(consumed)?.as_ptr())?;
        }
        (*u).prefetched = (*u).next_read;
        Ok(())
    }
}

/// Looks ahead in the file. `None` if it can't be.
unsafe fn peek_file(u: *mut Unpickler) -> PyResult<Option<usize>> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(peek) = Owned::from_borrowed_or_opt((*u).peek) else { return Ok(None) };
        match call1(peek.as_ptr(), size_object(PREFETCH)?.as_ptr()) {
            Ok(data) => {
                let n = set_string_input(u, data.as_ptr())?;
                (*u).prefetched = 0;
                Ok(Some(n))
            }
            Err(e) if e.matches(PyExc_NotImplementedError) => {
                e.clear();
                setref(&raw mut (*u).peek, null_mut());
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}

/// Reads from the file: `n` bytes, or a line for `None`. The number of bytes that the input then has.
unsafe fn read_from_file(u: *mut Unpickler, n: Option<usize>) -> PyResult<usize> {
    // SAFETY: [ARGS]
    unsafe {
        skip_consumed(u)?;
        let data = match n {
            None => {
                let Some(readline) = Owned::from_borrowed_or_opt((*u).readline) else { return Err(truncated()) };
                own(PyObject_CallNoArgs(readline.as_ptr()))?
            }
            Some(n) => {
                if n < PREFETCH
                    && let Some(ahead) = peek_file(u)?
                    && n <= ahead
                {
                    return Ok(n);
                }
                let Some(read) = Owned::from_borrowed_or_opt((*u).read) else { return Err(truncated()) };
                call1(read.as_ptr(), size_object(n)?.as_ptr())?
            }
        };
        set_string_input(u, data.as_ptr())
    }
}

#[cold]
unsafe fn read_slow(u: *mut Unpickler, n: usize) -> PyResult<*const u8> {
    // SAFETY: [ARGS]
    unsafe {
        if n > isize::MAX as usize - (*u).next_read {
            return Err(unpickling_error("read would overflow (invalid bytecode)"));
        }
        if (*u).read.is_null() {
            return Err(truncated());
        }
        if read_from_file(u, Some(n))? < n || (*u).input_len < n {
            return Err(truncated());
        }
        (*u).next_read = n;
        Ok((*u).input)
    }
}

/// Reads `n` bytes; they stay there until the next read, or until Python code runs.
#[inline(always)]
pub unsafe fn read<'a>(u: *mut Unpickler, n: usize) -> PyResult<&'a [u8]> {
    // SAFETY: [ARGS] the input has input_len bytes, of which next_read are used.
    unsafe {
        let at = (*u).next_read;
        let start = if n <= (*u).input_len - at && n != 0 {
            (*u).next_read = at + n;
            (*u).input.add(at)
        } else if n == 0 {
            return Ok(&[]);
        } else {
            read_slow(u, n)?
        };
        Ok(core::slice::from_raw_parts(start, n))
    }
}

/// Steps back by what was just read.
pub unsafe fn unread(u: *mut Unpickler, n: usize) {
    // SAFETY: [ARGS]
    unsafe { (*u).next_read = (*u).next_read.saturating_sub(n) }
}

/// Whether so many bytes can't be there, because the input is in memory and shorter.
pub unsafe fn is_too_long(u: *mut Unpickler, n: usize) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*u).read.is_null() && n > (*u).input_len - (*u).next_read }
}

/// Reads `n` bytes to memory of the caller's, without looking ahead in the file.
pub unsafe fn read_into(u: *mut Unpickler, mut to: *mut u8, mut n: usize) -> PyResult<()> {
    // SAFETY: [ARGS] there is room for n bytes.
    unsafe {
        let have = ((*u).input_len - (*u).next_read).min(n);
        if have > 0 {
            to.copy_from_nonoverlapping((*u).input.add((*u).next_read), have);
            (*u).next_read += have;
            to = to.add(have);
            n -= have;
        }
        if n == 0 {
            return Ok(());
        }
        let Some(read) = Owned::from_borrowed_or_opt((*u).read) else { return Err(truncated()) };
        skip_consumed(u)?;
        let Some(readinto) = Owned::from_borrowed_or_opt((*u).readinto) else {
            let data = call1(read.as_ptr(), size_object(n)?.as_ptr())?;
            if PyBytes_Check(data.as_ptr()) == 0 {
                PyErr_Format(PyExc_ValueError, c"read() returned non-bytes object (%R)".as_ptr(), type_of(data.as_ptr()));
                return Err(Raised::assume());
            }
            let bytes = bytes_of(data.as_ptr());
            if bytes.len() < n {
                return Err(truncated());
            }
            to.copy_from_nonoverlapping(bytes.as_ptr(), n);
            return Ok(());
        };
        let memory = own(PyMemoryView_FromMemory(to.cast(), n as Py_ssize_t, PyBUF_WRITE))?;
        let got = call1(readinto.as_ptr(), memory.as_ptr())?;
        let got = PyLong_AsSsize_t(got.as_ptr());
        if got < 0 {
            if !err_occurred() {
                bail!(PyExc_ValueError, "readinto() returned negative size");
            }
            return Err(Raised::assume());
        }
        if (got as usize) < n { Err(truncated()) } else { Ok(()) }
    }
}

/// Reads a line with its newline.
pub unsafe fn read_line(u: *mut Unpickler) -> PyResult<Vec<u8>> {
    // SAFETY: [ARGS] as in read.
    unsafe {
        let at = (*u).next_read;
        if at < (*u).input_len {
            let rest = core::slice::from_raw_parts((*u).input.add(at), (*u).input_len - at);
            if let Some(end) = rest.iter().position(|&b| b == b'\n') {
                (*u).next_read = at + end + 1;
                return Ok(rest[..=end].to_vec());
            }
        }
        if (*u).read.is_null() {
            return Err(truncated());
        }
        let n = read_from_file(u, None)?;
        if n == 0 || (*u).input_len < n {
            return Err(truncated());
        }
        let line = core::slice::from_raw_parts((*u).input, n);
        if line[n - 1] != b'\n' {
            return Err(truncated());
        }
        (*u).next_read = n;
        Ok(line.to_vec())
    }
}

// ---- stack and memo ------------------------------------------------------------------------------------------------------

/// Shortens the stack.
pub unsafe fn truncate(u: *mut Unpickler, to: usize) {
    // SAFETY: [OWN] the objects leave the stack before they are released.
    unsafe {
        let stack = &mut *(&raw mut (*u).stack);
        if to < stack.len() {
            for op in stack.split_off(to) {
                Py_DECREF(op);
            }
        }
    }
}

/// The object with a number.
pub unsafe fn memo_get(u: *mut Unpickler, index: usize) -> Option<*mut PyObject> {
    // SAFETY: [ARGS]
    unsafe {
        match (&(*u).memo).get(index) {
            Some(&op) if !op.is_null() => Some(op),
            _ if (*u).far_memo.is_null() => None,
            _ => (*(*u).far_memo).get(&index).copied(),
        }
    }
}

/// Gives an object the number.
pub unsafe fn memo_put(u: *mut Unpickler, index: usize, op: *mut PyObject) {
    // SAFETY: [ARGS] the new object is in place before the old one is released.
    unsafe {
        let memo = &mut *(&raw mut (*u).memo);
        Py_INCREF(op);
        let old = if index < memo.len() {
            core::mem::replace(&mut memo[index], op)
        } else if index < 1 << 16 || index / 4 <= memo.len() {
            memo.resize((index * 2).max(MEMO_SIZE), null_mut());
            core::mem::replace(&mut memo[index], op)
        } else {
            if (*u).far_memo.is_null() {
                (*u).far_memo = Box::into_raw(Box::default());
            }
            (*(*u).far_memo).insert(index, op).unwrap_or(null_mut())
        };
        if old.is_null() {
            (*u).memo_len += 1;
        }
        Py_XDECREF(old);
    }
}

/// The number that MEMOIZE gives.
pub unsafe fn memo_len(u: *mut Unpickler) -> usize {
    // SAFETY: [ARGS]
    unsafe { (*u).memo_len }
}

/// Numbers and objects.
unsafe fn memo_entries(u: *mut Unpickler) -> Vec<(usize, *mut PyObject)> {
    // SAFETY: [ARGS]
    unsafe {
        let near = (&(*u).memo).iter().enumerate().filter(|(_, op)| !op.is_null()).map(|(i, &op)| (i, op));
        let mut all: Vec<_> = near.collect();
        if !(*u).far_memo.is_null() {
            all.extend((*(*u).far_memo).iter().map(|(&i, &op)| (i, op)));
        }
        all
    }
}

unsafe fn clear_memo(u: *mut Unpickler) {
    // SAFETY: [OWN] the memo is empty before the objects are released.
    unsafe {
        let old = memo_entries(u);
        let size = (&(*u).memo).len();
        (*u).memo = vec![null_mut(); size];
        (*u).memo_len = 0;
        let far = core::mem::replace(&mut (*u).far_memo, null_mut());
        if !far.is_null() {
            drop(Box::from_raw(far));
        }
        for (_, op) in old {
            Py_DECREF(op);
        }
    }
}

// ---- methods -------------------------------------------------------------------------------------------------------------

fn persistent_load(_: Borrowed<'_, Unpickler>, _pid: Borrowed<'_>) -> PyResult<()> {
    Err(unpickling_error("A load persistent id instruction was encountered, but no persistent_load function was specified."))
}

fn unpickler_load(slf: Borrowed<'_, Unpickler>) -> PyResult<Owned> {
    if slf.read.is_null() {
        // SAFETY: [TYPE]
        let name = unsafe { tp_name(slf.ob_type()) };
        return Err(unpickling_error(&format!("Unpickler.__init__() was not called by {name}.__init__()")));
    }
    // SAFETY: [TYPE]
    unsafe { load(slf.as_ptr(), slf.ob()) }
}

/// What `find_class()` does unless it is overridden.
pub unsafe fn find_class(u: *mut Unpickler, module: *mut PyObject, name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the mappings' items are held.
    unsafe {
        check_status(PySys_Audit(c"pickle.find_class".as_ptr(), c"OO".as_ptr(), module, name))?;
        let (mut module, mut name) = (hold(module), hold(name));
        if (*u).proto < 3 && (*u).fix_imports {
            let key = tuple(vec![module.clone(), name.clone()])?;
            let found = PyDict_GetItemWithError(state().name_mapping_2to3, key.as_ptr());
            if !found.is_null() {
                if PyTuple_Check(found) == 0 || PyTuple_GET_SIZE(found) != 2 {
                    let got = type_name(found);
                    bail!(PyExc_RuntimeError, "_compat_pickle.NAME_MAPPING values should be 2-tuples, not {got}");
                }
                let (m, n) = (PyTuple_GET_ITEM(found, 0), PyTuple_GET_ITEM(found, 1));
                if PyUnicode_Check(m) == 0 || PyUnicode_Check(n) == 0 {
                    let (a, b) = (type_name(m), type_name(n));
                    bail!(PyExc_RuntimeError, "_compat_pickle.NAME_MAPPING values should be pairs of str, not ({a}, {b})");
                }
                (module, name) = (hold(m), hold(n));
            } else if err_occurred() {
                return Err(Raised::assume());
            } else {
                let found = PyDict_GetItemWithError(state().import_mapping_2to3, module.as_ptr());
                if !found.is_null() {
                    if PyUnicode_Check(found) == 0 {
                        let got = type_name(found);
                        bail!(PyExc_RuntimeError, "_compat_pickle.IMPORT_MAPPING values should be strings, not {got}");
                    }
                    module = hold(found);
                } else if err_occurred() {
                    return Err(Raised::assume());
                }
            }
        }
        let imported = own(PyImport_Import(module.as_ptr()))?;
        if (*u).proto < 4 {
            return match getattr_opt(imported.as_ptr(), name.as_ptr())? {
                Some(found) => Ok(found),
                None => Err(no_attribute(name.as_ptr(), imported.as_ptr())),
            };
        }
        let path = crate::save::dotted_path(imported.as_ptr(), name.as_ptr())?;
        match crate::save::deep_attribute(imported.as_ptr(), path.as_ptr()) {
            Some((found, _)) => Ok(found),
            None if err_occurred() => Err(Raised::assume()),
            None => Err(no_attribute(name.as_ptr(), imported.as_ptr())),
        }
    }
}

unsafe fn no_attribute(name: *mut PyObject, module: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_Format(PyExc_AttributeError, c"Can't get attribute %R on %R".as_ptr(), name, module);
        Raised::assume()
    }
}

fn unpickler_find_class(slf: Borrowed<'_, Unpickler>, module_name: Borrowed<'_>, global_name: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if PyUnicode_Check(global_name.ob()) == 0 && slf.proto >= 4 {
            bail!(PyExc_TypeError, "must be str, not {}", type_name(global_name.ob()));
        }
        find_class(slf.as_ptr(), module_name.ob(), global_name.ob())
    }
}

fn unpickler_sizeof(slf: Borrowed<'_, Unpickler>) -> PyResult<usize> {
    // SAFETY: [TYPE]
    unsafe {
        let u = slf.as_ptr();
        let words = (&(*u).memo).len() + (&(*u).marks).capacity();
        let mut size = (*slf.ob_type()).tp_basicsize as usize + words * size_of::<usize>();
        if !(*u).texts.is_null() {
            let texts = &*(*u).texts;
            size += texts.encoding.as_bytes_with_nul().len() + texts.errors.as_bytes_with_nul().len();
        }
        Ok(size)
    }
}

methods! {
    /// Methods of `Unpickler`; `persistent_load` is the first, see [`is_default_persistent_load`].
    static METHODS = [
        "persistent_load($self, pid, /)" => persistent_load, "";
        "load($self, /)" => unpickler_load, "Read a pickle from the file and return what it describes.";
        "find_class($self, module_name, global_name, /)" => unpickler_find_class, "Return an object of a module, which is imported if need be.";
        "__sizeof__($self, /)" => unpickler_sizeof, "Return the size in memory, in bytes.";
    ];
}

/// Whether a method is the one that `Unpickler` has itself, bound to `slf`.
pub unsafe fn is_default_persistent_load(method: *mut PyObject, slf: *mut PyObject) -> bool {
    // SAFETY: [TYPE] checked.
    unsafe {
        let f = method.cast::<PyCFunctionObject>();
        PyCFunction_CheckExact(method) != 0 && (*f).m_self == slf && (*f).m_ml == (&raw mut METHODS).cast::<PyMethodDef>()
    }
}

fn unpickler_init(
    slf: Borrowed<'_, Unpickler>,
    file: Borrowed<'_>,
    fix_imports: bool,
    encoding: &str,
    errors: &str,
    buffers: Option<Borrowed<'_>>,
) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let u = slf.as_ptr();
        if !(*u).read.is_null() {
            finish(u);
        }
        set_input_stream(u, file.ob())?;
        set_input_encoding(u, encoding, errors)?;
        set_buffers(u, buffers)?;
        (*u).fix_imports = fix_imports;
        truncate(u, 0);
        clear_memo(u);
        (*u).memo = vec![null_mut(); MEMO_SIZE];
        (*u).proto = 0;
        Ok(())
    }
}

unsafe extern "C" fn unpickler_new(tp: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new; the fields are zero, which is valid but for the Vecs.
    unsafe {
        let slf = PyType_GenericAlloc(tp, 0);
        if !slf.is_null() {
            init_vecs(slf.cast());
        }
        slf
    }
}

unsafe extern "C" fn unpickler_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] called as tp_traverse; an object that is being made has no Vecs yet, but it isn't seen by the collector.
    unsafe {
        let u = slf.cast::<Unpickler>();
        py_visit!(visitor, arg; type_of(slf), (*u).readline, (*u).readinto, (*u).read, (*u).peek, (*u).persistent_load,
            (*u).persistent_load_attr, (*u).buffers);
        for &op in &(*u).stack {
            py_visit!(visitor, arg; op);
        }
        for &op in &(*u).memo {
            py_visit!(visitor, arg; op);
        }
    }
    0
}

unsafe extern "C" fn unpickler_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] called as tp_clear.
    unsafe { finish(slf.cast()) };
    0
}

unsafe extern "C" fn unpickler_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] called as tp_dealloc; instances count their type.
    unsafe {
        let tp = type_of(slf);
        PyObject_GC_UnTrack(slf.cast());
        finish(slf.cast());
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
        Py_DECREF(tp.cast());
    }
}

unsafe extern "C" fn unpickler_getattr(slf: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] called as tp_getattro.
    unsafe {
        let own = (*slf.cast::<Unpickler>()).persistent_load_attr;
        if !own.is_null() && is_name(name, intern!("persistent_load")) {
            return hold(own).into_raw();
        }
        PyObject_GenericGetAttr(slf, name)
    }
}

unsafe extern "C" fn unpickler_setattr(slf: *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] called as tp_setattro.
    unsafe {
        if is_name(name, intern!("persistent_load")) {
            Py_XINCREF(value);
            setref(&raw mut (*slf.cast::<Unpickler>()).persistent_load_attr, value);
            return 0;
        }
        PyObject_GenericSetAttr(slf, name, value)
    }
}

getset! {
    static GETSETS = [
        "memo" => get_memo, set_memo, "";
    ];
}

/// What `Unpickler` is made from.
pub static mut UNPICKLER: PyTypeObject = PyTypeObject {
    tp_name: c"_pickle.Unpickler".as_ptr(),
    tp_basicsize: size_of::<Unpickler>() as Py_ssize_t,
    tp_dealloc: Some(unpickler_dealloc),
    tp_getattro: Some(unpickler_getattr),
    tp_setattro: Some(unpickler_setattr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"Unpickler(file, *, fix_imports=True, encoding='ASCII', errors='strict',\n          buffers=())\n--\n\nReads pickles from a binary file.".as_ptr(),
    tp_traverse: Some(unpickler_traverse),
    tp_clear: Some(unpickler_clear),
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut GETSETS).cast(),
    tp_init: Some(initializer!("Unpickler(file, *, fix_imports=True, encoding='ASCII', errors='strict', buffers=())" => unpickler_init)),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(unpickler_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- the memo's proxy ----------------------------------------------------------------------------------------------------

/// The memo as Python sees it.
#[repr(C)]
struct UnpicklerMemoProxy {
    ob_base: PyObject,
    unpickler: *mut PyObject,
}

fn get_memo(slf: Borrowed<'_, Unpickler>) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh object.
    unsafe {
        let proxy = own(PyType_GenericAlloc(state().unpickler_memo_proxy, 0))?;
        (*proxy.as_ptr().cast::<UnpicklerMemoProxy>()).unpickler = hold(slf.ob()).into_raw();
        Ok(proxy)
    }
}

fn set_memo(slf: Borrowed<'_, Unpickler>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE] checked; the entries are held until they are in the new memo.
    unsafe {
        let Some(value) = value else { bail!(PyExc_TypeError, "attribute deletion is not supported") };
        let mut entries: Vec<(usize, Owned)> = Vec::new();
        let mut size = 0;
        if value.ob_type() == state().unpickler_memo_proxy {
            let other: *mut Unpickler = (*value.ob().cast::<UnpicklerMemoProxy>()).unpickler.cast();
            size = (&(*other).memo).len();
            entries.extend(memo_entries(other).into_iter().map(|(i, op)| (i, hold(op))));
        } else if PyDict_Check(value.ob()) != 0 {
            let (mut pos, mut key, mut item) = (0, null_mut(), null_mut());
            while PyDict_Next(value.ob(), &mut pos, &mut key, &mut item) != 0 {
                if PyLong_Check(key) == 0 {
                    bail!(PyExc_TypeError, "memo key must be integers");
                }
                let index = PyLong_AsSsize_t(key);
                if index == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                if index < 0 {
                    bail!(PyExc_ValueError, "memo key must be positive integers.");
                }
                entries.push((index as usize, hold(item)));
            }
        } else {
            let name = type_name(value.ob());
            bail!(PyExc_TypeError, "'memo' attribute must be an UnpicklerMemoProxy object or dict, not {name}");
        }
        let u = slf.as_ptr();
        clear_memo(u);
        (*u).memo = vec![null_mut(); size];
        for (index, op) in entries {
            memo_put(u, index, op.as_ptr());
        }
        Ok(())
    }
}

fn proxy_clear(slf: Borrowed<'_, UnpicklerMemoProxy>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { clear_memo(slf.unpickler.cast()) };
    Ok(())
}

fn proxy_copy(slf: Borrowed<'_, UnpicklerMemoProxy>) -> PyResult<Owned> {
    // SAFETY: [TYPE] making ints does not change the memo.
    unsafe {
        let dict = own(PyDict_New())?;
        for (index, op) in memo_entries(slf.unpickler.cast()) {
            let key = size_object(index)?;
            check_status(PyDict_SetItem(dict.as_ptr(), key.as_ptr(), op))?;
        }
        Ok(dict)
    }
}

fn proxy_reduce(slf: Borrowed<'_, UnpicklerMemoProxy>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { dict_reduce(proxy_copy(slf)?) }
}

methods! {
    static PROXY_METHODS = [
        "clear($self, /)" => proxy_clear, "Remove all items from the memo.";
        "copy($self, /)" => proxy_copy, "Return the memo as a new dict.";
        "__reduce__($self, /)" => proxy_reduce, "Tell pickle how to make it again, as a dict.";
    ];
}

/// What `UnpicklerMemoProxy` is made from.
pub static mut UNPICKLER_MEMO_PROXY: PyTypeObject = PyTypeObject {
    tp_name: c"_pickle.UnpicklerMemoProxy".as_ptr(),
    tp_basicsize: size_of::<UnpicklerMemoProxy>() as Py_ssize_t,
    tp_dealloc: Some(proxy_dealloc),
    tp_hash: Some(PyObject_HashNotImplemented),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_traverse: Some(proxy_traverse),
    tp_methods: (&raw mut PROXY_METHODS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};
