//! The passes one by one, for tests (`_testinternalcapi.compiler_codegen`,
//! `optimize_cfg` and `assemble_code_object`): instructions in, instructions out.
//!
//! What comes in may be anything; it is checked, so that it can't do harm.

use bumpalo::Bump;
use taipan_parser::ast::Mod;

use crate::assemble;
use crate::codegen::Metadata;
use crate::consts::{CodeObject, Const, ConstId, ConstPool};
use crate::error::{CompileError, ErrorKind, Location, NO_LOCATION, Result, Warning};
use crate::flowgraph::Cfg;
use crate::instruction_sequence::{InstrSeq, Loc};
use crate::names::{IdMap, IdSet, Interner, Name, Str};
use crate::opcode::{self, Opcode};
use crate::{Options, prepare};

/// An instruction with its location; the argument of a jump is an index in the sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Instruction {
    pub opcode: Opcode,
    pub oparg: u32,
    pub location: Location,
}

/// Instructions of a code object, and the sequences of those inside it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Sequence {
    pub instructions: Vec<Instruction>,
    pub nested: Vec<Sequence>,
}

/// The parts of a code object beside its instructions.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names are CPython's")]
pub struct UnitMetadata {
    pub name: String,
    pub qualname: Option<String>,
    pub consts: Vec<Const>,
    pub names: Vec<String>,
    pub varnames: Vec<String>,
    pub cellvars: Vec<String>,
    pub freevars: Vec<String>,
    pub argcount: u32,
    pub posonlyargcount: u32,
    pub kwonlyargcount: u32,
    pub firstlineno: i32,
}

/// The first pass alone.
pub fn compiler_codegen<'a>(
    module: &Mod<'a>,
    arena: &'a Bump,
    options: &Options,
    warnings: &mut Vec<Warning>,
) -> Result<(Sequence, UnitMetadata)> {
    let mut flags = options.flags;
    let (mut compiler, module) = prepare(module, arena, options, warnings, &mut flags)?;
    let result = compiler.codegen_only(&module);
    warnings.append(&mut compiler.warnings);
    result
}

/// The second and third pass alone.
pub fn optimize_cfg(
    instructions: &[Instruction],
    consts: &mut Vec<Const>,
    nlocals: usize,
) -> Result<Vec<Instruction>> {
    check_instructions(instructions, consts.len(), None)?;
    let mut pool = ConstPool::new();
    let mut ids: Vec<ConstId> = consts.iter().map(|c| pool.add(c.clone())).collect();
    let (mut cfg, locs) = make_cfg(instructions);
    cfg.optimize_code_unit(&mut ids, &mut pool, &locs, nlocals, 0)?;
    *consts = ids.into_iter().map(|id| pool.get(id).clone()).collect();
    let (instrs, _) = assemble::linearize(&cfg);
    Ok(instrs.iter().map(|i| Instruction { opcode: i.op, oparg: i.arg, location: locs[i.loc.0 as usize] }).collect())
}

/// The fourth pass, after what prepares the graph for it.
pub fn assemble_code_object(
    instructions: &[Instruction],
    unit: &UnitMetadata,
    filename: &Str,
) -> Result<CodeObject> {
    check_instructions(instructions, unit.consts.len(), Some(unit.cellvars.len() + unit.freevars.len()))?;
    let arena = Bump::new();
    let mut names = Interner::new(&arena);
    let mut pool = ConstPool::new();
    let consts: Vec<ConstId> = unit.consts.iter().map(|c| pool.add(c.clone())).collect();
    let set = |names: &mut Interner<'_>, texts: &[String]| {
        let mut set = IdSet::new();
        for text in texts {
            set.add(names.intern_copy(text).0);
        }
        set
    };
    let meta = Metadata {
        name: names.intern_copy(&unit.name),
        qualname: unit.qualname.as_deref().map(Str::from),
        consts: IdSet::new(),
        names: set(&mut names, &unit.names),
        varnames: set(&mut names, &unit.varnames),
        cellvars: set(&mut names, &unit.cellvars),
        freevars: set(&mut names, &unit.freevars),
        free_offset: unit.cellvars.len() as u32,
        fasthidden: IdMap::new(),
        argcount: unit.argcount,
        posonlyargcount: unit.posonlyargcount,
        kwonlyargcount: unit.kwonlyargcount,
        firstlineno: unit.firstlineno,
        nparams: 0,
    };
    let (mut cfg, mut locs) = make_cfg(instructions);
    cfg.label_exception_targets()?;
    let layout = cfg.prepare_for_assembly(&meta, 0, &mut locs)?;
    Ok(assemble::make_code_object(
        &cfg,
        assemble::Parts {
            meta: &meta,
            consts: &consts,
            pool: &pool,
            names: &mut names,
            locs: &locs,
            layout,
            flags: 0,
            filename,
        },
    ))
}

fn make_cfg(instructions: &[Instruction]) -> (Cfg, Vec<Location>) {
    let mut locs = vec![NO_LOCATION];
    let mut seq = InstrSeq::default();
    for instruction in instructions {
        seq.addop(instruction.opcode, instruction.oparg, Loc(locs.len() as u32));
        locs.push(instruction.location);
    }
    let mut cfg = Cfg::default();
    cfg.build(&mut seq);
    (cfg, locs)
}

/// The instructions of a sequence, with locations.
pub(crate) fn instructions(seq: &InstrSeq, locs: &[Location]) -> Vec<Instruction> {
    seq.instrs
        .iter()
        .map(|i| Instruction { opcode: i.op, oparg: i.arg, location: locs[i.loc.0 as usize] })
        .collect()
}

/// The metadata of a unit.
pub(crate) fn unit_metadata(meta: &Metadata, names: &Interner<'_>, pool: &ConstPool) -> UnitMetadata {
    let texts = |set: &IdSet| set.entries().iter().map(|(name, ())| names.text(Name(*name)).to_owned()).collect();
    UnitMetadata {
        name: names.text(meta.name).to_owned(),
        qualname: meta.qualname.as_ref().map(|q| q.to_string()),
        consts: meta.consts.entries().iter().map(|(id, ())| pool.get(ConstId(*id)).clone()).collect(),
        names: texts(&meta.names),
        varnames: texts(&meta.varnames),
        cellvars: texts(&meta.cellvars),
        freevars: texts(&meta.freevars),
        argcount: meta.argcount,
        posonlyargcount: meta.posonlyargcount,
        kwonlyargcount: meta.kwonlyargcount,
        firstlineno: meta.firstlineno,
    }
}

/// Refuses what no compiler makes and the passes rely on not to get.
fn check_instructions(instructions: &[Instruction], nconsts: usize, nderefs: Option<usize>) -> Result<()> {
    let refuse = |what: &str, i: &Instruction| {
        Err(CompileError::new(
            ErrorKind::ValueError,
            format!("{what}: opcode={}, arg={}", i.opcode, i.oparg),
        ))
    };
    if instructions.is_empty() {
        return Err(CompileError::new(ErrorKind::ValueError, "no instructions"));
    }
    for i in instructions {
        if opcode::OPCODE_NAMES.get(i.opcode as usize).is_none_or(|name| name.is_empty()) {
            return refuse("invalid opcode", i);
        }
        let arg = i.oparg as usize;
        if opcode::has_target(i.opcode) && arg >= instructions.len() {
            return refuse("jump out of the sequence", i);
        }
        if opcode::has_const(i.opcode) && arg >= nconsts {
            return refuse("no such constant", i);
        }
        if arg >= 1 << 30 {
            return refuse("argument too large", i);
        }
        let bad = match i.opcode {
            opcode::SWAP | opcode::COPY => !(1..=1 << 16).contains(&arg),
            opcode::MAKE_CELL
            | opcode::LOAD_CLOSURE
            | opcode::LOAD_DEREF
            | opcode::STORE_DEREF
            | opcode::DELETE_DEREF
            | opcode::LOAD_FROM_DICT_OR_DEREF => nderefs.is_some_and(|n| arg >= n),
            opcode::JUMP_FORWARD | opcode::JUMP_BACKWARD | opcode::JUMP_BACKWARD_NO_INTERRUPT => true,
            _ => false,
        };
        if bad {
            return refuse("invalid argument", i);
        }
    }
    Ok(())
}
