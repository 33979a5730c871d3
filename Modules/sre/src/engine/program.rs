//! What a pattern becomes: instructions of fixed size and the tables they refer to.

use super::charset::{Fold, Set};
use super::first::First;

/// A zero-width test of the position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// Start of the subject.
    Beginning,
    /// Start of a line.
    BeginningLine,
    /// End of the subject, or before the newline that ends it.
    End,
    /// End of a line.
    EndLine,
    /// End of the subject.
    EndString,
    /// Between a word character and one that is none; the second field says which characters are.
    Boundary(Word),
    /// The opposite.
    NonBoundary(Word),
}

/// Which characters make words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// Those of ASCII.
    Ascii,
    /// Those of the locale.
    Locale,
    /// Those of Unicode.
    Unicode,
}

/// A test of one character.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Single {
    /// All but a newline.
    Any,
    /// All.
    AnyAll,
    /// This one.
    Char(u32),
    /// All but this one.
    NotChar(u32),
    /// This one after folding; `true` negates.
    Folded(Fold, u32, bool),
    /// A member of `Program::sets[i]`.
    Set(u32),
}

/// An instruction. Jump targets are indices of instructions.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Op {
    /// No match this way.
    Fail,
    /// The whole pattern matched.
    Success,
    /// This character.
    Char(u32),
    /// A member of `sets[i]`.
    Set(u32),
    /// Any other test of one character.
    Single(Single),
    /// A position.
    At(At),
    /// The position is noted as this mark (twice a group's number, plus one at its end).
    Mark(u32),
    /// On from there.
    Jump(u32),
    /// One of `branches[i]`.
    Branch(u32),
    /// As many of one character as possible, fewer if the rest needs it: `ones[i]`.
    RepeatOne(u32),
    /// As few of one character as possible.
    MinRepeatOne(u32),
    /// As many of one character as possible, never fewer.
    PossessiveOne(u32),
    /// Begins the loop `repeats[i]`.
    Repeat(u32),
    /// End of a greedy loop's body.
    MaxUntil(u32),
    /// End of a lazy loop's body.
    MinUntil(u32),
    /// Begins the possessive loop `repeats[i]`.
    Possessive(u32),
    /// End of a possessive loop's body.
    PossessiveEnd(u32),
    /// A look-around: the body follows, `next` lies behind it.
    Assert {
        /// How far back the body starts.
        back: u32,
        /// Where the pattern goes on.
        next: u32,
    },
    /// The negative look-around.
    AssertNot {
        /// How far back the body starts.
        back: u32,
        /// Where the pattern goes on.
        next: u32,
    },
    /// End of a look-around's or an atomic group's body.
    SubEnd,
    /// An atomic group: its body follows; the pattern goes on behind its SubEnd.
    Atomic,
    /// The text of a group again.
    GroupRef(u32, Fold),
    /// On, if the group matched; else from there.
    IfGroup(u32, u32),
}

/// A loop over one character.
#[derive(Clone, Debug)]
pub struct One {
    /// The character.
    pub item: Single,
    /// Least count.
    pub min: usize,
    /// Greatest count.
    pub max: usize,
    /// What the rest of the pattern may start with.
    pub tail: First,
    /// If the rest can only start with one character: that.
    pub tail_char: Option<u32>,
    /// The instruction behind it.
    pub next: u32,
    /// No character of the loop can start the rest, so a greedy loop never has to give anything back: for subjects of
    /// one-byte characters, and for wider ones.
    pub exclusive: [bool; 2],
}

/// A loop over anything.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// Least count.
    pub min: usize,
    /// Greatest count.
    pub max: usize,
    /// First instruction of the body.
    pub body: u32,
    /// First instruction behind the loop.
    pub tail: u32,
    /// What the body may start with.
    pub body_first: First,
    /// What the rest of the pattern may start with.
    pub tail_first: First,
    /// Whether the body ends in MinUntil.
    pub lazy: bool,
}

/// An alternative.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// Where it begins.
    pub pc: u32,
    /// What it may start with.
    pub first: First,
}

/// The alternatives of a branch.
#[derive(Clone, Debug, Default)]
pub struct Branch {
    /// All of them in order.
    pub alternatives: Vec<Alternative>,
    /// For branches of many: the alternatives worth trying for each first character below 256, then for all others, and
    /// at the end of the subject. Entry `k` is `candidates[index[k]..index[k + 1]]`.
    pub dispatch: Option<Dispatch>,
}

/// See [`Branch::dispatch`].
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// 259 offsets.
    pub index: Vec<u32>,
    /// Starting points.
    pub candidates: Vec<u32>,
}

/// Where a search need look at all.
#[derive(Clone, Debug)]
pub enum Search {
    /// Everywhere.
    General,
    /// Only at the start of the subject.
    Anchored,
    /// Where this text is.
    Prefix(Prefix),
    /// Where one of these characters is.
    First(First),
}

/// A text that each match starts with.
#[derive(Clone, Debug)]
pub struct Prefix {
    /// Its characters.
    pub chars: Vec<u32>,
    /// The greatest of them.
    pub max: u32,
    /// For subjects of bytes, if it fits and is longer than one.
    pub finder: Option<memchr::memmem::Finder<'static>>,
    /// As `u16`, if it fits.
    pub narrow: Vec<u8>,
    /// As `u16`, if it fits.
    pub medium: Vec<u16>,
    /// It is the whole pattern, without groups.
    pub complete: bool,
}

/// A pattern, ready to run.
#[derive(Clone, Debug)]
pub struct Program {
    /// The instructions; the pattern starts at 0 and ends in Success.
    pub ops: Vec<Op>,
    /// Sets.
    pub sets: Vec<Set>,
    /// Loops over one character.
    pub ones: Vec<One>,
    /// Other loops.
    pub repeats: Vec<Repeat>,
    /// Branches.
    pub branches: Vec<Branch>,
    /// How many marks there are: two a group.
    pub marks: usize,
    /// No match is shorter.
    pub min_width: usize,
    /// How to search.
    pub search: Search,
}
