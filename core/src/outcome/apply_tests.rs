use super::*;
use crate::orders::OrderRef;
use rust_decimal::Decimal;

fn waits() -> OutcomeDelays {
    let clients = std::sync::Arc::new(["c".to_owned()].into());
    let ack_policy = crate::outcome::AckPolicy {
        clients,
        first_us: 1_000,
        max_delay_us: 8_000,
        max_notifications: 2,
    };
    OutcomeDelays {
        first_query_us: 10,
        callback_us: 20,
        ack_policy,
    }
}

/// An order of 1 CNY on unionpay that was sent `attempts` times.
fn order(state: OrderState, attempts: i64) -> Order {
    Order {
        account_id: "A".into(),
        order_id: "o".into(),
        kind: OrderKind::CashOut,
        client: "c".into(),
        transaction_id: "t".into(),
        biz_no: None,
        user_id: None,
        to_account: "p".into(),
        bank: None,
        payment_no: None,
        route: None,
        amount: Decimal::ONE,
        currency: "CNY".parse().unwrap(),
        state,
        channel: Some("unionpay".into()),
        serial_no: "O".into(),
        trade_time: None,
        attempts,
        queries: attempts,
        sends: attempts,
        notified_version: 1,
        notified_us: 1,
        notify_count: 0,
        acknowledged_us: None,
        has_open_case: false,
        result_code: None,
        version: 3,
        due_us: Some(1),
        created_us: 1,
        updated_us: 1,
    }
}

fn taken(
    state: OrderState,
    attempts: i64,
    channel: Option<&'static str>,
    event: OrderInput,
) -> (OutcomeResult, OrderState, Option<String>) {
    let outcome = OrderOutcome {
        channel,
        ..OrderOutcome::new(OrderRef::new("A", "o"), event)
    };
    let all = apply(
        std::slice::from_ref(&outcome),
        vec![order(state, attempts)],
        &waits(),
        100,
    );
    let detail = all.cases.first().map(|c| c.detail.clone());
    (all.taken[0], all.orders["o"].state, detail)
}

#[test]
fn another_channel_cannot_end_an_order() {
    let (taken, state, detail) = taken(
        OrderState::Processing,
        1,
        Some("netsunion"),
        OrderInput::Declined,
    );
    assert_eq!(
        (taken, state),
        (OutcomeResult::Contradiction, OrderState::Processing)
    );
    assert!(detail.is_some_and(|d| d.contains("netsunion") && d.contains("unionpay")));
}

#[test]
fn a_late_success_ends_an_order_that_waits_to_be_sent_again() {
    let paid = taken(OrderState::Init, 1, Some("unionpay"), OrderInput::Succeeded);
    assert_eq!(
        (paid.0, paid.1),
        (OutcomeResult::Moved, OrderState::Success)
    );
    // Never sent: the channel can't know it.
    let odd = taken(OrderState::Init, 0, Some("unionpay"), OrderInput::Succeeded);
    assert_eq!(
        (odd.0, odd.1),
        (OutcomeResult::Contradiction, OrderState::Init)
    );
    // And a repeated "no such trade" changes nothing.
    assert_eq!(
        taken(
            OrderState::Init,
            1,
            Some("unionpay"),
            OrderInput::NoSuchTrade
        )
        .0,
        OutcomeResult::Already
    );
}

/// An order that went to netsunion and back, without or with a wish for it.
fn declined_here(wished: bool) -> AppliedOutcomes {
    let route = format!(r#"{{"version":1,"chosen":"netsunion","rejected":[],"wished":{wished}}}"#);
    let order = Order {
        channel: Some("netsunion".into()),
        route: Some(route),
        trade_time: Some("20261120235959".into()),
        ..order(OrderState::Processing, 1)
    };
    let (at, channel) = (OrderRef::new("A", "o"), Some("netsunion"));
    let said = OrderOutcome {
        channel,
        code: Some("1005".into()),
        ..OrderOutcome::new(at, OrderInput::NotHere)
    };
    // Told twice: the second time it is somebody else's.
    apply(&[said.clone(), said], vec![order], &waits(), 100)
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

#[test]
fn what_was_sent_cannot_be_cancelled() {
    assert_eq!(
        taken(OrderState::Init, 1, None, OrderInput::Cancel).0,
        OutcomeResult::Refused
    );
    let (taken, state, _) = taken(OrderState::Init, 0, None, OrderInput::Cancel);
    assert_eq!((taken, state), (OutcomeResult::Moved, OrderState::Failed));
}

#[test]
fn another_amount_is_a_contradiction_whose_detail_fits_its_column() {
    let mut outcome = OrderOutcome {
        channel: Some("unionpay"),
        ..OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Succeeded)
    };
    outcome.amount = Some(Decimal::TWO);
    outcome.code = Some("x".repeat(500));
    let all = apply(
        std::slice::from_ref(&outcome),
        vec![order(OrderState::Processing, 1)],
        &waits(),
        100,
    );
    assert_eq!(all.taken, [OutcomeResult::Contradiction]);
    assert!(all.cases[0].detail.len() < 190 && all.moved.is_empty());
}

#[test]
fn another_currency_or_account_is_a_contradiction_and_the_same_is_none() {
    let heard = |amount: i64, currency: &str, to: &str| {
        let mut outcome = OrderOutcome {
            channel: Some("unionpay"),
            ..OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Succeeded)
        };
        outcome.amount = Some(Decimal::new(amount, 2));
        outcome.currency = Some(currency.parse().unwrap());
        outcome.to_account = Some(to.to_owned());
        let all = apply(
            std::slice::from_ref(&outcome),
            vec![order(OrderState::Processing, 1)],
            &waits(),
            100,
        );
        (
            all.taken[0],
            all.cases
                .first()
                .map(|c| c.detail.clone())
                .unwrap_or_default(),
        )
    };
    assert_eq!(heard(100, "CNY", "p").0, OutcomeResult::Moved);
    let (taken, detail) = heard(100, "JPY", "p");
    assert!(
        taken == OutcomeResult::Contradiction
            && detail.contains("1 JPY")
            && detail.contains("1 CNY"),
        "{detail}"
    );
    let (taken, detail) = heard(100, "CNY", &"another account, and a long one ".repeat(9));
    assert!(
        taken == OutcomeResult::Contradiction
            && detail.contains("another?account")
            && detail.len() < 190,
        "{detail}"
    );
}
