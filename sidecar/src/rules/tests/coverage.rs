//! Coverage of rules by their cases, and the examples of the guide.

use crate::rules::testing::coverage;
use crate::rules::tests::{BALANCE_TRIGGER, rule, shipped};
use crate::rules::text::tables::CATALOG_TABLES;
use crate::rules::views::event_view::EVENT_FIELDS;
use crate::rules::{RuleFiles, run_cases_of};

#[test]
fn coverage_names_what_no_case_has_seen() {
    let body = "fn check(row) {\n if row.after.available > 5 && row.after.balance > 5 { return; }\n \
        if helper(row.after.available) { violation(row.after.account_id, \"i\", \"m\") }\n}\nfn helper(x) { x == 1 }\n\
        fn unused() {}";
    let case = |available: &str, more: &str| {
        format!(
            "[[case]]\nname = \"{available}\"\n[[case.step]]\ntransaction = \"\"\nrow = [{{ table = \"balance\", \
             op = \"insert\", after = {{ account_id = \"A\", balance = \"9\", available = \"{available}\" }} }}]\n{more}"
        )
    };
    let cases = case("1", "[[case.expect]]\naccount = \"A\"\n") + &case("9", "");
    let files = RuleFiles::of(vec![
        ("r.rhai".to_owned(), rule("r", BALANCE_TRIGGER, body)),
        ("r.cases.toml".to_owned(), cases.clone()),
    ]);
    let found = coverage::of(&files.rules[0], &files.lib);
    let missing: Vec<String> = found.missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        [
            "line 14: `row.after.balance > 5` was never false",
            "line 15: `helper(row.after.available)` was never false",
            "line 18: `fn unused` was never entered",
        ]
    );
    assert_eq!((found.branches, found.percent()), (11, 72));
    let broken = RuleFiles::of(vec![("r.rhai".to_owned(), "fn".to_owned())]);
    assert_eq!(coverage::of(&broken.rules[0], &[]).missing.len(), 1);
}

#[test]
fn the_cases_of_shipped_rules_see_every_branch() {
    let measured = coverage::measure(&RuleFiles::read(&shipped()).unwrap()).unwrap();
    let missing = measured
        .iter()
        .flat_map(|(file, c)| c.missing.iter().map(move |m| format!("{file} {m}")));
    let missing: Vec<String> = missing.collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(measured.len() > 15 && measured.contains_key("lib/amounts.rhai"));
}

#[test]
fn the_guides_examples_are_executed() {
    let dir = shipped().join("../docs/rules");
    let files = RuleFiles::read(&dir).unwrap();
    assert_eq!(files.rules.len(), 10);
    let failed: Vec<_> = run_cases_of(&files)
        .unwrap()
        .into_iter()
        .filter(|r| !r.passed)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let measured = coverage::measure(&files).unwrap();
    let missing: Vec<_> = measured.iter().filter(|(_, c)| c.percent() < 100).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    let guide = std::fs::read_to_string(dir.join("../RULES.md")).unwrap();
    for rule in &files.rules {
        assert!(
            guide.contains(&format!("rules/{}.rhai", rule.id)),
            "docs/RULES.md does not name {}",
            rule.id
        );
    }
    // What the guide promises of names is what there is.
    for known in CATALOG_TABLES.iter().map(|t| t.name).chain(EVENT_FIELDS) {
        assert!(
            guide.contains(&format!("`{known}`")),
            "docs/RULES.md does not name `{known}`"
        );
    }
}
