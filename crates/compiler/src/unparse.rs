//! Expressions as source text: what postponed annotations become, and `repr` of
//! constants for it and for messages. Text is generalised UTF-8.

use std::io::Write;

use taipan_parser::ast::*;

use crate::error::{Recursion, Result};
use crate::fold::int_to_big;
use taipan_parser::is_printable;

/// How tightly an expression binds; a looser one in a tighter place gets parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Tuple,
    Test,
    Or,
    And,
    Not,
    Cmp,
    BOr,
    BXor,
    BAnd,
    Shift,
    Arith,
    Term,
    Factor,
    Power,
    Await,
    Atom,
}

impl Level {
    fn tighter(self) -> Level {
        use Level::*;
        match self {
            Tuple => Test,
            Test => Or,
            Or => And,
            And => Not,
            Not => Cmp,
            Cmp => BOr,
            BOr => BXor,
            BXor => BAnd,
            BAnd => Shift,
            Shift => Arith,
            Arith => Term,
            Term => Factor,
            Factor => Power,
            Power => Await,
            Await | Atom => Atom,
        }
    }
}

/// The text of an expression.
pub(crate) fn unparse(e: &Expr<'_>, recursion: &mut Recursion) -> Result<Vec<u8>> {
    let mut writer = Writer { out: Vec::new(), recursion };
    writer.expr(e, Level::Test)?;
    Ok(writer.out)
}

/// The text of an expression, by itself.
pub fn expression(e: &Expr<'_>) -> Result<Vec<u8>> {
    unparse(e, &mut Recursion::new(crate::DEFAULT_STACK_BUDGET))
}

struct Writer<'r> {
    out: Vec<u8>,
    recursion: &'r mut Recursion,
}

fn binary_operator(op: Operator) -> (&'static str, Level) {
    match op {
        Operator::Add => (" + ", Level::Arith),
        Operator::Sub => (" - ", Level::Arith),
        Operator::Mult => (" * ", Level::Term),
        Operator::MatMult => (" @ ", Level::Term),
        Operator::Div => (" / ", Level::Term),
        Operator::Mod => (" % ", Level::Term),
        Operator::LShift => (" << ", Level::Shift),
        Operator::RShift => (" >> ", Level::Shift),
        Operator::BitOr => (" | ", Level::BOr),
        Operator::BitXor => (" ^ ", Level::BXor),
        Operator::BitAnd => (" & ", Level::BAnd),
        Operator::FloorDiv => (" // ", Level::Term),
        Operator::Pow => (" ** ", Level::Power),
    }
}

fn comparison(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => " == ",
        CmpOp::NotEq => " != ",
        CmpOp::Lt => " < ",
        CmpOp::LtE => " <= ",
        CmpOp::Gt => " > ",
        CmpOp::GtE => " >= ",
        CmpOp::Is => " is ",
        CmpOp::IsNot => " is not ",
        CmpOp::In => " in ",
        CmpOp::NotIn => " not in ",
    }
}

impl Writer<'_> {
    fn str(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// The body, in parentheses if the place wants something tighter than `own`.
    fn grouped(&mut self, level: Level, own: Level, body: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let parentheses = level > own;
        if parentheses {
            self.str("(");
        }
        body(self)?;
        if parentheses {
            self.str(")");
        }
        Ok(())
    }

    fn list<'e, T: 'e>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T) -> Result<()>,
    ) -> Result<()> {
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.str(", ");
            }
            each(self, item)?;
        }
        Ok(())
    }

    fn exprs(&mut self, exprs: &[&Expr<'_>]) -> Result<()> {
        self.list(exprs, |w, e| w.expr(e, Level::Test))
    }

    fn expr(&mut self, e: &Expr<'_>, level: Level) -> Result<()> {
        self.recursion.enter()?;
        match e.kind {
            ExprKind::BoolOp { op, values } => {
                let (text, own) =
                    if op == BoolOp::And { (" and ", Level::And) } else { (" or ", Level::Or) };
                self.grouped(level, own, |w| {
                    for (i, value) in values.iter().enumerate() {
                        if i > 0 {
                            w.str(text);
                        }
                        w.expr(value, own.tighter())?;
                    }
                    Ok(())
                })?;
            }
            ExprKind::BinOp { left, op, right } => {
                let (text, own) = binary_operator(op);
                let right_associative = op == Operator::Pow;
                self.grouped(level, own, |w| {
                    w.expr(left, if right_associative { own.tighter() } else { own })?;
                    w.str(text);
                    w.expr(right, if right_associative { own } else { own.tighter() })
                })?;
            }
            ExprKind::UnaryOp { op, operand } => {
                let (text, own) = match op {
                    UnaryOp::Invert => ("~", Level::Factor),
                    UnaryOp::Not => ("not ", Level::Not),
                    UnaryOp::UAdd => ("+", Level::Factor),
                    UnaryOp::USub => ("-", Level::Factor),
                };
                self.grouped(level, own, |w| {
                    w.str(text);
                    w.expr(operand, own)
                })?;
            }
            ExprKind::Lambda { args, body } => self.grouped(level, Level::Test, |w| {
                let positional = !args.args.is_empty() || !args.posonlyargs.is_empty();
                w.str(if positional { "lambda " } else { "lambda" });
                w.arguments(args)?;
                w.str(": ");
                w.expr(body, Level::Test)
            })?,
            ExprKind::IfExp { test, body, orelse } => self.grouped(level, Level::Test, |w| {
                w.expr(body, Level::Or)?;
                w.str(" if ");
                w.expr(test, Level::Or)?;
                w.str(" else ");
                w.expr(orelse, Level::Test)
            })?,
            ExprKind::Dict { keys, values } => {
                self.str("{");
                self.list(keys.iter().zip(values), |w, (key, value)| match key {
                    Some(key) => {
                        w.expr(key, Level::Test)?;
                        w.str(": ");
                        w.expr(value, Level::Test)
                    }
                    None => {
                        w.str("**");
                        w.expr(value, Level::BOr)
                    }
                })?;
                self.str("}");
            }
            ExprKind::Set { elts } => {
                self.str("{");
                self.exprs(elts)?;
                self.str("}");
            }
            ExprKind::List { elts, .. } => {
                self.str("[");
                self.exprs(elts)?;
                self.str("]");
            }
            ExprKind::Tuple { elts: [], .. } => self.str("()"),
            ExprKind::Tuple { elts, .. } => self.grouped(level, Level::Tuple, |w| {
                w.exprs(elts)?;
                if elts.len() == 1 {
                    w.str(",");
                }
                Ok(())
            })?,
            ExprKind::GeneratorExp { elt, generators } => self.comprehension("(", elt, None, generators, ")")?,
            ExprKind::ListComp { elt, generators } => self.comprehension("[", elt, None, generators, "]")?,
            ExprKind::SetComp { elt, generators } => self.comprehension("{", elt, None, generators, "}")?,
            ExprKind::DictComp { key, value, generators } => {
                self.comprehension("{", key, Some(value), generators, "}")?
            }
            ExprKind::Yield { value } => match value {
                Some(value) => {
                    self.str("(yield ");
                    self.expr(value, Level::Test)?;
                    self.str(")");
                }
                None => self.str("(yield)"),
            },
            ExprKind::YieldFrom { value } => {
                self.str("(yield from ");
                self.expr(value, Level::Test)?;
                self.str(")");
            }
            ExprKind::Await { value } => self.grouped(level, Level::Await, |w| {
                w.str("await ");
                w.expr(value, Level::Atom)
            })?,
            ExprKind::Compare { left, ops, comparators } => self.grouped(level, Level::Cmp, |w| {
                w.expr(left, Level::BOr)?;
                for (op, right) in ops.iter().zip(comparators) {
                    w.str(comparison(*op));
                    w.expr(right, Level::BOr)?;
                }
                Ok(())
            })?,
            ExprKind::Call { func, args, keywords } => self.call(func, args, keywords)?,
            ExprKind::Constant { value: Constant::Ellipsis, .. } => self.str("..."),
            ExprKind::Constant { value, kind } => {
                self.str(kind.unwrap_or(""));
                self.constant(&value);
            }
            ExprKind::JoinedStr { values } => {
                let body = self.fstring_body(values)?;
                self.str("f");
                write_repr_str(&mut self.out, &body);
            }
            ExprKind::FormattedValue { value, conversion, format_spec } => {
                self.formatted_value(value, conversion, format_spec)?
            }
            ExprKind::Attribute { value, attr, .. } => {
                self.expr(value, Level::Atom)?;
                // "1.real" would be a number.
                let number = matches!(value.kind, ExprKind::Constant { value: Constant::Int(_), .. });
                self.str(if number { " ." } else { "." });
                self.str(attr);
            }
            ExprKind::Subscript { value, slice, .. } => {
                self.expr(value, Level::Atom)?;
                self.str("[");
                self.expr(slice, Level::Tuple)?;
                self.str("]");
            }
            ExprKind::Starred { value, .. } => {
                self.str("*");
                self.expr(value, Level::BOr)?;
            }
            ExprKind::Slice { lower, upper, step } => {
                if let Some(lower) = lower {
                    self.expr(lower, Level::Test)?;
                }
                self.str(":");
                if let Some(upper) = upper {
                    self.expr(upper, Level::Test)?;
                }
                if let Some(step) = step {
                    self.str(":");
                    self.expr(step, Level::Test)?;
                }
            }
            ExprKind::Name { id, .. } => self.str(id),
            ExprKind::NamedExpr { target, value } => self.grouped(level, Level::Tuple, |w| {
                w.expr(target, Level::Atom)?;
                w.str(" := ");
                w.expr(value, Level::Atom)
            })?,
        }
        self.recursion.leave();
        Ok(())
    }

    fn comprehension(
        &mut self,
        open: &str,
        elt: &Expr<'_>,
        value: Option<&Expr<'_>>,
        generators: &[Comprehension<'_>],
        close: &str,
    ) -> Result<()> {
        self.str(open);
        self.expr(elt, Level::Test)?;
        if let Some(value) = value {
            self.str(": ");
            self.expr(value, Level::Test)?;
        }
        for generator in generators {
            self.str(if generator.is_async != 0 { " async for " } else { " for " });
            self.expr(generator.target, Level::Tuple)?;
            self.str(" in ");
            self.expr(generator.iter, Level::Or)?;
            for condition in generator.ifs {
                self.str(" if ");
                self.expr(condition, Level::Or)?;
            }
        }
        self.str(close);
        Ok(())
    }

    fn call(&mut self, func: &Expr<'_>, args: &[&Expr<'_>], keywords: &[Keyword<'_>]) -> Result<()> {
        self.expr(func, Level::Atom)?;
        if let ([arg], []) = (args, keywords)
            && let ExprKind::GeneratorExp { .. } = arg.kind
        {
            // It brings its own parentheses.
            return self.expr(arg, Level::Atom);
        }
        self.str("(");
        self.exprs(args)?;
        if !args.is_empty() && !keywords.is_empty() {
            self.str(", ");
        }
        self.list(keywords, |w, keyword| {
            match keyword.arg {
                Some(arg) => {
                    w.str(arg);
                    w.str("=");
                }
                None => w.str("**"),
            }
            w.expr(keyword.value, Level::Test)
        })?;
        self.str(")");
        Ok(())
    }

    fn arg(&mut self, arg: &Arg<'_>, default: Option<&Expr<'_>>) -> Result<()> {
        self.str(arg.arg);
        if let Some(annotation) = arg.annotation {
            self.str(": ");
            self.expr(annotation, Level::Test)?;
        }
        if let Some(default) = default {
            self.str("=");
            self.expr(default, Level::Test)?;
        }
        Ok(())
    }

    fn arguments(&mut self, args: &Arguments<'_>) -> Result<()> {
        let mut first = true;
        let mut separator = |w: &mut Self| {
            if !std::mem::replace(&mut first, false) {
                w.str(", ");
            }
        };
        let npositional = args.posonlyargs.len() + args.args.len();
        let without_default = npositional.saturating_sub(args.defaults.len());
        for (i, arg) in args.posonlyargs.iter().chain(args.args).enumerate() {
            separator(self);
            let default = i.checked_sub(without_default).and_then(|i| args.defaults.get(i)).copied();
            self.arg(arg, default)?;
            if i + 1 == args.posonlyargs.len() {
                self.str(", /");
            }
        }
        if args.vararg.is_some() || !args.kwonlyargs.is_empty() {
            separator(self);
            self.str("*");
            if let Some(vararg) = args.vararg {
                self.arg(vararg, None)?;
            }
        }
        for (i, arg) in args.kwonlyargs.iter().enumerate() {
            separator(self);
            self.arg(arg, args.kw_defaults.get(i).copied().flatten())?;
        }
        if let Some(kwarg) = args.kwarg {
            separator(self);
            self.str("**");
            self.arg(kwarg, None)?;
        }
        Ok(())
    }

    /// The parts of an f-string, before quotes and escapes are put to the whole.
    fn fstring_body(&mut self, values: &[&Expr<'_>]) -> Result<Vec<u8>> {
        let outer = std::mem::take(&mut self.out);
        for value in values {
            self.fstring_element(value, false)?;
        }
        Ok(std::mem::replace(&mut self.out, outer))
    }

    fn fstring_element(&mut self, e: &Expr<'_>, is_format_spec: bool) -> Result<()> {
        match e.kind {
            ExprKind::Constant { value: Constant::Str(s), .. } => {
                for byte in s {
                    self.out.push(*byte);
                    if matches!(byte, b'{' | b'}') {
                        self.out.push(*byte);
                    }
                }
                Ok(())
            }
            ExprKind::JoinedStr { values } if is_format_spec => {
                let body = self.fstring_body(values)?;
                self.out.extend(body);
                Ok(())
            }
            _ => self.expr(e, Level::Test),
        }
    }

    fn formatted_value(
        &mut self,
        value: &Expr<'_>,
        conversion: i32,
        format_spec: Option<&Expr<'_>>,
    ) -> Result<()> {
        let outer = std::mem::take(&mut self.out);
        // A lambda needs parentheses for its colon.
        self.expr(value, Level::Or)?;
        let text = std::mem::replace(&mut self.out, outer);
        self.str(if text.starts_with(b"{") { "{ " } else { "{" });
        self.out.extend(text);
        match u8::try_from(conversion) {
            Ok(b'a') => self.str("!a"),
            Ok(b'r') => self.str("!r"),
            Ok(b's') => self.str("!s"),
            _ => {}
        }
        if let Some(spec) = format_spec {
            self.str(":");
            self.fstring_element(spec, true)?;
        }
        self.str("}");
        Ok(())
    }

    /// Like `repr`, but infinity is something that can be evaluated.
    fn constant(&mut self, value: &Constant<'_>) {
        match value {
            Constant::Tuple(items) => {
                self.str("(");
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.str(", ");
                    }
                    self.constant(item);
                }
                self.str(if items.len() == 1 { ",)" } else { ")" });
            }
            Constant::Float(_) | Constant::Complex { .. } => {
                let text = repr_constant(value).replace("inf", "1e309");
                self.str(&text);
            }
            _ => write_repr(&mut self.out, value),
        }
    }
}

/// `repr` of a float.
pub fn repr_float(f: f64) -> String {
    let mut out = float_digits(f);
    if f.is_finite() && !out.contains(['.', 'e']) {
        out.push_str(".0");
    }
    out
}

/// The shortest digits that give the float back, laid out as Python does.
fn float_digits(f: f64) -> String {
    if f.is_nan() {
        return "nan".to_owned();
    }
    if f.is_infinite() {
        return if f < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let text = format!("{f:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let n = digits.len() as i32;
    if !(-4..16).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{exponent_sign}{:02}", exponent.abs());
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    if n <= exponent + 1 {
        return format!("{sign}{digits}{}", "0".repeat((exponent + 1 - n) as usize));
    }
    let (whole, fraction) = digits.split_at(exponent as usize + 1);
    format!("{sign}{whole}.{fraction}")
}

/// `repr` of a complex number.
pub fn repr_complex(real: f64, imag: f64) -> String {
    let imag_digits = float_digits(imag);
    if real == 0.0 && real.is_sign_positive() {
        return format!("{imag_digits}j");
    }
    let sign = if imag_digits.starts_with('-') { "" } else { "+" };
    format!("({}{sign}{imag_digits}j)", float_digits(real))
}

/// The next code point of generalised UTF-8, and its length.
fn code_point(bytes: &[u8]) -> (u32, usize) {
    let first = u32::from(bytes[0]);
    let (mut c, len) = match first {
        0..0x80 => (first, 1),
        0x80..0xE0 => (first & 0x1F, 2),
        0xE0..0xF0 => (first & 0x0F, 3),
        _ => (first & 0x07, 4),
    };
    for byte in bytes.iter().take(len).skip(1) {
        c = c << 6 | u32::from(byte & 0x3F);
    }
    (c, len.min(bytes.len()))
}

fn quote_for(s: &[u8]) -> u8 {
    if s.contains(&b'\'') && !s.contains(&b'"') { b'"' } else { b'\'' }
}

fn write_repr_str(out: &mut Vec<u8>, s: &[u8]) {
    let quote = quote_for(s);
    out.push(quote);
    let mut rest = s;
    while !rest.is_empty() {
        let (c, len) = code_point(rest);
        match c {
            0x09 => out.extend(b"\\t"),
            0x0A => out.extend(b"\\n"),
            0x0D => out.extend(b"\\r"),
            0x5C => out.extend(b"\\\\"),
            _ if c == u32::from(quote) => out.extend([b'\\', quote]),
            _ if is_printable(c) => out.extend_from_slice(&rest[..len]),
            // A Vec can be written to without errors.
            0..0x100 => drop(write!(out, "\\x{c:02x}")),
            0x100..0x10000 => drop(write!(out, "\\u{c:04x}")),
            _ => drop(write!(out, "\\U{c:08x}")),
        }
        rest = &rest[len..];
    }
    out.push(quote);
}

fn write_repr_bytes(out: &mut Vec<u8>, s: &[u8]) {
    let quote = quote_for(s);
    out.extend([b'b', quote]);
    for &byte in s {
        match byte {
            b'\t' => out.extend(b"\\t"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\\' => out.extend(b"\\\\"),
            _ if byte == quote => out.extend([b'\\', quote]),
            0x20..0x7F => out.push(byte),
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
    out.push(quote);
}

fn write_repr(out: &mut Vec<u8>, value: &Constant<'_>) {
    match *value {
        Constant::None => out.extend(b"None"),
        Constant::True => out.extend(b"True"),
        Constant::False => out.extend(b"False"),
        Constant::Ellipsis => out.extend(b"Ellipsis"),
        Constant::Int(Int::Small(i)) => drop(write!(out, "{i}")),
        Constant::Int(i) => drop(write!(out, "{}", int_to_big(i))),
        Constant::Float(f) => out.extend(repr_float(f).bytes()),
        Constant::Complex { real, imag } => out.extend(repr_complex(real, imag).bytes()),
        Constant::Str(s) => write_repr_str(out, s),
        Constant::Bytes(b) => write_repr_bytes(out, b),
        Constant::Tuple(items) => {
            out.push(b'(');
            write_items(out, items);
            out.extend(if items.len() == 1 { &b",)"[..] } else { b")" });
        }
        Constant::FrozenSet(items) => {
            out.extend(b"frozenset(");
            if !items.is_empty() {
                out.push(b'{');
                write_items(out, items);
                out.push(b'}');
            }
            out.push(b')');
        }
    }
}

fn write_items(out: &mut Vec<u8>, items: &[Constant<'_>]) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.extend(b", ");
        }
        write_repr(out, item);
    }
}

/// `repr` of a constant.
pub fn repr_constant(value: &Constant<'_>) -> String {
    let mut out = Vec::new();
    write_repr(&mut out, value);
    String::from_utf8_lossy(&out).into_owned()
}

/// `repr` of a string.
pub fn repr_str(s: &[u8]) -> String {
    let mut out = Vec::new();
    write_repr_str(&mut out, s);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats() {
        for (f, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (123456789.125, "123456789.125"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(repr_float(f), text);
        }
        assert_eq!(repr_complex(0.0, 1.0), "1j");
        assert_eq!(repr_complex(1.5, -2.0), "(1.5-2j)");
        assert_eq!(repr_complex(-0.0, 0.5), "(-0+0.5j)");
    }

    #[test]
    fn strings() {
        assert_eq!(repr_str(b"it's"), "\"it's\"");
        assert_eq!(repr_str("a\n\u{7f}\u{ad}é\u{1F600}'\"".as_bytes()), "'a\\n\\x7f\\xadé\u{1F600}\\'\"'");
        assert_eq!(repr_str(b"\xed\xa0\x80"), "'\\ud800'");
        assert_eq!(repr_constant(&Constant::Bytes(b"\x00'\xff")), "b\"\\x00'\\xff\"");
        assert_eq!(repr_constant(&Constant::Tuple(&[Constant::None])), "(None,)");
    }
}
