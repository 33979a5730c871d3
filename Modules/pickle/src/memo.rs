//! The pickler's memo: a hash table from objects, by identity, to numbers. It keeps its keys alive.

use taipan_abi::*;

/// Entries of an empty table.
const MINSIZE: usize = 8;

#[derive(Clone, Copy)]
struct Entry {
    key: *mut PyObject,
    value: isize,
}

const FREE: Entry = Entry { key: core::ptr::null_mut(), value: 0 };

/// See the file.
pub struct MemoTable {
    used: usize,
    /// A power of two entries; `key` is NULL where one is free.
    table: Vec<Entry>,
}

impl MemoTable {
    /// An empty table.
    pub fn new() -> Self {
        MemoTable { used: 0, table: vec![FREE; MINSIZE] }
    }

    /// How many objects it has.
    pub fn len(&self) -> usize {
        self.used
    }

    /// How many entries there is room for.
    pub fn allocated(&self) -> usize {
        self.table.len()
    }

    /// The entry of a key, or the free one where it belongs.
    #[inline]
    fn slot(table: &[Entry], key: *mut PyObject) -> usize {
        let mask = table.len() - 1;
        let mut i = (key as usize >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20 & mask;
        loop {
            let k = table[i].key;
            if k == key || k.is_null() {
                return i;
            }
            i = (i + 1) & mask;
        }
    }

    /// The number of an object.
    #[inline]
    pub fn get(&self, key: *mut PyObject) -> Option<isize> {
        let e = self.table[Self::slot(&self.table, key)];
        (!e.key.is_null()).then_some(e.value)
    }

    /// Sets the number of a live object.
    #[inline]
    pub fn set(&mut self, key: *mut PyObject, value: isize) {
        let i = Self::slot(&self.table, key);
        if self.table[i].key.is_null() {
            // SAFETY: [ARGS] the caller's object is live; the table keeps it so.
            unsafe { Py_INCREF(key) };
            self.table[i] = Entry { key, value };
            self.used += 1;
            if self.used * 3 >= self.table.len() * 2 {
                self.resize((if self.used > 50_000 { 2 } else { 4 }) * self.used);
            }
        } else {
            self.table[i].value = value;
        }
    }

    fn resize(&mut self, wanted: usize) {
        let size = (wanted + 1).next_power_of_two().max(MINSIZE);
        let mut table = vec![FREE; size];
        for e in &self.table {
            if !e.key.is_null() {
                let i = Self::slot(&table, e.key);
                table[i] = *e;
            }
        }
        self.table = table;
    }

    /// Objects and their numbers.
    pub fn entries(&self) -> impl Iterator<Item = (*mut PyObject, isize)> + '_ {
        self.table.iter().filter(|e| !e.key.is_null()).map(|e| (e.key, e.value))
    }

    /// Takes all entries out; the caller releases the objects, which may run any code.
    pub fn take(&mut self) -> Vec<*mut PyObject> {
        let old = core::mem::replace(self, MemoTable::new());
        old.table.into_iter().map(|e| e.key).filter(|k| !k.is_null()).collect()
    }
}

impl Clone for MemoTable {
    fn clone(&self) -> Self {
        for (key, _) in self.entries() {
            // SAFETY: [OWN] the table keeps its keys alive.
            unsafe { Py_INCREF(key) };
        }
        MemoTable { used: self.used, table: self.table.clone() }
    }
}
