//! `__format__` of str, int, float and complex: the standard format specification.

use crate::unicodectype::to_decimal;
use crate::unicodeobject::layout::{self, MAX_UNICODE, Text, char_str, text_of};
use crate::unicodeobject::percent::double_text;
use crate::unicodeobject::{StrObj, StrRef, Writer, text};
use core::ffi::{CStr, c_int};
use taipan_abi::*;

/// Where grouping comes from.
#[derive(Clone, Copy, PartialEq)]
enum Thousands {
    /// No grouping.
    No,
    /// `,`: groups of three.
    Comma,
    /// `_`: groups of three.
    Underscore,
    /// `_` of binary, octal and hexadecimal numbers: groups of four.
    UnderscoreFour,
    /// Type `n`: as the current locale says.
    Locale,
}

/// A parsed specification `[[fill]align][sign][z][#][0][width][grouping][.precision][type]`.
#[derive(Clone, Copy)]
struct Spec {
    fill: u32,
    align: u8,
    alternate: bool,
    no_neg_0: bool,
    /// `+`, `-`, space, or 0 if not given.
    sign: u8,
    width: Option<usize>,
    thousands: Thousands,
    precision: Option<usize>,
    /// The type character, 0 if there is no default and none given.
    conv: u32,
}

fn number(t: Text<'_>, pos: &mut usize) -> PyResult<Option<usize>> {
    let start = *pos;
    let mut n: usize = 0;
    while let Some(d) = t.at(*pos).and_then(to_decimal) {
        if n > (isize::MAX as usize - d as usize) / 10 {
            bail!(PyExc_ValueError, "Too many decimal digits in format string");
        }
        n = n * 10 + d as usize;
        *pos += 1;
    }
    Ok((*pos > start).then_some(n))
}

fn ascii_of(c: Option<u32>) -> u8 {
    c.filter(|&c| c < 128).map_or(0, |c| c as u8)
}

fn shown(conv: u32) -> String {
    if conv > 32 && conv < 128 { (conv as u8 as char).to_string() } else { format!("\\x{conv:x}") }
}

/// Parses a specification (not empty) for `obj`.
fn parse(obj: *mut PyObject, t: Text<'_>, conv: u8, align: u8) -> PyResult<Spec> {
    let mut f = Spec {
        fill: 32,
        align,
        alternate: false,
        no_neg_0: false,
        sign: 0,
        width: None,
        thousands: Thousands::No,
        precision: None,
        conv: conv as u32,
    };
    let is_align = |c: u8| matches!(c, b'<' | b'>' | b'=' | b'^');
    let mut pos = 0;
    let peek = |pos: usize| ascii_of(t.at(pos));
    let (mut aligned, mut filled) = (false, false);
    if is_align(peek(1)) {
        f.align = peek(1);
        f.fill = t.get(0);
        (aligned, filled) = (true, true);
        pos = 2;
    } else if is_align(peek(0)) {
        f.align = peek(0);
        aligned = true;
        pos = 1;
    }
    if matches!(peek(pos), b' ' | b'+' | b'-') {
        f.sign = peek(pos);
        pos += 1;
    }
    if peek(pos) == b'z' {
        f.no_neg_0 = true;
        pos += 1;
    }
    if peek(pos) == b'#' {
        f.alternate = true;
        pos += 1;
    }
    if !filled && peek(pos) == b'0' {
        f.fill = b'0' as u32;
        if !aligned && align == b'>' {
            f.align = b'=';
        }
        pos += 1;
    }
    f.width = number(t, &mut pos)?;
    if peek(pos) == b',' {
        f.thousands = Thousands::Comma;
        pos += 1;
    }
    if peek(pos) == b'_' {
        if f.thousands != Thousands::No {
            bail!(PyExc_ValueError, "Cannot specify both ',' and '_'.");
        }
        f.thousands = Thousands::Underscore;
        pos += 1;
    }
    if peek(pos) == b',' && f.thousands == Thousands::Underscore {
        bail!(PyExc_ValueError, "Cannot specify both ',' and '_'.");
    }
    if peek(pos) == b'.' {
        pos += 1;
        f.precision = number(t, &mut pos)?;
        if f.precision.is_none() {
            bail!(PyExc_ValueError, "Format specifier missing precision");
        }
    }
    if t.len() - pos > 1 {
        let spec = layout::from_text(t)?;
        // SAFETY: [GIL]
        unsafe {
            PyErr_Format(
                PyExc_ValueError,
                c"Invalid format specifier '%U' for object of type '%.200s'".as_ptr(),
                spec.as_ptr(),
                (*(*obj).ob_type).tp_name,
            );
            return Err(Raised::assume());
        }
    }
    if let Some(c) = t.at(pos) {
        f.conv = c;
    }
    if f.thousands != Thousands::No {
        match ascii_of(Some(f.conv)) {
            b'd' | b'e' | b'f' | b'g' | b'E' | b'G' | b'%' | b'F' => {}
            _ if f.conv == 0 => {}
            b'b' | b'o' | b'x' | b'X' if f.thousands == Thousands::Underscore => f.thousands = Thousands::UnderscoreFour,
            _ => {
                let separator = if f.thousands == Thousands::Comma { ',' } else { '_' };
                bail!(PyExc_ValueError, "Cannot specify '{}' with '{}'.", separator, shown(f.conv));
            }
        }
    }
    Ok(f)
}

#[cold]
fn unknown_type(conv: u32, obj: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    raise!(PyExc_ValueError, "Unknown format code '{}' for object of type '{}'", shown(conv), unsafe { type_name(obj) })
}

/// Padding on the left and on the right of `n` characters.
fn padding(f: &Spec, n: usize) -> (usize, usize) {
    let fill = f.width.unwrap_or(0).saturating_sub(n);
    match f.align {
        b'>' => (fill, 0),
        b'^' => (fill / 2, fill - fill / 2),
        _ => (0, fill),
    }
}

// --- numbers

/// Decimal point, thousands separator and sizes of groups from the right (the last one repeats; 127 ends grouping).
struct LocaleInfo {
    decimal_point: StrObj,
    thousands_sep: StrObj,
    grouping: Vec<u8>,
}

impl LocaleInfo {
    fn get(kind: Thousands) -> PyResult<Self> {
        let simple = |sep: Option<u8>, size: u8| -> PyResult<Self> {
            Ok(LocaleInfo {
                decimal_point: char_str(b'.' as u32)?,
                thousands_sep: match sep {
                    Some(c) => char_str(c as u32)?,
                    None => layout::empty(),
                },
                grouping: vec![size],
            })
        };
        match kind {
            Thousands::No => simple(None, 127),
            Thousands::Comma => simple(Some(b','), 3),
            Thousands::Underscore => simple(Some(b'_'), 3),
            Thousands::UnderscoreFour => simple(Some(b'_'), 4),
            // SAFETY: [GIL] the C library's texts are copied before anything else runs.
            Thousands::Locale => unsafe {
                let lc = libc::localeconv();
                let point = CStr::from_ptr((*lc).decimal_point).to_owned();
                let sep = CStr::from_ptr((*lc).thousands_sep).to_owned();
                let mut grouping = CStr::from_ptr((*lc).grouping).to_bytes().to_vec();
                if grouping.is_empty() {
                    grouping.push(127);
                }
                let decode = |s: &CStr| -> PyResult<StrObj> {
                    Owned::from_owned_or_err(PyUnicode_DecodeLocale(s.as_ptr(), core::ptr::null()).cast())
                };
                Ok(LocaleInfo { decimal_point: decode(&point)?, thousands_sep: decode(&sep)?, grouping })
            },
        }
    }

    /// The digits with separators, padded by zeros on the left to `min_width` characters.
    fn group(&self, digits: &[u8], min_width: isize) -> PyResult<Vec<u32>> {
        let sep: Vec<u32> = text(self.thousands_sep.borrow()).chars().collect();
        // The width is the user's: it may ask for more than there is.
        let mut out: Vec<u32> = Vec::new();
        let room = (digits.len().max(min_width.max(0) as usize)).saturating_add(digits.len() / 2 * (1 + sep.len()) + 8);
        if out.try_reserve(room).is_err() {
            return Err(layout::no_memory());
        }
        let (mut left, mut min_width) = (digits.len(), min_width.max(0));
        let mut sizes = self.grouping.iter();
        let mut size = 0usize;
        let mut first = true;
        loop {
            match sizes.next() {
                // 127 (or a value that reads as negative) ends grouping: all that is left is one group.
                Some(&g) if g >= 127 => size = usize::MAX,
                Some(&g) => size = g as usize,
                None => {}
            }
            let size_now = if size == 0 { usize::MAX } else { size };
            let len = size_now.min(left.max(min_width as usize).max(1));
            if !first {
                out.extend(sep.iter().rev());
            }
            first = false;
            let take = left.min(len);
            out.extend(digits[left - take..left].iter().rev().map(|&c| c as u32));
            out.resize(out.len() + len - take, b'0' as u32);
            left -= take;
            min_width -= len as isize;
            if left == 0 && min_width <= 0 {
                break;
            }
            min_width = (min_width - sep.len() as isize).max(0);
        }
        out.reverse();
        Ok(out)
    }
}

/// A number's text, taken apart.
struct Number<'a> {
    negative: bool,
    /// `0x` and the like.
    prefix: &'a [u8],
    /// Digits before the decimal point or exponent.
    digits: &'a [u8],
    /// Whether a decimal point follows them.
    decimal: bool,
    /// What follows: fraction, exponent, percent sign, or a single character.
    rest: Text<'a>,
}

/// Takes the text of a float apart.
fn float_parts(s: &[u8]) -> Number<'_> {
    let (negative, s) = match s.strip_prefix(b"-") {
        Some(s) => (true, s),
        None => (false, s),
    };
    let n = s.iter().take_while(|c| c.is_ascii_digit()).count();
    let decimal = s.get(n) == Some(&b'.');
    Number { negative, prefix: &[], digits: &s[..n], decimal, rest: Text::U1(&s[n + decimal as usize..]) }
}

/// A number laid out, ready to be written.
struct Laid<'a> {
    left: usize,
    sign: Option<u8>,
    prefix: &'a [u8],
    inner: usize,
    grouped: Vec<u32>,
    point: Text<'a>,
    rest: Text<'a>,
    right: usize,
}

impl<'a> Laid<'a> {
    fn new(n: &Number<'a>, f: &Spec, locale: &'a LocaleInfo) -> PyResult<Self> {
        let sign = match f.sign {
            _ if n.negative => Some(b'-'),
            b'+' => Some(b'+'),
            b' ' => Some(b' '),
            _ => None,
        };
        let point = if n.decimal { text(locale.decimal_point.borrow()) } else { Text::U1(&[]) };
        let fixed = sign.is_some() as usize + n.prefix.len() + point.len() + n.rest.len();
        let min_width = if f.fill == b'0' as u32 && f.align == b'=' {
            f.width.map_or(-1, |w| w as isize) - fixed as isize
        } else {
            0
        };
        let grouped = if n.digits.is_empty() { Vec::new() } else { locale.group(n.digits, min_width)? };
        let mut laid = Laid { left: 0, sign, prefix: n.prefix, inner: 0, grouped, point, rest: n.rest, right: 0 };
        let used = laid.len();
        if f.align == b'=' {
            laid.inner = f.width.unwrap_or(0).saturating_sub(used);
        } else {
            (laid.left, laid.right) = padding(f, used);
        }
        Ok(laid)
    }

    fn len(&self) -> usize {
        self.left
            + self.sign.is_some() as usize
            + self.prefix.len()
            + self.inner
            + self.grouped.len()
            + self.point.len()
            + self.rest.len()
            + self.right
    }

    fn write(&self, w: &mut Writer, fill: u32) -> PyResult<()> {
        w.write_fill(fill, self.left)?;
        if let Some(s) = self.sign {
            w.write_char(s as u32)?;
        }
        w.write_text(Text::U1(self.prefix))?;
        w.write_fill(fill, self.inner)?;
        w.write_text(Text::U4(&self.grouped))?;
        w.write_text(self.point)?;
        w.write_text(self.rest)?;
        w.write_fill(fill, self.right)
    }
}

fn write_number(w: &mut Writer, n: &Number<'_>, f: &Spec, locale: &LocaleInfo) -> PyResult<()> {
    let laid = Laid::new(n, f, locale)?;
    w.prepare(laid.len(), 127)?;
    laid.write(w, f.fill)
}

fn thousands(f: &Spec) -> Thousands {
    if f.conv == b'n' as u32 { Thousands::Locale } else { f.thousands }
}

fn format_long(w: &mut Writer, value: *mut PyObject, f: &Spec) -> PyResult<()> {
    if f.precision.is_some() {
        bail!(PyExc_ValueError, "Precision not allowed in integer format specifier");
    }
    if f.no_neg_0 {
        bail!(PyExc_ValueError, "Negative zero coercion (z) not allowed in integer format specifier");
    }
    // SAFETY: [TYPE] value is an int.
    unsafe {
        if f.conv == b'c' as u32 {
            if f.sign != 0 {
                bail!(PyExc_ValueError, "Sign not allowed with integer format specifier 'c'");
            }
            if f.alternate {
                bail!(PyExc_ValueError, "Alternate form (#) not allowed with integer format specifier 'c'");
            }
            let x = PyLong_AsLong(value);
            if x == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            if !(0..=MAX_UNICODE as i64).contains(&x) {
                bail!(PyExc_OverflowError, "%c arg not in range(0x110000)");
            }
            let c = [x as u32];
            let n = Number { negative: false, prefix: &[], digits: &[], decimal: false, rest: Text::U4(&c) };
            return write_number(w, &n, f, &LocaleInfo::get(f.thousands)?);
        }
        let (base, marked) = match f.conv as u8 {
            b'b' => (2, true),
            b'o' => (8, true),
            b'x' | b'X' => (16, true),
            _ => (10, false),
        };
        let upper = f.conv == b'X' as u32;
        if !matches!(f.sign, b'+' | b' ')
            && f.width.is_none()
            && !upper
            && f.conv != b'n' as u32
            && f.thousands == Thousands::No
            && PyLong_CheckExact(value) != 0
        {
            return check_status(_PyLong_FormatWriter(&mut w.0, value, base, f.alternate as c_int));
        }
        let s = Owned::from_owned_or_err(_PyLong_Format(value, base))?;
        let mut digits = text_of(s.as_ptr()).bytes().to_vec();
        if upper {
            digits.make_ascii_uppercase();
        }
        let negative = digits.first() == Some(&b'-');
        let body = &digits[negative as usize..];
        let (mark, body) = body.split_at(if marked { 2.min(body.len()) } else { 0 });
        let n = Number { negative, prefix: if f.alternate { mark } else { &[] }, digits: body, decimal: false, rest: Text::U1(&[]) };
        write_number(w, &n, f, &LocaleInfo::get(thousands(f))?)
    }
}

/// The precision as the C library takes it; -1 if there is none.
fn precision_of(f: &Spec) -> PyResult<c_int> {
    match f.precision {
        None => Ok(-1),
        Some(p) => match c_int::try_from(p) {
            Ok(p) => Ok(p),
            Err(_) => bail!(PyExc_ValueError, "precision too big"),
        },
    }
}

fn format_float(w: &mut Writer, value: *mut PyObject, f: &Spec) -> PyResult<()> {
    let given = precision_of(f)?;
    let mut flags = 0;
    if f.alternate {
        flags |= Py_DTSF_ALT;
    }
    if f.no_neg_0 {
        flags |= DTSF_NO_NEG_0;
    }
    let (mut conv, mut default) = (f.conv as u8, 6);
    if conv == 0 {
        flags |= Py_DTSF_ADD_DOT_0;
        (conv, default) = (b'r', 0);
    }
    if conv == b'n' {
        conv = b'g';
    }
    // SAFETY: [GIL]
    let mut x = unsafe { PyFloat_AsDouble(value) };
    if x == -1.0 && err_occurred() {
        // SAFETY: [EXC]
        return Err(unsafe { Raised::assume() });
    }
    let percent = conv == b'%';
    if percent {
        conv = b'f';
        x *= 100.0;
    }
    let precision = if given < 0 {
        default
    } else {
        if conv == b'r' {
            conv = b'g';
        }
        given
    };
    let mut s = double_text(x, conv, precision, flags)?;
    if percent {
        s.push(b'%');
    }
    if !matches!(f.sign, b'+' | b' ') && f.width.is_none() && f.conv != b'n' as u32 && f.thousands == Thousands::No {
        return w.write_ascii(&s);
    }
    write_number(w, &float_parts(&s), f, &LocaleInfo::get(thousands(f))?)
}

/// `PyOS_double_to_string` flag: no minus for a result of zero.
const DTSF_NO_NEG_0: c_int = 8;

fn format_complex(w: &mut Writer, value: *mut PyObject, f: &Spec) -> PyResult<()> {
    let given = precision_of(f)?;
    if f.fill == b'0' as u32 {
        bail!(PyExc_ValueError, "Zero padding is not allowed in complex format specifier");
    }
    if f.align == b'=' {
        bail!(PyExc_ValueError, "'=' alignment flag is not allowed in complex format specifier");
    }
    // SAFETY: [GIL]
    let (re, im) = unsafe {
        let re = PyComplex_RealAsDouble(value);
        if re == -1.0 && err_occurred() {
            return Err(Raised::assume());
        }
        let im = PyComplex_ImagAsDouble(value);
        if im == -1.0 && err_occurred() {
            return Err(Raised::assume());
        }
        (re, im)
    };
    let mut flags = 0;
    if f.alternate {
        flags |= Py_DTSF_ALT;
    }
    if f.no_neg_0 {
        flags |= DTSF_NO_NEG_0;
    }
    let (mut conv, mut default) = (f.conv as u8, 6);
    let (mut skip_re, mut parens) = (false, false);
    if conv == 0 {
        (conv, default) = (b'r', 0);
        skip_re = re == 0.0 && !re.is_sign_negative();
        parens = !skip_re;
    }
    if conv == b'n' {
        conv = b'g';
    }
    let precision = if given < 0 {
        default
    } else {
        if conv == b'r' {
            conv = b'g';
        }
        given
    };
    let re = double_text(re, conv, precision, flags)?;
    let im = double_text(im, conv, precision, flags)?;
    let locale = LocaleInfo::get(thousands(f))?;
    // The parts are composed without padding, which goes around the whole.
    let mut bare = Spec { fill: 0, align: b'<', width: None, ..*f };
    let re = Laid::new(&float_parts(&re), &bare, &locale)?;
    if !skip_re {
        bare.sign = b'+';
    }
    let im = Laid::new(&float_parts(&im), &bare, &locale)?;
    let n = im.len() + 1 + if skip_re { 0 } else { re.len() } + 2 * parens as usize;
    let (left, right) = padding(f, n);
    w.prepare(n + left + right, 127)?;
    w.write_fill(f.fill, left)?;
    if parens {
        w.write_char(b'(' as u32)?;
    }
    if !skip_re {
        re.write(w, 0)?;
    }
    im.write(w, 0)?;
    w.write_char(b'j' as u32)?;
    if parens {
        w.write_char(b')' as u32)?;
    }
    w.write_fill(f.fill, right)
}

fn format_string(w: &mut Writer, s: StrRef<'_>, f: &Spec) -> PyResult<()> {
    if f.sign == b' ' {
        bail!(PyExc_ValueError, "Space not allowed in string format specifier");
    }
    if f.sign != 0 {
        bail!(PyExc_ValueError, "Sign not allowed in string format specifier");
    }
    if f.no_neg_0 {
        bail!(PyExc_ValueError, "Negative zero coercion (z) not allowed in string format specifier");
    }
    if f.alternate {
        bail!(PyExc_ValueError, "Alternate form (#) not allowed in string format specifier");
    }
    if f.align == b'=' {
        bail!(PyExc_ValueError, "'=' alignment not allowed in string format specifier");
    }
    let t = text(s);
    let n = f.precision.unwrap_or(usize::MAX).min(t.len());
    let (left, right) = padding(f, n);
    if n == t.len() && left == 0 && right == 0 {
        return w.write_str(s);
    }
    w.prepare(left + n + right, if left + right > 0 { f.fill } else { 127 })?;
    w.write_fill(f.fill, left)?;
    w.write_text(t.slice(0, n))?;
    w.write_fill(f.fill, right)
}

// --- C functions

fn write_str_of(w: &mut Writer, obj: *mut PyObject) -> PyResult<()> {
    // SAFETY: [GIL]
    let s: StrObj = unsafe { Owned::from_owned_or_err(PyObject_Str(obj).cast())? };
    w.write_str(s.borrow())
}

macro_rules! formatters {
    ($($(#[$m:meta])* $name:ident, |$w:ident, $obj:ident| $plain:expr, $conv:literal, $align:literal, |$f:ident, $c:ident| { $($pat:pat => $format:expr,)* };)*) => { $(
        $(#[$m])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(writer: *mut _PyUnicodeWriter, $obj: *mut PyObject, spec: *mut PyObject, start: Py_ssize_t, end: Py_ssize_t) -> c_int {
            // SAFETY: [ARGS] the writer is the caller's; spec is looked at only if the range is not empty.
            unsafe {
                let $w = Writer::of(writer);
                let mut run = || -> PyResult<()> {
                    if start == end {
                        return $plain;
                    }
                    let $f = &parse($obj, text_of(spec).slice(start as usize, end as usize), $conv, $align)?;
                    let $c = ascii_of(Some($f.conv));
                    if $f.conv > 127 {
                        return Err(unknown_type($f.conv, $obj));
                    }
                    match $c {
                        $($pat => $format,)*
                        _ => Err(unknown_type($f.conv, $obj)),
                    }
                };
                run().into_c()
            }
        }
    )* };
}
formatters! {
    /// Writes a str formatted by `spec[start:end]`.
    _PyUnicode_FormatAdvancedWriter, |w, obj| {
        if PyUnicode_CheckExact(obj) != 0 { w.write_str(Borrowed::from_ptr(obj.cast())) } else { write_str_of(w, obj) }
    }, b's', b'<', |f, c| { b's' => format_string(w, Borrowed::from_ptr(obj.cast()), f), };
    /// Writes an int formatted by `spec[start:end]`.
    _PyLong_FormatAdvancedWriter, |w, obj| {
        if PyLong_CheckExact(obj) != 0 { check_status(_PyLong_FormatWriter(&mut w.0, obj, 10, 0)) } else { write_str_of(w, obj) }
    }, b'd', b'>', |f, c| {
        b'b' | b'c' | b'd' | b'o' | b'x' | b'X' | b'n' => format_long(w, obj, f),
        b'e' | b'E' | b'f' | b'F' | b'g' | b'G' | b'%' => {
            let x = Owned::from_owned_or_err(PyNumber_Float(obj))?;
            format_float(w, x.as_ptr(), f)
        },
    };
    /// Writes a float formatted by `spec[start:end]`.
    _PyFloat_FormatAdvancedWriter, |w, obj| write_str_of(w, obj), 0, b'>', |f, c| {
        0 | b'e' | b'E' | b'f' | b'F' | b'g' | b'G' | b'n' | b'%' => format_float(w, obj, f),
    };
    /// Writes a complex formatted by `spec[start:end]`.
    _PyComplex_FormatAdvancedWriter, |w, obj| write_str_of(w, obj), 0, b'>', |f, c| {
        0 | b'e' | b'E' | b'f' | b'F' | b'g' | b'G' | b'n' => format_complex(w, obj, f),
    };
}
