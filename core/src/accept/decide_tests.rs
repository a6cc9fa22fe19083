use super::*;
use crate::accept::AcceptError;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::order::OrderKind;

fn cny() -> Currency {
    "CNY".parse().unwrap()
}

fn booking(account: &str, cents: i64, key: &str) -> IdempotentRequest {
    IdempotentRequest {
        client: "c".into(),
        scope: String::new(),
        key: key.into(),
        request_hash: "h".into(),
        origin: sluice_contract::traces::RequestOrigin::fresh(),
        repeat_only: false,
        booking: BookingRequest::Withdraw(WithdrawalBooking {
            account_id: account.into(),
            kind: OrderKind::CashOut,
            to_account: "to".into(),
            amount: Decimal::new(cents, 2),
            currency: cny(),
            user_id: None,
            transaction_id: format!("auto:{key}"),
            biz_no: None,
            channel: None,
            bank: None,
            payment_no: None,
            predecessor_id: None,
            unknown_payer_ok: false,
        }),
    }
}

#[test]
fn one_failure_does_not_fail_a_neighbour_and_nothing_overdraws() {
    let mut rich = Balance::empty("A", cny());
    rich.credit(Decimal::new(10_000, 2)).unwrap();
    let asks = [
        booking("A", 6_000, "1"),
        booking("A", 5_000, "2"),
        booking("B", 1, "3"),
        booking("A", 4_000, "4"),
    ];
    let decided = decide(&asks.iter().collect::<Vec<_>>(), vec![rich], vec![], 7);
    let shown: Vec<_> = decided
        .results
        .iter()
        .map(|v| v.as_ref().err().cloned())
        .collect();
    assert_eq!(
        shown,
        [
            None,
            Some(AcceptError::InsufficientFunds),
            Some(AcceptError::UnknownAccount),
            None
        ]
    );
    assert_eq!(decided.orders.len(), 2);
    assert_eq!(
        decided.keys.len(),
        2,
        "a refused request does not burn its key"
    );
    assert_eq!(decided.touched.len(), 1);
    let after = &decided.touched[0];
    assert_eq!(
        (after.available, after.reserved, after.version),
        (Decimal::ZERO, Decimal::new(10_000, 2), 1)
    );
}

#[test]
fn a_deposit_opens_its_account_for_the_same_batch() {
    let first = IdempotentRequest {
        client: "c".into(),
        scope: String::new(),
        key: "d".into(),
        request_hash: "h".into(),
        origin: sluice_contract::traces::RequestOrigin::fresh(),
        repeat_only: false,
        booking: BookingRequest::Deposit(DepositBooking {
            account_id: "N".into(),
            amount: Decimal::TEN,
            currency: cny(),
            biz_no: "p".into(),
        }),
    };
    let second = booking("N", 1_000, "w");
    let decided = decide(&[&first, &second], vec![], vec![], 7);
    assert!(decided.results.iter().all(Result::is_ok));
    assert_eq!(decided.touched[0].version, 1);
}

fn from_payment(kind: OrderKind, payment_no: &str, cents: i64, key: &str) -> IdempotentRequest {
    let mut request = booking("M", cents, key);
    if let BookingRequest::Withdraw(w) = &mut request.booking {
        w.kind = kind;
        w.payment_no = Some(payment_no.to_owned());
    }
    request
}

#[test]
fn a_payment_bounds_its_refunds_and_settlements_and_a_refusal_touches_nothing() {
    let captured = IdempotentRequest {
        client: "kafka".into(),
        scope: String::new(),
        key: "pay/M/p".into(),
        request_hash: "h".into(),
        origin: sluice_contract::traces::RequestOrigin::fresh(),
        repeat_only: false,
        booking: BookingRequest::Capture(crate::accept::CaptureBooking {
            account_id: "M".into(),
            amount: Decimal::TEN,
            currency: cny(),
            payment_no: "p".into(),
            payer: Some("to".into()),
            event_time_us: 5,
        }),
    };
    let asks = [
        captured,
        from_payment(OrderKind::Refund, "p", 600, "1"),
        from_payment(OrderKind::Settlement, "p", 500, "2"),
        from_payment(OrderKind::Settlement, "p", 400, "3"),
        from_payment(OrderKind::Refund, "q", 1, "4"),
        from_payment(OrderKind::Refund, "p", 1, "5"),
    ];
    let decided = decide(&asks.iter().collect::<Vec<_>>(), vec![], vec![], 7);
    let shown: Vec<_> = decided
        .results
        .iter()
        .map(|v| v.as_ref().err().cloned())
        .collect();
    let (exceeded, unknown) = (
        Some(AcceptError::PaymentExceeded),
        Some(AcceptError::UnknownPayment),
    );
    assert_eq!(
        shown,
        [None, None, exceeded.clone(), None, unknown, exceeded]
    );
    let capture = &decided.captures[0];
    assert_eq!(
        (capture.refunded, capture.settled, capture.version),
        (Decimal::from(6), Decimal::from(4), 1)
    );
    let balance = &decided.touched[0];
    assert_eq!(
        (balance.intermediate, balance.intermediate_reserved),
        (Decimal::ZERO, Decimal::TEN)
    );
    assert_eq!(
        decided
            .events
            .iter()
            .map(|e| e.kind.as_str())
            .collect::<Vec<_>>(),
        ["payment.captured", "refund.accepted", "settlement.accepted"]
    );
}

#[test]
fn a_settled_account_refunds_nothing_although_the_payment_has_it_left() {
    let mut balance = Balance::empty("M", cny());
    balance.capture(Decimal::ONE).unwrap();
    let mut payment = CapturedPayment::new("M", "p", Decimal::TEN, cny());
    payment.payer = Some("to".into());
    let asks = [from_payment(OrderKind::Refund, "p", 200, "1")];
    let decided = decide(
        &asks.iter().collect::<Vec<_>>(),
        vec![balance],
        vec![payment],
        7,
    );
    assert_eq!(decided.results, [Err(AcceptError::InsufficientCaptured)]);
    assert!(decided.captures.is_empty() && decided.touched.is_empty() && decided.keys.is_empty());
}

#[test]
fn two_requests_of_one_batch_under_one_name_make_one_order() {
    let mut rich = Balance::empty("A", cny());
    rich.credit(Decimal::new(10_000, 2)).unwrap();
    let named = |cents: i64, key: &str, biz: &str, transaction: &str| {
        let mut request = booking("A", cents, key);
        if let BookingRequest::Withdraw(w) = &mut request.booking {
            w.biz_no = Some(biz.to_owned());
            w.transaction_id = transaction.to_owned();
        }
        request
    };
    let asks = [
        named(1_000, "1", "b", "auto:1"),
        named(1_000, "2", "b", "auto:2"),
        named(1_001, "3", "b", "auto:3"),
        named(1_000, "4", "x", "t"),
        named(1_000, "5", "y", "t"),
    ];
    let decided = decide(&asks.iter().collect::<Vec<_>>(), vec![rich], vec![], 7);
    let differs = |name, field| Err(AcceptError::Differs { name, field });
    let first = decided.results[0].clone().unwrap();
    let repeat = decided.results[1].clone().unwrap();
    assert_eq!((repeat.order_id, repeat.replayed), (first.order_id, true));
    assert_eq!(decided.results[2], differs(RequestName::BizNo, "amount"));
    assert!(decided.results[3].is_ok());
    assert_eq!(
        decided.results[4],
        differs(RequestName::TransactionId, "bizNo")
    );
    assert_eq!(decided.orders.len(), 2);
    let keys: Vec<&str> = decided.keys.iter().map(|k| k.key.as_str()).collect();
    assert_eq!(keys, ["1", "biz/cash_out/b", "4", "biz/cash_out/x", "tx:t"]);
}
