//! The immutable mapping behind contextvars: a hash array mapped trie whose versions share their nodes (PEP 567).
//!
//! Keys are compared by identity, as context variables are. A node owns one reference to each key and value in it; as
//! versions share nodes, only a node that a single version holds shows its objects to the cycle collector.

use core::ffi::{c_int, c_void};
use std::rc::Rc;
use taipan_abi::*;

const BITS: u32 = 5;
const MASK: u64 = (1 << BITS) - 1;

#[derive(Clone)]
struct Entry {
    key: Owned,
    value: Owned,
    hash: u64,
}

#[derive(Clone)]
enum Slot {
    One(Entry),
    Node(Rc<Node>),
    /// Entries whose hashes are the same in all bits.
    Collision(Rc<Vec<Entry>>),
}

#[derive(Clone, Default)]
struct Node {
    /// Bit `i` is set if there is a slot for hash digit `i`.
    bitmap: u32,
    slots: Vec<Slot>,
}

/// An immutable mapping; copies are cheap.
#[derive(Clone, Default)]
pub struct Hamt {
    root: Option<Rc<Node>>,
    len: usize,
}

fn position(bitmap: u32, bit: u32) -> usize {
    (bitmap & (bit - 1)).count_ones() as usize
}

impl Node {
    fn find(&self, key: *mut PyObject, hash: u64, shift: u32) -> Option<&Entry> {
        let bit = 1u32 << ((hash >> shift) & MASK);
        if self.bitmap & bit == 0 {
            return None;
        }
        match &self.slots[position(self.bitmap, bit)] {
            Slot::One(e) => (e.key.as_ptr() == key).then_some(e),
            Slot::Node(n) => n.find(key, hash, shift + BITS),
            Slot::Collision(all) => all.iter().find(|e| e.key.as_ptr() == key),
        }
    }

    /// A copy with the entry; `true` if the key is new.
    fn with(&self, entry: Entry, shift: u32) -> (Node, bool) {
        let bit = 1u32 << ((entry.hash >> shift) & MASK);
        let at = position(self.bitmap, bit);
        let mut copy = self.clone();
        if self.bitmap & bit == 0 {
            copy.bitmap |= bit;
            copy.slots.insert(at, Slot::One(entry));
            return (copy, true);
        }
        let (slot, new) = match &self.slots[at] {
            Slot::One(old) if old.key.as_ptr() == entry.key.as_ptr() => (Slot::One(entry), false),
            Slot::One(old) if old.hash == entry.hash || shift + BITS >= 64 => (Slot::Collision(Rc::new(vec![old.clone(), entry])), true),
            Slot::One(old) => {
                let (inner, _) = Node::default().with(old.clone(), shift + BITS);
                let (inner, _) = inner.with(entry, shift + BITS);
                (Slot::Node(Rc::new(inner)), true)
            }
            Slot::Node(n) => {
                let (inner, new) = n.with(entry, shift + BITS);
                (Slot::Node(Rc::new(inner)), new)
            }
            Slot::Collision(all) if all[0].hash != entry.hash && shift + BITS < 64 => {
                // The digits differ further down.
                let mut inner = Node { bitmap: 1 << ((all[0].hash >> (shift + BITS)) & MASK), slots: vec![Slot::Collision(all.clone())] };
                let (next, _) = inner.with(entry, shift + BITS);
                inner = next;
                (Slot::Node(Rc::new(inner)), true)
            }
            Slot::Collision(all) => {
                let mut all = (**all).clone();
                let new = match all.iter_mut().find(|e| e.key.as_ptr() == entry.key.as_ptr()) {
                    Some(old) => {
                        *old = entry;
                        false
                    }
                    None => {
                        all.push(entry);
                        true
                    }
                };
                (Slot::Collision(Rc::new(all)), new)
            }
        };
        copy.slots[at] = slot;
        (copy, new)
    }

    /// A copy without the key; `None` if it isn't there.
    fn without(&self, key: *mut PyObject, hash: u64, shift: u32) -> Option<Node> {
        let bit = 1u32 << ((hash >> shift) & MASK);
        if self.bitmap & bit == 0 {
            return None;
        }
        let at = position(self.bitmap, bit);
        let mut copy = self.clone();
        let replacement = match &self.slots[at] {
            Slot::One(e) if e.key.as_ptr() == key => None,
            Slot::One(_) => return None,
            Slot::Node(n) => {
                let inner = n.without(key, hash, shift + BITS)?;
                (!inner.slots.is_empty()).then(|| Slot::Node(Rc::new(inner)))
            }
            Slot::Collision(all) => {
                let rest: Vec<Entry> = all.iter().filter(|e| e.key.as_ptr() != key).cloned().collect();
                if rest.len() == all.len() {
                    return None;
                }
                match rest.len() {
                    0 => None,
                    1 => rest.into_iter().next().map(Slot::One),
                    _ => Some(Slot::Collision(Rc::new(rest))),
                }
            }
        };
        match replacement {
            Some(slot) => copy.slots[at] = slot,
            None => {
                copy.slots.remove(at);
                copy.bitmap &= !bit;
            }
        }
        Some(copy)
    }

    fn each(&self, f: &mut impl FnMut(&Entry)) {
        for slot in &self.slots {
            match slot {
                Slot::One(e) => f(e),
                Slot::Node(n) => n.each(f),
                Slot::Collision(all) => all.iter().for_each(&mut *f),
            }
        }
    }
}

fn spread(key: *mut PyObject) -> u64 {
    // Addresses differ in their middle bits; the product spreads them over all.
    ((key.addr() >> 4) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
}

impl Hamt {
    /// The value of a key, lent.
    pub fn get(&self, key: *mut PyObject) -> Option<*mut PyObject> {
        self.root.as_ref()?.find(key, spread(key), 0).map(|e| e.value.as_ptr())
    }
    /// A version with the key set.
    pub fn with(&self, key: Owned, value: Owned) -> Hamt {
        let hash = spread(key.as_ptr());
        let empty = Node::default();
        let (root, new) = self.root.as_deref().unwrap_or(&empty).with(Entry { key, value, hash }, 0);
        Hamt { root: Some(Rc::new(root)), len: self.len + new as usize }
    }
    /// A version without the key; `None` if it isn't there.
    pub fn without(&self, key: *mut PyObject) -> Option<Hamt> {
        let root = self.root.as_ref()?.without(key, spread(key), 0)?;
        Some(Hamt { root: Some(Rc::new(root)), len: self.len - 1 })
    }
    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Keys and values.
    pub fn items(&self) -> Vec<(Owned, Owned)> {
        let mut all = Vec::with_capacity(self.len);
        if let Some(r) = &self.root {
            r.each(&mut |e| all.push((e.key.clone(), e.value.clone())));
        }
        all
    }
    /// Shows the objects of unshared nodes to the cycle collector.
    pub fn traverse(&self, visitor: visitproc, arg: *mut c_void) -> c_int {
        fn node(n: &Rc<Node>, visitor: visitproc, arg: *mut c_void) -> c_int {
            if Rc::strong_count(n) != 1 {
                return 0;
            }
            for slot in &n.slots {
                let r = match slot {
                    Slot::One(e) => entry(e, visitor, arg),
                    Slot::Node(n) => node(n, visitor, arg),
                    Slot::Collision(all) if Rc::strong_count(all) == 1 => all.iter().map(|e| entry(e, visitor, arg)).find(|&r| r != 0).unwrap_or(0),
                    Slot::Collision(_) => 0,
                };
                if r != 0 {
                    return r;
                }
            }
            0
        }
        fn entry(e: &Entry, visitor: visitproc, arg: *mut c_void) -> c_int {
            // SAFETY: [TYPE-READY] both are live.
            unsafe {
                let r = visit(e.key.as_ptr(), visitor, arg);
                if r != 0 { r } else { visit(e.value.as_ptr(), visitor, arg) }
            }
        }
        self.root.as_ref().map_or(0, |r| node(r, visitor, arg))
    }
}
