//! Unary and binary operators, comparison, truth.

inst(UNARY_NEGATIVE, (value -- res)) {
    res = PyNumber_Negative(value);
    error_if!(res.is_null());
}

pure inst(UNARY_NOT, (value -- ref res)) {
    res = StackRef::from_bool(value == Py_False());
}

inst(UNARY_INVERT, (value -- res)) {
    res = PyNumber_Invert(value);
    error_if!(res.is_null());
}

family(TO_BOOL) = {
    TO_BOOL_ALWAYS_TRUE, TO_BOOL_BOOL, TO_BOOL_INT, TO_BOOL_LIST, TO_BOOL_NONE, TO_BOOL_STR,
};

specializing op(_SPECIALIZE_TO_BOOL, (counter/1, value -- value)) {
    specialize!(counter, specialize_to_bool(value, this_instr));
}

op(_TO_BOOL, (value -- ref res)) {
    let truth = PyObject_IsTrue(value);
    error_if!(truth < 0);
    res = StackRef::from_bool(truth != 0);
}

macro(TO_BOOL) = _SPECIALIZE_TO_BOOL + unused/2 + _TO_BOOL;

op(_GUARD_TOS_BOOL, (value -- value)) {
    exit_if!(Py_TYPE(value) != &raw mut PyBool_Type);
}

macro(TO_BOOL_BOOL) = unused/1 + unused/2 + _GUARD_TOS_BOOL;

op(_GUARD_TOS_INT, (value -- value)) {
    exit_if!(!long_check_exact(value));
}

op(_TO_BOOL_INT, (value -- ref res)) {
    res = StackRef::from_bool(!long_is_zero(value));
}

macro(TO_BOOL_INT) = unused/1 + unused/2 + _GUARD_TOS_INT + _TO_BOOL_INT;

op(_GUARD_TOS_LIST, (value -- value)) {
    exit_if!(Py_TYPE(value) != &raw mut PyList_Type);
}

op(_TO_BOOL_LIST, (value -- ref res)) {
    res = StackRef::from_bool(ob_size(value) != 0);
}

macro(TO_BOOL_LIST) = unused/1 + unused/2 + _GUARD_TOS_LIST + _TO_BOOL_LIST;

op(_TO_BOOL_NONE, (value -- ref res)) {
    exit_if!(value != Py_None());
    res = StackRef::from_bool(false);
}

macro(TO_BOOL_NONE) = unused/1 + unused/2 + _TO_BOOL_NONE;

op(_GUARD_TOS_UNICODE, (value -- value)) {
    exit_if!(!unicode_check_exact(value));
}

op(_TO_BOOL_STR, (value -- ref res)) {
    res = StackRef::from_bool(unicode_length(value) != 0);
}

macro(TO_BOOL_STR) = unused/1 + unused/2 + _GUARD_TOS_UNICODE + _TO_BOOL_STR;

op(_REPLACE_WITH_TRUE, (value -- ref res)) {
    res = StackRef::from_bool(true);
}

macro(TO_BOOL_ALWAYS_TRUE) = unused/1 + _GUARD_TYPE_VERSION + _REPLACE_WITH_TRUE;

family(BINARY_OP) = {
    BINARY_OP_MULTIPLY_INT, BINARY_OP_ADD_INT, BINARY_OP_SUBTRACT_INT,
    BINARY_OP_MULTIPLY_FLOAT, BINARY_OP_ADD_FLOAT, BINARY_OP_SUBTRACT_FLOAT,
    BINARY_OP_ADD_UNICODE, BINARY_OP_INPLACE_ADD_UNICODE,
};

specializing op(_SPECIALIZE_BINARY_OP, (counter/1, left, right -- left, right)) {
    specialize!(counter, specialize_binary_op(left, right, this_instr, oparg, locals));
}

op(_BINARY_OP, (ref left, ref right -- ref res)) {
    res = binary_op_refs(oparg, left, right);
    error_pop_if!(2, res.is_null());
}

macro(BINARY_OP) = _SPECIALIZE_BINARY_OP + _BINARY_OP;

op(_GUARD_BOTH_INT, (left, right -- left, right)) {
    exit_if!(!long_check_exact(left));
    exit_if!(!long_check_exact(right));
}

op(_BINARY_OP_MULTIPLY_INT, (ref left, ref right -- ref res)) {
    res = int_multiply(left, right);
    error_pop_if!(2, res.is_null());
}

op(_BINARY_OP_ADD_INT, (ref left, ref right -- ref res)) {
    res = int_add(left, right);
    error_pop_if!(2, res.is_null());
}

op(_BINARY_OP_SUBTRACT_INT, (ref left, ref right -- ref res)) {
    res = int_subtract(left, right);
    error_pop_if!(2, res.is_null());
}

macro(BINARY_OP_MULTIPLY_INT) = _GUARD_BOTH_INT + unused/1 + _BINARY_OP_MULTIPLY_INT;
macro(BINARY_OP_ADD_INT) = _GUARD_BOTH_INT + unused/1 + _BINARY_OP_ADD_INT;
macro(BINARY_OP_SUBTRACT_INT) = _GUARD_BOTH_INT + unused/1 + _BINARY_OP_SUBTRACT_INT;

op(_GUARD_BOTH_FLOAT, (left, right -- left, right)) {
    exit_if!(!float_check_exact(left));
    exit_if!(!float_check_exact(right));
}

op(_BINARY_OP_MULTIPLY_FLOAT, (ref left, ref right -- res)) {
    res = float_result(left, right, float_value(left.as_ptr()) * float_value(right.as_ptr()));
    error_pop_if!(2, res.is_null());
}

op(_BINARY_OP_ADD_FLOAT, (ref left, ref right -- res)) {
    res = float_result(left, right, float_value(left.as_ptr()) + float_value(right.as_ptr()));
    error_pop_if!(2, res.is_null());
}

op(_BINARY_OP_SUBTRACT_FLOAT, (ref left, ref right -- res)) {
    res = float_result(left, right, float_value(left.as_ptr()) - float_value(right.as_ptr()));
    error_pop_if!(2, res.is_null());
}

macro(BINARY_OP_MULTIPLY_FLOAT) = _GUARD_BOTH_FLOAT + unused/1 + _BINARY_OP_MULTIPLY_FLOAT;
macro(BINARY_OP_ADD_FLOAT) = _GUARD_BOTH_FLOAT + unused/1 + _BINARY_OP_ADD_FLOAT;
macro(BINARY_OP_SUBTRACT_FLOAT) = _GUARD_BOTH_FLOAT + unused/1 + _BINARY_OP_SUBTRACT_FLOAT;

op(_GUARD_BOTH_UNICODE, (left, right -- left, right)) {
    exit_if!(!unicode_check_exact(left));
    exit_if!(!unicode_check_exact(right));
}

op(_BINARY_OP_ADD_UNICODE, (left, right -- res)) {
    res = PyUnicode_Concat(left, right);
    error_if!(res.is_null());
}

macro(BINARY_OP_ADD_UNICODE) = _GUARD_BOTH_UNICODE + unused/1 + _BINARY_OP_ADD_UNICODE;

// `a = a + b` or `a += b` on strings, fused with the STORE_FAST that follows: with the stack's reference given up, the
// local variable holds the only one, and PyUnicode_Append may extend the string in place.
raw op(_BINARY_OP_INPLACE_ADD_UNICODE, (left, right --)) {
    let left = *sp.sub(2);
    let target = local!(oparg_of(next_instr));
    deopt_if!((*target).as_ptr() != left.as_ptr());
    left.close();
    sp = sp.sub(2);
    let right = *sp.add(1);
    let mut text = core::mem::replace(&mut *target, StackRef::NULL).steal_object();
    PyUnicode_Append(&mut text, right.as_ptr());
    *target = StackRef::from_owned(text);
    right.close();
    error_if!(text.is_null());
    next_instr = next_instr.add(1);
}

macro(BINARY_OP_INPLACE_ADD_UNICODE) = _GUARD_BOTH_UNICODE + unused/1 + _BINARY_OP_INPLACE_ADD_UNICODE;

family(COMPARE_OP) = { COMPARE_OP_FLOAT, COMPARE_OP_INT, COMPARE_OP_STR };

specializing op(_SPECIALIZE_COMPARE_OP, (counter/1, left, right -- left, right)) {
    specialize!(counter, specialize_compare_op(left, right, this_instr, oparg));
}

op(_COMPARE_OP, (left, right -- ref res)) {
    let value = PyObject_RichCompare(left, right, (oparg >> 5) as i32);
    error_if!(value.is_null());
    res = StackRef::from_owned(value);
    if oparg & 16 != 0 {
        let truth = PyObject_IsTrue(value);
        Py_DECREF(value);
        error_if!(truth < 0);
        res = StackRef::from_bool(truth != 0);
    }
}

macro(COMPARE_OP) = _SPECIALIZE_COMPARE_OP + _COMPARE_OP;

// The low four bits of the operand say which outcomes are true: unordered, less, greater, equal.
op(_COMPARE_OP_FLOAT, (ref left, ref right -- ref res)) {
    let bit = comparison_bit(float_value(left.as_ptr()), float_value(right.as_ptr()));
    close_float(left);
    close_float(right);
    res = StackRef::from_bool(bit & oparg != 0);
}

op(_GUARD_BOTH_COMPACT, (left, right -- left, right)) {
    deopt_if!(!long_is_compact(left));
    deopt_if!(!long_is_compact(right));
}

op(_COMPARE_OP_INT, (ref left, ref right -- ref res)) {
    let bit = comparison_bit(long_compact_value(left.as_ptr()), long_compact_value(right.as_ptr()));
    close_int(left);
    close_int(right);
    res = StackRef::from_bool(bit & oparg != 0);
}

op(_COMPARE_OP_STR, (left, right -- ref res)) {
    let equal = (left == right || _PyUnicode_Equal(left, right) != 0) as u32;
    res = StackRef::from_bool((COMPARISON_NOT_EQUALS + equal) & oparg != 0);
}

macro(COMPARE_OP_FLOAT) = _GUARD_BOTH_FLOAT + unused/1 + _COMPARE_OP_FLOAT;
macro(COMPARE_OP_INT) = _GUARD_BOTH_INT + unused/1 + _GUARD_BOTH_COMPACT + _COMPARE_OP_INT;
macro(COMPARE_OP_STR) = _GUARD_BOTH_UNICODE + unused/1 + _COMPARE_OP_STR;

inst(IS_OP, (left, right -- ref b)) {
    b = StackRef::from_bool((left == right) as u32 ^ oparg != 0);
}

family(CONTAINS_OP) = { CONTAINS_OP_SET, CONTAINS_OP_DICT };

specializing op(_SPECIALIZE_CONTAINS_OP, (counter/1, left, right -- left, right)) {
    specialize!(counter, specialize_contains_op(right, this_instr));
}

op(_CONTAINS_OP, (left, right -- ref b)) {
    let res = PySequence_Contains(right, left);
    error_if!(res < 0);
    b = StackRef::from_bool(res as u32 ^ oparg != 0);
}

macro(CONTAINS_OP) = _SPECIALIZE_CONTAINS_OP + _CONTAINS_OP;

op(_GUARD_TOS_ANY_SET, (value -- value)) {
    deopt_if!(Py_TYPE(value) != &raw mut PySet_Type && Py_TYPE(value) != &raw mut PyFrozenSet_Type);
}

op(_CONTAINS_OP_SET, (left, right -- ref b)) {
    let res = _PySet_Contains(right.cast(), left);
    error_if!(res < 0);
    b = StackRef::from_bool(res as u32 ^ oparg != 0);
}

macro(CONTAINS_OP_SET) = unused/1 + _GUARD_TOS_ANY_SET + _CONTAINS_OP_SET;

op(_GUARD_TOS_DICT, (value -- value)) {
    deopt_if!(Py_TYPE(value) != &raw mut PyDict_Type);
}

op(_CONTAINS_OP_DICT, (left, right -- ref b)) {
    let res = PyDict_Contains(right, left);
    error_if!(res < 0);
    b = StackRef::from_bool(res as u32 ^ oparg != 0);
}

macro(CONTAINS_OP_DICT) = unused/1 + _GUARD_TOS_DICT + _CONTAINS_OP_DICT;
