//! Sets of rule files: all or none, with one hash.

use crate::rules::load_tests::QUIET_BODY;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::tests::{BALANCE_TRIGGER, TestRuleFolder, rule};
use sluice_contract::settings::Secret;
use std::path::Path;

#[test]
fn all_bad_files_are_named_and_none_is_loaded() {
    let good = rule("good", BALANCE_TRIGGER, QUIET_BODY);
    let folder = TestRuleFolder::of(&[
        ("a.rhai", "fn"),
        ("b.rhai", "//! id = 1"),
        ("good.rhai", &good),
        ("notes.txt", "x"),
    ]);
    let errors = folder.load().unwrap_err();
    assert_eq!(
        errors
            .to_string()
            .lines()
            .filter(|l| l.contains(".rhai: "))
            .count(),
        2,
        "{errors}"
    );
    assert!(
        TestRuleFolder::of(&[])
            .load()
            .unwrap_err()
            .to_string()
            .contains("no rule file")
    );
    let nowhere = RuleSet::load(Path::new("/nowhere/rules"), Secret::new("k")).unwrap_err();
    assert!(
        nowhere
            .to_string()
            .contains("/nowhere/rules: can't be read"),
        "{nowhere}"
    );
}

#[test]
fn the_hash_covers_every_file() {
    let one = rule("one", BALANCE_TRIGGER, QUIET_BODY);
    let hash = |files: &[(&str, &str)]| TestRuleFolder::of(files).load().unwrap().hash().to_owned();
    let plain = hash(&[("one.rhai", &one)]);
    assert_eq!(plain.len(), 16);
    assert_eq!(plain, hash(&[("one.rhai", &one), (".one.rhai.swp", "x")]));
    assert_ne!(
        plain,
        hash(&[("one.rhai", &one), ("one.cases.toml", "case = []")])
    );
    assert_ne!(plain, hash(&[("one.rhai", &format!("{one}\n"))]));
}
