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
