//! The rules of the house that a machine can hold: layers, sizes, names.

use sluice_tests::top;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn files(under: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(under).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found
}

fn sources() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for part in [
        "contract/src",
        "core/src",
        "sidecar/src",
        "drill/src",
        "tests",
    ] {
        for path in files(&top().join(part), "rs") {
            let name = path
                .strip_prefix(top())
                .unwrap_or(&path)
                .display()
                .to_string();
            all.push((name, std::fs::read_to_string(&path).unwrap_or_default()));
        }
    }
    assert!(all.len() > 80, "only {} files were found", all.len());
    all
}

#[test]
fn files_are_small_and_one_level_deep() {
    for (name, text) in sources() {
        assert!(
            text.lines().count() <= 500,
            "{name} has {} lines",
            text.lines().count()
        );
        let depth = name.split('/').count();
        assert!(depth <= 4, "{name} is deeper than one level under src");
    }
}

#[test]
fn sql_is_only_where_sql_belongs() {
    let allowed = |name: &str| {
        let belongs = [
            "repo.rs",
            "schema.rs",
            "preflight.rs",
            "sql.rs",
            "offsets.rs",
            "gtid.rs",
        ];
        belongs.iter().any(|file| name.ends_with(file))
            || name.starts_with("core/src/guard/")
            || name.starts_with("drill/")
            || name.starts_with("tests/")
    };
    let verbs = [
        "\"SELECT ",
        "\"INSERT ",
        "\"UPDATE ",
        "\"DELETE ",
        "\"REPLACE ",
    ];
    for (name, text) in sources() {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        if !allowed(&name) && !name.contains("tests") {
            for verb in verbs {
                assert!(!code.contains(verb), "{name} holds SQL: {verb}…");
            }
        }
    }
}

#[test]
fn layers_do_not_reach_across() {
    for (name, text) in sources() {
        let core = name.starts_with("core/");
        let sidecar = name.starts_with("sidecar/");
        assert!(
            !(core && text.contains("sluice_sidecar")),
            "{name} imports the sidecar"
        );
        assert!(
            !(sidecar && text.contains("sluice_core")),
            "{name} imports the core"
        );
        if core && !name.starts_with("core/src/api/") {
            assert!(!text.contains("StatusCode"), "{name} speaks HTTP");
        }
        if text.contains("rhai::") && !name.starts_with("tests/") {
            let rules =
                name.starts_with("sidecar/src/rules/") || name.starts_with("core/src/routing/");
            assert!(rules, "{name} knows Rhai");
        }
    }
}

#[test]
fn no_amount_passes_through_a_float() {
    // Where amounts live.
    let in_contract = [
        "money.rs",
        "event.rs",
        "order.rs",
        "wire.rs",
        "provenance.rs",
    ];
    let in_core = [
        "accept/",
        "api/",
        "balance/",
        "intake.rs",
        "journal/",
        "ledger/",
        "orders/",
        "outcome/",
    ];
    let holds_money = |name: &str| {
        let under = |part: &str, list: &[&str]| {
            name.strip_prefix(part)
                .is_some_and(|rest| list.iter().any(|file| rest.starts_with(file)))
        };
        under("contract/src/", &in_contract)
            || under("core/src/", &in_core)
            || name.starts_with("drill/src/checks/")
    };
    let mut read = 0;
    for (name, text) in sources().into_iter().filter(|(name, _)| holds_money(name)) {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let floats = ["f64", "f32"];
        for line in code
            .lines()
            .filter(|line| floats.iter().any(|float| line.contains(float)))
        {
            // A histogram observes times and counts.
            assert!(line.contains(".observe("), "{name} has a float: {line}");
        }
        read += 1;
    }
    assert!(read > 25, "only {read} files were read");
}

#[test]
fn ledger_rows_are_never_changed() {
    for (name, text) in sources() {
        if name.starts_with("core/") || name.starts_with("sidecar/src") {
            for forbidden in [".entry SET", "DELETE FROM {}.entry", "UPDATE {}.entry"] {
                assert!(!text.contains(forbidden), "{name}: {forbidden}");
            }
        }
    }
}

/// Names after `sluice_` in a text, histogram suffixes cut off.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("sluice_") {
        let name: String = text[at..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        if name.starts_with("sluice_core_") || name.starts_with("sluice_sidecar_") {
            let cut = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|s| name.strip_suffix(s));
            names.insert(cut.unwrap_or(&name).to_owned());
        }
    }
    names
}

#[test]
fn every_metric_that_a_dashboard_or_alert_names_exists() {
    let read = |path: &str| std::fs::read_to_string(top().join(path)).unwrap();
    let mut exist = metrics_in(&read("core/src/metrics.rs"));
    exist.extend(metrics_in(&read("sidecar/src/metrics.rs")));
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

#[test]
fn every_file_that_the_walk_through_names_exists() {
    let text = std::fs::read_to_string(top().join("docs/ADD-A-CHANNEL.md")).unwrap();
    let named: BTreeSet<&str> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.ends_with(".rs"))
        .collect();
    assert!(named.len() > 15, "only {named:?} are named");
    for name in named {
        assert!(
            top().join(name).is_file(),
            "docs/ADD-A-CHANNEL.md names {name}, which is not there"
        );
    }
}
