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
    let seals = OrderSeals::new(&key().into(), &[], 0);
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
            wrong(SealBreach::SentBeforeBooked),
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
    let seals = OrderSeals::new(&key().into(), &[], 0);
    let (one, mut other) = (accepted(), accepted());
    other.request_mac = one.request_mac;
    assert!(seals.check(&other).is_err());
}

#[test]
fn what_was_made_before_a_roll_out_ended_may_lack_seals_and_nothing_else() {
    let now = i64::from_str_radix(&accepted().order_id[..12], 16).unwrap();
    let (open, shut) = (
        OrderSeals::new(&key().into(), &[], now + 60_000),
        OrderSeals::new(&key().into(), &[], now - 60_000),
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

#[test]
fn a_roll_out_of_seals_that_was_not_announced_stops_the_start_and_a_few_lost_seals_do_not() {
    let found = |looked_at, unsealed| UnsealedOrders {
        looked_at,
        unsealed,
        example: (unsealed > 0).then(|| "0190".to_owned()),
    };
    let unannounced = OrderSeals::new(&key().into(), &[], 0);
    for (looked_at, unsealed, starts) in [
        (0, 0, true),
        (3_000, 0, true),
        (3_000, 1, true),
        (9, 4, true),
        (9, 5, false),
        (3_000, 3_000, false),
    ] {
        let found = found(looked_at, unsealed);
        let insisted = unannounced.insist_on_sealed(&found);
        assert_eq!(insisted.is_ok(), starts, "{found:?}: {insisted:?}");
    }
    let refused = unannounced.insist_on_sealed(&found(3_000, 2_999));
    let text = refused.unwrap_err().to_string();
    for named in ["2999 of 3000", "0190", "accept.unsealed_until"] {
        assert!(text.contains(named), "{text}");
    }
    let announced = OrderSeals::new(&key().into(), &[], i64::MAX);
    assert!(announced.insist_on_sealed(&found(9, 9)).is_ok());
}

#[test]
fn a_retired_key_vouches_for_its_orders_and_an_unknown_one_accuses_nobody() {
    let (new, newer) = (Secret::new("a newer key"), Secret::new("the newest key"));
    let keys = SigningKeys::new(newer, Some(new));
    let seals = OrderSeals::new(&keys, &[key()], 0);
    assert_eq!(seals.check(&claimed()), Ok(()));
    let mut bent = claimed();
    bent.to_account = "thief".into();
    let breach = seals.check(&bent).unwrap_err();
    assert_eq!(breach.case_kind(), CaseKind::Altered);
    let forgotten = OrderSeals::new(&keys, &[], 0)
        .check(&claimed())
        .unwrap_err();
    assert_eq!(forgotten, SealBreach::Request(SealError::UnknownKey));
    assert_eq!(forgotten.case_kind(), CaseKind::UnknownKey);
}

#[test]
fn nothing_was_sent_before_its_money_was_reserved() {
    let seals = OrderSeals::new(&key().into(), &[], 0);
    let mut waiting = accepted();
    waiting.state = OrderState::Booking;
    assert_eq!(
        seals.check(&waiting),
        Err(SealBreach::NotEnded),
        "put back to its booking"
    );
    assert_eq!(seals.check(&written(waiting)), Ok(()));
    // Seals of its own later life are no excuse.
    let mut sent = claimed();
    sent.state = OrderState::Booking;
    let sent = written(sent);
    assert_eq!(seals.check(&sent), Err(SealBreach::SentBeforeBooked));
}

#[test]
fn attempts_are_those_that_the_seal_counts() {
    let attempt = |order: &Order, number, channel: &str, is_live| StoredAttempt {
        order_id: order.order_id.clone(),
        number,
        channel: channel.into(),
        is_live,
    };
    let out = claimed();
    let check = |rows: &[(i64, &str, bool)]| {
        let row = |(n, channel, live): &(i64, &str, bool)| attempt(&out, *n, channel, *live);
        check_attempts(&out, &rows.iter().map(row).collect::<Vec<_>>())
    };
    assert_eq!(check(&[(1, "psp", true)]), Ok(()));
    assert_eq!(check(&[(1, "psp", false)]), Ok(()));
    for wrong in [
        &[][..],
        &[(9, "psp", true)],
        &[(1, "other", true)],
        &[(1, "psp", false), (2, "psp", false)],
    ] {
        assert_eq!(check(wrong), Err(SealBreach::Attempts), "{wrong:?}");
    }
    let mut between = claimed();
    between.channel = None;
    let ended = [attempt(&between, 1, "psp", false)];
    assert_eq!(check_attempts(&between, &ended), Ok(()));
    let alive = [attempt(&between, 1, "psp", true)];
    assert_eq!(check_attempts(&between, &alive), Err(SealBreach::Attempts));
}
