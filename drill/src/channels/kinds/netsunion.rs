//! NetsUnion-like: the reply tells the result; only a trade in process is told by
//! callback (seed 002 §4.1).

use crate::channels::kinds::SimulatorKind;
use crate::channels::kinds::union_simulator::UnionSimulator;
use crate::channels::script::rates::ActionRates;

pub static NETSUNION: UnionSimulator = UnionSimulator {
    kind: SimulatorKind::NetsUnion,
    accepted: "2001",
    refused: "1001",
    declined_here: "1005",
    duplicate: "9002",
    conflict: "1003",
    no_such_trade: "9001",
    in_process: "2001",
    paid: "0000",
    failed: "1001",
    not_here: "1005",
    returned: None,
    pays_at_once: true,
    // A callback follows only what was answered as in process.
    calls_back_unasked: false,
    bad_day,
};

fn bad_day() -> ActionRates {
    ActionRates {
        delay: 20,
        timeout_after_paying: 3,
        timeout_without_paying: 3,
        unknown_code: 4,
        http_500_after_paying: 2,
        in_process_then_notify: 20,
        fail: 5,
        ms: Some(300),
        hold_ms: Some(1_500),
        ..ActionRates::default()
    }
}
