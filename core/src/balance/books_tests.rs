use super::*;
use rust_decimal::Decimal;
use sluice_contract::order::OrderKind;

fn sum(amount: i64, kind: OrderKind, payment_no: Option<&str>) -> BookingAmount<'_> {
    BookingAmount {
        account_id: "A",
        amount: Decimal::from(amount),
        currency: "CNY".parse().unwrap(),
        kind,
        payment_no,
        counterparty: Some("payer"),
        unknown_payer_ok: false,
    }
}

#[test]
fn a_booking_that_fails_changes_nothing() {
    let mut books = LockedBooks::default();
    books
        .book(
            PostingKind::Capture,
            &sum(10, OrderKind::CashOut, Some("p")),
        )
        .unwrap();
    books
        .book(
            PostingKind::Capture,
            &sum(10, OrderKind::CashOut, Some("q")),
        )
        .unwrap();
    assert_eq!(
        books.book(PostingKind::Capture, &sum(9, OrderKind::CashOut, Some("p"))),
        Err(BookingError::AlreadyBooked)
    );
    let refused = books.book(PostingKind::Reserve, &sum(11, OrderKind::Refund, Some("p")));
    assert_eq!(refused, Err(BookingError::PaymentExceeded));
    let given = books.book(PostingKind::Return, &sum(1, OrderKind::Refund, Some("p")));
    assert_eq!(given, Err(BookingError::PaymentExceeded));
    let (balances, captures) = books.touched();
    assert_eq!(
        (balances[0].intermediate, balances[0].version),
        (Decimal::from(20), 1)
    );
    assert!(captures.iter().all(|c| c.left() == Decimal::from(10)));
}

#[test]
fn outcomes_are_read_back_and_fit_their_column() {
    for error in BookingError::ALL {
        assert_eq!(error.as_str().parse::<BookingError>().unwrap(), error);
        assert!(error.as_str().len() <= 20);
    }
}

#[test]
fn a_refund_goes_back_to_who_paid_and_a_settlement_to_the_merchant() {
    let paid = |payment: &'static str, payer| BookingAmount {
        counterparty: payer,
        ..sum(10, OrderKind::CashOut, Some(payment))
    };
    let mut books = LockedBooks::default();
    for capture in [paid("p", Some("payer")), paid("q", None)] {
        books.book(PostingKind::Capture, &capture).unwrap();
    }
    let refund = |payment: &'static str, to, unknown_payer_ok| BookingAmount {
        counterparty: to,
        unknown_payer_ok,
        ..sum(1, OrderKind::Refund, Some(payment))
    };
    let (other, unknown) = (
        Err(BookingError::NotThePayer),
        Err(BookingError::UnknownPayer),
    );
    for (asked, expected) in [
        (refund("p", Some("payer"), false), Ok(())),
        (refund("p", Some("mule"), false), other),
        (refund("p", Some("mule"), true), other),
        (refund("p", None, false), other),
        (refund("q", Some("payer"), false), unknown),
        (refund("q", Some("payer"), true), Ok(())),
        (sum(1, OrderKind::Settlement, Some("q")), Ok(())),
    ] {
        assert_eq!(
            books.book(PostingKind::Reserve, &asked),
            expected,
            "{asked:?}"
        );
    }
}
