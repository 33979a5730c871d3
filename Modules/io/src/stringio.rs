//! `StringIO`: a text stream in memory.

use crate::iobase::{DICT_GETSET, types};
use crate::newline::{code_points, from_code_points, newlines_object, translate};
use crate::support::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{OrNone, getset, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// A text stream in memory: code points, and how line ends are written and read.
#[repr(C)]
pub struct StringIo {
    ob_base: PyObject,
    dict: *mut PyObject,
    weakreflist: *mut PyObject,
    /// NULL when closed or not initialised.
    data: *mut Vec<u32>,
    pos: usize,
    /// What `readline` looks for: 0 any of the three, else the line end itself.
    readnl: *mut PyObject,
    /// What a written "\n" becomes, NULL for itself.
    writenl: *mut PyObject,
    readuniversal: bool,
    readtranslate: bool,
    seennl: u8,
    initialised: bool,
}
type S<'a> = Borrowed<'a, StringIo>;

#[allow(clippy::mut_from_ref, reason = "[GIL] no reference is kept over a call that can run Python code")]
fn data<'a>(slf: S<'a>) -> PyResult<&'a mut Vec<u32>> {
    if !slf.initialised {
        bail!(PyExc_ValueError, "I/O operation on uninitialized object");
    }
    if slf.data.is_null() {
        bail!(PyExc_ValueError, "I/O operation on closed file");
    }
    // SAFETY: [TYPE] owned by the stream.
    Ok(unsafe { &mut *slf.data })
}

fn read(slf: S<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    data(slf)?;
    // SAFETY: [ARGS]
    let n = unsafe { size_or_none(size)? };
    let d = data(slf)?;
    let from = slf.pos.min(d.len());
    let end = if n < 0 { d.len() } else { d.len().min(from + n as usize) };
    let out = from_code_points(&d[from..end])?;
    // SAFETY: [TYPE]
    unsafe { (*slf.as_ptr()).pos = slf.pos.max(end) };
    Ok(out)
}

fn line_end(slf: S<'_>, rest: &[u32]) -> usize {
    // SAFETY: [TYPE]
    unsafe {
        if slf.readtranslate || slf.readnl.is_null() && !slf.readuniversal {
            return rest.iter().position(|&c| c == 0x0a).map_or(rest.len(), |i| i + 1);
        }
        if slf.readuniversal {
            for (i, &c) in rest.iter().enumerate() {
                if c == 0x0a {
                    return i + 1;
                }
                if c == 0x0d {
                    return if rest.get(i + 1) == Some(&0x0a) { i + 2 } else { i + 1 };
                }
            }
            return rest.len();
        }
        let nl = code_points(slf.readnl);
        if nl.is_empty() {
            return rest.len();
        }
        rest.windows(nl.len()).position(|w| w == nl).map_or(rest.len(), |i| i + nl.len())
    }
}

fn next_line(slf: S<'_>, limit: isize) -> PyResult<Owned> {
    let d = data(slf)?;
    let from = slf.pos.min(d.len());
    let rest = &d[from..];
    let mut n = line_end(slf, rest);
    if limit >= 0 {
        n = n.min(limit as usize);
    }
    let line = from_code_points(&rest[..n])?;
    if n > 0 {
        // SAFETY: [TYPE]
        unsafe { (*slf.as_ptr()).pos = from + n };
    }
    Ok(line)
}

fn readline(slf: S<'_>, size: Option<Borrowed<'_>>) -> PyResult<Owned> {
    data(slf)?;
    // SAFETY: [ARGS]
    next_line(slf, unsafe { size_or_none(size)? })
}

unsafe extern "C" fn iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let exact = type_of(slf) == types().stringio;
        let line = if exact {
            next_line(Borrowed::from_ptr(slf.cast()), -1)
        } else {
            call0(slf, intern!("readline")).and_then(|l| {
                if PyUnicode_Check(l.as_ptr()) == 0 {
                    bail!(PyExc_OSError, "readline() should have returned a str object, not '{}'", type_name(l.as_ptr()));
                }
                Ok(l)
            })
        };
        match line {
            Ok(l) if PyUnicode_GetLength(l.as_ptr()) > 0 => l.into_raw(),
            _ => null_mut(),
        }
    }
}

/// Writes text, whose line ends are handled as the stream was told.
unsafe fn write_text(slf: S<'_>, text: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let mut points = code_points(text);
        let s = slf.as_ptr();
        if (*s).readuniversal
            && let Some(t) = translate(&points, (*s).readtranslate, &mut (*s).seennl)
        {
            points = t;
        }
        if !(*s).writenl.is_null() {
            let nl = code_points((*s).writenl);
            let mut out = Vec::with_capacity(points.len());
            for c in points {
                if c == 0x0a {
                    out.extend_from_slice(&nl);
                } else {
                    out.push(c);
                }
            }
            points = out;
        }
        let d = data(slf)?;
        let pos = slf.pos;
        let end = pos + points.len();
        if end > d.len() {
            if d.try_reserve(end - d.len()).is_err() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
            d.resize(end, 0);
        }
        d[pos..end].copy_from_slice(&points);
        (*s).pos = end;
        Ok(())
    }
}

fn write(slf: S<'_>, s: Borrowed<'_>) -> PyResult<isize> {
    data_initialised(slf)?;
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(s.ob()) == 0 {
            bail!(PyExc_TypeError, "string argument expected, got '{}'", type_name(s.ob()));
        }
        data(slf)?;
        let n = PyUnicode_GetLength(s.ob());
        if n > 0 {
            write_text(slf, s.ob())?;
        }
        Ok(n)
    }
}
fn data_initialised(slf: S<'_>) -> PyResult<()> {
    if !slf.initialised {
        bail!(PyExc_ValueError, "I/O operation on uninitialized object");
    }
    Ok(())
}

fn getvalue(slf: S<'_>) -> PyResult<Owned> {
    from_code_points(data(slf)?)
}
fn tell(slf: S<'_>) -> PyResult<usize> {
    data(slf)?;
    Ok(slf.pos)
}
fn seek(slf: S<'_>, pos: isize, whence: i32) -> PyResult<isize> {
    let len = data(slf)?.len() as isize;
    if !(0..=2).contains(&whence) {
        bail!(PyExc_ValueError, "Invalid whence ({}, should be 0, 1 or 2)", whence);
    }
    if pos < 0 && whence == 0 {
        bail!(PyExc_ValueError, "Negative seek position {}", pos);
    }
    if whence != 0 && pos != 0 {
        bail!(PyExc_OSError, "Can't do nonzero cur-relative seeks");
    }
    let to = match whence {
        1 => slf.pos as isize,
        2 => len,
        _ => pos,
    };
    // SAFETY: [TYPE]
    unsafe { (*slf.as_ptr()).pos = to as usize };
    Ok(to)
}
fn truncate(slf: S<'_>, size: Option<Borrowed<'_>>) -> PyResult<isize> {
    data(slf)?;
    let n = match size {
        // SAFETY: [ARGS]
        Some(s) if !s.is_none() => unsafe { size_or_none(Some(s))? },
        _ => slf.pos as isize,
    };
    if n < 0 {
        bail!(PyExc_ValueError, "Negative size value {}", n);
    }
    data(slf)?.truncate(n as usize);
    Ok(n)
}
fn yes(slf: S<'_>) -> PyResult<bool> {
    data(slf)?;
    Ok(true)
}
fn close(slf: S<'_>) -> PyResult<()> {
    // SAFETY: [OWN]
    unsafe {
        let d = core::mem::replace(&mut (*slf.as_ptr()).data, null_mut());
        if !d.is_null() {
            drop(Box::from_raw(d));
        }
    }
    Ok(())
}
fn closed(slf: S<'_>) -> PyResult<bool> {
    data_initialised(slf)?;
    Ok(slf.data.is_null())
}
fn line_buffering(slf: S<'_>) -> PyResult<bool> {
    data(slf)?;
    Ok(false)
}
fn newlines(slf: S<'_>) -> PyResult<Owned> {
    data(slf)?;
    newlines_object(if slf.readuniversal { slf.seennl } else { 0 })
}

fn init(slf: S<'_>, initial: OrNone<Borrowed<'_>>, newline: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let s = slf.as_ptr();
        (*s).initialised = false;
        let mut nl: Option<String> = None;
        if !newline.is_none() {
            if PyUnicode_Check(newline.ob()) == 0 {
                bail!(PyExc_TypeError, "newline must be str or None, not {}", type_name(newline.ob()));
            }
            let text: String = code_points(newline.ob()).iter().filter_map(|&c| char::from_u32(c)).collect();
            if !matches!(text.as_str(), "" | "\n" | "\r" | "\r\n") {
                PyErr_Format(PyExc_ValueError, c"illegal newline value: %R".as_ptr(), newline.ob());
                return Err(Raised::assume());
            }
            nl = Some(text);
        }
        if let OrNone(Some(i)) = &initial
            && PyUnicode_Check(i.ob()) == 0
        {
            bail!(PyExc_TypeError, "initial_value must be str or None, not {}", type_name(i.ob()));
        }
        setref(&raw mut (*s).readnl, if nl.is_some() { newline.to_owned().into_raw() } else { null_mut() });
        (*s).readuniversal = nl.as_deref().is_none_or(str::is_empty);
        (*s).readtranslate = nl.is_none();
        (*s).seennl = 0;
        let writes = matches!(nl.as_deref(), Some("\r" | "\r\n"));
        setref(&raw mut (*s).writenl, if writes { newline.to_owned().into_raw() } else { null_mut() });
        if (*s).data.is_null() {
            (*s).data = Box::into_raw(Box::default());
        }
        (*(*s).data).clear();
        (*s).pos = 0;
        (*s).initialised = true;
        if let OrNone(Some(i)) = initial {
            write_text(slf, i.ob())?;
            (*s).pos = 0;
        }
        Ok(())
    }
}

fn getstate(slf: S<'_>) -> PyResult<Owned> {
    let value = getvalue(slf)?;
    // SAFETY: [TYPE]
    unsafe {
        let nl = if slf.readnl.is_null() { none() } else { Owned::from_borrowed(slf.readnl) };
        let pos = int(slf.pos as i64)?;
        let dict = if slf.dict.is_null() { none() } else { Owned::from_owned_or_err(PyDict_Copy(slf.dict))? };
        let all = [value.as_ptr(), nl.as_ptr(), pos.as_ptr(), dict.as_ptr()];
        Owned::from_owned_or_err(_PyTuple_FromArray(all.as_ptr(), 4))
    }
}
fn setstate(slf: S<'_>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_Check(state.ob()) == 0 || PyTuple_GET_SIZE(state.ob()) < 4 {
            bail!(PyExc_TypeError, "{}.__setstate__ argument should be 4-tuple, got {}", type_name(slf.ob()), type_name(state.ob()));
        }
        if slf.initialised {
            data(slf)?;
        }
        let item = |i| PyTuple_GET_ITEM(state.ob(), i);
        let value = Borrowed::from_ptr(item(0));
        if !value.is_none() && PyUnicode_Check(item(0)) == 0 {
            bail!(PyExc_TypeError, "initial_value must be str or None, not {}", type_name(item(0)));
        }
        init(slf, OrNone(None), Borrowed::from_ptr(item(1)))?;
        // The value is stored as it is: its line ends have been handled when it was written.
        if !value.is_none() {
            *data(slf)? = code_points(item(0));
        }
        if PyLong_Check(item(2)) == 0 {
            bail!(PyExc_TypeError, "third item of state must be an integer, got {}", type_name(item(2)));
        }
        let pos = PyLong_AsSsize_t(item(2));
        if pos == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if pos < 0 {
            bail!(PyExc_ValueError, "position value cannot be negative");
        }
        (*slf.as_ptr()).pos = pos as usize;
        if item(3) != Py_None() {
            if PyDict_Check(item(3)) == 0 {
                bail!(PyExc_TypeError, "fourth item of state should be a dict, got a {}", type_name(item(3)));
            }
            if slf.dict.is_null() {
                (*slf.as_ptr()).dict = Owned::from_borrowed(item(3)).into_raw();
            } else {
                check_status(PyDict_Update(slf.dict, item(3)))?;
            }
        }
        Ok(())
    }
}

unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let s = slf.cast::<StringIo>();
        if !(*s).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        if !(*s).data.is_null() {
            drop(Box::from_raw((*s).data));
        }
        Py_XDECREF((*s).readnl);
        Py_XDECREF((*s).writenl);
        Py_XDECREF((*s).dict);
        free_instance(slf);
    }
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; type_of(slf), (*slf.cast::<StringIo>()).dict);
    }
    0
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.cast::<StringIo>()).dict, null_mut()) };
    0
}

methods! {
    static METHODS = [
        "getvalue($self, /)" => getvalue, "The whole contents.";
        "read($self, size=-1, /)" => read, "At most size characters.";
        "readline($self, size=-1, /)" => readline, "One line, of at most size characters.";
        "tell($self, /)" => tell, "The position.";
        "truncate($self, size=None, /)" => truncate, "Cut the contents.";
        "seek($self, pos, whence=0, /)" => seek, "Change the position.";
        "write($self, s, /)" => write, "Write text; returns how many characters.";
        "close($self, /)" => close, "Free the memory.";
        "readable($self, /)" => yes, "Always true.";
        "writable($self, /)" => yes, "Always true.";
        "seekable($self, /)" => yes, "Always true.";
        "__getstate__($self, /)" => getstate, "Help pickle.";
        "__setstate__($self, state, /)" => setstate, "Help pickle.";
    ];
}
getset! {
    static ATTRS = [
        "closed" => closed, "Whether the stream is closed.";
        "newlines" => newlines, "The kinds of line ends met.";
        "line_buffering" => line_buffering, "Always false.";
    ];
}
static mut GETSET: [PyGetSetDef; 5] = [const { PyGetSetDef { name: core::ptr::null(), get: None, set: None, doc: core::ptr::null(), closure: null_mut() } }; 5];

/// `_io.StringIO`.
pub static mut STRINGIO: PyTypeObject = PyTypeObject {
    tp_name: c"_io.StringIO".as_ptr(),
    tp_basicsize: size_of::<StringIo>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"StringIO(initial_value='', newline='\\n')\n--\n\nA text stream in memory.".as_ptr(),
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_weaklistoffset: core::mem::offset_of!(StringIo, weakreflist) as Py_ssize_t,
    tp_iternext: Some(iternext),
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    tp_dictoffset: core::mem::offset_of!(StringIo, dict) as Py_ssize_t,
    tp_init: Some({
        unsafe extern "C" fn entry(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> c_int {
            const SIG: taipan_clinic::Signature<2> = taipan_clinic::Signature::parse("StringIO(initial_value=<unrepresentable>, newline=<unrepresentable>)");
            // SAFETY: [ARGS] called as tp_init.
            unsafe {
                taipan_clinic::invoke::with_tuple_dict(&SIG.erase(), args, kw, |call| {
                    let initial = if call.slots[0].is_null() || call.slots[0] == Py_None() { None } else { Some(Borrowed::from_ptr(call.slots[0])) };
                    let default = string("\n")?;
                    let newline = if call.slots[1].is_null() { default.as_ptr() } else { call.slots[1] };
                    init(Borrowed::from_ptr(slf.cast()), OrNone(initial), Borrowed::from_ptr(newline))
                })
                .into_c()
            }
        }
        entry
    }),
    tp_new: Some(PyType_GenericNew),
    ..TYPE_INIT
};

/// Completes the tables.
pub fn prepare() {
    // SAFETY: [STATIC] before the type is readied.
    unsafe {
        GETSET[0] = DICT_GETSET;
        for i in 0..3 {
            GETSET[i + 1] = core::ptr::read((&raw const ATTRS).cast::<PyGetSetDef>().add(i));
        }
    }
}
