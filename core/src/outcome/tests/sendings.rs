//! Orders that went out more than once, on channels that forget what they refused and
//! take requests late.

use crate::orders::state::OrderInput::{self, *};
use crate::orders::{Order, SendRefusal};
use crate::outcome::report::{AskedQuery, OrderOutcome, OutcomeResult};
use crate::outcome::tests::{NOW_US, QUIET_US, SEND_BY_US, after, asked, says, shop_order};
use sluice_contract::order::OrderState;

fn refused(input: OrderInput) -> OrderOutcome {
    OrderOutcome {
        code: Some("1005".into()),
        ..says(input).of_send(2)
    }
}

/// "No such trade", asked so many µs after the quiet time began.
fn unknown_there(sends: i64, quiet_us: i64) -> OrderOutcome {
    let query = AskedQuery {
        sends,
        asked_us: SEND_BY_US + quiet_us,
    };
    OrderOutcome {
        code: Some("9001".into()),
        ..says(NoSuchTrade).of_query(query)
    }
}

/// An order whose second sending was refused.
fn refused_order(input: OrderInput) -> Order {
    after(shop_order(OrderState::Dispatching), &refused(input)).1
}

#[test]
fn a_refusal_of_the_second_sending_ends_nothing_and_is_asked_about_at_once() {
    for (input, refusal) in [
        (Declined, SendRefusal::Declined),
        (NotHere, SendRefusal::NotHere),
    ] {
        for state in [
            OrderState::Dispatching,
            OrderState::InDoubt,
            OrderState::Manual,
        ] {
            let (taken, order, all) = after(shop_order(state), &refused(input));
            let stays = state == OrderState::Manual;
            let want = if stays { state } else { OrderState::InDoubt };
            assert_eq!(
                (taken, order.state),
                (OutcomeResult::Moved, want),
                "{input:?}"
            );
            assert_eq!(
                (order.due_us, order.send_refusal),
                (Some(NOW_US), Some(refusal))
            );
            assert_eq!(order.channel.as_deref(), Some("netsunion"), "not switched");
            assert!(all.bookings.is_empty() && all.freed.is_empty());
        }
    }
}

#[test]
fn a_refusal_of_one_that_the_channel_has_is_asked_about_at_once_and_denied_by_nobody() {
    for refusal in [
        refused(Declined),
        refused(NotHere),
        says(Declined).of_callback(),
    ] {
        let accepted = Order {
            accepted_us: Some(SEND_BY_US),
            due_us: Some(NOW_US + 60_000_000),
            ..shop_order(OrderState::Processing)
        };
        let (taken, order, all) = after(accepted, &refusal);
        assert_eq!(
            (taken, order.state, order.due_us),
            (OutcomeResult::Moved, OrderState::Processing, Some(NOW_US))
        );
        assert!(all.bookings.is_empty());
        // The channel still knows it: that is the end.
        let (_, ended, _) = after(order.clone(), &says(Declined).of_query(asked(2)));
        assert_eq!(ended.state, OrderState::Failed);
        // It knows it no more: the refusal was of one sending, another had arrived.
        let (taken, order, all) = after(order, &unknown_there(2, QUIET_US));
        assert_eq!(
            (taken, order.state),
            (OutcomeResult::Contradiction, OrderState::Processing)
        );
        assert!(all.bookings.is_empty());
    }
}

#[test]
fn the_first_sendings_refusal_is_the_orders() {
    let once = Order {
        sends: 1,
        ..shop_order(OrderState::Dispatching)
    };
    let (_, order, all) = after(once, &says(Declined).of_send(1));
    assert_eq!((order.state, all.bookings.len()), (OrderState::Failed, 1));
}

#[test]
fn a_query_or_a_callback_ends_what_was_refused() {
    for said in [says(Declined).of_query(asked(2)), says(Declined)] {
        let (_, order, all) = after(refused_order(Declined), &said);
        assert_eq!((order.state, all.bookings.len()), (OrderState::Failed, 1));
    }
    // The first request had arrived.
    let (_, order, all) = after(refused_order(Declined), &says(Succeeded).of_query(asked(2)));
    assert_eq!((order.state, all.bookings.len()), (OrderState::Success, 1));
}

#[test]
fn a_channel_that_forgets_refusals_ends_the_order_once_it_is_quiet() {
    let (taken, waits, _) = after(refused_order(Declined), &unknown_there(2, QUIET_US - 1));
    assert_eq!(
        (taken, waits.state),
        (OutcomeResult::Already, OrderState::InDoubt)
    );
    let (_, order, all) = after(waits, &unknown_there(2, QUIET_US));
    assert_eq!((order.state, all.bookings.len()), (OrderState::Failed, 1));
    // What refused it is the reason, not that the trade isn't known.
    assert_eq!(order.result_code.as_deref(), Some("1005"));

    let (_, order, all) = after(refused_order(NotHere), &unknown_there(2, QUIET_US));
    // The caller's route is unknown here, so no other channel may take it.
    assert_eq!((order.state, all.bookings.len()), (OrderState::Failed, 1));
    // The two may come the other way round.
    let waiting = after(shop_order(OrderState::InDoubt), &unknown_there(2, QUIET_US)).1;
    assert_eq!(waiting.state, OrderState::Init);
    assert_eq!(
        after(waiting, &refused(Declined)).1.state,
        OrderState::Failed
    );
}

#[test]
fn no_such_trade_is_believed_after_the_quiet_time_alone() {
    for state in [
        OrderState::Dispatching,
        OrderState::InDoubt,
        OrderState::Processing,
        OrderState::Manual,
        OrderState::Success,
    ] {
        let early = unknown_there(2, QUIET_US - 1);
        let (_, order, all) = after(shop_order(state), &early);
        assert!(
            order.state != OrderState::Init && all.cases.is_empty(),
            "{state:?}"
        );
    }
    // Asked in time, however late it is written down: a core may be stalled in between.
    let (_, order, _) = after(shop_order(OrderState::InDoubt), &unknown_there(2, 0));
    assert_eq!(order.state, OrderState::InDoubt);
    // No answer to a question that was asked then: a reply, a callback.
    for said in [says(NoSuchTrade), says(NoSuchTrade).of_send(2)] {
        let (_, order, _) = after(shop_order(OrderState::InDoubt), &said);
        assert_eq!(order.state, OrderState::InDoubt);
    }
    let (_, order, _) = after(shop_order(OrderState::InDoubt), &unknown_there(2, QUIET_US));
    assert_eq!(
        (order.state, order.waiting_since_us),
        (OrderState::Init, Some(NOW_US))
    );
}

#[test]
fn of_a_channel_without_a_quiet_time_it_is_never_believed() {
    let order = Order {
        channel: Some("psp".into()),
        ..shop_order(OrderState::InDoubt)
    };
    let said = OrderOutcome {
        channel: Some("psp"),
        ..unknown_there(2, QUIET_US)
    };
    assert_eq!(after(order, &said).1.state, OrderState::InDoubt);
}

#[test]
fn a_refusal_that_was_asked_for_before_the_last_sending_ends_nothing() {
    for input in [Declined, NotHere] {
        for state in [OrderState::Dispatching, OrderState::InDoubt] {
            let (_, order, all) = after(shop_order(state), &says(input).of_query(asked(1)));
            assert_eq!((order.state, all.bookings.len()), (state, 0), "{input:?}");
        }
    }
}

#[test]
fn a_persons_case_is_ended_by_a_clear_answer_and_asked_on_until_then() {
    let manual = Order {
        has_open_case: true,
        ..shop_order(OrderState::Manual)
    };
    let (_, order, all) = after(manual.clone(), &unknown_there(2, QUIET_US));
    assert_eq!(
        (order.state, order.has_open_case, all.closings.len()),
        (OrderState::Init, false, 1)
    );
    assert_eq!(
        order.last_pending_us,
        Some(NOW_US),
        "its silence counts anew"
    );
    // "It is in process" is no end. It is noted: whoever has it can't lose it.
    let (_, order, _) = after(manual, &says(Accepted).of_query(asked(2)));
    assert_eq!(
        (order.state, order.accepted_us),
        (OrderState::Manual, Some(NOW_US))
    );
}

#[test]
fn what_a_channel_accepted_it_can_not_deny_whatever_the_state() {
    for state in [
        OrderState::InDoubt,
        OrderState::Processing,
        OrderState::Manual,
    ] {
        let accepted = Order {
            accepted_us: Some(1),
            send_refusal: Some(SendRefusal::Declined),
            ..shop_order(state)
        };
        let (taken, order, all) = after(accepted, &unknown_there(2, QUIET_US));
        assert_eq!(
            (taken, order.state, all.bookings.len()),
            (OutcomeResult::Contradiction, state, 0)
        );
    }
    // It has the order: what another sending was refused with ends nothing any more.
    let refused = Order {
        send_refusal: Some(SendRefusal::Declined),
        ..shop_order(OrderState::InDoubt)
    };
    let (_, order, _) = after(refused, &says(Accepted).of_query(asked(2)));
    assert_eq!(
        (order.state, order.send_refusal),
        (OrderState::Processing, None)
    );
}

#[test]
fn what_an_older_build_sent_is_not_quiet_by_the_time_of_a_sending_before_it() {
    // Claimed a third time by a build that writes neither column: both are of the second.
    let claimed_by_older = Order {
        sends: 3,
        ..shop_order(OrderState::InDoubt)
    };
    for quiet_us in [QUIET_US, 1_000 * QUIET_US] {
        let (_, order, all) = after(claimed_by_older.clone(), &unknown_there(3, quiet_us));
        assert_eq!(
            (order.state, all.bookings.len()),
            (OrderState::InDoubt, 0),
            "{quiet_us}"
        );
    }
    // Recovery's lease counts from now, and what the second was refused with is forgotten.
    let mut leased = Order {
        send_refusal: Some(SendRefusal::Declined),
        ..claimed_by_older
    };
    leased.set_send_by(SEND_BY_US);
    let (_, order, all) = after(leased, &unknown_there(3, QUIET_US));
    assert_eq!((order.state, all.bookings.len()), (OrderState::Init, 0));
}

#[test]
fn a_refusal_in_a_callback_may_be_of_an_earlier_sending() {
    for input in [Declined, NotHere] {
        let told = says(input).of_callback();
        let (_, order, all) = after(shop_order(OrderState::InDoubt), &told);
        assert_eq!(
            (order.state, all.bookings.len()),
            (OrderState::InDoubt, 0),
            "{input:?}"
        );
        let once = Order {
            sends: 1,
            ..shop_order(OrderState::InDoubt)
        };
        assert_ne!(after(once, &told).1.state, OrderState::InDoubt);
    }
}

#[test]
fn a_refusal_by_the_channel_that_it_was_switched_to_is_the_orders() {
    // The first channel had never taken it: one sending for each attempt.
    let switched = |sends| Order {
        attempts: 2,
        sends,
        send_by_sending: Some(sends),
        ..shop_order(OrderState::Dispatching)
    };
    for told in [says(Declined).of_send(2), says(Declined).of_callback()] {
        let (_, order, all) = after(switched(2), &told);
        assert_eq!((order.state, all.bookings.len()), (OrderState::Failed, 1));
    }
    // One of the channels has had two: which, nobody can tell.
    for told in [says(Declined).of_send(3), says(Declined).of_callback()] {
        let (_, order, all) = after(switched(3), &told);
        assert_eq!((order.state, all.bookings.len()), (OrderState::InDoubt, 0));
    }
}

#[test]
fn intervals_of_a_persons_case_grow_with_its_age_up_to_their_bound() {
    let exhausted = OrderOutcome::new(shop_order(OrderState::InDoubt).at(), Exhausted);
    let wait = |age_us: i64| {
        let order = Order {
            send_by_us: Some(NOW_US - age_us),
            ..shop_order(OrderState::InDoubt)
        };
        let (_, order, _) = after(order, &exhausted);
        assert_eq!(order.state, OrderState::Manual);
        order.due_us.unwrap() - NOW_US
    };
    for (age_us, want) in [
        (0, 500_000),
        (4_000_000, 2_000_000),
        (90_000_000, 4_000_000),
    ] {
        let wait = wait(age_us);
        assert!(
            wait <= want && wait >= want - want / 5,
            "{age_us}: {wait} of {want}"
        );
    }
}

#[test]
fn an_order_that_its_channel_has_is_noted_as_pending_now_and_then() {
    let pending = |ago_us: i64| {
        let order = Order {
            last_pending_us: Some(NOW_US - ago_us),
            accepted_us: Some(1),
            ..shop_order(OrderState::Processing)
        };
        let (taken, order, _) = after(order, &says(Accepted).of_query(asked(2)));
        (taken, NOW_US - order.last_pending_us.unwrap())
    };
    assert_eq!(pending(999_999), (OutcomeResult::Already, 999_999));
    assert_eq!(pending(1_000_000), (OutcomeResult::Moved, 0));
}
