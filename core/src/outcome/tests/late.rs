//! Answers that come late.

use crate::orders::state::OrderInput;
use crate::outcome::report::OutcomeResult;
use crate::outcome::tests::{after, asked, says, shop_order};
use sluice_contract::order::OrderState;

#[test]
fn a_reply_to_an_earlier_sending_ends_nothing() {
    use crate::orders::state::OrderInput::*;
    for late in [Declined, NotHere, Unknown] {
        // The last sending is under way: its own reply tells, or a query.
        let (taken, order_after, _) =
            after(shop_order(OrderState::Dispatching), &says(late).of_send(1));
        assert_eq!(
            (taken, order_after.state),
            (OutcomeResult::Already, OrderState::Dispatching),
            "{late:?}"
        );
        for state in [OrderState::InDoubt, OrderState::Processing] {
            let (taken, order_after, _) = after(shop_order(state), &says(late).of_send(1));
            assert_eq!(
                (taken, order_after.state),
                (OutcomeResult::Already, state),
                "{late:?}"
            );
        }
    }
    // That it was paid, or is there, is true whichever sending it is said of.
    for (late, state) in [
        (Succeeded, OrderState::Success),
        (Accepted, OrderState::Processing),
    ] {
        let order = shop_order(OrderState::InDoubt);
        assert_eq!(after(order, &says(late).of_send(1)).1.state, state);
    }
    // The reply to the last sending counts, and so does a callback.
    assert_eq!(
        after(
            shop_order(OrderState::Dispatching),
            &says(Succeeded).of_send(2)
        )
        .1
        .state,
        OrderState::Success
    );
    assert_eq!(
        after(shop_order(OrderState::Dispatching), &says(Declined))
            .1
            .state,
        OrderState::Failed
    );
}

#[test]
fn a_query_from_before_the_last_sending_counts_only_if_it_is_clear() {
    use crate::orders::state::OrderInput::*;
    let (taken, stays, _) = after(
        shop_order(OrderState::Dispatching),
        &says(NoSuchTrade).of_query(asked(1)),
    );
    assert_eq!(
        (taken, stays.state),
        (OutcomeResult::Already, OrderState::Dispatching)
    );
    assert_eq!(
        after(
            shop_order(OrderState::Dispatching),
            &says(NoSuchTrade).of_query(asked(2))
        )
        .1
        .state,
        OrderState::Init
    );
    assert_eq!(
        after(
            shop_order(OrderState::Dispatching),
            &says(Succeeded).of_query(asked(1))
        )
        .1
        .state,
        OrderState::Success
    );
    assert_eq!(
        after(
            shop_order(OrderState::InDoubt),
            &says(NoSuchTrade).of_query(asked(1))
        )
        .1
        .state,
        OrderState::InDoubt
    );
}

#[test]
fn a_return_that_overtakes_its_success_tells_both() {
    let (taken, back, all) = after(
        shop_order(OrderState::Processing),
        &says(OrderInput::Returned),
    );
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
