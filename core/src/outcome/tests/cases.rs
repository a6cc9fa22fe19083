//! Cases that outcomes open and close.

use crate::cases::CaseKind;
use crate::orders::state::OrderInput;
use crate::orders::{Order, OrderRef};
use crate::outcome::report::{OrderOutcome, OutcomeResult};
use crate::outcome::tests::{after, says, shop_order};
use sluice_contract::order::OrderState;

#[test]
fn a_late_answer_ends_a_persons_case_too() {
    let manual = Order {
        has_open_case: true,
        ..shop_order(OrderState::Manual)
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
        ..shop_order(OrderState::Init)
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
