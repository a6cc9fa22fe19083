//! The rule engine alone, without servers: what hostile rules cost before they are
//! stopped, how fast 3,000 rules load, and what they cost beside what they don't watch.

use anyhow::{Context, ensure};
use rust_decimal::Decimal;
use serde::Serialize;
use sluice_contract::settings::Secret;
use sluice_sidecar::rules::runtime::rule_set::RuleSet;
use sluice_sidecar::rules::text::error::LoadErrors;
use sluice_sidecar::rules::{Evaluator, RuleFiles};
use sluice_sidecar::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, RowChange, RuleInput, TableSchema,
};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As many as the largest published installation has.
const RULE_COUNT: usize = 3_000;
/// Each evaluation is measured for this long.
const MEASURE_TIME: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
pub struct RuleEngineFigures {
    pub hostile_rules: usize,
    /// Processor time of one evaluation, in microseconds, and whose it was.
    pub hostile_worst_us: u128,
    pub hostile_slowest: String,
    /// Processor time until it was refused or loaded.
    pub hostile_load_worst_us: u128,
    /// Growth of the process's resident memory, at its peak.
    pub hostile_worst_bytes: u64,
    pub hostile_largest: String,
    pub rules: usize,
    pub load_ms: u128,
    /// Row changes a second with the shipped rules alone.
    pub shipped_rows_per_s: u128,
    /// Beside as many rules again on other tables.
    pub beside_many_rows_per_s: u128,
    /// With every one of them watching.
    pub with_many_rows_per_s: u128,
}

/// Measures with the rules of `rules` and the hostile ones of `hostile`.
pub fn measure(rules: &Path, hostile: &Path) -> anyhow::Result<RuleEngineFigures> {
    let read = |dir: &Path| RuleFiles::read(dir).map_err(|e| LoadErrors(vec![e]));
    let hostile = read(hostile)?;
    ensure!(
        !hostile.rules.is_empty(),
        "there is no hostile rule; name their folder with --hostile"
    );
    let mut figures = empty(hostile.rules.len());
    // Their panics are caught and told as findings.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let tried = hostile
        .rules
        .iter()
        .try_for_each(|rule| try_out(&rule.id, &rule.text, &mut figures));
    std::panic::set_hook(hook);
    tried?;
    let mut shipped = read(rules)?;
    // Unsigned transactions would all be its findings.
    shipped.rules.retain(|rule| rule.id != "provenance");
    let many = multiplied(&shipped);
    let began = Instant::now();
    let set = load(&many)?;
    figures.load_ms = began.elapsed().as_millis();
    figures.rules = many.rules.len();
    figures.shipped_rows_per_s = rows_per_s(load(&shipped)?);
    figures.beside_many_rows_per_s = rows_per_s(load(&beside(&shipped))?);
    figures.with_many_rows_per_s = rows_per_s(set);
    Ok(figures)
}

fn empty(hostile_rules: usize) -> RuleEngineFigures {
    RuleEngineFigures {
        hostile_rules,
        hostile_worst_us: 0,
        hostile_slowest: String::new(),
        hostile_load_worst_us: 0,
        hostile_worst_bytes: 0,
        hostile_largest: String::new(),
        rules: 0,
        load_ms: 0,
        shipped_rows_per_s: 0,
        beside_many_rows_per_s: 0,
        with_many_rows_per_s: 0,
    }
}

fn load(files: &RuleFiles) -> anyhow::Result<RuleSet> {
    Ok(RuleSet::build(
        files,
        Secret::new("transactions-of-the-bench"),
    )?)
}

fn try_out(name: &str, text: &str, figures: &mut RuleEngineFigures) -> anyhow::Result<()> {
    let resident = forget_peak()?;
    let began = processor_time();
    let set = RuleSet::build(
        &RuleFiles::of(vec![(format!("{name}.rhai"), text.to_owned())]),
        Secret::new("k"),
    );
    figures.hostile_load_worst_us = figures
        .hostile_load_worst_us
        .max((processor_time() - began).as_micros());
    if let Ok(set) = set {
        let mut evaluator = Evaluator::new(Arc::new(set));
        let input = deposit(0, 1);
        let began = processor_time();
        evaluator.evaluate(&input, &mut Vec::new());
        let took = (processor_time() - began).as_micros();
        if took > figures.hostile_worst_us {
            (figures.hostile_worst_us, figures.hostile_slowest) = (took, name.to_owned());
        }
    }
    let grown = status("VmHWM")?.saturating_sub(resident);
    if grown > figures.hostile_worst_bytes {
        (figures.hostile_worst_bytes, figures.hostile_largest) = (grown, name.to_owned());
    }
    Ok(())
}

/// The shipped rules again and again, under other names.
fn multiplied(shipped: &RuleFiles) -> RuleFiles {
    let mut many = shipped.clone();
    for (number, rule) in shipped
        .rules
        .iter()
        .cycle()
        .take(RULE_COUNT - shipped.rules.len())
        .enumerate()
    {
        let mut copy = rule.clone();
        copy.id = format!("{}_{number}", rule.id);
        copy.text = rule
            .text
            .replacen(&format!("{:?}", rule.id), &format!("{:?}", copy.id), 1);
        many.rules.push(copy);
    }
    many
}

/// The shipped rules, and many that watch what does not come.
fn beside(shipped: &RuleFiles) -> RuleFiles {
    let mut many = shipped.clone();
    let pattern = shipped
        .rules
        .iter()
        .find(|rule| rule.id == "channel_contradicts")
        .cloned();
    for number in 0..RULE_COUNT {
        many.rules.extend(pattern.clone().map(|mut rule| {
            let id = format!("other_{number}");
            rule.text = rule
                .text
                .replacen(&format!("{:?}", rule.id), &format!("{id:?}"), 1);
            rule.id = id;
            rule
        }));
    }
    many
}

fn rows_per_s(set: RuleSet) -> u128 {
    let mut evaluator = Evaluator::new(Arc::new(set));
    let (mut rows, mut found) = (0_u128, Vec::new());
    let began = Instant::now();
    let mut number = 1;
    while began.elapsed() < MEASURE_TIME {
        let input = deposit(number, 32);
        if let RuleInput::Transaction(transaction) = &input {
            rows += transaction.changes.len() as u128;
        }
        evaluator.evaluate(&input, &mut found);
        found.clear();
        number += 1;
    }
    rows * 1_000_000 / began.elapsed().as_micros().max(1)
}

/// Money that comes onto accounts, with nothing wrong: a balance and two entries each.
fn deposit(number: u32, accounts: u32) -> RuleInput {
    let (balance, entry) = (
        table("balance", &BALANCE_COLUMNS),
        table("entry", &ENTRY_COLUMNS),
    );
    let insert = |table: &Arc<TableSchema>, values: Vec<ColumnValue>| {
        Arc::new(RowChange {
            table: Arc::clone(table),
            op: ChangeOp::Insert,
            before: None,
            after: Some(values.into()),
        })
    };
    let (word, money) = (
        |t: &str| ColumnValue::Text(t.into()),
        |n: i64| ColumnValue::Dec(Decimal::new(n, 2)),
    );
    let mut changes = Vec::new();
    for account in 0..accounts {
        let (account, posting) = (format!("A-{account}"), format!("p-{number}-{account}"));
        let times = [ColumnValue::Int(i64::from(number)), ColumnValue::Int(1)];
        let amounts = [money(500), money(500), money(0)];
        let mut row = vec![word(&account), word("CNY")];
        row.extend(amounts.into_iter().chain(times).chain([money(0), money(0)]));
        changes.push(insert(&balance, row));
        for (line, book, side) in [(0, "clearing.bench", "D"), (1, "available", "C")] {
            let words = [
                word("adjust"),
                word(book),
                word(side),
                money(500),
                word("CNY"),
                word(&posting),
            ];
            let mut row = vec![word(&account), word(&posting), ColumnValue::Int(line)];
            row.extend(words.into_iter().chain([ColumnValue::Int(1)]));
            changes.push(insert(&entry, row));
        }
    }
    RuleInput::Transaction(Arc::new(ChangeTransaction {
        position: format!("0-1-{number}").into(),
        changes,
    }))
}

/// Columns of a balance's row as rules read them.
const BALANCE_COLUMNS: [&str; 9] = [
    "account_id",
    "currency",
    "balance",
    "available",
    "reserved",
    "version",
    "updated_us",
    "intermediate",
    "intermediate_reserved",
];
/// Columns of an entry's row as rules read them.
const ENTRY_COLUMNS: [&str; 10] = [
    "account_id",
    "posting_id",
    "line",
    "kind",
    "book",
    "side",
    "amount",
    "currency",
    "ref",
    "created_us",
];

fn table(name: &str, columns: &[&str]) -> Arc<TableSchema> {
    Arc::new(TableSchema::new(
        name,
        columns.iter().map(|c| (*c).to_owned()).collect(),
    ))
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Sets the peak of the resident memory back to what it is now, which is returned.
fn forget_peak() -> anyhow::Result<u64> {
    std::fs::write("/proc/self/clear_refs", "5")
        .context("can't set the peak of resident memory back")?;
    status("VmRSS")
}

/// A size of this process, in bytes.
fn status(name: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .with_context(|| name.to_owned())?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib * 1024)
}
