//! Restart margins: how far back sources are read again, so that memories are whole.

use crate::rules::memory::replay_marks::{MARGIN_SLACK_US, MAX_LOOK_BACK_US};
use crate::rules::runtime::rule_set::CompiledRule;
use crate::rules::text::trigger_header::{RequiredSides, Trigger};

/// D for a rule set: 0 if no rule can say that something is missing.
pub fn replay_margin(rules: &[CompiledRule]) -> i64 {
    let patience = rules.iter().filter_map(|rule| match &rule.header.trigger {
        Trigger::Pair {
            within_ms, require, ..
        } if *require != RequiredSides::None => Some(i64::from(*within_ms) * 1_000),
        _ => None,
    });
    patience
        .max()
        .map_or(0, |patience| patience + MARGIN_SLACK_US)
}

/// How far Kafka is read back before the binlog's position if it has no checkpoint of its
/// own: twice as long as any pair is kept, so that every row that comes, and every row
/// that is read again, finds the event that came before it.
pub fn kafka_look_back(rules: &[CompiledRule]) -> i64 {
    let keep = rules.iter().filter_map(|rule| match &rule.header.trigger {
        Trigger::Pair {
            within_ms, keep_ms, ..
        } => Some(i64::from(*keep_ms.max(within_ms)) * 1_000),
        _ => None,
    });
    2 * (keep.max().unwrap_or(0).min(MAX_LOOK_BACK_US) + replay_margin(rules))
}
