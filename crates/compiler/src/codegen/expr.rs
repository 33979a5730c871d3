//! Expressions.

use super::*;

/// `x[a:b]` has instructions of its own.
pub(super) fn is_two_element_slice(e: &Expr<'_>) -> bool {
    matches!(e.kind, ExprKind::Slice { step: None, .. })
}

/// `BINARY_OP`'s argument.
pub(super) fn binary_op(op: Operator, inplace: bool) -> u32 {
    let number = match op {
        Operator::Add => 0,
        Operator::BitAnd => 1,
        Operator::FloorDiv => 2,
        Operator::LShift => 3,
        Operator::MatMult => 4,
        Operator::Mult => 5,
        Operator::Mod => 6,
        Operator::BitOr => 7,
        Operator::Pow => 8,
        Operator::RShift => 9,
        Operator::Sub => 10,
        Operator::Div => 11,
        Operator::BitXor => 12,
    };
    if inplace { number + 13 } else { number }
}

/// What `starunpack` builds: an empty one, one more item, all items of an iterable.
struct Display {
    build: Opcode,
    add: Opcode,
    extend: Opcode,
    tuple: bool,
}

const LIST: Display = Display { build: BUILD_LIST, add: LIST_APPEND, extend: LIST_EXTEND, tuple: false };
const TUPLE: Display = Display { tuple: true, ..LIST };
const SET: Display = Display { build: BUILD_SET, add: SET_ADD, extend: SET_UPDATE, tuple: false };

fn constant<'e, 'a>(e: &'e Expr<'a>) -> Option<&'e Constant<'a>> {
    match &e.kind {
        ExprKind::Constant { value, .. } => Some(value),
        _ => None,
    }
}

/// The type of an expression's value, if the expression tells.
fn infer_type(e: &Expr<'_>) -> Option<&'static str> {
    Some(match &e.kind {
        ExprKind::Tuple { .. } => "tuple",
        ExprKind::List { .. } | ExprKind::ListComp { .. } => "list",
        ExprKind::Dict { .. } | ExprKind::DictComp { .. } => "dict",
        ExprKind::Set { .. } | ExprKind::SetComp { .. } => "set",
        ExprKind::GeneratorExp { .. } => "generator",
        ExprKind::Lambda { .. } => "function",
        ExprKind::JoinedStr { .. } | ExprKind::FormattedValue { .. } => "str",
        ExprKind::Constant { value, .. } => match value {
            Constant::None => "NoneType",
            Constant::True | Constant::False => "bool",
            Constant::Ellipsis => "ellipsis",
            Constant::Int(_) => "int",
            Constant::Float(_) => "float",
            Constant::Complex { .. } => "complex",
            Constant::Str(_) => "str",
            Constant::Bytes(_) => "bytes",
            Constant::Tuple(_) => "tuple",
            Constant::FrozenSet(_) => "frozenset",
        },
        _ => return None,
    })
}

impl<'a> Compiler<'a> {
    pub(super) fn visit_exprs(&mut self, exprs: &'a [&'a Expr<'a>]) -> Result<()> {
        for e in exprs {
            self.visit_expr(e)?;
        }
        Ok(())
    }

    pub(super) fn visit_expr(&mut self, e: &'a Expr<'a>) -> Result<()> {
        self.recursion.enter()?;
        match e.kind {
            ExprKind::Name { id, ctx } => {
                let name = self.intern(id);
                let loc = self.loc(e.range);
                self.nameop(loc, name, ctx)?;
            }
            ExprKind::Constant { ref value, .. } => {
                let loc = self.loc(e.range);
                self.load_const(loc, value);
            }
            ExprKind::Attribute { value, attr, ctx } => self.attribute(e, value, attr, ctx)?,
            ExprKind::Call { func, args, keywords } => self.call(e, func, args, keywords)?,
            ExprKind::BinOp { left, op, right } => {
                self.visit_expr(left)?;
                self.visit_expr(right)?;
                let loc = self.loc(e.range);
                self.addop_i(loc, BINARY_OP, binary_op(op, false));
            }
            ExprKind::Subscript { value, slice, ctx } => self.subscript(e, value, slice, ctx)?,
            ExprKind::Compare { left, ops, comparators } => self.compare(e, left, ops, comparators)?,
            ExprKind::BoolOp { op, values } => self.bool_op(e, op, values)?,
            ExprKind::UnaryOp { op, operand } => self.unary_op(e, op, operand)?,
            ExprKind::NamedExpr { target, value } => {
                self.visit_expr(value)?;
                let loc = self.loc(e.range);
                self.addop_i(loc, COPY, 1);
                self.visit_expr(target)?;
            }
            ExprKind::Lambda { args, body } => self.lambda(e, args, body)?,
            ExprKind::IfExp { test, body, orelse } => self.if_exp(e, test, body, orelse)?,
            ExprKind::Dict { keys, values } => self.dict(e, keys, values)?,
            ExprKind::Set { elts } => {
                let loc = self.loc(e.range);
                self.starunpack(loc, elts, None, 0, &SET)?;
            }
            ExprKind::List { elts, ctx } => self.list_or_tuple(e, elts, ctx, &LIST)?,
            ExprKind::Tuple { elts, ctx } => self.list_or_tuple(e, elts, ctx, &TUPLE)?,
            ExprKind::GeneratorExp { elt, generators } => {
                self.comprehension(e, ComprehensionType::Generator, generators, elt, None)?
            }
            ExprKind::ListComp { elt, generators } => {
                self.comprehension(e, ComprehensionType::List, generators, elt, None)?
            }
            ExprKind::SetComp { elt, generators } => {
                self.comprehension(e, ComprehensionType::Set, generators, elt, None)?
            }
            ExprKind::DictComp { key, value, generators } => {
                self.comprehension(e, ComprehensionType::Dict, generators, key, Some(value))?
            }
            ExprKind::Yield { value } => self.yield_(e, value)?,
            ExprKind::YieldFrom { value } => self.yield_from(e, value)?,
            ExprKind::Await { value } => self.await_(e, value)?,
            ExprKind::JoinedStr { values } => self.joined_str(e, values)?,
            ExprKind::FormattedValue { value, conversion, format_spec } => {
                self.formatted_value(e, value, conversion, format_spec)?
            }
            ExprKind::Starred { ctx, .. } => {
                let loc = self.loc(e.range);
                return Err(self.error(
                    loc,
                    if ctx == ExprContext::Store {
                        "starred assignment target must be in a list or tuple"
                    } else {
                        "can't use starred expression here"
                    },
                ));
            }
            ExprKind::Slice { .. } => {
                let n = self.slice_parts(e)?;
                let loc = self.loc(e.range);
                self.addop_i(loc, BUILD_SLICE, n);
            }
        }
        self.recursion.leave();
        Ok(())
    }

    #[inline(never)]
    fn unary_op(&mut self, e: &'a Expr<'a>, op: UnaryOp, operand: &'a Expr<'a>) -> Result<()> {
        self.visit_expr(operand)?;
        let loc = self.loc(e.range);
        match op {
            UnaryOp::UAdd => self.addop_i(loc, CALL_INTRINSIC_1, intrinsic_1::UNARY_POSITIVE),
            UnaryOp::Not => {
                self.addop(loc, TO_BOOL);
                self.addop(loc, UNARY_NOT);
            }
            UnaryOp::Invert => self.addop(loc, UNARY_INVERT),
            UnaryOp::USub => self.addop(loc, UNARY_NEGATIVE),
        }
        Ok(())
    }

    #[inline(never)]
    fn bool_op(&mut self, e: &'a Expr<'a>, op: BoolOp, values: &'a [&'a Expr<'a>]) -> Result<()> {
        let Some((last, rest)) = values.split_last() else { return Ok(()) };
        let loc = self.loc(e.range);
        let jump = if op == BoolOp::And { POP_JUMP_IF_FALSE } else { POP_JUMP_IF_TRUE };
        let end = self.new_label();
        for value in rest {
            self.visit_expr(value)?;
            self.addop_i(loc, COPY, 1);
            self.addop(loc, TO_BOOL);
            self.addop_jump(loc, jump, end);
            self.addop(loc, POP_TOP);
        }
        self.visit_expr(last)?;
        self.use_label(end);
        Ok(())
    }

    #[inline(never)]
    fn if_exp(
        &mut self,
        e: &'a Expr<'a>,
        test: &'a Expr<'a>,
        body: &'a Expr<'a>,
        orelse: &'a Expr<'a>,
    ) -> Result<()> {
        let end = self.new_label();
        let next = self.new_label();
        let loc = self.loc(e.range);
        self.jump_if(loc, test, next, false)?;
        self.visit_expr(body)?;
        self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, end);
        self.use_label(next);
        self.visit_expr(orelse)?;
        self.use_label(end);
        Ok(())
    }

    /// Jumps if the expression's truth is `cond`, else falls through.
    pub(super) fn jump_if(&mut self, loc: Loc, e: &'a Expr<'a>, next: Label, cond: bool) -> Result<()> {
        self.recursion.enter()?;
        match e.kind {
            ExprKind::UnaryOp { op: UnaryOp::Not, operand } => self.jump_if(loc, operand, next, !cond)?,
            ExprKind::BoolOp { op, values } => self.jump_if_bool_op(loc, op, values, next, cond)?,
            ExprKind::IfExp { test, body, orelse } => {
                let end = self.new_label();
                let next2 = self.new_label();
                self.jump_if(loc, test, next2, false)?;
                self.jump_if(loc, body, next, cond)?;
                self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, end);
                self.use_label(next2);
                self.jump_if(loc, orelse, next, cond)?;
                self.use_label(end);
            }
            ExprKind::Compare { left, ops, comparators } if ops.len() > 1 => {
                self.jump_if_chain(e, left, ops, comparators, next, cond)?
            }
            _ => {
                self.visit_expr(e)?;
                let loc = self.loc(e.range);
                self.addop(loc, TO_BOOL);
                self.addop_jump(loc, if cond { POP_JUMP_IF_TRUE } else { POP_JUMP_IF_FALSE }, next);
            }
        }
        self.recursion.leave();
        Ok(())
    }

    #[inline(never)]
    fn jump_if_bool_op(
        &mut self,
        loc: Loc,
        op: BoolOp,
        values: &'a [&'a Expr<'a>],
        next: Label,
        cond: bool,
    ) -> Result<()> {
        let Some((last, rest)) = values.split_last() else { return Ok(()) };
        // What decides early goes to the target, or past the whole.
        let early = op == BoolOp::Or;
        let next2 = if early != cond { self.new_label() } else { next };
        for value in rest {
            self.jump_if(loc, value, next2, early)?;
        }
        self.jump_if(loc, last, next, cond)?;
        if next2 != next {
            self.use_label(next2);
        }
        Ok(())
    }

    #[inline(never)]
    fn jump_if_chain(
        &mut self,
        e: &'a Expr<'a>,
        left: &'a Expr<'a>,
        ops: &'a [CmpOp],
        comparators: &'a [&'a Expr<'a>],
        next: Label,
        cond: bool,
    ) -> Result<()> {
        self.check_compare(e, left, ops, comparators);
        let loc = self.loc(e.range);
        let cleanup = self.new_label();
        let n = ops.len() - 1;
        self.visit_expr(left)?;
        for i in 0..n {
            self.visit_expr(comparators[i])?;
            self.addop_i(loc, SWAP, 2);
            self.addop_i(loc, COPY, 2);
            self.addop_compare(loc, ops[i]);
            self.addop(loc, TO_BOOL);
            self.addop_jump(loc, POP_JUMP_IF_FALSE, cleanup);
        }
        self.visit_expr(comparators[n])?;
        self.addop_compare(loc, ops[n]);
        self.addop(loc, TO_BOOL);
        self.addop_jump(loc, if cond { POP_JUMP_IF_TRUE } else { POP_JUMP_IF_FALSE }, next);
        let end = self.new_label();
        self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, end);
        self.use_label(cleanup);
        self.addop(loc, POP_TOP);
        if !cond {
            self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, next);
        }
        self.use_label(end);
        Ok(())
    }

    #[inline(never)]
    fn compare(
        &mut self,
        e: &'a Expr<'a>,
        left: &'a Expr<'a>,
        ops: &'a [CmpOp],
        comparators: &'a [&'a Expr<'a>],
    ) -> Result<()> {
        self.check_compare(e, left, ops, comparators);
        let loc = self.loc(e.range);
        self.visit_expr(left)?;
        let n = ops.len() - 1;
        if n == 0 {
            self.visit_expr(comparators[0])?;
            self.addop_compare(loc, ops[0]);
            return Ok(());
        }
        let cleanup = self.new_label();
        for i in 0..n {
            self.visit_expr(comparators[i])?;
            self.addop_i(loc, SWAP, 2);
            self.addop_i(loc, COPY, 2);
            self.addop_compare(loc, ops[i]);
            self.addop_i(loc, COPY, 1);
            self.addop(loc, TO_BOOL);
            self.addop_jump(loc, POP_JUMP_IF_FALSE, cleanup);
            self.addop(loc, POP_TOP);
        }
        self.visit_expr(comparators[n])?;
        self.addop_compare(loc, ops[n]);
        let end = self.new_label();
        self.addop_jump(Loc::NONE, JUMP_NO_INTERRUPT, end);
        self.use_label(cleanup);
        self.addop_i(loc, SWAP, 2);
        self.addop(loc, POP_TOP);
        self.use_label(end);
        Ok(())
    }

    /// The comparison in the upper bits, below it the mask of outcomes that the
    /// specialised forms test (unordered 1, less 2, greater 4, equal 8).
    pub(super) fn addop_compare(&mut self, loc: Loc, op: CmpOp) {
        let (number, mask) = match op {
            CmpOp::Lt => (0, 2),
            CmpOp::LtE => (1, 2 | 8),
            CmpOp::Eq => (2, 8),
            CmpOp::NotEq => (3, 1 | 2 | 4),
            CmpOp::Gt => (4, 4),
            CmpOp::GtE => (5, 4 | 8),
            CmpOp::Is => return self.addop_i(loc, IS_OP, 0),
            CmpOp::IsNot => return self.addop_i(loc, IS_OP, 1),
            CmpOp::In => return self.addop_i(loc, CONTAINS_OP, 0),
            CmpOp::NotIn => return self.addop_i(loc, CONTAINS_OP, 1),
        };
        self.addop_i(loc, COMPARE_OP, number << 5 | mask);
    }

    /// Warns of identity tests with literals.
    fn check_compare(&mut self, e: &Expr<'a>, left: &Expr<'a>, ops: &[CmpOp], comparators: &[&Expr<'a>]) {
        if !ops.iter().any(|op| matches!(op, CmpOp::Is | CmpOp::IsNot)) {
            return;
        }
        let is_literal = |e: &Expr<'_>| {
            constant(e).is_some_and(|c| {
                !matches!(c, Constant::None | Constant::True | Constant::False | Constant::Ellipsis)
            })
        };
        let mut left = left;
        for (op, right) in ops.iter().zip(comparators) {
            if matches!(op, CmpOp::Is | CmpOp::IsNot) && (is_literal(left) || is_literal(right)) {
                let literal = if is_literal(left) { left } else { right };
                let type_ = infer_type(literal).unwrap_or("");
                let loc = self.loc(e.range);
                self.warn(
                    loc,
                    if *op == CmpOp::Is {
                        format!("\"is\" with '{type_}' literal. Did you mean \"==\"?")
                    } else {
                        format!("\"is not\" with '{type_}' literal. Did you mean \"!=\"?")
                    },
                );
                return;
            }
            left = right;
        }
    }

    /// Builds a list, tuple or set of expressions, some of which may be starred,
    /// and of `pushed` values that are on the stack already. `extra` is one more
    /// element, a variable.
    fn starunpack(
        &mut self,
        loc: Loc,
        elts: &'a [&'a Expr<'a>],
        extra: Option<Name>,
        pushed: usize,
        display: &Display,
    ) -> Result<()> {
        let n = elts.len() + usize::from(extra.is_some());
        if n > 2 && extra.is_none() && elts.iter().all(|e| constant(e).is_some()) {
            let ids: Vec<ConstId> =
                elts.iter().filter_map(|e| constant(e)).map(|value| self.pool.add_ast(value)).collect();
            if display.tuple && pushed == 0 {
                let id = self.pool.add_tuple(ids.into_iter());
                self.load_const_id(loc, id);
                return Ok(());
            }
            let id = if display.add == SET_ADD {
                let values: Vec<Constant<'a>> = elts.iter().filter_map(|e| constant(e)).copied().collect();
                let values = crate::fold::frozenset(self.arena, &values);
                self.pool.add_ast(&values)
            } else {
                self.pool.add_tuple(ids.into_iter())
            };
            self.addop_i(loc, display.build, pushed as u32);
            self.load_const_id(loc, id);
            self.addop_i(loc, display.extend, 1);
            if display.tuple {
                self.addop_i(loc, CALL_INTRINSIC_1, intrinsic_1::LIST_TO_TUPLE);
            }
            return Ok(());
        }

        let big = n + pushed > STACK_USE_GUIDELINE;
        let starred = elts.iter().any(|e| matches!(e.kind, ExprKind::Starred { .. }));
        if !starred && !big {
            self.visit_exprs(elts)?;
            self.load_extra(loc, extra)?;
            self.addop_i(loc, if display.tuple { BUILD_TUPLE } else { display.build }, (n + pushed) as u32);
            return Ok(());
        }
        let mut built = false;
        if big {
            self.addop_i(loc, display.build, pushed as u32);
            built = true;
        }
        for (i, elt) in elts.iter().enumerate() {
            if let ExprKind::Starred { value, .. } = elt.kind {
                if !built {
                    self.addop_i(loc, display.build, (i + pushed) as u32);
                    built = true;
                }
                self.visit_expr(value)?;
                self.addop_i(loc, display.extend, 1);
            } else {
                self.visit_expr(elt)?;
                if built {
                    self.addop_i(loc, display.add, 1);
                }
            }
        }
        if extra.is_some() {
            self.load_extra(loc, extra)?;
            self.addop_i(loc, display.add, 1);
        }
        if display.tuple {
            self.addop_i(loc, CALL_INTRINSIC_1, intrinsic_1::LIST_TO_TUPLE);
        }
        Ok(())
    }

    fn load_extra(&mut self, loc: Loc, extra: Option<Name>) -> Result<()> {
        match extra {
            Some(name) => self.nameop(loc, name, ExprContext::Load),
            None => Ok(()),
        }
    }

    #[inline(never)]
    fn list_or_tuple(
        &mut self,
        e: &'a Expr<'a>,
        elts: &'a [&'a Expr<'a>],
        ctx: ExprContext,
        display: &Display,
    ) -> Result<()> {
        match ctx {
            ExprContext::Load => {
                let loc = self.loc(e.range);
                self.starunpack(loc, elts, None, 0, display)
            }
            ExprContext::Store => {
                let loc = self.loc(e.range);
                self.unpack(loc, elts)?;
                for elt in elts {
                    match elt.kind {
                        ExprKind::Starred { value, .. } => self.visit_expr(value)?,
                        _ => self.visit_expr(elt)?,
                    }
                }
                Ok(())
            }
            ExprContext::Del => self.visit_exprs(elts),
        }
    }

    fn unpack(&mut self, loc: Loc, elts: &'a [&'a Expr<'a>]) -> Result<()> {
        let is_starred = |e: &&Expr<'_>| matches!(e.kind, ExprKind::Starred { .. });
        let Some(star) = elts.iter().position(is_starred) else {
            self.addop_i(loc, UNPACK_SEQUENCE, elts.len() as u32);
            return Ok(());
        };
        let after = elts.len() - star - 1;
        if star >= 1 << 8 || after >= (i32::MAX >> 8) as usize {
            return Err(self.error(loc, "too many expressions in star-unpacking assignment"));
        }
        if elts[star + 1..].iter().any(is_starred) {
            return Err(self.error(loc, "multiple starred expressions in assignment"));
        }
        self.addop_i(loc, UNPACK_EX, (star + (after << 8)) as u32);
        Ok(())
    }

    /// Some items of a dict display, none of them `**`.
    fn subdict(&mut self, loc: Loc, keys: &'a [Option<&'a Expr<'a>>], values: &'a [&'a Expr<'a>]) -> Result<()> {
        let n = values.len();
        let big = n * 2 > STACK_USE_GUIDELINE;
        if n > 1 && !big && keys.iter().flatten().all(|key| constant(key).is_some()) {
            self.visit_exprs(values)?;
            let ids: Vec<ConstId> =
                keys.iter().flatten().filter_map(|e| constant(e)).map(|value| self.pool.add_ast(value)).collect();
            let id = self.pool.add_tuple(ids.into_iter());
            self.load_const_id(loc, id);
            self.addop_i(loc, BUILD_CONST_KEY_MAP, n as u32);
            return Ok(());
        }
        if big {
            self.addop_i(loc, BUILD_MAP, 0);
        }
        for (key, value) in keys.iter().zip(values) {
            if let Some(key) = key {
                self.visit_expr(key)?;
            }
            self.visit_expr(value)?;
            if big {
                self.addop_i(loc, MAP_ADD, 1);
            }
        }
        if !big {
            self.addop_i(loc, BUILD_MAP, n as u32);
        }
        Ok(())
    }

    #[inline(never)]
    fn dict(&mut self, e: &'a Expr<'a>, keys: &'a [Option<&'a Expr<'a>>], values: &'a [&'a Expr<'a>]) -> Result<()> {
        let loc = self.loc(e.range);
        let mut have_dict = false;
        // The items since `start` aren't emitted yet.
        let mut start = 0;
        for (i, key) in keys.iter().enumerate() {
            if key.is_none() {
                if start < i {
                    self.subdict(loc, &keys[start..i], &values[start..i])?;
                    self.merge_dict(loc, &mut have_dict, DICT_UPDATE);
                }
                if !have_dict {
                    self.addop_i(loc, BUILD_MAP, 0);
                    have_dict = true;
                }
                self.visit_expr(values[i])?;
                self.addop_i(loc, DICT_UPDATE, 1);
                start = i + 1;
            } else if (i - start) * 2 > STACK_USE_GUIDELINE {
                self.subdict(loc, &keys[start..=i], &values[start..=i])?;
                self.merge_dict(loc, &mut have_dict, DICT_UPDATE);
                start = i + 1;
            }
        }
        if start < values.len() {
            self.subdict(loc, &keys[start..], &values[start..])?;
            self.merge_dict(loc, &mut have_dict, DICT_UPDATE);
        }
        if !have_dict {
            self.addop_i(loc, BUILD_MAP, 0);
        }
        Ok(())
    }

    /// A part of a dict is on the stack, after the rest if there is one.
    fn merge_dict(&mut self, loc: Loc, have_dict: &mut bool, op: Opcode) {
        if *have_dict {
            self.addop_i(loc, op, 1);
        }
        *have_dict = true;
    }

    #[inline(never)]
    fn yield_(&mut self, e: &'a Expr<'a>, value: Option<&'a Expr<'a>>) -> Result<()> {
        let loc = self.loc(e.range);
        if !self.ste().is_function_like() {
            return Err(self.error(loc, "'yield' outside function"));
        }
        match value {
            Some(value) => self.visit_expr(value)?,
            None => self.load_none(loc),
        }
        self.addop_yield(loc);
        Ok(())
    }

    #[inline(never)]
    fn yield_from(&mut self, e: &'a Expr<'a>, value: &'a Expr<'a>) -> Result<()> {
        let loc = self.loc(e.range);
        if !self.ste().is_function_like() {
            return Err(self.error(loc, "'yield from' outside function"));
        }
        if self.u.scope_type == ScopeType::AsyncFunction {
            return Err(self.error(loc, "'yield from' inside async function"));
        }
        self.visit_expr(value)?;
        self.addop(loc, GET_YIELD_FROM_ITER);
        self.load_none(loc);
        self.add_yield_from(loc, false);
        Ok(())
    }

    #[inline(never)]
    fn await_(&mut self, e: &'a Expr<'a>, value: &'a Expr<'a>) -> Result<()> {
        let loc = self.loc(e.range);
        if !self.is_top_level_await() {
            if !self.ste().is_function_like() {
                return Err(self.error(loc, "'await' outside function"));
            }
            if !matches!(self.u.scope_type, ScopeType::AsyncFunction | ScopeType::Comprehension) {
                return Err(self.error(loc, "'await' outside async function"));
            }
        }
        self.visit_expr(value)?;
        self.add_await(loc, 0);
        Ok(())
    }

    #[inline(never)]
    fn joined_str(&mut self, e: &'a Expr<'a>, values: &'a [&'a Expr<'a>]) -> Result<()> {
        let loc = self.loc(e.range);
        if values.len() > STACK_USE_GUIDELINE {
            self.load_name_const(loc, known::EMPTY);
            self.addop_name(loc, LOAD_METHOD, known::JOIN);
            self.addop_i(loc, BUILD_LIST, 0);
            for value in values {
                self.visit_expr(value)?;
                self.addop_i(loc, LIST_APPEND, 1);
            }
            self.addop_i(loc, CALL, 1);
            return Ok(());
        }
        self.visit_exprs(values)?;
        match values.len() {
            0 => self.load_name_const(loc, known::EMPTY),
            1 => {}
            n => self.addop_i(loc, BUILD_STRING, n as u32),
        }
        Ok(())
    }

    #[inline(never)]
    fn formatted_value(
        &mut self,
        e: &'a Expr<'a>,
        value: &'a Expr<'a>,
        conversion: i32,
        format_spec: Option<&'a Expr<'a>>,
    ) -> Result<()> {
        self.visit_expr(value)?;
        let loc = self.loc(e.range);
        if conversion != -1 {
            let oparg = match u8::try_from(conversion) {
                Ok(b's') => 1,
                Ok(b'r') => 2,
                Ok(b'a') => 3,
                _ => {
                    return Err(CompileError::new(
                        ErrorKind::SystemError,
                        format!("Unrecognized conversion character {conversion}"),
                    ));
                }
            };
            self.addop_i(loc, CONVERT_VALUE, oparg);
        }
        match format_spec {
            Some(spec) => {
                self.visit_expr(spec)?;
                self.addop(loc, FORMAT_WITH_SPEC);
            }
            None => self.addop(loc, FORMAT_SIMPLE),
        }
        Ok(())
    }

    /// If an attribute is on another line than its object's start, its
    /// instructions are located at its name.
    pub(super) fn start_at_attribute(&mut self, loc: Loc, attribute: &Expr<'a>) -> Loc {
        let ExprKind::Attribute { attr, .. } = attribute.kind else { return loc };
        let mut location = self.location(loc);
        let end = Location::from(attribute.range);
        if location.lineno == end.end_lineno {
            return loc;
        }
        location.lineno = end.end_lineno;
        let len = attr.chars().count() as i32;
        if len <= end.end_col_offset {
            location.col_offset = end.end_col_offset - len;
        } else {
            // Not a tree of a parser.
            location.col_offset = -1;
            location.end_col_offset = -1;
        }
        location.end_lineno = location.end_lineno.max(location.lineno);
        if location.lineno == location.end_lineno {
            location.end_col_offset = location.end_col_offset.max(location.col_offset);
        }
        self.new_loc(location)
    }

    /// Can the method or attribute of `super(...)` be looked up without a super object?
    fn can_optimize_super_call(&mut self, object: &Expr<'a>, attr: &str) -> bool {
        let ExprKind::Call { func, args, keywords } = object.kind else { return false };
        let ExprKind::Name { id: "super", .. } = func.kind else { return false };
        if attr == "__class__" || !keywords.is_empty() {
            return false;
        }
        // Not if the program has a "super" of its own.
        let top = self.st.top();
        if self.ste().scope(known::SUPER) != GLOBAL_IMPLICIT || self.st.entry(top).scope(known::SUPER) != 0 {
            return false;
        }
        match args.len() {
            2 => !args.iter().any(|e| matches!(e.kind, ExprKind::Starred { .. })),
            0 => {
                let meta = &self.u.meta;
                meta.argcount + meta.posonlyargcount > 0 && self.ref_type(known::CLASS) == FREE
            }
            _ => false,
        }
    }

    fn load_args_for_super(&mut self, object: &'a Expr<'a>) -> Result<()> {
        let ExprKind::Call { func, args, .. } = object.kind else { return Ok(()) };
        let loc = self.loc(func.range);
        self.nameop(loc, known::SUPER, ExprContext::Load)?;
        if args.len() == 2 {
            return self.visit_exprs(args);
        }
        let loc = self.loc(object.range);
        self.nameop(loc, known::CLASS, ExprContext::Load)?;
        let first = self.u.meta.varnames.entries().first().map(|(name, ())| Name(*name));
        match first {
            Some(first) => self.nameop(loc, first, ExprContext::Load),
            None => Ok(()),
        }
    }

    #[inline(never)]
    fn attribute(&mut self, e: &'a Expr<'a>, value: &'a Expr<'a>, attr: &'a str, ctx: ExprContext) -> Result<()> {
        let name = self.intern(attr);
        if ctx == ExprContext::Load && self.can_optimize_super_call(value, attr) {
            self.load_args_for_super(value)?;
            let loc = self.loc(e.range);
            let zero = matches!(value.kind, ExprKind::Call { args: [], .. });
            self.addop_name(loc, if zero { LOAD_ZERO_SUPER_ATTR } else { LOAD_SUPER_ATTR }, name);
            let loc = self.start_at_attribute(loc, e);
            self.addop(loc, NOP);
            return Ok(());
        }
        if ctx == ExprContext::Store
            && let ExprKind::Name { id: "self", .. } = value.kind
            && let Some(class) = self.stack.iter_mut().rev().find(|u| u.scope_type == ScopeType::Class)
        {
            class.static_attributes.add(name.0);
        }
        self.visit_expr(value)?;
        let loc = self.loc(e.range);
        let loc = self.start_at_attribute(loc, e);
        match ctx {
            ExprContext::Load => self.addop_name(loc, LOAD_ATTR, name),
            ExprContext::Store => {
                self.forbidden_name(loc, name, ctx)?;
                self.addop_name(loc, STORE_ATTR, name);
            }
            ExprContext::Del => self.addop_name(loc, DELETE_ATTR, name),
        }
        Ok(())
    }

    #[inline(never)]
    fn subscript(
        &mut self,
        e: &'a Expr<'a>,
        value: &'a Expr<'a>,
        slice: &'a Expr<'a>,
        ctx: ExprContext,
    ) -> Result<()> {
        let loc = self.loc(e.range);
        if ctx == ExprContext::Load {
            self.check_subscripter(value);
            self.check_index(value, slice);
        }
        self.visit_expr(value)?;
        if is_two_element_slice(slice) && ctx != ExprContext::Del {
            self.slice_parts(slice)?;
            self.addop(loc, if ctx == ExprContext::Load { BINARY_SLICE } else { STORE_SLICE });
        } else {
            self.visit_expr(slice)?;
            self.addop(
                loc,
                match ctx {
                    ExprContext::Load => BINARY_SUBSCR,
                    ExprContext::Store => STORE_SUBSCR,
                    ExprContext::Del => DELETE_SUBSCR,
                },
            );
        }
        Ok(())
    }

    /// The parts of a slice; how many there are.
    pub(super) fn slice_parts(&mut self, e: &'a Expr<'a>) -> Result<u32> {
        let ExprKind::Slice { lower, upper, step } = e.kind else { return Ok(0) };
        for part in [lower, upper] {
            match part {
                Some(part) => self.visit_expr(part)?,
                None => {
                    let loc = self.loc(e.range);
                    self.load_none(loc);
                }
            }
        }
        match step {
            Some(step) => {
                self.visit_expr(step)?;
                Ok(3)
            }
            None => Ok(2),
        }
    }

    // Warnings about probable slips

    fn check_caller(&mut self, func: &Expr<'a>) {
        let callable_or_unknown = match func.kind {
            ExprKind::Lambda { .. } => true,
            _ => infer_type(func).is_none(),
        };
        if !callable_or_unknown && let Some(type_) = infer_type(func) {
            let loc = self.loc(func.range);
            self.warn(loc, format!("'{type_}' object is not callable; perhaps you missed a comma?"));
        }
    }

    fn check_subscripter(&mut self, value: &Expr<'a>) {
        let suspicious = match &value.kind {
            ExprKind::Constant { value, .. } => matches!(
                value,
                Constant::None
                    | Constant::Ellipsis
                    | Constant::True
                    | Constant::False
                    | Constant::Int(_)
                    | Constant::Float(_)
                    | Constant::Complex { .. }
                    | Constant::FrozenSet(_)
            ),
            ExprKind::Set { .. }
            | ExprKind::SetComp { .. }
            | ExprKind::GeneratorExp { .. }
            | ExprKind::Lambda { .. } => true,
            _ => false,
        };
        if suspicious && let Some(type_) = infer_type(value) {
            let loc = self.loc(value.range);
            self.warn(loc, format!("'{type_}' object is not subscriptable; perhaps you missed a comma?"));
        }
    }

    fn check_index(&mut self, value: &Expr<'a>, index: &Expr<'a>) {
        let Some(index_type) = infer_type(index) else { return };
        if matches!(index_type, "int" | "bool") {
            return;
        }
        let indexable = match &value.kind {
            ExprKind::Constant { value, .. } => {
                matches!(value, Constant::Str(_) | Constant::Bytes(_) | Constant::Tuple(_))
            }
            ExprKind::Tuple { .. }
            | ExprKind::List { .. }
            | ExprKind::ListComp { .. }
            | ExprKind::JoinedStr { .. }
            | ExprKind::FormattedValue { .. } => true,
            _ => false,
        };
        if indexable && let Some(type_) = infer_type(value) {
            let loc = self.loc(value.range);
            self.warn(
                loc,
                format!(
                    "{type_} indices must be integers or slices, not {index_type}; perhaps you missed a comma?"
                ),
            );
        }
    }

    // Calls

    /// Calls of names that are imported as modules aren't methods' calls.
    fn is_import_originated(&mut self, e: &Expr<'a>) -> bool {
        let ExprKind::Name { id, .. } = e.kind else { return false };
        let name = self.intern(id);
        self.st.entry(self.st.top()).symbol(name) & DEF_IMPORT != 0
    }

    fn validate_keywords(&mut self, keywords: &'a [Keyword<'a>]) -> Result<()> {
        for (i, keyword) in keywords.iter().enumerate() {
            let Some(arg) = keyword.arg else { continue };
            if arg == "__debug__" {
                let loc = self.loc(keyword.range);
                return Err(self.error(loc, "cannot assign to __debug__"));
            }
            if let Some(other) = keywords[i + 1..].iter().find(|other| other.arg == Some(arg)) {
                let loc = self.loc(other.range);
                return Err(self.error(loc, format!("keyword argument repeated: {arg}")));
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn call(
        &mut self,
        e: &'a Expr<'a>,
        func: &'a Expr<'a>,
        args: &'a [&'a Expr<'a>],
        keywords: &'a [Keyword<'a>],
    ) -> Result<()> {
        self.validate_keywords(keywords)?;
        if let ExprKind::Attribute { value, attr, ctx: ExprContext::Load } = func.kind
            && self.can_optimize_method_call(value, args, keywords)
        {
            return self.method_call(e, func, value, attr, args, keywords);
        }
        self.check_caller(func);
        self.visit_expr(func)?;
        let loc = self.loc(func.range);
        self.addop(loc, PUSH_NULL);
        let loc = self.loc(e.range);
        self.call_arguments(loc, 0, args, None, keywords)
    }

    fn can_optimize_method_call(
        &mut self,
        object: &Expr<'a>,
        args: &[&Expr<'a>],
        keywords: &[Keyword<'a>],
    ) -> bool {
        !self.is_import_originated(object)
            && args.len() + keywords.len() + usize::from(!keywords.is_empty()) < STACK_USE_GUIDELINE
            && !args.iter().any(|e| matches!(e.kind, ExprKind::Starred { .. }))
            && !keywords.iter().any(|keyword| keyword.arg.is_none())
    }

    fn method_call(
        &mut self,
        e: &'a Expr<'a>,
        func: &'a Expr<'a>,
        object: &'a Expr<'a>,
        attr: &'a str,
        args: &'a [&'a Expr<'a>],
        keywords: &'a [Keyword<'a>],
    ) -> Result<()> {
        let name = self.intern(attr);
        let loc;
        if self.can_optimize_super_call(object, attr) {
            self.load_args_for_super(object)?;
            let start = self.loc(func.range);
            let zero = matches!(object.kind, ExprKind::Call { args: [], .. });
            self.addop_name(start, if zero { LOAD_ZERO_SUPER_METHOD } else { LOAD_SUPER_METHOD }, name);
            loc = self.start_at_attribute(start, func);
            self.addop(loc, NOP);
        } else {
            self.visit_expr(object)?;
            let start = self.loc(func.range);
            loc = self.start_at_attribute(start, func);
            self.addop_name(loc, LOAD_METHOD, name);
        }
        self.visit_exprs(args)?;
        if keywords.is_empty() {
            let call_loc = self.loc(e.range);
            let call_loc = self.start_at_attribute(call_loc, func);
            self.addop_i(call_loc, CALL, args.len() as u32);
        } else {
            self.keyword_values_and_names(loc, keywords)?;
            let call_loc = self.loc(e.range);
            let call_loc = self.start_at_attribute(call_loc, func);
            self.addop_i(call_loc, CALL_KW, (args.len() + keywords.len()) as u32);
        }
        Ok(())
    }

    fn keyword_values_and_names(&mut self, loc: Loc, keywords: &'a [Keyword<'a>]) -> Result<()> {
        for keyword in keywords {
            self.visit_expr(keyword.value)?;
        }
        let id = self.const_names(keywords.iter().filter_map(|keyword| keyword.arg));
        self.load_const_id(loc, id);
        Ok(())
    }

    /// The arguments of a call or class, and the call. `pushed` arguments are
    /// on the stack already, `extra` is a variable after the positional ones.
    pub(super) fn call_arguments(
        &mut self,
        loc: Loc,
        pushed: usize,
        args: &'a [&'a Expr<'a>],
        extra: Option<Name>,
        keywords: &'a [Keyword<'a>],
    ) -> Result<()> {
        self.validate_keywords(keywords)?;
        let nargs = args.len() + usize::from(extra.is_some());
        let simple = nargs + keywords.len() * 2 <= STACK_USE_GUIDELINE
            && !args.iter().any(|e| matches!(e.kind, ExprKind::Starred { .. }))
            && !keywords.iter().any(|keyword| keyword.arg.is_none());
        if simple {
            self.visit_exprs(args)?;
            self.load_extra(loc, extra)?;
            if keywords.is_empty() {
                self.addop_i(loc, CALL, (pushed + nargs) as u32);
            } else {
                self.keyword_values_and_names(loc, keywords)?;
                self.addop_i(loc, CALL_KW, (pushed + nargs + keywords.len()) as u32);
            }
            return Ok(());
        }

        match args {
            [Expr { kind: ExprKind::Starred { value, .. }, .. }] if pushed == 0 && extra.is_none() => {
                self.visit_expr(value)?
            }
            _ => self.starunpack(loc, args, extra, pushed, &TUPLE)?,
        }
        if !keywords.is_empty() {
            let mut have_dict = false;
            // The keywords since `start` aren't emitted yet.
            let mut start = 0;
            for (i, keyword) in keywords.iter().enumerate() {
                if keyword.arg.is_some() {
                    continue;
                }
                if start < i {
                    self.subkwargs(loc, &keywords[start..i])?;
                    self.merge_dict(loc, &mut have_dict, DICT_MERGE);
                }
                if !have_dict {
                    self.addop_i(loc, BUILD_MAP, 0);
                    have_dict = true;
                }
                self.visit_expr(keyword.value)?;
                self.addop_i(loc, DICT_MERGE, 1);
                start = i + 1;
            }
            if start < keywords.len() {
                self.subkwargs(loc, &keywords[start..])?;
                self.merge_dict(loc, &mut have_dict, DICT_MERGE);
            }
        }
        self.addop_i(loc, CALL_FUNCTION_EX, u32::from(!keywords.is_empty()));
        Ok(())
    }

    /// Some keyword arguments as a dict.
    fn subkwargs(&mut self, loc: Loc, keywords: &'a [Keyword<'a>]) -> Result<()> {
        let n = keywords.len();
        let big = n * 2 > STACK_USE_GUIDELINE;
        if n > 1 && !big {
            self.keyword_values_and_names(loc, keywords)?;
            self.addop_i(loc, BUILD_CONST_KEY_MAP, n as u32);
            return Ok(());
        }
        if big {
            self.addop_i(Loc::NONE, BUILD_MAP, 0);
        }
        for keyword in keywords {
            let name = self.intern(keyword.arg.unwrap_or(""));
            self.load_name_const(loc, name);
            self.visit_expr(keyword.value)?;
            if big {
                self.addop_i(Loc::NONE, MAP_ADD, 1);
            }
        }
        if !big {
            self.addop_i(loc, BUILD_MAP, n as u32);
        }
        Ok(())
    }
}
