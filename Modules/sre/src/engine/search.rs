//! Where may a match begin? Positions that can't be are skipped without running the matcher.

use super::first::First;
use super::matcher::{Env, Mode, State, Stop, run};
use super::program::{Prefix, Program, Search};
use super::units::Unit;

/// Finds the first match from `start` on: where it begins and ends. `mode.advance` concerns a match at `start` only.
pub fn search<C: Unit, E: Env>(
    p: &Program,
    st: &mut State,
    text: &[C],
    start: usize,
    mode: Mode,
    env: &mut E,
) -> Result<Option<(usize, usize)>, Stop> {
    let Some(last) = text.len().checked_sub(p.min_width) else { return Ok(None) };
    if start > last {
        return Ok(None);
    }
    match &p.search {
        Search::Anchored => {
            if start > 0 {
                return Ok(None);
            }
            Ok(run(p, st, text, 0, mode, env)?.map(|end| (0, end)))
        }
        Search::General => {
            let mut mode = mode;
            for at in start..=last {
                if let Some(end) = run(p, st, text, at, mode, env)? {
                    return Ok(Some((at, end)));
                }
                mode.advance = false;
            }
            Ok(None)
        }
        Search::Prefix(prefix) => {
            if prefix.max > C::MAX {
                return Ok(None);
            }
            let mut at = start;
            while at <= last {
                let Some(found) = find_prefix(prefix, &text[at..]) else { return Ok(None) };
                at += found;
                if prefix.complete && p.marks == 0 {
                    return Ok(Some((at, at + prefix.chars.len())));
                }
                if let Some(end) = run(p, st, text, at, Mode { advance: false, ..mode }, env)? {
                    return Ok(Some((at, end)));
                }
                at += 1;
            }
            Ok(None)
        }
        Search::First(first) => {
            let only = first.only();
            let mut at = start;
            while at <= last {
                let rest = &text[at..];
                let found = match only {
                    Some(c) => C::find(C::from_code(c), rest),
                    None => find_first(first, rest),
                };
                let Some(found) = found else { return Ok(None) };
                at += found;
                if let Some(end) = run(p, st, text, at, Mode { advance: false, ..mode }, env)? {
                    return Ok(Some((at, end)));
                }
                at += 1;
            }
            Ok(None)
        }
    }
}

#[inline]
fn find_first<C: Unit>(first: &First, text: &[C]) -> Option<usize> {
    text.iter().position(|c| first.allows(c.code()))
}

fn find_prefix<C: Unit>(prefix: &Prefix, text: &[C]) -> Option<usize> {
    if let [only] = prefix.chars[..] {
        return C::find(C::from_code(only), text);
    }
    // The needle in the subject's width: one of the three stored forms.
    let n = prefix.chars.len();
    // SAFETY: [LAYOUT] each arm reads the form whose elements have C's size; forms that fit hold n characters.
    let needle: &[C] = unsafe {
        match size_of::<C>() {
            1 => core::slice::from_raw_parts(prefix.narrow.as_ptr().cast(), n),
            2 => core::slice::from_raw_parts(prefix.medium.as_ptr().cast(), n),
            _ => core::slice::from_raw_parts(prefix.chars.as_ptr().cast(), n),
        }
    };
    C::find_many(needle, prefix.finder.as_ref(), text)
}
