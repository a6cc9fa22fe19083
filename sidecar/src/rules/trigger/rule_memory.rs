//! The memory of a rule, by the kind of its trigger.

use crate::rules::frozen::state_frames::FrameSink;
use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::memory::source_clock::SourceClock;
use crate::rules::memory::window_memory::WindowMemory;
use crate::rules::memory::window_state::FrozenWindow;
use crate::rules::pair_memory::PairMemory;
use crate::rules::pair_memory::pair_state::FrozenPairs;
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::text::rule_mode::RuleMode;
use crate::stream::change::SourceKind;
use std::io;

/// Rows and events that a rule remembers from one input to the next.
pub enum RuleMemory {
    None,
    Window(Box<WindowMemory>),
    Pairs(Box<PairMemory>),
}

/// Terms of a memory that do not stand in the rule's header.
#[derive(Debug, Clone, Copy)]
pub struct MemoryTerms {
    /// The newest watermark, for a rule that was not there before; None at the start.
    pub now_us: Option<i64>,
    /// Memory that it may take, in bytes.
    pub max_bytes: usize,
    /// Whether the rule's code asks for `distinct` or `seen`.
    pub keeps_values: bool,
}

/// A memory as it was at one moment.
#[derive(Debug)]
pub enum FrozenMemory {
    Window(FrozenWindow),
    Pairs(FrozenPairs),
}

impl FrozenMemory {
    /// Writes it as a section of frames.
    pub fn write(self, out: &mut dyn FrameSink) -> io::Result<()> {
        match self {
            FrozenMemory::Window(window) => window.write(out),
            FrozenMemory::Pairs(pairs) => pairs.write(out),
        }
    }
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

    /// Takes over the terms of the rule's new version; the trigger is the same.
    pub fn adopt(&mut self, holds: &mut AccountHolds, mode: RuleMode, terms: MemoryTerms) {
        match self {
            RuleMemory::Pairs(pairs) => pairs.adopt(holds, mode, terms.max_bytes),
            RuleMemory::Window(window) => window.adopt(terms.keeps_values, terms.max_bytes),
            RuleMemory::None => {}
        }
    }

    /// The memory as it is now; None if it remembers nothing.
    pub fn freeze(&self) -> Option<FrozenMemory> {
        match self {
            RuleMemory::Window(window) => Some(FrozenMemory::Window(window.freeze())),
            RuleMemory::Pairs(pairs) => Some(FrozenMemory::Pairs(pairs.freeze())),
            RuleMemory::None => None,
        }
    }

    /// Takes over what was written of a memory of the same trigger; None if it is not that.
    pub fn restore<'a>(
        &mut self,
        holds: &mut AccountHolds,
        frames: impl Iterator<Item = &'a [u8]>,
    ) -> Option<()> {
        match self {
            RuleMemory::Window(window) => window.restore(frames),
            RuleMemory::Pairs(pairs) => pairs.restore(holds, frames),
            RuleMemory::None => None,
        }
    }

    /// Nothing was written of it: a window says so, pairs began with `now_us`.
    pub fn begin_late(&mut self) {
        match self {
            RuleMemory::Window(window) => window.begin_late(),
            RuleMemory::Pairs(_) | RuleMemory::None => {}
        }
    }

    /// Memory that it takes, about, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            RuleMemory::Window(window) => window.bytes(),
            RuleMemory::Pairs(pairs) => pairs.bytes(),
            RuleMemory::None => 0,
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
