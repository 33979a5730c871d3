//! Encodings without shift states, whose characters are one, two or three bytes of a table. GB 18030 adds four-byte codes
//! for all other code points, and EUC-KR syllables spelt out in eight bytes.

use crate::codec::{Codec, Decoded, Encoded, State};
use crate::table::{Class, Id, Table, Value, gb18030_ranges, table};
use core::ffi::CStr;

/// What an encoding has beside its table.
#[derive(Clone, Copy, PartialEq)]
pub enum Extra {
    /// Nothing.
    None,
    /// Codes of four bytes.
    Gb18030,
    /// Hangul syllables of eight bytes.
    EucKr,
}

/// An encoding by table.
pub struct Dbcs {
    /// Its name.
    pub name: &'static CStr,
    /// Its table.
    pub id: Id,
    /// See [`Extra`].
    pub extra: Extra,
}

/// The result of a look-up of `n` bytes.
fn found(value: Value, n: usize) -> Decoded {
    match value {
        Value::Char(c) => Decoded::Char(c, n),
        Value::Pair(a, b) => Decoded::Pair(a, b, n),
    }
}

/// Writes a table's code.
fn write(code: u16, t: &Table, out: &mut Vec<u8>) {
    let [a, b] = code.to_be_bytes();
    if a == 0 {
        out.push(b);
    } else if b < 0x80 && t.class(0x8f) == Class::Lead3 {
        out.extend([0x8f, a, b | 0x80]);
    } else {
        out.extend([a, b]);
    }
}

impl Codec for Dbcs {
    fn name(&self) -> &'static CStr {
        self.name
    }

    fn plain_ascii(&self, _: &State) -> bool {
        table(self.id).ascii
    }

    #[inline]
    fn decode_one(&self, _: &mut State, input: &[u8]) -> Decoded {
        let t = table(self.id);
        match t.class(input[0]) {
            Class::Single => Decoded::Char(t.single(input[0]), 1),
            Class::Illegal => Decoded::Illegal(1),
            Class::Lead2 => {
                let &[a, b, ..] = input else { return Decoded::Few };
                match self.extra {
                    Extra::Gb18030 if b.is_ascii_digit() => return four_bytes(input),
                    Extra::EucKr if (a, b) == (JAMO, FILLER) => return syllable(input),
                    _ => {}
                }
                t.two(a, b).map_or_else(|| Decoded::Illegal(t.error(a, b)), |v| found(v, 2))
            }
            Class::Lead3 => {
                let &[_, a, b, ..] = input else { return Decoded::Few };
                t.three(a, b).map_or(Decoded::Illegal(1), |v| found(v, 3))
            }
        }
    }

    #[inline]
    fn encode_one(&self, _: &mut State, input: &[u32], flush: bool, out: &mut Vec<u8>) -> Encoded {
        let t = table(self.id);
        let c = input[0];
        if (c < 0x80 && t.ascii) || c == 0 {
            out.push(c as u8);
            return Encoded::Used(1);
        }
        if t.starts_pair(c) {
            match input.get(1) {
                None if !flush => return Encoded::Few,
                None => {}
                Some(&next) => {
                    if let Some(code) = t.pair(c, next) {
                        write(code, t, out);
                        return Encoded::Used(2);
                    }
                }
            }
        }
        match t.code(c) {
            Some(code) => write(code, t, out),
            None => {
                let done = match self.extra {
                    Extra::None => false,
                    Extra::Gb18030 => write_four_bytes(c, out),
                    Extra::EucKr => write_syllable(c, out),
                };
                if !done {
                    return Encoded::Illegal(1);
                }
            }
        }
        Encoded::Used(1)
    }
}

// ---- GB 18030 ---------------------------------------------------------------------------------------------------------------------

/// Four-byte codes are numbered; from this one on they are the code points above the BMP.
const SUPPLEMENTARY: u32 = 15 * 12600;

fn four_bytes(input: &[u8]) -> Decoded {
    let &[a, b, c, d, ..] = input else { return Decoded::Few };
    if !(0x81..=0xfe).contains(&a) || !(0x81..=0xfe).contains(&c) || !d.is_ascii_digit() {
        return Decoded::Illegal(1);
    }
    let [a, b, c, d] = [a - 0x81, b - b'0', c - 0x81, d - b'0'].map(u32::from);
    let index = ((a * 10 + b) * 126 + c) * 10 + d;
    if index >= SUPPLEMENTARY {
        let point = index - SUPPLEMENTARY + 0x10000;
        return if point <= 0x10_ffff { Decoded::Char(point, 4) } else { Decoded::Illegal(1) };
    }
    if index >= 39420 {
        return Decoded::Illegal(1);
    }
    let ranges = gb18030_ranges();
    let (first, point) = ranges[ranges.partition_point(|r| r.0 <= index) - 1];
    Decoded::Char(point + (index - first), 4)
}

fn write_four_bytes(point: u32, out: &mut Vec<u8>) -> bool {
    let index = if point >= 0x10000 {
        point - 0x10000 + SUPPLEMENTARY
    } else {
        // The range that the point lies in; ranges aren't in the points' order everywhere.
        let ranges = gb18030_ranges();
        let end = |i: usize| ranges.get(i + 1).map_or(39420, |r| r.0);
        let Some(i) = (0..ranges.len()).find(|&i| point >= ranges[i].1 && point - ranges[i].1 < end(i) - ranges[i].0) else {
            return false;
        };
        ranges[i].0 + (point - ranges[i].1)
    };
    let (rest, d) = (index / 10, index % 10);
    let (rest, c) = (rest / 126, rest % 126);
    out.extend([0x81 + (rest / 10) as u8, b'0' + (rest % 10) as u8, 0x81 + c as u8, b'0' + d as u8]);
    true
}

// ---- EUC-KR -----------------------------------------------------------------------------------------------------------------------

/// Row of the letters in KS X 1001, and the filler there.
const JAMO: u8 = 0xa4;
const FILLER: u8 = 0xd4;
const FIRST_SYLLABLE: u32 = 0xac00;
const SYLLABLES: u32 = 19 * 21 * 28;
/// Second bytes of the letters in the order of Unicode's syllables: initial, and final (the first is none).
const INITIALS: [u8; 19] = *b"\xa1\xa2\xa4\xa7\xa8\xa9\xb1\xb2\xb3\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe";
const FINALS: [u8; 28] = *b"\xd4\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa9\xaa\xab\xac\xad\xae\xaf\xb0\xb1\xb2\xb4\xb5\xb6\xb7\xb8\xba\xbb\xbc\xbd\xbe";
/// The first vowel; the 21 of them follow each other.
const VOWEL: u8 = 0xbf;

/// A syllable spelt out: filler, initial, vowel, final, each after the row's byte.
fn syllable(input: &[u8]) -> Decoded {
    let Some(&[_, _, r1, initial, r2, vowel, r3, last]) = input.first_chunk::<8>() else { return Decoded::Few };
    let initial = INITIALS.iter().position(|&b| b == initial);
    let last = FINALS.iter().position(|&b| b == last);
    match (initial, last) {
        (Some(i), Some(f)) if [r1, r2, r3] == [JAMO; 3] && (VOWEL..VOWEL + 21).contains(&vowel) => {
            let index = (i * 21 + (vowel - VOWEL) as usize) * 28 + f;
            Decoded::Char(FIRST_SYLLABLE + index as u32, 8)
        }
        _ => Decoded::Illegal(1),
    }
}

fn write_syllable(c: u32, out: &mut Vec<u8>) -> bool {
    let index = c.wrapping_sub(FIRST_SYLLABLE);
    if index >= SYLLABLES {
        return false;
    }
    let i = index as usize;
    out.extend([JAMO, FILLER, JAMO, INITIALS[i / 588], JAMO, VOWEL + (i / 28 % 21) as u8, JAMO, FINALS[i % 28]]);
    true
}
