//! Search, comparison of ends, splitting, joining, replacing, padding, concatenation.

use super::layout::*;
use crate::stringlib::{self, adjust_indices, fastsearch::Searcher, split};
use crate::unicodectype::{is_linebreak, is_space};
use crate::{with_same_units, with_units};
use core::ffi::c_int;
use core::ops::Range;
use core::ptr::null_mut;
use taipan_abi::*;

/// Position of `sub` in `t[start:end]`, the first or the last.
pub fn find_slice(t: Text<'_>, sub: Text<'_>, start: isize, end: isize, backwards: bool) -> Option<usize> {
    let (start, end) = adjust_indices(start, end, t.len());
    if end - start < sub.len() as isize {
        return None;
    }
    let part = t.slice(start as usize, end as usize);
    let found = if sub.len() == 1 {
        let c = sub.get(0);
        if backwards { part.rfind_char(c) } else { part.find_char(c) }
    } else if backwards {
        with_same_units!(part, sub, h, n => stringlib::rfind(h, n), None)
    } else {
        with_same_units!(part, sub, h, n => stringlib::find(h, n), None)
    };
    found.map(|i| i + start as usize)
}

/// Whether `sub` occurs in `t`.
#[inline]
pub fn contains(t: Text<'_>, sub: Text<'_>) -> bool {
    if sub.len() == 1 {
        return t.find_char(sub.get(0)).is_some();
    }
    with_same_units!(t, sub, h, n => stringlib::find(h, n).is_some(), false)
}

/// How often `sub` occurs in `t[start:end]`.
pub fn count_slice(t: Text<'_>, sub: Text<'_>, start: isize, end: isize) -> usize {
    let (start, end) = adjust_indices(start, end, t.len());
    if end - start < sub.len() as isize {
        return 0;
    }
    let part = t.slice(start as usize, end as usize);
    with_same_units!(part, sub, h, n => stringlib::count(h, n, usize::MAX), 0)
}

/// Whether `t[start:end]` starts or ends with `sub`.
pub fn tailmatch(t: Text<'_>, sub: Text<'_>, start: isize, end: isize, at_end: bool) -> bool {
    let (start, end) = adjust_indices(start, end, t.len());
    let last = end - sub.len() as isize;
    if last < start {
        return false;
    }
    let at = if at_end { last } else { start } as usize;
    sub.is_empty() || t.slice(at, at + sub.len()).same(sub)
}

// --- splitting

/// Collects parts of `s` into a new list.
struct Pieces<'a> {
    list: Owned,
    source: StrRef<'a>,
}

impl<'a> Pieces<'a> {
    fn new(source: StrRef<'a>) -> PyResult<Self> {
        // SAFETY: [GIL]
        Ok(Pieces { list: unsafe { Owned::from_owned_or_err(PyList_New(0))? }, source })
    }
    #[inline]
    fn push(&self, r: Range<usize>) -> PyResult<()> {
        let piece = substring(self.source, r.start, r.end)?;
        // SAFETY: [TYPE] a list.
        check_status(unsafe { PyList_Append(self.list.as_ptr(), piece.as_ptr().cast()) })
    }
    fn reversed(self) -> PyResult<Owned> {
        // SAFETY: [TYPE] a list.
        check_status(unsafe { PyList_Reverse(self.list.as_ptr()) })?;
        Ok(self.list)
    }
}

fn limit(max: isize) -> usize {
    if max < 0 { usize::MAX } else { max as usize }
}

#[cold]
fn empty_separator() -> Raised {
    raise!(PyExc_ValueError, "empty separator")
}

/// `s.split(sep, max)`; without `sep` at white space.
pub fn split(s: StrRef<'_>, sep: Option<StrRef<'_>>, max: isize) -> PyResult<Owned> {
    let pieces = Pieces::new(s)?;
    let t = text(s);
    match sep {
        None => with_units!(t, u => split::split_whitespace(u, limit(max), is_space, |r| pieces.push(r)))?,
        Some(sep) => {
            let sep = text(sep);
            if sep.is_empty() {
                return Err(empty_separator());
            }
            with_same_units!(t, sep, h, n => split::split(h, n, limit(max), |r| pieces.push(r)), pieces.push(0..t.len()))?
        }
    }
    Ok(pieces.list)
}

/// `s.rsplit(sep, max)`.
pub fn rsplit(s: StrRef<'_>, sep: Option<StrRef<'_>>, max: isize) -> PyResult<Owned> {
    let pieces = Pieces::new(s)?;
    let t = text(s);
    match sep {
        None => with_units!(t, u => split::rsplit_whitespace(u, limit(max), is_space, |r| pieces.push(r)))?,
        Some(sep) => {
            let sep = text(sep);
            if sep.is_empty() {
                return Err(empty_separator());
            }
            with_same_units!(t, sep, h, n => split::rsplit(h, n, limit(max), |r| pieces.push(r)), pieces.push(0..t.len()))?
        }
    }
    pieces.reversed()
}

/// `s.splitlines(keep)`.
pub fn splitlines(s: StrRef<'_>, keep: bool) -> PyResult<Owned> {
    let pieces = Pieces::new(s)?;
    with_units!(text(s), u => split::splitlines(u, keep, is_linebreak, |r| pieces.push(r)))?;
    Ok(pieces.list)
}

fn triple(a: StrObj, b: StrObj, c: StrObj) -> PyResult<Owned> {
    let items = [a.into_raw_object(), b.into_raw_object(), c.into_raw_object()];
    // SAFETY: [OWN] the references pass to the tuple.
    unsafe { Owned::from_owned_or_err(_PyTuple_FromArraySteal(items.as_ptr(), 3)) }
}

/// `s.partition(sep)` or, from the end, `s.rpartition(sep)`.
pub fn partition(s: StrRef<'_>, sep: StrRef<'_>, backwards: bool) -> PyResult<Owned> {
    let (t, u) = (text(s), text(sep));
    if u.is_empty() {
        return Err(empty_separator());
    }
    match find_slice(t, u, 0, isize::MAX, backwards) {
        Some(i) => triple(substring(s, 0, i)?, sep.to_owned(), substring(s, i + u.len(), t.len())?),
        None if backwards => triple(empty(), empty(), unchanged(s)?),
        None => triple(unchanged(s)?, empty(), empty()),
    }
}

// --- joining

/// The items of a list or tuple.
///
/// # Safety
/// `seq` is a list or tuple that stays unmodified for `'a`.
pub unsafe fn fast_items<'a>(seq: *mut PyObject) -> &'a [*mut PyObject] {
    // SAFETY: [TYPE]
    unsafe {
        let n = (*seq.cast::<PyVarObject>()).ob_size as usize;
        if n == 0 {
            return &[];
        }
        let items = if PyList_Check(seq) != 0 {
            (*seq.cast::<PyListObject>()).ob_item
        } else {
            (&raw mut (*seq.cast::<PyTupleObject>()).ob_item).cast()
        };
        core::slice::from_raw_parts(items, n)
    }
}

/// Joins strings; `sep` is not looked at for fewer than two.
///
/// # Safety
/// `items` are live objects, `sep` is one or NULL (a space).
pub unsafe fn join(sep: *mut PyObject, items: &[*mut PyObject]) -> PyResult<StrObj> {
    // SAFETY: [ARGS] types are checked first; no Python code runs in between.
    unsafe {
        if items.is_empty() {
            return Ok(empty());
        }
        if items.len() == 1 && PyUnicode_CheckExact(items[0]) != 0 {
            return Ok(Owned::from_borrowed(items[0].cast()));
        }
        let mut max = 0;
        let mut sep_text = Text::U1(&[]);
        if items.len() > 1 {
            let sep = if sep.is_null() { latin1_char_ptr(b' ') } else { sep };
            if PyUnicode_Check(sep) == 0 {
                PyErr_Format(PyExc_TypeError, c"separator: expected str instance, %.80s found".as_ptr(), (*(*sep).ob_type).tp_name);
                return Err(Raised::assume());
            }
            sep_text = text_of(sep);
            max = max_char_value(sep);
        }
        let mut total = 0usize;
        for (i, &item) in items.iter().enumerate() {
            if PyUnicode_Check(item) == 0 {
                PyErr_Format(
                    PyExc_TypeError,
                    c"sequence item %zd: expected str instance, %.80s found".as_ptr(),
                    i as isize,
                    (*(*item).ob_type).tp_name,
                );
                return Err(Raised::assume());
            }
            max = max.max(max_char_value(item));
            let add = length(item) + if i > 0 { sep_text.len() } else { 0 };
            match total.checked_add(add) {
                Some(n) if n <= isize::MAX as usize => total = n,
                _ => bail!(PyExc_OverflowError, "join() result is too long for a Python string"),
            }
        }
        let new = new_str(total, max)?;
        let op: *mut PyObject = new.as_ptr().cast();
        if total == 0 {
            return Ok(new);
        }
        let mut at = 0;
        for (i, &item) in items.iter().enumerate() {
            if i > 0 && !sep_text.is_empty() {
                copy_text(op, at, sep_text);
                at += sep_text.len();
            }
            let t = text_of(item);
            copy_text(op, at, t);
            at += t.len();
        }
        Ok(new)
    }
}

// --- replacing

/// Narrows `s` to what its characters need.
fn narrowed(s: StrObj) -> PyResult<StrObj> {
    let t = text(s.borrow());
    // SAFETY: [TYPE]
    if t.max_char() < unsafe { max_char_value(s.as_ptr().cast()) } || t.len() < 2 { from_text(t) } else { Ok(s) }
}

/// Replaces each `old` by `new` where both are as narrow as the string.
fn replace_bytes(s: StrRef<'_>, chars: &[u8], old: u8, new: u8) -> PyResult<StrObj> {
    if memchr::memchr(old, chars).is_none() {
        return unchanged(s);
    }
    // SAFETY: [TYPE] [OWN] a new string of the same length.
    unsafe {
        let result = new_str(chars.len(), max_char_value(s.ob()))?;
        let out = data(result.as_ptr().cast());
        for (i, &c) in chars.iter().enumerate() {
            *out.add(i) = if c == old { new } else { c };
        }
        // Only a character beyond ASCII that gives way can make the result narrower.
        if old > 127 && new < 128 || chars.len() == 1 { narrowed(result) } else { Ok(result) }
    }
}

/// `s.replace(old, new, max)`.
pub fn replace(s: StrRef<'_>, old: StrRef<'_>, new: StrRef<'_>, max: isize) -> PyResult<StrObj> {
    let (t, a, b) = (text(s), text(old), text(new));
    let max = limit(max);
    if t.len() < a.len() || max == 0 || old.is(new.ob()) || a.kind() > t.kind() {
        return unchanged(s);
    }
    if a.len() == 1
        && b.len() == 1
        && max == usize::MAX
        && let (Text::U1(chars), Text::U1(_)) = (t, b)
        // SAFETY: [TYPE]
        && unsafe { max_char_value(new.ob()) <= max_char_value(s.ob()) }
    {
        return replace_bytes(s, chars, a.get(0) as u8, b.get(0) as u8);
    }
    let mut at: Vec<usize> = Vec::new();
    if a.is_empty() {
        at.extend((0..=t.len()).take(max));
    } else if a.len() == 1 {
        let c = a.get(0);
        let mut i = 0;
        while at.len() < max {
            let Some(k) = t.slice(i, t.len()).find_char(c) else { break };
            at.push(i + k);
            i += k + 1;
        }
    } else {
        with_same_units!(t, a, h, n => {
            let searcher = Searcher::new(n);
            let mut i = 0;
            while at.len() < max {
                let Some(k) = searcher.find(&h[i..]) else { break };
                at.push(i + k);
                i += k + n.len();
            }
        }, ());
    }
    if at.is_empty() {
        return unchanged(s);
    }
    let kept = t.len() - at.len() * a.len();
    let total = match at.len().checked_mul(b.len()).and_then(|n| n.checked_add(kept)) {
        Some(n) if n <= isize::MAX as usize => n,
        _ => bail!(PyExc_OverflowError, "replace string is too long"),
    };
    // SAFETY: [TYPE] [OWN] the pieces add up to total.
    unsafe {
        let (max_s, max_new) = (max_char_value(s.ob()), max_char_value(new.ob()));
        let result = new_str(total, max_s.max(max_new))?;
        let op: *mut PyObject = result.as_ptr().cast();
        if total == 0 {
            return Ok(result);
        }
        let (mut from, mut to) = (0, 0);
        for &i in &at {
            copy_text(op, to, t.slice(from, i));
            to += i - from;
            copy_text(op, to, b);
            to += b.len();
            from = i + a.len();
        }
        copy_text(op, to, t.slice(from, t.len()));
        if max_new < max_s || total == 1 { narrowed(result) } else { Ok(result) }
    }
}

// --- padding, repeating, concatenating

/// `s` with `left` and `right` fill characters around it.
pub fn pad(s: StrRef<'_>, left: isize, right: isize, c: u32) -> PyResult<StrObj> {
    let (left, right) = (left.max(0) as usize, right.max(0) as usize);
    if left == 0 && right == 0 {
        return unchanged(s);
    }
    let t = text(s);
    let total = match left.checked_add(right).and_then(|n| n.checked_add(t.len())) {
        Some(n) if n <= isize::MAX as usize => n,
        _ => bail!(PyExc_OverflowError, "padded string is too long"),
    };
    // SAFETY: [TYPE] [OWN]
    unsafe {
        let new = new_str(total, max_char_value(s.ob()).max(c))?;
        let op: *mut PyObject = new.as_ptr().cast();
        fill(op, 0, left, c);
        copy_text(op, left, t);
        fill(op, left + t.len(), right, c);
        Ok(if total == 1 { result(new) } else { new })
    }
}

/// `s * n`.
pub fn repeat(s: StrRef<'_>, n: isize) -> PyResult<StrObj> {
    let t = text(s);
    if n < 1 || t.is_empty() {
        return Ok(empty());
    }
    if n == 1 {
        return unchanged(s);
    }
    let n = n as usize;
    if t.len() > isize::MAX as usize / n {
        bail!(PyExc_OverflowError, "repeated string is too long");
    }
    // SAFETY: [TYPE] [OWN]
    unsafe {
        let new = new_str(t.len() * n, max_char_value(s.ob()))?;
        let op: *mut PyObject = new.as_ptr().cast();
        if t.len() == 1 {
            fill(op, 0, n, t.get(0));
        } else {
            let bytes = t.bytes();
            crate::bytesobject::repeat_bytes(data(op), bytes.len() * n, bytes);
        }
        Ok(new)
    }
}

/// `left + right`.
pub fn concat(left: StrRef<'_>, right: StrRef<'_>) -> PyResult<StrObj> {
    let (a, b) = (text(left), text(right));
    if a.is_empty() {
        return unchanged(right);
    }
    if b.is_empty() {
        return unchanged(left);
    }
    let total = a.len() + b.len();
    if total > isize::MAX as usize {
        bail!(PyExc_OverflowError, "strings are too large to concat");
    }
    // SAFETY: [TYPE] [OWN]
    unsafe {
        let new = new_str(total, max_char_value(left.ob()).max(max_char_value(right.ob())))?;
        let op: *mut PyObject = new.as_ptr().cast();
        copy_text(op, 0, a);
        copy_text(op, a.len(), b);
        Ok(new)
    }
}

/// `left + right` where the reference to `left` is taken over: extends it in place if nobody else sees it.
pub fn append(left: StrObj, right: StrRef<'_>) -> PyResult<StrObj> {
    // SAFETY: [TYPE] [OWN]
    unsafe {
        let (l, r): (*mut PyObject, *mut PyObject) = (left.as_ptr().cast(), right.ob());
        let (n, m) = (length(l), length(r));
        if n == 0 {
            return unchanged(right);
        }
        if m == 0 {
            return unchanged(left.borrow());
        }
        if modifiable(l) && PyUnicode_CheckExact(r) != 0 && max_char_value(r) <= max_char_value(l) {
            if n + m > isize::MAX as usize {
                bail!(PyExc_OverflowError, "strings are too large to concat");
            }
            let new = resize_compact(left, n + m)?;
            copy_text(new.as_ptr().cast(), n, text(right));
            return Ok(new);
        }
        concat(left.borrow(), right)
    }
}

// --- C functions

unsafe fn two<'a>(a: *mut PyObject, b: *mut PyObject) -> PyResult<(StrRef<'a>, StrRef<'a>)> {
    // SAFETY: [ARGS]
    unsafe { Ok((ensure_unicode(Borrowed::from_ptr(a))?, ensure_unicode(Borrowed::from_ptr(b))?)) }
}

/// Position of `substr` in `str[start:end]`, -1 if there is none, -2 on error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Find(s: *mut PyObject, substr: *mut PyObject, start: Py_ssize_t, end: Py_ssize_t, direction: c_int) -> Py_ssize_t {
    // SAFETY: [ARGS]
    match unsafe { two(s, substr) } {
        Ok((s, sub)) => find_slice(text(s), text(sub), start, end, direction < 0).map_or(-1, |i| i as isize),
        Err(_) => -2,
    }
}
/// Position of a character in `str[start:end]`, -1 if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_FindChar(s: *mut PyObject, ch: u32, start: Py_ssize_t, end: Py_ssize_t, direction: c_int) -> Py_ssize_t {
    // SAFETY: [ARGS]
    let t = unsafe { text_of(s) };
    let (start, end) = adjust_indices(start, end, t.len());
    if end - start < 1 {
        return -1;
    }
    let part = t.slice(start as usize, end as usize);
    let found = if direction > 0 { part.find_char(ch) } else { part.rfind_char(ch) };
    found.map_or(-1, |i| i as isize + start)
}
/// How often `substr` occurs in `str[start:end]`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Count(s: *mut PyObject, substr: *mut PyObject, start: Py_ssize_t, end: Py_ssize_t) -> Py_ssize_t {
    // SAFETY: [ARGS]
    let r: PyResult<isize> = unsafe { two(s, substr) }.map(|(s, sub)| count_slice(text(s), text(sub), start, end) as isize);
    r.into_c()
}
/// 1 if `str[start:end]` starts (direction -1) or ends (1) with `substr`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Tailmatch(s: *mut PyObject, substr: *mut PyObject, start: Py_ssize_t, end: Py_ssize_t, direction: c_int) -> Py_ssize_t {
    // SAFETY: [ARGS]
    let r: PyResult<isize> = unsafe { two(s, substr) }.map(|(s, sub)| tailmatch(text(s), text(sub), start, end, direction > 0) as isize);
    r.into_c()
}
/// 1 if `element` (a str) occurs in `container`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Contains(container: *mut PyObject, element: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(element) == 0 {
            PyErr_Format(
                PyExc_TypeError,
                c"'in <string>' requires string as left operand, not %.100s".as_ptr(),
                (*(*element).ob_type).tp_name,
            );
            return -1;
        }
        ensure_unicode(Borrowed::from_ptr(container)).map(|s| contains(text(s), text_of(element))).into_c()
    }
}
unsafe fn separator<'a>(sep: *mut PyObject) -> PyResult<Option<StrRef<'a>>> {
    // SAFETY: [ARGS]
    unsafe { if sep.is_null() { Ok(None) } else { ensure_unicode(Borrowed::from_ptr(sep)).map(Some) } }
}
/// `s.split(sep, maxsplit)`; NULL separates at white space.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Split(s: *mut PyObject, sep: *mut PyObject, maxsplit: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { ensure_unicode(Borrowed::from_ptr(s)).and_then(|s| split(s, separator(sep)?, maxsplit)).into_c() }
}
/// `s.rsplit(sep, maxsplit)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_RSplit(s: *mut PyObject, sep: *mut PyObject, maxsplit: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { ensure_unicode(Borrowed::from_ptr(s)).and_then(|s| rsplit(s, separator(sep)?, maxsplit)).into_c() }
}
/// `s.splitlines(keepends)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Splitlines(s: *mut PyObject, keepends: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { ensure_unicode(Borrowed::from_ptr(s)).and_then(|s| splitlines(s, keepends != 0)).into_c() }
}
/// `s.partition(sep)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Partition(s: *mut PyObject, sep: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { two(s, sep).and_then(|(s, sep)| partition(s, sep, false)).into_c() }
}
/// `s.rpartition(sep)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_RPartition(s: *mut PyObject, sep: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { two(s, sep).and_then(|(s, sep)| partition(s, sep, true)).into_c() }
}
/// `separator.join(seq)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Join(separator: *mut PyObject, seq: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let fast = PySequence_Fast(seq, c"can only join an iterable".as_ptr());
        if fast.is_null() {
            return null_mut();
        }
        let r = join(separator, fast_items(fast)).into_c();
        Py_DECREF(fast);
        r
    }
}
/// `separator.join(items)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_JoinArray(separator: *mut PyObject, items: *const *mut PyObject, seqlen: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let items = if seqlen == 0 { &[][..] } else { core::slice::from_raw_parts(items, seqlen as usize) };
        join(separator, items).into_c()
    }
}
/// `str.replace(substr, replstr, maxcount)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Replace(s: *mut PyObject, substr: *mut PyObject, replstr: *mut PyObject, maxcount: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        two(s, substr).and_then(|(s, a)| replace(s, a, ensure_unicode(Borrowed::from_ptr(replstr))?, maxcount)).into_c()
    }
}
/// `left + right`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Concat(left: *mut PyObject, right: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(l) = ensure_unicode(Borrowed::from_ptr(left)) else { return null_mut() };
        if PyUnicode_Check(right) == 0 {
            PyErr_Format(
                PyExc_TypeError,
                c"can only concatenate str (not \"%.200s\") to str".as_ptr(),
                (*(*right).ob_type).tp_name,
            );
            return null_mut();
        }
        concat(l, Borrowed::from_ptr(right.cast())).into_c()
    }
}
/// `*p_left += right`, in place where possible; on error `*p_left` becomes NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Append(p_left: *mut *mut PyObject, right: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if p_left.is_null() {
            if err_occurred() {
                return;
            }
            PyErr_BadInternalCall();
            return;
        }
        let left = *p_left;
        if left.is_null() || right.is_null() || PyUnicode_Check(left) == 0 || PyUnicode_Check(right) == 0 {
            if !err_occurred() {
                PyErr_BadInternalCall();
            }
            setref(p_left, null_mut());
            return;
        }
        *p_left = append(Owned::from_owned(left.cast()), Borrowed::from_ptr(right.cast())).into_c();
    }
}
/// As [`PyUnicode_Append`], and releases `right`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AppendAndDel(p_left: *mut *mut PyObject, right: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        PyUnicode_Append(p_left, right);
        Py_XDECREF(right);
    }
}
/// 1 if the string is an identifier.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_IsIdentifier(s: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { super::case::isidentifier(Borrowed::from_ptr(s.cast())).into_c() }
}
/// How many characters from the start form an identifier.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_ScanIdentifier(s: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { super::case::scan_identifier(text_of(s)) as isize }
}
/// Strips characters of `sepobj` from the left (`striptype` 0), the right (1) or both ends (2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_XStrip(s: *mut PyObject, striptype: c_int, sepobj: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { strip_chars(Borrowed::from_ptr(s.cast()), Borrowed::from_ptr(sepobj.cast()), striptype).into_c() }
}

/// Bounds of what is left after characters that `drop` says are taken from the ends.
fn strip_bounds(t: Text<'_>, how: c_int, drop: impl Fn(u32) -> bool) -> (usize, usize) {
    with_units!(t, s => {
        let (mut i, mut j) = (0, s.len());
        if how != 1 {
            while i < j && drop(s[i].into()) {
                i += 1;
            }
        }
        if how != 0 {
            while j > i && drop(s[j - 1].into()) {
                j -= 1;
            }
        }
        (i, j)
    })
}

/// Strips white space.
pub fn strip_space(s: StrRef<'_>, how: c_int) -> PyResult<StrObj> {
    let (i, j) = strip_bounds(text(s), how, is_space);
    substring(s, i, j)
}

/// Strips the characters of `set`.
pub fn strip_chars(s: StrRef<'_>, set: StrRef<'_>, how: c_int) -> PyResult<StrObj> {
    let set = text(set);
    let (i, j) = match set {
        Text::U1([c]) => {
            let c = *c as u32;
            strip_bounds(text(s), how, |x| x == c)
        }
        _ => {
            // A filter by the low six bits spares most look-ups.
            let bloom = set.chars().fold(0u64, |m, c| m | 1 << (c & 63));
            strip_bounds(text(s), how, |x| bloom >> (x & 63) & 1 != 0 && set.find_char(x).is_some())
        }
    };
    substring(s, i, j)
}

