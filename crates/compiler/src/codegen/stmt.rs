//! Statements.

use super::*;

/// Is there an annotated assignment in these statements, functions and classes aside?
pub(super) fn find_ann(stmts: &[Stmt<'_>]) -> bool {
    stmts.iter().any(|s| match s.kind {
        StmtKind::AnnAssign { .. } => true,
        StmtKind::For { body, orelse, .. }
        | StmtKind::AsyncFor { body, orelse, .. }
        | StmtKind::While { body, orelse, .. }
        | StmtKind::If { body, orelse, .. } => find_ann(body) || find_ann(orelse),
        StmtKind::With { body, .. } | StmtKind::AsyncWith { body, .. } => find_ann(body),
        StmtKind::Try { body, handlers, orelse, finalbody }
        | StmtKind::TryStar { body, handlers, orelse, finalbody } => {
            handlers.iter().any(|h| find_ann(h.body)) || find_ann(body) || find_ann(finalbody) || find_ann(orelse)
        }
        StmtKind::Match { cases, .. } => cases.iter().any(|case| find_ann(case.body)),
        _ => false,
    })
}

/// Does the first location start after the second ends?
fn location_is_after(a: Location, b: Location) -> bool {
    a.lineno > b.end_lineno || a.lineno == b.end_lineno && a.col_offset > b.end_col_offset
}

impl<'a> Compiler<'a> {
    /// The statements of a module or class.
    pub(super) fn body(&mut self, loc: Loc, stmts: &'a [Stmt<'a>]) -> Result<()> {
        if find_ann(stmts) {
            self.addop(loc, SETUP_ANNOTATIONS);
        }
        let mut rest = stmts;
        if let Some((doc, range)) = docstring(stmts) {
            rest = &stmts[1..];
            if self.optimize < 2 {
                let doc = crate::docstring::clean_doc(doc).map_err(|doc| CompileError::surrogates(Str::from(&*doc)))?;
                let id = self.pool.add_str(Str::from(&*doc));
                let loc = self.loc(range);
                self.load_const_id(loc, id);
                self.nameop(Loc::NONE, known::DOC, ExprContext::Store)?;
            }
        }
        self.visit_stmts(rest)
    }

    pub(super) fn visit_stmts(&mut self, stmts: &'a [Stmt<'a>]) -> Result<()> {
        for s in stmts {
            self.visit_stmt(s)?;
        }
        Ok(())
    }

    pub(super) fn visit_stmt(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        self.recursion.enter()?;
        match s.kind {
            StmtKind::FunctionDef { .. } => self.function(s, false)?,
            StmtKind::AsyncFunctionDef { .. } => self.function(s, true)?,
            StmtKind::ClassDef { .. } => self.class(s)?,
            StmtKind::TypeAlias { .. } => self.type_alias(s)?,
            StmtKind::Return { value } => self.return_(s, value)?,
            StmtKind::Delete { targets } => self.visit_exprs(targets)?,
            StmtKind::Assign { targets, value, .. } => {
                self.visit_expr(value)?;
                for (i, target) in targets.iter().enumerate() {
                    if i + 1 < targets.len() {
                        let loc = self.loc(s.range);
                        self.addop_i(loc, COPY, 1);
                    }
                    self.visit_expr(target)?;
                }
            }
            StmtKind::AugAssign { target, op, value } => self.aug_assign(s, target, op, value)?,
            StmtKind::AnnAssign { target, annotation, value, simple } => {
                self.ann_assign(s, target, annotation, value, simple != 0)?
            }
            StmtKind::For { target, iter, body, orelse, .. } => self.for_(s, target, iter, body, orelse)?,
            StmtKind::AsyncFor { target, iter, body, orelse, .. } => self.async_for(s, target, iter, body, orelse)?,
            StmtKind::While { test, body, orelse } => self.while_(s, test, body, orelse)?,
            StmtKind::If { test, body, orelse } => self.if_(s, test, body, orelse)?,
            StmtKind::Match { subject, cases } => self.match_(subject, cases)?,
            StmtKind::Raise { exc, cause } => {
                let mut n = 0;
                if let Some(exc) = exc {
                    self.visit_expr(exc)?;
                    n += 1;
                    if let Some(cause) = cause {
                        self.visit_expr(cause)?;
                        n += 1;
                    }
                }
                let loc = self.loc(s.range);
                self.addop_i(loc, RAISE_VARARGS, n);
            }
            StmtKind::Try { finalbody, .. } | StmtKind::TryStar { finalbody, .. } => {
                if finalbody.is_empty() {
                    self.try_except_or_star(s)?;
                } else {
                    self.try_finally(s)?;
                }
            }
            StmtKind::Assert { test, msg } => self.assert(s, test, msg)?,
            StmtKind::Import { names } => self.import(s, names)?,
            StmtKind::ImportFrom { module, names, level } => self.from_import(s, module, names, level)?,
            StmtKind::Global { .. } | StmtKind::Nonlocal { .. } => {}
            StmtKind::Expr { value } => self.expr_stmt(s, value)?,
            StmtKind::Pass => {
                let loc = self.loc(s.range);
                self.addop(loc, NOP);
            }
            StmtKind::Break => self.break_(s)?,
            StmtKind::Continue => self.continue_(s)?,
            StmtKind::With { items, body, .. } => self.with(items, body)?,
            StmtKind::AsyncWith { items, body, .. } => self.async_with(s, items, body)?,
        }
        self.recursion.leave();
        Ok(())
    }

    #[inline(never)]
    fn expr_stmt(&mut self, s: &'a Stmt<'a>, value: &'a Expr<'a>) -> Result<()> {
        let loc = self.loc(s.range);
        if self.interactive && self.stack.is_empty() {
            self.visit_expr(value)?;
            self.addop_i(loc, CALL_INTRINSIC_1, intrinsic_1::PRINT);
            self.addop(Loc::NONE, POP_TOP);
        } else if let ExprKind::Constant { .. } = value.kind {
            // A constant does nothing, but its line exists.
            self.addop(loc, NOP);
        } else {
            self.visit_expr(value)?;
            self.addop(Loc::NONE, POP_TOP);
        }
        Ok(())
    }

    #[inline(never)]
    fn if_(
        &mut self,
        s: &'a Stmt<'a>,
        test: &'a Expr<'a>,
        body: &'a [Stmt<'a>],
        orelse: &'a [Stmt<'a>],
    ) -> Result<()> {
        let end = self.new_label();
        let next = if orelse.is_empty() { end } else { self.new_label() };
        let loc = self.loc(s.range);
        self.jump_if(loc, test, next, false)?;
        self.visit_stmts(body)?;
        if !orelse.is_empty() {
            self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, end);
            self.use_label(next);
            self.visit_stmts(orelse)?;
        }
        self.use_label(end);
        Ok(())
    }

    #[inline(never)]
    fn for_(
        &mut self,
        s: &'a Stmt<'a>,
        target: &'a Expr<'a>,
        iter: &'a Expr<'a>,
        body: &'a [Stmt<'a>],
        orelse: &'a [Stmt<'a>],
    ) -> Result<()> {
        let start = self.new_label();
        let cleanup = self.new_label();
        let end = self.new_label();
        let loc = self.loc(s.range);
        self.push_fblock(loc, FBlockType::ForLoop, start, end)?;
        self.visit_expr(iter)?;
        let loc = self.loc(iter.range);
        self.addop(loc, GET_ITER);
        self.use_label(start);
        self.addop_jump(loc, FOR_ITER, cleanup);
        // The target's own line is traced; a redundant NOP goes away later.
        let target_loc = self.loc(target.range);
        self.addop(target_loc, NOP);
        self.visit_expr(target)?;
        self.visit_stmts(body)?;
        self.addop_jump(Loc::NONE, JUMP, start);
        self.use_label(cleanup);
        // Instrumentation counts on END_FOR being the first.
        self.addop(Loc::NONE, END_FOR);
        self.addop(Loc::NONE, POP_TOP);
        self.pop_fblock(FBlockType::ForLoop);
        self.visit_stmts(orelse)?;
        self.use_label(end);
        Ok(())
    }

    #[inline(never)]
    fn async_for(
        &mut self,
        s: &'a Stmt<'a>,
        target: &'a Expr<'a>,
        iter: &'a Expr<'a>,
        body: &'a [Stmt<'a>],
        orelse: &'a [Stmt<'a>],
    ) -> Result<()> {
        let loc = self.loc(s.range);
        self.require_async(loc, "'async for' outside async function")?;
        let start = self.new_label();
        let except = self.new_label();
        let end = self.new_label();
        self.visit_expr(iter)?;
        let iter_loc = self.loc(iter.range);
        self.addop(iter_loc, GET_AITER);
        self.use_label(start);
        self.push_fblock(loc, FBlockType::ForLoop, start, end)?;
        // The handler is for __anext__() only.
        self.addop_jump(loc, SETUP_FINALLY, except);
        self.addop(loc, GET_ANEXT);
        self.load_none(loc);
        self.add_yield_from(loc, true);
        self.addop(loc, POP_BLOCK);
        self.visit_expr(target)?;
        self.visit_stmts(body)?;
        self.addop_jump(Loc::NONE, JUMP, start);
        self.pop_fblock(FBlockType::ForLoop);
        self.use_label(except);
        self.addop(iter_loc, END_ASYNC_FOR);
        self.visit_stmts(orelse)?;
        self.use_label(end);
        Ok(())
    }

    /// `async for` and `async with` need a coroutine, or make the module one where that is allowed.
    fn require_async(&mut self, loc: Loc, message: &str) -> Result<()> {
        if self.is_top_level_await() {
            self.st.entry_mut(self.u.ste).coroutine = true;
        } else if self.u.scope_type != ScopeType::AsyncFunction {
            return Err(self.error(loc, message));
        }
        Ok(())
    }

    #[inline(never)]
    fn while_(
        &mut self,
        s: &'a Stmt<'a>,
        test: &'a Expr<'a>,
        body: &'a [Stmt<'a>],
        orelse: &'a [Stmt<'a>],
    ) -> Result<()> {
        let start = self.new_label();
        let inside = self.new_label();
        let end = self.new_label();
        let anchor = self.new_label();
        let loc = self.loc(s.range);
        self.use_label(start);
        self.push_fblock(loc, FBlockType::WhileLoop, start, end)?;
        self.jump_if(loc, test, anchor, false)?;
        self.use_label(inside);
        self.visit_stmts(body)?;
        // The test is there twice, which saves a jump an iteration.
        self.jump_if(loc, test, inside, true)?;
        self.pop_fblock(FBlockType::WhileLoop);
        self.use_label(anchor);
        self.visit_stmts(orelse)?;
        self.use_label(end);
        Ok(())
    }

    #[inline(never)]
    fn return_(&mut self, s: &'a Stmt<'a>, value: Option<&'a Expr<'a>>) -> Result<()> {
        let mut loc = self.loc(s.range);
        let constant = match value {
            Some(Expr { kind: ExprKind::Constant { value, .. }, .. }) => Some(value),
            _ => None,
        };
        let preserve_tos = value.is_some() && constant.is_none();
        let ste = self.ste();
        if !ste.is_function_like() {
            return Err(self.error(loc, "'return' outside function"));
        }
        if value.is_some() && ste.coroutine && ste.generator {
            return Err(self.error(loc, "'return' with value in async generator"));
        }
        if let Some(value) = value {
            if preserve_tos {
                self.visit_expr(value)?;
            } else {
                // The value's line is executed even if what it loads moves.
                loc = self.loc(value.range);
                self.addop(loc, NOP);
            }
        }
        if value.is_none_or(|v| v.range.lineno != s.range.lineno) {
            loc = self.loc(s.range);
            self.addop(loc, NOP);
        }
        self.unwind_fblock_stack(&mut loc, preserve_tos, false)?;
        match constant {
            Some(value) => self.load_const(loc, value),
            None if value.is_none() => self.load_none(loc),
            None => {}
        }
        self.addop(loc, RETURN_VALUE);
        Ok(())
    }

    #[inline(never)]
    fn break_(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        let origin = self.loc(s.range);
        let mut loc = origin;
        self.addop(loc, NOP);
        let Some(fblock) = self.unwind_fblock_stack(&mut loc, false, true)? else {
            return Err(self.error(origin, "'break' outside loop"));
        };
        self.unwind_fblock(&mut loc, &fblock, false)?;
        self.addop_jump(loc, JUMP, fblock.exit);
        Ok(())
    }

    #[inline(never)]
    fn continue_(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        let origin = self.loc(s.range);
        let mut loc = origin;
        self.addop(loc, NOP);
        let Some(fblock) = self.unwind_fblock_stack(&mut loc, false, true)? else {
            return Err(self.error(origin, "'continue' not properly in loop"));
        };
        self.addop_jump(loc, JUMP, fblock.block);
        Ok(())
    }

    /// `try` with `finally`: the final statements are there once for the normal way out and once for
    /// exceptions; `return` and the like make further copies when they unwind.
    #[inline(never)]
    fn try_finally(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        let (StmtKind::Try { body, handlers, finalbody, .. } | StmtKind::TryStar { body, handlers, finalbody, .. }) =
            s.kind
        else {
            return Ok(());
        };
        let loc = self.loc(s.range);
        let inside = self.new_label();
        let end = self.new_label();
        let exit = self.new_label();
        let cleanup = self.new_label();

        self.addop_jump(loc, SETUP_FINALLY, end);
        self.use_label(inside);
        self.push_fblock_with(FBlock {
            ty: FBlockType::FinallyTry,
            block: inside,
            exit: end,
            loc,
            finalbody,
            name: None,
        })?;
        if handlers.is_empty() {
            self.visit_stmts(body)?;
        } else {
            self.try_except_or_star(s)?;
        }
        self.addop(Loc::NONE, POP_BLOCK);
        self.pop_fblock(FBlockType::FinallyTry);
        self.visit_stmts(finalbody)?;
        self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, exit);

        self.use_label(end);
        self.addop_jump(Loc::NONE, SETUP_CLEANUP, cleanup);
        self.addop(Loc::NONE, PUSH_EXC_INFO);
        self.push_fblock(Loc::NONE, FBlockType::FinallyEnd, end, Label::NONE)?;
        self.visit_stmts(finalbody)?;
        self.pop_fblock(FBlockType::FinallyEnd);
        self.addop_i(Loc::NONE, RERAISE, 0);

        self.use_label(cleanup);
        self.pop_except_and_reraise(Loc::NONE);
        self.use_label(exit);
        Ok(())
    }

    fn try_except_or_star(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        match s.kind {
            StmtKind::Try { body, handlers, orelse, .. } => self.try_except(s, body, handlers, orelse),
            StmtKind::TryStar { body, handlers, orelse, .. } => self.try_star_except(s, body, handlers, orelse),
            _ => Ok(()),
        }
    }

    #[inline(never)]
    fn try_except(
        &mut self,
        s: &'a Stmt<'a>,
        body: &'a [Stmt<'a>],
        handlers: &'a [ExceptHandler<'a>],
        orelse: &'a [Stmt<'a>],
    ) -> Result<()> {
        let loc = self.loc(s.range);
        let inside = self.new_label();
        let mut except = self.new_label();
        let end = self.new_label();
        let cleanup = self.new_label();

        self.addop_jump(loc, SETUP_FINALLY, except);
        self.use_label(inside);
        self.push_fblock(loc, FBlockType::TryExcept, inside, Label::NONE)?;
        self.visit_stmts(body)?;
        self.pop_fblock(FBlockType::TryExcept);
        self.addop(Loc::NONE, POP_BLOCK);
        self.visit_stmts(orelse)?;
        self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, end);

        self.use_label(except);
        self.addop_jump(Loc::NONE, SETUP_CLEANUP, cleanup);
        self.addop(Loc::NONE, PUSH_EXC_INFO);
        self.push_fblock(loc, FBlockType::ExceptionHandler, Label::NONE, Label::NONE)?;
        for (i, handler) in handlers.iter().enumerate() {
            let loc = self.loc(handler.range);
            if handler.type_.is_none() && i + 1 < handlers.len() {
                return Err(self.error(loc, "default 'except:' must be last"));
            }
            except = self.new_label();
            if let Some(type_) = handler.type_ {
                self.visit_expr(type_)?;
                self.addop(loc, CHECK_EXC_MATCH);
                self.addop_jump(loc, POP_JUMP_IF_FALSE, except);
            }
            self.handler_body(loc, handler, end)?;
            self.use_label(except);
        }
        self.pop_fblock(FBlockType::ExceptionHandler);
        self.addop_i(Loc::NONE, RERAISE, 0);

        self.use_label(cleanup);
        self.pop_except_and_reraise(Loc::NONE);
        self.use_label(end);
        Ok(())
    }

    /// Binds the exception, runs the handler, unbinds it in whatever way the handler is left.
    fn handler_body(&mut self, loc: Loc, handler: &'a ExceptHandler<'a>, end: Label) -> Result<()> {
        let Some(name_text) = handler.name else {
            let inside = self.new_label();
            self.addop(loc, POP_TOP);
            self.use_label(inside);
            self.push_fblock(loc, FBlockType::HandlerCleanup, inside, Label::NONE)?;
            self.visit_stmts(handler.body)?;
            self.pop_fblock(FBlockType::HandlerCleanup);
            self.addop(Loc::NONE, POP_BLOCK);
            self.addop(Loc::NONE, POP_EXCEPT);
            self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, end);
            return Ok(());
        };
        let cleanup_end = self.new_label();
        let inside = self.new_label();
        let name = self.intern(name_text);
        self.nameop(loc, name, ExprContext::Store)?;
        self.addop_jump(loc, SETUP_CLEANUP, cleanup_end);
        self.use_label(inside);
        self.push_fblock_with(FBlock {
            ty: FBlockType::HandlerCleanup,
            block: inside,
            exit: Label::NONE,
            loc,
            finalbody: &[],
            name: handler.name,
        })?;
        self.visit_stmts(handler.body)?;
        self.pop_fblock(FBlockType::HandlerCleanup);
        self.addop(Loc::NONE, POP_BLOCK);
        self.addop(Loc::NONE, POP_BLOCK);
        self.addop(Loc::NONE, POP_EXCEPT);
        self.unbind_exception(Loc::NONE, name_text)?;
        self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, end);

        self.use_label(cleanup_end);
        self.unbind_exception(Loc::NONE, name_text)?;
        self.addop_i(Loc::NONE, RERAISE, 1);
        Ok(())
    }

    /// `except*`: the stack holds the original exception, the list of what the
    /// handlers raised, and the part of the group that isn't handled yet.
    #[inline(never)]
    fn try_star_except(
        &mut self,
        s: &'a Stmt<'a>,
        body: &'a [Stmt<'a>],
        handlers: &'a [ExceptHandler<'a>],
        orelse: &'a [Stmt<'a>],
    ) -> Result<()> {
        let loc = self.loc(s.range);
        let inside = self.new_label();
        let mut except = self.new_label();
        let else_ = self.new_label();
        let end = self.new_label();
        let cleanup = self.new_label();
        let reraise_star = self.new_label();

        self.addop_jump(loc, SETUP_FINALLY, except);
        self.use_label(inside);
        self.push_fblock(loc, FBlockType::TryExcept, inside, Label::NONE)?;
        self.visit_stmts(body)?;
        self.pop_fblock(FBlockType::TryExcept);
        self.addop(Loc::NONE, POP_BLOCK);
        self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, else_);

        self.use_label(except);
        self.addop_jump(Loc::NONE, SETUP_CLEANUP, cleanup);
        self.addop(Loc::NONE, PUSH_EXC_INFO);
        self.push_fblock(loc, FBlockType::ExceptionGroupHandler, Label::NONE, Label::NONE)?;
        for (i, handler) in handlers.iter().enumerate() {
            let loc = self.loc(handler.range);
            except = self.new_label();
            let except_with_error = self.new_label();
            let no_match = self.new_label();
            if i == 0 {
                self.addop_i(loc, BUILD_LIST, 0);
                self.addop_i(loc, COPY, 2);
            }
            if let Some(type_) = handler.type_ {
                self.visit_expr(type_)?;
                self.addop(loc, CHECK_EG_MATCH);
                self.addop_i(loc, COPY, 1);
                self.addop_jump(loc, POP_JUMP_IF_NONE, no_match);
            }
            let cleanup_end = self.new_label();
            let handler_inside = self.new_label();
            match handler.name {
                Some(name) => {
                    let name = self.intern(name);
                    self.nameop(loc, name, ExprContext::Store)?;
                }
                None => self.addop(loc, POP_TOP),
            }
            self.addop_jump(loc, SETUP_CLEANUP, cleanup_end);
            self.use_label(handler_inside);
            self.push_fblock_with(FBlock {
                ty: FBlockType::HandlerCleanup,
                block: handler_inside,
                exit: Label::NONE,
                loc,
                finalbody: &[],
                name: handler.name,
            })?;
            self.visit_stmts(handler.body)?;
            self.pop_fblock(FBlockType::HandlerCleanup);
            self.addop(Loc::NONE, POP_BLOCK);
            if let Some(name) = handler.name {
                self.unbind_exception(Loc::NONE, name)?;
            }
            self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, except);

            self.use_label(cleanup_end);
            if let Some(name) = handler.name {
                self.unbind_exception(Loc::NONE, name)?;
            }
            // The exception goes to the list, lasti away.
            self.addop_i(Loc::NONE, LIST_APPEND, 3);
            self.addop(Loc::NONE, POP_TOP);
            self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, except_with_error);

            self.use_label(except);
            self.addop(Loc::NONE, NOP);
            self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, except_with_error);

            self.use_label(no_match);
            self.addop(loc, POP_TOP);

            self.use_label(except_with_error);
            if i + 1 == handlers.len() {
                // What nobody handled is raised too.
                self.addop_i(Loc::NONE, LIST_APPEND, 1);
                self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, reraise_star);
            }
        }
        self.pop_fblock(FBlockType::ExceptionGroupHandler);
        let reraise = self.new_label();

        self.use_label(reraise_star);
        self.addop_i(Loc::NONE, CALL_INTRINSIC_2, intrinsic_2::PREP_RERAISE_STAR);
        self.addop_i(Loc::NONE, COPY, 1);
        self.addop_jump(Loc::NONE, POP_JUMP_IF_NOT_NONE, reraise);
        self.addop(Loc::NONE, POP_TOP);
        self.addop(Loc::NONE, POP_BLOCK);
        self.addop(Loc::NONE, POP_EXCEPT);
        self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, end);

        self.use_label(reraise);
        self.addop(Loc::NONE, POP_BLOCK);
        self.addop_i(Loc::NONE, SWAP, 2);
        self.addop(Loc::NONE, POP_EXCEPT);
        self.addop_i(Loc::NONE, RERAISE, 0);

        self.use_label(cleanup);
        self.pop_except_and_reraise(Loc::NONE);
        self.use_label(else_);
        self.visit_stmts(orelse)?;
        self.use_label(end);
        Ok(())
    }

    #[inline(never)]
    fn import(&mut self, s: &'a Stmt<'a>, names: &'a [Alias<'a>]) -> Result<()> {
        let loc = self.loc(s.range);
        for alias in names {
            self.load_int(loc, 0);
            self.load_none(loc);
            let name = self.intern(alias.name);
            self.addop_name(loc, IMPORT_NAME, name);
            match alias.asname {
                Some(asname) => self.import_as(loc, alias.name, asname)?,
                None => {
                    // "import a.b" binds a.
                    let first = alias.name.split_once('.').map_or(alias.name, |(first, _)| first);
                    let first = self.intern(first);
                    self.nameop(loc, first, ExprContext::Store)?;
                }
            }
        }
        Ok(())
    }

    /// Binds the module that `IMPORT_NAME` left; for "a.b.c" it left a.
    fn import_as(&mut self, loc: Loc, name: &'a str, asname: &'a str) -> Result<()> {
        let asname = self.intern(asname);
        let mut parts = name.split('.').skip(1).peekable();
        if parts.peek().is_none() {
            return self.nameop(loc, asname, ExprContext::Store);
        }
        while let Some(part) = parts.next() {
            let part = self.intern(part);
            let arg = self.u.meta.names.add(part.0) as u32;
            self.addop_i(loc, IMPORT_FROM, arg);
            if parts.peek().is_some() {
                self.addop_i(loc, SWAP, 2);
                self.addop(loc, POP_TOP);
            }
        }
        self.nameop(loc, asname, ExprContext::Store)?;
        self.addop(loc, POP_TOP);
        Ok(())
    }

    #[inline(never)]
    fn from_import(
        &mut self,
        s: &'a Stmt<'a>,
        module: Option<&'a str>,
        names: &'a [Alias<'a>],
        level: Option<i32>,
    ) -> Result<()> {
        let loc = self.loc(s.range);
        let level = level.unwrap_or(0);
        let id = self.pool.add(Const::Int(i64::from(level)));
        self.load_const_id(loc, id);
        if location_is_after(self.location(loc), self.future_location) && level == 0 && module == Some("__future__") {
            return Err(self.error(loc, "from __future__ imports must occur at the beginning of the file"));
        }
        let id = self.const_names(names.iter().map(|alias| alias.name));
        self.load_const_id(loc, id);
        let module = self.intern(module.unwrap_or(""));
        self.addop_name(loc, IMPORT_NAME, module);
        for (i, alias) in names.iter().enumerate() {
            if i == 0 && alias.name.starts_with('*') {
                self.addop_i(loc, CALL_INTRINSIC_1, intrinsic_1::IMPORT_STAR);
                self.addop(Loc::NONE, POP_TOP);
                return Ok(());
            }
            let name = self.intern(alias.name);
            self.addop_name(loc, IMPORT_FROM, name);
            let store = match alias.asname {
                Some(asname) => self.intern(asname),
                None => name,
            };
            self.nameop(loc, store, ExprContext::Store)?;
        }
        self.addop(loc, POP_TOP);
        Ok(())
    }

    #[inline(never)]
    fn assert(&mut self, s: &'a Stmt<'a>, test: &'a Expr<'a>, msg: Option<&'a Expr<'a>>) -> Result<()> {
        let loc = self.loc(s.range);
        let always_true = match test.kind {
            ExprKind::Tuple { elts, .. } => !elts.is_empty(),
            ExprKind::Constant { value: Constant::Tuple(items), .. } => !items.is_empty(),
            _ => false,
        };
        if always_true {
            self.warn(loc, "assertion is always true, perhaps remove parentheses?".to_owned());
        }
        if self.optimize > 0 {
            return Ok(());
        }
        let end = self.new_label();
        self.jump_if(loc, test, end, true)?;
        self.addop(loc, LOAD_ASSERTION_ERROR);
        if let Some(msg) = msg {
            self.visit_expr(msg)?;
            self.addop_i(loc, CALL, 0);
        }
        let test_loc = self.loc(test.range);
        self.addop_i(test_loc, RAISE_VARARGS, 1);
        self.use_label(end);
        Ok(())
    }

    /// After a handler that `__exit__` may have told to go on.
    fn with_except_finish(&mut self, cleanup: Label) {
        let suppress = self.new_label();
        self.addop(Loc::NONE, TO_BOOL);
        self.addop_jump(Loc::NONE, POP_JUMP_IF_TRUE, suppress);
        self.addop_i(Loc::NONE, RERAISE, 2);
        self.use_label(suppress);
        self.addop(Loc::NONE, POP_TOP);
        self.addop(Loc::NONE, POP_BLOCK);
        self.addop(Loc::NONE, POP_EXCEPT);
        self.addop(Loc::NONE, POP_TOP);
        self.addop(Loc::NONE, POP_TOP);
        let exit = self.new_label();
        self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, exit);
        self.use_label(cleanup);
        self.pop_except_and_reraise(Loc::NONE);
        self.use_label(exit);
    }

    #[inline(never)]
    fn with(&mut self, items: &'a [WithItem<'a>], body: &'a [Stmt<'a>]) -> Result<()> {
        let Some((item, rest)) = items.split_first() else { return Ok(()) };
        let block = self.new_label();
        let finally = self.new_label();
        let exit = self.new_label();
        let cleanup = self.new_label();

        self.visit_expr(item.context_expr)?;
        let loc = self.loc(item.context_expr.range);
        self.addop(loc, BEFORE_WITH);
        self.addop_jump(loc, SETUP_WITH, finally);
        self.use_label(block);
        self.push_fblock(loc, FBlockType::With, block, finally)?;
        self.with_target_and_body(loc, item, |c| match rest {
            [] => c.visit_stmts(body),
            rest => c.with(rest, body),
        })?;
        self.addop(Loc::NONE, POP_BLOCK);
        self.pop_fblock(FBlockType::With);

        self.call_exit_with_nones(loc);
        self.addop(loc, POP_TOP);
        self.addop_jump(loc, JUMP, exit);

        self.use_label(finally);
        self.addop_jump(loc, SETUP_CLEANUP, cleanup);
        self.addop(loc, PUSH_EXC_INFO);
        self.addop(loc, WITH_EXCEPT_START);
        self.with_except_finish(cleanup);
        self.use_label(exit);
        Ok(())
    }

    fn with_target_and_body(
        &mut self,
        loc: Loc,
        item: &'a WithItem<'a>,
        body: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        match item.optional_vars {
            Some(target) => self.visit_expr(target)?,
            None => self.addop(loc, POP_TOP),
        }
        body(self)
    }

    #[inline(never)]
    fn async_with(&mut self, s: &'a Stmt<'a>, items: &'a [WithItem<'a>], body: &'a [Stmt<'a>]) -> Result<()> {
        let Some((item, rest)) = items.split_first() else { return Ok(()) };
        let loc = self.loc(s.range);
        self.require_async(loc, "'async with' outside async function")?;
        let block = self.new_label();
        let finally = self.new_label();
        let exit = self.new_label();
        let cleanup = self.new_label();

        self.visit_expr(item.context_expr)?;
        let loc = self.loc(item.context_expr.range);
        self.addop(loc, BEFORE_ASYNC_WITH);
        self.add_await(loc, 1);
        self.addop_jump(loc, SETUP_WITH, finally);
        self.use_label(block);
        self.push_fblock(loc, FBlockType::AsyncWith, block, finally)?;
        self.with_target_and_body(loc, item, |c| match rest {
            [] => c.visit_stmts(body),
            rest => c.async_with(s, rest, body),
        })?;
        self.pop_fblock(FBlockType::AsyncWith);
        self.addop(loc, POP_BLOCK);

        self.call_exit_with_nones(loc);
        self.add_await(loc, 2);
        self.addop(loc, POP_TOP);
        self.addop_jump(loc, JUMP, exit);

        self.use_label(finally);
        self.addop_jump(loc, SETUP_CLEANUP, cleanup);
        self.addop(loc, PUSH_EXC_INFO);
        self.addop(loc, WITH_EXCEPT_START);
        self.add_await(loc, 2);
        self.with_except_finish(cleanup);
        self.use_label(exit);
        Ok(())
    }

    #[inline(never)]
    fn aug_assign(
        &mut self,
        s: &'a Stmt<'a>,
        target: &'a Expr<'a>,
        op: Operator,
        value: &'a Expr<'a>,
    ) -> Result<()> {
        let loc = self.loc(target.range);
        // Load what is changed, keeping what the store will need.
        match target.kind {
            ExprKind::Attribute { value: object, attr, .. } => {
                self.visit_expr(object)?;
                self.addop_i(loc, COPY, 1);
                let loc = self.start_at_attribute(loc, target);
                let name = self.intern(attr);
                self.addop_name(loc, LOAD_ATTR, name);
            }
            ExprKind::Subscript { value: object, slice, .. } => {
                self.visit_expr(object)?;
                if expr::is_two_element_slice(slice) {
                    self.slice_parts(slice)?;
                    self.addop_i(loc, COPY, 3);
                    self.addop_i(loc, COPY, 3);
                    self.addop_i(loc, COPY, 3);
                    self.addop(loc, BINARY_SLICE);
                } else {
                    self.visit_expr(slice)?;
                    self.addop_i(loc, COPY, 2);
                    self.addop_i(loc, COPY, 2);
                    self.addop(loc, BINARY_SUBSCR);
                }
            }
            ExprKind::Name { id, .. } => {
                let name = self.intern(id);
                self.nameop(loc, name, ExprContext::Load)?;
            }
            _ => {
                return Err(CompileError::new(
                    ErrorKind::SystemError,
                    "invalid node type for augmented assignment",
                ));
            }
        }
        self.visit_expr(value)?;
        let stmt_loc = self.loc(s.range);
        self.addop_i(stmt_loc, BINARY_OP, expr::binary_op(op, true));
        match target.kind {
            ExprKind::Attribute { attr, .. } => {
                let loc = self.start_at_attribute(loc, target);
                self.addop_i(loc, SWAP, 2);
                let name = self.intern(attr);
                self.addop_name(loc, STORE_ATTR, name);
            }
            ExprKind::Subscript { slice, .. } => {
                if expr::is_two_element_slice(slice) {
                    self.addop_i(loc, SWAP, 4);
                    self.addop_i(loc, SWAP, 3);
                    self.addop_i(loc, SWAP, 2);
                    self.addop(loc, STORE_SLICE);
                } else {
                    self.addop_i(loc, SWAP, 3);
                    self.addop_i(loc, SWAP, 2);
                    self.addop(loc, STORE_SUBSCR);
                }
            }
            ExprKind::Name { id, .. } => {
                let name = self.intern(id);
                self.nameop(loc, name, ExprContext::Store)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Evaluates an expression for its errors only.
    fn check_ann_expr(&mut self, e: &'a Expr<'a>) -> Result<()> {
        self.visit_expr(e)?;
        let loc = self.loc(e.range);
        self.addop(loc, POP_TOP);
        Ok(())
    }

    fn check_ann_subscr(&mut self, e: &'a Expr<'a>) -> Result<()> {
        match e.kind {
            ExprKind::Slice { lower, upper, step } => {
                for part in [lower, upper, step].into_iter().flatten() {
                    self.check_ann_expr(part)?;
                }
                Ok(())
            }
            ExprKind::Tuple { elts, .. } => {
                for elt in elts {
                    self.check_ann_subscr(elt)?;
                }
                Ok(())
            }
            _ => self.check_ann_expr(e),
        }
    }

    #[inline(never)]
    fn ann_assign(
        &mut self,
        s: &'a Stmt<'a>,
        target: &'a Expr<'a>,
        annotation: &'a Expr<'a>,
        value: Option<&'a Expr<'a>>,
        simple: bool,
    ) -> Result<()> {
        let loc = self.loc(s.range);
        let kept = matches!(self.u.scope_type, ScopeType::Module | ScopeType::Class);
        let postponed = self.flags & CO_FUTURE_ANNOTATIONS != 0;
        if let Some(value) = value {
            self.visit_expr(value)?;
            self.visit_expr(target)?;
        }
        match target.kind {
            ExprKind::Name { id, .. } => {
                let name = self.intern(id);
                self.forbidden_name(loc, name, ExprContext::Store)?;
                if simple && kept {
                    if postponed {
                        self.annotation_string(annotation)?;
                    } else {
                        self.visit_expr(annotation)?;
                    }
                    self.addop_name(loc, LOAD_NAME, known::ANNOTATIONS);
                    let mangled = self.mangle(name);
                    self.load_name_const(loc, mangled);
                    self.addop(loc, STORE_SUBSCR);
                }
            }
            ExprKind::Attribute { value: object, attr, .. } => {
                let name = self.intern(attr);
                self.forbidden_name(loc, name, ExprContext::Store)?;
                if value.is_none() {
                    self.check_ann_expr(object)?;
                }
            }
            ExprKind::Subscript { value: object, slice, .. } => {
                if value.is_none() {
                    self.check_ann_expr(object)?;
                    self.check_ann_subscr(slice)?;
                }
            }
            _ => {
                return Err(CompileError::new(
                    ErrorKind::SystemError,
                    "invalid node type for annotated assignment",
                ));
            }
        }
        if !simple && !postponed && kept {
            self.check_ann_expr(annotation)?;
        }
        Ok(())
    }
}
