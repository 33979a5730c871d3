//! The instruction set of CPython 3.13, defined once (`definitions/`), and the generator of what follows from it.
//!
//! `cargo run -p taipan-bytecodes` writes `crates/python/src/generated/`; with `--check` it only compares.
//!
//! Must not know: objects, the interpreter's helpers. Bodies are text to it.

mod emit;
mod model;
mod parse;

use std::path::Path;
use std::process::ExitCode;

/// Reads all definition files, in the order of their names.
fn load(dir: &Path) -> Result<model::Definitions, String> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .map_err(|e| format!("{}: {e}", dir.display()))?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|x| x == "rs"))
        .collect();
    files.sort();
    let mut defs = model::Definitions::default();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        parse::parse_file(&file.display().to_string(), &text, &mut defs)?;
    }
    defs.check()?;
    Ok(defs)
}

/// Writes the generated files, or only compares them.
fn run(check: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let defs = load(&root.join("definitions"))?;
    let target = root.join("../python/src/generated");
    let files = [
        ("opcode_ids.rs", emit::ids(&defs)?),
        ("opcode_metadata.rs", emit::metadata(&defs)?),
        ("generated_cases.rs", emit::cases(&defs)?),
    ];
    for (name, text) in files {
        let path = target.join(name);
        if check {
            if std::fs::read_to_string(&path).unwrap_or_default() != text {
                return Err(format!("{} is stale: run cargo run -p taipan-bytecodes", path.display()));
            }
        } else {
            std::fs::create_dir_all(&target).map_err(|e| e.to_string())?;
            std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(std::env::args().any(|a| a == "--check")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests;

/// What was generated, compiled for the tests.
#[cfg(test)]
#[allow(dead_code, reason = "only some of it is looked at")]
#[path = "../../python/src/generated/opcode_ids.rs"]
mod opcode_ids;
/// What was generated, compiled for the tests.
#[cfg(test)]
#[allow(dead_code, reason = "only some of it is looked at")]
#[path = "../../python/src/generated/opcode_metadata.rs"]
mod opcode_metadata;
