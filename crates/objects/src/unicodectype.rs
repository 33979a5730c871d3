//! Character properties and case mappings of Unicode 15.1.

mod pages;
mod tables;

use core::ffi::c_int;
use pages::{PAGE_OF, PAGES};
use tables::*;

/// Properties that many code points share. Case mappings are deltas to the code point.
pub(crate) struct TypeRecord {
    upper: i32,
    lower: i32,
    title: i32,
    decimal: i8,
    digit: i8,
    flags: u16,
}

#[inline(always)]
fn record(c: u32) -> &'static TypeRecord {
    // Beyond Unicode everything looks like the unassigned code point U+10FFFF.
    let c = if c > 0x10ffff { 0x10ffff } else { c };
    let page = PAGE_OF[(c >> SHIFT) as usize] as usize;
    &RECORDS[PAGES[page][(c & ((1 << SHIFT) - 1)) as usize] as usize]
}

#[inline(always)]
fn has(c: u32, flag: u16) -> bool {
    record(c).flags & flag != 0
}

/// A full case mapping: one to three characters.
#[derive(Clone, Copy)]
pub struct Mapped {
    chars: [u32; 3],
    len: usize,
}

impl Mapped {
    /// The characters.
    #[inline(always)]
    pub fn as_slice(&self) -> &[u32] {
        &self.chars[..self.len]
    }
    #[inline(always)]
    fn one(c: u32) -> Self {
        Mapped { chars: [c, 0, 0], len: 1 }
    }
}

fn extended(c: u32, which: usize) -> Mapped {
    match EXTENDED.binary_search_by_key(&c, |e| e.0) {
        Ok(i) => {
            let chars = EXTENDED[i].1[which];
            Mapped { chars, len: 1 + (chars[1] != 0) as usize + (chars[2] != 0) as usize }
        }
        Err(_) => Mapped::one(c),
    }
}

macro_rules! full_mappings {
    ($($(#[$m:meta])* $name:ident, $field:ident, $which:literal;)*) => { $(
        $(#[$m])*
        #[inline]
        pub fn $name(c: u32) -> Mapped {
            let r = record(c);
            if r.flags & EXTENDED_CASE != 0 {
                return extended(c, $which);
            }
            Mapped::one(c.wrapping_add_signed(r.$field))
        }
    )* };
}
full_mappings! {
    /// Full upper-case mapping.
    to_upper_full, upper, 0;
    /// Full lower-case mapping, without regard to context.
    to_lower_full, lower, 1;
    /// Full title-case mapping.
    to_title_full, title, 2;
    /// Full case folding.
    to_folded_full, lower, 3;
}

macro_rules! predicates {
    ($($(#[$m:meta])* $name:ident, $flag:expr;)*) => { $(
        $(#[$m])*
        #[inline]
        pub fn $name(c: u32) -> bool {
            has(c, $flag)
        }
    )* };
}
predicates! {
    /// A letter (category L*).
    is_alpha, ALPHA;
    /// A decimal digit.
    is_decimal, DECIMAL;
    /// A digit, superscripts and the like included.
    is_digit, DIGIT;
    /// Any character with a numeric value.
    is_numeric, NUMERIC;
    /// A lower-case character.
    is_lower, LOWER;
    /// An upper-case character.
    is_upper, UPPER;
    /// A title-case character (category Lt).
    is_title, TITLE;
    /// A line boundary.
    is_linebreak_full, LINEBREAK;
    /// White space.
    is_space_full, SPACE;
    /// May start an identifier (underscore included).
    is_xid_start, XID_START;
    /// May continue an identifier.
    is_xid_continue, XID_CONTINUE;
    /// Shown as it is by `repr`.
    is_printable, PRINTABLE;
    /// Distinguishes case.
    is_cased, CASED;
    /// Skipped when the neighbours of a capital sigma are examined.
    is_case_ignorable, CASE_IGNORABLE;
    /// A letter, digit, decimal or numeric character.
    is_alnum, ALPHA | DECIMAL | DIGIT | NUMERIC;
}

/// White space, quick for ASCII.
#[inline(always)]
pub fn is_space(c: u32) -> bool {
    if c < 128 {
        return matches!(c, 0x09..=0x0d | 0x1c..=0x20);
    }
    is_space_full(c)
}

/// A line boundary, quick for ASCII.
#[inline(always)]
pub fn is_linebreak(c: u32) -> bool {
    if c < 128 {
        return matches!(c, 0x0a..=0x0d | 0x1c..=0x1e);
    }
    is_linebreak_full(c)
}

/// Simple upper-case mapping.
#[inline]
pub fn to_upper(c: u32) -> u32 {
    c.wrapping_add_signed(record(c).upper)
}
/// Simple lower-case mapping.
#[inline]
pub fn to_lower(c: u32) -> u32 {
    c.wrapping_add_signed(record(c).lower)
}
/// Simple title-case mapping.
#[inline]
pub fn to_title(c: u32) -> u32 {
    c.wrapping_add_signed(record(c).title)
}
/// The value of a decimal digit.
#[inline]
pub fn to_decimal(c: u32) -> Option<u32> {
    let v = record(c).decimal;
    (v >= 0).then_some(v as u32)
}
/// The value of a digit.
#[inline]
pub fn to_digit(c: u32) -> Option<u32> {
    let v = record(c).digit;
    (v >= 0).then_some(v as u32)
}
/// The numeric value.
pub fn to_numeric(c: u32) -> Option<f64> {
    NUMERIC_VALUES.binary_search_by_key(&c, |e| e.0).ok().map(|i| NUMERIC_VALUES[i].1)
}

macro_rules! exports {
    ($($name:ident => $f:ident;)*) => { $(
        #[doc = concat!("C entry of [`", stringify!($f), "`].")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(ch: u32) -> c_int {
            $f(ch) as c_int
        }
    )* };
}
exports! {
    _PyUnicode_IsAlpha => is_alpha;
    _PyUnicode_IsDecimalDigit => is_decimal;
    _PyUnicode_IsDigit => is_digit;
    _PyUnicode_IsNumeric => is_numeric;
    _PyUnicode_IsLowercase => is_lower;
    _PyUnicode_IsUppercase => is_upper;
    _PyUnicode_IsTitlecase => is_title;
    _PyUnicode_IsLinebreak => is_linebreak;
    _PyUnicode_IsWhitespace => is_space;
    _PyUnicode_IsPrintable => is_printable;
    _PyUnicode_IsXidStart => is_xid_start;
    _PyUnicode_IsXidContinue => is_xid_continue;
    _PyUnicode_IsCased => is_cased;
    _PyUnicode_IsCaseIgnorable => is_case_ignorable;
}

macro_rules! char_exports {
    ($($name:ident => $f:ident;)*) => { $(
        #[doc = concat!("C entry of [`", stringify!($f), "`].")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(ch: u32) -> u32 {
            $f(ch)
        }
    )* };
}
char_exports! {
    _PyUnicode_ToUppercase => to_upper;
    _PyUnicode_ToLowercase => to_lower;
    _PyUnicode_ToTitlecase => to_title;
}

/// The value of a decimal digit, -1 if `ch` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_ToDecimalDigit(ch: u32) -> c_int {
    to_decimal(ch).map_or(-1, |v| v as c_int)
}
/// The value of a digit, -1 if `ch` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_ToDigit(ch: u32) -> c_int {
    to_digit(ch).map_or(-1, |v| v as c_int)
}
/// The numeric value, -1 if `ch` has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_ToNumeric(ch: u32) -> f64 {
    to_numeric(ch).unwrap_or(-1.0)
}

/// Indexed by a byte below 128: true for ASCII white space; C macros compiled into extensions read it.
#[unsafe(no_mangle)]
pub static _Py_ascii_whitespace: [u8; 128] = {
    let mut t = [0; 128];
    let mut i = 0;
    while i < 128 {
        t[i] = matches!(i, 0x09..=0x0d | 0x1c..=0x20) as u8;
        i += 1;
    }
    t
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties() {
        assert!(is_alpha('ß' as u32) && !is_alpha('1' as u32));
        assert_eq!(to_upper_full('ß' as u32).as_slice(), ['S' as u32, 'S' as u32]);
        assert_eq!(to_lower('Ä' as u32), 'ä' as u32);
        assert_eq!(to_folded_full('ß' as u32).as_slice(), ['s' as u32, 's' as u32]);
        assert_eq!(to_numeric('½' as u32), Some(0.5));
        assert_eq!(to_decimal('٣' as u32), Some(3));
        assert!(is_space(0x3000) && is_linebreak(0x2028) && !is_printable(0xad));
    }
}
