//! The memory of a rule, by the kind of its trigger.

use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::memory::source_clock::SourceClock;
use crate::rules::memory::window_memory::WindowMemory;
use crate::rules::pair_memory::PairMemory;
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::text::rule_mode::RuleMode;
use crate::stream::change::SourceKind;

/// Rows and events that a rule remembers from one input to the next.
pub enum RuleMemory {
    None,
    Window(WindowMemory),
    Pairs(Box<PairMemory>),
}

/// The part of the binlog that a memory must read again after a restart.
pub enum ReplayNeed {
    Nothing,
    /// Everything from this time on, in microseconds.
    From(i64),
    /// The oldest that is kept came then: twice the margin before it is needed too, so that
    /// its partner is read.
    OpenSince(i64),
}

impl RuleMemory {
    pub fn is_none(&self) -> bool {
        match self {
            RuleMemory::None => true,
            RuleMemory::Window(_) | RuleMemory::Pairs(_) => false,
        }
    }

    /// Takes over the mode of the rule's new version; the trigger is the same.
    pub fn adopt(&mut self, holds: &mut AccountHolds, mode: RuleMode) {
        match self {
            RuleMemory::Pairs(pairs) => pairs.adopt(holds, mode),
            RuleMemory::None | RuleMemory::Window(_) => {}
        }
    }

    /// Lets go of every hold, before this is dropped.
    pub fn release(&self, holds: &mut AccountHolds) {
        match self {
            RuleMemory::Pairs(pairs) => pairs.release(holds),
            RuleMemory::None | RuleMemory::Window(_) => {}
        }
    }

    /// Inputs are missing before `now_us`.
    pub fn mark_gap(&mut self, now_us: i64) {
        match self {
            RuleMemory::Pairs(pairs) => pairs.mark_gap(now_us),
            RuleMemory::None | RuleMemory::Window(_) => {}
        }
    }

    /// A source has delivered everything up to its watermark.
    pub fn advance(
        &mut self,
        run: &mut RuleRun<'_>,
        holds: &mut AccountHolds,
        rule: usize,
        clock: &SourceClock<'_>,
    ) {
        match self {
            RuleMemory::Window(window) => match clock.source {
                SourceKind::Binlog => window.advance(clock.now_us),
                SourceKind::Kafka => {}
            },
            RuleMemory::Pairs(pairs) => pairs.advance(run, holds, rule, clock),
            RuleMemory::None => {}
        }
    }

    /// The part of the binlog that would make this memory again.
    pub fn replay_need(&self) -> ReplayNeed {
        match self {
            RuleMemory::Window(window) => ReplayNeed::From(window.oldest_us()),
            RuleMemory::Pairs(pairs) => ReplayNeed::OpenSince(pairs.oldest_us()),
            RuleMemory::None => ReplayNeed::Nothing,
        }
    }

    /// Required sides that wait for their partner.
    pub fn open_count(&self) -> usize {
        match self {
            RuleMemory::Pairs(pairs) => pairs.open(),
            RuleMemory::None | RuleMemory::Window(_) => 0,
        }
    }

    /// Whether nothing can be said now, because the other source lags.
    pub fn is_lagging(&self) -> bool {
        match self {
            RuleMemory::Pairs(pairs) => pairs.lags(),
            RuleMemory::None | RuleMemory::Window(_) => false,
        }
    }
}
