//! Code words in, a checked program out.
//!
//! Every operand is checked here, once: afterwards instructions refer only to instructions, tables and marks that exist,
//! and every path through them ends in `Success` or `Fail`. The matcher relies on it.

use super::charset::{Fold, Set};
use super::first::{self, First};
use super::opcode::*;
use super::program::*;

/// The code isn't what `re`'s compiler emits.
#[derive(Debug, PartialEq)]
pub struct Invalid;

/// How deeply constructs may nest; `re`'s own parser gives up much earlier.
const MAX_DEPTH: usize = 2500;

struct Lower<'c> {
    code: &'c [u32],
    marks: usize,
    depth: usize,
    out: Program,
}

/// Turns code for `groups` groups into a program.
pub fn lower(code: &[u32], groups: usize) -> Result<Program, Invalid> {
    if groups > MAXGROUPS as usize || code.last() != Some(&SUCCESS) || code.len() >= u32::MAX as usize / 4 {
        return Err(Invalid);
    }
    let out = Program {
        ops: Vec::with_capacity(code.len()),
        sets: Vec::new(),
        ones: Vec::new(),
        repeats: Vec::new(),
        branches: Vec::new(),
        marks: groups * 2,
        min_width: 0,
        search: Search::General,
    };
    let mut l = Lower { code, marks: groups * 2, depth: 0, out };
    let mut start = 0;
    let mut prefix = None;
    if code[0] == INFO {
        (start, prefix) = l.info()?;
    }
    if l.sequence(start, code.len() - 1, Op::Success)? != code.len() - 1 {
        return Err(Invalid);
    }
    l.emit(Op::Success);
    let mut p = l.out;
    first::annotate(&mut p);
    p.search = match (prefix, p.ops[0]) {
        (Some(prefix), _) => Search::Prefix(prefix),
        (None, Op::At(At::Beginning)) => Search::Anchored,
        _ => match first::of(&p, 0) {
            f if f.empty || f.is_full() => Search::General,
            f => Search::First(f),
        },
    };
    Ok(p)
}

impl Lower<'_> {
    fn emit(&mut self, op: Op) -> usize {
        self.out.ops.push(op);
        self.out.ops.len() - 1
    }
    fn here(&self) -> u32 {
        self.out.ops.len() as u32
    }
    fn word(&self, at: usize, end: usize) -> Result<u32, Invalid> {
        if at < end { self.code.get(at).copied().ok_or(Invalid) } else { Err(Invalid) }
    }
    /// The target of the skip word at `at`, which must not pass `end`.
    fn skip(&self, at: usize, end: usize) -> Result<usize, Invalid> {
        let to = at.checked_add(self.word(at, end)? as usize).ok_or(Invalid)?;
        if to > end { Err(Invalid) } else { Ok(to) }
    }

    /// The block of hints in front of a pattern.
    fn info(&mut self) -> Result<(usize, Option<Prefix>), Invalid> {
        let end = self.code.len() - 1;
        let next = self.skip(1, end)?;
        let flags = self.word(2, next)?;
        self.out.min_width = self.word(3, next)? as usize;
        self.word(4, next)?;
        if flags & !(INFO_PREFIX | INFO_LITERAL | INFO_CHARSET) != 0
            || flags & INFO_PREFIX != 0 && flags & INFO_CHARSET != 0
            || flags & INFO_LITERAL != 0 && flags & INFO_PREFIX == 0
        {
            return Err(Invalid);
        }
        let mut at = 5;
        let mut prefix = None;
        if flags & INFO_PREFIX != 0 {
            let n = self.word(5, next)? as usize;
            self.word(6, next)?;
            let chars = self.code.get(7..7 + n).ok_or(Invalid)?;
            let overlap = self.code.get(7 + n..7 + 2 * n).ok_or(Invalid)?;
            if overlap.iter().any(|&k| k as usize >= n) {
                return Err(Invalid);
            }
            at = 7 + 2 * n;
            if n > 0 {
                prefix = Some(Prefix::new(chars, flags & INFO_LITERAL != 0));
            }
        }
        if flags & INFO_CHARSET != 0 {
            // Checked, but not needed: the set of first characters is computed for every pattern.
            Set::parse(self.code.get(at..next).ok_or(Invalid)?, Fold::None).ok_or(Invalid)?;
            at = next;
        }
        if at != next {
            return Err(Invalid);
        }
        Ok((next, prefix))
    }

    fn set(&mut self, at: usize, end: usize, fold: Fold) -> Result<(u32, usize), Invalid> {
        let next = self.skip(at, end)?;
        if next < at + 2 {
            return Err(Invalid);
        }
        let set = Set::parse(&self.code[at + 1..next], fold).ok_or(Invalid)?;
        self.out.sets.push(set);
        Ok((self.out.sets.len() as u32 - 1, next))
    }

    /// The single-character operation at `at`, if it is one, and what follows it.
    fn single(&mut self, at: usize, end: usize) -> Result<Option<(Single, usize)>, Invalid> {
        let op = self.word(at, end)?;
        let folded = |fold, negate| Ok(Some((Single::Folded(fold, self.word(at + 1, end)?, negate), at + 2)));
        match op {
            ANY => Ok(Some((Single::Any, at + 1))),
            ANY_ALL => Ok(Some((Single::AnyAll, at + 1))),
            LITERAL => Ok(Some((Single::Char(self.word(at + 1, end)?), at + 2))),
            NOT_LITERAL => Ok(Some((Single::NotChar(self.word(at + 1, end)?), at + 2))),
            LITERAL_IGNORE => folded(Fold::Ascii, false),
            NOT_LITERAL_IGNORE => folded(Fold::Ascii, true),
            LITERAL_UNI_IGNORE => folded(Fold::Unicode, false),
            NOT_LITERAL_UNI_IGNORE => folded(Fold::Unicode, true),
            LITERAL_LOC_IGNORE => folded(Fold::Locale, false),
            NOT_LITERAL_LOC_IGNORE => folded(Fold::Locale, true),
            IN | IN_IGNORE | IN_UNI_IGNORE | IN_LOC_IGNORE => {
                let fold = match op {
                    IN => Fold::None,
                    IN_IGNORE => Fold::Ascii,
                    IN_UNI_IGNORE => Fold::Unicode,
                    _ => Fold::Locale,
                };
                let (i, next) = self.set(at + 1, end, fold)?;
                Ok(Some((Single::Set(i), next)))
            }
            CATEGORY => {
                let k = self.word(at + 1, end)?;
                if k > CATEGORY_UNI_NOT_LINEBREAK {
                    return Err(Invalid);
                }
                self.out.sets.push(Set::of_category(k));
                Ok(Some((Single::Set(self.out.sets.len() as u32 - 1), at + 2)))
            }
            _ => Ok(None),
        }
    }

    /// Lowers the words from `at` to `end`; `stop` is what a SUCCESS among them means. Returns where it stopped: at `end`,
    /// or at a JUMP two words in front of it.
    fn sequence(&mut self, mut at: usize, end: usize, stop: Op) -> Result<usize, Invalid> {
        self.depth += 1;
        if self.depth > MAX_DEPTH || end > self.code.len() {
            return Err(Invalid);
        }
        while at < end {
            if let Some((single, next)) = self.single(at, end)? {
                self.emit(match single {
                    Single::Char(c) => Op::Char(c),
                    Single::Set(i) => Op::Set(i),
                    other => Op::Single(other),
                });
                at = next;
                continue;
            }
            let op = self.code[at];
            at += 1;
            at = match op {
                MARK => {
                    let m = self.word(at, end)?;
                    if m as usize >= self.marks {
                        return Err(Invalid);
                    }
                    self.emit(Op::Mark(m));
                    at + 1
                }
                SUCCESS => {
                    self.emit(stop);
                    at
                }
                FAILURE => {
                    self.emit(Op::Fail);
                    at
                }
                AT => {
                    let test = match self.word(at, end)? {
                        AT_BEGINNING | AT_BEGINNING_STRING => At::Beginning,
                        AT_BEGINNING_LINE => At::BeginningLine,
                        AT_END => At::End,
                        AT_END_LINE => At::EndLine,
                        AT_END_STRING => At::EndString,
                        AT_BOUNDARY => At::Boundary(Word::Ascii),
                        AT_NON_BOUNDARY => At::NonBoundary(Word::Ascii),
                        AT_LOC_BOUNDARY => At::Boundary(Word::Locale),
                        AT_LOC_NON_BOUNDARY => At::NonBoundary(Word::Locale),
                        AT_UNI_BOUNDARY => At::Boundary(Word::Unicode),
                        AT_UNI_NON_BOUNDARY => At::NonBoundary(Word::Unicode),
                        _ => return Err(Invalid),
                    };
                    self.emit(Op::At(test));
                    at + 1
                }
                INFO => {
                    let next = self.skip(at, end)?;
                    if next <= at {
                        return Err(Invalid);
                    }
                    next
                }
                BRANCH => self.branch(at, end, stop)?,
                REPEAT_ONE | MIN_REPEAT_ONE | POSSESSIVE_REPEAT_ONE => self.repeat_one(op, at, end)?,
                REPEAT => self.repeat(at, end, stop)?,
                POSSESSIVE_REPEAT => self.possessive(at, end)?,
                ATOMIC_GROUP => {
                    let next = self.skip(at, end)?;
                    self.emit(Op::Atomic);
                    self.body(at + 1, next)?;
                    next
                }
                ASSERT | ASSERT_NOT => {
                    let next = self.skip(at, end)?;
                    let back = self.word(at + 1, next)?;
                    let head = self.emit(Op::Fail);
                    self.body(at + 2, next)?;
                    let to = self.here();
                    self.out.ops[head] = if op == ASSERT { Op::Assert { back, next: to } } else { Op::AssertNot { back, next: to } };
                    next
                }
                GROUPREF | GROUPREF_IGNORE | GROUPREF_UNI_IGNORE | GROUPREF_LOC_IGNORE => {
                    let group = self.group(at, end)?;
                    let fold = match op {
                        GROUPREF => Fold::None,
                        GROUPREF_IGNORE => Fold::Ascii,
                        GROUPREF_UNI_IGNORE => Fold::Unicode,
                        _ => Fold::Locale,
                    };
                    self.emit(Op::GroupRef(group, fold));
                    at + 1
                }
                GROUPREF_EXISTS => self.conditional(at, end, stop)?,
                JUMP if at + 1 == end => {
                    self.depth -= 1;
                    return Ok(at - 1);
                }
                _ => return Err(Invalid),
            };
        }
        self.depth -= 1;
        if at == end { Ok(at) } else { Err(Invalid) }
    }

    fn group(&self, at: usize, end: usize) -> Result<u32, Invalid> {
        let g = self.word(at, end)?;
        if (g as usize) < self.marks / 2 { Ok(g) } else { Err(Invalid) }
    }

    /// The body of a look-around or atomic group, which ends in SUCCESS right before `next`.
    fn body(&mut self, at: usize, next: usize) -> Result<(), Invalid> {
        if next <= at || self.code[next - 1] != SUCCESS || self.sequence(at, next - 1, Op::SubEnd)? != next - 1 {
            return Err(Invalid);
        }
        self.emit(Op::SubEnd);
        Ok(())
    }

    fn branch(&mut self, mut at: usize, end: usize, stop: Op) -> Result<usize, Invalid> {
        let index = self.out.branches.len();
        self.out.branches.push(Branch::default());
        self.emit(Op::Branch(index as u32));
        let mut jumps = Vec::new();
        let mut alternatives = Vec::new();
        let mut target = None;
        loop {
            let next = self.skip(at, end)?;
            if next == at {
                break;
            }
            alternatives.push(Alternative { pc: self.here(), first: First::any() });
            // The alternative ends in JUMP and its operand.
            let jump = self.sequence(at + 1, next, stop)?;
            if jump + 2 != next {
                return Err(Invalid);
            }
            let to = self.skip(jump + 1, end)?;
            if *target.get_or_insert(to) != to {
                return Err(Invalid);
            }
            jumps.push(self.emit(Op::Fail));
            at = next;
        }
        if target != Some(at + 1) {
            return Err(Invalid);
        }
        let here = self.here();
        for j in jumps {
            self.out.ops[j] = Op::Jump(here);
        }
        self.out.branches[index].alternatives = alternatives;
        Ok(at + 1)
    }

    fn bounds(&self, at: usize, end: usize) -> Result<(usize, usize), Invalid> {
        let (min, max) = (self.word(at, end)?, self.word(at + 1, end)?);
        if min > max {
            return Err(Invalid);
        }
        Ok((min as usize, if max == MAXREPEAT { usize::MAX } else { max as usize }))
    }

    fn repeat_one(&mut self, op: u32, at: usize, end: usize) -> Result<usize, Invalid> {
        let next = self.skip(at, end)?;
        let (min, max) = self.bounds(at + 1, next)?;
        let Some((item, after)) = self.single(at + 3, next)? else { return Err(Invalid) };
        if after + 1 != next || self.code[after] != SUCCESS {
            return Err(Invalid);
        }
        let index = self.out.ones.len() as u32;
        self.out.ones.push(One { item, min, max, tail: First::any(), tail_char: None, next: 0, exclusive: [false; 2] });
        self.emit(match op {
            REPEAT_ONE => Op::RepeatOne(index),
            MIN_REPEAT_ONE => Op::MinRepeatOne(index),
            _ => Op::PossessiveOne(index),
        });
        Ok(next)
    }

    fn new_repeat(&mut self, min: usize, max: usize) -> u32 {
        self.out.repeats.push(Repeat { min, max, body: 0, tail: 0, body_first: First::any(), tail_first: First::any(), lazy: false });
        self.out.repeats.len() as u32 - 1
    }

    fn repeat(&mut self, at: usize, end: usize, stop: Op) -> Result<usize, Invalid> {
        let until = self.skip(at, end)?;
        let (min, max) = self.bounds(at + 1, until)?;
        let lazy = match self.word(until, end)? {
            MAX_UNTIL => false,
            MIN_UNTIL => true,
            _ => return Err(Invalid),
        };
        let r = self.new_repeat(min, max);
        self.emit(Op::Repeat(r));
        let body = self.here();
        if self.sequence(at + 3, until, stop)? != until {
            return Err(Invalid);
        }
        self.emit(if lazy { Op::MinUntil(r) } else { Op::MaxUntil(r) });
        let tail = self.here();
        let repeat = &mut self.out.repeats[r as usize];
        (repeat.body, repeat.tail, repeat.lazy) = (body, tail, lazy);
        Ok(until + 1)
    }

    fn possessive(&mut self, at: usize, end: usize) -> Result<usize, Invalid> {
        let last = self.skip(at, end)?;
        let (min, max) = self.bounds(at + 1, last)?;
        if self.word(last, end)? != SUCCESS {
            return Err(Invalid);
        }
        let r = self.new_repeat(min, max);
        self.emit(Op::Possessive(r));
        let body = self.here();
        if self.sequence(at + 3, last, Op::PossessiveEnd(r))? != last {
            return Err(Invalid);
        }
        self.emit(Op::PossessiveEnd(r));
        let tail = self.here();
        let repeat = &mut self.out.repeats[r as usize];
        (repeat.body, repeat.tail) = (body, tail);
        Ok(last + 1)
    }

    fn conditional(&mut self, at: usize, end: usize, stop: Op) -> Result<usize, Invalid> {
        let group = self.group(at, end)?;
        // The skip counts from the group's number.
        let otherwise = at.checked_add(self.word(at + 1, end)? as usize).ok_or(Invalid)?;
        if otherwise > end || otherwise < at + 2 {
            return Err(Invalid);
        }
        let head = self.emit(Op::Fail);
        let stopped = self.sequence(at + 2, otherwise, stop)?;
        if stopped == otherwise {
            self.out.ops[head] = Op::IfGroup(group, self.here());
            return Ok(otherwise);
        }
        let next = self.skip(stopped + 1, end)?;
        if next < otherwise {
            return Err(Invalid);
        }
        let jump = self.emit(Op::Fail);
        self.out.ops[head] = Op::IfGroup(group, self.here());
        if self.sequence(otherwise, next, stop)? != next {
            return Err(Invalid);
        }
        self.out.ops[jump] = Op::Jump(self.here());
        Ok(next)
    }
}

impl Prefix {
    fn new(chars: &[u32], complete: bool) -> Prefix {
        let max = chars.iter().copied().max().unwrap_or(0);
        let narrow: Vec<u8> = if max < 0x100 { chars.iter().map(|&c| c as u8).collect() } else { Vec::new() };
        let medium = if max < 0x10000 { chars.iter().map(|&c| c as u16).collect() } else { Vec::new() };
        let finder = (narrow.len() > 1).then(|| memchr::memmem::Finder::new(&narrow).into_owned());
        Prefix { chars: chars.to_vec(), max, finder, narrow, medium, complete }
    }
}
