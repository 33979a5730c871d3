//! One test file in one process group, with a time limit.

use crate::outcome::{Outcome, Verdict, parse};
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs `python -m test -v TEST` in a fresh directory and reads what passed. Its output is kept in `logs` if given.
pub fn run(python: &Path, test: &str, limit: Duration, logs: Option<&Path>) -> Outcome {
    let dir = std::env::temp_dir().join(format!("taipan-regress-{}-{test}", std::process::id()));
    let _ = std::fs::create_dir_all(&dir);
    let log = dir.join("output");
    let fail = |why: String| {
        eprintln!("regress: {test}: {why}");
        Outcome { test: test.into(), passed: Default::default(), failed: Default::default(), verdict: Verdict::Failed }
    };
    let file = match std::fs::File::create(&log) {
        Ok(f) => f,
        Err(e) => return fail(e.to_string()),
    };
    let Ok(second) = file.try_clone() else { return fail("out of file descriptors".into()) };
    let python = std::fs::canonicalize(python.parent().unwrap_or(Path::new("."))).unwrap_or_default().join(python.file_name().unwrap_or_default());
    let mut command = Command::new(python);
    // What steers an interpreter would change what the tests see.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PYTHON")) {
        command.env_remove(name);
    }
    let child = command
        .args(["-m", "test", "-v", test])
        .current_dir(&dir)
        .env("TMPDIR", &dir)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(second)
        .process_group(0)
        .spawn();
    let mut child = match child {
        Ok(c) => c,
        Err(e) => return fail(e.to_string()),
    };
    let group = child.id() as i32;
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(s)) => break Some(s),
            Ok(None) if Instant::now() > deadline => break None,
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            Err(_) => break None,
        }
    };
    // SAFETY: signals the group that was made for this child, and what it left behind.
    unsafe { libc::kill(-group, libc::SIGKILL) };
    let _ = child.wait();
    let mut bytes = Vec::new();
    if let Ok(mut f) = std::fs::File::open(&log) {
        let _ = f.read_to_end(&mut bytes);
    }
    let output = String::from_utf8_lossy(&bytes);
    if let Some(dir) = logs {
        let _ = std::fs::create_dir_all(dir);
        let _ = std::fs::write(dir.join(format!("{test}.log")), &bytes);
    }
    let _ = std::fs::remove_dir_all(&dir);
    let (passed, failed) = parse(test, &output);
    let verdict = match status {
        None => Verdict::TimedOut,
        Some(s) => match (s.code(), s.signal()) {
            (_, Some(signal)) => Verdict::Crashed(signal),
            (Some(0), _) if passed.is_empty() && output.contains("skipped") && !output.contains("Ran ") => Verdict::Skipped,
            (Some(0), _) => Verdict::Passed,
            // A resource that is asked for by -u only.
            (Some(4), _) if passed.is_empty() && output.contains("skipped (resource denied)") => Verdict::Skipped,
            // 128 + n is how a shell, and our fatal-error exit, report a signal.
            (Some(134), _) => Verdict::Crashed(6),
            (Some(139), _) => Verdict::Crashed(11),
            _ => Verdict::Failed,
        },
    };
    Outcome { test: test.into(), passed, failed, verdict }
}
