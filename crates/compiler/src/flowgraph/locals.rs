//! Liveness: which loads of locals may find nothing.

use super::*;

/// So many locals are followed through the whole graph.
const TRACKED: usize = 64;

impl Cfg {
    /// Makes `LOAD_FAST` of a variable that may be unbound `LOAD_FAST_CHECK`.
    pub(super) fn add_checks_for_loads_of_uninitialized_variables(&mut self, nlocals: usize, nparams: usize) {
        if nlocals == 0 {
            return;
        }
        let mut tracked = nlocals;
        if nlocals > TRACKED {
            self.fast_scan_many_locals(nlocals);
            tracked = TRACKED;
        }
        let mut unsafe_mask = vec![0u64; self.blocks.len()];
        self.clear_flags(VISITED);
        let mut todo = std::mem::take(&mut self.todo);
        todo.clear();
        // At first, everything but the parameters is unbound.
        let mut start = 0u64;
        for i in nparams..tracked {
            start |= 1 << i;
        }
        self.maybe_push(ENTRY, start, &mut unsafe_mask, &mut todo);
        // A DELETE_FAST may be anywhere, so each block is looked at.
        let mut b = ENTRY;
        while b != NONE {
            self.scan_block_for_locals(b, &mut unsafe_mask, &mut todo);
            b = self.next(b);
        }
        while let Some(b) = todo.pop() {
            self.block_mut(b).flags &= !VISITED;
            self.scan_block_for_locals(b, &mut unsafe_mask, &mut todo);
        }
        self.todo = todo;
    }

    /// Adds to what may be unbound in a block; one that changes is looked at again.
    #[inline]
    fn maybe_push(&mut self, b: u32, mask: u64, unsafe_mask: &mut [u64], todo: &mut Vec<u32>) {
        let old = &mut unsafe_mask[b as usize];
        if *old | mask != *old {
            *old |= mask;
            if self.visit(b) {
                todo.push(b);
            }
        }
    }

    fn scan_block_for_locals(&mut self, b: u32, unsafe_mask: &mut [u64], todo: &mut Vec<u32>) {
        let mut mask = unsafe_mask[b as usize];
        for i in self.range(b) {
            let instr = self.instrs[i];
            if instr.except != NONE {
                self.maybe_push(instr.except, mask, unsafe_mask, todo);
            }
            if instr.arg >= TRACKED as u32 {
                continue;
            }
            let bit = 1u64 << instr.arg;
            match instr.op {
                DELETE_FAST | LOAD_FAST_AND_CLEAR | STORE_FAST_MAYBE_NULL => mask |= bit,
                // A check that doesn't raise has shown that the variable is bound.
                STORE_FAST | LOAD_FAST_CHECK => mask &= !bit,
                LOAD_FAST => {
                    if mask & bit != 0 {
                        self.instrs[i].op = LOAD_FAST_CHECK;
                    }
                    mask &= !bit;
                }
                _ => {}
            }
        }
        let next = self.next(b);
        if next != NONE && self.has_fallthrough(b) {
            self.maybe_push(next, mask, unsafe_mask, todo);
        }
        if let Some(&last) = self.last(b)
            && has_jump(last.op)
        {
            self.maybe_push(last.arg, mask, unsafe_mask, todo);
        }
    }

    /// Locals beyond the tracked ones are followed inside blocks only.
    fn fast_scan_many_locals(&mut self, nlocals: usize) {
        // In which block each was last known to be bound.
        let mut bound_in = vec![0u32; nlocals - TRACKED];
        let mut number = 0;
        let mut b = ENTRY;
        while b != NONE {
            number += 1;
            for i in self.range(b) {
                let instr = self.instrs[i];
                let Some(local) = (instr.arg as usize).checked_sub(TRACKED) else { continue };
                let Some(bound_in) = bound_in.get_mut(local) else { continue };
                match instr.op {
                    DELETE_FAST | LOAD_FAST_AND_CLEAR | STORE_FAST_MAYBE_NULL => *bound_in = number - 1,
                    STORE_FAST => *bound_in = number,
                    LOAD_FAST => {
                        if *bound_in != number {
                            self.instrs[i].op = LOAD_FAST_CHECK;
                        }
                        *bound_in = number;
                    }
                    _ => {}
                }
            }
            b = self.next(b);
        }
    }
}
