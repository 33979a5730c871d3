//! Writing JSON.

use super::own_function;
use crate::support::{free, new, take, tuple};
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::invoke::with_tuple_dict;
use taipan_clinic::{NativeFn, Signature, Str, constructor, members};
use taipan_objects::floatobject::float_value;
use taipan_objects::longobject::{PyLong_Type, to_i64};
use taipan_objects::pystrtod::float_repr_string;
use taipan_objects::stringlib::Unit;
use taipan_objects::typeobject::TYPE_INIT;
use taipan_objects::unicodeobject::{Text, Writer, from_ascii, text_of};

// ---- strings ---------------------------------------------------------------------------------------------------------

/// How each ASCII character is written: 0 as it is, a letter after a backslash, or 1 as `\u00XX`.
const ESCAPES: [u8; 128] = {
    let mut t = [0; 128];
    let mut i = 0;
    while i < 32 {
        t[i] = 1;
        i += 1;
    }
    t[b'"' as usize] = b'"';
    t[b'\\' as usize] = b'\\';
    t[8] = b'b';
    t[12] = b'f';
    t[b'\n' as usize] = b'n';
    t[b'\r' as usize] = b'r';
    t[b'\t' as usize] = b't';
    t
};

fn unicode_escape(out: &mut Vec<u8>, c: u16) {
    let digit = |shift: u16| b"0123456789abcdef"[(c >> shift & 15) as usize];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

/// Appends a quoted string in ASCII.
pub(super) fn escape_ascii(text: Text<'_>, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    match text {
        Text::U1(s) => {
            // Runs of characters that need nothing are copied at once.
            let mut from = 0;
            for (i, &c) in s.iter().enumerate() {
                if c < 127 && ESCAPES[c as usize] == 0 {
                    continue;
                }
                out.extend_from_slice(&s[from..i]);
                from = i + 1;
                escape_char(c as u32, out);
            }
            out.extend_from_slice(&s[from..]);
        }
        Text::U2(s) => s.iter().for_each(|&c| escape_char(c as u32, out)),
        Text::U4(s) => s.iter().for_each(|&c| escape_char(c, out)),
    }
    out.push(b'"');
}
#[inline]
fn escape_char(c: u32, out: &mut Vec<u8>) {
    match c {
        0..127 => match ESCAPES[c as usize] {
            0 => out.push(c as u8),
            1 => unicode_escape(out, c as u16),
            letter => out.extend_from_slice(&[b'\\', letter]),
        },
        0x10000.. => {
            unicode_escape(out, (0xd800 + ((c - 0x10000) >> 10)) as u16);
            unicode_escape(out, (0xdc00 + (c & 0x3ff)) as u16);
        }
        _ => unicode_escape(out, c as u16),
    }
}

/// Appends a quoted string whose characters beyond ASCII stay.
pub(super) fn escape<U: Unit>(s: &[U], out: &mut Vec<U>) {
    out.reserve(s.len() + 2);
    out.push(U::cut(0x22));
    let mut from = 0;
    for (i, &unit) in s.iter().enumerate() {
        let c: u32 = unit.into();
        if c >= 127 || ESCAPES[c as usize] == 0 {
            continue;
        }
        out.extend_from_slice(&s[from..i]);
        from = i + 1;
        let mut piece = Vec::new();
        escape_char(c, &mut piece);
        out.extend(piece.iter().map(|&b| U::cut(b as u32)));
    }
    out.extend_from_slice(&s[from..]);
    out.push(U::cut(0x22));
}

// ---- output ----------------------------------------------------------------------------------------------------------

/// The text written so far: bytes as long as it is ASCII.
#[derive(Default)]
struct Output {
    ascii: Vec<u8>,
    wide: Option<Writer>,
}
impl Output {
    #[inline]
    fn ascii(&mut self, s: &[u8]) -> PyResult<()> {
        match &mut self.wide {
            None => {
                self.ascii.extend_from_slice(s);
                Ok(())
            }
            Some(w) => w.write_ascii(s),
        }
    }
    /// Appends a str object.
    unsafe fn str(&mut self, op: *mut PyObject) -> PyResult<()> {
        // SAFETY: [TYPE] a str.
        unsafe {
            if PyUnicode_IS_ASCII(op) != 0
                && let Text::U1(s) = text_of(op)
            {
                return self.ascii(s);
            }
            self.writer()?.write_text(text_of(op))
        }
    }
    /// Goes on with wider characters.
    fn writer(&mut self) -> PyResult<&mut Writer> {
        if self.wide.is_none() {
            let mut w = Writer::growing(self.ascii.len());
            w.write_ascii(&core::mem::take(&mut self.ascii))?;
            return Ok(self.wide.insert(w));
        }
        // Checked above.
        self.wide.as_mut().ok_or_else(crate::support::no_memory)
    }
    /// Appends a quoted string.
    unsafe fn quoted(&mut self, op: *mut PyObject, only_ascii: bool) -> PyResult<()> {
        // SAFETY: [TYPE] a str.
        unsafe {
            if only_ascii || PyUnicode_IS_ASCII(op) != 0 {
                let text = text_of(op);
                if !only_ascii && let Text::U1(s) = text {
                    // DEL is escaped in ASCII mode only.
                    if self.wide.is_none() {
                        escape(s, &mut self.ascii);
                        return Ok(());
                    }
                    let mut piece = Vec::new();
                    escape(s, &mut piece);
                    return self.ascii(&piece);
                }
                if self.wide.is_none() {
                    escape_ascii(text, &mut self.ascii);
                    return Ok(());
                }
                let mut piece = Vec::new();
                escape_ascii(text, &mut piece);
                return self.ascii(&piece);
            }
            let w = self.writer()?;
            match text_of(op) {
                Text::U1(s) => {
                    let mut piece = Vec::new();
                    escape(s, &mut piece);
                    w.write_text(Text::U1(&piece))
                }
                Text::U2(s) => {
                    let mut piece = Vec::new();
                    escape(s, &mut piece);
                    w.write_text(Text::U2(&piece))
                }
                Text::U4(s) => {
                    let mut piece = Vec::new();
                    escape(s, &mut piece);
                    w.write_text(Text::U4(&piece))
                }
            }
        }
    }
    fn finish(self) -> PyResult<Owned> {
        match self.wide {
            None => from_ascii(&self.ascii),
            Some(w) => w.finish(),
        }
        .map(Owned::into_object)
    }
}

// ---- Encoder ---------------------------------------------------------------------------------------------------------

#[repr(C)]
pub(super) struct Encoder {
    ob_base: PyObject,
    markers: *mut PyObject,
    defaultfn: *mut PyObject,
    encoder: *mut PyObject,
    indent: *mut PyObject,
    key_separator: *mut PyObject,
    item_separator: *mut PyObject,
    sort_keys: c_char,
    skipkeys: c_char,
    allow_nan: c_char,
    /// The string function is this module's: 1 for ASCII, 2 for any characters; else 0.
    fast_encode: c_char,
}

#[allow(clippy::too_many_arguments, reason = "the signature is CPython's")]
fn encoder_new(
    tp: Borrowed<'_, PyTypeObject>,
    markers: Borrowed<'_>,
    default: Borrowed<'_>,
    encoder: Borrowed<'_>,
    indent: Borrowed<'_>,
    key_separator: Str<'_>,
    item_separator: Str<'_>,
    sort_keys: bool,
    skipkeys: bool,
    allow_nan: bool,
) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if !markers.is_none() && PyDict_Check(markers.ob()) == 0 {
            bail!(PyExc_TypeError, "make_encoder() argument 1 must be dict or None, not {}", type_name(markers.ob()));
        }
        let e = new::<Encoder>(tp.as_ptr())?;
        let p = e.as_ptr();
        (*p).markers = markers.to_owned().into_raw();
        (*p).defaultfn = default.to_owned().into_raw();
        (*p).encoder = encoder.to_owned().into_raw();
        (*p).indent = indent.to_owned().into_raw();
        (*p).key_separator = key_separator.0.to_owned().into_raw();
        (*p).item_separator = item_separator.0.to_owned().into_raw();
        (*p).sort_keys = sort_keys as c_char;
        (*p).skipkeys = skipkeys as c_char;
        (*p).allow_nan = allow_nan as c_char;
        (*p).fast_encode = match own_function(encoder.ob()) {
            Some(true) => 1,
            Some(false) => 2,
            None => 0,
        };
        Ok(e.into_object())
    }
}

/// One run of an encoder.
struct Encoding<'a> {
    e: &'a Encoder,
    out: Output,
    /// The containers that are being written, to find cycles; unused if markers is None.
    active: Vec<*mut PyObject>,
    check: bool,
}

/// A newline with the indentation of a level, and the item separator with that behind it.
struct Indent {
    newline: Owned,
    separator: Owned,
}

impl Encoding<'_> {
    fn enter(&mut self, op: *mut PyObject) -> PyResult<()> {
        if self.check {
            if self.active.contains(&op) {
                bail!(PyExc_ValueError, "Circular reference detected");
            }
            self.active.push(op);
        }
        Ok(())
    }
    fn leave(&mut self) {
        self.active.pop();
    }

    unsafe fn string(&mut self, op: *mut PyObject) -> PyResult<()> {
        // SAFETY: [TYPE] a str.
        unsafe {
            if self.e.fast_encode != 0 {
                return self.out.quoted(op, self.e.fast_encode == 1);
            }
            let encoded = take(PyObject_CallOneArg(self.e.encoder, op))?;
            if PyUnicode_Check(encoded.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "encoder() must return a string, not {:.80}", type_name(encoded.as_ptr()));
            }
            self.out.str(encoded.as_ptr())
        }
    }

    unsafe fn float(&self, op: *mut PyObject) -> PyResult<std::borrow::Cow<'static, str>> {
        // SAFETY: [TYPE] a float.
        unsafe {
            let x = float_value(op);
            if x.is_finite() {
                return Ok(float_repr_string(x).into());
            }
            if self.e.allow_nan == 0 {
                PyErr_Format(PyExc_ValueError, c"Out of range float values are not JSON compliant: %R".as_ptr(), op);
                return Err(Raised::assume());
            }
            Ok(if x.is_nan() { "NaN" } else if x > 0.0 { "Infinity" } else { "-Infinity" }.into())
        }
    }

    unsafe fn int(&mut self, op: *mut PyObject) -> PyResult<()> {
        // SAFETY: [TYPE] an int; subclasses are written as the int they are.
        unsafe {
            if let Some(n) = to_i64(op.cast()) {
                let mut digits = [0u8; 20];
                let mut at = digits.len();
                let mut m = n.unsigned_abs();
                loop {
                    at -= 1;
                    digits[at] = b'0' + (m % 10) as u8;
                    m /= 10;
                    if m == 0 {
                        break;
                    }
                }
                if n < 0 {
                    at -= 1;
                    digits[at] = b'-';
                }
                return self.out.ascii(&digits[at..]);
            }
            let text = self.long_repr(op)?;
            self.out.str(text.as_ptr())
        }
    }
    unsafe fn long_repr(&self, op: *mut PyObject) -> PyResult<Owned> {
        // SAFETY: [TYPE] an int.
        unsafe {
            match (*(&raw const PyLong_Type)).tp_repr {
                Some(repr) => take(repr(op)),
                None => take(PyObject_Repr(op)),
            }
        }
    }

    unsafe fn value(&mut self, op: *mut PyObject, indent: Option<&Indent>) -> PyResult<()> {
        // SAFETY: [ARGS] op is held by the caller.
        unsafe {
            if op == Py_None() {
                return self.out.ascii(b"null");
            }
            if op == Py_True() {
                return self.out.ascii(b"true");
            }
            if op == Py_False() {
                return self.out.ascii(b"false");
            }
            let tp = type_of(op);
            if has_feature(tp, Py_TPFLAGS_UNICODE_SUBCLASS) {
                return self.string(op);
            }
            if has_feature(tp, Py_TPFLAGS_LONG_SUBCLASS) {
                return self.int(op);
            }
            if PyFloat_Check(op) != 0 {
                let text = self.float(op)?;
                return self.out.ascii(text.as_bytes());
            }
            let _guard;
            if has_feature(tp, Py_TPFLAGS_LIST_SUBCLASS | Py_TPFLAGS_TUPLE_SUBCLASS) {
                _guard = RecursionGuard::enter(c" while encoding a JSON object")?;
                return self.list(op, indent);
            }
            if has_feature(tp, Py_TPFLAGS_DICT_SUBCLASS) {
                _guard = RecursionGuard::enter(c" while encoding a JSON object")?;
                return self.dict(op, indent);
            }
            self.enter(op)?;
            let other = take(PyObject_CallOneArg(self.e.defaultfn, op))?;
            _guard = RecursionGuard::enter(c" while encoding a JSON object")?;
            self.value(other.as_ptr(), indent)?;
            self.leave();
            Ok(())
        }
    }

    /// The indentation one level in.
    unsafe fn deeper(&self, indent: Option<&Indent>) -> PyResult<Option<Indent>> {
        let Some(outer) = indent else { return Ok(None) };
        // SAFETY: [TYPE] concatenation checks its operands.
        unsafe {
            let newline = take(PyUnicode_Concat(outer.newline.as_ptr(), self.e.indent))?;
            let separator = take(PyUnicode_Concat(self.e.item_separator, newline.as_ptr()))?;
            Ok(Some(Indent { newline, separator }))
        }
    }
    unsafe fn separator(&mut self, inner: Option<&Indent>) -> PyResult<()> {
        let separator = inner.map_or(self.e.item_separator, |i| i.separator.as_ptr());
        // SAFETY: [TYPE] a str.
        unsafe { self.out.str(separator) }
    }

    unsafe fn list(&mut self, seq: *mut PyObject, indent: Option<&Indent>) -> PyResult<()> {
        // SAFETY: [TYPE] a list or tuple, whose size is looked at before each item.
        unsafe {
            let size = || if PyList_Check(seq) != 0 { PyList_GET_SIZE(seq) } else { PyTuple_GET_SIZE(seq) };
            if size() == 0 {
                return self.out.ascii(b"[]");
            }
            self.enter(seq)?;
            self.out.ascii(b"[")?;
            let inner = self.deeper(indent)?;
            if let Some(inner) = &inner {
                self.out.str(inner.newline.as_ptr())?;
            }
            let mut i = 0;
            while i < size() {
                let item = Owned::from_borrowed(if PyList_Check(seq) != 0 { PyList_GET_ITEM(seq, i) } else { PyTuple_GET_ITEM(seq, i) });
                if i > 0 {
                    self.separator(inner.as_ref())?;
                }
                self.value(item.as_ptr(), inner.as_ref())?;
                i += 1;
            }
            self.leave();
            if let Some(outer) = indent {
                self.out.str(outer.newline.as_ptr())?;
            }
            self.out.ascii(b"]")
        }
    }

    unsafe fn pair(&mut self, first: &mut bool, key: *mut PyObject, value: *mut PyObject, inner: Option<&Indent>) -> PyResult<()> {
        // SAFETY: [ARGS] both are held by the caller.
        unsafe {
            let text = if PyUnicode_Check(key) != 0 {
                Owned::from_borrowed(key)
            } else if PyFloat_Check(key) != 0 {
                crate::support::text(&self.float(key)?)?
            } else if key == Py_True() {
                crate::support::text("true")?
            } else if key == Py_False() {
                crate::support::text("false")?
            } else if key == Py_None() {
                crate::support::text("null")?
            } else if PyLong_Check(key) != 0 {
                self.long_repr(key)?
            } else if self.e.skipkeys != 0 {
                return Ok(());
            } else {
                bail!(PyExc_TypeError, "keys must be str, int, float, bool or None, not {:.100}", type_name(key));
            };
            if !core::mem::replace(first, false) {
                self.separator(inner)?;
            } else if let Some(inner) = inner {
                self.out.str(inner.newline.as_ptr())?;
            }
            self.string(text.as_ptr())?;
            self.out.str(self.e.key_separator)?;
            self.value(value, inner)
        }
    }

    unsafe fn dict(&mut self, dict: *mut PyObject, indent: Option<&Indent>) -> PyResult<()> {
        // SAFETY: [TYPE] a dict; keys and values are held while they are written.
        unsafe {
            if PyDict_Size(dict) == 0 {
                return self.out.ascii(b"{}");
            }
            self.enter(dict)?;
            self.out.ascii(b"{")?;
            let inner = self.deeper(indent)?;
            let mut first = true;
            if self.e.sort_keys != 0 || PyDict_CheckExact(dict) == 0 {
                let items = take(PyMapping_Items(dict))?;
                if self.e.sort_keys != 0 {
                    check_status(PyList_Sort(items.as_ptr()))?;
                }
                let mut i = 0;
                while i < PyList_GET_SIZE(items.as_ptr()) {
                    let item = Owned::from_borrowed(PyList_GET_ITEM(items.as_ptr(), i));
                    if PyTuple_Check(item.as_ptr()) == 0 || PyTuple_GET_SIZE(item.as_ptr()) != 2 {
                        bail!(PyExc_ValueError, "items must return 2-tuples");
                    }
                    self.pair(&mut first, PyTuple_GET_ITEM(item.as_ptr(), 0), PyTuple_GET_ITEM(item.as_ptr(), 1), inner.as_ref())?;
                    i += 1;
                }
            } else {
                let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
                while PyDict_Next(dict, &mut pos, &mut key, &mut value) != 0 {
                    let (key, value) = (Owned::from_borrowed(key), Owned::from_borrowed(value));
                    self.pair(&mut first, key.as_ptr(), value.as_ptr(), inner.as_ref())?;
                }
            }
            self.leave();
            if let Some(outer) = indent
                && !first
            {
                self.out.str(outer.newline.as_ptr())?;
            }
            self.out.ascii(b"}")
        }
    }
}

fn iterencode(slf: Borrowed<'_, Encoder>, obj: Borrowed<'_>, level: isize) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let e = &*slf.as_ptr();
        let indent = if e.indent == Py_None() {
            None
        } else {
            let mut newline = crate::support::text("\n")?;
            if level != 0 {
                let spaces = take(PySequence_Repeat(e.indent, level))?;
                newline = take(PyUnicode_Concat(newline.as_ptr(), spaces.as_ptr()))?;
            }
            let separator = newline.clone();
            Some(Indent { newline, separator })
        };
        let mut run = Encoding { e, out: Output::default(), active: Vec::new(), check: e.markers != Py_None() };
        run.value(obj.ob(), indent.as_ref())?;
        tuple([run.out.finish()?])
    }
}

unsafe extern "C" fn encoder_call(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    const SIG: Signature<2> = Signature::parse("_iterencode(obj, _current_indent_level)");
    // SAFETY: [ARGS] called as tp_call.
    unsafe {
        let sig = SIG.erase();
        with_tuple_dict(&sig, args, kw, |call| Ok(NativeFn::invoke(iterencode, slf, call, &sig))).unwrap_or(null_mut())
    }
}

unsafe extern "C" fn encoder_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let e = slf.cast::<Encoder>();
        py_visit!(visitor, arg; (*e).markers, (*e).defaultfn, (*e).encoder, (*e).indent, (*e).key_separator, (*e).item_separator);
    }
    0
}
unsafe extern "C" fn encoder_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let e = slf.cast::<Encoder>();
        for slot in [
            &raw mut (*e).markers,
            &raw mut (*e).defaultfn,
            &raw mut (*e).encoder,
            &raw mut (*e).indent,
            &raw mut (*e).key_separator,
            &raw mut (*e).item_separator,
        ] {
            setref(slot, null_mut());
        }
    }
    0
}
unsafe extern "C" fn encoder_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        encoder_clear(slf);
        free(slf);
    }
}
members! {
    static MEMBERS = [
        "markers", Py_T_OBJECT_EX, core::mem::offset_of!(Encoder, markers), Py_READONLY, "markers";
        "default", Py_T_OBJECT_EX, core::mem::offset_of!(Encoder, defaultfn), Py_READONLY, "default";
        "encoder", Py_T_OBJECT_EX, core::mem::offset_of!(Encoder, encoder), Py_READONLY, "encoder";
        "indent", Py_T_OBJECT_EX, core::mem::offset_of!(Encoder, indent), Py_READONLY, "indent";
        "key_separator", Py_T_OBJECT_EX, core::mem::offset_of!(Encoder, key_separator), Py_READONLY, "key_separator";
        "item_separator", Py_T_OBJECT_EX, core::mem::offset_of!(Encoder, item_separator), Py_READONLY, "item_separator";
        "sort_keys", Py_T_BOOL, core::mem::offset_of!(Encoder, sort_keys), Py_READONLY, "sort_keys";
        "skipkeys", Py_T_BOOL, core::mem::offset_of!(Encoder, skipkeys), Py_READONLY, "skipkeys";
    ];
}
pub(super) static mut ENCODER: PyTypeObject = PyTypeObject {
    tp_name: c"_json.Encoder".as_ptr(),
    tp_basicsize: size_of::<Encoder>() as Py_ssize_t,
    tp_dealloc: Some(encoder_dealloc),
    tp_call: Some(encoder_call),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"Encoder(markers, default, encoder, indent, key_separator, item_separator, sort_keys, skipkeys, allow_nan)".as_ptr(),
    tp_traverse: Some(encoder_traverse),
    tp_clear: Some(encoder_clear),
    tp_members: (&raw mut MEMBERS).cast(),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(constructor!(
        "make_encoder(markers, default, encoder, indent, key_separator, item_separator, sort_keys, skipkeys, allow_nan)" => encoder_new
    )),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};
