//! Pickling of objects.
//!
//! Contract of all functions here: [GIL]; `p` is a pickler, `obj` a live object that the caller holds. Anything may call
//! Python code, which may come back to the pickler, so nothing of it is borrowed over a call.

#![allow(clippy::missing_safety_doc, reason = "one contract for the file, see its top")]

use crate::opcode::*;
use crate::output::{opcode_boundary, write, write_bytes, write_op};
use crate::pickler::{Pickler, memo};
use crate::state::{pickling_error, state};
use crate::{bytes_of, call1, getattr_opt, hold, own, tuple};
use core::ffi::{CStr, c_int};
use core::ptr::null_mut;
use taipan_abi::*;

unsafe extern "C" {
    fn PyPickleBuffer_GetBuffer(op: *mut PyObject) -> *const Py_buffer;
    static mut PyPickleBuffer_Type: PyTypeObject;
}

/// `PicklingError` with a format of `PyErr_Format`.
macro_rules! pickling_format {
    ($format:expr, $($arg:expr),* $(,)?) => {{
        PyErr_Format(state().pickling_error, $format.as_ptr(), $($arg),*);
        Raised::assume()
    }};
}

// ---- the memo ------------------------------------------------------------------------------------------------------------

/// Writes the instruction that fetches object `number` from the memo.
unsafe fn write_get(p: *mut Pickler, number: isize) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        if (*p).bin == 0 {
            write(p, format!("g{number}\n").as_bytes());
        } else if let Ok(n) = u8::try_from(number) {
            write(p, &[BINGET, n]);
        } else if let Ok(n) = u32::try_from(number) {
            write_op(p, LONG_BINGET);
            write(p, &n.to_le_bytes());
        } else {
            return Err(pickling_error("memo id too large for LONG_BINGET"));
        }
        Ok(())
    }
}

/// Puts the object that was just pickled into the memo.
#[inline]
unsafe fn memo_put(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        if (*p).fast != 0 {
            return Ok(());
        }
        let number = memo(p).len() as isize;
        memo(p).set(obj, number);
        if (*p).proto >= 4 {
            write_op(p, MEMOIZE);
        } else if (*p).bin == 0 {
            write(p, format!("p{number}\n").as_bytes());
        } else if let Ok(n) = u8::try_from(number) {
            write(p, &[BINPUT, n]);
        } else if let Ok(n) = u32::try_from(number) {
            write_op(p, LONG_BINPUT);
            write(p, &n.to_le_bytes());
        } else {
            return Err(pickling_error("memo id too large for LONG_BINPUT"));
        }
        Ok(())
    }
}

// ---- fast mode -----------------------------------------------------------------------------------------------------------

/// In fast mode there is no memo to notice cycles: deeply nested containers are watched instead.
unsafe fn fast_save_enter(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        (*p).fast_nesting += 1;
        if (*p).fast_nesting < FAST_NESTING_LIMIT {
            return Ok(());
        }
        let entered = (|| {
            if (*p).fast_memo.is_null() {
                (*p).fast_memo = own(PyDict_New())?.into_raw();
            }
            let key = own(PyLong_FromVoidPtr(obj.cast()))?;
            let there = PyDict_Contains((*p).fast_memo, key.as_ptr());
            check_status(there)?;
            if there != 0 {
                let name = type_name(obj);
                bail!(PyExc_ValueError, "fast mode: can't pickle cyclic objects including object type {name} at {obj:p}");
            }
            check_status(PyDict_SetItem((*p).fast_memo, key.as_ptr(), Py_None()))
        })();
        if entered.is_err() {
            (*p).fast_nesting = -1;
        }
        entered
    }
}

unsafe fn fast_save_leave(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let nesting = (*p).fast_nesting;
        (*p).fast_nesting -= 1;
        if nesting >= FAST_NESTING_LIMIT && !(*p).fast_memo.is_null() {
            let key = own(PyLong_FromVoidPtr(obj.cast()))?;
            check_status(PyDict_DelItem((*p).fast_memo, key.as_ptr()))?;
        }
        Ok(())
    }
}

/// Saves a container with `f`, watched in fast mode.
unsafe fn watched(p: *mut Pickler, obj: *mut PyObject, f: impl FnOnce() -> PyResult<()>) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        if (*p).fast == 0 {
            return f();
        }
        fast_save_enter(p, obj)?;
        f()?;
        fast_save_leave(p, obj)
    }
}

// ---- atoms ---------------------------------------------------------------------------------------------------------------

unsafe fn save_bool(p: *mut Pickler, value: bool) {
    // SAFETY: file contract.
    unsafe {
        if (*p).proto >= 2 {
            write_op(p, if value { NEWTRUE } else { NEWFALSE });
        } else {
            write(p, if value { b"I01\n" } else { b"I00\n" });
        }
    }
}

unsafe fn save_long(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] an exact int.
    unsafe {
        let mut overflow: c_int = 0;
        let value = PyLong_AsLongAndOverflow(obj, &mut overflow);
        if overflow == 0
            && let Ok(v) = i32::try_from(value)
        {
            if (*p).bin == 0 {
                write(p, format!("I{v}\n").as_bytes());
            } else if let Ok(b) = u8::try_from(v) {
                write(p, &[BININT1, b]);
            } else if let Ok(s) = u16::try_from(v) {
                let [a, b] = s.to_le_bytes();
                write(p, &[BININT2, a, b]);
            } else {
                let [a, b, c, d] = v.to_le_bytes();
                write(p, &[BININT, a, b, c, d]);
            }
            return Ok(());
        }
        if (*p).proto < 2 {
            // As Python 2 writes its long ints.
            let repr = own(PyObject_Repr(obj))?;
            let mut size = 0;
            let text = PyUnicode_AsUTF8AndSize(repr.as_ptr(), &mut size);
            if text.is_null() {
                return Err(Raised::assume());
            }
            write_op(p, LONG);
            write(p, core::slice::from_raw_parts(text.cast(), size as usize));
            write(p, b"L\n");
            return Ok(());
        }
        let long = obj.cast::<PyLongObject>();
        let ndigits = (*long).lv_tag >> 3;
        let top = *(&raw const (*long).ob_digit).cast::<u32>().add(ndigits - 1);
        let bits = (ndigits - 1) * 30 + (32 - top.leading_zeros()) as usize;
        // One bit more for the sign.
        let nbytes = bits / 8 + 1;
        if nbytes > 0x7fff_ffff {
            bail!(PyExc_OverflowError, "int too large to pickle");
        }
        let mut bytes = vec![0u8; nbytes];
        check_status(_PyLong_AsByteArray(long, bytes.as_mut_ptr(), nbytes, 1, 1, 1))?;
        // A negative number may not need the last byte.
        if let [.., before, 0xff] = bytes[..]
            && before & 0x80 != 0
        {
            bytes.pop();
        }
        if let Ok(n) = u8::try_from(bytes.len()) {
            write(p, &[LONG1, n]);
        } else {
            write_op(p, LONG4);
            write(p, &(bytes.len() as u32).to_le_bytes());
        }
        write(p, &bytes);
        Ok(())
    }
}

unsafe fn save_float(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] an exact float.
    unsafe {
        if (*p).bin != 0 {
            let mut bytes = [BINFLOAT; 9];
            bytes[1..].copy_from_slice(&PyFloat_AsDouble(obj).to_bits().to_be_bytes());
            write(p, &bytes);
            return Ok(());
        }
        let repr = own(PyObject_Repr(obj))?;
        let mut size = 0;
        let text = PyUnicode_AsUTF8AndSize(repr.as_ptr(), &mut size);
        if text.is_null() {
            return Err(Raised::assume());
        }
        write_op(p, FLOAT);
        write(p, core::slice::from_raw_parts(text.cast(), size as usize));
        write_op(p, b'\n');
        Ok(())
    }
}

/// An instruction with a length of 1, 4 or 8 bytes. `None` if the length needs 8 bytes and there is no such instruction.
fn sized_header(short: Option<u8>, medium: u8, long: Option<u8>, size: usize) -> Option<Vec<u8>> {
    let mut header = Vec::with_capacity(9);
    match (u8::try_from(size), short) {
        (Ok(n), Some(op)) => header.extend([op, n]),
        _ => match u32::try_from(size) {
            Ok(n) => {
                header.push(medium);
                header.extend(n.to_le_bytes());
            }
            Err(_) => {
                header.push(long?);
                header.extend((size as u64).to_le_bytes());
            }
        },
    }
    Some(header)
}

unsafe fn save_bytes_data(p: *mut Pickler, obj: *mut PyObject, data: &[u8]) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let long = ((*p).proto >= 4).then_some(BINBYTES8);
        let Some(header) = sized_header(Some(SHORT_BINBYTES), BINBYTES, long, data.len()) else {
            bail!(PyExc_OverflowError, "serializing a bytes object larger than 4 GiB requires pickle protocol 4 or higher");
        };
        write_bytes(p, &header, data, Some(obj))?;
        memo_put(p, obj)
    }
}

unsafe fn save_bytes(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] an exact bytes object.
    unsafe {
        let data = bytes_of(obj);
        if (*p).proto >= 3 {
            return save_bytes_data(p, obj, data);
        }
        // Without an instruction for it, as what Python 2 and 3 both take for bytes.
        let reduced = if data.is_empty() {
            tuple(vec![hold((&raw mut PyBytes_Type).cast()), tuple(Vec::new())?])?
        } else {
            let text = own(PyUnicode_DecodeLatin1(data.as_ptr().cast(), data.len() as Py_ssize_t, c"strict".as_ptr()))?;
            let args = tuple(vec![text, hold(intern!("latin1"))])?;
            tuple(vec![hold(state().codecs_encode), args])?
        };
        save_reduce(p, reduced.as_ptr(), obj)
    }
}

unsafe fn save_bytearray_data(p: *mut Pickler, obj: *mut PyObject, data: &[u8]) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let mut header = [BYTEARRAY8; 9];
        header[1..].copy_from_slice(&(data.len() as u64).to_le_bytes());
        write_bytes(p, &header, data, Some(obj))?;
        memo_put(p, obj)
    }
}

unsafe fn save_bytearray(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] an exact bytearray.
    unsafe {
        let (start, size) = (PyByteArray_AsString(obj), PyByteArray_Size(obj) as usize);
        if (*p).proto >= 5 {
            return save_bytearray_data(p, obj, core::slice::from_raw_parts(start.cast(), size));
        }
        let mut args = Vec::new();
        if size > 0 {
            args.push(own(PyBytes_FromStringAndSize(start, size as Py_ssize_t))?);
        }
        let reduced = tuple(vec![hold((&raw mut PyByteArray_Type).cast()), tuple(args)?])?;
        save_reduce(p, reduced.as_ptr(), obj)
    }
}

unsafe fn save_picklebuffer(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] a PickleBuffer.
    unsafe {
        if (*p).proto < 5 {
            return Err(pickling_error("PickleBuffer can only be pickled with protocol >= 5"));
        }
        let view = PyPickleBuffer_GetBuffer(obj);
        if view.is_null() {
            return Err(Raised::assume());
        }
        if !(*view).suboffsets.is_null() || PyBuffer_IsContiguous(view, b'A' as core::ffi::c_char) == 0 {
            return Err(pickling_error("PickleBuffer can not be pickled when pointing to a non-contiguous buffer"));
        }
        let mut in_band = true;
        if !(*p).buffer_callback.is_null() {
            let callback = hold((*p).buffer_callback);
            let answer = call1(callback.as_ptr(), obj)?;
            let truth = PyObject_IsTrue(answer.as_ptr());
            check_status(truth)?;
            in_band = truth != 0;
        }
        if in_band {
            let data: &[u8] =
                if (*view).len == 0 { &[] } else { core::slice::from_raw_parts((*view).buf.cast(), (*view).len as usize) };
            return if (*view).readonly != 0 { save_bytes_data(p, obj, data) } else { save_bytearray_data(p, obj, data) };
        }
        write_op(p, NEXT_BUFFER);
        if (*view).readonly != 0 {
            write_op(p, READONLY_BUFFER);
        }
        Ok(())
    }
}

/// Text for protocol 0: one line of Latin-1 with everything else as `\u` escapes.
unsafe fn raw_unicode_escape(obj: *mut PyObject) -> Vec<u8> {
    // SAFETY: [TYPE] a str.
    unsafe {
        let n = PyUnicode_GET_LENGTH(obj);
        let mut out = Vec::with_capacity(n as usize);
        for i in 0..n {
            match PyUnicode_ReadChar(obj, i) {
                c @ 0x10000.. => out.extend(format!("\\U{c:08x}").into_bytes()),
                c @ (0 | 0x0a | 0x0d | 0x1a | 0x5c | 0x100..) => out.extend(format!("\\u{c:04x}").into_bytes()),
                c => out.push(c as u8),
            }
        }
        out
    }
}

unsafe fn save_unicode(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] an exact str.
    unsafe {
        if (*p).bin == 0 {
            write_op(p, UNICODE);
            write(p, &raw_unicode_escape(obj));
            write_op(p, b'\n');
            return memo_put(p, obj);
        }
        let mut size = 0;
        let text = PyUnicode_AsUTF8AndSize(obj, &mut size);
        let encoded;
        let (data, payload) = if text.is_null() {
            PyErr_Clear();
            encoded = own(PyUnicode_AsEncodedString(obj, c"utf-8".as_ptr(), c"surrogatepass".as_ptr()))?;
            (bytes_of(encoded.as_ptr()), Some(encoded.as_ptr()))
        } else {
            (core::slice::from_raw_parts(text.cast::<u8>(), size as usize), None)
        };
        let short = ((*p).proto >= 4).then_some(SHORT_BINUNICODE);
        if let (Ok(n), Some(op)) = (u8::try_from(data.len()), short) {
            write(p, &[op, n]);
            write(p, data);
        } else {
            let long = ((*p).proto >= 4).then_some(BINUNICODE8);
            let Some(header) = sized_header(short, BINUNICODE, long, data.len()) else {
                bail!(PyExc_OverflowError, "serializing a string larger than 4 GiB requires pickle protocol 4 or higher");
            };
            write_bytes(p, &header, data, payload)?;
        }
        memo_put(p, obj)
    }
}

// ---- containers ----------------------------------------------------------------------------------------------------------

unsafe fn save_tuple(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] a tuple.
    unsafe {
        let n = PyTuple_GET_SIZE(obj);
        if n == 0 {
            write(p, if (*p).proto != 0 { &[EMPTY_TUPLE] } else { &[MARK, TUPLE] });
            return Ok(());
        }
        let small = n <= 3 && (*p).proto >= 2;
        if !small {
            write_op(p, MARK);
        }
        for i in 0..n {
            save(p, PyTuple_GET_ITEM(obj, i), false)?;
        }
        if let Some(number) = memo(p).get(obj) {
            // It contains itself, and has been pickled from there: drop the items and take that one.
            if small {
                (0..n).for_each(|_| write_op(p, POP));
            } else if (*p).bin != 0 {
                write_op(p, POP_MARK);
            } else {
                (0..=n).for_each(|_| write_op(p, POP));
            }
            return write_get(p, number);
        }
        write_op(p, if small { [TUPLE1, TUPLE2, TUPLE3][n as usize - 1] } else { TUPLE });
        memo_put(p, obj)
    }
}

/// The next item of an iterator.
unsafe fn next(iter: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: file contract.
    unsafe {
        match Owned::from_owned_or_opt(PyIter_Next(iter)) {
            None if err_occurred() => Err(Raised::assume()),
            item => Ok(item),
        }
    }
}

/// Saves what an iterator gives in batches: `one` follows a single item, `many` the items after a mark.
unsafe fn batch(p: *mut Pickler, iter: *mut PyObject, one: u8, many: u8, put: impl Fn(&Owned) -> PyResult<()>) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        if (*p).proto == 0 {
            while let Some(item) = next(iter)? {
                put(&item)?;
                write_op(p, one);
            }
            return Ok(());
        }
        loop {
            let Some(first) = next(iter)? else { return Ok(()) };
            let Some(mut item) = next(iter)? else {
                put(&first)?;
                write_op(p, one);
                return Ok(());
            };
            write_op(p, MARK);
            put(&first)?;
            drop(first);
            let mut n = 1;
            loop {
                put(&item)?;
                n += 1;
                if n == BATCHSIZE {
                    break;
                }
                match next(iter)? {
                    Some(i) => item = i,
                    None => break,
                }
            }
            write_op(p, many);
            if n < BATCHSIZE {
                return Ok(());
            }
        }
    }
}

unsafe fn batch_list(p: *mut Pickler, iter: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe { batch(p, iter, APPEND, APPENDS, |item| save(p, item.as_ptr(), false)) }
}

unsafe fn batch_dict(p: *mut Pickler, iter: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        batch(p, iter, SETITEM, SETITEMS, |pair| {
            let pair = pair.as_ptr();
            if PyTuple_Check(pair) == 0 || PyTuple_GET_SIZE(pair) != 2 {
                bail!(PyExc_TypeError, "dict items iterator must return 2-tuples");
            }
            save(p, PyTuple_GET_ITEM(pair, 0), false)?;
            save(p, PyTuple_GET_ITEM(pair, 1), false)
        })
    }
}

/// The items of an exact list, which may change on the way.
unsafe fn batch_list_exact(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] a list.
    unsafe {
        let item = |i| hold(PyList_GET_ITEM(obj, i));
        if PyList_GET_SIZE(obj) == 1 {
            save(p, item(0).as_ptr(), false)?;
            write_op(p, APPEND);
            return Ok(());
        }
        let mut i = 0;
        loop {
            write_op(p, MARK);
            let end = i + BATCHSIZE as isize;
            while i < end && i < PyList_GET_SIZE(obj) {
                save(p, item(i).as_ptr(), false)?;
                i += 1;
            }
            write_op(p, APPENDS);
            if i >= PyList_GET_SIZE(obj) {
                return Ok(());
            }
        }
    }
}

unsafe fn save_list(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] an exact list.
    unsafe {
        watched(p, obj, || {
            write(p, if (*p).bin != 0 { &[EMPTY_LIST] } else { &[MARK, LIST] });
            memo_put(p, obj)?;
            if PyList_GET_SIZE(obj) == 0 {
                return Ok(());
            }
            let _guard = RecursionGuard::enter(c" while pickling an object")?;
            if (*p).proto > 0 {
                return batch_list_exact(p, obj);
            }
            let iter = own(PyObject_GetIter(obj))?;
            batch_list(p, iter.as_ptr())
        })
    }
}

/// The items of an exact dict.
unsafe fn batch_dict_exact(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] a dict; keys and values are held.
    unsafe {
        let size = PyDict_Size(obj);
        let mut pos = 0;
        let mut step = || {
            let (mut key, mut value) = (null_mut(), null_mut());
            if PyDict_Next(obj, &mut pos, &mut key, &mut value) == 0 {
                return Ok(false);
            }
            let (key, value) = (hold(key), hold(value));
            save(p, key.as_ptr(), false)?;
            save(p, value.as_ptr(), false)?;
            Ok(true)
        };
        if size == 1 {
            step()?;
            write_op(p, SETITEM);
            return Ok(());
        }
        loop {
            write_op(p, MARK);
            let mut n = 0;
            while n < BATCHSIZE && step()? {
                n += 1;
            }
            write_op(p, SETITEMS);
            if PyDict_Size(obj) != size {
                bail!(PyExc_RuntimeError, "dictionary changed size during iteration");
            }
            if n < BATCHSIZE {
                return Ok(());
            }
        }
    }
}

unsafe fn save_dict(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] an exact dict.
    unsafe {
        watched(p, obj, || {
            write(p, if (*p).bin != 0 { &[EMPTY_DICT] } else { &[MARK, DICT] });
            memo_put(p, obj)?;
            if PyDict_Size(obj) == 0 {
                return Ok(());
            }
            let _guard = RecursionGuard::enter(c" while pickling an object")?;
            if (*p).proto > 0 {
                return batch_dict_exact(p, obj);
            }
            let items = own(PyObject_CallMethodNoArgs(obj, intern!("items")))?;
            let iter = own(PyObject_GetIter(items.as_ptr()))?;
            batch_dict(p, iter.as_ptr())
        })
    }
}

/// A set for the protocols that have no instruction for it: its type, called with a list.
unsafe fn save_set_reduced(p: *mut Pickler, obj: *mut PyObject, tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let items = own(PySequence_List(obj))?;
        let reduced = tuple(vec![hold(tp.cast()), tuple(vec![items])?])?;
        save_reduce(p, reduced.as_ptr(), obj)
    }
}

unsafe fn save_set(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] an exact set; items are held.
    unsafe {
        if (*p).proto < 4 {
            return save_set_reduced(p, obj, &raw mut PySet_Type);
        }
        write_op(p, EMPTY_SET);
        memo_put(p, obj)?;
        let size = PySet_Size(obj);
        if size == 0 {
            return Ok(());
        }
        let (mut pos, mut item, mut hash) = (0, null_mut(), 0);
        loop {
            write_op(p, MARK);
            let mut n = 0;
            while n < BATCHSIZE && _PySet_NextEntry(obj, &mut pos, &mut item, &mut hash) != 0 {
                let held = hold(item);
                save(p, held.as_ptr(), false)?;
                n += 1;
            }
            write_op(p, ADDITEMS);
            if PySet_Size(obj) != size {
                bail!(PyExc_RuntimeError, "set changed size during iteration");
            }
            if n < BATCHSIZE {
                return Ok(());
            }
        }
    }
}

unsafe fn save_frozenset(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] an exact frozenset.
    unsafe {
        if (*p).fast != 0 {
            fast_save_enter(p, obj)?;
        }
        if (*p).proto < 4 {
            return save_set_reduced(p, obj, &raw mut PyFrozenSet_Type);
        }
        write_op(p, MARK);
        let iter = own(PyObject_GetIter(obj))?;
        while let Some(item) = next(iter.as_ptr())? {
            save(p, item.as_ptr(), false)?;
        }
        // As with tuples, it may contain itself.
        if let Some(number) = memo(p).get(obj) {
            write_op(p, POP_MARK);
            return write_get(p, number);
        }
        write_op(p, FROZENSET);
        memo_put(p, obj)
    }
}

// ---- globals -------------------------------------------------------------------------------------------------------------

/// The parts of a dotted name; AttributeError if one of them is local to a function.
pub unsafe fn dotted_path(obj: *mut PyObject, name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: file contract, name is a str.
    unsafe {
        let parts = own(PyUnicode_Split(name, intern!("."), -1))?;
        for i in 0..PyList_GET_SIZE(parts.as_ptr()) {
            if _PyUnicode_EqualToASCIIString(PyList_GET_ITEM(parts.as_ptr(), i), c"<locals>".as_ptr()) != 0 {
                if obj.is_null() {
                    PyErr_Format(PyExc_AttributeError, c"Can't get local object %R".as_ptr(), name);
                } else {
                    PyErr_Format(PyExc_AttributeError, c"Can't get local attribute %R on %R".as_ptr(), name, obj);
                }
                return Err(Raised::assume());
            }
        }
        Ok(parts)
    }
}

/// What a path of names leads to, and what has it as its attribute. `None` if a part is missing, or (with an exception) if
/// looking for it failed.
pub unsafe fn deep_attribute(obj: *mut PyObject, path: *mut PyObject) -> Option<(Owned, Owned)> {
    // SAFETY: file contract, path is a list of strs.
    unsafe {
        let mut found = hold(obj);
        let mut parent = found.clone();
        for i in 0..PyList_GET_SIZE(path) {
            parent = found;
            found = getattr_opt(parent.as_ptr(), PyList_GET_ITEM(path, i)).ok().flatten()?;
        }
        Some((found, parent))
    }
}

/// Whether a module has the object under its name. `__main__` doesn't count, it is what is left in the end.
unsafe fn module_has(name: *mut PyObject, module: *mut PyObject, obj: *mut PyObject, path: *mut PyObject) -> PyResult<bool> {
    // SAFETY: file contract.
    unsafe {
        if module == Py_None() || PyUnicode_Check(name) != 0 && _PyUnicode_EqualToASCIIString(name, c"__main__".as_ptr()) != 0 {
            return Ok(false);
        }
        match deep_attribute(module, path) {
            Some((found, _)) => Ok(found.as_ptr() == obj),
            None if err_occurred() => Err(Raised::assume()),
            None => Ok(false),
        }
    }
}

/// The name of the module that an object is from.
unsafe fn whichmodule(obj: *mut PyObject, path: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: file contract.
    unsafe {
        if let Some(name) = getattr_opt(obj, intern!("__module__"))?
            && name.as_ptr() != Py_None()
        {
            return Ok(name);
        }
        let modules = match Owned::from_borrowed_or_opt(PySys_GetObject(c"modules".as_ptr())) {
            Some(m) => m,
            None => bail!(PyExc_RuntimeError, "lost sys.modules"),
        };
        if PyDict_CheckExact(modules.as_ptr()) != 0 {
            let (mut pos, mut name, mut module) = (0, null_mut(), null_mut());
            while PyDict_Next(modules.as_ptr(), &mut pos, &mut name, &mut module) != 0 {
                let (name, module) = (hold(name), hold(module));
                if module_has(name.as_ptr(), module.as_ptr(), obj, path)? {
                    return Ok(name);
                }
            }
        } else {
            let iter = own(PyObject_GetIter(modules.as_ptr()))?;
            while let Some(name) = next(iter.as_ptr())? {
                let module = own(PyObject_GetItem(modules.as_ptr(), name.as_ptr()))?;
                if module_has(name.as_ptr(), module.as_ptr(), obj, path)? {
                    return Ok(name);
                }
            }
        }
        Ok(hold(intern!("__main__")))
    }
}

/// The names that Python 2 has for a module and a global.
unsafe fn fix_imports(module: &mut Owned, name: &mut Owned) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let key = tuple(vec![module.clone(), name.clone()])?;
        let found = PyDict_GetItemWithError(state().name_mapping_3to2, key.as_ptr());
        if !found.is_null() {
            if PyTuple_Check(found) == 0 || PyTuple_GET_SIZE(found) != 2 {
                let got = type_name(found);
                bail!(PyExc_RuntimeError, "_compat_pickle.REVERSE_NAME_MAPPING values should be 2-tuples, not {got}");
            }
            let (m, n) = (PyTuple_GET_ITEM(found, 0), PyTuple_GET_ITEM(found, 1));
            if PyUnicode_Check(m) == 0 || PyUnicode_Check(n) == 0 {
                let (a, b) = (type_name(m), type_name(n));
                bail!(PyExc_RuntimeError, "_compat_pickle.REVERSE_NAME_MAPPING values should be pairs of str, not ({a}, {b})");
            }
            *module = hold(m);
            *name = hold(n);
            return Ok(());
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        let found = PyDict_GetItemWithError(state().import_mapping_3to2, module.as_ptr());
        if !found.is_null() {
            if PyUnicode_Check(found) == 0 {
                let got = type_name(found);
                bail!(PyExc_RuntimeError, "_compat_pickle.REVERSE_IMPORT_MAPPING values should be strings, not {got}");
            }
            *module = hold(found);
        } else if err_occurred() {
            return Err(Raised::assume());
        }
        Ok(())
    }
}

/// Writes a line with a name: UTF-8 in protocol 3, ASCII before.
unsafe fn write_identifier(p: *mut Pickler, name: &Owned, error: &'static CStr) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let encode = if (*p).proto == 3 { PyUnicode_AsUTF8String } else { PyUnicode_AsASCIIString };
        match own(encode(name.as_ptr())) {
            Ok(bytes) => {
                write(p, bytes_of(bytes.as_ptr()));
                write_op(p, b'\n');
                Ok(())
            }
            Err(e) => {
                if e.matches(PyExc_UnicodeEncodeError) {
                    return Err(pickling_format!(error, name.as_ptr(), (*p).proto));
                }
                Err(e)
            }
        }
    }
}

/// Writes the instruction for a registered extension.
unsafe fn write_extension(p: *mut Pickler, code: i64) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        match u32::try_from(code) {
            Ok(c @ 1..=0xff) => write(p, &[EXT1, c as u8]),
            Ok(c @ 0x100..=0xffff) => {
                write_op(p, EXT2);
                write(p, &(c as u16).to_le_bytes());
            }
            Ok(c @ 0x1_0000..=0x7fff_ffff) => {
                write_op(p, EXT4);
                write(p, &c.to_le_bytes());
            }
            _ => bail!(PyExc_RuntimeError, "extension code {code} is out of range"),
        }
        Ok(())
    }
}

/// Saves an object as the name it can be imported by; `name` if that isn't its `__qualname__`.
unsafe fn save_global(p: *mut Pickler, obj: *mut PyObject, name: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let mut name = match Owned::from_borrowed_or_opt(name) {
            Some(n) => n,
            None => match getattr_opt(obj, intern!("__qualname__"))? {
                Some(n) => n,
                None => own(PyObject_GetAttr(obj, intern!("__name__")))?,
            },
        };
        let path = dotted_path(null_mut(), name.as_ptr())?;
        let mut module_name = whichmodule(obj, path.as_ptr())?;
        let Some(module) = Owned::from_owned_or_opt(PyImport_Import(module_name.as_ptr())) else {
            return Err(pickling_format!(c"Can't pickle %R: import of module %R failed", obj, module_name.as_ptr()));
        };
        let Some((found, parent)) = deep_attribute(module.as_ptr(), path.as_ptr()) else {
            return Err(pickling_format!(
                c"Can't pickle %R: attribute lookup %S on %S failed",
                obj,
                name.as_ptr(),
                module_name.as_ptr()
            ));
        };
        if found.as_ptr() != obj {
            return Err(pickling_format!(
                c"Can't pickle %R: it's not the same object as %S.%S",
                obj,
                module_name.as_ptr(),
                name.as_ptr()
            ));
        }
        drop(found);
        if (*p).proto >= 2 {
            let key = tuple(vec![module_name.clone(), name.clone()])?;
            let mut code = null_mut();
            check_status(PyDict_GetItemRef(state().extension_registry, key.as_ptr(), &mut code))?;
            if let Some(code) = Owned::from_owned_or_opt(code) {
                let number = PyLong_AsLong(code.as_ptr());
                if number == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                return write_extension(p, number);
            }
        }
        // The path from a module's attribute to the object, for nested names only.
        let mut parts: Vec<Owned> =
            (0..PyList_GET_SIZE(path.as_ptr())).map(|i| hold(PyList_GET_ITEM(path.as_ptr(), i))).collect();
        if parent.as_ptr() == module.as_ptr()
            && let Some(last) = parts.pop()
        {
            name = last;
            parts.clear();
        }
        if (*p).proto >= 4 {
            save(p, module_name.as_ptr(), false)?;
            save(p, name.as_ptr(), false)?;
            write_op(p, STACK_GLOBAL);
            return memo_put(p, obj);
        }
        // Nested names are getattr(getattr(first, second), third).
        let nested: Vec<Owned> = if parts.is_empty() { Vec::new() } else { parts.split_off(1) };
        if let Some(first) = parts.pop() {
            if !nested.is_empty() {
                name = first;
            }
            for _ in &nested {
                save(p, state().getattr, false)?;
                if (*p).proto < 2 {
                    write_op(p, MARK);
                }
            }
        }
        write_op(p, GLOBAL);
        if (*p).proto < 3 && (*p).fix_imports {
            fix_imports(&mut module_name, &mut name)?;
        }
        write_identifier(p, &module_name, c"can't pickle module identifier '%S' using pickle protocol %i")?;
        write_identifier(p, &name, c"can't pickle global identifier '%S' using pickle protocol %i")?;
        for part in &nested {
            save(p, part.as_ptr(), false)?;
            write_op(p, if (*p).proto < 2 { TUPLE } else { TUPLE2 });
            write_op(p, REDUCE);
        }
        memo_put(p, obj)
    }
}

unsafe fn save_type(p: *mut Pickler, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        // The types of singletons have no importable name.
        let singleton = if obj == (&raw mut _PyNone_Type).cast() {
            Py_None()
        } else if obj == type_of(Py_Ellipsis()).cast() {
            Py_Ellipsis()
        } else if obj == (&raw mut _PyNotImplemented_Type).cast() {
            Py_NotImplemented()
        } else {
            return save_global(p, obj, null_mut());
        };
        let reduced = tuple(vec![hold((&raw mut PyType_Type).cast()), tuple(vec![hold(singleton)])?])?;
        save_reduce(p, reduced.as_ptr(), obj)
    }
}

/// Saves the persistent id of an object; false if it has none.
unsafe fn save_pers(p: *mut Pickler, obj: *mut PyObject) -> PyResult<bool> {
    // SAFETY: file contract.
    unsafe {
        let method = hold((*p).persistent_id);
        let pid = call1(method.as_ptr(), obj)?;
        if pid.as_ptr() == Py_None() {
            return Ok(false);
        }
        if (*p).bin != 0 {
            save(p, pid.as_ptr(), true)?;
            write_op(p, BINPERSID);
            return Ok(true);
        }
        let text = own(PyObject_Str(pid.as_ptr()))?;
        if PyUnicode_IS_ASCII(text.as_ptr()) == 0 {
            return Err(pickling_error("persistent IDs in protocol 0 must be ASCII strings"));
        }
        let mut size = 0;
        let s = PyUnicode_AsUTF8AndSize(text.as_ptr(), &mut size);
        if s.is_null() {
            return Err(Raised::assume());
        }
        write_op(p, PERSID);
        write(p, core::slice::from_raw_parts(s.cast(), size as usize));
        write_op(p, b'\n');
        Ok(true)
    }
}

// ---- reduction -----------------------------------------------------------------------------------------------------------

/// An optional item of a reduction's tuple.
unsafe fn part(args: *mut PyObject, i: isize) -> *mut PyObject {
    // SAFETY: [TYPE] a tuple.
    unsafe {
        if i >= PyTuple_GET_SIZE(args) {
            return null_mut();
        }
        let item = PyTuple_GET_ITEM(args, i);
        if item == Py_None() { null_mut() } else { item }
    }
}

/// Saves a call of `__newobj_ex__(cls, args, kwargs)`.
unsafe fn save_newobj_ex(p: *mut Pickler, args: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] args is a tuple.
    unsafe {
        let n = PyTuple_GET_SIZE(args);
        if n != 3 {
            return Err(pickling_error(&format!("length of the NEWOBJ_EX argument tuple must be exactly 3, not {n}")));
        }
        let (cls, positional, kwargs) = (PyTuple_GET_ITEM(args, 0), PyTuple_GET_ITEM(args, 1), PyTuple_GET_ITEM(args, 2));
        let wrong = |which: &str, what: &str, got: *mut PyObject| {
            pickling_error(&format!("{which} item from NEWOBJ_EX argument tuple must be a {what}, not {}", type_name(got)))
        };
        if PyType_Check(cls) == 0 {
            return Err(wrong("first", "class", cls));
        }
        if PyTuple_Check(positional) == 0 {
            return Err(wrong("second", "tuple", positional));
        }
        if PyDict_Check(kwargs) == 0 {
            return Err(wrong("third", "dict", kwargs));
        }
        if (*p).proto >= 4 {
            save(p, cls, false)?;
            save(p, positional, false)?;
            save(p, kwargs, false)?;
            write_op(p, NEWOBJ_EX);
            return Ok(());
        }
        // partial(cls.__new__, cls, *args, **kwargs)()
        let mut all = vec![own(PyObject_GetAttr(cls, intern!("__new__")))?, hold(cls)];
        all.extend((0..PyTuple_GET_SIZE(positional)).map(|i| hold(PyTuple_GET_ITEM(positional, i))));
        let all = tuple(all)?;
        let callable = own(PyObject_Call(state().partial, all.as_ptr(), kwargs))?;
        let empty = tuple(Vec::new())?;
        save(p, callable.as_ptr(), false)?;
        save(p, empty.as_ptr(), false)?;
        write_op(p, REDUCE);
        Ok(())
    }
}

/// Saves a call of `__newobj__(cls, *args)`.
unsafe fn save_newobj(p: *mut Pickler, args: *mut PyObject, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] args is a tuple.
    unsafe {
        let n = PyTuple_GET_SIZE(args);
        if n < 1 {
            return Err(pickling_error("__newobj__ arglist is empty"));
        }
        let cls = PyTuple_GET_ITEM(args, 0);
        if PyType_Check(cls) == 0 {
            return Err(pickling_error("args[0] from __newobj__ args is not a type"));
        }
        let obj_class = match getattr_opt(obj, intern!("__class__"))? {
            Some(c) => c,
            None => hold(type_of(obj).cast()),
        };
        if obj_class.as_ptr() != cls {
            return Err(pickling_error("args[0] from __newobj__ args has the wrong class"));
        }
        drop(obj_class);
        save(p, cls, false)?;
        let rest = own(PyTuple_GetSlice(args, 1, n))?;
        save(p, rest.as_ptr(), false)?;
        write_op(p, NEWOBJ);
        Ok(())
    }
}

/// Saves an object as what `__reduce__` has said of it.
unsafe fn save_reduce(p: *mut Pickler, args: *mut PyObject, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: file contract, [TYPE] args is a tuple that the caller holds.
    unsafe {
        let size = PyTuple_GET_SIZE(args);
        if !(2..=6).contains(&size) {
            return Err(pickling_error("tuple returned by __reduce__ must contain 2 through 6 elements"));
        }
        let (callable, argtup) = (PyTuple_GET_ITEM(args, 0), PyTuple_GET_ITEM(args, 1));
        let (object_state, listitems, dictitems, state_setter) = (part(args, 2), part(args, 3), part(args, 4), part(args, 5));
        if PyCallable_Check(callable) == 0 {
            return Err(pickling_error("first item of the tuple returned by __reduce__ must be callable"));
        }
        if PyTuple_Check(argtup) == 0 {
            return Err(pickling_error("second item of the tuple returned by __reduce__ must be a tuple"));
        }
        let must_be = |which: &str, what: &str, got: *mut PyObject| {
            let got = type_name(got);
            pickling_error(&format!("{which} element of the tuple returned by __reduce__ must be {what}, not {got}"))
        };
        if !listitems.is_null() && PyIter_Check(listitems) == 0 {
            return Err(must_be("fourth", "an iterator", listitems));
        }
        if !dictitems.is_null() && PyIter_Check(dictitems) == 0 {
            return Err(must_be("fifth", "an iterator", dictitems));
        }
        if !state_setter.is_null() && PyCallable_Check(state_setter) == 0 {
            return Err(must_be("sixth", "a function", state_setter));
        }

        let (mut newobj, mut newobj_ex) = (false, false);
        if (*p).proto >= 2
            && let Some(name) = getattr_opt(callable, intern!("__name__"))?
            && PyUnicode_Check(name.as_ptr()) != 0
        {
            newobj_ex = _PyUnicode_EQ(name.as_ptr(), intern!("__newobj_ex__")) != 0;
            newobj = !newobj_ex && _PyUnicode_EQ(name.as_ptr(), intern!("__newobj__")) != 0;
        }
        if newobj_ex {
            save_newobj_ex(p, argtup)?;
        } else if newobj {
            save_newobj(p, argtup, obj)?;
        } else {
            save(p, callable, false)?;
            save(p, argtup, false)?;
            write_op(p, REDUCE);
        }

        // It may have been pickled from within its own arguments.
        if let Some(number) = memo(p).get(obj) {
            write_op(p, POP);
            return write_get(p, number);
        }
        memo_put(p, obj)?;
        if !listitems.is_null() {
            batch_list(p, listitems)?;
        }
        if !dictitems.is_null() {
            batch_dict(p, dictitems)?;
        }
        if object_state.is_null() {
            return Ok(());
        }
        if state_setter.is_null() {
            save(p, object_state, false)?;
            write_op(p, BUILD);
        } else {
            // state_setter(obj, state) takes the place of BUILD; what it returns is dropped.
            save(p, state_setter, false)?;
            save(p, obj, false)?;
            save(p, object_state, false)?;
            write(p, &[TUPLE2, REDUCE, POP]);
        }
        Ok(())
    }
}

/// What an object is reduced to, by the registered function or its own method; `None` for a class, which is a global.
unsafe fn reduce(p: *mut Pickler, obj: *mut PyObject, tp: *mut PyTypeObject) -> PyResult<Option<Owned>> {
    // SAFETY: file contract.
    unsafe {
        let function = if (*p).dispatch_table.is_null() {
            let f = PyDict_GetItemWithError(state().dispatch_table, tp.cast());
            if f.is_null() && err_occurred() {
                return Err(Raised::assume());
            }
            Owned::from_borrowed_or_opt(f)
        } else {
            let table = hold((*p).dispatch_table);
            let mut f = null_mut();
            check_status(PyMapping_GetOptionalItem(table.as_ptr(), tp.cast(), &mut f))?;
            Owned::from_owned_or_opt(f)
        };
        if let Some(f) = function {
            return call1(f.as_ptr(), obj).map(Some);
        }
        if PyType_IsSubtype(tp, &raw mut PyType_Type) != 0 {
            return Ok(None);
        }
        if let Some(f) = getattr_opt(obj, intern!("__reduce_ex__"))? {
            let proto = own(PyLong_FromLong((*p).proto as i64))?;
            return call1(f.as_ptr(), proto.as_ptr()).map(Some);
        }
        match getattr_opt(obj, intern!("__reduce__"))? {
            Some(f) => own(PyObject_CallNoArgs(f.as_ptr())).map(Some),
            None => Err(pickling_format!(c"can't pickle '%.200s' object: %R", (*tp).tp_name, obj)),
        }
    }
}

/// Saves what has no format of its own.
unsafe fn save_other(p: *mut Pickler, obj: *mut PyObject, tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let mut reduced = None;
        if !(*p).reducer_override.is_null() {
            let method = hold((*p).reducer_override);
            let answer = call1(method.as_ptr(), obj)?;
            if answer.as_ptr() != Py_NotImplemented() {
                reduced = Some(answer);
            }
        }
        let reduced = match reduced {
            Some(r) => r,
            None if tp == &raw mut PyType_Type => return save_type(p, obj),
            None if tp == &raw mut PyFunction_Type => return save_global(p, obj, null_mut()),
            None => match reduce(p, obj, tp)? {
                Some(r) => r,
                None => return save_global(p, obj, null_mut()),
            },
        };
        if PyUnicode_Check(reduced.as_ptr()) != 0 {
            return save_global(p, obj, reduced.as_ptr());
        }
        if PyTuple_Check(reduced.as_ptr()) == 0 {
            return Err(pickling_error("__reduce__ must return a string or tuple"));
        }
        save_reduce(p, reduced.as_ptr(), obj)
    }
}

/// Saves an object. `is_pid` for a persistent id, which has none itself.
pub unsafe fn save(p: *mut Pickler, obj: *mut PyObject, is_pid: bool) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        opcode_boundary(p)?;
        if !is_pid && !(*p).persistent_id.is_null() && save_pers(p, obj)? {
            return Ok(());
        }
        let tp = type_of(obj);
        if obj == Py_None() {
            write_op(p, NONE);
            return Ok(());
        }
        if obj == Py_True() || obj == Py_False() {
            save_bool(p, obj == Py_True());
            return Ok(());
        }
        if tp == &raw mut PyLong_Type {
            return save_long(p, obj);
        }
        if tp == &raw mut PyFloat_Type {
            return save_float(p, obj);
        }
        if let Some(number) = memo(p).get(obj) {
            return write_get(p, number);
        }
        if tp == &raw mut PyUnicode_Type {
            return save_unicode(p, obj);
        }
        if tp == &raw mut PyBytes_Type {
            return save_bytes(p, obj);
        }
        let _guard = RecursionGuard::enter(c" while pickling an object")?;
        if tp == &raw mut PyDict_Type {
            save_dict(p, obj)
        } else if tp == &raw mut PySet_Type {
            save_set(p, obj)
        } else if tp == &raw mut PyFrozenSet_Type {
            save_frozenset(p, obj)
        } else if tp == &raw mut PyList_Type {
            save_list(p, obj)
        } else if tp == &raw mut PyTuple_Type {
            save_tuple(p, obj)
        } else if tp == &raw mut PyByteArray_Type {
            save_bytearray(p, obj)
        } else if tp == &raw mut PyPickleBuffer_Type {
            save_picklebuffer(p, obj)
        } else {
            save_other(p, obj, tp)
        }
    }
}
