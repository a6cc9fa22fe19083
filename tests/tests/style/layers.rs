//! Layers: each thing of the outside world is known in one place.

use crate::style::source::{Source, sources, words};
use sluice_tests::top;

/// Files that may hold SQL, by the ends of their names.
const SQL_FILES: [&str; 5] = ["repo.rs", "preflight.rs", "sql.rs", "offsets.rs", "gtid.rs"];
/// Folders that may: guard reads one table, schema
/// creates them, preflight asks a server for its settings; drill
/// and tests share nothing with what they check.
const SQL_FOLDERS: [&str; 5] = [
    "core/src/guard/",
    "core/src/schema/",
    "sidecar/src/binlog/preflight/",
    "drill/",
    "tests/",
];
const SQL_VERBS: [&str; 5] = [
    "\"SELECT ",
    "\"INSERT ",
    "\"UPDATE ",
    "\"DELETE ",
    "\"REPLACE ",
];

#[test]
fn sql_is_only_where_sql_belongs() {
    let bad: Vec<String> = sources().iter().filter_map(misplaced_sql).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

fn misplaced_sql(source: &Source) -> Option<String> {
    let allowed = source.is_test()
        || SQL_FILES.iter().any(|file| source.name.ends_with(file))
        || SQL_FOLDERS
            .iter()
            .any(|folder| source.name.starts_with(folder));
    let code = source.text.split("#[cfg(test)]").next().unwrap_or_default();
    let verb = SQL_VERBS.iter().find(|verb| code.contains(**verb))?;
    (!allowed).then(|| format!("{} holds SQL: {verb}…", source.name))
}

#[test]
fn layers_do_not_reach_across() {
    let bad: Vec<String> = sources().iter().flat_map(reaches).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// Imports and names that a file may not have.
fn reaches(source: &Source) -> Vec<String> {
    let name = source.name.as_str();
    let under = |folders: &[&str]| folders.iter().any(|folder| name.starts_with(folder));
    let known = [
        (
            "sluice_sidecar",
            !under(&["core/", "contract/"]),
            "the sidecar",
        ),
        (
            "sluice_core",
            !under(&["sidecar/", "contract/"]),
            "the core",
        ),
        (
            "sluice_drill",
            source.is_test() || under(&["drill/"]),
            "the drill",
        ),
        (
            "StatusCode",
            !under(&["core/src/"]) || under(&["core/src/http/"]),
            "HTTP's codes",
        ),
        (
            "rhai",
            !under(&["core/", "sidecar/", "contract/", "cli/"])
                || under(&["sidecar/src/rules/", "core/src/routing/"]),
            "Rhai",
        ),
    ];
    let code = source.code();
    let has = |wanted: &str| {
        words(&code).any(|(at, word)| {
            word == wanted && (wanted != "rhai" || code[at..].starts_with("rhai::"))
        })
    };
    known
        .iter()
        .filter(|(word, allowed, _)| !allowed && has(word))
        .map(|(_, _, what)| format!("{name} knows {what}"))
        .collect()
}

#[test]
fn the_operators_program_is_built_without_the_drill() {
    let manifest = std::fs::read_to_string(top().join("cli/Cargo.toml")).unwrap();
    assert!(
        !depends_on_the_drill(&manifest),
        "cli/Cargo.toml depends on sluice-drill"
    );
}

fn depends_on_the_drill(manifest: &str) -> bool {
    manifest
        .lines()
        .any(|line| line.trim_start().starts_with("sluice-drill"))
}

#[test]
fn the_core_and_the_drill_alone_sign() {
    let bad: Vec<String> = sources().iter().filter_map(signs).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// A call that signs a transaction as the core does, outside the core and the drill.
fn signs(source: &Source) -> Option<String> {
    let allowed = [
        "core/",
        "drill/",
        "tests/",
        "contract/src/provenance",
        // Covers no transaction: see there.
        "contract/src/breaker/seal.rs",
    ];
    let allowed = allowed.iter().any(|folder| source.name.starts_with(folder));
    let code = source.product_code();
    let is_call = code.contains("TransactionEffects") && code.contains(".sign(");
    (is_call && !allowed).then(|| format!("{} signs as the core", source.name))
}

#[test]
fn the_whole_roof_is_the_composition_roots() {
    let bad: Vec<String> = sources().iter().filter_map(holds_the_roof).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// `SidecarContext` holds every part of the sidecar: parts are given what they need of it.
fn holds_the_roof(source: &Source) -> Option<String> {
    let roots = ["lib.rs", "main.rs", "context.rs", "shutdown.rs"];
    let code = source.product_code();
    let named = words(&code).any(|(_, word)| word == "SidecarContext");
    let is_root = source
        .in_crate()
        .is_some_and(|(_, path)| roots.contains(&path));
    (named && !is_root).then(|| format!("{} is given the whole sidecar", source.name))
}

#[test]
fn no_amount_passes_through_a_float() {
    // Files and folders that hold amounts.
    let with_money = [
        "contract/src/money.rs",
        "contract/src/event",
        "contract/src/order.rs",
        "contract/src/wire.rs",
        "contract/src/provenance",
        "core/src/accept/",
        "core/src/http/",
        "core/src/balance/",
        "core/src/intake",
        "core/src/intents/",
        "core/src/unit_of_work",
        "core/src/ledger/",
        "core/src/orders/",
        "core/src/outcome/",
        "core/src/saga/",
        "drill/src/checks/",
    ];
    let sources = sources();
    let holds_money = |s: &&Source| with_money.iter().any(|part| s.name.starts_with(part));
    let read: Vec<&Source> = sources.iter().filter(holds_money).collect();
    assert!(read.len() > 25, "only {} files were read", read.len());
    let bad: Vec<String> = read.into_iter().flat_map(floats).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

fn floats(source: &Source) -> Vec<String> {
    let code = source.text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| line.contains("f64") || line.contains("f32"))
        // A histogram observes times and counts.
        .filter(|line| !line.contains(".observe("))
        .map(|line| format!("{} has a float: {line}", source.name))
        .collect()
}

#[test]
fn ledger_rows_are_never_changed() {
    let bad: Vec<String> = sources().iter().filter_map(changes_entries).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

fn changes_entries(source: &Source) -> Option<String> {
    let forbidden = [".entry SET", "DELETE FROM {}.entry", "UPDATE {}.entry"];
    let is_product = source.name.starts_with("core/") || source.name.starts_with("sidecar/src");
    let found = forbidden.iter().find(|text| source.text.contains(**text))?;
    is_product.then(|| format!("{}: {found}", source.name))
}

#[test]
fn each_layer_can_be_broken() {
    let sample = |name: &str, text: &str| Source {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let sql = "fn a() { query(\"SELECT 1\") }";
    assert!(misplaced_sql(&sample("core/src/saga/driver.rs", sql)).is_some());
    assert!(misplaced_sql(&sample("core/src/orders/repo.rs", sql)).is_none());
    for (name, text) in [
        ("core/src/a.rs", "use sluice_sidecar::b;"),
        ("sidecar/src/a.rs", "use sluice_core::b;"),
        ("cli/src/a.rs", "use sluice_drill::b;"),
        ("core/src/a.rs", "use axum::http::StatusCode;"),
        ("sidecar/src/http/a.rs", "use rhai::Engine;"),
    ] {
        assert_eq!(reaches(&sample(name, text)).len(), 1, "{name} {text}");
    }
    assert!(
        reaches(&sample(
            "core/src/http/a.rs",
            "StatusCode // sluice_sidecar"
        ))
        .is_empty()
    );
    let signing = "TransactionEffects::new().sign(key)";
    assert!(signs(&sample("sidecar/src/a.rs", signing)).is_some());
    assert!(signs(&sample("drill/src/a.rs", signing)).is_none());
    assert!(depends_on_the_drill(
        "[dependencies]\nsluice-drill.workspace = true\n"
    ));
    assert!(holds_the_roof(&sample("sidecar/src/a.rs", "fn a(b: &SidecarContext) {}")).is_some());
    assert_eq!(
        floats(&sample("a.rs", "let a: f64;\nb.observe(c as f64);")).len(),
        1
    );
    let update = "\"UPDATE {}.entry SET amount = 0\"";
    assert!(changes_entries(&sample("core/src/ledger/repo.rs", update)).is_some());
}
