//! Slots, methods and the type object of `int`.

use super::*;
use crate::freelist::{_Py_TPFLAGS_MATCH_SELF, null};
use crate::tupleobject::tuple_of;
use crate::typeobject::TYPE_INIT;
use core::ffi::c_int;
use taipan_clinic::{Str, constructor, getset, methods};

type Ob = *mut PyObject;
type Long<'a> = Borrowed<'a, PyLongObject>;

macro_rules! binary_slots {
    ($($name:ident => $f:expr;)*) => { $(
        pub(super) unsafe extern "C" fn $name(a: Ob, b: Ob) -> Ob {
            // SAFETY: [ARGS] the types are checked.
            unsafe {
                if PyLong_Check(a) == 0 || PyLong_Check(b) == 0 {
                    return Py_NotImplemented();
                }
                $f(a.cast::<PyLongObject>(), b.cast::<PyLongObject>())
            }
        }
    )* };
}
binary_slots! {
    long_add => long_add_fast;
    long_sub => long_sub_fast;
    long_mul => long_mul_fast;
    long_mod => long_mod_fast;
    long_div => long_floordiv_fast;
    long_lshift => long_lshift_objects;
    long_rshift => long_rshift_objects;
    long_and => |a, b| long_bitwise(a, b'&', b);
    long_xor => |a, b| long_bitwise(a, b'^', b);
    long_or => |a, b| long_bitwise(a, b'|', b);
    long_divmod => |a, b| match long_divmod_pair(a, b) {
        Ok((q, r)) => tuple_of([Ok(q), Ok(r)]).into_c(),
        Err(_) => null_mut(),
    };
    long_true_divide => |a, b| match long_true_divide_objects(a, b) {
        Ok(x) => PyFloat_FromDouble(x),
        Err(_) => null_mut(),
    };
}

unsafe extern "C" fn long_pow(v: Ob, w: Ob, x: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if PyLong_Check(v) == 0 || PyLong_Check(w) == 0 || (x != Py_None() && PyLong_Check(x) == 0) {
            return Py_NotImplemented();
        }
        pow_objects(v, w, x).into_c()
    }
}

/// The value as an exact int.
pub(super) unsafe extern "C" fn long_long(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { if PyLong_CheckExact(v) != 0 { Py_NewRef(v) } else { _PyLong_Copy(v.cast()) } }
}

unsafe extern "C" fn long_neg(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { negated(v.cast()) }
}

unsafe extern "C" fn long_abs(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { if is_negative(v.cast()) { negated(v.cast()) } else { long_long(v) } }
}

unsafe extern "C" fn long_bool(v: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe { !is_zero(v.cast()) as c_int }
}

unsafe extern "C" fn long_invert(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe { inverted(v.cast()) }
}

unsafe extern "C" fn long_float(v: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        match as_double(v.cast()) {
            Ok(x) => PyFloat_FromDouble(x),
            Err(_) => null_mut(),
        }
    }
}

/// Value modulo 2**61 - 1, with its sign; -1 becomes -2.
pub(crate) unsafe extern "C" fn long_hash(v: Ob) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let v: *mut PyLongObject = v.cast();
        if is_compact(v) {
            let x = compact_value(v);
            return if x == -1 { -2 } else { x };
        }
        const P: u64 = (1 << 61) - 1;
        let mut x = 0u64;
        for &d in digits(v).iter().rev() {
            // Rotation by 30 in 61 bits multiplies by 2**30.
            x = (x << 30 & P | x >> 31) + d as u64;
            if x >= P {
                x -= P;
            }
        }
        let x = if is_negative(v) { -(x as isize) } else { x as isize };
        if x == -1 { -2 } else { x }
    }
}

unsafe extern "C" fn long_richcompare(a: Ob, b: Ob, op: c_int) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if PyLong_Check(a) == 0 || PyLong_Check(b) == 0 {
            return Py_NotImplemented();
        }
        let order = if a == b { core::cmp::Ordering::Equal } else { long_compare(a.cast(), b.cast()) };
        PyBool_FromLong(crate::listobject::compare_sizes(order, core::cmp::Ordering::Equal, op) as _)
    }
}

// --- Methods --------------------------------------------------------------------------------------------------------

fn own(p: Ob) -> PyResult<Owned> {
    // SAFETY: [OWN] new references of this module's functions.
    unsafe { Owned::from_owned_or_err(p) }
}

fn long_self(v: Long<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    own(unsafe { long_long(v.ob()) })
}

fn int_bit_length(v: Long<'_>) -> PyResult<usize> {
    // SAFETY: [TYPE]
    Ok(unsafe { bit_length(v.as_ptr()) })
}

fn int_bit_count(v: Long<'_>) -> PyResult<usize> {
    // SAFETY: [TYPE]
    Ok(unsafe { digits(v.as_ptr()).iter().map(|d| d.count_ones() as usize).sum() })
}

fn int_as_integer_ratio(v: Long<'_>) -> PyResult<Owned> {
    tuple_of([long_self(v), own(small_int(1))])
}

fn is_little(byteorder: Option<Str<'_>>) -> PyResult<bool> {
    // SAFETY: [TYPE] a str.
    unsafe {
        match byteorder {
            None => Ok(false),
            Some(s) if PyUnicode_CompareWithASCIIString(s.ob(), c"little".as_ptr()) == 0 => Ok(true),
            Some(s) if PyUnicode_CompareWithASCIIString(s.ob(), c"big".as_ptr()) == 0 => Ok(false),
            Some(_) => bail!(PyExc_ValueError, "byteorder must be either 'little' or 'big'"),
        }
    }
}

fn int_to_bytes(v: Long<'_>, length: isize, byteorder: Option<Str<'_>>, signed: bool) -> PyResult<Owned> {
    let little = is_little(byteorder)?;
    if length < 0 {
        bail!(PyExc_ValueError, "length argument must be non-negative");
    }
    // SAFETY: [TYPE] the new bytes object has room.
    unsafe {
        let bytes = own(PyBytes_FromStringAndSize(core::ptr::null(), length))?;
        let out = PyBytes_AsString(bytes.as_ptr()).cast();
        check_status(_PyLong_AsByteArray(v.as_ptr(), out, length as usize, little as c_int, signed as c_int, 1))?;
        Ok(bytes)
    }
}

fn int_from_bytes(tp: Borrowed<'_>, bytes: Borrowed<'_>, byteorder: Option<Str<'_>>, signed: bool) -> PyResult<Owned> {
    let little = is_little(byteorder)?;
    // SAFETY: [TYPE]
    unsafe {
        let bytes = own(PyObject_Bytes(bytes.ob()))?;
        let data = core::slice::from_raw_parts(PyBytes_AsString(bytes.as_ptr()).cast::<u8>(), Py_SIZE(bytes.as_ptr()) as usize);
        let v = own(long_from_bytes(data, little, signed))?;
        if tp.is((&raw mut PyLong_Type).cast()) {
            return Ok(v);
        }
        own(PyObject_CallOneArg(tp.ob(), v.as_ptr()))
    }
}

fn int___round__(v: Long<'_>, ndigits: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let Some(ndigits) = ndigits else { return long_self(v) };
    // SAFETY: [TYPE]
    unsafe {
        let n = own(PyNumber_Index(ndigits.ob()))?;
        if !is_negative(n.as_ptr().cast()) {
            return long_self(v);
        }
        let n = own(negated(n.as_ptr().cast()))?;
        let unit = pow_objects(small_int(10), n.as_ptr(), Py_None())?;
        let (_, rest) = divmod_near(v.as_ptr(), unit.as_ptr().cast())?;
        own(long_sub_fast(v.as_ptr(), rest.as_ptr().cast()))
    }
}

fn int___getnewargs__(v: Long<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    tuple_of([own(unsafe { _PyLong_Copy(v.as_ptr()) })])
}

fn int___format__(v: Long<'_>, spec: Str<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] the writer is finished or released.
    unsafe {
        let mut writer: _PyUnicodeWriter = core::mem::zeroed();
        _PyUnicodeWriter_Init(&mut writer);
        if _PyLong_FormatAdvancedWriter(&mut writer, v.ob(), spec.ob(), 0, PyUnicode_GET_LENGTH(spec.ob())) < 0 {
            _PyUnicodeWriter_Dealloc(&mut writer);
            return Err(Raised::assume());
        }
        own(_PyUnicodeWriter_Finish(&mut writer))
    }
}

fn int___sizeof__(v: Long<'_>) -> PyResult<usize> {
    // SAFETY: [TYPE] zero has a digit too.
    unsafe { Ok((*v.ob_type()).tp_basicsize as usize + 4 * digit_count(v.as_ptr()).max(1)) }
}

fn int_is_integer(_: Long<'_>) -> PyResult<bool> {
    Ok(true)
}

fn long_get0(_: Long<'_>) -> PyResult<Owned> {
    own(small_int(0))
}

fn long_get1(_: Long<'_>) -> PyResult<Owned> {
    own(small_int(1))
}

methods! {
    static LONG_METHODS = [
        "conjugate($self, /)" => long_self, "The complex conjugate, which is the integer itself.";
        "bit_length($self, /)" => int_bit_length, "How many bits the magnitude takes: 6 for 37, which is 0b100101.\n\n>>> (37).bit_length()\n6\n>>> (0).bit_length()\n0";
        "bit_count($self, /)" => int_bit_count, "How many ones the magnitude has in binary: 3 for 13, which is 0b1101.\n\n>>> (13).bit_count()\n3\n>>> (-13).bit_count()\n3";
        "to_bytes($self, /, length=1, byteorder='big', *, signed=False)" => int_to_bytes, "Write the integer as length bytes, most significant first unless byteorder is\n'little'. OverflowError if they don't suffice, or if it is negative and signed is\nfalse; otherwise negative numbers are written in two's complement.";
        class "from_bytes($type, /, bytes, byteorder='big', *, signed=False)" => int_from_bytes, "Read an integer from a bytes-like object or an iterable of bytes: the reverse of\nto_bytes.";
        "as_integer_ratio($self, /)" => int_as_integer_ratio, "The pair (self, 1): numerator and denominator.\n\n>>> (-7).as_integer_ratio()\n(-7, 1)\n>>> (0).as_integer_ratio()\n(0, 1)\n>>> True.as_integer_ratio()\n(1, 1)";
        "__trunc__($self, /)" => long_self, "The integer itself.";
        "__floor__($self, /)" => long_self, "The integer itself.";
        "__ceil__($self, /)" => long_self, "The integer itself.";
        "__round__($self, ndigits=<unrepresentable>, /)" => int___round__, "Round to a power of ten if ndigits is negative, halves to even.";
        "__getnewargs__($self, /)" => int___getnewargs__, "";
        "__format__($self, format_spec, /)" => int___format__, "Format after the format specification mini-language.";
        "__sizeof__($self, /)" => int___sizeof__, "Memory that the integer takes, in bytes.";
        "is_integer($self, /)" => int_is_integer, "True, as for every integer.";
    ];
}
getset! {
    static LONG_GETSET = [
        "real" => long_self, "real part, which is the integer itself";
        "imag" => long_get0, "imaginary part, which is 0";
        "numerator" => long_self, "numerator, which is the integer itself";
        "denominator" => long_get1, "denominator, which is 1";
    ];
}

// --- Construction ---------------------------------------------------------------------------------------------------

unsafe fn long_new_impl(tp: *mut PyTypeObject, x: Ob, obase: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS] x and obase may be NULL.
    unsafe {
        if tp != &raw mut PyLong_Type {
            let exact = long_new_impl(&raw mut PyLong_Type, x, obase)?;
            return long_subtype(tp, exact);
        }
        if x.is_null() {
            if !obase.is_null() {
                bail!(PyExc_TypeError, "int() missing string argument");
            }
            return own(small_int(0));
        }
        if obase.is_null() {
            return own(PyNumber_Long(x));
        }
        let base = PyNumber_AsSsize_t(obase, null_mut());
        if base == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if (base != 0 && base < 2) || base > 36 {
            bail!(PyExc_ValueError, "int() base must be >= 2 and <= 36, or 0");
        }
        if PyUnicode_Check(x) != 0 {
            return own(PyLong_FromUnicodeObject(x, base as c_int));
        }
        let (p, n) = if PyByteArray_Check(x) != 0 {
            (PyByteArray_AsString(x), PyByteArray_Size(x))
        } else if PyBytes_Check(x) != 0 {
            (PyBytes_AsString(x), PyBytes_Size(x))
        } else {
            bail!(PyExc_TypeError, "int() can't convert non-string with explicit base");
        };
        own(_PyLong_FromBytes(p, n, base as c_int))
    }
}

/// An instance of a subclass with the value of `exact`.
unsafe fn long_subtype(tp: *mut PyTypeObject, exact: Owned) -> PyResult<Owned> {
    // SAFETY: [TYPE] room for at least one digit is asked for: fast paths read it.
    unsafe {
        let v: *mut PyLongObject = exact.as_ptr().cast();
        let n = digit_count(v);
        let Some(alloc) = (*tp).tp_alloc else { bail!(PyExc_SystemError, "type without tp_alloc") };
        let new = own(alloc(tp, n.max(1) as Py_ssize_t))?;
        let z: *mut PyLongObject = new.as_ptr().cast();
        (*z).lv_tag = (*v).lv_tag & !(1 << 2);
        core::ptr::copy_nonoverlapping((&raw const (*v).ob_digit).cast::<u32>(), (&raw mut (*z).ob_digit).cast::<u32>(), n.max(1));
        Ok(new)
    }
}

fn long_new(tp: Borrowed<'_, PyTypeObject>, x: Option<Borrowed<'_>>, base: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let p = |o: Option<Borrowed<'_>>| o.map_or(null_mut(), |b| b.ob());
    // SAFETY: [ARGS]
    unsafe { long_new_impl(tp.as_ptr(), p(x), p(base)) }
}

unsafe extern "C" fn long_vectorcall(tp: Ob, args: *const Ob, nargsf: usize, kwnames: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyVectorcall_NARGS(nargsf as _);
        if !kwnames.is_null() {
            return _PyObject_MakeTpCall(current_tstate(), tp, args, n, kwnames);
        }
        match n {
            0 => small_int(0),
            1 => PyNumber_Long(*args),
            2 => long_new_impl(tp.cast(), *args, *args.add(1)).into_c(),
            _ => null(raise!(PyExc_TypeError, "int expected at most 2 arguments, got {}", n)),
        }
    }
}

static mut LONG_AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_add: Some(long_add),
    nb_subtract: Some(long_sub),
    nb_multiply: Some(long_mul),
    nb_remainder: Some(long_mod),
    nb_divmod: Some(long_divmod),
    nb_power: Some(long_pow),
    nb_negative: Some(long_neg),
    nb_positive: Some(long_long),
    nb_absolute: Some(long_abs),
    nb_bool: Some(long_bool),
    nb_invert: Some(long_invert),
    nb_lshift: Some(long_lshift),
    nb_rshift: Some(long_rshift),
    nb_and: Some(long_and),
    nb_xor: Some(long_xor),
    nb_or: Some(long_or),
    nb_int: Some(long_long),
    nb_float: Some(long_float),
    nb_floor_divide: Some(long_div),
    nb_true_divide: Some(long_true_divide),
    nb_index: Some(long_long),
    ..NUMBER_INIT
};

/// A number protocol without operations.
pub(crate) const NUMBER_INIT: PyNumberMethods = {
    // SAFETY: absent functions are null.
    unsafe { core::mem::zeroed() }
};

#[unsafe(no_mangle)]
pub static mut PyLong_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"int".as_ptr(),
    tp_basicsize: offset_of!(PyLongObject, ob_digit) as Py_ssize_t,
    tp_itemsize: size_of::<u32>() as Py_ssize_t,
    tp_dealloc: Some(long_dealloc),
    tp_repr: Some(long_repr),
    tp_as_number: &raw mut LONG_AS_NUMBER,
    tp_hash: Some(long_hash),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_LONG_SUBCLASS | _Py_TPFLAGS_MATCH_SELF,
    tp_doc: c"int([x]) -> integer\nint(x, base=10) -> integer\n\nConvert a number or a text to an integer; without an argument it is 0.\n\nA number is converted by its __int__; floats are cut off at the point. A str,\nbytes or bytearray must hold an integer literal in the base, which is 2 to 36,\nor 0 to go by the literal's prefix. Spaces around it and a sign are allowed.\n\n>>> int('ff', 16)\n255".as_ptr(),
    tp_richcompare: Some(long_richcompare),
    tp_methods: (&raw mut LONG_METHODS).cast(),
    tp_getset: (&raw mut LONG_GETSET).cast(),
    tp_new: Some(constructor!("int(x=<unrepresentable>, /, base=<unrepresentable>)" => long_new)),
    tp_free: Some(PyObject_Free),
    tp_vectorcall: Some(long_vectorcall),
    ..TYPE_INIT
};

// --- sys.int_info ---------------------------------------------------------------------------------------------------

/// A struct sequence of ints under a type made on first use and kept in `cell`.
pub(crate) unsafe fn info_type(cell: *mut *mut PyTypeObject, desc: *mut PyStructSequence_Desc) -> PyResult<*mut PyTypeObject> {
    // SAFETY: [GIL] the description is static.
    unsafe {
        if (*cell).is_null() {
            let tp = PyStructSequence_NewType(desc);
            if tp.is_null() {
                return Err(Raised::assume());
            }
            (*tp).tp_flags |= Py_TPFLAGS_DISALLOW_INSTANTIATION;
            (*tp).tp_new = None;
            *cell = tp;
        }
        Ok(*cell)
    }
}

static mut INT_INFO: *mut PyTypeObject = null_mut();

/// A field of a struct sequence.
pub(crate) const fn field(name: &'static core::ffi::CStr, doc: &'static core::ffi::CStr) -> PyStructSequence_Field {
    PyStructSequence_Field { name: name.as_ptr(), doc: doc.as_ptr() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyLong_GetInfo() -> Ob {
    static mut FIELDS: [PyStructSequence_Field; 5] = [
        field(c"bits_per_digit", c"bits in a digit"),
        field(c"sizeof_digit", c"bytes that a digit takes"),
        field(c"default_max_str_digits", c"limit on the digits of conversions to and from text, unless it is set"),
        field(c"str_digits_check_threshold", c"least limit that can be set"),
        PyStructSequence_Field { name: core::ptr::null(), doc: core::ptr::null() },
    ];
    // SAFETY: [GIL]
    unsafe {
        let mut desc = PyStructSequence_Desc {
            name: c"sys.int_info".as_ptr(),
            doc: c"sys.int_info\n\nHow integers are represented.".as_ptr(),
            fields: (&raw mut FIELDS).cast(),
            n_in_sequence: 4,
        };
        let Ok(tp) = info_type(&raw mut INT_INFO, &mut desc) else { return null_mut() };
        let Ok(info) = own(PyStructSequence_New(tp)) else { return null_mut() };
        let values = [PyLong_SHIFT as i64, 4, _PY_LONG_DEFAULT_MAX_STR_DIGITS as i64, _PY_LONG_MAX_STR_DIGITS_THRESHOLD as i64];
        for (i, v) in values.into_iter().enumerate() {
            PyStructSequence_SET_ITEM(info.as_ptr(), i as Py_ssize_t, long_from_i64(v));
        }
        info.into_raw()
    }
}

