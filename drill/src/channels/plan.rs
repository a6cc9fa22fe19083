//! What a channel does with a new payment, decided before anything happens.

use crate::channels::kind::{SimulatorKind, TradeStage};
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
    /// What becomes of a trade in process, and after how many milliseconds.
    pub settle: Option<(u64, TradeStage)>,
    /// Callbacks of the result: milliseconds after it is known.
    pub tell_ms: Vec<u64>,
    /// The first callback is delivered before the reply leaves.
    pub tell_first: bool,
    /// Gives the money back so many milliseconds after paying.
    pub return_ms: Option<u64>,
    pub lie: Option<ChannelLie>,
}

/// What is told against the channel's own book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChannelLie {
    /// Twice the amount, in the reply and in callbacks.
    Amount,
    /// That the trade failed, so many milliseconds after its result is known.
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
        }
    }

    fn unknown(say: PlannedReply) -> Self {
        TradePlan {
            stage: None,
            ..TradePlan::paid(say)
        }
    }

    /// Accepts, and settles as `stage` after `ms`.
    fn later(kind: SimulatorKind, ms: u64, stage: TradeStage) -> Self {
        TradePlan {
            stage: Some(TradeStage::InProcess),
            settle: Some((ms, stage)),
            tell_ms: vec![0],
            ..TradePlan::paid(PlannedReply::Code(kind.accepted().into()))
        }
    }

    fn usual(kind: SimulatorKind, delay_ms: u64) -> Self {
        match kind {
            SimulatorKind::NetsUnion => {
                TradePlan::paid(PlannedReply::Code(kind.result(TradeStage::Paid).into()))
            }
            SimulatorKind::UnionPay | SimulatorKind::Psp => {
                TradePlan::later(kind, delay_ms, TradeStage::Paid)
            }
        }
    }

    /// Paid, but the reply doesn't tell. UnionPay and the psp call back: they always
    /// do; NetsUnion does for what it answered as in process.
    fn paid_silently(kind: SimulatorKind, delay_ms: u64, say: PlannedReply) -> Self {
        let tell_ms = if kind == SimulatorKind::NetsUnion {
            Vec::new()
        } else {
            vec![delay_ms]
        };
        TradePlan {
            tell_ms,
            ..TradePlan::paid(say)
        }
    }
}

/// `delay_ms` is the channel's usual time to settle.
pub(super) fn plan(kind: SimulatorKind, action: &ScriptedAction, delay_ms: u64) -> TradePlan {
    let usual = || TradePlan::usual(kind, delay_ms);
    let later = |ms| TradePlan::later(kind, ms, TradeStage::Paid);
    let maybe_paid = |pays: bool, say| {
        if pays {
            TradePlan::paid_silently(kind, delay_ms, say)
        } else {
            TradePlan::unknown(say)
        }
    };
    match action {
        ScriptedAction::Normal => usual(),
        ScriptedAction::Delay { ms } => TradePlan {
            wait_ms: *ms,
            ..usual()
        },
        ScriptedAction::TimeoutAfterPaying { hold_ms } => {
            maybe_paid(true, PlannedReply::Hold(*hold_ms))
        }
        ScriptedAction::TimeoutWithoutPaying { hold_ms } => {
            maybe_paid(false, PlannedReply::Hold(*hold_ms))
        }
        ScriptedAction::UnknownCode { code, pays } => {
            maybe_paid(*pays, PlannedReply::Code(kind.unlisted(code, *pays)))
        }
        ScriptedAction::DuplicateCallback { times } => {
            let tell_ms = (0..u64::from(*times))
                .map(|n| n * REPEAT_INTERVAL_MS)
                .collect();
            TradePlan { tell_ms, ..usual() }
        }
        ScriptedAction::LateCallback { ms } => TradePlan {
            tell_ms: vec![*ms],
            ..later(delay_ms)
        },
        ScriptedAction::NoCallback => TradePlan {
            tell_ms: Vec::new(),
            ..later(delay_ms)
        },
        ScriptedAction::CallbackBeforeReply => TradePlan {
            tell_ms: vec![0],
            tell_first: true,
            ..TradePlan::paid(PlannedReply::Code(kind.accepted().into()))
        },
        ScriptedAction::ReturnAfterSuccess { ms } => TradePlan {
            return_ms: Some(*ms),
            ..usual()
        },
        ScriptedAction::Fail => TradePlan {
            stage: Some(TradeStage::Failed),
            ..TradePlan::paid(PlannedReply::Code(kind.refused().into()))
        },
        ScriptedAction::FailLater { ms } => TradePlan::later(kind, *ms, TradeStage::Failed),
        ScriptedAction::NotHere => TradePlan {
            stage: Some(TradeStage::NotHere),
            ..TradePlan::paid(PlannedReply::Code(kind.not_here().into()))
        },
        ScriptedAction::NotHereLater { ms } => TradePlan {
            tell_ms: vec![0, REPEAT_INTERVAL_MS],
            ..TradePlan::later(kind, *ms, TradeStage::NotHere)
        },
        ScriptedAction::InProcessThenNotify { ms } => later(*ms),
        ScriptedAction::Http500AfterPaying => maybe_paid(true, PlannedReply::Http500),
        ScriptedAction::JunkBody { pays } => maybe_paid(*pays, PlannedReply::Junk),
        ScriptedAction::WrongAmount => TradePlan {
            lie: Some(ChannelLie::Amount),
            ..usual()
        },
        ScriptedAction::FailThoughPaid { ms } => TradePlan {
            tell_ms: vec![*ms],
            ..TradePlan::paid(PlannedReply::Code(kind.refused().into()))
        },
        ScriptedAction::NotHereThoughPaid { ms } => TradePlan {
            tell_ms: vec![*ms],
            ..TradePlan::paid(PlannedReply::Code(kind.not_here().into()))
        },
        ScriptedAction::FailAfterSuccess { ms } => TradePlan {
            lie: Some(ChannelLie::Failed(*ms)),
            ..usual()
        },
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
