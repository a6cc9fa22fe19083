//! What a channel does with a new payment, decided before anything happens.

use super::kind::{Kind, Stage};
use super::script::Action;

/// Repeated callbacks of one result are this far apart, in milliseconds.
const REPEAT_MS: u64 = 50;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Say {
    Code(String),
    /// Nothing for so many milliseconds.
    Hold(u64),
    Http500,
    Junk,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Recorded before the reply. `None`: the channel never knew the trade.
    pub stage: Option<Stage>,
    /// Milliseconds before the reply.
    pub wait_ms: u64,
    pub say: Say,
    /// What becomes of a trade in process, and after how many milliseconds.
    pub settle: Option<(u64, Stage)>,
    /// Callbacks of the result: milliseconds after it is known.
    pub tell_ms: Vec<u64>,
    /// The first callback is delivered before the reply leaves.
    pub tell_first: bool,
    /// Gives the money back so many milliseconds after paying.
    pub return_ms: Option<u64>,
    pub lie: Option<Lie>,
}

/// What is told against the channel's own book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// Twice the amount, in the reply and in callbacks.
    Amount,
    /// That the trade failed, so many milliseconds after its result is known.
    Failed(u64),
}

impl Plan {
    /// Pays at once; the reply says `say`.
    fn paid(say: Say) -> Self {
        Plan {
            stage: Some(Stage::Paid),
            wait_ms: 0,
            say,
            settle: None,
            tell_ms: Vec::new(),
            tell_first: false,
            return_ms: None,
            lie: None,
        }
    }

    fn unknown(say: Say) -> Self {
        Plan {
            stage: None,
            ..Plan::paid(say)
        }
    }

    /// Accepts, and settles as `stage` after `ms`.
    fn later(kind: Kind, ms: u64, stage: Stage) -> Self {
        Plan {
            stage: Some(Stage::InProcess),
            settle: Some((ms, stage)),
            tell_ms: vec![0],
            ..Plan::paid(Say::Code(kind.accepted().into()))
        }
    }

    fn usual(kind: Kind, delay_ms: u64) -> Self {
        match kind {
            Kind::NetsUnion => Plan::paid(Say::Code(kind.result(Stage::Paid).into())),
            Kind::UnionPay | Kind::Psp => Plan::later(kind, delay_ms, Stage::Paid),
        }
    }

    /// Paid, but the reply doesn't tell. UnionPay and the psp call back: they always
    /// do; NetsUnion does for what it answered as in process.
    fn paid_silently(kind: Kind, delay_ms: u64, say: Say) -> Self {
        let tell_ms = if kind == Kind::NetsUnion {
            Vec::new()
        } else {
            vec![delay_ms]
        };
        Plan {
            tell_ms,
            ..Plan::paid(say)
        }
    }
}

/// `delay_ms` is the channel's usual time to settle.
pub(super) fn plan(kind: Kind, action: &Action, delay_ms: u64) -> Plan {
    let usual = || Plan::usual(kind, delay_ms);
    let later = |ms| Plan::later(kind, ms, Stage::Paid);
    let maybe_paid = |pays: bool, say| {
        if pays {
            Plan::paid_silently(kind, delay_ms, say)
        } else {
            Plan::unknown(say)
        }
    };
    match action {
        Action::Normal => usual(),
        Action::Delay { ms } => Plan {
            wait_ms: *ms,
            ..usual()
        },
        Action::TimeoutAfterPaying { hold_ms } => maybe_paid(true, Say::Hold(*hold_ms)),
        Action::TimeoutWithoutPaying { hold_ms } => maybe_paid(false, Say::Hold(*hold_ms)),
        Action::UnknownCode { code, pays } => {
            maybe_paid(*pays, Say::Code(kind.unlisted(code, *pays)))
        }
        Action::DuplicateCallback { times } => {
            let tell_ms = (0..u64::from(*times)).map(|n| n * REPEAT_MS).collect();
            Plan { tell_ms, ..usual() }
        }
        Action::LateCallback { ms } => Plan {
            tell_ms: vec![*ms],
            ..later(delay_ms)
        },
        Action::NoCallback => Plan {
            tell_ms: Vec::new(),
            ..later(delay_ms)
        },
        Action::CallbackBeforeReply => Plan {
            tell_ms: vec![0],
            tell_first: true,
            ..Plan::paid(Say::Code(kind.accepted().into()))
        },
        Action::ReturnAfterSuccess { ms } => Plan {
            return_ms: Some(*ms),
            ..usual()
        },
        Action::Fail => Plan {
            stage: Some(Stage::Failed),
            ..Plan::paid(Say::Code(kind.refused().into()))
        },
        Action::FailLater { ms } => Plan::later(kind, *ms, Stage::Failed),
        Action::NotHere => Plan {
            stage: Some(Stage::NotHere),
            ..Plan::paid(Say::Code(kind.not_here().into()))
        },
        Action::NotHereLater { ms } => Plan {
            tell_ms: vec![0, REPEAT_MS],
            ..Plan::later(kind, *ms, Stage::NotHere)
        },
        Action::InProcessThenNotify { ms } => later(*ms),
        Action::Http500AfterPaying => maybe_paid(true, Say::Http500),
        Action::JunkBody { pays } => maybe_paid(*pays, Say::Junk),
        Action::WrongAmount => Plan {
            lie: Some(Lie::Amount),
            ..usual()
        },
        Action::FailThoughPaid { ms } => Plan {
            tell_ms: vec![*ms],
            ..Plan::paid(Say::Code(kind.refused().into()))
        },
        Action::NotHereThoughPaid { ms } => Plan {
            tell_ms: vec![*ms],
            ..Plan::paid(Say::Code(kind.not_here().into()))
        },
        Action::FailAfterSuccess { ms } => Plan {
            lie: Some(Lie::Failed(*ms)),
            ..usual()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_paid_is_never_told_as_paid() {
        let unpaid = [
            Action::TimeoutWithoutPaying { hold_ms: 1 },
            Action::UnknownCode {
                code: "7777".into(),
                pays: false,
            },
            Action::JunkBody { pays: false },
        ];
        for kind in Kind::ALL {
            for action in &unpaid {
                let plan = plan(kind, action, 5);
                assert_eq!(
                    (plan.stage, plan.settle, plan.tell_ms),
                    (None, None, vec![]),
                    "{kind} {action:?}"
                );
            }
            assert_eq!(plan(kind, &Action::Fail, 5).stage, Some(Stage::Failed));
            assert_eq!(
                plan(kind, &Action::FailLater { ms: 1 }, 5).settle,
                Some((1, Stage::Failed))
            );
        }
    }

    #[test]
    fn the_usual_way_differs_by_channel() {
        let nets = plan(Kind::NetsUnion, &Action::Normal, 5);
        assert_eq!(
            (nets.stage, nets.say, nets.tell_ms),
            (Some(Stage::Paid), Say::Code("0000".into()), vec![])
        );
        let union = plan(Kind::UnionPay, &Action::Normal, 5);
        assert_eq!(
            (union.stage, union.settle),
            (Some(Stage::InProcess), Some((5, Stage::Paid)))
        );
        assert_eq!(
            (union.say, union.tell_ms),
            (Say::Code("00".into()), vec![0])
        );
    }
}
