//! Interned identifiers and the small index maps that are keyed by them.

use std::rc::Rc;

use bumpalo::Bump;

/// A string that outlives the syntax tree: generalised UTF-8, where a lone
/// surrogate has its three-byte form.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Str(Rc<[u8]>);

impl Str {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Where the bytes are; one compilation has one allocation for each distinct name.
    pub fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// The string, unless it holds surrogates.
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The same allocation? (One compilation makes one for each distinct name.)
    pub fn ptr_eq(&self, other: &Str) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl From<&str> for Str {
    fn from(s: &str) -> Str {
        Str(Rc::from(s.as_bytes()))
    }
}

impl From<&[u8]> for Str {
    fn from(s: &[u8]) -> Str {
        Str(Rc::from(s))
    }
}

impl std::fmt::Debug for Str {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

impl std::fmt::Display for Str {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

const MULTIPLIER: u64 = 0x517c_c1b7_2722_0a95;

/// Mixes one word into a hash.
#[inline]
pub fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER)
}

/// Hashes bytes eight at a time.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hash = mix(0, bytes.len() as u64);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        hash = mix(hash, u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut word = [0u8; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = mix(hash, u64::from_le_bytes(word));
    }
    hash
}

const EMPTY: u32 = u32::MAX;

/// Open addressing from hashes to positions in an array kept elsewhere.
#[derive(Default)]
pub struct HashIndex {
    slots: Vec<u32>,
    hashes: Vec<u32>,
}

impl HashIndex {
    /// The position whose entry has this hash and satisfies `eq`.
    #[inline]
    pub fn find(&self, hash: u64, mut eq: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        let short = (hash >> 32) as u32;
        let mut i = short as usize & mask;
        loop {
            let position = self.slots[i];
            if position == EMPTY {
                return None;
            }
            if self.hashes[position as usize] == short && eq(position) {
                return Some(position);
            }
            i = (i + 1) & mask;
        }
    }

    /// Records the hash of the next position, which isn't in the index yet.
    pub fn push(&mut self, hash: u64) -> u32 {
        let position = self.hashes.len() as u32;
        let short = (hash >> 32) as u32;
        self.hashes.push(short);
        if self.hashes.len() * 2 > self.slots.len() {
            let size = (self.slots.len() * 2).max(64);
            self.slots.clear();
            self.slots.resize(size, EMPTY);
            for i in 0..position {
                self.place(self.hashes[i as usize], i);
            }
        }
        self.place(short, position);
        position
    }

    fn place(&mut self, short: u32, position: u32) {
        let mask = self.slots.len() - 1;
        let mut i = short as usize & mask;
        while self.slots[i] != EMPTY {
            i = (i + 1) & mask;
        }
        self.slots[i] = position;
    }
}

/// An interned identifier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Name(pub u32);

macro_rules! well_known {
    ($($ident:ident = $text:literal,)*) => {
        /// Names that the compiler itself needs, interned in this order.
        #[allow(missing_docs, reason = "each is the name it holds")]
        pub mod known {
            use super::Name;
            #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "numbers the constants")]
            enum Number { $($ident,)* }
            $(pub const $ident: Name = Name(Number::$ident as u32);)*
            pub(super) static TEXTS: &[&str] = &[$($text,)*];
        }
    };
}

well_known! {
    TOP = "top",
    CLASS = "__class__",
    CLASSDICT = "__classdict__",
    CLASSCELL = "__classcell__",
    CLASSDICTCELL = "__classdictcell__",
    DEBUG = "__debug__",
    DOC = "__doc__",
    NAME = "__name__",
    MODULE = "__module__",
    QUALNAME = "__qualname__",
    FIRSTLINENO = "__firstlineno__",
    STATIC_ATTRIBUTES = "__static_attributes__",
    TYPE_PARAMS_ATTR = "__type_params__",
    ANNOTATIONS = "__annotations__",
    SUPER = "super",
    SELF = "self",
    RETURN = "return",
    JOIN = "join",
    DOT_ZERO = ".0",
    DOT_TYPE_PARAMS = ".type_params",
    DOT_GENERIC_BASE = ".generic_base",
    DOT_DEFAULTS = ".defaults",
    DOT_KWDEFAULTS = ".kwdefaults",
    LAMBDA = "lambda",
    GENEXPR = "genexpr",
    LISTCOMP = "listcomp",
    SETCOMP = "setcomp",
    DICTCOMP = "dictcomp",
    ANNOTATION = "_annotation",
    ANON_MODULE = "<module>",
    ANON_LAMBDA = "<lambda>",
    ANON_GENEXPR = "<genexpr>",
    ANON_LISTCOMP = "<listcomp>",
    ANON_SETCOMP = "<setcomp>",
    ANON_DICTCOMP = "<dictcomp>",
    EMPTY = "",
}

/// All identifiers of one compilation, each once.
pub struct Interner<'a> {
    arena: &'a Bump,
    texts: Vec<&'a str>,
    strs: Vec<Option<Str>>,
    index: HashIndex,
}

impl<'a> Interner<'a> {
    /// An interner that holds the well-known names; new texts go to `arena`.
    pub fn new(arena: &'a Bump) -> Interner<'a> {
        let mut interner = Interner { arena, texts: Vec::new(), strs: Vec::new(), index: HashIndex::default() };
        for text in known::TEXTS {
            interner.intern(text);
        }
        interner
    }

    /// The name of a text that lives in the tree's arena.
    #[inline]
    pub fn intern(&mut self, text: &'a str) -> Name {
        let hash = hash_bytes(text.as_bytes());
        if let Some(position) = self.index.find(hash, |i| self.texts[i as usize] == text) {
            return Name(position);
        }
        self.texts.push(text);
        self.strs.push(None);
        Name(self.index.push(hash))
    }

    /// The name of a text that lives elsewhere.
    pub fn intern_copy(&mut self, text: &str) -> Name {
        let hash = hash_bytes(text.as_bytes());
        if let Some(position) = self.index.find(hash, |i| self.texts[i as usize] == text) {
            return Name(position);
        }
        let text = self.arena.alloc_str(text);
        self.intern(text)
    }

    /// The text of a name.
    #[inline]
    pub fn text(&self, name: Name) -> &'a str {
        self.texts[name.0 as usize]
    }

    /// The lasting string of a name, the same allocation at each call.
    pub fn to_str(&mut self, name: Name) -> Str {
        self.strs[name.0 as usize].get_or_insert_with(|| Str::from(self.texts[name.0 as usize])).clone()
    }

    /// A private name's form inside the class `private`.
    pub fn mangle(&mut self, private: Option<Name>, name: Name) -> Name {
        let text = self.text(name);
        if !text.starts_with("__") {
            return name;
        }
        let Some(private) = private else { return name };
        // Names with dots are those of modules.
        if text.ends_with("__") || text.contains('.') {
            return name;
        }
        let class = self.text(private).trim_start_matches('_');
        if class.is_empty() {
            return name;
        }
        let mut mangled = bumpalo::collections::String::with_capacity_in(1 + class.len() + text.len(), self.arena);
        mangled.push('_');
        mangled.push_str(class);
        mangled.push_str(text);
        self.intern(mangled.into_bump_str())
    }

    /// The arena of the texts.
    pub fn arena(&self) -> &'a Bump {
        self.arena
    }
}

const LINEAR: usize = 8;

/// A map from small numbers (names, constants) that keeps the order of insertion.
#[derive(Clone, Default)]
pub struct IdMap<V> {
    entries: Vec<(u32, V)>,
    slots: Vec<u32>,
}

/// A set of small numbers that numbers its members in the order of insertion.
pub type IdSet = IdMap<()>;

impl<V: Copy> IdMap<V> {
    /// An empty map.
    pub fn new() -> IdMap<V> {
        IdMap { entries: Vec::new(), slots: Vec::new() }
    }

    /// The entries in order.
    #[inline]
    pub fn entries(&self) -> &[(u32, V)] {
        &self.entries
    }

    /// The values can be changed in place.
    #[inline]
    pub fn entries_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, v)| v)
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// No entries?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[inline]
    fn start(&self, key: u32) -> usize {
        (u64::from(key).wrapping_mul(MULTIPLIER) >> 32) as usize & (self.slots.len() - 1)
    }

    /// The number of a key.
    #[inline]
    pub fn index_of(&self, key: u32) -> Option<usize> {
        if self.slots.is_empty() {
            return self.entries.iter().position(|e| e.0 == key);
        }
        let mut i = self.start(key);
        loop {
            let position = self.slots[i];
            if position == EMPTY {
                return None;
            }
            if self.entries[position as usize].0 == key {
                return Some(position as usize);
            }
            i = (i + 1) & (self.slots.len() - 1);
        }
    }

    /// Is the key there?
    #[inline]
    pub fn contains(&self, key: u32) -> bool {
        self.index_of(key).is_some()
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, key: u32) -> Option<V> {
        self.index_of(key).map(|i| self.entries[i].1)
    }

    /// The value at a number.
    #[inline]
    pub fn value_mut(&mut self, index: usize) -> &mut V {
        &mut self.entries[index].1
    }

    /// Sets the value of a key that is new or old; its number.
    #[inline]
    pub fn insert(&mut self, key: u32, value: V) -> usize {
        if let Some(i) = self.index_of(key) {
            self.entries[i].1 = value;
            return i;
        }
        self.push_new(key, value)
    }

    /// Adds a key with a value unless it is there; its number.
    #[inline]
    pub fn get_or_insert(&mut self, key: u32, value: V) -> usize {
        match self.index_of(key) {
            Some(i) => i,
            None => self.push_new(key, value),
        }
    }

    fn push_new(&mut self, key: u32, value: V) -> usize {
        let index = self.entries.len();
        self.entries.push((key, value));
        if self.slots.is_empty() && index < LINEAR {
            return index;
        }
        if (index + 1) * 2 > self.slots.len() {
            self.rehash();
        } else {
            self.place(key, index as u32);
        }
        index
    }

    fn rehash(&mut self) {
        let size = (self.entries.len() * 4).next_power_of_two().max(32);
        self.slots.clear();
        self.slots.resize(size, EMPTY);
        for i in 0..self.entries.len() {
            self.place(self.entries[i].0, i as u32);
        }
    }

    fn place(&mut self, key: u32, position: u32) {
        let mut i = self.start(key);
        while self.slots[i] != EMPTY {
            i = (i + 1) & (self.slots.len() - 1);
        }
        self.slots[i] = position;
    }

    /// Removes a key; the others keep their order.
    pub fn remove(&mut self, key: u32) -> bool {
        let Some(i) = self.index_of(key) else { return false };
        self.entries.remove(i);
        if !self.slots.is_empty() {
            self.rehash();
        }
        true
    }

    /// Empties the map, keeping its memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.slots.clear();
    }
}

impl IdSet {
    /// Adds a key unless it is there; its number.
    #[inline]
    pub fn add(&mut self, key: u32) -> usize {
        self.get_or_insert(key, ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mangle_follows_the_rules() {
        let arena = Bump::new();
        let mut names = Interner::new(&arena);
        let class = names.intern("_Spam");
        let only = names.intern("___");
        let check = |names: &mut Interner, private, from, to| {
            let name = names.intern(from);
            let mangled = names.mangle(private, name);
            assert_eq!(names.text(mangled), to);
        };
        check(&mut names, Some(class), "__x", "_Spam__x");
        check(&mut names, Some(class), "__x__", "__x__");
        check(&mut names, Some(class), "__", "__");
        check(&mut names, Some(class), "_x", "_x");
        check(&mut names, Some(class), "__a.b", "__a.b");
        check(&mut names, Some(only), "__x", "__x");
        check(&mut names, None, "__x", "__x");
    }

    #[test]
    fn maps_keep_order_when_they_grow() {
        let mut set = IdSet::new();
        for i in 0..100 {
            assert_eq!(set.add(i * 7), i as usize);
        }
        for i in 0..100 {
            assert_eq!(set.index_of(i * 7), Some(i as usize));
        }
        assert!(set.remove(7) && !set.contains(7));
        assert_eq!(set.index_of(14), Some(1));
        assert_eq!(known::DOT_ZERO, Interner::new(&Bump::new()).intern(".0"));
    }
}
