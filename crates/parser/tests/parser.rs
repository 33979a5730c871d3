//! The parser from outside: trees, errors, interactive input, tokens.

use bumpalo::Bump;
use taipan_parser::{NoNames, 
    ErrorKind, Failure, Line, LineReader, Mode, Options, Source, SyntaxError, TokenizerIter, parse,
    parse_slowly,
};

const SAMPLE: &str = include_str!("sample.py");

fn names(name: &str) -> Result<Option<u32>, NoNames> {
    Ok((name == "DIGIT ONE").then_some('1' as u32))
}

fn options() -> Options<'static> {
    Options { lookup_name: Some(&names), ..Options::default() }
}

/// What both parsers make of a source: the tree or the error, as text.
fn both(source: &[u8], mode: Mode, options: &Options) -> (String, String) {
    let show = |result: Result<taipan_parser::Parsed, Failure>| match result {
        Ok(parsed) => format!("{:?} {:?}", parsed.module, messages(&parsed.warnings)),
        Err(failure) => format!("{:?} {:?}", failure.error, messages(&failure.warnings)),
    };
    let arena = Bump::new();
    let fast = show(parse(&arena, Source::Bytes(source), mode, options));
    let slow = show(parse_slowly(&arena, Source::Bytes(source), mode, options));
    (fast, slow)
}

fn messages(warnings: &[taipan_parser::Warning]) -> Vec<String> {
    warnings.iter().map(|warning| format!("{} {}", warning.lineno, warning.msg)).collect()
}

fn error_of(source: &[u8], mode: Mode, options: &Options) -> SyntaxError {
    let arena = Bump::new();
    match parse(&arena, Source::Bytes(source), mode, options) {
        Ok(_) => panic!("{:?} has no error", String::from_utf8_lossy(source)),
        Err(failure) => failure.error,
    }
}

/// The error of a source, as `line:offset-end_line:end_offset message`.
#[track_caller]
fn check(source: &str, expect: &str) {
    let error = error_of(source.as_bytes(), Mode::Exec, &options());
    let location = error.location.expect("an error with a place");
    let (end_lineno, end_offset) = location.end.expect("an error with an end");
    let (lineno, offset) = (location.lineno, location.offset);
    assert_eq!(format!("{lineno}:{offset}-{end_lineno}:{end_offset} {}", error.msg), expect);
}

#[test]
fn both_parsers_agree() {
    let mut options = options();
    for type_comments in [false, true] {
        options.type_comments = type_comments;
        let (fast, slow) = both(SAMPLE.as_bytes(), Mode::Exec, &options);
        assert!(fast.starts_with("Module"), "{fast:.200}");
        assert_eq!(fast, slow);
    }
}

#[test]
fn both_parsers_agree_on_each_version() {
    for feature_version in 4..13 {
        let options = Options { feature_version, ..options() };
        for line in SAMPLE.lines() {
            let (fast, slow) = both(line.as_bytes(), Mode::Exec, &options);
            assert_eq!(fast, slow, "{line}");
        }
    }
}

/// The lines of a text.
struct TextLines(std::vec::IntoIter<Vec<u8>>);

impl LineReader for TextLines {
    fn readline(&mut self, _continuation: bool) -> Line {
        Line::Text(self.0.next().unwrap_or_default())
    }
}

fn text_lines(text: &[u8]) -> TextLines {
    let lines: Vec<Vec<u8>> = text.split_inclusive(|&c| c == b'\n').map(<[u8]>::to_vec).collect();
    TextLines(lines.into_iter())
}

/// Pieces of the sample with a few characters changed: no panic, no hang, and one result.
#[test]
fn mutations() {
    let lines: Vec<&str> = SAMPLE.split_inclusive('\n').collect();
    let pieces = [
        "(", ")", "[", "]", "{", "}", ":", ",", "=", "*", "**", ".", "\"", "'", "f\"", "\\", "\n", " ", "\t",
        "if", "else", "for", "in", "lambda", "1", "é", "\u{1}", "!", "@", "not", ":=", "#", "\u{20ac}",
    ];
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut random = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n.max(1) as u64) as usize
    };
    for _ in 0..4000 {
        let first = random(lines.len());
        let count = 1 + random(12);
        let mut text: Vec<char> = lines.iter().skip(first).take(count).flat_map(|line| line.chars()).collect();
        for _ in 0..1 + random(4) {
            let at = random(text.len() + 1);
            if random(3) == 0 {
                let end = (at + random(4)).min(text.len());
                text.drain(at..end);
            } else {
                text.splice(at..at, pieces[random(pieces.len())].chars());
            }
        }
        let source: String = text.into_iter().collect();
        let mode = [Mode::Exec, Mode::Single, Mode::Eval, Mode::FuncType][random(4)];
        let (fast, slow) = both(source.as_bytes(), mode, &options());
        assert_eq!(fast, slow, "{source:?}");
        // The same bytes, perhaps not UTF-8, in every other way in.
        let mut bytes = source.into_bytes();
        if random(2) == 0 {
            let at = random(bytes.len() + 1);
            bytes.insert(at, random(256) as u8);
        }
        let arena = Bump::new();
        let _ = parse(&arena, Source::File(&bytes), Mode::Exec, &options());
        let mut reader = text_lines(&bytes);
        let _ = parse(&arena, Source::Interactive(&mut reader), Mode::Single, &options());
        let mut iter = TokenizerIter::new(Box::new(text_lines(&bytes)), random(2) == 0);
        while let Some(Ok(_)) = iter.next_token() {}
    }
}

#[test]
fn errors_of_the_tokenizer() {
    check("x = 'abc", "1:5-1:5 unterminated string literal (detected at line 1)");
    check("x = '''abc\n\n", "1:5-1:5 unterminated triple-quoted string literal (detected at line 2)");
    check("f'{x", "1:3-1:0 '{' was never closed");
    check("f'{x!z}'", "1:6-1:7 f-string: invalid conversion character 'z': expected 's', 'r', or 'a'");
    check("f'}'", "1:3-1:3 f-string: single '}' is not allowed");
    check("0777", "1:1-1:2 leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal integers");
    check("1_", "1:2-1:2 invalid decimal literal");
    check("0b12", "1:4-1:4 invalid digit '2' in binary literal");
    check("a €", "1:3-1:3 invalid character '€' (U+20AC)");
    check("(]", "1:2-1:2 closing parenthesis ']' does not match opening parenthesis '('");
    check("a\\b", "1:3-1:0 unexpected character after line continuation character");
    check("if x:\n  a\n b", "3:3-3:-1 unindent does not match any outer indentation level");
    check("if x:\n\ta\n        b", "3:1-3:0 inconsistent use of tabs and spaces in indentation");
    check("'\\x1'", "1:1-1:6 (unicode error) 'unicodeescape' codec can't decode bytes in position 0-2: \
        truncated \\xXX escape");
    check("b'é'", "1:1-1:5 bytes can only contain ASCII literal characters");
}

#[test]
fn errors_of_the_parser() {
    check("a b", "1:3-1:4 invalid syntax");
    check("(a b)", "1:2-1:5 invalid syntax. Perhaps you forgot a comma?");
    check("print 1", "1:1-1:8 Missing parentheses in call to 'print'. Did you mean print(...)?");
    check("f() = 1", "1:1-1:4 cannot assign to function call here. Maybe you meant '==' instead of '='?");
    check("if x:\npass", "2:1-2:5 expected an indented block after 'if' statement on line 1");
    check("if x\n  pass", "1:5-1:6 expected ':'");
    check("def f(a=1, b): pass", "1:12-1:13 parameter without a default follows parameter with a default");
    check("f(a for a in b, c)", "1:3-1:15 Generator expression must be parenthesized");
    check("f(a=1, b)", "1:9-1:10 positional argument follows keyword argument");
    check("{1: 2, 3}", "1:8-1:0 ':' expected after dictionary key");
    check("x = (1,\ny = 2\n", "1:5-1:0 '(' was never closed");
    check("try: pass\n", "1:10-1:-1 expected 'except' or 'finally' block");
    check("import a from b", "1:1-1:16 Did you mean to use 'from ... import ...' instead?");
    check("  x", "1:2-1:-1 unexpected indent");
}

#[test]
fn versions() {
    let old = Options { feature_version: 9, ..options() };
    let error = error_of(b"match x:\n  case 1: pass", Mode::Exec, &old);
    assert_eq!(error.msg, "Pattern matching is only supported in Python 3.10 and greater");
}

#[test]
fn too_deep() {
    for source in ["-".repeat(100_000) + "1", "not ".repeat(100_000) + "1", "a**".repeat(100_000) + "1"] {
        let error = error_of(source.as_bytes(), Mode::Eval, &options());
        assert_eq!(error.kind, ErrorKind::Memory);
    }
    let error = error_of("(".repeat(300).as_bytes(), Mode::Exec, &options());
    assert_eq!(error.msg, "too many nested parentheses");
    let long = "a+".repeat(100_000) + "a";
    assert!(parse(&Bump::new(), Source::Utf8(long.as_bytes()), Mode::Eval, &options()).is_ok());
}

#[test]
fn encodings() {
    let error = error_of(b"\xEF\xBB\xBF# coding: latin-1\n", Mode::Exec, &options());
    assert_eq!(error.msg, "encoding problem: iso-8859-1 with BOM");
    let error = error_of(b"#\n# -*- coding: nonsense -*-\n", Mode::Exec, &options());
    assert_eq!(error.msg, "unknown encoding: nonsense");
    let arena = Bump::new();
    let source = Source::Bytes(b"# coding: latin-1\nx = '\xE9'");
    let parsed = parse(&arena, source, Mode::Exec, &options()).expect("a module");
    assert_eq!(parsed.encoding.as_deref(), Some("iso-8859-1"));
    assert!(format!("{:?}", parsed.module).contains("Str([195, 169])"));
    // Without an encoding, only names and strings are looked at.
    assert!(parse(&arena, Source::Bytes(b"# \xFF\n"), Mode::Exec, &options()).is_ok());
    let file = parse(&arena, Source::File(b"# \xFF\n"), Mode::Exec, &options());
    let error = file.err().expect("an error").error;
    assert!(error.msg.starts_with("Non-UTF-8 code starting with '\\xff' in file <string> on line 1"));
    let file = parse(&arena, Source::File(b"a = 1\nb.\0c = 2\n"), Mode::Exec, &options());
    let error = file.err().expect("an error").error;
    assert_eq!(error.msg, "source code cannot contain null bytes");
    let location = error.location.expect("a place");
    assert_eq!((location.lineno, location.offset, location.text.as_deref()), (2, 0, Some("b.")));
}

#[test]
fn warnings() {
    let arena = Bump::new();
    let source = Source::Utf8(b"x = '\\d' 'a\\\n\\q'\ny = 1if 0 else '\\400'\n");
    let parsed = parse(&arena, source, Mode::Exec, &options()).expect("a module");
    let expect = [
        "1 invalid escape sequence '\\d'",
        "2 invalid escape sequence '\\q'",
        "3 invalid decimal literal",
        "3 invalid octal escape sequence '\\400'",
    ];
    assert_eq!(messages(&parsed.warnings), expect);
}

/// Lines, and how many of them have been asked for.
struct Lines<'l>(Vec<&'l str>, &'l std::cell::Cell<usize>);

impl LineReader for Lines<'_> {
    fn readline(&mut self, continuation: bool) -> Line {
        let count = self.1.get();
        assert_eq!(continuation, count > 0);
        self.1.set(count + 1);
        Line::Text(self.0.get(count).copied().unwrap_or("").into())
    }
}

/// Parse one interactive statement; gives the tree or the error, and how many lines were read.
fn interact(lines: &[&str]) -> (String, usize) {
    let arena = Bump::new();
    let count = std::cell::Cell::new(0);
    let mut reader = Lines(lines.to_vec(), &count);
    let text = match parse(&arena, Source::Interactive(&mut reader), Mode::Single, &Options::default()) {
        Ok(parsed) => format!("{:?}", parsed.module),
        Err(failure) if failure.error.kind == ErrorKind::Eof => "EOF".into(),
        Err(failure) => failure.error.msg,
    };
    (text, count.get())
}

#[test]
fn interactive() {
    let (text, read) = interact(&["x = 1\n", "y\n"]);
    assert!(text.contains("Assign"));
    assert_eq!(read, 1);
    let (text, read) = interact(&["if x:\n", "  y\n", "\n", "z\n"]);
    assert!(text.contains("If"));
    assert_eq!(read, 3);
    let (text, read) = interact(&["(1,\n", "'''a\n", "b''')\n", "z\n"]);
    assert!(text.contains("Tuple"));
    assert_eq!(read, 3);
    assert!(interact(&["\n"]).0.contains("Pass"));
    assert_eq!(interact(&[]), ("EOF".into(), 1));
    assert_eq!(interact(&["x y\n"]), ("invalid syntax".into(), 1));
    let missing = "expected an indented block after 'if' statement on line 1";
    assert_eq!(interact(&["if x:\n", "y\n"]), (missing.into(), 2));
}

#[test]
fn incomplete_input() {
    let options = Options { allow_incomplete_input: true, ..options() };
    for source in ["(", "if x:", "'''", "x = \\\n"] {
        let error = error_of(source.as_bytes(), Mode::Single, &options);
        assert_eq!(error.kind, ErrorKind::IncompleteInput, "{source:?}: {error:?}");
    }
    assert_eq!(error_of(b"x y\n", Mode::Single, &options).kind, ErrorKind::Syntax);
}

#[test]
fn tokens() {
    struct Source(std::vec::IntoIter<&'static str>);
    impl LineReader for Source {
        fn readline(&mut self, _continuation: bool) -> Line {
            Line::Text(self.0.next().unwrap_or("").into())
        }
    }
    let lines = vec!["if é:  # c\n", "  f'''{x!r:\n", "}'''\n", "\n", "y"];
    let mut iter = TokenizerIter::new(Box::new(Source(lines.into_iter())), true);
    let mut text = String::new();
    while let Some(token) = iter.next_token() {
        let token = token.expect("a token");
        let ((a, b), (c, d)) = (token.start, token.end);
        text += &format!("{} {:?} {a},{b}-{c},{d}\n", token.kind, token.string);
    }
    let expect = "1 \"if\" 1,0-1,2\n1 \"é\" 1,3-1,4\n55 \":\" 1,4-1,5\n62 \"# c\" 1,7-1,10\n\
        4 \"\\n\" 1,10-1,11\n5 \"  \" 2,0-2,2\n59 \"f'''\" 2,2-2,6\n55 \"{\" 2,6-2,7\n1 \"x\" 2,7-2,8\n\
        55 \"!\" 2,8-2,9\n1 \"r\" 2,9-2,10\n55 \":\" 2,10-2,11\n60 \"\\n\" 2,11-3,0\n55 \"}\" 3,0-3,1\n\
        61 \"'''\" 3,1-3,4\n4 \"\\n\" 3,4-3,5\n63 \"\\n\" 4,0-4,1\n6 \"\" 5,0-5,0\n1 \"y\" 5,0-5,1\n\
        4 \"\" 5,1-5,2\n0 \"\" 6,0-6,0\n";
    assert_eq!(text, expect);
}
