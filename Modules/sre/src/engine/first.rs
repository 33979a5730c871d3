//! What a part of a pattern may start with. It tells which positions, alternatives and repetitions can be left out
//! without trying them.

use super::charset::Fold;
use super::program::*;

/// The characters that a match may start with: certainly not those that are left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct First {
    /// Codes below 256.
    pub low: [u64; 4],
    /// Any code from 256 on.
    pub wide: bool,
    /// It may match without looking at a character.
    pub empty: bool,
}

impl First {
    /// Nothing known.
    pub const fn any() -> First {
        First { low: [u64::MAX; 4], wide: true, empty: true }
    }
    const fn none() -> First {
        First { low: [0; 4], wide: false, empty: false }
    }
    /// Whether every character may be first.
    pub fn is_full(&self) -> bool {
        self.wide && self.low == [u64::MAX; 4]
    }
    fn add(&mut self, c: u32) {
        if c < 256 {
            self.low[c as usize / 64] |= 1 << (c % 64);
        } else {
            self.wide = true;
        }
    }
    fn union(&mut self, o: First) {
        for (a, b) in self.low.iter_mut().zip(o.low) {
            *a |= b;
        }
        self.wide |= o.wide;
        self.empty |= o.empty;
    }
    /// Whether a match may start with character `c`.
    #[inline(always)]
    pub fn allows(&self, c: u32) -> bool {
        if c < 256 { self.low[c as usize / 64] >> (c % 64) & 1 != 0 } else { self.wide }
    }
    /// As a table for codes below 256.
    pub fn table(&self) -> [bool; 256] {
        core::array::from_fn(|c| self.allows(c as u32))
    }
    /// The only code allowed, if there is just one and none above 255.
    pub fn only(&self) -> Option<u32> {
        let n: u32 = self.low.iter().map(|w| w.count_ones()).sum();
        if n != 1 || self.wide || self.empty {
            return None;
        }
        (0..256).find(|&c| self.allows(c))
    }
}

/// The characters that `item` accepts.
pub fn of_single(p: &Program, item: Single) -> First {
    let mut f = First::none();
    match item {
        Single::Any | Single::AnyAll => {
            f = First { empty: false, ..First::any() };
            if item == Single::Any {
                f.low[0] &= !(1 << 10);
            }
        }
        Single::Char(c) => f.add(c),
        Single::NotChar(c) => {
            f = First { empty: false, ..First::any() };
            if c < 256 {
                f.low[c as usize / 64] &= !(1 << (c % 64));
            }
        }
        Single::Folded(Fold::Locale, ..) => f = First { empty: false, ..First::any() },
        Single::Folded(fold, c, negate) => {
            for x in 0..256 {
                if (fold.lower(x) == c) != negate {
                    f.add(x);
                }
            }
            f.wide = negate || fold == Fold::Unicode || c >= 256;
        }
        Single::Set(i) => {
            let set = &p.sets[i as usize];
            if !set.is_static() {
                return First { empty: false, ..First::any() };
            }
            for (c, &member) in set.table.iter().enumerate() {
                if member {
                    f.add(c as u32);
                }
            }
            f.wide = set.may_be_wide();
        }
    }
    f
}

/// What the program from instruction `pc` on may start with.
pub fn of(p: &Program, pc: u32) -> First {
    let mut fuel = 200;
    walk(p, pc, &mut fuel)
}

fn walk(p: &Program, mut pc: u32, fuel: &mut u32) -> First {
    let mut all = First::none();
    loop {
        if *fuel == 0 {
            return First::any();
        }
        *fuel -= 1;
        let next = match p.ops[pc as usize] {
            Op::Fail => return all,
            Op::Char(c) => {
                all.add(c);
                return all;
            }
            Op::Set(i) => {
                all.union(of_single(p, Single::Set(i)));
                return all;
            }
            Op::Single(s) => {
                all.union(of_single(p, s));
                return all;
            }
            Op::At(_) | Op::Mark(_) | Op::Atomic => pc + 1,
            Op::Jump(to) => to,
            Op::Assert { next, .. } | Op::AssertNot { next, .. } => next,
            Op::Branch(i) => {
                for a in &p.branches[i as usize].alternatives {
                    all.union(walk(p, a.pc, fuel));
                }
                return all;
            }
            Op::RepeatOne(i) | Op::MinRepeatOne(i) | Op::PossessiveOne(i) => {
                let one = &p.ones[i as usize];
                if one.max > 0 {
                    all.union(of_single(p, one.item));
                }
                if one.min > 0 {
                    return all;
                }
                pc + 1
            }
            Op::Repeat(i) | Op::Possessive(i) => {
                let r = &p.repeats[i as usize];
                if r.max > 0 {
                    all.union(walk(p, r.body, fuel));
                }
                if r.min > 0 {
                    return all;
                }
                r.tail
            }
            // A body that matched nothing, or the end of the pattern: anything may follow.
            Op::MaxUntil(_) | Op::MinUntil(_) | Op::PossessiveEnd(_) | Op::SubEnd | Op::Success | Op::GroupRef(..) => {
                all.union(First::any());
                return all;
            }
            Op::IfGroup(_, otherwise) => {
                all.union(walk(p, otherwise, fuel));
                pc + 1
            }
        };
        pc = next;
    }
}

/// What may follow instruction `pc` when it is left, with the ends of loops looked through.
fn after(p: &Program, pc: u32) -> First {
    match p.ops[pc as usize] {
        // The end of a loop: another round or what follows the loop.
        Op::MaxUntil(i) | Op::MinUntil(i) => {
            let r = &p.repeats[i as usize];
            let mut f = of(p, r.body);
            f.union(of(p, r.tail));
            f
        }
        Op::Mark(_) => after(p, pc + 1),
        Op::Jump(to) => after(p, to),
        _ => of(p, pc),
    }
}

fn disjoint(a: &First, b: &First) -> [bool; 2] {
    let low = a.low.iter().zip(b.low).all(|(x, y)| x & y == 0);
    [low, low && !(a.wide && b.wide)]
}

/// How many alternatives make a table of them worth its memory.
const DISPATCH_FROM: usize = 4;

/// Fills in every table's knowledge of what follows.
pub fn annotate(p: &mut Program) {
    for pc in 0..p.ops.len() as u32 {
        match p.ops[pc as usize] {
            Op::RepeatOne(i) | Op::MinRepeatOne(i) | Op::PossessiveOne(i) => {
                let tail = after(p, pc + 1);
                let item = of_single(p, p.ones[i as usize].item);
                let one = &mut p.ones[i as usize];
                one.exclusive = if tail.empty { [false; 2] } else { disjoint(&item, &tail) };
                one.next = pc + 1;
                one.tail_char = tail.only();
                one.tail = tail;
            }
            Op::Repeat(i) => {
                let r = &p.repeats[i as usize];
                let (body, tail) = (of(p, r.body), after(p, r.tail));
                let r = &mut p.repeats[i as usize];
                r.body_first = body;
                r.tail_first = tail;
            }
            Op::Branch(i) => {
                let firsts: Vec<First> =
                    p.branches[i as usize].alternatives.iter().map(|a| of(p, a.pc)).collect();
                let branch = &mut p.branches[i as usize];
                for (a, f) in branch.alternatives.iter_mut().zip(&firsts) {
                    a.first = *f;
                }
                if branch.alternatives.len() >= DISPATCH_FROM {
                    let mut index = Vec::with_capacity(259);
                    let mut candidates = Vec::new();
                    for k in 0..258u32 {
                        index.push(candidates.len() as u32);
                        for a in &branch.alternatives {
                            let may = a.first.empty
                                || match k {
                                    0..=255 => a.first.allows(k),
                                    256 => a.first.wide,
                                    _ => false,
                                };
                            if may {
                                candidates.push(a.pc);
                            }
                        }
                    }
                    index.push(candidates.len() as u32);
                    branch.dispatch = Some(Dispatch { index, candidates });
                }
            }
            _ => {}
        }
    }
}
