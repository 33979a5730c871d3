//! The compiler's passes one by one, as `_testinternalcapi` shows them: instruction sequences in, instruction sequences out.

use crate::generated::opcode_metadata as metadata;
use crate::code_builder::{Builder, object_to_const};
use crate::compile::{CompilerFlags, deprecated, flags, optimization_level, py_str, raise_compile_error, raise_surrogates, rust_bytes, stack_budget, tree_warnings};
use crate::util::*;
use bumpalo::Bump;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use std::rc::Rc;
use taipan_abi::*;
use taipan_clinic::{constructor, methods};
use taipan_compiler::error::Location;
use taipan_compiler::stages::{self, Instruction, Sequence, UnitMetadata};
use taipan_compiler::{Const, Str, opcode};
use taipan_objects::gc::{gc_track, gc_untrack};
use taipan_objects::typeobject::TYPE_INIT;
use taipan_parser::ast::Mod;

/// The object `InstructionSequence`.
#[repr(C)]
pub struct InstructionSequence {
    ob_base: PyObject,
    state: *mut State,
}

#[derive(Default)]
struct State {
    instructions: Vec<Instruction>,
    /// Where each label stands (-1: nowhere yet); None while none has been placed and once they are applied: then the
    /// arguments of jumps are indices.
    labels: Option<Vec<i32>>,
    /// How many labels have been given out.
    free_label: i32,
    nested: Vec<Owned>,
}

type Seq<'a> = Borrowed<'a, InstructionSequence>;

fn state<'a>(s: Seq<'a>) -> &'a mut State {
    // SAFETY: [GIL] made with the object; no reference is kept over a call into Python.
    unsafe { &mut *s.state }
}

fn new_sequence(tp: *mut PyTypeObject, content: State) -> PyResult<Owned> {
    // SAFETY: [GIL] the object is complete before it is tracked.
    unsafe {
        check_status(PyType_Ready(&raw mut _PyInstructionSequence_Type))?;
        let op: Owned = own(taipan_objects::gc::gc_new(tp))?;
        (*op.as_ptr().cast::<InstructionSequence>()).state = Box::into_raw(Box::new(content));
        gc_track(op.as_ptr());
        Ok(op)
    }
}

fn sequence_new(tp: Borrowed<'_>) -> PyResult<Owned> {
    new_sequence(tp.ob().cast(), State::default())
}

unsafe extern "C" fn sequence_new_slot(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    let entry: newfunc = constructor!("InstructionSequenceType()" => sequence_new);
    // SAFETY: [ARGS]
    unsafe { entry(tp, args, kw) }
}

fn use_label(s: Seq<'_>, label: i32) -> PyResult<()> {
    let st = state(s);
    let here = st.instructions.len() as i32;
    let labels = st.labels.get_or_insert_default();
    let Ok(label) = usize::try_from(label) else { bail!(PyExc_ValueError, "negative label") };
    if label > 1 << 20 {
        bail!(PyExc_ValueError, "label too large");
    }
    if label >= labels.len() {
        labels.resize(label + 1, -1);
    }
    labels[label] = here;
    Ok(())
}

fn new_label(s: Seq<'_>) -> PyResult<isize> {
    let st = state(s);
    st.free_label = st.free_label.wrapping_add(1);
    Ok(st.free_label as isize)
}

#[allow(clippy::too_many_arguments, reason = "the method has as many")]
fn addop(s: Seq<'_>, opcode: i32, oparg: i32, lineno: i32, col_offset: i32, end_lineno: i32, end_col_offset: i32) -> PyResult<()> {
    let op = opcode::Opcode::try_from(opcode).ok().filter(|op| opcode::OPCODE_NAMES.get(*op as usize).is_some_and(|name| !name.is_empty()));
    let Some(op) = op else { bail!(PyExc_ValueError, "invalid opcode {opcode}") };
    if !(0..1 << 30).contains(&oparg) {
        bail!(PyExc_ValueError, "invalid argument {oparg}");
    }
    // As in CPython, the four numbers fill a location in the order in which it holds them, whatever their names say.
    let location = Location { lineno, end_lineno: col_offset, col_offset: end_lineno, end_col_offset };
    state(s).instructions.push(Instruction { opcode: op, oparg: oparg as u32, location });
    Ok(())
}

fn add_nested(s: Seq<'_>, nested: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if (*nested.ob()).ob_type != &raw mut _PyInstructionSequence_Type {
            bail!(PyExc_TypeError, "expected an instruction sequence, not {}", type_name(nested.ob()));
        }
    }
    state(s).nested.push(nested.to_owned());
    Ok(())
}

fn get_nested(s: Seq<'_>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let list = own(PyList_New(0))?;
        for n in &state(s).nested {
            check_status(PyList_Append(list.as_ptr(), n.as_ptr()))?;
        }
        Ok(list)
    }
}

fn get_instructions(s: Seq<'_>) -> PyResult<Owned> {
    apply_label_map(state(s))?;
    // SAFETY: [GIL]
    unsafe {
        let list = own(PyList_New(0))?;
        // A copy: making objects may run anything.
        for i in state(s).instructions.clone() {
            let arg = if opcode::has_arg(i.opcode) { new_int(i.oparg as i32 as i64)? } else { none() };
            let l = i.location;
            let parts = [new_int(i.opcode as i64)?, arg, new_int(l.lineno as i64)?, new_int(l.end_lineno as i64)?, new_int(l.col_offset as i64)?, new_int(l.end_col_offset as i64)?];
            let raw: Vec<*mut PyObject> = parts.iter().map(|p| p.as_ptr()).collect();
            let t = tuple(&raw)?;
            check_status(PyList_Append(list.as_ptr(), t.as_ptr()))?;
        }
        Ok(list)
    }
}

/// Replaces labels in arguments by indices.
fn apply_label_map(s: &mut State) -> PyResult<()> {
    let Some(labels) = &s.labels else { return Ok(()) };
    let place = |label: u32| labels.get(label as usize).copied().filter(|at| *at >= 0);
    if let Some(i) = s.instructions.iter().find(|i| opcode::has_target(i.opcode) && place(i.oparg).is_none()) {
        bail!(PyExc_ValueError, "label {} is not in the sequence", i.oparg);
    }
    for i in &mut s.instructions {
        if opcode::has_target(i.opcode)
            && let Some(at) = place(i.oparg)
        {
            i.oparg = at as u32;
        }
    }
    s.labels = None;
    Ok(())
}

methods! {
    static SEQUENCE_METHODS = [
        "add_nested($self, /, nested)" => add_nested, "Add the sequence of a code object inside this one.";
        "addop($self, /, opcode, oparg, lineno, col_offset, end_lineno, end_col_offset)" => addop, "Append an instruction.";
        "get_instructions($self, /)" => get_instructions, "The instructions as tuples: opcode, argument, location.";
        "get_nested($self, /)" => get_nested, "The sequences of code objects inside this one.";
        "new_label($self, /)" => new_label, "A label that is not placed yet.";
        "use_label($self, /, label)" => use_label, "Place a label before the next instruction.";
    ];
}

unsafe extern "C" fn sequence_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let st = (*slf.cast::<InstructionSequence>()).state;
        if !st.is_null() {
            for n in &(*st).nested {
                py_visit!(visitor, arg; n.as_ptr());
            }
        }
        0
    }
}

unsafe extern "C" fn sequence_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let st = (*slf.cast::<InstructionSequence>()).state;
        if !st.is_null() {
            drop(core::mem::take(&mut (*st).nested));
        }
    }
    0
}

unsafe extern "C" fn sequence_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE] [OWN]
    unsafe {
        gc_untrack(slf);
        let st = core::mem::replace(&mut (*slf.cast::<InstructionSequence>()).state, null_mut());
        if !st.is_null() {
            drop(Box::from_raw(st));
        }
        PyObject_GC_Del(slf.cast());
    }
}

/// `InstructionSequence`
pub static mut _PyInstructionSequence_Type: PyTypeObject = PyTypeObject {
    tp_name: c"InstructionSequence".as_ptr(),
    tp_basicsize: size_of::<InstructionSequence>() as Py_ssize_t,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"Instructions as the passes of the compiler hand them on.".as_ptr(),
    tp_dealloc: Some(sequence_dealloc),
    tp_traverse: Some(sequence_traverse),
    tp_clear: Some(sequence_clear),
    tp_methods: (&raw mut SEQUENCE_METHODS).cast(),
    tp_new: Some(sequence_new_slot),
    ..TYPE_INIT
};

/// An empty sequence.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInstructionSequence_New() -> *mut PyObject {
    new_sequence(&raw mut _PyInstructionSequence_Type, State::default()).into_c()
}

fn to_object(s: Sequence) -> PyResult<Owned> {
    let nested: PyResult<Vec<Owned>> = s.nested.into_iter().map(to_object).collect();
    new_sequence(&raw mut _PyInstructionSequence_Type, State { instructions: s.instructions, nested: nested?, ..State::default() })
}

unsafe fn checked<'a>(op: *mut PyObject) -> PyResult<&'a mut State> {
    // SAFETY: [TYPE]
    unsafe {
        if (*op).ob_type != &raw mut _PyInstructionSequence_Type {
            bail!(PyExc_ValueError, "expected an instruction sequence");
        }
        let st = state(Borrowed::from_ptr(op.cast()));
        apply_label_map(st)?;
        Ok(st)
    }
}

/// The keys of a dict in the order of their values, which are indices.
unsafe fn keys_in_order(dict: *mut PyObject) -> PyResult<Vec<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let mut all: Vec<(Py_ssize_t, Owned)> = Vec::new();
        if dict.is_null() || PyDict_Check(dict) == 0 {
            return Ok(Vec::new());
        }
        let (mut pos, mut k, mut v) = (0, null_mut(), null_mut());
        while PyDict_Next(dict, &mut pos, &mut k, &mut v) != 0 {
            let i = PyLong_AsSsize_t(v);
            if i == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            // A constant's key is a tuple that tells apart what is equal: the constant is its second item.
            let key = if PyTuple_CheckExact(k) != 0 && PyTuple_GET_SIZE(k) > 1 { PyTuple_GET_ITEM(k, 1) } else { k };
            all.push((i, Owned::from_borrowed(key)));
        }
        all.sort_by_key(|(i, _)| *i);
        Ok(all.into_iter().map(|(_, k)| k).collect())
    }
}

// ---- the passes

unsafe extern "C" {
    // Modules/lang: ast
    fn taipan_ast_obj2mod(ast: *mut PyObject, arena: *const c_void, constants: *mut PyObject, mode: c_int, out: *mut c_void) -> c_int;
    fn taipan_ast_check(obj: *mut PyObject) -> c_int;
}

fn index_dict(items: impl Iterator<Item = PyResult<Owned>>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let d = own(PyDict_New())?;
        for (i, item) in items.enumerate() {
            dict_set(d.as_ptr(), item?.as_ptr(), new_int(i as i64)?.as_ptr())?;
        }
        Ok(d)
    }
}

/// Code generation alone: a sequence, and a dict of what belongs to the code object besides.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCompile_CodeGen(ast: *mut PyObject, filename: *mut PyObject, cf: *mut CompilerFlags, optimize: c_int, mode: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    let run = || unsafe {
        let valid = taipan_ast_check(ast);
        check_status(valid)?;
        if valid == 0 {
            bail!(PyExc_TypeError, "expected an AST");
        }
        let arena = Bump::new();
        let mut module = MaybeUninit::<Mod<'_>>::uninit();
        check_status(taipan_ast_obj2mod(ast, (&raw const arena).cast(), null_mut(), mode, module.as_mut_ptr().cast()))?;
        let module = module.assume_init();
        if let Err(e) = taipan_compiler::validate::validate(&module, stack_budget()) {
            return Err(raise_compile_error(&e, filename));
        }
        let mut options = taipan_compiler::Options::new(&rust_bytes(filename)?[..]);
        let given = if cf.is_null() { 0 } else { (*cf).cf_flags };
        options.flags = (given & (flags::PyCF_MASK | flags::PyCF_ALLOW_TOP_LEVEL_AWAIT)) as u32;
        options.optimize = optimization_level(optimize);
        options.stack_budget = stack_budget();
        options.deprecated = Some(deprecated);
        let mut warnings = Vec::new();
        let result = stages::compiler_codegen(&module, &arena, &options, &mut warnings);
        tree_warnings(&warnings, filename)?;
        let (sequence, unit) = result.map_err(|e| raise_compile_error(&e, filename))?;
        let meta = own(PyDict_New())?;
        let set = |name: &str, v: PyResult<Owned>| dict_set_str(meta.as_ptr(), name, v?.as_ptr());
        set("name", new_str(&unit.name))?;
        set("qualname", unit.qualname.as_deref().map_or_else(|| Ok(none()), new_str))?;
        let mut builder = Builder::new(filename, Vec::new());
        set("consts", index_dict(unit.consts.iter().map(|c| builder.object(c))))?;
        set("names", index_dict(unit.names.iter().map(|n| new_str(n))))?;
        set("varnames", index_dict(unit.varnames.iter().map(|n| new_str(n))))?;
        set("cellvars", index_dict(unit.cellvars.iter().map(|n| new_str(n))))?;
        set("freevars", index_dict(unit.freevars.iter().map(|n| new_str(n))))?;
        set("argcount", new_int(unit.argcount as i64))?;
        set("posonlyargcount", new_int(unit.posonlyargcount as i64))?;
        set("kwonlyargcount", new_int(unit.kwonlyargcount as i64))?;
        let sequence = to_object(sequence)?;
        tuple(&[sequence.as_ptr(), meta.as_ptr()])
    };
    run().into_c()
}

/// The optimiser alone; the list of constants is changed as it needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCompile_OptimizeCfg(seq: *mut PyObject, consts: *mut PyObject, nlocals: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    let run = || unsafe {
        let instructions = checked(seq)?.instructions.clone();
        if PyList_Check(consts) == 0 {
            bail!(PyExc_TypeError, "consts must be a list");
        }
        let objects: Vec<Owned> = (0..PyList_GET_SIZE(consts)).map(|i| Owned::from_borrowed(PyList_GET_ITEM(consts, i))).collect();
        let mut rust: Vec<Const> = Vec::new();
        let mut foreign = Vec::new();
        for o in &objects {
            rust.push(object_to_const(o.as_ptr(), &mut foreign)?);
        }
        let name = new_str("<optimize_cfg>")?;
        let out = stages::optimize_cfg(&instructions, &mut rust, nlocals.max(0) as usize).map_err(|e| raise_compile_error(&e, name.as_ptr()))?;
        check_status(PyList_SetSlice(consts, 0, PyList_GET_SIZE(consts), null_mut()))?;
        let mut builder = Builder::new(name.as_ptr(), foreign);
        // What was there keeps its identity.
        for o in &objects {
            builder.adopt(o.as_ptr())?;
        }
        for c in &rust {
            let o = builder.object(c)?;
            check_status(PyList_Append(consts, o.as_ptr()))?;
        }
        to_object(Sequence { instructions: out, nested: Vec::new() })
    };
    run().into_c()
}

/// `_PyCompile_CodeUnitMetadata`
#[repr(C)]
pub struct CodeUnitMetadata {
    u_name: *mut PyObject,
    u_qualname: *mut PyObject,
    u_consts: *mut PyObject,
    u_names: *mut PyObject,
    u_varnames: *mut PyObject,
    u_cellvars: *mut PyObject,
    u_freevars: *mut PyObject,
    u_fasthidden: *mut PyObject,
    u_argcount: Py_ssize_t,
    u_posonlyargcount: Py_ssize_t,
    u_kwonlyargcount: Py_ssize_t,
    u_firstlineno: c_int,
}

/// The assembler alone: a code object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCompile_Assemble(unit: *const CodeUnitMetadata, filename: *mut PyObject, seq: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let run = || unsafe {
        let instructions = checked(seq)?.instructions.clone();
        let u = &*unit;
        let texts = |d: *mut PyObject| -> PyResult<Vec<String>> { keys_in_order(d)?.iter().map(|k| Ok(utf8(k.as_ptr())?.to_owned())).collect() };
        let (mut consts, mut foreign) = (Vec::new(), Vec::new());
        let objects = keys_in_order(u.u_consts)?;
        for k in &objects {
            consts.push(object_to_const(k.as_ptr(), &mut foreign)?);
        }
        let meta = UnitMetadata {
            name: utf8(u.u_name)?.to_owned(),
            qualname: if u.u_qualname.is_null() || u.u_qualname == Py_None() { None } else { Some(utf8(u.u_qualname)?.to_owned()) },
            consts,
            names: texts(u.u_names)?,
            varnames: texts(u.u_varnames)?,
            cellvars: texts(u.u_cellvars)?,
            freevars: texts(u.u_freevars)?,
            argcount: u.u_argcount.max(0) as u32,
            posonlyargcount: u.u_posonlyargcount.max(0) as u32,
            kwonlyargcount: u.u_kwonlyargcount.max(0) as u32,
            firstlineno: u.u_firstlineno,
        };
        let name = Str::from(&rust_bytes(filename)?[..]);
        let code = stages::assemble_code_object(&instructions, &meta, &name).map_err(|e| raise_compile_error(&e, filename))?;
        let mut builder = Builder::new(filename, foreign);
        for o in &objects {
            builder.adopt(o.as_ptr())?;
        }
        builder.object(&Const::Code(Rc::new(code)))
    };
    run().into_c()
}

/// A docstring without the indentation that all its lines share.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCompile_CleanDoc(doc: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    let run = || unsafe {
        let text = rust_bytes(doc)?;
        match taipan_compiler::docstring::clean_doc(&text) {
            Ok(clean) => py_str(&clean),
            Err(text) => Err(raise_surrogates(&text)),
        }
    };
    run().into_c()
}

// ---- facts on opcodes

// skipped _PyCompile_GetBinaryIntrinsicName
// skipped _PyCompile_GetUnaryIntrinsicName

/// How an instruction changes the depth of the stack; `jump` is 1, 0, or -1 for the greater of both.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCompile_OpcodeStackEffectWithJump(op: c_int, oparg: c_int, jump: c_int) -> c_int {
    const INVALID: c_int = c_int::MAX;
    let Ok(op) = opcode::Opcode::try_from(op) else { return INVALID };
    let effect = |jump| opcode::stack_effect(op, oparg as u32, jump);
    let r = match jump {
        0 => effect(false),
        1 => effect(true),
        _ => effect(false).zip(effect(true)).map(|(a, b)| a.max(b)),
    };
    r.unwrap_or(INVALID)
}

/// See [`PyCompile_OpcodeStackEffectWithJump`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCompile_OpcodeStackEffect(op: c_int, oparg: c_int) -> c_int {
    // SAFETY: plain computation.
    unsafe { PyCompile_OpcodeStackEffectWithJump(op, oparg, -1) }
}

/// The index into the tables, for an opcode or pseudo opcode that exists.
fn valid(opcode: c_int) -> Option<usize> {
    let i = usize::try_from(opcode).ok()?;
    metadata::OPCODE_NAMES.get(i).filter(|name| !name.is_empty()).map(|_| i)
}

macro_rules! has {
    ($($name:ident => $flag:ident, $doc:literal;)*) => { $(
        #[doc = $doc]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(opcode: c_int) -> c_int {
            valid(opcode).is_some_and(|i| metadata::FLAGS[i] & metadata::$flag != 0) as c_int
        }
    )* };
}
has! {
    _PyCompile_OpcodeHasArg => HAS_ARG_FLAG, "Whether an instruction has an argument.";
    _PyCompile_OpcodeHasConst => HAS_CONST_FLAG, "Whether its argument is a constant's index.";
    _PyCompile_OpcodeHasName => HAS_NAME_FLAG, "Whether its argument is a name's index.";
    _PyCompile_OpcodeHasJump => HAS_JUMP_FLAG, "Whether its argument is a jump target.";
    _PyCompile_OpcodeHasFree => HAS_FREE_FLAG, "Whether its argument is a free variable's index.";
    _PyCompile_OpcodeHasLocal => HAS_LOCAL_FLAG, "Whether its argument is a local variable's index.";
}

/// Whether an opcode exists.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCompile_OpcodeIsValid(opcode: c_int) -> c_int {
    valid(opcode).is_some() as c_int
}

/// Whether an instruction sets up a handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCompile_OpcodeHasExc(opcode: c_int) -> c_int {
    valid(opcode).is_some_and(|i| opcode::is_block_push(i as u16)) as c_int
}
