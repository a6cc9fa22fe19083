//! Every task and thread of the two programs is in a set of named parts, so that the
//! end of any is seen: only `contract/src/supervisor.rs` starts one without.

use sluice_tests::top;
use std::path::{Path, PathBuf};

/// Ways to start work that nobody would miss.
const STARTS: [&str; 6] = [
    "tokio::spawn(",
    "task::spawn(",
    "thread::spawn(",
    "thread::Builder",
    "JoinSet",
    "TaskTracker",
];

/// Files that may use them, with the reason.
const ALLOWED: [(&str, &str); 4] = [
    ("contract/src/supervisor.rs", "it is the set"),
    (
        "contract/src/shutdown.rs",
        "the wait for a signal: it ends with the program and does nothing else",
    ),
    (
        "core/src/accept/acceptor.rs",
        "a request's booking: awaited on the next line, so that a caller who hangs up doesn't cut it off",
    ),
    (
        "core/src/access/allowance.rs",
        "a look for a share, with a deadline: a caller who hangs up doesn't cut it off, and what it took goes back",
    ),
];

fn sources(under: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(under).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// Lines of the folder's code, tests left out, that start work by themselves.
fn unsupervised(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in sources(&top().join(folder)) {
        let name = path
            .strip_prefix(top())
            .unwrap_or(&path)
            .display()
            .to_string();
        let is_test = name.ends_with("tests.rs") || name.contains("/tests");
        if is_test || ALLOWED.iter().any(|(file, _)| *file == name) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
        for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
            if STARTS.iter().any(|start| line.contains(start)) {
                found.push(format!("{name}: {}", line.trim()));
            }
        }
    }
    found
}

#[test]
fn the_core_starts_nothing_outside_its_set() {
    let read = sources(&top().join("core/src")).len();
    assert!(read > 150, "only {read} files were read");
    let found = [unsupervised("core/src"), unsupervised("contract/src")].concat();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_is_allowed_is_still_there() {
    for (file, reason) in ALLOWED {
        let text = std::fs::read_to_string(top().join(file)).unwrap();
        let used = STARTS.iter().any(|start| text.contains(start));
        assert!(used, "{file} ({reason}) starts nothing any more: strike it");
    }
}
