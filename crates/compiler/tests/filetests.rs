//! Text tests of each pass: an input file, and what the pass makes of it.
//!
//! `tests/files/NAME.py` is the input; the comments at its top name the stages
//! to show (`# stages: symtable fold codegen cfg code`). `NAME.txt` is the
//! expected output. With TAIPAN_BLESS=1 the outputs are written anew.

use std::fmt::Write as _;
use std::path::Path;

use bumpalo::Bump;
use taipan_compiler::opcode::{self, OPCODE_NAMES};
use taipan_compiler::stages::{Instruction, Sequence, compiler_codegen, optimize_cfg};
use taipan_compiler::symtable::{self, BlockId, Symtable};
use taipan_compiler::{DEFAULT_STACK_BUDGET, Options, ast_opt, compile, dump, future};
use taipan_parser::ast::Mod;
use taipan_parser::{Mode, Source};

fn show_symbols(table: &Symtable<'_>, id: BlockId, indent: usize, out: &mut String) {
    let entry = table.entry(id);
    let pad = "  ".repeat(indent);
    let _ = write!(out, "{pad}{:?} {}", entry.ty, table.names.text(entry.name));
    for (flag, name) in [
        (entry.nested, "nested"),
        (entry.generator, "generator"),
        (entry.coroutine, "coroutine"),
        (entry.needs_class_closure, "needs_class_closure"),
        (entry.needs_classdict, "needs_classdict"),
        (entry.can_see_class_scope, "can_see_class_scope"),
    ] {
        if flag {
            let _ = write!(out, " {name}");
        }
    }
    out.push('\n');
    for (name, flags) in entry.symbols.entries() {
        let scope = match symtable::scope_of(*flags) {
            symtable::LOCAL => "LOCAL",
            symtable::GLOBAL_EXPLICIT => "GLOBAL_EXPLICIT",
            symtable::GLOBAL_IMPLICIT => "GLOBAL_IMPLICIT",
            symtable::FREE => "FREE",
            symtable::CELL => "CELL",
            _ => "?",
        };
        let text = table.names.text(taipan_compiler::names::Name(*name));
        let _ = write!(out, "{pad}  {text}: {scope}");
        for (flag, name) in [
            (symtable::DEF_GLOBAL, "global"),
            (symtable::DEF_NONLOCAL, "nonlocal"),
            (symtable::DEF_PARAM, "param"),
            (symtable::DEF_IMPORT, "import"),
            (symtable::DEF_ANNOT, "annot"),
            (symtable::DEF_FREE_CLASS, "free_class"),
            (symtable::DEF_TYPE_PARAM, "type_param"),
            (symtable::DEF_COMP_CELL, "comp_cell"),
        ] {
            if flags & flag != 0 {
                let _ = write!(out, " {name}");
            }
        }
        out.push('\n');
    }
    for child in &entry.children {
        show_symbols(table, *child, indent + 1, out);
    }
}

fn show_instructions(instructions: &[Instruction], out: &mut String) {
    for (i, instruction) in instructions.iter().enumerate() {
        let _ = write!(out, "  {i} {}", OPCODE_NAMES[instruction.opcode as usize]);
        if opcode::has_target(instruction.opcode) {
            let _ = write!(out, " -> {}", instruction.oparg);
        } else if opcode::has_arg(instruction.opcode) {
            let _ = write!(out, " {}", instruction.oparg);
        }
        let l = instruction.location;
        if l.lineno >= 0 {
            let _ = write!(out, " @ {}:{}-{}:{}", l.lineno, l.col_offset, l.end_lineno, l.end_col_offset);
        }
        out.push('\n');
    }
}

fn show_sequence(sequence: &Sequence, path: &str, out: &mut String) {
    let _ = writeln!(out, "sequence {path}");
    show_instructions(&sequence.instructions, out);
    for (i, nested) in sequence.nested.iter().enumerate() {
        show_sequence(nested, &format!("{path}.{i}"), out);
    }
}

/// The expression statements of a module, folded, as source.
fn show_folded(module: &Mod<'_>, out: &mut String) {
    let Mod::Module { body, .. } = module else { return };
    for s in *body {
        if let taipan_parser::ast::StmtKind::Expr { value } = s.kind {
            match taipan_compiler::unparse::expression(value) {
                Ok(text) => {
                    let _ = writeln!(out, "{}", String::from_utf8_lossy(&text));
                }
                Err(e) => {
                    let _ = writeln!(out, "{e}");
                }
            }
        }
    }
}

fn run_stage(stage: &str, source: &[u8], out: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let arena = Bump::new();
    let parsed = taipan_parser::parse(&arena, Source::Bytes(source), Mode::Exec, &Default::default())
        .map_err(|failure| failure.error.msg)?;
    let options = Options::new("file.py");
    let mut warnings = Vec::new();
    match stage {
        "symtable" => {
            let features = future::future_from_ast(&parsed.module)?.features;
            let table = Symtable::build(&parsed.module, &arena, features, DEFAULT_STACK_BUDGET)?;
            show_symbols(&table, table.top(), 0, out);
        }
        "fold" => {
            let folded =
                ast_opt::optimize(&parsed.module, &arena, &Options::new("file"), 0, &mut warnings)?;
            show_folded(&folded, out);
        }
        "codegen" => {
            let (sequence, _) = compiler_codegen(&parsed.module, &arena, &options, &mut warnings)?;
            show_sequence(&sequence, "0", out);
        }
        "cfg" => {
            let (sequence, unit) = compiler_codegen(&parsed.module, &arena, &options, &mut warnings)?;
            let mut consts = unit.consts;
            let optimized = optimize_cfg(&sequence.instructions, &mut consts, unit.varnames.len())?;
            show_instructions(&optimized, out);
        }
        "code" => {
            let compiled = compile(&parsed.module, &arena, &options);
            for warning in &compiled.warnings {
                let _ = writeln!(out, "{:?} {}: {}", warning.category, warning.location.lineno, warning.message);
            }
            let code = compiled.code.map_err(|e| e.to_string())?;
            dump::dump_verbose(&code, out);
        }
        _ => return Err(format!("no such stage: {stage}").into()),
    }
    Ok(())
}

#[test]
fn filetests() {
    let bless = std::env::var_os("TAIPAN_BLESS").is_some();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    let mut failures = Vec::new();
    let mut inputs: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "py"))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty());
    for input in inputs {
        let source = std::fs::read(&input).unwrap();
        let text = String::from_utf8_lossy(&source);
        let stages = text.lines().find_map(|line| line.strip_prefix("# stages: ")).unwrap_or("code");
        let mut actual = String::new();
        for stage in stages.split_whitespace() {
            let _ = writeln!(actual, "=== {stage}");
            if let Err(e) = run_stage(stage, &source, &mut actual) {
                let _ = writeln!(actual, "{e}");
            }
        }
        let output = input.with_extension("txt");
        if bless {
            std::fs::write(&output, &actual).unwrap();
        } else if std::fs::read_to_string(&output).unwrap_or_default() != actual {
            failures.push(input.display().to_string());
            eprintln!("{}: output differs from {}:\n{actual}", input.display(), output.display());
        }
    }
    assert!(failures.is_empty(), "TAIPAN_BLESS=1 accepts the new outputs of {failures:?}");
}
