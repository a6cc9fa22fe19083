//! Payments that differ from their orders.

use crate::cases::CaseKind;
use crate::channels::Echo;
use crate::orders::state::OrderInput;
use crate::orders::{Order, OrderRef};
use crate::outcome::apply::give_back;
use crate::outcome::report::{OrderOutcome, OutcomeResult};
use crate::outcome::tests::{apply_to, unionpay_order};
use crate::routing::limits::{LimitTotal, LimitTotals};
use rust_decimal::Decimal;
use sluice_contract::order::OrderState;
use std::collections::BTreeSet;

#[test]
fn another_amount_is_a_contradiction_whose_detail_fits_its_column() {
    let mut outcome = OrderOutcome {
        channel: Some("unionpay"),
        ..OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Succeeded)
    };
    outcome.echo.amount = Echo::Stated(Decimal::TWO);
    outcome.code = Some("x".repeat(500));
    let all = apply_to(outcome, unionpay_order(OrderState::Processing, 1));
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
        outcome.echo.amount = Echo::Stated(Decimal::new(amount, 2));
        outcome.echo.currency = Echo::Stated(currency.to_owned());
        outcome.echo.to_account = Echo::Stated(to.to_owned());
        let all = apply_to(outcome, unionpay_order(OrderState::Processing, 1));
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
            && detail.contains("currency JPY")
            && detail.contains("CNY"),
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

#[test]
fn a_total_that_was_lowered_by_hand_is_a_case_and_keeps_no_money() {
    let order = Order {
        route: Some(r#"{"version":1,"chosen":"unionpay","rejected":[]}"#.into()),
        trade_time: Some("20261120235959".into()),
        ..unionpay_order(OrderState::Processing, 1)
    };
    let declined = OrderOutcome {
        channel: Some("unionpay"),
        ..OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Declined)
    };
    let all = apply_to(declined, order);
    let wanted: BTreeSet<_> = all.freed["o"].keys.iter().cloned().collect();
    let rows = wanted.iter().enumerate().map(|(n, at)| LimitTotal {
        at: at.clone(),
        // One of them has nothing.
        amount: Decimal::from(u32::from(n > 0)),
        version: 4,
        is_believed: true,
    });
    let mut totals = LimitTotals::new(wanted.clone(), rows.collect());
    let cases = give_back(&mut totals, &all.freed, &all.orders);
    assert_eq!((cases.len(), cases[0].kind), (1, CaseKind::LimitTotal));
    assert!(cases[0].detail.contains("had less than the 1"), "{cases:?}");
    assert_eq!(
        totals.touched().len(),
        wanted.len() - 1,
        "the others are given back"
    );
    assert_eq!(
        (all.orders["o"].state, all.bookings.len()),
        (OrderState::Failed, 1)
    );
}
