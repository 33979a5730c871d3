//! Tables and small functions that CPython exports for its own use and that debuggers and the like read.

use core::ffi::{CStr, c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_parser::token::Tok;

/// A table of pointers that never changes.
#[repr(transparent)]
pub struct Table<T>(T);
// SAFETY: the pointers lead to statics and functions.
unsafe impl<T> Sync for Table<T> {}

/// What kinds of things frames run (`PyUnstable_EXECUTABLE_KIND_*`), as types.
#[unsafe(no_mangle)]
pub static PyUnstable_ExecutableKinds: Table<[*mut PyTypeObject; 6]> = Table([
    &raw mut _PyNone_Type,
    &raw mut PyCode_Type,
    null_mut(),
    &raw mut PyMethod_Type,
    &raw mut PyMethodDescr_Type,
    null_mut(),
]);

unsafe extern "C" fn power(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyNumber_Power(a, b, Py_None()) }
}
unsafe extern "C" fn inplace_power(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyNumber_InPlacePower(a, b, Py_None()) }
}

/// The binary operators by the operand of BINARY_OP.
#[unsafe(no_mangle)]
pub static _PyEval_BinaryOps: [unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject; 26] = [
    PyNumber_Add,
    PyNumber_And,
    PyNumber_FloorDivide,
    PyNumber_Lshift,
    PyNumber_MatrixMultiply,
    PyNumber_Multiply,
    PyNumber_Remainder,
    PyNumber_Or,
    power,
    PyNumber_Rshift,
    PyNumber_Subtract,
    PyNumber_TrueDivide,
    PyNumber_Xor,
    PyNumber_InPlaceAdd,
    PyNumber_InPlaceAnd,
    PyNumber_InPlaceFloorDivide,
    PyNumber_InPlaceLshift,
    PyNumber_InPlaceMatrixMultiply,
    PyNumber_InPlaceMultiply,
    PyNumber_InPlaceRemainder,
    PyNumber_InPlaceOr,
    inplace_power,
    PyNumber_InPlaceRshift,
    PyNumber_InPlaceSubtract,
    PyNumber_InPlaceTrueDivide,
    PyNumber_InPlaceXor,
];

/// The conversions of f-strings by the operand of CONVERT_VALUE; there is none with number 0.
#[unsafe(no_mangle)]
pub static _PyEval_ConversionFuncs: [Option<unsafe extern "C" fn(*mut PyObject) -> *mut PyObject>; 4] =
    [None, Some(PyObject_Str), Some(PyObject_Repr), Some(PyObject_ASCII)];

/// The names of the kinds of tokens, by number.
#[unsafe(no_mangle)]
pub static _PyParser_TokenNames: Table<[*const c_char; 67]> = Table({
    const NAMES: [&CStr; 67] = [
        c"ENDMARKER", c"NAME", c"NUMBER", c"STRING", c"NEWLINE", c"INDENT", c"DEDENT", c"LPAR", c"RPAR", c"LSQB", c"RSQB", c"COLON",
        c"COMMA", c"SEMI", c"PLUS", c"MINUS", c"STAR", c"SLASH", c"VBAR", c"AMPER", c"LESS", c"GREATER", c"EQUAL", c"DOT", c"PERCENT",
        c"LBRACE", c"RBRACE", c"EQEQUAL", c"NOTEQUAL", c"LESSEQUAL", c"GREATEREQUAL", c"TILDE", c"CIRCUMFLEX", c"LEFTSHIFT",
        c"RIGHTSHIFT", c"DOUBLESTAR", c"PLUSEQUAL", c"MINEQUAL", c"STAREQUAL", c"SLASHEQUAL", c"PERCENTEQUAL", c"AMPEREQUAL",
        c"VBAREQUAL", c"CIRCUMFLEXEQUAL", c"LEFTSHIFTEQUAL", c"RIGHTSHIFTEQUAL", c"DOUBLESTAREQUAL", c"DOUBLESLASH",
        c"DOUBLESLASHEQUAL", c"AT", c"ATEQUAL", c"RARROW", c"ELLIPSIS", c"COLONEQUAL", c"EXCLAMATION", c"OP", c"TYPE_IGNORE",
        c"TYPE_COMMENT", c"SOFT_KEYWORD", c"FSTRING_START", c"FSTRING_MIDDLE", c"FSTRING_END", c"COMMENT", c"NL", c"<ERRORTOKEN>",
        c"<ENCODING>", c"<N_TOKENS>",
    ];
    let mut table = [core::ptr::null(); 67];
    let mut i = 0;
    while i < NAMES.len() {
        table[i] = NAMES[i].as_ptr();
        i += 1;
    }
    table
});

/// The number of the operator that is written so; OP if there is none.
fn operator(text: &[c_int]) -> c_int {
    let found = Tok::ALL.iter().find(|t| !t.is_keyword() && t.text().bytes().map(c_int::from).eq(text.iter().copied()));
    *found.unwrap_or(&Tok::OP) as c_int
}

/// The kind of an operator of one character.
#[unsafe(no_mangle)]
pub extern "C" fn _PyToken_OneChar(c1: c_int) -> c_int {
    operator(&[c1])
}

/// The kind of an operator of two characters.
#[unsafe(no_mangle)]
pub extern "C" fn _PyToken_TwoChars(c1: c_int, c2: c_int) -> c_int {
    // How Python 2 and `from __future__ import barry_as_FLUFL` write it.
    if (c1, c2) == (c_int::from(b'<'), c_int::from(b'>')) { Tok::NOTEQUAL as c_int } else { operator(&[c1, c2]) }
}

/// The kind of an operator of three characters.
#[unsafe(no_mangle)]
pub extern "C" fn _PyToken_ThreeChars(c1: c_int, c2: c_int, c3: c_int) -> c_int {
    operator(&[c1, c2, c3])
}

// Helpers of CPython's instruction handlers, exported for its JIT. Ours have other frames and other signatures.
// skipped _PyEvalFramePushAndInit
// skipped _PyEval_CheckExceptStarTypeValid
// skipped _PyEval_CheckExceptTypeValid
// skipped _PyEval_ExceptionGroupMatch
// skipped _PyEval_FormatAwaitableError
// skipped _PyEval_FormatExcCheckArg
// skipped _PyEval_FormatExcUnbound
// skipped _PyEval_FormatKwargsError
// skipped _PyEval_FrameClearAndPop
// skipped _PyEval_MatchClass
// skipped _PyEval_MatchKeys
// skipped _PyEval_MonitorRaise
// skipped _PyEval_UnpackIterable
// skipped _PyIntrinsics_BinaryFunctions
// skipped _PyIntrinsics_UnaryFunctions
// skipped _PyThreadState_PopFrame
// skipped _Py_MakeCoro

// It takes a structure that only functions which are not exported can make.
// skipped _PyCode_CheckLineNumber
