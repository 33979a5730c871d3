//! Arguments and results: calling a C function with Python objects.

use crate::cdata::{CDataObject, free_object, from_base, is_cdata, is_simple_subclass};
use crate::metatypes::code_of;
use crate::simple::kept_memory;
use crate::state::{T_OBJECT, optional_attr, state};
use crate::stginfo::*;
use crate::sysv::{self, Fence, Kind, Passing};
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::members;
use taipan_clinic::support::*;

/// How many arguments a call may have.
pub const MAX_ARGUMENTS: isize = 1024;

/// `_ctypes.CArgObject`: a converted argument, what `byref()` and `from_param()` make.
#[repr(C)]
pub struct CArgObject {
    ob_base: PyObject,
    /// How it is passed.
    pub passing: Passing,
    /// Its type code; `V` for structures.
    pub tag: u8,
    /// Its value; a structure's address.
    pub value: Value,
    /// What must live as long.
    pub obj: *mut PyObject,
}

/// Room for any argument.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
pub struct Value(pub [u64; 2]);

/// Whether it is a converted argument.
pub fn is_carg(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { type_of(op) == state().carg }
}

/// A new, zeroed argument.
pub fn new_carg(tag: u8, passing: Passing) -> PyResult<Owned<CArgObject>> {
    let made = new::<CArgObject>(state().carg)?;
    // SAFETY: [TYPE] new.
    unsafe {
        (*made.as_ptr()).tag = tag;
        (*made.as_ptr()).passing = passing;
    }
    Ok(made)
}

/// The address of a ctypes object's memory, `offset` bytes on, as an argument.
///
/// # Safety
/// `op` is a ctypes object.
pub unsafe fn byref_to(op: Borrowed<'_>, offset: isize) -> PyResult {
    // SAFETY: [TYPE]
    unsafe {
        let arg = new_carg(b'P', Passing::POINTER)?;
        (*arg.as_ptr()).value.0[0] = (*op.as_ptr().cast::<CDataObject>()).b_ptr.wrapping_offset(offset) as u64;
        (*arg.as_ptr()).obj = op.to_owned().into_raw();
        Ok(arg.into_object())
    }
}

unsafe extern "C" fn carg_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let r = visit::<PyObject>(type_of(slf).cast(), visitor, arg);
        if r != 0 { r } else { visit::<PyObject>((*slf.cast::<CArgObject>()).obj, visitor, arg) }
    }
}
unsafe extern "C" fn carg_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { Py_XDECREF(core::mem::replace(&mut (*slf.cast::<CArgObject>()).obj, null_mut())) };
    0
}
unsafe extern "C" fn carg_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        carg_clear(slf);
        free_object(slf);
    }
}

unsafe extern "C" fn carg_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    let arg = unsafe { &*slf.cast::<CArgObject>() };
    let (n, tag) = (arg.value.0[0], arg.tag as char);
    let literal = |c: u8| (0x20..0x7f).contains(&c) && c != b'\\' && c != b'\'';
    let float = |x: f64| -> PyResult {
        let x = float(x)?;
        // SAFETY: [ARGS]
        let text = unsafe { Owned::from_owned_or_err(PyUnicode_FromFormat(c"<cparam '%c' (%R)>".as_ptr(), arg.tag as c_int, x.as_ptr())) };
        text
    };
    match arg.tag {
        b'b' | b'B' => string(&format!("<cparam '{tag}' ({})>", n as i8)),
        b'h' | b'H' => string(&format!("<cparam '{tag}' ({})>", n as i16)),
        b'i' | b'I' => string(&format!("<cparam '{tag}' ({})>", n as i32)),
        b'l' | b'L' | b'q' | b'Q' => string(&format!("<cparam '{tag}' ({})>", n as i64)),
        b'd' => float(f64::from_bits(n)),
        b'f' => float(f32::from_bits(n as u32) as f64),
        b'c' if literal(n as u8) => string(&format!("<cparam '{tag}' ('{}')>", n as u8 as char)),
        b'c' => string(&format!("<cparam '{tag}' ('\\x{:02x}')>", n as u8)),
        b'z' | b'Z' | b'P' => string(&format!("<cparam '{tag}' ({n:#x})>")),
        c if literal(c) => string(&format!("<cparam '{tag}' at {slf:p}>")),
        c => string(&format!("<cparam 0x{c:02x} at {slf:p}>")),
    }
    .into_c()
}

members! { static CARG_MEMBERS = [ "_obj", T_OBJECT, offset_of!(CArgObject, obj), Py_READONLY, "the wrapped object"; ]; }

/// The slots of `CArgObject`.
pub fn carg_slots() -> Vec<PyType_Slot> {
    crate::module::slots(&[
        (Py_tp_dealloc, carg_dealloc as *mut c_void),
        (Py_tp_traverse, carg_traverse as *mut c_void),
        (Py_tp_clear, carg_clear as *mut c_void),
        (Py_tp_repr, carg_repr as *mut c_void),
        (Py_tp_members, (&raw mut CARG_MEMBERS).cast()),
    ])
}

/// A C argument: its value, or a structure's bytes, and what must live until the call is over.
struct Argument {
    passing: Passing,
    value: Value,
    /// A structure's bytes, copied when the argument was converted.
    bytes: Option<Box<[u64]>>,
    _keep: Option<Owned>,
}

impl Argument {
    fn scalar(passing: Passing, value: u64, keep: Option<Owned>) -> Self {
        Argument { passing, value: Value([value, 0]), bytes: None, _keep: keep }
    }

    fn address(&self) -> *const u8 {
        match &self.bytes {
            Some(bytes) => bytes.as_ptr().cast(),
            None if self.passing.kind == Kind::Struct => self.value.0[0] as *const u8,
            None => (&raw const self.value).cast(),
        }
    }
}

/// The arguments of a call; few of them need no allocation.
#[derive(Default)]
struct Arguments {
    few: [Option<Argument>; 4],
    used: usize,
    more: Vec<Argument>,
}

impl Arguments {
    fn push(&mut self, argument: Argument) {
        match self.few.get_mut(self.used) {
            Some(place) => *place = Some(argument),
            None => self.more.push(argument),
        }
        self.used += 1;
    }
    fn iter(&self) -> impl Iterator<Item = &Argument> {
        self.few.iter().flatten().chain(&self.more)
    }
}

/// Converts an object to a C argument; `index` counts from 1, for the message.
unsafe fn convert(op: Borrowed<'_>, index: isize) -> PyResult<Argument> {
    // SAFETY: [ARGS]
    unsafe {
        if is_cdata(op.ob())
            && let Some(info) = info_of_instance(op.ob())
        {
            let data = op.as_ptr().cast::<CDataObject>();
            let keep = Some(op.to_owned());
            return Ok(match info.param {
                Param::Struct => {
                    let size = (*data).b_size as usize;
                    let mut bytes = vec![0u64; size.div_ceil(8)].into_boxed_slice();
                    core::ptr::copy_nonoverlapping((*data).b_ptr, bytes.as_mut_ptr().cast(), size);
                    Argument { passing: info.passing, value: Value([0; 2]), bytes: Some(bytes), _keep: keep }
                }
                Param::Pointer => Argument::scalar(Passing::POINTER, (*data).b_ptr.cast::<u64>().read_unaligned(), keep),
                Param::Array => Argument::scalar(Passing::POINTER, (*data).b_ptr as u64, keep),
                Param::Simple => {
                    let mut value = Value([0; 2]);
                    core::ptr::copy_nonoverlapping((*data).b_ptr, value.0.as_mut_ptr().cast(), ((*data).b_size as usize).min(16));
                    Argument { passing: info.passing, value, bytes: None, _keep: keep }
                }
            });
        }
        if is_carg(op.ob()) {
            let arg = &*op.as_ptr().cast::<CArgObject>();
            return Ok(Argument { passing: arg.passing, value: arg.value, bytes: None, _keep: Some(op.to_owned()) });
        }
        if op.is_none() {
            return Ok(Argument::scalar(Passing::POINTER, 0, None));
        }
        if PyLong_Check(op.ob()) != 0 {
            let mut n = PyLong_AsUnsignedLong(op.ob()) as i64;
            if n == -1 && err_occurred() {
                PyErr_Clear();
                n = PyLong_AsLong(op.ob());
                if n == -1 && err_occurred() {
                    bail!(PyExc_OverflowError, "int too long to convert");
                }
            }
            return Ok(Argument::scalar(Passing::INT, n as u64, None));
        }
        if PyBytes_Check(op.ob()) != 0 {
            return Ok(Argument::scalar(Passing::POINTER, PyBytes_AsString(op.ob()) as u64, Some(op.to_owned())));
        }
        if PyUnicode_Check(op.ob()) != 0 {
            let text = PyUnicode_AsWideCharString(op.ob(), null_mut());
            if text.is_null() {
                return Err(Raised::assume());
            }
            return Ok(Argument::scalar(Passing::POINTER, text as u64, Some(kept_memory(text.cast())?)));
        }
        if let Some(parameter) = optional_attr(op.ob(), intern!("_as_parameter_"))? {
            let _guard = RecursionGuard::enter(c" while processing _as_parameter_")?;
            let mut argument = convert(parameter.borrow(), index)?;
            if argument._keep.is_none() {
                argument._keep = Some(parameter);
            }
            return Ok(argument);
        }
        bail!(PyExc_TypeError, "Don't know how to convert parameter {}", index)
    }
}

/// How a result or a callback's argument of class `tp` is passed; NULL and what is no ctypes class are an int.
pub fn passing_of(tp: *mut PyObject) -> Passing {
    if tp.is_null() {
        return Passing::INT;
    }
    info_of(tp).map_or(Passing::INT, |info| info.passing)
}

/// The thread's copy of `errno`, for functions that want it kept apart.
pub fn thread_errno() -> PyResult<(Owned, *mut c_int)> {
    const NAME: &core::ffi::CStr = c"_ctypes pymem";
    unsafe extern "C" fn free(capsule: *mut PyObject) {
        // SAFETY: [ARGS] made below.
        unsafe { PyMem_Free(PyCapsule_GetPointer(capsule, NAME.as_ptr())) }
    }
    // SAFETY: [GIL]
    unsafe {
        let dict = PyThreadState_GetDict();
        if dict.is_null() {
            bail!(PyExc_RuntimeError, "cannot get thread state");
        }
        let name = intern!("ctypes.error_object");
        if let Some(capsule) = crate::state::dict_item(dict, name)? {
            if PyCapsule_IsValid(capsule.as_ptr(), NAME.as_ptr()) == 0 {
                bail!(PyExc_RuntimeError, "ctypes.error_object is an invalid capsule");
            }
            let space = PyCapsule_GetPointer(capsule.as_ptr(), NAME.as_ptr()).cast();
            return Ok((capsule, space));
        }
        let space = PyMem_Calloc(2, size_of::<c_int>());
        if space.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        let capsule = PyCapsule_New(space, NAME.as_ptr(), Some(free));
        if capsule.is_null() {
            PyMem_Free(space);
        }
        let capsule = Owned::from_owned_or_err(capsule)?;
        check_status(PyDict_SetItem(dict, name, capsule.as_ptr()))?;
        Ok((capsule, space.cast()))
    }
}

/// Exchanges `errno` with the thread's copy.
///
/// # Safety
/// `space` comes from [`thread_errno`] and its capsule lives.
pub unsafe fn swap_errno(space: *mut c_int) {
    // SAFETY: [ARGS]
    unsafe { core::ptr::swap(space, libc::__errno_location()) }
}

/// Around a call: the lock is released, `errno` exchanged.
struct Around {
    release: bool,
    space: *mut c_int,
    saved: *mut PyThreadState,
}

impl Fence for Around {
    fn before(&mut self) {
        // SAFETY: [GIL] taken again below.
        unsafe {
            if self.release {
                self.saved = PyEval_SaveThread().cast();
            }
            if !self.space.is_null() {
                swap_errno(self.space);
            }
        }
    }
    fn after(&mut self) {
        // SAFETY: [GIL]
        unsafe {
            if !self.space.is_null() {
                swap_errno(self.space);
            }
            if self.release {
                PyEval_RestoreThread(self.saved.cast());
            }
        }
    }
}

/// Calls the C function at `function` with the items of a tuple, each through its converter where there is one, and converts
/// the result. `restype` and `checker` may be NULL.
///
/// # Safety
/// The program vouches for the function's address and types.
pub unsafe fn call_function(
    function: *const c_void,
    args: *mut PyObject,
    flags: c_int,
    converters: Option<Borrowed<'_>>,
    restype: *mut PyObject,
    checker: *mut PyObject,
) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let count = PyTuple_Size(args);
        if count > MAX_ARGUMENTS {
            return Err(raise_str(state().argument_error, &format!("too many arguments ({count}), maximum is {MAX_ARGUMENTS}")));
        }
        let known = converters.map_or(0, |c| PyTuple_Size(c.ob()));
        let mut arguments = Arguments::default();
        for i in 0..count {
            let given = Borrowed::from_ptr(PyTuple_GetItem(args, i));
            let converted = match converters {
                Some(converters) if i < known => {
                    call(PyTuple_GetItem(converters.ob(), i), &[given.ob()]).and_then(|value| {
                        let mut argument = convert(value.borrow(), i + 1)?;
                        if argument._keep.is_none() {
                            argument._keep = Some(value);
                        }
                        Ok(argument)
                    })
                }
                _ => convert(given, i + 1),
            };
            match converted {
                Ok(argument) => arguments.push(argument),
                Err(raised) => return Err(extend_error(raised, state().argument_error, &format!("argument {}: ", i + 1))),
            }
        }
        let result = if restype == Py_None() { Passing::VOID } else { passing_of(restype) };
        let mut small = Value([0; 2]);
        let mut large = Vec::new();
        let mut out: *mut u8 = (&raw mut small).cast();
        if result.size > 16 {
            large.resize(result.size.div_ceil(8), 0u64);
            out = large.as_mut_ptr().cast();
        }
        let errno = if flags & (FUNCFLAG_USE_ERRNO | FUNCFLAG_USE_LASTERROR) != 0 { Some(thread_errno()?) } else { None };
        let space = errno.as_ref().filter(|_| flags & FUNCFLAG_USE_ERRNO != 0).map_or(null_mut(), |e| e.1);
        let python = flags & FUNCFLAG_PYTHONAPI != 0;
        let mut around = Around { release: !python, space, saved: null_mut() };
        sysv::call(function, arguments.iter().map(|a| (a.passing, a.address())), &result, out, &mut around);
        if python && err_occurred() {
            return Err(Raised::assume());
        }
        // A string among the results may be one of the arguments, which live until here.
        let value = convert_result(restype, out, checker);
        drop(arguments);
        value
    }
}

/// The object for a C result.
unsafe fn convert_result(restype: *mut PyObject, out: *mut u8, checker: *mut PyObject) -> PyResult {
    // SAFETY: [ARGS] `out` holds a result of this type.
    unsafe {
        if restype.is_null() {
            return int(out.cast::<c_int>().read() as i64);
        }
        if restype == Py_None() {
            return Ok(none());
        }
        let Some(info) = info_of(restype) else {
            return call(restype, &[int(out.cast::<c_int>().read() as i64)?.as_ptr()]);
        };
        let value = match info.access {
            Some(access) if !is_simple_subclass(restype) => {
                let value = (access.get)(out, info.size)?;
                if access.code == b'O' {
                    // The function gave its reference away; reading counted another one.
                    Py_DECREF(value.as_ptr());
                }
                value
            }
            _ => from_base(restype, null_mut(), 0, out)?,
        };
        if checker.is_null() {
            return Ok(value);
        }
        call(checker, &[value.as_ptr()])
    }
}

/// Raises `exc` with `prefix`, the name of the exception that is set, and its text.
pub fn extend_error(raised: Raised, exc: *mut PyObject, prefix: &str) -> Raised {
    let _ = raised;
    // SAFETY: [EXC] one is set.
    unsafe {
        let Some(old) = Owned::from_owned_or_opt(PyErr_GetRaisedException()) else { return raise_str(exc, prefix) };
        let mut parts = vec![string(prefix)];
        let name = Owned::from_owned_or_err(PyType_GetName(type_of(old.as_ptr())));
        match name {
            Ok(name) => parts.extend([Ok(name), string(": ")]),
            Err(raised) => raised.clear(),
        }
        match Owned::from_owned_or_err(PyObject_Str(old.as_ptr())) {
            Ok(text) => parts.push(Ok(text)),
            Err(raised) => {
                raised.clear();
                parts.push(string("???"));
            }
        }
        let made = parts.into_iter().collect::<PyResult<Vec<_>>>().and_then(|parts| {
            let raw: Vec<_> = parts.iter().map(Owned::as_ptr).collect();
            let empty = string("")?;
            Owned::from_owned_or_err(_PyUnicode_JoinArray(empty.as_ptr(), raw.as_ptr(), raw.len() as isize))
        });
        if let Ok(text) = made {
            PyErr_SetObject(exc, text.as_ptr());
        }
        Raised::assume()
    }
}

/// Whether class `tp` is a simple type with one of these codes.
pub fn has_code(tp: *mut PyObject, codes: &[u8]) -> bool {
    info_of(tp).and_then(|info| code_of(info)).is_some_and(|code| codes.contains(&code))
}
