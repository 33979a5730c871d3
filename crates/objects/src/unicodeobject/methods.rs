//! Methods of `str`.

use super::args::*;
use super::layout::*;
use super::ops::{
    count_slice, fast_items, find_slice, pad, partition, replace, rsplit, split, splitlines, strip_chars, strip_space, tailmatch,
};
use super::{case, format, translate, writer::Writer};
use crate::{slice_method, with_units};
use core::ffi::c_char;
use core::ptr::{copy_nonoverlapping, null_mut};
use taipan_abi::*;
use taipan_clinic::{Str, methods};

fn sref<'a>(s: Str<'a>) -> StrRef<'a> {
    // SAFETY: [TYPE] the conversion checked it.
    unsafe { s.0.cast() }
}

/// "find() argument 1 must be str, not int".
#[cold]
unsafe fn bad_sub(name: &str, arg: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        let got = if arg == Py_None() { "None".into() } else { type_name(arg) };
        raise!(PyExc_TypeError, "{}() argument 1 must be str, not {}", name, got)
    }
}

macro_rules! find_methods {
    ($($(#[$m:meta])* $entry:ident, $name:literal, $backwards:literal, $must:literal;)*) => { $(
        slice_method! {
            $(#[$m])*
            $entry, $name, |slf, sub, start, end| {
                if PyUnicode_Check(sub) == 0 {
                    return Err(bad_sub($name, sub));
                }
                match find_slice(text_of(slf), text_of(sub), start, end, $backwards) {
                    Some(i) => Ok(PyLong_FromSsize_t(i as isize)),
                    None if $must => bail!(PyExc_ValueError, "substring not found"),
                    None => Ok(PyLong_FromSsize_t(-1)),
                }
            }
        }
    )* };
}
find_methods! {
    /// `str.find`.
    str_find, "find", false, false;
    /// `str.rfind`.
    str_rfind, "rfind", true, false;
    /// `str.index`.
    str_index, "index", false, true;
    /// `str.rindex`.
    str_rindex, "rindex", true, true;
}
slice_method! {
    /// `str.count`.
    str_count, "count", |slf, sub, start, end| {
        if PyUnicode_Check(sub) == 0 {
            return Err(bad_sub("count", sub));
        }
        Ok(PyLong_FromSize_t(count_slice(text_of(slf), text_of(sub), start, end)))
    }
}

unsafe fn ends(slf: *mut PyObject, sub: *mut PyObject, start: isize, end: isize, at_end: bool) -> PyResult<*mut PyObject> {
    // SAFETY: [ARGS]
    unsafe {
        let name = if at_end { c"endswith" } else { c"startswith" };
        let t = text_of(slf);
        let answer = if PyTuple_Check(sub) != 0 {
            let mut found = false;
            for &item in fast_items(sub) {
                if PyUnicode_Check(item) == 0 {
                    PyErr_Format(
                        PyExc_TypeError,
                        c"tuple for %s must only contain str, not %.100s".as_ptr(),
                        name.as_ptr(),
                        (*(*item).ob_type).tp_name,
                    );
                    return Err(Raised::assume());
                }
                if tailmatch(t, text_of(item), start, end, at_end) {
                    found = true;
                    break;
                }
            }
            found
        } else if PyUnicode_Check(sub) != 0 {
            tailmatch(t, text_of(sub), start, end, at_end)
        } else {
            PyErr_Format(
                PyExc_TypeError,
                c"%s first arg must be str or a tuple of str, not %.100s".as_ptr(),
                name.as_ptr(),
                (*(*sub).ob_type).tp_name,
            );
            return Err(Raised::assume());
        };
        Ok(if answer { Py_True() } else { Py_False() })
    }
}
slice_method! {
    /// `str.startswith`.
    str_startswith, "startswith", |slf, sub, start, end| ends(slf, sub, start, end, false)
}
slice_method! {
    /// `str.endswith`.
    str_endswith, "endswith", |slf, sub, start, end| ends(slf, sub, start, end, true)
}

fn str_encode(s: StrRef<'_>, encoding: Option<CText>, errors: Option<CText>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(PyUnicode_AsEncodedString(s.ob(), CText::or_null(encoding), CText::or_null(errors))) }
}

fn str_replace(s: StrRef<'_>, old: Str<'_>, new: Str<'_>, count: isize) -> PyResult<StrObj> {
    replace(s, sref(old), sref(new), count)
}

fn separator<'a>(sep: Borrowed<'a>) -> PyResult<Option<StrRef<'a>>> {
    if sep.is_none() {
        return Ok(None);
    }
    match as_str(sep) {
        Some(s) => Ok(Some(s)),
        // SAFETY: [ARGS]
        None => unsafe {
            PyErr_Format(PyExc_TypeError, c"must be str or None, not %.100s".as_ptr(), (*sep.ob_type()).tp_name);
            Err(Raised::assume())
        },
    }
}
fn str_split(s: StrRef<'_>, sep: Borrowed<'_>, maxsplit: isize) -> PyResult<Owned> {
    split(s, separator(sep)?, maxsplit)
}
fn str_rsplit(s: StrRef<'_>, sep: Borrowed<'_>, maxsplit: isize) -> PyResult<Owned> {
    rsplit(s, separator(sep)?, maxsplit)
}
fn str_splitlines(s: StrRef<'_>, keepends: bool) -> PyResult<Owned> {
    splitlines(s, keepends)
}
fn str_join(s: StrRef<'_>, iterable: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyUnicode_Join(s.ob(), iterable.ob())) }
}
fn str_partition(s: StrRef<'_>, sep: Borrowed<'_>) -> PyResult<Owned> {
    partition(s, ensure_unicode(sep)?, false)
}
fn str_rpartition(s: StrRef<'_>, sep: Borrowed<'_>) -> PyResult<Owned> {
    partition(s, ensure_unicode(sep)?, true)
}

fn str_center(s: StrRef<'_>, width: isize, fill: FillChar) -> PyResult<StrObj> {
    let n = text(s).len() as isize;
    if n >= width {
        return unchanged(s);
    }
    let margin = width - n;
    let left = margin / 2 + (margin & width & 1);
    pad(s, left, margin - left, fill.0)
}
fn str_ljust(s: StrRef<'_>, width: isize, fill: FillChar) -> PyResult<StrObj> {
    pad(s, 0, width.saturating_sub(text(s).len() as isize), fill.0)
}
fn str_rjust(s: StrRef<'_>, width: isize, fill: FillChar) -> PyResult<StrObj> {
    pad(s, width.saturating_sub(text(s).len() as isize), 0, fill.0)
}

fn str_zfill(s: StrRef<'_>, width: isize) -> PyResult<StrObj> {
    let t = text(s);
    let zeros = width.saturating_sub(t.len() as isize);
    if zeros <= 0 {
        return unchanged(s);
    }
    let new = pad(s, zeros, 0, b'0' as u32)?;
    if let Some(sign @ (0x2b | 0x2d)) = t.at(0) {
        let op: *mut PyObject = new.as_ptr().cast();
        // SAFETY: [OWN] the string is new and longer than the zeros; one character would be shared.
        unsafe {
            if length(op) > 1 {
                write_char(op, 0, sign);
                write_char(op, zeros as usize, b'0' as u32);
            }
        }
    }
    Ok(new)
}

fn strip_argument(s: StrRef<'_>, chars: Borrowed<'_>, how: i32, name: &core::ffi::CStr) -> PyResult<StrObj> {
    if chars.is_none() {
        return strip_space(s, how);
    }
    match as_str(chars) {
        Some(set) => strip_chars(s, set, how),
        // SAFETY: [ARGS]
        None => unsafe {
            PyErr_Format(PyExc_TypeError, c"%s arg must be None or str".as_ptr(), name.as_ptr());
            Err(Raised::assume())
        },
    }
}
fn str_strip(s: StrRef<'_>, chars: Borrowed<'_>) -> PyResult<StrObj> {
    strip_argument(s, chars, 2, c"strip")
}
fn str_lstrip(s: StrRef<'_>, chars: Borrowed<'_>) -> PyResult<StrObj> {
    strip_argument(s, chars, 0, c"lstrip")
}
fn str_rstrip(s: StrRef<'_>, chars: Borrowed<'_>) -> PyResult<StrObj> {
    strip_argument(s, chars, 1, c"rstrip")
}

fn str_removeprefix(s: StrRef<'_>, prefix: Str<'_>) -> PyResult<StrObj> {
    let (t, p) = (text(s), text(sref(prefix)));
    if tailmatch(t, p, 0, isize::MAX, false) { substring(s, p.len(), t.len()) } else { unchanged(s) }
}
fn str_removesuffix(s: StrRef<'_>, suffix: Str<'_>) -> PyResult<StrObj> {
    let (t, p) = (text(s), text(sref(suffix)));
    if tailmatch(t, p, 0, isize::MAX, true) { substring(s, 0, t.len() - p.len()) } else { unchanged(s) }
}

fn str_expandtabs(s: StrRef<'_>, tabsize: i32) -> PyResult<StrObj> {
    let t = text(s);
    if t.find_char(9).is_none() {
        return unchanged(s);
    }
    let tab = tabsize.max(0) as usize;
    let (mut column, mut total) = (0usize, 0usize);
    for c in t.chars() {
        let add = match c {
            9 if tab == 0 => 0,
            9 => tab - column % tab,
            _ => 1,
        };
        column = if matches!(c, 10 | 13) { 0 } else { column + add };
        total = match total.checked_add(add) {
            Some(n) if n <= isize::MAX as usize => n,
            _ => bail!(PyExc_OverflowError, "new string is too long"),
        };
    }
    // SAFETY: [TYPE] [OWN] total characters are written.
    unsafe {
        let new = new_str(total, max_char_value(s.ob()))?;
        let op: *mut PyObject = new.as_ptr().cast();
        let (mut column, mut at) = (0, 0);
        for c in t.chars() {
            if c == 9 {
                if tab > 0 {
                    let n = tab - column % tab;
                    fill(op, at, n, 32);
                    (column, at) = (column + n, at + n);
                }
                continue;
            }
            write_char(op, at, c);
            at += 1;
            column = if matches!(c, 10 | 13) { 0 } else { column + 1 };
        }
        Ok(if total == 1 { from_text(text(new.borrow()))? } else { new })
    }
}

fn str_translate(s: StrRef<'_>, table: Borrowed<'_>) -> PyResult<StrObj> {
    translate::translate(s, table, c"ignore")
}

fn str_maketrans(_: (), x: Borrowed<'_>, y: Option<Str<'_>>, z: Option<Str<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS] types are checked before data is read.
    unsafe {
        let table = Owned::from_owned_or_err(PyDict_New())?;
        let put = |key: u32, value: *mut PyObject| -> PyResult<()> {
            let key = Owned::from_owned_or_err(PyLong_FromLong(key as i64))?;
            check_status(PyDict_SetItem(table.as_ptr(), key.as_ptr(), value))
        };
        if let Some(y) = y {
            let Some(x) = as_str(x) else {
                bail!(PyExc_TypeError, "first maketrans argument must be a string if there is a second argument")
            };
            let (x, y) = (text(x), text(sref(y)));
            if x.len() != y.len() {
                bail!(PyExc_ValueError, "the first two maketrans arguments must have equal length");
            }
            for (a, b) in x.chars().zip(y.chars()) {
                let value = Owned::from_owned_or_err(PyLong_FromLong(b as i64))?;
                put(a, value.as_ptr())?;
            }
            if let Some(z) = z {
                for c in text(sref(z)).chars() {
                    put(c, Py_None())?;
                }
            }
            return Ok(table);
        }
        if PyDict_CheckExact(x.ob()) == 0 {
            bail!(PyExc_TypeError, "if you give only one argument to maketrans it must be a dict");
        }
        let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
        while PyDict_Next(x.ob(), &mut pos, &mut key, &mut value) != 0 {
            if PyUnicode_Check(key) != 0 {
                match text_of(key).at(0) {
                    Some(c) if length(key) == 1 => put(c, value)?,
                    _ => bail!(PyExc_ValueError, "string keys in translate table must be of length 1"),
                }
            } else if PyLong_Check(key) != 0 {
                check_status(PyDict_SetItem(table.as_ptr(), key, value))?;
            } else {
                bail!(PyExc_TypeError, "keys in translate table must be strings or integers");
            }
        }
        Ok(table)
    }
}

fn str_format_spec(s: StrRef<'_>, spec: Str<'_>) -> PyResult<StrObj> {
    let mut w = Writer::new();
    let spec = sref(spec);
    // SAFETY: [TYPE]
    let r = unsafe {
        crate::formatter_unicode::_PyUnicode_FormatAdvancedWriter(&mut w.0, s.ob(), spec.ob(), 0, text(spec).len() as isize)
    };
    check_status(r)?;
    w.finish()
}

fn str_format_map(s: StrRef<'_>, mapping: Borrowed<'_>) -> PyResult<StrObj> {
    format::format_map(s, mapping)
}

unsafe extern "C" fn str_format(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] method calling convention.
    unsafe { format::format(Borrowed::from_ptr(slf.cast()), args, kwargs).into_c() }
}

fn str_sizeof(s: StrRef<'_>) -> PyResult<usize> {
    let op = s.ob();
    // SAFETY: [TYPE]
    unsafe {
        let t = text(s);
        let chars = (t.len() + 1) * t.kind() as usize;
        let mut size = if is_compact_ascii(op) {
            size_of::<PyASCIIObject>() + chars
        } else if is_compact(op) {
            size_of::<PyCompactUnicodeObject>() + chars
        } else {
            size_of::<PyUnicodeObject>() + chars
        };
        if !is_compact_ascii(op) {
            let c = op.cast::<PyCompactUnicodeObject>();
            if !(*c).utf8.is_null() && (*c).utf8.cast::<u8>() != data(op) {
                size += (*c).utf8_length as usize + 1;
            }
        }
        Ok(size)
    }
}

fn str_getnewargs(s: StrRef<'_>) -> PyResult<Owned> {
    let item = copy(s)?.into_raw_object();
    // SAFETY: [OWN] the reference passes to the tuple.
    unsafe { Owned::from_owned_or_err(_PyTuple_FromArraySteal(&item, 1)) }
}

methods! {
    /// Methods of `str`.
    pub(super) static STR_METHODS = [
        "encode($self, /, encoding='utf-8', errors='strict')" => str_encode, "Encode the string to bytes with the codec registered for encoding.";
        "replace($self, old, new, /, count=-1)" => str_replace, "Return a copy with occurrences of old replaced by new, at most count of them.";
        "split($self, /, sep=None, maxsplit=-1)" => str_split, "Return the words of the string, separated by sep or by white space.";
        "rsplit($self, /, sep=None, maxsplit=-1)" => str_rsplit, "Like split, but count maxsplit from the end.";
        "join($self, iterable, /)" => str_join, "Concatenate the strings of iterable with this string between them.";
        "capitalize($self, /)" => case::capitalize, "Return a copy with the first character in title case and the rest in lower case.";
        "casefold($self, /)" => case::casefold, "Return a copy suitable for caseless comparison.";
        "title($self, /)" => case::title, "Return a copy where each word starts in title case and goes on in lower case.";
        "center($self, width, fillchar=' ', /)" => str_center, "Pad on both sides to width.";
        raw "count", PyMethodDefPointer { PyCFunctionFast: str_count }, METH_FASTCALL, "count($self, sub[, start[, end]], /)\n--\n\nCount occurrences of sub that don't overlap.";
        "expandtabs($self, /, tabsize=8)" => str_expandtabs, "Return a copy where spaces up to the next tab stop replace tabs.";
        raw "find", PyMethodDefPointer { PyCFunctionFast: str_find }, METH_FASTCALL, "find($self, sub[, start[, end]], /)\n--\n\nReturn the position of the first occurrence of sub, or -1.";
        "partition($self, sep, /)" => str_partition, "Split at the first sep into the part before, sep, and the part after.";
        raw "index", PyMethodDefPointer { PyCFunctionFast: str_index }, METH_FASTCALL, "index($self, sub[, start[, end]], /)\n--\n\nLike find, but raise ValueError if there is no occurrence.";
        "ljust($self, width, fillchar=' ', /)" => str_ljust, "Pad on the right to width.";
        "lower($self, /)" => case::lower, "Return a copy in lower case.";
        "lstrip($self, chars=None, /)" => str_lstrip, "Return a copy without leading white space, or without leading characters of chars.";
        raw "rfind", PyMethodDefPointer { PyCFunctionFast: str_rfind }, METH_FASTCALL, "rfind($self, sub[, start[, end]], /)\n--\n\nReturn the position of the last occurrence of sub, or -1.";
        raw "rindex", PyMethodDefPointer { PyCFunctionFast: str_rindex }, METH_FASTCALL, "rindex($self, sub[, start[, end]], /)\n--\n\nLike rfind, but raise ValueError if there is no occurrence.";
        "rjust($self, width, fillchar=' ', /)" => str_rjust, "Pad on the left to width.";
        "rstrip($self, chars=None, /)" => str_rstrip, "Return a copy without trailing white space, or without trailing characters of chars.";
        "rpartition($self, sep, /)" => str_rpartition, "Split at the last sep into the part before, sep, and the part after.";
        "splitlines($self, /, keepends=False)" => str_splitlines, "Return the lines of the string, without their ends unless keepends is true.";
        "strip($self, chars=None, /)" => str_strip, "Return a copy without white space, or without characters of chars, at both ends.";
        "swapcase($self, /)" => case::swapcase, "Return a copy with upper and lower case exchanged.";
        "translate($self, table, /)" => str_translate, "Map each character through table, by its ordinal.";
        "upper($self, /)" => case::upper, "Return a copy in upper case.";
        raw "startswith", PyMethodDefPointer { PyCFunctionFast: str_startswith }, METH_FASTCALL, "startswith($self, prefix[, start[, end]], /)\n--\n\nTell whether the string starts with prefix, or with one of a tuple of prefixes.";
        raw "endswith", PyMethodDefPointer { PyCFunctionFast: str_endswith }, METH_FASTCALL, "endswith($self, suffix[, start[, end]], /)\n--\n\nTell whether the string ends with suffix, or with one of a tuple of suffixes.";
        "removeprefix($self, prefix, /)" => str_removeprefix, "Return the string without prefix if it starts with it.";
        "removesuffix($self, suffix, /)" => str_removesuffix, "Return the string without suffix if it ends with it.";
        "isascii($self, /)" => case::isascii, "Tell whether all characters are ASCII.";
        "islower($self, /)" => case::islower, "Tell whether all cased characters are lower case and there is one.";
        "isupper($self, /)" => case::isupper, "Tell whether all cased characters are upper case and there is one.";
        "istitle($self, /)" => case::istitle, "Tell whether each word starts in title case and goes on in lower case.";
        "isspace($self, /)" => case::isspace, "Tell whether all characters are white space and there is one.";
        "isdecimal($self, /)" => case::isdecimal, "Tell whether all characters are decimal digits and there is one.";
        "isdigit($self, /)" => case::isdigit, "Tell whether all characters are digits and there is one.";
        "isnumeric($self, /)" => case::isnumeric, "Tell whether all characters are numeric and there is one.";
        "isalpha($self, /)" => case::isalpha, "Tell whether all characters are letters and there is one.";
        "isalnum($self, /)" => case::isalnum, "Tell whether all characters are letters or numeric and there is one.";
        "isidentifier($self, /)" => case::isidentifier, "Tell whether the string is a valid identifier; keywords are.";
        "isprintable($self, /)" => case::isprintable, "Tell whether repr() shows all characters as they are.";
        "zfill($self, width, /)" => str_zfill, "Pad with zeros, after a sign, to width.";
        raw "format", PyMethodDefPointer { PyCFunctionWithKeywords: str_format }, METH_VARARGS | METH_KEYWORDS, "format($self, /, *args, **kwargs)\n--\n\nReplace the fields in braces by formatted arguments.";
        "format_map($self, mapping, /)" => str_format_map, "Replace the fields in braces by formatted values of mapping.";
        "__format__($self, format_spec, /)" => str_format_spec, "Format the string as format_spec says.";
        static "maketrans(x, y=<unrepresentable>, z=<unrepresentable>, /)" => str_maketrans, "Return a table for translate().";
        "__sizeof__($self, /)" => str_sizeof, "Return the size in memory, in bytes.";
        "__getnewargs__($self, /)" => str_getnewargs, "";
    ];
}

/// `str(object='', encoding='utf-8', errors='strict')`.
pub(super) fn str_new(tp: Borrowed<'_, PyTypeObject>, object: Option<Borrowed<'_>>, encoding: Option<CText>, errors: Option<CText>) -> PyResult<StrObj> {
    // SAFETY: [ARGS]
    unsafe {
        let s: StrObj = match object {
            None => empty(),
            Some(x) if encoding.is_none() && errors.is_none() => Owned::from_owned_or_err(PyObject_Str(x.ob()).cast())?,
            Some(x) => Owned::from_owned_or_err(
                PyUnicode_FromEncodedObject(x.ob(), CText::or_null(encoding), CText::or_null(errors)).cast(),
            )?,
        };
        if tp.as_ptr() == &raw mut super::PyUnicode_Type { Ok(s) } else { subtype_new(tp.as_ptr(), s.borrow()) }
    }
}

unsafe fn text_argument(op: *mut PyObject, name: &str) -> PyResult<*const c_char> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(op) == 0 {
            let full = Owned::from_owned_or_err(PyType_GetFullyQualifiedName((*op).ob_type))?;
            let text = String::from_utf8_lossy(text_of(full.as_ptr()).bytes()).into_owned();
            bail!(PyExc_TypeError, "str() argument '{}' must be str, not {}", name, text);
        }
        utf8_no_nul(op).map(|t| t.0)
    }
}

/// `tp_vectorcall` of `str`.
pub(super) unsafe extern "C" fn str_vectorcall(tp: *mut PyObject, args: *const *mut PyObject, nargsf: usize, kwnames: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] vectorcall convention.
    unsafe {
        let nargs = PyVectorcall_NARGS(nargsf);
        if !kwnames.is_null() && PyTuple_GET_SIZE(kwnames) != 0 {
            let run = || -> PyResult<*mut PyObject> {
                let tuple = Owned::from_owned_or_err(_PyTuple_FromArray(args, nargs))?;
                let dict = Owned::from_owned_or_err(PyDict_New())?;
                for i in 0..PyTuple_GET_SIZE(kwnames) {
                    check_status(PyDict_SetItem(dict.as_ptr(), PyTuple_GET_ITEM(kwnames, i), *args.add((nargs + i) as usize)))?;
                }
                let Some(new) = (*tp.cast::<PyTypeObject>()).tp_new else { return Ok(null_mut()) };
                Ok(new(tp.cast(), tuple.as_ptr(), dict.as_ptr()))
            };
            return run().unwrap_or(null_mut());
        }
        if nargs > 3 && _PyArg_CheckPositional(c"str".as_ptr(), nargs, 0, 3) == 0 {
            return null_mut();
        }
        match nargs {
            0 => empty_ptr(),
            1 => PyObject_Str(*args),
            _ => {
                let run = || -> PyResult<*mut PyObject> {
                    let encoding = text_argument(*args.add(1), "encoding")?;
                    let errors = if nargs == 3 { text_argument(*args.add(2), "errors")? } else { core::ptr::null() };
                    Ok(PyUnicode_FromEncodedObject(*args, encoding, errors))
                };
                run().unwrap_or(null_mut())
            }
        }
    }
}

/// Writes the escaped characters of a string whose repr is ASCII.
unsafe fn ascii_repr(mut out: *mut u8, s: &[u8], quote: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for &c in s {
        // SAFETY: [ARGS] the caller counted what is written.
        unsafe {
            let short = match c {
                b'\t' => b't',
                b'\n' => b'n',
                b'\r' => b'r',
                _ if c == quote || c == b'\\' => c,
                0x20..=0x7e => {
                    *out = c;
                    out = out.add(1);
                    continue;
                }
                _ => {
                    copy_nonoverlapping([b'\\', b'x', HEX[(c >> 4) as usize], HEX[(c & 15) as usize]].as_ptr(), out, 4);
                    out = out.add(4);
                    continue;
                }
            };
            *out = b'\\';
            *out.add(1) = short;
            out = out.add(2);
        }
    }
}

/// `repr(s)`.
pub fn repr(s: StrRef<'_>) -> PyResult<StrObj> {
    use crate::unicodectype::is_printable;
    let t = text(s);
    let (mut single, mut double, mut extra, mut max) = (0usize, 0usize, 0usize, 127u32);
    with_units!(t, u => for &c in u {
        let c: u32 = c.into();
        match c {
            0x27 => single += 1,
            0x22 => double += 1,
            0x5c | 9 | 10 | 13 => extra += 1,
            0..=0x1f | 0x7f => extra += 3,
            0x20..=0x7e => {}
            _ if is_printable(c) => max |= c,
            0x80..=0xff => extra += 3,
            0x100..=0xffff => extra += 5,
            _ => extra += 9,
        }
    });
    let quote = if single > 0 && double == 0 { b'"' as u32 } else { b'\'' as u32 };
    if quote == b'\'' as u32 {
        extra += single;
    }
    if t.len() > isize::MAX as usize - extra - 2 {
        bail!(PyExc_OverflowError, "string is too long to generate repr");
    }
    let new = new_str(t.len() + extra + 2, max_of_bits(max))?;
    let op: *mut PyObject = new.as_ptr().cast();
    let n = t.len();
    // SAFETY: [OWN] the first pass counted what is written.
    unsafe {
        write_char(op, 0, quote);
        write_char(op, n + extra + 1, quote);
        if extra == 0 {
            copy_text(op, 1, t);
            return Ok(new);
        }
        if let Text::U1(s) = t
            && is_ascii(op)
        {
            ascii_repr(data(op).add(1), s, quote as u8);
            return Ok(new);
        }
        let mut at = 1;
        let mut put = |c: u32| {
            write_char(op, at, c);
            at += 1;
        };
        let hex = |put: &mut dyn FnMut(u32), letter: u8, c: u32, digits: u32| {
            put(b'\\' as u32);
            put(letter as u32);
            for i in (0..digits).rev() {
                put(b"0123456789abcdef"[(c >> (4 * i) & 15) as usize] as u32);
            }
        };
        for c in t.chars() {
            match c {
                9 | 10 | 13 => {
                    put(b'\\' as u32);
                    put(match c {
                        9 => b't',
                        10 => b'n',
                        _ => b'r',
                    } as u32);
                }
                _ if c == quote || c == 0x5c => {
                    put(b'\\' as u32);
                    put(c);
                }
                0..=0x1f | 0x7f => hex(&mut put, b'x', c, 2),
                0x20..=0x7e => put(c),
                _ if is_printable(c) => put(c),
                0x80..=0xff => hex(&mut put, b'x', c, 2),
                0x100..=0xffff => hex(&mut put, b'u', c, 4),
                _ => hex(&mut put, b'U', c, 8),
            }
        }
    }
    Ok(new)
}

