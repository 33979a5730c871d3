//! The mappings between codes and code points. `tables.bin` has them in a compact form, which is described in
//! `scripts/gen_cjk_tables.py`; each table is unpacked when it is first asked for.

use std::sync::OnceLock;

static DATA: &[u8] = include_bytes!("tables.bin");

/// The tables, in the file's order.
#[derive(Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "names of encodings and of character sets")]
pub enum Id {
    Gb18030,
    Gbk,
    Gb2312,
    Big5,
    Cp950,
    Big5hkscs,
    EucJp,
    EucJis2004,
    EucJisx0213,
    ShiftJis,
    Cp932,
    ShiftJis2004,
    ShiftJisx0213,
    Cp949,
    EucKr,
    Johab,
    Jisx0213_2004_1,
    Jisx0213_2004_2,
    Jisx0213_2000_1,
    Jisx0213_2000_2,
}
const COUNT: usize = Id::Jisx0213_2000_2 as usize + 1;

/// What a byte is at the start of a character.
#[derive(Clone, Copy, PartialEq)]
pub enum Class {
    /// Illegal.
    Illegal,
    /// A character of its own.
    Single,
    /// The first of two bytes.
    Lead2,
    /// The first of three bytes.
    Lead3,
}

/// Codes of three bytes, and of one, in the file.
const THREE: usize = 0x10000;
const ONE: usize = 0x20000;
const CODES: usize = ONE + 0x100;
/// Values of codes that stand for two code points start here.
const PAIR: u32 = 0x11_0000;
/// Code points above this one have no code.
const POINTS: usize = 0x30000;
/// Marks an absent entry of the unpacked maps.
const NONE: u32 = u32::MAX;

type Row = Option<Box<[u16; 256]>>;
/// In a row: look among the wide values.
const WIDE: u16 = 0xffff;

/// An unpacked table.
pub struct Table {
    class: [Class; 256],
    single: [u32; 256],
    two: Vec<Row>,
    three: Vec<Row>,
    /// Codes whose values don't fit 16 bits, in order.
    wide: Vec<(u32, u32)>,
    pairs: Vec<(u32, u32)>,
    /// Codes of pairs, in the pairs' order.
    pair_codes: Vec<u16>,
    /// Two bytes that are one error.
    bad2: Vec<u16>,
    /// Codes of the BMP; 0 is none. Those of three bytes have the high bit of the last one cleared.
    pages: Vec<Row>,
    /// Codes of other code points, in order.
    supplementary: Vec<(u32, u16)>,
    /// Whether each ASCII byte is itself.
    pub ascii: bool,
}

/// A table as full maps, to be changed by the tables that start from it.
struct Maps {
    dec: Vec<u32>,
    enc: Vec<u32>,
    class: [Class; 256],
    pairs: Vec<(u32, u32)>,
    bad2: Vec<u16>,
}

/// Reads numbers of the file.
struct Reader(usize);
impl Reader {
    fn of(index: usize) -> Self {
        let at = index * 4;
        Reader(u32::from_le_bytes([DATA[at], DATA[at + 1], DATA[at + 2], DATA[at + 3]]) as usize)
    }
    fn number(&mut self) -> u32 {
        let (mut n, mut shift) = (0, 0);
        loop {
            let b = DATA[self.0];
            self.0 += 1;
            n |= ((b & 0x7f) as u32) << shift;
            if b < 0x80 {
                return n;
            }
            shift += 7;
        }
    }
    fn difference(&mut self) -> i32 {
        let n = self.number();
        let half = (n >> 1) as i32;
        if n & 1 == 0 { half } else { -half }
    }
    /// Applies a mapping's differences.
    fn mapping(&mut self, map: &mut [u32]) {
        let (mut at, mut last) = (0, 0u32);
        for _ in 0..self.number() {
            at += self.number() as usize;
            let kind = self.number();
            let len = self.number() as usize;
            let to = &mut map[at..at + len];
            match kind {
                0 => {
                    for slot in to {
                        last = last.wrapping_add_signed(self.difference());
                        *slot = last;
                    }
                }
                1 => {
                    let first = last.wrapping_add_signed(self.difference());
                    for (i, slot) in to.iter_mut().enumerate() {
                        last = first + i as u32;
                        *slot = last;
                    }
                }
                _ => to.fill(NONE),
            }
            at += len;
        }
    }
}

fn maps(index: usize) -> Maps {
    let mut r = Reader::of(index);
    let base = r.number() as usize;
    let mut class = [Class::Illegal; 256];
    let mut b = 0;
    while b < 256 {
        let n = r.number() as usize;
        class[b..b + n].fill([Class::Illegal, Class::Single, Class::Lead2, Class::Lead3][r.number() as usize & 3]);
        b += n;
    }
    let pairs: Vec<(u32, u32)> = (0..r.number()).map(|_| (r.number(), r.number())).collect();
    let mut dec = vec![NONE; CODES];
    if base > 0 {
        let from = maps(base - 1);
        let codes = if class.iter().all(|&c| c == Class::Illegal) { THREE } else { CODES };
        for (to, &value) in dec[..codes].iter_mut().zip(&from.dec) {
            if value < PAIR || from.pairs == pairs {
                *to = value;
            }
        }
    }
    r.mapping(&mut dec);
    let bad2 = (0..r.number()).map(|_| r.number() as u16).collect();
    let mut enc = vec![NONE; POINTS];
    for code in (ONE..CODES).chain(0..ONE) {
        let value = dec[code] as usize;
        if value < POINTS && enc[value] == NONE {
            enc[value] = code as u32;
        }
    }
    r.mapping(&mut enc);
    Maps { dec, enc, class, pairs, bad2 }
}

fn rows(map: &[u32], narrow: impl Fn(usize, u32) -> u16) -> Vec<Row> {
    let row = |(i, part): (usize, &[u32])| {
        if part.iter().all(|&v| v == NONE) {
            return None;
        }
        let mut row = Box::new([0; 256]);
        for (k, &v) in part.iter().enumerate() {
            if v != NONE {
                row[k] = narrow(i << 8 | k, v);
            }
        }
        Some(row)
    };
    map.chunks_exact(256).enumerate().map(row).collect()
}

fn build(index: usize) -> Table {
    let m = maps(index);
    let value = |_: usize, v: u32| if v < 0x10000 { v as u16 } else { WIDE };
    let code = |_: usize, c: u32| match c as usize {
        c if c >= ONE => c as u8 as u16,
        c if c >= THREE => c as u16 & 0xff7f,
        c => c as u16,
    };
    let mut pair_codes = vec![0; m.pairs.len()];
    let mut wide = Vec::new();
    for (c, &v) in m.dec[..ONE].iter().enumerate() {
        if v != NONE && v >= 0x10000 {
            wide.push((c as u32, v));
            if v >= PAIR {
                pair_codes[(v - PAIR) as usize] = c as u16;
            }
        }
    }
    let mut single = [NONE; 256];
    single.copy_from_slice(&m.dec[ONE..]);
    Table {
        ascii: (0..128).all(|b| single[b] == b as u32),
        two: rows(&m.dec[..THREE], value),
        three: rows(&m.dec[THREE..ONE], value),
        pages: rows(&m.enc[..0x10000], code),
        supplementary: (0x10000..POINTS).filter(|&c| m.enc[c] != NONE).map(|c| (c as u32, code(c, m.enc[c]))).collect(),
        class: m.class,
        single,
        wide,
        pairs: m.pairs,
        pair_codes,
        bad2: m.bad2,
    }
}

/// The table, unpacked at the first call.
pub fn table(id: Id) -> &'static Table {
    static TABLES: [OnceLock<Table>; COUNT] = [const { OnceLock::new() }; COUNT];
    TABLES[id as usize].get_or_init(|| build(id as usize))
}

/// Code points that GB 18030 writes with four bytes: index and first code point of each range, in order of both.
pub fn gb18030_ranges() -> &'static [(u32, u32)] {
    static RANGES: OnceLock<Vec<(u32, u32)>> = OnceLock::new();
    RANGES.get_or_init(|| {
        let mut r = Reader::of(COUNT);
        let (mut index, mut point) = (0u32, 0u32);
        (0..r.number())
            .map(|_| {
                index += r.number();
                point = point.wrapping_add_signed(r.difference());
                (index, point)
            })
            .collect()
    })
}

/// What a code stands for.
#[derive(Clone, Copy, PartialEq)]
pub enum Value {
    /// A code point.
    Char(u32),
    /// Two.
    Pair(u32, u32),
}

impl Table {
    /// What a byte is.
    #[inline]
    pub fn class(&self, b: u8) -> Class {
        self.class[b as usize]
    }
    /// The code point of a byte of class `Single`.
    #[inline]
    pub fn single(&self, b: u8) -> u32 {
        self.single[b as usize]
    }
    #[inline]
    fn value(&self, rows: &[Row], code: u16, plane: u32) -> Option<Value> {
        match rows[(code >> 8) as usize].as_ref()?[code as usize & 0xff] {
            0 => None,
            WIDE => {
                let key = plane | code as u32;
                let i = self.wide.binary_search_by_key(&key, |w| w.0).ok()?;
                Some(match self.wide[i].1 {
                    v if v < PAIR => Value::Char(v),
                    v => {
                        let (a, b) = self.pairs[(v - PAIR) as usize];
                        Value::Pair(a, b)
                    }
                })
            }
            v => Some(Value::Char(v as u32)),
        }
    }
    /// What two bytes stand for.
    #[inline]
    pub fn two(&self, a: u8, b: u8) -> Option<Value> {
        self.value(&self.two, u16::from_be_bytes([a, b]), 0)
    }
    /// What 0x8F and two more bytes stand for.
    #[inline]
    pub fn three(&self, a: u8, b: u8) -> Option<Value> {
        self.value(&self.three, u16::from_be_bytes([a, b]), THREE as u32)
    }
    /// How long the error is that these two bytes are.
    pub fn error(&self, a: u8, b: u8) -> usize {
        1 + self.bad2.contains(&u16::from_be_bytes([a, b])) as usize
    }
    /// The code of a code point other than NUL: below 0x100 it is one byte.
    #[inline]
    pub fn code(&self, c: u32) -> Option<u16> {
        if c < 0x10000 {
            let code = self.pages[(c >> 8) as usize].as_ref()?[c as usize & 0xff];
            return (code != 0).then_some(code);
        }
        let i = self.supplementary.binary_search_by_key(&c, |s| s.0).ok()?;
        Some(self.supplementary[i].1)
    }
    /// Whether there are codes for this and another code point together.
    #[inline]
    pub fn starts_pair(&self, c: u32) -> bool {
        self.pairs.iter().any(|p| p.0 == c)
    }
    /// The code of two code points together.
    pub fn pair(&self, a: u32, b: u32) -> Option<u16> {
        let i = self.pairs.iter().position(|&p| p == (a, b))?;
        Some(self.pair_codes[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        assert!(table(Id::Gbk).two(0xa1, 0xaa) == Some(Value::Char(0x2014)));
        assert!(table(Id::Gb2312).two(0xa1, 0xaa) == Some(Value::Char(0x2015)));
        assert!(table(Id::Big5hkscs).two(0x88, 0x62) == Some(Value::Pair(0xca, 0x304)));
        assert_eq!(table(Id::Big5hkscs).pair(0xca, 0x304), Some(0x8862));
        assert_eq!(table(Id::EucJp).code(0x3042), Some(0xa4a2));
        assert_eq!(table(Id::ShiftJis).code(0x3042), Some(0x82a0));
        assert_eq!(table(Id::ShiftJis).code(0xff71), Some(0xb1));
        assert!(!table(Id::ShiftJis2004).ascii && table(Id::Cp932).ascii);
        assert_eq!(gb18030_ranges()[0], (0, 0x80));
    }
}
