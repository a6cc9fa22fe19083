//! Steps of a rule, up and down.

use crate::rules::RuleMode::{self, Alert, Draft, Shadow, Trip};
use crate::rules::{RuleHeader, parse_header};
use crate::workflow::folder_import::first;
use crate::workflow::promotion_rules::{self, PromotionEvidence, RuleActivity};
use crate::workflow::tests::{NOW_US, folder, rule, shown};
use crate::workflow::trials::{RuleTrial, TrialGapCause};
use crate::workflow::{RuleSetMember, RuleSetVersion};

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

/// Id, mode, whether it is a candidate.
type TestMember = (&'static str, RuleMode, bool);

/// Members, the step's mode, and the set that it makes.
type GoodStep = (&'static [TestMember], RuleMode, &'static [&'static str]);
const GOOD_STEPS: [GoodStep; 5] = [
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

/// Members, the step's mode, and a part of the only reason against it.
type BadStep = (&'static [TestMember], RuleMode, &'static str);
const BAD_STEPS: [BadStep; 6] = [
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

fn promote(
    set: &RuleSetVersion,
    to: RuleMode,
    seen: RuleActivity,
    untested: &[String],
    hash: Option<&str>,
) -> Result<Vec<String>, Vec<String>> {
    let header = header();
    let known = PromotionEvidence {
        header: &header,
        seen,
        untested,
        trial: None,
        soak_us: 0,
    };
    let subject = promotion_rules::subject(set, "a").unwrap();
    let own = subject.text.rule_hash.clone();
    promotion_rules::promote(set, "a", hash.unwrap_or(&own), to, &known, NOW_US)
        .map(|set| shown(&set))
}

#[test]
fn a_step_is_refused_for_each_reason_and_names_all() {
    let none = RuleActivity::default();
    for (members, to, wanted) in GOOD_STEPS {
        assert_eq!(
            promote(&set_of(members), to, none, &[], None).unwrap(),
            wanted
        );
    }
    for (members, to, part) in BAD_STEPS {
        let reasons = promote(&set_of(members), to, none, &[], None).unwrap_err();
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
    let reasons = promote(
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

/// Reasons against taking rule `a` from shadow to `to`, by its trial.
fn soaked(to: RuleMode, trial: Option<&RuleTrial>, soak_us: i64) -> Vec<String> {
    let (header, set) = (header(), set_of(&[("a", Shadow, false)]));
    let known = PromotionEvidence {
        header: &header,
        seen: RuleActivity::default(),
        untested: &[],
        trial,
        soak_us,
    };
    let hash = &promotion_rules::subject(&set, "a").unwrap().text.rule_hash;
    let promoted = promotion_rules::promote(&set, "a", hash, to, &known, NOW_US);
    promoted.err().unwrap_or_default()
}

#[test]
fn time_that_shadow_missed_is_no_soak() {
    const MINUTE_US: i64 = 60_000_000;
    let mut trial = RuleTrial::begins("a", "h", NOW_US - 90 * MINUTE_US);
    trial.evaluated(NOW_US - 80 * MINUTE_US);
    assert!(soaked(Alert, Some(&trial), 10 * MINUTE_US).is_empty());
    let short = soaked(Alert, Some(&trial), 11 * MINUTE_US);
    assert!(short[0].contains("for 10 of the 11 minute(s)"), "{short:?}");
    assert!(soaked(Alert, None, 1)[0].contains("for 0 of"), "never seen");
    // A gap of an hour ago, of a restart, and of a rule that sleeps now.
    trial.misses(NOW_US - 80 * MINUTE_US, TrialGapCause::OverBudget);
    trial.evaluated(NOW_US - 60 * MINUTE_US);
    assert!(soaked(Alert, Some(&trial), 0).is_empty());
    trial.misses(NOW_US - 9 * MINUTE_US, TrialGapCause::NotRunning);
    trial.evaluated(NOW_US - 8 * MINUTE_US);
    assert!(soaked(Alert, Some(&trial), 0).is_empty());
    trial.misses(NOW_US - MINUTE_US, TrialGapCause::QueueFull);
    let gap = soaked(Alert, Some(&trial), 0);
    assert!(gap[0].contains("a gap within the last hour"), "{gap:?}");
}
