use super::*;
use crate::orders::sample;
use rust_decimal::Decimal;
use sluice_contract::ids::new_order_id;
use sluice_contract::order::{OrderKind, OrderState};

fn key() -> Secret {
    Secret::new("a provenance key")
}

/// An order as it is read after it was written.
fn written(mut order: Order) -> Order {
    let key = OrderSealKey::derive(&key());
    order.request_mac = RowSeals::of_new(&order, &key).unwrap().request;
    order.send_mac = RowSeals::of_moved(&order, &key).sending;
    order
}

fn accepted() -> Order {
    let mut order = sample(OrderKind::CashOut);
    order.order_id = new_order_id(&order.account_id);
    written(order)
}

fn claimed() -> Order {
    let mut order = accepted();
    order.attempts = 1;
    order.channel = Some("psp".into());
    order.trade_time = Some("20261129120000".into());
    written(order)
}

/// The order as somebody sets it to `init` once the core has written it in `state`.
fn set_back(order: &Order, state: OrderState) -> Order {
    let mut order = order.clone();
    order.state = state;
    let mut order = written(order);
    order.state = OrderState::Init;
    order
}

#[test]
fn a_row_that_was_changed_is_noticed_and_one_that_was_not_passes() {
    let seals = OrderSeals::new(&key(), None, 0);
    let wrong = |breach| Err(breach);
    type Change = (fn(&mut Order), Result<(), SealBreach>);
    let request = wrong(SealBreach::Request(SealError::Mismatch));
    let sending = wrong(SealBreach::Sending(SealError::Mismatch));
    let changes: [Change; 21] = [
        (|_| (), Ok(())),
        (|o| o.queries += 1, Ok(())),
        (|o| o.to_account = "thief".into(), request),
        (|o| o.amount += Decimal::ONE, request),
        (|o| o.amount.rescale(4), Ok(())),
        (|o| o.kind = OrderKind::Refund, request),
        (|o| o.client = "other".into(), request),
        (|o| o.bank = None, request),
        (|o| o.account_id = "B".into(), request),
        (|o| o.serial_no = "S".into(), request),
        (|o| o.request_mac = None, wrong(SealBreach::RequestMissing)),
        (|o| o.trade_time = None, sending),
        (|o| o.channel = None, sending),
        (|o| o.attempts = 0, sending),
        (|o| o.send_mac = None, wrong(SealBreach::SendingMissing)),
        (
            |o| (o.send_mac, o.attempts, o.trade_time) = (None, 0, None),
            wrong(SealBreach::SendingMissing),
        ),
        (|o| o.state = OrderState::Processing, Ok(())),
        (
            |o| o.state = OrderState::Failed,
            wrong(SealBreach::NotEnded),
        ),
        (
            |o| o.state = OrderState::Booking,
            wrong(SealBreach::NotEnded),
        ),
        (
            |o| *o = set_back(o, OrderState::Failed),
            wrong(SealBreach::EndedBefore),
        ),
        (
            |o| *o = set_back(o, OrderState::Booking),
            wrong(SealBreach::NotBooked),
        ),
    ];
    for (at, (change, expected)) in changes.into_iter().enumerate() {
        let mut order = claimed();
        change(&mut order);
        assert_eq!(seals.check(&order), expected, "{at}");
    }
    assert_eq!(seals.check(&accepted()), Ok(()));
}

#[test]
fn seals_of_another_order_do_not_fit() {
    let seals = OrderSeals::new(&key(), None, 0);
    let (one, mut other) = (accepted(), accepted());
    other.request_mac = one.request_mac;
    assert!(seals.check(&other).is_err());
}

#[test]
fn what_was_made_before_a_roll_out_ended_may_lack_seals_and_nothing_else() {
    let now = i64::from_str_radix(&accepted().order_id[..12], 16).unwrap();
    let (open, shut) = (
        OrderSeals::new(&key(), None, now + 60_000),
        OrderSeals::new(&key(), None, now - 60_000),
    );
    let mut old = claimed();
    (old.request_mac, old.send_mac) = (None, None);
    assert_eq!(open.check(&old), Ok(()));
    assert_eq!(shut.check(&old), Err(SealBreach::RequestMissing));
    // An older core has claimed again what a new one had accepted.
    let mut mixed = claimed();
    mixed.attempts = 2;
    assert_eq!(open.check(&mixed), Ok(()));
    let mut bent = claimed();
    bent.to_account = "thief".into();
    assert!(open.check(&bent).is_err());
}
