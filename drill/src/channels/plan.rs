//! A plan says everything that a channel does with a new payment, decided before
//! anything happens.

use crate::channels::kinds::{ChannelSimulator, SimulatorKind, TradeStage};
use crate::channels::script::ScriptedAction;

/// Repeated callbacks of one result are this far apart, in milliseconds.
const REPEAT_INTERVAL_MS: u64 = 50;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PlannedReply {
    Code(String),
    /// Nothing for so many milliseconds.
    Hold(u64),
    Http500,
    Junk,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TradePlan {
    /// Recorded before the reply. `None`: the channel never knew the trade.
    pub stage: Option<TradeStage>,
    /// Milliseconds before the reply.
    pub wait_ms: u64,
    pub say: PlannedReply,
    /// End of a trade in process, and the milliseconds until then.
    pub settle: Option<(u64, TradeStage)>,
    /// Callbacks of the result: milliseconds after it is known.
    pub tell_ms: Vec<u64>,
    /// The first callback is delivered before the reply leaves.
    pub tell_first: bool,
    /// Gives the money back so many milliseconds after paying.
    pub return_ms: Option<u64>,
    pub lie: Option<ChannelLie>,
    /// The channel gets the request only so many milliseconds later.
    pub arrive_ms: Option<u64>,
}

/// A lie is told against the channel's own book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChannelLie {
    /// Twice the amount, in the reply and in callbacks.
    Amount,
    /// A failure is told, so many milliseconds after its result is known.
    Failed(u64),
}

impl TradePlan {
    /// Pays at once; the reply says `say`.
    fn paid(say: PlannedReply) -> Self {
        TradePlan {
            stage: Some(TradeStage::Paid),
            wait_ms: 0,
            say,
            settle: None,
            tell_ms: Vec::new(),
            tell_first: false,
            return_ms: None,
            lie: None,
            arrive_ms: None,
        }
    }

    fn unknown(say: PlannedReply) -> Self {
        TradePlan {
            stage: None,
            ..TradePlan::paid(say)
        }
    }

    /// Accepts, and settles as `stage` after `ms`.
    fn later(channel: &dyn ChannelSimulator, ms: u64, stage: TradeStage) -> Self {
        TradePlan {
            stage: Some(TradeStage::InProcess),
            settle: Some((ms, stage)),
            tell_ms: vec![0],
            ..TradePlan::paid(PlannedReply::Code(channel.accepted().into()))
        }
    }

    fn usual(channel: &dyn ChannelSimulator, delay_ms: u64) -> Self {
        if channel.pays_at_once() {
            TradePlan::paid(PlannedReply::Code(channel.result(TradeStage::Paid).into()))
        } else {
            TradePlan::later(channel, delay_ms, TradeStage::Paid)
        }
    }

    /// Paid, but the reply doesn't tell; a channel that calls back unasked does.
    fn paid_silently(channel: &dyn ChannelSimulator, delay_ms: u64, say: PlannedReply) -> Self {
        let tell_ms = if channel.calls_back_unasked() {
            vec![delay_ms]
        } else {
            Vec::new()
        };
        TradePlan {
            tell_ms,
            ..TradePlan::paid(say)
        }
    }

    /// Called back at these times, in milliseconds after the result is known.
    fn notified_at(self, times: impl IntoIterator<Item = u64>) -> Self {
        TradePlan {
            tell_ms: times.into_iter().collect(),
            ..self
        }
    }

    fn with_lie(self, lie: ChannelLie) -> Self {
        TradePlan {
            lie: Some(lie),
            ..self
        }
    }

    /// Refused for good in the reply, by code `code`; the book knows it as `stage`.
    fn refused(stage: TradeStage, code: &str) -> Self {
        TradePlan {
            stage: Some(stage),
            ..TradePlan::paid(PlannedReply::Code(code.into()))
        }
    }

    /// Refused in the reply, without a trace in the book.
    fn forgotten(channel: &dyn ChannelSimulator, not_here: bool) -> Self {
        let code = if not_here {
            channel.declined_here()
        } else {
            channel.refused()
        };
        TradePlan::unknown(PlannedReply::Code(code.into()))
    }

    /// On its way for `ms`, while the caller waits in vain.
    fn arriving(ms: u64, hold_ms: u64) -> Self {
        TradePlan {
            arrive_ms: Some(ms),
            ..TradePlan::unknown(PlannedReply::Hold(hold_ms))
        }
    }

    /// Tells whether nothing happens after the reply.
    pub fn is_over_with_reply(&self) -> bool {
        let quiet = self.tell_ms.is_empty() && self.return_ms.is_none() && self.lie.is_none();
        quiet && self.settle.is_none() && self.arrive_ms.is_none()
    }
}

/// Plans a request that arrives late, when nobody waits for its reply any more.
pub(super) fn late_arrival(kind: SimulatorKind, delay_ms: u64) -> TradePlan {
    TradePlan::paid_silently(kind.simulator(), delay_ms, PlannedReply::Http500)
}

/// Plans one payment; `delay_ms` is the channel's usual time to settle.
pub(super) fn plan(kind: SimulatorKind, action: &ScriptedAction, delay_ms: u64) -> TradePlan {
    let channel = kind.simulator();
    let usual = || TradePlan::usual(channel, delay_ms);
    let later = |ms| TradePlan::later(channel, ms, TradeStage::Paid);
    let maybe_paid = |pays: bool, say| {
        if pays {
            TradePlan::paid_silently(channel, delay_ms, say)
        } else {
            TradePlan::unknown(say)
        }
    };
    match action {
        ScriptedAction::Normal => usual(),
        ScriptedAction::Delay { ms: wait_ms } => TradePlan {
            wait_ms: *wait_ms,
            ..usual()
        },
        ScriptedAction::TimeoutAfterPaying { hold_ms } => {
            maybe_paid(true, PlannedReply::Hold(*hold_ms))
        }
        ScriptedAction::TimeoutWithoutPaying { hold_ms } => {
            maybe_paid(false, PlannedReply::Hold(*hold_ms))
        }
        ScriptedAction::UnknownCode { code, pays } => {
            maybe_paid(*pays, PlannedReply::Code(channel.unlisted(code, *pays)))
        }
        ScriptedAction::DuplicateCallback { times } => TradePlan {
            tell_ms: (0..u64::from(*times))
                .map(|n| n * REPEAT_INTERVAL_MS)
                .collect(),
            ..usual()
        },
        ScriptedAction::LateCallback { ms } => later(delay_ms).notified_at([*ms]),
        ScriptedAction::NoCallback => later(delay_ms).notified_at(None),
        ScriptedAction::CallbackBeforeReply => TradePlan {
            tell_first: true,
            ..TradePlan::paid(PlannedReply::Code(channel.accepted().into())).notified_at([0])
        },
        ScriptedAction::ReturnAfterSuccess { ms } => TradePlan {
            return_ms: Some(*ms),
            ..usual()
        },
        ScriptedAction::Fail => TradePlan::refused(TradeStage::Failed, channel.refused()),
        ScriptedAction::FailLater { ms } => TradePlan::later(channel, *ms, TradeStage::Failed),
        ScriptedAction::NotHere => TradePlan::refused(TradeStage::NotHere, channel.declined_here()),
        ScriptedAction::RefuseAndForget { not_here } => TradePlan::forgotten(channel, *not_here),
        ScriptedAction::DeliverLate { ms, hold_ms } => TradePlan::arriving(*ms, *hold_ms),
        ScriptedAction::NotHereLater { ms } => {
            TradePlan::later(channel, *ms, TradeStage::NotHere).notified_at([0, REPEAT_INTERVAL_MS])
        }
        ScriptedAction::InProcessThenNotify { ms } => later(*ms),
        ScriptedAction::Http500AfterPaying => maybe_paid(true, PlannedReply::Http500),
        ScriptedAction::JunkBody { pays } => maybe_paid(*pays, PlannedReply::Junk),
        ScriptedAction::WrongAmount => usual().with_lie(ChannelLie::Amount),
        ScriptedAction::FailThoughPaid { ms } => {
            TradePlan::refused(TradeStage::Paid, channel.refused()).notified_at([*ms])
        }
        ScriptedAction::NotHereThoughPaid { ms } => {
            TradePlan::refused(TradeStage::Paid, channel.declined_here()).notified_at([*ms])
        }
        ScriptedAction::FailAfterSuccess { ms } => usual().with_lie(ChannelLie::Failed(*ms)),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
