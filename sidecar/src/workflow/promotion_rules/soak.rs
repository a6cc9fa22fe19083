//! Soak: whether a version was evaluated in shadow for long enough, and wholly. Time that it
//! missed is no time in which it found nothing.

use crate::rules::RuleMode;
use crate::rules::text::trigger_header::Trigger;
use crate::workflow::promotion_rules::PromotionEvidence;
use crate::workflow::{HOUR_US, RuleSetMember};

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;

/// Reasons against arming a version, by its trial.
pub(super) fn objections(
    subject: &RuleSetMember,
    to: RuleMode,
    known: &PromotionEvidence<'_>,
    now_us: i64,
) -> Vec<String> {
    // Data at rest is read by an audit, and no time passes in it.
    let is_at_rest = matches!(known.header.trigger, Trigger::Audit(_));
    if subject.mode != RuleMode::Shadow || to < RuleMode::Alert || is_at_rest {
        return Vec::new();
    }
    let mut against = Vec::new();
    let evaluated_us = known.trial.map_or(0, |trial| trial.evaluated_us);
    if evaluated_us < known.soak_us {
        against.push(format!(
            "it was evaluated in shadow for {} of the {} minute(s) of rules.soak_minutes; gaps don't count",
            evaluated_us / MINUTE_US,
            known.soak_us / MINUTE_US
        ));
    }
    let gap = known
        .trial
        .and_then(|trial| trial.gap_of_load(now_us.saturating_sub(HOUR_US)));
    if let Some(gap) = gap {
        let ago = |at_us: i64| format!("{} s ago", now_us.saturating_sub(at_us) / SECOND_US);
        let until = gap.until_us.map_or("now".to_owned(), ago);
        against.push(format!(
            "its evaluation in shadow has a gap within the last hour, from {} until {until}: {}; \
             make it cheaper, or wait for an hour without one",
            ago(gap.from_us),
            gap.cause.explain()
        ));
    }
    against
}
