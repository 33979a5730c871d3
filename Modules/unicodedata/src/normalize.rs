//! Normal forms.

use crate::database::{decomposition, is_new_since_3_2, record};
use crate::tables::{COMPOSITIONS, FORMS_3_2};

/// A normal form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    /// Compose after decomposing (NFC, NFKC).
    pub compose: bool,
    /// Compatibility decompositions too (NFKC, NFKD).
    pub compatibility: bool,
}

impl Form {
    /// From its name.
    pub fn from_name(name: &str) -> Option<Form> {
        Some(match name {
            "NFC" => Form { compose: true, compatibility: false },
            "NFKC" => Form { compose: true, compatibility: true },
            "NFD" => Form { compose: false, compatibility: false },
            "NFKD" => Form { compose: false, compatibility: true },
            _ => return None,
        })
    }
}

/// What can be said without normalising.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuickCheck {
    /// It is normal.
    Yes,
    /// One has to normalise to know.
    Maybe,
    /// It isn't normal.
    No,
}

/// The quick check of UAX #15; with `yes_only`, "maybe" is said as soon as the answer can't be "yes".
pub fn quick_check(text: impl Iterator<Item = u32>, form: Form, yes_only: bool) -> QuickCheck {
    let shift = (form.compose as u32) * 4 + (form.compatibility as u32) * 2;
    let mut result = QuickCheck::Yes;
    let mut previous = 0;
    for code in text {
        let r = record(code);
        if r.combining != 0 && previous > r.combining {
            return QuickCheck::No;
        }
        previous = r.combining;
        match r.quick_check >> shift & 3 {
            0 => {}
            _ if yes_only => return QuickCheck::Maybe,
            1 => result = QuickCheck::Maybe,
            _ => return QuickCheck::No,
        }
    }
    result
}

const S_BASE: u32 = 0xAC00;
const L_BASE: u32 = 0x1100;
const V_BASE: u32 = 0x1161;
const T_BASE: u32 = 0x11A7;
const L_COUNT: u32 = 19;
const V_COUNT: u32 = 21;
const T_COUNT: u32 = 28;
const S_COUNT: u32 = L_COUNT * V_COUNT * T_COUNT;

fn decompose_into(code: u32, form: Form, old: bool, out: &mut Vec<u32>) {
    if (S_BASE..S_BASE + S_COUNT).contains(&code) {
        let s = code - S_BASE;
        out.push(L_BASE + s / (V_COUNT * T_COUNT));
        out.push(V_BASE + s % (V_COUNT * T_COUNT) / T_COUNT);
        if s % T_COUNT != 0 {
            out.push(T_BASE + s % T_COUNT);
        }
        return;
    }
    if old {
        if let Ok(i) = FORMS_3_2.binary_search_by_key(&code, |&(c, _)| c) {
            return decompose_into(FORMS_3_2[i].1, form, old, out);
        }
        if is_new_since_3_2(code) {
            return out.push(code);
        }
    }
    match decomposition(code) {
        Some((tag, parts)) if form.compatibility || tag.is_empty() => {
            for &part in parts {
                decompose_into(part, form, old, out);
            }
        }
        _ => out.push(code),
    }
}

/// Sorts each run of combining characters by class.
fn order(text: &mut [u32]) {
    let class = |code: u32| record(code).combining;
    let mut i = 0;
    while i < text.len() {
        if class(text[i]) == 0 {
            i += 1;
            continue;
        }
        let end = text[i..].iter().position(|&c| class(c) == 0).map_or(text.len(), |n| i + n);
        text[i..end].sort_by_key(|&c| class(c));
        i = end;
    }
}

fn compose_pair(a: u32, b: u32) -> Option<u32> {
    if (L_BASE..L_BASE + L_COUNT).contains(&a) && (V_BASE..V_BASE + V_COUNT).contains(&b) {
        return Some(S_BASE + ((a - L_BASE) * V_COUNT + (b - V_BASE)) * T_COUNT);
    }
    if (S_BASE..S_BASE + S_COUNT).contains(&a) && (a - S_BASE) % T_COUNT == 0 && (T_BASE + 1..T_BASE + T_COUNT).contains(&b) {
        return Some(a + (b - T_BASE));
    }
    // What can't be second in a pair shows in its quick check.
    if record(b).quick_check >> 4 & 3 != 1 {
        return None;
    }
    COMPOSITIONS.binary_search_by_key(&(a, b), |&(x, y, _)| (x, y)).ok().map(|i| COMPOSITIONS[i].2)
}

/// Composes in place what is in canonical order.
fn compose(text: &mut Vec<u32>) {
    let mut starter: Option<usize> = None;
    let mut last_class = 0;
    let mut length = 0;
    for i in 0..text.len() {
        let code = text[i];
        let class = record(code).combining;
        if let Some(s) = starter {
            // Blocked by a character of the same or a higher class, or by a starter in between.
            let adjacent = s + 1 == length;
            if (adjacent || last_class < class && last_class != 0)
                && let Some(composed) = compose_pair(text[s], code)
            {
                text[s] = composed;
                continue;
            }
        }
        if class == 0 {
            starter = Some(length);
        }
        last_class = class;
        text[length] = code;
        length += 1;
    }
    text.truncate(length);
}

/// The normal form of a text; `old` for that of version 3.2.
pub fn normalize(text: impl Iterator<Item = u32>, form: Form, old: bool) -> Vec<u32> {
    let mut out = Vec::with_capacity(text.size_hint().0 + 10);
    for code in text {
        decompose_into(code, form, old, &mut out);
    }
    order(&mut out);
    if form.compose {
        compose(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, form: &str, expected: &str) {
        let form = Form::from_name(form).expect("a form");
        let got = normalize(text.chars().map(|c| c as u32), form, false);
        assert_eq!(got, expected.chars().map(|c| c as u32).collect::<Vec<_>>(), "{text:?} {form:?}");
    }

    #[test]
    fn forms() {
        check("\u{e9}", "NFD", "e\u{301}");
        check("e\u{301}", "NFC", "\u{e9}");
        check("\u{fb01}", "NFKC", "fi");
        check("\u{fb01}", "NFC", "\u{fb01}");
        check("\u{d4db}", "NFD", "\u{1111}\u{1171}\u{11b6}");
        check("\u{1111}\u{1171}\u{11b6}", "NFC", "\u{d4db}");
        check("a\u{315}\u{300}\u{5ae}\u{300}b", "NFC", "\u{e0}\u{5ae}\u{300}\u{315}b");
        check("\u{0b47}\u{0300}\u{0b3e}", "NFC", "\u{0b47}\u{0300}\u{0b3e}");
    }
}
