//! Any bytes: no panic, no hang, no overflow of the native stack, and one result from both parsers.
//! The first byte chooses the mode and the options.

#![no_main]

use bumpalo::Bump;
use libfuzzer_sys::fuzz_target;
use taipan_parser::{Failure, Line, LineReader, Mode, Options, Parsed, Source, TokenizerIter, parse, parse_slowly};

struct Lines(std::vec::IntoIter<Vec<u8>>);

impl LineReader for Lines {
    fn readline(&mut self, _continuation: bool) -> Line {
        Line::Text(self.0.next().unwrap_or_default())
    }
}

fn lines(text: &[u8]) -> Lines {
    let lines: Vec<Vec<u8>> = text.split_inclusive(|&c| c == b'\n').map(<[u8]>::to_vec).collect();
    Lines(lines.into_iter())
}

fn show(result: Result<Parsed, Failure>) -> String {
    match result {
        Ok(parsed) => format!("{:?}", parsed.module),
        Err(failure) => format!("{:?}", failure.error),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    let options = Options {
        type_comments: choice & 4 != 0,
        allow_incomplete_input: choice & 8 != 0,
        feature_version: if choice & 16 != 0 { 4 + (choice >> 5) } else { 13 },
        ..Options::default()
    };
    let mode = [Mode::Exec, Mode::Single, Mode::Eval, Mode::FuncType][choice as usize & 3];
    let arena = Bump::new();
    let fast = show(parse(&arena, Source::Bytes(text), mode, &options));
    let slow = show(parse_slowly(&arena, Source::Bytes(text), mode, &options));
    assert_eq!(fast, slow);
    let _ = show(parse(&arena, Source::File(text), Mode::Exec, &options));
    let mut reader = lines(text);
    let _ = show(parse(&arena, Source::Interactive(&mut reader), Mode::Single, &options));
    let mut iter = TokenizerIter::new(Box::new(lines(text)), choice & 1 != 0);
    while let Some(Ok(_)) = iter.next_token() {}
});
