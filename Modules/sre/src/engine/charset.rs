//! Sets of characters.

use super::opcode::*;
use super::unicode::*;

/// How a character is folded before a set or a literal is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fold {
    /// Not at all.
    None,
    /// ASCII letters to lower case.
    Ascii,
    /// By Unicode's simple lower case.
    Unicode,
    /// By the locale in force; both cases are tried.
    Locale,
}

impl Fold {
    /// The folded character.
    #[inline]
    pub fn lower(self, c: u32) -> u32 {
        match self {
            Fold::None => c,
            Fold::Ascii => lower_ascii(c),
            Fold::Unicode => lower_unicode(c),
            Fold::Locale => lower_locale(c),
        }
    }
}

/// Whether `c` is of the category with this code.
pub fn category(code: u32, c: u32) -> bool {
    let ascii = |f: fn(&u8) -> bool| c < 128 && f(&(c as u8));
    match code {
        CATEGORY_DIGIT => ascii(u8::is_ascii_digit),
        CATEGORY_NOT_DIGIT => !ascii(u8::is_ascii_digit),
        CATEGORY_SPACE => matches!(c, 9..=13 | 32),
        CATEGORY_NOT_SPACE => !matches!(c, 9..=13 | 32),
        CATEGORY_WORD => ascii_word(c),
        CATEGORY_NOT_WORD => !ascii_word(c),
        CATEGORY_LINEBREAK => c == 10,
        CATEGORY_NOT_LINEBREAK => c != 10,
        CATEGORY_LOC_WORD => locale_word(c),
        CATEGORY_LOC_NOT_WORD => !locale_word(c),
        CATEGORY_UNI_DIGIT => is_decimal(c),
        CATEGORY_UNI_NOT_DIGIT => !is_decimal(c),
        CATEGORY_UNI_SPACE => is_space(c),
        CATEGORY_UNI_NOT_SPACE => !is_space(c),
        CATEGORY_UNI_WORD => is_word(c),
        CATEGORY_UNI_NOT_WORD => !is_word(c),
        CATEGORY_UNI_LINEBREAK => is_linebreak(c),
        CATEGORY_UNI_NOT_LINEBREAK => !is_linebreak(c),
        _ => false,
    }
}

/// A member of a set, above Latin-1.
#[derive(Clone, Debug)]
enum Item {
    Range(u32, u32),
    /// As `Range`, or the upper case of the character lies in it.
    RangeIgnore(u32, u32),
    Category(u32),
    /// 256 block numbers by the high byte, then 256-bit blocks.
    Big(Box<[u8; 256]>, Box<[u32]>),
    /// From here on members are excluded and everything else is in, or the other way round.
    Negate,
}

/// A set of characters, with its answers for the first 256 ready.
#[derive(Clone, Debug)]
pub struct Set {
    /// Answers for codes below 256.
    pub table: [bool; 256],
    /// `Some` if every code from 256 on has the same answer.
    uniform: Option<bool>,
    fold: Fold,
    /// The answers depend on the locale in force when asked, so the table can't be used.
    dynamic: bool,
    items: Box<[Item]>,
}

/// Membership by walking the items: the definition of what a set means.
fn walk(items: &[Item], low: &[Low], c: u32) -> bool {
    let mut ok = true;
    for (item, low) in items.iter().zip(low) {
        let hit = match item {
            Item::Negate => {
                ok = !ok;
                continue;
            }
            Item::Range(a, b) => (*a..=*b).contains(&c),
            Item::RangeIgnore(a, b) => (*a..=*b).contains(&c) || (*a..=*b).contains(&to_upper(c)),
            Item::Category(k) => category(*k, c),
            Item::Big(index, blocks) => {
                c < 0x10000 && {
                    let block = index[(c >> 8) as usize] as usize;
                    blocks[block * 8 + (c as usize & 255) / 32] >> (c & 31) & 1 != 0
                }
            }
        };
        if hit || (c < 256 && low.as_ref().is_some_and(|b| b[c as usize / 32] >> (c & 31) & 1 != 0)) {
            return ok;
        }
    }
    !ok
}

/// The bitmap of a CHARSET item, which is represented as an empty range with it.
type Low = Option<[u32; 8]>;

impl Set {
    /// Reads a set from its code words, the final FAILURE included. `None` if they are malformed.
    pub fn parse(code: &[u32], fold: Fold) -> Option<Set> {
        let mut items = Vec::new();
        let mut low: Vec<Low> = Vec::new();
        let (&end, body) = code.split_last()?;
        if end != FAILURE {
            return None;
        }
        let mut rest = body;
        while let Some((&op, tail)) = rest.split_first() {
            rest = tail;
            let mut take = |n: usize| {
                let (head, tail) = rest.split_at_checked(n)?;
                rest = tail;
                Some(head)
            };
            let mut bits = None;
            items.push(match op {
                NEGATE => Item::Negate,
                LITERAL => {
                    let c = take(1)?[0];
                    Item::Range(c, c)
                }
                RANGE => {
                    let r = take(2)?;
                    Item::Range(r[0], r[1])
                }
                RANGE_UNI_IGNORE => {
                    let r = take(2)?;
                    Item::RangeIgnore(r[0], r[1])
                }
                CATEGORY => {
                    let c = take(1)?[0];
                    if c > CATEGORY_UNI_NOT_LINEBREAK {
                        return None;
                    }
                    Item::Category(c)
                }
                CHARSET => {
                    bits = Some(take(8)?.try_into().ok()?);
                    Item::Range(1, 0)
                }
                BIGCHARSET => {
                    let n = take(1)?[0] as usize;
                    let words = take(64)?;
                    let mut index = Box::new([0u8; 256]);
                    for (i, w) in words.iter().enumerate() {
                        index[i * 4..i * 4 + 4].copy_from_slice(&w.to_ne_bytes());
                    }
                    if index.iter().any(|&b| b as usize >= n) {
                        return None;
                    }
                    Item::Big(index, take(n.checked_mul(8)?)?.into())
                }
                _ => return None,
            });
            low.push(bits);
        }
        Some(Set::finish(items, low, fold))
    }

    /// The set of one category.
    pub fn of_category(code: u32) -> Set {
        Set::finish(vec![Item::Category(code)], vec![None], Fold::None)
    }

    fn finish(items: Vec<Item>, low: Vec<Low>, fold: Fold) -> Set {
        let dynamic = fold == Fold::Locale
            || items.iter().any(|i| matches!(i, Item::Category(CATEGORY_LOC_WORD | CATEGORY_LOC_NOT_WORD)));
        let mut table = [false; 256];
        for c in 0..256u32 {
            table[c as usize] = walk(&items, &low, if dynamic { c } else { fold.lower(c) });
        }
        // What no item can reach is decided by the number of negations. Folding could lead back below 256 (the Kelvin
        // sign), so only unfolded sets are called uniform.
        let only_low = fold == Fold::None && items.iter().all(|i| match i {
            Item::Negate => true,
            Item::Range(a, b) => a > b || *b < 256,
            Item::Category(c) => !(CATEGORY_UNI_DIGIT..).contains(c),
            _ => false,
        });
        let uniform = if only_low { Some(walk(&items, &low, 0x110000)) } else { None };
        if dynamic {
            // Asked item by item each time: bitmaps become ranges of one.
            let mut expanded = Vec::new();
            for (item, bits) in items.into_iter().zip(low) {
                match bits {
                    Some(b) => expanded.extend((0..256u32).filter(|c| b[*c as usize / 32] >> (c & 31) & 1 != 0).map(|c| Item::Range(c, c))),
                    None => expanded.push(item),
                }
            }
            return Set { table, uniform: None, fold, dynamic, items: expanded.into() };
        }
        // Above Latin-1 the low bitmaps never matter.
        Set { table, uniform, fold, dynamic, items: items.into() }
    }

    fn walk_high(&self, c: u32) -> bool {
        let mut ok = true;
        for item in &self.items {
            let hit = match item {
                Item::Negate => {
                    ok = !ok;
                    continue;
                }
                Item::Range(a, b) => *a <= c && c <= *b,
                Item::RangeIgnore(a, b) => (*a..=*b).contains(&c) || (*a..=*b).contains(&to_upper(c)),
                Item::Category(k) => category(*k, c),
                Item::Big(index, blocks) => {
                    c < 0x10000 && {
                        let block = index[(c >> 8) as usize] as usize;
                        blocks[block * 8 + (c as usize & 255) / 32] >> (c & 31) & 1 != 0
                    }
                }
            };
            if hit {
                return ok;
            }
        }
        !ok
    }

    /// Whether `c` is in the set.
    #[inline(always)]
    pub fn contains(&self, c: u32) -> bool {
        if c < 256 && !self.dynamic { self.table[c as usize] } else { self.contains_slow(c) }
    }

    #[inline(never)]
    fn contains_slow(&self, c: u32) -> bool {
        if let Some(answer) = self.uniform
            && c >= 256
        {
            return answer;
        }
        if self.fold == Fold::Locale {
            let lo = lower_locale(c);
            return self.walk_high(lo) || {
                let up = upper_locale(c);
                up != lo && self.walk_high(up)
            };
        }
        let f = self.fold.lower(c);
        // Folding can lead to Latin-1, where the table knows the bitmaps too.
        if f < 256 && !self.dynamic { self.table[f as usize] } else { self.walk_high(f) }
    }

    /// Whether the table is the whole truth for codes below 256.
    pub fn is_static(&self) -> bool {
        !self.dynamic
    }

    /// Whether a character from 256 on may be in the set.
    pub fn may_be_wide(&self) -> bool {
        self.uniform != Some(false)
    }
}
