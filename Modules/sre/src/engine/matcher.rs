//! The backtracking matcher.
//!
//! One loop runs instructions; a heap-allocated stack holds what to try next and what to undo on the way there (marks and
//! loop counters), so that undoing is exact and nesting costs no native stack. Since nothing is ever restored without
//! having been logged, groups hold after any amount of backtracking what they held before.

use super::charset::Fold;
use super::first::First;
use super::program::*;
use super::unicode::*;
use super::units::Unit;

/// Why a match was given up.
#[derive(Debug, PartialEq)]
pub enum Stop {
    /// No memory for the stack.
    Memory,
    /// [`Env::poll`] asked for it.
    Interrupted,
}

/// What the matcher needs of its surroundings.
pub trait Env {
    /// Called now and then; `false` ends the match with [`Stop::Interrupted`].
    fn poll(&mut self) -> bool;
}

/// A mark or loop position that isn't set.
pub const UNSET: usize = usize::MAX;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    /// Go on at alternative `b` of branch `index` from position `a` (of its dispatch list, which ends at `c`).
    Branch,
    /// Greedy loop `index` stands at `a` and may go back to `b`.
    One,
    /// Lazy loop `index` stands at `a` and may take `b` more.
    MinOne,
    /// Mark `index` was `a`, the last group closed was `b`.
    Mark,
    /// Loop `index` had count `b` and last position `c`.
    Slot,
    /// As `Slot`; then go on behind the loop from `a`.
    LoopTail,
    /// As `Slot`; then run the body once more from `a`.
    LoopBody,
    /// A look-around began at `a`; `index` lies behind it. `b` is the barrier outside.
    Assert,
    /// A negative one.
    AssertNot,
    /// An atomic group began; `b` is the barrier outside.
    Atomic,
    /// An obligatory round of a possessive loop began.
    PossessiveMust,
    /// An optional round of possessive loop `index` began at `a`.
    PossessiveMay,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: Kind,
    index: u32,
    a: usize,
    b: usize,
    c: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Rounds begun, minus one.
    count: usize,
    last: usize,
}

/// The memory of a match, reusable for the next one.
#[derive(Debug, Default)]
pub struct State {
    /// Two positions a group; [`UNSET`] if it took no part.
    pub marks: Vec<usize>,
    /// The group closed last, 0 if none.
    pub lastindex: usize,
    frames: Vec<Frame>,
    slots: Vec<Slot>,
    /// Marks were set without a log, because there was nothing to go back to.
    dirty: bool,
    ticks: u32,
}

/// What a match must satisfy besides the pattern.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mode {
    /// It ends at the subject's end.
    pub whole: bool,
    /// It isn't empty.
    pub advance: bool,
}

impl State {
    /// Makes it fit `p`, with all marks unset.
    pub fn prepare(&mut self, p: &Program) {
        self.marks.clear();
        self.marks.resize(p.marks, UNSET);
        self.slots.clear();
        self.slots.resize(p.repeats.len(), Slot { count: 0, last: UNSET });
        self.frames.clear();
        self.lastindex = 0;
        self.dirty = false;
    }

    /// Unsets all marks.
    pub fn reset(&mut self) {
        self.marks.fill(UNSET);
        self.lastindex = 0;
        self.dirty = false;
        self.frames.clear();
    }

    /// Gives up memory that only an unusual match needed.
    pub fn trim(&mut self) {
        if self.frames.capacity() > 4096 {
            self.frames = Vec::new();
        }
    }

    /// The span of group `g` (from 1), if it took part.
    pub fn group(&self, g: usize) -> Option<(usize, usize)> {
        let (a, b) = (*self.marks.get(2 * g - 2)?, *self.marks.get(2 * g - 1)?);
        if a == UNSET || b == UNSET { None } else { Some((a, b)) }
    }

    #[inline(always)]
    fn push(&mut self, frame: Frame) -> Result<(), Stop> {
        if self.frames.len() == self.frames.capacity() {
            self.grow()?;
        }
        // SAFETY: [STACK] there is room.
        unsafe {
            let n = self.frames.len();
            self.frames.as_mut_ptr().add(n).write(frame);
            self.frames.set_len(n + 1);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> Result<(), Stop> {
        let more = self.frames.capacity().max(32);
        self.frames.try_reserve(more).map_err(|_| Stop::Memory)
    }

    #[inline(always)]
    fn set_mark(&mut self, m: usize, at: usize) -> Result<(), Stop> {
        debug_assert!(m < self.marks.len());
        // SAFETY: [CODE] marks were checked when the program was made.
        let old = unsafe { *self.marks.get_unchecked(m) };
        if self.frames.is_empty() {
            self.dirty = true;
        } else {
            self.push(Frame { kind: Kind::Mark, index: m as u32, a: old, b: self.lastindex, c: 0 })?;
        }
        // SAFETY: as above.
        unsafe { *self.marks.get_unchecked_mut(m) = at };
        if m & 1 == 1 {
            self.lastindex = m / 2 + 1;
        }
        Ok(())
    }

    #[inline(always)]
    fn undo_mark(&mut self, f: &Frame) {
        // SAFETY: [CODE] the index was logged by set_mark.
        unsafe { *self.marks.get_unchecked_mut(f.index as usize) = f.a };
        self.lastindex = f.b;
    }

    /// Drops the choices above `barrier` and the barrier itself; the log of marks stays, for whoever goes back further.
    fn cut(&mut self, barrier: usize) {
        let mut to = barrier;
        for from in barrier + 1..self.frames.len() {
            let f = self.frames[from];
            if f.kind == Kind::Mark {
                self.frames[to] = f;
                to += 1;
            }
        }
        self.frames.truncate(to);
    }

    /// Drops everything above `barrier` and the barrier, marks set since included.
    fn undo(&mut self, barrier: usize) {
        while self.frames.len() > barrier {
            if let Some(f) = self.frames.pop()
                && f.kind == Kind::Mark
            {
                self.undo_mark(&f);
            }
        }
    }
}

/// Whether `item` accepts `c`.
#[inline(always)]
fn accepts(p: &Program, item: Single, c: u32) -> bool {
    match item {
        Single::Any => c != 10,
        Single::AnyAll => true,
        Single::Char(k) => c == k,
        Single::NotChar(k) => c != k,
        // SAFETY: [CODE] sets were made with the instruction.
        Single::Set(i) => unsafe { p.sets.get_unchecked(i as usize) }.contains(c),
        Single::Folded(fold, k, negate) => folded_equal(fold, k, c) != negate,
    }
}

/// Whether `c` folded is the pattern's character `k`.
#[inline]
fn folded_equal(fold: Fold, k: u32, c: u32) -> bool {
    match fold {
        Fold::None => c == k,
        Fold::Ascii => lower_ascii(c) == k,
        Fold::Unicode => lower_unicode(c) == k,
        Fold::Locale => c == k || lower_locale(c) == k || upper_locale(c) == k,
    }
}

/// The end of the run of characters from `from` that `item` accepts, `limit` at most.
#[inline]
fn run_of<C: Unit>(p: &Program, item: Single, text: &[C], from: usize, limit: usize) -> usize {
    // SAFETY: [CODE] from <= limit <= text.len(), by the caller.
    let part = unsafe { text.get_unchecked(from..limit) };
    let n = match item {
        Single::AnyAll => None,
        Single::Any => C::find(C::from_code(10), part),
        Single::Char(k) => {
            if k > C::MAX {
                return from;
            }
            let k = C::from_code(k);
            part.iter().position(|&x| x != k)
        }
        Single::NotChar(k) => {
            if k > C::MAX {
                return limit;
            }
            C::find(C::from_code(k), part)
        }
        Single::Set(i) => {
            // SAFETY: [CODE]
            let set = unsafe { p.sets.get_unchecked(i as usize) };
            if C::MAX == 0xff && set.is_static() {
                part.iter().position(|&x| !set.table[x.code() as usize & 255])
            } else {
                part.iter().position(|&x| !set.contains(x.code()))
            }
        }
        Single::Folded(fold, k, negate) => part.iter().position(|&x| folded_equal(fold, k, x.code()) == negate),
    };
    n.map_or(limit, |n| from + n)
}

#[inline(always)]
fn is_word(kind: Word, c: u32) -> bool {
    match kind {
        Word::Ascii => ascii_word(c),
        Word::Locale => locale_word(c),
        Word::Unicode => super::unicode::is_word(c),
    }
}

#[inline]
fn holds<C: Unit>(at: At, text: &[C], ptr: usize) -> bool {
    let end = text.len();
    let newline = |i: usize| text.get(i).is_some_and(|c| c.code() == 10);
    match at {
        At::Beginning => ptr == 0,
        At::BeginningLine => ptr == 0 || newline(ptr - 1),
        At::End => ptr == end || ptr + 1 == end && newline(ptr),
        At::EndLine => ptr == end || newline(ptr),
        At::EndString => ptr == end,
        At::Boundary(w) | At::NonBoundary(w) => {
            if end == 0 {
                return false;
            }
            let before = ptr > 0 && is_word(w, text[ptr - 1].code());
            let here = text.get(ptr).is_some_and(|c| is_word(w, c.code()));
            (before != here) == matches!(at, At::Boundary(_))
        }
    }
}

/// The text of a group again: where it ends if it is there.
fn same_again<C: Unit>(text: &[C], span: (usize, usize), ptr: usize, fold: Fold) -> Option<usize> {
    let (a, b) = span;
    if b < a {
        return None;
    }
    let (first, second) = (text.get(a..b)?, text.get(ptr..ptr.checked_add(b - a)?)?);
    let equal = match fold {
        Fold::None => first == second,
        _ => first.iter().zip(second).all(|(x, y)| x == y || fold.lower(x.code()) == fold.lower(y.code())),
    };
    equal.then(|| ptr + (b - a))
}

/// Tries to match `p` at `start` of `text`; on success says where the match ends, and `st` holds the groups. Positions
/// in front of `start` are there to be looked at. `st` was prepared for `p` and its marks are unset.
pub fn run<C: Unit, E: Env>(
    p: &Program,
    st: &mut State,
    text: &[C],
    start: usize,
    mode: Mode,
    env: &mut E,
) -> Result<Option<usize>, Stop> {
    let end = text.len();
    if start > end || end - start < p.min_width {
        return Ok(None);
    }
    let wide = (C::MAX > 0xff) as usize;
    let ops = p.ops.as_slice();
    let mut pc = 0usize;
    let mut ptr = start;
    let mut barrier = UNSET;
    // SAFETY: [CODE] `lower` checked every index that an instruction holds; positions never exceed `end`.
    unsafe {
        macro_rules! here {
            () => {
                text.get_unchecked(ptr).code()
            };
        }
        'run: loop {
            'fail: {
                match *ops.get_unchecked(pc) {
                    Op::Char(c) => {
                        if ptr == end || here!() != c {
                            break 'fail;
                        }
                        ptr += 1;
                        pc += 1;
                    }
                    Op::Set(i) => {
                        if ptr == end || !p.sets.get_unchecked(i as usize).contains(here!()) {
                            break 'fail;
                        }
                        ptr += 1;
                        pc += 1;
                    }
                    Op::Single(item) => {
                        if ptr == end || !accepts(p, item, here!()) {
                            break 'fail;
                        }
                        ptr += 1;
                        pc += 1;
                    }
                    Op::Mark(m) => {
                        st.set_mark(m as usize, ptr)?;
                        pc += 1;
                    }
                    Op::Jump(to) => pc = to as usize,
                    Op::At(at) => {
                        if !holds(at, text, ptr) {
                            break 'fail;
                        }
                        pc += 1;
                    }
                    Op::Success => {
                        if mode.whole && ptr != end || mode.advance && ptr == start {
                            break 'fail;
                        }
                        st.frames.clear();
                        return Ok(Some(ptr));
                    }
                    Op::Fail => break 'fail,
                    Op::RepeatOne(i) => {
                        let one = p.ones.get_unchecked(i as usize);
                        let limit = end.min(ptr.saturating_add(one.max));
                        if limit - ptr < one.min {
                            break 'fail;
                        }
                        let most = run_of(p, one.item, text, ptr, limit);
                        let least = ptr + one.min;
                        if most < least {
                            break 'fail;
                        }
                        pc += 1;
                        ptr = most;
                        // A loop that stopped at its upper bound may stand before another of its characters, but what is
                        // given back is always one of them.
                        if most > least && !one.exclusive[wide] {
                            let Some(at) = retreat(one, text, most, least) else { break 'fail };
                            ptr = at;
                            if at > least {
                                st.push(Frame { kind: Kind::One, index: i, a: at, b: least, c: 0 })?;
                            }
                        }
                    }
                    Op::PossessiveOne(i) => {
                        let one = p.ones.get_unchecked(i as usize);
                        let limit = end.min(ptr.saturating_add(one.max));
                        let most = run_of(p, one.item, text, ptr, limit);
                        if most - ptr < one.min {
                            break 'fail;
                        }
                        ptr = most;
                        pc += 1;
                    }
                    Op::MinRepeatOne(i) => {
                        let one = p.ones.get_unchecked(i as usize);
                        if end - ptr < one.min {
                            break 'fail;
                        }
                        let least = ptr + one.min;
                        if run_of(p, one.item, text, ptr, least) < least {
                            break 'fail;
                        }
                        let Some((at, left)) = advance(p, one, text, least, one.max - one.min) else { break 'fail };
                        if left > 0 {
                            st.push(Frame { kind: Kind::MinOne, index: i, a: at, b: left, c: 0 })?;
                        }
                        ptr = at;
                        pc += 1;
                    }
                    Op::Branch(i) => {
                        let branch = p.branches.get_unchecked(i as usize);
                        if let Some(d) = &branch.dispatch {
                            let k = if ptr == end { 257 } else { here!().min(256) as usize };
                            let (from, to) = (*d.index.get_unchecked(k), *d.index.get_unchecked(k + 1));
                            if from == to {
                                break 'fail;
                            }
                            pc = *d.candidates.get_unchecked(from as usize) as usize;
                            if from + 1 < to {
                                st.push(Frame { kind: Kind::Branch, index: i, a: ptr, b: from as usize + 1, c: to as usize })?;
                            }
                        } else {
                            let Some(j) = candidate(branch, 0, text, ptr) else { break 'fail };
                            if let Some(k) = candidate(branch, j + 1, text, ptr) {
                                st.push(Frame { kind: Kind::Branch, index: i, a: ptr, b: k, c: 0 })?;
                            }
                            pc = branch.alternatives.get_unchecked(j).pc as usize;
                        }
                    }
                    Op::Repeat(i) => {
                        let r = p.repeats.get_unchecked(i as usize);
                        let slot = *st.slots.get_unchecked(i as usize);
                        if !st.frames.is_empty() {
                            st.push(Frame { kind: Kind::Slot, index: i, a: 0, b: slot.count, c: slot.last })?;
                        }
                        // The round that the end of the loop is about to count hasn't begun.
                        *st.slots.get_unchecked_mut(i as usize) = Slot { count: usize::MAX, last: UNSET };
                        pc = r.tail as usize - 1;
                    }
                    Op::MaxUntil(i) => {
                        let r = p.repeats.get_unchecked(i as usize);
                        let slot = *st.slots.get_unchecked(i as usize);
                        let count = slot.count.wrapping_add(1);
                        if count < r.min {
                            if !st.frames.is_empty() {
                                st.push(Frame { kind: Kind::Slot, index: i, a: 0, b: slot.count, c: slot.last })?;
                            }
                            st.slots.get_unchecked_mut(i as usize).count = count;
                            pc = r.body as usize;
                        } else if count < r.max && ptr != slot.last && may_start(&r.body_first, text, ptr) {
                            let kind = if may_start(&r.tail_first, text, ptr) { Kind::LoopTail } else { Kind::Slot };
                            if kind == Kind::LoopTail || !st.frames.is_empty() {
                                st.push(Frame { kind, index: i, a: ptr, b: slot.count, c: slot.last })?;
                            }
                            *st.slots.get_unchecked_mut(i as usize) = Slot { count, last: ptr };
                            pc = r.body as usize;
                        } else {
                            pc += 1;
                        }
                    }
                    Op::MinUntil(i) => {
                        let r = p.repeats.get_unchecked(i as usize);
                        let slot = *st.slots.get_unchecked(i as usize);
                        let count = slot.count.wrapping_add(1);
                        if count < r.min {
                            if !st.frames.is_empty() {
                                st.push(Frame { kind: Kind::Slot, index: i, a: 0, b: slot.count, c: slot.last })?;
                            }
                            st.slots.get_unchecked_mut(i as usize).count = count;
                            pc = r.body as usize;
                        } else {
                            if count < r.max && ptr != slot.last {
                                st.push(Frame { kind: Kind::LoopBody, index: i, a: ptr, b: slot.count, c: slot.last })?;
                            }
                            pc += 1;
                        }
                    }
                    Op::Possessive(i) => {
                        let slot = *st.slots.get_unchecked(i as usize);
                        if !st.frames.is_empty() {
                            st.push(Frame { kind: Kind::Slot, index: i, a: 0, b: slot.count, c: slot.last })?;
                        }
                        *st.slots.get_unchecked_mut(i as usize) = Slot { count: 0, last: UNSET };
                        pc = round(p, st, i, ptr, &mut barrier)?;
                    }
                    Op::PossessiveEnd(i) => {
                        let outside = st.frames.get_unchecked(barrier).b;
                        st.cut(barrier);
                        barrier = outside;
                        st.slots.get_unchecked_mut(i as usize).count += 1;
                        pc = round(p, st, i, ptr, &mut barrier)?;
                    }
                    Op::Assert { back, next } => {
                        if ptr < back as usize {
                            break 'fail;
                        }
                        st.push(Frame { kind: Kind::Assert, index: next, a: ptr, b: barrier, c: 0 })?;
                        barrier = st.frames.len() - 1;
                        ptr -= back as usize;
                        pc += 1;
                    }
                    Op::AssertNot { back, next } => {
                        if ptr < back as usize {
                            pc = next as usize;
                            continue 'run;
                        }
                        st.push(Frame { kind: Kind::AssertNot, index: next, a: ptr, b: barrier, c: 0 })?;
                        barrier = st.frames.len() - 1;
                        ptr -= back as usize;
                        pc += 1;
                    }
                    Op::Atomic => {
                        st.push(Frame { kind: Kind::Atomic, index: 0, a: ptr, b: barrier, c: 0 })?;
                        barrier = st.frames.len() - 1;
                        pc += 1;
                    }
                    Op::SubEnd => {
                        let f = *st.frames.get_unchecked(barrier);
                        match f.kind {
                            Kind::AssertNot => {
                                st.undo(barrier);
                                barrier = f.b;
                                break 'fail;
                            }
                            Kind::Assert => {
                                st.cut(barrier);
                                ptr = f.a;
                                pc = f.index as usize;
                            }
                            _ => {
                                st.cut(barrier);
                                pc += 1;
                            }
                        }
                        barrier = f.b;
                    }
                    Op::GroupRef(g, fold) => {
                        let Some(at) = st.group(g as usize + 1).and_then(|span| same_again(text, span, ptr, fold)) else {
                            break 'fail;
                        };
                        ptr = at;
                        pc += 1;
                    }
                    Op::IfGroup(g, otherwise) => {
                        pc = match st.group(g as usize + 1) {
                            Some((a, b)) if a <= b => pc + 1,
                            _ => otherwise as usize,
                        };
                    }
                }
                continue 'run;
            }
            // Nothing to be had this way: back to the last choice.
            st.ticks = st.ticks.wrapping_add(1);
            if st.ticks & 0xfff == 0 && !env.poll() {
                st.frames.clear();
                return Err(Stop::Interrupted);
            }
            loop {
                let Some(top) = st.frames.len().checked_sub(1) else {
                    if st.dirty {
                        st.reset();
                    }
                    return Ok(None);
                };
                let f = st.frames.get_unchecked_mut(top);
                match f.kind {
                    Kind::Mark => {
                        let f = *f;
                        st.frames.set_len(top);
                        st.undo_mark(&f);
                    }
                    Kind::Slot => {
                        let f = *f;
                        st.frames.set_len(top);
                        *st.slots.get_unchecked_mut(f.index as usize) = Slot { count: f.b, last: f.c };
                    }
                    Kind::Branch => {
                        let branch = p.branches.get_unchecked(f.index as usize);
                        ptr = f.a;
                        let j = f.b;
                        if let Some(d) = &branch.dispatch {
                            pc = *d.candidates.get_unchecked(j) as usize;
                            f.b += 1;
                            if f.b == f.c {
                                st.frames.set_len(top);
                            }
                        } else {
                            pc = branch.alternatives.get_unchecked(j).pc as usize;
                            match candidate(branch, j + 1, text, ptr) {
                                Some(k) => f.b = k,
                                None => st.frames.set_len(top),
                            }
                        }
                        continue 'run;
                    }
                    Kind::One => {
                        let one = p.ones.get_unchecked(f.index as usize);
                        match retreat(one, text, f.a - 1, f.b) {
                            Some(at) => {
                                ptr = at;
                                pc = one.next as usize;
                                if at > f.b {
                                    f.a = at;
                                } else {
                                    st.frames.set_len(top);
                                }
                                continue 'run;
                            }
                            None => st.frames.set_len(top),
                        }
                    }
                    Kind::MinOne => {
                        let one = p.ones.get_unchecked(f.index as usize);
                        let next = if f.a < end && accepts(p, one.item, text.get_unchecked(f.a).code()) {
                            advance(p, one, text, f.a + 1, if one.max == usize::MAX { f.b } else { f.b - 1 })
                        } else {
                            None
                        };
                        match next {
                            Some((at, left)) => {
                                ptr = at;
                                pc = one.next as usize;
                                if left > 0 {
                                    f.a = at;
                                    f.b = left;
                                } else {
                                    st.frames.set_len(top);
                                }
                                continue 'run;
                            }
                            None => st.frames.set_len(top),
                        }
                    }
                    Kind::LoopTail => {
                        let f = *f;
                        st.frames.set_len(top);
                        *st.slots.get_unchecked_mut(f.index as usize) = Slot { count: f.b, last: f.c };
                        ptr = f.a;
                        pc = p.repeats.get_unchecked(f.index as usize).tail as usize;
                        continue 'run;
                    }
                    Kind::LoopBody => {
                        f.kind = Kind::Slot;
                        let f = *f;
                        if top == 0 {
                            st.frames.set_len(top);
                        }
                        *st.slots.get_unchecked_mut(f.index as usize) = Slot { count: f.b.wrapping_add(1), last: f.a };
                        ptr = f.a;
                        pc = p.repeats.get_unchecked(f.index as usize).body as usize;
                        continue 'run;
                    }
                    Kind::Assert | Kind::Atomic | Kind::PossessiveMust => {
                        barrier = f.b;
                        st.frames.set_len(top);
                    }
                    Kind::AssertNot => {
                        barrier = f.b;
                        ptr = f.a;
                        pc = f.index as usize;
                        st.frames.set_len(top);
                        continue 'run;
                    }
                    Kind::PossessiveMay => {
                        barrier = f.b;
                        ptr = f.a;
                        pc = p.repeats.get_unchecked(f.index as usize).tail as usize;
                        st.frames.set_len(top);
                        continue 'run;
                    }
                }
            }
        }
    }
}

/// Begins another round of a possessive loop, or leaves it: where to go on.
#[inline]
fn round(p: &Program, st: &mut State, i: u32, ptr: usize, barrier: &mut usize) -> Result<usize, Stop> {
    let r = &p.repeats[i as usize];
    let slot = st.slots[i as usize];
    let kind = if slot.count < r.min {
        Kind::PossessiveMust
    } else if slot.count < r.max && ptr != slot.last {
        st.slots[i as usize].last = ptr;
        Kind::PossessiveMay
    } else {
        return Ok(r.tail as usize);
    };
    st.push(Frame { kind, index: i, a: ptr, b: *barrier, c: 0 })?;
    *barrier = st.frames.len() - 1;
    Ok(r.body as usize)
}

#[inline(always)]
fn may_start<C: Unit>(first: &First, text: &[C], ptr: usize) -> bool {
    first.empty || text.get(ptr).is_some_and(|c| first.allows(c.code()))
}

/// The first alternative from `from` on that is worth trying.
#[inline]
fn candidate<C: Unit>(branch: &Branch, from: usize, text: &[C], ptr: usize) -> Option<usize> {
    let rest = branch.alternatives.get(from..)?;
    rest.iter().position(|a| may_start(&a.first, text, ptr)).map(|i| from + i)
}

/// The last position from `from` down to `least` at which the rest of the pattern may start.
#[inline]
fn retreat<C: Unit>(one: &One, text: &[C], from: usize, least: usize) -> Option<usize> {
    if one.tail.empty || text.get(from).is_some_and(|c| one.tail.allows(c.code())) {
        return Some(from);
    }
    if from == least {
        return None;
    }
    let part = text.get(least..from)?;
    let at = match one.tail_char {
        Some(c) => C::rfind(C::from_code(c), part),
        None => part.iter().rposition(|c| one.tail.allows(c.code())),
    };
    at.map(|i| least + i)
}

/// The first position from `from` on, over at most `left` characters of the loop, at which the rest may start; and how
/// many characters the loop may take after that.
#[inline]
fn advance<C: Unit>(p: &Program, one: &One, text: &[C], from: usize, left: usize) -> Option<(usize, usize)> {
    if one.tail.empty {
        return Some((from, left));
    }
    let limit = text.len().min(from.saturating_add(left));
    let taken = |at: usize| if one.max == usize::MAX { usize::MAX } else { left - (at - from) };
    if let (Some(c), Single::Any | Single::AnyAll | Single::NotChar(_)) = (one.tail_char, one.item) {
        // The nearest possible start, if the loop gets there.
        let near = text.get(from..text.len().min(limit + 1))?;
        let at = from + C::find(C::from_code(c), near)?;
        if run_of(p, one.item, text, from, at) < at {
            return None;
        }
        return Some((at, taken(at)));
    }
    let mut at = from;
    loop {
        let c = text.get(at)?.code();
        if one.tail.allows(c) {
            return Some((at, taken(at)));
        }
        if at == limit || !accepts(p, one.item, c) {
            return None;
        }
        at += 1;
    }
}
