//! The `_opcode` module: properties of instructions, from the interpreter's generated tables.

use crate::{list, new_str, tuple};
use taipan_abi::*;
use taipan_clinic::{methods, module, module::add_int};
use taipan_python::generated::opcode_metadata as metadata;

/// The index into the tables, for an opcode or pseudo opcode that exists.
fn valid(opcode: i32) -> Option<usize> {
    let index = usize::try_from(opcode).ok()?;
    metadata::OPCODE_NAMES.get(index).filter(|name| !name.is_empty()).map(|_| index)
}

fn has(opcode: i32, flag: u32) -> PyResult<bool> {
    Ok(valid(opcode).is_some_and(|i| metadata::FLAGS[i] & flag != 0))
}

fn stack_effect(_: (), opcode: i32, oparg: Borrowed<'_>, jump: Borrowed<'_>) -> PyResult<i32> {
    // SAFETY: [GIL]
    unsafe {
        let mut arg = 0;
        if !oparg.is_none() {
            arg = PyLong_AsLong(oparg.ob()) as i32;
            if arg == -1 && err_occurred() {
                return Err(Raised::assume());
            }
        }
        let jump = if jump.is_none() || jump.is(Py_True()) {
            true
        } else if jump.is(Py_False()) {
            false
        } else {
            bail!(PyExc_ValueError, "stack_effect: jump must be False, True or None");
        };
        // Such operands can't be encoded, and would overflow the sums.
        let in_range = arg.unsigned_abs() < 1 << 28;
        let effect = match valid(opcode).filter(|_| in_range) {
            Some(i) if i <= 255 && metadata::DEOPT[i] as usize != i => None,
            Some(i) if i <= 255 => metadata::stack_effect(i as u16, arg).map(|(popped, pushed)| pushed - popped),
            Some(i) => taipan_compiler::opcode::stack_effect(i as u16, arg.max(0) as u32, jump),
            None => None,
        };
        match effect {
            Some(e) => Ok(e),
            None => Err(raise!(PyExc_ValueError, "invalid opcode or oparg")),
        }
    }
}

fn is_valid(_: (), opcode: i32) -> PyResult<bool> {
    Ok(valid(opcode).is_some())
}
fn has_arg(_: (), opcode: i32) -> PyResult<bool> {
    has(opcode, metadata::HAS_ARG_FLAG)
}
fn has_const(_: (), opcode: i32) -> PyResult<bool> {
    has(opcode, metadata::HAS_CONST_FLAG)
}
fn has_name(_: (), opcode: i32) -> PyResult<bool> {
    has(opcode, metadata::HAS_NAME_FLAG)
}
fn has_jump(_: (), opcode: i32) -> PyResult<bool> {
    has(opcode, metadata::HAS_JUMP_FLAG)
}
fn has_free(_: (), opcode: i32) -> PyResult<bool> {
    has(opcode, metadata::HAS_FREE_FLAG)
}
fn has_local(_: (), opcode: i32) -> PyResult<bool> {
    has(opcode, metadata::HAS_LOCAL_FLAG)
}
fn has_exc(_: (), opcode: i32) -> PyResult<bool> {
    Ok(valid(opcode).is_some_and(|i| taipan_compiler::opcode::is_block_push(i as u16)))
}
fn get_specialization_stats(_: ()) -> PyResult<()> {
    Ok(())
}

/// Names and signs of the operands of BINARY_OP, by number.
const NB_OPS: [(&str, &str); 13] = [
    ("ADD", "+"),
    ("AND", "&"),
    ("FLOOR_DIVIDE", "//"),
    ("LSHIFT", "<<"),
    ("MATRIX_MULTIPLY", "@"),
    ("MULTIPLY", "*"),
    ("REMAINDER", "%"),
    ("OR", "|"),
    ("POWER", "**"),
    ("RSHIFT", ">>"),
    ("SUBTRACT", "-"),
    ("TRUE_DIVIDE", "/"),
    ("XOR", "^"),
];

fn get_nb_ops(_: ()) -> PyResult<Owned> {
    let pair = |name: String, sign: String| tuple(vec![new_str(&name)?, new_str(&sign)?]);
    let plain = NB_OPS.iter().map(|(n, s)| pair(format!("NB_{n}"), s.to_string()));
    let inplace = NB_OPS.iter().map(|(n, s)| pair(format!("NB_INPLACE_{n}"), format!("{s}=")));
    let all: PyResult<Vec<Owned>> = plain.chain(inplace).collect();
    list(all?)
}

fn names(names: &[&str]) -> PyResult<Owned> {
    let all: PyResult<Vec<Owned>> = names.iter().map(|n| new_str(n)).collect();
    list(all?)
}
fn get_intrinsic1_descs(_: ()) -> PyResult<Owned> {
    names(&[
        "INTRINSIC_1_INVALID",
        "INTRINSIC_PRINT",
        "INTRINSIC_IMPORT_STAR",
        "INTRINSIC_STOPITERATION_ERROR",
        "INTRINSIC_ASYNC_GEN_WRAP",
        "INTRINSIC_UNARY_POSITIVE",
        "INTRINSIC_LIST_TO_TUPLE",
        "INTRINSIC_TYPEVAR",
        "INTRINSIC_PARAMSPEC",
        "INTRINSIC_TYPEVARTUPLE",
        "INTRINSIC_SUBSCRIPT_GENERIC",
        "INTRINSIC_TYPEALIAS",
    ])
}
fn get_intrinsic2_descs(_: ()) -> PyResult<Owned> {
    names(&[
        "INTRINSIC_2_INVALID",
        "INTRINSIC_PREP_RERAISE_STAR",
        "INTRINSIC_TYPEVAR_WITH_BOUND",
        "INTRINSIC_TYPEVAR_WITH_CONSTRAINTS",
        "INTRINSIC_SET_FUNCTION_TYPE_PARAMS",
        "INTRINSIC_SET_TYPEPARAM_DEFAULT",
    ])
}

fn get_executor(_: (), code: Borrowed<'_>, _offset: i32) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyCode_Check(code.ob()) == 0 {
            bail!(PyExc_TypeError, "expected a code object, not '{}'", type_name(code.ob()));
        }
        bail!(PyExc_RuntimeError, "Executors are not available in this build")
    }
}

methods! {
    static METHODS = [
        "stack_effect($module, opcode, oparg=None, /, *, jump=None)" => stack_effect, "Return by how much the instruction changes the depth of the stack.";
        "is_valid($module, /, opcode)" => is_valid, "Return whether there is such an instruction.";
        "has_arg($module, /, opcode)" => has_arg, "Return whether the instruction uses its operand.";
        "has_const($module, /, opcode)" => has_const, "Return whether the operand selects a constant.";
        "has_name($module, /, opcode)" => has_name, "Return whether the operand selects a name.";
        "has_jump($module, /, opcode)" => has_jump, "Return whether the operand is a jump target.";
        "has_free($module, /, opcode)" => has_free, "Return whether the operand selects a free or cell variable.";
        "has_local($module, /, opcode)" => has_local, "Return whether the operand selects a local variable.";
        "has_exc($module, /, opcode)" => has_exc, "Return whether the instruction sets up an exception handler.";
        "get_specialization_stats($module, /)" => get_specialization_stats, "Return the counters of the specialiser, None unless they are kept.";
        "get_nb_ops($module, /)" => get_nb_ops, "Return names and signs of the binary operations, by operand of BINARY_OP.";
        "get_intrinsic1_descs($module, /)" => get_intrinsic1_descs, "Return the names of the unary intrinsics.";
        "get_intrinsic2_descs($module, /)" => get_intrinsic2_descs, "Return the names of the binary intrinsics.";
        "get_executor($module, /, code, offset)" => get_executor, "Return the trace that starts at an offset of the code.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    add_int(module, c"ENABLE_SPECIALIZATION", 1)
}

module! {
    /// Entry point.
    pub fn PyInit__opcode = "_opcode", "Properties of instructions.", methods: METHODS, exec: exec;
}
