//! Argument parsing from format strings: PyArg_ParseTuple and its kin.
//!
//! One recursive reader serves all entry points. What a conversion has acquired (buffers, encoded copies) is released
//! again when a later argument fails, and a message names the argument that failed as CPython does.

use core::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use core::ptr::null_mut;
use taipan_abi::va_list::{Integers, VaListTag};
use taipan_abi::*;
use taipan_objects::longobject::{compact_value, is_compact};
use taipan_objects::unicodeobject::layout::is_compact_ascii;

variadic! {
    /// Parses a tuple of positional arguments.
    PyArg_ParseTuple(2, "rdx") => PyArg_VaParse;
    /// The same, by the name that headers give it under PY_SSIZE_T_CLEAN.
    _PyArg_ParseTuple_SizeT(2, "rdx") => PyArg_VaParse;
    /// Parses one object (old style) with a format.
    PyArg_Parse(2, "rdx") => arg_parse;
    /// The same, by the name that headers give it under PY_SSIZE_T_CLEAN.
    _PyArg_Parse_SizeT(2, "rdx") => arg_parse;
    /// Parses a tuple and a dict of keywords.
    PyArg_ParseTupleAndKeywords(4, "r8") => PyArg_VaParseTupleAndKeywords;
    /// The same, by the name that headers give it under PY_SSIZE_T_CLEAN.
    _PyArg_ParseTupleAndKeywords_SizeT(4, "r8") => PyArg_VaParseTupleAndKeywords;
    /// Parses a vector of positional arguments.
    _PyArg_ParseStack(3, "rcx") => parse_stack;
    /// Stores the objects of a tuple.
    PyArg_UnpackTuple(4, "r8") => unpack_tuple;
}

/// Why a conversion failed: a message to be completed with the argument's place, or an exception set already.
enum Failure {
    /// "must be X, not Y" or a full message.
    Message(String),
    Raised,
}
type Converted = Result<(), Failure>;

impl From<Raised> for Failure {
    fn from(_: Raised) -> Self {
        Failure::Raised
    }
}

/// What must be undone if a later argument fails.
enum Acquired {
    Buffer(*mut Py_buffer),
    Memory(*mut *mut c_char),
    Converter(unsafe extern "C" fn(*mut PyObject, *mut c_void) -> c_int, *mut c_void),
}

/// Cursor over a format, the C arguments, and what has been acquired.
pub(crate) struct Reader<'v> {
    format: &'v [u8],
    at: usize,
    va: &'v mut VaListTag,
    acquired: Vec<Acquired>,
    levels: Vec<usize>,
}

fn must_be(expected: &str, arg: *mut PyObject) -> Failure {
    // SAFETY: [ARGS] arg is live.
    let got = unsafe { if arg == Py_None() { "None".into() } else { type_name(arg) } };
    if expected.starts_with('(') {
        // Not the argument's fault: the whole message.
        return Failure::Message(expected.to_string());
    }
    Failure::Message(format!("must be {expected}, not {got}"))
}

impl<'v> Reader<'v> {
    pub(crate) fn new(format: &'v [u8], va: &'v mut VaListTag) -> Self {
        Reader { format, at: 0, va, acquired: Vec::new(), levels: Vec::new() }
    }

    fn peek(&self) -> u8 {
        self.format.get(self.at).copied().unwrap_or(0)
    }

    fn eat(&mut self, c: u8) -> bool {
        let yes = self.peek() == c;
        self.at += yes as usize;
        yes
    }

    /// Releases what has been acquired, after a failure.
    unsafe fn undo(&mut self) {
        // SAFETY: [OWN] recorded when acquired.
        unsafe {
            for a in self.acquired.drain(..).rev() {
                match a {
                    Acquired::Buffer(view) => PyBuffer_Release(view),
                    Acquired::Memory(p) => {
                        PyMem_Free((*p).cast());
                        *p = null_mut();
                    }
                    Acquired::Converter(f, addr) => {
                        f(null_mut(), addr);
                    }
                }
            }
        }
    }

    /// Converts `arg` by the next item of the format.
    unsafe fn convert(&mut self, arg: *mut PyObject) -> Converted {
        if self.peek() == b'(' {
            // SAFETY: [ARGS]
            return unsafe { self.convert_tuple(arg) };
        }
        // SAFETY: [ARGS]
        unsafe { self.convert_simple(arg) }
    }

    unsafe fn convert_tuple(&mut self, arg: *mut PyObject) -> Converted {
        // SAFETY: [ARGS]
        unsafe {
            self.at += 1;
            let start = self.at;
            let n = count_items(&self.format[start..], b')');
            if PySequence_Check(arg) == 0 || PyBytes_Check(arg) != 0 {
                self.skip_group();
                let got = if arg == Py_None() { "None".into() } else { type_name(arg) };
                return Err(Failure::Message(format!("must be {n}-item sequence, not {got}")));
            }
            let len = PySequence_Size(arg);
            if len != n as Py_ssize_t {
                if len < 0 {
                    PyErr_Clear();
                }
                return Err(Failure::Message(format!("must be sequence of length {n}, not {len}")));
            }
            for i in 0..n {
                let item = PySequence_GetItem(arg, i as Py_ssize_t);
                if item.is_null() {
                    PyErr_Clear();
                    self.levels.push(i + 1);
                    return Err(Failure::Message("is not retrievable".into()));
                }
                let done = self.convert(item);
                // The sequence keeps the item, as callers of this unit rely on.
                Py_DECREF(item);
                if done.is_err() {
                    self.levels.insert(0, i + 1);
                    return done;
                }
            }
            self.eat(b')');
            Ok(())
        }
    }

    fn skip_group(&mut self) {
        let mut depth = 1;
        while depth > 0 && self.at < self.format.len() {
            match self.format[self.at] {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Skips an item whose argument is absent, and its C arguments; the text of what is wrong with the format.
    pub(crate) unsafe fn skip(&mut self) -> Result<(), &'static str> {
        const BAD: &str = "impossible<bad format char>";
        // SAFETY: [ARGS] the format describes the C arguments.
        unsafe {
            let c = self.peek();
            self.at += 1;
            match c {
                b'b' | b'B' | b'h' | b'H' | b'i' | b'I' | b'l' | b'k' | b'L' | b'K' | b'n' | b'f' | b'd' | b'D' | b'c'
                | b'C' | b'p' | b'Y' | b'S' | b'U' => {
                    self.va.next_u64();
                }
                b'e' => {
                    self.va.next_u64();
                    if !matches!(self.peek(), b's' | b't') {
                        return Err(BAD);
                    }
                    self.at += 1;
                    self.va.next_u64();
                    if self.eat(b'#') {
                        self.va.next_u64();
                    }
                }
                b'z' | b'y' | b's' | b'w' => {
                    self.va.next_u64();
                    if c == b'w' && self.peek() != b'*' {
                        return Err(BAD);
                    }
                    if self.eat(b'#') {
                        self.va.next_u64();
                    } else {
                        self.eat(b'*');
                    }
                }
                b'O' => {
                    self.va.next_u64();
                    if self.eat(b'!') || self.eat(b'&') {
                        self.va.next_u64();
                    }
                }
                b'(' => {
                    while self.peek() != b')' {
                        if is_end(self.peek()) {
                            return Err("Unmatched left paren in format string");
                        }
                        self.skip()?;
                    }
                    self.at += 1;
                }
                b')' => return Err("Unmatched right paren in format string"),
                _ => return Err(BAD),
            }
            Ok(())
        }
    }

    unsafe fn integer(arg: *mut PyObject) -> Result<c_long, Failure> {
        // SAFETY: [ARGS]
        unsafe {
            let v = PyLong_AsLong(arg);
            if v == -1 && err_occurred() { Err(Failure::Raised) } else { Ok(v) }
        }
    }

    unsafe fn ranged(arg: *mut PyObject, lo: c_long, hi: c_long, what: &str) -> Result<c_long, Failure> {
        // SAFETY: [ARGS]
        let v = unsafe { Self::integer(arg)? };
        if v < lo {
            return Err(raise!(PyExc_OverflowError, "{} is less than minimum", what).into());
        }
        if v > hi {
            return Err(raise!(PyExc_OverflowError, "{} is greater than maximum", what).into());
        }
        Ok(v)
    }

    unsafe fn convert_simple(&mut self, arg: *mut PyObject) -> Converted {
        // SAFETY: [ARGS] the format describes the C arguments, which are valid places to store to.
        unsafe {
            let c = self.peek();
            self.at += 1;
            match c {
                b'b' => *self.va.next_ptr::<u8>() = Self::ranged(arg, 0, 255, "unsigned byte integer")? as u8,
                b'B' => {
                    let p = self.va.next_ptr::<u8>();
                    let v = PyLong_AsUnsignedLongMask(arg);
                    if v == u64::MAX && err_occurred() {
                        return Err(Failure::Raised);
                    }
                    *p = v as u8;
                }
                b'h' => {
                    *self.va.next_ptr::<i16>() =
                        Self::ranged(arg, i16::MIN as c_long, i16::MAX as c_long, "signed short integer")? as i16
                }
                b'H' => {
                    let p = self.va.next_ptr::<u16>();
                    let v = PyLong_AsUnsignedLongMask(arg);
                    if v == u64::MAX && err_occurred() {
                        return Err(Failure::Raised);
                    }
                    *p = v as u16;
                }
                b'i' => {
                    *self.va.next_ptr::<c_int>() =
                        Self::ranged(arg, i32::MIN as c_long, i32::MAX as c_long, "signed integer")? as c_int
                }
                b'I' => {
                    let p = self.va.next_ptr::<c_uint>();
                    let v = PyLong_AsUnsignedLongMask(arg);
                    if v == u64::MAX && err_occurred() {
                        return Err(Failure::Raised);
                    }
                    *p = v as c_uint;
                }
                b'n' => {
                    let p = self.va.next_ptr::<Py_ssize_t>();
                    let v = PyNumber_AsSsize_t(arg, PyExc_OverflowError);
                    if v == -1 && err_occurred() {
                        return Err(Failure::Raised);
                    }
                    *p = v;
                }
                b'l' => *self.va.next_ptr::<c_long>() = Self::integer(arg)?,
                b'L' => {
                    let p = self.va.next_ptr::<i64>();
                    let v = PyLong_AsLongLong(arg);
                    if v == -1 && err_occurred() {
                        return Err(Failure::Raised);
                    }
                    *p = v;
                }
                b'k' | b'K' => {
                    let p = self.va.next_ptr::<u64>();
                    if PyLong_Check(arg) == 0 {
                        return Err(must_be("int", arg));
                    }
                    *p = PyLong_AsUnsignedLongLongMask(arg);
                }
                b'f' | b'd' => {
                    let p = self.va.next_ptr::<c_void>();
                    let v = PyFloat_AsDouble(arg);
                    if v == -1.0 && err_occurred() {
                        return Err(Failure::Raised);
                    }
                    if c == b'f' {
                        *p.cast::<f32>() = v as f32;
                    } else {
                        *p.cast::<f64>() = v;
                    }
                }
                b'D' => {
                    let p = self.va.next_ptr::<Py_complex>();
                    let v = PyComplex_AsCComplex(arg);
                    if err_occurred() {
                        return Err(Failure::Raised);
                    }
                    *p = v;
                }
                b'c' => {
                    let p = self.va.next_ptr::<c_char>();
                    if PyBytes_Check(arg) != 0 && PyBytes_Size(arg) == 1 {
                        *p = *PyBytes_AsString(arg);
                    } else if PyByteArray_Check(arg) != 0 && PyByteArray_Size(arg) == 1 {
                        *p = *PyByteArray_AsString(arg);
                    } else {
                        return Err(must_be("a byte string of length 1", arg));
                    }
                }
                b'C' => {
                    let p = self.va.next_ptr::<c_int>();
                    if PyUnicode_Check(arg) == 0 || PyUnicode_GetLength(arg) != 1 {
                        return Err(must_be("a unicode character", arg));
                    }
                    *p = PyUnicode_ReadChar(arg, 0) as c_int;
                }
                b'p' => {
                    let p = self.va.next_ptr::<c_int>();
                    let v = PyObject_IsTrue(arg);
                    if v < 0 {
                        return Err(Failure::Raised);
                    }
                    *p = (v > 0) as c_int;
                }
                b's' | b'z' | b'y' => return self.text(c, arg),
                b'e' => return self.encoded(arg),
                b'S' | b'Y' | b'U' => {
                    let p = self.va.next_ptr::<*mut PyObject>();
                    let (ok, name) = match c {
                        b'S' => (PyBytes_Check(arg) != 0, "bytes"),
                        b'Y' => (PyByteArray_Check(arg) != 0, "bytearray"),
                        _ => (PyUnicode_Check(arg) != 0, "str"),
                    };
                    if !ok {
                        return Err(must_be(name, arg));
                    }
                    *p = arg;
                }
                b'O' => {
                    if self.eat(b'!') {
                        let tp = self.va.next_ptr::<PyTypeObject>();
                        let p = self.va.next_ptr::<*mut PyObject>();
                        if !is_instance_of(arg, tp) {
                            return Err(must_be(&tp_name(tp), arg));
                        }
                        *p = arg;
                    } else if self.eat(b'&') {
                        type Converter = unsafe extern "C" fn(*mut PyObject, *mut c_void) -> c_int;
                        let f = core::mem::transmute::<*mut c_void, Converter>(self.va.next_ptr());
                        let addr = self.va.next_ptr::<c_void>();
                        let r = f(arg, addr);
                        if r == 0 {
                            return Err(if err_occurred() {
                                Failure::Raised
                            } else {
                                Failure::Message("(unspecified)".into())
                            });
                        }
                        if r == Py_CLEANUP_SUPPORTED {
                            self.acquired.push(Acquired::Converter(f, addr));
                        }
                    } else {
                        *self.va.next_ptr::<*mut PyObject>() = arg;
                    }
                }
                b'w' => {
                    let view = self.va.next_ptr::<Py_buffer>();
                    if !self.eat(b'*') {
                        return Err(must_be("(invalid use of 'w' format character)", arg));
                    }
                    if PyObject_GetBuffer(arg, view, PyBUF_WRITABLE) < 0 {
                        PyErr_Clear();
                        return Err(must_be("read-write bytes-like object", arg));
                    }
                    self.acquired.push(Acquired::Buffer(view));
                }
                _ => return Err(must_be("(impossible<bad format char>)", arg)),
            }
            Ok(())
        }
    }

    unsafe fn utf8(arg: *mut PyObject) -> Result<(*const c_char, Py_ssize_t), Failure> {
        // SAFETY: [ARGS] arg is a str.
        unsafe {
            let mut n = 0;
            let p = PyUnicode_AsUTF8AndSize(arg, &mut n);
            if p.is_null() {
                return Err(Failure::Message("(encoding failed)".into()));
            }
            Ok((p, n))
        }
    }

    /// The bytes of an exporter that needs no release: the pointer is lent by the argument.
    unsafe fn lent_bytes(arg: *mut PyObject) -> Result<(*const c_char, Py_ssize_t), Failure> {
        // SAFETY: [ARGS]
        unsafe {
            let pb = (*type_of(arg)).tp_as_buffer;
            if !pb.is_null() && (*pb).bf_releasebuffer.is_some() {
                return Err(must_be("read-only bytes-like object", arg));
            }
            let mut view = core::mem::zeroed::<Py_buffer>();
            if PyObject_GetBuffer(arg, &mut view, PyBUF_SIMPLE) != 0 {
                return Err(Failure::Raised);
            }
            let lent = (view.buf.cast_const().cast(), view.len);
            PyBuffer_Release(&mut view);
            Ok(lent)
        }
    }

    /// Units s, z, y with nothing, `*` or `#`.
    unsafe fn text(&mut self, c: u8, arg: *mut PyObject) -> Converted {
        // SAFETY: [ARGS]
        unsafe {
            let none = c == b'z' && arg == Py_None();
            if self.eat(b'*') {
                let view = self.va.next_ptr::<Py_buffer>();
                if none {
                    PyBuffer_FillInfo(view, null_mut(), null_mut(), 0, 1, 0);
                } else if c != b'y' && PyUnicode_Check(arg) != 0 {
                    let (p, n) = Self::utf8(arg)?;
                    PyBuffer_FillInfo(view, arg, p.cast_mut().cast(), n, 1, 0);
                } else if PyObject_GetBuffer(arg, view, PyBUF_SIMPLE) != 0 {
                    return Err(Failure::Raised);
                }
                self.acquired.push(Acquired::Buffer(view));
                return Ok(());
            }
            if self.eat(b'#') {
                let p = self.va.next_ptr::<*const c_char>();
                let size = self.va.next_ptr::<Py_ssize_t>();
                if none {
                    *p = core::ptr::null();
                    *size = 0;
                } else if c != b'y' && PyUnicode_Check(arg) != 0 {
                    (*p, *size) = Self::utf8(arg)?;
                } else {
                    (*p, *size) = Self::lent_bytes(arg)?;
                }
                return Ok(());
            }
            let p = self.va.next_ptr::<*const c_char>();
            if c == b'y' {
                let (start, size) = Self::lent_bytes(arg)?;
                *p = start;
                if libc::strlen(start) != size as usize {
                    return Err(raise!(PyExc_ValueError, "embedded null byte").into());
                }
                return Ok(());
            }
            if none {
                *p = core::ptr::null();
                return Ok(());
            }
            if PyUnicode_Check(arg) == 0 {
                return Err(must_be(if c == b'z' { "str or None" } else { "str" }, arg));
            }
            let (text, n) = Self::utf8(arg)?;
            if libc::strlen(text) != n as usize {
                return Err(raise!(PyExc_ValueError, "embedded null character").into());
            }
            *p = text;
            Ok(())
        }
    }

    /// Units es, et, es#, et#: a copy in a given encoding.
    unsafe fn encoded(&mut self, arg: *mut PyObject) -> Converted {
        // SAFETY: [ARGS]
        unsafe {
            let encoding = self.va.next_ptr::<c_char>();
            let encoding = if encoding.is_null() { c"utf-8".as_ptr() } else { encoding.cast_const() };
            let recode = match self.peek() {
                b's' => true,
                b't' => false,
                _ => return Err(must_be("(unknown parser marker combination)", arg)),
            };
            self.at += 1;
            let buffer = self.va.next_ptr::<*mut c_char>();
            if buffer.is_null() {
                return Err(must_be("(buffer is NULL)", arg));
            }
            let bytes = if !recode && (PyBytes_Check(arg) != 0 || PyByteArray_Check(arg) != 0) {
                let (p, n) = if PyBytes_Check(arg) != 0 {
                    (PyBytes_AsString(arg), PyBytes_Size(arg))
                } else {
                    (PyByteArray_AsString(arg), PyByteArray_Size(arg))
                };
                PyBytes_FromStringAndSize(p, n)
            } else if PyUnicode_Check(arg) != 0 {
                PyUnicode_AsEncodedString(arg, encoding, core::ptr::null())
            } else {
                return Err(must_be(if recode { "str" } else { "str, bytes or bytearray" }, arg));
            };
            let Some(bytes) = Owned::from_owned_or_opt(bytes) else { return Err(Failure::Raised) };
            let (p, n) = (PyBytes_AsString(bytes.as_ptr()), PyBytes_Size(bytes.as_ptr()));
            if self.eat(b'#') {
                let size = self.va.next_ptr::<Py_ssize_t>();
                if size.is_null() {
                    return Err(must_be("(buffer_len is NULL)", arg));
                }
                if (*buffer).is_null() {
                    *buffer = PyMem_Malloc(n as usize + 1).cast();
                    if (*buffer).is_null() {
                        PyErr_NoMemory();
                        return Err(Failure::Raised);
                    }
                    self.acquired.push(Acquired::Memory(buffer));
                } else if n + 1 > *size {
                    return Err(raise!(PyExc_ValueError, "encoded string too long ({}, maximum length {})", n, *size - 1).into());
                }
                core::ptr::copy_nonoverlapping(p, *buffer, n as usize + 1);
                *size = n;
                return Ok(());
            }
            if libc::strlen(p) != n as usize {
                return Err(must_be("encoded string without null bytes", arg));
            }
            *buffer = PyMem_Malloc(n as usize + 1).cast();
            if (*buffer).is_null() {
                PyErr_NoMemory();
                return Err(Failure::Raised);
            }
            core::ptr::copy_nonoverlapping(p, *buffer, n as usize + 1);
            self.acquired.push(Acquired::Memory(buffer));
            Ok(())
        }
    }

    /// Raises for a failed argument `index` (1-based; 0: the only one).
    #[cold]
    unsafe fn fail(&mut self, why: Failure, index: usize) {
        // SAFETY: [GIL]
        unsafe {
            let mut levels = core::mem::take(&mut self.levels);
            self.undo();
            let Failure::Message(text) = why else { return };
            if err_occurred() {
                return;
            }
            let index = if index == 0 && !levels.is_empty() { levels.remove(0) } else { index };
            let (fname, message) = names(self.format);
            let full = if let Some(m) = message {
                m.into_owned()
            } else {
                let mut s = match fname {
                    Some(f) => format!("{f}() "),
                    None => String::new(),
                };
                if index == 0 {
                    s.push_str("argument");
                } else {
                    s.push_str(&format!("argument {index}"));
                    for l in levels {
                        s.push_str(&format!(", item {}", l - 1));
                    }
                }
                format!("{s} {text}")
            };
            let exc = if text.starts_with('(') { PyExc_SystemError } else { PyExc_TypeError };
            let _ = raise_str(exc, &full);
        }
    }
}

fn is_end(c: u8) -> bool {
    matches!(c, 0 | b':' | b';')
}

/// Items of a format up to `end` or its own end; groups in parentheses count as one.
fn count_items(format: &[u8], end: u8) -> usize {
    let (mut n, mut depth) = (0, 0);
    for &c in format {
        match c {
            b'(' => {
                n += (depth == 0) as usize;
                depth += 1;
            }
            b')' if depth == 0 && end == b')' => return n,
            b')' => depth -= 1,
            b':' | b';' | 0 => return n,
            _ if depth == 0 && c.is_ascii_alphabetic() && c != b'e' => n += 1,
            _ => {}
        }
    }
    n
}

/// How many arguments a format requires, and how many it allows.
fn limits(format: &[u8]) -> (usize, usize) {
    let (mut n, mut depth, mut min) = (0, 0, usize::MAX);
    for &c in format {
        match c {
            b'(' => {
                n += (depth == 0) as usize;
                depth += 1;
            }
            b')' => {
                if depth == 0 {
                    fatal("excess ')' in getargs format");
                }
                depth -= 1;
            }
            b':' | b';' => break,
            b'|' if depth == 0 => min = n,
            _ => n += (depth == 0 && c.is_ascii_alphabetic() && c != b'e') as usize,
        }
    }
    if depth != 0 {
        fatal("missing ')' in getargs format");
    }
    (min.min(n), n)
}

/// What errors say: the function's name, or a message that replaces theirs.
type Names<'f> = (Option<std::borrow::Cow<'f, str>>, Option<std::borrow::Cow<'f, str>>);

#[cold]
fn names(format: &[u8]) -> Names<'_> {
    let after = |c| format.iter().position(|&b| b == c).map(|i| String::from_utf8_lossy(&format[i + 1..]));
    match after(b':') {
        Some(f) => (Some(f), None),
        None => (None, after(b';')),
    }
}

/// The function's name as errors show it.
#[cold]
fn function(format: &[u8]) -> String {
    names(format).0.map_or_else(|| "function".to_string(), |f| format!("{f}()"))
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

#[cold]
fn wrong_count(format: &[u8], min: usize, max: usize, n: usize) {
    if let Some(m) = names(format).1 {
        let _ = raise!(PyExc_TypeError, "{}", m);
        return;
    }
    let how = if min == max { "exactly" } else if n < min { "at least" } else { "at most" };
    let want = if n < min { min } else { max };
    let _ = raise!(PyExc_TypeError, "{} takes {} {} argument{} ({} given)", function(format), how, want, plural(want), n);
}

/// The common units, for arguments that need no conversion that could run Python code or acquire anything. The place
/// in the format after the unit; NULL if the unit or the argument is not such a one, and nothing has happened then.
#[inline(always)]
unsafe fn simple_unit(format: *const u8, arg: *mut PyObject, va: &mut Integers) -> *const u8 {
    const NO: *const u8 = core::ptr::null();
    // SAFETY: [ARGS] the format describes the C arguments.
    unsafe {
        let next = format.add(1);
        match *format {
            b'O' => match *next {
                b'!' => {
                    let tp = va.next_ptr::<PyTypeObject>();
                    let p = va.next_ptr::<*mut PyObject>();
                    if !is_instance_of(arg, tp) {
                        return NO;
                    }
                    *p = arg;
                    next.add(1)
                }
                b'&' => NO,
                _ => {
                    *va.next_ptr::<*mut PyObject>() = arg;
                    next
                }
            },
            c @ (b'i' | b'n' | b'l' | b'L' | b'I' | b'k' | b'K') => {
                if PyLong_Check(arg) == 0 || !is_compact(arg.cast()) {
                    return NO;
                }
                let v = compact_value(arg.cast()) as i64;
                let p = va.next_u64() as usize as *mut i64;
                match c {
                    b'i' => match i32::try_from(v) {
                        Ok(v) => p.cast::<i32>().write(v),
                        Err(_) => return NO,
                    },
                    b'I' => p.cast::<u32>().write(v as u32),
                    _ => p.write(v),
                }
                next
            }
            b'd' => {
                if (*arg).ob_type != &raw mut PyFloat_Type {
                    return NO;
                }
                *va.next_ptr::<f64>() = (*arg.cast::<PyFloatObject>()).ob_fval;
                next
            }
            b'p' => {
                let p = va.next_ptr::<c_int>();
                if arg != Py_True() && arg != Py_False() {
                    return NO;
                }
                *p = (arg == Py_True()) as c_int;
                next
            }
            b'U' => {
                let p = va.next_ptr::<*mut PyObject>();
                if PyUnicode_Check(arg) == 0 {
                    return NO;
                }
                *p = arg;
                next
            }
            c @ (b's' | b'y' | b'z') => {
                let after = *next;
                let p = va.next_ptr::<*const c_char>();
                let (text, n) = if c == b'y' {
                    if PyBytes_Check(arg) == 0 {
                        return NO;
                    }
                    (PyBytes_AS_STRING(arg), (*arg.cast::<PyVarObject>()).ob_size)
                } else {
                    // Only ASCII text is its own UTF-8.
                    if PyUnicode_Check(arg) == 0 || !is_compact_ascii(arg) {
                        return NO;
                    }
                    (arg.cast::<PyASCIIObject>().add(1).cast::<c_char>().cast_const(), (*arg.cast::<PyASCIIObject>()).length)
                };
                match after {
                    b'*' => NO,
                    b'#' => {
                        *p = text;
                        *va.next_ptr::<Py_ssize_t>() = n;
                        next.add(1)
                    }
                    _ => {
                        if libc::strlen(text) != n as usize {
                            return NO;
                        }
                        *p = text;
                        next
                    }
                }
            }
            _ => NO,
        }
    }
}

/// Parses what [`simple_unit`] can; `false` leaves the whole work to [`parse_positional`].
#[inline(always)]
unsafe fn parse_simple(args: &[*mut PyObject], format: *const c_char, mut va: Integers) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let mut at = format.cast::<u8>();
        let mut optional = false;
        for &arg in args {
            if *at == b'|' {
                optional = true;
                at = at.add(1);
            }
            at = simple_unit(at, arg, &mut va);
            if at.is_null() {
                return false;
            }
        }
        match *at {
            0 | b':' | b';' | b'|' => true,
            c => optional && c.is_ascii_alphabetic(),
        }
    }
}

/// Parses positional arguments; the list stays as it was.
#[inline(always)]
unsafe fn parse_positional(args: &[*mut PyObject], format: *const c_char, va: *const VaListTag) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if parse_simple(args, format, VaListTag::integers(va)) {
            return 1;
        }
        parse_all_positional(args, format, va)
    }
}

#[inline(never)]
unsafe fn parse_all_positional(args: &[*mut PyObject], format: *const c_char, va: *const VaListTag) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let va = &mut VaListTag::copy_of(va);
        let bytes = CStr::from_ptr(format).to_bytes();
        let (min, max) = limits(bytes);
        let n = args.len();
        if n < min || n > max {
            wrong_count(bytes, min, max, n);
            return 0;
        }
        let mut r = Reader::new(bytes, va);
        for (i, &arg) in args.iter().enumerate() {
            r.eat(b'|');
            if let Err(e) = r.convert(arg) {
                r.fail(e, i + 1);
                return 0;
            }
        }
        let rest = r.peek();
        if rest != 0 && !rest.is_ascii_alphabetic() && !b"(|:;".contains(&rest) {
            r.undo();
            let _ = raise!(PyExc_SystemError, "bad format string: {}", String::from_utf8_lossy(bytes));
            return 0;
        }
        1
    }
}

pub(crate) unsafe fn tuple_items<'a>(args: *mut PyObject) -> &'a [*mut PyObject] {
    // SAFETY: [TYPE] args is a tuple, which outlives the call.
    unsafe {
        let n = PyTuple_GET_SIZE(args) as usize;
        if n == 0 {
            return &[];
        }
        core::slice::from_raw_parts((&raw const (*args.cast::<PyTupleObject>()).ob_item).cast(), n)
    }
}

/// Parses the items of a tuple.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyArg_VaParse(args: *mut PyObject, format: *const c_char, va: *mut VaListTag) -> c_int {
    // SAFETY: [ARGS] the caller's list stays as it was.
    unsafe {
        if PyTuple_Check(args) == 0 {
            let _ = raise!(PyExc_SystemError, "new style getargs format but argument is not a tuple");
            return 0;
        }
        parse_positional(tuple_items(args), format, va)
    }
}

/// See [`PyArg_VaParse`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyArg_VaParse_SizeT(args: *mut PyObject, format: *const c_char, va: *mut VaListTag) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyArg_VaParse(args, format, va) }
}

unsafe extern "C" fn parse_stack(args: *const *mut PyObject, nargs: Py_ssize_t, format: *const c_char, va: *mut VaListTag) -> c_int {
    // SAFETY: [ARGS] nargs objects lie there.
    unsafe {
        let items = if nargs == 0 { &[][..] } else { core::slice::from_raw_parts(args, nargs as usize) };
        parse_positional(items, format, va)
    }
}

/// Old style: the object itself is the argument, unless the format has several items.
unsafe extern "C" fn arg_parse(arg: *mut PyObject, format: *const c_char, va: *mut VaListTag) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let bytes = CStr::from_ptr(format).to_bytes();
        match limits(bytes) {
            (_, 0) => {
                if arg.is_null() {
                    return 1;
                }
                let _ = raise!(PyExc_TypeError, "{} takes no arguments", function(bytes));
                0
            }
            (1, 1) => {
                if arg.is_null() {
                    let _ = raise!(PyExc_TypeError, "{} takes at least one argument", function(bytes));
                    return 0;
                }
                let mut r = Reader::new(bytes, &mut *va);
                if let Err(e) = r.convert(arg) {
                    r.fail(e, 0);
                    return 0;
                }
                1
            }
            _ => {
                let _ = raise!(PyExc_SystemError, "old style getargs format uses new features");
                0
            }
        }
    }
}

unsafe extern "C" fn unpack_tuple(args: *mut PyObject, name: *const c_char, min: Py_ssize_t, max: Py_ssize_t, va: *mut VaListTag) -> c_int {
    // SAFETY: [ARGS] max places follow.
    unsafe {
        if PyTuple_Check(args) == 0 {
            let _ = raise!(PyExc_SystemError, "PyArg_UnpackTuple() argument list is not a tuple");
            return 0;
        }
        let items = tuple_items(args);
        if crate::getargs_clinic::_PyArg_CheckPositional(name, items.len() as Py_ssize_t, min, max) == 0 {
            return 0;
        }
        for &item in items {
            *(*va).next_ptr::<*mut PyObject>() = item;
        }
        1
    }
}

/// How arguments of `*AndKeywords` arrive: positional ones and a look-up by name.
pub(crate) trait Keywords {
    fn len(&self) -> usize;
    /// The value given under `name`, borrowed.
    unsafe fn get(&self, name: &CStr) -> PyResult<Option<*mut PyObject>>;
    /// The names given.
    unsafe fn names(&self) -> Vec<*mut PyObject>;
}

pub(crate) struct KwDict(pub *mut PyObject);
impl Keywords for KwDict {
    fn len(&self) -> usize {
        // SAFETY: [TYPE] NULL or a dict.
        if self.0.is_null() { 0 } else { unsafe { PyDict_Size(self.0) as usize } }
    }
    unsafe fn get(&self, name: &CStr) -> PyResult<Option<*mut PyObject>> {
        if self.0.is_null() {
            return Ok(None);
        }
        // SAFETY: [TYPE] a dict.
        unsafe {
            let key = Owned::from_owned_or_err(PyUnicode_FromString(name.as_ptr()))?;
            let v = PyDict_GetItemWithError(self.0, key.as_ptr());
            if v.is_null() && err_occurred() {
                return Err(Raised::assume());
            }
            Ok((!v.is_null()).then_some(v))
        }
    }
    unsafe fn names(&self) -> Vec<*mut PyObject> {
        let mut all = Vec::new();
        if !self.0.is_null() {
            // SAFETY: [TYPE] a dict.
            unsafe {
                let (mut pos, mut k, mut v) = (0, null_mut(), null_mut());
                while PyDict_Next(self.0, &mut pos, &mut k, &mut v) != 0 {
                    all.push(k);
                }
            }
        }
        all
    }
}

/// Raises for a keyword that no parameter has, or that isn't a str. `fname` is None where it isn't known.
#[cold]
pub(crate) unsafe fn unexpected_keyword(fname: Option<&str>, key: *mut PyObject, known: &[&CStr]) {
    unsafe extern "C" {
        /// The most similar name of a list, or NULL.
        fn _Py_CalculateSuggestions(names: *mut PyObject, name: *mut PyObject) -> *mut PyObject;
    }
    // SAFETY: [GIL]
    unsafe {
        if PyUnicode_Check(key) == 0 {
            let _ = raise!(PyExc_TypeError, "keywords must be strings");
            return;
        }
        let Some(list) = Owned::from_owned_or_opt(PyList_New(0)) else { return };
        for name in known {
            let Some(name) = Owned::from_owned_or_opt(PyUnicode_FromString(name.as_ptr())) else { return };
            if PyList_Append(list.as_ptr(), name.as_ptr()) < 0 {
                return;
            }
        }
        let fname = std::ffi::CString::new(fname.map_or_else(|| "this function".to_string(), |f| format!("{f}()"))).unwrap_or_default();
        match Owned::from_owned_or_opt(_Py_CalculateSuggestions(list.as_ptr(), key)) {
            Some(near) => {
                let format = c"%.200s got an unexpected keyword argument '%S'. Did you mean '%S'?";
                PyErr_Format(PyExc_TypeError, format.as_ptr(), fname.as_ptr(), key, near.as_ptr());
            }
            None => {
                PyErr_Clear();
                PyErr_Format(PyExc_TypeError, c"%.200s got an unexpected keyword argument '%S'".as_ptr(), fname.as_ptr(), key);
            }
        }
    }
}

/// [`parse_simple`] for keyword arguments: positional ones and those in a dict of few items, whose keys are compared one
/// by one, which makes no str of each name. `false` leaves the whole work to [`parse_keywords`].
#[inline(always)]
unsafe fn parse_simple_keywords(
    args: &[*mut PyObject],
    kwargs: *mut PyObject,
    format: *const c_char,
    kwlist: *const *const c_char,
    mut va: Integers,
) -> bool {
    const FEW: usize = 8;
    // SAFETY: [ARGS]
    unsafe {
        let mut given: [(*const c_char, usize, *mut PyObject); FEW] = [(core::ptr::null(), 0, null_mut()); FEW];
        let mut left = 0;
        if !kwargs.is_null() && (*kwargs.cast::<PyDictObject>()).ma_used != 0 {
            let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
            while PyDict_Next(kwargs, &mut pos, &mut key, &mut value) != 0 {
                if left == FEW || PyUnicode_Check(key) == 0 || !is_compact_ascii(key) {
                    return false;
                }
                let length = (*key.cast::<PyASCIIObject>()).length as usize;
                given[left] = (key.cast::<PyASCIIObject>().add(1).cast::<c_char>().cast_const(), length, value);
                left += 1;
            }
        }
        let (n, mut i) = (args.len(), 0);
        let mut at = format.cast::<u8>();
        let (mut optional, mut keyword_only, mut named) = (false, false, false);
        loop {
            let name = *kwlist.add(i);
            if name.is_null() {
                // All names are read: all arguments must be, and the format too.
                return left == 0 && i >= n && matches!(*at, 0 | b':' | b';');
            }
            if *name == 0 && named {
                return false;
            }
            named |= *name != 0;
            if *at == b'|' {
                if optional || keyword_only {
                    return false;
                }
                optional = true;
                at = at.add(1);
            }
            if *at == b'$' {
                if keyword_only || i < n || *name == 0 {
                    return false;
                }
                keyword_only = true;
                at = at.add(1);
            }
            let value = if i < n {
                *args.get_unchecked(i)
            } else {
                if left == 0 {
                    // Nothing more was given. That the names go on as they should is still checked.
                    let mut rest = kwlist.add(i + 1);
                    while !(*rest).is_null() {
                        if **rest == 0 && named {
                            return false;
                        }
                        named |= **rest != 0;
                        rest = rest.add(1);
                    }
                    return optional && at.read().is_ascii_alphabetic();
                }
                let size = libc::strlen(name);
                if !core::slice::from_raw_parts(name.cast::<u8>(), size).is_ascii() {
                    return false;
                }
                let equal = |g: &(*const c_char, usize, *mut PyObject)| {
                    g.1 == size && !g.2.is_null() && core::slice::from_raw_parts(g.0, size) == core::slice::from_raw_parts(name, size)
                };
                match given.iter_mut().find(|g| equal(g)) {
                    Some(found) if size != 0 => {
                        left -= 1;
                        core::mem::replace(&mut found.2, null_mut())
                    }
                    _ => null_mut(),
                }
            };
            if !value.is_null() {
                at = simple_unit(at, value, &mut va);
                if at.is_null() {
                    return false;
                }
            } else {
                if !optional {
                    return false;
                }
                // Units that take one C argument; the others are left to the whole work.
                match *at {
                    b'O' | b's' | b'y' | b'z' if matches!(*at.add(1), b'#' | b'!' | b'&' | b'*') => return false,
                    b'O' | b'i' | b'n' | b'l' | b'L' | b'I' | b'k' | b'K' | b'd' | b'p' | b'U' | b's' | b'y' | b'z' => {
                        va.next_u64();
                        at = at.add(1);
                    }
                    _ => return false,
                }
            }
            i += 1;
        }
    }
}

/// Parses positional and keyword arguments by a format and a list of names.
pub(crate) unsafe fn parse_keywords<K: Keywords>(
    args: &[*mut PyObject],
    kw: &K,
    format: *const c_char,
    kwlist: *const *const c_char,
    va: &mut VaListTag,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let bytes = CStr::from_ptr(format).to_bytes();
        let name = |i: usize| CStr::from_ptr(*kwlist.add(i));
        // Empty names are those of positional-only parameters, which come first.
        let mut len = 0;
        let mut posonly = 0;
        while !(*kwlist.add(len)).is_null() {
            if **kwlist.add(len) == 0 {
                if posonly < len {
                    let _ = raise!(PyExc_SystemError, "Empty keyword parameter name");
                    return 0;
                }
                posonly += 1;
            }
            len += 1;
        }
        let (nargs, given_kw) = (args.len(), kw.len());
        if nargs + given_kw > len {
            let how = if nargs == 0 { "keyword " } else { "" };
            let _ = raise!(PyExc_TypeError, "{} takes at most {} {}argument{} ({} given)", function(bytes), len, how, plural(len), nargs + given_kw);
            return 0;
        }
        let mut r = Reader::new(bytes, va);
        let mut left = given_kw;
        // Numbers of positional parameters, known once `|` and `$` are met.
        let (mut min, mut max) = (usize::MAX, usize::MAX);
        let mut missing = false;
        let result = (|| -> Result<bool, Raised> {
            for i in 0..len {
                if r.eat(b'|') {
                    if min != usize::MAX {
                        bail!(PyExc_SystemError, "Invalid format string (| specified twice)");
                    }
                    min = i;
                    if max != usize::MAX {
                        bail!(PyExc_SystemError, "Invalid format string ($ before |)");
                    }
                }
                if r.eat(b'$') {
                    if max != usize::MAX {
                        bail!(PyExc_SystemError, "Invalid format string ($ specified twice)");
                    }
                    max = i;
                    if max < posonly {
                        bail!(PyExc_SystemError, "Empty parameter name after $");
                    }
                    if missing {
                        break;
                    }
                    if max < nargs {
                        if max == 0 {
                            bail!(PyExc_TypeError, "{} takes no positional arguments", function(bytes));
                        }
                        let how = if min != usize::MAX { "at most" } else { "exactly" };
                        bail!(PyExc_TypeError, "{} takes {} {} positional argument{} ({} given)", function(bytes), how, max, plural(max), nargs);
                    }
                }
                if is_end(r.peek()) {
                    bail!(PyExc_SystemError, "More keyword list entries ({}) than format specifiers ({})", len, i);
                }
                if !missing {
                    let value = if i < nargs {
                        Some(args[i])
                    } else if left > 0 && i >= posonly {
                        let v = kw.get(name(i))?;
                        left -= v.is_some() as usize;
                        v
                    } else {
                        None
                    };
                    if let Some(arg) = value {
                        if let Err(e) = r.convert(arg) {
                            r.fail(e, i + 1);
                            return Err(Raised::assume());
                        }
                        continue;
                    }
                    if i < min {
                        if i >= posonly {
                            bail!(PyExc_TypeError, "{} missing required argument '{}' (pos {})", function(bytes), name(i).to_string_lossy(), i + 1);
                        }
                        // How many are required shows only further on.
                        missing = true;
                    }
                    // All given arguments are read: nothing of the rest needs skipping.
                    if left == 0 && !missing {
                        return Ok(true);
                    }
                }
                if let Err(text) = r.skip() {
                    let rest = r.at.min(bytes.len());
                    bail!(PyExc_SystemError, "{}: '{}'", text, String::from_utf8_lossy(&bytes[rest.saturating_sub(1)..]));
                }
            }
            if missing {
                let want = posonly.min(min);
                let how = if want < len.min(max) { "at least" } else { "exactly" };
                bail!(PyExc_TypeError, "{} takes {} {} positional argument{} ({} given)", function(bytes), how, want, plural(want), nargs);
            }
            let rest = r.peek();
            if !is_end(rest) && rest != b'|' && rest != b'$' {
                let rest = String::from_utf8_lossy(&bytes[r.at..]);
                bail!(PyExc_SystemError, "more argument specifiers than keyword list entries (remaining format:'{}')", rest);
            }
            Ok(left == 0)
        })();
        match result {
            Ok(true) => 1,
            Err(_) => {
                r.undo();
                0
            }
            Ok(false) => {
                r.undo();
                for i in posonly..nargs {
                    match kw.get(name(i)) {
                        Ok(None) => {}
                        Ok(Some(_)) => {
                            let name = name(i).to_string_lossy();
                            let _ = raise!(PyExc_TypeError, "argument for {} given by name ('{}') and position ({})", function(bytes), name, i + 1);
                            return 0;
                        }
                        Err(_) => return 0,
                    }
                }
                let known: Vec<&CStr> = (posonly..len).map(name).collect();
                for key in kw.names() {
                    if PyUnicode_Check(key) == 0 || !known.iter().any(|n| PyUnicode_EqualToUTF8(key, n.as_ptr()) != 0) {
                        unexpected_keyword(names(bytes).0.as_deref(), key, &known);
                        return 0;
                    }
                }
                let f = names(bytes).0.map_or_else(|| "this function".to_string(), |f| format!("{f}()"));
                let _ = raise!(PyExc_TypeError, "invalid keyword argument for {}", f);
                0
            }
        }
    }
}

/// Parses a tuple and a dict of keywords (NULL for none) by a format and a NULL-terminated list of names.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyArg_VaParseTupleAndKeywords(
    args: *mut PyObject,
    kwargs: *mut PyObject,
    format: *const c_char,
    kwlist: *const *const c_char,
    va: *mut VaListTag,
) -> c_int {
    // SAFETY: [ARGS] the caller's list stays as it was.
    unsafe {
        if args.is_null() || PyTuple_Check(args) == 0 || (!kwargs.is_null() && PyDict_Check(kwargs) == 0) || format.is_null() || kwlist.is_null() {
            PyErr_BadInternalCall();
            return 0;
        }
        if parse_simple_keywords(tuple_items(args), kwargs, format, kwlist, VaListTag::integers(va)) {
            return 1;
        }
        let mut va = VaListTag::copy_of(va);
        parse_keywords(tuple_items(args), &KwDict(kwargs), format, kwlist, &mut va)
    }
}

/// See [`PyArg_VaParseTupleAndKeywords`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyArg_VaParseTupleAndKeywords_SizeT(
    args: *mut PyObject,
    kwargs: *mut PyObject,
    format: *const c_char,
    kwlist: *const *const c_char,
    va: *mut VaListTag,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyArg_VaParseTupleAndKeywords(args, kwargs, format, kwlist, va) }
}

/// Whether the keys of a dict are all strings; raises TypeError if not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyArg_ValidateKeywordArguments(kwargs: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyDict_Check(kwargs) == 0 {
            PyErr_BadInternalCall();
            return 0;
        }
        for key in KwDict(kwargs).names() {
            if PyUnicode_Check(key) == 0 {
                let _ = raise!(PyExc_TypeError, "keywords must be strings");
                return 0;
            }
        }
        1
    }
}

const Py_CLEANUP_SUPPORTED: c_int = 0x20000;
