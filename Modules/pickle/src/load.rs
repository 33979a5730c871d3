//! Unpickling: what each instruction does.
//!
//! Contract of all functions here: [GIL]; `u` is an unpickler. Anything may call Python code, which may come back to the
//! unpickler, so nothing of it is borrowed over a call, and what is taken from the stack is held.

#![allow(clippy::missing_safety_doc, reason = "one contract for the file, see its top")]

use crate::opcode::*;
use crate::state::{state, unpickling_error};
use crate::unpickler::{
    Unpickler, find_class, is_default_persistent_load, is_too_long, memo_get, memo_len, memo_put, read, read_into, read_line,
    skip_consumed, truncate, truncated, unread,
};
use crate::{call1, getattr_opt, hold, own};
use core::ptr::null_mut;
use std::ffi::CString;
use taipan_abi::*;

// ---- the stack -----------------------------------------------------------------------------------------------------------

#[cold]
unsafe fn underflow(u: *mut Unpickler) -> Raised {
    // SAFETY: file contract.
    let in_mark = unsafe { !(&(*u).marks).is_empty() };
    unpickling_error(if in_mark { "unexpected MARK found" } else { "unpickling stack underflow" })
}

#[inline(always)]
unsafe fn push(u: *mut Unpickler, op: Owned) {
    // SAFETY: file contract.
    unsafe { (&mut *(&raw mut (*u).stack)).push(op.into_raw()) }
}

#[inline(always)]
unsafe fn height(u: *mut Unpickler) -> usize {
    // SAFETY: file contract.
    unsafe { (&(*u).stack).len() }
}

#[inline(always)]
unsafe fn pop(u: *mut Unpickler) -> PyResult<Owned> {
    // SAFETY: file contract.
    unsafe {
        let stack = &mut *(&raw mut (*u).stack);
        if stack.len() <= (*u).fence {
            return Err(underflow(u));
        }
        match stack.pop() {
            Some(op) => Ok(Owned::from_owned(op)),
            None => Err(underflow(u)),
        }
    }
}

/// The topmost object, which stays there.
unsafe fn top(u: *mut Unpickler) -> PyResult<Owned> {
    // SAFETY: file contract.
    unsafe {
        match (&(*u).stack).last() {
            Some(&op) if height(u) > (*u).fence => Ok(hold(op)),
            _ => Err(underflow(u)),
        }
    }
}

/// The object at a height, which stays there.
unsafe fn at(u: *mut Unpickler, index: usize) -> PyResult<Owned> {
    // SAFETY: file contract.
    unsafe {
        match (&(*u).stack).get(index) {
            Some(&op) => Ok(hold(op)),
            None => Err(underflow(u)),
        }
    }
}

/// Takes everything from a height on.
unsafe fn take(u: *mut Unpickler, from: usize) -> Vec<*mut PyObject> {
    // SAFETY: file contract.
    unsafe {
        let stack = &mut *(&raw mut (*u).stack);
        let from = from.min(stack.len());
        stack.split_off(from)
    }
}

/// Takes everything from a height on, as a tuple.
unsafe fn pop_tuple(u: *mut Unpickler, from: usize) -> PyResult<Owned> {
    // SAFETY: [OWN] the references are given to the tuple.
    unsafe {
        if from < (*u).fence {
            return Err(underflow(u));
        }
        let stack = &mut *(&raw mut (*u).stack);
        let from = from.min(stack.len());
        let made = _PyTuple_FromArraySteal(stack.as_ptr().add(from), (stack.len() - from) as Py_ssize_t);
        // The callee has taken the references in any case.
        stack.set_len(from);
        own(made)
    }
}

/// Takes everything from a height on, as a list.
unsafe fn pop_list(u: *mut Unpickler, from: usize) -> PyResult<Owned> {
    // SAFETY: [OWN] the references are given to the list.
    unsafe {
        let stack = &mut *(&raw mut (*u).stack);
        let from = from.min(stack.len());
        let made = _PyList_FromArraySteal(stack.as_ptr().add(from), (stack.len() - from) as Py_ssize_t);
        stack.set_len(from);
        own(made)
    }
}

unsafe fn set_fence(u: *mut Unpickler) {
    // SAFETY: file contract.
    unsafe { (*u).fence = (&(*u).marks).last().copied().unwrap_or(0) }
}

/// Closes the last mark; the height it was set at.
unsafe fn marker(u: *mut Unpickler) -> PyResult<usize> {
    // SAFETY: file contract.
    unsafe {
        let Some(mark) = (&mut *(&raw mut (*u).marks)).pop() else { return Err(unpickling_error("could not find MARK")) };
        set_fence(u);
        Ok(mark)
    }
}

// ---- operands ------------------------------------------------------------------------------------------------------------

/// An unsigned little-endian number; `None` if it is larger than a size can be.
fn size_of_operand(bytes: &[u8]) -> Option<usize> {
    let mut all = [0; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    usize::try_from(i64::from_le_bytes(all)).ok()
}

/// A little-endian number: signed if it has four bytes.
fn int_operand(bytes: &[u8]) -> i64 {
    match *bytes {
        [a] => a as i64,
        [a, b] => u16::from_le_bytes([a, b]) as i64,
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]) as i64,
        _ => 0,
    }
}

/// A line without its newline, of which there must be at least so many bytes.
unsafe fn line(u: *mut Unpickler, at_least: usize) -> PyResult<Vec<u8>> {
    // SAFETY: file contract.
    unsafe {
        let mut line = read_line(u)?;
        line.pop();
        if line.len() < at_least { Err(truncated()) } else { Ok(line) }
    }
}

/// A line up to its first NUL, for C functions.
fn c_line(mut line: Vec<u8>) -> CString {
    if let Some(nul) = line.iter().position(|&b| b == 0) {
        line.truncate(nul);
    }
    CString::new(line).unwrap_or_default()
}

unsafe fn text(bytes: &[u8], encoding: &core::ffi::CStr) -> PyResult<Owned> {
    // SAFETY: file contract.
    unsafe { own(PyUnicode_Decode(bytes.as_ptr().cast(), bytes.len() as Py_ssize_t, encoding.as_ptr(), c"strict".as_ptr())) }
}

#[cold]
fn exceeds(what: &str) -> Raised {
    raise!(PyExc_OverflowError, "{what} exceeds system's maximum size of {} bytes", isize::MAX)
}

// ---- atoms ---------------------------------------------------------------------------------------------------------------

unsafe fn load_int(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract; strtol stops at the NUL.
    unsafe {
        let line = line(u, 1)?;
        // Protocol 0 writes booleans so.
        let truth = match &line[..] {
            b"00" => Some(false),
            b"01" => Some(true),
            _ => None,
        };
        if let Some(t) = truth {
            push(u, hold(if t { Py_True() } else { Py_False() }));
            return Ok(());
        }
        let digits = c_line(line);
        let mut end = null_mut();
        *libc::__errno_location() = 0;
        let value = libc::strtol(digits.as_ptr(), &mut end, 0);
        if *libc::__errno_location() == 0 && *end == 0 {
            push(u, own(PyLong_FromLong(value))?);
            return Ok(());
        }
        match own(PyLong_FromString(digits.as_ptr(), null_mut(), 0)) {
            Ok(v) => push(u, v),
            Err(_) => bail!(PyExc_ValueError, "could not convert string to int"),
        }
        Ok(())
    }
}

unsafe fn load_binint(u: *mut Unpickler, size: usize) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let value = int_operand(read(u, size)?);
        push(u, own(PyLong_FromLong(value))?);
        Ok(())
    }
}

unsafe fn load_long(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let mut line = line(u, 1)?;
        if line.last() == Some(&b'L') {
            line.pop();
        }
        push(u, own(PyLong_FromString(c_line(line).as_ptr(), null_mut(), 0))?);
        Ok(())
    }
}

unsafe fn load_counted_long(u: *mut Unpickler, size: usize) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let Ok(n) = usize::try_from(int_operand(read(u, size)?)) else {
            return Err(unpickling_error("LONG pickle has negative byte count"));
        };
        let bytes = read(u, n)?;
        push(u, own(_PyLong_FromByteArray(bytes.as_ptr(), n, 1, 1))?);
        Ok(())
    }
}

unsafe fn load_float(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let digits = c_line(line(u, 1)?);
        let mut end = null_mut();
        let value = PyOS_string_to_double(digits.as_ptr(), &mut end, PyExc_OverflowError);
        if value == -1.0 && err_occurred() {
            return Err(Raised::assume());
        }
        if *end != 0 {
            bail!(PyExc_ValueError, "could not convert string to float");
        }
        push(u, own(PyFloat_FromDouble(value))?);
        Ok(())
    }
}

unsafe fn load_binfloat(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(read(u, 8)?);
        push(u, own(PyFloat_FromDouble(f64::from_bits(u64::from_be_bytes(bytes))))?);
        Ok(())
    }
}

/// A string of Python 2: decoded, unless the encoding is "bytes".
unsafe fn push_old_string(u: *mut Unpickler, bytes: Owned) -> PyResult<()> {
    // SAFETY: file contract; encoding and errors are copied, as codecs are Python code.
    unsafe {
        let (encoding, errors) = match (*u).texts.as_ref() {
            Some(t) => (t.encoding.clone(), t.errors.clone()),
            None => (c"ASCII".into(), c"strict".into()),
        };
        let value = if encoding.as_bytes() == b"bytes" {
            bytes
        } else {
            own(PyUnicode_FromEncodedObject(bytes.as_ptr(), encoding.as_ptr(), errors.as_ptr()))?
        };
        push(u, value);
        Ok(())
    }
}

unsafe fn load_string(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let line = line(u, 0)?;
        let inner = match &line[..] {
            [a @ (b'\'' | b'"'), inner @ .., b] if a == b => inner,
            _ => return Err(unpickling_error("the STRING opcode argument must be quoted")),
        };
        let p = inner.as_ptr().cast();
        let bytes = own(PyBytes_DecodeEscape(p, inner.len() as Py_ssize_t, core::ptr::null(), 0, core::ptr::null()))?;
        push_old_string(u, bytes)
    }
}

unsafe fn load_counted_binstring(u: *mut Unpickler, size: usize) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let Ok(n) = usize::try_from(int_operand(read(u, size)?)) else {
            return Err(unpickling_error("BINSTRING pickle has negative byte count"));
        };
        let data = read(u, n)?;
        let bytes = own(PyBytes_FromStringAndSize(data.as_ptr().cast(), n as Py_ssize_t))?;
        push_old_string(u, bytes)
    }
}

unsafe fn load_counted_binbytes(u: *mut Unpickler, size: usize) -> PyResult<()> {
    // SAFETY: file contract; the new object is filled before anybody sees it.
    unsafe {
        let Some(n) = size_of_operand(read(u, size)?) else { return Err(exceeds("BINBYTES")) };
        if is_too_long(u, n) {
            return Err(truncated());
        }
        let bytes = own(PyBytes_FromStringAndSize(core::ptr::null(), n as Py_ssize_t))?;
        read_into(u, PyBytes_AsString(bytes.as_ptr()).cast(), n)?;
        push(u, bytes);
        Ok(())
    }
}

unsafe fn load_counted_bytearray(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let Some(n) = size_of_operand(read(u, 8)?) else { return Err(exceeds("BYTEARRAY8")) };
        if is_too_long(u, n) {
            return Err(truncated());
        }
        let array = own(PyByteArray_FromStringAndSize(core::ptr::null(), n as Py_ssize_t))?;
        read_into(u, PyByteArray_AsString(array.as_ptr()).cast(), n)?;
        push(u, array);
        Ok(())
    }
}

unsafe fn load_next_buffer(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let Some(buffers) = Owned::from_borrowed_or_opt((*u).buffers) else {
            let msg = "pickle stream refers to out-of-band data but no *buffers* argument was given";
            return Err(unpickling_error(msg));
        };
        match Owned::from_owned_or_opt(PyIter_Next(buffers.as_ptr())) {
            Some(b) => push(u, b),
            None if err_occurred() => return Err(Raised::assume()),
            None => return Err(unpickling_error("not enough out-of-band buffers")),
        }
        Ok(())
    }
}

unsafe fn load_readonly_buffer(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] a new memoryview.
    unsafe {
        let buffer = top(u)?;
        let view = own(PyMemoryView_FromObject(buffer.as_ptr()))?;
        let info = &raw mut (*view.as_ptr().cast::<PyMemoryViewObject>()).view;
        if (*info).readonly == 0 {
            (*info).readonly = 1;
            drop(pop(u)?);
            push(u, view);
        }
        Ok(())
    }
}

unsafe fn load_unicode(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let line = line(u, 0)?;
        push(u, own(PyUnicode_DecodeRawUnicodeEscape(line.as_ptr().cast(), line.len() as Py_ssize_t, core::ptr::null()))?);
        Ok(())
    }
}

unsafe fn load_counted_binunicode(u: *mut Unpickler, size: usize) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let Some(n) = size_of_operand(read(u, size)?) else { return Err(exceeds("BINUNICODE")) };
        let data = read(u, n)?;
        push(u, own(PyUnicode_DecodeUTF8(data.as_ptr().cast(), n as Py_ssize_t, c"surrogatepass".as_ptr()))?);
        Ok(())
    }
}

// ---- containers ----------------------------------------------------------------------------------------------------------

unsafe fn load_counted_tuple(u: *mut Unpickler, n: usize) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let Some(from) = height(u).checked_sub(n) else { return Err(underflow(u)) };
        let made = pop_tuple(u, from)?;
        push(u, made);
        Ok(())
    }
}

unsafe fn load_dict(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let from = marker(u)?;
        let dict = own(PyDict_New())?;
        let n = height(u).saturating_sub(from);
        if n % 2 != 0 {
            return Err(unpickling_error("odd number of items for DICT"));
        }
        for i in (from..from + n).step_by(2) {
            let (key, value) = (at(u, i)?, at(u, i + 1)?);
            check_status(PyDict_SetItem(dict.as_ptr(), key.as_ptr(), value.as_ptr()))?;
        }
        truncate(u, from);
        push(u, dict);
        Ok(())
    }
}

unsafe fn do_append(u: *mut Unpickler, from: usize) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let n = height(u);
        if from > n || from <= (*u).fence {
            return Err(underflow(u));
        }
        if n == from {
            return Ok(());
        }
        let list = at(u, from - 1)?;
        if PyList_CheckExact(list.as_ptr()) != 0 {
            if n == from + 1 {
                let item = pop(u)?;
                return check_status(PyList_Append(list.as_ptr(), item.as_ptr()));
            }
            let items = pop_list(u, from)?;
            let end = PyList_GET_SIZE(list.as_ptr());
            return check_status(PyList_SetSlice(list.as_ptr(), end, end, items.as_ptr()));
        }
        if let Some(extend) = getattr_opt(list.as_ptr(), intern!("extend"))? {
            let items = pop_list(u, from)?;
            call1(extend.as_ptr(), items.as_ptr())?;
            return Ok(());
        }
        let append = own(PyObject_GetAttr(list.as_ptr(), intern!("append")))?;
        let items: Vec<Owned> = take(u, from).into_iter().map(|op| Owned::from_owned(op)).collect();
        for item in &items {
            call1(append.as_ptr(), item.as_ptr())?;
        }
        Ok(())
    }
}

unsafe fn load_append(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let n = height(u);
        if n <= (*u).fence + 1 {
            return Err(underflow(u));
        }
        do_append(u, n - 1)
    }
}

unsafe fn do_setitems(u: *mut Unpickler, from: usize) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let n = height(u);
        if from > n || from <= (*u).fence {
            return Err(underflow(u));
        }
        if n == from {
            return Ok(());
        }
        if (n - from) % 2 != 0 {
            return Err(unpickling_error("odd number of items for SETITEMS"));
        }
        let dict = at(u, from - 1)?;
        let exact = PyDict_CheckExact(dict.as_ptr()) != 0;
        let items: Vec<Owned> = take(u, from).into_iter().map(|op| Owned::from_owned(op)).collect();
        for pair in items.chunks_exact(2) {
            let (key, value) = (pair[0].as_ptr(), pair[1].as_ptr());
            check_status(if exact {
                PyDict_SetItem(dict.as_ptr(), key, value)
            } else {
                PyObject_SetItem(dict.as_ptr(), key, value)
            })?;
        }
        Ok(())
    }
}

unsafe fn load_additems(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let mark = marker(u)?;
        let n = height(u);
        if mark > n || mark <= (*u).fence {
            return Err(underflow(u));
        }
        if n == mark {
            return Ok(());
        }
        let set = at(u, mark - 1)?;
        if PySet_Check(set.as_ptr()) != 0 {
            let items = pop_tuple(u, mark)?;
            return check_status(_PySet_Update(set.as_ptr(), items.as_ptr()));
        }
        let add = own(PyObject_GetAttr(set.as_ptr(), intern!("add")))?;
        let items: Vec<Owned> = take(u, mark).into_iter().map(|op| Owned::from_owned(op)).collect();
        for item in &items {
            call1(add.as_ptr(), item.as_ptr())?;
        }
        Ok(())
    }
}

unsafe fn load_frozenset(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let mark = marker(u)?;
        let items = pop_tuple(u, mark)?;
        push(u, own(PyFrozenSet_New(items.as_ptr()))?);
        Ok(())
    }
}

// ---- objects -------------------------------------------------------------------------------------------------------------

/// Calls a class of Python 2's pickles, or only its `__new__` if there are no arguments for `__init__`.
unsafe fn instantiate(cls: &Owned, args: &Owned) -> PyResult<Owned> {
    // SAFETY: file contract, args is a tuple.
    unsafe {
        if PyTuple_GET_SIZE(args.as_ptr()) == 0
            && PyType_Check(cls.as_ptr()) != 0
            && getattr_opt(cls.as_ptr(), intern!("__getinitargs__"))?.is_none()
        {
            return own(PyObject_CallMethodOneArg(cls.as_ptr(), intern!("__new__"), cls.as_ptr()));
        }
        own(PyObject_CallObject(cls.as_ptr(), args.as_ptr()))
    }
}

unsafe fn load_obj(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let mark = marker(u)?;
        if height(u) < mark + 1 {
            return Err(underflow(u));
        }
        let args = pop_tuple(u, mark + 1)?;
        let cls = pop(u)?;
        push(u, instantiate(&cls, &args)?);
        Ok(())
    }
}

/// `find_class()` of the unpickler `slf`, or of a bare one.
unsafe fn call_find_class(u: *mut Unpickler, slf: *mut PyObject, module: &Owned, name: &Owned) -> PyResult<Owned> {
    // SAFETY: file contract.
    unsafe {
        if slf.is_null() || type_of(slf) == state().unpickler {
            return find_class(u, module.as_ptr(), name.as_ptr());
        }
        let args = [slf, module.as_ptr(), name.as_ptr()];
        own(PyObject_VectorcallMethod(intern!("find_class"), args.as_ptr(), args.len(), null_mut()))
    }
}

unsafe fn load_inst(u: *mut Unpickler, slf: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let mark = marker(u)?;
        let module = text(&line(u, 1)?, c"ascii")?;
        let name = text(&line(u, 1)?, c"ascii")?;
        let cls = call_find_class(u, slf, &module, &name)?;
        let args = pop_tuple(u, mark)?;
        push(u, instantiate(&cls, &args)?);
        Ok(())
    }
}

unsafe fn load_newobj(u: *mut Unpickler, use_kwargs: bool) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] checked.
    unsafe {
        let what = if use_kwargs { "NEWOBJ_EX" } else { "NEWOBJ" };
        let kwargs = if use_kwargs { Some(pop(u)?) } else { None };
        let args = pop(u)?;
        let cls = pop(u)?;
        if PyType_Check(cls.as_ptr()) == 0 {
            let got = type_name(cls.as_ptr());
            return Err(unpickling_error(&format!("{what} class argument must be a type, not {got}")));
        }
        let Some(new) = (*cls.as_ptr().cast::<PyTypeObject>()).tp_new else {
            let got = type_name(cls.as_ptr());
            return Err(unpickling_error(&format!("{what} class argument '{got}' doesn't have __new__")));
        };
        if PyTuple_Check(args.as_ptr()) == 0 {
            let got = type_name(args.as_ptr());
            return Err(unpickling_error(&format!("{what} args argument must be a tuple, not {got}")));
        }
        if let Some(k) = kwargs.as_ref().filter(|k| PyDict_Check(k.as_ptr()) == 0) {
            let got = type_name(k.as_ptr());
            return Err(unpickling_error(&format!("{what} kwargs argument must be a dict, not {got}")));
        }
        let kwargs = kwargs.as_ref().map_or(null_mut(), |k| k.as_ptr());
        push(u, own(new(cls.as_ptr().cast(), args.as_ptr(), kwargs))?);
        Ok(())
    }
}

unsafe fn load_global(u: *mut Unpickler, slf: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let module = text(&line(u, 1)?, c"utf-8")?;
        let name = text(&line(u, 1)?, c"utf-8")?;
        push(u, call_find_class(u, slf, &module, &name)?);
        Ok(())
    }
}

unsafe fn load_stack_global(u: *mut Unpickler, slf: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let name = pop(u)?;
        let module = pop(u)?;
        if PyUnicode_CheckExact(module.as_ptr()) == 0 || PyUnicode_CheckExact(name.as_ptr()) == 0 {
            return Err(unpickling_error("STACK_GLOBAL requires str"));
        }
        push(u, call_find_class(u, slf, &module, &name)?);
        Ok(())
    }
}

unsafe fn call_persistent_load(u: *mut Unpickler, pid: &Owned) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let Some(method) = Owned::from_borrowed_or_opt((*u).persistent_load) else {
            return Err(unpickling_error(
                "A load persistent id instruction was encountered, but no persistent_load function was specified.",
            ));
        };
        push(u, call1(method.as_ptr(), pid.as_ptr())?);
        Ok(())
    }
}

unsafe fn load_persid(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let line = line(u, 0)?;
        match text(&line, c"ascii") {
            Ok(pid) => call_persistent_load(u, &pid),
            Err(e) => {
                if e.matches(PyExc_UnicodeDecodeError) {
                    return Err(unpickling_error("persistent IDs in protocol 0 must be ASCII strings"));
                }
                Err(e)
            }
        }
    }
}

unsafe fn load_reduce(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let args = pop(u)?;
        let callable = pop(u)?;
        push(u, own(PyObject_CallObject(callable.as_ptr(), args.as_ptr()))?);
        Ok(())
    }
}

/// The items of a dict, held: setting attributes may change it.
unsafe fn items(dict: *mut PyObject) -> Vec<(Owned, Owned)> {
    // SAFETY: [TYPE] a dict.
    unsafe {
        let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
        let mut all = Vec::new();
        while PyDict_Next(dict, &mut pos, &mut key, &mut value) != 0 {
            all.push((hold(key), hold(value)));
        }
        all
    }
}

unsafe fn load_build(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        if height(u) < (*u).fence + 2 {
            return Err(underflow(u));
        }
        let object_state = pop(u)?;
        let inst = top(u)?;
        if let Some(setstate) = getattr_opt(inst.as_ptr(), intern!("__setstate__"))? {
            call1(setstate.as_ptr(), object_state.as_ptr())?;
            return Ok(());
        }
        let (mut attributes, mut slots) = (object_state.clone(), None);
        if PyTuple_Check(object_state.as_ptr()) != 0 && PyTuple_GET_SIZE(object_state.as_ptr()) == 2 {
            attributes = hold(PyTuple_GET_ITEM(object_state.as_ptr(), 0));
            slots = Some(hold(PyTuple_GET_ITEM(object_state.as_ptr(), 1)));
        }
        if attributes.as_ptr() != Py_None() {
            if PyDict_Check(attributes.as_ptr()) == 0 {
                return Err(unpickling_error("state is not a dictionary"));
            }
            let dict = own(PyObject_GetAttr(inst.as_ptr(), intern!("__dict__")))?;
            for (key, value) in items(attributes.as_ptr()) {
                // Names of attributes are usually interned.
                let mut key = key.into_raw();
                if PyUnicode_CheckExact(key) != 0 {
                    PyUnicode_InternInPlace(&mut key);
                }
                let key = Owned::from_owned(key);
                check_status(PyObject_SetItem(dict.as_ptr(), key.as_ptr(), value.as_ptr()))?;
            }
        }
        if let Some(slots) = slots {
            if PyDict_Check(slots.as_ptr()) == 0 {
                return Err(unpickling_error("slot state is not a dictionary"));
            }
            for (key, value) in items(slots.as_ptr()) {
                check_status(PyObject_SetAttr(inst.as_ptr(), key.as_ptr(), value.as_ptr()))?;
            }
        }
        Ok(())
    }
}

unsafe fn load_extension(u: *mut Unpickler, slf: *mut PyObject, size: usize) -> PyResult<()> {
    // SAFETY: file contract; what lies in the tables is held.
    unsafe {
        let code = int_operand(read(u, size)?);
        if code <= 0 {
            return Err(unpickling_error("EXT specifies code <= 0"));
        }
        let key = own(PyLong_FromLong(code))?;
        let cached = PyDict_GetItemWithError(state().extension_cache, key.as_ptr());
        if !cached.is_null() {
            push(u, hold(cached));
            return Ok(());
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        let Some(pair) = Owned::from_borrowed_or_opt(PyDict_GetItemWithError(state().inverted_registry, key.as_ptr())) else {
            if err_occurred() {
                return Err(Raised::assume());
            }
            bail!(PyExc_ValueError, "unregistered extension code {code}");
        };
        let strings = PyTuple_Check(pair.as_ptr()) != 0
            && PyTuple_GET_SIZE(pair.as_ptr()) == 2
            && PyUnicode_Check(PyTuple_GET_ITEM(pair.as_ptr(), 0)) != 0
            && PyUnicode_Check(PyTuple_GET_ITEM(pair.as_ptr(), 1)) != 0;
        if !strings {
            bail!(PyExc_ValueError, "_inverted_registry[{code}] isn't a 2-tuple of strings");
        }
        let (module, name) = (hold(PyTuple_GET_ITEM(pair.as_ptr(), 0)), hold(PyTuple_GET_ITEM(pair.as_ptr(), 1)));
        let found = call_find_class(u, slf, &module, &name)?;
        check_status(PyDict_SetItem(state().extension_cache, key.as_ptr(), found.as_ptr()))?;
        push(u, found);
        Ok(())
    }
}

// ---- stack and memo instructions ---------------------------------------------------------------------------------------

unsafe fn load_pop(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        if (&(*u).marks).last() == Some(&height(u)) {
            (&mut *(&raw mut (*u).marks)).pop();
            set_fence(u);
            return Ok(());
        }
        pop(u).map(drop)
    }
}

unsafe fn load_mark(u: *mut Unpickler) {
    // SAFETY: file contract.
    unsafe {
        let n = height(u);
        let marks = &mut *(&raw mut (*u).marks);
        if marks.len() == marks.capacity() {
            marks.reserve_exact(marks.len() + 20);
        }
        marks.push(n);
        (*u).fence = n;
    }
}

unsafe fn get(u: *mut Unpickler, index: isize) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        match usize::try_from(index).ok().and_then(|i| memo_get(u, i)) {
            Some(op) => push(u, hold(op)),
            None => return Err(unpickling_error(&format!("Memo value not found at index {index}"))),
        }
        Ok(())
    }
}

/// The number on a line, for GET and PUT.
unsafe fn line_index(u: *mut Unpickler) -> PyResult<isize> {
    // SAFETY: file contract.
    unsafe {
        let digits = c_line(line(u, 1)?);
        let number = own(PyLong_FromString(digits.as_ptr(), null_mut(), 10))?;
        let index = PyLong_AsSsize_t(number.as_ptr());
        if index == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(index) }
    }
}

unsafe fn put(u: *mut Unpickler, index: usize) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let value = top(u)?;
        memo_put(u, index, value.as_ptr());
        Ok(())
    }
}

unsafe fn load_put(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let index = line_index(u)?;
        match usize::try_from(index) {
            Ok(i) => put(u, i),
            Err(_) => Err(raise!(PyExc_ValueError, "negative PUT argument")),
        }
    }
}

// ---- the loop ------------------------------------------------------------------------------------------------------------

unsafe fn load_proto(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let proto = read(u, 1)?[0] as i64;
        if proto > HIGHEST_PROTOCOL {
            bail!(PyExc_ValueError, "unsupported pickle protocol: {proto}");
        }
        (*u).proto = proto as i32;
        Ok(())
    }
}

/// A frame tells how much will be needed, so that a file is read once for it.
unsafe fn load_frame(u: *mut Unpickler) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let Some(n) = size_of_operand(read(u, 8)?) else {
            bail!(PyExc_OverflowError, "FRAME length exceeds system's maximum of {} bytes", isize::MAX);
        };
        read(u, n)?;
        unread(u, n);
        Ok(())
    }
}

#[cold]
fn invalid_key(key: u8) -> Raised {
    if (0x20..=0x7e).contains(&key) && key != b'\'' && key != b'\\' {
        unpickling_error(&format!("invalid load key, '{}'.", key as char))
    } else {
        unpickling_error(&format!("invalid load key, '\\x{key:02x}'."))
    }
}

unsafe fn run(u: *mut Unpickler, slf: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: file contract.
    unsafe {
        loop {
            let op = match read(u, 1) {
                Ok(b) => b[0],
                Err(e) => {
                    if e.matches(state().unpickling_error) {
                        bail!(PyExc_EOFError, "Ran out of input");
                    }
                    return Err(e);
                }
            };
            match op {
                NONE => push(u, hold(Py_None())),
                NEWTRUE => push(u, hold(Py_True())),
                NEWFALSE => push(u, hold(Py_False())),
                BININT => load_binint(u, 4)?,
                BININT1 => load_binint(u, 1)?,
                BININT2 => load_binint(u, 2)?,
                INT => load_int(u)?,
                LONG => load_long(u)?,
                LONG1 => load_counted_long(u, 1)?,
                LONG4 => load_counted_long(u, 4)?,
                FLOAT => load_float(u)?,
                BINFLOAT => load_binfloat(u)?,
                SHORT_BINBYTES => load_counted_binbytes(u, 1)?,
                BINBYTES => load_counted_binbytes(u, 4)?,
                BINBYTES8 => load_counted_binbytes(u, 8)?,
                BYTEARRAY8 => load_counted_bytearray(u)?,
                NEXT_BUFFER => load_next_buffer(u)?,
                READONLY_BUFFER => load_readonly_buffer(u)?,
                SHORT_BINSTRING => load_counted_binstring(u, 1)?,
                BINSTRING => load_counted_binstring(u, 4)?,
                STRING => load_string(u)?,
                UNICODE => load_unicode(u)?,
                SHORT_BINUNICODE => load_counted_binunicode(u, 1)?,
                BINUNICODE => load_counted_binunicode(u, 4)?,
                BINUNICODE8 => load_counted_binunicode(u, 8)?,
                EMPTY_TUPLE => load_counted_tuple(u, 0)?,
                TUPLE1 => load_counted_tuple(u, 1)?,
                TUPLE2 => load_counted_tuple(u, 2)?,
                TUPLE3 => load_counted_tuple(u, 3)?,
                TUPLE => {
                    let mark = marker(u)?;
                    let made = pop_tuple(u, mark)?;
                    push(u, made);
                }
                EMPTY_LIST => push(u, own(PyList_New(0))?),
                LIST => {
                    let mark = marker(u)?;
                    let made = pop_list(u, mark)?;
                    push(u, made);
                }
                EMPTY_DICT => push(u, own(PyDict_New())?),
                DICT => load_dict(u)?,
                EMPTY_SET => push(u, own(PySet_New(null_mut()))?),
                ADDITEMS => load_additems(u)?,
                FROZENSET => load_frozenset(u)?,
                OBJ => load_obj(u)?,
                INST => load_inst(u, slf)?,
                NEWOBJ => load_newobj(u, false)?,
                NEWOBJ_EX => load_newobj(u, true)?,
                GLOBAL => load_global(u, slf)?,
                STACK_GLOBAL => load_stack_global(u, slf)?,
                APPEND => load_append(u)?,
                APPENDS => {
                    let mark = marker(u)?;
                    do_append(u, mark)?;
                }
                BUILD => load_build(u)?,
                DUP => {
                    let last = top(u)?;
                    push(u, last);
                }
                BINGET => {
                    let index = read(u, 1)?[0];
                    get(u, index as isize)?;
                }
                LONG_BINGET => {
                    let index = size_of_operand(read(u, 4)?).unwrap_or(0);
                    get(u, index as isize)?;
                }
                GET => {
                    let index = line_index(u)?;
                    get(u, index)?;
                }
                MARK => load_mark(u),
                BINPUT => {
                    let index = read(u, 1)?[0];
                    put(u, index as usize)?;
                }
                LONG_BINPUT => {
                    let index = size_of_operand(read(u, 4)?).unwrap_or(0);
                    put(u, index)?;
                }
                PUT => load_put(u)?,
                MEMOIZE => put(u, memo_len(u))?,
                POP => load_pop(u)?,
                POP_MARK => {
                    let mark = marker(u)?;
                    truncate(u, mark);
                }
                SETITEM => match height(u).checked_sub(2) {
                    Some(from) => do_setitems(u, from)?,
                    None => return Err(underflow(u)),
                },
                SETITEMS => {
                    let mark = marker(u)?;
                    do_setitems(u, mark)?;
                }
                PERSID => load_persid(u)?,
                BINPERSID => {
                    let pid = pop(u)?;
                    call_persistent_load(u, &pid)?;
                }
                REDUCE => load_reduce(u)?,
                PROTO => load_proto(u)?,
                FRAME => load_frame(u)?,
                EXT1 => load_extension(u, slf, 1)?,
                EXT2 => load_extension(u, slf, 2)?,
                EXT4 => load_extension(u, slf, 4)?,
                STOP => break,
                other => return Err(invalid_key(other)),
            }
        }
        skip_consumed(u)?;
        pop(u)
    }
}

/// Reads a pickle. `slf` is the unpickler as an object, NULL for a bare one.
pub unsafe fn load(u: *mut Unpickler, slf: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: file contract.
    unsafe {
        (&mut *(&raw mut (*u).marks)).clear();
        (*u).fence = 0;
        (*u).proto = 0;
        truncate(u, 0);
        if !slf.is_null() {
            let method = own(PyObject_GetAttr(slf, intern!("persistent_load")))?;
            let overridden = !is_default_persistent_load(method.as_ptr(), slf);
            setref(&raw mut (*u).persistent_load, if overridden { method.into_raw() } else { null_mut() });
        }
        let result = run(u, slf);
        setref(&raw mut (*u).persistent_load, null_mut());
        result
    }
}
