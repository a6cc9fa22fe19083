//! Configuration files are checked without any server.

use crate::routing::{BOTH_CHANNELS, sluice};
use anyhow::ensure;
use sluice_tests::top;
use std::time::{Duration, Instant};

#[test]
fn the_example_is_right_and_hostile_files_are_refused() -> anyhow::Result<()> {
    let example = top()
        .join("docs/routing.example.toml")
        .display()
        .to_string();
    let (well, said) = sluice(&["check", &example], None)?;
    ensure!(well, "{said}");
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("routing.toml");
    let cases = [
        ("loop {}", "r:"),
        ("while true {}", "r:"),
        ("[].pad(900000000, 1) == 1", "too large"),
        ("\\\"x\\\".pad(900000000, 'x') == 1", "too large"),
        ("sleep(100) == 1", "sleep"),
        ("eval(\\\"1\\\") == 1", "r:"),
        ("amount <= \\\"5\\\"", "can't compare"),
        ("amount", "not true or false"),
    ];
    for (condition, part) in cases {
        std::fs::write(
            &path,
            format!(
                "{BOTH_CHANNELS}[[rule]]\nid = \"r\"\ncondition = \"{condition}\"\nmessage = \"no\"\n"
            ),
        )?;
        let begun = Instant::now();
        let (well, said) = sluice(&["check", &path.display().to_string()], None)?;
        ensure!(
            !well && said.contains(part) && said.contains("routing.toml:7"),
            "{condition}: {said}"
        );
        ensure!(
            begun.elapsed() < Duration::from_secs(10),
            "{condition} took {:?}",
            begun.elapsed()
        );
    }
    Ok(())
}
