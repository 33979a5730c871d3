//! Members of C structs as attributes: `PyMemberDef`.

use crate::object::{own, raised};
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;

const T_OBJECT: c_int = 6;
const T_NONE: c_int = 20;

/// Reads the member that `def` describes of the object at `obj`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMember_GetOne(obj: *const c_char, def: *mut PyMemberDef) -> *mut PyObject {
    // SAFETY: [ARGS] the member has the type that the code says.
    unsafe {
        if (*def).flags & Py_RELATIVE_OFFSET != 0 {
            let _ = raise!(PyExc_SystemError, "PyMember_GetOne used with Py_RELATIVE_OFFSET");
            return null_mut();
        }
        let addr = obj.byte_offset((*def).offset);
        macro_rules! get {
            ($t:ty) => {
                addr.cast::<$t>().read_unaligned()
            };
        }
        match (*def).type_code {
            Py_T_OBJECT_EX => {
                let op = get!(*mut PyObject);
                if op.is_null() {
                    let obj: *mut PyObject = obj.cast_mut().cast();
                    PyErr_Format(
                        PyExc_AttributeError,
                        c"'%T' object has no attribute '%s'".as_ptr(),
                        obj,
                        (*def).name,
                    );
                    return null_mut();
                }
                Py_INCREF(op);
                op
            }
            T_OBJECT => {
                let op = get!(*mut PyObject);
                if op.is_null() {
                    return Py_None();
                }
                Py_INCREF(op);
                op
            }
            Py_T_PYSSIZET => PyLong_FromSsize_t(get!(Py_ssize_t)),
            Py_T_INT => PyLong_FromLong(get!(i32) as _),
            Py_T_UINT => PyLong_FromUnsignedLong(get!(u32) as _),
            Py_T_LONG | Py_T_LONGLONG => PyLong_FromLongLong(get!(i64)),
            Py_T_ULONG | Py_T_ULONGLONG => PyLong_FromUnsignedLongLong(get!(u64)),
            Py_T_BOOL => PyBool_FromLong(get!(i8) as _),
            Py_T_BYTE => PyLong_FromLong(get!(i8) as _),
            Py_T_UBYTE => PyLong_FromLong(get!(u8) as _),
            Py_T_SHORT => PyLong_FromLong(get!(i16) as _),
            Py_T_USHORT => PyLong_FromLong(get!(u16) as _),
            Py_T_FLOAT => PyFloat_FromDouble(get!(f32) as f64),
            Py_T_DOUBLE => PyFloat_FromDouble(get!(f64)),
            Py_T_STRING => {
                let text = get!(*const c_char);
                if text.is_null() { Py_None() } else { PyUnicode_FromString(text) }
            }
            Py_T_STRING_INPLACE => PyUnicode_FromString(addr),
            Py_T_CHAR => PyUnicode_FromStringAndSize(addr, 1),
            T_NONE => Py_None(),
            _ => {
                let _ = raise!(PyExc_SystemError, "bad memberdescr type");
                null_mut()
            }
        }
    }
}

unsafe fn truncated(to: &core::ffi::CStr) -> PyResult<()> {
    // SAFETY: [GIL]
    check_status(unsafe { PyErr_WarnEx(PyExc_RuntimeWarning, to.as_ptr(), 1) })
}

unsafe fn as_long(v: *mut PyObject) -> PyResult<i64> {
    // SAFETY: [ARGS]
    match unsafe { PyLong_AsLong(v) } {
        -1 if err_occurred() => Err(raised()),
        n => Ok(n),
    }
}

/// An unsigned member; negative numbers are taken with a warning. The flag says whether that happened.
unsafe fn as_unsigned(v: *mut PyObject) -> PyResult<(u64, bool)> {
    // SAFETY: [ARGS]
    unsafe {
        let index = own(PyNumber_Index(v))?;
        if (*index.as_ptr().cast::<PyLongObject>()).lv_tag & 3 == 2 {
            return Ok((as_long(index.as_ptr())? as u64, true));
        }
        match PyLong_AsUnsignedLong(index.as_ptr()) {
            u64::MAX if err_occurred() => Err(raised()),
            n => Ok((n, false)),
        }
    }
}

unsafe fn set_one(obj: *mut c_char, def: *mut PyMemberDef, v: *mut PyObject) -> PyResult<()> {
    const NEGATIVE: &core::ffi::CStr = c"Writing negative value into unsigned field";
    // SAFETY: [ARGS] the member has the type that the code says.
    unsafe {
        let (code, flags) = ((*def).type_code, (*def).flags);
        if flags & Py_RELATIVE_OFFSET != 0 {
            bail!(PyExc_SystemError, "PyMember_SetOne used with Py_RELATIVE_OFFSET");
        }
        if flags & Py_READONLY != 0 {
            bail!(PyExc_AttributeError, "readonly attribute");
        }
        let addr = obj.byte_offset((*def).offset);
        if v.is_null() {
            if code == Py_T_OBJECT_EX {
                if (*addr.cast::<*mut PyObject>()).is_null() {
                    PyErr_SetString(PyExc_AttributeError, (*def).name);
                    return Err(raised());
                }
            } else if code != T_OBJECT {
                bail!(PyExc_TypeError, "can't delete numeric/char attribute");
            }
        }
        macro_rules! put {
            ($t:ty, $value:expr) => {
                addr.cast::<$t>().write_unaligned($value)
            };
        }
        macro_rules! small {
            ($t:ty, $warning:literal) => {{
                let n = as_long(v)?;
                put!($t, n as $t);
                if <$t>::try_from(n).is_err() {
                    truncated($warning)?;
                }
            }};
        }
        match code {
            T_OBJECT | Py_T_OBJECT_EX => {
                Py_XINCREF(v);
                setref(addr.cast::<*mut PyObject>(), v);
            }
            Py_T_BOOL => {
                if PyBool_Check(v) == 0 {
                    bail!(PyExc_TypeError, "attribute value type must be bool");
                }
                put!(u8, (v == Py_True()) as u8);
            }
            Py_T_BYTE => small!(i8, c"Truncation of value to char"),
            Py_T_UBYTE => small!(u8, c"Truncation of value to unsigned char"),
            Py_T_SHORT => small!(i16, c"Truncation of value to short"),
            Py_T_USHORT => small!(u16, c"Truncation of value to unsigned short"),
            Py_T_INT => small!(i32, c"Truncation of value to int"),
            Py_T_UINT => {
                let (n, negative) = as_unsigned(v)?;
                put!(u32, n as u32);
                if negative {
                    truncated(NEGATIVE)?;
                } else if n > u32::MAX as u64 {
                    truncated(c"Truncation of value to unsigned int")?;
                }
            }
            Py_T_LONG => put!(i64, as_long(v)?),
            Py_T_ULONG => {
                let (n, negative) = as_unsigned(v)?;
                put!(u64, n);
                if negative {
                    truncated(NEGATIVE)?;
                }
            }
            Py_T_PYSSIZET => match PyLong_AsSsize_t(v) {
                -1 if err_occurred() => return Err(raised()),
                n => put!(Py_ssize_t, n),
            },
            Py_T_LONGLONG => match PyLong_AsLongLong(v) {
                -1 if err_occurred() => return Err(raised()),
                n => put!(i64, n),
            },
            Py_T_ULONGLONG => {
                let (n, negative) = as_unsigned(v)?;
                put!(u64, n);
                if negative {
                    truncated(NEGATIVE)?;
                }
            }
            Py_T_FLOAT | Py_T_DOUBLE => {
                let value = PyFloat_AsDouble(v);
                if value == -1.0 && err_occurred() {
                    return Err(raised());
                }
                if code == Py_T_FLOAT {
                    put!(f32, value as f32);
                } else {
                    put!(f64, value);
                }
            }
            Py_T_CHAR => {
                let mut size = 0;
                let text = PyUnicode_AsUTF8AndSize(v, &mut size);
                if text.is_null() || size != 1 {
                    PyErr_BadArgument();
                    return Err(raised());
                }
                put!(c_char, *text);
            }
            Py_T_STRING | Py_T_STRING_INPLACE => bail!(PyExc_TypeError, "readonly attribute"),
            _ => bail!(PyExc_SystemError, "bad memberdescr type for {}", crate::object::c_text((*def).name)),
        }
        Ok(())
    }
}

/// Writes or deletes (NULL) the member that `def` describes of the object at `obj`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMember_SetOne(obj: *mut c_char, def: *mut PyMemberDef, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { set_one(obj, def, value).into_c() }
}
