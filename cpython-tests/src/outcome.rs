//! What a test file's output says of its cases.

use std::collections::BTreeSet;
use std::fmt;

/// How a test file ended.
#[derive(PartialEq, Eq, Clone, Debug)]
pub enum Verdict {
    /// `python3 -m test` was content.
    Passed,
    /// Some case failed, or the file could not be imported.
    Failed,
    /// The whole file was skipped.
    Skipped,
    /// Killed by a signal.
    Crashed(i32),
    /// Ran longer than allowed.
    TimedOut,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Passed => write!(f, "ok"),
            Verdict::Failed => write!(f, "FAILED"),
            Verdict::Skipped => write!(f, "skipped"),
            Verdict::Crashed(s) => write!(f, "CRASHED (signal {s})"),
            Verdict::TimedOut => write!(f, "TIMED OUT"),
        }
    }
}

/// The result of one test file.
pub struct Outcome {
    /// Its name.
    pub test: String,
    /// Cases that passed.
    pub passed: BTreeSet<String>,
    /// Cases that failed or raised.
    pub failed: BTreeSet<String>,
    /// How it ended.
    pub verdict: Verdict,
}

impl Outcome {
    /// One line for the log.
    pub fn summary(&self) -> String {
        format!("{}: {} passed, {} failed, {}", self.test, self.passed.len(), self.failed.len(), self.verdict)
    }
}

/// The case's name in a verbose line `test_x (test.test_file.Class.test_x)` or a heading `FAIL: ...` of the same form.
fn case_id<'l>(line: &'l str, test: &str) -> Option<&'l str> {
    if let Some(rest) = line.strip_prefix("Doctest: ") {
        return rest.split_whitespace().next();
    }
    let (name, rest) = line.split_once(" (")?;
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let id = rest.split(')').next()?;
    if !id.contains('.') || id.contains(' ') {
        return None;
    }
    let id = id.strip_prefix("test.").unwrap_or(id);
    Some(id.strip_prefix(test).and_then(|r| r.strip_prefix('.')).unwrap_or(id))
}

/// Reads the verbose output of unittest. A case passes when its line ends in "ok" (other output may stand between) and
/// no heading reports a failure of it or of one of its subtests.
pub fn parse(test: &str, output: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut passed, mut failed) = (BTreeSet::new(), BTreeSet::new());
    let mut current: Option<String> = None;
    for line in output.lines() {
        let heading = line.strip_prefix("FAIL: ").or_else(|| line.strip_prefix("ERROR: "));
        if let Some(h) = heading {
            if let Some(id) = case_id(h, test) {
                failed.insert(id.to_string());
            }
            continue;
        }
        if let Some(id) = case_id(line, test) {
            current = Some(id.to_string());
        }
        let Some(id) = &current else { continue };
        let end = line.rsplit(" ... ").next().unwrap_or("").trim();
        let word = if line.contains(" ... ") { end } else { line.trim() };
        if word == "ok" || word.ends_with(" ok") || word == "expected failure" {
            passed.insert(id.clone());
            current = None;
        } else if word == "FAIL" || word == "ERROR" || word == "unexpected success" {
            failed.insert(id.clone());
            current = None;
        } else if word.starts_with("skipped ") {
            current = None;
        }
    }
    for f in &failed {
        passed.remove(f);
    }
    (passed, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_verbose_output() {
        let text = "test_a (test.test_x.T.test_a) ... ok\n\
                    test_b (test.test_x.T.test_b)\nAbout b. ... ok\n\
                    test_c (test.test_x.T.test_c) ... noise\nok\n\
                    test_d (test.test_x.T.test_d) ... skipped 'why'\n\
                    test_e (test.test_x.T.test_e) ... ok\n\
                    test_f (test.test_x.T.test_f) ... FAIL\n\
                    ======\nFAIL: test_e (test.test_x.T.test_e) (i=1)\n\
                    ERROR: setUpClass (test.test_x.U)\n";
        let (passed, failed) = parse("test_x", text);
        assert_eq!(passed.into_iter().collect::<Vec<_>>(), ["T.test_a", "T.test_b", "T.test_c"]);
        assert!(failed.contains("T.test_e") && failed.contains("T.test_f") && failed.contains("U"));
    }
}
