//! ISO-2022-KR, and ISO-2022-JP with its six variants: sets of characters that escape sequences designate.

use crate::codec::{Codec, Decoded, Encoded, State};
use crate::table::{Id, Value, table};
use core::ffi::CStr;

const ESC: u8 = 0x1b;
const SO: u8 = 0x0e;
const SI: u8 = 0x0f;

/// Added to the final byte of an escape sequence to name a set of two-byte characters.
const DOUBLE: u8 = 0x80;
const ASCII: u8 = b'B';
const LATIN1: u8 = b'A';
const GREEK: u8 = b'F';
const JISX0208: u8 = b'B' | DOUBLE;

/// Where the state has what is designated to G0, G1 and G2, and the flags.
const FLAGS: usize = 4;
/// G1 is in use (after SO).
const SHIFTED: u8 = 1;
/// Inside an escape sequence of some other kind, which is passed through.
const THROUGHOUT: u8 = 2;

/// The characters of a set.
#[derive(Clone, Copy, PartialEq)]
enum Set {
    Jisx0201Roman,
    Jisx0201Kana,
    Jisx0208,
    Jisx0212,
    Gb2312,
    Ksx1001,
    /// A plane of JIS X 0213.
    Jisx0213(Id),
    /// The first plane, for what two code points stand for together.
    Jisx0213Pairs(Id),
    /// ISO 8859 parts, which come through G2 only and are never written.
    Latin,
}

/// A set that an encoding can designate.
struct Designation {
    mark: u8,
    plane: u8,
    set: Set,
}

const fn double(mark: u8, set: Set) -> Designation {
    Designation { mark: mark | DOUBLE, plane: 0, set }
}
const fn single(mark: u8, set: Set) -> Designation {
    Designation { mark, plane: 0, set }
}

/// One of the encodings. The sets are tried in their order.
pub struct Iso2022 {
    name: &'static CStr,
    sets: &'static [Designation],
    /// SO and SI are characters.
    no_shift: bool,
    /// ESC N takes a character of G2.
    uses_g2: bool,
}

const KANJI: Designation = double(b'B', Set::Jisx0208);
const OLD_KANJI: Designation = double(b'@', Set::Jisx0208);
const ROMAN: Designation = single(b'J', Set::Jisx0201Roman);
const MORE_KANJI: Designation = double(b'D', Set::Jisx0212);

const fn jp(name: &'static CStr, sets: &'static [Designation]) -> Iso2022 {
    Iso2022 { name, sets, no_shift: true, uses_g2: false }
}
/// ISO-2022-KR.
pub static KR: Iso2022 = Iso2022 {
    name: c"iso2022_kr",
    sets: &[Designation { mark: b'C' | DOUBLE, plane: 1, set: Set::Ksx1001 }],
    no_shift: false,
    uses_g2: false,
};
/// ISO-2022-JP.
pub static JP: Iso2022 = jp(c"iso2022_jp", &[KANJI, ROMAN, OLD_KANJI]);
/// ISO-2022-JP-1.
pub static JP_1: Iso2022 = jp(c"iso2022_jp_1", &[KANJI, MORE_KANJI, ROMAN, OLD_KANJI]);
/// ISO-2022-JP-2.
pub static JP_2: Iso2022 = Iso2022 {
    uses_g2: true,
    ..jp(
        c"iso2022_jp_2",
        &[
            KANJI,
            MORE_KANJI,
            double(b'C', Set::Ksx1001),
            double(b'A', Set::Gb2312),
            ROMAN,
            OLD_KANJI,
            Designation { mark: LATIN1, plane: 2, set: Set::Latin },
            Designation { mark: GREEK, plane: 2, set: Set::Latin },
        ],
    )
};
/// ISO-2022-JP-2004.
pub static JP_2004: Iso2022 = jp(
    c"iso2022_jp_2004",
    &[
        double(b'Q', Set::Jisx0213Pairs(Id::Jisx0213_2004_1)),
        KANJI,
        double(b'Q', Set::Jisx0213(Id::Jisx0213_2004_1)),
        double(b'P', Set::Jisx0213(Id::Jisx0213_2004_2)),
    ],
);
/// ISO-2022-JP-3.
pub static JP_3: Iso2022 = jp(
    c"iso2022_jp_3",
    &[
        double(b'O', Set::Jisx0213Pairs(Id::Jisx0213_2000_1)),
        KANJI,
        double(b'O', Set::Jisx0213(Id::Jisx0213_2000_1)),
        double(b'P', Set::Jisx0213(Id::Jisx0213_2000_2)),
    ],
);
/// ISO-2022-JP-EXT.
pub static JP_EXT: Iso2022 =
    jp(c"iso2022_jp_ext", &[KANJI, MORE_KANJI, ROMAN, single(b'I', Set::Jisx0201Kana), OLD_KANJI]);

/// What a set has for a character.
enum Code {
    None,
    One(u16),
    /// It depends on the next character.
    Ask,
}

impl Set {
    fn width(self) -> usize {
        if matches!(self, Set::Jisx0201Roman | Set::Jisx0201Kana | Set::Latin) { 1 } else { 2 }
    }

    /// The character of as many bytes as the set is wide.
    fn decode(self, data: &[u8]) -> Option<Value> {
        let a = data[0];
        match self {
            Set::Jisx0201Roman => Some(Value::Char(match a {
                0x5c => 0xa5,
                0x7e => 0x203e,
                _ => a as u32,
            })),
            Set::Jisx0201Kana => (0x21..=0x5f).contains(&a).then(|| Value::Char(0xff40 + a as u32)),
            Set::Latin => None,
            _ => {
                let b = data[1];
                if !b.is_ascii() {
                    return None;
                }
                let (a, b) = (a | 0x80, b | 0x80);
                if a < 0xa1 || b < 0xa1 {
                    return None;
                }
                match self {
                    Set::Jisx0208 => table(Id::EucJp).two(a, b),
                    Set::Jisx0212 => table(Id::EucJp).three(a, b),
                    Set::Gb2312 => table(Id::Gb2312).two(a, b),
                    Set::Ksx1001 => table(Id::Cp949).two(a, b),
                    Set::Jisx0213(id) | Set::Jisx0213Pairs(id) => table(id).two(a, b),
                    _ => None,
                }
            }
        }
    }

    /// The code of a character by itself.
    fn encode(self, c: u32) -> Code {
        // Codes of two bytes of the tables that also have others.
        let both_high = |code: Option<u16>| match code {
            Some(code) if code & 0x8080 == 0x8080 && code >> 8 >= 0xa1 && code & 0xff >= 0xa1 => Code::One(code & 0x7f7f),
            _ => Code::None,
        };
        match self {
            Set::Jisx0201Roman => match c {
                0xa5 => Code::One(0x5c),
                0x203e => Code::One(0x7e),
                _ => Code::None,
            },
            Set::Jisx0201Kana if (0xff61..=0xff9f).contains(&c) => Code::One((c - 0xff40) as u16),
            Set::Jisx0201Kana | Set::Latin => Code::None,
            Set::Jisx0208 => both_high(table(Id::EucJp).code(c)),
            Set::Jisx0212 => match table(Id::EucJp).code(c) {
                // Three bytes, as the table writes them.
                Some(code) if code >> 8 >= 0xa1 && code & 0x80 == 0 => Code::One(code & 0x7f7f),
                _ => Code::None,
            },
            Set::Gb2312 => both_high(table(Id::Gb2312).code(c)),
            Set::Ksx1001 => both_high(table(Id::Cp949).code(c)),
            Set::Jisx0213(id) | Set::Jisx0213Pairs(id) if table(id).starts_pair(c) => Code::Ask,
            Set::Jisx0213(id) => both_high(table(id).code(c)),
            Set::Jisx0213Pairs(_) => Code::None,
        }
    }

    /// The code after `Ask`, and how many characters it is of.
    fn encode_with(self, c: u32, next: Option<u32>) -> Option<(u16, usize)> {
        let (Set::Jisx0213(id) | Set::Jisx0213Pairs(id)) = self else { return None };
        if let Some(code) = next.and_then(|n| table(id).pair(c, n)) {
            return Some((code & 0x7f7f, 2));
        }
        match self {
            Set::Jisx0213(_) => table(id).code(c).map(|code| (code & 0x7f7f, 1)),
            _ => None,
        }
    }
}

impl Iso2022 {
    fn designation(&self, mark: u8) -> Option<&Designation> {
        self.sets.iter().find(|d| d.mark == mark)
    }

    /// An escape sequence that may designate a set.
    fn escape(&self, state: &mut State, input: &[u8]) -> Decoded {
        const LONGEST: usize = 16;
        let mut len = 0;
        let mut i = 1;
        while i < LONGEST {
            let Some(&b) = input.get(i) else { return Decoded::Few };
            if b.is_ascii_uppercase() || b == b'@' {
                len = i + 1;
                break;
            }
            // The prefix that announces the newest JIS X 0208.
            if self.no_shift && b == b'&' && input.get(i + 1) == Some(&b'@') {
                i += 2;
            }
            i += 1;
        }
        let (mark, to) = match &input[1..len.max(1)] {
            [] => return Decoded::Illegal(1),
            [b'$', last] => (last | DOUBLE, 0),
            [b'(', last] => (*last, 0),
            [b')', last] => (*last, 1),
            [b'.', last] if self.uses_g2 => (*last, 2),
            [b'$', b'(', last] => (last | DOUBLE, 0),
            [b'$', b')', last] => (last | DOUBLE, 1),
            [_, _, ESC, b'$', b'B'] if self.no_shift => (JISX0208, 0),
            _ => return Decoded::Illegal(len),
        };
        if mark != ASCII && self.designation(mark).is_none() {
            return Decoded::Illegal(len);
        }
        state[to] = mark;
        Decoded::Nothing(len)
    }
}

/// A character of G2, whose byte is `b`.
fn g2(mark: u8, b: u8) -> Decoded {
    let c = match mark {
        LATIN1 if b.is_ascii() => Some(b as u32 + 0x80),
        GREEK => greek(b ^ 0x80),
        ASCII if b.is_ascii() => Some(b as u32),
        _ => None,
    };
    c.map_or(Decoded::Illegal(3), |c| Decoded::Char(c, 3))
}

/// ISO 8859-7 as it was in 1987.
fn greek(b: u8) -> Option<u32> {
    Some(match b {
        0..=0xa0 | 0xa3 | 0xa6..=0xa9 | 0xab..=0xad | 0xb0..=0xb3 | 0xb7 | 0xbb | 0xbd => b as u32,
        0xa1 => 0x2018,
        0xa2 => 0x2019,
        0xaf => 0x2015,
        0xd2 | 0xff => return None,
        0xb4..=0xfe => 0x2d0 + b as u32,
        _ => return None,
    })
}

impl Codec for Iso2022 {
    fn name(&self) -> &'static CStr {
        self.name
    }
    fn plain_ascii(&self, _: &State) -> bool {
        // Control characters have meanings.
        false
    }
    fn start_encoder(&self, state: &mut State) {
        state[FLAGS] = 0;
        state[..2].fill(ASCII);
    }
    fn start_decoder(&self, state: &mut State) {
        state[FLAGS] = 0;
        state[..3].fill(ASCII);
    }
    fn reset_encoder(&self, state: &mut State, out: &mut Vec<u8>) {
        if state[FLAGS] & SHIFTED != 0 {
            out.push(SI);
            state[FLAGS] &= !SHIFTED;
        }
        if state[0] != ASCII {
            out.extend(b"\x1b(B");
            state[0] = ASCII;
        }
    }
    fn reset_decoder(&self, state: &mut State) {
        state[0] = ASCII;
        state[FLAGS] &= !SHIFTED;
    }

    fn decode_one(&self, state: &mut State, input: &[u8]) -> Decoded {
        let c = input[0];
        if state[FLAGS] & THROUGHOUT != 0 {
            if c.is_ascii_uppercase() || c == b'@' {
                state[FLAGS] &= !THROUGHOUT;
            }
            return Decoded::Char(c as u32, 1);
        }
        match c {
            ESC => match input.get(1) {
                None => Decoded::Few,
                Some(b'(' | b')' | b'$' | b'.' | b'&') => self.escape(state, input),
                Some(b'N') if self.uses_g2 => match input.get(2) {
                    None => Decoded::Few,
                    Some(&b) => g2(state[2], b),
                },
                Some(_) => {
                    state[FLAGS] |= THROUGHOUT;
                    Decoded::Char(ESC as u32, 1)
                }
            },
            SI | SO if !self.no_shift => {
                if c == SO {
                    state[FLAGS] |= SHIFTED;
                } else {
                    state[FLAGS] &= !SHIFTED;
                }
                Decoded::Nothing(1)
            }
            b'\n' => {
                state[FLAGS] &= !SHIFTED;
                Decoded::Char(c as u32, 1)
            }
            0..0x20 => Decoded::Char(c as u32, 1),
            0x80.. => Decoded::Illegal(1),
            _ => {
                let mark = state[(state[FLAGS] & SHIFTED) as usize];
                // A state that was set from outside may name anything.
                let Some(d) = self.designation(mark) else { return Decoded::Char(c as u32, 1) };
                let width = d.set.width();
                if input.len() < width {
                    return Decoded::Few;
                }
                match d.set.decode(input) {
                    Some(Value::Char(c)) => Decoded::Char(c, width),
                    Some(Value::Pair(a, b)) => Decoded::Pair(a, b, width),
                    None => Decoded::Illegal(width),
                }
            }
        }
    }

    fn encode_one(&self, state: &mut State, input: &[u32], flush: bool, out: &mut Vec<u8>) -> Encoded {
        let c = input[0];
        if c < 0x80 {
            if state[0] != ASCII {
                out.extend(b"\x1b(B");
                state[0] = ASCII;
            }
            if state[FLAGS] & SHIFTED != 0 {
                out.push(SI);
                state[FLAGS] &= !SHIFTED;
            }
            out.push(c as u8);
            return Encoded::Used(1);
        }
        let next = input.get(1).copied();
        let mut chosen = None;
        for d in self.sets {
            match d.set.encode(c) {
                Code::None => {}
                Code::One(code) => chosen = Some((d, code, 1)),
                Code::Ask if next.is_none() && !flush => return Encoded::Few,
                Code::Ask => chosen = d.set.encode_with(c, next).map(|(code, n)| (d, code, n)),
            }
            if chosen.is_some() {
                break;
            }
        }
        let Some((d, code, used)) = chosen else { return Encoded::Illegal(1) };
        let last = d.mark & 0x7f;
        if d.plane == 0 {
            if state[FLAGS] & SHIFTED != 0 {
                out.push(SI);
                state[FLAGS] &= !SHIFTED;
            }
            if state[0] != d.mark {
                match d.mark {
                    JISX0208 => out.extend([ESC, b'$', last]),
                    m if m & DOUBLE != 0 => out.extend([ESC, b'$', b'(', last]),
                    _ => out.extend([ESC, b'(', last]),
                }
                state[0] = d.mark;
            }
        } else {
            if state[1] != d.mark {
                out.extend([ESC, b'$', b')', last]);
                state[1] = d.mark;
            }
            if state[FLAGS] & SHIFTED == 0 {
                out.push(SO);
                state[FLAGS] |= SHIFTED;
            }
        }
        match d.set.width() {
            1 => out.push(code as u8),
            _ => out.extend(code.to_be_bytes()),
        }
        Encoded::Used(used)
    }
}
