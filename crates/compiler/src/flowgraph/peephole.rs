//! Improvements of instruction sequences inside blocks.

use super::*;

impl Cfg {
    fn add_const(consts: &mut Vec<ConstId>, id: ConstId) -> u32 {
        if let Some(index) = consts.iter().position(|c| *c == id) {
            return index as u32;
        }
        consts.push(id);
        consts.len() as u32 - 1
    }

    /// Constant conditions, tests for None, returns of constants.
    pub(super) fn optimize_load_const(&mut self, consts: &mut Vec<ConstId>, pool: &mut ConstPool) {
        let mut b = ENTRY;
        while b != NONE {
            let range = self.range(b);
            self.optimize_load_const_in(range, consts, pool);
            b = self.next(b);
        }
    }

    fn optimize_load_const_in(
        &mut self,
        range: std::ops::Range<usize>,
        consts: &mut Vec<ConstId>,
        pool: &mut ConstPool,
    ) {
        let instrs = &mut self.instrs[range];
        // The constant that the current instruction pushes, by itself or as a copy.
        let (mut op, mut arg) = (0, 0);
        let mut i = 0;
        while i < instrs.len() {
            let is_copy = op == LOAD_CONST && instrs[i].op == COPY && instrs[i].arg == 1;
            if !is_copy {
                (op, arg) = (instrs[i].op, instrs[i].arg);
            }
            if op == LOAD_CONST
                && let Some(&next) = instrs.get(i + 1)
            {
                let id = consts[arg as usize];
                match next.op {
                    POP_JUMP_IF_FALSE | POP_JUMP_IF_TRUE => {
                        if let Some(truth) = pool.get(id).is_true() {
                            set_nop(&mut instrs[i]);
                            if truth == (next.op == POP_JUMP_IF_TRUE) {
                                instrs[i + 1].op = JUMP;
                            } else {
                                set_nop(&mut instrs[i + 1]);
                            }
                        }
                    }
                    IS_OP if id == ConstPool::NONE => Self::fold_is_none(instrs, i),
                    RETURN_VALUE => {
                        set_nop(&mut instrs[i]);
                        i += 1;
                        instrs[i].op = RETURN_CONST;
                        instrs[i].arg = arg;
                    }
                    TO_BOOL => {
                        if let Some(truth) = pool.get(id).is_true() {
                            let value = if truth { ConstPool::TRUE } else { ConstPool::FALSE };
                            let index = Self::add_const(consts, value);
                            set_nop(&mut instrs[i]);
                            instrs[i + 1].op = LOAD_CONST;
                            instrs[i + 1].arg = index;
                        }
                    }
                    _ => {}
                }
            }
            i += 1;
        }
    }

    /// `x is None` followed by a jump is one jump.
    fn fold_is_none(instrs: &mut [Instr], i: usize) {
        if instrs.len() <= i + 2 {
            return;
        }
        let mut jump = i + 2;
        if instrs[jump].op == TO_BOOL {
            // The result is a bool already.
            set_nop(&mut instrs[jump]);
            jump += 1;
            if instrs.len() <= jump {
                return;
            }
        }
        let mut invert = instrs[i + 1].arg != 0;
        match instrs[jump].op {
            POP_JUMP_IF_FALSE => invert = !invert,
            POP_JUMP_IF_TRUE => {}
            _ => return,
        }
        set_nop(&mut instrs[i]);
        set_nop(&mut instrs[i + 1]);
        instrs[jump].op = if invert { POP_JUMP_IF_NOT_NONE } else { POP_JUMP_IF_NONE };
    }

    pub(super) fn optimize_basic_blocks(
        &mut self,
        consts: &mut Vec<ConstId>,
        pool: &mut ConstPool,
        locs: &[Location],
    ) {
        let mut b = ENTRY;
        while b != NONE {
            self.optimize_basic_block(b, consts, pool, locs);
            let range = self.range(b);
            if self.instrs[range.clone()].iter().any(|i| i.op == SWAP) {
                let instrs = &mut self.instrs[range];
                let mut i = 0;
                while i < instrs.len() {
                    if instrs[i].op == SWAP {
                        i = swaptimize(instrs, i);
                        apply_static_swaps(instrs, i, locs);
                    }
                    i += 1;
                }
            }
            b = self.next(b);
        }
    }

    fn optimize_basic_block(&mut self, b: u32, consts: &mut Vec<ConstId>, pool: &mut ConstPool, locs: &[Location]) {
        let mut at = 0;
        while at < self.block(b).len as usize {
            let i = self.block(b).start as usize + at;
            let end = self.range(b).end;
            let Instr { op, arg, loc, .. } = self.instrs[i];
            let next = if i + 1 < end { self.instrs[i + 1].op } else { CACHE };
            match op {
                // Packing that is undone at once.
                BUILD_TUPLE => {
                    if next == UNPACK_SEQUENCE && arg == self.instrs[i + 1].arg && (1..=3).contains(&arg) {
                        set_nop(&mut self.instrs[i]);
                        if arg == 1 {
                            set_nop(&mut self.instrs[i + 1]);
                        } else {
                            self.instrs[i + 1].op = SWAP;
                        }
                    } else if at >= arg as usize {
                        self.fold_tuple_on_constants(i, arg as usize, consts, pool);
                    }
                }
                POP_JUMP_IF_NOT_NONE | POP_JUMP_IF_NONE | POP_JUMP_IF_FALSE | POP_JUMP_IF_TRUE => {
                    if let Some(&target) = self.instrs(arg).first()
                        && target.op == JUMP
                    {
                        self.jump_thread(b, i, target, op);
                    }
                }
                JUMP | JUMP_NO_INTERRUPT => {
                    if let Some(&target) = self.instrs(arg).first() {
                        match target.op {
                            JUMP => self.jump_thread(b, i, target, JUMP),
                            JUMP_NO_INTERRUPT => self.jump_thread(b, i, target, op),
                            _ => {}
                        }
                    }
                }
                STORE_FAST
                    if next == STORE_FAST
                        && arg == self.instrs[i + 1].arg
                        && locs[loc.0 as usize].lineno == lineno(locs, &self.instrs[i + 1]) =>
                {
                    self.instrs[i].op = POP_TOP;
                    self.instrs[i].arg = 0;
                }
                SWAP if arg == 1 => set_nop(&mut self.instrs[i]),
                LOAD_GLOBAL if next == PUSH_NULL && arg & 1 == 0 => {
                    self.instrs[i].arg = arg | 1;
                    set_nop(&mut self.instrs[i + 1]);
                }
                COMPARE_OP if next == TO_BOOL => self.combine(i, COMPARE_OP, arg | 16),
                CONTAINS_OP | IS_OP if next == TO_BOOL => self.combine(i, op, arg),
                TO_BOOL if next == TO_BOOL => set_nop(&mut self.instrs[i]),
                UNARY_NOT if next == TO_BOOL => self.combine(i, UNARY_NOT, 0),
                UNARY_NOT if next == UNARY_NOT => {
                    set_nop(&mut self.instrs[i]);
                    set_nop(&mut self.instrs[i + 1]);
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// The instruction takes the place of the next one, whose work it does too.
    fn combine(&mut self, i: usize, op: Opcode, arg: u32) {
        set_nop(&mut self.instrs[i]);
        self.instrs[i + 1].op = op;
        self.instrs[i + 1].arg = arg;
    }

    /// Jumps to a jump go where that one goes; the new jump is looked at next.
    fn jump_thread(&mut self, b: u32, i: usize, target: Instr, op: Opcode) {
        if self.instrs[i].arg != target.arg {
            // The NOP keeps the line, if that is needed.
            set_nop(&mut self.instrs[i]);
            self.push_instr(b, Instr::new(op, target.arg, target.loc));
        }
    }

    /// The tuple of the n constants before the instruction is a constant.
    fn fold_tuple_on_constants(&mut self, i: usize, n: usize, consts: &mut Vec<ConstId>, pool: &mut ConstPool) {
        let items = &mut self.instrs[i - n..i];
        if !items.iter().all(|instr| instr.op == LOAD_CONST) {
            return;
        }
        let id = pool.add_tuple(items.iter().map(|instr| consts[instr.arg as usize]).collect::<Vec<_>>().into_iter());
        let index = Self::add_const(consts, id);
        items.iter_mut().for_each(set_nop);
        self.instrs[i].op = LOAD_CONST;
        self.instrs[i].arg = index;
    }

    /// NOPs, and pushes of values that are popped at once.
    pub(super) fn remove_redundant_nops_and_pairs(&mut self, locs: &[Location]) {
        let mut done = false;
        while !done {
            done = true;
            let mut previous: Option<usize> = None;
            let mut b = ENTRY;
            while b != NONE {
                self.remove_redundant_nops_in(b, locs);
                if self.block(b).flags & LABEL != 0 {
                    previous = None;
                }
                for i in self.range(b) {
                    if self.instrs[i].op == POP_TOP
                        && let Some(p) = previous
                    {
                        let Instr { op, arg, .. } = self.instrs[p];
                        if op == LOAD_CONST || op == COPY && arg == 1 {
                            set_nop(&mut self.instrs[p]);
                            set_nop(&mut self.instrs[i]);
                            done = false;
                        }
                    }
                    previous = Some(i);
                }
                if previous.is_some_and(|p| has_jump(self.instrs[p].op)) || !self.has_fallthrough(b) {
                    previous = None;
                }
                b = self.next(b);
            }
        }
    }

    pub(super) fn insert_superinstructions(&mut self, locs: &[Location]) {
        let mut b = ENTRY;
        while b != NONE {
            let range = self.range(b);
            let instrs = &mut self.instrs[range];
            for i in 1..instrs.len() {
                let (first, second) = (instrs[i - 1], instrs[i]);
                let op = match (first.op, second.op) {
                    (LOAD_FAST, LOAD_FAST) => LOAD_FAST_LOAD_FAST,
                    (STORE_FAST, LOAD_FAST) => STORE_FAST_LOAD_FAST,
                    (STORE_FAST, STORE_FAST) => STORE_FAST_STORE_FAST,
                    _ => continue,
                };
                let (line1, line2) = (lineno(locs, &first), lineno(locs, &second));
                if line1 >= 0 && line2 >= 0 && line1 != line2 || first.arg >= 16 || second.arg >= 16 {
                    continue;
                }
                instrs[i - 1].op = op;
                instrs[i - 1].arg = first.arg << 4 | second.arg;
                set_nop(&mut instrs[i]);
            }
            b = self.next(b);
        }
        self.remove_redundant_nops(locs);
    }

    /// Drops constants that nothing loads any more, save the first: it may be the docstring.
    pub(super) fn remove_unused_consts(&mut self, consts: &mut Vec<ConstId>) {
        if consts.is_empty() {
            return;
        }
        let mut used = vec![NONE; consts.len()];
        used[0] = 0;
        let mut b = ENTRY;
        while b != NONE {
            for instr in self.instrs(b) {
                if has_const(instr.op) {
                    used[instr.arg as usize] = 0;
                }
            }
            b = self.next(b);
        }
        if !used.contains(&NONE) {
            return;
        }
        let mut kept = 0;
        for i in 0..consts.len() {
            if used[i] != NONE {
                used[i] = kept;
                consts[kept as usize] = consts[i];
                kept += 1;
            }
        }
        consts.truncate(kept as usize);
        let mut b = ENTRY;
        while b != NONE {
            for instr in self.instrs_mut(b) {
                if has_const(instr.op) {
                    instr.arg = used[instr.arg as usize];
                }
            }
            b = self.next(b);
        }
    }
}

/// Replaces a run of SWAPs and NOPs by the shortest run of SWAPs that does the
/// same; the last index of the run.
///
/// What the run does is a permutation; each of its cycles is undone from the
/// end of the run backwards, swapping the next item of the cycle with the top.
fn swaptimize(instrs: &mut [Instr], start: usize) -> usize {
    let mut depth = instrs[start].arg as usize;
    let mut end = start + 1;
    let mut more = false;
    while end < instrs.len() {
        match instrs[end].op {
            SWAP => {
                depth = depth.max(instrs[end].arg as usize);
                more = true;
            }
            NOP => {}
            _ => break,
        }
        end += 1;
    }
    if !more {
        return start;
    }
    const DONE: usize = usize::MAX;
    let mut stack: Vec<usize> = (0..depth).collect();
    for instr in &instrs[start..end] {
        if instr.op == SWAP {
            stack.swap(0, instr.arg as usize - 1);
        }
    }
    let mut current = end;
    for i in 0..depth {
        if stack[i] == DONE || stack[i] == i {
            continue;
        }
        let mut j = i;
        loop {
            if j != 0 {
                current -= 1;
                instrs[current].op = SWAP;
                instrs[current].arg = j as u32 + 1;
            }
            if stack[j] == DONE {
                break;
            }
            j = std::mem::replace(&mut stack[j], DONE);
        }
    }
    instrs[start..current].iter_mut().for_each(set_nop);
    end - 1
}

/// Can it change places with its like, if they are for different variables?
fn is_swappable(instr: &Instr) -> bool {
    matches!(instr.op, STORE_FAST | STORE_FAST_MAYBE_NULL | POP_TOP)
}

fn stores_to(instr: &Instr) -> Option<u32> {
    matches!(instr.op, STORE_FAST | STORE_FAST_MAYBE_NULL).then_some(instr.arg)
}

fn next_swappable(instrs: &[Instr], i: usize, line: i32, locs: &[Location]) -> Option<usize> {
    for (j, instr) in instrs.iter().enumerate().skip(i + 1) {
        if line >= 0 && lineno(locs, instr) != line {
            // Tracing would show the variables bound in another order.
            return None;
        }
        if instr.op != NOP {
            return is_swappable(instr).then_some(j);
        }
    }
    None
}

/// Swaps instructions instead of the values that they store or pop.
fn apply_static_swaps(instrs: &mut [Instr], last: usize, locs: &[Location]) {
    for i in (0..=last).rev() {
        if instrs[i].op != SWAP {
            if instrs[i].op == NOP || is_swappable(&instrs[i]) {
                continue;
            }
            return;
        }
        let Some(j) = next_swappable(instrs, i, -1, locs) else { return };
        let mut k = j;
        let line = lineno(locs, &instrs[j]);
        for _ in 1..instrs[i].arg {
            match next_swappable(instrs, k, line, locs) {
                Some(next) => k = next,
                None => return,
            }
        }
        // Stores to one variable keep their order.
        let (store_j, store_k) = (stores_to(&instrs[j]), stores_to(&instrs[k]));
        if store_j.is_some() || store_k.is_some() {
            if store_j == store_k {
                return;
            }
            let conflicts = |instr: &Instr| {
                let store = stores_to(instr);
                store.is_some() && (store == store_j || store == store_k)
            };
            if instrs[j + 1..k.max(j + 1)].iter().any(conflicts) {
                return;
            }
        }
        set_nop(&mut instrs[i]);
        instrs.swap(j, k);
    }
}
