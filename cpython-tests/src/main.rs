//! Runs CPython's regression tests under an interpreter, each file in a process of its own, and keeps score by test case.
//!
//! ```text
//! regress run    --python PATH [--jobs N] [--timeout S] [--list FILE] [TEST..]   run, print the table
//! regress check  (the same)    fail if a case recorded as passing does not pass
//! regress record (the same)    add the cases that pass to the record, which only grows
//! regress oracle (the same)    record what CPython itself passes (run with a real CPython 3.13.5)
//! ```
//!
//! Records stand beside this crate: `cpython.txt` (what CPython 3.13.5 passes) and `passing.txt` (what Taipan passes). In
//! both, a line `# test_name` opens a file and each further line names a case.

mod outcome;
mod process;
mod record;

use outcome::{Outcome, Verdict};
use record::Record;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

struct Options {
    command: String,
    python: PathBuf,
    jobs: usize,
    timeout: Duration,
    tests: Vec<String>,
    log_dir: Option<PathBuf>,
}

fn options() -> Result<Options, String> {
    let mut args = std::env::args().skip(1);
    let command = args.next().ok_or("usage: regress run|check|record|oracle --python PATH [TEST..]")?;
    let mut o = Options {
        command,
        python: PathBuf::new(),
        jobs: 2,
        timeout: Duration::from_secs(300),
        tests: Vec::new(),
        log_dir: None,
    };
    while let Some(a) = args.next() {
        let mut value = || args.next().ok_or(format!("{a} needs a value"));
        match a.as_str() {
            "--python" => o.python = value()?.into(),
            "--jobs" => o.jobs = value()?.parse().map_err(|_| "--jobs takes a number")?,
            "--timeout" => o.timeout = Duration::from_secs(value()?.parse().map_err(|_| "--timeout takes seconds")?),
            "--logs" => o.log_dir = Some(value()?.into()),
            "--list" => {
                let path = value()?;
                let text = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
                o.tests.extend(text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).map(String::from));
            }
            _ if a.starts_with('-') => return Err(format!("unknown option {a}")),
            _ => o.tests.push(a),
        }
    }
    // Lists overlap.
    let mut seen = BTreeSet::new();
    o.tests.retain(|t| seen.insert(t.clone()));
    if o.python.as_os_str().is_empty() {
        return Err("--python PATH is needed".into());
    }
    Ok(o)
}

fn data_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn run_all(o: &Options, tests: &[String]) -> Vec<Outcome> {
    let queue = Mutex::new(tests.iter().cloned().collect::<std::collections::VecDeque<_>>());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|s| {
        for _ in 0..o.jobs.max(1) {
            s.spawn(|| {
                loop {
                    let Some(test) = queue.lock().unwrap_or_else(|e| e.into_inner()).pop_front() else { return };
                    let started = Instant::now();
                    let outcome = process::run(&o.python, &test, o.timeout, o.log_dir.as_deref());
                    eprintln!("{:>7.1}s {}", started.elapsed().as_secs_f64(), outcome.summary());
                    results.lock().unwrap_or_else(|e| e.into_inner()).push(outcome);
                }
            });
        }
    });
    let mut all = results.into_inner().unwrap_or_else(|e| e.into_inner());
    all.sort_by(|a, b| a.test.cmp(&b.test));
    all
}

fn table(outcomes: &[Outcome], oracle: &Record) {
    println!("{:<34} {:>7} {:>7} {:>7}  state", "test file", "passed", "failed", "CPython");
    let (mut expected_total, mut expected_passed, mut passed_total) = (0, 0, 0);
    let (mut files_ok, mut crashed) = (0, Vec::new());
    for o in outcomes {
        let want = oracle.cases(&o.test);
        let got = want.iter().filter(|c| o.passed.contains(c.as_str())).count();
        expected_total += want.len();
        expected_passed += got;
        passed_total += o.passed.len();
        files_ok += (o.verdict == Verdict::Passed) as usize;
        if matches!(o.verdict, Verdict::Crashed(_) | Verdict::TimedOut) {
            crashed.push(o.test.clone());
        }
        println!("{:<34} {:>7} {:>7} {:>3}/{:<3}  {}", o.test, o.passed.len(), o.failed.len(), got, want.len(), o.verdict);
    }
    println!();
    println!(
        "files: {} run, {} pass outright, {} crash or hang{}",
        outcomes.len(),
        files_ok,
        crashed.len(),
        if crashed.is_empty() { String::new() } else { format!(" ({})", crashed.join(", ")) }
    );
    let share = if expected_total == 0 { 0.0 } else { 100.0 * expected_passed as f64 / expected_total as f64 };
    println!("cases: {passed_total} pass; of the {expected_total} that CPython passes, {expected_passed} pass ({share:.1} %)");
}

fn main() {
    let o = match options() {
        Ok(o) => o,
        Err(e) => {
            eprintln!("regress: {e}");
            std::process::exit(2);
        }
    };
    let oracle = Record::load(&data_file("cpython.txt"));
    let mut passing = Record::load(&data_file("passing.txt"));
    let mut tests = o.tests.clone();
    if tests.is_empty() {
        tests = passing.tests();
    }
    let outcomes = run_all(&o, &tests);
    let mut bad = false;
    match o.command.as_str() {
        "run" => table(&outcomes, &oracle),
        "check" => {
            table(&outcomes, &oracle);
            let (mut checked, mut lost) = (0, Vec::new());
            for out in &outcomes {
                for case in passing.cases(&out.test) {
                    checked += 1;
                    if !out.passed.contains(case) {
                        lost.push(format!("{} {}", out.test, case));
                    }
                }
            }
            if !lost.is_empty() {
                // A case may depend on the machine's load: once more, alone, before it counts as lost.
                let again: BTreeSet<String> =
                    lost.iter().filter_map(|l| l.split(' ').next()).map(String::from).collect();
                eprintln!("{} recorded cases did not pass; running their files again", lost.len());
                let alone = Options { jobs: 1, python: o.python.clone(), command: String::new(), timeout: o.timeout, tests: Vec::new(), log_dir: o.log_dir.clone() };
                let second = run_all(&alone, &again.into_iter().collect::<Vec<_>>());
                lost.retain(|l| {
                    let (test, case) = l.split_once(' ').unwrap_or((l, ""));
                    !second.iter().any(|o| o.test == test && o.passed.contains(case))
                });
            }
            for l in &lost {
                println!("LOST {l}");
            }
            println!("{} passed, {} failed", checked - lost.len(), lost.len());
            bad = !lost.is_empty() || checked == 0;
        }
        "record" => {
            table(&outcomes, &oracle);
            for out in &outcomes {
                passing.add(&out.test, &out.passed);
            }
            bad = passing.save(&data_file("passing.txt"), "Test cases of CPython 3.13.5's suite that Taipan passes.");
        }
        "oracle" => {
            let mut oracle = oracle;
            for out in &outcomes {
                oracle.replace(&out.test, &out.passed);
            }
            bad = oracle.save(&data_file("cpython.txt"), "Test cases that CPython 3.13.5 itself passes.");
        }
        other => {
            eprintln!("regress: unknown command {other}");
            bad = true;
        }
    }
    std::process::exit(bad as i32);
}
