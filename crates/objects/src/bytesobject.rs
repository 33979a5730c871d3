//! `bytes`.

use crate::bytes_methods::{self as shared, Flavor, View, bytes_warning, push_escaped};
use crate::gc::{gc_new, gc_track, gc_untrack};
use crate::typeobject::TYPE_INIT;
use crate::unicode_codecs::{raised, raw_bytes};
use crate::unicodeobject::args::CText;
use crate::unicodeobject::layout::{self, no_memory};
use crate::unicodeobject::percent::*;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{copy_nonoverlapping, null_mut};
use taipan_abi::*;
use taipan_clinic::{Str, constructor, methods};

/// Size of a bytes object without its bytes; the terminating NUL is counted.
const PyBytesObject_SIZE: usize = core::mem::offset_of!(PyBytesObject, ob_sval) + 1;

/// The [`Flavor`] of `bytes`.
#[derive(Clone, Copy)]
pub struct ForBytes;

impl Flavor for ForBytes {
    const MUTABLE: bool = false;
    #[inline(always)]
    unsafe fn content<'a>(op: *mut PyObject) -> &'a [u8] {
        // SAFETY: [ARGS]
        unsafe { content(op) }
    }
    fn build(n: usize, fill: impl FnOnce(&mut [u8])) -> PyResult<Owned> {
        let new = new_bytes(n)?;
        // SAFETY: [OWN] new, or empty and shared.
        unsafe { fill(core::slice::from_raw_parts_mut(data(new.as_ptr()), n)) };
        if n == 1 {
            // SAFETY: [OWN]
            return Ok(byte(unsafe { *data(new.as_ptr()) }));
        }
        Ok(new)
    }
    fn make(s: &[u8]) -> PyResult<Owned> {
        from_slice(s)
    }
    fn exact(op: *mut PyObject) -> bool {
        // SAFETY: [ARGS]
        unsafe { PyBytes_CheckExact(op) != 0 }
    }
}

/// Address of the bytes.
///
/// # Safety
/// `op` is a bytes object.
#[inline(always)]
pub unsafe fn data(op: *mut PyObject) -> *mut u8 {
    // SAFETY: [TYPE]
    unsafe { (&raw mut (*op.cast::<PyBytesObject>()).ob_sval).cast() }
}

/// The bytes of `op`.
///
/// # Safety
/// `op` is a bytes object that lives for `'a`.
#[inline(always)]
pub unsafe fn content<'a>(op: *mut PyObject) -> &'a [u8] {
    // SAFETY: [TYPE]
    unsafe { core::slice::from_raw_parts(data(op), (*op.cast::<PyVarObject>()).ob_size as usize) }
}

// --- shared objects

#[repr(C)]
struct StaticBytes {
    head: PyVarObject,
    hash: Py_hash_t,
    data: [u8; 2],
}

const fn static_bytes(c: u8, n: isize, tp: *mut PyTypeObject) -> StaticBytes {
    StaticBytes { head: immortal_var_head(tp, n), hash: -1, data: [c, 0] }
}

static mut EMPTY: StaticBytes = static_bytes(0, 0, &raw mut PyBytes_Type);
static mut CHARACTERS: [StaticBytes; 256] = {
    let mut t = core::mem::MaybeUninit::<[StaticBytes; 256]>::uninit();
    let mut i = 0;
    // SAFETY: each element is written before the array is taken.
    unsafe {
        while i < 256 {
            t.as_mut_ptr().cast::<StaticBytes>().add(i).write(static_bytes(i as u8, 1, &raw mut PyBytes_Type));
            i += 1;
        }
        t.assume_init()
    }
};

/// `b''`.
#[inline(always)]
pub fn empty() -> Owned {
    // SAFETY: [IMMORTAL]
    unsafe { Owned::from_owned((&raw mut EMPTY).cast()) }
}

/// The shared object of one byte.
#[inline(always)]
pub fn byte(c: u8) -> Owned {
    // SAFETY: [IMMORTAL] in range.
    unsafe { Owned::from_owned((&raw mut CHARACTERS).cast::<StaticBytes>().add(c as usize).cast()) }
}

/// A new bytes object of `n` bytes, not filled in; the empty one is shared.
#[inline]
pub fn new_bytes(n: usize) -> PyResult<Owned> {
    if n == 0 { Ok(empty()) } else { allocate(n) }
}

/// A new bytes object of `n` bytes, which is not filled in and not shared.
fn allocate(n: usize) -> PyResult<Owned> {
    if n > isize::MAX as usize - PyBytesObject_SIZE {
        bail!(PyExc_OverflowError, "byte string is too large");
    }
    // SAFETY: [LAYOUT] the block has room for header, bytes and a NUL.
    unsafe {
        let op: *mut PyBytesObject = PyObject_Malloc(PyBytesObject_SIZE + n).cast();
        if op.is_null() {
            return Err(no_memory());
        }
        (*op).ob_base.ob_base.ob_type = &raw mut PyBytes_Type;
        _Py_NewReference(op.cast());
        (*op).ob_base.ob_size = n as isize;
        set_hash(op, -1);
        *data(op.cast()).add(n) = 0;
        Ok(Owned::from_owned(op.cast()))
    }
}

/// A bytes object with these bytes.
#[inline]
pub fn from_slice(s: &[u8]) -> PyResult<Owned> {
    if let [c] = s {
        return Ok(byte(*c));
    }
    let new = new_bytes(s.len())?;
    // SAFETY: [OWN] as long as s.
    unsafe { copy_nonoverlapping(s.as_ptr(), data(new.as_ptr()), s.len()) };
    Ok(new)
}

#[allow(deprecated, reason = "the field is deprecated for users of the C API, not for its owner")]
#[inline(always)]
unsafe fn set_hash(op: *mut PyBytesObject, h: Py_hash_t) {
    // SAFETY: [TYPE]
    unsafe { (*op).ob_shash = h }
}
#[allow(deprecated, reason = "the field is deprecated for users of the C API, not for its owner")]
#[inline(always)]
unsafe fn get_hash(op: *mut PyBytesObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe { (*op).ob_shash }
}

/// To be called by who writes into a bytes object that had been shared before.
///
/// # Safety
/// `op` is a bytes object that nobody else uses.
pub unsafe fn forget_hash(op: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe { set_hash(op.cast(), -1) }
}

/// The hash, computed once.
///
/// # Safety
/// `op` is a bytes object.
pub unsafe fn bytes_hash(op: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let h = get_hash(op.cast());
        if h != -1 {
            return h;
        }
        let s = content(op);
        let h = _Py_HashBytes(s.as_ptr().cast(), s.len() as isize);
        set_hash(op.cast(), h);
        h
    }
}

unsafe extern "C" fn hash_slot(op: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE] slot of bytes.
    unsafe { bytes_hash(op) }
}

/// Fills `n` bytes with repetitions of `src`.
///
/// # Safety
/// `dest` has room for `n` bytes; `src` is not empty unless `n` is 0.
pub unsafe fn repeat_bytes(dest: *mut u8, n: usize, src: &[u8]) {
    // SAFETY: [ARGS] each copy doubles what is there.
    unsafe {
        if n == 0 {
            return;
        }
        if let [c] = src {
            core::ptr::write_bytes(dest, *c, n);
            return;
        }
        if dest.cast_const() != src.as_ptr() {
            copy_nonoverlapping(src.as_ptr(), dest, src.len().min(n));
        }
        let mut done = src.len();
        while done < n {
            let more = done.min(n - done);
            copy_nonoverlapping(dest, dest.add(done), more);
            done += more;
        }
    }
}

// --- repr

/// `repr` of a bytes object; `smart` prefers double quotes where single ones would need escapes.
pub fn repr(s: &[u8], smart: bool) -> PyResult<Owned> {
    if s.len() > (isize::MAX as usize - 3) / 4 {
        bail!(PyExc_OverflowError, "bytes object is too large to make repr");
    }
    let quote = if smart && s.contains(&b'\'') && !s.contains(&b'"') { b'"' } else { b'\'' };
    let mut out = Vec::with_capacity(s.len() + 8);
    out.extend_from_slice(&[b'b', quote]);
    for &c in s {
        if c == quote || c == b'\\' {
            out.push(b'\\');
            out.push(c);
        } else {
            push_escaped(&mut out, c);
        }
    }
    out.push(quote);
    Ok(layout::from_ascii(&out)?.into_object())
}

unsafe extern "C" fn bytes_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] slot of bytes.
    unsafe { repr(content(op), true).into_c() }
}

unsafe extern "C" fn bytes_str(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] slot of bytes.
    unsafe {
        if bytes_warning() && PyErr_WarnEx(PyExc_BytesWarning, c"str() on a bytes instance".as_ptr(), 1) != 0 {
            return null_mut();
        }
        bytes_repr(op)
    }
}

// --- slots

unsafe extern "C" fn bytes_length(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE] slot of bytes.
    unsafe { (*op.cast::<PyVarObject>()).ob_size }
}

unsafe extern "C" fn bytes_concat(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyBytes_CheckExact(a) != 0 && PyBytes_CheckExact(b) != 0 {
            if content(a).is_empty() {
                Py_INCREF(b);
                return b;
            }
            if content(b).is_empty() {
                Py_INCREF(a);
                return a;
            }
        }
        shared::concat::<ForBytes>(Borrowed::from_ptr(a), Borrowed::from_ptr(b)).into_c()
    }
}

unsafe extern "C" fn bytes_repeat(op: *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE] slot of bytes.
    unsafe {
        let s = content(op);
        let n = n.max(0) as usize;
        match s.len().checked_mul(n) {
            Some(total) if total <= isize::MAX as usize - PyBytesObject_SIZE => {
                if total == s.len() && PyBytes_CheckExact(op) != 0 {
                    Py_INCREF(op);
                    return op;
                }
                if total == 0 {
                    // As in CPython a new object, though an empty one.
                    return allocate(0).into_c();
                }
                ForBytes::build(total, |out| repeat_bytes(out.as_mut_ptr(), out.len(), s)).into_c()
            }
            _ => raised(raise!(PyExc_OverflowError, "repeated bytes are too long")),
        }
    }
}

unsafe extern "C" fn bytes_contains(op: *mut PyObject, arg: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] slot of bytes.
    unsafe { shared::contains::<ForBytes>(Borrowed::from_ptr(op), Borrowed::from_ptr(arg)).into_c() }
}

#[inline(always)]
unsafe fn item_at(op: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        match content(op).get(i as usize) {
            Some(&c) => PyLong_FromLong(c as i64),
            None => raised(raise!(PyExc_IndexError, "index out of range")),
        }
    }
}

unsafe extern "C" fn bytes_item(op: *mut PyObject, i: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE] slot of bytes.
    unsafe { item_at(op, i) }
}

unsafe extern "C" fn bytes_subscript(op: *mut PyObject, item: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] slot of bytes.
    unsafe {
        if PyIndex_Check(item) != 0 {
            let mut i = PyNumber_AsSsize_t(item, PyExc_IndexError);
            if i == -1 && err_occurred() {
                return null_mut();
            }
            if i < 0 {
                i += bytes_length(op);
            }
            return item_at(op, i);
        }
        if PySlice_Check(item) == 0 {
            PyErr_Format(PyExc_TypeError, c"byte indices must be integers or slices, not %.200s".as_ptr(), (*(*item).ob_type).tp_name);
            return null_mut();
        }
        let (mut start, mut stop, mut step) = (0, 0, 0);
        if PySlice_Unpack(item, &mut start, &mut stop, &mut step) < 0 {
            return null_mut();
        }
        let s = content(op);
        let n = PySlice_AdjustIndices(s.len() as isize, &mut start, &mut stop, step);
        if n <= 0 {
            return empty().into_raw();
        }
        if step == 1 {
            return ForBytes::part(Borrowed::from_ptr(op), start as usize..(start + n) as usize).into_c();
        }
        ForBytes::build(n as usize, |out| {
            for (k, o) in out.iter_mut().enumerate() {
                *o = s[(start + k as isize * step) as usize];
            }
        })
        .into_c()
    }
}

unsafe extern "C" fn bytes_richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS] types are checked before the data is read.
    unsafe {
        if PyBytes_Check(a) == 0 || PyBytes_Check(b) == 0 {
            if matches!(op, Py_EQ | Py_NE) && bytes_warning() {
                let text = PyUnicode_Check(a) != 0 || PyUnicode_Check(b) != 0;
                let int = PyLong_Check(a) != 0 || PyLong_Check(b) != 0;
                if text && PyErr_WarnEx(PyExc_BytesWarning, c"Comparison between bytes and string".as_ptr(), 1) != 0
                    || int && PyErr_WarnEx(PyExc_BytesWarning, c"Comparison between bytes and int".as_ptr(), 1) != 0
                {
                    return null_mut();
                }
            }
            return Py_NotImplemented();
        }
        let (x, y) = (content(a), content(b));
        let answer = match op {
            Py_EQ => a == b || x == y,
            Py_NE => a != b && x != y,
            Py_LT => x < y,
            Py_LE => x <= y,
            Py_GT => x > y,
            Py_GE => x >= y,
            _ => {
                PyErr_BadArgument();
                return null_mut();
            }
        };
        if answer { Py_True() } else { Py_False() }
    }
}

unsafe extern "C" fn bytes_getbuffer(op: *mut PyObject, view: *mut Py_buffer, flags: c_int) -> c_int {
    // SAFETY: [TYPE] slot of bytes.
    unsafe { crate::abstract_::buffer::fill_info(view, op, data(op).cast(), bytes_length(op), 1, flags) }
}

unsafe extern "C" fn bytes_mod(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyBytes_Check(v) == 0 {
            return Py_NotImplemented();
        }
        percent_format(content(v), Borrowed::from_ptr(w)).and_then(|s| from_slice(&s)).into_c()
    }
}

// --- `%` formatting

fn byte_argument(v: Borrowed<'_>) -> PyResult<u8> {
    // SAFETY: [ARGS]
    unsafe {
        if PyBytes_Check(v.ob()) != 0
            && let [c] = content(v.ob())
        {
            return Ok(*c);
        }
        if PyByteArray_Check(v.ob()) != 0
            && let [c] = crate::bytearrayobject::content(v.ob())
        {
            return Ok(*c);
        }
        let mut overflow = 0;
        let x = PyLong_AsLongAndOverflow(v.ob(), &mut overflow);
        if x == -1 && err_occurred() {
            let e = Raised::assume();
            if e.matches(PyExc_TypeError) {
                e.clear();
                bail!(PyExc_TypeError, "%c requires an integer in range(256) or a single byte");
            }
            return Err(e);
        }
        match u8::try_from(x) {
            Ok(c) => Ok(c),
            Err(_) => bail!(PyExc_OverflowError, "%c arg not in range(256)"),
        }
    }
}

/// The bytes that `%b` writes.
fn bytes_argument(v: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        if PyBytes_Check(v.ob()) != 0 {
            return Ok(v.to_owned());
        }
        if PyByteArray_Check(v.ob()) != 0 {
            return from_slice(crate::bytearrayobject::content(v.ob()));
        }
        if let Some(b) = dunder_bytes(v)? {
            return Ok(b);
        }
        if PyObject_CheckBuffer(v.ob()) != 0 {
            return from_buffer(v);
        }
        bail!(
            PyExc_TypeError,
            "%b requires a bytes-like object, or an object that implements __bytes__, not '{}'",
            type_name(v.ob())
        )
    }
}

/// The result of `__bytes__`, if the type has it.
fn dunder_bytes(v: Borrowed<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [GIL]
    unsafe {
        let f = _PyObject_LookupSpecial(v.ob(), intern!("__bytes__"));
        if f.is_null() {
            return if err_occurred() { Err(Raised::assume()) } else { Ok(None) };
        }
        let f = Owned::from_owned(f);
        let r = Owned::from_owned_or_err(PyObject_CallNoArgs(f.as_ptr()))?;
        if PyBytes_Check(r.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "__bytes__ returned non-bytes (type {})", type_name(r.as_ptr()));
        }
        Ok(Some(r))
    }
}

fn put_parts(out: &mut Vec<u8>, p: &Parts<'_>) -> PyResult<()> {
    // Widths are the user's: they may ask for more than there is.
    let room = p.left.saturating_add(p.zeros).saturating_add(p.right).saturating_add(p.body.len() + 4);
    if out.try_reserve(room).is_err() {
        return Err(no_memory());
    }

    out.resize(out.len() + p.left, b' ');
    out.extend(p.sign);
    out.extend_from_slice(p.prefix);
    out.resize(out.len() + p.zeros, b'0');
    out.extend_from_slice(p.body.bytes());
    out.resize(out.len() + p.right, b' ');
    Ok(())
}

/// `fmt % args` for bytes and bytearrays.
pub fn percent_format(fmt: &[u8], args: Borrowed<'_>) -> PyResult<Vec<u8>> {
    use layout::Text;
    // SAFETY: [ARGS]
    let mapping = unsafe {
        let tp = args.ob_type();
        !(*tp).tp_as_mapping.is_null()
            && (*(*tp).tp_as_mapping).mp_subscript.is_some()
            && PyTuple_Check(args.ob()) == 0
            && PyBytes_Check(args.ob()) == 0
            && PyUnicode_Check(args.ob()) == 0
            && PyByteArray_Check(args.ob()) == 0
    };
    let mut p = Percent::new(Text::U1(fmt), args, mapping, true);
    let mut out = Vec::with_capacity(fmt.len() + 16);
    while p.pos < fmt.len() {
        let rest = &fmt[p.pos..];
        let n = memchr::memchr(b'%', rest).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..n]);
        p.pos += n;
        if n == rest.len() {
            break;
        }
        p.pos += 1;
        if fmt.get(p.pos) == Some(&b'%') {
            p.pos += 1;
            out.push(b'%');
            continue;
        }
        let d = p.directive()?;
        let arg = p.next_arg()?;
        let v = arg.borrow();
        let cut = |s: &[u8]| d.prec.map_or(s.len(), |n| n.min(s.len()));
        match d.conv as u8 {
            b'r' | b'a' => {
                // SAFETY: [GIL]
                let s = unsafe { Owned::from_owned_or_err(PyObject_ASCII(v.ob()))? };
                // SAFETY: [TYPE] a str.
                let t = unsafe { layout::text_of(s.as_ptr()) }.bytes();
                put_parts(&mut out, &lay_out(&d, Text::U1(&t[..cut(t)]), false))?;
            }
            b's' | b'b' => {
                let b = bytes_argument(v)?;
                // SAFETY: [TYPE] bytes.
                let s = unsafe { content(b.as_ptr()) };
                put_parts(&mut out, &lay_out(&d, Text::U1(&s[..cut(s)]), false))?;
            }
            conv @ (b'd' | b'i' | b'u' | b'o' | b'x' | b'X') => {
                let i = integer_of(v, if conv == b'i' { b'd' } else { conv })?;
                let digits = format_long(i.as_ptr(), d.flags & F_ALT != 0, d.prec, conv)?;
                put_parts(&mut out, &lay_out(&d, Text::U1(&digits), true))?;
            }
            b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => {
                let digits = match format_float(v, &d) {
                    Ok(s) => s,
                    // SAFETY: [ARGS]
                    Err(_) => bail!(PyExc_TypeError, "float argument required, not {}", unsafe { type_name(v.ob()) }),
                };
                put_parts(&mut out, &lay_out(&d, Text::U1(&digits), true))?;
            }
            b'c' => {
                let c = [byte_argument(v)?];
                put_parts(&mut out, &lay_out(&d, Text::U1(&c), false))?;
            }
            _ => {
                let shown = d.conv as u8 as char;
                bail!(
                    PyExc_ValueError,
                    "unsupported format character '{}' (0x{:x}) at index {}",
                    shown,
                    d.conv,
                    p.pos - 1
                );
            }
        }
        p.check_mapping()?;
    }
    p.finish()?;
    Ok(out)
}

// --- methods

fn bytes_fromhex(tp: Borrowed<'_, PyTypeObject>, string: Str<'_>) -> PyResult<Owned> {
    let b = from_slice(&shared::parse_hex(string)?)?;
    if tp.as_ptr() == &raw mut PyBytes_Type {
        return Ok(b);
    }
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyObject_CallOneArg(tp.ob(), b.as_ptr())) }
}

fn bytes_getnewargs(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    let copy = from_slice(unsafe { content(slf.ob()) })?.into_raw();
    // SAFETY: [OWN] the reference passes to the tuple.
    unsafe { Owned::from_owned_or_err(_PyTuple_FromArraySteal(&copy, 1)) }
}

fn bytes_dunder_bytes(slf: Borrowed<'_>) -> PyResult<Owned> {
    ForBytes::unchanged(slf)
}

crate::shared_bytes_methods! {
    /// Methods of `bytes`.
    static BYTES_METHODS, ForBytes, [
        "__getnewargs__($self, /)" => bytes_getnewargs, "";
        "__bytes__($self, /)" => bytes_dunder_bytes, "Return the object as exact bytes.";
        class "fromhex($type, string, /)" => bytes_fromhex, "Make bytes of hexadecimal digits, with or without white space between bytes.";
        "join($self, iterable_of_bytes, /)" => shared::join::<ForBytes>, "Concatenate bytes-like objects with these bytes between them.";
    ]
}

fn bytes_new(tp: Borrowed<'_, PyTypeObject>, source: Option<Borrowed<'_>>, encoding: Option<CText>, errors: Option<CText>) -> PyResult<Owned> {
    let made = make_bytes(source, encoding, errors)?;
    if tp.as_ptr() == &raw mut PyBytes_Type {
        return Ok(made);
    }
    // SAFETY: [TYPE] tp derives from bytes: its allocator gives room for the items.
    unsafe {
        let s = content(made.as_ptr());
        let Some(alloc) = (*tp.as_ptr()).tp_alloc else { bail!(PyExc_SystemError, "bytes subclass without tp_alloc") };
        let new = Owned::from_owned_or_err(alloc(tp.as_ptr(), s.len() as isize))?;
        copy_nonoverlapping(s.as_ptr(), data(new.as_ptr()), s.len() + 1);
        set_hash(new.as_ptr().cast(), get_hash(made.as_ptr().cast()));
        Ok(new)
    }
}

fn make_bytes(source: Option<Borrowed<'_>>, encoding: Option<CText>, errors: Option<CText>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let Some(x) = source else {
            if encoding.is_some() || errors.is_some() {
                let what = if encoding.is_some() { "encoding" } else { "errors" };
                bail!(PyExc_TypeError, "{} without a string argument", what);
            }
            return Ok(empty());
        };
        let text = PyUnicode_Check(x.ob()) != 0;
        if let Some(encoding) = encoding {
            if !text {
                bail!(PyExc_TypeError, "encoding without a string argument");
            }
            return Owned::from_owned_or_err(PyUnicode_AsEncodedString(x.ob(), encoding.0, CText::or_null(errors)));
        }
        if errors.is_some() {
            if text {
                bail!(PyExc_TypeError, "string argument without an encoding");
            }
            bail!(PyExc_TypeError, "errors without a string argument");
        }
        if let Some(b) = dunder_bytes(x)? {
            return Ok(b);
        }
        if text {
            bail!(PyExc_TypeError, "string argument without an encoding");
        }
        if PyIndex_Check(x.ob()) != 0 {
            let n = PyNumber_AsSsize_t(x.ob(), PyExc_OverflowError);
            if n == -1 && err_occurred() {
                let e = Raised::assume();
                if !e.matches(PyExc_TypeError) {
                    return Err(e);
                }
                e.clear();
            } else {
                if n < 0 {
                    bail!(PyExc_ValueError, "negative count");
                }
                return ForBytes::build(n as usize, |out| out.fill(0));
            }
        }
        from_object(x)
    }
}

fn from_buffer(x: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] the view is released below.
    unsafe {
        let mut view: Py_buffer = core::mem::zeroed();
        check_status(PyObject_GetBuffer(x.ob(), &mut view, PyBUF_FULL_RO))?;
        let made = new_bytes(view.len as usize).and_then(|new| {
            check_status(PyBuffer_ToContiguous(data(new.as_ptr()).cast(), &view, view.len, b'C' as c_char))?;
            Ok(if view.len == 1 { byte(*data(new.as_ptr())) } else { new })
        });
        PyBuffer_Release(&mut view);
        made
    }
}

fn byte_value(item: *mut PyObject) -> PyResult<u8> {
    // SAFETY: [ARGS]
    unsafe {
        let v = PyNumber_AsSsize_t(item, null_mut());
        if v == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        match u8::try_from(v) {
            Ok(b) => Ok(b),
            Err(_) => bail!(PyExc_ValueError, "bytes must be in range(0, 256)"),
        }
    }
}

/// Bytes of a bytes-like object or of an iterable of ints.
pub fn from_object(x: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [GIL] items are owned while Python code may run.
    unsafe {
        let p = x.ob();
        if PyBytes_CheckExact(p) != 0 {
            return Ok(x.to_owned());
        }
        if PyObject_CheckBuffer(p) != 0 {
            return from_buffer(x);
        }
        if PyList_CheckExact(p) != 0 || PyTuple_CheckExact(p) != 0 {
            let mut out = Vec::new();
            let mut i = 0;
            while let Some(&item) = crate::unicodeobject::ops::fast_items(p).get(i) {
                let item = Owned::from_borrowed(item);
                out.push(byte_value(item.as_ptr())?);
                i += 1;
            }
            return from_slice(&out);
        }
        if PyUnicode_Check(p) == 0 {
            match Owned::from_owned_or_err(PyObject_GetIter(p)) {
                Ok(it) => {
                    let hint = PyObject_LengthHint(p, 64);
                    if hint == -1 && err_occurred() {
                        return Err(Raised::assume());
                    }
                    let mut out = Vec::with_capacity((hint.max(0) as usize).min(1 << 20));
                    loop {
                        let item = PyIter_Next(it.as_ptr());
                        if item.is_null() {
                            if err_occurred() {
                                return Err(Raised::assume());
                            }
                            return from_slice(&out);
                        }
                        let item = Owned::from_owned(item);
                        out.push(byte_value(item.as_ptr())?);
                    }
                }
                Err(e) if e.matches(PyExc_TypeError) => e.clear(),
                Err(e) => return Err(e),
            }
        }
        bail!(PyExc_TypeError, "cannot convert '{}' object to bytes", type_name(p))
    }
}

unsafe extern "C" fn bytes_alloc(tp: *mut PyTypeObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [TYPE] the hash of a new instance is not known.
    unsafe {
        let op = PyType_GenericAlloc(tp, n);
        if !op.is_null() {
            set_hash(op.cast(), -1);
        }
        op
    }
}

static mut AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_remainder: Some(bytes_mod),
    // SAFETY: absent slots are NULL.
    ..unsafe { core::mem::zeroed() }
};
static mut AS_SEQUENCE: PySequenceMethods = PySequenceMethods {
    sq_length: Some(bytes_length),
    sq_concat: Some(bytes_concat),
    sq_repeat: Some(bytes_repeat),
    sq_item: Some(bytes_item),
    sq_contains: Some(bytes_contains),
    // SAFETY: absent slots are NULL.
    ..unsafe { core::mem::zeroed() }
};
static mut AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: Some(bytes_length), mp_subscript: Some(bytes_subscript), mp_ass_subscript: None };
static mut AS_BUFFER: PyBufferProcs = PyBufferProcs { bf_getbuffer: Some(bytes_getbuffer), bf_releasebuffer: None };

/// A `match` pattern `bytes(x)` captures the subject itself.
const _Py_TPFLAGS_MATCH_SELF: core::ffi::c_ulong = 1 << 22;

/// `bytes`.
#[unsafe(no_mangle)]
pub static mut PyBytes_Type: PyTypeObject = PyTypeObject {
    tp_name: c"bytes".as_ptr(),
    tp_basicsize: PyBytesObject_SIZE as Py_ssize_t,
    tp_itemsize: 1,
    tp_repr: Some(bytes_repr),
    tp_as_number: &raw mut AS_NUMBER,
    tp_as_sequence: &raw mut AS_SEQUENCE,
    tp_as_mapping: &raw mut AS_MAPPING,
    tp_hash: Some(hash_slot),
    tp_str: Some(bytes_str),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_as_buffer: &raw mut AS_BUFFER,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_BYTES_SUBCLASS | _Py_TPFLAGS_MATCH_SELF,
    tp_doc: c"bytes(iterable_of_ints) -> bytes\nbytes(string, encoding[, errors]) -> bytes\nbytes(bytes_or_buffer) -> immutable copy\nbytes(int) -> bytes object of zeros\nbytes() -> empty bytes object\n\nAn immutable sequence of integers from 0 to 255."
        .as_ptr(),
    tp_richcompare: Some(bytes_richcompare),
    tp_iter: Some(bytes_iter),
    tp_methods: (&raw mut BYTES_METHODS).cast(),
    tp_alloc: Some(bytes_alloc),
    tp_new: Some(constructor!(
        "bytes(source=<unrepresentable>, encoding=<unrepresentable>, errors=<unrepresentable>)" => bytes_new
    )),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

// --- iterator

#[repr(C)]
struct bytesiterobject {
    ob_base: PyObject,
    it_index: Py_ssize_t,
    it_seq: *mut PyObject,
}

unsafe extern "C" fn bytesiter_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        gc_untrack(op);
        Py_XDECREF((*op.cast::<bytesiterobject>()).it_seq);
        PyObject_GC_Del(op.cast());
    }
}

unsafe extern "C" fn bytesiter_traverse(op: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        py_visit!(visitor, arg; (*op.cast::<bytesiterobject>()).it_seq);
    }
    0
}

unsafe extern "C" fn bytesiter_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let it = op.cast::<bytesiterobject>();
        if (*it).it_seq.is_null() {
            return null_mut();
        }
        if let Some(&c) = content((*it).it_seq).get((*it).it_index as usize) {
            (*it).it_index += 1;
            return PyLong_FromLong(c as i64);
        }
        setref(&raw mut (*it).it_seq, null_mut());
        null_mut()
    }
}

fn bytesiter_len(it: Borrowed<'_, bytesiterobject>) -> PyResult<isize> {
    // SAFETY: [TYPE]
    Ok(if it.it_seq.is_null() { 0 } else { unsafe { content(it.it_seq).len() as isize - it.it_index } })
}

fn bytesiter_reduce(it: Borrowed<'_, bytesiterobject>) -> PyResult<Owned> {
    // SAFETY: [GIL] the builtin is fetched first: that may run code that exhausts the iterator.
    unsafe {
        let iter = Owned::from_owned_or_err(_PyEval_GetBuiltin(intern!("iter")))?;
        if it.it_seq.is_null() {
            return Owned::from_owned_or_err(Py_BuildValue(c"O(())".as_ptr(), iter.as_ptr()));
        }
        Owned::from_owned_or_err(Py_BuildValue(c"O(O)n".as_ptr(), iter.as_ptr(), it.it_seq, it.it_index))
    }
}

fn bytesiter_setstate(it: Borrowed<'_, bytesiterobject>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let index = PyLong_AsSsize_t(state.ob());
        if index == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if !it.it_seq.is_null() {
            (*it.as_ptr()).it_index = index.clamp(0, content(it.it_seq).len() as isize);
        }
    }
    Ok(())
}

methods! {
    static ITER_METHODS = [
        "__length_hint__($self, /)" => bytesiter_len, "Return how many bytes are left.";
        "__reduce__($self, /)" => bytesiter_reduce, "Return what pickle needs.";
        "__setstate__($self, state, /)" => bytesiter_setstate, "Move to a position.";
    ];
}

/// Type of iterators over bytes.
#[unsafe(no_mangle)]
pub static mut PyBytesIter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"bytes_iterator".as_ptr(),
    tp_basicsize: size_of::<bytesiterobject>() as Py_ssize_t,
    tp_dealloc: Some(bytesiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(bytesiter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(bytesiter_next),
    tp_methods: (&raw mut ITER_METHODS).cast(),
    ..TYPE_INIT
};

unsafe extern "C" fn bytes_iter(seq: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] slot of bytes.
    unsafe {
        let it = gc_new::<bytesiterobject>(&raw mut PyBytesIter_Type);
        if it.is_null() {
            return null_mut();
        }
        (*it).it_index = 0;
        Py_INCREF(seq);
        (*it).it_seq = seq;
        gc_track(it.cast());
        it.cast()
    }
}

// --- C functions

/// A bytes object of `size` bytes, copied from `s` unless it is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBytes_FromStringAndSize(s: *const c_char, size: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if size < 0 {
            return raised(raise!(PyExc_SystemError, "Negative size passed to PyBytes_FromStringAndSize"));
        }
        if s.is_null() {
            return new_bytes(size as usize).into_c();
        }
        from_slice(raw_bytes(s, size)).into_c()
    }
}
/// A bytes object of NUL-terminated text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBytes_FromString(s: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { from_slice(CStr::from_ptr(s).to_bytes()).into_c() }
}
/// Bytes of a bytes-like object or an iterable of ints.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBytes_FromObject(x: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if x.is_null() {
            PyErr_BadInternalCall();
            return null_mut();
        }
        from_object(Borrowed::from_ptr(x)).into_c()
    }
}

#[cold]
unsafe fn not_bytes(op: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_Format(PyExc_TypeError, c"expected bytes, %.200s found".as_ptr(), (*(*op).ob_type).tp_name);
        Raised::assume()
    }
}
/// How many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBytes_Size(op: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if PyBytes_Check(op) == 0 {
            let _ = not_bytes(op);
            return -1;
        }
        bytes_length(op)
    }
}
/// Address of the bytes, which a NUL follows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBytes_AsString(op: *mut PyObject) -> *mut c_char {
    // SAFETY: [ARGS]
    unsafe {
        if PyBytes_Check(op) == 0 {
            let _ = not_bytes(op);
            return null_mut();
        }
        data(op).cast()
    }
}
/// Address and number of the bytes; without `len`, ValueError if there is a NUL among them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBytes_AsStringAndSize(op: *mut PyObject, s: *mut *mut c_char, len: *mut Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if s.is_null() {
            PyErr_BadInternalCall();
            return -1;
        }
        if PyBytes_Check(op) == 0 {
            let _ = not_bytes(op);
            return -1;
        }
        *s = data(op).cast();
        if !len.is_null() {
            *len = bytes_length(op);
        } else if content(op).contains(&0) {
            let _ = raise!(PyExc_ValueError, "embedded null byte");
            return -1;
        }
        0
    }
}
/// `repr` of a bytes object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBytes_Repr(op: *mut PyObject, smartquotes: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { repr(content(op), smartquotes != 0).into_c() }
}
/// `*pv += w`; on error `*pv` becomes NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBytes_Concat(pv: *mut *mut PyObject, w: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let v = *pv;
        if v.is_null() {
            return;
        }
        if w.is_null() {
            setref(pv, null_mut());
            return;
        }
        if (*v).ob_refcnt.ob_refcnt == 1 && PyBytes_CheckExact(v) != 0 {
            let run = || -> PyResult<()> {
                let view = match View::get(Borrowed::from_ptr(w)) {
                    Ok(view) => view,
                    Err(_) => return Err(shared::cannot_concat(Borrowed::from_ptr(w), Borrowed::from_ptr(v))),
                };
                let n = content(v).len();
                let total = n.checked_add(view.len()).filter(|&t| t < isize::MAX as usize).ok_or_else(no_memory)?;
                check_status(_PyBytes_Resize(pv, total as isize))?;
                copy_nonoverlapping(view.as_ptr(), data(*pv).add(n), view.len());
                Ok(())
            };
            if run().is_err() && !(*pv).is_null() {
                setref(pv, null_mut());
            }
            return;
        }
        setref(pv, bytes_concat(v, w));
    }
}
/// As [`PyBytes_Concat`], and releases `w`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBytes_ConcatAndDel(pv: *mut *mut PyObject, w: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        PyBytes_Concat(pv, w);
        Py_XDECREF(w);
    }
}
/// Gives the object that only the caller sees another size; on error `*pv` becomes NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytes_Resize(pv: *mut *mut PyObject, newsize: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS] [OWN]
    unsafe {
        let v = *pv;
        if PyBytes_Check(v) == 0 || newsize < 0 {
            *pv = null_mut();
            Py_DECREF(v);
            PyErr_BadInternalCall();
            return -1;
        }
        let (old, new) = (content(v).len(), newsize as usize);
        if old == new {
            return 0;
        }
        if old == 0 || new == 0 || (*v).ob_refcnt.ob_refcnt != 1 || PyBytes_CheckExact(v) == 0 {
            let made = new_bytes(new).map(|b| {
                copy_nonoverlapping(data(v), data(b.as_ptr()), old.min(new));
                b
            });
            *pv = made.into_c();
            Py_DECREF(v);
            return if (*pv).is_null() { -1 } else { 0 };
        }
        let p: *mut PyBytesObject = PyObject_Realloc(v.cast(), PyBytesObject_SIZE + new).cast();
        *pv = p.cast();
        if p.is_null() {
            PyObject_Free(v.cast());
            let _ = no_memory();
            return -1;
        }
        (*p).ob_base.ob_size = newsize;
        set_hash(p, -1);
        *data(p.cast()).add(new) = 0;
        0
    }
}
/// Fills `dest` with repetitions of `src`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytes_Repeat(dest: *mut c_char, n: Py_ssize_t, src: *const c_char, m: Py_ssize_t) {
    // SAFETY: [ARGS]
    unsafe { repeat_bytes(dest.cast(), n as usize, raw_bytes(src, m)) }
}
/// `sep.join(iterable)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytes_Join(sep: *mut PyObject, iterable: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { shared::join::<ForBytes>(Borrowed::from_ptr(sep), Borrowed::from_ptr(iterable)).into_c() }
}
/// `format % args` for a bytes or bytearray format.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytes_FormatEx(format: *const c_char, len: Py_ssize_t, args: *mut PyObject, use_bytearray: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        percent_format(raw_bytes(format, len), Borrowed::from_ptr(args))
            .and_then(|s| if use_bytearray != 0 { crate::bytearrayobject::from_slice(&s) } else { from_slice(&s) })
            .into_c()
    }
}

// --- escapes of byte literals

/// An escape that a warning is due for: a character after a backslash (below 256) or an octal value above 0o377.
pub struct InvalidEscape {
    /// See the type.
    pub value: c_int,
    /// Its position: of the character, or of the octal digits.
    pub at: usize,
}

/// Resolves the escapes of a bytes literal.
pub fn decode_escape(s: &[u8], errors: *const c_char) -> PyResult<(Vec<u8>, Option<InvalidEscape>)> {
    let mut out = Vec::new();
    if out.try_reserve(s.len()).is_err() {
        // SAFETY: [GIL]
        unsafe { PyErr_NoMemory() };
        // SAFETY: [EXC] set above.
        return Err(unsafe { Raised::assume() });
    }
    let mut invalid: Option<InvalidEscape> = None;
    let mut i = 0;
    while i < s.len() {
        let run = memchr::memchr(b'\\', &s[i..]).unwrap_or(s.len() - i);
        out.extend_from_slice(&s[i..i + run]);
        i += run;
        if i == s.len() {
            break;
        }
        i += 1;
        let Some(&c) = s.get(i) else { bail!(PyExc_ValueError, "Trailing \\ in string") };
        i += 1;
        match c {
            b'\n' => {}
            b'\\' | b'\'' | b'"' => out.push(c),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b't' => out.push(b'\t'),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b'v' => out.push(11),
            b'a' => out.push(7),
            b'0'..=b'7' => {
                let start = i - 1;
                let mut v = (c - b'0') as c_int;
                while i < start + 3 && let Some(&d @ b'0'..=b'7') = s.get(i) {
                    v = v << 3 | (d - b'0') as c_int;
                    i += 1;
                }
                if v > 0o377 && invalid.is_none() {
                    invalid = Some(InvalidEscape { value: v, at: start });
                }
                out.push(v as u8);
            }
            b'x' => {
                let digit = |k: usize| s.get(k).and_then(|&c| (c as char).to_digit(16));
                if let (Some(a), Some(b)) = (digit(i), digit(i + 1)) {
                    out.push((a << 4 | b) as u8);
                    i += 2;
                    continue;
                }
                // SAFETY: [ARGS] NULL or NUL-terminated.
                let how = unsafe { if errors.is_null() { c"strict" } else { CStr::from_ptr(errors) } };
                match how.to_bytes() {
                    b"strict" => bail!(PyExc_ValueError, "invalid \\x escape at position {}", i - 2),
                    b"replace" => out.push(b'?'),
                    b"ignore" => {}
                    other => bail!(
                        PyExc_ValueError,
                        "decoding error; unknown error handling code: {}",
                        String::from_utf8_lossy(&other[..other.len().min(400)])
                    ),
                }
                if digit(i).is_some() {
                    i += 1;
                }
            }
            _ => {
                if invalid.is_none() {
                    invalid = Some(InvalidEscape { value: c as c_int, at: i - 1 });
                }
                out.push(b'\\');
                i -= 1;
            }
        }
    }
    Ok((out, invalid))
}

/// Resolves escapes; tells the first one to warn about.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytes_DecodeEscape2(
    s: *const c_char,
    len: Py_ssize_t,
    errors: *const c_char,
    first_invalid_escape_char: *mut c_int,
    first_invalid_escape_ptr: *mut *const c_char,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        *first_invalid_escape_char = -1;
        *first_invalid_escape_ptr = core::ptr::null();
        match decode_escape(raw_bytes(s, len), errors) {
            Ok((out, invalid)) => {
                if let Some(e) = invalid {
                    *first_invalid_escape_char = e.value;
                    *first_invalid_escape_ptr = s.add(e.at);
                }
                from_slice(&out).into_c()
            }
            Err(_) => null_mut(),
        }
    }
}
/// [`_PyBytes_DecodeEscape2`] without the character.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytes_DecodeEscape(s: *const c_char, len: Py_ssize_t, errors: *const c_char, first_invalid_escape: *mut *const c_char) -> *mut PyObject {
    let mut c = 0;
    // SAFETY: [ARGS]
    unsafe { _PyBytes_DecodeEscape2(s, len, errors, &mut c, first_invalid_escape) }
}
/// Resolves escapes, with a warning about invalid ones.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBytes_DecodeEscape(
    s: *const c_char,
    len: Py_ssize_t,
    errors: *const c_char,
    _unicode: Py_ssize_t,
    _recode_encoding: *const c_char,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if len > Py_ssize_t::MAX - size_of::<PyBytesObject>() as Py_ssize_t {
            return Err::<Owned, _>(raise!(PyExc_OverflowError, "byte string is too large")).into_c();
        }
        let Ok((out, invalid)) = decode_escape(raw_bytes(s, len), errors) else { return null_mut() };
        if let Some(e) = invalid {
            let format = if e.value > 0xff { c"invalid octal escape sequence '\\%o'" } else { c"invalid escape sequence '\\%c'" };
            if PyErr_WarnFormat(PyExc_DeprecationWarning, 1, format.as_ptr(), e.value) < 0 {
                return null_mut();
            }
        }
        from_slice(&out).into_c()
    }
}

// --- formatting of C values

/// Bytes by a format like printf's: `%c`, `%d`, `%u`, `%ld`, `%lu`, `%zd`, `%zu`, `%i`, `%x`, `%s`, `%p`, `%%`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyBytes_FromFormatV(format: *const c_char, va: *mut VaListTag) -> *mut PyObject {
    // SAFETY: [ARGS] the list has the arguments that the format names.
    unsafe {
        let f = CStr::from_ptr(format).to_bytes();
        let va = &mut *va;
        let mut out: Vec<u8> = Vec::with_capacity(f.len());
        let at = |i: usize| f.get(i).copied().unwrap_or(0);
        let mut i = 0;
        while i < f.len() {
            if f[i] != b'%' {
                out.push(f[i]);
                i += 1;
                continue;
            }
            let start = i;
            i += 1;
            while at(i).is_ascii_digit() {
                i += 1;
            }
            let mut prec = 0usize;
            if at(i) == b'.' {
                i += 1;
                while at(i).is_ascii_digit() {
                    prec = prec.saturating_mul(10).saturating_add((at(i) - b'0') as usize);
                    i += 1;
                }
            }
            while at(i) != 0 && at(i) != b'%' && !at(i).is_ascii_alphabetic() {
                i += 1;
            }
            let wide = matches!(at(i), b'l' | b'z') && matches!(at(i + 1), b'd' | b'u');
            if wide {
                i += 1;
            }
            match at(i) {
                b'c' => {
                    let c = va.next_int();
                    let Ok(c) = u8::try_from(c) else {
                        return raised(raise!(
                            PyExc_OverflowError,
                            "PyBytes_FromFormatV(): %c format expects an integer in range [0; 255]"
                        ));
                    };
                    out.push(c);
                }
                b'd' if wide => out.extend(va.next_long().to_string().bytes()),
                b'd' | b'i' => out.extend(va.next_int().to_string().bytes()),
                b'u' if wide => out.extend(va.next_u64().to_string().bytes()),
                b'u' => out.extend((va.next_int() as u32).to_string().bytes()),
                b'x' => out.extend(format!("{:x}", va.next_int()).bytes()),
                b's' => {
                    let p = va.next_ptr::<c_char>();
                    let n = if prec == 0 { libc::strlen(p) } else { libc::strnlen(p, prec) };
                    out.extend_from_slice(raw_bytes(p, n as isize));
                }
                b'p' => out.extend(format!("0x{:x}", va.next_u64()).bytes()),
                b'%' => out.push(b'%'),
                _ => {
                    // An unknown directive ends the interpretation: the rest is copied.
                    out.extend_from_slice(&f[start..]);
                    return from_slice(&out).into_c();
                }
            }
            i += 1;
        }
        from_slice(&out).into_c()
    }
}

// --- _PyBytesWriter

/// CPython's writer, which extension modules keep on their stack.
#[repr(C)]
pub struct _PyBytesWriter {
    buffer: *mut PyObject,
    allocated: Py_ssize_t,
    min_size: Py_ssize_t,
    use_bytearray: c_int,
    overallocate: c_int,
    use_small_buffer: c_int,
    small_buffer: [u8; 512],
}

impl _PyBytesWriter {
    unsafe fn start(&mut self) -> *mut u8 {
        // SAFETY: [OWN]
        unsafe {
            if self.use_small_buffer != 0 {
                (&raw mut self.small_buffer).cast()
            } else if self.use_bytearray != 0 {
                crate::bytearrayobject::data(self.buffer)
            } else {
                data(self.buffer)
            }
        }
    }
}

/// Makes `writer` an empty one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytesWriter_Init(writer: *mut _PyBytesWriter) {
    // SAFETY: [ARGS] the small buffer needs no initialisation.
    unsafe { core::ptr::write_bytes(writer.cast::<u8>(), 0, core::mem::offset_of!(_PyBytesWriter, small_buffer)) }
}
/// Drops what was written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytesWriter_Dealloc(writer: *mut _PyBytesWriter) {
    // SAFETY: [ARGS]
    unsafe { setref(&raw mut (*writer).buffer, null_mut()) }
}
/// Room for `size` bytes; where to write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytesWriter_Alloc(writer: *mut _PyBytesWriter, size: Py_ssize_t) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        (*writer).use_small_buffer = 1;
        (*writer).allocated = 512;
        let start = (*writer).start();
        _PyBytesWriter_Prepare(writer, start.cast(), size)
    }
}
/// Room for `size` bytes more than asked for before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytesWriter_Prepare(writer: *mut _PyBytesWriter, s: *mut c_void, size: Py_ssize_t) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let w = &mut *writer;
        if size == 0 {
            return s;
        }
        if w.min_size > isize::MAX - size {
            let _ = no_memory();
            _PyBytesWriter_Dealloc(writer);
            return null_mut();
        }
        let new_min = w.min_size + size;
        let s = if new_min > w.allocated { _PyBytesWriter_Resize(writer, s, new_min) } else { s };
        w.min_size = new_min;
        s
    }
}
/// Makes the buffer hold `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytesWriter_Resize(writer: *mut _PyBytesWriter, s: *mut c_void, size: Py_ssize_t) -> *mut c_void {
    // SAFETY: [ARGS] the position is carried over as an offset.
    unsafe {
        let w = &mut *writer;
        let mut allocated = size;
        if w.overallocate != 0 && allocated <= isize::MAX - allocated / 4 {
            allocated += allocated / 4;
        }
        let pos = s.cast::<u8>().offset_from(w.start());
        if w.use_small_buffer == 0 {
            let failed = if w.use_bytearray != 0 {
                PyByteArray_Resize(w.buffer, allocated) != 0
            } else {
                _PyBytes_Resize(&mut w.buffer, allocated) != 0
            };
            if failed {
                _PyBytesWriter_Dealloc(writer);
                w.allocated = 0;
                return null_mut();
            }
        } else {
            let buffer = if w.use_bytearray != 0 {
                PyByteArray_FromStringAndSize(core::ptr::null(), allocated)
            } else {
                new_bytes(allocated as usize).into_c()
            };
            if buffer.is_null() {
                w.allocated = 0;
                return null_mut();
            }
            w.buffer = buffer;
            w.use_small_buffer = 0;
            copy_nonoverlapping((&raw const w.small_buffer).cast::<u8>(), w.start(), pos as usize);
        }
        w.allocated = allocated;
        w.start().offset(pos).cast()
    }
}
/// Writes bytes; where to go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytesWriter_WriteBytes(writer: *mut _PyBytesWriter, s: *mut c_void, bytes: *const c_void, size: Py_ssize_t) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let s = _PyBytesWriter_Prepare(writer, s, size);
        if s.is_null() {
            return s;
        }
        copy_nonoverlapping(bytes.cast::<u8>(), s.cast::<u8>(), size as usize);
        s.byte_offset(size)
    }
}
/// The bytes (or bytearray) written up to `s`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytesWriter_Finish(writer: *mut _PyBytesWriter, s: *mut c_void) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let w = &mut *writer;
        let size = s.cast::<u8>().offset_from(w.start());
        if w.use_small_buffer != 0 {
            let s = core::slice::from_raw_parts(w.start(), size as usize);
            return if w.use_bytearray != 0 { crate::bytearrayobject::from_slice(s).into_c() } else { from_slice(s).into_c() };
        }
        let mut result = w.buffer;
        w.buffer = null_mut();
        if size == 0 && w.use_bytearray == 0 {
            Py_DECREF(result);
            return empty().into_raw();
        }
        if w.use_bytearray != 0 {
            if Py_SIZE(result) != size && PyByteArray_Resize(result, size) != 0 {
                Py_DECREF(result);
                return null_mut();
            }
        } else if Py_SIZE(result) != size && _PyBytes_Resize(&mut result, size) != 0 {
            return null_mut();
        }
        result
    }
}
