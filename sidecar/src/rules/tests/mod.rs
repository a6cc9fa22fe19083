//! The shipped rules against their cases, determinism, and what the other tests
//! of this folder share.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod language;
#[cfg(test)]
mod load;
#[cfg(test)]
mod pairs;
#[cfg(test)]
mod pairs_full;
#[cfg(test)]
mod pairs_known;
#[cfg(test)]
mod pairs_restart;
#[cfg(test)]
mod provenance;
#[cfg(test)]
mod workers;

use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::text::error::LoadErrors;
use crate::rules::text::tables::CATALOG_TABLES;
use crate::rules::{Evaluator, run_cases};
use crate::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, ReceivedEvent, RowChange, RuleInput, SourceKind,
    TableSchema,
};
use sluice_contract::event::BusinessEvent;
use sluice_contract::settings::Secret;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of rule files, gone when dropped.
pub struct TestRuleFolder(pub PathBuf);

impl TestRuleFolder {
    pub fn of(files: &[(&str, &str)]) -> TestRuleFolder {
        static NEXT_FOLDER: AtomicU32 = AtomicU32::new(0);
        let number = NEXT_FOLDER.fetch_add(1, Ordering::Relaxed);
        let dir =
            std::env::temp_dir().join(format!("sluice-rules-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            std::fs::write(dir.join(name), text).unwrap();
        }
        TestRuleFolder(dir)
    }

    pub fn load(&self) -> Result<RuleSet, LoadErrors> {
        RuleSet::load(&self.0, key())
    }

    pub fn evaluator(&self) -> Evaluator {
        Evaluator::new(Arc::new(self.load().unwrap()))
    }
}

impl Drop for TestRuleFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn key() -> Secret {
    Secret::new("a key of tests only")
}

/// A rule in mode `trip` with this trigger and body.
pub fn rule(id: &str, trigger: &str, body: &str) -> String {
    let header = format!(
        "id = {id:?}\nguards = \"tests\"\nkind = \"internal_logic\"\nseverity = \"minor\"\nmode = \"trip\"\n\
         breaker = \"cash_out/account\"\nowner = \"us\"\nrunbook = \"none\"\n[trigger]\n{trigger}"
    );
    let header: String = header.lines().map(|line| format!("//! {line}\n")).collect();
    format!("{header}{body}\n")
}

pub const BALANCE_TRIGGER: &str =
    "on = \"row\"\ntable = \"balance\"\nops = [\"insert\", \"update\"]";

pub fn text(text: &str) -> ColumnValue {
    ColumnValue::Text(text.into())
}

pub fn money(amount: &str) -> ColumnValue {
    ColumnValue::Dec(amount.parse().unwrap())
}

/// An inserted row with these columns; the others are NULL.
pub fn insert(table: &str, values: &[(&str, ColumnValue)]) -> RowChange {
    let known = CATALOG_TABLES.iter().find(|t| t.name == table).unwrap();
    let columns: Vec<String> = known.columns.iter().map(|(c, _)| (*c).to_owned()).collect();
    let value = |column: &String| {
        values
            .iter()
            .find(|(c, _)| c == column)
            .map_or(ColumnValue::Null, |(_, v)| v.clone())
    };
    let after = columns.iter().map(value).collect();
    RowChange {
        table: Arc::new(TableSchema {
            name: table.to_owned(),
            columns,
        }),
        op: ChangeOp::Insert,
        before: None,
        after: Some(after),
    }
}

pub fn balance(account: &str, balance: &str, available: &str) -> RowChange {
    let values = [
        ("balance", money(balance)),
        ("available", money(available)),
        ("reserved", money("0")),
    ];
    let ids = [
        ("account_id", text(account)),
        ("currency", text("CNY")),
        ("version", ColumnValue::Int(1)),
    ];
    insert("balance", &[values.as_slice(), ids.as_slice()].concat())
}

pub fn deposit(account: &str, payment: &str, amount: &str) -> RowChange {
    let words = [
        ("kind", "deposit"),
        ("book", "available"),
        ("side", "C"),
        ("currency", "CNY"),
    ];
    let mut values: Vec<(&str, ColumnValue)> = words.iter().map(|(c, v)| (*c, text(v))).collect();
    values.extend([
        ("account_id", text(account)),
        ("ref", text(payment)),
        ("amount", money(amount)),
        ("line", ColumnValue::Int(1)),
    ]);
    values.push(("posting_id", text(&format!("pay-{payment}"))));
    insert("entry", &values)
}

pub fn transaction(position: &str, changes: Vec<RowChange>) -> RuleInput {
    let changes = changes.into_iter().map(Arc::new).collect();
    RuleInput::Transaction(Arc::new(ChangeTransaction {
        position: position.into(),
        changes,
    }))
}

pub fn payment(id: &str, offset: u32, account: &str, biz_no: &str, amount: &str) -> RuleInput {
    let body = BusinessEvent {
        id: id.to_owned(),
        kind: "deposit.received".to_owned(),
        account_id: account.to_owned(),
        biz_no: biz_no.to_owned(),
        amount: amount.parse().unwrap(),
        currency: "CNY".to_owned(),
        occurred_us: 1,
    };
    RuleInput::Event(Arc::new(ReceivedEvent {
        position: format!("business.payment/0/{offset}").into(),
        body,
    }))
}

pub fn at(source: SourceKind, ms: i64) -> RuleInput {
    RuleInput::Watermark {
        source,
        at_us: ms * 1_000,
    }
}

pub fn run(evaluator: &mut Evaluator, inputs: &[RuleInput]) -> Vec<Finding> {
    let mut out = Vec::new();
    inputs
        .iter()
        .for_each(|input| evaluator.evaluate(input, &mut out));
    out
}

/// `rule account item` of each violation.
pub fn violations(found: &[Finding]) -> Vec<String> {
    let said = found
        .iter()
        .filter(|f| f.outcome == FindingOutcome::Violation);
    said.map(|f| format!("{} {} {}", f.rule.id, f.account, f.item))
        .collect()
}

pub fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")
}

#[test]
fn every_shipped_case_passes() {
    let results = run_cases(&shipped()).unwrap();
    let failed: Vec<_> = results.iter().filter(|r| !r.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(results.len() >= 20, "{} cases", results.len());
}

#[test]
fn a_rule_that_is_hardly_tried_fails() {
    let lonely = rule("lonely", BALANCE_TRIGGER, "fn check(row) {}");
    let one = "[[case]]\nname = \"one\"\nstep = []\n[[case.expect]]\naccount = \"A\"";
    let results =
        run_cases(&TestRuleFolder::of(&[("lonely.rhai", &lonely), ("lonely.cases.toml", one)]).0)
            .unwrap();
    let failed: Vec<_> = results
        .iter()
        .map(|r| (r.case.as_str(), r.passed, r.detail.as_str()))
        .collect();
    assert_eq!(failed.len(), 2);
    assert!(
        failed[0].2.contains("did not come") && failed[1].2.contains("has 1 cases"),
        "{failed:?}"
    );
}

#[test]
fn a_cases_file_without_rule_or_with_a_wrong_step_is_named() {
    let good = rule("good", BALANCE_TRIGGER, "fn check(row) {}");
    let orphan = TestRuleFolder::of(&[("good.rhai", &good), ("gone.cases.toml", "case = []")]);
    assert!(
        run_cases(&orphan.0)
            .unwrap_err()
            .to_string()
            .contains("gone.cases.toml: there is no rule gone.rhai")
    );
    let step = "[[case]]\nname = \"x\"\n[[case.step]]\ntransaction = \"\"\nrow = [{ table = \"balance\", op = \"insert\", after = { balanse = \"1\" } }]";
    let results =
        run_cases(&TestRuleFolder::of(&[("good.rhai", &good), ("good.cases.toml", step)]).0)
            .unwrap();
    assert!(results[0].detail.contains("balanse"), "{results:?}");
}

/// A stream in which every source and several rules have their say.
fn stream() -> Vec<RuleInput> {
    let mut inputs = vec![at(SourceKind::Binlog, 1_000), at(SourceKind::Kafka, 1_000)];
    for n in 0..40u32 {
        let (account, number) = (format!("A-{}", n % 7), format!("P-{n}"));
        let changes = vec![
            deposit(&account, &number, "5.00"),
            balance(&account, "7.01", "7"),
        ];
        inputs.push(transaction(&format!("0-1-{n}"), changes));
        if n % 3 == 0 {
            inputs.push(payment(&format!("e{n}"), n, &account, &number, "5.01"));
        }
        inputs.push(at(SourceKind::Binlog, 1_000 + i64::from(n) * 200));
        inputs.push(at(SourceKind::Kafka, 1_000 + i64::from(n) * 200));
    }
    inputs
}

#[test]
fn the_same_inputs_give_the_same_findings() {
    let once = || {
        let mut evaluator = Evaluator::new(Arc::new(RuleSet::load(&shipped(), key()).unwrap()));
        format!("{:?}", run(&mut evaluator, &stream()))
    };
    let first = once();
    assert!(
        first.contains("booking_has_payment")
            && first.contains("deposit_is_booked")
            && first.contains("provenance")
    );
    assert_eq!(first, once());
}

#[test]
fn a_verdict_is_known_by_rule_position_and_item() {
    let mut evaluator = Evaluator::new(Arc::new(RuleSet::load(&shipped(), key()).unwrap()));
    let bad = transaction("0-1-5", vec![balance("A-1", "2", "1")]);
    let once = run(&mut evaluator, std::slice::from_ref(&bad));
    let again = run(&mut evaluator, &[bad]);
    assert_eq!(once, again);
    let other = run(
        &mut evaluator,
        &[transaction("0-1-6", vec![balance("A-1", "2", "1")])],
    );
    assert_eq!(other.len(), once.len());
    assert!(
        once.iter()
            .zip(&other)
            .all(|(a, b)| a.verdict_id != b.verdict_id && a.verdict_id.len() == 32)
    );
    assert!(
        once.iter()
            .all(|f| f.rule_hash.len() == 16 && !f.breakers.is_empty())
    );
}
