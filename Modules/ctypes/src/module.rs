//! The module: its functions, its types, its constants.

use crate::callproc::*;
use crate::cdata::*;
use crate::state::*;
use crate::stginfo::*;
use crate::{callbacks, cfield, funcptr, instances, metatypes};
use core::ffi::{CStr, c_int, c_uint, c_ulong, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::module::{add_int, add_object, add_str};
use taipan_clinic::support::*;
use taipan_clinic::{methods, module};

/// A NULL-terminated list of slots.
pub fn slots(list: &[(c_int, *mut c_void)]) -> Vec<PyType_Slot> {
    list.iter().chain(&[(0, null_mut())]).map(|&(slot, pfunc)| PyType_Slot { slot, pfunc }).collect()
}

// ---- libraries

/// The handle of a library object.
///
/// # Safety
/// `dll` is live.
pub unsafe fn library_handle(dll: *mut PyObject) -> PyResult<*mut c_void> {
    // SAFETY: [ARGS]
    unsafe {
        let handle = Owned::from_owned_or_err(PyObject_GetAttr(dll, intern!("_handle")))?;
        if PyLong_Check(handle.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "the _handle attribute of the second argument must be an integer");
        }
        let address = PyLong_AsVoidPtr(handle.as_ptr());
        if err_occurred() {
            PyErr_Clear();
            bail!(PyExc_ValueError, "could not convert the _handle attribute to a pointer");
        }
        Ok(address)
    }
}

/// `exc` with what the dynamic linker says went wrong, or with `otherwise`.
///
/// # Safety
/// `exc` is an exception class.
pub unsafe fn dl_error(exc: *mut PyObject, otherwise: &str) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            return raise_str(exc, otherwise);
        }
        let text = PyUnicode_DecodeLocale(text, c"surrogateescape".as_ptr());
        if !text.is_null() {
            PyErr_SetObject(exc, text);
            Py_DECREF(text);
        }
        Raised::assume()
    }
}

fn dlopen(_: (), name: Borrowed<'_>, mode: Option<i32>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let mode = mode.unwrap_or(libc::RTLD_NOW | libc::RTLD_LOCAL) | libc::RTLD_NOW;
        let mut path = null_mut::<PyObject>();
        if !name.is_none() && PyUnicode_FSConverter(name.ob(), (&raw mut path).cast()) == 0 {
            return Err(Raised::assume());
        }
        let path = Owned::from_owned_or_opt(path);
        audit(c"ctypes.dlopen", &[name.ob()])?;
        let c_path = path.as_ref().map_or(core::ptr::null(), |p| PyBytes_AsString(p.as_ptr()).cast_const());
        let handle = libc::dlopen(c_path, mode);
        if handle.is_null() {
            return Err(dl_error(PyExc_OSError, "dlopen() error"));
        }
        Owned::from_owned_or_err(PyLong_FromVoidPtr(handle))
    }
}

unsafe fn address(op: Borrowed<'_>) -> PyResult<*mut c_void> {
    // SAFETY: [ARGS]
    unsafe {
        let p = PyLong_AsVoidPtr(op.ob());
        if p.is_null() && err_occurred() { Err(Raised::assume()) } else { Ok(p) }
    }
}

fn dlclose(_: (), handle: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS] the program vouches for the handle.
    unsafe {
        if libc::dlclose(address(handle)?) != 0 {
            return Err(dl_error(PyExc_OSError, "dlclose() error"));
        }
    }
    Ok(())
}

fn dlsym(_: (), handle: Borrowed<'_>, name: &str) -> PyResult {
    // SAFETY: [ARGS] the program vouches for the handle.
    unsafe {
        let library = address(handle)?;
        let Ok(c_name) = std::ffi::CString::new(name) else { bail!(PyExc_ValueError, "embedded null character") };
        let shown = string(name)?;
        audit(c"ctypes.dlsym/handle", &[tuple_of(&[handle.ob(), shown.as_ptr()])?.as_ptr()])?;
        libc::dlerror();
        let found = libc::dlsym(library, c_name.as_ptr());
        if found.is_null() {
            return Err(dl_error(PyExc_OSError, &format!("symbol '{name}' not found")));
        }
        Owned::from_owned_or_err(PyLong_FromVoidPtr(found))
    }
}

// ---- calling addresses

unsafe fn call_address(function: Borrowed<'_>, args: taipan_clinic::Tuple<'_>, flags: c_int) -> PyResult {
    // SAFETY: [ARGS] the program vouches for the address.
    unsafe {
        let f = address(function)?;
        audit(c"ctypes.call_function", &[int(f as i64)?.as_ptr(), args.ob()])?;
        call_function(f, args.ob(), flags, None, null_mut(), null_mut())
    }
}
fn call_plain(_: (), function: Borrowed<'_>, args: taipan_clinic::Tuple<'_>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe { call_address(function, args, 0) }
}
fn call_cdecl(_: (), function: Borrowed<'_>, args: taipan_clinic::Tuple<'_>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe { call_address(function, args, FUNCFLAG_CDECL) }
}

// ---- errno

fn get_errno(_: ()) -> PyResult<i32> {
    // SAFETY: [ARGS]
    unsafe {
        audit(c"ctypes.get_errno", &[])?;
        let (_keep, space) = thread_errno()?;
        Ok(*space)
    }
}

unsafe extern "C" fn set_errno_entry(_: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    let mut new: c_int = 0;
    // SAFETY: [ARGS] METH_VARARGS.
    unsafe {
        (|| {
            audit(c"ctypes.set_errno", &[args])?;
            if PyArg_ParseTuple(args, c"i".as_ptr(), &raw mut new) == 0 {
                return Err(Raised::assume());
            }
            let (_keep, space) = thread_errno()?;
            int(core::mem::replace(&mut *space, new) as i64)
        })()
        .into_c()
    }
}

// ---- sizes and addresses

fn sizeof(_: (), op: Borrowed<'_>) -> PyResult<isize> {
    if let Some(info) = info_of(op.ob()) {
        return Ok(info.size);
    }
    if is_cdata(op.ob()) {
        // SAFETY: [TYPE]
        return Ok(unsafe { (*op.as_ptr().cast::<CDataObject>()).b_size });
    }
    bail!(PyExc_TypeError, "this type has no size")
}

/// The information of a class, or of an instance's class.
fn info_of_any<'a>(op: Borrowed<'_>) -> Option<&'a mut StgInfo> {
    // SAFETY: [ARGS]
    if unsafe { PyType_Check(op.ob()) } != 0 { info_of(op.ob()) } else { info_of_instance(op.ob()) }
}

fn alignment(_: (), op: Borrowed<'_>) -> PyResult<isize> {
    match info_of_any(op) {
        Some(info) => Ok(info.align),
        None => bail!(PyExc_TypeError, "no alignment info"),
    }
}

fn byref(_: (), op: Borrowed<'_>, offset: Option<Borrowed<'_>>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let mut by = 0;
        if let Some(offset) = offset {
            by = PyNumber_AsSsize_t(offset.ob(), null_mut());
            if by == -1 && err_occurred() {
                return Err(Raised::assume());
            }
        }
        if !is_cdata(op.ob()) {
            bail!(PyExc_TypeError, "byref() argument must be a ctypes instance, not '{}'", class_name_of(op.ob()));
        }
        byref_to(op, by)
    }
}

fn addressof(_: (), op: Borrowed<'_>) -> PyResult {
    // SAFETY: [TYPE]
    unsafe {
        if !is_cdata(op.ob()) {
            bail!(PyExc_TypeError, "invalid type");
        }
        audit(c"ctypes.addressof", &[op.ob()])?;
        Owned::from_owned_or_err(PyLong_FromVoidPtr((*op.as_ptr().cast::<CDataObject>()).b_ptr.cast()))
    }
}

fn resize(_: (), op: Borrowed<'_>, size: isize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let Some(info) = info_of_instance(op.ob()) else { bail!(PyExc_TypeError, "expected ctypes instance") };
        let data = op.as_ptr().cast::<CDataObject>();
        if size < info.size {
            bail!(PyExc_ValueError, "minimum size is {}", info.size);
        }
        if (*data).b_needsfree == 0 {
            bail!(PyExc_ValueError, "Memory cannot be resized because this object doesn't own it");
        }
        if size as usize > size_of::<InlineValue>() || has_external_buffer(data) {
            let memory = if has_external_buffer(data) {
                if size as usize <= size_of::<InlineValue>() {
                    (*data).b_size = size;
                    return Ok(());
                }
                PyMem_Realloc((*data).b_ptr.cast(), size as usize)
            } else {
                let memory = PyMem_Calloc(1, size as usize);
                if !memory.is_null() {
                    core::ptr::copy_nonoverlapping((*data).b_ptr, memory.cast(), (*data).b_size as usize);
                }
                memory
            };
            if memory.is_null() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
            (*data).b_ptr = memory.cast();
        }
        (*data).b_size = size;
    }
    Ok(())
}

fn buffer_info(_: (), op: Borrowed<'_>) -> PyResult {
    let Some(info) = info_of_any(op) else { bail!(PyExc_TypeError, "not a ctypes type or object") };
    let shape = info.shape.iter().map(|&n| int(n as i64)).collect::<PyResult<Vec<_>>>()?;
    let format = match &info.format {
        Some(format) => string(&format.to_string_lossy())?,
        None => none(),
    };
    tuple(vec![format, int(info.shape.len() as i64)?, tuple(shape)?])
}

// ---- objects by address

unsafe extern "C" fn object_at(_: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    let mut address = null_mut::<PyObject>();
    // SAFETY: [ARGS] METH_VARARGS; the program vouches for the address.
    unsafe {
        (|| {
            if PyArg_ParseTuple(args, c"O:PyObj_FromPtr".as_ptr(), &raw mut address) == 0 {
                return Err(Raised::assume());
            }
            let op = PyLong_AsVoidPtr(address).cast::<PyObject>();
            if op.is_null() {
                if !err_occurred() {
                    bail!(PyExc_SystemError, "NULL object passed to PyObj_FromPtr");
                }
                return Err(Raised::assume());
            }
            audit(c"ctypes.PyObj_FromPtr", &[op])?;
            Ok(Owned::from_borrowed(op))
        })()
        .into_c()
    }
}

fn incref(_: (), op: Borrowed<'_>) -> PyResult {
    let _ = op.to_owned().into_raw();
    Ok(op.to_owned())
}
fn decref(_: (), op: Borrowed<'_>) -> PyResult {
    let result = op.to_owned();
    // SAFETY: [OWN] what the function is for.
    unsafe { Py_DECREF(op.ob()) };
    Ok(result)
}

// ---- pointers and pickles

fn pointer_type(_: (), tp: Borrowed<'_>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let cache = state().pointer_cache;
        if let Some(found) = dict_item(cache, tp.ob())? {
            return Ok(found);
        }
        let bases = tuple_of(&[state().pointer.cast()])?;
        let dict = Owned::from_owned_or_err(PyDict_New())?;
        let meta: *mut PyObject = state().pointer_meta.cast();
        let (made, key);
        if PyUnicode_CheckExact(tp.ob()) != 0 {
            let name = Owned::from_owned_or_err(PyUnicode_FromFormat(c"LP_%U".as_ptr(), tp.ob()))?;
            made = call(meta, &[name.as_ptr(), bases.as_ptr(), dict.as_ptr()])?;
            key = Owned::from_owned_or_err(PyLong_FromVoidPtr(made.as_ptr().cast()))?;
        } else if PyType_Check(tp.ob()) != 0 {
            let name = Owned::from_owned_or_err(PyUnicode_FromFormat(c"LP_%s".as_ptr(), (*tp.as_ptr().cast::<PyTypeObject>()).tp_name))?;
            check_status(PyDict_SetItem(dict.as_ptr(), intern!("_type_"), tp.ob()))?;
            made = call(meta, &[name.as_ptr(), bases.as_ptr(), dict.as_ptr()])?;
            key = tp.to_owned();
        } else {
            bail!(PyExc_TypeError, "must be a ctypes type");
        }
        check_status(PyDict_SetItem(cache, key.as_ptr(), made.as_ptr()))?;
        Ok(made)
    }
}

fn pointer_to(_: (), op: Borrowed<'_>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let tp = pointer_type((), Borrowed::from_ptr(op.ob_type().cast()))?;
        call(tp.as_ptr(), &[op.ob()])
    }
}

fn unpickle(_: (), tp: Borrowed<'_>, values: taipan_clinic::Tuple<'_>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let made = Owned::from_owned_or_err(PyObject_CallMethodOneArg(tp.ob(), intern!("__new__"), tp.ob()))?;
        let set = Owned::from_owned_or_err(PyObject_GetAttr(made.as_ptr(), intern!("__setstate__")))?;
        Owned::from_owned_or_err(PyObject_Call(set.as_ptr(), values.ob(), null_mut()))?;
        Ok(made)
    }
}

methods! {
    static METHODS = [
        "get_errno()" => get_errno, "The thread's copy of errno.";
        raw "set_errno", PyMethodDefPointer { PyCFunction: set_errno_entry }, METH_VARARGS, "Set the thread's copy of errno; return the old one.";
        "POINTER($module, type, /)" => pointer_type, "The type of pointers to a ctypes type.";
        "pointer($module, obj, /)" => pointer_to, "A new pointer to a ctypes object.";
        "_unpickle($module, type, state, /)" => unpickle, "Make an object from a pickle.";
        "buffer_info($module, obj, /)" => buffer_info, "Format, number of dimensions and shape of a ctypes type or object.";
        "resize($module, obj, size, /)" => resize, "Change the size of an object's memory.";
        "dlopen($module, name, flag=<unrepresentable>, /)" => dlopen, "Open a shared library.";
        "dlclose($module, handle, /)" => dlclose, "Close a shared library.";
        "dlsym($module, handle, name, /)" => dlsym, "The address of a symbol of a shared library.";
        "alignment($module, obj, /)" => alignment, "Alignment of a ctypes type or object.";
        "sizeof($module, obj, /)" => sizeof, "Size in bytes of a ctypes type or object.";
        "byref($module, obj, offset=<unrepresentable>, /)" => byref, "The address of a ctypes object, as a function's argument.";
        "addressof($module, obj, /)" => addressof, "The address of a ctypes object.";
        "call_function($module, address, arguments, /)" => call_plain, "Call the function at an address; its result is an int.";
        "call_cdeclfunction($module, address, arguments, /)" => call_cdecl, "Call the function at an address; its result is an int.";
        raw "PyObj_FromPtr", PyMethodDefPointer { PyCFunction: object_at }, METH_VARARGS, "The object at an address.";
        "Py_INCREF($module, obj, /)" => incref, "Count one more reference; return the object.";
        "Py_DECREF($module, obj, /)" => decref, "Count one reference less; return the object.";
    ];
}

// ---- functions that ctypes reaches by their addresses

unsafe extern "C" fn string_at(p: *const u8, size: c_int) -> *mut PyObject {
    // SAFETY: [ARGS] the program vouches for the address; called with the lock held.
    unsafe {
        (|| {
            audit(c"ctypes.string_at", &[int(p as i64)?.as_ptr(), int(size as i64)?.as_ptr()])?;
            let size = if size == -1 { CStr::from_ptr(p.cast()).to_bytes().len() as isize } else { size as isize };
            Owned::from_owned_or_err(PyBytes_FromStringAndSize(p.cast(), size))
        })()
        .into_c()
    }
}

unsafe extern "C" fn wstring_at(p: *const libc::wchar_t, size: c_int) -> *mut PyObject {
    // SAFETY: [ARGS] the program vouches for the address; called with the lock held.
    unsafe {
        (|| {
            audit(c"ctypes.wstring_at", &[int(p as i64)?.as_ptr(), int(size as i64)?.as_ptr()])?;
            let size = if size == -1 { libc::wcslen(p) as isize } else { size as isize };
            Owned::from_owned_or_err(PyUnicode_FromWideChar(p.cast(), size))
        })()
        .into_c()
    }
}

unsafe extern "C" fn cast(p: *mut c_void, src: *mut PyObject, tp: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called with the lock held.
    unsafe {
        (|| {
            if !is_a(tp, state().pointer_meta) && !is_a(tp, state().funcptr_meta) && !has_code(tp, b"sPzUZXO") {
                let name = if PyType_Check(tp) != 0 { class_name(tp) } else { class_name_of(tp) };
                bail!(PyExc_TypeError, "cast() argument 2 must be a pointer type, not {}", name);
            }
            let made = call0(tp)?;
            if !is_cdata(made.as_ptr()) {
                bail!(PyExc_TypeError, "cast() argument 2 must be a pointer type");
            }
            let result = made.as_ptr().cast::<CDataObject>();
            if is_cdata(src) {
                share_kept_objects(src.cast(), result)?;
            }
            (*result).b_ptr.cast::<*mut c_void>().write_unaligned(p);
            Ok(made)
        })()
        .into_c()
    }
}

// ---- initialisation

const IMMUTABLE: c_ulong = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE;

struct NewType {
    name: &'static CStr,
    size: isize,
    flags: c_ulong,
    slots: Vec<PyType_Slot>,
    meta: *mut PyTypeObject,
    base: *mut PyTypeObject,
}

unsafe fn make_type(module: Borrowed<'_>, mut new: NewType) -> PyResult<*mut PyTypeObject> {
    let mut spec = PyType_Spec {
        name: new.name.as_ptr(),
        basicsize: new.size as c_int,
        itemsize: 0,
        flags: (IMMUTABLE | new.flags) as c_uint,
        slots: new.slots.as_mut_ptr(),
    };
    // SAFETY: [ARGS] the interpreter copies what it needs of the specification.
    unsafe { Owned::from_owned_or_err(PyType_FromMetaclass(new.meta, module.ob(), &mut spec, new.base.cast())).map(|t| t.into_raw().cast()) }
}

unsafe fn make_types(module: Borrowed<'_>) -> PyResult<()> {
    let gc = Py_TPFLAGS_HAVE_GC;
    let base = Py_TPFLAGS_BASETYPE;
    let closed = Py_TPFLAGS_DISALLOW_INSTANTIATION;
    let none: *mut PyTypeObject = null_mut();
    // SAFETY: [GIL] before anybody has a ctypes object.
    unsafe {
        let s = new_state()?;
        let make = |name, size: usize, flags, slots| make_type(module, NewType { name, size: size as isize, flags, slots, meta: none, base: none });
        (*s).carg = make(c"_ctypes.CArgObject", size_of::<CArgObject>(), gc | closed, carg_slots())?;
        (*s).thunk = make(c"_ctypes.CThunkObject", size_of::<callbacks::CThunkObject>(), gc | closed, callbacks::slots())?;
        (*s).cdata = make(c"_ctypes._CData", size_of::<CDataObject>(), gc | base | closed, crate::cdata::slots())?;
        (*s).cfield = make(c"_ctypes.CField", size_of::<cfield::CFieldObject>(), gc | closed, cfield::slots())?;
        let (remover, size) = instances::remover_slots();
        (*s).dict_remover = make(c"_ctypes.DictRemover", size, gc, remover)?;
        let size = -(size_of::<*mut StgInfo>() as isize);
        let slots = metatypes::ctype_slots();
        (*s).ctype_type = make_type(
            module,
            NewType { name: c"_ctypes.CType_Type", size, flags: gc | base, slots, meta: none, base: &raw mut PyType_Type },
        )?;
        let ctype = (*s).ctype_type;
        let meta = |name, slots| make_type(module, NewType { name, size: 0, flags: base, slots, meta: none, base: ctype });
        (*s).struct_meta = meta(c"_ctypes.PyCStructType", metatypes::struct_slots())?;
        (*s).union_meta = meta(c"_ctypes.UnionType", metatypes::union_slots())?;
        (*s).pointer_meta = meta(c"_ctypes.PyCPointerType", metatypes::pointer_slots())?;
        (*s).array_meta = meta(c"_ctypes.PyCArrayType", metatypes::array_slots())?;
        (*s).simple_meta = meta(c"_ctypes.PyCSimpleType", metatypes::simple_slots())?;
        (*s).funcptr_meta = meta(c"_ctypes.PyCFuncPtrType", metatypes::funcptr_slots())?;
        let cdata = (*s).cdata;
        let data = |name, meta, slots| make_type(module, NewType { name, size: 0, flags: base, slots, meta, base: cdata });
        (*s).structure = data(c"_ctypes.Structure", (*s).struct_meta, instances::aggregate_slots(c"Base class of structures."))?;
        (*s).union = data(c"_ctypes.Union", (*s).union_meta, instances::aggregate_slots(c"Base class of unions."))?;
        (*s).pointer = data(c"_ctypes._Pointer", (*s).pointer_meta, instances::pointer_slots())?;
        (*s).array = data(c"_ctypes.Array", (*s).array_meta, instances::array_slots())?;
        (*s).simple = data(c"_ctypes._SimpleCData", (*s).simple_meta, instances::simple_slots())?;
        (*s).funcptr = make_type(
            module,
            NewType {
                name: c"_ctypes.CFuncPtr",
                size: size_of::<funcptr::CFuncPtrObject>() as isize,
                flags: gc | base,
                slots: funcptr::slots(),
                meta: (*s).funcptr_meta,
                base: cdata,
            },
        )?;
        (*s).argument_error = Owned::from_owned_or_err(PyErr_NewException(c"ctypes.ArgumentError".as_ptr(), null_mut(), null_mut()))?.into_raw();
        (*s).pointer_cache = Owned::from_owned_or_err(PyDict_New())?.into_raw();
        (*s).array_cache = Owned::from_owned_or_err(PyDict_New())?.into_raw();
        (*s).unpickle = Owned::from_owned_or_err(PyObject_GetAttr(module.ob(), intern!("_unpickle")))?.into_raw();
    }
    Ok(())
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] an interpreter's types are made once.
    unsafe {
        if state().unpickle.is_null() {
            make_types(module)?;
        }
        let s = state();
        for (name, tp) in [
            (c"Structure", s.structure),
            (c"Union", s.union),
            (c"_Pointer", s.pointer),
            (c"Array", s.array),
            (c"_SimpleCData", s.simple),
            (c"CFuncPtr", s.funcptr),
        ] {
            add_object(module, name, Ok(Owned::from_borrowed(tp.cast())))?;
        }
        add_object(module, c"_pointer_type_cache", Ok(Owned::from_borrowed(s.pointer_cache)))?;
        add_object(module, c"ArgumentError", Ok(Owned::from_borrowed(s.argument_error)))?;
    }
    for (name, value) in [
        (c"FUNCFLAG_CDECL", FUNCFLAG_CDECL as i64),
        (c"FUNCFLAG_USE_ERRNO", FUNCFLAG_USE_ERRNO as i64),
        (c"FUNCFLAG_USE_LASTERROR", FUNCFLAG_USE_LASTERROR as i64),
        (c"FUNCFLAG_PYTHONAPI", FUNCFLAG_PYTHONAPI as i64),
        (c"RTLD_LOCAL", libc::RTLD_LOCAL as i64),
        (c"RTLD_GLOBAL", libc::RTLD_GLOBAL as i64),
        (c"CTYPES_MAX_ARGCOUNT", MAX_ARGUMENTS as i64),
        (c"SIZEOF_TIME_T", size_of::<libc::time_t>() as i64),
        (c"_memmove_addr", libc::memmove as *const () as i64),
        (c"_memset_addr", libc::memset as *const () as i64),
        (c"_string_at_addr", string_at as *const () as i64),
        (c"_cast_addr", cast as *const () as i64),
        (c"_wstring_at_addr", wstring_at as *const () as i64),
    ] {
        add_int(module, name, value)?;
    }
    add_str(module, c"__version__", "1.1.0")
}

module! {
    /// `_ctypes`.
    pub fn PyInit__ctypes = "_ctypes", "C data types, and calls of C functions in both directions.", methods: METHODS, exec: exec;
}
