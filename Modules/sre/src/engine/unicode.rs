//! Character properties: Unicode's from the object layer, the locale's from the C library.

#[cfg(not(test))]
mod source {
    use taipan_objects::unicodectype as u;
    pub use u::{is_linebreak, is_space, to_lower, to_upper};
    /// A decimal digit (general category Nd).
    pub fn is_decimal(c: u32) -> bool {
        u::to_decimal(c).is_some()
    }
    /// What `str.isalnum` accepts.
    pub fn is_alnum(c: u32) -> bool {
        u::is_alpha(c) || u::to_decimal(c).is_some() || u::to_digit(c).is_some() || u::to_numeric(c).is_some()
    }
}

/// Unit tests run without the object layer: the standard library is near enough.
#[cfg(test)]
mod source {
    fn of(c: u32) -> Option<char> {
        char::from_u32(c)
    }
    pub fn is_linebreak(c: u32) -> bool {
        matches!(c, 10..=13 | 28..=30 | 0x85 | 0x2028 | 0x2029)
    }
    pub fn is_space(c: u32) -> bool {
        matches!(c, 28..=31) || of(c).is_some_and(char::is_whitespace)
    }
    pub fn to_lower(c: u32) -> u32 {
        of(c).map_or(c, |x| x.to_lowercase().next().map_or(c, |l| l as u32))
    }
    pub fn to_upper(c: u32) -> u32 {
        let Some(x) = of(c) else { return c };
        let mut up = x.to_uppercase();
        match (up.next(), up.next()) {
            (Some(u), None) => u as u32,
            _ => c,
        }
    }
    pub fn is_decimal(c: u32) -> bool {
        matches!(c, 48..=57 | 0x660..=0x669)
    }
    pub fn is_alnum(c: u32) -> bool {
        of(c).is_some_and(char::is_alphanumeric)
    }
}

pub use source::{is_alnum, is_decimal, is_linebreak, is_space, to_lower, to_upper};

/// `\w` of Unicode patterns.
#[inline]
pub fn is_word(c: u32) -> bool {
    if c < 128 { ascii_word(c) } else { is_alnum(c) }
}

/// `\w` of ASCII patterns.
#[inline]
pub fn ascii_word(c: u32) -> bool {
    c < 128 && ((c as u8).is_ascii_alphanumeric() || c == b'_' as u32)
}

/// Lower case within ASCII.
#[inline]
pub fn lower_ascii(c: u32) -> u32 {
    if c < 128 { (c as u8).to_ascii_lowercase() as u32 } else { c }
}

/// Lower case by Unicode's simple mapping.
#[inline]
pub fn lower_unicode(c: u32) -> u32 {
    if c < 128 { (c as u8).to_ascii_lowercase() as u32 } else { to_lower(c) }
}

/// Lower case by the C locale in force, for characters of one byte.
#[inline]
pub fn lower_locale(c: u32) -> u32 {
    // SAFETY: the argument is an unsigned char.
    if c < 256 { unsafe { libc::tolower(c as i32) as u32 } } else { c }
}

/// Upper case by the C locale in force, for characters of one byte.
#[inline]
pub fn upper_locale(c: u32) -> u32 {
    // SAFETY: the argument is an unsigned char.
    if c < 256 { unsafe { libc::toupper(c as i32) as u32 } } else { c }
}

/// `\w` of patterns with the LOCALE flag.
#[inline]
pub fn locale_word(c: u32) -> bool {
    // SAFETY: the argument is an unsigned char.
    c < 256 && (c == b'_' as u32 || unsafe { libc::isalnum(c as i32) != 0 })
}
