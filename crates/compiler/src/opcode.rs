//! Opcode numbers, properties and stack effects of CPython 3.13 that the compiler needs.
//!
//! `crates/bytecodes` is the authority for what it defines; this table holds
//! what a compiler has to know (unspecialised and pseudo instructions), so that
//! the crate stands alone. Pseudo instructions exist up to the assembler only.

/// An opcode; pseudo instructions need more than eight bits.
pub type Opcode = u16;

/// `CACHE`.
pub const CACHE: Opcode = 0;
/// `BEFORE_ASYNC_WITH`.
pub const BEFORE_ASYNC_WITH: Opcode = 1;
/// `BEFORE_WITH`.
pub const BEFORE_WITH: Opcode = 2;
/// `BINARY_OP_INPLACE_ADD_UNICODE`.
pub const BINARY_OP_INPLACE_ADD_UNICODE: Opcode = 3;
/// `BINARY_SLICE`.
pub const BINARY_SLICE: Opcode = 4;
/// `BINARY_SUBSCR`.
pub const BINARY_SUBSCR: Opcode = 5;
/// `CHECK_EG_MATCH`.
pub const CHECK_EG_MATCH: Opcode = 6;
/// `CHECK_EXC_MATCH`.
pub const CHECK_EXC_MATCH: Opcode = 7;
/// `CLEANUP_THROW`.
pub const CLEANUP_THROW: Opcode = 8;
/// `DELETE_SUBSCR`.
pub const DELETE_SUBSCR: Opcode = 9;
/// `END_ASYNC_FOR`.
pub const END_ASYNC_FOR: Opcode = 10;
/// `END_FOR`.
pub const END_FOR: Opcode = 11;
/// `END_SEND`.
pub const END_SEND: Opcode = 12;
/// `EXIT_INIT_CHECK`.
pub const EXIT_INIT_CHECK: Opcode = 13;
/// `FORMAT_SIMPLE`.
pub const FORMAT_SIMPLE: Opcode = 14;
/// `FORMAT_WITH_SPEC`.
pub const FORMAT_WITH_SPEC: Opcode = 15;
/// `GET_AITER`.
pub const GET_AITER: Opcode = 16;
/// `RESERVED`.
pub const RESERVED: Opcode = 17;
/// `GET_ANEXT`.
pub const GET_ANEXT: Opcode = 18;
/// `GET_ITER`.
pub const GET_ITER: Opcode = 19;
/// `GET_LEN`.
pub const GET_LEN: Opcode = 20;
/// `GET_YIELD_FROM_ITER`.
pub const GET_YIELD_FROM_ITER: Opcode = 21;
/// `INTERPRETER_EXIT`.
pub const INTERPRETER_EXIT: Opcode = 22;
/// `LOAD_ASSERTION_ERROR`.
pub const LOAD_ASSERTION_ERROR: Opcode = 23;
/// `LOAD_BUILD_CLASS`.
pub const LOAD_BUILD_CLASS: Opcode = 24;
/// `LOAD_LOCALS`.
pub const LOAD_LOCALS: Opcode = 25;
/// `MAKE_FUNCTION`.
pub const MAKE_FUNCTION: Opcode = 26;
/// `MATCH_KEYS`.
pub const MATCH_KEYS: Opcode = 27;
/// `MATCH_MAPPING`.
pub const MATCH_MAPPING: Opcode = 28;
/// `MATCH_SEQUENCE`.
pub const MATCH_SEQUENCE: Opcode = 29;
/// `NOP`.
pub const NOP: Opcode = 30;
/// `POP_EXCEPT`.
pub const POP_EXCEPT: Opcode = 31;
/// `POP_TOP`.
pub const POP_TOP: Opcode = 32;
/// `PUSH_EXC_INFO`.
pub const PUSH_EXC_INFO: Opcode = 33;
/// `PUSH_NULL`.
pub const PUSH_NULL: Opcode = 34;
/// `RETURN_GENERATOR`.
pub const RETURN_GENERATOR: Opcode = 35;
/// `RETURN_VALUE`.
pub const RETURN_VALUE: Opcode = 36;
/// `SETUP_ANNOTATIONS`.
pub const SETUP_ANNOTATIONS: Opcode = 37;
/// `STORE_SLICE`.
pub const STORE_SLICE: Opcode = 38;
/// `STORE_SUBSCR`.
pub const STORE_SUBSCR: Opcode = 39;
/// `TO_BOOL`.
pub const TO_BOOL: Opcode = 40;
/// `UNARY_INVERT`.
pub const UNARY_INVERT: Opcode = 41;
/// `UNARY_NEGATIVE`.
pub const UNARY_NEGATIVE: Opcode = 42;
/// `UNARY_NOT`.
pub const UNARY_NOT: Opcode = 43;
/// `WITH_EXCEPT_START`.
pub const WITH_EXCEPT_START: Opcode = 44;
/// `BINARY_OP`.
pub const BINARY_OP: Opcode = 45;
/// `BUILD_CONST_KEY_MAP`.
pub const BUILD_CONST_KEY_MAP: Opcode = 46;
/// `BUILD_LIST`.
pub const BUILD_LIST: Opcode = 47;
/// `BUILD_MAP`.
pub const BUILD_MAP: Opcode = 48;
/// `BUILD_SET`.
pub const BUILD_SET: Opcode = 49;
/// `BUILD_SLICE`.
pub const BUILD_SLICE: Opcode = 50;
/// `BUILD_STRING`.
pub const BUILD_STRING: Opcode = 51;
/// `BUILD_TUPLE`.
pub const BUILD_TUPLE: Opcode = 52;
/// `CALL`.
pub const CALL: Opcode = 53;
/// `CALL_FUNCTION_EX`.
pub const CALL_FUNCTION_EX: Opcode = 54;
/// `CALL_INTRINSIC_1`.
pub const CALL_INTRINSIC_1: Opcode = 55;
/// `CALL_INTRINSIC_2`.
pub const CALL_INTRINSIC_2: Opcode = 56;
/// `CALL_KW`.
pub const CALL_KW: Opcode = 57;
/// `COMPARE_OP`.
pub const COMPARE_OP: Opcode = 58;
/// `CONTAINS_OP`.
pub const CONTAINS_OP: Opcode = 59;
/// `CONVERT_VALUE`.
pub const CONVERT_VALUE: Opcode = 60;
/// `COPY`.
pub const COPY: Opcode = 61;
/// `COPY_FREE_VARS`.
pub const COPY_FREE_VARS: Opcode = 62;
/// `DELETE_ATTR`.
pub const DELETE_ATTR: Opcode = 63;
/// `DELETE_DEREF`.
pub const DELETE_DEREF: Opcode = 64;
/// `DELETE_FAST`.
pub const DELETE_FAST: Opcode = 65;
/// `DELETE_GLOBAL`.
pub const DELETE_GLOBAL: Opcode = 66;
/// `DELETE_NAME`.
pub const DELETE_NAME: Opcode = 67;
/// `DICT_MERGE`.
pub const DICT_MERGE: Opcode = 68;
/// `DICT_UPDATE`.
pub const DICT_UPDATE: Opcode = 69;
/// `ENTER_EXECUTOR`.
pub const ENTER_EXECUTOR: Opcode = 70;
/// `EXTENDED_ARG`.
pub const EXTENDED_ARG: Opcode = 71;
/// `FOR_ITER`.
pub const FOR_ITER: Opcode = 72;
/// `GET_AWAITABLE`.
pub const GET_AWAITABLE: Opcode = 73;
/// `IMPORT_FROM`.
pub const IMPORT_FROM: Opcode = 74;
/// `IMPORT_NAME`.
pub const IMPORT_NAME: Opcode = 75;
/// `IS_OP`.
pub const IS_OP: Opcode = 76;
/// `JUMP_BACKWARD`.
pub const JUMP_BACKWARD: Opcode = 77;
/// `JUMP_BACKWARD_NO_INTERRUPT`.
pub const JUMP_BACKWARD_NO_INTERRUPT: Opcode = 78;
/// `JUMP_FORWARD`.
pub const JUMP_FORWARD: Opcode = 79;
/// `LIST_APPEND`.
pub const LIST_APPEND: Opcode = 80;
/// `LIST_EXTEND`.
pub const LIST_EXTEND: Opcode = 81;
/// `LOAD_ATTR`.
pub const LOAD_ATTR: Opcode = 82;
/// `LOAD_CONST`.
pub const LOAD_CONST: Opcode = 83;
/// `LOAD_DEREF`.
pub const LOAD_DEREF: Opcode = 84;
/// `LOAD_FAST`.
pub const LOAD_FAST: Opcode = 85;
/// `LOAD_FAST_AND_CLEAR`.
pub const LOAD_FAST_AND_CLEAR: Opcode = 86;
/// `LOAD_FAST_CHECK`.
pub const LOAD_FAST_CHECK: Opcode = 87;
/// `LOAD_FAST_LOAD_FAST`.
pub const LOAD_FAST_LOAD_FAST: Opcode = 88;
/// `LOAD_FROM_DICT_OR_DEREF`.
pub const LOAD_FROM_DICT_OR_DEREF: Opcode = 89;
/// `LOAD_FROM_DICT_OR_GLOBALS`.
pub const LOAD_FROM_DICT_OR_GLOBALS: Opcode = 90;
/// `LOAD_GLOBAL`.
pub const LOAD_GLOBAL: Opcode = 91;
/// `LOAD_NAME`.
pub const LOAD_NAME: Opcode = 92;
/// `LOAD_SUPER_ATTR`.
pub const LOAD_SUPER_ATTR: Opcode = 93;
/// `MAKE_CELL`.
pub const MAKE_CELL: Opcode = 94;
/// `MAP_ADD`.
pub const MAP_ADD: Opcode = 95;
/// `MATCH_CLASS`.
pub const MATCH_CLASS: Opcode = 96;
/// `POP_JUMP_IF_FALSE`.
pub const POP_JUMP_IF_FALSE: Opcode = 97;
/// `POP_JUMP_IF_NONE`.
pub const POP_JUMP_IF_NONE: Opcode = 98;
/// `POP_JUMP_IF_NOT_NONE`.
pub const POP_JUMP_IF_NOT_NONE: Opcode = 99;
/// `POP_JUMP_IF_TRUE`.
pub const POP_JUMP_IF_TRUE: Opcode = 100;
/// `RAISE_VARARGS`.
pub const RAISE_VARARGS: Opcode = 101;
/// `RERAISE`.
pub const RERAISE: Opcode = 102;
/// `RETURN_CONST`.
pub const RETURN_CONST: Opcode = 103;
/// `SEND`.
pub const SEND: Opcode = 104;
/// `SET_ADD`.
pub const SET_ADD: Opcode = 105;
/// `SET_FUNCTION_ATTRIBUTE`.
pub const SET_FUNCTION_ATTRIBUTE: Opcode = 106;
/// `SET_UPDATE`.
pub const SET_UPDATE: Opcode = 107;
/// `STORE_ATTR`.
pub const STORE_ATTR: Opcode = 108;
/// `STORE_DEREF`.
pub const STORE_DEREF: Opcode = 109;
/// `STORE_FAST`.
pub const STORE_FAST: Opcode = 110;
/// `STORE_FAST_LOAD_FAST`.
pub const STORE_FAST_LOAD_FAST: Opcode = 111;
/// `STORE_FAST_STORE_FAST`.
pub const STORE_FAST_STORE_FAST: Opcode = 112;
/// `STORE_GLOBAL`.
pub const STORE_GLOBAL: Opcode = 113;
/// `STORE_NAME`.
pub const STORE_NAME: Opcode = 114;
/// `SWAP`.
pub const SWAP: Opcode = 115;
/// `UNPACK_EX`.
pub const UNPACK_EX: Opcode = 116;
/// `UNPACK_SEQUENCE`.
pub const UNPACK_SEQUENCE: Opcode = 117;
/// `YIELD_VALUE`.
pub const YIELD_VALUE: Opcode = 118;
/// `RESUME`.
pub const RESUME: Opcode = 149;
/// `JUMP`.
pub const JUMP: Opcode = 256;
/// `JUMP_NO_INTERRUPT`.
pub const JUMP_NO_INTERRUPT: Opcode = 257;
/// `LOAD_CLOSURE`.
pub const LOAD_CLOSURE: Opcode = 258;
/// `LOAD_METHOD`.
pub const LOAD_METHOD: Opcode = 259;
/// `LOAD_SUPER_METHOD`.
pub const LOAD_SUPER_METHOD: Opcode = 260;
/// `LOAD_ZERO_SUPER_ATTR`.
pub const LOAD_ZERO_SUPER_ATTR: Opcode = 261;
/// `LOAD_ZERO_SUPER_METHOD`.
pub const LOAD_ZERO_SUPER_METHOD: Opcode = 262;
/// `POP_BLOCK`.
pub const POP_BLOCK: Opcode = 263;
/// `SETUP_CLEANUP`.
pub const SETUP_CLEANUP: Opcode = 264;
/// `SETUP_FINALLY`.
pub const SETUP_FINALLY: Opcode = 265;
/// `SETUP_WITH`.
pub const SETUP_WITH: Opcode = 266;
/// `STORE_FAST_MAYBE_NULL`.
pub const STORE_FAST_MAYBE_NULL: Opcode = 267;

/// Names by number, empty where 3.13 has no unspecialised instruction.
pub static OPCODE_NAMES: [&str; 268] = {
    let mut names = [""; 268];
    names[0] = "CACHE";
    names[1] = "BEFORE_ASYNC_WITH";
    names[2] = "BEFORE_WITH";
    names[3] = "BINARY_OP_INPLACE_ADD_UNICODE";
    names[4] = "BINARY_SLICE";
    names[5] = "BINARY_SUBSCR";
    names[6] = "CHECK_EG_MATCH";
    names[7] = "CHECK_EXC_MATCH";
    names[8] = "CLEANUP_THROW";
    names[9] = "DELETE_SUBSCR";
    names[10] = "END_ASYNC_FOR";
    names[11] = "END_FOR";
    names[12] = "END_SEND";
    names[13] = "EXIT_INIT_CHECK";
    names[14] = "FORMAT_SIMPLE";
    names[15] = "FORMAT_WITH_SPEC";
    names[16] = "GET_AITER";
    names[17] = "RESERVED";
    names[18] = "GET_ANEXT";
    names[19] = "GET_ITER";
    names[20] = "GET_LEN";
    names[21] = "GET_YIELD_FROM_ITER";
    names[22] = "INTERPRETER_EXIT";
    names[23] = "LOAD_ASSERTION_ERROR";
    names[24] = "LOAD_BUILD_CLASS";
    names[25] = "LOAD_LOCALS";
    names[26] = "MAKE_FUNCTION";
    names[27] = "MATCH_KEYS";
    names[28] = "MATCH_MAPPING";
    names[29] = "MATCH_SEQUENCE";
    names[30] = "NOP";
    names[31] = "POP_EXCEPT";
    names[32] = "POP_TOP";
    names[33] = "PUSH_EXC_INFO";
    names[34] = "PUSH_NULL";
    names[35] = "RETURN_GENERATOR";
    names[36] = "RETURN_VALUE";
    names[37] = "SETUP_ANNOTATIONS";
    names[38] = "STORE_SLICE";
    names[39] = "STORE_SUBSCR";
    names[40] = "TO_BOOL";
    names[41] = "UNARY_INVERT";
    names[42] = "UNARY_NEGATIVE";
    names[43] = "UNARY_NOT";
    names[44] = "WITH_EXCEPT_START";
    names[45] = "BINARY_OP";
    names[46] = "BUILD_CONST_KEY_MAP";
    names[47] = "BUILD_LIST";
    names[48] = "BUILD_MAP";
    names[49] = "BUILD_SET";
    names[50] = "BUILD_SLICE";
    names[51] = "BUILD_STRING";
    names[52] = "BUILD_TUPLE";
    names[53] = "CALL";
    names[54] = "CALL_FUNCTION_EX";
    names[55] = "CALL_INTRINSIC_1";
    names[56] = "CALL_INTRINSIC_2";
    names[57] = "CALL_KW";
    names[58] = "COMPARE_OP";
    names[59] = "CONTAINS_OP";
    names[60] = "CONVERT_VALUE";
    names[61] = "COPY";
    names[62] = "COPY_FREE_VARS";
    names[63] = "DELETE_ATTR";
    names[64] = "DELETE_DEREF";
    names[65] = "DELETE_FAST";
    names[66] = "DELETE_GLOBAL";
    names[67] = "DELETE_NAME";
    names[68] = "DICT_MERGE";
    names[69] = "DICT_UPDATE";
    names[70] = "ENTER_EXECUTOR";
    names[71] = "EXTENDED_ARG";
    names[72] = "FOR_ITER";
    names[73] = "GET_AWAITABLE";
    names[74] = "IMPORT_FROM";
    names[75] = "IMPORT_NAME";
    names[76] = "IS_OP";
    names[77] = "JUMP_BACKWARD";
    names[78] = "JUMP_BACKWARD_NO_INTERRUPT";
    names[79] = "JUMP_FORWARD";
    names[80] = "LIST_APPEND";
    names[81] = "LIST_EXTEND";
    names[82] = "LOAD_ATTR";
    names[83] = "LOAD_CONST";
    names[84] = "LOAD_DEREF";
    names[85] = "LOAD_FAST";
    names[86] = "LOAD_FAST_AND_CLEAR";
    names[87] = "LOAD_FAST_CHECK";
    names[88] = "LOAD_FAST_LOAD_FAST";
    names[89] = "LOAD_FROM_DICT_OR_DEREF";
    names[90] = "LOAD_FROM_DICT_OR_GLOBALS";
    names[91] = "LOAD_GLOBAL";
    names[92] = "LOAD_NAME";
    names[93] = "LOAD_SUPER_ATTR";
    names[94] = "MAKE_CELL";
    names[95] = "MAP_ADD";
    names[96] = "MATCH_CLASS";
    names[97] = "POP_JUMP_IF_FALSE";
    names[98] = "POP_JUMP_IF_NONE";
    names[99] = "POP_JUMP_IF_NOT_NONE";
    names[100] = "POP_JUMP_IF_TRUE";
    names[101] = "RAISE_VARARGS";
    names[102] = "RERAISE";
    names[103] = "RETURN_CONST";
    names[104] = "SEND";
    names[105] = "SET_ADD";
    names[106] = "SET_FUNCTION_ATTRIBUTE";
    names[107] = "SET_UPDATE";
    names[108] = "STORE_ATTR";
    names[109] = "STORE_DEREF";
    names[110] = "STORE_FAST";
    names[111] = "STORE_FAST_LOAD_FAST";
    names[112] = "STORE_FAST_STORE_FAST";
    names[113] = "STORE_GLOBAL";
    names[114] = "STORE_NAME";
    names[115] = "SWAP";
    names[116] = "UNPACK_EX";
    names[117] = "UNPACK_SEQUENCE";
    names[118] = "YIELD_VALUE";
    names[149] = "RESUME";
    names[256] = "JUMP";
    names[257] = "JUMP_NO_INTERRUPT";
    names[258] = "LOAD_CLOSURE";
    names[259] = "LOAD_METHOD";
    names[260] = "LOAD_SUPER_METHOD";
    names[261] = "LOAD_ZERO_SUPER_ATTR";
    names[262] = "LOAD_ZERO_SUPER_METHOD";
    names[263] = "POP_BLOCK";
    names[264] = "SETUP_CLEANUP";
    names[265] = "SETUP_FINALLY";
    names[266] = "SETUP_WITH";
    names[267] = "STORE_FAST_MAYBE_NULL";
    names
};

const HAS_ARG: u8 = 1;
const HAS_JUMP: u8 = 2;
const IS_BLOCK_PUSH: u8 = 4;
const SCOPE_EXIT: u8 = 8;
const UNCONDITIONAL_JUMP: u8 = 16;
const HAS_EVAL_BREAK: u8 = 32;
const HAS_CONST: u8 = 64;

const fn mark(mut table: [u8; 268], ops: &[Opcode], flag: u8) -> [u8; 268] {
    let mut i = 0;
    while i < ops.len() {
        table[ops[i] as usize] |= flag;
        i += 1;
    }
    table
}

static PROPERTIES: [u8; 268] = {
    let mut t = [0u8; 268];
    t = mark(
        t,
        &[
            BINARY_OP, BUILD_CONST_KEY_MAP, BUILD_LIST, BUILD_MAP, BUILD_SET, BUILD_SLICE, BUILD_STRING,
            BUILD_TUPLE, CALL, CALL_FUNCTION_EX, CALL_INTRINSIC_1, CALL_INTRINSIC_2, CALL_KW, COMPARE_OP,
            CONTAINS_OP, CONVERT_VALUE, COPY, COPY_FREE_VARS, DELETE_ATTR, DELETE_DEREF, DELETE_FAST,
            DELETE_GLOBAL, DELETE_NAME, DICT_MERGE, DICT_UPDATE, ENTER_EXECUTOR, EXTENDED_ARG, FOR_ITER,
            GET_AWAITABLE, IMPORT_FROM, IMPORT_NAME, IS_OP, JUMP_BACKWARD, JUMP_BACKWARD_NO_INTERRUPT,
            JUMP_FORWARD, LIST_APPEND, LIST_EXTEND, LOAD_ATTR, LOAD_CONST, LOAD_DEREF, LOAD_FAST,
            LOAD_FAST_AND_CLEAR, LOAD_FAST_CHECK, LOAD_FAST_LOAD_FAST, LOAD_FROM_DICT_OR_DEREF,
            LOAD_FROM_DICT_OR_GLOBALS, LOAD_GLOBAL, LOAD_NAME, LOAD_SUPER_ATTR, MAKE_CELL, MAP_ADD,
            MATCH_CLASS, POP_JUMP_IF_FALSE, POP_JUMP_IF_NONE, POP_JUMP_IF_NOT_NONE, POP_JUMP_IF_TRUE,
            RAISE_VARARGS, RERAISE, RETURN_CONST, SEND, SET_ADD, SET_FUNCTION_ATTRIBUTE, SET_UPDATE,
            STORE_ATTR, STORE_DEREF, STORE_FAST, STORE_FAST_LOAD_FAST, STORE_FAST_STORE_FAST, STORE_GLOBAL,
            STORE_NAME, SWAP, UNPACK_EX, UNPACK_SEQUENCE, YIELD_VALUE, RESUME,
            JUMP, JUMP_NO_INTERRUPT, LOAD_CLOSURE, LOAD_METHOD, LOAD_SUPER_METHOD, LOAD_ZERO_SUPER_ATTR, LOAD_ZERO_SUPER_METHOD,
            SETUP_CLEANUP, SETUP_FINALLY, SETUP_WITH, STORE_FAST_MAYBE_NULL,
        ],
        HAS_ARG,
    );
    t = mark(
        t,
        &[
            FOR_ITER, JUMP_BACKWARD, JUMP_BACKWARD_NO_INTERRUPT, JUMP_FORWARD, POP_JUMP_IF_FALSE,
            POP_JUMP_IF_NONE, POP_JUMP_IF_NOT_NONE, POP_JUMP_IF_TRUE, SEND,
            JUMP, JUMP_NO_INTERRUPT,
        ],
        HAS_JUMP,
    );
    t = mark(
        t,
        &[
            SETUP_FINALLY, SETUP_WITH, SETUP_CLEANUP,
        ],
        IS_BLOCK_PUSH,
    );
    t = mark(
        t,
        &[
            RETURN_VALUE, RETURN_CONST, RAISE_VARARGS, RERAISE,
        ],
        SCOPE_EXIT,
    );
    t = mark(
        t,
        &[
            JUMP, JUMP_NO_INTERRUPT, JUMP_FORWARD, JUMP_BACKWARD, JUMP_BACKWARD_NO_INTERRUPT,
        ],
        UNCONDITIONAL_JUMP,
    );
    t = mark(
        t,
        &[
            CALL, CALL_FUNCTION_EX, CALL_KW, JUMP_BACKWARD, RESUME,
            JUMP,
        ],
        HAS_EVAL_BREAK,
    );
    t = mark(
        t,
        &[
            LOAD_CONST, RETURN_CONST,
        ],
        HAS_CONST,
    );
    t
};

/// Does the instruction take an argument?
#[inline]
pub fn has_arg(op: Opcode) -> bool {
    PROPERTIES[op as usize] & HAS_ARG != 0
}

/// Does it (conditionally) jump?
#[inline]
pub fn has_jump(op: Opcode) -> bool {
    PROPERTIES[op as usize] & HAS_JUMP != 0
}

/// Does it push an exception handler?
#[inline]
pub fn is_block_push(op: Opcode) -> bool {
    PROPERTIES[op as usize] & IS_BLOCK_PUSH != 0
}

/// Is its argument a label?
#[inline]
pub fn has_target(op: Opcode) -> bool {
    PROPERTIES[op as usize] & (HAS_JUMP | IS_BLOCK_PUSH) != 0
}

/// Does it leave the frame?
#[inline]
pub fn is_scope_exit(op: Opcode) -> bool {
    PROPERTIES[op as usize] & SCOPE_EXIT != 0
}

/// Must it be the last of its block?
#[inline]
pub fn is_terminator(op: Opcode) -> bool {
    PROPERTIES[op as usize] & (HAS_JUMP | SCOPE_EXIT) != 0
}

/// Does control never reach the next instruction, by a jump?
#[inline]
pub fn is_unconditional_jump(op: Opcode) -> bool {
    PROPERTIES[op as usize] & UNCONDITIONAL_JUMP != 0
}

/// Does control never reach the next instruction?
#[inline]
pub fn no_fallthrough(op: Opcode) -> bool {
    PROPERTIES[op as usize] & (UNCONDITIONAL_JUMP | SCOPE_EXIT) != 0
}

/// Does it check for signals and the like?
#[inline]
pub fn has_eval_break(op: Opcode) -> bool {
    PROPERTIES[op as usize] & HAS_EVAL_BREAK != 0
}

/// Is its argument the index of a constant?
#[inline]
pub fn has_const(op: Opcode) -> bool {
    PROPERTIES[op as usize] & HAS_CONST != 0
}

/// How many code units of inline cache follow the instruction.
pub static CACHES: [u8; 256] = {
    let mut t = [0u8; 256];
    t[JUMP_BACKWARD as usize] = 1;
    t[TO_BOOL as usize] = 3;
    t[BINARY_SUBSCR as usize] = 1;
    t[STORE_SUBSCR as usize] = 1;
    t[SEND as usize] = 1;
    t[UNPACK_SEQUENCE as usize] = 1;
    t[STORE_ATTR as usize] = 4;
    t[LOAD_GLOBAL as usize] = 4;
    t[LOAD_SUPER_ATTR as usize] = 1;
    t[LOAD_ATTR as usize] = 9;
    t[COMPARE_OP as usize] = 1;
    t[CONTAINS_OP as usize] = 1;
    t[POP_JUMP_IF_TRUE as usize] = 1;
    t[POP_JUMP_IF_FALSE as usize] = 1;
    t[POP_JUMP_IF_NONE as usize] = 1;
    t[POP_JUMP_IF_NOT_NONE as usize] = 1;
    t[FOR_ITER as usize] = 1;
    t[CALL as usize] = 3;
    t[BINARY_OP as usize] = 1;
    t
};

/// The change of the stack's depth; `None` for what has no defined effect.
///
/// `jump` tells whether the target of a jump or of a handler's set-up is
/// reached, or the next instruction.
pub fn stack_effect(op: Opcode, oparg: u32, jump: bool) -> Option<i32> {
    let arg = oparg as i32;
    Some(match op {
        STORE_SLICE => -4,
        STORE_SUBSCR => -3,
        BINARY_OP_INPLACE_ADD_UNICODE | BINARY_SLICE | DELETE_SUBSCR | END_ASYNC_FOR | MAP_ADD | MATCH_CLASS
        | STORE_ATTR | STORE_FAST_STORE_FAST => -2,
        BINARY_SUBSCR | CLEANUP_THROW | END_FOR | END_SEND | EXIT_INIT_CHECK | FORMAT_WITH_SPEC
        | INTERPRETER_EXIT | POP_EXCEPT | POP_TOP | RETURN_VALUE | BINARY_OP | CALL_INTRINSIC_2 | COMPARE_OP
        | CONTAINS_OP | DELETE_ATTR | DICT_MERGE | DICT_UPDATE | IMPORT_NAME | IS_OP | LIST_APPEND
        | LIST_EXTEND | POP_JUMP_IF_FALSE | POP_JUMP_IF_NONE | POP_JUMP_IF_NOT_NONE | POP_JUMP_IF_TRUE
        | RERAISE | SET_ADD | SET_FUNCTION_ATTRIBUTE | SET_UPDATE | STORE_DEREF | STORE_FAST | STORE_GLOBAL
        | STORE_NAME => -1,
        CACHE | CHECK_EG_MATCH | CHECK_EXC_MATCH | FORMAT_SIMPLE | GET_AITER | RESERVED | GET_ITER
        | GET_YIELD_FROM_ITER | MAKE_FUNCTION | NOP | SETUP_ANNOTATIONS | TO_BOOL | UNARY_INVERT
        | UNARY_NEGATIVE | UNARY_NOT | CALL_INTRINSIC_1 | CONVERT_VALUE | COPY_FREE_VARS | DELETE_DEREF
        | DELETE_FAST | DELETE_GLOBAL | DELETE_NAME | ENTER_EXECUTOR | EXTENDED_ARG | GET_AWAITABLE
        | JUMP_BACKWARD | JUMP_BACKWARD_NO_INTERRUPT | JUMP_FORWARD | LOAD_FROM_DICT_OR_DEREF
        | LOAD_FROM_DICT_OR_GLOBALS | MAKE_CELL | RETURN_CONST | SEND | STORE_FAST_LOAD_FAST | SWAP
        | YIELD_VALUE | RESUME => 0,
        BEFORE_ASYNC_WITH | BEFORE_WITH | GET_ANEXT | GET_LEN | LOAD_ASSERTION_ERROR | LOAD_BUILD_CLASS
        | LOAD_LOCALS | MATCH_KEYS | MATCH_MAPPING | MATCH_SEQUENCE | PUSH_EXC_INFO | PUSH_NULL
        | RETURN_GENERATOR | WITH_EXCEPT_START | COPY | FOR_ITER | IMPORT_FROM | LOAD_CONST | LOAD_DEREF
        | LOAD_FAST | LOAD_FAST_AND_CLEAR | LOAD_FAST_CHECK | LOAD_NAME => 1,
        LOAD_FAST_LOAD_FAST => 2,
        BUILD_CONST_KEY_MAP => -arg,
        BUILD_LIST | BUILD_SET | BUILD_STRING | BUILD_TUPLE => 1 - arg,
        BUILD_MAP => 1 - 2 * arg,
        BUILD_SLICE => if arg == 3 { -2 } else { -1 },
        CALL => -1 - arg,
        CALL_KW => -2 - arg,
        CALL_FUNCTION_EX => -2 - (arg & 1),
        LOAD_ATTR => arg & 1,
        LOAD_GLOBAL => 1 + (arg & 1),
        LOAD_SUPER_ATTR => -2 + (arg & 1),
        RAISE_VARARGS => -arg,
        UNPACK_EX => (arg >> 8) + (arg & 0xFF),
        UNPACK_SEQUENCE => arg - 1,
        POP_BLOCK | JUMP | JUMP_NO_INTERRUPT => 0,
        // The handler finds the exception, after lasti where the handler keeps it.
        SETUP_FINALLY | SETUP_WITH => i32::from(jump),
        SETUP_CLEANUP => 2 * i32::from(jump),
        STORE_FAST_MAYBE_NULL => -1,
        LOAD_CLOSURE | LOAD_METHOD => 1,
        LOAD_SUPER_METHOD | LOAD_ZERO_SUPER_METHOD | LOAD_ZERO_SUPER_ATTR => -1,
        _ => return None,
    })
}

/// Values of `RESUME`'s argument, and the mask it gets inside one handler.
pub mod resume {
    /// At the start of a function.
    pub const AT_FUNC_START: u32 = 0;
    /// After `yield`.
    pub const AFTER_YIELD: u32 = 1;
    /// After `yield from`.
    pub const AFTER_YIELD_FROM: u32 = 2;
    /// After `await`.
    pub const AFTER_AWAIT: u32 = 3;
    /// Set where one exception handler is active, the implicit one.
    pub const DEPTH1_MASK: u32 = 4;
}

/// Arguments of `CALL_INTRINSIC_1`.
#[allow(missing_docs, reason = "the names are CPython's")]
pub mod intrinsic_1 {
    pub const PRINT: u32 = 1;
    pub const IMPORT_STAR: u32 = 2;
    pub const STOPITERATION_ERROR: u32 = 3;
    pub const ASYNC_GEN_WRAP: u32 = 4;
    pub const UNARY_POSITIVE: u32 = 5;
    pub const LIST_TO_TUPLE: u32 = 6;
    pub const TYPEVAR: u32 = 7;
    pub const PARAMSPEC: u32 = 8;
    pub const TYPEVARTUPLE: u32 = 9;
    pub const SUBSCRIPT_GENERIC: u32 = 10;
    pub const TYPEALIAS: u32 = 11;
}

/// Arguments of `CALL_INTRINSIC_2`.
#[allow(missing_docs, reason = "the names are CPython's")]
pub mod intrinsic_2 {
    pub const PREP_RERAISE_STAR: u32 = 1;
    pub const TYPEVAR_WITH_BOUND: u32 = 2;
    pub const TYPEVAR_WITH_CONSTRAINTS: u32 = 3;
    pub const SET_FUNCTION_TYPE_PARAMS: u32 = 4;
    pub const SET_TYPEPARAM_DEFAULT: u32 = 5;
}
