//! Constants and code objects as the compiler makes them, independent of Python objects.

use std::rc::Rc;

use taipan_parser::ast::{Constant, Int};

use crate::names::{HashIndex, Str, hash_bytes, mix};

/// An integer that doesn't fit in 64 bits: sign and magnitude, base 2**30,
/// least significant digit first, no leading zeros.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BigInt {
    /// Less than zero.
    pub negative: bool,
    /// The digits, as in an int object.
    pub digits: Rc<[u32]>,
}

/// A constant of a code object.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the variants are Python's types")]
pub enum Const {
    None,
    True,
    False,
    Ellipsis,
    Int(i64),
    BigInt(BigInt),
    Float(f64),
    Complex { real: f64, imag: f64 },
    Str(Str),
    Bytes(Rc<[u8]>),
    Tuple(Rc<[Const]>),
    /// Without duplicates; the order means nothing.
    FrozenSet(Rc<[Const]>),
    Code(Rc<CodeObject>),
    /// An object of the caller's, by a number of the caller's; the passes know nothing of it.
    Foreign(u32),
}

/// A code object: every field of `_PyCodeConstructor`.
#[derive(Clone, Debug)]
pub struct CodeObject {
    /// Positional parameters, positional-only ones included.
    pub argcount: u32,
    /// Positional-only parameters.
    pub posonlyargcount: u32,
    /// Keyword-only parameters.
    pub kwonlyargcount: u32,
    /// The deepest that the value stack gets.
    pub stacksize: u32,
    /// `CO_*`.
    pub flags: u32,
    /// Two bytes a code unit, inline caches zeroed.
    pub code: Vec<u8>,
    /// `co_consts`.
    pub consts: Vec<Const>,
    /// `co_names`.
    pub names: Vec<Str>,
    /// Locals, cells, free variables.
    pub localsplusnames: Vec<Str>,
    /// `CO_FAST_*` of each.
    pub localspluskinds: Vec<u8>,
    /// `co_filename`.
    pub filename: Str,
    /// `co_name`.
    pub name: Str,
    /// `co_qualname`.
    pub qualname: Str,
    /// `co_firstlineno`.
    pub firstlineno: i32,
    /// PEP 626 and 657 locations.
    pub linetable: Vec<u8>,
    /// Which instructions are guarded by which handler.
    pub exceptiontable: Vec<u8>,
}

/// Bits of `localspluskinds`.
#[allow(missing_docs, reason = "the names are CPython's")]
pub mod kinds {
    pub const CO_FAST_HIDDEN: u8 = 0x10;
    pub const CO_FAST_LOCAL: u8 = 0x20;
    pub const CO_FAST_CELL: u8 = 0x40;
    pub const CO_FAST_FREE: u8 = 0x80;
}

impl CodeObject {
    /// How many free variables there are.
    pub fn nfreevars(&self) -> usize {
        self.localspluskinds.iter().rev().take_while(|k| *k & kinds::CO_FAST_FREE != 0).count()
    }

    /// Equal as constants: what `code.__eq__` compares.
    fn same(&self, other: &CodeObject) -> bool {
        self.name == other.name
            && self.argcount == other.argcount
            && self.posonlyargcount == other.posonlyargcount
            && self.kwonlyargcount == other.kwonlyargcount
            && self.flags == other.flags
            && self.firstlineno == other.firstlineno
            && self.code == other.code
            && self.names == other.names
            && self.localsplusnames == other.localsplusnames
            && self.linetable == other.linetable
            && self.exceptiontable == other.exceptiontable
            && self.consts.len() == other.consts.len()
            && self.consts.iter().zip(&other.consts).all(|(a, b)| a.same(b))
    }
}

impl Const {
    /// The same constant: equal, of the same type, and with the same signs of zero.
    pub fn same(&self, other: &Const) -> bool {
        match (self, other) {
            (Const::None, Const::None)
            | (Const::True, Const::True)
            | (Const::False, Const::False)
            | (Const::Ellipsis, Const::Ellipsis) => true,
            (Const::Int(a), Const::Int(b)) => a == b,
            (Const::BigInt(a), Const::BigInt(b)) => a == b,
            (Const::Float(a), Const::Float(b)) => a.to_bits() == b.to_bits(),
            (Const::Complex { real: a, imag: b }, Const::Complex { real: c, imag: d }) => {
                a.to_bits() == c.to_bits() && b.to_bits() == d.to_bits()
            }
            (Const::Str(a), Const::Str(b)) => a == b,
            (Const::Bytes(a), Const::Bytes(b)) => a == b,
            (Const::Tuple(a), Const::Tuple(b)) => {
                Rc::ptr_eq(a, b) || a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| x.same(y))
            }
            (Const::FrozenSet(a), Const::FrozenSet(b)) => {
                a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| x.same(y)))
            }
            (Const::Code(a), Const::Code(b)) => Rc::ptr_eq(a, b) || a.same(b),
            (Const::Foreign(a), Const::Foreign(b)) => a == b,
            _ => false,
        }
    }

    fn same_ast(&self, other: &Constant<'_>) -> bool {
        match (self, other) {
            (Const::None, Constant::None)
            | (Const::True, Constant::True)
            | (Const::False, Constant::False)
            | (Const::Ellipsis, Constant::Ellipsis) => true,
            (Const::Int(a), Constant::Int(Int::Small(b))) => a == b,
            (Const::BigInt(a), Constant::Int(Int::Big { negative, digits })) => {
                a.negative == *negative && *a.digits == **digits
            }
            (Const::Float(a), Constant::Float(b)) => a.to_bits() == b.to_bits(),
            (Const::Complex { real: a, imag: b }, Constant::Complex { real: c, imag: d }) => {
                a.to_bits() == c.to_bits() && b.to_bits() == d.to_bits()
            }
            (Const::Str(a), Constant::Str(b)) => a.as_bytes() == *b,
            (Const::Bytes(a), Constant::Bytes(b)) => **a == **b,
            (Const::Tuple(a), Constant::Tuple(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| x.same_ast(y))
            }
            (Const::FrozenSet(a), Constant::FrozenSet(b)) => {
                a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| x.same_ast(y)))
            }
            _ => false,
        }
    }

    /// A hash that is equal for the same constants.
    pub fn hash(&self) -> u64 {
        match self {
            Const::None => tag(0),
            Const::True => tag(1),
            Const::False => tag(2),
            Const::Ellipsis => tag(3),
            Const::Int(i) => mix(tag(4), *i as u64),
            Const::BigInt(b) => hash_digits(b.negative, &b.digits),
            Const::Float(f) => mix(tag(6), f.to_bits()),
            Const::Complex { real, imag } => mix(mix(tag(7), real.to_bits()), imag.to_bits()),
            Const::Str(s) => mix(tag(8), hash_bytes(s.as_bytes())),
            Const::Bytes(b) => mix(tag(9), hash_bytes(b)),
            Const::Tuple(items) => items.iter().fold(tag(10), |h, c| mix(h, c.hash())),
            Const::FrozenSet(items) => mix(tag(11), items.iter().fold(0, |h: u64, c| h.wrapping_add(c.hash()))),
            Const::Foreign(number) => mix(tag(13), u64::from(*number)),
            Const::Code(code) => mix(mix(tag(12), hash_bytes(&code.code)), hash_bytes(&code.linetable)),
        }
    }

    /// Python's truth value, where it is known.
    pub fn is_true(&self) -> Option<bool> {
        Some(match self {
            Const::None | Const::False => false,
            Const::True | Const::Ellipsis | Const::BigInt(_) | Const::Code(_) => true,
            Const::Int(i) => *i != 0,
            Const::Float(f) => *f != 0.0,
            Const::Complex { real, imag } => *real != 0.0 || *imag != 0.0,
            Const::Str(s) => !s.as_bytes().is_empty(),
            Const::Bytes(b) => !b.is_empty(),
            Const::Tuple(items) | Const::FrozenSet(items) => !items.is_empty(),
            Const::Foreign(_) => return None,
        })
    }
}

fn tag(kind: u64) -> u64 {
    mix(kind, 0x9e37_79b9)
}

fn hash_digits(negative: bool, digits: &[u32]) -> u64 {
    digits.iter().fold(tag(5 + 16 * u64::from(negative)), |h, d| mix(h, u64::from(*d)))
}

/// Hashes like the `Const` of the same value.
fn hash_ast(c: &Constant<'_>) -> u64 {
    match c {
        Constant::None => tag(0),
        Constant::True => tag(1),
        Constant::False => tag(2),
        Constant::Ellipsis => tag(3),
        Constant::Int(Int::Small(i)) => mix(tag(4), *i as u64),
        Constant::Int(Int::Big { negative, digits }) => hash_digits(*negative, digits),
        Constant::Float(f) => mix(tag(6), f.to_bits()),
        Constant::Complex { real, imag } => mix(mix(tag(7), real.to_bits()), imag.to_bits()),
        Constant::Str(s) => mix(tag(8), hash_bytes(s)),
        Constant::Bytes(b) => mix(tag(9), hash_bytes(b)),
        Constant::Tuple(items) => items.iter().fold(tag(10), |h, c| mix(h, hash_ast(c))),
        Constant::FrozenSet(items) => mix(tag(11), items.iter().fold(0, |h: u64, c| h.wrapping_add(hash_ast(c)))),
    }
}

/// A constant of the pool; equal numbers mean the same constant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct ConstId(pub u32);

/// All constants of one compilation, each once.
pub struct ConstPool {
    values: Vec<Const>,
    index: HashIndex,
    /// A NaN equals but itself: the nodes that NaNs come from.
    nans: Vec<(usize, ConstId)>,
}

impl ConstPool {
    /// The constant `None`, there from the start.
    pub const NONE: ConstId = ConstId(0);
    /// The constant `True`, there from the start.
    pub const TRUE: ConstId = ConstId(1);
    /// The constant `False`, there from the start.
    pub const FALSE: ConstId = ConstId(2);

    /// A pool with the singletons.
    pub fn new() -> ConstPool {
        let mut pool = ConstPool { values: Vec::new(), index: HashIndex::default(), nans: Vec::new() };
        pool.add(Const::None);
        pool.add(Const::True);
        pool.add(Const::False);
        pool
    }

    /// The value of a number.
    #[inline]
    pub fn get(&self, id: ConstId) -> &Const {
        &self.values[id.0 as usize]
    }

    /// The number of a value.
    pub fn add(&mut self, value: Const) -> ConstId {
        let hash = value.hash();
        if let Some(position) = self.index.find(hash, |i| self.values[i as usize].same(&value)) {
            return ConstId(position);
        }
        self.values.push(value);
        ConstId(self.index.push(hash))
    }

    /// The number of a constant of the tree.
    pub fn add_ast(&mut self, value: &Constant<'_>) -> ConstId {
        match *value {
            Constant::Float(f) if f.is_nan() => return self.add_nan(value, Const::Float(f)),
            Constant::Complex { real, imag } if real.is_nan() || imag.is_nan() => {
                return self.add_nan(value, Const::Complex { real, imag });
            }
            _ => {}
        }
        let hash = hash_ast(value);
        if let Some(position) = self.index.find(hash, |i| self.values[i as usize].same_ast(value)) {
            return ConstId(position);
        }
        // The items first: they share allocations with the other constants.
        let value = match value {
            Constant::None => Const::None,
            Constant::True => Const::True,
            Constant::False => Const::False,
            Constant::Ellipsis => Const::Ellipsis,
            Constant::Int(Int::Small(i)) => Const::Int(*i),
            Constant::Int(Int::Big { negative, digits }) => {
                Const::BigInt(BigInt { negative: *negative, digits: Rc::from(*digits) })
            }
            Constant::Float(f) => Const::Float(*f),
            Constant::Complex { real, imag } => Const::Complex { real: *real, imag: *imag },
            Constant::Str(s) => Const::Str(Str::from(*s)),
            Constant::Bytes(b) => Const::Bytes(Rc::from(*b)),
            Constant::Tuple(items) => Const::Tuple(self.items(items)),
            Constant::FrozenSet(items) => Const::FrozenSet(self.items(items)),
        };
        self.values.push(value);
        ConstId(self.index.push(hash))
    }

    fn add_nan(&mut self, node: &Constant<'_>, value: Const) -> ConstId {
        let address = std::ptr::from_ref(node) as usize;
        if let Some((_, id)) = self.nans.iter().find(|nan| nan.0 == address) {
            return *id;
        }
        let hash = value.hash();
        self.values.push(value);
        let id = ConstId(self.index.push(hash));
        self.nans.push((address, id));
        id
    }

    fn items(&mut self, items: &[Constant<'_>]) -> Rc<[Const]> {
        items
            .iter()
            .map(|c| {
                let id = self.add_ast(c);
                self.get(id).clone()
            })
            .collect()
    }

    /// The number of a string.
    pub fn add_str(&mut self, value: Str) -> ConstId {
        self.add(Const::Str(value))
    }

    /// The number of the tuple of constants.
    pub fn add_tuple(&mut self, items: impl Iterator<Item = ConstId>) -> ConstId {
        let items = items.map(|id| self.get(id).clone()).collect();
        self.add(Const::Tuple(items))
    }
}

impl Default for ConstPool {
    fn default() -> ConstPool {
        ConstPool::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_signs_are_distinct() {
        let mut pool = ConstPool::new();
        let mut ids: Vec<u32> = [
            Constant::Int(Int::Small(0)),
            Constant::Float(0.0),
            Constant::Float(-0.0),
            Constant::Complex { real: 0.0, imag: 0.0 },
            Constant::Complex { real: -0.0, imag: 0.0 },
            Constant::False,
            Constant::Str(b""),
            Constant::Bytes(b""),
            Constant::Tuple(&[]),
            Constant::Tuple(&[Constant::Float(0.0)]),
            Constant::Tuple(&[Constant::Float(-0.0)]),
            Constant::FrozenSet(&[]),
        ]
        .iter()
        .map(|c| {
            let id = pool.add_ast(c);
            assert_eq!(pool.add_ast(c), id);
            assert_eq!(pool.add(pool.get(id).clone()), id);
            id.0
        })
        .collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 12);
        let a = [Constant::Int(Int::Small(1)), Constant::Int(Int::Small(2))];
        let b = [Constant::Int(Int::Small(2)), Constant::Int(Int::Small(1))];
        assert_eq!(pool.add_ast(&Constant::FrozenSet(&a)), pool.add_ast(&Constant::FrozenSet(&b)));
        assert_ne!(pool.add_ast(&Constant::Tuple(&a)), pool.add_ast(&Constant::Tuple(&b)));
    }
}
