//! The charmap codec: bytes and characters mapped by a table, and `EncodingMap`, a compact table for encoding.

use super::*;
use crate::typeobject::TYPE_INIT;
use crate::unicodeobject::layout::{MAX_UNICODE, empty, length, no_memory, text_of};
use taipan_clinic::methods;

const REASON: &CStr = c"character maps to <undefined>";
/// In a decoding table this character stands for "undefined".
const UNDEFINED: u32 = 0xfffe;

fn decode(input: &[u8], mapping: *mut PyObject, errors: *const c_char) -> PyResult<StrObj> {
    if input.is_empty() {
        return Ok(empty());
    }
    let mut w = Writer::growing(input.len());
    w.0.overallocate = 0;
    let mut state = DecodeErrors::new(c"charmap", errors, input);
    let (mut s, mut i) = (input, 0);
    // SAFETY: [ARGS] [GIL]
    unsafe {
        let table = if PyUnicode_CheckExact(mapping) != 0 { Some(text_of(mapping)) } else { None };
        while i < s.len() {
            let done = match table {
                Some(t) => match t.at(s[i] as usize) {
                    None | Some(UNDEFINED) => false,
                    Some(c) => {
                        w.write_char(c)?;
                        true
                    }
                },
                None => decode_item(&mut w, mapping, s[i])?,
            };
            if done {
                i += 1;
            } else {
                i = state.write(&mut w, i, i + 1, REASON)?;
                s = state.input();
            }
        }
    }
    w.finish()
}

/// The item of a mapping, `None` if there is none.
fn lookup(mapping: *mut PyObject, key: u32) -> PyResult<Option<Owned>> {
    // SAFETY: [GIL]
    unsafe {
        let key = Owned::from_owned_or_err(PyLong_FromLong(key as i64))?;
        match Owned::from_owned_or_err(PyObject_GetItem(mapping, key.as_ptr())) {
            Ok(x) if x.as_ptr() == Py_None() => Ok(None),
            Ok(x) => Ok(Some(x)),
            Err(e) if e.matches(PyExc_LookupError) => {
                e.clear();
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}

fn decode_item(w: &mut Writer, mapping: *mut PyObject, byte: u8) -> PyResult<bool> {
    let Some(item) = lookup(mapping, byte as u32)? else { return Ok(false) };
    let p = item.as_ptr();
    // SAFETY: [TYPE] checked before use.
    unsafe {
        if PyLong_Check(p) != 0 {
            let mut overflow = 0;
            let value = PyLong_AsLongAndOverflow(p, &mut overflow);
            if overflow != 0 || !(0..=MAX_UNICODE as i64).contains(&value) {
                bail!(PyExc_TypeError, "character mapping must be in range(0x{:x})", MAX_UNICODE + 1);
            }
            if value == UNDEFINED as i64 {
                return Ok(false);
            }
            w.write_char(value as u32)?;
        } else if PyUnicode_Check(p) != 0 {
            if length(p) == 1 && text_of(p).get(0) == UNDEFINED {
                return Ok(false);
            }
            w.0.overallocate = 1;
            w.write_text(text_of(p))?;
        } else {
            bail!(PyExc_TypeError, "character mapping must return integer, None or str");
        }
    }
    Ok(true)
}

/// Decodes by a string of 256 characters or by any mapping; NULL means Latin-1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_DecodeCharmap(s: *const c_char, size: Py_ssize_t, mapping: *mut PyObject, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if mapping.is_null() {
            return single_byte::PyUnicode_DecodeLatin1(s, size, errors);
        }
        decode(raw_bytes(s, size), mapping, errors).into_c()
    }
}

// --- EncodingMap

/// A trie of three levels from characters of the BMP to bytes: five bits, four bits, seven bits.
#[repr(C)]
struct EncodingMap {
    ob_base: PyObject,
    level1: [u8; 32],
    count2: i32,
    count3: i32,
    /// `16 * count2` entries of the second level, then `128 * count3` bytes of the third.
    level23: [u8; 1],
}

impl EncodingMap {
    unsafe fn lookup(this: *mut EncodingMap, c: u32) -> Option<u8> {
        if c > 0xffff {
            return None;
        }
        if c == 0 {
            return Some(0);
        }
        // SAFETY: [TYPE] indices come from the trie itself.
        unsafe {
            let l23: *mut u8 = (&raw mut (*this).level23).cast();
            let i = (*this).level1[(c >> 11) as usize];
            if i == 0xff {
                return None;
            }
            let j = *l23.add(16 * i as usize + (c >> 7 & 15) as usize);
            if j == 0xff {
                return None;
            }
            let b = *l23.add(16 * (*this).count2 as usize + 128 * j as usize + (c & 127) as usize);
            (b != 0).then_some(b)
        }
    }
}

unsafe extern "C" fn encoding_map_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe { PyObject_Free(op.cast()) }
}

fn encoding_map_size(slf: Borrowed<'_, EncodingMap>) -> PyResult<isize> {
    Ok(MAP_HEAD as isize + 16 * slf.count2 as isize + 128 * slf.count3 as isize)
}

/// Bytes before the trie's second level.
const MAP_HEAD: usize = size_of::<EncodingMap>() - 1;

methods! {
    static MAP_METHODS = [
        "size($self, /)" => encoding_map_size, "Return the size in bytes.";
    ];
}

/// Type of the tables that `PyUnicode_BuildEncodingMap` makes.
pub static mut EncodingMapType: PyTypeObject = PyTypeObject {
    tp_name: c"EncodingMap".as_ptr(),
    tp_basicsize: size_of::<EncodingMap>() as Py_ssize_t,
    tp_dealloc: Some(encoding_map_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_methods: (&raw mut MAP_METHODS).cast(),
    ..TYPE_INIT
};

fn build(s: StrRef<'_>) -> PyResult<Owned> {
    let t = text(s);
    let t = t.slice(0, t.len().min(256));
    let mut level1 = [0xffu8; 32];
    let mut level2 = [0xffu8; 512];
    let (mut count2, mut count3) = (0usize, 0usize);
    let mut plain = t.at(0) == Some(0);
    for c in t.chars().skip(1) {
        if c == 0 || c > 0xffff {
            plain = false;
            break;
        }
        if c == UNDEFINED {
            continue;
        }
        let (a, b) = ((c >> 11) as usize, (c >> 7) as usize);
        if level1[a] == 0xff {
            level1[a] = count2 as u8;
            count2 += 1;
        }
        if level2[b] == 0xff {
            level2[b] = count3 as u8;
            count3 += 1;
        }
    }
    // SAFETY: [GIL] [LAYOUT] the block has room for both levels.
    unsafe {
        if !plain || count2 >= 0xff || count3 >= 0xff {
            let dict = Owned::from_owned_or_err(PyDict_New())?;
            for (i, c) in t.chars().enumerate() {
                let key = Owned::from_owned_or_err(PyLong_FromLong(c as i64))?;
                let value = Owned::from_owned_or_err(PyLong_FromLong(i as i64))?;
                check_status(PyDict_SetItem(dict.as_ptr(), key.as_ptr(), value.as_ptr()))?;
            }
            return Ok(dict);
        }
        let map: *mut EncodingMap = PyObject_Malloc(size_of::<EncodingMap>() + 16 * count2 + 128 * count3).cast();
        if map.is_null() {
            return Err(no_memory());
        }
        _PyObject_Init(map.cast(), &raw mut EncodingMapType);
        (*map).level1 = level1;
        (*map).count2 = count2 as i32;
        (*map).count3 = count3 as i32;
        let l2: *mut u8 = (&raw mut (*map).level23).cast();
        let l3 = l2.add(16 * count2);
        core::ptr::write_bytes(l2, 0xff, 16 * count2);
        core::ptr::write_bytes(l3, 0, 128 * count3);
        for (i, c) in t.chars().enumerate().skip(1).filter(|&(_, c)| c != UNDEFINED) {
            let third = level2[(c >> 7) as usize];
            *l2.add(16 * level1[(c >> 11) as usize] as usize + (c >> 7 & 15) as usize) = third;
            *l3.add(128 * third as usize + (c & 127) as usize) = i as u8;
        }
        Ok(Owned::from_owned(map.cast()))
    }
}

/// The inverse of a decoding string: an `EncodingMap`, or a dict where that does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_BuildEncodingMap(string: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match as_str(Borrowed::from_ptr(string)) {
            Some(s) if !text(s).is_empty() => build(s).into_c(),
            _ => {
                PyErr_BadArgument();
                null_mut()
            }
        }
    }
}

// --- encoding

/// Appends what the mapping gives for `c`; `false` if it gives nothing. `out` may be `None` to only ask.
fn output(c: u32, mapping: *mut PyObject, out: Option<&mut Vec<u8>>) -> PyResult<bool> {
    // SAFETY: [ARGS] types are checked before use.
    unsafe {
        if (*mapping).ob_type == &raw mut EncodingMapType {
            let Some(b) = EncodingMap::lookup(mapping.cast(), c) else { return Ok(false) };
            if let Some(out) = out {
                out.push(b);
            }
            return Ok(true);
        }
        let Some(x) = lookup(mapping, c)? else { return Ok(false) };
        let p = x.as_ptr();
        if PyLong_Check(p) != 0 {
            let mut overflow = 0;
            let value = PyLong_AsLongAndOverflow(p, &mut overflow);
            let Ok(b) = u8::try_from(value) else {
                bail!(PyExc_TypeError, "character mapping must be in range(256)");
            };
            if let Some(out) = out {
                out.push(b);
            }
        } else if PyBytes_Check(p) != 0 {
            if let Some(out) = out {
                out.extend_from_slice(bytes_of(&x));
            }
        } else {
            PyErr_Format(
                PyExc_TypeError,
                c"character mapping must return integer, bytes or None, not %.400s".as_ptr(),
                (*(*p).ob_type).tp_name,
            );
            return Err(Raised::assume());
        }
        Ok(true)
    }
}

/// Encodes by a mapping from characters to bytes; NULL means Latin-1.
pub fn encode(s: StrRef<'_>, mapping: *mut PyObject, errors: *const c_char) -> PyResult<Owned> {
    if mapping.is_null() {
        return single_byte::encode_latin1(s, errors);
    }
    let t = text(s);
    let mut out = Vec::with_capacity(t.len());
    let mut state = EncodeErrors::new(c"charmap", errors, s);
    // SAFETY: [ARGS]
    let handler = unsafe { get_error_handler(errors) };
    let mut i = 0;
    while i < t.len() {
        if output(t.get(i), mapping, Some(&mut out))? {
            i += 1;
            continue;
        }
        let mut end = i + 1;
        while end < t.len() && !output(t.get(end), mapping, None)? {
            end += 1;
        }
        let put_all = |out: &mut Vec<u8>, state: &mut EncodeErrors<'_>, chars: &mut dyn Iterator<Item = u32>| -> PyResult<()> {
            for c in chars {
                if !output(c, mapping, Some(out))? {
                    return Err(state.raise(i, end, REASON));
                }
            }
            Ok(())
        };
        match handler {
            ErrorHandler::Ignore => {}
            ErrorHandler::Replace => put_all(&mut out, &mut state, &mut (i..end).map(|_| b'?' as u32))?,
            ErrorHandler::XmlCharRefReplace => {
                let mut references = Vec::new();
                xmlcharrefs(&mut references, t.slice(i, end));
                put_all(&mut out, &mut state, &mut references.into_iter().map(u32::from))?;
            }
            _ => {
                let (replacement, pos) = state.call(i, end, REASON)?;
                match replacement {
                    Replacement::Bytes(b) => out.extend_from_slice(bytes_of(&b)),
                    Replacement::Text(r) => put_all(&mut out, &mut state, &mut text(r.borrow()).chars())?,
                }
                i = pos;
                continue;
            }
        }
        i = end;
    }
    bytes_from(&out)
}

/// Encodes by a mapping.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_EncodeCharmap(unicode: *mut PyObject, mapping: *mut PyObject, errors: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { str_argument(unicode).and_then(|s| encode(s, mapping, errors)).into_c() }
}
/// Encodes by a mapping, strictly.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_AsCharmapString(unicode: *mut PyObject, mapping: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(unicode) == 0 || mapping.is_null() {
            PyErr_BadArgument();
            return null_mut();
        }
        encode(Borrowed::from_ptr(unicode.cast()), mapping, core::ptr::null()).into_c()
    }
}
