//! Splitting: each function hands the pieces, as ranges, to `piece`, which may fail.

use super::{Unit, fastsearch::Searcher};
use core::ops::Range;

/// Takes a piece; an error ends the split.
pub trait Sink<E>: FnMut(Range<usize>) -> Result<(), E> {}
impl<E, F: FnMut(Range<usize>) -> Result<(), E>> Sink<E> for F {}

/// At runs of white space, dropping empty pieces; at most `max` splits.
pub fn split_whitespace<U: Unit, E>(s: &[U], max: usize, space: impl Fn(u32) -> bool, mut piece: impl Sink<E>) -> Result<(), E> {
    let (mut i, mut left) = (0, max);
    while left > 0 {
        while i < s.len() && space(s[i].into()) {
            i += 1;
        }
        if i == s.len() {
            return Ok(());
        }
        let start = i;
        while i < s.len() && !space(s[i].into()) {
            i += 1;
        }
        piece(start..i)?;
        left -= 1;
    }
    while i < s.len() && space(s[i].into()) {
        i += 1;
    }
    if i < s.len() { piece(i..s.len()) } else { Ok(()) }
}

/// As [`split_whitespace`] from the end; pieces come last first.
pub fn rsplit_whitespace<U: Unit, E>(s: &[U], max: usize, space: impl Fn(u32) -> bool, mut piece: impl Sink<E>) -> Result<(), E> {
    let (mut i, mut left) = (s.len(), max);
    while left > 0 {
        while i > 0 && space(s[i - 1].into()) {
            i -= 1;
        }
        if i == 0 {
            return Ok(());
        }
        let end = i;
        while i > 0 && !space(s[i - 1].into()) {
            i -= 1;
        }
        piece(i..end)?;
        left -= 1;
    }
    while i > 0 && space(s[i - 1].into()) {
        i -= 1;
    }
    if i > 0 { piece(0..i) } else { Ok(()) }
}

/// At each `sep` (not empty); at most `max` splits.
pub fn split<U: Unit, E>(s: &[U], sep: &[U], max: usize, mut piece: impl Sink<E>) -> Result<(), E> {
    let (mut start, mut left) = (0, max);
    if let [c] = sep {
        while left > 0 {
            let Some(i) = U::find_char(&s[start..], *c) else { break };
            piece(start..start + i)?;
            start += i + 1;
            left -= 1;
        }
    } else {
        let searcher = Searcher::new(sep);
        while left > 0 {
            let Some(i) = searcher.find(&s[start..]) else { break };
            piece(start..start + i)?;
            start += i + sep.len();
            left -= 1;
        }
    }
    piece(start..s.len())
}

/// As [`split`] from the end; pieces come last first.
pub fn rsplit<U: Unit, E>(s: &[U], sep: &[U], max: usize, mut piece: impl Sink<E>) -> Result<(), E> {
    let (mut end, mut left) = (s.len(), max);
    while left > 0 {
        let Some(i) = super::rfind(&s[..end], sep) else { break };
        piece(i + sep.len()..end)?;
        end = i;
        left -= 1;
    }
    piece(0..end)
}

/// At line boundaries, of which CR LF is one; `keep` leaves them on their lines.
pub fn splitlines<U: Unit, E>(s: &[U], keep: bool, boundary: impl Fn(u32) -> bool, mut piece: impl Sink<E>) -> Result<(), E> {
    let mut i = 0;
    while i < s.len() {
        let start = i;
        while i < s.len() && !boundary(s[i].into()) {
            i += 1;
        }
        let mut end = i;
        if i < s.len() {
            let crlf = s[i].into() == 13 && i + 1 < s.len() && s[i + 1].into() == 10;
            i += 1 + crlf as usize;
            if keep {
                end = i;
            }
        }
        piece(start..end)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(f: impl FnOnce(&mut dyn FnMut(Range<usize>) -> Result<(), ()>) -> Result<(), ()>) -> Vec<Range<usize>> {
        let mut out = Vec::new();
        f(&mut |r| {
            out.push(r);
            Ok(())
        })
        .unwrap();
        out
    }

    #[test]
    fn whitespace_and_lines() {
        let sp = |c: u32| c == 32;
        assert_eq!(pieces(|p| split_whitespace(b"  a bc ", usize::MAX, sp, p)), [2..3, 4..6]);
        assert_eq!(pieces(|p| split_whitespace(b"a b c ", 1, sp, p)), [0..1, 2..6]);
        assert_eq!(pieces(|p| rsplit_whitespace(b" a b c", 1, sp, p)), [5..6, 0..4]);
        assert_eq!(pieces(|p| split(b"a,b,", b",", usize::MAX, p)), [0..1, 2..3, 4..4]);
        assert_eq!(pieces(|p| rsplit(b"a,b,c", b",", 1, p)), [4..5, 0..3]);
        assert_eq!(pieces(|p| splitlines(b"a\r\nb\n", false, |c| c == 10 || c == 13, p)), [0..1, 3..4]);
    }
}
