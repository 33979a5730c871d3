//! Substring search in linear time.

use super::Unit;

/// Position of the first `needle` in `hay`.
#[inline]
pub fn find<U: Unit>(hay: &[U], needle: &[U]) -> Option<usize> {
    match needle {
        [] => Some(0),
        [c] => U::find_char(hay, *c),
        _ if needle.len() > hay.len() => None,
        _ => U::find(hay, needle),
    }
}

/// Position of the last `needle` in `hay`.
#[inline]
pub fn rfind<U: Unit>(hay: &[U], needle: &[U]) -> Option<usize> {
    match needle {
        [] => Some(hay.len()),
        [c] => U::rfind_char(hay, *c),
        _ if needle.len() > hay.len() => None,
        _ => U::rfind(hay, needle),
    }
}

/// Position of the first `c`.
#[inline]
pub fn find_char<U: Unit>(hay: &[U], c: U) -> Option<usize> {
    U::find_char(hay, c)
}

/// Position of the last `c`.
#[inline]
pub fn rfind_char<U: Unit>(hay: &[U], c: U) -> Option<usize> {
    U::rfind_char(hay, c)
}

/// How often `needle` occurs in `hay` without overlap, counting at most `max`. An empty needle fits around each unit.
pub fn count<U: Unit>(hay: &[U], needle: &[U], max: usize) -> usize {
    if needle.is_empty() {
        return (hay.len() + 1).min(max);
    }
    if let [c] = needle
        && max == usize::MAX
    {
        // Summing comparisons vectorises.
        return hay.iter().map(|x| (*x == *c) as usize).sum();
    }
    let searcher = Searcher::new(needle);
    let (mut at, mut n) = (0, 0);
    while n < max {
        match searcher.find(&hay[at..]) {
            Some(i) => at += i + needle.len(),
            None => break,
        }
        n += 1;
    }
    n
}

/// A needle made ready for repeated searches.
pub struct Searcher<'n, U: Unit> {
    needle: &'n [U],
    bytes: Option<memchr::memmem::Finder<'n>>,
    two_way: Option<TwoWay>,
}

impl<'n, U: Unit> Searcher<'n, U> {
    /// Prepares `needle`, which is not empty.
    pub fn new(needle: &'n [U]) -> Self {
        let mut bytes = None;
        let mut two_way = None;
        if needle.len() > 1 {
            if U::KIND == 1 {
                // SAFETY: [LAYOUT] units of kind 1 are bytes.
                let raw = unsafe { core::slice::from_raw_parts(needle.as_ptr().cast::<u8>(), needle.len()) };
                bytes = Some(memchr::memmem::Finder::new(raw));
            } else if needle.len() >= TWO_WAY_NEEDLE {
                two_way = Some(TwoWay::new(needle));
            }
        }
        Searcher { needle, bytes, two_way }
    }

    /// Position of the first occurrence in `hay`.
    #[inline]
    pub fn find(&self, hay: &[U]) -> Option<usize> {
        if self.needle.len() > hay.len() {
            return None;
        }
        if let Some(f) = &self.bytes {
            // SAFETY: [LAYOUT] as above.
            return f.find(unsafe { core::slice::from_raw_parts(hay.as_ptr().cast::<u8>(), hay.len()) });
        }
        if let Some(t) = &self.two_way {
            return t.find(hay, self.needle);
        }
        find(hay, self.needle)
    }
}

/// From this length on the needle of a wide search is worth preprocessing; shorter ones bound the naive search well.
const TWO_WAY_NEEDLE: usize = 16;

/// First `c` in wide units, a block at a time so that the comparison vectorises.
#[inline]
pub fn wide_find_char<U: Unit>(hay: &[U], c: U) -> Option<usize> {
    const BLOCK: usize = 16;
    let mut blocks = hay.chunks_exact(BLOCK);
    for (i, block) in (&mut blocks).enumerate() {
        if block.iter().fold(false, |any, x| any | (*x == c)) {
            for (j, x) in block.iter().enumerate() {
                if *x == c {
                    return Some(i * BLOCK + j);
                }
            }
        }
    }
    let rest = blocks.remainder();
    rest.iter().position(|x| *x == c).map(|i| hay.len() - rest.len() + i)
}

/// First `needle` (of two units or more, not longer than `hay`) in wide units.
pub fn wide_find<U: Unit>(hay: &[U], needle: &[U]) -> Option<usize> {
    if needle.len() >= TWO_WAY_NEEDLE {
        return TwoWay::new(needle).find(hay, needle);
    }
    let last = hay.len() - needle.len();
    let mut at = 0;
    while at <= last {
        at += wide_find_char(&hay[at..=last], needle[0])?;
        if &hay[at + 1..at + needle.len()] == &needle[1..] {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Last `needle` (of two units or more, not longer than `hay`) in wide units.
pub fn wide_rfind<U: Unit>(hay: &[U], needle: &[U]) -> Option<usize> {
    if needle.len() >= TWO_WAY_NEEDLE {
        let back_hay: Vec<U> = hay.iter().rev().copied().collect();
        let back: Vec<U> = needle.iter().rev().copied().collect();
        return TwoWay::new(&back).find(&back_hay, &back).map(|i| hay.len() - i - needle.len());
    }
    (0..=hay.len() - needle.len()).rev().find(|&i| hay[i] == needle[0] && &hay[i..i + needle.len()] == needle)
}

/// Crochemore and Perrin's two-way search: the needle is cut at a critical position; the right part is compared forwards,
/// then the left part; periods bound the shifts, so the search is linear.
struct TwoWay {
    cut: usize,
    period: usize,
    periodic: bool,
    /// Shift for a unit (by its low bits) under the needle's last position: distance from its last occurrence to the end.
    shift: [u8; 64],
}

impl TwoWay {
    fn new<U: Unit>(needle: &[U]) -> Self {
        let (i, p) = maximal_suffix(needle, false);
        let (j, q) = maximal_suffix(needle, true);
        let (cut, mut period) = if i > j { (i, p) } else { (j, q) };
        let periodic = cut + period <= needle.len() && needle[..cut] == needle[period..period + cut];
        if !periodic {
            period = cut.max(needle.len() - cut) + 1;
        }
        let reach = needle.len().min(u8::MAX as usize);
        let mut shift = [reach as u8; 64];
        for (k, &c) in needle[needle.len() - reach..].iter().enumerate() {
            shift[(c.into() & 63) as usize] = (reach - 1 - k) as u8;
        }
        TwoWay { cut, period, periodic, shift }
    }

    fn find<U: Unit>(&self, hay: &[U], needle: &[U]) -> Option<usize> {
        let n = needle.len();
        let (mut at, mut memory) = (0, 0);
        while at + n <= hay.len() {
            let window = &hay[at..at + n];
            let skip = self.shift[(window[n - 1].into() & 63) as usize] as usize;
            if skip > 0 {
                // The mismatch lies right of where the comparison would start, so that bound on the shift holds too.
                at += skip.max(self.cut.max(memory) - self.cut + 1);
                memory = 0;
                continue;
            }
            let mut i = self.cut.max(memory);
            while i < n && needle[i] == window[i] {
                i += 1;
            }
            if i < n {
                at += i - self.cut + 1;
                memory = 0;
                continue;
            }
            let mut j = self.cut;
            while j > memory && needle[j - 1] == window[j - 1] {
                j -= 1;
            }
            if j <= memory {
                return Some(at);
            }
            at += self.period;
            memory = if self.periodic { n - self.period } else { 0 };
        }
        None
    }
}

/// Start and period of the needle's maximal suffix, by the order of units or by the reverse order.
fn maximal_suffix<U: Unit>(needle: &[U], reverse: bool) -> (usize, usize) {
    let (mut start, mut candidate, mut k, mut period) = (0, 1, 0, 1);
    while candidate + k < needle.len() {
        let (a, b) = (needle[candidate + k], needle[start + k]);
        let less = if reverse { a > b } else { a < b };
        if less {
            candidate += k + 1;
            k = 0;
            period = candidate - start;
        } else if a == b {
            k += 1;
            if k == period {
                candidate += period;
                k = 0;
            }
        } else {
            start = candidate;
            candidate += 1;
            k = 0;
            period = 1;
        }
    }
    (start, period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(h: &[u16], n: &[u16]) -> Option<usize> {
        (0..(h.len() + 1).saturating_sub(n.len())).find(|&i| &h[i..i + n.len()] == n)
    }

    #[test]
    fn agrees_with_naive() {
        let mut seed = 1u64;
        let mut next = |m: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % m
        };
        for round in 0..20000 {
            let letters = 2 + round % 3;
            let h: Vec<u16> = (0..next(120)).map(|_| 300 + next(letters) as u16).collect();
            let n: Vec<u16> = if next(2) == 0 && h.len() > 4 {
                let a = next(h.len() as u64 - 2) as usize;
                let b = a + 1 + next((h.len() - a) as u64 - 1) as usize;
                h[a..b].to_vec()
            } else {
                let p = 1 + next(6);
                let base: Vec<u16> = (0..p).map(|_| 300 + next(letters) as u16).collect();
                (0..1 + next(40) as usize).map(|i| base[i % base.len()]).collect()
            };
            assert_eq!(find(&h, &n), naive(&h, &n), "{h:?} {n:?}");
            let back = (0..(h.len() + 1).saturating_sub(n.len())).rev().find(|&i| h[i..i + n.len()] == n[..]);
            assert_eq!(rfind(&h, &n), back);
        }
    }
}
