//! The format of `.pyc` files: writing and reading of plain objects and code, with shared references.

use crate::codeobject::{CodeConstructor, code_new, code_validate};
use crate::sysmodule::audit;
use crate::util::*;
use core::ffi::{c_char, c_int, c_long};
use core::ptr::null_mut;
use std::collections::HashMap;
use taipan_abi::*;
use taipan_clinic::{BufferView, methods};

/// The newest version of the format.
pub const Py_MARSHAL_VERSION: c_int = 4;
const MAX_MARSHAL_STACK_DEPTH: usize = 2000;

const TYPE_NULL: u8 = b'0';
const TYPE_NONE: u8 = b'N';
const TYPE_FALSE: u8 = b'F';
const TYPE_TRUE: u8 = b'T';
const TYPE_STOPITER: u8 = b'S';
const TYPE_ELLIPSIS: u8 = b'.';
const TYPE_INT: u8 = b'i';
/// Not written any more, but still read.
const TYPE_INT64: u8 = b'I';
const TYPE_FLOAT: u8 = b'f';
const TYPE_BINARY_FLOAT: u8 = b'g';
const TYPE_COMPLEX: u8 = b'x';
const TYPE_BINARY_COMPLEX: u8 = b'y';
const TYPE_LONG: u8 = b'l';
const TYPE_STRING: u8 = b's';
const TYPE_INTERNED: u8 = b't';
const TYPE_REF: u8 = b'r';
const TYPE_TUPLE: u8 = b'(';
const TYPE_LIST: u8 = b'[';
const TYPE_DICT: u8 = b'{';
const TYPE_CODE: u8 = b'c';
const TYPE_UNICODE: u8 = b'u';
const TYPE_UNKNOWN: u8 = b'?';
const TYPE_SET: u8 = b'<';
const TYPE_FROZENSET: u8 = b'>';
const TYPE_ASCII: u8 = b'a';
const TYPE_ASCII_INTERNED: u8 = b'A';
const TYPE_SMALL_TUPLE: u8 = b')';
const TYPE_SHORT_ASCII: u8 = b'z';
const TYPE_SHORT_ASCII_INTERNED: u8 = b'Z';
const FLAG_REF: u8 = 0x80;
const SIZE32_MAX: usize = 0x7fff_ffff;

/// Why writing stopped.
enum WError {
    Unmarshallable,
    TooDeep,
    CodeNotAllowed,
    Raised,
}
impl From<Raised> for WError {
    fn from(_: Raised) -> Self {
        WError::Raised
    }
}

struct Writer {
    out: Vec<u8>,
    depth: usize,
    version: c_int,
    allow_code: bool,
    /// Objects written so far, by address; each is kept alive by `kept`.
    refs: HashMap<usize, u32, core::hash::BuildHasherDefault<PointerHasher>>,
    kept: Vec<Owned>,
}

/// Addresses need no better hash than a shift.
#[derive(Default)]
struct PointerHasher(u64);
impl core::hash::Hasher for PointerHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_usize(&mut self, i: usize) {
        self.0 = ((i as u64) >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Writer {
    fn new(version: c_int, allow_code: bool) -> Self {
        Writer { out: Vec::with_capacity(64), depth: 0, version, allow_code, refs: HashMap::default(), kept: Vec::new() }
    }
    fn byte(&mut self, b: u8) {
        self.out.push(b);
    }
    fn short(&mut self, v: u16) {
        self.out.extend_from_slice(&v.to_le_bytes());
    }
    fn long(&mut self, v: i64) {
        self.out.extend_from_slice(&(v as i32).to_le_bytes());
    }
    fn size(&mut self, n: usize) -> Result<(), WError> {
        if n > SIZE32_MAX {
            return Err(WError::Unmarshallable);
        }
        self.long(n as i64);
        Ok(())
    }
    fn pstring(&mut self, s: &[u8]) -> Result<(), WError> {
        self.size(s.len())?;
        self.out.extend_from_slice(s);
        Ok(())
    }

    unsafe fn object(&mut self, v: *mut PyObject) -> Result<(), WError> {
        // SAFETY: [ARGS] v is NULL or live; code that runs meanwhile (buffers) can't free what `kept` or the caller holds.
        unsafe {
            self.depth += 1;
            if self.depth > MAX_MARSHAL_STACK_DEPTH {
                return Err(WError::TooDeep);
            }
            let simple = if v.is_null() {
                TYPE_NULL
            } else if v == Py_None() {
                TYPE_NONE
            } else if v == PyExc_StopIteration {
                TYPE_STOPITER
            } else if v == Py_Ellipsis() {
                TYPE_ELLIPSIS
            } else if v == Py_False() {
                TYPE_FALSE
            } else if v == Py_True() {
                TYPE_TRUE
            } else {
                0
            };
            if simple != 0 {
                self.byte(simple);
            } else if let Some(flag) = self.reference(v)? {
                self.complex(v, flag)?;
            }
            self.depth -= 1;
            Ok(())
        }
    }

    /// Writes a reference to an object that was written before, or says with which flag to write it.
    unsafe fn reference(&mut self, v: *mut PyObject) -> Result<Option<u8>, WError> {
        // SAFETY: [ARGS]
        unsafe {
            if self.version < 3 {
                return Ok(Some(0));
            }
            // What has one reference cannot be shared; interned strings always get a reference, to keep the output stable.
            let interned = (*v).ob_type == &raw mut PyUnicode_Type && is_interned(v);
            if Py_REFCNT(v) == 1 && !interned {
                return Ok(Some(0));
            }
            if let Some(&index) = self.refs.get(&(v as usize)) {
                self.byte(TYPE_REF);
                self.long(index as i64);
                return Ok(None);
            }
            let n = self.refs.len();
            if n >= SIZE32_MAX {
                let _ = raise!(PyExc_ValueError, "too many objects");
                return Err(WError::Unmarshallable);
            }
            self.refs.insert(v as usize, n as u32);
            self.kept.push(Owned::from_borrowed(v));
            Ok(Some(FLAG_REF))
        }
    }

    fn float(&mut self, x: f64) -> Result<(), WError> {
        if self.version > 1 {
            self.out.extend_from_slice(&x.to_le_bytes());
            return Ok(());
        }
        // SAFETY: [GIL] the text is freed after use.
        unsafe {
            let s = PyOS_double_to_string(x, b'g' as c_char, 17, 0, null_mut());
            if s.is_null() {
                return Err(WError::Raised);
            }
            let text = core::ffi::CStr::from_ptr(s).to_bytes();
            self.byte(text.len() as u8);
            self.out.extend_from_slice(text);
            PyMem_Free(s.cast());
        }
        Ok(())
    }

    unsafe fn int(&mut self, v: *mut PyObject, flag: u8) -> Result<(), WError> {
        // SAFETY: [TYPE] an exact int.
        unsafe {
            let tag = (*v.cast::<PyLongObject>()).lv_tag;
            let n = tag >> 3;
            let digits = core::slice::from_raw_parts((&raw const (*v.cast::<PyLongObject>()).ob_digit).cast::<u32>(), n);
            let negative = tag & 3 == 2;
            if n <= 2 {
                let mut magnitude = 0i64;
                for &d in digits.iter().rev() {
                    magnitude = (magnitude << 30) | d as i64;
                }
                let value = if negative { -magnitude } else { magnitude };
                if value as i32 as i64 == value {
                    self.byte(TYPE_INT | flag);
                    self.long(value);
                    return Ok(());
                }
            }
            self.byte(TYPE_LONG | flag);
            let top = digits[n - 1];
            let count = (n - 1) * 2 + if top >> 15 != 0 { 2 } else { 1 };
            if count > SIZE32_MAX {
                return Err(WError::Unmarshallable);
            }
            self.long(if negative { -(count as i64) } else { count as i64 });
            for &d in &digits[..n - 1] {
                self.short((d & 0x7fff) as u16);
                self.short((d >> 15) as u16);
            }
            self.short((top & 0x7fff) as u16);
            if top >> 15 != 0 {
                self.short((top >> 15) as u16);
            }
            Ok(())
        }
    }

    unsafe fn complex(&mut self, v: *mut PyObject, flag: u8) -> Result<(), WError> {
        // SAFETY: [TYPE] each branch checked the exact type.
        unsafe {
            let tp = (*v).ob_type;
            if tp == &raw mut PyLong_Type {
                self.int(v, flag)
            } else if tp == &raw mut PyFloat_Type {
                self.byte(flag | if self.version > 1 { TYPE_BINARY_FLOAT } else { TYPE_FLOAT });
                self.float(PyFloat_AS_DOUBLE(v))
            } else if tp == &raw mut PyComplex_Type {
                self.byte(flag | if self.version > 1 { TYPE_BINARY_COMPLEX } else { TYPE_COMPLEX });
                self.float(PyComplex_RealAsDouble(v))?;
                self.float(PyComplex_ImagAsDouble(v))
            } else if tp == &raw mut PyBytes_Type {
                self.byte(TYPE_STRING | flag);
                self.pstring(bytes_of(v))
            } else if tp == &raw mut PyUnicode_Type {
                self.unicode(v, flag)
            } else if tp == &raw mut PyTuple_Type {
                let n = PyTuple_GET_SIZE(v) as usize;
                if self.version >= 4 && n < 256 {
                    self.byte(TYPE_SMALL_TUPLE | flag);
                    self.byte(n as u8);
                } else {
                    self.byte(TYPE_TUPLE | flag);
                    self.size(n)?;
                }
                for i in 0..n {
                    self.object(PyTuple_GET_ITEM(v, i as Py_ssize_t))?;
                }
                Ok(())
            } else if tp == &raw mut PyList_Type {
                self.byte(TYPE_LIST | flag);
                let n = PyList_GET_SIZE(v);
                self.size(n as usize)?;
                let mut i = 0;
                while i < n && i < PyList_GET_SIZE(v) {
                    self.object(PyList_GET_ITEM(v, i))?;
                    i += 1;
                }
                Ok(())
            } else if tp == &raw mut PyDict_Type {
                self.byte(TYPE_DICT | flag);
                let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
                while PyDict_Next(v, &mut pos, &mut key, &mut value) != 0 {
                    self.object(key)?;
                    self.object(value)?;
                }
                self.object(null_mut())
            } else if tp == &raw mut PySet_Type || tp == &raw mut PyFrozenSet_Type {
                self.set(v, flag)
            } else if tp == &raw mut PyCode_Type {
                self.code(v.cast(), flag)
            } else if PyObject_CheckBuffer(v) != 0 {
                let view = match BufferView::get(v) {
                    Ok(view) => view,
                    Err(_) => {
                        self.byte(TYPE_UNKNOWN);
                        return Err(WError::Unmarshallable);
                    }
                };
                self.byte(TYPE_STRING | flag);
                self.pstring(view.as_bytes())
            } else {
                self.byte(TYPE_UNKNOWN | flag);
                Err(WError::Unmarshallable)
            }
        }
    }

    unsafe fn unicode(&mut self, v: *mut PyObject, flag: u8) -> Result<(), WError> {
        // SAFETY: [TYPE] an exact str.
        unsafe {
            let interned = is_interned(v);
            if self.version >= 4 && PyUnicode_IS_ASCII(v) != 0 {
                let n = PyUnicode_GET_LENGTH(v) as usize;
                let data = core::slice::from_raw_parts(PyUnicode_1BYTE_DATA(v), n);
                if n < 256 {
                    self.byte(flag | if interned { TYPE_SHORT_ASCII_INTERNED } else { TYPE_SHORT_ASCII });
                    self.byte(n as u8);
                    self.out.extend_from_slice(data);
                    return Ok(());
                }
                self.byte(flag | if interned { TYPE_ASCII_INTERNED } else { TYPE_ASCII });
                return self.pstring(data);
            }
            let Ok(b) = own(PyUnicode_AsEncodedString(v, c"utf8".as_ptr(), c"surrogatepass".as_ptr())) else {
                return Err(WError::Unmarshallable);
            };
            self.byte(flag | if self.version >= 3 && interned { TYPE_INTERNED } else { TYPE_UNICODE });
            self.pstring(bytes_of(b.as_ptr()))
        }
    }

    /// The elements go in the order of their own marshalled form, so that the output does not depend on hashes.
    unsafe fn set(&mut self, v: *mut PyObject, flag: u8) -> Result<(), WError> {
        // SAFETY: [TYPE] an exact set or frozenset.
        unsafe {
            let frozen = (*v).ob_type == &raw mut PyFrozenSet_Type;
            self.byte(flag | if frozen { TYPE_FROZENSET } else { TYPE_SET });
            self.size(PySet_Size(v) as usize)?;
            let mut items = Vec::new();
            let (mut pos, mut key, mut hash) = (0, null_mut(), 0);
            while _PySet_NextEntry(v, &mut pos, &mut key, &mut hash) != 0 {
                let key = Owned::from_borrowed(key);
                let mut w = Writer::new(self.version, self.allow_code);
                // The set's own reference is counted as CPython's dump of the element counts it.
                w.object(key.as_ptr()).map_err(|e| match e {
                    WError::Raised => WError::Raised,
                    _ => WError::Unmarshallable,
                })?;
                items.push((w.out, key));
            }
            items.sort_by(|a, b| a.0.cmp(&b.0));
            for (_, item) in items {
                let p = item.as_ptr();
                // Only the set (and the reference table) hold it while it is written, as when it was dumped alone.
                self.object(p)?;
            }
            Ok(())
        }
    }

    unsafe fn code(&mut self, co: *mut PyCodeObject, flag: u8) -> Result<(), WError> {
        // SAFETY: [TYPE] a code object.
        unsafe {
            if !self.allow_code {
                return Err(WError::CodeNotAllowed);
            }
            let code = own(crate::codeobject::PyCode_GetCode(co))?;
            self.byte(TYPE_CODE | flag);
            for n in [(*co).co_argcount, (*co).co_posonlyargcount, (*co).co_kwonlyargcount, (*co).co_stacksize, (*co).co_flags] {
                self.long(n as i64);
            }
            self.object(code.as_ptr())?;
            for o in [(*co).co_consts, (*co).co_names, (*co).co_localsplusnames, (*co).co_localspluskinds, (*co).co_filename, (*co).co_name, (*co).co_qualname] {
                self.object(o)?;
            }
            self.long((*co).co_firstlineno as i64);
            self.object((*co).co_linetable)?;
            self.object((*co).co_exceptiontable)
        }
    }
}

/// Whether a str is interned (the low two bits of its state).
///
/// # Safety
/// `v` is a str.
#[inline]
pub unsafe fn is_interned(v: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { (*v.cast::<PyASCIIObject>()).interned() != 0 }
}

fn write_error(e: WError) -> Raised {
    match e {
        // SAFETY: [EXC]
        WError::Raised => unsafe { Raised::assume() },
        WError::TooDeep => raise!(PyExc_ValueError, "object too deeply nested to marshal"),
        WError::CodeNotAllowed => raise!(PyExc_ValueError, "marshalling code objects is disallowed"),
        WError::Unmarshallable => raise!(PyExc_ValueError, "unmarshallable object"),
    }
}

/// The marshalled form of an object.
///
/// # Safety
/// `v` is live.
pub unsafe fn dumps(v: *mut PyObject, version: c_int, allow_code: bool) -> PyResult<Vec<u8>> {
    // SAFETY: [ARGS]
    unsafe {
        if crate::sysmodule::auditing() {
            let n = new_int(version as i64)?;
            audit(c"marshal.dumps", &[v, n.as_ptr()])?;
        }
        let mut w = Writer::new(version, allow_code);
        w.object(v).map_err(write_error)?;
        Ok(w.out)
    }
}

// ---- reading

/// Where bytes come from.
enum Source<'a> {
    Memory(&'a [u8]),
    File(*mut libc::FILE),
    /// A Python object with `readinto`.
    Object(*mut PyObject),
}

struct Reader<'a> {
    source: Source<'a>,
    scratch: Vec<u8>,
    refs: Vec<Option<Owned>>,
    depth: usize,
    allow_code: bool,
}

/// What a reader found.
enum Item {
    Object(Owned),
    /// The end of a dict.
    Null,
}

impl<'a> Reader<'a> {
    fn new(source: Source<'a>, allow_code: bool) -> Self {
        Reader { source, scratch: Vec::new(), refs: Vec::new(), depth: 0, allow_code }
    }

    /// The next `n` bytes.
    fn bytes(&mut self, n: usize) -> PyResult<&[u8]> {
        match &mut self.source {
            Source::Memory(rest) => {
                if n > rest.len() {
                    bail!(PyExc_EOFError, "marshal data too short");
                }
                let (head, tail) = rest.split_at(n);
                *rest = tail;
                Ok(head)
            }
            Source::File(f) => {
                self.scratch.clear();
                // A damaged file must not make us ask for all the memory at once.
                while self.scratch.len() < n {
                    let from = self.scratch.len();
                    let chunk = (n - from).min(1 << 20);
                    self.scratch.resize(from + chunk, 0);
                    // SAFETY: the buffer has room for `chunk` bytes.
                    let got = unsafe { libc::fread(self.scratch.as_mut_ptr().add(from).cast(), 1, chunk, *f) };
                    if got < chunk {
                        bail!(PyExc_EOFError, "EOF read where not expected");
                    }
                }
                Ok(&self.scratch)
            }
            Source::Object(o) => {
                self.scratch.clear();
                self.scratch.try_reserve_exact(n).map_err(|_| memory_error())?;
                self.scratch.resize(n, 0);
                // SAFETY: [ARGS] the memoryview lives only during the call.
                unsafe {
                    const PyBUF_WRITE: c_int = 0x200;
                    let mview = own(PyMemoryView_FromMemory(self.scratch.as_mut_ptr().cast(), n as Py_ssize_t, PyBUF_WRITE))?;
                    let r = call_method(*o, intern!("readinto"), &[mview.as_ptr()])?;
                    let read = PyNumber_AsSsize_t(r.as_ptr(), PyExc_ValueError);
                    if read == -1 && err_occurred() {
                        return Err(Raised::assume());
                    }
                    if read != n as isize {
                        if read > n as isize {
                            bail!(PyExc_ValueError, "read() returned too much data: {} bytes requested, {} returned", n, read);
                        }
                        bail!(PyExc_EOFError, "EOF read where not expected");
                    }
                }
                Ok(&self.scratch)
            }
        }
    }

    fn byte(&mut self) -> PyResult<u8> {
        if let Source::Memory(rest) = &mut self.source {
            if let Some((&b, tail)) = rest.split_first() {
                *rest = tail;
                return Ok(b);
            }
            bail!(PyExc_EOFError, "EOF read where not expected");
        }
        Ok(self.bytes(1)?[0])
    }
    fn short(&mut self) -> PyResult<i32> {
        let b = self.bytes(2)?;
        Ok(i16::from_le_bytes([b[0], b[1]]) as i32)
    }
    fn long(&mut self) -> PyResult<i32> {
        let b = self.bytes(4)?;
        Ok(i32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }
    fn binary_float(&mut self) -> PyResult<f64> {
        let b = self.bytes(8)?;
        let mut a = [0; 8];
        a.copy_from_slice(b);
        Ok(f64::from_le_bytes(a))
    }
    fn text_float(&mut self) -> PyResult<f64> {
        let n = self.byte()? as usize;
        let text = std::ffi::CString::new(self.bytes(n)?).unwrap_or_default();
        // SAFETY: NUL-terminated.
        let x = unsafe { PyOS_string_to_double(text.as_ptr(), null_mut(), null_mut()) };
        // SAFETY: [EXC]
        if x == -1.0 && err_occurred() { Err(unsafe { Raised::assume() }) } else { Ok(x) }
    }
    fn size(&mut self, what: &str) -> PyResult<usize> {
        let n = self.long()?;
        if n < 0 {
            bail!(PyExc_ValueError, "bad marshal data ({what} size out of range)");
        }
        Ok(n as usize)
    }

    /// Keeps a place in the table for an object that is not made yet.
    fn reserve(&mut self, flag: bool) -> Option<usize> {
        if !flag {
            return None;
        }
        self.refs.push(None);
        Some(self.refs.len() - 1)
    }
    fn insert(&mut self, place: Option<usize>, o: &Owned) {
        if let Some(i) = place {
            self.refs[i] = Some(o.clone());
        }
    }

    /// An object, where NULL is not allowed; `what` names the container.
    fn element(&mut self, what: &str) -> PyResult<Owned> {
        match self.object()? {
            Item::Object(o) => Ok(o),
            Item::Null => bail!(PyExc_TypeError, "NULL object in marshal data for {what}"),
        }
    }

    fn object(&mut self) -> PyResult<Item> {
        let code = match self.byte() {
            Ok(b) => b,
            Err(e) => {
                // SAFETY: address of a static.
                if e.matches(unsafe { PyExc_EOFError }) {
                    e.clear();
                    bail!(PyExc_EOFError, "EOF read where object expected");
                }
                return Err(e);
            }
        };
        self.depth += 1;
        if self.depth > MAX_MARSHAL_STACK_DEPTH {
            self.depth -= 1;
            bail!(PyExc_ValueError, "recursion limit exceeded");
        }
        let r = self.object_of(code & !FLAG_REF, code & FLAG_REF != 0);
        self.depth -= 1;
        r
    }

    fn object_of(&mut self, kind: u8, flag: bool) -> PyResult<Item> {
        // SAFETY: [GIL] constructors return new references.
        let made = unsafe {
            match kind {
                TYPE_NULL => return Ok(Item::Null),
                TYPE_NONE => return Ok(Item::Object(none())),
                TYPE_STOPITER => return Ok(Item::Object(Owned::from_borrowed(PyExc_StopIteration))),
                TYPE_ELLIPSIS => return Ok(Item::Object(Owned::from_borrowed(Py_Ellipsis()))),
                TYPE_FALSE => return Ok(Item::Object(new_bool(false))),
                TYPE_TRUE => return Ok(Item::Object(new_bool(true))),
                TYPE_INT => {
                    let n = self.long()?;
                    new_int(n as i64)?
                }
                TYPE_INT64 => {
                    let b = self.bytes(8)?;
                    let mut a = [0; 8];
                    a.copy_from_slice(b);
                    new_int(i64::from_le_bytes(a))?
                }
                TYPE_LONG => self.big_int()?,
                TYPE_FLOAT => {
                    let x = self.text_float()?;
                    own(PyFloat_FromDouble(x))?
                }
                TYPE_BINARY_FLOAT => {
                    let x = self.binary_float()?;
                    own(PyFloat_FromDouble(x))?
                }
                TYPE_COMPLEX => {
                    let re = self.text_float()?;
                    let im = self.text_float()?;
                    own(PyComplex_FromDoubles(re, im))?
                }
                TYPE_BINARY_COMPLEX => {
                    let re = self.binary_float()?;
                    let im = self.binary_float()?;
                    own(PyComplex_FromDoubles(re, im))?
                }
                TYPE_STRING => {
                    let n = self.size("bytes object")?;
                    let b = self.bytes(n)?;
                    own(PyBytes_FromStringAndSize(b.as_ptr().cast(), n as Py_ssize_t))?
                }
                TYPE_ASCII | TYPE_ASCII_INTERNED => {
                    let n = self.size("string")?;
                    self.ascii(n, kind == TYPE_ASCII_INTERNED)?
                }
                TYPE_SHORT_ASCII | TYPE_SHORT_ASCII_INTERNED => {
                    let n = self.byte()? as usize;
                    self.ascii(n, kind == TYPE_SHORT_ASCII_INTERNED)?
                }
                TYPE_UNICODE | TYPE_INTERNED => {
                    let n = self.size("string")?;
                    let b = self.bytes(n)?;
                    let mut s = own(PyUnicode_DecodeUTF8(b.as_ptr().cast(), n as Py_ssize_t, c"surrogatepass".as_ptr()))?.into_raw();
                    if kind == TYPE_INTERNED {
                        PyUnicode_InternInPlace(&mut s);
                    }
                    Owned::from_owned(s)
                }
                TYPE_SMALL_TUPLE | TYPE_TUPLE => {
                    let n = if kind == TYPE_SMALL_TUPLE { self.byte()? as usize } else { self.size("tuple")? };
                    let place = self.reserve(flag);
                    let mut items = Vec::with_capacity(n.min(4096));
                    for _ in 0..n {
                        items.push(self.element("tuple")?);
                    }
                    let t = steal_tuple(items)?;
                    self.insert(place, &t);
                    return Ok(Item::Object(t));
                }
                TYPE_LIST => {
                    let n = self.size("list")?;
                    let v = own(PyList_New(0))?;
                    let place = self.reserve(flag);
                    self.insert(place, &v);
                    for _ in 0..n {
                        let item = self.element("list")?;
                        check_status(PyList_Append(v.as_ptr(), item.as_ptr()))?;
                    }
                    return Ok(Item::Object(v));
                }
                TYPE_DICT => {
                    let v = own(PyDict_New())?;
                    let place = self.reserve(flag);
                    self.insert(place, &v);
                    loop {
                        let Item::Object(key) = self.object()? else { break };
                        // A missing value ends the dict as well.
                        let Item::Object(value) = self.object()? else { break };
                        dict_set(v.as_ptr(), key.as_ptr(), value.as_ptr())?;
                    }
                    return Ok(Item::Object(v));
                }
                TYPE_SET | TYPE_FROZENSET => {
                    let n = self.size("set")?;
                    if n == 0 && kind == TYPE_FROZENSET {
                        own(PyObject_CallNoArgs((&raw mut PyFrozenSet_Type).cast()))?
                    } else {
                        let v = own(if kind == TYPE_SET { PySet_New(null_mut()) } else { PyFrozenSet_New(null_mut()) })?;
                        let place = self.reserve(flag);
                        // A set may hold itself only through what it contains; a frozenset is known once it is complete.
                        if kind == TYPE_SET {
                            self.insert(place, &v);
                        }
                        for _ in 0..n {
                            let item = self.element("set")?;
                            check_status(PySet_Add(v.as_ptr(), item.as_ptr()))?;
                        }
                        self.insert(place, &v);
                        return Ok(Item::Object(v));
                    }
                }
                TYPE_CODE => return self.code(flag).map(Item::Object),
                TYPE_REF => {
                    let n = self.long()?;
                    return match usize::try_from(n).ok().and_then(|n| self.refs.get(n)) {
                        Some(Some(o)) => Ok(Item::Object(o.clone())),
                        _ => bail!(PyExc_ValueError, "bad marshal data (invalid reference)"),
                    };
                }
                _ => bail!(PyExc_ValueError, "bad marshal data (unknown type code)"),
            }
        };
        if flag {
            self.refs.push(Some(made.clone()));
        }
        Ok(Item::Object(made))
    }

    fn ascii(&mut self, n: usize, intern: bool) -> PyResult<Owned> {
        let b = self.bytes(n)?;
        // SAFETY: [GIL] Latin-1 takes any byte.
        unsafe {
            let mut s = own(PyUnicode_FromKindAndData(1, b.as_ptr().cast(), n as Py_ssize_t))?.into_raw();
            if intern {
                PyUnicode_InternInPlace(&mut s);
            }
            Ok(Owned::from_owned(s))
        }
    }

    fn big_int(&mut self) -> PyResult<Owned> {
        let n = self.long()?;
        if n == i32::MIN {
            bail!(PyExc_ValueError, "bad marshal data (long size out of range)");
        }
        if n == 0 {
            return new_int(0);
        }
        let count = n.unsigned_abs() as usize;
        let mut bits: Vec<u8> = Vec::with_capacity((count * 15 / 8 + 2).min(1 << 16));
        let (mut acc, mut have) = (0u32, 0u32);
        for i in 0..count {
            let d = self.short()?;
            if !(0..=0x7fff).contains(&d) {
                bail!(PyExc_ValueError, "bad marshal data (digit out of range in long)");
            }
            if i + 1 == count && d == 0 {
                bail!(PyExc_ValueError, "bad marshal data (unnormalized long data)");
            }
            acc |= (d as u32) << have;
            have += 15;
            while have >= 8 {
                bits.push(acc as u8);
                acc >>= 8;
                have -= 8;
            }
        }
        if have > 0 {
            bits.push(acc as u8);
        }
        // SAFETY: [GIL]
        unsafe {
            let v = own(_PyLong_FromByteArray(bits.as_ptr(), bits.len(), 1, 0))?;
            if n < 0 { own(PyNumber_Negative(v.as_ptr())) } else { Ok(v) }
        }
    }

    fn code(&mut self, flag: bool) -> PyResult<Owned> {
        if !self.allow_code {
            bail!(PyExc_ValueError, "unmarshalling code objects is disallowed");
        }
        let place = self.reserve(flag);
        let what = "code object";
        let argcount = self.long()?;
        let posonlyargcount = self.long()?;
        let kwonlyargcount = self.long()?;
        let stacksize = self.long()?;
        let flags = self.long()?;
        let code = self.element(what)?;
        let consts = self.element(what)?;
        let names = self.element(what)?;
        let localsplusnames = self.element(what)?;
        let localspluskinds = self.element(what)?;
        let filename = self.element(what)?;
        let name = self.element(what)?;
        let qualname = self.element(what)?;
        let firstlineno = self.long()?;
        let linetable = self.element(what)?;
        let exceptiontable = self.element(what)?;
        let con = CodeConstructor {
            filename: filename.as_ptr(),
            name: name.as_ptr(),
            qualname: qualname.as_ptr(),
            flags,
            code: code.as_ptr(),
            firstlineno,
            linetable: linetable.as_ptr(),
            consts: consts.as_ptr(),
            names: names.as_ptr(),
            localsplusnames: localsplusnames.as_ptr(),
            localspluskinds: localspluskinds.as_ptr(),
            argcount,
            posonlyargcount,
            kwonlyargcount,
            stacksize,
            exceptiontable: exceptiontable.as_ptr(),
        };
        // SAFETY: [ARGS] validated before use, as the data may come from anywhere.
        unsafe {
            code_validate(&con)?;
            let co = code_new(&con)?;
            self.insert(place, &co);
            Ok(co)
        }
    }

    /// A whole object, from the start.
    fn whole(&mut self) -> PyResult<Owned> {
        if err_occurred() {
            // SAFETY: [EXC]
            return Err(unsafe { Raised::assume() });
        }
        match self.object()? {
            Item::Object(o) => Ok(o),
            Item::Null => bail!(PyExc_TypeError, "NULL object in marshal data for object"),
        }
    }
}


/// A tuple of owned objects.
fn steal_tuple(items: Vec<Owned>) -> PyResult<Owned> {
    let raw: Vec<*mut PyObject> = items.iter().map(|o| o.as_ptr()).collect();
    // SAFETY: all live; the tuple counts its own references.
    unsafe { tuple(&raw) }
}

fn memory_error() -> Raised {
    // SAFETY: [GIL]
    unsafe {
        PyErr_NoMemory();
        Raised::assume()
    }
}

/// The object whose marshalled form starts `data`.
pub fn loads(data: &[u8], allow_code: bool) -> PyResult<Owned> {
    if crate::sysmodule::auditing() {
        // SAFETY: [GIL]
        let bytes = unsafe { own(PyBytes_FromStringAndSize(data.as_ptr().cast(), data.len() as Py_ssize_t))? };
        audit(c"marshal.loads", &[bytes.as_ptr()])?;
    }
    Reader::new(Source::Memory(data), allow_code).whole()
}

// ---- the C API

/// The object whose marshalled form starts the memory given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMarshal_ReadObjectFromString(data: *const c_char, len: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    let data = unsafe { core::slice::from_raw_parts(data.cast(), len as usize) };
    loads(data, true).into_c()
}

/// A bytes object with the marshalled form of `x`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMarshal_WriteObjectToString(x: *mut PyObject, version: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let b = dumps(x, version, true)?;
        own(PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as Py_ssize_t))
    })();
    r.into_c()
}

/// Writes a 32-bit number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMarshal_WriteLongToFile(value: c_long, file: *mut libc::FILE, _version: c_int) {
    let b = (value as i32).to_le_bytes();
    // SAFETY: [ARGS]
    unsafe { libc::fwrite(b.as_ptr().cast(), 1, 4, file) };
}

/// Writes an object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMarshal_WriteObjectToFile(value: *mut PyObject, file: *mut libc::FILE, version: c_int) {
    // SAFETY: [ARGS]
    unsafe {
        if let Ok(b) = dumps(value, version, true) {
            libc::fwrite(b.as_ptr().cast(), 1, b.len(), file);
        }
    }
}

/// Reads a 16-bit number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMarshal_ReadShortFromFile(file: *mut libc::FILE) -> c_int {
    Reader::new(Source::File(file), true).short().unwrap_or(-1)
}

/// Reads a 32-bit number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMarshal_ReadLongFromFile(file: *mut libc::FILE) -> c_long {
    Reader::new(Source::File(file), true).long().unwrap_or(-1) as c_long
}

/// Reads an object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMarshal_ReadObjectFromFile(file: *mut libc::FILE) -> *mut PyObject {
    Reader::new(Source::File(file), true).whole().into_c()
}

/// Reads the last object of a file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMarshal_ReadLastObjectFromFile(file: *mut libc::FILE) -> *mut PyObject {
    Reader::new(Source::File(file), true).whole().into_c()
}

// ---- the module

fn marshal_dump(_: (), value: Borrowed<'_>, file: Borrowed<'_>, version: Option<i32>, allow_code: bool) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let b = dumps(value.ob(), version.unwrap_or(Py_MARSHAL_VERSION), allow_code)?;
        let b = own(PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as Py_ssize_t))?;
        call_method(file.ob(), intern!("write"), &[b.as_ptr()])
    }
}

fn marshal_dumps(_: (), value: Borrowed<'_>, version: Option<i32>, allow_code: bool) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let b = dumps(value.ob(), version.unwrap_or(Py_MARSHAL_VERSION), allow_code)?;
        own(PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as Py_ssize_t))
    }
}

fn marshal_load(_: (), file: Borrowed<'_>, allow_code: bool) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        audit(c"marshal.load", &[])?;
        // Reading nothing tells text files from binary ones.
        let zero = new_int(0)?;
        let data = call_method(file.ob(), intern!("read"), &[zero.as_ptr()])?;
        if PyBytes_Check(data.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "file.read() returned not bytes but {}", type_name(data.as_ptr()));
        }
        Reader::new(Source::Object(file.ob()), allow_code).whole()
    }
}

fn marshal_loads(_: (), bytes: BufferView, allow_code: bool) -> PyResult<Owned> {
    loads(bytes.as_bytes(), allow_code)
}

methods! {
    static MARSHAL_METHODS = [
        "dump($module, value, file, version=version, /, *, allow_code=True)" => marshal_dump, "Write the value's marshalled form to a file.";
        "load($module, file, /, *, allow_code=True)" => marshal_load, "Read one value from a file.";
        "dumps($module, value, version=version, /, *, allow_code=True)" => marshal_dumps, "The bytes that dump() would write.";
        "loads($module, bytes, /, *, allow_code=True)" => marshal_loads, "The value at the start of a bytes-like object.";
    ];
}

unsafe extern "C" fn marshal_exec(module: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { PyModule_AddIntConstant(module, c"version".as_ptr(), Py_MARSHAL_VERSION as c_long) }
}

static mut MARSHAL_SLOTS: [PyModuleDef_Slot; 4] = [
    PyModuleDef_Slot { slot: Py_mod_exec, value: marshal_exec as *mut core::ffi::c_void },
    PyModuleDef_Slot { slot: Py_mod_multiple_interpreters, value: Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_NOT_USED },
    PyModuleDef_Slot { slot: 0, value: null_mut() },
];

static mut MARSHAL_MODULE: PyModuleDef = PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"marshal".as_ptr(),
    m_doc: c"Reading and writing of Python values in the binary format of .pyc files.\n\nThe format is meant for compiled modules and may change between versions of\nPython. It holds None, booleans, numbers, strings, bytes, tuples, lists, sets,\nfrozensets, dicts and code, and is not safe against made-up data.".as_ptr(),
    m_size: 0,
    m_methods: (&raw mut MARSHAL_METHODS).cast(),
    m_slots: (&raw mut MARSHAL_SLOTS).cast(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
};

/// The module `marshal`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMarshal_Init() -> *mut PyObject {
    // SAFETY: a static definition.
    unsafe { PyModuleDef_Init(&raw mut MARSHAL_MODULE) }
}
