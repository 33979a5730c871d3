//! Storage of strings (PEP 393): reading, allocating, copying, the static one-character strings.
//!
//! A string stores every character in one, two or four bytes, as its largest one needs. ASCII strings have the short
//! header, other compact ones a header with room for the cached UTF-8; instances of subclasses point to their data.

use crate::stringlib::Unit;
use core::ffi::c_char;
use core::ptr::{copy_nonoverlapping, null_mut};
use taipan_abi::*;

/// A borrowed `str`. The header type is the one that every string has.
pub type StrRef<'a> = Borrowed<'a, PyASCIIObject>;
/// An owned `str`.
pub type StrObj = Owned<PyASCIIObject>;

/// The largest code point.
pub const MAX_UNICODE: u32 = 0x10ffff;

const INTERNED: u32 = 3;
const KIND_SHIFT: u32 = 2;
const KIND: u32 = 7;
const COMPACT: u32 = 1 << 5;
const ASCII: u32 = 1 << 6;
const STATIC: u32 = 1 << 7;

/// The characters of a string.
#[derive(Clone, Copy)]
pub enum Text<'a> {
    /// One byte a character.
    U1(&'a [u8]),
    /// Two.
    U2(&'a [u16]),
    /// Four.
    U4(&'a [u32]),
}

/// Evaluates an expression with the characters as a typed slice, once for each width.
#[macro_export]
macro_rules! with_units {
    ($text:expr, $s:ident => $body:expr) => {
        match $text {
            $crate::unicodeobject::Text::U1($s) => $body,
            $crate::unicodeobject::Text::U2($s) => $body,
            $crate::unicodeobject::Text::U4($s) => $body,
        }
    };
}

/// Evaluates an expression with haystack and needle as slices of the haystack's width; `$none` if the needle's
/// characters are too wide to occur in it.
#[macro_export]
macro_rules! with_same_units {
    ($hay:expr, $needle:expr, $h:ident, $n:ident => $body:expr, $none:expr) => {{
        use $crate::unicodeobject::{Text, layout::widen};
        match ($hay, $needle) {
            (Text::U1($h), Text::U1($n)) => $body,
            (Text::U2($h), Text::U2($n)) => $body,
            (Text::U4($h), Text::U4($n)) => $body,
            (Text::U2($h), Text::U1(n)) => {
                let wide = widen::<u8, u16>(n);
                let $n = &wide[..];
                $body
            }
            (Text::U4($h), Text::U1(n)) => {
                let wide = widen::<u8, u32>(n);
                let $n = &wide[..];
                $body
            }
            (Text::U4($h), Text::U2(n)) => {
                let wide = widen::<u16, u32>(n);
                let $n = &wide[..];
                $body
            }
            _ => $none,
        }
    }};
}

/// A copy in a wider width.
pub fn widen<A: Unit, B: Unit>(s: &[A]) -> Vec<B> {
    s.iter().map(|&c| B::cut(c.into())).collect()
}

impl<'a> Text<'a> {
    /// How many characters.
    #[inline(always)]
    pub fn len(self) -> usize {
        with_units!(self, s => s.len())
    }
    /// Whether there is none.
    #[inline(always)]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
    /// The character at `i`, which is in range.
    #[inline(always)]
    pub fn get(self, i: usize) -> u32 {
        with_units!(self, s => s[i].into())
    }
    /// The character at `i`, if there is one.
    #[inline(always)]
    pub fn at(self, i: usize) -> Option<u32> {
        if i < self.len() { Some(self.get(i)) } else { None }
    }
    /// The characters from `start` to `end`.
    #[inline(always)]
    pub fn slice(self, start: usize, end: usize) -> Text<'a> {
        match self {
            Text::U1(s) => Text::U1(&s[start..end]),
            Text::U2(s) => Text::U2(&s[start..end]),
            Text::U4(s) => Text::U4(&s[start..end]),
        }
    }
    /// Bytes a character.
    #[inline(always)]
    pub fn kind(self) -> u32 {
        match self {
            Text::U1(_) => 1,
            Text::U2(_) => 2,
            Text::U4(_) => 4,
        }
    }
    /// The characters in order.
    pub fn chars(self) -> impl DoubleEndedIterator<Item = u32> + use<'a> {
        (0..self.len()).map(move |i| self.get(i))
    }
    /// A bound of the characters that is exact enough to choose the storage: 0x7f, 0xff, 0xffff or 0x10ffff.
    pub fn max_char(self) -> u32 {
        with_units!(self, s => max_char(s))
    }
    /// Position of the first `c`.
    pub fn find_char(self, c: u32) -> Option<usize> {
        match self {
            Text::U1(s) => (c <= 0xff).then(|| u8::find_char(s, c as u8)).flatten(),
            Text::U2(s) => (c <= 0xffff).then(|| u16::find_char(s, c as u16)).flatten(),
            Text::U4(s) => u32::find_char(s, c),
        }
    }
    /// Position of the last `c`.
    pub fn rfind_char(self, c: u32) -> Option<usize> {
        match self {
            Text::U1(s) => (c <= 0xff).then(|| u8::rfind_char(s, c as u8)).flatten(),
            Text::U2(s) => (c <= 0xffff).then(|| u16::rfind_char(s, c as u16)).flatten(),
            Text::U4(s) => u32::rfind_char(s, c),
        }
    }
    /// The raw bytes of the storage.
    pub fn bytes(self) -> &'a [u8] {
        // SAFETY: [LAYOUT] any integer slice may be seen as bytes.
        with_units!(self, s => unsafe { core::slice::from_raw_parts(s.as_ptr().cast(), size_of_val(s)) })
    }
    /// Equality of characters.
    pub fn same(self, other: Text<'_>) -> bool {
        if self.len() != other.len() {
            return false;
        }
        match (self, other) {
            (Text::U1(a), Text::U1(b)) => a == b,
            (Text::U2(a), Text::U2(b)) => a == b,
            (Text::U4(a), Text::U4(b)) => a == b,
            _ => self.chars().eq(other.chars()),
        }
    }
}

/// See [`Text::max_char`].
pub fn max_char<U: Unit>(s: &[U]) -> u32 {
    let mut all = 0u32;
    for block in s.chunks(64) {
        all = block.iter().fold(all, |or, &c| or | c.into());
        if U::KIND == 1 && all > 0x7f || U::KIND == 2 && all > 0xff || all > 0xffff {
            break;
        }
    }
    max_of_bits(all)
}

/// The storage bound for characters whose bits are all in `bits`.
#[inline(always)]
pub fn max_of_bits(bits: u32) -> u32 {
    match bits {
        0..=0x7f => 0x7f,
        0x80..=0xff => 0xff,
        0x100..=0xffff => 0xffff,
        _ => MAX_UNICODE,
    }
}

/// Bytes a character in a string whose largest character is `maxchar`.
#[inline(always)]
pub fn kind_of(maxchar: u32) -> u32 {
    match maxchar {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    }
}

/// The state word (`interned`, `kind`, `compact`, `ascii`, `statically_allocated`).
///
/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn state(op: *mut PyObject) -> u32 {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyASCIIObject>()).state }
}

/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn kind(op: *mut PyObject) -> u32 {
    // SAFETY: [TYPE]
    unsafe { (state(op) >> KIND_SHIFT) & KIND }
}

/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn is_ascii(op: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { state(op) & ASCII != 0 }
}

/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn is_compact(op: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { state(op) & COMPACT != 0 }
}

/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn is_compact_ascii(op: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { state(op) & (COMPACT | ASCII) == COMPACT | ASCII }
}

/// The state of interning (`SSTATE_*`).
///
/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn interned(op: *mut PyObject) -> u32 {
    // SAFETY: [TYPE]
    unsafe { state(op) & INTERNED }
}

/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn set_interned(op: *mut PyObject, how: u32) {
    // SAFETY: [TYPE] [GIL]
    unsafe {
        let s = &raw mut (*op.cast::<PyASCIIObject>()).state;
        *s = *s & !INTERNED | how;
    }
}

/// Length in characters.
///
/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn length(op: *mut PyObject) -> usize {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyASCIIObject>()).length as usize }
}

/// The characters' address.
///
/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn data(op: *mut PyObject) -> *mut u8 {
    // SAFETY: [TYPE] [LAYOUT]
    unsafe {
        let s = state(op);
        if s & COMPACT != 0 {
            if s & ASCII != 0 { op.cast::<PyASCIIObject>().add(1).cast() } else { op.cast::<PyCompactUnicodeObject>().add(1).cast() }
        } else {
            (*op.cast::<PyUnicodeObject>()).data.any.cast()
        }
    }
}

/// The characters of `op`.
///
/// # Safety
/// `op` is a str that stays alive and unmodified for `'a`.
#[inline(always)]
pub unsafe fn text_of<'a>(op: *mut PyObject) -> Text<'a> {
    // SAFETY: [TYPE] [LAYOUT]
    unsafe {
        let (p, n) = (data(op), length(op));
        match kind(op) {
            1 => Text::U1(core::slice::from_raw_parts(p, n)),
            2 => Text::U2(core::slice::from_raw_parts(p.cast(), n)),
            _ => Text::U4(core::slice::from_raw_parts(p.cast(), n)),
        }
    }
}

/// The characters of a string.
#[inline(always)]
pub fn text<'a>(s: StrRef<'a>) -> Text<'a> {
    // SAFETY: [TYPE] a StrRef is a str.
    unsafe { text_of(s.ob()) }
}

/// The upper bound of the characters that the storage can hold (`PyUnicode_MAX_CHAR_VALUE`).
///
/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn max_char_value(op: *mut PyObject) -> u32 {
    // SAFETY: [TYPE]
    unsafe {
        if is_ascii(op) {
            return 0x7f;
        }
        match kind(op) {
            1 => 0xff,
            2 => 0xffff,
            _ => MAX_UNICODE,
        }
    }
}

/// `op` as a string, if it is one.
#[inline(always)]
pub fn as_str(op: Borrowed<'_>) -> Option<StrRef<'_>> {
    // SAFETY: [TYPE] checked.
    unsafe { if PyUnicode_Check(op.ob()) != 0 { Some(op.cast()) } else { None } }
}

/// `op` as a string; TypeError "must be str, not X".
#[inline(always)]
pub fn ensure_unicode(op: Borrowed<'_>) -> PyResult<StrRef<'_>> {
    match as_str(op) {
        Some(s) => Ok(s),
        None => Err(not_str(op.ob())),
    }
}

#[cold]
fn not_str(op: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        PyErr_Format(PyExc_TypeError, c"must be str, not %.100s".as_ptr(), (*(*op).ob_type).tp_name);
        Raised::assume()
    }
}

/// Whether nobody else can see the string, so that it may be changed in place.
///
/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn modifiable(op: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe {
        let s = op.cast::<PyASCIIObject>();
        (*op).ob_refcnt.ob_refcnt == 1 && (*s).hash == -1 && (*s).state & (INTERNED | STATIC) == 0 && PyUnicode_CheckExact(op) != 0
    }
}

/// MemoryError.
#[cold]
pub fn no_memory() -> Raised {
    // SAFETY: [GIL]
    unsafe {
        PyErr_NoMemory();
        Raised::assume()
    }
}

/// A new compact string of `len` characters, not filled in, that can hold characters up to `maxchar` (valid). The
/// empty string is the shared one.
#[inline]
pub fn new_str(len: usize, maxchar: u32) -> PyResult<StrObj> {
    if len == 0 {
        return Ok(empty());
    }
    let ascii = maxchar < 128;
    let kind = kind_of(maxchar);
    let head = if ascii { size_of::<PyASCIIObject>() } else { size_of::<PyCompactUnicodeObject>() };
    if len > (isize::MAX as usize - head) / kind as usize - 1 {
        return Err(no_memory());
    }
    // SAFETY: [LAYOUT] the block has room for header, characters and a terminating NUL.
    unsafe {
        let op: *mut PyObject = PyObject_Malloc(head + (len + 1) * kind as usize).cast();
        if op.is_null() {
            return Err(no_memory());
        }
        (*op).ob_type = &raw mut super::PyUnicode_Type;
        _Py_NewReference(op);
        let s = op.cast::<PyASCIIObject>();
        (*s).length = len as isize;
        (*s).hash = -1;
        (*s).state = kind << KIND_SHIFT | COMPACT | if ascii { ASCII } else { 0 };
        let end = op.cast::<u8>().add(head + len * kind as usize);
        if !ascii {
            let c = op.cast::<PyCompactUnicodeObject>();
            (*c).utf8 = null_mut();
            (*c).utf8_length = 0;
        }
        match kind {
            1 => *end = 0,
            2 => *end.cast::<u16>() = 0,
            _ => *end.cast::<u32>() = 0,
        }
        Ok(Owned::from_owned(s))
    }
}

/// Copies units with conversion of width.
///
/// # Safety
/// `to` has room for `s.len()` units; the values fit (or are meant to be cut).
#[inline(always)]
pub unsafe fn copy_units<A: Unit, B: Unit>(s: &[A], to: *mut B) {
    // SAFETY: [ARGS]
    unsafe {
        if A::KIND == B::KIND {
            copy_nonoverlapping(s.as_ptr().cast::<B>(), to, s.len());
        } else {
            for (i, &c) in s.iter().enumerate() {
                *to.add(i) = B::cut(c.into());
            }
        }
    }
}

/// Copies `s` to position `at` of the string `op`.
///
/// # Safety
/// `op` has room there, and its storage can hold the characters.
#[inline]
pub unsafe fn copy_text(op: *mut PyObject, at: usize, s: Text<'_>) {
    // SAFETY: [ARGS]
    unsafe {
        let to = data(op);
        match kind(op) {
            1 => with_units!(s, s => copy_units(s, to.add(at))),
            2 => with_units!(s, s => copy_units(s, to.cast::<u16>().add(at))),
            _ => with_units!(s, s => copy_units(s, to.cast::<u32>().add(at))),
        }
    }
}

/// Writes one character.
///
/// # Safety
/// `at` is in range and the storage can hold `c`.
#[inline(always)]
pub unsafe fn write_char(op: *mut PyObject, at: usize, c: u32) {
    // SAFETY: [ARGS]
    unsafe {
        let to = data(op);
        match kind(op) {
            1 => *to.add(at) = c as u8,
            2 => *to.cast::<u16>().add(at) = c as u16,
            _ => *to.cast::<u32>().add(at) = c,
        }
    }
}

/// Writes `n` times the character `c` from `at` on.
///
/// # Safety
/// As [`write_char`].
pub unsafe fn fill(op: *mut PyObject, at: usize, n: usize, c: u32) {
    // SAFETY: [ARGS]
    unsafe {
        let to = data(op);
        match kind(op) {
            1 => core::ptr::write_bytes(to.add(at), c as u8, n),
            2 => core::slice::from_raw_parts_mut(to.cast::<u16>().add(at), n).fill(c as u16),
            _ => core::slice::from_raw_parts_mut(to.cast::<u32>().add(at), n).fill(c),
        }
    }
}

/// A string of these characters, stored as narrow as possible.
pub fn from_units<U: Unit>(s: &[U]) -> PyResult<StrObj> {
    match s {
        [] => return Ok(empty()),
        [c] => return char_str((*c).into()),
        _ => {}
    }
    let max = max_char(s);
    let new = new_str(s.len(), max)?;
    // SAFETY: [OWN] new and large enough.
    unsafe {
        let to = data(new.as_ptr().cast());
        match kind_of(max) {
            1 => copy_units(s, to),
            2 => copy_units(s, to.cast::<u16>()),
            _ => copy_units(s, to.cast::<u32>()),
        }
    }
    Ok(new)
}

/// A string of these characters.
#[inline]
pub fn from_text(s: Text<'_>) -> PyResult<StrObj> {
    with_units!(s, s => from_units(s))
}

/// A string of ASCII characters.
#[inline]
pub fn from_ascii(s: &[u8]) -> PyResult<StrObj> {
    debug_assert!(s.is_ascii());
    match s {
        [] => Ok(empty()),
        [c] => Ok(latin1_char(*c)),
        _ => {
            let new = new_str(s.len(), 127)?;
            // SAFETY: [OWN] new and large enough.
            unsafe { copy_nonoverlapping(s.as_ptr(), data(new.as_ptr().cast()), s.len()) };
            Ok(new)
        }
    }
}

/// A string of the UTF-8 text `s`.
pub fn from_rust(s: &str) -> PyResult<StrObj> {
    if s.is_ascii() {
        return from_ascii(s.as_bytes());
    }
    let (mut bits, mut n) = (0, 0);
    for c in s.chars() {
        bits |= c as u32;
        n += 1;
    }
    if n == 1 {
        return char_str(bits);
    }
    let new = new_str(n, max_of_bits(bits))?;
    // SAFETY: [OWN] n characters fit.
    unsafe {
        let to = data(new.as_ptr().cast());
        match kind(new.as_ptr().cast()) {
            1 => s.chars().enumerate().for_each(|(i, c)| *to.add(i) = c as u8),
            2 => s.chars().enumerate().for_each(|(i, c)| *to.cast::<u16>().add(i) = c as u16),
            _ => s.chars().enumerate().for_each(|(i, c)| *to.cast::<u32>().add(i) = c as u32),
        }
    }
    Ok(new)
}

/// The part of `s` from `start` to `end` (in range); `s` itself if that is all of an exact str.
#[inline]
pub fn substring(s: StrRef<'_>, start: usize, end: usize) -> PyResult<StrObj> {
    let t = text(s);
    if start == 0 && end == t.len() {
        return unchanged(s);
    }
    if start >= end {
        return Ok(empty());
    }
    // SAFETY: [TYPE]
    if unsafe { is_ascii(s.ob()) }
        && let Text::U1(s) = t
    {
        return from_ascii(&s[start..end]);
    }
    from_text(t.slice(start, end))
}

/// `s` itself if it is an exact str, otherwise an exact copy.
#[inline]
pub fn unchanged(s: StrRef<'_>) -> PyResult<StrObj> {
    // SAFETY: [TYPE]
    if unsafe { PyUnicode_CheckExact(s.ob()) } != 0 { Ok(s.to_owned()) } else { copy(s) }
}

/// A new exact str with the same characters (the shared one for the empty string).
pub fn copy(s: StrRef<'_>) -> PyResult<StrObj> {
    let t = text(s);
    // SAFETY: [TYPE] [OWN]
    unsafe {
        let new = new_str(t.len(), max_char_value(s.ob()))?;
        copy_text(new.as_ptr().cast(), 0, t);
        Ok(new)
    }
}

/// The shared string for a new one of zero or one Latin-1 character; otherwise the string itself. Ends operations that
/// fill a new string.
///
/// # Safety
/// `op` is a new exact str.
#[inline]
pub unsafe fn result(op: StrObj) -> StrObj {
    // SAFETY: [TYPE]
    unsafe {
        match text_of(op.as_ptr().cast()) {
            Text::U1([]) => empty(),
            Text::U1([c]) => latin1_char(*c),
            _ => op,
        }
    }
}

// --- shared strings

#[repr(C)]
struct AsciiChar {
    head: PyASCIIObject,
    data: [u8; 2],
}
#[repr(C)]
struct Latin1Char {
    head: PyCompactUnicodeObject,
    data: [u8; 2],
}

const STATIC_STATE: u32 = SSTATE_INTERNED_IMMORTAL_STATIC | 1 << KIND_SHIFT | COMPACT | STATIC;

const fn ascii_char(c: u8, len: isize, tp: *mut PyTypeObject) -> AsciiChar {
    AsciiChar { head: PyASCIIObject { ob_base: immortal_head(tp), length: len, hash: -1, state: STATIC_STATE | ASCII }, data: [c, 0] }
}

static mut EMPTY: AsciiChar = ascii_char(0, 0, &raw mut super::PyUnicode_Type);
static mut ASCII_CHARS: [AsciiChar; 128] = {
    let mut t = core::mem::MaybeUninit::<[AsciiChar; 128]>::uninit();
    let mut i = 0;
    // SAFETY: each element is written before the array is taken.
    unsafe {
        while i < 128 {
            t.as_mut_ptr().cast::<AsciiChar>().add(i).write(ascii_char(i as u8, 1, &raw mut super::PyUnicode_Type));
            i += 1;
        }
        t.assume_init()
    }
};
static mut LATIN1_CHARS: [Latin1Char; 128] = {
    let mut t = core::mem::MaybeUninit::<[Latin1Char; 128]>::uninit();
    let mut i = 0;
    // SAFETY: as above.
    unsafe {
        while i < 128 {
            t.as_mut_ptr().cast::<Latin1Char>().add(i).write(Latin1Char {
                head: PyCompactUnicodeObject {
                    _base: PyASCIIObject {
                        ob_base: immortal_head(&raw mut super::PyUnicode_Type),
                        length: 1,
                        hash: -1,
                        state: STATIC_STATE,
                    },
                    utf8_length: 0,
                    utf8: null_mut(),
                },
                data: [128 + i as u8, 0],
            });
            i += 1;
        }
        t.assume_init()
    }
};

/// The empty string, lent for ever.
#[inline(always)]
pub fn empty_ptr() -> *mut PyObject {
    (&raw mut EMPTY).cast()
}
/// The empty string.
#[inline(always)]
pub fn empty() -> StrObj {
    // SAFETY: [IMMORTAL]
    unsafe { Owned::from_owned(empty_ptr().cast()) }
}
/// The shared string of one Latin-1 character, lent for ever.
#[inline(always)]
pub fn latin1_char_ptr(c: u8) -> *mut PyObject {
    // SAFETY: [IMMORTAL] in range.
    unsafe {
        if c < 128 {
            (&raw mut ASCII_CHARS).cast::<AsciiChar>().add(c as usize).cast()
        } else {
            (&raw mut LATIN1_CHARS).cast::<Latin1Char>().add(c as usize - 128).cast()
        }
    }
}
/// The shared string of one Latin-1 character.
#[inline(always)]
pub fn latin1_char(c: u8) -> StrObj {
    // SAFETY: [IMMORTAL]
    unsafe { Owned::from_owned(latin1_char_ptr(c).cast()) }
}
/// The string of one character.
#[inline]
pub fn char_str(c: u32) -> PyResult<StrObj> {
    if c < 256 {
        return Ok(latin1_char(c as u8));
    }
    let new = new_str(1, c)?;
    // SAFETY: [OWN]
    unsafe { write_char(new.as_ptr().cast(), 0, c) };
    Ok(new)
}

// --- resizing

/// Drops the cached UTF-8 if it has its own block.
///
/// # Safety
/// `op` is a str that is not compact ASCII or whose state is about to be freed.
#[inline]
pub unsafe fn free_utf8(op: *mut PyObject) {
    // SAFETY: [TYPE] [LAYOUT]
    unsafe {
        if is_compact_ascii(op) {
            return;
        }
        let c = op.cast::<PyCompactUnicodeObject>();
        let p = (*c).utf8;
        if !p.is_null() && p.cast::<u8>() != data(op) {
            PyMem_Free(p.cast());
            (*c).utf8 = null_mut();
            (*c).utf8_length = 0;
        }
    }
}

/// Gives `op` (modifiable and compact, reference taken over) another length; the characters beyond the old one are not
/// filled in.
///
/// # Safety
/// The caller owns `op` and nobody else sees it.
pub unsafe fn resize_compact(op: StrObj, len: usize) -> PyResult<StrObj> {
    // SAFETY: [OWN] [LAYOUT]
    unsafe {
        let p: *mut PyObject = op.as_ptr().cast();
        if !modifiable(p) {
            return resize_copy(op.borrow(), len);
        }
        let head = if is_ascii(p) { size_of::<PyASCIIObject>() } else { size_of::<PyCompactUnicodeObject>() };
        let unit = kind(p) as usize;
        if len > (isize::MAX as usize - head) / unit - 1 {
            return Err(no_memory());
        }
        free_utf8(p);
        let new: *mut PyObject = PyObject_Realloc(p.cast(), head + (len + 1) * unit).cast();
        if new.is_null() {
            return Err(no_memory());
        }
        core::mem::forget(op);
        (*new.cast::<PyASCIIObject>()).length = len as isize;
        write_char(new, len, 0);
        Ok(Owned::from_owned(new.cast()))
    }
}

/// A copy of `s` cut or extended to `len` characters.
pub fn resize_copy(s: StrRef<'_>, len: usize) -> PyResult<StrObj> {
    let t = text(s);
    // SAFETY: [TYPE] [OWN]
    unsafe {
        let new = new_str(len, max_char_value(s.ob()))?;
        copy_text(new.as_ptr().cast(), 0, t.slice(0, len.min(t.len())));
        Ok(new)
    }
}

/// A string with separate storage, an instance of a subclass: gives it another length.
///
/// # Safety
/// `op` is a str that is not compact and that nobody else sees.
pub unsafe fn resize_inplace(op: *mut PyObject, len: usize) -> PyResult<()> {
    // SAFETY: [TYPE] [LAYOUT]
    unsafe {
        let u = op.cast::<PyUnicodeObject>();
        let unit = kind(op) as usize;
        if len > isize::MAX as usize / unit - 1 {
            return Err(no_memory());
        }
        let shared = (*u)._base.utf8.cast::<u8>() == data(op);
        free_utf8(op);
        let new = PyObject_Realloc((*u).data.any, (len + 1) * unit);
        if new.is_null() {
            return Err(no_memory());
        }
        (*u).data.any = new;
        if shared {
            (*u)._base.utf8 = new.cast::<c_char>();
            (*u)._base.utf8_length = len as isize;
        }
        (*u)._base._base.length = len as isize;
        write_char(op, len, 0);
        Ok(())
    }
}

/// An instance of the subclass `tp` with the characters of `s`.
///
/// # Safety
/// `tp` is a ready subtype of str.
pub unsafe fn subtype_new(tp: *mut PyTypeObject, s: StrRef<'_>) -> PyResult<StrObj> {
    // SAFETY: [TYPE] [LAYOUT] a fresh instance of tp is filled in.
    unsafe {
        let t = text(s);
        let Some(alloc) = (*tp).tp_alloc else { bail!(PyExc_SystemError, "str subclass without tp_alloc") };
        let new = Owned::from_owned_or_err(alloc(tp, 0).cast::<PyASCIIObject>())?;
        let op: *mut PyObject = new.as_ptr().cast();
        let u = op.cast::<PyUnicodeObject>();
        let src = s.as_ptr();
        (*u)._base._base.length = t.len() as isize;
        (*u)._base._base.hash = (*src).hash;
        (*u)._base._base.state = t.kind() << KIND_SHIFT | (*src).state & ASCII;
        (*u)._base.utf8 = null_mut();
        (*u)._base.utf8_length = 0;
        (*u).data.any = null_mut();
        let unit = t.kind() as usize;
        let block = PyMem_Malloc((t.len() + 1) * unit);
        if block.is_null() {
            return Err(no_memory());
        }
        copy_nonoverlapping(t.bytes().as_ptr(), block.cast::<u8>(), t.len() * unit);
        (*u).data.any = block;
        write_char(op, t.len(), 0);
        if is_ascii(op) {
            (*u)._base.utf8 = block.cast();
            (*u)._base.utf8_length = t.len() as isize;
        }
        Ok(new)
    }
}

/// `tp_dealloc` of `str` and its subclasses.
pub unsafe extern "C" fn unicode_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN] the last reference is gone.
    unsafe {
        let s = state(op);
        if s & STATIC != 0 {
            set_immortal(op);
            return;
        }
        match s & INTERNED {
            SSTATE_NOT_INTERNED => {}
            SSTATE_INTERNED_MORTAL => super::intern::forget(op),
            _ => {
                // A lost count of an immortal string: keep it.
                set_immortal(op);
                return;
            }
        }
        free_utf8(op);
        if s & COMPACT == 0 {
            let p = (*op.cast::<PyUnicodeObject>()).data.any;
            if !p.is_null() {
                PyMem_Free(p);
            }
        }
        if (*op).ob_type == &raw mut super::PyUnicode_Type {
            PyObject_Free(op.cast());
        } else if let Some(free) = (*(*op).ob_type).tp_free {
            free(op.cast());
        }
    }
}
