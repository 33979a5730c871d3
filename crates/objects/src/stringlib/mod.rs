//! Algorithms over sequences of code units that `str` (in all three widths), `bytes` and `bytearray` share.

pub mod fastsearch;
pub mod split;

pub use fastsearch::{count, find, find_char, rfind, rfind_char};

/// A code unit: a byte, or a character of a `str` of one, two or four bytes a character.
pub trait Unit: Copy + Ord + Into<u32> + 'static {
    /// Bytes a unit, which is also the `kind` of a `str` that stores it.
    const KIND: u32;
    /// The largest value.
    const MAX: u32;
    /// Truncates.
    fn cut(c: u32) -> Self;
    /// See [`fastsearch::find`]; specialised where a tuned search exists.
    fn find(hay: &[Self], needle: &[Self]) -> Option<usize>;
    /// See [`fastsearch::rfind`].
    fn rfind(hay: &[Self], needle: &[Self]) -> Option<usize>;
    /// Position of the first `c`.
    fn find_char(hay: &[Self], c: Self) -> Option<usize>;
    /// Position of the last `c`.
    fn rfind_char(hay: &[Self], c: Self) -> Option<usize>;
}

impl Unit for u8 {
    const KIND: u32 = 1;
    const MAX: u32 = 0xff;
    #[inline(always)]
    fn cut(c: u32) -> u8 {
        c as u8
    }
    #[inline]
    fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
        memchr::memmem::find(hay, needle)
    }
    #[inline]
    fn rfind(hay: &[u8], needle: &[u8]) -> Option<usize> {
        memchr::memmem::rfind(hay, needle)
    }
    #[inline]
    fn find_char(hay: &[u8], c: u8) -> Option<usize> {
        memchr::memchr(c, hay)
    }
    #[inline]
    fn rfind_char(hay: &[u8], c: u8) -> Option<usize> {
        memchr::memrchr(c, hay)
    }
}

macro_rules! wide_unit {
    ($t:ty, $kind:literal) => {
        impl Unit for $t {
            const KIND: u32 = $kind;
            const MAX: u32 = <$t>::MAX as u32;
            #[inline(always)]
            fn cut(c: u32) -> $t {
                c as $t
            }
            fn find(hay: &[$t], needle: &[$t]) -> Option<usize> {
                fastsearch::wide_find(hay, needle)
            }
            fn rfind(hay: &[$t], needle: &[$t]) -> Option<usize> {
                fastsearch::wide_rfind(hay, needle)
            }
            #[inline]
            fn find_char(hay: &[$t], c: $t) -> Option<usize> {
                fastsearch::wide_find_char(hay, c)
            }
            #[inline]
            fn rfind_char(hay: &[$t], c: $t) -> Option<usize> {
                hay.iter().rposition(|&x| x == c)
            }
        }
    };
}
wide_unit!(u16, 2);
wide_unit!(u32, 4);

/// Clamps `start` and `end` to a sequence of `len` items, counting negative ones from its end.
#[inline]
pub fn adjust_indices(start: isize, end: isize, len: usize) -> (isize, isize) {
    let len = len as isize;
    let mut end = end;
    if end > len {
        end = len;
    } else if end < 0 {
        end = (end + len).max(0);
    }
    let mut start = start;
    if start < 0 {
        start = (start + len).max(0);
    }
    (start, end)
}
