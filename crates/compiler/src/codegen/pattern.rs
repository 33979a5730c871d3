//! The `match` statement (PEP 634).
//!
//! A pattern consumes the subject on top of the stack. If it doesn't match, it
//! jumps to the label that pops what is left: `on_top` values that a pattern
//! has put there, and the captures so far, which lie beneath until the whole
//! pattern has matched.

use super::*;

struct PatternContext<'a> {
    /// Captured names, in the order of their values on the stack.
    stores: Vec<&'a str>,
    /// May the pattern match everything?
    allow_irrefutable: bool,
    /// Jumping to the label at index i pops i values.
    fail_pop: Vec<Label>,
    /// Values above the captures.
    on_top: usize,
}

fn is_wildcard(p: &Pattern<'_>) -> bool {
    matches!(p.kind, PatternKind::MatchAs { name: None, .. })
}

impl<'a> Compiler<'a> {
    fn ensure_fail_pop(&mut self, pc: &mut PatternContext<'a>, n: usize) {
        while pc.fail_pop.len() <= n {
            let label = self.new_label();
            pc.fail_pop.push(label);
        }
    }

    fn jump_to_fail_pop(&mut self, loc: Loc, pc: &mut PatternContext<'a>, op: Opcode) {
        let pops = pc.on_top + pc.stores.len();
        self.ensure_fail_pop(pc, pops);
        self.addop_jump(loc, op, pc.fail_pop[pops]);
    }

    fn emit_and_reset_fail_pop(&mut self, loc: Loc, pc: &mut PatternContext<'a>) {
        while let Some(label) = pc.fail_pop.pop() {
            self.use_label(label);
            if !pc.fail_pop.is_empty() {
                self.addop(loc, POP_TOP);
            }
        }
    }

    /// Moves the top value down by `count - 1` places.
    fn pattern_rotate(&mut self, loc: Loc, count: usize) {
        for i in (2..=count).rev() {
            self.addop_i(loc, SWAP, i as u32);
        }
    }

    fn duplicate_store(&mut self, loc: Loc, name: &str) -> Box<CompileError> {
        self.error(loc, format!("multiple assignments to name {} in pattern", crate::unparse::repr_str(name.as_bytes())))
    }

    fn pattern_store_name(&mut self, loc: Loc, name: Option<&'a str>, pc: &mut PatternContext<'a>) -> Result<()> {
        let Some(text) = name else {
            self.addop(loc, POP_TOP);
            return Ok(());
        };
        let name = self.intern(text);
        self.forbidden_name(loc, name, ExprContext::Store)?;
        if pc.stores.contains(&text) {
            return Err(self.duplicate_store(loc, text));
        }
        self.pattern_rotate(loc, pc.on_top + pc.stores.len() + 1);
        pc.stores.push(text);
        Ok(())
    }

    fn pattern(&mut self, p: &'a Pattern<'a>, pc: &mut PatternContext<'a>) -> Result<()> {
        self.recursion.enter()?;
        let loc = self.loc(p.range);
        match p.kind {
            PatternKind::MatchValue { value } => {
                if !matches!(value.kind, ExprKind::Constant { .. } | ExprKind::Attribute { .. }) {
                    return Err(self.error(loc, "patterns may only match literals and attribute lookups"));
                }
                self.visit_expr(value)?;
                self.addop_compare(loc, CmpOp::Eq);
                self.addop(loc, TO_BOOL);
                self.jump_to_fail_pop(loc, pc, POP_JUMP_IF_FALSE);
            }
            PatternKind::MatchSingleton { ref value } => {
                self.load_const(loc, value);
                self.addop_compare(loc, CmpOp::Is);
                self.jump_to_fail_pop(loc, pc, POP_JUMP_IF_FALSE);
            }
            PatternKind::MatchSequence { patterns } => self.pattern_sequence(loc, patterns, pc)?,
            PatternKind::MatchMapping { keys, patterns, rest } => {
                self.pattern_mapping(loc, keys, patterns, rest, pc)?
            }
            PatternKind::MatchClass { cls, patterns, kwd_attrs, kwd_patterns } => {
                self.pattern_class(loc, cls, patterns, kwd_attrs, kwd_patterns, pc)?
            }
            PatternKind::MatchStar { name } => self.pattern_store_name(loc, name, pc)?,
            PatternKind::MatchAs { pattern, name } => self.pattern_as(loc, pattern, name, pc)?,
            PatternKind::MatchOr { patterns } => self.pattern_or(loc, patterns, pc)?,
        }
        self.recursion.leave();
        Ok(())
    }

    /// A pattern inside another one may match everything.
    fn subpattern(&mut self, p: &'a Pattern<'a>, pc: &mut PatternContext<'a>) -> Result<()> {
        let allowed = std::mem::replace(&mut pc.allow_irrefutable, true);
        self.pattern(p, pc)?;
        pc.allow_irrefutable = allowed;
        Ok(())
    }

    fn pattern_as(
        &mut self,
        loc: Loc,
        pattern: Option<&'a Pattern<'a>>,
        name: Option<&'a str>,
        pc: &mut PatternContext<'a>,
    ) -> Result<()> {
        let Some(pattern) = pattern else {
            if !pc.allow_irrefutable {
                let message = match name {
                    Some(name) => format!(
                        "name capture {} makes remaining patterns unreachable",
                        crate::unparse::repr_str(name.as_bytes())
                    ),
                    None => "wildcard makes remaining patterns unreachable".to_owned(),
                };
                return Err(self.error(loc, message));
            }
            return self.pattern_store_name(loc, name, pc);
        };
        // A copy to be stored.
        pc.on_top += 1;
        self.addop_i(loc, COPY, 1);
        self.pattern(pattern, pc)?;
        pc.on_top -= 1;
        self.pattern_store_name(loc, name, pc)
    }

    fn pattern_sequence(
        &mut self,
        loc: Loc,
        patterns: &'a [&'a Pattern<'a>],
        pc: &mut PatternContext<'a>,
    ) -> Result<()> {
        let size = patterns.len();
        let mut star = None;
        let mut only_wildcard = true;
        let mut star_wildcard = false;
        for (i, pattern) in patterns.iter().enumerate() {
            if let PatternKind::MatchStar { name } = pattern.kind {
                if star.is_some() {
                    return Err(self.error(loc, "multiple starred names in sequence pattern"));
                }
                star_wildcard = name.is_none();
                only_wildcard &= star_wildcard;
                star = Some(i);
            } else {
                only_wildcard &= is_wildcard(pattern);
            }
        }
        pc.on_top += 1;
        self.addop(loc, MATCH_SEQUENCE);
        self.jump_to_fail_pop(loc, pc, POP_JUMP_IF_FALSE);
        if star.is_none() || size > 1 {
            // Exactly so many, or as many as there are beside the star.
            self.addop(loc, GET_LEN);
            let (n, op) = if star.is_none() { (size, CmpOp::Eq) } else { (size - 1, CmpOp::GtE) };
            self.load_int(loc, n);
            self.addop_compare(loc, op);
            self.jump_to_fail_pop(loc, pc, POP_JUMP_IF_FALSE);
        }
        pc.on_top -= 1;
        match star {
            _ if only_wildcard => {
                self.addop(loc, POP_TOP);
                Ok(())
            }
            Some(star) if star_wildcard => self.sequence_subscr(loc, patterns, star, pc),
            _ => self.sequence_unpack(loc, patterns, star, pc),
        }
    }

    fn sequence_unpack(
        &mut self,
        loc: Loc,
        patterns: &'a [&'a Pattern<'a>],
        star: Option<usize>,
        pc: &mut PatternContext<'a>,
    ) -> Result<()> {
        let size = patterns.len();
        match star {
            Some(star) => {
                let after = size - star - 1;
                if star >= 1 << 8 || after >= (i32::MAX >> 8) as usize {
                    return Err(self.error(loc, "too many expressions in star-unpacking sequence pattern"));
                }
                self.addop_i(loc, UNPACK_EX, (star + (after << 8)) as u32);
            }
            None => self.addop_i(loc, UNPACK_SEQUENCE, size as u32),
        }
        pc.on_top += size;
        for pattern in patterns {
            pc.on_top -= 1;
            self.subpattern(pattern, pc)?;
        }
        Ok(())
    }

    /// With `*_`, items are taken by index; nothing is unpacked.
    fn sequence_subscr(
        &mut self,
        loc: Loc,
        patterns: &'a [&'a Pattern<'a>],
        star: usize,
        pc: &mut PatternContext<'a>,
    ) -> Result<()> {
        pc.on_top += 1;
        let size = patterns.len();
        for (i, pattern) in patterns.iter().enumerate() {
            if is_wildcard(pattern) || i == star {
                continue;
            }
            self.addop_i(loc, COPY, 1);
            if i < star {
                self.load_int(loc, i);
            } else {
                // The subject may not know negative indices.
                self.addop(loc, GET_LEN);
                self.load_int(loc, size - i);
                self.addop_i(loc, BINARY_OP, expr::binary_op(Operator::Sub, false));
            }
            self.addop(loc, BINARY_SUBSCR);
            self.subpattern(pattern, pc)?;
        }
        pc.on_top -= 1;
        self.addop(loc, POP_TOP);
        Ok(())
    }

    fn pattern_class(
        &mut self,
        loc: Loc,
        cls: &'a Expr<'a>,
        patterns: &'a [&'a Pattern<'a>],
        kwd_attrs: &'a [&'a str],
        kwd_patterns: &'a [&'a Pattern<'a>],
        pc: &mut PatternContext<'a>,
    ) -> Result<()> {
        let (nargs, nattrs) = (patterns.len(), kwd_attrs.len());
        if nattrs != kwd_patterns.len() {
            return Err(self.error(
                loc,
                format!(
                    "kwd_attrs ({nattrs}) / kwd_patterns ({}) length mismatch in class pattern",
                    kwd_patterns.len()
                ),
            ));
        }
        for (i, attr) in kwd_attrs.iter().enumerate() {
            let attr_loc = self.loc(kwd_patterns[i].range);
            let name = self.intern(attr);
            self.forbidden_name(attr_loc, name, ExprContext::Store)?;
            if let Some(j) = kwd_attrs[i + 1..].iter().position(|other| other == attr) {
                let loc = self.loc(kwd_patterns[i + 1 + j].range);
                return Err(self.error(loc, format!("attribute name repeated in class pattern: {attr}")));
            }
        }
        self.visit_expr(cls)?;
        let id = self.const_names(kwd_attrs.iter().copied());
        self.load_const_id(loc, id);
        self.addop_i(loc, MATCH_CLASS, nargs as u32);
        self.addop_i(loc, COPY, 1);
        self.load_none(loc);
        self.addop_i(loc, IS_OP, 1);
        // On top: the tuple of attributes, or None.
        pc.on_top += 1;
        self.jump_to_fail_pop(loc, pc, POP_JUMP_IF_FALSE);
        self.addop_i(loc, UNPACK_SEQUENCE, (nargs + nattrs) as u32);
        pc.on_top = pc.on_top + nargs + nattrs - 1;
        for pattern in patterns.iter().chain(kwd_patterns) {
            pc.on_top -= 1;
            if is_wildcard(pattern) {
                self.addop(loc, POP_TOP);
                continue;
            }
            self.subpattern(pattern, pc)?;
        }
        Ok(())
    }

    fn pattern_mapping(
        &mut self,
        loc: Loc,
        keys: &'a [&'a Expr<'a>],
        patterns: &'a [&'a Pattern<'a>],
        rest: Option<&'a str>,
        pc: &mut PatternContext<'a>,
    ) -> Result<()> {
        let size = keys.len();
        if size != patterns.len() {
            return Err(self.error(
                loc,
                format!("keys ({size}) / patterns ({}) length mismatch in mapping pattern", patterns.len()),
            ));
        }
        pc.on_top += 1;
        self.addop(loc, MATCH_MAPPING);
        self.jump_to_fail_pop(loc, pc, POP_JUMP_IF_FALSE);
        if size == 0 && rest.is_none() {
            pc.on_top -= 1;
            self.addop(loc, POP_TOP);
            return Ok(());
        }
        if size > 0 {
            self.addop(loc, GET_LEN);
            self.load_int(loc, size);
            self.addop_compare(loc, CmpOp::GtE);
            self.jump_to_fail_pop(loc, pc, POP_JUMP_IF_FALSE);
        }
        let mut seen: Vec<&Constant<'a>> = Vec::new();
        for key in keys {
            match &key.kind {
                ExprKind::Constant { value, .. } => {
                    if seen.iter().any(|other| crate::fold::py_equal(other, value)) {
                        let text = crate::unparse::repr_constant(value);
                        return Err(self.error(loc, format!("mapping pattern checks duplicate key ({text})")));
                    }
                    seen.push(value);
                }
                ExprKind::Attribute { .. } => {}
                _ => {
                    return Err(self.error(
                        loc,
                        "mapping pattern keys may only match literals and attribute lookups",
                    ));
                }
            }
            self.visit_expr(key)?;
        }
        self.addop_i(loc, BUILD_TUPLE, size as u32);
        self.addop(loc, MATCH_KEYS);
        // Above the subject: the keys, and the values or None.
        pc.on_top += 2;
        self.addop_i(loc, COPY, 1);
        self.load_none(loc);
        self.addop_i(loc, IS_OP, 1);
        self.jump_to_fail_pop(loc, pc, POP_JUMP_IF_FALSE);
        self.addop_i(loc, UNPACK_SEQUENCE, size as u32);
        pc.on_top = pc.on_top + size - 1;
        for pattern in patterns {
            pc.on_top -= 1;
            self.subpattern(pattern, pc)?;
        }
        // The keys and the subject are left.
        pc.on_top -= 2;
        if let Some(rest) = rest {
            // A copy of the subject without the keys.
            self.addop_i(loc, BUILD_MAP, 0);
            self.addop_i(loc, SWAP, 3);
            self.addop_i(loc, DICT_UPDATE, 2);
            self.addop_i(loc, UNPACK_SEQUENCE, size as u32);
            for left in (1..=size).rev() {
                self.addop_i(loc, COPY, 1 + left as u32);
                self.addop_i(loc, SWAP, 2);
                self.addop(loc, DELETE_SUBSCR);
            }
            self.pattern_store_name(loc, Some(rest), pc)
        } else {
            self.addop(loc, POP_TOP);
            self.addop(loc, POP_TOP);
            Ok(())
        }
    }

    fn pattern_or(&mut self, loc: Loc, patterns: &'a [&'a Pattern<'a>], pc: &mut PatternContext<'a>) -> Result<()> {
        let end = self.new_label();
        // The names of the first alternative; the others have to bind the same.
        let mut control: Vec<&'a str> = Vec::new();
        for (i, alternative) in patterns.iter().enumerate() {
            let alt_loc = self.loc(alternative.range);
            let mut alt = PatternContext {
                stores: Vec::new(),
                allow_irrefutable: i + 1 == patterns.len() && pc.allow_irrefutable,
                fail_pop: Vec::new(),
                on_top: 0,
            };
            self.addop_i(alt_loc, COPY, 1);
            self.pattern(alternative, &mut alt)?;
            if i == 0 {
                control = alt.stores.clone();
            } else {
                self.reorder_stores(loc, alt_loc, &control, &mut alt.stores)?;
            }
            self.addop_jump(alt_loc, JUMP, end);
            self.emit_and_reset_fail_pop(alt_loc, &mut alt);
        }
        // None matched.
        self.addop(loc, POP_TOP);
        self.jump_to_fail_pop(loc, pc, JUMP);

        self.use_label(end);
        // Each capture goes below the subject's copy, what is on top, and earlier captures.
        let rotations = control.len() + 1 + pc.on_top + pc.stores.len();
        for name in control {
            self.pattern_rotate(loc, rotations);
            if pc.stores.contains(&name) {
                return Err(self.duplicate_store(loc, name));
            }
            pc.stores.push(name);
        }
        self.addop(loc, POP_TOP);
        Ok(())
    }

    /// Brings the captures of an alternative into the order of the first one's.
    fn reorder_stores(
        &mut self,
        loc: Loc,
        alt_loc: Loc,
        control: &[&'a str],
        stores: &mut Vec<&'a str>,
    ) -> Result<()> {
        const DIFFERENT: &str = "alternative patterns bind different names";
        if stores.len() != control.len() {
            return Err(self.error(loc, DIFFERENT));
        }
        for wanted in (0..control.len()).rev() {
            let Some(at) = stores.iter().position(|name| *name == control[wanted]) else {
                return Err(self.error(loc, DIFFERENT));
            };
            if at == wanted {
                continue;
            }
            // The names up to `at` move behind those up to `wanted`, in the list and on the stack.
            stores[..=wanted].rotate_left(at + 1);
            for _ in 0..=at {
                self.pattern_rotate(alt_loc, wanted + 1);
            }
        }
        Ok(())
    }

    #[inline(never)]
    pub(super) fn match_(&mut self, subject: &'a Expr<'a>, cases: &'a [MatchCase<'a>]) -> Result<()> {
        self.visit_expr(subject)?;
        let end = self.new_label();
        let Some(last) = cases.last() else { return Ok(()) };
        let has_default = is_wildcard(last.pattern) && cases.len() > 1;
        let tested = cases.len() - usize::from(has_default);
        for (i, case) in cases[..tested].iter().enumerate() {
            let loc = self.loc(case.pattern.range);
            let keeps_subject = i + 1 != tested;
            if keeps_subject {
                self.addop_i(loc, COPY, 1);
            }
            let mut pc = PatternContext {
                stores: Vec::new(),
                allow_irrefutable: case.guard.is_some() || i + 1 == cases.len(),
                fail_pop: Vec::new(),
                on_top: 0,
            };
            self.pattern(case.pattern, &mut pc)?;
            for text in &pc.stores {
                let name = self.intern(text);
                self.nameop(loc, name, ExprContext::Store)?;
            }
            if let Some(guard) = case.guard {
                self.ensure_fail_pop(&mut pc, 0);
                self.jump_if(loc, guard, pc.fail_pop[0], false)?;
            }
            if keeps_subject {
                self.addop(loc, POP_TOP);
            }
            self.visit_stmts(case.body)?;
            self.addop_jump(Loc::NONE, JUMP, end);
            // The clean-up is the failed pattern's, not the last statement's.
            self.emit_and_reset_fail_pop(loc, &mut pc);
        }
        if has_default {
            // "case _" needs no test; its line is there for coverage.
            let loc = self.loc(last.pattern.range);
            self.addop(loc, NOP);
            if let Some(guard) = last.guard {
                self.jump_if(loc, guard, end, false)?;
            }
            self.visit_stmts(last.body)?;
        }
        self.use_label(end);
        Ok(())
    }
}
