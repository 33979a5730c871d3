//! What the tokenizer asks about characters, and the normal form of names.

use std::cmp::Ordering;

use unicode_normalization::{UnicodeNormalization, is_nfkc_quick};

use crate::unicode_tables::{NON_PRINTABLE, XID_CONTINUE_ONLY, XID_START};

fn contains(table: &[(u32, u32)], c: u32) -> bool {
    let order = |&(first, last): &(u32, u32)| {
        if last < c {
            Ordering::Less
        } else if first > c {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    };
    table.binary_search_by(order).is_ok()
}

/// May the character begin an identifier?
pub(crate) fn is_xid_start(c: u32) -> bool {
    if c < 128 {
        return c == b'_' as u32 || (c as u8).is_ascii_alphabetic();
    }
    contains(&XID_START, c)
}

/// May the character stand in an identifier?
pub(crate) fn is_xid_continue(c: u32) -> bool {
    if c < 128 {
        return c == b'_' as u32 || (c as u8).is_ascii_alphanumeric();
    }
    contains(&XID_START, c) || contains(&XID_CONTINUE_ONLY, c)
}

/// Is the character printable?
pub fn is_printable(c: u32) -> bool {
    if c < 128 {
        return (0x20..0x7f).contains(&c);
    }
    !contains(&NON_PRINTABLE, c)
}

/// A name in normal form KC, or nothing if it is in that form already.
pub(crate) fn normalize(name: &str) -> Option<String> {
    if is_nfkc_quick(name.chars()) == unicode_normalization::IsNormalized::Yes {
        return None;
    }
    Some(name.nfkc().collect())
}
