//! Restart margins: how far back sources are read again, so that memories are whole.

use crate::rules::memory::replay_marks::{MARGIN_SLACK_US, MAX_LOOK_BACK_US};
use crate::rules::runtime::rule_set::CompiledRule;

/// D for some rules, in microseconds: longer than any pair of them takes to meet, and 0 if none
/// can say that something is missing. A rule in shadow makes nobody read further back.
pub fn replay_margin<'a>(rules: impl Iterator<Item = &'a CompiledRule>) -> i64 {
    let kinds = rules.map(|rule| rule.header.trigger.kind());
    let longest = kinds.filter_map(|kind| kind.missing_after_us()).max();
    longest.map_or(0, |wait_us| wait_us + MARGIN_SLACK_US)
}

/// The time for which Kafka is read back before the binlog's position if it has no
/// checkpoint of its own: twice as long as any pair is kept, so that every row that comes,
/// and every row that is read again, finds the event that came before it.
pub fn kafka_look_back<'a>(rules: impl Iterator<Item = &'a CompiledRule> + Clone) -> i64 {
    let kinds = rules.clone().map(|rule| rule.header.trigger.kind());
    let keep = kinds.filter_map(|kind| kind.keep_us()).max();
    2 * (keep.unwrap_or(0).min(MAX_LOOK_BACK_US) + replay_margin(rules))
}
