//! `str.format`: replacement fields (PEP 3101), and the parsers of the `_string` module.

use super::layout::*;
use super::writer::Writer;
use crate::formatter_unicode::{
    _PyComplex_FormatAdvancedWriter, _PyFloat_FormatAdvancedWriter, _PyLong_FormatAdvancedWriter, _PyUnicode_FormatAdvancedWriter,
};
use crate::typeobject::TYPE_INIT;
use crate::unicodectype::to_decimal;
use core::ops::Range;
use core::ptr::null_mut;
use taipan_abi::*;

/// A piece of a format string: literal text, then perhaps a field.
struct Piece {
    literal: Range<usize>,
    field: Option<Field>,
}

/// A replacement field `{name!conversion:spec}`.
struct Field {
    name: Range<usize>,
    conversion: Option<u32>,
    spec: Option<Range<usize>>,
    /// The spec has fields of its own.
    nested: bool,
}

/// Cuts a format string into pieces.
#[derive(Clone)]
struct MarkupIterator {
    pos: usize,
    end: usize,
}

const OPEN: u32 = b'{' as u32;
const CLOSE: u32 = b'}' as u32;

impl MarkupIterator {
    fn next(&mut self, t: Text<'_>) -> PyResult<Option<Piece>> {
        let start = self.pos;
        if start >= self.end {
            return Ok(None);
        }
        let mut brace = None;
        while self.pos < self.end {
            let c = t.get(self.pos);
            self.pos += 1;
            if c == OPEN || c == CLOSE {
                brace = Some(c);
                break;
            }
        }
        let Some(c) = brace else {
            return Ok(Some(Piece { literal: start..self.pos, field: None }));
        };
        let following = if self.pos < self.end { Some(t.get(self.pos)) } else { None };
        if following == Some(c) {
            // A doubled brace: the literal goes up to and including the first one.
            let literal = start..self.pos;
            self.pos += 1;
            return Ok(Some(Piece { literal, field: None }));
        }
        if c == CLOSE {
            bail!(PyExc_ValueError, "Single '}}' encountered in format string");
        }
        if following.is_none() {
            bail!(PyExc_ValueError, "Single '{{' encountered in format string");
        }
        let literal = start..self.pos - 1;
        let field = self.field(t)?;
        Ok(Some(Piece { literal, field: Some(field) }))
    }

    fn field(&mut self, t: Text<'_>) -> PyResult<Field> {
        let start = self.pos;
        let mut c = 0;
        while self.pos < self.end {
            c = t.get(self.pos);
            self.pos += 1;
            match c {
                OPEN => bail!(PyExc_ValueError, "unexpected '{{' in field name"),
                0x5b => {
                    while self.pos < self.end && t.get(self.pos) != 0x5d {
                        self.pos += 1;
                    }
                }
                CLOSE | 0x3a | 0x21 => break,
                _ => {}
            }
        }
        let name = start..self.pos - 1;
        let mut conversion = None;
        match c {
            CLOSE => return Ok(Field { name, conversion, spec: None, nested: false }),
            0x3a => {}
            0x21 => {
                if self.pos >= self.end {
                    bail!(PyExc_ValueError, "end of string while looking for conversion specifier");
                }
                conversion = Some(t.get(self.pos));
                self.pos += 1;
                if self.pos < self.end {
                    let c = t.get(self.pos);
                    self.pos += 1;
                    if c == CLOSE {
                        return Ok(Field { name, conversion, spec: None, nested: false });
                    }
                    if c != 0x3a {
                        bail!(PyExc_ValueError, "expected ':' after conversion specifier");
                    }
                }
            }
            _ => bail!(PyExc_ValueError, "expected '}}' before end of string"),
        }
        let spec = self.pos;
        let (mut depth, mut nested) = (1, false);
        while self.pos < self.end {
            let c = t.get(self.pos);
            self.pos += 1;
            if c == OPEN {
                nested = true;
                depth += 1;
            } else if c == CLOSE {
                depth -= 1;
                if depth == 0 {
                    return Ok(Field { name, conversion, spec: Some(spec..self.pos - 1), nested });
                }
            }
        }
        bail!(PyExc_ValueError, "unmatched '{{' in format spec")
    }
}

/// A decimal number, `None` if the text is none.
fn get_integer(t: Text<'_>) -> PyResult<Option<isize>> {
    if t.is_empty() {
        return Ok(None);
    }
    let mut n: isize = 0;
    for c in t.chars() {
        let Some(d) = to_decimal(c) else { return Ok(None) };
        match n.checked_mul(10).and_then(|n| n.checked_add(d as isize)) {
            Some(next) => n = next,
            None => bail!(PyExc_ValueError, "Too many decimal digits in format string"),
        }
    }
    Ok(Some(n))
}

/// How fields without a name are numbered.
#[derive(Default)]
struct AutoNumber {
    /// Whether numbering is automatic, once known.
    auto: Option<bool>,
    next: isize,
}

impl AutoNumber {
    /// The index of a field whose name is empty or a number.
    fn index(&mut self, given: Option<isize>) -> PyResult<isize> {
        let auto = *self.auto.get_or_insert(given.is_none());
        match given {
            None if auto => {
                self.next += 1;
                Ok(self.next - 1)
            }
            Some(i) if !auto => Ok(i),
            None => bail!(
                PyExc_ValueError,
                "cannot switch from manual field specification to automatic field numbering"
            ),
            Some(_) => bail!(
                PyExc_ValueError,
                "cannot switch from automatic field numbering to manual field specification"
            ),
        }
    }
}

/// A step of a field name after its first part.
enum Step {
    Attribute(Range<usize>),
    Item(Range<usize>, Option<isize>),
}

/// Reads the steps of a field name.
#[derive(Clone)]
struct FieldNameIterator {
    pos: usize,
    end: usize,
}

impl FieldNameIterator {
    fn next(&mut self, t: Text<'_>) -> PyResult<Option<Step>> {
        if self.pos >= self.end {
            return Ok(None);
        }
        let c = t.get(self.pos);
        self.pos += 1;
        let start = self.pos;
        let step = match c {
            0x2e => {
                while self.pos < self.end && !matches!(t.get(self.pos), 0x5b | 0x2e) {
                    self.pos += 1;
                }
                Step::Attribute(start..self.pos)
            }
            0x5b => {
                while self.pos < self.end && t.get(self.pos) != 0x5d {
                    self.pos += 1;
                }
                if self.pos >= self.end {
                    bail!(PyExc_ValueError, "Missing ']' in format string");
                }
                let name = start..self.pos;
                self.pos += 1;
                let index = get_integer(t.slice(name.start, name.end))?;
                Step::Item(name, index)
            }
            _ => bail!(PyExc_ValueError, "Only '.' or '[' may follow ']' in format field specifier"),
        };
        let (Step::Attribute(name) | Step::Item(name, _)) = &step;
        if name.is_empty() {
            bail!(PyExc_ValueError, "Empty attribute in format string");
        }
        Ok(Some(step))
    }
}

/// The first part of a field name, its value as a number, and the rest.
fn field_name_split(t: Text<'_>, name: Range<usize>) -> PyResult<(Range<usize>, Option<isize>, FieldNameIterator)> {
    let mut i = name.start;
    while i < name.end && !matches!(t.get(i), 0x5b | 0x2e) {
        i += 1;
    }
    let index = get_integer(t.slice(name.start, i))?;
    Ok((name.start..i, index, FieldNameIterator { pos: i, end: name.end }))
}

/// The arguments of one `format` call.
struct Formatter {
    /// NULL for `format_map`.
    args: *mut PyObject,
    /// NULL if there are no keywords.
    kwargs: *mut PyObject,
    auto: AutoNumber,
}

impl Formatter {
    fn object(&mut self, t: Text<'_>, name: Range<usize>) -> PyResult<Owned> {
        let (first, number, mut rest) = field_name_split(t, name)?;
        // SAFETY: [GIL] args and kwargs live as long as the call.
        unsafe {
            let mut obj = if first.is_empty() || number.is_some() {
                let index = self.auto.index(number)?;
                if self.args.is_null() {
                    bail!(PyExc_ValueError, "Format string contains positional fields");
                }
                match Owned::from_owned_or_err(PySequence_GetItem(self.args, index)) {
                    Ok(o) => o,
                    Err(_) => bail!(PyExc_IndexError, "Replacement index {} out of range for positional args tuple", index),
                }
            } else {
                let key = from_text(t.slice(first.start, first.end))?;
                let key = key.as_ptr().cast();
                if self.kwargs.is_null() {
                    PyErr_SetObject(PyExc_KeyError, key);
                    return Err(Raised::assume());
                }
                Owned::from_owned_or_err(PyObject_GetItem(self.kwargs, key))?
            };
            while let Some(step) = rest.next(t)? {
                let o = obj.as_ptr();
                obj = Owned::from_owned_or_err(match step {
                    Step::Attribute(name) => {
                        let name = from_text(t.slice(name.start, name.end))?;
                        PyObject_GetAttr(o, name.as_ptr().cast())
                    }
                    Step::Item(_, Some(i)) if PySequence_Check(o) != 0 => PySequence_GetItem(o, i),
                    Step::Item(_, Some(i)) => {
                        let i = Owned::from_owned_or_err(PyLong_FromSsize_t(i))?;
                        PyObject_GetItem(o, i.as_ptr())
                    }
                    Step::Item(name, None) => {
                        let name = from_text(t.slice(name.start, name.end))?;
                        PyObject_GetItem(o, name.as_ptr().cast())
                    }
                })?;
            }
            Ok(obj)
        }
    }

    fn field(&mut self, w: &mut Writer, input: StrRef<'_>, f: Field, depth: u32) -> PyResult<()> {
        let t = text(input);
        let mut obj = self.object(t, f.name)?;
        // SAFETY: [GIL]
        unsafe {
            if let Some(c) = f.conversion.filter(|&c| c != 0) {
                let o = obj.as_ptr();
                obj = Owned::from_owned_or_err(match c as u8 {
                    b'r' if c < 128 => PyObject_Repr(o),
                    b's' if c < 128 => PyObject_Str(o),
                    b'a' if c < 128 => PyObject_ASCII(o),
                    _ if c > 32 && c < 127 => bail!(PyExc_ValueError, "Unknown conversion specifier {}", c as u8 as char),
                    _ => bail!(PyExc_ValueError, "Unknown conversion specifier \\x{:x}", c),
                })?;
            }
            let range = f.spec.unwrap_or(0..0);
            if f.nested {
                let spec = self.build(input, range, depth - 1)?;
                let n = length(spec.as_ptr().cast());
                return render(w, obj.as_ptr(), spec.borrow(), 0..n);
            }
            render(w, obj.as_ptr(), input, range)
        }
    }

    fn markup(&mut self, w: &mut Writer, input: StrRef<'_>, range: Range<usize>, depth: u32) -> PyResult<()> {
        let t = text(input);
        let mut pieces = MarkupIterator { pos: range.start, end: range.end };
        while let Some(piece) = pieces.next(t)? {
            let last = pieces.pos == pieces.end;
            if !piece.literal.is_empty() {
                if last && piece.field.is_none() {
                    w.0.overallocate = 0;
                }
                w.write_text(t.slice(piece.literal.start, piece.literal.end))?;
            }
            if let Some(f) = piece.field {
                if last {
                    w.0.overallocate = 0;
                }
                self.field(w, input, f, depth)?;
            }
        }
        Ok(())
    }

    fn build(&mut self, input: StrRef<'_>, range: Range<usize>, depth: u32) -> PyResult<StrObj> {
        if depth == 0 {
            bail!(PyExc_ValueError, "Max string recursion exceeded");
        }
        let mut w = Writer::growing(text(input).len() + 100);
        self.markup(&mut w, input, range, depth)?;
        w.finish()
    }
}

/// Writes `obj` formatted by part of a spec; types known exactly are spared the look-up of `__format__`.
unsafe fn render(w: &mut Writer, obj: *mut PyObject, spec: StrRef<'_>, range: Range<usize>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let (start, end) = (range.start as isize, range.end as isize);
        let tp = (*obj).ob_type;
        let status = if tp == &raw mut PyUnicode_Type {
            _PyUnicode_FormatAdvancedWriter(&mut w.0, obj, spec.ob(), start, end)
        } else if tp == &raw mut PyLong_Type {
            _PyLong_FormatAdvancedWriter(&mut w.0, obj, spec.ob(), start, end)
        } else if tp == &raw mut PyFloat_Type {
            _PyFloat_FormatAdvancedWriter(&mut w.0, obj, spec.ob(), start, end)
        } else if tp == &raw mut PyComplex_Type {
            _PyComplex_FormatAdvancedWriter(&mut w.0, obj, spec.ob(), start, end)
        } else {
            let part = substring(spec, range.start, range.end)?;
            let result: StrObj = Owned::from_owned_or_err(PyObject_Format(obj, part.as_ptr().cast()).cast())?;
            return w.write_str(result.borrow());
        };
        check_status(status)
    }
}

/// `s.format(*args, **kwargs)`.
///
/// # Safety
/// `args` is a tuple, `kwargs` a dict or NULL.
pub unsafe fn format(s: StrRef<'_>, args: *mut PyObject, kwargs: *mut PyObject) -> PyResult<StrObj> {
    let t = text(s);
    // SAFETY: [TYPE]
    if unsafe { PyUnicode_CheckExact(s.ob()) } != 0 && t.find_char(b'{' as u32).is_none() && t.find_char(b'}' as u32).is_none() {
        return Ok(s.to_owned());
    }
    Formatter { args, kwargs, auto: AutoNumber::default() }.build(s, 0..t.len(), 2)
}

/// `s.format_map(mapping)`.
pub fn format_map(s: StrRef<'_>, mapping: Borrowed<'_>) -> PyResult<StrObj> {
    Formatter { args: null_mut(), kwargs: mapping.ob(), auto: AutoNumber::default() }.build(s, 0..text(s).len(), 2)
}

// --- the `_string` module's functions

#[repr(C)]
struct formatteriterobject {
    ob_base: PyObject,
    str: *mut PyObject,
    markup: MarkupIterator,
}
#[repr(C)]
struct fieldnameiterobject {
    ob_base: PyObject,
    str: *mut PyObject,
    field: FieldNameIterator,
}

/// Both iterators hold their string in the same place.
unsafe extern "C" fn iterator_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        Py_XDECREF((*op.cast::<formatteriterobject>()).str);
        PyObject_Free(op.cast());
    }
}

fn tuple(items: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: [OWN] the references pass to the tuple.
    unsafe { Owned::from_owned_or_err(_PyTuple_FromArraySteal(items.as_ptr(), items.len() as isize)) }
}

fn none() -> Owned {
    // SAFETY: [IMMORTAL]
    unsafe { Owned::from_borrowed(Py_None()) }
}

unsafe extern "C" fn formatteriter_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let it = op.cast::<formatteriterobject>();
        let t = text_of((*it).str);
        let part = |r: Range<usize>| -> PyResult<Owned> { Ok(from_text(t.slice(r.start, r.end))?.into_object()) };
        let markup = &mut (*it).markup;
        let mut run = || -> PyResult<Option<Owned>> {
            let Some(piece) = markup.next(t)? else { return Ok(None) };
            let literal = part(piece.literal)?;
            let (name, spec, conversion) = match piece.field {
                None => (none(), none(), none()),
                Some(f) => (
                    part(f.name)?,
                    part(f.spec.unwrap_or(0..0))?,
                    match f.conversion {
                        Some(c) if c != 0 => char_str(c)?.into_object(),
                        _ => none(),
                    },
                ),
            };
            tuple(&[literal.into_raw(), name.into_raw(), spec.into_raw(), conversion.into_raw()]).map(Some)
        };
        run().into_c()
    }
}

unsafe extern "C" fn fieldnameiter_next(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let it = op.cast::<fieldnameiterobject>();
        let t = text_of((*it).str);
        let field = &mut (*it).field;
        let mut run = || -> PyResult<Option<Owned>> {
            let Some(step) = field.next(t)? else { return Ok(None) };
            let (attribute, value) = match step {
                Step::Attribute(r) => (Py_True(), from_text(t.slice(r.start, r.end))?.into_object()),
                Step::Item(_, Some(i)) => (Py_False(), Owned::from_owned_or_err(PyLong_FromSsize_t(i))?),
                Step::Item(r, None) => (Py_False(), from_text(t.slice(r.start, r.end))?.into_object()),
            };
            tuple(&[attribute, value.into_raw()]).map(Some)
        };
        run().into_c()
    }
}

/// Iterator of `_string.formatter_parser`.
pub static mut PyFormatterIter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"formatteriterator".as_ptr(),
    tp_basicsize: size_of::<formatteriterobject>() as Py_ssize_t,
    tp_dealloc: Some(iterator_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(formatteriter_next),
    ..TYPE_INIT
};

/// Iterator of `_string.formatter_field_name_split`.
pub static mut PyFieldNameIter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"fieldnameiterator".as_ptr(),
    tp_basicsize: size_of::<fieldnameiterobject>() as Py_ssize_t,
    tp_dealloc: Some(iterator_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(fieldnameiter_next),
    ..TYPE_INIT
};

fn expect_str(op: Borrowed<'_>) -> PyResult<StrRef<'_>> {
    match as_str(op) {
        Some(s) => Ok(s),
        // SAFETY: [ARGS]
        None => bail!(PyExc_TypeError, "expected str, got {}", unsafe { type_name(op.ob()) }),
    }
}

/// `_string.formatter_parser(s)`: an iterator of `(literal, field_name, spec, conversion)`.
pub fn formatter_parser(op: Borrowed<'_>) -> PyResult<Owned> {
    let s = expect_str(op)?;
    // SAFETY: [OWN] a new object is filled in.
    unsafe {
        let it: *mut formatteriterobject = PyObject_Malloc(size_of::<formatteriterobject>()).cast();
        if it.is_null() {
            return Err(no_memory());
        }
        _PyObject_Init(it.cast(), &raw mut PyFormatterIter_Type);
        (&raw mut (*it).str).write(s.to_owned().into_raw_object());
        (&raw mut (*it).markup).write(MarkupIterator { pos: 0, end: text(s).len() });
        Ok(Owned::from_owned(it.cast()))
    }
}

/// `_string.formatter_field_name_split(s)`: the first part and an iterator of `(is_attribute, value)`.
pub fn formatter_field_name_split(op: Borrowed<'_>) -> PyResult<Owned> {
    let s = expect_str(op)?;
    let t = text(s);
    let (first, index, rest) = field_name_split(t, 0..t.len())?;
    // SAFETY: [OWN] a new object is filled in.
    unsafe {
        let first = match index {
            Some(i) => Owned::from_owned_or_err(PyLong_FromSsize_t(i))?,
            None => from_text(t.slice(first.start, first.end))?.into_object(),
        };
        let it: *mut fieldnameiterobject = PyObject_Malloc(size_of::<fieldnameiterobject>()).cast();
        if it.is_null() {
            return Err(no_memory());
        }
        _PyObject_Init(it.cast(), &raw mut PyFieldNameIter_Type);
        (&raw mut (*it).str).write(s.to_owned().into_raw_object());
        (&raw mut (*it).field).write(rest);
        tuple(&[first.into_raw(), it.cast()])
    }
}
