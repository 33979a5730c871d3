//! The second pass: from the facts of each block to the scope of each name.
//!
//! What enclosing blocks say about a name (bound by a function, declared
//! global, a type parameter) is kept in one array indexed by name; a block's
//! changes are undone when it is left, so nothing is copied on the way down.

use std::collections::HashSet;

use super::*;

/// A set of names that is mostly empty.
type NameSet = HashSet<u32, std::hash::BuildHasherDefault<NameHasher>>;

#[derive(Default)]
pub(super) struct NameHasher(u64);

impl std::hash::Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = crate::names::hash_bytes(bytes);
    }
    fn write_u32(&mut self, key: u32) {
        self.0 = crate::names::mix(0, u64::from(key)).rotate_right(17);
    }
}

/// An enclosing function-like block binds the name.
const BOUND: u8 = 1;
/// An enclosing block declares the name global.
const GLOBAL: u8 = 2;
/// The binding is that of a type parameter.
const TYPE_PARAM: u8 = 4;

struct Analyzer<'t, 'a> {
    st: &'t mut Symtable<'a>,
    /// What the enclosing blocks say, by name.
    outer: Vec<u8>,
    /// Earlier values, to be restored when a block is left.
    undo: Vec<(Name, u8)>,
    recursion: Recursion,
}

pub(super) fn analyze(st: &mut Symtable<'_>, stack_budget: usize) -> Result<()> {
    let recursion = Recursion::new(stack_budget);
    let mut analyzer = Analyzer { st, outer: Vec::new(), undo: Vec::new(), recursion };
    analyzer.analyze_block(BlockId(0), None, &mut NameSet::default())
}

impl Analyzer<'_, '_> {
    fn outer(&self, name: Name) -> u8 {
        self.outer.get(name.0 as usize).copied().unwrap_or(0)
    }

    fn set_outer(&mut self, name: Name, state: u8) {
        let i = name.0 as usize;
        if i >= self.outer.len() {
            self.outer.resize(i + 64, 0);
        }
        if self.outer[i] != state {
            self.undo.push((name, self.outer[i]));
            self.outer[i] = state;
        }
    }

    fn undo_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            if let Some((name, state)) = self.undo.pop() {
                self.outer[name.0 as usize] = state;
            }
        }
    }

    fn error_at_directive(&self, id: BlockId, name: Name, message: String) -> Box<CompileError> {
        match self.st.entry(id).directives.iter().find(|d| d.0 == name) {
            Some((_, range)) => CompileError::at(*range, message),
            None => CompileError::new(ErrorKind::RuntimeError, "BUG: internal directive bookkeeping broken"),
        }
    }

    /// The scope of one name; what it means for enclosed blocks is added to `changes`.
    fn analyze_name(
        &mut self,
        id: BlockId,
        class_entry: Option<BlockId>,
        name: Name,
        flags: u32,
        free: &mut NameSet,
        changes: &mut Vec<(Name, u8)>,
    ) -> Result<u32> {
        let outer = self.outer(name);
        if flags & DEF_GLOBAL != 0 {
            if flags & DEF_NONLOCAL != 0 {
                let text = self.st.names.text(name);
                return Err(self.error_at_directive(id, name, format!("name '{text}' is nonlocal and global")));
            }
            changes.push((name, outer & !BOUND | GLOBAL));
            return Ok(GLOBAL_EXPLICIT);
        }
        if flags & DEF_NONLOCAL != 0 {
            let text = self.st.names.text(name);
            let message = if id == BlockId(0) {
                "nonlocal declaration not allowed at module level".to_owned()
            } else if outer & BOUND == 0 {
                format!("no binding for nonlocal '{text}' found")
            } else if outer & TYPE_PARAM != 0 {
                format!("nonlocal binding not allowed for type parameter '{text}'")
            } else {
                self.st.entry_mut(id).free = true;
                free.insert(name.0);
                return Ok(FREE);
            };
            return Err(self.error_at_directive(id, name, message));
        }
        if flags & DEF_BOUND != 0 {
            let state = outer & !(GLOBAL | TYPE_PARAM);
            let param = if flags & DEF_TYPE_PARAM != 0 { TYPE_PARAM } else { 0 };
            let bound = if self.st.entry(id).is_function_like() { BOUND } else { 0 };
            changes.push((name, state | param | bound));
            return Ok(LOCAL);
        }
        // An annotation scope inside a class sees the class's names before those of functions around it.
        if let Some(class) = class_entry {
            let class_flags = self.st.entry(class).symbol(name);
            if class_flags & DEF_GLOBAL != 0 {
                return Ok(GLOBAL_EXPLICIT);
            }
            if class_flags & DEF_BOUND != 0 && class_flags & DEF_NONLOCAL == 0 {
                return Ok(GLOBAL_IMPLICIT);
            }
        }
        if outer & BOUND != 0 {
            self.st.entry_mut(id).free = true;
            free.insert(name.0);
            return Ok(FREE);
        }
        if outer & GLOBAL == 0 && self.st.entry(id).nested {
            self.st.entry_mut(id).free = true;
        }
        Ok(GLOBAL_IMPLICIT)
    }

    /// Decides on a block and those inside; the names that it takes from outside are added to `free`.
    fn analyze_block(&mut self, id: BlockId, class_entry: Option<BlockId>, free: &mut NameSet) -> Result<()> {
        self.recursion.enter()?;
        let mark = self.undo.len();
        let is_class = self.st.entry(id).ty == BlockType::Class;
        let symbols = self.st.entry(id).symbols.len();
        let mut scopes: Vec<u32> = Vec::with_capacity(symbols);
        let mut changes = Vec::new();
        for i in 0..symbols {
            let (name, flags) = self.st.entry(id).symbols.entries()[i];
            scopes.push(self.analyze_name(id, class_entry, Name(name), flags, free, &mut changes)?);
        }
        // The names of a class aren't seen by its methods, except that they hide type parameters.
        for (name, state) in changes {
            if is_class {
                let state = self.outer(name) & !TYPE_PARAM | state & TYPE_PARAM;
                self.set_outer(name, state);
            } else {
                self.set_outer(name, state);
            }
        }
        if is_class {
            for name in [known::CLASS, known::CLASSDICT] {
                self.set_outer(name, self.outer(name) | BOUND);
            }
        }

        let mut newfree = NameSet::default();
        let mut inlined_cells = NameSet::default();
        let sees_class = self.st.entry(id).can_see_class_scope;
        let children = std::mem::take(&mut self.st.entry_mut(id).children);
        for &child in &children {
            let entry = self.st.entry(child);
            let inline = entry.comprehension != ComprehensionType::No && !entry.generator && !sees_class;
            let child_class = match entry.can_see_class_scope {
                true if is_class => Some(id),
                true => class_entry,
                false => None,
            };
            let mut child_free = NameSet::default();
            self.analyze_block(child, child_class, &mut child_free)?;
            if inline {
                self.inline_comprehension(id, child, &mut scopes, &mut child_free, &mut inlined_cells);
                let entry = self.st.entry_mut(child);
                entry.comp_inlined = true;
                entry.free = !child_free.is_empty() || !newfree.is_empty();
            }
            if newfree.is_empty() {
                newfree = child_free;
            } else {
                newfree.extend(child_free);
            }
            let entry = self.st.entry(child);
            if entry.free || entry.child_free {
                self.st.entry_mut(id).child_free = true;
            }
        }
        // The blocks inside an inlined comprehension are now ours.
        let mut spliced = Vec::with_capacity(children.len());
        for child in children {
            if self.st.entry(child).comp_inlined {
                spliced.extend_from_slice(&self.st.entry(child).children);
            } else {
                spliced.push(child);
            }
        }
        self.st.entry_mut(id).children = spliced;

        self.undo_to(mark);
        let entry = self.st.entry_mut(id);
        if entry.is_function_like() {
            // A local that an enclosed block uses is a cell; nobody further out needs to know.
            if !newfree.is_empty() || !inlined_cells.is_empty() {
                for (scope, (name, _)) in scopes.iter_mut().zip(entry.symbols.entries()) {
                    if *scope == LOCAL && (newfree.contains(name) || inlined_cells.contains(name)) {
                        *scope = CELL;
                        newfree.remove(name);
                    }
                }
            }
        } else if is_class {
            entry.needs_class_closure |= newfree.remove(&known::CLASS.0);
            entry.needs_classdict |= newfree.remove(&known::CLASSDICT.0);
        }

        // Record the scopes, and the names that only pass through.
        for (flags, scope) in entry.symbols.entries_mut().zip(&scopes) {
            *flags |= scope << SCOPE_OFFSET;
        }
        if !inlined_cells.is_empty() {
            for name in &inlined_cells {
                if let Some(i) = entry.symbols.index_of(*name) {
                    *entry.symbols.value_mut(i) |= DEF_COMP_CELL;
                }
            }
        }
        let class_flag = is_class || entry.can_see_class_scope;
        let mut passing: Vec<u32> = Vec::new();
        for name in &newfree {
            match entry.symbols.index_of(*name) {
                Some(i) if class_flag => *entry.symbols.value_mut(i) |= DEF_FREE_CLASS,
                Some(_) => {}
                None => passing.push(*name),
            }
        }
        passing.sort_unstable();
        for name in passing {
            if id == BlockId(0) || self.outer(Name(name)) & BOUND != 0 {
                self.st.entry_mut(id).symbols.insert(name, FREE << SCOPE_OFFSET);
            }
        }
        free.extend(newfree);
        self.recursion.leave();
        Ok(())
    }

    fn is_free_in_any_child(&self, id: BlockId, name: Name) -> bool {
        self.st.entry(id).children.iter().any(|child| self.st.entry(*child).scope(name) == FREE)
    }

    /// Gives the names of an inlined comprehension to the block around it.
    fn inline_comprehension(
        &mut self,
        id: BlockId,
        comp: BlockId,
        scopes: &mut Vec<u32>,
        comp_free: &mut NameSet,
        inlined_cells: &mut NameSet,
    ) {
        let in_class = self.st.entry(id).ty == BlockType::Class;
        let mut remove_dunder_class = false;
        for i in 0..self.st.entry(comp).symbols.len() {
            let (key, flags) = self.st.entry(comp).symbols.entries()[i];
            let name = Name(key);
            if flags & DEF_PARAM != 0 {
                continue;
            }
            let mut scope = scope_of(flags);
            let only_flags = flags & ((1 << SCOPE_OFFSET) - 1);
            if scope == CELL || only_flags & DEF_COMP_CELL != 0 {
                inlined_cells.insert(key);
            }
            // __class__ is never free through a class.
            if scope == FREE && in_class && name == known::CLASS {
                scope = GLOBAL_IMPLICIT;
                comp_free.remove(&key);
                remove_dunder_class = true;
            }
            match self.st.entry(id).symbols.get(key) {
                None => {
                    self.st.entry_mut(id).symbols.insert(key, only_flags);
                    scopes.push(scope);
                }
                Some(existing) => {
                    // What was free in the comprehension can be an ordinary local now.
                    if existing & DEF_BOUND != 0 && !in_class && !self.is_free_in_any_child(comp, name) {
                        comp_free.remove(&key);
                    }
                }
            }
        }
        if remove_dunder_class {
            self.st.entry_mut(comp).symbols.remove(known::CLASS.0);
        }
    }
}
