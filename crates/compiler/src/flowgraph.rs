//! The second and third pass: the control-flow graph, and its optimiser.
//!
//! The graph is two flat arrays. A block is a record and a range of the
//! instructions; a block that grows moves to the end of their array. Blocks are
//! linked in the order in which the code will be laid out.

mod locals;
mod peephole;
mod prepare;

use crate::consts::{ConstId, ConstPool};
use crate::error::{CompileError, ErrorKind, Location, Result};
use crate::instruction_sequence::{Instr, InstrSeq, Loc, NONE};
use crate::opcode::*;

pub(crate) use prepare::Layout;

/// A basic block. What the record holds beside the range are 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    start: u32,
    len: u32,
    /// The block that follows, or `NONE`.
    pub(crate) next: u32,
    predecessors: u32,
    /// The depth of the stack on entry, once computed.
    pub(crate) startdepth: i32,
    flags: u8,
}

const _: () = assert!(size_of::<Block>() <= 8 + 20);

/// Some jump or handler's set-up has it as its target.
const LABEL: u8 = 1;
const VISITED: u8 = 2;
/// An exception handler starts here.
const EXCEPT_HANDLER: u8 = 4;
/// The handler finds lasti below the exception.
const PRESERVE_LASTI: u8 = 8;
/// Runs after exceptions only.
const COLD: u8 = 16;
/// Can be reached without an exception.
const WARM: u8 = 32;

/// A small exit block that a jump leads to is copied in place of the jump.
const MAX_COPY_SIZE: u32 = 4;

/// The graph of one code object at a time; its memory is used again for the next.
#[derive(Default)]
pub struct Cfg {
    instrs: Vec<Instr>,
    blocks: Vec<Block>,
    todo: Vec<u32>,
    marks: Vec<u32>,
}

const ENTRY: u32 = 0;

impl Cfg {
    // Construction

    /// Makes the graph of a sequence, whose labels have been applied; its instructions are taken.
    pub fn build(&mut self, seq: &mut InstrSeq) {
        self.instrs.clear();
        self.blocks.clear();
        std::mem::swap(&mut self.instrs, &mut seq.instrs);
        // Which instructions are jumped to.
        self.marks.clear();
        self.marks.resize(self.instrs.len(), NONE);
        for instr in &self.instrs {
            if has_target(instr.op) {
                self.marks[instr.arg as usize] = 0;
            }
        }
        // A block begins at these and after each terminator.
        let mut start = 0;
        for i in 0..self.instrs.len() {
            let is_target = self.marks[i] != NONE;
            if i == 0 || is_target || is_terminator(self.instrs[i - 1].op) {
                let number = self.blocks.len() as u32;
                if let Some(last) = self.blocks.last_mut() {
                    last.len = i as u32 - start;
                    last.next = number;
                }
                start = i as u32;
                if is_target {
                    self.marks[i] = number;
                }
                self.blocks.push(Block {
                    start,
                    len: 0,
                    next: NONE,
                    predecessors: 0,
                    startdepth: 0,
                    flags: if is_target { LABEL } else { 0 },
                });
            }
        }
        if let Some(last) = self.blocks.last_mut() {
            last.len = self.instrs.len() as u32 - start;
        }
        for instr in &mut self.instrs {
            if has_target(instr.op) {
                instr.arg = self.marks[instr.arg as usize];
            }
        }
    }

    // Access

    #[inline]
    pub(crate) fn block(&self, b: u32) -> &Block {
        &self.blocks[b as usize]
    }

    pub(crate) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn preserves_lasti(&self, b: u32) -> bool {
        self.block(b).flags & PRESERVE_LASTI != 0
    }

    #[inline]
    fn block_mut(&mut self, b: u32) -> &mut Block {
        &mut self.blocks[b as usize]
    }

    #[inline]
    fn range(&self, b: u32) -> std::ops::Range<usize> {
        let block = self.block(b);
        block.start as usize..(block.start + block.len) as usize
    }

    /// The instructions of a block.
    #[inline]
    pub(crate) fn instrs(&self, b: u32) -> &[Instr] {
        &self.instrs[self.range(b)]
    }

    #[inline]
    fn instrs_mut(&mut self, b: u32) -> &mut [Instr] {
        let range = self.range(b);
        &mut self.instrs[range]
    }

    /// Blocks in the order of the layout.
    #[inline]
    pub(crate) fn next(&self, b: u32) -> u32 {
        self.block(b).next
    }

    #[inline]
    fn last_index(&self, b: u32) -> Option<usize> {
        let block = self.block(b);
        (block.len > 0).then(|| (block.start + block.len) as usize - 1)
    }

    #[inline]
    fn last(&self, b: u32) -> Option<&Instr> {
        self.instrs(b).last()
    }

    #[inline]
    fn has_fallthrough(&self, b: u32) -> bool {
        !self.last(b).is_some_and(|last| no_fallthrough(last.op))
    }

    #[inline]
    fn exits_scope(&self, b: u32) -> bool {
        self.last(b).is_some_and(|last| is_scope_exit(last.op))
    }

    fn has_no_lineno(&self, b: u32, locs: &[Location]) -> bool {
        self.instrs(b).iter().all(|i| lineno(locs, i) < 0)
    }

    fn next_nonempty_block(&self, mut b: u32) -> u32 {
        while b != NONE && self.block(b).len == 0 {
            b = self.next(b);
        }
        b
    }

    fn new_block(&mut self) -> u32 {
        self.blocks.push(Block {
            start: self.instrs.len() as u32,
            len: 0,
            next: NONE,
            predecessors: 0,
            startdepth: 0,
            flags: 0,
        });
        self.blocks.len() as u32 - 1
    }

    /// Makes sure that the block's range is the last of the array, so that it can grow.
    fn make_last(&mut self, b: u32) {
        let range = self.range(b);
        if range.end != self.instrs.len() {
            self.block_mut(b).start = self.instrs.len() as u32;
            self.instrs.extend_from_within(range);
        }
    }

    fn push_instr(&mut self, b: u32, instr: Instr) {
        self.make_last(b);
        self.instrs.push(instr);
        self.block_mut(b).len += 1;
    }

    /// Appends copies of another block's instructions.
    fn append_block(&mut self, to: u32, from: u32) {
        self.make_last(to);
        let range = self.range(from);
        self.block_mut(to).len += range.len() as u32;
        self.instrs.extend_from_within(range);
    }

    fn clear_flags(&mut self, clear: u8) {
        for block in &mut self.blocks {
            block.flags &= !clear;
        }
    }

    /// Marks a block as seen; was it new?
    fn visit(&mut self, b: u32) -> bool {
        let block = self.block_mut(b);
        let new = block.flags & VISITED == 0;
        block.flags |= VISITED;
        new
    }

    // The order of the passes

    /// Optimises the graph. `nlocals` counts the fast locals, of which `nparams` are parameters.
    pub fn optimize_code_unit(
        &mut self,
        consts: &mut Vec<ConstId>,
        pool: &mut ConstPool,
        locs: &[Location],
        nlocals: usize,
        nparams: usize,
    ) -> Result<()> {
        self.mark_except_handlers();
        self.label_exception_targets()?;

        self.check_cfg()?;
        self.inline_small_or_no_lineno_blocks(locs);
        self.remove_unreachable();
        self.resolve_line_numbers(locs);
        self.optimize_load_const(consts, pool);
        self.optimize_basic_blocks(consts, pool, locs);
        self.remove_redundant_nops_and_pairs(locs);
        self.remove_unreachable();
        self.remove_redundant_nops_and_jumps(locs)?;

        self.remove_unused_consts(consts);
        self.add_checks_for_loads_of_uninitialized_variables(nlocals, nparams);
        self.insert_superinstructions(locs);

        self.push_cold_blocks_to_end(locs)?;
        self.resolve_line_numbers(locs);
        Ok(())
    }

    // Exceptions

    fn mark_except_handlers(&mut self) {
        for i in 0..self.instrs.len() {
            if is_block_push(self.instrs[i].op) {
                let target = self.instrs[i].arg;
                self.block_mut(target).flags |= EXCEPT_HANDLER;
            }
        }
    }

    /// Finds the handler of each instruction, by following the set-ups and `POP_BLOCK`s along the control flow.
    pub(crate) fn label_exception_targets(&mut self) -> Result<()> {
        /// A stack of handlers is a path to the root; blocks share what they have in common.
        struct Frame {
            handler: u32,
            outer: u32,
            depth: u32,
        }
        let mut frames = vec![Frame { handler: NONE, outer: 0, depth: 0 }];
        self.clear_flags(VISITED);
        self.marks.clear();
        self.marks.resize(self.blocks.len(), 0);
        let mut todo = std::mem::take(&mut self.todo);
        todo.clear();
        todo.push(ENTRY);
        self.visit(ENTRY);
        while let Some(b) = todo.pop() {
            let mut top = self.marks[b as usize];
            let mut handler = frames[top as usize].handler;
            let mut last_yield_depth = None;
            for i in self.range(b) {
                let instr = self.instrs[i];
                if is_block_push(instr.op) {
                    let target = instr.arg;
                    if self.visit(target) {
                        self.marks[target as usize] = top;
                        todo.push(target);
                    }
                    if instr.op != SETUP_FINALLY {
                        self.block_mut(target).flags |= PRESERVE_LASTI;
                    }
                    frames.push(Frame { handler: target, outer: top, depth: frames[top as usize].depth + 1 });
                    top = frames.len() as u32 - 1;
                    handler = target;
                } else if instr.op == POP_BLOCK {
                    top = frames[top as usize].outer;
                    handler = frames[top as usize].handler;
                    set_nop(&mut self.instrs[i]);
                } else {
                    self.instrs[i].except = handler;
                    if has_jump(instr.op) {
                        if self.visit(instr.arg) {
                            self.marks[instr.arg as usize] = top;
                            todo.push(instr.arg);
                        }
                    } else if instr.op == YIELD_VALUE {
                        last_yield_depth = Some(frames[top as usize].depth);
                    } else if instr.op == RESUME && instr.arg != resume::AT_FUNC_START {
                        if last_yield_depth == Some(1) {
                            self.instrs[i].arg |= resume::DEPTH1_MASK;
                        }
                        last_yield_depth = None;
                    }
                }
            }
            let next = self.next(b);
            if next != NONE && self.has_fallthrough(b) && self.visit(next) {
                self.marks[next as usize] = top;
                todo.push(next);
            }
        }
        self.todo = todo;
        Ok(())
    }

    // Whole-graph passes

    fn check_cfg(&self) -> Result<()> {
        let mut b = ENTRY;
        while b != NONE {
            if let Some((_, init)) = self.instrs(b).split_last()
                && init.iter().any(|i| is_terminator(i.op))
            {
                return Err(CompileError::new(ErrorKind::SystemError, "malformed control flow graph."));
            }
            b = self.next(b);
        }
        Ok(())
    }

    /// Block extension: a jump to a small exit block, or to a block that would never be traced, is replaced
    /// by a copy of the block.
    fn inline_small_or_no_lineno_blocks(&mut self, locs: &[Location]) {
        loop {
            let mut changes = false;
            let mut b = ENTRY;
            while b != NONE {
                changes |= self.inline_jump_target(b, locs);
                b = self.next(b);
            }
            if !changes {
                return;
            }
        }
    }

    fn inline_jump_target(&mut self, b: u32, locs: &[Location]) -> bool {
        let Some(last) = self.last_index(b) else { return false };
        let jump = self.instrs[last];
        if !is_unconditional_jump(jump.op) {
            return false;
        }
        let target = jump.arg;
        let small_exit = self.exits_scope(target) && self.block(target).len <= MAX_COPY_SIZE;
        let untraced = !self.has_fallthrough(target) && self.has_no_lineno(target, locs);
        if !small_exit && !untraced {
            return false;
        }
        set_nop(&mut self.instrs[last]);
        self.append_block(b, target);
        if untraced
            && jump.op == JUMP
            && let Some(last) = self.last_index(b)
            && is_unconditional_jump(self.instrs[last].op)
        {
            // The check for signals isn't lost.
            self.instrs[last].op = JUMP;
        }
        let target = self.block_mut(target);
        target.predecessors = target.predecessors.wrapping_sub(1);
        true
    }

    /// Dead code: empties the blocks that control never reaches, and counts predecessors.
    fn remove_unreachable(&mut self) {
        for block in &mut self.blocks {
            block.predecessors = 0;
            block.flags &= !VISITED;
        }
        let mut todo = std::mem::take(&mut self.todo);
        todo.clear();
        todo.push(ENTRY);
        self.visit(ENTRY);
        self.block_mut(ENTRY).predecessors = 1;
        while let Some(b) = todo.pop() {
            let next = self.next(b);
            if next != NONE && self.has_fallthrough(b) {
                if self.visit(next) {
                    todo.push(next);
                }
                self.block_mut(next).predecessors += 1;
            }
            for i in self.range(b) {
                let instr = self.instrs[i];
                if has_target(instr.op) {
                    if self.visit(instr.arg) {
                        todo.push(instr.arg);
                    }
                    self.block_mut(instr.arg).predecessors += 1;
                }
            }
        }
        self.todo = todo;
        for block in &mut self.blocks {
            if block.predecessors == 0 {
                block.len = 0;
                block.flags &= !EXCEPT_HANDLER;
            }
        }
    }

    /// Drops NOPs that no line event needs; how many.
    fn remove_redundant_nops_in(&mut self, b: u32, locs: &[Location]) -> usize {
        let range = self.range(b);
        if !self.instrs[range.clone()].iter().any(|i| i.op == NOP) {
            return 0;
        }
        let mut dest = range.start;
        let mut prev_lineno = -1;
        for src in range.clone() {
            let instr = self.instrs[src];
            let line = lineno(locs, &instr);
            if instr.op == NOP {
                if line < 0 || prev_lineno == line {
                    continue;
                }
                if src + 1 < range.end {
                    let next_line = lineno(locs, &self.instrs[src + 1]);
                    if next_line == line {
                        continue;
                    }
                    if next_line < 0 {
                        self.instrs[src + 1].loc = instr.loc;
                        continue;
                    }
                } else {
                    let next = self.next_nonempty_block(self.next(b));
                    if next != NONE {
                        // NOPs without a line will go away.
                        let first =
                            self.instrs(next).iter().find(|i| i.op != NOP || lineno(locs, i) != -1);
                        if first.is_some_and(|i| lineno(locs, i) == line) {
                            continue;
                        }
                    }
                }
            }
            self.instrs[dest] = self.instrs[src];
            dest += 1;
            prev_lineno = line;
        }
        let removed = range.end - dest;
        self.block_mut(b).len -= removed as u32;
        removed
    }

    fn remove_redundant_nops(&mut self, locs: &[Location]) -> usize {
        let mut removed = 0;
        let mut b = ENTRY;
        while b != NONE {
            removed += self.remove_redundant_nops_in(b, locs);
            b = self.next(b);
        }
        removed
    }

    /// Drops jumps to what follows anyway; how many.
    fn remove_redundant_jumps(&mut self) -> Result<usize> {
        let mut removed = 0;
        let mut b = ENTRY;
        while b != NONE {
            if let Some(last) = self.last_index(b)
                && is_unconditional_jump(self.instrs[last].op)
            {
                let target = self.next_nonempty_block(self.instrs[last].arg);
                if target == NONE {
                    return Err(CompileError::new(ErrorKind::SystemError, "jump with NULL target"));
                }
                if target == self.next_nonempty_block(self.next(b)) {
                    set_nop(&mut self.instrs[last]);
                    removed += 1;
                }
            }
            b = self.next(b);
        }
        Ok(removed)
    }

    fn remove_redundant_nops_and_jumps(&mut self, locs: &[Location]) -> Result<()> {
        while self.remove_redundant_nops(locs) + self.remove_redundant_jumps()? > 0 {}
        Ok(())
    }

    // Line numbers

    /// Every exit has to have a line. Exits without one are copied until each has one
    /// predecessor, whose line it can take.
    fn resolve_line_numbers(&mut self, locs: &[Location]) {
        self.duplicate_exits_without_lineno(locs);
        self.propagate_line_numbers(locs);
    }

    fn needs_lineno(&self, b: u32, locs: &[Location]) -> bool {
        (self.exits_scope(b) || self.instrs(b).iter().any(|i| has_eval_break(i.op))) && self.has_no_lineno(b, locs)
    }

    fn duplicate_exits_without_lineno(&mut self, locs: &[Location]) {
        let mut b = ENTRY;
        while b != NONE {
            if let Some(last) = self.last_index(b)
                && has_jump(self.instrs[last].op)
            {
                let target = self.next_nonempty_block(self.instrs[last].arg);
                if target != NONE && self.block(target).predecessors > 1 && self.needs_lineno(target, locs) {
                    let copy = self.new_block();
                    self.append_block(copy, target);
                    let loc = self.instrs[last].loc;
                    self.instrs_mut(copy)[0].loc = loc;
                    self.instrs[last].arg = copy;
                    let after = self.next(target);
                    let original = self.block_mut(target);
                    original.predecessors -= 1;
                    original.next = copy;
                    let block = self.block_mut(copy);
                    block.predecessors = 1;
                    block.next = after;
                    block.flags |= LABEL;
                }
            }
            b = self.next(b);
        }
        // What is left can be reached by falling through only.
        let mut b = ENTRY;
        while b != NONE {
            let next = self.next(b);
            if next != NONE
                && self.has_fallthrough(b)
                && self.needs_lineno(next, locs)
                && let Some(loc) = self.last(b).map(|last| last.loc)
            {
                self.instrs_mut(next)[0].loc = loc;
            }
            b = next;
        }
    }

    fn propagate_line_numbers(&mut self, locs: &[Location]) {
        let mut b = ENTRY;
        while b != NONE {
            let next = self.next(b);
            if let Some(last) = self.last_index(b) {
                let mut prev = Loc::NONE;
                for instr in self.instrs_mut(b) {
                    if locs[instr.loc.0 as usize].lineno < 0 {
                        instr.loc = prev;
                    } else {
                        prev = instr.loc;
                    }
                }
                let last = self.instrs[last];
                if next != NONE && self.has_fallthrough(b) {
                    self.inherit_location(next, prev, locs);
                }
                if has_jump(last.op) {
                    self.inherit_location(last.arg, prev, locs);
                }
            }
            b = next;
        }
    }

    /// A block with one predecessor takes its location if it begins without one.
    fn inherit_location(&mut self, b: u32, loc: Loc, locs: &[Location]) {
        if self.block(b).predecessors == 1
            && let Some(first) = self.instrs_mut(b).first_mut()
            && locs[first.loc.0 as usize].lineno < 0
        {
            first.loc = loc;
        }
    }

    // Cold blocks

    fn mark_warm(&mut self) {
        self.clear_flags(VISITED);
        let mut todo = std::mem::take(&mut self.todo);
        todo.clear();
        todo.push(ENTRY);
        self.visit(ENTRY);
        while let Some(b) = todo.pop() {
            self.block_mut(b).flags |= WARM;
            let next = self.next(b);
            if next != NONE && self.has_fallthrough(b) && self.visit(next) {
                todo.push(next);
            }
            if let Some(&last) = self.last(b)
                && has_jump(last.op)
                && self.visit(last.arg)
            {
                todo.push(last.arg);
            }
        }
        self.todo = todo;
    }

    fn mark_cold(&mut self) {
        self.mark_warm();
        self.clear_flags(VISITED);
        let mut todo = std::mem::take(&mut self.todo);
        todo.clear();
        let mut b = ENTRY;
        while b != NONE {
            if self.block(b).flags & EXCEPT_HANDLER != 0 {
                todo.push(b);
                self.visit(b);
            }
            b = self.next(b);
        }
        while let Some(b) = todo.pop() {
            self.block_mut(b).flags |= COLD;
            let next = self.next(b);
            if next != NONE && self.has_fallthrough(b) && self.block(next).flags & WARM == 0 && self.visit(next) {
                todo.push(next);
            }
            if let Some(&last) = self.last(b)
                && has_jump(last.op)
                && self.block(last.arg).flags & WARM == 0
                && self.visit(last.arg)
            {
                todo.push(last.arg);
            }
        }
        self.todo = todo;
    }

    /// Moves what only runs after exceptions behind the rest.
    fn push_cold_blocks_to_end(&mut self, locs: &[Location]) -> Result<()> {
        if self.next(ENTRY) == NONE {
            return Ok(());
        }
        self.mark_cold();
        // From cold to warm code, falling through becomes a jump.
        let mut b = ENTRY;
        let mut any_cold = false;
        while b != NONE {
            let next = self.next(b);
            if self.block(b).flags & COLD != 0 {
                any_cold = true;
                if next != NONE && self.block(next).flags & WARM != 0 && self.has_fallthrough(b) {
                    let jump = self.new_block();
                    self.push_instr(jump, Instr::new(JUMP_NO_INTERRUPT, next, Loc::NONE));
                    self.block_mut(next).flags |= LABEL;
                    let block = self.block_mut(jump);
                    block.flags |= COLD;
                    block.next = next;
                    block.predecessors = 1;
                    self.block_mut(b).next = jump;
                }
            }
            b = next;
        }
        if !any_cold {
            return Ok(());
        }
        let (mut warm_tail, mut cold_head, mut cold_tail) = (ENTRY, NONE, NONE);
        let mut b = self.next(ENTRY);
        while b != NONE {
            let next = self.next(b);
            if self.block(b).flags & COLD == 0 {
                self.block_mut(warm_tail).next = b;
                warm_tail = b;
            } else if cold_tail == NONE {
                cold_head = b;
                cold_tail = b;
            } else {
                self.block_mut(cold_tail).next = b;
                cold_tail = b;
            }
            b = next;
        }
        self.block_mut(warm_tail).next = cold_head;
        if cold_tail != NONE {
            self.block_mut(cold_tail).next = NONE;
        }
        self.remove_redundant_nops_and_jumps(locs)
    }
}

#[inline]
fn lineno(locs: &[Location], instr: &Instr) -> i32 {
    locs[instr.loc.0 as usize].lineno
}

#[inline]
fn set_nop(instr: &mut Instr) {
    instr.op = NOP;
    instr.arg = 0;
}
