//! Interned strings: one object for each content, found by a table of our own that owns no references.

use super::compare::{unicode_eq, unicode_hash};
use super::layout::{StrObj, Text, empty, interned, latin1_char, set_interned, text_of};
use core::ffi::c_char;
use taipan_abi::*;

/// Open addressing with linear probing; `NULL` marks a free place, and removal closes the gap.
struct Table {
    slots: Vec<(Py_hash_t, *mut PyObject)>,
    used: usize,
}

static mut TABLE: Table = Table { slots: Vec::new(), used: 0 };
/// The mortal strings that interpreters other than the main one have interned; the immortal ones are common to all.
static mut APART: Vec<(*mut PyInterpreterState, Table)> = Vec::new();

impl Table {
    /// # Safety
    /// `op` is a str with its hash computed.
    unsafe fn find(&self, op: *mut PyObject, hash: Py_hash_t) -> Result<*mut PyObject, usize> {
        let mask = self.slots.len() - 1;
        let mut i = hash as usize & mask;
        loop {
            let (h, p) = self.slots[i];
            if p.is_null() {
                return Err(i);
            }
            // SAFETY: [TYPE] the table holds live strings.
            if h == hash && (p == op || unsafe { unicode_eq(p, op) }) {
                return Ok(p);
            }
            i = (i + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(1 << 12);
        let old = core::mem::replace(&mut self.slots, vec![(0, core::ptr::null_mut()); size]);
        for (h, p) in old {
            if !p.is_null() {
                let mut i = h as usize & (size - 1);
                while !self.slots[i].1.is_null() {
                    i = (i + 1) & (size - 1);
                }
                self.slots[i] = (h, p);
            }
        }
    }

    /// Takes an entry out; false if it isn't there.
    fn remove(&mut self, op: *mut PyObject, hash: Py_hash_t) -> bool {
        if self.slots.is_empty() {
            return false;
        }
        let mask = self.slots.len() - 1;
        let mut gap = hash as usize & mask;
        while self.slots[gap].1 != op {
            if self.slots[gap].1.is_null() {
                return false;
            }
            gap = (gap + 1) & mask;
        }
        self.used -= 1;
        let mut i = gap;
        loop {
            i = (i + 1) & mask;
            let (h, p) = self.slots[i];
            if p.is_null() {
                break;
            }
            // An entry may move into the gap unless its own place lies after the gap.
            let home = h as usize & mask;
            if (i.wrapping_sub(home) & mask) >= (i.wrapping_sub(gap) & mask) {
                self.slots[gap] = (h, p);
                gap = i;
            }
        }
        self.slots[gap] = (0, core::ptr::null_mut());
        true
    }
}

/// The running interpreter's table of mortal strings, where it isn't the main one.
fn apart() -> &'static mut Table {
    // SAFETY: [GIL]
    unsafe {
        let interp = (*current_tstate()).interp;
        let all = &mut *(&raw mut APART);
        let i = all.iter().position(|t| t.0 == interp).unwrap_or_else(|| {
            all.push((interp, Table { slots: Vec::new(), used: 0 }));
            all.len() - 1
        });
        &mut all[i].1
    }
}

/// Forgets the table of an interpreter that has ended. Its strings may live on.
pub fn forget_interpreter(interp: *mut PyInterpreterState) {
    // SAFETY: [GIL]
    unsafe { (*(&raw mut APART)).retain(|t| t.0 != interp) }
}

/// The one string with the content of `s`, which may be `s` itself. Instances of subclasses are left alone.
///
/// # Safety
/// `s` is a str.
pub unsafe fn intern(s: StrObj, immortal: bool) -> StrObj {
    // SAFETY: [TYPE] [GIL] the table is only touched with the GIL held.
    unsafe {
        let op: *mut PyObject = s.as_ptr().cast();
        if PyUnicode_CheckExact(op) == 0 {
            return s;
        }
        match interned(op) {
            SSTATE_NOT_INTERNED => {}
            SSTATE_INTERNED_MORTAL => {
                if immortal {
                    make_immortal(op);
                }
                return s;
            }
            _ => return s,
        }
        match text_of(op) {
            Text::U1([]) => return empty(),
            Text::U1([c]) => return latin1_char(*c),
            _ => {}
        }
        let hash = unicode_hash(op);
        let table = &mut *(&raw mut TABLE);
        if table.used * 3 >= table.slots.len() * 2 {
            table.grow();
        }
        let mut table = table;
        if !immortal && !is_immortal(op) && !crate::runtime::in_main_interpreter() {
            if let Ok(found) = table.find(op, hash)
                && interned(found) != SSTATE_INTERNED_MORTAL
            {
                return Owned::from_borrowed(found.cast());
            }
            table = apart();
            if table.used * 3 >= table.slots.len() * 2 {
                table.grow();
            }
        }
        match table.find(op, hash) {
            Ok(found) => {
                if immortal && interned(found) == SSTATE_INTERNED_MORTAL {
                    make_immortal(found);
                }
                Owned::from_borrowed(found.cast())
            }
            Err(i) => {
                table.slots[i] = (hash, op);
                table.used += 1;
                set_interned(op, SSTATE_INTERNED_MORTAL);
                if immortal || is_immortal(op) {
                    make_immortal(op);
                }
                s
            }
        }
    }
}

unsafe fn make_immortal(op: *mut PyObject) {
    // SAFETY: [TYPE] [GIL]
    unsafe {
        set_interned(op, SSTATE_INTERNED_IMMORTAL);
        set_immortal(op);
    }
}

/// A str of NUL-terminated UTF-8, to look something up by: the interned one of that content, if there is one, which
/// saves making a str, and whose identity caches know. A new reference, NULL with an exception.
///
/// # Safety
/// [ARGS]
pub unsafe fn name_from_utf8(u: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS] [GIL] entries of the table are live strings.
    unsafe {
        let text = core::ffi::CStr::from_ptr(u).to_bytes();
        let table = &*(&raw const TABLE);
        if (2..=64).contains(&text.len()) && text.is_ascii() && !table.slots.is_empty() {
            let hash = crate::pyhash::hash_bytes(text.as_ptr(), text.len());
            let mask = table.slots.len() - 1;
            let mut i = hash as usize & mask;
            loop {
                let (h, p) = table.slots[i];
                if p.is_null() {
                    break;
                }
                if h == hash && matches!(text_of(p), Text::U1(t) if t == text) {
                    return Py_NewRef(p);
                }
                i = (i + 1) & mask;
            }
        }
        PyUnicode_FromString(u)
    }
}

/// Takes a dying string out of the table.
///
/// # Safety
/// `op` is an interned str.
#[cold]
pub unsafe fn forget(op: *mut PyObject) {
    // SAFETY: [GIL]
    unsafe {
        let hash = (*op.cast::<PyASCIIObject>()).hash;
        if !(*(&raw mut TABLE)).remove(op, hash) {
            (*(&raw mut APART)).iter_mut().any(|t| t.1.remove(op, hash));
        }
    }
}

/// How many strings are interned, and how many of them are immortal.
pub fn interned_sizes() -> (usize, usize) {
    // SAFETY: [GIL] entries are live strings.
    unsafe {
        let table = &*(&raw const TABLE);
        let immortal = table.slots.iter().filter(|e| !e.1.is_null() && interned(e.1) == SSTATE_INTERNED_IMMORTAL).count();
        (table.used + 257, immortal + 257)
    }
}

unsafe fn intern_in_place(p: *mut *mut PyObject, immortal: bool) {
    // SAFETY: [ARGS] p is NULL or points to an owned reference.
    unsafe {
        if p.is_null() || (*p).is_null() || PyUnicode_Check(*p) == 0 {
            return;
        }
        *p = intern(Owned::from_owned((*p).cast()), immortal).into_raw_object();
    }
}

/// Replaces the string in `*p` by the interned one of the same content.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_InternInPlace(p: *mut *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { intern_in_place(p, false) }
}
/// As [`PyUnicode_InternInPlace`], for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_InternImmortal(p: *mut *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { intern_in_place(p, true) }
}
/// As [`PyUnicode_InternInPlace`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_InternMortal(_interp: *mut PyInterpreterState, p: *mut *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { intern_in_place(p, false) }
}
/// As [`PyUnicode_InternInPlace`], for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_InternImmortal(_interp: *mut PyInterpreterState, p: *mut *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { intern_in_place(p, true) }
}
/// As [`_PyUnicode_InternImmortal`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_InternInPlace(_interp: *mut PyInterpreterState, p: *mut *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { intern_in_place(p, true) }
}
/// An interned string of NUL-terminated UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnicode_InternFromString(u: *const c_char) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let s = PyUnicode_FromString(u);
        if s.is_null() {
            return s;
        }
        intern(Owned::from_owned(s.cast()), false).into_raw_object()
    }
}

/// How many strings are interned (`_PyUnicode_InternedSize`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_InternedSize() -> taipan_abi::Py_ssize_t {
    // SAFETY: [GIL]
    unsafe { (*(&raw const TABLE)).used as taipan_abi::Py_ssize_t }
}

/// How many of them are immortal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyUnicode_InternedSize_Immortal() -> taipan_abi::Py_ssize_t {
    // SAFETY: [GIL]
    unsafe { (*(&raw const TABLE)).slots.iter().filter(|s| !s.1.is_null() && taipan_abi::is_immortal(s.1)).count() as taipan_abi::Py_ssize_t }
}
