//! Comprehensions and generator expressions (PEP 709).

use super::*;

/// What is collected, and by what.
struct Collect<'a> {
    ty: ComprehensionType,
    generators: &'a [Comprehension<'a>],
    elt: &'a Expr<'a>,
    value: Option<&'a Expr<'a>>,
}

/// What an inlined comprehension has changed, to be put back.
struct Inlined {
    /// Locals whose outer values wait on the stack.
    pushed_locals: Vec<Name>,
    /// Symbols that have another scope inside, with their outer flags.
    temp_symbols: Vec<(Name, u32)>,
    /// Names that are fast locals inside only.
    fast_hidden: Vec<Name>,
    cleanup: Label,
    end: Label,
}

impl<'a> Compiler<'a> {
    #[inline(never)]
    pub(super) fn comprehension(
        &mut self,
        e: &'a Expr<'a>,
        ty: ComprehensionType,
        generators: &'a [Comprehension<'a>],
        elt: &'a Expr<'a>,
        value: Option<&'a Expr<'a>>,
    ) -> Result<()> {
        let scope_type = self.u.scope_type;
        let is_top_level_await = self.is_top_level_await();
        let ste = self.st.lookup(e, BlockKey::Node)?;
        let entry = self.st.entry(ste);
        let (is_inlined, is_async_generator) = (entry.comp_inlined, entry.coroutine);
        let loc = self.loc(e.range);
        let is_genexp = ty == ComprehensionType::Generator;

        let mut inlined = None;
        if is_inlined {
            self.comprehension_iter(&generators[0])?;
            inlined = Some(self.push_inlined_state(loc, ste));
        } else {
            let name = match ty {
                ComprehensionType::List => known::ANON_LISTCOMP,
                ComprehensionType::Set => known::ANON_SETCOMP,
                ComprehensionType::Dict => known::ANON_DICTCOMP,
                _ => known::ANON_GENEXPR,
            };
            self.enter_scope(name, ScopeType::Comprehension, ste, e.range.lineno as i32)?;
        }
        if is_async_generator
            && !is_genexp
            && !matches!(scope_type, ScopeType::AsyncFunction | ScopeType::Comprehension)
            && !is_top_level_await
        {
            return Err(self.error(loc, "asynchronous comprehension outside of an asynchronous function"));
        }
        if !is_genexp {
            let op = match ty {
                ComprehensionType::List => BUILD_LIST,
                ComprehensionType::Set => BUILD_SET,
                _ => BUILD_MAP,
            };
            self.addop_i(loc, op, 0);
            if is_inlined {
                self.addop_i(loc, SWAP, 2);
            }
        }
        self.generator(loc, &Collect { ty, generators, elt, value }, 0, 0, is_inlined)?;
        if let Some(inlined) = inlined {
            self.pop_inlined_state(loc, inlined);
            return Ok(());
        }

        if is_genexp {
            self.wrap_in_stopiteration_handler();
        } else {
            self.addop(loc, RETURN_VALUE);
        }
        let finished = self.optimize_and_assemble(true)?;
        self.exit_scope();
        if is_top_level_await && is_async_generator {
            self.st.entry_mut(self.u.ste).coroutine = true;
        }
        self.make_closure(loc, finished, 0)?;
        self.comprehension_iter(&generators[0])?;
        self.addop_i(loc, CALL, 0);
        if is_async_generator && !is_genexp {
            self.add_await(loc, 0);
        }
        Ok(())
    }

    /// The outermost iterable, evaluated outside.
    fn comprehension_iter(&mut self, generator: &Comprehension<'a>) -> Result<()> {
        self.visit_expr(generator.iter)?;
        let loc = self.loc(generator.iter.range);
        self.addop(loc, if generator.is_async != 0 { GET_AITER } else { GET_ITER });
        Ok(())
    }

    /// One `for` clause and what is inside it.
    fn generator(
        &mut self,
        loc: Loc,
        collect: &Collect<'a>,
        index: usize,
        depth: u32,
        iter_on_stack: bool,
    ) -> Result<()> {
        if collect.generators[index].is_async != 0 {
            self.async_generator(loc, collect, index, depth, iter_on_stack)
        } else {
            self.sync_generator(loc, collect, index, depth, iter_on_stack)
        }
    }

    fn sync_generator(
        &mut self,
        loc: Loc,
        collect: &Collect<'a>,
        index: usize,
        mut depth: u32,
        iter_on_stack: bool,
    ) -> Result<()> {
        let generator = &collect.generators[index];
        let start = self.new_label();
        let if_cleanup = self.new_label();
        let anchor = self.new_label();
        let iter_loc = self.loc(generator.iter.range);
        // "for x in [value]" is but an assignment.
        let mut is_loop = true;
        if !iter_on_stack {
            if index == 0 {
                self.u.meta.argcount = 1;
                self.addop_i(loc, LOAD_FAST, 0);
            } else {
                if let ExprKind::List { elts: [elt], .. } | ExprKind::Tuple { elts: [elt], .. } = generator.iter.kind
                    && !matches!(elt.kind, ExprKind::Starred { .. })
                {
                    self.visit_expr(elt)?;
                    is_loop = false;
                }
                if is_loop {
                    self.visit_expr(generator.iter)?;
                    self.addop(iter_loc, GET_ITER);
                }
            }
        }
        if is_loop {
            depth += 1;
            self.addop(iter_loc, GET_ITER);
            self.use_label(start);
            self.addop_jump(iter_loc, FOR_ITER, anchor);
        }
        self.visit_expr(generator.target)?;
        let jump_loc = self.inner(loc, collect, index, depth, if_cleanup)?;
        self.use_label(if_cleanup);
        if is_loop {
            self.addop_jump(jump_loc, JUMP, start);
            self.use_label(anchor);
            // Instrumentation counts on END_FOR being the first.
            self.addop(Loc::NONE, END_FOR);
            self.addop(Loc::NONE, POP_TOP);
        }
        Ok(())
    }

    fn async_generator(
        &mut self,
        loc: Loc,
        collect: &Collect<'a>,
        index: usize,
        depth: u32,
        iter_on_stack: bool,
    ) -> Result<()> {
        let generator = &collect.generators[index];
        let start = self.new_label();
        let except = self.new_label();
        let if_cleanup = self.new_label();
        if !iter_on_stack {
            if index == 0 {
                self.u.meta.argcount = 1;
                self.addop_i(loc, LOAD_FAST, 0);
            } else {
                self.visit_expr(generator.iter)?;
                let iter_loc = self.loc(generator.iter.range);
                self.addop(iter_loc, GET_AITER);
            }
        }
        self.use_label(start);
        self.push_fblock(loc, FBlockType::AsyncComprehensionGenerator, start, Label::NONE)?;
        self.addop_jump(loc, SETUP_FINALLY, except);
        self.addop(loc, GET_ANEXT);
        self.load_none(loc);
        self.add_yield_from(loc, true);
        self.addop(loc, POP_BLOCK);
        self.visit_expr(generator.target)?;
        let jump_loc = self.inner(loc, collect, index, depth + 1, if_cleanup)?;
        self.use_label(if_cleanup);
        self.addop_jump(jump_loc, JUMP, start);
        self.pop_fblock(FBlockType::AsyncComprehensionGenerator);
        self.use_label(except);
        self.addop(loc, END_ASYNC_FOR);
        Ok(())
    }

    /// The conditions of a clause, then the next clause or the element; where the loop's jump belongs.
    fn inner(
        &mut self,
        loc: Loc,
        collect: &Collect<'a>,
        index: usize,
        depth: u32,
        if_cleanup: Label,
    ) -> Result<Loc> {
        for condition in collect.generators[index].ifs {
            self.jump_if(loc, condition, if_cleanup, false)?;
        }
        if index + 1 < collect.generators.len() {
            self.generator(loc, collect, index + 1, depth, false)?;
            return Ok(self.loc(collect.elt.range));
        }
        self.visit_expr(collect.elt)?;
        let mut elt_loc = self.loc(collect.elt.range);
        match collect.ty {
            ComprehensionType::List => self.addop_i(elt_loc, LIST_APPEND, depth + 1),
            ComprehensionType::Set => self.addop_i(elt_loc, SET_ADD, depth + 1),
            ComprehensionType::Dict => {
                if let Some(value) = collect.value {
                    self.visit_expr(value)?;
                    elt_loc = self.loc(collect.elt.range.to(value.range));
                }
                self.addop_i(elt_loc, MAP_ADD, depth + 1);
            }
            ComprehensionType::Generator | ComprehensionType::No => {
                self.addop_yield(elt_loc);
                self.addop(elt_loc, POP_TOP);
            }
        }
        Ok(elt_loc)
    }

    /// Sets the names that the comprehension binds apart from those around it.
    fn push_inlined_state(&mut self, loc: Loc, comp: BlockId) -> Inlined {
        let ste = self.u.ste;
        let in_class_block = self.ste().ty == BlockType::Class && self.u.in_inlined_comp == 0;
        let function_like = self.ste().is_function_like();
        self.u.in_inlined_comp += 1;
        let mut state = Inlined {
            pushed_locals: Vec::new(),
            temp_symbols: Vec::new(),
            fast_hidden: Vec::new(),
            cleanup: Label::NONE,
            end: Label::NONE,
        };
        for i in 0..self.st.entry(comp).symbols.len() {
            let (key, symbol) = self.st.entry(comp).symbols.entries()[i];
            let name = Name(key);
            let outer = self.st.entry(ste).symbol(name);
            let (scope, outer_scope) = (scope_of(symbol), scope_of(outer));
            // What is free inside is what it is outside; a cell inside that is
            // free outside can be free throughout.
            let differs = scope != outer_scope && scope != FREE && !(scope == CELL && outer_scope == FREE);
            if differs || in_class_block {
                self.st.entry_mut(ste).symbols.insert(key, symbol);
                state.temp_symbols.push((name, outer));
            }
            // DEF_LOCAL with DEF_NONLOCAL is the target of an assignment expression.
            if symbol & DEF_LOCAL != 0 && symbol & DEF_NONLOCAL == 0 || in_class_block {
                if !function_like && self.u.meta.fasthidden.get(key) != Some(true) {
                    self.u.meta.fasthidden.insert(key, true);
                    state.fast_hidden.push(name);
                }
                // The outer value, or NULL, or the outer cell.
                let mangled = self.mangle(name);
                let arg = self.u.meta.varnames.add(mangled.0) as u32;
                self.addop_i(loc, LOAD_FAST_AND_CLEAR, arg);
                if scope == CELL {
                    let arg = if outer_scope == FREE { self.free_index(mangled) } else { self.cell_index(mangled) };
                    self.addop_i(loc, MAKE_CELL, arg);
                }
                state.pushed_locals.push(name);
            }
        }
        if !state.pushed_locals.is_empty() {
            // The iterator back to the top; the rotation is undone by the other swap.
            self.addop_i(loc, SWAP, state.pushed_locals.len() as u32 + 1);
            state.cleanup = self.new_label();
            state.end = self.new_label();
            // Nothing but an exception can leave a comprehension early: no block to unwind.
            self.addop_jump(loc, SETUP_FINALLY, state.cleanup);
        }
        state
    }

    fn restore_inlined_locals(&mut self, loc: Loc, state: &Inlined) {
        self.addop_i(loc, SWAP, state.pushed_locals.len() as u32 + 1);
        for &name in state.pushed_locals.iter().rev() {
            let mangled = self.mangle(name);
            let arg = self.u.meta.varnames.add(mangled.0) as u32;
            self.addop_i(loc, STORE_FAST_MAYBE_NULL, arg);
        }
    }

    fn pop_inlined_state(&mut self, loc: Loc, state: Inlined) {
        self.u.in_inlined_comp -= 1;
        for &(name, flags) in &state.temp_symbols {
            self.st.entry_mut(self.u.ste).symbols.insert(name.0, flags);
        }
        if !state.pushed_locals.is_empty() {
            self.addop(Loc::NONE, POP_BLOCK);
            self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, state.end);
            // After an exception the incomplete result is dropped.
            self.use_label(state.cleanup);
            self.addop_i(Loc::NONE, SWAP, 2);
            self.addop(Loc::NONE, POP_TOP);
            self.restore_inlined_locals(loc, &state);
            self.addop_i(Loc::NONE, RERAISE, 0);
            self.use_label(state.end);
            self.restore_inlined_locals(loc, &state);
        }
        for name in state.fast_hidden {
            // Kept as false: the kind of the local is hidden.
            self.u.meta.fasthidden.insert(name.0, false);
        }
    }
}
