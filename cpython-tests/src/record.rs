//! The records: which cases of which file pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Passing cases by test file.
#[derive(Default)]
pub struct Record(BTreeMap<String, BTreeSet<String>>);

impl Record {
    /// Reads a record; a missing file is an empty one.
    pub fn load(path: &Path) -> Self {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut current = None;
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            if let Some(test) = line.strip_prefix("# test_") {
                current = Some(format!("test_{test}"));
                all.entry(format!("test_{test}")).or_default();
            } else if !line.starts_with('#')
                && let Some(test) = &current
                && !line.is_empty()
            {
                all.entry(test.clone()).or_default().insert(line.to_string());
            }
        }
        Record(all)
    }
    /// The cases of a file.
    pub fn cases(&self, test: &str) -> Vec<&String> {
        self.0.get(test).map(|s| s.iter().collect()).unwrap_or_default()
    }
    /// The files.
    pub fn tests(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
    /// Adds cases.
    pub fn add(&mut self, test: &str, cases: &BTreeSet<String>) {
        if !cases.is_empty() {
            self.0.entry(test.to_string()).or_default().extend(cases.iter().cloned());
        }
    }
    /// Sets the cases of a file.
    pub fn replace(&mut self, test: &str, cases: &BTreeSet<String>) {
        self.0.insert(test.to_string(), cases.clone());
    }
    /// Writes the record; `true` if that failed.
    pub fn save(&self, path: &Path, title: &str) -> bool {
        let mut text = format!("# {title}\n");
        for (test, cases) in &self.0 {
            text.push_str(&format!("# {test}\n"));
            for c in cases {
                text.push_str(c);
                text.push('\n');
            }
        }
        let temporary = path.with_extension("new");
        let done = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, path));
        if let Err(e) = &done {
            eprintln!("regress: {}: {e}", path.display());
        }
        done.is_err()
    }
}
