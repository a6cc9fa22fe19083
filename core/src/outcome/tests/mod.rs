//! Outcomes applied in memory, by example.

mod acknowledgements;
mod cases;
mod channels;
mod declines;
mod echo;
mod late;
mod payments;
mod reversals;
mod sendings;

use crate::orders::state::OrderInput;
use crate::orders::{Order, OrderRef, sample};
use crate::outcome::apply::{AckPolicy, AppliedOutcomes, OutcomeDelays, SlowQueries, apply};
use crate::outcome::report::{AskedQuery, OrderOutcome, OutcomeResult};
use sluice_contract::order::{OrderKind, OrderState};

const NOW_US: i64 = 10_000_000;
/// Quiet time of the channels, and until when the orders of these tests could be sent.
const QUIET_US: i64 = 2_000_000;
const SEND_BY_US: i64 = 1_000_000;

fn delays() -> OutcomeDelays {
    let ack_policy = AckPolicy {
        clients: std::sync::Arc::new(["shop".to_owned()].into()),
        first_us: 1_000,
        max_delay_us: 8_000,
        max_notifications: 2,
    };
    let quiet = ["netsunion", "unionpay"]
        .into_iter()
        .map(|c| (c.to_owned(), QUIET_US));
    OutcomeDelays {
        first_query_us: 10,
        callback_us: 20,
        pending_interval_us: 1_000_000,
        quiet_us: std::sync::Arc::new(quiet.collect()),
        slow_queries: SlowQueries {
            first_us: 500_000,
            longest_us: 4_000_000,
        },
        ack_policy,
    }
}

/// Makes an order of `shop` that went out twice.
fn shop_order(state: OrderState) -> Order {
    Order {
        account_id: "A".into(),
        order_id: "o".into(),
        client: "shop".into(),
        currency: "CNY".parse().unwrap(),
        state,
        channel: Some("netsunion".into()),
        attempts: 1,
        queries: 1,
        sends: 2,
        notified_us: 1,
        version: 5,
        due_us: Some(1),
        send_by_us: Some(SEND_BY_US),
        send_by_sending: Some(2),
        last_pending_us: Some(0),
        ..sample(OrderKind::CashOut)
    }
}

fn says(event: OrderInput) -> OrderOutcome {
    OrderOutcome {
        channel: Some("netsunion"),
        ..OrderOutcome::new(OrderRef::new("A", "o"), event)
    }
}

/// A query made after so many sendings, once the channel is quiet.
fn asked(sends: i64) -> AskedQuery {
    AskedQuery {
        sends,
        asked_us: SEND_BY_US + QUIET_US,
    }
}

fn after(order: Order, outcome: &OrderOutcome) -> (OutcomeResult, Order, AppliedOutcomes) {
    let all = apply(
        std::slice::from_ref(outcome),
        vec![order],
        &delays(),
        NOW_US,
    );
    (all.taken[0], all.orders["o"].clone(), all)
}

/// Makes an order of 1 CNY on unionpay that was sent `attempts` times.
fn unionpay_order(state: OrderState, attempts: i64) -> Order {
    Order {
        account_id: "A".into(),
        order_id: "o".into(),
        client: "shop".into(),
        to_account: "p".into(),
        currency: "CNY".parse().unwrap(),
        state,
        channel: Some("unionpay".into()),
        serial_no: "O".into(),
        attempts,
        queries: attempts,
        sends: attempts,
        notified_us: 1,
        version: 3,
        due_us: Some(1),
        send_by_us: Some(SEND_BY_US),
        send_by_sending: Some(attempts),
        last_pending_us: Some(0),
        ..sample(OrderKind::CashOut)
    }
}

fn apply_to(outcome: OrderOutcome, order: Order) -> AppliedOutcomes {
    apply(&[outcome], vec![order], &delays(), 100)
}
