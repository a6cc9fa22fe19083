//! Tests of pairs: meeting, missing, holds, restarts; and the pairs that they share.

mod clients;
mod delayed;
mod full;
mod holds;
mod known;
mod lag;
mod meeting;
mod missing;
mod restart;
mod restart_after_lag;

use crate::rules::Evaluator;
use crate::rules::tests::{TestRuleFolder, at, deposit, rule, transaction};
use crate::stream::change::{RuleInput, SourceKind};

pub const PAIR_SIDES: &str = "on = \"pair\"\nleft = { event = \"deposit.received\", key = \"biz_no\" }\n\
    right = { table = \"entry\", op = \"insert\", key = \"ref\", where = { kind = \"deposit\", book = \"available\" } }\n\
    within_ms = 5000\nkeep_ms = 20000\nhold = true\n";

pub const PAIR_BODY: &str = "fn check(l, r) { if l.amount != r.amount { violation(l.account_id, l.biz_no, \"differs\") } }\n\
    fn missing(one) { violation(one.account_id, \"gone\", \"missing\") }";

pub fn pair(require: &str) -> Evaluator {
    let text = rule(
        "p",
        &format!("{PAIR_SIDES}require = {require:?}"),
        PAIR_BODY,
    );
    TestRuleFolder::of(&[("p.rhai", &text)]).evaluator()
}

pub fn booked(position: &str, payment: &str, amount: &str) -> RuleInput {
    transaction(position, vec![deposit("A-1", payment, amount)])
}

pub fn clocks(ms: i64) -> [RuleInput; 2] {
    [at(SourceKind::Binlog, ms), at(SourceKind::Kafka, ms)]
}

/// Binlog and Kafka: where reading would begin again.
pub fn needs(evaluator: &Evaluator) -> [Option<String>; 2] {
    [SourceKind::Binlog, SourceKind::Kafka]
        .map(|source| evaluator.needs_from(source).map(|p| p.to_string()))
}

pub const DELAYED_PAIR: &str = "on = \"pair\"\nleft = { event = \"deposit.received\", key = \"biz_no\" }\n\
    right = { table = \"entry\", op = \"insert\", key = \"ref\" }\nwithin_ms = 5000\nkeep_ms = 20000\n\
    delay_ms = 2000\nrequire = \"left\"";
