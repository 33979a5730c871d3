//! The immutable mapping behind contextvars: a hash array mapped trie whose versions share their nodes (PEP 567).
//!
//! Five bits of a key's 32-bit hash choose the place in one level of the tree. A node is an object of its own, so that the
//! cycle collector sees what versions share. Its items are pairs: a key and its value, or NULL and a node of the next level.
//! Keys whose hashes are the same in all bits lie side by side in a collision node.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::methods;
use taipan_objects::gc::{trashcan_begin, trashcan_end};
use taipan_objects::typeobject::TYPE_INIT;

const BITS: u32 = 5;
const MASK: u32 = (1 << BITS) - 1;
/// Seven levels take all 32 bits; one more for a collision node.
const MAX_DEPTH: usize = 8;

/// A bitmap node: `word` has a bit set for each digit that has a pair. A collision node: `word` is the keys' hash.
#[repr(C)]
struct Node {
    ob_base: PyVarObject,
    word: u32,
    items: [*mut PyObject; 0],
}
type NodeRef = Owned<Node>;

/// An immutable mapping.
#[repr(C)]
pub struct PyHamtObject {
    ob_base: PyObject,
    root: *mut Node,
    weakreflist: *mut PyObject,
    count: Py_ssize_t,
}
type Hamt<'a> = Borrowed<'a, PyHamtObject>;

/// How a mapping without a key differs.
enum Without {
    NotFound,
    Empty,
    New(NodeRef),
}

unsafe fn hash_of(key: *mut PyObject) -> PyResult<u32> {
    // SAFETY: [ARGS]
    unsafe {
        let hash = PyObject_Hash(key);
        if hash == -1 {
            return Err(Raised::assume());
        }
        Ok(hash as u32 ^ (hash >> 32) as u32)
    }
}

unsafe fn equal(a: *mut PyObject, b: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS] whoever calls holds the mapping that both may be in.
    unsafe {
        let r = PyObject_RichCompareBool(a, b, Py_EQ);
        check_status(r)?;
        Ok(r > 0)
    }
}

fn digit_bit(hash: u32, shift: u32) -> u32 {
    1 << (hash.checked_shr(shift).unwrap_or(0) & MASK)
}

// ---- nodes --------------------------------------------------------------------------------------------------------------------

unsafe fn is_collision(n: *mut Node) -> bool {
    // SAFETY: [TYPE]
    unsafe { (*n).ob_base.ob_base.ob_type == &raw mut COLLISION }
}

/// The pairs, flat.
unsafe fn items<'a>(n: *mut Node) -> &'a [*mut PyObject] {
    // SAFETY: [TYPE] nodes don't change once they are filled; the slice is used while the node is held.
    unsafe { core::slice::from_raw_parts((&raw const (*n).items).cast(), (*n).ob_base.ob_size as usize) }
}

/// A new node with lent items.
unsafe fn node(tp: *mut PyTypeObject, word: u32, len: usize, item: impl Fn(usize) -> *mut PyObject) -> PyResult<NodeRef> {
    // SAFETY: [OWN] a fresh instance, zeroed.
    unsafe {
        let n: NodeRef = Owned::from_owned_or_err(PyType_GenericAlloc(tp, len as Py_ssize_t))?.cast();
        (*n.as_ptr()).word = word;
        let to = (&raw mut (*n.as_ptr()).items).cast::<*mut PyObject>();
        for i in 0..len {
            let op = item(i);
            Py_XINCREF(op);
            *to.add(i) = op;
        }
        Ok(n)
    }
}

/// A copy with the pair at `at` replaced.
unsafe fn replaced(n: *mut Node, at: usize, key: *mut PyObject, value: *mut PyObject) -> PyResult<NodeRef> {
    // SAFETY: [TYPE]
    unsafe {
        let old = items(n);
        node((*n).ob_base.ob_base.ob_type, (*n).word, old.len(), |i| match i {
            i if i == at => key,
            i if i == at + 1 => value,
            i => old[i],
        })
    }
}

/// A copy with a pair more.
unsafe fn inserted(n: *mut Node, word: u32, at: usize, key: *mut PyObject, value: *mut PyObject) -> PyResult<NodeRef> {
    // SAFETY: [TYPE]
    unsafe {
        let old = items(n);
        node((*n).ob_base.ob_base.ob_type, word, old.len() + 2, |i| match i {
            i if i < at => old[i],
            i if i == at => key,
            i if i == at + 1 => value,
            i => old[i - 2],
        })
    }
}

/// A copy with a pair less.
unsafe fn removed(n: *mut Node, word: u32, at: usize) -> PyResult<NodeRef> {
    // SAFETY: [TYPE]
    unsafe {
        let old = items(n);
        node((*n).ob_base.ob_base.ob_type, word, old.len() - 2, |i| if i < at { old[i] } else { old[i + 2] })
    }
}

/// Where in a bitmap node the pair of a digit lies, or would.
unsafe fn place(n: *mut Node, bit: u32) -> usize {
    // SAFETY: [TYPE]
    unsafe { ((*n).word & (bit - 1)).count_ones() as usize * 2 }
}

unsafe fn find_in(mut n: *mut Node, hash: u32, key: *mut PyObject) -> PyResult<Option<*mut PyObject>> {
    // SAFETY: [TYPE] the nodes are held by the mapping.
    unsafe {
        let mut shift = 0;
        loop {
            if is_collision(n) {
                for pair in items(n).chunks_exact(2) {
                    if equal(key, pair[0])? {
                        return Ok(Some(pair[1]));
                    }
                }
                return Ok(None);
            }
            let bit = digit_bit(hash, shift);
            if (*n).word & bit == 0 {
                return Ok(None);
            }
            let at = place(n, bit);
            let (k, v) = (items(n)[at], items(n)[at + 1]);
            if !k.is_null() {
                return Ok(if equal(key, k)? { Some(v) } else { None });
            }
            n = v.cast();
            shift += BITS;
        }
    }
}

/// A node of the level at `shift` with two keys that differ.
unsafe fn of_two(shift: u32, a: (u32, *mut PyObject, *mut PyObject), b: (u32, *mut PyObject, *mut PyObject)) -> PyResult<NodeRef> {
    // SAFETY: [ARGS]
    unsafe {
        if a.0 == b.0 {
            let all = [a.1, a.2, b.1, b.2];
            return node(&raw mut COLLISION, a.0, 4, |i| all[i]);
        }
        let one = [a.1, a.2];
        let n = node(&raw mut BITMAP, digit_bit(a.0, shift), 2, |i| one[i])?;
        let mut added = false;
        assoc(n.as_ptr(), shift, b.0, b.1, b.2, &mut added)
    }
}

/// The node with the key set: itself if it has just that value.
unsafe fn assoc(n: *mut Node, shift: u32, hash: u32, key: *mut PyObject, value: *mut PyObject, added: &mut bool) -> PyResult<NodeRef> {
    // SAFETY: [TYPE] the nodes are held by the mapping.
    unsafe {
        if is_collision(n) {
            if (*n).word != hash {
                // The digits differ here or further down.
                let wrapped = [null_mut(), n.cast()];
                let wrapper = node(&raw mut BITMAP, digit_bit((*n).word, shift), 2, |i| wrapped[i])?;
                return assoc(wrapper.as_ptr(), shift, hash, key, value, added);
            }
            for (i, pair) in items(n).chunks_exact(2).enumerate() {
                if equal(key, pair[0])? {
                    return if pair[1] == value { Ok(Owned::from_borrowed(n)) } else { replaced(n, 2 * i, pair[0], value) };
                }
            }
            *added = true;
            return inserted(n, hash, items(n).len(), key, value);
        }
        let bit = digit_bit(hash, shift);
        let at = place(n, bit);
        if (*n).word & bit == 0 {
            *added = true;
            return inserted(n, (*n).word | bit, at, key, value);
        }
        let (k, v) = (items(n)[at], items(n)[at + 1]);
        if k.is_null() {
            let child = assoc(v.cast(), shift + BITS, hash, key, value, added)?;
            return if child.as_ptr().cast() == v { Ok(Owned::from_borrowed(n)) } else { replaced(n, at, null_mut(), child.as_ptr().cast()) };
        }
        if equal(key, k)? {
            return if v == value { Ok(Owned::from_borrowed(n)) } else { replaced(n, at, k, value) };
        }
        let child = of_two(shift + BITS, (hash_of(k)?, k, v), (hash, key, value))?;
        *added = true;
        replaced(n, at, null_mut(), child.as_ptr().cast())
    }
}

unsafe fn without_in(n: *mut Node, shift: u32, hash: u32, key: *mut PyObject) -> PyResult<Without> {
    // SAFETY: [TYPE] the nodes are held by the mapping.
    unsafe {
        if is_collision(n) {
            if (*n).word != hash {
                return Ok(Without::NotFound);
            }
            for (i, pair) in items(n).chunks_exact(2).enumerate() {
                if equal(key, pair[0])? {
                    if items(n).len() > 4 {
                        return removed(n, hash, 2 * i).map(Without::New);
                    }
                    let rest = 2 - 2 * i;
                    return node(&raw mut BITMAP, digit_bit(hash, shift), 2, |i| items(n)[rest + i]).map(Without::New);
                }
            }
            return Ok(Without::NotFound);
        }
        let bit = digit_bit(hash, shift);
        if (*n).word & bit == 0 {
            return Ok(Without::NotFound);
        }
        let at = place(n, bit);
        let (k, v) = (items(n)[at], items(n)[at + 1]);
        if !k.is_null() {
            return Ok(if !equal(key, k)? {
                Without::NotFound
            } else if items(n).len() == 2 {
                Without::Empty
            } else {
                Without::New(removed(n, (*n).word & !bit, at)?)
            });
        }
        Ok(match without_in(v.cast(), shift + BITS, hash, key)? {
            Without::NotFound => Without::NotFound,
            Without::Empty if items(n).len() == 2 => Without::Empty,
            Without::Empty => Without::New(removed(n, (*n).word & !bit, at)?),
            Without::New(child) => {
                // A single key needs no node of its own.
                let inner = items(child.as_ptr());
                Without::New(if inner.len() == 2 && !inner[0].is_null() {
                    replaced(n, at, inner[0], inner[1])?
                } else {
                    replaced(n, at, null_mut(), child.as_ptr().cast())?
                })
            }
        })
    }
}

unsafe extern "C" fn node_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        for &op in items(slf.cast()) {
            py_visit!(visitor, arg; op);
        }
    }
    0
}
unsafe extern "C" fn node_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        if !trashcan_begin(slf, node_dealloc) {
            return;
        }
        for &op in items(slf.cast()) {
            Py_XDECREF(op);
        }
        PyObject_GC_Del(slf.cast());
        trashcan_end();
    }
}

const fn node_type(name: *const core::ffi::c_char) -> PyTypeObject {
    PyTypeObject {
        tp_name: name,
        tp_basicsize: core::mem::offset_of!(Node, items) as Py_ssize_t,
        tp_itemsize: size_of::<*mut PyObject>() as Py_ssize_t,
        tp_dealloc: Some(node_dealloc),
        tp_hash: Some(PyObject_HashNotImplemented),
        tp_getattro: Some(PyObject_GenericGetAttr),
        tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
        tp_traverse: Some(node_traverse),
        tp_free: Some(PyObject_GC_Del),
        ..TYPE_INIT
    }
}
static mut BITMAP: PyTypeObject = node_type(c"hamt_bitmap_node".as_ptr());
static mut COLLISION: PyTypeObject = node_type(c"hamt_collision_node".as_ptr());

// ---- the mapping -------------------------------------------------------------------------------------------------------------

unsafe fn of_root(root: NodeRef, count: Py_ssize_t) -> PyResult<Owned<PyHamtObject>> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let h = Owned::from_owned_or_err(PyType_GenericAlloc(&raw mut _PyHamt_Type, 0))?.cast::<PyHamtObject>();
        (*h.as_ptr()).root = root.into_raw();
        (*h.as_ptr()).count = count;
        Ok(h)
    }
}

/// An empty mapping.
pub fn new() -> PyResult<Owned<PyHamtObject>> {
    // SAFETY: [GIL]
    unsafe { of_root(node(&raw mut BITMAP, 0, 0, |_| null_mut())?, 0) }
}

/// The value of a key, lent by the mapping.
///
/// # Safety
/// `h` is held while keys are compared, which may run Python code.
pub unsafe fn find(h: *mut PyHamtObject, key: *mut PyObject) -> PyResult<Option<*mut PyObject>> {
    // SAFETY: [TYPE]
    unsafe { if (*h).count == 0 { Ok(None) } else { find_in((*h).root, hash_of(key)?, key) } }
}

/// The mapping with the key set: itself if it has just that value.
///
/// # Safety
/// As [`find`].
pub unsafe fn with(h: *mut PyHamtObject, key: *mut PyObject, value: *mut PyObject) -> PyResult<Owned<PyHamtObject>> {
    // SAFETY: [TYPE]
    unsafe {
        let mut added = false;
        let root = assoc((*h).root, 0, hash_of(key)?, key, value, &mut added)?;
        if root.as_ptr() == (*h).root {
            return Ok(Owned::from_borrowed(h));
        }
        of_root(root, (*h).count + added as Py_ssize_t)
    }
}

/// The mapping without the key; `None` if it isn't there.
///
/// # Safety
/// As [`find`].
pub unsafe fn without(h: *mut PyHamtObject, key: *mut PyObject) -> PyResult<Option<Owned<PyHamtObject>>> {
    // SAFETY: [TYPE]
    unsafe {
        match without_in((*h).root, 0, hash_of(key)?, key)? {
            Without::NotFound => Ok(None),
            Without::Empty => new().map(Some),
            Without::New(root) => of_root(root, (*h).count - 1).map(Some),
        }
    }
}

/// How many keys there are.
///
/// # Safety
/// `h` is live.
pub unsafe fn len(h: *mut PyHamtObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { (*h).count }
}

/// Whether both have the same keys with equal values.
///
/// # Safety
/// Both are held while keys and values are compared, which may run Python code.
pub unsafe fn eq(a: *mut PyHamtObject, b: *mut PyHamtObject) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe {
        if a == b {
            return Ok(true);
        }
        if (*a).count != (*b).count {
            return Ok(false);
        }
        let mut at = Position::new(a);
        while let Some((key, value)) = at.next() {
            match find(b, key)? {
                Some(other) if equal(value, other)? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}

unsafe extern "C" fn hamt_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit((*slf.cast::<PyHamtObject>()).root, visitor, arg) }
}
unsafe extern "C" fn hamt_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [OWN] what is left is an empty mapping without a tree.
    unsafe {
        (*slf.cast::<PyHamtObject>()).count = 0;
        setref(&raw mut (*slf.cast::<PyHamtObject>()).root, null_mut());
    }
    0
}
unsafe extern "C" fn hamt_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        if !(*slf.cast::<PyHamtObject>()).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        hamt_clear(slf);
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn hamt_new(_: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    new().into_c()
}
unsafe extern "C" fn hamt_len(slf: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe { len(slf.cast()) }
}
unsafe extern "C" fn hamt_contains(slf: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { find(slf.cast(), key).map(|v| v.is_some()).into_c() }
}
unsafe extern "C" fn hamt_subscript(slf: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        match find(slf.cast(), key) {
            Ok(Some(v)) => Py_NewRef(v),
            Ok(None) => {
                PyErr_SetObject(PyExc_KeyError, key);
                null_mut()
            }
            Err(_) => null_mut(),
        }
    }
}
unsafe extern "C" fn hamt_richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if type_of(a) != type_of(b) || (op != Py_EQ && op != Py_NE) {
            return Py_NewRef(Py_NotImplemented());
        }
        match eq(a.cast(), b.cast()) {
            Ok(same) => Py_NewRef(if same == (op == Py_EQ) { Py_True() } else { Py_False() }),
            Err(_) => null_mut(),
        }
    }
}
unsafe extern "C" fn hamt_iter(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { iterate(slf.cast(), Yield::Keys).into_c() }
}
fn set_method(slf: Hamt<'_>, key: Borrowed<'_>, value: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { with(slf.as_ptr(), key.ob(), value.ob()).map(Owned::into_object) }
}
fn get_method(slf: Hamt<'_>, key: Borrowed<'_>, default: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Ok(find(slf.as_ptr(), key.ob())?.map_or_else(|| default.to_owned(), |v| Owned::from_borrowed(v))) }
}
fn delete_method(slf: Hamt<'_>, key: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        match without(slf.as_ptr(), key.ob())? {
            Some(h) => Ok(h.into_object()),
            None => {
                // Deleting what isn't there leaves the mapping as it is.
                Ok(Owned::from_borrowed(slf.ob()))
            }
        }
    }
}
fn items_method(slf: Hamt<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { iterate(slf.as_ptr(), Yield::Items) }
}
fn keys_method(slf: Hamt<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { iterate(slf.as_ptr(), Yield::Keys) }
}
fn values_method(slf: Hamt<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { iterate(slf.as_ptr(), Yield::Values) }
}
methods! {
    static METHODS = [
        "set($self, key, value, /)" => set_method, "A mapping with the key set.";
        "get($self, key, default=None, /)" => get_method, "The value of a key, or the default.";
        "delete($self, key, /)" => delete_method, "A mapping without the key.";
        "items($self, /)" => items_method, "Keys with their values.";
        "keys($self, /)" => keys_method, "The keys.";
        "values($self, /)" => values_method, "The values.";
    ];
}
static mut AS_MAPPING: PyMappingMethods = PyMappingMethods { mp_length: Some(hamt_len), mp_subscript: Some(hamt_subscript), mp_ass_subscript: None };
static mut AS_SEQUENCE: PySequenceMethods = {
    // SAFETY: all-zero is valid: no functions.
    let mut s: PySequenceMethods = unsafe { core::mem::zeroed() };
    s.sq_contains = Some(hamt_contains);
    s
};
/// `hamt`.
pub static mut _PyHamt_Type: PyTypeObject = PyTypeObject {
    tp_name: c"hamt".as_ptr(),
    tp_basicsize: size_of::<PyHamtObject>() as Py_ssize_t,
    tp_dealloc: Some(hamt_dealloc),
    tp_as_sequence: &raw mut AS_SEQUENCE,
    tp_as_mapping: &raw mut AS_MAPPING,
    tp_hash: Some(PyObject_HashNotImplemented),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(hamt_traverse),
    tp_clear: Some(hamt_clear),
    tp_richcompare: Some(hamt_richcompare),
    tp_weaklistoffset: core::mem::offset_of!(PyHamtObject, weakreflist) as Py_ssize_t,
    tp_iter: Some(hamt_iter),
    tp_methods: (&raw mut METHODS).cast(),
    tp_new: Some(hamt_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- iteration --------------------------------------------------------------------------------------------------------------

/// A place in a depth-first walk. The nodes are lent by the mapping, which must be held.
struct Position {
    nodes: [*mut Node; MAX_DEPTH],
    next: [usize; MAX_DEPTH],
    level: usize,
    done: bool,
}

impl Position {
    unsafe fn new(h: *mut PyHamtObject) -> Self {
        let mut nodes = [null_mut(); MAX_DEPTH];
        // SAFETY: [TYPE]
        nodes[0] = unsafe { (*h).root };
        Position { nodes, next: [0; MAX_DEPTH], level: 0, done: nodes[0].is_null() }
    }
    /// The next key and value, lent.
    unsafe fn next(&mut self) -> Option<(*mut PyObject, *mut PyObject)> {
        // SAFETY: [TYPE] the tree is at most MAX_DEPTH deep.
        unsafe {
            while !self.done {
                let all = items(self.nodes[self.level]);
                let at = self.next[self.level];
                if at == all.len() {
                    match self.level {
                        0 => self.done = true,
                        _ => self.level -= 1,
                    }
                    continue;
                }
                self.next[self.level] = at + 2;
                if !all[at].is_null() {
                    return Some((all[at], all[at + 1]));
                }
                self.level += 1;
                self.nodes[self.level] = all[at + 1].cast();
                self.next[self.level] = 0;
            }
            None
        }
    }
}

/// What an iterator yields.
#[derive(Clone, Copy)]
pub enum Yield {
    /// Keys.
    Keys,
    /// Values.
    Values,
    /// Tuples of both.
    Items,
}

#[repr(C)]
struct Iter {
    ob_base: PyObject,
    mapping: *mut PyHamtObject,
    position: Position,
    yields: Yield,
}

/// An iterator over a mapping.
///
/// # Safety
/// `h` is live.
pub unsafe fn iterate(h: *mut PyHamtObject, yields: Yield) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance; the tree is held through the mapping.
    unsafe {
        let tp = match yields {
            Yield::Keys => &raw mut KEYS,
            Yield::Values => &raw mut VALUES,
            Yield::Items => &raw mut ITEMS,
        };
        let it = Owned::from_owned_or_err(PyType_GenericAlloc(tp, 0))?.cast::<Iter>();
        (*it.as_ptr()).yields = yields;
        (*it.as_ptr()).position = Position::new(h);
        (*it.as_ptr()).mapping = Owned::from_borrowed(h).into_raw();
        Ok(it.into_object())
    }
}

unsafe extern "C" fn iter_next(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let it = slf.cast::<Iter>();
        if (*it).mapping.is_null() {
            return null_mut();
        }
        let Some((key, value)) = (&mut (*it).position).next() else { return null_mut() };
        match (*it).yields {
            Yield::Keys => Py_NewRef(key),
            Yield::Values => Py_NewRef(value),
            Yield::Items => {
                let pair = [key, value];
                _PyTuple_FromArray(pair.as_ptr(), 2)
            }
        }
    }
}
unsafe extern "C" fn iter_len(slf: *mut PyObject) -> Py_ssize_t {
    // SAFETY: [TYPE]
    unsafe {
        let h = (*slf.cast::<Iter>()).mapping;
        if h.is_null() { 0 } else { (*h).count }
    }
}
unsafe extern "C" fn iter_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit((*slf.cast::<Iter>()).mapping, visitor, arg) }
}
unsafe extern "C" fn iter_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.cast::<Iter>()).mapping, null_mut()) };
    0
}
unsafe extern "C" fn iter_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        iter_clear(slf);
        PyObject_GC_Del(slf.cast());
    }
}
static mut ITER_AS_MAPPING: PyMappingMethods = PyMappingMethods { mp_length: Some(iter_len), mp_subscript: None, mp_ass_subscript: None };
const fn iter_type(name: *const core::ffi::c_char) -> PyTypeObject {
    PyTypeObject {
        tp_name: name,
        tp_basicsize: size_of::<Iter>() as Py_ssize_t,
        tp_dealloc: Some(iter_dealloc),
        tp_as_mapping: &raw mut ITER_AS_MAPPING,
        tp_getattro: Some(PyObject_GenericGetAttr),
        tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
        tp_traverse: Some(iter_traverse),
        tp_clear: Some(iter_clear),
        tp_iter: Some(PyObject_SelfIter),
        tp_iternext: Some(iter_next),
        ..TYPE_INIT
    }
}
static mut KEYS: PyTypeObject = iter_type(c"keys".as_ptr());
static mut VALUES: PyTypeObject = iter_type(c"values".as_ptr());
static mut ITEMS: PyTypeObject = iter_type(c"items".as_ptr());

/// Readies the types; part of start-up.
pub fn init_types() -> PyResult<()> {
    // SAFETY: [STATIC]
    unsafe {
        for tp in [&raw mut BITMAP, &raw mut COLLISION, &raw mut _PyHamt_Type, &raw mut KEYS, &raw mut VALUES, &raw mut ITEMS] {
            check_status(PyType_Ready(tp))?;
        }
    }
    Ok(())
}

/// A new, empty mapping, for `_testinternalcapi`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyContext_NewHamtForTests() -> *mut PyObject {
    new().into_c()
}
