//! Py_BuildValue, and what modules add to themselves (`PyModule_Add*`).

use core::ffi::{c_char, c_long};
use taipan_abi::va_list::VaListTag;
use taipan_abi::*;

variadic! {
    /// An object from a format and C values.
    Py_BuildValue(1, "rsi") => build_value;
    /// The same, by the name that headers give it under PY_SSIZE_T_CLEAN.
    _Py_BuildValue_SizeT(1, "rsi") => build_value;
}

/// Objects that were built, few of them as a rule.
pub(crate) struct Items {
    few: [*mut PyObject; Items::FEW],
    len: usize,
    /// All of them, once they are more.
    many: Vec<*mut PyObject>,
}

impl Items {
    const FEW: usize = 6;

    #[inline(always)]
    pub(crate) fn new() -> Self {
        Items { few: [core::ptr::null_mut(); Self::FEW], len: 0, many: Vec::new() }
    }
    /// Takes an owned reference in.
    #[inline(always)]
    pub(crate) fn push(&mut self, op: *mut PyObject) {
        match self.few.get_mut(self.len) {
            Some(slot) => {
                *slot = op;
                self.len += 1;
            }
            None => self.push_more(op),
        }
    }
    #[cold]
    fn push_more(&mut self, op: *mut PyObject) {
        if self.many.is_empty() {
            self.many.extend_from_slice(&self.few);
        }
        self.many.push(op);
    }
    #[inline(always)]
    pub(crate) fn as_slice(&self) -> &[*mut PyObject] {
        if self.many.is_empty() { &self.few[..self.len] } else { &self.many }
    }
    /// Forgets the references: who calls has given them away.
    #[inline(always)]
    fn forget(&mut self) {
        self.len = 0;
        self.many.clear();
    }
}

impl Drop for Items {
    #[inline(always)]
    fn drop(&mut self) {
        for &op in self.as_slice() {
            // SAFETY: [OWN]
            unsafe { Py_DECREF(op) };
        }
    }
}

/// Reads a format of `Py_BuildValue`.
struct Builder<'v> {
    /// Where the reading is in a text that NUL ends.
    at: *const u8,
    va: &'v mut VaListTag,
}

type Converter = unsafe extern "C" fn(*mut core::ffi::c_void) -> *mut PyObject;

impl Builder<'_> {
    #[inline(always)]
    unsafe fn peek(&mut self) -> u8 {
        // SAFETY: [ARGS] the text ends with NUL, which is not passed.
        unsafe {
            while matches!(*self.at, b' ' | b'\t' | b',' | b':') {
                self.at = self.at.add(1);
            }
            *self.at
        }
    }
    /// Steps over the next character if it is this one.
    #[inline(always)]
    unsafe fn eat(&mut self, c: u8) -> bool {
        // SAFETY: [ARGS] as for `peek`; `c` is not NUL.
        unsafe {
            // Adding the comparison's result to the pointer would save the branch, but is compiled wrongly where this is
            // inlined (rustc 1.95 at -O3 loses the step).
            if *self.at != c {
                return false;
            }
            self.at = self.at.add(1);
            true
        }
    }
    /// Items up to `end` (0 for the format's end), which is consumed. After an error, the remaining arguments are still
    /// read so that stolen references (unit N) are released.
    unsafe fn items(&mut self, end: u8, all: &mut Items) -> PyResult<()> {
        // SAFETY: [ARGS] the format describes the arguments; [EXC] an exception is kept aside while the rest is read.
        unsafe {
            let mut failed = core::ptr::null_mut();
            loop {
                let c = self.peek();
                if c == end {
                    if c != 0 {
                        self.at = self.at.add(1);
                    }
                    break;
                }
                if c == 0 {
                    Py_XDECREF(failed);
                    bail!(PyExc_SystemError, "unmatched paren in format");
                }
                match self.item() {
                    Ok(op) => all.push(op.into_raw()),
                    Err(_) if failed.is_null() => failed = PyErr_GetRaisedException(),
                    Err(e) => e.clear(),
                }
            }
            if failed.is_null() {
                return Ok(());
            }
            PyErr_SetRaisedException(failed);
            Err(Raised::assume())
        }
    }
    #[inline(never)]
    unsafe fn tuple(&mut self) -> PyResult<Owned> {
        // SAFETY: [ARGS]
        unsafe {
            let mut items = Items::new();
            self.items(b')', &mut items)?;
            tuple(&mut items)
        }
    }
    unsafe fn item(&mut self) -> PyResult<Owned> {
        // SAFETY: [ARGS] the format describes the arguments.
        unsafe {
            // Not the end, as who calls has seen.
            let c = self.peek();
            self.at = self.at.add(1);
            let op = match c {
                b'(' => self.tuple()?.into_raw(),
                b'[' => {
                    let mut items = Items::new();
                    self.items(b']', &mut items)?;
                    let list = Owned::from_owned_or_err(PyList_New(items.as_slice().len() as Py_ssize_t))?;
                    for (i, &item) in items.as_slice().iter().enumerate() {
                        PyList_SET_ITEM(list.as_ptr(), i as Py_ssize_t, item);
                    }
                    items.forget();
                    list.into_raw()
                }
                b'{' => {
                    let mut items = Items::new();
                    self.items(b'}', &mut items)?;
                    let (pairs, rest) = items.as_slice().as_chunks::<2>();
                    if !rest.is_empty() {
                        bail!(PyExc_SystemError, "Bad dict format");
                    }
                    let dict = Owned::from_owned_or_err(PyDict_New())?;
                    for &[key, value] in pairs {
                        check_status(PyDict_SetItem(dict.as_ptr(), key, value))?;
                    }
                    dict.into_raw()
                }
                b'b' | b'B' | b'h' | b'i' => PyLong_FromLong(self.va.next_int() as c_long),
                b'H' => PyLong_FromLong((self.va.next_int() as u32) as c_long),
                b'I' => PyLong_FromUnsignedLong(self.va.next_int() as u32 as u64),
                b'p' => PyBool_FromLong(self.va.next_int() as c_long),
                b'n' | b'l' | b'L' => PyLong_FromLongLong(self.va.next_long()),
                b'k' | b'K' => PyLong_FromUnsignedLongLong(self.va.next_u64()),
                b'd' | b'f' => PyFloat_FromDouble(self.va.next_f64()),
                b'D' => {
                    let z = &*self.va.next_ptr::<Py_complex>();
                    PyComplex_FromDoubles(z.real, z.imag)
                }
                b'c' => {
                    let byte = self.va.next_int() as c_char;
                    PyBytes_FromStringAndSize(&byte, 1)
                }
                b'C' => PyUnicode_FromOrdinal(self.va.next_int()),
                b's' | b'z' | b'U' | b'y' => {
                    let text = self.va.next_ptr::<c_char>();
                    let n = if self.eat(b'#') { Some(self.va.next_long()) } else { None };
                    if text.is_null() {
                        Py_None()
                    } else {
                        let n = n.unwrap_or_else(|| libc::strlen(text) as i64);
                        if c == b'y' {
                            PyBytes_FromStringAndSize(text, n as Py_ssize_t)
                        } else {
                            PyUnicode_FromStringAndSize(text, n as Py_ssize_t)
                        }
                    }
                }
                b'u' => {
                    let text = self.va.next_ptr::<libc::wchar_t>();
                    let n = if self.eat(b'#') { self.va.next_long() } else { -1 };
                    if text.is_null() { Py_None() } else { PyUnicode_FromWideChar(text, n as Py_ssize_t) }
                }
                b'N' | b'S' | b'O' => {
                    if self.eat(b'&') {
                        let f: *mut core::ffi::c_void = self.va.next_ptr();
                        let arg = self.va.next_ptr();
                        let f: Converter = core::mem::transmute::<*mut core::ffi::c_void, Converter>(f);
                        f(arg)
                    } else {
                        let op = self.va.next_ptr::<PyObject>();
                        if op.is_null() {
                            if !err_occurred() {
                                bail!(PyExc_SystemError, "NULL object passed to Py_BuildValue");
                            }
                        } else if c != b'N' {
                            Py_INCREF(op);
                        }
                        op
                    }
                }
                _ => bail!(PyExc_SystemError, "bad format char passed to Py_BuildValue"),
            };
            Owned::from_owned_or_err(op)
        }
    }
}

unsafe fn tuple(items: &mut Items) -> PyResult<Owned> {
    // SAFETY: [OWN] the items are given away, even if there is no memory.
    unsafe {
        let made = _PyTuple_FromArraySteal(items.as_slice().as_ptr(), items.as_slice().len() as Py_ssize_t);
        items.forget();
        Owned::from_owned_or_err(made)
    }
}

/// The arguments that a call's format describes.
pub(crate) unsafe fn build_arguments(format: *const c_char, va: *mut VaListTag, items: &mut Items) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if format.is_null() {
            return Ok(());
        }
        Builder { at: format.cast(), va: &mut *va }.items(0, items)
    }
}

/// `Py_BuildValue` from a `va_list`: nothing gives `None`, one item itself, several a tuple.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_VaBuildValue(format: *const c_char, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS] the caller's list is left as it was, as in C.
    unsafe {
        let mut va = VaListTag::copy_of(va);
        build_value(format, &mut va)
    }
}

/// As [`Py_VaBuildValue`], of a list that nobody needs afterwards.
unsafe extern "C" fn build_value(format: *const c_char, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut items = Items::new();
        if (Builder { at: format.cast(), va: &mut *va }).items(0, &mut items).is_err() {
            return core::ptr::null_mut();
        }
        match items.as_slice() {
            [] => Py_None(),
            &[only] => {
                items.forget();
                only
            }
            _ => tuple(&mut items).into_c(),
        }
    }
}

/// See [`Py_VaBuildValue`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_VaBuildValue_SizeT(format: *const c_char, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Py_VaBuildValue(format, va) }
}

/// Adds `value` (borrowed; NULL with an exception set is passed on) to a module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_AddObjectRef(module: *mut PyObject, name: *const c_char, value: *mut PyObject) -> core::ffi::c_int {
    // SAFETY: [ARGS]
    unsafe {
        let add = || -> PyResult<()> {
            if PyModule_Check(module) == 0 {
                bail!(PyExc_TypeError, "PyModule_AddObjectRef() first argument must be a module");
            }
            if value.is_null() {
                if !err_occurred() {
                    bail!(PyExc_SystemError, "PyModule_AddObjectRef() must be called with an exception raised if value is NULL");
                }
                return Err(Raised::assume());
            }
            let dict = PyModule_GetDict(module);
            if dict.is_null() {
                bail!(PyExc_SystemError, "module has no __dict__");
            }
            check_status(PyDict_SetItemString(dict, name, value))
        };
        add().into_c()
    }
}

/// Adds `value` to a module, taking over its reference only if that succeeds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_AddObject(module: *mut PyObject, name: *const c_char, value: *mut PyObject) -> core::ffi::c_int {
    // SAFETY: [ARGS]
    unsafe {
        let r = PyModule_AddObjectRef(module, name, value);
        if r == 0 {
            Py_DECREF(value);
        }
        r
    }
}

/// Adds `value` to a module, taking over its reference in any case.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_Add(module: *mut PyObject, name: *const c_char, value: *mut PyObject) -> core::ffi::c_int {
    // SAFETY: [ARGS]
    unsafe {
        let r = PyModule_AddObjectRef(module, name, value);
        Py_XDECREF(value);
        r
    }
}

/// Adds an int.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_AddIntConstant(module: *mut PyObject, name: *const c_char, value: c_long) -> core::ffi::c_int {
    // SAFETY: [ARGS]
    unsafe { PyModule_Add(module, name, PyLong_FromLong(value)) }
}

/// Adds a str.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_AddStringConstant(module: *mut PyObject, name: *const c_char, value: *const c_char) -> core::ffi::c_int {
    // SAFETY: [ARGS]
    unsafe { PyModule_Add(module, name, PyUnicode_FromString(value)) }
}

/// Readies a type and adds it under the last part of its name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyModule_AddType(module: *mut PyObject, tp: *mut PyTypeObject) -> core::ffi::c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyType_Ready(tp) < 0 {
            return -1;
        }
        let name = (*tp).tp_name;
        let dot = libc::strrchr(name, b'.' as i32);
        PyModule_AddObjectRef(module, if dot.is_null() { name } else { dot.add(1) }, tp.cast())
    }
}

/// Converter of a size that `None` leaves as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_convert_optional_to_ssize_t(op: *mut PyObject, result: *mut Py_ssize_t) -> core::ffi::c_int {
    // SAFETY: [ARGS]
    unsafe {
        if op == Py_None() {
            return 1;
        }
        if PyIndex_Check(op) == 0 {
            let _ = raise!(PyExc_TypeError, "argument should be integer or None, not '{}'", type_name(op));
            return 0;
        }
        let n = PyNumber_AsSsize_t(op, PyExc_OverflowError);
        if n == -1 && err_occurred() {
            return 0;
        }
        *result = n;
        1
    }
}
