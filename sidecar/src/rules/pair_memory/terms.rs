//! Terms of a pair rule: its header's times, in microseconds, and who must come.

use crate::rules::text::pair_side::{PairPer, RequiredSides};
use crate::rules::text::rule_mode::RuleMode;
use crate::rules::text::trigger_header::PairTrigger;
use crate::stream::change::SourceKind;

/// Terms that the header sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairTerms {
    pub within_us: i64,
    pub keep_us: i64,
    pub delay_us: i64,
    pub require: RequiredSides,
    /// Whether halves of two clients never meet.
    pub per_client: bool,
    /// Whether the header asks to hold money.
    wants_hold: bool,
    /// Whether an open required side holds its account's money.
    pub hold: bool,
    pub sources: [SourceKind; 2],
}

impl PairTerms {
    /// Terms of a trigger, for a rule in that mode.
    pub fn of(pair: &PairTrigger, mode: RuleMode) -> PairTerms {
        let terms = PairTerms {
            within_us: i64::from(pair.within_ms) * 1_000,
            keep_us: i64::from(pair.keep_ms.max(pair.within_ms)) * 1_000,
            delay_us: i64::from(pair.delay_ms) * 1_000,
            require: pair.require,
            per_client: pair.per == Some(PairPer::Client),
            wants_hold: pair.hold,
            hold: false,
            sources: [pair.left.source(), pair.right.source()],
        };
        terms.in_mode(mode)
    }

    /// The same terms in another mode: only a rule that may trip may hold money back.
    #[must_use]
    pub fn in_mode(self, mode: RuleMode) -> PairTerms {
        PairTerms {
            hold: self.wants_hold && mode == RuleMode::Trip,
            ..self
        }
    }
}
