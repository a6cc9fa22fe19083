use super::*;
use crate::balance::BookingError;
use crate::ledger::Posting;
use rust_decimal::Decimal;
use sluice_contract::order::OrderKind;

fn deposit(order: &str, amount: i64) -> BookingIntent {
    BookingIntent {
        posting: Posting::deposit(
            "local",
            "A",
            "biz",
            Decimal::from(amount),
            "CNY".parse().unwrap(),
        ),
        order_id: order.into(),
        kind: OrderKind::CashOut,
        payment_no: None,
        counterparty: None,
        unknown_payer_ok: false,
        client: "c".into(),
        key: "k".into(),
        created_us: 1,
        correlation_id: None,
        traceparent: None,
    }
}

fn step(order: &str, done: BookingResult) -> BookingResultRow {
    BookingResultRow {
        account_id: "A".into(),
        posting_id: "dep-local/biz".into(),
        order_id: order.into(),
        done,
    }
}

fn biz_key() -> PostingKey {
    ("A".into(), "dep-local/biz".into())
}

fn sealed(before: Option<BookingResultRow>) -> EarlierBookings {
    let results = before.map(|step| (biz_key(), EarlierBooking::Sealed(step)));
    EarlierBookings {
        results: results.into_iter().collect(),
        ..EarlierBookings::default()
    }
}

fn one(
    intent: BookingIntent,
    before: Option<BookingResultRow>,
) -> (Option<BookingResult>, usize, usize, usize) {
    let mut books = LockedBooks::default();
    let out = decide(&[intent], sealed(before), |_| false, &mut books);
    (
        out.done[0],
        out.fresh.len(),
        out.replaced.len(),
        books.touched().0.len(),
    )
}

#[test]
fn what_was_booked_before_answers_and_changes_nothing() {
    let refused = BookingResult::Refused(BookingError::Overflow);
    assert_eq!(
        one(deposit("2", 5), None),
        (Some(BookingResult::Booked), 1, 0, 1)
    );
    assert_eq!(
        one(deposit("2", 5), Some(step("2", BookingResult::Booked))),
        (Some(BookingResult::Booked), 0, 0, 0)
    );
    assert_eq!(
        one(deposit("2", 5), Some(step("2", refused))),
        (Some(refused), 0, 0, 0)
    );
    let other = Some(BookingResult::Refused(BookingError::AlreadyBooked));
    assert_eq!(
        one(deposit("2", 5), Some(step("1", BookingResult::Booked))),
        (other, 0, 0, 0)
    );
    // Refused for an earlier request: asked anew. For a later one: too late.
    assert_eq!(
        one(deposit("2", 5), Some(step("1", refused))),
        (Some(BookingResult::Booked), 0, 1, 1)
    );
    assert_eq!(
        one(deposit("2", 5), Some(step("3", refused))),
        (Some(refused), 0, 0, 0)
    );
}

#[test]
fn what_must_not_be_refused_waits_and_holds_back_what_comes_after_it() {
    let intent = |kind: crate::ledger::PostingKind, id: &str| {
        let mut intent = deposit("o", 5);
        intent.posting.kind = kind;
        intent.posting.posting_id = id.into();
        intent
    };
    use crate::ledger::PostingKind::{Finalize, Return};
    let mut books = LockedBooks::default();
    let out = decide(
        &[intent(Finalize, "o-end"), intent(Return, "o-return")],
        EarlierBookings::default(),
        |_| false,
        &mut books,
    );
    assert_eq!(out.done, [None, None]);
    assert!(out.fresh.is_empty() && books.touched().0.is_empty());
}

#[test]
fn a_result_that_somebody_else_wrote_books_nothing() {
    use crate::balance::BookingError::{AlreadyBooked, Overflow};
    use sluice_contract::provenance::SealError::Mismatch;
    let (booked, refused) = (BookingResult::Booked, BookingResult::Refused(Overflow));
    let unsealed = |step| Some(EarlierBooking::Unsealed(step));
    let stored = |step| Some(EarlierBooking::Sealed(step));
    let forged = || Some(EarlierBooking::Forged(Mismatch));
    let again = Some(BookingResult::Refused(AlreadyBooked));
    // Result, whether the ledger has it, whether it may lack a seal: answer, bookings, cases.
    for (n, (earlier, in_ledger, may_lack, answer, booked, cases)) in [
        (None, false, false, Some(booked), 1, 0),
        (None, true, false, None, 0, 1),
        (forged(), false, true, None, 0, 1),
        (unsealed(step("2", booked)), false, false, None, 0, 1),
        (unsealed(step("2", booked)), true, false, None, 0, 1),
        (unsealed(step("2", booked)), false, true, Some(booked), 0, 0),
        (unsealed(step("", booked)), true, false, again, 0, 0),
        (unsealed(step("", booked)), false, false, None, 0, 1),
        (unsealed(step("1", refused)), false, false, None, 0, 1),
        (unsealed(step("1", refused)), true, true, None, 0, 1),
        (stored(step("1", refused)), true, false, None, 0, 1),
        (stored(step("2", booked)), true, false, Some(booked), 0, 0),
    ]
    .into_iter()
    .enumerate()
    {
        let mut books = LockedBooks::default();
        let key = biz_key();
        let earlier = EarlierBookings {
            results: earlier.map(|e| (key.clone(), e)).into_iter().collect(),
            in_ledger: in_ledger.then_some(key).into_iter().collect(),
        };
        let out = decide(&[deposit("2", 5)], earlier, |_| may_lack, &mut books);
        let found = (out.done[0], books.touched().0.len(), out.cases.len());
        assert_eq!(found, (answer, booked, cases), "{n}");
    }
}
