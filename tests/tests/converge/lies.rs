//! Channels on their worst day, and the payees to whom they lie.

use sluice_drill::channels::{
    ActionRates, ActionScript, ScriptedAction, SimulatedChannelConfig, SimulatorConfig,
    SimulatorKind,
};

/// Quiet time of the channels; no request is later than that.
pub(super) const QUIET_MS: u64 = 3_000;

/// Payees to whom a channel lies, by the end of their name. Even orders that wish for a
/// channel are NetsUnion's, odd ones UnionPay's: about a hundred each.
fn lies() -> Vec<(SimulatorKind, &'static str, ScriptedAction)> {
    vec![
        (SimulatorKind::NetsUnion, "42", ScriptedAction::WrongAmount),
        (
            SimulatorKind::NetsUnion,
            "84",
            ScriptedAction::FailThoughPaid { ms: 400 },
        ),
        (
            SimulatorKind::UnionPay,
            "13",
            ScriptedAction::FailThoughPaid { ms: 400 },
        ),
        (
            SimulatorKind::UnionPay,
            "37",
            ScriptedAction::FailAfterSuccess { ms: 300 },
        ),
        (SimulatorKind::UnionPay, "59", ScriptedAction::WrongAmount),
    ]
}

/// A worse day than `bad_day`: about one order in four is answered in a bad manner.
pub(super) fn worst_day(seed: u64) -> SimulatorConfig {
    let both = ActionRates {
        delay: 20,
        timeout_after_paying: 15,
        timeout_without_paying: 15,
        unknown_code: 15,
        http_500_after_paying: 15,
        junk_body: 15,
        in_process_then_notify: 20,
        fail: 40,
        fail_later: 20,
        // Both manners of late and lost, within the quiet time.
        forget_refusals: 700,
        deliver_late: 40,
        // On to another channel, while an earlier request may still arrive at this one.
        not_here: 80,
        late_ms: Some(QUIET_MS),
        late_callback: 20,
        duplicate_callback: 20,
        callback_before_reply: 20,
        no_callback: 15,
        ms: Some(300),
        hold_ms: Some(1_200),
        ..ActionRates::default()
    };
    let channel = |kind: SimulatorKind, rates: ActionRates| SimulatedChannelConfig {
        rates,
        scripts: lies()
            .iter()
            .filter(|l| l.0 == kind)
            .map(|l| ActionScript::new(&format!("*{}", l.1), l.2.clone()))
            .collect(),
        ..SimulatedChannelConfig::default()
    };
    let netsunion = channel(SimulatorKind::NetsUnion, both.clone());
    // Only what another has declined comes to it.
    let psp = channel(SimulatorKind::Psp, both.clone());
    let returning = ActionRates {
        return_after_success: 20,
        ..both
    };
    let unionpay = channel(SimulatorKind::UnionPay, returning);
    SimulatorConfig {
        seed: Some(seed),
        ..SimulatorConfig::default()
    }
    .with(SimulatorKind::NetsUnion, netsunion)
    .with(SimulatorKind::UnionPay, unionpay)
    .with(SimulatorKind::Psp, psp)
}

pub(super) fn is_lied_to(payee: &str) -> bool {
    lies().iter().any(|l| payee.ends_with(l.1))
}
