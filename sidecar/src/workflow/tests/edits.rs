//! Edits of the folder.

use crate::rules::{RuleFiles, RuleMode};
use crate::workflow::RuleSetVersion;
use crate::workflow::folder_import::{RuleFolder, first, import};
use crate::workflow::tests::{NOW_US, folder, rule, shown};
use std::collections::{BTreeMap, BTreeSet};

fn take(
    set: &RuleSetVersion,
    now: &RuleFolder,
    last: &BTreeMap<String, String>,
    had: &[&str],
) -> Option<Vec<String>> {
    let had: BTreeSet<String> = had.iter().map(|r| (*r).to_owned()).collect();
    import(set, now, last, &had, NOW_US)
        .set
        .map(|set| shown(&set))
}

#[test]
fn an_edit_runs_beside_what_is_armed_and_only_an_edit_counts() {
    let before = folder(&[("a", "trip", 1), ("b", "shadow", 1)]);
    let (set, last) = (first(&before, NOW_US), before.hashes());
    assert_eq!(shown(&set), ["a trip", "b shadow"]);
    let next = |files: &[(&str, &str, u32)]| take(&set, &folder(files), &last, &["a", "b"]);
    assert_eq!(next(&[("a", "trip", 1), ("b", "shadow", 1)]), None);
    type Case<'a> = (&'a [(&'a str, &'a str, u32)], &'a [&'a str]);
    let cases: [Case<'_>; 6] = [
        // Armed: beside it. Not armed: in its place. New: in shadow, whatever it says.
        (
            &[("a", "trip", 2), ("b", "shadow", 1)],
            &["a trip", "a* shadow", "b shadow"],
        ),
        (
            &[("a", "trip", 1), ("b", "trip", 2)],
            &["a trip", "b shadow"],
        ),
        (
            &[("a", "trip", 1), ("b", "draft", 2)],
            &["a trip", "b draft"],
        ),
        (
            &[("a", "trip", 1), ("b", "shadow", 1), ("c", "trip", 1)],
            &["a trip", "b shadow", "c shadow"],
        ),
        (
            &[("a", "trip", 1), ("b", "shadow", 1), ("c", "draft", 1)],
            &["a trip", "b shadow", "c draft"],
        ),
        // Deleted: out, unless it is armed.
        (&[("a", "trip", 1)], &["a trip"]),
    ];
    for (files, wanted) in cases {
        assert_eq!(
            next(files).as_deref(),
            Some(
                wanted
                    .iter()
                    .map(|w| (*w).to_owned())
                    .collect::<Vec<_>>()
                    .as_slice()
            )
        );
    }
    let done = import(
        &set,
        &folder(&[("b", "shadow", 1)]),
        &last,
        &["a".to_owned(), "b".to_owned()].into(),
        NOW_US,
    );
    assert_eq!((done.set, done.orphans), (None, vec!["a".to_owned()]));
    // Another sidecar's folder, which never had it.
    assert_eq!(take(&set, &folder(&[("a", "trip", 1)]), &last, &[]), None);
}

#[test]
fn an_edit_that_is_taken_back_takes_its_candidate_along() {
    let before = folder(&[("a", "alert", 1)]);
    let set = first(&before, NOW_US);
    let edited = folder(&[("a", "alert", 2)]);
    let with = import(&set, &edited, &before.hashes(), &BTreeSet::new(), NOW_US)
        .set
        .unwrap();
    assert_eq!(shown(&with), ["a alert", "a* shadow"]);
    assert_eq!(
        take(&with, &before, &edited.hashes(), &["a"]),
        Some(vec!["a alert".to_owned()])
    );
    let again = folder(&[("a", "alert", 3)]);
    let third = import(&with, &again, &edited.hashes(), &BTreeSet::new(), NOW_US)
        .set
        .unwrap();
    assert_eq!(third.candidate("a").unwrap().text, again.texts["a"]);
    // A person took the edit back: the folder still holds it, and it stays out.
    assert_eq!(take(&set, &edited, &edited.hashes(), &["a"]), None);
}

#[test]
fn cases_alone_disarm_nothing() {
    let before = folder(&[("a", "trip", 1)]);
    let set = first(&before, NOW_US);
    let texts = vec![
        ("a.rhai".to_owned(), rule("a", "trip", 1)),
        ("a.cases.toml".to_owned(), "# more".to_owned()),
    ];
    let more = RuleFolder::new(RuleFiles::of(texts), before.modes.clone());
    let next = import(&set, &more, &before.hashes(), &BTreeSet::new(), NOW_US)
        .set
        .unwrap();
    assert_eq!(
        (shown(&next), next.members[0].text.cases.as_str()),
        (vec!["a trip".to_owned()], "# more")
    );
}

#[test]
fn an_edit_of_the_library_leaves_what_is_armed_as_it_is() {
    let with = |function: &str| {
        let calls =
            rule("a", "trip", 1).replace("fn check(row) {}", "fn check(row) { helps(row) }");
        let texts = [
            ("a.rhai", calls),
            ("b.rhai", rule("b", "trip", 1)),
            ("lib/help.rhai", function.to_owned()),
        ];
        let modes = ["a", "b"]
            .map(|id| (id.to_owned(), RuleMode::Trip))
            .into_iter()
            .collect();
        RuleFolder::new(
            RuleFiles::of(texts.map(|(name, text)| (name.to_owned(), text)).to_vec()),
            modes,
        )
    };
    let before = with("fn helps(row) { () }");
    let set = first(&before, NOW_US);
    let next = import(
        &set,
        &with("fn helps(row) { 1 }"),
        &before.hashes(),
        &BTreeSet::new(),
        NOW_US,
    )
    .set
    .unwrap();
    assert_eq!(shown(&next), ["a trip", "a* shadow", "b trip"]);
    assert_eq!(next.main("a"), set.main("a"));
    assert!(next.candidate("a").unwrap().text.body.contains("{ 1 }"));
}
