//! Channels on a bad day, by a seed that plays it again.

use sluice_drill::channels::{ActionRates, SimulatorConfig, SimulatorKind};

/// Channels on a bad day; the seed is printed by the simulators and here.
#[allow(clippy::print_stdout)]
pub fn bad_day(seed: u64) -> SimulatorConfig {
    println!("simulators' seed: {seed} (set SLUICE_SEED to play it again)");
    let netsunion = ActionRates {
        timeout_after_paying: 10,
        timeout_without_paying: 10,
        unknown_code: 10,
        http_500_after_paying: 10,
        in_process_then_notify: 30,
        junk_body: 10,
        fail: 20,
        ms: Some(200),
        hold_ms: Some(1_300),
        ..ActionRates::default()
    };
    let unionpay = ActionRates {
        late_callback: 30,
        duplicate_callback: 30,
        callback_before_reply: 30,
        no_callback: 10,
        return_after_success: 20,
        fail_later: 20,
        timeout_after_paying: 10,
        ms: Some(200),
        hold_ms: Some(1_300),
        ..ActionRates::default()
    };
    let psp = ActionRates {
        late_callback: 30,
        duplicate_callback: 30,
        callback_before_reply: 30,
        no_callback: 10,
        unknown_code: 20,
        junk_body: 10,
        fail: 20,
        fail_later: 20,
        timeout_after_paying: 10,
        timeout_without_paying: 10,
        ms: Some(200),
        hold_ms: Some(1_300),
        ..ActionRates::default()
    };
    SimulatorConfig {
        seed: Some(seed),
        ..SimulatorConfig::default()
    }
    .with_rates(SimulatorKind::NetsUnion, netsunion)
    .with_rates(SimulatorKind::UnionPay, unionpay)
    .with_rates(SimulatorKind::Psp, psp)
}

/// `SLUICE_SEED`, or a fresh one.
pub fn seed() -> u64 {
    std::env::var("SLUICE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(rand::random)
}
