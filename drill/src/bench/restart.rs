//! A restart with a 24 h window in use, without servers: what freezing, writing and reading
//! the state cost, and how much is read again after it.

use anyhow::{Context, ensure};
use rust_decimal::Decimal;
use serde::Serialize;
use sluice_contract::keys::SigningKeys;
use sluice_contract::settings::Secret;
use sluice_sidecar::rules::runtime::rule_selection::RuleSelection;
use sluice_sidecar::rules::runtime::rule_set::RuleSet;
use sluice_sidecar::rules::stream::frozen_evaluator::FrozenEvaluator;
use sluice_sidecar::rules::{RuleFiles, RuleWorkers};
use sluice_sidecar::state_file::{self, StatePositions, StateToWrite};
use sluice_sidecar::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, RowChange, RuleInput, SourceKind, TableSchema,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// A limit over a day, which is as common as it was out of reach.
const DAY_LIMIT: &str = r#"//! id = "daily_limit"
//! guards = "No account moves more than its limit in 24 hours."
//! kind = "duplicate"
//! severity = "major"
//! mode = "trip"
//! breaker = "cash_out/account"
//! owner = "risk"
//! runbook = "Ask the customer."
//! [trigger]
//! on = "window"
//! table = "entry"
//! ops = ["insert"]
//! key = ["account_id", "currency"]
//! span_ms = 86400000
//! keep = "amount"

fn check(row, earlier) {
    if earlier.sum > 1000000000 {
        violation(row.after.account_id, "day", "more than its limit")
    }
}
"#;

/// The day, and how often a watermark comes in it.
const DAY_US: i64 = 86_400_000_000;
const BEAT_US: i64 = 500_000;
/// Rows of one transaction.
const ROWS: u64 = 50;
/// Rows that are read again after a kill, at 1,500 lifecycles a second of 27 rows each, the
/// last state being ten seconds old.
const REPLAYED_ROWS: u64 = 1_500 * 27 * 10;
/// Time that a restart may take.
const TARGET_MS: u128 = 2_000;
const COLUMNS: [&str; 5] = ["account_id", "currency", "amount", "posting_id", "line"];

#[derive(Debug, Serialize)]
pub struct RestartFigures {
    pub items: u64,
    pub accounts: u64,
    pub memory_mb: usize,
    pub file_mb: u64,
    /// Time for which the evaluation stands still.
    pub freeze_us: u128,
    pub write_ms: u128,
    pub read_ms: u128,
    /// Rows read again after a kill, and by this rule evaluated again.
    pub replayed_rows: u64,
    pub replay_ms: u128,
    /// Reading and evaluating again: until it vouches.
    pub vouches_ms: u128,
    pub target_ms: u128,
    /// Reading all of it again, as it would be without the state.
    pub without_state_ms: u128,
}

/// Measures with `items` rows of the day on `accounts` accounts.
pub fn measure(dir: &Path, items: u64, accounts: u64) -> anyhow::Result<RestartFigures> {
    ensure!(
        accounts > 0 && items >= ROWS,
        "--items and --accounts are too small"
    );
    let files = RuleFiles::of(vec![("daily_limit.rhai".to_owned(), DAY_LIMIT.to_owned())]);
    let set = RuleSet::build(&files, Secret::new("a key of the bench")).context("its rule")?;
    let set = Arc::new(set.within(16 << 30));
    let workers = || RuleWorkers::new(Arc::clone(&set), 1, RuleSelection::Armed);
    let (mut team, began) = (workers()?, Instant::now());
    feed(&mut team, 0, items, items, accounts)?;
    let without_state_ms = began.elapsed().as_millis();
    let memory_mb = team.memory_bytes().iter().sum::<usize>() >> 20;
    let began = Instant::now();
    let frozen = team.freeze()?;
    let freeze_us = began.elapsed().as_micros();
    let began = Instant::now();
    write(dir, frozen)?;
    let write_ms = began.elapsed().as_millis();
    drop(team);
    let began = Instant::now();
    let keys: SigningKeys = Secret::new("a key of the bench").into();
    let found = state_file::read(dir, &keys, u64::MAX).map_err(anyhow::Error::msg)?;
    let mut again = workers()?;
    again.restore(&found.sections)?;
    drop(found);
    let read_ms = began.elapsed().as_millis();
    let began = Instant::now();
    feed(&mut again, items, items + REPLAYED_ROWS, items, accounts)?;
    let replay_ms = began.elapsed().as_millis();
    Ok(RestartFigures {
        items,
        accounts,
        memory_mb,
        file_mb: std::fs::metadata(state_file::path_in(dir))?.len() >> 20,
        freeze_us,
        write_ms,
        read_ms,
        replayed_rows: REPLAYED_ROWS,
        replay_ms,
        vouches_ms: read_ms + replay_ms,
        target_ms: TARGET_MS,
        without_state_ms,
    })
}

/// Evaluates rows `from` to `to` of a day that has `items`.
fn feed(
    team: &mut RuleWorkers,
    from: u64,
    to: u64,
    items: u64,
    accounts: u64,
) -> anyhow::Result<()> {
    let table = Arc::new(TableSchema::new(
        "entry",
        COLUMNS.map(str::to_owned).to_vec(),
    ));
    let (mut beat, mut found) = (i64::MIN, Vec::new());
    for number in from / ROWS..to / ROWS {
        team.evaluate(&transaction(&table, number, accounts), &mut found);
        let passed = i128::from(number) * i128::from(ROWS) * i128::from(DAY_US) / i128::from(items);
        let now_us = i64::try_from(passed)?;
        if now_us / BEAT_US > beat {
            beat = now_us / BEAT_US;
            let (source, at_us) = (SourceKind::Binlog, beat * BEAT_US);
            team.evaluate(&RuleInput::Watermark { source, at_us }, &mut found);
        }
    }
    ensure!(
        found.is_empty(),
        "nothing is wrong, and {} findings",
        found.len()
    );
    Ok(())
}

fn transaction(table: &Arc<TableSchema>, number: u64, accounts: u64) -> RuleInput {
    let rows = (0..ROWS).map(|line| {
        // Spread over all accounts, whatever their number.
        let account = (number * ROWS + line).wrapping_mul(0x9e37_79b9_7f4a_7c15) % accounts;
        let values = [
            ColumnValue::Text(format!("account-{account:09}").into()),
            ColumnValue::Text("CNY".into()),
            ColumnValue::Dec(Decimal::new(1_050, 2)),
            ColumnValue::Text("p".into()),
            ColumnValue::Int(1),
        ];
        Arc::new(RowChange {
            table: Arc::clone(table),
            op: ChangeOp::Insert,
            before: None,
            after: Some(Box::new(values)),
        })
    });
    RuleInput::Transaction(Arc::new(ChangeTransaction {
        position: format!("0-1-{number}").into(),
        changes: rows.collect(),
    }))
}

fn write(dir: &Path, frozen: FrozenEvaluator) -> anyhow::Result<()> {
    let state = StateToWrite {
        positions: StatePositions::default(),
        frozen,
        frozen_us: 0,
        epoch: 1,
        rules_hash: String::new(),
        rules_version: 1,
        turn: Default::default(),
    };
    let keys: SigningKeys = Secret::new("a key of the bench").into();
    state_file::write_file(dir, &keys, state).map(drop)
}
