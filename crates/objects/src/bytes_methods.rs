//! Methods that `bytes` and `bytearray` share, written once over [`Flavor`].

use crate::stringlib::{self, adjust_indices, fastsearch::Searcher, split};
use crate::unicodeobject::args::{CText, slice_args};
use crate::unicodeobject::{layout, ops::fast_items};
use core::ffi::{CStr, c_char, c_int};
use core::ops::Range;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::from_arg::Where;
use taipan_clinic::{FromArg, Str};

/// What differs between the two types.
pub trait Flavor: Copy + 'static {
    /// Whether instances can change, so that results are always new objects.
    const MUTABLE: bool;
    /// The bytes of an instance, as long as nothing changes it.
    ///
    /// # Safety
    /// `op` is an instance that stays unmodified for `'a`.
    unsafe fn content<'a>(op: *mut PyObject) -> &'a [u8];
    /// A new object of `n` bytes, which `fill` writes.
    fn build(n: usize, fill: impl FnOnce(&mut [u8])) -> PyResult<Owned>;
    /// A new object with these bytes.
    fn make(s: &[u8]) -> PyResult<Owned>;
    /// Whether `op` is exactly of the type.
    fn exact(op: *mut PyObject) -> bool;
    /// `op` itself if it is immutable and exact, otherwise a copy.
    fn unchanged(op: Borrowed<'_>) -> PyResult<Owned> {
        if !Self::MUTABLE && Self::exact(op.ob()) {
            return Ok(op.to_owned());
        }
        // SAFETY: [TYPE]
        Self::make(unsafe { Self::content(op.ob()) })
    }
    /// The part of `op` that holds these bytes.
    fn part(op: Borrowed<'_>, r: Range<usize>) -> PyResult<Owned> {
        // SAFETY: [TYPE]
        let s = unsafe { Self::content(op.ob()) };
        if r.start == 0 && r.end == s.len() { Self::unchanged(op) } else { Self::make(&s[r]) }
    }
}

/// A simple view of a bytes-like object; bytes objects are read without the buffer protocol.
pub struct View<'a> {
    bytes: &'a [u8],
    buffer: Option<Py_buffer>,
}

impl<'a> View<'a> {
    /// Gets the view; TypeError if `op` is not bytes-like.
    #[inline]
    pub fn get(op: Borrowed<'a>) -> PyResult<Self> {
        // SAFETY: [ARGS] the view lives no longer than the argument.
        unsafe {
            if PyBytes_Check(op.ob()) != 0 {
                return Ok(View { bytes: crate::bytesobject::content(op.ob()), buffer: None });
            }
            let mut buffer: Py_buffer = core::mem::zeroed();
            check_status(PyObject_GetBuffer(op.ob(), &mut buffer, PyBUF_SIMPLE))?;
            let bytes = if buffer.len == 0 { &[][..] } else { core::slice::from_raw_parts(buffer.buf.cast(), buffer.len as usize) };
            Ok(View { bytes, buffer: Some(buffer) })
        }
    }
}
impl core::ops::Deref for View<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes
    }
}
impl Drop for View<'_> {
    fn drop(&mut self) {
        if let Some(b) = &mut self.buffer {
            // SAFETY: filled by PyObject_GetBuffer.
            unsafe { PyBuffer_Release(b) }
        }
    }
}
impl<'a> FromArg<'a> for View<'a> {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        if arg.is_null() {
            return Ok(View { bytes: &[], buffer: None });
        }
        // SAFETY: [ARGS]
        View::get(unsafe { Borrowed::from_ptr(arg) })
    }
}

/// A value from 0 to 255 through `__index__`.
#[derive(Clone, Copy)]
pub struct Byte(pub u8);

impl Byte {
    /// Converts; ValueError "byte must be in range(0, 256)".
    pub fn get(op: Borrowed<'_>) -> PyResult<Byte> {
        // SAFETY: [ARGS]
        unsafe {
            let mut overflow = 0;
            let v = PyLong_AsLongAndOverflow(op.ob(), &mut overflow);
            if v == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            if !(0..256).contains(&v) || overflow != 0 {
                bail!(PyExc_ValueError, "byte must be in range(0, 256)");
            }
            Ok(Byte(v as u8))
        }
    }
}
impl<'a> FromArg<'a> for Byte {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        Byte::get(unsafe { Borrowed::from_ptr(arg) })
    }
}

/// The fill character of the padding methods.
#[derive(Clone, Copy)]
pub struct FillByte(pub u8);
impl<'a> FromArg<'a> for FillByte {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if arg.is_null() {
                return Ok(FillByte(b' '));
            }
            let s = if PyBytes_Check(arg) != 0 {
                crate::bytesobject::content(arg)
            } else if PyByteArray_Check(arg) != 0 {
                crate::bytearrayobject::content(arg)
            } else {
                return Err(at.bad("a byte string of length 1", arg));
            };
            match s {
                [c] => Ok(FillByte(*c)),
                _ => Err(at.bad("a byte string of length 1", arg)),
            }
        }
    }
}

/// ASCII white space as `bytes` methods know it.
#[inline]
pub fn is_space(c: u8) -> bool {
    matches!(c, 9..=13 | 32)
}

// --- searching

/// What to search for: bytes, or a single byte given as an int.
enum Needle<'a> {
    View(View<'a>),
    Byte([u8; 1]),
}

impl<'a> Needle<'a> {
    fn get(op: Borrowed<'a>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if PyObject_CheckBuffer(op.ob()) != 0 {
                return View::get(op).map(Needle::View);
            }
            if PyIndex_Check(op.ob()) == 0 {
                bail!(PyExc_TypeError, "argument should be integer or bytes-like object, not '{}'", type_name(op.ob()));
            }
            let v = PyNumber_AsSsize_t(op.ob(), null_mut());
            if v == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            match u8::try_from(v) {
                Ok(b) => Ok(Needle::Byte([b])),
                Err(_) => bail!(PyExc_ValueError, "byte must be in range(0, 256)"),
            }
        }
    }
    fn bytes(&self) -> &[u8] {
        match self {
            Needle::View(v) => v,
            Needle::Byte(b) => b,
        }
    }
}

fn find_slice(s: &[u8], sub: &[u8], start: isize, end: isize, backwards: bool) -> Option<usize> {
    let (start, end) = adjust_indices(start, end, s.len());
    if end - start < sub.len() as isize {
        return None;
    }
    let part = &s[start as usize..end as usize];
    let found = if backwards { stringlib::rfind(part, sub) } else { stringlib::find(part, sub) };
    found.map(|i| i + start as usize)
}

/// The names of the five search methods, by number.
pub const FIND: u8 = 0;
/// `rfind`.
pub const RFIND: u8 = 1;
/// `index`.
pub const INDEX: u8 = 2;
/// `rindex`.
pub const RINDEX: u8 = 3;
/// `count`.
pub const COUNT: u8 = 4;
/// `startswith`.
pub const STARTSWITH: u8 = 5;
/// `endswith`.
pub const ENDSWITH: u8 = 6;
const SEARCH_NAMES: [&CStr; 7] = [c"find", c"rfind", c"index", c"rindex", c"count", c"startswith", c"endswith"];

/// C entry of `find`, `rfind`, `index`, `rindex`, `count`, `startswith` and `endswith`.
pub unsafe extern "C" fn search<F: Flavor, const OP: u8>(slf: *mut PyObject, args: *mut *mut PyObject, nargs: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS] the count is checked before arguments are read.
    unsafe {
        if !(1..=3).contains(&nargs) && _PyArg_CheckPositional(SEARCH_NAMES[OP as usize].as_ptr(), nargs, 1, 3) == 0 {
            return null_mut();
        }
        let run = || -> PyResult<*mut PyObject> {
            let sub = Borrowed::from_ptr(*args);
            let (start, end) = slice_args(args, nargs)?;
            if OP == STARTSWITH || OP == ENDSWITH {
                let yes = ends::<F>(slf, sub, start, end, OP == ENDSWITH)?;
                return Ok(if yes { Py_True() } else { Py_False() });
            }
            let needle = Needle::get(sub)?;
            let s = F::content(slf);
            if OP == COUNT {
                let (start, end) = adjust_indices(start, end, s.len());
                let n = if end < start { 0 } else { stringlib::count(&s[start as usize..end as usize], needle.bytes(), usize::MAX) };
                return Ok(PyLong_FromSize_t(n));
            }
            match find_slice(s, needle.bytes(), start, end, OP == RFIND || OP == RINDEX) {
                Some(i) => Ok(PyLong_FromSsize_t(i as isize)),
                None if OP == INDEX || OP == RINDEX => bail!(PyExc_ValueError, "subsection not found"),
                None => Ok(PyLong_FromSsize_t(-1)),
            }
        };
        run().unwrap_or(null_mut())
    }
}

fn tail_matches(s: &[u8], sub: &[u8], start: isize, end: isize, at_end: bool) -> bool {
    let (start, end) = adjust_indices(start, end, s.len());
    if start > s.len() as isize || end - start < sub.len() as isize {
        return false;
    }
    let part = &s[start as usize..end as usize];
    if at_end { part.ends_with(sub) } else { part.starts_with(sub) }
}

unsafe fn ends<F: Flavor>(slf: *mut PyObject, sub: Borrowed<'_>, start: isize, end: isize, at_end: bool) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_Check(sub.ob()) != 0 {
            for &item in fast_items(sub.ob()) {
                let v = View::get(Borrowed::from_ptr(item))?;
                if tail_matches(F::content(slf), &v, start, end, at_end) {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        match View::get(sub) {
            Ok(v) => Ok(tail_matches(F::content(slf), &v, start, end, at_end)),
            Err(e) if e.matches(PyExc_TypeError) => {
                e.clear();
                bail!(
                    PyExc_TypeError,
                    "{} first arg must be bytes or a tuple of bytes, not {}",
                    if at_end { "endswith" } else { "startswith" },
                    type_name(sub.ob())
                )
            }
            Err(e) => Err(e),
        }
    }
}

/// `x in b`: `x` is a byte as an int, or bytes.
pub fn contains<F: Flavor>(slf: Borrowed<'_>, arg: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let v = PyNumber_AsSsize_t(arg.ob(), null_mut());
        if v == -1 && err_occurred() {
            PyErr_Clear();
            let sub = View::get(arg)?;
            return Ok(stringlib::find(F::content(slf.ob()), &sub[..]).is_some());
        }
        match u8::try_from(v) {
            Ok(b) => Ok(memchr::memchr(b, F::content(slf.ob())).is_some()),
            Err(_) => bail!(PyExc_ValueError, "byte must be in range(0, 256)"),
        }
    }
}

// --- splitting and joining

fn limit(max: isize) -> usize {
    if max < 0 { usize::MAX } else { max as usize }
}

struct Pieces<'a, F> {
    list: Owned,
    source: Borrowed<'a>,
    flavor: core::marker::PhantomData<F>,
}
impl<'a, F: Flavor> Pieces<'a, F> {
    fn new(source: Borrowed<'a>) -> PyResult<Self> {
        // SAFETY: [GIL]
        Ok(Pieces { list: unsafe { Owned::from_owned_or_err(PyList_New(0))? }, source, flavor: core::marker::PhantomData })
    }
    fn push(&self, r: Range<usize>) -> PyResult<()> {
        let piece = F::part(self.source, r)?;
        // SAFETY: [TYPE] a list.
        check_status(unsafe { PyList_Append(self.list.as_ptr(), piece.as_ptr()) })
    }
}

fn space(c: u32) -> bool {
    is_space(c as u8)
}

/// `split`.
pub fn split<F: Flavor>(slf: Borrowed<'_>, sep: Borrowed<'_>, maxsplit: isize) -> PyResult<Owned> {
    let pieces = Pieces::<F>::new(slf)?;
    if sep.is_none() {
        // SAFETY: [TYPE] making pieces does not change the source.
        let s = unsafe { F::content(slf.ob()) };
        split::split_whitespace(s, limit(maxsplit), space, |r| pieces.push(r))?;
        return Ok(pieces.list);
    }
    let sep = View::get(sep)?;
    if sep.is_empty() {
        bail!(PyExc_ValueError, "empty separator");
    }
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    split::split(s, &sep, limit(maxsplit), |r| pieces.push(r))?;
    Ok(pieces.list)
}

/// `rsplit`.
pub fn rsplit<F: Flavor>(slf: Borrowed<'_>, sep: Borrowed<'_>, maxsplit: isize) -> PyResult<Owned> {
    let pieces = Pieces::<F>::new(slf)?;
    if sep.is_none() {
        // SAFETY: [TYPE]
        let s = unsafe { F::content(slf.ob()) };
        split::rsplit_whitespace(s, limit(maxsplit), space, |r| pieces.push(r))?;
    } else {
        let sep = View::get(sep)?;
        if sep.is_empty() {
            bail!(PyExc_ValueError, "empty separator");
        }
        // SAFETY: [TYPE]
        let s = unsafe { F::content(slf.ob()) };
        split::rsplit(s, &sep, limit(maxsplit), |r| pieces.push(r))?;
    }
    // SAFETY: [TYPE] a list.
    check_status(unsafe { PyList_Reverse(pieces.list.as_ptr()) })?;
    Ok(pieces.list)
}

/// `splitlines`.
pub fn splitlines<F: Flavor>(slf: Borrowed<'_>, keepends: bool) -> PyResult<Owned> {
    let pieces = Pieces::<F>::new(slf)?;
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    split::splitlines(s, keepends, |c| c == 10 || c == 13, |r| pieces.push(r))?;
    Ok(pieces.list)
}

/// `partition` and, from the end, `rpartition`.
fn partition_at<F: Flavor>(slf: Borrowed<'_>, sep: Borrowed<'_>, backwards: bool) -> PyResult<Owned> {
    // A bytearray's separator is copied into a bytearray of its own; bytes give the argument itself back.
    let copied;
    let (view, sep) = if F::MUTABLE {
        copied = F::make(&View::get(sep)?)?;
        (View::get(copied.borrow())?, copied.borrow())
    } else {
        (View::get(sep)?, sep)
    };
    if view.is_empty() {
        bail!(PyExc_ValueError, "empty separator");
    }
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    let parts = match find_slice(s, &view, 0, isize::MAX, backwards) {
        Some(i) => [F::part(slf, 0..i)?, sep.to_owned(), F::part(slf, i + view.len()..s.len())?],
        None if backwards => [F::make(&[])?, F::make(&[])?, F::unchanged(slf)?],
        None => [F::unchanged(slf)?, F::make(&[])?, F::make(&[])?],
    };
    let items = parts.map(Owned::into_raw);
    // SAFETY: [OWN] the references pass to the tuple.
    unsafe { Owned::from_owned_or_err(_PyTuple_FromArraySteal(items.as_ptr(), 3)) }
}
/// `partition`.
pub fn partition<F: Flavor>(slf: Borrowed<'_>, sep: Borrowed<'_>) -> PyResult<Owned> {
    partition_at::<F>(slf, sep, false)
}
/// `rpartition`.
pub fn rpartition<F: Flavor>(slf: Borrowed<'_>, sep: Borrowed<'_>) -> PyResult<Owned> {
    partition_at::<F>(slf, sep, true)
}

/// `join`.
pub fn join<F: Flavor>(slf: Borrowed<'_>, iterable: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] buffers are held while their bytes are read; the sequence's size is watched.
    unsafe {
        let seq = Owned::from_owned_or_err(PySequence_Fast(iterable.ob(), c"can only join an iterable".as_ptr()))?;
        let n = fast_items(seq.as_ptr()).len();
        if n == 0 {
            return F::make(&[]);
        }
        let sep = F::content(slf.ob());
        if n == 1 && !F::MUTABLE && F::exact(fast_items(seq.as_ptr())[0]) {
            return Ok(Owned::from_borrowed(fast_items(seq.as_ptr())[0]));
        }
        let mut owners = Vec::new();
        let mut views: Vec<View<'_>> = Vec::with_capacity(n);
        let mut total = 0usize;
        for i in 0..n {
            let item = Owned::from_borrowed(fast_items(seq.as_ptr())[i]);
            let p = item.as_ptr();
            owners.push(item);
            match View::get(Borrowed::from_ptr(p)) {
                Ok(v) => views.push(v),
                Err(_) => {
                    PyErr_Format(
                        PyExc_TypeError,
                        c"sequence item %zd: expected a bytes-like object, %.80s found".as_ptr(),
                        i as isize,
                        (*(*p).ob_type).tp_name,
                    );
                    return Err(Raised::assume());
                }
            }
            let add = views[i].len() + if i > 0 { sep.len() } else { 0 };
            match total.checked_add(add) {
                Some(t) if t <= isize::MAX as usize => total = t,
                _ => bail!(PyExc_OverflowError, "join() result is too long"),
            }
            if fast_items(seq.as_ptr()).len() != n {
                bail!(PyExc_RuntimeError, "sequence changed size during iteration");
            }
        }
        let result = F::build(total, |out| {
            let mut at = 0;
            for (i, v) in views.iter().enumerate() {
                if i > 0 {
                    out[at..at + sep.len()].copy_from_slice(sep);
                    at += sep.len();
                }
                out[at..at + v.len()].copy_from_slice(v);
                at += v.len();
            }
        });
        drop(views);
        drop(owners);
        result
    }
}

/// `replace`.
pub fn replace<F: Flavor>(slf: Borrowed<'_>, old: View<'_>, new: View<'_>, count: isize) -> PyResult<Owned> {
    // SAFETY: [TYPE] nothing runs Python code below.
    let s = unsafe { F::content(slf.ob()) };
    let max = limit(count);
    if s.len() < old.len() || max == 0 || (old.is_empty() && new.is_empty()) {
        return F::unchanged(slf);
    }
    let mut at: Vec<usize> = Vec::new();
    if old.is_empty() {
        at.extend((0..=s.len()).take(max));
    } else {
        let searcher = Searcher::new(&old[..]);
        let mut i = 0;
        while at.len() < max {
            let Some(k) = searcher.find(&s[i..]) else { break };
            at.push(i + k);
            i += k + old.len();
        }
    }
    if at.is_empty() {
        return F::unchanged(slf);
    }
    let kept = s.len() - at.len() * old.len();
    let total = match at.len().checked_mul(new.len()).and_then(|n| n.checked_add(kept)) {
        Some(n) if n <= isize::MAX as usize => n,
        _ => bail!(PyExc_OverflowError, "replace bytes is too long"),
    };
    F::build(total, |out| {
        let (mut from, mut to) = (0, 0);
        for &i in &at {
            out[to..to + i - from].copy_from_slice(&s[from..i]);
            to += i - from;
            out[to..to + new.len()].copy_from_slice(&new);
            to += new.len();
            from = i + old.len();
        }
        out[to..].copy_from_slice(&s[from..]);
    })
}

// --- stripping, padding

fn strip_with<F: Flavor>(slf: Borrowed<'_>, chars: Borrowed<'_>, left: bool, right: bool) -> PyResult<Owned> {
    let mut drop_byte = [false; 256];
    if chars.is_none() {
        (0..=255u8).for_each(|c| drop_byte[c as usize] = is_space(c));
    } else {
        View::get(chars)?.iter().for_each(|&c| drop_byte[c as usize] = true);
    }
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    let (mut i, mut j) = (0, s.len());
    while left && i < j && drop_byte[s[i] as usize] {
        i += 1;
    }
    while right && j > i && drop_byte[s[j - 1] as usize] {
        j -= 1;
    }
    F::part(slf, i..j)
}
/// `strip`.
pub fn strip<F: Flavor>(slf: Borrowed<'_>, chars: Borrowed<'_>) -> PyResult<Owned> {
    strip_with::<F>(slf, chars, true, true)
}
/// `lstrip`.
pub fn lstrip<F: Flavor>(slf: Borrowed<'_>, chars: Borrowed<'_>) -> PyResult<Owned> {
    strip_with::<F>(slf, chars, true, false)
}
/// `rstrip`.
pub fn rstrip<F: Flavor>(slf: Borrowed<'_>, chars: Borrowed<'_>) -> PyResult<Owned> {
    strip_with::<F>(slf, chars, false, true)
}

/// `removeprefix`.
pub fn removeprefix<F: Flavor>(slf: Borrowed<'_>, prefix: View<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    let cut = if !prefix.is_empty() && s.starts_with(&prefix) { prefix.len() } else { 0 };
    F::part(slf, cut..s.len())
}
/// `removesuffix`.
pub fn removesuffix<F: Flavor>(slf: Borrowed<'_>, suffix: View<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    let cut = if !suffix.is_empty() && s.ends_with(&suffix) { suffix.len() } else { 0 };
    F::part(slf, 0..s.len() - cut)
}

fn pad<F: Flavor>(slf: Borrowed<'_>, left: isize, right: isize, fill: u8) -> PyResult<Owned> {
    let (left, right) = (left.max(0) as usize, right.max(0) as usize);
    if left == 0 && right == 0 {
        return F::unchanged(slf);
    }
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    match s.len().checked_add(left).and_then(|n| n.checked_add(right)) {
        Some(n) if n < isize::MAX as usize => F::build(n, |out| {
            out[..left].fill(fill);
            out[left..left + s.len()].copy_from_slice(s);
            out[left + s.len()..].fill(fill);
        }),
        _ => Err(layout::no_memory()),
    }
}

fn missing<F: Flavor>(slf: Borrowed<'_>, width: isize) -> isize {
    // SAFETY: [TYPE]
    width.saturating_sub(unsafe { F::content(slf.ob()) }.len() as isize)
}
/// `ljust`.
pub fn ljust<F: Flavor>(slf: Borrowed<'_>, width: isize, fill: FillByte) -> PyResult<Owned> {
    pad::<F>(slf, 0, missing::<F>(slf, width), fill.0)
}
/// `rjust`.
pub fn rjust<F: Flavor>(slf: Borrowed<'_>, width: isize, fill: FillByte) -> PyResult<Owned> {
    pad::<F>(slf, missing::<F>(slf, width), 0, fill.0)
}
/// `center`.
pub fn center<F: Flavor>(slf: Borrowed<'_>, width: isize, fill: FillByte) -> PyResult<Owned> {
    let margin = missing::<F>(slf, width);
    if margin <= 0 {
        return F::unchanged(slf);
    }
    let left = margin / 2 + (margin & width & 1);
    pad::<F>(slf, left, margin - left, fill.0)
}
/// `zfill`.
pub fn zfill<F: Flavor>(slf: Borrowed<'_>, width: isize) -> PyResult<Owned> {
    let zeros = missing::<F>(slf, width);
    if zeros <= 0 {
        return F::unchanged(slf);
    }
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    let sign = matches!(s.first(), Some(b'+' | b'-')) as usize;
    if s.len().checked_add(zeros as usize).is_none_or(|n| n >= isize::MAX as usize) {
        return Err(layout::no_memory());
    }
    F::build(s.len() + zeros as usize, |out| {
        out[..sign].copy_from_slice(&s[..sign]);
        out[sign..sign + zeros as usize].fill(b'0');
        out[sign + zeros as usize..].copy_from_slice(&s[sign..]);
    })
}

/// `expandtabs`.
pub fn expandtabs<F: Flavor>(slf: Borrowed<'_>, tabsize: i32) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    let tab = tabsize.max(0) as usize;
    let (mut column, mut total) = (0usize, 0usize);
    for &c in s {
        let add = match c {
            b'\t' if tab == 0 => 0,
            b'\t' => tab - column % tab,
            _ => 1,
        };
        column = if matches!(c, b'\n' | b'\r') { 0 } else { column + add };
        total = match total.checked_add(add) {
            Some(n) if n < isize::MAX as usize => n,
            _ => bail!(PyExc_OverflowError, "result too long"),
        };
    }
    F::build(total, |out| {
        let (mut column, mut at) = (0, 0);
        for &c in s {
            if c == b'\t' {
                let n = if tab > 0 { tab - column % tab } else { 0 };
                out[at..at + n].fill(b' ');
                (column, at) = (column + n, at + n);
            } else {
                out[at] = c;
                at += 1;
                column = if matches!(c, b'\n' | b'\r') { 0 } else { column + 1 };
            }
        }
    })
}

// --- case and classes

macro_rules! maps {
    ($($(#[$m:meta])* $name:ident, |$c:ident, $start:ident| $e:expr;)*) => { $(
        $(#[$m])*
        pub fn $name<F: Flavor>(slf: Borrowed<'_>) -> PyResult<Owned> {
            // SAFETY: [TYPE]
            let s = unsafe { F::content(slf.ob()) };
            F::build(s.len(), |out| {
                let mut before = None;
                for (o, &$c) in out.iter_mut().zip(s) {
                    let $start: Option<u8> = before;
                    *o = $e;
                    before = Some($c);
                }
            })
        }
    )* };
}
maps! {
    /// `lower`.
    lower, |c, _before| c.to_ascii_lowercase();
    /// `upper`.
    upper, |c, _before| c.to_ascii_uppercase();
    /// `swapcase`.
    swapcase, |c, _before| if c.is_ascii_alphabetic() { c ^ 0x20 } else { c };
    /// `capitalize`.
    capitalize, |c, before| if before.is_none() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    /// `title`.
    title, |c, before| if before.is_some_and(|b| b.is_ascii_alphabetic()) { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
}

macro_rules! classes {
    ($($(#[$m:meta])* $name:ident, $test:expr;)*) => { $(
        $(#[$m])*
        pub fn $name<F: Flavor>(slf: Borrowed<'_>) -> PyResult<bool> {
            // SAFETY: [TYPE]
            let s = unsafe { F::content(slf.ob()) };
            Ok(!s.is_empty() && s.iter().all($test))
        }
    )* };
}
classes! {
    /// `isalnum`.
    isalnum, u8::is_ascii_alphanumeric;
    /// `isalpha`.
    isalpha, u8::is_ascii_alphabetic;
    /// `isdigit`.
    isdigit, u8::is_ascii_digit;
    /// `isspace`.
    isspace, |&c| is_space(c);
}
/// `isascii`.
pub fn isascii<F: Flavor>(slf: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    Ok(unsafe { F::content(slf.ob()) }.is_ascii())
}
/// `islower`.
pub fn islower<F: Flavor>(slf: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    Ok(s.iter().any(u8::is_ascii_lowercase) && !s.iter().any(u8::is_ascii_uppercase))
}
/// `isupper`.
pub fn isupper<F: Flavor>(slf: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    Ok(s.iter().any(u8::is_ascii_uppercase) && !s.iter().any(u8::is_ascii_lowercase))
}
/// `istitle`.
pub fn istitle<F: Flavor>(slf: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    let (mut seen, mut inside) = (false, false);
    for &c in s {
        if c.is_ascii_uppercase() {
            if inside {
                return Ok(false);
            }
            (inside, seen) = (true, true);
        } else if c.is_ascii_lowercase() {
            if !inside {
                return Ok(false);
            }
            seen = true;
        } else {
            inside = false;
        }
    }
    Ok(seen)
}

// --- translation, decoding, hex

/// `translate`.
pub fn translate<F: Flavor>(slf: Borrowed<'_>, table: Borrowed<'_>, delete: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let mut map: [u8; 256] = core::array::from_fn(|i| i as u8);
    if !table.is_none() {
        let t = View::get(table)?;
        match <[u8; 256]>::try_from(&t[..]) {
            Ok(m) => map = m,
            Err(_) => bail!(PyExc_ValueError, "translation table must be 256 characters long"),
        }
    }
    let mut deleted = [false; 256];
    if let Some(d) = delete {
        View::get(d)?.iter().for_each(|&c| deleted[c as usize] = true);
    }
    // SAFETY: [TYPE]
    let s = unsafe { F::content(slf.ob()) };
    if !F::MUTABLE && s.iter().all(|&c| map[c as usize] == c && !deleted[c as usize]) {
        return F::unchanged(slf);
    }
    let kept = s.iter().filter(|&&c| !deleted[c as usize]).count();
    F::build(kept, |out| {
        for (o, &c) in out.iter_mut().zip(s.iter().filter(|&&c| !deleted[c as usize])) {
            *o = map[c as usize];
        }
    })
}

/// `maketrans`.
pub fn maketrans(_: (), frm: View<'_>, to: View<'_>) -> PyResult<Owned> {
    if frm.len() != to.len() {
        bail!(PyExc_ValueError, "maketrans arguments must have same length");
    }
    let mut map: [u8; 256] = core::array::from_fn(|i| i as u8);
    for (&a, &b) in frm.iter().zip(to.iter()) {
        map[a as usize] = b;
    }
    crate::bytesobject::from_slice(&map)
}

/// `decode`.
pub fn decode(slf: Borrowed<'_>, encoding: Option<CText>, errors: Option<CText>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyUnicode_FromEncodedObject(slf.ob(), CText::or_null(encoding), CText::or_null(errors))) }
}

/// The bytes of a hexadecimal string, in which white space may stand between bytes.
pub fn parse_hex(string: Str<'_>) -> PyResult<Vec<u8>> {
    // SAFETY: [TYPE]
    let t = unsafe { layout::text_of(string.ob()) };
    let invalid = |i: usize| raise!(PyExc_ValueError, "non-hexadecimal number found in fromhex() arg at position {}", i);
    if let Some(i) = t.chars().position(|c| c >= 128) {
        return Err(invalid(i));
    }
    let s = t.bytes();
    let digit = |i: usize| s.get(i).and_then(|&c| (c as char).to_digit(16)).ok_or(i);
    let mut out = Vec::with_capacity(s.len() / 2);
    let mut i = 0;
    while i < s.len() {
        if is_space(s[i]) {
            i += 1;
            continue;
        }
        match (digit(i), digit(i + 1)) {
            (Ok(a), Ok(b)) => out.push((a << 4 | b) as u8),
            (Err(i), _) | (_, Err(i)) => return Err(invalid(i)),
        }
        i += 2;
    }
    Ok(out)
}

/// Hexadecimal digits of `s`, with `sep` between groups counted from the right (positive) or left.
fn hexlify(s: &[u8], sep: Borrowed<'_>, has_sep: bool, per_group: c_int, as_bytes: bool) -> PyResult<Owned> {
    let mut separator = 0u8;
    let mut group = per_group.unsigned_abs() as usize;
    // SAFETY: [ARGS]
    unsafe {
        if has_sep {
            let n = PyObject_Size(sep.ob());
            if n < 0 {
                return Err(Raised::assume());
            }
            if n != 1 {
                bail!(PyExc_ValueError, "sep must be length 1.");
            }
            let c = if PyUnicode_Check(sep.ob()) != 0 {
                layout::text_of(sep.ob()).at(0).unwrap_or(0)
            } else if PyBytes_Check(sep.ob()) != 0 {
                crate::bytesobject::content(sep.ob()).first().copied().unwrap_or(0) as u32
            } else {
                bail!(PyExc_TypeError, "sep must be str or bytes.")
            };
            if c > 255 || c > 127 && !as_bytes {
                bail!(PyExc_ValueError, "sep must be ASCII.");
            }
            separator = c as u8;
        } else {
            group = 0;
        }
    }
    if group >= s.len() {
        group = 0;
    }
    if s.len() >= isize::MAX as usize / 4 {
        return Err(layout::no_memory());
    }
    // The first group from the left is shorter when groups count from the right.
    let first = if group == 0 || per_group < 0 || s.len() % group == 0 { group } else { s.len() % group };
    let mut out = Vec::with_capacity(s.len() * 2 + s.len().checked_div(group).unwrap_or(0));
    for (i, &b) in s.iter().enumerate() {
        if group > 0 && i >= first && (i - first) % group == 0 {
            out.push(separator);
        }
        out.push(b"0123456789abcdef"[(b >> 4) as usize]);
        out.push(b"0123456789abcdef"[(b & 15) as usize]);
    }
    if as_bytes { crate::bytesobject::from_slice(&out) } else { Ok(layout::from_ascii(&out)?.into_object()) }
}

/// `hex`.
pub fn hex<F: Flavor>(slf: Borrowed<'_>, sep: Option<Borrowed<'_>>, bytes_per_sep: i32) -> PyResult<Owned> {
    // SAFETY: [TYPE] the only Python code that may run is the separator's `__len__`.
    let s = unsafe { F::content(slf.ob()) };
    if F::MUTABLE && sep.is_some() {
        let copy = s.to_vec();
        return hexlify(&copy, sep.unwrap_or(slf), true, bytes_per_sep, false);
    }
    hexlify(s, sep.unwrap_or(slf), sep.is_some(), bytes_per_sep, false)
}

macro_rules! strhex {
    ($($(#[$m:meta])* $name:ident ( $($sep:ident, $group:ident)? ) $bytes:literal;)*) => { $(
        $(#[$m])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(buf: *const c_char, len: Py_ssize_t $(, $sep: *mut PyObject, $group: c_int)?) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe {
                let s = crate::unicode_codecs::raw_bytes(buf, len);
                #[allow(unused_mut, unused_assignments, reason = "the variants without separator leave the defaults")]
                let (mut sep_object, mut per_group) = (null_mut::<PyObject>(), 0);
                $( (sep_object, per_group) = ($sep, $group); )?
                let has = !sep_object.is_null();
                let sep = if has { sep_object } else { Py_None() };
                hexlify(s, Borrowed::from_ptr(sep), has, per_group, $bytes).into_c()
            }
        }
    )* };
}
strhex! {
    /// Hexadecimal digits as str.
    _Py_strhex() false;
    /// Hexadecimal digits as bytes.
    _Py_strhex_bytes() true;
    /// Hexadecimal digits in groups as str.
    _Py_strhex_with_sep(sep, group) false;
    /// Hexadecimal digits in groups as bytes.
    _Py_strhex_bytes_with_sep(sep, group) true;
}

/// Concatenation of two bytes-like objects into a new `F`.
pub fn concat<F: Flavor>(a: Borrowed<'_>, b: Borrowed<'_>) -> PyResult<Owned> {
    let (Ok(va), Ok(vb)) = (View::get(a), View::get(b)) else {
        return Err(cannot_concat(b, a));
    };
    match va.len().checked_add(vb.len()) {
        Some(n) if n < isize::MAX as usize => F::build(n, |out| {
            out[..va.len()].copy_from_slice(&va);
            out[va.len()..].copy_from_slice(&vb);
        }),
        _ => Err(layout::no_memory()),
    }
}

/// TypeError "can't concat B to A".
#[cold]
pub fn cannot_concat(b: Borrowed<'_>, a: Borrowed<'_>) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_Format(PyExc_TypeError, c"can't concat %.100s to %.100s".as_ptr(), (*b.ob_type()).tp_name, (*a.ob_type()).tp_name);
        Raised::assume()
    }
}

/// Writes the escapes of `repr` for each byte but `quote` handling is the caller's.
pub fn push_escaped(out: &mut Vec<u8>, c: u8) {
    match c {
        b'\t' => out.extend_from_slice(b"\\t"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        0x20..=0x7e => out.push(c),
        _ => {
            out.extend_from_slice(b"\\x");
            out.push(b"0123456789abcdef"[(c >> 4) as usize]);
            out.push(b"0123456789abcdef"[(c & 15) as usize]);
        }
    }
}

/// Whether `-b` asks for warnings about bytes that are used as text.
pub fn bytes_warning() -> bool {
    unsafe extern "C" {
        static Py_BytesWarningFlag: c_int;
    }
    // SAFETY: set once at start.
    unsafe { Py_BytesWarningFlag != 0 }
}

/// `_PyBytes_Find`: position of `needle` in `haystack`, plus `offset`; -1 if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytes_Find(hay: *const c_char, n: Py_ssize_t, needle: *const c_char, m: Py_ssize_t, offset: Py_ssize_t) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        let (h, s) = (crate::unicode_codecs::raw_bytes(hay, n), crate::unicode_codecs::raw_bytes(needle, m));
        stringlib::find(h, s).map_or(-1, |i| i as isize + offset)
    }
}
/// As [`_PyBytes_Find`], the last one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyBytes_ReverseFind(hay: *const c_char, n: Py_ssize_t, needle: *const c_char, m: Py_ssize_t, offset: Py_ssize_t) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        let (h, s) = (crate::unicode_codecs::raw_bytes(hay, n), crate::unicode_codecs::raw_bytes(needle, m));
        stringlib::rfind(h, s).map_or(-1, |i| i as isize + offset)
    }
}

/// The method lines that both types' tables have, after the type's own ones.
#[macro_export]
macro_rules! shared_bytes_methods {
    ($(#[$m:meta])* $vis:vis static $name:ident, $f:ty, [ $($own:tt)* ]) => {
        taipan_clinic::methods! {
            $(#[$m])*
            $vis static $name = [
                $($own)*
                "capitalize($self, /)" => $crate::bytes_methods::capitalize::<$f>, "Return a copy whose first byte is upper case and the rest lower case, in ASCII.";
                "center($self, width, fillchar=b' ', /)" => $crate::bytes_methods::center::<$f>, "Pad on both sides to width.";
                raw "count", PyMethodDefPointer { PyCFunctionFast: $crate::bytes_methods::search::<$f, 4> }, METH_FASTCALL, "count($self, sub[, start[, end]], /)\n--\n\nCount occurrences of sub that don't overlap.";
                "decode($self, /, encoding='utf-8', errors='strict')" => $crate::bytes_methods::decode, "Decode to str with the codec registered for encoding.";
                raw "endswith", PyMethodDefPointer { PyCFunctionFast: $crate::bytes_methods::search::<$f, 6> }, METH_FASTCALL, "endswith($self, suffix[, start[, end]], /)\n--\n\nTell whether the bytes end with suffix, or with one of a tuple of suffixes.";
                "expandtabs($self, /, tabsize=8)" => $crate::bytes_methods::expandtabs::<$f>, "Return a copy where spaces up to the next tab stop replace tabs.";
                raw "find", PyMethodDefPointer { PyCFunctionFast: $crate::bytes_methods::search::<$f, 0> }, METH_FASTCALL, "find($self, sub[, start[, end]], /)\n--\n\nReturn the position of the first occurrence of sub, or -1.";
                "hex($self, /, sep=<unrepresentable>, bytes_per_sep=1)" => $crate::bytes_methods::hex::<$f>, "Return hexadecimal digits, with sep between groups of bytes_per_sep bytes.\n\n>>> value = b'\\n\\xff '\n>>> value.hex()\n'0aff20'\n>>> value.hex(':')\n'0a:ff:20'\n>>> value.hex('-', 2)\n'0a-ff20'\n>>> value.hex('-', -2)\n'0aff-20'";
                raw "index", PyMethodDefPointer { PyCFunctionFast: $crate::bytes_methods::search::<$f, 2> }, METH_FASTCALL, "index($self, sub[, start[, end]], /)\n--\n\nLike find, but raise ValueError if there is no occurrence.";
                "isalnum($self, /)" => $crate::bytes_methods::isalnum::<$f>, "Tell whether all bytes are ASCII letters or digits and there is one.";
                "isalpha($self, /)" => $crate::bytes_methods::isalpha::<$f>, "Tell whether all bytes are ASCII letters and there is one.";
                "isascii($self, /)" => $crate::bytes_methods::isascii::<$f>, "Tell whether all bytes are ASCII.";
                "isdigit($self, /)" => $crate::bytes_methods::isdigit::<$f>, "Tell whether all bytes are ASCII digits and there is one.";
                "islower($self, /)" => $crate::bytes_methods::islower::<$f>, "Tell whether there is an ASCII letter and none in upper case.";
                "isspace($self, /)" => $crate::bytes_methods::isspace::<$f>, "Tell whether all bytes are ASCII white space and there is one.";
                "istitle($self, /)" => $crate::bytes_methods::istitle::<$f>, "Tell whether each word starts in upper case and goes on in lower case.";
                "isupper($self, /)" => $crate::bytes_methods::isupper::<$f>, "Tell whether there is an ASCII letter and none in lower case.";
                "ljust($self, width, fillchar=b' ', /)" => $crate::bytes_methods::ljust::<$f>, "Pad on the right to width.";
                "lower($self, /)" => $crate::bytes_methods::lower::<$f>, "Return a copy with ASCII letters in lower case.";
                "lstrip($self, bytes=None, /)" => $crate::bytes_methods::lstrip::<$f>, "Return a copy without leading white space, or without leading bytes of the argument.";
                static "maketrans(frm, to, /)" => $crate::bytes_methods::maketrans, "Return a table for translate().";
                "partition($self, sep, /)" => $crate::bytes_methods::partition::<$f>, "Split at the first sep into the part before, sep, and the part after.";
                "replace($self, old, new, count=-1, /)" => $crate::bytes_methods::replace::<$f>, "Return a copy with occurrences of old replaced by new, at most count of them.";
                "removeprefix($self, prefix, /)" => $crate::bytes_methods::removeprefix::<$f>, "Return the bytes without prefix if they start with it.";
                "removesuffix($self, suffix, /)" => $crate::bytes_methods::removesuffix::<$f>, "Return the bytes without suffix if they end with it.";
                raw "rfind", PyMethodDefPointer { PyCFunctionFast: $crate::bytes_methods::search::<$f, 1> }, METH_FASTCALL, "rfind($self, sub[, start[, end]], /)\n--\n\nReturn the position of the last occurrence of sub, or -1.";
                raw "rindex", PyMethodDefPointer { PyCFunctionFast: $crate::bytes_methods::search::<$f, 3> }, METH_FASTCALL, "rindex($self, sub[, start[, end]], /)\n--\n\nLike rfind, but raise ValueError if there is no occurrence.";
                "rjust($self, width, fillchar=b' ', /)" => $crate::bytes_methods::rjust::<$f>, "Pad on the left to width.";
                "rpartition($self, sep, /)" => $crate::bytes_methods::rpartition::<$f>, "Split at the last sep into the part before, sep, and the part after.";
                "rsplit($self, /, sep=None, maxsplit=-1)" => $crate::bytes_methods::rsplit::<$f>, "Like split, but count maxsplit from the end.";
                "rstrip($self, bytes=None, /)" => $crate::bytes_methods::rstrip::<$f>, "Return a copy without trailing white space, or without trailing bytes of the argument.";
                "split($self, /, sep=None, maxsplit=-1)" => $crate::bytes_methods::split::<$f>, "Return the parts that sep or ASCII white space separates.";
                "splitlines($self, /, keepends=False)" => $crate::bytes_methods::splitlines::<$f>, "Return the lines, without their ends unless keepends is true.";
                raw "startswith", PyMethodDefPointer { PyCFunctionFast: $crate::bytes_methods::search::<$f, 5> }, METH_FASTCALL, "startswith($self, prefix[, start[, end]], /)\n--\n\nTell whether the bytes start with prefix, or with one of a tuple of prefixes.";
                "strip($self, bytes=None, /)" => $crate::bytes_methods::strip::<$f>, "Return a copy without white space, or without bytes of the argument, at both ends.";
                "swapcase($self, /)" => $crate::bytes_methods::swapcase::<$f>, "Return a copy with upper and lower case of ASCII letters exchanged.";
                "title($self, /)" => $crate::bytes_methods::title::<$f>, "Return a copy where each word starts in upper case and goes on in lower case.";
                "translate($self, table, /, delete=b'')" => $crate::bytes_methods::translate::<$f>, "Map each byte through table, after dropping the bytes of delete.";
                "upper($self, /)" => $crate::bytes_methods::upper::<$f>, "Return a copy with ASCII letters in upper case.";
                "zfill($self, width, /)" => $crate::bytes_methods::zfill::<$f>, "Pad with zeros, after a sign, to width.";
            ];
        }
    };
}
