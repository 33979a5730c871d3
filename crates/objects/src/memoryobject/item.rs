//! Single items of a view: unpacking, packing and comparing by format, natively or through the `struct` module.

use super::*;

unsafe extern "C" {
    fn PyFloat_Pack2(x: f64, p: *mut c_char, le: c_int) -> c_int;
    fn PyFloat_Unpack2(p: *const c_char, le: c_int) -> f64;
}

/// The character of a native single-item format (which may begin with '@'), and the size of its items.
pub(super) unsafe fn get_native_fmtchar(fmt: *const c_char) -> Option<(u8, Py_ssize_t)> {
    // SAFETY: [ARGS] NUL-terminated.
    unsafe {
        let mut p = fmt.cast::<u8>();
        if *p == b'@' {
            p = p.add(1);
        }
        let size = match *p {
            b'c' | b'b' | b'B' | b'?' => 1,
            b'h' | b'H' | b'e' => 2,
            b'i' | b'I' | b'f' => 4,
            b'l' | b'L' | b'q' | b'Q' | b'n' | b'N' | b'd' | b'P' => 8,
            _ => return None,
        };
        (*p.add(1) == 0).then_some((*p, size))
    }
}

/// A static copy of a native format string.
pub(super) fn get_native_fmtstr(c: u8, at: bool) -> *const c_char {
    macro_rules! table {
        ($($c:literal $plain:literal $prefixed:literal),*) => {
            match c { $($c => if at { $prefixed.as_ptr() } else { $plain.as_ptr() },)* _ => core::ptr::null() }
        };
    }
    table!(
        b'c' c"c" c"@c", b'b' c"b" c"@b", b'B' c"B" c"@B", b'h' c"h" c"@h", b'H' c"H" c"@H", b'i' c"i" c"@i",
        b'I' c"I" c"@I", b'l' c"l" c"@l", b'L' c"L" c"@L", b'q' c"q" c"@q", b'Q' c"Q" c"@Q", b'n' c"n" c"@n",
        b'N' c"N" c"@N", b'f' c"f" c"@f", b'd' c"d" c"@d", b'e' c"e" c"@e", b'?' c"?" c"@?", b'P' c"P" c"@P"
    )
}

pub(super) fn is_byte_format(c: u8) -> bool {
    matches!(c, b'b' | b'B' | b'c')
}

/// The format character of a view whose items can be read: one character, perhaps after '@'.
pub(super) unsafe fn adjust_fmt(view: &Py_buffer) -> PyResult<u8> {
    // SAFETY: [LAYOUT] a view's format is never NULL.
    unsafe {
        let mut p = view.format.cast::<u8>().cast_const();
        if *p == b'@' {
            p = p.add(1);
        }
        if *p != 0 && *p.add(1) == 0 {
            return Ok(*p);
        }
        PyErr_Format(PyExc_NotImplementedError, c"memoryview: unsupported format %s".as_ptr(), view.format);
        Err(Raised::assume())
    }
}

#[cold]
fn unsupported(fmt: u8) -> Raised {
    raise!(PyExc_NotImplementedError, "memoryview: format {} not supported", fmt as char)
}

/// The item at `p` as an object.
#[inline]
pub(super) unsafe fn unpack_single(mv: Mv, p: *const u8, fmt: u8) -> PyResult<Owned> {
    macro_rules! get {
        ($t:ty) => {
            p.cast::<$t>().read_unaligned()
        };
    }
    // SAFETY: [ARGS] an item of that format lies at p.
    unsafe {
        check_released(mv)?;
        Owned::from_owned_or_err(match fmt {
            b'B' => PyLong_FromLong(get!(u8) as c_long),
            b'b' => PyLong_FromLong(get!(i8) as c_long),
            b'h' => PyLong_FromLong(get!(i16) as c_long),
            b'i' => PyLong_FromLong(get!(i32) as c_long),
            b'l' => PyLong_FromLong(get!(i64)),
            b'?' => PyBool_FromLong(get!(u8) as c_long),
            b'H' => PyLong_FromUnsignedLong(get!(u16) as u64),
            b'I' => PyLong_FromUnsignedLong(get!(u32) as u64),
            b'L' => PyLong_FromUnsignedLong(get!(u64)),
            b'q' => PyLong_FromLongLong(get!(i64)),
            b'Q' => PyLong_FromUnsignedLongLong(get!(u64)),
            b'n' => PyLong_FromSsize_t(get!(isize)),
            b'N' => PyLong_FromSize_t(get!(usize)),
            b'f' => PyFloat_FromDouble(get!(f32) as f64),
            b'd' => PyFloat_FromDouble(get!(f64)),
            b'e' => PyFloat_FromDouble(PyFloat_Unpack2(p.cast(), 1)),
            b'c' => PyBytes_FromStringAndSize(p.cast(), 1),
            b'P' => PyLong_FromVoidPtr(get!(*mut c_void)),
            _ => return Err(unsupported(fmt)),
        })
    }
}

#[cold]
fn invalid_type(fmt: u8) -> Raised {
    raise!(PyExc_TypeError, "memoryview: invalid type for format '{}'", fmt as char)
}
#[cold]
fn invalid_value(fmt: u8) -> Raised {
    raise!(PyExc_ValueError, "memoryview: invalid value for format '{}'", fmt as char)
}
/// Conversion errors name the format.
#[cold]
fn fix_error(raised: Raised, fmt: u8) -> Raised {
    // SAFETY: [STATIC] exception classes.
    unsafe {
        if raised.matches(PyExc_TypeError) {
            raised.clear();
            return invalid_type(fmt);
        }
        if raised.matches(PyExc_OverflowError) || raised.matches(PyExc_ValueError) {
            raised.clear();
            return invalid_value(fmt);
        }
        raised
    }
}

/// Stores `item` at `p`. Conversions run Python code, so whether the memory is still there is checked after them.
pub(super) unsafe fn pack_single(mv: Mv, p: *mut u8, item: *mut PyObject, fmt: u8) -> PyResult<()> {
    macro_rules! integer {
        ($convert:ident, $wide:ty, $t:ty) => {{
            let index = crate::abstract_::number::index(item).map_err(|e| fix_error(e, fmt))?;
            let wide: $wide = $convert(index.as_ptr());
            if wide == (-1i64) as $wide && err_occurred() {
                return Err(fix_error(Raised::assume(), fmt));
            }
            check_released(mv)?;
            let narrow = wide as $t;
            if narrow as $wide != wide {
                return Err(invalid_value(fmt));
            }
            p.cast::<$t>().write_unaligned(narrow);
        }};
    }
    // SAFETY: [ARGS] room for an item of that format is at p.
    unsafe {
        match fmt {
            b'b' => integer!(PyLong_AsLong, i64, i8),
            b'h' => integer!(PyLong_AsLong, i64, i16),
            b'i' => integer!(PyLong_AsLong, i64, i32),
            b'l' => integer!(PyLong_AsLong, i64, i64),
            b'B' => integer!(PyLong_AsUnsignedLong, u64, u8),
            b'H' => integer!(PyLong_AsUnsignedLong, u64, u16),
            b'I' => integer!(PyLong_AsUnsignedLong, u64, u32),
            b'L' => integer!(PyLong_AsUnsignedLong, u64, u64),
            b'q' => integer!(PyLong_AsLongLong, i64, i64),
            b'Q' => integer!(PyLong_AsUnsignedLongLong, u64, u64),
            b'n' => integer!(PyLong_AsSsize_t, isize, isize),
            b'N' => integer!(PyLong_AsSize_t, usize, usize),
            b'f' | b'd' | b'e' => {
                let d = PyFloat_AsDouble(item);
                if d == -1.0 && err_occurred() {
                    return Err(fix_error(Raised::assume(), fmt));
                }
                check_released(mv)?;
                match fmt {
                    b'f' => p.cast::<f32>().write_unaligned(d as f32),
                    b'd' => p.cast::<f64>().write_unaligned(d),
                    _ => check_status(PyFloat_Pack2(d, p.cast(), 1)).map_err(|e| fix_error(e, fmt))?,
                }
            }
            b'?' => {
                let truth = PyObject_IsTrue(item);
                check_status(truth)?;
                check_released(mv)?;
                *p = truth as u8;
            }
            b'c' => {
                if PyBytes_Check(item) == 0 {
                    return Err(invalid_type(fmt));
                }
                if PyBytes_Size(item) != 1 {
                    return Err(invalid_value(fmt));
                }
                *p = *PyBytes_AsString(item).cast::<u8>();
            }
            b'P' => {
                let v = PyLong_AsVoidPtr(item);
                if v.is_null() && err_occurred() {
                    return Err(fix_error(Raised::assume(), fmt));
                }
                check_released(mv)?;
                p.cast::<*mut c_void>().write_unaligned(v);
            }
            _ => return Err(unsupported(fmt)),
        }
        Ok(())
    }
}

/// Unpacks items of any format by `struct.Struct(fmt).unpack_from`.
pub(super) struct Unpacker {
    unpack_from: Owned,
    mview: Owned,
    item: Vec<u8>,
}
impl Unpacker {
    pub(super) unsafe fn new(fmt: *const c_char, itemsize: Py_ssize_t) -> PyResult<Self> {
        // SAFETY: [ARGS] the view over `item` dies with it.
        unsafe {
            let strukt =
                Owned::from_owned_or_err(_PyImport_GetModuleAttrString(c"struct".as_ptr(), c"Struct".as_ptr()))?;
            let format = Owned::from_owned_or_err(PyBytes_FromString(fmt))?;
            let object = Owned::from_owned_or_err(PyObject_CallOneArg(strukt.as_ptr(), format.as_ptr()))?;
            let unpack_from =
                Owned::from_owned_or_err(PyObject_GetAttr(object.as_ptr(), intern!("unpack_from")))?;
            let mut item = vec![0u8; itemsize.max(1) as usize];
            let mview = Owned::from_owned_or_err(PyMemoryView_FromMemory(
                item.as_mut_ptr().cast(),
                itemsize,
                PyBUF_WRITE,
            ))?;
            Ok(Unpacker { unpack_from, mview, item })
        }
    }
    unsafe fn unpack(&mut self, p: *const u8) -> PyResult<Owned> {
        // SAFETY: [ARGS] an item lies at p.
        unsafe {
            core::ptr::copy_nonoverlapping(p, self.item.as_mut_ptr(), self.item.len());
            let v = Owned::from_owned_or_err(PyObject_CallOneArg(self.unpack_from.as_ptr(), self.mview.as_ptr()))?;
            if PyTuple_GET_SIZE(v.as_ptr()) == 1 {
                return Ok(Owned::from_borrowed(PyTuple_GET_ITEM(v.as_ptr(), 0)));
            }
            Ok(v)
        }
    }
}

/// How the items of two views are compared.
pub(super) enum Compare {
    /// Both have this native format.
    Native(u8),
    /// Through `struct`.
    Struct(Box<(Unpacker, Unpacker)>),
}

/// Whether two items are equal.
#[inline]
pub(super) unsafe fn unpack_cmp(p: *const u8, q: *const u8, how: &mut Compare) -> PyResult<bool> {
    macro_rules! same {
        ($t:ty) => {
            p.cast::<$t>().read_unaligned() == q.cast::<$t>().read_unaligned()
        };
    }
    // SAFETY: [ARGS] items of the formats lie at p and q.
    unsafe {
        let fmt = match how {
            Compare::Native(fmt) => *fmt,
            Compare::Struct(unpackers) => {
                let v = unpackers.0.unpack(p)?;
                let w = unpackers.1.unpack(q)?;
                return match PyObject_RichCompareBool(v.as_ptr(), w.as_ptr(), Py_EQ) {
                    -1 => Err(Raised::assume()),
                    r => Ok(r != 0),
                };
            }
        };
        Ok(match fmt {
            b'B' | b'b' | b'c' => same!(u8),
            b'?' => (*p != 0) == (*q != 0),
            b'h' | b'H' => same!(u16),
            b'i' | b'I' => same!(u32),
            b'f' => same!(f32),
            b'd' => same!(f64),
            b'e' => PyFloat_Unpack2(p.cast(), 1) == PyFloat_Unpack2(q.cast(), 1),
            _ => same!(u64),
        })
    }
}
