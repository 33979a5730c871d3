//! Names of code points: by rule for Hangul syllables and unified ideographs, from a table of words for the others.

use crate::tables::*;

static BLOB: &[u8] = include_bytes!("names.bin");

/// Where CPython keeps the names of aliases: private code points that only the C API shows.
pub const ALIASES_START: u32 = 0xF0000;
/// The same for named sequences.
pub const SEQUENCES_START: u32 = 0xF0200;
/// The longest name that is looked up.
pub const LOOKUP_MAXLEN: usize = 256;

const S_BASE: u32 = 0xAC00;
const LEADING: [&str; 19] = ["G", "GG", "N", "D", "DD", "R", "M", "B", "BB", "S", "SS", "", "J", "JJ", "C", "K", "T", "P", "H"];
const VOWELS: [&str; 21] = [
    "A", "AE", "YA", "YAE", "EO", "E", "YEO", "YE", "O", "WA", "WAE", "OE", "YO", "U", "WEO", "WE", "WI", "YU", "EU", "YI", "I",
];
const TRAILING: [&str; 28] = [
    "", "G", "GG", "GS", "N", "NJ", "NH", "D", "L", "LG", "LM", "LB", "LS", "LT", "LP", "LH", "M", "B", "BS", "S", "SS", "NG", "J",
    "C", "K", "T", "P", "H",
];

/// Is it a unified ideograph?
pub fn is_unified_ideograph(code: u32) -> bool {
    IDEOGRAPHS.iter().any(|&(first, last)| (first..=last).contains(&code))
}

/// A name of the table, as the slices it is made of; spaces go between them.
fn words(mut at: usize) -> impl Iterator<Item = &'static str> {
    let n = BLOB[at];
    at += 1;
    (0..n).map(move |_| {
        let mut number = BLOB[at] as usize;
        at += 1;
        if number >= ONE_BYTE as usize {
            number = ((number - ONE_BYTE as usize) << 8) + BLOB[at] as usize + ONE_BYTE as usize;
            at += 1;
        }
        &WORDS[WORD_STARTS[number] as usize..WORD_STARTS[number + 1] as usize]
    })
}

/// Where the name of a number is in the blob.
fn offset(number: usize) -> usize {
    let mut at = PHRASE_OFFSETS[number / STEP] as usize;
    for _ in 0..number % STEP {
        let n = BLOB[at];
        at += 1;
        for _ in 0..n {
            at += 1 + (BLOB[at] >= ONE_BYTE) as usize;
        }
    }
    at
}

fn table_name(number: usize) -> String {
    let mut name = String::with_capacity(NAME_MAXLEN);
    for word in words(offset(number)) {
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(word);
    }
    name
}

/// The name of a code point; with `private`, those of aliases and sequences at CPython's private code points too.
pub fn name(code: u32, private: bool) -> Option<String> {
    if (S_BASE..S_BASE + 11172).contains(&code) {
        let s = (code - S_BASE) as usize;
        return Some(format!("HANGUL SYLLABLE {}{}{}", LEADING[s / 588], VOWELS[s % 588 / 28], TRAILING[s % 28]));
    }
    if is_unified_ideograph(code) {
        return Some(format!("CJK UNIFIED IDEOGRAPH-{code:X}"));
    }
    let alias = code.wrapping_sub(ALIASES_START) as usize;
    let sequence = code.wrapping_sub(SEQUENCES_START) as usize;
    if private && alias < ALIASES.len() {
        return Some(table_name(CHARACTER_NAMES + alias));
    }
    if private && sequence < SEQUENCES.len() {
        return Some(table_name(CHARACTER_NAMES + ALIASES.len() + sequence));
    }
    let run = NAME_RUNS.partition_point(|&(first, _, _)| first <= code).checked_sub(1)?;
    let (first, length, number) = NAME_RUNS[run];
    (code - first < length as u32).then(|| table_name(number as usize + (code - first) as usize))
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// A character by its own name.
    Character(u32),
    /// A character by an alias.
    Alias(u32),
    /// A sequence of characters.
    Sequence(&'static [u16]),
}

/// The longest of `parts` that the text starts with, and what follows it.
fn longest<'t>(text: &'t [u8], parts: &[&str]) -> Option<(usize, &'t [u8])> {
    let found = (0..parts.len()).filter(|&i| text.starts_with(parts[i].as_bytes())).max_by_key(|&i| parts[i].len())?;
    Some((found, &text[parts[found].len()..]))
}

fn compare(number: usize, wanted: &[u8]) -> core::cmp::Ordering {
    let mut rest = wanted;
    for (i, word) in words(offset(number)).enumerate() {
        let pieces = if i == 0 { ["", word] } else { [" ", word] };
        for &b in pieces[0].as_bytes().iter().chain(pieces[1].as_bytes()) {
            let Some((&c, tail)) = rest.split_first() else { return core::cmp::Ordering::Greater };
            match b.cmp(&c.to_ascii_uppercase()) {
                core::cmp::Ordering::Equal => rest = tail,
                other => return other,
            }
        }
    }
    if rest.is_empty() { core::cmp::Ordering::Equal } else { core::cmp::Ordering::Less }
}

/// What has the name. The case of letters does not matter, except in what names by rule start with.
pub fn lookup(name: &[u8]) -> Option<Found> {
    if let Some(rest) = name.strip_prefix(b"HANGUL SYLLABLE ") {
        let (l, rest) = longest(rest, &LEADING)?;
        let (v, rest) = longest(rest, &VOWELS)?;
        let (t, rest) = longest(rest, &TRAILING)?;
        return rest.is_empty().then_some(Found::Character(S_BASE + ((l * 21 + v) * 28 + t) as u32));
    }
    if let Some(digits) = name.strip_prefix(b"CJK UNIFIED IDEOGRAPH-") {
        if !matches!(digits.len(), 4 | 5) || !digits.iter().all(|d| matches!(d, b'0'..=b'9' | b'A'..=b'F')) {
            return None;
        }
        let code = u32::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?;
        return is_unified_ideograph(code).then_some(Found::Character(code));
    }
    let order = BLOB.len() - 2 * NAMES;
    let nth = |i: usize| u16::from_le_bytes([BLOB[order + 2 * i], BLOB[order + 2 * i + 1]]) as usize;
    let (mut low, mut high) = (0, NAMES);
    while low < high {
        let middle = (low + high) / 2;
        let number = nth(middle);
        match compare(number, name) {
            core::cmp::Ordering::Less => low = middle + 1,
            core::cmp::Ordering::Greater => high = middle,
            core::cmp::Ordering::Equal => return Some(found(number)),
        }
    }
    None
}

fn found(number: usize) -> Found {
    match number.checked_sub(CHARACTER_NAMES) {
        Some(i) if i < ALIASES.len() => Found::Alias(ALIASES[i]),
        Some(i) => Found::Sequence(SEQUENCES[i - ALIASES.len()]),
        None => {
            let run = NAME_RUNS.partition_point(|&(_, _, first)| first as usize <= number) - 1;
            let (code, _, first) = NAME_RUNS[run];
            Found::Character(code + (number - first as usize) as u32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let mut count = 0;
        for code in 0..0x110000 {
            if let Some(n) = name(code, false) {
                count += 1;
                assert_eq!(lookup(n.as_bytes()), Some(Found::Character(code)), "{n}");
            }
        }
        assert!(count > 140_000);
    }

    #[test]
    fn some() {
        assert_eq!(name(0x41, false).as_deref(), Some("LATIN CAPITAL LETTER A"));
        assert_eq!(name(0xAC01, false).as_deref(), Some("HANGUL SYLLABLE GAG"));
        assert_eq!(name(0x9FFF, false).as_deref(), Some("CJK UNIFIED IDEOGRAPH-9FFF"));
        assert_eq!(name(0, false), None);
        assert_eq!(lookup(b"latin small letter a"), Some(Found::Character(0x61)));
        assert_eq!(lookup(b"NULL"), Some(Found::Alias(0)));
        assert!(matches!(lookup(b"KEYCAP DIGIT ONE"), Some(Found::Sequence(_))));
        assert_eq!(lookup(b"NO SUCH NAME"), None);
    }
}
