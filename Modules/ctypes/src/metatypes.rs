//! The metaclasses: how a ctypes class comes to know its C type, and the class methods `from_param`, `from_address` and so on.

use crate::callproc::{CArgObject, byref_to, is_carg, new_carg};
use crate::cdata::{CDataObject, at_address, is_cdata, keep_reference, new_cdata};
use crate::module::{dl_error, library_handle};
use crate::simple::{Simple, bounded_length, known, simple};
use crate::state::{class_name, class_name_of, dict_item, is_a, optional_attr, state};
use crate::stginfo::*;
use crate::sysv::{Kind, Passing, Scalar};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::BufferView;
use taipan_clinic::support::*;
use taipan_clinic::{getset, methods};

// ---- CType_Type

unsafe extern "C" fn ctype_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] called as tp_traverse of a class.
    unsafe {
        if let Some(info) = raw_info(slf) {
            for p in info.references() {
                let r = visit::<PyObject>(*p, visitor, arg);
                if r != 0 {
                    return r;
                }
            }
        }
        let r = visit::<PyObject>(type_of(slf).cast(), visitor, arg);
        match PyType_Type.tp_traverse {
            Some(traverse) if r == 0 => traverse(slf, visitor, arg),
            _ => r,
        }
    }
}

unsafe extern "C" fn ctype_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        if let Some(info) = raw_info(slf) {
            clear_info(info);
        }
        PyType_Type.tp_clear.map_or(0, |clear| clear(slf))
    }
}

unsafe extern "C" fn ctype_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] the class counts its metaclass.
    unsafe {
        free_info(slf);
        let tp = type_of(slf);
        if let Some(dealloc) = PyType_Type.tp_dealloc {
            dealloc(slf);
        }
        Py_DECREF(tp.cast());
    }
}

fn ctype_sizeof(slf: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [TYPE] a class is a variable-sized object.
    unsafe {
        let tp = slf.ob_type();
        let mut size = (*tp).tp_basicsize + (*tp).tp_itemsize * (*slf.as_ptr().cast::<PyVarObject>()).ob_size;
        if let Some(info) = info_of(slf.ob()) {
            size += size_of::<StgInfo>() as isize + info.format.as_ref().map_or(0, |f| f.as_bytes_with_nul().len() as isize);
            size += (info.shape.len() * size_of::<isize>() + info.members.len() * size_of::<Scalar>()) as isize;
        }
        Ok(size)
    }
}

unsafe extern "C" fn ctype_repeat(slf: *mut PyObject, length: isize) -> *mut PyObject {
    if length < 0 {
        let _ = raise!(PyExc_ValueError, "Array length must be >= 0, not {}", length);
        return null_mut();
    }
    // SAFETY: [TYPE]
    unsafe { crate::instances::array_type(slf, length) }.into_c()
}

methods! {
    static CTYPE_METHODS = [ "__sizeof__($self, /)" => ctype_sizeof, "Memory of the class, in bytes."; ];
}

/// The slots of `CType_Type`.
pub fn ctype_slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_traverse, ctype_traverse as *mut c_void),
        (Py_tp_clear, ctype_clear as *mut c_void),
        (Py_tp_dealloc, ctype_dealloc as *mut c_void),
        (Py_tp_methods, (&raw mut CTYPE_METHODS).cast()),
        (Py_sq_repeat, ctype_repeat as *mut c_void),
    ])
}

// ---- class methods of every ctypes class

fn from_address(slf: Borrowed<'_>, value: Borrowed<'_>) -> PyResult<Owned<CDataObject>> {
    // SAFETY: [ARGS] the program vouches for the address.
    unsafe {
        if PyLong_Check(value.ob()) == 0 {
            bail!(PyExc_TypeError, "integer expected");
        }
        let address = PyLong_AsVoidPtr(value.ob());
        if err_occurred() {
            return Err(Raised::assume());
        }
        at_address(slf.ob(), address.cast())
    }
}

/// Checks that a buffer of `length` bytes has room for the type behind `offset`.
fn check_buffer(info: &StgInfo, length: isize, offset: isize) -> PyResult<()> {
    if offset < 0 {
        bail!(PyExc_ValueError, "offset cannot be negative");
    }
    if info.size > length - offset {
        bail!(PyExc_ValueError, "Buffer size too small ({} instead of at least {} bytes)", length, info.size.wrapping_add(offset));
    }
    Ok(())
}

unsafe fn audit_buffer(view: &Py_buffer, offset: isize) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { audit(c"ctypes.cdata/buffer", &[int(view.buf as i64)?.as_ptr(), int(view.len as i64)?.as_ptr(), int(offset as i64)?.as_ptr()]) }
}

fn from_buffer(slf: Borrowed<'_>, obj: Borrowed<'_>, offset: isize) -> PyResult<Owned<CDataObject>> {
    // SAFETY: [ARGS] the memoryview keeps the buffer, and the new object the memoryview.
    unsafe {
        info_or_abstract(slf.ob())?;
        let view = Owned::from_owned_or_err(PyMemoryView_FromObject(obj.ob()))?;
        let buffer = &raw const (*view.as_ptr().cast::<PyMemoryViewObject>()).view;
        if (*buffer).readonly != 0 {
            bail!(PyExc_TypeError, "underlying buffer is not writable");
        }
        if PyBuffer_IsContiguous(buffer, b'C' as _) == 0 {
            bail!(PyExc_TypeError, "underlying buffer is not C contiguous");
        }
        check_buffer(info_or_abstract(slf.ob())?, (*buffer).len, offset)?;
        audit_buffer(&*buffer, offset)?;
        let made = at_address(slf.ob(), (*buffer).buf.cast::<u8>().offset(offset))?;
        keep_reference(made.as_ptr(), -1, view)?;
        Ok(made)
    }
}

fn from_buffer_copy(slf: Borrowed<'_>, buffer: BufferView, offset: isize) -> PyResult<Owned<CDataObject>> {
    let info = info_or_abstract(slf.ob())?;
    check_buffer(info, buffer.raw().len, offset)?;
    let size = info.size as usize;
    // SAFETY: [ARGS] checked above.
    unsafe {
        audit_buffer(buffer.raw(), offset)?;
        let made = new_cdata(slf.ob())?;
        core::ptr::copy_nonoverlapping(buffer.raw().buf.cast::<u8>().offset(offset), (*made.as_ptr()).b_ptr, size);
        Ok(made)
    }
}

fn in_dll(slf: Borrowed<'_>, dll: Borrowed<'_>, name: &str) -> PyResult<Owned<CDataObject>> {
    let Ok(c_name) = CString::new(name) else { bail!(PyExc_ValueError, "embedded null character") };
    // SAFETY: [ARGS] the program vouches for the type.
    unsafe {
        audit(c"ctypes.dlsym", &[dll.ob(), string(name)?.as_ptr()])?;
        let handle = library_handle(dll.ob())?;
        libc::dlerror();
        let address = libc::dlsym(handle, c_name.as_ptr());
        if address.is_null() {
            return Err(dl_error(PyExc_ValueError, &format!("symbol '{name}' not found")));
        }
        at_address(slf.ob(), address.cast())
    }
}

/// Continues a conversion with the `_as_parameter_` of `value`, if it has one.
unsafe fn as_parameter(value: *mut PyObject, convert: impl FnOnce(Borrowed<'_>) -> PyResult) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(parameter) = optional_attr(value, intern!("_as_parameter_"))? else { return Ok(None) };
        let _guard = RecursionGuard::enter(c" while processing _as_parameter_")?;
        convert(parameter.borrow()).map(Some)
    }
}

/// Whether `value` is an instance of class `tp`.
unsafe fn instance_of(value: *mut PyObject, tp: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let r = PyObject_IsInstance(value, tp);
        check_status(r)?;
        Ok(r != 0)
    }
}

fn from_param(slf: Borrowed<'_>, value: Borrowed<'_>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        if instance_of(value.ob(), slf.ob())? {
            return Ok(value.to_owned());
        }
        if is_carg(value.ob()) {
            let wrapped = (*value.as_ptr().cast::<CArgObject>()).obj;
            if let Some(info) = info_of(slf.ob())
                && !wrapped.is_null()
                && !info.proto.is_null()
                && instance_of(wrapped, info.proto)?
            {
                return Ok(value.to_owned());
            }
            let name = if wrapped.is_null() { "???".into() } else { class_name_of(wrapped) };
            bail!(PyExc_TypeError, "expected {} instance instead of pointer to {}", class_name(slf.ob()), name);
        }
        if let Some(done) = as_parameter(value.ob(), |v| from_param(slf, v))? {
            return Ok(done);
        }
        bail!(PyExc_TypeError, "expected {} instance instead of {}", class_name(slf.ob()), class_name_of(value.ob()))
    }
}

macro_rules! class_methods {
    ($name:ident, $from_param:ident; $($more:tt)*) => {
        methods! {
            static $name = [
                "from_param($self, value, /)" => $from_param, "Convert an object into a function call parameter.";
                "from_address($self, value, /)" => from_address, "The C object at an address.";
                "from_buffer($self, obj, offset=0, /)" => from_buffer, "A C object in a writable buffer.";
                "from_buffer_copy($self, buffer, offset=0, /)" => from_buffer_copy, "A C object with the bytes of a buffer.";
                "in_dll($self, dll, name, /)" => in_dll, "A C object that a library exports.";
                $($more)*
            ];
        }
    };
}
class_methods! { DATA_METHODS, from_param; }
class_methods! { POINTER_METHODS, pointer_from_param; "set_type($self, type, /)" => pointer_set_type, "Set the type pointed to."; }
class_methods! { SIMPLE_METHODS, simple_from_param; }

// ---- structures and unions

unsafe fn aggregate_init(slf: *mut PyObject, is_struct: bool) -> PyResult<()> {
    // SAFETY: [TYPE] a class.
    unsafe {
        let dict = Owned::from_owned_or_err(PyType_GetDict(slf.cast()))?;
        if dict_item(dict.as_ptr(), intern!("_abstract_"))?.is_some() {
            return Ok(());
        }
        let info = init_info(slf)?;
        if !is_struct {
            info.flags |= TYPEFLAG_HASUNION;
        }
        info.format = Some(CString::from(c"B"));
        info.param = Param::Struct;
        info.set_aggregate(Vec::new());
        if let Some(fields) = dict_item(dict.as_ptr(), intern!("_fields_"))? {
            return check_status(PyObject_SetAttr(slf, intern!("_fields_"), fields.as_ptr()));
        }
        if let Some(base) = info_of((*slf.cast::<PyTypeObject>()).tp_base.cast()) {
            info.copy_from(base);
            info.flags &= !DICTFLAG_FINAL;
            base.flags |= DICTFLAG_FINAL;
        }
    }
    Ok(())
}

unsafe extern "C" fn struct_init(slf: *mut PyObject, _args: *mut PyObject, _kwargs: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { aggregate_init(slf, true) }.into_c()
}
unsafe extern "C" fn union_init(slf: *mut PyObject, _args: *mut PyObject, _kwargs: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { aggregate_init(slf, false) }.into_c()
}

unsafe fn aggregate_setattro(slf: *mut PyObject, name: *mut PyObject, value: *mut PyObject, is_struct: bool) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        if let Some(set) = PyType_Type.tp_setattro
            && set(slf, name, value) < 0
        {
            return -1;
        }
        if value.is_null() || PyUnicode_Check(name) == 0 || _PyUnicode_EqualToASCIIString(name, c"_fields_".as_ptr()) == 0 {
            return 0;
        }
        crate::layout::set_fields(slf, value, is_struct).into_c()
    }
}
unsafe extern "C" fn struct_setattro(slf: *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { aggregate_setattro(slf, name, value, true) }
}
unsafe extern "C" fn union_setattro(slf: *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { aggregate_setattro(slf, name, value, false) }
}

/// The slots of the metaclass of structures.
pub fn struct_slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_setattro, struct_setattro as *mut c_void),
        (Py_tp_doc, c"Metaclass of structures.".as_ptr() as *mut c_void),
        (Py_tp_methods, (&raw mut DATA_METHODS).cast()),
        (Py_tp_init, struct_init as *mut c_void),
    ])
}
/// The slots of the metaclass of unions.
pub fn union_slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_setattro, union_setattro as *mut c_void),
        (Py_tp_doc, c"Metaclass of unions.".as_ptr() as *mut c_void),
        (Py_tp_methods, (&raw mut DATA_METHODS).cast()),
        (Py_tp_init, union_init as *mut c_void),
    ])
}

// ---- pointers

const POINTER_MEMBER: Scalar = Scalar { offset: 0, size: 8, kind: Kind::Pointer };

/// Makes `info` that of an address.
pub fn set_pointer(info: &mut StgInfo) {
    info.size = size_of::<*mut c_void>() as isize;
    info.align = align_of::<*mut c_void>() as isize;
    info.length = 1;
    info.passing = Passing::POINTER;
    info.members = vec![POINTER_MEMBER];
    info.param = Param::Pointer;
}

fn set_proto(info: &mut StgInfo, proto: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if proto.is_null() || PyType_Check(proto) == 0 {
            bail!(PyExc_TypeError, "_type_ must be a type");
        }
        if info_of(proto).is_none() {
            bail!(PyExc_TypeError, "_type_ must have storage info");
        }
        Py_INCREF(proto);
        setref(&raw mut info.proto, proto);
    }
    Ok(())
}

unsafe extern "C" fn pointer_init(slf: *mut PyObject, args: *mut PyObject, _kwargs: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] called as tp_init of a metaclass.
    unsafe {
        (|| -> PyResult<()> {
            let dict = PyTuple_GetItem(args, 2);
            if dict.is_null() {
                return Err(Raised::assume());
            }
            let info = init_info(slf)?;
            set_pointer(info);
            info.flags |= TYPEFLAG_ISPOINTER;
            if let Some(proto) = dict_item(dict, intern!("_type_"))? {
                set_proto(info, proto.as_ptr())?;
                if let Some(item) = info_of(proto.as_ptr()) {
                    info.format = shaped_format("&", &item.shape, format_text(&item.format));
                }
            }
            Ok(())
        })()
        .into_c()
    }
}

fn pointer_set_type(slf: Borrowed<'_>, proto: Borrowed<'_>) -> PyResult<()> {
    set_proto(info_or_abstract(slf.ob())?, proto.ob())?;
    // SAFETY: [ARGS]
    unsafe { check_status(PyObject_SetAttr(slf.ob(), intern!("_type_"), proto.ob())) }
}

fn pointer_from_param(slf: Borrowed<'_>, value: Borrowed<'_>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        if value.is_none() {
            return Ok(value.to_owned());
        }
        let proto = info_or_abstract(slf.ob())?.proto;
        // An instance of the type pointed to is passed by its address.
        if !proto.is_null() && instance_of(value.ob(), proto)? {
            if !is_cdata(value.ob()) {
                bail!(PyExc_TypeError, "expected CData instance");
            }
            return byref_to(value, 0);
        }
        if is_a(value.ob(), state().pointer) || is_a(value.ob(), state().array) {
            let item = info_of_instance(value.ob()).map_or(null_mut(), |info| info.proto);
            if !item.is_null() && !proto.is_null() {
                let r = PyObject_IsSubclass(item, proto);
                check_status(r)?;
                if r != 0 {
                    return Ok(value.to_owned());
                }
            }
        }
    }
    from_param(slf, value)
}

/// The slots of the metaclass of pointers.
pub fn pointer_slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_doc, c"Metaclass of pointers.".as_ptr() as *mut c_void),
        (Py_tp_methods, (&raw mut POINTER_METHODS).cast()),
        (Py_tp_init, pointer_init as *mut c_void),
    ])
}

// ---- arrays

type Data<'a> = Borrowed<'a, CDataObject>;

fn char_array_raw(slf: Data<'_>) -> PyResult {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(PyBytes_FromStringAndSize(slf.b_ptr.cast(), slf.b_size)) }
}
fn char_array_set_raw(slf: Data<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let Some(value) = value else { bail!(PyExc_AttributeError, "cannot delete attribute") };
    // SAFETY: [ARGS]
    let view = unsafe { BufferView::get(value.ob())? };
    let data = view.as_bytes();
    if data.len() as isize > slf.b_size {
        bail!(PyExc_ValueError, "byte string too long");
    }
    // SAFETY: [TYPE] it fits; the buffer may be the array's own.
    unsafe { core::ptr::copy(data.as_ptr(), slf.b_ptr, data.len()) };
    Ok(())
}
fn char_array_value(slf: Data<'_>) -> PyResult {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(PyBytes_FromStringAndSize(slf.b_ptr.cast(), bounded_length(slf.b_ptr, slf.b_size))) }
}
fn char_array_set_value(slf: Data<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let Some(value) = value else { bail!(PyExc_TypeError, "can't delete attribute") };
    // SAFETY: [ARGS] a bytes object ends with a NUL.
    unsafe {
        if PyBytes_Check(value.ob()) == 0 {
            bail!(PyExc_TypeError, "bytes expected instead of {} instance", class_name_of(value.ob()));
        }
        let size = PyBytes_Size(value.ob());
        if size > slf.b_size {
            bail!(PyExc_ValueError, "byte string too long");
        }
        core::ptr::copy_nonoverlapping(PyBytes_AsString(value.ob()).cast(), slf.b_ptr, (size + 1).min(slf.b_size) as usize);
    }
    Ok(())
}
fn wchar_array_value(slf: Data<'_>) -> PyResult {
    // SAFETY: [TYPE]
    unsafe { (known(b'U').get)(slf.b_ptr, slf.b_size) }
}
fn wchar_array_set_value(slf: Data<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let Some(value) = value else { bail!(PyExc_TypeError, "can't delete attribute") };
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(value.ob()) == 0 {
            bail!(PyExc_TypeError, "unicode string expected instead of {} instance", class_name_of(value.ob()));
        }
        let size = slf.b_size / 4;
        let length = PyUnicode_AsWideChar(value.ob(), null_mut(), 0);
        if length < 0 {
            return Err(Raised::assume());
        }
        if length - 1 > size {
            bail!(PyExc_ValueError, "string too long");
        }
        if PyUnicode_AsWideChar(value.ob(), slf.b_ptr.cast(), size) < 0 {
            return Err(Raised::assume());
        }
    }
    Ok(())
}
getset! {
    static CHAR_ARRAY_GETSET = [
        "raw" => char_array_raw, char_array_set_raw, "all bytes";
        "value" => char_array_value, char_array_set_value, "the string before the first NUL";
    ];
}
getset! {
    static WCHAR_ARRAY_GETSET = [ "value" => wchar_array_value, wchar_array_set_value, "the string before the first NUL"; ];
}

unsafe fn add_getset(tp: *mut PyObject, mut def: *mut PyGetSetDef) -> PyResult<()> {
    // SAFETY: [ARGS] a NULL-terminated static table.
    unsafe {
        while !(*def).name.is_null() {
            let descr = Owned::from_owned_or_err(PyDescr_NewGetSet(tp.cast(), def))?;
            let dict = Owned::from_owned_or_err(PyType_GetDict(tp.cast()))?;
            check_status(PyDict_SetItemString(dict.as_ptr(), (*def).name, descr.as_ptr()))?;
            def = def.add(1);
        }
        PyType_Modified(tp.cast());
    }
    Ok(())
}

unsafe fn array_length_of(slf: *mut PyObject) -> PyResult<isize> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(length) = optional_attr(slf, intern!("_length_"))? else {
            bail!(PyExc_AttributeError, "class must define a '_length_' attribute");
        };
        if PyLong_Check(length.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "The '_length_' attribute must be an integer");
        }
        let n = PyLong_AsSsize_t(length.as_ptr());
        if n == -1 && err_occurred() {
            if PyErr_ExceptionMatches(PyExc_OverflowError) == 0 {
                return Err(Raised::assume());
            }
            PyErr_Clear();
            let negative = PyObject_RichCompareBool(length.as_ptr(), int(0)?.as_ptr(), Py_LT);
            check_status(negative)?;
            if negative == 0 {
                bail!(PyExc_OverflowError, "The '_length_' attribute is too large");
            }
        }
        if n < 0 {
            bail!(PyExc_ValueError, "The '_length_' attribute must not be negative");
        }
        Ok(n)
    }
}

unsafe extern "C" fn array_init(slf: *mut PyObject, _args: *mut PyObject, _kwargs: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] called as tp_init of a metaclass.
    unsafe {
        (|| -> PyResult<()> {
            let length = array_length_of(slf)?;
            let Some(proto) = optional_attr(slf, intern!("_type_"))? else {
                bail!(PyExc_AttributeError, "class must define a '_type_' attribute");
            };
            let info = init_info(slf)?;
            let Some(item) = info_of(proto.as_ptr()) else { bail!(PyExc_TypeError, "_type_ must have storage info") };
            let Some(size) = item.size.checked_mul(length) else { bail!(PyExc_OverflowError, "array too large") };
            info.format = item.format.clone().or_else(|| Some(CString::from(c"B")));
            info.shape = core::iter::once(length).chain(item.shape.iter().copied()).collect();
            info.flags |= if item.flags & (TYPEFLAG_ISPOINTER | TYPEFLAG_HASPOINTER) != 0 { TYPEFLAG_HASPOINTER } else { 0 };
            (info.size, info.align, info.length) = (size, item.align, length);
            info.param = Param::Array;
            info.passing = Passing::POINTER;
            if size <= 16 {
                let step = item.size as usize;
                info.members = (0..if step == 0 { 0 } else { length as usize })
                    .flat_map(|i| item.members.iter().map(move |s| Scalar { offset: s.offset + i * step, ..*s }))
                    .collect();
            }
            let code = item.code();
            info.proto = proto.into_raw();
            match code {
                b'c' => add_getset(slf, (&raw mut CHAR_ARRAY_GETSET).cast()),
                b'u' => add_getset(slf, (&raw mut WCHAR_ARRAY_GETSET).cast()),
                _ => Ok(()),
            }
        })()
        .into_c()
    }
}

/// The slots of the metaclass of arrays.
pub fn array_slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_doc, c"Metaclass of arrays.".as_ptr() as *mut c_void),
        (Py_tp_methods, (&raw mut DATA_METHODS).cast()),
        (Py_tp_init, array_init as *mut c_void),
    ])
}

// ---- simple types

const CODES: &str = "cbBhHiIlLdfuzZqQPXOv?g";

/// An argument of the value that a simple type's setter makes of `value`.
unsafe fn simple_argument(simple: &Simple, value: *mut PyObject) -> PyResult {
    // SAFETY: [ARGS] the argument has room for any simple value.
    unsafe {
        let arg = new_carg(simple.code, simple.passing)?;
        let keep = (simple.set)((&raw mut (*arg.as_ptr()).value).cast(), value, 0)?;
        (*arg.as_ptr()).obj = keep.into_raw();
        Ok(arg.into_object())
    }
}

/// Whether `value` points to characters of type code `code`: an array, a pointer or a `byref()`.
unsafe fn points_to(value: *mut PyObject, code: u8) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        if is_a(value, state().array) || is_a(value, state().pointer) {
            let item = info_of_instance(value).map_or(null_mut(), |info| info.proto);
            return !item.is_null() && info_of(item).is_some_and(|info| info.code() == code);
        }
        if is_carg(value) {
            let obj = (*value.cast::<CArgObject>()).obj;
            return !obj.is_null() && info_of_instance(obj).is_some_and(|info| info.code() == code);
        }
        false
    }
}

fn string_from_param(slf: Borrowed<'_>, value: Borrowed<'_>, wide: bool) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        if value.is_none() {
            return Ok(none());
        }
        let fits = if wide { PyUnicode_Check(value.ob()) } else { PyBytes_Check(value.ob()) };
        if fits != 0 {
            return simple_argument(known(if wide { b'Z' } else { b'z' }), value.ob());
        }
        if instance_of(value.ob(), slf.ob())? || points_to(value.ob(), if wide { b'u' } else { b'c' }) {
            return Ok(value.to_owned());
        }
        if let Some(done) = as_parameter(value.ob(), |v| string_from_param(slf, v, wide))? {
            return Ok(done);
        }
        let name = if wide { "c_wchar_p" } else { "c_char_p" };
        bail!(PyExc_TypeError, "'{}' object cannot be interpreted as ctypes.{}", type_name(value.ob()), name)
    }
}
fn char_p_from_param(slf: Borrowed<'_>, value: Borrowed<'_>) -> PyResult {
    string_from_param(slf, value, false)
}
fn wchar_p_from_param(slf: Borrowed<'_>, value: Borrowed<'_>) -> PyResult {
    string_from_param(slf, value, true)
}

fn void_p_from_param(slf: Borrowed<'_>, value: Borrowed<'_>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let op = value.ob();
        if value.is_none() {
            return Ok(none());
        }
        for (fits, code) in [(PyLong_Check(op), b'P'), (PyBytes_Check(op), b'z'), (PyUnicode_Check(op), b'Z')] {
            if fits != 0 {
                return simple_argument(known(code), op);
            }
        }
        if instance_of(op, slf.ob())? || is_a(op, state().array) || is_a(op, state().pointer) {
            return Ok(value.to_owned());
        }
        if is_carg(op) && (*op.cast::<CArgObject>()).tag == b'P' {
            return Ok(value.to_owned());
        }
        // A function, or what a c_char_p or c_wchar_p points to.
        let tag = if is_a(op, state().funcptr) {
            b'P'
        } else if is_cdata(op) && matches!(info_of_instance(op).map_or(0, |info| info.code()), b'z' | b'Z') {
            b'Z'
        } else {
            0
        };
        if tag != 0 {
            let arg = new_carg(tag, Passing::POINTER)?;
            (*arg.as_ptr()).value.0[0] = (*op.cast::<CDataObject>()).b_ptr.cast::<u64>().read_unaligned();
            (*arg.as_ptr()).obj = value.to_owned().into_raw();
            return Ok(arg.into_object());
        }
        if let Some(done) = as_parameter(op, |v| void_p_from_param(slf, v))? {
            return Ok(done);
        }
        bail!(PyExc_TypeError, "'{}' object cannot be interpreted as ctypes.c_void_p", type_name(op))
    }
}

methods! { static CHAR_P_METHODS = [ "from_param($self, value, /)" => char_p_from_param, "Convert an object into a string argument."; ]; }
methods! { static WCHAR_P_METHODS = [ "from_param($self, value, /)" => wchar_p_from_param, "Convert an object into a string argument."; ]; }
methods! { static VOID_P_METHODS = [ "from_param($self, value, /)" => void_p_from_param, "Convert an object into an address."; ]; }

/// The type code of class `tp`'s information, which stores it as a str.
pub fn code_of(info: &StgInfo) -> Option<u8> {
    // SAFETY: [TYPE]
    unsafe {
        if info.proto.is_null() || PyUnicode_Check(info.proto) == 0 || PyUnicode_GetLength(info.proto) != 1 {
            return None;
        }
        u8::try_from(PyUnicode_ReadChar(info.proto, 0)).ok()
    }
}

fn simple_from_param(slf: Borrowed<'_>, value: Borrowed<'_>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        if instance_of(value.ob(), slf.ob())? {
            return Ok(value.to_owned());
        }
        let info = info_or_abstract(slf.ob())?;
        let raised = match simple_argument(known(code_of(info).unwrap_or(0)), value.ob()) {
            Ok(arg) => return Ok(arg),
            Err(raised) => raised,
        };
        let _ = raised;
        let exc = Owned::from_owned_or_err(PyErr_GetRaisedException());
        if let Some(done) = as_parameter(value.ob(), |v| simple_from_param(slf, v))? {
            return Ok(done);
        }
        PyErr_SetRaisedException(exc?.into_raw());
        Err(Raised::assume())
    }
}

/// The buffer format of a simple type, in standard sizes.
fn simple_format(order: char, code: u8) -> Option<CString> {
    let code = match code {
        b'l' => 'q',
        b'L' => 'Q',
        c => c as char,
    };
    CString::new(format!("{order}{code}")).ok()
}

fn set_simple(info: &mut StgInfo, simple: &Simple) {
    info.passing = simple.passing;
    info.size = simple.passing.size as isize;
    info.align = simple.passing.align as isize;
    info.length = 0;
    info.members = vec![Scalar { offset: 0, size: simple.passing.size, kind: simple.passing.kind }];
    info.param = Param::Simple;
}

/// The class like `args` describe it, for the other byte order.
unsafe fn swapped_class(meta: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject, proto: &Owned, simple: &Simple) -> PyResult {
    // SAFETY: [ARGS] args are those of `type()`.
    unsafe {
        let mut items = Vec::new();
        for i in 0..PyTuple_Size(args) {
            items.push(Owned::from_borrowed(PyTuple_GetItem(args, i)));
        }
        let suffix = string("_be")?;
        items[0] = Owned::from_owned_or_err(PyUnicode_Concat(items[0].as_ptr(), suffix.as_ptr()))?;
        let args = tuple(items)?;
        let Some(type_new) = PyType_Type.tp_new else { bail!(PyExc_SystemError, "type has no tp_new") };
        let made = Owned::from_owned_or_err(type_new(meta, args.as_ptr(), kwargs))?;
        let info = init_info(made.as_ptr())?;
        set_simple(info, simple);
        info.access = simple.swapped_access();
        info.proto = proto.clone().into_raw();
        info.format = simple_format('>', simple.code);
        Ok(made)
    }
}

unsafe extern "C" fn simple_init(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] called as tp_init of a metaclass.
    unsafe {
        (|| -> PyResult<()> {
            if let Some(init) = PyType_Type.tp_init {
                check_status(init(slf, args, kwargs))?;
            }
            let Some(proto) = optional_attr(slf, intern!("_type_"))? else {
                bail!(PyExc_AttributeError, "class must define a '_type_' attribute");
            };
            if PyUnicode_Check(proto.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "class must define a '_type_' string attribute");
            }
            let mut length = 0;
            let text = PyUnicode_AsUTF8AndSize(proto.as_ptr(), &mut length);
            if text.is_null() {
                return Err(Raised::assume());
            }
            if length != 1 {
                bail!(PyExc_ValueError, "class must define a '_type_' attribute which must be a string of length 1");
            }
            let code = *text.cast::<u8>();
            // A NUL passes CPython's search of its list of codes, and is refused as unsupported.
            if code != 0 && !CODES.as_bytes().contains(&code) {
                bail!(PyExc_AttributeError, "class must define a '_type_' attribute which must be\na single character string containing one of '{}'.", CODES);
            }
            let Some(simple) = simple(code) else { bail!(PyExc_ValueError, "_type_ '{}' not supported", (code as char).to_string().trim_matches('\0')) };
            let info = init_info(slf)?;
            set_simple(info, simple);
            info.access = Some(simple.access());
            info.format = simple_format('<', code);
            info.proto = proto.clone().into_raw();
            if (*slf.cast::<PyTypeObject>()).tp_base == state().simple {
                let methods: *mut PyMethodDef = match code {
                    b'z' => (&raw mut CHAR_P_METHODS).cast(),
                    b'Z' => (&raw mut WCHAR_P_METHODS).cast(),
                    b'P' => (&raw mut VOID_P_METHODS).cast(),
                    _ => null_mut(),
                };
                if matches!(code, b'z' | b'Z' | b'P' | b's' | b'X' | b'O') {
                    info.flags |= TYPEFLAG_ISPOINTER;
                }
                if !methods.is_null() {
                    let method = Owned::from_owned_or_err(PyDescr_NewClassMethod(slf.cast(), methods))?;
                    let dict = Owned::from_owned_or_err(PyType_GetDict(slf.cast()))?;
                    check_status(PyDict_SetItem(dict.as_ptr(), intern!("from_param"), method.as_ptr()))?;
                    PyType_Modified(slf.cast());
                }
            }
            let meta = type_of(slf);
            if meta == state().simple_meta && simple.swapped.is_some() {
                let swapped = swapped_class(meta, args, kwargs, &proto, simple)?;
                for (tp, name, value) in [
                    (slf, intern!("__ctype_be__"), swapped.as_ptr()),
                    (slf, intern!("__ctype_le__"), slf),
                    (swapped.as_ptr(), intern!("__ctype_le__"), slf),
                    (swapped.as_ptr(), intern!("__ctype_be__"), swapped.as_ptr()),
                ] {
                    check_status(PyObject_SetAttr(tp, name, value))?;
                }
            }
            Ok(())
        })()
        .into_c()
    }
}

/// The slots of the metaclass of simple types.
pub fn simple_slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_doc, c"Metaclass of simple types.".as_ptr() as *mut c_void),
        (Py_tp_methods, (&raw mut SIMPLE_METHODS).cast()),
        (Py_tp_init, simple_init as *mut c_void),
    ])
}

// ---- function pointers

unsafe extern "C" fn funcptr_init(slf: *mut PyObject, _args: *mut PyObject, _kwargs: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] called as tp_init of a metaclass.
    unsafe {
        (|| -> PyResult<()> {
            let dict = Owned::from_owned_or_err(PyType_GetDict(slf.cast()))?;
            let info = init_info(slf)?;
            set_pointer(info);
            info.format = Some(CString::from(c"X{}"));
            let flags = dict_item(dict.as_ptr(), intern!("_flags_"))?;
            let Some(flags) = flags.filter(|f| PyLong_Check(f.as_ptr()) != 0) else {
                bail!(PyExc_TypeError, "class must define _flags_ which must be an integer");
            };
            info.flags = PyLong_AsUnsignedLongMask(flags.as_ptr()) as c_int | TYPEFLAG_ISPOINTER;
            if let Some(argtypes) = dict_item(dict.as_ptr(), intern!("_argtypes_"))? {
                let converters = crate::funcptr::converters(argtypes.as_ptr())?;
                setref(&raw mut info.converters, converters.into_raw());
                setref(&raw mut info.argtypes, argtypes.into_raw());
            }
            if let Some(restype) = dict_item(dict.as_ptr(), intern!("_restype_"))? {
                crate::funcptr::check_restype(restype.as_ptr(), "_restype_")?;
                let checker = optional_attr(restype.as_ptr(), intern!("_check_retval_"))?;
                setref(&raw mut info.restype, restype.into_raw());
                setref(&raw mut info.checker, checker.map_or(null_mut(), Owned::into_raw));
            }
            Ok(())
        })()
        .into_c()
    }
}

/// The slots of the metaclass of function pointers.
pub fn funcptr_slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_doc, c"Metaclass of functions.".as_ptr() as *mut c_void),
        (Py_tp_methods, (&raw mut DATA_METHODS).cast()),
        (Py_tp_init, funcptr_init as *mut c_void),
    ])
}

