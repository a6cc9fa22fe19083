//! Small recordings of which every figure is known.

mod held;
mod recording;
mod stream;

use crate::backtest::report::BacktestReport;
use crate::backtest::{BacktestOptions, BacktestSource};
use crate::recording::RecordingReader;
use crate::rules::RuleFiles;
use crate::rules::runtime::rule_set::RuleSet;
use sluice_contract::settings::Secret;
use std::path::Path;
use std::sync::Arc;

/// Orders of more than `limit` stop their account.
fn limit(limit: u32) -> (String, String) {
    let head = "id='limit'\nguards='x'\nkind='duplicate'\nseverity='minor'\nmode='trip'\nbreaker='cash_out/account'\nowner='x'\nrunbook='x'\n[trigger]\non='row'\ntable='orders'\nops=['insert']";
    let body = format!(
        "fn check(row) {{ let o = row.after; if o.amount > parse_decimal(\"{limit}\") {{ violation(o.account_id, o.order_id, `${{o.amount}}`) }} }}"
    );
    ("limit.rhai".to_owned(), rule(head, &body))
}

/// Every order was asked for within a second.
fn asked() -> (String, String) {
    let head = "id='asked'\nguards='x'\nkind='duplicate'\nseverity='minor'\nmode='draft'\nowner='x'\nrunbook='x'\n[trigger]\non='pair'\nleft={table='orders',op='insert',key='biz_no'}\nright={event='withdraw.requested',key='biz_no'}\nwithin_ms=1000\nkeep_ms=2000\nrequire='left'";
    let body = "fn check(order, event) { }\nfn missing(order) { violation(order.account_id, order.order_id, \"nobody asked\") }";
    ("asked.rhai".to_owned(), rule(head, body))
}

fn rule(head: &str, body: &str) -> String {
    head.lines()
        .map(|line| format!("//! {line}\n"))
        .collect::<String>()
        + "\n"
        + body
        + "\n"
}

fn set(rules: Vec<(String, String)>) -> Arc<RuleSet> {
    Arc::new(
        RuleSet::build(
            &RuleFiles::of(rules),
            Secret::new("no signature is asked for"),
        )
        .unwrap(),
    )
}

fn tried(dir: &Path, trial: &BacktestOptions) -> (BacktestReport, String) {
    let mut lines = Vec::new();
    let from = BacktestSource::Recording(Box::new(RecordingReader::open(dir, false).unwrap()));
    let report = crate::backtest::run(from, trial, Some(&mut lines), &mut |_| {}).unwrap();
    (report, String::from_utf8(lines).unwrap())
}

fn trial(set: Arc<RuleSet>, against: Option<Arc<RuleSet>>) -> BacktestOptions {
    BacktestOptions {
        set,
        against,
        workers: 1,
        drafts: true,
        resume_after_us: None,
    }
}
