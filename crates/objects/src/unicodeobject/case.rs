//! Case mappings of whole strings.

use super::layout::*;
use crate::unicodectype::*;
use taipan_abi::*;

const CAPITAL_SIGMA: u32 = 0x3a3;
const SMALL_SIGMA: u32 = 0x3c3;
const FINAL_SIGMA: u32 = 0x3c2;

/// How a capital sigma at `i` is lowered: it is final after a cased character and before none, where case-ignorable
/// characters in between don't count.
fn lower_sigma(t: Text<'_>, i: usize) -> u32 {
    let before = t.slice(0, i).chars().rev().find(|&c| !is_case_ignorable(c));
    if !before.is_some_and(is_cased) {
        return SMALL_SIGMA;
    }
    let after = t.slice(i + 1, t.len()).chars().find(|&c| !is_case_ignorable(c));
    if after.is_some_and(is_cased) { SMALL_SIGMA } else { FINAL_SIGMA }
}

#[inline]
fn push_lower(out: &mut Vec<u32>, t: Text<'_>, i: usize, c: u32) {
    if c == CAPITAL_SIGMA {
        out.push(lower_sigma(t, i));
    } else {
        out.extend_from_slice(to_lower_full(c).as_slice());
    }
}

fn mapped(t: Text<'_>, mut f: impl FnMut(&mut Vec<u32>, usize, u32)) -> PyResult<StrObj> {
    let mut out = Vec::with_capacity(t.len());
    for i in 0..t.len() {
        f(&mut out, i, t.get(i));
    }
    from_units(&out)
}

/// Maps an ASCII string byte by byte.
fn ascii_map(s: &[u8], f: impl Fn(u8) -> u8) -> PyResult<StrObj> {
    if let [c] = s {
        return Ok(latin1_char(f(*c)));
    }
    let new = new_str(s.len(), 127)?;
    // SAFETY: [OWN] new and as long.
    unsafe {
        let to = data(new.as_ptr().cast());
        for (i, &c) in s.iter().enumerate() {
            *to.add(i) = f(c);
        }
    }
    Ok(new)
}

fn ascii<'a>(s: StrRef<'a>) -> Option<&'a [u8]> {
    // SAFETY: [TYPE]
    match text(s) {
        Text::U1(t) if unsafe { is_ascii(s.ob()) } => Some(t),
        _ => None,
    }
}

pub(super) fn lower(s: StrRef<'_>) -> PyResult<StrObj> {
    if let Some(a) = ascii(s) {
        return ascii_map(a, |c| c.to_ascii_lowercase());
    }
    let t = text(s);
    mapped(t, |out, i, c| push_lower(out, t, i, c))
}

pub(super) fn upper(s: StrRef<'_>) -> PyResult<StrObj> {
    if let Some(a) = ascii(s) {
        return ascii_map(a, |c| c.to_ascii_uppercase());
    }
    mapped(text(s), |out, _, c| out.extend_from_slice(to_upper_full(c).as_slice()))
}

pub(super) fn casefold(s: StrRef<'_>) -> PyResult<StrObj> {
    if let Some(a) = ascii(s) {
        return ascii_map(a, |c| c.to_ascii_lowercase());
    }
    mapped(text(s), |out, _, c| out.extend_from_slice(to_folded_full(c).as_slice()))
}

pub(super) fn swapcase(s: StrRef<'_>) -> PyResult<StrObj> {
    if let Some(a) = ascii(s) {
        return ascii_map(a, |c| if c.is_ascii_alphabetic() { c ^ 0x20 } else { c });
    }
    let t = text(s);
    mapped(t, |out, i, c| {
        if is_upper(c) {
            push_lower(out, t, i, c);
        } else if is_lower(c) {
            out.extend_from_slice(to_upper_full(c).as_slice());
        } else {
            out.push(c);
        }
    })
}

pub(super) fn capitalize(s: StrRef<'_>) -> PyResult<StrObj> {
    let t = text(s);
    if t.is_empty() {
        return unchanged(s);
    }
    mapped(t, |out, i, c| {
        if i == 0 {
            out.extend_from_slice(to_title_full(c).as_slice());
        } else {
            push_lower(out, t, i, c);
        }
    })
}

pub(super) fn title(s: StrRef<'_>) -> PyResult<StrObj> {
    let t = text(s);
    let mut inside = false;
    mapped(t, |out, i, c| {
        if inside {
            push_lower(out, t, i, c);
        } else {
            out.extend_from_slice(to_title_full(c).as_slice());
        }
        inside = is_cased(c);
    })
}

// --- questions about whole strings

/// At least one cased character and none that `wrong` says.
fn cased(t: Text<'_>, right: fn(u32) -> bool, wrong: fn(u32) -> bool) -> bool {
    let mut seen = false;
    for c in t.chars() {
        if wrong(c) {
            return false;
        }
        seen |= right(c);
    }
    seen
}

pub(super) fn islower(s: StrRef<'_>) -> PyResult<bool> {
    Ok(cased(text(s), is_lower, |c| is_upper(c) || is_title(c)))
}

pub(super) fn isupper(s: StrRef<'_>) -> PyResult<bool> {
    Ok(cased(text(s), is_upper, |c| is_lower(c) || is_title(c)))
}

pub(super) fn istitle(s: StrRef<'_>) -> PyResult<bool> {
    let (mut seen, mut inside) = (false, false);
    for c in text(s).chars() {
        if is_upper(c) || is_title(c) {
            if inside {
                return Ok(false);
            }
            (inside, seen) = (true, true);
        } else if is_lower(c) {
            if !inside {
                return Ok(false);
            }
            seen = true;
        } else {
            inside = false;
        }
    }
    Ok(seen)
}

macro_rules! all_chars {
    ($($name:ident => $f:expr;)*) => { $(
        pub(super) fn $name(s: StrRef<'_>) -> PyResult<bool> {
            let t = text(s);
            Ok(!t.is_empty() && crate::with_units!(t, s => s.iter().all(|&c| $f(c.into()))))
        }
    )* };
}
all_chars! {
    isspace => is_space;
    isalpha => is_alpha;
    isalnum => is_alnum;
    isdecimal => is_decimal;
    isdigit => is_digit;
    isnumeric => is_numeric;
}

pub(super) fn isprintable(s: StrRef<'_>) -> PyResult<bool> {
    Ok(text(s).chars().all(is_printable))
}

pub(super) fn isascii(s: StrRef<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    Ok(unsafe { is_ascii(s.ob()) })
}

/// How many characters from the start form an identifier.
pub fn scan_identifier(t: Text<'_>) -> usize {
    match t.at(0) {
        Some(c) if is_xid_start(c) => {}
        _ => return 0,
    }
    (1..t.len()).find(|&i| !is_xid_continue(t.get(i))).unwrap_or(t.len())
}

pub(super) fn isidentifier(s: StrRef<'_>) -> PyResult<bool> {
    let t = text(s);
    Ok(!t.is_empty() && scan_identifier(t) == t.len())
}
