//! `Pickler` and the proxy of its memo.

use crate::memo::MemoTable;
use crate::opcode::*;
use crate::output::{clear_buffer, commit_frame, flush_to_file, write, write_op};
use crate::save::save;
use crate::state::{pickling_error, state};
use crate::{getattr_opt, hold, own, tuple};
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, initializer, members, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// A pickler. Its size is CPython's.
///
/// Functions that work on one take a raw pointer: what they call may come back and change it.
#[repr(C)]
pub struct Pickler {
    ob_base: PyObject,
    /// What was pickled already; made when it is first needed.
    pub memo: *mut MemoTable,
    /// The method, while dump() runs, NULL if it isn't overridden.
    pub persistent_id: *mut PyObject,
    /// The method, if it was set on the instance.
    persistent_id_attr: *mut PyObject,
    /// The instance's own table, or NULL.
    pub dispatch_table: *mut PyObject,
    /// The method, while dump() runs, or NULL.
    pub reducer_override: *mut PyObject,
    /// The file's method; NULL for dumps().
    pub write: *mut PyObject,
    /// Containers that are being pickled in fast mode.
    pub fast_memo: *mut PyObject,
    /// Takes out-of-band buffers, or NULL.
    pub buffer_callback: *mut PyObject,
    /// What is not written yet.
    pub output: Vec<u8>,
    /// Where the open frame begins; -1 if none is open.
    pub frame_start: isize,
    /// The protocol.
    pub proto: i32,
    /// Whether the protocol is binary.
    pub bin: i32,
    /// Whether the memo is not used.
    pub fast: i32,
    /// How deep containers nest in fast mode; negative after an error.
    pub fast_nesting: i32,
    /// Whether names are translated for Python 2.
    pub fix_imports: bool,
    /// Whether frames are made.
    pub framing: bool,
    /// Whether the output buffer exists.
    pub has_output: bool,
    _size: [usize; 2],
}

const _: () = assert!(size_of::<Pickler>() == 152);

/// The memo.
#[allow(clippy::mut_from_ref, reason = "[GIL] never kept over a call that can run Python code")]
pub unsafe fn memo<'a>(p: *mut Pickler) -> &'a mut MemoTable {
    // SAFETY: [ARGS]
    unsafe {
        if (*p).memo.is_null() {
            (*p).memo = Box::into_raw(Box::new(MemoTable::new()));
        }
        &mut *(*p).memo
    }
}

/// Empties the memo.
unsafe fn clear_memo(p: *mut Pickler) {
    // SAFETY: [OWN] the objects are released once the memo is consistent.
    unsafe {
        if !(*p).memo.is_null() {
            for key in (*(*p).memo).take() {
                Py_DECREF(key);
            }
        }
    }
}

/// A pickler that is no object, for dumps() and dump(); to be given to [`finish`].
pub fn bare() -> Pickler {
    // SAFETY: all-zero is valid but for the Vec, which is replaced; the header is never looked at.
    unsafe {
        let mut p = core::mem::MaybeUninit::<Pickler>::zeroed();
        (&raw mut (*p.as_mut_ptr()).output).write(Vec::with_capacity(WRITE_BUF_SIZE));
        (*p.as_mut_ptr()).frame_start = -1;
        p.assume_init()
    }
}

/// Releases what a pickler holds.
pub unsafe fn finish(p: *mut Pickler) {
    // SAFETY: [OWN]
    unsafe {
        for field in [
            &raw mut (*p).write,
            &raw mut (*p).persistent_id,
            &raw mut (*p).persistent_id_attr,
            &raw mut (*p).dispatch_table,
            &raw mut (*p).fast_memo,
            &raw mut (*p).reducer_override,
            &raw mut (*p).buffer_callback,
        ] {
            setref(field, null_mut());
        }
        (*p).output = Vec::new();
        (*p).has_output = false;
        let memo = core::mem::replace(&mut (*p).memo, null_mut());
        if !memo.is_null() {
            for key in Box::from_raw(memo).take() {
                Py_DECREF(key);
            }
        }
    }
}

/// Sets the protocol.
pub unsafe fn set_protocol(p: *mut Pickler, protocol: Option<Borrowed<'_>>, fix_imports: bool) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let mut proto = DEFAULT_PROTOCOL;
        if let Some(o) = protocol.filter(|o| !o.is_none()) {
            proto = PyLong_AsLong(o.ob());
            if proto == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            if proto < 0 {
                proto = HIGHEST_PROTOCOL;
            } else if proto > HIGHEST_PROTOCOL {
                bail!(PyExc_ValueError, "pickle protocol must be <= {HIGHEST_PROTOCOL}");
            }
        }
        (*p).proto = proto as i32;
        (*p).bin = (proto > 0) as i32;
        (*p).fix_imports = fix_imports && proto < 3;
        Ok(())
    }
}

/// Sets the file.
pub unsafe fn set_output_stream(p: *mut Pickler, file: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        match getattr_opt(file, intern!("write"))? {
            Some(w) => setref(&raw mut (*p).write, w.into_raw()),
            None => bail!(PyExc_TypeError, "file must have a 'write' attribute"),
        }
        Ok(())
    }
}

/// Sets the function that takes out-of-band buffers.
pub unsafe fn set_buffer_callback(p: *mut Pickler, callback: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let callback = callback.filter(|c| !c.is_none());
        if callback.is_some() && (*p).proto < 5 {
            bail!(PyExc_ValueError, "buffer_callback needs protocol >= 5");
        }
        setref(&raw mut (*p).buffer_callback, callback.map_or(null_mut(), |c| c.to_owned().into_raw()));
        Ok(())
    }
}

/// Pickles an object into the buffer. `slf` is the pickler as an object, unless it is a bare one.
pub unsafe fn dump(p: *mut Pickler, slf: *mut PyObject, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let result = dump_inner(p, slf, obj);
        (*p).framing = false;
        // Bound methods of the pickler itself would keep it and its memo alive.
        setref(&raw mut (*p).persistent_id, null_mut());
        setref(&raw mut (*p).reducer_override, null_mut());
        result
    }
}

unsafe fn dump_inner(p: *mut Pickler, slf: *mut PyObject, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if !slf.is_null() {
            let method = own(PyObject_GetAttr(slf, intern!("persistent_id")))?;
            let overridden = !is_default_persistent_id(method.as_ptr(), slf);
            setref(&raw mut (*p).persistent_id, if overridden { method.into_raw() } else { null_mut() });
            let reducer = getattr_opt(slf, intern!("reducer_override"))?;
            setref(&raw mut (*p).reducer_override, reducer.map_or(null_mut(), Owned::into_raw));
        }
        if (*p).proto >= 2 {
            write(p, &[PROTO, (*p).proto as u8]);
            (*p).framing = (*p).proto >= 4;
        }
        save(p, obj, false)?;
        write_op(p, STOP);
        commit_frame(p);
        Ok(())
    }
}

/// Whether a method is the one that `Pickler` has itself, bound to `slf`.
unsafe fn is_default_persistent_id(method: *mut PyObject, slf: *mut PyObject) -> bool {
    // SAFETY: [TYPE] checked.
    unsafe {
        let f = method.cast::<PyCFunctionObject>();
        PyCFunction_CheckExact(method) != 0 && (*f).m_self == slf && (*f).m_ml == (&raw mut METHODS).cast::<PyMethodDef>()
    }
}

// ---- methods -------------------------------------------------------------------------------------------------------------

fn persistent_id(_: Borrowed<'_, Pickler>, _obj: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}

fn pickler_dump(slf: Borrowed<'_, Pickler>, obj: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.as_ptr();
        if (*p).write.is_null() {
            let name = tp_name(slf.ob_type());
            return Err(pickling_error(&format!("Pickler.__init__() was not called by {name}.__init__()")));
        }
        clear_buffer(p);
        dump(p, slf.ob(), obj.ob())?;
        flush_to_file(p)
    }
}

fn pickler_clear_memo(slf: Borrowed<'_, Pickler>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { clear_memo(slf.as_ptr()) };
    Ok(())
}

fn pickler_sizeof(slf: Borrowed<'_, Pickler>) -> PyResult<usize> {
    // SAFETY: [TYPE] a bytes object has 33 bytes besides its content; so much would the buffer take as one.
    unsafe {
        let p = slf.as_ptr();
        let mut size = (*slf.ob_type()).tp_basicsize as usize;
        if !(*p).memo.is_null() {
            size += 4 * size_of::<usize>() + (*(*p).memo).allocated() * 2 * size_of::<usize>();
        }
        if (*p).has_output {
            size += 33 + (*p).output.capacity().max(WRITE_BUF_SIZE);
        }
        Ok(size)
    }
}

methods! {
    /// Methods of `Pickler`; `persistent_id` is the first, see [`is_default_persistent_id`].
    static METHODS = [
        "persistent_id($self, obj, /)" => persistent_id, "";
        "dump($self, obj, /)" => pickler_dump, "Pickle the object to the file.";
        "clear_memo($self, /)" => pickler_clear_memo, "Forget which objects were pickled already.";
        "__sizeof__($self, /)" => pickler_sizeof, "Return the size in memory, in bytes.";
    ];
}

fn pickler_init(
    slf: Borrowed<'_, Pickler>,
    file: Borrowed<'_>,
    protocol: Option<Borrowed<'_>>,
    fix_imports: bool,
    buffer_callback: Option<Borrowed<'_>>,
) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.as_ptr();
        if !(*p).write.is_null() {
            finish(p);
        }
        set_protocol(p, protocol, fix_imports)?;
        set_output_stream(p, file.ob())?;
        set_buffer_callback(p, buffer_callback)?;
        memo(p);
        clear_buffer(p);
        (*p).fast = 0;
        (*p).fast_nesting = 0;
        setref(&raw mut (*p).fast_memo, null_mut());
        if (*p).dispatch_table.is_null()
            && let Some(table) = getattr_opt(slf.ob(), intern!("dispatch_table"))?
        {
            setref(&raw mut (*p).dispatch_table, table.into_raw());
        }
        Ok(())
    }
}

unsafe extern "C" fn pickler_new(tp: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new; the fields are zero, which is valid but for the Vec.
    unsafe {
        let slf = PyType_GenericAlloc(tp, 0);
        if !slf.is_null() {
            (&raw mut (*slf.cast::<Pickler>()).output).write(Vec::new());
            (*slf.cast::<Pickler>()).frame_start = -1;
        }
        slf
    }
}

unsafe extern "C" fn pickler_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] called as tp_traverse.
    unsafe {
        let p = slf.cast::<Pickler>();
        py_visit!(visitor, arg; type_of(slf), (*p).write, (*p).persistent_id, (*p).persistent_id_attr, (*p).dispatch_table,
            (*p).fast_memo, (*p).reducer_override, (*p).buffer_callback);
        if !(*p).memo.is_null() {
            for (key, _) in (*(*p).memo).entries() {
                py_visit!(visitor, arg; key);
            }
        }
    }
    0
}

unsafe extern "C" fn pickler_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] called as tp_clear.
    unsafe { finish(slf.cast()) };
    0
}

unsafe extern "C" fn pickler_dealloc(slf: *mut PyObject) {
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

/// Whether a str is `text`.
pub unsafe fn is_name(name: *mut PyObject, text: *mut PyObject) -> bool {
    // SAFETY: [TYPE] checked.
    unsafe { name == text || PyUnicode_Check(name) != 0 && _PyUnicode_EQ(name, text) != 0 }
}

unsafe extern "C" fn pickler_getattr(slf: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] called as tp_getattro.
    unsafe {
        let own = (*slf.cast::<Pickler>()).persistent_id_attr;
        if !own.is_null() && is_name(name, intern!("persistent_id")) {
            return hold(own).into_raw();
        }
        PyObject_GenericGetAttr(slf, name)
    }
}

unsafe extern "C" fn pickler_setattr(slf: *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] called as tp_setattro.
    unsafe {
        if is_name(name, intern!("persistent_id")) {
            Py_XINCREF(value);
            setref(&raw mut (*slf.cast::<Pickler>()).persistent_id_attr, value);
            return 0;
        }
        PyObject_GenericSetAttr(slf, name, value)
    }
}

members! {
    static MEMBERS = [
        "bin", Py_T_INT, offset_of!(Pickler, bin), 0, "";
        "fast", Py_T_INT, offset_of!(Pickler, fast), 0, "";
        "dispatch_table", Py_T_OBJECT_EX, offset_of!(Pickler, dispatch_table), 0, "";
    ];
}
getset! {
    static GETSETS = [
        "memo" => get_memo, set_memo, "";
    ];
}

/// What `Pickler` is made from.
pub static mut PICKLER: PyTypeObject = PyTypeObject {
    tp_name: c"_pickle.Pickler".as_ptr(),
    tp_basicsize: size_of::<Pickler>() as Py_ssize_t,
    tp_dealloc: Some(pickler_dealloc),
    tp_getattro: Some(pickler_getattr),
    tp_setattro: Some(pickler_setattr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_doc: c"Pickler(file, protocol=None, fix_imports=True, buffer_callback=None)\n--\n\nWrites pickles to a binary file.".as_ptr(),
    tp_traverse: Some(pickler_traverse),
    tp_clear: Some(pickler_clear),
    tp_methods: (&raw mut METHODS).cast(),
    tp_members: (&raw mut MEMBERS).cast(),
    tp_getset: (&raw mut GETSETS).cast(),
    tp_init: Some(initializer!("Pickler(file, protocol=None, fix_imports=True, buffer_callback=None)" => pickler_init)),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(pickler_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- the memo's proxy ----------------------------------------------------------------------------------------------------

/// The memo as Python sees it.
#[repr(C)]
struct PicklerMemoProxy {
    ob_base: PyObject,
    pickler: *mut PyObject,
}

fn get_memo(slf: Borrowed<'_, Pickler>) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh object.
    unsafe {
        let proxy = own(PyType_GenericAlloc(state().pickler_memo_proxy, 0))?;
        (*proxy.as_ptr().cast::<PicklerMemoProxy>()).pickler = hold(slf.ob()).into_raw();
        Ok(proxy)
    }
}

fn set_memo(slf: Borrowed<'_, Pickler>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE] checked.
    unsafe {
        let Some(value) = value else { bail!(PyExc_TypeError, "attribute deletion is not supported") };
        let new = if value.ob_type() == state().pickler_memo_proxy {
            memo((*value.ob().cast::<PicklerMemoProxy>()).pickler.cast()).clone()
        } else if PyDict_Check(value.ob()) != 0 {
            memo_from_dict(value.ob())?
        } else {
            let name = type_name(value.ob());
            bail!(PyExc_TypeError, "'memo' attribute must be a PicklerMemoProxy object or dict, not {name}");
        };
        let mut old = core::mem::replace(memo(slf.as_ptr()), new);
        for key in old.take() {
            Py_DECREF(key);
        }
        Ok(())
    }
}

unsafe fn memo_from_dict(dict: *mut PyObject) -> PyResult<MemoTable> {
    // SAFETY: [TYPE] a dict.
    unsafe {
        let mut new = MemoTable::new();
        let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
        let result = loop {
            if PyDict_Next(dict, &mut pos, &mut key, &mut value) == 0 {
                return Ok(new);
            }
            if PyTuple_Check(value) == 0 || PyTuple_GET_SIZE(value) != 2 {
                break Err(raise!(PyExc_TypeError, "'memo' values must be 2-item tuples"));
            }
            let number = PyLong_AsSsize_t(PyTuple_GET_ITEM(value, 0));
            if number == -1 && err_occurred() {
                break Err(Raised::assume());
            }
            new.set(PyTuple_GET_ITEM(value, 1), number);
        };
        for key in new.take() {
            Py_DECREF(key);
        }
        result
    }
}

fn proxy_clear(slf: Borrowed<'_, PicklerMemoProxy>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { clear_memo(slf.pickler.cast()) };
    Ok(())
}

fn proxy_copy(slf: Borrowed<'_, PicklerMemoProxy>) -> PyResult<Owned> {
    // SAFETY: [TYPE] making ints and tuples does not change the memo.
    unsafe {
        let dict = own(PyDict_New())?;
        let entries: Vec<(Owned, isize)> = memo(slf.pickler.cast()).entries().map(|(k, v)| (hold(k), v)).collect();
        for (key, number) in entries {
            let id = own(PyLong_FromVoidPtr(key.as_ptr().cast()))?;
            let value = tuple(vec![own(PyLong_FromSsize_t(number))?, key])?;
            check_status(PyDict_SetItem(dict.as_ptr(), id.as_ptr(), value.as_ptr()))?;
        }
        Ok(dict)
    }
}

/// How a proxy is pickled: as the dict that it copies to.
pub unsafe fn dict_reduce(contents: Owned) -> PyResult<Owned> {
    // SAFETY: [IMMORTAL]
    unsafe { tuple(vec![hold((&raw mut PyDict_Type).cast()), tuple(vec![contents])?]) }
}

fn proxy_reduce(slf: Borrowed<'_, PicklerMemoProxy>) -> PyResult<Owned> {
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

/// `tp_traverse` of both proxies, which have one field.
pub unsafe extern "C" fn proxy_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { py_visit!(visitor, arg; type_of(slf), (*slf.cast::<PicklerMemoProxy>()).pickler); }
    0
}
/// `tp_dealloc` of both proxies. There is no `tp_clear`: the methods rely on the field.
pub unsafe extern "C" fn proxy_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let tp = type_of(slf);
        PyObject_GC_UnTrack(slf.cast());
        setref(&raw mut (*slf.cast::<PicklerMemoProxy>()).pickler, null_mut());
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
        Py_DECREF(tp.cast());
    }
}

/// What `PicklerMemoProxy` is made from.
pub static mut PICKLER_MEMO_PROXY: PyTypeObject = PyTypeObject {
    tp_name: c"_pickle.PicklerMemoProxy".as_ptr(),
    tp_basicsize: size_of::<PicklerMemoProxy>() as Py_ssize_t,
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
