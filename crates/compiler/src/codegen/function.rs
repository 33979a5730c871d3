//! Functions, lambdas, classes, type parameters and type aliases.

use super::*;

const MAKE_FUNCTION_DEFAULTS: u32 = 0x01;
const MAKE_FUNCTION_KWDEFAULTS: u32 = 0x02;
const MAKE_FUNCTION_ANNOTATIONS: u32 = 0x04;
const MAKE_FUNCTION_CLOSURE: u32 = 0x08;

impl<'a> Compiler<'a> {
    /// Makes a function of a finished code object, whose defaults and so on are on the stack.
    pub(super) fn make_closure(&mut self, loc: Loc, finished: Finished, mut flags: u32) -> Result<()> {
        if !finished.freevars.is_empty() {
            for &name in &finished.freevars {
                // A name can be a class's own and free in its methods: the cell or what is passed on counts.
                let found = if self.ref_type(name) == CELL {
                    self.u.meta.cellvars.index_of(name.0).map(|i| i as u32)
                } else {
                    self.u.meta.freevars.index_of(name.0).map(|i| i as u32 + self.u.meta.free_offset)
                };
                let Some(arg) = found else {
                    return Err(self.closure_error(name, &finished));
                };
                self.addop_i(loc, LOAD_CLOSURE, arg);
            }
            flags |= MAKE_FUNCTION_CLOSURE;
            self.addop_i(loc, BUILD_TUPLE, finished.freevars.len() as u32);
        }
        let id = self.pool.add(Const::Code(finished.code));
        self.load_const_id(loc, id);
        self.addop(loc, MAKE_FUNCTION);
        for flag in
            [MAKE_FUNCTION_CLOSURE, MAKE_FUNCTION_ANNOTATIONS, MAKE_FUNCTION_KWDEFAULTS, MAKE_FUNCTION_DEFAULTS]
        {
            if flags & flag != 0 {
                self.addop_i(loc, SET_FUNCTION_ATTRIBUTE, flag);
            }
        }
        Ok(())
    }

    /// The symbol table knows a cell that the unit doesn't have: CPython has the same bug.
    #[cold]
    fn closure_error(&mut self, name: Name, finished: &Finished) -> Box<CompileError> {
        let names = &self.st.names;
        let quoted: Vec<String> = finished.freevars.iter().map(|n| format!("'{}'", names.text(*n))).collect();
        let comma = if quoted.len() == 1 { "," } else { "" };
        CompileError::new(
            ErrorKind::SystemError,
            format!(
                "compiler_lookup_arg(name='{}') with reftype={} failed in {}; freevars of code {}: ({}{comma})",
                names.text(name),
                self.ref_type(name),
                names.text(self.u.meta.name),
                finished.code.name,
                quoted.join(", ")
            ),
        )
    }

    fn apply_decorators(&mut self, decorators: &'a [&'a Expr<'a>]) {
        for decorator in decorators.iter().rev() {
            let loc = self.loc(decorator.range);
            self.addop_i(loc, CALL, 0);
        }
    }

    /// Pushes the defaults, if any, as `MAKE_FUNCTION`'s flags tell.
    fn default_arguments(&mut self, loc: Loc, args: &'a Arguments<'a>) -> Result<u32> {
        let mut flags = 0;
        if !args.defaults.is_empty() {
            self.visit_exprs(args.defaults)?;
            self.addop_i(loc, BUILD_TUPLE, args.defaults.len() as u32);
            flags |= MAKE_FUNCTION_DEFAULTS;
        }
        let mut names = Vec::new();
        for (arg, default) in args.kwonlyargs.iter().zip(args.kw_defaults) {
            if let Some(default) = default {
                let name = self.intern(arg.arg);
                let mangled = self.mangle(name);
                names.push(self.const_name(mangled));
                self.visit_expr(default)?;
            }
        }
        if !names.is_empty() {
            let n = names.len() as u32;
            let id = self.pool.add_tuple(names.into_iter());
            self.load_const_id(loc, id);
            self.addop_i(loc, BUILD_CONST_KEY_MAP, n);
            flags |= MAKE_FUNCTION_KWDEFAULTS;
        }
        Ok(flags)
    }

    /// A postponed annotation is its source text, made anew from the tree.
    pub(super) fn annotation_string(&mut self, annotation: &'a Expr<'a>) -> Result<()> {
        let text = crate::unparse::unparse(annotation, &mut self.recursion)?;
        let loc = self.loc(annotation.range);
        let id = self.pool.add_str(Str::from(&*text));
        self.load_const_id(loc, id);
        Ok(())
    }

    fn arg_annotation(&mut self, loc: Loc, name: Name, annotation: Option<&'a Expr<'a>>) -> Result<u32> {
        let Some(annotation) = annotation else { return Ok(0) };
        let mangled = self.mangle(name);
        self.load_name_const(loc, mangled);
        if self.flags & CO_FUTURE_ANNOTATIONS != 0 {
            self.annotation_string(annotation)?;
        } else if let ExprKind::Starred { value, .. } = annotation.kind {
            // "*args: *Ts" annotates with the single item of *Ts.
            self.visit_expr(value)?;
            self.addop_i(loc, UNPACK_SEQUENCE, 1);
        } else {
            self.visit_expr(annotation)?;
        }
        Ok(2)
    }

    /// Pushes the tuple of names and annotations; was there any?
    fn annotations(&mut self, loc: Loc, args: &'a Arguments<'a>, returns: Option<&'a Expr<'a>>) -> Result<bool> {
        let mut n = 0;
        let named = args.args.iter().chain(args.posonlyargs).chain(args.vararg).chain(args.kwonlyargs).chain(args.kwarg);
        for arg in named {
            let name = self.intern(arg.arg);
            n += self.arg_annotation(loc, name, arg.annotation)?;
        }
        n += self.arg_annotation(loc, known::RETURN, returns)?;
        if n > 0 {
            self.addop_i(loc, BUILD_TUPLE, n);
        }
        Ok(n > 0)
    }

    fn check_debug_args(&mut self, args: &'a Arguments<'a>) -> Result<()> {
        let all = args.posonlyargs.iter().chain(args.args).chain(args.vararg).chain(args.kwonlyargs).chain(args.kwarg);
        for arg in all {
            if arg.arg == "__debug__" {
                let loc = self.loc(arg.range);
                return Err(self.error(loc, "cannot assign to __debug__"));
            }
        }
        Ok(())
    }

    fn set_argcounts(&mut self, args: &Arguments<'_>) {
        let meta = &mut self.u.meta;
        meta.argcount = args.args.len() as u32;
        meta.posonlyargcount = args.posonlyargs.len() as u32;
        meta.kwonlyargcount = args.kwonlyargs.len() as u32;
    }

    /// What leaves a generator with StopIteration is made a RuntimeError.
    pub(super) fn wrap_in_stopiteration_handler(&mut self) {
        let handler = self.new_label();
        self.u.seq.insert_first(SETUP_CLEANUP, handler.0, Loc::NONE);
        self.load_none(Loc::NONE);
        self.addop(Loc::NONE, RETURN_VALUE);
        self.use_label(handler);
        self.addop_i(Loc::NONE, CALL_INTRINSIC_1, intrinsic_1::STOPITERATION_ERROR);
        self.addop_i(Loc::NONE, RERAISE, 1);
    }

    fn function_body(
        &mut self,
        s: &'a Stmt<'a>,
        is_async: bool,
        flags: u32,
        firstlineno: i32,
        name: Name,
        args: &'a Arguments<'a>,
        body: &'a [Stmt<'a>],
    ) -> Result<()> {
        let ste = self.st.lookup(s, BlockKey::Node)?;
        let scope_type = if is_async { ScopeType::AsyncFunction } else { ScopeType::Function };
        self.enter_scope(name, scope_type, ste, firstlineno)?;
        let mut rest = body;
        let mut first_const = ConstPool::NONE;
        if let Some((doc, _)) = docstring(body) {
            rest = &body[1..];
            if self.optimize < 2 {
                let doc = crate::docstring::clean_doc(doc).map_err(|doc| CompileError::surrogates(Str::from(&*doc)))?;
                first_const = self.pool.add_str(Str::from(&*doc));
            }
        }
        // The first constant is the docstring, or None.
        self.add_const(first_const);
        self.set_argcounts(args);
        let entry = self.ste();
        let handles_stop_iteration = entry.coroutine || entry.generator;
        if handles_stop_iteration {
            self.push_fblock(Loc::NONE, FBlockType::StopIteration, Label::NONE, Label::NONE)?;
        }
        self.visit_stmts(rest)?;
        if handles_stop_iteration {
            self.wrap_in_stopiteration_handler();
            self.pop_fblock(FBlockType::StopIteration);
        }
        let finished = self.optimize_and_assemble(true)?;
        self.exit_scope();
        let loc = self.loc(s.range);
        self.make_closure(loc, finished, flags)
    }

    /// Enters the scope of a definition's type parameters.
    fn enter_type_params(&mut self, name: &str, params: &'a [TypeParam<'a>], firstlineno: i32) -> Result<()> {
        let ste = self.st.lookup(&params[0], BlockKey::TypeParams)?;
        let scope_name = self.st.names.intern_copy(&format!("<generic parameters of {name}>"));
        self.enter_scope(scope_name, ScopeType::TypeParams, ste, firstlineno)
    }

    #[inline(never)]
    pub(super) fn function(&mut self, s: &'a Stmt<'a>, is_async: bool) -> Result<()> {
        let (StmtKind::FunctionDef { name: text, args, body, decorator_list, returns, type_params, .. }
        | StmtKind::AsyncFunctionDef { name: text, args, body, decorator_list, returns, type_params, .. }) = s.kind
        else {
            return Ok(());
        };
        let name = self.intern(text);
        self.check_debug_args(args)?;
        self.visit_exprs(decorator_list)?;
        let firstlineno = decorator_list.first().map_or(s.range.lineno, |d| d.range.lineno) as i32;
        let loc = self.loc(s.range);
        let is_generic = !type_params.is_empty();
        let mut flags = self.default_arguments(loc, args)?;
        let num_typeparam_args = (flags & MAKE_FUNCTION_DEFAULTS) + ((flags & MAKE_FUNCTION_KWDEFAULTS) >> 1);
        if is_generic {
            if num_typeparam_args == 2 {
                self.addop_i(loc, SWAP, 2);
            }
            self.enter_type_params(text, type_params, firstlineno)?;
            self.type_params(type_params)?;
            for i in 0..num_typeparam_args {
                self.addop_i(loc, LOAD_FAST, i);
            }
        }
        if self.annotations(loc, args, returns)? {
            flags |= MAKE_FUNCTION_ANNOTATIONS;
        }
        self.function_body(s, is_async, flags, firstlineno, name, args, body)?;
        if is_generic {
            self.addop_i(loc, SWAP, 2);
            self.addop_i(loc, CALL_INTRINSIC_2, intrinsic_2::SET_FUNCTION_TYPE_PARAMS);
            self.u.meta.argcount = num_typeparam_args;
            let finished = self.optimize_and_assemble(false)?;
            self.exit_scope();
            self.make_closure(loc, finished, 0)?;
            if num_typeparam_args > 0 {
                self.addop_i(loc, SWAP, num_typeparam_args + 1);
                self.addop_i(loc, CALL, num_typeparam_args - 1);
            } else {
                self.addop(loc, PUSH_NULL);
                self.addop_i(loc, CALL, 0);
            }
        }
        self.apply_decorators(decorator_list);
        self.nameop(loc, name, ExprContext::Store)
    }

    #[inline(never)]
    pub(super) fn lambda(&mut self, e: &'a Expr<'a>, args: &'a Arguments<'a>, body: &'a Expr<'a>) -> Result<()> {
        self.check_debug_args(args)?;
        let loc = self.loc(e.range);
        let flags = self.default_arguments(loc, args)?;
        let ste = self.st.lookup(e, BlockKey::Node)?;
        self.enter_scope(known::ANON_LAMBDA, ScopeType::Lambda, ste, e.range.lineno as i32)?;
        // A lambda has no docstring.
        self.add_const(ConstPool::NONE);
        self.set_argcounts(args);
        self.visit_expr(body)?;
        let finished = if self.ste().generator {
            self.optimize_and_assemble(false)?
        } else {
            let body_loc = self.loc(body.range);
            self.addop(body_loc, RETURN_VALUE);
            self.optimize_and_assemble(true)?
        };
        self.exit_scope();
        self.make_closure(loc, finished, flags)
    }

    fn class_body(
        &mut self,
        s: &'a Stmt<'a>,
        name: Name,
        body: &'a [Stmt<'a>],
        is_generic: bool,
        firstlineno: i32,
    ) -> Result<()> {
        let ste = self.st.lookup(s, BlockKey::Node)?;
        self.enter_scope(name, ScopeType::Class, ste, firstlineno)?;
        let loc = self.new_loc(Location {
            lineno: firstlineno,
            end_lineno: firstlineno,
            col_offset: 0,
            end_col_offset: 0,
        });
        self.u.private = Some(name);
        self.nameop(loc, known::NAME, ExprContext::Load)?;
        self.nameop(loc, known::MODULE, ExprContext::Store)?;
        if let Some(qualname) = self.u.meta.qualname.clone() {
            let id = self.pool.add_str(qualname);
            self.load_const_id(loc, id);
        }
        self.nameop(loc, known::QUALNAME, ExprContext::Store)?;
        let id = self.pool.add(Const::Int(i64::from(firstlineno)));
        self.load_const_id(loc, id);
        self.nameop(loc, known::FIRSTLINENO, ExprContext::Store)?;
        if is_generic {
            self.nameop(loc, known::DOT_TYPE_PARAMS, ExprContext::Load)?;
            self.nameop(loc, known::TYPE_PARAMS_ATTR, ExprContext::Store)?;
        }
        if self.ste().needs_classdict {
            // In a class, a name isn't usually stored to a cell.
            self.addop(loc, LOAD_LOCALS);
            let arg = self.cell_index(known::CLASSDICT);
            self.addop_i(loc, STORE_DEREF, arg);
        }
        self.body(loc, body)?;

        let mut attributes: Vec<Name> =
            self.u.static_attributes.entries().iter().map(|(name, ())| Name(*name)).collect();
        attributes.sort_by_key(|name| self.st.names.text(*name));
        let ids: Vec<ConstId> = attributes.into_iter().map(|name| self.const_name(name)).collect();
        let id = self.pool.add_tuple(ids.into_iter());
        self.load_const_id(Loc::NONE, id);
        self.nameop(Loc::NONE, known::STATIC_ATTRIBUTES, ExprContext::Store)?;
        if self.ste().needs_classdict {
            let arg = self.cell_index(known::CLASSDICT);
            self.addop_i(Loc::NONE, LOAD_CLOSURE, arg);
            self.nameop(Loc::NONE, known::CLASSDICTCELL, ExprContext::Store)?;
        }
        if self.ste().needs_class_closure {
            // The cell is returned, and kept for type.__new__().
            let arg = self.cell_index(known::CLASS);
            self.addop_i(Loc::NONE, LOAD_CLOSURE, arg);
            self.addop_i(Loc::NONE, COPY, 1);
            self.nameop(Loc::NONE, known::CLASSCELL, ExprContext::Store)?;
        } else {
            self.load_none(Loc::NONE);
        }
        self.addop(Loc::NONE, RETURN_VALUE);
        let finished = self.optimize_and_assemble(true)?;
        self.exit_scope();

        // __build_class__(function, name, ...): not a decorator's line, the class's.
        let loc = self.loc(s.range);
        self.addop(loc, LOAD_BUILD_CLASS);
        self.addop(loc, PUSH_NULL);
        self.make_closure(loc, finished, 0)?;
        self.load_name_const(loc, name);
        Ok(())
    }

    #[inline(never)]
    pub(super) fn class(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        let StmtKind::ClassDef { name: text, bases, keywords, body, decorator_list, type_params } = s.kind else {
            return Ok(());
        };
        let name = self.intern(text);
        self.visit_exprs(decorator_list)?;
        let firstlineno = decorator_list.first().map_or(s.range.lineno, |d| d.range.lineno) as i32;
        let loc = self.loc(s.range);
        let is_generic = !type_params.is_empty();
        if is_generic {
            self.enter_type_params(text, type_params, firstlineno)?;
            self.u.private = Some(name);
            self.type_params(type_params)?;
            self.nameop(loc, known::DOT_TYPE_PARAMS, ExprContext::Store)?;
        }
        self.class_body(s, name, body, is_generic, firstlineno)?;
        if is_generic {
            self.nameop(loc, known::DOT_TYPE_PARAMS, ExprContext::Load)?;
            self.addop_i(loc, CALL_INTRINSIC_1, intrinsic_1::SUBSCRIPT_GENERIC);
            self.nameop(loc, known::DOT_GENERIC_BASE, ExprContext::Store)?;
            self.call_arguments(loc, 2, bases, Some(known::DOT_GENERIC_BASE), keywords)?;
            let finished = self.optimize_and_assemble(false)?;
            self.exit_scope();
            self.make_closure(loc, finished, 0)?;
            self.addop(loc, PUSH_NULL);
            self.addop_i(loc, CALL, 0);
        } else {
            self.call_arguments(loc, 2, bases, None, keywords)?;
        }
        self.apply_decorators(decorator_list);
        self.nameop(loc, name, ExprContext::Store)
    }

    #[inline(never)]
    pub(super) fn type_alias(&mut self, s: &'a Stmt<'a>) -> Result<()> {
        let StmtKind::TypeAlias { name, type_params, value } = s.kind else { return Ok(()) };
        let ExprKind::Name { id: text, .. } = name.kind else {
            return Err(CompileError::new(ErrorKind::TypeError, "TypeAlias with non-Name name"));
        };
        let name = self.intern(text);
        let loc = self.loc(s.range);
        let lineno = s.range.lineno as i32;
        let is_generic = !type_params.is_empty();
        if is_generic {
            self.enter_type_params(text, type_params, lineno)?;
            self.load_name_const(loc, name);
            self.type_params(type_params)?;
        } else {
            self.load_name_const(loc, name);
            self.load_none(loc);
        }

        let ste = self.st.lookup(s, BlockKey::Node)?;
        self.enter_scope(name, ScopeType::Function, ste, lineno)?;
        // Nor has the function that evaluates the alias a docstring.
        self.add_const(ConstPool::NONE);
        self.visit_expr(value)?;
        self.addop(loc, RETURN_VALUE);
        let finished = self.optimize_and_assemble(false)?;
        self.exit_scope();
        self.make_closure(loc, finished, 0)?;
        self.addop_i(loc, BUILD_TUPLE, 3);
        self.addop_i(loc, CALL_INTRINSIC_1, intrinsic_1::TYPEALIAS);

        if is_generic {
            let finished = self.optimize_and_assemble(false)?;
            self.exit_scope();
            self.make_closure(loc, finished, 0)?;
            self.addop(loc, PUSH_NULL);
            self.addop_i(loc, CALL, 0);
        }
        self.nameop(loc, name, ExprContext::Store)
    }

    /// A function that evaluates the bound or default of a type parameter.
    fn type_param_bound_or_default(
        &mut self,
        param: &'a TypeParam<'a>,
        key: BlockKey,
        name: Name,
        e: &'a Expr<'a>,
        allow_starred: bool,
    ) -> Result<()> {
        let ste = self.st.lookup(param, key)?;
        self.enter_scope(name, ScopeType::TypeParams, ste, e.range.lineno as i32)?;
        let loc = self.loc(e.range);
        match e.kind {
            ExprKind::Starred { value, .. } if allow_starred => {
                self.visit_expr(value)?;
                self.addop_i(loc, UNPACK_SEQUENCE, 1);
            }
            _ => self.visit_expr(e)?,
        }
        self.addop(loc, RETURN_VALUE);
        let finished = self.optimize_and_assemble(true)?;
        self.exit_scope();
        self.make_closure(loc, finished, 0)
    }

    /// Makes the type parameters, binds them, and leaves their tuple on the stack.
    fn type_params(&mut self, params: &'a [TypeParam<'a>]) -> Result<()> {
        let mut seen_default = false;
        for param in params {
            let loc = self.loc(param.range);
            let (text, intrinsic, default, default_key) = match param.kind {
                TypeParamKind::TypeVar { name, default_value, .. } => {
                    (name, intrinsic_1::TYPEVAR, default_value, BlockKey::Default)
                }
                TypeParamKind::TypeVarTuple { name, default_value } => {
                    (name, intrinsic_1::TYPEVARTUPLE, default_value, BlockKey::Bound)
                }
                TypeParamKind::ParamSpec { name, default_value } => {
                    (name, intrinsic_1::PARAMSPEC, default_value, BlockKey::Bound)
                }
            };
            let name = self.intern(text);
            self.load_name_const(loc, name);
            if let TypeParamKind::TypeVar { bound: Some(bound), .. } = param.kind {
                self.type_param_bound_or_default(param, BlockKey::Bound, name, bound, false)?;
                let constraints = matches!(bound.kind, ExprKind::Tuple { .. });
                self.addop_i(
                    loc,
                    CALL_INTRINSIC_2,
                    if constraints {
                        intrinsic_2::TYPEVAR_WITH_CONSTRAINTS
                    } else {
                        intrinsic_2::TYPEVAR_WITH_BOUND
                    },
                );
            } else {
                self.addop_i(loc, CALL_INTRINSIC_1, intrinsic);
            }
            if let Some(default) = default {
                seen_default = true;
                let starred = matches!(param.kind, TypeParamKind::TypeVarTuple { .. });
                self.type_param_bound_or_default(param, default_key, name, default, starred)?;
                self.addop_i(loc, CALL_INTRINSIC_2, intrinsic_2::SET_TYPEPARAM_DEFAULT);
            } else if seen_default {
                return Err(self.error(
                    loc,
                    format!("non-default type parameter '{text}' follows default type parameter"),
                ));
            }
            self.addop_i(loc, COPY, 1);
            self.nameop(loc, name, ExprContext::Store)?;
        }
        let loc = self.loc(params[0].range);
        self.addop_i(loc, BUILD_TUPLE, params.len() as u32);
        Ok(())
    }
}
