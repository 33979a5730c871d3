//! The engine against CPython's answers.
//!
//! A line of `testdata/matches.txt` is `code | groups | operation | subject | expected`, numbers in hexadecimal:
//! code words as CPython's `re` compiles them; operation `m` (match), `f` (fullmatch) or `s` (search); the subject's
//! characters; `none`, or start, end, the last group closed, and start and end of each group (`-` if unset).

use super::lower::{Invalid, lower};
use super::matcher::{Env, Mode, State, Stop, UNSET, run};
use super::opcode::*;
use super::search::search;
use super::units::Unit;

struct Patient;
impl Env for Patient {
    fn poll(&mut self) -> bool {
        true
    }
}

fn numbers(text: &str) -> Vec<u32> {
    text.split_whitespace().map(|w| u32::from_str_radix(w, 16).expect("hexadecimal")).collect()
}

fn answer<C: Unit>(code: &[u32], groups: usize, how: &str, subject: &[u32]) -> String {
    let p = lower(code, groups).expect("valid code");
    let text: Vec<C> = subject.iter().map(|&c| C::from_code(c)).collect();
    let mut st = State::default();
    st.prepare(&p);
    let found = match how {
        "s" => search(&p, &mut st, &text, 0, Mode::default(), &mut Patient),
        _ => run(&p, &mut st, &text, 0, Mode { whole: how == "f", advance: false }, &mut Patient).map(|m| m.map(|e| (0, e))),
    };
    let Some((start, end)) = found.expect("no error") else {
        assert!(st.marks.iter().all(|&m| m == UNSET), "marks left behind by a failed match");
        return "none".into();
    };
    let mut out = format!("{start:x} {end:x} {:x}", st.lastindex);
    for g in 1..=groups {
        match st.group(g) {
            Some((a, b)) => out += &format!(" {a:x} {b:x}"),
            None => out += " - -",
        }
    }
    out
}

fn check_file(data: &str) {
    let mut failures = Vec::new();
    for (n, line) in data.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [code, groups, how, subject, expected] = fields[..] else { panic!("line {}", n + 1) };
        let (code, subject) = (numbers(code), numbers(subject));
        let groups = usize::from_str_radix(groups, 16).expect("groups");
        let widest = subject.iter().copied().max().unwrap_or(0);
        let mut got = Vec::new();
        if widest < 0x100 {
            got.push(answer::<u8>(&code, groups, how, &subject));
        }
        if widest < 0x10000 {
            got.push(answer::<u16>(&code, groups, how, &subject));
        }
        got.push(answer::<u32>(&code, groups, how, &subject));
        if got.iter().any(|g| g != expected) {
            failures.push(format!("line {}: expected {expected}, got {got:?}", n + 1));
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures[..failures.len().min(20)].join("\n"));
}

#[test]
fn as_cpython() {
    check_file(include_str!("testdata/matches.txt"));
}

/// More cases than the repository should hold: a file named by the environment.
#[test]
fn as_cpython_at_length() {
    if let Ok(path) = std::env::var("TAIPAN_SRE_CASES") {
        check_file(&std::fs::read_to_string(path).expect("readable"));
    }
}

#[test]
fn malformed_code_is_refused() {
    for code in [
        &[][..],
        &[LITERAL],
        &[LITERAL, SUCCESS],
        &[MARK, 2, SUCCESS],
        &[JUMP, 1, SUCCESS],
        &[IN, 2, LITERAL, SUCCESS],
        &[IN, 40, LITERAL, 65, FAILURE, SUCCESS],
        &[REPEAT_ONE, 6, 3, 2, LITERAL, 65, SUCCESS, SUCCESS],
        &[REPEAT, 9, 0, 1, LITERAL, 65, MAX_UNTIL, SUCCESS],
        &[BRANCH, 5, LITERAL, 65, JUMP, 9, 0, SUCCESS],
        &[GROUPREF, 1, SUCCESS],
        &[ASSERT, 4, 0, LITERAL, 65, SUCCESS],
        &[99, SUCCESS],
    ] {
        assert_eq!(lower(code, 1).map(|_| ()), Err(Invalid), "{code:?}");
    }
}

#[test]
fn deep_backtracking_and_interruption() {
    // (?:a|b)* over a long subject keeps one choice a round on the heap, not on the native stack.
    let code = [
        REPEAT, 19, 0, MAXREPEAT, MARK, 0, BRANCH, 5, LITERAL, 97, JUMP, 7, 5, LITERAL, 97, JUMP, 2, 0, MARK, 1, MAX_UNTIL,
        LITERAL, 122, SUCCESS,
    ];
    let p = lower(&code, 1).expect("valid code");
    let mut st = State::default();
    st.prepare(&p);
    let text = vec![b'a'; 30];
    struct Impatient(u32);
    impl Env for Impatient {
        fn poll(&mut self) -> bool {
            self.0 += 1;
            self.0 < 5
        }
    }
    let stopped = run(&p, &mut st, &text, 0, Mode::default(), &mut Impatient(0));
    assert_eq!(stopped, Err(Stop::Interrupted));
}
