//! What a ctypes class knows about its C type. It lies behind the class object, as the metaclass's own data.

use crate::cdata::CDataObject;
use crate::simple::Access;
use crate::state::{is_a, state};
use crate::sysv::{Passing, Scalar, classify};
use core::ffi::c_int;
use core::ptr::null_mut;
use std::ffi::CString;
use taipan_abi::*;

/// The function follows the C calling convention.
pub const FUNCFLAG_CDECL: c_int = 0x1;
/// It is called with the interpreter's lock held, and may raise.
pub const FUNCFLAG_PYTHONAPI: c_int = 0x4;
/// `errno` is exchanged with the thread's copy around the call.
pub const FUNCFLAG_USE_ERRNO: c_int = 0x8;
/// As above for Windows' error code; it means nothing here.
pub const FUNCFLAG_USE_LASTERROR: c_int = 0x10;
/// The type is an address.
pub const TYPEFLAG_ISPOINTER: c_int = 0x100;
/// It contains one.
pub const TYPEFLAG_HASPOINTER: c_int = 0x200;
/// It is or contains a union.
pub const TYPEFLAG_HASUNION: c_int = 0x400;
/// It contains a bit field.
pub const TYPEFLAG_HASBITFIELD: c_int = 0x800;
/// Its fields can no longer change.
pub const DICTFLAG_FINAL: c_int = 0x1000;

/// How an instance becomes an argument.
#[derive(Clone, Copy, PartialEq)]
pub enum Param {
    /// As a structure.
    Struct,
    /// As the address that it stores.
    Pointer,
    /// As the address of its memory.
    Array,
    /// As the value that it stores.
    Simple,
}

/// A ctypes class's C type. Owns its references.
pub struct StgInfo {
    /// Bytes of an instance.
    pub size: isize,
    /// Its alignment.
    pub align: isize,
    /// Fields of a structure, items of an array, 1 for pointers.
    pub length: isize,
    /// How an instance is passed to a function.
    pub passing: Passing,
    /// Its scalar members if it lies in another type; empty if it is larger than registers.
    pub members: Vec<Scalar>,
    /// Item type of arrays and pointers; the type code of simple types.
    pub proto: *mut PyObject,
    /// Getter and setter of simple types.
    pub access: Option<Access>,
    /// How an instance becomes an argument.
    pub param: Param,
    /// `_argtypes_` of function pointers.
    pub argtypes: *mut PyObject,
    /// Their `from_param` methods.
    pub converters: *mut PyObject,
    /// `_restype_`.
    pub restype: *mut PyObject,
    /// Its `_check_retval_`.
    pub checker: *mut PyObject,
    /// FUNCFLAG and TYPEFLAG bits.
    pub flags: c_int,
    /// The buffer format (PEP 3118).
    pub format: Option<CString>,
    /// Shape of arrays, for the buffer protocol.
    pub shape: Vec<isize>,
}

impl StgInfo {
    const EMPTY: Self = StgInfo {
        size: 0,
        align: 0,
        length: 0,
        passing: Passing::VOID,
        members: Vec::new(),
        proto: null_mut(),
        access: None,
        param: Param::Struct,
        argtypes: null_mut(),
        converters: null_mut(),
        restype: null_mut(),
        checker: null_mut(),
        flags: 0,
        format: None,
        shape: Vec::new(),
    };

    /// The type code of a simple type's getter, else 0.
    pub fn code(&self) -> u8 {
        self.access.map_or(0, |a| a.code)
    }

    /// The references that it owns.
    pub fn references(&mut self) -> [&mut *mut PyObject; 5] {
        [&mut self.proto, &mut self.argtypes, &mut self.converters, &mut self.restype, &mut self.checker]
    }

    /// Takes over what a base class says.
    pub fn copy_from(&mut self, base: &StgInfo) {
        // SAFETY: [OWN] the new references are counted before the old ones go.
        unsafe {
            for p in [base.proto, base.argtypes, base.converters, base.restype, base.checker] {
                Py_XINCREF(p);
            }
            let old: Vec<*mut PyObject> = self.references().map(|p| core::mem::replace(p, null_mut())).into();
            *self = StgInfo {
                size: base.size,
                align: base.align,
                length: base.length,
                passing: base.passing,
                members: base.members.clone(),
                proto: base.proto,
                access: base.access,
                param: base.param,
                argtypes: base.argtypes,
                converters: base.converters,
                restype: base.restype,
                checker: base.checker,
                flags: base.flags,
                format: base.format.clone(),
                shape: base.shape.clone(),
            };
            for p in old {
                Py_XDECREF(p);
            }
        }
    }

    /// Sets how structures and unions are passed, from their members.
    pub fn set_aggregate(&mut self, members: Vec<Scalar>) {
        let size = self.size as usize;
        let classes = classify(size, &members);
        self.passing = Passing { kind: crate::sysv::Kind::Struct, size, align: self.align.max(1) as usize, classes };
        self.members = if size <= 16 { members } else { Vec::new() };
    }
}

/// Where a class made by our metaclasses keeps its [`StgInfo`].
fn slot(tp: *mut PyObject) -> *mut *mut StgInfo {
    // SAFETY: [TYPE] the caller checked the metaclass, or is one of its slots.
    unsafe {
        let offset = (PyType_Type.tp_basicsize as usize).next_multiple_of(16);
        tp.cast::<u8>().add(offset).cast()
    }
}

/// The information of class `tp`; `None` if it is no ctypes class or an abstract one. It lives as long as the class; no
/// reference into it is kept over a call that can run Python code.
pub fn info_of<'a>(tp: *mut PyObject) -> Option<&'a mut StgInfo> {
    if !is_a(tp, state().ctype_type) {
        return None;
    }
    // SAFETY: [TYPE] NULL or the class's own.
    unsafe { (*slot(tp)).as_mut() }
}

/// The information of an object's class.
pub fn info_of_instance<'a>(op: *mut PyObject) -> Option<&'a mut StgInfo> {
    // SAFETY: [ARGS] live.
    info_of(unsafe { type_of(op).cast() })
}

/// TypeError "abstract class" if class `tp` has no information.
pub fn info_or_abstract<'a>(tp: *mut PyObject) -> PyResult<&'a mut StgInfo> {
    match info_of(tp) {
        Some(info) => Ok(info),
        None => bail!(PyExc_TypeError, "abstract class"),
    }
}

/// The information of a ctypes object, whose class has it by construction.
pub fn info_of_data<'a>(op: *mut CDataObject) -> PyResult<&'a mut StgInfo> {
    match info_of_instance(op.cast()) {
        Some(info) => Ok(info),
        None => bail!(PyExc_TypeError, "abstract class"),
    }
}

/// Gives a new class its information.
pub fn init_info<'a>(tp: *mut PyObject) -> PyResult<&'a mut StgInfo> {
    if !is_a(tp, state().ctype_type) {
        bail!(PyExc_SystemError, "'{}' is not a ctypes class.", crate::state::class_name(tp));
    }
    // SAFETY: [TYPE]
    unsafe {
        let slot = slot(tp);
        if !(*slot).is_null() {
            bail!(PyExc_SystemError, "StgInfo of '{}' is already initialized.", crate::state::class_name(tp));
        }
        *slot = Box::into_raw(Box::new(StgInfo::EMPTY));
        Ok(&mut **slot)
    }
}

/// The information in a class's memory, for the slots of the metaclass.
///
/// # Safety
/// `tp` is an instance of our metaclass.
pub unsafe fn raw_info<'a>(tp: *mut PyObject) -> Option<&'a mut StgInfo> {
    // SAFETY: [TYPE] by contract.
    unsafe { (*slot(tp)).as_mut() }
}

/// Frees the information of a dying class.
///
/// # Safety
/// As above; nobody uses it afterwards.
pub unsafe fn free_info(tp: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let info = core::mem::replace(&mut *slot(tp), null_mut());
        if !info.is_null() {
            clear_info(&mut *info);
            drop(Box::from_raw(info));
        }
    }
}

/// Releases what the information refers to.
pub fn clear_info(info: &mut StgInfo) {
    for p in info.references().map(|p| core::mem::replace(p, null_mut())) {
        // SAFETY: [OWN]
        unsafe { Py_XDECREF(p) };
    }
}

/// The PEP 3118 format `(shape)suffix` after a prefix.
pub fn shaped_format(prefix: &str, shape: &[isize], suffix: &str) -> Option<CString> {
    let mut text = String::from(prefix);
    if !shape.is_empty() {
        text.push('(');
        for (i, n) in shape.iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            text.push_str(&n.to_string());
        }
        text.push(')');
    }
    text.push_str(suffix);
    CString::new(text).ok()
}

/// A format as text; "B" where there is none.
pub fn format_text(format: &Option<CString>) -> &str {
    format.as_ref().and_then(|f| f.to_str().ok()).unwrap_or("B")
}
