//! Answers that come late, and ends that nobody confirms: by example.

use crate::cases::CaseKind;
use crate::orders::state::OrderInput;
use crate::orders::{Order, OrderRef};
use crate::outcome::apply::{AppliedOutcomes, apply};
use crate::outcome::{AckPolicy, OrderOutcome, OutcomeDelays, OutcomeResult};
use rust_decimal::Decimal;
use sluice_contract::order::{OrderKind, OrderState};

const NOW_US: i64 = 10_000_000;

fn waits() -> OutcomeDelays {
    let ack_policy = AckPolicy {
        clients: std::sync::Arc::new(["shop".to_owned()].into()),
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

/// An order of `shop` that went out twice.
fn order(state: OrderState) -> Order {
    Order {
        account_id: "A".into(),
        order_id: "o".into(),
        kind: OrderKind::CashOut,
        client: "shop".into(),
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
        channel: Some("netsunion".into()),
        serial_no: "O".into(),
        trade_time: None,
        attempts: 1,
        queries: 1,
        sends: 2,
        notified_version: 1,
        notified_us: 1,
        notify_count: 0,
        acknowledged_us: None,
        has_open_case: false,
        result_code: None,
        version: 5,
        due_us: Some(1),
        created_us: 1,
        updated_us: 1,
    }
}

fn says(event: OrderInput) -> OrderOutcome {
    OrderOutcome {
        channel: Some("netsunion"),
        ..OrderOutcome::new(OrderRef::new("A", "o"), event)
    }
}

fn after(order: Order, outcome: &OrderOutcome) -> (OutcomeResult, Order, AppliedOutcomes) {
    let all = apply(std::slice::from_ref(outcome), vec![order], &waits(), NOW_US);
    (all.taken[0], all.orders["o"].clone(), all)
}

#[test]
fn a_reply_to_an_earlier_sending_ends_nothing() {
    use crate::orders::state::OrderInput::*;
    for late in [Declined, Succeeded, Accepted, Unknown] {
        // The last sending is under way: its own reply tells, or a query.
        let (taken, order_after, _) = after(order(OrderState::Dispatching), &says(late).of_send(1));
        assert_eq!(
            (taken, order_after.state),
            (OutcomeResult::Already, OrderState::Dispatching),
            "{late:?}"
        );
        for state in [OrderState::InDoubt, OrderState::Processing] {
            let (taken, order_after, _) = after(order(state), &says(late).of_send(1));
            assert_eq!(
                (taken, order_after.state),
                (OutcomeResult::Already, state),
                "{late:?}"
            );
        }
    }
    // The reply to the last sending counts, and so does a callback.
    assert_eq!(
        after(order(OrderState::Dispatching), &says(Declined).of_send(2))
            .1
            .state,
        OrderState::Failed
    );
    assert_eq!(
        after(order(OrderState::Dispatching), &says(Declined))
            .1
            .state,
        OrderState::Failed
    );
}

#[test]
fn a_query_from_before_the_last_sending_counts_only_if_it_is_clear() {
    use crate::orders::state::OrderInput::*;
    let (taken, stays, _) = after(
        order(OrderState::Dispatching),
        &says(NoSuchTrade).of_query(1),
    );
    assert_eq!(
        (taken, stays.state),
        (OutcomeResult::Already, OrderState::Dispatching)
    );
    assert_eq!(
        after(
            order(OrderState::Dispatching),
            &says(NoSuchTrade).of_query(2)
        )
        .1
        .state,
        OrderState::Init
    );
    assert_eq!(
        after(order(OrderState::Dispatching), &says(Succeeded).of_query(1))
            .1
            .state,
        OrderState::Success
    );
    assert_eq!(
        after(order(OrderState::InDoubt), &says(NoSuchTrade).of_query(1))
            .1
            .state,
        OrderState::InDoubt
    );
}

#[test]
fn an_end_is_told_again_under_its_own_id_until_it_is_heard() {
    let (_, ended, all) = after(order(OrderState::Processing), &says(OrderInput::Succeeded));
    let first = all.events[0].clone();
    assert!(
        ended.due_us.is_some_and(|due| due > NOW_US),
        "its upstream has to confirm"
    );
    // Not due yet: another instance was quicker.
    let unheard = OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::AckOverdue);
    assert_eq!(after(ended.clone(), &unheard).0, OutcomeResult::Already);

    let due = Order {
        due_us: Some(NOW_US),
        ..ended
    };
    let (taken, told, all) = after(due.clone(), &unheard);
    assert_eq!(
        (taken, told.state, told.notify_count),
        (OutcomeResult::Moved, OrderState::Success, 1)
    );
    assert_eq!(all.events, [first], "the same event, not another one");
    assert!(all.bookings.is_empty() && all.attempts.is_empty() && all.moves.len() == 1);

    let (taken, heard, _) = after(
        due.clone(),
        &OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Acknowledged),
    );
    assert_eq!(
        (taken, heard.due_us, heard.acknowledged_us),
        (OutcomeResult::Moved, None, Some(NOW_US))
    );
    assert_eq!(
        after(
            heard,
            &OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Acknowledged)
        )
        .0,
        OutcomeResult::Already
    );

    let (_, given_up, all) = after(
        Order {
            notify_count: 2,
            ..due
        },
        &unheard,
    );
    assert_eq!(
        (all.cases[0].kind, given_up.due_us, given_up.has_open_case),
        (CaseKind::Unacknowledged, None, true)
    );
    assert!(all.events.is_empty());
    let (_, _, all) = after(
        given_up,
        &OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Acknowledged),
    );
    assert_eq!(all.closings[0].by, "upstream");
}

#[test]
fn a_late_answer_ends_a_persons_case_too() {
    let manual = Order {
        has_open_case: true,
        due_us: Some(i64::MAX),
        ..order(OrderState::Manual)
    };
    let (_, ended, all) = after(manual.clone(), &says(OrderInput::Succeeded));
    assert_eq!(
        (ended.state, ended.has_open_case, all.closings[0].by),
        (OrderState::Success, false, "channel")
    );
    // What isn't clear leaves it to the person.
    assert!(
        after(manual, &says(OrderInput::Accepted))
            .2
            .closings
            .is_empty()
    );
}

#[test]
fn an_order_that_waits_too_long_is_a_case_once_and_goes_on_waiting() {
    let waiting = Order {
        attempts: 0,
        sends: 0,
        channel: None,
        ..order(OrderState::Init)
    };
    let not_sent = OrderOutcome {
        detail: Some("breaker x".into()),
        ..OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::NotSent)
    };
    let (_, with_case, all) = after(waiting, &not_sent);
    assert_eq!(
        (with_case.state, with_case.has_open_case, all.cases[0].kind),
        (OrderState::Init, true, CaseKind::NotSent)
    );
    assert!(all.cases[0].detail.contains("breaker x"));
    assert_eq!(
        after(with_case.clone(), &not_sent).0,
        OutcomeResult::Already
    );
    let cancel = OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Cancel);
    assert_eq!(after(with_case, &cancel).2.closings[0].by, "upstream");
}

#[test]
fn an_upstream_may_ask_to_be_told_again_once_a_second() {
    let renotify = OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Renotify);
    let (taken, told, all) = after(order(OrderState::InDoubt), &renotify);
    assert_eq!(
        (taken, told.state, told.due_us),
        (OutcomeResult::Moved, OrderState::InDoubt, Some(1))
    );
    assert_eq!(
        (all.events[0].kind.as_str(), all.events[0].id.as_str()),
        ("withdraw.accepted", "o-1")
    );
    assert_eq!(after(told, &renotify).0, OutcomeResult::TooSoon);
}

#[test]
fn a_return_that_overtakes_its_success_tells_both() {
    let (taken, back, all) = after(order(OrderState::Processing), &says(OrderInput::Returned));
    assert_eq!(
        (taken, back.state, back.version),
        (OutcomeResult::Moved, OrderState::Returned, 7)
    );
    let postings: Vec<&str> = all
        .bookings
        .iter()
        .map(|b| b.posting.posting_id.as_str())
        .collect();
    assert_eq!(
        postings,
        ["o-end", "o-return"],
        "the money left and came back"
    );
    let events: Vec<&str> = all.events.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(events, ["withdraw.success", "withdraw.returned"]);
    assert_eq!(
        all.moves.iter().map(|m| m.version).collect::<Vec<_>>(),
        [6, 7]
    );
    // The success that was overtaken is no news, nor a second return.
    for late in [OrderInput::Succeeded, OrderInput::Returned] {
        assert_eq!(after(back.clone(), &says(late)).0, OutcomeResult::Already);
    }
}

/// An order that netsunion declined for itself alone.
fn declined_by_netsunion(state: OrderState, channel: Option<&str>) -> Order {
    let route = r#"{"version":1,"chosen":null,"rejected":[],"tried":["netsunion"]}"#;
    Order {
        route: Some(route.into()),
        channel: channel.map(Into::into),
        ..order(state)
    }
}

#[test]
fn what_a_channel_paid_though_it_had_declined_it_is_sent_through_no_other() {
    use crate::orders::state::{StateDecision, step};
    for (channel, sent) in [(None, false), (Some("unionpay"), true)] {
        let (taken, held, all) = after(
            declined_by_netsunion(OrderState::Init, channel),
            &says(OrderInput::Succeeded),
        );
        assert_eq!(
            (taken, held.state, held.due_us),
            (OutcomeResult::Moved, OrderState::Manual, Some(i64::MAX)),
            "{channel:?}"
        );
        assert_eq!(
            (all.cases[0].kind, all.bookings.len()),
            (CaseKind::Contradiction, 0)
        );
        assert!(
            all.cases[0]
                .detail
                .starts_with("netsunion declined the order and now says that it paid")
        );
        assert_eq!(
            all.attempts.contains_key("o"),
            sent,
            "what was closed stays closed"
        );
        assert!(matches!(
            step(held.state, OrderInput::Claim),
            StateDecision::Refused
        ));
        assert!(
            after(held, &says(OrderInput::Declined))
                .2
                .bookings
                .is_empty(),
            "its money stays reserved"
        );
    }
}

#[test]
fn a_recanted_order_that_nobody_else_has_is_ended_by_that_channels_next_word() {
    let (_, held, _) = after(
        declined_by_netsunion(OrderState::Init, None),
        &says(OrderInput::Succeeded),
    );
    let (_, paid, all) = after(held.clone(), &says(OrderInput::Succeeded));
    assert_eq!((paid.state, all.bookings.len()), (OrderState::Success, 1));
    assert_eq!(all.attempts["o"].channel, "netsunion");
    let (_, back, all) = after(held.clone(), &says(OrderInput::Returned));
    assert_eq!(
        (back.state, all.bookings.len()),
        (OrderState::Returned, 2),
        "paid and given back"
    );
    assert!(
        all.freed.is_empty(),
        "what it took was given back when it was declined"
    );
    // Of two that declined it the first recants: the last attempt was the other's.
    let route = r#"{"version":1,"chosen":null,"rejected":[],"tried":["netsunion","unionpay"]}"#;
    let twice = Order {
        route: Some(route.into()),
        attempts: 2,
        ..declined_by_netsunion(OrderState::Init, None)
    };
    let (_, held, _) = after(twice, &says(OrderInput::Succeeded));
    let (_, paid, all) = after(held, &says(OrderInput::Succeeded));
    assert_eq!(
        (paid.state, all.attempts.is_empty()),
        (OrderState::Success, true)
    );
}

#[test]
fn once_a_channel_has_recanted_only_a_payment_ends_the_order() {
    let other = |event| OrderOutcome {
        channel: Some("unionpay"),
        ..says(event)
    };
    for state in [
        OrderState::Dispatching,
        OrderState::InDoubt,
        OrderState::Processing,
        OrderState::Manual,
    ] {
        let (taken, told, all) = after(
            declined_by_netsunion(state, Some("unionpay")),
            &says(OrderInput::Succeeded),
        );
        assert_eq!(
            (taken, told.state, all.cases.len()),
            (OutcomeResult::Moved, state, 1),
            "{state:?} is asked on"
        );
        assert_eq!(
            after(told.clone(), &says(OrderInput::Succeeded)).0,
            OutcomeResult::Already,
            "said again it is no news"
        );
        let (_, _, again) = after(told.clone(), &says(OrderInput::Returned));
        assert!(
            again.cases[0].detail.contains("gave it back"),
            "given back, it is"
        );
        for refusal in [
            OrderInput::Declined,
            OrderInput::NotHere,
            OrderInput::NoSuchTrade,
            OrderInput::Returned,
        ] {
            let (_, kept, all) = after(told.clone(), &other(refusal));
            assert!(
                !kept.state.is_end() && kept.state != OrderState::Init,
                "{state:?} × {refusal:?}: {:?}",
                kept.state
            );
            assert!(
                all.bookings.is_empty(),
                "{state:?} × {refusal:?} releases the money"
            );
        }
        let (_, paid, all) = after(told, &other(OrderInput::Succeeded));
        assert_eq!((paid.state, all.bookings.len()), (OrderState::Success, 1));
        assert_eq!(
            after(paid.clone(), &says(OrderInput::Succeeded)).0,
            OutcomeResult::Already,
            "it is a case already"
        );
        // Both paid: what one gives back covers the other, and is not the account's.
        let (taken, kept, all) = after(paid, &other(OrderInput::Returned));
        assert_eq!(
            (taken, kept.state, all.bookings.len()),
            (OutcomeResult::Contradiction, OrderState::Success, 0)
        );
    }
    // The same if the other was quicker.
    let (taken, paid, all) = after(
        declined_by_netsunion(OrderState::Success, Some("unionpay")),
        &says(OrderInput::Succeeded),
    );
    assert_eq!(
        (taken, paid.state, all.cases.len(), all.bookings.len()),
        (OutcomeResult::Moved, OrderState::Success, 1, 0)
    );
    assert_eq!(
        after(paid, &other(OrderInput::Returned)).0,
        OutcomeResult::Contradiction
    );
    for end in [OrderState::Failed, OrderState::Returned] {
        let (taken, stays, all) = after(
            declined_by_netsunion(end, Some("unionpay")),
            &says(OrderInput::Succeeded),
        );
        assert_eq!(
            (taken, stays.state, all.cases.len()),
            (OutcomeResult::Contradiction, end, 1)
        );
    }
}
