//! Chances of misbehaviour.

use crate::channels::script::ScriptedAction;
use anyhow::ensure;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Chances in permille of new payments that no script matches. At most one
/// action per payment, so the sum is at most 1000.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActionRates {
    pub delay: u32,
    pub timeout_after_paying: u32,
    pub timeout_without_paying: u32,
    /// Half of them pay, as with `junk_body`.
    pub unknown_code: u32,
    pub duplicate_callback: u32,
    pub late_callback: u32,
    pub no_callback: u32,
    pub callback_before_reply: u32,
    pub return_after_success: u32,
    pub fail: u32,
    pub fail_later: u32,
    pub in_process_then_notify: u32,
    pub http_500_after_paying: u32,
    pub junk_body: u32,
    /// Executed `late_ms` later at most, and a tenth of that at least.
    pub deliver_late: u32,
    /// Refused for a reason of this channel alone.
    pub not_here: u32,
    /// Chance in permille that a refusal in a reply, scripted or drawn, is not remembered.
    /// It comes on top of the actions, whose sum doesn't count it.
    pub forget_refusals: u32,
    /// Milliseconds that `delay`, `late_callback`, `return_after_success`,
    /// `fail_later` and `in_process_then_notify` take.
    pub ms: Option<u64>,
    /// Milliseconds that the two time-outs and `deliver_late` hold the connection.
    pub hold_ms: Option<u64>,
    /// Longest time in milliseconds between the sending of a late request and its arrival.
    pub late_ms: Option<u64>,
}

/// `ms` and `hold_ms` if they are not set; longer than the core's usual deadline.
const DEFAULT_ACTION_MS: u64 = 1_000;
const DEFAULT_HOLD_MS: u64 = 10_000;
/// `late_ms` if it is not set: the time for which Linux sends a request's bytes again.
const DEFAULT_LATE_MS: u64 = 120_000;

impl ActionRates {
    /// Refuses a sum above 1000 permille, and returns on a channel that has none.
    pub(in crate::channels) fn check(&self, id: &str, returns_exist: bool) -> anyhow::Result<()> {
        let sum: u64 = self
            .table(false)
            .iter()
            .map(|(permille, _)| u64::from(*permille))
            .sum();
        ensure!(
            sum <= 1000,
            "rates of {id} sum to {sum} permille: at most 1000"
        );
        ensure!(
            self.forget_refusals <= 1000,
            "rates of {id}: forget_refusals = {} permille: at most 1000",
            self.forget_refusals
        );
        ensure!(
            returns_exist || self.return_after_success == 0,
            "rates: {id} never returns"
        );
        Ok(())
    }

    /// Whether no chance is above nought, so that nothing need be drawn.
    pub(super) fn are_zero(&self) -> bool {
        self.table(false).iter().all(|(permille, _)| *permille == 0)
    }

    /// Draws the action of one payment.
    pub fn draw(&self, rng: &mut impl Rng) -> ScriptedAction {
        let mut point = rng.random_range(0..1000u32);
        for (permille, action) in self.table(rng.random()) {
            if point < permille {
                return spread(action, rng);
            }
            point -= permille;
        }
        ScriptedAction::Normal
    }

    /// Draws whether a refusal is forgotten.
    pub(super) fn forgets(&self, rng: &mut impl Rng) -> bool {
        self.forget_refusals > 0 && rng.random_range(0..1000u32) < self.forget_refusals
    }

    fn table(&self, pays: bool) -> [(u32, ScriptedAction); 16] {
        use ScriptedAction::*;
        let ms = self.ms.unwrap_or(DEFAULT_ACTION_MS);
        let hold_ms = self.hold_ms.unwrap_or(DEFAULT_HOLD_MS);
        let late_ms = self.late_ms.unwrap_or(DEFAULT_LATE_MS);
        let code = "7777".to_owned();
        [
            (self.delay, Delay { ms }),
            (self.timeout_after_paying, TimeoutAfterPaying { hold_ms }),
            (
                self.timeout_without_paying,
                TimeoutWithoutPaying { hold_ms },
            ),
            (self.unknown_code, UnknownCode { code, pays }),
            (self.duplicate_callback, DuplicateCallback { times: 3 }),
            (self.late_callback, LateCallback { ms }),
            (self.no_callback, NoCallback),
            (self.callback_before_reply, CallbackBeforeReply),
            (self.return_after_success, ReturnAfterSuccess { ms }),
            (self.fail, Fail),
            (self.fail_later, FailLater { ms }),
            (self.in_process_then_notify, InProcessThenNotify { ms }),
            (self.http_500_after_paying, Http500AfterPaying),
            (self.junk_body, JunkBody { pays }),
            (
                self.deliver_late,
                DeliverLate {
                    ms: late_ms,
                    hold_ms,
                },
            ),
            (self.not_here, NotHere),
        ]
    }
}

/// Draws the time of a late request, between a tenth of the longest and the longest.
fn spread(action: ScriptedAction, rng: &mut impl Rng) -> ScriptedAction {
    match action {
        ScriptedAction::DeliverLate { ms, hold_ms } => ScriptedAction::DeliverLate {
            ms: rng.random_range(ms / 10..=ms),
            hold_ms,
        },
        other => other,
    }
}
