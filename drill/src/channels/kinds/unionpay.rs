//! UnionPay-like: the reply only accepts, a callback tells the result, and a success may
//! be returned later (seed 002 §4.3).

use crate::channels::kinds::SimulatorKind;
use crate::channels::kinds::union_simulator::UnionSimulator;
use crate::channels::script::rates::ActionRates;

pub static UNIONPAY: UnionSimulator = UnionSimulator {
    kind: SimulatorKind::UnionPay,
    accepted: "00",
    refused: "11",
    declined_here: "15",
    duplicate: "03",
    conflict: "12",
    no_such_trade: "34",
    in_process: "05",
    paid: "00S",
    failed: "00F",
    not_here: "00N",
    returned: Some("00R"),
    pays_at_once: false,
    calls_back_unasked: true,
    bad_day,
};

fn bad_day() -> ActionRates {
    ActionRates {
        late_callback: 20,
        duplicate_callback: 20,
        callback_before_reply: 20,
        no_callback: 3,
        return_after_success: 4,
        fail_later: 5,
        timeout_after_paying: 2,
        ms: Some(300),
        hold_ms: Some(1_500),
        ..ActionRates::default()
    }
}
