//! The `unicodedata` module.

use crate::database::{change_3_2, decomposition, record};
use crate::names::{self, ALIASES_START, Found, LOOKUP_MAXLEN, SEQUENCES_START};
use crate::normalize::{Form, QuickCheck, quick_check};
use crate::tables::{ALIASES, BIDIRECTIONAL, CATEGORIES, SEQUENCES, WIDTHS};
use core::ffi::{c_char, c_int, c_void};
use core::mem::offset_of;
use taipan_abi::*;
use taipan_clinic::{BufferView, Char, Str, members, methods, module, module::add_object, module::add_str, module::add_type};
use taipan_objects::typeobject::TYPE_INIT;
use taipan_objects::unicode_codecs::escape::_PyUnicode_Name_CAPI;
use taipan_objects::unicodectype::{to_decimal, to_digit, to_numeric};

// ---- UCD: another version of the database --------------------------------------------------------------------------------

/// `UCD`: stands for version 3.2 of the database; its methods are the module's functions.
#[repr(C)]
struct PreviousDBVersion {
    ob_base: PyObject,
    name: *const c_char,
}

members! {
    static UCD_MEMBERS = [
        "unidata_version", Py_T_STRING, offset_of!(PreviousDBVersion, name), Py_READONLY, "";
    ];
}

unsafe extern "C" fn ucd_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] called as tp_dealloc.
    unsafe { PyObject_Free(slf.cast()) }
}

static mut UCD: PyTypeObject = PyTypeObject {
    tp_name: c"unicodedata.UCD".as_ptr(),
    tp_basicsize: size_of::<PreviousDBVersion>() as Py_ssize_t,
    tp_dealloc: Some(ucd_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    tp_methods: (&raw mut METHODS).cast(),
    tp_members: (&raw mut UCD_MEMBERS).cast(),
    ..TYPE_INIT
};

/// Whether a function was called as a method of the old version.
fn is_old(slf: Borrowed<'_>) -> bool {
    slf.ob_type() == &raw mut UCD
}

/// What the old version says otherwise, if it is asked.
fn change(slf: Borrowed<'_>, code: u32) -> Option<crate::database::Change> {
    if is_old(slf) { change_3_2(code) } else { None }
}

// ---- properties ----------------------------------------------------------------------------------------------------------

type Absent<'a> = Option<Borrowed<'a>>;

fn or_default(default: Absent<'_>, message: &str) -> PyResult<Owned> {
    match default {
        Some(d) => Ok(d.to_owned()),
        None => Err(raise!(PyExc_ValueError, "{message}")),
    }
}

/// The decimal value as the old version has it: `None` to ask the current one.
fn old_decimal(slf: Borrowed<'_>, code: u32) -> Option<Option<u32>> {
    match change(slf, code)? {
        c if c.category == 0 => Some(None),
        c if c.decimal != 255 => Some(Some(c.decimal as u32)),
        _ => None,
    }
}

fn decimal(slf: Borrowed<'_>, chr: Char, default: Absent<'_>) -> PyResult<Owned> {
    match old_decimal(slf, chr.0).unwrap_or_else(|| to_decimal(chr.0)) {
        // SAFETY: [GIL]
        Some(v) => unsafe { Owned::from_owned_or_err(PyLong_FromLong(v as i64)) },
        None => or_default(default, "not a decimal"),
    }
}

fn digit(_: Borrowed<'_>, chr: Char, default: Absent<'_>) -> PyResult<Owned> {
    match to_digit(chr.0) {
        // SAFETY: [GIL]
        Some(v) => unsafe { Owned::from_owned_or_err(PyLong_FromLong(v as i64)) },
        None => or_default(default, "not a digit"),
    }
}

fn numeric(slf: Borrowed<'_>, chr: Char, default: Absent<'_>) -> PyResult<Owned> {
    let value = match old_decimal(slf, chr.0) {
        Some(old) => old.map(f64::from),
        None => to_numeric(chr.0),
    };
    match value {
        // SAFETY: [GIL]
        Some(v) => unsafe { Owned::from_owned_or_err(PyFloat_FromDouble(v)) },
        None => or_default(default, "not a numeric character"),
    }
}

fn category(slf: Borrowed<'_>, chr: Char) -> PyResult<&'static str> {
    let index = change(slf, chr.0).map_or_else(|| record(chr.0).category, |c| c.category);
    Ok(CATEGORIES[index as usize])
}
fn bidirectional(slf: Borrowed<'_>, chr: Char) -> PyResult<&'static str> {
    let index = change(slf, chr.0).map_or_else(|| record(chr.0).bidirectional, |c| c.bidirectional);
    Ok(BIDIRECTIONAL[index as usize])
}
fn combining(slf: Borrowed<'_>, chr: Char) -> PyResult<i32> {
    let unassigned = change(slf, chr.0).is_some_and(|c| c.category == 0);
    Ok(if unassigned { 0 } else { record(chr.0).combining as i32 })
}
fn mirrored(slf: Borrowed<'_>, chr: Char) -> PyResult<i32> {
    Ok(change(slf, chr.0).map_or_else(|| record(chr.0).mirrored, |c| c.mirrored) as i32)
}
fn east_asian_width(slf: Borrowed<'_>, chr: Char) -> PyResult<&'static str> {
    let index = change(slf, chr.0).map_or_else(|| record(chr.0).width, |c| c.width);
    Ok(WIDTHS[index as usize])
}

fn decomposition_text(slf: Borrowed<'_>, chr: Char) -> PyResult<String> {
    if change(slf, chr.0).is_some_and(|c| c.category == 0) {
        return Ok(String::new());
    }
    let Some((tag, codes)) = decomposition(chr.0) else { return Ok(String::new()) };
    let mut text = String::from(tag);
    for code in codes {
        if !text.is_empty() {
            text.push(' ');
        }
        text += &format!("{code:04X}");
    }
    Ok(text)
}

// ---- names ---------------------------------------------------------------------------------------------------------------

fn name(slf: Borrowed<'_>, chr: Char, default: Absent<'_>) -> PyResult<Owned> {
    let unassigned = change(slf, chr.0).is_some_and(|c| c.category == 0);
    match names::name(chr.0, false).filter(|_| !unassigned) {
        // SAFETY: [GIL] names are ASCII.
        Some(n) => unsafe { Owned::from_owned_or_err(PyUnicode_FromStringAndSize(n.as_ptr().cast(), n.len() as Py_ssize_t)) },
        None => or_default(default, "no such name"),
    }
}

fn lookup(slf: Borrowed<'_>, name: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] the text lives as long as the argument or the view.
    unsafe {
        let view;
        let text: &[u8] = if PyUnicode_Check(name.ob()) != 0 {
            let mut size = 0;
            let p = PyUnicode_AsUTF8AndSize(name.ob(), &mut size);
            if p.is_null() {
                return Err(Raised::assume());
            }
            core::slice::from_raw_parts(p.cast(), size as usize)
        } else {
            if PyObject_CheckBuffer(name.ob()) == 0 {
                bail!(PyExc_TypeError, "lookup() argument must be read-only bytes-like object, not {}", type_name(name.ob()));
            }
            view = BufferView::get(name.ob())?;
            view.as_bytes()
        };
        if text.len() > LOOKUP_MAXLEN {
            bail!(PyExc_KeyError, "name too long");
        }
        match names::lookup(text) {
            Some(Found::Character(code)) => Owned::from_owned_or_err(PyUnicode_FromOrdinal(code as c_int)),
            Some(Found::Alias(code)) if !is_old(slf) => Owned::from_owned_or_err(PyUnicode_FromOrdinal(code as c_int)),
            Some(Found::Sequence(codes)) if !is_old(slf) => {
                Owned::from_owned_or_err(PyUnicode_FromKindAndData(2, codes.as_ptr().cast(), codes.len() as Py_ssize_t))
            }
            _ => Err(raise!(PyExc_KeyError, "undefined character name '{}'", String::from_utf8_lossy(text))),
        }
    }
}

/// Writes the name of a code point, NUL-terminated; 0 if it has none or the buffer is too small.
unsafe extern "C" fn capi_getucname(code: u32, buffer: *mut c_char, buflen: c_int, with_alias_and_seq: c_int) -> c_int {
    match names::name(code, with_alias_and_seq != 0) {
        Some(n) if (n.len() as c_int) < buflen => {
            // SAFETY: [ARGS] the buffer holds buflen bytes.
            unsafe {
                buffer.cast::<u8>().copy_from_nonoverlapping(n.as_ptr(), n.len());
                *buffer.add(n.len()) = 0;
            }
            1
        }
        _ => 0,
    }
}

/// Finds the code point of a name; sequences get CPython's private code points, if they are wanted at all.
unsafe extern "C" fn capi_getcode(name: *const c_char, namelen: c_int, code: *mut u32, with_named_seq: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let text = core::slice::from_raw_parts(name.cast::<u8>(), namelen.max(0) as usize);
        *code = match names::lookup(text) {
            Some(Found::Character(c) | Found::Alias(c)) => c,
            Some(Found::Sequence(s)) if with_named_seq != 0 => match SEQUENCES.iter().position(|x| *x == s) {
                Some(i) => SEQUENCES_START + i as u32,
                None => return 0,
            },
            _ => return 0,
        };
        1
    }
}

const _: () = assert!(ALIASES_START as usize + ALIASES.len() <= SEQUENCES_START as usize);

static CAPI: _PyUnicode_Name_CAPI = _PyUnicode_Name_CAPI { getname: capi_getucname, getcode: capi_getcode };

// ---- normal forms --------------------------------------------------------------------------------------------------------

/// The code points of a str.
fn codes<'a>(text: Borrowed<'a>) -> impl Iterator<Item = u32> + use<'a> {
    // SAFETY: [TYPE] text is a str that lives for 'a; its data has `n` characters of its kind.
    unsafe {
        let n = PyUnicode_GET_LENGTH(text.ob()) as usize;
        let data = PyUnicode_DATA(text.ob());
        let kind = PyUnicode_KIND(text.ob());
        (0..n).map(move |i| match kind {
            PyUnicode_1BYTE_KIND => *data.cast::<u8>().add(i) as u32,
            PyUnicode_2BYTE_KIND => *data.cast::<u16>().add(i) as u32,
            _ => *data.cast::<u32>().add(i),
        })
    }
}

fn form_of(form: Str<'_>) -> PyResult<Form> {
    // SAFETY: [TYPE] a str.
    let name: String = codes(form.0).map(|c| char::from_u32(c).unwrap_or('\u{fffd}')).collect();
    match Form::from_name(&name) {
        Some(f) => Ok(f),
        None => Err(raise!(PyExc_ValueError, "invalid normalization form")),
    }
}

/// The quick check, which there is for the current version only.
fn quickly(slf: Borrowed<'_>, text: Borrowed<'_>, form: Form, yes_only: bool) -> QuickCheck {
    if is_old(slf) {
        return QuickCheck::Maybe;
    }
    // SAFETY: [TYPE] a str.
    if unsafe { PyUnicode_IS_ASCII(text.ob()) } != 0 {
        return QuickCheck::Yes;
    }
    quick_check(codes(text), form, yes_only)
}

fn is_normalized(slf: Borrowed<'_>, form: Str<'_>, unistr: Str<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE] a str.
    if unsafe { PyUnicode_GET_LENGTH(unistr.ob()) } == 0 {
        return Ok(true);
    }
    let form = form_of(form)?;
    Ok(match quickly(slf, unistr.0, form, false) {
        QuickCheck::Yes => true,
        QuickCheck::No => false,
        QuickCheck::Maybe => {
            let normal = crate::normalize::normalize(codes(unistr.0), form, is_old(slf));
            normal.iter().copied().eq(codes(unistr.0))
        }
    })
}

fn normalize(slf: Borrowed<'_>, form: Str<'_>, unistr: Str<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] a str.
    unsafe {
        if PyUnicode_GET_LENGTH(unistr.ob()) == 0 {
            return Ok(unistr.0.to_owned());
        }
        let form = form_of(form)?;
        if quickly(slf, unistr.0, form, true) == QuickCheck::Yes {
            return Ok(unistr.0.to_owned());
        }
        let normal = crate::normalize::normalize(codes(unistr.0), form, is_old(slf));
        Owned::from_owned_or_err(PyUnicode_FromKindAndData(4, normal.as_ptr().cast(), normal.len() as Py_ssize_t))
    }
}

// ---- the module ----------------------------------------------------------------------------------------------------------

methods! {
    static METHODS = [
        "decimal($self, chr, default=<unrepresentable>, /)" => decimal, "Return the decimal value of a character, or the default; ValueError without one.";
        "digit($self, chr, default=<unrepresentable>, /)" => digit, "Return the digit value of a character, or the default; ValueError without one.";
        "numeric($self, chr, default=<unrepresentable>, /)" => numeric, "Return the numeric value of a character, or the default; ValueError without one.";
        "category($self, chr, /)" => category, "Return the general category of a character.";
        "bidirectional($self, chr, /)" => bidirectional, "Return the bidirectional class of a character, empty if it has none.";
        "combining($self, chr, /)" => combining, "Return the canonical combining class of a character, 0 if it has none.";
        "mirrored($self, chr, /)" => mirrored, "Return 1 if a character is mirrored in bidirectional text, else 0.";
        "east_asian_width($self, chr, /)" => east_asian_width, "Return the East Asian width of a character.";
        "decomposition($self, chr, /)" => decomposition_text, "Return what a character decomposes to, empty if it does not.";
        "name($self, chr, default=<unrepresentable>, /)" => name, "Return the name of a character, or the default; ValueError without one.";
        "lookup($self, name, /)" => lookup, "Return the character or the sequence that has the name; KeyError if there is none.";
        "is_normalized($self, form, unistr, /)" => is_normalized, "Return whether a text is in a normal form: NFC, NFKC, NFD or NFKD.";
        "normalize($self, form, unistr, /)" => normalize, "Return the text in a normal form: NFC, NFKC, NFD or NFKD.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [OWN] a fresh object; the capsule's record is static.
    unsafe {
        add_str(module, c"unidata_version", "15.1.0")?;
        add_type(module, &raw mut UCD)?;
        let old = Owned::from_owned_or_err(PyType_GenericAlloc(&raw mut UCD, 0))?;
        (*old.as_ptr().cast::<PreviousDBVersion>()).name = c"3.2.0".as_ptr();
        add_object(module, c"ucd_3_2_0", Ok(old))?;
        let record: *const c_void = (&raw const CAPI).cast();
        let capsule = PyCapsule_New(record.cast_mut(), c"unicodedata._ucnhash_CAPI".as_ptr(), None);
        add_object(module, c"_ucnhash_CAPI", Owned::from_owned_or_err(capsule))
    }
}

module! {
    /// Entry point.
    pub fn PyInit_unicodedata = "unicodedata", "The Unicode character database, version 15.1.0, and ucd_3_2_0, version 3.2.0 of it.", methods: METHODS, exec: exec;
}

