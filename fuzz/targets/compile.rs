//! Any bytes, through to the code object: no panic, no hang, no overflow of the native stack at any optimisation
//! level, and the same code object when the tree is compiled again. The first byte chooses the mode and the flags.

#![no_main]

use bumpalo::Bump;
use libfuzzer_sys::fuzz_target;
use taipan_compiler::{CodeObject, Compiled, Const, Options, dump, flags};
use taipan_parser::{Mode, Source, ast};

/// CPython's limits on what a code object may be, as far as they can be checked from outside.
fn check(code: &CodeObject) {
    assert!(!code.code.is_empty() && code.code.len() % 2 == 0);
    assert_eq!(code.localsplusnames.len(), code.localspluskinds.len());
    assert!(code.posonlyargcount <= code.argcount);
    assert!((code.argcount + code.kwonlyargcount) as usize <= code.localsplusnames.len());
    for constant in &code.consts {
        if let Const::Code(inner) = constant {
            check(inner);
        }
    }
}

fn show(compiled: &Compiled) -> String {
    let mut text = format!("{:?} {}\n", compiled.warnings, compiled.flags);
    match &compiled.code {
        Ok(code) => {
            check(code);
            dump::dump(code, &mut text);
        }
        Err(error) => text.push_str(&format!("{error:?}")),
    }
    text
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    let mode = [Mode::Exec, Mode::Single, Mode::Eval, Mode::Exec][choice as usize & 3];
    let parser_options = taipan_parser::Options::default();
    let arena = Bump::new();
    let Ok(parsed) = taipan_parser::parse(&arena, Source::Bytes(text), mode, &parser_options) else { return };
    let module: ast::Mod<'_> = parsed.module;
    let mut caller = 0;
    if choice & 4 != 0 {
        caller |= flags::PyCF_ALLOW_TOP_LEVEL_AWAIT;
    }
    if choice & 8 != 0 {
        caller |= flags::CO_FUTURE_ANNOTATIONS;
    }
    for optimize in 0..3 {
        let options = Options { optimize, flags: caller, ..Options::new("fuzz") };
        let first = show(&taipan_compiler::compile(&module, &arena, &options));
        let again = show(&taipan_compiler::compile(&module, &arena, &options));
        assert_eq!(first, again);
    }
});
