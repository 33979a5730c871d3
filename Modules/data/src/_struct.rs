//! The `_struct` module: bytes laid out as C structs.
//!
//! A format is compiled once to a list of runs; packing and unpacking walk that list. The list is counted apart from the
//! Struct object, so that calling `__init__` again from an item's `__index__` does not pull it away.

use crate::support::{bytes, free, new, short_name, take, text, writable};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use std::rc::Rc;
use taipan_abi::*;
use taipan_clinic::from_arg::Where;
use taipan_clinic::{Args, BufferView, FromArg, getset, initializer, members, methods, module};
use taipan_objects::bytesobject::new_bytes;
use taipan_objects::floatobject::float_from_f64;
use taipan_objects::longobject::{long_from_i64, long_from_u64, to_i64, to_u64};
use taipan_objects::typeobject::TYPE_INIT;

/// `struct.error`.
static STRUCT_ERROR: PerInterpreter = PerInterpreter::new();
/// Format to Struct, for the functions of the module.
static CACHE: PerInterpreter = PerInterpreter::new();
const MAXCACHE: isize = 100;

macro_rules! struct_error {
    ($($t:tt)*) => {{
        #[allow(unused_unsafe, reason = "usable inside and outside unsafe blocks")]
        // SAFETY: [GIL] the class exists once the module does.
        unsafe { raise_str(STRUCT_ERROR.get(), &format!($($t)*)) }
    }};
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Pad,
    Byte,
    UByte,
    Char,
    Str,
    Pascal,
    Short,
    UShort,
    Int,
    UInt,
    Long,
    ULong,
    Bool,
    Half,
    Float,
    /// C's conversion, which lets a number that is too large become infinite.
    NativeFloat,
    Double,
    Pointer,
}
use Kind::*;

impl Kind {
    const fn size(self) -> usize {
        match self {
            Pad | Byte | UByte | Char | Str | Pascal | Bool => 1,
            Short | UShort | Half => 2,
            Int | UInt | Float | NativeFloat => 4,
            Long | ULong | Double | Pointer => 8,
        }
    }
    /// What a format character stands for.
    const fn of(c: u8, native: bool) -> Option<Kind> {
        Some(match c {
            b'x' => Pad,
            b'b' => Byte,
            b'B' => UByte,
            b'c' => Char,
            b's' => Str,
            b'p' => Pascal,
            b'h' => Short,
            b'H' => UShort,
            b'i' => Int,
            b'I' => UInt,
            b'l' if native => Long,
            b'L' if native => ULong,
            b'l' => Int,
            b'L' => UInt,
            b'n' if native => Long,
            b'N' if native => ULong,
            b'P' if native => Pointer,
            b'q' => Long,
            b'Q' => ULong,
            b'?' => Bool,
            b'e' => Half,
            b'f' if native => NativeFloat,
            b'f' => Float,
            b'd' => Double,
            _ => return None,
        })
    }
}

/// A run of items of one kind.
struct Code {
    kind: Kind,
    format: u8,
    big: bool,
    offset: usize,
    size: usize,
    repeat: usize,
}

/// A compiled format.
struct Layout {
    codes: Vec<Code>,
    size: usize,
    len: usize,
}

fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn compile(fmt: &[u8]) -> PyResult<Layout> {
    if fmt.contains(&0) {
        return Err(struct_error!("embedded null character"));
    }
    let (native, big, mut rest) = match fmt {
        [b'<' | b'=', rest @ ..] => (false, false, rest),
        [b'>' | b'!', rest @ ..] => (false, true, rest),
        [b'@', rest @ ..] => (true, false, rest),
        _ => (true, false, fmt),
    };
    let too_long = || struct_error!("total struct size too long");
    let max = isize::MAX as usize;
    let mut layout = Layout { codes: Vec::new(), size: 0, len: 0 };
    while let [c, tail @ ..] = rest {
        rest = tail;
        if is_space(*c) {
            continue;
        }
        let mut c = *c;
        let mut num = 1usize;
        if c.is_ascii_digit() {
            num = (c - b'0') as usize;
            loop {
                let Some((&next, tail)) = rest.split_first() else {
                    return Err(struct_error!("repeat count given without format specifier"));
                };
                rest = tail;
                c = next;
                if !c.is_ascii_digit() {
                    break;
                }
                num = num.checked_mul(10).and_then(|n| n.checked_add((c - b'0') as usize)).filter(|&n| n <= max).ok_or_else(too_long)?;
            }
        }
        let Some(kind) = Kind::of(c, native) else { return Err(struct_error!("bad char in struct format")) };
        let item = kind.size();
        if native {
            layout.size = layout.size.checked_next_multiple_of(item).filter(|&n| n <= max).ok_or_else(too_long)?;
        }
        let offset = layout.size;
        layout.size = num.checked_mul(item).and_then(|n| n.checked_add(offset)).filter(|&n| n <= max).ok_or_else(too_long)?;
        let code = |size, repeat| Code { kind, format: c, big, offset, size, repeat };
        match kind {
            Pad => {}
            Str | Pascal => {
                layout.codes.push(code(num, 1));
                layout.len += 1;
            }
            _ if num > 0 => {
                layout.codes.push(code(item, num));
                layout.len = layout.len.checked_add(num).filter(|&n| n <= max).ok_or_else(too_long)?;
            }
            _ => {}
        }
    }
    Ok(layout)
}

// ---- items -----------------------------------------------------------------------------------------------------------

macro_rules! read {
    ($t:ty, $p:expr, $big:expr) => {{
        let v = $p.cast::<$t>().read_unaligned();
        if $big { <$t>::from_be(v) } else { v }
    }};
}
macro_rules! write {
    ($t:ty, $p:expr, $big:expr, $v:expr) => {{
        let v: $t = $v;
        $p.cast::<$t>().write_unaligned(if $big { v.to_be() } else { v })
    }};
}

/// The object that the item at `p` holds.
#[inline(always)]
unsafe fn unpack_item(code: &Code, p: *const u8) -> PyResult<*mut PyObject> {
    // SAFETY: [ARGS] `code.size` bytes are readable.
    unsafe {
        let big = code.big;
        let op = match code.kind {
            Byte => long_from_i64(p.cast::<i8>().read() as i64),
            UByte => long_from_i64(p.read() as i64),
            Short => long_from_i64(read!(i16, p, big) as i64),
            UShort => long_from_i64(read!(u16, p, big) as i64),
            Int => long_from_i64(read!(i32, p, big) as i64),
            UInt => long_from_i64(read!(u32, p, big) as i64),
            Long => long_from_i64(read!(i64, p, big)),
            ULong | Pointer => long_from_u64(read!(u64, p, big)),
            Bool => {
                if p.read() != 0 {
                    Py_True()
                } else {
                    Py_False()
                }
            }
            Double => float_from_f64(f64::from_bits(read!(u64, p, big))),
            Float | NativeFloat => float_from_f64(f32::from_bits(read!(u32, p, big)) as f64),
            Half => float_from_f64(PyFloat_Unpack2(p.cast(), !big as c_int)),
            Char => bytes(core::slice::from_raw_parts(p, 1))?.into_raw(),
            Str => bytes(core::slice::from_raw_parts(p, code.size))?.into_raw(),
            Pascal if code.size == 0 => bytes(&[])?.into_raw(),
            Pascal => bytes(core::slice::from_raw_parts(p.add(1), (p.read() as usize).min(code.size - 1)))?.into_raw(),
            Pad => Py_None(),
        };
        if op.is_null() { Err(Raised::assume()) } else { Ok(op) }
    }
}

/// A tuple of the values in the `layout.size` bytes at `start`.
unsafe fn unpack_all(layout: &Layout, start: *const u8) -> PyResult<Owned> {
    // SAFETY: [OWN] an unfinished tuple has NULL items only.
    unsafe {
        let tuple = take(PyTuple_New(layout.len as isize))?;
        let mut i = 0;
        for code in &layout.codes {
            let mut p = start.add(code.offset);
            for _ in 0..code.repeat {
                PyTuple_SET_ITEM(tuple.as_ptr(), i, unpack_item(code, p)?);
                i += 1;
                p = p.add(code.size);
            }
        }
        Ok(tuple)
    }
}

#[cold]
fn range_error(code: &Code) -> Raised {
    let bits = code.kind.size() as u32 * 8;
    if matches!(code.kind, UByte | UShort | UInt | ULong) {
        let largest = u64::MAX >> (64 - bits);
        struct_error!("'{}' format requires 0 <= number <= {}", code.format as char, largest)
    } else {
        let largest = i64::MAX >> (64 - bits);
        struct_error!("'{}' format requires {} <= number <= {}", code.format as char, !largest, largest)
    }
}

/// The int that stands for `v`, itself or through `__index__`.
unsafe fn as_int(v: *mut PyObject) -> PyResult<Owned<PyLongObject>> {
    // SAFETY: [TYPE] PyNumber_Index returns an int.
    unsafe {
        if PyIndex_Check(v) == 0 {
            return Err(struct_error!("required argument is not an integer"));
        }
        Ok(take(PyNumber_Index(v))?.cast())
    }
}

#[inline(always)]
unsafe fn signed(code: &Code, v: *mut PyObject, lo: i64, hi: i64) -> PyResult<i64> {
    // SAFETY: [TYPE] checked.
    unsafe {
        let n = if PyLong_Check(v) != 0 { to_i64(v.cast()) } else { to_i64(as_int(v)?.as_ptr()) };
        match n {
            Some(n) if n >= lo && n <= hi => Ok(n),
            _ => Err(range_error(code)),
        }
    }
}

unsafe fn float_arg(v: *mut PyObject) -> PyResult<f64> {
    // SAFETY: [ARGS]
    unsafe {
        let x = PyFloat_AsDouble(v);
        if x == -1.0 && err_occurred() {
            return Err(struct_error!("required argument is not a float"));
        }
        Ok(x)
    }
}

/// The bytes of a bytes or bytearray object.
unsafe fn bytes_arg<'a>(v: *mut PyObject, format: u8) -> PyResult<&'a [u8]> {
    // SAFETY: [TYPE] nothing runs while the slice is used.
    unsafe {
        if PyBytes_Check(v) != 0 {
            Ok(core::slice::from_raw_parts(PyBytes_AsString(v).cast(), PyBytes_Size(v) as usize))
        } else if PyByteArray_Check(v) != 0 {
            Ok(core::slice::from_raw_parts(PyByteArray_AsString(v).cast(), PyByteArray_Size(v) as usize))
        } else {
            Err(struct_error!("argument for '{}' must be a bytes object", format as char))
        }
    }
}

/// Stores `v` at `p`; may run its `__index__`, `__float__` or `__bool__`.
#[inline(always)]
unsafe fn pack_item(code: &Code, p: *mut u8, v: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] `code.size` bytes are writable.
    unsafe {
        let big = code.big;
        match code.kind {
            Byte => p.write(signed(code, v, i8::MIN as i64, i8::MAX as i64)? as u8),
            UByte => p.write(signed(code, v, 0, u8::MAX as i64)? as u8),
            Short => write!(u16, p, big, signed(code, v, i16::MIN as i64, i16::MAX as i64)? as u16),
            UShort => write!(u16, p, big, signed(code, v, 0, u16::MAX as i64)? as u16),
            Int => write!(u32, p, big, signed(code, v, i32::MIN as i64, i32::MAX as i64)? as u32),
            UInt => write!(u32, p, big, signed(code, v, 0, u32::MAX as i64)? as u32),
            Long => write!(u64, p, big, signed(code, v, i64::MIN, i64::MAX)? as u64),
            ULong => {
                let n = if PyLong_Check(v) != 0 { to_u64(v.cast()) } else { to_u64(as_int(v)?.as_ptr()) };
                write!(u64, p, big, n.ok_or_else(|| range_error(code))?)
            }
            Pointer => {
                let n = if PyLong_Check(v) != 0 { Owned::from_borrowed(v.cast()) } else { as_int(v)? };
                let n = match (to_i64(n.as_ptr()), to_u64(n.as_ptr())) {
                    (Some(n), _) => n as u64,
                    (None, Some(n)) => n,
                    _ => bail!(PyExc_OverflowError, "int too large to convert to C long"),
                };
                write!(u64, p, false, n)
            }
            Bool => {
                let truth = PyObject_IsTrue(v);
                check_status(truth)?;
                p.write(truth as u8)
            }
            Half => check_status(PyFloat_Pack2(float_arg(v)?, p.cast(), !big as c_int))?,
            Float => check_status(PyFloat_Pack4(float_arg(v)?, p.cast(), !big as c_int))?,
            NativeFloat => p.cast::<f32>().write_unaligned(float_arg(v)? as f32),
            Double => write!(u64, p, big, float_arg(v)?.to_bits()),
            Char => {
                if PyBytes_Check(v) == 0 || PyBytes_Size(v) != 1 {
                    return Err(struct_error!("char format requires a bytes object of length 1"));
                }
                p.write(*PyBytes_AsString(v) as u8)
            }
            Str => {
                let s = bytes_arg(v, b's')?;
                core::ptr::copy(s.as_ptr(), p, s.len().min(code.size));
            }
            Pascal => {
                let s = bytes_arg(v, b'p')?;
                if code.size > 0 {
                    let n = s.len().min(code.size - 1);
                    core::ptr::copy(s.as_ptr(), p.add(1), n);
                    p.write(n.min(255) as u8);
                }
            }
            Pad => {}
        }
        Ok(())
    }
}

/// Stores `args`, which are `layout.len` objects, in the `layout.size` bytes at `start`.
unsafe fn pack_all(layout: &Layout, args: &[*mut PyObject], start: *mut u8) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        start.write_bytes(0, layout.size);
        let mut args = args.iter();
        for code in &layout.codes {
            let mut p = start.add(code.offset);
            for &v in args.by_ref().take(code.repeat) {
                if let Err(e) = pack_item(code, p, v) {
                    if PyLong_Check(v) != 0 && e.matches(PyExc_OverflowError) {
                        return Err(struct_error!("int too large to convert"));
                    }
                    return Err(e);
                }
                p = p.add(code.size);
            }
        }
        Ok(())
    }
}

// ---- Struct ----------------------------------------------------------------------------------------------------------

/// A compiled format; `s_codes` is absent until `__init__` has run.
#[repr(C)]
struct Struct {
    ob_base: PyObject,
    s_size: isize,
    s_len: isize,
    s_codes: Option<Rc<Layout>>,
    s_format: *mut PyObject,
    weakreflist: *mut PyObject,
}

type S<'a> = Borrowed<'a, Struct>;

fn layout(slf: S<'_>) -> PyResult<Rc<Layout>> {
    match &slf.s_codes {
        Some(l) => Ok(l.clone()),
        None => bail!(PyExc_RuntimeError, "Struct object is not initialized"),
    }
}

unsafe extern "C" fn s_new(tp: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] zeroed memory is an absent layout.
    unsafe {
        let r = new::<Struct>(tp);
        if let Ok(s) = &r {
            (*s.as_ptr()).s_format = Py_None();
            (*s.as_ptr()).s_size = -1;
            (*s.as_ptr()).s_len = -1;
        }
        r.into_c()
    }
}

fn s_init(slf: S<'_>, format: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE] checked.
    unsafe {
        let format = if PyUnicode_Check(format.ob()) != 0 { take(PyUnicode_AsASCIIString(format.ob()))? } else { format.to_owned() };
        if PyBytes_Check(format.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "Struct() argument 1 must be a str or bytes object, not {}", short_name(type_of(format.as_ptr())));
        }
        let compiled = compile(core::slice::from_raw_parts(PyBytes_AsString(format.as_ptr()).cast(), PyBytes_Size(format.as_ptr()) as usize));
        let s = slf.as_ptr();
        setref(&raw mut (*s).s_format, format.into_raw());
        let compiled = compiled?;
        (*s).s_size = compiled.size as isize;
        (*s).s_len = compiled.len as isize;
        (*s).s_codes = Some(Rc::new(compiled));
        Ok(())
    }
}

unsafe extern "C" fn s_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit((*slf.cast::<Struct>()).s_format, visitor, arg) }
}
unsafe extern "C" fn s_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.cast::<Struct>()).s_format, null_mut()) };
    0
}
unsafe extern "C" fn s_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let s = slf.cast::<Struct>();
        if !(*s).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        drop((*s).s_codes.take());
        s_clear(slf);
        free(slf);
    }
}

fn unpack(slf: S<'_>, buffer: BufferView) -> PyResult<Owned> {
    let l = layout(slf)?;
    let data = buffer.as_bytes();
    if data.len() != l.size {
        return Err(struct_error!("unpack requires a buffer of {} bytes", l.size));
    }
    // SAFETY: [ARGS] as long as the layout.
    unsafe { unpack_all(&l, data.as_ptr()) }
}

/// Where in a buffer of `len` bytes the struct starts, checked.
fn place(offset: isize, len: usize, size: usize, unpacking: bool) -> PyResult<usize> {
    let (len, size) = (len as isize, size as isize);
    let mut start = offset;
    if offset < 0 {
        if offset + size > 0 {
            return Err(if unpacking {
                struct_error!("not enough data to unpack {size} bytes at offset {offset}")
            } else {
                struct_error!("no space to pack {size} bytes at offset {offset}")
            });
        }
        if offset + len < 0 {
            return Err(struct_error!("offset {offset} out of range for {len}-byte buffer"));
        }
        start += len;
    }
    if len - start < size {
        let need = size as usize + start as usize;
        return Err(if unpacking {
            struct_error!(
                "unpack_from requires a buffer of at least {need} bytes for unpacking {size} bytes at offset {start} (actual buffer size is {len})"
            )
        } else {
            struct_error!(
                "pack_into requires a buffer of at least {need} bytes for packing {size} bytes at offset {start} (actual buffer size is {len})"
            )
        });
    }
    Ok(start as usize)
}

fn unpack_from(slf: S<'_>, buffer: BufferView, offset: isize) -> PyResult<Owned> {
    let l = layout(slf)?;
    let data = buffer.as_bytes();
    let start = place(offset, data.len(), l.size, true)?;
    // SAFETY: [ARGS] `place` checked the bounds.
    unsafe { unpack_all(&l, data.as_ptr().add(start)) }
}

fn pack(slf: S<'_>, args: Args<'_>) -> PyResult<Owned> {
    let l = layout(slf)?;
    if args.len() != l.len {
        return Err(struct_error!("pack expected {} items for packing (got {})", l.len, args.len()));
    }
    // SAFETY: [OWN] the bytes object is not yet seen by anybody; short ones are shared objects and need a detour.
    unsafe {
        if l.size <= 1 {
            let mut small = [0u8; 1];
            pack_all(&l, args.0, small.as_mut_ptr())?;
            return bytes(&small[..l.size]);
        }
        let out = new_bytes(l.size)?;
        pack_all(&l, args.0, PyBytes_AsString(out.as_ptr()).cast())?;
        Ok(out)
    }
}

fn pack_into(slf: S<'_>, args: Args<'_>) -> PyResult<()> {
    let l = layout(slf)?;
    let &[buffer, offset, ref items @ ..] = args.0 else {
        return Err(match args.len() {
            0 => struct_error!("pack_into expected buffer argument"),
            _ => struct_error!("pack_into expected offset argument"),
        });
    };
    if items.len() != l.len {
        return Err(struct_error!("pack_into expected {} items for packing (got {})", l.len, items.len()));
    }
    // SAFETY: [ARGS] the view keeps the memory; `place` checked the bounds.
    unsafe {
        let view = writable(buffer)?;
        let offset = PyNumber_AsSsize_t(offset, PyExc_IndexError);
        if offset == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        let start = place(offset, view.raw().len as usize, l.size, false)?;
        pack_all(&l, items, view.raw().buf.cast::<u8>().add(start))
    }
}

fn format_text(slf: S<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] bytes once initialised.
    unsafe {
        if PyBytes_Check(slf.s_format) == 0 {
            layout(slf)?;
        }
        take(PyUnicode_FromStringAndSize(PyBytes_AsString(slf.s_format), PyBytes_Size(slf.s_format)))
    }
}
fn get_size(slf: S<'_>) -> PyResult<isize> {
    Ok(slf.s_size)
}
fn sizeof(slf: S<'_>) -> PyResult<usize> {
    let codes = slf.s_codes.as_ref().map_or(0, |l| l.codes.len());
    // SAFETY: [TYPE] a run takes what CPython's takes: a pointer and three sizes.
    unsafe { Ok((*slf.ob_type()).tp_basicsize as usize + (codes + 1) * 32) }
}

unsafe extern "C" fn s_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let make = || {
            let fmt = take(PyObject_Repr(format_text(Borrowed::from_ptr(slf.cast()))?.as_ptr()))?;
            let name = text(&short_name(type_of(slf)))?;
            take(PyUnicode_FromFormat(c"%U(%U)".as_ptr(), name.as_ptr(), fmt.as_ptr()))
        };
        make().into_c()
    }
}

methods! {
    static S_METHODS = [
        "iter_unpack($self, buffer, /)" => iter_unpack, "An iterator over the tuples that follow each other in the buffer.";
        "pack($self, /, *args)" => pack, "The values as bytes.";
        "pack_into($self, /, *args)" => pack_into, "Write the values into a writable buffer: pack_into(buffer, offset, v1, v2, ...).";
        "unpack($self, buffer, /)" => unpack, "The values in the buffer, whose size is that of the struct.";
        "unpack_from($self, /, buffer, offset=0)" => unpack_from, "The values in the buffer from offset on.";
        "__sizeof__($self, /)" => sizeof, "Size in memory, in bytes.";
    ];
}
members! {
    static S_MEMBERS = [
        "__weaklistoffset__", Py_T_PYSSIZET, core::mem::offset_of!(Struct, weakreflist), Py_READONLY, "";
    ];
}
getset! {
    static S_GETSET = [
        "format" => format_text, "The format.";
        "size" => get_size, "How many bytes a struct takes.";
    ];
}

static mut STRUCT: PyTypeObject = PyTypeObject {
    tp_name: c"_struct.Struct".as_ptr(),
    tp_basicsize: size_of::<Struct>() as Py_ssize_t,
    tp_dealloc: Some(s_dealloc),
    tp_repr: Some(s_repr),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_setattro: Some(PyObject_GenericSetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    tp_doc: c"Struct(format)\n--\n\nA compiled format, which packs and unpacks.".as_ptr(),
    tp_traverse: Some(s_traverse),
    tp_clear: Some(s_clear),
    tp_weaklistoffset: core::mem::offset_of!(Struct, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut S_METHODS).cast(),
    tp_members: (&raw mut S_MEMBERS).cast(),
    tp_getset: (&raw mut S_GETSET).cast(),
    tp_init: Some(initializer!("Struct(format)" => s_init)),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(s_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- iter_unpack -----------------------------------------------------------------------------------------------------

#[repr(C)]
struct UnpackIter {
    ob_base: PyObject,
    so: *mut Struct,
    codes: Option<Rc<Layout>>,
    buf: Py_buffer,
    index: usize,
}

fn iter_unpack(slf: S<'_>, buffer: Borrowed<'_>) -> PyResult<Owned> {
    let l = layout(slf)?;
    if l.size == 0 {
        return Err(struct_error!("cannot iteratively unpack with a struct of length 0"));
    }
    // SAFETY: [OWN] a zeroed buffer needs no release.
    unsafe {
        let it = new::<UnpackIter>(&raw mut UNPACK_ITER)?;
        let i = it.as_ptr();
        check_status(PyObject_GetBuffer(buffer.ob(), &raw mut (*i).buf, PyBUF_SIMPLE))?;
        if !((*i).buf.len as usize).is_multiple_of(l.size) {
            return Err(struct_error!("iterative unpacking requires a buffer of a multiple of {} bytes", l.size));
        }
        (*i).so = slf.to_owned().into_raw();
        (*i).codes = Some(l);
        Ok(it.into_object())
    }
}

unsafe extern "C" fn iter_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let i = slf.cast::<UnpackIter>();
        py_visit!(visitor, arg; (*i).so, (*i).buf.obj);
    }
    0
}
unsafe extern "C" fn iter_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let i = slf.cast::<UnpackIter>();
        setref(&raw mut (*i).so, null_mut());
        drop((*i).codes.take());
        PyBuffer_Release(&raw mut (*i).buf);
        free(slf);
    }
}
unsafe extern "C" fn iter_next(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] the length is a multiple of the struct's.
    unsafe {
        let i = slf.cast::<UnpackIter>();
        let Some(l) = (*i).codes.clone() else { return null_mut() };
        if (*i).index >= (*i).buf.len as usize {
            (*i).codes = None;
            setref(&raw mut (*i).so, null_mut());
            PyBuffer_Release(&raw mut (*i).buf);
            return null_mut();
        }
        let start = (*i).buf.buf.cast::<u8>().add((*i).index);
        let r = unpack_all(&l, start);
        (*i).index += l.size;
        r.into_c()
    }
}
fn iter_len(slf: Borrowed<'_, UnpackIter>) -> PyResult<usize> {
    Ok(slf.codes.as_ref().map_or(0, |l| (slf.buf.len as usize - slf.index) / l.size))
}
methods! {
    static ITER_METHODS = [
        "__length_hint__($self, /)" => iter_len, "How many tuples are left.";
    ];
}
static mut UNPACK_ITER: PyTypeObject = PyTypeObject {
    tp_name: c"_struct.unpack_iterator".as_ptr(),
    tp_basicsize: size_of::<UnpackIter>() as Py_ssize_t,
    tp_dealloc: Some(iter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_traverse: Some(iter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(iter_next),
    tp_methods: (&raw mut ITER_METHODS).cast(),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- functions -------------------------------------------------------------------------------------------------------

/// A format argument, compiled or found in the cache.
struct Compiled(Owned<Struct>);

impl<'a> FromArg<'a> for Compiled {
    #[inline]
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe { compiled(arg) }
    }
}

unsafe fn compiled(fmt: *mut PyObject) -> PyResult<Compiled> {
    // SAFETY: [TYPE] the cache holds Structs only.
    unsafe {
        let found = PyDict_GetItemWithError(CACHE.get(), fmt);
        if !found.is_null() {
            return Ok(Compiled(Owned::from_borrowed(found.cast())));
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        let s = take(PyObject_CallOneArg((&raw mut STRUCT).cast(), fmt))?;
        let cache = CACHE.get();
        if PyDict_Size(cache) >= MAXCACHE {
            PyDict_Clear(cache);
        }
        if let Err(e) = check_status(PyDict_SetItem(cache, fmt, s.as_ptr())) {
            e.clear();
        }
        Ok(Compiled(s.cast()))
    }
}

fn clearcache(_: ()) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe { PyDict_Clear(CACHE.get()) };
    Ok(())
}
fn calcsize(_: (), format: Compiled) -> PyResult<isize> {
    Ok(format.0.s_size)
}
fn mod_unpack(_: (), format: Compiled, buffer: BufferView) -> PyResult<Owned> {
    unpack(format.0.borrow(), buffer)
}
fn mod_unpack_from(_: (), format: Compiled, buffer: BufferView, offset: isize) -> PyResult<Owned> {
    unpack_from(format.0.borrow(), buffer, offset)
}
fn mod_iter_unpack(_: (), format: Compiled, buffer: Borrowed<'_>) -> PyResult<Owned> {
    iter_unpack(format.0.borrow(), buffer)
}
fn split<'a>(args: Args<'a>) -> PyResult<(Compiled, Args<'a>)> {
    match args.0 {
        // SAFETY: [ARGS]
        [format, rest @ ..] => Ok((unsafe { compiled(*format) }?, Args(rest))),
        [] => bail!(PyExc_TypeError, "missing format argument"),
    }
}
fn mod_pack(_: (), args: Args<'_>) -> PyResult<Owned> {
    let (format, args) = split(args)?;
    pack(format.0.borrow(), args)
}
fn mod_pack_into(_: (), args: Args<'_>) -> PyResult<()> {
    let (format, args) = split(args)?;
    pack_into(format.0.borrow(), args)
}

methods! {
    static METHODS = [
        "_clearcache($module, /)" => clearcache, "Forget the compiled formats.";
        "calcsize($module, format, /)" => calcsize, "How many bytes the struct of a format takes.";
        "iter_unpack($module, format, buffer, /)" => mod_iter_unpack, "An iterator over the tuples that follow each other in the buffer.";
        "pack($module, /, *args)" => mod_pack, "The values as bytes: pack(format, v1, v2, ...).";
        "pack_into($module, /, *args)" => mod_pack_into, "Write the values into a writable buffer: pack_into(format, buffer, offset, v1, v2, ...).";
        "unpack($module, format, buffer, /)" => mod_unpack, "The values in the buffer, whose size is that of the struct.";
        "unpack_from($module, format, /, buffer, offset=0)" => mod_unpack_from, "The values in the buffer from offset on.";
    ];
}

module! {
    /// Entry point.
    pub fn PyInit__struct = "_struct", "Conversion between Python values and C structs, which are represented as bytes.

A format starts with the byte order, size and alignment (@ native, = native order with standard sizes, < little-endian,
> or ! big-endian). Each following character is an item, with an optional count in front:
x pad byte, c char, b B signed and unsigned byte, ? bool, h H short, i I int, l L long, q Q long long, e half float,
f float, d double, s string and p Pascal string (whose count is the length); in native mode also n N ssize_t and size_t
and P pointer. White space between items is ignored.", methods: METHODS, exec: exec;
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        if STRUCT_ERROR.get().is_null() {
            CACHE.set(Some(take(PyDict_New())?));
            STRUCT_ERROR.set(Some(take(PyErr_NewException(c"struct.error".as_ptr(), null_mut(), null_mut()))?));
        }
        check_status(PyType_Ready(&raw mut UNPACK_ITER))?;
        taipan_clinic::module::add_type(module, &raw mut STRUCT)?;
        taipan_clinic::module::add_object(module, c"error", Ok(Owned::from_borrowed(STRUCT_ERROR.get())))
    }
}

