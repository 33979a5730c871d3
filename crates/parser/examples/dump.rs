//! Print the tree of a Python file as `ast.dump(tree, include_attributes=True)` does, or its error.
//!
//!     dump [--mode exec|single|eval|func_type] [--type-comments] [--feature-version N]
//!          [--incomplete] [--utf8] [--warnings] [--slow]
//!          [--names FILE] [--stack BYTES]
//!          [--file] [--filename NAME] FILE...
//! `--names` tells the file with the characters of `\\N{...}`, lines of name, tab, hexadecimal code point.
//!
//!     dump --batch        for each path on standard input: path, CRC-32 and length of that text
//!     dump --snippets     for each NUL-terminated source on standard input: the same or the error, on a line
//!     dump --tokens       for each NUL-terminated source on standard input: the tokens of tokenize
//!     dump --time N       parse each file N times and print how long it takes

use std::fmt::Write as _;
use std::io::{BufRead, Write as _};

use bumpalo::Bump;
use taipan_parser::ast::*;
use taipan_parser::{ErrorKind, Failure, Mode, Options, Source, SyntaxError, parse};

fn main() {
    let mut options = Options::default();
    let (mut mode, mut utf8, mut batch, mut warnings, mut time) = (Mode::Exec, false, false, false, 0);
    let (mut slow, mut snippets, mut tokens, mut file) = (false, false, false, false);
    let mut names = std::collections::HashMap::new();
    let mut files = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--mode" => {
                mode = match args.next().as_deref() {
                    Some("single") => Mode::Single,
                    Some("eval") => Mode::Eval,
                    Some("func_type") => Mode::FuncType,
                    _ => Mode::Exec,
                }
            }
            "--type-comments" => options.type_comments = true,
            "--incomplete" => options.allow_incomplete_input = true,
            "--feature-version" => {
                options.feature_version = args.next().and_then(|n| n.parse().ok()).unwrap_or(13)
            }
            "--utf8" => utf8 = true,
            "--warnings" => warnings = true,
            "--batch" => batch = true,
            "--snippets" => snippets = true,
            "--tokens" => tokens = true,
            "--file" => file = true,
            "--filename" => options.filename = args.next().unwrap_or_default().leak(),
            "--slow" => slow = true,
            "--stack" => {
                options.stack_size = args.next().and_then(|n| n.parse().ok()).unwrap_or(1 << 20)
            }
            "--names" => {
                let text = std::fs::read_to_string(args.next().unwrap_or_default()).unwrap_or_default();
                names.extend(text.lines().filter_map(|line| {
                    let (name, code) = line.split_once('\t')?;
                    Some((name.to_owned(), u32::from_str_radix(code, 16).ok()?))
                }));
            }
            "--time" => time = args.next().and_then(|n| n.parse().ok()).unwrap_or(1),
            _ => files.push(arg),
        }
    }
    let lookup = |name: &str| Ok(names.get(&name.to_ascii_uppercase()).copied());
    if !names.is_empty() {
        options.lookup_name = Some(&lookup);
    }
    if batch {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let text = dump_file(&line, mode, utf8, false, slow, &options);
            println!("{line}\t{}\t{}", crc32(text.as_bytes()), text.len());
        }
        return;
    }
    if tokens {
        return dump_tokens();
    }
    if snippets {
        return dump_snippets(mode, utf8, slow, file, &options);
    }
    if time > 0 {
        return measure(&files, time, &options);
    }
    let mut out = std::io::stdout().lock();
    for file in files {
        let text = dump_file(&file, mode, utf8, warnings, slow, &options);
        let _ = writeln!(out, "{text}");
    }
}

/// A line for each source on standard input.
fn dump_snippets(mode: Mode, utf8: bool, slow: bool, file: bool, options: &Options) {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for mut source in std::io::stdin().lock().split(0).map_while(Result::ok) {
        source.retain(|&c| c != 0);
        let arena = Bump::new();
        let from = match (utf8, file) {
            (_, true) => Source::File(&source),
            (true, _) => Source::Utf8(&source),
            _ => Source::Bytes(&source),
        };
        let parser = if slow { taipan_parser::parse_slowly } else { parse };
        let (mut line, warnings) = match parser(&arena, from, mode, options) {
            Ok(parsed) => {
                let mut dump = Dump(String::new());
                dump.module(&parsed.module);
                (format!("OK {} {}", crc32(dump.0.as_bytes()), dump.0.len()), parsed.warnings)
            }
            Err(failure) => (plain_error(&failure.error), failure.warnings),
        };
        for warning in warnings {
            let _ = write!(line, " | {} {}", warning.lineno, warning.msg);
        }
        let _ = writeln!(out, "{}", escape(&line));
    }
}

/// The lines of a source.
struct Lines(std::vec::IntoIter<Vec<u8>>);

impl taipan_parser::LineReader for Lines {
    fn readline(&mut self, _continuation: bool) -> taipan_parser::Line {
        taipan_parser::Line::Text(self.0.next().unwrap_or_default())
    }
}

/// A line for each source on standard input, with its tokens.
fn dump_tokens() {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for source in std::io::stdin().lock().split(0).map_while(Result::ok) {
        let lines: Vec<Vec<u8>> = source.split_inclusive(|&c| c == b'\n').map(<[u8]>::to_vec).collect();
        let mut iter = taipan_parser::TokenizerIter::new(Box::new(Lines(lines.into_iter())), true);
        let mut text = String::new();
        while let Some(result) = iter.next_token() {
            match result {
                Ok(t) => {
                    let ((sl, sc), (el, ec)) = (t.start, t.end);
                    let _ = writeln!(text, "{} {} {sl},{sc}-{el},{ec} {}", t.kind, t.string, t.line);
                }
                Err(error) => {
                    text += &plain_error(&error);
                    break;
                }
            }
        }
        let _ = writeln!(out, "{}", escape(&text));
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

/// An error: class, message, place and text.
fn plain_error(error: &SyntaxError) -> String {
    let mut text = format!("{}: {}", class_name(error.kind), error.msg);
    if let Some(location) = &error.location {
        let (end_lineno, end_offset) = location.end.unwrap_or((-9, -9));
        let (lineno, offset) = (location.lineno, location.offset);
        let _ = write!(text, " [{lineno} {offset} {end_lineno} {end_offset}] {:?}", location.text.is_some());
        text += location.text.as_deref().unwrap_or("");
    }
    text
}

/// Parse files over and over.
fn measure(files: &[String], times: u32, options: &Options) {
    let sources: Vec<Vec<u8>> = files.iter().filter_map(|file| std::fs::read(file).ok()).collect();
    let bytes: usize = sources.iter().map(Vec::len).sum();
    let mut best = f64::INFINITY;
    let mut memory = 0;
    for _ in 0..times {
        let start = std::time::Instant::now();
        memory = 0;
        for source in &sources {
            let arena = Bump::new();
            let parsed = parse(&arena, Source::Bytes(source), Mode::Exec, options);
            std::hint::black_box(parsed.is_ok());
            memory = memory.max(arena.allocated_bytes());
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!(
        "{} files, {bytes} bytes, {:.1} ms, {:.1} MB/s, largest arena {memory}",
        sources.len(),
        best * 1e3,
        bytes as f64 / best / 1e6
    );
}

fn dump_file(
    path: &str,
    mode: Mode,
    utf8: bool,
    warnings: bool,
    slow: bool,
    options: &Options,
) -> String {
    let Ok(source) = std::fs::read(path) else { return format!("can't read {path}") };
    let arena = Bump::new();
    let source = if utf8 { Source::Utf8(&source) } else { Source::Bytes(&source) };
    let result = if slow {
        taipan_parser::parse_slowly(&arena, source, mode, options)
    } else {
        parse(&arena, source, mode, options)
    };
    let (mut text, list) = match result {
        Ok(parsed) => {
            let mut dump = Dump(String::new());
            dump.module(&parsed.module);
            (dump.0, parsed.warnings)
        }
        Err(Failure { error, warnings }) => (error_text(&error), warnings),
    };
    if warnings {
        for warning in list {
            let _ = write!(text, "\n{}: {}", warning.lineno, warning.msg);
        }
    }
    text
}

fn class_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Syntax => "SyntaxError",
        ErrorKind::Indentation => "IndentationError",
        ErrorKind::Tab => "TabError",
        ErrorKind::IncompleteInput => "_IncompleteInputError",
        ErrorKind::Memory => "MemoryError",
        ErrorKind::Value => "ValueError",
        ErrorKind::Overflow => "OverflowError",
        ErrorKind::UnicodeDecode => "UnicodeDecodeError",
        ErrorKind::Interrupt => "KeyboardInterrupt",
        ErrorKind::Callback => "callback",
        ErrorKind::Eof => "EOF",
    }
}

fn error_text(error: &SyntaxError) -> String {
    let class = class_name(error.kind);
    let mut text = format!("{class}: {:?}", error.msg);
    if let Some(location) = &error.location {
        let _ = write!(text, " {} {}", location.lineno, location.offset);
        if let Some((lineno, offset)) = location.end {
            let _ = write!(text, " {lineno} {offset}");
        }
        if let Some(line) = &location.text {
            let _ = write!(text, " {line:?}");
        }
    }
    text
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut table = [0u32; 256];
    for (i, entry) in table.iter_mut().enumerate() {
        *entry = (0..8).fold(i as u32, |c, _| if c & 1 != 0 { 0xEDB8_8320 ^ c >> 1 } else { c >> 1 });
    }
    !bytes.iter().fold(!0u32, |crc, &b| table[(crc as u8 ^ b) as usize] ^ crc >> 8)
}

struct Dump(String);

/// A node: its name, then `field: method` or `field?: method` for one that is left out when empty.
macro_rules! node {
    ($d:expr, $range:expr, $name:literal $(, $field:literal $value:expr)*) => {{
        let d: &mut Dump = $d;
        d.0.push_str($name);
        d.0.push('(');
        #[allow(unused_mut, unused_assignments, reason = "a node may have no field")]
        let mut first = true;
        $(
            let before = d.0.len();
            if !first { d.0.push_str(", "); }
            d.0.push_str($field);
            d.0.push('=');
            let written: bool = ($value)(&mut *d);
            if written { first = false; } else { d.0.truncate(before); }
        )*
        let range: Option<Range> = $range;
        if let Some(r) = range {
            if !first { d.0.push_str(", "); }
            let _ = write!(d.0, "lineno={}, col_offset={}, end_lineno={}, end_col_offset={}",
                r.lineno, r.col_offset, r.end_lineno, r.end_col_offset);
        }
        let _ = first;
        d.0.push(')');
    }};
}

/// Shorthands for the values of fields. Each tells whether it wrote anything.
fn e<'x>(expr: &'x Expr<'x>) -> impl FnOnce(&mut Dump) -> bool + 'x {
    move |d| {
        d.expr(expr);
        true
    }
}
fn oe<'x>(expr: Option<&'x Expr<'x>>) -> impl FnOnce(&mut Dump) -> bool + 'x {
    move |d| expr.map(|expr| d.expr(expr)).is_some()
}
fn es<'x>(exprs: &'x [&'x Expr<'x>]) -> impl FnOnce(&mut Dump) -> bool + 'x {
    list(exprs, |d, expr| d.expr(expr))
}
fn oes<'x>(exprs: &'x [Option<&'x Expr<'x>>]) -> impl FnOnce(&mut Dump) -> bool + 'x {
    list(exprs, |d, expr| match expr {
        Some(expr) => d.expr(expr),
        None => d.0.push_str("None"),
    })
}
fn body<'x>(stmts: &'x [Stmt<'x>]) -> impl FnOnce(&mut Dump) -> bool + 'x {
    list(stmts, |d, stmt| d.stmt(stmt))
}
fn list<'x, T>(items: &'x [T], each: impl Fn(&mut Dump, &'x T) + 'x) -> impl FnOnce(&mut Dump) -> bool + 'x {
    move |d| {
        d.0.push('[');
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                d.0.push_str(", ");
            }
            each(d, item);
        }
        d.0.push(']');
        !items.is_empty()
    }
}
fn id<'x>(name: &'x str) -> impl FnOnce(&mut Dump) -> bool + 'x {
    move |d| {
        d.str(name.as_bytes());
        true
    }
}
fn oid<'x>(name: Option<&'x str>) -> impl FnOnce(&mut Dump) -> bool + 'x {
    move |d| name.map(|name| d.str(name.as_bytes())).is_some()
}
fn op(op: impl std::fmt::Debug) -> impl FnOnce(&mut Dump) -> bool {
    move |d| write!(d.0, "{op:?}()").is_ok()
}
fn int(value: i32) -> impl FnOnce(&mut Dump) -> bool {
    move |d| write!(d.0, "{value}").is_ok()
}
fn args<'x>(args: &'x Arguments<'x>) -> impl FnOnce(&mut Dump) -> bool + 'x {
    move |d| {
        d.arguments(args);
        true
    }
}
fn oarg<'x>(arg: Option<&'x Arg<'x>>) -> impl FnOnce(&mut Dump) -> bool + 'x {
    move |d| arg.map(|arg| d.arg(arg)).is_some()
}
fn pat<'x>(pattern: &'x Pattern<'x>) -> impl FnOnce(&mut Dump) -> bool + 'x {
    move |d| {
        d.pattern(pattern);
        true
    }
}
fn pats<'x>(patterns: &'x [&'x Pattern<'x>]) -> impl FnOnce(&mut Dump) -> bool + 'x {
    list(patterns, |d, pattern| d.pattern(pattern))
}
fn names<'x>(names: &'x [&'x str]) -> impl FnOnce(&mut Dump) -> bool + 'x {
    list(names, |d, name| d.str(name.as_bytes()))
}
fn constant<'x>(value: &'x Constant<'x>) -> impl FnOnce(&mut Dump) -> bool + 'x {
    move |d| {
        d.constant(value);
        true
    }
}
fn type_params<'x>(params: &'x [TypeParam<'x>]) -> impl FnOnce(&mut Dump) -> bool + 'x {
    list(params, |d, param| d.type_param(param))
}
fn keywords<'x>(keywords: &'x [Keyword<'x>]) -> impl FnOnce(&mut Dump) -> bool + 'x {
    list(keywords, |d, k| node!(d, Some(k.range), "keyword", "arg" oid(k.arg), "value" e(k.value)))
}
fn generators<'x>(clauses: &'x [Comprehension<'x>]) -> impl FnOnce(&mut Dump) -> bool + 'x {
    list(clauses, |d, c| {
        node!(d, None, "comprehension", "target" e(c.target), "iter" e(c.iter), "ifs" es(c.ifs),
            "is_async" int(c.is_async))
    })
}
fn aliases<'x>(aliases: &'x [Alias<'x>]) -> impl FnOnce(&mut Dump) -> bool + 'x {
    list(aliases, |d, a| node!(d, Some(a.range), "alias", "name" id(a.name), "asname" oid(a.asname)))
}
fn items<'x>(items: &'x [WithItem<'x>]) -> impl FnOnce(&mut Dump) -> bool + 'x {
    list(items, |d, i| {
        node!(d, None, "withitem", "context_expr" e(i.context_expr), "optional_vars" oe(i.optional_vars))
    })
}
fn handlers<'x>(handlers: &'x [ExceptHandler<'x>]) -> impl FnOnce(&mut Dump) -> bool + 'x {
    list(handlers, |d, h| {
        node!(d, Some(h.range), "ExceptHandler", "type" oe(h.type_), "name" oid(h.name), "body" body(h.body))
    })
}

impl Dump {
    fn module(&mut self, module: &Mod) {
        match *module {
            Mod::Module { body: stmts, type_ignores } => node!(self, None, "Module", "body" body(stmts),
                "type_ignores" list(type_ignores, |d, t| node!(d, None, "TypeIgnore",
                    "lineno" int(t.lineno as i32), "tag" id(t.tag)))),
            Mod::Interactive { body: stmts } => node!(self, None, "Interactive", "body" body(stmts)),
            Mod::Expression { body } => node!(self, None, "Expression", "body" e(body)),
            Mod::FunctionType { argtypes, returns } => {
                node!(self, None, "FunctionType", "argtypes" es(argtypes), "returns" e(returns))
            }
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        use StmtKind::*;
        let r = Some(stmt.range);
        match &stmt.kind {
            FunctionDef { name, args: a, body: b, decorator_list, returns, type_comment, type_params: t } => {
                node!(self, r, "FunctionDef", "name" id(name), "args" args(a), "body" body(b),
                    "decorator_list" es(decorator_list), "returns" oe(*returns),
                    "type_comment" oid(*type_comment), "type_params" type_params(t))
            }
            AsyncFunctionDef { name, args: a, body: b, decorator_list, returns, type_comment, type_params: t } => {
                node!(self, r, "AsyncFunctionDef", "name" id(name), "args" args(a), "body" body(b),
                    "decorator_list" es(decorator_list), "returns" oe(*returns),
                    "type_comment" oid(*type_comment), "type_params" type_params(t))
            }
            ClassDef { name, bases, keywords: k, body: b, decorator_list, type_params: t } => {
                node!(self, r, "ClassDef", "name" id(name), "bases" es(bases), "keywords" keywords(k),
                    "body" body(b), "decorator_list" es(decorator_list), "type_params" type_params(t))
            }
            Return { value } => node!(self, r, "Return", "value" oe(*value)),
            Delete { targets } => node!(self, r, "Delete", "targets" es(targets)),
            Assign { targets, value, type_comment } => {
                node!(self, r, "Assign", "targets" es(targets), "value" e(value), "type_comment" oid(*type_comment))
            }
            TypeAlias { name, type_params: t, value } => {
                node!(self, r, "TypeAlias", "name" e(name), "type_params" type_params(t), "value" e(value))
            }
            AugAssign { target, op: o, value } => {
                node!(self, r, "AugAssign", "target" e(target), "op" op(o), "value" e(value))
            }
            AnnAssign { target, annotation, value, simple } => {
                node!(self, r, "AnnAssign", "target" e(target), "annotation" e(annotation),
                    "value" oe(*value), "simple" int(*simple))
            }
            For { target, iter, body: b, orelse, type_comment } => {
                node!(self, r, "For", "target" e(target), "iter" e(iter), "body" body(b),
                    "orelse" body(orelse), "type_comment" oid(*type_comment))
            }
            AsyncFor { target, iter, body: b, orelse, type_comment } => {
                node!(self, r, "AsyncFor", "target" e(target), "iter" e(iter), "body" body(b),
                    "orelse" body(orelse), "type_comment" oid(*type_comment))
            }
            While { test, body: b, orelse } => {
                node!(self, r, "While", "test" e(test), "body" body(b), "orelse" body(orelse))
            }
            If { test, body: b, orelse } => {
                node!(self, r, "If", "test" e(test), "body" body(b), "orelse" body(orelse))
            }
            With { items: i, body: b, type_comment } => {
                node!(self, r, "With", "items" items(i), "body" body(b), "type_comment" oid(*type_comment))
            }
            AsyncWith { items: i, body: b, type_comment } => {
                node!(self, r, "AsyncWith", "items" items(i), "body" body(b), "type_comment" oid(*type_comment))
            }
            Match { subject, cases } => {
                node!(self, r, "Match", "subject" e(subject), "cases" list(cases, |d, c| node!(d, None,
                    "match_case", "pattern" pat(c.pattern), "guard" oe(c.guard), "body" body(c.body))))
            }
            Raise { exc, cause } => node!(self, r, "Raise", "exc" oe(*exc), "cause" oe(*cause)),
            Try { body: b, handlers: h, orelse, finalbody } => {
                node!(self, r, "Try", "body" body(b), "handlers" handlers(h), "orelse" body(orelse),
                    "finalbody" body(finalbody))
            }
            TryStar { body: b, handlers: h, orelse, finalbody } => {
                node!(self, r, "TryStar", "body" body(b), "handlers" handlers(h), "orelse" body(orelse),
                    "finalbody" body(finalbody))
            }
            Assert { test, msg } => node!(self, r, "Assert", "test" e(test), "msg" oe(*msg)),
            Import { names } => node!(self, r, "Import", "names" aliases(names)),
            ImportFrom { module, names, level } => {
                node!(self, r, "ImportFrom", "module" oid(*module), "names" aliases(names),
                    "level" int(level.unwrap_or(0)))
            }
            Global { names: n } => node!(self, r, "Global", "names" names(n)),
            Nonlocal { names: n } => node!(self, r, "Nonlocal", "names" names(n)),
            Expr { value } => node!(self, r, "Expr", "value" e(value)),
            Pass => node!(self, r, "Pass"),
            Break => node!(self, r, "Break"),
            Continue => node!(self, r, "Continue"),
        }
    }

    fn expr(&mut self, expr: &Expr) {
        use ExprKind::*;
        let r = Some(expr.range);
        match &expr.kind {
            BoolOp { op: o, values } => node!(self, r, "BoolOp", "op" op(o), "values" es(values)),
            NamedExpr { target, value } => node!(self, r, "NamedExpr", "target" e(target), "value" e(value)),
            BinOp { left, op: o, right } => {
                node!(self, r, "BinOp", "left" e(left), "op" op(o), "right" e(right))
            }
            UnaryOp { op: o, operand } => node!(self, r, "UnaryOp", "op" op(o), "operand" e(operand)),
            Lambda { args: a, body } => node!(self, r, "Lambda", "args" args(a), "body" e(body)),
            IfExp { test, body, orelse } => {
                node!(self, r, "IfExp", "test" e(test), "body" e(body), "orelse" e(orelse))
            }
            Dict { keys, values } => node!(self, r, "Dict", "keys" oes(keys), "values" es(values)),
            Set { elts } => node!(self, r, "Set", "elts" es(elts)),
            ListComp { elt, generators: g } => {
                node!(self, r, "ListComp", "elt" e(elt), "generators" generators(g))
            }
            SetComp { elt, generators: g } => node!(self, r, "SetComp", "elt" e(elt), "generators" generators(g)),
            DictComp { key, value, generators: g } => {
                node!(self, r, "DictComp", "key" e(key), "value" e(value), "generators" generators(g))
            }
            GeneratorExp { elt, generators: g } => {
                node!(self, r, "GeneratorExp", "elt" e(elt), "generators" generators(g))
            }
            Await { value } => node!(self, r, "Await", "value" e(value)),
            Yield { value } => node!(self, r, "Yield", "value" oe(*value)),
            YieldFrom { value } => node!(self, r, "YieldFrom", "value" e(value)),
            Compare { left, ops, comparators } => {
                node!(self, r, "Compare", "left" e(left), "ops" list(ops, |d, o| { op(o)(d); }),
                    "comparators" es(comparators))
            }
            Call { func, args, keywords: k } => {
                node!(self, r, "Call", "func" e(func), "args" es(args), "keywords" keywords(k))
            }
            FormattedValue { value, conversion, format_spec } => {
                node!(self, r, "FormattedValue", "value" e(value), "conversion" int(*conversion),
                    "format_spec" oe(*format_spec))
            }
            JoinedStr { values } => node!(self, r, "JoinedStr", "values" es(values)),
            Constant { value, kind } => {
                node!(self, r, "Constant", "value" constant(value), "kind" oid(*kind))
            }
            Attribute { value, attr, ctx } => {
                node!(self, r, "Attribute", "value" e(value), "attr" id(attr), "ctx" op(ctx))
            }
            Subscript { value, slice, ctx } => {
                node!(self, r, "Subscript", "value" e(value), "slice" e(slice), "ctx" op(ctx))
            }
            Starred { value, ctx } => node!(self, r, "Starred", "value" e(value), "ctx" op(ctx)),
            Name { id: name, ctx } => node!(self, r, "Name", "id" id(name), "ctx" op(ctx)),
            List { elts, ctx } => node!(self, r, "List", "elts" es(elts), "ctx" op(ctx)),
            Tuple { elts, ctx } => node!(self, r, "Tuple", "elts" es(elts), "ctx" op(ctx)),
            Slice { lower, upper, step } => {
                node!(self, r, "Slice", "lower" oe(*lower), "upper" oe(*upper), "step" oe(*step))
            }
        }
    }

    fn arguments(&mut self, a: &Arguments) {
        fn arg_list<'x>(args: &'x [Arg<'x>]) -> impl FnOnce(&mut Dump) -> bool + 'x {
            list(args, |d, arg| d.arg(arg))
        }
        node!(self, None, "arguments", "posonlyargs" arg_list(a.posonlyargs), "args" arg_list(a.args),
            "vararg" oarg(a.vararg), "kwonlyargs" arg_list(a.kwonlyargs), "kw_defaults" oes(a.kw_defaults),
            "kwarg" oarg(a.kwarg), "defaults" es(a.defaults))
    }

    fn arg(&mut self, a: &Arg) {
        node!(self, Some(a.range), "arg", "arg" id(a.arg), "annotation" oe(a.annotation),
            "type_comment" oid(a.type_comment))
    }

    fn pattern(&mut self, pattern: &Pattern) {
        use PatternKind::*;
        let r = Some(pattern.range);
        match &pattern.kind {
            MatchValue { value } => node!(self, r, "MatchValue", "value" e(value)),
            MatchSingleton { value } => node!(self, r, "MatchSingleton", "value" constant(value)),
            MatchSequence { patterns } => node!(self, r, "MatchSequence", "patterns" pats(patterns)),
            MatchMapping { keys, patterns, rest } => {
                node!(self, r, "MatchMapping", "keys" es(keys), "patterns" pats(patterns), "rest" oid(*rest))
            }
            MatchClass { cls, patterns, kwd_attrs, kwd_patterns } => {
                node!(self, r, "MatchClass", "cls" e(cls), "patterns" pats(patterns),
                    "kwd_attrs" names(kwd_attrs), "kwd_patterns" pats(kwd_patterns))
            }
            MatchStar { name } => node!(self, r, "MatchStar", "name" oid(*name)),
            MatchAs { pattern, name } => {
                node!(self, r, "MatchAs", "pattern" |d: &mut Dump| pattern.map(|p| d.pattern(p)).is_some(),
                    "name" oid(*name))
            }
            MatchOr { patterns } => node!(self, r, "MatchOr", "patterns" pats(patterns)),
        }
    }

    fn type_param(&mut self, param: &TypeParam) {
        let r = Some(param.range);
        match param.kind {
            TypeParamKind::TypeVar { name, bound, default_value } => {
                node!(self, r, "TypeVar", "name" id(name), "bound" oe(bound), "default_value" oe(default_value))
            }
            TypeParamKind::ParamSpec { name, default_value } => {
                node!(self, r, "ParamSpec", "name" id(name), "default_value" oe(default_value))
            }
            TypeParamKind::TypeVarTuple { name, default_value } => {
                node!(self, r, "TypeVarTuple", "name" id(name), "default_value" oe(default_value))
            }
        }
    }

    fn constant(&mut self, value: &Constant) {
        match value {
            Constant::None => self.0.push_str("None"),
            Constant::True => self.0.push_str("True"),
            Constant::False => self.0.push_str("False"),
            Constant::Ellipsis => self.0.push_str("Ellipsis"),
            Constant::Int(Int::Small(value)) => {
                let _ = write!(self.0, "{value}");
            }
            Constant::Int(Int::Big { negative, digits }) => {
                if *negative {
                    self.0.push('-');
                }
                self.0.push_str(&decimal(digits));
            }
            Constant::Float(value) => self.0.push_str(&float_repr(*value, true)),
            Constant::Complex { imag, .. } => {
                let _ = write!(self.0, "{}j", float_repr(*imag, false));
            }
            Constant::Str(text) => self.str(text),
            Constant::Bytes(text) => self.bytes(text),
            Constant::Tuple(_) | Constant::FrozenSet(_) => self.0.push('?'),
        }
    }

    /// `repr` of a str in generalised UTF-8.
    fn str(&mut self, text: &[u8]) {
        let quote = if text.contains(&b'\'') && !text.contains(&b'"') { '"' } else { '\'' };
        self.0.push(quote);
        let mut rest = text;
        while !rest.is_empty() {
            let (c, len) = match *rest {
                [a, ..] if a < 0x80 => (a as u32, 1),
                [a, b, ..] if a < 0xE0 => ((a as u32 & 31) << 6 | b as u32 & 63, 2),
                [a, b, c, ..] if a < 0xF0 => {
                    ((a as u32 & 15) << 12 | (b as u32 & 63) << 6 | c as u32 & 63, 3)
                }
                [a, b, c, d, ..] => (
                    (a as u32 & 7) << 18 | (b as u32 & 63) << 12 | (c as u32 & 63) << 6 | d as u32 & 63,
                    4,
                ),
                _ => (0xFFFD, rest.len()),
            };
            rest = &rest[len..];
            match char::from_u32(c) {
                Some('\\') => self.0.push_str("\\\\"),
                Some('\n') => self.0.push_str("\\n"),
                Some('\r') => self.0.push_str("\\r"),
                Some('\t') => self.0.push_str("\\t"),
                Some(ch) if ch == quote => {
                    self.0.push('\\');
                    self.0.push(ch);
                }
                Some(ch) if taipan_parser::is_printable(c) => self.0.push(ch),
                _ => {
                    let _ = match c {
                        0..0x100 => write!(self.0, "\\x{c:02x}"),
                        0x100..0x10000 => write!(self.0, "\\u{c:04x}"),
                        _ => write!(self.0, "\\U{c:08x}"),
                    };
                }
            }
        }
        self.0.push(quote);
    }

    fn bytes(&mut self, text: &[u8]) {
        let quote = if text.contains(&b'\'') && !text.contains(&b'"') { '"' } else { '\'' };
        self.0.push('b');
        self.0.push(quote);
        for &c in text {
            match c {
                b'\\' => self.0.push_str("\\\\"),
                b'\n' => self.0.push_str("\\n"),
                b'\r' => self.0.push_str("\\r"),
                b'\t' => self.0.push_str("\\t"),
                _ if c as char == quote => {
                    self.0.push('\\');
                    self.0.push(quote);
                }
                0x20..0x7f => self.0.push(c as char),
                _ => {
                    let _ = write!(self.0, "\\x{c:02x}");
                }
            }
        }
        self.0.push(quote);
    }
}

/// The decimal form of digits in base 2**30.
fn decimal(digits: &[u32]) -> String {
    let mut parts: Vec<u32> = Vec::new();
    for &digit in digits.iter().rev() {
        let mut carry = digit as u64;
        for part in &mut parts {
            let value = ((*part as u64) << 30) + carry;
            *part = (value % 1_000_000_000) as u32;
            carry = value / 1_000_000_000;
        }
        while carry > 0 {
            parts.push((carry % 1_000_000_000) as u32);
            carry /= 1_000_000_000;
        }
    }
    let mut text = String::new();
    for (i, part) in parts.iter().rev().enumerate() {
        let _ = if i == 0 { write!(text, "{part}") } else { write!(text, "{part:09}") };
    }
    text
}

/// `repr` of a float; `dot` as with a float, not as in a complex.
fn float_repr(value: f64, dot: bool) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let text = format!("{value}");
        return if dot && !text.contains('.') { text + ".0" } else { text };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
