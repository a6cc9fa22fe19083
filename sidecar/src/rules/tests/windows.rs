//! Windows: exact however much they hold, and rebuilt after a restart.

use crate::rules::Evaluator;
use crate::rules::tests::{TestRuleFolder, WINDOW_TRIGGER, at, deposit, rule, run, transaction};
use crate::stream::change::SourceKind;

#[test]
fn a_window_is_exact_however_much_it_holds() {
    let body = "fn check(row, earlier) { violation(\"\", `${earlier.count} ${earlier.sum} ${earlier.distinct} \
        ${earlier.seen(row.after.amount)} ${earlier.values.len}`, \"m\") }";
    let text = rule(
        "r",
        &format!("{WINDOW_TRIGGER}keep = \"amount\"\nfirst = true"),
        body,
    );
    let mut evaluator = TestRuleFolder::of(&[("r.rhai", &text)]).evaluator();
    let mut kept: Vec<(i64, u32)> = Vec::new();
    let mut now = 0;
    for n in 0..600_u32 {
        // Bursts and pauses, so that the key grows past what is shown, and shrinks again.
        now += if n % 200 < 150 { 2 } else { 30 };
        let amount = n * 7 % 41;
        let found = run(
            &mut evaluator,
            &[
                transaction(
                    &format!("0-1-{n}"),
                    vec![deposit("A", &format!("P-{n}"), &format!("{amount}.50"))],
                ),
                at(SourceKind::Binlog, now),
            ],
        );
        let mut distinct: Vec<u32> = kept.iter().map(|(_, a)| *a).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let cents: u32 = kept.iter().map(|(_, a)| a * 100 + 50).sum();
        let sum = rust_decimal::Decimal::new(i64::from(cents), 2);
        let wanted = [
            kept.len().to_string(),
            sum.normalize().to_string(),
            distinct.len().to_string(),
            distinct.contains(&amount).to_string(),
            kept.len().min(64).to_string(),
        ];
        let mut said: Vec<String> = found[0].item.split(' ').map(str::to_owned).collect();
        said[1] = said[1]
            .parse::<rust_decimal::Decimal>()
            .unwrap()
            .normalize()
            .to_string();
        assert_eq!(said, wanted, "row {n}");
        kept.push((now, amount));
        kept.retain(|(at, _)| at + 1_000 > now);
    }
}

#[test]
fn a_window_of_texts_has_no_sum() {
    let body = "fn check(row, earlier) { if earlier.sum > 1 {} }";
    let text = rule("r", &format!("{WINDOW_TRIGGER}keep = \"ref\""), body);
    let errors = TestRuleFolder::of(&[("r.rhai", &text)])
        .load()
        .unwrap_err()
        .to_string();
    assert!(
        errors.contains("keeps ref, a text: it has no sum"),
        "{errors}"
    );
}

#[test]
fn what_a_window_needs_to_be_rebuilt() {
    let window = "on = \"window\"\ntable = \"entry\"\nops = [\"insert\"]\nkey = [\"ref\"]\nspan_ms = 1000\nkeep = \"posting_id\"";
    let mut evaluator: Evaluator =
        TestRuleFolder::of(&[("r.rhai", &rule("r", window, "fn check(row, earlier) {}"))])
            .evaluator();
    let needs = |e: &Evaluator| e.needs_from(SourceKind::Binlog).map(|p| p.to_string());
    assert_eq!(needs(&evaluator), None);
    run(
        &mut evaluator,
        &[
            transaction("0-1-1", vec![deposit("A", "P-1", "1")]),
            at(SourceKind::Binlog, 10),
        ],
    );
    run(
        &mut evaluator,
        &[
            transaction("0-1-2", vec![deposit("A", "P-2", "1")]),
            at(SourceKind::Binlog, 500),
        ],
    );
    assert_eq!(needs(&evaluator).as_deref(), Some("0-1-1"));
    run(&mut evaluator, &[at(SourceKind::Binlog, 1_010)]);
    assert_eq!(needs(&evaluator).as_deref(), Some("0-1-2"));
    run(&mut evaluator, &[at(SourceKind::Binlog, 1_500)]);
    assert_eq!(needs(&evaluator), None);
    assert_eq!(evaluator.needs_from(SourceKind::Kafka), None);
}
