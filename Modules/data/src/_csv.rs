//! The `_csv` module: reading and writing delimited text.

use crate::support::{free, new, next, optional_attr, short_name, take, text};
use core::ffi::{c_char, c_int, c_ulong, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::module::{add_int, add_object};
use taipan_clinic::{Args, Kwargs, constructor, getset, members, methods, module};
use taipan_objects::stringlib::Unit;
use taipan_objects::typeobject::TYPE_INIT;
use taipan_objects::unicodeobject::{Text, from_units, text_of};
use taipan_objects::with_units;

static ERROR: PerInterpreter = PerInterpreter::new();
static DIALECTS: PerInterpreter = PerInterpreter::new();
static mut FIELD_LIMIT: isize = 128 * 1024;

macro_rules! csv_error {
    ($($t:tt)*) => {{
        #[allow(unused_unsafe, reason = "usable inside and outside unsafe blocks")]
        // SAFETY: [GIL] the class exists once the module does.
        unsafe { raise_str(ERROR.get(), &format!($($t)*)) }
    }};
}

/// A character option that is not set.
const NOT_SET: u32 = u32::MAX;

const QUOTE_MINIMAL: c_int = 0;
const QUOTE_ALL: c_int = 1;
const QUOTE_NONNUMERIC: c_int = 2;
const QUOTE_NONE: c_int = 3;
const QUOTE_STRINGS: c_int = 4;
const QUOTE_NOTNULL: c_int = 5;

// ---- Dialect ---------------------------------------------------------------------------------------------------------

#[repr(C)]
struct Dialect {
    ob_base: PyObject,
    doublequote: c_char,
    skipinitialspace: c_char,
    strict: c_char,
    quoting: c_int,
    delimiter: u32,
    quotechar: u32,
    escapechar: u32,
    lineterminator: *mut PyObject,
}
type D<'a> = Borrowed<'a, Dialect>;

fn from_registry(name: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let found = PyDict_GetItemWithError(DIALECTS.get(), name);
        if found.is_null() {
            return Err(if err_occurred() { Raised::assume() } else { csv_error!("unknown dialect") });
        }
        Ok(Owned::from_borrowed(found))
    }
}

fn truth(value: &Option<Owned>, default: bool) -> PyResult<c_char> {
    let Some(v) = value else { return Ok(default as c_char) };
    // SAFETY: [ARGS]
    let t = unsafe { PyObject_IsTrue(v.as_ptr()) };
    check_status(t)?;
    Ok((t > 0) as c_char)
}

fn one_char(name: &str, value: &Owned) -> PyResult<u32> {
    // SAFETY: [TYPE] a str.
    unsafe {
        if PyUnicode_GetLength(value.as_ptr()) != 1 {
            bail!(PyExc_TypeError, "\"{}\" must be a 1-character string", name);
        }
        Ok(PyUnicode_ReadChar(value.as_ptr(), 0))
    }
}
fn char_or_none(name: &str, value: &Option<Owned>, default: u32) -> PyResult<u32> {
    let Some(v) = value else { return Ok(default) };
    // SAFETY: [ARGS]
    unsafe {
        if v.as_ptr() == Py_None() {
            return Ok(NOT_SET);
        }
        if PyUnicode_Check(v.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "\"{}\" must be string or None, not {}", name, type_name(v.as_ptr()));
        }
        one_char(name, v)
    }
}

fn check_char(name: &str, c: u32, terminator: Text<'_>, allow_space: bool) -> PyResult<()> {
    if c == '\r' as u32 || c == '\n' as u32 || (c == ' ' as u32 && !allow_space) {
        bail!(PyExc_ValueError, "bad {} value", name);
    }
    if terminator.find_char(c).is_some() {
        bail!(PyExc_ValueError, "bad {} or lineterminator value", name);
    }
    Ok(())
}
fn check_chars(name1: &str, name2: &str, c1: u32, c2: u32) -> PyResult<()> {
    if c1 == c2 && c1 != NOT_SET {
        bail!(PyExc_ValueError, "bad {} or {} value", name1, name2);
    }
    Ok(())
}

type Opt<'a> = Option<Borrowed<'a>>;

#[allow(clippy::too_many_arguments, reason = "the signature is CPython's")]
fn dialect_new(
    tp: Borrowed<'_, PyTypeObject>,
    dialect: Opt<'_>,
    delimiter: Opt<'_>,
    doublequote: Opt<'_>,
    escapechar: Opt<'_>,
    lineterminator: Opt<'_>,
    quotechar: Opt<'_>,
    quoting: Opt<'_>,
    skipinitialspace: Opt<'_>,
    strict: Opt<'_>,
) -> PyResult<Owned> {
    let given = [delimiter, doublequote, escapechar, lineterminator, quotechar, quoting, skipinitialspace, strict];
    // SAFETY: [TYPE] checked; attributes of the dialect given stand in for options that are not.
    unsafe {
        let base = match dialect {
            Some(d) if PyUnicode_Check(d.ob()) != 0 => Some(from_registry(d.ob())?),
            Some(d) => Some(d.to_owned()),
            None => None,
        };
        if let Some(base) = &base
            && is_instance_of(base.as_ptr(), &raw mut DIALECT)
            && given.iter().all(|g| g.is_none())
        {
            return Ok(base.clone());
        }
        let names = [
            intern!("delimiter"),
            intern!("doublequote"),
            intern!("escapechar"),
            intern!("lineterminator"),
            intern!("quotechar"),
            intern!("quoting"),
            intern!("skipinitialspace"),
            intern!("strict"),
        ];
        let option = |i: usize| -> Option<Owned> {
            if let Some(v) = given[i] {
                return Some(v.to_owned());
            }
            match take(PyObject_GetAttr(base.as_ref()?.as_ptr(), names[i])) {
                Ok(v) => Some(v),
                Err(e) => {
                    e.clear();
                    None
                }
            }
        };
        let new = new::<Dialect>(tp.as_ptr())?;
        let d = new.as_ptr();
        (*d).delimiter = match option(0) {
            None => ',' as u32,
            Some(v) => {
                if PyUnicode_Check(v.as_ptr()) == 0 {
                    bail!(PyExc_TypeError, "\"delimiter\" must be string, not {}", type_name(v.as_ptr()));
                }
                one_char("delimiter", &v)?
            }
        };
        (*d).doublequote = truth(&option(1), true)?;
        (*d).escapechar = char_or_none("escapechar", &option(2), NOT_SET)?;
        let lineterminator = match option(3) {
            None => text("\r\n")?,
            Some(v) if v.as_ptr() == Py_None() => bail!(PyExc_TypeError, "lineterminator must be set"),
            Some(v) if PyUnicode_Check(v.as_ptr()) == 0 => bail!(PyExc_TypeError, "\"lineterminator\" must be a string"),
            Some(v) => v,
        };
        let terminator = text_of(lineterminator.as_ptr());
        (*d).lineterminator = lineterminator.clone().into_raw();
        let quote = option(4);
        (*d).quotechar = char_or_none("quotechar", &quote, '"' as u32)?;
        let quoting = option(5);
        (*d).quoting = match &quoting {
            None => QUOTE_MINIMAL,
            Some(q) => {
                if PyLong_CheckExact(q.as_ptr()) == 0 {
                    bail!(PyExc_TypeError, "\"quoting\" must be an integer");
                }
                let n = PyLong_AsInt(q.as_ptr());
                if n == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                n
            }
        };
        (*d).skipinitialspace = truth(&option(6), false)?;
        (*d).strict = truth(&option(7), false)?;
        if !(QUOTE_MINIMAL..=QUOTE_NOTNULL).contains(&(*d).quoting) {
            bail!(PyExc_TypeError, "bad \"quoting\" value");
        }
        if quote.is_some_and(|q| q.as_ptr() == Py_None()) && quoting.is_none() {
            (*d).quoting = QUOTE_NONE;
        }
        if (*d).quoting != QUOTE_NONE && (*d).quotechar == NOT_SET {
            bail!(PyExc_TypeError, "quotechar must be set if quoting enabled");
        }
        let spaces = (*d).skipinitialspace == 0;
        check_char("delimiter", (*d).delimiter, terminator, true)?;
        check_char("escapechar", (*d).escapechar, terminator, spaces)?;
        check_char("quotechar", (*d).quotechar, terminator, spaces)?;
        check_chars("delimiter", "escapechar", (*d).delimiter, (*d).escapechar)?;
        check_chars("delimiter", "quotechar", (*d).delimiter, (*d).quotechar)?;
        check_chars("escapechar", "quotechar", (*d).escapechar, (*d).quotechar)?;
        Ok(new.into_object())
    }
}

unsafe extern "C" fn dialect_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit((*slf.cast::<Dialect>()).lineterminator, visitor, arg) }
}
unsafe extern "C" fn dialect_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.cast::<Dialect>()).lineterminator, null_mut()) };
    0
}
unsafe extern "C" fn dialect_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        dialect_clear(slf);
        free(slf);
    }
}

fn char_object(c: u32) -> PyResult<Option<Owned>> {
    // SAFETY: [GIL]
    if c == NOT_SET { Ok(None) } else { unsafe { take(PyUnicode_FromOrdinal(c as c_int)).map(Some) } }
}
fn get_delimiter(slf: D<'_>) -> PyResult<Option<Owned>> {
    char_object(slf.delimiter)
}
fn get_escapechar(slf: D<'_>) -> PyResult<Option<Owned>> {
    char_object(slf.escapechar)
}
fn get_quotechar(slf: D<'_>) -> PyResult<Option<Owned>> {
    char_object(slf.quotechar)
}
fn get_lineterminator(slf: D<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe { Ok(Owned::from_borrowed_or_opt(slf.lineterminator)) }
}
fn get_quoting(slf: D<'_>) -> PyResult<i32> {
    Ok(slf.quoting)
}
fn dialect_reduce(slf: D<'_>, _: Args<'_>) -> PyResult<()> {
    bail!(PyExc_TypeError, "cannot pickle '{:.100}' instances", short_name(slf.ob_type()))
}

methods! {
    static DIALECT_METHODS = [
        "__reduce__($self, /, *args)" => dialect_reduce, "Dialects can't be pickled.";
        "__reduce_ex__($self, /, *args)" => dialect_reduce, "Dialects can't be pickled.";
    ];
}
members! {
    static DIALECT_MEMBERS = [
        "skipinitialspace", Py_T_BOOL, core::mem::offset_of!(Dialect, skipinitialspace), Py_READONLY, "";
        "doublequote", Py_T_BOOL, core::mem::offset_of!(Dialect, doublequote), Py_READONLY, "";
        "strict", Py_T_BOOL, core::mem::offset_of!(Dialect, strict), Py_READONLY, "";
    ];
}
getset! {
    static DIALECT_GETSET = [
        "delimiter" => get_delimiter, "";
        "escapechar" => get_escapechar, "";
        "lineterminator" => get_lineterminator, "";
        "quotechar" => get_quotechar, "";
        "quoting" => get_quoting, "";
    ];
}
static mut DIALECT: PyTypeObject = PyTypeObject {
    tp_name: c"_csv.Dialect".as_ptr(),
    tp_basicsize: size_of::<Dialect>() as Py_ssize_t,
    tp_dealloc: Some(dialect_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"CSV dialect\n\nHow records are written: separators, quotes and the like.".as_ptr(),
    tp_traverse: Some(dialect_traverse),
    tp_clear: Some(dialect_clear),
    tp_methods: (&raw mut DIALECT_METHODS).cast(),
    tp_members: (&raw mut DIALECT_MEMBERS).cast(),
    tp_getset: (&raw mut DIALECT_GETSET).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(constructor!(
        "Dialect(dialect=<unrepresentable>, delimiter=<unrepresentable>, doublequote=<unrepresentable>, escapechar=<unrepresentable>, lineterminator=<unrepresentable>, quotechar=<unrepresentable>, quoting=<unrepresentable>, skipinitialspace=<unrepresentable>, strict=<unrepresentable>)" => dialect_new
    )),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

/// The dialect that an argument and options describe.
fn call_dialect(dialect: Opt<'_>, options: Kwargs<'_>) -> PyResult<Owned<Dialect>> {
    // SAFETY: [TYPE] the type's constructor returns an instance of it.
    unsafe {
        let options = if options.is_empty() { None } else { Some(options.to_dict()?) };
        let kw = options.as_ref().map_or(null_mut(), |o| o.as_ptr());
        let arg = dialect.map_or(null_mut(), |d| d.ob());
        let made = take(PyObject_VectorcallDict((&raw mut DIALECT).cast(), &arg, dialect.is_some() as usize, kw))?;
        Ok(made.cast())
    }
}

// ---- reader ----------------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, PartialEq)]
enum State {
    StartRecord,
    StartField,
    EscapedChar,
    InField,
    InQuotedField,
    EscapeInQuotedField,
    QuoteInQuotedField,
    EatCrnl,
    AfterEscapedCrnl,
}
use State::*;

#[repr(C)]
struct Reader {
    ob_base: PyObject,
    input_iter: *mut PyObject,
    dialect: *mut Dialect,
    line_num: c_ulong,
}

/// One record being read. Nothing of it is reached by other code, except for the field list.
struct Parser<'a> {
    d: &'a Dialect,
    fields: *mut PyObject,
    /// The field so far, if it is not simply a part of a line.
    field: Vec<u32>,
    state: State,
    unquoted: bool,
}

fn is_break(c: u32) -> bool {
    c == '\n' as u32 || c == '\r' as u32
}

impl Parser<'_> {
    /// Ends the field: the characters collected, then those of `rest`.
    fn save<U: Unit>(&mut self, rest: &[U]) -> PyResult<()> {
        let quoting = self.d.quoting;
        // SAFETY: [TYPE] a list.
        unsafe {
            let empty = self.field.is_empty() && rest.is_empty();
            let field = if self.unquoted && empty && (quoting == QUOTE_NOTNULL || quoting == QUOTE_STRINGS) {
                crate::support::none()
            } else {
                let value = if self.field.is_empty() {
                    self.check_limit(rest.len())?;
                    from_units(rest)?
                } else {
                    self.extend(rest)?;
                    let value = from_units(&self.field)?;
                    self.field.clear();
                    value
                };
                if self.unquoted && !empty && (quoting == QUOTE_NONNUMERIC || quoting == QUOTE_STRINGS) {
                    take(PyNumber_Float(value.as_ptr().cast()))?
                } else {
                    value.into_object()
                }
            };
            check_status(PyList_Append(self.fields, field.as_ptr()))
        }
    }
    fn check_limit(&self, more: usize) -> PyResult<()> {
        // SAFETY: [GIL]
        let limit = unsafe { FIELD_LIMIT };
        if (self.field.len() + more) as isize > limit.max(0) {
            return Err(csv_error!("field larger than field limit ({})", limit));
        }
        Ok(())
    }
    fn extend<U: Unit>(&mut self, s: &[U]) -> PyResult<()> {
        self.check_limit(s.len())?;
        self.field.extend(s.iter().map(|&c| -> u32 { c.into() }));
        Ok(())
    }
    fn push(&mut self, c: u32) -> PyResult<()> {
        self.check_limit(1)?;
        self.field.push(c);
        Ok(())
    }

    /// Reads a line and its end.
    fn line<U: Unit>(&mut self, line: &[U]) -> PyResult<()> {
        let (delimiter, quote, escape, quoting) = (self.d.delimiter, self.d.quotechar, self.d.escapechar, self.d.quoting);
        let quote = if quoting == QUOTE_NONE { NOT_SET } else { quote };
        let mut i = 0;
        // What comes after the last character is the line's end, which `None` stands for.
        loop {
            let c: Option<u32> = line.get(i).map(|&c| c.into());
            let ends = c.is_none_or(is_break);
            let after_end = if c.is_none() { StartRecord } else { EatCrnl };
            if self.state == StartRecord {
                match c {
                    None => return Ok(()),
                    Some(c) if is_break(c) => {
                        self.state = EatCrnl;
                        i += 1;
                        continue;
                    }
                    _ => self.state = StartField,
                }
            }
            if self.state == AfterEscapedCrnl {
                if c.is_none() {
                    return Ok(());
                }
                self.state = InField;
            }
            match self.state {
                StartField | InField => {
                    if self.state == StartField {
                        self.unquoted = true;
                        if c == Some(quote) {
                            self.unquoted = false;
                            self.state = InQuotedField;
                            i += 1;
                            continue;
                        }
                        if c == Some(' ' as u32) && self.d.skipinitialspace != 0 && c != Some(escape) {
                            i += 1;
                            continue;
                        }
                    }
                    // Up to the field's end at once.
                    let run = line[i..].iter().position(|&c| { let c: u32 = c.into(); c == delimiter || c == escape || is_break(c) });
                    let run = run.unwrap_or(line.len() - i);
                    let part = &line[i..i + run];
                    i += run;
                    match line.get(i).map(|&c| -> u32 { c.into() }) {
                        Some(c) if c == escape => {
                            self.extend(part)?;
                            self.state = EscapedChar;
                        }
                        Some(c) if c == delimiter => {
                            self.save(part)?;
                            self.state = StartField;
                        }
                        end => {
                            self.save(part)?;
                            self.state = if end.is_none() { StartRecord } else { EatCrnl };
                        }
                    }
                }
                EscapedChar => match c {
                    Some(c) => {
                        self.push(c)?;
                        self.state = if is_break(c) { AfterEscapedCrnl } else { InField };
                    }
                    None => {
                        self.push('\n' as u32)?;
                        self.state = InField;
                    }
                },
                InQuotedField => {
                    let run = line[i..].iter().position(|&c| { let c: u32 = c.into(); c == escape || c == quote });
                    let run = run.unwrap_or(line.len() - i);
                    let part = &line[i..i + run];
                    i += run;
                    let at = line.get(i).map(|&c| -> u32 { c.into() });
                    // A field that is just a quoted part of this line.
                    let follows = line.get(i + 1).map(|&c| -> u32 { c.into() });
                    if at == Some(quote) && at != Some(escape) && follows == Some(delimiter) && self.field.is_empty() {
                        self.save(part)?;
                        self.state = StartField;
                        i += 2;
                        continue;
                    }
                    self.extend(part)?;
                    match at {
                        None => return Ok(()),
                        Some(c) if c == escape => self.state = EscapeInQuotedField,
                        Some(_) => self.state = if self.d.doublequote != 0 { QuoteInQuotedField } else { InField },
                    }
                }
                EscapeInQuotedField => {
                    self.push(c.unwrap_or('\n' as u32))?;
                    self.state = InQuotedField;
                }
                QuoteInQuotedField => {
                    if c == Some(quote) {
                        self.push(quote)?;
                        self.state = InQuotedField;
                    } else if c == Some(delimiter) {
                        self.save::<U>(&[])?;
                        self.state = StartField;
                    } else if ends {
                        self.save::<U>(&[])?;
                        self.state = after_end;
                    } else if self.d.strict == 0 {
                        self.push(c.unwrap_or(0))?;
                        self.state = InField;
                    } else {
                        let shown = |c: u32| char::from_u32(c).unwrap_or('?');
                        return Err(csv_error!("'{}' expected after '{}'", shown(delimiter), shown(self.d.quotechar)));
                    }
                }
                EatCrnl => match c {
                    Some(c) if is_break(c) => {}
                    None => self.state = StartRecord,
                    Some(_) => {
                        return Err(csv_error!(
                            "new-line character seen in unquoted field - do you need to open the file with newline=''?"
                        ));
                    }
                },
                StartRecord | AfterEscapedCrnl => {}
            }
            if i >= line.len() {
                return Ok(());
            }
            i += 1;
        }
    }
}

fn read_record(slf: *mut Reader) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE] the parser's state is its own; dialect and iterator are held, as the iterator may do anything.
    unsafe {
        let fields = take(PyList_New(0))?;
        let dialect = Owned::from_borrowed((*slf).dialect);
        let input = Owned::from_borrowed((*slf).input_iter);
        let mut p = Parser { d: &*dialect.as_ptr(), fields: fields.as_ptr(), field: Vec::new(), state: StartRecord, unquoted: false };
        loop {
            let Some(line) = next(input.as_ptr())? else {
                if !p.field.is_empty() || p.state == InQuotedField {
                    if p.d.strict != 0 {
                        return Err(csv_error!("unexpected end of data"));
                    }
                    p.save::<u8>(&[])?;
                    return Ok(Some(fields));
                }
                return Ok(None);
            };
            if PyUnicode_Check(line.as_ptr()) == 0 {
                return Err(csv_error!(
                    "iterator should return strings, not {} (the file should be opened in text mode)",
                    type_name(line.as_ptr())
                ));
            }
            (*slf).line_num += 1;
            with_units!(text_of(line.as_ptr()), s => p.line(s))?;
            if p.state == StartRecord {
                return Ok(Some(fields));
            }
        }
    }
}

unsafe extern "C" fn reader_next(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] cleared readers have neither iterator nor dialect.
    unsafe {
        let r = slf.cast::<Reader>();
        if (*r).dialect.is_null() || (*r).input_iter.is_null() {
            return null_mut();
        }
    }
    read_record(slf.cast()).into_c()
}

unsafe extern "C" fn reader_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let r = slf.cast::<Reader>();
        py_visit!(visitor, arg; (*r).dialect, (*r).input_iter);
    }
    0
}
unsafe extern "C" fn reader_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let r = slf.cast::<Reader>();
        setref(&raw mut (*r).dialect, null_mut());
        setref(&raw mut (*r).input_iter, null_mut());
    }
    0
}
unsafe extern "C" fn reader_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        reader_clear(slf);
        free(slf);
    }
}
members! {
    static READER_MEMBERS = [
        "dialect", Py_T_OBJECT_EX, core::mem::offset_of!(Reader, dialect), Py_READONLY, "";
        "line_num", Py_T_ULONG, core::mem::offset_of!(Reader, line_num), Py_READONLY, "";
    ];
}
static mut READER: PyTypeObject = PyTypeObject {
    tp_name: c"_csv.reader".as_ptr(),
    tp_basicsize: size_of::<Reader>() as Py_ssize_t,
    tp_dealloc: Some(reader_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_doc: c"CSV reader\n\nAn iterator over the records that lines of text hold.".as_ptr(),
    tp_traverse: Some(reader_traverse),
    tp_clear: Some(reader_clear),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(reader_next),
    tp_members: (&raw mut READER_MEMBERS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

fn reader(_: (), iterable: Borrowed<'_>, dialect: Opt<'_>, options: Kwargs<'_>) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let input = take(PyObject_GetIter(iterable.ob()))?;
        let dialect = call_dialect(dialect, options)?;
        let r = new::<Reader>(&raw mut READER)?;
        (*r.as_ptr()).input_iter = input.into_raw();
        (*r.as_ptr()).dialect = dialect.into_raw();
        Ok(r.into_object())
    }
}

// ---- writer ----------------------------------------------------------------------------------------------------------

#[repr(C)]
struct Writer {
    ob_base: PyObject,
    write: *mut PyObject,
    dialect: *mut Dialect,
}
type W<'a> = Borrowed<'a, Writer>;

/// A record being written.
struct Record<'a> {
    d: &'a Dialect,
    rec: Vec<u32>,
    num_fields: usize,
}

impl Record<'_> {
    /// Appends a field; `None` is written as nothing.
    unsafe fn append(&mut self, field: Option<*mut PyObject>, quoted: bool) -> PyResult<()> {
        // SAFETY: [TYPE] a str.
        unsafe {
            let text = field.map_or(Text::U1(&[]), |f| text_of(f));
            let d = self.d;
            let mut quoted = quoted;
            if text.is_empty() && d.delimiter == ' ' as u32 && d.skipinitialspace != 0 {
                if d.quoting == QUOTE_NONE || (field.is_none() && (d.quoting == QUOTE_STRINGS || d.quoting == QUOTE_NOTNULL)) {
                    return Err(csv_error!("empty field must be quoted if delimiter is a space and skipinitialspace is true"));
                }
                quoted = true;
            }
            with_units!(text, s => self.append_units(s, quoted))
        }
    }

    fn append_units<U: Unit>(&mut self, s: &[U], mut quoted: bool) -> PyResult<()> {
        let d = self.d;
        // SAFETY: [TYPE] a str, which the dialect holds.
        let terminator = unsafe { text_of(d.lineterminator) };
        let special = |c: u32| c == d.delimiter || c == d.escapechar || c == d.quotechar || is_break(c) || terminator.find_char(c).is_some();
        // Which characters need an escape; the others that are special need quotes.
        let escaped = |c: u32| d.quoting == QUOTE_NONE || if c == d.quotechar { d.doublequote == 0 } else { c == d.escapechar };
        let mut plain = true;
        for &c in s {
            let c: u32 = c.into();
            if !special(c) {
                continue;
            }
            plain = false;
            if !escaped(c) {
                quoted = true;
            } else if d.escapechar == NOT_SET {
                return Err(csv_error!("need to escape, but no escapechar set"));
            }
        }
        if self.num_fields > 0 {
            self.rec.push(d.delimiter);
        }
        if quoted {
            self.rec.push(d.quotechar);
        }
        if plain {
            self.rec.extend(s.iter().map(|&c| -> u32 { c.into() }));
        } else {
            for &c in s {
                let c: u32 = c.into();
                if special(c) {
                    if escaped(c) {
                        self.rec.push(d.escapechar);
                    } else if c == d.quotechar {
                        self.rec.push(c);
                    }
                }
                self.rec.push(c);
            }
        }
        if quoted {
            self.rec.push(d.quotechar);
        }
        self.num_fields += 1;
        Ok(())
    }
}

fn writerow(slf: W<'_>, row: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] the record is this call's own; the dialect is held, as items may do anything.
    unsafe {
        let it = PyObject_GetIter(row.ob());
        if it.is_null() {
            let e = Raised::assume();
            if e.matches(PyExc_TypeError) {
                return Err(csv_error!("iterable expected, not {}", type_name(row.ob())));
            }
            return Err(e);
        }
        let it = Owned::from_owned(it);
        let dialect = Owned::from_borrowed(slf.dialect);
        let d = &*dialect.as_ptr();
        let mut record = Record { d, rec: Vec::new(), num_fields: 0 };
        let mut null_field = false;
        while let Some(field) = next(it.as_ptr())? {
            let f = field.as_ptr();
            let is_str = PyUnicode_Check(f) != 0;
            null_field = f == Py_None();
            let quoted = match d.quoting {
                QUOTE_NONNUMERIC => PyNumber_Check(f) == 0,
                QUOTE_ALL => true,
                QUOTE_STRINGS => is_str,
                QUOTE_NOTNULL => !null_field,
                _ => false,
            };
            if is_str {
                record.append(Some(f), quoted)?;
            } else if null_field {
                record.append(None, quoted)?;
            } else {
                let shown = take(PyObject_Str(f))?;
                record.append(Some(shown.as_ptr()), quoted)?;
            }
        }
        if record.num_fields > 0 && record.rec.is_empty() {
            if d.quoting == QUOTE_NONE || (null_field && (d.quoting == QUOTE_STRINGS || d.quoting == QUOTE_NOTNULL)) {
                return Err(csv_error!("single empty field record must be quoted"));
            }
            record.num_fields -= 1;
            record.append(None, true)?;
        }
        with_units!(text_of(d.lineterminator), s => record.rec.extend(s.iter().map(|&c| -> u32 { c.into() })));
        let line = from_units(&record.rec)?;
        take(PyObject_CallOneArg(slf.write, line.as_ptr().cast()))
    }
}
fn writerows(slf: W<'_>, rows: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let it = take(PyObject_GetIter(rows.ob()))?;
        while let Some(row) = next(it.as_ptr())? {
            writerow(slf, row.borrow())?;
        }
        Ok(())
    }
}

unsafe extern "C" fn writer_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let w = slf.cast::<Writer>();
        py_visit!(visitor, arg; (*w).dialect, (*w).write);
    }
    0
}
unsafe extern "C" fn writer_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let w = slf.cast::<Writer>();
        setref(&raw mut (*w).dialect, null_mut());
        setref(&raw mut (*w).write, null_mut());
    }
    0
}
unsafe extern "C" fn writer_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        writer_clear(slf);
        free(slf);
    }
}
methods! {
    static WRITER_METHODS = [
        "writerow($self, row, /)" => writerow, "Write the items of an iterable as a record; those that are no str are converted.";
        "writerows($self, rows, /)" => writerows, "Write a record for each iterable.";
    ];
}
members! {
    static WRITER_MEMBERS = [
        "dialect", Py_T_OBJECT_EX, core::mem::offset_of!(Writer, dialect), Py_READONLY, "";
    ];
}
static mut WRITER: PyTypeObject = PyTypeObject {
    tp_name: c"_csv.writer".as_ptr(),
    tp_basicsize: size_of::<Writer>() as Py_ssize_t,
    tp_dealloc: Some(writer_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_doc: c"CSV writer\n\nWrites records to a file.".as_ptr(),
    tp_traverse: Some(writer_traverse),
    tp_clear: Some(writer_clear),
    tp_methods: (&raw mut WRITER_METHODS).cast(),
    tp_members: (&raw mut WRITER_MEMBERS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

fn writer(_: (), fileobj: Borrowed<'_>, dialect: Opt<'_>, options: Kwargs<'_>) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let write = match optional_attr(fileobj.ob(), intern!("write"))? {
            Some(w) if PyCallable_Check(w.as_ptr()) != 0 => w,
            _ => bail!(PyExc_TypeError, "argument 1 must have a \"write\" method"),
        };
        let dialect = call_dialect(dialect, options)?;
        let w = new::<Writer>(&raw mut WRITER)?;
        (*w.as_ptr()).write = write.into_raw();
        (*w.as_ptr()).dialect = dialect.into_raw();
        Ok(w.into_object())
    }
}

// ---- registry --------------------------------------------------------------------------------------------------------

fn list_dialects(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { take(PyDict_Keys(DIALECTS.get())) }
}
fn register_dialect(_: (), name: Borrowed<'_>, dialect: Opt<'_>, options: Kwargs<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(name.ob()) == 0 {
            bail!(PyExc_TypeError, "dialect name must be a string");
        }
        let dialect = call_dialect(dialect, options)?;
        check_status(PyDict_SetItem(DIALECTS.get(), name.ob(), dialect.as_ptr().cast()))
    }
}
fn unregister_dialect(_: (), name: Borrowed<'_>) -> PyResult<()> {
    from_registry(name.ob())?;
    // SAFETY: [ARGS]
    unsafe { check_status(PyDict_DelItem(DIALECTS.get(), name.ob())) }
}
fn get_dialect(_: (), name: Borrowed<'_>) -> PyResult<Owned> {
    from_registry(name.ob())
}
fn field_size_limit(_: (), new_limit: Opt<'_>) -> PyResult<isize> {
    // SAFETY: [GIL]
    unsafe {
        let old = FIELD_LIMIT;
        if let Some(limit) = new_limit {
            if PyLong_CheckExact(limit.ob()) == 0 {
                bail!(PyExc_TypeError, "limit must be an integer");
            }
            let limit = PyLong_AsSsize_t(limit.ob());
            if limit == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            FIELD_LIMIT = limit;
        }
        Ok(old)
    }
}

methods! {
    static METHODS = [
        "reader($module, iterable, dialect=<unrepresentable>, /, **options)" => reader, "A reader of the records in lines of text: reader(iterable [, dialect='excel'] [, options of the dialect]).";
        "writer($module, fileobj, dialect=<unrepresentable>, /, **options)" => writer, "A writer of records to a file: writer(fileobj [, dialect='excel'] [, options of the dialect]).";
        "register_dialect($module, name, dialect=<unrepresentable>, /, **options)" => register_dialect, "Give a dialect a name.";
        "list_dialects($module, /)" => list_dialects, "Names of the dialects.";
        "unregister_dialect($module, /, name)" => unregister_dialect, "Forget a dialect's name.";
        "get_dialect($module, /, name)" => get_dialect, "The dialect of that name.";
        "field_size_limit($module, /, new_limit=<unrepresentable>)" => field_size_limit, "How long a field that is read may be; set it if a limit is given. Returns what it was.";
    ];
}

module! {
    /// Entry point.
    pub fn PyInit__csv = "_csv", "CSV parsing and writing.\n", methods: METHODS, exec: exec;
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        for (name, tp) in [(c"Dialect", &raw mut DIALECT), (c"Reader", &raw mut READER), (c"Writer", &raw mut WRITER)] {
            check_status(PyType_Ready(tp))?;
            add_object(module, name, Ok(Owned::from_borrowed(tp.cast())))?;
        }
        let dialects = take(PyDict_New())?;
        DIALECTS.set(Some(dialects.clone()));
        add_object(module, c"_dialects", Ok(dialects))?;
        let error = take(PyErr_NewException(c"_csv.Error".as_ptr(), null_mut(), null_mut()))?;
        ERROR.set(Some(error.clone()));
        add_object(module, c"Error", Ok(error))?;
    }
    for (name, value) in [
        (c"QUOTE_MINIMAL", QUOTE_MINIMAL),
        (c"QUOTE_ALL", QUOTE_ALL),
        (c"QUOTE_NONNUMERIC", QUOTE_NONNUMERIC),
        (c"QUOTE_NONE", QUOTE_NONE),
        (c"QUOTE_STRINGS", QUOTE_STRINGS),
        (c"QUOTE_NOTNULL", QUOTE_NOTNULL),
    ] {
        add_int(module, name, value as i64)?;
    }
    Ok(())
}
