//! The library: shared by all rules, hashed, and checked.

use crate::rules::runtime::finding::FindingOutcome;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::tests::{BALANCE_TRIGGER, balance, key, rule, run, transaction};
use crate::rules::{Evaluator, RuleFiles};

const LIBRARY: &str = "// shared\nfn twice(x) { one(x) + one(x) }\nprivate fn one(x) { x }\n";

/// Files of a library, the wrong one of them, and part of the error.
const WRONG_LIBRARIES: &[(&[(&str, &str)], &str, &str)] = &[
    (
        &[("x", LIBRARY), ("y", "fn twice(a) { a }")],
        "lib/y.rhai",
        "as lib/x.rhai does",
    ),
    (
        &[("x", "let a = 1; fn twice(x) { x }")],
        "lib/x.rhai",
        "line 1: `let` stands outside",
    ),
    (
        &[("x", "fn check(row) {}")],
        "lib/x.rhai",
        "only a rule has",
    ),
    (
        &[("x", "fn violation(a, b, c) {}")],
        "lib/x.rhai",
        "given already",
    ),
    (
        &[("x", "fn twice(x) { param(\"a\") }")],
        "lib/x.rhai",
        "hand them over",
    ),
    (
        &[("x", "fn twice(x { }")],
        "lib/x.rhai",
        "can't be compiled",
    ),
];

#[test]
fn a_library_is_shared_hashed_and_checked() {
    let uses = rule(
        "r",
        BALANCE_TRIGGER,
        "fn check(row) { if twice(row.after.available) > 5 { violation(\"\", \"\", \"\") } }",
    );
    let lib = LIBRARY;
    let files = |lib: &[(&str, &str)]| {
        let mut texts: Vec<(String, String)> = lib
            .iter()
            .map(|(n, t)| (format!("lib/{n}.rhai"), (*t).to_owned()))
            .collect();
        texts.push(("r.rhai".to_owned(), uses.clone()));
        RuleFiles::of(texts)
    };
    let load = |lib: &[(&str, &str)]| RuleSet::build(&files(lib), key());
    let set = load(&[("x", lib)]).unwrap();
    let (hash, whole) = (set.rules[0].hash.clone(), set.hash().to_owned());
    let found = run(
        &mut Evaluator::new(set.into()),
        &[transaction("0-1-1", vec![balance("A", "3", "3")])],
    );
    assert_eq!(
        (found.len(), found[0].outcome, &found[0].rule_hash),
        (1, FindingOutcome::Violation, &hash)
    );
    let other = load(&[("x", &format!("{lib} "))]).unwrap();
    assert!(other.rules[0].hash != hash && other.hash() != whole);
    for (lib, file, part) in WRONG_LIBRARIES {
        let errors = load(lib).unwrap_err();
        assert!(errors.0.len() == 1 && errors.0[0].file == *file, "{errors}");
        assert!(errors.to_string().contains(part), "{errors}");
    }
    let hides = RuleFiles::of(vec![
        ("lib/x.rhai".to_owned(), lib.to_owned()),
        ("r.rhai".to_owned(), format!("{uses}fn twice(a) {{ a }}")),
    ]);
    assert!(
        RuleSet::build(&hides, key())
            .unwrap_err()
            .to_string()
            .contains("as lib/x.rhai does")
    );
}
