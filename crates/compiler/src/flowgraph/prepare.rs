//! What comes between optimisation and assembly: the depth of the stack, the
//! layout of local variables, real instructions for pseudo ones.

use super::*;
use crate::codegen::Metadata;
use crate::flags::{CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR};

/// What the assembler has to know of the graph as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) stacksize: u32,
    pub(crate) nlocalsplus: u32,
}

impl Cfg {
    /// Makes the graph ready for the assembler.
    pub(crate) fn prepare_for_assembly(
        &mut self,
        meta: &Metadata,
        code_flags: u32,
        locs: &mut Vec<Location>,
    ) -> Result<Layout> {
        let stacksize = self.calculate_stackdepth()?;
        let nlocalsplus = self.prepare_localsplus(meta, code_flags, locs);
        self.convert_pseudo_ops();
        self.remove_redundant_nops_and_jumps(locs)?;
        self.normalize_jumps();
        Ok(Layout { stacksize, nlocalsplus })
    }

    fn calculate_stackdepth(&mut self) -> Result<u32> {
        for block in &mut self.blocks {
            block.startdepth = i32::MIN;
        }
        let mut todo = std::mem::take(&mut self.todo);
        todo.clear();
        let mut max = 0;
        self.stackdepth_push(ENTRY, 0, &mut todo)?;
        while let Some(b) = todo.pop() {
            let mut depth = self.block(b).startdepth;
            let mut next = self.next(b);
            for i in self.range(b) {
                let instr = self.instrs[i];
                let effect = |jump| {
                    stack_effect(instr.op, instr.arg, jump).ok_or_else(|| {
                        CompileError::new(
                            ErrorKind::SystemError,
                            format!("Invalid stack effect for opcode={}, arg={}", instr.op, instr.arg),
                        )
                    })
                };
                let new_depth = depth + effect(false)?;
                if new_depth < 0 {
                    return Err(CompileError::new(ErrorKind::ValueError, "Invalid CFG, stack underflow"));
                }
                max = max.max(new_depth);
                if has_target(instr.op) {
                    let target_depth = depth + effect(true)?;
                    max = max.max(target_depth);
                    self.stackdepth_push(instr.arg, target_depth, &mut todo)?;
                }
                depth = new_depth;
                if no_fallthrough(instr.op) {
                    next = NONE;
                    break;
                }
            }
            if next != NONE {
                self.stackdepth_push(next, depth, &mut todo)?;
            }
        }
        self.todo = todo;
        Ok(max as u32)
    }

    fn stackdepth_push(&mut self, b: u32, depth: i32, todo: &mut Vec<u32>) -> Result<()> {
        let block = self.block_mut(b);
        if block.startdepth >= 0 && block.startdepth != depth {
            return Err(CompileError::new(ErrorKind::ValueError, "Invalid CFG, inconsistent stackdepth"));
        }
        if block.startdepth < depth && block.startdepth < 100 {
            block.startdepth = depth;
            todo.push(b);
        }
        Ok(())
    }

    /// Numbers locals, cells and free variables, and adds the instructions that make the cells; how many
    /// variables there are.
    fn prepare_localsplus(&mut self, meta: &Metadata, code_flags: u32, locs: &mut Vec<Location>) -> u32 {
        let nlocals = meta.varnames.len() as u32;
        let ncells = meta.cellvars.len() as u32;
        let noffsets = ncells + meta.freevars.len() as u32;
        // A cell that is a parameter too has the parameter's place.
        let mut fixed: Vec<u32> = (nlocals..nlocals + noffsets).collect();
        for (i, (name, ())) in meta.cellvars.entries().iter().enumerate() {
            if let Some(local) = meta.varnames.index_of(*name) {
                fixed[i] = local as u32;
            }
        }
        self.insert_prefix_instructions(meta, &fixed, code_flags, locs);

        let mut dropped = 0;
        for (i, offset) in fixed.iter_mut().enumerate() {
            if *offset == nlocals + i as u32 {
                *offset -= dropped;
            } else {
                dropped += 1;
            }
        }
        if noffsets > 0 {
            let mut b = ENTRY;
            while b != NONE {
                for instr in self.instrs_mut(b) {
                    if matches!(
                        instr.op,
                        MAKE_CELL | LOAD_CLOSURE | LOAD_DEREF | STORE_DEREF | DELETE_DEREF | LOAD_FROM_DICT_OR_DEREF
                    ) {
                        instr.arg = fixed[instr.arg as usize];
                    }
                }
                b = self.next(b);
            }
        }
        nlocals + noffsets - dropped
    }

    /// What a frame begins with: free variables, cells, and the generator that it returns.
    fn insert_prefix_instructions(
        &mut self,
        meta: &Metadata,
        fixed: &[u32],
        code_flags: u32,
        locs: &mut Vec<Location>,
    ) {
        let mut prefix = Vec::new();
        if !meta.freevars.is_empty() {
            prefix.push(Instr::new(COPY_FREE_VARS, meta.freevars.len() as u32, Loc::NONE));
        }
        let mut cells: Vec<u32> = (0..meta.cellvars.len() as u32).collect();
        cells.sort_by_key(|i| fixed[*i as usize]);
        prefix.extend(cells.into_iter().map(|i| Instr::new(MAKE_CELL, i, Loc::NONE)));
        if code_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR) != 0 {
            let loc = Loc(locs.len() as u32);
            locs.push(Location {
                lineno: meta.firstlineno,
                end_lineno: meta.firstlineno,
                col_offset: -1,
                end_col_offset: -1,
            });
            prefix.push(Instr::new(RETURN_GENERATOR, 0, loc));
            prefix.push(Instr::new(POP_TOP, 0, loc));
        }
        if prefix.is_empty() {
            return;
        }
        let range = self.range(ENTRY);
        let start = self.instrs.len() as u32;
        self.instrs.extend_from_slice(&prefix);
        self.instrs.extend_from_within(range);
        let entry = self.block_mut(ENTRY);
        entry.start = start;
        entry.len += prefix.len() as u32;
    }

    fn convert_pseudo_ops(&mut self) {
        let mut b = ENTRY;
        while b != NONE {
            for instr in self.instrs_mut(b) {
                match instr.op {
                    SETUP_FINALLY | SETUP_WITH | SETUP_CLEANUP => set_nop(instr),
                    LOAD_CLOSURE => instr.op = LOAD_FAST,
                    STORE_FAST_MAYBE_NULL => instr.op = STORE_FAST,
                    _ => {}
                }
            }
            b = self.next(b);
        }
    }

    /// Conditional jumps go forward only: one that goes back is turned round and followed by a jump.
    fn normalize_jumps(&mut self) {
        self.clear_flags(VISITED);
        let mut b = ENTRY;
        while b != NONE {
            self.visit(b);
            if let Some(last) = self.last_index(b) {
                let instr = self.instrs[last];
                if has_jump(instr.op)
                    && !is_unconditional_jump(instr.op)
                    && self.block(instr.arg).flags & VISITED != 0
                    && self.next(b) != NONE
                {
                    let next = self.next(b);
                    let cold = self.block(b).flags & COLD;
                    let jump = self.new_block();
                    self.push_instr(jump, Instr::new(JUMP, instr.arg, instr.loc));
                    let block = self.block_mut(jump);
                    block.flags |= cold;
                    block.next = next;
                    self.instrs[last].op = match instr.op {
                        POP_JUMP_IF_NOT_NONE => POP_JUMP_IF_NONE,
                        POP_JUMP_IF_NONE => POP_JUMP_IF_NOT_NONE,
                        POP_JUMP_IF_FALSE => POP_JUMP_IF_TRUE,
                        POP_JUMP_IF_TRUE => POP_JUMP_IF_FALSE,
                        op => op,
                    };
                    self.instrs[last].arg = next;
                    self.block_mut(b).next = jump;
                }
            }
            b = self.next(b);
        }
    }
}
