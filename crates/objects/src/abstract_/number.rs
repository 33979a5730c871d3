//! The number protocol: operators with their order of attempts, and conversions.

use super::*;

/// `nb_index` of an object's type.
#[inline(always)]
pub(crate) unsafe fn index_slot(op: *mut PyObject) -> Option<unaryfunc> {
    // SAFETY: [ARGS]
    unsafe { slot!(op, tp_as_number, nb_index) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyIndex_Check(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { index_slot(op).is_some() as c_int }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_Check(o: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if o.is_null() {
            return 0;
        }
        let nb = (*(*o).ob_type).tp_as_number;
        (!nb.is_null()
            && ((*nb).nb_index.is_some()
                || (*nb).nb_int.is_some()
                || (*nb).nb_float.is_some()
                || PyComplex_Check(o) != 0)) as c_int
    }
}

#[inline(always)]
fn same(a: Option<binaryfunc>, b: Option<binaryfunc>) -> bool {
    a.map(|f| f as usize) == b.map(|f| f as usize)
}

/// Tries the two operands' slots: a subclass on the right goes first, else left, then right. NotImplemented if none
/// answers.
#[inline(always)]
unsafe fn binary_op1(
    v: *mut PyObject,
    w: *mut PyObject,
    get: impl Fn(&PyNumberMethods) -> Option<binaryfunc>,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let (tv, tw) = ((*v).ob_type, (*w).ob_type);
        let slotv = (*tv).tp_as_number.as_ref().and_then(&get);
        let mut slotw = None;
        if tw != tv {
            slotw = (*tw).tp_as_number.as_ref().and_then(&get);
            if same(slotw, slotv) {
                slotw = None;
            }
        }
        if let Some(f) = slotv {
            if let Some(g) = slotw
                && PyType_IsSubtype(tw, tv) != 0
            {
                let x = g(v, w);
                if x != Py_NotImplemented() {
                    return x;
                }
                slotw = None;
            }
            let x = f(v, w);
            if x != Py_NotImplemented() {
                return x;
            }
        }
        if let Some(g) = slotw {
            return g(v, w);
        }
        Py_NotImplemented()
    }
}

#[cold]
unsafe fn binop_type_error(v: *mut PyObject, w: *mut PyObject, op: &str) -> *mut PyObject {
    let _ = raise!(PyExc_TypeError, "unsupported operand type(s) for {}: '{}' and '{}'", op, name100(v), name100(w));
    null_mut()
}

/// `print >> file` is Python 2's: say what it has become.
#[cold]
unsafe fn rshift_type_error(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyCFunction_CheckExact(v) != 0 {
            let def = (*v.cast::<PyCFunctionObject>()).m_ml;
            if !def.is_null() && core::ffi::CStr::from_ptr((*def).ml_name) == c"print" {
                let _ = raise!(
                    PyExc_TypeError,
                    "unsupported operand type(s) for >>: '{}' and '{}'. Did you mean \"print(<message>, file=<output_stream>)\"?",
                    name100(v),
                    name100(w)
                );
                return null_mut();
            }
        }
        binop_type_error(v, w, ">>")
    }
}

macro_rules! binary {
    ($($name:ident, $slot:ident, $op:literal;)*) => { $(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe {
                let x = binary_op1(v, w, |nb| nb.$slot);
                if x == Py_NotImplemented() { binop_type_error(v, w, $op) } else { x }
            }
        }
    )* };
}
binary! {
    PyNumber_Or, nb_or, "|";
    PyNumber_Xor, nb_xor, "^";
    PyNumber_And, nb_and, "&";
    PyNumber_Lshift, nb_lshift, "<<";
    PyNumber_Subtract, nb_subtract, "-";
    PyNumber_Divmod, nb_divmod, "divmod()";
    PyNumber_MatrixMultiply, nb_matrix_multiply, "@";
    PyNumber_FloorDivide, nb_floor_divide, "//";
    PyNumber_TrueDivide, nb_true_divide, "/";
    PyNumber_Remainder, nb_remainder, "%";
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_Rshift(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let x = binary_op1(v, w, |nb| nb.nb_rshift);
        if x == Py_NotImplemented() { rshift_type_error(v, w) } else { x }
    }
}

/// `v + w` where only sequences add: used by `PySequence_Concat` too.
#[inline]
pub(crate) unsafe fn add_numbers(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { binary_op1(v, w, |nb| nb.nb_add) }
}
pub(crate) unsafe fn multiply_numbers(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { binary_op1(v, w, |nb| nb.nb_multiply) }
}
pub(crate) unsafe fn inplace_add_numbers(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { binary_iop1(v, w, |nb| nb.nb_inplace_add, |nb| nb.nb_add) }
}
pub(crate) unsafe fn inplace_multiply_numbers(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { binary_iop1(v, w, |nb| nb.nb_inplace_multiply, |nb| nb.nb_multiply) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_Add(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let x = add_numbers(v, w);
        if x != Py_NotImplemented() {
            return x;
        }
        if let Some(f) = slot!(v, tp_as_sequence, sq_concat) {
            return f(v, w);
        }
        binop_type_error(v, w, "+")
    }
}

unsafe fn sequence_repeat(f: ssizeargfunc, seq: *mut PyObject, n: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if index_slot(n).is_none() {
            return type_error!("can't multiply sequence by non-int of type '{}'", n);
        }
        let count = PyNumber_AsSsize_t(n, PyExc_OverflowError);
        if count == -1 && err_occurred() {
            return null_mut();
        }
        f(seq, count)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_Multiply(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let x = multiply_numbers(v, w);
        if x != Py_NotImplemented() {
            return x;
        }
        if let Some(f) = slot!(v, tp_as_sequence, sq_repeat) {
            return sequence_repeat(f, v, w);
        }
        if let Some(f) = slot!(w, tp_as_sequence, sq_repeat) {
            return sequence_repeat(f, w, v);
        }
        binop_type_error(v, w, "*")
    }
}

#[inline(always)]
fn same3(a: Option<ternaryfunc>, b: Option<ternaryfunc>) -> bool {
    a.map(|f| f as usize) == b.map(|f| f as usize)
}

/// As [`binary_op1`] with a third operand, which is asked last.
unsafe fn ternary_op(
    v: *mut PyObject,
    w: *mut PyObject,
    z: *mut PyObject,
    get: impl Fn(&PyNumberMethods) -> Option<ternaryfunc>,
    op: &str,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let (tv, tw) = ((*v).ob_type, (*w).ob_type);
        let slotv = (*tv).tp_as_number.as_ref().and_then(&get);
        let mut slotw = None;
        if tw != tv {
            slotw = (*tw).tp_as_number.as_ref().and_then(&get);
            if same3(slotw, slotv) {
                slotw = None;
            }
        }
        let tried_w = slotw;
        if let Some(f) = slotv {
            if let Some(g) = slotw
                && PyType_IsSubtype(tw, tv) != 0
            {
                let x = g(v, w, z);
                if x != Py_NotImplemented() {
                    return x;
                }
                slotw = None;
            }
            let x = f(v, w, z);
            if x != Py_NotImplemented() {
                return x;
            }
        }
        if let Some(g) = slotw {
            let x = g(v, w, z);
            if x != Py_NotImplemented() {
                return x;
            }
        }
        let slotz = (*(*z).ob_type).tp_as_number.as_ref().and_then(&get);
        if let Some(h) = slotz
            && !same3(slotz, slotv)
            && !same3(slotz, tried_w)
        {
            let x = h(v, w, z);
            if x != Py_NotImplemented() {
                return x;
            }
        }
        if z == Py_None() {
            return binop_type_error(v, w, op);
        }
        let _ = raise!(
            PyExc_TypeError,
            "unsupported operand type(s) for {}: '{}', '{}', '{}'",
            op,
            name100(v),
            name100(w),
            name100(z)
        );
        null_mut()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_Power(v: *mut PyObject, w: *mut PyObject, z: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { ternary_op(v, w, z, |nb| nb.nb_power, "** or pow()") }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyNumber_PowerNoMod(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyNumber_Power(v, w, Py_None()) }
}

#[inline(always)]
unsafe fn binary_iop1(
    v: *mut PyObject,
    w: *mut PyObject,
    inplace: impl Fn(&PyNumberMethods) -> Option<binaryfunc>,
    plain: impl Fn(&PyNumberMethods) -> Option<binaryfunc>,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(f) = (*(*v).ob_type).tp_as_number.as_ref().and_then(inplace) {
            let x = f(v, w);
            if x != Py_NotImplemented() {
                return x;
            }
        }
        binary_op1(v, w, plain)
    }
}

macro_rules! inplace {
    ($($name:ident, $islot:ident, $slot:ident, $op:literal;)*) => { $(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe {
                let x = binary_iop1(v, w, |nb| nb.$islot, |nb| nb.$slot);
                if x == Py_NotImplemented() { binop_type_error(v, w, $op) } else { x }
            }
        }
    )* };
}
inplace! {
    PyNumber_InPlaceOr, nb_inplace_or, nb_or, "|=";
    PyNumber_InPlaceXor, nb_inplace_xor, nb_xor, "^=";
    PyNumber_InPlaceAnd, nb_inplace_and, nb_and, "&=";
    PyNumber_InPlaceLshift, nb_inplace_lshift, nb_lshift, "<<=";
    PyNumber_InPlaceRshift, nb_inplace_rshift, nb_rshift, ">>=";
    PyNumber_InPlaceSubtract, nb_inplace_subtract, nb_subtract, "-=";
    PyNumber_InPlaceMatrixMultiply, nb_inplace_matrix_multiply, nb_matrix_multiply, "@=";
    PyNumber_InPlaceFloorDivide, nb_inplace_floor_divide, nb_floor_divide, "//=";
    PyNumber_InPlaceTrueDivide, nb_inplace_true_divide, nb_true_divide, "/=";
    PyNumber_InPlaceRemainder, nb_inplace_remainder, nb_remainder, "%=";
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_InPlaceAdd(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let x = inplace_add_numbers(v, w);
        if x != Py_NotImplemented() {
            return x;
        }
        let sq = (*(*v).ob_type).tp_as_sequence;
        if !sq.is_null()
            && let Some(f) = (*sq).sq_inplace_concat.or((*sq).sq_concat)
        {
            return f(v, w);
        }
        binop_type_error(v, w, "+=")
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_InPlaceMultiply(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let x = inplace_multiply_numbers(v, w);
        if x != Py_NotImplemented() {
            return x;
        }
        let sq = (*(*v).ob_type).tp_as_sequence;
        if !sq.is_null() {
            if let Some(f) = (*sq).sq_inplace_repeat.or((*sq).sq_repeat) {
                return sequence_repeat(f, v, w);
            }
        } else if let Some(f) = slot!(w, tp_as_sequence, sq_repeat) {
            // The right operand isn't changed in place.
            return sequence_repeat(f, w, v);
        }
        binop_type_error(v, w, "*=")
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_InPlacePower(v: *mut PyObject, w: *mut PyObject, z: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(f) = slot!(v, tp_as_number, nb_inplace_power) {
            let x = f(v, w, z);
            if x != Py_NotImplemented() {
                return x;
            }
        }
        ternary_op(v, w, z, |nb| nb.nb_power, "**=")
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyNumber_InPlacePowerNoMod(v: *mut PyObject, w: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyNumber_InPlacePower(v, w, Py_None()) }
}

macro_rules! unary {
    ($($name:ident, $slot:ident, $message:literal;)*) => { $(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(o: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe {
                if o.is_null() {
                    return null_error();
                }
                match slot!(o, tp_as_number, $slot) {
                    Some(f) => f(o),
                    None => type_error!($message, o),
                }
            }
        }
    )* };
}
unary! {
    PyNumber_Negative, nb_negative, "bad operand type for unary -: '{}'";
    PyNumber_Positive, nb_positive, "bad operand type for unary +: '{}'";
    PyNumber_Invert, nb_invert, "bad operand type for unary ~: '{}'";
    PyNumber_Absolute, nb_absolute, "bad operand type for abs(): '{}'";
}

/// A DeprecationWarning for results of strict subclasses.
unsafe fn subclass_warning(message: &str) -> PyResult<()> {
    let text = std::ffi::CString::new(message).unwrap_or_default();
    // SAFETY: [GIL]
    check_status(unsafe { PyErr_WarnEx(PyExc_DeprecationWarning, text.as_ptr(), 1) })
}

/// `operator.index`, which may be of a subclass of int.
pub(crate) unsafe fn index(item: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if item.is_null() {
            null_error();
            return Err(Raised::assume());
        }
        if PyLong_Check(item) != 0 {
            return Ok(Owned::from_borrowed(item));
        }
        let Some(f) = index_slot(item) else {
            bail!(PyExc_TypeError, "'{}' object cannot be interpreted as an integer", type_name(item));
        };
        let result = Owned::from_owned_or_err(f(item))?;
        if PyLong_CheckExact(result.as_ptr()) != 0 {
            return Ok(result);
        }
        if PyLong_Check(result.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "__index__ returned non-int (type {})", type_name(result.as_ptr()));
        }
        subclass_warning(&format!(
            "__index__ returned non-int (type {}).  The ability to return an instance of a strict subclass of int is deprecated, and may be removed in a future version of Python.",
            type_name(result.as_ptr())
        ))?;
        Ok(result)
    }
}

unsafe extern "C" {
    fn _PyLong_Copy(v: *mut PyLongObject) -> *mut PyObject;
    fn _PyLong_Format(v: *mut PyObject, base: c_int) -> *mut PyObject;
    fn _PyLong_FromBytes(s: *const c_char, len: Py_ssize_t, base: c_int) -> *mut PyObject;
    fn _PyLong_Sign(v: *mut PyObject) -> c_int;
}

/// An exact int of what may be of a subclass.
unsafe fn exact_int(v: Owned) -> PyResult<Owned> {
    // SAFETY: [TYPE] an int.
    unsafe {
        if PyLong_CheckExact(v.as_ptr()) != 0 {
            return Ok(v);
        }
        Owned::from_owned_or_err(_PyLong_Copy(v.as_ptr().cast()))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyNumber_Index(item: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { index(item).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_Index(item: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { index(item).and_then(|v| exact_int(v)).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_AsSsize_t(item: *mut PyObject, err: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        if !item.is_null() && PyLong_Check(item) != 0 && crate::longobject::is_compact(item.cast()) {
            return crate::longobject::compact_value(item.cast());
        }
        let Ok(value) = index(item) else { return -1 };
        let result = PyLong_AsSsize_t(value.as_ptr());
        if result != -1 || !err_occurred() || PyErr_ExceptionMatches(PyExc_OverflowError) == 0 {
            return result;
        }
        PyErr_Clear();
        if err.is_null() {
            // No exception asked for: the nearest value that fits.
            return if _PyLong_Sign(value.as_ptr()) < 0 { isize::MIN } else { isize::MAX };
        }
        PyErr_Format(
            err,
            c"cannot fit '%.200s' into an index-sized integer".as_ptr(),
            (*(*item).ob_type).tp_name,
        );
        -1
    }
}

unsafe fn number_long(o: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyLong_CheckExact(o) != 0 {
            return Ok(Owned::from_borrowed(o));
        }
        if let Some(f) = slot!(o, tp_as_number, nb_int) {
            let result = Owned::from_owned_or_err(f(o))?;
            if PyLong_CheckExact(result.as_ptr()) != 0 {
                return Ok(result);
            }
            if PyLong_Check(result.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "__int__ returned non-int (type {})", type_name(result.as_ptr()));
            }
            subclass_warning(&format!(
                "__int__ returned non-int (type {}).  The ability to return an instance of a strict subclass of int is deprecated, and may be removed in a future version of Python.",
                type_name(result.as_ptr())
            ))?;
            return exact_int(result);
        }
        if index_slot(o).is_some() {
            return exact_int(index(o)?);
        }
        if let Some(trunc) = Owned::from_owned_or_opt(_PyObject_LookupSpecial(o, intern!("__trunc__"))) {
            check_status(PyErr_WarnEx(
                PyExc_DeprecationWarning,
                c"The delegation of int() to __trunc__ is deprecated.".as_ptr(),
                1,
            ))?;
            let result = Owned::from_owned_or_err(PyObject_CallNoArgs(trunc.as_ptr()))?;
            if PyLong_Check(result.as_ptr()) != 0 {
                return exact_int(result);
            }
            if index_slot(result.as_ptr()).is_none() {
                bail!(PyExc_TypeError, "__trunc__ returned non-Integral (type {})", type_name(result.as_ptr()));
            }
            return exact_int(index(result.as_ptr())?);
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        if PyUnicode_Check(o) != 0 {
            return Owned::from_owned_or_err(PyLong_FromUnicodeObject(o, 10));
        }
        if PyBytes_Check(o) != 0 {
            return Owned::from_owned_or_err(_PyLong_FromBytes(PyBytes_AsString(o), PyBytes_Size(o), 10));
        }
        if PyByteArray_Check(o) != 0 {
            return Owned::from_owned_or_err(_PyLong_FromBytes(PyByteArray_AsString(o), PyByteArray_Size(o), 10));
        }
        let mut view = core::mem::zeroed::<Py_buffer>();
        if buffer::PyObject_GetBuffer(o, &mut view, PyBUF_SIMPLE) == 0 {
            // A copy, because the digits must end with a NUL.
            let bytes = PyBytes_FromStringAndSize(view.buf.cast(), view.len);
            buffer::PyBuffer_Release(&mut view);
            let bytes = Owned::from_owned_or_err(bytes)?;
            return Owned::from_owned_or_err(_PyLong_FromBytes(
                PyBytes_AsString(bytes.as_ptr()),
                PyBytes_Size(bytes.as_ptr()),
                10,
            ));
        }
        bail!(
            PyExc_TypeError,
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            type_name(o)
        );
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_Long(o: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { if o.is_null() { null_error() } else { number_long(o).into_c() } }
}

unsafe fn name50<'a>(op: *mut PyObject) -> std::borrow::Cow<'a, str> {
    // SAFETY: [ARGS]
    unsafe {
        let name = core::ffi::CStr::from_ptr((*(*op).ob_type).tp_name).to_bytes();
        String::from_utf8_lossy(&name[..name.len().min(50)])
    }
}

unsafe fn number_float(o: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyFloat_CheckExact(o) != 0 {
            return Ok(Owned::from_borrowed(o));
        }
        if let Some(f) = slot!(o, tp_as_number, nb_float) {
            let res = Owned::from_owned_or_err(f(o))?;
            if PyFloat_CheckExact(res.as_ptr()) != 0 {
                return Ok(res);
            }
            if PyFloat_Check(res.as_ptr()) == 0 {
                bail!(
                    PyExc_TypeError,
                    "{}.__float__ returned non-float (type {})",
                    name50(o),
                    name50(res.as_ptr())
                );
            }
            subclass_warning(&format!(
                "{}.__float__ returned non-float (type {}).  The ability to return an instance of a strict subclass of float is deprecated, and may be removed in a future version of Python.",
                name50(o),
                name50(res.as_ptr())
            ))?;
            return Owned::from_owned_or_err(PyFloat_FromDouble(PyFloat_AS_DOUBLE(res.as_ptr())));
        }
        if index_slot(o).is_some() {
            let res = index(o)?;
            let val = PyLong_AsDouble(res.as_ptr());
            if val == -1.0 && err_occurred() {
                return Err(Raised::assume());
            }
            return Owned::from_owned_or_err(PyFloat_FromDouble(val));
        }
        if PyFloat_Check(o) != 0 {
            return Owned::from_owned_or_err(PyFloat_FromDouble(PyFloat_AS_DOUBLE(o)));
        }
        Owned::from_owned_or_err(PyFloat_FromString(o))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_Float(o: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { if o.is_null() { null_error() } else { number_float(o).into_c() } }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyNumber_ToBase(n: *mut PyObject, base: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !matches!(base, 2 | 8 | 10 | 16) {
            let _ = raise!(PyExc_SystemError, "PyNumber_ToBase: base must be 2, 8, 10 or 16");
            return null_mut();
        }
        match index(n) {
            Ok(i) => _PyLong_Format(i.as_ptr(), base),
            Err(_) => null_mut(),
        }
    }
}
