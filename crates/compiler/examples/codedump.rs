//! Prints code objects in a canonical form, or digests of it.
//!
//!     codedump [-O | -OO] [-v] FILE       the dump of one file
//!     codedump --digests < LIST           path, digests at -O0, -O and -OO of each file listed
//!     codedump --check DIGESTS            verifies recorded digests of the files below
//!                                         the directory TAIPAN_CPYTHON_SOURCE
//!     codedump --snippets < LIST          the same for lines "s|b MODE FLAGS LEVEL HEX-SOURCE",
//!                                         errors and warnings in full
//!     codedump --symtable FILE            the symbol table's blocks, with the flags as numbers
//!     codedump --fuzz SECONDS LIST        compiles mutations of the files listed; a panic ends it
//!     codedump --bench LIST               seconds to compile the files listed, sources in memory

use std::fmt::Write as _;
use std::io::{BufRead, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use bumpalo::Bump;
use sha2::{Digest, Sha256};
use taipan_compiler::dump::{dump, dump_verbose, hex};
use taipan_compiler::names::Name;
use taipan_compiler::symtable::{BlockId, Symtable};
use taipan_compiler::{CodeObject, CompileError, ErrorKind, Options, compile};
use taipan_parser::{Mode, Source};

fn error_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::SyntaxError | ErrorKind::CompilerSyntaxError => "SyntaxError",
        ErrorKind::RecursionError => "RecursionError",
        ErrorKind::SystemError => "SystemError",
        ErrorKind::RuntimeError => "RuntimeError",
        ErrorKind::ValueError => "ValueError",
        ErrorKind::OverflowError => "OverflowError",
        ErrorKind::TypeError => "TypeError",
        ErrorKind::UnicodeEncodeError => "UnicodeEncodeError",
    }
}

fn error_text(e: &CompileError) -> String {
    match e.location {
        Some(l) => format!(
            "error {} {} {} {} {} {}\n",
            error_name(e.kind),
            l.lineno,
            l.col_offset + 1,
            l.end_lineno,
            l.end_col_offset + 1,
            e.message
        ),
        None => format!("error {} {}\n", error_name(e.kind), e.message),
    }
}

fn parse_error_text(e: &taipan_parser::SyntaxError) -> String {
    let name = match e.kind {
        taipan_parser::ErrorKind::Syntax => "SyntaxError".to_owned(),
        taipan_parser::ErrorKind::Indentation => "IndentationError".to_owned(),
        taipan_parser::ErrorKind::Tab => "TabError".to_owned(),
        other => format!("{other:?}"),
    };
    match &e.location {
        Some(l) => {
            // Without an end, SyntaxError's attributes are None.
            let (end_line, end) = l.end.unwrap_or((0, 0));
            format!("error {name} {} {} {end_line} {end} {}\n", l.lineno, l.offset, e.msg)
        }
        None => format!("error {name} {}\n", e.msg),
    }
}

fn lookup_name(name: &str) -> Result<Option<u32>, taipan_parser::NoNames> {
    let load = || load_names(&std::env::var("TAIPAN_UNICODE_NAMES").unwrap_or_default());
    Ok(NAMES.get_or_init(load).get(&name.to_uppercase()).copied())
}

static NAMES: std::sync::OnceLock<std::collections::HashMap<String, u32>> = std::sync::OnceLock::new();

/// Names of characters from a file (`name TAB code point in hexadecimal`), if there is one.
fn load_names(path: &str) -> std::collections::HashMap<String, u32> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let (name, code) = line.split_once('\t')?;
            Some((name.to_owned(), u32::from_str_radix(code, 16).ok()?))
        })
        .collect()
}

/// The encodings that test files are in.
fn decode(bytes: &[u8], encoding: &str) -> Result<String, String> {
    const KOI8_R: &str = "─│┌┐└┘├┤┬┴┼▀▄█▌▐░▒▓⌠■∙√≈≤≥\u{a0}⌡°²·÷═║╒ё╓╔╕╖╗╘╙╚╛╜╝╞╟╠╡Ё╢╣╤╥╦╧╨╩╪╫╬©\
        юабцдефгхийклмнопярстужвьызшэщчъЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ";
    let high: Vec<char> = match encoding.to_lowercase().replace('_', "-").as_str() {
        "latin1" | "latin-1" | "iso-8859-1" | "l1" => ('\u{80}'..='\u{ff}').collect(),
        "koi8-r" => KOI8_R.chars().collect(),
        _ => return Err(format!("unknown encoding: {encoding}")),
    };
    Ok(bytes.iter().map(|b| if *b < 0x80 { char::from(*b) } else { high[usize::from(*b - 0x80)] }).collect())
}

fn with_code<R>(source: &[u8], optimize: u8, f: impl FnOnce(Result<&CodeObject, String>) -> R) -> R {
    let arena = Bump::new();
    let options =
        taipan_parser::Options {
            filename: "file",
            lookup_name: Some(&lookup_name),
            decoder: Some(&decode),
            ..Default::default()
        };
    let parsed = match taipan_parser::parse(&arena, Source::Bytes(source), Mode::Exec, &options) {
        Ok(parsed) => parsed,
        Err(failure) => return f(Err(parse_error_text(&failure.error))),
    };
    let options = Options { optimize, ..Options::new("file") };
    let compiled = compile(&parsed.module, &arena, &options);
    match compiled.code {
        Ok(code) => f(Ok(&code)),
        Err(e) => f(Err(error_text(&e))),
    }
}

fn digest(source: &[u8], optimize: u8) -> String {
    let text = with_code(source, optimize, |code| match code {
        Ok(code) => {
            let mut out = String::new();
            dump(code, &mut out);
            out
        }
        Err(text) => text,
    });
    hex(&Sha256::digest(text.as_bytes())[..8])
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter_map(|b| (b as char).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0)).collect()
}

/// The digest or error of a snippet, after its warnings.
fn snippet(line: &str) -> Option<String> {
    let mut fields = line.split(' ');
    let (kind, mode, flags) = (fields.next()?, fields.next()?, fields.next()?.parse().ok()?);
    let (optimize, source) = (fields.next()?.parse().ok()?, unhex(fields.next()?));
    let mode = match mode {
        "exec" => Mode::Exec,
        "single" => Mode::Single,
        _ => Mode::Eval,
    };
    let arena = Bump::new();
    let parser_options = taipan_parser::Options {
        filename: "file",
        lookup_name: Some(&lookup_name),
        decoder: Some(&decode),
        barry_as_flufl: flags & taipan_compiler::flags::CO_FUTURE_BARRY_AS_BDFL != 0,
        ..Default::default()
    };
    let input = if kind == "s" { Source::Utf8(&source) } else { Source::Bytes(&source) };
    let mut out = String::new();
    let parsed = match taipan_parser::parse(&arena, input, mode, &parser_options) {
        Ok(parsed) => parsed,
        Err(failure) => {
            for w in &failure.warnings {
                let _ = write!(out, "warning {} {}; ", w.lineno, w.msg);
            }
            return Some(out + &parse_error_text(&failure.error));
        }
    };
    for w in &parsed.warnings {
        let _ = write!(out, "warning {} {}; ", w.lineno, w.msg);
    }
    let options = Options { optimize, flags, ..Options::new("file") };
    let compiled = compile(&parsed.module, &arena, &options);
    for w in &compiled.warnings {
        let _ = write!(out, "warning {} {}; ", w.location.lineno, w.message);
    }
    match &compiled.code {
        Ok(code) => {
            let mut text = String::new();
            dump(code, &mut text);
            out += &hex(&Sha256::digest(text.as_bytes())[..8]);
        }
        Err(e) => out += &error_text(e),
    }
    Some(out)
}

fn check(digests: &str) -> ExitCode {
    let Ok(root) = std::env::var("TAIPAN_CPYTHON_SOURCE") else {
        eprintln!("NOT RUN: TAIPAN_CPYTHON_SOURCE doesn't name the directory of CPython 3.13.5's source");
        return ExitCode::from(2);
    };
    let text = match std::fs::read_to_string(digests) {
        Ok(text) => text,
        Err(e) => {
            eprintln!("{digests}: {e}");
            return ExitCode::FAILURE;
        }
    };
    let names = digests.replace(".tsv", "-names.tsv");
    let _ = NAMES.set(load_names(&names));
    let (mut good, mut bad, mut missing) = (0, 0, 0);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let Some(path) = fields.next() else { continue };
        let Ok(source) = std::fs::read(format!("{root}/{path}")) else {
            println!("missing {path}");
            missing += 1;
            continue;
        };
        for (optimize, expected) in fields.enumerate() {
            if digest(&source, optimize as u8) == expected {
                good += 1;
            } else {
                println!("differs at optimisation level {optimize}: {path}");
                bad += 1;
            }
        }
    }
    println!("{good} code objects identical, {bad} different, {missing} files missing");
    if bad + missing == 0 && good > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A block a line: type, name, line, nesting, symbols in alphabetical order, parameters.
fn show_block(table: &Symtable<'_>, id: BlockId, out: &mut String) {
    let entry = table.entry(id);
    let text = |name: u32| table.names.text(Name(name));
    let mut symbols: Vec<String> =
        entry.symbols.entries().iter().map(|(name, flags)| format!("{}={flags}", text(*name))).collect();
    symbols.sort();
    let varnames: Vec<&str> = entry.varnames.iter().map(|name| text(name.0)).collect();
    let _ = writeln!(
        out,
        "{} {} {} {} [{}] [{}] {}",
        entry.ty as u32,
        text(entry.name.0),
        entry.range.lineno,
        u8::from(entry.nested),
        symbols.join(" "),
        varnames.join(" "),
        entry.children.len()
    );
    for child in &entry.children {
        show_block(table, *child, out);
    }
}

fn show_symtable(source: &[u8]) -> String {
    let arena = Bump::new();
    let options =
        taipan_parser::Options { lookup_name: Some(&lookup_name), decoder: Some(&decode), ..Default::default() };
    let parsed = match taipan_parser::parse(&arena, Source::Bytes(source), Mode::Exec, &options) {
        Ok(parsed) => parsed,
        Err(failure) => return parse_error_text(&failure.error),
    };
    let features = match taipan_compiler::future::future_from_ast(&parsed.module) {
        Ok(future) => future.features,
        Err(e) => return error_text(&e),
    };
    match Symtable::build(&parsed.module, &arena, features, taipan_compiler::DEFAULT_STACK_BUDGET) {
        Ok(table) => {
            let mut out = String::new();
            show_block(&table, table.top(), &mut out);
            out
        }
        Err(e) => error_text(&e),
    }
}

/// Compiles files with bytes, words and lines put elsewhere, taken out or doubled.
fn fuzz(seconds: u64, list: &str) {
    let sources: Vec<Vec<u8>> = std::fs::read_to_string(list)
        .unwrap_or_default()
        .lines()
        .filter_map(|path| std::fs::read(path).ok())
        .filter(|source| !source.is_empty())
        .collect();
    let start = Instant::now();
    let mut state = start.elapsed().as_nanos() as u64 | 0x9e37_79b9_7f4a_7c15;
    let mut random = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % n.max(1)
    };
    let last = std::env::temp_dir().join("codedump-fuzz-last.py");
    let (mut n, mut compiled) = (0u64, 0u64);
    while !sources.is_empty() && start.elapsed().as_secs() < seconds {
        let source = &sources[random(sources.len())];
        let from = random(source.len());
        let mut text = source[from..(from + 200 + random(2000)).min(source.len())].to_vec();
        for _ in 0..random(5) {
            let (a, b, len) = (random(text.len()), random(text.len()), random(30));
            let piece = text[b..(b + len).min(text.len())].to_vec();
            match random(4) {
                0 => drop(text.splice(a..a, piece)),
                1 => drop(text.splice(a..(a + len).min(text.len()), piece)),
                2 => drop(text.drain(a..(a + len).min(text.len()))),
                _ => {
                    if let Some(byte) = text.get_mut(a) {
                        *byte = random(256) as u8;
                    }
                }
            }
        }
        // What a crash leaves behind is its input.
        let _ = std::fs::write(&last, &text);
        compiled += u64::from(with_code(&text, random(3) as u8, |code| code.is_ok()));
        n += 1;
    }
    println!("{n} inputs, {compiled} of them compiled, no crash");
}

fn bench(list: &str) {
    let sources: Vec<Vec<u8>> = std::fs::read_to_string(list)
        .unwrap_or_default()
        .lines()
        .filter_map(|path| std::fs::read(path).ok())
        .collect();
    let size: usize = sources.iter().map(Vec::len).sum();
    for _ in 0..3 {
        let (mut parsing, mut compiling) = (0.0, 0.0);
        let mut arena = Bump::new();
        for source in &sources {
            arena.reset();
            let start = Instant::now();
            let options = taipan_parser::Options::default();
            let parsed = taipan_parser::parse(&arena, Source::Bytes(source), Mode::Exec, &options);
            let middle = Instant::now();
            parsing += (middle - start).as_secs_f64();
            if let Ok(parsed) = parsed {
                std::hint::black_box(compile(&parsed.module, &arena, &Options::new("file")).code.is_ok());
                compiling += middle.elapsed().as_secs_f64();
            }
        }
        println!(
            "{} files, {size} bytes: parse {parsing:.3} s, compile {compiling:.3} s, total {:.3} s",
            sources.len(),
            parsing + compiling
        );
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("--digests") => {
            for path in std::io::stdin().lock().lines().map_while(Result::ok) {
                match std::fs::read(&path) {
                    Ok(source) => {
                        let d: Vec<String> = (0..3).map(|o| digest(&source, o)).collect();
                        println!("{path}\t{}", d.join("\t"));
                        let _ = std::io::stdout().flush();
                    }
                    Err(e) => println!("{path}\t{e}"),
                }
            }
            ExitCode::SUCCESS
        }
        Some("--snippets") => {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                println!("{}", snippet(&line).unwrap_or_default().replace('\n', "\\n"));
            }
            ExitCode::SUCCESS
        }
        Some("--check") => check(args.get(1).map_or("cpython-tests/code-digests.tsv", |s| s)),
        Some("--symtable") => {
            for path in &args[1..] {
                println!("{path}\n{}", show_symtable(&std::fs::read(path).unwrap_or_default()));
            }
            ExitCode::SUCCESS
        }
        Some("--fuzz") => {
            let seconds = args.get(1).and_then(|s| s.parse().ok()).unwrap_or(60);
            fuzz(seconds, args.get(2).map_or("", |s| s));
            ExitCode::SUCCESS
        }
        Some("--bench") => {
            bench(args.get(1).map_or("", |s| s));
            ExitCode::SUCCESS
        }
        _ => {
            let (mut optimize, mut verbose, mut file) = (0, false, None);
            for arg in &args {
                match arg.as_str() {
                    "-O" => optimize = 1,
                    "-OO" => optimize = 2,
                    "-v" => verbose = true,
                    _ => file = Some(arg),
                }
            }
            let Some(Ok(source)) = file.map(std::fs::read) else {
                eprintln!("usage: codedump [-O | -OO] [-v] FILE | --digests | --check [FILE] | --bench LIST");
                return ExitCode::FAILURE;
            };
            with_code(&source, optimize, |code| match code {
                Ok(code) => {
                    let mut out = String::new();
                    if verbose { dump_verbose(code, &mut out) } else { dump(code, &mut out) }
                    print!("{out}");
                    ExitCode::SUCCESS
                }
                Err(text) => {
                    print!("{text}");
                    ExitCode::FAILURE
                }
            })
        }
    }
}
