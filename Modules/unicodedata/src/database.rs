//! Properties of code points.

use crate::tables::{self, CHANGES_3_2, DECOMPOSITION_DATA, DECOMPOSITIONS, INDEX1, INDEX2, RECORDS};

/// The properties of a code point, as indices into the tables of names.
#[derive(Clone, Copy)]
pub struct Record {
    /// General category.
    pub category: u8,
    /// Canonical combining class.
    pub combining: u8,
    /// Bidirectional class.
    pub bidirectional: u8,
    /// Mirrored in bidirectional text.
    pub mirrored: u8,
    /// East Asian width.
    pub width: u8,
    /// Two bits for each of NFD, NFKD, NFC, NFKC: 0 the code point may occur, 1 it may compose, 2 it can't occur.
    pub quick_check: u8,
}

/// The properties of a code point (below 0x110000).
#[inline]
pub fn record(code: u32) -> Record {
    let block = INDEX1.get(code as usize >> 7).copied().unwrap_or(0) as usize;
    let [category, combining, bidirectional, mirrored, width, quick_check] =
        RECORDS[INDEX2[(block << 7) + (code as usize & 127)] as usize];
    Record { category, combining, bidirectional, mirrored, width, quick_check }
}

/// What version 3.2 said of a code point, where it said something else.
#[derive(Clone, Copy)]
pub struct Change {
    /// General category; 0 for a code point without meaning then.
    pub category: u8,
    /// Bidirectional class.
    pub bidirectional: u8,
    /// Mirrored.
    pub mirrored: u8,
    /// East Asian width.
    pub width: u8,
    /// Decimal value, 255 where it is as now.
    pub decimal: u8,
}

/// The change of a code point since version 3.2.
pub fn change_3_2(code: u32) -> Option<Change> {
    let at = CHANGES_3_2.partition_point(|&(_, last, _)| last < code);
    let &(first, _, [category, bidirectional, mirrored, width, decimal]) = CHANGES_3_2.get(at)?;
    (first <= code).then_some(Change { category, bidirectional, mirrored, width, decimal })
}

/// Whether version 3.2 did not have the code point, but this one has.
pub fn is_new_since_3_2(code: u32) -> bool {
    change_3_2(code).is_some_and(|c| c.category == 0)
}

/// The decomposition of a code point: its tag ("" for a canonical one) and the code points. Hangul syllables have none here.
#[inline]
pub fn decomposition(code: u32) -> Option<(&'static str, &'static [u32])> {
    // Every code point that decomposes has another compatibility form.
    if record(code).quick_check & 0b1100 == 0 {
        return None;
    }
    let at = DECOMPOSITIONS.binary_search_by_key(&code, |&(c, _)| c).ok()?;
    let start = DECOMPOSITIONS[at].1 as usize;
    let head = DECOMPOSITION_DATA[start] as usize;
    Some((tables::PREFIXES[head & 255], &DECOMPOSITION_DATA[start + 1..start + 1 + (head >> 8)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties() {
        let r = record('A' as u32);
        assert_eq!((tables::CATEGORIES[r.category as usize], r.combining), ("Lu", 0));
        assert_eq!(record(0x301).combining, 230);
        assert_eq!(decomposition(0xC0), Some(("", &[0x41, 0x300][..])));
        assert_eq!(decomposition(0xBC).map(|d| d.0), Some("<fraction>"));
        assert!(is_new_since_3_2(0x1F600) && !is_new_since_3_2(0x41));
    }
}
