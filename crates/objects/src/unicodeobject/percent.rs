//! `%` formatting. The reading of directives and arguments and the layout of numbers serve `bytes` as well.

use super::layout::*;
use super::writer::Writer;
use core::ffi::{CStr, c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;

unsafe extern "C" {
    fn PyLong_AsInt(op: *mut PyObject) -> c_int;
}

/// Flag `-`: pad on the right.
pub const F_LJUST: u8 = 1;
/// Flag `+`: always write a sign.
pub const F_SIGN: u8 = 2;
/// Flag space: a space for a positive sign.
pub const F_BLANK: u8 = 4;
/// Flag `#`: alternate form.
pub const F_ALT: u8 = 8;
/// Flag `0`: pad with zeros after the sign.
pub const F_ZERO: u8 = 16;

/// A directive between `%` and its conversion character, both included.
pub struct Directive {
    /// `F_*` flags.
    pub flags: u8,
    /// Least width.
    pub width: Option<usize>,
    /// Precision.
    pub prec: Option<usize>,
    /// Conversion character.
    pub conv: u32,
}

impl Directive {
    /// Whether the value's own text is all that is written.
    pub fn plain(&self) -> bool {
        self.width.is_none() && self.prec.is_none() && self.flags & (F_SIGN | F_BLANK) == 0
    }
}

/// A format string being read, with the arguments that are left.
pub struct Percent<'a> {
    /// The format.
    pub fmt: Text<'a>,
    /// The next position in it.
    pub pos: usize,
    args: Owned,
    /// Size of the argument tuple; -1 for a single argument.
    len: isize,
    /// Next item; -2 for a single argument that has not been used.
    idx: isize,
    dict: Option<Borrowed<'a>>,
    bytes: bool,
}

impl<'a> Percent<'a> {
    /// For `fmt % args`; `mapping` says whether `args` answers keys.
    pub fn new(fmt: Text<'a>, args: Borrowed<'a>, mapping: bool, bytes: bool) -> Self {
        // SAFETY: [ARGS]
        let tuple = unsafe { PyTuple_Check(args.ob()) != 0 };
        // SAFETY: [TYPE] a tuple.
        let (len, idx) = if tuple { (unsafe { PyTuple_GET_SIZE(args.ob()) }, 0) } else { (-1, -2) };
        Percent { fmt, pos: 0, args: args.to_owned(), len, idx, dict: mapping.then_some(args), bytes }
    }

    fn next(&mut self) -> Option<u32> {
        let c = self.fmt.at(self.pos)?;
        self.pos += 1;
        Some(c)
    }

    /// The next argument.
    pub fn next_arg(&mut self) -> PyResult<Owned> {
        if self.idx >= self.len {
            bail!(PyExc_TypeError, "not enough arguments for format string");
        }
        let i = self.idx;
        self.idx += 1;
        if self.len < 0 {
            return Ok(self.args.clone());
        }
        // SAFETY: [TYPE] a tuple; it may have been resized only by C code that breaks its contract.
        unsafe {
            let item = PyTuple_GetItem(self.args.as_ptr(), i);
            if item.is_null() { Err(Raised::assume()) } else { Ok(Owned::from_borrowed(item)) }
        }
    }

    /// Whether arguments are left.
    pub fn unused(&self) -> bool {
        self.idx < self.len
    }

    /// TypeError if arguments are left after the last directive.
    pub fn finish(&self) -> PyResult<()> {
        if self.unused() && self.dict.is_none() { Err(self.left_over()) } else { Ok(()) }
    }

    /// TypeError if a directive with a key left arguments.
    pub fn check_mapping(&self) -> PyResult<()> {
        if self.unused() && self.dict.is_some() { Err(self.left_over()) } else { Ok(()) }
    }

    #[cold]
    fn left_over(&self) -> Raised {
        if self.bytes {
            raise!(PyExc_TypeError, "not all arguments converted during bytes formatting")
        } else {
            raise!(PyExc_TypeError, "not all arguments converted during string formatting")
        }
    }

    fn key(&mut self) -> PyResult<()> {
        let Some(dict) = self.dict else { bail!(PyExc_TypeError, "format requires a mapping") };
        let start = self.pos;
        let mut depth = 1;
        while depth > 0 {
            match self.next() {
                Some(0x28) => depth += 1,
                Some(0x29) => depth -= 1,
                Some(_) => {}
                None => bail!(PyExc_ValueError, "incomplete format key"),
            }
        }
        let name = self.fmt.slice(start, self.pos - 1);
        let key = if self.bytes { crate::unicode_codecs::bytes_from(name.bytes())? } else { from_text(name)?.into_object() };
        // SAFETY: [GIL]
        self.args = unsafe { Owned::from_owned_or_err(PyObject_GetItem(dict.ob(), key.as_ptr()))? };
        (self.len, self.idx) = (-1, -2);
        Ok(())
    }

    fn int_arg(&mut self) -> PyResult<Owned> {
        let v = self.next_arg()?;
        // SAFETY: [ARGS]
        if unsafe { PyLong_Check(v.as_ptr()) } == 0 {
            bail!(PyExc_TypeError, "* wants int");
        }
        Ok(v)
    }

    fn digits(&mut self, first: u32, max: usize, too_big: &str) -> PyResult<(usize, Option<u32>)> {
        let mut n = (first - 0x30) as usize;
        loop {
            match self.next() {
                Some(c @ 0x30..=0x39) => {
                    let d = (c - 0x30) as usize;
                    if n > (max - d) / 10 {
                        bail!(PyExc_ValueError, "{}", too_big);
                    }
                    n = n * 10 + d;
                }
                other => return Ok((n, other)),
            }
        }
    }

    /// Reads a directive after its `%`.
    pub fn directive(&mut self) -> PyResult<Directive> {
        let mut d = Directive { flags: 0, width: None, prec: None, conv: 0 };
        if self.fmt.at(self.pos) == Some(0x28) {
            self.pos += 1;
            self.key()?;
        }
        let mut c = self.next();
        loop {
            d.flags |= match c {
                Some(0x2d) => F_LJUST,
                Some(0x2b) => F_SIGN,
                Some(0x20) => F_BLANK,
                Some(0x23) => F_ALT,
                Some(0x30) => F_ZERO,
                _ => break,
            };
            c = self.next();
        }
        match c {
            Some(0x2a) => {
                let v = self.int_arg()?;
                // SAFETY: [TYPE]
                let w = unsafe { PyLong_AsSsize_t(v.as_ptr()) };
                if w == -1 && err_occurred() {
                    // SAFETY: [EXC]
                    return Err(unsafe { Raised::assume() });
                }
                if w < 0 {
                    d.flags |= F_LJUST;
                }
                d.width = Some(w.unsigned_abs());
                c = self.next();
            }
            Some(x @ 0x30..=0x39) => {
                let (w, next) = self.digits(x, isize::MAX as usize, "width too big")?;
                d.width = Some(w);
                c = next;
            }
            _ => {}
        }
        if c == Some(0x2e) {
            d.prec = Some(0);
            c = self.next();
            match c {
                Some(0x2a) => {
                    let v = self.int_arg()?;
                    // SAFETY: [TYPE]
                    let p = unsafe { PyLong_AsInt(v.as_ptr()) };
                    if p == -1 && err_occurred() {
                        // SAFETY: [EXC]
                        return Err(unsafe { Raised::assume() });
                    }
                    d.prec = Some(p.max(0) as usize);
                    c = self.next();
                }
                Some(x @ 0x30..=0x39) => {
                    let too_big = if self.bytes { "prec too big" } else { "precision too big" };
                    let (p, next) = self.digits(x, c_int::MAX as usize, too_big)?;
                    d.prec = Some(p);
                    c = next;
                }
                _ => {}
            }
        }
        if matches!(c, Some(0x68 | 0x6c | 0x4c)) {
            c = self.next();
        }
        match c {
            Some(c) => d.conv = c,
            None => bail!(PyExc_ValueError, "incomplete format"),
        }
        Ok(d)
    }

    /// ValueError for a conversion that does not exist.
    #[cold]
    pub fn unsupported(&self, conv: u32) -> Raised {
        let shown = if (31..=126).contains(&conv) { conv as u8 as char } else { '?' };
        raise!(PyExc_ValueError, "unsupported format character '{}' (0x{:x}) at index {}", shown, conv, self.pos - 1)
    }
}

/// A value's text taken apart for padding.
pub struct Parts<'t> {
    /// Sign, if one is written.
    pub sign: Option<u8>,
    /// `0x` and the like.
    pub prefix: &'t [u8],
    /// The rest.
    pub body: Text<'t>,
    /// Spaces before everything.
    pub left: usize,
    /// Zeros between prefix and body.
    pub zeros: usize,
    /// Spaces after everything.
    pub right: usize,
}

/// Lays out the text of a value as directive `d` wants it; `numeric` values have signs, prefixes and zero padding.
pub fn lay_out<'t>(d: &Directive, t: Text<'t>, numeric: bool) -> Parts<'t> {
    let mut p = Parts { sign: None, prefix: &[], body: t, left: 0, zeros: 0, right: 0 };
    if numeric {
        match t.at(0) {
            Some(c @ (0x2d | 0x2b)) => {
                p.sign = Some(c as u8);
                p.body = t.slice(1, t.len());
            }
            _ if d.flags & F_SIGN != 0 => p.sign = Some(b'+'),
            _ if d.flags & F_BLANK != 0 => p.sign = Some(b' '),
            _ => {}
        }
        if d.flags & F_ALT != 0
            && matches!(d.conv, 0x78 | 0x58 | 0x6f)
            && let Text::U1(s) = p.body
            && s.len() >= 2
        {
            p.prefix = &s[..2];
            p.body = Text::U1(&s[2..]);
        }
    }
    let used = p.sign.is_some() as usize + p.prefix.len() + p.body.len();
    let fill = d.width.unwrap_or(0).saturating_sub(used);
    if d.flags & F_LJUST != 0 {
        p.right = fill;
    } else if numeric && d.flags & F_ZERO != 0 {
        p.zeros = fill;
    } else {
        p.left = fill;
    }
    p
}

/// A float as a conversion character and a precision (6 if absent) write it.
pub fn format_float(v: Borrowed<'_>, d: &Directive) -> PyResult<Vec<u8>> {
    // SAFETY: [GIL]
    unsafe {
        let x = PyFloat_AsDouble(v.ob());
        if x == -1.0 && err_occurred() {
            return Err(Raised::assume());
        }
        let flags = if d.flags & F_ALT != 0 { Py_DTSF_ALT } else { 0 };
        double_text(x, d.conv as u8, d.prec.unwrap_or(6) as c_int, flags)
    }
}

/// `PyOS_double_to_string` as bytes.
pub fn double_text(x: f64, conv: u8, prec: c_int, flags: c_int) -> PyResult<Vec<u8>> {
    // SAFETY: [GIL] the result is a block of PyMem_Malloc.
    unsafe {
        let p = PyOS_double_to_string(x, conv as c_char, prec, flags, null_mut());
        if p.is_null() {
            return Err(Raised::assume());
        }
        let out = CStr::from_ptr(p).to_bytes().to_vec();
        PyMem_Free(p.cast());
        Ok(out)
    }
}

/// An int in the base of a conversion character, with at least `prec` digits; the prefix stays only in alternate form.
pub fn format_long(v: *mut PyObject, alt: bool, prec: Option<usize>, conv: u8) -> PyResult<Vec<u8>> {
    if prec.is_some_and(|p| p > c_int::MAX as usize - 3) {
        bail!(PyExc_OverflowError, "precision too large");
    }
    // SAFETY: [TYPE] v is an int.
    unsafe {
        let base = match conv {
            b'o' => 8,
            b'x' | b'X' => 16,
            _ => 10,
        };
        let s = Owned::from_owned_or_err(PyNumber_ToBase(v, base))?;
        let t = text_of(s.as_ptr()).bytes();
        let (sign, rest) = if t.first() == Some(&b'-') { t.split_at(1) } else { t.split_at(0) };
        let (prefix, digits) = if base == 10 { rest.split_at(0) } else { rest.split_at(2.min(rest.len())) };
        let mut out = Vec::new();
        if out.try_reserve(t.len() + 2 + prec.unwrap_or(0)).is_err() {
            return Err(no_memory());
        }
        out.extend_from_slice(sign);
        if alt {
            out.extend_from_slice(prefix);
        }
        out.resize(out.len() + prec.unwrap_or(0).saturating_sub(digits.len()), b'0');
        out.extend_from_slice(digits);
        if conv == b'X' {
            out.make_ascii_uppercase();
        }
        Ok(out)
    }
}

/// The int that an integer conversion formats: `v` itself, its `__index__` for o, x and X, otherwise its `__int__`.
pub fn integer_of(v: Borrowed<'_>, conv: u8) -> PyResult<Owned> {
    let hex = matches!(conv, b'o' | b'x' | b'X');
    // SAFETY: [GIL]
    unsafe {
        if PyLong_Check(v.ob()) != 0 {
            return Ok(v.to_owned());
        }
        if PyNumber_Check(v.ob()) != 0 {
            match Owned::from_owned_or_err(if hex { PyNumber_Index(v.ob()) } else { PyNumber_Long(v.ob()) }) {
                Ok(i) => return Ok(i),
                Err(e) if e.matches(PyExc_TypeError) => e.clear(),
                Err(e) => return Err(e),
            }
        }
        bail!(
            PyExc_TypeError,
            "%{} format: {} is required, not {}",
            conv as char,
            if hex { "an integer" } else { "a real number" },
            type_name(v.ob())
        )
    }
}

fn format_char(v: Borrowed<'_>) -> PyResult<u32> {
    // SAFETY: [GIL]
    unsafe {
        let wrong = || Err(raise!(PyExc_TypeError, "%c requires int or char"));
        if PyUnicode_Check(v.ob()) != 0 {
            return match text_of(v.ob()).at(0) {
                Some(c) if length(v.ob()) == 1 => Ok(c),
                _ => wrong(),
            };
        }
        let mut overflow = 0;
        let x = PyLong_AsLongAndOverflow(v.ob(), &mut overflow);
        if x == -1 && err_occurred() {
            let e = Raised::assume();
            if e.matches(PyExc_TypeError) {
                e.clear();
                return wrong();
            }
            return Err(e);
        }
        if !(0..=MAX_UNICODE as i64).contains(&x) {
            bail!(PyExc_OverflowError, "%c arg not in range(0x110000)");
        }
        Ok(x as u32)
    }
}

fn write_parts(w: &mut Writer, p: &Parts<'_>) -> PyResult<()> {
    w.write_fill(32, p.left)?;
    if let Some(s) = p.sign {
        w.write_char(s as u32)?;
    }
    if !p.prefix.is_empty() {
        w.write_text(Text::U1(p.prefix))?;
    }
    w.write_fill(0x30, p.zeros)?;
    w.write_text(p.body)?;
    w.write_fill(32, p.right)
}

fn write_directive(w: &mut Writer, p: &mut Percent<'_>, d: &Directive) -> PyResult<()> {
    if p.pos == p.fmt.len() {
        w.0.overallocate = 0;
    }
    let arg = p.next_arg()?;
    let v = arg.borrow();
    match d.conv as u8 {
        _ if d.conv > 127 => Err(p.unsupported(d.conv)),
        // SAFETY: [GIL]
        conv @ (b's' | b'r' | b'a') => unsafe {
            if d.width.is_none() && d.prec.is_none() && PyLong_CheckExact(v.ob()) != 0 {
                return check_status(_PyLong_FormatWriter(&mut w.0, v.ob(), 10, 0));
            }
            let s: StrObj = match conv {
                b's' if PyUnicode_CheckExact(v.ob()) != 0 => v.to_owned().cast(),
                b's' => Owned::from_owned_or_err(PyObject_Str(v.ob()).cast())?,
                b'r' => Owned::from_owned_or_err(PyObject_Repr(v.ob()).cast())?,
                _ => Owned::from_owned_or_err(PyObject_ASCII(v.ob()).cast())?,
            };
            let mut t = text(s.borrow());
            if let Some(n) = d.prec
                && n < t.len()
            {
                t = t.slice(0, n);
            } else if d.width.is_none_or(|n| n <= t.len()) {
                return w.write_str(s.borrow());
            }
            write_parts(w, &lay_out(d, t, false))
        },
        conv @ (b'd' | b'i' | b'u' | b'o' | b'x' | b'X') => {
            let i = integer_of(v, conv)?;
            // SAFETY: [TYPE] an exact int.
            if d.plain() && conv != b'X' && unsafe { PyLong_CheckExact(v.ob()) } != 0 {
                let base = match conv {
                    b'o' => 8,
                    b'x' => 16,
                    _ => 10,
                };
                // SAFETY: [TYPE]
                return check_status(unsafe { _PyLong_FormatWriter(&mut w.0, v.ob(), base, (d.flags & F_ALT) as c_int) });
            }
            let digits = format_long(i.as_ptr(), d.flags & F_ALT != 0, d.prec, conv)?;
            write_parts(w, &lay_out(d, Text::U1(&digits), true))
        }
        b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => {
            let digits = format_float(v, d)?;
            write_parts(w, &lay_out(d, Text::U1(&digits), true))
        }
        b'c' => {
            let c = [format_char(v)?];
            write_parts(w, &lay_out(d, Text::U4(&c), false))
        }
        _ => Err(p.unsupported(d.conv)),
    }
}

fn percent_format(fmt: StrRef<'_>, args: Borrowed<'_>) -> PyResult<StrObj> {
    // SAFETY: [ARGS]
    let mapping = unsafe { PyMapping_Check(args.ob()) != 0 && PyTuple_Check(args.ob()) == 0 && PyUnicode_Check(args.ob()) == 0 };
    let t = text(fmt);
    let mut p = Percent::new(t, args, mapping, false);
    // SAFETY: [TYPE]
    if t.find_char(b'%' as u32).is_none() && unsafe { PyUnicode_CheckExact(fmt.ob()) } != 0 {
        p.finish()?;
        return Ok(fmt.to_owned());
    }
    let mut w = Writer::growing(t.len() + 100);
    while p.pos < t.len() {
        let rest = t.slice(p.pos, t.len());
        match rest.find_char(b'%' as u32) {
            Some(0) => {}
            found => {
                let n = found.unwrap_or(rest.len());
                if found.is_none() {
                    w.0.overallocate = 0;
                }
                w.write_text(rest.slice(0, n))?;
                p.pos += n;
                continue;
            }
        }
        p.pos += 1;
        if t.at(p.pos) == Some(b'%' as u32) {
            p.pos += 1;
            w.write_char(b'%' as u32)?;
            continue;
        }
        let d = p.directive()?;
        write_directive(&mut w, &mut p, &d)?;
        p.check_mapping()?;
    }
    p.finish()?;
    w.finish()
}

/// `format % args`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_Format(format: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if format.is_null() || args.is_null() {
            PyErr_BadInternalCall();
            return null_mut();
        }
        ensure_unicode(Borrowed::from_ptr(format)).and_then(|f| percent_format(f, Borrowed::from_ptr(args))).into_c()
    }
}

/// An int as `%` formats it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_FormatLong(val: *mut PyObject, alt: c_int, prec: c_int, conv: c_int) -> *mut PyObject {
    let prec = usize::try_from(prec).ok();
    format_long(val, alt != 0, prec, conv as u8).and_then(|s| from_ascii(&s)).into_c()
}
