//! What code generation makes: a linear array of instructions, with labels.

use crate::opcode::{self, Opcode};

/// A place in the table of locations of the compilation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loc(pub u32);

impl Loc {
    /// The entry for artificial instructions.
    pub const NONE: Loc = Loc(0);
}

/// No handler, no block, no label.
pub const NONE: u32 = u32::MAX;

/// An instruction, at each stage.
#[derive(Clone, Copy, Debug)]
pub struct Instr {
    /// The opcode, maybe a pseudo instruction's.
    pub op: Opcode,
    /// The argument; of a jump or a handler's set-up, first a label, then an
    /// index in the sequence, then a block, then an index again, finally the offset.
    pub arg: u32,
    /// Where it comes from.
    pub loc: Loc,
    /// The block that handles its exceptions, or `NONE`.
    pub except: u32,
}

const _: () = assert!(size_of::<Instr>() <= 16);

impl Instr {
    /// An instruction that no handler guards.
    #[inline]
    pub fn new(op: Opcode, arg: u32, loc: Loc) -> Instr {
        Instr { op, arg, loc, except: NONE }
    }
}

/// A jump target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(pub u32);

impl Label {
    /// No label.
    pub const NONE: Label = Label(NONE);

    /// Is it one?
    pub fn is_label(self) -> bool {
        self != Label::NONE
    }
}

/// Instructions, and what each label means.
#[derive(Default)]
pub struct InstrSeq {
    /// The instructions.
    pub instrs: Vec<Instr>,
    /// The index of the instruction that each label stands before.
    pub labels: Vec<u32>,
}

impl InstrSeq {
    /// A new label, not placed yet.
    #[inline]
    pub fn new_label(&mut self) -> Label {
        self.labels.push(NONE);
        Label(self.labels.len() as u32 - 1)
    }

    /// Places a label before the next instruction.
    #[inline]
    pub fn use_label(&mut self, label: Label) {
        self.labels[label.0 as usize] = self.instrs.len() as u32;
    }

    /// Appends an instruction.
    #[inline]
    pub fn addop(&mut self, op: Opcode, arg: u32, loc: Loc) {
        self.instrs.push(Instr::new(op, arg, loc));
    }

    /// Puts an instruction before those that are there.
    pub fn insert_first(&mut self, op: Opcode, arg: u32, loc: Loc) {
        self.instrs.insert(0, Instr::new(op, arg, loc));
        for position in &mut self.labels {
            if *position != NONE {
                *position += 1;
            }
        }
    }

    /// Replaces the labels in arguments by indices.
    pub fn apply_label_map(&mut self) {
        for instr in &mut self.instrs {
            if opcode::has_target(instr.op) {
                instr.arg = self.labels[instr.arg as usize];
            }
        }
        self.labels.clear();
    }

    /// Empties the sequence, keeping its memory.
    pub fn clear(&mut self) {
        self.instrs.clear();
        self.labels.clear();
    }
}
