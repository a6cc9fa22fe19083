//! Documents, alerts and boards name what exists.

use crate::style::source::files;
use sluice_tests::top;
use std::collections::BTreeSet;
use std::path::Path;

/// Names after `sluice_` in a text, histogram suffixes cut off.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("sluice_") {
        let name: String = text[at..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        let programs = ["core_", "sidecar_", "listener_", "tls_", "vault_"];
        let rest = &name["sluice_".len()..];
        if programs.iter().any(|program| rest.starts_with(program)) {
            let cut = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|s| name.strip_suffix(s));
            names.insert(cut.unwrap_or(&name).to_owned());
        }
    }
    names
}

/// Folders in which metrics are registered.
const METRICS_FOLDERS: [&str; 5] = [
    "core/src/metrics",
    "sidecar/src/metrics",
    "contract/src/listener",
    "contract/src/tls",
    "contract/src/vault",
];

#[test]
fn every_metric_that_a_dashboard_or_alert_names_exists() {
    let read = |path: &str| std::fs::read_to_string(top().join(path)).unwrap();
    let mut exist = BTreeSet::new();
    for folder in METRICS_FOLDERS {
        let files = std::fs::read_dir(top().join(folder)).unwrap();
        for file in files.flatten() {
            exist.extend(metrics_in(&std::fs::read_to_string(file.path()).unwrap()));
        }
    }
    let mut named = 0;
    for path in ["dashboards/alerts.yml", "dashboards/sluice.json"] {
        for metric in metrics_in(&read(path)) {
            assert!(
                exist.contains(&metric),
                "{path} names {metric}, which no program has"
            );
            named += 1;
        }
    }
    assert!(named > 20, "only {named} metrics are named");
}

#[test]
fn alerts_pass_their_own_tests() {
    for verb in [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts.test.yml"],
    ] {
        let ran = std::process::Command::new("promtool")
            .args(verb)
            .current_dir(top().join("dashboards"))
            .output()
            .expect("promtool is on the PATH: run `make test`, which fetches it");
        let text = String::from_utf8_lossy(&ran.stdout).into_owned()
            + &String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "promtool {verb:?}: {text}");
    }
}

#[test]
fn every_alert_has_a_line_in_the_runbook() {
    let alerts = std::fs::read_to_string(top().join("dashboards/alerts.yml")).unwrap();
    let runbook = std::fs::read_to_string(top().join("docs/RUNBOOK.md")).unwrap();
    let anchors: BTreeSet<String> = runbook
        .lines()
        .filter_map(|l| l.strip_prefix("## "))
        .map(|title| {
            title
                .to_lowercase()
                .replace(' ', "-")
                .replace(|c: char| !c.is_alphanumeric() && c != '-', "")
        })
        .collect();
    let mut seen = 0;
    for (at, _) in alerts.match_indices("docs/RUNBOOK.md#") {
        let anchor: String = alerts[at + 16..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        assert!(
            anchors.contains(&anchor),
            "the runbook has no section {anchor}"
        );
        seen += 1;
    }
    assert!(seen >= 6, "only {seen} alerts point to the runbook");
}

/// Documents that lead to files, each with the fewest that it names.
const GUIDES: [(&str, usize); 3] = [
    ("docs/ADD-A-CHANNEL.md", 15),
    ("docs/ARCHITECTURE.md", 40),
    ("docs/FEATURES.md", 100),
];

#[test]
fn every_file_that_a_document_names_exists() {
    let mut documents = files(&top().join("docs"), "md");
    documents.push(top().join("README.md"));
    let mut missing = Vec::new();
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        let name = document.strip_prefix(top()).unwrap().display().to_string();
        let named = paths_in(&text);
        let fewest = GUIDES
            .iter()
            .find(|(guide, _)| *guide == name)
            .map_or(0, |(_, fewest)| *fewest);
        assert!(named.len() >= fewest, "{name} names only {named:?}");
        let gone = named.iter().filter(|path| !top().join(path).exists());
        missing.extend(gone.map(|path| format!("{name} names {path}")));
    }
    assert!(missing.is_empty(), "nothing is there: {missing:#?}");
}

/// Paths in backticks: with a slash and an ending that files have, or a closing slash.
fn paths_in(text: &str) -> BTreeSet<&str> {
    let endings = ["rs", "md", "rhai", "toml", "sql", "yml", "json"];
    let is_path = |word: &&str| {
        let plain = word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
        let ending = Path::new(word).extension().and_then(|e| e.to_str());
        let is_file = ending.is_some_and(|ending| endings.contains(&ending));
        plain
            && !word.starts_with(['/', '.'])
            && (word.ends_with('/') || (is_file && word.contains('/')))
    };
    text.split('`').skip(1).step_by(2).filter(is_path).collect()
}

#[test]
fn a_path_is_known_by_its_look() {
    let text = "`core/src/a.rs` and `b/`, not `POST /deposit`, `/status`, `a.rs`, `C::D` or e/f.rs";
    assert_eq!(
        paths_in(text).into_iter().collect::<Vec<_>>(),
        ["b/", "core/src/a.rs"]
    );
    let metric = "rate(sluice_core_orders_total[5m]) sluice_core_wait_seconds_bucket";
    assert!(metrics_in(metric).contains("sluice_core_wait_seconds"));
}
