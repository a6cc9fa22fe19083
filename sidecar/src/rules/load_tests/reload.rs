//! Reloads: memories are kept by rules that are still the same.

use crate::rules::load_tests::QUIET_BODY;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::tests::{
    BALANCE_TRIGGER, TestRuleFolder, at, deposit, key, rule, run, transaction, violations,
};
use crate::rules::{Evaluator, RuleFile, RuleFiles};
use crate::stream::change::SourceKind;
use std::sync::Arc;

#[test]
fn a_reload_keeps_what_an_unchanged_rule_remembers() {
    let window = "on = \"window\"\ntable = \"entry\"\nops = [\"insert\"]\nkey = [\"ref\"]\nspan_ms = 1000\nkeep = \"posting_id\"";
    let body =
        "fn check(row, earlier) { violation(row.after.account_id, `${earlier.count}`, \"m\") }";
    let first = TestRuleFolder::of(&[("r.rhai", &rule("r", window, body))]);
    let mut evaluator = first.evaluator();
    let entry = |position: &str| transaction(position, vec![deposit("A-1", "P-1", "1")]);
    assert!(run(&mut evaluator, &[entry("0-1-1"), at(SourceKind::Binlog, 1)]).is_empty());
    let reworded = rule("r", window, &format!("{body} // better"));
    let added = rule("a", BALANCE_TRIGGER, QUIET_BODY);
    evaluator.swap(Arc::new(
        TestRuleFolder::of(&[("a.rhai", &added), ("r.rhai", &reworded)])
            .load()
            .unwrap(),
    ));
    assert_eq!(
        violations(&run(&mut evaluator, &[entry("0-1-2")])),
        ["r A-1 1"]
    );
    let longer = rule("r", &window.replace("1000", "2000"), body);
    evaluator.swap(Arc::new(
        TestRuleFolder::of(&[("r.rhai", &longer)]).load().unwrap(),
    ));
    assert!(
        violations(&run(&mut evaluator, &[entry("0-1-3")])).is_empty(),
        "another span begins anew"
    );
}

#[test]
fn a_candidate_takes_no_memory_from_the_armed_version() {
    let window = "on = \"window\"\ntable = \"entry\"\nops = [\"insert\"]\nkey = [\"ref\"]\nspan_ms = 1000\nkeep = \"posting_id\"";
    let body =
        "fn check(row, earlier) { violation(row.after.account_id, `${earlier.count}`, \"m\") }";
    let file = |text: String, candidate: bool| RuleFile {
        id: "r".to_owned(),
        text,
        cases: String::new(),
        mode: None,
        candidate,
    };
    let armed = file(rule("r", window, body), false);
    let next = file(rule("r", window, &format!("{body} // next")), true);
    let set = |rules: Vec<RuleFile>| {
        let files = RuleFiles {
            rules,
            ..RuleFiles::default()
        };
        Arc::new(RuleSet::build(&files, key()).unwrap())
    };
    let entry = |position: &str| transaction(position, vec![deposit("A-1", "P-1", "1")]);
    for both in [
        vec![armed.clone(), next.clone()],
        vec![next.clone(), armed.clone()],
    ] {
        let mut evaluator = Evaluator::new(set(vec![armed.clone()]));
        run(&mut evaluator, &[entry("0-1-1")]);
        evaluator.swap(set(both));
        assert_eq!(
            violations(&run(&mut evaluator, &[entry("0-1-2")])),
            ["r A-1 1"],
            "the armed one remembers"
        );
        let mut said = violations(&run(&mut evaluator, &[entry("0-1-3")]));
        said.sort();
        assert_eq!(
            said,
            ["r A-1 1", "r A-1 2"],
            "and the candidate has begun to"
        );
        // Armed, the candidate goes on with what it has seen itself.
        let promoted = RuleFile {
            candidate: false,
            ..next.clone()
        };
        evaluator.swap(set(vec![promoted]));
        assert_eq!(
            violations(&run(&mut evaluator, &[entry("0-1-4")])),
            ["r A-1 2"]
        );
    }
}
