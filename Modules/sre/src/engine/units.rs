//! The three widths of characters that a subject may have.

/// A character of a subject.
pub trait Unit: Copy + PartialEq + 'static {
    /// Greatest code that fits.
    const MAX: u32;
    /// Its code.
    fn code(self) -> u32;
    /// The character with this code, which is at most `MAX`.
    fn from_code(c: u32) -> Self;
    /// Index of the first `c` in `hay`.
    fn find(c: Self, hay: &[Self]) -> Option<usize>;
    /// Index of the last `c` in `hay`.
    fn rfind(c: Self, hay: &[Self]) -> Option<usize>;
    /// Index of the first occurrence of `needle` (at least two characters).
    fn find_many(needle: &[Self], bytes: Option<&memchr::memmem::Finder<'static>>, hay: &[Self]) -> Option<usize>;
}

impl Unit for u8 {
    const MAX: u32 = 0xff;
    #[inline(always)]
    fn code(self) -> u32 {
        self as u32
    }
    #[inline(always)]
    fn from_code(c: u32) -> u8 {
        c as u8
    }
    #[inline]
    fn find(c: u8, hay: &[u8]) -> Option<usize> {
        memchr::memchr(c, hay)
    }
    #[inline]
    fn rfind(c: u8, hay: &[u8]) -> Option<usize> {
        memchr::memrchr(c, hay)
    }
    fn find_many(needle: &[u8], bytes: Option<&memchr::memmem::Finder<'static>>, hay: &[u8]) -> Option<usize> {
        match bytes {
            Some(f) => f.find(hay),
            None => memchr::memmem::find(hay, needle),
        }
    }
}

macro_rules! wide {
    ($t:ty, $max:expr) => {
        impl Unit for $t {
            const MAX: u32 = $max;
            #[inline(always)]
            fn code(self) -> u32 {
                self as u32
            }
            #[inline(always)]
            fn from_code(c: u32) -> $t {
                c as $t
            }
            #[inline]
            fn find(c: $t, hay: &[$t]) -> Option<usize> {
                // Whole chunks compare without branches, which the compiler turns into vector code.
                let mut at = 0;
                let mut chunks = hay.chunks_exact(16);
                for chunk in &mut chunks {
                    if chunk.iter().fold(false, |any, &x| any | (x == c)) {
                        break;
                    }
                    at += 16;
                }
                hay[at..].iter().position(|&x| x == c).map(|i| at + i)
            }
            #[inline]
            fn rfind(c: $t, hay: &[$t]) -> Option<usize> {
                hay.iter().rposition(|&x| x == c)
            }
            fn find_many(needle: &[$t], _: Option<&memchr::memmem::Finder<'static>>, hay: &[$t]) -> Option<usize> {
                let (&first, rest) = needle.split_first()?;
                let last_start = hay.len().checked_sub(needle.len())?;
                let mut at = 0;
                while at <= last_start {
                    at += Self::find(first, &hay[at..=last_start])?;
                    if hay[at + 1..at + needle.len()] == *rest {
                        return Some(at);
                    }
                    at += 1;
                }
                None
            }
        }
    };
}
wide!(u16, 0xffff);
wide!(u32, 0xffff_ffff);
