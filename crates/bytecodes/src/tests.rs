//! The definitions against CPython 3.13's own tables, recorded in `recorded_3_13.txt`: name, number, cache entries.

use super::*;

#[test]
fn numbers_and_caches_are_cpythons() {
    let defs = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("definitions")).expect("definitions load");
    let numbers = defs.number().expect("numbering");
    let recorded = include_str!("recorded_3_13.txt");
    for line in recorded.lines() {
        let mut fields = line.split(' ');
        let (name, number, caches) =
            (fields.next().expect("name"), fields.next().expect("number"), fields.next().expect("caches"));
        let ours = numbers.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(ours.1.to_string(), number, "{name}");
        if let Some(inst) = defs.instructions.iter().find(|i| i.name == name && !name.starts_with("INSTRUMENTED_")) {
            assert_eq!(defs.cache_size(inst).expect("size").to_string(), caches, "{name}");
        }
    }
    assert_eq!(numbers.len(), recorded.lines().count());
}

#[test]
fn flags_and_effects_are_cpythons() {
    use crate::opcode_metadata::{FLAGS, stack_effect};
    let mut wrong = Vec::new();
    for line in include_str!("recorded_flags_3_13.txt").lines() {
        let mut fields = line.split(' ');
        let name = fields.next().expect("name");
        if name.starts_with("INSTRUMENTED_") {
            continue;
        }
        let number: usize = fields.next().and_then(|n| n.parse().ok()).expect("number");
        let flags = fields.next().expect("flags");
        // arg, const, name, jump, free, local
        let ours: String = [1, 2, 4, 8, 16, 32].iter().map(|b| if FLAGS[number] & b != 0 { '1' } else { '0' }).collect();
        if ours != flags {
            wrong.push(format!("{name}: flags {ours}, CPython has {flags}"));
        }
        if number > 255 {
            continue;
        }
        for (oparg, effect) in [0, 1, 2, 3, 4, 5, 16, 257, 258].into_iter().zip(fields) {
            let Ok(effect) = effect.parse::<i32>() else { continue };
            let oparg = if FLAGS[number] & 1 != 0 { oparg } else { 0 };
            let ours = stack_effect(number as u16, oparg).map(|(popped, pushed)| pushed - popped);
            if ours != Some(effect) {
                wrong.push(format!("{name} {oparg}: effect {ours:?}, CPython has {effect}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn generated_files_are_current() {
    assert_eq!(run(true), Ok(()));
}
