//! Python objects of what the compiler produces: constants, names, code objects.

use crate::codeobject::{CodeConstructor, code_new, should_intern_string};
use crate::compile::{py_str, rust_bytes};
use crate::util::*;
use core::ffi::c_int;
use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;
use std::rc::Rc;
use taipan_abi::*;
use taipan_compiler::names::{HashIndex, hash_bytes, mix};
use taipan_compiler::{BigInt, CodeObject, Const, Str};

/// Of addresses: the allocator's granularity makes the low bits equal, the multiplication spreads the others.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        // The upper bits of the product are the mixed ones.
        self.0.rotate_left(26)
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash_bytes(bytes);
    }
    fn write_usize(&mut self, address: usize) {
        self.0 = (address as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// What an object in the table of merged ones was made of, where that can't be read off the object.
enum Content {
    Constant(Const),
    Bytes,
    Tuple,
}

/// Makes Python objects of what the compiler produces; equal constants of one compilation become one object, and so do
/// equal tuples and bytes of its code objects.
pub struct Builder {
    filename: Owned,
    /// The objects that `Const::Foreign` means.
    foreign: Vec<Owned>,
    /// By the address of the compiler's allocation, of which there is one for equal names and constants.
    /// It lives as long as the builder is used: constants from elsewhere are found by content.
    known: HashMap<usize, Owned, BuildHasherDefault<AddressHasher>>,
    /// By content.
    index: HashIndex,
    merged: Vec<(Content, Owned)>,
    /// Items of the tuples in the making, each held by one of the tables.
    items: Vec<*mut PyObject>,
}

impl Builder {
    /// A builder of code objects with the file name `filename`, a str; `foreign` is what the numbers of
    /// `Const::Foreign` mean.
    ///
    /// # Safety
    /// [GIL] `filename` is a str.
    pub unsafe fn new(filename: *mut PyObject, foreign: Vec<Owned>) -> Builder {
        Builder {
            // SAFETY: [ARGS]
            filename: unsafe { Owned::from_borrowed(filename) },
            foreign,
            known: HashMap::default(),
            index: HashIndex::default(),
            merged: Vec::new(),
            items: Vec::new(),
        }
    }

    /// The file name.
    pub fn filename(&self) -> Owned {
        self.filename.clone()
    }

    /// A constant as an object.
    pub fn object(&mut self, c: &Const) -> PyResult<Owned> {
        let op = self.constant(c)?;
        // SAFETY: live, see `constant`.
        Ok(unsafe { Owned::from_borrowed(op) })
    }

    /// Takes an object for the constant that it equals, unless there is one already; the one that stands for it.
    ///
    /// # Safety
    /// [GIL] `op` is live.
    pub unsafe fn adopt(&mut self, op: *mut PyObject) -> PyResult<*mut PyObject> {
        // SAFETY: [ARGS]
        unsafe {
            let given = || Owned::from_borrowed(op);
            if PyTuple_CheckExact(op) != 0 {
                let start = self.items.len();
                let mut all_known = true;
                for i in 0..PyTuple_GET_SIZE(op) {
                    let item = PyTuple_GET_ITEM(op, i);
                    let stands_for_it = self.adopt(item)?;
                    all_known &= stands_for_it == item;
                    self.items.push(stands_for_it);
                }
                return self.merge_tuple(start, |items| if all_known { Ok(given()) } else { fresh_tuple(items) });
            }
            if PyBytes_CheckExact(op) != 0 {
                return self.merge_bytes(bytes_of(op), |_| Ok(given()));
            }
            let mut foreign = Vec::new();
            match object_to_const(op, &mut foreign)? {
                Const::None | Const::True | Const::False | Const::Ellipsis | Const::Foreign(_) => Ok(op),
                _ if !foreign.is_empty() => Ok(op),
                constant @ Const::Str(_) => self.merge_constant(&constant, |_| Ok(interned_constant(given()))),
                constant => self.merge_constant(&constant, |_| Ok(given())),
            }
        }
    }

    /// The object of a constant, held by the builder (or immortal).
    fn constant(&mut self, c: &Const) -> PyResult<*mut PyObject> {
        // SAFETY: [GIL] singletons.
        unsafe {
            match c {
                Const::None => return Ok(Py_None()),
                Const::True => return Ok(Py_True()),
                Const::False => return Ok(Py_False()),
                Const::Ellipsis => return Ok(Py_Ellipsis()),
                _ => {}
            }
        }
        let address = match c {
            Const::Str(s) => s.address(),
            Const::Tuple(t) => t.as_ptr() as usize,
            Const::Code(code) => Rc::as_ptr(code) as usize,
            Const::Foreign(number) => {
                return match self.foreign.get(*number as usize) {
                    Some(op) => Ok(op.as_ptr()),
                    None => Err(raise!(PyExc_SystemError, "a constant of nobody's: {number}")),
                };
            }
            Const::Bytes(b) => return self.merge_bytes(b, fresh_bytes),
            Const::FrozenSet(items) => return self.frozenset(c, items),
            _ => return self.merge_constant(c, fresh),
        };
        if let Some(op) = self.known.get(&address) {
            return Ok(op.as_ptr());
        }
        let op = match c {
            Const::Tuple(t) => {
                let start = self.items.len();
                for item in t.iter() {
                    let item = self.constant(item)?;
                    self.items.push(item);
                }
                self.merge_tuple(start, fresh_tuple)?
            }
            Const::Code(code) => {
                let op = self.code(code)?;
                return Ok(self.hold(address, op));
            }
            _ => self.merge_constant(c, fresh)?,
        };
        // SAFETY: held by the table of merged objects.
        Ok(self.hold(address, unsafe { Owned::from_borrowed(op) }))
    }

    fn hold(&mut self, address: usize, op: Owned) -> *mut PyObject {
        let raw = op.as_ptr();
        self.known.insert(address, op);
        raw
    }

    fn merge(
        &mut self,
        hash: u64,
        content: Content,
        same: impl Fn(&(Content, Owned)) -> bool,
        make: impl FnOnce() -> PyResult<Owned>,
    ) -> PyResult<*mut PyObject> {
        if let Some(i) = self.index.find(hash, |i| same(&self.merged[i as usize])) {
            return Ok(self.merged[i as usize].1.as_ptr());
        }
        let op = make()?;
        let raw = op.as_ptr();
        self.index.push(hash);
        self.merged.push((content, op));
        Ok(raw)
    }

    /// The object that stands for what equals `c`, or the one that `make` makes.
    fn merge_constant(&mut self, c: &Const, make: impl FnOnce(&Const) -> PyResult<Owned>) -> PyResult<*mut PyObject> {
        let same = |entry: &(Content, Owned)| matches!(&entry.0, Content::Constant(other) if other.same(c));
        self.merge(c.hash(), Content::Constant(c.clone()), same, || make(c))
    }

    fn frozenset(&mut self, c: &Const, items: &[Const]) -> PyResult<*mut PyObject> {
        let start = self.items.len();
        for item in items {
            let item = self.constant(item)?;
            self.items.push(item);
        }
        let items = fresh_tuple(&self.items[start..])?;
        self.items.truncate(start);
        // SAFETY: [GIL]
        self.merge_constant(c, |_| unsafe { own(PyFrozenSet_New(items.as_ptr())) })
    }

    fn merge_bytes(&mut self, b: &[u8], make: impl FnOnce(&[u8]) -> PyResult<Owned>) -> PyResult<*mut PyObject> {
        // SAFETY: [TYPE] a bytes object, as the entry says.
        let same = |entry: &(Content, Owned)| matches!(entry.0, Content::Bytes) && unsafe { bytes_of(entry.1.as_ptr()) } == b;
        self.merge(hash_bytes(b), Content::Bytes, same, || make(b))
    }

    /// The tuple of the items from `start` on, which are taken off.
    fn merge_tuple(&mut self, start: usize, make: impl FnOnce(&[*mut PyObject]) -> PyResult<Owned>) -> PyResult<*mut PyObject> {
        let items = core::mem::take(&mut self.items);
        let wanted = &items[start..];
        let hash = wanted.iter().fold(wanted.len() as u64, |h, p| mix(h, *p as u64 >> 4));
        let same = |entry: &(Content, Owned)| {
            let op = entry.1.as_ptr();
            // SAFETY: [TYPE] a tuple, as the entry says.
            unsafe {
                matches!(entry.0, Content::Tuple)
                    && PyTuple_GET_SIZE(op) as usize == wanted.len()
                    && wanted.iter().enumerate().all(|(i, item)| PyTuple_GET_ITEM(op, i as Py_ssize_t) == *item)
            }
        };
        let r = self.merge(hash, Content::Tuple, same, || make(wanted));
        self.items = items;
        self.items.truncate(start);
        r
    }

    /// An interned name, held by the builder.
    fn name(&mut self, name: &Str) -> PyResult<*mut PyObject> {
        let address = name.address();
        if let Some(op) = self.known.get(&address) {
            return Ok(op.as_ptr());
        }
        let mut p = py_str(name.as_bytes())?.into_raw();
        // SAFETY: [OWN] the reference is replaced.
        let op = unsafe {
            PyUnicode_InternInPlace(&mut p);
            Owned::from_owned(p)
        };
        Ok(self.hold(address, op))
    }

    fn names(&mut self, names: &[Str]) -> PyResult<*mut PyObject> {
        let start = self.items.len();
        for name in names {
            let op = self.name(name)?;
            self.items.push(op);
        }
        self.merge_tuple(start, fresh_tuple)
    }

    fn code(&mut self, co: &CodeObject) -> PyResult<Owned> {
        let names = self.names(&co.names)?;
        let localsplusnames = self.names(&co.localsplusnames)?;
        let start = self.items.len();
        for c in &co.consts {
            let op = self.constant(c)?;
            self.items.push(op);
        }
        let consts = self.merge_tuple(start, fresh_tuple)?;
        let con = CodeConstructor {
            filename: self.filename.as_ptr(),
            name: self.name(&co.name)?,
            qualname: self.name(&co.qualname)?,
            flags: co.flags as c_int,
            code: self.merge_bytes(&co.code, fresh_bytes)?,
            firstlineno: co.firstlineno,
            linetable: self.merge_bytes(&co.linetable, fresh_bytes)?,
            consts,
            names,
            localsplusnames,
            localspluskinds: self.merge_bytes(&co.localspluskinds, fresh_bytes)?,
            argcount: co.argcount as c_int,
            posonlyargcount: co.posonlyargcount as c_int,
            kwonlyargcount: co.kwonlyargcount as c_int,
            stacksize: co.stacksize as c_int,
            exceptiontable: self.merge_bytes(&co.exceptiontable, fresh_bytes)?,
        };
        // SAFETY: [ARGS] the builder holds all parts; the new object counts its own references.
        unsafe { code_new(&con) }
    }
}

fn fresh_bytes(b: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as Py_ssize_t)) }
}

fn fresh_tuple(items: &[*mut PyObject]) -> PyResult<Owned> {
    // SAFETY: all live: the builder's tables hold them.
    unsafe { tuple(items) }
}

fn fresh(c: &Const) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        match c {
            Const::Int(i) => new_int(*i),
            Const::BigInt(big) => big_int(big),
            Const::Float(f) => own(PyFloat_FromDouble(*f)),
            Const::Complex { real, imag } => own(PyComplex_FromDoubles(*real, *imag)),
            Const::Str(s) => Ok(interned_constant(py_str(s.as_bytes())?)),
            _ => bail!(PyExc_SystemError, "a constant that is made elsewhere"),
        }
    }
}

/// A str constant, interned if code objects intern such constants: they shall find nothing to replace, for tuples of
/// constants are told apart by the addresses of their items.
fn interned_constant(s: Owned) -> Owned {
    // SAFETY: [OWN] the reference is replaced; a str.
    unsafe {
        if !should_intern_string(s.as_ptr()) {
            return s;
        }
        let mut p = s.into_raw();
        PyUnicode_InternInPlace(&mut p);
        Owned::from_owned(p)
    }
}

fn big_int(big: &BigInt) -> PyResult<Owned> {
    let mut bytes = Vec::with_capacity(big.digits.len() * 4);
    let (mut acc, mut bits) = (0u64, 0);
    for &d in big.digits.iter() {
        acc |= u64::from(d) << bits;
        bits += 30;
        while bits >= 8 {
            bytes.push(acc as u8);
            acc >>= 8;
            bits -= 8;
        }
    }
    bytes.push(acc as u8);
    // SAFETY: [GIL]
    unsafe {
        let v = own(_PyLong_FromByteArray(bytes.as_ptr(), bytes.len(), 1, 0))?;
        if big.negative { own(PyNumber_Negative(v.as_ptr())) } else { Ok(v) }
    }
}

/// A constant as the compiler knows it; an object of another type is appended to `foreign` and known by its index there.
///
/// # Safety
/// `op` is live.
pub unsafe fn object_to_const(op: *mut PyObject, foreign: &mut Vec<Owned>) -> PyResult<Const> {
    // SAFETY: [ARGS]
    unsafe {
        let mut items = |op: *mut PyObject| -> PyResult<Rc<[Const]>> {
            let list = own(PySequence_List(op))?;
            (0..PyList_GET_SIZE(list.as_ptr())).map(|i| object_to_const(PyList_GET_ITEM(list.as_ptr(), i), foreign)).collect()
        };
        Ok(match op {
            _ if op == Py_None() => Const::None,
            _ if op == Py_True() => Const::True,
            _ if op == Py_False() => Const::False,
            _ if op == Py_Ellipsis() => Const::Ellipsis,
            _ if PyLong_CheckExact(op) != 0 => {
                let mut overflow = 0;
                let n = PyLong_AsLongLongAndOverflow(op, &mut overflow);
                if overflow == 0 {
                    Const::Int(n)
                } else {
                    let long = op.cast::<PyLongObject>();
                    let count = (*long).lv_tag >> 3;
                    let digits = core::slice::from_raw_parts((&raw const (*long).ob_digit).cast::<u32>(), count);
                    Const::BigInt(BigInt { negative: (*long).lv_tag & 3 == 2, digits: digits.into() })
                }
            }
            _ if PyFloat_CheckExact(op) != 0 => Const::Float(PyFloat_AsDouble(op)),
            _ if PyComplex_CheckExact(op) != 0 => Const::Complex { real: PyComplex_RealAsDouble(op), imag: PyComplex_ImagAsDouble(op) },
            _ if PyUnicode_CheckExact(op) != 0 => Const::Str(Str::from(&rust_bytes(op)?[..])),
            _ if PyBytes_CheckExact(op) != 0 => Const::Bytes(bytes_of(op).into()),
            _ if PyTuple_CheckExact(op) != 0 => Const::Tuple(items(op)?),
            _ if PyFrozenSet_CheckExact(op) != 0 => Const::FrozenSet(items(op)?),
            _ => {
                foreign.push(Owned::from_borrowed(op));
                Const::Foreign(foreign.len() as u32 - 1)
            }
        })
    }
}
