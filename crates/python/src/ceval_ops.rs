//! What instructions do beyond moving slots: operators, names, displays, unpacking, imports, `match`, `with`, `raise`.
//!
//! Contract of all functions here: [GIL]; object arguments are live and lent unless said otherwise; a NULL, negative or
//! `false` result means that an exception is set.

#![allow(clippy::missing_safety_doc, reason = "one contract for the file, see its top")]

use crate::ceval_prelude::*;
use core::ffi::{CStr, c_int};

const UNBOUNDLOCAL_ERROR_MSG: &CStr = c"cannot access local variable '%.200s' where it is not associated with a value";
const UNBOUNDFREE_ERROR_MSG: &CStr =
    c"cannot access free variable '%.200s' where it is not associated with a value in enclosing scope";
const NAME_ERROR_MSG: &CStr = c"name '%.200s' is not defined";

// ---- errors about names

/// Raises `exc` with `format`, which takes the text of `name`; a NameError also gets the name as its attribute.
#[cold]
pub unsafe fn format_exc_check_arg(exc: *mut PyObject, format: &CStr, name: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let text = PyUnicode_AsUTF8(name);
        if text.is_null() {
            return;
        }
        PyErr_Format(exc, format.as_ptr(), text);
        if exc == PyExc_NameError {
            let raised = PyErr_GetRaisedException();
            let is_name_error = PyErr_GivenExceptionMatches(raised, PyExc_NameError) != 0;
            if is_name_error && (*raised.cast::<PyNameErrorObject>()).name.is_null() {
                // A failure here must not hide the NameError.
                if PyObject_SetAttr(raised, intern!("name"), name) < 0 {
                    PyErr_Clear();
                }
            }
            PyErr_SetRaisedException(raised);
        }
    }
}

/// The local variable in slot `oparg` has no value.
#[cold]
pub unsafe fn unbound_local_error(_tstate: *mut PyThreadState, frame: Frame, oparg: u32) {
    // SAFETY: [FRAME]
    unsafe {
        let name = tuple_item((*frame.code()).co_localsplusnames, oparg as usize);
        format_exc_check_arg(PyExc_UnboundLocalError, UNBOUNDLOCAL_ERROR_MSG, name);
    }
}

/// The cell in slot `oparg` is empty.
#[cold]
pub unsafe fn format_exc_unbound(_tstate: *mut PyThreadState, code: *mut PyCodeObject, oparg: u32) {
    // SAFETY: [ARGS]
    unsafe {
        if err_occurred() {
            return;
        }
        let name = tuple_item((*code).co_localsplusnames, oparg as usize);
        if (oparg as c_int) < (*code).co_nlocalsplus - (*code).co_nfreevars {
            format_exc_check_arg(PyExc_UnboundLocalError, UNBOUNDLOCAL_ERROR_MSG, name);
        } else {
            format_exc_check_arg(PyExc_NameError, UNBOUNDFREE_ERROR_MSG, name);
        }
    }
}

#[cold]
unsafe fn name_error(name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { format_exc_check_arg(PyExc_NameError, NAME_ERROR_MSG, name) };
    null_mut()
}

// ---- operators

unsafe extern "C" fn power(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyNumber_Power(a, b, Py_None()) }
}
unsafe extern "C" fn in_place_power(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyNumber_InPlacePower(a, b, Py_None()) }
}

/// BINARY_OP's functions by operand (`NB_ADD`...).
static BINARY_OPS: [binaryfunc; 26] = [
    PyNumber_Add, PyNumber_And, PyNumber_FloorDivide, PyNumber_Lshift, PyNumber_MatrixMultiply, PyNumber_Multiply,
    PyNumber_Remainder, PyNumber_Or, power, PyNumber_Rshift, PyNumber_Subtract, PyNumber_TrueDivide, PyNumber_Xor,
    PyNumber_InPlaceAdd, PyNumber_InPlaceAnd, PyNumber_InPlaceFloorDivide, PyNumber_InPlaceLshift,
    PyNumber_InPlaceMatrixMultiply, PyNumber_InPlaceMultiply, PyNumber_InPlaceRemainder, PyNumber_InPlaceOr,
    in_place_power, PyNumber_InPlaceRshift, PyNumber_InPlaceSubtract, PyNumber_InPlaceTrueDivide, PyNumber_InPlaceXor,
];

/// Applies the binary operator that `oparg` stands for.
#[inline(always)]
pub unsafe fn binary_op(oparg: u32, left: *mut PyObject, right: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match BINARY_OPS.get(oparg as usize) {
            Some(op) => op(left, right),
            None => {
                PyErr_Format(PyExc_SystemError, c"unknown binary operator %d".as_ptr(), oparg as c_int);
                null_mut()
            }
        }
    }
}

// ---- ints of at most one digit

#[inline(never)]
unsafe fn long_exact_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN] its last reference is gone.
    unsafe { taipan_objects::longobject::_PyLong_ExactDealloc(op) }
}

/// Releases an exact int.
///
/// # Safety
/// [STACK]
#[inline(always)]
pub unsafe fn close_int(int: StackRef) {
    // SAFETY: [STACK]
    unsafe { int.close_exact(long_exact_dealloc) }
}

/// An int of `value`, in the memory of an operand that nobody else holds if there is one. Consumes both operands. Empty
/// with MemoryError.
///
/// # Safety
/// [STACK] `left` and `right` are exact ints, and compact.
#[inline(always)]
pub unsafe fn int_result(left: StackRef, right: StackRef, value: i64) -> StackRef {
    use taipan_objects::longobject::{NON_SIZE_BITS, PyLong_MASK, is_small, long_from_i64, small_int};
    // SAFETY: [STACK] compact ints all have room for one digit.
    unsafe {
        if is_small(value) {
            close_int(left);
            close_int(right);
            return StackRef::from_borrowed(small_int(value as isize));
        }
        let magnitude = value.unsigned_abs();
        if magnitude <= PyLong_MASK as u64 {
            let (reused, other) = if left.is_unique() {
                (left, right)
            } else if right.is_unique() {
                (right, left)
            } else {
                (StackRef::NULL, StackRef::NULL)
            };
            if !reused.is_null() {
                let long: *mut PyLongObject = reused.as_ptr().cast();
                (*long).lv_tag = 1 << NON_SIZE_BITS | ((value < 0) as usize) << 1;
                (*long).ob_digit[0] = magnitude as u32;
                close_int(other);
                return reused;
            }
        }
        let res = long_from_i64(value);
        close_int(left);
        close_int(right);
        StackRef::from_owned(res)
    }
}

/// The result of a binary operator on two ints of at most one digit, if it is quickly computed and raises nothing.
#[inline(always)]
pub fn int_operation(oparg: u32, a: i64, b: i64) -> Option<i64> {
    // The in-place operators follow the others in the same order.
    const OPERATORS: u32 = 13;
    let operator = if oparg >= OPERATORS { oparg - OPERATORS } else { oparg };
    match operator {
        0 => Some(a + b),
        1 => Some(a & b),
        2 if b != 0 => Some(a.div_euclid(b) - (b < 0 && a.rem_euclid(b) != 0) as i64),
        3 if (0..=31).contains(&b) => Some(a << b),
        5 => Some(a * b),
        6 if b != 0 => {
            let r = a % b;
            Some(if r != 0 && (r ^ b) < 0 { r + b } else { r })
        }
        7 => Some(a | b),
        9 if b >= 0 => Some(a >> b.min(63)),
        10 => Some(a - b),
        12 => Some(a ^ b),
        _ => None,
    }
}

/// A binary operator on any two objects. Consumes both; empty with an exception.
///
/// # Safety
/// [STACK]
#[inline(always)]
pub unsafe fn binary_op_refs(oparg: u32, left: StackRef, right: StackRef) -> StackRef {
    // SAFETY: [STACK]
    unsafe {
        let (a, b) = (left.as_ptr(), right.as_ptr());
        if long_check_exact(a)
            && long_check_exact(b)
            && long_is_compact(a)
            && long_is_compact(b)
            && let Some(value) = int_operation(oparg, long_compact_value(a) as i64, long_compact_value(b) as i64)
        {
            return int_result(left, right, value);
        }
        let res = binary_op(oparg, a, b);
        left.close();
        right.close();
        StackRef::from_owned(res)
    }
}

macro_rules! int_arithmetic {
    ($($(#[$doc:meta])* $name:ident, $op:tt, $slow:ident;)*) => { $(
        $(#[$doc])*
        ///
        /// # Safety
        /// [STACK] both are exact ints.
        #[inline(always)]
        pub unsafe fn $name(left: StackRef, right: StackRef) -> StackRef {
            // SAFETY: [STACK]
            unsafe {
                let (a, b) = (left.as_ptr(), right.as_ptr());
                if long_is_compact(a) && long_is_compact(b) {
                    return int_result(left, right, long_compact_value(a) as i64 $op long_compact_value(b) as i64);
                }
                let res = $slow(a.cast(), b.cast());
                close_int(left);
                close_int(right);
                StackRef::from_owned(res)
            }
        }
    )* };
}

int_arithmetic! {
    /// `left + right`. Consumes both; empty with an exception.
    int_add, +, _PyLong_Add;
    /// `left - right`. Consumes both; empty with an exception.
    int_subtract, -, _PyLong_Subtract;
    /// `left * right`. Consumes both; empty with an exception.
    int_multiply, *, _PyLong_Multiply;
}

// ---- floats

#[inline(never)]
unsafe fn float_exact_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN] its last reference is gone.
    unsafe { taipan_objects::floatobject::_PyFloat_ExactDealloc(op) }
}

/// Releases an exact float.
///
/// # Safety
/// [STACK]
#[inline(always)]
pub unsafe fn close_float(float: StackRef) {
    // SAFETY: [STACK]
    unsafe { float.close_exact(float_exact_dealloc) }
}

/// A float of `value`, in the memory of an operand that nobody else holds if there is one. Consumes both operands.
#[inline(always)]
pub unsafe fn float_result(left: StackRef, right: StackRef, value: f64) -> *mut PyObject {
    // SAFETY: [STACK] exact floats.
    unsafe {
        if left.is_unique() {
            (*left.as_ptr().cast::<PyFloatObject>()).ob_fval = value;
            close_float(right);
            return left.as_ptr();
        }
        if right.is_unique() {
            (*right.as_ptr().cast::<PyFloatObject>()).ob_fval = value;
            close_float(left);
            return right.as_ptr();
        }
        let res = taipan_objects::floatobject::float_from_f64(value);
        close_float(left);
        close_float(right);
        res
    }
}

unsafe fn build_slice(start: *mut PyObject, stop: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PySlice_New(start, stop, Py_None()) }
}

/// `container[start:stop]`.
pub unsafe fn binary_slice(container: *mut PyObject, start: *mut PyObject, stop: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let slice = build_slice(start, stop);
        if slice.is_null() {
            return null_mut();
        }
        let res = PyObject_GetItem(container, slice);
        Py_DECREF(slice);
        res
    }
}

/// `container[start:stop] = value`.
pub unsafe fn store_slice(container: *mut PyObject, start: *mut PyObject, stop: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let slice = build_slice(start, stop);
        if slice.is_null() {
            return -1;
        }
        let res = PyObject_SetItem(container, slice, value);
        Py_DECREF(slice);
        res
    }
}

// ---- displays

/// Appends `item`, which is consumed, to a list.
#[inline(always)]
pub unsafe fn list_append_steal(list: *mut PyObject, item: StackRef) -> c_int {
    // SAFETY: [TYPE] a list.
    unsafe {
        let l: *mut PyListObject = list.cast();
        let size = ob_size(list);
        if (*l).allocated > size {
            *(*l).ob_item.offset(size) = item.steal_object();
            (*l).ob_base.ob_size = size + 1;
            return 0;
        }
        let status = PyList_Append(list, item.as_ptr());
        item.close();
        status
    }
}

/// A tuple of `n` slots, which are consumed.
pub unsafe fn tuple_from_array_steal(values: *mut StackRef, n: usize) -> *mut PyObject {
    // SAFETY: [STACK]
    unsafe { _PyTuple_FromArraySteal(as_c_array(values, n), n as isize) }
}

/// A list of `n` slots, which are consumed.
pub unsafe fn list_from_array_steal(values: *mut StackRef, n: usize) -> *mut PyObject {
    // SAFETY: [STACK]
    unsafe { _PyList_FromArraySteal(as_c_array(values, n), n as isize) }
}

/// Joins `n` strings.
pub unsafe fn build_string(pieces: *mut StackRef, n: isize) -> *mut PyObject {
    // SAFETY: [STACK]
    unsafe {
        let empty = intern!("");
        _PyUnicode_JoinArray(empty, as_c_array(pieces, n as usize), n)
    }
}

/// A set of `n` slots.
pub unsafe fn build_set(values: *mut StackRef, n: usize) -> *mut PyObject {
    // SAFETY: [STACK]
    unsafe {
        let set = PySet_New(null_mut());
        for i in 0..n {
            if set.is_null() {
                break;
            }
            if PySet_Add(set, (*values.add(i)).as_ptr()) < 0 {
                Py_DECREF(set);
                return null_mut();
            }
        }
        set
    }
}

/// A dict of `n` pairs of slots.
pub unsafe fn build_map(values: *mut StackRef, n: usize) -> *mut PyObject {
    // SAFETY: [STACK]
    unsafe {
        let items = as_c_array(values, 2 * n);
        _PyDict_FromItems(items, 2, items.add(1), 2, n as isize)
    }
}

/// A dict of `n` slots under the keys of a tuple.
pub unsafe fn build_const_key_map(values: *mut StackRef, keys: *mut PyObject, n: usize) -> *mut PyObject {
    // SAFETY: [STACK]
    unsafe { _PyDict_FromItems(tuple_items(keys), 1, as_c_array(values, n), 1, n as isize) }
}

/// `list.extend` for `[*iterable]`, with the message of the display.
pub unsafe fn list_extend_op(_tstate: *mut PyThreadState, list: *mut PyObject, iterable: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let none = _PyList_Extend(list.cast(), iterable);
        if !none.is_null() {
            return 0;
        }
        let tp = Py_TYPE(iterable);
        if PyErr_ExceptionMatches(PyExc_TypeError) != 0 && (*tp).tp_iter.is_none() && PySequence_Check(iterable) == 0 {
            PyErr_Clear();
            PyErr_Format(PyExc_TypeError, c"Value after * must be an iterable, not %.200s".as_ptr(), (*tp).tp_name);
        }
        -1
    }
}

/// `dict.update` for `{**update}`, with the message of the display.
pub unsafe fn dict_update_op(_tstate: *mut PyThreadState, dict: *mut PyObject, update: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyDict_Update(dict, update) == 0 {
            return 0;
        }
        if PyErr_ExceptionMatches(PyExc_AttributeError) != 0 {
            PyErr_Format(PyExc_TypeError, c"'%.200s' object is not a mapping".as_ptr(), (*Py_TYPE(update)).tp_name);
        }
        -1
    }
}

/// Turns the error of merging keyword arguments into one about the call of `func`.
#[cold]
pub unsafe fn format_kwargs_error(_tstate: *mut PyThreadState, func: *mut PyObject, kwargs: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if PyErr_ExceptionMatches(PyExc_AttributeError) != 0 {
            PyErr_Clear();
            let text = _PyObject_FunctionStr(func);
            if !text.is_null() {
                let name = (*Py_TYPE(kwargs)).tp_name;
                PyErr_Format(PyExc_TypeError, c"%U argument after ** must be a mapping, not %.200s".as_ptr(), text, name);
                Py_DECREF(text);
            }
        } else if PyErr_ExceptionMatches(PyExc_KeyError) != 0 {
            let exc = PyErr_GetRaisedException();
            let args = (*exc.cast::<PyBaseExceptionObject>()).args;
            if args.is_null() || PyTuple_Check(args) == 0 || ob_size(args) != 1 {
                PyErr_SetRaisedException(exc);
                return;
            }
            let text = _PyObject_FunctionStr(func);
            if !text.is_null() {
                let key = tuple_item(args, 0);
                PyErr_Format(PyExc_TypeError, c"%U got multiple values for keyword argument '%S'".as_ptr(), text, key);
                Py_DECREF(text);
            }
            Py_DECREF(exc);
        }
    }
}

// ---- unpacking

/// Writes new references to `n` items downwards to `values`, so that the first ends on top.
#[inline(always)]
pub unsafe fn push_reversed(items: *mut *mut PyObject, n: usize, values: *mut StackRef) {
    for i in 0..n {
        // SAFETY: [STACK]
        unsafe { *values.add(n - 1 - i) = StackRef::from_new(*items.add(i)) };
    }
}

/// Takes `before` items (and, if `after >= 0`, a list and `after` more) out of an iterable and writes them downwards
/// from `top`. On failure nothing is left written.
pub unsafe fn unpack_iterable(_tstate: *mut PyThreadState, v: *mut PyObject, before: c_int, after: c_int, top: *mut StackRef) -> bool {
    // SAFETY: [STACK] `top` is above as many free slots.
    unsafe {
        let iter = PyObject_GetIter(v);
        if iter.is_null() {
            let tp = Py_TYPE(v);
            if PyErr_ExceptionMatches(PyExc_TypeError) != 0 && (*tp).tp_iter.is_none() && PySequence_Check(v) == 0 {
                PyErr_Format(PyExc_TypeError, c"cannot unpack non-iterable %.200s object".as_ptr(), (*tp).tp_name);
            }
            return false;
        }
        let iter = Owned::from_owned(iter);
        let mut sp = top;
        let ok = unpack_into(iter.as_ptr(), before, after, &mut sp);
        if !ok {
            close_array(sp, top.offset_from(sp) as usize);
        }
        ok
    }
}

unsafe fn unpack_into(iter: *mut PyObject, before: c_int, after: c_int, sp: &mut *mut StackRef) -> bool {
    // SAFETY: [STACK]
    unsafe {
        let mut push = |object: *mut PyObject| {
            *sp = sp.sub(1);
            **sp = StackRef::from_owned(object);
        };
        for got in 0..before {
            let item = PyIter_Next(iter);
            if item.is_null() {
                if !err_occurred() && after < 0 {
                    let format = c"not enough values to unpack (expected %d, got %d)";
                    PyErr_Format(PyExc_ValueError, format.as_ptr(), before, got);
                } else if !err_occurred() {
                    let format = c"not enough values to unpack (expected at least %d, got %d)";
                    PyErr_Format(PyExc_ValueError, format.as_ptr(), before + after, got);
                }
                return false;
            }
            push(item);
        }
        if after < 0 {
            let extra = PyIter_Next(iter);
            if extra.is_null() {
                return !err_occurred();
            }
            Py_DECREF(extra);
            PyErr_Format(PyExc_ValueError, c"too many values to unpack (expected %d)".as_ptr(), before);
            return false;
        }
        let list = PySequence_List(iter);
        if list.is_null() {
            return false;
        }
        push(list);
        let len = ob_size(list);
        if len < after as isize {
            let format = c"not enough values to unpack (expected at least %d, got %zd)";
            PyErr_Format(PyExc_ValueError, format.as_ptr(), before + after, before as isize + len);
            return false;
        }
        // The last items move from the list to the stack.
        for i in 0..after as isize {
            push(*list_items(list).offset(len - after as isize + i));
        }
        (*list.cast::<PyListObject>()).ob_base.ob_size = len - after as isize;
        true
    }
}

// ---- names

/// `builtins['__build_class__']`, new.
pub unsafe fn load_build_class(builtins: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut found = null_mut();
        if PyMapping_GetOptionalItem(builtins, intern!("__build_class__"), &mut found) == 0 {
            PyErr_SetString(PyExc_NameError, c"__build_class__ not found".as_ptr());
        }
        found
    }
}

/// Binds a name in the frame's namespace.
pub unsafe fn store_name(frame: Frame, name: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [FRAME]
    unsafe {
        let namespace = (*frame).f_locals;
        if namespace.is_null() {
            PyErr_Format(PyExc_SystemError, c"no locals found when storing %R".as_ptr(), name);
            return -1;
        }
        if Py_TYPE(namespace) == &raw mut PyDict_Type {
            PyDict_SetItem(namespace, name, value)
        } else {
            PyObject_SetItem(namespace, name, value)
        }
    }
}

/// Unbinds a name in the frame's namespace.
pub unsafe fn delete_name(_tstate: *mut PyThreadState, frame: Frame, name: *mut PyObject) -> c_int {
    // SAFETY: [FRAME]
    unsafe {
        let namespace = (*frame).f_locals;
        if namespace.is_null() {
            PyErr_Format(PyExc_SystemError, c"no locals when deleting %R".as_ptr(), name);
            return -1;
        }
        if PyObject_DelItem(namespace, name) < 0 {
            name_error(name);
            return -1;
        }
        0
    }
}

/// Unbinds a global name.
pub unsafe fn delete_global(_tstate: *mut PyThreadState, globals: *mut PyObject, name: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let found = PyDict_Pop(globals, name, null_mut());
        if found == 0 {
            name_error(name);
        }
        if found > 0 { 0 } else { -1 }
    }
}

/// A global or built-in name, new.
pub unsafe fn load_global(_tstate: *mut PyThreadState, globals: *mut PyObject, builtins: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if Py_TYPE(globals) == &raw mut PyDict_Type && Py_TYPE(builtins) == &raw mut PyDict_Type {
            let res = _PyDict_LoadGlobal(globals.cast(), builtins.cast(), name);
            if res.is_null() && !err_occurred() {
                name_error(name);
            }
            return res;
        }
        let mut found = null_mut();
        if PyMapping_GetOptionalItem(globals, name, &mut found) != 0 {
            return found;
        }
        if PyMapping_GetOptionalItem(builtins, name, &mut found) != 0 {
            return found;
        }
        name_error(name)
    }
}

/// A name from a class's namespace or from outside, new.
pub unsafe fn load_from_dict_or_globals(
    tstate: *mut PyThreadState,
    dict: *mut PyObject,
    globals: *mut PyObject,
    builtins: *mut PyObject,
    name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut found = null_mut();
        if PyMapping_GetOptionalItem(dict, name, &mut found) != 0 {
            return found;
        }
        load_global(tstate, globals, builtins, name)
    }
}

/// A name from the frame's namespace, the globals or the builtins, new.
pub unsafe fn load_name(
    _tstate: *mut PyThreadState,
    frame: Frame,
    globals: *mut PyObject,
    builtins: *mut PyObject,
    name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let namespace = (*frame).f_locals;
        if namespace.is_null() {
            PyErr_SetString(PyExc_SystemError, c"no locals found".as_ptr());
            return null_mut();
        }
        let mut found = null_mut();
        if PyMapping_GetOptionalItem(namespace, name, &mut found) != 0
            || PyDict_GetItemRef(globals, name, &mut found) != 0
            || PyMapping_GetOptionalItem(builtins, name, &mut found) != 0
        {
            return found;
        }
        name_error(name)
    }
}

/// Gives the namespace an `__annotations__` if it has none.
pub unsafe fn setup_annotations(namespace: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if namespace.is_null() {
            PyErr_SetString(PyExc_SystemError, c"no locals found when setting up annotations".as_ptr());
            return -1;
        }
        let key = intern!("__annotations__");
        let mut found = null_mut();
        if PyMapping_GetOptionalItem(namespace, key, &mut found) != 0 {
            if found.is_null() {
                return -1;
            }
            Py_DECREF(found);
            return 0;
        }
        let dict = PyDict_New();
        if dict.is_null() {
            return -1;
        }
        let status = PyObject_SetItem(namespace, key, dict);
        Py_DECREF(dict);
        status
    }
}

/// `super().name` or `super(class, slf).name`, new.
pub unsafe fn load_super_attr(
    global_super: *mut PyObject,
    class: *mut PyObject,
    slf: *mut PyObject,
    two_args: bool,
    name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let args = [class, slf];
        let object = PyObject_Vectorcall(global_super, args.as_ptr(), if two_args { 2 } else { 0 }, null_mut());
        if object.is_null() {
            return null_mut();
        }
        let attr = PyObject_GetAttr(object, name);
        Py_DECREF(object);
        attr
    }
}

/// Tells watchers of `dict` that `name` gets `value`, and that the contents change.
#[inline(always)]
pub unsafe fn dict_notify_modified(dict: *mut PyDictObject, name: *mut PyObject, value: *mut PyObject) {
    const PyDict_EVENT_MODIFIED: c_int = 1;
    // SAFETY: [ARGS]
    unsafe {
        let watchers = (*dict).ma_version_tag & 0xff;
        if watchers != 0 {
            _PyDict_SendEvent(watchers as c_int, PyDict_EVENT_MODIFIED, dict, name, value);
        }
        (*dict).ma_version_tag += 1 << 12;
    }
}

/// Has the collector look at a dict that now holds `value`.
#[inline(always)]
pub unsafe fn dict_maybe_track(dict: *mut PyDictObject, value: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if (*Py_TYPE(value)).tp_flags & Py_TPFLAGS_HAVE_GC != 0 && PyObject_GC_IsTracked(dict.cast()) == 0 {
            PyObject_GC_Track(dict.cast());
        }
    }
}

// ---- exceptions

/// `raise` with `oparg` operands, which are consumed. Whether it re-raised the exception being handled.
pub unsafe fn do_raise(tstate: *mut PyThreadState, args: *mut StackRef, oparg: u32) -> bool {
    // SAFETY: [STACK]
    unsafe {
        if oparg == 0 {
            let mut item = (*tstate).exc_info;
            while ((*item).exc_value.is_null() || (*item).exc_value == Py_None()) && !(*item).previous_item.is_null() {
                item = (*item).previous_item;
            }
            let exc = (*item).exc_value;
            if exc.is_null() || exc == Py_None() {
                PyErr_SetString(PyExc_RuntimeError, c"No active exception to reraise".as_ptr());
                return false;
            }
            PyErr_SetRaisedException(Py_NewRef(exc));
            return true;
        }
        let exc = Owned::from_owned((*args).steal_object());
        let cause = (oparg == 2).then(|| Owned::from_owned((*args.add(1)).steal_object()));
        // An error has set its own exception.
        let _ = raise_object(exc, cause);
        false
    }
}

/// The instance that `raise` makes of its operand.
unsafe fn exception_instance(object: Owned) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let instance = Owned::from_owned_or_err(PyObject_CallNoArgs(object.as_ptr()))?;
        if PyExceptionInstance_Check(instance.as_ptr()) == 0 {
            let format = c"calling %R should have returned an instance of BaseException, not %R";
            PyErr_Format(PyExc_TypeError, format.as_ptr(), object.as_ptr(), Py_TYPE(instance.as_ptr()));
            return Err(Raised::assume());
        }
        Ok(instance)
    }
}

unsafe fn raise_object(exc: Owned, cause: Option<Owned>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let value = if PyExceptionClass_Check(exc.as_ptr()) != 0 {
            exception_instance(exc)?
        } else if PyExceptionInstance_Check(exc.as_ptr()) != 0 {
            exc
        } else {
            bail!(PyExc_TypeError, "exceptions must derive from BaseException");
        };
        if let Some(cause) = cause {
            let cause = if PyExceptionClass_Check(cause.as_ptr()) != 0 {
                exception_instance(cause)?.into_raw()
            } else if PyExceptionInstance_Check(cause.as_ptr()) != 0 {
                cause.into_raw()
            } else if cause.as_ptr() == Py_None() {
                null_mut()
            } else {
                bail!(PyExc_TypeError, "exception causes must derive from BaseException");
            };
            PyException_SetCause(value.as_ptr(), cause);
        }
        PyErr_SetObject(Py_TYPE(value.as_ptr()).cast(), value.as_ptr());
        Ok(())
    }
}

const CANNOT_CATCH_MSG: &str = "catching classes that do not inherit from BaseException is not allowed";

/// Calls `check` for each class of an `except` clause.
unsafe fn for_each_class(right: *mut PyObject, mut check: impl FnMut(*mut PyObject) -> PyResult<()>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_Check(right) == 0 {
            return check(right);
        }
        for i in 0..ob_size(right) as usize {
            check(tuple_item(right, i))?;
        }
        Ok(())
    }
}

/// Checks what stands behind `except`.
pub unsafe fn check_except_type_valid(_tstate: *mut PyThreadState, right: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        for_each_class(right, |class| {
            if PyExceptionClass_Check(class) == 0 {
                bail!(PyExc_TypeError, "{CANNOT_CATCH_MSG}");
            }
            Ok(())
        })
        .into_c()
    }
}

/// Checks what stands behind `except*`.
unsafe fn check_except_star_type_valid(right: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        for_each_class(right, |class| {
            if PyExceptionClass_Check(class) == 0 {
                bail!(PyExc_TypeError, "{CANNOT_CATCH_MSG}");
            }
            let is_group = PyObject_IsSubclass(class, PyExc_BaseExceptionGroup);
            check_status(is_group)?;
            if is_group != 0 {
                bail!(PyExc_TypeError, "catching ExceptionGroup with except* is not allowed. Use except instead.");
            }
            Ok(())
        })
    }
}

/// `except*`: puts the part of the exception that does not match, then the part that does, into `parts` (both new).
pub unsafe fn check_eg_match(tstate: *mut PyThreadState, exc: *mut PyObject, match_type: *mut PyObject, parts: &mut [*mut PyObject; 2]) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let split = check_except_star_type_valid(match_type).and_then(|()| exception_group_match(tstate, exc, match_type));
        match split {
            Ok((rest, matched)) => {
                *parts = [rest.into_raw(), matched.into_raw()];
                0
            }
            Err(_) => -1,
        }
    }
}

unsafe fn exception_group_match(tstate: *mut PyThreadState, exc: *mut PyObject, match_type: *mut PyObject) -> PyResult<(Owned, Owned)> {
    // SAFETY: [ARGS]
    unsafe {
        let none = || Owned::from_borrowed(Py_None());
        if exc == Py_None() {
            return Ok((none(), none()));
        }
        let is_group = is_instance_of(exc, PyExc_BaseExceptionGroup.cast());
        if PyErr_GivenExceptionMatches(exc, match_type) != 0 {
            if is_group {
                return Ok((none(), Owned::from_borrowed(exc)));
            }
            let excs = Owned::from_owned_or_err(PyTuple_Pack(1, exc))?;
            let wrapped = Owned::from_owned_or_err(_PyExc_CreateExceptionGroup(c"".as_ptr(), excs.as_ptr()))?;
            let frame = current_complete_frame(tstate);
            let object = if frame.is_null() { null_mut() } else { frame_get_frame_object(frame) };
            if !object.is_null() {
                let tb = Owned::from_owned_or_err(_PyTraceBack_FromFrame(null_mut(), object))?;
                PyException_SetTraceback(wrapped.as_ptr(), tb.as_ptr());
            }
            return Ok((none(), wrapped));
        }
        if !is_group {
            return Ok((Owned::from_borrowed(exc), none()));
        }
        let pair = Owned::from_owned_or_err(PyObject_CallMethodOneArg(exc, intern!("split"), match_type))?;
        let type_name = (*Py_TYPE(exc)).tp_name;
        if Py_TYPE(pair.as_ptr()) != &raw mut PyTuple_Type {
            let format = c"%.200s.split must return a tuple, not %.200s";
            PyErr_Format(PyExc_TypeError, format.as_ptr(), type_name, (*Py_TYPE(pair.as_ptr())).tp_name);
            return Err(Raised::assume());
        }
        if ob_size(pair.as_ptr()) < 2 {
            let format = c"%.200s.split must return a 2-tuple, got tuple of size %zd";
            PyErr_Format(PyExc_TypeError, format.as_ptr(), type_name, ob_size(pair.as_ptr()));
            return Err(Raised::assume());
        }
        Ok((Owned::from_borrowed(tuple_item(pair.as_ptr(), 1)), Owned::from_borrowed(tuple_item(pair.as_ptr(), 0))))
    }
}

// ---- imports

/// `import name`: calls `__import__`, or does what it does by default.
pub unsafe fn import_name(_tstate: *mut PyThreadState, frame: Frame, name: *mut PyObject, fromlist: *mut PyObject, level: *mut PyObject) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe {
        let mut import_func = null_mut();
        if PyMapping_GetOptionalItem(frame.builtins(), intern!("__import__"), &mut import_func) < 0 {
            return null_mut();
        }
        if import_func.is_null() {
            PyErr_SetString(PyExc_ImportError, c"__import__ not found".as_ptr());
            return null_mut();
        }
        let import_func = Owned::from_owned(import_func);
        let locals = if (*frame).f_locals.is_null() { Py_None() } else { (*frame).f_locals };
        if import_func.as_ptr() == crate::pystate::interp().import_func {
            let level = PyLong_AsLong(level);
            if level == -1 && err_occurred() {
                return null_mut();
            }
            return PyImport_ImportModuleLevelObject(name, frame.globals(), locals, fromlist, level as c_int);
        }
        let args = [name, frame.globals(), locals, fromlist, level];
        PyObject_Vectorcall(import_func.as_ptr(), args.as_ptr(), 5, null_mut())
    }
}

unsafe fn optional_attr(object: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let mut found = null_mut();
        check_status(PyObject_GetOptionalAttr(object, name, &mut found))?;
        Ok(Owned::from_owned_or_opt(found))
    }
}

/// `from module import name`.
pub unsafe fn import_from(_tstate: *mut PyThreadState, module: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { import_from_impl(module, name).into_c() }
}

unsafe fn import_from_impl(module: *mut PyObject, name: *mut PyObject) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(found) = optional_attr(module, name)? {
            return Ok(found);
        }
        // A circular import may not have set the attribute yet; the module is in sys.modules then.
        let module_name = optional_attr(module, intern!("__name__"))?.filter(|n| PyUnicode_Check(n.as_ptr()) != 0);
        if let Some(module_name) = &module_name {
            let full = Owned::from_owned_or_err(PyUnicode_FromFormat(c"%U.%U".as_ptr(), module_name.as_ptr(), name))?;
            let found = PyImport_GetModule(full.as_ptr());
            if !found.is_null() {
                return Ok(Owned::from_owned(found));
            }
            if err_occurred() {
                return Err(Raised::assume());
            }
        }
        import_from_error(module, name, module_name)
    }
}

#[cold]
unsafe fn import_from_error(module: *mut PyObject, name: *mut PyObject, module_name: Option<Owned>) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let shown = match &module_name {
            Some(n) => n.clone(),
            None => Owned::from_owned_or_err(PyUnicode_FromString(c"<unknown module name>".as_ptr()))?,
        };
        let shown_ptr = shown.as_ptr();
        let unknown_location = c"cannot import name %R from %R (unknown location)".as_ptr();
        let mut origin = null_mut();
        let message = match optional_attr(module, intern!("__spec__"))? {
            None => PyUnicode_FromFormat(unknown_location, name, shown_ptr),
            Some(spec) => {
                let file = taipan_objects::moduleobject::_PyModuleSpec_GetFileOrigin(spec.as_ptr())?;
                let shadowing = match &file {
                    Some(file) => taipan_objects::moduleobject::_PyModule_IsPossiblyShadowing(file.as_ptr())?,
                    None => false,
                };
                origin = file.map_or(null_mut(), Owned::into_raw);
                let shadowing_stdlib = shadowing && is_stdlib_name(shown_ptr)?;
                if origin.is_null() && PyModule_Check(module) != 0 {
                    origin = PyModule_GetFilenameObject(module);
                    if origin.is_null() {
                        if PyErr_ExceptionMatches(PyExc_SystemError) == 0 {
                            return Err(Raised::assume());
                        }
                        PyErr_Clear();
                    }
                }
                let initializing = _PyModuleSpec_IsInitializing(spec.as_ptr());
                check_status(initializing)?;
                if shadowing_stdlib {
                    let format = c"cannot import name %R from %R (consider renaming %R since it has the same name as the standard library module named %R and prevents importing that standard library module)";
                    PyUnicode_FromFormat(format.as_ptr(), name, shown_ptr, origin, shown_ptr)
                } else if initializing != 0 && shadowing {
                    let format = c"cannot import name %R from %R (consider renaming %R if it has the same name as a library you intended to import)";
                    PyUnicode_FromFormat(format.as_ptr(), name, shown_ptr, origin)
                } else if initializing != 0 && !origin.is_null() {
                    let format = c"cannot import name %R from partially initialized module %R (most likely due to a circular import) (%S)";
                    PyUnicode_FromFormat(format.as_ptr(), name, shown_ptr, origin)
                } else if initializing != 0 {
                    let format = c"cannot import name %R from partially initialized module %R (most likely due to a circular import)";
                    PyUnicode_FromFormat(format.as_ptr(), name, shown_ptr)
                } else if !origin.is_null() {
                    PyUnicode_FromFormat(c"cannot import name %R from %R (%S)".as_ptr(), name, shown_ptr, origin)
                } else {
                    PyUnicode_FromFormat(unknown_location, name, shown_ptr)
                }
            }
        };
        let _origin = Owned::from_owned_or_opt(origin);
        let message = Owned::from_owned_or_err(message)?;
        let module_name = module_name.as_ref().map_or(null_mut(), Owned::as_ptr);
        _PyErr_SetImportErrorWithNameFrom(message.as_ptr(), module_name, origin, name);
        Err(Raised::assume())
    }
}

unsafe fn is_stdlib_name(name: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(names) = Owned::from_borrowed_or_opt(PySys_GetObject(c"stdlib_module_names".as_ptr())) else {
            return Ok(false);
        };
        if PyAnySet_Check(names.as_ptr()) == 0 {
            return Ok(false);
        }
        let found = PySet_Contains(names.as_ptr(), name);
        check_status(found)?;
        Ok(found != 0)
    }
}

// ---- match statement

unsafe fn match_class_attr(subject: *mut PyObject, class: *mut PyTypeObject, name: *mut PyObject, seen: &Owned) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let known = PySet_Contains(seen.as_ptr(), name);
        check_status(known)?;
        if known != 0 {
            let format = c"%s() got multiple sub-patterns for attribute %R";
            PyErr_Format(PyExc_TypeError, format.as_ptr(), (*class).tp_name, name);
            return Err(Raised::assume());
        }
        check_status(PySet_Add(seen.as_ptr(), name))?;
        optional_attr(subject, name)
    }
}

/// `case type_(...)`: a tuple of the attributes that the sub-patterns look at, or None; new.
pub unsafe fn match_class(_tstate: *mut PyThreadState, subject: *mut PyObject, type_: *mut PyObject, nargs: isize, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match match_class_impl(subject, type_, nargs as usize, kwargs) {
            Ok(Some(attrs)) => attrs.into_raw(),
            Ok(None) => Py_NewRef(Py_None()),
            Err(_) => null_mut(),
        }
    }
}

unsafe fn match_class_impl(subject: *mut PyObject, type_: *mut PyObject, nargs: usize, kwargs: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        if !is_type(type_) {
            bail!(PyExc_TypeError, "called match pattern must be a class");
        }
        let is_instance = PyObject_IsInstance(subject, type_);
        check_status(is_instance)?;
        if is_instance == 0 {
            return Ok(None);
        }
        let class: *mut PyTypeObject = type_.cast();
        let seen = Owned::from_owned_or_err(PySet_New(null_mut()))?;
        let mut attrs: Vec<Owned> = Vec::with_capacity(nargs + ob_size(kwargs) as usize);
        if nargs > 0 {
            let match_args = optional_attr(type_, intern!("__match_args__"))?;
            let match_self = match_args.is_none() && (*class).tp_flags & Py_TPFLAGS_MATCH_SELF != 0;
            if let Some(args) = &match_args
                && Py_TYPE(args.as_ptr()) != &raw mut PyTuple_Type
            {
                let format = c"%s.__match_args__ must be a tuple (got %s)";
                PyErr_Format(PyExc_TypeError, format.as_ptr(), (*class).tp_name, (*Py_TYPE(args.as_ptr())).tp_name);
                return Err(Raised::assume());
            }
            let allowed = if match_self { 1 } else { match_args.as_ref().map_or(0, |a| ob_size(a.as_ptr()) as usize) };
            if allowed < nargs {
                let plural = if allowed == 1 { c"" } else { c"s" };
                let format = c"%s() accepts %d positional sub-pattern%s (%d given)";
                PyErr_Format(PyExc_TypeError, format.as_ptr(), (*class).tp_name, allowed as c_int, plural.as_ptr(), nargs as c_int);
                return Err(Raised::assume());
            }
            match &match_args {
                Some(args) => {
                    for i in 0..nargs {
                        let name = tuple_item(args.as_ptr(), i);
                        if !unicode_check_exact(name) {
                            let format = c"__match_args__ elements must be strings (got %s)";
                            PyErr_Format(PyExc_TypeError, format.as_ptr(), (*Py_TYPE(name)).tp_name);
                            return Err(Raised::assume());
                        }
                        let Some(attr) = match_class_attr(subject, class, name, &seen)? else { return Ok(None) };
                        attrs.push(attr);
                    }
                }
                None => attrs.push(Owned::from_borrowed(subject)),
            }
        }
        for i in 0..ob_size(kwargs) as usize {
            let Some(attr) = match_class_attr(subject, class, tuple_item(kwargs, i), &seen)? else { return Ok(None) };
            attrs.push(attr);
        }
        let tuple = Owned::from_owned_or_err(PyTuple_New(attrs.len() as isize))?;
        for (i, attr) in attrs.into_iter().enumerate() {
            *tuple_items(tuple.as_ptr()).add(i) = attr.into_raw();
        }
        Ok(Some(tuple))
    }
}

/// `case {...}`: a tuple of the values under `keys`, or None if one is missing; new.
pub unsafe fn match_keys(_tstate: *mut PyThreadState, map: *mut PyObject, keys: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { match_keys_impl(map, keys).into_c() }
}

unsafe fn match_keys_impl(map: *mut PyObject, keys: *mut PyObject) -> PyResult {
    // SAFETY: [ARGS]
    unsafe {
        let n = ob_size(keys) as usize;
        if n == 0 {
            return Owned::from_owned_or_err(PyTuple_New(0));
        }
        // get() with a default finds out without __missing__ having effects.
        let mut get = null_mut();
        let is_method = _PyObject_GetMethod(map, intern!("get"), &mut get) != 0;
        let get = Owned::from_owned_or_err(get)?;
        let seen = Owned::from_owned_or_err(PySet_New(null_mut()))?;
        let dummy = Owned::from_owned_or_err(PyObject_CallNoArgs((&raw mut PyBaseObject_Type).cast()))?;
        let values = Owned::from_owned_or_err(PyTuple_New(n as isize))?;
        for i in 0..n {
            let key = tuple_item(keys, i);
            let known = PySet_Contains(seen.as_ptr(), key);
            check_status(known)?;
            if known != 0 {
                PyErr_Format(PyExc_ValueError, c"mapping pattern checks duplicate key (%R)".as_ptr(), key);
                return Err(Raised::assume());
            }
            check_status(PySet_Add(seen.as_ptr(), key))?;
            let args = [map, key, dummy.as_ptr()];
            let skip = !is_method as usize;
            let value = PyObject_Vectorcall(get.as_ptr(), args.as_ptr().add(skip), 3 - skip, null_mut());
            let value = Owned::from_owned_or_err(value)?;
            if value.as_ptr() == dummy.as_ptr() {
                return Ok(Owned::from_borrowed(Py_None()));
            }
            *tuple_items(values.as_ptr()).add(i) = value.into_raw();
        }
        Ok(values)
    }
}

// ---- iteration and context managers

/// The next item of an iterator; NULL with or without StopIteration at the end.
#[inline(always)]
pub unsafe fn iter_next(iter: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] GET_ITER made sure that it is an iterator.
    unsafe {
        match (*Py_TYPE(iter)).tp_iternext {
            Some(next) => next(iter),
            None => {
                PyErr_Format(PyExc_TypeError, c"'%.200s' object is not an iterator".as_ptr(), (*Py_TYPE(iter)).tp_name);
                null_mut()
            }
        }
    }
}

/// An iterator has returned NULL: 0 at the end, -1 for an error.
pub unsafe fn for_iter_exhausted(tstate: *mut PyThreadState, frame: Frame, this_instr: *mut CodeUnit) -> c_int {
    // SAFETY: [FRAME]
    unsafe {
        if !(*tstate).current_exception.is_null() {
            if PyErr_ExceptionMatches(PyExc_StopIteration) == 0 {
                return -1;
            }
            monitor_raise(tstate, frame, this_instr);
            PyErr_Clear();
        }
        0
    }
}

/// Looks up `__exit__` and `__enter__` (or the asynchronous ones): both bound and new, in this order.
pub unsafe fn before_with(_tstate: *mut PyThreadState, mgr: *mut PyObject, asynchronous: bool, pair: &mut [*mut PyObject; 2]) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let (enter_name, exit_name) = if asynchronous {
            (intern!("__aenter__"), intern!("__aexit__"))
        } else {
            (intern!("__enter__"), intern!("__exit__"))
        };
        let missing = |format: &CStr| {
            if !err_occurred() {
                PyErr_Format(PyExc_TypeError, format.as_ptr(), (*Py_TYPE(mgr)).tp_name);
            }
            -1
        };
        let enter = _PyObject_LookupSpecial(mgr, enter_name);
        if enter.is_null() {
            return missing(if asynchronous {
                c"'%.200s' object does not support the asynchronous context manager protocol"
            } else {
                c"'%.200s' object does not support the context manager protocol"
            });
        }
        let exit = _PyObject_LookupSpecial(mgr, exit_name);
        if exit.is_null() {
            Py_DECREF(enter);
            return missing(if asynchronous {
                c"'%.200s' object does not support the asynchronous context manager protocol (missed __aexit__ method)"
            } else {
                c"'%.200s' object does not support the context manager protocol (missed __exit__ method)"
            });
        }
        *pair = [exit, enter];
        0
    }
}

/// Calls `__exit__` with the exception that left the block.
pub unsafe fn with_except_start(exit_func: *mut PyObject, exc: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let tb = Owned::from_owned_or_opt(PyException_GetTraceback(exc));
        let tb = tb.as_ref().map_or(Py_None(), Owned::as_ptr);
        let args = [null_mut(), Py_TYPE(exc).cast(), exc, tb];
        PyObject_Vectorcall(exit_func, args.as_ptr().add(1), 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, null_mut())
    }
}

/// The value of an index for slicing, as `_PyEval_SliceIndex`: clipped, `None` leaves `pi` alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SliceIndex(v: *mut PyObject, pi: *mut Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if v == Py_None() {
            return 1;
        }
        if PyIndex_Check(v) == 0 {
            let text = c"slice indices must be integers or None or have an __index__ method";
            PyErr_SetString(PyExc_TypeError, text.as_ptr());
            return 0;
        }
        _PyEval_SliceIndexNotNone(v, pi)
    }
}

/// As [`_PyEval_SliceIndex`], but `None` is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SliceIndexNotNone(v: *mut PyObject, pi: *mut Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyIndex_Check(v) == 0 {
            let text = c"slice indices must be integers or have an __index__ method";
            PyErr_SetString(PyExc_TypeError, text.as_ptr());
            return 0;
        }
        let x = PyNumber_AsSsize_t(v, null_mut());
        if x == -1 && err_occurred() {
            return 0;
        }
        *pi = x;
        1
    }
}
