//! Memory of rules: bounded for all together, and full is said once.

use crate::rules::Evaluator;
use crate::rules::runtime::finding::FindingOutcome;
use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::memory_shares::memory_shares;
use crate::rules::tests::{
    TestRuleFolder, WINDOW_TRIGGER, at, deposit, key, payment, rule, run, shipped, text,
    transaction,
};
use crate::stream::change::SourceKind;
use std::sync::Arc;

/// A window over a day for each account.
fn a_day(max_bytes: usize, body: &str) -> Evaluator {
    let trigger = WINDOW_TRIGGER.replace("span_ms = 1000", "span_ms = 86400000");
    assert_ne!(trigger, WINDOW_TRIGGER);
    let text = rule(
        "r",
        &format!("{trigger}keep = \"amount\"\nfirst = true"),
        body,
    );
    let set = TestRuleFolder::of(&[("r.rhai", &text)]).load().unwrap();
    Evaluator::new(Arc::new(set.within(max_bytes)))
}

#[test]
fn the_shares_are_no_more_than_the_whole() {
    let set = RuleSet::load(&shipped(), key()).unwrap().within(1_000_000);
    let sum = |selection| memory_shares(&set, selection).iter().sum::<usize>();
    let (armed, shadow) = (sum(RuleSelection::Armed), sum(RuleSelection::Shadow));
    assert!(armed > 700_000 && armed <= 750_000, "{armed}");
    assert!(armed + shadow <= 1_000_000, "{armed} and {shadow}");
    let shares = memory_shares(&set, RuleSelection::Armed);
    let remembers = |rule: usize| set.rules[rule].header.trigger.kind().remembers_us() > 0;
    assert!((0..shares.len()).all(|rule| (shares[rule] > 0) == remembers(rule)));
}

#[test]
fn a_full_window_is_said_once_and_stays_within_its_share() {
    let mut evaluator = a_day(400_000, "fn check(row, earlier) {}");
    let mut said = 0;
    for n in 0..6_000_i64 {
        let account = format!("A-{n}");
        let found = run(
            &mut evaluator,
            &[
                transaction(&format!("0-1-{n}"), vec![deposit(&account, "P-1", "1")]),
                at(SourceKind::Binlog, 1_000 + n * 10),
            ],
        );
        said += found.len();
        assert!(
            found
                .iter()
                .all(|f| f.outcome == FindingOutcome::Undetermined)
        );
        assert!(found.iter().all(|f| f.message.contains("state.memory_mb")));
        let bytes = evaluator.memory_bytes()[0];
        assert!(bytes <= 300_000, "{bytes} of a share of 300,000");
    }
    assert_eq!(said, 1);
    // Whole again after a day: then it is said anew.
    run(&mut evaluator, &[at(SourceKind::Binlog, 200_000_000)]);
    let mut again = 0;
    for n in 0..6_000 {
        let account = format!("B-{n}");
        let one = transaction(&format!("0-2-{n}"), vec![deposit(&account, "P-1", "1")]);
        again += run(
            &mut evaluator,
            &[one, at(SourceKind::Binlog, 200_000_000 + i64::from(n))],
        )
        .len();
    }
    assert_eq!(again, 1);
}

/// Older rows go in groups of a thousandth of the span: later than at their time, never
/// earlier, and by no more than that.
#[test]
fn a_day_counts_a_row_for_a_thousandth_longer_at_most() {
    let body =
        "fn check(row, earlier) { violation(\"\", `${earlier.count} ${earlier.distinct}`, \"m\") }";
    let mut evaluator = a_day(1 << 30, body);
    let (mut kept, mut now) = (Vec::new(), 0_i64);
    let day = 86_400_000_i64;
    for n in 0..2_000 {
        now += if n % 2 == 0 { 1_000 } else { 170_000 };
        let amount = format!("{}.5", n % 300);
        let found = run(
            &mut evaluator,
            &[
                transaction(
                    &format!("0-1-{n}"),
                    vec![deposit("A", &format!("P-{n}"), &amount)],
                ),
                at(SourceKind::Binlog, now),
            ],
        );
        let said: Vec<usize> = found[0]
            .item
            .split(' ')
            .map(|n| n.parse().unwrap())
            .collect();
        // As of the watermark before this row.
        let before = kept.last().map_or(0, |(at, _)| *at);
        let within = |more: i64| {
            kept.iter()
                .filter(|(at, _)| at + day + more > before)
                .count()
        };
        // A group is a thousandth wide, and a row's watermark lies up to one step later.
        let most = within(day / 1_000 + 170_000);
        assert!(
            (within(0)..=most).contains(&said[0]),
            "row {n}: {} is not within {} and {most}",
            said[0],
            within(0)
        );
        kept.push((now, n % 300));
    }
    assert!(kept.len() > 1_000 && now > day, "the day has passed");
}

/// Halves of pairs are kept with the columns that rules name: a wide row of which one column
/// is compared takes as much as a narrow one.
#[test]
fn a_kept_half_has_the_columns_that_are_named_and_no_others() {
    let trigger = "on = \"pair\"\nleft = { event = \"deposit.received\", key = \"biz_no\" }\n\
        right = { table = \"entry\", op = \"insert\", key = \"ref\" }\nwithin_ms = 5000\nkeep_ms = 20000\nrequire = \"none\"";
    let body = |column: &str| {
        format!(
            "fn check(l, r) {{ if l.biz_no != \"\" {{ violation(r.account_id, `${{r.{column}}}`, \"m\") }} }}"
        )
    };
    let set = |column: &str| {
        let text = rule("p", trigger, &body(column));
        Arc::new(TestRuleFolder::of(&[("p.rhai", &text)]).load().unwrap())
    };
    let mut row = deposit("A-1", "P-1", "5");
    let column = row.table.column("posting_id").unwrap();
    let mut image = row.after.take().unwrap().into_vec();
    image[column] = text(&"x".repeat(10_000));
    row.after = Some(image.into());
    let mut evaluator = Evaluator::new(set("amount"));
    run(&mut evaluator, &[transaction("0-1-1", vec![row])]);
    let mut written = Vec::new();
    evaluator.freeze().write(&mut written).unwrap();
    let state = String::from_utf8_lossy(&written);
    assert!(
        state.contains("amount") && !state.contains("xxxx"),
        "the long column is kept"
    );
    let found = run(&mut evaluator, &[payment("e1", 1, "A-1", "P-1", "5")]);
    assert_eq!(found[0].item, "5");
    // A version that names another column begins anew: its half does not have it.
    run(
        &mut evaluator,
        &[transaction("0-1-2", vec![deposit("A-2", "P-2", "5")])],
    );
    evaluator.swap(set("kind"));
    assert!(run(&mut evaluator, &[payment("e2", 2, "A-2", "P-2", "5")]).is_empty());
    assert!(evaluator.errors().is_empty());
}

/// Full before the first watermark, and after it: one saying until the window is whole.
#[test]
fn full_before_the_first_watermark_is_said_once() {
    let mut evaluator = a_day(40_000, "fn check(row, earlier) {}");
    let mut said = 0;
    for beat in 0..5_i64 {
        for n in 0..600 {
            let account = format!("A-{beat}-{n}");
            let row = transaction(
                &format!("0-1-{}", beat * 600 + n),
                vec![deposit(&account, "P-1", "1")],
            );
            said += run(&mut evaluator, &[row]).len();
        }
        run(&mut evaluator, &[at(SourceKind::Binlog, 1_000 + beat * 10)]);
    }
    assert_eq!(said, 1);
}
