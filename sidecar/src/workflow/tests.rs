//! Edits and steps, without a database.

use crate::rules::{RuleFiles, RuleHeader, RuleMode, parse_header};
use crate::workflow::folder_import::{RuleFolder, first, import};
use crate::workflow::promotion_rules::{self, PromotionEvidence, RuleActivity};
use crate::workflow::{RuleSetMember, RuleSetVersion};
use std::collections::{BTreeMap, BTreeSet};

const NOW_US: i64 = 1_000;

fn rule(id: &str, mode: &str, turn: u32) -> String {
    format!(
        "//! id = \"{id}\"\n//! guards = \"g\"\n//! kind = \"duplicate\"\n//! severity = \"minor\"\n//! mode = \"{mode}\"\n\
         //! breaker = \"cash_out/account\"\n//! owner = \"o\"\n//! runbook = \"r\"\n//! rate_per_hour = 3\n\
         //! [trigger]\n//! on = \"row\"\n//! table = \"balance\"\n//! ops = [\"insert\"]\n// {turn}\nfn check(row) {{}}\n"
    )
}

fn folder(files: &[(&str, &str, u32)]) -> RuleFolder {
    let texts = files
        .iter()
        .map(|(id, mode, turn)| (format!("{id}.rhai"), rule(id, mode, *turn)));
    let modes = files
        .iter()
        .map(|(id, mode, _)| ((*id).to_owned(), crate::workflow::mode_of(mode).unwrap()));
    RuleFolder::new(RuleFiles::of(texts.collect()), modes.collect())
}

/// `rule mode`, with a star for a candidate.
fn shown(set: &RuleSetVersion) -> Vec<String> {
    let show = |m: &RuleSetMember| {
        format!(
            "{}{} {}",
            m.rule,
            if m.candidate { "*" } else { "" },
            m.mode.as_str()
        )
    };
    set.members.iter().map(show).collect()
}

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

fn header() -> RuleHeader {
    parse_header("a", &rule("a", "draft", 1)).unwrap()
}

fn set_of(members: &[(&str, RuleMode, bool)]) -> RuleSetVersion {
    let of = |(id, mode, candidate): &(&str, RuleMode, bool)| RuleSetMember {
        mode: *mode,
        candidate: *candidate,
        ..first(&folder(&[(id, "shadow", u32::from(*candidate))]), NOW_US)
            .members
            .remove(0)
    };
    RuleSetVersion::new(7, members.iter().map(of).collect())
}

#[test]
fn a_step_is_refused_for_each_reason_and_names_all() {
    let header = header();
    let try_it = |set: &RuleSetVersion,
                  to: RuleMode,
                  seen: RuleActivity,
                  untested: &[String],
                  hash: Option<&str>| {
        let known = PromotionEvidence {
            header: &header,
            seen,
            untested,
        };
        let own = promotion_rules::subject(set, "a")
            .unwrap()
            .text
            .rule_hash
            .clone();
        promotion_rules::promote(set, "a", hash.unwrap_or(&own), to, &known, NOW_US)
            .map(|set| shown(&set))
    };
    let none = RuleActivity::default();
    use crate::rules::RuleMode::{Alert, Draft, Shadow, Trip};
    type Good<'a> = (&'a [(&'a str, RuleMode, bool)], RuleMode, &'a [&'a str]);
    let good: [Good<'_>; 5] = [
        (&[("a", Draft, false)], Shadow, &["a shadow"]),
        (&[("a", Shadow, false)], Alert, &["a alert"]),
        (&[("a", Alert, false)], Trip, &["a trip"]),
        // A candidate takes the place of what was armed.
        (
            &[("a", Trip, false), ("a", Shadow, true)],
            Trip,
            &["a trip"],
        ),
        (
            &[("a", Alert, false), ("a", Shadow, true)],
            Alert,
            &["a alert"],
        ),
    ];
    for (members, to, wanted) in good {
        assert_eq!(
            try_it(&set_of(members), to, none, &[], None).unwrap(),
            wanted
        );
    }
    type Bad<'a> = (&'a [(&'a str, RuleMode, bool)], RuleMode, &'a str);
    let bad: [Bad<'_>; 6] = [
        (&[("a", Draft, false)], Alert, "next step is shadow"),
        (&[("a", Shadow, false)], Trip, "next step is alert"),
        (&[("a", Alert, false)], Shadow, "by demote"),
        (&[("a", Trip, false)], Trip, "in trip already"),
        (
            &[("a", Trip, false), ("a", Shadow, true)],
            Alert,
            "demote that one first",
        ),
        (
            &[("a", Alert, false), ("a", Shadow, true)],
            Trip,
            "next step is alert",
        ),
    ];
    for (members, to, part) in bad {
        let reasons = try_it(&set_of(members), to, none, &[], None).unwrap_err();
        assert!(
            reasons.len() == 1 && reasons[0].contains(part),
            "{reasons:?} for {part}"
        );
    }
    let set = set_of(&[("a", Shadow, false)]);
    let seen = RuleActivity {
        findings: 4,
        errors: 1,
    };
    let reasons = try_it(
        &set,
        Alert,
        seen,
        &["case \"x\": fails".to_owned()],
        Some("0"),
    )
    .unwrap_err();
    for part in [
        "somebody edited",
        "case \"x\"",
        "failed to evaluate 1",
        "found 4",
        "rate_per_hour of 3",
    ] {
        assert!(
            reasons.iter().any(|r| r.contains(part)),
            "{part} is not in {reasons:?}"
        );
    }
}

#[test]
fn what_is_taken_back_begins_its_budget_anew() {
    let old = set_of(&[("a", RuleMode::Trip, false), ("b", RuleMode::Trip, false)]);
    let mut now = set_of(&[("a", RuleMode::Alert, false), ("b", RuleMode::Trip, false)]);
    now.version = 7;
    let since = |set: &RuleSetVersion| set.members.iter().map(|m| m.since_us).collect::<Vec<_>>();
    let before = since(&old);
    let back = promotion_rules::taken_back(old, &now, 99);
    // What `a` was disarmed for is not held against it again; `b` never changed.
    assert_eq!((back.version, since(&back)), (8, vec![99, before[1]]));
    assert_eq!(shown(&back), ["a trip", "b trip"]);
}

#[test]
fn down_is_one_step_and_a_candidate_stays() {
    let set = set_of(&[
        ("a", RuleMode::Trip, false),
        ("a", RuleMode::Shadow, true),
        ("b", RuleMode::Alert, false),
    ]);
    assert_eq!(
        shown(&promotion_rules::demote(&set, "a", RuleMode::Alert, NOW_US).unwrap()),
        ["a alert", "a* shadow", "b alert"]
    );
    assert!(
        promotion_rules::demote(&set, "b", RuleMode::Alert, NOW_US).is_err()
            && promotion_rules::demote(&set, "c", RuleMode::Draft, NOW_US).is_err()
    );
    let disarmed = promotion_rules::disarm(&set, &["a", "b"], NOW_US);
    assert_eq!(shown(&disarmed), ["a alert", "a* shadow", "b alert"]);
    assert!(disarmed.main("a").unwrap().demoted && !disarmed.main("b").unwrap().demoted);
    // A person takes note: it stays where it is, without the mark.
    assert!(
        !promotion_rules::demote(&disarmed, "a", RuleMode::Alert, NOW_US)
            .unwrap()
            .main("a")
            .unwrap()
            .demoted
    );
    assert_eq!(
        shown(&promotion_rules::retire(&set, "a").unwrap()),
        ["b alert"]
    );
    assert!(promotion_rules::retire(&set_of(&[("a", RuleMode::Trip, false)]), "a").is_err());
}
