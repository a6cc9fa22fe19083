//! Orders that a channel declines for itself alone.

use crate::orders::state::OrderInput;
use crate::orders::{Order, OrderRef};
use crate::outcome::apply::{AppliedOutcomes, AttemptChange, apply};
use crate::outcome::report::{OrderOutcome, OutcomeResult};
use crate::outcome::tests::{delays, unionpay_order};
use sluice_contract::order::OrderState;

/// Applies a decline of an order that went to netsunion and back, without or with a wish for it.
fn declined_here(wished: bool) -> AppliedOutcomes {
    let route = format!(r#"{{"version":1,"chosen":"netsunion","rejected":[],"wished":{wished}}}"#);
    let order = Order {
        channel: Some("netsunion".into()),
        route: Some(route),
        trade_time: Some("20261120235959".into()),
        ..unionpay_order(OrderState::Processing, 1)
    };
    let (at, channel) = (OrderRef::new("A", "o"), Some("netsunion"));
    let said = OrderOutcome {
        channel,
        code: Some("1005".into()),
        ..OrderOutcome::new(at, OrderInput::NotHere)
    };
    // Told twice: the second time it is somebody else's.
    apply(&[said.clone(), said], vec![order], &delays(), 100)
}

#[test]
fn what_a_channel_declines_for_itself_alone_waits_for_another() {
    let all = declined_here(false);
    let order = &all.orders["o"];
    assert_eq!(all.taken, [OutcomeResult::Moved, OutcomeResult::Already]);
    assert_eq!(
        (order.state, order.channel.as_deref(), order.was_sent()),
        (OrderState::Init, None, false)
    );
    assert_eq!(
        (order.serial_no.as_str(), order.trade_time.as_deref()),
        ("O", Some("20261120235959"))
    );
    let closed = AttemptChange {
        channel: "netsunion".into(),
        state: "failed",
        live: false,
    };
    assert_eq!(
        (&all.attempts["o"], all.bookings.len(), all.cases.len()),
        (&closed, 0, 0)
    );
    assert!(
        all.freed["o"]
            .keys
            .iter()
            .any(|k| k.key == "netsunion" && k.period == "20261120")
    );
    assert_eq!(all.moves[0].channel.as_deref(), Some("netsunion"));
    // Its caller asked for this channel and no other.
    let all = declined_here(true);
    assert_eq!(
        (all.orders["o"].state, all.bookings.len()),
        (OrderState::Failed, 1)
    );
}
