//! Restart margins: how far back sources are read again, so that memories are whole.

use crate::rules::memory::replay_marks::{MARGIN_SLACK_US, MAX_LOOK_BACK_US};
use crate::rules::runtime::rule_set::CompiledRule;

/// D for a rule set, in microseconds: 0 if no rule can say that something is missing.
pub fn replay_margin(rules: &[CompiledRule]) -> i64 {
    let kinds = rules.iter().map(|rule| rule.header.trigger.kind());
    let longest = kinds.filter_map(|kind| kind.missing_after_us()).max();
    longest.map_or(0, |wait_us| wait_us + MARGIN_SLACK_US)
}

/// The time for which Kafka is read back before the binlog's position if it has no
/// checkpoint of its own: twice as long as any pair is kept, so that every row that comes,
/// and every row that is read again, finds the event that came before it.
pub fn kafka_look_back(rules: &[CompiledRule]) -> i64 {
    let kinds = rules.iter().map(|rule| rule.header.trigger.kind());
    let keep = kinds.filter_map(|kind| kind.keep_us()).max();
    2 * (keep.unwrap_or(0).min(MAX_LOOK_BACK_US) + replay_margin(rules))
}
