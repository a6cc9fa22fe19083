//! Every rule of `tests/hostile/` is refused when it is loaded or stopped and named
//! when it runs, within 16 MiB; the healthy rule beside it goes on, and the engine
//! stays usable. `sluice-drill bench rules` measures how long each takes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use peak_alloc::PeakAlloc;
use rust_decimal::Decimal;
use sluice_contract::settings::Secret;
use sluice_sidecar::rules::runtime::finding::{Finding, FindingOutcome};
use sluice_sidecar::rules::runtime::rule_set::RuleSet;
use sluice_sidecar::rules::{Evaluator, RuleFiles};
use sluice_sidecar::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, RowChange, RuleInput, TableSchema,
};
use std::path::Path;
use std::sync::Arc;

#[global_allocator]
static COUNTING_ALLOCATOR: PeakAlloc = PeakAlloc;

/// Bytes that a hostile rule may cost beyond what was there.
const MAX_ALLOCATED_BYTES: usize = 16 << 20;

const HEALTHY_RULE: &str = r#"//! id = "healthy"
//! guards = "A balance is available."
//! kind = "internal_logic"
//! severity = "minor"
//! mode = "trip"
//! breaker = "cash_out/account"
//! owner = "us"
//! runbook = "None."
//! [trigger]
//! on = "row"
//! table = "balance"
//! ops = ["insert"]
fn check(row) { if row.after.balance != row.after.available { violation(row.after.account_id, "b", "differs") } }
"#;

fn input(position: &str) -> RuleInput {
    let columns = ["account_id", "currency", "balance", "available", "reserved"]
        .map(str::to_owned)
        .to_vec();
    let table = Arc::new(TableSchema::new("balance", columns));
    let row = |account: &str| {
        let values = [
            ColumnValue::Text(account.into()),
            ColumnValue::Text("CNY".into()),
            ColumnValue::Dec(Decimal::from(2)),
            ColumnValue::Dec(Decimal::from(1)),
            ColumnValue::Null,
        ];
        Arc::new(RowChange {
            table: Arc::clone(&table),
            op: ChangeOp::Insert,
            before: None,
            after: Some(values.into()),
        })
    };
    let changes = ["A-1", "A-2", "A-3"].map(row).to_vec();
    RuleInput::Transaction(Arc::new(ChangeTransaction {
        position: position.into(),
        changes,
    }))
}

fn healthy(found: &[Finding]) -> usize {
    found
        .iter()
        .filter(|f| f.rule.id == "healthy" && f.outcome == FindingOutcome::Violation)
        .count()
}

/// Returns what was said about the rule, and the most bytes that it cost.
fn try_out(name: &str, text: &str) -> (String, usize) {
    let files = RuleFiles::of(vec![
        (format!("{name}.rhai"), text.to_owned()),
        ("healthy.rhai".to_owned(), HEALTHY_RULE.to_owned()),
    ]);
    COUNTING_ALLOCATOR.reset_peak_usage();
    let before = COUNTING_ALLOCATOR.current_usage();
    let cost = || COUNTING_ALLOCATOR.peak_usage().saturating_sub(before);
    let set = match RuleSet::build(&files, Secret::new("k")) {
        Ok(set) => set,
        Err(errors) => {
            assert!(
                errors.0.iter().all(|e| e.file == format!("{name}.rhai")),
                "{errors}"
            );
            return (format!("refused {errors}"), cost());
        }
    };
    let mut evaluator = Evaluator::new(Arc::new(set));
    let mut found = Vec::new();
    evaluator.evaluate(&input("0-1-1"), &mut found);
    let cost = cost();
    assert_eq!(
        healthy(&found),
        3,
        "{name}: the healthy rule was harmed: {found:#?}"
    );
    let about: Vec<&Finding> = found.iter().filter(|f| f.rule.id == name).collect();
    assert!(
        !about.is_empty()
            && about
                .iter()
                .all(|f| f.outcome == FindingOutcome::Undetermined),
        "{name}: {about:#?}"
    );
    let errors = evaluator.errors();
    assert!(
        !errors.is_empty() && errors.iter().all(|e| e.rule == name),
        "{errors:?}"
    );
    let mut again = Vec::new();
    evaluator.evaluate(&input("0-1-2"), &mut again);
    assert_eq!(healthy(&again), 3, "{name}: the engine was harmed");
    (format!("stopped {}", about[0].message), cost)
}

#[test]
fn every_hostile_rule_is_stopped_and_named() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/hostile");
    let corpus = RuleFiles::read(&dir).unwrap();
    assert!(
        corpus.rules.len() >= 40,
        "only {} files",
        corpus.rules.len()
    );
    let mut worst = (0, String::new());
    // Panics are part of the corpus; their traces would hide what matters.
    std::panic::set_hook(Box::new(|_| {}));
    let mut wrong = Vec::new();
    for rule in &corpus.rules {
        let expected = rule
            .text
            .lines()
            .find_map(|l| l.strip_prefix("// ").filter(|l| l.contains(": ")));
        let (how, part) = expected
            .and_then(|l| l.split_once(": "))
            .expect("a line `// stopped: why`");
        let tried = std::panic::catch_unwind(|| try_out(&rule.id, &rule.text));
        let (said, bytes) = match tried {
            Ok(tried) => tried,
            Err(why) => {
                let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
                wrong.push(format!("{} was not held: {why:.600}", rule.id));
                continue;
            }
        };
        // Whether the deadline or the operations come first is the machine's affair.
        let limits = [part, "longer than", "Too many operations"];
        if !said.starts_with(how) || !limits.iter().any(|limit| said.contains(limit)) {
            wrong.push(format!("{}: {said:.300}", rule.id));
        }
        if bytes > MAX_ALLOCATED_BYTES {
            wrong.push(format!("{} cost {bytes} bytes", rule.id));
        }
        worst = worst.max((bytes, rule.id.clone()));
    }
    drop(std::panic::take_hook());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(worst.0 > 0, "nothing was counted");
}
