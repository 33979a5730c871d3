//! Reading JSON.

use super::{check_str, value_and_index};
use crate::support::{free, new, take};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::invoke::with_tuple_dict;
use taipan_clinic::{NativeFn, Signature, constructor, members};
use taipan_objects::floatobject::float_from_f64;
use taipan_objects::longobject::long_from_i64;
use taipan_objects::stringlib::Unit;
use taipan_objects::typeobject::TYPE_INIT;
use taipan_objects::unicodeobject::{Text, from_ascii, from_units, text_of};
use taipan_objects::with_units;

#[repr(C)]
pub(super) struct Scanner {
    ob_base: PyObject,
    strict: c_char,
    object_hook: *mut PyObject,
    object_pairs_hook: *mut PyObject,
    parse_float: *mut PyObject,
    parse_int: *mut PyObject,
    parse_constant: *mut PyObject,
}

/// JSONDecodeError at a place in the text.
#[cold]
fn decode_error(message: &CStr, text: *mut PyObject, at: usize) -> Raised {
    // SAFETY: [ARGS] the class comes from the library.
    unsafe {
        let make = || -> PyResult<()> {
            let class = take(_PyImport_GetModuleAttrString(c"json.decoder".as_ptr(), c"JSONDecodeError".as_ptr()))?;
            let exc = take(PyObject_CallFunction(class.as_ptr(), c"sOn".as_ptr(), message.as_ptr(), text, at as Py_ssize_t))?;
            PyErr_SetObject(class.as_ptr(), exc.as_ptr());
            Ok(())
        };
        let _ = make();
        Raised::assume()
    }
}
/// StopIteration, by which the library knows that there is no value.
#[cold]
fn no_value(at: usize) -> Raised {
    // SAFETY: [EXC]
    unsafe {
        if let Ok(n) = take(PyLong_FromSize_t(at)) {
            PyErr_SetObject(PyExc_StopIteration, n.as_ptr());
        }
        Raised::assume()
    }
}

const MEMO: usize = 256;

/// The keys met so far, so that equal ones share a str. A key met later may take the place of another.
struct Memo(Vec<(u64, *mut PyObject)>);
impl Memo {
    fn slot(&mut self, hash: u64) -> &mut (u64, *mut PyObject) {
        if self.0.is_empty() {
            self.0 = vec![(0, null_mut()); MEMO];
        }
        let at = (hash >> 56) as usize % MEMO;
        &mut self.0[at]
    }
    /// The str with these characters.
    fn get<U: Unit>(&mut self, key: &[U], make: impl FnOnce() -> PyResult<Owned>) -> PyResult<Owned> {
        let mut hash = key.len() as u64;
        for &c in key {
            hash = (hash.rotate_left(5) ^ c.into() as u64).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        let slot = self.slot(hash);
        // SAFETY: [OWN] the memo holds its keys, which are strs.
        unsafe {
            if !slot.1.is_null() && slot.0 == hash && same(text_of(slot.1), key) {
                return Ok(Owned::from_borrowed(slot.1));
            }
            let new = make()?;
            let old = core::mem::replace(slot, (hash, new.clone().into_raw())).1;
            Py_XDECREF(old);
            Ok(new)
        }
    }
}
impl Drop for Memo {
    fn drop(&mut self) {
        for &(_, key) in &self.0 {
            // SAFETY: [OWN]
            unsafe { Py_XDECREF(key) };
        }
    }
}
fn same<U: Unit>(text: Text<'_>, key: &[U]) -> bool {
    with_units!(text, t => t.len() == key.len() && t.iter().zip(key).all(|(&a, &b)| { let (a, b): (u32, u32) = (a.into(), b.into()); a == b }))
}

/// One reading of a text.
struct Scan<'a, U: Unit> {
    scanner: &'a Scanner,
    pystr: *mut PyObject,
    text: &'a [U],
    strict: bool,
    /// Whether all of the text is ASCII.
    ascii: bool,
    /// Items of the arrays and objects that are open.
    stack: Vec<*mut PyObject>,
    memo: Memo,
}
impl<U: Unit> Drop for Scan<'_, U> {
    fn drop(&mut self) {
        for &op in &self.stack {
            // SAFETY: [OWN]
            unsafe { Py_DECREF(op) };
        }
    }
}

/// A string of the text: a slice of it, or unescaped.
enum Scanned<'a, U> {
    Slice(&'a [U]),
    Built(Owned),
}

/// Unescaped characters, narrow as long as they fit.
#[derive(Default)]
struct Builder {
    narrow: Vec<u8>,
    wide: Option<Vec<u32>>,
}
impl Builder {
    fn slice<U: Unit>(&mut self, s: &[U]) {
        match &mut self.wide {
            None if U::KIND == 1 => self.narrow.extend(s.iter().map(|&c| u8::cut(c.into()))),
            None => s.iter().for_each(|&c| self.char(c.into())),
            Some(w) => w.extend(s.iter().map(|&c| -> u32 { c.into() })),
        }
    }
    fn char(&mut self, c: u32) {
        match &mut self.wide {
            None if c < 256 => self.narrow.push(c as u8),
            None => {
                let mut w: Vec<u32> = self.narrow.iter().map(|&b| b as u32).collect();
                w.push(c);
                self.wide = Some(w);
            }
            Some(w) => w.push(c),
        }
    }
    fn finish(self) -> PyResult<Owned> {
        match self.wide {
            None => from_units(&self.narrow),
            Some(w) => from_units(&w),
        }
        .map(Owned::into_object)
    }
}

fn hex4<U: Unit>(s: &[U]) -> Option<u32> {
    s.iter().try_fold(0, |n, &c| char::from_u32(c.into())?.to_digit(16).map(|d| n << 4 | d))
}

impl<'a, U: Unit> Scan<'a, U> {
    #[inline(always)]
    fn at(&self, i: usize) -> Option<u32> {
        self.text.get(i).map(|&c| c.into())
    }
    #[inline(always)]
    fn skip_space(&self, mut i: usize) -> usize {
        while let Some(0x20 | 0x09 | 0x0a | 0x0d) = self.at(i) {
            i += 1;
        }
        i
    }
    #[inline(always)]
    fn is_digit(&self, i: usize) -> bool {
        matches!(self.at(i), Some(0x30..=0x39))
    }
    fn error(&self, message: &CStr, at: usize) -> Raised {
        decode_error(message, self.pystr, at)
    }

    /// Index of the next quote or backslash.
    #[inline]
    fn plain(&self, start: usize) -> PyResult<Option<usize>> {
        for (i, &c) in self.text[start..].iter().enumerate() {
            let c: u32 = c.into();
            if c == 0x22 || c == 0x5c {
                return Ok(Some(start + i));
            }
            if c <= 0x1f && self.strict {
                return Err(self.error(c"Invalid control character at", start + i));
            }
        }
        Ok(None)
    }

    /// Reads the string whose first character is at `start`, and the index after its quote.
    #[inline]
    fn string(&self, start: usize) -> PyResult<(Scanned<'a, U>, usize)> {
        let unterminated = || self.error(c"Unterminated string starting at", start.wrapping_sub(1));
        let next = self.plain(start)?.ok_or_else(unterminated)?;
        if self.at(next) == Some(0x22) {
            return Ok((Scanned::Slice(&self.text[start..next]), next + 1));
        }
        self.escaped_string(start, next)
    }

    fn escaped_string(&self, start: usize, mut next: usize) -> PyResult<(Scanned<'a, U>, usize)> {
        let unterminated = || self.error(c"Unterminated string starting at", start.wrapping_sub(1));
        let mut out = Builder::default();
        let mut from = start;
        loop {
            out.slice(&self.text[from..next]);
            if self.at(next) == Some(0x22) {
                return Ok((Scanned::Built(out.finish()?), next + 1));
            }
            // `next` is a backslash.
            let Some(c) = self.at(next + 1) else { return Err(unterminated()) };
            from = next + 2;
            let c = match char::from_u32(c) {
                Some(c @ ('"' | '\\' | '/')) => c as u32,
                Some('b') => 8,
                Some('f') => 12,
                Some('n') => 10,
                Some('r') => 13,
                Some('t') => 9,
                Some('u') => {
                    // A quote must follow the digits.
                    let bad = |at: usize| self.error(c"Invalid \\uXXXX escape", at);
                    let digits = self.text.get(from..from + 4).filter(|_| from + 4 < self.text.len());
                    let high = hex4(digits.ok_or_else(|| bad(from - 1))?).ok_or_else(|| bad(from - 1))?;
                    from += 4;
                    let mut c = high;
                    if (0xd800..0xdc00).contains(&high) && from + 6 < self.text.len() && self.at(from) == Some(0x5c) && self.at(from + 1) == Some(0x75) {
                        let low = hex4(&self.text[from + 2..from + 6]).ok_or_else(|| bad(from + 1))?;
                        if (0xdc00..0xe000).contains(&low) {
                            c = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                            from += 6;
                        }
                    }
                    c
                }
                _ => return Err(self.error(c"Invalid \\escape", next)),
            };
            out.char(c);
            next = self.plain(from)?.ok_or_else(unterminated)?;
        }
    }

    fn make(&self, s: &[U]) -> PyResult<Owned> {
        if self.ascii && U::KIND == 1 {
            // SAFETY: [LAYOUT] units of kind 1 are bytes.
            let bytes = unsafe { core::slice::from_raw_parts(s.as_ptr().cast::<u8>(), s.len()) };
            return from_ascii(bytes).map(Owned::into_object);
        }
        from_units(s).map(Owned::into_object)
    }

    fn key(&mut self, start: usize) -> PyResult<(Owned, usize)> {
        let (scanned, end) = self.string(start)?;
        let mut memo = core::mem::replace(&mut self.memo, Memo(Vec::new()));
        let key = match scanned {
            Scanned::Slice(s) => memo.get(s, || self.make(s)),
            // SAFETY: [TYPE] a str.
            Scanned::Built(built) => with_units!(unsafe { text_of(built.as_ptr()) }, s => memo.get(s, || Ok(built.clone()))),
        };
        self.memo = memo;
        Ok((key?, end))
    }

    /// Takes the items from `base` on off the stack.
    fn unwind(&mut self, base: usize) {
        for op in self.stack.drain(base..) {
            // SAFETY: [OWN]
            unsafe { Py_DECREF(op) };
        }
    }

    fn object(&mut self, start: usize) -> PyResult<(Owned, usize)> {
        let base = self.stack.len();
        let mut i = self.skip_space(start);
        if self.at(i) != Some(0x7d) {
            loop {
                if self.at(i) != Some(0x22) {
                    return Err(self.error(c"Expecting property name enclosed in double quotes", i));
                }
                let (key, after) = self.key(i + 1)?;
                self.stack.push(key.into_raw());
                i = self.skip_space(after);
                if self.at(i) != Some(0x3a) {
                    return Err(self.error(c"Expecting ':' delimiter", i));
                }
                i = self.skip_space(i + 1);
                let (value, after) = self.value(i)?;
                self.stack.push(value.into_raw());
                i = self.skip_space(after);
                match self.at(i) {
                    Some(0x7d) => break,
                    Some(0x2c) => {}
                    _ => return Err(self.error(c"Expecting ',' delimiter", i)),
                }
                let comma = i;
                i = self.skip_space(i + 1);
                if self.at(i) == Some(0x7d) {
                    return Err(self.error(c"Illegal trailing comma before end of object", comma));
                }
            }
        }
        // SAFETY: [OWN] keys and values alternate on the stack from `base` on.
        unsafe {
            let s = self.scanner;
            let n = (self.stack.len() - base) / 2;
            if s.object_pairs_hook != Py_None() {
                let list = take(PyList_New(n as isize))?;
                for (k, pair) in self.stack[base..].chunks_exact(2).enumerate() {
                    PyList_SET_ITEM(list.as_ptr(), k as isize, take(_PyTuple_FromArray(pair.as_ptr(), 2))?.into_raw());
                }
                self.unwind(base);
                return Ok((take(PyObject_CallOneArg(s.object_pairs_hook, list.as_ptr()))?, i + 1));
            }
            let items = self.stack.as_ptr().add(base);
            let dict = if n == 0 { take(PyDict_New()) } else { take(_PyDict_FromItems(items, 2, items.add(1), 2, n as isize)) };
            self.unwind(base);
            let dict = dict?;
            if s.object_hook != Py_None() {
                return Ok((take(PyObject_CallOneArg(s.object_hook, dict.as_ptr()))?, i + 1));
            }
            Ok((dict, i + 1))
        }
    }

    fn array(&mut self, start: usize) -> PyResult<(Owned, usize)> {
        let base = self.stack.len();
        let mut i = self.skip_space(start);
        if self.at(i) != Some(0x5d) {
            loop {
                let (value, after) = self.value(i)?;
                self.stack.push(value.into_raw());
                i = self.skip_space(after);
                match self.at(i) {
                    Some(0x5d) => break,
                    Some(0x2c) => {}
                    _ => return Err(self.error(c"Expecting ',' delimiter", i)),
                }
                let comma = i;
                i = self.skip_space(i + 1);
                if self.at(i) == Some(0x5d) {
                    return Err(self.error(c"Illegal trailing comma before end of array", comma));
                }
            }
        }
        // SAFETY: [OWN] the items move from the stack to the list.
        unsafe {
            let n = self.stack.len() - base;
            let items = self.stack.as_ptr().add(base);
            self.stack.set_len(base);
            Ok((take(_PyList_FromArraySteal(items, n as isize))?, i + 1))
        }
    }

    fn starts_with(&self, at: usize, word: &[u8]) -> bool {
        self.text.get(at..at + word.len()).is_some_and(|s| s.iter().zip(word).all(|(&c, &w)| { let c: u32 = c.into(); c == w as u32 }))
    }
    fn constant(&self, word: &CStr, at: usize) -> PyResult<(Owned, usize)> {
        // SAFETY: [ARGS]
        unsafe {
            let name = take(PyUnicode_InternFromString(word.as_ptr()))?;
            Ok((take(PyObject_CallOneArg(self.scanner.parse_constant, name.as_ptr()))?, at + word.count_bytes()))
        }
    }

    #[inline]
    fn value(&mut self, at: usize) -> PyResult<(Owned, usize)> {
        let Some(c) = self.at(at) else { return Err(no_value(at)) };
        // SAFETY: [IMMORTAL]
        let known = |op: *mut PyObject, len: usize| unsafe { Ok((Owned::from_borrowed(op), at + len)) };
        // SAFETY: [IMMORTAL]
        unsafe {
            match c as u8 as char {
                _ if c > 127 => {}
                '"' => {
                    let (scanned, end) = self.string(at + 1)?;
                    return Ok((
                        match scanned {
                            Scanned::Slice(s) => self.make(s)?,
                            Scanned::Built(b) => b,
                        },
                        end,
                    ));
                }
                '{' => {
                    let _guard = RecursionGuard::enter(c" while decoding a JSON object from a unicode string")?;
                    return self.object(at + 1);
                }
                '[' => {
                    let _guard = RecursionGuard::enter(c" while decoding a JSON array from a unicode string")?;
                    return self.array(at + 1);
                }
                'n' if self.starts_with(at, b"null") => return known(Py_None(), 4),
                't' if self.starts_with(at, b"true") => return known(Py_True(), 4),
                'f' if self.starts_with(at, b"false") => return known(Py_False(), 5),
                'N' if self.starts_with(at, b"NaN") => return self.constant(c"NaN", at),
                'I' if self.starts_with(at, b"Infinity") => return self.constant(c"Infinity", at),
                '-' if self.starts_with(at, b"-Infinity") => return self.constant(c"-Infinity", at),
                _ => {}
            }
        }
        self.number(at)
    }

    fn number(&self, start: usize) -> PyResult<(Owned, usize)> {
        let mut i = start;
        let negative = self.at(i) == Some(0x2d);
        if negative {
            i += 1;
        }
        match self.at(i) {
            Some(0x31..=0x39) => {
                while self.is_digit(i) {
                    i += 1;
                }
            }
            Some(0x30) => i += 1,
            _ => return Err(no_value(start)),
        }
        let int_end = i;
        let mut is_float = false;
        if self.at(i) == Some(0x2e) && self.is_digit(i + 1) {
            is_float = true;
            i += 2;
            while self.is_digit(i) {
                i += 1;
            }
        }
        if let Some(0x65 | 0x45) = self.at(i) {
            let mut j = i + 1;
            if let Some(0x2b | 0x2d) = self.at(j) {
                j += 1;
            }
            // Without a digit it is no exponent.
            if self.is_digit(j) {
                while self.is_digit(j) {
                    j += 1;
                }
                is_float = true;
                i = j;
            }
        }
        let units = &self.text[start..i];
        let s = self.scanner;
        // SAFETY: [GIL]
        unsafe {
            let (hook, plain) = if is_float { (s.parse_float, &raw mut PyFloat_Type) } else { (s.parse_int, &raw mut PyLong_Type) };
            if hook != plain.cast() {
                let text = from_units(units)?;
                return Ok((take(PyObject_CallOneArg(hook, text.as_ptr().cast()))?, i));
            }
            if !is_float && int_end - start <= 18 {
                let n = units[negative as usize..].iter().fold(0i64, |n, &c| { let c: u32 = c.into(); n * 10 + (c - 0x30) as i64 });
                return Ok((take(long_from_i64(if negative { -n } else { n }))?, i));
            }
            // All ASCII.
            let mut bytes: Vec<u8> = Vec::with_capacity(units.len() + 1);
            bytes.extend(units.iter().map(|&c| u8::cut(c.into())));
            if is_float {
                let x: f64 = core::str::from_utf8(&bytes).ok().and_then(|t| t.parse().ok()).unwrap_or(f64::NAN);
                return Ok((take(float_from_f64(x))?, i));
            }
            bytes.push(0);
            Ok((take(PyLong_FromString(bytes.as_ptr().cast(), null_mut(), 10))?, i))
        }
    }
}

fn blank() -> Scanner {
    // SAFETY: [IMMORTAL] used for strings only, which look at no hook.
    unsafe {
        Scanner {
            ob_base: immortal_head(null_mut()),
            strict: 1,
            object_hook: Py_None(),
            object_pairs_hook: Py_None(),
            parse_float: Py_None(),
            parse_int: Py_None(),
            parse_constant: Py_None(),
        }
    }
}

/// The string at index `end`, and the index after it.
pub(super) fn scan_string(string: Borrowed<'_>, end: isize, strict: bool) -> PyResult<Owned> {
    // SAFETY: [TYPE] a str, held by the caller.
    unsafe {
        let text = text_of(string.ob());
        if end < 0 || end as usize > text.len() {
            bail!(PyExc_ValueError, "end is out of bounds");
        }
        let scanner = blank();
        with_units!(text, s => {
            let scan = Scan { scanner: &scanner, pystr: string.ob(), text: s, strict, ascii: false, stack: Vec::new(), memo: Memo(Vec::new()) };
            let (scanned, next) = scan.string(end as usize)?;
            let value = match scanned {
                Scanned::Slice(s) => scan.make(s)?,
                Scanned::Built(b) => b,
            };
            value_and_index(value, next)
        })
    }
}

fn scan_once(slf: Borrowed<'_, Scanner>, string: Borrowed<'_>, idx: isize) -> PyResult<Owned> {
    check_str(string)?;
    if idx < 0 {
        bail!(PyExc_ValueError, "idx cannot be negative");
    }
    // SAFETY: [TYPE] a str, held by the caller.
    unsafe {
        let ascii = PyUnicode_IS_ASCII(string.ob()) != 0;
        let scanner = &*slf.as_ptr();
        with_units!(text_of(string.ob()), s => {
            let mut scan = Scan { scanner, pystr: string.ob(), text: s, strict: scanner.strict != 0, ascii, stack: Vec::new(), memo: Memo(Vec::new()) };
            let (value, next) = scan.value(idx as usize)?;
            value_and_index(value, next)
        })
    }
}

unsafe extern "C" fn scanner_call(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    const SIG: Signature<2> = Signature::parse("scan_once(string, idx)");
    // SAFETY: [ARGS] called as tp_call.
    unsafe {
        let sig = SIG.erase();
        with_tuple_dict(&sig, args, kw, |call| Ok(NativeFn::invoke(scan_once, slf, call, &sig))).unwrap_or(null_mut())
    }
}

fn scanner_new(tp: Borrowed<'_, PyTypeObject>, context: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [OWN] attributes are stored as they are found.
    unsafe {
        let attr = |name: *mut PyObject| take(PyObject_GetAttr(context.ob(), name));
        let scanner = new::<Scanner>(tp.as_ptr())?;
        let s = scanner.as_ptr();
        let strict = PyObject_IsTrue(attr(intern!("strict"))?.as_ptr());
        check_status(strict)?;
        (*s).strict = strict as c_char;
        (*s).object_hook = attr(intern!("object_hook"))?.into_raw();
        (*s).object_pairs_hook = attr(intern!("object_pairs_hook"))?.into_raw();
        (*s).parse_float = attr(intern!("parse_float"))?.into_raw();
        (*s).parse_int = attr(intern!("parse_int"))?.into_raw();
        (*s).parse_constant = attr(intern!("parse_constant"))?.into_raw();
        Ok(scanner.into_object())
    }
}
unsafe extern "C" fn scanner_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let s = slf.cast::<Scanner>();
        py_visit!(visitor, arg; (*s).object_hook, (*s).object_pairs_hook, (*s).parse_float, (*s).parse_int, (*s).parse_constant);
    }
    0
}
unsafe extern "C" fn scanner_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let s = slf.cast::<Scanner>();
        for slot in [&raw mut (*s).object_hook, &raw mut (*s).object_pairs_hook, &raw mut (*s).parse_float, &raw mut (*s).parse_int, &raw mut (*s).parse_constant] {
            setref(slot, null_mut());
        }
    }
    0
}
unsafe extern "C" fn scanner_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        scanner_clear(slf);
        free(slf);
    }
}
members! {
    static MEMBERS = [
        "strict", Py_T_BOOL, core::mem::offset_of!(Scanner, strict), Py_READONLY, "strict";
        "object_hook", Py_T_OBJECT_EX, core::mem::offset_of!(Scanner, object_hook), Py_READONLY, "object_hook";
        "object_pairs_hook", Py_T_OBJECT_EX, core::mem::offset_of!(Scanner, object_pairs_hook), Py_READONLY, "";
        "parse_float", Py_T_OBJECT_EX, core::mem::offset_of!(Scanner, parse_float), Py_READONLY, "parse_float";
        "parse_int", Py_T_OBJECT_EX, core::mem::offset_of!(Scanner, parse_int), Py_READONLY, "parse_int";
        "parse_constant", Py_T_OBJECT_EX, core::mem::offset_of!(Scanner, parse_constant), Py_READONLY, "parse_constant";
    ];
}
pub(super) static mut SCANNER: PyTypeObject = PyTypeObject {
    tp_name: c"_json.Scanner".as_ptr(),
    tp_basicsize: size_of::<Scanner>() as Py_ssize_t,
    tp_dealloc: Some(scanner_dealloc),
    tp_call: Some(scanner_call),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"A reader of JSON values.".as_ptr(),
    tp_traverse: Some(scanner_traverse),
    tp_clear: Some(scanner_clear),
    tp_members: (&raw mut MEMBERS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(constructor!("make_scanner(context)" => scanner_new)),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};
